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

-- The one home of what counts: a view, since the planner takes it apart, while a function would be
-- called for every row. A visit of the platform's support counts while it lasts; who asks for a member
-- of the organization's own adds `expires_at is null`.
create view private.active_memberships with (security_invoker = true) as
select m.*
from public.memberships as m
where m.status = 'active' and (m.expires_at is null or m.expires_at > now());

comment on view private.active_memberships is
  'The memberships that count now: neither suspended nor expired. Whoever asks whether somebody may do something asks here.';

-- Which addresses members had while they worked here: whoever is barred is barred under all of them.
create table private.member_addresses (
  organization_id uuid not null,
  user_id uuid not null,
  email text not null,
  left_at timestamptz,
  constraint member_addresses_pkey primary key (organization_id, user_id, email),
  constraint member_addresses_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  -- Not to memberships: Auth changes an address under the profile's lock, which whoever removes a
  -- member asks for while holding the membership.
  constraint member_addresses_user_fkey foreign key (user_id) references public.profiles (user_id) on delete cascade
);

-- for: the foreign key, when a user is deleted
create index member_addresses_user_id_idx on private.member_addresses (user_id);
-- for: the sweep, which forgets who left
create index member_addresses_left_at_idx on private.member_addresses (left_at) where left_at is not null;

comment on table private.member_addresses is
  'Every address that a member''s account had since the membership began, in lower case. It outlives the membership by 30 days, in which who left can still be removed, and so kept out.';
comment on column private.member_addresses.left_at is 'When the membership ended; null: it goes on.';

create function private.note_member_address()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into private.member_addresses (organization_id, user_id, email)
  select m.organization_id, m.user_id, p.email
  from public.memberships as m
  join public.profiles as p on p.user_id = m.user_id
  where m.user_id = new.user_id and p.email <> ''
  on conflict on constraint member_addresses_pkey do update set left_at = null;
  return null;
end
$$;

comment on function private.note_member_address is
  'definer: Supabase Auth''s own role changes the address and may read no membership. Notes the address that a member''s account has now.';

create trigger memberships_note_member_address
after insert or update of user_id on public.memberships
for each row execute function private.note_member_address();

create trigger profiles_note_member_address
after update of email on public.profiles
for each row execute function private.note_member_address();

-- Who was suspended or removed, until somebody lets them in again. It outlives the membership and
-- the account: whoever leaves, deletes the account or comes back under another one stays out.
create table public.member_bars (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  user_id uuid,
  email text,
  other_emails text [] not null default '{}',
  cause text not null,
  barred_by uuid,
  barred_at timestamptz not null default now(),
  constraint member_bars_pkey primary key (organization_id, id),
  constraint member_bars_user_key unique (organization_id, user_id),
  constraint member_bars_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint member_bars_user_fkey foreign key (user_id) references public.profiles (user_id) on delete set null,
  constraint member_bars_barred_by_fkey foreign key (barred_by) references public.profiles (user_id) on delete set null,
  constraint member_bars_cause_is_known check (cause in ('suspended', 'removed')),
  constraint member_bars_name_somebody check (user_id is not null or email is not null)
);

comment on table public.member_bars is
  'Who may not become a member again, by account and by every address that the account had as a member or has proven since. Written by suspend_member and remove_member, lifted by reactivate_member, by lift_member_bar and by an invitation under users:manage.';
comment on column public.member_bars.user_id is 'Null once the account is deleted; the addresses bar on.';
comment on column public.member_bars.email is 'The account''s address when it was barred, in lower case; null for an account without one.';
comment on column public.member_bars.other_emails is
  'Further addresses that bar: those that the account had as a member before, and those that it has proven since.';
comment on column public.member_bars.cause is 'suspended or removed.';
comment on column public.member_bars.barred_by is 'Who suspended or removed; null when that account is deleted.';

-- for: the foreign key, when a user is deleted
create index member_bars_user_id_idx on public.member_bars (user_id);
-- for: the foreign key, when a user is deleted
create index member_bars_barred_by_idx on public.member_bars (barred_by);

select private.permission_upsert(
  'bars:read', 'users', false,
  'See who was suspended or removed, under which addresses, and by whom',
  'Ver a quién se suspendió o quitó, con qué direcciones y quién lo hizo',
  array['admin']
);

grant select on public.member_bars to authenticated;

alter table public.member_bars enable row level security;

create policy member_bars_select on public.member_bars
for select to authenticated
using (organization_id = (select private.organization_with('bars:read')));

create function private.bars_address(bar public.member_bars, email text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- One mailbox has any number of addresses: its holder would prove the next +tag.
  return coalesce(
    private.mailbox(bars_address.email) = any (
      array(select private.mailbox(a.email) from unnest(bar.email || bar.other_emails) as a (email))
    ),
    false
  );
end
$$;

comment on function private.bars_address is 'Whether the bar keeps out whoever has the address, or another one of its mailbox (private.mailbox).';

create function private.is_barred(organization_id uuid, user_id uuid, email text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  -- The address need not be proven: a wrong one keeps its typist out, and lets nobody in. The proven
  -- one counts even if the account has another, unproven one since.
  return exists (
    select from public.member_bars as b
    where b.organization_id = is_barred.organization_id
      and (
        b.user_id = is_barred.user_id
        or private.bars_address(b, is_barred.email)
        or private.bars_address(b, (select p.email from private.proven_addresses as p where p.user_id = is_barred.user_id))
      )
  );
end
$$;

comment on function private.is_barred is
  'Whether a person may not become a member of the organization, by account or by address; either may be null.';

create function private.refuse_suspended_member(bar public.member_bars)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if exists (
    select from public.memberships as m
    where m.organization_id = bar.organization_id and m.user_id = bar.user_id
  ) then
    perform private.fail('member_suspended', 409, 'Reactivate the member instead.');
  end if;
end
$$;

comment on function private.refuse_suspended_member is
  'Raises 409 member_suspended for the bar of somebody who still is a member: lifted alone, it would let the person leave and join again.';

create function private.extend_bars()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- Proven ones only: otherwise whoever is barred could name a stranger's address, and bar the stranger.
  update public.member_bars as b
  set other_emails = b.other_emails || new.email
  where b.user_id = new.user_id and not private.bars_address(b, new.email);
  return null;
end
$$;

comment on function private.extend_bars is
  'definer: Supabase Auth''s own role proves addresses and may read no bar. What a barred account proves, it is barred under, also when the account is gone.';

create trigger proven_addresses_extend_bars
after insert or update of email on private.proven_addresses
for each row execute function private.extend_bars();

create function private.lock_members(organization_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Foreign keys take less and do not wait for it.
  perform from public.organizations as o where o.id = lock_members.organization_id for no key update;
end
$$;

comment on function private.lock_members is
  'Lets those who change memberships of an organization come one after the other. Taken before any membership, role or invitation is locked; who locks several memberships then takes them in the order of their users.';

create function private.refuse_barred_member()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- After the row is there: an insert that waited for the removal of the same person's row, and one
  -- that waits here for the removal of another account of the same address, both see the bar.
  perform private.lock_members(new.organization_id);
  if private.is_barred(
    new.organization_id, new.user_id, (select p.email from public.profiles as p where p.user_id = new.user_id)
  ) then
    perform private.fail('member_barred', 403, 'Ask the organization to lift the bar: it suspended or removed you.');
  end if;
  return null;
end
$$;

comment on function private.refuse_barred_member is
  'definer: reads who is barred for whoever asks to come in. Whatever function writes, whoever is barred gets no membership and no suspended one back.';

create trigger memberships_refuse_barred_member
after insert on public.memberships
for each row execute function private.refuse_barred_member();

-- A membership that is over is used again by the next visit, and by whoever comes in where one was.
create trigger memberships_refuse_barred_member_again
after update of user_id, expires_at, status on public.memberships
for each row
when (new.status = 'active')
execute function private.refuse_barred_member();

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

comment on function private.colleagues is
  'definer: reads memberships inside the policy of profiles. The users of the request''s organization, if the caller may see them.';
grant execute on function private.colleagues to authenticated;

create policy profiles_select on public.profiles
for select to authenticated
using (user_id = (select auth.uid()) or user_id in (select private.colleagues()));

create policy profiles_update on public.profiles
for update to authenticated
using (user_id = (select auth.uid()))
with check (user_id = (select auth.uid()));
