-- A booking from the visitor's side: hold it, look at it, cancel it.

create function private.make_booking(
  organization_id uuid,
  session_id uuid,
  slot private.slot,
  request private.booking_request,
  guest private.guest,
  quote public.quote,
  status text,
  hold_expires_at timestamptz,
  order_id uuid default null
)
returns public.bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings;
  contact public.booking_contacts;
begin
  booking.organization_id := make_booking.organization_id;
  booking.session_id := make_booking.session_id;
  booking.room_id := slot.room_id;
  booking.starts_at := slot.starts_at;
  booking.customer_id := request.customer_id;
  booking.calendar_id := request.calendar_id;
  booking.status := make_booking.status;
  booking.party_size := slot.party_size;
  booking.exclusive := coalesce(request.exclusive, false);
  booking.seats := private.wanted_seats(slot, booking.exclusive);
  booking.currency := quote.currency;
  booking.total_cents := quote.total_cents;
  booking.tax_cents := quote.tax_cents;
  booking.due_now_cents := quote.due_now_cents;
  booking.terms := to_jsonb(quote.terms);
  booking.hold_expires_at := make_booking.hold_expires_at;
  booking.locale := guest.locale;
  booking.source := request.source;
  booking.staff_note := coalesce(request.staff_note, '');
  booking.order_id := make_booking.order_id;
  contact.contact_name := guest.full_name;
  contact.contact_phone := guest.phone;
  contact.customer_note := request.customer_note;
  contact.fields := request.fields;
  booking := private.insert_booking(booking, contact);
  perform private.take_options(booking, quote, request);
  if request.voucher_code is not null then
    -- One that covers what is due has confirmed it.
    select b.* into booking
    from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id;
  end if;
  return booking;
end
$$;

comment on function private.make_booking is
  'Stores a booking for seats that were claimed, with the hash of its manage token and what its request was quoted with; a voucher may confirm it. fields are checked. Raises what private.take_options does.';

create function private.hold_booking(slug text, request private.booking_request, idempotency_key text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(hold_booking.slug);
  scope text := calendar.organization_id || ':hold_booking';
  held jsonb;
  room public.rooms;
  slot private.slot;
  guest private.guest;
  tried record;
  quote public.quote;
  session_id uuid;
  booking public.bookings;
begin
  request.calendar_id := calendar.id;
  request.source := 'widget';
  held := private.idempotent_begin(scope, idempotency_key, to_jsonb(request));
  if held is not null then
    -- A replay tells what has become of it: a hold that lapsed meanwhile must not look fresh.
    return (
      select to_jsonb(private.held_booking(b, private.show_booking(b)))
      from public.bookings as b
      where b.organization_id = calendar.organization_id and b.id = (held ->> 'booking_id')::uuid
    );
  end if;

  perform private.take_booking_allowance(calendar.organization_id, by_staff => false);
  room := private.public_room(calendar, request.room_id);
  guest := private.checked_customer(request.customer, calendar.locales[1]);
  request.locale := guest.locale;
  request.fields := private.checked_fields(calendar, request.fields, request.room_id);
  if length(private.clean_note(request.customer_note)) > 2000 then
    perform private.fail('customer_note_too_long', 422, 'Write a note of at most 2000 characters.');
  end if;
  perform private.check_terms(calendar, request.consents);
  slot := private.offered_slot(calendar, room, request.starts_at, request.party_size);

  tried := private.tried_quote(room.organization_id, slot, request);
  if tried.refusal is not null then
    -- Refused, and committed since the guess counts: the key may be used again.
    perform private.idempotent_forget(scope, idempotency_key);
    return tried.refusal;
  end if;
  quote := tried.quote;
  perform private.refuse_total(quote, request.expected_total_cents);
  perform private.refuse_terms(quote.terms, request.expected_terms);
  if quote.due_now_cents > quote.voucher_cents and not (private.payment_account(calendar.organization_id)).available then
    perform private.fail('online_payment_unavailable', 409, 'The venue cannot be paid online at the moment: ask it.');
  end if;
  -- All seats of a shared session can only be had while nobody has one.
  if slot.seats_available < private.wanted_seats(slot, request.exclusive) then
    perform private.refuse_taken_slot();
  end if;
  session_id := private.claim_slot(room, slot, coalesce(request.exclusive, false), false);

  request.customer_id := private.customer_with_email(room.organization_id, guest);
  perform private.act_as('customer', request.customer_id);
  booking := private.make_booking(
    room.organization_id, session_id, slot, request, guest, quote,
    'held', now() + make_interval(mins => calendar.hold_minutes)
  );
  if booking.status = 'held' and booking.due_now_cents = 0 and calendar.confirm_by_email then
    booking := private.ask_for_confirmation(booking);
  elsif booking.status = 'held' and booking.due_now_cents = 0 then
    perform private.transition(booking.organization_id, booking.id, 'confirmed', 'nothing_due');
    booking.status := 'confirmed';
    booking.hold_expires_at := null;
  end if;
  perform private.record_consents(
    booking.organization_id, booking.customer_id, booking.id, request.consents, booking.locale,
    counts => private.booking_is_vouched(booking)
  );
  perform private.idempotent_end(scope, idempotency_key, jsonb_build_object('booking_id', booking.id));
  -- Last, since the counters' rows stay locked until the end of the transaction.
  if private.is_live_unpaid(booking) then
    perform private.limit_live_holds(booking, private.client_address());
    if booking.due_now_cents = 0 then
      -- It is mailed at once, to whomever was named.
      perform private.limit_mail(booking.organization_id, guest.email, 'visitor');
    else
      perform private.remind_of_hold(booking);
    end if;
  end if;
  perform private.limit_rate('hold_booking', 'address', private.client_address());
  perform private.limit_rate('hold_booking', 'target', calendar.id::text);
  return to_jsonb(private.held_booking(
    booking, private.show_booking_at(booking, slot.ends_at, slot.timezone, private.room_name(room, booking.locale))
  ));
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.hold_booking is
  'definer: books for visitors, who may write no table.';
grant execute on function private.hold_booking to anon, authenticated;

create function public.hold_booking(
  slug text,
  room_id uuid,
  starts_at timestamptz,
  party_size int,
  customer jsonb,
  expected_total_cents bigint,
  idempotency_key text,
  extras jsonb default '[]',
  coupon_code text default null,
  voucher_code text default null,
  exclusive boolean default false,
  fields jsonb default '{}',
  customer_note text default '',
  consents jsonb default '[]',
  expected_terms jsonb default null
)
returns jsonb
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
  request.expected_total_cents := expected_total_cents;
  request.extras := extras;
  request.coupon_code := coupon_code;
  request.voucher_code := voucher_code;
  request.exclusive := exclusive;
  request.fields := fields;
  request.customer_note := customer_note;
  request.consents := consents;
  request.expected_terms := expected_terms;
  return private.hold_booking(slug, request, idempotency_key);
end
$$;

comment on function public.hold_booking is
  'Takes a time for a party until hold_expires_at; what is due must be paid by then, and a booking with nothing due, or whose voucher covers it, is confirmed at once. customer: {full_name, email, phone?, locale?}; expected_total_cents: the quoted total; expected_terms: those of the quote, so that nobody agrees to others than were shown; idempotency_key: for a day the same key and request are one booking, answered as it is by then (expired: send a new key); extras, coupon_code, voucher_code, exclusive: as quoted; fields: answers by key; consents: [{kind: terms or marketing, granted, wording}], where a calendar with terms needs them granted. With confirm_by_email nothing is to be paid, and the booking is held until the link in its mail is opened (confirm_booking). Answers public.held_booking. For anybody. Errors: 404 calendar_not_found, room_not_found; 409 slot_taken, plan_limit_reached (the venue takes no more bookings this month), online_payment_unavailable (it has to be paid online, and the venue cannot be), total_changed (details {"total_cents"}), terms_changed (details {"terms"}), extra_sold_out (details {"extra_id", "left"}); 422 party_size_invalid (details {"minimum", "maximum"}), slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, customer_invalid (details {"field"}), field_invalid (details {"field", "rule"}), customer_note_too_long, consents_invalid, terms_not_accepted, extras_invalid, extra_not_found, extra_quantity_invalid, the codes of coupons and vouchers as in quote_booking and coupon_max_uses_per_customer, idempotency_key_invalid, idempotency_key_reused; 429 rate_limited, too_many_holds (details {"maximum"}), too_many_unpaid_bookings (details {"maximum"}), mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.hold_booking to anon, authenticated;

create function private.cancellation_terms(
  booking public.bookings,
  out by_customer boolean,
  out refund_percent int,
  out refund_cents bigint,
  out disputed_cents bigint
)
language plpgsql
stable
set search_path = ''
as $$
begin
  by_customer := booking.starts_at > now()
    and coalesce(booking.hold_expires_at > now(), true)
    and exists (
      select from private.booking_transitions as t
      where t.from_status = booking.status and t.to_status = 'cancelled' and t.by_customer
    );

  if booking.starts_at <= now() then
    refund_percent := 0;
  elsif booking.status in ('held', 'pending') and private.is_split(booking.organization_id, booking.id) then
    -- Not all have paid: nothing was bought yet, and each payer has all of it back.
    refund_percent := 100;
  else
    select coalesce(
      (array_agg(t.refund_percent order by t.hours_before desc)
        filter (where booking.starts_at - now() >= make_interval(hours => t.hours_before)))[1],
      case when count(*) = 0 then 100 else 0 end
    )
    into refund_percent
    from unnest((private.booking_terms(booking)).tiers) as t;
  end if;

  refund_cents := private.in_steps(
    private.booking_refundable(booking.organization_id, booking.id)::numeric * refund_percent / 100, booking.currency
  );
  -- What nobody disputes goes back first, but where several people paid.
  disputed_cents := case
    when private.is_split(booking.organization_id, booking.id) then (
      select coalesce(sum(a.part_cents), 0)
      from private.apportioned(booking.organization_id, booking.id, refund_cents) as a
      where private.payment_is_disputed(booking.organization_id, a.payment_id)
    )
    else greatest(
      refund_cents
      - private.booking_refundable(booking.organization_id, booking.id)
      + private.booking_disputed(booking.organization_id, booking.id),
      0
    )
  end;
end
$$;

comment on function private.cancellation_terms is
  'Whether the customer may cancel now, and what is refunded of the money that can go back: by the tiers of its terms, in full until the start without tiers, and of a place that not all payers have paid; nothing after it.';

create function private.cancel(booking public.bookings, reason text, refund text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  cents bigint := case cancel.refund
    when 'full' then private.booking_refundable(booking.organization_id, booking.id)
    when 'terms' then (private.cancellation_terms(booking)).refund_cents
  end;
begin
  -- Before the move, whose trigger writes it into the history.
  update public.bookings as b
  set cancel_refund = cancel.refund
  where b.organization_id = booking.organization_id and b.id = booking.id;
  perform private.transition(booking.organization_id, booking.id, 'cancelled', cancel.reason);
  if cents > 0 then
    perform private.request_refund(booking.organization_id, booking.id, cents, 'cancelled');
  end if;
end
$$;

comment on function private.cancel is
  'Cancels a locked booking and queues the refund: full (all that the venue holds), terms (what its terms give now) or none.';

create function private.managed_booking(booking public.bookings)
returns public.booking
language plpgsql
stable
set search_path = ''
as $$
declare
  terms record := private.cancellation_terms(booking);
begin
  return (
    select row(
      shown.*,
      balance.paid_cents,
      balance.refunded_cents,
      private.booking_open(booking),
      private.booking_terms(booking),
      row(contact.contact_name, c.email)::public.booking_customer,
      row(o.name, o.slug)::public.venue,
      private.booking_place(booking),
      private.booking_event(booking.organization_id, booking.id, 'infinity'),
      private.booking_waiver(booking),
      array(
        select row(
          line.kind, line.description, line.quantity, line.unit_cents, line.total_cents, line.tax_rate_bp,
          line.tax_cents, null
        )::public.price_line
        from public.booking_lines as line
        where line.organization_id = booking.organization_id and line.booking_id = booking.id
        order by line.position
      ),
      terms.by_customer,
      case when terms.by_customer
        then row(
          terms.refund_percent, terms.refund_cents, terms.disputed_cents,
          private.booking_lost(booking.organization_id, booking.id)
        )::public.cancellation
        else row(0, 0, 0, 0)::public.cancellation
      end,
      private.is_reschedulable(booking),
      private.awaits_confirmation(booking),
      array(
        select row(h.to_status, h.occurred_at, h.change)::public.booking_step
        from public.booking_history as h
        where h.organization_id = booking.organization_id and h.booking_id = booking.id
        order by h.occurred_at
      ),
      null,
      private.payable_online(booking, whole => true),
      private.rest_payable_until(booking),
      exists (
        select from private.payment_attempts as a
        where a.organization_id = booking.organization_id
          and a.booking_id = booking.id
          and a.share_id is null
          and a.status = 'open'
          and a.session_id is not null
      ),
      (
        select other.reference
        from public.bookings as other
        where other.organization_id = booking.organization_id and other.id = booking.merged_into_id
      ),
      private.shares_reserve(booking.organization_id, booking.id),
      booking.order_id is not null and shown.status = 'held'
    )::public.booking
    from public.customers as c
    join public.organizations as o on o.id = c.organization_id
    join public.booking_contacts as contact
      on contact.organization_id = c.organization_id and contact.booking_id = booking.id
    cross join private.show_booking(booking) as shown
    cross join private.booking_balance(booking.organization_id, booking.id) as balance
    where c.organization_id = booking.organization_id and c.id = booking.customer_id
  );
end
$$;

comment on function private.managed_booking is
  'A booking as whoever manages it sees it. Called in the statement that reads the booking, it shows one moment.';

create function private.payable_view(booking public.booking)
returns public.booking
language plpgsql
immutable
set search_path = ''
as $$
begin
  booking.fields := '{}';
  booking.customer_note := '';
  booking.customer := row('', null)::public.booking_customer;
  booking.location.arrival_hints := null;
  booking.waiver.token := null;
  booking.lines := '{}';
  booking.history := '{}';
  booking.cancellable := false;
  booking.cancellation := row(0, 0, 0, 0)::public.cancellation;
  booking.reschedulable := false;
  booking.confirm_by_email := false;
  return booking;
end
$$;

comment on function private.payable_view is
  'A booking as whoever only pays it sees it: what, when and how much, and nothing of whom it is for.';

create function private.get_booking(reference text, manage_token text)
returns public.booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.bookings := private.booking_to_pay(get_booking.reference, get_booking.manage_token);
  only_pays boolean := (private.booking_with_pay_token(get_booking.reference, get_booking.manage_token)).id is not null;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return (
    select case when only_pays then private.payable_view(m.shown) else m.shown end
    from public.bookings as b
    cross join lateral (select private.managed_booking(b) as shown offset 0) as m
    where b.organization_id = known.organization_id and b.id = known.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_booking is
  'definer: shows a booking to whoever holds its manage token.';
grant execute on function private.get_booking to anon, authenticated;

create function public.get_booking(reference text, manage_token text)
returns public.booking
language sql
volatile
set search_path = ''
as $$ select private.get_booking(reference, manage_token) $$;

comment on function public.get_booking is
  'A booking for whoever holds its manage token. With the pay_token of get_payment_link in its place: what is to be paid, without whom it is for, its lines and its history. For anybody. Errors: 404 booking_not_found for a wrong reference or token; 429 rate_limited.';
grant execute on function public.get_booking to anon, authenticated;

create function private.cancel_booking(reference text, manage_token text)
returns public.booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(cancel_booking.reference, cancel_booking.manage_token);
begin
  booking := private.locked_booking(booking.organization_id, booking.id);
  if booking.status = 'cancelled' then
    -- Asked again, as after a lost answer: it is as wished.
    return private.get_booking(cancel_booking.reference, cancel_booking.manage_token);
  elsif not (private.cancellation_terms(booking)).by_customer then
    perform private.fail('not_cancellable', 409, 'The booking is over, or its time has come; ask the venue.');
  end if;
  perform private.act_as('customer', booking.customer_id);
  perform private.cancel(booking, 'cancelled_by_customer', 'terms');
  if booking.order_id is not null then
    perform private.settle_rest_of_order(booking.organization_id, booking.order_id);
  end if;
  return private.get_booking(cancel_booking.reference, cancel_booking.manage_token);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.cancel_booking is
  'definer: cancels a booking for whoever holds its manage token.';
grant execute on function private.cancel_booking to anon, authenticated;

create function public.cancel_booking(reference text, manage_token text)
returns public.booking
language sql
volatile
set search_path = ''
as $$ select private.cancel_booking(reference, manage_token) $$;

comment on function public.cancel_booking is
  'Cancels a booking that has not started, queues the refund that its terms give, and returns it; again, the same. For anybody. Errors: 404 booking_not_found; 409 not_cancellable; 429 rate_limited.';
grant execute on function public.cancel_booking to anon, authenticated;
