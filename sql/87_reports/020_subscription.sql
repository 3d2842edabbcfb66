-- What the organization has of the product, what it uses of it, and what it pays.

create type public.plan_use as (
  "limit" text,
  maximum int,
  used bigint
);

comment on type public.plan_use is 'A limit of the plan, and what is used of it.';
comment on column public.plan_use."limit" is 'one of: rooms, locations, calendars, members, bookings_month';
comment on column public.plan_use.maximum is 'What the plan allows; null: it does not limit it.';
comment on column public.plan_use.used is 'As plan_limit_reached counts it; more than maximum after a downgrade.';

create type public.billing_overview as (
  plan_key text,
  plan_name text,
  comes_from text,
  uses public.plan_use [],
  subscription public.subscriptions,
  trial_available boolean,
  writes_end_at timestamptz,
  sales_end_at timestamptz
);

comment on type public.billing_overview is 'An organization''s plan, its limits and use, and what is due.';
comment on column public.billing_overview.plan_key is 'The plan in force, of plans.';
comment on column public.billing_overview.plan_name is 'In the organization''s language, Spanish for Catalan.';
comment on column public.billing_overview.comes_from is 'default: neither paid nor granted; one of: subscription, grant, default';
comment on column public.billing_overview.uses is 'Each limit once.';
comment on column public.billing_overview.subscription is 'What is paid and granted; null: nothing ever was.';
comment on column public.billing_overview.trial_available is 'Whether a first subscription would begin with a trial.';
comment on column public.billing_overview.writes_end_at is 'From then on members read only, since a payment is overdue; null: none is.';
comment on column public.billing_overview.sales_end_at is 'From then on the public books nothing new; null: it goes on.';

create function private.get_subscription(organization_id uuid)
returns public.billing_overview
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  organization public.organizations;
  plan public.plans;
  subscription public.subscriptions;
begin
  perform private.require_permission(get_subscription.organization_id, 'billing:read');
  select o.* into strict organization from public.organizations as o where o.id = get_subscription.organization_id;
  plan := private.plan_of(organization.id);
  select s.* into subscription from public.subscriptions as s where s.organization_id = organization.id;
  return row(
    plan.key,
    case when organization.locale = 'en' then plan.name_en else plan.name_es end,
    case
      when subscription.plan_key = plan.key and private.entitles(subscription.status) then 'subscription'
      when subscription.granted_plan_key = plan.key and subscription.granted_until > now() then 'grant'
      else 'default'
    end,
    array[
      row('rooms', plan.max_rooms, (select count(*) from public.rooms as r where r.organization_id = organization.id)),
      row(
        'locations', plan.max_locations,
        (select count(*) from public.locations as l where l.organization_id = organization.id)
      ),
      row(
        'calendars', plan.max_calendars,
        (select count(*) from public.calendars as c where c.organization_id = organization.id)
      ),
      row(
        'members', plan.max_members,
        (
          select count(*) from public.memberships as m
          where m.organization_id = organization.id and m.status = 'active' and m.expires_at is null
        )
      ),
      row('bookings_month', plan.max_bookings_month, private.bookings_of_month(organization.id))
    ]::public.plan_use [],
    subscription,
    not exists (
      select from private.stripe_customers as c
      where c.organization_id = organization.id and c.trial_used_at is not null
    ) and exists (select from private.billing_settings as b where b.trial_days > 0),
    organization.writes_end_at,
    organization.sales_end_at
  )::public.billing_overview;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_subscription is
  'definer: counts rows that the caller may not see. Asks for billing:read.';
grant execute on function private.get_subscription to authenticated;

create function public.get_subscription(organization_id uuid)
returns public.billing_overview
language sql
stable
set search_path = ''
as $$ select private.get_subscription(organization_id) $$;

comment on function public.get_subscription is
  'The organization''s plan, its limits with what is used, what is paid, granted and due. Errors: 403 permission_denied.';
grant execute on function public.get_subscription to authenticated;
