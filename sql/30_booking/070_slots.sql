-- Slots: the one expansion of opening hours into sessions that could be sold. What is shown
-- and what can be held both come from here.

create type private.slot as (
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  occupied_until timestamptz,
  local_start timestamp,
  timezone text,
  mode text,
  capacity int,
  seats_available int,
  party_size int
);

comment on type private.slot is
  'A session that a room offers. local_start on the venue''s clock; seats_available 0 when the time is taken; party_size: whom it is offered to.';

create function private.booking_window(timezone text, minimum_notice_minutes int, maximum_advance_days int)
returns tstzrange
language plpgsql
stable
set search_path = ''
as $$
declare
  earliest timestamptz;
  latest timestamptz;
begin
  earliest := coalesce(now() + make_interval(mins => minimum_notice_minutes), '-infinity');
  -- Whole local days: the last one opens at local midnight, for every zone its own.
  latest := coalesce(
    ((now() at time zone timezone)::date + maximum_advance_days + 1)::timestamp at time zone timezone,
    'infinity'
  );
  return tstzrange(least(earliest, latest), latest, '[)');
end
$$;

comment on function private.booking_window is
  'The starts that can be booked now: from the minimum notice on, until the end of the last local day of the maximum advance; null: without that limit. Empty where the notice reaches beyond the advance.';

-- The arithmetic of a window, of which both the expansion (private.slots) and the question about one
-- start (private.slot_at) are made. tests/db/test_slots_agree.py holds that they always agree.

create function private.window_closes(opens_at time, closes_at time)
returns interval
language plpgsql
immutable
set search_path = ''
as $$
begin
  return closes_at - time '00:00' + case when closes_at > opens_at then interval '0' else interval '24 hours' end;
end
$$;

comment on function private.window_closes is
  'When a window closes, from the midnight of the date on which it opens: past 24 hours if it runs past midnight.';

create function private.window_times(opens_at time, closes_at time, step_minutes int, start_times time [])
returns interval []
language plpgsql
immutable
set search_path = ''
as $$
begin
  if start_times is not null then
    return array(
      select t - time '00:00' + case when t < opens_at then interval '24 hours' else interval '0' end
      from unnest(start_times) as t
    );
  end if;
  return array(
    select opens_at - time '00:00' + make_interval(mins => n)
    from generate_series(
      0, (extract(epoch from private.window_closes(opens_at, closes_at) - (opens_at - time '00:00')) / 60)::int - 1, step_minutes
    ) as n
  );
end
$$;

comment on function private.window_times is
  'The starts that a window names, from the midnight of the date on which it opens; on the venue''s clock, on which the step counts. Whether the game ends before it closes is asked of each instant.';

create function private.start_instant(local timestamp, timezone text)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
declare
  instant timestamptz := local at time zone timezone;
begin
  return case when instant at time zone timezone = local then instant end;
end
$$;

comment on function private.start_instant is
  'When a start on the wall clock is. A time in a gap does not exist: null, as it comes back as another. A time in a fold exists once, as the later of the two (standard time), as PostgreSQL reads it.';

create function private.blocked_dates(organization_id uuid, calendar_id uuid, from_date date, to_date date)
returns datemultirange
language plpgsql
stable
set search_path = ''
as $$
begin
  if blocked_dates.calendar_id is null then
    return '{}';
  end if;
  return (
    select coalesce(range_agg(daterange(b.from_date, b.to_date, '[]')), '{}')
    from public.calendar_blocked_dates as b
    where b.organization_id = blocked_dates.organization_id
      and b.calendar_id = blocked_dates.calendar_id
      and b.from_date <= blocked_dates.to_date
      and b.to_date >= blocked_dates.from_date
  );
end
$$;

comment on function private.blocked_dates is 'The dates of those from from_date to to_date on which a calendar offers nothing; empty without a calendar.';

create function private.exceptions_of(
  organization_id uuid,
  room_id uuid,
  location_id uuid,
  from_date date,
  to_date date
)
returns setof public.schedule_exceptions
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Precedence of what is said about a date: closed, the room's own hours, its location's.
  return query
  select (e.exception).*
  from (
    select x as exception, rank() over (partition by x.date order by x.is_closed desc, x.room_id is null) as precedence
    from public.schedule_exceptions as x
    where x.organization_id = exceptions_of.organization_id
      and (x.room_id = exceptions_of.room_id or x.location_id = exceptions_of.location_id)
      and x.date between exceptions_of.from_date and exceptions_of.to_date
  ) as e
  where e.precedence = 1;
end
$$;

comment on function private.exceptions_of is
  'What holds instead of a room''s weekly hours on those dates on which something was said: closed, or windows.';

-- A view, since a function is not inlined: called for each of ten rooms, it made a day's times 14 % slower.
create view private.live_sessions with (security_invoker = true) as
select
  e.organization_id,
  e.room_id,
  e.during,
  e.starts_at,
  e.ends_at,
  e.occupied_until,
  e.mode,
  e.status,
  e.capacity,
  e.capacity - e.seats_taken + lapsed.seats as seats_free,
  e.mode = 'block' or e.seats_taken > lapsed.seats as is_busy
from public.sessions as e
cross join lateral (
  select case
    -- Asked once, of all venues: hardly ever is there a hold that lapsed and that no sweep has reaped yet.
    when e.organization_id in (select b.organization_id from public.bookings as b where b.hold_expires_at <= now())
      then (
        select coalesce(sum(b.seats), 0)::int
        from public.bookings as b
        where b.organization_id = e.organization_id
          and b.session_id = e.id
          and b.hold_expires_at <= now()
      )
    else 0
  end as seats
) as lapsed
-- Said so that the index of the exclusion constraint does not apply: the planner would
-- take it, and as it knows no starts_at, read all of the room's past.
where e.status is distinct from 'cancelled';

comment on view private.live_sessions is
  'What stands in a room''s way: is_busy unless all who have a seat have let their time lapse; of a block there are no seats.';

create function private.slots(
  organization_id uuid,
  room_ids uuid [],
  from_date date,
  to_date date,
  party_size int,
  minimum_notice_minutes int,
  maximum_advance_days int,
  calendar_id uuid default null
)
returns setof private.slot
language plpgsql
stable
-- Compiling expressions costs more than it saves on some thousand rows, and planning for the
-- very parameters more than running: one room's day takes 0.3 ms, 2.1 with a plan of its own.
set jit = off
set plan_cache_mode = force_generic_plan
set search_path = ''
as $$
declare
  blocked datemultirange := private.blocked_dates(
    slots.organization_id, slots.calendar_id, slots.from_date, slots.to_date
  );
  grouped uuid [] := array(
    select m.room_id
    from public.start_group_rooms as m
    where m.organization_id = slots.organization_id and m.room_id = any (slots.room_ids)
  );
begin
  -- Three things keep it fast (31 days of 10 rooms, 2,440 starts: 2.4 ms, 4.4 without 1 and 2).
  -- 1. The clock is asked once a day. A start on a day on which it does not jump is an addition.
  -- 2. Rooms that open alike share their starts: hours are expanded once for all of them.
  -- 3. All that is known of a room is gathered in its one row, its sessions in one multirange,
  --    and the rest only multiplies rows, so that no join is left whose size the planner would
  --    have to guess: with exceptions and sessions joined to slots it took ten times as long.
  -- "offset 0" keeps an expression from being evaluated again wherever its value is used.
  return query
  with
  offer as materialized (
    select
      r.id,
      r.location_id,
      r.mode,
      r.maximum_party,
      r.duration_minutes + r.turnaround_minutes as occupied_minutes,
      make_interval(mins => r.duration_minutes) as duration,
      make_interval(mins => r.duration_minutes + r.turnaround_minutes) as occupied,
      coalesce(slots.party_size, r.minimum_party) as party_size,
      l.timezone,
      bookable.earliest,
      bookable.latest,
      -- A window of the day before may run past midnight into the first wanted day.
      greatest(slots.from_date, (bookable.earliest at time zone l.timezone)::date) - 1 as first_day,
      least(slots.to_date, (bookable.latest at time zone l.timezone)::date) as last_day
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    left join public.calendar_rooms as cr
      on cr.organization_id = r.organization_id and cr.calendar_id = slots.calendar_id and cr.room_id = r.id
    cross join lateral (
      select lower(w.starts) as earliest, upper(w.starts) as latest
      from private.booking_window(
        l.timezone,
        coalesce(cr.minimum_notice_minutes, slots.minimum_notice_minutes),
        coalesce(cr.maximum_advance_days, slots.maximum_advance_days)
      ) as w (starts)
      where not isempty(w.starts)
    ) as bookable
    where r.organization_id = slots.organization_id
      and r.id = any (slots.room_ids)
      and (slots.party_size is null or slots.party_size between r.minimum_party and r.maximum_party)
  ),
  -- When the days of a zone begin: null for a day from which the clock does not run evenly for
  -- two days, which is as far as a window reaches.
  clock as materialized (
    select
      zone.timezone,
      zone.first_day,
      zone.last_day,
      array(
        select case
          when day.midnight at time zone zone.timezone = day.local
            and (day.local + interval '1 day') at time zone zone.timezone = day.midnight + interval '24 hours'
            and (day.local + interval '2 days') at time zone zone.timezone = day.midnight + interval '48 hours'
            then day.midnight
        end
        from (
          select d.local, d.n, d.local at time zone zone.timezone as midnight
          from generate_series(
            zone.first_day::timestamp, zone.last_day::timestamp, interval '1 day'
          ) with ordinality as d (local, n)
          offset 0
        ) as day
        order by day.n
      ) as midnights
    from (
      select o.timezone, min(o.first_day) as first_day, max(o.last_day) as last_day
      from offer as o
      where o.first_day <= o.last_day
      group by o.timezone
    ) as zone
  ),
  room as materialized (
    select
      o.*,
      clock.first_day as from_day,
      clock.last_day as to_day,
      array(
        select distinct e.date
        from public.schedule_exceptions as e
        where e.organization_id = slots.organization_id
          and (e.room_id = o.id or e.location_id = o.location_id)
          and e.date between clock.first_day and clock.last_day
        order by e.date
      ) as exception_dates,
      case when o.id = any (grouped)
        then private.barred_starts(slots.organization_id, o.id, tstzrange(period.starts, period.ends))
      end as barred,
      live.*
    from offer as o
    join clock on clock.timezone = o.timezone
    cross join lateral (
      -- All that a wanted slot could occupy.
      select
        (o.first_day + 1)::timestamp at time zone o.timezone as starts,
        (o.last_day + 1)::timestamp at time zone o.timezone + o.occupied as ends
    ) as period
    cross join lateral (
      select
        range_agg(s.during) filter (where s.is_busy) as busy,
        array_agg(s.starts_at) filter (where s.mode = o.mode and s.mode = 'shared') as shared_starts,
        array_agg(s.ends_at) filter (where s.mode = o.mode and s.mode = 'shared') as shared_ends,
        array_agg(s.occupied_until) filter (where s.mode = o.mode and s.mode = 'shared') as shared_occupied,
        array_agg(s.capacity) filter (where s.mode = o.mode and s.mode = 'shared') as shared_capacity,
        array_agg(s.seats_free) filter (where s.mode = o.mode and s.mode = 'shared') as shared_free
      from (
        -- Two questions, because only blocks are long: no more than what overlaps is read.
        select e.*
        from private.live_sessions as e
        where e.organization_id = slots.organization_id
          and e.room_id = o.id
          and e.mode <> 'block'
          and e.starts_at > period.starts - interval '48 hours'
          and e.starts_at < period.ends
        union all
        select e.*
        from private.live_sessions as e
        where e.organization_id = slots.organization_id
          and e.room_id = o.id
          and e.mode = 'block'
          and e.status = 'scheduled'
          and e.starts_at < period.ends
          and e.ends_at > period.starts
      ) as s
    ) as live
    where o.first_day <= o.last_day
  ),
  opening as (
    select
      r.id, r.timezone, r.duration, r.exception_dates, s.weekday, null::date as date, s.opens_at, s.closes_at,
      coalesce(s.slot_interval_minutes, r.occupied_minutes) as step_minutes, s.start_times
    from room as r
    join public.schedules as s on s.organization_id = slots.organization_id and s.room_id = r.id
    -- A hold asks for one day, and need not expand the weekdays that are not among its days.
    where (7 + s.weekday - extract(isodow from r.from_day)::int) % 7 <= r.to_day - r.from_day
    union all
    select
      r.id, r.timezone, r.duration, null, null, e.date, e.opens_at, e.closes_at,
      coalesce(e.slot_interval_minutes, r.occupied_minutes), e.start_times
    from room as r
    cross join lateral private.exceptions_of(
      slots.organization_id, r.id, r.location_id, r.from_day, r.to_day
    ) as e
    where r.exception_dates <> '{}' and not e.is_closed
  ),
  hours as materialized (
    select h.room_ids, expanded.locals, expanded.instants
    from (
      select
        o.timezone, o.duration, o.exception_dates, o.weekday, o.date, o.opens_at, o.closes_at, o.step_minutes,
        o.start_times, array_agg(o.id) as room_ids
      from opening as o
      group by
        o.timezone, o.duration, o.exception_dates, o.weekday, o.date, o.opens_at, o.closes_at, o.step_minutes,
        o.start_times
    ) as h
    join clock on clock.timezone = h.timezone
    cross join lateral (
      select
        private.window_closes(h.opens_at, h.closes_at) as closes,
        private.window_times(h.opens_at, h.closes_at, h.step_minutes, h.start_times) as times
      offset 0
    ) as wall
    cross join lateral (
      select array_agg(start.local) as locals, array_agg(start.instant) as instants
      from (
        select opened.date, clock.midnights[opened.date - clock.first_day + 1] as midnight
        from (
          select h.date
          where h.date is not null
          union all
          select clock.first_day + n
          from generate_series(
            (7 + h.weekday - extract(isodow from clock.first_day)::int) % 7, clock.last_day - clock.first_day, 7
          ) as n
          where clock.first_day + n <> all (h.exception_dates)
        ) as opened (date)
        offset 0
      ) as day
      -- Wall clock first, instants after: the interval counts on the venue's clock.
      cross join lateral unnest(wall.times) as clock_time (of_day)
      cross join lateral (
        select
          day.date + clock_time.of_day as local,
          coalesce(
            day.midnight + clock_time.of_day, private.start_instant(day.date + clock_time.of_day, h.timezone)
          ) as instant,
          coalesce(day.midnight + wall.closes, (day.date + wall.closes) at time zone h.timezone) as closed
        offset 0
      ) as start
      where start.local >= slots.from_date::timestamp
        and start.local < (slots.to_date + 1)::timestamp
        and start.instant + h.duration <= start.closed
        and not blocked @> start.local::date
    ) as expanded
  )
  -- Two windows of a room may overlap and name the same start.
  select distinct on (start.instant, p.id)
    p.id,
    start.instant,
    coalesce(p.shared_ends[taken.by], start.instant + p.duration),
    coalesce(p.shared_occupied[taken.by], start.instant + p.occupied),
    start.local,
    p.timezone,
    p.mode,
    coalesce(p.shared_capacity[taken.by], p.maximum_party),
    case when taken.by is null then p.maximum_party else coalesce(p.shared_free[taken.by], 0) end,
    p.party_size
  from hours
  cross join lateral unnest(hours.room_ids) as opened (room_id)
  join room as p on p.id = opened.room_id
  cross join lateral unnest(hours.locals, hours.instants) as start (local, instant)
  -- Null: free; else the number of the shared session that starts then, 0 if it is none.
  cross join lateral (
    select case
      when p.busy && tstzrange(start.instant, start.instant + p.occupied)
        then coalesce(array_position(p.shared_starts, start.instant), 0)
      -- One that is there already has its start.
      when p.barred @> start.instant then 0
    end as by
    offset 0
  ) as taken
  where start.instant >= p.earliest and start.instant < p.latest
  order by start.instant, p.id;
end
$$;

comment on function private.slots is
  'Every session that the rooms offer on the local dates from_date to to_date to a party of party_size (null: of the room''s smallest), in order of time and room; taken ones too, with no or too few seats_available. Wall clock of the location: a start in a DST gap does not exist, one in a fold exists once, the second time. A date''s windows are those that open on it, and may run past midnight. minimum_notice_minutes and maximum_advance_days count from now; null: no such limit. With a calendar, the limits that it sets for a room go first, and its blocked dates offer nothing.';

create function private.slot_at(
  room public.rooms,
  timezone text,
  starts_at timestamptz,
  party_size int,
  calendar_id uuid
)
returns private.slot
language plpgsql
stable
set plan_cache_mode = force_generic_plan
set search_path = ''
as $$
declare
  local timestamp := slot_at.starts_at at time zone slot_at.timezone;
  local_date date := local::date;
  occupied_minutes int := room.duration_minutes + room.turnaround_minutes;
  game_ends timestamptz := slot_at.starts_at + make_interval(mins => room.duration_minutes);
  occupied tstzrange := tstzrange(slot_at.starts_at, slot_at.starts_at + make_interval(mins => occupied_minutes));
  dated public.schedule_exceptions [];
  occupation record;
  shared private.live_sessions;
  slot private.slot;
begin
  -- As private.slots would find it, without expanding the day: a hold asks for one start.
  if private.start_instant(local, slot_at.timezone) is distinct from slot_at.starts_at
    or private.blocked_dates(room.organization_id, slot_at.calendar_id, local_date, local_date) @> local_date
  then
    return null;
  end if;
  -- A window of the day before may run past midnight.
  dated := array(
    select e
    from private.exceptions_of(room.organization_id, room.id, room.location_id, local_date - 1, local_date) as e
  );
  if not exists (
    select
    from (
      select opened.date, s.opens_at, s.closes_at, s.slot_interval_minutes, s.start_times
      from (values (local_date - 1), (local_date)) as opened (date)
      join public.schedules as s
        on s.organization_id = room.organization_id
        and s.room_id = room.id
        and s.weekday = extract(isodow from opened.date)::int
      where not exists (select from unnest(dated) as e where e.date = opened.date)
      union all
      select e.date, e.opens_at, e.closes_at, e.slot_interval_minutes, e.start_times
      from unnest(dated) as e
      where not e.is_closed
    ) as w
    where local - w.date::timestamp = any (
        private.window_times(
          w.opens_at, w.closes_at, coalesce(w.slot_interval_minutes, occupied_minutes), w.start_times
        )
      )
      and game_ends <= (w.date + private.window_closes(w.opens_at, w.closes_at)) at time zone slot_at.timezone
  ) then
    return null;
  end if;

  select
    coalesce(bool_or(s.is_busy and s.during && occupied), false) as is_busy,
    (
      array_agg(row(s.*)::private.live_sessions)
      filter (where s.mode = room.mode and s.mode = 'shared' and s.starts_at = slot_at.starts_at)
    ) [1] as shared
  into occupation
  from (
    select e.*
    from private.live_sessions as e
    where e.organization_id = room.organization_id
      and e.room_id = room.id
      and e.mode <> 'block'
      and e.starts_at > lower(occupied) - interval '48 hours'
      and e.starts_at < upper(occupied)
    union all
    select e.*
    from private.live_sessions as e
    where e.organization_id = room.organization_id
      and e.room_id = room.id
      and e.mode = 'block'
      and e.status = 'scheduled'
      and e.starts_at < upper(occupied)
      and e.ends_at > lower(occupied)
  ) as s;

  shared := occupation.shared;
  slot.room_id := room.id;
  slot.starts_at := slot_at.starts_at;
  slot.ends_at := game_ends;
  slot.occupied_until := upper(occupied);
  slot.local_start := local;
  slot.timezone := slot_at.timezone;
  slot.mode := room.mode;
  slot.capacity := room.maximum_party;
  slot.seats_available := case
    when occupation.is_busy
      or private.barred_starts(room.organization_id, room.id, tstzrange(slot_at.starts_at, slot_at.starts_at, '[]'))
        @> slot_at.starts_at
      then 0
    else room.maximum_party
  end;
  slot.party_size := slot_at.party_size;
  if occupation.is_busy and shared.starts_at is not null then
    slot.ends_at := shared.ends_at;
    slot.occupied_until := shared.occupied_until;
    slot.capacity := shared.capacity;
    slot.seats_available := shared.seats_free;
  end if;
  return slot;
end
$$;

comment on function private.slot_at is
  'The one of private.slots that starts then, null if none does; of a time that can be booked (private.booking_window) and a party that the room takes, which the caller has asked.';

create function private.count_starts(
  organization_id uuid,
  room_ids uuid [],
  from_date date,
  to_date date,
  maximum_advance_days int,
  calendar_id uuid
)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    with room as materialized (
      select
        r.id, r.location_id, r.duration_minutes, r.duration_minutes + r.turnaround_minutes as occupied_minutes,
        -- Of a day before or after, as the date is in the venue's zone.
        greatest(count_starts.from_date, current_date - 1) as first_day,
        least(
          count_starts.to_date,
          current_date + 1 + coalesce(cr.maximum_advance_days, count_starts.maximum_advance_days)
        ) as last_day
      from public.rooms as r
      left join public.calendar_rooms as cr
        on cr.organization_id = r.organization_id and cr.calendar_id = count_starts.calendar_id and cr.room_id = r.id
      where r.organization_id = count_starts.organization_id and r.id = any (count_starts.room_ids)
    ),
    opened as (
      select
        r.duration_minutes, r.occupied_minutes, s.opens_at, s.closes_at, s.slot_interval_minutes, s.start_times,
        -- How often the weekday comes from the first day to the last.
        greatest((r.last_day - r.first_day - (7 + s.weekday - extract(isodow from r.first_day)::int) % 7 + 7) / 7, 0)
          as days
      from room as r
      join public.schedules as s on s.organization_id = count_starts.organization_id and s.room_id = r.id
      union all
      select
        r.duration_minutes, r.occupied_minutes, e.opens_at, e.closes_at, e.slot_interval_minutes, e.start_times, 1
      from room as r
      join public.schedule_exceptions as e
        on e.organization_id = count_starts.organization_id and (e.room_id = r.id or e.location_id = r.location_id)
      where e.date between r.first_day and r.last_day and not e.is_closed
    )
    select coalesce(sum(o.days * coalesce(
      cardinality(o.start_times),
      greatest(wall.minutes - o.duration_minutes + coalesce(o.slot_interval_minutes, o.occupied_minutes), 0)
        / coalesce(o.slot_interval_minutes, o.occupied_minutes)
    )), 0)
    from opened as o
    cross join lateral (
      select (extract(epoch from o.closes_at - o.opens_at) / 60)::int
        + case when o.closes_at > o.opens_at then 0 else 1440 end as minutes
    ) as wall
  );
end
$$;

comment on function private.count_starts is
  'How many starts private.slots would expand for these rooms and dates, from the windows alone and a little more than it will be: what a question costs before it is answered.';
