-- What a signed-in person does with organizations as a whole.

create type public.organization as (
  id uuid,
  name text,
  slug text,
  status text,
  timezone text,
  currency text,
  locale text
);

comment on type public.organization is 'An organization as its members see it.';
comment on column public.organization.id is 'Of the organization.';
comment on column public.organization.name is 'As its public reads it.';
comment on column public.organization.slug is 'Public address, unique on the whole platform.';
comment on column public.organization.status is 'one of organizations.status';
comment on column public.organization.timezone is 'IANA zone that new locations start with.';
comment on column public.organization.currency is 'One of get_currencies, for good.';
comment on column public.organization.locale is 'Of its own mails, and its customers'' default; one of: es, en, ca';

create type public.role_name as (
  id uuid,
  key text,
  name text
);

comment on type public.role_name is 'A role, without what it may do.';
comment on column public.role_name.id is 'Of the role.';
comment on column public.role_name.key is 'owner, admin, manager, receptionist, game_master, or of a custom role.';
comment on column public.role_name.name is 'As the organization calls it.';

create type public.joined_organization as (
  id uuid,
  name text,
  slug text,
  status text,
  timezone text,
  currency text,
  locale text,
  role public.role_name,
  permissions text []
);

comment on type public.joined_organization is 'An organization of the caller, and what the caller may do there.';
comment on column public.joined_organization.id is 'Of the organization.';
comment on column public.joined_organization.name is 'As its public reads it.';
comment on column public.joined_organization.slug is 'Public address, unique on the whole platform.';
comment on column public.joined_organization.status is 'one of organizations.status';
comment on column public.joined_organization.timezone is 'IANA zone that new locations start with.';
comment on column public.joined_organization.currency is 'One of get_currencies, for good.';
comment on column public.joined_organization.locale is 'Of its own mails, and its customers'' default; one of: es, en, ca';
comment on column public.joined_organization.role is 'The caller''s.';
comment on column public.joined_organization.permissions is 'Keys of what the role carries, in their order; in a visit of the platform''s support without what rests in visits.';

create type public.person as (
  id uuid,
  email text,
  full_name text,
  locale text
);

comment on type public.person is 'A signed-in person.';
comment on column public.person.id is 'Of the account.';
comment on column public.person.email is 'Of the account; empty without one.';
comment on column public.person.full_name is 'Empty until it was given.';
comment on column public.person.locale is 'one of: es, en, ca';

create type public.user_context as (
  "user" public.person,
  active_organization_id uuid,
  organizations public.joined_organization []
);

comment on type public.user_context is 'Who the caller is, and where the caller works.';
comment on column public.user_context."user" is 'The caller.';
comment on column public.user_context.active_organization_id is 'The organization that this request acts for; null: none.';
comment on column public.user_context.organizations is 'By name.';

create function private.shown_organization(organization public.organizations)
returns public.organization
language sql
stable
set search_path = ''
as $$
  select
    organization.id,
    organization.name,
    organization.slug,
    organization.status,
    organization.timezone,
    organization.currency,
    organization.locale
$$;

comment on function private.shown_organization is 'An organization as clients see it.';

create function private.my_context()
returns public.user_context
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
begin
  return (
    select row(
      row(p.user_id, p.email, p.full_name, p.locale)::public.person,
      (
        select m.organization_id
        from private.active_memberships as m
        join public.organizations as o on o.id = m.organization_id
        where m.organization_id = private.request_organization()
          and m.user_id = caller
          and o.status <> 'closed'
      ),
      array(
        select row(
          o.id, o.name, o.slug, o.status, o.timezone, o.currency, o.locale,
          row(r.id, r.key, r.name)::public.role_name,
          array(
            select rp.permission_key
            from public.role_permissions as rp
            join public.permissions as p on p.key = rp.permission_key
            where rp.organization_id = r.organization_id and rp.role_id = r.id
              and (m.expires_at is null or not p.rests_in_visits)
            order by rp.permission_key
          )
        )::public.joined_organization
        from private.active_memberships as m
        join public.organizations as o on o.id = m.organization_id
        join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
        where m.user_id = caller
          and o.status <> 'closed'
        order by o.name, o.id
      )
    )::public.user_context
    from public.profiles as p
    where p.user_id = caller
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.my_context is
  'definer: spans the caller''s organizations, while policies show one at a time.';
grant execute on function private.my_context to authenticated;

create function public.my_context()
returns public.user_context
language sql
stable
set search_path = ''
as $$ select private.my_context() $$;

comment on function public.my_context is
  'The caller, the organization that this request acts for (null if none), and all organizations of the caller with role and permissions. Errors: 401 not_authenticated; 403 user_required.';
grant execute on function public.my_context to authenticated;

create function public.has_permission(permission text)
returns boolean
language sql
stable
set search_path = ''
as $$ select private.organization_with(permission) is not null $$;

comment on function public.has_permission is
  'Whether the caller holds the permission in the request''s organization. Errors: 403 organization_suspended for a permission that changes something.';
grant execute on function public.has_permission to authenticated;

create function private.create_organization(
  name text,
  slug text,
  timezone text,
  currency text,
  locale text
)
returns public.organization
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  candidate text := coalesce(create_organization.slug, private.slugify(coalesce(create_organization.name, '')));
  created public.organizations;
begin
  if private.is_name(private.clean_text(create_organization.name), 120) is not true then
    perform private.fail('name_invalid', 422, 'Give the organization a name of 1 to 120 characters, on one line and without links.');
  elsif not private.is_slug(candidate) then
    perform private.fail('slug_invalid', 422, 'Use 1 to 63 lower-case letters, digits and inner hyphens.');
  elsif not coalesce(private.is_timezone(create_organization.timezone), false) then
    perform private.fail('timezone_invalid', 422, 'Name an IANA time zone by its present name, letter by letter, such as Europe/Madrid.');
  elsif private.amount_step(create_organization.currency) is null then
    perform private.fail('currency_invalid', 422, 'Choose one of the currencies of get_currencies, such as EUR.');
  elsif not coalesce(private.is_locale(create_organization.locale), false) then
    perform private.fail('locale_invalid', 422, 'Choose es, en or ca.');
  end if;
  perform private.limit_rate('create_organization', 'user', caller::text);

  loop
    insert into public.organizations (name, slug, timezone, currency, locale)
    values (
      create_organization.name, candidate, create_organization.timezone,
      create_organization.currency, create_organization.locale
    )
    on conflict on constraint organizations_slug_key do nothing
    returning * into created;
    exit when found;
    if create_organization.slug is not null then
      perform private.fail('slug_taken', 409, 'Choose another address: this one is in use.');
    end if;
    -- A wished address is refused when taken; one made from the name gets a random tail.
    candidate := private.slugify(create_organization.name) || '-' || encode(extensions.gen_random_bytes(3), 'hex');
  end loop;

  perform private.seed_system_roles(created.id, created.locale);

  insert into public.memberships (organization_id, user_id, role_id)
  select r.organization_id, caller, r.id
  from public.roles as r
  where r.organization_id = created.id and r.key = 'owner';

  update public.profiles as p
  set active_organization_id = created.id
  where p.user_id = caller;

  return private.shown_organization(created);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_organization is
  'definer: writes organizations, roles and memberships, which no client may write.';
grant execute on function private.create_organization to authenticated;

create function public.create_organization(
  name text,
  slug text default null,
  timezone text default 'Europe/Madrid',
  currency text default 'EUR',
  locale text default 'es'
)
returns public.organization
language sql
volatile
set search_path = ''
as $$ select private.create_organization(name, slug, timezone, currency, locale) $$;

comment on function public.create_organization is
  'Opens an organization with the caller as owner and makes it the caller''s active one. timezone: IANA; currency: one of get_currencies, for good; locale: es, en or ca. Errors: 401 not_authenticated; 403 user_required; 409 slug_taken; 422 name_invalid, slug_invalid, timezone_invalid, currency_invalid, locale_invalid; 429 rate_limited.';
grant execute on function public.create_organization to authenticated;

create function private.switch_organization(organization_id uuid)
returns public.user_context
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
begin
  update public.profiles as p
  set active_organization_id = m.organization_id
  from private.active_memberships as m
  join public.organizations as o on o.id = m.organization_id
  where p.user_id = caller
    and m.user_id = caller
    and m.organization_id = switch_organization.organization_id
    and o.status <> 'closed';
  if not found then
    perform private.fail('organization_not_found', 404, 'Choose one of the organizations that my_context lists.');
  end if;
  return private.my_context();
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.switch_organization is
  'definer: writes active_organization_id, which clients may not write, so that it always names a membership.';
grant execute on function private.switch_organization to authenticated;

create function public.switch_organization(organization_id uuid)
returns public.user_context
language sql
volatile
set search_path = ''
as $$ select private.switch_organization(organization_id) $$;

comment on function public.switch_organization is
  'Makes one of the caller''s organizations the active one and returns my_context. Errors: 401 not_authenticated; 403 user_required; 404 organization_not_found.';
grant execute on function public.switch_organization to authenticated;
