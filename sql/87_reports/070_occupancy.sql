-- Occupancy: what was sold of what the opening hours offered, and what was asked for and not sold.
--
-- What is offered is as many games, one after the other, as fit into the starts that private.slots expands, without
-- those that a block takes off sale. Starts may lie closer together than games last, so that no more than one of them
-- can be sold; the earliest first is the most that fits. Hours are the present ones: those of the past are not kept.

create type public.occupancy_sums as (
  offered_games bigint,
  sold_games bigint,
  offered_minutes bigint,
  sold_minutes bigint,
  occupancy_bp int,
  outside_games bigint,
  outside_minutes bigint,
  waitlisted bigint,
  lapsed_holds bigint
);

comment on type public.occupancy_sums is 'What was offered and sold, and what was asked for and not sold.';
comment on column public.occupancy_sums.offered_games is 'As many as fit into the opening hours, one after the other, without what was blocked.';
comment on column public.occupancy_sums.sold_games is 'Sessions at one of the offered starts with a booking that stands.';
comment on column public.occupancy_sums.offered_minutes is 'The playing time of offered_games.';
comment on column public.occupancy_sums.sold_minutes is
  'The playing time of sold_games; of a shared room''s the share of its seats that were sold.';
comment on column public.occupancy_sums.occupancy_bp is 'sold_minutes of offered_minutes, in basis points; null: nothing was offered.';
comment on column public.occupancy_sums.outside_games is
  'Sessions with a booking that stands at another time: staff put them there, or hours or blocks were changed since.';
comment on column public.occupancy_sums.outside_minutes is 'Their playing time, as sold_minutes.';
comment on column public.occupancy_sums.waitlisted is
  'Entries of the waiting list that got no place: by the start that was wanted, or else, without a weekday and hour, by the first date.';
comment on column public.occupancy_sums.lapsed_holds is
  'Holds and unpaid bookings that expired, unless their customer booked the same start after all, or it was an offer of the waiting list.';

create type public.occupancy_hour as (
  weekday int,
  hour int,
  sums public.occupancy_sums
);

comment on type public.occupancy_hour is 'The starts of an hour of a weekday, together.';
comment on column public.occupancy_hour.weekday is 'ISO: 1 Monday to 7 Sunday, of the start.';
comment on column public.occupancy_hour.hour is '0 to 23, of the start, on the clock of the location.';
comment on column public.occupancy_hour.sums is 'Of these starts.';

create type public.room_occupancy as (
  room_id uuid,
  name text,
  location_id uuid,
  sums public.occupancy_sums
);

comment on type public.room_occupancy is 'The occupancy of a room. Who waits for any room is in none.';
comment on column public.room_occupancy.room_id is 'The room.';
comment on column public.room_occupancy.name is 'As the venue calls it.';
comment on column public.room_occupancy.location_id is 'Where it is.';
comment on column public.room_occupancy.sums is 'Of the report''s days.';

create type public.occupancy_report as (
  from_date date,
  to_date date,
  previous_from_date date,
  previous_to_date date,
  total public.occupancy_sums,
  previous public.occupancy_sums,
  rooms public.room_occupancy [],
  hours public.occupancy_hour []
);

comment on type public.occupancy_report is 'The occupancy of some days.';
comment on column public.occupancy_report.from_date is 'First date, on the clock of each location.';
comment on column public.occupancy_report.to_date is 'Last date.';
comment on column public.occupancy_report.previous_from_date is 'First date of the days before.';
comment on column public.occupancy_report.previous_to_date is 'Last date of the days before.';
comment on column public.occupancy_report.total is 'Of these days.';
comment on column public.occupancy_report.previous is 'Of the days before.';
comment on column public.occupancy_report.rooms is 'By room: all that were asked for, by name.';
comment on column public.occupancy_report.hours is 'By weekday and hour, where there is anything: a heat map.';

create type private.offered_start as (
  room_id uuid,
  starts_at timestamptz,
  local_start timestamp,
  minutes int,
  occupied_until timestamptz,
  fits boolean
);

comment on type private.offered_start is
  'A start that opening hours offer and no block takes; fits: whether it is one of the most that can be played one after the other.';

create function private.offered_starts(organization_id uuid, room_ids uuid [], from_date date, to_date date, anew_on date)
returns setof private.offered_start
language plpgsql
stable
set jit = off
set search_path = ''
as $$
declare
  starts private.offered_start [];
  start private.offered_start;
  room_id uuid;
  is_after boolean;
  free_from timestamptz;
begin
  starts := array(
    select row(
      s.room_id, s.starts_at, s.local_start, r.duration_minutes, s.starts_at + r.occupied,
      s.starts_at >= lag(s.starts_at + r.occupied, 1, '-infinity') over (
        partition by s.room_id, s.local_start >= offered_starts.anew_on order by s.starts_at
      )
    )::private.offered_start
    from private.slots(
      offered_starts.organization_id, offered_starts.room_ids, offered_starts.from_date, offered_starts.to_date,
      null, null, null
    ) as s
    join (
      -- A session that is there may have other times than its room has now.
      select
        x.id, x.duration_minutes, make_interval(mins => x.duration_minutes + x.turnaround_minutes) as occupied,
        (
          select range_agg(b.during)
          from public.sessions as b
          where b.organization_id = offered_starts.organization_id
            and b.room_id = x.id
            and b.mode = 'block'
            and b.status = 'scheduled'
            and b.starts_at < (offered_starts.to_date + 4)::timestamp at time zone 'UTC'
            and b.ends_at > (offered_starts.from_date - 1)::timestamp at time zone 'UTC'
        ) as blocked
      from public.rooms as x
      where x.organization_id = offered_starts.organization_id and x.id = any (offered_starts.room_ids)
      offset 0
    ) as r on r.id = s.room_id
    where s.seats_available > 0
      or r.blocked is null
      or not r.blocked && tstzrange(s.starts_at, s.starts_at + r.occupied)
    order by s.room_id, s.starts_at
  );
  -- Hardly ever do starts lie closer together than games take.
  if exists (select from unnest(starts) as s where not s.fits) then
    for n in 1..cardinality(starts) loop
      start := starts[n];
      if (start.room_id, start.local_start >= anew_on) is distinct from (room_id, is_after) then
        room_id := start.room_id;
        is_after := start.local_start >= anew_on;
        free_from := '-infinity';
      end if;
      start.fits := start.starts_at >= free_from;
      if start.fits then
        free_from := start.occupied_until;
      end if;
      return next start;
    end loop;
  else
    return query
    select s.* from unnest(starts) as s;
  end if;
end
$$;

comment on function private.offered_starts is
  'What opening hours offered on local dates, without what was blocked. From anew_on on it is counted anew, so that no figure depends on the days before. All starts of a room last equally long, so taking the earliest that fits is the most.';

create function private.get_occupancy_report(
  organization_id uuid,
  period text,
  from_date date,
  to_date date,
  location_id uuid,
  room_id uuid
)
returns public.occupancy_report
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
  room_ids uuid [];
  length int;
  starts bigint;
  answer public.occupancy_report;
begin
  perform private.require_permission(get_occupancy_report.organization_id, 'reports:read');
  days := private.report_days(
    get_occupancy_report.organization_id, period, from_date, to_date, location_id, room_id, 92
  );
  length := days.to_date - days.previous_from_date + 1;
  room_ids := array(
    select r.id
    from private.report_rooms(get_occupancy_report.organization_id, get_occupancy_report.location_id, get_occupancy_report.room_id) as r
  );
  -- What it costs follows from what is expanded. The past is not counted: as many days from today have as many starts.
  starts := private.count_starts(
    get_occupancy_report.organization_id, room_ids, current_date, current_date + length - 1, null, null
  );
  if starts > 2 * private.most_slots() then
    perform private.refuse_too_many_slots(((days.to_date - days.from_date + 1) * 2 * private.most_slots() / starts)::int);
  end if;
  with
  room as materialized (
    select r.*
    from private.report_rooms(get_occupancy_report.organization_id, get_occupancy_report.location_id, get_occupancy_report.room_id) as r
  ),
  offered as materialized (
    select o.*
    from private.offered_starts(
      get_occupancy_report.organization_id, room_ids, days.previous_from_date, days.to_date, days.from_date
    ) as o
  ),
  visit as materialized (
    select
      b.id, b.session_id, b.room_id, b.customer_id, b.starts_at, b.seats, local.start,
      b.status = 'expired' or coalesce(b.hold_expires_at <= now(), false) as has_lapsed,
      b.status not in ('held', 'expired', 'cancelled') and coalesce(b.hold_expires_at > now(), true) as stands
    from public.bookings as b
    join room as r on r.id = b.room_id
    cross join lateral (select b.starts_at at time zone r.timezone as start offset 0) as local
    where b.organization_id = get_occupancy_report.organization_id
      and b.starts_at >= days.from_at
      and b.starts_at < days.to_at
      and local.start::date between days.previous_from_date and days.to_date
  ),
  -- Grouped instead of joined: no guess of the planner's makes it compare each start with each session.
  at_start as (
    select
      x.room_id, x.start, bool_or(x.is_offered) as is_offered, bool_or(x.fits) as fits, max(x.minutes) as minutes,
      sum(x.sold) as sold, sum(x.sold_minutes) as sold_minutes
    from (
      select o.room_id, o.starts_at, o.local_start as start, true as is_offered, o.fits, o.minutes, 0 as sold, 0::numeric as sold_minutes
      from offered as o
      union all
      select
        s.room_id, s.starts_at, v.start, false, false, 0, 1,
        extract(epoch from s.ends_at - s.starts_at) / 60
        * case s.mode when 'shared' then v.seats::numeric / s.capacity else 1 end
      from (
        select y.session_id, y.start, sum(y.seats) as seats
        from visit as y
        where y.stands
        group by y.session_id, y.start
      ) as v
      join public.sessions as s on s.organization_id = get_occupancy_report.organization_id and s.id = v.session_id
    ) as x
    group by x.room_id, x.starts_at, x.start
  ),
  fact as materialized (
    select
      a.room_id, a.start, a.start::date >= days.from_date as is_now,
      a.fits::int as offered, case when a.is_offered then a.sold else 0 end as sold,
      case when a.fits then a.minutes else 0 end as offered_minutes,
      case when a.is_offered then a.sold_minutes else 0 end as sold_minutes,
      case when a.is_offered then 0 else a.sold end as outside,
      case when a.is_offered then 0 else a.sold_minutes end as outside_minutes,
      0 as waitlisted, 0 as lapsed, true as has_hour
    from at_start as a
    where a.fits or a.sold > 0
    union all
    select v.room_id, v.start, v.start::date >= days.from_date, 0, 0, 0, 0, 0, 0, 0, 1, true
    from visit as v
    where v.has_lapsed
      and not exists (
        select from visit as b
        where b.stands and b.customer_id = v.customer_id and b.room_id = v.room_id and b.starts_at = v.starts_at
      )
      and not exists (
        select from public.waitlist_entries as e
        where e.organization_id = get_occupancy_report.organization_id and e.booking_id = v.id
      )
    union all
    select
      e.room_id, coalesce(local.start, e.from_date::timestamp), coalesce(local.start::date, e.from_date) >= days.from_date,
      0, 0, 0, 0, 0, 0, 1, 0, local.start is not null
    from public.waitlist_entries as e
    left join lateral (
      -- Who waits for any of the calendar's rooms: on the clock of the first.
      select r.id, r.timezone
      from room as r
      where case
        when e.room_id is not null then r.id = e.room_id
        else exists (
          select from public.calendar_rooms as cr
          where cr.organization_id = e.organization_id and cr.calendar_id = e.calendar_id and cr.room_id = r.id
        )
      end
      order by r.name, r.id
      limit 1
    ) as place on true
    cross join lateral (select e.starts_at at time zone place.timezone as start offset 0) as local
    where e.organization_id = get_occupancy_report.organization_id
      and e.status <> 'booked'
      and e.from_date between days.previous_from_date - 1 and days.to_date + 1
      and place.id is not null
      and coalesce(local.start::date, e.from_date) between days.previous_from_date and days.to_date
  ),
  hour as materialized (
    select f.*, extract(isodow from f.start)::int as weekday, extract(hour from f.start)::int as hour
    from fact as f
  ),
  sums as materialized (
    select
      grouping(h.room_id, h.weekday) as by, h.is_now, h.has_hour, h.room_id, h.weekday, h.hour,
      row(
        sum(h.offered), sum(h.sold), sum(h.offered_minutes), round(sum(h.sold_minutes)),
        round(sum(h.sold_minutes) * 10000 / nullif(sum(h.offered_minutes), 0)),
        sum(h.outside), round(sum(h.outside_minutes)), sum(h.waitlisted), sum(h.lapsed)
      )::public.occupancy_sums as sums
    from hour as h
    group by grouping sets ((h.is_now), (h.is_now, h.room_id), (h.is_now, h.has_hour, h.weekday, h.hour))
  ),
  nothing as (select row(0, 0, 0, 0, null, 0, 0, 0, 0)::public.occupancy_sums as sums)
  select
    days.from_date, days.to_date, days.previous_from_date, days.previous_to_date,
    coalesce((select s.sums from sums as s where s.by = 3 and s.is_now), n.sums),
    coalesce((select s.sums from sums as s where s.by = 3 and not s.is_now), n.sums),
    array(
      select row(r.id, r.name, r.location_id, coalesce(s.sums, n.sums))::public.room_occupancy
      from room as r
      left join sums as s on s.by = 1 and s.is_now and s.room_id = r.id
      order by r.name, r.id
    ),
    array(
      select row(s.weekday, s.hour, s.sums)::public.occupancy_hour
      from sums as s
      where s.by = 2 and s.is_now and s.has_hour
      order by s.weekday, s.hour
    )
  into answer
  from nothing as n;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_occupancy_report is
  'definer: reads hours, sessions, bookings and the waiting list in one pass, without the policy for each. Asks for reports:read.';
grant execute on function private.get_occupancy_report to authenticated;

create function public.get_occupancy_report(
  organization_id uuid,
  period text default null,
  from_date date default null,
  to_date date default null,
  location_id uuid default null,
  room_id uuid default null
)
returns public.occupancy_report
language sql
stable
set search_path = ''
as $$ select private.get_occupancy_report(organization_id, period, from_date, to_date, location_id, room_id) $$;

comment on function public.get_occupancy_report is
  'What was sold of what opening hours offer, and what was asked for and not sold, in a period that has today in it (period: today, week, month or quarter; null: month), or from from_date to to_date, at most 92 days, each day on the clock of its location; with the period before, or as many days before; by room, and by weekday and hour. location_id, room_id: of it only. Hours are the present ones; refused holds and searches that found nothing are not kept, and in no figure. For members with reports:read. Errors: 403 permission_denied; 404 location_not_found, room_not_found; 422 period_invalid, date_range_invalid, date_range_too_long (details {"maximum"}), too_many_slots (details {"maximum", "days"}).';
grant execute on function public.get_occupancy_report to authenticated;
