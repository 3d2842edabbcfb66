-- Mends what the local Auth and Storage leave otherwise than a hosted project. Runs after every
-- start of theirs, since each start writes the four functions anew; harmless when repeated.

-- Theirs read one setting a claim, which PostgREST no longer makes. These read both.
create or replace function auth.uid() returns uuid language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
  )::uuid
$$;

create or replace function auth.role() returns text language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
  )
$$;

create or replace function auth.email() returns text language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.email', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
  )
$$;

create or replace function auth.jwt() returns jsonb language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')
  )::jsonb
$$;

-- The local Auth writes metadata as JSON text inside a JSON string; hosted, it is an object.
create or replace function auth.unwrap_metadata() returns trigger language plpgsql as $$
begin
  if jsonb_typeof(new.raw_user_meta_data) = 'string' then
    new.raw_user_meta_data := (new.raw_user_meta_data #>> '{}')::jsonb;
  end if;
  if jsonb_typeof(new.raw_app_meta_data) = 'string' then
    new.raw_app_meta_data := (new.raw_app_meta_data #>> '{}')::jsonb;
  end if;
  return new;
end
$$;

create or replace trigger unwrap_metadata
before insert or update on auth.users
for each row execute function auth.unwrap_metadata();

-- Hosted, `postgres` holds all privileges on Auth's tables; here those that ours uses.
grant select, insert, update, delete, references, trigger on auth.users to postgres;
grant select, insert, delete, trigger on auth.identities to postgres;
grant select, delete on auth.sessions, auth.flow_state to postgres;

-- Row level security decides about objects and buckets, not privileges.
grant all on storage.objects, storage.buckets to anon, authenticated, service_role;

alter schema storage owner to supabase_storage_admin;
alter table storage.buckets owner to supabase_storage_admin;
alter table storage.objects owner to supabase_storage_admin;
alter table supabase_migrations.schema_migrations owner to supabase_storage_admin;
alter table supabase_migrations.seed_files owner to supabase_storage_admin;
