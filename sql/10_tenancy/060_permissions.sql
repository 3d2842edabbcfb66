-- The permission catalogue, and what the system roles get of it.

create table public.permissions (
  key text not null,
  resource text not null generated always as (split_part(key, ':', 1)) stored,
  action text not null generated always as (split_part(key, ':', 2)) stored,
  category text not null,
  mutates boolean not null,
  description_en text not null,
  description_es text not null,
  rests_in_visits boolean not null,
  constraint permissions_pkey primary key (key),
  constraint permissions_key_is_resource_and_action check (key ~ '^[a-z_]+:[a-z_]+$')
);

comment on table public.permissions is
  'reference data. Every permission that the product knows; each enters together with the feature that it guards.';
comment on column public.permissions.key is 'resource:action, such as bookings:read.';
comment on column public.permissions.mutates is 'Whether it lets somebody change something; such permissions rest while the organization is suspended.';
comment on column public.permissions.rests_in_visits is
  'Whether it lets somebody make or end what outlasts a visit and is worth something: a way in, money, a price by hand, the words of later mails, everything at once; or see codes that pay. A visit of the platform''s support does not hold it, whatever its role.';

grant select on public.permissions to authenticated;

alter table public.permissions enable row level security;

-- The catalogue is the same for every tenant and holds no tenant's data.
create policy permissions_select on public.permissions
for select to authenticated
using (true);

create table private.role_templates (
  key text not null,
  position int not null,
  name_en text not null,
  name_es text not null,
  description_en text not null,
  constraint role_templates_pkey primary key (key)
);

comment on table private.role_templates is 'reference data. The system roles that every organization is born with, from most to least.';

insert into private.role_templates (key, position, name_en, name_es, description_en)
values
('owner', 1, 'Owner', 'Propietario', 'Everything, including the organization itself and its ownership.'),
('admin', 2, 'Administrator', 'Administrador', 'Everything but the organization''s closing and ownership.'),
('manager', 3, 'Manager', 'Encargado', 'Runs the venue: catalogue, schedules, bookings, staff on shift.'),
('receptionist', 4, 'Receptionist', 'Recepcionista', 'Takes, changes and checks in bookings; takes payments at the desk.'),
('game_master', 5, 'Game master', 'Game master', 'Sees the day''s bookings and runs the games.')
on conflict (key) do update
set position = excluded.position,
  name_en = excluded.name_en,
  name_es = excluded.name_es,
  description_en = excluded.description_en;

create table private.role_template_permissions (
  role_key text not null,
  permission_key text not null,
  constraint role_template_permissions_pkey primary key (role_key, permission_key),
  constraint role_template_permissions_role_fkey foreign key (role_key)
  references private.role_templates (key) on delete cascade,
  constraint role_template_permissions_permission_fkey foreign key (permission_key)
  references public.permissions (key) on delete cascade
);

comment on table private.role_template_permissions is
  'reference data. What each system role may do; a change here reaches the system roles of every organization in the same transaction.';

-- for: the foreign key, when a permission leaves the catalogue
create index role_template_permissions_permission_key_idx
on private.role_template_permissions (permission_key);

create function private.permission_upsert(
  key text,
  category text,
  mutates boolean,
  description_en text,
  description_es text,
  roles text [],
  rests_in_visits boolean default false
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into public.permissions as p (key, category, mutates, description_en, description_es, rests_in_visits)
  values (
    permission_upsert.key, permission_upsert.category, permission_upsert.mutates,
    permission_upsert.description_en, permission_upsert.description_es, permission_upsert.rests_in_visits
  )
  on conflict on constraint permissions_pkey do update
  set category = excluded.category,
    mutates = excluded.mutates,
    description_en = excluded.description_en,
    description_es = excluded.description_es,
    rests_in_visits = excluded.rests_in_visits;

  delete from private.role_template_permissions as t
  where t.permission_key = permission_upsert.key
    and t.role_key <> all (array['owner'] || permission_upsert.roles);

  insert into private.role_template_permissions (role_key, permission_key)
  select distinct r, permission_upsert.key
  from unnest(array['owner'] || permission_upsert.roles) as r
  on conflict on constraint role_template_permissions_pkey do nothing;
end
$$;

comment on function private.permission_upsert is
  'Describes one permission of the catalogue and the system roles, beside owner, that hold it. For the files of sql/ only.';

select private.permission_upsert(
  'organization:read', 'organization', false,
  'See the organization', 'Ver la organización',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'organization:update', 'organization', true,
  'Change the organization''s name, address and defaults', 'Cambiar nombre, dirección y valores de la organización',
  array['admin']
);
select private.permission_upsert(
  'users:read', 'users', false,
  'See who works here or is invited, and in which role', 'Ver quién trabaja aquí o está invitado, y con qué rol',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'roles:read', 'roles', false,
  'See the roles and what they may do', 'Ver los roles y sus permisos',
  array['admin', 'manager']
);
