-- What an organization takes along, and how its owner closes it.

select private.permission_upsert(
  'organization:close', 'organization', true,
  'Close the organization', 'Cerrar la organización',
  array[]::text [],
  rests_in_visits => true
);
select private.permission_upsert(
  'organization:export', 'organization', false,
  'Export all of the organization''s data', 'Exportar todos los datos de la organización',
  array[]::text [],
  rests_in_visits => true
);

create table public.organization_exports (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  requested_by uuid,
  status text not null default 'queued',
  object_path text,
  row_count bigint,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  constraint organization_exports_pkey primary key (organization_id, id),
  constraint organization_exports_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint organization_exports_requested_by_fkey foreign key (requested_by) references public.profiles (user_id) on delete set null,
  constraint organization_exports_status_is_known check (status in ('queued', 'finished', 'failed')),
  constraint organization_exports_finished_has_a_file check ((status = 'finished') = (object_path is not null))
);

comment on table public.organization_exports is
  'Exports of all of a tenant''s data as JSON lines, one {"table", "row"} a line, in the private bucket exports.';
comment on column public.organization_exports.requested_by is 'Null for an API key.';
comment on column public.organization_exports.status is 'queued, finished, or failed.';
comment on column public.organization_exports.object_path is 'Path in the bucket exports; read it through a signed URL.';
comment on column public.organization_exports.row_count is 'Lines in the file.';

-- for: the foreign key
create index organization_exports_requested_by_idx on public.organization_exports (requested_by);
-- for: private.export_organization; one export at a time, so that none keeps others waiting
create unique index organization_exports_one_pending_key on public.organization_exports (organization_id, status)
where status = 'queued';

grant select on public.organization_exports to authenticated;

alter table public.organization_exports enable row level security;

create policy organization_exports_select on public.organization_exports
for select to authenticated
using (organization_id = (select private.organization_with('organization:export')));

create function private.export_organization(organization_id uuid)
returns public.organization_exports
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  queued public.organization_exports;
begin
  perform private.require_permission(export_organization.organization_id, 'organization:export');
  -- One whose job was given up without a word keeps nobody from asking again.
  update public.organization_exports as e
  set status = 'failed', finished_at = now()
  where e.organization_id = export_organization.organization_id
    and e.status = 'queued'
    and not exists (
      select from private.jobs as j
      where j.kind = 'organization.export'
        and j.dedupe_key = 'organization.export:' || e.id
        and j.status in ('queued', 'running')
    );
  insert into public.organization_exports (organization_id, requested_by)
  values (
    export_organization.organization_id,
    (select p.user_id from public.profiles as p where p.user_id = auth.uid())
  )
  on conflict (organization_id, status) where status = 'queued' do nothing
  returning * into queued;
  if not found then
    select e.* into queued
    from public.organization_exports as e
    where e.organization_id = export_organization.organization_id and e.status = 'queued';
    return queued;
  end if;
  perform private.enqueue(
    'organization.export',
    jsonb_build_object('organization_id', queued.organization_id, 'export_id', queued.id),
    'organization.export:' || queued.id,
    queued.organization_id
  );
  return queued;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.export_organization is 'definer: queues work, which no client may.';
grant execute on function private.export_organization to authenticated;

create function public.export_organization(organization_id uuid)
returns public.organization_exports
language sql
volatile
set search_path = ''
as $$ select private.export_organization(organization_id) $$;

comment on function public.export_organization is
  'Queues an export of all of the organization''s data, or returns the one that is under way; watch organization_exports for its end. Under organization:export. Errors: 403 permission_denied.';
grant execute on function public.export_organization to authenticated;

create function private.tenant_tables()
returns setof text
language sql
stable
set search_path = ''
as $$
  select c.relname
  from pg_catalog.pg_class as c
  where c.relnamespace = 'public'::regnamespace
    and c.relkind = 'r'
    and exists (
      select from pg_catalog.pg_attribute as a
      where a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
    )
  order by c.relname
$$;

comment on function private.tenant_tables is 'The tables of public that belong to organizations, from the catalogue.';

create function private.read_organization(job_id bigint, lease_token uuid, after jsonb default null, max_rows int default 1000)
returns setof jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  wanted bigint := least(greatest(read_organization.max_rows, 1), 10000);
  got bigint;
  -- The organization's own row comes first, then its tables by name.
  reached text := coalesce(nullif(read_organization.after ->> 'table', 'organizations'), '');
  tenant record;
  exported uuid := (
    select j.organization_id
    from private.jobs as j
    where j.id = read_organization.job_id
      and j.lease_token = read_organization.lease_token
      and j.status = 'running'
      and j.kind = 'organization.export'
  );
begin
  -- Not an empty page: whoever lost the lease must not take it for the end.
  if exported is null then
    perform private.fail('lease_lost', 409, 'Claim the job of the export anew: a tenant is read for an export that was asked for, and under its lease.');
  end if;
  if read_organization.after is null then
    return query
    select jsonb_build_object('table', 'organizations', 'row', to_jsonb(o))
    from public.organizations as o
    where o.id = exported;
    get diagnostics got = row_count;
    wanted := wanted - got;
  end if;
  for tenant in
    select
      t.name,
      string_agg(format('t.%I', a.attname), ', ' order by k.place) as keys,
      -- The last row read, as a row of its table: its key needs no parsing.
      string_agg(
        format('(jsonb_populate_record(null::public.%I, $2)).%I', t.name, a.attname), ', ' order by k.place
      ) as reached_keys
    from private.tenant_tables() as t (name)
    join pg_catalog.pg_class as c on c.relnamespace = 'public'::regnamespace and c.relname = t.name
    join pg_catalog.pg_constraint as p on p.conrelid = c.oid and p.contype = 'p'
    cross join unnest(p.conkey) with ordinality as k (attnum, place)
    join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = k.attnum
    where a.attname <> 'organization_id' and t.name collate "C" >= reached collate "C"
    group by t.name
    order by t.name collate "C"
  loop
    exit when wanted = 0;
    -- One range of the primary key, in its order: a page costs the same wherever it begins.
    return query execute format(
      'select jsonb_build_object(''table'', %1$L, ''row'', to_jsonb(t))
       from public.%1$I as t
       where t.organization_id = $1 %2$s
       order by %3$s
       limit $3',
      tenant.name,
      case when tenant.name = reached then format('and (%s) > (%s)', tenant.keys, tenant.reached_keys) end,
      tenant.keys
    ) using exported, read_organization.after -> 'row', wanted;
    get diagnostics got = row_count;
    wanted := wanted - got;
  end loop;
end
$$;

comment on function private.read_organization is
  'definer: reads every tenant table for the export whose job holds the lease. In pages, since a tenant can be larger than what one answer or one statement''s time may hold.';
grant execute on function private.read_organization to service_role;

create function service.read_organization(job_id bigint, lease_token uuid, after jsonb default null, max_rows int default 1000)
returns setof jsonb
language sql
stable
set search_path = ''
as $$ select private.read_organization(job_id, lease_token, after, max_rows) $$;

comment on function service.read_organization is
  'Rows of the tenant whose export the job is, {table, row} each, under the job''s lease: at most max_rows (1 to 10000) of them. after: the last row of the page before, as it was returned; null for the first page. No row is left out or comes twice; one that is written while pages are read may be in or not. The page after the last one is empty. Errors: 409 lease_lost.';
grant execute on function service.read_organization to service_role;

create function private.finish_export(job_id bigint, lease_token uuid, object_path text, row_count bigint)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(finish_export.job_id, finish_export.lease_token);
begin
  perform private.refuse_other_object(
    job, job.kind = 'organization.export' and coalesce(starts_with(finish_export.object_path, job.organization_id || '/'), true)
  );
  perform private.act_as('system');
  update public.organization_exports as e
  set status = case when finish_export.object_path is null then 'failed' else 'finished' end,
    object_path = finish_export.object_path,
    row_count = finish_export.row_count,
    finished_at = now()
  where e.organization_id = job.organization_id
    and e.id = (job.payload ->> 'export_id')::uuid
    and e.status = 'queued';
end
$$;

comment on function private.finish_export is 'definer: writes organization_exports for the worker.';
grant execute on function private.finish_export to service_role;

create function service.finish_export(job_id bigint, lease_token uuid, object_path text, row_count bigint)
returns void
language sql
volatile
set search_path = ''
as $$ select private.finish_export(job_id, lease_token, object_path, row_count) $$;

comment on function service.finish_export is
  'Records the end of the export that the job makes, under the job''s lease; object_path (in the organization''s folder) null means that it failed. Any number of calls end in the same state. Errors: 409 lease_lost, lease_of_another.';
grant execute on function service.finish_export to service_role;

create type public.closed_organization as (
  id uuid,
  name text,
  slug text,
  status text,
  timezone text,
  currency text,
  locale text,
  erased_after timestamptz
);

comment on type public.closed_organization is 'An organization that was closed.';
comment on column public.closed_organization.id is 'Of the organization.';
comment on column public.closed_organization.name is 'As its public read it.';
comment on column public.closed_organization.slug is 'Public address, unique on the whole platform.';
comment on column public.closed_organization.status is 'one of organizations.status';
comment on column public.closed_organization.timezone is 'IANA zone.';
comment on column public.closed_organization.currency is 'ISO 4217.';
comment on column public.closed_organization.locale is 'one of: es, en, ca';
comment on column public.closed_organization.erased_after is 'From when on the platform may erase the data.';

create function private.close_organization(organization_id uuid, confirm_slug text)
returns public.closed_organization
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  closed public.organizations;
begin
  -- Asked again by one who could close it: nobody is a member of what is closed, and the answer may have been lost.
  select o.* into closed
  from public.organizations as o
  join private.active_memberships as m on m.organization_id = o.id and m.user_id = private.calling_person()
  join public.role_permissions as rp
    on rp.organization_id = o.id and rp.role_id = m.role_id and rp.permission_key = 'organization:close'
  where o.id = close_organization.organization_id
    and o.status = 'closed'
    and o.slug = close_organization.confirm_slug;
  if not found then
    perform private.require_permission(close_organization.organization_id, 'organization:close');
    update public.organizations as o
    set status = 'closed', closed_at = now()
    where o.id = close_organization.organization_id and o.slug = close_organization.confirm_slug
    returning * into closed;
    if not found then
      perform private.fail('confirmation_wrong', 422, 'Repeat the organization''s slug to confirm.');
    end if;
  end if;
  return row(
    closed.id, closed.name, closed.slug, closed.status, closed.timezone, closed.currency, closed.locale,
    closed.closed_at + interval '90 days'
  )::public.closed_organization;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.close_organization is 'definer: writes the status, which no client may write.';
grant execute on function private.close_organization to authenticated;

create function public.close_organization(organization_id uuid, confirm_slug text)
returns public.closed_organization
language sql
volatile
set search_path = ''
as $$ select private.close_organization(organization_id, confirm_slug) $$;

comment on function public.close_organization is
  'Closes the organization: its members and the public see nothing of it any more. Who has the link of a booking still sees it and cancels it, with the refund that its terms give; nothing is booked, moved, paid or signed. The data is kept for 90 days, then the platform may erase it. Closed already, it is answered again. Under organization:close. Errors: 403 permission_denied; 422 confirmation_wrong.';
grant execute on function public.close_organization to authenticated;
