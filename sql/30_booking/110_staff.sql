-- Bookings and rooms from the staff's side.

create function private.transition_booking(organization_id uuid, booking_id uuid, to_status text, reason text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
  needed text;
begin
  perform private.require_permission(transition_booking.organization_id, 'bookings:read');
  if length(transition_booking.reason) > 500 then
    perform private.fail('reason_too_long', 422, 'Give a reason of at most 500 characters.');
  end if;
  booking := private.locked_booking(transition_booking.organization_id, transition_booking.booking_id);

  select t.permission into needed
  from private.booking_transitions as t
  where t.from_status = booking.status and t.to_status = transition_booking.to_status;
  if needed is null then
    perform private.refuse_transition(booking.status, transition_booking.to_status);
  end if;
  perform private.require_permission(transition_booking.organization_id, needed);

  if transition_booking.to_status = 'cancelled' then
    perform private.cancel(booking, transition_booking.reason);
  else
    perform private.transition(
      booking.organization_id, booking.id, transition_booking.to_status, transition_booking.reason
    );
  end if;

  select b.* into booking
  from public.bookings as b
  where b.organization_id = transition_booking.organization_id and b.id = transition_booking.booking_id;
  return jsonb_build_object('id', booking.id) || private.booking_json(booking);
end
$$;

comment on function private.transition_booking(uuid, uuid, text, text) is
  'definer: writes status and history, which no client may write.';
grant execute on function private.transition_booking(uuid, uuid, text, text) to authenticated;

create function public.transition_booking(
  organization_id uuid,
  booking_id uuid,
  to_status text,
  reason text default null
)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.transition_booking(organization_id, booking_id, to_status, reason) $$;

comment on function public.transition_booking(uuid, uuid, text, text) is
  'Moves a booking to its next status and returns it; cancelling queues the refund that the booking''s terms give. For members: bookings:read, and bookings:update to confirm, bookings:check_in to check in, start, complete or mark as no-show, bookings:cancel to cancel. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 transition_not_allowed (details {"from", "to", "allowed"}); 422 reason_too_long.';
grant execute on function public.transition_booking(uuid, uuid, text, text) to authenticated;

create function private.block_room(
  organization_id uuid,
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  reason text
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  session_id uuid;
begin
  perform private.require_permission(block_room.organization_id, 'schedules:manage');
  if starts_at is null or ends_at is null or not isfinite(starts_at) or not isfinite(ends_at)
    or ends_at <= starts_at or ends_at - starts_at > interval '366 days'
  then
    perform private.fail('block_range_invalid', 422, 'Give a start and a later end, at most 366 days apart.');
  elsif length(block_room.reason) > 500 then
    perform private.fail('reason_too_long', 422, 'Give a reason of at most 500 characters.');
  elsif not exists (
    select from public.rooms as r
    where r.organization_id = block_room.organization_id and r.id = block_room.room_id
  ) then
    perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
  end if;
  session_id := private.claim_session(
    block_room.organization_id, block_room.room_id, block_room.starts_at, block_room.ends_at, block_room.ends_at,
    'block', 0, 0, coalesce(block_room.reason, '')
  );
  if session_id is null then
    perform private.fail('slot_taken', 409, 'Move or cancel what is booked in that time, or choose another.');
  end if;
  return jsonb_build_object(
    'session_id', session_id,
    'room_id', block_room.room_id,
    'starts_at', block_room.starts_at,
    'ends_at', block_room.ends_at,
    'reason', coalesce(block_room.reason, '')
  );
end
$$;

comment on function private.block_room(uuid, uuid, timestamptz, timestamptz, text) is
  'definer: writes sessions, which no client may write.';
grant execute on function private.block_room(uuid, uuid, timestamptz, timestamptz, text) to authenticated;

create function public.block_room(
  organization_id uuid,
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  reason text default ''
)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.block_room(organization_id, room_id, starts_at, ends_at, reason) $$;

comment on function public.block_room(uuid, uuid, timestamptz, timestamptz, text) is
  'Takes a room off sale for a time in which nothing is booked: {session_id, room_id, starts_at, ends_at, reason}. For members with schedules:manage. Errors: 403 permission_denied, organization_suspended; 404 room_not_found; 409 slot_taken; 422 block_range_invalid, reason_too_long.';
grant execute on function public.block_room(uuid, uuid, timestamptz, timestamptz, text) to authenticated;

create function private.unblock_room(organization_id uuid, session_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(unblock_room.organization_id, 'schedules:manage');
  update public.sessions as s
  set status = 'cancelled'
  where s.organization_id = unblock_room.organization_id
    and s.id = unblock_room.session_id
    and s.mode = 'block'
    and s.status = 'scheduled';
  if not found then
    perform private.fail('block_not_found', 404, 'Choose a block that stands.');
  end if;
  return jsonb_build_object('session_id', unblock_room.session_id, 'status', 'cancelled');
end
$$;

comment on function private.unblock_room(uuid, uuid) is
  'definer: writes sessions, which no client may write.';
grant execute on function private.unblock_room(uuid, uuid) to authenticated;

create function public.unblock_room(organization_id uuid, session_id uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.unblock_room(organization_id, session_id) $$;

comment on function public.unblock_room(uuid, uuid) is
  'Puts the time of a block back on sale: {session_id, status}. For members with schedules:manage. Errors: 403 permission_denied, organization_suspended; 404 block_not_found.';
grant execute on function public.unblock_room(uuid, uuid) to authenticated;
