-- Engine completed.
--
-- Generated from sql/ by `make migration name=engine_completed`. Do not edit: change sql/ and render again.
-- Digest of what follows: 94e413ff0c93727c9428d241141c32395a14de28e2ea615303e7b05b38052972

-- =============================================================================
-- sql/20_catalogue/050_calendars.sql
-- =============================================================================

comment on column public.calendars.accent_color is 'Colour of buttons and marks in the widget and in mails, as #rrggbb; null: their own.';

-- =============================================================================
-- sql/25_pricing/050_coupons.sql
-- =============================================================================

comment on function private.coupon_uses(public.coupons, uuid, uuid, boolean) is
  'How many bookings that stand have the coupon, beside the named one; of a customer, or of all. with_lapsed: whether a hold counts whose deadline is over, which may yet be paid until somebody expires it.';

-- =============================================================================
-- sql/30_booking/030_customers.sql
-- =============================================================================

comment on table public.customers is 'A person who booked at a venue, known there by e-mail address if there is one.';
comment on column public.customers.email is
  'In lower case. Mails of all the customer''s bookings go there; null: of whom the staff booked without one, and who gets none. Of an erased customer: erased-<id>@erased.invalid.';

create function private.checked_customer(customer jsonb, default_locale text, may_lack_email boolean default false)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  full_name text := trim(customer ->> 'full_name');
  email text := nullif(lower(trim(customer ->> 'email')), '');
  phone text := nullif(trim(customer ->> 'phone'), '');
  locale text := coalesce(nullif(customer ->> 'locale', ''), default_locale);
  field text;
begin
  field := case
    when jsonb_typeof(customer -> 'full_name') is distinct from 'string'
      or length(full_name) not between 1 and 200 or full_name ~ '[[:cntrl:]]' then 'full_name'
    when coalesce(jsonb_typeof(customer -> 'email'), 'null') not in ('string', 'null')
      or email is null and not may_lack_email
      or email ~ '[[:cntrl:]]' or not private.is_email(email)
      -- Reserved for customers who were erased.
      or email like '%@erased.invalid' then 'email'
    when coalesce(jsonb_typeof(customer -> 'phone'), 'null') not in ('string', 'null')
      or length(phone) > 40 or phone ~ '[[:cntrl:]]' then 'phone'
    when coalesce(jsonb_typeof(customer -> 'locale'), 'null') not in ('string', 'null')
      or not private.is_locale(locale) then 'locale'
  end;
  if field is not null then
    perform private.fail(
      'customer_invalid', 422,
      case
        when may_lack_email
          then 'Give full_name (1 to 200 characters) and, if known, a valid email, phone (at most 40 characters) and locale (es, en or ca).'
        else 'Give full_name (1 to 200 characters), a valid email, and, if wanted, phone (at most 40 characters) and locale (es, en or ca).'
      end,
      jsonb_build_object('field', field)
    );
  end if;
  return jsonb_build_object('full_name', full_name, 'email', email, 'phone', phone, 'locale', locale);
end
$$;

comment on function private.checked_customer(jsonb, text, boolean) is
  'The customer of a request, trimmed, the address in lower case; null instead of an empty one, where it may be missing. Raises 422 customer_invalid, details {"field"}.';

comment on function private.customer_with_email(uuid, jsonb) is
  'The venue''s customer with the address of a checked customer, made when there is none, and for whoever has no address; until the transaction ends nobody erases or merges that customer.';

-- =============================================================================
-- sql/30_booking/050_transitions.sql
-- =============================================================================

comment on column private.booking_deadlines.counted_from is
  'hold: the calendar''s hold_minutes, or the payment that extended it. entry: when the booking took the status, but never past its session''s end; create_booking may say another time than after. session_end: the end of its session.';

create function private.pending_until(ends_at timestamptz, pay_within_hours int default null)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select least(
      now() + coalesce(make_interval(hours => pending_until.pay_within_hours), d.after), pending_until.ends_at
    )
    from private.booking_deadlines as d
    where d.status = 'pending'
  );
end
$$;

comment on function private.pending_until(timestamptz, int) is
  'Until when a booking that becomes pending now keeps its seats, of a session that ends then: so many hours, or (null) as long as private.booking_deadlines says.';

comment on table public.booking_history is
  'Every status that a booking took and every change of time, room, party, extras, coupon or price, who did it and when. Statuses are written by a trigger only, changes by private.apply_change only.';
comment on column public.booking_history.change is
  'What was changed while the status stayed: {"starts_at": [old, new], …} with starts_at, room_id, party_size, exclusive, extras ([{extra_id, name, quantity}]), coupon_code, total_cents; null for a move to another status.';

-- =============================================================================
-- sql/30_booking/075_options.sql
-- =============================================================================

comment on function private.expire_coupon_holds(public.coupons) is
  'Expires what is held or pending past its deadline and has a locked coupon, as far as nobody is busy with it, so that its use can be given to others.';

-- =============================================================================
-- sql/30_booking/080_calendar.sql
-- =============================================================================

comment on type public.available_slot is
  'A time that can be booked, or that is taken where those were asked for, too. local_date and local_time (HH:MM) on the venue''s clock; price_cents for the party, in minor units, tax included; is_empty: nobody has a seat yet, so that a party can have a shared session for itself.';

create function private.get_availability(
  slug text,
  from_date date,
  to_date date,
  room_id uuid,
  party_size int,
  include_taken boolean
)
returns setof public.available_slot
language plpgsql
volatile
security definer
set jit = off
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(get_availability.slug);
  currency text;
  room_ids uuid [];
  slots private.slot [];
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  if from_date is null or to_date is null or not isfinite(from_date) or not isfinite(to_date) or to_date < from_date then
    perform private.fail('date_range_invalid', 422, 'Give two dates, from_date not after to_date.');
  elsif to_date - from_date >= 92 then
    perform private.fail('date_range_too_long', 422, 'Ask for at most 92 days at a time.');
  elsif party_size < 1 then
    perform private.fail('party_size_invalid', 422, 'Choose a party of at least one person.');
  end if;
  if get_availability.room_id is not null then
    declare
      room public.rooms := private.public_room(calendar, get_availability.room_id);
    begin
      if party_size not between room.minimum_party and room.maximum_party then
        perform private.refuse_party(room);
      end if;
    end;
  end if;

  select o.currency into currency
  from public.organizations as o
  where o.id = calendar.organization_id;

  select array_agg(r.id) into room_ids
  from public.calendar_rooms as cr
  join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
  where cr.organization_id = calendar.organization_id
    and cr.calendar_id = calendar.id
    and r.is_published
    and (get_availability.room_id is null or r.id = get_availability.room_id);

  slots := array(
    select s
    from private.slots(
      calendar.organization_id, room_ids, get_availability.from_date, get_availability.to_date,
      get_availability.party_size, calendar.minimum_notice_minutes, calendar.maximum_advance_days, calendar.id
    ) as s
    where s.seats_available >= s.party_size or get_availability.include_taken
  );

  return query
  select
    s.room_id,
    s.starts_at,
    s.ends_at,
    s.local_start::date,
    to_char(s.local_start, 'HH24:MI'),
    s.timezone,
    s.seats_available,
    s.quantity * s.unit_cents,
    currency,
    s.seats_available = s.capacity
  from rows from (
    unnest(slots),
    private.base_prices(calendar.organization_id, slots)
  ) as s (
    room_id, starts_at, ends_at, occupied_until, local_start, timezone, mode, capacity,
    seats_available, party_size, quantity, unit_cents
  );
end
$$;

comment on function private.get_availability(text, date, date, uuid, int, boolean) is
  'definer: shows free times to visitors, who may read no table.';
grant execute on function private.get_availability(text, date, date, uuid, int, boolean) to anon, authenticated;

create function public.get_availability(
  slug text,
  from_date date,
  to_date date,
  room_id uuid default null,
  party_size int default null,
  include_taken boolean default false
)
returns setof public.available_slot
language sql
volatile
set search_path = ''
as $$
  select * from private.get_availability(slug, from_date, to_date, room_id, party_size, include_taken)
$$;

comment on function public.get_availability(text, date, date, uuid, int, boolean) is
  'The times that can be booked on the local dates from_date to to_date (at most 92 days), in order of time and room; of one room or all of the calendar''s, for a party or for the room''s smallest one. With include_taken also those that the party can only wait for (join_waitlist): their seats_available is less than it needs. For anybody. Errors: 404 calendar_not_found, room_not_found; 422 date_range_invalid, date_range_too_long, party_size_invalid; 429 rate_limited.';
grant execute on function public.get_availability(text, date, date, uuid, int, boolean) to anon, authenticated;

create function private.quote_booking(
  slug text,
  room_id uuid,
  starts_at timestamptz,
  party_size int,
  extras jsonb,
  coupon_code text,
  voucher_code text,
  exclusive boolean,
  locale text
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(quote_booking.slug);
  room public.rooms := private.public_room(calendar, quote_booking.room_id);
  slot private.slot := private.offered_slot(calendar, room, quote_booking.starts_at, quote_booking.party_size);
  quote jsonb;
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  quote := private.tried_quote(room.organization_id, slot, jsonb_build_object(
    'calendar_id', calendar.id, 'locale', coalesce(quote_booking.locale, calendar.locales[1]),
    'extras', quote_booking.extras, 'coupon_code', quote_booking.coupon_code,
    'voucher_code', quote_booking.voucher_code, 'exclusive', quote_booking.exclusive
  ));
  if quote ? 'code' then
    return quote;
  end if;
  return quote || jsonb_build_object(
    'room_id', slot.room_id,
    'starts_at', slot.starts_at,
    'ends_at', slot.ends_at,
    'party_size', slot.party_size
  );
end
$$;

comment on function private.quote_booking(text, uuid, timestamptz, int, jsonb, text, text, boolean, text) is
  'definer: prices a slot for visitors, who may read no table.';
grant execute on function private.quote_booking(text, uuid, timestamptz, int, jsonb, text, text, boolean, text)
to anon, authenticated;

create function public.quote_booking(
  slug text,
  room_id uuid,
  starts_at timestamptz,
  party_size int,
  extras jsonb default '[]',
  coupon_code text default null,
  voucher_code text default null,
  exclusive boolean default false,
  locale text default null
)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select private.quote_booking(
    slug, room_id, starts_at, party_size, extras, coupon_code, voucher_code, exclusive, locale
  )
$$;

comment on function public.quote_booking(text, uuid, timestamptz, int, jsonb, text, text, boolean, text) is
  'What a party would pay for a time that the calendar offers, whether or not it is still free: {room_id, starts_at, ends_at, party_size, currency, lines: [{kind: base, extra, discount or fee, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents, extra_id?}], total_cents, tax_cents, due_now_cents (what confirms the booking), voucher_cents (what the voucher pays of the total)}, minor units, tax included. extras: [{extra_id, quantity}]; exclusive: the whole of a shared room; locale: the lines'' language (es, en or ca), the calendar''s first if left out. For anybody. Errors: 404 calendar_not_found, room_not_found; 409 extra_sold_out (details {"extra_id", "left"}); 422 party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, extras_invalid, extra_not_found, extra_quantity_invalid, coupon_not_found, coupon_not_active, coupon_not_valid_yet, coupon_expired, coupon_not_for_room, coupon_min_amount (details {"minimum_cents"}), coupon_max_uses, voucher_not_found, voucher_not_active, voucher_expired, voucher_empty; 429 rate_limited.';
grant execute on function public.quote_booking(text, uuid, timestamptz, int, jsonb, text, text, boolean, text)
to anon, authenticated;

-- =============================================================================
-- sql/30_booking/090_claim.sql
-- =============================================================================

comment on function service.sweep() is
  'Gives every booking that is past its deadline its end, at most 500 of those that are held or pending and 500 of those whose game is over, offers up to 20 free places to those who wait for one, and forgets idempotency keys and rate-limit windows older than a day and jobs done 90 days ago: {expired_holds, ended_visits, forgotten_idempotency_keys, forgotten_rate_limits, forgotten_jobs, waitlist_offers, expired_waitlist_entries}. For the worker, or pg_cron, about every minute; any number may run at once.';

-- =============================================================================
-- sql/30_booking/097_booking_json.sql
-- =============================================================================

-- A booking as clients see it: one form, whoever shows it.

create function private.booking_json(
  booking public.bookings,
  ends_at timestamptz,
  timezone text,
  room_name text
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'reference', booking.reference,
    -- A hold that nobody reaped yet is over all the same.
    'status', case
      when booking.hold_expires_at <= now() then 'expired' else booking.status
    end,
    'hold_expires_at', booking.hold_expires_at,
    'starts_at', booking.starts_at,
    'ends_at', booking_json.ends_at,
    'timezone', booking_json.timezone,
    'room_id', booking.room_id,
    'room_name', booking_json.room_name,
    'party_size', booking.party_size,
    'seats', booking.seats,
    'exclusive', booking.exclusive,
    'extras', (
      select coalesce(
        jsonb_agg(
          jsonb_build_object(
            'extra_id', x.id, 'name', private.text_in(x.names, booking.locale), 'quantity', be.quantity
          )
          order by x.position, x.id
        ),
        '[]'
      )
      from public.booking_extras as be
      join public.extras as x on x.organization_id = be.organization_id and x.id = be.extra_id
      where be.organization_id = booking.organization_id and be.booking_id = booking.id
    ),
    'fields', booking.fields,
    'customer_note', booking.customer_note,
    'currency', booking.currency,
    'total_cents', booking.total_cents,
    'due_now_cents', booking.due_now_cents
  );
end
$$;

comment on function private.booking_json(public.bookings, timestamptz, text, text) is
  'A booking as clients see it, for who has read its session and room already.';

-- =============================================================================
-- sql/30_booking/110_staff.sql
-- =============================================================================

comment on function public.transition_booking(uuid, uuid, text, text) is
  'Moves a booking to its next status and returns it; cancelling queues the refund that the booking''s terms give, and a party that did not come gets back what it paid beyond the room''s no-show fee. For members: bookings:read, and bookings:update to confirm, bookings:check_in to check in, start, complete or mark as no-show, bookings:cancel to cancel. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 transition_not_allowed (details {"from", "to", "allowed"}), waiver_missing (a game starts); 422 reason_too_long.';

create function private.create_booking(
  organization_id uuid,
  room_id uuid,
  starts_at timestamptz,
  party_size int,
  customer jsonb,
  idempotency_key text,
  calendar_id uuid,
  source text,
  extras jsonb,
  coupon_code text,
  voucher_code text,
  exclusive boolean,
  fields jsonb,
  customer_note text,
  staff_note text,
  price_cents bigint,
  override_reason text,
  expected_total_cents bigint,
  pay_within_hours int
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := create_booking.organization_id || ':create_booking';
  room public.rooms;
  calendar public.calendars;
  slot private.slot;
  guest jsonb;
  options jsonb;
  quote jsonb;
  booking public.bookings;
  answer jsonb;
begin
  perform private.require_permission(create_booking.organization_id, 'bookings:create');
  perform private.check_override(create_booking.organization_id, create_booking.price_cents, create_booking.override_reason);
  answer := private.idempotent_begin(scope, create_booking.idempotency_key, jsonb_build_object(
    'room_id', create_booking.room_id, 'starts_at', create_booking.starts_at,
    'party_size', create_booking.party_size, 'customer', create_booking.customer,
    'calendar_id', create_booking.calendar_id, 'source', create_booking.source, 'extras', create_booking.extras,
    'coupon_code', create_booking.coupon_code, 'voucher_code', create_booking.voucher_code,
    'exclusive', create_booking.exclusive, 'fields', create_booking.fields,
    'customer_note', create_booking.customer_note, 'staff_note', create_booking.staff_note,
    'price_cents', create_booking.price_cents, 'override_reason', create_booking.override_reason,
    'expected_total_cents', create_booking.expected_total_cents,
    'pay_within_hours', create_booking.pay_within_hours
  ));
  if answer is null then
    if create_booking.source is null or create_booking.source not in ('direct', 'marketplace', 'api') then
      perform private.fail('source_invalid', 422, 'Choose direct, marketplace or api.');
    elsif length(create_booking.customer_note) > 2000 or length(create_booking.staff_note) > 5000 then
      perform private.fail('note_too_long', 422, 'Write at most 2000 characters for the customer, 5000 for the staff.');
    elsif create_booking.pay_within_hours not between 1 and 720 then
      perform private.fail(
        'pay_within_invalid', 422, 'Leave 1 to 720 hours for the payment, or leave it out.',
        jsonb_build_object('minimum', 1, 'maximum', 720)
      );
    end if;
    select r.* into room
    from public.rooms as r
    where r.organization_id = create_booking.organization_id and r.id = create_booking.room_id;
    if not found then
      perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
    end if;
    select c.* into calendar
    from public.calendars as c
    where c.organization_id = create_booking.organization_id and c.id = create_booking.calendar_id;
    if not found and create_booking.calendar_id is not null then
      perform private.fail('calendar_not_found', 404, 'Choose one of the organization''s calendars.');
    end if;
    -- Staff need not ask, at the telephone or the door; what they were told is checked.
    if coalesce(create_booking.fields, '{}') not in ('{}', 'null') then
      booking.fields := private.checked_fields(calendar, create_booking.fields);
    end if;
    select private.checked_customer(create_booking.customer, o.locale, may_lack_email => true) into guest
    from public.organizations as o
    where o.id = create_booking.organization_id;
    slot := private.staff_slot(room, create_booking.starts_at, create_booking.party_size);

    booking.organization_id := room.organization_id;
    booking.room_id := room.id;
    booking.starts_at := slot.starts_at;
    booking.calendar_id := create_booking.calendar_id;
    booking.party_size := slot.party_size;
    booking.exclusive := coalesce(create_booking.exclusive, false);
    booking.locale := guest ->> 'locale';
    -- Known before the quote, since coupons count the uses of a customer.
    select c.id into booking.customer_id
    from public.customers as c
    where c.organization_id = room.organization_id and c.email = guest ->> 'email';

    options := private.booking_options(booking) || jsonb_strip_nulls(jsonb_build_object(
      'extras', create_booking.extras,
      'coupon_code', create_booking.coupon_code,
      'voucher_code', create_booking.voucher_code,
      'price_cents', create_booking.price_cents,
      'override_reason', case when create_booking.price_cents is not null then trim(create_booking.override_reason) end
    ));
    quote := private.quote(room.organization_id, slot, options);
    if create_booking.expected_total_cents is not null then
      perform private.refuse_total(quote, create_booking.expected_total_cents);
    end if;

    booking.session_id := private.claim_slot(room, slot, booking.exclusive, true);
    booking.seats := case when booking.exclusive then slot.capacity else slot.party_size end;
    booking.customer_id := private.customer_with_email(room.organization_id, guest);
    booking.status := 'pending';
    booking.hold_expires_at := private.pending_until(slot.ends_at, create_booking.pay_within_hours);
    booking.currency := quote ->> 'currency';
    booking.total_cents := quote -> 'total_cents';
    booking.tax_cents := quote -> 'tax_cents';
    booking.due_now_cents := quote -> 'due_now_cents';
    booking.contact_name := guest ->> 'full_name';
    booking.source := create_booking.source;
    booking.fields := coalesce(booking.fields, '{}');
    booking.customer_note := coalesce(create_booking.customer_note, '');
    booking.staff_note := coalesce(create_booking.staff_note, '');
    booking := private.insert_booking(booking);
    perform private.take_options(
      booking, quote, options || jsonb_build_object('customer_id', booking.customer_id, 'booking_id', booking.id)
    );
    -- A voucher that covers what is due has confirmed it.
    if booking.due_now_cents = 0 then
      perform private.transition(b.organization_id, b.id, 'confirmed', 'nothing_due')
      from public.bookings as b
      where b.organization_id = booking.organization_id and b.id = booking.id and b.status = 'pending';
    end if;

    select jsonb_build_object('id', b.id) || private.booking_json(b) into answer
    from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id;
    perform private.idempotent_end(scope, create_booking.idempotency_key, answer);
  end if;

  -- The token is derived, not stored: a replay shows it again.
  return answer || jsonb_build_object('manage_token', private.derived_token('booking', answer ->> 'id'));
end
$$;

comment on function private.create_booking(
  uuid, uuid, timestamptz, int, jsonb, text, uuid, text, jsonb, text, text, boolean, jsonb, text, text, bigint, text, bigint, int
) is
  'definer: writes sessions, customers and bookings, which no client may write. Asks for bookings:create.';
grant execute on function private.create_booking(
  uuid, uuid, timestamptz, int, jsonb, text, uuid, text, jsonb, text, text, boolean, jsonb, text, text, bigint, text, bigint, int
) to authenticated;

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
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select private.create_booking(
    organization_id, room_id, starts_at, party_size, customer, idempotency_key, calendar_id, source, extras,
    coupon_code, voucher_code, exclusive, fields, customer_note, staff_note, price_cents, override_reason,
    expected_total_cents, pay_within_hours
  )
$$;

comment on function public.create_booking(
  uuid, uuid, timestamptz, int, jsonb, text, uuid, text, jsonb, text, text, boolean, jsonb, text, text, bigint, text, bigint, int
) is
  'Books for a customer from the venue''s side, at any time that is not over (a party at the door too), whatever notice, advance and opening hours say, for up to the room''s capacity_limit; what is booked already stands. customer: {full_name, email?, phone?, locale?}, to whom nothing is mailed without an email; source: direct, marketplace or api; price_cents: what the seats cost instead of the calculated price, under pricing:override and with override_reason; expected_total_cents: refused when the total is another; pay_within_hours: how long it may stay unpaid, 1 to 720, else 72, and never past the game''s end. The booking is pending until what is due is paid (record_payment, or online with its link) or somebody confirms it, at most until hold_expires_at; confirmed when nothing is due. Returns {id, reference, manage_token, status, hold_expires_at, starts_at, ends_at, timezone, room_id, room_name, party_size, currency, total_cents, due_now_cents}. For members with bookings:create. Errors: 403 permission_denied, organization_suspended; 404 room_not_found, calendar_not_found; 409 slot_taken, total_changed (details {"total_cents"}); 422 party_size_invalid (details {"minimum", "maximum"}), start_invalid, slot_in_past, too_far_ahead, exclusive_not_offered, customer_invalid (details {"field"}), field_invalid, note_too_long, source_invalid, price_invalid, override_reason_invalid, pay_within_invalid (details {"minimum", "maximum"}), idempotency_key_invalid, idempotency_key_reused, and those of extras, coupons and vouchers.';
grant execute on function public.create_booking(
  uuid, uuid, timestamptz, int, jsonb, text, uuid, text, jsonb, text, text, boolean, jsonb, text, text, bigint, text, bigint, int
) to authenticated;

-- =============================================================================
-- sql/30_booking/115_changes.sql
-- =============================================================================

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

create function private.named_extras(organization_id uuid, options jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'extra_id', x.id, 'name', private.text_in(x.names, options ->> 'locale'), 'quantity', e -> 'quantity'
        )
        order by x.position, x.id
      ),
      '[]'
    )
    from jsonb_array_elements(coalesce(options -> 'extras', '[]')) as e
    join public.extras as x
      on x.organization_id = named_extras.organization_id and x.id = (e ->> 'extra_id')::uuid
    where e -> 'quantity' <> '0'
  );
end
$$;

comment on function private.named_extras(uuid, jsonb) is
  'The extras of options that were priced: [{extra_id, name, quantity}] in the order in which the venue shows them, without those of which there are none.';

create function private.managing_calendar(booking public.bookings)
returns public.calendars
language plpgsql
stable
set search_path = ''
as $$
declare
  calendar public.calendars;
begin
  select c.* into calendar
  from public.calendars as c
  join public.organizations as o on o.id = c.organization_id
  where c.organization_id = booking.organization_id
    and c.is_active
    and o.status = 'active'
    and (
      c.id = booking.calendar_id
      or booking.calendar_id is null and exists (
        select from public.calendar_rooms as cr
        where cr.organization_id = c.organization_id and cr.calendar_id = c.id and cr.room_id = booking.room_id
      )
    )
  order by c.created_at, c.id
  limit 1;
  return calendar;
end
$$;

comment on function private.managing_calendar(public.bookings) is
  'The calendar by which the customer manages the booking: the one where it was made, or the oldest that offers the room of what staff booked; null when that is not public.';

create function private.plan_change(
  booking public.bookings,
  by_staff boolean,
  starts_at timestamptz,
  room_id uuid,
  party_size int,
  exclusive boolean,
  price_cents bigint,
  override_reason text,
  extras jsonb,
  coupon_code text,
  out room public.rooms,
  out slot private.slot,
  out target public.bookings,
  out options jsonb,
  out quote jsonb,
  out change jsonb
)
language plpgsql
stable
set search_path = ''
as $$
declare
  calendar public.calendars;
  session public.sessions;
  stays boolean;
  -- The voucher's money is in the ledger: it is not redeemed again.
  before jsonb := private.booking_options(booking) - 'voucher_code';
begin
  target := booking;
  target.starts_at := coalesce(plan_change.starts_at, booking.starts_at);
  target.room_id := coalesce(plan_change.room_id, booking.room_id);
  target.party_size := coalesce(plan_change.party_size, booking.party_size);
  stays := target.starts_at = booking.starts_at and target.room_id = booking.room_id;

  if by_staff then
    select r.* into room
    from public.rooms as r
    where r.organization_id = booking.organization_id and r.id = target.room_id;
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

  target.exclusive := coalesce(plan_change.exclusive, booking.exclusive and room.mode = 'shared');
  target.seats := case when target.exclusive then slot.capacity else target.party_size end;
  options := before || jsonb_build_object('exclusive', target.exclusive);
  if nullif(plan_change.extras, 'null') is not null then
    options := options || jsonb_build_object('extras', plan_change.extras);
  end if;
  if trim(plan_change.coupon_code) <> '' then
    options := options || jsonb_build_object('coupon_code', trim(plan_change.coupon_code));
  elsif plan_change.coupon_code is not null then
    options := options - 'coupon_code';
  end if;
  if price_cents is not null then
    options := options || jsonb_build_object('price_cents', price_cents, 'override_reason', trim(plan_change.override_reason));
  elsif (target.room_id, target.party_size, target.exclusive)
    is distinct from (booking.room_id, booking.party_size, booking.exclusive)
  then
    options := options - 'price_cents' - 'override_reason';
  end if;
  quote := private.quote(booking.organization_id, slot, options);
  target.total_cents := quote -> 'total_cents';
  target.tax_cents := quote -> 'tax_cents';
  target.due_now_cents := greatest(
    (quote ->> 'due_now_cents')::bigint,
    least(private.booking_kept(booking.organization_id, booking.id), target.total_cents)
  );

  if options ? 'coupon_code' then
    -- As the venue writes it, whatever was typed.
    options := options || jsonb_build_object(
      'coupon_code', (private.coupon_with_code(booking.organization_id, options ->> 'coupon_code')).code
    );
  end if;
  select jsonb_object_agg(old.key, jsonb_build_array(old.value, new.value)) into change
  from jsonb_each(to_jsonb(booking) || jsonb_build_object(
    'extras', private.named_extras(booking.organization_id, before),
    'coupon_code', before -> 'coupon_code'
  )) as old
  join jsonb_each(to_jsonb(target) || jsonb_build_object(
    'extras', private.named_extras(booking.organization_id, options),
    'coupon_code', options -> 'coupon_code'
  )) as new on new.key = old.key
  where old.key in ('starts_at', 'room_id', 'party_size', 'exclusive', 'extras', 'coupon_code', 'total_cents')
    and old.value <> new.value;
end
$$;

comment on function private.plan_change(
  public.bookings, boolean, timestamptz, uuid, int, boolean, bigint, text, jsonb, text
) is
  'What a booking would become, and as change what of it is different, as public.booking_history keeps it (null: nothing); null: as it is; coupon_code empty: without. Raises what private.offered_slot, for staff private.staff_slot, and private.quote raise, 404 room_not_found, 409 not_reschedulable.';

comment on function private.is_reschedulable(public.bookings) is
  'Whether the customer may change the booking now: while cancelling it would be refunded in full, by a calendar that is public.';

create function private.change_json(
  booking public.bookings,
  target public.bookings,
  ends_at timestamptz,
  options jsonb,
  quote jsonb
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  kept bigint := private.booking_kept(booking.organization_id, booking.id);
begin
  return quote || jsonb_build_object(
    'room_id', target.room_id,
    'starts_at', target.starts_at,
    'ends_at', change_json.ends_at,
    'party_size', target.party_size,
    'exclusive', target.exclusive,
    'extras', private.named_extras(booking.organization_id, options),
    'due_now_cents', target.due_now_cents,
    'difference_cents', target.total_cents - booking.total_cents,
    'refund_cents', greatest(kept - target.total_cents, 0),
    'open_cents', greatest(target.total_cents - kept, 0)
  );
end
$$;

comment on function private.change_json(public.bookings, public.bookings, timestamptz, jsonb, jsonb) is
  'What a change would cost, as clients see it.';

create function private.apply_change(
  booking public.bookings,
  by_staff boolean,
  starts_at timestamptz,
  room_id uuid,
  party_size int,
  exclusive boolean,
  price_cents bigint,
  override_reason text,
  extras jsonb,
  coupon_code text,
  expected_total_cents bigint,
  reason text
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

  plan := private.plan_change(
    booking, by_staff, apply_change.starts_at, apply_change.room_id, apply_change.party_size,
    apply_change.exclusive, apply_change.price_cents, apply_change.override_reason, apply_change.extras,
    apply_change.coupon_code
  );
  target := plan.target;
  if expected_total_cents is not null then
    perform private.refuse_total(plan.quote, expected_total_cents);
  end if;

  if plan.change is null then
    perform private.fail('nothing_to_change', 422, 'Choose another time, room, party, extras or price.');
  end if;

  if target.starts_at = booking.starts_at and target.room_id = booking.room_id then
    perform private.change_seats(booking, target, plan.room, by_staff);
  else
    perform private.release_seats(booking);
    target.session_id := private.claim_slot(plan.room, plan.slot, target.exclusive, by_staff);
  end if;

  perform private.drop_options(booking);
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
    hold_expires_at = case b.status
      when 'pending' then least(b.hold_expires_at, (plan.slot).ends_at) else b.hold_expires_at
    end
  where b.organization_id = booking.organization_id and b.id = booking.id
  returning b.* into target;
  perform private.take_options(target, plan.quote, plan.options);

  insert into public.booking_history (
    organization_id, booking_id, from_status, to_status, reason, actor_kind, actor_id, change
  )
  values (
    target.organization_id, target.id, target.status, target.status, apply_change.reason,
    actor ->> 'kind', (actor ->> 'id')::uuid, plan.change
  );

  excess := private.booking_kept(target.organization_id, target.id) - target.total_cents;
  if excess > 0 then
    perform private.request_refund(target.organization_id, target.id, excess, 'changed');
  end if;
  perform private.settle_booking(target.organization_id, target.id);
end
$$;

comment on function private.apply_change(
  public.bookings, boolean, timestamptz, uuid, int, boolean, bigint, text, jsonb, text, bigint, text
) is
  'Changes a booking that private.locked_for_change locked and the caller may change, settles its money and writes the history. Raises what private.plan_change and private.take_options raise, 409 slot_taken, total_changed, 422 nothing_to_change.';

create function private.quote_reschedule(
  reference text,
  manage_token text,
  starts_at timestamptz,
  room_id uuid,
  party_size int,
  exclusive boolean,
  extras jsonb
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(quote_reschedule.reference, quote_reschedule.manage_token);
  plan record;
begin
  if not private.is_reschedulable(booking) then
    perform private.refuse_reschedule();
  end if;
  plan := private.plan_change(
    booking, false, quote_reschedule.starts_at, quote_reschedule.room_id, quote_reschedule.party_size,
    quote_reschedule.exclusive, null, null, quote_reschedule.extras, null
  );
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return private.change_json(booking, plan.target, (plan.slot).ends_at, plan.options, plan.quote);
end
$$;

comment on function private.quote_reschedule(text, text, timestamptz, uuid, int, boolean, jsonb) is
  'definer: prices a change for whoever holds the booking''s manage token.';
grant execute on function private.quote_reschedule(text, text, timestamptz, uuid, int, boolean, jsonb) to anon, authenticated;

create function public.quote_reschedule(
  reference text,
  manage_token text,
  starts_at timestamptz default null,
  room_id uuid default null,
  party_size int default null,
  exclusive boolean default null,
  extras jsonb default null
)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.quote_reschedule(reference, manage_token, starts_at, room_id, party_size, exclusive, extras) $$;

comment on function public.quote_reschedule(text, text, timestamptz, uuid, int, boolean, jsonb) is
  'What a change of the booking would cost, whether or not the place is free; null: as it is. exclusive: a shared room for this party alone; extras: exactly these, [{extra_id, quantity}], and [] for none. Returns {room_id, starts_at, ends_at, party_size, exclusive, extras: [{extra_id, name, quantity}], currency, lines, total_cents, tax_cents, due_now_cents, difference_cents (new total less the old), refund_cents (what would go back), open_cents (what would still be open)}. For anybody. Errors: 404 booking_not_found, room_not_found; 409 not_reschedulable: only while cancelling would be refunded in full; extra_sold_out (details {"extra_id", "left"}); 422 party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, extras_invalid, extra_not_found (details {"extra_id"}), extra_quantity_invalid (details {"extra_id", "maximum"}), coupon_min_amount, coupon_not_for_room; 429 rate_limited.';
grant execute on function public.quote_reschedule(text, text, timestamptz, uuid, int, boolean, jsonb) to anon, authenticated;

create function private.reschedule_booking(
  reference text,
  manage_token text,
  expected_total_cents bigint,
  idempotency_key text,
  starts_at timestamptz,
  room_id uuid,
  party_size int,
  exclusive boolean,
  extras jsonb
)
returns jsonb
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
  answer jsonb := private.idempotent_begin(scope, reschedule_booking.idempotency_key, jsonb_build_object(
    'booking_id', booking.id, 'expected_total_cents', reschedule_booking.expected_total_cents,
    'starts_at', reschedule_booking.starts_at, 'room_id', reschedule_booking.room_id,
    'party_size', reschedule_booking.party_size, 'exclusive', reschedule_booking.exclusive,
    'extras', reschedule_booking.extras
  ));
begin
  if answer is not null then
    return answer;
  end if;
  booking := private.locked_for_change(booking.organization_id, booking.id, reschedule_booking.room_id);
  if not private.is_reschedulable(booking) then
    perform private.refuse_reschedule();
  elsif reschedule_booking.expected_total_cents is null then
    perform private.fail('expected_total_missing', 422, 'Send the total that quote_reschedule gave.');
  end if;
  perform private.act_as('customer', booking.customer_id);
  perform private.apply_change(
    booking, false, reschedule_booking.starts_at, reschedule_booking.room_id, reschedule_booking.party_size,
    reschedule_booking.exclusive, null, null, reschedule_booking.extras, null,
    reschedule_booking.expected_total_cents, 'changed_by_customer'
  );
  answer := private.get_booking(reschedule_booking.reference, reschedule_booking.manage_token);
  perform private.idempotent_end(scope, reschedule_booking.idempotency_key, answer);
  return answer;
end
$$;

comment on function private.reschedule_booking(text, text, bigint, text, timestamptz, uuid, int, boolean, jsonb) is
  'definer: changes a booking for whoever holds its manage token.';
grant execute on function private.reschedule_booking(text, text, bigint, text, timestamptz, uuid, int, boolean, jsonb)
to anon, authenticated;

create function public.reschedule_booking(
  reference text,
  manage_token text,
  expected_total_cents bigint,
  idempotency_key text,
  starts_at timestamptz default null,
  room_id uuid default null,
  party_size int default null,
  exclusive boolean default null,
  extras jsonb default null
)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select private.reschedule_booking(
    reference, manage_token, expected_total_cents, idempotency_key, starts_at, room_id, party_size, exclusive,
    extras
  )
$$;

comment on function public.reschedule_booking(text, text, bigint, text, timestamptz, uuid, int, boolean, jsonb) is
  'Moves a booking to another time, room or party, makes a shared session its party''s alone, or gives it exactly these extras ([{extra_id, quantity}], [] for none), and returns it as get_booking does; null: as it is. What was paid too much goes back by a queued refund; what is missing is open and can be paid online (POST /v1/checkout) or at the venue, and a confirmed booking stays confirmed. expected_total_cents: the quoted total. For anybody. Errors: 404 booking_not_found, room_not_found; 409 not_reschedulable: only while cancelling would be refunded in full; slot_taken, total_changed (details {"total_cents"}), booking_changed, extra_sold_out (details {"extra_id", "left"}); 422 nothing_to_change, expected_total_missing, party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, extras_invalid, extra_not_found (details {"extra_id"}), extra_quantity_invalid (details {"extra_id", "maximum"}), coupon_min_amount, coupon_not_for_room, idempotency_key_invalid, idempotency_key_reused; 429 rate_limited.';
grant execute on function public.reschedule_booking(text, text, bigint, text, timestamptz, uuid, int, boolean, jsonb)
to anon, authenticated;

-- =============================================================================
-- sql/30_booking/117_staff_changes.sql
-- =============================================================================

create function private.quote_change(
  organization_id uuid,
  booking_id uuid,
  starts_at timestamptz,
  room_id uuid,
  party_size int,
  exclusive boolean,
  price_cents bigint,
  override_reason text,
  extras jsonb,
  coupon_code text
)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
  plan record;
begin
  perform private.require_permission(quote_change.organization_id, 'bookings:update');
  perform private.check_override(quote_change.organization_id, quote_change.price_cents, quote_change.override_reason);
  select b.* into booking
  from public.bookings as b
  where b.organization_id = quote_change.organization_id and b.id = quote_change.booking_id;
  if not found then
    perform private.fail('booking_not_found', 404, 'Check the booking''s id.');
  end if;
  perform private.refuse_staff_change(booking);
  plan := private.plan_change(
    booking, true, quote_change.starts_at, quote_change.room_id, quote_change.party_size,
    quote_change.exclusive, quote_change.price_cents, quote_change.override_reason, quote_change.extras,
    quote_change.coupon_code
  );
  return private.change_json(booking, plan.target, (plan.slot).ends_at, plan.options, plan.quote);
end
$$;

comment on function private.quote_change(uuid, uuid, timestamptz, uuid, int, boolean, bigint, text, jsonb, text) is
  'definer: prices with what no client may read. Asks for bookings:update.';
grant execute on function private.quote_change(uuid, uuid, timestamptz, uuid, int, boolean, bigint, text, jsonb, text)
to authenticated;

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
  coupon_code text default null
)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select private.quote_change(
    organization_id, booking_id, starts_at, room_id, party_size, exclusive, price_cents, override_reason, extras,
    coupon_code
  )
$$;

comment on function public.quote_change(uuid, uuid, timestamptz, uuid, int, boolean, bigint, text, jsonb, text) is
  'What change_booking would make of the price, as quote_reschedule returns it. For members with bookings:update, and pricing:override for price_cents. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found, room_not_found; 409 not_reschedulable, extra_sold_out; 422 party_size_invalid, start_invalid, slot_in_past, too_far_ahead, exclusive_not_offered, price_invalid, override_reason_invalid, and those of extras and coupons.';
grant execute on function public.quote_change(uuid, uuid, timestamptz, uuid, int, boolean, bigint, text, jsonb, text)
to authenticated;

create function private.change_booking(
  organization_id uuid,
  booking_id uuid,
  idempotency_key text,
  starts_at timestamptz,
  room_id uuid,
  party_size int,
  exclusive boolean,
  price_cents bigint,
  override_reason text,
  expected_total_cents bigint,
  reason text,
  extras jsonb,
  coupon_code text
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := change_booking.organization_id || ':change_booking';
  booking public.bookings;
  answer jsonb;
begin
  perform private.require_permission(change_booking.organization_id, 'bookings:update');
  perform private.check_override(change_booking.organization_id, change_booking.price_cents, change_booking.override_reason);
  answer := private.idempotent_begin(scope, change_booking.idempotency_key, jsonb_build_object(
    'booking_id', change_booking.booking_id, 'starts_at', change_booking.starts_at,
    'room_id', change_booking.room_id, 'party_size', change_booking.party_size,
    'exclusive', change_booking.exclusive, 'price_cents', change_booking.price_cents,
    'override_reason', change_booking.override_reason,
    'expected_total_cents', change_booking.expected_total_cents, 'reason', change_booking.reason,
    'extras', change_booking.extras, 'coupon_code', change_booking.coupon_code
  ));
  if answer is not null then
    return answer;
  end if;
  if length(change_booking.reason) > 500 then
    perform private.fail('reason_too_long', 422, 'Give a reason of at most 500 characters.');
  end if;
  booking := private.locked_for_change(
    change_booking.organization_id, change_booking.booking_id, change_booking.room_id
  );
  perform private.refuse_staff_change(booking);
  perform private.apply_change(
    booking, true, change_booking.starts_at, change_booking.room_id, change_booking.party_size,
    change_booking.exclusive, change_booking.price_cents, change_booking.override_reason,
    change_booking.extras, change_booking.coupon_code, change_booking.expected_total_cents, change_booking.reason
  );

  select jsonb_build_object(
    'id', b.id,
    'paid_cents', balance.paid_cents,
    'refunded_cents', balance.refunded_cents,
    'open_cents', greatest(b.total_cents - private.booking_kept(b.organization_id, b.id), 0)
  ) || private.booking_json(b)
  into answer
  from public.bookings as b
  cross join private.booking_balance(b.organization_id, b.id) as balance
  where b.organization_id = booking.organization_id and b.id = booking.id;
  perform private.idempotent_end(scope, change_booking.idempotency_key, answer);
  return answer;
end
$$;

comment on function private.change_booking(
  uuid, uuid, text, timestamptz, uuid, int, boolean, bigint, text, bigint, text, jsonb, text
) is
  'definer: writes sessions, bookings and the ledger, which no client may write. Asks for bookings:update.';
grant execute on function private.change_booking(
  uuid, uuid, text, timestamptz, uuid, int, boolean, bigint, text, bigint, text, jsonb, text
) to authenticated;

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
  coupon_code text default null
)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select private.change_booking(
    organization_id, booking_id, idempotency_key, starts_at, room_id, party_size, exclusive, price_cents,
    override_reason, expected_total_cents, reason, extras, coupon_code
  )
$$;

comment on function public.change_booking(
  uuid, uuid, text, timestamptz, uuid, int, boolean, bigint, text, bigint, text, jsonb, text
) is
  'Staff move a booking to another time that is not over, on the schedule or not, to another room, party (up to capacity_limit) or price, give it a shared session for itself, exactly these extras ([{extra_id, quantity}], [] for none) or another coupon (coupon_code, empty for none), until its game starts; null: as it is. What was paid too much goes back by a queued refund, what is missing is open; a confirmed booking stays confirmed. price_cents (what the seats cost) takes pricing:override and override_reason; expected_total_cents: refused when the total is another; reason: for the history. Returns {id, reference, status, hold_expires_at, starts_at, ends_at, timezone, room_id, room_name, party_size, currency, total_cents, due_now_cents, paid_cents, refunded_cents, open_cents}. For members with bookings:update. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found, room_not_found; 409 not_reschedulable, slot_taken, total_changed (details {"total_cents"}), booking_changed, extra_sold_out (details {"extra_id", "left"}); 422 nothing_to_change, party_size_invalid, start_invalid, slot_in_past, too_far_ahead, exclusive_not_offered, price_invalid, override_reason_invalid, reason_too_long, idempotency_key_invalid, idempotency_key_reused, and those of extras and coupons as in quote_booking.';
grant execute on function public.change_booking(
  uuid, uuid, text, timestamptz, uuid, int, boolean, bigint, text, bigint, text, jsonb, text
) to authenticated;

-- =============================================================================
-- sql/35_staffing/030_shifts.sql
-- =============================================================================

comment on table public.staff_shifts is
  'A time in which a member works at a location. It decides who is assigned automatically; whoever holds bookings:assign may assign anybody, and nothing is sold or refused because of it. A person''s shifts do not overlap, in whatever location (409 shift_overlaps); two may touch, and count as one.';

comment on function private.prepare_shift() is
  'definer: reads the location and the person''s other shifts and locks the membership, whatever the planner may see of them. Gives a shift its location''s zone. Raises 409 shift_overlaps, details {"shift_id", "location_id", "starts_at", "ends_at"}.';

-- =============================================================================
-- sql/36_people/030_customers.sql
-- =============================================================================

comment on function public.merge_customers(uuid, uuid, uuid) is
  'Makes two customers one, for good: bookings, consents, tags and all else of merge_id become keep_id''s, whose address, name and language stay; an address and a phone are taken over where there was none, notes are joined (cut at 5000 characters). The ledger is not touched. An address of merge_id that is not taken over is free: a new booking with it makes a new customer. Returns the customer with tags. For members with customers:update. Errors: 403 permission_denied, organization_suspended; 404 customer_not_found; 409 customer_erased; 422 merge_invalid.';

-- =============================================================================
-- sql/37_waitlist/030_offers.sql
-- =============================================================================

create function private.place_for(entry public.waitlist_entries, freed_room_id uuid, freed tstzrange)
returns private.slot
language plpgsql
stable
set search_path = ''
as $$
declare
  calendar public.calendars;
  slot private.slot;
begin
  select c.* into calendar
  from public.calendars as c
  join public.organizations as o on o.id = c.organization_id
  where c.organization_id = entry.organization_id
    and c.id = entry.calendar_id
    and c.is_active
    and c.waitlist_minutes is not null
    and o.status = 'active';
  if not found then
    return null;
  end if;

  select s.* into slot
  from public.calendar_rooms as cr
  join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  cross join lateral private.slots(
    r.organization_id, array[r.id],
    greatest(entry.from_date, (lower(place_for.freed) at time zone l.timezone)::date),
    least(entry.to_date, (upper(place_for.freed) at time zone l.timezone)::date),
    entry.party_size, calendar.minimum_notice_minutes, calendar.maximum_advance_days, calendar.id
  ) as s
  where cr.organization_id = calendar.organization_id
    and cr.calendar_id = calendar.id
    and r.is_published
    and r.id = coalesce(entry.room_id, r.id)
    and r.id = coalesce(place_for.freed_room_id, r.id)
    and s.seats_available >= s.party_size
    -- Time enough to answer.
    and s.starts_at >= now() + interval '5 minutes'
    and (place_for.freed is null or tstzrange(s.starts_at, s.occupied_until) <@ place_for.freed)
  order by s.starts_at, cr.position, r.id
  limit 1;
  return slot;
end
$$;

comment on function private.place_for(public.waitlist_entries, uuid, tstzrange) is
  'The first place that suits an entry, within a room''s time or (null) anywhere; null when there is none.';

create function private.offer_place(entry public.waitlist_entries, place private.slot, freed boolean)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  calendar public.calendars;
  room public.rooms;
  session_id uuid;
  booking public.bookings;
begin
  if offer_place.freed then
    session_id := private.claim_freed_time(entry.organization_id, place);
  else
    session_id := private.claim_session(
      entry.organization_id, place.room_id, place.starts_at, place.ends_at, place.occupied_until,
      place.mode, place.capacity, place.party_size
    );
  end if;
  if session_id is null then
    return false;
  end if;

  select r.* into room
  from public.rooms as r
  where r.organization_id = entry.organization_id and r.id = place.room_id;
  select c.* into calendar
  from public.calendars as c
  where c.organization_id = entry.organization_id and c.id = entry.calendar_id;
  -- The time to answer is the hold's, and ends with the start at the latest.
  calendar.hold_minutes := least(
    calendar.waitlist_minutes, floor(extract(epoch from place.starts_at - now()) / 60)::int
  );
  perform private.act_as('system');
  booking := private.make_booking(
    session_id, room, place.starts_at, entry.customer_id,
    jsonb_build_object('full_name', entry.contact_name, 'locale', entry.locale),
    calendar, place.party_size,
    private.quote(
      entry.organization_id, place,
      jsonb_build_object(
        'calendar_id', calendar.id, 'customer_id', entry.customer_id, 'locale', entry.locale
      )
    ),
    'widget'
  );
  update public.bookings as b
  set fields = entry.fields
  where b.organization_id = booking.organization_id and b.id = booking.id and b.fields <> entry.fields;

  update public.waitlist_entries as e
  set status = 'offered', booking_id = booking.id, offered_at = now()
  where e.organization_id = entry.organization_id and e.id = entry.id;
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'waitlist_offer',
      'organization_id', entry.organization_id,
      'booking_id', booking.id,
      'entry_id', entry.id
    ),
    'waitlist_offer:' || booking.id,
    entry.organization_id
  );
  return true;
end
$$;

comment on function private.offer_place(public.waitlist_entries, private.slot, boolean) is
  'Holds a place for a locked, waiting entry and queues the mail; false when somebody else claimed it meanwhile. freed: it lies in time that this transaction freed.';

create function private.waiting_for(organization_id uuid, room_id uuid, during tstzrange)
returns setof uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select e.id
  from public.rooms as r
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  join public.calendar_rooms as cr on cr.organization_id = r.organization_id and cr.room_id = r.id
  join public.waitlist_entries as e
    on e.organization_id = cr.organization_id and e.calendar_id = cr.calendar_id
  where r.organization_id = waiting_for.organization_id
    and r.id = waiting_for.room_id
    and e.status = 'waiting'
    and e.waits_until > now()
    and (e.room_id is null or e.room_id = r.id)
    and e.from_date <= (upper(waiting_for.during) at time zone l.timezone)::date
    and e.to_date >= (lower(waiting_for.during) at time zone l.timezone)::date
    and e.party_size between r.minimum_party and r.maximum_party
  order by e.created_at, e.id
  -- Whoever gave up the place waits for this; the sweep looks further.
  limit 20;
end
$$;

comment on function private.waiting_for(uuid, uuid, tstzrange) is
  'Whom a place in the room in that time may suit, those who joined first, at most 20.';

comment on function private.locked_waiting_entry(uuid, uuid) is
  'The entry, locked with its customer, if it may be made an offer now; else null. It waits for nobody: what is locked is being dealt with.';

create function private.offer_found_place(place private.slot, finder public.waitlist_entries)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
declare
  during constant tstzrange := tstzrange(place.starts_at, place.occupied_until);
  queue uuid [] := array(
    select w.id from private.waiting_for(finder.organization_id, place.room_id, during) as w (id)
  );
  entry public.waitlist_entries;
  entry_id uuid;
  suited private.slot;
begin
  -- Those who joined before the finder, and then itself.
  queue := queue[:coalesce(array_position(queue, finder.id) - 1, cardinality(queue))] || finder.id;
  foreach entry_id in array queue
  loop
    if entry_id = finder.id then
      entry := finder;
    else
      entry := private.locked_waiting_entry(finder.organization_id, entry_id);
    end if;
    continue when entry.id is null;
    begin
      suited := private.place_for(entry, place.room_id, during);
      if suited.room_id is not null and private.offer_place(entry, suited, false) then
        return entry.id;
      end if;
    exception
      -- Somebody is busy there.
      when lock_not_available then
        return null;
      when others then
        raise warning 'no place was offered to waitlist entry %: %', entry.id, sqlerrm;
    end;
  end loop;
  return null;
end
$$;

comment on function private.offer_found_place(private.slot, public.waitlist_entries) is
  'Offers a place that was found for a locked entry to the first whom it suits, and returns whose it is; null when it was taken, or could not be had at once.';

comment on function private.sweep_waitlist() is
  'Looks for places that nobody handed on, for at most 20 entries, those first that were looked for longest ago, makes at most 20 offers, and ends the entries whose dates are over. Returns {waitlist_offers, expired_waitlist_entries}.';

-- =============================================================================
-- sql/40_work/030_email.sql
-- =============================================================================

comment on function service.prepare_email(bigint, uuid) is
  'What the mail of a claimed job says now: {template, locale, to: {name, email}, data, override: {subject, body} or null (the organization''s own words)}; null when nothing is to be sent: sent before, overtaken by events, to nobody, the address suppressed, or the lease lost. Amounts in minor units, instants in UTC, timezone the venue''s. Errors: 422 template_unknown.';

-- =============================================================================
-- sql/50_money/015_voucher_entries.sql
-- =============================================================================

create function private.lock_vouchers_of(organization_ids uuid [], booking_ids uuid [])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform from public.vouchers as v
  where (v.organization_id, v.id) in (
    select e.organization_id, e.voucher_id
    from unnest(lock_vouchers_of.organization_ids, lock_vouchers_of.booking_ids) as b (organization_id, id)
    join public.payments as p on p.organization_id = b.organization_id and p.booking_id = b.id
    join public.voucher_entries as e on e.organization_id = p.organization_id and e.payment_id = p.id
  )
  order by v.organization_id, v.id
  for no key update;
end
$$;

comment on function private.lock_vouchers_of(uuid [], uuid []) is
  'Locks the vouchers that paid for these locked bookings, in the order of their ids, before the bookings give back to them in any order: two who each waited for the other''s voucher would be a deadlock.';

-- Changes of what exists.

alter table "public"."customers"
  drop constraint "customers_erased_have_no_address";

alter table "public"."staff_shifts"
  drop constraint "staff_shifts_of_a_person_do_not_overlap";

drop function "private"."apply_change"(public.bookings, boolean, timestamp
  with time zone, uuid, integer, boolean, bigint, text, bigint, text);

drop function "private"."change_booking"(uuid, uuid, text, timestamp
  with time zone, uuid, integer, boolean, bigint, text, bigint, text);

drop function "private"."change_json"(public.bookings, public.bookings, timestamp
  with time zone, jsonb);

drop function "private"."checked_customer"(jsonb, text);

drop function "private"."create_booking"(uuid, uuid, timestamp
  with time zone,
  integer,
  jsonb, text, uuid, text, jsonb, text, text, boolean, jsonb, text, text, bigint, text, bigint);

drop function "private"."get_availability"(text, date, date, uuid, integer);

drop function "private"."offer_place"(public.waitlist_entries, uuid, tstzrange);

drop function "private"."pending_until"(timestamp with time zone);

drop function "private"."plan_change"(public.bookings, boolean, timestamp
  with time zone, uuid, integer, boolean, bigint, text);

drop function "private"."quote_booking"(text, uuid, timestamp
  with time zone, integer, jsonb, text, text, boolean);

drop function "private"."quote_change"(uuid, uuid, timestamp
  with time zone, uuid, integer, boolean, bigint, text);

drop function "private"."quote_reschedule"(text, text, timestamp
  with time zone, uuid, integer, boolean);

drop function "private"."reschedule_booking"(text, text, bigint, text, timestamp
  with time zone, uuid, integer, boolean);

drop function "public"."change_booking"(uuid, uuid, text, timestamp
  with time zone, uuid, integer, boolean, bigint, text, bigint, text);

drop function "public"."create_booking"(uuid, uuid, timestamp
  with time zone,
  integer,
  jsonb, text, uuid, text, jsonb, text, text, boolean, jsonb, text, text, bigint, text, bigint);

drop function "public"."get_availability"(text, date, date, uuid, integer);

drop function "public"."hold_booking"(text, uuid, timestamp
  with time zone, integer, jsonb, bigint, text, jsonb, text, text, boolean, jsonb, text, jsonb);

drop function "public"."quote_booking"(text, uuid, timestamp
  with time zone, integer, jsonb, text, text, boolean);

drop function "public"."quote_change"(uuid, uuid, timestamp
  with time zone, uuid, integer, boolean, bigint, text);

drop function "public"."quote_reschedule"(text, text, timestamp
  with time zone, uuid, integer, boolean);

drop function "public"."reschedule_booking"(text, text, bigint, text, timestamp
  with time zone, uuid, integer, boolean);

alter table "public"."customers"
  alter column "email" drop not null;

create or replace function private.audit_changes()
  returns trigger
  language plpgsql
  security definer
  set search_path to ''
  AS $function$
-- Statement-level with transition tables: one insert a statement, however many rows. It is called
-- four times for one hold, so it is kept flat: putting the key together by aggregating over an array
-- of its columns made a statement 70 µs slower, a layer of subquery more and a call of
-- a function for each row 10 to 15 µs of about 60.
declare
  tenant_column text := tg_argv[0];
  actor jsonb := private.current_actor();
  kind text := actor ->> 'kind';
  actor_id uuid := actor ->> 'id';
  request text := nullif(current_setting('request.headers', true), '')::json ->> 'x-request-id';
begin
  if tg_op = 'INSERT' then
    insert into public.audit_log (organization_id, actor_kind, actor_id, action, table_name, row_key, after, request_id)
    select
      (n.image ->> tenant_column)::uuid,
      case kind when 'user' then private.user_kind(actor_id, (n.image ->> tenant_column)::uuid) else kind end,
      actor_id, 'insert', tg_table_name,
      concat_ws('/', n.image ->> tg_argv[1], n.image ->> tg_argv[2], n.image ->> tg_argv[3]),
      n.image, request
    from (select to_jsonb(x) as image from new_rows as x offset 0) as n;
  elsif tg_op = 'DELETE' then
    insert into public.audit_log (organization_id, actor_kind, actor_id, action, table_name, row_key, before, request_id)
    select
      (o.image ->> tenant_column)::uuid,
      case kind when 'user' then private.user_kind(actor_id, (o.image ->> tenant_column)::uuid) else kind end,
      actor_id, 'delete', tg_table_name,
      concat_ws('/', o.image ->> tg_argv[1], o.image ->> tg_argv[2], o.image ->> tg_argv[3]),
      o.image, request
    from (select to_jsonb(x) as image from old_rows as x offset 0) as o
    -- The rows of an organization that is being erased take their log with them.
    where o.image ->> tenant_column is distinct from current_setting('escapemaster.erasing', true);
  else
    insert into public.audit_log (organization_id, actor_kind, actor_id, action, table_name, row_key, before, after, request_id)
    select
      (n.image ->> tenant_column)::uuid,
      case kind when 'user' then private.user_kind(actor_id, (n.image ->> tenant_column)::uuid) else kind end,
      actor_id, 'update', tg_table_name, n.row_key, d.before, d.after, request
    from (
      select k.image, concat_ws('/', k.image ->> tg_argv[1], k.image ->> tg_argv[2], k.image ->> tg_argv[3]) as row_key
      from (select to_jsonb(x) as image from old_rows as x offset 0) as k
    ) as o
    join (
      select k.image, concat_ws('/', k.image ->> tg_argv[1], k.image ->> tg_argv[2], k.image ->> tg_argv[3]) as row_key
      from (select to_jsonb(x) as image from new_rows as x offset 0) as k
    ) as n
      on n.row_key = o.row_key and n.image -> tenant_column = o.image -> tenant_column
    cross join lateral (
      select jsonb_object_agg(c.key, o.image -> c.key) as before, jsonb_object_agg(c.key, c.value) as after
      from jsonb_each(n.image) as c
      where c.key not in ('updated_at', 'last_used_at', 'looked_at') and o.image -> c.key is distinct from c.value
    ) as d
    where d.after is not null;
  end if;
  return null;
end
$function$;

create or replace function private.base_prices (
  organization_id uuid,
  slots           private.slot[]
)
  returns table (
    quantity   integer,
    unit_cents bigint
  )
  language plpgsql
  stable
  set jit to 'off'
  set plan_cache_mode to 'force_generic_plan'
  set enable_nestloop to 'off'
  set search_path to ''
  AS $function$
declare
  room_ids uuid [];
  first_date date;
  last_date date;
  ruled boolean;
begin
  select array_agg(distinct s.room_id), min(s.local_start)::date, max(s.local_start)::date
  into room_ids, first_date, last_date
  from unnest(base_prices.slots) as s;
  ruled := exists (
    select from public.price_rules as u
    where u.organization_id = base_prices.organization_id
      and u.is_active
      and (u.room_id is null or u.room_id = any (room_ids))
  );

  -- A rule meets days first, which are few, and then starts: the venue's rules what starts there
  -- are, whichever rooms share them, and only a room's own rules that room's slots one by one.
  return query
  with room as materialized (
    select r.id, r.price_per, r.price_cents, tier.minimums, tier.prices
    from public.rooms as r
    cross join lateral (
      select
        array_agg(t.minimum_party order by t.minimum_party) as minimums,
        array_agg(t.price_cents order by t.minimum_party) as prices
      from public.price_tiers as t
      where t.organization_id = r.organization_id and t.room_id = r.id
    ) as tier
    where r.organization_id = base_prices.organization_id and r.id = any (room_ids)
  ),
  rule as materialized (
    select u.*, row_number() over (order by u.priority desc, u.room_id is null, u.id desc) as place
    from public.price_rules as u
    where ruled
      and u.organization_id = base_prices.organization_id
      and u.is_active
      and (u.room_id is null or u.room_id = any (room_ids))
  ),
  ranked as materialized (
    select array_agg(u.kind order by u.place) as kinds, array_agg(u.value order by u.place) as amounts
    from rule as u
  ),
  opened as materialized (
    select
      u.room_id,
      part.date,
      array_agg(part.opens) as opens,
      array_agg(part.closes) as closes,
      array_agg(u.place) as places
    from rule as u
    -- A window of the day before may run past midnight into the first day.
    cross join lateral (
      select first_date + n as date
      from generate_series(-1, last_date - first_date) as n
    ) as began
    cross join lateral (
      values
      (
        began.date, u.from_time,
        case when u.until_time > u.from_time then u.until_time else time '24:00' end
      ),
      (began.date + 1, time '00:00', case when u.until_time <= u.from_time then u.until_time else time '00:00' end)
    ) as part (date, opens, closes)
    where extract(isodow from began.date)::int = any (u.weekdays)
      and (u.from_date is null or began.date >= u.from_date)
      and (u.until_date is null or began.date <= u.until_date)
      and part.opens < part.closes
    group by u.room_id, part.date
  ),
  everywhere as materialized (
    select start.local, (
      select min(w.place)
      from unnest(o.opens, o.closes, o.places) as w (opens, closes, place)
      where start.local::time >= w.opens and start.local::time < w.closes
    ) as place
    from (
      select distinct s.local_start
      from unnest(base_prices.slots) as s
      where ruled
    ) as start (local)
    join opened as o on o.date = start.local::date
    where o.room_id is null
  )
  select
    case priced.price_per when 'person' then priced.party_size else 1 end,
    case ranked.kinds[priced.place]
      when 'price' then ranked.amounts[priced.place]
      when 'percent' then round(priced.cents::numeric * (100 + ranked.amounts[priced.place]) / 100)::bigint
      when 'amount' then greatest(priced.cents + ranked.amounts[priced.place], 0)
      else priced.cents
    end
  from (
    select
      s.ordinality,
      s.party_size,
      r.price_per,
      case
        when r.minimums is null then r.price_cents
        else coalesce(r.prices[width_bucket(s.party_size, r.minimums)], r.price_cents)
      end as cents,
      least(e.place, case when own.places is not null then (
        select min(w.place)
        from unnest(own.opens, own.closes, own.places) as w (opens, closes, place)
        where s.local_start::time >= w.opens and s.local_start::time < w.closes
      ) end) as place
    from unnest(base_prices.slots) with ordinality as s
    join room as r on r.id = s.room_id
    left join everywhere as e on e.local = s.local_start
    left join opened as own on own.room_id = s.room_id and own.date = s.local_start::date
    offset 0
  ) as priced
  cross join ranked
  order by priced.ordinality;
end
$function$;

create or replace function private.booking_email (
  organization_id uuid,
  history_id      uuid
)
  returns jsonb
  language plpgsql
  stable
  set search_path to ''
  AS $function$
declare
  told public.booking_history;
begin
  select h.* into told
  from public.booking_history as h
  where h.organization_id = booking_email.organization_id
    and h.id = booking_email.history_id
    -- The news must still be news: nothing later has taken it back or told it anew. A change
    -- takes nothing from a confirmation, which says what is so now.
    and not exists (
      select from public.booking_history as later
      where later.organization_id = h.organization_id
        and later.booking_id = h.booking_id
        and later.occurred_at > h.occurred_at
        and later.to_status in ('confirmed', 'cancelled', 'expired', 'no_show')
        and (later.change is null or h.change is not null)
    );
  if not found then
    return null;
  end if;
  return private.with_data(
    private.booking_letter(told.organization_id, told.booking_id),
    jsonb_build_object(
      -- The event in the reader's calendar: the same for ever, its versions counted.
      'event_id', told.booking_id,
      'event_at', told.occurred_at,
      'event_version', (
        select count(*)
        from public.booking_history as h
        where h.organization_id = told.organization_id
          and h.booking_id = told.booking_id
          and h.occurred_at <= told.occurred_at
          and (h.to_status in ('confirmed', 'cancelled') or h.change is not null)
      ) - 1,
      'previous', case when told.change is not null then jsonb_build_object(
        'starts_at', told.change #> '{starts_at,0}',
        'party_size', told.change #> '{party_size,0}',
        'extras', told.change #> '{extras,0}',
        'room_name', (
          select r.name
          from public.rooms as r
          where r.organization_id = told.organization_id and r.id::text = told.change #>> '{room_id,0}'
        )
      ) end
    )
  );
end
$function$;

create or replace function private.booking_json (
  booking public.bookings
)
  returns jsonb
  language plpgsql
  stable
  set search_path to ''
  AS $function$
begin
  return (
    select private.booking_json(booking, s.ends_at, l.timezone, r.name)
    from public.sessions as s
    join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where s.organization_id = booking.organization_id and s.id = booking.session_id
  );
end
$function$;

create or replace function private.booking_letter (
  organization_id uuid,
  booking_id      uuid
)
  returns jsonb
  language plpgsql
  stable
  set search_path to ''
  AS $function$
begin
  return (
    select jsonb_build_object(
      'booking_id', b.id,
      'locale', b.locale,
      'to', jsonb_build_object('name', b.contact_name, 'email', c.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'room_name', r.name,
        'location_name', l.name,
        'address', concat_ws(', ', nullif(l.address, ''), nullif(concat_ws(' ', nullif(l.postal_code, ''), nullif(l.city, '')), '')),
        'timezone', l.timezone,
        'starts_at', s.starts_at,
        'ends_at', s.ends_at,
        'party_size', b.party_size,
        'extras', private.booking_json(b) -> 'extras',
        'reference', b.reference,
        'manage_url_token', private.derived_token('booking', b.id::text),
        'waiver_token', private.booking_waiver(b) ->> 'token',
        'calendar_slug', k.slug,
        'accent_color', k.accent_color,
        'currency', b.currency,
        'total_cents', b.total_cents,
        'paid_cents', balance.paid_cents,
        'open_cents', greatest(b.total_cents - private.booking_kept(b.organization_id, b.id), 0),
        'refund_cents', balance.paid_cents - private.booking_kept(b.organization_id, b.id)
      )
    )
    from public.bookings as b
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    join public.customers as c on c.organization_id = b.organization_id and c.id = b.customer_id
    join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    join public.organizations as o on o.id = b.organization_id
    left join lateral private.managing_calendar(b) as k on true
    cross join private.booking_balance(b.organization_id, b.id) as balance
    where b.organization_id = booking_letter.organization_id
      and b.id = booking_letter.booking_id
      and c.erased_at is null
  );
end
$function$;

create or replace function private.change_seats (
  booking  public.bookings,
  target   public.bookings,
  room     public.rooms,
  by_staff boolean
)
  returns void
  language plpgsql
  set search_path to ''
  AS $function$
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
$function$;

create or replace function private.claim_block (
  block  public.room_blocks,
  rooms  uuid[],
  starts timestamp with time zone[],
  ends   timestamp with time zone[]
)
  returns void
  language plpgsql
  set search_path to ''
  AS $function$
declare
  blocked record;
  reaped int;
  conflicts jsonb;
begin
  -- Some of it is claimed already while the rest is waited for.
  perform private.lock_room(block.organization_id, wanted.room_id)
  from (
    select distinct r.id as room_id
    from unnest(rooms) as r (id)
    order by r.id
  ) as wanted;
  for attempt in 1..3 loop
    -- One statement for all. As in private.claim_session, it waits for a concurrent claim and
    -- then leaves out what it took.
    insert into public.sessions (
      organization_id, room_id, starts_at, ends_at, occupied_until, mode, capacity, seats_taken, reason, block_id
    )
    select block.organization_id, o.room_id, o.starts, o.ends, o.ends, 'block', 0, 0, block.reason, block.id
    from unnest(rooms, starts, ends) as o (room_id, starts, ends)
    order by o.room_id, o.starts
    on conflict do nothing;

    select
      array_agg(o.room_id order by o.n),
      array_agg(o.starts order by o.n),
      array_agg(o.ends order by o.n)
    into rooms, starts, ends
    from unnest(rooms, starts, ends) with ordinality as o (room_id, starts, ends, n)
    where not exists (
      select from public.sessions as s
      where s.organization_id = block.organization_id
        and s.block_id = block.id
        and s.room_id = o.room_id
        and s.starts_at = o.starts
    );
    if rooms is null then
      return;
    end if;

    reaped := 0;
    for blocked in
      select o.room_id, tstzrange(o.starts, o.ends) as during
      from unnest(rooms, starts, ends) as o (room_id, starts, ends)
    loop
      reaped := reaped + private.reap_lapsed_holds(block.organization_id, blocked.room_id, blocked.during);
    end loop;
    -- What was in the way may have gone while it was waited for, so there is one more look.
    exit when reaped = 0 and attempt > 1;
  end loop;

  select jsonb_agg(
    jsonb_build_object(
      'session_id', s.id, 'room_id', s.room_id, 'starts_at', s.starts_at, 'ends_at', s.ends_at, 'mode', s.mode
    )
    order by s.starts_at, s.room_id
  )
  into conflicts
  from (
    select distinct on (s.starts_at, s.room_id) s.*
    from unnest(rooms, starts, ends) as o (room_id, starts, ends)
    join public.sessions as s
      on s.organization_id = block.organization_id
      and s.room_id = o.room_id
      and s.status <> 'cancelled'
      and s.during && tstzrange(o.starts, o.ends)
    order by s.starts_at, s.room_id
    limit 20
  ) as s;
  perform private.fail(
    'slot_taken', 409, 'Move or cancel what is booked in that time, or choose another.',
    jsonb_build_object('occurrences', cardinality(rooms), 'conflicts', coalesce(conflicts, '[]'))
  );
end
$function$;

create or replace function private.coupon_uses (
  coupon      public.coupons,
  booking_id  uuid,
  customer_id uuid           default null::uuid,
  with_lapsed boolean        default false
)
  returns bigint
  language plpgsql
  stable
  set search_path to ''
  AS $function$
begin
  return (
    select count(*)
    from public.coupon_redemptions as r
    join public.bookings as b on b.organization_id = r.organization_id and b.id = r.booking_id
    where r.organization_id = coupon.organization_id
      and r.coupon_id = coupon.id
      and r.booking_id is distinct from coupon_uses.booking_id
      and b.takes_capacity
      and (with_lapsed or coalesce(b.hold_expires_at > now(), true))
      and b.customer_id = coalesce(coupon_uses.customer_id, b.customer_id)
  );
end
$function$;

create or replace function private.customer_addresses (
  organization_id uuid,
  customer_ids    uuid[]
)
  returns text[]
  language plpgsql
  stable
  set search_path to ''
  AS $function$
begin
  -- Today's and, by the log, every earlier one that is nobody else's today.
  return array(
    select c.email
    from public.customers as c
    where c.organization_id = customer_addresses.organization_id and c.id = any (customer_addresses.customer_ids)
      and c.email is not null
    union
    select a.address
    from public.audit_log as l
    cross join lateral (values (l.before ->> 'email'), (l.after ->> 'email')) as a (address)
    where l.organization_id = customer_addresses.organization_id
      and l.table_name = 'customers'
      and l.row_key = any (customer_addresses.customer_ids::text [])
      and a.address is not null
      and not exists (
        select from public.customers as other
        where other.organization_id = customer_addresses.organization_id
          and other.email = a.address
          and other.id <> all (customer_addresses.customer_ids)
      )
  );
end
$function$;

create or replace function private.end_waiting (
  organization_id uuid,
  entry_id        uuid,
  status          text
)
  returns public.waitlist_entries
  language plpgsql
  set search_path to ''
  AS $function$
declare
  seen public.waitlist_entries;
  entry public.waitlist_entries;
  booking public.bookings;
begin
  loop
    select e.* into seen
    from public.waitlist_entries as e
    where e.organization_id = end_waiting.organization_id and e.id = end_waiting.entry_id;
    if not found then
      perform private.fail('waitlist_entry_not_found', 404, 'Check the entry''s id.');
    end if;
    begin
      -- Session and booking before the entry, as everywhere.
      if seen.status = 'offered' then
        booking := private.locked_booking(seen.organization_id, seen.booking_id);
      end if;
      select e.* into entry
      from public.waitlist_entries as e
      where e.organization_id = seen.organization_id and e.id = seen.id
      for update;
      -- An offer may have come, or gone, while the locks were waited for: then they are let go
      -- with this block, so that no session is waited for under the entry.
      if (entry.status, entry.booking_id) is distinct from (seen.status, seen.booking_id) then
        raise exception using errcode = 'EM001', message = 'entry_moved';
      end if;
      exit;
    exception
      when sqlstate 'EM001' then null;
    end;
  end loop;

  if entry.status = 'offered' then
    perform private.cancel(booking, 'waitlist_' || end_waiting.status);
  end if;
  if entry.status in ('waiting', 'offered') then
    update public.waitlist_entries as e
    set status = end_waiting.status
    where e.organization_id = entry.organization_id and e.id = entry.id
    returning * into entry;
  end if;
  return entry;
end
$function$;

create or replace function private.expire_coupon_holds (
  coupon public.coupons
)
  returns void
  language plpgsql
  set search_path to ''
  AS $function$
declare
  booking_ids uuid [];
begin
  -- Sessions and bookings come before coupons in the order of locks, and here the coupon is
  -- locked already: so nothing is waited for, and one with money on it is left to the sweep,
  -- since giving it back takes further locks.
  select array_agg(lapsed.id) into booking_ids
  from (
    select b.id
    from public.coupon_redemptions as r
    join public.bookings as b on b.organization_id = r.organization_id and b.id = r.booking_id
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    where r.organization_id = coupon.organization_id
      and r.coupon_id = coupon.id
      and b.hold_expires_at <= now()
      and not exists (
        select from public.payments as p
        where p.organization_id = b.organization_id and p.booking_id = b.id
      )
    for no key update of s, b skip locked
  ) as lapsed;
  update public.bookings as b
  set status = d.to_status, status_reason = d.reason, hold_expires_at = null
  from private.booking_deadlines as d
  where b.organization_id = coupon.organization_id
    and b.id = any (booking_ids)
    and b.hold_expires_at <= now()
    and d.status = b.status;
end
$function$;

create or replace function private.expire_lapsed_holds (
  max integer
)
  returns integer
  language plpgsql
  set search_path to ''
  AS $function$
declare
  booking_ids uuid [];
  expired int := 0;
begin
  perform private.act_as('system', null);
  -- Session and booking are locked together without waiting: what somebody else holds is
  -- being dealt with.
  select array_agg(lapsed.id) into booking_ids
  from (
    select b.id
    from public.bookings as b
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    where b.hold_expires_at <= now()
    order by b.hold_expires_at
    limit expire_lapsed_holds.max
    for no key update of s, b skip locked
  ) as lapsed;
  if booking_ids is not null then
    perform private.lock_vouchers_of(array_agg(b.organization_id), array_agg(b.id))
    from public.bookings as b
    where b.id = any (booking_ids) and b.hold_expires_at <= now();
    update public.bookings as b
    set status = d.to_status, status_reason = d.reason, hold_expires_at = null
    from private.booking_deadlines as d
    where b.id = any (booking_ids)
      and b.hold_expires_at <= now()
      and d.status = b.status;
    get diagnostics expired = row_count;
  end if;
  return expired;
end
$function$;

create or replace function private.extra_left (
  extra       public.extras,
  session_id  uuid,
  booking_id  uuid,
  with_lapsed boolean       default false
)
  returns integer
  language plpgsql
  stable
  set search_path to ''
  AS $function$
begin
  return extra.stock_per_session - (
    select coalesce(sum(be.units), 0)
    from public.bookings as b
    join public.booking_extras as be on be.organization_id = b.organization_id and be.booking_id = b.id
    where b.organization_id = extra.organization_id
      and b.session_id = extra_left.session_id
      and b.id is distinct from extra_left.booking_id
      and b.takes_capacity
      and (with_lapsed or coalesce(b.hold_expires_at > now(), true))
      and be.extra_id = extra.id
  );
end
$function$;

create or replace function private.extra_lines (
  organization_id uuid,
  slot            private.slot,
  options         jsonb,
  locale          text
)
  returns jsonb
  language plpgsql
  stable
  set search_path to ''
  AS $function$
declare
  wanted jsonb := coalesce(nullif(options -> 'extras', 'null'), '[]');
  own_id uuid := (options ->> 'booking_id')::uuid;
  lines jsonb := '[]';
  seen uuid [] := '{}';
  session_id uuid;
  item jsonb;
  extra public.extras;
  owned int;
  quantity int;
  units int;
begin
  if jsonb_typeof(wanted) <> 'array' or exists (
    select from jsonb_array_elements(wanted) as e
    where jsonb_typeof(e) is distinct from 'object'
      or jsonb_typeof(e -> 'extra_id') is distinct from 'string'
      or e ->> 'extra_id' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
      or jsonb_typeof(e -> 'quantity') is distinct from 'number'
      or e ->> 'quantity' !~ '^[0-9]{1,4}$'
  ) then
    perform private.fail('extras_invalid', 422, 'Give extras as a list of {extra_id, quantity}, each once.');
  end if;

  for item in
    select e from jsonb_array_elements(wanted) with ordinality as e (e, place)
    order by place
  loop
    select x.* into extra
    from public.extras as x
    where x.organization_id = extra_lines.organization_id and x.id = (item ->> 'extra_id')::uuid;
    -- What a booking has in the room it keeps, though the venue offers it no longer, or less of it.
    owned := coalesce((
      select be.quantity
      from public.booking_extras as be
      join public.bookings as b on b.organization_id = be.organization_id and b.id = be.booking_id
      where be.organization_id = extra_lines.organization_id
        and be.booking_id = own_id
        and be.extra_id = extra.id
        and b.room_id = (slot).room_id
    ), 0);
    quantity := (item ->> 'quantity')::int;
    if extra.id is null
      or (owned = 0 or quantity > owned) and not private.is_extra_of(extra, (slot).room_id)
    then
      perform private.fail(
        'extra_not_found', 422, 'Choose extras that get_calendar lists for the room.',
        jsonb_build_object('extra_id', item -> 'extra_id')
      );
    elsif extra.id = any (seen) then
      perform private.fail('extras_invalid', 422, 'Give extras as a list of {extra_id, quantity}, each once.');
    end if;
    seen := seen || extra.id;
    if quantity > greatest(extra.maximum_quantity, owned) then
      perform private.fail(
        'extra_quantity_invalid', 422, 'Take no more of the extra than a booking may have.',
        jsonb_build_object('extra_id', extra.id, 'maximum', extra.maximum_quantity)
      );
    end if;
    continue when quantity = 0;
    units := quantity * case extra.price_per when 'person' then (slot).party_size else 1 end;
    if extra.stock_per_session is not null then
      session_id := coalesce(session_id, private.session_at(extra_lines.organization_id, slot));
      if units > private.extra_left(extra, session_id, own_id) then
        perform private.refuse_sold_out(extra, private.extra_left(extra, session_id, own_id));
      end if;
    end if;
    lines := lines || jsonb_build_array(
      private.quote_line(
        'extra', private.text_in(extra.names, locale), units, extra.price_cents, extra.tax_rate_bp
      ) || jsonb_build_object('extra_id', extra.id)
    );
  end loop;
  return lines;
end
$function$;

create or replace function private.hand_on_freed_place()
  returns trigger
  language plpgsql
  security definer
  set search_path to ''
  AS $function$
declare
  entry public.waitlist_entries;
  entry_id uuid;
  place private.slot;
  offered boolean;
begin
  -- Most places that become free are waited for by nobody: that is asked first, of an index.
  if not exists (
    select from public.waitlist_entries as e
    where e.organization_id = old.organization_id and e.status = 'waiting'
  ) then
    return null;
  end if;

  for entry_id in
    select w.id from private.waiting_for(old.organization_id, old.room_id, old.during) as w (id)
  loop
    entry := private.locked_waiting_entry(old.organization_id, entry_id);
    continue when entry.id is null;
    -- What the list cannot do must not undo the cancellation that the place comes from; the
    -- sweep looks for the entry again.
    begin
      place := private.place_for(entry, old.room_id, old.during);
      offered := place.room_id is not null and private.offer_place(entry, place, true);
      -- A private session was one place.
      exit when offered and old.mode = 'private';
    exception
      when others then
        raise warning 'no place was offered to waitlist entry %: %', entry.id, sqlerrm;
    end;
  end loop;
  return null;
end
$function$;

create or replace function private.hold_booking (
  slug                 text,
  room_id              uuid,
  starts_at            timestamp with time zone,
  party_size           integer,
  customer             jsonb,
  expected_total_cents bigint,
  idempotency_key      text,
  extras               jsonb,
  coupon_code          text,
  voucher_code         text,
  exclusive            boolean,
  fields               jsonb,
  customer_note        text,
  consents             jsonb
)
  returns jsonb
  language plpgsql
  security definer
  set search_path to ''
  AS $function$
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
    if length(hold_booking.customer_note) > 2000 then
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
    if booking.status = 'held' and booking.due_now_cents = 0 then
      perform private.transition(booking.organization_id, booking.id, 'confirmed', 'nothing_due');
      booking.status := 'confirmed';
      booking.hold_expires_at := null;
    end if;
    perform private.record_consents(
      booking.organization_id, customer_id, booking.id, consents, booking.locale
    );

    answer := private.booking_json(booking, slot.ends_at, slot.timezone, room.name)
      || jsonb_build_object('booking_id', booking.id);
    perform private.idempotent_end(scope, idempotency_key, answer);
    -- Last, since the counters' rows stay locked until the end of the transaction.
    if booking.status = 'held' then
      perform private.limit_live_holds(booking, private.client_address());
    end if;
    perform private.limit_rate('hold_booking', 'address', private.client_address());
    perform private.limit_rate('hold_booking', 'target', calendar.id::text);
  end if;

  -- The token is derived, not stored: a replay shows it again.
  return answer - 'booking_id'
    || jsonb_build_object('manage_token', private.derived_token('booking', answer ->> 'booking_id'));
end
$function$;

create or replace function private.is_reschedulable (
  booking public.bookings
)
  returns boolean
  language plpgsql
  stable
  set search_path to ''
  AS $function$
declare
  terms record := private.cancellation_terms(booking);
begin
  return terms.by_customer
    and terms.refund_percent = 100
    and (private.managing_calendar(booking)).id is not null;
end
$function$;

create or replace function private.lock_customers (
  organization_id uuid,
  customer_ids    uuid[]
)
  returns void
  language plpgsql
  set search_path to ''
  AS $function$
declare
  room_ids uuid [];
  session_ids uuid [];
  locked int;
begin
  loop
    begin
      -- In the order of everybody: rooms, since several sessions are waited for, sessions, their
      -- bookings, what hangs on those. Sessions by their start, as private.reap_lapsed_holds
      -- takes them.
      select coalesce(array_agg(distinct b.room_id order by b.room_id), '{}') into room_ids
      from public.bookings as b
      where b.organization_id = lock_customers.organization_id and b.customer_id = any (lock_customers.customer_ids);
      perform private.lock_room(lock_customers.organization_id, wanted.room_id)
      from unnest(room_ids) as wanted (room_id);

      select coalesce(array_agg(own.id), '{}') into session_ids
      from (
        select s.id
        from public.sessions as s
        where s.organization_id = lock_customers.organization_id
          and s.id in (
            select b.session_id from public.bookings as b
            where b.organization_id = lock_customers.organization_id
              and b.customer_id = any (lock_customers.customer_ids)
              and b.room_id = any (room_ids)
          )
        order by s.starts_at, s.id
        for no key update
      ) as own;
      perform from public.bookings as b
      where b.organization_id = lock_customers.organization_id
        and b.customer_id = any (lock_customers.customer_ids)
        and b.session_id = any (session_ids)
      order by b.starts_at, b.id
      for no key update;
      -- Against private.customer_with_email: whoever books in that name waits, or is waited for.
      perform from public.customers as c
      where c.organization_id = lock_customers.organization_id and c.id = any (lock_customers.customer_ids)
      order by c.id
      for update;
      get diagnostics locked = row_count;
      -- Booked, or moved, while the locks were waited for: they are let go with this block, since
      -- it is too late to ask for another room or session in order.
      if exists (
        select from public.bookings as b
        where b.organization_id = lock_customers.organization_id
          and b.customer_id = any (lock_customers.customer_ids)
          and not (b.session_id = any (session_ids) and b.room_id = any (room_ids))
      ) then
        raise exception using errcode = 'EM001', message = 'booking_moved';
      end if;
      exit;
    exception
      when sqlstate 'EM001' then null;
    end;
  end loop;
  if locked < cardinality(lock_customers.customer_ids) then
    perform private.fail('customer_not_found', 404, 'Choose one of the organization''s customers; they may have been merged.');
  elsif exists (
    select from public.customers as c
    where c.organization_id = lock_customers.organization_id
      and c.id = any (lock_customers.customer_ids)
      and c.erased_at is not null
  ) then
    perform private.fail('customer_erased', 409, 'Choose another customer: what was erased stays erased.');
  end if;
end
$function$;

create or replace function private.locked_waiting_entry (
  organization_id uuid,
  entry_id        uuid
)
  returns public.waitlist_entries
  language plpgsql
  set search_path to ''
  AS $function$
declare
  entry public.waitlist_entries;
begin
  select e.* into entry
  from public.waitlist_entries as e
  where e.organization_id = locked_waiting_entry.organization_id
    and e.id = locked_waiting_entry.entry_id
    and e.status = 'waiting'
  for update skip locked;
  -- One offer a person at a time, however many entries. Whoever is being merged or erased, or
  -- is made an offer, is not waited for either.
  perform from public.customers as c
  where c.organization_id = entry.organization_id and c.id = entry.customer_id
  for no key update skip locked;
  if not found or exists (
    select from public.waitlist_entries as other
    where other.organization_id = entry.organization_id
      and other.customer_id = entry.customer_id
      and other.status = 'offered'
  ) then
    return null;
  end if;
  return entry;
end
$function$;

create or replace function private.merge_customers (
  organization_id uuid,
  keep_id         uuid,
  merge_id        uuid
)
  returns jsonb
  language plpgsql
  security definer
  set search_path to ''
  AS $function$
declare
  merged public.customers;
  kept public.customers;
  reference record;
begin
  perform private.require_permission(merge_customers.organization_id, 'customers:update');
  if merge_customers.keep_id is null or merge_customers.merge_id is null
    or merge_customers.keep_id = merge_customers.merge_id
  then
    perform private.fail('merge_invalid', 422, 'Name two different customers.');
  end if;
  perform private.lock_customers(
    merge_customers.organization_id, array[merge_customers.keep_id, merge_customers.merge_id]
  );

  insert into public.customer_tags (organization_id, customer_id, tag)
  select t.organization_id, merge_customers.keep_id, t.tag
  from public.customer_tags as t
  where t.organization_id = merge_customers.organization_id and t.customer_id = merge_customers.merge_id
  on conflict on constraint customer_tags_tag_key do nothing;
  delete from public.customer_tags as t
  where t.organization_id = merge_customers.organization_id and t.customer_id = merge_customers.merge_id;

  -- Whatever refers to customers, from the catalogue, so that a new table cannot be forgotten.
  -- Payments and refunds belong to bookings and are not touched.
  perform set_config('escapemaster.merging', merge_customers.organization_id::text, true);
  for reference in
    select f.conrelid::regclass as relation, a.attname as name
    from pg_catalog.pg_constraint as f
    cross join unnest(f.conkey, f.confkey) as k (child, parent)
    join pg_catalog.pg_attribute as a on a.attrelid = f.conrelid and a.attnum = k.child
    join pg_catalog.pg_attribute as p on p.attrelid = f.confrelid and p.attnum = k.parent
    where f.confrelid = 'public.customers'::regclass and f.contype = 'f' and p.attname = 'id'
    order by f.conrelid::regclass::text, a.attname
  loop
    execute format(
      'update %1$s as t set %2$I = $1 where t.organization_id = $2 and t.%2$I = $3', reference.relation, reference.name
    )
    using merge_customers.keep_id, merge_customers.organization_id, merge_customers.merge_id;
  end loop;
  perform set_config('escapemaster.merging', '', true);

  delete from public.customers as c
  where c.organization_id = merge_customers.organization_id and c.id = merge_customers.merge_id
  returning * into merged;
  insert into private.customer_merges (organization_id, merged_id, customer_id)
  values (merge_customers.organization_id, merge_customers.merge_id, merge_customers.keep_id);
  update public.customers as c
  set email = coalesce(c.email, merged.email),
    phone = coalesce(c.phone, merged.phone),
    staff_note = left(concat_ws(E'\n', nullif(c.staff_note, ''), nullif(merged.staff_note, '')), 5000)
  where c.organization_id = merge_customers.organization_id and c.id = merge_customers.keep_id
  returning * into kept;
  return private.customer_json(kept);
end
$function$;

create or replace function private.prepare_email (
  job_id      bigint,
  lease_token uuid
)
  returns jsonb
  language plpgsql
  security definer
  set search_path to ''
  AS $function$
declare
  job private.jobs;
  mail jsonb;
  suppressed boolean;
begin
  perform private.act_as('system', null);
  select j.* into job
  from private.jobs as j
  where j.id = prepare_email.job_id
    and j.lease_token = prepare_email.lease_token
    and j.status = 'running'
    and j.kind = 'email.send';
  if not found or exists (
    select from private.email_messages as m where m.job_id = job.id and m.sent_at is not null
  ) then
    return null;
  end if;

  case job.payload ->> 'template'
    when 'booking_confirmed', 'booking_cancelled', 'booking_rescheduled' then
      mail := private.booking_email(job.organization_id, (job.payload ->> 'history_id')::uuid);
    when 'booking_paid_late' then
      mail := private.late_money_email(job.organization_id, (job.payload ->> 'booking_id')::uuid);
    when 'waitlist_offer' then
      mail := private.waitlist_email(
        job.organization_id, (job.payload ->> 'entry_id')::uuid, (job.payload ->> 'booking_id')::uuid
      );
    when 'invitation' then
      mail := private.invitation_email(job.organization_id, (job.payload ->> 'invitation_id')::uuid);
    when 'voucher_issued' then
      mail := private.voucher_email(job.organization_id, (job.payload ->> 'voucher_id')::uuid);
    else
      -- Not null, which would end the job as if there were nothing to say.
      perform private.fail('template_unknown', 422, 'Teach private.prepare_email what this mail says.');
  end case;
  -- Nobody to write to: a customer without an address.
  if mail #>> '{to,email}' is null then
    return null;
  end if;

  suppressed := exists (
    select from private.email_suppressions as s where s.email = lower(mail #>> '{to,email}')
  );
  insert into private.email_messages (job_id, organization_id, booking_id, template, locale, recipient, status)
  values (
    job.id, job.organization_id, (mail ->> 'booking_id')::uuid, job.payload ->> 'template', mail ->> 'locale',
    mail #>> '{to,email}', case when suppressed then 'suppressed' else 'prepared' end
  )
  on conflict on constraint email_messages_pkey do update
  set locale = excluded.locale,
    recipient = excluded.recipient,
    status = excluded.status;
  if suppressed then
    return null;
  end if;

  return mail - 'booking_id' || jsonb_build_object(
    'template', job.payload ->> 'template',
    'override', (
      select jsonb_build_object('subject', t.subject, 'body', t.body)
      from public.email_template_overrides as t
      where t.organization_id = job.organization_id
        and t.template = job.payload ->> 'template'
        and t.locale = mail ->> 'locale'
    )
  );
end
$function$;

create or replace function private.prepare_shift()
  returns trigger
  language plpgsql
  security definer
  set search_path to ''
  AS $function$
declare
  other public.staff_shifts;
begin
  -- Two who plan one person's time at once come one after the other: the constraint alone
  -- would let each wait for the other, which PostgreSQL ends as a deadlock.
  perform from public.memberships as m
  where m.organization_id = new.organization_id and m.user_id = new.user_id
  for no key update;
  -- Where there is no such location any zone does: the foreign key says what is wrong.
  select l.timezone into new.timezone
  from public.locations as l
  where l.organization_id = new.organization_id and l.id = new.location_id;
  new.timezone := coalesce(new.timezone, 'UTC');

  -- The constraint decides; this says the same in words that a client can show. Row-level security
  -- speaks later, so a new row of another tenant is left to it; and those that a location's new
  -- zone takes along are not all there yet.
  if tg_op = 'INSERT' and new.organization_id is distinct from private.organization_with('shifts:manage')
    or tg_op = 'UPDATE' and new.timezone <> old.timezone and new.location_id = old.location_id
  then
    return new;
  end if;
  select s.* into other
  from public.staff_shifts as s
  where s.organization_id = new.organization_id
    and s.user_id = new.user_id
    and s.id <> new.id
    -- As the generated columns, which have no value yet.
    and s.starts_at < (
      (new.date + case when new.to_time > new.from_time then 0 else 1 end + new.to_time) at time zone new.timezone
    )
    and s.ends_at > ((new.date + new.from_time) at time zone new.timezone)
  order by s.starts_at
  limit 1;
  if found then
    perform private.fail(
      'shift_overlaps', 409, 'Choose a time in which the person has no other shift, or change that one.',
      jsonb_build_object(
        'shift_id', other.id, 'location_id', other.location_id, 'starts_at', other.starts_at, 'ends_at', other.ends_at
      )
    );
  end if;
  return new;
end
$function$;

create or replace function private.reap_lapsed_holds (
  organization_id uuid,
  room_id         uuid,
  during          tstzrange
)
  returns integer
  language plpgsql
  set search_path to ''
  AS $function$
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
$function$;

create or replace function private.slots (
  organization_id        uuid,
  room_ids               uuid[],
  from_date              date,
  to_date                date,
  party_size             integer,
  minimum_notice_minutes integer,
  maximum_advance_days   integer,
  calendar_id            uuid    default null::uuid
)
  returns SETOF private.slot
  language plpgsql
  stable
  set jit to 'off'
  set plan_cache_mode to 'force_generic_plan'
  set search_path to ''
  AS $function$
begin
  -- Three things keep it fast (31 days of 10 rooms, 2,440 starts: 2.4 ms, 4.4 without 1 and 2).
  -- 1. The clock is asked once a day. A start on a day on which it does not jump is an addition.
  -- 2. Rooms that open alike share their starts: hours are expanded once for all of them.
  -- 3. All that is known of a room is gathered in its one row, its sessions in one multirange,
  --    and the rest only multiplies rows, so that no join is left whose size the planner would
  --    have to guess: with exceptions and sessions joined to slots it took ten times as long.
  -- "offset 0" keeps an expression from being evaluated again wherever its value is used.
  return query
  with
  offer as materialized (
    select
      r.id,
      r.location_id,
      r.mode,
      r.maximum_party,
      r.duration_minutes + r.turnaround_minutes as occupied_minutes,
      make_interval(mins => r.duration_minutes) as duration,
      make_interval(mins => r.duration_minutes + r.turnaround_minutes) as occupied,
      coalesce(slots.party_size, r.minimum_party) as party_size,
      l.timezone,
      bookable.earliest,
      bookable.latest,
      -- A window of the day before may run past midnight into the first wanted day.
      greatest(slots.from_date, (bookable.earliest at time zone l.timezone)::date) - 1 as first_day,
      least(slots.to_date, (bookable.latest at time zone l.timezone)::date) as last_day
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    left join public.calendar_rooms as cr
      on cr.organization_id = r.organization_id and cr.calendar_id = slots.calendar_id and cr.room_id = r.id
    cross join lateral (
      select lower(w.starts) as earliest, upper(w.starts) as latest
      from private.booking_window(
        l.timezone,
        coalesce(cr.minimum_notice_minutes, slots.minimum_notice_minutes),
        coalesce(cr.maximum_advance_days, slots.maximum_advance_days)
      ) as w (starts)
      where not isempty(w.starts)
    ) as bookable
    where r.organization_id = slots.organization_id
      and r.id = any (slots.room_ids)
      and (slots.party_size is null or slots.party_size between r.minimum_party and r.maximum_party)
  ),
  -- When the days of a zone begin: null for a day from which the clock does not run evenly for
  -- two days, which is as far as a window reaches.
  clock as materialized (
    select
      zone.timezone,
      zone.first_day,
      zone.last_day,
      array(
        select case
          when day.midnight at time zone zone.timezone = day.local
            and (day.local + interval '1 day') at time zone zone.timezone = day.midnight + interval '24 hours'
            and (day.local + interval '2 days') at time zone zone.timezone = day.midnight + interval '48 hours'
            then day.midnight
        end
        from (
          select d.local, d.n, d.local at time zone zone.timezone as midnight
          from generate_series(
            zone.first_day::timestamp, zone.last_day::timestamp, interval '1 day'
          ) with ordinality as d (local, n)
          offset 0
        ) as day
        order by day.n
      ) as midnights
    from (
      select o.timezone, min(o.first_day) as first_day, max(o.last_day) as last_day
      from offer as o
      where o.first_day <= o.last_day
      group by o.timezone
    ) as zone
  ),
  room as materialized (
    select
      o.*,
      clock.first_day as from_day,
      clock.last_day as to_day,
      array(
        select distinct e.date
        from public.schedule_exceptions as e
        where e.organization_id = slots.organization_id
          and (e.room_id = o.id or e.location_id = o.location_id)
          and e.date between clock.first_day and clock.last_day
        order by e.date
      ) as exception_dates,
      live.*
    from offer as o
    join clock on clock.timezone = o.timezone
    cross join lateral (
      -- All that a wanted slot could occupy.
      select
        (o.first_day + 1)::timestamp at time zone o.timezone as starts,
        (o.last_day + 1)::timestamp at time zone o.timezone + o.occupied as ends
    ) as period
    cross join lateral (
      select
        range_agg(s.during) filter (where s.mode = 'block' or s.seats_taken > s.seats_lapsed) as busy,
        array_agg(s.starts_at) filter (where s.mode = o.mode and s.mode = 'shared') as shared_starts,
        array_agg(s.ends_at) filter (where s.mode = o.mode and s.mode = 'shared') as shared_ends,
        array_agg(s.occupied_until) filter (where s.mode = o.mode and s.mode = 'shared') as shared_occupied,
        array_agg(s.capacity) filter (where s.mode = o.mode and s.mode = 'shared') as shared_capacity,
        array_agg(s.capacity - s.seats_taken + s.seats_lapsed)
          filter (where s.mode = o.mode and s.mode = 'shared') as shared_free
      from (
        -- Two questions, because only blocks are long: no more than what overlaps is read.
        select e.during, e.starts_at, e.ends_at, e.occupied_until, e.mode, e.capacity, e.seats_taken, case
          -- Asked once for the venue: hardly ever is there a hold that lapsed and was not reaped.
          when (
            select exists (
              select from public.bookings as b
              where b.organization_id = slots.organization_id
                and b.hold_expires_at <= now()
            )
          ) then (
            select coalesce(sum(b.seats), 0)::int
            from public.bookings as b
            where b.organization_id = e.organization_id
              and b.session_id = e.id
              and b.hold_expires_at <= now()
          )
          else 0
        end as seats_lapsed
        from public.sessions as e
        where e.organization_id = slots.organization_id
          and e.room_id = o.id
          and e.mode <> 'block'
          -- Said so that the index of the exclusion constraint does not apply: the planner would
          -- take it, and as it knows no starts_at, read all of the room's past.
          and e.status is distinct from 'cancelled'
          and e.starts_at > period.starts - interval '48 hours'
          and e.starts_at < period.ends
        union all
        select e.during, e.starts_at, e.ends_at, e.occupied_until, e.mode, 0, 0, 0
        from public.sessions as e
        where e.organization_id = slots.organization_id
          and e.room_id = o.id
          and e.mode = 'block'
          and e.status = 'scheduled'
          and e.starts_at < period.ends
          and e.ends_at > period.starts
      ) as s
    ) as live
    where o.first_day <= o.last_day
  ),
  opening as (
    select
      r.id, r.timezone, r.duration, r.exception_dates, s.weekday, null::date as date, s.opens_at, s.closes_at,
      coalesce(s.slot_interval_minutes, r.occupied_minutes) as step_minutes, s.start_times
    from room as r
    join public.schedules as s on s.organization_id = slots.organization_id and s.room_id = r.id
    -- A hold asks for one day, and need not expand the weekdays that are not among its days.
    where (7 + s.weekday - extract(isodow from r.from_day)::int) % 7 <= r.to_day - r.from_day
    union all
    -- Precedence of what is said about a date: closed, the room's own hours, its location's.
    select
      r.id, r.timezone, r.duration, null, null, e.date, e.opens_at, e.closes_at,
      coalesce(e.slot_interval_minutes, r.occupied_minutes), e.start_times
    from room as r
    cross join lateral (
      select x.*, rank() over (partition by x.date order by x.is_closed desc, x.room_id is null) as precedence
      from public.schedule_exceptions as x
      where x.organization_id = slots.organization_id
        and (x.room_id = r.id or x.location_id = r.location_id)
        and x.date between r.from_day and r.to_day
    ) as e
    where r.exception_dates <> '{}' and e.precedence = 1 and not e.is_closed
  ),
  hours as materialized (
    select h.room_ids, expanded.locals, expanded.instants
    from (
      select
        o.timezone, o.duration, o.exception_dates, o.weekday, o.date, o.opens_at, o.closes_at, o.step_minutes,
        o.start_times, array_agg(o.id) as room_ids
      from opening as o
      group by
        o.timezone, o.duration, o.exception_dates, o.weekday, o.date, o.opens_at, o.closes_at, o.step_minutes,
        o.start_times
    ) as h
    join clock on clock.timezone = h.timezone
    cross join lateral (
      select
        h.opens_at - time '00:00' as opens,
        h.closes_at - time '00:00'
        + case when h.closes_at > h.opens_at then interval '0' else interval '24 hours' end as closes
      offset 0
    ) as wall
    cross join lateral (
      select array_agg(start.local) as locals, array_agg(start.instant) as instants
      from (
        select opened.date, clock.midnights[opened.date - clock.first_day + 1] as midnight
        from (
          select h.date
          where h.date is not null
          union all
          select clock.first_day + n
          from generate_series(
            (7 + h.weekday - extract(isodow from clock.first_day)::int) % 7, clock.last_day - clock.first_day, 7
          ) as n
          where clock.first_day + n <> all (h.exception_dates)
        ) as opened (date)
        offset 0
      ) as day
      -- Wall clock first, instants after: the interval counts on the venue's clock.
      cross join lateral (
        select wall.opens + make_interval(mins => n)
        from generate_series(
          0,
          case when h.start_times is null then (extract(epoch from wall.closes - wall.opens) / 60)::int - 1 end,
          h.step_minutes
        ) as n
        union all
        select t - time '00:00' + case when t < h.opens_at then interval '24 hours' else interval '0' end
        from unnest(h.start_times) as t
      ) as clock_time (of_day)
      cross join lateral (
        select
          day.date + clock_time.of_day as local,
          coalesce(
            day.midnight + clock_time.of_day, (day.date + clock_time.of_day) at time zone h.timezone
          ) as instant,
          coalesce(day.midnight + wall.closes, (day.date + wall.closes) at time zone h.timezone) as closed
        offset 0
      ) as start
      where start.local >= slots.from_date::timestamp
        and start.local < (slots.to_date + 1)::timestamp
        and start.instant + h.duration <= start.closed
        -- A time in a gap does not exist: it comes back as another. A time in a fold exists
        -- once, as the later of the two (standard time), as PostgreSQL reads it.
        and (day.midnight is not null or start.instant at time zone h.timezone = start.local)
        and not exists (
          select from public.calendar_blocked_dates as blocked
          where blocked.organization_id = slots.organization_id
            and blocked.calendar_id = slots.calendar_id
            and start.local::date between blocked.from_date and blocked.to_date
        )
    ) as expanded
  )
  -- Two windows of a room may overlap and name the same start.
  select distinct on (start.instant, p.id)
    p.id,
    start.instant,
    coalesce(p.shared_ends[taken.by], start.instant + p.duration),
    coalesce(p.shared_occupied[taken.by], start.instant + p.occupied),
    start.local,
    p.timezone,
    p.mode,
    coalesce(p.shared_capacity[taken.by], p.maximum_party),
    case when taken.by is null then p.maximum_party else coalesce(p.shared_free[taken.by], 0) end,
    p.party_size
  from hours
  cross join lateral unnest(hours.room_ids) as opened (room_id)
  join room as p on p.id = opened.room_id
  cross join lateral unnest(hours.locals, hours.instants) as start (local, instant)
  -- Null: free; else the number of the shared session that starts then, 0 if it is none.
  cross join lateral (
    select case
      when p.busy && tstzrange(start.instant, start.instant + p.occupied)
        then coalesce(array_position(p.shared_starts, start.instant), 0)
    end as by
    offset 0
  ) as taken
  where start.instant >= p.earliest and start.instant < p.latest
  order by start.instant, p.id;
end
$function$;

create or replace function private.sweep_waitlist()
  returns jsonb
  language plpgsql
  set search_path to ''
  AS $function$
declare
  -- What a sweep has claimed its visitors wait for until it ends, mostly some milliseconds an
  -- offer. At worst, with ten rooms to look through for three months each time, 50 took 4.3 s.
  maximum constant int := 20;
  lock_timeout constant text := current_setting('lock_timeout');
  entry public.waitlist_entries;
  key record;
  place private.slot;
  offered_id uuid;
  offers int := 0;
  expired int;
begin
  perform set_config('lock_timeout', '50ms', true);
  -- Places that nobody handed on: hours or rooms that were added, dates that came within the
  -- maximum advance, two gaps that became one.
  for key in
    select e.organization_id, e.id
    from public.waitlist_entries as e
    where e.status = 'waiting'
      and e.looked_at < now() - interval '10 minutes'
      and e.waits_until > now()
    order by e.looked_at
    limit maximum
  loop
    -- Each place that is found is somebody's, until one is the entry's own.
    loop
      exit when offers >= maximum;
      entry := private.locked_waiting_entry(key.organization_id, key.id);
      exit when entry.id is null;
      update public.waitlist_entries as e
      set looked_at = now()
      where e.organization_id = entry.organization_id and e.id = entry.id and e.looked_at < now();
      place := private.place_for(entry, null, null);
      exit when place.room_id is null;
      offered_id := private.offer_found_place(place, entry);
      exit when offered_id is null;
      offers := offers + 1;
    end loop;
  end loop;
  perform set_config('lock_timeout', lock_timeout, true);

  update public.waitlist_entries as e
  set status = 'expired'
  where (e.organization_id, e.id) in (
    select over.organization_id, over.id
    from public.waitlist_entries as over
    where over.status = 'waiting' and over.waits_until <= now()
    order by over.waits_until
    limit 500
    for update skip locked
  );
  get diagnostics expired = row_count;
  return jsonb_build_object('waitlist_offers', offers, 'expired_waitlist_entries', expired);
end
$function$;

create or replace function private.voucher_email (
  organization_id uuid,
  voucher_id      uuid
)
  returns jsonb
  language plpgsql
  stable
  set search_path to ''
  AS $function$
begin
  return (
    select jsonb_build_object(
      'locale', v.locale,
      'to', jsonb_build_object('name', v.recipient_name, 'email', v.recipient_email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'code', v.code,
        'currency', v.currency,
        'initial_cents', (
          select e.amount_cents
          from public.voucher_entries as e
          where e.organization_id = v.organization_id and e.voucher_id = v.id and e.kind = 'issued'
        ),
        'expires_at', v.expires_at,
        'recipient_name', v.recipient_name,
        'message', v.message,
        'timezone', o.timezone,
        'calendar_slug', k.slug,
        'accent_color', k.accent_color
      )
    )
    from public.vouchers as v
    join public.organizations as o on o.id = v.organization_id
    left join lateral (
      select c.slug, c.accent_color
      from public.calendars as c
      where c.organization_id = v.organization_id and c.is_active
      order by c.created_at, c.id
      limit 1
    ) as k on true
    where v.organization_id = voucher_email.organization_id
      and v.id = voucher_email.voucher_id
      and v.status = 'active'
      and v.recipient_email is not null
  );
end
$function$;

create or replace function public.hold_booking (
  slug                 text,
  room_id              uuid,
  starts_at            timestamp with time zone,
  party_size           integer,
  customer             jsonb,
  expected_total_cents bigint,
  idempotency_key      text,
  extras               jsonb                    default '[]'::jsonb,
  coupon_code          text                     default null::text,
  voucher_code         text                     default null::text,
  exclusive            boolean                  default false,
  fields               jsonb                    default '{}'::jsonb,
  customer_note        text                     default ''::text,
  consents             jsonb                    default '[]'::jsonb
)
  returns jsonb
  language plpgsql
  set search_path to ''
  AS $function$
begin
  -- plpgsql, since as SQL it would be parsed and planned at every call.
  return private.hold_booking(
    slug, room_id, starts_at, party_size, customer, expected_total_cents, idempotency_key, extras, coupon_code,
    voucher_code, exclusive, fields, customer_note, consents
  );
end
$function$;

alter table "public"."customers"
  add constraint "customers_erased_have_no_address" check (((erased_at IS
    NOT NULL) = COALESCE((email ~~ '%@erased.invalid'::text), false)));

alter table "public"."staff_shifts"
  add constraint "staff_shifts_of_a_person_do_not_overlap" EXCLUDE using gist (organization_id
    with =, user_id with =, tstzrange(starts_at, ends_at, '[)'::text) with &&) deferrable;

comment on function "public"."hold_booking"(text, uuid, timestamp
  with time zone,
  integer,
  jsonb, bigint, text, jsonb, text, text, boolean, jsonb, text, jsonb) is 'Takes a time for a party until hold_expires_at; what is due must be paid by then, and a booking with nothing due, or whose voucher covers it, is confirmed at once. customer: {full_name, email, phone?, locale?}; expected_total_cents: the quoted total; idempotency_key: the same key and request give the same answer for a day; extras, coupon_code, voucher_code, exclusive: as quoted; fields: answers by key; consents: [{kind: terms or marketing, granted, wording}], where a calendar with terms needs them granted. Returns {reference, manage_token, status, hold_expires_at, starts_at, ends_at, timezone, room_id, room_name, party_size, seats, exclusive, extras: [{extra_id, name, quantity}], fields, customer_note, currency, total_cents, due_now_cents}. For anybody. Errors: 404 calendar_not_found, room_not_found; 409 slot_taken, total_changed (details {"total_cents"}), extra_sold_out (details {"extra_id", "left"}); 422 party_size_invalid (details {"minimum", "maximum"}), slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, customer_invalid (details {"field"}), field_invalid (details {"field", "rule"}), customer_note_too_long, consents_invalid, terms_not_accepted, extras_invalid, extra_not_found, extra_quantity_invalid, the codes of coupons and vouchers as in quote_booking and coupon_max_uses_per_customer, idempotency_key_invalid, idempotency_key_reused; 429 rate_limited, too_many_holds (details {"maximum"}).';

revoke all
  on function "public"."hold_booking"(text, uuid, timestamp
    with time zone, integer, jsonb, bigint, text, jsonb, text, text, boolean, jsonb, text, jsonb)
  from public;

grant execute
  on function "public"."hold_booking"(text, uuid, timestamp
    with time zone, integer, jsonb, bigint, text, jsonb, text, text, boolean, jsonb, text, jsonb)
  to "anon", "authenticated", "postgres";
