-- Limits of the plan, held in the transaction that would exceed them.
--
-- Only adding is refused: whoever has more than a smaller plan allows keeps it and can change and delete it.

create function private.refuse_beyond_plan(plan public.plans, limit_name text, maximum int, used bigint)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail(
    'plan_limit_reached', 409, 'Choose a bigger plan, or remove what is not needed any more.',
    jsonb_build_object('limit', limit_name, 'maximum', maximum, 'used', used, 'plan', plan.key)
  );
end
$$;

comment on function private.refuse_beyond_plan is
  'Raises 409 plan_limit_reached, details {"limit", "maximum", "used", "plan"}.';

create function private.keep_to_plan()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  plan public.plans := private.plan_of(new.organization_id);
  maximum int := (to_jsonb(plan) ->> ('max_' || tg_table_name))::int;
  counted int;
begin
  if maximum is null then
    return null;
  end if;
  -- Who adds at the same time waits here, and is counted: the next statement sees what was committed.
  perform pg_advisory_xact_lock(hashtextextended('keep_to_plan/' || tg_table_name || '/' || new.organization_id, 0));
  execute format(
    'select count(*) from %I.%I as t where t.organization_id = $1', tg_table_schema, tg_table_name
  ) into counted using new.organization_id;
  if counted > maximum then
    perform private.refuse_beyond_plan(plan, tg_table_name, maximum, counted - 1);
  end if;
  return null;
end
$$;

comment on function private.keep_to_plan is
  'definer: counts rows beyond what the caller may see. Trigger, after each inserted row: at most as many rows of an organization as its plan''s max_<table> says. Raises 409 plan_limit_reached.';

create function private.keep_members_to_plan()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  plan public.plans;
  counted bigint;
begin
  if tg_op = 'UPDATE' and old.status = 'active' and old.expires_at is null then
    return null; -- a member already
  end if;
  plan := private.plan_of(new.organization_id);
  if plan.max_members is null then
    return null;
  end if;
  -- The lock that whoever changes memberships takes: a lock of one's own would be taken in another order.
  perform private.lock_members(new.organization_id);
  select count(*) into counted
  from public.memberships as m
  where m.organization_id = new.organization_id and m.status = 'active' and m.expires_at is null;
  if counted > plan.max_members then
    perform private.refuse_beyond_plan(plan, 'members', plan.max_members, counted - 1);
  end if;
  return null;
end
$$;

comment on function private.keep_members_to_plan is
  'definer: counts members for whoever comes in. Trigger: no more active members than the plan allows, however they come; the platform''s visitors are none. Raises 409 plan_limit_reached.';

create trigger memberships_keep_to_plan
after insert on public.memberships
for each row
when (new.status = 'active' and new.expires_at is null)
execute function private.keep_members_to_plan();

-- Whoever was suspended, or had visited, and becomes a member.
create trigger memberships_keep_to_plan_again
after update of status, expires_at on public.memberships
for each row
when (new.status = 'active' and new.expires_at is null)
execute function private.keep_members_to_plan();
