-- Profiles: one a user, made by the sign-up itself.

create table public.profiles (
  user_id uuid not null,
  email text not null default '',
  full_name text not null default '',
  locale text not null default 'es',
  active_organization_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint profiles_pkey primary key (user_id),
  constraint profiles_user_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint profiles_active_organization_fkey foreign key (active_organization_id)
  references public.organizations (id) on delete set null,
  constraint profiles_full_name_is_a_name_or_empty check (full_name = '' or private.is_typed_name(full_name, 200)),
  constraint profiles_locale_is_supported check (private.is_locale(locale))
);

comment on table public.profiles is 'What the product knows of a user beside Supabase Auth.';
comment on column public.profiles.email is 'Copy of auth.users.email, kept by a trigger, so that colleagues can be told apart.';
comment on column public.profiles.active_organization_id is
  'The organization that requests without x-organization-id act for; switched by switch_organization.';

-- for: the foreign key, when an organization is erased
create index profiles_active_organization_id_idx on public.profiles (active_organization_id);

-- Not active_organization_id: it would tell colleagues in which other organization somebody
-- works. my_context tells the user.
grant select (user_id, email, full_name, locale, created_at, updated_at) on public.profiles to authenticated;
grant update (full_name, locale) on public.profiles to authenticated;

alter table public.profiles enable row level security;

create trigger profiles_clean_names
before insert or update of full_name on public.profiles
for each row execute function private.clean_texts('names', 'full_name');

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
