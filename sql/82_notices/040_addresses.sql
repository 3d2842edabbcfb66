-- Addresses that staff typed for notices, such as a shared mailbox. Nobody has an account there, so
-- nothing tells what its reader may see, nor takes it away from who leaves: what goes there names no
-- customer. And nothing goes there before somebody who reads it has said yes.

create table public.notice_addresses (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  email text not null,
  locale text not null,
  asked_at timestamptz not null default now(),
  confirmed_at timestamptz,
  stopped_at timestamptz,
  created_at timestamptz not null default now(),
  constraint notice_addresses_pkey primary key (organization_id, id),
  constraint notice_addresses_email_key unique (organization_id, email),
  constraint notice_addresses_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint notice_addresses_email_is_plausible check (private.is_email(email)),
  constraint notice_addresses_locale_is_supported check (private.is_locale(locale))
);

comment on table public.notice_addresses is
  'Addresses for notices beside the members'' own, added by add_notice_address. Notices go there once the link in a mail was followed, until the link in any of them ends it; they name no customer.';
comment on column public.notice_addresses.email is 'In lower case.';
comment on column public.notice_addresses.locale is 'Of its mails: one of: es, en, ca';
comment on column public.notice_addresses.asked_at is 'When it was last asked; the link counts for seven days.';
comment on column public.notice_addresses.confirmed_at is 'Since when it gets notices; null: nobody there has said yes, or not again.';
comment on column public.notice_addresses.stopped_at is 'When its reader ended them; null: never.';

grant select, delete on public.notice_addresses to authenticated;

alter table public.notice_addresses enable row level security;

create policy notice_addresses_select on public.notice_addresses
for select to authenticated
using (organization_id = (select private.organization_with('notices:read')));

create policy notice_addresses_delete on public.notice_addresses
for delete to authenticated
using (organization_id = (select private.organization_with('notices:manage')));

create trigger notice_addresses_are_bounded
after insert on public.notice_addresses
for each row execute function private.bound_rows('20');

create table public.notice_rule_addresses (
  organization_id uuid not null default private.organization_with('notices:manage'),
  rule_id uuid not null,
  address_id uuid not null,
  created_at timestamptz not null default now(),
  constraint notice_rule_addresses_pkey primary key (organization_id, rule_id, address_id),
  constraint notice_rule_addresses_rule_fkey foreign key (organization_id, rule_id)
  references public.notice_rules (organization_id, id) on delete cascade,
  constraint notice_rule_addresses_address_fkey foreign key (organization_id, address_id)
  references public.notice_addresses (organization_id, id) on delete cascade
);

comment on table public.notice_rule_addresses is 'The addresses that a notice rule tells, beside its members.';
comment on column public.notice_rule_addresses.created_at is 'Since when: of what happened before the address is not told by the rule.';

-- for: the foreign key, when an address is deleted
create index notice_rule_addresses_address_id_idx on public.notice_rule_addresses (organization_id, address_id);

grant select, delete on public.notice_rule_addresses to authenticated;
grant insert (organization_id, rule_id, address_id) on public.notice_rule_addresses to authenticated;

alter table public.notice_rule_addresses enable row level security;

create policy notice_rule_addresses_select on public.notice_rule_addresses
for select to authenticated
using (organization_id = (select private.organization_with('notices:read')));

create policy notice_rule_addresses_insert on public.notice_rule_addresses
for insert to authenticated
with check (organization_id = (select private.organization_with('notices:manage')));

create policy notice_rule_addresses_delete on public.notice_rule_addresses
for delete to authenticated
using (organization_id = (select private.organization_with('notices:manage')));

create type public.notice_address as (
  id uuid,
  email text,
  confirmed_at timestamptz
);

comment on type public.notice_address is 'An address for notices.';
comment on column public.notice_address.id is 'Of the address, for notice_rule_addresses.';
comment on column public.notice_address.email is 'In lower case.';
comment on column public.notice_address.confirmed_at is 'Since when it gets notices; null: a mail asks it for its yes.';

create function private.add_notice_address(organization_id uuid, email text, locale text)
returns public.notice_address
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  wanted text := private.typed_email(coalesce(add_notice_address.email, ''));
  address public.notice_addresses;
begin
  perform private.require_permission(add_notice_address.organization_id, 'notices:manage');
  if not private.is_email(wanted) then
    perform private.fail('email_invalid', 422, 'Give a complete e-mail address.');
  elsif private.is_locale(add_notice_address.locale) is not true then
    perform private.fail('locale_invalid', 422, 'Choose es, en or ca.');
  elsif private.is_barred(add_notice_address.organization_id, null, wanted) then
    perform private.fail('member_barred', 409, 'Have the bar lifted first: this person was suspended or removed.');
  end if;
  insert into public.notice_addresses as a (organization_id, email, locale)
  values (add_notice_address.organization_id, wanted, add_notice_address.locale)
  on conflict on constraint notice_addresses_email_key do update
  set locale = excluded.locale,
    asked_at = case when a.confirmed_at is null then now() else a.asked_at end
  returning * into address;
  if address.confirmed_at is null then
    perform private.enqueue(
      'email.send',
      jsonb_build_object(
        'template', 'notice_address', 'organization_id', address.organization_id, 'address_id', address.id
      ),
      concat_ws(':', 'notice_address', address.id, extract(epoch from address.asked_at)),
      address.organization_id
    );
    perform private.limit_mail(address.organization_id, address.email, 'organization');
  end if;
  return row(address.id, address.email, address.confirmed_at)::public.notice_address;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.add_notice_address is
  'definer: queues a mail, and asks who is barred, which no client may.';
grant execute on function private.add_notice_address to authenticated;

create function public.add_notice_address(organization_id uuid, email text, locale text)
returns public.notice_address
language sql
volatile
set search_path = ''
as $$ select private.add_notice_address(organization_id, email, locale) $$;

comment on function public.add_notice_address is
  'Adds an address for notices, under notices:manage, and mails it a link to say yes; again, if it has not said yes or has ended them, the mail goes out once more. locale: of its mails, es, en or ca. Errors: 403 permission_denied; 409 member_barred (it is one of somebody who was suspended or removed); 422 email_invalid, locale_invalid, too_many_rows; 429 mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.add_notice_address to authenticated;

create function private.notice_link(purpose text, address public.notice_addresses)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return concat_ws(
    '.', purpose, address.organization_id, address.id,
    private.derived_token(
      'notice_' || purpose, concat_ws(':', address.id, case purpose when 'start' then extract(epoch from address.asked_at) end)
    )
  );
end
$$;

comment on function private.notice_link is
  'What begins (start) or ends (stop) the notices to an address: which, and proof that it came from a mail to it. The one that begins them is of the last mail that asked.';

create type service.answered_notice_link as (
  organization_name text,
  is_told boolean
);

comment on type service.answered_notice_link is 'What became of an address for notices.';
comment on column service.answered_notice_link.organization_name is 'Whose bookings they are about.';
comment on column service.answered_notice_link.is_told is 'Whether it gets notices now.';

create function private.answer_notice_link(token text)
returns service.answered_notice_link
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  uuid_shape text := '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';
  purpose text := split_part(answer_notice_link.token, '.', 1);
  address public.notice_addresses;
begin
  if answer_notice_link.token ~ concat('^(start|stop)\.', uuid_shape, '\.', uuid_shape, '\.') then
    select a.* into address
    from public.notice_addresses as a
    where a.organization_id = split_part(answer_notice_link.token, '.', 2)::uuid
      and a.id = split_part(answer_notice_link.token, '.', 3)::uuid
      -- As hashes: how long it takes tells nothing of how much of it was right.
      and private.token_hash(private.notice_link(purpose, a)) = private.token_hash(answer_notice_link.token)
      and (purpose = 'stop' or a.asked_at > now() - interval '7 days')
    for update;
  end if;
  if address.id is null then
    perform private.fail('link_invalid', 404, 'Open the link as it stands in the mail; one that asks for a yes counts for seven days.');
  end if;
  perform private.act_as('customer', null);
  if purpose = 'start' and address.confirmed_at is null
    -- Ended since by its reader: only a new mail asks again.
    and (address.stopped_at is null or address.stopped_at < address.asked_at)
  then
    update public.notice_addresses as a set confirmed_at = now()
    where a.organization_id = address.organization_id and a.id = address.id
    returning * into address;
  elsif purpose = 'stop' and (address.confirmed_at is not null or address.stopped_at is null) then
    update public.notice_addresses as a set confirmed_at = null, stopped_at = now()
    where a.organization_id = address.organization_id and a.id = address.id
    returning * into address;
  end if;
  return (
    select row(o.name, address.confirmed_at is not null)::service.answered_notice_link
    from public.organizations as o
    where o.id = address.organization_id
  );
end
$$;

comment on function private.answer_notice_link is 'definer: writes for whoever has the link of a mail.';
grant execute on function private.answer_notice_link to service_role;

create function service.answer_notice_link(token text)
returns service.answered_notice_link
language sql
volatile
set search_path = ''
as $$ select private.answer_notice_link(token) $$;

comment on function service.answer_notice_link is
  'Begins or ends the notices to an address, by the link in a mail to it; asked again it says the same. Errors: 404 link_invalid.';
grant execute on function service.answer_notice_link to service_role;
