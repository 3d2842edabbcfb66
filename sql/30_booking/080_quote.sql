-- What somebody asks to book, and what it costs.
--
-- The one pricing. private.base_prices says what seats cost, for many slots at once, since
-- availability shows a price for each; private.quote makes the lines of one booking of it.
--
-- In this order: the seats (tier, then the one rule that decides; or the exclusive price, or a
-- price that staff set), extras, the coupon's discount upon both, the calendar's fee. Every
-- amount includes its tax, and every division is rounded half away from zero, once, to what the
-- currency can pay (private.in_steps).

create type private.wanted_extra as (
  extra_id uuid,
  quantity int
);

comment on type private.wanted_extra is 'So many of an extra: for the booking, or for each person.';

create type private.booking_request as (
  booking_id uuid,
  calendar_id uuid,
  room_id uuid,
  starts_at timestamptz,
  party_size int,
  exclusive boolean,
  extras jsonb,
  coupon_code text,
  voucher_code text,
  price_cents bigint,
  override_reason text,
  expected_total_cents bigint,
  expected_terms jsonb,
  customer jsonb,
  customer_id uuid,
  locale text,
  fields jsonb,
  customer_note text,
  staff_note text,
  consents jsonb,
  source text,
  pay_within_hours int,
  new_terms boolean,
  reason text,
  as_agreed boolean
);

comment on type private.booking_request is
  'What somebody asks to book or to change, in the words of the functions that clients call; idempotency compares it. Null: not said, or of a booking that is changed: as it is.';
comment on column private.booking_request.booking_id is
  'The booking that is changed or priced again: its own extras, coupon and voucher do not stand in its way.';
comment on column private.booking_request.calendar_id is 'Whose fee is added.';
comment on column private.booking_request.extras is 'As the client sent them; private.wanted_extras reads them.';
comment on column private.booking_request.coupon_code is 'Empty, when a booking is changed: without the one that it has.';
comment on column private.booking_request.price_cents is 'What staff want for the seats, with override_reason.';
comment on column private.booking_request.expected_terms is 'What the client showed about cancelling, as a quote answers it; null: nothing.';
comment on column private.booking_request.customer is 'As the client sent it; private.checked_customer reads it.';
comment on column private.booking_request.customer_id is 'Whose uses of a coupon are counted.';
comment on column private.booking_request.locale is 'The language of descriptions: es, en or ca.';
comment on column private.booking_request.new_terms is
  'Whether the room''s present terms about cancelling count from now on; null: when its customer moves it.';
comment on column private.booking_request.reason is 'Why it is changed, for the history.';
comment on column private.booking_request.as_agreed is
  'Whether it must not cost more than it does: the venue moves it, for reasons of its own.';

create function private.wanted_extras(extras jsonb)
returns private.wanted_extra []
language plpgsql
immutable
set search_path = ''
as $$
declare
  wanted private.wanted_extra [];
begin
  if extras is null or extras = 'null' then
    return null;
  elsif extras = '[]' then
    return '{}'; -- as most ask for: 60 µs less a call
  end if;
  -- Refused by their number before each is looked at: 50,000 take three seconds.
  if jsonb_typeof(extras) <> 'array' then
    perform private.refuse_extras();
  elsif jsonb_array_length(extras) > 100 or exists (
    select from jsonb_array_elements(extras) as e
    where jsonb_typeof(e) is distinct from 'object'
      or jsonb_typeof(e -> 'extra_id') is distinct from 'string'
      or e ->> 'extra_id' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
      or jsonb_typeof(e -> 'quantity') is distinct from 'number'
      or e ->> 'quantity' !~ '^[0-9]{1,4}$'
  ) then
    perform private.refuse_extras();
  end if;
  wanted := array(
    select row((e.item ->> 'extra_id')::uuid, (e.item ->> 'quantity')::int)::private.wanted_extra
    from jsonb_array_elements(extras) with ordinality as e (item, place)
    order by e.place
  );
  if (select count(distinct w.extra_id) from unnest(wanted) as w) < cardinality(wanted) then
    perform private.refuse_extras();
  end if;
  return wanted;
end
$$;

comment on function private.wanted_extras is
  'The extras that a client asks for, as it sent them: [{extra_id, quantity}]; null: none were named. Raises 422 extras_invalid.';

create function private.refuse_extras()
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail('extras_invalid', 422, 'Give extras as a list of at most 100 {extra_id, quantity}, each once.');
end
$$;

comment on function private.refuse_extras is 'Raises 422 extras_invalid.';

create type public.price_line as (
  kind text,
  description text,
  quantity int,
  unit_cents bigint,
  total_cents bigint,
  tax_rate_bp int,
  tax_cents bigint,
  extra_id uuid
);

comment on type public.price_line is 'One line of a price. Amounts in minor units of its currency, tax included.';
comment on column public.price_line.kind is 'base: the seats. one of: base, extra, discount, fee';
comment on column public.price_line.description is 'In the language of the quote or booking.';
comment on column public.price_line.quantity is 'Units, persons counted.';
comment on column public.price_line.unit_cents is 'Of one; negative for a discount.';
comment on column public.price_line.total_cents is 'quantity times unit_cents.';
comment on column public.price_line.tax_rate_bp is 'Basis points: 2100 is 21 %.';
comment on column public.price_line.tax_cents is 'The tax that total_cents contains.';
comment on column public.price_line.extra_id is 'The extra of a quoted line of kind extra, else null.';

create type public.quote as (
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  party_size int,
  currency text,
  lines public.price_line [],
  total_cents bigint,
  tax_cents bigint,
  due_now_cents bigint,
  voucher_cents bigint,
  terms public.cancellation_terms
);

comment on type public.quote is 'What a party pays for a time in a room. Amounts in minor units of currency, tax included.';
comment on column public.quote.room_id is 'The room.';
comment on column public.quote.starts_at is 'The start.';
comment on column public.quote.ends_at is 'The end of the game.';
comment on column public.quote.party_size is 'People.';
comment on column public.quote.currency is 'ISO 4217.';
comment on column public.quote.lines is 'The seats, then extras, discounts and the fee.';
comment on column public.quote.total_cents is 'The sum of the lines.';
comment on column public.quote.tax_cents is 'The tax that total_cents contains.';
comment on column public.quote.due_now_cents is
  'What confirms the booking, however it is paid: the deposit, or all of it. What the provider could not charge of it beside the voucher is due at the venue.';
comment on column public.quote.voucher_cents is 'What the voucher would pay of the total; 0 without one.';
comment on column public.quote.terms is 'What counts about cancelling: booking agrees to it.';

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
  tax_rate_bp int,
  extra_id uuid default null
)
returns public.price_line
language plpgsql
immutable
set search_path = ''
as $$
begin
  return row(
    kind, description, quantity, unit_cents, quantity * unit_cents, tax_rate_bp,
    private.included_tax(quantity * unit_cents, tax_rate_bp), extra_id
  )::public.price_line;
end
$$;

comment on function private.quote_line is 'One line of a quote, with the tax that it contains.';

create function private.discount_lines(lines public.price_line [], discount_cents bigint, description text)
returns public.price_line []
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array(
    select row(
      'discount', discount_lines.description, 1, -share.cents, -share.cents, share.tax_rate_bp,
      -round(share.tax * share.cents / share.total)::bigint, null
    )::public.price_line
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
          line.tax_rate_bp,
          sum(line.total_cents) as total,
          sum(line.tax_cents) as tax,
          min(line.place) as place,
          sum(sum(line.total_cents)) over (order by min(line.place)) as running,
          sum(sum(line.total_cents)) over () as whole
        from unnest(discount_lines.lines) with ordinality as line (
          kind, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents, extra_id, place
        )
        where line.total_cents <> 0
        group by line.tax_rate_bp
      ) as rate
    ) as share
    where share.cents > 0
    order by share.place
  );
end
$$;

comment on function private.discount_lines is
  'A discount upon lines, no more than they cost, as one negative line a tax rate: in proportion to what was sold at the rate, summing exactly, in the order in which the rates appear. Each takes its rate''s tax along in the same proportion, so nothing is left of it when all is discounted.';

create function private.chargeable_due(
  organization_id uuid,
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
  sold record;
  least_cents bigint;
begin
  if due_cents <= covered_cents then
    return due_cents;
  end if;
  select o.small_amounts, o.pay_at_venue, c.least_cents, (private.payment_account(o.id)).available as online
  into sold
  from public.organizations as o
  join private.currencies as c on c.code = o.currency
  where o.id = chargeable_due.organization_id;
  least_cents := sold.least_cents;
  return case
    when not sold.online and not sold.pay_at_venue then due_cents
    when not sold.online then least(due_cents, covered_cents)
    when due_cents - covered_cents >= least_cents then due_cents
    when sold.small_amounts = 'round_up' and covered_cents + least_cents <= total_cents then covered_cents + least_cents
    else least(due_cents, covered_cents)
  end;
end
$$;

comment on function private.chargeable_due is
  'What is due of a total, so that what is left to pay of it beside covered_cents is nothing, or an amount that the provider charges: a smaller one is due at the venue, or rounded up, as organizations.small_amounts says. While nothing can be paid online all is due at the venue, where organizations.pay_at_venue allows it; else it stays due, and nobody can hold it.';

create function private.gross(lines public.price_line [])
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (select coalesce(sum(line.total_cents), 0) from unnest(lines) as line);
end
$$;

comment on function private.gross is 'What lines cost together, in minor units.';

create function private.discount_of(quote public.quote)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select coalesce(-sum(line.total_cents), 0)
    from unnest(quote.lines) as line
    where line.kind = 'discount'
  );
end
$$;

comment on function private.discount_of is 'What a quote''s coupon takes off, in minor units.';

create function private.quote(organization_id uuid, slot private.slot, request private.booking_request)
returns public.quote
language plpgsql
stable
set search_path = ''
as $$
declare
  coupon_code text := nullif(trim(request.coupon_code), '');
  voucher_code text := nullif(trim(request.voucher_code), '');
  exclusive boolean := coalesce(request.exclusive, false);
  sold record;
  coupon public.coupons;
  voucher public.vouchers;
  base_quantity int := 1;
  base_cents bigint;
  gross bigint;
  fee bigint;
  priced public.quote;
begin
  select
    private.room_name(r, coalesce(request.locale, o.locale)) as name, r.tax_rate_bp, r.exclusive_price_cents, r.deposit_kind, r.deposit_value,
    o.currency, coalesce(request.locale, o.locale) as locale,
    c.fee_kind, c.fee_value, c.fee_tax_rate_bp
  into sold
  from public.rooms as r
  join public.organizations as o on o.id = r.organization_id
  left join public.calendars as c
    on c.organization_id = r.organization_id and c.id = request.calendar_id
  where r.organization_id = quote.organization_id and r.id = slot.room_id;

  if request.price_cents is not null then
    if request.price_cents not between 0 and 100000000 then
      perform private.fail('price_invalid', 422, 'Set a price of 0 to 1,000,000.00.');
    elsif request.price_cents % private.amount_step(sold.currency) <> 0 then
      perform private.fail('price_invalid', 422, 'Set a price that ends in 0: the last digit of this currency cannot be paid.');
    end if;
    base_cents := request.price_cents;
  elsif exclusive then
    base_cents := sold.exclusive_price_cents;
  else
    select b.quantity, b.unit_cents into base_quantity, base_cents
    from private.base_prices(quote.organization_id, array[slot]) as b;
  end if;
  if exclusive and sold.exclusive_price_cents is null then
    perform private.fail('exclusive_not_offered', 422, 'Book seats: the room is not offered to one party alone.');
  end if;
  priced.lines := array[private.quote_line('base', sold.name, base_quantity, base_cents, sold.tax_rate_bp)]
    || private.extra_lines(quote.organization_id, slot, request, sold.locale);

  if coupon_code is not null then
    gross := private.gross(priced.lines);
    coupon := private.coupon_with_code(quote.organization_id, coupon_code);
    -- A booking that has the coupon keeps it, though nobody else would get it now.
    if not exists (
      select from public.coupon_redemptions as r
      where r.organization_id = quote.organization_id and r.booking_id = request.booking_id and r.coupon_id = coupon.id
    ) then
      perform private.refuse_coupon_now(coupon, slot.timezone);
      perform private.refuse_used_coupon(coupon, request.booking_id, request.customer_id);
    end if;
    perform private.refuse_coupon(coupon, slot.room_id, gross);
    priced.lines := priced.lines || private.discount_lines(
      priced.lines,
      case coupon.kind
        when 'percent' then private.in_steps(gross::numeric * coupon.value / 100, sold.currency)
        else least(coupon.value, gross)
      end,
      coupon.code
    );
  end if;

  if sold.fee_kind = 'percent' then
    fee := private.in_steps(private.gross(priced.lines)::numeric * sold.fee_value / 100, sold.currency);
  elsif sold.fee_kind <> 'none' then
    fee := sold.fee_value;
  end if;
  if fee > 0 then
    priced.lines := priced.lines || private.quote_line(
      'fee',
      case sold.locale when 'es' then 'Gastos de gestión' when 'ca' then 'Despeses de gestió' else 'Booking fee' end,
      case sold.fee_kind when 'person' then slot.party_size else 1 end,
      fee,
      sold.fee_tax_rate_bp
    );
  end if;

  priced.room_id := slot.room_id;
  priced.starts_at := slot.starts_at;
  priced.ends_at := slot.ends_at;
  priced.party_size := slot.party_size;
  priced.currency := sold.currency;
  priced.total_cents := private.gross(priced.lines);
  priced.tax_cents := (select sum(line.tax_cents) from unnest(priced.lines) as line);
  priced.voucher_cents := 0;
  if voucher_code is not null then
    voucher := private.valid_voucher(quote.organization_id, voucher_code, request.booking_id);
    priced.voucher_cents := least(
      priced.total_cents, private.voucher_usable(voucher) + private.voucher_paid(voucher, request.booking_id)
    );
  end if;
  priced.due_now_cents := private.chargeable_due(
    quote.organization_id, priced.total_cents,
    case sold.deposit_kind
      when 'none' then 0
      when 'percent' then private.in_steps(priced.total_cents::numeric * sold.deposit_value / 100, sold.currency)
      when 'fixed' then least(priced.total_cents, sold.deposit_value)
      when 'person' then least(priced.total_cents, sold.deposit_value * slot.party_size)
      else priced.total_cents
    end,
    priced.voucher_cents
  );
  priced.terms := private.room_terms(quote.organization_id, slot.room_id);
  return priced;
end
$$;

comment on function private.quote is
  'What the slot''s party pays, with the extras, codes, exclusiveness and staff''s price of the request. Raises 422 price_invalid, exclusive_not_offered, extras_invalid, extra_not_found, extra_quantity_invalid, the coupon''s and the voucher''s codes; 409 extra_sold_out.';

create function private.tried_quote(
  organization_id uuid,
  slot private.slot,
  request private.booking_request,
  out quote public.quote,
  out refusal jsonb
)
language plpgsql
volatile
set search_path = ''
as $$
declare
  code text;
  hint text;
  details text;
begin
  if coalesce(request.coupon_code, '') = '' and coalesce(request.voucher_code, '') = '' then
    quote := private.quote(tried_quote.organization_id, slot, request);
    return;
  end if;
  -- Outside of the block whose end takes back what it did.
  perform private.limit_rate('try_code', 'address', private.client_address());
  begin
    quote := private.quote(tried_quote.organization_id, slot, request);
  exception
    when sqlstate 'PT422' then
      get stacked diagnostics code = message_text, hint = pg_exception_hint, details = pg_exception_detail;
      if code !~ '^(coupon|voucher)_' then
        raise;
      end if;
      refusal := private.refusal(code, 422, hint) || jsonb_build_object('details', details);
  end;
end
$$;

comment on function private.tried_quote is
  'As private.quote, for visitors: a refused code of a coupon or voucher is returned as refusal, as private.refusal does it, so that the guess stays counted.';

create function private.refuse_total(quote public.quote, expected_total_cents bigint)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if quote.total_cents is distinct from expected_total_cents then
    perform private.fail(
      'total_changed', 409, 'Show the new total and ask again.',
      jsonb_build_object('total_cents', quote.total_cents)
    );
  end if;
end
$$;

comment on function private.refuse_total is
  'Raises 409 total_changed, details {"total_cents"}, when the quote is not what the client saw.';

create function private.refuse_terms(terms public.cancellation_terms, expected_terms jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if nullif(expected_terms, 'null') <> to_jsonb(terms) then
    perform private.fail(
      'terms_changed', 409, 'Show what counts about cancelling now, and ask again.',
      jsonb_build_object('terms', to_jsonb(terms))
    );
  end if;
end
$$;

comment on function private.refuse_terms is
  'Raises 409 terms_changed, details {"terms"}, when somebody would agree to something else about cancelling than the client showed; null: it showed nothing.';
