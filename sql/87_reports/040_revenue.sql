-- Revenue: what came in and went back, what of it is sold and taxed, and what visits still bring.
--
-- What was received and refunded are the rows of payments and refunds, and sales and tax those that the ledger wrote of
-- bookings: each on the day on which the money moved. What is expected and outstanding are figures of visits, on the
-- day of the visit. A correction is taken off what was received, on the day on which it was made, as in the ledger.

create type public.revenue_sums as (
  received_cents bigint,
  refunded_cents bigint,
  net_cents bigint,
  sales_cents bigint,
  tax_cents bigint,
  expected_cents bigint,
  outstanding_cents bigint
);

comment on type public.revenue_sums is 'Amounts of some days, in minor units of the report''s currency.';
comment on column public.revenue_sums.received_cents is 'Payments on these days, less those that turned out to be none.';
comment on column public.revenue_sums.refunded_cents is 'What went back on these days, less what the bank sent back.';
comment on column public.revenue_sums.net_cents is 'Received less refunded: in the ledger, what was credited to customers.';
comment on column public.revenue_sums.sales_cents is 'What of it was sold, without tax: the ledger''s sales.';
comment on column public.revenue_sums.tax_cents is 'The tax on that: the ledger''s tax.';
comment on column public.revenue_sums.expected_cents is
  'What visits on these days bring: what the venue keeps of their money, of cancelled ones too, and what is outstanding.';
comment on column public.revenue_sums.outstanding_cents is
  'What can still be asked for of bookings whose visit is on these days, as open_cents of a booking; holds are none.';

create type public.method_revenue as (
  method text,
  received_cents bigint,
  refunded_cents bigint,
  net_cents bigint
);

comment on type public.method_revenue is 'What came in and went back by one method, in minor units of the report''s currency.';
comment on column public.method_revenue.method is 'Of the payment, or by which the refund was made. one of payments.method';
comment on column public.method_revenue.received_cents is 'As in revenue_sums.';
comment on column public.method_revenue.refunded_cents is 'As in revenue_sums.';
comment on column public.method_revenue.net_cents is 'Received less refunded.';

create type public.room_revenue as (
  room_id uuid,
  name text,
  location_id uuid,
  sums public.revenue_sums,
  previous public.revenue_sums
);

comment on type public.room_revenue is 'The revenue of a room: of the bookings that are in it now.';
comment on column public.room_revenue.room_id is 'The room.';
comment on column public.room_revenue.name is 'As the venue calls it.';
comment on column public.room_revenue.location_id is 'Where it is.';
comment on column public.room_revenue.sums is 'Of the report''s days.';
comment on column public.room_revenue.previous is 'Of the days before.';

create type public.location_revenue as (
  location_id uuid,
  name text,
  sums public.revenue_sums,
  previous public.revenue_sums
);

comment on type public.location_revenue is 'The revenue of a location.';
comment on column public.location_revenue.location_id is 'The location.';
comment on column public.location_revenue.name is 'As the venue calls it.';
comment on column public.location_revenue.sums is 'Of the report''s days.';
comment on column public.location_revenue.previous is 'Of the days before.';

create type public.channel_revenue as (
  channel text,
  sums public.revenue_sums,
  previous public.revenue_sums
);

comment on type public.channel_revenue is 'The revenue of one channel.';
comment on column public.channel_revenue.channel is 'Where the booking was made. one of bookings.source';
comment on column public.channel_revenue.sums is 'Of the report''s days.';
comment on column public.channel_revenue.previous is 'Of the days before.';

create type public.tax_revenue as (
  tax_rate_bp int,
  tax_cents bigint
);

comment on type public.tax_revenue is 'The tax of one rate, as the ledger has it.';
comment on column public.tax_revenue.tax_rate_bp is 'In basis points.';
comment on column public.tax_revenue.tax_cents is 'Minor units of the report''s currency.';

create type public.revenue_point as (
  from_date date,
  to_date date,
  sums public.revenue_sums
);

comment on type public.revenue_point is 'A day, or a week, month or quarter as far as it is in the report.';
comment on column public.revenue_point.from_date is 'Its first date.';
comment on column public.revenue_point.to_date is 'Its last date.';
comment on column public.revenue_point.sums is 'Of these dates.';

create type public.coupon_use as (
  coupon_id uuid,
  code text,
  bookings bigint,
  discount_cents bigint
);

comment on type public.coupon_use is 'How a coupon was used, by bookings that stand and whose visit is on the report''s days.';
comment on column public.coupon_use.coupon_id is 'The coupon.';
comment on column public.coupon_use.code is 'Its code; null without coupons:read.';
comment on column public.coupon_use.bookings is 'How many have it.';
comment on column public.coupon_use.discount_cents is 'What they cost less, in minor units of the report''s currency.';

create type public.voucher_use as (
  redemptions bigint,
  redeemed_cents bigint,
  returned_cents bigint,
  issued_cents bigint,
  expired_cents bigint
);

comment on type public.voucher_use is 'How gift vouchers were used on the report''s days, in minor units of its currency.';
comment on column public.voucher_use.redemptions is 'How many payments were made with one.';
comment on column public.voucher_use.redeemed_cents is 'What these paid.';
comment on column public.voucher_use.returned_cents is 'What went back on vouchers.';
comment on column public.voucher_use.issued_cents is
  'What was put on vouchers, less what was cancelled; null in the report of a location or room, of which vouchers are none.';
comment on column public.voucher_use.expired_cents is
  'What was left on those whose last date passed, less what was given a new one; null in the report of a location or room.';

create type public.revenue_report as (
  currency text,
  from_date date,
  to_date date,
  previous_from_date date,
  previous_to_date date,
  granularity text,
  total public.revenue_sums,
  previous public.revenue_sums,
  change public.revenue_sums,
  methods public.method_revenue [],
  rooms public.room_revenue [],
  locations public.location_revenue [],
  channels public.channel_revenue [],
  taxes public.tax_revenue [],
  coupons public.coupon_use [],
  vouchers public.voucher_use,
  series public.revenue_point []
);

comment on type public.revenue_report is 'The revenue of some days in one currency.';
comment on column public.revenue_report.currency is 'ISO 4217.';
comment on column public.revenue_report.from_date is 'First date, on the clock of each location.';
comment on column public.revenue_report.to_date is 'Last date.';
comment on column public.revenue_report.previous_from_date is 'First date of the days before.';
comment on column public.revenue_report.previous_to_date is 'Last date of the days before.';
comment on column public.revenue_report.granularity is 'Of the series. one of: day, week, month, quarter';
comment on column public.revenue_report.total is 'Of these days.';
comment on column public.revenue_report.previous is 'Of the days before.';
comment on column public.revenue_report.change is 'Total less previous.';
comment on column public.revenue_report.methods is 'By method, those that moved something.';
comment on column public.revenue_report.rooms is 'By room: all that were asked for, by name.';
comment on column public.revenue_report.locations is 'By location, by name.';
comment on column public.revenue_report.channels is 'By channel, those that there were.';
comment on column public.revenue_report.taxes is 'By rate, those that there were.';
comment on column public.revenue_report.coupons is 'Those that were used, the most used first.';
comment on column public.revenue_report.vouchers is 'Of gift vouchers.';
comment on column public.revenue_report.series is 'In order of time, without a gap.';

create function private.revenue_sums(received numeric, refunded numeric, sales numeric, tax numeric, kept numeric, outstanding numeric)
returns public.revenue_sums
language plpgsql
immutable
set search_path = ''
as $$
begin
  return row(
    coalesce(received, 0), coalesce(refunded, 0), coalesce(received, 0) - coalesce(refunded, 0), coalesce(sales, 0),
    coalesce(tax, 0), coalesce(kept, 0) + coalesce(outstanding, 0), coalesce(outstanding, 0)
  )::public.revenue_sums;
end
$$;

comment on function private.revenue_sums is 'Sums as a report says them; of nothing, zero.';

create function private.get_revenue_report(
  organization_id uuid,
  period text,
  from_date date,
  to_date date,
  location_id uuid,
  room_id uuid,
  granularity text
)
returns setof public.revenue_report
language plpgsql
stable
security definer
set jit = off
-- A plan for these very dates: one for any joins in loops what is many rows (occupancy of a month 212 ms instead of 47).
set plan_cache_mode = force_custom_plan
set search_path = ''
as $$
declare
  days private.report_days;
  length int;
  unit text;
  of_all boolean := location_id is null and room_id is null;
  sees_codes boolean;
begin
  perform private.require_permission(get_revenue_report.organization_id, 'reports:read');
  days := private.report_days(
    get_revenue_report.organization_id, period, from_date, to_date, location_id, room_id, 366
  );
  length := days.to_date - days.from_date + 1;
  unit := coalesce(granularity, case when length <= 31 then 'day' when length <= 92 then 'week' else 'month' end);
  if unit not in ('day', 'week', 'month', 'quarter') then
    perform private.fail('granularity_invalid', 422, 'Choose day, week, month or quarter, or none.');
  end if;
  sees_codes := private.has_permission(get_revenue_report.organization_id, 'coupons:read');
  return query
  with
  room as materialized (
    select r.*
    from private.report_rooms(get_revenue_report.organization_id, get_revenue_report.location_id, get_revenue_report.room_id) as r
  ),
  visit as materialized (
    select b.id, b.room_id, b.source, b.currency, b.status, b.starts_at, case
      when b.status in ('held', 'expired', 'cancelled') or b.hold_expires_at <= now() then 0
      when b.status = 'no_show' then private.no_show_fee(b)
      else b.total_cents
    end as price
    from public.bookings as b
    where b.organization_id = get_revenue_report.organization_id
      and b.starts_at >= days.from_at
      and b.starts_at < days.to_at
      and b.room_id in (select r.id from room as r)
  ),
  -- As private.booking_kept and private.booking_covered, of all of them in one pass.
  kept as materialized (
    select m.booking_id, sum(m.cents) as cents, sum(m.cents + m.given) as covered
    from (
      select p.booking_id, p.amount_cents as cents, 0 as given
      from public.payments as p
      where p.organization_id = get_revenue_report.organization_id and p.booking_id in (select v.id from visit as v)
      union all
      select q.booking_id, -q.amount_cents, q.goodwill_cents
      from private.refund_requests as q
      where q.organization_id = get_revenue_report.organization_id
        and q.booking_id in (select v.id from visit as v)
        and q.status in ('pending', 'succeeded')
    ) as m
    group by m.booking_id
  ),
  moved as materialized (
    select
      p.booking_id, p.occurred_at, p.currency, p.method, null::int as rate, p.amount_cents as received, 0 as refunded,
      0 as sales, 0 as tax
    from public.payments as p
    where p.organization_id = get_revenue_report.organization_id
      and p.occurred_at >= days.from_at
      and p.occurred_at < days.to_at
    union all
    select
      r.booking_id, r.occurred_at, r.currency, r.method, null,
      case when r.kind = 'correction' then -r.amount_cents else 0 end,
      case when r.kind = 'correction' then 0 else r.amount_cents end, 0, 0
    from public.refunds as r
    where r.organization_id = get_revenue_report.organization_id
      and r.occurred_at >= days.from_at
      and r.occurred_at < days.to_at
    union all
    select
      e.booking_id, e.occurred_at, e.currency, null, e.tax_rate_bp, 0, 0,
      case 'sales' when e.credit then e.amount_cents when e.debit then -e.amount_cents else 0 end,
      case 'tax' when e.credit then e.amount_cents when e.debit then -e.amount_cents else 0 end
    from public.ledger_entries as e
    where e.organization_id = get_revenue_report.organization_id
      and e.occurred_at >= days.from_at
      and e.occurred_at < days.to_at
      and e.source = 'booking'
  ),
  fact as (
    select
      f.*, r.location_id, d.date >= days.from_date as is_now,
      case when d.date >= days.from_date then greatest(date_trunc(unit, d.date::timestamp)::date, days.from_date) end as point
    from (
      select b.room_id, b.source, m.*, 0::numeric as kept, 0::numeric as outstanding
      from moved as m
      join public.bookings as b on b.organization_id = get_revenue_report.organization_id and b.id = m.booking_id
      union all
      select
        v.room_id, v.source, v.id, v.starts_at, v.currency, null, null, 0, 0, 0, 0, coalesce(k.cents, 0),
        case when v.price > 0 then greatest(v.price - coalesce(k.covered, 0), 0) else 0 end
      from visit as v
      left join kept as k on k.booking_id = v.id
    ) as f
    join room as r on r.id = f.room_id
    cross join lateral (select (f.occurred_at at time zone r.timezone)::date as date offset 0) as d
    where d.date between days.previous_from_date and days.to_date
  ),
  -- All rows are read once; the many ways to sum them up read these few.
  cell as materialized (
    select
      f.currency, f.is_now, f.room_id, f.location_id, f.source, f.method, f.rate, f.point,
      sum(f.received) as received, sum(f.refunded) as refunded, sum(f.sales) as sales, sum(f.tax) as tax,
      sum(f.kept) as kept, sum(f.outstanding) as outstanding, count(*) filter (where f.received > 0) as payments
    from fact as f
    group by f.currency, f.is_now, f.room_id, f.location_id, f.source, f.method, f.rate, f.point
  ),
  sums as materialized (
    select
      grouping(f.room_id, f.location_id, f.source, f.method, f.rate, f.point) as by,
      f.currency, f.is_now, f.room_id, f.location_id, f.source, f.method, f.rate, f.point,
      private.revenue_sums(
        sum(f.received), sum(f.refunded), sum(f.sales), sum(f.tax), sum(f.kept), sum(f.outstanding)
      ) as sums,
      sum(f.payments)::bigint as payments
    from cell as f
    group by grouping sets (
      (f.currency, f.is_now),
      (f.currency, f.is_now, f.room_id),
      (f.currency, f.is_now, f.location_id),
      (f.currency, f.is_now, f.source),
      (f.currency, f.is_now, f.method),
      (f.currency, f.is_now, f.rate),
      (f.currency, f.is_now, f.point)
    )
  ),
  point as materialized (
    select greatest(p.first::date, days.from_date) as first, least((p.first + case unit
      when 'quarter' then interval '3 months'
      else ('1 ' || unit)::interval
    end)::date - 1, days.to_date) as last
    from generate_series(
      date_trunc(unit, days.from_date::timestamp), days.to_date::timestamp,
      case unit when 'quarter' then interval '3 months' else ('1 ' || unit)::interval end
    ) as p (first)
  ),
  coupon as (
    select b.currency, u.coupon_id, c.code, count(*) as bookings, sum(u.discount_cents)::bigint as cents
    from public.coupon_redemptions as u
    join visit as b on b.id = u.booking_id
    join room as r on r.id = b.room_id
    join public.coupons as c on c.organization_id = u.organization_id and c.id = u.coupon_id
    where u.organization_id = get_revenue_report.organization_id
      and b.status not in ('held', 'expired', 'cancelled')
      and (b.starts_at at time zone r.timezone)::date between days.from_date and days.to_date
    group by b.currency, u.coupon_id, c.code
  ),
  voucher as (
    select
      e.currency,
      sum(case 'vouchers_issued' when e.debit then e.amount_cents when e.credit then -e.amount_cents else 0 end) as issued,
      sum(case 'vouchers_expired' when e.credit then e.amount_cents when e.debit then -e.amount_cents else 0 end) as expired
    from public.ledger_entries as e
    join public.organizations as o on o.id = e.organization_id
    where of_all
      and e.organization_id = get_revenue_report.organization_id
      and e.occurred_at >= days.from_at
      and e.occurred_at < days.to_at
      and e.source in ('voucher_entry', 'voucher')
      and (e.occurred_at at time zone o.timezone)::date between days.from_date and days.to_date
    group by e.currency
  ),
  nothing as (select private.revenue_sums(0, 0, 0, 0, 0, 0) as sums)
  select
    c.currency, days.from_date, days.to_date, days.previous_from_date, days.previous_to_date, unit,
    whole.now, whole.before,
    row(
      (whole.now).received_cents - (whole.before).received_cents,
      (whole.now).refunded_cents - (whole.before).refunded_cents,
      (whole.now).net_cents - (whole.before).net_cents,
      (whole.now).sales_cents - (whole.before).sales_cents,
      (whole.now).tax_cents - (whole.before).tax_cents,
      (whole.now).expected_cents - (whole.before).expected_cents,
      (whole.now).outstanding_cents - (whole.before).outstanding_cents
    )::public.revenue_sums,
    array(
      select row(s.method, (s.sums).received_cents, (s.sums).refunded_cents, (s.sums).net_cents)::public.method_revenue
      from sums as s
      where s.by = 59 and s.currency = c.currency and s.is_now and s.method is not null
      order by s.method
    ),
    array(
      select row(r.id, r.name, r.location_id, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.room_revenue
      from room as r
      cross join nothing as n
      left join sums as s on s.by = 31 and s.currency = c.currency and s.is_now and s.room_id = r.id
      left join sums as p on p.by = 31 and p.currency = c.currency and not p.is_now and p.room_id = r.id
      order by r.name, r.id
    ),
    array(
      select row(r.location_id, r.location_name, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.location_revenue
      from (select distinct x.location_id, x.location_name from room as x) as r
      cross join nothing as n
      left join sums as s on s.by = 47 and s.currency = c.currency and s.is_now and s.location_id = r.location_id
      left join sums as p on p.by = 47 and p.currency = c.currency and not p.is_now and p.location_id = r.location_id
      order by r.location_name, r.location_id
    ),
    array(
      select row(x.source, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.channel_revenue
      from (select distinct y.source from sums as y where y.by = 55 and y.currency = c.currency) as x
      cross join nothing as n
      left join sums as s on s.by = 55 and s.currency = c.currency and s.is_now and s.source = x.source
      left join sums as p on p.by = 55 and p.currency = c.currency and not p.is_now and p.source = x.source
      order by x.source
    ),
    array(
      select row(s.rate, (s.sums).tax_cents)::public.tax_revenue
      from sums as s
      where s.by = 61 and s.currency = c.currency and s.is_now and s.rate is not null
      order by s.rate
    ),
    array(
      select row(u.coupon_id, case when sees_codes then u.code end, u.bookings, u.cents)::public.coupon_use
      from coupon as u
      where u.currency = c.currency
      order by u.bookings desc, u.code
    ),
    (
      select row(
        coalesce(s.payments, 0), coalesce((s.sums).received_cents, 0), coalesce((s.sums).refunded_cents, 0),
        case when of_all then coalesce(v.issued, 0) end, case when of_all then coalesce(v.expired, 0) end
      )::public.voucher_use
      from nothing as n
      left join sums as s on s.by = 59 and s.currency = c.currency and s.is_now and s.method = 'voucher'
      left join voucher as v on v.currency = c.currency
    ),
    array(
      select row(x.first, x.last, coalesce(s.sums, n.sums))::public.revenue_point
      from point as x
      cross join nothing as n
      left join sums as s on s.by = 62 and s.currency = c.currency and s.is_now and s.point = x.first
      order by x.first
    )
  from (
    select o.currency from public.organizations as o where o.id = get_revenue_report.organization_id
    union
    select s.currency from sums as s
    union
    select v.currency from voucher as v
  ) as c
  cross join lateral (
    select
      coalesce((select s.sums from sums as s where s.by = 63 and s.currency = c.currency and s.is_now), n.sums) as now,
      coalesce((select s.sums from sums as s where s.by = 63 and s.currency = c.currency and not s.is_now), n.sums) as before
    from nothing as n
  ) as whole
  order by c.currency;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_revenue_report is
  'definer: sums up money and bookings in one pass, without the policy for each. Asks for reports:read.';
grant execute on function private.get_revenue_report to authenticated;

create function public.get_revenue_report(
  organization_id uuid,
  period text default null,
  from_date date default null,
  to_date date default null,
  location_id uuid default null,
  room_id uuid default null,
  granularity text default null
)
returns setof public.revenue_report
language sql
stable
set search_path = ''
as $$
  select * from private.get_revenue_report(
    organization_id, period, from_date, to_date, location_id, room_id, granularity
  )
$$;

comment on function public.get_revenue_report is
  'Revenue of a period that has today in it (period: today, week, month, quarter or year; null: month), or from from_date to to_date, at most 366 days, each day on the clock of its location; with the period before, or as many days before. A row a currency, the organization''s among them. location_id, room_id: of it only. granularity of the series: day, week, month or quarter; null: as suits the days. For members with reports:read; codes of coupons with coupons:read. Errors: 403 permission_denied; 404 location_not_found, room_not_found; 422 period_invalid, date_range_invalid, date_range_too_long (details {"maximum"}), granularity_invalid.';
grant execute on function public.get_revenue_report to authenticated;
