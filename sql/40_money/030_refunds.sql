-- Refunds: what is to be paid back (requests), and what was (the ledger).

create table private.refund_requests (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  payment_id uuid not null,
  amount_cents bigint not null,
  goodwill_cents bigint not null default 0,
  currency text not null,
  reason text not null,
  note text not null default '',
  withdrawn_reason text,
  status text not null default 'pending',
  provider_refund_id text,
  as_of timestamptz,
  requested_by jsonb not null default private.current_actor(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint refund_requests_pkey primary key (organization_id, id),
  constraint refund_requests_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint refund_requests_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id),
  constraint refund_requests_payment_fkey foreign key (organization_id, payment_id)
  references public.payments (organization_id, id),
  constraint refund_requests_status_is_known check (status in ('pending', 'succeeded', 'failed', 'withdrawn')),
  constraint refund_requests_reason_is_known check (
    reason in ('cancelled', 'changed', 'no_show', 'overpaid', 'paid_late', 'hold_expired', 'staff', 'provider', 'correction')
  ),
  constraint refund_requests_amount_is_positive check (amount_cents > 0),
  constraint refund_requests_goodwill_is_part_of_it check (goodwill_cents between 0 and amount_cents),
  constraint refund_requests_notes_are_texts check (private.is_text(note, 500) and private.is_text(withdrawn_reason, 500))
);

comment on table private.refund_requests is
  'One promised refund of one payment. Its money counts as gone from the moment of the promise until it fails or is withdrawn, so nothing is promised twice.';
comment on column private.refund_requests.status is
  'pending (promised, perhaps already with the provider) → succeeded → failed. It only moves forward: a refund may fail days after it succeeded, never the other way round. withdrawn: nothing is left to do, since the provider had paid it back already (on its dashboard), or staff took the promise back; only news of a refund that the provider made for it all the same counts after that.';
comment on column private.refund_requests.goodwill_cents is
  'What of it, in minor units, nobody is asked for again: staff gave it back of a booking that stood. What the price no longer has room for beside the venue''s money ceases to count, for good: private.cap_goodwill.';
comment on column private.refund_requests.reason is 'Why, as a stable word: cancelled, changed, no_show, overpaid, paid_late, hold_expired, staff, provider (made on its dashboard), or correction (the payment was written down wrongly, and nothing went back).';
comment on column private.refund_requests.note is 'What the member of staff who refunds gave as the reason.';
comment on column private.refund_requests.withdrawn_reason is
  'Why staff took it off the list of what waits; of a failed one, that somebody has seen it.';
comment on column private.refund_requests.requested_by is 'Who caused it: {kind, id} as in private.current_actor.';
comment on column private.refund_requests.as_of is 'The newest instant at which the provider''s state was read.';

-- for: the foreign key, and a booking's balance
create index refund_requests_booking_id_idx on private.refund_requests (organization_id, booking_id);
-- for: the foreign key, and how much of a payment can still be refunded
create index refund_requests_payment_id_idx on private.refund_requests (organization_id, payment_id);
-- for: private.apply_refund; one request a refund of the provider, or one for each payment that it is divided between
create unique index refund_requests_provider_refund_key
on private.refund_requests (organization_id, provider_refund_id, payment_id) where provider_refund_id is not null;

create trigger refund_requests_touch_updated_at
before update on private.refund_requests
for each row execute function private.touch_updated_at();

create table public.refunds (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  payment_id uuid not null,
  refund_request_id uuid not null,
  kind text not null default 'refund',
  method text not null,
  amount_cents bigint not null,
  currency text not null,
  provider_refund_id text,
  occurred_at timestamptz not null default now(),
  recorded_by jsonb not null default private.current_actor(),
  created_at timestamptz not null default now(),
  constraint refunds_pkey primary key (organization_id, id),
  constraint refunds_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint refunds_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id),
  constraint refunds_payment_fkey foreign key (organization_id, payment_id)
  references public.payments (organization_id, id),
  constraint refunds_refund_request_fkey foreign key (organization_id, refund_request_id)
  references private.refund_requests (organization_id, id),
  constraint refunds_one_entry_a_kind unique (organization_id, refund_request_id, kind),
  constraint refunds_kind_is_known check (kind in ('refund', 'reversal', 'correction')),
  constraint refunds_reversals_are_negative check ((kind = 'reversal') = (amount_cents < 0) and amount_cents <> 0),
  constraint refunds_method_is_known
  check (method in ('stripe', 'cash', 'card_terminal', 'transfer', 'bizum', 'voucher')),
  constraint refunds_currency_is_iso_4217 check (private.is_currency(currency))
);

comment on table public.refunds is
  'Append-only: money that went back, and payments that were none. What a booking was refunded is the sum of its entries but for corrections, which are taken off what it paid.';
comment on column public.refunds.kind is
  'refund; reversal, with a negative amount, of a refund that the customer''s bank sent back; or correction, the counter-entry of a payment that was written down wrongly, with which nothing went back.';
comment on column public.refunds.amount_cents is 'Minor units of currency.';
comment on column public.refunds.method is 'By which way it went back: that of the payment, or another by which staff settled it by hand.';
comment on column public.refunds.recorded_by is 'Who wrote it down: {kind, id} as in private.current_actor.';
comment on column public.refunds.provider_refund_id is 'Stripe''s refund.';

-- for: the foreign key, a booking's balance, and embedding refunds in bookings
create index refunds_booking_id_idx on public.refunds (organization_id, booking_id);
-- for: the foreign key, and embedding refunds in payments
create index refunds_payment_id_idx on public.refunds (organization_id, payment_id);
-- for: the staff's page of refunds, newest first
create index refunds_occurred_at_idx on public.refunds (organization_id, occurred_at desc, id desc);

grant select on public.refunds to authenticated;

alter table public.refunds enable row level security;

create policy refunds_select on public.refunds
for select to authenticated
using (organization_id = (select private.organization_with('payments:read')));

create trigger refunds_refuse_change
before update or delete on public.refunds
for each row execute function private.refuse_change();

create trigger refunds_refuse_truncate
before truncate on public.refunds
for each statement execute function private.refuse_change();

create function private.booking_balance(organization_id uuid, booking_id uuid)
returns table (paid_cents bigint, refunded_cents bigint, balance_cents bigint)
language plpgsql
stable
rows 1
set search_path = ''
as $$
begin
  select coalesce(sum(p.amount_cents), 0) into paid_cents
  from public.payments as p
  where p.organization_id = booking_balance.organization_id and p.booking_id = booking_balance.booking_id;
  select
    coalesce(sum(r.amount_cents) filter (where r.kind <> 'correction'), 0),
    paid_cents - coalesce(sum(r.amount_cents) filter (where r.kind = 'correction'), 0)
  into refunded_cents, paid_cents
  from public.refunds as r
  where r.organization_id = booking_balance.organization_id and r.booking_id = booking_balance.booking_id;
  balance_cents := paid_cents - refunded_cents;
  return next;
end
$$;

comment on function private.booking_balance is
  'What the ledger says of a booking, in minor units: paid, refunded, and what the venue holds of it now.';

create function private.booking_kept(organization_id uuid, booking_id uuid, method text default null)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(sum(p.amount_cents - coalesce(r.promised, 0)), 0)
    from public.payments as p
    left join lateral (
      select sum(q.amount_cents) as promised
      from private.refund_requests as q
      where q.organization_id = p.organization_id and q.payment_id = p.id and q.status in ('pending', 'succeeded')
    ) as r on true
    where p.organization_id = booking_kept.organization_id
      and p.booking_id = booking_kept.booking_id
      and p.method = coalesce(booking_kept.method, p.method)
  );
end
$$;

comment on function private.booking_kept is
  'What a booking has paid less what was promised back, in minor units; of one method, or of all. Decisions are made on this, not on the balance, because a promised refund is no longer the venue''s money.';

create function private.booking_covered(organization_id uuid, booking_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.booking_kept(booking_covered.organization_id, booking_covered.booking_id) + (
    select coalesce(sum(q.goodwill_cents), 0)
    from private.refund_requests as q
    where q.organization_id = booking_covered.organization_id
      and q.booking_id = booking_covered.booking_id
      and q.status in ('pending', 'succeeded')
  );
end
$$;

comment on function private.booking_covered is
  'What of a booking''s price nobody is asked for any more, in minor units: what the venue keeps of its money, and what staff have given back of it.';

create function private.cap_goodwill(organization_id uuid, booking_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  surplus bigint;
  request private.refund_requests;
begin
  select private.booking_covered(b.organization_id, b.id) - b.total_cents into surplus
  from public.bookings as b
  where b.organization_id = cap_goodwill.organization_id and b.id = cap_goodwill.booking_id;
  if surplus <= 0 then
    return;
  end if;
  for request in
    select q.*
    from private.refund_requests as q
    where q.organization_id = cap_goodwill.organization_id
      and q.booking_id = cap_goodwill.booking_id
      and q.status in ('pending', 'succeeded')
      and q.goodwill_cents > 0
    order by q.id desc
  loop
    exit when surplus <= 0;
    update private.refund_requests as q
    set goodwill_cents = greatest(q.goodwill_cents - surplus, 0)
    where q.organization_id = request.organization_id and q.id = request.id;
    surplus := surplus - request.goodwill_cents;
  end loop;
end
$$;

comment on function private.cap_goodwill is
  'Lets what staff gave back count for no more than the price leaves beside what the venue keeps, newest first: else it would stand for money that goes back later. Called whenever a price or what is kept has changed; the caller holds the booking''s lock.';

create function private.payment_is_disputed(organization_id uuid, payment_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.disputes as d
    where d.organization_id = payment_is_disputed.organization_id
      and d.payment_id = payment_is_disputed.payment_id
      and private.dispute_withholds(d.status)
  );
end
$$;

comment on function private.payment_is_disputed is
  'Whether the customer''s bank has taken a payment back for now: the provider refunds nothing of it (charge_disputed) until that is decided.';

create function private.payment_lost(organization_id uuid, payment_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(sum(d.amount_cents), 0)
    from public.disputes as d
    where d.organization_id = payment_lost.organization_id
      and d.payment_id = payment_lost.payment_id
      and d.status = 'lost'
  );
end
$$;

comment on function private.payment_lost is
  'What of a payment went back to the customer by a dispute that the venue lost, in minor units: it cannot go back twice.';

create function private.booking_lost(organization_id uuid, booking_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(sum(private.payment_lost(p.organization_id, p.id)), 0)
    from public.payments as p
    where p.organization_id = booking_lost.organization_id and p.booking_id = booking_lost.booking_id
  );
end
$$;

comment on function private.booking_lost is
  'What of a booking''s payments went back by disputes that the venue lost, in minor units.';

create function private.payment_refundable(payment public.payments)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return greatest(
    payment.amount_cents - private.payment_lost(payment.organization_id, payment.id) - (
      select coalesce(sum(q.amount_cents), 0)
      from private.refund_requests as q
      where q.organization_id = payment.organization_id
        and q.payment_id = payment.id
        and q.status in ('pending', 'succeeded')
    ), 0
  );
end
$$;

comment on function private.payment_refundable is
  'What of a payment can still be promised back, in minor units: what was kept, less what lost disputes took.';

create function private.booking_refundable(organization_id uuid, booking_id uuid, method text default null)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(sum(private.payment_refundable(p)), 0)
    from public.payments as p
    where p.organization_id = booking_refundable.organization_id
      and p.booking_id = booking_refundable.booking_id
      and p.method = coalesce(booking_refundable.method, p.method)
  );
end
$$;

comment on function private.booking_refundable is
  'What of a booking''s payments can still be promised back, in minor units; of one method, or of all.';

create function private.booking_disputed(organization_id uuid, booking_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(sum(private.payment_refundable(p)), 0)
    from public.payments as p
    where p.organization_id = booking_disputed.organization_id
      and p.booking_id = booking_disputed.booking_id
      and private.payment_is_disputed(p.organization_id, p.id)
  );
end
$$;

comment on function private.booking_disputed is
  'What private.booking_refundable counts of payments that a bank withholds, in minor units: promised, it waits.';

create function private.no_show_fee(booking public.bookings)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.in_steps(
    booking.total_cents::numeric * (private.booking_terms(booking)).no_show_fee_percent / 100, booking.currency
  );
end
$$;

comment on function private.no_show_fee is
  'What a party that does not come pays by the terms of its booking, in minor units.';

create function private.booking_open(booking public.bookings)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when booking.status in ('expired', 'cancelled') or booking.hold_expires_at <= now() then 0
    else greatest(
      case booking.status when 'no_show' then private.no_show_fee(booking) else booking.total_cents end
      - private.booking_covered(booking.organization_id, booking.id),
      0
    )
  end;
end
$$;

comment on function private.booking_open is
  'What can still be asked for of a booking, in minor units: its total, of a party that did not come the fee, less what the venue keeps and what staff have given back; 0 for one that is over or cancelled.';

create function private.rest_payable_until(booking public.bookings)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select booking.starts_at - make_interval(mins => o.rest_online_minutes)
    from public.organizations as o
    where o.id = booking.organization_id and (private.payment_account(o.id)).available
  );
end
$$;

comment on function private.rest_payable_until is
  'Until when more than is due can be paid online (organizations.rest_online_minutes); null: never.';

create function private.payable_beside(booking public.bookings, whole boolean, reserved_cents bigint)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  due bigint;
begin
  if booking.status not in ('held', 'pending', 'confirmed', 'checked_in')
    or booking.hold_expires_at <= now()
    or private.venue_is_closed(booking.organization_id)
    or not (private.payment_account(booking.organization_id)).available
  then
    return 0;
  end if;
  due := booking.due_now_cents - private.booking_covered(booking.organization_id, booking.id) - reserved_cents;
  -- A place that only its mail's link confirms is not bought before.
  if (whole and not private.awaits_confirmation(booking) or booking.status in ('confirmed', 'checked_in'))
    and private.rest_payable_until(booking) > now()
  then
    due := greatest(due, private.booking_open(booking) - reserved_cents);
  end if;
  return case
    when due >= (select c.least_cents from private.currencies as c where c.code = booking.currency) then due else 0
  end;
end
$$;

comment on function private.payable_beside is
  'What can be paid online of a booking now beside what others are to pay, in minor units: what is due; of a confirmed booking, or whole, all that is open, as long as the venue lets it be paid online. 0: nothing, or less than the provider charges.';

create function private.payable_online(booking public.bookings, whole boolean default false)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.payable_beside(booking, whole, private.shares_reserve(booking.organization_id, booking.id));
end
$$;

comment on function private.payable_online is
  'What a booking''s link can ask to be paid online now, in minor units: private.payable_beside the shares of other payers.';

create function private.queue_refund(organization_id uuid, refund_request_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'stripe.refund',
    jsonb_build_object(
      'organization_id', queue_refund.organization_id, 'refund_request_id', queue_refund.refund_request_id
    ),
    'stripe.refund:' || queue_refund.refund_request_id,
    queue_refund.organization_id
  );
end
$$;

comment on function private.queue_refund is 'Queues the job that carries out a promised refund at the provider.';

create function private.request_payment_refund(
  organization_id uuid,
  payment_id uuid,
  amount_cents bigint,
  reason text,
  note text default ''
)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  payment record;
  request_id uuid;
begin
  select p.booking_id, p.method, p.currency, b.status,
    least(request_payment_refund.amount_cents, private.payment_refundable(p)) as cents
  into payment
  from public.payments as p
  join public.bookings as b on b.organization_id = p.organization_id and b.id = p.booking_id
  where p.organization_id = request_payment_refund.organization_id
    and p.id = request_payment_refund.payment_id;

  if payment.cents is null or payment.cents <= 0 then
    return 0;
  end if;

  insert into private.refund_requests (
    organization_id, booking_id, payment_id, amount_cents, goodwill_cents, currency, reason, note
  )
  values (
    request_payment_refund.organization_id, payment.booking_id, request_payment_refund.payment_id, payment.cents,
    -- What was given back of a place that nobody had yet, or had no more, takes nothing off its price.
    case
      when request_payment_refund.reason = 'staff'
        and payment.status not in ('held', 'pending', 'expired', 'cancelled') then payment.cents
      else 0
    end,
    payment.currency, request_payment_refund.reason, request_payment_refund.note
  )
  returning id into request_id;
  perform private.cap_goodwill(request_payment_refund.organization_id, payment.booking_id);

  -- Cash and the like go back by hand: their request waits for a person, not for a job. What a
  -- voucher paid is on it again at once, unless it was cancelled.
  if payment.method = 'voucher' then
    perform private.return_to_voucher(request_payment_refund.organization_id, request_id);
  elsif payment.method = 'stripe'
    -- What the bank withholds waits for its word: private.follow_dispute.
    and not private.payment_is_disputed(request_payment_refund.organization_id, request_payment_refund.payment_id)
  then
    perform private.queue_refund(request_payment_refund.organization_id, request_id);
  end if;
  return payment.cents;
end
$$;

comment on function private.request_payment_refund is
  'Promises back up to amount_cents of one payment and returns what was promised. The caller holds the booking''s lock.';

create function private.return_to_voucher(organization_id uuid, refund_request_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  request private.refund_requests;
  voucher public.vouchers;
begin
  select q.* into request
  from private.refund_requests as q
  where q.organization_id = return_to_voucher.organization_id and q.id = return_to_voucher.refund_request_id;
  select v.* into voucher
  from public.voucher_entries as e
  join public.vouchers as v on v.organization_id = e.organization_id and v.id = e.voucher_id
  where e.organization_id = request.organization_id and e.payment_id = request.payment_id and e.kind = 'redeemed'
  for no key update of v;
  -- Who cancelled it may have had to, as when its code became known: then a person decides.
  if voucher.status = 'cancelled' then
    return;
  end if;

  update private.refund_requests as q
  set status = 'succeeded'
  where q.organization_id = request.organization_id and q.id = request.id;
  insert into public.refunds (
    organization_id, booking_id, payment_id, refund_request_id, method, amount_cents, currency
  )
  values (
    request.organization_id, request.booking_id, request.payment_id, request.id, 'voucher', request.amount_cents,
    request.currency
  );
  insert into public.voucher_entries (organization_id, voucher_id, kind, amount_cents, payment_id)
  values (voucher.organization_id, voucher.id, 'returned', request.amount_cents, request.payment_id);
  -- Expired is what no venue's clock takes any more; the 90 days are full ones at each of them.
  update public.vouchers as v
  set valid_until = today.latest + 90, expired_at = null
  from private.dates_at_venues(voucher.organization_id) as today
  where v.organization_id = voucher.organization_id and v.id = voucher.id and v.valid_until < today.earliest;
end
$$;

comment on function private.return_to_voucher is
  'Carries out a promised refund of a payment by voucher: the money is on the voucher again, and one that expired meanwhile lives on for 90 days. Of one that was cancelled the promise waits for staff, who give the money back by hand.';

create function private.locked_payment(payment public.payments)
returns public.payments
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen_booking_id uuid;
begin
  loop
    seen_booking_id := payment.booking_id;
    begin
      perform private.locked_booking(payment.organization_id, seen_booking_id);
      select p.* into payment
      from public.payments as p
      where p.organization_id = payment.organization_id and p.id = payment.id;
      -- It went to another booking while this one was waited for: as in private.locked_booking.
      if payment.booking_id <> seen_booking_id then
        raise exception using errcode = 'EM001', message = 'payment_moved';
      end if;
      return payment;
    exception
      when sqlstate 'EM001' then null;
    end;
  end loop;
end
$$;

comment on function private.locked_payment is
  'A payment as it is now, with its booking locked, whichever that is after a merge.';

create function private.request_refund(
  organization_id uuid,
  booking_id uuid,
  amount_cents bigint,
  reason text,
  note text default ''
)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  wanted bigint := request_refund.amount_cents;
  promised bigint := 0;
  part record;
  payment_id uuid;
begin
  -- Whoever moves a booking's money holds its lock: two refunds cannot promise the same cents.
  perform private.locked_booking(request_refund.organization_id, request_refund.booking_id);

  -- Of several people's money each gets back a part, as far as nobody paid too much.
  if request_refund.reason in ('cancelled', 'changed', 'no_show', 'staff')
    and private.is_split(request_refund.organization_id, request_refund.booking_id)
  then
    for part in
      select a.*
      from private.apportioned(request_refund.organization_id, request_refund.booking_id, wanted) as a
    loop
      promised := promised + private.request_payment_refund(
        request_refund.organization_id, part.payment_id, part.part_cents, request_refund.reason, request_refund.note
      );
    end loop;
  end if;

  -- Newest first: what was paid last is what was paid too much. Provider payments, then
  -- vouchers, before cash, because they go back by themselves; last what a bank withholds. A share counts only
  -- where it is wanted, so what is too much is never its payer's as long as there is other money.
  for payment_id in
    select p.id
    from public.payments as p
    where p.organization_id = request_refund.organization_id and p.booking_id = request_refund.booking_id
    order by
      exists (
        select from private.share_payments as s where s.organization_id = p.organization_id and s.payment_id = p.id
      ),
      private.payment_is_disputed(p.organization_id, p.id),
      (p.method = 'stripe') desc, (p.method = 'voucher') desc, p.occurred_at desc, p.id desc
  loop
    exit when promised >= wanted;
    promised := promised + private.request_payment_refund(
      request_refund.organization_id, payment_id, wanted - promised, request_refund.reason, request_refund.note
    );
  end loop;
  return promised;
end
$$;

comment on function private.request_refund is
  'Promises a booking''s payer, or payers, back amount_cents, or what is left to refund if that is less, and returns what was promised.';

create function private.waits_for_dispute(request private.refund_requests)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return request.status = 'pending'
    and request.provider_refund_id is null
    and private.payment_is_disputed(request.organization_id, request.payment_id);
end
$$;

comment on function private.waits_for_dispute is
  'Whether a promised refund waits until the customer''s bank has decided on the payment.';

create function private.refund_has_job(refund_request_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from private.jobs as j
    where j.kind = 'stripe.refund'
      and j.dedupe_key = 'stripe.refund:' || refund_has_job.refund_request_id
      and j.status in ('queued', 'running')
  );
end
$$;

comment on function private.refund_has_job is
  'Whether a job is carrying out a promised refund, or is about to: then it may have gone out, whatever is known of it.';

create function private.withdraw_refund_request(organization_id uuid, refund_request_id uuid, reason text)
returns private.refund_requests
language plpgsql
volatile
set search_path = ''
as $$
declare
  request private.refund_requests;
begin
  -- What failed stays failed: news of it must not count again.
  update private.refund_requests as q
  set status = case q.status when 'pending' then 'withdrawn' else q.status end,
    withdrawn_reason = withdraw_refund_request.reason
  where q.organization_id = withdraw_refund_request.organization_id
    and q.id = withdraw_refund_request.refund_request_id
  returning q.* into request;
  perform private.cap_goodwill(request.organization_id, request.booking_id);
  return request;
end
$$;

comment on function private.withdraw_refund_request is
  'Takes a promise back, or off the list when it failed, and returns it. The caller has locked it and knows that nobody carries it out.';

create type public.undone_refunds as (
  withdrawn_cents bigint,
  refunded_cents bigint
);

comment on type public.undone_refunds is 'What became of promised refunds that were to be taken back, in minor units.';
comment on column public.undone_refunds.withdrawn_cents is 'Not promised any more: nobody had begun to carry it out.';
comment on column public.undone_refunds.refunded_cents is 'Went out, or is with the provider: open again of the booking.';

create function private.withdraw_refunds(booking public.bookings, reason text)
returns public.undone_refunds
language plpgsql
volatile
set search_path = ''
as $$
declare
  refund record;
  withdrawn bigint := 0;
  gone bigint := 0;
begin
  for refund in
    select q.id, q.amount_cents, q.status, p.method,
      private.waits_for_dispute(q) and not private.refund_has_job(q.id) as waits
    from private.refund_requests as q
    join public.payments as p on p.organization_id = q.organization_id and p.id = q.payment_id
    where q.organization_id = booking.organization_id
      and q.booking_id = booking.id
      and q.reason = withdraw_refunds.reason
      and q.status not in ('failed', 'withdrawn')
    order by q.created_at, q.id
  loop
    -- Asked for once, the provider may carry it out at any time, whatever it answered. A worker
    -- who takes the job at this moment is waited for, and then it is too late.
    if refund.method = 'stripe' then
      update private.jobs as j
      set status = 'done', finished_at = now(), last_error = 'withdrawn'
      where j.kind = 'stripe.refund'
        and j.dedupe_key = 'stripe.refund:' || refund.id
        and j.status = 'queued'
        and j.attempts = 0;
    end if;
    if refund.status = 'pending' and (refund.method <> 'stripe' or found or refund.waits) then
      perform private.withdraw_refund_request(booking.organization_id, refund.id, 'undone');
      withdrawn := withdrawn + refund.amount_cents;
    else
      gone := gone + refund.amount_cents;
    end if;
  end loop;
  return row(withdrawn, gone)::public.undone_refunds;
end
$$;

comment on function private.withdraw_refunds is
  'Takes back the refunds of a locked booking that were promised for that reason and that nobody began to carry out, and says what became of all of that reason.';

create type service.refund_request as (
  refund_request_id uuid,
  organization_id uuid,
  booking_id uuid,
  reference text,
  status text,
  amount_cents bigint,
  currency text,
  reason text,
  payment_intent text,
  stripe_account text,
  provider_refund_id text,
  refund_fee boolean,
  disputed boolean,
  disputes int
);

comment on type service.refund_request is 'A promised refund of one payment, to be carried out by the provider.';
comment on column service.refund_request.refund_request_id is 'The promise.';
comment on column service.refund_request.organization_id is 'The venue.';
comment on column service.refund_request.booking_id is 'The booking; null: a gift voucher was bought.';
comment on column service.refund_request.reference is 'The booking''s, or the id of the voucher''s order.';
comment on column service.refund_request.status is 'pending while there is something to do. one of: pending, succeeded, failed, withdrawn';
comment on column service.refund_request.amount_cents is 'Minor units of currency.';
comment on column service.refund_request.currency is 'ISO 4217, upper case.';
comment on column service.refund_request.reason is 'one of: cancelled, changed, no_show, overpaid, paid_late, hold_expired, staff, provider';
comment on column service.refund_request.payment_intent is 'Stripe''s, of the payment; null: it was not paid through Stripe.';
comment on column service.refund_request.stripe_account is 'The connected account that was paid; null: the platform''s own.';
comment on column service.refund_request.refund_fee is
  'Whether the platform took a fee of the payment, which goes back in the same proportion.';
comment on column service.refund_request.provider_refund_id is 'Stripe''s refund; null: none was made yet.';
comment on column service.refund_request.disputed is
  'The customer''s bank withholds the payment: nothing of it can be refunded, and the job is queued anew when that is decided.';
comment on column service.refund_request.disputes is
  'How many disputes of the payment are known: with each, the provider is asked under another idempotency key.';

create function private.get_refund_request(job_id bigint, lease_token uuid)
returns service.refund_request
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(get_refund_request.job_id, get_refund_request.lease_token);
  answer service.refund_request;
begin
  perform private.refuse_other_object(job, job.kind = 'stripe.refund');
  select
    q.id,
    q.organization_id,
    q.booking_id,
    b.reference,
    q.status,
    q.amount_cents,
    q.currency,
    q.reason,
    case when p.method = 'stripe' then p.provider_payment_id end,
    p.stripe_account,
    q.provider_refund_id,
    p.platform_fee_cents > 0,
    private.payment_is_disputed(p.organization_id, p.id),
    (select count(*) from public.disputes as d where d.organization_id = p.organization_id and d.payment_id = p.id)
  into answer
  from private.refund_requests as q
  join public.payments as p on p.organization_id = q.organization_id and p.id = q.payment_id
  join public.bookings as b on b.organization_id = q.organization_id and b.id = q.booking_id
  where q.organization_id = job.organization_id
    and q.id = (job.payload ->> 'refund_request_id')::uuid;
  if not found then
    answer := private.voucher_refund_request(job);
  end if;
  if answer.refund_request_id is null then
    perform private.fail('refund_request_not_found', 404, 'Check the ids: the organization has no such refund request.');
  end if;
  return answer;
end
$$;

comment on function private.get_refund_request is 'definer: the service may read no table.';
grant execute on function private.get_refund_request to service_role;

create function service.get_refund_request(job_id bigint, lease_token uuid)
returns service.refund_request
language sql
stable
set search_path = ''
as $$ select private.get_refund_request(job_id, lease_token) $$;

comment on function service.get_refund_request is
  'What a claimed job of kind stripe.refund has to do. Errors: 404 refund_request_not_found; 409 lease_lost, lease_of_another.';
grant execute on function service.get_refund_request to service_role;

create function private.shrink_promises(payment public.payments)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  too_much bigint;
  request private.refund_requests;
begin
  select sum(q.amount_cents) + private.payment_lost(payment.organization_id, payment.id) - payment.amount_cents
  into too_much
  from private.refund_requests as q
  where q.organization_id = payment.organization_id
    and q.payment_id = payment.id
    and q.status in ('pending', 'succeeded');
  for request in
    select q.*
    from private.refund_requests as q
    where q.organization_id = payment.organization_id
      and q.payment_id = payment.id
      and q.status = 'pending'
      and q.provider_refund_id is null
    order by q.created_at desc, q.id desc
  loop
    exit when too_much <= 0;
    update private.refund_requests as q
    set status = case when q.amount_cents <= too_much then 'withdrawn' else q.status end,
      amount_cents = case when q.amount_cents <= too_much then q.amount_cents else q.amount_cents - too_much end,
      goodwill_cents = case
        when q.amount_cents <= too_much then q.goodwill_cents else least(q.goodwill_cents, q.amount_cents - too_much)
      end
    where q.organization_id = request.organization_id and q.id = request.id;
    too_much := too_much - request.amount_cents;
  end loop;
end
$$;

comment on function private.shrink_promises is
  'Takes what has gone back already (on the provider''s dashboard, before its event came, or by a dispute that was lost) out of what is promised of the payment and not made yet, so that the rest can be refunded. The caller holds the booking''s lock.';

create function private.goes_back_by_hand(method text, status text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return method in ('cash', 'card_terminal', 'transfer', 'bizum') or method = 'voucher' and status = 'pending';
end
$$;

comment on function private.goes_back_by_hand is
  'Whether somebody must hand over a promised refund of a payment by that method: money taken at the desk, and what a cancelled voucher had paid.';

create type private.refund_way as (
  method text,
  by_hand boolean,
  amount_cents bigint,
  valid_until date,
  given boolean,
  disputed boolean
);

comment on type private.refund_way is
  'What goes back of a booking''s money by one way; by_hand: somebody at the venue is to hand it over; valid_until: the last day of the voucher that it is on again, of several the first; given: it has gone back already, other than onto its voucher; disputed: it goes back only if the customer''s bank, which withholds the payment, decides for the venue.';

create function private.refund_ways(
  organization_id uuid,
  booking_id uuid,
  reason text default null,
  promised_at timestamptz default null,
  promised_after timestamptz default null
)
returns private.refund_way []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(
      way.method, way.by_hand, sum(way.amount_cents), min(way.valid_until), way.given, way.disputed
    )::private.refund_way
    from (
      select
        coalesce(made.method, p.method) as method,
        made.id is null and private.goes_back_by_hand(p.method, q.status) as by_hand,
        q.amount_cents,
        (
          select v.valid_until
          from public.voucher_entries as e
          join public.vouchers as v on v.organization_id = e.organization_id and v.id = e.voucher_id
          where e.organization_id = p.organization_id
            and e.payment_id = p.id
            and e.kind = 'redeemed'
            and coalesce(made.method, p.method) = 'voucher'
        ) as valid_until,
        made.id is not null and made.method <> 'voucher' as given,
        made.id is null and private.waits_for_dispute(q) as disputed
      from private.refund_requests as q
      join public.payments as p on p.organization_id = q.organization_id and p.id = q.payment_id
      left join public.refunds as made
        on made.organization_id = q.organization_id and made.refund_request_id = q.id and made.kind = 'refund'
      where q.organization_id = refund_ways.organization_id
        and q.booking_id = refund_ways.booking_id
        and q.status in ('pending', 'succeeded')
        and q.reason = coalesce(refund_ways.reason, q.reason)
        and q.reason <> 'correction'
        and q.created_at = coalesce(refund_ways.promised_at, q.created_at)
        and q.created_at > coalesce(refund_ways.promised_after, '-infinity')
    ) as way
    group by way.method, way.by_hand, way.given, way.disputed
    order by way.method, way.by_hand, way.given, way.disputed
  );
end
$$;

comment on function private.refund_ways is
  'What goes back of a booking''s money, by the way of its payment, or went, by the way in which it did; of promised_at: promised at that instant; of promised_after: since then.';

create type service.applied_refund as (
  refund_request_id uuid,
  status text
);

comment on type service.applied_refund is 'What the provider''s report of a refund made of its promise.';
comment on column service.applied_refund.refund_request_id is 'The promise; null: of a payment that is not ours.';
comment on column service.applied_refund.status is
  'unknown: of a payment that is not ours; one of: pending, succeeded, failed, withdrawn, unknown';

create type private.refund_share as (
  payment_id uuid,
  refund_request_id uuid,
  cents bigint
);

comment on type private.refund_share is 'What of a refund of the provider is of one payment; without a request it was made on the dashboard.';

create function private.apply_refund_share(share private.refund_share, organization_id uuid, refund jsonb)
returns service.applied_refund
language plpgsql
volatile
set search_path = ''
as $$
declare
  reached text := case refund ->> 'status'
    when 'succeeded' then 'succeeded'
    when 'failed' then 'failed'
    when 'canceled' then 'failed'
    else 'pending'
  end;
  payment public.payments;
  request private.refund_requests;
begin
  select p.* into payment
  from public.payments as p
  where p.organization_id = apply_refund_share.organization_id and p.id = share.payment_id;
  select q.* into request
  from private.refund_requests as q
  where q.organization_id = payment.organization_id and q.id = share.refund_request_id;
  if request.id is null then
    -- Made by hand on the provider's dashboard: the ledger must know it all the same.
    insert into private.refund_requests (organization_id, booking_id, payment_id, amount_cents, currency, reason)
    values (
      payment.organization_id, payment.booking_id, payment.id, share.cents, payment.currency, 'provider'
    )
    returning * into request;
  end if;

  if request.status = 'failed' or (request.status = 'succeeded' and reached = 'pending') then
    reached := request.status;
  end if;

  update private.refund_requests as q
  set status = reached,
    provider_refund_id = refund ->> 'id',
    amount_cents = share.cents,
    goodwill_cents = least(q.goodwill_cents, share.cents),
    as_of = greatest(q.as_of, (refund ->> 'as_of')::timestamptz)
  where q.organization_id = request.organization_id and q.id = request.id;

  if reached = 'succeeded' or (reached = 'failed' and request.status = 'succeeded') then
    insert into public.refunds (
      organization_id, booking_id, payment_id, refund_request_id, kind,
      method, amount_cents, currency, provider_refund_id, occurred_at
    )
    values (
      request.organization_id, request.booking_id, request.payment_id, request.id,
      case reached when 'succeeded' then 'refund' else 'reversal' end,
      payment.method,
      case reached when 'succeeded' then 1 else -1 end * share.cents,
      payment.currency, refund ->> 'id', coalesce((refund ->> 'as_of')::timestamptz, now())
    )
    on conflict on constraint refunds_one_entry_a_kind do nothing;
  end if;

  if reached <> 'failed' then
    perform private.shrink_promises(payment);
  end if;
  perform private.cap_goodwill(payment.organization_id, payment.booking_id);
  return row(request.id, reached)::service.applied_refund;
end
$$;

comment on function private.apply_refund_share is
  'Writes what a refund of the provider gives back of one payment, once. The caller holds the booking.';

create function private.apply_refund(job_id bigint, lease_token uuid, refund jsonb)
returns service.applied_refund
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- The provider's states fold into three that only move forward, so deliveries may come
-- in any order and any number: pending (also requires_action), succeeded, failed (also
-- canceled). Failed is the tombstone: a refund that failed never succeeds again, the
-- provider makes a new one. Entries of the ledger follow from the state reached:
-- succeeded writes the refund, failed after succeeded writes its reversal, failed alone
-- writes nothing, and both ways the sum is the same.
declare
  job private.jobs := private.leased_job(apply_refund.job_id, apply_refund.lease_token);
  payment public.payments;
  share private.refund_share;
  answer service.applied_refund;
begin
  -- A refund's own job brings every refund of its payment, also those made on the dashboard.
  perform private.refuse_other_object(job, case job.kind
    when 'stripe.refund' then exists (
      select from private.refund_requests as q
      join public.payments as p on p.organization_id = q.organization_id and p.id = q.payment_id
      where q.organization_id = job.organization_id
        and q.id = (job.payload ->> 'refund_request_id')::uuid
        and p.provider_payment_id = refund ->> 'payment_intent'
    ) or private.is_voucher_refund(job, refund ->> 'payment_intent')
    else private.syncs(job, 'refund', refund ->> 'id')
  end);
  perform private.act_as('system', null);

  -- Never a payment into another account than the refund is of.
  select p.* into payment
  from public.payments as p
  where p.provider_payment_id = refund ->> 'payment_intent'
    and case job.kind
      when 'stripe.refund' then p.organization_id = job.organization_id
      else p.stripe_account is not distinct from job.payload ->> 'account'
    end
  order by p.created_at
  limit 1;
  if not found and (private.voucher_order_of_payment(job, refund ->> 'payment_intent')).id is not null then
    return private.apply_voucher_refund(private.voucher_order_of_payment(job, refund ->> 'payment_intent'), refund);
  end if;
  if payment.id is null and job.payload ->> 'account' is not null and job.attempts > 8 then
    -- What the venue sells elsewhere by the same account: a payment of ours would have come long ago.
    return row(null, 'unknown')::service.applied_refund;
  elsif payment.id is null then
    -- The refund overtook its payment: 503 makes the job come back.
    perform private.fail('payment_unknown', 503, 'Try again after the payment was applied.');
  end if;

  -- A refund that was made on the dashboard may be of several bookings, which were paid at once.
  payment := private.lock_payments_of_intent(payment);
  foreach share in array private.refund_shares(payment, refund) loop
    answer := private.apply_refund_share(share, payment.organization_id, refund);
  end loop;
  return answer;
end
$$;

comment on function private.apply_refund is
  'definer: writes the ledger, which nobody else may write. Only for the refund, or the payment, that the leased job is about.';
grant execute on function private.apply_refund to service_role;

create function service.apply_refund(job_id bigint, lease_token uuid, refund jsonb)
returns service.applied_refund
language sql
volatile
set search_path = ''
as $$ select private.apply_refund(job_id, lease_token, refund) $$;

comment on function service.apply_refund is
  'Applies the provider''s current state of a refund, under the lease of the job that is about it (stripe.sync) or about its payment (stripe.refund): {id, status, amount, payment_intent, refund_request_id or null, as_of}. Any order and any number of calls end the same. Errors: 409 lease_lost, lease_of_another; 503 payment_unknown, when the payment was not applied yet.';
grant execute on function service.apply_refund to service_role;
