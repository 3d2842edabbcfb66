-- The link of an order: whoever has it looks at, pays, moves and cancels all of its bookings, or each of them.

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
