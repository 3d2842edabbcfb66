-- Session starts: the minutes of a start group that a session's start takes from the group's other
-- rooms. An exclusion constraint decides here, too; a session that would break it is not made.

create table private.session_starts (
  organization_id uuid not null,
  group_id uuid not null,
  session_id uuid not null,
  room_id uuid not null,
  during tstzrange not null,
  constraint session_starts_pkey primary key (organization_id, session_id, group_id),
  -- With the room it ends when the room leaves the group.
  constraint session_starts_group_room_fkey foreign key (organization_id, group_id, room_id)
  references public.start_group_rooms (organization_id, group_id, room_id) on delete cascade,
  -- Taken before the session is stored, so that who comes second makes none.
  constraint session_starts_session_fkey foreign key (organization_id, session_id)
  references public.sessions (organization_id, id) on delete cascade deferrable initially deferred,
  -- What follows in the same room keeps its distance by the room's own turnaround.
  constraint session_starts_are_apart exclude using gist (
    organization_id extensions.gist_uuid_ops with =,
    group_id extensions.gist_uuid_ops with =,
    room_id extensions.gist_uuid_ops with <>,
    during with &&
  )
);

comment on table private.session_starts is
  'For each session that takes time (no blocks) and each start group of its room: from its start, as many minutes as the group wants between two starts.';

comment on column private.session_starts.during is
  'In which no other room of the group starts: from the session''s start, without the end.';

-- for: the foreign key, when a room leaves a group
create index session_starts_group_room_idx on private.session_starts (organization_id, group_id, room_id);

create function private.has_start_groups(organization_id uuid, room_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.start_group_rooms as m
    where m.organization_id = has_start_groups.organization_id and m.room_id = has_start_groups.room_id
  );
end
$$;

comment on function private.has_start_groups is 'Whether the room keeps its distance from others when it starts.';

create function private.take_starts(session public.sessions)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  wanted int;
  taken int;
begin
  -- As the session's own foreign key does, and before the groups are read: who changes the room's
  -- groups waits, or has ended.
  perform from public.rooms as r
  where r.organization_id = session.organization_id and r.id = session.room_id
  for key share;
  select count(*) into wanted
  from public.start_group_rooms as m
  where m.organization_id = session.organization_id and m.room_id = session.room_id;
  if wanted = 0 then
    return true;
  end if;

  insert into private.session_starts (organization_id, group_id, session_id, room_id, during)
  select
    m.organization_id, m.group_id, session.id, session.room_id,
    tstzrange(session.starts_at, session.starts_at + make_interval(mins => g.minutes))
  from public.start_group_rooms as m
  join public.start_groups as g on g.organization_id = m.organization_id and g.id = m.group_id
  where m.organization_id = session.organization_id and m.room_id = session.room_id
  order by m.group_id
  on conflict do nothing;
  get diagnostics taken = row_count;
  if taken < wanted then
    perform private.drop_starts(session.organization_id, session.id);
  end if;
  return taken = wanted;
end
$$;

comment on function private.take_starts is
  'Takes the minutes of a session''s start from the other rooms of each start group of its room; false, and nothing is taken, where one of them starts too close. Waits for whoever takes them at this moment.';

create function private.drop_starts(organization_id uuid, session_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from private.session_starts as t
  where t.organization_id = drop_starts.organization_id and t.session_id = drop_starts.session_id;
end
$$;

comment on function private.drop_starts is 'Gives back what private.take_starts took.';

create function private.keep_starts()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' then
    perform private.drop_starts(old.organization_id, old.id);
  end if;
  if new.status = 'cancelled' or private.take_starts(new) then
    return new;
  elsif tg_op = 'UPDATE' then
    raise exclusion_violation using message = 'Another room of a start group starts too close.';
  end if;
  return null;
end
$$;

comment on function private.keep_starts is
  'definer: writes private.session_starts. Trigger, before a session: one that would start too close to another of its start groups is not made, and one that is moved raises exclusion_violation.';

create trigger sessions_keep_starts
before insert on public.sessions
for each row when (new.mode <> 'block')
execute function private.keep_starts();

create trigger sessions_keep_moved_starts
before update on public.sessions
for each row when (
  new.mode <> 'block'
  and (old.starts_at, old.room_id, old.status) is distinct from (new.starts_at, new.room_id, new.status)
)
execute function private.keep_starts();

create function private.reap_lapsed_starts(organization_id uuid, room_id uuid, starts_at timestamptz)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  lapsed record;
  reaped int := 0;
begin
  for lapsed in
    select s.room_id, s.during
    from private.starts_too_close(
      reap_lapsed_starts.organization_id, reap_lapsed_starts.room_id, reap_lapsed_starts.starts_at
    ) as close
    join public.sessions as s
      on s.organization_id = reap_lapsed_starts.organization_id and s.id = close.session_id
    where not exists (
      select from public.bookings as b
      where b.organization_id = s.organization_id
        and b.session_id = s.id
        and b.takes_capacity
        and (b.hold_expires_at is null or b.hold_expires_at > now())
    )
    order by s.room_id, s.starts_at
    -- Rooms are locked in the order of their ids, and this claim has its own already.
    for no key update of s skip locked
  loop
    reaped := reaped + private.reap_lapsed_holds(
      reap_lapsed_starts.organization_id, lapsed.room_id, lapsed.during
    );
  end loop;
  return reaped;
end
$$;

comment on function private.reap_lapsed_starts is
  'Expires what is held past its deadline in other rooms and starts too close to that start of the room. What somebody works on at this moment stays. Returns how many.';

create function private.starts_too_close(organization_id uuid, room_id uuid, starts_at timestamptz)
returns table (session_id uuid)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select t.session_id
  from public.start_group_rooms as m
  join public.start_groups as g on g.organization_id = m.organization_id and g.id = m.group_id
  join private.session_starts as t
    on t.organization_id = m.organization_id
    and t.group_id = m.group_id
    and t.room_id <> m.room_id
    and t.during && tstzrange(
      starts_too_close.starts_at, starts_too_close.starts_at + make_interval(mins => g.minutes)
    )
  where m.organization_id = starts_too_close.organization_id and m.room_id = starts_too_close.room_id;
end
$$;

comment on function private.starts_too_close is
  'The sessions of other rooms, lapsed holds among them, that keep the room from starting then.';

create function private.barred_starts(organization_id uuid, room_id uuid, period tstzrange)
returns tstzmultirange
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(
      range_agg(
        tstzrange(e.starts_at - make_interval(mins => g.minutes), e.starts_at + make_interval(mins => g.minutes), '()')
      ),
      '{}'
    )
    from public.start_group_rooms as m
    join public.start_groups as g on g.organization_id = m.organization_id and g.id = m.group_id
    join public.start_group_rooms as other
      on other.organization_id = m.organization_id and other.group_id = m.group_id and other.room_id <> m.room_id
    join private.live_sessions as e
      on e.organization_id = other.organization_id
      and e.room_id = other.room_id
      and e.mode <> 'block'
      and e.is_busy
      and e.starts_at > lower(barred_starts.period) - interval '240 minutes'
      and e.starts_at < upper(barred_starts.period) + interval '240 minutes'
    where m.organization_id = barred_starts.organization_id and m.room_id = barred_starts.room_id
  );
end
$$;

comment on function private.barred_starts is
  'When a room cannot start in that period because another room of one of its start groups does.';

create function private.fill_start_group(organization_id uuid, group_id uuid)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  conflicts jsonb;
begin
  -- Whoever makes a session of these rooms has ended, or waits.
  perform from public.rooms as r
  where r.organization_id = fill_start_group.organization_id
    and r.id in (
      select m.room_id from public.start_group_rooms as m
      where m.organization_id = fill_start_group.organization_id and m.group_id = fill_start_group.group_id
    )
  order by r.id
  for update;
  delete from private.session_starts as t
  where t.organization_id = fill_start_group.organization_id and t.group_id = fill_start_group.group_id;
  insert into private.session_starts (organization_id, group_id, session_id, room_id, during)
  select
    m.organization_id, m.group_id, s.id, s.room_id,
    tstzrange(s.starts_at, s.starts_at + make_interval(mins => g.minutes))
  from public.start_group_rooms as m
  join public.start_groups as g on g.organization_id = m.organization_id and g.id = m.group_id
  join public.sessions as s
    on s.organization_id = m.organization_id
    and s.room_id = m.room_id
    and s.mode <> 'block'
    and s.status = 'scheduled'
    and s.starts_at > now()
  where m.organization_id = fill_start_group.organization_id and m.group_id = fill_start_group.group_id
  order by s.starts_at, s.id
  on conflict do nothing;

  select jsonb_agg(
    jsonb_build_object('session_id', s.id, 'room_id', s.room_id, 'starts_at', s.starts_at)
    order by s.starts_at, s.room_id
  )
  into conflicts
  from (
    select s.*
    from public.start_group_rooms as m
    join public.sessions as s
      on s.organization_id = m.organization_id
      and s.room_id = m.room_id
      and s.mode <> 'block'
      and s.status = 'scheduled'
      and s.starts_at > now()
    where m.organization_id = fill_start_group.organization_id
      and m.group_id = fill_start_group.group_id
      and not exists (
        select from private.session_starts as t
        where t.organization_id = m.organization_id and t.group_id = m.group_id and t.session_id = s.id
      )
    order by s.starts_at, s.room_id
    limit 20
  ) as s;
  return conflicts;
end
$$;

comment on function private.fill_start_group is
  'Takes the minutes of all starts to come of a group''s rooms anew. Returns those that start too soon after another, [{session_id, room_id, starts_at}], at most 20; null: none.';

create function private.keep_start_groups()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  conflicts jsonb := private.fill_start_group(
    new.organization_id,
    (to_jsonb(new) ->> case tg_table_name when 'start_groups' then 'id' else 'group_id' end)::uuid
  );
begin
  if conflicts is not null then
    perform private.fail(
      'starts_too_close', 409,
      'Move these sessions further from what starts before them, or allow fewer minutes between two starts.',
      jsonb_build_object('conflicts', conflicts)
    );
  end if;
  return null;
end
$$;

comment on function private.keep_start_groups is
  'definer: reads all sessions of the rooms. Trigger, after a start group or its rooms changed: what is booked to come keeps to it, or it is refused (409 starts_too_close).';

create trigger start_groups_keep_sessions_apart
after update of minutes on public.start_groups
for each row when (old.minutes <> new.minutes)
execute function private.keep_start_groups();

create trigger start_group_rooms_keep_sessions_apart
after insert on public.start_group_rooms
for each row execute function private.keep_start_groups();
