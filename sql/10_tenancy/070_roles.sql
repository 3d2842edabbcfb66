-- Roles of an organization, and the permissions that they carry.

create table public.roles (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  key text not null,
  name text not null,
  description text not null default '',
  is_system boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint roles_pkey primary key (organization_id, id),
  constraint roles_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint roles_key_key unique (organization_id, key),
  constraint roles_key_is_an_identifier check (key ~ '^[a-z][a-z0-9_]{0,49}$'),
  constraint roles_name_is_a_name check (private.is_name(name, 80)),
  constraint roles_description_is_a_text check (private.is_text(description, 500))
);

comment on table public.roles is 'A named set of permissions in one organization.';
comment on column public.roles.is_system is 'Born with the organization and kept equal to its template; cannot be edited.';

grant select on public.roles to authenticated;

alter table public.roles enable row level security;

create trigger roles_clean_names
before insert or update of name on public.roles
for each row execute function private.clean_texts('names', 'name');

create trigger roles_clean_notes
before insert or update of description on public.roles
for each row execute function private.clean_texts('notes', 'description');

create policy roles_select on public.roles
for select to authenticated
using (organization_id = (select private.organization_with('roles:read')));

create trigger roles_touch_updated_at
before update on public.roles
for each row execute function private.touch_updated_at();

create table public.role_permissions (
  organization_id uuid not null,
  role_id uuid not null,
  permission_key text not null,
  constraint role_permissions_pkey primary key (organization_id, role_id, permission_key),
  constraint role_permissions_role_fkey foreign key (organization_id, role_id)
  references public.roles (organization_id, id) on delete cascade,
  constraint role_permissions_permission_fkey foreign key (permission_key)
  references public.permissions (key) on delete cascade
);

comment on table public.role_permissions is 'What a role may do. Read in every statement that asks for a permission.';

-- for: the foreign key, and the roles that a template change reaches
create index role_permissions_permission_key_idx on public.role_permissions (permission_key);

grant select on public.role_permissions to authenticated;

alter table public.role_permissions enable row level security;

create policy role_permissions_select on public.role_permissions
for select to authenticated
using (organization_id = (select private.organization_with('roles:read')));

create function private.seed_system_roles(organization_id uuid, locale text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into public.roles (organization_id, key, name, description, is_system)
  select
    seed_system_roles.organization_id,
    t.key,
    case when seed_system_roles.locale = 'en' then t.name_en else t.name_es end,
    t.description_en,
    true
  from private.role_templates as t
  order by t.position;

  insert into public.role_permissions (organization_id, role_id, permission_key)
  select r.organization_id, r.id, t.permission_key
  from public.roles as r
  join private.role_template_permissions as t on t.role_key = r.key
  where r.organization_id = seed_system_roles.organization_id;
end
$$;

comment on function private.seed_system_roles is 'Gives a new organization its system roles.';

create function private.follow_role_templates()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    insert into public.role_permissions (organization_id, role_id, permission_key)
    select r.organization_id, r.id, new.permission_key
    from public.roles as r
    where r.is_system and r.key = new.role_key
    on conflict do nothing;
    return new;
  end if;
  delete from public.role_permissions as rp
  using public.roles as r
  where r.organization_id = rp.organization_id
    and r.id = rp.role_id
    and r.is_system
    and r.key = old.role_key
    and rp.permission_key = old.permission_key;
  return old;
end
$$;

comment on function private.follow_role_templates is
  'A permission that enters or leaves a template enters or leaves that system role in every organization.';

create trigger follow_role_templates
after insert or delete on private.role_template_permissions
for each row execute function private.follow_role_templates();
