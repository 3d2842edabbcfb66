-- Refunds by the staff: promised by hand, and handed over by hand.
--
-- A promise (private.refund_requests) of a payment that came through a provider is carried out
-- by a job. One of money taken at the desk waits until somebody says that it was given back:
-- get_pending_refunds lists what waits, record_refund writes it into the ledger.
--
-- A promise may be one that the provider never fulfils: a charge that it took back, an account that is closed.
-- Its job dies, and then it is stuck: listed with the provider's word, and ended by a person, who
-- gives the money back by another way (record_refund) or takes the promise back (withdraw_refund).
-- One that the customer's bank sent back days later is listed too, until somebody has seen to it.

select private.permission_upsert(
  'payments:refund', 'payments', true,
  'Refund payments, and record money given back at the desk',
  'Devolver pagos y registrar devoluciones hechas en recepción',
  array['admin', 'manager'],
  rests_in_visits => true
);

-- for: private.get_pending_refunds; what is carried out is not in it
create index refund_requests_pending_idx on private.refund_requests (organization_id, created_at, id)
where status = 'pending' or (status = 'failed' and withdrawn_reason is null);

create function private.refund_is_stuck(request private.refund_requests)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return request.status = 'pending'
    and request.provider_refund_id is null
    and not private.payment_is_disputed(request.organization_id, request.payment_id)
    and exists (
      select from public.payments as p
      where p.organization_id = request.organization_id and p.id = request.payment_id and p.method = 'stripe'
    )
    and not private.refund_has_job(request.id);
end
$$;

comment on function private.refund_is_stuck is
  'Whether nobody is working on a promised refund of money that was paid online, and nobody will by itself: its job was given up. One that waits for a dispute is not stuck.';

create type public.promised_refund as (
  refund_request_id uuid,
  payment_id uuid,
  method text,
  amount_cents bigint,
  status text,
  disputed boolean
);

comment on type public.promised_refund is 'What goes back of one payment.';
comment on column public.promised_refund.refund_request_id is 'The promise: what record_refund and withdraw_refund take.';
comment on column public.promised_refund.payment_id is 'The payment.';
comment on column public.promised_refund.method is 'By which it was paid. one of: stripe, cash, card_terminal, transfer, bizum, voucher';
comment on column public.promised_refund.amount_cents is 'Minor units of the booking''s currency.';
comment on column public.promised_refund.status is 'one of: pending, succeeded, failed, withdrawn';
comment on column public.promised_refund.disputed is
  'The customer''s bank withholds the payment: it goes back only if the dispute is decided for the venue.';

create type public.booking_refund as (
  booking_id uuid,
  amount_cents bigint,
  currency text,
  refundable_cents bigint,
  refunds public.promised_refund []
);

comment on type public.booking_refund is 'What staff promised to give back of a booking''s money.';
comment on column public.booking_refund.booking_id is 'The booking.';
comment on column public.booking_refund.amount_cents is 'What is given back, in minor units of currency.';
comment on column public.booking_refund.currency is 'ISO 4217.';
comment on column public.booking_refund.refundable_cents is
  'What can still be given back of the booking: what the venue holds of it, but for what a lost dispute took.';
comment on column public.booking_refund.refunds is 'Payment by payment.';

create function private.refund_booking(
  organization_id uuid,
  booking_id uuid,
  amount_cents bigint,
  reason text,
  idempotency_key text
)
returns public.booking_refund
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := refund_booking.organization_id || ':refund_booking';
  booking public.bookings;
  kept bigint;
  known uuid [];
  stored jsonb;
  answer public.booking_refund;
begin
  perform private.require_permission(refund_booking.organization_id, 'payments:refund');
  stored := private.idempotent_begin(scope, refund_booking.idempotency_key, jsonb_build_object(
    'booking_id', refund_booking.booking_id,
    'amount_cents', refund_booking.amount_cents,
    'reason', refund_booking.reason
  ));
  if stored is not null then
    return jsonb_populate_record(null::public.booking_refund, stored);
  end if;

  if refund_booking.amount_cents is null or refund_booking.amount_cents <= 0 then
    perform private.fail('amount_invalid', 422, 'Send the amount as a positive number of minor units.');
  elsif not private.is_reason(refund_booking.reason, 500) then
    perform private.fail('reason_invalid', 422, 'Give a reason of 1 to 500 characters.');
  end if;
  booking := private.locked_booking(refund_booking.organization_id, refund_booking.booking_id);
  perform private.refuse_uneven_amount(refund_booking.amount_cents, booking.currency);
  kept := private.booking_refundable(booking.organization_id, booking.id);
  if refund_booking.amount_cents > kept then
    perform private.fail(
      'amount_too_high', 422, 'Refund no more than the venue still holds of this booking.',
      jsonb_build_object('refundable_cents', kept)
    );
  end if;

  known := array(
    select q.id
    from private.refund_requests as q
    where q.organization_id = booking.organization_id and q.booking_id = booking.id
  );
  perform private.request_refund(
    booking.organization_id, booking.id, refund_booking.amount_cents, 'staff', private.clean_note(refund_booking.reason)
  );
  -- What was given back is not asked for again online.
  if booking.status not in ('held', 'pending') then
    update public.bookings as b
    set due_now_cents = least(b.due_now_cents, kept - refund_booking.amount_cents)
    where b.organization_id = booking.organization_id and b.id = booking.id;
  end if;

  answer.booking_id := booking.id;
  answer.amount_cents := refund_booking.amount_cents;
  answer.currency := booking.currency;
  answer.refundable_cents := kept - refund_booking.amount_cents;
  answer.refunds := array(
    select row(
      q.id, q.payment_id, p.method, q.amount_cents, q.status, private.waits_for_dispute(q)
    )::public.promised_refund
    from private.refund_requests as q
    join public.payments as p on p.organization_id = q.organization_id and p.id = q.payment_id
    where q.organization_id = booking.organization_id
      and q.booking_id = booking.id
      and q.id <> all (known)
    order by q.created_at, q.id
  );
  perform private.idempotent_end(scope, refund_booking.idempotency_key, to_jsonb(answer));
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.refund_booking is
  'definer: writes promises of refunds, which no client may write. Asks for payments:refund.';
grant execute on function private.refund_booking to authenticated;

create function public.refund_booking(
  organization_id uuid,
  booking_id uuid,
  amount_cents bigint,
  reason text,
  idempotency_key text
)
returns public.booking_refund
language sql
volatile
set search_path = ''
as $$ select private.refund_booking(organization_id, booking_id, amount_cents, reason, idempotency_key) $$;

comment on function public.refund_booking is
  'Staff with payments:refund give back part or all of what a booking paid, whatever its status: money paid online goes back by itself, unless its payment is disputed: then it waits for the bank''s decision (disputed); money taken at the desk waits for record_refund. amount_cents: minor units of the booking''s currency, at most what the venue still holds. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 422 amount_invalid, amount_too_high (details {"refundable_cents"}), reason_invalid, idempotency_key_invalid, idempotency_key_reused.';
grant execute on function public.refund_booking to authenticated;

create function private.locked_refund_request(organization_id uuid, refund_request_id uuid)
returns private.refund_requests
language plpgsql
volatile
set search_path = ''
as $$
declare
  request private.refund_requests;
begin
  select q.* into request
  from private.refund_requests as q
  where q.organization_id = locked_refund_request.organization_id
    and q.id = locked_refund_request.refund_request_id;
  if not found then
    perform private.fail('refund_request_not_found', 404, 'Choose one of those that get_pending_refunds lists.');
  end if;
  perform private.locked_payment(p)
  from public.payments as p
  where p.organization_id = request.organization_id and p.id = request.payment_id;
  select q.* into request
  from private.refund_requests as q
  where q.organization_id = request.organization_id and q.id = request.id
  for no key update;
  return request;
end
$$;

comment on function private.locked_refund_request is
  'A promised refund, with its booking and itself locked. Raises 404 refund_request_not_found.';

create function private.is_for_staff(request private.refund_requests)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return request.status = 'pending' and (
    private.refund_is_stuck(request)
    or exists (
      select from public.payments as p
      where p.organization_id = request.organization_id
        and p.id = request.payment_id
        and private.goes_back_by_hand(p.method, request.status)
    )
  );
end
$$;

comment on function private.is_for_staff is
  'Whether a promised refund waits for a person: it goes back by hand, or is stuck.';

create type public.recorded_refund as (
  refund_id uuid,
  refund_request_id uuid,
  booking_id uuid,
  method text,
  amount_cents bigint,
  currency text,
  paid_cents bigint,
  refunded_cents bigint
);

comment on type public.recorded_refund is 'Money that was given back by hand, and how its booking stands with it.';
comment on column public.recorded_refund.refund_id is 'The entry of the ledger.';
comment on column public.recorded_refund.refund_request_id is 'The promise that it keeps.';
comment on column public.recorded_refund.booking_id is 'The booking.';
comment on column public.recorded_refund.method is 'By which it went back. one of: cash, card_terminal, transfer, bizum';
comment on column public.recorded_refund.amount_cents is 'Minor units of currency.';
comment on column public.recorded_refund.currency is 'ISO 4217.';
comment on column public.recorded_refund.paid_cents is 'What came in for the booking.';
comment on column public.recorded_refund.refunded_cents is 'What went back.';

create function private.record_refund(
  organization_id uuid,
  refund_request_id uuid,
  idempotency_key text,
  method text
)
returns public.recorded_refund
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := record_refund.organization_id || ':record_refund';
  request private.refund_requests;
  paid_by text;
  way text;
  refund_id uuid;
  stored jsonb;
  answer public.recorded_refund;
begin
  perform private.require_permission(record_refund.organization_id, 'payments:refund');
  stored := private.idempotent_begin(
    scope, record_refund.idempotency_key,
    jsonb_build_object('refund_request_id', record_refund.refund_request_id, 'method', record_refund.method)
  );
  if stored is not null then
    return jsonb_populate_record(null::public.recorded_refund, stored);
  end if;

  -- Under the booking's lock nobody else settles it.
  request := private.locked_refund_request(record_refund.organization_id, record_refund.refund_request_id);
  if not private.is_for_staff(request) then
    perform private.fail('refund_not_pending', 409, 'It was given back already, or goes back without your doing.');
  end if;
  select p.method into paid_by
  from public.payments as p
  where p.organization_id = request.organization_id and p.id = request.payment_id;
  way := coalesce(record_refund.method, paid_by);
  if way not in ('cash', 'card_terminal', 'transfer', 'bizum') then
    perform private.fail('method_invalid', 422, 'Say by which way it was given back: cash, card_terminal, transfer or bizum.');
  end if;
  update private.refund_requests as q
  set status = 'succeeded', as_of = now()
  where q.organization_id = request.organization_id and q.id = request.id;
  insert into public.refunds as r (
    organization_id, booking_id, payment_id, refund_request_id, method, amount_cents, currency
  )
  values (
    request.organization_id, request.booking_id, request.payment_id, request.id, way,
    request.amount_cents, request.currency
  )
  returning r.id into refund_id;

  select
    refund_id, request.id, request.booking_id, way, request.amount_cents, request.currency,
    balance.paid_cents, balance.refunded_cents
  into answer
  from private.booking_balance(request.organization_id, request.booking_id) as balance;
  perform private.idempotent_end(scope, record_refund.idempotency_key, to_jsonb(answer));
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.record_refund is
  'definer: writes the ledger, which nobody else may write. Asks for payments:refund.';
grant execute on function private.record_refund to authenticated;

create function public.record_refund(
  organization_id uuid,
  refund_request_id uuid,
  idempotency_key text,
  method text default null
)
returns public.recorded_refund
language sql
volatile
set search_path = ''
as $$ select private.record_refund(organization_id, refund_request_id, idempotency_key, method) $$;

comment on function public.record_refund is
  'Staff with payments:refund say that money was given back by hand, as get_pending_refunds asked (by_hand, or stuck); it goes into the ledger. method: cash, card_terminal, transfer or bizum; null: as it was paid at the desk. Errors: 403 permission_denied, organization_suspended; 404 refund_request_not_found; 409 refund_not_pending; 422 method_invalid, idempotency_key_invalid, idempotency_key_reused.';
grant execute on function public.record_refund to authenticated;

create type public.withdrawn_refund as (
  refund_request_id uuid,
  booking_id uuid,
  status text,
  amount_cents bigint,
  currency text,
  refundable_cents bigint
);

comment on type public.withdrawn_refund is 'A promised refund that is off the list of what waits.';
comment on column public.withdrawn_refund.refund_request_id is 'The promise.';
comment on column public.withdrawn_refund.booking_id is 'The booking.';
comment on column public.withdrawn_refund.status is 'withdrawn: not owed any more. one of: withdrawn, failed';
comment on column public.withdrawn_refund.amount_cents is 'Minor units of currency.';
comment on column public.withdrawn_refund.currency is 'ISO 4217.';
comment on column public.withdrawn_refund.refundable_cents is 'What can be given back of the booking.';

create function private.withdraw_refund(organization_id uuid, refund_request_id uuid, reason text)
returns public.withdrawn_refund
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  request private.refund_requests;
begin
  perform private.require_permission(withdraw_refund.organization_id, 'payments:refund');
  if not private.is_reason(withdraw_refund.reason, 500) then
    perform private.fail('reason_invalid', 422, 'Give a reason of 1 to 500 characters.');
  end if;
  request := private.locked_refund_request(withdraw_refund.organization_id, withdraw_refund.refund_request_id);
  if request.withdrawn_reason is null then
    if not private.is_for_staff(request)
      and (not private.waits_for_dispute(request) or private.refund_has_job(request.id))
      and request.status <> 'failed'
    then
      perform private.fail('refund_not_pending', 409, 'It was given back already, or goes back without your doing.');
    end if;
    request := private.withdraw_refund_request(
      request.organization_id, request.id, private.clean_note(withdraw_refund.reason)
    );
  end if;
  return row(
    request.id, request.booking_id, request.status, request.amount_cents, request.currency,
    private.booking_refundable(request.organization_id, request.booking_id)
  )::public.withdrawn_refund;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.withdraw_refund is
  'definer: writes promises of refunds, which no client may write. Asks for payments:refund.';
grant execute on function private.withdraw_refund to authenticated;

create function public.withdraw_refund(organization_id uuid, refund_request_id uuid, reason text)
returns public.withdrawn_refund
language sql
volatile
set search_path = ''
as $$ select private.withdraw_refund(organization_id, refund_request_id, reason) $$;

comment on function public.withdraw_refund is
  'Staff with payments:refund take a promised refund off the list of get_pending_refunds: one that goes back by hand, is stuck or waits for a dispute is not owed any more, and its money is the venue''s again (refund_booking may promise it anew); one that failed was seen to. Again, the same answer. Errors: 403 permission_denied, organization_suspended; 404 refund_request_not_found; 409 refund_not_pending; 422 reason_invalid.';
grant execute on function public.withdraw_refund to authenticated;

create type public.pending_refund as (
  refund_request_id uuid,
  booking_id uuid,
  reference text,
  contact_name text,
  method text,
  by_hand boolean,
  status text,
  stuck boolean,
  problem text,
  amount_cents bigint,
  currency text,
  reason text,
  note text,
  requested_at timestamptz,
  disputed boolean
);

comment on type public.pending_refund is 'A promised refund that waits, or that came back.';
comment on column public.pending_refund.refund_request_id is 'The promise: what record_refund and withdraw_refund take.';
comment on column public.pending_refund.booking_id is 'The booking.';
comment on column public.pending_refund.reference is 'The booking''s.';
comment on column public.pending_refund.contact_name is 'The name given with the booking; null without customers:read.';
comment on column public.pending_refund.method is 'By which it was paid. one of: stripe, cash, card_terminal, transfer, bizum, voucher';
comment on column public.pending_refund.by_hand is 'Somebody must give it back and call record_refund.';
comment on column public.pending_refund.status is
  'failed: the customer''s bank sent it back; promise it anew with refund_booking or give it back by hand, and take it off the list with withdraw_refund. one of: pending, failed';
comment on column public.pending_refund.stuck is
  'The provider refused it for good: settle it with record_refund or end it with withdraw_refund.';
comment on column public.pending_refund.problem is 'The provider''s code; null: it named none.';
comment on column public.pending_refund.amount_cents is 'Minor units of currency.';
comment on column public.pending_refund.currency is 'ISO 4217.';
comment on column public.pending_refund.reason is 'one of: cancelled, changed, no_show, overpaid, paid_late, hold_expired, staff, provider';
comment on column public.pending_refund.note is 'What the member of staff who refunds gave as the reason, empty for others; null without customers:read.';
comment on column public.pending_refund.requested_at is 'When it was promised.';
comment on column public.pending_refund.disputed is
  'It waits for the customer''s bank: decided for the venue, it goes back by itself; lost, it is withdrawn, since the bank has given the money back.';

create function private.get_pending_refunds(organization_id uuid)
returns setof public.pending_refund
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  sees_customers boolean;
begin
  perform private.require_permission(get_pending_refunds.organization_id, 'payments:read');
  sees_customers := private.has_permission(get_pending_refunds.organization_id, 'customers:read');
  return query
  select
    q.id,
    q.booking_id,
    b.reference,
    case when sees_customers then c.contact_name end,
    p.method,
    private.goes_back_by_hand(p.method, q.status),
    q.status,
    private.refund_is_stuck(q),
    (
      select split_part(j.last_error, ':', 1)
      from private.jobs as j
      where j.kind = 'stripe.refund' and j.dedupe_key = 'stripe.refund:' || q.id and j.status = 'dead'
      order by j.id desc
      limit 1
    ),
    q.amount_cents,
    q.currency,
    q.reason,
    case when sees_customers then q.note end,
    q.created_at,
    private.waits_for_dispute(q)
  from private.refund_requests as q
  join public.payments as p on p.organization_id = q.organization_id and p.id = q.payment_id
  join public.bookings as b on b.organization_id = q.organization_id and b.id = q.booking_id
  left join public.booking_contacts as c on c.organization_id = b.organization_id and c.booking_id = b.id
  where q.organization_id = get_pending_refunds.organization_id
    and (q.status = 'pending' or (q.status = 'failed' and q.withdrawn_reason is null))
  order by q.created_at, q.id
  limit 500;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_pending_refunds is
  'definer: reads promises of refunds, which no client may read. Asks for payments:read.';
grant execute on function private.get_pending_refunds to authenticated;

create function public.get_pending_refunds(organization_id uuid)
returns setof public.pending_refund
language sql
stable
set search_path = ''
as $$ select * from private.get_pending_refunds(organization_id) $$;

comment on function public.get_pending_refunds is
  'The refunds that are promised and not carried out yet, and those that came back, oldest first, at most 500. For members with payments:read. Errors: 403 permission_denied.';
grant execute on function public.get_pending_refunds to authenticated;
