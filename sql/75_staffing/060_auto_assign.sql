-- Automatic assignment: every session to come gets one game master, if there is one.

create function private.sessions_without_game_master(organization_id uuid, from_date date, to_date date)
returns setof public.sessions
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select s.*
  from public.sessions as s
  join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where s.organization_id = sessions_without_game_master.organization_id
    and s.status = 'scheduled'
    and s.mode <> 'block'
    and s.starts_at > now()
    -- For the index: no clock is further than a day from UTC's.
    and s.starts_at >= (sessions_without_game_master.from_date - 1)::timestamp at time zone 'UTC'
    and s.starts_at < (sessions_without_game_master.to_date + 2)::timestamp at time zone 'UTC'
    and (s.starts_at at time zone l.timezone)::date
      between sessions_without_game_master.from_date and sessions_without_game_master.to_date
    and not exists (
      select from public.session_staff as x
      where x.organization_id = s.organization_id and x.session_id = s.id
    )
    -- Nobody is sent to what is only held: most of that is gone within minutes.
    and exists (
      select from public.bookings as b
      where b.organization_id = s.organization_id
        and b.session_id = s.id
        and b.takes_capacity
        and b.status <> 'held'
    );
end
$$;

comment on function private.sessions_without_game_master is
  'The sessions to come on those local dates that somebody has booked and nobody runs.';

create type public.assigned_session as (
  session_id uuid,
  room_id uuid,
  starts_at timestamptz,
  user_id uuid
);

comment on type public.assigned_session is 'A session that was given to somebody.';
comment on column public.assigned_session.session_id is 'Of the session.';
comment on column public.assigned_session.room_id is 'Of its room.';
comment on column public.assigned_session.starts_at is 'Of the game.';
comment on column public.assigned_session.user_id is 'Who runs it.';

create type public.unassigned_session as (
  session_id uuid,
  room_id uuid,
  starts_at timestamptz,
  reason text
);

comment on type public.unassigned_session is 'A session that nobody runs.';
comment on column public.unassigned_session.session_id is 'Of the session.';
comment on column public.unassigned_session.room_id is 'Of its room.';
comment on column public.unassigned_session.starts_at is 'Of the game.';
comment on column public.unassigned_session.reason is 'Why; session_busy: somebody else was changing it, run again; one of: nobody_skilled, nobody_on_shift, nobody_free, session_busy';

create type public.assignment_plan as (
  assigned public.assigned_session [],
  unassigned public.unassigned_session []
);

comment on type public.assignment_plan is 'What a run of auto_assign_game_masters did.';
comment on column public.assignment_plan.assigned is 'In the order in which they were given.';
comment on column public.assignment_plan.unassigned is 'In the order in which they were tried.';

create function private.auto_assign_game_masters(organization_id uuid, from_date date, to_date date)
returns public.assignment_plan
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  locked uuid [];
  -- Sessions of each person in these days, by user id.
  load jsonb;
  todo record;
  candidate uuid;
  chosen uuid;
  assigned public.assigned_session [] := '{}';
  unassigned public.unassigned_session [] := '{}';
begin
  perform private.require_permission(auto_assign_game_masters.organization_id, 'bookings:assign');
  if from_date is null or to_date is null or not isfinite(from_date) or not isfinite(to_date) or to_date < from_date then
    perform private.fail('date_range_invalid', 422, 'Give two dates, from_date not after to_date.');
  elsif to_date - from_date >= 31 then
    perform private.fail('date_range_too_long', 422, 'Assign at most 31 days at a time.');
  end if;

  -- A second run waits for the first one and finds its work done. Nobody else's work is waited
  -- for once sessions are locked: persons come first here, and sessions that somebody else
  -- holds are left to the next run.
  perform pg_advisory_xact_lock(
    hashtextextended('escapemaster.auto_assign:' || auto_assign_game_masters.organization_id, 0)
  );
  perform from public.memberships as m
  where m.organization_id = auto_assign_game_masters.organization_id
  order by m.user_id
  for no key update;
  locked := array(
    select s.id
    from public.sessions as s
    where s.organization_id = auto_assign_game_masters.organization_id
      and s.id in (
        select o.id from private.sessions_without_game_master(
          auto_assign_game_masters.organization_id, auto_assign_game_masters.from_date, auto_assign_game_masters.to_date
        ) as o
      )
    for no key update skip locked
  );

  select coalesce(jsonb_object_agg(x.user_id, x.sessions), '{}') into load
  from (
    select x.user_id, count(*) as sessions
    from public.session_staff as x
    join public.sessions as s on s.organization_id = x.organization_id and s.id = x.session_id
    join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where x.organization_id = auto_assign_game_masters.organization_id
      and (s.starts_at at time zone l.timezone)::date
        between auto_assign_game_masters.from_date and auto_assign_game_masters.to_date
    group by x.user_id
  ) as x;

  -- Asked again, now that what was locked cannot change: what somebody was given meanwhile is
  -- no longer among them. The sessions that fewest could run are served first; each then goes
  -- to whoever has least, of those to whoever knows fewest rooms.
  for todo in
    with
    open as materialized (
      select o as session, o.id, o.room_id, o.starts_at
      from private.sessions_without_game_master(
        auto_assign_game_masters.organization_id, auto_assign_game_masters.from_date, auto_assign_game_masters.to_date
      ) as o
    ),
    able as (
      select
        g.session_id,
        coalesce(array_agg(g.user_id order by skills.rooms, g.user_id) filter (where g.is_on_shift), '{}') as on_shift
      from private.game_masters(
        auto_assign_game_masters.organization_id, (select array_agg(o.id) from open as o)
      ) as g
      cross join lateral (
        select count(*) as rooms
        from public.staff_skills as k
        where k.organization_id = auto_assign_game_masters.organization_id and k.user_id = g.user_id
      ) as skills
      where g.is_skilled
      group by g.session_id
    )
    select o.session, o.id, o.room_id, o.starts_at, able.on_shift
    from open as o
    left join able on able.session_id = o.id
    order by coalesce(cardinality(able.on_shift), 0), o.starts_at, o.id
  loop
    chosen := null;
    if todo.id = any (locked) then
      for candidate in
        select c.user_id
        from unnest(todo.on_shift) with ordinality as c (user_id, position)
        order by coalesce((load ->> c.user_id::text)::int, 0), c.position
      loop
        if private.place_game_master(todo.session, candidate, 'automatic') then
          chosen := candidate;
          load := load || jsonb_build_object(candidate, coalesce((load ->> candidate::text)::int, 0) + 1);
          exit;
        end if;
      end loop;
    end if;
    if chosen is null then
      unassigned := unassigned || row(
        todo.id,
        todo.room_id,
        todo.starts_at,
        case
          when todo.id <> all (locked) then 'session_busy'
          when todo.on_shift is null then 'nobody_skilled'
          when todo.on_shift = '{}' then 'nobody_on_shift'
          else 'nobody_free'
        end
      )::public.unassigned_session;
    else
      assigned := assigned || row(todo.id, todo.room_id, todo.starts_at, chosen)::public.assigned_session;
    end if;
  end loop;
  return row(assigned, unassigned)::public.assignment_plan;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.auto_assign_game_masters is
  'definer: writes assignments, which no client may write.';
grant execute on function private.auto_assign_game_masters to authenticated;

create function public.auto_assign_game_masters(organization_id uuid, from_date date, to_date date)
returns public.assignment_plan
language sql
volatile
set search_path = ''
as $$ select private.auto_assign_game_masters(organization_id, from_date, to_date) $$;

comment on function public.auto_assign_game_masters is
  'Gives every booked session to come on those local dates (at most 31) that nobody runs one game master who is skilled for the room, on shift for the whole game (not the turnaround) and free: sessions that fewest could run first, then by time; each to whoever has fewest sessions in these days. The same data give the same plan; what is assigned already stays. For members with bookings:assign. Errors: 403 permission_denied, organization_suspended; 422 date_range_invalid, date_range_too_long.';
grant execute on function public.auto_assign_game_masters to authenticated;
