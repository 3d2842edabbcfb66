-- Blocking rooms and lifting blocks. An occurrence of a block is a session behind the same
-- exclusion constraint as everything else.

create function private.wall_instant(local timestamp, timezone text)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
declare
  instant timestamptz := local at time zone timezone;
begin
  if instant at time zone timezone = local then
    return instant;
  end if;
  -- In a gap PostgreSQL answers as if the clock had not jumped yet, which is after the jump by
  -- less than the gap is wide.
  return (
    select min(t)
    from generate_series(
      date_trunc('minute', instant - (instant at time zone timezone - local)), instant, interval '1 minute'
    ) as t
    where t at time zone timezone > local
  );
end
$$;

comment on function private.wall_instant is
  'The instant at which a clock in the zone comes to show that: for a time in a gap when it jumps over it, for one in a fold the second time.';

create function private.block_occurrences(
  organization_id uuid,
  room_ids uuid [],
  starts_at timestamptz,
  ends_at timestamptz,
  every_days int,
  until date
)
returns table (room_id uuid, starts timestamptz, ends timestamptz)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select o.room_id, o.starts, o.ends
  from (
    select
      r.id as room_id,
      -- The first is what was asked for, to the instant; the others follow by the clock.
      case
        when n = 0 then block_occurrences.starts_at
        else private.wall_instant(
          block_occurrences.starts_at at time zone l.timezone + make_interval(days => n * every_days), l.timezone
        )
      end as starts,
      case
        when n = 0 then block_occurrences.ends_at
        else private.wall_instant(
          block_occurrences.ends_at at time zone l.timezone + make_interval(days => n * every_days), l.timezone
        )
      end as ends
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    cross join lateral generate_series(
      0, coalesce((until - (block_occurrences.starts_at at time zone l.timezone)::date) / every_days, 0)
    ) as n
    where r.organization_id = block_occurrences.organization_id and r.id = any (block_occurrences.room_ids)
    offset 0
  ) as o
  where o.starts < o.ends -- within a gap there is nothing to block
  order by o.room_id, o.starts;
end
$$;

comment on function private.block_occurrences is
  'When a block takes which room: from starts_at to ends_at and, with every_days, so many days later again by the clock of the room''s location, until the local date. In order of room and time.';

create function private.claim_block(block public.room_blocks, rooms uuid [], starts timestamptz [], ends timestamptz [])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  blocked record;
  reaped int;
  conflicts jsonb;
begin
  -- Some of it is claimed already while the rest is waited for.
  perform private.lock_room(block.organization_id, wanted.room_id)
  from (
    select distinct r.id as room_id
    from unnest(rooms) as r (id)
    order by r.id
  ) as wanted;
  for attempt in 1..3 loop
    -- One statement for all. As in private.claim_session, it waits for a concurrent claim and
    -- then leaves out what it took.
    insert into public.sessions (
      organization_id, room_id, starts_at, ends_at, occupied_until, mode, capacity, seats_taken, reason, block_id
    )
    select block.organization_id, o.room_id, o.starts, o.ends, o.ends, 'block', 0, 0, block.reason, block.id
    from unnest(rooms, starts, ends) as o (room_id, starts, ends)
    order by o.room_id, o.starts
    on conflict do nothing;

    select
      array_agg(o.room_id order by o.n),
      array_agg(o.starts order by o.n),
      array_agg(o.ends order by o.n)
    into rooms, starts, ends
    from unnest(rooms, starts, ends) with ordinality as o (room_id, starts, ends, n)
    where not exists (
      select from public.sessions as s
      where s.organization_id = block.organization_id
        and s.block_id = block.id
        and s.room_id = o.room_id
        and s.starts_at = o.starts
    );
    if rooms is null then
      return;
    end if;

    reaped := 0;
    for blocked in
      select o.room_id, tstzrange(o.starts, o.ends) as during
      from unnest(rooms, starts, ends) as o (room_id, starts, ends)
    loop
      reaped := reaped + private.reap_lapsed_holds(block.organization_id, blocked.room_id, blocked.during);
    end loop;
    -- What was in the way may have gone while it was waited for, so there is one more look.
    exit when reaped = 0 and attempt > 1;
  end loop;

  select jsonb_agg(
    jsonb_build_object(
      'session_id', s.id, 'room_id', s.room_id, 'starts_at', s.starts_at, 'ends_at', s.ends_at, 'mode', s.mode
    )
    order by s.starts_at, s.room_id
  )
  into conflicts
  from (
    select distinct on (s.starts_at, s.room_id) s.*
    from unnest(rooms, starts, ends) as o (room_id, starts, ends)
    join public.sessions as s
      on s.organization_id = block.organization_id
      and s.room_id = o.room_id
      and s.status <> 'cancelled'
      and s.during && tstzrange(o.starts, o.ends)
    order by s.starts_at, s.room_id
    limit 20
  ) as s;
  perform private.fail(
    'slot_taken', 409, 'Move or cancel what is booked in that time, or choose another.',
    jsonb_build_object('occurrences', cardinality(rooms), 'conflicts', coalesce(conflicts, '[]'))
  );
end
$$;

comment on function private.claim_block is
  'Makes the sessions of a block, all or none. Raises 409 slot_taken, details {"occurrences": how many cannot be, "conflicts": [{"session_id", "room_id", "starts_at", "ends_at", "mode"}]}, at most 20 of what is in the way.';

create type public.room_block as (
  block_id uuid,
  session_id uuid,
  sessions int,
  room_id uuid,
  location_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  repeats text,
  until date,
  reason text
);

comment on type public.room_block is 'A time in which rooms sell nothing.';
comment on column public.room_block.block_id is 'By which all of it is lifted.';
comment on column public.room_block.session_id is 'Its one session; null when there are several.';
comment on column public.room_block.sessions is 'How many it takes of the rooms.';
comment on column public.room_block.room_id is 'The room; null: a location''s, or all.';
comment on column public.room_block.location_id is 'The location whose rooms they are; null: a room''s, or all.';
comment on column public.room_block.starts_at is 'The first start.';
comment on column public.room_block.ends_at is 'The first end.';
comment on column public.room_block.repeats is 'one of: none, daily, weekly';
comment on column public.room_block.until is 'The last local date on which it starts; null without repetition.';
comment on column public.room_block.reason is 'For the staff; may be empty.';

create function private.block_room(
  organization_id uuid,
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  reason text,
  repeats text,
  until date,
  scope text,
  location_id uuid
)
returns public.room_block
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  block public.room_blocks;
  every_days int := case repeats when 'daily' then 1 when 'weekly' then 7 end;
  room_ids uuid [];
  first_date date;
  last_date date;
  rooms uuid [];
  starts timestamptz [];
  ends timestamptz [];
begin
  perform private.require_permission(block_room.organization_id, 'schedules:manage');
  if starts_at is null or ends_at is null or not isfinite(starts_at) or not isfinite(ends_at)
    or ends_at <= starts_at or ends_at - starts_at > interval '366 days'
  then
    perform private.fail('block_range_invalid', 422, 'Give a start and a later end, at most 366 days apart.');
  elsif length(private.clean_note(block_room.reason)) > 500 then
    perform private.fail('reason_too_long', 422, 'Give a reason of at most 500 characters.');
  elsif repeats is null or repeats not in ('none', 'daily', 'weekly') then
    perform private.fail('block_repeats_invalid', 422, 'Repeat a block none, daily or weekly.');
  elsif scope is null or scope not in ('room', 'location', 'organization') then
    perform private.fail('block_scope_invalid', 422, 'Block a room, a location or the whole organization.');
  end if;

  select array_agg(r.id order by r.id), min(local.date), max(local.date)
  into room_ids, first_date, last_date
  from public.rooms as r
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  cross join lateral (select (block_room.starts_at at time zone l.timezone)::date as date) as local
  where r.organization_id = block_room.organization_id
    and case block_room.scope
      when 'room' then r.id = block_room.room_id
      when 'location' then r.location_id = block_room.location_id
      else true
    end;
  if room_ids is null then
    perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms, or a location with rooms.');
  end if;

  if every_days is null and until is not null
    or every_days is not null and (until is null or not isfinite(until) or until < last_date or until - first_date > 366)
  then
    perform private.fail(
      'block_until_invalid', 422, 'Say until which date a repeating block goes on, at most 366 days; without repetition leave it out.'
    );
  elsif ends_at - starts_at > make_interval(days => every_days) then
    perform private.fail(
      'block_range_invalid', 422, 'Give a repeating block an end before it starts again.'
    );
  elsif cardinality(room_ids) * ((until - first_date) / every_days + 1) > 5000 then
    perform private.fail(
      'block_too_large', 422, 'Block fewer rooms or a shorter time at once.', jsonb_build_object('maximum', 5000)
    );
  end if;

  insert into public.room_blocks as b (organization_id, room_id, location_id, starts_at, ends_at, repeats, until, reason)
  values (
    block_room.organization_id,
    case block_room.scope when 'room' then block_room.room_id end,
    case block_room.scope when 'location' then block_room.location_id end,
    block_room.starts_at, block_room.ends_at, block_room.repeats, block_room.until, coalesce(block_room.reason, '')
  )
  returning b.* into block;

  perform private.locked_zone(block.organization_id, r.id)
  from unnest(room_ids) as r (id);
  select array_agg(o.room_id), array_agg(o.starts), array_agg(o.ends)
  into rooms, starts, ends
  from private.block_occurrences(
    block.organization_id, room_ids, block.starts_at, block.ends_at, every_days, block.until
  ) as o;
  perform private.claim_block(block, rooms, starts, ends);
  -- Each is read when somebody asks for free times.
  if exists (
    select from public.sessions as s
    where s.organization_id = block.organization_id
      and s.room_id = any (room_ids)
      and s.mode = 'block'
      and s.status = 'scheduled'
      and s.ends_at > now()
    group by s.room_id
    having count(*) > 5000
  ) then
    perform private.fail(
      'too_many_blocks', 422, 'Lift blocks that are not needed any more first.', jsonb_build_object('maximum', 5000)
    );
  end if;

  return row(
    block.id,
    (
      select min(s.id::text)::uuid
      from public.sessions as s
      where s.organization_id = block.organization_id and s.block_id = block.id
      having count(*) = 1
    ),
    cardinality(rooms),
    block.room_id,
    block.location_id,
    block.starts_at,
    block.ends_at,
    block.repeats,
    block.until,
    block.reason
  )::public.room_block;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.block_room is
  'definer: writes blocks and sessions, which no client may write.';
grant execute on function private.block_room to authenticated;

create function public.block_room(
  organization_id uuid,
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  reason text default '',
  repeats text default 'none',
  until date default null,
  scope text default 'room',
  location_id uuid default null
)
returns public.room_block
language sql
volatile
set search_path = ''
as $$
  select private.block_room(organization_id, room_id, starts_at, ends_at, reason, repeats, until, scope, location_id)
$$;

comment on function public.block_room is
  'Takes rooms off sale for a time in which nothing is booked, all of it or nothing. scope: room (room_id), location (every room of location_id) or organization (every room; room_id null). repeats: none, daily or weekly, then until says the last local date on which it starts, at most 366 days after the first; the first time is the same instant for all rooms, the others follow by the clock of each room''s location (in a gap of the clock from when it jumps, in a fold the second time); at most 5,000 sessions. For members with schedules:manage. Errors: 403 permission_denied, organization_suspended; 404 room_not_found; 409 slot_taken (details {"occurrences": how many cannot be, "conflicts": [{"session_id", "room_id", "starts_at", "ends_at", "mode"}], at most 20}); 422 block_range_invalid, block_repeats_invalid, block_scope_invalid, block_until_invalid, block_too_large (details {"maximum"}), too_many_blocks (of a room and still to come, details {"maximum"}), reason_too_long.';
grant execute on function public.block_room to authenticated;

create type public.lifted_block as (
  session_id uuid,
  block_id uuid,
  sessions int,
  status text
);

comment on type public.lifted_block is 'Time that is on sale again.';
comment on column public.lifted_block.session_id is 'The one occurrence that was named; null: none was.';
comment on column public.lifted_block.block_id is 'The block.';
comment on column public.lifted_block.sessions is 'How many were lifted.';
comment on column public.lifted_block.status is 'one of: cancelled';

create function private.unblock_room(organization_id uuid, session_id uuid, block_id uuid, from_date date)
returns public.lifted_block
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  lifted uuid;
  sessions int;
begin
  perform private.require_permission(unblock_room.organization_id, 'schedules:manage');
  if unblock_room.session_id is not null then
    update public.sessions as s
    set status = 'cancelled'
    where s.organization_id = unblock_room.organization_id
      and s.id = unblock_room.session_id
      and s.mode = 'block'
      and s.status = 'scheduled'
    returning s.block_id into lifted;
  else
    lifted := unblock_room.block_id;
    update public.sessions as s
    set status = 'cancelled'
    from public.rooms as r, public.locations as l
    where s.organization_id = unblock_room.organization_id
      and s.block_id = unblock_room.block_id
      and s.status = 'scheduled'
      -- What is over stays as it was.
      and s.ends_at > now()
      and r.organization_id = s.organization_id and r.id = s.room_id
      and l.organization_id = r.organization_id and l.id = r.location_id
      and (from_date is null or (s.starts_at at time zone l.timezone)::date >= from_date);
  end if;
  get diagnostics sessions = row_count;
  if sessions = 0 then
    -- Asked again, as after a lost answer: what was to be lifted is.
    select count(*), min(s.block_id::text)::uuid into sessions, lifted
    from public.sessions as s
    join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where s.organization_id = unblock_room.organization_id
      and s.mode = 'block'
      and s.status = 'cancelled'
      and case
        when unblock_room.session_id is not null then s.id = unblock_room.session_id
        else s.block_id = unblock_room.block_id
          and s.ends_at > now()
          and (from_date is null or (s.starts_at at time zone l.timezone)::date >= from_date)
      end;
    if sessions = 0 then
      perform private.fail('block_not_found', 404, 'Choose a block that stands.');
    end if;
    return row(unblock_room.session_id, lifted, sessions, 'cancelled')::public.lifted_block;
  end if;

  update public.room_blocks as b
  set
    cancelled_at = case when not exists (
      select from public.sessions as s
      where s.organization_id = b.organization_id
        and s.block_id = b.id
        and s.status = 'scheduled'
        and s.ends_at > now()
    ) then now() end,
    until = case
      when unblock_room.session_id is null and b.repeats <> 'none' then least(b.until, from_date - 1) else b.until
    end
  where b.organization_id = unblock_room.organization_id and b.id = lifted;
  return row(unblock_room.session_id, lifted, sessions, 'cancelled')::public.lifted_block;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.unblock_room is
  'definer: writes blocks and sessions, which no client may write.';
grant execute on function private.unblock_room to authenticated;

create function public.unblock_room(
  organization_id uuid,
  session_id uuid default null,
  block_id uuid default null,
  from_date date default null
)
returns public.lifted_block
language sql
volatile
set search_path = ''
as $$ select private.unblock_room(organization_id, session_id, block_id, from_date) $$;

comment on function public.unblock_room is
  'Puts the time of a block back on sale: one occurrence (session_id), or of block_id all that is not over, or what starts on from_date (local) or later; again, the same. For members with schedules:manage. Errors: 403 permission_denied, organization_suspended; 404 block_not_found.';
grant execute on function public.unblock_room to authenticated;
