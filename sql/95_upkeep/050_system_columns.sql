-- What a client may read of a table are its columns, each by name. Rights upon a whole table open the columns that
-- PostgreSQL keeps for itself too: xmin, xmax, cmin and cmax count transactions and commands, and ctid the rows, of all
-- tenants together, so that one of them could see how much is written by all.
do $$
declare
  readable record;
begin
  for readable in
    select c.oid::regclass as relation, string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns
    from pg_catalog.pg_class as c
    join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace
      and c.relkind in ('r', 'v', 'p', 'm')
      and has_table_privilege('authenticated', c.oid, 'select')
    group by c.oid
    order by c.oid::regclass::text
  loop
    execute format('revoke select on %s from authenticated', readable.relation);
    execute format('grant select (%s) on %s to authenticated', readable.columns, readable.relation);
  end loop;
end
$$;
