-- The end of an organization's data, when the stated time is over.

create function private.erase_rows(organization_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  doomed record;
begin
  -- Children first: most foreign keys inside a tenant restrict deletion. From the
  -- catalogue, so that a new table cannot be forgotten.
  for doomed in
    with recursive
    tenant_tables as (
      select c.oid, c.relnamespace::regnamespace as schema, c.relname as name
      from pg_catalog.pg_class as c
      where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
        and c.relkind = 'r'
        -- The log of the platform's own acts outlives the organizations that it speaks of.
        and c.oid <> 'private.platform_log'::regclass
        and exists (
          select from pg_catalog.pg_attribute as a
          where a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
        )
    ),
    depths as (
      select t.oid, 0 as depth from tenant_tables as t
      union
      select f.conrelid, d.depth + 1
      from depths as d
      join pg_catalog.pg_constraint as f on f.confrelid = d.oid and f.contype = 'f' and f.conrelid <> f.confrelid
      join tenant_tables as t on t.oid = f.conrelid
      where d.depth < 30
    )
    select t.schema, t.name
    from tenant_tables as t
    join depths as d on d.oid = t.oid
    group by t.schema, t.name
    order by max(d.depth) desc, t.name
  loop
    execute format('delete from %s.%I as t where t.organization_id = $1', doomed.schema, doomed.name)
    using erase_rows.organization_id;
  end loop;
  -- Keys of requests carry the organization at the start of their scope.
  delete from private.idempotency_keys as k
  where starts_with(k.scope, erase_rows.organization_id::text);
end
$$;

comment on function private.erase_rows is 'Deletes a tenant''s rows from every table that has any, for private.platform_erase_organization.';

create function private.platform_erase_organization(organization_id uuid, reason text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_platform_admin();
begin
  if not private.is_reason(platform_erase_organization.reason) then
    perform private.fail('reason_missing', 422, 'Say why.');
  end if;
  if not exists (
    select from public.organizations as o
    where o.id = platform_erase_organization.organization_id
      and o.status = 'closed'
      and o.closed_at < now() - interval '90 days'
  ) then
    perform private.fail('organization_not_erasable', 409, 'Only an organization that was closed more than 90 days ago can be erased.');
  end if;
  -- The ledger and the log refuse every deletion but this one.
  perform set_config('escapemaster.erasing', platform_erase_organization.organization_id::text, true);
  perform private.erase_rows(platform_erase_organization.organization_id);
  delete from public.organizations as o where o.id = platform_erase_organization.organization_id;
  perform set_config('escapemaster.erasing', '', true);
  insert into private.platform_log (admin_user_id, action, organization_id, reason)
  values (caller, 'erase', platform_erase_organization.organization_id, platform_erase_organization.reason);
  -- The files follow. The job belongs to no organization: there is none any more.
  perform private.enqueue(
    'storage.erase',
    jsonb_build_object('organization_id', platform_erase_organization.organization_id),
    'storage.erase:' || platform_erase_organization.organization_id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.platform_erase_organization is 'definer: deletes a whole tenant, for platform administrators.';
grant execute on function private.platform_erase_organization to authenticated;

create function public.platform_erase_organization(organization_id uuid, reason text)
returns void
language sql
volatile
set search_path = ''
as $$ select private.platform_erase_organization(organization_id, reason) $$;

comment on function public.platform_erase_organization is
  'Deletes every row of an organization that was closed more than 90 days ago, for good; its files follow within moments. Platform administrators only. Errors: 401 not_authenticated; 403 platform_admin_required, user_required; 409 organization_not_erasable; 422 reason_missing.';
grant execute on function public.platform_erase_organization to authenticated;
