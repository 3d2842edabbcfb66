-- Bookings from the staff's side.

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
