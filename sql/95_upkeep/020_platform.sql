-- What the platform's administrators see of all tenants.

create function private.platform_list_organizations(with_status text, search text, after_id uuid, max_rows int)
returns table (
  id uuid, name text, slug text, status text, created_at timestamptz, members bigint, bookings_30_days bigint
)
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
end
$$;

comment on function private.platform_list_organizations is
  'definer: spans all tenants, for platform administrators.';
grant execute on function private.platform_list_organizations to authenticated;

create function public.platform_list_organizations(
  with_status text default null, search text default null, after_id uuid default null, max_rows int default 50
)
returns table (
  id uuid, name text, slug text, status text, created_at timestamptz, members bigint, bookings_30_days bigint
)
language sql
stable
set search_path = ''
as $$ select * from private.platform_list_organizations(with_status, search, after_id, max_rows) $$;

comment on function public.platform_list_organizations is
  'All organizations in the order of their ids, at most 200 a call; after_id continues. Platform administrators only. Errors: 401 not_authenticated; 403 platform_admin_required.';
grant execute on function public.platform_list_organizations to authenticated;

create function private.platform_statistics()
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_platform_admin();
  return jsonb_build_object(
    'organizations', (
      select coalesce(jsonb_object_agg(s.status, s.n), '{}')
      from (select o.status, count(*) as n from public.organizations as o group by o.status) as s
    ),
    'users', (select count(*) from public.profiles),
    'bookings_30_days', (
      select coalesce(jsonb_object_agg(s.status, s.n), '{}')
      from (
        select b.status, count(*) as n
        from public.bookings as b
        where b.created_at > now() - interval '30 days'
        group by b.status
      ) as s
    ),
    'open_support_entries', (
      select count(*) from public.support_entries as e where e.ended_at is null and e.expires_at > now()
    )
  );
end
$$;

comment on function private.platform_statistics is 'definer: counts over all tenants, for platform administrators.';
grant execute on function private.platform_statistics to authenticated;

create function public.platform_statistics()
returns jsonb
language sql
stable
set search_path = ''
as $$ select private.platform_statistics() $$;

comment on function public.platform_statistics is
  'Counts of organizations by status, users, and bookings made in the last 30 days by status. Platform administrators only. Errors: 401 not_authenticated; 403 platform_admin_required.';
grant execute on function public.platform_statistics to authenticated;
