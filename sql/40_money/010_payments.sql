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
