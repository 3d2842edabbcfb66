-- What the platform gives for nothing.

create function private.platform_grant_plan(organization_id uuid, plan_key text, until timestamptz, reason text)
returns public.subscriptions
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_platform_admin();
  granted public.subscriptions;
begin
  if not private.is_reason(platform_grant_plan.reason) then
    perform private.fail('reason_missing', 422, 'Say why.');
  elsif not exists (select from public.plans as p where p.key = platform_grant_plan.plan_key) then
    perform private.fail('plan_not_found', 404, 'Choose one of the plans.');
  elsif platform_grant_plan.until is null or not isfinite(platform_grant_plan.until)
    or platform_grant_plan.until > now() + interval '10 years' then
    perform private.fail('until_invalid', 422, 'Give it until an instant within ten years; one that is past ends it.');
  elsif not exists (
    select from public.organizations as o
    where o.id = platform_grant_plan.organization_id and o.status <> 'closed'
  ) then
    perform private.fail('organization_not_found', 404, 'Choose an organization that is not closed.');
  end if;
  perform private.act_as('support', caller);
  -- The same lock as private.apply_billing takes.
  perform private.locked_stripe_customer(platform_grant_plan.organization_id);
  insert into public.subscriptions as s (organization_id, granted_plan_key, granted_until)
  values (platform_grant_plan.organization_id, platform_grant_plan.plan_key, platform_grant_plan.until)
  on conflict on constraint subscriptions_pkey do update
  set granted_plan_key = excluded.granted_plan_key, granted_until = excluded.granted_until
  returning s.* into granted;
  perform private.settle_overdue(granted.organization_id);
  insert into private.platform_log (admin_user_id, action, organization_id, reason)
  values (
    caller, 'plan:' || granted.granted_plan_key || ':' || (granted.granted_until at time zone 'UTC')::date,
    granted.organization_id, platform_grant_plan.reason
  );
  return granted;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.platform_grant_plan is 'definer: writes any tenant''s subscription, for platform administrators.';
grant execute on function private.platform_grant_plan to authenticated;

create function public.platform_grant_plan(organization_id uuid, plan_key text, until timestamptz, reason text)
returns public.subscriptions
language sql
volatile
set search_path = ''
as $$ select private.platform_grant_plan(organization_id, plan_key, until, reason) $$;

comment on function public.platform_grant_plan is
  'Gives an organization a plan for nothing until an instant; one that is past ends what was given. What it pays for stays, and the better plan counts; while it lasts, nothing stops for what is overdue. The reason is kept in the platform''s log. Platform administrators only. Errors: 401 not_authenticated; 403 platform_admin_required, user_required; 404 organization_not_found, plan_not_found; 422 reason_missing, until_invalid.';
grant execute on function public.platform_grant_plan to authenticated;
