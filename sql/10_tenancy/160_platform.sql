-- The platform's operator: lists, suspends and reactivates organizations, and enters one
-- for support: for a stated time and reason, in the tenant's sight.

create table private.platform_admins (
  user_id uuid not null,
  created_at timestamptz not null default now(),
  constraint platform_admins_pkey primary key (user_id),
  constraint platform_admins_user_fkey foreign key (user_id) references public.profiles (user_id) on delete cascade
);

comment on table private.platform_admins is
  'The users who operate the platform. Rows are written by the database''s owner only; there is no function that adds one.';

create table private.platform_log (
  id bigint not null generated always as identity,
  occurred_at timestamptz not null default now(),
  admin_user_id uuid,
  action text not null,
  organization_id uuid,
  reason text not null default '',
  constraint platform_log_pkey primary key (id)
);

comment on table private.platform_log is
  'What platform administrators did, organizations that were put back from a backup (nobody''s name; action restore, reason: of when), and customers of Stripe that were taken off (nobody''s name; reason: the customer). No foreign keys: it outlives the organizations that it speaks of.';

-- for: whether an organization was put back from a backup since a moment (private.changes_since)
create index platform_log_restores_idx on private.platform_log (organization_id, occurred_at) where action = 'restore';

create table public.support_entries (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  admin_user_id uuid not null,
  reason text not null,
  role_key text not null,
  started_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  constraint support_entries_pkey primary key (organization_id, id),
  constraint support_entries_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint support_entries_admin_fkey foreign key (admin_user_id) references public.profiles (user_id) on delete cascade,
  constraint support_entries_reason_has_10_to_500_characters check (length(reason) >= 10 and private.is_text(reason, 500)),
  constraint support_entries_last_at_most_8_hours check (expires_at <= started_at + interval '8 hours')
);

comment on table public.support_entries is 'Visits of the platform''s support to the organization, kept for the organization to see.';

-- for: ending the open entry of an administrator, and the foreign key
create index support_entries_admin_user_id_idx on public.support_entries (admin_user_id, organization_id);

select private.permission_upsert(
  'audit:read', 'audit', false,
  'See who changed what, and the visits of the platform''s support', 'Ver quién cambió qué, y las visitas del soporte de la plataforma',
  array['admin']
);

grant select on public.support_entries to authenticated;

alter table public.support_entries enable row level security;

create trigger support_entries_clean_notes
before insert or update of reason on public.support_entries
for each row execute function private.clean_texts('notes', 'reason');

create policy support_entries_select on public.support_entries
for select to authenticated
using (organization_id = (select private.organization_with('audit:read')));

create function private.current_visit(organization_id uuid)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select e.id
    from public.support_entries as e
    join private.active_memberships as m
      on m.organization_id = e.organization_id and m.user_id = e.admin_user_id and m.expires_at is not null
    where e.organization_id = current_visit.organization_id
      and e.admin_user_id = auth.uid()
      and e.ended_at is null
      and e.expires_at > now()
    order by e.started_at desc
    limit 1
  );
end
$$;

comment on function private.current_visit is
  'The support entry by which the caller is in the organization; null for its members. What opens something later keeps it, and ends with it.';

create function private.visit_is_over(organization_id uuid, support_entry_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return visit_is_over.support_entry_id is not null and not exists (
    select from public.support_entries as e
    where e.organization_id = visit_is_over.organization_id
      and e.id = visit_is_over.support_entry_id
      and e.ended_at is null
      and e.expires_at > now()
  );
end
$$;

comment on function private.visit_is_over is
  'Whether something was made by a visitor of the platform''s whose visit has ended; false for what members made.';

create function private.refuse_in_a_visit(organization_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if private.current_visit(refuse_in_a_visit.organization_id) is not null then
    perform private.fail(
      'refused_in_a_visit', 403, 'Ask a member of the organization to do it: it would outlast the visit.'
    );
  end if;
end
$$;

comment on function private.refuse_in_a_visit is
  'Raises 403 refused_in_a_visit for the platform''s support while it visits. For what outlasts a visit under a permission that visits hold; a permission that guards nothing else rests in visits (permissions.rests_in_visits).';

create function private.keep_in_a_visit()
returns trigger
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.refuse_in_a_visit(new.organization_id);
  return null;
end
$$;

comment on function private.keep_in_a_visit is
  'definer: reads the platform''s visits for whoever may change the row. For what a visit leaves as it is though its role may write the table, such as an address that bookings or later mails go to: 403 refused_in_a_visit. After the row, which row level security has let through by then.';

create function private.keep_organization_in_a_visit()
returns trigger
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.refuse_in_a_visit(new.id);
  return null;
end
$$;

comment on function private.keep_organization_in_a_visit is
  'definer: reads the platform''s visits for whoever may change the row. private.keep_in_a_visit for the organization itself.';

-- Guests answer later mails to contact_email, whose footer leads to website; they call phone where a location has
-- none. A slug that is given up is anybody's to take. Who sells to them, by name and number, is the venue's to say.
create trigger organizations_keep_addresses_in_a_visit
after update of contact_email, website, phone, slug, legal_name, tax_id on public.organizations
for each row
when (
  (new.contact_email, new.website, new.phone, new.slug, new.legal_name, new.tax_id)
  is distinct from (old.contact_email, old.website, old.phone, old.slug, old.legal_name, old.tax_id)
)
execute function private.keep_organization_in_a_visit();

create function private.require_platform_admin()
returns uuid
language plpgsql
stable
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
begin
  if not exists (select from private.platform_admins as a where a.user_id = caller) then
    perform private.fail('platform_admin_required', 403, 'Only the platform''s administrators may do that.');
  end if;
  return caller;
end
$$;

comment on function private.require_platform_admin is 'The caller''s id; raises 403 platform_admin_required for everybody else.';

create function private.platform_set_organization_status(organization_id uuid, status text, reason text)
returns public.organization
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_platform_admin();
  changed public.organizations;
begin
  if not private.is_reason(platform_set_organization_status.reason) then
    perform private.fail('reason_missing', 422, 'Say why.');
  end if;
  perform private.act_as('support', caller);
  update public.organizations as o
  set status = platform_set_organization_status.status
  where o.id = platform_set_organization_status.organization_id and o.status <> 'closed'
  returning * into changed;
  if not found then
    perform private.fail('organization_not_found', 404, 'Choose an organization that is not closed.');
  end if;
  insert into private.platform_log (admin_user_id, action, organization_id, reason)
  values (caller, 'status:' || changed.status, changed.id, platform_set_organization_status.reason);
  return private.shown_organization(changed);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.platform_set_organization_status is
  'definer: writes any tenant''s status, for platform administrators.';
grant execute on function private.platform_set_organization_status to authenticated;

create function public.platform_suspend_organization(organization_id uuid, reason text)
returns public.organization
language sql
volatile
set search_path = ''
as $$ select private.platform_set_organization_status(organization_id, 'suspended', reason) $$;

comment on function public.platform_suspend_organization is
  'Takes the right to write from a tenant''s members, and its calendars from the public; reads stay. Platform administrators only. Errors: 401 not_authenticated; 403 platform_admin_required, user_required; 404 organization_not_found; 422 reason_missing.';
grant execute on function public.platform_suspend_organization to authenticated;

create function public.platform_reactivate_organization(organization_id uuid, reason text)
returns public.organization
language sql
volatile
set search_path = ''
as $$ select private.platform_set_organization_status(organization_id, 'active', reason) $$;

comment on function public.platform_reactivate_organization is
  'Ends a suspension. Platform administrators only. Errors: 401 not_authenticated; 403 platform_admin_required, user_required; 404 organization_not_found; 422 reason_missing.';
grant execute on function public.platform_reactivate_organization to authenticated;

create function private.platform_enter_organization(organization_id uuid, reason text, minutes int, role_key text)
returns public.support_entries
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_platform_admin();
  entry public.support_entries;
begin
  if not private.is_reason(platform_enter_organization.reason, 500, fewest => 10) then
    perform private.fail('reason_missing', 422, 'Say why, in 10 to 500 characters; the tenant reads it.');
  elsif coalesce(platform_enter_organization.minutes, 0) not between 1 and 480 then
    perform private.fail('duration_invalid', 422, 'Enter for 1 to 480 minutes.');
  elsif coalesce(platform_enter_organization.role_key, '') not in ('admin', 'manager', 'receptionist', 'game_master') then
    perform private.fail('role_not_found', 404, 'Enter as admin, manager, receptionist or game_master.');
  end if;
  if not exists (
    select from public.organizations as o
    where o.id = platform_enter_organization.organization_id and o.status <> 'closed'
  ) then
    perform private.fail('organization_not_found', 404, 'Choose an organization that is not closed.');
  end if;

  perform private.act_as('support', caller);
  perform private.lock_members(platform_enter_organization.organization_id);
  update public.support_entries as e
  set ended_at = least(now(), e.expires_at)
  where e.admin_user_id = caller
    and e.organization_id = platform_enter_organization.organization_id
    and e.ended_at is null;
  insert into public.support_entries (organization_id, admin_user_id, reason, role_key, expires_at)
  values (
    platform_enter_organization.organization_id, caller, platform_enter_organization.reason,
    platform_enter_organization.role_key, now() + make_interval(mins => platform_enter_organization.minutes)
  )
  returning * into entry;
  insert into public.memberships as m (organization_id, user_id, role_id, expires_at)
  select r.organization_id, caller, r.id, entry.expires_at
  from public.roles as r
  where r.organization_id = entry.organization_id and r.is_system and r.key = entry.role_key
  on conflict on constraint memberships_user_key do update
  set role_id = excluded.role_id, expires_at = excluded.expires_at, status = 'active'
  where m.expires_at is not null;
  if not found then
    perform private.fail('already_member', 409, 'You work in this organization already.');
  end if;
  insert into private.platform_log (admin_user_id, action, organization_id, reason)
  values (caller, 'enter', entry.organization_id, entry.reason);
  return entry;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.platform_enter_organization is
  'definer: writes a membership that ends by itself, for platform administrators.';
grant execute on function private.platform_enter_organization to authenticated;

create function public.platform_enter_organization(
  organization_id uuid, reason text, minutes int default 60, role_key text default 'manager'
)
returns public.support_entries
language sql
volatile
set search_path = ''
as $$ select private.platform_enter_organization(organization_id, reason, minutes, role_key) $$;

comment on function public.platform_enter_organization is
  'Support entry: a membership of 1 to 480 minutes in a system role other than owner, listed in the tenant''s support_entries and marked in its audit log. Platform administrators only. Errors: 401 not_authenticated; 403 member_barred, platform_admin_required, user_required; 404 organization_not_found, role_not_found; 409 already_member; 422 reason_missing, duration_invalid.';
grant execute on function public.platform_enter_organization to authenticated;

create function private.end_support_entry(organization_id uuid, support_entry_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  entry public.support_entries;
begin
  select e.* into entry
  from public.support_entries as e
  where e.organization_id = end_support_entry.organization_id
    and e.id = end_support_entry.support_entry_id
    and (
      e.admin_user_id = caller
      -- Not private.has_permission: a suspended organization can show its visitors out.
      or 'users:manage' in (select private.held_permissions(e.organization_id))
    );
  if not found then
    perform private.fail('support_entry_not_found', 404, 'Choose an entry that support_entries lists.');
  end if;
  perform private.lock_members(entry.organization_id);
  if entry.admin_user_id = caller then
    perform private.act_as('support', caller);
  end if;
  update public.support_entries as e
  set ended_at = least(now(), e.expires_at)
  where e.organization_id = entry.organization_id and e.id = entry.id and e.ended_at is null;
  if found then
    delete from public.memberships as m
    where m.organization_id = entry.organization_id
      and m.user_id = entry.admin_user_id
      and m.expires_at is not null;
  end if;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.end_support_entry is 'definer: deletes a membership, which no client may.';
grant execute on function private.end_support_entry to authenticated;

create function public.end_support_entry(organization_id uuid, support_entry_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.end_support_entry(organization_id, support_entry_id) $$;

comment on function public.end_support_entry is
  'Ends a support entry at once: by its administrator, or by a member with users:manage. Errors: 401 not_authenticated; 403 user_required; 404 support_entry_not_found.';
grant execute on function public.end_support_entry to authenticated;
