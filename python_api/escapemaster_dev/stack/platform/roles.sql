-- The roles of a hosted project, once a cluster. Passwords are set beside this file.

-- Applies the migrations and owns our objects. No superuser, as on hosted projects, so that a
-- migration which could not run there fails here.
create role postgres login createdb createrole replication bypassrls;

create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;

-- PostgREST logs in as this one and becomes one of the three above for each request.
create role authenticator login noinherit;
grant anon to authenticator;
grant authenticated to authenticator;
grant service_role to authenticator;
grant anon to postgres with admin option;
grant authenticated to postgres with admin option;
grant service_role to postgres with admin option;
grant authenticator to postgres with admin option;
-- Everybody's statements and connections are counted and shown, as to `supabase inspect db`.
grant pg_monitor to postgres;
-- Hosted projects let `postgres` give the authenticator PostgREST's settings (supautils: pgrst.*).
do $$
begin
  execute 'grant set on parameter pgrst.db_pre_request, pgrst.db_plan_enabled to postgres';
end
$$;

-- A request that takes longer is ended, as on hosted projects.
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';

-- Auth and Storage: one local program, which logs in as supabase_auth_admin. What hosted lets
-- `postgres` do to Storage's tables (policies) comes with the membership.
create role supabase_storage_admin nologin;
create role supabase_auth_admin login;
grant supabase_storage_admin to supabase_auth_admin;
grant supabase_storage_admin to postgres;
grant anon to supabase_auth_admin;
grant authenticated to supabase_auth_admin;
grant service_role to supabase_auth_admin;
alter role supabase_auth_admin set client_min_messages = warning;

-- That program grants all tables of every schema that has row level security to anon and
-- authenticated, at the first request for an object. Its first look at the catalogue therefore
-- shows it its own schemas only (supabase_lite.pg_class, made in before_auth.sql), and it is no
-- superuser: were the look ever to fail, its grants would be refused.
alter role supabase_auth_admin set search_path = supabase_lite, pg_catalog, auth;
