-- Several rooms in one order: for a company of 30 in four rooms at once, or one room after the other.
--
-- All bookings of an order are made in one transaction, or none; a refusal names the one that it is about (item). They
-- share the contact, the moment at which their hold ends, and the link. An order takes no coupon and no voucher.
-- What costs nothing now is confirmed with the rest of the order, so that nothing of it stands while the rest lapses.
--
-- Locks, as everywhere (sql/30_booking, transitions): the rooms of all bookings, since several sessions are waited for,
-- their times in order, and only then what hangs on them: who makes one booking holds its time before its customer.

create type public.order_quote as (
  currency text,
  total_cents bigint,
  tax_cents bigint,
  due_now_cents bigint,
  bookings public.quote []
);

comment on type public.order_quote is 'What an order would cost. Amounts in minor units of currency, tax included.';
comment on column public.order_quote.currency is 'ISO 4217.';
comment on column public.order_quote.total_cents is 'The sum of the bookings.';
comment on column public.order_quote.tax_cents is 'The tax that total_cents contains.';
comment on column public.order_quote.due_now_cents is 'What confirms all of them, however it is paid.';
comment on column public.order_quote.bookings is 'In the order in which they were asked for.';

create type public.held_order as (
  reference text,
  order_token text,
  hold_expires_at timestamptz,
  currency text,
  total_cents bigint,
  due_now_cents bigint,
  payable_cents bigint,
  bookings public.held_booking []
);

comment on type public.held_order is 'An order that was just made.';
comment on column public.held_order.reference is 'What people read to each other, as ABCD-2345.';
comment on column public.held_order.order_token is
  'The secret of its link: by it the order is looked at, paid, moved and cancelled, and so is each of its bookings.';
comment on column public.held_order.hold_expires_at is 'Until when its places are kept while any of them is held; else null.';
comment on column public.held_order.currency is 'ISO 4217; amounts are in its minor units, tax included.';
comment on column public.held_order.total_cents is 'What its bookings cost.';
comment on column public.held_order.due_now_cents is 'What must be paid for them to be confirmed, however it is paid.';
comment on column public.held_order.payable_cents is
  'What can be paid online now at most, with POST /v1/checkout by its reference and order_token. 0: nothing.';
comment on column public.held_order.bookings is 'In order of time; the manage_token of each is for that one alone.';

create type public.booking_order as (
  reference text,
  currency text,
  total_cents bigint,
  due_now_cents bigint,
  paid_cents bigint,
  refunded_cents bigint,
  open_cents bigint,
  payable_cents bigint,
  cancellable boolean,
  reschedulable boolean,
  payment_open boolean,
  bookings public.booking []
);

comment on type public.booking_order is 'An order for whoever has its link.';
comment on column public.booking_order.reference is 'What people read to each other, as ABCD-2345.';
comment on column public.booking_order.currency is 'ISO 4217; amounts are in its minor units, tax included.';
comment on column public.booking_order.total_cents is 'What those of its bookings cost that are neither cancelled nor expired.';
comment on column public.booking_order.due_now_cents is 'What must be paid for these to be confirmed, however it is paid.';
comment on column public.booking_order.paid_cents is 'What came in for all of them, also for what was cancelled since.';
comment on column public.booking_order.refunded_cents is 'What went back.';
comment on column public.booking_order.open_cents is 'What can still be asked for of the total.';
comment on column public.booking_order.payable_cents is
  'What can be paid online now at most, with POST /v1/checkout by its reference and token. 0: nothing.';
comment on column public.booking_order.cancellable is 'Whether cancel_order would cancel something.';
comment on column public.booking_order.reschedulable is 'Whether all of it that stands may be moved now (reschedule_order).';
comment on column public.booking_order.payment_open is
  'Whether a payment page was opened of which the provider has not said yet that nothing comes of it: only then money may be under way.';
comment on column public.booking_order.bookings is 'In order of time.';

create type public.desk_order as (
  id uuid,
  reference text,
  order_token text,
  currency text,
  total_cents bigint,
  due_now_cents bigint,
  paid_cents bigint,
  refunded_cents bigint,
  open_cents bigint,
  bookings public.desk_booking []
);

comment on type public.desk_order is 'An order as the venue''s members see it.';
comment on column public.desk_order.id is 'What the other functions take as order_id.';
comment on column public.desk_order.reference is 'What people read to each other, as ABCD-2345.';
comment on column public.desk_order.order_token is 'The secret of the customer''s link, told when the order is made; else null.';
comment on column public.desk_order.currency is 'ISO 4217; amounts are in its minor units, tax included.';
comment on column public.desk_order.total_cents is 'What those of its bookings cost that are neither cancelled nor expired.';
comment on column public.desk_order.due_now_cents is 'What must be paid for these to be confirmed, however it is paid.';
comment on column public.desk_order.paid_cents is 'What came in for all of them; null without payments:read.';
comment on column public.desk_order.refunded_cents is 'What went back; null without payments:read.';
comment on column public.desk_order.open_cents is 'What can still be asked for of the total; null without payments:read.';
comment on column public.desk_order.bookings is 'In order of time.';

create function private.order_items(items jsonb, keys text [])
returns private.booking_request []
language plpgsql
stable
set search_path = ''
as $$
declare
  maximum constant int := 10;
  item jsonb;
  request private.booking_request;
  requests private.booking_request [] := '{}';
begin
  if jsonb_typeof(items) is distinct from 'array' or jsonb_array_length(items) not between 1 and maximum then
    perform private.fail(
      'items_invalid', 422, 'Name 1 to 10 bookings: a list of {room_id, starts_at, party_size}.',
      jsonb_build_object('maximum', maximum)
    );
  end if;
  for item in select i.item from jsonb_array_elements(items) as i (item) loop
    if jsonb_typeof(item) <> 'object'
      or exists (select from jsonb_object_keys(item) as k (key) where k.key <> all (keys))
      or jsonb_typeof(item -> 'room_id') is distinct from 'string'
      or not pg_input_is_valid(item ->> 'room_id', 'uuid')
      or jsonb_typeof(item -> 'starts_at') is distinct from 'string'
      or not pg_input_is_valid(item ->> 'starts_at', 'timestamptz')
      or jsonb_typeof(item -> 'party_size') is distinct from 'number'
      or not pg_input_is_valid(item ->> 'party_size', 'int')
      or jsonb_typeof(coalesce(item -> 'exclusive', 'null')) not in ('boolean', 'null')
      or jsonb_typeof(coalesce(item -> 'price_cents', 'null')) not in ('number', 'null')
      or not pg_input_is_valid(coalesce(item ->> 'price_cents', '0'), 'bigint')
    then
      perform private.fail(
        'items_invalid', 422, 'Give each booking as {room_id, starts_at, party_size}, and what else the function takes.',
        jsonb_build_object('maximum', maximum, 'item', cardinality(requests) + 1)
      );
    end if;
    request := null;
    request.room_id := item ->> 'room_id';
    request.starts_at := item ->> 'starts_at';
    request.party_size := item ->> 'party_size';
    request.exclusive := coalesce((item ->> 'exclusive')::boolean, false);
    request.extras := coalesce(item -> 'extras', '[]');
    request.fields := coalesce(item -> 'fields', '{}');
    request.price_cents := item ->> 'price_cents';
    request.expected_terms := item -> 'expected_terms';
    requests := requests || request;
  end loop;
  return requests;
end
$$;

comment on function private.order_items is
  'The bookings that a client orders, as it sent them, with no other keys than those. Raises 422 items_invalid (details {"maximum"}, and "item" for one of them).';

create function private.refuse_about(state text, code text, hint text, details text, about jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.fail(
    code, right(state, 3)::int, hint, coalesce(nullif(details, ''), '{}')::jsonb || about
  );
end
$$;

comment on function private.refuse_about is
  'Raises a refusal once more that was caught, and says in its details which of several bookings it is about.';

create function private.refuse_order_total(total_cents bigint, expected_total_cents bigint)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  priced public.quote;
begin
  priced.total_cents := refuse_order_total.total_cents;
  perform private.refuse_total(priced, refuse_order_total.expected_total_cents);
end
$$;

comment on function private.refuse_order_total is
  'private.refuse_total for the sum of several bookings. Raises 409 total_changed, details {"total_cents"}.';

create function private.quoted_order(calendar public.calendars, requests private.booking_request [], locale text)
returns public.order_quote
language plpgsql
stable
set search_path = ''
as $$
declare
  request private.booking_request;
  quote public.quote;
  answer public.order_quote := row(null, 0, 0, 0, '{}')::public.order_quote;
  state text;
  code text;
  hint text;
  details text;
begin
  for place in 1..cardinality(requests) loop
    request := requests[place];
    request.calendar_id := calendar.id;
    request.locale := coalesce(quoted_order.locale, calendar.locales[1]);
    begin
      quote := private.offered_quote(calendar, request);
    exception
      when sqlstate 'PT404' or sqlstate 'PT409' or sqlstate 'PT422' then
        get stacked diagnostics
          state = returned_sqlstate, code = message_text, hint = pg_exception_hint, details = pg_exception_detail;
        perform private.refuse_about(state, code, hint, details, jsonb_build_object('item', place));
    end;
    answer.currency := quote.currency;
    answer.total_cents := answer.total_cents + quote.total_cents;
    answer.tax_cents := answer.tax_cents + quote.tax_cents;
    answer.due_now_cents := answer.due_now_cents + quote.due_now_cents;
    answer.bookings := answer.bookings || quote;
  end loop;
  return answer;
end
$$;

comment on function private.quoted_order is
  'What an order would cost, all of it as it was at one moment. Raises what private.offered_quote does, with the place of the booking in the details ("item").';

create function private.quote_order(slug text, items jsonb, locale text)
returns public.order_quote
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(quote_order.slug);
  requests private.booking_request [] := private.order_items(
    quote_order.items, array['room_id', 'starts_at', 'party_size', 'extras', 'exclusive']
  );
begin
  -- It asks as much as so many questions.
  perform private.count_attempt(cardinality(requests) - 1);
  perform private.limit_rate('public_read', 'address', private.client_address());
  return private.quoted_order(calendar, requests, quote_order.locale);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.quote_order is
  'definer: prices slots for visitors, who may read no table.';
grant execute on function private.quote_order to anon, authenticated;

create function public.quote_order(slug text, items jsonb, locale text default null)
returns public.order_quote
language sql
volatile
set search_path = ''
as $$ select private.quote_order(slug, items, locale) $$;

comment on function public.quote_order is
  'What a party would pay for several times that the calendar offers, whether or not they are still free. items: 1 to 10 of {room_id, starts_at, party_size, extras?, exclusive?}, as for quote_booking; an order takes no coupon and no voucher. locale: the lines'' language (es, en or ca), the calendar''s first if left out. For anybody. The details of a refusal that is about one of them say which: {"item"}, 1 for the first. Errors: 404 calendar_not_found, room_not_found; 409 extra_sold_out (details {"extra_id", "left"}); 422 items_invalid (details {"maximum"}), party_size_invalid (details {"minimum", "maximum"}), slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, extras_invalid, extra_not_found, extra_quantity_invalid; 429 rate_limited.';
grant execute on function public.quote_order to anon, authenticated;

create function private.make_order(
  organization_id uuid,
  requests private.booking_request [],
  slots private.slot [],
  quotes public.quote [],
  guest private.guest,
  status text,
  hold_expires_at timestamptz,
  by_staff boolean
)
returns public.booking_orders
language plpgsql
volatile
set search_path = ''
as $$
declare
  room public.rooms;
  request private.booking_request;
  session_ids uuid [] := array_fill(null::uuid, array[cardinality(requests)]);
  customer_id uuid;
  made public.booking_orders;
  place int;
  state text;
  code text;
  hint text;
  details text;
begin
  perform private.lock_room(make_order.organization_id, wanted.room_id)
  from (
    select distinct s.room_id from unnest(slots) as s order by s.room_id
  ) as wanted;

  -- All places first, in order of time: until they are had nothing is held that whoever makes one booking waits for.
  for place in
    select s.place
    from unnest(slots) with ordinality as s (
      room_id, starts_at, ends_at, occupied_until, local_start, timezone, mode, capacity, seats_available, party_size, place
    )
    order by s.starts_at, s.room_id, s.place
  loop
    select r.* into room
    from public.rooms as r
    where r.organization_id = make_order.organization_id and r.id = slots[place].room_id;
    begin
      session_ids[place] := private.claim_slot(room, slots[place], requests[place].exclusive, make_order.by_staff);
    exception
      when sqlstate 'PT409' then
        get stacked diagnostics
          state = returned_sqlstate, code = message_text, hint = pg_exception_hint, details = pg_exception_detail;
        perform private.refuse_about(state, code, hint, details, jsonb_build_object('item', place));
    end;
  end loop;

  customer_id := private.customer_with_email(make_order.organization_id, guest);
  if not make_order.by_staff then
    perform private.act_as('customer', customer_id);
  end if;
  loop
    insert into public.booking_orders as o (organization_id, reference, currency, source)
    values (make_order.organization_id, private.booking_reference(), quotes[1].currency, requests[1].source)
    on conflict on constraint booking_orders_reference_key do nothing
    returning o.* into made;
    exit when found;
  end loop;
  for place in 1..cardinality(requests) loop
    request := requests[place];
    request.customer_id := customer_id;
    begin
      perform private.make_booking(
        make_order.organization_id, session_ids[place], slots[place], request, guest, quotes[place],
        make_order.status, make_order.hold_expires_at, made.id
      );
    exception
      when sqlstate 'PT409' or sqlstate 'PT422' then
        get stacked diagnostics
          state = returned_sqlstate, code = message_text, hint = pg_exception_hint, details = pg_exception_detail;
        perform private.refuse_about(state, code, hint, details, jsonb_build_object('item', place));
    end;
  end loop;
  return made;
end
$$;

comment on function private.make_order is
  'Claims the places of all slots and stores an order with a booking each, or nothing. Raises 409 slot_taken and what private.take_options does, with the place of the booking in the details ("item").';

create function private.show_held_order(organization_id uuid, order_id uuid)
returns public.held_order
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      o.reference,
      private.order_token(o.organization_id, o.id),
      min(b.hold_expires_at) filter (where b.status = 'held' and b.hold_expires_at > now()),
      o.currency,
      sum(b.total_cents),
      sum(b.due_now_cents),
      sum(private.payable_online(b, whole => true)),
      array_agg(private.held_booking(b, private.show_booking(b)) order by b.starts_at, b.id)
    )::public.held_order
    from public.booking_orders as o
    join public.bookings as b on b.organization_id = o.organization_id and b.order_id = o.id
    where o.organization_id = show_held_order.organization_id and o.id = show_held_order.order_id
    group by o.organization_id, o.id
  );
end
$$;

comment on function private.show_held_order is 'An order for whoever made it, as it is by now.';

create function private.hold_order(slug text, items jsonb, shared private.booking_request, idempotency_key text)
returns public.held_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(hold_order.slug);
  scope text := calendar.organization_id || ':hold_order';
  held jsonb;
  requests private.booking_request [];
  request private.booking_request;
  room public.rooms;
  slot private.slot;
  quote public.quote;
  slots private.slot [] := '{}';
  quotes public.quote [] := '{}';
  guest private.guest;
  made public.booking_orders;
  booking public.bookings;
  asked boolean := false;
  state text;
  code text;
  hint text;
  details text;
begin
  held := private.idempotent_begin(
    scope, idempotency_key, to_jsonb(shared) || jsonb_build_object('items', hold_order.items, 'calendar_id', calendar.id)
  );
  if held is not null then
    return private.show_held_order(calendar.organization_id, (held ->> 'order_id')::uuid);
  end if;

  requests := private.order_items(
    hold_order.items, array['room_id', 'starts_at', 'party_size', 'extras', 'exclusive', 'fields', 'expected_terms']
  );
  -- It asks and takes as much as so many holds.
  perform private.count_attempt(cardinality(requests) - 1);
  perform private.take_booking_allowance(calendar.organization_id, by_staff => false, wanted => cardinality(requests));
  guest := private.checked_customer(shared.customer, calendar.locales[1]);
  if length(private.clean_note(shared.customer_note)) > 2000 then
    perform private.fail('customer_note_too_long', 422, 'Write a note of at most 2000 characters.');
  end if;
  perform private.check_terms(calendar, shared.consents);
  for place in 1..cardinality(requests) loop
    request := requests[place];
    request.calendar_id := calendar.id;
    request.source := 'widget';
    request.locale := guest.locale;
    request.customer_note := shared.customer_note;
    begin
      room := private.public_room(calendar, request.room_id);
      request.fields := private.checked_fields(calendar, request.fields, request.room_id);
      slot := private.offered_slot(calendar, room, request.starts_at, request.party_size);
      quote := private.quote(room.organization_id, slot, request);
      perform private.refuse_terms(quote.terms, request.expected_terms);
      -- All seats of a shared session can only be had while nobody has one.
      if slot.seats_available < private.wanted_seats(slot, request.exclusive) then
        perform private.refuse_taken_slot();
      end if;
    exception
      when sqlstate 'PT404' or sqlstate 'PT409' or sqlstate 'PT422' then
        get stacked diagnostics
          state = returned_sqlstate, code = message_text, hint = pg_exception_hint, details = pg_exception_detail;
        perform private.refuse_about(state, code, hint, details, jsonb_build_object('item', place));
    end;
    requests[place] := request;
    slots := slots || slot;
    quotes := quotes || quote;
  end loop;
  perform private.refuse_order_total((select sum(q.total_cents) from unnest(quotes) as q)::bigint, shared.expected_total_cents);
  if (select sum(q.due_now_cents) from unnest(quotes) as q) > 0
    and not (private.payment_account(calendar.organization_id)).available
  then
    perform private.fail('online_payment_unavailable', 409, 'The venue cannot be paid online at the moment: ask it.');
  end if;

  made := private.make_order(
    calendar.organization_id, requests, slots, quotes, guest, 'held',
    now() + make_interval(mins => calendar.hold_minutes), false
  );
  for booking in
    select b.*
    from public.bookings as b
    where b.organization_id = made.organization_id and b.order_id = made.id
    order by b.starts_at, b.id
  loop
    if (select sum(q.due_now_cents) from unnest(quotes) as q) > 0 then
      -- One mail reminds of all.
      if not asked then
        perform private.remind_of_hold(booking);
      end if;
    elsif calendar.confirm_by_email then
      -- One mail asks for all: private.confirm_booking.
      booking := private.ask_for_confirmation(booking, mailed => not asked);
    else
      perform private.transition(booking.organization_id, booking.id, 'confirmed', 'nothing_due');
      booking.status := 'confirmed';
      booking.hold_expires_at := null;
    end if;
    asked := true;
    perform private.record_consents(
      booking.organization_id, booking.customer_id, booking.id, shared.consents, booking.locale,
      counts => private.booking_is_vouched(booking)
    );
  end loop;
  perform private.idempotent_end(scope, idempotency_key, jsonb_build_object('order_id', made.id));
  -- Last, since the counters' rows stay locked until the end of the transaction.
  for booking in
    select b.*
    from public.bookings as b
    where b.organization_id = made.organization_id and b.order_id = made.id
    order by b.starts_at, b.id
  loop
    perform private.limit_live_holds(booking, private.client_address());
    perform private.limit_rate('hold_booking', 'address', private.client_address());
    perform private.limit_rate('hold_booking', 'target', calendar.id::text);
  end loop;
  if (select sum(q.due_now_cents) from unnest(quotes) as q) = 0 then
    -- It is mailed at once, to whomever was named.
    perform private.limit_mail(made.organization_id, guest.email, 'visitor');
  end if;
  return private.show_held_order(made.organization_id, made.id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.hold_order is
  'definer: books for visitors, who may write no table.';
grant execute on function private.hold_order to anon, authenticated;

create function public.hold_order(
  slug text,
  items jsonb,
  customer jsonb,
  expected_total_cents bigint,
  idempotency_key text,
  customer_note text default '',
  consents jsonb default '[]'
)
returns public.held_order
language plpgsql
volatile
set search_path = ''
as $$
declare
  shared private.booking_request;
begin
  shared.customer := customer;
  shared.expected_total_cents := expected_total_cents;
  shared.customer_note := customer_note;
  shared.consents := consents;
  return private.hold_order(slug, items, shared, idempotency_key);
end
$$;

comment on function public.hold_order is
  'Takes several times for a party until hold_expires_at, all or none. items: 1 to 10 of {room_id, starts_at, party_size, extras?, exclusive?, fields? (answers to the calendar''s questions for that room), expected_terms? (those of its quote)}; the rest as for hold_booking, expected_total_cents being the sum that quote_order gave. What is due is paid at once, by POST /v1/checkout with reference and order_token; an order with nothing due is confirmed at once, or, with confirm_by_email, by the link in one mail. It counts as so many holds. For anybody. The details of a refusal that is about one of them say which: {"item"}, 1 for the first. Errors: 404 calendar_not_found, room_not_found; 409 slot_taken, plan_limit_reached, online_payment_unavailable, total_changed (details {"total_cents"}), terms_changed (details {"terms"}), extra_sold_out (details {"extra_id", "left"}); 422 items_invalid (details {"maximum"}), party_size_invalid (details {"minimum", "maximum"}), slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, customer_invalid (details {"field"}), field_invalid (details {"field", "rule"}), customer_note_too_long, consents_invalid, terms_not_accepted, extras_invalid, extra_not_found, extra_quantity_invalid, idempotency_key_invalid, idempotency_key_reused; 429 rate_limited, too_many_holds (details {"maximum"}), too_many_unpaid_bookings (details {"maximum"}), mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.hold_order to anon, authenticated;

create function private.managed_order(organization_id uuid, order_id uuid)
returns public.booking_order
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      o.reference,
      o.currency,
      coalesce(sum((m.shown).total_cents) filter (where stands.stands), 0),
      coalesce(sum((m.shown).due_now_cents) filter (where stands.stands), 0),
      sum((m.shown).paid_cents),
      sum((m.shown).refunded_cents),
      sum((m.shown).open_cents),
      sum((m.shown).payable_cents),
      bool_or((m.shown).cancellable),
      coalesce(bool_and((m.shown).reschedulable) filter (where stands.stands), false),
      bool_or((m.shown).payment_open),
      array_agg(m.shown order by b.starts_at, b.id)
    )::public.booking_order
    from public.booking_orders as o
    join public.bookings as b on b.organization_id = o.organization_id and b.order_id = o.id
    cross join lateral (select private.managed_booking(b) as shown offset 0) as m
    cross join lateral (select (m.shown).status not in ('expired', 'cancelled') as stands) as stands
    where o.organization_id = managed_order.organization_id and o.id = managed_order.order_id
    group by o.organization_id, o.id
  );
end
$$;

comment on function private.managed_order is 'An order as whoever has its link sees it.';

create function private.get_order(reference text, order_token text)
returns public.booking_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.booking_orders := private.order_with_token(get_order.reference, get_order.order_token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return private.managed_order(known.organization_id, known.id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_order is
  'definer: shows an order to whoever holds its token.';
grant execute on function private.get_order to anon, authenticated;

create function public.get_order(reference text, order_token text)
returns public.booking_order
language sql
volatile
set search_path = ''
as $$ select private.get_order(reference, order_token) $$;

comment on function public.get_order is
  'An order with its bookings, for whoever holds its token; each of them is also looked at, moved and cancelled alone by its own reference and this token. For anybody. Errors: 404 order_not_found for a wrong reference or token; 429 rate_limited.';
grant execute on function public.get_order to anon, authenticated;

create function private.cancel_order(reference text, order_token text, booking_references text [])
returns public.booking_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.booking_orders := private.order_with_token(cancel_order.reference, cancel_order.order_token);
  unknown text;
  ids uuid [];
  booking public.bookings;
  cancelled int := 0;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  if cancel_order.booking_references is not null then
    select left(r.reference, 100) into unknown
    from unnest(cancel_order.booking_references[1:100]) as r (reference)
    where not exists (
      select from public.bookings as b
      where b.organization_id = known.organization_id and b.order_id = known.id and b.reference = r.reference
    )
    limit 1;
    if found or cardinality(cancel_order.booking_references) > 100 then
      perform private.fail(
        'booking_not_found', 404, 'Name bookings of the order by their references.', jsonb_build_object('reference', unknown)
      );
    end if;
  end if;
  select array_agg(b.id) into ids
  from public.bookings as b
  where b.organization_id = known.organization_id
    and b.order_id = known.id
    and (cancel_order.booking_references is null or b.reference = any (cancel_order.booking_references));
  perform private.lock_bookings(
    known.organization_id,
    -- Those that are left may have waited for these.
    array(select b.id from public.bookings as b where b.organization_id = known.organization_id and b.order_id = known.id)
  );
  for booking in
    select b.*
    from public.bookings as b
    where b.organization_id = known.organization_id
      and b.id = any (ids)
      -- Of all of them those that are still to come.
      and (cancel_order.booking_references is not null or b.takes_capacity and b.starts_at > now() or b.status = 'cancelled')
    order by b.starts_at, b.id
  loop
    cancelled := cancelled + 1;
    -- Asked again, as after a lost answer: it is as wished.
    continue when booking.status = 'cancelled';
    if not (private.cancellation_terms(booking)).by_customer then
      perform private.fail(
        'not_cancellable', 409, 'The booking is over, or its time has come; ask the venue.',
        jsonb_build_object('reference', booking.reference)
      );
    end if;
    perform private.act_as('customer', booking.customer_id);
    perform private.cancel(booking, 'cancelled_by_customer', 'terms');
  end loop;
  if cancelled = 0 then
    perform private.fail('not_cancellable', 409, 'The bookings are over, or their time has come; ask the venue.');
  end if;
  perform private.settle_rest_of_order(known.organization_id, known.id);
  return private.managed_order(known.organization_id, known.id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.cancel_order is
  'definer: cancels bookings for whoever holds the token of their order.';
grant execute on function private.cancel_order to anon, authenticated;

create function public.cancel_order(reference text, order_token text, booking_references text [] default null)
returns public.booking_order
language sql
volatile
set search_path = ''
as $$ select private.cancel_order(reference, order_token, booking_references) $$;

comment on function public.cancel_order is
  'Cancels the named bookings of an order, or, left out, all that are still to come: all or none, each with the refund that its own terms give; again, the same. For anybody. Errors: 404 order_not_found, booking_not_found (details {"reference"}: not of this order); 409 not_cancellable (details {"reference"}: the one that can no longer be); 429 rate_limited.';
grant execute on function public.cancel_order to anon, authenticated;
