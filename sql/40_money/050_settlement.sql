-- Settlement: what a booking becomes through its money.
--
-- Nothing here trusts an event. Money becomes an entry of the ledger, once, and then the
-- booking is settled from its sums, so reports may come late, twice or in any order:
--   held, pending   confirmed as soon as what is due now is covered;
--   expired         the money came late: takes its place again if it is free and what is
--                   due is covered, else all of it goes back;
--   of an erased customer: held and pending expire, and all money goes back;
--   cancelled       somebody decided that: money that arrives afterwards goes back, while
--                   a cancellation fee kept before it stays;
--   all others      keep at most the total, and of money paid online at most what was due
--                   online, so a second payment of the same deposit goes back too.
-- A payment that the provider says is under way for days (delayed methods) keeps its booking's place
-- as long as it says so, and never past the start of the game.
-- All of it happens in the transaction that writes the entry, under the booking's
-- lock: a kill leaves either everything or nothing, and the provider is asked again.

create function private.settle_booking(organization_id uuid, booking_id uuid, takes_again boolean default true)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings := private.locked_booking(settle_booking.organization_id, settle_booking.booking_id);
  kept bigint;
  excess bigint;
begin
  kept := private.booking_kept(booking.organization_id, booking.id);

  if booking.status in ('held', 'pending') and private.is_erased(booking) then
    -- Its hold had lapsed when its customer was erased: the money goes back.
    perform private.transition(booking.organization_id, booking.id, 'expired', 'hold_lapsed');
    select b.* into booking
    from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id;
  end if;

  if booking.status in ('held', 'pending')
    and kept >= booking.due_now_cents
    and (kept > 0 or not private.awaits_confirmation(booking))
  then
    perform private.transition(booking.organization_id, booking.id, 'confirmed', 'paid');
    booking.status := 'confirmed';
  elsif booking.status = 'expired'
    and kept > 0
    and kept >= booking.due_now_cents
    and booking.starts_at > clock_timestamp()
    and settle_booking.takes_again
    and private.reclaim_booking(booking.organization_id, booking.id)
  then
    select b.status into booking.status
    from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id;
    if booking.status <> 'confirmed' then
      perform private.transition(booking.organization_id, booking.id, 'confirmed', 'paid_late');
      booking.status := 'confirmed';
    end if;
  end if;

  if booking.status = 'expired' and kept > 0 then
    perform private.request_refund(booking.organization_id, booking.id, kept, 'paid_late');
  elsif booking.status not in ('held', 'pending', 'expired', 'cancelled') then
    excess := greatest(
      private.booking_refundable(booking.organization_id, booking.id) - booking.total_cents,
      private.booking_refundable(booking.organization_id, booking.id, 'stripe') - booking.due_now_cents
    );
    if excess > 0 then
      perform private.request_refund(booking.organization_id, booking.id, excess, 'overpaid');
    end if;
  end if;

  perform private.cap_goodwill(booking.organization_id, booking.id);
  perform private.settle_shares(booking);
  -- Paid otherwise, or changed: the page that asks for another amount is closed.
  if booking.takes_capacity and exists (
    select from private.payment_attempts as a
    where a.organization_id = booking.organization_id
      and a.booking_id = booking.id
      and a.share_id is null
      and a.status = 'open'
      and a.amount_cents <> private.payable_online(booking, a.covers_rest)
  ) then
    perform private.close_attempt(booking.organization_id, booking.id, 'another amount is due');
  end if;
  return booking.status;
end
$$;

comment on function private.settle_booking is
  'Brings a booking into the state that its money asks for and returns its status. Calling it again changes nothing. takes_again: whether one that expired may have its place again. Who may meet an expired booking holds its room''s lock.';

create function private.announce_payment(organization_id uuid, booking_id uuid, payment_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'payment_received', 'organization_id', announce_payment.organization_id,
      'booking_id', announce_payment.booking_id, 'payment_id', announce_payment.payment_id
    ),
    -- One mail, in however many payments the money came.
    concat_ws(':', 'payment_received', announce_payment.booking_id, pg_current_xact_id()),
    announce_payment.organization_id
  );
end
$$;

comment on function private.announce_payment is
  'The outbox: a payment after which its booking stands as before writes a mail of its own in the same transaction.';

create function private.write_payment(payment public.payments)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
declare
  payment_id uuid;
begin
  insert into public.payments as p (
    organization_id, id, booking_id, method, amount_cents, currency,
    provider_payment_id, provider_session_id, occurred_at, stripe_account, platform_fee_cents
  )
  values (
    payment.organization_id, coalesce(payment.id, private.uuid_v7()), payment.booking_id, payment.method,
    payment.amount_cents, payment.currency, payment.provider_payment_id, payment.provider_session_id,
    coalesce(payment.occurred_at, now()), payment.stripe_account, payment.platform_fee_cents
  )
  on conflict (organization_id, provider_payment_id, booking_id) where provider_payment_id is not null do nothing
  returning p.id into payment_id;
  return payment_id;
end
$$;

comment on function private.write_payment is
  'Writes a payment into the ledger, once a provider payment, and returns its id; null: it was there.';

create function private.receive_payment(
  payment public.payments,
  announced boolean default true,
  takes_again boolean default true
)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings := private.locked_booking(payment.organization_id, payment.booking_id);
  payment_id uuid;
  settled text;
begin
  if booking.currency <> payment.currency then
    perform private.fail('currency_mismatch', 422, 'Pay in the booking''s currency.');
  end if;

  payment_id := private.write_payment(payment);
  if payment_id is not null and booking.status = 'cancelled' then
    perform private.request_payment_refund(booking.organization_id, payment_id, payment.amount_cents, 'paid_late');
  elsif payment_id is not null and payment.method <> 'stripe' then
    -- What the desk or a voucher leaves may be less than the provider charges.
    update public.bookings as b
    set due_now_cents = private.chargeable_due(
      b.organization_id, b.total_cents, b.due_now_cents, private.booking_covered(b.organization_id, b.id)
    )
    where b.organization_id = booking.organization_id
      and b.id = booking.id
      and b.due_now_cents > private.booking_covered(b.organization_id, b.id);
  end if;
  settled := private.settle_booking(booking.organization_id, booking.id, receive_payment.takes_again);
  -- A confirmation says itself what was paid.
  if announced and payment_id is not null and settled = booking.status
    and settled in ('pending', 'confirmed', 'checked_in', 'in_progress', 'completed', 'no_show')
  then
    perform private.announce_payment(booking.organization_id, booking.id, payment_id);
  end if;
  return settled;
end
$$;

comment on function private.receive_payment is
  'Writes a payment into the ledger, once a provider payment, and settles its booking; returns the booking''s status. announced: whether a payment after which it stands as before has its mail. takes_again: as for private.settle_booking.';

create function private.session_outcome(session jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when session ->> 'status' = 'expired' then 'ended'
    when session ->> 'status' is distinct from 'complete' then 'open'
    when session ->> 'payment_status' = 'paid' then 'paid'
    when session ->> 'payment_status' is distinct from 'unpaid' then 'open'
    -- Complete and not paid: a method that takes days. The session never changes any more when the
    -- bank refuses in the end, but its intent waits for another method then.
    when session ->> 'payment_intent_status' in ('requires_payment_method', 'canceled') then 'ended'
    else 'delayed'
  end;
end
$$;

comment on function private.session_outcome is
  'What a session of the provider says of its money: paid, delayed (under way, for days perhaps), ended (none will come by it), open.';

create function private.follow_provider_session(attempt private.payment_attempts, session jsonb)
returns private.payment_attempts
language plpgsql
volatile
set search_path = ''
as $$
declare
  outcome text := private.session_outcome(session);
begin
  -- A second session of the same attempt says nothing about the first, except by money.
  if outcome = 'paid' or attempt.session_id is null or attempt.session_id = session ->> 'id' then
    update private.payment_attempts as a
    set status = case
        when outcome = 'paid' or a.status = 'paid' then 'paid'
        when outcome = 'ended' then 'expired'
        else a.status
      end,
      session_id = coalesce(a.session_id, session ->> 'id'),
      as_of = greatest(a.as_of, (session ->> 'as_of')::timestamptz)
    where a.organization_id = attempt.organization_id and a.id = attempt.id
    returning a.* into attempt;
  end if;
  return attempt;
end
$$;

comment on function private.follow_provider_session is
  'A locked attempt as it is once its session was heard of; what was paid stays so, whatever else is told later.';

create function private.want_what_comes(organization_id uuid, booking_id uuid, cents bigint)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update public.bookings as b
  set due_now_cents = greatest(
    b.due_now_cents,
    least(b.total_cents, private.booking_kept(b.organization_id, b.id) + want_what_comes.cents)
  )
  where b.organization_id = want_what_comes.organization_id
    and b.id = want_what_comes.booking_id
    and b.status <> 'cancelled';
end
$$;

comment on function private.want_what_comes is
  'Before money is written that is more than was due: by now it is wanted online, so that settling keeps it. Once a payment; the caller holds the booking.';

create function private.wait_for_delayed(organization_id uuid, booking_ids uuid [])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- The provider is asked every minute, so an hour is kept however long it takes.
  update public.bookings as b
  set hold_expires_at = least(now() + interval '1 hour', b.starts_at)
  where b.organization_id = wait_for_delayed.organization_id
    and b.id = any (wait_for_delayed.booking_ids)
    and b.hold_expires_at > now()
    and b.hold_expires_at < least(now() + interval '1 hour', b.starts_at);
end
$$;

comment on function private.wait_for_delayed is
  'Keeps bookings whose payment takes days for another hour, those of them that are still held.';

create type service.applied_checkout as (
  attempt_id uuid,
  status text,
  booking_id uuid,
  booking_status text
);

comment on type service.applied_checkout is 'What the provider''s report of a session made of its attempt and booking.';
comment on column service.applied_checkout.attempt_id is 'The attempt, or a gift voucher''s order; null: the session is not ours.';
comment on column service.applied_checkout.status is
  'The attempt''s; unknown: the session is not ours. one of: open, failed, expired, paid, unknown';
comment on column service.applied_checkout.booking_id is 'The booking; null: a gift voucher is bought, or the session is not ours.';
comment on column service.applied_checkout.booking_status is
  'The booking''s; null: there is none. one of: held, pending, confirmed, checked_in, in_progress, completed, expired, cancelled, no_show';

create function private.apply_checkout_session(job_id bigint, lease_token uuid, session jsonb)
returns service.applied_checkout
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- The provider's states only move forward (open, then complete or expired; unpaid, then
-- paid), and so do ours: a late report of an earlier state changes nothing, and money
-- counts whatever was reported before it.
declare
  job private.jobs := private.leased_job(apply_checkout_session.job_id, apply_checkout_session.lease_token);
  attempt private.payment_attempts;
  outcome text := private.session_outcome(session);
  attempt_id uuid;
  was text;
  payment public.payments;
  booking_status text;
begin
  perform private.refuse_other_object(job, case job.kind
    when 'stripe.expire_checkout' then session ->> 'client_reference_id'
      = coalesce(private.attempt_lead((job.payload ->> 'attempt_id')::uuid)::text, job.payload ->> 'attempt_id') and exists (
      select from private.payment_attempts as a
      where a.id = (job.payload ->> 'attempt_id')::uuid and a.session_id = session ->> 'id'
    )
    else private.syncs(job, 'checkout.session', session ->> 'id')
      and (
        session ->> 'client_reference_id' is not distinct from
        coalesce(job.payload ->> 'attempt_id', session ->> 'client_reference_id')
        -- The page of several bookings names the first of their attempts.
        or session ->> 'client_reference_id' = private.attempt_lead((job.payload ->> 'attempt_id')::uuid)::text
      )
  end);
  perform private.act_as('system', null);

  -- Other products may share the account: their references are not ours to read.
  if session ->> 'client_reference_id' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    attempt_id := session ->> 'client_reference_id';
  end if;
  if exists (select from public.voucher_orders as o where o.id = attempt_id) then
    return private.apply_voucher_session(job, attempt_id, session);
  end if;
  if private.attempt_lead(attempt_id) is not null then
    return private.apply_order_session(job, private.attempt_lead(attempt_id), session);
  end if;
  attempt := private.lock_attempt(attempt_id);
  -- Who owns another account writes whatever reference they like on what is paid into it.
  if attempt.id is null
    or job.kind = 'stripe.sync' and attempt.stripe_account is distinct from job.payload ->> 'account'
  then
    return row(null, 'unknown', null, null)::service.applied_checkout;
  end if;
  was := attempt.status;

  attempt := private.follow_provider_session(attempt, session);

  if outcome = 'paid' and was <> 'paid' and attempt.covers_rest then
    perform private.want_what_comes(attempt.organization_id, attempt.booking_id, attempt.amount_cents);
  end if;
  if outcome = 'paid' then
    payment := row(
      attempt.organization_id, null, attempt.booking_id, 'stripe',
      (session ->> 'amount_total')::bigint, upper(session ->> 'currency'),
      coalesce(session ->> 'payment_intent', session ->> 'id'), session ->> 'id',
      (session ->> 'as_of')::timestamptz, null, null, attempt.stripe_account,
      case when attempt.stripe_account is null then 0 else least(attempt.platform_fee_cents, (session ->> 'amount_total')::bigint) end
    )::public.payments;
    booking_status := case
      when attempt.share_id is null then private.receive_payment(payment)
      else private.receive_share_payment(attempt, payment)
    end;
  else
    if outcome = 'delayed' then
      perform private.wait_for_delayed(attempt.organization_id, array[attempt.booking_id]);
    end if;
    select b.status into booking_status
    from public.bookings as b
    where b.organization_id = attempt.organization_id and b.id = attempt.booking_id;
  end if;

  return row(attempt.id, attempt.status, attempt.booking_id, booking_status)::service.applied_checkout;
end
$$;

comment on function private.apply_checkout_session is
  'definer: writes attempts and the ledger, which nobody else may write. Only for the session that the leased job is about.';
grant execute on function private.apply_checkout_session to service_role;

create function service.apply_checkout_session(job_id bigint, lease_token uuid, session jsonb)
returns service.applied_checkout
language sql
volatile
set search_path = ''
as $$ select private.apply_checkout_session(job_id, lease_token, session) $$;

comment on function service.apply_checkout_session is
  'Applies the provider''s current state of a session, under the lease of the job that is about it (stripe.sync, stripe.expire_checkout): {id, status: open, complete or expired, payment_status, payment_intent, payment_intent_status, amount_total (minor units), currency, client_reference_id (the attempt), as_of (when it was read)}. A session of another account than the attempt was opened in changes nothing (unknown). Any order and any number of calls end the same. While it is complete and its payment under way, the booking keeps its place. Errors: 409 lease_lost, lease_of_another; 422 currency_mismatch; 503 booking_changed (it was moved at that moment: try again).';
grant execute on function service.apply_checkout_session to service_role;

create function private.close_checkout()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  kept bigint;
begin
  perform private.close_attempt(new.organization_id, new.booking_id, 'the booking became ' || new.to_status);
  -- A confirmed one's shares may be of its rest.
  if new.to_status in ('cancelled', 'expired') then
    perform private.end_shares_of(new.organization_id, new.booking_id, 'booking_over');
  end if;

  -- A hold that was paid in part and lapsed keeps nothing. A cancelled booking's refund
  -- is the business of its policy.
  if new.to_status = 'expired' then
    kept := private.booking_kept(new.organization_id, new.booking_id);
    if kept > 0 then
      perform private.request_refund(new.organization_id, new.booking_id, kept, 'hold_expired');
    end if;
  end if;
  return null;
end
$$;

comment on function private.close_checkout is
  'A booking that is confirmed, cancelled or expired has nothing more to be paid online.';

create trigger close_checkout
after insert on public.booking_history
for each row when (
  new.to_status in ('confirmed', 'cancelled', 'expired') and new.change is null
)
execute function private.close_checkout();

create type public.recorded_payment as (
  payment_id uuid,
  booking_id uuid,
  status text,
  method text,
  amount_cents bigint,
  currency text,
  paid_cents bigint,
  refunded_cents bigint,
  open_cents bigint
);

comment on type public.recorded_payment is 'A payment that was taken at the desk, and how its booking stands with it.';
comment on column public.recorded_payment.payment_id is 'The entry of the ledger.';
comment on column public.recorded_payment.booking_id is 'The booking.';
comment on column public.recorded_payment.status is 'The booking''s. one of: held, pending, confirmed, checked_in, in_progress, completed, expired, cancelled, no_show';
comment on column public.recorded_payment.method is 'one of: cash, card_terminal, transfer, bizum';
comment on column public.recorded_payment.amount_cents is 'Minor units of currency.';
comment on column public.recorded_payment.currency is 'ISO 4217.';
comment on column public.recorded_payment.paid_cents is 'What came in for the booking.';
comment on column public.recorded_payment.refunded_cents is 'What went back.';
comment on column public.recorded_payment.open_cents is 'What can still be asked for of the total.';

create function private.record_payment(
  organization_id uuid,
  booking_id uuid,
  method text,
  amount_cents bigint,
  idempotency_key text
)
returns public.recorded_payment
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := record_payment.organization_id || ':record_payment';
  booking public.bookings;
  payment_id uuid := private.uuid_v7();
  open_cents bigint;
  stored jsonb;
  answer public.recorded_payment;
begin
  perform private.require_permission(record_payment.organization_id, 'payments:create');

  stored := private.idempotent_begin(scope, record_payment.idempotency_key, jsonb_build_object(
    'booking_id', record_payment.booking_id,
    'method', record_payment.method,
    'amount_cents', record_payment.amount_cents
  ));
  if stored is not null then
    return jsonb_populate_record(null::public.recorded_payment, stored);
  end if;

  -- Stripe's payments come from Stripe only, and a voucher is redeemed, not recorded.
  if record_payment.method is null or record_payment.method not in ('cash', 'card_terminal', 'transfer', 'bizum') then
    perform private.fail('method_invalid', 422, 'Choose cash, card_terminal, transfer or bizum.');
  elsif record_payment.amount_cents is null or record_payment.amount_cents <= 0 then
    perform private.fail('amount_invalid', 422, 'Send the amount as a positive number of minor units.');
  end if;
  booking := private.locked_booking(record_payment.organization_id, record_payment.booking_id);
  perform private.refuse_uneven_amount(record_payment.amount_cents, booking.currency);
  if booking.status in ('expired', 'cancelled') or booking.hold_expires_at <= now() then
    perform private.fail('not_payable', 409, 'The booking is no longer held. Book again.');
  end if;
  open_cents := private.booking_open(booking);
  if record_payment.amount_cents > open_cents then
    perform private.fail(
      'amount_too_high', 422, 'Take no more than what is still open.',
      jsonb_build_object('open_cents', open_cents)
    );
  end if;

  perform private.receive_payment(row(
    booking.organization_id, payment_id, booking.id, record_payment.method,
    record_payment.amount_cents, booking.currency, null, null, now(), null, null, null, 0
  )::public.payments);

  select
    payment_id, b.id, b.status, record_payment.method, record_payment.amount_cents, b.currency,
    balance.paid_cents, balance.refunded_cents, private.booking_open(b)
  into answer
  from public.bookings as b
  cross join private.booking_balance(b.organization_id, b.id) as balance
  where b.organization_id = booking.organization_id and b.id = booking.id;

  perform private.idempotent_end(scope, record_payment.idempotency_key, to_jsonb(answer));
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.record_payment is
  'definer: writes the ledger, which nobody else may write. Asks for payments:create.';
grant execute on function private.record_payment to authenticated;

create function public.record_payment(
  organization_id uuid,
  booking_id uuid,
  method text,
  amount_cents bigint,
  idempotency_key text
)
returns public.recorded_payment
language sql
volatile
set search_path = ''
as $$ select private.record_payment(organization_id, booking_id, method, amount_cents, idempotency_key) $$;

comment on function public.record_payment is
  'Staff with payments:create record money taken at the desk; a booking whose due amount is covered by it is confirmed. method: cash, card_terminal, transfer or bizum. amount_cents: minor units of the booking''s currency. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 not_payable; 422 method_invalid, amount_invalid, amount_too_high (details open_cents), idempotency_key_invalid, idempotency_key_reused.';
grant execute on function public.record_payment to authenticated;
