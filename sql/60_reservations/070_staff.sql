-- Bookings from the staff's side.

create function private.mark_no_show(booking public.bookings, reason text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  excess bigint;
begin
  perform private.transition(booking.organization_id, booking.id, 'no_show', mark_no_show.reason);
  excess := private.booking_refundable(booking.organization_id, booking.id) - private.no_show_fee(booking);
  if excess > 0 then
    perform private.request_refund(booking.organization_id, booking.id, excess, 'no_show');
  end if;
end
$$;

comment on function private.mark_no_show is
  'Notes of a locked booking that nobody came, and queues the refund of what was paid beyond the no-show fee of its terms.';

create function private.undo_cancellation(booking public.bookings, reason text)
returns public.undone_refunds
language plpgsql
volatile
set search_path = ''
as $$
declare
  claimed_id uuid;
begin
  perform private.refuse_undo(booking, 'confirmed', undo_cancellation.reason);
  claimed_id := private.retake_seats(booking);
  if claimed_id is null then
    perform private.refuse_taken_slot();
  end if;
  update public.bookings as b
  set session_id = claimed_id,
    status = 'confirmed',
    status_reason = private.shown_reason(undo_cancellation.reason),
    cancel_refund = null
  where b.organization_id = booking.organization_id and b.id = booking.id;
  perform private.keep_reason(booking.organization_id, booking.id, undo_cancellation.reason);
  return private.withdraw_refunds(booking, 'cancelled');
end
$$;

comment on function private.undo_cancellation is
  'Takes the seats of a cancelled booking again, and back what was promised of its money and nobody began to pay; the caller holds the room, too. Raises what private.refuse_undo does, 409 slot_taken, and what keeps its extras and coupon from it (private.retake_options).';

create function private.transition_booking(
  organization_id uuid,
  booking_id uuid,
  to_status text,
  reason text,
  refund text
)
returns public.desk_booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
  needed text;
  undo public.undone_refunds;
  answer public.desk_booking;
begin
  perform private.require_permission(transition_booking.organization_id, 'bookings:read');
  if length(private.clean_note(transition_booking.reason)) > 500 then
    perform private.fail('reason_too_long', 422, 'Give a reason of at most 500 characters.');
  elsif transition_booking.refund is null or transition_booking.refund not in ('full', 'terms', 'none') then
    perform private.fail('refund_invalid', 422, 'Choose full, terms or none.');
  elsif transition_booking.to_status = 'cancelled'
    and transition_booking.refund <> 'full'
    and not private.is_reason(transition_booking.reason, 500)
  then
    perform private.fail('reason_missing', 422, 'Say why not all of the money goes back.');
  end if;
  if transition_booking.to_status = 'confirmed' and exists (
    select from public.bookings as b
    where b.organization_id = transition_booking.organization_id
      and b.id = transition_booking.booking_id
      and b.status = 'cancelled'
  ) then
    -- It will claim its time again.
    booking := private.locked_for_change(transition_booking.organization_id, transition_booking.booking_id, null);
  else
    booking := private.locked_booking(transition_booking.organization_id, transition_booking.booking_id);
    if booking.status = 'cancelled' and transition_booking.to_status = 'confirmed' then
      perform private.fail('booking_changed', 409, 'Somebody else just cancelled the booking: look at it again.');
    end if;
  end if;

  if transition_booking.to_status <> 'cancelled' then
    perform private.refuse_merged(booking);
  end if;

  select t.permission into needed
  from private.booking_transitions as t
  where t.from_status = booking.status and t.to_status = transition_booking.to_status;
  if booking.status = transition_booking.to_status then
    -- Asked again, as after a lost answer, by somebody who may bring it there.
    select min(t.permission) into needed
    from private.booking_transitions as t
    where t.to_status = transition_booking.to_status and not t.undoes;
  end if;
  if needed is null then
    perform private.refuse_transition(booking.status, transition_booking.to_status);
  end if;
  perform private.require_permission(transition_booking.organization_id, needed);
  -- What is over may end; nothing comes back, since nobody could be told of it.
  if booking.status <> transition_booking.to_status and (
    private.takes_back(booking.status, transition_booking.to_status)
    or booking.status in ('held', 'pending') and transition_booking.to_status in ('pending', 'confirmed')
  ) then
    perform private.refuse_erased(booking);
  end if;

  if booking.status = transition_booking.to_status then
    null; -- it is as wished
  elsif transition_booking.to_status = 'cancelled' then
    perform private.cancel(booking, transition_booking.reason, transition_booking.refund);
  elsif transition_booking.to_status = 'no_show' then
    perform private.mark_no_show(booking, transition_booking.reason);
  elsif booking.status = 'cancelled' and transition_booking.to_status = 'confirmed' then
    undo := private.undo_cancellation(
      booking, case when private.is_reason(transition_booking.reason) then transition_booking.reason end
    );
  else
    perform private.transition(
      booking.organization_id, booking.id, transition_booking.to_status,
      -- What undoing demands is a reason in words; the trigger refuses none.
      case when not private.is_undo(booking.status, transition_booking.to_status) or private.is_reason(transition_booking.reason)
        then transition_booking.reason end
    );
    if private.is_undo(booking.status, transition_booking.to_status) then
      undo := private.withdraw_refunds(booking, case booking.status when 'no_show' then 'no_show' end);
    end if;
  end if;

  select b.* into booking
  from public.bookings as b
  where b.organization_id = transition_booking.organization_id and b.id = transition_booking.booking_id;
  answer := private.desk_booking(booking);
  answer.undo := undo;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.transition_booking is
  'definer: writes status and history, which no client may write.';
grant execute on function private.transition_booking to authenticated;

create function public.transition_booking(
  organization_id uuid,
  booking_id uuid,
  to_status text,
  reason text default null,
  refund text default 'full'
)
returns public.desk_booking
language sql
volatile
set search_path = ''
as $$ select private.transition_booking(organization_id, booking_id, to_status, reason, refund) $$;

comment on function public.transition_booking is
  'Moves a booking to its next status and returns it, also when it has that status already; a party that did not come gets back what it paid beyond the no-show fee of its terms. refund: what goes back when the venue cancels: full, or with a reason terms (as agreed, when the customer asked for it) or none; the history keeps it. A party is checked in, and its game started and ended, from the location''s check_in_hours before the start on, and marked as no-show from no_show_minutes after it on. Each of these is taken back by moving the booking to the status that it came from, with a reason, within undo_hours, a cancellation while its place, extras and coupon''s use are free, with a new confirmation to the customer; the refund of a no-show or a cancellation that was not carried out yet is withdrawn (undo says how much). For members: bookings:read, and bookings:update to confirm, bookings:check_in to check in, start, complete or mark as no-show, bookings:cancel to cancel, bookings:undo to take back; fields and customer_note are null without customers:read. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 booking_merged (details {"booking_id", "reference"}), transition_not_allowed (details {"from", "to", "allowed"}), too_early (details {"opens_at"}), undo_too_late (details {"until"}), waiver_missing (a game starts, or ends that nobody started), slot_taken, booking_changed, customer_erased (nothing of an erased customer''s comes back), extra_sold_out (details {"extra_id", "left"}); 422 reason_too_long, reason_missing, refund_invalid, coupon_max_uses, coupon_max_uses_per_customer.';
grant execute on function public.transition_booking to authenticated;

create function private.staff_slot(room public.rooms, starts_at timestamptz, party_size int)
returns private.slot
language plpgsql
stable
set search_path = ''
as $$
declare
  capacity_limit int := coalesce(room.capacity_limit, room.maximum_party);
  timezone text;
  slot private.slot;
begin
  if party_size is null or party_size not between 1 and capacity_limit then
    perform private.fail(
      'party_size_invalid', 422, 'Choose a party size that the room can hold.',
      jsonb_build_object('minimum', 1, 'maximum', capacity_limit)
    );
  elsif starts_at is null or not isfinite(starts_at) then
    perform private.fail('start_invalid', 422, 'Give the start of the session.');
  elsif starts_at > now() + interval '5 years' then
    perform private.fail(
      'too_far_ahead', 422, 'Choose an earlier time.', jsonb_build_object('maximum_advance_days', 5 * 365)
    );
  end if;

  select l.timezone into timezone
  from public.locations as l
  where l.organization_id = room.organization_id and l.id = room.location_id;
  slot := row(
    room.id, staff_slot.starts_at,
    staff_slot.starts_at + make_interval(mins => room.duration_minutes),
    staff_slot.starts_at + make_interval(mins => room.duration_minutes + room.turnaround_minutes),
    staff_slot.starts_at at time zone timezone, timezone, room.mode,
    -- A private session and a new shared one have the seats that the room sells, or as many
    -- as the party needs.
    greatest(room.maximum_party, staff_slot.party_size),
    greatest(room.maximum_party, staff_slot.party_size),
    staff_slot.party_size
  )::private.slot;
  if slot.ends_at <= now() then
    perform private.fail('slot_in_past', 422, 'Choose a time that is not over.');
  end if;
  return slot;
end
$$;

comment on function private.staff_slot is
  'The session that staff may make of the room at any time that is not over, on its schedule or not, with or without notice, for a party of up to capacity_limit; whether the time is free decides the claim. Raises 422 party_size_invalid (details {"minimum", "maximum"}), start_invalid, too_far_ahead, slot_in_past.';

create function private.check_override(organization_id uuid, price_cents bigint, reason text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if price_cents is null then
    return;
  end if;
  perform private.require_permission(check_override.organization_id, 'pricing:override');
  if not private.is_reason(reason, 500) then
    perform private.fail('override_reason_invalid', 422, 'Say in 1 to 500 characters why the price is another one.');
  end if;
end
$$;

comment on function private.check_override is
  'Whether the caller may set a price of the seats, and said why; null: nothing is set. Raises 403 permission_denied, 422 override_reason_invalid.';

create function private.create_booking(
  organization_id uuid,
  request private.booking_request,
  idempotency_key text
)
returns public.desk_booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := create_booking.organization_id || ':create_booking';
  stored jsonb;
  room public.rooms;
  calendar public.calendars;
  slot private.slot;
  guest private.guest;
  quote public.quote;
  session_id uuid;
  booking public.bookings;
  answer public.desk_booking;
begin
  perform private.require_permission(create_booking.organization_id, 'bookings:create');
  perform private.check_override(create_booking.organization_id, request.price_cents, request.override_reason);
  perform private.count_typed_code(create_booking.organization_id, request.coupon_code);
  stored := private.idempotent_begin(scope, create_booking.idempotency_key, to_jsonb(request));
  if stored is null then
    if request.source is null or request.source not in ('direct', 'marketplace', 'api') then
      perform private.fail('source_invalid', 422, 'Choose direct, marketplace or api.');
    elsif length(private.clean_note(request.customer_note)) > 2000
      or length(private.clean_note(request.staff_note)) > 5000 then
      perform private.fail('note_too_long', 422, 'Write at most 2000 characters for the customer, 5000 for the staff.');
    elsif request.pay_within_hours not between 1 and 720 then
      perform private.fail(
        'pay_within_invalid', 422, 'Leave 1 to 720 hours for the payment, or leave it out.',
        jsonb_build_object('minimum', 1, 'maximum', 720)
      );
    end if;
    perform private.take_booking_allowance(create_booking.organization_id, by_staff => true);
    select r.* into room
    from public.rooms as r
    where r.organization_id = create_booking.organization_id and r.id = request.room_id and not r.is_archived;
    if not found then
      perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
    end if;
    select c.* into calendar
    from public.calendars as c
    where c.organization_id = create_booking.organization_id and c.id = request.calendar_id;
    if not found and request.calendar_id is not null then
      perform private.fail('calendar_not_found', 404, 'Choose one of the organization''s calendars.');
    end if;
    -- Staff need not ask, at the telephone or the door; what they were told is checked.
    if coalesce(request.fields, '{}') in ('{}', 'null') then
      request.fields := null;
    else
      request.fields := private.checked_fields(calendar, request.fields, request.room_id);
    end if;
    guest := private.checked_customer(
      request.customer,
      (select o.locale from public.organizations as o where o.id = create_booking.organization_id),
      may_lack_email => true
    );
    request.locale := guest.locale;
    request.override_reason := trim(request.override_reason);
    slot := private.staff_slot(room, request.starts_at, request.party_size);

    -- Known before the quote, since coupons count the uses of a customer.
    select c.id into request.customer_id
    from public.customers as c
    where c.organization_id = room.organization_id and c.email = guest.email;
    quote := private.quote(room.organization_id, slot, request);
    if request.expected_total_cents is not null then
      perform private.refuse_total(quote, request.expected_total_cents);
    end if;

    session_id := private.claim_slot(room, slot, coalesce(request.exclusive, false), true);
    request.customer_id := private.customer_with_email(room.organization_id, guest);
    booking := private.make_booking(
      room.organization_id, session_id, slot, request, guest, quote,
      'pending', private.pending_until(slot.ends_at, request.pay_within_hours)
    );
    if booking.status = 'pending' and booking.due_now_cents = 0 then
      perform private.transition(booking.organization_id, booking.id, 'confirmed', 'nothing_due');
    end if;
    answer := (
      select private.desk_booking(b)
      from public.bookings as b
      where b.organization_id = booking.organization_id and b.id = booking.id
    );
    perform private.idempotent_end(scope, create_booking.idempotency_key, to_jsonb(answer));
    if guest.email is not null then
      if answer.status = 'pending' then
        perform private.announce_pending(booking);
      end if;
      perform private.limit_mail(booking.organization_id, guest.email, 'desk');
    end if;
  else
    answer := jsonb_populate_record(null::public.desk_booking, stored);
  end if;

  -- The token is derived, not stored: a replay shows it again.
  answer.manage_token := private.derived_token('booking', answer.id::text);
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_booking is
  'definer: writes sessions, customers and bookings, which no client may write. Asks for bookings:create.';
grant execute on function private.create_booking to authenticated;

create function public.create_booking(
  organization_id uuid,
  room_id uuid,
  starts_at timestamptz,
  party_size int,
  customer jsonb,
  idempotency_key text,
  calendar_id uuid default null,
  source text default 'direct',
  extras jsonb default '[]',
  coupon_code text default null,
  voucher_code text default null,
  exclusive boolean default false,
  fields jsonb default '{}',
  customer_note text default '',
  staff_note text default '',
  price_cents bigint default null,
  override_reason text default null,
  expected_total_cents bigint default null,
  pay_within_hours int default null
)
returns public.desk_booking
language plpgsql
volatile
set search_path = ''
as $$
declare
  request private.booking_request;
begin
  request.room_id := room_id;
  request.starts_at := starts_at;
  request.party_size := party_size;
  request.customer := customer;
  request.calendar_id := calendar_id;
  request.source := source;
  request.extras := extras;
  request.coupon_code := coupon_code;
  request.voucher_code := voucher_code;
  request.exclusive := exclusive;
  request.fields := fields;
  request.customer_note := customer_note;
  request.staff_note := staff_note;
  request.price_cents := price_cents;
  request.override_reason := override_reason;
  request.expected_total_cents := expected_total_cents;
  request.pay_within_hours := pay_within_hours;
  return private.create_booking(organization_id, request, idempotency_key);
end
$$;

comment on function public.create_booking is
  'Books for a customer from the venue''s side, at any time that is not over (a party at the door too), whatever notice, advance and opening hours say, for up to the room''s capacity_limit; what is booked already stands. customer: {full_name, email?, phone?, locale?}, to whom nothing is mailed without an email, and with one the confirmation, or after two minutes the link to pay while it is pending; source: direct, marketplace or api; price_cents: what the seats cost instead of the calculated price, under pricing:override and with override_reason; expected_total_cents: refused when the total is another; pay_within_hours: how long it may stay unpaid, 1 to 720, else 72, and never past the game''s end. The booking is pending until what is due is paid (record_payment, or online with its link) or somebody confirms it, at most until hold_expires_at; confirmed when nothing is due. For members with bookings:create. Errors: 403 permission_denied, organization_suspended; 404 room_not_found, calendar_not_found; 409 slot_taken, plan_limit_reached (details {"limit", "maximum", "used", "plan"}), total_changed (details {"total_cents"}), extra_sold_out (details {"extra_id", "left"}); 422 party_size_invalid (details {"minimum", "maximum"}), start_invalid, slot_in_past, too_far_ahead, exclusive_not_offered, customer_invalid (details {"field"}), field_invalid, note_too_long, source_invalid, price_invalid, override_reason_invalid, pay_within_invalid (details {"minimum", "maximum"}), idempotency_key_invalid, idempotency_key_reused, coupon_max_uses_per_customer, and those of extras, coupons and vouchers as in quote_booking; 429 mail_limit_reached (details {"limit", "maximum"}; without an email there is no limit).';
grant execute on function public.create_booking to authenticated;
