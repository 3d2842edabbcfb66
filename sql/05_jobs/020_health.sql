-- What the service's readiness probe asks.

create function private.health()
returns jsonb
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
  return jsonb_build_object(
    'database', 'ok',
    'migration', migration,
    'requests_checked', coalesce(current_setting('escapemaster.request_checked', true) = 'true', false)
  );
end
$$;

comment on function private.health is 'definer: reads the history of migrations, which belongs to the owner.';
grant execute on function private.health to service_role;

create function service.health()
returns jsonb
language sql
stable
set search_path = ''
as $$ select private.health() $$;

comment on function service.health is '{database: "ok", migration: the newest applied version, or null, requests_checked: whether PostgREST asks private.check_request before requests}.';
grant execute on function service.health to service_role;
