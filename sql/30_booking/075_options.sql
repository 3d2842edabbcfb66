-- What a booking is made of beside its seats, as its quote says.

create table public.price_overrides (
  organization_id uuid not null,
  booking_id uuid not null,
  price_cents bigint not null,
  reason text not null,
  set_by jsonb not null default private.current_actor(),
  created_at timestamptz not null default now(),
  constraint price_overrides_pkey primary key (organization_id, booking_id),
  constraint price_overrides_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint price_overrides_price_is_0_to_1_million check (price_cents between 0 and 100000000),
  constraint price_overrides_reason_is_short check (length(reason) <= 500)
);

comment on table public.price_overrides is 'A booking whose seats are sold at a price that staff set, and why.';
comment on column public.price_overrides.price_cents is 'Of all seats together, minor units, tax included.';
comment on column public.price_overrides.set_by is 'Who set it: {kind, id} as in private.current_actor.';

grant select on public.price_overrides to authenticated;

alter table public.price_overrides enable row level security;

create policy price_overrides_select on public.price_overrides
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create function private.take_options(booking public.bookings, quote jsonb, options jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into public.booking_lines (
    organization_id, booking_id, position, kind, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents
  )
  select
    booking.organization_id, booking.id, line.position, line.item ->> 'kind', line.item ->> 'description',
    (line.item ->> 'quantity')::int, (line.item ->> 'unit_cents')::bigint, (line.item ->> 'total_cents')::bigint,
    (line.item ->> 'tax_rate_bp')::int, (line.item ->> 'tax_cents')::bigint
  from jsonb_array_elements(quote -> 'lines') with ordinality as line (item, position);
  if options ->> 'price_cents' is not null then
    insert into public.price_overrides (organization_id, booking_id, price_cents, reason)
    values (
      booking.organization_id, booking.id, (options ->> 'price_cents')::bigint,
      coalesce(options ->> 'override_reason', '')
    );
  end if;
end
$$;

comment on function private.take_options(public.bookings, jsonb, jsonb) is
  'Writes what a quote holds for a booking whose seats were just claimed.';

create function private.drop_options(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from public.booking_lines as line
  where line.organization_id = booking.organization_id and line.booking_id = booking.id;
  delete from public.price_overrides as o
  where o.organization_id = booking.organization_id and o.booking_id = booking.id;
end
$$;

comment on function private.drop_options(public.bookings) is
  'Takes back what private.take_options wrote, before the booking is priced anew. Money stays: it is in the ledger.';

create function private.booking_options(booking public.bookings)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'calendar_id', booking.calendar_id,
    'customer_id', booking.customer_id,
    'booking_id', booking.id,
    'exclusive', booking.exclusive,
    'price_cents', (
      select o.price_cents from public.price_overrides as o
      where o.organization_id = booking.organization_id and o.booking_id = booking.id
    ),
    'override_reason', (
      select o.reason from public.price_overrides as o
      where o.organization_id = booking.organization_id and o.booking_id = booking.id
    )
  ));
end
$$;

comment on function private.booking_options(public.bookings) is
  'The options with which private.quote priced a booking, to price it again.';
