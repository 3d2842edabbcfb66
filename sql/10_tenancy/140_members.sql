-- What is done with memberships, and the rule that an organization never loses its last owner.

select private.permission_upsert(
  'users:manage', 'users', true,
  'Change roles of members, suspend and remove them', 'Cambiar roles de miembros, suspenderlos y quitarlos',
  array['admin'],
  rests_in_visits => true
);
select private.permission_upsert(
  'organization:transfer', 'organization', true,
  'Hand the ownership to another member', 'Traspasar la propiedad a otro miembro',
  array[]::text [],
  rests_in_visits => true
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
    from private.active_memberships as m
    join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
    where m.organization_id = old.organization_id
      and m.expires_at is null
      and r.is_system and r.key = 'owner'
  ) then
    perform private.fail('last_owner', 409, 'Hand the ownership to another member first.');
  end if;
  return null;
end
$$;

comment on function private.keep_an_owner is
  'definer: counts owners beyond what the caller may see. Refuses any change that leaves an organization without an active owner.';

create trigger memberships_keep_an_owner
after update or delete on public.memberships
for each row execute function private.keep_an_owner();

create function private.lock_a_user_s_organizations()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- Deleting an account ends memberships of several organizations in no order of ours.
  perform from public.organizations as o
  where o.id in (select m.organization_id from public.memberships as m where m.user_id = old.user_id)
  order by o.id
  for no key update;
  return old;
end
$$;

comment on function private.lock_a_user_s_organizations is
  'definer: Supabase Auth''s own role deletes the account and may read no membership. private.lock_members for all of them, in the order of their ids.';

create trigger profiles_lock_organizations
before delete on public.profiles
for each row execute function private.lock_a_user_s_organizations();

create function private.require_permission_over_members(organization_id uuid, permission text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Strangers wait for nobody and hold nobody up.
  perform private.require_permission(require_permission_over_members.organization_id, require_permission_over_members.permission);
  perform private.lock_members(require_permission_over_members.organization_id);
  -- Whoever came before may have taken it away.
  perform private.require_permission(require_permission_over_members.organization_id, require_permission_over_members.permission);
end
$$;

comment on function private.require_permission_over_members is
  'private.require_permission and private.lock_members: the permission holds when it is this request''s turn.';

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

comment on function private.require_member_within_reach is
  'The membership, locked, if it is somebody else''s and its role holds nothing that the caller does not; else 404 member_not_found, 409 own_membership, 403 permission_not_held.';

create type public.member as (
  user_id uuid,
  email text,
  full_name text,
  status text,
  role public.role_name
);

comment on type public.member is 'A member of an organization.';
comment on column public.member.user_id is 'Of the account.';
comment on column public.member.email is 'Of the account; empty without one, null without users:read.';
comment on column public.member.full_name is 'Empty until it was given; null without users:read.';
comment on column public.member.status is 'one of memberships.status';
comment on column public.member.role is 'The member''s.';

create function private.shown_member(organization_id uuid, user_id uuid)
returns public.member
language sql
stable
set search_path = ''
as $$
  select
    m.user_id, case when sees.them then p.email end, case when sees.them then p.full_name end, m.status,
    row(r.id, r.key, r.name)::public.role_name
  from public.memberships as m
  cross join (select private.has_permission(shown_member.organization_id, 'users:read') as them) as sees
  join public.profiles as p on p.user_id = m.user_id
  join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
  where m.organization_id = shown_member.organization_id and m.user_id = shown_member.user_id
$$;

comment on function private.shown_member is 'A member as clients see one: name and address as in profiles, with users:read.';

create function private.bar_member(organization_id uuid, user_id uuid, cause text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  known text[] := array(
    select a.email
    from private.member_addresses as a
    where a.organization_id = bar_member.organization_id and a.user_id = bar_member.user_id
    union
    select p.email from private.proven_addresses as p where p.user_id = bar_member.user_id
  );
begin
  insert into public.member_bars as b (organization_id, user_id, email, other_emails, cause, barred_by)
  select
    bar_member.organization_id, p.user_id, nullif(p.email, ''), array_remove(known, p.email), bar_member.cause,
    private.calling_person()
  from public.profiles as p
  where p.user_id = bar_member.user_id
  on conflict on constraint member_bars_user_key do update
  set cause = excluded.cause, email = excluded.email, barred_by = excluded.barred_by, barred_at = now(),
    other_emails = array(
      select a.email
      from unnest(b.email || b.other_emails || excluded.other_emails) as a (email)
      where a.email is not null
      except
      select excluded.email
    );
  update public.invitations as i
  set revoked_at = now()
  from public.member_bars as b
  where b.organization_id = bar_member.organization_id
    and b.user_id = bar_member.user_id
    and i.organization_id = b.organization_id
    and private.bars_address(b, i.email)
    and i.accepted_at is null and i.revoked_at is null;
  -- Who worked here has seen the join code on the wall.
  perform private.rotate_join_code(bar_member.organization_id);
end
$$;

comment on function private.bar_member is
  'Keeps a person out, under every address that is known of the account, until the bar is lifted, takes back what invites them, and makes the join code another one.';

create function private.set_member_role(organization_id uuid, user_id uuid, role_id uuid)
returns public.member
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission_over_members(set_member_role.organization_id, 'users:manage');
  perform private.require_member_within_reach(set_member_role.organization_id, set_member_role.user_id);
  perform private.require_role_within_reach(set_member_role.organization_id, set_member_role.role_id);
  update public.memberships as m
  set role_id = set_member_role.role_id
  where m.organization_id = set_member_role.organization_id and m.user_id = set_member_role.user_id;
  return private.shown_member(set_member_role.organization_id, set_member_role.user_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_member_role is 'definer: writes memberships, which no client may write.';
grant execute on function private.set_member_role to authenticated;

create function public.set_member_role(organization_id uuid, user_id uuid, role_id uuid)
returns public.member
language sql
volatile
set search_path = ''
as $$ select private.set_member_role(organization_id, user_id, role_id) $$;

comment on function public.set_member_role is
  'Gives another member another role, under users:manage, both within the caller''s own permissions. Errors: 403 permission_denied, permission_not_held; 404 member_not_found, role_not_found; 409 own_membership, last_owner.';
grant execute on function public.set_member_role to authenticated;

create function private.set_member_status(organization_id uuid, user_id uuid, status text)
returns public.member
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission_over_members(set_member_status.organization_id, 'users:manage');
  perform private.require_member_within_reach(set_member_status.organization_id, set_member_status.user_id);
  if set_member_status.status = 'active' then
    delete from public.member_bars as b
    where b.organization_id = set_member_status.organization_id and b.user_id = set_member_status.user_id;
  else
    perform private.bar_member(set_member_status.organization_id, set_member_status.user_id, 'suspended');
  end if;
  update public.memberships as m
  set status = set_member_status.status
  where m.organization_id = set_member_status.organization_id and m.user_id = set_member_status.user_id;
  return private.shown_member(set_member_status.organization_id, set_member_status.user_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_member_status is 'definer: writes memberships, which no client may write.';
grant execute on function private.set_member_status to authenticated;

create type public.left_open as (
  kind text,
  id uuid,
  name text,
  made_by uuid,
  created_at timestamptz,
  last_used_at timestamptz,
  expires_at timestamptz
);

comment on type public.left_open is 'Something that a person made and that still opens something.';
comment on column public.left_open.kind is 'Ended by end_left_open, or singly by revoke_api_key, revoke_calendar_feed or revoke_waiver_kiosk, an endpoint in webhook_endpoints; one of: api_key, calendar_feed, waiver_kiosk, webhook_endpoint';
comment on column public.left_open.id is 'Of the key, feed, kiosk or endpoint.';
comment on column public.left_open.name is 'As it was given.';
comment on column public.left_open.made_by is 'Who made it; null when nobody knows: an API key made it, or the account is deleted.';
comment on column public.left_open.created_at is 'When it was made.';
comment on column public.left_open.last_used_at is 'To the minute; null: of a key that was never used, and of anything else.';
comment on column public.left_open.expires_at is 'When a key ends by itself; null: of anything else.';

create type public.suspended_member as (
  user_id uuid,
  email text,
  full_name text,
  status text,
  role public.role_name,
  left_open public.left_open []
);

comment on type public.suspended_member is 'A member who was suspended, and what that person made.';
comment on column public.suspended_member.user_id is 'Of the account.';
comment on column public.suspended_member.email is 'Of the account; empty without one, null without users:read.';
comment on column public.suspended_member.full_name is 'Empty until it was given; null without users:read.';
comment on column public.suspended_member.status is 'one of memberships.status';
comment on column public.suspended_member.role is 'The member''s, given back by reactivate_member.';
comment on column public.suspended_member.left_open is
  'What the person made that still opens something, whose secret they know: end_left_open ends all of it.';

create function private.suspend_member(organization_id uuid, user_id uuid)
returns public.suspended_member
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  member public.member;
begin
  -- As private.set_member_status does: whoever reads this one, and the page that is made of it, is told here.
  perform private.require_permission_over_members(suspend_member.organization_id, 'users:manage');
  member := private.set_member_status(suspend_member.organization_id, suspend_member.user_id, 'suspended');
  return row(
    member.user_id, member.email, member.full_name, member.status, member.role,
    array(select l from private.left_open(suspend_member.organization_id, suspend_member.user_id) as l)
  )::public.suspended_member;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.suspend_member is
  'definer: reads keys, feeds, kiosks and endpoints that the person made, whose tables each take another permission.';
grant execute on function private.suspend_member to authenticated;

create function public.suspend_member(organization_id uuid, user_id uuid)
returns public.suspended_member
language sql
volatile
set search_path = ''
as $$ select private.suspend_member(organization_id, user_id) $$;

comment on function public.suspend_member is
  'Takes everything from another member until reactivate_member, from the next request on, and keeps the person out who leaves meanwhile (member_bars); the join code becomes another one. Answers what the member made that still opens something, as list_left_open: end_left_open ends it. Under users:manage. Errors: 403 permission_denied, permission_not_held; 404 member_not_found; 409 own_membership, last_owner.';
grant execute on function public.suspend_member to authenticated;

create function public.reactivate_member(organization_id uuid, user_id uuid)
returns public.member
language sql
volatile
set search_path = ''
as $$ select private.set_member_status(organization_id, user_id, 'active') $$;

comment on function public.reactivate_member is
  'Gives a suspended member the old role back, under users:manage. Errors: 403 permission_denied, permission_not_held, member_barred (another account of the same address is); 404 member_not_found; 409 own_membership, plan_limit_reached (details {"limit", "maximum", "used", "plan"}).';
grant execute on function public.reactivate_member to authenticated;

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
    -- Who left a moment before can still be removed, and so kept out; who visited cannot.
    if old.expires_at is null then
      update private.member_addresses as a
      set left_at = now()
      where a.organization_id = old.organization_id and a.user_id = old.user_id;
    else
      delete from private.member_addresses as a
      where a.organization_id = old.organization_id and a.user_id = old.user_id;
    end if;
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

comment on function private.follow_membership_end is
  'definer: clears the stored choice of a former member, notes on its addresses that they are of one who left (a visitor''s are forgotten), and revokes the invitations that this person sent.';

create trigger memberships_follow_membership_end
after update of status, role_id or delete on public.memberships
for each row execute function private.follow_membership_end();

create function private.remove_member(organization_id uuid, user_id uuid)
returns setof public.left_open
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission_over_members(remove_member.organization_id, 'users:manage');
  if not exists (
    select from private.member_addresses as a
    where a.organization_id = remove_member.organization_id and a.user_id = remove_member.user_id and a.left_at is not null
  ) then
    perform private.require_member_within_reach(remove_member.organization_id, remove_member.user_id);
  end if;
  perform private.bar_member(remove_member.organization_id, remove_member.user_id, 'removed');
  delete from public.memberships as m
  where m.organization_id = remove_member.organization_id and m.user_id = remove_member.user_id;
  return query select l.* from private.left_open(remove_member.organization_id, remove_member.user_id) as l;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.remove_member is 'definer: writes memberships, which no client may write.';
grant execute on function private.remove_member to authenticated;

create function public.remove_member(organization_id uuid, user_id uuid)
returns setof public.left_open
language sql
volatile
set search_path = ''
as $$ select * from private.remove_member(organization_id, user_id) $$;

comment on function public.remove_member is
  'Ends another person''s membership, under users:manage, from the next request on (who left within the last 30 days is only kept out), with the feeds of that person''s own sessions; keeps the person out until lift_member_bar, and the join code becomes another one. Answers what the person made that still opens something, as list_left_open: end_left_open ends it. Errors: 403 permission_denied, permission_not_held; 404 member_not_found; 409 own_membership, last_owner.';
grant execute on function public.remove_member to authenticated;

create function private.lift_member_bar(organization_id uuid, bar_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission_over_members(lift_member_bar.organization_id, 'users:manage');
  perform private.refuse_suspended_member(b)
  from public.member_bars as b
  where b.organization_id = lift_member_bar.organization_id and b.id = lift_member_bar.bar_id;
  delete from public.member_bars as b
  where b.organization_id = lift_member_bar.organization_id and b.id = lift_member_bar.bar_id;
  if not found then
    perform private.fail('bar_not_found', 404, 'Choose a bar that member_bars lists.');
  end if;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.lift_member_bar is 'definer: writes member_bars, which no client may write.';
grant execute on function private.lift_member_bar to authenticated;

create function public.lift_member_bar(organization_id uuid, bar_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.lift_member_bar(organization_id, bar_id) $$;

comment on function public.lift_member_bar is
  'Lets somebody who was removed, or left while suspended, be invited and join again, under users:manage; it makes nobody a member. Errors: 403 permission_denied; 404 bar_not_found; 409 member_suspended for somebody who still is a member.';
grant execute on function public.lift_member_bar to authenticated;

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
  perform private.lock_members(m.organization_id)
  from public.memberships as m
  where m.organization_id = leave_organization.organization_id and m.user_id = caller;
  -- A bar stays: whoever is suspended and leaves is still kept out.
  delete from public.memberships as m
  where m.organization_id = leave_organization.organization_id
    and m.user_id = caller
    and m.expires_at is null;
  -- Who left before is out, as they wish.
  if not found and not exists (
    select from private.member_addresses as a
    where a.organization_id = leave_organization.organization_id and a.user_id = caller and a.left_at is not null
  ) then
    perform private.fail('organization_not_found', 404, 'Choose one of the organizations that my_context lists.');
  end if;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.leave_organization is 'definer: writes memberships, which no client may write.';
grant execute on function private.leave_organization to authenticated;

create function public.leave_organization(organization_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.leave_organization(organization_id) $$;

comment on function public.leave_organization is
  'Ends the caller''s own membership, and the feeds of the caller''s own sessions; whoever was suspended stays barred. Who left within the last 30 days is answered the same. Errors: 401 not_authenticated; 403 user_required; 404 organization_not_found; 409 last_owner.';
grant execute on function public.leave_organization to authenticated;

create function private.handover_scope(organization_id uuid, former_owner uuid)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return handover_scope.organization_id || ':transfer_ownership:' || handover_scope.former_owner;
end
$$;

comment on function private.handover_scope is 'Under which private.idempotency_keys remembers for a day to whom an owner handed the ownership.';

create function private.handed_over(organization_id uuid, former_owner uuid, new_owner uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select
    from private.idempotency_keys as k
    join private.active_memberships as m
      on m.organization_id = handed_over.organization_id and m.user_id = handed_over.new_owner
    join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
    join private.active_memberships as f
      on f.organization_id = handed_over.organization_id and f.user_id = handed_over.former_owner
    join public.roles as fr on fr.organization_id = f.organization_id and fr.id = f.role_id
    join public.organizations as o on o.id = m.organization_id and o.status <> 'closed'
    where k.scope = private.handover_scope(handed_over.organization_id, handed_over.former_owner)
      and k.key = handed_over.new_owner::text
      and r.is_system and r.key = 'owner'
      and fr.is_system and fr.key = 'admin'
  );
end
$$;

comment on function private.handed_over is
  'Whether somebody who is an administrator now has made the other the owner within a day, and it is so still.';

create function private.transfer_ownership(organization_id uuid, user_id uuid)
returns public.member
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
  -- Asked again by one who has handed it to that person, and may not any more: the answer may have been lost.
  if private.handed_over(transfer_ownership.organization_id, caller, transfer_ownership.user_id) then
    return private.shown_member(transfer_ownership.organization_id, transfer_ownership.user_id);
  end if;
  perform private.require_permission_over_members(transfer_ownership.organization_id, 'organization:transfer');
  -- As whoever plans the shifts of several members.
  perform from public.memberships as m
  where m.organization_id = transfer_ownership.organization_id
    and m.user_id in (caller, transfer_ownership.user_id)
  order by m.user_id
  for no key update;
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
  insert into private.idempotency_keys as k (scope, key, request_hash)
  values (
    private.handover_scope(transfer_ownership.organization_id, caller), transfer_ownership.user_id,
    private.token_hash(transfer_ownership.user_id::text)
  )
  on conflict on constraint idempotency_keys_pkey do update set created_at = now();
  return private.shown_member(transfer_ownership.organization_id, transfer_ownership.user_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.transfer_ownership is 'definer: writes memberships, which no client may write.';
grant execute on function private.transfer_ownership to authenticated;

create function public.transfer_ownership(organization_id uuid, user_id uuid)
returns public.member
language sql
volatile
set search_path = ''
as $$ select private.transfer_ownership(organization_id, user_id) $$;

comment on function public.transfer_ownership is
  'Makes another member owner and the calling owner administrator, who is answered the same when asking again within a day. Errors: 403 permission_denied, permission_not_held, user_required; 404 member_not_found; 409 own_membership, member_suspended.';
grant execute on function public.transfer_ownership to authenticated;
