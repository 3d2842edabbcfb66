-- Subscriptions: which plan an organization has, as Stripe says, and what follows from it.
--
-- Stripe is the one that knows. A row is only ever written from what was read there: whatever event came,
-- in whatever order, the customer's subscriptions are read anew and applied (private.apply_billing).

create table private.stripe_customers (
  organization_id uuid not null,
  generation int not null default 1,
  customer_id text,
  deleted_at timestamptz,
  trial_used_at timestamptz,
  as_of timestamptz,
  constraint stripe_customers_pkey primary key (organization_id),
  constraint stripe_customers_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  -- Also the index for: private.apply_billing, which is told of a customer and of no organization.
  constraint stripe_customers_customer_key unique (customer_id)
);

comment on table private.stripe_customers is
  'Who an organization is at Stripe. Only what belongs to the customer that is written here touches its subscription: metadata is never asked.';
comment on column private.stripe_customers.generation is 'Counts the customers that were made, since one may be deleted at Stripe; names them in idempotency keys.';
comment on column private.stripe_customers.customer_id is 'Null until it is made.';
comment on column private.stripe_customers.deleted_at is 'When it was found deleted at Stripe; the next checkout makes another.';
comment on column private.stripe_customers.trial_used_at is 'When its first trial was seen; there is one an organization.';
comment on column private.stripe_customers.as_of is 'The newest instant at which its subscriptions were read.';

-- for: private.queue_stale_subscriptions
create index stripe_customers_as_of_idx on private.stripe_customers (as_of nulls first)
where customer_id is not null;

create table private.plan_prices (
  price_id text not null,
  plan_key text not null,
  constraint plan_prices_pkey primary key (price_id),
  constraint plan_prices_plan_fkey foreign key (plan_key) references public.plans (key) on delete cascade
);

comment on table private.plan_prices is
  'Prices of Stripe that had a plan''s lookup key when they were seen: a new price takes the key over, and those who pay the old one keep their plan.';

-- for: the foreign key, when a plan is deleted
create index plan_prices_plan_key_idx on private.plan_prices (plan_key);

create table public.subscriptions (
  organization_id uuid not null,
  stripe_subscription_id text,
  other_subscription_ids text [] not null default '{}',
  plan_key text,
  status text,
  billing_interval text,
  amount_cents bigint,
  currency text,
  due_cents bigint not null default 0,
  current_period_start timestamptz,
  current_period_end timestamptz,
  trial_end timestamptz,
  cancel_at timestamptz,
  next_plan_key text,
  overdue_since timestamptz,
  grace_until timestamptz,
  granted_plan_key text,
  granted_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint subscriptions_pkey primary key (organization_id),
  constraint subscriptions_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint subscriptions_stripe_subscription_key unique (stripe_subscription_id),
  constraint subscriptions_plan_fkey foreign key (plan_key) references public.plans (key),
  constraint subscriptions_next_plan_fkey foreign key (next_plan_key) references public.plans (key),
  constraint subscriptions_granted_plan_fkey foreign key (granted_plan_key) references public.plans (key),
  constraint subscriptions_status_is_known check (
    status in ('trialing', 'active', 'past_due', 'unpaid', 'canceled', 'incomplete', 'incomplete_expired', 'paused')
  ),
  constraint subscriptions_billing_interval_is_known check (billing_interval in ('month', 'year')),
  constraint subscriptions_of_stripe_have_a_status check ((stripe_subscription_id is null) = (status is null)),
  constraint subscriptions_overdue_ones_have_a_grace check ((overdue_since is null) = (grace_until is null)),
  constraint subscriptions_grants_end check ((granted_plan_key is null) = (granted_until is null))
);

comment on table public.subscriptions is
  'What an organization pays the platform, as Stripe says, and what the platform has granted it; none: it has neither. Nobody writes it but private.apply_billing and platform_grant_plan.';
comment on column public.subscriptions.stripe_subscription_id is 'The one that counts; null: there was none, only a grant.';
comment on column public.subscriptions.other_subscription_ids is 'Further ones that live at Stripe beside it and cost money: end them there.';
comment on column public.subscriptions.plan_key is 'What its price is of; null: no plan''s, so that it entitles to nothing.';
comment on column public.subscriptions.status is
  'Stripe''s word: trialing, active, past_due, unpaid, canceled, incomplete, incomplete_expired, paused. The plan is in force while trialing, active, past_due or unpaid.';
comment on column public.subscriptions.billing_interval is 'How often it is paid: month or year.';
comment on column public.subscriptions.amount_cents is 'What it costs an interval, minor units of currency.';
comment on column public.subscriptions.currency is 'ISO 4217, upper case.';
comment on column public.subscriptions.due_cents is 'What is open of the latest invoice, minor units of currency.';
comment on column public.subscriptions.current_period_start is 'Since when the present period has been paid, or tried.';
comment on column public.subscriptions.current_period_end is 'When it is renewed, or ends.';
comment on column public.subscriptions.trial_end is 'When its trial ends, or ended; null: it has none.';
comment on column public.subscriptions.cancel_at is 'When it ends for good; null: it is renewed.';
comment on column public.subscriptions.next_plan_key is 'The plan from the next period on; null: the same.';
comment on column public.subscriptions.overdue_since is 'Since when a payment has been known to have failed; null: none has.';
comment on column public.subscriptions.grace_until is 'Until when members go on writing although it is overdue; null: it is not.';
comment on column public.subscriptions.granted_plan_key is 'A plan that the platform gives for nothing; null: none.';
comment on column public.subscriptions.granted_until is 'When that ends.';

-- for: the foreign key, when a plan is deleted
create index subscriptions_plan_key_idx on public.subscriptions (plan_key);
-- for: the foreign key
create index subscriptions_next_plan_key_idx on public.subscriptions (next_plan_key);
-- for: the foreign key
create index subscriptions_granted_plan_key_idx on public.subscriptions (granted_plan_key);

grant select on public.subscriptions to authenticated;

alter table public.subscriptions enable row level security;

create policy subscriptions_select on public.subscriptions
for select to authenticated
using (organization_id = (select private.organization_with('billing:read')));

create trigger subscriptions_touch_updated_at
before update on public.subscriptions
for each row execute function private.touch_updated_at();

create function private.entitles(status text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(status in ('trialing', 'active', 'past_due', 'unpaid'), false);
end
$$;

comment on function private.entitles is
  'Whether a subscription with the status gives its plan. An overdue one does: what stops then is writing (organizations.writes_end_at).';

create function private.plan_of(organization_id uuid)
returns public.plans
language plpgsql
stable
set search_path = ''
as $$
declare
  plan public.plans;
begin
  select p.* into plan
  from public.subscriptions as s
  join public.plans as p
    on (p.key = s.plan_key and private.entitles(s.status))
    or (p.key = s.granted_plan_key and s.granted_until > now())
  where s.organization_id = plan_of.organization_id
  order by p.position desc
  limit 1;
  if not found then
    select p.* into plan
    from private.billing_settings as b
    join public.plans as p on p.key = b.default_plan;
  end if;
  return plan;
end
$$;

comment on function private.plan_of is
  'The plan in force: the better one of what is paid and what is granted, else private.billing_settings.default_plan.';

create function private.settle_overdue(organization_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update public.organizations as o
  set writes_end_at = due.ends_at, sales_end_at = due.ends_at + make_interval(days => b.sales_days)
  from private.billing_settings as b
  left join public.subscriptions as s on s.organization_id = settle_overdue.organization_id
  cross join lateral (
    -- A grant covers what is not paid for as long as it lasts.
    select case when s.grace_until is not null then greatest(s.grace_until, s.granted_until) end as ends_at
  ) as due
  where o.id = settle_overdue.organization_id
    and (o.writes_end_at, o.sales_end_at)
    is distinct from (due.ends_at, due.ends_at + make_interval(days => b.sales_days));
end
$$;

comment on function private.settle_overdue is
  'Writes down when an organization''s members stop writing, and when its public sale stops, from what its subscription says. The clock does the rest.';
