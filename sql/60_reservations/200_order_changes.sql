-- Moving an order: all of it by the same shift, all or nothing. Each of its bookings alone is moved as any other.
--
-- starts_at is the new start of the first booking that stands; the others keep their distance to it, in elapsed time,
-- also in the night in which the clock changes. What changes.sql says of a change holds for each of them.

create type public.order_change_quote as (
  currency text,
  total_cents bigint,
  difference_cents bigint,
  refund_cents bigint,
  open_cents bigint,
  bookings public.change_quote []
);

comment on type public.order_change_quote is 'What moving an order would cost. Amounts in minor units of currency, tax included.';
comment on column public.order_change_quote.currency is 'ISO 4217.';
comment on column public.order_change_quote.total_cents is 'The new sum of what is moved.';
comment on column public.order_change_quote.difference_cents is 'The new sum less the old.';
comment on column public.order_change_quote.refund_cents is 'What would go back at once.';
comment on column public.order_change_quote.open_cents is 'What could still be asked for of the new total.';
comment on column public.order_change_quote.bookings is 'In order of time.';

create function private.order_moves(organization_id uuid, order_id uuid, starts_at timestamptz)
returns table (booking_id uuid, reference text, moves_to timestamptz, place int)
language plpgsql
stable
rows 10
set search_path = ''
as $$
#variable_conflict use_column
begin
  -- Further away the others' starts may be no instants any more.
  if coalesce(order_moves.starts_at not between now() - interval '20 years' and now() + interval '20 years', true) then
    perform private.fail('start_invalid', 422, 'Give the new start of the first booking.');
  end if;
  return query
  select
    b.id,
    b.reference,
    order_moves.starts_at + (b.starts_at - min(b.starts_at) over ()),
    row_number() over (order by b.starts_at, b.id)::int
  from public.bookings as b
  where b.organization_id = order_moves.organization_id
    and b.order_id = order_moves.order_id
    and b.takes_capacity;
  if not found then
    perform private.refuse_reschedule();
  end if;
end
$$;

comment on function private.order_moves is
  'The bookings of an order that stand, in order of time, and to when a move of the first takes each. Raises 422 start_invalid; 409 not_reschedulable when none stands.';

create function private.quoted_order_change(known public.booking_orders, starts_at timestamptz)
returns public.order_change_quote
language plpgsql
stable
set search_path = ''
as $$
declare
  answer public.order_change_quote := row(known.currency, 0, 0, 0, 0, '{}')::public.order_change_quote;
  move record;
  booking public.bookings;
  change private.booking_request;
  quoted public.change_quote;
  state text;
  code text;
  hint text;
  details text;
begin
  for move in
    select m.booking_id, m.reference, m.moves_to
    from private.order_moves(known.organization_id, known.id, quoted_order_change.starts_at) as m
    order by m.place
  loop
    begin
      select b.* into booking
      from public.bookings as b
      where b.organization_id = known.organization_id and b.id = move.booking_id;
      if not private.is_reschedulable(booking) then
        perform private.refuse_reschedule();
      end if;
      change.starts_at := move.moves_to;
      quoted := private.quoted_change(booking, change, false);
    exception
      when sqlstate 'PT404' or sqlstate 'PT409' or sqlstate 'PT422' then
        get stacked diagnostics
          state = returned_sqlstate, code = message_text, hint = pg_exception_hint, details = pg_exception_detail;
        perform private.refuse_about(state, code, hint, details, jsonb_build_object('reference', move.reference));
    end;
    answer.total_cents := answer.total_cents + quoted.total_cents;
    answer.difference_cents := answer.difference_cents + quoted.difference_cents;
    answer.refund_cents := answer.refund_cents + quoted.refund_cents;
    answer.open_cents := answer.open_cents + quoted.open_cents;
    answer.bookings := answer.bookings || quoted;
  end loop;
  return answer;
end
$$;

comment on function private.quoted_order_change is
  'What moving an order would cost its customer, all of it as it was at one moment. Raises what private.quoted_change does, with the booking''s reference in the details, 409 not_reschedulable, 422 start_invalid.';

create function private.quote_order_change(reference text, order_token text, starts_at timestamptz)
returns public.order_change_quote
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.booking_orders := private.order_with_token(quote_order_change.reference, quote_order_change.order_token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return private.quoted_order_change(known, quote_order_change.starts_at);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.quote_order_change is
  'definer: prices a move of an order for whoever holds its token.';
grant execute on function private.quote_order_change to anon, authenticated;

create function public.quote_order_change(reference text, order_token text, starts_at timestamptz)
returns public.order_change_quote
language sql
volatile
set search_path = ''
as $$ select private.quote_order_change(reference, order_token, starts_at) $$;

comment on function public.quote_order_change is
  'What reschedule_order would make of the prices, whether or not the times are still free. starts_at: the new start of the first booking that stands; the others keep their distance to it. For anybody. The details of a refusal that is about one of them say which: {"reference"}. Errors: 404 order_not_found, room_not_found; 409 not_reschedulable; extra_sold_out (details {"extra_id", "left"}); 422 start_invalid, party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, extras_invalid, extra_not_found (details {"extra_id"}), extra_quantity_invalid (details {"extra_id", "maximum"}), coupon_min_amount, coupon_not_for_room; 429 rate_limited.';
grant execute on function public.quote_order_change to anon, authenticated;

create function private.move_order(
  organization_id uuid, order_id uuid, change private.booking_request, by_staff boolean
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings;
  move record;
  backwards boolean;
  total bigint := 0;
  state text;
  code text;
  hint text;
  details text;
begin
  perform private.lock_bookings(
    move_order.organization_id,
    array(
      select m.booking_id from private.order_moves(move_order.organization_id, move_order.order_id, change.starts_at) as m
    )
  );
  select change.starts_at < min(b.starts_at) into backwards
  from public.bookings as b
  where b.organization_id = move_order.organization_id and b.order_id = move_order.order_id and b.takes_capacity;
  -- In the direction of the move the foremost first: of two in one room, one after the other, each finds its new time left.
  for move in
    select m.booking_id, m.reference, m.moves_to, m.place
    from private.order_moves(move_order.organization_id, move_order.order_id, change.starts_at) as m
    order by case when backwards then m.place else -m.place end
  loop
    begin
      select b.* into booking
      from public.bookings as b
      where b.organization_id = move_order.organization_id and b.id = move.booking_id;
      if by_staff then
        perform private.refuse_staff_change(booking);
      elsif not private.is_reschedulable(booking) then
        perform private.refuse_reschedule();
      else
        perform private.act_as('customer', booking.customer_id);
      end if;
      perform private.apply_change(
        booking,
        jsonb_populate_record(
          change,
          jsonb_build_object(
            'booking_id', booking.id, 'starts_at', move.moves_to, 'expected_total_cents', null,
            'expected_terms', change.expected_terms -> (move.place - 1)
          )
        ),
        by_staff
      );
    exception
      when sqlstate 'PT404' or sqlstate 'PT409' or sqlstate 'PT422' then
        get stacked diagnostics
          state = returned_sqlstate, code = message_text, hint = pg_exception_hint, details = pg_exception_detail;
        perform private.refuse_about(state, code, hint, details, jsonb_build_object('reference', move.reference));
    end;
    total := total + (
      select b.total_cents
      from public.bookings as b
      where b.organization_id = move_order.organization_id and b.id = move.booking_id
    );
  end loop;
  if change.expected_total_cents is not null then
    perform private.refuse_order_total(total, change.expected_total_cents);
  end if;
end
$$;

comment on function private.move_order is
  'Moves all bookings of an order that stand by the same shift, or none. Raises what private.apply_change does, with the booking''s reference in the details, 409 not_reschedulable, 422 start_invalid.';

create function private.reschedule_order(
  reference text, order_token text, change private.booking_request, idempotency_key text
)
returns public.booking_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.booking_orders := private.order_with_token(reschedule_order.reference, reschedule_order.order_token);
  scope text := known.organization_id || ':reschedule_order';
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  if private.idempotent_begin(
    scope, reschedule_order.idempotency_key, to_jsonb(change) || jsonb_build_object('order_id', known.id)
  ) is null then
    if change.expected_total_cents is null then
      perform private.fail('expected_total_missing', 422, 'Send the total that quote_order_change gave.');
    end if;
    change.reason := 'changed_by_customer';
    perform private.move_order(known.organization_id, known.id, change, false);
  end if;
  return private.managed_order(known.organization_id, known.id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.reschedule_order is
  'definer: changes bookings for whoever holds the token of their order.';
grant execute on function private.reschedule_order to anon, authenticated;

create function public.reschedule_order(
  reference text,
  order_token text,
  starts_at timestamptz,
  expected_total_cents bigint,
  idempotency_key text,
  expected_terms jsonb default null
)
returns public.booking_order
language plpgsql
volatile
set search_path = ''
as $$
declare
  change private.booking_request;
begin
  change.starts_at := starts_at;
  change.expected_total_cents := expected_total_cents;
  change.expected_terms := expected_terms;
  return private.reschedule_order(reference, order_token, change, idempotency_key);
end
$$;

comment on function public.reschedule_order is
  'Moves all bookings of an order that stand, or none, and returns it: starts_at is the new start of the first, and the others keep their distance to it; each as by reschedule_booking, which also moves one alone. expected_total_cents: the quoted total; expected_terms: those of the quoted bookings, as a list in their order, so that nobody agrees to others than were shown. For anybody. The details of a refusal that is about one of them say which: {"reference"}. Errors: 404 order_not_found, room_not_found; 409 not_reschedulable: only while cancelling each of them would be refunded in full; slot_taken, total_changed (details {"total_cents"}), terms_changed (details {"terms"}), extra_sold_out (details {"extra_id", "left"}); 422 start_invalid, nothing_to_change, expected_total_missing, party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, extras_invalid, extra_not_found (details {"extra_id"}), extra_quantity_invalid (details {"extra_id", "maximum"}), coupon_min_amount, coupon_not_for_room, idempotency_key_invalid, idempotency_key_reused; 429 rate_limited.';
grant execute on function public.reschedule_order to anon, authenticated;

create function private.change_order(
  organization_id uuid, order_id uuid, change private.booking_request, idempotency_key text
)
returns public.desk_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := change_order.organization_id || ':change_order';
begin
  perform private.require_permission(change_order.organization_id, 'bookings:update');
  if private.idempotent_begin(
    scope, change_order.idempotency_key, to_jsonb(change) || jsonb_build_object('order_id', change_order.order_id)
  ) is null then
    if length(private.clean_note(change.reason)) > 500 then
      perform private.fail('reason_too_long', 422, 'Give a reason of at most 500 characters.');
    elsif not exists (
      select from public.booking_orders as o
      where o.organization_id = change_order.organization_id and o.id = change_order.order_id
    ) then
      perform private.fail('order_not_found', 404, 'Choose one of the organization''s orders.');
    end if;
    perform private.move_order(change_order.organization_id, change_order.order_id, change, true);
  end if;
  return private.desk_order(change_order.organization_id, change_order.order_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.change_order is
  'definer: writes sessions, bookings and the ledger, which no client may write. Asks for bookings:update.';
grant execute on function private.change_order to authenticated;

create function public.change_order(
  organization_id uuid,
  order_id uuid,
  starts_at timestamptz,
  idempotency_key text,
  expected_total_cents bigint default null,
  reason text default null,
  new_terms boolean default false
)
returns public.desk_order
language plpgsql
volatile
set search_path = ''
as $$
declare
  change private.booking_request;
begin
  change.starts_at := starts_at;
  change.expected_total_cents := expected_total_cents;
  change.reason := reason;
  change.new_terms := coalesce(new_terms, false);
  return private.change_order(organization_id, order_id, change, idempotency_key);
end
$$;

comment on function public.change_order is
  'Staff move all bookings of an order that stand, or none, to another time: starts_at is the new start of the first, and the others keep their distance to it; each as by change_booking, which also moves one alone or elsewhere. expected_total_cents: refused when the sum is another; reason: for the history; new_terms: the customer agreed to the rooms'' present terms about cancelling. For members with bookings:update. The details of a refusal that is about one of them say which: {"reference"}. Errors: 403 permission_denied, organization_suspended; 404 order_not_found, room_not_found; 409 not_reschedulable, slot_taken, total_changed (details {"total_cents"}), extra_sold_out (details {"extra_id", "left"}); 422 start_invalid, nothing_to_change, party_size_invalid, slot_in_past, too_far_ahead, exclusive_not_offered, reason_too_long, extras_invalid, extra_not_found (details {"extra_id"}), extra_quantity_invalid (details {"extra_id", "maximum"}), coupon_min_amount, coupon_not_for_room, idempotency_key_invalid, idempotency_key_reused.';
grant execute on function public.change_order to authenticated;
