-- The one pricing. private.base_prices says what seats cost, for many slots at once, since
-- availability shows a price for each; private.quote makes the lines of one booking of it.
--
-- In this order: the seats (tier, then the one rule that decides; or the exclusive price, or a
-- price that staff set), extras, the coupon's discount upon both, the calendar's fee. Every
-- amount includes its tax, and every division is rounded half away from zero, once, to what the
-- currency can pay (private.in_steps).

create function private.base_prices(organization_id uuid, slots private.slot [])
returns table (quantity int, unit_cents bigint)
language plpgsql
stable
set jit = off
set plan_cache_mode = force_generic_plan
-- How many slots there are the planner cannot know, and it takes them for few.
set enable_nestloop = off
set search_path = ''
as $$
declare
  room_ids uuid [];
  first_date date;
  last_date date;
  ruled boolean;
  step bigint := (
    select private.amount_step(o.currency) from public.organizations as o where o.id = base_prices.organization_id
  );
begin
  select array_agg(distinct s.room_id), min(s.local_start)::date, max(s.local_start)::date
  into room_ids, first_date, last_date
  from unnest(base_prices.slots) as s;
  ruled := exists (
    select from public.price_rules as u
    where u.organization_id = base_prices.organization_id
      and u.is_active
      and (u.room_id is null or u.room_id = any (room_ids))
  );

  -- A rule meets days first, which are few, and then starts: the venue's rules what starts there
  -- are, whichever rooms share them, and only a room's own rules that room's slots one by one.
  return query
  with room as materialized (
    select r.id, r.price_per, r.price_cents, tier.minimums, tier.prices
    from public.rooms as r
    cross join lateral (
      select
        array_agg(t.minimum_party order by t.minimum_party) as minimums,
        array_agg(t.price_cents order by t.minimum_party) as prices
      from public.price_tiers as t
      where t.organization_id = r.organization_id and t.room_id = r.id
    ) as tier
    where r.organization_id = base_prices.organization_id and r.id = any (room_ids)
  ),
  rule as materialized (
    select u.*, row_number() over (order by u.priority desc, u.room_id is null, u.id desc) as place
    from public.price_rules as u
    where ruled
      and u.organization_id = base_prices.organization_id
      and u.is_active
      and (u.room_id is null or u.room_id = any (room_ids))
  ),
  ranked as materialized (
    select array_agg(u.kind order by u.place) as kinds, array_agg(u.value order by u.place) as amounts
    from rule as u
  ),
  opened as materialized (
    select
      u.room_id,
      part.date,
      array_agg(part.opens) as opens,
      array_agg(part.closes) as closes,
      array_agg(u.place) as places
    from rule as u
    -- A window of the day before may run past midnight into the first day.
    cross join lateral (
      select first_date + n as date
      from generate_series(-1, last_date - first_date) as n
    ) as began
    cross join lateral (
      values
      (
        began.date, u.from_time,
        case when u.until_time > u.from_time then u.until_time else time '24:00' end
      ),
      (began.date + 1, time '00:00', case when u.until_time <= u.from_time then u.until_time else time '00:00' end)
    ) as part (date, opens, closes)
    where extract(isodow from began.date)::int = any (u.weekdays)
      and (u.from_date is null or began.date >= u.from_date)
      and (u.until_date is null or began.date <= u.until_date)
      and part.opens < part.closes
    group by u.room_id, part.date
  ),
  everywhere as materialized (
    select start.local, (
      select min(w.place)
      from unnest(o.opens, o.closes, o.places) as w (opens, closes, place)
      where start.local::time >= w.opens and start.local::time < w.closes
    ) as place
    from (
      select distinct s.local_start
      from unnest(base_prices.slots) as s
      where ruled
    ) as start (local)
    join opened as o on o.date = start.local::date
    where o.room_id is null
  )
  select
    case priced.price_per when 'person' then priced.party_size else 1 end,
    case ranked.kinds[priced.place]
      when 'price' then ranked.amounts[priced.place]
      when 'percent' then (
        round(priced.cents::numeric * (100 + ranked.amounts[priced.place]) / 100 / step) * step
      )::bigint
      when 'amount' then greatest(priced.cents + ranked.amounts[priced.place], 0)
      else priced.cents
    end
  from (
    select
      s.ordinality,
      s.party_size,
      r.price_per,
      case
        when r.minimums is null then r.price_cents
        else coalesce(r.prices[width_bucket(s.party_size, r.minimums)], r.price_cents)
      end as cents,
      least(e.place, case when own.places is not null then (
        select min(w.place)
        from unnest(own.opens, own.closes, own.places) as w (opens, closes, place)
        where s.local_start::time >= w.opens and s.local_start::time < w.closes
      ) end) as place
    from unnest(base_prices.slots) with ordinality as s
    join room as r on r.id = s.room_id
    left join everywhere as e on e.local = s.local_start
    left join opened as own on own.room_id = s.room_id and own.date = s.local_start::date
    offset 0
  ) as priced
  cross join ranked
  order by priced.ordinality;
end
$$;

comment on function private.base_prices is
  'What the seats of slots cost their parties, one row a slot in the same order: quantity times unit_cents, minor units of the organization''s currency, tax included. The room''s price, or its tier''s for the party, then changed by the one rule that decides for the start on the venue''s clock.';

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

comment on function private.included_tax is 'The tax in an amount that includes it, rounded half away from zero.';

create function private.quote_line(
  kind text,
  description text,
  quantity int,
  unit_cents bigint,
  tax_rate_bp int
)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'kind', kind,
    'description', description,
    'quantity', quantity,
    'unit_cents', unit_cents,
    'total_cents', quantity * unit_cents,
    'tax_rate_bp', tax_rate_bp,
    'tax_cents', private.included_tax(quantity * unit_cents, tax_rate_bp)
  );
end
$$;

comment on function private.quote_line is 'One line of a quote, with the tax that it contains.';

create function private.discount_lines(lines jsonb, discount_cents bigint, description text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'kind', 'discount',
          'description', discount_lines.description,
          'quantity', 1,
          'unit_cents', -share.cents,
          'total_cents', -share.cents,
          'tax_rate_bp', share.tax_rate_bp,
          'tax_cents', -round(share.tax * share.cents / share.total)::bigint
        )
        order by share.place
      ),
      '[]'
    )
    from (
      -- Rounding running sums instead of parts makes the parts add up to the whole, and none
      -- is more than what it is taken from.
      select
        rate.*,
        (
          round(discount_lines.discount_cents * rate.running / rate.whole)
          - round(discount_lines.discount_cents * (rate.running - rate.total) / rate.whole)
        )::bigint as cents
      from (
        select
          (line.item ->> 'tax_rate_bp')::int as tax_rate_bp,
          sum((line.item ->> 'total_cents')::bigint) as total,
          sum((line.item ->> 'tax_cents')::bigint) as tax,
          min(line.place) as place,
          sum(sum((line.item ->> 'total_cents')::bigint)) over (order by min(line.place)) as running,
          sum(sum((line.item ->> 'total_cents')::bigint)) over () as whole
        from jsonb_array_elements(discount_lines.lines) with ordinality as line (item, place)
        where line.item ->> 'total_cents' <> '0'
        group by line.item ->> 'tax_rate_bp'
      ) as rate
    ) as share
    where share.cents > 0
  );
end
$$;

comment on function private.discount_lines is
  'A discount upon lines, no more than they cost, as one negative line a tax rate: in proportion to what was sold at the rate, summing exactly, in the order in which the rates appear. Each takes its rate''s tax along in the same proportion, so nothing is left of it when all is discounted.';

create function private.chargeable_due(
  currency text,
  small_amounts text,
  total_cents bigint,
  due_cents bigint,
  covered_cents bigint
)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  least_cents bigint := (select c.least_cents from private.currencies as c where c.code = chargeable_due.currency);
begin
  return case
    when due_cents <= covered_cents or due_cents - covered_cents >= least_cents then due_cents
    when small_amounts = 'round_up' and covered_cents + least_cents <= total_cents then covered_cents + least_cents
    else least(due_cents, covered_cents)
  end;
end
$$;

comment on function private.chargeable_due is
  'What is due of a total, so that what is left to pay of it beside covered_cents is nothing, or an amount that the provider charges: a smaller one is due at the venue, or rounded up, as organizations.small_amounts says.';

create function private.quote(organization_id uuid, slot private.slot, options jsonb default '{}')
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  own_id uuid := (options ->> 'booking_id')::uuid;
  coupon_code text := nullif(trim(options ->> 'coupon_code'), '');
  voucher_code text := nullif(trim(options ->> 'voucher_code'), '');
  price_cents bigint := (options ->> 'price_cents')::bigint;
  sold record;
  coupon public.coupons;
  voucher public.vouchers;
  base_quantity int := 1;
  base_cents bigint;
  lines jsonb;
  gross bigint;
  fee bigint;
  total bigint;
  tax bigint;
  voucher_cents bigint := 0;
begin
  select
    r.name, r.tax_rate_bp, r.exclusive_price_cents, r.deposit_kind, r.deposit_value,
    o.currency, o.small_amounts, coalesce(options ->> 'locale', o.locale) as locale,
    c.fee_kind, c.fee_value, c.fee_tax_rate_bp
  into sold
  from public.rooms as r
  join public.organizations as o on o.id = r.organization_id
  left join public.calendars as c
    on c.organization_id = r.organization_id and c.id = (options ->> 'calendar_id')::uuid
  where r.organization_id = quote.organization_id and r.id = (quote.slot).room_id;

  if price_cents is not null then
    if price_cents not between 0 and 100000000 then
      perform private.fail('price_invalid', 422, 'Set a price of 0 to 1,000,000.00.');
    elsif price_cents % private.amount_step(sold.currency) <> 0 then
      perform private.fail('price_invalid', 422, 'Set a price that ends in 0: the last digit of this currency cannot be paid.');
    end if;
    base_cents := price_cents;
  elsif coalesce((options ->> 'exclusive')::boolean, false) then
    base_cents := sold.exclusive_price_cents;
  else
    select b.quantity, b.unit_cents into base_quantity, base_cents
    from private.base_prices(quote.organization_id, array[quote.slot]) as b;
  end if;
  if coalesce((options ->> 'exclusive')::boolean, false) and sold.exclusive_price_cents is null then
    perform private.fail('exclusive_not_offered', 422, 'Book seats: the room is not offered to one party alone.');
  end if;
  lines := jsonb_build_array(private.quote_line('base', sold.name, base_quantity, base_cents, sold.tax_rate_bp));

  if options -> 'extras' <> '[]' then
    lines := lines || private.extra_lines(quote.organization_id, quote.slot, options, sold.locale);
  end if;

  if coupon_code is not null then
    select sum((line ->> 'total_cents')::bigint) into gross
    from jsonb_array_elements(lines) as line;
    coupon := private.coupon_with_code(quote.organization_id, coupon_code);
    -- A booking that has the coupon keeps it, though nobody else would get it now.
    if not exists (
      select from public.coupon_redemptions as r
      where r.organization_id = quote.organization_id and r.booking_id = own_id and r.coupon_id = coupon.id
    ) then
      perform private.refuse_coupon_now(coupon, (quote.slot).timezone);
      perform private.refuse_used_coupon(coupon, own_id, (options ->> 'customer_id')::uuid);
    end if;
    perform private.refuse_coupon(coupon, (quote.slot).room_id, gross);
    lines := lines || private.discount_lines(
      lines,
      case coupon.kind
        when 'percent' then private.in_steps(gross::numeric * coupon.value / 100, sold.currency)
        else least(coupon.value, gross)
      end,
      coupon.code
    );
  end if;

  if sold.fee_kind = 'percent' then
    select private.in_steps(sum((line ->> 'total_cents')::bigint) * sold.fee_value / 100, sold.currency) into fee
    from jsonb_array_elements(lines) as line;
  elsif sold.fee_kind <> 'none' then
    fee := sold.fee_value;
  end if;
  if fee > 0 then
    lines := lines || jsonb_build_array(private.quote_line(
      'fee',
      case sold.locale when 'es' then 'Gastos de gestión' when 'ca' then 'Despeses de gestió' else 'Booking fee' end,
      case sold.fee_kind when 'person' then (quote.slot).party_size else 1 end,
      fee,
      sold.fee_tax_rate_bp
    ));
  end if;

  select sum((line ->> 'total_cents')::bigint), sum((line ->> 'tax_cents')::bigint)
  into total, tax
  from jsonb_array_elements(lines) as line;

  if voucher_code is not null then
    voucher := private.valid_voucher(quote.organization_id, voucher_code, own_id);
    voucher_cents := least(total, private.voucher_usable(voucher) + private.voucher_paid(voucher, own_id));
  end if;

  return jsonb_build_object(
    'currency', sold.currency,
    'lines', lines,
    'total_cents', total,
    'tax_cents', tax,
    'due_now_cents', private.chargeable_due(
      sold.currency, sold.small_amounts, total,
      case sold.deposit_kind
        when 'none' then 0
        when 'percent' then private.in_steps(total::numeric * sold.deposit_value / 100, sold.currency)
        when 'fixed' then least(total, sold.deposit_value)
        when 'person' then least(total, sold.deposit_value * (quote.slot).party_size)
        else total
      end,
      voucher_cents
    ),
    'voucher_cents', voucher_cents
  );
end
$$;

comment on function private.quote is
  'What the slot''s party pays: {currency, lines: [{kind: base, extra, discount or fee, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents, extra_id?}], total_cents, tax_cents, due_now_cents (what confirms the booking, however it is paid: what the provider could not charge of it beside the voucher is due at the venue), voucher_cents (what the voucher would pay of the total)}, minor units, tax included. options, each may be missing: {calendar_id (its fee), extras: [{extra_id, quantity}], coupon_code, voucher_code, exclusive, customer_id (counts the coupon''s uses of one person), locale (of descriptions), price_cents (staff''s price of the seats), booking_id (a booking that is priced again: its own extras, coupon and voucher do not stand in its way)}. Raises 422 price_invalid, exclusive_not_offered, extras_invalid, extra_not_found, extra_quantity_invalid, the coupon''s and the voucher''s codes; 409 extra_sold_out.';

create function private.tried_quote(organization_id uuid, slot private.slot, options jsonb)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  code text;
  hint text;
  details text;
begin
  if coalesce(options ->> 'coupon_code', '') = '' and coalesce(options ->> 'voucher_code', '') = '' then
    return private.quote(tried_quote.organization_id, slot, options);
  end if;
  -- Outside of the block whose end takes back what it did.
  perform private.limit_rate('try_code', 'address', private.client_address());
  begin
    return private.quote(tried_quote.organization_id, slot, options);
  exception
    when sqlstate 'PT422' then
      get stacked diagnostics code = message_text, hint = pg_exception_hint, details = pg_exception_detail;
      if code !~ '^(coupon|voucher)_' then
        raise;
      end if;
      return private.refuse(code, 422, hint) || jsonb_build_object('details', details);
  end;
end
$$;

comment on function private.tried_quote is
  'As private.quote, for visitors: a refused code of a coupon or voucher is returned, as private.refuse does it, so that the guess stays counted.';

create function private.refuse_total(quote jsonb, expected_total_cents bigint)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if (quote ->> 'total_cents')::bigint is distinct from expected_total_cents then
    perform private.fail(
      'total_changed', 409, 'Show the new total and ask again.',
      jsonb_build_object('total_cents', quote -> 'total_cents')
    );
  end if;
end
$$;

comment on function private.refuse_total is
  'Raises 409 total_changed, details {"total_cents"}, when the quote is not what the client saw.';
