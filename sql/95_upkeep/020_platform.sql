-- What the platform's administrators see of all tenants.

create type public.platform_organization as (
  id uuid,
  name text,
  slug text,
  status text,
  created_at timestamptz,
  members bigint,
  bookings_30_days bigint
);

comment on type public.platform_organization is 'An organization as the platform''s administrators see it.';
comment on column public.platform_organization.id is 'Of the organization.';
comment on column public.platform_organization.name is 'As its public reads it.';
comment on column public.platform_organization.slug is 'Public address, unique on the whole platform.';
comment on column public.platform_organization.status is 'one of organizations.status';
comment on column public.platform_organization.created_at is 'When it was opened.';
comment on column public.platform_organization.members is 'Without visitors of the platform.';
comment on column public.platform_organization.bookings_30_days is 'Of games that began in the last 30 days.';

create function private.platform_list_organizations(with_status text, search text, after_id uuid, max_rows int)
returns setof public.platform_organization
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_platform_admin();
  return query
  select
    o.id, o.name, o.slug, o.status, o.created_at,
    (select count(*) from public.memberships as m where m.organization_id = o.id and m.expires_at is null),
    (
      select count(*) from public.bookings as b
      where b.organization_id = o.id and b.starts_at > now() - interval '30 days' and b.starts_at <= now()
    )
  from public.organizations as o
  where (platform_list_organizations.with_status is null or o.status = platform_list_organizations.with_status)
    and (
      platform_list_organizations.search is null
      or o.slug like '%' || lower(platform_list_organizations.search) || '%'
      or lower(o.name) like '%' || lower(platform_list_organizations.search) || '%'
    )
    and (platform_list_organizations.after_id is null or o.id > platform_list_organizations.after_id)
  order by o.id
  limit least(greatest(coalesce(platform_list_organizations.max_rows, 50), 1), 200);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.platform_list_organizations is
  'definer: spans all tenants, for platform administrators.';
grant execute on function private.platform_list_organizations to authenticated;

create function public.platform_list_organizations(
  with_status text default null, search text default null, after_id uuid default null, max_rows int default 50
)
returns setof public.platform_organization
language sql
stable
set search_path = ''
as $$ select * from private.platform_list_organizations(with_status, search, after_id, max_rows) $$;

comment on function public.platform_list_organizations is
  'All organizations in the order of their ids, at most 200 a call; after_id continues. Platform administrators only. Errors: 401 not_authenticated; 403 platform_admin_required, user_required.';
grant execute on function public.platform_list_organizations to authenticated;

create type public.organizations_by_status as (
  active bigint,
  suspended bigint,
  closed bigint
);

comment on type public.organizations_by_status is 'How many organizations there are.';
comment on column public.organizations_by_status.active is 'That are active.';
comment on column public.organizations_by_status.suspended is 'That are suspended.';
comment on column public.organizations_by_status.closed is 'That are closed.';

create type public.bookings_by_status as (
  held bigint,
  pending bigint,
  confirmed bigint,
  checked_in bigint,
  in_progress bigint,
  completed bigint,
  expired bigint,
  cancelled bigint,
  no_show bigint
);

comment on type public.bookings_by_status is 'How many bookings there are.';
comment on column public.bookings_by_status.held is 'That are held.';
comment on column public.bookings_by_status.pending is 'That are pending.';
comment on column public.bookings_by_status.confirmed is 'That are confirmed.';
comment on column public.bookings_by_status.checked_in is 'That are checked_in.';
comment on column public.bookings_by_status.in_progress is 'That are in_progress.';
comment on column public.bookings_by_status.completed is 'That are completed.';
comment on column public.bookings_by_status.expired is 'That are expired.';
comment on column public.bookings_by_status.cancelled is 'That are cancelled.';
comment on column public.bookings_by_status.no_show is 'That are no_show.';

create type public.plan_numbers as (
  plan_key text,
  status text,
  billing_interval text,
  currency text,
  organizations bigint,
  month_cents bigint
);

comment on type public.plan_numbers is 'Organizations that subscribe alike.';
comment on column public.plan_numbers.plan_key is 'Of plans; null: their price is of no plan.';
comment on column public.plan_numbers.status is 'one of subscriptions.status';
comment on column public.plan_numbers.billing_interval is 'one of: month, year';
comment on column public.plan_numbers.currency is 'ISO 4217.';
comment on column public.plan_numbers.organizations is 'How many.';
comment on column public.plan_numbers.month_cents is
  'What they pay a month, a twelfth of what is paid a year, minor units of currency; 0 of those that do not pay now: neither active nor past_due.';

create type public.platform_subscriptions as (
  plans public.plan_numbers [],
  granted bigint,
  trials_ending_7_days bigint,
  overdue bigint,
  doubled bigint
);

comment on type public.platform_subscriptions is 'What organizations pay the platform.';
comment on column public.platform_subscriptions.plans is 'By plan, status, interval and currency; those that are over too.';
comment on column public.platform_subscriptions.granted is 'Organizations that have a plan for nothing now.';
comment on column public.platform_subscriptions.trials_ending_7_days is 'Trials that end within the next 7 days.';
comment on column public.platform_subscriptions.overdue is 'Organizations of which a payment has failed.';
comment on column public.platform_subscriptions.doubled is 'Organizations with further live subscriptions at Stripe, to be ended there.';

create type public.platform_numbers as (
  organizations public.organizations_by_status,
  users bigint,
  bookings_30_days public.bookings_by_status,
  open_support_entries bigint,
  subscriptions public.platform_subscriptions
);

comment on type public.platform_numbers is 'All tenants in numbers.';
comment on column public.platform_numbers.organizations is 'All that there are.';
comment on column public.platform_numbers.users is 'Accounts.';
comment on column public.platform_numbers.bookings_30_days is 'Made in the last 30 days.';
comment on column public.platform_numbers.open_support_entries is 'Visits of the platform that are under way.';
comment on column public.platform_numbers.subscriptions is 'Of organizations that are not closed.';

create function private.platform_subscriptions()
returns public.platform_subscriptions
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    with subscribed as (
      select s.*
      from public.subscriptions as s
      join public.organizations as o on o.id = s.organization_id
      where o.status <> 'closed'
    ),
    alike as (
      select
        s.plan_key, s.status, s.billing_interval, s.currency, count(*) as organizations,
        -- Rounded once, half away from zero.
        round(sum(
          case when s.status not in ('active', 'past_due') then 0 else s.amount_cents end::numeric
          / case s.billing_interval when 'year' then 12 else 1 end
        ))::bigint as month_cents
      from subscribed as s
      where s.status is not null
      group by s.plan_key, s.status, s.billing_interval, s.currency
    )
    select row(
      array(
        select row(
          a.plan_key, a.status, a.billing_interval, a.currency, a.organizations, a.month_cents
        )::public.plan_numbers
        from alike as a
        order by a.plan_key, a.status, a.billing_interval, a.currency
      ),
      count(*) filter (where s.granted_until > now()),
      count(*) filter (where s.status = 'trialing' and s.trial_end between now() and now() + interval '7 days'),
      count(*) filter (where s.overdue_since is not null),
      count(*) filter (where s.other_subscription_ids <> '{}')
    )::public.platform_subscriptions
    from subscribed as s
  );
end
$$;

comment on function private.platform_subscriptions is 'What the organizations that are not closed pay the platform.';

create function private.platform_statistics()
returns public.platform_numbers
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_platform_admin();
  return row(
    (
      select row(
        count(*) filter (where o.status = 'active'),
        count(*) filter (where o.status = 'suspended'),
        count(*) filter (where o.status = 'closed')
      )::public.organizations_by_status
      from public.organizations as o
    ),
    (select count(*) from public.profiles),
    (
      select row(
        count(*) filter (where b.status = 'held'),
        count(*) filter (where b.status = 'pending'),
        count(*) filter (where b.status = 'confirmed'),
        count(*) filter (where b.status = 'checked_in'),
        count(*) filter (where b.status = 'in_progress'),
        count(*) filter (where b.status = 'completed'),
        count(*) filter (where b.status = 'expired'),
        count(*) filter (where b.status = 'cancelled'),
        count(*) filter (where b.status = 'no_show')
      )::public.bookings_by_status
      from public.bookings as b
      where b.created_at > now() - interval '30 days'
    ),
    (select count(*) from public.support_entries as e where e.ended_at is null and e.expires_at > now()),
    private.platform_subscriptions()
  )::public.platform_numbers;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.platform_statistics is 'definer: counts over all tenants, for platform administrators.';
grant execute on function private.platform_statistics to authenticated;

create function public.platform_statistics()
returns public.platform_numbers
language sql
stable
set search_path = ''
as $$ select private.platform_statistics() $$;

comment on function public.platform_statistics is
  'Counts of organizations by status, users, bookings made in the last 30 days by status, and subscriptions: plans, statuses, trials that end, money a month. Platform administrators only. Errors: 401 not_authenticated; 403 platform_admin_required, user_required.';
grant execute on function public.platform_statistics to authenticated;
