-- Which tables write the log, and which columns it keeps apart. Last, when all of them are there.

-- Every tenant table of public, so that a new one cannot be forgotten, and promised refunds, which
-- staff see through a function. Not notifications: they tell one person what the log has already, and
-- reading one changes nothing of the tenant's. Not the ledger: triggers alone write it, from rows that the log
-- has already, and none of it ever changes. What is inserted into private.own_logs makes no entry.
do $$
declare
  tenant_table record;
begin
  for tenant_table in
    select
      c.relname as name,
      c.oid::regclass as relation,
      case when c.relname = 'organizations' then 'id' else 'organization_id' end as tenant_column,
      key.columns as key_columns,
      key.length as key_length
    from pg_catalog.pg_class as c
    cross join lateral (
      select string_agg(quote_literal(a.attname), ', ' order by k.position) as columns, count(*) as length
      from pg_catalog.pg_constraint as p
      cross join unnest(p.conkey) with ordinality as k (attnum, position)
      join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = k.attnum
      where p.conrelid = c.oid and p.contype = 'p'
        and (a.attname <> 'organization_id' or cardinality(p.conkey) = 1)
    ) as key
    where c.relkind = 'r'
      and (c.relnamespace = 'public'::regnamespace or c.oid = 'private.refund_requests'::regclass)
      and c.relname not in ('audit_log', 'audit_log_personal', 'notifications', 'ledger_entries')
      and (
        c.relname = 'organizations'
        or exists (
          select from pg_catalog.pg_attribute as a
          where a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
        )
      )
    order by c.relname
  loop
    if tenant_table.key_length > 3 then
      raise exception 'private.audit_changes takes three key columns, % has more', tenant_table.name;
    end if;
    if tenant_table.name <> all (private.own_logs()) then
      execute format(
        'create trigger audit_insert after insert on %1$s referencing new table as new_rows
         for each statement execute function private.audit_changes(%3$L, %2$s)',
        tenant_table.relation, tenant_table.key_columns, tenant_table.tenant_column
      );
    end if;
    execute format(
      'create trigger audit_update after update on %1$s referencing old table as old_rows new table as new_rows
       for each statement execute function private.audit_changes(%3$L, %2$s)',
      tenant_table.relation, tenant_table.key_columns, tenant_table.tenant_column
    );
    execute format(
      'create trigger audit_delete after delete on %1$s referencing old table as old_rows
       for each statement execute function private.audit_changes(%3$L, %2$s)',
      tenant_table.relation, tenant_table.key_columns, tenant_table.tenant_column
    );
  end loop;
end
$$;

-- Who sees the entries: whoever passes the table's own policy, read from it, so that none can be forgotten.
insert into private.log_readers (table_name, permission_key)
select p.tablename, asked.permission [1]
from pg_catalog.pg_policies as p
cross join regexp_matches(p.qual, 'organization_with\(''([a-z_:]+)''', 'g') as asked (permission)
where p.schemaname = 'public'
  and p.cmd = 'SELECT'
  and exists (
    select from pg_catalog.pg_trigger as w
    where w.tgrelid = to_regclass(format('public.%I', p.tablename)) and w.tgname = 'audit_delete'
  )
union all
-- No client reads these tables; the functions that show them ask for it.
values ('refund_requests', 'payments:read'), ('join_codes', 'users:read')
on conflict on constraint log_readers_pkey do nothing;

-- In the log itself, so that no writer of entries can forget it; the condition keeps it from those
-- of all other tables. One trigger: one for each table cost every entry some 28 µs.
do $$
declare
  tables text [];
  arguments text;
begin
  select
    array_agg(t.name order by t.name),
    string_agg(format('%L, %L', t.name, t.columns), ', ' order by t.name)
  into tables, arguments
  from (
    select split_part(p.relation, '.', 2) as name, array_agg(p.column_name order by p.column_name) as columns
    from private.personal_columns as p
    group by p.relation
  ) as t;
  execute format(
    'create trigger audit_log_parts_personal_columns before insert on public.audit_log
     for each row when (new.table_name = any (%L::text [])) execute function private.part_personal_columns(%s)',
    tables, arguments
  );
end
$$;
