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
begin
  return tstzrange(
    coalesce(now() + make_interval(mins => minimum_notice_minutes), '-infinity'),
    -- Whole local days: the last one opens at local midnight, for every zone its own.
    coalesce(
      ((now() at time zone timezone)::date + maximum_advance_days + 1)::timestamp at time zone timezone,
      'infinity'
    ),
    '[)'
  );
end
$$;

comment on function private.booking_window(text, int, int) is
  'The starts that can be booked now: from the minimum notice on, until the end of the last local day of the maximum advance; null: without that limit.';

create function private.slots(
  organization_id uuid,
  room_ids uuid [],
  from_date date,
  to_date date,
  party_size int,
  minimum_notice_minutes int,
  maximum_advance_days int
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
begin
  -- All that is known of a room is gathered in its one row first. The rest only multiplies
  -- rows, so no join is left whose size the planner would have to guess: with exceptions and
  -- sessions joined to slots, 31 days of 10 rooms took ten times as long.
  -- "offset 0" keeps an expression from being evaluated again wherever its value is used.
  return query
  with
  room as materialized (
    select
      r.id,
      r.location_id,
      r.mode,
      r.maximum_party,
      coalesce(slots.party_size, r.minimum_party) as party_size,
      make_interval(mins => r.duration_minutes) as duration,
      make_interval(mins => r.duration_minutes + r.turnaround_minutes) as occupied,
      l.timezone,
      bookable.earliest,
      bookable.latest,
      day.first as first_day,
      day.last as last_day,
      (
        select array_agg(e.date)
        from public.schedule_exceptions as e
        where e.organization_id = r.organization_id
          and (e.room_id = r.id or e.location_id = r.location_id)
          and e.date between day.first and day.last
      ) as exception_dates,
      live.busy,
      live.shared_starts,
      live.shared_ends,
      live.shared_occupied,
      live.shared_capacity,
      live.shared_free
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    cross join lateral (
      select lower(w.starts) as earliest, upper(w.starts) as latest
      from private.booking_window(
        l.timezone, slots.minimum_notice_minutes, slots.maximum_advance_days
      ) as w (starts)
    ) as bookable
    cross join lateral (
      select
        -- A window of the day before may run past midnight into the first wanted day.
        greatest(slots.from_date, (bookable.earliest at time zone l.timezone)::date) - 1 as first,
        least(slots.to_date, (bookable.latest at time zone l.timezone)::date) as last
    ) as day
    cross join lateral (
      -- All that a wanted slot could occupy.
      select
        (day.first + 1)::timestamp at time zone l.timezone as starts,
        (day.last + 1)::timestamp at time zone l.timezone
        + make_interval(mins => r.duration_minutes + r.turnaround_minutes) as ends
    ) as period
    cross join lateral (
      select
        range_agg(s.during) filter (where s.mode = 'block' or s.seats_taken > s.seats_lapsed) as busy,
        array_agg(s.starts_at) filter (where s.mode = r.mode and s.mode = 'shared') as shared_starts,
        array_agg(s.ends_at) filter (where s.mode = r.mode and s.mode = 'shared') as shared_ends,
        array_agg(s.occupied_until) filter (where s.mode = r.mode and s.mode = 'shared') as shared_occupied,
        array_agg(s.capacity) filter (where s.mode = r.mode and s.mode = 'shared') as shared_capacity,
        array_agg(s.capacity - s.seats_taken + s.seats_lapsed)
          filter (where s.mode = r.mode and s.mode = 'shared') as shared_free
      from (
        -- Two questions, because only blocks are long: no more than what overlaps is read.
        select e.during, e.starts_at, e.ends_at, e.occupied_until, e.mode, e.capacity, e.seats_taken, (
          -- Seats of holds that are over, though nobody reaped them yet.
          select coalesce(sum(b.seats), 0)::int
          from public.bookings as b
          where b.organization_id = e.organization_id
            and b.session_id = e.id
            and b.hold_expires_at <= now()
        ) as seats_lapsed
        from public.sessions as e
        where e.organization_id = r.organization_id
          and e.room_id = r.id
          and e.mode <> 'block'
          and e.status = 'scheduled'
          and e.starts_at > period.starts - interval '48 hours'
          and e.starts_at < period.ends
        union all
        select e.during, e.starts_at, e.ends_at, e.occupied_until, e.mode, 0, 0, 0
        from public.sessions as e
        where e.organization_id = r.organization_id
          and e.room_id = r.id
          and e.mode = 'block'
          and e.status = 'scheduled'
          and e.starts_at < period.ends
          and e.ends_at > period.starts
      ) as s
    ) as live
    where r.organization_id = slots.organization_id
      and r.id = any (slots.room_ids)
      and (slots.party_size is null or slots.party_size between r.minimum_party and r.maximum_party)
  ),
  opening as (
    select room.*, day.date, s.opens_at, s.closes_at, s.slot_interval_minutes
    from room
    join public.schedules as s
      on s.organization_id = slots.organization_id and s.room_id = room.id
    cross join lateral (
      select room.first_day + n as date
      from generate_series(
        (7 + s.weekday - extract(isodow from room.first_day)::int) % 7,
        room.last_day - room.first_day,
        7
      ) as n
    ) as day
    where day.date <> all (coalesce(room.exception_dates, '{}'))
    union all
    -- Precedence of what is said about a date: closed, the room's own hours, its location's.
    select room.*, e.date, e.opens_at, e.closes_at, e.slot_interval_minutes
    from room
    cross join lateral (
      select x.*, rank() over (partition by x.date order by x.is_closed desc, x.room_id is null) as precedence
      from public.schedule_exceptions as x
      where x.organization_id = slots.organization_id
        and (x.room_id = room.id or x.location_id = room.location_id)
        and x.date between room.first_day and room.last_day
    ) as e
    where room.exception_dates is not null and e.precedence = 1 and not e.is_closed
  )
  -- Two windows of a room may overlap and name the same start.
  select distinct on (start.instant, o.id)
    o.id,
    start.instant,
    coalesce(o.shared_ends[shared.n], start.instant + o.duration),
    coalesce(o.shared_occupied[shared.n], start.instant + o.occupied),
    start.local,
    o.timezone,
    o.mode,
    coalesce(o.shared_capacity[shared.n], o.maximum_party),
    case
      when shared.n is not null then o.shared_free[shared.n]
      when o.busy && tstzrange(start.instant, start.instant + o.occupied) then 0
      else o.maximum_party
    end,
    o.party_size
  from opening as o
  cross join lateral (
    select wall.opens, wall.closes, wall.closes at time zone o.timezone as closed
    from (
      select
        o.date + o.opens_at as opens,
        o.date + o.closes_at
          + case when o.closes_at > o.opens_at then interval '0' else interval '1 day' end as closes
    ) as wall
    offset 0
  ) as hours
  -- Wall clock first, instants after: the interval counts on the venue's clock.
  cross join lateral (
    select local, local at time zone o.timezone as instant
    from generate_series(
      hours.opens,
      hours.closes - interval '1 minute',
      coalesce(make_interval(mins => o.slot_interval_minutes), o.occupied)
    ) as local
    offset 0
  ) as start
  cross join lateral (select array_position(o.shared_starts, start.instant) as n) as shared
  where start.local >= slots.from_date
    and start.local < slots.to_date + 1
    and start.instant >= o.earliest
    and start.instant < o.latest
    and start.instant + o.duration <= hours.closed
    -- A time in a gap does not exist: it comes back as another. A time in a fold exists
    -- once, as the later of the two (standard time), as PostgreSQL reads it.
    and start.instant at time zone o.timezone = start.local
  order by start.instant, o.id;
end
$$;

comment on function private.slots(uuid, uuid [], date, date, int, int, int) is
  'Every session that the rooms offer on the local dates from_date to to_date to a party of party_size (null: of the room''s smallest), in order of time and room; taken ones too, with no or too few seats_available. Wall clock of the location: a start in a DST gap does not exist, one in a fold exists once, the second time. A date''s windows are those that open on it, and may run past midnight. minimum_notice_minutes and maximum_advance_days count from now; null: no such limit.';
