-- Slots: the one expansion of opening hours into sessions that could be sold. What is shown
-- and what can be held both come from here.

create function private.booking_window(timezone text, minimum_notice_minutes int, maximum_advance_days int)
returns tstzrange
language plpgsql
stable
set search_path = ''
as $$
begin
  return tstzrange(
    now() + make_interval(mins => minimum_notice_minutes),
    -- Whole local days: the last one opens at local midnight, for every zone its own.
    (((now() at time zone timezone)::date + maximum_advance_days + 1)::timestamp at time zone timezone),
    '[)'
  );
end
$$;

comment on function private.booking_window(text, int, int) is
  'The starts that can be booked now: from the minimum notice on, until the end of the last local day of the maximum advance.';

create function private.slots(
  organization_id uuid,
  room_ids uuid [],
  from_date date,
  to_date date,
  party_size int,
  minimum_notice_minutes int,
  maximum_advance_days int
)
returns table (
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  occupied_until timestamptz,
  local_start timestamp,
  timezone text,
  mode text,
  capacity int,
  smallest_party int,
  seats_available int
)
language plpgsql
stable
-- Compiling expressions costs more than it saves on some thousand rows.
set jit = off
set search_path = ''
as $$
begin
  return query
  with
  room as materialized (
    select
      r.id,
      r.location_id,
      r.mode,
      r.maximum_party,
      coalesce(slots.party_size, r.minimum_party) as smallest_party,
      make_interval(mins => r.duration_minutes) as duration,
      make_interval(mins => r.duration_minutes + r.turnaround_minutes) as occupied,
      l.timezone,
      lower(w.bookable) as earliest,
      upper(w.bookable) as latest,
      -- A window of the day before may run past midnight into the first wanted day.
      greatest(slots.from_date, (lower(w.bookable) at time zone l.timezone)::date) - 1 as first_day,
      least(slots.to_date, (upper(w.bookable) at time zone l.timezone)::date) as last_day
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    cross join lateral (
      select private.booking_window(
        l.timezone, slots.minimum_notice_minutes, slots.maximum_advance_days
      ) as bookable
    ) as w
    where r.organization_id = slots.organization_id
      and r.id = any (slots.room_ids)
      and (slots.party_size is null or slots.party_size between r.minimum_party and r.maximum_party)
  ),
  -- Precedence of what is said about a date: closed, then the room's own hours, then its location's.
  exception as materialized (
    select
      room.id as room_id,
      e.date,
      e.is_closed,
      e.opens_at,
      e.closes_at,
      e.slot_interval_minutes,
      rank() over (
        partition by room.id, e.date
        order by e.is_closed desc, (e.room_id is null)
      ) as precedence
    from room
    join public.schedule_exceptions as e
      on e.organization_id = slots.organization_id
      and (e.room_id = room.id or e.location_id = room.location_id)
      and e.date between room.first_day and room.last_day
  ),
  opening as (
    select room.id as room_id, day.date, s.opens_at, s.closes_at, s.slot_interval_minutes
    from room
    cross join lateral (
      select room.first_day + n as date
      from generate_series(0, room.last_day - room.first_day) as n
    ) as day
    join public.schedules as s
      on s.organization_id = slots.organization_id
      and s.room_id = room.id
      and s.weekday = extract(isodow from day.date)
    where not exists (
      select from exception as e
      where e.room_id = room.id and e.date = day.date
    )
    union all
    select e.room_id, e.date, e.opens_at, e.closes_at, e.slot_interval_minutes
    from exception as e
    where e.precedence = 1 and not e.is_closed
  ),
  -- Wall clock first, instants after: the interval counts on the venue's clock.
  start as (
    select distinct
      room.id as room_id,
      local.start as local_start,
      local.start at time zone room.timezone as starts_at
    from opening as o
    join room on room.id = o.room_id
    cross join lateral (
      select o.date + o.closes_at
        + case when o.closes_at > o.opens_at then interval '0' else interval '1 day' end as closes
    ) as wall
    cross join lateral generate_series(
      o.date + o.opens_at,
      wall.closes - interval '1 minute',
      coalesce(make_interval(mins => o.slot_interval_minutes), room.occupied)
    ) as local (start)
    where local.start >= slots.from_date
      and local.start < slots.to_date + 1
      -- A time in a gap does not exist: it comes back as another. A time in a fold
      -- exists once, as the later of the two (standard time), as PostgreSQL reads it.
      and (local.start at time zone room.timezone) at time zone room.timezone = local.start
      and (local.start at time zone room.timezone) >= room.earliest
      and (local.start at time zone room.timezone) < room.latest
      and (local.start at time zone room.timezone) + room.duration <= wall.closes at time zone room.timezone
  ),
  -- Few: each waits here only until somebody claims its seats or the sweep comes by.
  lapsed as materialized (
    select b.session_id, sum(b.party_size) as seats
    from public.bookings as b
    where b.organization_id = slots.organization_id
      and b.status = 'held'
      and b.hold_expires_at <= now()
    group by b.session_id
  ),
  live as materialized (
    select
      s.room_id,
      s.starts_at,
      s.ends_at,
      s.occupied_until,
      s.during,
      s.mode,
      s.capacity,
      s.seats_taken - coalesce(lapsed.seats, 0)::int as seats_taken
    from room
    join public.sessions as s
      on s.organization_id = slots.organization_id
      and s.room_id = room.id
      and s.status <> 'cancelled'
      and s.during && tstzrange(
        room.first_day::timestamp at time zone room.timezone,
        (room.last_day + 2)::timestamp at time zone room.timezone + room.occupied
      )
    left join lapsed on lapsed.session_id = s.id
  ),
  busy as materialized (
    select live.room_id, range_agg(live.during) as during
    from live
    where live.mode = 'block' or live.seats_taken > 0
    group by live.room_id
  )
  select
    start.room_id,
    start.starts_at,
    coalesce(joined.ends_at, start.starts_at + room.duration),
    coalesce(joined.occupied_until, start.starts_at + room.occupied),
    start.local_start,
    room.timezone,
    room.mode,
    coalesce(joined.capacity, room.maximum_party),
    room.smallest_party,
    case
      when joined.room_id is not null then joined.capacity - joined.seats_taken
      when busy.during && tstzrange(start.starts_at, start.starts_at + room.occupied) then 0
      else room.maximum_party
    end
  from start
  join room on room.id = start.room_id
  left join busy on busy.room_id = start.room_id
  left join live as joined
    on joined.room_id = start.room_id
    and joined.starts_at = start.starts_at
    and joined.mode = 'shared'
    and room.mode = 'shared';
end
$$;

comment on function private.slots(uuid, uuid [], date, date, int, int, int) is
  'Every session that the rooms offer on the local dates from_date to to_date to a party of party_size (null: of the room''s smallest), taken ones with no or too few seats_available. Wall clock of the location: a start in a DST gap does not exist, one in a fold exists once, the second time. A date''s windows are those that open on it, and may run past midnight. minimum_notice_minutes and maximum_advance_days count from now.';
