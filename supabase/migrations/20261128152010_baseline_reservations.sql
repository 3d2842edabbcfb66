-- Baseline reservations.
--
-- Generated from sql/ by `make migration name=baseline_reservations`. Do not edit: change sql/ and render again.
-- Digest of what follows: fa94e6e2b7f0b78e98274d329ef81fac276f5714237dbad22704701d7ce68bdd

-- =============================================================================
-- sql/40_money/010_payments.sql
-- =============================================================================

-- Payments: money that came in. One half of the ledger; refunds are the other.

select private.permission_upsert(
  'payments:read', 'payments', false,
  'See payments and refunds', 'Ver pagos y devoluciones',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'payments:create', 'payments', true,
  'Record a payment taken at the desk', 'Registrar un pago cobrado en recepción',
  array['admin', 'manager', 'receptionist'],
  rests_in_visits => true
);

create table public.payments (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  method text not null,
  amount_cents bigint not null,
  currency text not null,
  provider_payment_id text,
  provider_session_id text,
  occurred_at timestamptz not null default now(),
  recorded_by jsonb not null default private.current_actor(),
  created_at timestamptz not null default now(),
  stripe_account text,
  platform_fee_cents bigint not null default 0,
  constraint payments_pkey primary key (organization_id, id),
  constraint payments_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint payments_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id),
  constraint payments_method_is_known
  check (method in ('stripe', 'cash', 'card_terminal', 'transfer', 'bizum', 'voucher')),
  constraint payments_amount_is_positive check (amount_cents > 0),
  constraint payments_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint payments_fee_is_part_of_the_amount check (platform_fee_cents between 0 and amount_cents),
  constraint payments_stripe_names_its_payment check (method <> 'stripe' or provider_payment_id is not null)
);

comment on table public.payments is
  'Append-only: an entry is never changed or deleted, but that it follows its booking into another one (merge_bookings); a correction is another entry. What a booking has paid is the sum of its entries.';
comment on column public.payments.amount_cents is 'Minor units of currency.';
comment on column public.payments.method is 'stripe (written by the provider''s reports only), cash, card_terminal, transfer, bizum, voucher.';
comment on column public.payments.provider_payment_id is 'Stripe''s payment intent.';
comment on column public.payments.provider_session_id is 'Stripe''s checkout session.';
comment on column public.payments.stripe_account is
  'The organization''s account at Stripe that was paid, and from which it goes back; null: the platform''s, or not through Stripe.';
comment on column public.payments.platform_fee_cents is 'What the platform took of it, in minor units of currency.';
comment on column public.payments.occurred_at is 'When the money moved, as far as known; created_at is when we wrote it down.';
comment on column public.payments.recorded_by is 'Who wrote it down: {kind, id} as in private.current_actor.';

-- for: the foreign key, a booking's balance, and embedding payments in bookings
create index payments_booking_id_idx on public.payments (organization_id, booking_id);
-- for: the staff's page of payments, newest first
create index payments_occurred_at_idx on public.payments (organization_id, occurred_at desc, id desc);
-- for: private.receive_payment; however often a payment is reported, it is one entry, or one for each booking that was
-- paid with it (an order)
create unique index payments_provider_payment_key
on public.payments (organization_id, provider_payment_id, booking_id)
where provider_payment_id is not null;
-- for: private.apply_refund, told of a refund by a provider that knows no organizations
create index payments_provider_payment_id_idx on public.payments (provider_payment_id)
where provider_payment_id is not null;

grant select on public.payments to authenticated;

alter table public.payments enable row level security;

create policy payments_select on public.payments
for select to authenticated
using (organization_id = (select private.organization_with('payments:read')));

create function private.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    -- Set by private.platform_erase_organization only: a whole tenant goes, or nothing.
    if old.organization_id::text = current_setting('escapemaster.erasing', true) then
      return old;
    end if;
  elsif tg_op = 'UPDATE' then
    -- Set by private.merge_bookings only: money goes with its party to another booking, and nothing else of it changes.
    if old.organization_id::text = current_setting('escapemaster.merging_bookings', true)
      and to_jsonb(new) - 'booking_id' = to_jsonb(old) - 'booking_id'
    then
      return new;
    end if;
  end if;
  raise exception '% is append-only', tg_table_name
    using errcode = 'restrict_violation', hint = 'Write a further entry that corrects the wrong one.';
end
$$;

comment on function private.refuse_change is 'Keeps a table append-only, for its owner too; only the erasure of a whole organization passes, and which booking an entry is of, when two are merged.';

create trigger payments_refuse_change
before update or delete on public.payments
for each row execute function private.refuse_change();

create trigger payments_refuse_truncate
before truncate on public.payments
for each statement execute function private.refuse_change();

-- =============================================================================
-- sql/40_money/020_voucher_entries.sql
-- =============================================================================

-- Entries of gift vouchers: what was put on one and what it has paid.

create table public.voucher_entries (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  voucher_id uuid not null,
  kind text not null,
  amount_cents bigint not null,
  payment_id uuid,
  recorded_by jsonb not null default private.current_actor(),
  created_at timestamptz not null default now(),
  constraint voucher_entries_pkey primary key (organization_id, id),
  constraint voucher_entries_voucher_fkey foreign key (organization_id, voucher_id)
  references public.vouchers (organization_id, id) on delete restrict,
  constraint voucher_entries_payment_fkey foreign key (organization_id, payment_id)
  references public.payments (organization_id, id),
  constraint voucher_entries_kind_is_known check (
    kind in ('issued', 'redeemed', 'returned', 'cancelled', 'revoked', 'restored')
  ),
  constraint voucher_entries_sign_is_its_kind_s check (
    amount_cents <> 0 and (amount_cents > 0) = (kind in ('issued', 'returned', 'restored'))
  ),
  constraint voucher_entries_payments_are_named check ((payment_id is not null) = (kind in ('redeemed', 'returned')))
);

comment on table public.voucher_entries is
  'Append-only. A voucher''s balance is the sum of its entries; the trigger follow_voucher_entry keeps it, and a check keeps it from going below zero.';
comment on column public.voucher_entries.kind is
  'issued; redeemed (paid for a booking), returned (of such a payment), cancelled (what was left); revoked: the money that it was bought with went back, or is to; restored: it did not.';
comment on column public.voucher_entries.amount_cents is 'Minor units of the voucher''s currency; negative when it goes off.';
comment on column public.voucher_entries.payment_id is 'The payment that was made with it, or that came back.';
comment on column public.voucher_entries.recorded_by is 'Who wrote it down: {kind, id} as in private.current_actor.';

-- for: a voucher's entries in order of time, and the foreign key
create index voucher_entries_voucher_id_idx on public.voucher_entries (organization_id, voucher_id, id);
-- for: the voucher behind a payment, and the foreign key
create index voucher_entries_payment_id_idx on public.voucher_entries (organization_id, payment_id);

grant select on public.voucher_entries to authenticated;

alter table public.voucher_entries enable row level security;

create policy voucher_entries_select on public.voucher_entries
for select to authenticated
using (organization_id = (select private.organization_with('vouchers:read')));

create trigger voucher_entries_refuse_change
before update or delete on public.voucher_entries
for each row execute function private.refuse_change();

create trigger voucher_entries_refuse_truncate
before truncate on public.voucher_entries
for each statement execute function private.refuse_change();

create function private.follow_voucher_entry()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  update public.vouchers as v
  set balance_cents = v.balance_cents + new.amount_cents
  where v.organization_id = new.organization_id and v.id = new.voucher_id;
  return null;
end
$$;

comment on function private.follow_voucher_entry is
  'Adds an entry to its voucher''s balance, one after the other under the voucher''s lock.';

create trigger follow_voucher_entry
after insert on public.voucher_entries
for each row execute function private.follow_voucher_entry();

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

comment on function private.lock_vouchers_of is
  'Locks the vouchers that paid for these locked bookings, in the order of their ids, before the bookings give back to them in any order: two who each waited for the other''s voucher would be a deadlock.';

create function private.pay_with_voucher(booking public.bookings, code text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  voucher public.vouchers;
  cents bigint;
  payment_id uuid := private.uuid_v7();
begin
  -- Session and booking are locked; the voucher comes after them and after the coupon.
  perform from public.vouchers as v
  where v.organization_id = booking.organization_id and v.code = private.voucher_code(pay_with_voucher.code)
  for no key update;
  voucher := private.valid_voucher(booking.organization_id, pay_with_voucher.code, booking.id);
  cents := least(private.voucher_usable(voucher), private.booking_open(booking));
  if cents > 0 then
    perform private.receive_payment(row(
      booking.organization_id, payment_id, booking.id, 'voucher', cents, booking.currency, null, null, now(), null, null,
      null, 0
    )::public.payments);
    insert into public.voucher_entries (organization_id, voucher_id, kind, amount_cents, payment_id)
    values (voucher.organization_id, voucher.id, 'redeemed', -cents, payment_id);
  end if;
end
$$;

comment on function private.pay_with_voucher is
  'Pays what is open of a locked booking with a voucher, as far as it goes, and settles the booking. Raises 422 voucher_not_found, voucher_not_active, voucher_expired, voucher_empty.';

-- =============================================================================
-- sql/40_money/030_refunds.sql
-- =============================================================================

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

-- =============================================================================
-- sql/40_money/040_checkout.sql
-- =============================================================================

-- Checkout: the one open attempt to pay a booking through the provider.
--
-- Why a kill between two steps neither loses nor doubles money:
--   open_checkout   writes the attempt; its id names the attempt at the provider, as
--                   idempotency key and as client_reference_id. Killed here: the next call
--                   returns the same attempt, and asking the provider again gives the same
--                   session.
--   the provider    makes the session. Killed here: nobody has its address, so nobody can
--                   pay it, and it expires.
--   record_checkout writes the address. Only after this may a person be sent there.
-- A session that we never recorded still finds its attempt by client_reference_id.
--
-- Whoever touches the money of a booking calls private.locked_booking first and locks the
-- attempt after it: one order, no deadlock.
--
-- A booking that was changed may owe another amount than its open attempt asks for. Then the
-- attempt's session is closed at the provider, and until that is known no other opens: whatever
-- is paid into the old one meanwhile counts, and the difference stays open or goes back.

create table private.payment_attempts (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  status text not null default 'open',
  amount_cents bigint not null,
  currency text not null,
  expires_at timestamptz not null,
  stripe_account text,
  platform_fee_cents bigint not null default 0,
  covers_rest boolean not null default false,
  shows_customer boolean not null default true,
  session_id text,
  url text,
  error text,
  as_of timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  share_id uuid,
  constraint payment_attempts_pkey primary key (organization_id, id),
  constraint payment_attempts_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint payment_attempts_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id),
  constraint payment_attempts_status_is_known check (status in ('open', 'failed', 'expired', 'paid')),
  constraint payment_attempts_amount_is_positive check (amount_cents > 0),
  constraint payment_attempts_fee_is_part_of_the_amount check (platform_fee_cents between 0 and amount_cents),
  constraint payment_attempts_fee_is_of_an_own_account check (platform_fee_cents = 0 or stripe_account is not null)
);

comment on table private.payment_attempts is 'Attempts to pay through the provider; a booking, and each of its shares, has at most one that is open.';
comment on column private.payment_attempts.status is
  'open → failed (no session was made) → expired → paid: it only moves to the right, so reports may come in any order.';
comment on column private.payment_attempts.expires_at is 'When the provider closes its session.';
comment on column private.payment_attempts.stripe_account is 'The connected account that is paid; null is the platform''s own.';
comment on column private.payment_attempts.platform_fee_cents is 'What the platform takes of it, in minor units of currency.';
comment on column private.payment_attempts.covers_rest is
  'Whether more is paid than was due to confirm the booking: its rest, or all of it at once.';
comment on column private.payment_attempts.shows_customer is
  'Whether its page shows the customer''s address: who has a pay link only is shown another page.';
comment on column private.payment_attempts.share_id is 'The share that it pays; null: it pays the booking.';
comment on column private.payment_attempts.as_of is 'The newest instant at which the provider''s state was read.';

-- for: private.open_checkout; two people who press "pay" at once get the same attempt
create unique index payment_attempts_open_key on private.payment_attempts (organization_id, booking_id)
where status = 'open' and share_id is null;
-- for: the foreign key, and the attempt behind a payment
create index payment_attempts_booking_id_idx on private.payment_attempts (organization_id, booking_id);
-- for: private.lock_attempt; the provider knows the attempt's id and no organization
create index payment_attempts_id_idx on private.payment_attempts (id);
-- for: private.queue_stale_checkouts
create index payment_attempts_stale_idx on private.payment_attempts ((coalesce(as_of, created_at)))
where status = 'open' and session_id is not null;

create trigger payment_attempts_touch_updated_at
before update on private.payment_attempts
for each row execute function private.touch_updated_at();

create function private.lock_attempt(attempt_id uuid)
returns private.payment_attempts
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen_booking_id uuid;
  attempt private.payment_attempts;
begin
  select a.* into attempt
  from private.payment_attempts as a
  where a.id = lock_attempt.attempt_id;
  if not found then
    return null;
  end if;
  -- With its room, since money that came late may have to claim the time again.
  -- 503 makes a worker's job come back.
  seen_booking_id := attempt.booking_id;
  perform private.locked_for_change(attempt.organization_id, seen_booking_id, null, 503);
  select a.* into attempt
  from private.payment_attempts as a
  where a.organization_id = attempt.organization_id and a.id = attempt.id
  for update;
  if attempt.booking_id <> seen_booking_id then
    perform private.fail('booking_changed', 503, 'Somebody else just merged the booking with another: try again.');
  end if;
  return attempt;
end
$$;

comment on function private.lock_attempt is 'The attempt, with its booking''s room, its booking and itself locked; null if there is none. Raises 503 booking_changed when the booking moves to another room, or is merged with another, at that moment.';

create function private.request_checkout_expiry(attempt private.payment_attempts, run_at timestamptz default now())
returns void
language sql
volatile
set search_path = ''
as $$
  select private.enqueue(
    'stripe.expire_checkout',
    jsonb_build_object('organization_id', attempt.organization_id, 'attempt_id', attempt.id),
    'stripe.expire_checkout:' || attempt.id,
    attempt.organization_id,
    run_at
  )
$$;

comment on function private.request_checkout_expiry is
  'Queues closing the attempt''s session at the provider, so that nobody can pay for what is no longer for sale.';

create function private.close_one_attempt(attempt private.payment_attempts, reason text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if attempt.session_id is not null then
    -- The attempt stays open until the provider says what became of it: it may be paid.
    perform private.request_checkout_expiry(attempt);
  elsif attempt.id is not null then
    update private.payment_attempts as a
    set status = 'failed', error = close_one_attempt.reason
    where a.organization_id = attempt.organization_id and a.id = attempt.id;
  end if;
end
$$;

comment on function private.close_one_attempt is
  'Closes a locked attempt that is open: at the provider, or here when no session was made. Null: nothing.';

create function private.close_attempt(organization_id uuid, booking_id uuid, reason text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  attempt private.payment_attempts;
begin
  select a.* into attempt
  from private.payment_attempts as a
  where a.organization_id = close_attempt.organization_id
    and a.booking_id = close_attempt.booking_id
    and a.share_id is null
    and a.status = 'open'
  for update;
  perform private.close_one_attempt(attempt, close_attempt.reason);
end
$$;

comment on function private.close_attempt is
  'Closes the open attempt to pay a locked booking, if it has one; those of its shares are closed with these.';

create function private.checkout_token(attempt_id uuid)
returns text
language sql
stable
set search_path = ''
as $$ select private.derived_token('checkout', attempt_id::text) $$;

comment on function private.checkout_token is
  'What whoever opened an attempt proves when reporting on it. Derived, not drawn: two who open the same attempt at once get the same one.';

create function private.lock_own_attempt(attempt_id uuid, attempt_token text)
returns private.payment_attempts
language plpgsql
volatile
set search_path = ''
as $$
declare
  attempt private.payment_attempts;
begin
  -- Asked before anything is locked. Ids of attempts are no secret: jobs and events carry them.
  if private.token_hash(lock_own_attempt.attempt_token)
    = private.token_hash(private.checkout_token(lock_own_attempt.attempt_id))
  then
    attempt := private.lock_attempt(lock_own_attempt.attempt_id);
  end if;
  if attempt.id is null then
    perform private.fail('attempt_not_found', 404, 'Open the checkout first, and report with the token that it answers.');
  end if;
  return attempt;
end
$$;

comment on function private.lock_own_attempt is
  'private.lock_attempt for whoever opened the attempt: raises 404 attempt_not_found without its token.';

create type service.open_checkout as (
  attempt_id uuid,
  attempt_token text,
  organization_id uuid,
  booking_id uuid,
  reference text,
  amount_cents bigint,
  currency text,
  locale text,
  description text,
  customer_email text,
  expires_at timestamptz,
  stripe_account text,
  delayed_methods boolean,
  checkout_url text,
  site_url text,
  platform_fee_cents bigint,
  closing boolean,
  session_id text
);

comment on type service.open_checkout is 'The open attempt to pay a booking, or a gift voucher.';
comment on column service.open_checkout.attempt_id is 'Names the attempt at the provider; of an order the first of its bookings'' attempts.';
comment on column service.open_checkout.attempt_token is 'For record_checkout and fail_checkout; null once there is a page.';
comment on column service.open_checkout.organization_id is 'The venue.';
comment on column service.open_checkout.booking_id is 'The booking, of an order the first; null: a gift voucher is bought.';
comment on column service.open_checkout.reference is 'The booking''s, the order''s, or the id of the voucher''s order.';
comment on column service.open_checkout.amount_cents is 'Minor units of currency.';
comment on column service.open_checkout.currency is 'ISO 4217, upper case.';
comment on column service.open_checkout.locale is 'The payer''s language. one of: es, en, ca';
comment on column service.open_checkout.description is 'What is paid for, to show the payer.';
comment on column service.open_checkout.customer_email is 'The customer''s address; null: the venue was given none, or whoever asks may only pay.';
comment on column service.open_checkout.expires_at is 'When the provider is to close its session.';
comment on column service.open_checkout.stripe_account is 'The connected account that is paid; null: the platform''s own.';
comment on column service.open_checkout.delayed_methods is 'Whether methods that take days may be offered.';
comment on column service.open_checkout.checkout_url is
  'Where to pay, as it was recorded: nobody is sent there before the provider has said the same of session_id; null: the provider has made no session yet.';
comment on column service.open_checkout.session_id is 'The provider''s session, to be asked about; null: there is none yet.';
comment on column service.open_checkout.platform_fee_cents is 'What the platform takes of it, in minor units of currency.';
comment on column service.open_checkout.closing is
  'Whether this is the page of another amount, which is being closed first: ask again in a moment.';
comment on column service.open_checkout.site_url is 'The page of its calendar, to come back to; null: none.';

create function private.shown_checkout(
  booking public.bookings, attempt private.payment_attempts, closing boolean
)
returns service.open_checkout
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      attempt.id,
      case when attempt.url is null then private.checkout_token(attempt.id) end,
      attempt.organization_id,
      booking.id,
      booking.reference,
      attempt.amount_cents,
      attempt.currency,
      booking.locale,
      concat_ws(
        ' · ', private.room_name(r, booking.locale), o.name,
        to_char(booking.starts_at at time zone l.timezone, 'DD/MM/YYYY HH24:MI')
      ),
      case when attempt.shows_customer then c.email end,
      attempt.expires_at,
      attempt.stripe_account,
      o.delayed_methods,
      attempt.url,
      (private.managing_calendar(booking)).site_url,
      attempt.platform_fee_cents,
      shown_checkout.closing,
      attempt.session_id
    )::service.open_checkout
    from public.organizations as o
    join public.rooms as r on r.organization_id = o.id and r.id = booking.room_id
    join public.locations as l on l.organization_id = o.id and l.id = r.location_id
    join public.customers as c on c.organization_id = o.id and c.id = booking.customer_id
    where o.id = booking.organization_id
  );
end
$$;

comment on function private.shown_checkout is 'An attempt as the service gets to know it.';

create function private.open_checkout(reference text, manage_token text, whole boolean)
returns service.open_checkout
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  -- The shortest life Stripe gives a session is 30 minutes; the extra minute is for the
  -- way there, the two after it for a payment made in its last second.
  session_ends timestamptz := now() + interval '31 minutes';
  hold_wanted timestamptz := now() + interval '33 minutes';
  known public.booking_orders := private.order_of_token(open_checkout.manage_token);
  booking public.bookings;
  only_pays boolean := (private.booking_with_pay_token(open_checkout.reference, open_checkout.manage_token)).id is not null;
  attempt private.payment_attempts;
  account private.payment_account;
  ends_at timestamptz;
  owed bigint;
  due bigint;
begin
  if known.reference = any (private.typed_references(open_checkout.reference)) then
    return private.open_order_checkout(known, known.reference, open_checkout.whole, false);
  end if;
  booking := private.booking_to_pay(open_checkout.reference, open_checkout.manage_token);
  if booking.order_id is not null and booking.status = 'held' then
    return private.open_order_checkout((
      select o from public.booking_orders as o
      where o.organization_id = booking.organization_id and o.id = booking.order_id
    ), booking.reference, open_checkout.whole, only_pays);
  end if;
  booking := private.locked_booking(booking.organization_id, booking.id);
  perform private.act_as('customer', booking.customer_id);

  if private.venue_is_closed(booking.organization_id) then
    perform private.fail('not_payable', 409, 'The venue is closed: cancel the booking.');
  elsif booking.status in ('expired', 'cancelled') or booking.hold_expires_at <= now() then
    perform private.fail('not_payable', 409, 'The booking is no longer held. Book again.');
  elsif booking.status in ('in_progress', 'completed', 'no_show') then
    perform private.fail('nothing_due', 409, 'The visit has begun or is over: ask the venue what is open.');
  end if;
  account := private.payment_account(booking.organization_id);
  owed := booking.due_now_cents - private.booking_covered(booking.organization_id, booking.id);
  if not account.available and greatest(owed, private.booking_open(booking)) > 0 then
    perform private.fail(
      'online_payment_unavailable', 409,
      case
        when (select o.pay_at_venue from public.organizations as o where o.id = booking.organization_id)
          then 'The venue cannot be paid online at the moment: pay there.'
        else 'The venue cannot be paid online at the moment: ask it.'
      end
    );
  end if;
  -- Of a confirmed booking too: its rest, or what a change has made dearer.
  due := private.payable_online(booking, open_checkout.whole);
  if due = 0 and private.shares_are_closing(booking.organization_id, booking.id) then
    perform private.fail('checkout_closing', 409, 'The page of a share is being closed: try again in a minute.');
  elsif due = 0 then
    perform private.fail('nothing_due', 409, 'Nothing is due online.');
  end if;

  select a.* into attempt
  from private.payment_attempts as a
  where a.organization_id = booking.organization_id
    and a.booking_id = booking.id
    and a.share_id is null
    and a.status = 'open'
  for update;

  if attempt.session_id is null and attempt.created_at < now() - interval '45 seconds' then
    -- Left without a session, and too old for one: the provider would refuse expires_at.
    -- A new attempt has a new id, so the provider does not answer with the old failure.
    update private.payment_attempts as a
    set status = 'failed', error = 'no session was recorded'
    where a.organization_id = attempt.organization_id and a.id = attempt.id;
    attempt := null;
  elsif attempt.session_id is not null and attempt.expires_at <= now() and exists (
    select from public.stripe_accounts as a
    where a.organization_id = attempt.organization_id
      and a.account_id = attempt.stripe_account
      and a.deauthorized_at is not null
  ) then
    -- Nobody can ask what became of it, and nobody can pay on it. Should it be heard of later, it counts.
    update private.payment_attempts as a
    set status = 'expired', error = 'no access to its account'
    where a.organization_id = attempt.organization_id and a.id = attempt.id;
    attempt := null;
  elsif attempt.session_id is not null and (
    attempt.amount_cents <> due or only_pays and attempt.shows_customer or private.attempt_lead(attempt.id) is not null
  ) then
    -- The payer wants to pay another amount now, this booking alone, or may not see whose the page is. Answered, not raised: an error would
    -- take the closing back.
    if attempt.amount_cents = private.payable_online(booking, attempt.covers_rest) then
      perform private.request_checkout_expiry(attempt);
      return private.shown_checkout(booking, attempt, true);
    end if;
    perform private.fail('checkout_closing', 409, 'The booking was changed, and the former page is being closed: try again in a minute.');
  elsif attempt.id is not null and attempt.session_id is null and only_pays and attempt.shows_customer then
    perform private.fail('checkout_closing', 409, 'The customer is about to pay: try again in a minute.');
  elsif attempt.session_id is not null and attempt.expires_at <= now() then
    perform private.fail('not_payable', 409, 'The time to pay is over. Look at the booking in a minute: if it was paid it will be confirmed.');
  end if;

  if attempt.id is not null and attempt.session_id is null
    and (attempt.amount_cents <> due or private.attempt_lead(attempt.id) is not null)
  then
    perform private.close_attempt(booking.organization_id, booking.id, 'another amount is due');
    attempt := null;
  end if;

  if attempt.id is null then
    if booking.hold_expires_at < hold_wanted then
      perform private.extend_hold(booking.organization_id, booking.id, hold_wanted);
      select b.* into booking
      from public.bookings as b
      where b.organization_id = booking.organization_id and b.id = booking.id;
    end if;
    if booking.hold_expires_at < now() + interval '5 minutes' then
      perform private.fail('not_payable', 409, 'Too little time is left to pay. Book again when the hold has ended.');
    end if;

    insert into private.payment_attempts (
      organization_id, booking_id, amount_cents, currency, expires_at, stripe_account, platform_fee_cents, covers_rest,
      shows_customer
    )
    values (
      booking.organization_id, booking.id, due, booking.currency, session_ends, account.account_id,
      case
        when account.account_id is null then 0
        else private.platform_fee(
          private.plan_of(booking.organization_id), booking.currency, due, booking.total_cents, booking.party_size
        )
      end,
      due > owed,
      not only_pays
    )
    returning * into attempt;

    -- The provider's shortest session is too long for a second attempt under a hold that was extended
    -- before, and for a rest that can soon be paid at the venue only: it is closed for them.
    ends_at := least(
      booking.hold_expires_at - interval '1 minute',
      case when attempt.covers_rest then private.rest_payable_until(booking) end
    );
    if ends_at < session_ends then
      perform private.request_checkout_expiry(attempt, ends_at);
    end if;
  end if;

  return private.shown_checkout(booking, attempt, false);
end
$$;

comment on function private.open_checkout is
  'definer: the service may read no table. Proves the customer by the manage token, or the pay token.';
grant execute on function private.open_checkout to service_role;

create function service.open_checkout(reference text, manage_token text, whole boolean default false)
returns service.open_checkout
language sql
volatile
set search_path = ''
as $$ select private.open_checkout(reference, manage_token, whole) $$;

comment on function service.open_checkout is
  'Opens the booking''s payment attempt and extends its hold once, or returns the attempt that is open. It asks for what is due; of a confirmed booking for all that is open, and whole: of a held one too, where the venue lets the rest be paid online. manage_token: or the pay_token of get_payment_link. By the reference and order_token of an order, and for a booking of one that is held, one page for all its bookings that stand. Errors: 404 booking_not_found; 409 nothing_due, not_payable, checkout_closing, online_payment_unavailable.';
grant execute on function service.open_checkout to service_role;

create type service.attempt_state as (
  attempt_id uuid,
  status text
);

comment on type service.attempt_state is 'What has become of an attempt to pay.';
comment on column service.attempt_state.attempt_id is 'The attempt.';
comment on column service.attempt_state.status is 'one of: open, failed, expired, paid';

create function private.record_checkout(attempt_id uuid, attempt_token text, session_id text, url text, expires_at timestamptz)
returns service.attempt_state
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  attempt private.payment_attempts;
begin
  if private.is_own_page(record_checkout.attempt_id, record_checkout.attempt_token) then
    return private.record_order_checkout(
      record_checkout.attempt_id, record_checkout.session_id, record_checkout.url, record_checkout.expires_at
    );
  end if;
  attempt := private.lock_own_attempt(record_checkout.attempt_id, record_checkout.attempt_token);
  if attempt.status = 'failed' then
    -- Cancelled, or paid otherwise, while the session was being made. Refused, its address
    -- reaches nobody, so it needs no closing: it expires unpaid.
    perform private.fail('not_payable', 409, 'The booking is no longer held. Book again.');
  elsif attempt.session_id is not null and attempt.session_id <> record_checkout.session_id then
    perform private.fail('attempt_has_session', 409, 'The attempt has another session: open the checkout again to get its address.');
  elsif attempt.url is not null then
    -- Recorded before. Where people are sent to pay never changes afterwards.
    return row(attempt.id, attempt.status)::service.attempt_state;
  end if;
  perform private.refuse_other_page(record_checkout.url, record_checkout.expires_at);

  update private.payment_attempts as a
  set session_id = record_checkout.session_id,
    url = record_checkout.url,
    expires_at = record_checkout.expires_at
  where a.organization_id = attempt.organization_id and a.id = attempt.id;
  return row(attempt.id, attempt.status)::service.attempt_state;
end
$$;

comment on function private.record_checkout is 'definer: the service may write no table.';
grant execute on function private.record_checkout to service_role;

create function service.record_checkout(attempt_id uuid, attempt_token text, session_id text, url text, expires_at timestamptz)
returns service.attempt_state
language sql
volatile
set search_path = ''
as $$ select private.record_checkout(attempt_id, attempt_token, session_id, url, expires_at) $$;

comment on function service.record_checkout is
  'Remembers the provider''s session of an attempt, for whoever has the attempt_token of open_checkout; only then may a person be sent to url. Errors: 404 attempt_not_found; 409 not_payable, attempt_has_session; 422 checkout_page_invalid; 503 booking_changed (it was moved at that moment: try again).';
grant execute on function service.record_checkout to service_role;

create function private.fail_checkout(attempt_id uuid, attempt_token text, error text)
returns service.attempt_state
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  attempt private.payment_attempts;
begin
  if private.is_own_page(fail_checkout.attempt_id, fail_checkout.attempt_token) then
    return private.fail_order_checkout(fail_checkout.attempt_id, fail_checkout.error);
  end if;
  attempt := private.lock_own_attempt(fail_checkout.attempt_id, fail_checkout.attempt_token);
  if attempt.status = 'open' and attempt.session_id is null then
    update private.payment_attempts as a
    set status = 'failed', error = left(fail_checkout.error, 2000)
    where a.organization_id = attempt.organization_id and a.id = attempt.id
    returning a.status into attempt.status;
  end if;
  return row(attempt.id, attempt.status)::service.attempt_state;
end
$$;

comment on function private.fail_checkout is 'definer: the service may write no table.';
grant execute on function private.fail_checkout to service_role;

create function service.fail_checkout(attempt_id uuid, attempt_token text, error text)
returns service.attempt_state
language sql
volatile
set search_path = ''
as $$ select private.fail_checkout(attempt_id, attempt_token, error) $$;

comment on function service.fail_checkout is
  'Closes an attempt for which the provider made no session, for whoever has the attempt_token of open_checkout, so that another may open; one that has a session stays as it is. Errors: 404 attempt_not_found; 503 booking_changed (it was moved at that moment: try again).';
grant execute on function service.fail_checkout to service_role;

create type service.checkout_attempt as (
  session_id text,
  status text,
  stripe_account text
);

comment on type service.checkout_attempt is 'An attempt to pay, at the provider.';
comment on column service.checkout_attempt.session_id is 'Stripe''s session; null: none was recorded.';
comment on column service.checkout_attempt.status is 'one of: open, failed, expired, paid';
comment on column service.checkout_attempt.stripe_account is 'The connected account that is paid; null: the platform''s own.';

create function private.get_checkout_attempt(job_id bigint, lease_token uuid)
returns service.checkout_attempt
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(get_checkout_attempt.job_id, get_checkout_attempt.lease_token);
  attempt private.payment_attempts;
begin
  perform private.refuse_other_object(job, job.kind = 'stripe.expire_checkout');
  select a.* into attempt
  from private.payment_attempts as a
  where a.organization_id = job.organization_id and a.id = (job.payload ->> 'attempt_id')::uuid;
  if not found then
    perform private.fail('attempt_not_found', 404, 'Open the checkout first.');
  end if;
  return row(attempt.session_id, attempt.status, attempt.stripe_account)::service.checkout_attempt;
end
$$;

comment on function private.get_checkout_attempt is 'definer: the service may read no table.';
grant execute on function private.get_checkout_attempt to service_role;

create function service.get_checkout_attempt(job_id bigint, lease_token uuid)
returns service.checkout_attempt
language sql
stable
set search_path = ''
as $$ select private.get_checkout_attempt(job_id, lease_token) $$;

comment on function service.get_checkout_attempt is
  'The attempt whose session a claimed job of kind stripe.expire_checkout closes. Errors: 404 attempt_not_found; 409 lease_lost, lease_of_another.';
grant execute on function service.get_checkout_attempt to service_role;

create function private.queue_stale_checkouts(older_than_seconds int)
returns int
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  queued int;
begin
  with stale as (
    select a.organization_id, a.id, a.session_id, a.stripe_account, k.dedupe_key
    from (
      select p.organization_id, p.id, p.session_id, p.stripe_account, coalesce(p.as_of, p.created_at) as heard_at
      from private.payment_attempts as p
      where p.status = 'open' and p.session_id is not null
      union all
      select o.organization_id, o.id, o.session_id, o.stripe_account, coalesce(o.as_of, o.opened_at)
      from public.voucher_orders as o
      where o.status = 'open' and o.session_id is not null
    ) as a
    cross join lateral (
      -- As private.receive_stripe_event names it: what an event asks for as well is read once.
      select concat_ws(':', 'stripe.sync', a.stripe_account, 'checkout.session', a.session_id) as dedupe_key
    ) as k
    where a.heard_at < now() - queue_stale_checkouts.older_than_seconds * interval '1 second'
      -- One that waits for its next try keeps its pause. One that died is looked at by a person, or
      -- tried anew when an event comes, or after a day.
      and not exists (
        select from private.jobs as j
        where j.kind = 'stripe.sync' and j.dedupe_key = k.dedupe_key and j.status in ('queued', 'running')
      )
      and not exists (
        select from private.jobs as j
        where j.kind = 'stripe.sync'
          and j.dedupe_key = k.dedupe_key
          and j.status = 'dead'
          and j.finished_at > now() - interval '1 day'
      )
    order by a.heard_at
    limit 100
  )
  select count(private.enqueue(
    'stripe.sync',
    jsonb_build_object(
      'object_type', 'checkout.session', 'object_id', s.session_id, 'account', s.stripe_account, 'attempt_id', s.id
    ),
    s.dedupe_key,
    s.organization_id
  ))::int
  into queued
  from stale as s;
  return queued;
end
$$;

comment on function private.queue_stale_checkouts is 'definer: the service may read no table, and the queue is visible to nobody.';
grant execute on function private.queue_stale_checkouts to service_role;

create function service.queue_stale_checkouts(older_than_seconds int)
returns int
language sql
volatile
set search_path = ''
as $$ select private.queue_stale_checkouts(older_than_seconds) $$;

comment on function service.queue_stale_checkouts is
  'Queues asking the provider about open attempts, and ordered vouchers, of which nothing was heard for so long: a job each (stripe.sync), up to 100, longest first, so that one which fails hides no other. Returns how many it queued; none for one whose job is unfinished, or died within a day.';
grant execute on function service.queue_stale_checkouts to service_role;

-- =============================================================================
-- sql/40_money/050_settlement.sql
-- =============================================================================

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

-- =============================================================================
-- sql/40_money/060_staff_refunds.sql
-- =============================================================================

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

-- =============================================================================
-- sql/40_money/070_stripe_events.sql
-- =============================================================================

-- The inbox of Stripe's webhooks.
--
-- An event is only a reason to look: the inbox row and the job that looks are written in
-- one transaction, the webhook is answered after its commit, and the job fetches the
-- object's current state. So an event that is lost, late or repeated does no harm, and no
-- payload, with a person's data in it, is kept.

create table private.stripe_events (
  id text not null,
  type text not null,
  account text,
  object_type text,
  object_id text,
  occurred_at timestamptz,
  received_at timestamptz not null default now(),
  constraint stripe_events_pkey primary key (id)
);

comment on table private.stripe_events is 'Every event that Stripe sent, once. Its id is Stripe''s and unique on all of Stripe.';
comment on column private.stripe_events.account is 'The connected account that it happened in; null is the platform''s own.';

create function private.receive_stripe_event(event jsonb)
returns service.received
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  object_type text := event #>> '{data,object,object}';
  object_id text := event #>> '{data,object,id}';
begin
  -- Its object is the platform's application; what is to be looked at is whose it was.
  if event ->> 'type' = 'account.application.deauthorized' then
    object_type := 'account';
    object_id := event ->> 'account';
  end if;
  perform private.act_as('system', null);
  if coalesce(event ->> 'id', '') = '' or coalesce(event ->> 'type', '') = '' then
    perform private.fail('event_invalid', 422, 'Send an event as Stripe makes them, with id and type.');
  end if;

  insert into private.stripe_events (id, type, account, object_type, object_id, occurred_at)
  values (
    event ->> 'id', event ->> 'type', event ->> 'account', object_type, object_id,
    to_timestamp((event ->> 'created')::double precision)
  )
  on conflict on constraint stripe_events_pkey do nothing;
  if not found then
    return row(true)::service.received;
  end if;

  -- One unfinished job an object: its deliveries are applied one at a time, and one that
  -- comes while the job runs makes it run again.
  if object_type in ('checkout.session', 'refund', 'dispute', 'subscription', 'invoice', 'customer', 'account')
    and object_id is not null
    -- An account speaks for itself only.
    and (object_type <> 'account' or object_id = event ->> 'account')
  then
    perform private.enqueue(
      'stripe.sync',
      jsonb_build_object('object_type', object_type, 'object_id', object_id, 'account', event ->> 'account'),
      concat_ws(':', 'stripe.sync', event ->> 'account', object_type, object_id)
    );
  end if;
  return row(false)::service.received;
end
$$;

comment on function private.receive_stripe_event is 'definer: the service may write no table.';
grant execute on function private.receive_stripe_event to service_role;

create function service.receive_stripe_event(event jsonb)
returns service.received
language sql
volatile
set search_path = ''
as $$ select private.receive_stripe_event(event) $$;

comment on function service.receive_stripe_event is
  'Stores a verified event, once, with the job that looks at its object (checkout.session, refund, dispute, subscription, invoice, customer; account, of the account that the event names). Errors: 422 event_invalid.';
grant execute on function service.receive_stripe_event to service_role;

-- =============================================================================
-- sql/40_money/080_late_money.sql
-- =============================================================================

-- Money that came too late and goes back: its payer is told.

create function private.announce_late_money()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'booking_paid_late',
      'organization_id', new.organization_id,
      'booking_id', new.booking_id
    ),
    -- One mail, in however many payments the money came.
    concat_ws(':', 'booking_paid_late', new.booking_id, pg_current_xact_id()),
    new.organization_id
  );
  return null;
end
$$;

comment on function private.announce_late_money is
  'The outbox: a refund of money that came too late writes its mail in the same transaction.';

create trigger announce_late_money
after insert on private.refund_requests
for each row when (new.reason = 'paid_late')
execute function private.announce_late_money();

-- =============================================================================
-- sql/40_money/090_disputes.sql
-- =============================================================================

-- Disputes: payments that a customer's bank takes back, as the provider reports them.
--
-- Recorded and told to the owners, who answer on the provider's dashboard. What a dispute took is not counted as
-- refunded: the ledger has accounts of its own for it.

-- While a bank withholds a payment the provider refunds nothing of it (https://docs.stripe.com/error-codes,
-- charge_disputed), so a promised refund of it waits. Decided for the venue, it goes back by itself; lost,
-- the money went back that way, and of what is promised only the rest is left. An inquiry (warning_…)
-- withholds nothing, and its payment is refunded as any other (https://docs.stripe.com/disputes/how-disputes-work).

create function private.dispute_withholds(status text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return status in ('needs_response', 'under_review');
end
$$;

comment on function private.dispute_withholds is
  'Whether a dispute in that status keeps its payment''s money from the venue until it is decided.';

create table public.disputes (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  payment_id uuid not null,
  provider_dispute_id text not null,
  status text not null,
  reason text not null,
  amount_cents bigint not null,
  currency text not null,
  respond_by timestamptz,
  as_of timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint disputes_pkey primary key (organization_id, id),
  -- Also the index for: private.apply_dispute; one row a dispute of the provider, or one for each payment of several
  -- bookings that were paid at once.
  constraint disputes_provider_dispute_key unique (organization_id, provider_dispute_id, payment_id),
  constraint disputes_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint disputes_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id),
  constraint disputes_payment_fkey foreign key (organization_id, payment_id)
  references public.payments (organization_id, id),
  constraint disputes_amount_is_positive check (amount_cents > 0),
  constraint disputes_currency_is_iso_4217 check (private.is_currency(currency))
);

comment on table public.disputes is
  'A payment that the customer''s bank disputes. Answer it on the provider''s dashboard before respond_by: nothing here does.';
comment on column public.disputes.status is
  'The provider''s word: warning_needs_response, warning_under_review, warning_closed, needs_response, under_review, won, lost, prevented.';
comment on column public.disputes.reason is 'The provider''s word, such as fraudulent or product_not_received.';
comment on column public.disputes.amount_cents is 'Minor units of currency that are disputed.';
comment on column public.disputes.respond_by is 'Until when the venue may answer; null when it may not, or need not.';
comment on column public.disputes.as_of is 'The newest instant at which the provider''s state was read.';

-- for: the disputes of a booking, and the foreign key
create index disputes_booking_id_idx on public.disputes (organization_id, booking_id);
-- for: the foreign key
create index disputes_payment_id_idx on public.disputes (organization_id, payment_id);

grant select on public.disputes to authenticated;

alter table public.disputes enable row level security;

create policy disputes_select on public.disputes
for select to authenticated
using (organization_id = (select private.organization_with('payments:read')));

create trigger disputes_touch_updated_at
before update on public.disputes
for each row execute function private.touch_updated_at();

create function private.queue_dispute_mails(organization_id uuid, cause jsonb, dispute_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'dispute_opened', 'organization_id', queue_dispute_mails.organization_id, 'user_id', m.user_id
    ) || queue_dispute_mails.cause,
    'dispute_opened:' || queue_dispute_mails.dispute_id || ':' || m.user_id,
    queue_dispute_mails.organization_id
  )
  from public.memberships as m
  join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
  where m.organization_id = queue_dispute_mails.organization_id and m.status = 'active' and r.key = 'owner';
end
$$;

comment on function private.queue_dispute_mails is
  'Queues the mails that tell the owners of a dispute, one each; cause names it: {"dispute_id"} or {"voucher_dispute_id"}.';

create function private.announce_dispute()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- One mail, of however many bookings the payment was.
  if not exists (
    select from public.disputes as d
    where d.organization_id = new.organization_id and d.provider_dispute_id = new.provider_dispute_id and d.id <> new.id
  ) then
    perform private.queue_dispute_mails(new.organization_id, jsonb_build_object('dispute_id', new.id), new.id);
  end if;
  return null;
end
$$;

comment on function private.announce_dispute is 'The outbox: a new dispute writes a mail to each owner in the same transaction.';

create trigger announce_dispute
after insert on public.disputes
for each row when (new.status not in ('won', 'lost', 'warning_closed'))
execute function private.announce_dispute();

create type service.applied_dispute as (
  dispute_id uuid,
  organization_id uuid,
  booking_id uuid,
  status text
);

comment on type service.applied_dispute is 'What the provider''s report of a dispute was about.';
comment on column service.applied_dispute.dispute_id is 'Ours; null: newer news is there, or the payment is not ours.';
comment on column service.applied_dispute.organization_id is 'Whose payment it is; null: not ours.';
comment on column service.applied_dispute.booking_id is 'What was paid; null: a gift voucher, or the payment is not ours.';
comment on column service.applied_dispute.status is 'The provider''s word; unknown: the payment is not ours.';

create function private.follow_dispute(payment public.payments)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.shrink_promises(payment);
  if private.payment_is_disputed(payment.organization_id, payment.id) then
    return;
  end if;
  -- What waited, or was refused before the dispute was heard of; a job that is there stays the only one.
  perform private.queue_refund(q.organization_id, q.id)
  from private.refund_requests as q
  where q.organization_id = payment.organization_id
    and q.payment_id = payment.id
    and q.status = 'pending'
    and q.provider_refund_id is null
  order by q.created_at, q.id;
end
$$;

comment on function private.follow_dispute is
  'Takes what a lost dispute gave back out of what is promised of its payment, and once nothing is withheld sends on what waited. Calling it again changes nothing. The caller holds the booking''s lock.';

create function private.apply_dispute(job_id bigint, lease_token uuid, dispute jsonb)
returns service.applied_dispute
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(apply_dispute.job_id, apply_dispute.lease_token);
  payment public.payments;
  parts public.payments [];
  cents bigint [];
  told_id uuid;
  dispute_id uuid;
begin
  perform private.refuse_other_object(job, private.syncs(job, 'dispute', dispute ->> 'id'));
  perform private.act_as('system', null);
  select p.* into payment
  from public.payments as p
  where p.provider_payment_id = dispute ->> 'payment_intent'
    -- Never a payment into another account than the dispute is of.
    and p.stripe_account is not distinct from job.payload ->> 'account'
  order by p.created_at
  limit 1;
  if not found then
    if (private.voucher_order_of_payment(job, dispute ->> 'payment_intent')).id is not null then
      return private.apply_voucher_dispute(private.voucher_order_of_payment(job, dispute ->> 'payment_intent'), dispute);
    elsif job.attempts <= 8 then
      -- The dispute overtook its payment: 503 makes the job come back.
      perform private.fail('payment_unknown', 503, 'Try again after the payment was applied.');
    end if;
    -- Of another product that shares the account: a payment of ours would have come long ago.
    return row(null, null, null, 'unknown')::service.applied_dispute;
  end if;
  -- Whoever promises money back holds the booking's lock: what is promised waits, or is followed.
  payment := private.lock_payments_of_intent(payment);
  parts := array(select p from private.payments_of_intent(payment) as p);
  cents := private.divided((dispute ->> 'amount')::bigint, array(select p.amount_cents from private.payments_of_intent(payment) as p));
  for place in 1..cardinality(parts) loop
    continue when cents[place] = 0;
    insert into public.disputes as d (
      organization_id, booking_id, payment_id, provider_dispute_id, status, reason, amount_cents, currency, respond_by, as_of
    )
    values (
      parts[place].organization_id, parts[place].booking_id, parts[place].id, dispute ->> 'id', dispute ->> 'status',
      coalesce(dispute ->> 'reason', 'general'), cents[place], upper(dispute ->> 'currency'),
      (dispute ->> 'respond_by')::timestamptz, (dispute ->> 'as_of')::timestamptz
    )
    on conflict on constraint disputes_provider_dispute_key do update
    set status = excluded.status,
      reason = excluded.reason,
      amount_cents = excluded.amount_cents,
      respond_by = excluded.respond_by,
      as_of = excluded.as_of
    where d.as_of <= excluded.as_of
    returning d.id into told_id;
    dispute_id := coalesce(dispute_id, told_id);
    perform private.follow_dispute(parts[place]);
  end loop;
  return row(
    dispute_id, payment.organization_id, payment.booking_id, dispute ->> 'status'
  )::service.applied_dispute;
end
$$;

comment on function private.apply_dispute is
  'definer: writes disputes, which nobody else may write. Only for the dispute that the leased job is about.';
grant execute on function private.apply_dispute to service_role;

create function service.apply_dispute(job_id bigint, lease_token uuid, dispute jsonb)
returns service.applied_dispute
language sql
volatile
set search_path = ''
as $$ select private.apply_dispute(job_id, lease_token, dispute) $$;

comment on function service.apply_dispute is
  'Records the provider''s current state of a dispute, under the lease of the job that is about it (stripe.sync): {id, status, reason, amount (minor units), currency, payment_intent, respond_by or null, as_of}; the owners are told of a new one. Any order and any number of calls end the same. Errors: 409 lease_lost, lease_of_another; 503 payment_unknown, when the payment was not applied yet.';
grant execute on function service.apply_dispute to service_role;

-- =============================================================================
-- sql/40_money/100_ledger.sql
-- =============================================================================

-- The ledger: double entry, a set of accounts an organization and currency.
--
-- An entry is one amount, the account that it is debited to and the account that it is credited to. So each sums to
-- zero by its form, with every account together: there is no half of a transaction that a check at commit would have
-- to find. What moves several accounts, such as a payment of which the platform takes its fee, is several entries of
-- one source.
--
-- Written by triggers of the tables through which all money passes (payments, refunds, voucher_entries, disputes), in
-- the transaction that writes the row, so that no way of paying can leave it out. Rows that are only added write fixed
-- steps. Of rows that change (a dispute, a voucher past its last date, what of a booking is sold) the trigger knows
-- where the accounts must stand and writes the difference to where they stand: any order of news ends the same.

select private.permission_upsert(
  'ledger:read', 'payments', false,
  'See the ledger and its balances', 'Ver el libro mayor y sus saldos',
  array['admin', 'manager']
);

create function private.is_ledger_account(account text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return account in (
    'stripe_balance', 'stripe_fees', 'platform_fees', 'cash_drawer', 'card_terminal', 'bank', 'customers', 'charges',
    'sales', 'tax', 'voucher_liability', 'vouchers_issued', 'vouchers_expired', 'disputes', 'dispute_losses',
    'cash_differences'
  );
end
$$;

comment on function private.is_ledger_account is 'Whether the ledger has an account of that name.';

create table public.ledger_entries (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  source text not null,
  source_id uuid not null,
  step int not null,
  debit text not null,
  credit text not null,
  amount_cents bigint not null,
  currency text not null,
  booking_id uuid,
  tax_rate_bp int,
  occurred_at timestamptz not null,
  created_at timestamptz not null default now(),
  constraint ledger_entries_pkey primary key (organization_id, id),
  constraint ledger_entries_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint ledger_entries_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id),
  -- Also the index for: what was written of a source, of which the next step is the difference.
  constraint ledger_entries_source_key unique (organization_id, source, source_id, step),
  constraint ledger_entries_source_is_known check (
    source in (
      'payment', 'refund', 'booking', 'voucher_entry', 'voucher', 'dispute', 'cash_day', 'voucher_order', 'voucher_refund',
      'voucher_dispute'
    )
  ),
  constraint ledger_entries_step_is_positive check (step > 0),
  constraint ledger_entries_accounts_are_known check (
    private.is_ledger_account(debit) and private.is_ledger_account(credit)
  ),
  constraint ledger_entries_accounts_are_two check (debit <> credit),
  constraint ledger_entries_amount_is_positive check (amount_cents > 0),
  constraint ledger_entries_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint ledger_entries_tax_has_a_rate check ((tax_rate_bp is not null) = ('tax' in (debit, credit)))
);

comment on table public.ledger_entries is
  'Double entry, append-only: an amount that goes to one account (debit) from another (credit), so that all accounts together are always zero. Written by the database alone, in the transaction that moves the money. An account''s balance is its debits less its credits.';
comment on column public.ledger_entries.source is
  'The kind of row that it follows from: payment, refund, booking (what of its money is sales and tax), voucher_entry, voucher (past its last date), dispute, cash_day (what was counted otherwise); voucher_order, voucher_refund and voucher_dispute: money of a voucher that was bought online.';
comment on column public.ledger_entries.source_id is 'The row''s id.';
comment on column public.ledger_entries.step is 'Which of its entries, from 1: with the source unique.';
comment on column public.ledger_entries.debit is
  'The account that it goes to: stripe_balance, cash_drawer, card_terminal, bank (transfers and Bizum), stripe_fees, platform_fees, customers (what they paid and did not get back, as a credit), charges (the part of it that is sold), sales (without tax), tax, voucher_liability, vouchers_issued, vouchers_expired, disputes (withheld until decided), dispute_losses, cash_differences (what was counted otherwise than expected).';
comment on column public.ledger_entries.credit is 'The account that it comes from.';
comment on column public.ledger_entries.amount_cents is 'Minor units of currency.';
comment on column public.ledger_entries.booking_id is 'The booking whose money it is; null: of no booking.';
comment on column public.ledger_entries.tax_rate_bp is 'The rate of tax in basis points, where one account is tax; else null.';
comment on column public.ledger_entries.occurred_at is 'When the money moved, as far as known; created_at is when it was written down.';

-- for: private.ledger_balances, and the staff's page of entries, newest first
create index ledger_entries_occurred_at_idx on public.ledger_entries (organization_id, occurred_at desc, id desc);
-- for: the entries of a booking, and the foreign key
create index ledger_entries_booking_id_idx on public.ledger_entries (organization_id, booking_id);

grant select on public.ledger_entries to authenticated;

alter table public.ledger_entries enable row level security;

create policy ledger_entries_select on public.ledger_entries
for select to authenticated
using (organization_id = (select private.organization_with('ledger:read')));

create trigger ledger_entries_refuse_change
before update or delete on public.ledger_entries
for each row execute function private.refuse_change();

create trigger ledger_entries_refuse_truncate
before truncate on public.ledger_entries
for each statement execute function private.refuse_change();

create function private.write_ledger(entry public.ledger_entries)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if entry.amount_cents <> 0 then
    insert into public.ledger_entries (
      organization_id, source, source_id, step, debit, credit, amount_cents, currency, booking_id, tax_rate_bp, occurred_at
    )
    values (
      entry.organization_id, entry.source, entry.source_id,
      coalesce(entry.step, 1 + (
        select count(*)
        from public.ledger_entries as e
        where e.organization_id = entry.organization_id and e.source = entry.source and e.source_id = entry.source_id
      )),
      case when entry.amount_cents > 0 then entry.debit else entry.credit end,
      case when entry.amount_cents > 0 then entry.credit else entry.debit end,
      abs(entry.amount_cents), entry.currency, entry.booking_id, entry.tax_rate_bp, coalesce(entry.occurred_at, now())
    );
  end if;
end
$$;

comment on function private.write_ledger is
  'Writes an entry; one with a negative amount the other way round, one of zero not at all. Without a step it is the source''s next: the caller holds the lock of what it follows from.';

create function private.ledger_balance_of(organization_id uuid, source text, source_id uuid, account text)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(sum(case ledger_balance_of.account when e.debit then e.amount_cents else -e.amount_cents end), 0)
    from public.ledger_entries as e
    where e.organization_id = ledger_balance_of.organization_id
      and e.source = ledger_balance_of.source
      and e.source_id = ledger_balance_of.source_id
      and ledger_balance_of.account in (e.debit, e.credit)
  );
end
$$;

comment on function private.ledger_balance_of is 'What the entries of one source made of an account: debits less credits.';

create function private.money_account(method text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case money_account.method
    when 'stripe' then 'stripe_balance'
    when 'cash' then 'cash_drawer'
    when 'card_terminal' then 'card_terminal'
    when 'voucher' then 'voucher_liability'
    else 'bank'
  end;
end
$$;

comment on function private.money_account is 'The account where money of a method of payment is; transfers and Bizum are at the bank.';

create function private.follow_sale(organization_id uuid, booking_id uuid, occurred_at timestamptz)
returns void
language plpgsql
volatile
set search_path = ''
as $$
-- A sale counts when its money is there. Of what a booking's payers paid and did not get back, at most its price is
-- sold; each rate of its lines has its part of that, rounded once, half away from zero, and sales have the rest.
declare
  price bigint;
  sold bigint;
  taxed bigint := 0;
  currency text;
  line record;
begin
  select coalesce(sum(n.total_cents), 0) into price
  from public.booking_lines as n
  where n.organization_id = follow_sale.organization_id and n.booking_id = follow_sale.booking_id;
  select greatest(least(price, b.balance_cents), 0) into sold
  from private.booking_balance(follow_sale.organization_id, follow_sale.booking_id) as b;
  select b.currency into currency
  from public.bookings as b
  where b.organization_id = follow_sale.organization_id and b.id = follow_sale.booking_id;

  for line in
    select
      rate.tax_rate_bp,
      sum(rate.wanted)::bigint as wanted,
      sum(rate.wanted)::bigint - sum(rate.written)::bigint as missing
    from (
      select
        n.tax_rate_bp,
        -- A booking that costs nothing has no money to share.
        coalesce(round(sum(n.tax_cents) * sold::numeric / nullif(price, 0)), 0) as wanted,
        0 as written
      from public.booking_lines as n
      where n.organization_id = follow_sale.organization_id and n.booking_id = follow_sale.booking_id
      group by n.tax_rate_bp
      union all
      select e.tax_rate_bp, 0, case e.credit when 'tax' then e.amount_cents else -e.amount_cents end
      from public.ledger_entries as e
      where e.organization_id = follow_sale.organization_id
        and e.source = 'booking'
        and e.source_id = follow_sale.booking_id
        and e.tax_rate_bp is not null
    ) as rate
    group by rate.tax_rate_bp
    order by rate.tax_rate_bp
  loop
    taxed := taxed + line.wanted;
    perform private.write_ledger(row(
      follow_sale.organization_id, null, 'booking', follow_sale.booking_id, null, 'charges', 'tax', line.missing,
      currency, follow_sale.booking_id, line.tax_rate_bp, follow_sale.occurred_at, null
    )::public.ledger_entries);
  end loop;
  perform private.write_ledger(row(
    follow_sale.organization_id, null, 'booking', follow_sale.booking_id, null, 'charges', 'sales',
    sold - taxed
    + private.ledger_balance_of(follow_sale.organization_id, 'booking', follow_sale.booking_id, 'sales'),
    currency, follow_sale.booking_id, null, follow_sale.occurred_at, null
  )::public.ledger_entries);
end
$$;

comment on function private.follow_sale is
  'Writes what is missing until sales and tax of a booking are those of its money and its lines. The caller holds the booking''s lock.';

create function private.ledger_payment()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.write_ledger(row(
    new.organization_id, null, 'payment', new.id, 1, private.money_account(new.method), 'customers', new.amount_cents,
    new.currency, new.booking_id, null, new.occurred_at, null
  )::public.ledger_entries);
  perform private.write_ledger(row(
    new.organization_id, null, 'payment', new.id, 2, 'platform_fees', 'stripe_balance', new.platform_fee_cents,
    new.currency, new.booking_id, null, new.occurred_at, null
  )::public.ledger_entries);
  perform private.follow_sale(new.organization_id, new.booking_id, new.occurred_at);
  return null;
end
$$;

comment on function private.ledger_payment is
  'Writes a payment into the ledger, with the fee that the platform took of it, and what of it is sold.';

create trigger ledger_payment
after insert on public.payments
for each row execute function private.ledger_payment();

create function private.ledger_refund()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  payment public.payments;
  refunded bigint;
begin
  perform private.write_ledger(row(
    new.organization_id, null, 'refund', new.id, 1, 'customers', private.money_account(new.method), new.amount_cents,
    new.currency, new.booking_id, null, new.occurred_at, null
  )::public.ledger_entries);

  select p.* into payment
  from public.payments as p
  where p.organization_id = new.organization_id and p.id = new.payment_id;
  -- The fee's part goes back with what the provider refunds, not with what is handed over instead.
  if new.method = 'stripe' and payment.platform_fee_cents > 0 then
    select sum(r.amount_cents) into refunded
    from public.refunds as r
    where r.organization_id = new.organization_id and r.payment_id = new.payment_id and r.method = 'stripe';
    -- Of all refunds so far less of those before: in the end the parts are the fee, whatever they were.
    perform private.write_ledger(row(
      new.organization_id, null, 'refund', new.id, 2, 'stripe_balance', 'platform_fees',
      round(payment.platform_fee_cents::numeric * refunded / payment.amount_cents)
      - round(payment.platform_fee_cents::numeric * (refunded - new.amount_cents) / payment.amount_cents),
      new.currency, new.booking_id, null, new.occurred_at, null
    )::public.ledger_entries);
  end if;
  perform private.follow_sale(new.organization_id, new.booking_id, new.occurred_at);
  return null;
end
$$;

comment on function private.ledger_refund is
  'Writes a refund into the ledger, or what the bank sent back, with the part of the platform''s fee, and what is sold no more.';

create trigger ledger_refund
after insert on public.refunds
for each row execute function private.ledger_refund();

create function private.ledger_lines()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- A hold has no money yet, and writes nothing.
  perform private.follow_sale(paid.organization_id, paid.booking_id, now())
  from (
    select distinct n.organization_id, n.booking_id
    from new_rows as n
    where exists (
      select from public.payments as p
      where p.organization_id = n.organization_id and p.booking_id = n.booking_id
    )
  ) as paid;
  return null;
end
$$;

comment on function private.ledger_lines is 'A paid booking that costs something else has other sales and tax.';

create trigger ledger_lines
after insert on public.booking_lines
referencing new table as new_rows
for each statement execute function private.ledger_lines();

create function private.ledger_voucher_entry()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.write_ledger(row(
    new.organization_id, null, 'voucher_entry', new.id, 1, 'vouchers_issued', 'voucher_liability', new.amount_cents,
    (
      select v.currency from public.vouchers as v
      where v.organization_id = new.organization_id and v.id = new.voucher_id
    ),
    null, null, new.created_at, null
  )::public.ledger_entries);
  return null;
end
$$;

comment on function private.ledger_voucher_entry is
  'Writes what the venue owes by a voucher into the ledger: from its issue until it is cancelled, or its money went back.';

-- What one pays, and what comes back on it, is a payment and a refund, and in the ledger by them.
create trigger ledger_voucher_entry
after insert on public.voucher_entries
for each row when (new.kind in ('issued', 'cancelled', 'revoked', 'restored'))
execute function private.ledger_voucher_entry();

create function private.ledger_voucher()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.write_ledger(row(
    new.organization_id, null, 'voucher', new.id, null, 'voucher_liability', 'vouchers_expired',
    case when new.expired_at is null then 0 else new.balance_cents end
    - private.ledger_balance_of(new.organization_id, 'voucher', new.id, 'voucher_liability'),
    new.currency, null, null, now(), null
  )::public.ledger_entries);
  return null;
end
$$;

comment on function private.ledger_voucher is
  'Nothing is owed by a voucher past its last date, until a refund gives it a new one.';

create trigger ledger_voucher
after update of expired_at, balance_cents on public.vouchers
for each row when (new.expired_at is not null or old.expired_at is not null)
execute function private.ledger_voucher();

create function private.expire_vouchers(maximum int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  expired int;
begin
  update public.vouchers as v
  set expired_at = now()
  where (v.organization_id, v.id) in (
    select old.organization_id, old.id
    from public.vouchers as old
    where old.status = 'active'
      and old.balance_cents > 0
      and old.expired_at is null
      -- Past on every clock, so that none takes it any more.
      and old.valid_until < (now() at time zone 'Etc/GMT+12')::date
    order by old.valid_until
    limit expire_vouchers.maximum
    for no key update skip locked
  );
  get diagnostics expired = row_count;
  return expired;
end
$$;

comment on function private.expire_vouchers is
  'Marks vouchers that are past their last date, from which the ledger owes nothing by them. Any number may run at once.';

create function private.ledger_dispute()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- An inquiry (warning_…) and one that was prevented withhold nothing; one that was won gives all back.
  withheld bigint := case when new.status in ('needs_response', 'under_review', 'lost') then new.amount_cents else 0 end;
  lost bigint := case new.status when 'lost' then new.amount_cents else 0 end;
begin
  perform private.write_ledger(row(
    new.organization_id, null, 'dispute', new.id, null, 'disputes', 'stripe_balance',
    withheld + private.ledger_balance_of(new.organization_id, 'dispute', new.id, 'stripe_balance'),
    new.currency, new.booking_id, null, new.as_of, null
  )::public.ledger_entries);
  perform private.write_ledger(row(
    new.organization_id, null, 'dispute', new.id, null, 'dispute_losses', 'disputes',
    lost - private.ledger_balance_of(new.organization_id, 'dispute', new.id, 'dispute_losses'),
    new.currency, new.booking_id, null, new.as_of, null
  )::public.ledger_entries);
  return null;
end
$$;

comment on function private.ledger_dispute is
  'What the provider withholds because of a dispute, gives back when it is won, and keeps when it is lost.';

create trigger ledger_dispute
after insert or update of status, amount_cents on public.disputes
for each row execute function private.ledger_dispute();

create type public.ledger_balance as (
  account text,
  currency text,
  opening_cents bigint,
  debit_cents bigint,
  credit_cents bigint,
  balance_cents bigint
);

comment on type public.ledger_balance is
  'An account of the ledger in a period. Balances are debits less credits; all accounts of a currency together are zero. Amounts in minor units of currency.';
comment on column public.ledger_balance.account is
  'one of: stripe_balance, stripe_fees, platform_fees, cash_drawer, card_terminal, bank, customers, charges, sales, tax, voucher_liability, vouchers_issued, vouchers_expired, disputes, dispute_losses, cash_differences';
comment on column public.ledger_balance.currency is 'ISO 4217.';
comment on column public.ledger_balance.opening_cents is 'The balance before the period.';
comment on column public.ledger_balance.debit_cents is 'What was debited in it.';
comment on column public.ledger_balance.credit_cents is 'What was credited in it.';
comment on column public.ledger_balance.balance_cents is 'The balance at its end.';

create function private.ledger_balances(organization_id uuid, from_at timestamptz, to_at timestamptz)
returns setof public.ledger_balance
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(ledger_balances.organization_id, 'ledger:read');
  return query
  select
    side.account,
    e.currency,
    coalesce(sum(side.cents) filter (where e.occurred_at < ledger_balances.from_at), 0)::bigint,
    coalesce(sum(side.cents) filter (
      where side.cents > 0 and e.occurred_at >= coalesce(ledger_balances.from_at, '-infinity')
    ), 0)::bigint,
    coalesce(-sum(side.cents) filter (
      where side.cents < 0 and e.occurred_at >= coalesce(ledger_balances.from_at, '-infinity')
    ), 0)::bigint,
    sum(side.cents)::bigint
  from public.ledger_entries as e
  cross join lateral (values (e.debit, e.amount_cents), (e.credit, -e.amount_cents)) as side (account, cents)
  where e.organization_id = ledger_balances.organization_id
    and e.occurred_at < coalesce(ledger_balances.to_at, 'infinity')
  group by e.currency, side.account
  order by e.currency, side.account;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.ledger_balances is
  'definer: sums up all entries in one pass, without the policy for each. Asks for ledger:read.';
grant execute on function private.ledger_balances to authenticated;

create function public.ledger_balances(
  organization_id uuid,
  from_at timestamptz default null,
  to_at timestamptz default null
)
returns setof public.ledger_balance
language sql
stable
set search_path = ''
as $$ select * from private.ledger_balances(organization_id, from_at, to_at) $$;

comment on function public.ledger_balances is
  'The accounts of the organization''s ledger from from_at until before to_at; null: from the beginning, or to the end. An account that nothing moved is not in it. The entries themselves are ledger_entries. For members with ledger:read. Errors: 403 permission_denied.';
grant execute on function public.ledger_balances to authenticated;

-- =============================================================================
-- sql/40_money/110_cash_days.sql
-- =============================================================================

-- A location's cash days: what was taken at its desk from one closing to the next, and what was counted.
--
-- Closing claims the entries that no earlier closing has claimed: payments by cash, card terminal, transfer and Bizum
-- for bookings of the location's rooms, what went back by these, and counter-entries. They are claimed, and not found by
-- their time, so that one which commits while a day is closed is not lost: it falls in the next, as all that comes later.

create table public.cash_days (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  location_id uuid not null,
  currency text not null,
  float_cents bigint not null,
  opened_at timestamptz not null default now(),
  opened_by jsonb not null default private.current_actor(),
  closed_at timestamptz,
  closed_by jsonb,
  counted_cash_cents bigint,
  counted_card_terminal_cents bigint,
  counted_transfer_cents bigint,
  counted_bizum_cents bigint,
  constraint cash_days_pkey primary key (organization_id, id),
  constraint cash_days_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint cash_days_location_fkey foreign key (organization_id, location_id)
  references public.locations (organization_id, id),
  constraint cash_days_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint cash_days_float_is_not_negative check (float_cents >= 0),
  constraint cash_days_counts_are_not_negative check (
    least(counted_cash_cents, counted_card_terminal_cents, counted_transfer_cents, counted_bizum_cents) >= 0
  ),
  constraint cash_days_closed_is_counted check (
    num_nonnulls(closed_at, closed_by, counted_cash_cents) in (0, 3)
    and (
      closed_at is not null
      or num_nonnulls(counted_card_terminal_cents, counted_transfer_cents, counted_bizum_cents) = 0
    )
  )
);

comment on table public.cash_days is
  'A location''s desk from its opening to its closing. Once closed it never changes; what comes later falls in the next. get_cash_day has what was expected.';
comment on column public.cash_days.currency is 'The organization''s when it was opened; amounts are in its minor units.';
comment on column public.cash_days.float_cents is 'What was in the drawer when it was opened.';
comment on column public.cash_days.opened_by is 'Who opened it: {kind, id} as in private.current_actor.';
comment on column public.cash_days.closed_at is 'When it was closed; null: it is open.';
comment on column public.cash_days.closed_by is 'Who closed it: {kind, id} as in private.current_actor.';
comment on column public.cash_days.counted_cash_cents is 'What was in the drawer when it was closed, the float with it; null: it is open.';
comment on column public.cash_days.counted_card_terminal_cents is 'The terminal''s total; null: not counted.';
comment on column public.cash_days.counted_transfer_cents is 'Transfers that arrived; null: not counted.';
comment on column public.cash_days.counted_bizum_cents is 'What came by Bizum; null: not counted.';

-- for: private.open_cash_day, so that a race of two opens one; and the open day of a location
create unique index cash_days_one_open_key on public.cash_days (organization_id, location_id)
where closed_at is null;
-- for: a location's days, newest first, and the foreign key
create index cash_days_location_id_idx on public.cash_days (organization_id, location_id, opened_at desc, id desc);

grant select on public.cash_days to authenticated;

alter table public.cash_days enable row level security;

create policy cash_days_select on public.cash_days
for select to authenticated
using (organization_id = (select private.organization_with('payments:read')));

create trigger cash_days_refuse_change
before update on public.cash_days
for each row when (old.closed_at is not null)
execute function private.refuse_change();

create trigger cash_days_refuse_delete
before delete on public.cash_days
for each row execute function private.refuse_change();

create trigger cash_days_refuse_truncate
before truncate on public.cash_days
for each statement execute function private.refuse_change();

create table public.cash_day_lines (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  cash_day_id uuid not null,
  payment_id uuid,
  refund_id uuid,
  method text not null,
  amount_cents bigint not null,
  recorded_by jsonb not null,
  constraint cash_day_lines_pkey primary key (organization_id, id),
  constraint cash_day_lines_cash_day_fkey foreign key (organization_id, cash_day_id)
  references public.cash_days (organization_id, id),
  constraint cash_day_lines_payment_fkey foreign key (organization_id, payment_id)
  references public.payments (organization_id, id),
  constraint cash_day_lines_refund_fkey foreign key (organization_id, refund_id)
  references public.refunds (organization_id, id),
  -- Also the indexes for the foreign keys, and for what no closing has claimed.
  constraint cash_day_lines_payment_key unique (organization_id, payment_id),
  constraint cash_day_lines_refund_key unique (organization_id, refund_id),
  constraint cash_day_lines_are_of_one_entry check (num_nonnulls(payment_id, refund_id) = 1),
  constraint cash_day_lines_method_is_known check (method in ('cash', 'card_terminal', 'transfer', 'bizum'))
);

comment on table public.cash_day_lines is 'Append-only: the entries that a closing claimed, each by one only.';
comment on column public.cash_day_lines.payment_id is 'The payment; null: it is a refund or a counter-entry.';
comment on column public.cash_day_lines.refund_id is 'The refund or counter-entry; null: it is a payment.';
comment on column public.cash_day_lines.method is 'cash, card_terminal, transfer or bizum: by which it came or went.';
comment on column public.cash_day_lines.amount_cents is 'Minor units of the day''s currency; negative: it went out.';
comment on column public.cash_day_lines.recorded_by is 'Who wrote the entry down: {kind, id} as in private.current_actor.';

-- for: the lines of a day, and the foreign key
create index cash_day_lines_cash_day_id_idx on public.cash_day_lines (organization_id, cash_day_id);

grant select on public.cash_day_lines to authenticated;

alter table public.cash_day_lines enable row level security;

create policy cash_day_lines_select on public.cash_day_lines
for select to authenticated
using (organization_id = (select private.organization_with('payments:read')));

create trigger cash_day_lines_refuse_change
before update or delete on public.cash_day_lines
for each row execute function private.refuse_change();

create trigger cash_day_lines_refuse_truncate
before truncate on public.cash_day_lines
for each statement execute function private.refuse_change();

create function private.cash_day_entries(day public.cash_days)
returns setof public.cash_day_lines
language plpgsql
stable
set search_path = ''
as $$
declare
  since timestamptz;
begin
  if day.closed_at is not null then
    return query
    select n.*
    from public.cash_day_lines as n
    where n.organization_id = day.organization_id and n.cash_day_id = day.id;
    return;
  end if;
  -- What was taken before the location had cash days is in none.
  select min(d.opened_at) into since
  from public.cash_days as d
  where d.organization_id = day.organization_id and d.location_id = day.location_id;
  return query
  select
    day.organization_id, private.uuid_v7(), day.id, e.payment_id, e.refund_id, e.method, e.amount_cents, e.recorded_by
  from (
    select p.booking_id, p.id as payment_id, null::uuid as refund_id, p.method, p.amount_cents, p.recorded_by
    from public.payments as p
    where p.organization_id = day.organization_id
      and p.created_at >= since
      and not exists (
        select from public.cash_day_lines as n
        where n.organization_id = p.organization_id and n.payment_id = p.id
      )
    union all
    select r.booking_id, null, r.id, r.method, -r.amount_cents, r.recorded_by
    from public.refunds as r
    where r.organization_id = day.organization_id
      and r.created_at >= since
      and not exists (
        select from public.cash_day_lines as n
        where n.organization_id = r.organization_id and n.refund_id = r.id
      )
      -- What was in none, taken before, is missing in none when it turns out to have been nothing.
      and not (r.kind = 'correction' and exists (
        select from public.payments as p
        where p.organization_id = r.organization_id and p.id = r.payment_id and p.created_at < since
      ))
  ) as e
  join public.bookings as b on b.organization_id = day.organization_id and b.id = e.booking_id
  join public.rooms as m on m.organization_id = b.organization_id and m.id = b.room_id
  where m.location_id = day.location_id and e.method in ('cash', 'card_terminal', 'transfer', 'bizum');
end
$$;

comment on function private.cash_day_entries is
  'The entries of a closed day; of an open one those that its closing would claim now.';

create type public.cash_taken as (
  actor_kind text,
  actor_id uuid,
  amount_cents bigint
);

comment on type public.cash_taken is 'What somebody took at the desk by one method, less what they gave back.';
comment on column public.cash_taken.actor_kind is 'one of: user, api_key, support, service, customer, system';
comment on column public.cash_taken.actor_id is 'Whose; null: the product''s own.';
comment on column public.cash_taken.amount_cents is 'Minor units of the day''s currency.';

create type public.cash_count as (
  method text,
  taken_cents bigint,
  expected_cents bigint,
  counted_cents bigint,
  difference_cents bigint,
  persons public.cash_taken []
);

comment on type public.cash_count is 'One method of a cash day, in minor units of its currency.';
comment on column public.cash_count.method is 'one of: cash, card_terminal, transfer, bizum';
comment on column public.cash_count.taken_cents is 'What came in, less what went back; null without payments:read.';
comment on column public.cash_count.expected_cents is 'What is to be there: of cash with the float; null without payments:read.';
comment on column public.cash_count.counted_cents is 'What was counted; null: not counted, not yet, or without payments:read.';
comment on column public.cash_count.difference_cents is 'Counted less expected; null: not counted, not yet, or without payments:read.';
comment on column public.cash_count.persons is 'Who took it; null without payments:read.';

create type public.cash_day_report as (
  cash_day_id uuid,
  location_id uuid,
  currency text,
  opened_at timestamptz,
  closed_at timestamptz,
  float_cents bigint,
  counts public.cash_count []
);

comment on type public.cash_day_report is 'A cash day, method by method.';
comment on column public.cash_day_report.cash_day_id is 'The day.';
comment on column public.cash_day_report.location_id is 'The location.';
comment on column public.cash_day_report.currency is 'ISO 4217.';
comment on column public.cash_day_report.opened_at is 'When it was opened.';
comment on column public.cash_day_report.closed_at is 'When it was closed; null: it is open.';
comment on column public.cash_day_report.float_cents is 'What was in the drawer when it was opened, in minor units of currency; null without payments:read.';
comment on column public.cash_day_report.counts is 'The four methods.';

create function private.shown_cash_day(day public.cash_days)
returns public.cash_day_report
language plpgsql
stable
set search_path = ''
as $$
begin
  -- As the policies of both tables: whoever opens and closes without it counts what is there, and is not told what should be.
  if not private.has_permission(day.organization_id, 'payments:read') then
    return row(
      day.id, day.location_id, day.currency, day.opened_at, day.closed_at, null,
      array(
        select row(m.method, null, null, null, null, null)::public.cash_count
        from unnest(array['cash', 'card_terminal', 'transfer', 'bizum']) with ordinality as m (method, position)
        order by m.position
      )
    )::public.cash_day_report;
  end if;
  return (
    with taken as (
      select e.method, e.recorded_by ->> 'kind' as kind, (e.recorded_by ->> 'id')::uuid as id, sum(e.amount_cents)::bigint as cents
      from private.cash_day_entries(day) as e
      group by e.method, e.recorded_by ->> 'kind', (e.recorded_by ->> 'id')::uuid
    )
    select row(
      day.id, day.location_id, day.currency, day.opened_at, day.closed_at, day.float_cents,
      array_agg(
        row(
          way.method, sums.cents, sums.cents + way.float_cents, way.counted,
          way.counted - sums.cents - way.float_cents, sums.persons
        )::public.cash_count
        order by way.position
      )
    )::public.cash_day_report
    from (
      values
      (1, 'cash', day.float_cents, day.counted_cash_cents),
      (2, 'card_terminal', 0, day.counted_card_terminal_cents),
      (3, 'transfer', 0, day.counted_transfer_cents),
      (4, 'bizum', 0, day.counted_bizum_cents)
    ) as way (position, method, float_cents, counted)
    cross join lateral (
      select
        coalesce(sum(t.cents), 0)::bigint as cents,
        coalesce(array_agg(row(t.kind, t.id, t.cents)::public.cash_taken order by t.kind, t.id), '{}') as persons
      from taken as t
      where t.method = way.method
    ) as sums
  );
end
$$;

comment on function private.shown_cash_day is 'A cash day as staff see it: its sums with payments:read.';

create function private.open_cash_day(organization_id uuid, location_id uuid, float_cents bigint)
returns public.cash_day_report
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  day public.cash_days;
begin
  perform private.require_permission(open_cash_day.organization_id, 'payments:create');
  if not exists (
    select from public.locations as l
    where l.organization_id = open_cash_day.organization_id and l.id = open_cash_day.location_id
  ) then
    perform private.fail('location_not_found', 404, 'Choose one of the organization''s locations.');
  elsif open_cash_day.float_cents not between 0 and 100000000 then
    perform private.fail('amount_invalid', 422, 'Send what is in the drawer in minor units, 0 or more.');
  end if;
  loop
    insert into public.cash_days as d (organization_id, location_id, currency, float_cents)
    select
      o.id, open_cash_day.location_id, o.currency,
      coalesce(open_cash_day.float_cents, (
        select last.counted_cash_cents
        from public.cash_days as last
        where last.organization_id = o.id and last.location_id = open_cash_day.location_id and last.closed_at is not null
        order by last.opened_at desc, last.id desc
        limit 1
      ), 0)
    from public.organizations as o
    where o.id = open_cash_day.organization_id
    on conflict (organization_id, location_id) where closed_at is null do nothing
    returning d.* into day;
    exit when found;
    select d.* into day
    from public.cash_days as d
    where d.organization_id = open_cash_day.organization_id
      and d.location_id = open_cash_day.location_id
      and d.closed_at is null;
    exit when found; -- else it was closed at this moment
  end loop;
  return private.shown_cash_day(day);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.open_cash_day is
  'definer: writes cash days, which no client may write. Asks for payments:create.';
grant execute on function private.open_cash_day to authenticated;

create function public.open_cash_day(organization_id uuid, location_id uuid, float_cents bigint default null)
returns public.cash_day_report
language sql
volatile
set search_path = ''
as $$ select private.open_cash_day(organization_id, location_id, float_cents) $$;

comment on function public.open_cash_day is
  'Opens a location''s cash day, or answers the one that is open. float_cents: what is in the drawer, minor units; null: what was counted last, or nothing. The first of a location begins with what is taken from then on; every other with what was taken since the last closing. For members with payments:create; the sums are told with payments:read. Errors: 403 permission_denied, organization_suspended; 404 location_not_found; 422 amount_invalid.';
grant execute on function public.open_cash_day to authenticated;

create function private.close_cash_day(
  organization_id uuid,
  cash_day_id uuid,
  cash_cents bigint,
  card_terminal_cents bigint,
  transfer_cents bigint,
  bizum_cents bigint
)
returns public.cash_day_report
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  day public.cash_days;
begin
  perform private.require_permission(close_cash_day.organization_id, 'payments:create');
  if close_cash_day.cash_cents is null or not coalesce(
    least(cash_cents, card_terminal_cents, transfer_cents, bizum_cents) >= 0
    and greatest(cash_cents, card_terminal_cents, transfer_cents, bizum_cents) <= 100000000000, true
  ) then
    perform private.fail('amount_invalid', 422, 'Send what was counted in minor units, 0 or more, at least of cash.');
  end if;
  -- Of two who close it the second finds it closed.
  select d.* into day
  from public.cash_days as d
  where d.organization_id = close_cash_day.organization_id and d.id = close_cash_day.cash_day_id
  for no key update;
  if not found then
    perform private.fail('cash_day_not_found', 404, 'Choose one of the organization''s cash days.');
  elsif day.closed_at is not null then
    perform private.fail('cash_day_closed', 409, 'It was closed before: what came later is in the next.');
  end if;
  insert into public.cash_day_lines
  select e.* from private.cash_day_entries(day) as e;
  update public.cash_days as d
  set closed_at = clock_timestamp(),
    closed_by = private.current_actor(),
    counted_cash_cents = close_cash_day.cash_cents,
    counted_card_terminal_cents = close_cash_day.card_terminal_cents,
    counted_transfer_cents = close_cash_day.transfer_cents,
    counted_bizum_cents = close_cash_day.bizum_cents
  where d.organization_id = day.organization_id and d.id = day.id
  returning d.* into day;
  return private.shown_cash_day(day);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.close_cash_day is
  'definer: writes cash days, which no client may write. Asks for payments:create.';
grant execute on function private.close_cash_day to authenticated;

create function public.close_cash_day(
  organization_id uuid,
  cash_day_id uuid,
  cash_cents bigint,
  card_terminal_cents bigint default null,
  transfer_cents bigint default null,
  bizum_cents bigint default null
)
returns public.cash_day_report
language sql
volatile
set search_path = ''
as $$
  select private.close_cash_day(
    organization_id, cash_day_id, cash_cents, card_terminal_cents, transfer_cents, bizum_cents
  )
$$;

comment on function public.close_cash_day is
  'Closes a cash day with what was counted (minor units; cash with the float; null: not counted) and answers what was expected, and the differences, by method and person. It never changes afterwards. For members with payments:create; with payments:read they are told, else it is counted blind. Errors: 403 permission_denied, organization_suspended; 404 cash_day_not_found; 409 cash_day_closed; 422 amount_invalid.';
grant execute on function public.close_cash_day to authenticated;

create function private.get_cash_day(organization_id uuid, cash_day_id uuid)
returns public.cash_day_report
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  day public.cash_days;
begin
  perform private.require_permission(get_cash_day.organization_id, 'payments:read');
  select d.* into day
  from public.cash_days as d
  where d.organization_id = get_cash_day.organization_id and d.id = get_cash_day.cash_day_id;
  if not found then
    perform private.fail('cash_day_not_found', 404, 'Choose one of the organization''s cash days.');
  end if;
  return private.shown_cash_day(day);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_cash_day is
  'definer: reads bookings and rooms for whoever may read payments. Asks for payments:read.';
grant execute on function private.get_cash_day to authenticated;

create function public.get_cash_day(organization_id uuid, cash_day_id uuid)
returns public.cash_day_report
language sql
stable
set search_path = ''
as $$ select private.get_cash_day(organization_id, cash_day_id) $$;

comment on function public.get_cash_day is
  'A cash day by method and person; of an open one what is expected so far. The days themselves are cash_days. For members with payments:read. Errors: 403 permission_denied; 404 cash_day_not_found.';
grant execute on function public.get_cash_day to authenticated;

create function private.ledger_cash_day()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.write_ledger(row(
    new.organization_id, null, 'cash_day', new.id, 1, 'cash_drawer', 'cash_differences',
    (
      select new.counted_cash_cents - new.float_cents - coalesce(sum(n.amount_cents), 0)
      from public.cash_day_lines as n
      where n.organization_id = new.organization_id and n.cash_day_id = new.id and n.method = 'cash'
    ),
    new.currency, null, null, new.closed_at, null
  )::public.ledger_entries);
  return null;
end
$$;

comment on function private.ledger_cash_day is 'Cash that is missing, or too much, when it is counted.';

create trigger ledger_cash_day
after update of closed_at on public.cash_days
for each row when (new.closed_at is not null)
execute function private.ledger_cash_day();

-- =============================================================================
-- sql/40_money/120_corrections.sql
-- =============================================================================

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

-- =============================================================================
-- sql/40_money/130_payment_list.sql
-- =============================================================================

-- All money that came, comes or did not come, in one list: the ledger and the attempts to pay online.

-- for: private.list_payments, in order of time; what was paid is in the ledger
create index payment_attempts_unpaid_idx on private.payment_attempts (organization_id, created_at desc, id desc)
where status <> 'paid';

create type public.payment_entry as (
  id uuid,
  booking_id uuid,
  reference text,
  contact_name text,
  method text,
  status text,
  amount_cents bigint,
  refunded_cents bigint,
  currency text,
  occurred_at timestamptz
);

comment on type public.payment_entry is 'A payment, or an attempt to pay online.';
comment on column public.payment_entry.id is 'Of the payment, or of the attempt.';
comment on column public.payment_entry.booking_id is 'The booking.';
comment on column public.payment_entry.reference is 'The booking''s.';
comment on column public.payment_entry.contact_name is 'The name given with the booking; null without customers:read.';
comment on column public.payment_entry.method is 'one of payments.method';
comment on column public.payment_entry.status is
  'pending: an attempt to pay online that is under way; failed: one that ended without money; corrected: one that was written down wrongly, and brought nothing; the others are money that came. one of: pending, succeeded, failed, partly_refunded, refunded, corrected';
comment on column public.payment_entry.amount_cents is 'Minor units of currency.';
comment on column public.payment_entry.refunded_cents is 'What went back of it, in minor units; what is only promised is not counted.';
comment on column public.payment_entry.currency is 'ISO 4217.';
comment on column public.payment_entry.occurred_at is 'When the money moved, or the attempt began.';

create function private.list_payments(
  organization_id uuid,
  status text,
  before timestamptz,
  before_id uuid,
  max_rows int
)
returns setof public.payment_entry
language plpgsql
stable
security definer
set jit = off
set search_path = ''
as $$
declare
  sees_customers boolean;
  most int := least(greatest(coalesce(list_payments.max_rows, 50), 1), 200);
  last_time timestamptz := coalesce(list_payments.before, 'infinity');
  last_id uuid := coalesce(list_payments.before_id, '00000000-0000-0000-0000-000000000000');
begin
  perform private.require_permission(list_payments.organization_id, 'payments:read');
  if list_payments.status not in ('pending', 'succeeded', 'failed', 'partly_refunded', 'refunded', 'corrected') then
    perform private.fail(
      'status_invalid', 422, 'Choose pending, succeeded, failed, partly_refunded, refunded or corrected, or none for all.'
    );
  end if;
  sees_customers := private.has_permission(list_payments.organization_id, 'customers:read');
  return query
  select
    e.id, e.booking_id, b.reference, case when sees_customers then c.contact_name end, e.method, e.status,
    e.amount_cents, e.refunded_cents, e.currency, e.occurred_at
  from (
    (
      select p.id, p.booking_id, p.method, state.status, p.amount_cents, back.cents as refunded_cents, p.currency, p.occurred_at
      from public.payments as p
      cross join lateral (
        -- Less what the customer's bank sent back.
        select
          coalesce(sum(r.amount_cents) filter (where r.kind <> 'correction'), 0)::bigint as cents,
          coalesce(bool_or(r.kind = 'correction'), false) as is_corrected
        from public.refunds as r
        where r.organization_id = p.organization_id and r.payment_id = p.id
      ) as back
      cross join lateral (
        select case
          when back.is_corrected then 'corrected'
          when back.cents >= p.amount_cents then 'refunded'
          when back.cents > 0 then 'partly_refunded'
          else 'succeeded'
        end as status
      ) as state
      where p.organization_id = list_payments.organization_id
        and (p.occurred_at, p.id) < (last_time, last_id)
        and state.status = coalesce(list_payments.status, state.status)
      order by p.occurred_at desc, p.id desc
      limit most
    )
    union all
    (
      select a.id, a.booking_id, 'stripe', state.status, a.amount_cents, 0, a.currency, a.created_at
      from private.payment_attempts as a
      cross join lateral (
        select case a.status when 'open' then 'pending' else 'failed' end as status
      ) as state
      where a.organization_id = list_payments.organization_id
        and a.status <> 'paid'
        and (a.created_at, a.id) < (last_time, last_id)
        and state.status = coalesce(list_payments.status, state.status)
      order by a.created_at desc, a.id desc
      limit most
    )
  ) as e
  join public.bookings as b on b.organization_id = list_payments.organization_id and b.id = e.booking_id
  join public.booking_contacts as c on c.organization_id = b.organization_id and c.booking_id = b.id
  order by e.occurred_at desc, e.id desc
  limit most;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.list_payments is
  'definer: reads attempts to pay, which no client may read. Asks for payments:read.';
grant execute on function private.list_payments to authenticated;

create function public.list_payments(
  organization_id uuid,
  status text default null,
  before timestamptz default null,
  before_id uuid default null,
  max_rows int default 50
)
returns setof public.payment_entry
language sql
stable
set search_path = ''
as $$ select * from private.list_payments(organization_id, status, before, before_id, max_rows) $$;

comment on function public.list_payments is
  'Payments and attempts to pay online, newest first, at most max_rows (1 to 200): all, or those of a status. before, before_id: occurred_at and id of the last one that was seen, for the next page. For members with payments:read. Errors: 403 permission_denied; 422 status_invalid.';
grant execute on function public.list_payments to authenticated;

-- =============================================================================
-- sql/40_money/140_voucher_orders.sql
-- =============================================================================

-- Gift vouchers that are bought online: an order, its one payment, and the voucher that it becomes.
--
-- An order is also its attempt to pay: one order, one page of the provider, at most one payment. So
-- it is paid once by its form, and whoever lets a page pass orders anew. The steps are those of a
-- booking's attempt, and a kill between two of them does as little harm:
--   order_voucher           writes the order; nobody can pay it yet.
--   open_voucher_checkout   fixes the account, the fee and when the page ends; the order's id is the
--                           idempotency key and the client_reference_id at the provider.
--   record_voucher_checkout writes the page's id. Only after this may a person be sent there.
--   apply_checkout_session  what the provider says of the page, in any order and any number. Paid:
--                           voucher, its code, the ledger and both mails are written in one
--                           transaction under the order's lock.
--
-- What goes back at the provider, by staff here or on its dashboard, and what a lost dispute took, is
-- taken off the voucher as far as it goes, and what returns to it later is taken off, too: a voucher
-- never pays with money that went back. While a dispute withholds the money it pays nothing.
--
-- Locks are taken in one order: the order's row, then the voucher's. What follows from an entry of a
-- voucher takes the voucher's only, under which all of this is counted.

create table public.voucher_orders (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  status text not null default 'open',
  calendar_id uuid,
  product_id uuid,
  product_names jsonb,
  amount_cents bigint not null,
  currency text not null,
  buyer_name text not null,
  buyer_email text,
  recipient_name text not null default '',
  recipient_email text,
  message text not null default '',
  accepted_terms text not null default '',
  locale text not null,
  deliver_on date,
  validity_months int,
  refund_days int not null,
  opened_at timestamptz,
  expires_at timestamptz,
  stripe_account text,
  platform_fee_cents bigint not null default 0,
  session_id text,
  as_of timestamptz,
  provider_payment_id text,
  paid_at timestamptz,
  voucher_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint voucher_orders_pkey primary key (organization_id, id),
  constraint voucher_orders_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint voucher_orders_calendar_fkey foreign key (organization_id, calendar_id)
  references public.calendars (organization_id, id) on delete set null (calendar_id),
  constraint voucher_orders_product_fkey foreign key (organization_id, product_id)
  references public.voucher_products (organization_id, id) on delete set null (product_id),
  -- Also the index for: the foreign key, and the order behind a voucher. One voucher, one order.
  constraint voucher_orders_voucher_key unique (organization_id, voucher_id),
  constraint voucher_orders_voucher_fkey foreign key (organization_id, voucher_id)
  references public.vouchers (organization_id, id) on delete restrict,
  constraint voucher_orders_status_is_known check (status in ('open', 'failed', 'expired', 'paid')),
  constraint voucher_orders_product_names_are_names check (product_names is null or private.are_names(product_names, 120)),
  constraint voucher_orders_amount_is_positive check (amount_cents > 0),
  constraint voucher_orders_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint voucher_orders_buyer_is_a_name check (private.is_name(buyer_name, 200)),
  constraint voucher_orders_buyer_email_is_plausible check (private.is_email(buyer_email)),
  constraint voucher_orders_recipient_is_a_name_or_empty check (recipient_name = '' or private.is_name(recipient_name, 200)),
  constraint voucher_orders_recipient_email_is_plausible check (private.is_email(recipient_email)),
  constraint voucher_orders_message_is_a_text check (private.is_text(message, 1000)),
  constraint voucher_orders_accepted_terms_are_a_text check (private.is_text(accepted_terms, 20000)),
  constraint voucher_orders_locale_is_supported check (private.is_locale(locale)),
  constraint voucher_orders_delivery_is_finite check (isfinite(deliver_on)),
  constraint voucher_orders_fee_is_part_of_the_amount check (platform_fee_cents between 0 and amount_cents),
  constraint voucher_orders_fee_is_of_an_own_account check (platform_fee_cents = 0 or stripe_account is not null),
  constraint voucher_orders_paid_has_its_voucher check (
    (status = 'paid') = (voucher_id is not null)
    and num_nonnulls(voucher_id, provider_payment_id, paid_at) in (0, 3)
  )
);

comment on table public.voucher_orders is
  'Gift vouchers that somebody began to buy online. Those that were not paid are forgotten after 30 days.';
comment on column public.voucher_orders.status is
  'open → failed (no page was made) → expired → paid: it only moves to the right, so reports may come in any order.';
comment on column public.voucher_orders.calendar_id is 'The calendar on whose page it was bought; null: that was deleted.';
comment on column public.voucher_orders.product_id is 'The product; null: an amount was chosen, or the product was deleted.';
comment on column public.voucher_orders.product_names is 'The product''s names when it was ordered; null: an amount was chosen.';
comment on column public.voucher_orders.amount_cents is 'What is paid and what the voucher is worth, minor units of currency.';
comment on column public.voucher_orders.accepted_terms is
  'The calendar''s terms that the buyer agreed to, word for word; empty: it had none.';
comment on column public.voucher_orders.buyer_email is 'Where the buyer''s mail goes; null: was erased.';
comment on column public.voucher_orders.recipient_email is 'Where the voucher is mailed to; null: to nobody but the buyer.';
comment on column public.voucher_orders.locale is 'The buyer''s language, and that of the mails: es, en or ca.';
comment on column public.voucher_orders.deliver_on is
  'The date on which it is mailed to the recipient, at nine in the organization''s zone; null: as soon as it is paid.';
comment on column public.voucher_orders.validity_months is 'As voucher_settings said when it was ordered.';
comment on column public.voucher_orders.refund_days is 'As voucher_settings said when it was ordered.';
comment on column public.voucher_orders.opened_at is 'When its page was first asked for; null: never.';
comment on column public.voucher_orders.expires_at is 'When the provider closes its page; null: none was asked for.';
comment on column public.voucher_orders.stripe_account is
  'The organization''s account at Stripe that is paid, and from which it goes back; null: the platform''s own.';
comment on column public.voucher_orders.platform_fee_cents is 'What the platform takes of it, in minor units of currency.';
comment on column public.voucher_orders.session_id is 'Stripe''s checkout session; null: none was recorded.';
comment on column public.voucher_orders.as_of is 'The newest instant at which the provider''s state was read.';
comment on column public.voucher_orders.provider_payment_id is 'Stripe''s payment intent; null: not paid.';
comment on column public.voucher_orders.voucher_id is 'The voucher; null: not paid.';

-- for: private.locked_voucher_order; the provider knows the order's id and no organization
create index voucher_orders_id_idx on public.voucher_orders (id);
-- for: the staff's page of orders, newest first
create index voucher_orders_created_at_idx on public.voucher_orders (organization_id, created_at desc, id desc);
-- for: private.voucher_order_of_payment; refunds and disputes name the payment and no organization
create index voucher_orders_provider_payment_id_idx on public.voucher_orders (provider_payment_id)
where provider_payment_id is not null;
-- for: private.queue_stale_checkouts
create index voucher_orders_stale_idx on public.voucher_orders ((coalesce(as_of, opened_at)))
where status = 'open' and session_id is not null;
-- for: private.forget_voucher_orders
create index voucher_orders_unpaid_idx on public.voucher_orders (created_at) where status <> 'paid';
-- for: the foreign key
create index voucher_orders_calendar_id_idx on public.voucher_orders (organization_id, calendar_id);
-- for: the foreign key
create index voucher_orders_product_id_idx on public.voucher_orders (organization_id, product_id);

grant select on public.voucher_orders to authenticated;

alter table public.voucher_orders enable row level security;

create trigger voucher_orders_clean_names
before insert or update of buyer_name, recipient_name on public.voucher_orders
for each row execute function private.clean_texts('names', 'buyer_name', 'recipient_name');

create trigger voucher_orders_clean_notes
before insert or update of message, accepted_terms on public.voucher_orders
for each row execute function private.clean_texts('notes', 'message', 'accepted_terms');

create policy voucher_orders_select on public.voucher_orders
for select to authenticated
using (organization_id = (select private.organization_with('vouchers:read')));

create trigger voucher_orders_touch_updated_at
before update on public.voucher_orders
for each row execute function private.touch_updated_at();

create function private.voucher_order_token(order_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.derived_token('voucher_order', voucher_order_token.order_id::text);
end
$$;

comment on function private.voucher_order_token is
  'What the buyer proves an order with. Derived, not drawn: a repeated request shows the same one, and none is stored.';

create function private.locked_voucher_order(order_id uuid, order_token text default null)
returns public.voucher_orders
language plpgsql
volatile
set search_path = ''
as $$
declare
  found_order public.voucher_orders;
begin
  -- Asked before anything is locked. Ids are no secret: jobs and events carry them.
  if locked_voucher_order.order_token is null
    or private.token_hash(private.typed_token(locked_voucher_order.order_token))
    = private.token_hash(private.voucher_order_token(locked_voucher_order.order_id))
  then
    select o.* into found_order
    from public.voucher_orders as o
    where o.id = locked_voucher_order.order_id
    for no key update;
  end if;
  return found_order;
end
$$;

comment on function private.locked_voucher_order is
  'The order, locked; null if there is none, or the token is not its buyer''s. A null token is not asked for.';

create function private.open_voucher_checkout(order_id uuid, order_token text)
returns service.open_checkout
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  bought public.voucher_orders := private.locked_voucher_order(
    open_voucher_checkout.order_id, coalesce(open_voucher_checkout.order_token, '')
  );
  account private.payment_account;
begin
  if bought.id is null then
    perform private.fail('voucher_order_not_found', 404, 'Order the voucher first, and pay with the token that it answers.');
  elsif bought.status = 'paid' then
    perform private.fail('nothing_due', 409, 'It is paid: look at the order.');
  elsif bought.status <> 'open' or bought.expires_at <= now()
    -- Left without a page, and too old for one: the provider would refuse its end.
    or bought.session_id is null and bought.opened_at < now() - interval '45 seconds'
  then
    perform private.fail('not_payable', 409, 'The time to pay is over. Order the voucher anew.');
  end if;
  if bought.opened_at is null then
    perform private.act_as('system', null);
    if private.venue_is_closed(bought.organization_id) or not exists (
      select from public.voucher_settings as s where s.organization_id = bought.organization_id and s.is_sold
    ) then
      perform private.fail('not_payable', 409, 'The venue sells no vouchers any more.');
    end if;
    account := private.payment_account(bought.organization_id);
    if not account.available then
      perform private.fail('online_payment_unavailable', 409, 'The venue cannot be paid online at the moment: ask it.');
    end if;
    update public.voucher_orders as o
    set opened_at = now(),
      -- The shortest life Stripe gives a session is 30 minutes; the extra minute is for the way there.
      expires_at = now() + interval '31 minutes',
      stripe_account = account.account_id,
      platform_fee_cents = case
        when account.account_id is null then 0
        -- No players: those pay when it is spent, by the booking's own rest.
        else private.platform_fee(
          private.plan_of(bought.organization_id), bought.currency, bought.amount_cents, bought.amount_cents, 0
        )
      end
    where o.organization_id = bought.organization_id and o.id = bought.id
    returning o.* into bought;
  end if;
  return (
    select row(
      bought.id,
      case when bought.session_id is null then private.checkout_token(bought.id) end,
      bought.organization_id,
      null,
      bought.id::text,
      bought.amount_cents,
      bought.currency,
      bought.locale,
      concat_ws(
        ' · ',
        coalesce(
          private.text_in(bought.product_names, bought.locale),
          case bought.locale when 'es' then 'Vale regalo' when 'ca' then 'Val regal' else 'Gift voucher' end
        ),
        o.name
      ),
      bought.buyer_email,
      bought.expires_at,
      bought.stripe_account,
      false,
      null,
      c.site_url,
      bought.platform_fee_cents,
      false,
      bought.session_id
    )::service.open_checkout
    from public.organizations as o
    left join public.calendars as c on c.organization_id = o.id and c.id = bought.calendar_id
    where o.id = bought.organization_id
  );
end
$$;

comment on function private.open_voucher_checkout is
  'definer: the service may read no table. Proves the buyer by the order''s token.';
grant execute on function private.open_voucher_checkout to service_role;

create function service.open_voucher_checkout(order_id uuid, order_token text)
returns service.open_checkout
language sql
volatile
set search_path = ''
as $$ select private.open_voucher_checkout(order_id, order_token) $$;

comment on function service.open_voucher_checkout is
  'What the provider''s page of an ordered voucher asks for; attempt_id is the order. The first call fixes account, fee and end, and each answers the same. Methods that take days are never offered. Errors: 404 voucher_order_not_found; 409 nothing_due, not_payable, online_payment_unavailable.';
grant execute on function service.open_voucher_checkout to service_role;

create function private.own_voucher_order(order_id uuid, attempt_token text)
returns public.voucher_orders
language plpgsql
volatile
set search_path = ''
as $$
declare
  bought public.voucher_orders;
begin
  if private.token_hash(own_voucher_order.attempt_token)
    = private.token_hash(private.checkout_token(own_voucher_order.order_id))
  then
    bought := private.locked_voucher_order(own_voucher_order.order_id);
  end if;
  if bought.id is null then
    perform private.fail('attempt_not_found', 404, 'Open the checkout first, and report with the token that it answers.');
  end if;
  return bought;
end
$$;

comment on function private.own_voucher_order is
  'The order, locked, for whoever opened its page: raises 404 attempt_not_found without the page''s token.';

create function private.record_voucher_checkout(
  attempt_id uuid, attempt_token text, session_id text, url text, expires_at timestamptz
)
returns service.attempt_state
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  bought public.voucher_orders := private.own_voucher_order(
    record_voucher_checkout.attempt_id, record_voucher_checkout.attempt_token
  );
begin
  if bought.status = 'failed' then
    perform private.fail('not_payable', 409, 'The time to pay is over. Order the voucher anew.');
  elsif bought.session_id <> record_voucher_checkout.session_id then
    perform private.fail('attempt_has_session', 409, 'The order has another page: open the checkout again to get its address.');
  elsif bought.session_id is null then
    perform private.refuse_other_page(record_voucher_checkout.url, record_voucher_checkout.expires_at);
    update public.voucher_orders as o
    set session_id = record_voucher_checkout.session_id,
      expires_at = record_voucher_checkout.expires_at
    where o.organization_id = bought.organization_id and o.id = bought.id;
  end if;
  return row(bought.id, bought.status)::service.attempt_state;
end
$$;

comment on function private.record_voucher_checkout is 'definer: the service may write no table.';
grant execute on function private.record_voucher_checkout to service_role;

create function service.record_voucher_checkout(
  attempt_id uuid, attempt_token text, session_id text, url text, expires_at timestamptz
)
returns service.attempt_state
language sql
volatile
set search_path = ''
as $$ select private.record_voucher_checkout(attempt_id, attempt_token, session_id, url, expires_at) $$;

comment on function service.record_voucher_checkout is
  'Remembers the provider''s session of an ordered voucher, for whoever has the attempt_token of open_voucher_checkout; only then may a person be sent to url, which is not kept. Errors: 404 attempt_not_found; 409 not_payable, attempt_has_session; 422 checkout_page_invalid.';
grant execute on function service.record_voucher_checkout to service_role;

create function private.fail_voucher_checkout(attempt_id uuid, attempt_token text)
returns service.attempt_state
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  bought public.voucher_orders := private.own_voucher_order(
    fail_voucher_checkout.attempt_id, fail_voucher_checkout.attempt_token
  );
begin
  if bought.status = 'open' and bought.session_id is null then
    update public.voucher_orders as o
    set status = 'failed'
    where o.organization_id = bought.organization_id and o.id = bought.id
    returning o.status into bought.status;
  end if;
  return row(bought.id, bought.status)::service.attempt_state;
end
$$;

comment on function private.fail_voucher_checkout is 'definer: the service may write no table.';
grant execute on function private.fail_voucher_checkout to service_role;

create function service.fail_voucher_checkout(attempt_id uuid, attempt_token text)
returns service.attempt_state
language sql
volatile
set search_path = ''
as $$ select private.fail_voucher_checkout(attempt_id, attempt_token) $$;

comment on function service.fail_voucher_checkout is
  'Ends an ordered voucher for which the provider made no page, for whoever has the attempt_token of open_voucher_checkout; one that has a page stays as it is. Errors: 404 attempt_not_found.';
grant execute on function service.fail_voucher_checkout to service_role;

create function private.fulfil_voucher_order(bought public.voucher_orders, paid_cents bigint, payment_id text, paid_at timestamptz)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  zone text := (select o.timezone from public.organizations as o where o.id = bought.organization_id);
  voucher public.vouchers;
begin
  voucher.organization_id := bought.organization_id;
  voucher.currency := bought.currency;
  voucher.valid_until := (
    (fulfil_voucher_order.paid_at at time zone zone)::date + make_interval(months => bought.validity_months)
  )::date;
  voucher.recipient_name := bought.recipient_name;
  voucher.recipient_email := bought.recipient_email;
  voucher.message := bought.message;
  voucher.locale := bought.locale;
  voucher := private.new_voucher(voucher);
  update public.voucher_orders as o
  set status = 'paid',
    amount_cents = fulfil_voucher_order.paid_cents,
    platform_fee_cents = least(o.platform_fee_cents, fulfil_voucher_order.paid_cents),
    provider_payment_id = fulfil_voucher_order.payment_id,
    paid_at = fulfil_voucher_order.paid_at,
    voucher_id = voucher.id
  where o.organization_id = bought.organization_id and o.id = bought.id
  returning o.* into bought;

  insert into public.voucher_entries (organization_id, voucher_id, kind, amount_cents)
  values (voucher.organization_id, voucher.id, 'issued', bought.amount_cents);
  -- What the provider has of it stands against what the issue wrote: vouchers_issued is even again.
  perform private.write_ledger(row(
    bought.organization_id, null, 'voucher_order', bought.id, 1, 'stripe_balance', 'vouchers_issued',
    bought.amount_cents, bought.currency, null, null, bought.paid_at, null
  )::public.ledger_entries);
  perform private.write_ledger(row(
    bought.organization_id, null, 'voucher_order', bought.id, 2, 'platform_fees', 'stripe_balance',
    bought.platform_fee_cents, bought.currency, null, null, bought.paid_at, null
  )::public.ledger_entries);

  -- The keys of mails are kept for ever: one mail each, however often this is asked for.
  perform private.enqueue(
    'email.send',
    jsonb_build_object('template', 'voucher_bought', 'organization_id', bought.organization_id, 'voucher_order_id', bought.id),
    'voucher_bought:' || bought.id,
    bought.organization_id
  );
  if bought.recipient_email is not null then
    perform private.queue_voucher_mail(voucher, (bought.deliver_on + time '09:00') at time zone zone);
  end if;
end
$$;

comment on function private.fulfil_voucher_order is
  'Makes the voucher of a locked order that was paid: once, with its code, its money in the ledger and its mails.';

create function private.apply_voucher_session(job private.jobs, order_id uuid, session jsonb)
returns service.applied_checkout
language plpgsql
volatile
set search_path = ''
as $$
declare
  bought public.voucher_orders := private.locked_voucher_order(apply_voucher_session.order_id);
  outcome text := private.session_outcome(session);
begin
  -- Who owns another account writes whatever reference they like on what is paid into it.
  if bought.opened_at is null or bought.stripe_account is distinct from job.payload ->> 'account' then
    return row(null, 'unknown', null, null)::service.applied_checkout;
  elsif outcome = 'paid' and upper(session ->> 'currency') is distinct from bought.currency then
    perform private.fail('currency_mismatch', 422, 'Pay in the voucher''s currency.');
  end if;
  -- Another page of the same order says nothing about the first, except by money.
  if outcome = 'paid' or bought.session_id is null or bought.session_id = session ->> 'id' then
    update public.voucher_orders as o
    set status = case
        when o.status = 'paid' or outcome = 'paid' then o.status
        when outcome = 'ended' then 'expired'
        else o.status
      end,
      session_id = coalesce(o.session_id, session ->> 'id'),
      as_of = greatest(o.as_of, (session ->> 'as_of')::timestamptz)
    where o.organization_id = bought.organization_id and o.id = bought.id
    returning o.* into bought;
  end if;
  -- Money counts whatever was reported before it, and once: an order has one page, by the provider's idempotency.
  if outcome = 'paid' and bought.status <> 'paid' then
    perform private.fulfil_voucher_order(
      bought, (session ->> 'amount_total')::bigint, coalesce(session ->> 'payment_intent', session ->> 'id'),
      coalesce((session ->> 'as_of')::timestamptz, now())
    );
    bought.status := 'paid';
  end if;
  return row(bought.id, bought.status, null, null)::service.applied_checkout;
end
$$;

comment on function private.apply_voucher_session is
  'private.apply_checkout_session of a page on which a voucher is bought; the caller has asked for the job''s lease.';

create function private.voucher_order_of_payment(job private.jobs, payment_id text)
returns public.voucher_orders
language plpgsql
volatile
set search_path = ''
as $$
declare
  bought public.voucher_orders;
begin
  select o.* into bought
  from public.voucher_orders as o
  where o.provider_payment_id = voucher_order_of_payment.payment_id
    and case job.kind
      when 'stripe.refund' then o.organization_id = job.organization_id
      else o.stripe_account is not distinct from job.payload ->> 'account'
    end
  order by o.created_at
  limit 1
  for no key update;
  return bought;
end
$$;

comment on function private.voucher_order_of_payment is
  'The order of a voucher that this payment bought, locked; null: none. Of the organization whose promise the job carries out, or into the account whose event it reads: never into another.';

create function private.forget_voucher_orders(maximum int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  forgotten int;
begin
  delete from public.voucher_orders as o
  where (o.organization_id, o.id) in (
    select old.organization_id, old.id
    from public.voucher_orders as old
    where old.status <> 'paid' and old.created_at < now() - interval '30 days'
    order by old.created_at
    limit forget_voucher_orders.maximum
    for update skip locked
  );
  get diagnostics forgotten = row_count;
  return forgotten;
end
$$;

comment on function private.forget_voucher_orders is
  'Deletes orders that nobody paid in 30 days, with the names and addresses in them: a page of the provider lasts half an hour.';

-- =============================================================================
-- sql/40_money/150_voucher_refunds.sql
-- =============================================================================

-- Money of bought gift vouchers that goes back: given back by staff, on the provider's dashboard, or
-- taken by a dispute.
--
-- Both kinds of row follow the provider, in any order and any number of reports. What of the voucher
-- is left, what the ledger says and whether it pays are the difference between where these rows say
-- that they must stand and where they stand.

create table public.voucher_refunds (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  order_id uuid not null,
  amount_cents bigint not null,
  currency text not null,
  reason text not null,
  status text not null default 'pending',
  provider_refund_id text,
  as_of timestamptz,
  requested_by jsonb not null default private.current_actor(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint voucher_refunds_pkey primary key (organization_id, id),
  -- Also the index for: private.apply_voucher_refund; one row a refund of the provider.
  constraint voucher_refunds_provider_refund_key unique (organization_id, provider_refund_id),
  constraint voucher_refunds_order_fkey foreign key (organization_id, order_id)
  references public.voucher_orders (organization_id, id),
  constraint voucher_refunds_amount_is_positive check (amount_cents > 0),
  constraint voucher_refunds_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint voucher_refunds_reason_is_known check (reason in ('staff', 'provider')),
  constraint voucher_refunds_status_is_known check (status in ('pending', 'succeeded', 'failed', 'withdrawn'))
);

comment on table public.voucher_refunds is
  'Money of a bought voucher that goes back to its buyer, or went. From the promise on it is off the voucher, until it fails or is withdrawn.';
comment on column public.voucher_refunds.amount_cents is 'Minor units of currency.';
comment on column public.voucher_refunds.reason is 'staff (refund_voucher_order), or provider (made on its dashboard).';
comment on column public.voucher_refunds.status is
  'pending → succeeded → failed: it only moves to the right, and a refund may fail days after it succeeded. withdrawn: nothing is left to do.';
comment on column public.voucher_refunds.provider_refund_id is 'Stripe''s refund; null: none was made yet.';
comment on column public.voucher_refunds.as_of is 'The newest instant at which the provider''s state was read.';
comment on column public.voucher_refunds.requested_by is 'Who caused it: {kind, id} as in private.current_actor.';

-- for: the refunds of an order, and the foreign key
create index voucher_refunds_order_id_idx on public.voucher_refunds (organization_id, order_id);

grant select on public.voucher_refunds to authenticated;

alter table public.voucher_refunds enable row level security;

create policy voucher_refunds_select on public.voucher_refunds
for select to authenticated
using (organization_id = (select private.organization_with('payments:read')));

create trigger voucher_refunds_touch_updated_at
before update on public.voucher_refunds
for each row execute function private.touch_updated_at();

create table public.voucher_disputes (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  order_id uuid not null,
  provider_dispute_id text not null,
  status text not null,
  reason text not null,
  amount_cents bigint not null,
  currency text not null,
  respond_by timestamptz,
  as_of timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint voucher_disputes_pkey primary key (organization_id, id),
  -- Also the index for: private.apply_voucher_dispute; one row a dispute of the provider.
  constraint voucher_disputes_provider_dispute_key unique (organization_id, provider_dispute_id),
  constraint voucher_disputes_order_fkey foreign key (organization_id, order_id)
  references public.voucher_orders (organization_id, id),
  constraint voucher_disputes_amount_is_positive check (amount_cents > 0),
  constraint voucher_disputes_currency_is_iso_4217 check (private.is_currency(currency))
);

comment on table public.voucher_disputes is
  'A payment for a voucher that the buyer''s bank disputes, as public.disputes of a booking''s. While it withholds the money the voucher is blocked; one that is lost takes it off the voucher.';
comment on column public.voucher_disputes.status is
  'The provider''s word: warning_needs_response, warning_under_review, warning_closed, needs_response, under_review, won, lost, prevented.';
comment on column public.voucher_disputes.reason is 'The provider''s word, such as fraudulent or product_not_received.';
comment on column public.voucher_disputes.amount_cents is 'Minor units of currency that are disputed.';
comment on column public.voucher_disputes.respond_by is 'Until when the venue may answer; null when it may not, or need not.';
comment on column public.voucher_disputes.as_of is 'The newest instant at which the provider''s state was read.';

-- for: the disputes of an order, and the foreign key
create index voucher_disputes_order_id_idx on public.voucher_disputes (organization_id, order_id);

grant select on public.voucher_disputes to authenticated;

alter table public.voucher_disputes enable row level security;

create policy voucher_disputes_select on public.voucher_disputes
for select to authenticated
using (organization_id = (select private.organization_with('payments:read')));

create trigger voucher_disputes_touch_updated_at
before update on public.voucher_disputes
for each row execute function private.touch_updated_at();

create function private.follow_voucher_money(organization_id uuid, voucher_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  bought public.voucher_orders;
  voucher public.vouchers;
  lost bigint;
  missing bigint;
  loss bigint;
begin
  -- The voucher first: nobody pays with it meanwhile, and what is read after it is what counts.
  select v.* into voucher
  from public.vouchers as v
  where v.organization_id = follow_voucher_money.organization_id and v.id = follow_voucher_money.voucher_id
  for no key update;
  select o.* into bought
  from public.voucher_orders as o
  where o.organization_id = voucher.organization_id and o.voucher_id = voucher.id;
  if not found then
    return;
  end if;
  select coalesce(sum(d.amount_cents) filter (where d.status = 'lost'), 0) into lost
  from public.voucher_disputes as d
  where d.organization_id = bought.organization_id and d.order_id = bought.id;
  select least(lost + coalesce(sum(r.amount_cents), 0), bought.amount_cents) into missing
  from public.voucher_refunds as r
  where r.organization_id = bought.organization_id
    and r.order_id = bought.id
    and r.status in ('pending', 'succeeded');
  select missing + coalesce(sum(e.amount_cents), 0) into missing
  from public.voucher_entries as e
  where e.organization_id = voucher.organization_id
    and e.voucher_id = voucher.id
    and e.kind in ('revoked', 'restored', 'cancelled');

  -- What staff cancelled is gone from the voucher, whatever becomes of the money.
  if missing > 0 and voucher.balance_cents > 0 or missing < 0 and voucher.status <> 'cancelled' then
    insert into public.voucher_entries (organization_id, voucher_id, kind, amount_cents)
    values (
      voucher.organization_id, voucher.id, case when missing > 0 then 'revoked' else 'restored' end,
      -least(missing, voucher.balance_cents)
    );
    missing := greatest(missing - voucher.balance_cents, 0);
  end if;

  -- What a dispute took and the voucher had spent before is the venue's loss; the rest stands against the issue.
  loss := least(greatest(missing, 0), lost);
  perform private.write_ledger(row(
    bought.organization_id, null, 'voucher_order', bought.id, null, 'dispute_losses', 'vouchers_issued',
    loss - private.ledger_balance_of(bought.organization_id, 'voucher_order', bought.id, 'dispute_losses'),
    bought.currency, null, null, now(), null
  )::public.ledger_entries);

  update public.vouchers as v
  set status = b.status
  from (
    select case when exists (
      select from public.voucher_disputes as d
      where d.organization_id = bought.organization_id
        and d.order_id = bought.id
        and private.dispute_withholds(d.status)
    ) then 'blocked' else 'active' end as status
  ) as b
  where v.organization_id = voucher.organization_id
    and v.id = voucher.id
    and v.status <> 'cancelled'
    and v.status <> b.status;
end
$$;

comment on function private.follow_voucher_money is
  'Takes off a bought voucher what went back of the money that paid for it, as far as it goes, or puts it on again; blocks it while a dispute is open; writes what was lost. Calling it again changes nothing.';

create function private.follow_returned_voucher()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.follow_voucher_money(new.organization_id, new.voucher_id);
  return null;
end
$$;

comment on function private.follow_returned_voucher is
  'What comes back to a voucher whose own money went back meanwhile is not there to be spent.';

-- After follow_voucher_entry, by its name: the balance has it by then.
create trigger follow_voucher_entry_s_order
after insert on public.voucher_entries
for each row when (new.kind = 'returned')
execute function private.follow_returned_voucher();

create function private.ledger_voucher_refund()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  bought public.voucher_orders;
  returned bigint;
begin
  perform private.write_ledger(row(
    new.organization_id, null, 'voucher_refund', new.id, null, 'vouchers_issued', 'stripe_balance',
    case new.status when 'succeeded' then new.amount_cents else 0 end
    - private.ledger_balance_of(new.organization_id, 'voucher_refund', new.id, 'vouchers_issued'),
    new.currency, null, null, coalesce(new.as_of, now()), null
  )::public.ledger_entries);
  -- The part of the platform's fee, over all refunds together: when all is refunded, all of it is back.
  select o.* into bought
  from public.voucher_orders as o
  where o.organization_id = new.organization_id and o.id = new.order_id;
  select coalesce(sum(r.amount_cents), 0) into returned
  from public.voucher_refunds as r
  where r.organization_id = new.organization_id and r.order_id = new.order_id and r.status = 'succeeded';
  perform private.write_ledger(row(
    new.organization_id, null, 'voucher_order', bought.id, null, 'platform_fees', 'stripe_balance',
    bought.platform_fee_cents - round(bought.platform_fee_cents::numeric * returned / bought.amount_cents)
    - private.ledger_balance_of(new.organization_id, 'voucher_order', bought.id, 'platform_fees'),
    new.currency, null, null, coalesce(new.as_of, now()), null
  )::public.ledger_entries);
  perform private.follow_voucher_money(bought.organization_id, bought.voucher_id);
  return null;
end
$$;

comment on function private.ledger_voucher_refund is
  'Writes what went back of a bought voucher''s money into the ledger, or came again, with the part of the platform''s fee.';

create trigger ledger_voucher_refund
after insert or update of status, amount_cents on public.voucher_refunds
for each row execute function private.ledger_voucher_refund();

create function private.ledger_voucher_dispute()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  withheld bigint := case when new.status in ('needs_response', 'under_review', 'lost') then new.amount_cents else 0 end;
  lost bigint := case new.status when 'lost' then new.amount_cents else 0 end;
begin
  perform private.write_ledger(row(
    new.organization_id, null, 'voucher_dispute', new.id, null, 'disputes', 'stripe_balance',
    withheld + private.ledger_balance_of(new.organization_id, 'voucher_dispute', new.id, 'stripe_balance'),
    new.currency, null, null, new.as_of, null
  )::public.ledger_entries);
  perform private.write_ledger(row(
    new.organization_id, null, 'voucher_dispute', new.id, null, 'vouchers_issued', 'disputes',
    lost - private.ledger_balance_of(new.organization_id, 'voucher_dispute', new.id, 'vouchers_issued'),
    new.currency, null, null, new.as_of, null
  )::public.ledger_entries);
  perform private.follow_voucher_money(new.organization_id, o.voucher_id)
  from public.voucher_orders as o
  where o.organization_id = new.organization_id and o.id = new.order_id;
  return null;
end
$$;

comment on function private.ledger_voucher_dispute is
  'What the provider withholds of a bought voucher''s money, gives back when the dispute is won, and keeps when it is lost.';

create trigger ledger_voucher_dispute
after insert or update of status, amount_cents on public.voucher_disputes
for each row execute function private.ledger_voucher_dispute();

create function private.announce_voucher_dispute()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.queue_dispute_mails(new.organization_id, jsonb_build_object('voucher_dispute_id', new.id), new.id);
  return null;
end
$$;

comment on function private.announce_voucher_dispute is 'The outbox: a new dispute writes a mail to each owner in the same transaction.';

create trigger announce_voucher_dispute
after insert on public.voucher_disputes
for each row when (new.status not in ('won', 'lost', 'warning_closed'))
execute function private.announce_voucher_dispute();

create function private.voucher_is_disputed(organization_id uuid, order_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.voucher_disputes as d
    where d.organization_id = voucher_is_disputed.organization_id
      and d.order_id = voucher_is_disputed.order_id
      and private.dispute_withholds(d.status)
  );
end
$$;

comment on function private.voucher_is_disputed is
  'Whether the buyer''s bank withholds what an order paid: the provider refunds nothing of it until that is decided.';

create function private.shrink_voucher_promise(bought public.voucher_orders)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  too_much bigint;
  promise public.voucher_refunds;
begin
  select coalesce(sum(r.amount_cents), 0) - bought.amount_cents into too_much
  from public.voucher_refunds as r
  where r.organization_id = bought.organization_id
    and r.order_id = bought.id
    and r.status in ('pending', 'succeeded');
  select too_much + coalesce(sum(d.amount_cents), 0) into too_much
  from public.voucher_disputes as d
  where d.organization_id = bought.organization_id and d.order_id = bought.id and d.status = 'lost';
  select r.* into promise
  from public.voucher_refunds as r
  where r.organization_id = bought.organization_id
    and r.order_id = bought.id
    and r.status = 'pending'
    and r.provider_refund_id is null;
  if too_much > 0 and found then
    update public.voucher_refunds as r
    set status = case when r.amount_cents <= too_much then 'withdrawn' else r.status end,
      amount_cents = case when r.amount_cents <= too_much then r.amount_cents else r.amount_cents - too_much end
    where r.organization_id = promise.organization_id and r.id = promise.id;
  end if;
end
$$;

comment on function private.shrink_voucher_promise is
  'Takes what has gone back already, at the provider or by a lost dispute, out of what is promised of a locked order and not made yet.';

create function private.is_voucher_refund(job private.jobs, payment_id text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.voucher_refunds as r
    join public.voucher_orders as o on o.organization_id = r.organization_id and o.id = r.order_id
    where r.organization_id = job.organization_id
      and r.id = (job.payload ->> 'refund_request_id')::uuid
      and o.provider_payment_id = is_voucher_refund.payment_id
  );
end
$$;

comment on function private.is_voucher_refund is 'Whether a job carries out a refund of the voucher that this payment bought.';

create function private.voucher_refund_request(job private.jobs)
returns service.refund_request
language plpgsql
stable
set search_path = ''
as $$
declare
  answer service.refund_request;
begin
  select
    r.id, r.organization_id, null, o.id::text, r.status, r.amount_cents, r.currency, r.reason, o.provider_payment_id,
    o.stripe_account, r.provider_refund_id, o.platform_fee_cents > 0,
    private.voucher_is_disputed(o.organization_id, o.id),
    (select count(*) from public.voucher_disputes as d where d.organization_id = o.organization_id and d.order_id = o.id)
  into answer
  from public.voucher_refunds as r
  join public.voucher_orders as o on o.organization_id = r.organization_id and o.id = r.order_id
  where r.organization_id = job.organization_id and r.id = (job.payload ->> 'refund_request_id')::uuid;
  return answer;
end
$$;

comment on function private.voucher_refund_request is
  'The refund of a bought voucher that a job carries out, as that of a booking; null: it carries out none.';

create function private.apply_voucher_refund(bought public.voucher_orders, refund jsonb)
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
  found_refund public.voucher_refunds;
begin
  select r.* into found_refund
  from public.voucher_refunds as r
  where r.organization_id = bought.organization_id and r.provider_refund_id = refund ->> 'id';
  if not found then
    select r.* into found_refund
    from public.voucher_refunds as r
    where r.organization_id = bought.organization_id
      and r.id = (refund ->> 'refund_request_id')::uuid
      and r.order_id = bought.id
      and r.provider_refund_id is null;
  end if;
  if found_refund.status = 'failed' or found_refund.status = 'succeeded' and reached = 'pending' then
    reached := found_refund.status;
  end if;

  if found_refund.id is null then
    -- Made by hand on the provider's dashboard.
    insert into public.voucher_refunds (
      organization_id, order_id, amount_cents, currency, reason, status, provider_refund_id, as_of
    )
    values (
      bought.organization_id, bought.id, (refund ->> 'amount')::bigint, bought.currency, 'provider', reached,
      refund ->> 'id', (refund ->> 'as_of')::timestamptz
    )
    returning * into found_refund;
  else
    update public.voucher_refunds as r
    set status = reached,
      provider_refund_id = refund ->> 'id',
      amount_cents = (refund ->> 'amount')::bigint,
      as_of = greatest(r.as_of, (refund ->> 'as_of')::timestamptz)
    where r.organization_id = found_refund.organization_id and r.id = found_refund.id;
  end if;

  -- What the provider has paid back already is taken out of what is promised and not made yet.
  if reached <> 'failed' then
    perform private.shrink_voucher_promise(bought);
  end if;
  return row(found_refund.id, reached)::service.applied_refund;
end
$$;

comment on function private.apply_voucher_refund is
  'private.apply_refund of a payment that bought a voucher: its order, locked.';

create function private.apply_voucher_dispute(bought public.voucher_orders, dispute jsonb)
returns service.applied_dispute
language plpgsql
volatile
set search_path = ''
as $$
declare
  dispute_id uuid;
begin
  insert into public.voucher_disputes as d (
    organization_id, order_id, provider_dispute_id, status, reason, amount_cents, currency, respond_by, as_of
  )
  values (
    bought.organization_id, bought.id, dispute ->> 'id', dispute ->> 'status',
    coalesce(dispute ->> 'reason', 'general'), (dispute ->> 'amount')::bigint, upper(dispute ->> 'currency'),
    (dispute ->> 'respond_by')::timestamptz, (dispute ->> 'as_of')::timestamptz
  )
  on conflict on constraint voucher_disputes_provider_dispute_key do update
  set status = excluded.status,
    reason = excluded.reason,
    amount_cents = excluded.amount_cents,
    respond_by = excluded.respond_by,
    as_of = excluded.as_of
  where d.as_of <= excluded.as_of
  returning d.id into dispute_id;
  perform private.shrink_voucher_promise(bought);
  if not private.voucher_is_disputed(bought.organization_id, bought.id) then
    perform private.queue_refund(r.organization_id, r.id)
    from public.voucher_refunds as r
    where r.organization_id = bought.organization_id
      and r.order_id = bought.id
      and r.status = 'pending'
      and r.provider_refund_id is null;
  end if;
  return row(dispute_id, bought.organization_id, null, dispute ->> 'status')::service.applied_dispute;
end
$$;

comment on function private.apply_voucher_dispute is
  'private.apply_dispute of a payment that bought a voucher: its order, locked.';

create function private.voucher_refund_is_stuck(refund public.voucher_refunds)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return refund.status = 'pending'
    and refund.provider_refund_id is null
    and not private.refund_has_job(refund.id);
end
$$;

comment on function private.voucher_refund_is_stuck is
  'Whether nobody is working on a promised refund: its job was given up, or it waits until a dispute is decided.';

create function private.staff_voucher_order(organization_id uuid, order_id uuid)
returns public.voucher_orders
language plpgsql
volatile
set search_path = ''
as $$
declare
  bought public.voucher_orders;
begin
  select o.* into bought
  from public.voucher_orders as o
  where o.organization_id = staff_voucher_order.organization_id and o.id = staff_voucher_order.order_id
  for no key update;
  if not found then
    perform private.fail('voucher_order_not_found', 404, 'Choose one of the organization''s voucher orders.');
  end if;
  return bought;
end
$$;

comment on function private.staff_voucher_order is
  'An order of an organization, locked. Raises 404 voucher_order_not_found.';

create function private.refund_voucher_order(organization_id uuid, order_id uuid)
returns public.voucher_refunds
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  bought public.voucher_orders;
  voucher public.vouchers;
  refund public.voucher_refunds;
  gone bigint;
begin
  perform private.require_permission(refund_voucher_order.organization_id, 'payments:refund');
  -- Its row is answered.
  perform private.require_permission(refund_voucher_order.organization_id, 'payments:read');
  bought := private.staff_voucher_order(refund_voucher_order.organization_id, refund_voucher_order.order_id);
  if bought.status <> 'paid' then
    perform private.fail('voucher_not_paid', 409, 'Nothing was paid for it.');
  end if;
  select v.* into voucher
  from public.vouchers as v
  where v.organization_id = bought.organization_id and v.id = bought.voucher_id
  for no key update;
  select r.* into refund
  from public.voucher_refunds as r
  where r.organization_id = bought.organization_id
    and r.order_id = bought.id
    and r.reason = 'staff'
    and r.status in ('pending', 'succeeded');
  if not found then
    select coalesce(sum(r.amount_cents), 0) into gone
    from public.voucher_refunds as r
    where r.organization_id = bought.organization_id
      and r.order_id = bought.id
      and r.status in ('pending', 'succeeded');
    if voucher.status <> 'active' then
      perform private.fail('voucher_not_active', 409, 'It was cancelled, or a dispute about its payment is open.');
    elsif voucher.balance_cents = 0 or voucher.balance_cents <> bought.amount_cents - gone then
      perform private.fail('voucher_used', 409, 'Something of it was spent, or it went back: it is given back unspent only.');
    elsif bought.paid_at < now() - make_interval(days => bought.refund_days) then
      perform private.fail(
        'refund_too_late', 409, 'The time in which it could be given back is over.',
        jsonb_build_object('refund_days', bought.refund_days)
      );
    end if;
    -- Off the voucher in this transaction: who wants to pay with it waits, and finds it empty.
    insert into public.voucher_refunds (organization_id, order_id, amount_cents, currency, reason)
    values (bought.organization_id, bought.id, voucher.balance_cents, bought.currency, 'staff')
    returning * into refund;
  end if;
  if private.voucher_refund_is_stuck(refund)
    and not private.voucher_is_disputed(bought.organization_id, bought.id)
  then
    perform private.queue_refund(refund.organization_id, refund.id);
  end if;
  return refund;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.refund_voucher_order is
  'definer: writes refunds and entries of vouchers, which no client may write. Asks for payments:refund.';
grant execute on function private.refund_voucher_order to authenticated;

create function public.refund_voucher_order(organization_id uuid, order_id uuid)
returns public.voucher_refunds
language sql
volatile
set search_path = ''
as $$ select private.refund_voucher_order(organization_id, order_id) $$;

comment on function public.refund_voucher_order is
  'Gives a buyer back what an unspent voucher holds, within the days that were agreed when it was ordered: at once it pays nothing any more, and the money goes back to where it came from. Again, the same refund; one that the provider gave up is tried anew, and after one that the buyer''s bank sent back there is another. For members with payments:refund and payments:read. Errors: 403 permission_denied, organization_suspended; 404 voucher_order_not_found; 409 voucher_not_paid, voucher_not_active, voucher_used, refund_too_late (details {"refund_days"}).';
grant execute on function public.refund_voucher_order to authenticated;

create function private.withdraw_voucher_refund(organization_id uuid, order_id uuid)
returns public.voucher_refunds
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  bought public.voucher_orders;
  refund public.voucher_refunds;
begin
  perform private.require_permission(withdraw_voucher_refund.organization_id, 'payments:refund');
  -- Its row is answered.
  perform private.require_permission(withdraw_voucher_refund.organization_id, 'payments:read');
  bought := private.staff_voucher_order(withdraw_voucher_refund.organization_id, withdraw_voucher_refund.order_id);
  select r.* into refund
  from public.voucher_refunds as r
  where r.organization_id = bought.organization_id and r.order_id = bought.id and r.reason = 'staff'
  order by r.created_at desc, r.id desc
  limit 1;
  if refund.status = 'withdrawn' then
    return refund; -- asked again, as after a lost answer
  elsif private.voucher_refund_is_stuck(refund) is not true then
    perform private.fail('refund_not_pending', 409, 'It goes back without your doing, went back already, or was never promised.');
  end if;
  update public.voucher_refunds as r
  set status = 'withdrawn'
  where r.organization_id = refund.organization_id and r.id = refund.id
  returning r.* into refund;
  return refund;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.withdraw_voucher_refund is
  'definer: writes refunds and entries of vouchers, which no client may write. Asks for payments:refund.';
grant execute on function private.withdraw_voucher_refund to authenticated;

create function public.withdraw_voucher_refund(organization_id uuid, order_id uuid)
returns public.voucher_refunds
language sql
volatile
set search_path = ''
as $$ select private.withdraw_voucher_refund(organization_id, order_id) $$;

comment on function public.withdraw_voucher_refund is
  'Takes back the promised refund of a voucher that the provider has given up, or that waits for a dispute: the voucher holds its money again. Again, the same answer. For members with payments:refund and payments:read. Errors: 403 permission_denied, organization_suspended; 404 voucher_order_not_found; 409 refund_not_pending.';
grant execute on function public.withdraw_voucher_refund to authenticated;

-- =============================================================================
-- sql/40_money/160_payment_shares.sql
-- =============================================================================

-- Split payment: the shares in which several people pay a booking.
--
-- A share is a part of what is open, kept for one payer, who pays it by a link of their own and may do nothing else.
-- What no share covers is the organizer's, who pays it by the booking's own link. So all that can go wrong with a
-- share (its payer is late, the organizer takes it over, names others) ends in one way: the share ends, and its
-- amount is the organizer's again.
--
-- Nothing is paid twice on purpose. What the organizer can pay leaves out what open shares cover, and of a share that
-- has ended what its page still asks for, until the provider says that it is closed. Money may come all the same, late
-- and twice. It counts whole or goes back whole to who paid it, never in part:
--   of an open share           counts, if it is the share's amount;
--   of a paid one              goes back;
--   of one that has ended      counts while nobody else pays or covers that part, else it goes back;
--   of a hold that lapsed      as all late money (private.settle_booking);
--   of a cancelled booking     goes back.
-- It is decided in the transaction that writes the payment, under the booking's lock, which whoever changes a share
-- holds, too. Locks are taken in one order: the booking's, then attempts'.
--
-- What goes back of a booking with paid shares: all of it means to each payer what that payer paid; a part of it
-- (terms, a change, a no-show's fee, an amount that staff give back) is taken from all payments in the proportion of
-- what is left of them, each rounded down and the rest by largest remainder (private.apportioned); what was paid too
-- much goes back to the organizer, since a share counts only where it is wanted.

create table public.payment_shares (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  position int not null,
  payer_name text not null,
  payer_email text,
  amount_cents bigint not null,
  currency text not null,
  locale text not null,
  status text not null default 'open',
  ended_reason text,
  expires_at timestamptz not null,
  reminders int not null default 0,
  reminded_at timestamptz,
  paid_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint payment_shares_pkey primary key (organization_id, id),
  constraint payment_shares_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint payment_shares_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id),
  constraint payment_shares_payer_is_a_name check (private.is_name(payer_name, 100)),
  constraint payment_shares_payer_email_is_plausible check (private.is_email(payer_email)),
  constraint payment_shares_amount_is_positive check (amount_cents > 0),
  constraint payment_shares_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint payment_shares_locale_is_supported check (private.is_locale(locale)),
  constraint payment_shares_status_is_known check (status in ('open', 'paid', 'ended')),
  constraint payment_shares_ended_has_its_reason check ((status = 'ended') = (ended_reason is not null)),
  constraint payment_shares_ended_reason_is_known check (
    ended_reason in ('taken_over', 'late', 'changed', 'covered', 'booking_over')
  ),
  constraint payment_shares_paid_has_a_time check ((status = 'paid') = (paid_at is not null)),
  constraint payment_shares_reminders_are_0_to_3 check (reminders between 0 and 3)
);

comment on table public.payment_shares is
  'The shares in which several people pay a booking. What no open or paid share covers is the organizer''s.';
comment on column public.payment_shares.position is 'In the order in which the organizer named them.';
comment on column public.payment_shares.payer_name is 'Who pays it, as the organizer says.';
comment on column public.payment_shares.payer_email is 'Where its link is mailed to; null: the organizer hands it over, or it was erased.';
comment on column public.payment_shares.amount_cents is 'Minor units of currency.';
comment on column public.payment_shares.locale is 'The language of its page and mails, the booking''s: es, en or ca.';
comment on column public.payment_shares.status is
  'open → paid, or ended → paid when its money comes late and is still wanted. Paid stays, also when it went back.';
comment on column public.payment_shares.ended_reason is
  'Why it ended unpaid: taken_over (by the organizer), late, changed (the organizer named others), covered (paid otherwise), booking_over; null: it did not.';
comment on column public.payment_shares.expires_at is
  'Until when it can be paid: then it is the organizer''s, or lapses with the hold (organizations.late_shares).';
comment on column public.payment_shares.reminders is 'How often its payer was reminded.';
comment on column public.payment_shares.paid_at is 'When we were told of its payment; null: not paid.';

-- for: the foreign key, and the shares of a booking
create index payment_shares_booking_id_idx on public.payment_shares (organization_id, booking_id);
-- for: private.open_share_checkout, get_payment_share; a link names the share and no organization
create index payment_shares_id_idx on public.payment_shares (id);
-- for: private.end_late_shares
create index payment_shares_expires_at_idx on public.payment_shares (expires_at) where status = 'open';

grant select on public.payment_shares to authenticated;

alter table public.payment_shares enable row level security;

create trigger payment_shares_clean_names
before insert or update of payer_name on public.payment_shares
for each row execute function private.clean_texts('names', 'payer_name');

create policy payment_shares_select on public.payment_shares
for select to authenticated
using (
  organization_id = (select private.organization_with('payments:read'))
  and organization_id = (select private.organization_with('customers:read'))
);

create trigger payment_shares_touch_updated_at
before update on public.payment_shares
for each row execute function private.touch_updated_at();

alter table private.payment_attempts
add constraint payment_attempts_share_fkey foreign key (organization_id, share_id)
references public.payment_shares (organization_id, id);

-- for: the foreign key; and two people who press "pay" at once get the same attempt
create unique index payment_attempts_open_share_key on private.payment_attempts (organization_id, share_id)
where status = 'open' and share_id is not null;
-- for: the foreign key, and the attempts of a share
create index payment_attempts_share_id_idx on private.payment_attempts (organization_id, share_id)
where share_id is not null;

create table private.share_payments (
  organization_id uuid not null,
  payment_id uuid not null,
  share_id uuid not null,
  counts boolean not null,
  constraint share_payments_pkey primary key (organization_id, payment_id),
  constraint share_payments_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint share_payments_payment_fkey foreign key (organization_id, payment_id)
  references public.payments (organization_id, id),
  constraint share_payments_share_fkey foreign key (organization_id, share_id)
  references public.payment_shares (organization_id, id)
);

comment on table private.share_payments is 'Which payments came by the page of a share.';
comment on column private.share_payments.counts is 'false: nobody wanted it any more, and it went back at once.';

-- for: the foreign key, and what a share brought
create index share_payments_share_id_idx on private.share_payments (organization_id, share_id);

create function private.share_token(share_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.derived_token('payment_share', share_token.share_id::text);
end
$$;

comment on function private.share_token is
  'The secret of a share''s link, which pays it and nothing else. Derived, not drawn: each mail shows the same one, and none is stored.';

create function private.share_with_token(share_id uuid, share_token text)
returns public.payment_shares
language plpgsql
stable
set search_path = ''
as $$
declare
  share public.payment_shares;
begin
  if private.typed_token_hash(share_with_token.share_token)
    = private.token_hash(private.share_token(share_with_token.share_id))
  then
    select s.* into share from public.payment_shares as s where s.id = share_with_token.share_id;
  end if;
  if share.id is null then
    perform private.fail('share_not_found', 404, 'Check the link, or ask for it again.');
  end if;
  return share;
end
$$;

comment on function private.share_with_token is
  'The share, for whoever has its link. Raises 404 share_not_found, the same for a wrong id and a wrong token. The question is counted by whoever asks.';

create function private.shares_reserve(organization_id uuid, booking_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(sum(case s.status when 'open' then s.amount_cents else a.amount_cents end), 0)
    from public.payment_shares as s
    left join private.payment_attempts as a
      on a.organization_id = s.organization_id
      and a.share_id = s.id
      and a.status = 'open'
      -- Longer than it takes to hear of a page that has ended.
      and a.expires_at > now() - interval '1 hour'
    where s.organization_id = shares_reserve.organization_id
      and s.booking_id = shares_reserve.booking_id
      and s.status <> 'paid'
  );
end
$$;

comment on function private.shares_reserve is
  'What of a booking its shares are to pay, in minor units: the open ones, and those that have ended while their page is being closed.';

create function private.shares_are_closing(organization_id uuid, booking_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.payment_shares as s
    join private.payment_attempts as a
      on a.organization_id = s.organization_id and a.share_id = s.id and a.status = 'open'
    where s.organization_id = shares_are_closing.organization_id
      and s.booking_id = shares_are_closing.booking_id
      and s.status = 'ended'
      and a.expires_at > now() - interval '1 hour'
  );
end
$$;

comment on function private.shares_are_closing is
  'Whether the page of a share that has ended is still being closed: until then nobody else pays that part.';

create function private.is_split(organization_id uuid, booking_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.payment_shares as s
    where s.organization_id = is_split.organization_id and s.booking_id = is_split.booking_id and s.status = 'paid'
  );
end
$$;

comment on function private.is_split is 'Whether a share of the booking was paid: then its money is of several people.';

create function private.apportioned(organization_id uuid, booking_id uuid, amount_cents bigint)
returns table (payment_id uuid, part_cents bigint)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  with held as (
    select p.id, p.occurred_at, private.payment_refundable(p) as cents, private.amount_step(p.currency) as step
    from public.payments as p
    where p.organization_id = apportioned.organization_id and p.booking_id = apportioned.booking_id
  ), parts as (
    select h.id, h.occurred_at, h.step, x.exact, floor(x.exact / h.step)::bigint * h.step as cents,
      sum(floor(x.exact / h.step)::bigint * h.step) over () as given
    from held as h
    cross join lateral (
      select least(apportioned.amount_cents::numeric, t.total) * h.cents / nullif(t.total, 0) as exact
      from (select sum(every.cents) as total from held as every) as t
    ) as x
    where h.cents > 0
  )
  select p.id, p.cents + case
      when row_number() over (order by p.exact - p.cents desc, p.occurred_at desc, p.id desc)
        <= (apportioned.amount_cents - p.given) / p.step
        and p.exact > p.cents
        then p.step
      else 0
    end
  from parts as p;
end
$$;

comment on function private.apportioned is
  'How a refund of so much is taken from a booking''s payments: in the proportion of what is left of each, by largest remainder, so that the parts make the amount and none is more than what is left.';

create function private.close_share_attempt(organization_id uuid, share_id uuid, reason text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  attempt private.payment_attempts;
begin
  select a.* into attempt
  from private.payment_attempts as a
  where a.organization_id = close_share_attempt.organization_id
    and a.share_id = close_share_attempt.share_id
    and a.status = 'open'
  for update;
  perform private.close_one_attempt(attempt, close_share_attempt.reason);
end
$$;

comment on function private.close_share_attempt is 'Closes the open attempt to pay a share of a locked booking, if there is one.';

create function private.end_shares(organization_id uuid, share_ids uuid [], reason text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  share_id uuid;
begin
  for share_id in
    update public.payment_shares as s
    set status = 'ended', ended_reason = end_shares.reason
    where s.organization_id = end_shares.organization_id and s.id = any (end_shares.share_ids) and s.status = 'open'
    returning s.id
  loop
    perform private.close_share_attempt(end_shares.organization_id, share_id, 'the share is ' || end_shares.reason);
  end loop;
end
$$;

comment on function private.end_shares is
  'Ends open shares of a locked booking: what they were to pay is the organizer''s again, once their pages are closed.';

create function private.end_shares_of(organization_id uuid, booking_id uuid, reason text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.end_shares(
    end_shares_of.organization_id,
    array(
      select s.id from public.payment_shares as s
      where s.organization_id = end_shares_of.organization_id and s.booking_id = end_shares_of.booking_id and s.status = 'open'
    ),
    end_shares_of.reason
  );
end
$$;

comment on function private.end_shares_of is 'private.end_shares, for all of a locked booking.';

create function private.settle_shares(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  left_cents bigint;
begin
  if booking.status not in ('held', 'pending', 'confirmed', 'checked_in') then
    return;
  end if;
  left_cents := booking.total_cents - private.booking_covered(booking.organization_id, booking.id);
  -- Paid otherwise, or cheaper by now: from the last one on, until what is open pays the others.
  perform private.end_shares(
    booking.organization_id,
    array(
      select fitted.id
      from (
        select s.id, sum(s.amount_cents) over (order by s.position, s.id) as needed
        from public.payment_shares as s
        where s.organization_id = booking.organization_id and s.booking_id = booking.id and s.status = 'open'
      ) as fitted
      where fitted.needed > left_cents
    ),
    'covered'
  );
end
$$;

comment on function private.settle_shares is
  'Ends those open shares of a locked booking for which nothing is left to pay.';

create function private.receive_share_payment(attempt private.payment_attempts, payment public.payments)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings := private.locked_booking(payment.organization_id, payment.booking_id);
  lives boolean := booking.status in ('held', 'pending', 'confirmed', 'checked_in');
  share public.payment_shares;
  counts boolean;
  payment_id uuid;
  settled text;
begin
  if booking.currency <> payment.currency then
    perform private.fail('currency_mismatch', 422, 'Pay in the booking''s currency.');
  elsif exists (
    select from public.payments as p
    where p.organization_id = payment.organization_id and p.provider_payment_id = payment.provider_payment_id
  ) then
    return private.settle_booking(booking.organization_id, booking.id);
  end if;
  select s.* into share
  from public.payment_shares as s
  where s.organization_id = attempt.organization_id and s.id = attempt.share_id;
  counts := case
    when share.status = 'paid' then false
    when share.status = 'open' then payment.amount_cents = share.amount_cents
    when lives then payment.amount_cents <= private.payable_beside(
      booking, true, private.shares_reserve(booking.organization_id, booking.id)
    )
    -- Whether the money takes the place again, or goes back, is the booking's to say.
    else booking.status in ('expired', 'cancelled')
  end;
  payment.id := private.uuid_v7();

  if not counts then
    payment_id := private.write_payment(payment);
    insert into private.share_payments (organization_id, payment_id, share_id, counts)
    values (payment.organization_id, payment_id, share.id, false);
    perform private.request_payment_refund(payment.organization_id, payment_id, payment.amount_cents, 'overpaid');
    return private.settle_booking(booking.organization_id, booking.id);
  end if;

  if lives then
    perform private.mark_share_paid(share);
  end if;
  -- More than was due may be split: settling keeps it.
  perform private.want_what_comes(booking.organization_id, booking.id, payment.amount_cents);
  settled := private.receive_payment(payment, announced => false);
  insert into private.share_payments (organization_id, payment_id, share_id, counts)
  values (payment.organization_id, payment.id, share.id, lives or settled not in ('expired', 'cancelled'));
  if not lives and settled not in ('expired', 'cancelled') then
    perform private.mark_share_paid(share);
  end if;
  return settled;
end
$$;

comment on function private.receive_share_payment is
  'Writes a payment that came by a share''s page into the ledger, once, decides whether it counts or goes back whole, and settles the booking, whose status it returns. The booking is locked, with its room.';

create function private.mark_share_paid(share public.payment_shares)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update public.payment_shares as s
  set status = 'paid', ended_reason = null, paid_at = now()
  where s.organization_id = share.organization_id and s.id = share.id;
  perform private.tell_of_share(share, 'paid');
end
$$;

comment on function private.mark_share_paid is 'Writes that a share was paid, and tells the organizer.';

create function private.tell_of_share(share public.payment_shares, news text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'payment_share_news', 'organization_id', share.organization_id, 'booking_id', share.booking_id,
      'share_id', share.id, 'news', tell_of_share.news
    ),
    concat_ws(':', 'payment_share_news', share.id, tell_of_share.news),
    share.organization_id
  );
end
$$;

comment on function private.tell_of_share is
  'The outbox: what became of a share (paid, late) writes its mail to the organizer in the same transaction.';

create function private.end_late_shares(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  late record;
  share public.payment_shares;
  ended int := 0;
begin
  -- As private.expire_lapsed_holds: what somebody else holds is being dealt with. A hold that lapsed with its shares
  -- is expired, and they end with it.
  for late in
    select b.organization_id, b.id
    from public.bookings as b
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    where coalesce(b.hold_expires_at > now(), true)
      and (b.organization_id, b.id) in (
        select p.organization_id, p.booking_id
        from public.payment_shares as p
        where p.status = 'open' and p.expires_at <= now()
        order by p.expires_at
        limit end_late_shares.max
      )
    for no key update of s, b skip locked
  loop
    for share in
      select s.*
      from public.payment_shares as s
      where s.organization_id = late.organization_id
        and s.booking_id = late.id
        and s.status = 'open'
        and s.expires_at <= now()
      order by s.position, s.id
    loop
      perform private.end_shares(share.organization_id, array[share.id], 'late');
      perform private.tell_of_share(share, 'late');
      ended := ended + 1;
    end loop;
  end loop;
  return ended;
end
$$;

comment on function private.end_late_shares is
  'Gives back to the organizer what payers have not paid in time, of at most so many shares, and tells so; returns how many. Tidying only: a late share cannot be paid, and counts as the organizer''s once it has ended.';

create function private.open_share_checkout(share_id uuid, share_token text)
returns service.open_checkout
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  -- As private.open_checkout: the shortest life Stripe gives a session, and a minute for the way there.
  session_ends timestamptz := now() + interval '31 minutes';
  share public.payment_shares := private.share_with_token(open_share_checkout.share_id, open_share_checkout.share_token);
  booking public.bookings := private.locked_booking(share.organization_id, share.booking_id);
  account private.payment_account;
  attempt private.payment_attempts;
  ends_at timestamptz;
begin
  perform private.act_as('system', null);
  select s.* into share
  from public.payment_shares as s
  where s.organization_id = share.organization_id and s.id = share.id;
  if share.status = 'paid' then
    perform private.fail('nothing_due', 409, 'It is paid: look at the share.');
  elsif share.status = 'ended'
    or share.expires_at <= now()
    or booking.hold_expires_at <= now()
    or booking.status not in ('held', 'pending', 'confirmed', 'checked_in')
    or private.venue_is_closed(booking.organization_id)
  then
    perform private.fail('not_payable', 409, 'It cannot be paid any more: ask who booked.');
  end if;
  account := private.payment_account(booking.organization_id);
  if not account.available then
    perform private.fail('online_payment_unavailable', 409, 'The venue cannot be paid online at the moment: ask it.');
  end if;

  select a.* into attempt
  from private.payment_attempts as a
  where a.organization_id = share.organization_id and a.share_id = share.id and a.status = 'open'
  for update;
  if attempt.session_id is null
    and (attempt.created_at < now() - interval '45 seconds' or attempt.amount_cents <> share.amount_cents)
  then
    update private.payment_attempts as a
    set status = 'failed', error = 'no session was recorded'
    where a.organization_id = attempt.organization_id and a.id = attempt.id;
    attempt := null;
  elsif attempt.expires_at <= now() and exists (
    select from public.stripe_accounts as a
    where a.organization_id = attempt.organization_id
      and a.account_id = attempt.stripe_account
      and a.deauthorized_at is not null
  ) then
    -- Nobody can ask what became of it, and nobody can pay on it. Should it be heard of later, it is decided then.
    update private.payment_attempts as a
    set status = 'expired', error = 'no access to its account'
    where a.organization_id = attempt.organization_id and a.id = attempt.id;
    attempt := null;
  elsif attempt.amount_cents <> share.amount_cents or attempt.expires_at <= now() then
    perform private.fail('checkout_closing', 409, 'The former page is being closed: try again in a minute.');
  end if;

  if attempt.id is null then
    if share.amount_cents > private.payable_beside(
      booking, true, private.shares_reserve(booking.organization_id, booking.id) - share.amount_cents
    ) then
      perform private.fail('nothing_due', 409, 'Nothing of it is to be paid online now: ask who booked.');
    end if;
    -- Before the share ends, and while the venue lets more than is due be paid online.
    ends_at := share.expires_at - interval '1 minute';
    if ends_at < now() + interval '5 minutes' then
      perform private.fail('not_payable', 409, 'Too little time is left to pay it: ask who booked.');
    end if;
    insert into private.payment_attempts (
      organization_id, booking_id, share_id, amount_cents, currency, expires_at, stripe_account, platform_fee_cents
    )
    values (
      share.organization_id, share.booking_id, share.id, share.amount_cents, share.currency, session_ends,
      account.account_id,
      case
        when account.account_id is null then 0
        else private.platform_fee(
          private.plan_of(booking.organization_id), booking.currency, share.amount_cents, booking.total_cents,
          booking.party_size
        )
      end
    )
    returning * into attempt;
    if ends_at < session_ends then
      perform private.request_checkout_expiry(attempt, ends_at);
    end if;
  end if;
  return private.shown_share_checkout(share, booking, attempt);
end
$$;

comment on function private.open_share_checkout is
  'definer: the service may read no table. Proves the payer by the share''s token.';
grant execute on function private.open_share_checkout to service_role;

create function private.shown_share_checkout(
  share public.payment_shares, booking public.bookings, attempt private.payment_attempts
)
returns service.open_checkout
language plpgsql
stable
set search_path = ''
as $$
declare
  shown service.open_checkout := private.shown_checkout(booking, attempt, false);
begin
  -- The payer's page, not the organizer's; and nothing on it cancels or moves the booking.
  shown.reference := 'share-' || share.id;
  shown.locale := share.locale;
  shown.customer_email := share.payer_email;
  -- What takes days would outlast the others' patience.
  shown.delayed_methods := false;
  return shown;
end
$$;

comment on function private.shown_share_checkout is 'private.shown_checkout, for whoever pays a share.';

create function service.open_share_checkout(share_id uuid, share_token text)
returns service.open_checkout
language sql
volatile
set search_path = ''
as $$ select private.open_share_checkout(share_id, share_token) $$;

comment on function service.open_share_checkout is
  'Opens the attempt to pay one share of a booking, or returns the one that is open; reference is share-<its id>, as in its link. The page ends before the share does. Methods that take days are never offered. Errors: 404 share_not_found; 409 nothing_due, not_payable, checkout_closing, online_payment_unavailable.';
grant execute on function service.open_share_checkout to service_role;

-- =============================================================================
-- sql/40_money/170_order_payments.sql
-- =============================================================================

-- Paying an order: one page of the provider, whose money is that of several bookings.
--
-- Each booking has an attempt of its own, for what is due of it, and all of them one session: the first of them
-- (lead_id) names it at the provider. So whatever concerns the attempt of one booking (another amount is due, it was
-- cancelled, paid at the desk) closes the page of all. Its money is divided as the attempts say, and each part is a
-- payment of its booking, of one payment intent: the ledger, refunds and disputes stay a booking's.
--
-- A held order is paid at once: the link of one of its bookings opens the page of all. Once it stands, each booking is
-- paid alone by its own link, or all that is open by the order's.
--
-- Money that came after the holds had lapsed takes all the places again, or none: who ordered four rooms wants no three.

create table private.shared_attempts (
  organization_id uuid not null,
  attempt_id uuid not null,
  lead_id uuid not null,
  constraint shared_attempts_pkey primary key (organization_id, attempt_id),
  constraint shared_attempts_attempt_fkey foreign key (organization_id, attempt_id)
  references private.payment_attempts (organization_id, id) on delete cascade,
  constraint shared_attempts_lead_fkey foreign key (organization_id, lead_id)
  references private.payment_attempts (organization_id, id) on delete cascade
);

comment on table private.shared_attempts is
  'Attempts to pay several bookings on one page, by the one whose id the provider knows; that one stands here, too.';

-- for: the attempts of a page, and the foreign key
create index shared_attempts_lead_id_idx on private.shared_attempts (organization_id, lead_id);
-- for: private.attempt_lead; the provider knows the attempt's id and no organization
create index shared_attempts_attempt_id_idx on private.shared_attempts (attempt_id);

create function private.attempt_lead(attempt_id uuid)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select s.lead_id from private.shared_attempts as s where s.attempt_id = attempt_lead.attempt_id);
end
$$;

comment on function private.attempt_lead is
  'The attempt by whose id the provider knows the page of several bookings; null: the attempt has a page of its own.';

create function private.is_own_page(attempt_id uuid, attempt_token text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.attempt_lead(is_own_page.attempt_id) = is_own_page.attempt_id
    and private.token_hash(is_own_page.attempt_token)
    = private.token_hash(private.checkout_token(is_own_page.attempt_id));
end
$$;

comment on function private.is_own_page is
  'Whether it is the attempt that names a page of several bookings, and the token that of whoever opened it.';

create function private.divided(whole bigint, parts bigint [])
returns bigint []
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array(
    select (cut.until - lag(cut.until, 1, 0::bigint) over (order by cut.place))::bigint
    from (
      select
        p.place,
        floor(divided.whole::numeric * sum(p.part) over (order by p.place) / sum(p.part) over ())::bigint as until
      from unnest(parts) with ordinality as p (part, place)
    ) as cut
    order by cut.place
  );
end
$$;

comment on function private.divided is
  'An amount divided in the proportion of the parts, which are positive, to the cent: the sum is the amount.';

create function private.lock_shared_attempts(lead_id uuid)
returns setof private.payment_attempts
language plpgsql
volatile
rows 10
set search_path = ''
as $$
declare
  organization_id uuid;
  booking_ids uuid [];
begin
  -- All bookings of the order: those of which nothing is due become what the paid ones do.
  select b.organization_id, array_agg(b.id) into organization_id, booking_ids
  from private.payment_attempts as a
  join public.bookings as paid on paid.organization_id = a.organization_id and paid.id = a.booking_id
  join public.bookings as b on b.organization_id = paid.organization_id and b.order_id = paid.order_id
  where a.id = lock_shared_attempts.lead_id
  group by b.organization_id;
  perform private.lock_bookings(organization_id, booking_ids);
  perform from private.payment_attempts as a
  join private.shared_attempts as s on s.organization_id = a.organization_id and s.attempt_id = a.id
  where s.lead_id = lock_shared_attempts.lead_id
  order by a.id
  for update of a;
  return query
  select a.*
  from private.payment_attempts as a
  join private.shared_attempts as s on s.organization_id = a.organization_id and s.attempt_id = a.id
  join public.bookings as b on b.organization_id = a.organization_id and b.id = a.booking_id
  where s.lead_id = lock_shared_attempts.lead_id
  order by b.starts_at, b.id;
end
$$;

comment on function private.lock_shared_attempts is
  'The attempts of a page of several bookings, with the rooms, sessions and bookings of their order and themselves locked.';

create function private.shown_order_checkout(
  known public.booking_orders, reference text, lead_id uuid, closing boolean
)
returns service.open_checkout
language plpgsql
stable
set search_path = ''
as $$
declare
  answer service.open_checkout;
  first public.bookings;
begin
  select b.* into first
  from private.payment_attempts as a
  join public.bookings as b on b.organization_id = a.organization_id and b.id = a.booking_id
  where a.organization_id = known.organization_id and a.id = shown_order_checkout.lead_id;
  answer := private.shown_checkout(
    first,
    (
      select a from private.payment_attempts as a
      where a.organization_id = known.organization_id and a.id = shown_order_checkout.lead_id
    ),
    shown_order_checkout.closing
  );
  answer.reference := shown_order_checkout.reference;
  select sum(a.amount_cents), sum(a.platform_fee_cents), left(concat_ws(
    ' · ',
    string_agg(
      concat_ws(' ', private.room_name(r, b.locale), to_char(b.starts_at at time zone l.timezone, 'DD/MM HH24:MI')),
      ', ' order by b.starts_at, b.id
    ),
    max(o.name)
  ), 250)
  into answer.amount_cents, answer.platform_fee_cents, answer.description
  from private.payment_attempts as a
  left join private.shared_attempts as s on s.organization_id = a.organization_id and s.attempt_id = a.id
  join public.bookings as b on b.organization_id = a.organization_id and b.id = a.booking_id
  join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  join public.organizations as o on o.id = b.organization_id
  where a.organization_id = known.organization_id
    -- One that is closed for the order's may be of one booking alone.
    and (a.id = shown_order_checkout.lead_id or s.lead_id = shown_order_checkout.lead_id);
  return answer;
end
$$;

comment on function private.shown_order_checkout is 'The page of an order as the service gets to know it.';

create function private.open_order_checkout(
  known public.booking_orders, reference text, whole boolean, only_pays boolean
)
returns service.open_checkout
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- As for one booking: private.open_checkout.
  session_ends timestamptz := now() + interval '31 minutes';
  hold_wanted timestamptz := now() + interval '33 minutes';
  account private.payment_account;
  booking_ids uuid [];
  booking public.bookings;
  wanted record;
  attempt private.payment_attempts;
  page record;
  closing uuid;
  fees bigint [];
  lead_id uuid;
  attempt_id uuid;
  kept_until timestamptz;
  ends_at timestamptz;
begin
  perform private.lock_bookings(known.organization_id, array(
    select b.id from public.bookings as b
    where b.organization_id = known.organization_id and b.order_id = known.id
  ));
  booking_ids := array(
    select b.id
    from public.bookings as b
    where b.organization_id = known.organization_id
      and b.order_id = known.id
      and b.takes_capacity
      and coalesce(b.hold_expires_at > now(), true)
  );
  select b.* into booking
  from public.bookings as b
  where b.organization_id = known.organization_id and b.id = any (booking_ids)
  order by b.starts_at, b.id
  limit 1;
  perform private.act_as('customer', booking.customer_id);
  if private.venue_is_closed(known.organization_id) then
    perform private.fail('not_payable', 409, 'The venue is closed: cancel the bookings.');
  elsif booking.id is null then
    perform private.fail('not_payable', 409, 'The order is no longer held. Order again.');
  end if;
  account := private.payment_account(known.organization_id);
  if not account.available and exists (
    select from public.bookings as b
    where b.organization_id = known.organization_id and b.id = any (booking_ids) and private.booking_open(b) > 0
  ) then
    perform private.fail('online_payment_unavailable', 409, 'The venue cannot be paid online at the moment: ask it.');
  end if;

  select
    array_agg(due.id order by due.starts_at, due.id) as ids,
    array_agg(due.cents order by due.starts_at, due.id) as cents,
    array_agg(due.covers_rest order by due.starts_at, due.id) as covers_rest,
    sum(due.cents)::bigint as paid_cents,
    sum(due.total_cents)::bigint as total_cents,
    sum(due.party_size)::int as party_size,
    min(due.rest_until) filter (where due.covers_rest) as rest_until
  into wanted
  from (
    select
      b.id, b.starts_at, b.total_cents, b.party_size, asked.cents,
      asked.cents > b.due_now_cents - private.booking_covered(b.organization_id, b.id) as covers_rest,
      private.rest_payable_until(b) as rest_until
    from public.bookings as b
    cross join lateral (select private.payable_online(b, open_order_checkout.whole) as cents offset 0) as asked
    where b.organization_id = known.organization_id and b.id = any (booking_ids) and asked.cents > 0
  ) as due;
  if wanted.ids is null then
    perform private.fail('nothing_due', 409, 'Nothing is due online.');
  end if;

  -- Whether the page that is open, if there is one, is still the one that is wanted.
  for attempt in
    select a.*
    from private.payment_attempts as a
    join public.bookings as b on b.organization_id = a.organization_id and b.id = a.booking_id
    where b.organization_id = known.organization_id and b.order_id = known.id and a.status = 'open'
    order by a.id
    for update of a
  loop
    if attempt.session_id is not null and attempt.expires_at <= now() and exists (
      select from public.stripe_accounts as a
      where a.organization_id = attempt.organization_id
        and a.account_id = attempt.stripe_account
        and a.deauthorized_at is not null
    ) then
      -- Nobody can ask what became of it, and nobody can pay on it. Should it be heard of later, it counts.
      update private.payment_attempts as a
      set status = 'expired', error = 'no access to its account'
      where a.organization_id = attempt.organization_id and a.id = attempt.id;
    end if;
  end loop;
  select
    array_agg(a.booking_id order by b.starts_at, b.id) as ids,
    array_agg(a.amount_cents order by b.starts_at, b.id) as cents,
    array_agg(distinct coalesce(s.lead_id, a.id)) as leads,
    bool_and(s.lead_id is not null) as shared,
    bool_or(a.shows_customer) as shows_customer,
    max(a.session_id) as session_id,
    min(a.created_at) as created_at,
    min(a.expires_at) as expires_at
  into page
  from private.payment_attempts as a
  join public.bookings as b on b.organization_id = a.organization_id and b.id = a.booking_id
  left join private.shared_attempts as s on s.organization_id = a.organization_id and s.attempt_id = a.id
  where b.organization_id = known.organization_id and b.order_id = known.id and a.status = 'open';
  if page.shared and cardinality(page.leads) = 1
    and page.ids = wanted.ids and page.cents = wanted.cents
    and not (only_pays and page.shows_customer)
    and not exists (
      -- One of its bookings was cancelled, or paid otherwise, while the page was being made.
      select from private.shared_attempts as s
      join private.payment_attempts as a on a.organization_id = s.organization_id and a.id = s.attempt_id
      where s.organization_id = known.organization_id and s.lead_id = page.leads[1] and a.status <> 'open'
    )
    and (page.session_id is not null or page.created_at >= now() - interval '45 seconds')
  then
    if page.session_id is not null and page.expires_at <= now() then
      perform private.fail('not_payable', 409, 'The time to pay is over. Look at the order in a minute: if it was paid it will be confirmed.');
    end if;
    return private.shown_order_checkout(known, open_order_checkout.reference, page.leads[1], false);
  end if;
  for attempt in
    select a.*
    from private.payment_attempts as a
    join public.bookings as b on b.organization_id = a.organization_id and b.id = a.booking_id
    where b.organization_id = known.organization_id and b.order_id = known.id and a.status = 'open'
    order by a.id
  loop
    perform private.close_attempt(attempt.organization_id, attempt.booking_id, 'its order is paid at once, or another amount is due');
    if attempt.session_id is not null then
      closing := coalesce(private.attempt_lead(attempt.id), attempt.id);
    end if;
  end loop;
  if closing is not null then
    -- Answered, not raised: an error would take the closing back.
    return private.shown_order_checkout(known, open_order_checkout.reference, closing, true);
  end if;

  for booking in
    select b.*
    from public.bookings as b
    where b.organization_id = known.organization_id
      and b.id = any (booking_ids)
      and b.hold_expires_at < hold_wanted
    order by b.starts_at, b.id
  loop
    perform private.extend_hold(booking.organization_id, booking.id, hold_wanted);
  end loop;
  select min(b.hold_expires_at) into kept_until
  from public.bookings as b
  where b.organization_id = known.organization_id and b.id = any (booking_ids);
  if kept_until < now() + interval '5 minutes' then
    perform private.fail('not_payable', 409, 'Too little time is left to pay. Order again when the hold has ended.');
  end if;

  -- One payment's fee, in the proportion of the amounts, as it comes back with a refund of one of them.
  fees := private.divided(
    case
      when account.account_id is null then 0
      else private.platform_fee(
        private.plan_of(known.organization_id), known.currency, wanted.paid_cents, wanted.total_cents, wanted.party_size
      )
    end,
    wanted.cents
  );
  for place in 1..cardinality(wanted.ids) loop
    insert into private.payment_attempts as a (
      organization_id, booking_id, amount_cents, currency, expires_at, stripe_account, platform_fee_cents, covers_rest,
      shows_customer
    )
    values (
      known.organization_id, wanted.ids[place], wanted.cents[place], known.currency, session_ends, account.account_id,
      fees[place], wanted.covers_rest[place], not only_pays
    )
    returning a.id into attempt_id;
    lead_id := coalesce(lead_id, attempt_id);
    insert into private.shared_attempts (organization_id, attempt_id, lead_id)
    values (known.organization_id, attempt_id, lead_id);
  end loop;
  ends_at := least(kept_until - interval '1 minute', wanted.rest_until);
  if ends_at < session_ends then
    perform private.request_checkout_expiry(
      (
        select a from private.payment_attempts as a
        where a.organization_id = known.organization_id and a.id = lead_id
      ),
      ends_at
    );
  end if;
  return private.shown_order_checkout(known, open_order_checkout.reference, lead_id, false);
end
$$;

comment on function private.open_order_checkout is
  'private.open_checkout for an order: one page for what can be paid online of all its bookings that stand.';

create function private.record_order_checkout(lead_id uuid, session_id text, url text, expires_at timestamptz)
returns service.attempt_state
language plpgsql
volatile
set search_path = ''
as $$
declare
  states text [];
  known text;
  recorded boolean;
begin
  select array_agg(distinct a.status), max(a.session_id), bool_and(a.url is not null)
  into states, known, recorded
  from private.lock_shared_attempts(record_order_checkout.lead_id) as a;
  if 'failed' = any (states) then
    -- One of the bookings was cancelled, or paid otherwise, while the session was being made.
    perform private.fail('not_payable', 409, 'Something of the order has changed. Open the page again.');
  elsif known <> record_order_checkout.session_id then
    perform private.fail('attempt_has_session', 409, 'The attempt has another session: open the checkout again to get its address.');
  elsif not recorded then
    perform private.refuse_other_page(record_order_checkout.url, record_order_checkout.expires_at);
    update private.payment_attempts as a
    set session_id = record_order_checkout.session_id,
      url = record_order_checkout.url,
      expires_at = record_order_checkout.expires_at
    from private.shared_attempts as s
    where s.lead_id = record_order_checkout.lead_id
      and a.organization_id = s.organization_id
      and a.id = s.attempt_id;
  end if;
  return row(record_order_checkout.lead_id, states[1])::service.attempt_state;
end
$$;

comment on function private.record_order_checkout is
  'private.record_checkout for the page of several bookings. Raises 409 not_payable, attempt_has_session; 422 checkout_page_invalid.';

create function private.fail_order_checkout(lead_id uuid, error text)
returns service.attempt_state
language plpgsql
volatile
set search_path = ''
as $$
declare
  attempt private.payment_attempts;
  state text;
begin
  for attempt in select a.* from private.lock_shared_attempts(fail_order_checkout.lead_id) as a loop
    if attempt.status = 'open' and attempt.session_id is null then
      update private.payment_attempts as a
      set status = 'failed', error = left(fail_order_checkout.error, 2000)
      where a.organization_id = attempt.organization_id and a.id = attempt.id
      returning a.status into attempt.status;
    end if;
    if attempt.id = fail_order_checkout.lead_id then
      state := attempt.status;
    end if;
  end loop;
  return row(fail_order_checkout.lead_id, state)::service.attempt_state;
end
$$;

comment on function private.fail_order_checkout is 'private.fail_checkout for the page of several bookings.';

create function private.retake_order(organization_id uuid, booking_ids uuid [], paid bigint [])
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  part record;
  booking public.bookings;
begin
  for part in
    select b as booking, coalesce(given.cents, 0) as cents
    from public.bookings as b
    join public.booking_orders as o on o.organization_id = b.organization_id and o.id = b.order_id
    left join unnest(booking_ids, paid) as given (booking_id, cents) on given.booking_id = b.id
    where b.organization_id = retake_order.organization_id
      and b.status = 'expired'
      and b.order_id in (
        select x.order_id from public.bookings as x
        where x.organization_id = retake_order.organization_id and x.id = any (booking_ids)
      )
      -- With what was paid what cost nothing and waited for it.
      and (given.booking_id is not null or b.due_now_cents = 0)
    order by b.starts_at, b.id
  loop
    booking := part.booking;
    if booking.starts_at <= clock_timestamp()
      or private.booking_kept(booking.organization_id, booking.id) + part.cents < booking.due_now_cents
      or not private.reclaim_booking(booking.organization_id, booking.id)
    then
      raise exception using errcode = 'EM002', message = 'order_not_free';
    end if;
  end loop;
  return true;
exception
  when sqlstate 'EM002' then
    return false;
end
$$;

comment on function private.retake_order is
  'Whether all bookings of an order that lapsed have their places again now: all of them, or none is taken. paid: what came in for each of booking_ids. The caller holds them.';

create function private.settle_rest_of_order(organization_id uuid, order_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking_id uuid;
begin
  for booking_id in
    select b.id
    from public.bookings as b
    where b.organization_id = settle_rest_of_order.organization_id
      and b.order_id = settle_rest_of_order.order_id
      and b.status in ('held', 'pending')
      and b.hold_expires_at > now()
      and b.due_now_cents = 0
      and not exists (
        select from public.bookings as other
        where other.organization_id = b.organization_id
          and other.order_id = b.order_id
          and other.status in ('held', 'expired')
          and other.due_now_cents > 0
      )
    order by b.starts_at, b.id
  loop
    perform private.settle_booking(settle_rest_of_order.organization_id, booking_id);
  end loop;
end
$$;

comment on function private.settle_rest_of_order is
  'Settles those bookings of an order that cost nothing now and waited for others: once none is left that must be paid first. The caller holds the bookings.';

create function private.apply_order_session(job private.jobs, lead_id uuid, session jsonb)
returns service.applied_checkout
language plpgsql
volatile
set search_path = ''
as $$
-- As private.apply_checkout_session, for each attempt of the page.
declare
  attempts private.payment_attempts [] := array(
    select a from private.lock_shared_attempts(apply_order_session.lead_id) as a
  );
  attempt private.payment_attempts;
  outcome text := private.session_outcome(session);
  remaining bigint := (session ->> 'amount_total')::bigint;
  cents bigint [] := '{}';
  takes_again boolean := true;
  known public.booking_orders;
  state text;
  answer service.applied_checkout;
begin
  if attempts[1].id is null
    or job.kind = 'stripe.sync' and attempts[1].stripe_account is distinct from job.payload ->> 'account'
  then
    return row(null, 'unknown', null, null)::service.applied_checkout;
  end if;
  select o.* into known
  from public.bookings as b
  join public.booking_orders as o on o.organization_id = b.organization_id and o.id = b.order_id
  where b.organization_id = attempts[1].organization_id and b.id = attempts[1].booking_id;

  if outcome = 'paid' then
    -- What was asked for, each its own; should it ever be another sum, the last takes what is left.
    for place in 1..cardinality(attempts) loop
      cents[place] := case
        when place = cardinality(attempts) then remaining else least(remaining, attempts[place].amount_cents)
      end;
      remaining := remaining - cents[place];
    end loop;
    if exists (
      select from public.bookings as b
      join unnest(attempts) as a on a.organization_id = b.organization_id and a.booking_id = b.id
      where b.status = 'expired'
        -- Or has lapsed as one has that cost nothing and is not among them.
        or b.hold_expires_at <= now() and exists (
          select from public.bookings as other
          where other.organization_id = known.organization_id
            and other.order_id = known.id
            and other.status = 'expired'
            and other.due_now_cents = 0
        )
    ) and not exists (
      -- Told before: what it did then stays.
      select from public.payments as p
      where p.organization_id = known.organization_id and p.provider_payment_id = coalesce(session ->> 'payment_intent', session ->> 'id')
    ) then
      -- What lapsed with it and still has its place has it no longer: all or none.
      perform private.end_at_deadline(array_agg(b.organization_id), array_agg(b.id))
      from public.bookings as b
      where b.organization_id = known.organization_id
        and b.order_id = known.id
        and b.hold_expires_at <= now()
      having count(*) > 0;
      takes_again := private.retake_order(
        known.organization_id, array(select a.booking_id from unnest(attempts) with ordinality as a order by a.ordinality), cents
      );
    end if;
  end if;

  for place in 1..cardinality(attempts) loop
    attempt := private.follow_provider_session(attempts[place], session);
    if outcome = 'paid' and attempts[place].status <> 'paid' and attempt.covers_rest then
      perform private.want_what_comes(attempt.organization_id, attempt.booking_id, cents[place]);
    end if;
    if outcome = 'paid' and cents[place] > 0 then
      state := private.receive_payment(row(
        attempt.organization_id, null, attempt.booking_id, 'stripe',
        cents[place], upper(session ->> 'currency'),
        coalesce(session ->> 'payment_intent', session ->> 'id'), session ->> 'id',
        (session ->> 'as_of')::timestamptz, null, null, attempt.stripe_account,
        case when attempt.stripe_account is null then 0 else least(attempt.platform_fee_cents, cents[place]) end
      )::public.payments, takes_again => takes_again);
    else
      select b.status into state
      from public.bookings as b
      where b.organization_id = attempt.organization_id and b.id = attempt.booking_id;
    end if;
    if attempt.id = apply_order_session.lead_id then
      answer := row(attempt.id, attempt.status, attempt.booking_id, state)::service.applied_checkout;
    end if;
  end loop;

  if outcome = 'paid' then
    perform private.settle_rest_of_order(known.organization_id, known.id);
  elsif outcome = 'delayed' then
    perform private.wait_for_delayed(
      known.organization_id,
      array(select b.id from public.bookings as b where b.organization_id = known.organization_id and b.order_id = known.id)
    );
  end if;
  return answer;
end
$$;

comment on function private.apply_order_session is
  'private.apply_checkout_session for the page of several bookings: any order and any number of calls end the same. Of the answer booking and status are those of its first attempt.';

create function private.payments_of_intent(payment public.payments)
returns setof public.payments
language plpgsql
stable
rows 1
set search_path = ''
as $$
begin
  return query
  select p.*
  from public.payments as p
  join public.bookings as b on b.organization_id = p.organization_id and b.id = p.booking_id
  where p.organization_id = payment.organization_id
    and p.provider_payment_id = payment.provider_payment_id
    and p.stripe_account is not distinct from payment.stripe_account
  order by b.starts_at, b.id;
end
$$;

comment on function private.payments_of_intent is
  'All payments that are parts of the provider''s payment, as of an order, in order of their bookings; mostly it alone.';

create function private.lock_payments_of_intent(payment public.payments)
returns public.payments
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking_ids uuid [] := array(select p.booking_id from private.payments_of_intent(payment) as p);
begin
  if cardinality(booking_ids) = 1 then
    return private.locked_payment(payment);
  end if;
  -- Bookings of an order are not merged, so each keeps its payment.
  perform private.lock_bookings(payment.organization_id, booking_ids);
  return payment;
end
$$;

comment on function private.lock_payments_of_intent is
  'A payment as it is now, with its booking locked, and those that were paid with it.';

create function private.refund_shares(payment public.payments, refund jsonb)
returns private.refund_share []
language plpgsql
stable
set search_path = ''
as $$
declare
  shares private.refund_share [];
  remaining bigint := (refund ->> 'amount')::bigint;
  part record;
  share bigint;
begin
  -- Heard of before: as it was divided then.
  shares := array(
    select row(q.payment_id, q.id, q.amount_cents)::private.refund_share
    from private.refund_requests as q
    where q.organization_id = payment.organization_id and q.provider_refund_id = refund ->> 'id'
    order by q.id
  );
  if cardinality(shares) = 1 then
    shares[1].cents := remaining;
    return shares;
  elsif cardinality(shares) > 1 then
    return shares;
  end if;
  shares := array(
    select row(q.payment_id, q.id, remaining)::private.refund_share
    from private.refund_requests as q
    join private.payments_of_intent(payment) as p on p.organization_id = q.organization_id and p.id = q.payment_id
    where q.organization_id = payment.organization_id
      and q.id = (refund ->> 'refund_request_id')::uuid
      and q.provider_refund_id is null
      -- Settled by hand meanwhile: then this is another refund.
      and q.status <> 'succeeded'
  );
  if cardinality(shares) = 1 then
    return shares;
  end if;
  -- On the dashboard, of a payment of several bookings: first what is promised and not made, then what can still go
  -- back, booking by booking; what is more than all of it belongs to the last.
  shares := '{}';
  for part in
    select p.id, coalesce((
      select sum(q.amount_cents)
      from private.refund_requests as q
      where q.organization_id = p.organization_id
        and q.payment_id = p.id
        and q.status = 'pending'
        and q.provider_refund_id is null
    ), 0)::bigint as promised
    from private.payments_of_intent(payment) as p
  loop
    share := least(remaining, part.promised);
    shares := shares || row(part.id, null, share)::private.refund_share;
    remaining := remaining - share;
  end loop;
  for place in 1..cardinality(shares) loop
    share := case
      when place = cardinality(shares) then remaining
      else least(remaining, (
        select private.payment_refundable(p) from public.payments as p
        where p.organization_id = payment.organization_id and p.id = shares[place].payment_id
      ))
    end;
    shares[place].cents := shares[place].cents + share;
    remaining := remaining - share;
  end loop;
  return array(select s from unnest(shares) as s where s.cents > 0);
end
$$;

comment on function private.refund_shares is
  'To which payments a refund of the provider belongs, and with how much: the one that it was promised for; of one that was made on the dashboard those of the payment intent. The caller holds their bookings.';

-- =============================================================================
-- sql/50_people/010_permissions.sql
-- =============================================================================

-- Permissions of customers and waivers.

select private.permission_upsert(
  'customers:create', 'customers', true,
  'Add customers', 'Añadir clientes',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'customers:update', 'customers', true,
  'Change, tag and merge customers', 'Cambiar, etiquetar y unir clientes',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'customers:export', 'customers', false,
  'Export all that is known of a customer', 'Exportar todos los datos de un cliente',
  array['admin', 'manager']
);
select private.permission_upsert(
  'customers:erase', 'customers', true,
  'Erase a customer for good', 'Borrar un cliente para siempre',
  array['admin']
);
select private.permission_upsert(
  'waivers:read', 'waivers', false,
  'See waivers and who signed them', 'Ver los descargos de responsabilidad y quién los firmó',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'waivers:collect', 'waivers', true,
  'Have waivers signed at the venue', 'Recoger firmas de descargos en el local',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'waivers:manage', 'waivers', true,
  'Publish waivers and open kiosks', 'Publicar descargos y abrir quioscos de firma',
  array['admin', 'manager']
);

-- =============================================================================
-- sql/50_people/020_consents.sql
-- =============================================================================

-- Consents: what a customer agreed to or took back, when, and to which wording.

create table public.customer_consents (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  customer_id uuid not null,
  booking_id uuid,
  kind text not null,
  granted boolean not null,
  wording text not null default '',
  locale text not null,
  occurred_at timestamptz not null default clock_timestamp(),
  counts_from timestamptz default now(),
  constraint customer_consents_pkey primary key (organization_id, id),
  constraint customer_consents_customer_fkey foreign key (organization_id, customer_id)
  references public.customers (organization_id, id) on delete restrict,
  constraint customer_consents_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete restrict,
  constraint customer_consents_kind_is_known check (kind in ('terms', 'marketing', 'privacy')),
  constraint customer_consents_wording_is_kept_when_granted check (
    private.is_text(wording, 20000) and (not granted or wording <> '')
  ),
  constraint customer_consents_locale_is_supported check (private.is_locale(locale))
);

comment on table public.customer_consents is
  'Append-only: a change of mind is a further row, and the latest of a kind counts. Anybody can type somebody''s address: what was said with a booking counts once that is vouched for (private.booking_is_vouched).';
comment on column public.customer_consents.counts_from is
  'Since when it counts; null: not yet, and perhaps never, since nobody vouches for its booking.';
comment on column public.customer_consents.booking_id is 'The booking with which, or through whose link, it was said; null: otherwise.';
comment on column public.customer_consents.kind is 'terms (of the calendar), marketing, privacy.';
comment on column public.customer_consents.wording is 'The text that the customer saw.';

-- for: the latest consent of a kind, and the foreign key
create index customer_consents_customer_id_idx on public.customer_consents (
  organization_id, customer_id, kind, occurred_at desc
);
-- for: the foreign key, and the consents given with a booking
create index customer_consents_booking_id_idx on public.customer_consents (organization_id, booking_id);

grant select on public.customer_consents to authenticated;

alter table public.customer_consents enable row level security;

create policy customer_consents_select on public.customer_consents
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create function private.refuse_consent_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' and old.organization_id::text = current_setting('escapemaster.erasing', true) then
    return old;
  elsif tg_op = 'UPDATE'
    -- Two customers become one: what was said stays as it was.
    and old.organization_id::text = current_setting('escapemaster.merging', true)
    and to_jsonb(new) - 'customer_id' = to_jsonb(old) - 'customer_id'
  then
    return new;
  elsif tg_op = 'UPDATE'
    and old.counts_from is null and new.counts_from is not null
    and to_jsonb(new) - 'counts_from' = to_jsonb(old) - 'counts_from'
  then
    return new;
  end if;
  raise exception '% is append-only', tg_table_name
    using errcode = 'restrict_violation', hint = 'Write a further entry: the latest counts.';
end
$$;

comment on function private.refuse_consent_change is
  'Keeps consents as they were given, for their owner too; only merging two customers gives them to the other one, a booking that is vouched for lets its own count, and only erasing a whole organization deletes them.';

create trigger customer_consents_refuse_change
before update or delete on public.customer_consents
for each row execute function private.refuse_consent_change();

create trigger customer_consents_refuse_truncate
before truncate on public.customer_consents
for each statement execute function private.refuse_consent_change();

create function private.check_consents(consents jsonb)
returns void
language plpgsql
immutable
set search_path = ''
as $$
declare
  field text;
begin
  field := case
    when jsonb_typeof(consents) <> 'array' then 'consents'
    -- There are three kinds; a longer list is not looked at.
    when jsonb_array_length(consents) > 3 then 'kind'
    when exists (select from jsonb_array_elements(consents) as c where jsonb_typeof(c) <> 'object') then 'consents'
    when exists (
      select from jsonb_array_elements(consents) as c
      where coalesce(c ->> 'kind', '') not in ('terms', 'marketing', 'privacy')
    ) or (select count(*) <> count(distinct c ->> 'kind') from jsonb_array_elements(consents) as c) then 'kind'
    when exists (
      select from jsonb_array_elements(consents) as c
      where coalesce(jsonb_typeof(c -> 'granted'), 'null') <> 'boolean'
    ) then 'granted'
    when exists (
      select from jsonb_array_elements(consents) as c
      where coalesce(jsonb_typeof(c -> 'wording'), 'null') not in ('string', 'null')
        or length(private.clean_note(c ->> 'wording')) > 20000
        or ((c ->> 'granted')::boolean and coalesce(private.clean_note(c ->> 'wording'), '') = '')
    ) then 'wording'
  end;
  if field is not null then
    perform private.fail(
      'consents_invalid', 422,
      'Give at most one consent of each kind (terms, marketing, privacy), with granted (true or false) and the wording that was shown, at most 20000 characters.',
      jsonb_build_object('field', field)
    );
  end if;
end
$$;

comment on function private.check_consents is
  'Raises 422 consents_invalid, details {"field"}, unless this is a list of what somebody said, [{kind, granted, wording}].';

create function private.record_consents(
  organization_id uuid,
  customer_id uuid,
  booking_id uuid,
  consents jsonb,
  locale text,
  counts boolean,
  said_at timestamptz default null
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if coalesce(consents, '[]') = '[]' then
    -- Nothing was said; an insert of no rows would still be told to the log.
    return;
  end if;
  perform private.check_consents(consents);
  insert into public.customer_consents (
    organization_id, customer_id, booking_id, kind, granted, wording, locale, occurred_at, counts_from
  )
  select
    record_consents.organization_id, record_consents.customer_id, record_consents.booking_id,
    c ->> 'kind', (c ->> 'granted')::boolean, coalesce(private.clean_note(c ->> 'wording'), ''), record_consents.locale,
    coalesce(record_consents.said_at, clock_timestamp()), case when record_consents.counts then now() end
  from jsonb_array_elements(coalesce(consents, '[]')) as c;
end
$$;

comment on function private.record_consents is
  'Keeps what a customer said, [{kind, granted, wording}], then or (null) now, and whether it counts at once. The caller holds the customer, as private.customer_with_email does. Raises 422 consents_invalid, details {"field"}.';

create function private.count_consents(organization_id uuid, booking_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update public.customer_consents as c
  set counts_from = now()
  where c.organization_id = count_consents.organization_id
    and c.booking_id = count_consents.booking_id
    and c.counts_from is null;
end
$$;

comment on function private.count_consents is 'Lets what was said with a booking count from now on.';

create function private.hear_payer()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings;
begin
  select b.* into booking
  from public.bookings as b
  where b.organization_id = new.organization_id and b.id = new.booking_id;
  -- What is not confirmed yet is heard when it is.
  perform private.hear_customer(booking);
  return null;
end
$$;

comment on function private.hear_payer is 'Of a booking that was confirmed unpaid: its first payment vouches for it.';

create type public.consent as (
  granted boolean,
  at timestamptz,
  wording text,
  locale text
);

comment on type public.consent is 'What somebody said last about one thing.';
comment on column public.consent.granted is 'Whether it was agreed to, and not taken back since.';
comment on column public.consent.at is 'When it was said.';
comment on column public.consent.wording is 'The text that the customer saw; empty where it was taken back.';
comment on column public.consent.locale is 'Of the wording; one of: es, en, ca';

create type public.consents as (
  terms public.consent,
  privacy public.consent,
  marketing public.consent
);

comment on type public.consents is 'What a customer agrees to, by kind.';
comment on column public.consents.terms is 'Of the calendar''s terms; null: never spoken of.';
comment on column public.consents.privacy is 'null: never spoken of.';
comment on column public.consents.marketing is 'null: never spoken of.';

create function private.latest_consents(organization_id uuid, customer_id uuid, booking_id uuid default null)
returns public.consents
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      (array_agg(latest.consent) filter (where latest.kind = 'terms'))[1],
      (array_agg(latest.consent) filter (where latest.kind = 'privacy'))[1],
      (array_agg(latest.consent) filter (where latest.kind = 'marketing'))[1]
    )::public.consents
    from (
      select distinct on (c.kind)
        c.kind, row(c.granted, c.occurred_at, c.wording, c.locale)::public.consent as consent
      from public.customer_consents as c
      where c.organization_id = latest_consents.organization_id
        and c.customer_id = latest_consents.customer_id
        and case
          when latest_consents.booking_id is null then c.counts_from is not null
          else c.booking_id = latest_consents.booking_id
        end
      order by c.kind, c.occurred_at desc, c.id desc
    ) as latest
  );
end
$$;

comment on function private.latest_consents is
  'What a customer agrees to now, by kind, from what counts; with a booking, what was said with that one alone, whether it counts or not.';

create function private.withdraw_consent(reference text, manage_token text, kind text)
returns public.consents
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(withdraw_consent.reference, withdraw_consent.manage_token);
  counts boolean;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  if coalesce(withdraw_consent.kind, '') not in ('marketing', 'privacy') then
    perform private.fail('consent_kind_invalid', 422, 'Withdraw marketing or privacy; who does not accept the terms cancels the booking.');
  end if;
  -- Under the booking's lock its customer stays the same.
  booking := private.locked_booking(booking.organization_id, booking.id);
  perform private.act_as('customer', booking.customer_id);
  -- Whose word counts can take back all of the customer's.
  counts := private.booking_is_vouched(booking);
  if (to_jsonb(private.latest_consents(booking.organization_id, booking.customer_id, booking.id))
    #> array[withdraw_consent.kind, 'granted'])::boolean
    or counts and (to_jsonb(private.latest_consents(booking.organization_id, booking.customer_id))
      #> array[withdraw_consent.kind, 'granted'])::boolean
  then
    perform private.record_consents(
      booking.organization_id, booking.customer_id, booking.id,
      jsonb_build_array(jsonb_build_object('kind', withdraw_consent.kind, 'granted', false)),
      booking.locale, counts
    );
  end if;
  return private.latest_consents(booking.organization_id, booking.customer_id, booking.id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.withdraw_consent is
  'definer: writes consents for whoever holds a manage token of the customer''s.';
grant execute on function private.withdraw_consent to anon, authenticated;

create function public.withdraw_consent(reference text, manage_token text, kind text)
returns public.consents
language sql
volatile
set search_path = ''
as $$ select private.withdraw_consent(reference, manage_token, kind) $$;

comment on function public.withdraw_consent is
  'Takes back what the customer of a booking agreed to (kind: marketing or privacy), from now on; withdrawing again changes nothing. Of a booking that nobody vouches for (an unpaid hold) it takes back what was said with that booking. Answers what was said with this booking and holds now: nothing of the customer''s other bookings. For anybody with the booking''s link. Errors: 404 booking_not_found; 422 consent_kind_invalid; 429 rate_limited.';
grant execute on function public.withdraw_consent to anon, authenticated;

create trigger hear_payer
after insert on public.payments
for each row execute function private.hear_payer();

-- =============================================================================
-- sql/50_people/030_customers.sql
-- =============================================================================

-- Customers from the staff's side: their history, and two that are one person; and a person's
-- own bookings, wherever they are.

create table private.customer_merges (
  organization_id uuid not null,
  merged_id uuid not null,
  customer_id uuid not null,
  merged_at timestamptz not null default now(),
  constraint customer_merges_pkey primary key (organization_id, merged_id),
  constraint customer_merges_customer_fkey foreign key (organization_id, customer_id)
  references public.customers (organization_id, id) on delete cascade
);

comment on table private.customer_merges is
  'Customers whose rows are gone because they were merged into another. Who merged them is in the audit log; erasing the other one finds their log through this.';
comment on column private.customer_merges.customer_id is 'Whom they are now.';

-- for: the foreign key, and all that a customer once was
create index customer_merges_customer_id_idx on private.customer_merges (organization_id, customer_id);

create function private.lock_customers(organization_id uuid, customer_ids uuid [])
returns void
language plpgsql
volatile
set search_path = ''
as $$
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
$$;

comment on function private.lock_customers is
  'Locks customers with their bookings until the transaction ends. Raises 404 customer_not_found, 409 customer_erased.';

create type public.customer as (
  id uuid,
  email text,
  full_name text,
  phone text,
  locale text,
  staff_note text,
  erased_at timestamptz,
  created_at timestamptz,
  updated_at timestamptz,
  tags text []
);

comment on type public.customer is 'A customer as staff see one.';
comment on column public.customer.id is 'Of the customer.';
comment on column public.customer.email is 'In lower case; null: staff booked without one, or without customers:read. Of an erased customer: erased-<id>@erased.invalid.';
comment on column public.customer.full_name is 'As in the newest booking that is vouched for; null without customers:read.';
comment on column public.customer.phone is 'null: none was given, or without customers:read.';
comment on column public.customer.locale is 'one of: es, en, ca';
comment on column public.customer.staff_note is 'For the staff only; empty without one, null without customers:read.';
comment on column public.customer.erased_at is 'Since when it names nobody; null: it names somebody.';
comment on column public.customer.created_at is 'When the customer was first known.';
comment on column public.customer.updated_at is 'When anything of it last changed.';
comment on column public.customer.tags is 'In their order; null without customers:read.';

create function private.shown_customer(customer public.customers)
returns public.customer
language plpgsql
stable
set search_path = ''
as $$
begin
  -- As the policy of customers: whoever changes one is told no more than they may read.
  if not private.has_permission(customer.organization_id, 'customers:read') then
    return row(
      customer.id, null, null, null, customer.locale, null, customer.erased_at, customer.created_at, customer.updated_at, null
    )::public.customer;
  end if;
  return row(
    customer.id, customer.email, customer.full_name, customer.phone, customer.locale, customer.staff_note,
    customer.erased_at, customer.created_at, customer.updated_at,
    array(
      select t.tag
      from public.customer_tags as t
      where t.organization_id = customer.organization_id and t.customer_id = customer.id
      order by t.tag
    )
  )::public.customer;
end
$$;

comment on function private.shown_customer is 'A customer as staff see it, with tags.';

create function private.merge_customers(organization_id uuid, keep_id uuid, merge_id uuid)
returns public.customer
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  merged public.customers;
  kept public.customers;
  reference record;
begin
  perform private.require_permission(merge_customers.organization_id, 'customers:update');
  -- Whoever has the kept address has the bookings of both from then on.
  perform private.refuse_in_a_visit(merge_customers.organization_id);
  if merge_customers.keep_id is null or merge_customers.merge_id is null
    or merge_customers.keep_id = merge_customers.merge_id
  then
    perform private.fail('merge_invalid', 422, 'Name two different customers.');
  end if;
  perform private.lock_customers(
    merge_customers.organization_id, array[merge_customers.keep_id, merge_customers.merge_id]
  );
  -- The kept one's, where it takes over an address, are asked about by its own row's trigger.
  if private.has_bookings_to_come(merge_customers.organization_id, merge_customers.merge_id) then
    perform private.require_booking_rights(merge_customers.organization_id);
  end if;

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
  return private.shown_customer(kept);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.merge_customers is
  'definer: moves bookings and what else refers to a customer, which no client may write.';
grant execute on function private.merge_customers to authenticated;

create function public.merge_customers(organization_id uuid, keep_id uuid, merge_id uuid)
returns public.customer
language sql
volatile
set search_path = ''
as $$ select private.merge_customers(organization_id, keep_id, merge_id) $$;

comment on function public.merge_customers is
  'Makes two customers one, for good: bookings, consents, tags and all else of merge_id become keep_id''s, whose address, name and language stay; an address and a phone are taken over where there was none, notes are joined (cut at 5000 characters). The ledger is not touched. An address of merge_id that is not taken over is free: a new booking with it makes a new customer. For members with customers:update, and with bookings:cancel and bookings:update where bookings to come change their address. Errors: 403 permission_denied (details {"permission"}), organization_suspended, refused_in_a_visit; 404 customer_not_found; 409 customer_erased; 422 merge_invalid; 429 mail_limit_reached (details {"limit", "maximum"}; not where the customer is left without an address).';
grant execute on function public.merge_customers to authenticated;

create type public.customer_totals as (
  bookings bigint,
  visits bigint,
  no_shows bigint,
  cancelled bigint,
  upcoming bigint,
  last_visit_at timestamptz,
  currency text,
  paid_cents bigint,
  refunded_cents bigint
);

comment on type public.customer_totals is 'A customer''s bookings in numbers.';
comment on column public.customer_totals.bookings is 'Without expired holds, and those that were merged with another.';
comment on column public.customer_totals.visits is 'Of those who came.';
comment on column public.customer_totals.no_shows is 'Of those who did not.';
comment on column public.customer_totals.cancelled is 'By either side.';
comment on column public.customer_totals.upcoming is 'That are still to come.';
comment on column public.customer_totals.last_visit_at is 'When the last one that came began; null: none did.';
comment on column public.customer_totals.currency is 'Of the amounts, ISO 4217.';
comment on column public.customer_totals.paid_cents is 'All payments, in minor units; null without payments:read.';
comment on column public.customer_totals.refunded_cents is 'All refunds, in minor units; null without payments:read.';

create type public.customer_visit as (
  id uuid,
  reference text,
  status text,
  starts_at timestamptz,
  room_id uuid,
  room_name text,
  party_size int,
  currency text,
  total_cents bigint,
  paid_cents bigint,
  refunded_cents bigint,
  staff_note text
);

comment on type public.customer_visit is 'A booking in the history of its customer.';
comment on column public.customer_visit.id is 'Of the booking.';
comment on column public.customer_visit.reference is 'As the customer knows it.';
comment on column public.customer_visit.status is 'one of bookings.status';
comment on column public.customer_visit.starts_at is 'Of the game.';
comment on column public.customer_visit.room_id is 'Of the room.';
comment on column public.customer_visit.room_name is 'As it is called now.';
comment on column public.customer_visit.party_size is 'People.';
comment on column public.customer_visit.currency is 'Of the amounts, ISO 4217.';
comment on column public.customer_visit.total_cents is 'Price, tax included, in minor units.';
comment on column public.customer_visit.paid_cents is 'All payments, in minor units; null without payments:read.';
comment on column public.customer_visit.refunded_cents is 'All refunds, in minor units; null without payments:read.';
comment on column public.customer_visit.staff_note is 'For the staff only; empty without one.';

create type public.customer_history as (
  customer public.customer,
  consents public.consents,
  totals public.customer_totals,
  bookings public.customer_visit []
);

comment on type public.customer_history is 'A customer with all bookings.';
comment on column public.customer_history.customer is 'The customer.';
comment on column public.customer_history.consents is 'What the customer agrees to now.';
comment on column public.customer_history.totals is 'The bookings in numbers.';
comment on column public.customer_history.bookings is 'Newest first.';

create function private.get_customer_history(organization_id uuid, customer_id uuid)
returns public.customer_history
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  customer public.customers;
  shows_money boolean;
begin
  perform private.require_permission(get_customer_history.organization_id, 'customers:read');
  perform private.require_permission(get_customer_history.organization_id, 'bookings:read');
  shows_money := private.has_permission(get_customer_history.organization_id, 'payments:read');
  select c.* into customer
  from public.customers as c
  where c.organization_id = get_customer_history.organization_id and c.id = get_customer_history.customer_id;
  if not found then
    perform private.fail('customer_not_found', 404, 'Choose one of the organization''s customers; they may have been merged.');
  end if;

  return (
    select row(
      private.shown_customer(customer),
      private.latest_consents(customer.organization_id, customer.id),
      row(
        count(*) filter (where b.status <> 'expired' and b.merged_into_id is null),
        count(*) filter (where b.status in ('checked_in', 'in_progress', 'completed')),
        count(*) filter (where b.status = 'no_show'),
        count(*) filter (where b.status = 'cancelled' and b.merged_into_id is null),
        count(*) filter (where b.status in ('held', 'pending', 'confirmed') and b.starts_at > now()),
        max(b.starts_at) filter (where b.status in ('checked_in', 'in_progress', 'completed')),
        (select o.currency from public.organizations as o where o.id = customer.organization_id),
        case when shows_money then coalesce(sum(balance.paid_cents), 0) end,
        case when shows_money then coalesce(sum(balance.refunded_cents), 0) end
      )::public.customer_totals,
      coalesce(
        array_agg(
          row(
            b.id, b.reference, b.status, b.starts_at, b.room_id, r.name, b.party_size, b.currency, b.total_cents,
            case when shows_money then balance.paid_cents end,
            case when shows_money then balance.refunded_cents end,
            b.staff_note
          )::public.customer_visit
          order by b.starts_at desc, b.id desc
        ),
        '{}'
      )
    )::public.customer_history
    from (
      select
        q.id, q.reference, q.starts_at, q.room_id, q.party_size, q.currency, q.total_cents, q.staff_note,
        q.merged_into_id,
        case when q.hold_expires_at <= now() then 'expired' else q.status end as status
      from public.bookings as q
      where q.organization_id = customer.organization_id and q.customer_id = customer.id
    ) as b
    join public.rooms as r on r.organization_id = customer.organization_id and r.id = b.room_id
    cross join private.booking_balance(customer.organization_id, b.id) as balance
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_customer_history is
  'definer: reads a customer of a named organization whatever organization the request acts for.';
grant execute on function private.get_customer_history to authenticated;

create function public.get_customer_history(organization_id uuid, customer_id uuid)
returns public.customer_history
language sql
stable
set search_path = ''
as $$ select private.get_customer_history(organization_id, customer_id) $$;

comment on function public.get_customer_history is
  'A customer with all bookings, what was agreed to, and numbers. For members with customers:read and bookings:read. Errors: 403 permission_denied; 404 customer_not_found.';
grant execute on function public.get_customer_history to authenticated;

create type public.my_booking as (
  id uuid,
  organization public.venue,
  reference text,
  status text,
  hold_expires_at timestamptz,
  starts_at timestamptz,
  ends_at timestamptz,
  timezone text,
  room_id uuid,
  room_name text,
  party_size int,
  currency text,
  total_cents bigint,
  due_now_cents bigint
);

comment on type public.my_booking is 'A booking of the signed-in person.';
comment on column public.my_booking.id is 'What my_booking_token is asked with.';
comment on column public.my_booking.organization is 'The venue.';
comment on column public.my_booking.reference is 'What people call it by.';
comment on column public.my_booking.status is 'one of bookings.status';
comment on column public.my_booking.hold_expires_at is 'When an unpaid one lapses; null: it does not.';
comment on column public.my_booking.starts_at is 'Of the game.';
comment on column public.my_booking.ends_at is 'Of the game.';
comment on column public.my_booking.timezone is 'IANA zone of the venue.';
comment on column public.my_booking.room_id is 'The game''s room.';
comment on column public.my_booking.room_name is 'As it is called.';
comment on column public.my_booking.party_size is 'People.';
comment on column public.my_booking.currency is 'ISO 4217, upper case.';
comment on column public.my_booking.total_cents is 'The price, minor units, tax included.';
comment on column public.my_booking.due_now_cents is 'Of the total, what confirms the booking.';

create function private.my_bookings(max_rows int)
returns setof public.my_booking
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  address text := private.require_proven_email();
begin
  return query
  select
    b.id, row(o.name, o.slug)::public.venue, shown.reference, shown.status, shown.hold_expires_at, shown.starts_at,
    shown.ends_at, shown.timezone, shown.room_id, shown.room_name, shown.party_size, shown.currency,
    shown.total_cents, shown.due_now_cents
  from public.customers as c
  join public.organizations as o on o.id = c.organization_id
  join public.bookings as b on b.organization_id = c.organization_id and b.customer_id = c.id
  cross join private.show_booking(b) as shown
  where c.email = address
    and b.status <> 'expired'
  order by b.starts_at desc, b.id
  limit least(greatest(coalesce(my_bookings.max_rows, 100), 1), 500);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.my_bookings is
  'definer: finds a person''s bookings in every organization, of which policies show the caller none.';
grant execute on function private.my_bookings to authenticated;

create function public.my_bookings(max_rows int default 100)
returns setof public.my_booking
language sql
stable
set search_path = ''
as $$ select * from private.my_bookings(max_rows) $$;

comment on function public.my_bookings is
  'The signed-in person''s bookings of every organization, latest start first, at most max_rows (1 to 500): those whose customer has the account''s proven e-mail address. my_booking_token gives what the other functions of a booking ask for. Errors: 401 not_authenticated, session_ended; 403 email_not_proven (no mail to the address came back yet, or it counts only in a session that a mail opened), user_required for an API key.';
grant execute on function public.my_bookings to authenticated;

insert into private.rate_limit_rules (action, scope, max_hits, window_seconds, description)
values ('my_booking_token', 'user', 60, 3600, 'Links of own bookings asked for by one user')
on conflict (action, scope) do update
set max_hits = excluded.max_hits,
  window_seconds = excluded.window_seconds,
  description = excluded.description;

create type public.booking_link as (
  reference text,
  manage_token text
);

comment on type public.booking_link is 'What the functions of a booking ask for.';
comment on column public.booking_link.reference is 'Of the booking.';
comment on column public.booking_link.manage_token is 'Its secret; whoever has it moves, pays and cancels.';

create function private.my_booking_token(booking_id uuid)
returns public.booking_link
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  address text := private.require_proven_email();
  booking public.bookings;
begin
  perform private.limit_rate('my_booking_token', 'user', auth.uid()::text);
  select b.* into booking
  from public.bookings as b
  join public.customers as c on c.organization_id = b.organization_id and c.id = b.customer_id
  join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
  where b.id = my_booking_token.booking_id
    and c.email = address
    and b.takes_capacity
    and s.ends_at > now();
  if not found then
    perform private.fail('booking_not_found', 404, 'Choose one of my_bookings that is still to come.');
  end if;
  return row(booking.reference, private.derived_token('booking', booking.id::text))::public.booking_link;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.my_booking_token is
  'definer: finds a person''s booking in any organization and makes its token, which nobody else may.';
grant execute on function private.my_booking_token to authenticated;

create function public.my_booking_token(booking_id uuid)
returns public.booking_link
language sql
volatile
set search_path = ''
as $$ select private.my_booking_token(booking_id) $$;

comment on function public.my_booking_token is
  'What moving, paying or cancelling one of my_bookings takes. Only of a booking that is neither over nor cancelled, one at a time and at most 60 an hour, since a token outlives the session that asked for it. Errors: 401 not_authenticated, session_ended; 403 email_not_proven, user_required for an API key; 404 booking_not_found; 429 rate_limited.';
grant execute on function public.my_booking_token to authenticated;

-- =============================================================================
-- sql/50_people/040_waiver_texts.sql
-- =============================================================================

-- Waivers: what players sign, in versions that never change.

create table public.waiver_texts (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  room_id uuid,
  version int not null,
  texts jsonb not null,
  published_at timestamptz not null default now(),
  constraint waiver_texts_pkey primary key (organization_id, id),
  constraint waiver_texts_version_key unique (organization_id, version),
  constraint waiver_texts_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete restrict,
  constraint waiver_texts_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint waiver_texts_version_is_positive check (version > 0),
  constraint waiver_texts_are_texts check (private.is_texts(texts, 50000) and texts <> '{}')
);

comment on table public.waiver_texts is
  'Versions of the waiver, each for the whole venue or for one room. The newest of the room counts, else the newest of the venue. A version never changes: a signature says which one was signed.';
comment on column public.waiver_texts.room_id is 'Null: for every room without a text of its own.';
comment on column public.waiver_texts.version is 'Counted through in the organization, so that a number means one wording.';
comment on column public.waiver_texts.texts is 'One wording a language, {"es": "…", "en": "…"}.';

-- for: private.current_waiver, and the foreign key
create index waiver_texts_room_id_idx on public.waiver_texts (organization_id, room_id, version desc);

grant select on public.waiver_texts to authenticated;

alter table public.waiver_texts enable row level security;

create trigger waiver_texts_clean_notes
before insert or update of texts on public.waiver_texts
for each row execute function private.clean_texts('notes', 'texts');

create policy waiver_texts_select on public.waiver_texts
for select to authenticated
using (organization_id = (select private.organization_with('waivers:read')));

create function private.refuse_waiver_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception 'a published waiver never changes'
    using errcode = 'restrict_violation', hint = 'Publish another version.';
end
$$;

comment on function private.refuse_waiver_change is 'Keeps published wordings as they were signed, for their owner too.';

-- Deleting is refused by the signatures, and left to rooms that go without having been booked.
create trigger waiver_texts_refuse_change
before update on public.waiver_texts
for each row execute function private.refuse_waiver_change();

create function private.current_waiver(organization_id uuid, room_id uuid)
returns public.waiver_texts
language plpgsql
stable
set search_path = ''
as $$
declare
  waiver public.waiver_texts;
begin
  select w.* into waiver
  from public.waiver_texts as w
  where w.organization_id = current_waiver.organization_id
    and (w.room_id = current_waiver.room_id or w.room_id is null)
  order by w.room_id is null, w.version desc
  limit 1;
  return waiver;
end
$$;

comment on function private.current_waiver is
  'What is signed for a room now; a row of nulls when the venue has published nothing.';

create type public.published_waiver as (
  id uuid,
  room_id uuid,
  version int,
  published_at timestamptz
);

comment on type public.published_waiver is 'A version of the waiver, from now on.';
comment on column public.published_waiver.id is 'Of the version.';
comment on column public.published_waiver.room_id is 'Whose waiver it is; null: of all rooms without one of their own.';
comment on column public.published_waiver.version is 'Counted through in the organization.';
comment on column public.published_waiver.published_at is 'Since when it is signed.';

create function private.publish_waiver(organization_id uuid, texts jsonb, room_id uuid)
returns public.published_waiver
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  published public.waiver_texts;
begin
  perform private.require_permission(publish_waiver.organization_id, 'waivers:manage');
  -- Guests sign it.
  perform private.refuse_in_a_visit(publish_waiver.organization_id);
  if not private.is_texts(private.clean_json(publish_waiver.texts), 50000) or publish_waiver.texts = '{}' then
    perform private.fail('texts_invalid', 422, 'Give the text in at least one language (es, en, ca), each of 1 to 50000 characters.');
  elsif publish_waiver.room_id is not null and not exists (
    select from public.rooms as r
    where r.organization_id = publish_waiver.organization_id and r.id = publish_waiver.room_id
  ) then
    perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
  end if;
  -- Whoever publishes at the same time takes the next number.
  loop
    insert into public.waiver_texts (organization_id, room_id, version, texts)
    select
      publish_waiver.organization_id, publish_waiver.room_id, coalesce(max(w.version), 0) + 1, publish_waiver.texts
    from public.waiver_texts as w
    where w.organization_id = publish_waiver.organization_id
    on conflict on constraint waiver_texts_version_key do nothing
    returning * into published;
    exit when found;
  end loop;
  return row(published.id, published.room_id, published.version, published.published_at)::public.published_waiver;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.publish_waiver is
  'definer: writes wordings, which no client may write.';
grant execute on function private.publish_waiver to authenticated;

create function public.publish_waiver(organization_id uuid, texts jsonb, room_id uuid default null)
returns public.published_waiver
language sql
volatile
set search_path = ''
as $$ select private.publish_waiver(organization_id, texts, room_id) $$;

comment on function public.publish_waiver is
  'Publishes the next version of the waiver, {"es": "…", "en": "…"}, for all rooms or for one, from now on; what was signed before stays signed. For members with waivers:manage. Errors: 403 permission_denied, organization_suspended, refused_in_a_visit; 404 room_not_found; 422 texts_invalid.';
grant execute on function public.publish_waiver to authenticated;

-- =============================================================================
-- sql/50_people/050_waiver_signatures.sql
-- =============================================================================

-- Signatures under a waiver: by a link that every member of the party may have, since it can do
-- nothing but sign; for oneself, and for minors by a guardian. And what a game waits for.

create table public.waiver_signatures (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  waiver_text_id uuid not null,
  version int not null,
  locale text not null,
  full_name text not null,
  email text,
  plays boolean not null,
  minors jsonb not null default '[]',
  people int not null,
  signed_at timestamptz not null default clock_timestamp(),
  constraint waiver_signatures_pkey primary key (organization_id, id),
  constraint waiver_signatures_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete restrict,
  constraint waiver_signatures_waiver_text_fkey foreign key (organization_id, waiver_text_id)
  references public.waiver_texts (organization_id, id) on delete restrict,
  constraint waiver_signatures_locale_is_supported check (private.is_locale(locale)),
  constraint waiver_signatures_full_name_is_a_name check (private.is_name(full_name, 200)),
  constraint waiver_signatures_email_is_plausible check (private.is_email(email)),
  constraint waiver_signatures_minors_are_a_list check (jsonb_typeof(minors) = 'array'),
  constraint waiver_signatures_are_for_somebody check (people > 0)
);

comment on table public.waiver_signatures is
  'Who signed which wording for which booking. The drawing is kept apart, in private.waiver_drawings.';
comment on column public.waiver_signatures.version is 'The wording''s, so that it can be read without it.';
comment on column public.waiver_signatures.locale is 'Language in which the wording was read.';
comment on column public.waiver_signatures.plays is 'False for a guardian who only signs for minors.';
comment on column public.waiver_signatures.minors is 'Whom the signer is the guardian of: [{full_name, birth_year}].';
comment on column public.waiver_signatures.people is 'For how many it counts: the signer, if playing, and the minors.';

-- for: the signatures of a booking, and the foreign key
create index waiver_signatures_booking_id_idx on public.waiver_signatures (organization_id, booking_id);
-- for: the foreign key
create index waiver_signatures_waiver_text_id_idx on public.waiver_signatures (organization_id, waiver_text_id);

grant select on public.waiver_signatures to authenticated;

alter table public.waiver_signatures enable row level security;

create policy waiver_signatures_select on public.waiver_signatures
for select to authenticated
using (organization_id = (select private.organization_with('waivers:read')));

create table private.waiver_drawings (
  organization_id uuid not null,
  signature_id uuid not null,
  drawing text not null,
  address_hash text,
  constraint waiver_drawings_pkey primary key (organization_id, signature_id),
  constraint waiver_drawings_signature_fkey foreign key (organization_id, signature_id)
  references public.waiver_signatures (organization_id, id) on delete cascade,
  constraint waiver_drawings_drawing_has_at_most_50_kilobytes check (length(drawing) between 1 and 51200)
);

comment on table private.waiver_drawings is 'The drawn signatures, apart from what the audit log copies.';
comment on column private.waiver_drawings.drawing is 'An SVG path, or a PNG as data URL.';
comment on column private.waiver_drawings.address_hash is 'Keyed hash of the address that it came from: tells whether two came from one, and nothing else.';

create function private.set_waiver_token()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.waiver_token_hash := private.token_hash(private.derived_token('waiver', new.booking_id::text));
  return new;
end
$$;

comment on function private.set_waiver_token is 'Every booking''s secrets hold the hash of its waiver''s token, whoever makes the booking.';

create trigger waiver_token
before insert on private.booking_secrets
for each row execute function private.set_waiver_token();

create type public.booking_waiver as (
  policy text,
  signed int,
  needed int,
  missing int,
  token text
);

comment on type public.booking_waiver is 'How far a party is with its waiver.';
comment on column public.booking_waiver.policy is 'Of the room; one of rooms.waiver_policy';
comment on column public.booking_waiver.signed is 'People for whom somebody has signed.';
comment on column public.booking_waiver.needed is 'People of the party; 0 where nothing is signed, as in a room where one may sign and the venue has published no text.';
comment on column public.booking_waiver.missing is 'People for whom nobody has signed yet.';
comment on column public.booking_waiver.token is 'For get_waiver and sign_waiver; null where nothing is signed, until the venue has published a text, and to whoever only pays the booking.';

create function private.booking_waiver(booking public.bookings)
returns public.booking_waiver
language plpgsql
stable
set search_path = ''
as $$
declare
  policy text;
  signed int;
  needed int;
  published boolean;
begin
  select r.waiver_policy into policy
  from public.rooms as r
  where r.organization_id = booking.organization_id and r.id = booking.room_id;
  if policy = 'none' or private.venue_is_closed(booking.organization_id) then
    return row('none', 0, 0, 0, null)::public.booking_waiver;
  end if;
  published := (private.current_waiver(booking.organization_id, booking.room_id)).id is not null;
  -- A room that requires a signature waits for the text: no game starts there without one.
  needed := case when published or policy = 'required' then booking.party_size else 0 end;
  select coalesce(sum(s.people), 0) into signed
  from public.waiver_signatures as s
  where s.organization_id = booking.organization_id and s.booking_id = booking.id;
  return row(
    policy, signed, needed, greatest(needed - signed, 0),
    case when published then private.derived_token('waiver', booking.id::text) end
  )::public.booking_waiver;
end
$$;

comment on function private.booking_waiver is
  'How far a party is with its waiver, by the policy of its room. A closed venue has no waiver, and without a published text there is none to sign.';

create function private.refuse_without_waiver()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  waiver public.booking_waiver := private.booking_waiver(new);
begin
  if waiver.policy = 'required' and waiver.missing > 0 then
    perform private.fail(
      'waiver_missing', 409,
      'Have the waiver signed for everybody who plays, or correct the party''s size.',
      to_jsonb(waiver) - 'token' - 'policy'
    );
  end if;
  return new;
end
$$;

comment on function private.refuse_without_waiver is
  'Raises 409 waiver_missing, details {"signed", "needed", "missing"}: where the room requires it, no game starts before everybody has signed.';

-- Its name puts it after refuse_unlisted_transition: a move that is not allowed is told first.
create trigger refuse_without_waiver
before update of status on public.bookings
for each row when (
  new.status = 'in_progress' and old.status <> 'in_progress'
  -- In one step, by somebody: the sweep only tidies up.
  or new.status = 'completed' and old.status = 'checked_in'
  and new.status_reason is distinct from 'nobody_said_otherwise'
)
execute function private.refuse_without_waiver();

-- =============================================================================
-- sql/50_people/060_sign_waiver.sql
-- =============================================================================

-- Reading and signing a waiver by its link, and what staff see of it.

create function private.booking_with_waiver_token(token text)
returns public.bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings;
begin
  perform private.count_attempt();
  select b.* into booking
  from private.booking_secrets as secret
  join public.bookings as given on given.organization_id = secret.organization_id and given.id = secret.booking_id
  -- Whoever has the link of a party that was merged with another signs for both.
  join public.bookings as b
    on b.organization_id = given.organization_id and b.id = coalesce(given.merged_into_id, given.id)
  join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
  join public.organizations as o on o.id = b.organization_id
  where secret.waiver_token_hash = private.typed_token_hash(booking_with_waiver_token.token)
    and r.waiver_policy <> 'none'
    and o.status <> 'closed'
    and (private.current_waiver(b.organization_id, b.room_id)).id is not null;
  if not found then
    perform private.fail('waiver_not_found', 404, 'Check the link, or ask the venue.');
  end if;
  return booking;
end
$$;

comment on function private.booking_with_waiver_token is
  'The booking whose party signs with the token, or into which it was merged; the question is counted. Raises 429 rate_limited; 404 waiver_not_found, the same for a wrong token and where there is nothing to sign.';

create function private.waiver_is_open(booking public.bookings)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return booking.status in ('pending', 'confirmed', 'checked_in', 'in_progress');
end
$$;

comment on function private.waiver_is_open is
  'Whether the party may sign: from the booking''s being made for good until its end.';

create type public.waiver as (
  organization public.venue,
  room_name text,
  starts_at timestamptz,
  timezone text,
  policy text,
  signed int,
  needed int,
  open boolean,
  version int,
  locale text,
  locales text [],
  text text
);

comment on type public.waiver is 'The waiver that a party signs; it tells nothing of who booked or signed.';
comment on column public.waiver.organization is 'Whose game it is.';
comment on column public.waiver.room_name is 'As it is called.';
comment on column public.waiver.starts_at is 'Of the game.';
comment on column public.waiver.timezone is 'IANA zone of the venue.';
comment on column public.waiver.policy is 'one of: optional, required';
comment on column public.waiver.signed is 'People for whom somebody has signed.';
comment on column public.waiver.needed is 'People of the party; 0 where nothing is signed.';
comment on column public.waiver.open is 'Whether it can be signed now.';
comment on column public.waiver.version is 'What sign_waiver is told.';
comment on column public.waiver.locale is 'Of the text; one of: es, en, ca';
comment on column public.waiver.locales is 'All in which there is a text.';
comment on column public.waiver.text is 'What is signed.';

create function private.seen_waiver(booking public.bookings, locale text)
returns public.waiver
language plpgsql
stable
set search_path = ''
as $$
declare
  waiver public.waiver_texts := private.current_waiver(booking.organization_id, booking.room_id);
  progress public.booking_waiver := private.booking_waiver(booking);
begin
  return (
    select row(
      row(o.name, o.slug)::public.venue,
      private.room_name(r, shown.locale),
      booking.starts_at,
      l.timezone,
      r.waiver_policy,
      progress.signed,
      progress.needed,
      private.waiver_is_open(booking),
      waiver.version,
      shown.locale,
      array(select k from jsonb_object_keys(waiver.texts) as k order by k),
      waiver.texts ->> shown.locale
    )::public.waiver
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    join public.organizations as o on o.id = r.organization_id
    cross join private.waiver_locale(waiver, coalesce(seen_waiver.locale, booking.locale)) as shown (locale)
    where r.organization_id = booking.organization_id and r.id = booking.room_id
  );
end
$$;

comment on function private.seen_waiver is
  'A booking''s waiver as its party sees it, in a language (null: the booking''s). Called in the statement that reads the booking, it shows one moment.';

create function private.get_waiver(token text, locale text)
returns public.waiver
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.bookings := private.booking_with_waiver_token(get_waiver.token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return (
    select private.seen_waiver(b, get_waiver.locale)
    from public.bookings as b
    where b.organization_id = known.organization_id and b.id = known.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_waiver is
  'definer: shows the waiver to whoever holds its link.';
grant execute on function private.get_waiver to anon, authenticated;

create function private.waiver_locale(waiver public.waiver_texts, wished text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select l.locale
    from unnest(array[wished, 'en', 'es', 'ca']) with ordinality as l (locale, position)
    where waiver.texts ? l.locale
    order by l.position
    limit 1
  );
end
$$;

comment on function private.waiver_locale is
  'The language in which a waiver is shown to somebody who wishes one: that one, else English, Spanish or Catalan, as private.text_in chooses.';

create function public.get_waiver(token text, locale text default null)
returns public.waiver
language sql
volatile
set search_path = ''
as $$ select private.get_waiver(token, locale) $$;

comment on function public.get_waiver is
  'The waiver that a party signs, in the wished language or another that there is. For anybody with the link. Errors: 404 waiver_not_found; 429 rate_limited.';
grant execute on function public.get_waiver to anon, authenticated;

create function private.checked_signer(signer jsonb, minors jsonb, drawing text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  full_name text := private.clean_text(signer ->> 'full_name');
  email text := nullif(private.typed_email(signer ->> 'email'), '');
  this_year int := extract(year from now())::int;
  field text;
  wrong jsonb;
begin
  field := case
    when jsonb_typeof(signer -> 'full_name') is distinct from 'string'
      or not private.is_typed_name(full_name, 200) then 'full_name'
    when coalesce(jsonb_typeof(signer -> 'email'), 'null') not in ('string', 'null')
      or not private.is_email(email) then 'email'
    when coalesce(jsonb_typeof(signer -> 'plays'), 'null') not in ('boolean', 'null') then 'plays'
  end;
  if field is not null then
    perform private.fail(
      'signer_invalid', 422,
      'Give full_name (1 to 200 characters, no link) and, if wanted, a valid email and plays (false for a guardian who only signs for minors).',
      jsonb_build_object('field', field)
    );
  end if;
  if jsonb_typeof(minors) is distinct from 'array' then
    wrong := '{}';
  elsif jsonb_array_length(minors) > 100 then
    wrong := '{}'; -- refused by its number, before each is looked at
  else
    select jsonb_build_object('position', m.position - 1, 'field', case when m.named then 'birth_year' else 'full_name' end)
    into wrong
    from (
      select
        listed.position,
        coalesce(
          jsonb_typeof(listed.item -> 'full_name') = 'string'
          and private.is_typed_name(private.clean_text(listed.item ->> 'full_name'), 200),
          false
        ) as named,
        coalesce(
          case
            when jsonb_typeof(listed.item -> 'birth_year') = 'number' and listed.item ->> 'birth_year' ~ '^\d{4}$'
              then (listed.item ->> 'birth_year')::int between this_year - 18 and this_year
          end,
          false
        ) as born
      from jsonb_array_elements(minors) with ordinality as listed (item, position)
    ) as m
    where not (m.named and m.born)
    order by m.position
    limit 1;
  end if;
  if wrong is not null then
    perform private.fail(
      'minors_invalid', 422,
      'Give each minor''s full_name (1 to 200 characters, no link) and birth_year, of people under 18, at most 100 of them.',
      wrong
    );
  end if;
  if coalesce(length(drawing), 0) not between 1 and 51200
    or not (
      drawing ~ '^[Mm][-MmLlHhVvCcSsQqTtAaZz0-9 .,]+$'
      or drawing ~ '^data:image/png;base64,[A-Za-z0-9+/]+={0,2}$'
    )
  then
    perform private.fail(
      'signature_invalid', 422,
      'Send the drawn signature as an SVG path or as a data URL of a PNG, of at most 51200 characters.'
    );
  end if;
  return jsonb_build_object(
    'full_name', full_name,
    'email', email,
    'plays', coalesce((signer -> 'plays')::boolean, true),
    'minors', (
      select coalesce(
        jsonb_agg(
          jsonb_build_object('full_name', private.clean_text(m.item ->> 'full_name'), 'birth_year', (m.item ->> 'birth_year')::int)
          order by m.position
        ),
        '[]'
      )
      from jsonb_array_elements(minors) with ordinality as m (item, position)
    )
  );
end
$$;

comment on function private.checked_signer is
  'Who signs and for whom, trimmed: {full_name, email, plays, minors}. Raises 422 signer_invalid (details {"field"}), minors_invalid (details {"position", "field"}), signature_invalid.';

create type public.signed_waiver as (
  signature_id uuid,
  signed int,
  needed int,
  version int
);

comment on type public.signed_waiver is 'That somebody signed.';
comment on column public.signed_waiver.signature_id is 'Of the signature.';
comment on column public.signed_waiver.signed is 'People for whom somebody has signed.';
comment on column public.signed_waiver.needed is 'People of the party; 0 where nothing is signed.';
comment on column public.signed_waiver.version is 'The one that was signed.';

create function private.sign_waiver(
  token text,
  version int,
  signer jsonb,
  minors jsonb,
  signature text,
  locale text,
  idempotency_key text
)
returns public.signed_waiver
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_waiver_token(sign_waiver.token);
  scope text := booking.organization_id || ':sign_waiver:' || booking.id;
  answered jsonb := private.idempotent_begin(
    scope,
    sign_waiver.idempotency_key,
    jsonb_build_object(
      'version', sign_waiver.version, 'signer', sign_waiver.signer, 'minors', sign_waiver.minors,
      'signature', sign_waiver.signature, 'locale', sign_waiver.locale
    )
  );
  waiver public.waiver_texts;
  signed_by jsonb;
  read_in text;
  people int;
  most int;
  signed int;
  signature_id uuid;
  answer public.signed_waiver;
begin
  if answered is not null then
    return jsonb_populate_record(null::public.signed_waiver, answered);
  end if;
  signed_by := private.checked_signer(sign_waiver.signer, coalesce(sign_waiver.minors, '[]'), sign_waiver.signature);
  people := (signed_by -> 'plays')::boolean::int + jsonb_array_length(signed_by -> 'minors');
  if people = 0 then
    perform private.fail('minors_invalid', 422, 'Name the minors whom you sign for, or play yourself.');
  end if;

  -- Of two signers at once the second one counts the first.
  booking := private.locked_booking(booking.organization_id, booking.id);
  waiver := private.current_waiver(booking.organization_id, booking.room_id);
  read_in := private.waiver_locale(waiver, coalesce(sign_waiver.locale, booking.locale));
  if not private.waiver_is_open(booking) then
    perform private.fail('waiver_closed', 409, 'The booking is not confirmed yet, or is over: ask the venue.');
  elsif waiver.version is distinct from sign_waiver.version then
    perform private.fail(
      'waiver_outdated', 409, 'Show the present text and have that signed.', jsonb_build_object('version', waiver.version)
    );
  end if;
  select coalesce(r.capacity_limit, r.maximum_party) into most
  from public.rooms as r
  where r.organization_id = booking.organization_id and r.id = booking.room_id;
  select coalesce(sum(s.people), 0) into signed
  from public.waiver_signatures as s
  where s.organization_id = booking.organization_id and s.booking_id = booking.id;
  if signed + people > greatest(most, booking.party_size) then
    perform private.fail(
      'waiver_full', 409, 'More have signed than the room takes: ask the venue.',
      jsonb_build_object('signed', signed, 'maximum', greatest(most, booking.party_size))
    );
  end if;

  insert into public.waiver_signatures (
    organization_id, booking_id, waiver_text_id, version, locale, full_name, email, plays, minors, people
  )
  values (
    booking.organization_id, booking.id, waiver.id, waiver.version, read_in, signed_by ->> 'full_name',
    signed_by ->> 'email', (signed_by -> 'plays')::boolean, signed_by -> 'minors', people
  )
  returning id into signature_id;
  insert into private.waiver_drawings (organization_id, signature_id, drawing, address_hash)
  values (
    booking.organization_id, signature_id, sign_waiver.signature,
    private.derived_token('address', private.client_address())
  );

  answer := row(signature_id, signed + people, booking.party_size, waiver.version)::public.signed_waiver;
  perform private.idempotent_end(scope, sign_waiver.idempotency_key, to_jsonb(answer));
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.sign_waiver is
  'definer: writes signatures for whoever holds the link.';
grant execute on function private.sign_waiver to anon, authenticated;

create function public.sign_waiver(
  token text,
  version int,
  signer jsonb,
  signature text,
  idempotency_key text,
  minors jsonb default '[]',
  locale text default null
)
returns public.signed_waiver
language sql
volatile
set search_path = ''
as $$ select private.sign_waiver(token, version, signer, minors, signature, locale, idempotency_key) $$;

comment on function public.sign_waiver is
  'Signs the waiver of a booking. version: the one that get_waiver showed; signer: {full_name, email?, plays? (false: a guardian who stays outside)}; minors: [{full_name, birth_year}] whom the signer answers for; signature: the drawing, an SVG path or a PNG as data URL, at most 51200 characters; locale: the language that was read. For anybody with the link. Errors: 404 waiver_not_found; 409 waiver_outdated (details {"version"}), waiver_closed, waiver_full (details {"signed", "maximum"}); 422 signer_invalid (details {"field"}), minors_invalid (details {"position", "field"}: of the first that is wrong, counted from 0), signature_invalid, idempotency_key_invalid, idempotency_key_reused; 429 rate_limited.';
grant execute on function public.sign_waiver to anon, authenticated;

create type public.waiver_minor as (
  full_name text,
  birth_year int
);

comment on type public.waiver_minor is 'For whom a guardian signs.';
comment on column public.waiver_minor.full_name is 'As the guardian gave it.';
comment on column public.waiver_minor.birth_year is 'Of somebody under 18.';

create type public.waiver_signature as (
  id uuid,
  booking_id uuid,
  waiver_text_id uuid,
  version int,
  locale text,
  full_name text,
  email text,
  plays boolean,
  minors public.waiver_minor [],
  people int,
  signed_at timestamptz,
  text text,
  drawing text
);

comment on type public.waiver_signature is 'A signature with what was signed.';
comment on column public.waiver_signature.id is 'Of the signature.';
comment on column public.waiver_signature.booking_id is 'Whose party signed.';
comment on column public.waiver_signature.waiver_text_id is 'The wording.';
comment on column public.waiver_signature.version is 'The wording''s.';
comment on column public.waiver_signature.locale is 'In which it was read; one of: es, en, ca';
comment on column public.waiver_signature.full_name is 'Of who signed.';
comment on column public.waiver_signature.email is 'null: none was given.';
comment on column public.waiver_signature.plays is 'False for a guardian who only signs for minors.';
comment on column public.waiver_signature.minors is 'Whom the signer is the guardian of.';
comment on column public.waiver_signature.people is 'For how many it counts.';
comment on column public.waiver_signature.signed_at is 'When.';
comment on column public.waiver_signature.text is 'What was signed.';
comment on column public.waiver_signature.drawing is 'An SVG path, or a PNG as data URL; null once its signer was erased.';

create function private.get_waiver_signature(organization_id uuid, signature_id uuid)
returns public.waiver_signature
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  shown public.waiver_signature;
begin
  perform private.require_permission(get_waiver_signature.organization_id, 'waivers:read');
  select
    s.id, s.booking_id, s.waiver_text_id, s.version, s.locale, s.full_name, s.email, s.plays,
    array(
      select row(m.item ->> 'full_name', (m.item ->> 'birth_year')::int)::public.waiver_minor
      from jsonb_array_elements(s.minors) with ordinality as m (item, position)
      order by m.position
    ),
    s.people, s.signed_at, w.texts ->> s.locale, d.drawing
  into shown
  from public.waiver_signatures as s
  join public.waiver_texts as w on w.organization_id = s.organization_id and w.id = s.waiver_text_id
  left join private.waiver_drawings as d on d.organization_id = s.organization_id and d.signature_id = s.id
  where s.organization_id = get_waiver_signature.organization_id and s.id = get_waiver_signature.signature_id;
  if not found then
    perform private.fail('signature_not_found', 404, 'Choose one of the organization''s signatures.');
  end if;
  return shown;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_waiver_signature is
  'definer: reads the drawing, which is kept where no client reads.';
grant execute on function private.get_waiver_signature to authenticated;

create function public.get_waiver_signature(organization_id uuid, signature_id uuid)
returns public.waiver_signature
language sql
stable
set search_path = ''
as $$ select private.get_waiver_signature(organization_id, signature_id) $$;

comment on function public.get_waiver_signature is
  'A signature with the wording that was signed and the drawing. For members with waivers:read. Errors: 403 permission_denied; 404 signature_not_found.';
grant execute on function public.get_waiver_signature to authenticated;

-- =============================================================================
-- sql/50_people/070_waiver_kiosks.sql
-- =============================================================================

-- Signing at the venue: a tablet in the lobby with a token of its own, or a member of staff.

create table public.waiver_kiosks (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  location_id uuid not null,
  name text not null,
  created_by uuid,
  support_entry_id uuid,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  constraint waiver_kiosks_pkey primary key (organization_id, id),
  constraint waiver_kiosks_location_fkey foreign key (organization_id, location_id)
  references public.locations (organization_id, id) on delete cascade,
  constraint waiver_kiosks_created_by_fkey foreign key (created_by) references public.profiles (user_id) on delete set null,
  constraint waiver_kiosks_support_entry_fkey foreign key (organization_id, support_entry_id)
  references public.support_entries (organization_id, id) on delete cascade,
  constraint waiver_kiosks_name_is_a_name check (private.is_name(name, 120))
);

comment on table public.waiver_kiosks is
  'Tablets on which parties of a location sign. Opened and revoked through functions only; the token is kept elsewhere, as a hash.';
comment on column public.waiver_kiosks.created_by is 'Null for an API key, and once the account is deleted.';
comment on column public.waiver_kiosks.support_entry_id is 'The visit of the platform''s support that made it, and with which it ends; null: made by a member.';
comment on column public.waiver_kiosks.revoked_at is 'From then on the token opens nothing.';

-- for: the foreign key
create index waiver_kiosks_location_id_idx on public.waiver_kiosks (organization_id, location_id);

-- for: what a person left open, and the foreign key
create index waiver_kiosks_created_by_idx on public.waiver_kiosks (created_by);
-- for: the foreign key
create index waiver_kiosks_support_entry_id_idx on public.waiver_kiosks (organization_id, support_entry_id);

grant select on public.waiver_kiosks to authenticated;

alter table public.waiver_kiosks enable row level security;

create trigger waiver_kiosks_clean_names
before insert or update of name on public.waiver_kiosks
for each row execute function private.clean_texts('names', 'name');

create policy waiver_kiosks_select on public.waiver_kiosks
for select to authenticated
using (organization_id = (select private.organization_with('waivers:read')));

create table private.waiver_kiosk_secrets (
  organization_id uuid not null,
  kiosk_id uuid not null,
  token_hash bytea not null,
  constraint waiver_kiosk_secrets_pkey primary key (organization_id, kiosk_id),
  constraint waiver_kiosk_secrets_kiosk_fkey foreign key (organization_id, kiosk_id)
  references public.waiver_kiosks (organization_id, id) on delete cascade,
  constraint waiver_kiosk_secrets_token_hash_key unique (token_hash)
);

comment on table private.waiver_kiosk_secrets is
  'Hash of each kiosk''s token. Found by hash on the whole platform: the token is all that a kiosk brings.';

create function private.create_waiver_kiosk(organization_id uuid, location_id uuid, name text)
returns public.issued_token
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  token text := private.random_token();
  kiosk_id uuid;
begin
  perform private.require_permission(create_waiver_kiosk.organization_id, 'waivers:manage');
  if private.is_name(private.clean_text(create_waiver_kiosk.name), 120) is not true then
    perform private.fail('name_invalid', 422, 'Give the kiosk a name of 1 to 120 characters.');
  elsif not exists (
    select from public.locations as l
    where l.organization_id = create_waiver_kiosk.organization_id and l.id = create_waiver_kiosk.location_id
  ) then
    perform private.fail('location_not_found', 404, 'Choose one of the organization''s locations.');
  end if;
  insert into public.waiver_kiosks (organization_id, location_id, name, created_by, support_entry_id)
  values (
    create_waiver_kiosk.organization_id, create_waiver_kiosk.location_id, create_waiver_kiosk.name,
    private.calling_person(), private.current_visit(create_waiver_kiosk.organization_id)
  )
  returning id into kiosk_id;
  insert into private.waiver_kiosk_secrets (organization_id, kiosk_id, token_hash)
  values (create_waiver_kiosk.organization_id, kiosk_id, private.token_hash(token));
  return row(kiosk_id, token)::public.issued_token;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_waiver_kiosk is
  'definer: writes the token''s hash, which no client may see.';
grant execute on function private.create_waiver_kiosk to authenticated;

create function public.create_waiver_kiosk(organization_id uuid, location_id uuid, name text)
returns public.issued_token
language sql
volatile
set search_path = ''
as $$ select private.create_waiver_kiosk(organization_id, location_id, name) $$;

comment on function public.create_waiver_kiosk is
  'Opens a kiosk on which the parties of a location sign. The token is shown this once. Made in a visit of the platform''s support, it ends with the visit. For members with waivers:manage. Errors: 403 permission_denied, organization_suspended; 404 location_not_found; 422 name_invalid.';
grant execute on function public.create_waiver_kiosk to authenticated;

create function private.revoke_waiver_kiosk(organization_id uuid, kiosk_id uuid)
returns public.revoked_token
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  revoked timestamptz;
begin
  perform private.require_permission(revoke_waiver_kiosk.organization_id, 'waivers:manage');
  update public.waiver_kiosks as k
  set revoked_at = coalesce(k.revoked_at, now())
  where k.organization_id = revoke_waiver_kiosk.organization_id and k.id = revoke_waiver_kiosk.kiosk_id
  returning k.revoked_at into revoked;
  if not found then
    perform private.fail('kiosk_not_found', 404, 'Choose one of the organization''s kiosks.');
  end if;
  return row(revoke_waiver_kiosk.kiosk_id, revoked)::public.revoked_token;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.revoke_waiver_kiosk is
  'definer: writes revoked_at, which clients may not write.';
grant execute on function private.revoke_waiver_kiosk to authenticated;

create function public.revoke_waiver_kiosk(organization_id uuid, kiosk_id uuid)
returns public.revoked_token
language sql
volatile
set search_path = ''
as $$ select private.revoke_waiver_kiosk(organization_id, kiosk_id) $$;

comment on function public.revoke_waiver_kiosk is
  'Closes a kiosk for good, from the next request on. For members with waivers:manage. Errors: 403 permission_denied, organization_suspended; 404 kiosk_not_found.';
grant execute on function public.revoke_waiver_kiosk to authenticated;

create type public.waiver_party as (
  reference text,
  room_name text,
  starts_at timestamptz,
  signed int,
  needed int,
  missing int,
  token text
);

comment on type public.waiver_party is 'A party that can sign; nobody is named.';
comment on column public.waiver_party.reference is 'Of the booking.';
comment on column public.waiver_party.room_name is 'As it is called.';
comment on column public.waiver_party.starts_at is 'Of the game.';
comment on column public.waiver_party.signed is 'People for whom somebody has signed.';
comment on column public.waiver_party.needed is 'People of the party; 0 where nothing is signed.';
comment on column public.waiver_party.missing is 'People for whom nobody has signed yet.';
comment on column public.waiver_party.token is 'For get_waiver and sign_waiver; null once the venue is closed.';

create type public.waiver_kiosk as (
  organization public.venue,
  location_name text,
  timezone text,
  parties public.waiver_party []
);

comment on type public.waiver_kiosk is 'What a kiosk offers.';
comment on column public.waiver_kiosk.organization is 'Whose kiosk it is.';
comment on column public.waiver_kiosk.location_name is 'Where it stands.';
comment on column public.waiver_kiosk.timezone is 'IANA zone of the location.';
comment on column public.waiver_kiosk.parties is 'Those that start within four hours or started within two, by time.';

create function private.parties_to_sign(organization_id uuid, location_id uuid, from_time timestamptz, to_time timestamptz)
returns public.waiver_party []
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(
      array_agg(
        row(b.reference, r.name, b.starts_at, w.signed, w.needed, w.missing, w.token)::public.waiver_party
        order by b.starts_at, r.name, b.id
      ),
      '{}'
    )
    from public.rooms as r
    join public.bookings as b
      on b.organization_id = r.organization_id
      and b.room_id = r.id
      and b.starts_at >= parties_to_sign.from_time
      and b.starts_at < parties_to_sign.to_time
    cross join private.booking_waiver(b) as w
    where r.organization_id = parties_to_sign.organization_id
      and r.location_id = parties_to_sign.location_id
      and w.token is not null
      and private.waiver_is_open(b)
  );
end
$$;

comment on function private.parties_to_sign is
  'The parties of a location that start in a time and can sign, by time.';

create function private.get_waiver_kiosk(token text)
returns public.waiver_kiosk
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  kiosk record;
begin
  perform private.count_attempt();
  perform private.limit_rate('public_read', 'address', private.client_address());
  select k.organization_id, k.location_id, row(o.name, o.slug)::public.venue as venue, l.name as location_name, l.timezone
  into kiosk
  from private.waiver_kiosk_secrets as s
  join public.waiver_kiosks as k on k.organization_id = s.organization_id and k.id = s.kiosk_id
  join public.locations as l on l.organization_id = k.organization_id and l.id = k.location_id
  join public.organizations as o on o.id = k.organization_id
  where s.token_hash = private.typed_token_hash(get_waiver_kiosk.token)
    and k.revoked_at is null
    and not private.visit_is_over(k.organization_id, k.support_entry_id)
    and o.status <> 'closed';
  if not found then
    perform private.fail('kiosk_not_found', 404, 'Ask the venue to open the kiosk anew.');
  end if;
  return row(
    kiosk.venue,
    kiosk.location_name,
    kiosk.timezone,
    -- Who comes late still signs; who comes this evening does not need to be listed yet.
    private.parties_to_sign(
      kiosk.organization_id, kiosk.location_id, now() - interval '2 hours', now() + interval '4 hours'
    )
  )::public.waiver_kiosk;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_waiver_kiosk is
  'definer: shows a location''s next parties to whoever holds a kiosk''s token.';
grant execute on function private.get_waiver_kiosk to anon, authenticated;

create function public.get_waiver_kiosk(token text)
returns public.waiver_kiosk
language sql
volatile
set search_path = ''
as $$ select private.get_waiver_kiosk(token) $$;

comment on function public.get_waiver_kiosk is
  'What a kiosk offers: the parties that start within four hours or started within two. For anybody with the kiosk''s token. Errors: 404 kiosk_not_found; 429 rate_limited.';
grant execute on function public.get_waiver_kiosk to anon, authenticated;

create function private.get_waivers_to_sign(organization_id uuid, location_id uuid, date date)
returns public.waiver_party []
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  zone text;
begin
  perform private.require_permission(get_waivers_to_sign.organization_id, 'waivers:collect');
  select l.timezone into zone
  from public.locations as l
  where l.organization_id = get_waivers_to_sign.organization_id and l.id = get_waivers_to_sign.location_id;
  if not found then
    perform private.fail('location_not_found', 404, 'Choose one of the organization''s locations.');
  end if;
  return private.parties_to_sign(
    get_waivers_to_sign.organization_id,
    get_waivers_to_sign.location_id,
    coalesce(get_waivers_to_sign.date, (now() at time zone zone)::date)::timestamp at time zone zone,
    (coalesce(get_waivers_to_sign.date, (now() at time zone zone)::date) + 1)::timestamp at time zone zone
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_waivers_to_sign is
  'definer: makes the links of bookings, which no client may.';
grant execute on function private.get_waivers_to_sign to authenticated;

create function public.get_waivers_to_sign(organization_id uuid, location_id uuid, date date default null)
returns public.waiver_party []
language sql
stable
set search_path = ''
as $$ select private.get_waivers_to_sign(organization_id, location_id, date) $$;

comment on function public.get_waivers_to_sign is
  'The parties of a location''s local date (null: today) that can sign, by time; each token is for get_waiver and sign_waiver, on the staff''s device or sent to the party. For members with waivers:collect. Errors: 403 permission_denied, organization_suspended; 404 location_not_found.';
grant execute on function public.get_waivers_to_sign to authenticated;

-- =============================================================================
-- sql/60_reservations/010_calendar.sql
-- =============================================================================

-- What the public sees: a calendar, its free times, and what one of them costs.

create function private.public_calendar(slug text)
returns public.calendars
language plpgsql
volatile
set search_path = ''
as $$
declare
  calendar public.calendars;
begin
  perform private.count_attempt();
  select c.* into calendar
  from public.calendars as c
  join public.organizations as o on o.id = c.organization_id
  where c.slug = public_calendar.slug
    and c.is_active
    and o.status = 'active'
    and coalesce(o.sales_end_at > now(), true);
  if not found then
    perform private.fail('calendar_not_found', 404, 'Check the calendar''s address.');
  end if;
  return calendar;
end
$$;

comment on function private.public_calendar is
  'The active calendar with the slug, of an active organization whose public sale goes on; the question is counted. Raises 404 calendar_not_found; 429 rate_limited.';

create function private.public_room(calendar public.calendars, room_id uuid)
returns public.rooms
language plpgsql
stable
set search_path = ''
as $$
declare
  room public.rooms;
begin
  select r.* into room
  from public.calendar_rooms as cr
  join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
  where cr.organization_id = calendar.organization_id
    and cr.calendar_id = calendar.id
    and cr.room_id = public_room.room_id
    and r.is_published;
  if not found then
    perform private.fail('room_not_found', 404, 'Choose one of the rooms that get_calendar lists.');
  end if;
  return room;
end
$$;

comment on function private.public_room is
  'A published room that the calendar sells. Raises 404 room_not_found.';

create function private.refuse_party(room public.rooms)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail(
    'party_size_invalid', 422,
    'Choose a party size that the room takes.',
    jsonb_build_object('minimum', room.minimum_party, 'maximum', room.maximum_party)
  );
end
$$;

comment on function private.refuse_party is
  'Raises 422 party_size_invalid, details {"minimum", "maximum"}.';

create type public.calendar_fee as (
  kind text,
  value bigint
);

comment on type public.calendar_fee is 'What a calendar adds to each booking.';
comment on column public.calendar_fee.kind is 'one of: none, booking, person, percent';
comment on column public.calendar_fee.value is 'Minor units, once or for each person, or percent of the rest; 0 for none.';

create type public.field_choice as (
  value text,
  label jsonb
);

comment on type public.field_choice is 'A choice of a question of kind select.';
comment on column public.field_choice.value is 'What is sent.';
comment on column public.field_choice.label is 'By language, as the venue wrote it.';

create type public.calendar_field as (
  key text,
  label jsonb,
  help jsonb,
  kind text,
  required boolean,
  pattern text,
  options public.field_choice [],
  placeholder jsonb,
  minimum_length int,
  maximum_length int,
  room_id uuid
);

comment on type public.calendar_field is 'A question that the venue asks of whoever books.';
comment on column public.calendar_field.key is 'By which the answer is sent in fields.';
comment on column public.calendar_field.label is 'By language, as the venue wrote it.';
comment on column public.calendar_field.help is 'By language, or {}.';
comment on column public.calendar_field.kind is 'one of: text, textarea, email, phone, number, select, checkbox, date';
comment on column public.calendar_field.required is 'Whether it must be answered.';
comment on column public.calendar_field.pattern is 'A regular expression that the whole answer must match; null: none.';
comment on column public.calendar_field.options is 'The choices of a select; empty for other kinds.';
comment on column public.calendar_field.placeholder is 'What stands in the empty field, by language, or {}.';
comment on column public.calendar_field.minimum_length is 'Fewest characters of an answer; null: one.';
comment on column public.calendar_field.maximum_length is 'Most characters of an answer; null: 1,000, of a textarea 2,000.';
comment on column public.calendar_field.room_id is 'The one room for which it is asked; null: for every room, and for any that one waits for.';

create type public.room_deposit as (
  kind text,
  value bigint
);

comment on type public.room_deposit is 'What of a booking is due when it is made.';
comment on column public.room_deposit.kind is 'one of: full, none, percent, fixed, person';
comment on column public.room_deposit.value is 'Percent of the total, or minor units, once or for each person.';

create type public.calendar_room as (
  id uuid,
  name text,
  slug text,
  description text,
  minimum_party int,
  maximum_party int,
  capacity int,
  duration_minutes int,
  minimum_notice_minutes int,
  maximum_advance_days int,
  mode text,
  price_per text,
  price_cents bigint,
  exclusive_price_cents bigint,
  deposit public.room_deposit,
  cancellation public.cancellation_tier [],
  waiver_policy text,
  difficulty int,
  images public.room_image [],
  extras public.room_extra [],
  location_name text,
  timezone text,
  names jsonb,
  descriptions jsonb,
  theme text,
  color text,
  video_url text,
  minimum_age int,
  minimum_age_accompanied int,
  fear int,
  physical_level int,
  languages text [],
  is_accessible boolean,
  has_actors boolean,
  tags text [],
  location_id uuid
);

comment on type public.calendar_room is 'A room that a public calendar sells. Prices in minor units of the calendar''s currency, tax included.';
comment on column public.calendar_room.id is 'What the other functions take as room_id.';
comment on column public.calendar_room.name is 'The game''s name.';
comment on column public.calendar_room.slug is 'Its name in addresses.';
comment on column public.calendar_room.description is 'May be empty.';
comment on column public.calendar_room.minimum_party is 'People, at least.';
comment on column public.calendar_room.maximum_party is 'People, at most.';
comment on column public.calendar_room.capacity is 'Seats of a session.';
comment on column public.calendar_room.duration_minutes is 'From start to end.';
comment on column public.calendar_room.minimum_notice_minutes is 'How long before the start it can still be booked.';
comment on column public.calendar_room.maximum_advance_days is 'How many days ahead it can be booked.';
comment on column public.calendar_room.mode is 'Whether parties share a session. one of: private, shared';
comment on column public.calendar_room.price_per is 'What price_cents is for. one of: person, session';
comment on column public.calendar_room.price_cents is 'For a session, or for each person.';
comment on column public.calendar_room.exclusive_price_cents is
  'What a party pays to have a shared session for itself; null: not offered.';
comment on column public.calendar_room.deposit is 'What is due when it is booked.';
comment on column public.calendar_room.cancellation is
  'What a booking agrees to by now, the most hours first; empty: all goes back until the start.';
comment on column public.calendar_room.waiver_policy is 'one of: none, optional, required';
comment on column public.calendar_room.difficulty is '1 (easy) to 5 (hard); null: not said.';
comment on column public.calendar_room.images is 'In their order; the first is the cover.';
comment on column public.calendar_room.extras is 'In their order.';
comment on column public.calendar_room.location_name is 'Where it is.';
comment on column public.calendar_room.timezone is 'IANA zone of its location.';
comment on column public.calendar_room.names is 'By language, where it is called otherwise than name says; or {}.';
comment on column public.calendar_room.descriptions is 'By language, where it is not description; or {}.';
comment on column public.calendar_room.theme is
  'null: not said. one of rooms.theme';
comment on column public.calendar_room.color is '#rrggbb; null: none.';
comment on column public.calendar_room.video_url is 'https://…; null: none.';
comment on column public.calendar_room.minimum_age is 'Years from which on one plays without an adult; null: not said.';
comment on column public.calendar_room.minimum_age_accompanied is 'Years from which on one plays with an adult; null: as alone.';
comment on column public.calendar_room.fear is '0 (not at all) to 5; null: not said.';
comment on column public.calendar_room.physical_level is 'What it asks of the body, 0 (nothing) to 5; null: not said.';
comment on column public.calendar_room.languages is 'In which the game can be played, ISO 639-1, the usual one first; empty: not said.';
comment on column public.calendar_room.is_accessible is 'Whether one can play in a wheelchair.';
comment on column public.calendar_room.has_actors is 'Whether actors play along.';
comment on column public.calendar_room.tags is 'Words of the venue''s own, in their order.';
comment on column public.calendar_room.location_id is 'Which of the calendar''s locations.';

create type public.calendar_location as (
  id uuid,
  name text,
  timezone text,
  address text,
  phone text,
  latitude numeric,
  longitude numeric,
  directions jsonb
);

comment on type public.calendar_location is 'A place where rooms of a public calendar stand.';
comment on column public.calendar_location.id is 'The location_id of its rooms.';
comment on column public.calendar_location.name is 'As the venue calls it.';
comment on column public.calendar_location.timezone is 'IANA zone by which its rooms open.';
comment on column public.calendar_location.address is 'In one line; empty when the venue gave none.';
comment on column public.calendar_location.phone is 'By which it is reached; null: none.';
comment on column public.calendar_location.latitude is 'In degrees; null: not said.';
comment on column public.calendar_location.longitude is 'In degrees; null: not said.';
comment on column public.calendar_location.directions is 'How to get there, by language, or {}.';

create type public.calendar as (
  now timestamptz,
  slug text,
  name text,
  organization public.venue,
  timezone text,
  locale text,
  locales text [],
  currency text,
  minimum_notice_minutes int,
  maximum_advance_days int,
  hold_minutes int,
  has_coupons boolean,
  has_vouchers boolean,
  flow text,
  theme text,
  accent_color text,
  terms jsonb,
  fee public.calendar_fee,
  waitlist boolean,
  shows_taken_times boolean,
  fields public.calendar_field [],
  rooms public.calendar_room [],
  venue public.venue_profile,
  locations public.calendar_location [],
  descriptions jsonb
);

comment on type public.calendar is 'A public calendar.';
comment on column public.calendar.now is 'The server''s clock: a visitor''s may be wrong.';
comment on column public.calendar.slug is 'Its name in addresses.';
comment on column public.calendar.name is 'As the venue calls it.';
comment on column public.calendar.organization is 'Whose it is.';
comment on column public.calendar.timezone is 'IANA zone of the organization; each room has its own.';
comment on column public.calendar.locale is 'The language to begin with. one of: es, en, ca';
comment on column public.calendar.locales is 'The languages that it is offered in.';
comment on column public.calendar.currency is 'ISO 4217.';
comment on column public.calendar.minimum_notice_minutes is 'How long before the start one can still book; a room may have its own.';
comment on column public.calendar.maximum_advance_days is 'How many days ahead one can book; a room may have its own.';
comment on column public.calendar.hold_minutes is 'How long a place is held.';
comment on column public.calendar.has_coupons is 'Whether a visitor may have a coupon to type in.';
comment on column public.calendar.has_vouchers is 'Whether a visitor may have a voucher to type in.';
comment on column public.calendar.flow is 'What is chosen first. one of: room_first, date_first';
comment on column public.calendar.theme is 'one of: auto, light, dark';
comment on column public.calendar.accent_color is '#rrggbb; null: the widget''s own.';
comment on column public.calendar.terms is 'What a visitor must agree to, by language; {}: nothing.';
comment on column public.calendar.fee is 'What it adds to each booking.';
comment on column public.calendar.waitlist is 'Whether one can wait for a place.';
comment on column public.calendar.shows_taken_times is
  'Whether to show what is sold out: get_availability with include_taken.';
comment on column public.calendar.fields is 'In their order.';
comment on column public.calendar.rooms is 'In their order.';
comment on column public.calendar.venue is 'What the organization tells of itself.';
comment on column public.calendar.descriptions is 'What it sells, by language, or {}.';
comment on column public.calendar.locations is 'Where its rooms stand, by name.';

create function private.calendar_fields_of(calendar public.calendars)
returns public.calendar_field []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(
      f.key, f.label, f.help, f.kind, f.required, f.pattern,
      array(select jsonb_populate_recordset(null::public.field_choice, coalesce(f.options, '[]'))),
      f.placeholder, f.minimum_length, f.maximum_length, f.room_id
    )::public.calendar_field
    from public.calendar_fields as f
    where f.organization_id = calendar.organization_id
      and f.calendar_id = calendar.id
      -- A room that nobody can book is not spoken of.
      and (f.room_id is null or exists (
        select from public.calendar_rooms as cr
        join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
        where cr.organization_id = f.organization_id
          and cr.calendar_id = f.calendar_id
          and cr.room_id = f.room_id
          and r.is_published
      ))
    order by f.position, f.key
  );
end
$$;

comment on function private.calendar_fields_of is 'The questions that a calendar asks, in their order.';

create function private.calendar_rooms_of(calendar public.calendars)
returns public.calendar_room []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(
      r.id,
      r.name,
      r.slug,
      r.description,
      r.minimum_party,
      r.maximum_party,
      r.maximum_party,
      r.duration_minutes,
      coalesce(cr.minimum_notice_minutes, calendar.minimum_notice_minutes),
      coalesce(cr.maximum_advance_days, calendar.maximum_advance_days),
      r.mode,
      r.price_per,
      r.price_cents,
      r.exclusive_price_cents,
      row(r.deposit_kind, r.deposit_value)::public.room_deposit,
      private.room_tiers(r.organization_id, r.id),
      r.waiver_policy,
      r.difficulty,
      private.room_images(r.organization_id, r.id),
      private.room_extras(r.organization_id, r.id),
      l.name,
      l.timezone,
      r.names,
      r.descriptions,
      r.theme,
      r.color,
      r.video_url,
      r.minimum_age,
      r.minimum_age_accompanied,
      r.fear,
      r.physical_level,
      r.languages,
      r.is_accessible,
      r.has_actors,
      r.tags,
      l.id
    )::public.calendar_room
    from public.calendar_rooms as cr
    join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where cr.organization_id = calendar.organization_id
      and cr.calendar_id = calendar.id
      and r.is_published
    order by cr.position, r.name, r.id
  );
end
$$;

comment on function private.calendar_rooms_of is 'The published rooms that a calendar sells, in their order.';

create function private.calendar_locations_of(rooms public.calendar_room [], organization_id uuid)
returns public.calendar_location []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(
      l.id, l.name, l.timezone, private.location_address(l), coalesce(l.phone, o.phone), l.latitude, l.longitude,
      l.directions
    )::public.calendar_location
    from public.locations as l
    join public.organizations as o on o.id = l.organization_id
    where l.organization_id = calendar_locations_of.organization_id
      and l.id in (select r.location_id from unnest(rooms) as r)
    order by l.name, l.id
  );
end
$$;

comment on function private.calendar_locations_of is 'The locations of rooms that a calendar shows. Not the arrival hints, which may say how a door opens.';

create function private.get_calendar(slug text)
returns public.calendar
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(get_calendar.slug);
  answer public.calendar;
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  answer.now := now();
  answer.slug := calendar.slug;
  answer.name := calendar.name;
  select
    row(o.name, o.slug)::public.venue,
    o.timezone,
    case when o.locale = any (calendar.locales) then o.locale else calendar.locales[1] end,
    o.currency,
    row(o.logo_path, o.website, o.contact_email, o.phone, o.descriptions, o.business_type)::public.venue_profile
  into answer.organization, answer.timezone, answer.locale, answer.currency, answer.venue
  from public.organizations as o
  where o.id = calendar.organization_id;
  answer.locales := calendar.locales;
  answer.minimum_notice_minutes := calendar.minimum_notice_minutes;
  answer.maximum_advance_days := calendar.maximum_advance_days;
  answer.hold_minutes := calendar.hold_minutes;
  answer.has_coupons := private.sells_coupons(calendar.organization_id);
  answer.has_vouchers := private.sells_vouchers(calendar.organization_id);
  answer.flow := calendar.flow;
  answer.theme := calendar.theme;
  answer.accent_color := calendar.accent_color;
  answer.terms := calendar.terms;
  answer.descriptions := calendar.descriptions;
  answer.fee := row(calendar.fee_kind, calendar.fee_value)::public.calendar_fee;
  answer.waitlist := calendar.waitlist_minutes is not null;
  answer.shows_taken_times := calendar.shows_taken_times;
  answer.fields := private.calendar_fields_of(calendar);
  answer.rooms := private.calendar_rooms_of(calendar);
  answer.locations := private.calendar_locations_of(answer.rooms, calendar.organization_id);
  -- Some 100 kB of texts and pictures' paths are what a large venue has.
  perform private.count_attempt(pg_column_size(answer) / 200000);
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_calendar is
  'definer: shows the published part of a calendar to visitors, who may read no table.';
grant execute on function private.get_calendar to anon, authenticated;

create function public.get_calendar(slug text)
returns public.calendar
language sql
volatile
set search_path = ''
as $$ select private.get_calendar(slug) $$;

comment on function public.get_calendar is
  'A public calendar with what it sells and asks. For anybody. Errors: 404 calendar_not_found; 429 rate_limited.';
grant execute on function public.get_calendar to anon, authenticated;

create type public.available_slot as (
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  local_date date,
  local_time text,
  timezone text,
  seats_available int,
  price_cents bigint,
  currency text,
  is_empty boolean
);

comment on type public.available_slot is
  'A time that can be booked, or that is taken where those were asked for, too.';
comment on column public.available_slot.room_id is 'The room.';
comment on column public.available_slot.starts_at is 'The start.';
comment on column public.available_slot.ends_at is 'The end of the game.';
comment on column public.available_slot.local_date is 'On the venue''s clock.';
comment on column public.available_slot.local_time is 'HH:MM on the venue''s clock.';
comment on column public.available_slot.timezone is 'IANA zone of the venue''s clock.';
comment on column public.available_slot.seats_available is 'Less than the party needs: it can only be waited for.';
comment on column public.available_slot.price_cents is 'For the party, in minor units, tax included.';
comment on column public.available_slot.currency is 'ISO 4217.';
comment on column public.available_slot.is_empty is
  'Nobody has a seat yet, so that a party can have a shared session for itself.';

create function private.most_slots()
returns int
language plpgsql
immutable
set search_path = ''
as $$
begin
  return 20000;
end
$$;

comment on function private.most_slots is
  'How many times get_availability answers at most, and max_rows of PostgREST, which cuts without saying so. 20,000 are 31 days of ten rooms with a start each quarter of an hour for 16 hours.';

create function private.refuse_too_many_slots(days int)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail(
    'too_many_slots', 422, 'Ask for fewer days at a time, or for one room.',
    jsonb_build_object('maximum', private.most_slots(), 'days', greatest(days, 1))
  );
end
$$;

comment on function private.refuse_too_many_slots is
  'Raises 422 too_many_slots, details {"maximum", "days"}: how many days from from_date on can be answered.';

create function private.asked_slots(
  calendar public.calendars,
  from_date date,
  to_date date,
  room_id uuid,
  party_size int,
  include_taken boolean
)
returns private.slot []
language plpgsql
volatile
set search_path = ''
as $$
declare
  room_ids uuid [];
  starts bigint;
  rules bigint;
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  if from_date is null or to_date is null or not isfinite(from_date) or not isfinite(to_date) or to_date < from_date then
    perform private.fail('date_range_invalid', 422, 'Give two dates, from_date not after to_date.');
  elsif to_date - from_date >= 92 then
    perform private.fail('date_range_too_long', 422, 'Ask for at most 92 days at a time.');
  elsif party_size < 1 then
    perform private.fail('party_size_invalid', 422, 'Choose a party of at least one person.');
  end if;
  if asked_slots.room_id is not null then
    declare
      room public.rooms := private.public_room(calendar, asked_slots.room_id);
    begin
      if party_size not between room.minimum_party and room.maximum_party then
        perform private.refuse_party(room);
      end if;
    end;
  end if;

  select array_agg(r.id) into room_ids
  from public.calendar_rooms as cr
  join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
  where cr.organization_id = calendar.organization_id
    and cr.calendar_id = calendar.id
    and r.is_published
    and (asked_slots.room_id is null or r.id = asked_slots.room_id);

  -- What it costs follows from what is expanded, free or not: refused before, and counted.
  starts := private.count_starts(
    calendar.organization_id, room_ids, from_date, to_date, calendar.maximum_advance_days, calendar.id
  );
  if starts > 2 * private.most_slots() then
    perform private.refuse_too_many_slots(((to_date - from_date + 1) * private.most_slots() / starts)::int);
  end if;
  -- Each start meets the rules of all rooms and those of its own: with 100 of either, 18,000 starts
  -- take 0.6 s and count 40 times, without rules 0.05 s and three times.
  select count(*) filter (where u.room_id is null)
    + count(*) filter (where u.room_id = any (room_ids)) / greatest(cardinality(room_ids), 1)
  into rules
  from public.price_rules as u
  where u.organization_id = calendar.organization_id and u.is_active;
  perform private.count_attempt((starts * (20 + rules) / 100000)::int);

  return array(
    select s
    from private.slots(
      calendar.organization_id, room_ids, asked_slots.from_date, asked_slots.to_date,
      asked_slots.party_size, calendar.minimum_notice_minutes, calendar.maximum_advance_days, calendar.id
    ) as s
    where s.seats_available >= s.party_size or asked_slots.include_taken
  );
end
$$;

comment on function private.asked_slots is
  'What a visitor who asks for free times is told of, in order of time and room; the question is counted, several times where it costs much. Raises 404 room_not_found; 422 date_range_invalid, date_range_too_long, too_many_slots, party_size_invalid; 429 rate_limited.';

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
  slots private.slot [] := private.asked_slots(calendar, from_date, to_date, room_id, party_size, include_taken);
  currency text;
begin
  if cardinality(slots) > private.most_slots() then
    perform private.refuse_too_many_slots(slots[private.most_slots() + 1].local_start::date - from_date);
  end if;

  select o.currency into currency
  from public.organizations as o
  where o.id = calendar.organization_id;

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
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_availability is
  'definer: shows free times to visitors, who may read no table.';
grant execute on function private.get_availability to anon, authenticated;

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

comment on function public.get_availability is
  'The times that can be booked on the local dates from_date to to_date (at most 92 days and 20,000 times: all there are, or an error), in order of time and room; of one room or all of the calendar''s, for a party or for the room''s smallest one. With include_taken also those that the party can only wait for (join_waitlist): their seats_available is less than it needs. For a month at a time get_availability_days says as much as a calendar shows. For anybody. Errors: 404 calendar_not_found, room_not_found; 422 date_range_invalid, date_range_too_long, too_many_slots (details {"maximum", "days"}: so many days from from_date on can be answered, a day always for 50 rooms with a start each five minutes), party_size_invalid; 429 rate_limited.';
grant execute on function public.get_availability to anon, authenticated;

create type public.available_day as (
  local_date date,
  free int,
  taken int,
  price_cents bigint,
  highest_price_cents bigint
);

comment on type public.available_day is
  'A day on which something is offered. Zone, duration and currency are in get_calendar, once for each room.';
comment on column public.available_day.local_date is 'On the venue''s clock.';
comment on column public.available_day.free is 'How many times the party can book.';
comment on column public.available_day.taken is
  'How many times have no or too few seats left: each can be waited for where the calendar has a waitlist.';
comment on column public.available_day.price_cents is
  'What the cheapest free time costs the party, in minor units, tax included; null: none is free.';
comment on column public.available_day.highest_price_cents is
  'What the dearest free time costs; null: none is free.';

create function private.get_availability_days(
  slug text,
  from_date date,
  to_date date,
  room_id uuid,
  party_size int
)
returns setof public.available_day
language plpgsql
volatile
security definer
set jit = off
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(get_availability_days.slug);
  slots private.slot [] := private.asked_slots(calendar, from_date, to_date, room_id, party_size, true);
begin
  return query
  select
    d.local_date,
    (count(*) filter (where d.is_free))::int,
    (count(*) filter (where not d.is_free))::int,
    min(d.cents) filter (where d.is_free),
    max(d.cents) filter (where d.is_free)
  from (
    select
      s.local_start::date as local_date,
      s.seats_available >= s.party_size as is_free,
      s.quantity * s.unit_cents as cents
    from rows from (
      unnest(slots),
      private.base_prices(calendar.organization_id, slots)
    ) as s (
      room_id, starts_at, ends_at, occupied_until, local_start, timezone, mode, capacity,
      seats_available, party_size, quantity, unit_cents
    )
  ) as d
  group by d.local_date
  order by d.local_date;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_availability_days is
  'definer: shows visitors, who may read no table, on which days there are free times.';
grant execute on function private.get_availability_days to anon, authenticated;

create function public.get_availability_days(
  slug text,
  from_date date,
  to_date date,
  room_id uuid default null,
  party_size int default null
)
returns setof public.available_day
language sql
volatile
set search_path = ''
as $$
  select * from private.get_availability_days(slug, from_date, to_date, room_id, party_size)
$$;

comment on function public.get_availability_days is
  'What a month shows: for each of the local dates from_date to to_date (at most 92) on which something is offered, how many times a party can book, how many are taken, and what the free ones cost; of one room or all of the calendar''s, for a party or for the room''s smallest one. The day''s times, by get_availability, count to the same. For anybody. Errors: 404 calendar_not_found, room_not_found; 422 date_range_invalid, date_range_too_long, too_many_slots (details {"maximum", "days"}: more starts than that are looked at for nobody, and so many days from from_date on can be answered), party_size_invalid; 429 rate_limited.';
grant execute on function public.get_availability_days to anon, authenticated;

create function private.offered_slot(
  calendar public.calendars,
  room public.rooms,
  starts_at timestamptz,
  party_size int
)
returns private.slot
language plpgsql
stable
set search_path = ''
as $$
declare
  timezone text;
  notice_minutes int;
  advance_days int;
  bookable tstzrange;
  slot private.slot;
begin
  if party_size is null or party_size not between room.minimum_party and room.maximum_party then
    perform private.refuse_party(room);
  end if;

  select
    l.timezone,
    coalesce(cr.minimum_notice_minutes, calendar.minimum_notice_minutes),
    coalesce(cr.maximum_advance_days, calendar.maximum_advance_days)
  into timezone, notice_minutes, advance_days
  from public.locations as l
  left join public.calendar_rooms as cr
    on cr.organization_id = l.organization_id and cr.calendar_id = calendar.id and cr.room_id = room.id
  where l.organization_id = room.organization_id and l.id = room.location_id;

  bookable := private.booking_window(timezone, notice_minutes, advance_days);
  if starts_at <= now() then
    perform private.fail('slot_in_past', 422, 'Choose a time that is still to come.');
  elsif isempty(bookable) or starts_at < lower(bookable) then
    perform private.fail(
      'notice_too_short', 422, 'Choose a later time, or call the venue.',
      jsonb_build_object('minimum_notice_minutes', notice_minutes)
    );
  elsif starts_at >= upper(bookable) then
    perform private.fail(
      'too_far_ahead', 422, 'Choose an earlier time.',
      jsonb_build_object('maximum_advance_days', advance_days)
    );
  end if;

  slot := private.slot_at(room, timezone, offered_slot.starts_at, offered_slot.party_size, calendar.id);
  if slot.room_id is null then
    perform private.fail('slot_not_offered', 422, 'Choose one of the times that get_availability lists.');
  end if;
  return slot;
end
$$;

comment on function private.offered_slot is
  'The slot of the room that starts then. Raises 422 party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered; a taken slot is for the caller to refuse.';

create function private.offered_quote(calendar public.calendars, request private.booking_request)
returns public.quote
language plpgsql
stable
set search_path = ''
as $$
declare
  room public.rooms := private.public_room(calendar, request.room_id);
  slot private.slot := private.offered_slot(calendar, room, request.starts_at, request.party_size);
begin
  return private.quote(room.organization_id, slot, request);
end
$$;

comment on function private.offered_quote is
  'What the slot that the calendar offers then costs: the slot and its price are of one moment. Raises what private.public_room, private.offered_slot and private.quote do.';

create function private.quote_booking(slug text, request private.booking_request)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(quote_booking.slug);
  code text;
  hint text;
  details text;
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  request.calendar_id := calendar.id;
  request.locale := coalesce(request.locale, calendar.locales[1]);
  if coalesce(request.coupon_code, '') = '' and coalesce(request.voucher_code, '') = '' then
    return to_jsonb(private.offered_quote(calendar, request));
  end if;
  -- Outside of the block whose end takes back what it did: a wrong guess stays counted.
  perform private.limit_rate('try_code', 'address', private.client_address());
  begin
    return to_jsonb(private.offered_quote(calendar, request));
  exception
    when sqlstate 'PT422' then
      get stacked diagnostics code = message_text, hint = pg_exception_hint, details = pg_exception_detail;
      if code !~ '^(coupon|voucher)_' then
        raise;
      end if;
      return private.refusal(code, 422, hint) || jsonb_build_object('details', details);
  end;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.quote_booking is
  'definer: prices a slot for visitors, who may read no table.';
grant execute on function private.quote_booking to anon, authenticated;

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
  request.extras := extras;
  request.coupon_code := coupon_code;
  request.voucher_code := voucher_code;
  request.exclusive := exclusive;
  request.locale := locale;
  return private.quote_booking(slug, request);
end
$$;

comment on function public.quote_booking is
  'What a party would pay for a time that the calendar offers, whether or not it is still free. extras: [{extra_id, quantity}]; exclusive: the whole of a shared room; locale: the lines'' language (es, en or ca), the calendar''s first if left out. Answers public.quote. For anybody. Errors: 404 calendar_not_found, room_not_found; 409 extra_sold_out (details {"extra_id", "left"}); 422 party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, extras_invalid, extra_not_found, extra_quantity_invalid, coupon_not_found, coupon_not_active, coupon_not_valid_yet, coupon_expired, coupon_not_for_room, coupon_min_amount (details {"minimum_cents"}), coupon_max_uses, voucher_not_found, voucher_not_active, voucher_expired, voucher_empty; 429 rate_limited.';
grant execute on function public.quote_booking to anon, authenticated;

create type public.coupon_offer as (
  code text,
  kind text,
  value bigint,
  minimum_cents bigint,
  valid_until date,
  total_cents bigint,
  discount_cents bigint
);

comment on type public.coupon_offer is 'What a coupon gives.';
comment on column public.coupon_offer.code is 'As the venue writes it.';
comment on column public.coupon_offer.kind is 'one of: percent, fixed';
comment on column public.coupon_offer.value is 'Percent, or minor units.';
comment on column public.coupon_offer.minimum_cents is 'What seats and extras must cost at least.';
comment on column public.coupon_offer.valid_until is 'Its last date on the venue''s clock, included; null: no end.';
comment on column public.coupon_offer.total_cents is 'What the seats cost with it; null unless room, time and party were named.';
comment on column public.coupon_offer.discount_cents is 'What it takes off; null unless room, time and party were named.';

create function private.validate_coupon(
  slug text,
  code text,
  room_id uuid,
  starts_at timestamptz,
  party_size int
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(validate_coupon.slug);
  room public.rooms;
  slot private.slot;
  coupon public.coupons;
  request private.booking_request;
  quote public.quote;
  offer public.coupon_offer;
  refusal text;
  hint text;
  details text;
begin
  if validate_coupon.room_id is not null then
    room := private.public_room(calendar, validate_coupon.room_id);
    if validate_coupon.starts_at is not null and validate_coupon.party_size is not null then
      slot := private.offered_slot(calendar, room, validate_coupon.starts_at, validate_coupon.party_size);
    end if;
  end if;
  -- Outside of the block whose end takes back what it did: a wrong guess stays counted.
  perform private.limit_rate('try_code', 'address', private.client_address());
  begin
    coupon := private.coupon_with_code(calendar.organization_id, validate_coupon.code);
    perform private.refuse_coupon_now(coupon, (
      select l.timezone
      from public.locations as l
      where l.organization_id = room.organization_id and l.id = room.location_id
    ));
    if slot.room_id is null then
      perform private.refuse_coupon(coupon, room.id, null);
      perform private.refuse_used_coupon(coupon, null, null);
    else
      request.calendar_id := calendar.id;
      request.coupon_code := coupon.code;
      quote := private.quote(calendar.organization_id, slot, request);
      offer.total_cents := quote.total_cents;
      offer.discount_cents := private.discount_of(quote);
    end if;
  exception
    when sqlstate 'PT422' then
      get stacked diagnostics refusal = message_text, hint = pg_exception_hint, details = pg_exception_detail;
      return private.refusal(refusal, 422, hint) || jsonb_build_object('details', details);
  end;
  offer.code := coupon.code;
  offer.kind := coupon.kind;
  offer.value := coupon.value;
  offer.minimum_cents := coupon.minimum_cents;
  offer.valid_until := coupon.valid_until;
  return to_jsonb(offer);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.validate_coupon is
  'definer: looks a coupon up for visitors, who may read no table.';
grant execute on function private.validate_coupon to anon, authenticated;

create function public.validate_coupon(
  slug text,
  code text,
  room_id uuid default null,
  starts_at timestamptz default null,
  party_size int default null
)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.validate_coupon(slug, code, room_id, starts_at, party_size) $$;

comment on function public.validate_coupon is
  'What a coupon gives; for a room, a time that it offers and a party also what the seats cost with it. Answers public.coupon_offer. Only booking decides about its last uses. For anybody; every try is counted. Errors: 404 calendar_not_found, room_not_found; 422 coupon_not_found, coupon_not_active, coupon_not_valid_yet, coupon_expired, coupon_not_for_room, coupon_min_amount (details {"minimum_cents"}), coupon_max_uses, party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered; 429 rate_limited.';
grant execute on function public.validate_coupon to anon, authenticated;

-- =============================================================================
-- sql/60_reservations/020_hold_conditions.sql
-- =============================================================================

-- What a hold must meet beside its place: the calendar's terms are accepted, and nobody fills a
-- calendar with bookings that cost nothing, from one network address or under one e-mail address.

create table private.hold_addresses (
  organization_id uuid not null,
  booking_id uuid not null,
  calendar_id uuid not null,
  address_hash bytea not null,
  constraint hold_addresses_pkey primary key (organization_id, booking_id),
  constraint hold_addresses_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint hold_addresses_calendar_fkey foreign key (organization_id, calendar_id)
  references public.calendars (organization_id, id) on delete cascade
);

comment on table private.hold_addresses is
  'From where a booking was made, as long as it is to come and unpaid: a keyed hash of the address for this calendar alone, which says nothing about it elsewhere.';

-- for: the live holds of an address in a calendar, and the foreign key
create index hold_addresses_calendar_id_idx
on private.hold_addresses (organization_id, calendar_id, address_hash);

create function private.forget_hold_address()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from private.hold_addresses as h
  where h.organization_id = new.organization_id
    and h.booking_id = new.id
    and (new.status not in ('held', 'confirmed') or private.has_paid(new.organization_id, new.id));
  return null;
end
$$;

comment on function private.forget_hold_address is
  'A booking that was paid, has come or is no more need not know its address.';

create trigger forget_hold_address
after update of status on public.bookings
for each row when (old.status in ('held', 'confirmed') and new.status <> old.status)
execute function private.forget_hold_address();

create function private.has_paid(organization_id uuid, booking_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.payments as p
    where p.organization_id = has_paid.organization_id and p.booking_id = has_paid.booking_id
  );
end
$$;

comment on function private.has_paid is 'Whether anything was ever paid for the booking, by whatever method.';

create function private.is_live_unpaid(booking public.bookings)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  -- One that something was due for was confirmed by a payment or by staff, who answer for it.
  return (booking.status = 'held' or booking.status = 'confirmed' and booking.due_now_cents = 0)
    and coalesce(booking.hold_expires_at, booking.starts_at) > now()
    and not private.has_paid(booking.organization_id, booking.id);
end
$$;

comment on function private.is_live_unpaid is
  'Whether the booking takes a place to come although nobody has paid anything and no staff confirmed it.';

create function private.limit_live_holds(booking public.bookings, address text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  allowed int;
  hash bytea;
  -- A stranger who types somebody's e-mail address needs three networks to use it up, and then
  -- still leaves as much as one may have to whoever has proven it.
  networks constant int := 3;
  allowed_by_email int;
  mailbox text;
begin
  if address is null then
    return; -- nobody's: the owner's own session, not a request
  end if;
  select c.holds_per_address into allowed
  from public.calendars as c
  where c.organization_id = booking.organization_id and c.id = booking.calendar_id;
  hash := private.token_hash(private.derived_token('hold_address', booking.calendar_id || ' ' || address));
  -- Holds of one address go one after the other from here, or each would miss the others.
  perform pg_advisory_xact_lock(('x' || encode(substr(hash, 1, 8), 'hex'))::bit(64)::bigint);
  -- Joined first (offset 0 keeps the planner from moving it): without statistics, PostgreSQL asked whether
  -- a booking is live once for every pair of rows, 2,500 times a hold where there were a hundred.
  if (
    select count(*)
    from (
      select b as found
      from private.hold_addresses as h
      join public.bookings as b on b.organization_id = h.organization_id and b.id = h.booking_id
      where h.organization_id = booking.organization_id
        and h.calendar_id = booking.calendar_id
        and h.address_hash = hash
      offset 0
    ) as joined
    where private.is_live_unpaid(joined.found)
  ) >= allowed then
    perform private.fail(
      'too_many_holds', 429, 'Pay for or cancel one of your reservations first, or wait until one lapses.',
      jsonb_build_object('maximum', allowed)
    );
  end if;
  insert into private.hold_addresses (organization_id, booking_id, calendar_id, address_hash)
  values (booking.organization_id, booking.id, booking.calendar_id, hash);

  -- For the mailbox too, under whatever +tag: many network addresses are cheap.
  select private.mailbox(c.email), allowed * case when private.caller_has_proven(c.email) then networks + 1 else networks end
  into mailbox, allowed_by_email
  from public.customers as c
  where c.organization_id = booking.organization_id and c.id = booking.customer_id;
  perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'unpaid:', booking.calendar_id, mailbox), 0));
  if (
    select count(*)
    from (
      select b as found
      from public.customers as c
      join public.bookings as b on b.organization_id = c.organization_id and b.customer_id = c.id
      where c.organization_id = booking.organization_id
        and private.mailbox(c.email) = mailbox
        and b.calendar_id = booking.calendar_id
        and b.id <> booking.id
        and b.starts_at > now()
        and b.source = 'widget'
      offset 0
    ) as joined
    where private.is_live_unpaid(joined.found)
  ) >= allowed_by_email then
    perform private.fail(
      'too_many_unpaid_bookings', 429,
      'Sign in with this e-mail address by a mailed link and book again, cancel one of its bookings, or ask the venue.',
      jsonb_build_object('maximum', allowed_by_email)
    );
  end if;
end
$$;

comment on function private.limit_live_holds is
  'Notes the address of a booking without payment. Raises 429 too_many_holds (details {"maximum"}) when the address has as many in the calendar already as this allows, and too_many_unpaid_bookings when the mailbox has three times as many, four times for whoever has proven it; a null address is not limited.';

create function private.check_terms(calendar public.calendars, consents jsonb)
returns void
language plpgsql
immutable
set search_path = ''
as $$
begin
  if jsonb_typeof(consents) is distinct from 'array' then
    perform private.fail('consents_invalid', 422, 'Give consents as a list of {kind, granted, wording}.');
  elsif calendar.terms <> '{}' and not exists (
    select from jsonb_array_elements(consents) as c
    where c ->> 'kind' = 'terms' and c -> 'granted' = 'true'
  ) then
    perform private.fail('terms_not_accepted', 422, 'Accept the calendar''s terms.');
  end if;
end
$$;

comment on function private.check_terms is
  'Raises 422 consents_invalid, and terms_not_accepted when the calendar has terms and nobody agreed to them.';

-- =============================================================================
-- sql/60_reservations/030_booking_event.sql
-- =============================================================================

-- A visit as an event in somebody's own calendar, and where it takes place: told in mails and by the
-- booking's link alike, so that it is one event and not two.

create type public.booking_event as (
  uid uuid,
  sequence int,
  updated_at timestamptz
);

comment on type public.booking_event is
  'The visit as an event in somebody''s calendar: the same identity in every file and mail.';
comment on column public.booking_event.uid is 'The identity of the event.';
comment on column public.booking_event.sequence is 'Its version: a calendar takes a higher one for news of the same event.';
comment on column public.booking_event.updated_at is 'Since when it is as it is.';

create function private.booking_event(organization_id uuid, booking_id uuid, until timestamptz)
returns public.booking_event
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      booking_event.booking_id,
      -- Confirmed, changed, cancelled: each is announced, and each is a new version of the event.
      greatest(count(*) filter (
        where h.to_status in ('confirmed', 'cancelled') or h.change is not null
      ) - 1, 0),
      max(h.occurred_at)
    )::public.booking_event
    from public.booking_history as h
    where h.organization_id = booking_event.organization_id
      and h.booking_id = booking_event.booking_id
      and h.occurred_at <= booking_event.until
  );
end
$$;

comment on function private.booking_event is
  'The identity of a booking''s event and its version as it was then.';

create type public.booking_place as (
  name text,
  address text,
  phone text,
  arrival_hints text,
  directions text,
  latitude numeric,
  longitude numeric,
  line text
);

comment on type public.booking_place is 'Where a visit takes place.';
comment on column public.booking_place.name is 'The location''s.';
comment on column public.booking_place.address is 'In one line; empty when the venue gave none.';
comment on column public.booking_place.phone is 'By which the venue is reached; null: none.';
comment on column public.booking_place.arrival_hints is 'How to get in, in the booking''s language or another; null: not said, or not to whoever only pays the booking.';
comment on column public.booking_place.directions is 'How to get there, in the booking''s language or another; null: not said.';
comment on column public.booking_place.latitude is 'In degrees; null: not said.';
comment on column public.booking_place.longitude is 'In degrees; null: not said.';
comment on column public.booking_place.line is 'Name and address in one line, as a calendar''s event says where it takes place.';

create function private.booking_place(booking public.bookings)
returns public.booking_place
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      l.name,
      private.location_address(l),
      coalesce(l.phone, o.phone),
      private.text_in(l.arrival_hints, booking.locale),
      private.text_in(l.directions, booking.locale),
      l.latitude,
      l.longitude,
      private.location_line(l)
    )::public.booking_place
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    join public.organizations as o on o.id = r.organization_id
    where r.organization_id = booking.organization_id and r.id = booking.room_id
  );
end
$$;

comment on function private.booking_place is 'Where a booking takes place.';

-- =============================================================================
-- sql/60_reservations/040_booking_answers.sql
-- =============================================================================

-- A booking as clients see it: to whoever has just made it, to whoever manages it, and to the desk.
-- All begin with the fields of private.shown_booking.

create type public.held_booking as (
  reference text,
  status text,
  hold_expires_at timestamptz,
  starts_at timestamptz,
  ends_at timestamptz,
  timezone text,
  room_id uuid,
  room_name text,
  party_size int,
  seats int,
  exclusive boolean,
  extras public.booked_extra [],
  fields jsonb,
  customer_note text,
  currency text,
  total_cents bigint,
  due_now_cents bigint,
  confirm_by_email boolean,
  manage_token text,
  payable_cents bigint,
  rest_payable_until timestamptz
);

comment on type public.held_booking is 'A booking that was just made, or a place that the waiting list offers.';
comment on column public.held_booking.manage_token is 'The secret by which it is managed: not told again without it.';

create type public.booking_customer as (
  full_name text,
  email text
);

comment on type public.booking_customer is 'Whom a booking is for, to whoever manages it.';
comment on column public.booking_customer.full_name is 'The name that was given with the booking; empty to whoever only pays it.';
comment on column public.booking_customer.email is 'Where mails go; null: the venue was given none, and to whoever only pays the booking.';

create type public.cancellation as (
  refund_percent int,
  refund_cents bigint,
  disputed_cents bigint,
  lost_cents bigint
);

comment on type public.cancellation is 'What cancelling now would give back to the customer.';
comment on column public.cancellation.refund_percent is 'Of what was paid, by the terms; 0 when the customer cannot cancel.';
comment on column public.cancellation.refund_cents is 'In minor units of the booking''s currency.';
comment on column public.cancellation.disputed_cents is
  'The part of it whose payment the customer''s bank disputes: it goes back only if that is decided for the venue; decided for the customer, the bank has given it back.';
comment on column public.cancellation.lost_cents is
  'What the customer''s bank has given back already of a payment that it disputed, and the venue does not give back again; no part of refund_cents.';

create type public.booking_step as (
  status text,
  occurred_at timestamptz,
  change jsonb
);

comment on type public.booking_step is 'A step in the life of a booking.';
comment on column public.booking_step.status is
  'What it was from then on. one of: held, pending, confirmed, checked_in, in_progress, completed, expired, cancelled, no_show';
comment on column public.booking_step.occurred_at is 'When.';
comment on column public.booking_step.change is
  'What was changed without a new status: {"party_size": [before, after], …}, by the field''s name; else null.';

create type public.booking as (
  reference text,
  status text,
  hold_expires_at timestamptz,
  starts_at timestamptz,
  ends_at timestamptz,
  timezone text,
  room_id uuid,
  room_name text,
  party_size int,
  seats int,
  exclusive boolean,
  extras public.booked_extra [],
  fields jsonb,
  customer_note text,
  currency text,
  total_cents bigint,
  due_now_cents bigint,
  paid_cents bigint,
  refunded_cents bigint,
  open_cents bigint,
  terms public.cancellation_terms,
  customer public.booking_customer,
  organization public.venue,
  location public.booking_place,
  event public.booking_event,
  waiver public.booking_waiver,
  lines public.price_line [],
  cancellable boolean,
  cancellation public.cancellation,
  reschedulable boolean,
  confirm_by_email boolean,
  history public.booking_step [],
  manage_token text,
  payable_cents bigint,
  rest_payable_until timestamptz,
  payment_open boolean,
  merged_into text,
  shared_cents bigint,
  with_order boolean
);

comment on type public.booking is 'A booking for whoever manages it.';
comment on column public.booking.customer is 'Whom it is for.';
comment on column public.booking.organization is 'The venue.';
comment on column public.booking.location is 'Where to come.';
comment on column public.booking.event is 'The visit in somebody''s calendar.';
comment on column public.booking.waiver is 'How far the party is with it.';
comment on column public.booking.lines is 'What it costs, as quoted when it was made or changed; empty to whoever only pays it.';
comment on column public.booking.cancellable is 'Whether its customer may cancel it now.';
comment on column public.booking.cancellation is 'What cancelling now would give back.';
comment on column public.booking.reschedulable is 'Whether its customer may move it now (reschedule_booking).';
comment on column public.booking.history is 'In order of time; empty to whoever only pays it.';
comment on column public.booking.payment_open is
  'Whether a payment page was opened for it of which the provider has not said yet that nothing comes of it: only then money may be under way.';
comment on column public.booking.merged_into is
  'The reference of the booking that the venue made it part of, which has its people and its money; null: of none.';
comment on column public.booking.shared_cents is
  'What others are to pay of it by open shares: payable_cents is beside it.';
comment on column public.booking.with_order is
  'Whether it is held in an order of several rooms: the page that its link opens asks for what is due of all of them.';
comment on column public.booking.manage_token is
  'The secret by which it is managed, told by confirm_booking; null to whoever has brought it.';

create type public.desk_booking as (
  reference text,
  status text,
  hold_expires_at timestamptz,
  starts_at timestamptz,
  ends_at timestamptz,
  timezone text,
  room_id uuid,
  room_name text,
  party_size int,
  seats int,
  exclusive boolean,
  extras public.booked_extra [],
  fields jsonb,
  customer_note text,
  currency text,
  total_cents bigint,
  due_now_cents bigint,
  id uuid,
  paid_cents bigint,
  refunded_cents bigint,
  open_cents bigint,
  terms public.cancellation_terms,
  manage_token text,
  undo public.undone_refunds
);

comment on type public.desk_booking is 'A booking as the venue''s members see it.';
comment on column public.desk_booking.id is 'What the other functions take as booking_id.';
comment on column public.desk_booking.manage_token is
  'The secret of the customer''s link, told when the booking is made; else null.';
comment on column public.desk_booking.undo is
  'What became of the refunds, where a move was taken back; else null.';

-- What they share means the same in each of them.
do $$
declare
  answer text;
  described record;
begin
  foreach answer in array array['held_booking', 'booking', 'desk_booking'] loop
    for described in
      select f.field, f.comment
      from (
        values
        ('reference', 'What people read to each other, as ABCD-2345.'),
        ('status', 'A hold whose time is over is expired, whether or not somebody has ended it. one of: held, pending, confirmed, checked_in, in_progress, completed, expired, cancelled, no_show'),
        ('hold_expires_at', 'Until when it keeps its seats while held or pending; else null.'),
        ('starts_at', 'The start.'),
        ('ends_at', 'The end of the game.'),
        ('timezone', 'IANA zone of the venue''s clock.'),
        ('room_id', 'The room.'),
        ('room_name', 'The game''s name.'),
        ('party_size', 'People.'),
        ('seats', 'That it takes of its session: the party''s, or all of them when exclusive.'),
        ('exclusive', 'Whether the party has a shared room for itself.'),
        ('extras', 'In the order in which the venue shows them.'),
        ('fields', 'Answers to the calendar''s own questions, by key.'),
        ('customer_note', 'What the customer wrote with it.'),
        ('currency', 'ISO 4217; amounts are in its minor units, tax included.'),
        ('total_cents', 'What it costs.'),
        ('due_now_cents', 'What must be paid for it to be confirmed, however it is paid.'),
        ('paid_cents', 'What came in for it.'),
        ('refunded_cents', 'What went back.'),
        ('open_cents', 'What can still be asked for of the total.'),
        ('terms', 'As agreed when it was booked, or moved by its customer.'),
        (
          'payable_cents',
          'What can be paid online now at most, with POST /v1/checkout: of a confirmed booking just that; of a held one more than is due, if all may be paid at once. 0: nothing.'
        ),
        (
          'rest_payable_until',
          'Until when what is due later can be paid online; null: only at the venue.'
        ),
        ('confirm_by_email', 'Nothing is to be paid, and it is held until the link in its mail is opened.')
      ) as f (field, comment)
      join pg_catalog.pg_attribute as a
        on a.attrelid = to_regclass('public.' || answer) and a.attname = f.field
    loop
      execute format('comment on column public.%I.%I is %L', answer, described.field, described.comment);
    end loop;
  end loop;
end
$$;
comment on column public.desk_booking.fields is
  'Answers to the calendar''s own questions, by key; null without customers:read.';
comment on column public.desk_booking.customer_note is 'What the customer wrote with it; null without customers:read.';
comment on column public.desk_booking.paid_cents is 'What came in for it; null without payments:read.';
comment on column public.desk_booking.refunded_cents is 'What went back; null without payments:read.';
comment on column public.desk_booking.open_cents is 'What can still be asked for of the total; null without payments:read.';

create function private.held_booking(booking public.bookings, shown private.shown_booking)
returns public.held_booking
language plpgsql
stable
set search_path = ''
as $$
begin
  return row(
    shown.*,
    private.awaits_confirmation(booking),
    private.derived_token('booking', booking.id::text),
    private.payable_online(booking, whole => true),
    private.rest_payable_until(booking)
  )::public.held_booking;
end
$$;

comment on function private.held_booking is
  'A booking for whoever made it. Its token is derived, not stored: asked again, it is told again.';

create function private.desk_booking(booking public.bookings)
returns public.desk_booking
language plpgsql
stable
set search_path = ''
as $$
declare
  shown private.shown_booking := private.show_booking(booking);
  answer public.desk_booking;
begin
  -- As the policy of booking_contacts.
  if not private.has_permission(booking.organization_id, 'customers:read') then
    shown.fields := null;
    shown.customer_note := null;
  end if;
  answer := row(shown.*, booking.id, null, null, null, private.booking_terms(booking), null, null)::public.desk_booking;
  -- As that of payments, and as the board.
  if private.has_permission(booking.organization_id, 'payments:read') then
    select balance.paid_cents, balance.refunded_cents into answer.paid_cents, answer.refunded_cents
    from private.booking_balance(booking.organization_id, booking.id) as balance;
    answer.open_cents := private.booking_open(booking);
  end if;
  return answer;
end
$$;

comment on function private.desk_booking is
  'A booking as members see it: what the party said of itself is null without customers:read, what was paid without payments:read.';

-- =============================================================================
-- sql/60_reservations/050_confirmations.sql
-- =============================================================================

-- Bookings that cost nothing now and are confirmed by a click in the mail: what shows that whoever
-- books reads the address, and keeps strangers from filling a calendar and a mailbox.

create function private.ask_for_confirmation(booking public.bookings, mailed boolean default true)
returns public.bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  held public.bookings;
begin
  insert into private.booking_confirmations (organization_id, booking_id, token_hash)
  values (
    booking.organization_id, booking.id,
    private.token_hash(private.derived_token('confirmation', booking.id::text))
  );
  -- Mails take their time, above all to whom the server does not know yet.
  update public.bookings as b
  set hold_expires_at = least(greatest(b.hold_expires_at, now() + interval '1 hour'), b.starts_at)
  where b.organization_id = booking.organization_id and b.id = booking.id
  returning b.* into held;
  if mailed then
    perform private.enqueue(
      'email.send',
      jsonb_build_object(
        'template', 'booking_to_confirm', 'organization_id', held.organization_id, 'booking_id', held.id
      ),
      'booking_to_confirm:' || held.id,
      held.organization_id
    );
  end if;
  return held;
end
$$;

comment on function private.ask_for_confirmation is
  'Holds a booking with nothing to pay until the link in its mail is opened, for an hour or as long as its hold lasts, never past its start; returns it. One that is not mailed is confirmed with another of its order.';

create function private.confirm_booking(reference text, confirmation_token text)
returns public.booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  asked private.booking_confirmations;
  booking public.bookings;
  manage_token text;
  waiting_id uuid;
  answer public.booking;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  select c.* into asked
  from private.booking_confirmations as c
  where c.token_hash = private.typed_token_hash(confirm_booking.confirmation_token);
  manage_token := private.derived_token('booking', asked.booking_id::text);
  -- Raises booking_not_found, for a wrong token and a wrong reference alike.
  booking := private.booking_with_token(confirm_booking.reference, manage_token);
  if booking.order_id is null then
    booking := private.locked_booking(booking.organization_id, booking.id);
  else
    -- The link in one mail is for all of them.
    perform private.lock_bookings(booking.organization_id, array_agg(b.id))
    from public.bookings as b
    where b.organization_id = booking.organization_id and b.order_id = booking.order_id;
    select b.* into booking
    from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id;
  end if;
  if booking.status = 'held' and booking.hold_expires_at > now() then
    perform private.act_as('customer', booking.customer_id);
    for waiting_id in
      select b.id
      from public.bookings as b
      where b.organization_id = booking.organization_id
        and (b.id = booking.id or b.order_id = booking.order_id)
        and b.status = 'held'
        and b.hold_expires_at > now()
        and private.awaits_confirmation(b)
      order by b.starts_at, b.id
    loop
      update private.booking_confirmations as c
      set confirmed_at = now()
      where c.organization_id = booking.organization_id and c.booking_id = waiting_id;
      perform private.transition(booking.organization_id, waiting_id, 'confirmed', 'confirmed_by_email');
    end loop;
  elsif asked.confirmed_at is null then
    perform private.fail(
      'confirmation_too_late', 409, 'The place was not held any longer: choose a time once more.'
    );
  end if;
  answer := private.get_booking(confirm_booking.reference, manage_token);
  answer.manage_token := manage_token;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.confirm_booking is
  'definer: confirms a booking for whoever received the mail about it.';
grant execute on function private.confirm_booking to anon, authenticated;

create function public.confirm_booking(reference text, confirmation_token text)
returns public.booking
language sql
volatile
set search_path = ''
as $$ select private.confirm_booking(reference, confirmation_token) $$;

comment on function public.confirm_booking is
  'Confirms a booking that is held until the link in its mail is opened (calendars.confirm_by_email), and with it the others of its order; the token is in that link only. Returns the booking with its manage_token; the same again when it was confirmed before. For anybody. Errors: 404 booking_not_found for a wrong reference or token; 409 confirmation_too_late; 429 rate_limited.';
grant execute on function public.confirm_booking to anon, authenticated;

create function private.announce_pending(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Staff often take the money, or confirm, right afterwards: that has a mail of its own.
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'booking_pending', 'organization_id', booking.organization_id, 'booking_id', booking.id
    ),
    concat_ws(':', 'booking_pending', booking.organization_id, booking.id),
    booking.organization_id,
    now() + interval '2 minutes'
  );
end
$$;

comment on function private.announce_pending is
  'Queues the mail with the link to pay a booking that staff made, for two minutes later; it is sent if the booking still waits for its payment then.';

create function private.remind_of_hold(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Most pay at once; who has not by then may have closed the page.
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'booking_held', 'organization_id', booking.organization_id, 'booking_id', booking.id
    ),
    concat_ws(':', 'booking_held', booking.organization_id, booking.id),
    booking.organization_id,
    now() + greatest((booking.hold_expires_at - now()) / 3, interval '2 minutes')
  );
end
$$;

comment on function private.remind_of_hold is
  'Queues the mail with the link to a held booking that has something to pay, for after a third of the hold, at least two minutes; it is sent if the booking is still unpaid then.';

-- =============================================================================
-- sql/60_reservations/060_booking.sql
-- =============================================================================

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

-- =============================================================================
-- sql/60_reservations/070_staff.sql
-- =============================================================================

-- Bookings from the staff's side.

create function private.mark_no_show(booking public.bookings, reason text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  excess bigint;
begin
  perform private.transition(booking.organization_id, booking.id, 'no_show', mark_no_show.reason);
  excess := private.booking_refundable(booking.organization_id, booking.id) - private.no_show_fee(booking);
  if excess > 0 then
    perform private.request_refund(booking.organization_id, booking.id, excess, 'no_show');
  end if;
end
$$;

comment on function private.mark_no_show is
  'Notes of a locked booking that nobody came, and queues the refund of what was paid beyond the no-show fee of its terms.';

create function private.undo_cancellation(booking public.bookings, reason text)
returns public.undone_refunds
language plpgsql
volatile
set search_path = ''
as $$
declare
  claimed_id uuid;
begin
  perform private.refuse_undo(booking, 'confirmed', undo_cancellation.reason);
  claimed_id := private.retake_seats(booking);
  if claimed_id is null then
    perform private.refuse_taken_slot();
  end if;
  update public.bookings as b
  set session_id = claimed_id,
    status = 'confirmed',
    status_reason = private.shown_reason(undo_cancellation.reason),
    cancel_refund = null
  where b.organization_id = booking.organization_id and b.id = booking.id;
  perform private.keep_reason(booking.organization_id, booking.id, undo_cancellation.reason);
  return private.withdraw_refunds(booking, 'cancelled');
end
$$;

comment on function private.undo_cancellation is
  'Takes the seats of a cancelled booking again, and back what was promised of its money and nobody began to pay; the caller holds the room, too. Raises what private.refuse_undo does, 409 slot_taken, and what keeps its extras and coupon from it (private.retake_options).';

create function private.transition_booking(
  organization_id uuid,
  booking_id uuid,
  to_status text,
  reason text,
  refund text
)
returns public.desk_booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
  needed text;
  undo public.undone_refunds;
  answer public.desk_booking;
begin
  perform private.require_permission(transition_booking.organization_id, 'bookings:read');
  if length(private.clean_note(transition_booking.reason)) > 500 then
    perform private.fail('reason_too_long', 422, 'Give a reason of at most 500 characters.');
  elsif transition_booking.refund is null or transition_booking.refund not in ('full', 'terms', 'none') then
    perform private.fail('refund_invalid', 422, 'Choose full, terms or none.');
  elsif transition_booking.to_status = 'cancelled'
    and transition_booking.refund <> 'full'
    and not private.is_reason(transition_booking.reason, 500)
  then
    perform private.fail('reason_missing', 422, 'Say why not all of the money goes back.');
  end if;
  if transition_booking.to_status = 'confirmed' and exists (
    select from public.bookings as b
    where b.organization_id = transition_booking.organization_id
      and b.id = transition_booking.booking_id
      and b.status = 'cancelled'
  ) then
    -- It will claim its time again.
    booking := private.locked_for_change(transition_booking.organization_id, transition_booking.booking_id, null);
  else
    booking := private.locked_booking(transition_booking.organization_id, transition_booking.booking_id);
    if booking.status = 'cancelled' and transition_booking.to_status = 'confirmed' then
      perform private.fail('booking_changed', 409, 'Somebody else just cancelled the booking: look at it again.');
    end if;
  end if;

  if transition_booking.to_status <> 'cancelled' then
    perform private.refuse_merged(booking);
  end if;

  select t.permission into needed
  from private.booking_transitions as t
  where t.from_status = booking.status and t.to_status = transition_booking.to_status;
  if booking.status = transition_booking.to_status then
    -- Asked again, as after a lost answer, by somebody who may bring it there.
    select min(t.permission) into needed
    from private.booking_transitions as t
    where t.to_status = transition_booking.to_status and not t.undoes;
  end if;
  if needed is null then
    perform private.refuse_transition(booking.status, transition_booking.to_status);
  end if;
  perform private.require_permission(transition_booking.organization_id, needed);
  -- What is over may end; nothing comes back, since nobody could be told of it.
  if booking.status <> transition_booking.to_status and (
    private.takes_back(booking.status, transition_booking.to_status)
    or booking.status in ('held', 'pending') and transition_booking.to_status in ('pending', 'confirmed')
  ) then
    perform private.refuse_erased(booking);
  end if;

  if booking.status = transition_booking.to_status then
    null; -- it is as wished
  elsif transition_booking.to_status = 'cancelled' then
    perform private.cancel(booking, transition_booking.reason, transition_booking.refund);
  elsif transition_booking.to_status = 'no_show' then
    perform private.mark_no_show(booking, transition_booking.reason);
  elsif booking.status = 'cancelled' and transition_booking.to_status = 'confirmed' then
    undo := private.undo_cancellation(
      booking, case when private.is_reason(transition_booking.reason) then transition_booking.reason end
    );
  else
    perform private.transition(
      booking.organization_id, booking.id, transition_booking.to_status,
      -- What undoing demands is a reason in words; the trigger refuses none.
      case when not private.is_undo(booking.status, transition_booking.to_status) or private.is_reason(transition_booking.reason)
        then transition_booking.reason end
    );
    if private.is_undo(booking.status, transition_booking.to_status) then
      undo := private.withdraw_refunds(booking, case booking.status when 'no_show' then 'no_show' end);
    end if;
  end if;

  select b.* into booking
  from public.bookings as b
  where b.organization_id = transition_booking.organization_id and b.id = transition_booking.booking_id;
  answer := private.desk_booking(booking);
  answer.undo := undo;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.transition_booking is
  'definer: writes status and history, which no client may write.';
grant execute on function private.transition_booking to authenticated;

create function public.transition_booking(
  organization_id uuid,
  booking_id uuid,
  to_status text,
  reason text default null,
  refund text default 'full'
)
returns public.desk_booking
language sql
volatile
set search_path = ''
as $$ select private.transition_booking(organization_id, booking_id, to_status, reason, refund) $$;

comment on function public.transition_booking is
  'Moves a booking to its next status and returns it, also when it has that status already; a party that did not come gets back what it paid beyond the no-show fee of its terms. refund: what goes back when the venue cancels: full, or with a reason terms (as agreed, when the customer asked for it) or none; the history keeps it. A party is checked in, and its game started and ended, from the location''s check_in_hours before the start on, and marked as no-show from no_show_minutes after it on. Each of these is taken back by moving the booking to the status that it came from, with a reason, within undo_hours, a cancellation while its place, extras and coupon''s use are free, with a new confirmation to the customer; the refund of a no-show or a cancellation that was not carried out yet is withdrawn (undo says how much). For members: bookings:read, and bookings:update to confirm, bookings:check_in to check in, start, complete or mark as no-show, bookings:cancel to cancel, bookings:undo to take back; fields and customer_note are null without customers:read. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 booking_merged (details {"booking_id", "reference"}), transition_not_allowed (details {"from", "to", "allowed"}), too_early (details {"opens_at"}), undo_too_late (details {"until"}), waiver_missing (a game starts, or ends that nobody started), slot_taken, booking_changed, customer_erased (nothing of an erased customer''s comes back), extra_sold_out (details {"extra_id", "left"}); 422 reason_too_long, reason_missing, refund_invalid, coupon_max_uses, coupon_max_uses_per_customer.';
grant execute on function public.transition_booking to authenticated;

create function private.staff_slot(room public.rooms, starts_at timestamptz, party_size int)
returns private.slot
language plpgsql
stable
set search_path = ''
as $$
declare
  capacity_limit int := coalesce(room.capacity_limit, room.maximum_party);
  timezone text;
  slot private.slot;
begin
  if party_size is null or party_size not between 1 and capacity_limit then
    perform private.fail(
      'party_size_invalid', 422, 'Choose a party size that the room can hold.',
      jsonb_build_object('minimum', 1, 'maximum', capacity_limit)
    );
  elsif starts_at is null or not isfinite(starts_at) then
    perform private.fail('start_invalid', 422, 'Give the start of the session.');
  elsif starts_at > now() + interval '5 years' then
    perform private.fail(
      'too_far_ahead', 422, 'Choose an earlier time.', jsonb_build_object('maximum_advance_days', 5 * 365)
    );
  end if;

  select l.timezone into timezone
  from public.locations as l
  where l.organization_id = room.organization_id and l.id = room.location_id;
  slot := row(
    room.id, staff_slot.starts_at,
    staff_slot.starts_at + make_interval(mins => room.duration_minutes),
    staff_slot.starts_at + make_interval(mins => room.duration_minutes + room.turnaround_minutes),
    staff_slot.starts_at at time zone timezone, timezone, room.mode,
    -- A private session and a new shared one have the seats that the room sells, or as many
    -- as the party needs.
    greatest(room.maximum_party, staff_slot.party_size),
    greatest(room.maximum_party, staff_slot.party_size),
    staff_slot.party_size
  )::private.slot;
  if slot.ends_at <= now() then
    perform private.fail('slot_in_past', 422, 'Choose a time that is not over.');
  end if;
  return slot;
end
$$;

comment on function private.staff_slot is
  'The session that staff may make of the room at any time that is not over, on its schedule or not, with or without notice, for a party of up to capacity_limit; whether the time is free decides the claim. Raises 422 party_size_invalid (details {"minimum", "maximum"}), start_invalid, too_far_ahead, slot_in_past.';

create function private.check_override(organization_id uuid, price_cents bigint, reason text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if price_cents is null then
    return;
  end if;
  perform private.require_permission(check_override.organization_id, 'pricing:override');
  if not private.is_reason(reason, 500) then
    perform private.fail('override_reason_invalid', 422, 'Say in 1 to 500 characters why the price is another one.');
  end if;
end
$$;

comment on function private.check_override is
  'Whether the caller may set a price of the seats, and said why; null: nothing is set. Raises 403 permission_denied, 422 override_reason_invalid.';

create function private.create_booking(
  organization_id uuid,
  request private.booking_request,
  idempotency_key text
)
returns public.desk_booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := create_booking.organization_id || ':create_booking';
  stored jsonb;
  room public.rooms;
  calendar public.calendars;
  slot private.slot;
  guest private.guest;
  quote public.quote;
  session_id uuid;
  booking public.bookings;
  answer public.desk_booking;
begin
  perform private.require_permission(create_booking.organization_id, 'bookings:create');
  perform private.check_override(create_booking.organization_id, request.price_cents, request.override_reason);
  perform private.count_typed_code(create_booking.organization_id, request.coupon_code);
  stored := private.idempotent_begin(scope, create_booking.idempotency_key, to_jsonb(request));
  if stored is null then
    if request.source is null or request.source not in ('direct', 'marketplace', 'api') then
      perform private.fail('source_invalid', 422, 'Choose direct, marketplace or api.');
    elsif length(private.clean_note(request.customer_note)) > 2000
      or length(private.clean_note(request.staff_note)) > 5000 then
      perform private.fail('note_too_long', 422, 'Write at most 2000 characters for the customer, 5000 for the staff.');
    elsif request.pay_within_hours not between 1 and 720 then
      perform private.fail(
        'pay_within_invalid', 422, 'Leave 1 to 720 hours for the payment, or leave it out.',
        jsonb_build_object('minimum', 1, 'maximum', 720)
      );
    end if;
    perform private.take_booking_allowance(create_booking.organization_id, by_staff => true);
    select r.* into room
    from public.rooms as r
    where r.organization_id = create_booking.organization_id and r.id = request.room_id and not r.is_archived;
    if not found then
      perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
    end if;
    select c.* into calendar
    from public.calendars as c
    where c.organization_id = create_booking.organization_id and c.id = request.calendar_id;
    if not found and request.calendar_id is not null then
      perform private.fail('calendar_not_found', 404, 'Choose one of the organization''s calendars.');
    end if;
    -- Staff need not ask, at the telephone or the door; what they were told is checked.
    if coalesce(request.fields, '{}') in ('{}', 'null') then
      request.fields := null;
    else
      request.fields := private.checked_fields(calendar, request.fields, request.room_id);
    end if;
    guest := private.checked_customer(
      request.customer,
      (select o.locale from public.organizations as o where o.id = create_booking.organization_id),
      may_lack_email => true
    );
    request.locale := guest.locale;
    request.override_reason := trim(request.override_reason);
    slot := private.staff_slot(room, request.starts_at, request.party_size);

    -- Known before the quote, since coupons count the uses of a customer.
    select c.id into request.customer_id
    from public.customers as c
    where c.organization_id = room.organization_id and c.email = guest.email;
    quote := private.quote(room.organization_id, slot, request);
    if request.expected_total_cents is not null then
      perform private.refuse_total(quote, request.expected_total_cents);
    end if;

    session_id := private.claim_slot(room, slot, coalesce(request.exclusive, false), true);
    request.customer_id := private.customer_with_email(room.organization_id, guest);
    booking := private.make_booking(
      room.organization_id, session_id, slot, request, guest, quote,
      'pending', private.pending_until(slot.ends_at, request.pay_within_hours)
    );
    if booking.status = 'pending' and booking.due_now_cents = 0 then
      perform private.transition(booking.organization_id, booking.id, 'confirmed', 'nothing_due');
    end if;
    answer := (
      select private.desk_booking(b)
      from public.bookings as b
      where b.organization_id = booking.organization_id and b.id = booking.id
    );
    perform private.idempotent_end(scope, create_booking.idempotency_key, to_jsonb(answer));
    if guest.email is not null then
      if answer.status = 'pending' then
        perform private.announce_pending(booking);
      end if;
      perform private.limit_mail(booking.organization_id, guest.email, 'desk');
    end if;
  else
    answer := jsonb_populate_record(null::public.desk_booking, stored);
  end if;

  -- The token is derived, not stored: a replay shows it again.
  answer.manage_token := private.derived_token('booking', answer.id::text);
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_booking is
  'definer: writes sessions, customers and bookings, which no client may write. Asks for bookings:create.';
grant execute on function private.create_booking to authenticated;

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
returns public.desk_booking
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
  request.calendar_id := calendar_id;
  request.source := source;
  request.extras := extras;
  request.coupon_code := coupon_code;
  request.voucher_code := voucher_code;
  request.exclusive := exclusive;
  request.fields := fields;
  request.customer_note := customer_note;
  request.staff_note := staff_note;
  request.price_cents := price_cents;
  request.override_reason := override_reason;
  request.expected_total_cents := expected_total_cents;
  request.pay_within_hours := pay_within_hours;
  return private.create_booking(organization_id, request, idempotency_key);
end
$$;

comment on function public.create_booking is
  'Books for a customer from the venue''s side, at any time that is not over (a party at the door too), whatever notice, advance and opening hours say, for up to the room''s capacity_limit; what is booked already stands. customer: {full_name, email?, phone?, locale?}, to whom nothing is mailed without an email, and with one the confirmation, or after two minutes the link to pay while it is pending; source: direct, marketplace or api; price_cents: what the seats cost instead of the calculated price, under pricing:override and with override_reason; expected_total_cents: refused when the total is another; pay_within_hours: how long it may stay unpaid, 1 to 720, else 72, and never past the game''s end. The booking is pending until what is due is paid (record_payment, or online with its link) or somebody confirms it, at most until hold_expires_at; confirmed when nothing is due. For members with bookings:create. Errors: 403 permission_denied, organization_suspended; 404 room_not_found, calendar_not_found; 409 slot_taken, plan_limit_reached (details {"limit", "maximum", "used", "plan"}), total_changed (details {"total_cents"}), extra_sold_out (details {"extra_id", "left"}); 422 party_size_invalid (details {"minimum", "maximum"}), start_invalid, slot_in_past, too_far_ahead, exclusive_not_offered, customer_invalid (details {"field"}), field_invalid, note_too_long, source_invalid, price_invalid, override_reason_invalid, pay_within_invalid (details {"minimum", "maximum"}), idempotency_key_invalid, idempotency_key_reused, coupon_max_uses_per_customer, and those of extras, coupons and vouchers as in quote_booking; 429 mail_limit_reached (details {"limit", "maximum"}; without an email there is no limit).';
grant execute on function public.create_booking to authenticated;

-- =============================================================================
-- sql/60_reservations/080_changes.sql
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

create function private.named_extras(organization_id uuid, request private.booking_request)
returns public.booked_extra []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(x.id, private.text_in(x.names, request.locale), wanted.quantity)::public.booked_extra
    from unnest(private.wanted_extras(request.extras)) as wanted
    join public.extras as x on x.organization_id = named_extras.organization_id and x.id = wanted.extra_id
    where wanted.quantity > 0
    order by x.position, x.id
  );
end
$$;

comment on function private.named_extras is
  'The extras of a request that was priced, in the order in which the venue shows them, without those of which there are none.';

create function private.changed_request(
  booking public.bookings,
  change private.booking_request,
  target public.bookings
)
returns private.booking_request
language plpgsql
stable
set search_path = ''
as $$
declare
  request private.booking_request := private.booking_options(booking);
begin
  -- Its money is in the ledger: it is not redeemed again.
  request.voucher_code := null;
  request.exclusive := target.exclusive;
  if nullif(change.extras, 'null') is not null then
    request.extras := change.extras;
  end if;
  if change.coupon_code is not null then
    request.coupon_code := nullif(trim(change.coupon_code), '');
  end if;
  if change.price_cents is not null then
    request.price_cents := change.price_cents;
    request.override_reason := trim(change.override_reason);
  elsif (target.room_id, target.party_size, target.exclusive)
    is distinct from (booking.room_id, booking.party_size, booking.exclusive)
  then
    request.price_cents := null;
    request.override_reason := null;
  end if;
  return request;
end
$$;

comment on function private.changed_request is
  'What a booking is priced with once it is the target: as it was, but for what the change says.';

create function private.changes_between(
  booking public.bookings,
  before private.booking_request,
  target public.bookings,
  after private.booking_request
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_object_agg(old.key, jsonb_build_array(old.value, new.value))
    from jsonb_each(to_jsonb(booking) || jsonb_build_object(
      'terms', private.booking_terms(booking),
      'extras', private.named_extras(booking.organization_id, before),
      'coupon_code', before.coupon_code
    )) as old
    join jsonb_each(to_jsonb(target) || jsonb_build_object(
      'extras', private.named_extras(booking.organization_id, after),
      'coupon_code', after.coupon_code
    )) as new on new.key = old.key
    where old.key in ('starts_at', 'room_id', 'party_size', 'exclusive', 'extras', 'coupon_code', 'total_cents', 'terms')
      and old.value <> new.value
  );
end
$$;

comment on function private.changes_between is
  'What of a booking is different, as public.booking_history keeps it: {field: [before, after]}; null: nothing.';

create function private.plan_change(
  booking public.bookings,
  change private.booking_request,
  by_staff boolean,
  out room public.rooms,
  out slot private.slot,
  out target public.bookings,
  out request private.booking_request,
  out quote public.quote,
  out changes jsonb,
  out keeps_price boolean
)
language plpgsql
stable
set search_path = ''
as $$
declare
  calendar public.calendars;
  session public.sessions;
  stays boolean;
  covered bigint;
begin
  target := booking;
  target.starts_at := coalesce(change.starts_at, booking.starts_at);
  target.room_id := coalesce(change.room_id, booking.room_id);
  target.party_size := coalesce(change.party_size, booking.party_size);
  stays := target.starts_at = booking.starts_at and target.room_id = booking.room_id;

  if by_staff then
    select r.* into room
    from public.rooms as r
    where r.organization_id = booking.organization_id
      and r.id = target.room_id
      -- What is booked in an archived room stays there, or goes elsewhere.
      and (not r.is_archived or stays);
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

  target.exclusive := coalesce(change.exclusive, booking.exclusive and room.mode = 'shared');
  target.seats := private.wanted_seats(slot, target.exclusive);
  request := private.changed_request(booking, change, target);
  keeps_price := false;
  if change.as_agreed then
    begin
      quote := private.quote(booking.organization_id, slot, request);
    exception
      when sqlstate 'PT422' then
        -- Its coupon is none of that room's, or of such a total: it has it all the same.
        if sqlerrm not like 'coupon%' then
          raise;
        end if;
    end;
    keeps_price := coalesce(quote.total_cents >= booking.total_cents, true);
  else
    quote := private.quote(booking.organization_id, slot, request);
  end if;
  if not keeps_price then
    target.total_cents := quote.total_cents;
    target.tax_cents := quote.tax_cents;
    covered := private.booking_covered(booking.organization_id, booking.id);
    target.due_now_cents := private.chargeable_due(
      booking.organization_id, target.total_cents,
      greatest(quote.due_now_cents, least(covered, target.total_cents)),
      least(covered, target.total_cents)
    );
  end if;
  -- Who moves it agrees to what is shown with the new price; staff move it for somebody who may
  -- have agreed to nothing.
  target.terms := to_jsonb(case
    when coalesce(change.new_terms, not by_staff and not stays)
      then quote.terms
    else private.booking_terms(booking)
  end);
  if request.coupon_code is not null then
    -- As the venue writes it, whatever was typed.
    request.coupon_code := (private.coupon_with_code(booking.organization_id, request.coupon_code)).code;
  end if;
  changes := private.changes_between(booking, private.booking_options(booking), target, request);
end
$$;

comment on function private.plan_change is
  'What a booking would become, what it would then be priced with, what of it is different (null: nothing), and whether its price and lines stay as they are. Raises what private.offered_slot, for staff private.staff_slot, and private.quote raise, 404 room_not_found, 409 not_reschedulable.';

create function private.refuse_reschedule()
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail('not_reschedulable', 409, 'The booking can no longer be changed here; ask the venue.');
end
$$;

comment on function private.refuse_reschedule is 'Raises 409 not_reschedulable.';

create function private.is_reschedulable(booking public.bookings)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  terms record := private.cancellation_terms(booking);
  calendar public.calendars := private.managing_calendar(booking);
begin
  return terms.by_customer
    and terms.refund_percent = 100
    and not private.awaits_confirmation(booking)
    -- What the calendar no longer sells is not changed through it.
    and exists (
      select from public.calendar_rooms as cr
      join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
      where cr.organization_id = booking.organization_id
        and cr.calendar_id = calendar.id
        and cr.room_id = booking.room_id
        and r.is_published
    );
end
$$;

comment on function private.is_reschedulable is
  'Whether the customer may change the booking now: while cancelling it would be refunded in full, by a public calendar that sells its room. What is shown and what is allowed ask this one function.';

create type public.change_quote as (
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  party_size int,
  exclusive boolean,
  extras public.booked_extra [],
  currency text,
  lines public.price_line [],
  total_cents bigint,
  tax_cents bigint,
  due_now_cents bigint,
  difference_cents bigint,
  refund_cents bigint,
  open_cents bigint,
  terms public.cancellation_terms,
  disputed_cents bigint
);

comment on type public.change_quote is
  'What a change of a booking would cost. Amounts in minor units of currency, tax included.';
comment on column public.change_quote.room_id is 'The room.';
comment on column public.change_quote.starts_at is 'The start.';
comment on column public.change_quote.ends_at is 'The end of the game.';
comment on column public.change_quote.party_size is 'People.';
comment on column public.change_quote.exclusive is 'Whether the party would have a shared room for itself.';
comment on column public.change_quote.extras is 'In the order in which the venue shows them.';
comment on column public.change_quote.currency is 'ISO 4217.';
comment on column public.change_quote.lines is 'The seats, then extras, discounts and the fee.';
comment on column public.change_quote.total_cents is 'The new total.';
comment on column public.change_quote.tax_cents is 'The tax that total_cents contains.';
comment on column public.change_quote.due_now_cents is 'What must be paid for it to be confirmed, however it is paid.';
comment on column public.change_quote.difference_cents is 'The new total less the old.';
comment on column public.change_quote.refund_cents is 'What would go back at once.';
comment on column public.change_quote.disputed_cents is
  'What would go back beside refund_cents if the customer''s bank, which withholds its payment, decides for the venue; decided for the customer, the bank has given it back.';
comment on column public.change_quote.open_cents is 'What could still be asked for of the new total.';
comment on column public.change_quote.terms is 'What counts about cancelling once it was changed: moving it agrees to them.';

create function private.quoted_change(booking public.bookings, change private.booking_request, by_staff boolean)
returns public.change_quote
language plpgsql
stable
set search_path = ''
as $$
declare
  plan record := private.plan_change(booking, change, by_staff);
  target public.bookings := plan.target;
  quote public.quote := plan.quote;
  refundable bigint := private.booking_refundable(booking.organization_id, booking.id);
  excess bigint := greatest(refundable - target.total_cents, 0);
  -- What no bank withholds goes back before: private.request_refund.
  withheld bigint := greatest(excess - refundable + private.booking_disputed(booking.organization_id, booking.id), 0);
begin
  return row(
    target.room_id,
    target.starts_at,
    quote.ends_at,
    target.party_size,
    target.exclusive,
    private.named_extras(booking.organization_id, plan.request),
    quote.currency,
    quote.lines,
    quote.total_cents,
    quote.tax_cents,
    target.due_now_cents,
    target.total_cents - booking.total_cents,
    excess - withheld,
    private.booking_open(target),
    private.booking_terms(target),
    withheld
  )::public.change_quote;
end
$$;

comment on function private.quoted_change is
  'What a change would cost. Called in the statement that reads the booking, it counts the money of one moment. Raises what private.plan_change does.';

create function private.apply_change(
  booking public.bookings,
  change private.booking_request,
  by_staff boolean,
  has_left boolean default false
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

  plan := private.plan_change(booking, change, by_staff);
  target := plan.target;
  if change.expected_total_cents is not null then
    perform private.refuse_total(plan.quote, change.expected_total_cents);
  end if;
  perform private.refuse_terms(private.booking_terms(target), change.expected_terms);

  if plan.changes is null then
    perform private.fail('nothing_to_change', 422, 'Choose another time, room, party, extras or price.');
  end if;

  if target.starts_at = booking.starts_at and target.room_id = booking.room_id then
    perform private.change_seats(booking, target, plan.room, by_staff);
  else
    if not has_left then
      perform private.release_seats(booking);
    end if;
    target.session_id := private.claim_slot(plan.room, plan.slot, target.exclusive, by_staff);
  end if;

  if not plan.keeps_price then
    perform private.drop_options(booking, (plan.request).coupon_code);
  end if;
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
    terms = target.terms,
    hold_expires_at = case b.status
      when 'pending' then least(b.hold_expires_at, (plan.slot).ends_at) else b.hold_expires_at
    end
  where b.organization_id = booking.organization_id and b.id = booking.id
  returning b.* into target;
  if plan.keeps_price then
    perform private.check_extras(target);
  else
    perform private.take_options(target, plan.quote, plan.request);
  end if;

  insert into public.booking_history (
    organization_id, booking_id, from_status, to_status, reason, actor_kind, actor_id, change
  )
  values (
    target.organization_id, target.id, target.status, target.status, private.shown_reason(change.reason),
    actor ->> 'kind', (actor ->> 'id')::uuid, plan.changes
  );
  perform private.keep_reason(target.organization_id, target.id, change.reason);

  excess := private.booking_refundable(target.organization_id, target.id) - target.total_cents;
  if excess > 0 then
    perform private.request_refund(target.organization_id, target.id, excess, 'changed');
  end if;
  perform private.settle_booking(target.organization_id, target.id);
end
$$;

comment on function private.apply_change is
  'Changes a booking that private.locked_for_change locked and the caller may change, settles its money and writes the history; has_left: it gave its seats back before. Raises what private.plan_change and private.take_options raise, 409 slot_taken, total_changed, terms_changed, 422 nothing_to_change.';

create function private.change_seats(
  booking public.bookings,
  target public.bookings,
  room public.rooms,
  by_staff boolean
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
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
$$;

comment on function private.change_seats is
  'Takes another number of seats of the session that the booking stays in. Raises 409 slot_taken.';

create function private.quote_reschedule(reference text, manage_token text, change private.booking_request)
returns public.change_quote
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.bookings := private.booking_with_token(quote_reschedule.reference, quote_reschedule.manage_token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  if not private.is_reschedulable(known) then
    perform private.refuse_reschedule();
  end if;
  return (
    -- In the statement that reads the booking, so that it counts the money of one moment.
    select private.quoted_change(b, change, false)
    from public.bookings as b
    where b.organization_id = known.organization_id and b.id = known.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.quote_reschedule is
  'definer: prices a change for whoever holds the booking''s manage token.';
grant execute on function private.quote_reschedule to anon, authenticated;

create function public.quote_reschedule(
  reference text,
  manage_token text,
  starts_at timestamptz default null,
  room_id uuid default null,
  party_size int default null,
  exclusive boolean default null,
  extras jsonb default null
)
returns public.change_quote
language plpgsql
volatile
set search_path = ''
as $$
declare
  change private.booking_request;
begin
  change.starts_at := starts_at;
  change.room_id := room_id;
  change.party_size := party_size;
  change.exclusive := exclusive;
  change.extras := extras;
  return private.quote_reschedule(reference, manage_token, change);
end
$$;

comment on function public.quote_reschedule is
  'What a change of the booking would cost, whether or not the place is free; null: as it is. exclusive: a shared room for this party alone; extras: exactly these, [{extra_id, quantity}], and [] for none. For anybody. Errors: 404 booking_not_found, room_not_found; 409 not_reschedulable: only while cancelling would be refunded in full; extra_sold_out (details {"extra_id", "left"}); 422 party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, extras_invalid, extra_not_found (details {"extra_id"}), extra_quantity_invalid (details {"extra_id", "maximum"}), coupon_min_amount, coupon_not_for_room; 429 rate_limited.';
grant execute on function public.quote_reschedule to anon, authenticated;

create function private.reschedule_booking(
  reference text,
  manage_token text,
  change private.booking_request,
  idempotency_key text
)
returns public.booking
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
  stored jsonb;
  answer public.booking;
begin
  change.booking_id := booking.id;
  stored := private.idempotent_begin(scope, reschedule_booking.idempotency_key, to_jsonb(change));
  if stored is not null then
    return jsonb_populate_record(null::public.booking, stored);
  end if;
  booking := private.locked_for_change(booking.organization_id, booking.id, change.room_id);
  if not private.is_reschedulable(booking) then
    perform private.refuse_reschedule();
  elsif change.expected_total_cents is null then
    perform private.fail('expected_total_missing', 422, 'Send the total that quote_reschedule gave.');
  end if;
  perform private.act_as('customer', booking.customer_id);
  change.reason := 'changed_by_customer';
  perform private.apply_change(booking, change, false);
  answer := private.get_booking(reschedule_booking.reference, reschedule_booking.manage_token);
  perform private.idempotent_end(scope, reschedule_booking.idempotency_key, to_jsonb(answer));
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.reschedule_booking is
  'definer: changes a booking for whoever holds its manage token.';
grant execute on function private.reschedule_booking to anon, authenticated;

create function public.reschedule_booking(
  reference text,
  manage_token text,
  expected_total_cents bigint,
  idempotency_key text,
  starts_at timestamptz default null,
  room_id uuid default null,
  party_size int default null,
  exclusive boolean default null,
  extras jsonb default null,
  expected_terms jsonb default null
)
returns public.booking
language plpgsql
volatile
set search_path = ''
as $$
declare
  change private.booking_request;
begin
  change.starts_at := starts_at;
  change.room_id := room_id;
  change.party_size := party_size;
  change.exclusive := exclusive;
  change.extras := extras;
  change.expected_total_cents := expected_total_cents;
  change.expected_terms := expected_terms;
  return private.reschedule_booking(reference, manage_token, change, idempotency_key);
end
$$;

comment on function public.reschedule_booking is
  'Moves a booking to another time, room or party, makes a shared session its party''s alone, or gives it exactly these extras ([{extra_id, quantity}], [] for none), and returns it; null: as it is. What was paid too much goes back by a queued refund; what is missing is open and can be paid online (POST /v1/checkout) or at the venue, and a confirmed booking stays confirmed. expected_total_cents: the quoted total; expected_terms: those of the quote, so that nobody agrees to others than were shown. For anybody. Errors: 404 booking_not_found, room_not_found; 409 not_reschedulable: only while cancelling would be refunded in full; slot_taken, total_changed (details {"total_cents"}), terms_changed (details {"terms"}), booking_changed, extra_sold_out (details {"extra_id", "left"}); 422 nothing_to_change, expected_total_missing, party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, extras_invalid, extra_not_found (details {"extra_id"}), extra_quantity_invalid (details {"extra_id", "maximum"}), coupon_min_amount, coupon_not_for_room, idempotency_key_invalid, idempotency_key_reused; 429 rate_limited.';
grant execute on function public.reschedule_booking to anon, authenticated;

-- =============================================================================
-- sql/60_reservations/090_staff_changes.sql
-- =============================================================================

-- Changing a booking from the staff's side; changes.sql says what a change is.

create function private.refuse_staff_change(booking public.bookings)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if booking.status not in ('held', 'pending', 'confirmed', 'checked_in') or booking.hold_expires_at <= now() then
    perform private.refuse_reschedule();
  end if;
end
$$;

comment on function private.refuse_staff_change is
  'Raises 409 not_reschedulable for a booking whose game has begun or that is over.';

create function private.quote_change(organization_id uuid, change private.booking_request)
returns public.change_quote
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
begin
  perform private.require_permission(quote_change.organization_id, 'bookings:update');
  perform private.check_override(quote_change.organization_id, change.price_cents, change.override_reason);
  perform private.count_typed_code(quote_change.organization_id, change.coupon_code);
  select b.* into booking
  from public.bookings as b
  where b.organization_id = quote_change.organization_id and b.id = change.booking_id;
  if not found then
    perform private.fail('booking_not_found', 404, 'Check the booking''s id.');
  end if;
  perform private.refuse_staff_change(booking);
  return private.quoted_change(booking, change, true);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.quote_change is
  'definer: prices with what no client may read. Asks for bookings:update.';
grant execute on function private.quote_change to authenticated;

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
  coupon_code text default null,
  new_terms boolean default false
)
returns public.change_quote
language plpgsql
stable
set search_path = ''
as $$
declare
  change private.booking_request;
begin
  change.booking_id := booking_id;
  change.starts_at := starts_at;
  change.room_id := room_id;
  change.party_size := party_size;
  change.exclusive := exclusive;
  change.price_cents := price_cents;
  change.override_reason := override_reason;
  change.extras := extras;
  change.coupon_code := coupon_code;
  change.new_terms := coalesce(new_terms, false);
  return private.quote_change(organization_id, change);
end
$$;

comment on function public.quote_change is
  'What change_booking would make of the price. For members with bookings:update, and pricing:override for price_cents. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found, room_not_found; 409 not_reschedulable, extra_sold_out; 422 party_size_invalid, start_invalid, slot_in_past, too_far_ahead, exclusive_not_offered, price_invalid, override_reason_invalid, coupon_max_uses_per_customer, and those of extras and coupons as in quote_booking.';
grant execute on function public.quote_change to authenticated;

create function private.change_booking(
  organization_id uuid,
  change private.booking_request,
  idempotency_key text
)
returns public.desk_booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := change_booking.organization_id || ':change_booking';
  booking public.bookings;
  stored jsonb;
  answer public.desk_booking;
begin
  perform private.require_permission(change_booking.organization_id, 'bookings:update');
  perform private.check_override(change_booking.organization_id, change.price_cents, change.override_reason);
  perform private.count_typed_code(change_booking.organization_id, change.coupon_code);
  stored := private.idempotent_begin(scope, change_booking.idempotency_key, to_jsonb(change));
  if stored is not null then
    return jsonb_populate_record(null::public.desk_booking, stored);
  end if;
  if length(private.clean_note(change.reason)) > 500 then
    perform private.fail('reason_too_long', 422, 'Give a reason of at most 500 characters.');
  end if;
  booking := private.locked_for_change(change_booking.organization_id, change.booking_id, change.room_id);
  perform private.refuse_staff_change(booking);
  perform private.apply_change(booking, change, true);
  answer := (
    select private.desk_booking(b)
    from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id
  );
  perform private.idempotent_end(scope, change_booking.idempotency_key, to_jsonb(answer));
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.change_booking is
  'definer: writes sessions, bookings and the ledger, which no client may write. Asks for bookings:update.';
grant execute on function private.change_booking to authenticated;

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
  coupon_code text default null,
  new_terms boolean default false
)
returns public.desk_booking
language plpgsql
volatile
set search_path = ''
as $$
declare
  change private.booking_request;
begin
  change.booking_id := booking_id;
  change.starts_at := starts_at;
  change.room_id := room_id;
  change.party_size := party_size;
  change.exclusive := exclusive;
  change.price_cents := price_cents;
  change.override_reason := override_reason;
  change.expected_total_cents := expected_total_cents;
  change.reason := reason;
  change.extras := extras;
  change.coupon_code := coupon_code;
  change.new_terms := coalesce(new_terms, false);
  return private.change_booking(organization_id, change, idempotency_key);
end
$$;

comment on function public.change_booking is
  'Staff move a booking to another time that is not over, on the schedule or not, to another room, party (up to capacity_limit) or price, give it a shared session for itself, exactly these extras ([{extra_id, quantity}], [] for none) or another coupon (coupon_code, empty for none), until its game starts; null: as it is. What was paid too much goes back by a queued refund, what is missing is open; a confirmed booking stays confirmed. price_cents (what the seats cost) takes pricing:override and override_reason; expected_total_cents: refused when the total is another; reason: for the history; new_terms: the customer agreed to the room''s present terms about cancelling, else those of the booking stay. For members with bookings:update. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found, room_not_found; 409 not_reschedulable, slot_taken, total_changed (details {"total_cents"}), booking_changed, extra_sold_out (details {"extra_id", "left"}); 422 nothing_to_change, party_size_invalid, start_invalid, slot_in_past, too_far_ahead, exclusive_not_offered, price_invalid, override_reason_invalid, reason_too_long, idempotency_key_invalid, idempotency_key_reused, coupon_max_uses_per_customer, and those of extras and coupons as in quote_booking.';
grant execute on function public.change_booking to authenticated;

-- =============================================================================
-- sql/60_reservations/100_dependents.sql
-- =============================================================================

-- What hangs on a room, a location, a calendar or an extra: told before somebody deletes or archives it.

create type public.dependent_rows as (
  table_name text,
  rows bigint,
  on_delete text
);

comment on type public.dependent_rows is 'How many rows of a table name something.';
comment on column public.dependent_rows.table_name is 'As clients call it.';
comment on column public.dependent_rows.rows is 'One or more.';
comment on column public.dependent_rows.on_delete is
  'What becomes of them when it is deleted: refused (it cannot be deleted while they are there), deleted with it, or kept without it. one of: refused, deleted, kept';

create type public.dependents as (
  bookings_to_come bigint,
  first_starts_at timestamptz,
  last_starts_at timestamptz,
  can_be_deleted boolean,
  dependents public.dependent_rows []
);

comment on type public.dependents is 'What deleting or archiving something would touch, as things stand now.';
comment on column public.dependents.bookings_to_come is 'Bookings and holds that have yet to start. Archiving leaves them as they are.';
comment on column public.dependents.first_starts_at is 'The start of the first of them; null: there are none.';
comment on column public.dependents.last_starts_at is 'The start of the last of them; null: there are none.';
comment on column public.dependents.can_be_deleted is 'Whether nothing refuses it.';
comment on column public.dependents.dependents is 'By table, those that refuse first.';

create function private.rows_that_name(relation regclass, organization_id uuid, id uuid)
returns public.dependent_rows []
language plpgsql
stable
set search_path = ''
as $$
declare
  found public.dependent_rows [] := '{}';
  reference record;
  counted bigint;
begin
  -- By the foreign keys themselves, so that no table is forgotten.
  for reference in
    select
      t.relname::text as table_name,
      string_agg(format('t.%I = $%s', own.attname, case far.attname when 'id' then 2 else 1 end), ' and ') as named,
      case c.confdeltype when 'c' then 'deleted' when 'n' then 'kept' else 'refused' end as on_delete
    from pg_catalog.pg_constraint as c
    join pg_catalog.pg_class as t on t.oid = c.conrelid
    cross join unnest(c.conkey, c.confkey) as k (own, far)
    join pg_catalog.pg_attribute as own on own.attrelid = c.conrelid and own.attnum = k.own
    join pg_catalog.pg_attribute as far on far.attrelid = c.confrelid and far.attnum = k.far
    where c.contype = 'f'
      and c.confrelid = rows_that_name.relation
      and t.relnamespace = 'public'::regnamespace
      and far.attname in ('organization_id', 'id')
    group by c.oid, t.relname, c.confdeltype
    order by c.confdeltype in ('a', 'r') desc, t.relname
  loop
    execute format('select count(*) from public.%I as t where %s', reference.table_name, reference.named)
    into counted using rows_that_name.organization_id, rows_that_name.id;
    if counted > 0 then
      found := found || row(reference.table_name, counted, reference.on_delete)::public.dependent_rows;
    end if;
  end loop;
  return found;
end
$$;

comment on function private.rows_that_name is
  'Of each table of the organization how many rows refer to that row of relation, and what becomes of them when it is deleted.';

create function private.dependents_of(relation regclass, organization_id uuid, id uuid)
returns public.dependents
language plpgsql
stable
set search_path = ''
as $$
declare
  answer public.dependents;
begin
  answer.dependents := private.rows_that_name(
    dependents_of.relation, dependents_of.organization_id, dependents_of.id
  );
  answer.can_be_deleted := not exists (
    select from unnest(answer.dependents) as d
    where d.on_delete = 'refused'
  );
  select count(*), min(b.starts_at), max(b.starts_at)
  into answer.bookings_to_come, answer.first_starts_at, answer.last_starts_at
  from public.bookings as b
  where b.organization_id = dependents_of.organization_id
    and b.starts_at > now()
    and b.takes_capacity
    and coalesce(b.hold_expires_at > now(), true)
    and case dependents_of.relation
      when 'public.rooms'::regclass then b.room_id = dependents_of.id
      when 'public.calendars'::regclass then b.calendar_id = dependents_of.id
      when 'public.locations'::regclass then b.room_id in (
        select r.id
        from public.rooms as r
        where r.organization_id = b.organization_id and r.location_id = dependents_of.id
      )
      else exists (
        select from public.booking_extras as x
        where x.organization_id = b.organization_id and x.booking_id = b.id and x.extra_id = dependents_of.id
      )
    end;
  return answer;
end
$$;

comment on function private.dependents_of is
  'What deleting or archiving a row of public.rooms, locations, calendars or extras would touch.';

create function private.get_room_dependents(organization_id uuid, room_id uuid)
returns public.dependents
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(get_room_dependents.organization_id, 'rooms:read');
  if not exists (
    select from public.rooms as t
    where t.organization_id = get_room_dependents.organization_id and t.id = get_room_dependents.room_id
  ) then
    perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
  end if;
  return private.dependents_of('public.rooms', get_room_dependents.organization_id, get_room_dependents.room_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_room_dependents is
  'definer: counts rows of tables that the caller may not read each. Asks for rooms:read.';
grant execute on function private.get_room_dependents to authenticated;

create function public.get_room_dependents(organization_id uuid, room_id uuid)
returns public.dependents
language sql
stable
set search_path = ''
as $$ select private.get_room_dependents(organization_id, room_id) $$;

comment on function public.get_room_dependents is
  'What deleting or archiving a room would touch: bookings to come, and rows by table with what would become of them. For members with rooms:read. Errors: 403 permission_denied; 404 room_not_found.';
grant execute on function public.get_room_dependents to authenticated;

create function private.get_location_dependents(organization_id uuid, location_id uuid)
returns public.dependents
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(get_location_dependents.organization_id, 'rooms:read');
  if not exists (
    select from public.locations as t
    where t.organization_id = get_location_dependents.organization_id and t.id = get_location_dependents.location_id
  ) then
    perform private.fail('location_not_found', 404, 'Choose one of the organization''s locations.');
  end if;
  return private.dependents_of('public.locations', get_location_dependents.organization_id, get_location_dependents.location_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_location_dependents is
  'definer: counts rows of tables that the caller may not read each. Asks for rooms:read.';
grant execute on function private.get_location_dependents to authenticated;

create function public.get_location_dependents(organization_id uuid, location_id uuid)
returns public.dependents
language sql
stable
set search_path = ''
as $$ select private.get_location_dependents(organization_id, location_id) $$;

comment on function public.get_location_dependents is
  'What deleting a location would touch: bookings to come, and rows by table with what would become of them. For members with rooms:read. Errors: 403 permission_denied; 404 location_not_found.';
grant execute on function public.get_location_dependents to authenticated;

create function private.get_calendar_dependents(organization_id uuid, calendar_id uuid)
returns public.dependents
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(get_calendar_dependents.organization_id, 'calendars:read');
  if not exists (
    select from public.calendars as t
    where t.organization_id = get_calendar_dependents.organization_id and t.id = get_calendar_dependents.calendar_id
  ) then
    perform private.fail('calendar_not_found', 404, 'Choose one of the organization''s calendars.');
  end if;
  return private.dependents_of('public.calendars', get_calendar_dependents.organization_id, get_calendar_dependents.calendar_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_calendar_dependents is
  'definer: counts rows of tables that the caller may not read each. Asks for calendars:read.';
grant execute on function private.get_calendar_dependents to authenticated;

create function public.get_calendar_dependents(organization_id uuid, calendar_id uuid)
returns public.dependents
language sql
stable
set search_path = ''
as $$ select private.get_calendar_dependents(organization_id, calendar_id) $$;

comment on function public.get_calendar_dependents is
  'What deleting a calendar would touch: bookings to come, and rows by table with what would become of them. For members with calendars:read. Errors: 403 permission_denied; 404 calendar_not_found.';
grant execute on function public.get_calendar_dependents to authenticated;

create function private.get_extra_dependents(organization_id uuid, extra_id uuid)
returns public.dependents
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(get_extra_dependents.organization_id, 'extras:read');
  if not exists (
    select from public.extras as t
    where t.organization_id = get_extra_dependents.organization_id and t.id = get_extra_dependents.extra_id
  ) then
    perform private.fail('extra_not_found', 404, 'Choose one of the organization''s extras.');
  end if;
  return private.dependents_of('public.extras', get_extra_dependents.organization_id, get_extra_dependents.extra_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_extra_dependents is
  'definer: counts rows of tables that the caller may not read each. Asks for extras:read.';
grant execute on function private.get_extra_dependents to authenticated;

create function public.get_extra_dependents(organization_id uuid, extra_id uuid)
returns public.dependents
language sql
stable
set search_path = ''
as $$ select private.get_extra_dependents(organization_id, extra_id) $$;

comment on function public.get_extra_dependents is
  'What deleting an extra would touch: bookings to come, and rows by table with what would become of them. For members with extras:read. Errors: 403 permission_denied; 404 extra_not_found.';
grant execute on function public.get_extra_dependents to authenticated;

-- =============================================================================
-- sql/60_reservations/110_check_in_code.sql
-- =============================================================================

-- The code that a party shows when it comes: in its confirmation, as a picture to be scanned.

create function private.check_in_code(booking public.bookings)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  -- 132 bits that only the database can make: whoever shows them has the mail.
  return concat(
    replace(booking.id::text, '-', ''), '.', left(private.derived_token('check_in', booking.id::text), 22)
  );
end
$$;

comment on function private.check_in_code is
  'What shows staff which booking somebody comes for, and that they have its mail. It opens nothing to anybody else.';

create type public.scanned_booking as (
  booking_id uuid,
  reference text,
  status text,
  room_name text,
  starts_at timestamptz,
  timezone text,
  party_size int,
  contact_name text,
  currency text,
  open_cents bigint,
  unsigned_waivers int
);

comment on type public.scanned_booking is 'What staff see of a booking whose code they scanned.';
comment on column public.scanned_booking.booking_id is 'Of the booking.';
comment on column public.scanned_booking.reference is 'As its mails name it.';
comment on column public.scanned_booking.status is 'one of bookings.status';
comment on column public.scanned_booking.room_name is 'The game, in the booking''s language.';
comment on column public.scanned_booking.starts_at is 'When it starts.';
comment on column public.scanned_booking.timezone is 'IANA zone of its location.';
comment on column public.scanned_booking.party_size is 'How many come.';
comment on column public.scanned_booking.contact_name is 'Who booked; null without customers:read.';
comment on column public.scanned_booking.currency is 'ISO 4217.';
comment on column public.scanned_booking.open_cents is 'What can still be asked for of the total, in minor units; null without payments:read.';
comment on column public.scanned_booking.unsigned_waivers is 'People for whom nobody has signed the waiver.';

create function private.booking_by_check_in_code(organization_id uuid, code text)
returns public.scanned_booking
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  -- The code alone, or the whole link of which it is a part.
  parts text [] := regexp_match(
    left(booking_by_check_in_code.code, 2000), '(?:^|check_in=)\s*([0-9a-f]{32})\.([A-Za-z0-9_-]{22})(?:$|[^A-Za-z0-9_-])'
  );
  shown public.scanned_booking;
  shows_names boolean;
  shows_money boolean;
begin
  perform private.require_permission(booking_by_check_in_code.organization_id, 'bookings:read');
  shows_names := private.has_permission(booking_by_check_in_code.organization_id, 'customers:read');
  shows_money := private.has_permission(booking_by_check_in_code.organization_id, 'payments:read');
  select
    b.id, b.reference, b.status, private.room_name(r, b.locale), b.starts_at, l.timezone, b.party_size,
    case when shows_names then contact.contact_name end, b.currency,
    case when shows_money then private.booking_open(b) end,
    (private.booking_waiver(b)).missing
  into shown
  from public.bookings as given
  -- The code of a party that was merged with another is good for both.
  join public.bookings as b
    on b.organization_id = given.organization_id and b.id = coalesce(given.merged_into_id, given.id)
  join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  join public.booking_contacts as contact
    on contact.organization_id = b.organization_id and contact.booking_id = b.id
  where given.organization_id = booking_by_check_in_code.organization_id
    and given.id = parts[1]::uuid
    -- As hashes: how long it takes tells nothing of how much of it was right.
    and private.token_hash(private.check_in_code(given)) = private.token_hash(parts[1] || '.' || parts[2]);
  if shown.booking_id is null then
    perform private.fail('booking_not_found', 404, 'Scan the code of a mail of this venue, or look the booking up.');
  end if;
  return shown;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.booking_by_check_in_code is
  'definer: compares secrets that no client may read. Asks for bookings:read.';
grant execute on function private.booking_by_check_in_code to authenticated;

create function public.booking_by_check_in_code(organization_id uuid, code text)
returns public.scanned_booking
language sql
stable
set search_path = ''
as $$ select private.booking_by_check_in_code(organization_id, code) $$;

comment on function public.booking_by_check_in_code is
  'The booking whose code a party shows: code is what was scanned, the link or what follows check_in= in it. transition_booking checks it in. For members with bookings:read; the name of who booked is shown under customers:read, what is open under payments:read. Errors: 403 permission_denied; 404 booking_not_found, also for another venue''s code.';
grant execute on function public.booking_by_check_in_code to authenticated;

-- =============================================================================
-- sql/60_reservations/120_payment_link.sql
-- =============================================================================

-- The link by which a booking is paid, for staff who hand it over themselves: in a chat, or read out.

create type public.payment_link as (
  reference text,
  pay_token text,
  calendar text,
  site_url text,
  currency text,
  payable_cents bigint,
  rest_payable_until timestamptz
);

comment on type public.payment_link is
  'Where a booking is paid: <site_url>?calendar=<calendar>&reference=<reference>#token=<pay_token>.';
comment on column public.payment_link.reference is 'The booking''s.';
comment on column public.payment_link.pay_token is
  'The secret of this link, in the place of a manage token for get_booking and POST /v1/checkout: it shows what is to be paid and pays it, and nothing else.';
comment on column public.payment_link.calendar is 'The slug of the calendar that shows it; null: none is public.';
comment on column public.payment_link.site_url is 'The page of that calendar; null: it has none of its own, and the platform''s page shows it.';
comment on column public.payment_link.currency is 'ISO 4217.';
comment on column public.payment_link.payable_cents is 'What can be paid there now, in minor units; never 0.';
comment on column public.payment_link.rest_payable_until is 'Until when what is due later can be paid online; null: only at the venue.';

create function private.get_payment_link(organization_id uuid, booking_id uuid)
returns public.payment_link
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
  calendar public.calendars;
  cents bigint;
begin
  perform private.require_permission(get_payment_link.organization_id, 'payments:create');
  select b.* into booking
  from public.bookings as b
  where b.organization_id = get_payment_link.organization_id and b.id = get_payment_link.booking_id;
  if not found then
    perform private.fail('booking_not_found', 404, 'Choose one of the organization''s bookings.');
  elsif not (private.payment_account(booking.organization_id)).available then
    perform private.fail('online_payment_unavailable', 409, 'Complete the organization''s Stripe account first.');
  end if;
  cents := private.payable_online(booking, whole => true);
  if cents = 0 then
    perform private.fail('nothing_due', 409, 'Nothing of it can be paid online now.');
  end if;
  calendar := private.managing_calendar(booking);
  return row(
    booking.reference, private.pay_token(booking.organization_id, booking.id), calendar.slug, calendar.site_url,
    booking.currency, cents, private.rest_payable_until(booking)
  )::public.payment_link;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_payment_link is
  'definer: derives the secret of a link from the signing key. Asks for payments:create.';
grant execute on function private.get_payment_link to authenticated;

create function public.get_payment_link(organization_id uuid, booking_id uuid)
returns public.payment_link
language sql
stable
set search_path = ''
as $$ select private.get_payment_link(organization_id, booking_id) $$;

comment on function public.get_payment_link is
  'A link by which what is open of a booking is paid, to copy. It shows nothing of whom the booking is for, and neither moves nor cancels it; what resend_booking_email (kind payment) mails to the customer is the customer''s own link. Asks for payments:create. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 nothing_due, online_payment_unavailable.';
grant execute on function public.get_payment_link to authenticated;

-- =============================================================================
-- sql/60_reservations/130_mail_problems.sql
-- =============================================================================

-- Whose mails do not arrive: shown on the booking, so that somebody calls before the party stands at a closed door.
-- Written by what follows mails (private.follow_mail_outcome).

create table public.booking_mail_problems (
  organization_id uuid not null,
  booking_id uuid not null,
  problem text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint booking_mail_problems_pkey primary key (organization_id, booking_id),
  constraint booking_mail_problems_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_mail_problems_problem_is_known check (
    problem in ('bounced', 'complained', 'failed', 'suppressed', 'limited', 'dead')
  )
);

comment on table public.booking_mail_problems is
  'Bookings whose customer the last mail did not reach: correct the address, or call. Gone once a later mail was sent: correct customers.email and call resend_booking_email. A row a booking, so a list of bookings takes it in as booking_mail_problems(problem); get_board and search_bookings have it as mail_problem. Written by the database only.';
comment on column public.booking_mail_problems.problem is
  'What became of the newest mail, as booking_emails says it: bounced, complained (reported as spam), failed (the provider could not send it), suppressed (not sent: the address bounced or complained before), limited (not sent: its mailbox was sent enough that day) or dead (given up, or the address was refused).';

grant select on public.booking_mail_problems to authenticated;

alter table public.booking_mail_problems enable row level security;

create policy booking_mail_problems_select on public.booking_mail_problems
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create trigger booking_mail_problems_touch_updated_at
before update on public.booking_mail_problems
for each row execute function private.touch_updated_at();

-- =============================================================================
-- sql/60_reservations/140_search.sql
-- =============================================================================

-- Finding a booking at the desk, by whatever the person in front of it says.
--
-- Words are looked for in two indexes, that of what came with the bookings and that of the customers. What a
-- word is in is mostly few bookings: they are read, and put in order (private.found_at_once). Where it is in
-- many, as in "gmail", the answer is found in rounds, in order of time, none of which reads further than it has
-- to (private.found_by_words).

create type public.found_booking as (
  id uuid,
  reference text,
  status text,
  starts_at timestamptz,
  timezone text,
  room_id uuid,
  room_name text,
  party_size int,
  customer_id uuid,
  contact_name text,
  email text,
  phone text,
  matched text,
  mail_problem text,
  tags text []
);

comment on type public.found_booking is 'A booking that a search found.';
comment on column public.found_booking.id is 'Of the booking.';
comment on column public.found_booking.reference is 'As the customer knows it.';
comment on column public.found_booking.status is 'A hold that has lapsed is expired. one of bookings.status';
comment on column public.found_booking.starts_at is 'Of the game.';
comment on column public.found_booking.timezone is 'IANA zone of its location.';
comment on column public.found_booking.room_id is 'Its room.';
comment on column public.found_booking.room_name is 'As staff call it.';
comment on column public.found_booking.party_size is 'People.';
comment on column public.found_booking.customer_id is 'Whose booking it is.';
comment on column public.found_booking.contact_name is 'Who comes, as given with the booking; null without customers:read.';
comment on column public.found_booking.email is 'The customer''s; null without one, and without customers:read.';
comment on column public.found_booking.phone is
  'As given with the booking, else the customer''s; null without one, and without customers:read.';
comment on column public.found_booking.matched is 'By what it was found; one of: reference, words, date';

comment on column public.found_booking.mail_problem is
  'Why its last mail did not reach its customer, whose address is to be corrected; null: it did, as far as is known. one of booking_mail_problems.problem';
comment on column public.found_booking.tags is 'Names of its tags, in their order; empty: none.';

create type public.booking_search as (
  bookings public.found_booking [],
  has_more boolean
);

comment on type public.booking_search is 'What a search found.';
comment on column public.booking_search.bookings is
  'By reference first; then words that begin as asked, then those that hold it; of each what is to come, nearest first, then what was, latest first.';
comment on column public.booking_search.has_more is 'Whether there are more than were asked for: type more of the name, or a date.';

create function private.booking_day(booking public.bookings)
returns date
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select (booking.starts_at at time zone l.timezone)::date
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where r.organization_id = booking.organization_id and r.id = booking.room_id
  );
end
$$;

comment on function private.booking_day is 'The day on which a booking starts, by the clock of its location.';

create function private.found_at_once(
  organization_id uuid,
  words text [],
  from_time timestamptz,
  until_time timestamptz,
  day date,
  today timestamptz,
  most int,
  tag_id uuid default null
)
returns uuid []
language plpgsql
stable
set jit = off
set search_path = ''
as $$
declare
  found uuid [];
begin
  -- Planned with the words at hand, by how frequent they are.
  execute $query$
    with candidate as materialized (
      (
        select k.booking_id as id
        from public.booking_contacts as k
        where k.organization_id = $1 and private.search_document(k.contact_name, null, k.contact_phone) like $2[1]
        limit $8
      )
      union
      (
        select b.id
        from public.customers as c
        join public.bookings as b on b.organization_id = c.organization_id and b.customer_id = c.id
        where c.organization_id = $1
          and b.organization_id = $1
          and private.search_document(c.full_name, c.email, c.phone) like $2[1]
        limit $8
      )
    )
    select
      case
        when (select count(*) from candidate) < $8 then coalesce(
          array_agg(
            b.id
            order by
              said.words like all ($3) desc,
              b.starts_at >= $7 desc,
              abs(extract(epoch from b.starts_at - $7)),
              b.id
          ),
          '{}'
        )
      end
    from candidate as f
    join public.bookings as b on b.organization_id = $1 and b.id = f.id
    join public.booking_contacts as k on k.organization_id = $1 and k.booking_id = b.id
    join public.customers as c on c.organization_id = $1 and c.id = b.customer_id
    cross join lateral (
      select
        private.search_document(k.contact_name, null, k.contact_phone)
        || private.search_document(c.full_name, c.email, c.phone) as words
      offset 0
    ) as said
    where said.words like all ($2)
      and b.starts_at >= $4
      and b.starts_at < $5
      and ($6::date is null or private.booking_day(b) = $6)
      and ($9::uuid is null or private.has_tag(b.organization_id, b.id, $9))
  $query$
  into found
  using found_at_once.organization_id, private.search_patterns(words, false), private.search_patterns(words, true),
    from_time, until_time, day, today, most, found_at_once.tag_id;
  return found;
end
$$;

comment on function private.found_at_once is
  'All bookings that start in that time and whose party or customer is written so: words that begin so first, of each what is to come from today on, nearest first, then what was; null: there are that many to look through, or more.';

create function private.found_by_words(
  organization_id uuid,
  patterns text [],
  from_time timestamptz,
  until_time timestamptz,
  day date,
  is_to_come boolean,
  max_results int,
  tag_id uuid default null
)
returns uuid []
language plpgsql
stable
set jit = off
set search_path = ''
as $$
declare
  found uuid [];
begin
  -- Planned anew each time, with the words at hand: which way is short depends on how frequent they are.
  execute format(
    $query$
      select array_agg(f.id order by f.starts_at %1$s, f.id %1$s)
      from (
        (
          select b.id, b.starts_at
          from public.booking_contacts as k
          join public.bookings as b on b.organization_id = k.organization_id and b.id = k.booking_id
          join public.customers as c on c.organization_id = b.organization_id and c.id = b.customer_id
          where k.organization_id = $1
            and b.organization_id = $1
            and private.search_document(k.contact_name, null, k.contact_phone) like $2[1]
            and (
              cardinality($2) = 1
              or (
                private.search_document(k.contact_name, null, k.contact_phone)
                || private.search_document(c.full_name, c.email, c.phone)
              ) like all ($2)
            )
            and b.starts_at >= $3
            and b.starts_at < $4
            and ($6::date is null or private.booking_day(b) = $6)
            and ($7::uuid is null or private.has_tag(b.organization_id, b.id, $7))
          order by b.starts_at %1$s, b.id %1$s
          limit $5
        )
        union
        (
          select b.id, b.starts_at
          from public.customers as c
          join public.bookings as b on b.organization_id = c.organization_id and b.customer_id = c.id
          join public.booking_contacts as k on k.organization_id = b.organization_id and k.booking_id = b.id
          where c.organization_id = $1
            and b.organization_id = $1
            and private.search_document(c.full_name, c.email, c.phone) like $2[1]
            and (
              cardinality($2) = 1
              or (
                private.search_document(k.contact_name, null, k.contact_phone)
                || private.search_document(c.full_name, c.email, c.phone)
              ) like all ($2)
            )
            and b.starts_at >= $3
            and b.starts_at < $4
            and ($6::date is null or private.booking_day(b) = $6)
            and ($7::uuid is null or private.has_tag(b.organization_id, b.id, $7))
          order by b.starts_at %1$s, b.id %1$s
          limit $5
        )
        order by 2 %1$s, 1 %1$s
        limit $5
      ) as f
    $query$,
    case when is_to_come then 'asc' else 'desc' end
  )
  into found
  using found_by_words.organization_id, patterns, from_time, until_time, max_results, day, found_by_words.tag_id;
  return coalesce(found, '{}');
end
$$;

comment on function private.found_by_words is
  'Bookings that start in that time and whose party or customer is written like all the patterns, the first of which is the one to look up, nearest to now first.';

create function private.search_patterns(words text [], is_start boolean)
returns text []
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array(
    select
      case
        -- Digits may stand behind a country's, and what is as short as an initial begins a word.
        when w.word !~ '^[0-9]{3,}$' and (is_start or length(w.word) < 3) then '% '
        else '%'
      end
      || regexp_replace(w.word, '([\\%_])', '\\\1', 'g') || '%'
    from unnest(words) as w (word)
    order by length(w.word) desc
  );
end
$$;

comment on function private.search_patterns is
  'Patterns for the words of a search, that of the longest first: of words that begin so, or that hold it.';

create function private.search_bookings(organization_id uuid, query text, max_results int, tag_id uuid)
returns public.booking_search
language plpgsql
stable
security definer
set jit = off
set search_path = ''
as $$
declare
  typed text := private.clean_text(left(query, 200));
  rest text;
  day date;
  words text [];
  sees_customers boolean;
  wanted int := max_results + 1;
  today timestamptz;
  from_time timestamptz := '-infinity';
  until_time timestamptz := 'infinity';
  by_reference uuid [] := '{}';
  is_searched boolean;
  found uuid [] := '{}';
  answer public.booking_search;
begin
  perform private.require_permission(search_bookings.organization_id, 'bookings:read');
  if max_results is null or max_results not between 1 and 50 then
    perform private.fail(
      'max_results_invalid', 422, 'Ask for 1 to 50.', jsonb_build_object('minimum', 1, 'maximum', 50)
    );
  end if;

  select
    min(private.typed_date(w.word)),
    coalesce(string_agg(w.word, ' ' order by w.position) filter (where private.typed_date(w.word) is null), '')
  into day, rest
  from regexp_split_to_table(private.ascii_digits(typed), '\s+') with ordinality as w (word, position);
  if rest !~ '[^0-9+()./ -]' then
    -- A telephone number, in whatever groups. The country's digits may be missing where it is stored.
    words := array[right(regexp_replace(rest, '[^0-9]', '', 'g'), 9)];
  else
    words := array(
      select case when w.word ~ '^[0-9+().]+$' then regexp_replace(w.word, '[^0-9]', '', 'g') else btrim(w.word, '.,;:()<>"') end
      from regexp_split_to_table(private.search_text(rest), '\s+') as w (word)
      limit 10
    );
  end if;
  words := array(select distinct w.word from unnest(words) as w (word) where w.word <> '');

  by_reference := array(
    select b.id
    from public.bookings as b
    where b.organization_id = search_bookings.organization_id
      and b.reference = any (private.typed_references(rest))
      and (search_bookings.tag_id is null or private.has_tag(b.organization_id, b.id, search_bookings.tag_id))
  );
  if by_reference = '{}' and not exists (
    select from unnest(words) as w (word) where length(w.word) >= case when w.word ~ '^[0-9]+$' then 3 else 2 end
  ) and (day is null or words <> '{}') then
    perform private.fail('query_too_short', 422, 'Type two letters of a name, three digits, a reference or a date.');
  end if;

  found := by_reference;
  sees_customers := private.has_permission(search_bookings.organization_id, 'customers:read');
  if by_reference = '{}' and day is not null then
    select
      min(day::timestamp at time zone l.timezone), max((day + 1)::timestamp at time zone l.timezone)
    into from_time, until_time
    from public.locations as l
    where l.organization_id = search_bookings.organization_id;
  end if;
  if by_reference = '{}' and words = '{}' then
    found := array(
      select b.id
      from public.bookings as b
      where b.organization_id = search_bookings.organization_id
        and b.starts_at >= from_time
        and b.starts_at < until_time
        and private.booking_day(b) = day
        and (search_bookings.tag_id is null or private.has_tag(b.organization_id, b.id, search_bookings.tag_id))
      order by b.starts_at, b.id
      limit wanted
    );
  elsif by_reference = '{}' and sees_customers then
    -- A game that is being played is still to come for who stands at the desk.
    today := greatest(least(now() - interval '3 hours', until_time), from_time);
    found := private.found_at_once(
      search_bookings.organization_id, words, from_time, until_time, day, today, 200, search_bookings.tag_id
    );
    is_searched := found is not null;
    found := coalesce(found, '{}');
    for round in 1..4 loop
      exit when is_searched or cardinality(found) >= wanted
        or round = 3 and private.search_patterns(words, false) = private.search_patterns(words, true);
      found := found || array(
        select n.id
        from unnest(
          private.found_by_words(
            search_bookings.organization_id,
            private.search_patterns(words, round <= 2),
            case when round in (1, 3) then today else from_time end,
            case when round in (1, 3) then until_time else today end,
            day,
            round in (1, 3),
            -- What the rounds before found is found again.
            wanted + cardinality(found),
            search_bookings.tag_id
          )
        ) with ordinality as n (id, position)
        where n.id <> all (found)
        order by n.position
      );
    end loop;
  end if;

  answer.has_more := cardinality(found) >= wanted;
  answer.bookings := array(
    select row(
      b.id, b.reference, case when b.hold_expires_at <= now() then 'expired' else b.status end,
      b.starts_at, l.timezone, b.room_id, r.name, b.party_size, b.customer_id,
      case when sees_customers then k.contact_name end,
      case when sees_customers then c.email end,
      case when sees_customers then coalesce(k.contact_phone, c.phone) end,
      case when b.id = any (by_reference) then 'reference' when words = '{}' then 'date' else 'words' end,
      (
        select p.problem
        from public.booking_mail_problems as p
        where p.organization_id = b.organization_id and p.booking_id = b.id
      ),
      array(
        select t.name
        from public.booking_tags as bt
        join public.tags as t on t.organization_id = bt.organization_id and t.id = bt.tag_id
        where bt.organization_id = b.organization_id and bt.booking_id = b.id
        order by lower(t.name), t.id
      )
    )::public.found_booking
    from unnest(found) with ordinality as f (id, position)
    join public.bookings as b on b.organization_id = search_bookings.organization_id and b.id = f.id
    join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    join public.customers as c on c.organization_id = b.organization_id and c.id = b.customer_id
    join public.booking_contacts as k on k.organization_id = b.organization_id and k.booking_id = b.id
    where f.position <= max_results
    order by f.position
  );
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.search_bookings is
  'definer: joins tables for an organization that the caller names, each under its own permission.';
grant execute on function private.search_bookings to authenticated;

create function public.search_bookings(
  organization_id uuid,
  query text,
  max_results int default 20,
  tag_id uuid default null
)
returns public.booking_search
language sql
stable
set search_path = ''
as $$ select private.search_bookings(organization_id, query, max_results, tag_id) $$;

comment on function public.search_bookings is
  'Finds bookings by what is typed, of its first 200 characters: a reference, however written; parts of the name, the e-mail address or the phone of party or customer, all of which must fit, accents and case ignored; a day (2026-11-28, 28/11/2026) on the location''s clock; a day beside the others. tag_id: of these only what has the tag. max_results: 1 to 50. Whoever may not read customers finds by reference and by day alone, and nothing by other words, whatever stands there. For members with bookings:read; contact_name, email and phone are null without customers:read. Errors: 403 permission_denied; 422 query_too_short, max_results_invalid (details {"minimum", "maximum"}).';
grant execute on function public.search_bookings to authenticated;

-- =============================================================================
-- sql/60_reservations/150_details.sql
-- =============================================================================

-- What a party said of itself, corrected at the desk.

create function private.change_booking_details(
  organization_id uuid,
  booking_id uuid,
  contact_name text,
  contact_phone text,
  locale text,
  fields jsonb,
  customer_note text
)
returns public.desk_booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
  calendar public.calendars;
  contact public.booking_contacts;
  guest private.guest;
begin
  perform private.require_permission(change_booking_details.organization_id, 'bookings:update');
  -- Nobody overwrites what they may not read.
  perform private.require_permission(change_booking_details.organization_id, 'customers:read');
  if length(private.clean_note(change_booking_details.customer_note)) > 2000 then
    perform private.fail('customer_note_too_long', 422, 'Write a note of at most 2000 characters.');
  end if;
  booking := private.locked_booking(change_booking_details.organization_id, change_booking_details.booking_id);
  perform private.refuse_erased(booking);
  select k.* into contact
  from public.booking_contacts as k
  where k.organization_id = booking.organization_id and k.booking_id = booking.id;
  guest := private.checked_customer(
    jsonb_build_object(
      'full_name', coalesce(change_booking_details.contact_name, contact.contact_name),
      'phone', coalesce(change_booking_details.contact_phone, contact.contact_phone),
      'locale', change_booking_details.locale
    ),
    booking.locale,
    may_lack_email => true
  );
  if change_booking_details.fields is not null then
    select c.* into calendar
    from public.calendars as c
    where c.organization_id = booking.organization_id and c.id = booking.calendar_id;
    contact.fields := private.checked_fields(calendar, change_booking_details.fields, booking.room_id);
  end if;

  update public.booking_contacts as k
  set contact_name = guest.full_name,
    contact_phone = guest.phone,
    fields = contact.fields,
    customer_note = coalesce(change_booking_details.customer_note, k.customer_note)
  where k.organization_id = booking.organization_id and k.booking_id = booking.id;
  update public.bookings as b
  set locale = guest.locale
  where b.organization_id = booking.organization_id and b.id = booking.id and b.locale <> guest.locale;
  return (
    select private.desk_booking(b)
    from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.change_booking_details is
  'definer: writes bookings and their contacts, which no client may write.';
grant execute on function private.change_booking_details to authenticated;

create function public.change_booking_details(
  organization_id uuid,
  booking_id uuid,
  contact_name text default null,
  contact_phone text default null,
  locale text default null,
  fields jsonb default null,
  customer_note text default null
)
returns public.desk_booking
language sql
volatile
set search_path = ''
as $$
  select private.change_booking_details(
    organization_id, booking_id, contact_name, contact_phone, locale, fields, customer_note
  )
$$;

comment on function public.change_booking_details is
  'Corrects what came with a booking, in whatever status, and returns it; null: as it is, and an empty contact_phone or customer_note: none. locale: the language in which the party is written to from now on; fields: all answers to its calendar''s questions, by key, checked as when it was booked. The customer''s own name, address and phone are columns of customers. Nobody is written to. For members with bookings:update and customers:read. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 customer_erased; 422 customer_invalid (details {"field"}), field_invalid, customer_note_too_long.';
grant execute on function public.change_booking_details to authenticated;

-- =============================================================================
-- sql/60_reservations/160_comments.sql
-- =============================================================================

-- What staff tell each other about a booking, each with a name and a time; bookings.staff_note is for whoever runs the game.

create table public.booking_comments (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  body text not null,
  written_by jsonb not null default private.current_actor(),
  created_at timestamptz not null default now(),
  edited_at timestamptz,
  constraint booking_comments_pkey primary key (organization_id, id),
  constraint booking_comments_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_comments_body_is_a_text check (private.is_text(body, 2000))
);

comment on table public.booking_comments is
  'Comments on a booking, for the staff only: select=…,booking_comments(*) of bookings gives none to whoever may not read customers. Written by add_booking_comment, change_booking_comment and delete_booking_comment.';
comment on column public.booking_comments.body is 'Empty once its customer was erased.';
comment on column public.booking_comments.written_by is 'Who: {kind, id} as in private.current_actor.';
comment on column public.booking_comments.edited_at is 'When its words were last changed; null: never.';

-- for: the comments of a booking, and the foreign key
create index booking_comments_booking_id_idx on public.booking_comments (organization_id, booking_id, created_at);

insert into private.personal_columns (relation, column_name, erased)
values ('public.booking_comments', 'body', '""')
on conflict (relation, column_name) do update
set erased = excluded.erased;

grant select on public.booking_comments to authenticated;

alter table public.booking_comments enable row level security;

create trigger booking_comments_clean_notes
before insert or update of body on public.booking_comments
for each row execute function private.clean_texts('notes', 'body');

create trigger booking_comments_are_bounded
after insert on public.booking_comments
for each row execute function private.bound_rows('500', 'booking_id');

create policy booking_comments_select on public.booking_comments
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create type public.booking_comment as (
  id uuid,
  booking_id uuid,
  body text,
  author_kind text,
  author_id uuid,
  created_at timestamptz,
  edited_at timestamptz
);

comment on type public.booking_comment is 'A comment on a booking.';
comment on column public.booking_comment.id is 'Of the comment.';
comment on column public.booking_comment.booking_id is 'The booking.';
comment on column public.booking_comment.body is 'Its words.';
comment on column public.booking_comment.author_kind is 'Who wrote it; one of: user, api_key';
comment on column public.booking_comment.author_id is 'The account or the key.';
comment on column public.booking_comment.created_at is 'When it was written.';
comment on column public.booking_comment.edited_at is 'When its words were last changed; null: never.';

create function private.shown_comment(comment public.booking_comments)
returns public.booking_comment
language plpgsql
stable
set search_path = ''
as $$
begin
  return row(
    comment.id, comment.booking_id, comment.body, comment.written_by ->> 'kind', (comment.written_by ->> 'id')::uuid,
    comment.created_at, comment.edited_at
  )::public.booking_comment;
end
$$;

comment on function private.shown_comment is 'A comment as clients see it.';

create function private.own_comment(organization_id uuid, comment_id uuid)
returns public.booking_comments
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen_booking_id uuid;
  comment public.booking_comments;
begin
  select k.booking_id into seen_booking_id
  from public.booking_comments as k
  where k.organization_id = own_comment.organization_id and k.id = own_comment.comment_id;
  if found then
    -- Whoever erases the customer holds the booking, too.
    perform private.locked_booking(own_comment.organization_id, seen_booking_id);
    select k.* into comment
    from public.booking_comments as k
    where k.organization_id = own_comment.organization_id and k.id = own_comment.comment_id;
  end if;
  if not found then
    perform private.fail('comment_not_found', 404, 'Choose one of the booking''s comments.');
  elsif comment.written_by <> private.current_actor() then
    perform private.fail('comment_of_another', 403, 'Write one of your own: only who wrote it changes it.');
  elsif comment.body = '' then
    perform private.fail('customer_erased', 409, 'Leave it: what was erased stays erased.');
  end if;
  return comment;
end
$$;

comment on function private.own_comment is
  'A comment that the caller wrote, its booking locked. Raises 403 comment_of_another, 404 comment_not_found, 409 customer_erased.';

create function private.refuse_comment(body text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not private.is_reason(refuse_comment.body, 2000) then
    perform private.fail('comment_invalid', 422, 'Write 1 to 2000 characters.');
  end if;
end
$$;

comment on function private.refuse_comment is 'Raises 422 comment_invalid for words that say nothing or too much.';

create function private.add_booking_comment(organization_id uuid, booking_id uuid, body text, idempotency_key text)
returns public.booking_comment
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := add_booking_comment.organization_id || ':add_booking_comment';
  stored jsonb;
  booking public.bookings;
  comment public.booking_comments;
begin
  perform private.require_permission(add_booking_comment.organization_id, 'bookings:update');
  perform private.refuse_comment(add_booking_comment.body);
  stored := private.idempotent_begin(
    scope, add_booking_comment.idempotency_key,
    jsonb_build_array(add_booking_comment.booking_id, add_booking_comment.body, private.current_actor())
  );
  if stored is not null then
    select k.* into comment
    from public.booking_comments as k
    where k.organization_id = add_booking_comment.organization_id and k.id = (stored ->> 'id')::uuid;
    if not found then
      perform private.fail('comment_not_found', 404, 'It was deleted meanwhile: write another one.');
    end if;
    return private.shown_comment(comment);
  end if;
  booking := private.locked_booking(add_booking_comment.organization_id, add_booking_comment.booking_id);
  perform private.refuse_erased(booking);
  insert into public.booking_comments as k (organization_id, booking_id, body)
  values (booking.organization_id, booking.id, add_booking_comment.body)
  returning k.* into comment;
  perform private.idempotent_end(scope, add_booking_comment.idempotency_key, jsonb_build_object('id', comment.id));
  return private.shown_comment(comment);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.add_booking_comment is 'definer: writes comments, which no client may write.';
grant execute on function private.add_booking_comment to authenticated;

create function public.add_booking_comment(organization_id uuid, booking_id uuid, body text, idempotency_key text)
returns public.booking_comment
language sql
volatile
set search_path = ''
as $$ select private.add_booking_comment(organization_id, booking_id, body, idempotency_key) $$;

comment on function public.add_booking_comment is
  'Writes a comment on a booking, in whatever status, for the staff who may read customers. body: 1 to 2000 characters. For members with bookings:update. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found, comment_not_found (repeated, and deleted meanwhile); 409 customer_erased; 422 comment_invalid, too_many_rows (details {"table", "maximum", "per"}), idempotency_key_invalid, idempotency_key_reused.';
grant execute on function public.add_booking_comment to authenticated;

create function private.change_booking_comment(organization_id uuid, comment_id uuid, body text)
returns public.booking_comment
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  comment public.booking_comments;
begin
  perform private.require_permission(change_booking_comment.organization_id, 'bookings:update');
  comment := private.own_comment(change_booking_comment.organization_id, change_booking_comment.comment_id);
  perform private.refuse_comment(change_booking_comment.body);
  update public.booking_comments as k
  set body = change_booking_comment.body, edited_at = now()
  where k.organization_id = comment.organization_id
    and k.id = comment.id
    and k.body <> private.clean_note(change_booking_comment.body)
  returning k.* into comment;
  if not found then
    comment := private.own_comment(change_booking_comment.organization_id, change_booking_comment.comment_id);
  end if;
  return private.shown_comment(comment);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.change_booking_comment is 'definer: writes comments, which no client may write.';
grant execute on function private.change_booking_comment to authenticated;

create function public.change_booking_comment(organization_id uuid, comment_id uuid, body text)
returns public.booking_comment
language sql
volatile
set search_path = ''
as $$ select private.change_booking_comment(organization_id, comment_id, body) $$;

comment on function public.change_booking_comment is
  'Changes the words of one''s own comment; edited_at then says when. For members with bookings:update. Errors: 403 permission_denied, organization_suspended, comment_of_another; 404 comment_not_found; 409 customer_erased; 422 comment_invalid.';
grant execute on function public.change_booking_comment to authenticated;

create function private.delete_booking_comment(organization_id uuid, comment_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  comment public.booking_comments;
begin
  perform private.require_permission(delete_booking_comment.organization_id, 'bookings:update');
  comment := private.own_comment(delete_booking_comment.organization_id, delete_booking_comment.comment_id);
  delete from public.booking_comments as k
  where k.organization_id = comment.organization_id and k.id = comment.id;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.delete_booking_comment is 'definer: writes comments, which no client may write.';
grant execute on function private.delete_booking_comment to authenticated;

create function public.delete_booking_comment(organization_id uuid, comment_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.delete_booking_comment(organization_id, comment_id) $$;

comment on function public.delete_booking_comment is
  'Deletes one''s own comment; the log keeps that it was there. For members with bookings:update. Errors: 403 permission_denied, organization_suspended, comment_of_another; 404 comment_not_found; 409 customer_erased.';
grant execute on function public.delete_booking_comment to authenticated;

-- =============================================================================
-- sql/60_reservations/170_buy_voucher.sql
-- =============================================================================

-- Buying a gift voucher: what a visitor calls.

create type public.voucher_product as (
  id uuid,
  name text,
  description text,
  amount_cents bigint
);

comment on type public.voucher_product is 'A gift voucher with a name.';
comment on column public.voucher_product.id is 'What order_voucher takes as product_id.';
comment on column public.voucher_product.name is 'In the language asked for, else in another.';
comment on column public.voucher_product.description is 'As name; null: there is none.';
comment on column public.voucher_product.amount_cents is 'What it costs and is worth, in minor units of the offer''s currency.';

create type public.voucher_offer as (
  currency text,
  minimum_cents bigint,
  maximum_cents bigint,
  products public.voucher_product [],
  validity_months int,
  refund_days int,
  timezone text,
  last_delivery_on date
);

comment on type public.voucher_offer is 'The gift vouchers that a venue sells online.';
comment on column public.voucher_offer.currency is 'ISO 4217.';
comment on column public.voucher_offer.minimum_cents is 'The least amount that may be chosen, in minor units; null: only products are sold.';
comment on column public.voucher_offer.maximum_cents is 'The most that may be chosen; null: only products are sold.';
comment on column public.voucher_offer.products is 'In their order.';
comment on column public.voucher_offer.validity_months is 'For how many months from its payment one pays; null: without an end.';
comment on column public.voucher_offer.refund_days is 'For how many days an unspent one may be given back; 0: it may not.';
comment on column public.voucher_offer.timezone is 'The venue''s, in which deliver_on counts.';
comment on column public.voucher_offer.last_delivery_on is 'The last date on which one can be delivered.';

create function private.voucher_offer(calendar public.calendars, locale text)
returns public.voucher_offer
language plpgsql
stable
set search_path = ''
as $$
declare
  organization public.organizations;
  offered public.voucher_settings;
  least_cents bigint;
  answer public.voucher_offer;
begin
  select o.* into organization from public.organizations as o where o.id = calendar.organization_id;
  select s.* into offered
  from public.voucher_settings as s
  where s.organization_id = organization.id and s.is_sold;
  if not found or not (private.payment_account(organization.id)).available then
    perform private.fail('vouchers_not_sold', 409, 'The venue sells no gift vouchers online at the moment: ask it.');
  end if;
  -- The provider charges no less.
  select c.least_cents into least_cents from private.currencies as c where c.code = organization.currency;
  answer.currency := organization.currency;
  if offered.maximum_cents >= least_cents then
    answer.minimum_cents := greatest(offered.minimum_cents, least_cents);
    answer.maximum_cents := offered.maximum_cents;
  end if;
  answer.products := array(
    select row(
      p.id, private.text_in(p.names, voucher_offer.locale), private.text_in(p.descriptions, voucher_offer.locale), p.amount_cents
    )::public.voucher_product
    from public.voucher_products as p
    where p.organization_id = organization.id and p.is_active and p.amount_cents >= least_cents
    order by p.position, p.id
  );
  answer.validity_months := offered.validity_months;
  answer.refund_days := offered.refund_days;
  answer.timezone := organization.timezone;
  answer.last_delivery_on := (now() at time zone organization.timezone)::date + 365;
  return answer;
end
$$;

comment on function private.voucher_offer is
  'What the calendar''s venue sells online. Raises 409 vouchers_not_sold when nothing can be bought.';

create function private.get_voucher_offer(slug text, locale text)
returns public.voucher_offer
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(get_voucher_offer.slug);
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  return private.voucher_offer(calendar, coalesce(get_voucher_offer.locale, calendar.locales[1]));
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_voucher_offer is 'definer: visitors read no table.';
grant execute on function private.get_voucher_offer to anon, authenticated;

create function public.get_voucher_offer(slug text, locale text default null)
returns public.voucher_offer
language sql
volatile
set search_path = ''
as $$ select private.get_voucher_offer(slug, locale) $$;

comment on function public.get_voucher_offer is
  'The gift vouchers that the venue of the calendar with this slug sells online. locale: es, en or ca; the calendar''s first if left out. For anybody. Errors: 404 calendar_not_found; 409 vouchers_not_sold; 429 rate_limited.';
grant execute on function public.get_voucher_offer to anon, authenticated;

create type public.placed_voucher_order as (
  order_id uuid,
  order_token text,
  amount_cents bigint,
  currency text
);

comment on type public.placed_voucher_order is 'A gift voucher that waits to be paid: POST /v1/voucher-checkout opens its page.';
comment on column public.placed_voucher_order.order_id is 'The order.';
comment on column public.placed_voucher_order.order_token is 'The buyer''s secret, which pays it and shows the code afterwards.';
comment on column public.placed_voucher_order.amount_cents is 'What is to be paid, in minor units of currency.';
comment on column public.placed_voucher_order.currency is 'ISO 4217.';

create function private.order_voucher(
  slug text,
  idempotency_key text,
  buyer_name text,
  buyer_email text,
  amount_cents bigint,
  product_id uuid,
  recipient_name text,
  recipient_email text,
  message text,
  deliver_on date,
  locale text,
  accepted_terms text
)
returns public.placed_voucher_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(order_voucher.slug);
  scope text := calendar.organization_id || ':order_voucher';
  spoken text := coalesce(order_voucher.locale, calendar.locales[1]);
  buyer text := private.clean_text(order_voucher.buyer_name);
  recipient text := coalesce(private.clean_text(order_voucher.recipient_name), '');
  words text := coalesce(private.clean_note(order_voucher.message), '');
  bought_by text := nullif(private.typed_email(order_voucher.buyer_email), '');
  given_to text := nullif(private.typed_email(order_voucher.recipient_email), '');
  today date;
  stored jsonb;
  offer public.voucher_offer;
  product public.voucher_products;
  cents bigint;
  field text;
  order_id uuid := private.uuid_v7();
  answer public.placed_voucher_order;
begin
  perform private.limit_rate('order_voucher', 'address', private.client_address());
  -- A buyer is none of the venue's customers by that.
  perform private.act_as('system', null);
  stored := private.idempotent_begin(scope, order_voucher.idempotency_key, jsonb_build_object(
    'calendar', calendar.id, 'buyer_name', order_voucher.buyer_name, 'buyer_email', order_voucher.buyer_email,
    'amount_cents', order_voucher.amount_cents, 'product_id', order_voucher.product_id,
    'recipient_name', order_voucher.recipient_name, 'recipient_email', order_voucher.recipient_email,
    'message', order_voucher.message, 'deliver_on', order_voucher.deliver_on, 'locale', order_voucher.locale,
    'accepted_terms', order_voucher.accepted_terms
  ));
  if stored is not null then
    answer := jsonb_populate_record(null::public.placed_voucher_order, stored);
    answer.order_token := private.voucher_order_token(answer.order_id);
    return answer;
  end if;

  offer := private.voucher_offer(calendar, spoken);
  if order_voucher.product_id is not null then
    select p.* into product
    from public.voucher_products as p
    where p.organization_id = calendar.organization_id
      and p.id = order_voucher.product_id
      and p.id = any (array(select o.id from unnest(offer.products) as o));
    if not found then
      perform private.fail('voucher_product_not_found', 404, 'Choose one of the products that get_voucher_offer lists.');
    end if;
  end if;
  cents := coalesce(product.amount_cents, order_voucher.amount_cents);
  today := (now() at time zone offer.timezone)::date;
  field := case
    when product.id is not null and order_voucher.amount_cents <> product.amount_cents then 'amount_cents'
    when product.id is null and (
      cents between offer.minimum_cents and offer.maximum_cents
      and cents % private.amount_step(offer.currency) = 0
    ) is not true then 'amount_cents'
    when private.is_typed_name(buyer, 200) is not true then 'buyer_name'
    when private.is_email(bought_by) is not true then 'buyer_email'
    when recipient <> '' and not private.is_typed_name(recipient, 200) then 'recipient_name'
    when not private.is_email(given_to) then 'recipient_email'
    -- It goes to somebody's address in the venue's name.
    when not private.is_text(words, 1000) or private.holds_link(words, bare => true) then 'message'
    when order_voucher.deliver_on is not null and (
      given_to is not null and order_voucher.deliver_on between today and offer.last_delivery_on
    ) is not true then 'deliver_on'
    when not private.is_locale(spoken) then 'locale'
  end;
  if field is null and calendar.terms <> '{}' and not exists (
    select from jsonb_each_text(calendar.terms) as t where t.value = order_voucher.accepted_terms
  ) then
    perform private.fail('terms_not_accepted', 422, 'Accept the calendar''s terms, word for word as they are now.');
  elsif field is not null then
    perform private.fail(
      'voucher_order_invalid', 422,
      'Give an amount of the offer, who buys it with an address, a message without links, and a date for a recipient with an address.',
      jsonb_build_object('field', field)
    );
  end if;

  insert into public.voucher_orders (
    organization_id, id, calendar_id, product_id, product_names, amount_cents, currency, buyer_name, buyer_email,
    recipient_name, recipient_email, message, accepted_terms, locale, deliver_on, validity_months, refund_days
  )
  values (
    calendar.organization_id, order_id, calendar.id, product.id, product.names, cents, offer.currency, buyer, bought_by,
    recipient, given_to, words, case when calendar.terms = '{}' then '' else order_voucher.accepted_terms end, spoken,
    order_voucher.deliver_on, offer.validity_months, offer.refund_days
  );
  answer := row(order_id, null, cents, offer.currency)::public.placed_voucher_order;
  perform private.idempotent_end(scope, order_voucher.idempotency_key, to_jsonb(answer));
  answer.order_token := private.voucher_order_token(order_id);
  -- Last: its row stays locked until the end of the transaction.
  perform private.limit_rate('order_voucher', 'target', calendar.organization_id::text);
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.order_voucher is 'definer: visitors write no table.';
grant execute on function private.order_voucher to anon, authenticated;

create function public.order_voucher(
  slug text,
  idempotency_key text,
  buyer_name text,
  buyer_email text,
  amount_cents bigint default null,
  product_id uuid default null,
  recipient_name text default null,
  recipient_email text default null,
  message text default null,
  deliver_on date default null,
  locale text default null,
  accepted_terms text default null
)
returns public.placed_voucher_order
language sql
volatile
set search_path = ''
as $$
  select private.order_voucher(
    slug, idempotency_key, buyer_name, buyer_email, amount_cents, product_id, recipient_name, recipient_email, message,
    deliver_on, locale, accepted_terms
  )
$$;

comment on function public.order_voucher is
  'Orders a gift voucher of the venue of a calendar: a product, or an amount (minor units). It exists once it is paid, online only, within half an hour of opening its page (POST /v1/voucher-checkout). Then the buyer is mailed the code, and with recipient_email the recipient, with the message: at once, or on deliver_on at nine in the venue''s zone. No mail goes out before. accepted_terms: what was agreed to of a calendar that has terms, word for word. For a day the same idempotency key and request are one order. For anybody. Errors: 404 calendar_not_found, voucher_product_not_found; 409 vouchers_not_sold; 422 voucher_order_invalid (details {"field"}), terms_not_accepted, idempotency_key_invalid, idempotency_key_reused; 429 rate_limited.';
grant execute on function public.order_voucher to anon, authenticated;

create type public.voucher_order as (
  order_id uuid,
  status text,
  amount_cents bigint,
  currency text,
  product text,
  recipient_name text,
  message text,
  deliver_on date,
  code text,
  valid_until date
);

comment on type public.voucher_order is 'A gift voucher, as its buyer sees it.';
comment on column public.voucher_order.order_id is 'The order.';
comment on column public.voucher_order.status is
  'open: not paid yet; over: the time to pay is over, order anew; paid; withdrawn: it was given back, cancelled or is blocked. one of: open, over, paid, withdrawn';
comment on column public.voucher_order.amount_cents is 'What it costs and is worth, in minor units of currency.';
comment on column public.voucher_order.currency is 'ISO 4217.';
comment on column public.voucher_order.product is 'The product''s name in the buyer''s language; null: an amount was chosen.';
comment on column public.voucher_order.recipient_name is 'Empty: none was given.';
comment on column public.voucher_order.message is 'Empty: none was given.';
comment on column public.voucher_order.deliver_on is 'When it is mailed to the recipient; null: as soon as it is paid, or to nobody but the buyer.';
comment on column public.voucher_order.code is 'What is typed to pay with it; null: it is not paid, or withdrawn.';
comment on column public.voucher_order.valid_until is 'Its last date, included; null: without an end, not paid, or withdrawn.';

create function private.shown_voucher_order(order_id uuid)
returns public.voucher_order
language plpgsql
stable
set search_path = ''
as $$
declare
  bought public.voucher_orders;
  voucher public.vouchers;
  given_back boolean;
begin
  select o.* into bought from public.voucher_orders as o where o.id = shown_voucher_order.order_id;
  if not found then
    return null;
  end if;
  select v.* into voucher
  from public.vouchers as v
  where v.organization_id = bought.organization_id and v.id = bought.voucher_id;
  given_back := voucher.status <> 'active' or exists (
    select from public.voucher_refunds as r
    where r.organization_id = bought.organization_id and r.order_id = bought.id and r.status in ('pending', 'succeeded')
    group by r.order_id
    having sum(r.amount_cents) >= bought.amount_cents
  );
  return row(
    bought.id,
    case
      when bought.status = 'paid' then case when given_back then 'withdrawn' else 'paid' end
      when bought.status = 'open' and coalesce(bought.expires_at > now(), true) then 'open'
      else 'over'
    end,
    bought.amount_cents,
    bought.currency,
    private.text_in(bought.product_names, bought.locale),
    bought.recipient_name,
    bought.message,
    bought.deliver_on,
    case when not given_back then voucher.code end,
    case when not given_back then voucher.valid_until end
  )::public.voucher_order;
end
$$;

comment on function private.shown_voucher_order is 'An order as its buyer sees it, at one moment; null: there is none.';

create function private.get_voucher_order(order_id uuid, order_token text)
returns public.voucher_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  answer public.voucher_order;
begin
  perform private.count_attempt();
  perform private.limit_rate('public_read', 'address', private.client_address());
  if private.typed_token_hash(get_voucher_order.order_token)
    = private.token_hash(private.voucher_order_token(get_voucher_order.order_id))
  then
    answer := private.shown_voucher_order(get_voucher_order.order_id);
  end if;
  if answer.order_id is null then
    perform private.fail('voucher_order_not_found', 404, 'Check the link: one that nobody paid is forgotten after 30 days.');
  end if;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_voucher_order is 'definer: visitors read no table. Proves the buyer by the order''s token.';
grant execute on function private.get_voucher_order to anon, authenticated;

create function public.get_voucher_order(order_id uuid, order_token text)
returns public.voucher_order
language sql
volatile
set search_path = ''
as $$ select private.get_voucher_order(order_id, order_token) $$;

comment on function public.get_voucher_order is
  'What became of an ordered gift voucher, with its code once it is paid, for whoever has the token of order_voucher: a page to print. For anybody. Errors: 404 voucher_order_not_found; 429 rate_limited.';
grant execute on function public.get_voucher_order to anon, authenticated;

-- =============================================================================
-- sql/60_reservations/180_orders.sql
-- =============================================================================

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

-- =============================================================================
-- sql/60_reservations/190_staff_orders.sql
-- =============================================================================

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

-- =============================================================================
-- sql/60_reservations/200_order_changes.sql
-- =============================================================================

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

-- =============================================================================
-- sql/60_reservations/210_party.sql
-- =============================================================================

-- The list of a party: who comes, kept by the desk and by whoever manages the booking. Who has signed the waiver is
-- found out from the signatures, and never typed.

create table public.booking_people (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  position int not null,
  full_name text not null,
  email text,
  phone text,
  has_paid boolean not null default false,
  signature_id uuid,
  signed_as int,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint booking_people_pkey primary key (organization_id, id),
  constraint booking_people_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_people_signature_fkey foreign key (organization_id, signature_id)
  references public.waiver_signatures (organization_id, id) on delete set null (signature_id),
  -- One signature is of one person. Also the index for: the foreign key.
  constraint booking_people_signature_key unique (organization_id, signature_id, signed_as),
  constraint booking_people_full_name_is_a_name check (private.is_name(full_name, 200)),
  constraint booking_people_email_is_plausible check (private.is_email(email)),
  constraint booking_people_phone_can_be_called check (private.is_phone(phone)),
  constraint booking_people_position_is_positive check (position > 0),
  constraint booking_people_signature_says_whose check (signature_id is null or signed_as >= 0)
);

comment on table public.booking_people is
  'Who comes with a booking, as far as somebody wrote it down; at most party_size when it is written. Written by set_booking_people and set_party.';
comment on column public.booking_people.position is 'The place in the list, from 1.';
comment on column public.booking_people.email is 'In lower case; null: not said.';
comment on column public.booking_people.phone is 'null: not said.';
comment on column public.booking_people.has_paid is
  'A mark of the staff''s: this person has given a share. It moves no money: what was paid is in payments.';
comment on column public.booking_people.signature_id is
  'The waiver that this person signed, or that a guardian signed for this minor; null: none that bears the name or the address. Found by private.match_signatures.';
comment on column public.booking_people.signed_as is
  'Who of the signature it is: 0 who signed, from 1 the minors in their order; null: nobody, and of no meaning without a signature.';

-- for: the people of a booking in order, and the foreign key
create index booking_people_booking_id_idx on public.booking_people (organization_id, booking_id, position);

insert into private.personal_columns (relation, column_name, erased, is_address)
values
('public.booking_people', 'full_name', '"Erased"', false),
('public.booking_people', 'email', 'null', true),
('public.booking_people', 'phone', 'null', false)
on conflict (relation, column_name) do update
set erased = excluded.erased,
  is_address = excluded.is_address;

grant select on public.booking_people to authenticated;

alter table public.booking_people enable row level security;

create policy booking_people_select on public.booking_people
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create trigger booking_people_clean_names
before insert or update of full_name, phone on public.booking_people
for each row execute function private.clean_texts('names', 'full_name', 'phone');

create trigger booking_people_touch_updated_at
before update on public.booking_people
for each row execute function private.touch_updated_at();

create function private.match_signatures(organization_id uuid, booking_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  person record;
  signer record;
  matched uuid [] := '{}';
  signatures uuid [] := '{}';
  places int [] := '{}';
  taken text [] := '{}';
begin
  -- The surest first: name and address; the name, where one of them gave no address; the address, which a family may
  -- share; the name with another address.
  for way in 1..4 loop
    for person in
      select p.id, private.search_text(p.full_name) as name, p.email
      from public.booking_people as p
      where p.organization_id = match_signatures.organization_id
        and p.booking_id = match_signatures.booking_id
        and p.id <> all (matched)
      order by p.position, p.id
    loop
      select said.* into signer
      from (
        select s.id, 0 as place, private.search_text(s.full_name) as name, s.email, s.signed_at
        from public.waiver_signatures as s
        where s.organization_id = match_signatures.organization_id
          and s.booking_id = match_signatures.booking_id
          and s.plays
        union all
        select s.id, m.position::int, private.search_text(m.item ->> 'full_name'), null, s.signed_at
        from public.waiver_signatures as s
        cross join jsonb_array_elements(s.minors) with ordinality as m (item, position)
        where s.organization_id = match_signatures.organization_id and s.booking_id = match_signatures.booking_id
      ) as said
      where said.id || '/' || said.place <> all (taken)
        and case way
          when 1 then said.name = person.name and said.email = person.email
          when 2 then said.name = person.name and (said.email is null or person.email is null)
          when 3 then said.email = person.email
          else said.name = person.name
        end
      order by said.signed_at, said.id, said.place
      limit 1;
      if found then
        matched := matched || person.id;
        signatures := signatures || signer.id;
        places := places || signer.place;
        taken := taken || (signer.id || '/' || signer.place);
      end if;
    end loop;
  end loop;

  -- Those that somebody else has now are given up first.
  update public.booking_people as p
  set signature_id = null, signed_as = null
  where p.organization_id = match_signatures.organization_id
    and p.booking_id = match_signatures.booking_id
    and p.signature_id is not null
    and not exists (
      select from unnest(matched, signatures, places) as m (id, signature_id, place)
      where m.id = p.id and m.signature_id = p.signature_id and m.place = p.signed_as
    );
  update public.booking_people as p
  set signature_id = m.signature_id, signed_as = m.place
  from unnest(matched, signatures, places) as m (id, signature_id, place)
  where p.organization_id = match_signatures.organization_id
    and p.id = m.id
    and p.signature_id is null;
end
$$;

comment on function private.match_signatures is
  'Finds who of a locked booking''s list has signed: one signature for one person, by name (accents and case ignored) and address.';

create function private.match_new_signature()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.match_signatures(new.organization_id, new.booking_id);
  return null;
end
$$;

comment on function private.match_new_signature is
  'Whoever signs is marked in the list of the party. Who signs holds the booking.';

create trigger match_new_signature
after insert on public.waiver_signatures
for each row execute function private.match_new_signature();

create type public.booking_person as (
  id uuid,
  full_name text,
  email text,
  phone text,
  signed boolean,
  paid boolean
);

comment on type public.booking_person is 'Somebody who comes with a booking.';
comment on column public.booking_person.id is 'What a list that is set names the same person by.';
comment on column public.booking_person.full_name is 'As written down.';
comment on column public.booking_person.email is 'In lower case; null: not said.';
comment on column public.booking_person.phone is 'null: not said.';
comment on column public.booking_person.signed is 'Whether a waiver of the booking bears this person''s name or address.';
comment on column public.booking_person.paid is 'Whether staff marked that this person has given a share; it moves no money.';

create type public.booking_party as (
  version text,
  maximum int,
  open boolean,
  people public.booking_person []
);

comment on type public.booking_party is 'The list of a party.';
comment on column public.booking_party.version is 'What is so, for expected_version: another one as soon as anything in the list changes.';
comment on column public.booking_party.maximum is 'How many it may name: the booking''s party.';
comment on column public.booking_party.open is
  'Whether its customer may write it: from the booking''s being made for good until its end.';
comment on column public.booking_party.people is 'In their order; empty: nobody was written down.';

create function private.party_is_open(booking public.bookings)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.waiver_is_open(booking)
    and coalesce(booking.hold_expires_at > now(), true)
    and not private.venue_is_closed(booking.organization_id)
    and not private.is_erased(booking);
end
$$;

comment on function private.party_is_open is 'Whether the customer may write who comes.';

create function private.shown_party(booking public.bookings)
returns public.booking_party
language plpgsql
stable
set search_path = ''
as $$
declare
  people public.booking_person [] := array(
    select row(p.id, p.full_name, p.email, p.phone, p.signature_id is not null, p.has_paid)::public.booking_person
    from public.booking_people as p
    where p.organization_id = booking.organization_id and p.booking_id = booking.id
    order by p.position, p.id
  );
begin
  return row(
    md5(to_jsonb(people)::text), booking.party_size, private.party_is_open(booking), people
  )::public.booking_party;
end
$$;

comment on function private.shown_party is
  'The list of a booking''s party. Called in the statement that reads the booking, it shows one moment.';

create function private.checked_people(people jsonb, maximum int, by_staff boolean)
returns public.booking_person []
language plpgsql
stable
set search_path = ''
as $$
declare
  checked public.booking_person [] := '{}';
  listed record;
  person public.booking_person;
  field text;
begin
  if jsonb_typeof(checked_people.people) is distinct from 'array' then
    perform private.fail(
      'people_invalid', 422, 'Send a list: [{id?, full_name, email?, phone?}].', '{"position": null, "field": null}'
    );
  elsif jsonb_array_length(checked_people.people) > checked_people.maximum then
    perform private.fail(
      'party_too_large', 422, 'Name no more people than the booking is for, or change its party first.',
      jsonb_build_object('maximum', checked_people.maximum)
    );
  end if;
  for listed in
    select e.item, e.position
    from jsonb_array_elements(checked_people.people) with ordinality as e (item, position)
    order by e.position
  loop
    person := row(
      null, private.clean_text(listed.item ->> 'full_name'), nullif(private.typed_email(listed.item ->> 'email'), ''),
      nullif(private.clean_text(listed.item ->> 'phone'), ''), null, null
    );
    field := case
      when jsonb_typeof(listed.item) <> 'object' then 'full_name'
      when coalesce(jsonb_typeof(listed.item -> 'id'), 'null') not in ('string', 'null')
        or listed.item ->> 'id' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        or exists (select from unnest(checked) as k where k.id::text = lower(listed.item ->> 'id')) then 'id'
      when jsonb_typeof(listed.item -> 'full_name') is distinct from 'string'
        or not private.is_name(person.full_name, 200)
        or not by_staff and not private.is_typed_name(person.full_name, 200) then 'full_name'
      when coalesce(jsonb_typeof(listed.item -> 'email'), 'null') not in ('string', 'null')
        or not private.is_email(person.email) then 'email'
      when coalesce(jsonb_typeof(listed.item -> 'phone'), 'null') not in ('string', 'null')
        or not private.is_phone(person.phone) then 'phone'
      when by_staff and coalesce(jsonb_typeof(listed.item -> 'paid'), 'null') not in ('boolean', 'null') then 'paid'
    end;
    if field is not null then
      perform private.fail(
        'people_invalid', 422,
        'Give each person full_name (1 to 200 characters, no link), if known a valid email and phone (at most 40 characters, with three digits), and the id of one who is in the list already, once.',
        jsonb_build_object('position', listed.position - 1, 'field', field)
      );
    end if;
    person.id := (listed.item ->> 'id')::uuid;
    if by_staff then
      person.paid := (listed.item ->> 'paid')::boolean;
    end if;
    checked := checked || person;
  end loop;
  return checked;
end
$$;

comment on function private.checked_people is
  'The people of a request, cleaned; paid as staff say, null: as it is. Raises 422 people_invalid (details {"position", "field"}: of the first that is wrong, counted from 0), party_too_large (details {"maximum"}).';

create function private.set_people(booking public.bookings, people jsonb, expected_version text, by_staff boolean)
returns public.booking_party
language plpgsql
volatile
set search_path = ''
as $$
declare
  listed public.booking_person [] := private.checked_people(set_people.people, booking.party_size, set_people.by_staff);
  kept uuid [] := array(select k.id from unnest(listed) as k where k.id is not null);
  person public.booking_person;
begin
  if set_people.expected_version <> (private.shown_party(booking)).version
    or exists (
      select from unnest(kept) as k (id)
      where not exists (
        select from public.booking_people as p
        where p.organization_id = booking.organization_id and p.booking_id = booking.id and p.id = k.id
      )
    )
  then
    perform private.fail('party_changed', 409, 'Somebody else just changed the list: look at it again.');
  end if;
  -- Who stands there already, letter for letter, is the same person: a list that is sent twice is one.
  for place in 1..cardinality(listed) loop
    person := listed[place];
    if person.id is null then
      select p.id into person.id
      from public.booking_people as p
      where p.organization_id = booking.organization_id
        and p.booking_id = booking.id
        and p.id <> all (kept)
        and (p.full_name, p.email, p.phone) is not distinct from (person.full_name, person.email, person.phone)
      order by p.position, p.id
      limit 1;
      person.id := coalesce(person.id, private.uuid_v7());
      kept := kept || person.id;
      listed[place] := person;
    end if;
  end loop;

  delete from public.booking_people as p
  where p.organization_id = booking.organization_id and p.booking_id = booking.id and p.id <> all (kept);
  insert into public.booking_people as p (organization_id, id, booking_id, position, full_name, email, phone, has_paid)
  select
    booking.organization_id, k.id, booking.id, k.position, k.full_name, k.email, k.phone, coalesce(k.paid, false)
  from unnest(listed) with ordinality as k (id, full_name, email, phone, signed, paid, position)
  where not exists (
    select from public.booking_people as known
    where known.organization_id = booking.organization_id and known.id = k.id
  );
  update public.booking_people as p
  set position = k.position,
    full_name = k.full_name,
    email = k.email,
    phone = k.phone,
    has_paid = coalesce(k.paid, p.has_paid)
  from unnest(listed) with ordinality as k (id, full_name, email, phone, signed, paid, position)
  where p.organization_id = booking.organization_id
    and p.id = k.id
    and (p.position, p.full_name, p.email, p.phone, p.has_paid)
    is distinct from (k.position::int, k.full_name, k.email, k.phone, coalesce(k.paid, p.has_paid));
  perform private.match_signatures(booking.organization_id, booking.id);
  return private.shown_party(booking);
end
$$;

comment on function private.set_people is
  'Makes this the list of a locked booking''s party, and returns it. Raises what private.checked_people does, 409 party_changed.';

create function private.get_booking_people(organization_id uuid, booking_id uuid)
returns public.booking_party
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  answer public.booking_party;
begin
  perform private.require_permission(get_booking_people.organization_id, 'bookings:read');
  perform private.require_permission(get_booking_people.organization_id, 'customers:read');
  select (private.shown_party(b)).* into answer
  from public.bookings as b
  where b.organization_id = get_booking_people.organization_id and b.id = get_booking_people.booking_id;
  if not found then
    perform private.fail('booking_not_found', 404, 'Check the booking''s id.');
  end if;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_booking_people is
  'definer: reads a booking of a named organization whatever organization the request acts for. Asks for bookings:read and customers:read.';
grant execute on function private.get_booking_people to authenticated;

create function public.get_booking_people(organization_id uuid, booking_id uuid)
returns public.booking_party
language sql
stable
set search_path = ''
as $$ select private.get_booking_people(organization_id, booking_id) $$;

comment on function public.get_booking_people is
  'Who comes with a booking, with the version that set_booking_people is told. For members with bookings:read and customers:read. Errors: 403 permission_denied; 404 booking_not_found.';
grant execute on function public.get_booking_people to authenticated;

create function private.set_booking_people(
  organization_id uuid,
  booking_id uuid,
  people jsonb,
  expected_version text
)
returns public.booking_party
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
begin
  perform private.require_permission(set_booking_people.organization_id, 'bookings:update');
  -- Nobody overwrites what they may not read.
  perform private.require_permission(set_booking_people.organization_id, 'customers:read');
  booking := private.locked_booking(set_booking_people.organization_id, set_booking_people.booking_id);
  perform private.refuse_erased(booking);
  return private.set_people(booking, set_booking_people.people, set_booking_people.expected_version, true);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_booking_people is
  'definer: writes the list of a party, which no client may write. Asks for bookings:update and customers:read.';
grant execute on function private.set_booking_people to authenticated;

create function public.set_booking_people(
  organization_id uuid,
  booking_id uuid,
  people jsonb,
  expected_version text default null
)
returns public.booking_party
language sql
volatile
set search_path = ''
as $$ select private.set_booking_people(organization_id, booking_id, people, expected_version) $$;

comment on function public.set_booking_people is
  'Makes people the list of a booking''s party, in that order and in whatever status: [{id? (of one who is in the list), full_name, email?, phone?, paid? (a mark of the staff''s, else as it is)}], at most party_size; who is left out is removed. Who has signed follows from the waivers. expected_version: refused when the list is another by now. Again, the same answer. For members with bookings:update and customers:read. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 customer_erased, party_changed; 422 people_invalid (details {"position", "field"}: of the first that is wrong, counted from 0), party_too_large (details {"maximum"}).';
grant execute on function public.set_booking_people to authenticated;

create function private.get_party(reference text, manage_token text)
returns public.booking_party
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.bookings := private.booking_with_token(get_party.reference, get_party.manage_token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return (
    select private.shown_party(b)
    from public.bookings as b
    where b.organization_id = known.organization_id and b.id = known.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_party is 'definer: shows the list of a party to whoever holds the booking''s manage token.';
grant execute on function private.get_party to anon, authenticated;

create function public.get_party(reference text, manage_token text)
returns public.booking_party
language sql
volatile
set search_path = ''
as $$ select private.get_party(reference, manage_token) $$;

comment on function public.get_party is
  'Who comes with a booking, for whoever holds its manage token. For anybody. Errors: 404 booking_not_found; 429 rate_limited.';
grant execute on function public.get_party to anon, authenticated;

create function private.set_party(reference text, manage_token text, people jsonb, expected_version text)
returns public.booking_party
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(set_party.reference, set_party.manage_token);
  paid_ids uuid [];
  missing uuid;
  answer public.booking_party;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  booking := private.locked_booking(booking.organization_id, booking.id);
  if not private.party_is_open(booking) then
    perform private.fail('party_closed', 409, 'The booking is not made for good yet, or is over: ask the venue.');
  end if;
  perform private.act_as('customer', booking.customer_id);
  paid_ids := array(
    select p.id
    from public.booking_people as p
    where p.organization_id = booking.organization_id and p.booking_id = booking.id and p.has_paid
  );
  answer := private.set_people(booking, set_party.people, set_party.expected_version, false);
  select w.id into missing
  from unnest(paid_ids) as w (id)
  where not exists (select from unnest(answer.people) as p where p.id = w.id)
  order by w.id
  limit 1;
  if found then
    perform private.fail(
      'person_has_paid', 409, 'Leave whom the venue marked as paid in the list, or ask the venue.',
      jsonb_build_object('id', missing)
    );
  end if;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_party is 'definer: writes the list of a party for whoever holds the booking''s manage token.';
grant execute on function private.set_party to anon, authenticated;

create function public.set_party(
  reference text,
  manage_token text,
  people jsonb,
  expected_version text default null
)
returns public.booking_party
language sql
volatile
set search_path = ''
as $$ select private.set_party(reference, manage_token, people, expected_version) $$;

comment on function public.set_party is
  'Makes people the list of a booking''s party, in that order, from its being made for good until its end: [{id? (of one who is in the list), full_name, email?, phone?}], at most as many as the booking is for; who is left out is removed, but for whom the venue marked as paid. Nobody is written to. expected_version: refused when the list is another by now. Again, the same answer. For anybody. Errors: 404 booking_not_found; 409 party_closed, party_changed, person_has_paid (details {"id"}); 422 people_invalid (details {"position", "field"}: of the first that is wrong, counted from 0), party_too_large (details {"maximum"}); 429 rate_limited.';
grant execute on function public.set_party to anon, authenticated;

-- =============================================================================
-- sql/60_reservations/220_tags.sql
-- =============================================================================

-- Tags of bookings: a list of the organization's own, and which booking has which.

create table public.tags (
  organization_id uuid not null default private.organization_with('tags:manage'),
  id uuid not null default private.uuid_v7(),
  name text not null,
  color text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint tags_pkey primary key (organization_id, id),
  constraint tags_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint tags_name_is_a_name check (private.is_name(name, 40)),
  constraint tags_color_is_hexadecimal check (color ~ '^#[0-9a-f]{6}$')
);

comment on table public.tags is
  'What bookings can be marked with, as birthday or school. Bookings name a tag by its id: renamed, they have it by its new name; deleted, they are without it.';
comment on column public.tags.name is 'As typed, without space around it; no two of an organization, whatever their case.';
comment on column public.tags.color is 'Colour by which the venue''s screens know it, as #rrggbb; null: none.';

-- for: one tag a name
create unique index tags_name_key on public.tags (organization_id, lower(name));

grant select, delete on public.tags to authenticated;
grant insert (organization_id, name, color) on public.tags to authenticated;
grant update (name, color) on public.tags to authenticated;

alter table public.tags enable row level security;

create policy tags_select on public.tags
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create policy tags_insert on public.tags
for insert to authenticated
with check (organization_id = (select private.organization_with('tags:manage')));

create policy tags_update on public.tags
for update to authenticated
using (organization_id = (select private.organization_with('tags:manage')))
with check (organization_id = (select private.organization_with('tags:manage')));

create policy tags_delete on public.tags
for delete to authenticated
using (organization_id = (select private.organization_with('tags:manage')));

create trigger tags_clean_names
before insert or update of name on public.tags
for each row execute function private.clean_texts('names', 'name');

create trigger tags_touch_updated_at
before update on public.tags
for each row execute function private.touch_updated_at();

create trigger tags_are_bounded
after insert on public.tags
for each row execute function private.bound_rows('100');

create table public.booking_tags (
  organization_id uuid not null,
  booking_id uuid not null,
  tag_id uuid not null,
  -- Also the index for: the tags of a booking, and the foreign key.
  constraint booking_tags_pkey primary key (organization_id, booking_id, tag_id),
  constraint booking_tags_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_tags_tag_fkey foreign key (organization_id, tag_id)
  references public.tags (organization_id, id) on delete cascade
);

comment on table public.booking_tags is
  'Which booking has which tag: select=…,tags(name,color) of bookings shows them, and tags!inner(id)&tags.id=eq.… lists the bookings of one. Written by set_booking_tags.';

-- for: the bookings of a tag, and the foreign key
create index booking_tags_tag_id_idx on public.booking_tags (organization_id, tag_id);

grant select on public.booking_tags to authenticated;

alter table public.booking_tags enable row level security;

create policy booking_tags_select on public.booking_tags
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create function private.has_tag(organization_id uuid, booking_id uuid, tag_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.booking_tags as bt
    where bt.organization_id = has_tag.organization_id
      and bt.booking_id = has_tag.booking_id
      and bt.tag_id = has_tag.tag_id
  );
end
$$;

comment on function private.has_tag is 'Whether a booking has a tag.';

create function private.set_booking_tags(organization_id uuid, booking_id uuid, tag_ids uuid [])
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  wanted uuid [] := array(select distinct w.id from unnest(set_booking_tags.tag_ids) as w (id) where w.id is not null);
  missing uuid;
  booking public.bookings;
begin
  perform private.require_permission(set_booking_tags.organization_id, 'bookings:update');
  if cardinality(wanted) > 20 then
    perform private.fail('too_many_tags', 422, 'Give a booking at most 20 tags.', '{"maximum": 20}');
  end if;
  booking := private.locked_booking(set_booking_tags.organization_id, set_booking_tags.booking_id);
  -- Whoever deletes one of them waits, or is waited for: then it is not there any more.
  perform from public.tags as t
  where t.organization_id = booking.organization_id and t.id = any (wanted)
  order by t.id
  for key share;
  select w.id into missing
  from unnest(wanted) as w (id)
  where not exists (
    select from public.tags as t
    where t.organization_id = booking.organization_id and t.id = w.id
  )
  order by w.id
  limit 1;
  if found then
    perform private.fail(
      'tag_not_found', 422, 'Choose tags of the organization''s list.', jsonb_build_object('tag_id', missing)
    );
  end if;
  delete from public.booking_tags as bt
  where bt.organization_id = booking.organization_id and bt.booking_id = booking.id and bt.tag_id <> all (wanted);
  insert into public.booking_tags (organization_id, booking_id, tag_id)
  select booking.organization_id, booking.id, w.id
  from unnest(wanted) as w (id)
  on conflict on constraint booking_tags_pkey do nothing;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_booking_tags is
  'definer: writes the tags of bookings, which no client may write. Asks for bookings:update.';
grant execute on function private.set_booking_tags to authenticated;

create function public.set_booking_tags(organization_id uuid, booking_id uuid, tag_ids uuid [])
returns void
language sql
volatile
set search_path = ''
as $$ select private.set_booking_tags(organization_id, booking_id, tag_ids) $$;

comment on function public.set_booking_tags is
  'Gives a booking, in whatever status, exactly these tags of the organization''s list, 20 at most; {}: none. For members with bookings:update. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 422 tag_not_found (details {"tag_id"}), too_many_tags (details {"maximum"}).';
grant execute on function public.set_booking_tags to authenticated;

-- =============================================================================
-- sql/60_reservations/230_merge.sql
-- =============================================================================

-- Two bookings of one session made one: parties that turned out to be one, or that want to be.
--
-- What was agreed is added up and not priced anew: lines, totals and what is due of both. Money goes with its party:
-- payments, refunds and what is promised, attempts to pay and disputes are of the booking that stays, entry by entry,
-- so that each refund still goes to the payment that it reverses. The ledger's entries follow; what was sold of the
-- other booking is taken back there and sold in the one that stays. The session is not touched: the seats are taken
-- by the same people.
--
-- Locks: the session that both are in, then both. Nobody who holds one of them waits for that session.

create function private.refuse_merged(booking public.bookings)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if booking.merged_into_id is not null then
    perform private.fail(
      'booking_merged', 409, 'Look at the booking that it was merged into.',
      (
        select jsonb_build_object('booking_id', b.id, 'reference', b.reference)
        from public.bookings as b
        where b.organization_id = booking.organization_id and b.id = booking.merged_into_id
      )
    );
  end if;
end
$$;

comment on function private.refuse_merged is
  'Raises 409 booking_merged (details {"booking_id", "reference"} of the other) for a booking that was made part of another.';

create function private.is_merged(organization_id uuid, booking_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.bookings as b
    where b.organization_id = is_merged.organization_id
      and b.id = is_merged.booking_id
      and b.merged_into_id is not null
  );
end
$$;

comment on function private.is_merged is
  'Whether a booking was made part of another. A reason alone does not say so: staff may type the same word.';

create function private.refuse_merge(why text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail(
    'not_mergeable', 409,
    case refuse_merge.why
      when 'session' then 'Choose two bookings of one session, or move one of them first.'
      when 'status' then 'Bring both to the same status first: pending, confirmed or checked in.'
      when 'running' then 'The game has begun: leave them as they are.'
      when 'customer' then 'They are of two customers: send other_customer if both know of it.'
      when 'order' then 'One of them is part of an order of several rooms, which is paid in one: cancel it there instead.'
      when 'shares' then 'Several people pay one of them in shares: merge them once no share is open or paid.'
      when 'checkout' then 'Somebody is about to pay one of them: wait until that is over.'
      when 'disputed' then 'A bank disputes a payment of one of them: wait for its decision.'
      when 'coupon' then 'They have two coupons: take one of them away first.'
      when 'currency' then 'They are priced in two currencies.'
    end,
    jsonb_build_object('why', refuse_merge.why)
  );
end
$$;

comment on function private.refuse_merge is 'Raises 409 not_mergeable, details {"why"}.';

create function private.hinders_merge(kept public.bookings, merged public.bookings, other_customer boolean)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when kept.session_id <> merged.session_id then 'session'
    when exists (
      select from public.bookings as b
      where b.organization_id = kept.organization_id and b.session_id = kept.session_id and b.status = 'in_progress'
    ) then 'running'
    when kept.status <> merged.status
      or kept.status not in ('pending', 'confirmed', 'checked_in')
      or least(kept.hold_expires_at, merged.hold_expires_at) <= now() then 'status'
    when kept.customer_id <> merged.customer_id and not coalesce(other_customer, false) then 'customer'
    when kept.currency <> merged.currency then 'currency'
    when kept.order_id is not null or merged.order_id is not null then 'order'
    when exists (
      select from public.payment_shares as h
      where h.organization_id = kept.organization_id
        and h.booking_id in (kept.id, merged.id)
        and h.status <> 'ended'
    ) then 'shares'
    when exists (
      select from private.payment_attempts as a
      where a.organization_id = kept.organization_id
        and a.booking_id in (kept.id, merged.id)
        and a.status = 'open'
    ) then 'checkout'
    when exists (
      select from public.payments as p
      where p.organization_id = kept.organization_id
        and p.booking_id in (kept.id, merged.id)
        and private.payment_is_disputed(p.organization_id, p.id)
    ) then 'disputed'
    when exists (
      select
      from public.coupon_redemptions as mine
      join public.coupon_redemptions as other on other.organization_id = mine.organization_id
      where mine.organization_id = kept.organization_id
        and mine.booking_id = kept.id
        and other.booking_id = merged.id
        and other.coupon_id <> mine.coupon_id
    ) then 'coupon'
  end;
end
$$;

comment on function private.hinders_merge is
  'Why two locked bookings cannot be made one: session, running, status, customer (two, and nobody said so), currency, order, shares, checkout, disputed, coupon; null: they can.';

create function private.move_money(kept public.bookings, merged public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('escapemaster.merging_bookings', kept.organization_id::text, true);
  update public.payments as p
  set booking_id = kept.id
  where p.organization_id = kept.organization_id and p.booking_id = merged.id;
  update public.refunds as r
  set booking_id = kept.id
  where r.organization_id = kept.organization_id and r.booking_id = merged.id;
  -- What is sold is written anew for both, from their lines and their money.
  update public.ledger_entries as e
  set booking_id = kept.id
  where e.organization_id = kept.organization_id and e.booking_id = merged.id and e.source <> 'booking';
  perform set_config('escapemaster.merging_bookings', '', true);
  update private.refund_requests as q
  set booking_id = kept.id
  where q.organization_id = kept.organization_id and q.booking_id = merged.id;
  update private.payment_attempts as a
  set booking_id = kept.id
  where a.organization_id = kept.organization_id and a.booking_id = merged.id;
  update public.disputes as d
  set booking_id = kept.id
  where d.organization_id = kept.organization_id and d.booking_id = merged.id;
end
$$;

comment on function private.move_money is
  'Makes all money of a locked booking another''s, without moving any; what comes late of an attempt to pay it is the other''s, too.';

create function private.add_options(kept public.bookings, merged public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- A price of staff's for some of the seats is one for all of them: what they cost together.
  insert into public.price_overrides as o (organization_id, booking_id, price_cents, reason)
  select
    kept.organization_id, kept.id, said.price_cents,
    left((
      select string_agg(distinct w.reason, ' / ')
      from public.price_overrides as w
      where w.organization_id = kept.organization_id and w.booking_id in (kept.id, merged.id)
    ), 500)
  from (
    select sum(n.total_cents) as price_cents
    from public.booking_lines as n
    where n.organization_id = kept.organization_id and n.booking_id in (kept.id, merged.id) and n.kind = 'base'
  ) as said
  where exists (
    select from public.price_overrides as w
    where w.organization_id = kept.organization_id and w.booking_id in (kept.id, merged.id)
  )
  on conflict on constraint price_overrides_pkey do update
  set price_cents = excluded.price_cents, reason = excluded.reason;

  insert into public.booking_lines (
    organization_id, booking_id, position, kind, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents
  )
  select
    n.organization_id, kept.id, n.position + (
      select max(own.position)
      from public.booking_lines as own
      where own.organization_id = kept.organization_id and own.booking_id = kept.id
    ),
    n.kind, n.description, n.quantity, n.unit_cents, n.total_cents, n.tax_rate_bp, n.tax_cents
  from public.booking_lines as n
  where n.organization_id = kept.organization_id and n.booking_id = merged.id
  order by n.position;

  insert into public.booking_extras as be (organization_id, booking_id, extra_id, quantity, units)
  select m.organization_id, kept.id, m.extra_id, m.quantity, m.units
  from public.booking_extras as m
  where m.organization_id = kept.organization_id and m.booking_id = merged.id
  on conflict on constraint booking_extras_pkey do update
  set units = be.units + excluded.units,
    quantity = case (
        select x.price_per from public.extras as x
        where x.organization_id = be.organization_id and x.id = be.extra_id
      )
      when 'person' then greatest(be.quantity, excluded.quantity)
      else be.quantity + excluded.quantity
    end;

  insert into public.coupon_redemptions as r (organization_id, booking_id, coupon_id, discount_cents, created_at)
  select m.organization_id, kept.id, m.coupon_id, m.discount_cents, m.created_at
  from public.coupon_redemptions as m
  where m.organization_id = kept.organization_id and m.booking_id = merged.id
  on conflict on constraint coupon_redemptions_pkey do update
  set discount_cents = r.discount_cents + excluded.discount_cents;
  insert into private.coupon_addresses (organization_id, booking_id, address_hash)
  select m.organization_id, kept.id, m.address_hash
  from private.coupon_addresses as m
  where m.organization_id = kept.organization_id and m.booking_id = merged.id
  on conflict on constraint coupon_addresses_pkey do nothing;

  insert into public.booking_tags (organization_id, booking_id, tag_id)
  select t.organization_id, kept.id, t.tag_id
  from public.booking_tags as t
  where t.organization_id = kept.organization_id and t.booking_id = merged.id
  on conflict on constraint booking_tags_pkey do nothing;
end
$$;

comment on function private.add_options is
  'Adds to a locked booking what another one has: its lines as they are, extras, coupon, the staff''s price, tags. An extra for each person is had by as many of each as the party that had more.';

create function private.add_people(kept public.bookings, merged public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update public.booking_people as p
  set booking_id = kept.id,
    position = p.position + (
      select coalesce(max(own.position), 0)
      from public.booking_people as own
      where own.organization_id = kept.organization_id and own.booking_id = kept.id
    )
  where p.organization_id = kept.organization_id and p.booking_id = merged.id;
  update public.waiver_signatures as s
  set booking_id = kept.id
  where s.organization_id = kept.organization_id and s.booking_id = merged.id;
  perform private.match_signatures(kept.organization_id, kept.id);
end
$$;

comment on function private.add_people is 'Adds to a locked booking the list of another''s party and its signatures.';

create function private.merge_bookings(
  organization_id uuid,
  keep_id uuid,
  merge_id uuid,
  other_customer boolean
)
returns public.desk_booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  kept public.bookings;
  merged public.bookings;
  target public.bookings;
  before private.booking_request;
  actor jsonb := private.current_actor();
  hindrance text;
begin
  perform private.require_permission(merge_bookings.organization_id, 'bookings:update');
  perform private.require_permission(merge_bookings.organization_id, 'bookings:cancel');
  if merge_bookings.keep_id is null or merge_bookings.merge_id is null
    or merge_bookings.keep_id = merge_bookings.merge_id
  then
    perform private.fail('merge_invalid', 422, 'Name two different bookings.');
  end if;
  kept := private.locked_booking(merge_bookings.organization_id, merge_bookings.keep_id);
  select b.* into merged
  from public.bookings as b
  where b.organization_id = merge_bookings.organization_id and b.id = merge_bookings.merge_id;
  if not found then
    perform private.fail('booking_not_found', 404, 'Check the booking''s id.');
  end if;

  if merged.merged_into_id is distinct from kept.id then
    perform private.refuse_merged(kept);
    perform private.refuse_merged(merged);
    if merged.session_id <> kept.session_id then
      -- Its session is not locked, and will not be.
      perform private.refuse_merge('session');
    end if;
    select b.* into merged
    from public.bookings as b
    where b.organization_id = kept.organization_id and b.id = merged.id
    for no key update;
    perform private.refuse_erased(kept);
    perform private.refuse_erased(merged);
    hindrance := private.hinders_merge(kept, merged, merge_bookings.other_customer);
    if hindrance is not null then
      perform private.refuse_merge(hindrance);
    end if;

    before := private.booking_options(kept);
    perform private.move_money(kept, merged);
    perform private.add_options(kept, merged);
    perform private.add_people(kept, merged);
    update public.bookings as b
    set merged_into_id = kept.id
    where b.organization_id = kept.organization_id and b.merged_into_id = merged.id;
    update public.bookings as b
    set status = 'cancelled', status_reason = 'merged', merged_into_id = kept.id, hold_expires_at = null
    where b.organization_id = kept.organization_id and b.id = merged.id;
    update public.bookings as b
    set party_size = b.party_size + merged.party_size,
      seats = b.seats + merged.seats,
      exclusive = b.exclusive or merged.exclusive,
      total_cents = b.total_cents + merged.total_cents,
      tax_cents = b.tax_cents + merged.tax_cents,
      due_now_cents = b.due_now_cents + merged.due_now_cents,
      hold_expires_at = greatest(b.hold_expires_at, merged.hold_expires_at),
      -- What is said of one person does not become another's.
      staff_note = case
        when kept.customer_id <> merged.customer_id then b.staff_note
        else left(concat_ws(E'\n', nullif(b.staff_note, ''), nullif(merged.staff_note, '')), 5000)
      end
    where b.organization_id = kept.organization_id and b.id = kept.id
    returning b.* into target;
    perform private.follow_sale(kept.organization_id, merged.id, now());
    perform private.follow_sale(kept.organization_id, kept.id, now());

    target.terms := to_jsonb(private.booking_terms(target));
    insert into public.booking_history (
      organization_id, booking_id, from_status, to_status, reason, actor_kind, actor_id, change
    )
    values (
      kept.organization_id, kept.id, kept.status, kept.status, 'merged', actor ->> 'kind', (actor ->> 'id')::uuid,
      private.changes_between(kept, before, target, private.booking_options(target))
    );
    perform private.settle_booking(kept.organization_id, kept.id);
  end if;
  return (
    select private.desk_booking(b)
    from public.bookings as b
    where b.organization_id = kept.organization_id and b.id = kept.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.merge_bookings is
  'definer: writes bookings and which of them the ledger''s money is of, which no client may write. Asks for bookings:update and bookings:cancel.';
grant execute on function private.merge_bookings to authenticated;

create function public.merge_bookings(
  organization_id uuid,
  keep_id uuid,
  merge_id uuid,
  other_customer boolean default false
)
returns public.desk_booking
language sql
volatile
set search_path = ''
as $$ select private.merge_bookings(organization_id, keep_id, merge_id, other_customer) $$;

comment on function public.merge_bookings is
  'Makes merge_id part of keep_id, which it returns, for good: two bookings of one session, both pending, confirmed or checked in. People, seats, lines, totals and what is due are added up and not priced anew; payments, refunds, waivers, the list of the party and tags are the kept one''s from then on; its contact, language, terms and link stay. The other one is cancelled, with merged_into_id, and nothing of its money goes back. The customer is told of the change of the kept one. other_customer: they may be of two customers; the second one is told by the venue. Again, the same answer. For members with bookings:update and bookings:cancel. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 not_mergeable (details {"why": session, running, status, customer, currency, order, shares, checkout, disputed or coupon}), booking_merged (details {"booking_id", "reference"}), customer_erased; 422 merge_invalid.';
grant execute on function public.merge_bookings to authenticated;

-- =============================================================================
-- sql/60_reservations/240_move_bookings.sql
-- =============================================================================

-- Moving what is booked in a room, all at once: the room is broken, or opens later. As it is the venue that moves them,
-- no customer pays more than before; changes.sql says what a change is.
--
-- The preview carries the moves out and takes them back, each by itself, so that it cannot say other than the move does.
-- Locks: both rooms, the room's sessions in order of time, their bookings; then all seats are given back before any is
-- taken, so that a session may take the time of the one after it.

create type public.planned_move as (
  booking_id uuid,
  reference text,
  status text,
  contact_name text,
  party_size int,
  from_starts_at timestamptz,
  to_room_id uuid,
  to_starts_at timestamptz,
  to_ends_at timestamptz,
  within_hours boolean,
  currency text,
  total_cents bigint,
  new_total_cents bigint,
  refund_cents bigint,
  conflict text
);

comment on type public.planned_move is 'Where a booking goes, and what becomes of its price.';
comment on column public.planned_move.booking_id is 'The booking.';
comment on column public.planned_move.reference is 'As the customer knows it.';
comment on column public.planned_move.status is 'one of bookings.status';
comment on column public.planned_move.contact_name is 'Who booked; null without customers:read.';
comment on column public.planned_move.party_size is 'People.';
comment on column public.planned_move.from_starts_at is 'When it started before.';
comment on column public.planned_move.to_room_id is 'The room to which it goes, or in which it stays.';
comment on column public.planned_move.to_starts_at is 'When it starts there.';
comment on column public.planned_move.to_ends_at is 'When the game ends there; null with a conflict.';
comment on column public.planned_move.within_hours is 'Whether that room offers a game at that time, taken or not: staff may move it elsewhere all the same.';
comment on column public.planned_move.currency is 'Of the amounts, ISO 4217.';
comment on column public.planned_move.total_cents is 'What it cost before, in minor units, tax included.';
comment on column public.planned_move.new_total_cents is 'What it costs there: no more than before; null with a conflict.';
comment on column public.planned_move.refund_cents is
  'What goes back by a queued refund, where it was paid and is cheaper; null with a conflict, and without payments:read.';
comment on column public.planned_move.conflict is
  'Why it cannot go there: what change_booking would refuse it with, such as slot_taken or party_size_invalid; not_reschedulable: its game has begun; on_hold: somebody is about to book it; null: nothing.';

create type public.moved_bookings as (
  moves public.planned_move [],
  conflicts int
);

comment on type public.moved_bookings is 'What moving the bookings of a room comes to.';
comment on column public.moved_bookings.moves is 'In order of time; empty: nothing is booked there.';
comment on column public.moved_bookings.conflicts is 'How many cannot go there.';

create function private.moved_start(organization_id uuid, room_id uuid, starts_at timestamptz, shift_minutes int)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when moved_start.shift_minutes = 0 then moved_start.starts_at
    else (
      select ((moved_start.starts_at at time zone l.timezone) + make_interval(mins => moved_start.shift_minutes)) at time zone l.timezone
      from public.rooms as r
      join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
      where r.organization_id = moved_start.organization_id and r.id = moved_start.room_id
    )
  end;
end
$$;

comment on function private.moved_start is 'So many minutes later, or earlier, by the clock of the room''s location.';

create function private.move_all(
  organization_id uuid,
  room_id uuid,
  from_at timestamptz,
  until_at timestamptz,
  to_room_id uuid,
  shift_minutes int,
  reason text
)
returns public.moved_bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  shift int := coalesce(move_all.shift_minutes, 0);
  target_id uuid := coalesce(move_all.to_room_id, move_all.room_id);
  session_ids uuid [];
  moving public.bookings [];
  booking public.bookings;
  change private.booking_request;
  move public.planned_move;
  kept bigint;
  answer public.moved_bookings := row('{}', 0);
begin
  if move_all.from_at is null or move_all.until_at is null or move_all.from_at >= move_all.until_at then
    perform private.fail('period_invalid', 422, 'Say from when until when: from_at lies before until_at.');
  elsif target_id = move_all.room_id and shift = 0 then
    perform private.fail('nothing_to_change', 422, 'Choose another room, or how many minutes later or earlier.');
  elsif abs(shift) > 525600 then
    perform private.fail('shift_invalid', 422, 'Shift by a year at most.', '{"maximum": 525600}');
  elsif exists (
    select from unnest(array[move_all.room_id, target_id]) as w (id)
    where not exists (
      select from public.rooms as r
      where r.organization_id = move_all.organization_id
        and r.id = w.id
        and (r.id = move_all.room_id or not r.is_archived)
    )
  ) then
    perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
  end if;

  perform private.lock_room(move_all.organization_id, wanted.id)
  from (
    select distinct w.id
    from unnest(array[move_all.room_id, target_id]) as w (id)
    order by w.id
  ) as wanted;
  perform private.reap_lapsed_holds(
    move_all.organization_id, move_all.room_id, tstzrange(move_all.from_at, move_all.until_at)
  );
  session_ids := array(
    select s.id
    from public.sessions as s
    where s.organization_id = move_all.organization_id
      and s.room_id = move_all.room_id
      and s.starts_at >= move_all.from_at
      and s.starts_at < move_all.until_at
      and s.mode <> 'block'
      and s.status = 'scheduled'
    order by s.starts_at, s.id
    for no key update
  );
  moving := array(
    select b
    from public.bookings as b
    where b.organization_id = move_all.organization_id
      and b.session_id = any (session_ids)
      and b.status in ('held', 'pending', 'confirmed', 'checked_in', 'in_progress')
    order by b.starts_at, b.id
    for no key update
  );
  if cardinality(moving) > 100 then
    perform private.fail(
      'too_many_bookings', 422, 'Move at most 100 at once: choose a shorter time.', '{"maximum": 100}'
    );
  end if;
  perform private.lock_vouchers_of(array_agg(m.organization_id), array_agg(m.id))
  from unnest(moving) as m;

  foreach booking in array moving loop
    if booking.status not in ('held', 'in_progress') then
      perform private.release_seats(booking);
    end if;
  end loop;
  foreach booking in array moving loop
    move := row(
      booking.id, booking.reference, booking.status, null, booking.party_size, booking.starts_at, target_id,
      private.moved_start(booking.organization_id, booking.room_id, booking.starts_at, shift), null, null,
      booking.currency, booking.total_cents, null, null, null
    );
    move.within_hours := exists (
      select from private.slots(
        booking.organization_id, array[target_id], move.to_starts_at::date - 1, move.to_starts_at::date + 1, null, null, null
      ) as s
      where s.starts_at = move.to_starts_at
    );
    move.conflict := case booking.status when 'held' then 'on_hold' when 'in_progress' then 'not_reschedulable' end;
    if move.conflict is null then
      kept := private.booking_kept(booking.organization_id, booking.id);
      change := null;
      change.booking_id := booking.id;
      change.room_id := target_id;
      change.starts_at := move.to_starts_at;
      change.reason := move_all.reason;
      change.as_agreed := true;
      begin
        perform private.apply_change(booking, change, true, has_left => true);
        select s.ends_at, b.total_cents into move.to_ends_at, move.new_total_cents
        from public.bookings as b
        join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
        where b.organization_id = booking.organization_id and b.id = booking.id;
        move.refund_cents := kept - private.booking_kept(booking.organization_id, booking.id);
      exception
        when sqlstate 'PT404' or sqlstate 'PT409' or sqlstate 'PT422' then
          move.conflict := sqlerrm;
      end;
    end if;
    answer.conflicts := answer.conflicts + (move.conflict is not null)::int;
    answer.moves := answer.moves || move;
  end loop;
  return answer;
end
$$;

comment on function private.move_all is
  'Moves what is booked in a room in that time, each booking that nothing hinders; the caller takes all of it back where one is hindered. Raises 404 room_not_found, 422 period_invalid, nothing_to_change, shift_invalid (details {"maximum"}), too_many_bookings (details {"maximum"}).';

create function private.shown_moves(organization_id uuid, moved public.moved_bookings)
returns public.moved_bookings
language plpgsql
stable
set search_path = ''
as $$
declare
  shows_names boolean := private.has_permission(shown_moves.organization_id, 'customers:read');
  shows_money boolean := private.has_permission(shown_moves.organization_id, 'payments:read');
  move public.planned_move;
begin
  for place in 1..cardinality(moved.moves) loop
    move := moved.moves[place];
    if shows_names then
      select k.contact_name into move.contact_name
      from public.booking_contacts as k
      where k.organization_id = shown_moves.organization_id and k.booking_id = move.booking_id;
    end if;
    if not shows_money then
      move.refund_cents := null;
    end if;
    moved.moves[place] := move;
  end loop;
  return moved;
end
$$;

comment on function private.shown_moves is
  'What private.move_all answers, with the names and without the money, as the caller may read them. Names are not kept with an idempotency key.';

create function private.preview_move_bookings(
  organization_id uuid,
  room_id uuid,
  from_at timestamptz,
  until_at timestamptz,
  to_room_id uuid,
  shift_minutes int
)
returns public.moved_bookings
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  answer public.moved_bookings;
begin
  perform private.require_permission(preview_move_bookings.organization_id, 'bookings:update');
  perform private.require_permission(preview_move_bookings.organization_id, 'bookings:read');
  begin
    answer := private.move_all(
      preview_move_bookings.organization_id, preview_move_bookings.room_id, preview_move_bookings.from_at,
      preview_move_bookings.until_at, preview_move_bookings.to_room_id, preview_move_bookings.shift_minutes, null
    );
    raise exception using errcode = 'EM001', message = 'taken_back';
  exception
    when sqlstate 'EM001' then null;
  end;
  return private.shown_moves(preview_move_bookings.organization_id, answer);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.preview_move_bookings is
  'definer: moves bookings and takes it back, to know what would come of it. Asks for bookings:update and bookings:read.';
grant execute on function private.preview_move_bookings to authenticated;

create function public.preview_move_bookings(
  organization_id uuid,
  room_id uuid,
  from_at timestamptz,
  until_at timestamptz,
  to_room_id uuid default null,
  shift_minutes int default 0
)
returns public.moved_bookings
language sql
volatile
set search_path = ''
as $$
  select private.preview_move_bookings(organization_id, room_id, from_at, until_at, to_room_id, shift_minutes)
$$;

comment on function public.preview_move_bookings is
  'What move_bookings would make of all that starts in a room from from_at until before until_at, 100 bookings at most: where each would go, at which price, and what is in the way. Nothing is changed. to_room_id: null for the same room; shift_minutes: later, or earlier if negative, by the location''s clock. For members with bookings:update and bookings:read; names under customers:read, refunds under payments:read. Errors: 403 permission_denied, organization_suspended; 404 room_not_found; 422 period_invalid, nothing_to_change, shift_invalid (details {"maximum"}), too_many_bookings (details {"maximum"}).';
grant execute on function public.preview_move_bookings to authenticated;

create function private.move_bookings(
  organization_id uuid,
  room_id uuid,
  from_at timestamptz,
  until_at timestamptz,
  reason text,
  idempotency_key text,
  to_room_id uuid,
  shift_minutes int,
  booking_ids uuid []
)
returns public.moved_bookings
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := move_bookings.organization_id || ':move_bookings';
  stored jsonb;
  answer public.moved_bookings;
begin
  perform private.require_permission(move_bookings.organization_id, 'bookings:update');
  perform private.require_permission(move_bookings.organization_id, 'bookings:read');
  if not private.is_reason(move_bookings.reason, 500) then
    perform private.fail('reason_invalid', 422, 'Give a reason of 1 to 500 characters.');
  end if;
  stored := private.idempotent_begin(scope, move_bookings.idempotency_key, jsonb_build_array(
    move_bookings.room_id, move_bookings.from_at, move_bookings.until_at, move_bookings.reason,
    move_bookings.to_room_id, move_bookings.shift_minutes, move_bookings.booking_ids
  ));
  if stored is not null then
    return private.shown_moves(
      move_bookings.organization_id, jsonb_populate_record(null::public.moved_bookings, stored)
    );
  end if;
  answer := private.move_all(
    move_bookings.organization_id, move_bookings.room_id, move_bookings.from_at, move_bookings.until_at,
    move_bookings.to_room_id, move_bookings.shift_minutes, move_bookings.reason
  );
  if exists (
    select from unnest(answer.moves) as m where m.booking_id <> all (move_bookings.booking_ids)
  ) or exists (
    select from unnest(move_bookings.booking_ids) as w (id)
    where not exists (select from unnest(answer.moves) as m where m.booking_id = w.id)
  ) then
    perform private.fail('bookings_changed', 409, 'Others are booked there by now: look at the preview again.');
  elsif answer.conflicts > 0 then
    perform private.fail(
      'moves_conflict', 409, 'Look at the preview: move or cancel by themselves those that cannot go there.',
      jsonb_build_object('conflicts', (
        select jsonb_agg(jsonb_build_object('booking_id', m.booking_id, 'conflict', m.conflict) order by m.from_starts_at, m.booking_id)
        from unnest(answer.moves) as m
        where m.conflict is not null
      ))
    );
  end if;
  perform private.idempotent_end(scope, move_bookings.idempotency_key, to_jsonb(answer));
  return private.shown_moves(move_bookings.organization_id, answer);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.move_bookings is
  'definer: writes sessions, bookings and the ledger, which no client may write. Asks for bookings:update and bookings:read.';
grant execute on function private.move_bookings to authenticated;

create function public.move_bookings(
  organization_id uuid,
  room_id uuid,
  from_at timestamptz,
  until_at timestamptz,
  reason text,
  idempotency_key text,
  to_room_id uuid default null,
  shift_minutes int default 0,
  booking_ids uuid [] default null
)
returns public.moved_bookings
language sql
volatile
set search_path = ''
as $$
  select private.move_bookings(
    organization_id, room_id, from_at, until_at, reason, idempotency_key, to_room_id, shift_minutes, booking_ids
  )
$$;

comment on function public.move_bookings is
  'Moves all that starts in a room from from_at until before until_at, 100 bookings at most, to another room, or by shift_minutes on the location''s clock, or both: all of them, or none. No customer pays more: what is cheaper there is priced so, and what was paid too much goes back by a queued refund; all else stays as agreed, terms and coupons too. Each customer is told of the change; reason: for the history. booking_ids: those of the preview, refused when others are booked by now. For members with bookings:update and bookings:read; names under customers:read, refunds under payments:read. Errors: 403 permission_denied, organization_suspended; 404 room_not_found; 409 moves_conflict (details {"conflicts": [{"booking_id", "conflict"}]}), bookings_changed; 422 reason_invalid, period_invalid, nothing_to_change, shift_invalid (details {"maximum"}), too_many_bookings (details {"maximum"}), idempotency_key_invalid, idempotency_key_reused.';
grant execute on function public.move_bookings to authenticated;

-- =============================================================================
-- sql/60_reservations/250_payment_shares.sql
-- =============================================================================

-- Splitting a booking's payment: what its organizer calls, and what a payer sees.

create type public.booking_share as (
  share_id uuid,
  share_token text,
  name text,
  email text,
  amount_cents bigint,
  status text,
  ended_reason text,
  expires_at timestamptz,
  paid_at timestamptz,
  paying boolean,
  reminders int,
  reminded_at timestamptz
);

comment on type public.booking_share is 'A payer''s share of a booking, as its organizer sees it.';
comment on column public.booking_share.share_id is 'The share.';
comment on column public.booking_share.share_token is
  'The secret of its link, to hand over where no address was given: <site_url>?calendar=<calendar>&reference=share-<share_id>#token=<share_token>.';
comment on column public.booking_share.name is 'Who pays it.';
comment on column public.booking_share.email is 'Where its link was mailed to; null: to nobody, or it was erased.';
comment on column public.booking_share.amount_cents is 'Minor units of the booking''s currency.';
comment on column public.booking_share.status is 'ended: it is the organizer''s again. one of: open, paid, ended';
comment on column public.booking_share.ended_reason is
  'null: it did not end unpaid. one of: taken_over, late, changed, covered, booking_over';
comment on column public.booking_share.expires_at is 'Until when it can be paid.';
comment on column public.booking_share.paid_at is 'When it was; null: it was not.';
comment on column public.booking_share.paying is 'Whether its payment page is open now.';
comment on column public.booking_share.reminders is 'How often its payer was reminded, at most 3.';
comment on column public.booking_share.reminded_at is 'When last; null: never.';

create type public.booking_split as (
  reference text,
  currency text,
  status text,
  total_cents bigint,
  open_cents bigint,
  organizer_cents bigint,
  hold_expires_at timestamptz,
  late_shares text,
  calendar text,
  site_url text,
  shares public.booking_share []
);

comment on type public.booking_split is 'How a booking''s payment is split among several payers.';
comment on column public.booking_split.reference is 'The booking''s.';
comment on column public.booking_split.currency is 'ISO 4217.';
comment on column public.booking_split.status is 'The booking''s. one of bookings.status';
comment on column public.booking_split.total_cents is 'What the booking costs, in minor units.';
comment on column public.booking_split.open_cents is 'What can still be asked for of it.';
comment on column public.booking_split.organizer_cents is
  'What the organizer can pay online now by the booking''s own link: what no share covers, but for what pages that are being closed still ask for.';
comment on column public.booking_split.hold_expires_at is 'Until when the place is kept; null: it is confirmed, or over.';
comment on column public.booking_split.late_shares is 'What becomes of a late share of a held place. one of: organizer, release';
comment on column public.booking_split.calendar is 'The slug of the calendar that shows the links; null: none is public.';
comment on column public.booking_split.site_url is 'The page of that calendar; null: it has none of its own, and the platform''s page shows them.';
comment on column public.booking_split.shares is 'All that there were, also those that ended, in the order in which they were named.';

create function private.booking_split(booking public.bookings)
returns public.booking_split
language plpgsql
stable
set search_path = ''
as $$
declare
  calendar public.calendars := private.managing_calendar(booking);
begin
  return (
    select row(
      booking.reference,
      booking.currency,
      (private.show_booking(booking)).status,
      booking.total_cents,
      private.booking_open(booking),
      private.payable_online(booking, whole => true),
      booking.hold_expires_at,
      o.late_shares,
      calendar.slug,
      calendar.site_url,
      array(
        select row(
          s.id, private.share_token(s.id), s.payer_name, s.payer_email, s.amount_cents, s.status, s.ended_reason,
          s.expires_at, s.paid_at,
          exists (
            select from private.payment_attempts as a
            where a.organization_id = s.organization_id
              and a.share_id = s.id
              and a.status = 'open'
              and a.session_id is not null
          ),
          s.reminders, s.reminded_at
        )::public.booking_share
        from public.payment_shares as s
        where s.organization_id = booking.organization_id and s.booking_id = booking.id
        order by s.position, s.created_at, s.id
      )
    )::public.booking_split
    from public.organizations as o
    where o.id = booking.organization_id
  );
end
$$;

comment on function private.booking_split is
  'A booking''s split as its organizer sees it. Called in the statement that reads the booking, it shows one moment.';

create type private.asked_share as (
  id uuid,
  name text,
  email text,
  amount_cents bigint,
  weight numeric
);

comment on type private.asked_share is
  'A share as the organizer asks for it; weight: what its payer takes, in minor units of the prices of seats and extras.';

create function private.whole_number(written jsonb)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when jsonb_typeof(written) = 'number' and written::text ~ '^[0-9]{1,12}$' then written::text::bigint end;
end
$$;

comment on function private.whole_number is 'The number, if it is a whole one of at most 12 digits and not negative; else null.';

create function private.taken_weight(booking public.bookings, asked jsonb)
returns numeric
language plpgsql
stable
set search_path = ''
as $$
declare
  players bigint := case when asked ? 'players' then private.whole_number(asked -> 'players') else 0 end;
  extras jsonb := case when asked ? 'extras' then asked -> 'extras' else '[]' end;
  extra jsonb;
  line public.booking_lines;
  weight numeric;
begin
  if players is null or jsonb_typeof(extras) <> 'array' or jsonb_array_length(extras) > 50 then
    return null;
  end if;
  select coalesce(sum(l.total_cents), 0) * players / booking.party_size into weight
  from public.booking_lines as l
  where l.organization_id = booking.organization_id and l.booking_id = booking.id and l.kind = 'base';
  for extra in select e.value from jsonb_array_elements(extras) as e loop
    if jsonb_typeof(extra) <> 'object'
      or (private.whole_number(extra -> 'line') > 0) is not true
      or private.whole_number(extra -> 'quantity') is null
    then
      return null;
    end if;
    select l.* into line
    from public.booking_lines as l
    where l.organization_id = booking.organization_id
      and l.booking_id = booking.id
      and l.kind = 'extra'
      and l.position = (
        -- As get_booking shows them: the first is 1.
        select o.position
        from public.booking_lines as o
        where o.organization_id = booking.organization_id and o.booking_id = booking.id
        order by o.position
        offset private.whole_number(extra -> 'line') - 1
        limit 1
      );
    if not found then
      return null;
    end if;
    weight := weight + line.total_cents::numeric * private.whole_number(extra -> 'quantity') / line.quantity;
  end loop;
  return weight;
end
$$;

comment on function private.taken_weight is
  'What a payer takes of a booking, {players, extras: [{line, quantity}]}, in minor units of the prices of its seats and extras; null: it is not understood.';

create function private.asked_shares(booking public.bookings, shares jsonb, method text)
returns private.asked_share []
language plpgsql
stable
set search_path = ''
as $$
declare
  wanted jsonb;
  place int := 0;
  asked private.asked_share;
  answer private.asked_share [] := '{}';
  field text;
begin
  if jsonb_typeof(shares) is distinct from 'array' or jsonb_array_length(shares) > 20 then
    perform private.fail('shares_invalid', 422, 'Send a list of at most 20 shares.', jsonb_build_object('field', 'shares'));
  end if;
  for wanted in select s.value from jsonb_array_elements(shares) as s loop
    place := place + 1;
    asked := null;
    if jsonb_typeof(wanted) = 'object' then
      asked.name := private.clean_text(wanted ->> 'name');
      asked.email := nullif(private.typed_email(wanted ->> 'email'), '');
      asked.id := case
        when wanted ->> 'id' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then (wanted ->> 'id')::uuid
      end;
      asked.amount_cents := case method when 'custom' then private.whole_number(wanted -> 'amount_cents') end;
      asked.weight := case method when 'equal' then 1 when 'taken' then private.taken_weight(booking, wanted) end;
    end if;
    field := case
      when jsonb_typeof(wanted) <> 'object' then 'shares'
      when wanted ->> 'id' is not null
        and (asked.id is null or asked.id = any (array(select a.id from unnest(answer) as a))) then 'id'
      when jsonb_typeof(wanted -> 'name') is distinct from 'string'
        or private.is_typed_name(asked.name, 100) is not true then 'name'
      when jsonb_typeof(wanted -> 'email') not in ('string', 'null') or not private.is_email(asked.email) then 'email'
      when method = 'custom' and (
        asked.amount_cents > 0 and asked.amount_cents % private.amount_step(booking.currency) = 0
      ) is not true then 'amount_cents'
      when method = 'taken' and (asked.weight > 0) is not true then 'players'
    end;
    if field is not null then
      perform private.fail(
        'shares_invalid', 422,
        'Give each payer a name without links, an address or none, and by method: amount_cents, or players and extras.',
        jsonb_build_object('field', field, 'share', place)
      );
    end if;
    answer := answer || asked;
  end loop;
  return answer;
end
$$;

comment on function private.asked_shares is
  'The shares that are asked for, checked one by one. Raises 422 shares_invalid.';

create function private.with_amounts(
  booking public.bookings, asked private.asked_share [], method text, organizer_pays boolean, base_cents bigint
)
returns private.asked_share []
language plpgsql
stable
set search_path = ''
as $$
declare
  step int := private.amount_step(booking.currency);
  -- What a payer takes is a part of all, also of what others have paid.
  of_cents bigint := base_cents
    + case method when 'taken' then private.booking_kept(booking.organization_id, booking.id) else 0 end;
  least_cents bigint := (select c.least_cents from private.currencies as c where c.code = booking.currency);
  weights numeric := (select sum(a.weight) from unnest(asked) as a);
  -- What all of it weighs: the payers, or the seats and extras, whatever was discounted and however much is due.
  whole numeric;
  left_cents bigint;
  place int;
begin
  if method = 'equal' then
    whole := cardinality(asked) + case when organizer_pays then 1 else 0 end;
  elsif method = 'taken' then
    select sum(l.total_cents) into whole
    from public.booking_lines as l
    where l.organization_id = booking.organization_id and l.booking_id = booking.id and l.kind in ('base', 'extra');
    if weights > whole then
      perform private.fail('shares_too_high', 422, 'Together they take more than there is.', jsonb_build_object('payable_cents', base_cents));
    end if;
  end if;
  if method <> 'custom' then
    for place in 1..cardinality(asked) loop
      asked[place].amount_cents := floor(of_cents * asked[place].weight / whole / step) * step;
    end loop;
  end if;
  left_cents := base_cents - (select coalesce(sum(a.amount_cents), 0) from unnest(asked) as a);
  if left_cents < 0 then
    perform private.fail('shares_too_high', 422, 'Together they are more than can be paid online.', jsonb_build_object('payable_cents', base_cents));
  end if;
  -- Nobody else pays what is left by rounding: the first ones do.
  if method <> 'custom' and weights = whole then
    place := 1;
    while left_cents > 0 loop
      asked[place].amount_cents := asked[place].amount_cents + step;
      left_cents := left_cents - step;
      place := place % cardinality(asked) + 1;
    end loop;
  end if;
  if exists (select from unnest(asked) as a where a.amount_cents < least_cents) or left_cents between 1 and least_cents - 1 then
    perform private.fail(
      'share_too_small', 422, 'No payer, nor who booked, can pay less than that online.',
      jsonb_build_object('least_cents', least_cents)
    );
  end if;
  return asked;
end
$$;

comment on function private.with_amounts is
  'The shares with their amounts: equal (what can be paid by the number of payers), taken (in the proportion of what each takes of seats and extras), custom (as given). Rounded down; what rounding leaves is the organizer''s, or where the organizer pays nothing, the first payers''. Raises 422 shares_too_high, share_too_small.';

create function private.mail_share(share public.payment_shares, reminder boolean)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'share_to_pay', 'organization_id', share.organization_id, 'booking_id', share.booking_id,
      'share_id', share.id, 'amount_cents', share.amount_cents, 'reminder', mail_share.reminder
    ),
    concat_ws(':', 'share_to_pay', share.id, share.amount_cents, share.reminders),
    share.organization_id
  );
  -- Its address was typed by who booked.
  perform private.limit_mail(share.organization_id, share.payer_email, 'visitor');
end
$$;

comment on function private.mail_share is
  'Queues the mail with a share''s link, or its reminder, and counts it. Raises 429 mail_limit_reached.';

create function private.split_booking(
  reference text,
  manage_token text,
  shares jsonb,
  idempotency_key text,
  method text,
  organizer_pays boolean,
  whole boolean
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(split_booking.reference, split_booking.manage_token);
  scope text := booking.organization_id || ':split_booking';
  organization public.organizations;
  stored jsonb;
  base bigint;
  asked private.asked_share [];
  wanted private.asked_share;
  share public.payment_shares;
  changed public.payment_shares [] := '{}';
  kept uuid [] := '{}';
  paid int;
  grace interval;
  ends_at timestamptz;
  place int := 0;
  answer jsonb;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  stored := private.idempotent_begin(scope, split_booking.idempotency_key, jsonb_build_object(
    'booking_id', booking.id, 'shares', split_booking.shares, 'method', split_booking.method,
    'organizer_pays', split_booking.organizer_pays, 'whole', split_booking.whole
  ));
  if stored is not null then
    return (
      select to_jsonb(private.booking_split(b)) from public.bookings as b
      where b.organization_id = booking.organization_id and b.id = booking.id
    );
  end if;
  booking := private.locked_booking(booking.organization_id, booking.id);
  perform private.act_as('customer', booking.customer_id);
  select o.* into organization from public.organizations as o where o.id = booking.organization_id;

  if split_booking.method is null or split_booking.method not in ('equal', 'custom', 'taken') then
    perform private.fail('split_method_invalid', 422, 'Choose equal, custom or taken.');
  end if;
  asked := private.asked_shares(booking, split_booking.shares, split_booking.method);
  if organization.split_hold_hours is null and cardinality(asked) > 0 then
    perform private.fail('split_not_offered', 409, 'The venue does not let a payment be split: ask it.');
  elsif booking.order_id is not null then
    perform private.fail('split_not_offered', 409, 'Pay the order in one: several rooms are not split between payers.');
  elsif booking.status not in ('held', 'pending', 'confirmed', 'checked_in') or booking.hold_expires_at <= now()
    or private.venue_is_closed(booking.organization_id)
  then
    perform private.fail('not_payable', 409, 'The booking is no longer held, or over.');
  elsif not (private.payment_account(booking.organization_id)).available then
    perform private.fail('online_payment_unavailable', 409, 'The venue cannot be paid online at the moment: ask it.');
  end if;
  base := private.payable_beside(booking, coalesce(split_booking.whole, false), 0);
  if base = 0 then
    perform private.fail('nothing_due', 409, 'Nothing is due online.');
  end if;
  asked := private.with_amounts(
    booking, asked, split_booking.method, coalesce(split_booking.organizer_pays, true), base
  );
  select count(*) into paid
  from public.payment_shares as s
  where s.organization_id = booking.organization_id and s.booking_id = booking.id and s.status = 'paid';
  if cardinality(asked) = 1 and paid = 0 and asked[1].amount_cents = base then
    perform private.fail(
      'shares_invalid', 422, 'Name two payers at least, of whom the organizer may be one.', jsonb_build_object('field', 'shares')
    );
  end if;
  foreach wanted in array asked loop
    if wanted.id is not null and not exists (
      select from public.payment_shares as s
      where s.organization_id = booking.organization_id
        and s.booking_id = booking.id
        and s.id = wanted.id
        and s.status = 'open'
    ) then
      perform private.fail('share_not_open', 409, 'It was paid or has ended meanwhile: look at the shares again.', jsonb_build_object('share_id', wanted.id));
    end if;
  end loop;

  -- Who is about to pay another amount comes first. Answered, not raised: an error would take the closing back.
  if private.close_pages_but(booking, asked, base) then
    perform private.idempotent_forget(scope, split_booking.idempotency_key);
    return private.refusal('checkout_closing', 409, 'Somebody is about to pay, and that page is being closed: try again in a minute.');
  end if;

  -- The first split keeps the place for longer, once.
  grace := case organization.late_shares when 'organizer' then interval '1 hour' else interval '0' end;
  if cardinality(asked) > 0 and booking.hold_expires_at is not null and not exists (
    select from public.payment_shares as s
    where s.organization_id = booking.organization_id and s.booking_id = booking.id
  ) then
    update public.bookings as b
    set hold_expires_at = greatest(
        b.hold_expires_at, least(now() + make_interval(hours => organization.split_hold_hours) + grace, b.starts_at)
      ),
      hold_extended_at = coalesce(b.hold_extended_at, now())
    where b.organization_id = booking.organization_id and b.id = booking.id
    returning b.* into booking;
  end if;
  ends_at := least(
    coalesce(booking.hold_expires_at - grace, now() + make_interval(hours => organization.split_hold_hours)),
    -- What is due only then is paid at the venue after that.
    case
      when booking.hold_expires_at is null or split_booking.whole then coalesce(private.rest_payable_until(booking), booking.starts_at)
    end
  );
  if cardinality(asked) > 0 and ends_at < now() + interval '10 minutes' then
    perform private.fail('not_payable', 409, 'Too little time is left for others to pay: pay it yourself.');
  end if;

  foreach wanted in array asked loop
    place := place + 1;
    share := null;
    if wanted.id is not null then
      -- Another address gets another link.
      update public.payment_shares as s
      set position = place, payer_name = wanted.name, amount_cents = wanted.amount_cents
      where s.organization_id = booking.organization_id
        and s.id = wanted.id
        and s.payer_email is not distinct from wanted.email
      returning s.* into share;
    end if;
    if share.id is null then
      insert into public.payment_shares (
        organization_id, booking_id, position, payer_name, payer_email, amount_cents, currency, locale, expires_at
      )
      values (
        booking.organization_id, booking.id, place, wanted.name, wanted.email, wanted.amount_cents, booking.currency,
        booking.locale, ends_at
      )
      returning * into share;
    end if;
    kept := kept || share.id;
    changed := changed || share;
  end loop;
  perform private.end_shares(
    booking.organization_id,
    array(
      select s.id from public.payment_shares as s
      where s.organization_id = booking.organization_id
        and s.booking_id = booking.id
        and s.status = 'open'
        and s.id <> all (kept)
    ),
    'changed'
  );
  answer := to_jsonb(private.booking_split(booking));
  perform private.idempotent_end(scope, split_booking.idempotency_key, '{}');
  -- Last, since the counters' rows stay locked until the end of the transaction.
  foreach share in array changed loop
    if share.payer_email is not null and not private.share_was_mailed(share) then
      perform private.mail_share(share, reminder => false);
    end if;
  end loop;
  perform private.limit_rate('split_booking', 'target', booking.id::text);
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.split_booking is 'definer: splits for whoever holds the manage token, who may write no table.';
grant execute on function private.split_booking to anon, authenticated;

create function private.share_was_mailed(share public.payment_shares)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from private.jobs as j
    where j.kind = 'email.send'
      and j.dedupe_key = concat_ws(':', 'share_to_pay', share.id, share.amount_cents, share.reminders)
  );
end
$$;

comment on function private.share_was_mailed is 'Whether the mail with that amount has been queued before.';

create function private.close_pages_but(booking public.bookings, asked private.asked_share [], base_cents bigint)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  left_cents bigint := base_cents - (select coalesce(sum(a.amount_cents), 0) from unnest(asked) as a);
  attempt private.payment_attempts;
  closing boolean := false;
begin
  for attempt in
    select a.*
    from private.payment_attempts as a
    where a.organization_id = booking.organization_id
      and a.booking_id = booking.id
      and a.status = 'open'
      and not exists (select from unnest(asked) as w where w.id = a.share_id and w.amount_cents = a.amount_cents)
      and (a.share_id is not null or a.amount_cents > left_cents)
    order by a.id
    for update
  loop
    perform private.close_one_attempt(attempt, 'the payment is split otherwise');
    closing := closing or attempt.session_id is not null;
  end loop;
  return closing;
end
$$;

comment on function private.close_pages_but is
  'Closes those payment pages of a locked booking that do not fit the shares that are asked for, and answers whether one has to be waited for.';

create function public.split_booking(
  reference text,
  manage_token text,
  shares jsonb,
  idempotency_key text,
  method text default 'custom',
  organizer_pays boolean default true,
  whole boolean default false
)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select private.split_booking(reference, manage_token, shares, idempotency_key, method, organizer_pays, whole)
$$;

comment on function public.split_booking is
  'Splits what is due of a booking (whole: all that is open, where the venue lets it be paid online) among payers, each with a link of their own; what no share covers is the organizer''s, who pays it by the booking''s own link. It says all open shares at once: one that is not named any more ends, paid ones stay, an empty list gives all back to the organizer. shares: [{id of an open share that stays, name, email or none, and by method: custom: amount_cents; taken: players, extras: [{line: its place in get_booking''s lines from 1, quantity}]; equal: nothing, organizer_pays: whether the organizer is one of those by whom it is divided}]. A payer with an address is mailed the link. The first split keeps a held place for organizations.split_hold_hours. For a day the same idempotency key and request are one split. Answers public.booking_split. For whoever has the booking''s link. Errors: 404 booking_not_found; 409 split_not_offered, not_payable, online_payment_unavailable, nothing_due, share_not_open (details {"share_id"}), checkout_closing (a page that asks for another amount is being closed: try again); 422 split_method_invalid, shares_invalid (details {"field", "share"}: its place from 1), shares_too_high (details {"payable_cents"}), share_too_small (details {"least_cents"}), idempotency_key_invalid, idempotency_key_reused; 429 rate_limited, mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.split_booking to anon, authenticated;

create function private.get_booking_split(reference text, manage_token text)
returns public.booking_split
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.bookings := private.booking_with_token(get_booking_split.reference, get_booking_split.manage_token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return (
    select private.booking_split(b) from public.bookings as b
    where b.organization_id = known.organization_id and b.id = known.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_booking_split is 'definer: shows a split to whoever holds the manage token.';
grant execute on function private.get_booking_split to anon, authenticated;

create function public.get_booking_split(reference text, manage_token text)
returns public.booking_split
language sql
volatile
set search_path = ''
as $$ select private.get_booking_split(reference, manage_token) $$;

comment on function public.get_booking_split is
  'How a booking''s payment is split, with the shares'' links, for whoever has the booking''s link. Errors: 404 booking_not_found; 429 rate_limited.';
grant execute on function public.get_booking_split to anon, authenticated;

create function private.locked_share(booking public.bookings, share_id uuid)
returns public.payment_shares
language plpgsql
volatile
set search_path = ''
as $$
declare
  share public.payment_shares;
begin
  select s.* into share
  from public.payment_shares as s
  where s.organization_id = booking.organization_id and s.booking_id = booking.id and s.id = locked_share.share_id
  for no key update;
  if not found then
    perform private.fail('share_not_found', 404, 'Choose one of the booking''s shares.');
  end if;
  return share;
end
$$;

comment on function private.locked_share is 'A share of a locked booking. Raises 404 share_not_found.';

create function private.take_over_payment_share(reference text, manage_token text, share_id uuid)
returns public.booking_split
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(take_over_payment_share.reference, take_over_payment_share.manage_token);
  share public.payment_shares;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  booking := private.locked_booking(booking.organization_id, booking.id);
  perform private.act_as('customer', booking.customer_id);
  share := private.locked_share(booking, take_over_payment_share.share_id);
  if share.status = 'paid' then
    perform private.fail('share_not_open', 409, 'It is paid.', jsonb_build_object('share_id', share.id));
  end if;
  perform private.end_shares(share.organization_id, array[share.id], 'taken_over');
  return (
    select private.booking_split(b) from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.take_over_payment_share is 'definer: ends a share for whoever holds the manage token, who may write no table.';
grant execute on function private.take_over_payment_share to anon, authenticated;

create function public.take_over_payment_share(reference text, manage_token text, share_id uuid)
returns public.booking_split
language sql
volatile
set search_path = ''
as $$ select private.take_over_payment_share(reference, manage_token, share_id) $$;

comment on function public.take_over_payment_share is
  'Ends a share that is not paid: its link pays nothing any more, and the organizer pays its amount by the booking''s own link, once a page that its payer has open is closed. One that has ended stays so. For whoever has the booking''s link. Errors: 404 booking_not_found, share_not_found; 409 share_not_open (details {"share_id"}); 429 rate_limited.';
grant execute on function public.take_over_payment_share to anon, authenticated;

create function private.remind_payment_share(reference text, manage_token text, share_id uuid)
returns public.booking_split
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(remind_payment_share.reference, remind_payment_share.manage_token);
  share public.payment_shares;
  answer public.booking_split;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  booking := private.locked_booking(booking.organization_id, booking.id);
  perform private.act_as('customer', booking.customer_id);
  share := private.locked_share(booking, remind_payment_share.share_id);
  if share.status <> 'open' or share.expires_at <= now() then
    perform private.fail('share_not_open', 409, 'It was paid or has ended.', jsonb_build_object('share_id', share.id));
  elsif share.payer_email is null then
    perform private.fail('address_missing', 409, 'Hand its link over yourself: no address was given.');
  elsif share.reminders >= 3 or coalesce(share.reminded_at, share.created_at) > now() - interval '1 hour' then
    perform private.fail('reminded_already', 409, 'A payer is reminded three times at most, an hour apart.');
  end if;
  update public.payment_shares as s
  set reminders = s.reminders + 1, reminded_at = now()
  where s.organization_id = share.organization_id and s.id = share.id
  returning s.* into share;
  answer := (
    select private.booking_split(b) from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id
  );
  perform private.mail_share(share, reminder => true);
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.remind_payment_share is 'definer: queues a mail for whoever holds the manage token, who may write no table.';
grant execute on function private.remind_payment_share to anon, authenticated;

create function public.remind_payment_share(reference text, manage_token text, share_id uuid)
returns public.booking_split
language sql
volatile
set search_path = ''
as $$ select private.remind_payment_share(reference, manage_token, share_id) $$;

comment on function public.remind_payment_share is
  'Mails the payer of an open share its link once more: three times at most, an hour apart. For whoever has the booking''s link. Errors: 404 booking_not_found, share_not_found; 409 share_not_open (details {"share_id"}), address_missing, reminded_already; 429 rate_limited, mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.remind_payment_share to anon, authenticated;

create type public.payment_share as (
  share_id uuid,
  status text,
  amount_cents bigint,
  currency text,
  returned_cents bigint,
  expires_at timestamptz,
  organizer text,
  room text,
  venue text,
  starts_at timestamptz,
  timezone text,
  locale text,
  calendar text,
  site_url text,
  paying boolean
);

comment on type public.payment_share is 'A share of a booking, as its payer sees it.';
comment on column public.payment_share.share_id is 'The share.';
comment on column public.payment_share.status is
  'late: its time is over; over: who booked pays it, or the booking is over; returned: what was paid goes back. one of: open, paid, late, over, returned';
comment on column public.payment_share.amount_cents is 'What is to be paid, or was, in minor units of currency.';
comment on column public.payment_share.currency is 'ISO 4217.';
comment on column public.payment_share.returned_cents is 'What of all that was paid for it went back, or goes back.';
comment on column public.payment_share.expires_at is 'Until when it can be paid.';
comment on column public.payment_share.organizer is 'The first name of who booked.';
comment on column public.payment_share.room is 'The room''s name.';
comment on column public.payment_share.venue is 'The organization''s name.';
comment on column public.payment_share.starts_at is 'When the game starts.';
comment on column public.payment_share.timezone is 'The venue''s IANA zone.';
comment on column public.payment_share.locale is 'The booking''s language. one of: es, en, ca';
comment on column public.payment_share.calendar is 'The slug of the calendar that shows it; null: none is public.';
comment on column public.payment_share.site_url is 'The page of that calendar; null: it has none of its own.';
comment on column public.payment_share.paying is 'Whether its payment page is open now.';

create function private.shown_payment_share(organization_id uuid, share_id uuid)
returns public.payment_share
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      s.id,
      case
        when s.status = 'paid' or came.paid_cents > 0
          then case when came.kept_cents > 0 then 'paid' else 'returned' end
        when s.ended_reason = 'late' or s.status = 'open' and s.expires_at <= now() then 'late'
        when s.status = 'open'
          and b.status in ('held', 'pending', 'confirmed', 'checked_in')
          and coalesce(b.hold_expires_at > now(), true)
          then 'open'
        else 'over'
      end,
      s.amount_cents,
      s.currency,
      came.paid_cents - came.kept_cents,
      s.expires_at,
      split_part(contact.contact_name, ' ', 1),
      private.room_name(r, s.locale),
      o.name,
      b.starts_at,
      l.timezone,
      s.locale,
      k.slug,
      k.site_url,
      exists (
        select from private.payment_attempts as a
        where a.organization_id = s.organization_id
          and a.share_id = s.id
          and a.status = 'open'
          and a.session_id is not null
      )
    )::public.payment_share
    from public.payment_shares as s
    join public.bookings as b on b.organization_id = s.organization_id and b.id = s.booking_id
    join public.booking_contacts as contact on contact.organization_id = b.organization_id and contact.booking_id = b.id
    join public.organizations as o on o.id = b.organization_id
    join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    left join lateral private.managing_calendar(b) as k on true
    cross join lateral (
      select coalesce(sum(p.amount_cents), 0) as paid_cents, coalesce(sum(p.amount_cents - coalesce(q.promised, 0)), 0) as kept_cents
      from private.share_payments as sp
      join public.payments as p on p.organization_id = sp.organization_id and p.id = sp.payment_id
      left join lateral (
        select sum(q.amount_cents) as promised
        from private.refund_requests as q
        where q.organization_id = p.organization_id and q.payment_id = p.id and q.status in ('pending', 'succeeded')
      ) as q on true
      where sp.organization_id = s.organization_id and sp.share_id = s.id
    ) as came
    where s.organization_id = shown_payment_share.organization_id and s.id = shown_payment_share.share_id
  );
end
$$;

comment on function private.shown_payment_share is 'A share as its payer sees it, at one moment.';

create function private.get_payment_share(share_id uuid, share_token text)
returns public.payment_share
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  share public.payment_shares;
begin
  perform private.count_attempt();
  perform private.limit_rate('public_read', 'address', private.client_address());
  share := private.share_with_token(get_payment_share.share_id, get_payment_share.share_token);
  return private.shown_payment_share(share.organization_id, share.id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_payment_share is 'definer: visitors read no table. Proves the payer by the share''s token.';
grant execute on function private.get_payment_share to anon, authenticated;

create function public.get_payment_share(share_id uuid, share_token text)
returns public.payment_share
language sql
volatile
set search_path = ''
as $$ select private.get_payment_share(share_id, share_token) $$;

comment on function public.get_payment_share is
  'A share of a booking for whoever has its link: what, when and how much, the first name of who booked, and nothing else of the booking or the other payers. POST /v1/share-checkout opens its page. Errors: 404 share_not_found; 429 rate_limited.';
grant execute on function public.get_payment_share to anon, authenticated;
