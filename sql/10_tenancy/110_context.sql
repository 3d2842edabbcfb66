-- What a signed-in person does with organizations as a whole.

create function private.organization_json(organization public.organizations)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'id', organization.id,
    'name', organization.name,
    'slug', organization.slug,
    'status', organization.status,
    'timezone', organization.timezone,
    'currency', organization.currency,
    'locale', organization.locale
  )
$$;

comment on function private.organization_json is 'An organization as clients see it.';

create function private.my_context()
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
begin
  return (
    select jsonb_build_object(
      'user', jsonb_build_object('id', p.user_id, 'email', p.email, 'full_name', p.full_name, 'locale', p.locale),
      'active_organization_id', (
        select m.organization_id
        from private.active_memberships as m
        join public.organizations as o on o.id = m.organization_id
        where m.organization_id = private.request_organization()
          and m.user_id = caller
          and o.status <> 'closed'
      ),
      'organizations', coalesce((
        select jsonb_agg(
          private.organization_json(o) || jsonb_build_object(
            'role', jsonb_build_object('id', r.id, 'key', r.key, 'name', r.name),
            'permissions', (
              select coalesce(jsonb_agg(rp.permission_key order by rp.permission_key), '[]')
              from public.role_permissions as rp
              where rp.organization_id = r.organization_id and rp.role_id = r.id
            )
          )
          order by o.name, o.id
        )
        from private.active_memberships as m
        join public.organizations as o on o.id = m.organization_id
        join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
        where m.user_id = caller
          and o.status <> 'closed'
      ), '[]')
    )
    from public.profiles as p
    where p.user_id = caller
  );
end
$$;

comment on function private.my_context is
  'definer: spans the caller''s organizations, while policies show one at a time.';
grant execute on function private.my_context to authenticated;

create function public.my_context()
returns jsonb
language sql
stable
set search_path = ''
as $$ select private.my_context() $$;

comment on function public.my_context is
  'The caller, the organization that this request acts for (null if none), and all organizations of the caller with role and permissions. Errors: 401 not_authenticated.';
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
returns jsonb
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

  return private.organization_json(created);
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
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.create_organization(name, slug, timezone, currency, locale) $$;

comment on function public.create_organization is
  'Opens an organization with the caller as owner and makes it the caller''s active one. timezone: IANA; currency: one of get_currencies, for good; locale: es, en or ca. Errors: 401 not_authenticated; 409 slug_taken; 422 name_invalid, slug_invalid, timezone_invalid, currency_invalid, locale_invalid; 429 rate_limited.';
grant execute on function public.create_organization to authenticated;

create function private.switch_organization(organization_id uuid)
returns jsonb
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
end
$$;

comment on function private.switch_organization is
  'definer: writes active_organization_id, which clients may not write, so that it always names a membership.';
grant execute on function private.switch_organization to authenticated;

create function public.switch_organization(organization_id uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.switch_organization(organization_id) $$;

comment on function public.switch_organization is
  'Makes one of the caller''s organizations the active one and returns my_context. Errors: 401 not_authenticated; 404 organization_not_found.';
grant execute on function public.switch_organization to authenticated;
