-- Schemas, extensions and the rule that nothing is granted unless a file says so.

create extension if not exists btree_gist with schema extensions;
create extension if not exists pgcrypto with schema extensions;
-- Parts of words within an organization, by one index: GIN over an id and the trigrams of a text.
create extension if not exists btree_gin with schema extensions;
create extension if not exists pg_trgm with schema extensions;

create schema private;
create schema service;

comment on schema private is 'Bodies, helpers, queues, inboxes and hashes. PostgREST exposes it to nobody.';
comment on schema service is 'What the Python service may call, as service_role, and nothing else.';

revoke all on schema public from public;
grant usage on schema public to anon, authenticated;

-- The invoker wrappers in public and service call bodies in private, and policies
-- call private.organization_with: usage is needed, execute is granted one by one.
grant usage on schema private to anon, authenticated, service_role;
grant usage on schema service to service_role;

-- Hosted projects grant everything in public to the API roles by default, and
-- PostgreSQL grants execute to everybody: take both back for what we create.
alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;
