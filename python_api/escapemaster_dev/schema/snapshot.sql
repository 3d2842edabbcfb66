-- The canonical listing of everything that sql/ may create, one fact a row.
--
-- It knows nothing of migrations: two databases are equal when their listings are. Column
-- order is left out on purpose, since `alter table … add column` can only append while
-- sql/ puts a column where it belongs. Roles are left out because they belong to the whole
-- server. What extensions own is left out, the extensions themselves are listed.

with

platform_schemas as (
  -- Supabase's own: only what we hang onto them is listed.
  select n.oid
  from pg_catalog.pg_namespace as n
  where n.nspname in (
    'auth', 'storage', 'realtime', '_realtime', 'graphql', 'graphql_public', 'vault', 'cron',
    'net', 'pgbouncer', 'pgsodium', 'supabase_functions', 'supabase_migrations', '_analytics'
  )
),

our_schemas as (
  select n.oid, n.nspname
  from pg_catalog.pg_namespace as n
  where n.nspname !~ '^pg_'
    and n.nspname <> 'information_schema'
    and n.oid not in (select oid from platform_schemas)
),

of_extension as (
  select d.classid, d.objid
  from pg_catalog.pg_depend as d
  where d.deptype = 'e'
),

our_relations as (
  select
    c.*,
    format(
      '%s %I.%I',
      case c.relkind
        when 'r' then 'table' when 'p' then 'table' when 'v' then 'view'
        when 'm' then 'materialized view' when 'S' then 'sequence'
        when 'f' then 'foreign table' else 'composite type'
      end,
      s.nspname, c.relname
    ) as object
  from pg_catalog.pg_class as c
  join our_schemas as s on s.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f', 'c')
    and not exists (
      select from of_extension as e
      where e.classid = 'pg_catalog.pg_class'::regclass and e.objid = c.oid
    )
),

platform_relations as (
  select c.*, format('platform table %I.%I', n.nspname, c.relname) as object
  from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where c.relnamespace in (select oid from platform_schemas)
    and n.nspname in ('auth', 'storage')
    and c.relkind in ('r', 'p', 'v')
),

our_functions as (
  select
    p.*,
    format(
      '%s %I.%I(%s)',
      case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end,
      s.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)
    ) as object
  from pg_catalog.pg_proc as p
  join our_schemas as s on s.oid = p.pronamespace
  where not exists (
    select from of_extension as e
    where e.classid = 'pg_catalog.pg_proc'::regclass and e.objid = p.oid
  )
),

our_types as (
  select t.*, format('type %I.%I', s.nspname, t.typname) as object
  from pg_catalog.pg_type as t
  join our_schemas as s on s.oid = t.typnamespace
  where t.typtype in ('e', 'd', 'r')
    and not exists (
      select from of_extension as e
      where e.classid = 'pg_catalog.pg_type'::regclass and e.objid = t.oid
    )
),

-- Privileges, with the built-in ones spelled out where nobody has changed them.
privileges as (
  select 'schema ' || quote_ident(n.nspname) as object, '' as part, a.*
  from pg_catalog.pg_namespace as n
  join our_schemas as s on s.oid = n.oid
  cross join lateral aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) as a
  union all
  select c.object, '', a.*
  from our_relations as c
  cross join lateral aclexplode(
    coalesce(c.relacl, acldefault(case when c.relkind = 'S' then 's' else 'r' end::"char", c.relowner))
  ) as a
  where c.relkind <> 'c'
  union all
  select c.object, '', a.*
  from platform_relations as c
  cross join lateral aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) as a
  union all
  select c.object, ' (' || quote_ident(t.attname) || ')', a.*
  from (
    select oid, object from our_relations
    union all
    select oid, object from platform_relations
  ) as c
  join pg_catalog.pg_attribute as t on t.attrelid = c.oid
  cross join lateral aclexplode(t.attacl) as a
  union all
  select p.object, '', a.*
  from our_functions as p
  cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
  union all
  select t.object, '', a.*
  from our_types as t
  cross join lateral aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) as a
  union all
  select
    'default privileges of ' || quote_ident(d.defaclrole::regrole::text)
    || coalesce(' in schema ' || quote_ident(n.nspname), ''),
    ' on ' || case d.defaclobjtype
      when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
      when 'T' then 'types' else 'schemas'
    end,
    a.*
  from pg_catalog.pg_default_acl as d
  left join pg_catalog.pg_namespace as n on n.oid = d.defaclnamespace
  cross join lateral aclexplode(d.defaclacl) as a
),

facts (object, section, line) as (

  select 'schema ' || quote_ident(s.nspname), 0, 'owner ' || n.nspowner::regrole
  from our_schemas as s
  join pg_catalog.pg_namespace as n on n.oid = s.oid

  union all
  select
    'extension ' || quote_ident(e.extname), 0,
    'schema ' || e.extnamespace::regnamespace || ', version ' || e.extversion
  from pg_catalog.pg_extension as e

  -- Tables, views, sequences -------------------------------------------------------------

  union all
  select
    c.object, 0,
    'owner ' || c.relowner::regrole
    || case c.relpersistence when 'u' then ', unlogged' else '' end
    || case when c.relkind = 'p' then ', partition by ' || pg_catalog.pg_get_partkeydef(c.oid) else '' end
    || case when c.relispartition then ', partition ' || pg_catalog.pg_get_expr(c.relpartbound, c.oid) else '' end
    || case when c.relrowsecurity then ', row level security' else '' end
    || case when c.relforcerowsecurity then ', forced' else '' end
    || case c.relreplident when 'd' then '' when 'n' then '' else ', replica identity ' || c.relreplident::text end
    || coalesce(', with (' || array_to_string(c.reloptions, ', ') || ')', '')
  from our_relations as c

  union all
  select
    c.object, 1,
    -- Rows are made of a type's fields in their order; of a table's columns they are made by name.
    case when c.relkind = 'c' then 'field ' || count(*) over earlier else 'column' end
    || ' ' || quote_ident(a.attname) || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
    || case
      when a.attcollation <> 0 and a.attcollation <> t.typcollation
        then ' collate ' || a.attcollation::regcollation
      else ''
    end
    || case when a.attnotnull then ' not null' else '' end
    || case
      when a.attgenerated = 's' then ' generated always as (' || pg_catalog.pg_get_expr(d.adbin, d.adrelid) || ') stored'
      when d.adbin is not null then ' default ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid)
      else ''
    end
    || case a.attidentity when 'a' then ' identity always' when 'd' then ' identity by default' else '' end
    || case when a.attstorage <> t.typstorage then ' storage ' || a.attstorage::text else '' end
    || case when a.attcompression <> '' then ' compression ' || a.attcompression::text else '' end
    || coalesce(' (' || array_to_string(a.attoptions, ', ') || ')', '')
  from our_relations as c
  join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  join pg_catalog.pg_type as t on t.oid = a.atttypid
  left join pg_catalog.pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
  where c.relkind <> 'S'
  window earlier as (partition by c.oid order by a.attnum)

  union all
  select
    c.object, 1,
    format(
      'sequence as %s start %s increment %s minimum %s maximum %s cache %s%s',
      q.seqtypid::regtype, q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache,
      case when q.seqcycle then ' cycle' else '' end
    )
    || coalesce((
      select ' owned by ' || d.refobjid::regclass || '.' || quote_ident(a.attname)
      from pg_catalog.pg_depend as d
      join pg_catalog.pg_attribute as a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
      where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
    ), '')
  from our_relations as c
  join pg_catalog.pg_sequence as q on q.seqrelid = c.oid

  union all
  select c.object, 2, 'definition' || E'\n' || pg_catalog.pg_get_viewdef(c.oid)
  from our_relations as c
  where c.relkind in ('v', 'm')

  union all
  select c.object, 2, 'inherits ' || i.inhparent::regclass
  from our_relations as c
  join pg_catalog.pg_inherits as i on i.inhrelid = c.oid

  -- What hangs onto a table, ours or the platform's --------------------------------------

  union all
  select
    coalesce(c.object, t.object), 3,
    'constraint ' || quote_ident(k.conname) || ' ' || pg_catalog.pg_get_constraintdef(k.oid)
    || case when k.convalidated then '' else ' not valid' end
  from pg_catalog.pg_constraint as k
  left join our_relations as c on c.oid = k.conrelid
  left join our_types as t on t.oid = k.contypid and k.contypid <> 0
  where coalesce(c.object, t.object) is not null
    -- A foreign key on one of our tables belongs to our table, whatever it refers to.
    and k.contype <> 't'

  union all
  select
    c.object, 4,
    'index ' || pg_catalog.pg_get_indexdef(i.indexrelid)
    || case when i.indisvalid then '' else ' invalid' end
    || case when i.indisclustered then ' clustered' else '' end
    || case when i.indisreplident then ' replica identity' else '' end
  from our_relations as c
  join pg_catalog.pg_index as i on i.indrelid = c.oid

  union all
  select c.object, 5, 'statistics ' || pg_catalog.pg_get_statisticsobjdef(s.oid)
  from our_relations as c
  join pg_catalog.pg_statistic_ext as s on s.stxrelid = c.oid

  union all
  select
    coalesce(c.object, f.object), 6,
    'policy ' || quote_ident(p.polname)
    || case when p.polpermissive then '' else ' restrictive' end
    || ' for ' || case p.polcmd
      when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
    end
    || ' to ' || (
      select string_agg(case when r = 0 then 'public' else r::regrole::text end, ', ' order by r::regrole::text)
      from unnest(p.polroles) as r
    )
    || coalesce(E'\nusing (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', '')
    || coalesce(E'\nwith check (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
  from pg_catalog.pg_policy as p
  left join our_relations as c on c.oid = p.polrelid
  left join platform_relations as f on f.oid = p.polrelid
  where coalesce(c.object, f.object) is not null

  union all
  select
    coalesce(c.object, f.object), 7,
    'trigger ' || pg_catalog.pg_get_triggerdef(t.oid)
    || case t.tgenabled when 'O' then '' else ' (enabled: ' || t.tgenabled::text || ')' end
  from pg_catalog.pg_trigger as t
  left join our_relations as c on c.oid = t.tgrelid
  left join platform_relations as f
    on f.oid = t.tgrelid and t.tgfoid in (select oid from our_functions)
  where not t.tgisinternal and coalesce(c.object, f.object) is not null

  union all
  select c.object, 8, 'rule ' || pg_catalog.pg_get_ruledef(r.oid)
  from our_relations as c
  join pg_catalog.pg_rewrite as r on r.ev_class = c.oid and r.rulename <> '_RETURN'

  union all
  select c.object, 8, 'published by ' || quote_ident(p.pubname) || coalesce(' where ' || pg_catalog.pg_get_expr(r.prqual, r.prrelid), '')
  from our_relations as c
  join pg_catalog.pg_publication_rel as r on r.prrelid = c.oid
  join pg_catalog.pg_publication as p on p.oid = r.prpubid

  -- Functions and types --------------------------------------------------------------------

  union all
  select p.object, 0, 'owner ' || p.proowner::regrole
  from our_functions as p

  union all
  select p.object, 1, 'definition' || E'\n' || pg_catalog.pg_get_functiondef(p.oid)
  from our_functions as p
  where p.prokind <> 'a'

  union all
  select
    p.object, 1,
    format(
      'aggregate %s, state %s, final %s, initial %L',
      a.aggtransfn, a.aggtranstype::regtype, a.aggfinalfn, a.agginitval
    )
  from our_functions as p
  join pg_catalog.pg_aggregate as a on a.aggfnoid = p.oid

  union all
  select t.object, 0, 'owner ' || t.typowner::regrole
  from our_types as t

  union all
  select
    t.object, 1,
    'domain over ' || pg_catalog.format_type(t.typbasetype, t.typtypmod)
    || case when t.typnotnull then ' not null' else '' end
    || coalesce(' default ' || t.typdefault, '')
  from our_types as t
  where t.typtype = 'd'

  union all
  select t.object, 1, 'values ' || string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
  from our_types as t
  join pg_catalog.pg_enum as e on e.enumtypid = t.oid
  group by t.object

  union all
  select t.object, 1, 'range of ' || r.rngsubtype::regtype
  from our_types as t
  join pg_catalog.pg_range as r on r.rngtypid = t.oid

  -- Privileges, comments, the rest -----------------------------------------------------------

  union all
  select
    p.object, 9,
    'grant ' || string_agg(
      lower(p.privilege_type) || case when p.is_grantable then ' with grant option' else '' end,
      ', ' order by p.privilege_type
    )
    || p.part || ' to ' || case when p.grantee = 0 then 'public' else p.grantee::regrole::text end
  from privileges as p
  group by p.object, p.part, p.grantee

  union all
  select
    c.object, 10,
    'comment' || case when d.objsubid = 0 then '' else ' on column ' || quote_ident(a.attname) end
    || ' ' || quote_literal(d.description)
  from our_relations as c
  join pg_catalog.pg_description as d
    on d.classoid = 'pg_catalog.pg_class'::regclass and d.objoid = c.oid
  left join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = d.objsubid

  union all
  select o.object, 10, 'comment on ' || o.part || ' ' || quote_literal(d.description)
  from (
    select 'schema ' || quote_ident(s.nspname) as object, 'schema' as part, 'pg_namespace' as catalogue, s.oid
    from our_schemas as s
    union all
    select p.object, 'function', 'pg_proc', p.oid from our_functions as p
    union all
    select t.object, 'type', 'pg_type', t.oid from our_types as t
    union all
    select c.object, 'constraint ' || quote_ident(k.conname), 'pg_constraint', k.oid
    from our_relations as c
    join pg_catalog.pg_constraint as k on k.conrelid = c.oid
    union all
    select c.object, 'index ' || i.indexrelid::regclass, 'pg_class', i.indexrelid
    from our_relations as c
    join pg_catalog.pg_index as i on i.indrelid = c.oid
    union all
    select c.object, 'trigger ' || quote_ident(t.tgname), 'pg_trigger', t.oid
    from (
      select oid, object from our_relations
      union all
      select oid, object from platform_relations
    ) as c
    join pg_catalog.pg_trigger as t on t.tgrelid = c.oid
    union all
    select c.object, 'policy ' || quote_ident(p.polname), 'pg_policy', p.oid
    from (
      select oid, object from our_relations
      union all
      select oid, object from platform_relations
    ) as c
    join pg_catalog.pg_policy as p on p.polrelid = c.oid
  ) as o
  join pg_catalog.pg_description as d
    on d.objoid = o.oid and d.objsubid = 0
    and d.classoid = ('pg_catalog.' || o.catalogue)::regclass

  union all
  select 'event trigger ' || quote_ident(e.evtname), 0, e.evtevent || ' executes ' || e.evtfoid::regprocedure
  from pg_catalog.pg_event_trigger as e
  where e.evtfoid in (select oid from our_functions)

  union all
  select
    'role ' || case when s.setrole = 0 then 'all' else s.setrole::regrole::text end, 0,
    'in this database: ' || array_to_string(s.setconfig, ', ')
  from pg_catalog.pg_db_role_setting as s
  where s.setdatabase = (select oid from pg_catalog.pg_database where datname = current_database())

  -- Kinds that the product does not use: listed by name, so that a first one is noticed.
  union all
  select 'cast', 0, c.castsource::regtype || ' as ' || c.casttarget::regtype
  from pg_catalog.pg_cast as c
  where c.oid >= 16384
    and not exists (
      select from of_extension as e
      where e.classid = 'pg_catalog.pg_cast'::regclass and e.objid = c.oid
    )
  union all
  select 'operator', 0, o.oid::regoperator::text
  from pg_catalog.pg_operator as o
  where o.oid >= 16384
    and not exists (
      select from of_extension as e
      where e.classid = 'pg_catalog.pg_operator'::regclass and e.objid = o.oid
    )
  union all
  select 'collation', 0, c.oid::regcollation::text
  from pg_catalog.pg_collation as c
  join our_schemas as s on s.oid = c.collnamespace
  union all
  select 'text search configuration', 0, c.oid::regconfig::text
  from pg_catalog.pg_ts_config as c
  join our_schemas as s on s.oid = c.cfgnamespace
)

select object, line
from facts
where line is not null
order by object collate "C", section, line collate "C"
