-- Changing a booking from the staff's side; changes.sql says what a change is.

create function private.refuse_staff_change(booking public.bookings)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if booking.status not in ('held', 'pending', 'confirmed', 'checked_in') or booking.hold_expires_at <= now() then
    perform private.refuse_reschedule();
  end if;
end
$$;

comment on function private.refuse_staff_change is
  'Raises 409 not_reschedulable for a booking whose game has begun or that is over.';

create function private.quote_change(organization_id uuid, change private.booking_request)
returns public.change_quote
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
begin
  perform private.require_permission(quote_change.organization_id, 'bookings:update');
  perform private.check_override(quote_change.organization_id, change.price_cents, change.override_reason);
  perform private.count_typed_code(quote_change.organization_id, change.coupon_code);
  select b.* into booking
  from public.bookings as b
  where b.organization_id = quote_change.organization_id and b.id = change.booking_id;
  if not found then
    perform private.fail('booking_not_found', 404, 'Check the booking''s id.');
  end if;
  perform private.refuse_staff_change(booking);
  return private.quoted_change(booking, change, true);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.quote_change is
  'definer: prices with what no client may read. Asks for bookings:update.';
grant execute on function private.quote_change to authenticated;

create function public.quote_change(
  organization_id uuid,
  booking_id uuid,
  starts_at timestamptz default null,
  room_id uuid default null,
  party_size int default null,
  exclusive boolean default null,
  price_cents bigint default null,
  override_reason text default null,
  extras jsonb default null,
  coupon_code text default null,
  new_terms boolean default false
)
returns public.change_quote
language plpgsql
stable
set search_path = ''
as $$
declare
  change private.booking_request;
begin
  change.booking_id := booking_id;
  change.starts_at := starts_at;
  change.room_id := room_id;
  change.party_size := party_size;
  change.exclusive := exclusive;
  change.price_cents := price_cents;
  change.override_reason := override_reason;
  change.extras := extras;
  change.coupon_code := coupon_code;
  change.new_terms := coalesce(new_terms, false);
  return private.quote_change(organization_id, change);
end
$$;

comment on function public.quote_change is
  'What change_booking would make of the price. For members with bookings:update, and pricing:override for price_cents. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found, room_not_found; 409 not_reschedulable, extra_sold_out; 422 party_size_invalid, start_invalid, slot_in_past, too_far_ahead, exclusive_not_offered, price_invalid, override_reason_invalid, coupon_max_uses_per_customer, and those of extras and coupons as in quote_booking.';
grant execute on function public.quote_change to authenticated;

create function private.change_booking(
  organization_id uuid,
  change private.booking_request,
  idempotency_key text
)
returns public.desk_booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := change_booking.organization_id || ':change_booking';
  booking public.bookings;
  stored jsonb;
  answer public.desk_booking;
begin
  perform private.require_permission(change_booking.organization_id, 'bookings:update');
  perform private.check_override(change_booking.organization_id, change.price_cents, change.override_reason);
  perform private.count_typed_code(change_booking.organization_id, change.coupon_code);
  stored := private.idempotent_begin(scope, change_booking.idempotency_key, to_jsonb(change));
  if stored is not null then
    return jsonb_populate_record(null::public.desk_booking, stored);
  end if;
  if length(private.clean_note(change.reason)) > 500 then
    perform private.fail('reason_too_long', 422, 'Give a reason of at most 500 characters.');
  end if;
  booking := private.locked_for_change(change_booking.organization_id, change.booking_id, change.room_id);
  perform private.refuse_staff_change(booking);
  perform private.apply_change(booking, change, true);
  answer := (
    select private.desk_booking(b)
    from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id
  );
  perform private.idempotent_end(scope, change_booking.idempotency_key, to_jsonb(answer));
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.change_booking is
  'definer: writes sessions, bookings and the ledger, which no client may write. Asks for bookings:update.';
grant execute on function private.change_booking to authenticated;

create function public.change_booking(
  organization_id uuid,
  booking_id uuid,
  idempotency_key text,
  starts_at timestamptz default null,
  room_id uuid default null,
  party_size int default null,
  exclusive boolean default null,
  price_cents bigint default null,
  override_reason text default null,
  expected_total_cents bigint default null,
  reason text default null,
  extras jsonb default null,
  coupon_code text default null,
  new_terms boolean default false
)
returns public.desk_booking
language plpgsql
volatile
set search_path = ''
as $$
declare
  change private.booking_request;
begin
  change.booking_id := booking_id;
  change.starts_at := starts_at;
  change.room_id := room_id;
  change.party_size := party_size;
  change.exclusive := exclusive;
  change.price_cents := price_cents;
  change.override_reason := override_reason;
  change.expected_total_cents := expected_total_cents;
  change.reason := reason;
  change.extras := extras;
  change.coupon_code := coupon_code;
  change.new_terms := coalesce(new_terms, false);
  return private.change_booking(organization_id, change, idempotency_key);
end
$$;

comment on function public.change_booking is
  'Staff move a booking to another time that is not over, on the schedule or not, to another room, party (up to capacity_limit) or price, give it a shared session for itself, exactly these extras ([{extra_id, quantity}], [] for none) or another coupon (coupon_code, empty for none), until its game starts; null: as it is. What was paid too much goes back by a queued refund, what is missing is open; a confirmed booking stays confirmed. price_cents (what the seats cost) takes pricing:override and override_reason; expected_total_cents: refused when the total is another; reason: for the history; new_terms: the customer agreed to the room''s present terms about cancelling, else those of the booking stay. For members with bookings:update. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found, room_not_found; 409 not_reschedulable, slot_taken, total_changed (details {"total_cents"}), booking_changed, extra_sold_out (details {"extra_id", "left"}); 422 nothing_to_change, party_size_invalid, start_invalid, slot_in_past, too_far_ahead, exclusive_not_offered, price_invalid, override_reason_invalid, reason_too_long, idempotency_key_invalid, idempotency_key_reused, coupon_max_uses_per_customer, and those of extras and coupons as in quote_booking.';
grant execute on function public.change_booking to authenticated;
