-- What the service's readiness probe asks.

create type service.health as (
  database text,
  migration text,
  requests_checked boolean
);

comment on type service.health is 'What the database says of itself.';
comment on column service.health.database is 'one of: ok';
comment on column service.health.migration is 'The newest version that was applied; null in a database without migrations.';
comment on column service.health.requests_checked is 'Whether PostgREST asks private.check_request before requests.';

create function private.health()
returns service.health
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  migration text;
begin
  -- The Supabase CLI makes this table; a database built from sql/ alone has none.
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    execute 'select max(version) from supabase_migrations.schema_migrations' into migration;
  end if;
  return row(
    'ok', migration, coalesce(current_setting('escapemaster.request_checked', true) = 'true', false)
  )::service.health;
end
$$;

comment on function private.health is 'definer: reads the history of migrations, which belongs to the owner.';
grant execute on function private.health to service_role;

create function service.health()
returns service.health
language sql
stable
set search_path = ''
as $$ select private.health() $$;

comment on function service.health is 'Whether the database answers, and which migration it is at.';
grant execute on function service.health to service_role;
