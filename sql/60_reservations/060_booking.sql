-- A booking from the visitor's side: hold it, look at it, cancel it.

create function private.make_booking(
  session_id uuid,
  room public.rooms,
  starts_at timestamptz,
  customer_id uuid,
  customer jsonb,
  calendar public.calendars,
  party_size int,
  quote jsonb,
  source text,
  seats int default null,
  options jsonb default '{}',
  fields jsonb default '{}',
  customer_note text default ''
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
  booking.organization_id := room.organization_id;
  booking.session_id := make_booking.session_id;
  booking.room_id := room.id;
  booking.starts_at := make_booking.starts_at;
  booking.customer_id := make_booking.customer_id;
  booking.calendar_id := calendar.id;
  booking.status := 'held';
  booking.party_size := make_booking.party_size;
  booking.exclusive := coalesce((options ->> 'exclusive')::boolean, false);
  booking.seats := coalesce(make_booking.seats, make_booking.party_size);
  booking.currency := quote ->> 'currency';
  booking.total_cents := quote -> 'total_cents';
  booking.tax_cents := quote -> 'tax_cents';
  booking.due_now_cents := quote -> 'due_now_cents';
  booking.hold_expires_at := now() + make_interval(mins => calendar.hold_minutes);
  booking.locale := customer ->> 'locale';
  booking.source := make_booking.source;
  booking.staff_note := '';
  contact.contact_name := customer ->> 'full_name';
  contact.contact_phone := customer ->> 'phone';
  contact.customer_note := make_booking.customer_note;
  contact.fields := make_booking.fields;
  booking := private.insert_booking(booking, contact);
  perform private.take_options(booking, quote, options);
  if options ->> 'voucher_code' is not null then
    select b.* into booking
    from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id;
  end if;
  return booking;
end
$$;

comment on function private.make_booking is
  'Stores a held booking for seats that were claimed (null: one a person), with the hash of its manage token and the options that it was quoted with; a voucher may confirm it. Raises what private.take_options does.';

create function private.hold_booking(
  slug text,
  room_id uuid,
  starts_at timestamptz,
  party_size int,
  customer jsonb,
  expected_total_cents bigint,
  idempotency_key text,
  extras jsonb,
  coupon_code text,
  voucher_code text,
  exclusive boolean,
  fields jsonb,
  customer_note text,
  consents jsonb
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(hold_booking.slug);
  scope text := calendar.organization_id || ':hold_booking';
  answer jsonb := private.idempotent_begin(
    scope,
    idempotency_key,
    jsonb_build_object(
      'slug', hold_booking.slug, 'room_id', hold_booking.room_id, 'starts_at', hold_booking.starts_at,
      'party_size', hold_booking.party_size, 'customer', customer, 'expected_total_cents', expected_total_cents,
      'extras', extras, 'coupon_code', hold_booking.coupon_code, 'voucher_code', hold_booking.voucher_code,
      'exclusive', hold_booking.exclusive, 'fields', hold_booking.fields,
      'customer_note', hold_booking.customer_note, 'consents', consents
    )
  );
  room public.rooms;
  slot private.slot;
  guest jsonb;
  answers jsonb;
  options jsonb;
  quote jsonb;
  seats int;
  session_id uuid;
  customer_id uuid;
  booking public.bookings;
begin
  if answer is null then
    room := private.public_room(calendar, hold_booking.room_id);
    guest := private.checked_customer(customer, calendar.locales[1]);
    answers := private.checked_fields(calendar, hold_booking.fields);
    if length(private.clean_note(hold_booking.customer_note)) > 2000 then
      perform private.fail('customer_note_too_long', 422, 'Write a note of at most 2000 characters.');
    end if;
    perform private.check_terms(calendar, consents);
    slot := private.offered_slot(calendar, room, hold_booking.starts_at, hold_booking.party_size);

    options := jsonb_build_object(
      'calendar_id', calendar.id, 'locale', guest -> 'locale', 'extras', extras,
      'coupon_code', nullif(trim(hold_booking.coupon_code), ''),
      'voucher_code', nullif(trim(hold_booking.voucher_code), ''),
      'exclusive', coalesce(hold_booking.exclusive, false)
    );
    quote := private.tried_quote(room.organization_id, slot, options);
    if quote ? 'code' then
      -- Refused, and committed since the guess counts: the key may be used again.
      perform private.idempotent_forget(scope, idempotency_key);
      return quote;
    end if;
    perform private.refuse_total(quote, expected_total_cents);
    -- All seats of a shared session can only be had while nobody has one.
    seats := case when hold_booking.exclusive then slot.capacity else hold_booking.party_size end;
    if slot.seats_available < seats then
      perform private.refuse_taken_slot();
    end if;
    session_id := private.claim_slot(room, slot, coalesce(hold_booking.exclusive, false), false);

    customer_id := private.customer_with_email(room.organization_id, guest);
    perform private.act_as('customer', customer_id);
    booking := private.make_booking(
      session_id, room, hold_booking.starts_at, customer_id, guest, calendar, hold_booking.party_size, quote, 'widget',
      seats, options, answers, coalesce(hold_booking.customer_note, '')
    );
    if booking.status = 'held' and booking.due_now_cents = 0 and calendar.confirm_by_email then
      booking := private.ask_for_confirmation(booking);
    elsif booking.status = 'held' and booking.due_now_cents = 0 then
      perform private.transition(booking.organization_id, booking.id, 'confirmed', 'nothing_due');
      booking.status := 'confirmed';
      booking.hold_expires_at := null;
    end if;
    perform private.record_consents(
      booking.organization_id, customer_id, booking.id, consents, booking.locale,
      counts => private.booking_is_vouched(booking)
    );

    answer := private.booking_json_at(booking, slot.ends_at, slot.timezone, room.name)
      || jsonb_build_object(
        'booking_id', booking.id, 'confirm_by_email', private.awaits_confirmation(booking)
      );
    perform private.idempotent_end(scope, idempotency_key, answer);
    -- Last, since the counters' rows stay locked until the end of the transaction.
    if private.is_live_unpaid(booking) then
      perform private.limit_live_holds(booking, private.client_address());
      if booking.due_now_cents = 0 then
        -- It is mailed at once, to whomever was named.
        perform private.limit_mail(booking.organization_id, guest ->> 'email', 'visitor');
      else
        perform private.remind_of_hold(booking);
      end if;
    end if;
    perform private.limit_rate('hold_booking', 'address', private.client_address());
    perform private.limit_rate('hold_booking', 'target', calendar.id::text);
  else
    -- A replay tells what has become of it: a hold that lapsed meanwhile must not look fresh.
    answer := answer || coalesce(
      (
        select private.booking_json(b)
        from public.bookings as b
        where b.organization_id = calendar.organization_id and b.id = (answer ->> 'booking_id')::uuid
      ),
      '{}'
    );
  end if;

  -- The token is derived, not stored: a replay shows it again.
  return answer - 'booking_id'
    || jsonb_build_object('manage_token', private.derived_token('booking', answer ->> 'booking_id'));
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
  consents jsonb default '[]'
)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- plpgsql, since as SQL it would be parsed and planned at every call.
  return private.hold_booking(
    slug, room_id, starts_at, party_size, customer, expected_total_cents, idempotency_key, extras, coupon_code,
    voucher_code, exclusive, fields, customer_note, consents
  );
end
$$;

comment on function public.hold_booking is
  'Takes a time for a party until hold_expires_at; what is due must be paid by then, and a booking with nothing due, or whose voucher covers it, is confirmed at once. customer: {full_name, email, phone?, locale?}; expected_total_cents: the quoted total; idempotency_key: for a day the same key and request are one booking, answered as it is by then (expired: send a new key); extras, coupon_code, voucher_code, exclusive: as quoted; fields: answers by key; consents: [{kind: terms or marketing, granted, wording}], where a calendar with terms needs them granted. Returns {reference, manage_token, status, hold_expires_at, starts_at, ends_at, timezone, room_id, room_name, party_size, seats, exclusive, extras: [{extra_id, name, quantity}], fields, customer_note, currency, total_cents, due_now_cents, confirm_by_email}; confirm_by_email true: nothing is to be paid, and the booking is held until the link in its mail is opened (confirm_booking). For anybody. Errors: 404 calendar_not_found, room_not_found; 409 slot_taken, total_changed (details {"total_cents"}), extra_sold_out (details {"extra_id", "left"}); 422 party_size_invalid (details {"minimum", "maximum"}), slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, customer_invalid (details {"field"}), field_invalid (details {"field", "rule"}), customer_note_too_long, consents_invalid, terms_not_accepted, extras_invalid, extra_not_found, extra_quantity_invalid, the codes of coupons and vouchers as in quote_booking and coupon_max_uses_per_customer, idempotency_key_invalid, idempotency_key_reused; 429 rate_limited, too_many_holds (details {"maximum"}), too_many_unpaid_bookings (details {"maximum"}), mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.hold_booking to anon, authenticated;

create function private.cancellation_terms(
  booking public.bookings,
  out by_customer boolean,
  out refund_percent int,
  out refund_cents bigint
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
  else
    select coalesce(
      (array_agg(t.refund_percent order by t.hours_before desc)
        filter (where booking.starts_at - now() >= make_interval(hours => t.hours_before)))[1],
      case when count(*) = 0 then 100 else 0 end
    )
    into refund_percent
    from jsonb_to_recordset(private.booking_terms(booking) -> 'tiers') as t (hours_before int, refund_percent int);
  end if;

  refund_cents := private.in_steps(
    private.booking_kept(booking.organization_id, booking.id)::numeric * refund_percent / 100, booking.currency
  );
end
$$;

comment on function private.cancellation_terms is
  'Whether the customer may cancel now, and what is refunded of the money kept: by the tiers of its terms, in full until the start without tiers, nothing after it.';

create function private.cancel(booking public.bookings, reason text, refund text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  cents bigint := case cancel.refund
    when 'full' then private.booking_kept(booking.organization_id, booking.id)
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

create function private.managed_booking_json(booking public.bookings)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  terms record := private.cancellation_terms(booking);
begin
  return private.booking_json(booking) || (
    select jsonb_build_object(
      'paid_cents', balance.paid_cents,
      'refunded_cents', balance.refunded_cents,
      'open_cents', private.booking_open(booking),
      'terms', private.booking_terms(booking),
      'customer', jsonb_build_object(
        'full_name', (
          select k.contact_name
          from public.booking_contacts as k
          where k.organization_id = booking.organization_id and k.booking_id = booking.id
        ),
        'email', c.email
      ),
      'organization', jsonb_build_object('name', o.name),
      'location', private.booking_place(booking),
      'event', private.booking_event(booking.organization_id, booking.id, 'infinity'),
      'waiver', private.booking_waiver(booking),
      'lines', (
        select jsonb_agg(
          jsonb_build_object(
            'kind', line.kind,
            'description', line.description,
            'quantity', line.quantity,
            'unit_cents', line.unit_cents,
            'total_cents', line.total_cents,
            'tax_rate_bp', line.tax_rate_bp,
            'tax_cents', line.tax_cents
          )
          order by line.position
        )
        from public.booking_lines as line
        where line.organization_id = booking.organization_id and line.booking_id = booking.id
      ),
      'cancellable', terms.by_customer,
      'reschedulable', private.is_reschedulable(booking),
      'confirm_by_email', private.awaits_confirmation(booking),
      'cancellation', case
        when terms.by_customer then jsonb_build_object(
          'refund_percent', terms.refund_percent, 'refund_cents', terms.refund_cents
        )
        else jsonb_build_object('refund_percent', 0, 'refund_cents', 0)
      end,
      'history', (
        select jsonb_agg(
          jsonb_strip_nulls(jsonb_build_object('status', h.to_status, 'at', h.occurred_at, 'change', h.change))
          order by h.occurred_at
        )
        from public.booking_history as h
        where h.organization_id = booking.organization_id and h.booking_id = booking.id
      )
    )
    from public.customers as c
    join public.organizations as o on o.id = c.organization_id
    cross join private.booking_balance(booking.organization_id, booking.id) as balance
    where c.organization_id = booking.organization_id and c.id = booking.customer_id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.managed_booking_json is
  'A booking as whoever manages it sees it. Called in the statement that reads the booking, it shows one moment.';

create function private.get_booking(reference text, manage_token text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.bookings := private.booking_with_token(get_booking.reference, get_booking.manage_token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return (
    select private.managed_booking_json(b)
    from public.bookings as b
    where b.organization_id = known.organization_id and b.id = known.id
  );
end
$$;

comment on function private.get_booking is
  'definer: shows a booking to whoever holds its manage token.';
grant execute on function private.get_booking to anon, authenticated;

create function public.get_booking(reference text, manage_token text)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.get_booking(reference, manage_token) $$;

comment on function public.get_booking is
  'A booking for whoever holds its manage token: {reference, status, hold_expires_at, starts_at, ends_at, timezone, room_id, room_name, party_size, seats, exclusive, extras: [{extra_id, name, quantity}], fields, customer_note, currency, total_cents, due_now_cents, paid_cents, refunded_cents, open_cents (what can still be asked for of the total), terms: {tiers: [{hours_before, refund_percent}], no_show_fee_percent} as agreed when it was booked or moved by its customer, customer: {full_name, email}, organization: {name}, location: {name, address}, event: {uid, sequence, updated_at} (the visit as the mails'' calendar files name and number it), waiver: {policy, signed, needed, missing, token}, lines, cancellable, reschedulable (by reschedule_booking), confirm_by_email (held until the link in its mail is opened), cancellation: {refund_percent, refund_cents}, history: [{status, at, change?}]}. cancellation is what cancelling now would refund. For anybody. Errors: 404 booking_not_found for a wrong reference or token; 429 rate_limited.';
grant execute on function public.get_booking to anon, authenticated;

create function private.cancel_booking(reference text, manage_token text)
returns jsonb
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
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.cancel_booking(reference, manage_token) $$;

comment on function public.cancel_booking is
  'Cancels a booking that has not started, queues the refund that its terms give, and returns it as get_booking does; again, the same. For anybody. Errors: 404 booking_not_found; 409 not_cancellable; 429 rate_limited.';
grant execute on function public.cancel_booking to anon, authenticated;
