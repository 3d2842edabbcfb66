-- The venues' own accounts at Stripe: players pay into them, and the platform takes a fee.
--
-- Stripe is the one that knows what an account may do. A row is only ever written from what was read there,
-- whatever event came, in whatever order. An account stays in the table when the venue goes to another: what
-- was paid into it is refunded from it, and its events go on counting.

create table public.stripe_accounts (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  account_id text,
  charges_enabled boolean not null default false,
  payouts_enabled boolean not null default false,
  details_submitted boolean not null default false,
  requirements text [] not null default '{}',
  requirements_due_at timestamptz,
  disabled_reason text,
  deauthorized_at timestamptz,
  chosen_at timestamptz not null default clock_timestamp(),
  retired_at timestamptz,
  as_of timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint stripe_accounts_pkey primary key (organization_id, id),
  constraint stripe_accounts_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  -- Also the index for: private.apply_stripe_account, which is told of an account and of no organization.
  constraint stripe_accounts_account_key unique (account_id),
  constraint stripe_accounts_account_id_is_one check (account_id ~ '^acct_[A-Za-z0-9]{1,64}$')
);

comment on table public.stripe_accounts is
  'Accounts of the organization''s own at Stripe, into which its players pay. One is used: the last chosen that may charge. Nobody writes it but the service.';
comment on column public.stripe_accounts.account_id is
  'Stripe''s id, one organization''s only; null until it is made.';
comment on column public.stripe_accounts.charges_enabled is 'Whether it may charge, as Stripe says.';
comment on column public.stripe_accounts.payouts_enabled is 'Whether Stripe pays out what it has earned.';
comment on column public.stripe_accounts.details_submitted is 'Whether its owner has gone through Stripe''s questions.';
comment on column public.stripe_accounts.requirements is
  'What Stripe still wants, in its words, such as external_account; the page of POST /v1/organizations/{id}/stripe-account asks for it.';
comment on column public.stripe_accounts.requirements_due_at is
  'Until when Stripe wants it, before it disables something; null: no date is set.';
comment on column public.stripe_accounts.disabled_reason is 'Why it may not charge, in Stripe''s words; null: it may, or it never could.';
comment on column public.stripe_accounts.deauthorized_at is
  'When the platform was found to have lost its access to it; null: it has it. Nothing is charged or refunded meanwhile.';
comment on column public.stripe_accounts.chosen_at is 'When the organization began with it, or came back to it.';
comment on column public.stripe_accounts.retired_at is
  'When another took its place; null: it is used, or is to be. Refunds of what was paid into it go on.';
comment on column public.stripe_accounts.as_of is 'The newest instant at which it was read; null: never.';

-- for: private.queue_stale_stripe_accounts
create index stripe_accounts_as_of_idx on public.stripe_accounts (as_of nulls first)
where account_id is not null;

grant select on public.stripe_accounts to authenticated;

alter table public.stripe_accounts enable row level security;

create policy stripe_accounts_select on public.stripe_accounts
for select to authenticated
using (organization_id = (select private.organization_with('billing:read')));

create trigger stripe_accounts_touch_updated_at
before update on public.stripe_accounts
for each row execute function private.touch_updated_at();

create function private.may_charge(account public.stripe_accounts)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(account.charges_enabled, false) and account.deauthorized_at is null and account.retired_at is null;
end
$$;

comment on function private.may_charge is 'Whether players can pay into the account now.';

create type private.payment_account as (
  available boolean,
  account_id text
);

comment on type private.payment_account is
  'Where a player would pay online: available false, nowhere; account_id null, into the platform''s own account.';

create function private.payment_account(organization_id uuid)
returns private.payment_account
language plpgsql
stable
set search_path = ''
as $$
declare
  chosen text;
begin
  select a.account_id into chosen
  from public.stripe_accounts as a
  where a.organization_id = payment_account.organization_id and private.may_charge(a)
  order by a.chosen_at desc, a.id desc
  limit 1;
  return row(
    chosen is not null or exists (select from private.billing_settings as s where s.platform_account), chosen
  )::private.payment_account;
end
$$;

comment on function private.payment_account is
  'Into which account the organization''s players pay online now: its own; the platform''s where billing_settings.platform_account says so; else none.';

create type public.stripe_account as (
  payments text,
  missing text,
  account_id text,
  charges_enabled boolean,
  payouts_enabled boolean,
  details_submitted boolean,
  requirements text [],
  requirements_due_at timestamptz,
  disabled_reason text,
  deauthorized_at timestamptz,
  as_of timestamptz
);

comment on type public.stripe_account is 'Whether players can pay the organization online, and what is missing for it.';
comment on column public.stripe_account.payments is
  'Where players'' money goes; unavailable: they cannot pay online. one of: own_account, platform_account, unavailable';
comment on column public.stripe_account.missing is
  'What keeps its own account from being paid; account: there is none; details: Stripe''s questions; requirements: what requirements lists; review: Stripe looks at it; authorization: the platform''s access was taken away; null: nothing. one of: account, details, requirements, review, authorization';
comment on column public.stripe_account.account_id is 'Stripe''s id of the account last chosen; null: none was made.';
comment on column public.stripe_account.charges_enabled is 'Whether Stripe lets it charge.';
comment on column public.stripe_account.payouts_enabled is 'Whether Stripe pays out what it earns.';
comment on column public.stripe_account.details_submitted is 'Whether Stripe''s questions were gone through.';
comment on column public.stripe_account.requirements is 'What Stripe still wants, in its words.';
comment on column public.stripe_account.requirements_due_at is 'Until when; null: no date is set.';
comment on column public.stripe_account.disabled_reason is 'Why it may not charge, in Stripe''s words; null: it may, or never could.';
comment on column public.stripe_account.deauthorized_at is 'When the platform lost its access to it; null: it has it.';
comment on column public.stripe_account.as_of is 'When Stripe was last asked; null: never.';

create function private.newest_stripe_account(organization_id uuid)
returns public.stripe_accounts
language plpgsql
stable
set search_path = ''
as $$
declare
  account public.stripe_accounts;
begin
  select a.* into account
  from public.stripe_accounts as a
  where a.organization_id = newest_stripe_account.organization_id and a.retired_at is null
  order by a.chosen_at desc, a.id desc
  limit 1;
  return account;
end
$$;

comment on function private.newest_stripe_account is
  'The account that the organization chose last, whether or not it may charge yet; null: none.';

create function private.get_stripe_account(organization_id uuid)
returns public.stripe_account
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  account public.stripe_accounts;
  used private.payment_account;
begin
  perform private.require_permission(get_stripe_account.organization_id, 'billing:read');
  account := private.newest_stripe_account(get_stripe_account.organization_id);
  used := private.payment_account(get_stripe_account.organization_id);
  return row(
    case when not used.available then 'unavailable' when used.account_id is null then 'platform_account' else 'own_account' end,
    case
      when account.account_id is null then 'account'
      when account.deauthorized_at is not null then 'authorization'
      when account.charges_enabled then null
      when not account.details_submitted then 'details'
      when account.requirements <> '{}' then 'requirements'
      else 'review'
    end,
    account.account_id,
    coalesce(account.charges_enabled, false),
    coalesce(account.payouts_enabled, false),
    coalesce(account.details_submitted, false),
    coalesce(account.requirements, '{}'),
    account.requirements_due_at,
    account.disabled_reason,
    account.deauthorized_at,
    account.as_of
  )::public.stripe_account;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_stripe_account is
  'definer: reads the platform''s settings, which members do not. Asks for billing:read.';
grant execute on function private.get_stripe_account to authenticated;

create function public.get_stripe_account(organization_id uuid)
returns public.stripe_account
language sql
stable
set search_path = ''
as $$ select private.get_stripe_account(organization_id) $$;

comment on function public.get_stripe_account is
  'Whether players can pay the organization online, and what Stripe still wants for it. Asks for billing:read. Errors: 403 permission_denied.';
grant execute on function public.get_stripe_account to authenticated;

create function private.locked_organization(organization_id uuid)
returns public.organizations
language plpgsql
volatile
set search_path = ''
as $$
declare
  organization public.organizations;
begin
  select o.* into organization
  from public.organizations as o
  where o.id = locked_organization.organization_id and o.status <> 'closed'
  for no key update;
  if not found then
    perform private.fail('organization_not_found', 404, 'Choose an organization that is not closed.');
  end if;
  return organization;
end
$$;

comment on function private.locked_organization is
  'An organization that is not closed, locked: its accounts are chosen one after the other. Raises 404 organization_not_found.';

create type service.stripe_account_order as (
  id uuid,
  organization_id uuid,
  organization_name text,
  email text,
  locale text,
  account_id text
);

comment on type service.stripe_account_order is 'The account that an organization is about to open, or to complete.';
comment on column service.stripe_account_order.id is 'Names it at Stripe, as idempotency key.';
comment on column service.stripe_account_order.organization_id is 'Whose it is.';
comment on column service.stripe_account_order.organization_name is 'As its public reads it.';
comment on column service.stripe_account_order.email is 'An owner''s address; null: no owner has one.';
comment on column service.stripe_account_order.locale is 'one of: es, en, ca';
comment on column service.stripe_account_order.account_id is 'Stripe''s id; null: make one and record it.';

create function private.open_stripe_account(organization_id uuid, billing_pass text, anew boolean)
returns service.stripe_account_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  organization public.organizations;
  account public.stripe_accounts;
begin
  perform private.require_billing_pass(open_stripe_account.organization_id, open_stripe_account.billing_pass);
  organization := private.locked_organization(open_stripe_account.organization_id);
  account := private.newest_stripe_account(organization.id);
  perform private.act_as('system', null);
  -- One that cannot charge yet is gone on with: asking twice makes one account.
  if account.id is null or account.deauthorized_at is not null or open_stripe_account.anew and private.may_charge(account) then
    insert into public.stripe_accounts (organization_id)
    values (organization.id)
    returning * into account;
  end if;
  return row(
    account.id, organization.id, organization.name, private.owner_address(organization.id), organization.locale,
    account.account_id
  )::service.stripe_account_order;
end
$$;

comment on function private.open_stripe_account is 'definer: the service may read and write no table.';
grant execute on function private.open_stripe_account to service_role;

create function service.open_stripe_account(organization_id uuid, billing_pass text, anew boolean)
returns service.stripe_account_order
language sql
volatile
set search_path = ''
as $$ select private.open_stripe_account(organization_id, billing_pass, anew) $$;

comment on function service.open_stripe_account is
  'The account of its own that an organization opens or completes; anew: another one, where the present one may charge. That stays in use until the new one may charge. Takes a pass of open_billing. Errors: 403 billing_pass_invalid; 404 organization_not_found.';
grant execute on function service.open_stripe_account to service_role;

create function private.refuse_taken_account(organization_id uuid, account_id text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if exists (
    select from public.stripe_accounts as a
    where a.account_id = refuse_taken_account.account_id
      and a.organization_id <> refuse_taken_account.organization_id
  ) then
    perform private.fail('stripe_account_taken', 409, 'Connect an account that no other organization uses.');
  end if;
end
$$;

comment on function private.refuse_taken_account is
  'Raises 409 stripe_account_taken for an account of another organization: whose money an event is about must be certain.';

create function private.record_stripe_account(organization_id uuid, billing_pass text, id uuid, account_id text)
returns text
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  organization public.organizations;
  recorded text;
begin
  perform private.require_billing_pass(record_stripe_account.organization_id, record_stripe_account.billing_pass);
  organization := private.locked_organization(record_stripe_account.organization_id);
  perform private.act_as('system', null);
  perform private.refuse_taken_account(organization.id, record_stripe_account.account_id);
  update public.stripe_accounts as a
  set account_id = coalesce(a.account_id, record_stripe_account.account_id)
  where a.organization_id = organization.id and a.id = record_stripe_account.id
  returning a.account_id into recorded;
  if recorded is null then
    perform private.fail('stripe_account_not_found', 404, 'Open the account first.');
  end if;
  return recorded;
end
$$;

comment on function private.record_stripe_account is 'definer: the service may write no table.';
grant execute on function private.record_stripe_account to service_role;

create function service.record_stripe_account(organization_id uuid, billing_pass text, id uuid, account_id text)
returns text
language sql
volatile
set search_path = ''
as $$ select private.record_stripe_account(organization_id, billing_pass, id, account_id) $$;

comment on function service.record_stripe_account is
  'Remembers the account that Stripe made, and returns it: the first that was recorded. Takes a pass of open_billing. Errors: 403 billing_pass_invalid; 404 organization_not_found, stripe_account_not_found; 409 stripe_account_taken.';
grant execute on function service.record_stripe_account to service_role;

create function private.connect_stripe_account(organization_id uuid, billing_pass text, account_id text)
returns uuid
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  organization public.organizations;
  connected uuid;
begin
  perform private.require_billing_pass(connect_stripe_account.organization_id, connect_stripe_account.billing_pass);
  organization := private.locked_organization(connect_stripe_account.organization_id);
  perform private.act_as('system', null);
  perform private.refuse_taken_account(organization.id, connect_stripe_account.account_id);
  -- What was read of it before counts no more: it may have been left, and is read anew at once.
  insert into public.stripe_accounts as a (organization_id, account_id)
  values (organization.id, connect_stripe_account.account_id)
  on conflict on constraint stripe_accounts_account_key do update
  set chosen_at = clock_timestamp(), retired_at = null, deauthorized_at = null, charges_enabled = false
  returning a.id into connected;
  return connected;
end
$$;

comment on function private.connect_stripe_account is 'definer: the service may write no table.';
grant execute on function private.connect_stripe_account to service_role;

create function service.connect_stripe_account(organization_id uuid, billing_pass text, account_id text)
returns uuid
language sql
volatile
set search_path = ''
as $$ select private.connect_stripe_account(organization_id, billing_pass, account_id) $$;

comment on function service.connect_stripe_account is
  'Gives the organization an account that was there before, whose owner has agreed to it at Stripe; it is used once it was read and may charge. Returns its id here. Takes a pass of open_billing. Errors: 403 billing_pass_invalid; 404 organization_not_found; 409 stripe_account_taken.';
grant execute on function service.connect_stripe_account to service_role;

create type service.applied_stripe_account as (
  organization_id uuid,
  outcome text,
  may_charge boolean
);

comment on type service.applied_stripe_account is 'What a reading of an account has changed.';
comment on column service.applied_stripe_account.organization_id is 'Whose it is; null: no organization''s, and nothing is changed.';
comment on column service.applied_stripe_account.outcome is 'unknown: no organization''s; older: newer news is there; one of: applied, unknown, older';
comment on column service.applied_stripe_account.may_charge is 'Whether players can pay into it now; null: nothing was applied.';

create function private.refuse_foreign_reading(
  organization_id uuid, account_id text, job_id bigint, lease_token uuid, billing_pass text
)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  job private.jobs;
begin
  if refuse_foreign_reading.billing_pass is not null then
    perform private.require_billing_pass(
      refuse_foreign_reading.organization_id, refuse_foreign_reading.billing_pass, reading => true
    );
    return;
  end if;
  job := private.leased_job(refuse_foreign_reading.job_id, refuse_foreign_reading.lease_token);
  perform private.refuse_other_object(
    job,
    job.kind in ('stripe.sync', 'stripe.read_billing')
    and job.payload ->> 'object_type' = 'account'
    and job.payload ->> 'object_id' = refuse_foreign_reading.account_id
  );
end
$$;

comment on function private.refuse_foreign_reading is
  'What is said of an account comes with a pass of its organization, or under the lease of the job that reads it. Raises 403 billing_pass_invalid, 409 lease_lost, lease_of_another.';

create function private.apply_stripe_account(account jsonb, job_id bigint, lease_token uuid, billing_pass text)
returns service.applied_stripe_account
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.stripe_accounts;
  organization public.organizations;
  lost boolean := coalesce((account ->> 'deauthorized')::boolean, false);
begin
  select a.* into known from public.stripe_accounts as a where a.account_id = account ->> 'id';
  perform private.refuse_foreign_reading(
    known.organization_id, account ->> 'id', apply_stripe_account.job_id, apply_stripe_account.lease_token,
    apply_stripe_account.billing_pass
  );
  if known.id is null then
    return row(null, 'unknown', null)::service.applied_stripe_account;
  end if;
  -- The organization first, as whoever chooses an account; erased at this moment, nothing is left to say.
  select o.* into organization from public.organizations as o where o.id = known.organization_id for no key update;
  select a.* into known
  from public.stripe_accounts as a
  where a.organization_id = organization.id and a.id = known.id
  for update;
  if not found then
    return row(null, 'unknown', null)::service.applied_stripe_account;
  elsif known.as_of > (account ->> 'as_of')::timestamptz then
    return row(known.organization_id, 'older', null)::service.applied_stripe_account;
  end if;
  perform private.act_as('system', null);

  if known.deauthorized_at is not null and not lost then
    -- What could not be refunded meanwhile is tried again.
    perform private.enqueue(
      'stripe.refund', j.payload, j.dedupe_key, j.organization_id
    )
    from private.jobs as j
    where j.kind = 'stripe.refund'
      and j.organization_id = known.organization_id
      and j.status = 'dead'
      and j.finished_at >= known.deauthorized_at;
  end if;

  update public.stripe_accounts as a
  set charges_enabled = case when lost then false else (account ->> 'charges_enabled')::boolean end,
    payouts_enabled = case when lost then false else (account ->> 'payouts_enabled')::boolean end,
    details_submitted = case when lost then a.details_submitted else (account ->> 'details_submitted')::boolean end,
    requirements = case
      when lost then '{}'
      else array(select r.value from jsonb_array_elements_text(account -> 'requirements') as r (value) order by 1)
    end,
    requirements_due_at = case when lost then null else (account ->> 'requirements_due_at')::timestamptz end,
    disabled_reason = case when lost then null else account ->> 'disabled_reason' end,
    deauthorized_at = case when lost then coalesce(a.deauthorized_at, now()) end,
    -- Never of the future, which would keep out every later reading.
    as_of = least((account ->> 'as_of')::timestamptz, clock_timestamp())
  where a.organization_id = known.organization_id and a.id = known.id
  returning a.* into known;

  if private.may_charge(known) then
    -- From now on this one is paid, and a former one never again by itself: it may be somebody else's by then.
    update public.stripe_accounts as a
    set retired_at = now()
    where a.organization_id = known.organization_id
      and a.id <> known.id
      and a.retired_at is null
      and a.chosen_at < known.chosen_at;
  end if;
  return row(known.organization_id, 'applied', private.may_charge(known))::service.applied_stripe_account;
end
$$;

comment on function private.apply_stripe_account is 'definer: writes accounts, which nobody else may write.';
grant execute on function private.apply_stripe_account to service_role;

create function service.apply_stripe_account(
  account jsonb, job_id bigint default null, lease_token uuid default null, billing_pass text default null
)
returns service.applied_stripe_account
language sql
volatile
set search_path = ''
as $$ select private.apply_stripe_account(account, job_id, lease_token, billing_pass) $$;

comment on function service.apply_stripe_account is
  'Applies what an account may do at Stripe now: {id, deauthorized, charges_enabled, payouts_enabled, details_submitted, requirements: [], requirements_due_at or null, disabled_reason or null, as_of}; deauthorized: the platform has no access to it, and the rest is not known. Under the lease of the job that reads it, or with a pass of open_billing, that for reading too. Only the organization on which this account is written is touched. Any order and any number of calls end the same; what was read before what is known is left out. Errors: 403 billing_pass_invalid; 409 lease_lost, lease_of_another.';
grant execute on function service.apply_stripe_account to service_role;

create function private.list_stripe_accounts()
returns text []
language sql
stable
security definer
set search_path = ''
as $$
  select coalesce(array_agg(a.account_id order by a.account_id), '{}')
  from public.stripe_accounts as a
  where a.account_id is not null and a.deauthorized_at is null
$$;

comment on function private.list_stripe_accounts is 'definer: the service may read no table.';
grant execute on function private.list_stripe_accounts to service_role;

create function service.list_stripe_accounts()
returns text []
language sql
stable
set search_path = ''
as $$ select private.list_stripe_accounts() $$;

comment on function service.list_stripe_accounts is
  'Every account of an organization''s own that can be asked for events, also one that another has replaced.';
grant execute on function service.list_stripe_accounts to service_role;

create function private.queue_stale_stripe_accounts(older_than_seconds int, account_id text)
returns int
language sql
volatile
security definer
set search_path = ''
as $$
  with stale as (
    select a.organization_id, a.account_id, 'stripe.read_billing:' || a.account_id as dedupe_key
    from public.stripe_accounts as a
    where a.account_id is not null
      and (queue_stale_stripe_accounts.account_id is null or a.account_id = queue_stale_stripe_accounts.account_id)
      and coalesce(a.as_of < now() - queue_stale_stripe_accounts.older_than_seconds * interval '1 second', true)
      and not exists (
        select from private.jobs as j
        where j.kind = 'stripe.read_billing'
          and j.dedupe_key = 'stripe.read_billing:' || a.account_id
          -- One that waits keeps its pause; one that died is tried anew after a day.
          and (j.status in ('queued', 'running') or (j.status = 'dead' and j.finished_at > now() - interval '1 day'))
      )
    order by a.as_of nulls first
    limit 100
  )
  select count(private.enqueue(
    'stripe.read_billing',
    jsonb_build_object('object_type', 'account', 'object_id', s.account_id, 'account', s.account_id),
    s.dedupe_key,
    s.organization_id
  ))::int
  from stale as s
$$;

comment on function private.queue_stale_stripe_accounts is 'definer: the service may read no table, and the queue is visible to nobody.';
grant execute on function private.queue_stale_stripe_accounts to service_role;

create function service.queue_stale_stripe_accounts(older_than_seconds int, account_id text default null)
returns int
language sql
volatile
set search_path = ''
as $$ select private.queue_stale_stripe_accounts(older_than_seconds, account_id) $$;

comment on function service.queue_stale_stripe_accounts is
  'Queues reading the accounts that were not read for so long: a job each (stripe.read_billing), up to 100 a call, longest first; or of the one account that is named. Returns how many it queued: call again until it is 0.';
grant execute on function service.queue_stale_stripe_accounts to service_role;
