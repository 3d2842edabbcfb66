-- Session staff: who runs which session, and the constraint that nobody is in two places.
--
-- Locks: the session, then the membership of each person, in order of user_id, then the
-- assignments. All that gives a person work takes that person's membership first, so what it
-- adds comes one after the other, and nobody is suspended or removed meanwhile.

create table public.session_staff (
  organization_id uuid not null,
  session_id uuid not null,
  user_id uuid not null,
  during tstzrange not null,
  source text not null,
  created_at timestamptz not null default now(),
  constraint session_staff_pkey primary key (organization_id, session_id, user_id),
  constraint session_staff_session_fkey foreign key (organization_id, session_id)
  references public.sessions (organization_id, id) on delete cascade,
  -- Not the membership: who ran the games of last year is told after they have left.
  constraint session_staff_user_fkey foreign key (user_id) references public.profiles (user_id) on delete cascade,
  -- Within the tenant, as every key: what somebody does for another organization is none of
  -- this one's business, and its rows may live on another server.
  constraint session_staff_is_in_one_place exclude using gist (
    organization_id extensions.gist_uuid_ops with =,
    user_id extensions.gist_uuid_ops with =,
    during with &&
  ),
  constraint session_staff_source_is_known check (source in ('assigned', 'claimed', 'automatic'))
);

comment on table public.session_staff is
  'Who runs which session; several persons may run one. Written through functions only. An assignment lives as long as its session stands: it is released when the session is cancelled, when it moves to a time at which the person has other work, and, before its start, when the person is suspended or leaves.';
comment on column public.session_staff.during is
  'The session''s time, turnaround included, since the game master prepares the room; kept equal by a trigger.';
comment on column public.session_staff.source is
  'assigned (by whoever may), claimed (by the game master), automatic.';

-- for: the foreign key, and a person's sessions in time, as private.feed_sessions reads them
create index session_staff_user_id_idx on public.session_staff (user_id, organization_id, lower(during));

grant select on public.session_staff to authenticated;

alter table public.session_staff enable row level security;

create policy session_staff_select on public.session_staff
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create function private.place_game_master(session public.sessions, user_id uuid, source text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  taken_by uuid;
begin
  -- Looks before it inserts: a row that a transaction is about to release is in the way here,
  -- where the constraint would wait for that transaction, which may wait for this one's locks.
  select x.session_id into taken_by
  from public.session_staff as x
  where x.organization_id = session.organization_id
    and x.user_id = place_game_master.user_id
    and x.during && session.during
  limit 1;
  if found then
    return taken_by = session.id;
  end if;
  insert into public.session_staff (organization_id, session_id, user_id, during, source)
  values (session.organization_id, session.id, place_game_master.user_id, session.during, place_game_master.source)
  on conflict do nothing;
  return found;
end
$$;

comment on function private.place_game_master is
  'Whether the person runs the session now: false when another session takes them at that time. The caller holds the session and the membership, and has asked who may.';

create function private.follow_session()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  displaced record;
begin
  if new.status = 'cancelled' then
    delete from public.session_staff as x
    where x.organization_id = new.organization_id and x.session_id = new.id;
    return null;
  end if;

  perform from public.memberships as m
  where m.organization_id = new.organization_id
    and m.user_id in (
      select x.user_id
      from public.session_staff as x
      where x.organization_id = new.organization_id and x.session_id = new.id
    )
  order by m.user_id
  for no key update;
  -- One statement may move several sessions and ends before this runs for the first of them:
  -- take all that these persons have at a time that is no longer true, then place it anew.
  for displaced in
    with taken as (
      delete from public.session_staff as x
      using public.sessions as s
      where x.organization_id = new.organization_id
        and x.user_id in (
          select y.user_id
          from public.session_staff as y
          where y.organization_id = new.organization_id and y.session_id = new.id
        )
        and s.organization_id = x.organization_id
        and s.id = x.session_id
        and s.during <> x.during
      returning x.*
    )
    select s as session, t.user_id, t.source
    from taken as t
    join public.sessions as s on s.organization_id = t.organization_id and s.id = t.session_id
    order by t.created_at, t.session_id, t.user_id
  loop
    perform private.place_game_master(displaced.session, displaced.user_id, displaced.source);
  end loop;
  return null;
end
$$;

comment on function private.follow_session is
  'Lets the assignments follow their session: released with it, moved with it, released where its new time clashes with other work of the person. A session is never refused its move for its game master''s sake.';

create trigger sessions_follow_session
after update of starts_at, occupied_until, status on public.sessions
for each row
when (old.during <> new.during or (old.status <> 'cancelled' and new.status = 'cancelled'))
execute function private.follow_session();

create function private.release_future_sessions()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' or new.status <> 'active' then
    delete from public.session_staff as x
    where x.organization_id = old.organization_id
      and x.user_id = old.user_id
      and lower(x.during) > now();
  end if;
  return null;
end
$$;

comment on function private.release_future_sessions is
  'definer: memberships also end where nobody may write assignments, as when an account is deleted. Releases whoever is suspended or leaves from the sessions that have not started.';

create trigger memberships_release_future_sessions
after update of status or delete on public.memberships
for each row execute function private.release_future_sessions();
