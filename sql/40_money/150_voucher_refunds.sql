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
