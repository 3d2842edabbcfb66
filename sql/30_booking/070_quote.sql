-- The one pricing. private.base_prices says what seats cost, for many slots at once, since
-- availability shows a price for each; private.quote makes the lines of one booking of it.

create function private.base_prices(organization_id uuid, slots private.slot [])
returns table (quantity int, unit_cents bigint)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select
    case r.price_per when 'person' then s.party_size else 1 end,
    r.price_cents
  from unnest(base_prices.slots) with ordinality as s
  join public.rooms as r
    on r.organization_id = base_prices.organization_id and r.id = s.room_id
  order by s.ordinality;
end
$$;

comment on function private.base_prices(uuid, private.slot []) is
  'What the seats of slots cost their parties, one row a slot in the same order: quantity times unit_cents, minor units of the organization''s currency, tax included.';

create function private.included_tax(total_cents bigint, tax_rate_bp int)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return round(total_cents::numeric * tax_rate_bp / (10000 + tax_rate_bp))::bigint;
end
$$;

comment on function private.included_tax(bigint, int) is 'The tax in an amount that includes it, rounded half away from zero.';

create function private.quote(organization_id uuid, slot private.slot, options jsonb default '{}')
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  lines jsonb;
  currency text;
  total bigint;
  tax bigint;
begin
  if (options ->> 'price_cents')::bigint not between 0 and 100000000 then
    perform private.fail('price_invalid', 422, 'Set a price of 0 to 1,000,000.00.');
  elsif (options ->> 'exclusive')::boolean and exists (
    select from public.rooms as r
    where r.organization_id = quote.organization_id
      and r.id = (quote.slot).room_id
      and r.exclusive_price_cents is null
  ) then
    perform private.fail('exclusive_not_offered', 422, 'Book seats: the room is not offered to one party alone.');
  end if;

  select
    o.currency,
    jsonb_build_array(jsonb_build_object(
      'kind', 'base',
      'description', r.name,
      'quantity', base.quantity,
      'unit_cents', base.unit_cents,
      'total_cents', base.quantity * base.unit_cents,
      'tax_rate_bp', r.tax_rate_bp,
      'tax_cents', private.included_tax(base.quantity * base.unit_cents, r.tax_rate_bp)
    ))
  into currency, lines
  from public.rooms as r
  join public.organizations as o on o.id = r.organization_id
  cross join lateral (
    select
      case when agreed.cents is null then standard.quantity else 1 end as quantity,
      coalesce(agreed.cents, standard.unit_cents) as unit_cents
    from private.base_prices(quote.organization_id, array[quote.slot]) as standard
    cross join lateral (
      select coalesce(
        (options ->> 'price_cents')::bigint,
        case when (options ->> 'exclusive')::boolean then r.exclusive_price_cents end
      ) as cents
    ) as agreed
  ) as base
  where r.organization_id = quote.organization_id and r.id = (quote.slot).room_id;

  select sum((line ->> 'total_cents')::bigint), sum((line ->> 'tax_cents')::bigint)
  into total, tax
  from jsonb_array_elements(lines) as line;

  return jsonb_build_object(
    'currency', currency,
    'lines', lines,
    'total_cents', total,
    'tax_cents', tax,
    'due_now_cents', total
  );
end
$$;

comment on function private.quote(uuid, private.slot, jsonb) is
  'What the slot''s party pays: {currency, lines: [{kind, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents}], total_cents, tax_cents, due_now_cents}, minor units, tax included.';
