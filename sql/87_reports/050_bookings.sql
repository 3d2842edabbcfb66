-- Bookings: how many, of whom, how long before, and what became of them. Each counts on the day of its visit.

create type public.booking_sums as (
  bookings bigint,
  players bigint,
  cancelled bigint,
  no_shows bigint,
  cancelled_bp int,
  no_show_bp int,
  lead_minutes bigint,
  customers bigint,
  new_customers bigint,
  returning_customers bigint
);

comment on type public.booking_sums is 'The bookings of some days.';
comment on column public.booking_sums.bookings is 'Those that stand: pending, confirmed, checked in, in progress, completed or no-show.';
comment on column public.booking_sums.players is 'Their people.';
comment on column public.booking_sums.cancelled is 'Those that were cancelled; not those that were merged with another booking.';
comment on column public.booking_sums.no_shows is 'Of those that stand, parties that did not come.';
comment on column public.booking_sums.cancelled_bp is 'Cancelled of these and those that stand, in basis points; null: there were none.';
comment on column public.booking_sums.no_show_bp is 'No-shows of those that stand, in basis points; null: there were none.';
comment on column public.booking_sums.lead_minutes is
  'From booking to visit, the median of those that stand, in minutes, rounded; null: there were none.';
comment on column public.booking_sums.customers is 'Different customers of those that stand.';
comment on column public.booking_sums.new_customers is 'Those whose first booking that stands, in the whole organization, is among these.';
comment on column public.booking_sums.returning_customers is 'The others.';

create type public.status_bookings as (
  status text,
  bookings bigint
);

comment on type public.status_bookings is 'The bookings in a status.';
comment on column public.status_bookings.status is 'A hold whose time is over is expired. one of bookings.status';
comment on column public.status_bookings.bookings is 'How many.';

create type public.party_bookings as (
  party_size int,
  bookings bigint
);

comment on type public.party_bookings is 'The bookings that stand for parties of a size.';
comment on column public.party_bookings.party_size is 'People.';
comment on column public.party_bookings.bookings is 'How many.';

create type public.lead_bookings as (
  from_days int,
  to_days int,
  bookings bigint
);

comment on type public.lead_bookings is 'The bookings that stand and were made so many days before the visit.';
comment on column public.lead_bookings.from_days is 'Whole days of 24 hours, at least.';
comment on column public.lead_bookings.to_days is 'Whole days, at most; null: without end.';
comment on column public.lead_bookings.bookings is 'How many.';

create type public.room_bookings as (
  room_id uuid,
  name text,
  location_id uuid,
  sums public.booking_sums,
  previous public.booking_sums
);

comment on type public.room_bookings is 'The bookings of a room.';
comment on column public.room_bookings.room_id is 'The room.';
comment on column public.room_bookings.name is 'As the venue calls it.';
comment on column public.room_bookings.location_id is 'Where it is.';
comment on column public.room_bookings.sums is 'Of the report''s days.';
comment on column public.room_bookings.previous is 'Of the days before.';

create type public.location_bookings as (
  location_id uuid,
  name text,
  sums public.booking_sums,
  previous public.booking_sums
);

comment on type public.location_bookings is 'The bookings of a location.';
comment on column public.location_bookings.location_id is 'The location.';
comment on column public.location_bookings.name is 'As the venue calls it.';
comment on column public.location_bookings.sums is 'Of the report''s days.';
comment on column public.location_bookings.previous is 'Of the days before.';

create type public.channel_bookings as (
  channel text,
  sums public.booking_sums,
  previous public.booking_sums
);

comment on type public.channel_bookings is 'The bookings of one channel.';
comment on column public.channel_bookings.channel is 'Where they were made. one of bookings.source';
comment on column public.channel_bookings.sums is 'Of the report''s days.';
comment on column public.channel_bookings.previous is 'Of the days before.';

create type public.bookings_report as (
  from_date date,
  to_date date,
  previous_from_date date,
  previous_to_date date,
  total public.booking_sums,
  previous public.booking_sums,
  statuses public.status_bookings [],
  party_sizes public.party_bookings [],
  lead_times public.lead_bookings [],
  rooms public.room_bookings [],
  locations public.location_bookings [],
  channels public.channel_bookings []
);

comment on type public.bookings_report is 'The bookings whose visit is on some days.';
comment on column public.bookings_report.from_date is 'First date, on the clock of each location.';
comment on column public.bookings_report.to_date is 'Last date.';
comment on column public.bookings_report.previous_from_date is 'First date of the days before.';
comment on column public.bookings_report.previous_to_date is 'Last date of the days before.';
comment on column public.bookings_report.total is 'Of these days.';
comment on column public.bookings_report.previous is 'Of the days before.';
comment on column public.bookings_report.statuses is 'By status, those that there were.';
comment on column public.bookings_report.party_sizes is 'By size, those that there were.';
comment on column public.bookings_report.lead_times is 'From the same day to more than 60 days.';
comment on column public.bookings_report.rooms is 'By room: all that were asked for, by name.';
comment on column public.bookings_report.locations is 'By location, by name.';
comment on column public.bookings_report.channels is 'By channel, those that there were.';

create function private.get_bookings_report(
  organization_id uuid,
  period text,
  from_date date,
  to_date date,
  location_id uuid,
  room_id uuid
)
returns public.bookings_report
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
  answer public.bookings_report;
begin
  perform private.require_permission(get_bookings_report.organization_id, 'reports:read');
  days := private.report_days(
    get_bookings_report.organization_id, period, from_date, to_date, location_id, room_id, 366
  );
  with
  room as materialized (
    select r.*
    from private.report_rooms(get_bookings_report.organization_id, get_bookings_report.location_id, get_bookings_report.room_id) as r
  ),
  visit as materialized (
    select
      b.id, b.room_id, r.location_id, b.source, b.customer_id, b.party_size, b.starts_at, d.date >= days.from_date as is_now,
      state.status, state.status not in ('held', 'expired', 'cancelled') as stands,
      greatest(extract(epoch from b.starts_at - b.created_at) / 60, 0) as lead
    from public.bookings as b
    join room as r on r.id = b.room_id
    cross join lateral (select (b.starts_at at time zone r.timezone)::date as date offset 0) as d
    cross join lateral (select case when b.hold_expires_at <= now() then 'expired' else b.status end as status offset 0) as state
    where b.organization_id = get_bookings_report.organization_id
      and b.starts_at >= days.from_at
      and b.starts_at < days.to_at
      and d.date between days.previous_from_date and days.to_date
      -- Its people come with the other booking.
      and b.merged_into_id is null
  ),
  -- The first of each customer, whatever rooms are asked for.
  first as materialized (
    select distinct on (b.customer_id) b.customer_id, b.id
    from public.bookings as b
    where b.organization_id = get_bookings_report.organization_id
      and b.customer_id in (select v.customer_id from visit as v where v.stands)
      and b.starts_at < days.to_at
      and b.status not in ('held', 'expired', 'cancelled')
      and coalesce(b.hold_expires_at > now(), true)
    order by b.customer_id, b.starts_at, b.id
  ),
  sums as materialized (
    select
      grouping(v.room_id, v.location_id, v.source) as by, v.is_now, v.room_id, v.location_id, v.source,
      row(
        count(*) filter (where v.stands), coalesce(sum(v.party_size) filter (where v.stands), 0),
        count(*) filter (where v.status = 'cancelled'), count(*) filter (where v.status = 'no_show'),
        private.share_bp(
          count(*) filter (where v.status = 'cancelled'), count(*) filter (where v.stands or v.status = 'cancelled')
        ),
        private.share_bp(count(*) filter (where v.status = 'no_show'), count(*) filter (where v.stands)),
        round((percentile_cont(0.5) within group (order by v.lead) filter (where v.stands))::numeric),
        count(distinct v.customer_id) filter (where v.stands), count(f.id) filter (where v.stands),
        count(distinct v.customer_id) filter (where v.stands) - count(f.id) filter (where v.stands)
      )::public.booking_sums as sums
    from visit as v
    left join first as f on f.id = v.id
    group by grouping sets (
      (v.is_now), (v.is_now, v.room_id), (v.is_now, v.location_id), (v.is_now, v.source)
    )
  ),
  nothing as (select row(0, 0, 0, 0, null, null, null, 0, 0, 0)::public.booking_sums as sums)
  select
    days.from_date, days.to_date, days.previous_from_date, days.previous_to_date,
    coalesce((select s.sums from sums as s where s.by = 7 and s.is_now), n.sums),
    coalesce((select s.sums from sums as s where s.by = 7 and not s.is_now), n.sums),
    array(
      select row(v.status, count(*))::public.status_bookings
      from visit as v
      where v.is_now
      group by v.status
      order by v.status
    ),
    array(
      select row(v.party_size, count(*))::public.party_bookings
      from visit as v
      where v.is_now and v.stands
      group by v.party_size
      order by v.party_size
    ),
    array(
      select row(x.from_days, x.to_days, count(v.id))::public.lead_bookings
      from (
        values (0, 0), (1, 1), (2, 3), (4, 7), (8, 14), (15, 30), (31, 60), (61, null)
      ) as x (from_days, to_days)
      left join visit as v
        on v.is_now and v.stands and v.lead >= x.from_days * 1440
        and v.lead < coalesce((x.to_days + 1) * 1440, 'infinity'::numeric)
      group by x.from_days, x.to_days
      order by x.from_days
    ),
    array(
      select row(r.id, r.name, r.location_id, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.room_bookings
      from room as r
      left join sums as s on s.by = 3 and s.is_now and s.room_id = r.id
      left join sums as p on p.by = 3 and not p.is_now and p.room_id = r.id
      order by r.name, r.id
    ),
    array(
      select row(r.location_id, r.location_name, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.location_bookings
      from (select distinct x.location_id, x.location_name from room as x) as r
      left join sums as s on s.by = 5 and s.is_now and s.location_id = r.location_id
      left join sums as p on p.by = 5 and not p.is_now and p.location_id = r.location_id
      order by r.location_name, r.location_id
    ),
    array(
      select row(x.source, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.channel_bookings
      from (select distinct y.source from sums as y where y.by = 6) as x
      left join sums as s on s.by = 6 and s.is_now and s.source = x.source
      left join sums as p on p.by = 6 and not p.is_now and p.source = x.source
      order by x.source
    )
  into answer
  from nothing as n;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_bookings_report is
  'definer: counts bookings in one pass, without the policy for each. Asks for reports:read.';
grant execute on function private.get_bookings_report to authenticated;

create function public.get_bookings_report(
  organization_id uuid,
  period text default null,
  from_date date default null,
  to_date date default null,
  location_id uuid default null,
  room_id uuid default null
)
returns public.bookings_report
language sql
stable
set search_path = ''
as $$ select private.get_bookings_report(organization_id, period, from_date, to_date, location_id, room_id) $$;

comment on function public.get_bookings_report is
  'The bookings whose visit is in a period that has today in it (period: today, week, month, quarter or year; null: month), or from from_date to to_date, at most 366 days, each day on the clock of its location; with the period before, or as many days before: by status, party size, lead time, room, location and channel, with cancellations, no-shows, new and returning customers. location_id, room_id: of it only. For members with reports:read. Errors: 403 permission_denied; 404 location_not_found, room_not_found; 422 period_invalid, date_range_invalid, date_range_too_long (details {"maximum"}).';
grant execute on function public.get_bookings_report to authenticated;
