-- Subscribing, and changing what is subscribed to: what the service asks before it asks Stripe.
--
-- Why two clicks are one subscription: an organization has one open checkout. Asked again for the same, it
-- is answered again; asked for something else, the former page is closed first, and who had paid on it by
-- then has a subscription, and is told so.

create table private.subscription_checkouts (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  plan_key text not null,
  billing_interval text not null,
  status text not null default 'open',
  session_id text,
  url text,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  constraint subscription_checkouts_pkey primary key (organization_id, id),
  constraint subscription_checkouts_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint subscription_checkouts_plan_fkey foreign key (plan_key) references public.plans (key) on delete cascade,
  constraint subscription_checkouts_interval_is_known check (billing_interval in ('month', 'year')),
  constraint subscription_checkouts_status_is_known check (status in ('open', 'over')),
  constraint subscription_checkouts_session_has_its_page check (
    (session_id is null) = (url is null) and (session_id is null) = (expires_at is null)
  )
);

comment on table private.subscription_checkouts is
  'Pages of Stripe on which an organization subscribes; one is open at most. The id names it at Stripe, as idempotency key.';

comment on column private.subscription_checkouts.status is 'open, or over: paid, given up, or replaced by another.';

-- for: private.open_subscription_checkout, and one open page an organization
create unique index subscription_checkouts_open_key on private.subscription_checkouts (organization_id)
where status = 'open';
-- for: the foreign key, when a plan is deleted
create index subscription_checkouts_plan_key_idx on private.subscription_checkouts (plan_key);

-- Acting for a person. The service's key is one for all organizations, so it alone must not decide where an owner
-- pays, nor whose customer an organization is. A pass says that somebody with billing:manage asks, just now: the
-- service gets it under that person's own token. It is derived, so nothing is kept of it.

create function private.billing_pass(organization_id uuid, windows_ago int, reading boolean default false)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.derived_token(
    case when billing_pass.reading then 'billing_reading' else 'billing' end,
    organization_id || '/' || (floor(extract(epoch from now()) / 600)::bigint - windows_ago)
  );
end
$$;

comment on function private.billing_pass is
  'The pass of an organization in the present window of ten minutes, or in one so many windows ago; reading: the lesser one.';

create function private.require_billing_pass(organization_id uuid, billing_pass text, reading boolean default false)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not exists (
    select
    from generate_series(0, 1) as w (windows_ago)
    cross join (values (false), (true)) as p (reading)
    where (require_billing_pass.reading or not p.reading)
      and private.token_hash(require_billing_pass.billing_pass)
      = private.token_hash(private.billing_pass(require_billing_pass.organization_id, w.windows_ago, p.reading))
  ) then
    perform private.fail('billing_pass_invalid', 403, 'Ask open_billing for a pass, as a person who may manage what is paid.');
  end if;
end
$$;

comment on function private.require_billing_pass is
  'Raises 403 billing_pass_invalid unless the pass is the organization''s, of the present window or the one before; reading: that for reading does, too.';

create type public.billing_pass as (
  token text,
  expires_at timestamptz
);

comment on type public.billing_pass is 'Says that somebody who may manage what an organization pays asks for it just now.';
comment on column public.billing_pass.token is 'The secret, for the service.';
comment on column public.billing_pass.expires_at is 'Until when it counts.';

create function private.open_billing(organization_id uuid, reading boolean)
returns public.billing_pass
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if open_billing.reading then
    perform private.require_permission(open_billing.organization_id, 'billing:read');
  else
    perform private.require_permission(open_billing.organization_id, 'billing:manage');
  end if;
  return row(
    private.billing_pass(open_billing.organization_id, 0, coalesce(open_billing.reading, false)),
    to_timestamp((floor(extract(epoch from now()) / 600) + 2) * 600)
  )::public.billing_pass;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.open_billing is 'definer: derives a secret from the signing key.';
grant execute on function private.open_billing to authenticated;

create function public.open_billing(organization_id uuid, reading boolean default false)
returns public.billing_pass
language sql
stable
set search_path = ''
as $$ select private.open_billing(organization_id, reading) $$;

comment on function public.open_billing is
  'A pass for ten to twenty minutes, with which the service subscribes, changes the plan, or opens or connects an account for the caller. Needs billing:manage; for one that only lets what Stripe says of the account be applied (reading) billing:read. Errors: 403 permission_denied.';
grant execute on function public.open_billing to authenticated;

create function private.is_live(status text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(status in ('trialing', 'active', 'past_due', 'unpaid', 'paused'), false);
end
$$;

comment on function private.is_live is
  'Whether a subscription with the status goes on at Stripe, so that a second one would be paid beside it.';

create function private.offered_price(plan_key text, billing_interval text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  lookup_key text;
begin
  select case offered_price.billing_interval
    when 'month' then p.lookup_key_month
    when 'year' then p.lookup_key_year
  end into lookup_key
  from public.plans as p
  where p.key = offered_price.plan_key and p.is_offered;
  if lookup_key is null then
    perform private.fail('plan_not_offered', 422, 'Choose a plan that is offered, by the month or by the year.');
  end if;
  return lookup_key;
end
$$;

comment on function private.offered_price is 'The lookup key of a plan''s price. Raises 422 plan_not_offered.';

create function private.owner_address(organization_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select p.email
    from private.active_memberships as m
    join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
    join public.profiles as p on p.user_id = m.user_id
    where m.organization_id = owner_address.organization_id and r.key = 'owner' and p.email <> ''
    order by m.created_at, m.id
    limit 1
  );
end
$$;

comment on function private.owner_address is 'The address of the owner of longest standing who has one; null: none has.';

create function private.locked_stripe_customer(organization_id uuid)
returns private.stripe_customers
language plpgsql
volatile
set search_path = ''
as $$
declare
  customer private.stripe_customers;
begin
  insert into private.stripe_customers (organization_id)
  select o.id
  from public.organizations as o
  where o.id = locked_stripe_customer.organization_id and o.status <> 'closed'
  on conflict on constraint stripe_customers_pkey do nothing;
  select c.* into customer
  from private.stripe_customers as c
  join public.organizations as o on o.id = c.organization_id and o.status <> 'closed'
  where c.organization_id = locked_stripe_customer.organization_id
  for update of c;
  if not found then
    perform private.fail('organization_not_found', 404, 'Choose an organization that is not closed.');
  end if;
  return customer;
end
$$;

comment on function private.locked_stripe_customer is
  'Who the organization is at Stripe, locked. Raises 404 organization_not_found, also for a closed one.';

create type service.subscription_order as (
  attempt_id uuid,
  organization_id uuid,
  organization_name text,
  email text,
  locale text,
  customer_id text,
  customer_key text,
  lookup_key text,
  trial_days int,
  checkout_url text,
  former_session_id text
);

comment on type service.subscription_order is 'What an organization is about to subscribe to.';
comment on column service.subscription_order.attempt_id is 'Names the page at Stripe, as idempotency key.';
comment on column service.subscription_order.organization_id is 'Who subscribes.';
comment on column service.subscription_order.organization_name is 'As its public reads it.';
comment on column service.subscription_order.email is 'An owner''s address, for Stripe''s invoices; null: no owner has one.';
comment on column service.subscription_order.locale is 'one of: es, en, ca';
comment on column service.subscription_order.customer_id is 'Who it is at Stripe; null: make one and record it.';
comment on column service.subscription_order.customer_key is 'The idempotency key under which that is made.';
comment on column service.subscription_order.lookup_key is 'Of the price.';
comment on column service.subscription_order.trial_days is '0: there is no trial, or it was used.';
comment on column service.subscription_order.checkout_url is 'Where to pay; null: no page was recorded yet.';
comment on column service.subscription_order.former_session_id is 'A page for something else that has to be closed first; null: none is open.';

create function private.open_subscription_checkout(organization_id uuid, billing_pass text, plan_key text, billing_interval text)
returns service.subscription_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  lookup_key text;
  customer private.stripe_customers;
  attempt private.subscription_checkouts;
  former text;
begin
  perform private.require_billing_pass(open_subscription_checkout.organization_id, open_subscription_checkout.billing_pass);
  lookup_key := private.offered_price(open_subscription_checkout.plan_key, open_subscription_checkout.billing_interval);
  customer := private.locked_stripe_customer(open_subscription_checkout.organization_id);
  if exists (
    select from public.subscriptions as s
    where s.organization_id = customer.organization_id and private.is_live(s.status)
  ) then
    perform private.fail('subscription_exists', 409, 'Change the subscription that there is.');
  end if;
  if customer.deleted_at is not null then
    update private.stripe_customers as c
    set customer_id = null, deleted_at = null, as_of = null, generation = c.generation + 1
    where c.organization_id = customer.organization_id
    returning c.* into customer;
  end if;

  select a.* into attempt
  from private.subscription_checkouts as a
  where a.organization_id = customer.organization_id and a.status = 'open';
  if found and (
    (attempt.plan_key, attempt.billing_interval)
    is distinct from (open_subscription_checkout.plan_key, open_subscription_checkout.billing_interval)
    or attempt.expires_at < now() + interval '1 minute'
    -- Left without a page, and too old for Stripe to know its key.
    or (attempt.session_id is null and attempt.created_at < now() - interval '1 hour')
  ) then
    if attempt.session_id is not null and attempt.expires_at > now() then
      former := attempt.session_id;
    end if;
    update private.subscription_checkouts as a
    set status = 'over'
    where a.organization_id = attempt.organization_id and a.id = attempt.id;
    attempt := null;
  end if;
  if attempt.id is null then
    insert into private.subscription_checkouts (organization_id, plan_key, billing_interval)
    values (customer.organization_id, open_subscription_checkout.plan_key, open_subscription_checkout.billing_interval)
    returning * into attempt;
  end if;

  return (
    select row(
      attempt.id, o.id, o.name, private.owner_address(o.id), o.locale,
      customer.customer_id, 'customer-' || o.id || '-' || customer.generation, lookup_key,
      case when customer.trial_used_at is null then b.trial_days else 0 end,
      attempt.url, former
    )::service.subscription_order
    from public.organizations as o
    cross join private.billing_settings as b
    where o.id = customer.organization_id
  );
end
$$;

comment on function private.open_subscription_checkout is 'definer: the service may read and write no table.';
grant execute on function private.open_subscription_checkout to service_role;

create function service.open_subscription_checkout(organization_id uuid, billing_pass text, plan_key text, billing_interval text)
returns service.subscription_order
language sql
volatile
set search_path = ''
as $$ select private.open_subscription_checkout(organization_id, billing_pass, plan_key, billing_interval) $$;

comment on function service.open_subscription_checkout is
  'Opens the page on which an organization subscribes, or returns the one that is open; billing_interval: month or year. Takes a pass of open_billing. Errors: 403 billing_pass_invalid; 404 organization_not_found; 409 subscription_exists; 422 plan_not_offered.';
grant execute on function service.open_subscription_checkout to service_role;

create function private.record_stripe_customer(organization_id uuid, billing_pass text, customer_id text)
returns text
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  customer private.stripe_customers;
begin
  perform private.require_billing_pass(record_stripe_customer.organization_id, record_stripe_customer.billing_pass);
  customer := private.locked_stripe_customer(record_stripe_customer.organization_id);
  if customer.customer_id is null then
    update private.stripe_customers as c
    set customer_id = record_stripe_customer.customer_id
    where c.organization_id = customer.organization_id
    returning c.* into customer;
  end if;
  return customer.customer_id;
end
$$;

comment on function private.record_stripe_customer is 'definer: the service may write no table.';
grant execute on function private.record_stripe_customer to service_role;

create function service.record_stripe_customer(organization_id uuid, billing_pass text, customer_id text)
returns text
language sql
volatile
set search_path = ''
as $$ select private.record_stripe_customer(organization_id, billing_pass, customer_id) $$;

comment on function service.record_stripe_customer is
  'Remembers who an organization is at Stripe, and returns who it is: the first that was recorded. Takes a pass of open_billing. Errors: 403 billing_pass_invalid; 404 organization_not_found.';
grant execute on function service.record_stripe_customer to service_role;

create function private.record_subscription_checkout(
  organization_id uuid, billing_pass text, attempt_id uuid, session_id text, url text, expires_at timestamptz
)
returns text
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  recorded text;
begin
  perform private.require_billing_pass(record_subscription_checkout.organization_id, record_subscription_checkout.billing_pass);
  perform private.refuse_other_page(record_subscription_checkout.url, record_subscription_checkout.expires_at);
  update private.subscription_checkouts as a
  set session_id = coalesce(a.session_id, record_subscription_checkout.session_id),
    url = coalesce(a.url, record_subscription_checkout.url),
    expires_at = coalesce(a.expires_at, record_subscription_checkout.expires_at)
  where a.organization_id = record_subscription_checkout.organization_id
    and a.id = record_subscription_checkout.attempt_id
    and a.status = 'open'
  returning a.url into recorded;
  if recorded is null then
    -- Its address reaches nobody, so nobody pays on it.
    perform private.fail('checkout_closing', 409, 'Something else was chosen meanwhile: ask again.');
  end if;
  return recorded;
end
$$;

comment on function private.record_subscription_checkout is 'definer: the service may write no table.';
grant execute on function private.record_subscription_checkout to service_role;

create function service.record_subscription_checkout(
  organization_id uuid, billing_pass text, attempt_id uuid, session_id text, url text, expires_at timestamptz
)
returns text
language sql
volatile
set search_path = ''
as $$ select private.record_subscription_checkout(organization_id, billing_pass, attempt_id, session_id, url, expires_at) $$;

comment on function service.record_subscription_checkout is
  'Remembers the page of an open attempt, and returns its address: the first that was recorded. Only then may a person be sent there. Takes a pass of open_billing. Errors: 403 billing_pass_invalid; 409 checkout_closing; 422 checkout_page_invalid.';
grant execute on function service.record_subscription_checkout to service_role;

create function private.close_subscription_checkout(organization_id uuid, billing_pass text, attempt_id uuid)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_billing_pass(close_subscription_checkout.organization_id, close_subscription_checkout.billing_pass);
  update private.subscription_checkouts as a
  set status = 'over'
  where a.organization_id = close_subscription_checkout.organization_id
    and a.id = close_subscription_checkout.attempt_id
    and a.status = 'open';
  return found;
end
$$;

comment on function private.close_subscription_checkout is 'definer: the service may write no table.';
grant execute on function private.close_subscription_checkout to service_role;

create function service.close_subscription_checkout(organization_id uuid, billing_pass text, attempt_id uuid)
returns boolean
language sql
volatile
set search_path = ''
as $$ select private.close_subscription_checkout(organization_id, billing_pass, attempt_id) $$;

comment on function service.close_subscription_checkout is
  'Gives up an attempt for which Stripe made no page; false: it was over. Takes a pass of open_billing. Errors: 403 billing_pass_invalid.';
grant execute on function service.close_subscription_checkout to service_role;

create type service.billing_account as (
  organization_id uuid,
  customer_id text,
  subscription_id text,
  status text,
  locale text,
  deleted_customer_id text
);

comment on type service.billing_account is 'What an organization has at Stripe.';
comment on column service.billing_account.organization_id is 'Whose it is.';
comment on column service.billing_account.customer_id is 'Who it is there; null: nobody yet, or deleted there.';
comment on column service.billing_account.subscription_id is 'The one that counts; null: none goes on.';
comment on column service.billing_account.status is 'one of subscriptions.status; null: there never was one.';
comment on column service.billing_account.locale is 'one of: es, en, ca';
comment on column service.billing_account.deleted_customer_id is 'Who it was there, as long as no other took its place; null: it was not deleted.';

create function private.get_billing_account(organization text)
returns service.billing_account
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  account service.billing_account;
begin
  select
    o.id, case when c.deleted_at is null then c.customer_id end,
    case when private.is_live(s.status) then s.stripe_subscription_id end, s.status, o.locale,
    case when c.deleted_at is not null then c.customer_id end
  into account
  from public.organizations as o
  left join private.stripe_customers as c on c.organization_id = o.id
  left join public.subscriptions as s on s.organization_id = o.id
  where o.id::text = lower(get_billing_account.organization) or o.slug = lower(get_billing_account.organization)
  -- Somebody may have taken another one's id as a slug.
  order by o.id::text = lower(get_billing_account.organization) desc
  limit 1;
  if not found then
    perform private.fail('organization_not_found', 404, 'Name an organization by its id or its slug.');
  end if;
  return account;
end
$$;

comment on function private.get_billing_account is 'definer: the service may read no table.';
grant execute on function private.get_billing_account to service_role;

create function service.get_billing_account(organization text)
returns service.billing_account
language sql
stable
set search_path = ''
as $$ select private.get_billing_account(organization) $$;

comment on function service.get_billing_account is
  'Who an organization, named by id or slug, is at Stripe. Errors: 404 organization_not_found.';
grant execute on function service.get_billing_account to service_role;

create type service.subscription_change as (
  subscription_id text,
  lookup_key text,
  kind text
);

comment on type service.subscription_change is 'How a subscription gets to another plan.';
comment on column service.subscription_change.subscription_id is 'Of Stripe.';
comment on column service.subscription_change.lookup_key is 'Of the price that it is to have.';
comment on column service.subscription_change.kind is
  'upgrade (at once, the difference is paid), downgrade (when the present period ends), stay (it has it: what was planned otherwise is taken back); one of: upgrade, downgrade, stay';

create function private.plan_subscription_change(organization_id uuid, billing_pass text, plan_key text, billing_interval text)
returns service.subscription_change
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  lookup_key text;
  subscription public.subscriptions;
  present int;
  wanted int;
begin
  perform private.require_billing_pass(plan_subscription_change.organization_id, plan_subscription_change.billing_pass);
  lookup_key := private.offered_price(plan_subscription_change.plan_key, plan_subscription_change.billing_interval);
  select s.* into subscription
  from public.subscriptions as s
  where s.organization_id = plan_subscription_change.organization_id and private.is_live(s.status);
  if not found then
    perform private.fail('subscription_missing', 409, 'Subscribe first: no subscription goes on.');
  elsif subscription.status not in ('trialing', 'active') then
    perform private.fail('subscription_overdue', 409, 'Pay what is due first, on the portal.');
  end if;
  select p.position into present from public.plans as p where p.key = subscription.plan_key;
  select p.position into strict wanted from public.plans as p where p.key = plan_subscription_change.plan_key;
  return row(
    subscription.stripe_subscription_id,
    lookup_key,
    case
      when present = wanted and subscription.billing_interval = plan_subscription_change.billing_interval then 'stay'
      -- A year is more than a month: it is paid at once, and what is left of the month counts.
      when present > wanted
        or (subscription.billing_interval = 'year' and plan_subscription_change.billing_interval = 'month')
        then 'downgrade'
      else 'upgrade'
    end
  )::service.subscription_change;
end
$$;

comment on function private.plan_subscription_change is 'definer: the service may read no table.';
grant execute on function private.plan_subscription_change to service_role;

create function service.plan_subscription_change(organization_id uuid, billing_pass text, plan_key text, billing_interval text)
returns service.subscription_change
language sql
stable
set search_path = ''
as $$ select private.plan_subscription_change(organization_id, billing_pass, plan_key, billing_interval) $$;

comment on function service.plan_subscription_change is
  'How the organization''s subscription gets to a plan; billing_interval: month or year. From a year to a month it goes at the period''s end, also to a bigger plan. Takes a pass of open_billing. Errors: 403 billing_pass_invalid; 409 subscription_missing, subscription_overdue; 422 plan_not_offered.';
grant execute on function service.plan_subscription_change to service_role;
