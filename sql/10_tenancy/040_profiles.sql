-- Profiles: one a user, made by the sign-up itself.

create function private.are_preferences(preferences jsonb)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  if jsonb_typeof(preferences) <> 'object' then
    return false;
  end if;
  return (
    select coalesce(bool_and(
      case p.key
        when 'theme' then p.value in ('"auto"', '"light"', '"dark"')
        when 'view' then p.value in ('"day"', '"week"', '"month"')
        when 'week_starts_on' then p.value in ('1', '6', '7')
        when 'hour_format' then p.value in ('"12"', '"24"')
        when 'sounds' then jsonb_typeof(p.value) = 'boolean'
        else false
      end
    ), true)
    from jsonb_each(preferences) as p
  );
end
$$;

comment on function private.are_preferences is
  'Whether these are known preferences with values that they can have, as profiles.preferences lists them.';
grant execute on function private.are_preferences to authenticated;

create table public.profiles (
  user_id uuid not null,
  email text not null default '',
  full_name text not null default '',
  locale text not null default 'es',
  active_organization_id uuid,
  phone text,
  preferences jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint profiles_pkey primary key (user_id),
  constraint profiles_user_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint profiles_active_organization_fkey foreign key (active_organization_id)
  references public.organizations (id) on delete set null,
  constraint profiles_full_name_is_a_name_or_empty check (full_name = '' or private.is_typed_name(full_name, 200)),
  constraint profiles_locale_is_supported check (private.is_locale(locale)),
  constraint profiles_phone_can_be_called check (private.is_phone(phone)),
  constraint profiles_preferences_are_known check (private.are_preferences(preferences))
);

comment on table public.profiles is 'What the product knows of a user beside Supabase Auth.';
comment on column public.profiles.email is 'Copy of auth.users.email, kept by a trigger, so that colleagues can be told apart.';
comment on column public.profiles.active_organization_id is
  'The organization that requests without x-organization-id act for; switched by switch_organization.';

comment on column public.profiles.phone is 'By which colleagues reach the person; null: not said.';
comment on column public.profiles.preferences is
  'How the venue''s screens look to the person, each key optional: {"theme": auto, light or dark; "view": day, week or month; "week_starts_on": ISO weekday 1, 6 or 7; "hour_format": "12" or "24"; "sounds": true or false}. Colleagues with users:read can read it.';

-- for: the foreign key, when an organization is erased
create index profiles_active_organization_id_idx on public.profiles (active_organization_id);

-- Not active_organization_id: it would tell colleagues in which other organization somebody
-- works. my_context tells the user.
grant select (user_id, email, full_name, locale, phone, preferences, created_at, updated_at) on public.profiles to authenticated;
grant update (full_name, locale, phone, preferences) on public.profiles to authenticated;

alter table public.profiles enable row level security;

create trigger profiles_clean_names
before insert or update of full_name, phone on public.profiles
for each row execute function private.clean_texts('names', 'full_name', 'phone');

create trigger profiles_touch_updated_at
before update on public.profiles
for each row execute function private.touch_updated_at();

create function private.follow_auth_user()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  wished_locale text := new.raw_user_meta_data ->> 'locale';
begin
  insert into public.profiles (user_id, email, full_name, locale)
  values (
    new.id,
    coalesce(lower(new.email), ''),
    -- Nobody's sign-up fails for a name that is none.
    private.tamed_name(coalesce(new.raw_user_meta_data ->> 'full_name', ''), 200),
    case when private.is_locale(wished_locale) then wished_locale else 'es' end
  )
  on conflict (user_id) do update set email = excluded.email;
  return new;
end
$$;

comment on function private.follow_auth_user is
  'definer: Supabase Auth''s own role has no right on public.profiles. Makes the profile at sign-up and keeps its e-mail.';

create function private.calling_person()
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select p.user_id from public.profiles as p where p.user_id = auth.uid());
end
$$;

comment on function private.calling_person is 'The calling user''s id, as a row may refer to it; null for an API key and for nobody.';

create trigger follow_auth_user
after insert or update of email on auth.users
for each row execute function private.follow_auth_user();
