-- Claiming time in a room, and giving it back when its deadline has passed.

create function private.reap_lapsed_holds(organization_id uuid, room_id uuid, during tstzrange)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  session_ids uuid [];
  reaped int := 0;
begin
  select array_agg(locked.id) into session_ids
  from (
    select s.id
    from public.sessions as s
    where s.organization_id = reap_lapsed_holds.organization_id
      and s.room_id = reap_lapsed_holds.room_id
      and s.starts_at > lower(reap_lapsed_holds.during) - interval '48 hours'
      and s.starts_at < upper(reap_lapsed_holds.during)
      and s.occupied_until > lower(reap_lapsed_holds.during)
      and s.status = 'scheduled'
      and exists (
        select from public.bookings as b
        where b.organization_id = s.organization_id
          and b.session_id = s.id
          and b.hold_expires_at <= now()
      )
    order by s.starts_at
    for no key update of s
  ) as locked;
  if session_ids is not null then
    perform private.lock_vouchers_of(array_agg(b.organization_id), array_agg(b.id))
    from public.bookings as b
    where b.organization_id = reap_lapsed_holds.organization_id
      and b.session_id = any (session_ids)
      and b.hold_expires_at <= now();
    update public.bookings as b
    set status = d.to_status, status_reason = d.reason, hold_expires_at = null
    from private.booking_deadlines as d
    where b.organization_id = reap_lapsed_holds.organization_id
      and b.session_id = any (session_ids)
      and b.hold_expires_at <= now()
      and d.status = b.status;
    get diagnostics reaped = row_count;
  end if;
  return reaped;
end
$$;

comment on function private.reap_lapsed_holds is
  'Expires what is held or pending past its deadline in the room in that time, so that a claim never waits for the sweep. Returns how many. The caller holds the room''s lock.';

create function private.claim_session(
  organization_id uuid,
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  occupied_until timestamptz,
  mode text,
  capacity int,
  seats int,
  reason text default '',
  capacity_limit int default null
)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
declare
  session_id uuid := private.uuid_v7();
  shared_id uuid;
  reaped int;
begin
  if private.has_start_groups(claim_session.organization_id, claim_session.room_id) then
    -- Its start is taken from other rooms first; whoever holds one must not wait for the room any more.
    perform private.lock_room(claim_session.organization_id, claim_session.room_id);
  end if;
  for attempt in 1..3 loop
    -- Waits for a concurrent claim and then inserts nothing: with 8 clients on one slot
    -- 7,250 attempts/s, against 2,620 for locking the room first and 560, with deadlocks,
    -- for catching exclusion_violation.
    insert into public.sessions (
      organization_id, id, room_id, starts_at, ends_at, occupied_until, mode, capacity, seats_taken, reason
    )
    values (
      claim_session.organization_id, session_id, claim_session.room_id, claim_session.starts_at,
      claim_session.ends_at, claim_session.occupied_until, claim_session.mode, claim_session.capacity,
      claim_session.seats, claim_session.reason
    )
    on conflict on constraint sessions_do_not_overlap do nothing;
    if found then
      return session_id;
    end if;
    -- Taken before the room's time was found to be taken.
    perform private.drop_starts(claim_session.organization_id, session_id);

    -- Looked at without a lock, so that a fight for a time that is simply taken costs no
    -- more. Worth another turn: a lapsed hold is in the way, or nothing is any more, or there
    -- is a session whose seats are shared.
    if attempt = 1 then
      exit when claim_session.mode <> 'shared' and not (
        select coalesce(bool_or(exists (
          select from public.bookings as b
          where b.organization_id = s.organization_id
            and b.session_id = s.id
            and b.hold_expires_at <= now()
        )), true)
        from public.sessions as s
        where s.organization_id = claim_session.organization_id
          and s.room_id = claim_session.room_id
          and s.starts_at > claim_session.starts_at - interval '48 hours'
          and s.starts_at < claim_session.occupied_until
          and s.occupied_until > claim_session.starts_at
          and s.status = 'scheduled'
      );
      -- From here on sessions are changed and waited for: one claim of a room at a time.
      perform private.lock_room(claim_session.organization_id, claim_session.room_id);
    end if;

    reaped := private.reap_lapsed_holds(
      claim_session.organization_id, claim_session.room_id,
      tstzrange(claim_session.starts_at, claim_session.occupied_until)
    ) + private.reap_lapsed_starts(claim_session.organization_id, claim_session.room_id, claim_session.starts_at);

    if claim_session.mode = 'shared' then
      -- The row's lock makes seats one after the other; the condition is read again under it.
      -- More seats than the session has are only asked for by staff, for a room that lets
      -- more people in; a party that has the session for itself is left alone all the same.
      update public.sessions as s
      set seats_taken = s.seats_taken + claim_session.seats,
        capacity = greatest(s.capacity, s.seats_taken + claim_session.seats)
      where s.organization_id = claim_session.organization_id
        and s.room_id = claim_session.room_id
        and s.starts_at = claim_session.starts_at
        and s.mode = 'shared'
        and s.status = 'scheduled'
        and s.seats_taken + claim_session.seats <= greatest(s.capacity, claim_session.capacity_limit)
        and (
          s.seats_taken + claim_session.seats <= s.capacity
          or not exists (
            select from public.bookings as b
            where b.organization_id = s.organization_id
              and b.session_id = s.id
              and b.exclusive
              and b.takes_capacity
          )
        )
      returning s.id into shared_id;
      if found then
        return shared_id;
      end if;
    end if;

    -- What is in the way after the second look stays, unless a hold was reaped again.
    exit when attempt > 1 and reaped = 0;
  end loop;
  return null;
end
$$;

comment on function private.claim_session is
  'Takes the time for a new session of that capacity, or seats of the shared session that starts then, up to capacity_limit if that is more than it has. Returns the session''s id, null if the time or the seats are taken. The caller stores the booking that the seats are for, and locked no session before without the room''s lock.';

create function private.refuse_taken_slot()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.fail('slot_taken', 409, 'Choose another time: this one was just taken.');
end
$$;

comment on function private.refuse_taken_slot is 'Raises 409 slot_taken.';

create function private.wanted_seats(slot private.slot, exclusive boolean)
returns int
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when exclusive then slot.capacity else slot.party_size end;
end
$$;

comment on function private.wanted_seats is 'Seats that the slot''s party takes: its own, or all of them.';

create function private.claim_slot(room public.rooms, slot private.slot, exclusive boolean, by_staff boolean)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
declare
  session_id uuid;
begin
  -- It was expanded by a clock that the location may have changed since.
  if private.locked_zone(room.organization_id, room.id) is distinct from slot.timezone then
    perform private.refuse_taken_slot();
  end if;
  session_id := private.claim_session(
    room.organization_id, room.id, slot.starts_at, slot.ends_at, slot.occupied_until, room.mode,
    slot.capacity, private.wanted_seats(slot, exclusive),
    capacity_limit => case when by_staff and not exclusive then room.capacity_limit end
  );
  if session_id is null then
    perform private.refuse_taken_slot();
  end if;
  return session_id;
end
$$;

comment on function private.claim_slot is
  'Takes the slot for its party, or all its seats. Raises 409 slot_taken.';

create function private.extend_hold(organization_id uuid, booking_id uuid, until timestamptz)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings := private.locked_booking(extend_hold.organization_id, extend_hold.booking_id);
begin
  if booking.hold_expires_at is null or booking.hold_expires_at <= now() then
    return false;
  elsif booking.hold_expires_at >= extend_hold.until then
    return true;
  elsif booking.hold_extended_at is not null then
    return false;
  end if;
  update public.bookings as b
  set hold_expires_at = extend_hold.until, hold_extended_at = now()
  where b.organization_id = booking.organization_id and b.id = booking.id;
  return true;
end
$$;

comment on function private.extend_hold is
  'Whether the booking, held or pending, now keeps its seats at least until then. That is extended once, and not after it has lapsed. Raises 404 booking_not_found.';

create function private.retake_seats(booking public.bookings)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
begin
  return (
    select private.claim_session(
      s.organization_id, s.room_id, s.starts_at, s.ends_at, s.occupied_until, s.mode, s.capacity, booking.seats
    )
    from public.sessions as s
    where s.organization_id = booking.organization_id and s.id = booking.session_id
  );
end
$$;

comment on function private.retake_seats is
  'The session that now has the seats of a booking that gave them back; null: they are somebody else''s. The caller holds the room, too, and writes the booking.';

create function private.reclaim_booking(organization_id uuid, booking_id uuid)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings := private.locked_for_change(
    reclaim_booking.organization_id, reclaim_booking.booking_id, null
  );
  claimed_id uuid;
begin
  if booking.takes_capacity then
    return true;
  elsif booking.starts_at <= now() or private.is_erased(booking) then
    return false;
  end if;

  begin
    claimed_id := private.retake_seats(booking);
    if claimed_id is null then
      return false;
    end if;

    update public.bookings as b
    set session_id = claimed_id, status = 'pending', status_reason = 'reclaimed',
      hold_expires_at = private.pending_until(s.ends_at)
    from public.sessions as s
    where b.organization_id = booking.organization_id
      and b.id = booking.id
      and s.organization_id = booking.organization_id
      and s.id = claimed_id;
  exception
    -- Its extras or its coupon's use are somebody else's by now (private.retake_options).
    when sqlstate 'PT409' or sqlstate 'PT422' then
      return false;
  end;
  return true;
end
$$;

comment on function private.reclaim_booking is
  'Takes the seats of an expired or cancelled booking again if they, its extras and its coupon''s use are free and the start is to come; it is then pending. True for a booking that has its seats. Whoever locked the booking before took the room''s lock first. Raises 404 booking_not_found.';

create function private.end_at_deadline(organization_ids uuid [], booking_ids uuid [])
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  ended int := 0;
begin
  update public.bookings as b
  set status = d.to_status, status_reason = d.reason, hold_expires_at = null
  from unnest(end_at_deadline.organization_ids, end_at_deadline.booking_ids) as past (organization_id, id)
  cross join private.booking_deadlines as d
  where b.organization_id = past.organization_id
    and b.id = past.id
    and coalesce(b.hold_expires_at <= now(), true)
    and d.status = b.status;
  get diagnostics ended = row_count;
  return ended;
exception
  when others then
    if cardinality(booking_ids) = 1 then
      raise warning 'booking % stays past its deadline: %', booking_ids[1], sqlerrm;
      return 0;
    end if;
    -- One that cannot be ended must not keep the others.
    for place in 1..cardinality(booking_ids) loop
      ended := ended + private.end_at_deadline(array[organization_ids[place]], array[booking_ids[place]]);
    end loop;
    return ended;
end
$$;

comment on function private.end_at_deadline is
  'Gives locked bookings that are past their deadlines the end that private.booking_deadlines says, all at once, or one by one when one of them fails, which is warned of. Returns how many.';

create function private.expire_lapsed_holds(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  organization_ids uuid [];
  booking_ids uuid [];
  expired int := 0;
begin
  perform private.act_as('system', null);
  -- Session and booking are locked together without waiting: what somebody else holds is
  -- being dealt with.
  select array_agg(lapsed.organization_id), array_agg(lapsed.id) into organization_ids, booking_ids
  from (
    select b.organization_id, b.id
    from public.bookings as b
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    where b.hold_expires_at <= now()
    order by b.hold_expires_at
    limit expire_lapsed_holds.max
    for no key update of s, b skip locked
  ) as lapsed;
  if booking_ids is not null then
    perform private.lock_vouchers_of(organization_ids, booking_ids);
    expired := private.end_at_deadline(organization_ids, booking_ids);
  end if;
  return expired;
end
$$;

comment on function private.expire_lapsed_holds is
  'Expires at most so many bookings that are held or pending past their deadline, oldest first, and returns how many. Tidying only: availability and claims do not wait for it.';

create function private.end_past_visits(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  organization_ids uuid [];
  booking_ids uuid [];
  ended int := 0;
begin
  perform private.act_as('system', null);
  select array_agg(past.organization_id), array_agg(past.id) into organization_ids, booking_ids
  from (
    select b.organization_id, b.id
    from public.bookings as b
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    join private.booking_deadlines as d on d.status = b.status
    where b.status in ('confirmed', 'checked_in', 'in_progress')
      and d.counted_from = 'session_end'
      -- The index reads the past only; the second line says how much of it is over.
      and b.starts_at < now()
      and s.ends_at <= now() - d.after
      -- Somebody who has just taken something back is about to say what is so.
      and not exists (
        select from public.booking_history as h
        where h.organization_id = b.organization_id
          and h.booking_id = b.id
          and h.occurred_at > now() - interval '1 hour'
          and private.takes_back(h.from_status, h.to_status)
      )
    order by b.starts_at
    limit end_past_visits.max
    for no key update of s, b skip locked
  ) as past;
  if booking_ids is not null then
    ended := private.end_at_deadline(organization_ids, booking_ids);
  end if;
  return ended;
end
$$;

comment on function private.end_past_visits is
  'Completes at most so many visits whose end nobody wrote down, oldest first, and returns how many; private.booking_deadlines says how long after the session.';
