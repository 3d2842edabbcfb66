-- Custom roles. Nobody grants what they do not hold, and nobody touches a role that
-- holds more than they do: with these two rules no chain of steps raises anybody.

select private.permission_upsert(
  'roles:manage', 'roles', true,
  'Create, change and delete custom roles', 'Crear, cambiar y borrar roles propios',
  array['admin'],
  rests_in_visits => true
);

-- private.has_permission asks for one permission; here all of a set at once.
create function private.held_permissions(organization_id uuid)
returns setof text
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return query
  select rp.permission_key
  from private.active_memberships as m
  join public.organizations as o on o.id = m.organization_id and o.status <> 'closed'
  join public.role_permissions as rp
    on rp.organization_id = m.organization_id and rp.role_id = m.role_id
  where m.organization_id = held_permissions.organization_id
    and m.user_id = auth.uid()
    -- A visit of the platform's support ends; what it could give away would not.
    and m.expires_at is null
    and not private.jwt_claims() ? 'api_key_id';
end
$$;

comment on function private.held_permissions is
  'definer: reads the caller''s role without a policy. What the calling person holds in the organization; an API key and a support entry hold nothing that they could pass on.';

create function private.require_grantable(organization_id uuid, permissions text [])
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  unknown text[];
  missing text[];
begin
  select array_agg(w.key order by w.key) into unknown
  from unnest(permissions) as w (key)
  where not exists (select from public.permissions as p where p.key = w.key);
  if unknown is not null then
    perform private.fail('permission_unknown', 422, 'Choose permissions from the catalogue, the table permissions.', jsonb_build_object('permissions', unknown));
  end if;

  select array_agg(w.key order by w.key) into missing
  from unnest(permissions) as w (key)
  where w.key not in (select private.held_permissions(require_grantable.organization_id));
  if missing is not null then
    perform private.fail('permission_not_held', 403, 'Nobody can grant what they do not hold themselves.', jsonb_build_object('permissions', missing));
  end if;
end
$$;

comment on function private.require_grantable is
  'Raises 422 permission_unknown, or 403 permission_not_held unless the caller holds every one of the permissions.';

create function private.require_role_within_reach(organization_id uuid, role_id uuid)
returns public.roles
language plpgsql
volatile
set search_path = ''
as $$
declare
  found_role public.roles;
begin
  -- The lock keeps the role as it is until the caller's change is committed: a role
  -- that gains a permission meanwhile cannot slip through the check below.
  select r.* into found_role
  from public.roles as r
  where r.organization_id = require_role_within_reach.organization_id
    and r.id = require_role_within_reach.role_id
  for update;
  if not found then
    perform private.fail('role_not_found', 404, 'Choose a role of this organization.');
  end if;
  -- A custom role may hold every permission and is still not the owner.
  if found_role.is_system and found_role.key = 'owner' and not exists (
    select from private.active_memberships as m
    where m.organization_id = require_role_within_reach.organization_id
      and m.user_id = auth.uid()
      and m.role_id = found_role.id
  ) then
    perform private.fail('permission_not_held', 403, 'Only an owner can deal with owners.');
  end if;
  perform private.require_grantable(
    require_role_within_reach.organization_id,
    array(
      select rp.permission_key
      from public.role_permissions as rp
      where rp.organization_id = require_role_within_reach.organization_id
        and rp.role_id = require_role_within_reach.role_id
    )
  );
  return found_role;
end
$$;

comment on function private.require_role_within_reach is
  'The role, locked, if the caller holds all that it holds; else 404 role_not_found or 403 permission_not_held.';

create type public.role as (
  id uuid,
  key text,
  name text,
  description text,
  is_system boolean,
  permissions text []
);

comment on type public.role is 'A role with what it may do.';
comment on column public.role.id is 'Of the role.';
comment on column public.role.key is 'owner, admin, manager, receptionist, game_master, or of a custom role.';
comment on column public.role.name is 'As the organization calls it.';
comment on column public.role.description is 'Empty without one.';
comment on column public.role.is_system is 'Born with the organization, and cannot be edited.';
comment on column public.role.permissions is 'Their keys, in their order.';

create function private.shown_role(organization_id uuid, role_id uuid)
returns public.role
language sql
stable
set search_path = ''
as $$
  select
    r.id,
    r.key,
    r.name,
    r.description,
    r.is_system,
    array(
      select rp.permission_key
      from public.role_permissions as rp
      where rp.organization_id = r.organization_id and rp.role_id = r.id
      order by rp.permission_key
    )
  from public.roles as r
  where r.organization_id = shown_role.organization_id and r.id = shown_role.role_id
$$;

comment on function private.shown_role is 'A role as clients see it.';

create function private.create_role(
  organization_id uuid,
  name text,
  permissions text [],
  description text
)
returns public.role
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  new_id uuid;
  new_key text := left(replace(private.slugify(coalesce(create_role.name, '')), '-', '_'), 40);
begin
  perform private.require_permission(create_role.organization_id, 'roles:manage');
  if private.is_name(private.clean_text(create_role.name), 80) is not true then
    perform private.fail('name_invalid', 422, 'Give the role a name of 1 to 80 characters, on one line and without links.');
  elsif length(private.clean_note(create_role.description)) > 500 then
    perform private.fail('description_too_long', 422, 'Describe the role in at most 500 characters.');
  end if;
  perform private.require_grantable(create_role.organization_id, create_role.permissions);

  insert into public.roles (organization_id, key, name, description)
  values (
    create_role.organization_id,
    case when new_key ~ '^[a-z]' then new_key else 'role_' || new_key end,
    create_role.name,
    coalesce(create_role.description, '')
  )
  on conflict on constraint roles_key_key do nothing
  returning id into new_id;
  if not found then
    perform private.fail('role_exists', 409, 'Choose another name: a role with this one exists.');
  end if;

  insert into public.role_permissions (organization_id, role_id, permission_key)
  select distinct create_role.organization_id, new_id, w.key
  from unnest(create_role.permissions) as w (key);

  return private.shown_role(create_role.organization_id, new_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_role is
  'definer: writes roles, which no client may write.';
grant execute on function private.create_role to authenticated;

create function public.create_role(
  organization_id uuid,
  name text,
  permissions text [],
  description text default ''
)
returns public.role
language sql
volatile
set search_path = ''
as $$ select private.create_role(organization_id, name, permissions, description) $$;

comment on function public.create_role is
  'Makes a custom role, under roles:manage. Errors: 403 permission_denied, permission_not_held; 409 role_exists; 422 name_invalid, description_too_long, permission_unknown.';
grant execute on function public.create_role to authenticated;

create function private.own_role_is(organization_id uuid, role_id uuid, permissions text [])
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select
    from private.active_memberships as m
    join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
    join public.organizations as o on o.id = m.organization_id and o.status = 'active'
    where m.organization_id = own_role_is.organization_id
      and m.role_id = own_role_is.role_id
      and m.user_id = private.calling_person()
      and not r.is_system
  ) and array(
    select rp.permission_key
    from public.role_permissions as rp
    where rp.organization_id = own_role_is.organization_id and rp.role_id = own_role_is.role_id
    order by rp.permission_key
  ) = array(select distinct w.key from unnest(own_role_is.permissions) as w (key) order by w.key);
end
$$;

comment on function private.own_role_is is 'Whether it is the caller''s own role, a custom one, and has exactly these permissions.';

create function private.set_role_permissions(organization_id uuid, role_id uuid, permissions text [])
returns public.role
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  changed public.roles;
  wanted text[] := coalesce(set_role_permissions.permissions, '{}');
begin
  -- Who took roles:manage from their own role asks again: it is as they wish, and they know what they may.
  if private.own_role_is(set_role_permissions.organization_id, set_role_permissions.role_id, wanted) then
    return private.shown_role(set_role_permissions.organization_id, set_role_permissions.role_id);
  end if;
  perform private.require_permission(set_role_permissions.organization_id, 'roles:manage');
  changed := private.require_role_within_reach(set_role_permissions.organization_id, set_role_permissions.role_id);
  if changed.is_system then
    perform private.fail('role_is_system', 409, 'System roles stay as they are: make a custom role instead.');
  end if;
  perform private.require_grantable(set_role_permissions.organization_id, wanted);

  delete from public.role_permissions as rp
  where rp.organization_id = set_role_permissions.organization_id
    and rp.role_id = set_role_permissions.role_id
    and rp.permission_key <> all (wanted);

  insert into public.role_permissions (organization_id, role_id, permission_key)
  select distinct set_role_permissions.organization_id, set_role_permissions.role_id, w.key
  from unnest(wanted) as w (key)
  on conflict on constraint role_permissions_pkey do nothing;

  return private.shown_role(set_role_permissions.organization_id, set_role_permissions.role_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_role_permissions is
  'definer: writes role_permissions, which no client may write.';
grant execute on function private.set_role_permissions to authenticated;

create function public.set_role_permissions(organization_id uuid, role_id uuid, permissions text [])
returns public.role
language sql
volatile
set search_path = ''
as $$ select private.set_role_permissions(organization_id, role_id, permissions) $$;

comment on function public.set_role_permissions is
  'Gives a custom role exactly these permissions, under roles:manage; it acts on its holders'' next request. Errors: 403 permission_denied, permission_not_held; 404 role_not_found; 409 role_is_system; 422 permission_unknown.';
grant execute on function public.set_role_permissions to authenticated;

create function private.delete_role(organization_id uuid, role_id uuid, replacement_role_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  doomed public.roles;
begin
  perform private.require_permission_over_members(delete_role.organization_id, 'roles:manage');
  doomed := private.require_role_within_reach(delete_role.organization_id, delete_role.role_id);
  if doomed.is_system then
    perform private.fail('role_is_system', 409, 'System roles cannot be deleted.');
  end if;
  if delete_role.replacement_role_id is not null then
    if delete_role.replacement_role_id = delete_role.role_id then
      perform private.fail('replacement_invalid', 422, 'Name another role as the replacement.');
    end if;
    perform private.require_role_within_reach(delete_role.organization_id, delete_role.replacement_role_id);
    -- As whoever plans the shifts of several members.
    perform from public.memberships as m
    where m.organization_id = delete_role.organization_id and m.role_id = delete_role.role_id
    order by m.user_id
    for no key update;
    update public.memberships as m
    set role_id = delete_role.replacement_role_id
    where m.organization_id = delete_role.organization_id and m.role_id = delete_role.role_id;
    update public.invitations as i
    set role_id = delete_role.replacement_role_id
    where i.organization_id = delete_role.organization_id and i.role_id = delete_role.role_id;
  elsif exists (
    select from public.memberships as m
    where m.organization_id = delete_role.organization_id and m.role_id = delete_role.role_id
  ) or exists (
    select from public.invitations as i
    where i.organization_id = delete_role.organization_id
      and i.role_id = delete_role.role_id
      and i.accepted_at is null and i.revoked_at is null
  ) then
    perform private.fail('role_in_use', 409, 'Name a replacement role for its members and invitations.');
  end if;
  delete from public.roles as r
  where r.organization_id = delete_role.organization_id and r.id = delete_role.role_id;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.delete_role is 'definer: writes roles, which no client may write.';
grant execute on function private.delete_role to authenticated;

create function public.delete_role(organization_id uuid, role_id uuid, replacement_role_id uuid default null)
returns void
language sql
volatile
set search_path = ''
as $$ select private.delete_role(organization_id, role_id, replacement_role_id) $$;

comment on function public.delete_role is
  'Deletes a custom role, under roles:manage; its members and invitations move to the replacement. Errors: 403 permission_denied, permission_not_held; 404 role_not_found; 409 role_in_use, role_is_system; 422 replacement_invalid.';
grant execute on function public.delete_role to authenticated;

create function private.rename_role(organization_id uuid, role_id uuid, name text, description text)
returns public.role
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  changed public.roles;
begin
  perform private.require_permission(rename_role.organization_id, 'roles:manage');
  if private.is_name(private.clean_text(rename_role.name), 80) is not true then
    perform private.fail('name_invalid', 422, 'Give the role a name of 1 to 80 characters, on one line and without links.');
  elsif length(private.clean_note(rename_role.description)) > 500 then
    perform private.fail('description_too_long', 422, 'Describe the role in at most 500 characters.');
  end if;
  changed := private.require_role_within_reach(rename_role.organization_id, rename_role.role_id);
  if changed.is_system then
    perform private.fail('role_is_system', 409, 'System roles stay as they are: make a custom role instead.');
  end if;
  -- Two who give one name at once take turns.
  perform pg_advisory_xact_lock(hashtextextended('role_names/' || rename_role.organization_id, 0));
  if exists (
    select from public.roles as r
    where r.organization_id = rename_role.organization_id
      and r.id <> rename_role.role_id
      and lower(r.name) = lower(private.clean_text(rename_role.name))
  ) then
    perform private.fail('role_exists', 409, 'Choose another name: a role with this one exists.');
  end if;
  update public.roles as r
  set name = rename_role.name, description = coalesce(rename_role.description, r.description)
  where r.organization_id = rename_role.organization_id and r.id = rename_role.role_id;
  return private.shown_role(rename_role.organization_id, rename_role.role_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.rename_role is 'definer: writes roles, which no client may write.';
grant execute on function private.rename_role to authenticated;

create function public.rename_role(organization_id uuid, role_id uuid, name text, description text default null)
returns public.role
language sql
volatile
set search_path = ''
as $$ select private.rename_role(organization_id, role_id, name, description) $$;

comment on function public.rename_role is
  'Gives a custom role another name and, unless null, another description; its key stays, and so does who has it. What it may do is set_role_permissions'' matter. Under roles:manage. Errors: 403 permission_denied, organization_suspended, permission_not_held; 404 role_not_found; 409 role_exists, role_is_system; 422 name_invalid, description_too_long.';
grant execute on function public.rename_role to authenticated;
