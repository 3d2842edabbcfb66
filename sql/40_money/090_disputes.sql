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
