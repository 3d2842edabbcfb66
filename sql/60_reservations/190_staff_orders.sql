-- Orders from the venue's side: made at the desk or by telephone, and moved through the day together or apart.

create function private.desk_order(organization_id uuid, order_id uuid)
returns public.desk_order
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      o.id,
      o.reference,
      null,
      o.currency,
      coalesce(sum((m.shown).total_cents) filter (where (m.shown).status not in ('expired', 'cancelled')), 0),
      coalesce(sum((m.shown).due_now_cents) filter (where (m.shown).status not in ('expired', 'cancelled')), 0),
      -- Null without payments:read, as each of them.
      sum((m.shown).paid_cents),
      sum((m.shown).refunded_cents),
      sum((m.shown).open_cents),
      array_agg(m.shown order by b.starts_at, b.id)
    )::public.desk_order
    from public.booking_orders as o
    join public.bookings as b on b.organization_id = o.organization_id and b.order_id = o.id
    cross join lateral (select private.desk_booking(b) as shown offset 0) as m
    where o.organization_id = desk_order.organization_id and o.id = desk_order.order_id
    group by o.organization_id, o.id
  );
end
$$;

comment on function private.desk_order is
  'An order as members see it: what the party said of itself is null without customers:read, what was paid without payments:read.';

create function private.create_order(
  organization_id uuid, items jsonb, shared private.booking_request, idempotency_key text
)
returns public.desk_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := create_order.organization_id || ':create_order';
  stored jsonb;
  requests private.booking_request [];
  request private.booking_request;
  calendar public.calendars;
  room public.rooms;
  slot private.slot;
  slots private.slot [] := '{}';
  quotes public.quote [] := '{}';
  guest private.guest;
  made public.booking_orders;
  booking public.bookings;
  told boolean := false;
  answer public.desk_order;
  state text;
  code text;
  hint text;
  details text;
begin
  perform private.require_permission(create_order.organization_id, 'bookings:create');
  stored := private.idempotent_begin(
    scope, create_order.idempotency_key, to_jsonb(shared) || jsonb_build_object('items', create_order.items)
  );
  if stored is not null then
    answer := private.desk_order(create_order.organization_id, (stored ->> 'order_id')::uuid);
    answer.order_token := private.order_token(create_order.organization_id, answer.id);
    return answer;
  end if;

  requests := private.order_items(
    create_order.items,
    array['room_id', 'starts_at', 'party_size', 'extras', 'exclusive', 'fields', 'price_cents']
  );
  if shared.source is null or shared.source not in ('direct', 'marketplace', 'api') then
    perform private.fail('source_invalid', 422, 'Choose direct, marketplace or api.');
  elsif length(private.clean_note(shared.customer_note)) > 2000
    or length(private.clean_note(shared.staff_note)) > 5000 then
    perform private.fail('note_too_long', 422, 'Write at most 2000 characters for the customer, 5000 for the staff.');
  elsif shared.pay_within_hours not between 1 and 720 then
    perform private.fail(
      'pay_within_invalid', 422, 'Leave 1 to 720 hours for the payment, or leave it out.',
      jsonb_build_object('minimum', 1, 'maximum', 720)
    );
  end if;
  perform private.check_override(create_order.organization_id, r.price_cents, shared.override_reason)
  from unnest(requests) as r;
  perform private.take_booking_allowance(create_order.organization_id, by_staff => true, wanted => cardinality(requests));
  select c.* into calendar
  from public.calendars as c
  where c.organization_id = create_order.organization_id and c.id = shared.calendar_id;
  if not found and shared.calendar_id is not null then
    perform private.fail('calendar_not_found', 404, 'Choose one of the organization''s calendars.');
  end if;
  guest := private.checked_customer(
    shared.customer,
    (select o.locale from public.organizations as o where o.id = create_order.organization_id),
    may_lack_email => true
  );
  for place in 1..cardinality(requests) loop
    request := requests[place];
    request.calendar_id := shared.calendar_id;
    request.source := shared.source;
    request.locale := guest.locale;
    request.customer_note := shared.customer_note;
    request.staff_note := shared.staff_note;
    request.override_reason := trim(shared.override_reason);
    begin
      select r.* into room
      from public.rooms as r
      where r.organization_id = create_order.organization_id and r.id = request.room_id and not r.is_archived;
      if not found then
        perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
      end if;
      -- Staff need not ask, at the telephone or the door; what they were told is checked.
      if request.fields in ('{}', 'null') then
        request.fields := null;
      else
        request.fields := private.checked_fields(calendar, request.fields, request.room_id);
      end if;
      slot := private.staff_slot(room, request.starts_at, request.party_size);
      quotes := quotes || private.quote(room.organization_id, slot, request);
    exception
      when sqlstate 'PT404' or sqlstate 'PT409' or sqlstate 'PT422' then
        get stacked diagnostics
          state = returned_sqlstate, code = message_text, hint = pg_exception_hint, details = pg_exception_detail;
        perform private.refuse_about(state, code, hint, details, jsonb_build_object('item', place));
    end;
    requests[place] := request;
    slots := slots || slot;
  end loop;
  if shared.expected_total_cents is not null then
    perform private.refuse_order_total(
      (select sum(q.total_cents) from unnest(quotes) as q)::bigint, shared.expected_total_cents
    );
  end if;

  made := private.make_order(
    create_order.organization_id, requests, slots, quotes, guest, 'pending',
    -- What is not paid lapses together.
    (select min(private.pending_until(s.ends_at, shared.pay_within_hours)) from unnest(slots) as s), true
  );
  for booking in
    select b.*
    from public.bookings as b
    where b.organization_id = made.organization_id and b.order_id = made.id
    order by b.starts_at, b.id
  loop
    if booking.due_now_cents = 0 then
      perform private.transition(booking.organization_id, booking.id, 'confirmed', 'nothing_due');
    elsif guest.email is not null and not told then
      -- One mail with the link to pay all of them.
      perform private.announce_pending(booking);
      told := true;
    end if;
  end loop;
  perform private.idempotent_end(scope, create_order.idempotency_key, jsonb_build_object('order_id', made.id));
  if guest.email is not null then
    perform private.limit_mail(made.organization_id, guest.email, 'desk');
  end if;
  answer := private.desk_order(made.organization_id, made.id);
  answer.order_token := private.order_token(made.organization_id, made.id);
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_order is
  'definer: writes sessions, customers, orders and bookings, which no client may write. Asks for bookings:create.';
grant execute on function private.create_order to authenticated;

create function public.create_order(
  organization_id uuid,
  items jsonb,
  customer jsonb,
  idempotency_key text,
  calendar_id uuid default null,
  source text default 'direct',
  customer_note text default '',
  staff_note text default '',
  override_reason text default null,
  expected_total_cents bigint default null,
  pay_within_hours int default null
)
returns public.desk_order
language plpgsql
volatile
set search_path = ''
as $$
declare
  shared private.booking_request;
begin
  shared.customer := customer;
  shared.calendar_id := calendar_id;
  shared.source := source;
  shared.customer_note := customer_note;
  shared.staff_note := staff_note;
  shared.override_reason := override_reason;
  shared.expected_total_cents := expected_total_cents;
  shared.pay_within_hours := pay_within_hours;
  return private.create_order(organization_id, items, shared, idempotency_key);
end
$$;

comment on function public.create_order is
  'Books several rooms for a customer from the venue''s side, all or none. items: 1 to 10 of {room_id, starts_at, party_size, extras?, exclusive?, fields?, price_cents? (what the seats cost instead of the calculated price, under pricing:override and with override_reason)}; the rest as for create_booking, without coupon and voucher, expected_total_cents being the sum. Each is pending until what is due of it is paid or somebody confirms it, at most until hold_expires_at, which is the same for all; confirmed when nothing is due of it. For members with bookings:create. The details of a refusal that is about one of them say which: {"item"}, 1 for the first. Errors: 403 permission_denied, organization_suspended; 404 room_not_found, calendar_not_found; 409 slot_taken, plan_limit_reached (details {"limit", "maximum", "used", "plan"}), total_changed (details {"total_cents"}), extra_sold_out (details {"extra_id", "left"}); 422 items_invalid (details {"maximum"}), party_size_invalid (details {"minimum", "maximum"}), start_invalid, slot_in_past, too_far_ahead, exclusive_not_offered, customer_invalid (details {"field"}), field_invalid, note_too_long, source_invalid, price_invalid, override_reason_invalid, pay_within_invalid (details {"minimum", "maximum"}), extras_invalid, extra_not_found, extra_quantity_invalid, idempotency_key_invalid, idempotency_key_reused; 429 mail_limit_reached (details {"limit", "maximum"}; without an email there is no limit).';
grant execute on function public.create_order to authenticated;

create function private.transition_order(
  organization_id uuid, order_id uuid, to_status text, reason text, refund text, booking_ids uuid []
)
returns public.desk_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  ids uuid [];
  booking record;
  state text;
  code text;
  hint text;
  details text;
begin
  perform private.require_permission(transition_order.organization_id, 'bookings:read');
  if not exists (
    select from public.booking_orders as o
    where o.organization_id = transition_order.organization_id and o.id = transition_order.order_id
  ) then
    perform private.fail('order_not_found', 404, 'Choose one of the organization''s orders.');
  end if;
  select array_agg(b.id) into ids
  from public.bookings as b
  where b.organization_id = transition_order.organization_id
    and b.order_id = transition_order.order_id
    and (transition_order.booking_ids is null or b.id = any (transition_order.booking_ids));
  if transition_order.booking_ids is not null and exists (
    select from unnest(transition_order.booking_ids) as w (id) where w.id is null or w.id <> all (coalesce(ids, '{}'))
  ) then
    perform private.fail('booking_not_found', 404, 'Name bookings of the order.');
  end if;
  perform private.lock_bookings(
    transition_order.organization_id,
    -- Those that are left may have waited for these.
    array(
      select b.id from public.bookings as b
      where b.organization_id = transition_order.organization_id and b.order_id = transition_order.order_id
    )
  );
  for booking in
    select b.id, b.reference
    from public.bookings as b
    where b.organization_id = transition_order.organization_id
      and b.id = any (ids)
      -- Of all of them those that stand.
      and (transition_order.booking_ids is not null or b.takes_capacity)
    order by b.starts_at, b.id
  loop
    begin
      perform private.transition_booking(
        transition_order.organization_id, booking.id, transition_order.to_status, transition_order.reason,
        transition_order.refund
      );
    exception
      when sqlstate 'PT409' or sqlstate 'PT422' then
        get stacked diagnostics
          state = returned_sqlstate, code = message_text, hint = pg_exception_hint, details = pg_exception_detail;
        perform private.refuse_about(state, code, hint, details, jsonb_build_object('reference', booking.reference));
    end;
  end loop;
  if transition_order.to_status = 'cancelled' then
    perform private.settle_rest_of_order(transition_order.organization_id, transition_order.order_id);
  end if;
  return private.desk_order(transition_order.organization_id, transition_order.order_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.transition_order is
  'definer: writes status and history, which no client may write.';
grant execute on function private.transition_order to authenticated;

create function public.transition_order(
  organization_id uuid,
  order_id uuid,
  to_status text,
  reason text default null,
  refund text default 'full',
  booking_ids uuid [] default null
)
returns public.desk_order
language sql
volatile
set search_path = ''
as $$ select private.transition_order(organization_id, order_id, to_status, reason, refund, booking_ids) $$;

comment on function public.transition_order is
  'Moves the named bookings of an order, or, left out, all that are neither cancelled nor expired, to their next status, all or none: transition_booking for each, with its rights and its refusals. refund: what goes back of each when the venue cancels. For members: bookings:read, and what transition_booking asks for. The details of a refusal that is about one of them say which: {"reference"}. Errors: 403 permission_denied, organization_suspended; 404 order_not_found, booking_not_found (not of this order); 409 transition_not_allowed (details {"from", "to", "allowed"}), too_early (details {"opens_at"}), undo_too_late (details {"until"}), waiver_missing, slot_taken, booking_changed, customer_erased, extra_sold_out (details {"extra_id", "left"}); 422 reason_too_long, reason_missing, refund_invalid, coupon_max_uses, coupon_max_uses_per_customer.';
grant execute on function public.transition_order to authenticated;
