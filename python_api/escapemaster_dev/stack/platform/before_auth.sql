-- What a database holds before Auth and Storage have made their schemas.

create schema auth authorization supabase_auth_admin;
create schema storage authorization supabase_auth_admin;
create schema supabase_migrations authorization postgres;
grant usage, create on schema supabase_migrations to supabase_auth_admin, supabase_storage_admin;

create schema extensions authorization postgres;
create extension pg_stat_statements with schema extensions;

-- See roles.sql.
create schema supabase_lite;
create view supabase_lite.pg_class as
select relation.*
from pg_catalog.pg_class as relation
join pg_catalog.pg_namespace as namespace on namespace.oid = relation.relnamespace
where namespace.nspname in ('auth', 'storage');
grant usage on schema supabase_lite to supabase_auth_admin;
grant select on supabase_lite.pg_class to supabase_auth_admin;

-- Hosted projects hand every new object of `public` to the three API roles. Ours does not want
-- that: so it has to be here, to prove that the migrations take it away.
grant usage on schema public to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
grant all on functions to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
grant all on sequences to anon, authenticated, service_role;

grant usage on schema auth, storage, extensions to anon, authenticated, service_role, postgres;
