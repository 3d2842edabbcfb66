-- Changing a booking: another time, room or party, the room for oneself, other extras, another
-- coupon or price.
--
-- One transaction releases the old seats, claims the new ones, prices anew, settles the
-- difference and writes the history; refused, it changes nothing.
--
-- Who may: staff with bookings:update until the game starts; the customer as long as
--   cancelling would be refunded in full (else a change would be a way around the tiers), to what
--   the public calendar offers by which the booking is managed.
-- The price: calculated anew with the same options, or with those that are changed. A price that
--   staff agreed holds while room, party and exclusiveness stay; then the calculated one counts
--   again. What a booking has of an extra or coupon it keeps, though nobody else would get it now.
-- The money: what was paid stays with the booking. Paid beyond the new total goes back, as a
--   queued refund. A difference that is owed never takes the place away: a confirmed booking
--   stays confirmed, the difference is open (open_cents) and can be paid online or at the desk;
--   a held or pending one keeps its deadline, and is confirmed once what is due is covered.
--   What was paid already is never less than what is due, so a deposit is not handed back.

create function private.named_extras(organization_id uuid, request private.booking_request)
returns public.booked_extra []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(x.id, private.text_in(x.names, request.locale), wanted.quantity)::public.booked_extra
    from unnest(private.wanted_extras(request.extras)) as wanted
    join public.extras as x on x.organization_id = named_extras.organization_id and x.id = wanted.extra_id
    where wanted.quantity > 0
    order by x.position, x.id
  );
end
$$;

comment on function private.named_extras is
  'The extras of a request that was priced, in the order in which the venue shows them, without those of which there are none.';

create function private.changed_request(
  booking public.bookings,
  change private.booking_request,
  target public.bookings
)
returns private.booking_request
language plpgsql
stable
set search_path = ''
as $$
declare
  request private.booking_request := private.booking_options(booking);
begin
  -- Its money is in the ledger: it is not redeemed again.
  request.voucher_code := null;
  request.exclusive := target.exclusive;
  if nullif(change.extras, 'null') is not null then
    request.extras := change.extras;
  end if;
  if change.coupon_code is not null then
    request.coupon_code := nullif(trim(change.coupon_code), '');
  end if;
  if change.price_cents is not null then
    request.price_cents := change.price_cents;
    request.override_reason := trim(change.override_reason);
  elsif (target.room_id, target.party_size, target.exclusive)
    is distinct from (booking.room_id, booking.party_size, booking.exclusive)
  then
    request.price_cents := null;
    request.override_reason := null;
  end if;
  return request;
end
$$;

comment on function private.changed_request is
  'What a booking is priced with once it is the target: as it was, but for what the change says.';

create function private.changes_between(
  booking public.bookings,
  before private.booking_request,
  target public.bookings,
  after private.booking_request
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_object_agg(old.key, jsonb_build_array(old.value, new.value))
    from jsonb_each(to_jsonb(booking) || jsonb_build_object(
      'terms', private.booking_terms(booking),
      'extras', private.named_extras(booking.organization_id, before),
      'coupon_code', before.coupon_code
    )) as old
    join jsonb_each(to_jsonb(target) || jsonb_build_object(
      'extras', private.named_extras(booking.organization_id, after),
      'coupon_code', after.coupon_code
    )) as new on new.key = old.key
    where old.key in ('starts_at', 'room_id', 'party_size', 'exclusive', 'extras', 'coupon_code', 'total_cents', 'terms')
      and old.value <> new.value
  );
end
$$;

comment on function private.changes_between is
  'What of a booking is different, as public.booking_history keeps it: {field: [before, after]}; null: nothing.';

create function private.plan_change(
  booking public.bookings,
  change private.booking_request,
  by_staff boolean,
  out room public.rooms,
  out slot private.slot,
  out target public.bookings,
  out request private.booking_request,
  out quote public.quote,
  out changes jsonb,
  out keeps_price boolean
)
language plpgsql
stable
set search_path = ''
as $$
declare
  calendar public.calendars;
  session public.sessions;
  stays boolean;
  covered bigint;
begin
  target := booking;
  target.starts_at := coalesce(change.starts_at, booking.starts_at);
  target.room_id := coalesce(change.room_id, booking.room_id);
  target.party_size := coalesce(change.party_size, booking.party_size);
  stays := target.starts_at = booking.starts_at and target.room_id = booking.room_id;

  if by_staff then
    select r.* into room
    from public.rooms as r
    where r.organization_id = booking.organization_id
      and r.id = target.room_id
      -- What is booked in an archived room stays there, or goes elsewhere.
      and (not r.is_archived or stays);
    if not found then
      perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
    end if;
  else
    calendar := private.managing_calendar(booking);
    if calendar.id is null then
      perform private.refuse_reschedule();
    end if;
    room := private.public_room(calendar, target.room_id);
    if target.party_size not between room.minimum_party and room.maximum_party then
      perform private.refuse_party(room);
    end if;
  end if;

  if by_staff or stays then
    slot := private.staff_slot(room, target.starts_at, target.party_size);
  else
    -- Whether it is taken is for the claim to say: what is in the way may be this booking.
    slot := private.offered_slot(calendar, room, target.starts_at, target.party_size);
  end if;
  if stays then
    select s.* into session
    from public.sessions as s
    where s.organization_id = booking.organization_id and s.id = booking.session_id;
    slot.ends_at := session.ends_at;
    slot.occupied_until := session.occupied_until;
    slot.capacity := greatest(session.capacity, target.party_size);
  end if;

  target.exclusive := coalesce(change.exclusive, booking.exclusive and room.mode = 'shared');
  target.seats := private.wanted_seats(slot, target.exclusive);
  request := private.changed_request(booking, change, target);
  keeps_price := false;
  if change.as_agreed then
    begin
      quote := private.quote(booking.organization_id, slot, request);
    exception
      when sqlstate 'PT422' then
        -- Its coupon is none of that room's, or of such a total: it has it all the same.
        if sqlerrm not like 'coupon%' then
          raise;
        end if;
    end;
    keeps_price := coalesce(quote.total_cents >= booking.total_cents, true);
  else
    quote := private.quote(booking.organization_id, slot, request);
  end if;
  if not keeps_price then
    target.total_cents := quote.total_cents;
    target.tax_cents := quote.tax_cents;
    covered := private.booking_covered(booking.organization_id, booking.id);
    target.due_now_cents := private.chargeable_due(
      booking.organization_id, target.total_cents,
      greatest(quote.due_now_cents, least(covered, target.total_cents)),
      least(covered, target.total_cents)
    );
  end if;
  -- Who moves it agrees to what is shown with the new price; staff move it for somebody who may
  -- have agreed to nothing.
  target.terms := to_jsonb(case
    when coalesce(change.new_terms, not by_staff and not stays)
      then quote.terms
    else private.booking_terms(booking)
  end);
  if request.coupon_code is not null then
    -- As the venue writes it, whatever was typed.
    request.coupon_code := (private.coupon_with_code(booking.organization_id, request.coupon_code)).code;
  end if;
  changes := private.changes_between(booking, private.booking_options(booking), target, request);
end
$$;

comment on function private.plan_change is
  'What a booking would become, what it would then be priced with, what of it is different (null: nothing), and whether its price and lines stay as they are. Raises what private.offered_slot, for staff private.staff_slot, and private.quote raise, 404 room_not_found, 409 not_reschedulable.';

create function private.refuse_reschedule()
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail('not_reschedulable', 409, 'The booking can no longer be changed here; ask the venue.');
end
$$;

comment on function private.refuse_reschedule is 'Raises 409 not_reschedulable.';

create function private.is_reschedulable(booking public.bookings)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  terms record := private.cancellation_terms(booking);
  calendar public.calendars := private.managing_calendar(booking);
begin
  return terms.by_customer
    and terms.refund_percent = 100
    and not private.awaits_confirmation(booking)
    -- What the calendar no longer sells is not changed through it.
    and exists (
      select from public.calendar_rooms as cr
      join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
      where cr.organization_id = booking.organization_id
        and cr.calendar_id = calendar.id
        and cr.room_id = booking.room_id
        and r.is_published
    );
end
$$;

comment on function private.is_reschedulable is
  'Whether the customer may change the booking now: while cancelling it would be refunded in full, by a public calendar that sells its room. What is shown and what is allowed ask this one function.';

create type public.change_quote as (
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  party_size int,
  exclusive boolean,
  extras public.booked_extra [],
  currency text,
  lines public.price_line [],
  total_cents bigint,
  tax_cents bigint,
  due_now_cents bigint,
  difference_cents bigint,
  refund_cents bigint,
  open_cents bigint,
  terms public.cancellation_terms,
  disputed_cents bigint
);

comment on type public.change_quote is
  'What a change of a booking would cost. Amounts in minor units of currency, tax included.';
comment on column public.change_quote.room_id is 'The room.';
comment on column public.change_quote.starts_at is 'The start.';
comment on column public.change_quote.ends_at is 'The end of the game.';
comment on column public.change_quote.party_size is 'People.';
comment on column public.change_quote.exclusive is 'Whether the party would have a shared room for itself.';
comment on column public.change_quote.extras is 'In the order in which the venue shows them.';
comment on column public.change_quote.currency is 'ISO 4217.';
comment on column public.change_quote.lines is 'The seats, then extras, discounts and the fee.';
comment on column public.change_quote.total_cents is 'The new total.';
comment on column public.change_quote.tax_cents is 'The tax that total_cents contains.';
comment on column public.change_quote.due_now_cents is 'What must be paid for it to be confirmed, however it is paid.';
comment on column public.change_quote.difference_cents is 'The new total less the old.';
comment on column public.change_quote.refund_cents is 'What would go back at once.';
comment on column public.change_quote.disputed_cents is
  'What would go back beside refund_cents if the customer''s bank, which withholds its payment, decides for the venue; decided for the customer, the bank has given it back.';
comment on column public.change_quote.open_cents is 'What could still be asked for of the new total.';
comment on column public.change_quote.terms is 'What counts about cancelling once it was changed: moving it agrees to them.';

create function private.quoted_change(booking public.bookings, change private.booking_request, by_staff boolean)
returns public.change_quote
language plpgsql
stable
set search_path = ''
as $$
declare
  plan record := private.plan_change(booking, change, by_staff);
  target public.bookings := plan.target;
  quote public.quote := plan.quote;
  refundable bigint := private.booking_refundable(booking.organization_id, booking.id);
  excess bigint := greatest(refundable - target.total_cents, 0);
  -- What no bank withholds goes back before: private.request_refund.
  withheld bigint := greatest(excess - refundable + private.booking_disputed(booking.organization_id, booking.id), 0);
begin
  return row(
    target.room_id,
    target.starts_at,
    quote.ends_at,
    target.party_size,
    target.exclusive,
    private.named_extras(booking.organization_id, plan.request),
    quote.currency,
    quote.lines,
    quote.total_cents,
    quote.tax_cents,
    target.due_now_cents,
    target.total_cents - booking.total_cents,
    excess - withheld,
    private.booking_open(target),
    private.booking_terms(target),
    withheld
  )::public.change_quote;
end
$$;

comment on function private.quoted_change is
  'What a change would cost. Called in the statement that reads the booking, it counts the money of one moment. Raises what private.plan_change does.';

create function private.apply_change(
  booking public.bookings,
  change private.booking_request,
  by_staff boolean,
  has_left boolean default false
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan record;
  target public.bookings;
  actor jsonb := private.current_actor();
  excess bigint;
begin
  -- Seats of lapsed holds beside it are free, and no longer count for the session's size.
  perform private.reap_lapsed_holds(s.organization_id, s.room_id, s.during)
  from public.sessions as s
  where s.organization_id = booking.organization_id and s.id = booking.session_id;

  plan := private.plan_change(booking, change, by_staff);
  target := plan.target;
  if change.expected_total_cents is not null then
    perform private.refuse_total(plan.quote, change.expected_total_cents);
  end if;
  perform private.refuse_terms(private.booking_terms(target), change.expected_terms);

  if plan.changes is null then
    perform private.fail('nothing_to_change', 422, 'Choose another time, room, party, extras or price.');
  end if;

  if target.starts_at = booking.starts_at and target.room_id = booking.room_id then
    perform private.change_seats(booking, target, plan.room, by_staff);
  else
    if not has_left then
      perform private.release_seats(booking);
    end if;
    target.session_id := private.claim_slot(plan.room, plan.slot, target.exclusive, by_staff);
  end if;

  if not plan.keeps_price then
    perform private.drop_options(booking, (plan.request).coupon_code);
  end if;
  update public.bookings as b
  set session_id = target.session_id,
    room_id = target.room_id,
    starts_at = target.starts_at,
    party_size = target.party_size,
    exclusive = target.exclusive,
    seats = target.seats,
    total_cents = target.total_cents,
    tax_cents = target.tax_cents,
    due_now_cents = target.due_now_cents,
    terms = target.terms,
    hold_expires_at = case b.status
      when 'pending' then least(b.hold_expires_at, (plan.slot).ends_at) else b.hold_expires_at
    end
  where b.organization_id = booking.organization_id and b.id = booking.id
  returning b.* into target;
  if plan.keeps_price then
    perform private.check_extras(target);
  else
    perform private.take_options(target, plan.quote, plan.request);
  end if;

  insert into public.booking_history (
    organization_id, booking_id, from_status, to_status, reason, actor_kind, actor_id, change
  )
  values (
    target.organization_id, target.id, target.status, target.status, private.shown_reason(change.reason),
    actor ->> 'kind', (actor ->> 'id')::uuid, plan.changes
  );
  perform private.keep_reason(target.organization_id, target.id, change.reason);

  excess := private.booking_refundable(target.organization_id, target.id) - target.total_cents;
  if excess > 0 then
    perform private.request_refund(target.organization_id, target.id, excess, 'changed');
  end if;
  perform private.settle_booking(target.organization_id, target.id);
end
$$;

comment on function private.apply_change is
  'Changes a booking that private.locked_for_change locked and the caller may change, settles its money and writes the history; has_left: it gave its seats back before. Raises what private.plan_change and private.take_options raise, 409 slot_taken, total_changed, terms_changed, 422 nothing_to_change.';

create function private.change_seats(
  booking public.bookings,
  target public.bookings,
  room public.rooms,
  by_staff boolean
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update public.sessions as s
  set seats_taken = seats.wanted,
    capacity = case s.mode
      when 'shared' then greatest(seats.wanted, least(s.capacity, room.maximum_party))
      else greatest(s.capacity, seats.wanted)
    end
  from (
    select e.seats_taken - booking.seats + target.seats as wanted
    from public.sessions as e
    where e.organization_id = booking.organization_id and e.id = booking.session_id
  ) as seats
  where s.organization_id = booking.organization_id
    and s.id = booking.session_id
    and (
      seats.wanted <= s.capacity
      -- Nobody else is there, or staff let more people in than the room sells.
      or seats.wanted = target.seats and seats.wanted = target.party_size
      or by_staff and not target.exclusive and seats.wanted <= room.capacity_limit
    );
  if not found then
    perform private.refuse_taken_slot();
  end if;
end
$$;

comment on function private.change_seats is
  'Takes another number of seats of the session that the booking stays in. Raises 409 slot_taken.';

create function private.quote_reschedule(reference text, manage_token text, change private.booking_request)
returns public.change_quote
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.bookings := private.booking_with_token(quote_reschedule.reference, quote_reschedule.manage_token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  if not private.is_reschedulable(known) then
    perform private.refuse_reschedule();
  end if;
  return (
    -- In the statement that reads the booking, so that it counts the money of one moment.
    select private.quoted_change(b, change, false)
    from public.bookings as b
    where b.organization_id = known.organization_id and b.id = known.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.quote_reschedule is
  'definer: prices a change for whoever holds the booking''s manage token.';
grant execute on function private.quote_reschedule to anon, authenticated;

create function public.quote_reschedule(
  reference text,
  manage_token text,
  starts_at timestamptz default null,
  room_id uuid default null,
  party_size int default null,
  exclusive boolean default null,
  extras jsonb default null
)
returns public.change_quote
language plpgsql
volatile
set search_path = ''
as $$
declare
  change private.booking_request;
begin
  change.starts_at := starts_at;
  change.room_id := room_id;
  change.party_size := party_size;
  change.exclusive := exclusive;
  change.extras := extras;
  return private.quote_reschedule(reference, manage_token, change);
end
$$;

comment on function public.quote_reschedule is
  'What a change of the booking would cost, whether or not the place is free; null: as it is. exclusive: a shared room for this party alone; extras: exactly these, [{extra_id, quantity}], and [] for none. For anybody. Errors: 404 booking_not_found, room_not_found; 409 not_reschedulable: only while cancelling would be refunded in full; extra_sold_out (details {"extra_id", "left"}); 422 party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, extras_invalid, extra_not_found (details {"extra_id"}), extra_quantity_invalid (details {"extra_id", "maximum"}), coupon_min_amount, coupon_not_for_room; 429 rate_limited.';
grant execute on function public.quote_reschedule to anon, authenticated;

create function private.reschedule_booking(
  reference text,
  manage_token text,
  change private.booking_request,
  idempotency_key text
)
returns public.booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(
    reschedule_booking.reference, reschedule_booking.manage_token
  );
  scope text := booking.organization_id || ':reschedule_booking';
  stored jsonb;
  answer public.booking;
begin
  change.booking_id := booking.id;
  stored := private.idempotent_begin(scope, reschedule_booking.idempotency_key, to_jsonb(change));
  if stored is not null then
    return jsonb_populate_record(null::public.booking, stored);
  end if;
  booking := private.locked_for_change(booking.organization_id, booking.id, change.room_id);
  if not private.is_reschedulable(booking) then
    perform private.refuse_reschedule();
  elsif change.expected_total_cents is null then
    perform private.fail('expected_total_missing', 422, 'Send the total that quote_reschedule gave.');
  end if;
  perform private.act_as('customer', booking.customer_id);
  change.reason := 'changed_by_customer';
  perform private.apply_change(booking, change, false);
  answer := private.get_booking(reschedule_booking.reference, reschedule_booking.manage_token);
  perform private.idempotent_end(scope, reschedule_booking.idempotency_key, to_jsonb(answer));
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.reschedule_booking is
  'definer: changes a booking for whoever holds its manage token.';
grant execute on function private.reschedule_booking to anon, authenticated;

create function public.reschedule_booking(
  reference text,
  manage_token text,
  expected_total_cents bigint,
  idempotency_key text,
  starts_at timestamptz default null,
  room_id uuid default null,
  party_size int default null,
  exclusive boolean default null,
  extras jsonb default null,
  expected_terms jsonb default null
)
returns public.booking
language plpgsql
volatile
set search_path = ''
as $$
declare
  change private.booking_request;
begin
  change.starts_at := starts_at;
  change.room_id := room_id;
  change.party_size := party_size;
  change.exclusive := exclusive;
  change.extras := extras;
  change.expected_total_cents := expected_total_cents;
  change.expected_terms := expected_terms;
  return private.reschedule_booking(reference, manage_token, change, idempotency_key);
end
$$;

comment on function public.reschedule_booking is
  'Moves a booking to another time, room or party, makes a shared session its party''s alone, or gives it exactly these extras ([{extra_id, quantity}], [] for none), and returns it; null: as it is. What was paid too much goes back by a queued refund; what is missing is open and can be paid online (POST /v1/checkout) or at the venue, and a confirmed booking stays confirmed. expected_total_cents: the quoted total; expected_terms: those of the quote, so that nobody agrees to others than were shown. For anybody. Errors: 404 booking_not_found, room_not_found; 409 not_reschedulable: only while cancelling would be refunded in full; slot_taken, total_changed (details {"total_cents"}), terms_changed (details {"terms"}), booking_changed, extra_sold_out (details {"extra_id", "left"}); 422 nothing_to_change, expected_total_missing, party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, extras_invalid, extra_not_found (details {"extra_id"}), extra_quantity_invalid (details {"extra_id", "maximum"}), coupon_min_amount, coupon_not_for_room, idempotency_key_invalid, idempotency_key_reused; 429 rate_limited.';
grant execute on function public.reschedule_booking to anon, authenticated;
