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
