-- Assigning, by whoever plans; claiming, by the game masters themselves.
--
-- Staff is not looked at when a session is sold: what is sold without a game master is marked
-- on the board. A venue hires for what it sells, and not the other way round.

create function private.game_masters(organization_id uuid, session_ids uuid [], only_user_id uuid default null)
returns table (session_id uuid, user_id uuid, is_skilled boolean, is_on_shift boolean, is_free boolean)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select
    s.id,
    m.user_id,
    skill.room_id is not null,
    -- Shifts that touch count as one. The game itself must lie within, not the turnaround:
    -- the last one of a day may end with the shift.
    coalesce(
      (
        select range_agg(tstzrange(h.starts_at, h.ends_at))
        from public.staff_shifts as h
        where h.organization_id = s.organization_id
          and h.user_id = m.user_id
          and h.location_id = r.location_id
          and h.starts_at < s.ends_at
          -- No shift is longer than a day, of 25 hours at most; for the index.
          and h.starts_at > s.starts_at - interval '26 hours'
          and h.ends_at > s.starts_at
      ) @> tstzrange(s.starts_at, s.ends_at),
      false
    ),
    not exists (
      select from public.session_staff as x
      where x.organization_id = s.organization_id
        and x.user_id = m.user_id
        and x.during && s.during
    )
  from public.sessions as s
  join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
  join private.active_memberships as m
    on m.organization_id = s.organization_id and m.expires_at is null
  left join public.staff_skills as skill
    on skill.organization_id = m.organization_id and skill.user_id = m.user_id and skill.room_id = s.room_id
  where s.organization_id = game_masters.organization_id
    and s.id = any (game_masters.session_ids)
    and (
      m.user_id = game_masters.only_user_id
      or (
        game_masters.only_user_id is null
        and (
          skill.room_id is not null
          or exists (
            select from public.session_staff as x
            where x.organization_id = s.organization_id and x.session_id = s.id and x.user_id = m.user_id
          )
        )
      )
    );
end
$$;

comment on function private.game_masters is
  'What makes members fit to run sessions: skilled for the room, on shift at its location for the whole game, free at that time (of this session, too). Of all active members who are skilled or run it, or of one person, skilled or not; visitors from the platform''s support are no staff.';

create function private.staffed_session(organization_id uuid, session_id uuid)
returns public.sessions
language plpgsql
volatile
set search_path = ''
as $$
declare
  session public.sessions;
begin
  select s.* into session
  from public.sessions as s
  where s.organization_id = staffed_session.organization_id and s.id = staffed_session.session_id
  for no key update;
  if not found then
    perform private.fail('session_not_found', 404, 'Choose one of the organization''s sessions.');
  elsif session.status = 'cancelled' or session.mode = 'block' then
    perform private.fail('session_not_open', 409, 'Choose a session that stands and is no block.');
  end if;
  return session;
end
$$;

comment on function private.staffed_session is
  'A session that somebody can run, locked. Raises 404 session_not_found, 409 session_not_open.';

create type public.assignment as (
  session_id uuid,
  user_id uuid,
  source text,
  is_skilled boolean,
  is_on_shift boolean
);

comment on type public.assignment is 'That somebody runs a session.';
comment on column public.assignment.session_id is 'Of the session.';
comment on column public.assignment.user_id is 'Who runs it.';
comment on column public.assignment.source is 'one of session_staff.source';
comment on column public.assignment.is_skilled is 'Whether the person may run the room.';
comment on column public.assignment.is_on_shift is 'Whether the game lies within a shift of the person.';

create function private.put_in_charge(session public.sessions, user_id uuid, source text)
returns public.assignment
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not private.place_game_master(session, put_in_charge.user_id, put_in_charge.source) then
    perform private.fail(
      'game_master_busy', 409, 'Choose somebody else, or release the person from the other session.',
      (
        select jsonb_build_object('session_id', s.id, 'starts_at', s.starts_at, 'occupied_until', s.occupied_until)
        from public.session_staff as x
        join public.sessions as s on s.organization_id = x.organization_id and s.id = x.session_id
        where x.organization_id = session.organization_id
          and x.user_id = put_in_charge.user_id
          and x.during && session.during
        order by s.starts_at
        limit 1
      )
    );
  end if;
  return (
    select row(x.session_id, x.user_id, x.source, g.is_skilled, g.is_on_shift)::public.assignment
    from public.session_staff as x
    cross join private.game_masters(session.organization_id, array[session.id], put_in_charge.user_id) as g
    where x.organization_id = session.organization_id
      and x.session_id = session.id
      and x.user_id = put_in_charge.user_id
  );
end
$$;

comment on function private.put_in_charge is
  'Assigns an active member to a locked session, once however often it is called. Raises 409 game_master_busy.';

create function private.lock_member(organization_id uuid, user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform from private.active_memberships as m
  where m.organization_id = lock_member.organization_id
    and m.user_id = lock_member.user_id
    and m.expires_at is null
  for no key update;
  if not found then
    perform private.fail('member_not_found', 404, 'Choose an active member of this organization.');
  end if;
end
$$;

comment on function private.lock_member is
  'Keeps an active member from being suspended, removed or given other work until the end of the transaction. Raises 404 member_not_found.';

create function private.assign_game_master(organization_id uuid, session_id uuid, user_id uuid)
returns public.assignment
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  session public.sessions;
begin
  perform private.require_permission(assign_game_master.organization_id, 'bookings:assign');
  session := private.staffed_session(assign_game_master.organization_id, assign_game_master.session_id);
  perform private.lock_member(session.organization_id, assign_game_master.user_id);
  return private.put_in_charge(session, assign_game_master.user_id, 'assigned');
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.assign_game_master is
  'definer: writes assignments, which no client may write.';
grant execute on function private.assign_game_master to authenticated;

create function public.assign_game_master(organization_id uuid, session_id uuid, user_id uuid)
returns public.assignment
language sql
volatile
set search_path = ''
as $$ select private.assign_game_master(organization_id, session_id, user_id) $$;

comment on function public.assign_game_master is
  'Puts an active member in charge of a session, beside those who are already; the same again changes nothing. Skills and shifts are not asked for, only told. A session that is over may be given too, to keep the record. For members with bookings:assign. Errors: 403 permission_denied, organization_suspended; 404 session_not_found, member_not_found (also when suspended); 409 session_not_open (cancelled or a block), game_master_busy (details {"session_id", "starts_at", "occupied_until"} of the other session).';
grant execute on function public.assign_game_master to authenticated;

create function private.claim_session_as_game_master(organization_id uuid, session_id uuid)
returns public.assignment
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  session public.sessions;
begin
  perform private.require_permission(claim_session_as_game_master.organization_id, 'bookings:claim');
  session := private.staffed_session(
    claim_session_as_game_master.organization_id, claim_session_as_game_master.session_id
  );
  perform private.lock_member(session.organization_id, caller);
  if session.ends_at <= now() then
    perform private.fail('session_not_open', 409, 'Choose a session that is not over.');
  elsif exists (
    select from public.session_staff as x
    where x.organization_id = session.organization_id and x.session_id = session.id and x.user_id <> caller
  ) then
    perform private.fail('session_has_game_master', 409, 'Choose a session that nobody runs yet.');
  elsif not exists (
    select from public.staff_skills as k
    where k.organization_id = session.organization_id and k.user_id = caller and k.room_id = session.room_id
  ) then
    perform private.fail('not_skilled', 409, 'Choose a room that you may run, or ask a manager to add this one.');
  end if;
  return private.put_in_charge(session, caller, 'claimed');
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.claim_session_as_game_master is
  'definer: writes assignments, which no client may write.';
grant execute on function private.claim_session_as_game_master to authenticated;

create function public.claim_session_as_game_master(organization_id uuid, session_id uuid)
returns public.assignment
language sql
volatile
set search_path = ''
as $$ select private.claim_session_as_game_master(organization_id, session_id) $$;

comment on function public.claim_session_as_game_master is
  'The caller takes a session that nobody runs, in a room for which the caller is skilled, on shift or not; the same again changes nothing. For persons with bookings:claim, not for API keys. Errors: 401 not_authenticated; 403 user_required, permission_denied, organization_suspended; 404 session_not_found, member_not_found (for a visitor from support); 409 session_not_open (cancelled, over or a block), session_has_game_master, not_skilled, game_master_busy (as in assign_game_master).';
grant execute on function public.claim_session_as_game_master to authenticated;

create function private.acts_for_oneself(organization_id uuid, user_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  -- An API key is nobody's self: no member has its id.
  return coalesce(user_id = auth.uid(), false) and private.has_permission(organization_id, 'bookings:claim');
end
$$;

comment on function private.acts_for_oneself is
  'Whether the caller is that person and holds bookings:claim: for what game masters settle without the planner. Raises 403 organization_suspended.';

create type public.released_assignment as (
  session_id uuid,
  user_id uuid
);

comment on type public.released_assignment is 'That somebody does not run a session.';
comment on column public.released_assignment.session_id is 'Of the session.';
comment on column public.released_assignment.user_id is 'Who does not run it.';

create function private.unassign_game_master(organization_id uuid, session_id uuid, user_id uuid)
returns public.released_assignment
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- Lock order: the session first.
  perform from public.sessions as s
  where s.organization_id = unassign_game_master.organization_id and s.id = unassign_game_master.session_id
  for no key update;
  if not found then
    perform private.require_permission(unassign_game_master.organization_id, 'bookings:assign');
    perform private.fail('assignment_not_found', 404, 'Choose somebody who runs the session.');
  end if;
  -- What somebody took alone, they may give back alone, as long as it has not begun; and again, as
  -- after a lost answer.
  if not (
    not exists (
      select from public.session_staff as x
      where x.organization_id = unassign_game_master.organization_id
        and x.session_id = unassign_game_master.session_id
        and x.user_id = unassign_game_master.user_id
        and not (x.source = 'claimed' and lower(x.during) > now())
    )
    and private.acts_for_oneself(unassign_game_master.organization_id, unassign_game_master.user_id)
  ) then
    perform private.require_permission(unassign_game_master.organization_id, 'bookings:assign');
  end if;
  delete from public.session_staff as x
  where x.organization_id = unassign_game_master.organization_id
    and x.session_id = unassign_game_master.session_id
    and x.user_id = unassign_game_master.user_id;
  return row(unassign_game_master.session_id, unassign_game_master.user_id)::public.released_assignment;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.unassign_game_master is
  'definer: writes assignments, which no client may write.';
grant execute on function private.unassign_game_master to authenticated;

create function public.unassign_game_master(organization_id uuid, session_id uuid, user_id uuid)
returns public.released_assignment
language sql
volatile
set search_path = ''
as $$ select private.unassign_game_master(organization_id, session_id, user_id) $$;

comment on function public.unassign_game_master is
  'Releases somebody from a session; also who does not run it, so that it can be asked again. For members with bookings:assign; what one has claimed oneself one gives back with bookings:claim, before it starts. Errors: 403 permission_denied, organization_suspended; 404 assignment_not_found.';
grant execute on function public.unassign_game_master to authenticated;
