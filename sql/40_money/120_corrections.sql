-- Corrections of payments that were written down wrongly at the desk.
--
-- No entry is edited: a counter-entry takes the whole of it back, with a reason, and the right one is recorded anew.
-- It is written as a refund of the kind correction, of the method of the payment, whose promise is kept at once. So
-- whatever reckons with promises and refunds reckons with it, while nobody is told that money went back: none did.

create type public.corrected_payment as (
  refund_id uuid,
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

comment on type public.corrected_payment is 'A payment that a counter-entry took back, and how its booking stands without it.';
comment on column public.corrected_payment.refund_id is 'The counter-entry, in refunds.';
comment on column public.corrected_payment.payment_id is 'The entry that was wrong.';
comment on column public.corrected_payment.booking_id is 'The booking.';
comment on column public.corrected_payment.status is 'The booking''s, which a correction leaves as it is. one of: held, pending, confirmed, checked_in, in_progress, completed, expired, cancelled, no_show';
comment on column public.corrected_payment.method is 'one of: cash, card_terminal, transfer, bizum';
comment on column public.corrected_payment.amount_cents is 'What was taken back, minor units of currency.';
comment on column public.corrected_payment.currency is 'ISO 4217.';
comment on column public.corrected_payment.paid_cents is 'What came in for the booking, without what was corrected.';
comment on column public.corrected_payment.refunded_cents is 'What went back.';
comment on column public.corrected_payment.open_cents is 'What can be asked for of the total again.';

create function private.correct_payment(organization_id uuid, payment_id uuid, reason text)
returns public.corrected_payment
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  payment public.payments;
  correction uuid;
  request_id uuid;
  answer public.corrected_payment;
begin
  perform private.require_permission(correct_payment.organization_id, 'payments:refund');
  if not private.is_reason(correct_payment.reason, 500) then
    perform private.fail('reason_invalid', 422, 'Give a reason of 1 to 500 characters.');
  end if;
  select p.* into payment
  from public.payments as p
  where p.organization_id = correct_payment.organization_id and p.id = correct_payment.payment_id;
  if not found then
    perform private.fail('payment_not_found', 404, 'Choose one of the organization''s payments.');
  end if;
  -- Whoever moves a booking's money holds its lock: what is refunded at this moment is not corrected as well.
  payment := private.locked_payment(payment);
  select r.id into correction
  from public.refunds as r
  where r.organization_id = payment.organization_id and r.payment_id = payment.id and r.kind = 'correction';
  if correction is null then
    if payment.method not in ('cash', 'card_terminal', 'transfer', 'bizum') or exists (
      select from private.refund_requests as q
      where q.organization_id = payment.organization_id
        and q.payment_id = payment.id
        and q.status in ('pending', 'succeeded')
    ) then
      perform private.fail(
        'payment_not_correctable', 409,
        'Correct what was taken at the desk and not given back: refund all else, or withdraw its refund first.'
      );
    end if;
    insert into private.refund_requests as q (
      organization_id, booking_id, payment_id, amount_cents, currency, reason, note, status, as_of
    )
    values (
      payment.organization_id, payment.booking_id, payment.id, payment.amount_cents, payment.currency, 'correction',
      private.clean_note(correct_payment.reason), 'succeeded', now()
    )
    returning q.id into request_id;
    insert into public.refunds as r (
      organization_id, booking_id, payment_id, refund_request_id, kind, method, amount_cents, currency
    )
    values (
      payment.organization_id, payment.booking_id, payment.id, request_id, 'correction', payment.method,
      payment.amount_cents, payment.currency
    )
    returning r.id into correction;
  end if;

  select
    correction, payment.id, b.id, b.status, payment.method, payment.amount_cents, payment.currency,
    balance.paid_cents, balance.refunded_cents, private.booking_open(b)
  into answer
  from public.bookings as b
  cross join private.booking_balance(b.organization_id, b.id) as balance
  where b.organization_id = payment.organization_id and b.id = payment.booking_id;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.correct_payment is
  'definer: writes the ledger, which nobody else may write. Asks for payments:refund.';
grant execute on function private.correct_payment to authenticated;

create function public.correct_payment(organization_id uuid, payment_id uuid, reason text)
returns public.corrected_payment
language sql
volatile
set search_path = ''
as $$ select private.correct_payment(organization_id, payment_id, reason) $$;

comment on function public.correct_payment is
  'Staff with payments:refund take back a payment that was written down wrongly at the desk, whole, by a counter-entry (refunds.kind correction): nothing goes back to the customer, who is told nothing. Record the right one with record_payment. The booking keeps its status. Again, the same answer. Errors: 403 permission_denied, organization_suspended; 404 payment_not_found; 409 payment_not_correctable (not taken at the desk, or given back or promised back in part); 422 reason_invalid.';
grant execute on function public.correct_payment to authenticated;
