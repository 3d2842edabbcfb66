-- What is done with memberships, and the rule that an organization never loses its last owner.

select private.permission_upsert(
  'users:manage', 'users', true,
  'Change roles of members, suspend and remove them', 'Cambiar roles de miembros, suspenderlos y quitarlos',
  array['admin']
);
select private.permission_upsert(
  'organization:transfer', 'organization', true,
  'Hand the ownership to another member', 'Traspasar la propiedad a otro miembro',
  array[]::text []
);

create function private.keep_an_owner()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- Two owners who demote each other at once meet on this lock; the second one then
  -- counts with the first one's change in sight.
  perform from public.organizations as o where o.id = old.organization_id for no key update;
  if not found or old.organization_id::text = current_setting('escapemaster.erasing', true) then
    return null; -- the organization itself is being erased
  end if;
  if not exists (
    select
    from public.memberships as m
    join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
    where m.organization_id = old.organization_id
      and m.status = 'active'
      and m.expires_at is null
      and r.is_system and r.key = 'owner'
  ) then
    perform private.fail('last_owner', 409, 'Hand the ownership to another member first.');
  end if;
  return null;
end
$$;

comment on function private.keep_an_owner() is
  'definer: counts owners beyond what the caller may see. Refuses any change that leaves an organization without an active owner.';

create trigger memberships_keep_an_owner
after update or delete on public.memberships
for each row execute function private.keep_an_owner();

create function private.require_member_within_reach(organization_id uuid, user_id uuid)
returns public.memberships
language plpgsql
volatile
set search_path = ''
as $$
declare
  member public.memberships;
begin
  select m.* into member
  from public.memberships as m
  where m.organization_id = require_member_within_reach.organization_id
    and m.user_id = require_member_within_reach.user_id
    and m.expires_at is null
  for update;
  if not found then
    perform private.fail('member_not_found', 404, 'Choose a member of this organization.');
  end if;
  if member.user_id = auth.uid() then
    perform private.fail('own_membership', 409, 'Ask another person for that, or leave the organization.');
  end if;
  perform private.require_role_within_reach(member.organization_id, member.role_id);
  return member;
end
$$;

comment on function private.require_member_within_reach(uuid, uuid) is
  'The membership, locked, if it is somebody else''s and its role holds nothing that the caller does not; else 404 member_not_found, 409 own_membership, 403 permission_not_held.';

create function private.member_json(organization_id uuid, user_id uuid)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'user_id', m.user_id,
    'email', p.email,
    'full_name', p.full_name,
    'status', m.status,
    'role', jsonb_build_object('id', r.id, 'key', r.key, 'name', r.name)
  )
  from public.memberships as m
  join public.profiles as p on p.user_id = m.user_id
  join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
  where m.organization_id = member_json.organization_id and m.user_id = member_json.user_id
$$;

comment on function private.member_json(uuid, uuid) is 'A member as clients see one.';

create function private.set_member_role(organization_id uuid, user_id uuid, role_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(set_member_role.organization_id, 'users:manage');
  perform private.require_member_within_reach(set_member_role.organization_id, set_member_role.user_id);
  perform private.require_role_within_reach(set_member_role.organization_id, set_member_role.role_id);
  update public.memberships as m
  set role_id = set_member_role.role_id
  where m.organization_id = set_member_role.organization_id and m.user_id = set_member_role.user_id;
  return private.member_json(set_member_role.organization_id, set_member_role.user_id);
end
$$;

comment on function private.set_member_role(uuid, uuid, uuid) is 'definer: writes memberships, which no client may write.';
grant execute on function private.set_member_role(uuid, uuid, uuid) to authenticated;

create function public.set_member_role(organization_id uuid, user_id uuid, role_id uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.set_member_role(organization_id, user_id, role_id) $$;

comment on function public.set_member_role(uuid, uuid, uuid) is
  'Gives another member another role, under users:manage, both within the caller''s own permissions. Errors: 403 permission_denied, permission_not_held; 404 member_not_found, role_not_found; 409 own_membership, last_owner.';
grant execute on function public.set_member_role(uuid, uuid, uuid) to authenticated;

create function private.set_member_status(organization_id uuid, user_id uuid, status text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(set_member_status.organization_id, 'users:manage');
  perform private.require_member_within_reach(set_member_status.organization_id, set_member_status.user_id);
  update public.memberships as m
  set status = set_member_status.status
  where m.organization_id = set_member_status.organization_id and m.user_id = set_member_status.user_id;
  return private.member_json(set_member_status.organization_id, set_member_status.user_id);
end
$$;

comment on function private.set_member_status(uuid, uuid, text) is 'definer: writes memberships, which no client may write.';
grant execute on function private.set_member_status(uuid, uuid, text) to authenticated;

create function public.suspend_member(organization_id uuid, user_id uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.set_member_status(organization_id, user_id, 'suspended') $$;

comment on function public.suspend_member(uuid, uuid) is
  'Takes everything from another member until reactivate_member, from the next request on; under users:manage. Errors: 403 permission_denied, permission_not_held; 404 member_not_found; 409 own_membership, last_owner.';
grant execute on function public.suspend_member(uuid, uuid) to authenticated;

create function public.reactivate_member(organization_id uuid, user_id uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.set_member_status(organization_id, user_id, 'active') $$;

comment on function public.reactivate_member(uuid, uuid) is
  'Gives a suspended member the old role back, under users:manage. Errors as suspend_member.';
grant execute on function public.reactivate_member(uuid, uuid) to authenticated;

create function private.follow_membership_end()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    update public.profiles as p
    set active_organization_id = null
    where p.user_id = old.user_id and p.active_organization_id = old.organization_id;
  end if;
  -- An invitation must not outlive the right of the person who sent it.
  update public.invitations as i
  set revoked_at = now()
  where i.organization_id = old.organization_id
    and i.invited_by = old.user_id
    and i.accepted_at is null and i.revoked_at is null
    and (tg_op = 'DELETE' or new.status = 'suspended' or new.role_id <> old.role_id);
  return null;
end
$$;

comment on function private.follow_membership_end() is
  'definer: clears the stored choice of a former member and the invitations that this person sent.';

create trigger memberships_follow_membership_end
after update of status, role_id or delete on public.memberships
for each row execute function private.follow_membership_end();

create function private.remove_member(organization_id uuid, user_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(remove_member.organization_id, 'users:manage');
  perform private.require_member_within_reach(remove_member.organization_id, remove_member.user_id);
  delete from public.memberships as m
  where m.organization_id = remove_member.organization_id and m.user_id = remove_member.user_id;
  -- Who worked here has seen the join code on the wall.
  perform private.rotate_join_code(remove_member.organization_id);
end
$$;

comment on function private.remove_member(uuid, uuid) is 'definer: writes memberships, which no client may write.';
grant execute on function private.remove_member(uuid, uuid) to authenticated;

create function public.remove_member(organization_id uuid, user_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.remove_member(organization_id, user_id) $$;

comment on function public.remove_member(uuid, uuid) is
  'Ends another person''s membership, under users:manage, from the next request on; the join code becomes another one. Errors: 403 permission_denied, permission_not_held; 404 member_not_found; 409 own_membership, last_owner.';
grant execute on function public.remove_member(uuid, uuid) to authenticated;

create function private.leave_organization(organization_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
begin
  delete from public.memberships as m
  where m.organization_id = leave_organization.organization_id
    and m.user_id = caller
    and m.expires_at is null;
  if not found then
    perform private.fail('organization_not_found', 404, 'Choose one of the organizations that my_context lists.');
  end if;
end
$$;

comment on function private.leave_organization(uuid) is 'definer: writes memberships, which no client may write.';
grant execute on function private.leave_organization(uuid) to authenticated;

create function public.leave_organization(organization_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.leave_organization(organization_id) $$;

comment on function public.leave_organization(uuid) is
  'Ends the caller''s own membership. Errors: 401 not_authenticated; 404 organization_not_found; 409 last_owner.';
grant execute on function public.leave_organization(uuid) to authenticated;

create function private.transfer_ownership(organization_id uuid, user_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  owner_role uuid;
  admin_role uuid;
begin
  perform private.require_permission(transfer_ownership.organization_id, 'organization:transfer');
  perform private.require_member_within_reach(transfer_ownership.organization_id, transfer_ownership.user_id);
  select r.id into strict owner_role
  from public.roles as r
  where r.organization_id = transfer_ownership.organization_id and r.is_system and r.key = 'owner';
  select r.id into strict admin_role
  from public.roles as r
  where r.organization_id = transfer_ownership.organization_id and r.is_system and r.key = 'admin';
  -- A custom role may carry organization:transfer, but only an owner has an ownership to give.
  if not exists (
    select from public.memberships as m
    where m.organization_id = transfer_ownership.organization_id
      and m.user_id = caller and m.role_id = owner_role
  ) then
    perform private.fail('permission_denied', 403, 'Only an owner can hand the ownership on.');
  end if;
  update public.memberships as m
  set role_id = owner_role
  where m.organization_id = transfer_ownership.organization_id
    and m.user_id = transfer_ownership.user_id
    and m.status = 'active';
  if not found then
    perform private.fail('member_suspended', 409, 'Reactivate the member first.');
  end if;
  update public.memberships as m
  set role_id = admin_role
  where m.organization_id = transfer_ownership.organization_id and m.user_id = caller;
  return private.member_json(transfer_ownership.organization_id, transfer_ownership.user_id);
end
$$;

comment on function private.transfer_ownership(uuid, uuid) is 'definer: writes memberships, which no client may write.';
grant execute on function private.transfer_ownership(uuid, uuid) to authenticated;

create function public.transfer_ownership(organization_id uuid, user_id uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.transfer_ownership(organization_id, user_id) $$;

comment on function public.transfer_ownership(uuid, uuid) is
  'Makes another member owner and the calling owner administrator. Errors: 403 permission_denied; 404 member_not_found; 409 own_membership, member_suspended.';
grant execute on function public.transfer_ownership(uuid, uuid) to authenticated;
