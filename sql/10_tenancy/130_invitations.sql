-- Invitations: by e-mail, with a role, for seven days, to be used once.

select private.permission_upsert(
  'users:invite', 'users', true,
  'Invite people and take invitations back', 'Invitar a personas y retirar invitaciones',
  array['admin', 'manager'],
  rests_in_visits => true
);

create table public.invitations (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  email text not null,
  role_id uuid not null,
  locale text not null default 'es',
  invited_by uuid,
  expires_at timestamptz not null default now() + interval '7 days',
  accepted_at timestamptz,
  accepted_by uuid,
  revoked_at timestamptz,
  created_at timestamptz not null default now(),
  constraint invitations_pkey primary key (organization_id, id),
  constraint invitations_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint invitations_role_fkey foreign key (organization_id, role_id)
  references public.roles (organization_id, id) on delete cascade,
  constraint invitations_invited_by_fkey foreign key (invited_by) references public.profiles (user_id) on delete set null,
  constraint invitations_accepted_by_fkey foreign key (accepted_by) references public.profiles (user_id) on delete set null,
  constraint invitations_email_is_plausible check (private.is_email(email)),
  constraint invitations_locale_is_supported check (private.is_locale(locale)),
  constraint invitations_end_once check (accepted_at is null or revoked_at is null)
);

comment on table public.invitations is
  'An offer of a membership to whoever owns an e-mail address. The token is in the mail only; its hash is in private.invitation_secrets.';
comment on column public.invitations.email is 'Lower case. Only a user whose proven address this is can accept.';
comment on column public.invitations.locale is 'Language of the mail.';

-- for: inviting an address again, which replaces its one pending invitation
create unique index invitations_pending_email_key on public.invitations (organization_id, email)
where accepted_at is null and revoked_at is null;
-- for: the foreign key, when a role is deleted
create index invitations_role_id_idx on public.invitations (organization_id, role_id);
-- for: the invitations of a member who leaves, and the foreign key
create index invitations_invited_by_idx on public.invitations (invited_by);
-- for: the foreign key, when a user is deleted
create index invitations_accepted_by_idx on public.invitations (accepted_by);

grant select on public.invitations to authenticated;

alter table public.invitations enable row level security;

create policy invitations_select on public.invitations
for select to authenticated
-- Not users:invite: that changes something, and a suspended organization keeps its reads.
using (organization_id = (select private.organization_with('users:read')));

create table private.invitation_secrets (
  organization_id uuid not null,
  invitation_id uuid not null,
  token_hash bytea not null,
  constraint invitation_secrets_pkey primary key (organization_id, invitation_id),
  constraint invitation_secrets_token_hash_key unique (token_hash),
  constraint invitation_secrets_invitation_fkey foreign key (organization_id, invitation_id)
  references public.invitations (organization_id, id) on delete cascade
);

comment on table private.invitation_secrets is 'Hashes of invitation tokens, apart from the rows that staff can read.';

create type public.invitation as (
  id uuid,
  email text,
  role_id uuid,
  expires_at timestamptz
);

comment on type public.invitation is 'An invitation that was sent; its token goes out by mail only.';
comment on column public.invitation.id is 'Of the invitation.';
comment on column public.invitation.email is 'Whom it was sent to, in lower case.';
comment on column public.invitation.role_id is 'What it makes of who accepts.';
comment on column public.invitation.expires_at is 'Until when it can be accepted.';

create function private.invite_member(organization_id uuid, email text, role_id uuid)
returns public.invitation
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  wanted_email text := private.typed_email(coalesce(invite_member.email, ''));
  invited public.invitations;
begin
  perform private.require_permission_over_members(invite_member.organization_id, 'users:invite');
  if not private.is_email(wanted_email) then
    perform private.fail('email_invalid', 422, 'Give a complete e-mail address.');
  end if;
  perform private.require_role_within_reach(invite_member.organization_id, invite_member.role_id);
  if exists (
    select
    from public.memberships as m
    join public.profiles as p on p.user_id = m.user_id
    where m.organization_id = invite_member.organization_id
      and p.email = wanted_email
      and m.expires_at is null
  ) then
    perform private.fail('already_member', 409, 'This person works here already.');
  elsif private.is_barred(invite_member.organization_id, null, wanted_email) then
    -- Who may remove a person lets one in again by inviting the address that was barred; for whoever
    -- only invites it is no way round, and nobody lifts a bar by an address not known to be the person's.
    if not private.has_permission(invite_member.organization_id, 'users:manage')
      or exists (
        select from public.member_bars as b
        where b.organization_id = invite_member.organization_id
          and private.bars_address(b, wanted_email)
          and b.email is distinct from wanted_email
      )
    then
      perform private.fail('member_barred', 409, 'Have the bar lifted first by somebody with users:manage: this person was suspended or removed.');
    end if;
    perform private.refuse_suspended_member(b)
    from public.member_bars as b
    where b.organization_id = invite_member.organization_id and b.email = wanted_email;
    delete from public.member_bars as b
    where b.organization_id = invite_member.organization_id and b.email = wanted_email;
  end if;
  perform private.limit_rate('invite_member', 'target', invite_member.organization_id::text);

  -- Inviting again replaces the pending invitation: the old link stops working.
  update public.invitations as i
  set revoked_at = now()
  where i.organization_id = invite_member.organization_id
    and i.email = wanted_email
    and i.accepted_at is null and i.revoked_at is null;

  insert into public.invitations (organization_id, email, role_id, locale, invited_by)
  select o.id, wanted_email, invite_member.role_id, o.locale, caller
  from public.organizations as o
  where o.id = invite_member.organization_id
  on conflict do nothing
  returning * into invited;
  if not found then
    perform private.fail('invitation_exists', 409, 'Somebody invited this address at the same moment.');
  end if;

  insert into private.invitation_secrets (organization_id, invitation_id, token_hash)
  values (
    invited.organization_id, invited.id,
    private.token_hash(private.derived_token('invitation', invited.id::text))
  );
  perform private.enqueue(
    'email.send',
    jsonb_build_object('template', 'invitation', 'organization_id', invited.organization_id, 'invitation_id', invited.id),
    'email:invitation:' || invited.id,
    invited.organization_id
  );
  perform private.limit_mail(invited.organization_id, invited.email, 'organization');
  return row(invited.id, invited.email, invited.role_id, invited.expires_at)::public.invitation;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.invite_member is
  'definer: writes invitations and queues a mail, which no client may.';
grant execute on function private.invite_member to authenticated;

create function public.invite_member(organization_id uuid, email text, role_id uuid)
returns public.invitation
language sql
volatile
set search_path = ''
as $$ select private.invite_member(organization_id, email, role_id) $$;

comment on function public.invite_member is
  'Offers a membership to an address, under users:invite, in a role within the caller''s own permissions; the token goes out by mail only. Somebody who was removed, or left while suspended, is let in again by an invitation under users:manage to the address that was barred. It can be accepted as long as the caller could still send it. Errors: 401 not_authenticated; 403 permission_denied, permission_not_held, user_required; 404 role_not_found; 409 already_member, invitation_exists, member_barred, member_suspended (the address is a former one of somebody who still is a member); 422 email_invalid; 429 rate_limited, mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.invite_member to authenticated;

create function private.revoke_invitation(organization_id uuid, invitation_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(revoke_invitation.organization_id, 'users:invite');
  update public.invitations as i
  set revoked_at = coalesce(i.revoked_at, now())
  where i.organization_id = revoke_invitation.organization_id
    and i.id = revoke_invitation.invitation_id
    and i.accepted_at is null;
  if not found then
    perform private.fail('invitation_not_found', 404, 'Choose an invitation of this organization that was not accepted.');
  end if;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.revoke_invitation is 'definer: writes invitations, which no client may write.';
grant execute on function private.revoke_invitation to authenticated;

create function public.revoke_invitation(organization_id uuid, invitation_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.revoke_invitation(organization_id, invitation_id) $$;

comment on function public.revoke_invitation is
  'Takes an invitation back that was not accepted, under users:invite; again, the same. Errors: 403 permission_denied; 404 invitation_not_found.';
grant execute on function public.revoke_invitation to authenticated;

create function private.may_invite(organization_id uuid, user_id uuid, role_id uuid)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select
    from private.active_memberships as m
    join public.role_permissions as inviting
      on inviting.organization_id = m.organization_id
      and inviting.role_id = m.role_id
      and inviting.permission_key = 'users:invite'
    join public.roles as offered
      on offered.organization_id = m.organization_id and offered.id = may_invite.role_id
    where m.organization_id = may_invite.organization_id
      and m.user_id = may_invite.user_id
      and m.expires_at is null
      and (m.role_id = offered.id or not (offered.is_system and offered.key = 'owner'))
      and not exists (
        select from public.role_permissions as wanted
        where wanted.organization_id = offered.organization_id
          and wanted.role_id = offered.id
          and wanted.permission_key not in (
            select held.permission_key
            from public.role_permissions as held
            where held.organization_id = m.organization_id and held.role_id = m.role_id
          )
      )
  )
$$;

comment on function private.may_invite is
  'Whether the user may invite people, now, and holds all that the offered role holds.';

create function private.accept_invitation(token text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  invited public.invitations;
  organization_status text;
  first_membership boolean;
begin
  perform private.limit_rate('accept_invitation', 'user', caller::text);
  -- Before the organization: Auth holds the account when what it does reaches a venue's bars.
  perform private.lock_account(caller);
  perform private.lock_members(s.organization_id)
  from private.invitation_secrets as s
  where s.token_hash = private.typed_token_hash(coalesce(accept_invitation.token, ''));
  -- The row's lock makes racing acceptances wait, and the second one finds it used.
  select i.* into invited
  from private.invitation_secrets as s
  join public.invitations as i on i.organization_id = s.organization_id and i.id = s.invitation_id
  where s.token_hash = private.typed_token_hash(coalesce(accept_invitation.token, ''))
  for update of i;
  if not found or invited.revoked_at is not null then
    return private.refusal('invitation_not_found', 404, 'Ask for a new invitation: this one does not exist or was taken back.');
  elsif invited.accepted_at is not null then
    return private.refusal('invitation_used', 409, 'Sign in as the person who accepted it, or ask for a new invitation.');
  elsif invited.expires_at <= now() then
    return private.refusal('invitation_expired', 410, 'Ask for a new invitation: this one is older than seven days.');
  elsif not exists (select from auth.users as u where u.id = caller and lower(u.email) = invited.email) then
    return private.refusal('invitation_for_another_email', 403, 'Sign in with the address that the invitation was sent to.');
  elsif private.caller_proven_email() is distinct from invited.email then
    return private.refusal('email_not_proven', 403, 'Sign in by a link or code that is mailed to your address, then try again in that session.');
  elsif not private.may_invite(invited.organization_id, invited.invited_by, invited.role_id) then
    -- An invitation does not outlive the right of the person who sent it.
    return private.refusal('invitation_not_found', 404, 'Ask for a new invitation: this one does not exist or was taken back.');
  end if;
  select o.status into strict organization_status
  from public.organizations as o
  where o.id = invited.organization_id;
  if organization_status = 'suspended' then
    return private.refusal('organization_suspended', 403, 'The organization is suspended: nobody can join it now.');
  elsif organization_status = 'closed' then
    return private.refusal('invitation_not_found', 404, 'Ask for a new invitation: this one does not exist or was taken back.');
  end if;
  first_membership := not exists (select from public.memberships as m where m.user_id = caller);
  insert into public.memberships as m (organization_id, user_id, role_id)
  values (invited.organization_id, caller, invited.role_id)
  on conflict on constraint memberships_user_key do update
  set role_id = excluded.role_id, status = 'active', expires_at = null
  -- What is left of a support entry that has ended by itself.
  where m.expires_at <= now();
  if not found then
    return private.refusal('already_member', 409, 'You work in this organization already.');
  end if;
  update public.invitations as i
  set accepted_at = now(), accepted_by = caller
  where i.organization_id = invited.organization_id and i.id = invited.id;
  update public.profiles as p
  set active_organization_id = invited.organization_id
  where p.user_id = caller;
  -- The venue's data is for whoever accepted, and not for who could sign in to the account before.
  if not private.trust_sign_in(caller, invited.email) and first_membership then
    perform private.end_sessions(caller, nullif(private.jwt_claims() ->> 'session_id', '')::uuid);
  end if;
  return to_jsonb(private.my_context());
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.accept_invitation is
  'definer: reads the invitation of a stranger''s organization by its token and writes the membership.';
grant execute on function private.accept_invitation to authenticated;

create function public.accept_invitation(token text)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.accept_invitation(token) $$;

comment on function public.accept_invitation is
  'Turns an invitation into a membership and makes that organization the active one. If it is the account''s first one, all other sessions end; if the account''s sign-in was not settled, it is, as by reset_sign_in. Answers public.user_context. Errors: 401 not_authenticated; 403 invitation_for_another_email, email_not_proven (the account has the address, and no mail to it came back yet, or it counts only in a session that a mail opened), member_barred, organization_suspended, user_required; 404 invitation_not_found; 409 invitation_used, already_member, plan_limit_reached (details {"limit", "maximum", "used", "plan"}; the invitation stays good); 410 invitation_expired; 429 rate_limited.';
grant execute on function public.accept_invitation to authenticated;
