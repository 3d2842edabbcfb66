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
