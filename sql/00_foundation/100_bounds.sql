-- Bounds on what a tenant defines. A visitor's question reads all windows, rules and fields of a
-- venue, so how many there may be bounds what it costs. They are far beyond what venues have.

create function private.bound_rows()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  -- Arguments: how many, then the columns beside organization_id that say of what.
  maximum int := tg_argv[0];
  scope text [] := array['organization_id'] || tg_argv[1:];
  belongs text;
  counted int;
begin
  -- Who writes at the same time is counted, too.
  perform pg_advisory_xact_lock(hashtextextended('bound_rows/' || tg_table_name || '/' || new.organization_id, 0));
  -- Not "is not distinct from", which no index answers.
  select string_agg(
    case when to_jsonb(new) -> c.name = 'null' then format('t.%I is null', c.name)
      else format('t.%1$I = ($1).%1$I', c.name) end,
    ' and '
  ) into belongs
  from unnest(scope) as c (name);
  execute format(
    'select count(*) from (select from %I.%I as t where %s limit %s) as found',
    tg_table_schema, tg_table_name, belongs, maximum + 1
  ) into counted using new;
  if counted > maximum then
    perform private.fail(
      'too_many_rows', 422, 'Remove what is not needed any more first.',
      jsonb_build_object('table', tg_table_name, 'maximum', maximum, 'per', to_jsonb(scope))
    );
  end if;
  return null;
end
$$;

comment on function private.bound_rows is
  'definer: counts rows beyond what the caller may see. Trigger, after each row: at most so many rows of an organization, or of what the further arguments name. Raises 422 too_many_rows, details {"table", "maximum", "per": [columns]}.';
