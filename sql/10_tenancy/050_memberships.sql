-- Memberships: which user works in which organization, in which role.

create table public.memberships (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  user_id uuid not null,
  role_id uuid not null,
  status text not null default 'active',
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint memberships_pkey primary key (organization_id, id),
  constraint memberships_user_key unique (organization_id, user_id),
  constraint memberships_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint memberships_user_fkey foreign key (user_id) references public.profiles (user_id) on delete cascade,
  constraint memberships_role_fkey foreign key (organization_id, role_id)
  references public.roles (organization_id, id),
  constraint memberships_status_is_known check (status in ('active', 'suspended'))
);

comment on table public.memberships is 'A user''s place in an organization. Changed through functions only, so that nobody raises themselves.';
comment on column public.memberships.status is 'active, or suspended: a suspended member has no permission at all.';

comment on column public.memberships.expires_at is 'Null for members. A support entry of the platform is a membership that ends by itself.';

-- for: a user's organizations (my_context), and the foreign key
create index memberships_user_id_idx on public.memberships (user_id, organization_id);
-- for: the foreign key, when a role is deleted
create index memberships_role_id_idx on public.memberships (organization_id, role_id);

grant select on public.memberships to authenticated;

alter table public.memberships enable row level security;

create policy memberships_select on public.memberships
for select to authenticated
using (organization_id = (select private.organization_with('users:read')));

create trigger memberships_touch_updated_at
before update on public.memberships
for each row execute function private.touch_updated_at();

-- Policies of tables that exist before memberships do.

create policy organizations_select on public.organizations
for select to authenticated
using (id = (select private.organization_with('organization:read')));

create policy organizations_update on public.organizations
for update to authenticated
using (id = (select private.organization_with('organization:update')))
with check (id = (select private.organization_with('organization:update')));

create function private.colleagues()
returns setof uuid
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return query
  select m.user_id
  from public.memberships as m
  where m.organization_id = private.organization_with('users:read');
end
$$;

comment on function private.colleagues() is
  'definer: reads memberships inside the policy of profiles. The users of the request''s organization, if the caller may see them.';
grant execute on function private.colleagues() to authenticated;

create policy profiles_select on public.profiles
for select to authenticated
using (user_id = (select auth.uid()) or user_id in (select private.colleagues()));

create policy profiles_update on public.profiles
for update to authenticated
using (user_id = (select auth.uid()))
with check (user_id = (select auth.uid()));
