-- What Stripe says of an organization's subscription, applied: any order, any number, any loss of events ends
-- the same, since what is applied is always all that the customer has there now.

create type service.billing_change as (
  field text,
  before text,
  after text
);

comment on type service.billing_change is 'A field that is not what it was.';
comment on column service.billing_change.field is 'A column of subscriptions.';
comment on column service.billing_change.before is 'Its value as text; null: it was empty.';
comment on column service.billing_change.after is 'Its value as text; null: it is empty now.';

create type service.applied_billing as (
  organization_id uuid,
  outcome text,
  unknown_prices text [],
  changes service.billing_change []
);

comment on type service.applied_billing is 'What a reading of Stripe has changed.';
comment on column service.applied_billing.organization_id is 'Whose customer it is; null: no organization''s, and nothing is changed.';
comment on column service.applied_billing.outcome is 'unknown: no organization''s customer; older: newer news is there; one of: applied, unknown, older';
comment on column service.applied_billing.unknown_prices is 'Prices of live subscriptions that are of no plan.';
comment on column service.applied_billing.changes is 'In the order of their names.';

create function private.plan_of_price(price jsonb)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(
    (
      select p.key from public.plans as p
      where price ->> 'lookup_key' in (p.lookup_key_month, p.lookup_key_year)
    ),
    (select k.plan_key from private.plan_prices as k where k.price_id = price ->> 'id')
  );
end
$$;

comment on function private.plan_of_price is 'The plan that a price {id, lookup_key} of Stripe''s is of; null: none.';

create function private.apply_billing(billing jsonb)
returns service.applied_billing
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  customer private.stripe_customers;
  before public.subscriptions;
  after public.subscriptions;
  chosen jsonb;
  others text [];
  unknown text [];
  grace int := (select s.grace_days from private.billing_settings as s);
begin
  select c.* into customer
  from private.stripe_customers as c
  where c.customer_id = billing ->> 'customer'
  for update;
  if not found then
    return row(null, 'unknown', '{}'::text [], '{}'::service.billing_change [])::service.applied_billing;
  elsif customer.as_of > (billing ->> 'as_of')::timestamptz then
    return row(customer.organization_id, 'older', '{}'::text [], '{}'::service.billing_change [])::service.applied_billing;
  end if;
  perform private.act_as('system', null);
  select s.* into before from public.subscriptions as s where s.organization_id = customer.organization_id;

  insert into private.plan_prices (price_id, plan_key)
  select distinct s.value #>> '{price,id}', p.key
  from jsonb_array_elements(billing -> 'subscriptions') as s
  join public.plans as p on s.value #>> '{price,lookup_key}' in (p.lookup_key_month, p.lookup_key_year)
  on conflict on constraint plan_prices_pkey do update set plan_key = excluded.plan_key;

  -- The one that counts: one that goes on before one that is over, the best plan first, then the newest.
  select s.value into chosen
  from jsonb_array_elements(billing -> 'subscriptions') as s
  left join public.plans as p on p.key = private.plan_of_price(s.value -> 'price')
  order by
    array_position(
      array['active', 'trialing', 'past_due', 'unpaid', 'paused', 'incomplete', 'canceled', 'incomplete_expired'],
      s.value ->> 'status'
    ),
    p.position desc nulls last, (s.value ->> 'created')::timestamptz desc, s.value ->> 'id'
  limit 1;
  select
    coalesce(array_agg(s.value ->> 'id' order by s.value ->> 'id') filter (where s.value ->> 'id' <> chosen ->> 'id'), '{}'),
    coalesce(
      array_agg(distinct s.value #>> '{price,id}') filter (where private.plan_of_price(s.value -> 'price') is null), '{}'
    )
  into others, unknown
  from jsonb_array_elements(billing -> 'subscriptions') as s
  where private.is_live(s.value ->> 'status');

  after := before;
  after.organization_id := customer.organization_id;
  after.other_subscription_ids := others;
  if chosen is not null then
    after.stripe_subscription_id := chosen ->> 'id';
    after.status := chosen ->> 'status';
    after.plan_key := private.plan_of_price(chosen -> 'price');
    after.billing_interval := chosen #>> '{price,interval}';
    after.amount_cents := (chosen #>> '{price,amount}')::bigint;
    after.currency := chosen #>> '{price,currency}';
    after.due_cents := coalesce((chosen ->> 'due')::bigint, 0);
    after.current_period_start := (chosen ->> 'current_period_start')::timestamptz;
    after.current_period_end := (chosen ->> 'current_period_end')::timestamptz;
    after.trial_end := (chosen ->> 'trial_end')::timestamptz;
    after.cancel_at := (chosen ->> 'cancel_at')::timestamptz;
    after.next_plan_key := private.plan_of_price(chosen -> 'next_price');
  elsif before.status is not null then
    -- The customer is gone, and all that it had.
    after.status := 'canceled';
    after.next_plan_key := null;
    after.due_cents := 0;
  end if;
  if after.status in ('past_due', 'unpaid') then
    after.overdue_since := coalesce(after.overdue_since, now());
    after.grace_until := coalesce(after.grace_until, after.overdue_since + make_interval(days => grace));
  else
    after.overdue_since := null;
    after.grace_until := null;
  end if;

  if after.status is not null and to_jsonb(after) is distinct from to_jsonb(before) then
    insert into public.subscriptions as s (
      organization_id, stripe_subscription_id, other_subscription_ids, plan_key, status, billing_interval, amount_cents,
      currency, due_cents, current_period_start, current_period_end, trial_end, cancel_at, next_plan_key, overdue_since,
      grace_until
    )
    values (
      after.organization_id, after.stripe_subscription_id, after.other_subscription_ids, after.plan_key, after.status,
      after.billing_interval, after.amount_cents, after.currency, after.due_cents, after.current_period_start,
      after.current_period_end, after.trial_end, after.cancel_at, after.next_plan_key, after.overdue_since,
      after.grace_until
    )
    on conflict on constraint subscriptions_pkey do update
    set stripe_subscription_id = excluded.stripe_subscription_id,
      other_subscription_ids = excluded.other_subscription_ids,
      plan_key = excluded.plan_key,
      status = excluded.status,
      billing_interval = excluded.billing_interval,
      amount_cents = excluded.amount_cents,
      currency = excluded.currency,
      due_cents = excluded.due_cents,
      current_period_start = excluded.current_period_start,
      current_period_end = excluded.current_period_end,
      trial_end = excluded.trial_end,
      cancel_at = excluded.cancel_at,
      next_plan_key = excluded.next_plan_key,
      overdue_since = excluded.overdue_since,
      grace_until = excluded.grace_until;
    if private.is_live(after.status) then
      update private.subscription_checkouts as a
      set status = 'over'
      where a.organization_id = customer.organization_id and a.status = 'open';
    end if;
  end if;
  perform private.settle_overdue(customer.organization_id);
  if (billing ->> 'deleted')::boolean and customer.deleted_at is null then
    insert into private.platform_log (action, organization_id, reason)
    values ('billing:customer_deleted', customer.organization_id, customer.customer_id);
  end if;

  update private.stripe_customers as c
  -- Never of the future, which would keep out every later reading.
  set as_of = least((billing ->> 'as_of')::timestamptz, clock_timestamp()),
    deleted_at = case when (billing ->> 'deleted')::boolean then coalesce(c.deleted_at, now()) end,
    trial_used_at = coalesce(c.trial_used_at, (
      select min((s.value ->> 'trial_start')::timestamptz) from jsonb_array_elements(billing -> 'subscriptions') as s
    ))
  where c.organization_id = customer.organization_id;

  return row(
    customer.organization_id, 'applied', unknown,
    array(
      select row(a.key, b.value, a.value)::service.billing_change
      from jsonb_each_text(to_jsonb(after)) as a
      left join jsonb_each_text(to_jsonb(before)) as b on b.key = a.key
      where a.value is distinct from b.value and a.key not in ('organization_id', 'created_at', 'updated_at')
      order by a.key
    )
  )::service.applied_billing;
end
$$;

comment on function private.apply_billing is 'definer: writes subscriptions, which nobody else may write.';
grant execute on function private.apply_billing to service_role;

create function service.apply_billing(billing jsonb)
returns service.applied_billing
language sql
volatile
set search_path = ''
as $$ select private.apply_billing(billing) $$;

comment on function service.apply_billing is
  'Applies what a customer has at Stripe now, all of it: {customer, deleted, as_of, subscriptions: [{id, status, created, price: {id, lookup_key, interval, amount (minor units), currency}, next_price: {id, lookup_key} or null, current_period_start, current_period_end, trial_start, trial_end, cancel_at, due (minor units)}]}. Only the organization on which this customer is written is touched. Any order and any number of calls end the same; what was read before what is known is left out.';
grant execute on function service.apply_billing to service_role;

create function private.queue_stale_subscriptions(older_than_seconds int)
returns int
language sql
volatile
security definer
set search_path = ''
as $$
  with stale as (
    select c.organization_id, c.customer_id, 'stripe.read_billing:' || c.customer_id as dedupe_key
    from private.stripe_customers as c
    where c.customer_id is not null
      -- Read on for a while: who was said to be deleted and is not gets back what is paid.
      and (c.deleted_at is null or c.deleted_at > now() - interval '30 days')
      and coalesce(c.as_of < now() - queue_stale_subscriptions.older_than_seconds * interval '1 second', true)
      and not exists (
        select from private.jobs as j
        where j.kind = 'stripe.read_billing'
          and j.dedupe_key = 'stripe.read_billing:' || c.customer_id
          -- One that waits keeps its pause; one that died is tried anew after a day.
          and (j.status in ('queued', 'running') or (j.status = 'dead' and j.finished_at > now() - interval '1 day'))
      )
    order by c.as_of nulls first
    limit 100
  )
  select count(private.enqueue(
    -- Of its own kind: a day's reading must not stand before what players have just paid.
    'stripe.read_billing',
    jsonb_build_object('object_type', 'customer', 'object_id', s.customer_id, 'account', null),
    s.dedupe_key,
    s.organization_id
  ))::int
  from stale as s
$$;

comment on function private.queue_stale_subscriptions is 'definer: the service may read no table, and the queue is visible to nobody.';
grant execute on function private.queue_stale_subscriptions to service_role;

create function service.queue_stale_subscriptions(older_than_seconds int)
returns int
language sql
volatile
set search_path = ''
as $$ select private.queue_stale_subscriptions(older_than_seconds) $$;

comment on function service.queue_stale_subscriptions is
  'Queues reading what customers have at Stripe that were not read for so long: a job each (stripe.read_billing), up to 100 a call, longest first, so that one which fails hides no other. Returns how many it queued: call again until it is 0.';
grant execute on function service.queue_stale_subscriptions to service_role;
