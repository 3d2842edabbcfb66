-- Orders: several bookings that one party made at once, with one contact, one quote, one payment and one link. All of
-- them were made, or none; afterwards each is a booking like every other, with its own terms, money and history.

create table public.booking_orders (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  reference text not null,
  currency text not null,
  source text not null,
  created_at timestamptz not null default now(),
  constraint booking_orders_pkey primary key (organization_id, id),
  constraint booking_orders_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint booking_orders_reference_key unique (organization_id, reference),
  constraint booking_orders_reference_is_crockford_base32 check (
    reference ~ '^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$'
  ),
  constraint booking_orders_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint booking_orders_source_is_known check (source in ('widget', 'direct', 'marketplace', 'api'))
);

comment on table public.booking_orders is
  'Several bookings that were made at once, or none of them: bookings.order_id. Whom it is for, its money and its state are those of its bookings.';
comment on column public.booking_orders.reference is 'What people read to each other, as that of a booking; a booking may have the same.';
comment on column public.booking_orders.currency is 'ISO 4217, of all its bookings.';
comment on column public.booking_orders.source is 'Where it was made: widget, direct (by staff), marketplace, api.';

-- for: the staff's page of orders, newest first
create index booking_orders_created_at_idx on public.booking_orders (organization_id, created_at desc, id desc);

grant select on public.booking_orders to authenticated;

alter table public.booking_orders enable row level security;

create policy booking_orders_select on public.booking_orders
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create function private.order_token(organization_id uuid, order_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return rtrim(translate(encode(uuid_send(order_token.organization_id) || uuid_send(order_token.order_id), 'base64'), '+/', '-_'), '=')
    || private.derived_token('order', order_token.order_id::text);
end
$$;

comment on function private.order_token is
  'The secret of an order''s link. It names the order, so that none has to be looked for, and is derived: none is stored.';

create function private.order_of_token(token text)
returns public.booking_orders
language plpgsql
stable
set search_path = ''
as $$
declare
  typed text := private.typed_token(order_of_token.token);
  ids bytea;
  known public.booking_orders;
begin
  if typed ~ '^[A-Za-z0-9_-]{86}$' then
    ids := decode(translate(left(typed, 43), '-_', '+/') || '=', 'base64');
    select o.* into known
    from public.booking_orders as o
    where o.organization_id = encode(substring(ids from 1 for 16), 'hex')::uuid
      and o.id = encode(substring(ids from 17 for 16), 'hex')::uuid;
    if private.token_hash(private.order_token(known.organization_id, known.id)) is distinct from private.token_hash(typed) then
      return null;
    end if;
  end if;
  return known;
end
$$;

comment on function private.order_of_token is
  'The order whose token it is; null: of none. The question is counted by whoever asks.';

create function private.order_with_token(reference text, order_token text)
returns public.booking_orders
language plpgsql
volatile
set search_path = ''
as $$
declare
  known public.booking_orders;
begin
  perform private.count_attempt();
  known := private.order_of_token(order_with_token.order_token);
  if known.id is null or not known.reference = any (private.typed_references(order_with_token.reference)) then
    perform private.fail('order_not_found', 404, 'Check the order''s reference and the link that came with it.');
  end if;
  return known;
end
$$;

comment on function private.order_with_token is
  'The order with the reference and the token; the question is counted. Raises 404 order_not_found, the same for a wrong reference and a wrong token; 429 rate_limited.';
