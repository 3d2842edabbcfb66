-- The audit log: every insert, update and delete on a tenant's tables, written by triggers
-- in the same transaction, but for inserts into tables that are logs themselves (private.own_logs). What a customer gave (private.personal_columns) is kept apart from it.

-- Tells entries of one microsecond apart.
create sequence private.log_turns;

create table public.audit_log (
  organization_id uuid not null,
  -- Microseconds since 2020, times four: exact as a number of JSON until 2091.
  id bigint not null default (extract(epoch from clock_timestamp()) * 1000000 - 1577836800000000)::bigint * 4
  + nextval('private.log_turns') % 4,
  occurred_at timestamptz not null default clock_timestamp(),
  actor_kind text not null,
  actor_id uuid,
  action text not null,
  table_name text not null,
  row_key text not null,
  before jsonb,
  after jsonb,
  request_id text,
  constraint audit_log_pkey primary key (organization_id, id),
  constraint audit_log_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint audit_log_action_is_known check (action in ('insert', 'update', 'delete'))
);

comment on table public.audit_log is
  'Who changed what and when, but for rows that are their own log when they are inserted (booking_history, booking_lines), for members with audit:read who may also read the table that an entry is about. Append-only for everyone; ids grow with the time, since the order of two changes in one millisecond matters, and say nothing of how many entries there are. What a customer gave is null in the images, and stands in audit_log_personal under the same id.';
comment on column public.audit_log.actor_kind is 'user, api_key, support, service, customer or system.';
comment on column public.audit_log.row_key is 'The row''s primary key without the organization; several columns are joined with a slash.';
comment on column public.audit_log.before is 'Delete: the whole row. Update: the changed columns as they were.';
comment on column public.audit_log.after is 'Insert: the whole row. Update: the changed columns as they are now.';
comment on column public.audit_log.request_id is 'x-request-id of the request, to find it in the gateway''s and the service''s logs.';

-- for: one row's history, and the row as it was at a time
create index audit_log_row_idx on public.audit_log (organization_id, table_name, row_key, id);
-- for: private.erase_customer, which looks for rows that are no more
create index audit_log_deleted_idx on public.audit_log (organization_id, table_name) where action = 'delete';

create table private.log_readers (
  table_name text not null,
  permission_key text not null,
  constraint log_readers_pkey primary key (table_name, permission_key)
);

comment on table private.log_readers is
  'reference data. What a member needs, beside audit:read, to see entries about a table: all that the table''s own policy asks for. Written from the policies when the tables are there; a table without a row is shown to nobody.';

create function private.tables_to_read_in_log()
returns text []
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  here uuid := private.request_organization();
  held text[];
begin
  held := array(
    select p.key
    from (select distinct r.permission_key as key from private.log_readers as r offset 0) as p
    where private.has_permission(here, p.key)
  );
  return array(
    select r.table_name from private.log_readers as r group by r.table_name having bool_and(r.permission_key = any (held))
  );
end
$$;

comment on function private.tables_to_read_in_log is
  'definer: reads private.log_readers inside the policies of the log. The tables whose entries the caller may see: what a member may not read in the table is not to be read in its log.';
grant execute on function private.tables_to_read_in_log to authenticated;

grant select on public.audit_log to authenticated;

alter table public.audit_log enable row level security;

create policy audit_log_select on public.audit_log
for select to authenticated
using (
  organization_id = (select private.organization_with('audit:read'))
  and table_name = any ((select private.tables_to_read_in_log())::text [])
);

create trigger audit_log_is_append_only
before update or delete on public.audit_log
for each row execute function private.refuse_change();

create trigger audit_log_is_never_truncated
before truncate on public.audit_log
for each statement execute function private.refuse_change();

create table public.audit_log_personal (
  organization_id uuid not null,
  id bigint not null,
  table_name text not null,
  before jsonb,
  after jsonb,
  constraint audit_log_personal_pkey primary key (organization_id, id),
  -- None to audit_log: the part is written while its entry is, and neither is ever deleted alone.
  constraint audit_log_personal_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint audit_log_personal_says_something check (num_nonnulls(before, after) > 0)
);

comment on table public.audit_log_personal is
  'The part of an entry of audit_log that a customer gave, for members with audit:read and customers:read who may read the entry. Only entries that hold such values have one. Append-only for everyone, but for the persons whom private.erase_customer takes out.';
comment on column public.audit_log_personal.id is 'The entry: audit_log.id.';
comment on column public.audit_log_personal.table_name is 'The entry''s: audit_log.table_name.';
comment on column public.audit_log_personal.before is 'The values that are null in audit_log.before: {column: value}; lay it over that image. Null without any.';
comment on column public.audit_log_personal.after is 'The values that are null in audit_log.after, likewise.';

grant select on public.audit_log_personal to authenticated;

alter table public.audit_log_personal enable row level security;

create policy audit_log_personal_select on public.audit_log_personal
for select to authenticated
using (
  organization_id = (select private.organization_with('audit:read'))
  and organization_id = (select private.organization_with('customers:read'))
  and table_name = any ((select private.tables_to_read_in_log())::text [])
);

create trigger audit_log_personal_is_append_only
before delete on public.audit_log_personal
for each row execute function private.refuse_change();

create function private.refuse_log_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  -- Set by private.erase_customer only: a person leaves the images, and nothing else changes.
  if old.organization_id::text = current_setting('escapemaster.erasing_customer', true)
    and to_jsonb(new) - '{before,after}'::text [] = to_jsonb(old) - '{before,after}'::text []
    and array(select jsonb_object_keys(new.before) order by 1) = array(select jsonb_object_keys(old.before) order by 1)
    and array(select jsonb_object_keys(new.after) order by 1) = array(select jsonb_object_keys(old.after) order by 1)
  then
    return new;
  end if;
  raise exception '% is append-only', tg_table_name
    using errcode = 'restrict_violation', hint = 'Write a further entry that corrects the wrong one.';
end
$$;

comment on function private.refuse_log_change is
  'Keeps what the log holds of customers as it was written, for their owner too; only the erasure of a customer passes, which replaces values in images.';

create trigger audit_log_personal_is_not_rewritten
before update on public.audit_log_personal
for each row execute function private.refuse_log_change();

create trigger audit_log_personal_is_never_truncated
before truncate on public.audit_log_personal
for each statement execute function private.refuse_change();

create function private.part_personal_columns()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- What is empty says nothing of anybody and stays: most bookings have no note, and need no second row.
  empty constant jsonb [] := array['null', '""', '{}', '[]'];
  -- A loop of plain expressions: one statement that aggregates over the columns took twice as long.
  column_name text;
  said_before jsonb;
  said_after jsonb;
begin
  foreach column_name in array tg_argv [array_position(tg_argv, new.table_name) + 1]::text [] loop
    if new.before -> column_name <> all (empty) then
      said_before := coalesce(said_before, '{}') || jsonb_build_object(column_name, new.before -> column_name);
      new.before := jsonb_set(new.before, array[column_name], 'null');
    end if;
    if new.after -> column_name <> all (empty) then
      said_after := coalesce(said_after, '{}') || jsonb_build_object(column_name, new.after -> column_name);
      new.after := jsonb_set(new.after, array[column_name], 'null');
    end if;
  end loop;
  if said_before is not null or said_after is not null then
    insert into public.audit_log_personal (organization_id, id, table_name, before, after)
    values (new.organization_id, new.id, new.table_name, said_before, said_after);
  end if;
  return new;
end
$$;

comment on function private.part_personal_columns is
  'Moves what a customer gave from an entry''s images to audit_log_personal, and leaves null in its place. Arguments: a table, its personal columns, the next table, its columns and so on.';

create function private.user_kind(user_id uuid, organization_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when exists (
      select from public.memberships as m
      where m.organization_id = user_kind.organization_id
        and m.user_id = user_kind.user_id
        and m.expires_at is not null
    ) then 'support'
    else 'user'
  end;
end
$$;

comment on function private.user_kind is
  'The kind of a user as an actor: support, a visiting person of the platform''s, or user, a member.';

create function private.audit_changes()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- Statement-level with transition tables: one insert a statement, however many rows. It is called
-- four times for one hold, so it is kept flat: putting the key together by aggregating over an array
-- of its columns made a statement 70 µs slower, a layer of subquery more and a call of
-- a function for each row 10 to 15 µs of about 60.
declare
  tenant_column text := tg_argv[0];
  actor jsonb := private.current_actor();
  kind text := actor ->> 'kind';
  actor_id uuid := actor ->> 'id';
  visits uuid[];
  request text := nullif(current_setting('request.headers', true), '')::json ->> 'x-request-id';
begin
  -- Where a person of the platform's is visiting. Once a statement: private.user_kind for each of the
  -- 224 permissions of a new organization's roles was 1.3 of 7.5 ms.
  if kind = 'user' then
    visits := array(
      select m.organization_id from public.memberships as m where m.user_id = actor_id and m.expires_at is not null
    );
  end if;
  if tg_op = 'INSERT' then
    insert into public.audit_log (organization_id, actor_kind, actor_id, action, table_name, row_key, after, request_id)
    select
      (n.image ->> tenant_column)::uuid,
      case when kind = 'user' and (n.image ->> tenant_column)::uuid = any (visits) then 'support' else kind end,
      actor_id, 'insert', tg_table_name,
      concat_ws('/', n.image ->> tg_argv[1], n.image ->> tg_argv[2], n.image ->> tg_argv[3]),
      n.image, request
    from (select to_jsonb(x) as image from new_rows as x offset 0) as n;
  elsif tg_op = 'DELETE' then
    insert into public.audit_log (organization_id, actor_kind, actor_id, action, table_name, row_key, before, request_id)
    select
      (o.image ->> tenant_column)::uuid,
      case when kind = 'user' and (o.image ->> tenant_column)::uuid = any (visits) then 'support' else kind end,
      actor_id, 'delete', tg_table_name,
      concat_ws('/', o.image ->> tg_argv[1], o.image ->> tg_argv[2], o.image ->> tg_argv[3]),
      o.image, request
    from (select to_jsonb(x) as image from old_rows as x offset 0) as o
    -- The rows of an organization that is being erased take their log with them.
    where o.image ->> tenant_column is distinct from current_setting('escapemaster.erasing', true);
  else
    insert into public.audit_log (organization_id, actor_kind, actor_id, action, table_name, row_key, before, after, request_id)
    select
      (n.image ->> tenant_column)::uuid,
      case when kind = 'user' and (n.image ->> tenant_column)::uuid = any (visits) then 'support' else kind end,
      actor_id, 'update', tg_table_name, n.row_key, d.before, d.after, request
    from (
      select k.image, concat_ws('/', k.image ->> tg_argv[1], k.image ->> tg_argv[2], k.image ->> tg_argv[3]) as row_key
      from (select to_jsonb(x) as image from old_rows as x offset 0) as k
    ) as o
    join (
      select k.image, concat_ws('/', k.image ->> tg_argv[1], k.image ->> tg_argv[2], k.image ->> tg_argv[3]) as row_key
      from (select to_jsonb(x) as image from new_rows as x offset 0) as k
    ) as n
      on n.row_key = o.row_key and n.image -> tenant_column = o.image -> tenant_column
    cross join lateral (
      select jsonb_object_agg(c.key, o.image -> c.key) as before, jsonb_object_agg(c.key, c.value) as after
      from jsonb_each(n.image) as c
      where c.key not in ('updated_at', 'last_used_at', 'looked_at', 'as_of') and o.image -> c.key is distinct from c.value
    ) as d
    where d.after is not null;
  end if;
  return null;
end
$$;

comment on function private.audit_changes is
  'definer: writes the log, which no client may write. Arguments: the column that holds the organization, then up to three columns that are the key beside it. Secrets stay out because tenant tables in public hold none: hashes live in private.';

create function private.audit_join_code()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  actor jsonb := private.current_actor();
  kind text := actor ->> 'kind';
  was jsonb := case when tg_op = 'UPDATE' then jsonb_build_object('version', old.version, 'is_enabled', old.is_enabled) end;
  is_now jsonb := jsonb_build_object('version', new.version, 'is_enabled', new.is_enabled);
begin
  if was is distinct from is_now then
    insert into public.audit_log (organization_id, actor_kind, actor_id, action, table_name, row_key, before, after, request_id)
    values (
      new.organization_id,
      case kind when 'user' then private.user_kind((actor ->> 'id')::uuid, new.organization_id) else kind end,
      (actor ->> 'id')::uuid, lower(tg_op), 'join_codes', '', was, is_now,
      nullif(current_setting('request.headers', true), '')::json ->> 'x-request-id'
    );
  end if;
  return null;
end
$$;

comment on function private.audit_join_code is
  'definer: writes the log, which no client may write. That a join code was made, rotated or turned off; without its hash, which would tell the code to whoever tries all of them.';

create trigger audit_join_code
after insert or update on private.join_codes
for each row execute function private.audit_join_code();

create function private.own_logs()
returns text []
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array['booking_history', 'booking_lines'];
end
$$;

comment on function private.own_logs is
  'Tables whose rows are written once and later only deleted: what an insert wrote stands in the row, or in the entry of its deletion, and its id tells when. An entry of the insert would say it again: a hold''s two were 54 µs and a third of what the log writes for it.';

create function private.made_at(id uuid)
returns timestamptz
language plpgsql
immutable
set search_path = ''
as $$
begin
  return to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0);
end
$$;

comment on function private.made_at is 'When private.uuid_v7 made an id, to the millisecond.';

create function private.own_log_row_at(organization_id uuid, table_name text, row_key text, at timestamptz)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  image jsonb;
  entry record;
begin
  if not pg_input_is_valid(own_log_row_at.row_key, 'uuid')
    or private.made_at(own_log_row_at.row_key::uuid) > own_log_row_at.at
  then
    return null;
  end if;
  execute format(
    'select to_jsonb(t) from public.%I as t where t.organization_id = $1 and t.id = $2', own_log_row_at.table_name
  )
  into image
  using own_log_row_at.organization_id, own_log_row_at.row_key::uuid;
  -- Backwards from what is there now.
  for entry in
    select l.action, l.before
    from public.audit_log as l
    where l.organization_id = own_log_row_at.organization_id
      and l.table_name = own_log_row_at.table_name
      and l.row_key = own_log_row_at.row_key
      and l.occurred_at > own_log_row_at.at
    order by l.id desc
  loop
    image := case entry.action
      when 'delete' then entry.before
      when 'update' then image || entry.before
    end;
  end loop;
  return image;
end
$$;

comment on function private.own_log_row_at is
  'A row of one of private.own_logs, none of which has a customer''s words, as it was at that instant; null when it was not there.';

create function private.get_row_at(organization_id uuid, table_name text, row_key text, at timestamptz)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  entry record;
  image jsonb;
  sees_customers boolean;
begin
  perform private.require_permission(get_row_at.organization_id, 'audit:read');
  if not exists (select from private.log_readers as r where r.table_name = get_row_at.table_name) then
    perform private.fail('table_not_found', 404, 'Name a table as entries of audit_log do, such as bookings.');
  end if;
  perform private.require_permission(get_row_at.organization_id, r.permission_key)
  from private.log_readers as r
  where r.table_name = get_row_at.table_name;
  if get_row_at.table_name = any (private.own_logs()) then
    return private.own_log_row_at(
      get_row_at.organization_id, get_row_at.table_name, get_row_at.row_key, get_row_at.at
    );
  end if;
  sees_customers := private.has_permission(get_row_at.organization_id, 'customers:read');
  for entry in
    select l.action, l.after || coalesce(p.after, '{}') as after
    from public.audit_log as l
    left join public.audit_log_personal as p
      on sees_customers and p.organization_id = l.organization_id and p.id = l.id
    where l.organization_id = get_row_at.organization_id
      and l.table_name = get_row_at.table_name
      and l.row_key = get_row_at.row_key
      and l.occurred_at <= get_row_at.at
    order by l.id
  loop
    image := case entry.action
      when 'insert' then entry.after
      when 'update' then image || entry.after
    end;
  end loop;
  return image;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_row_at is 'definer: reads the log for a named organization.';
grant execute on function private.get_row_at to authenticated;

create function public.get_row_at(organization_id uuid, table_name text, row_key text, at timestamptz)
returns jsonb
language sql
stable
set search_path = ''
as $$ select private.get_row_at(organization_id, table_name, row_key, at) $$;

comment on function public.get_row_at is
  'The row as it was at that instant, from the audit log or the row itself; null when it did not exist then. Under audit:read and what reading the table takes; what a customer gave is null without customers:read. Errors: 403 permission_denied (details {"permission"}); 404 table_not_found.';
grant execute on function public.get_row_at to authenticated;

create type public.logged_change as (
  id bigint,
  occurred_at timestamptz,
  actor_kind text,
  actor_id uuid,
  action text,
  table_name text
);

comment on type public.logged_change is 'That something changed, and nothing of what.';
comment on column public.logged_change.id is 'The entry''s: audit_log.id.';
comment on column public.logged_change.occurred_at is 'When.';
comment on column public.logged_change.actor_kind is 'one of: user, api_key, support, service, customer, system';
comment on column public.logged_change.actor_id is 'The user or key; null: somebody without an account.';
comment on column public.logged_change.action is 'one of audit_log.action';
comment on column public.logged_change.table_name is 'Of which table.';

create function private.get_changes(organization_id uuid, before_id bigint, max_rows int)
returns setof public.logged_change
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(get_changes.organization_id, 'audit:read');
  return query
  select l.id, l.occurred_at, l.actor_kind, l.actor_id, l.action, l.table_name
  from public.audit_log as l
  where l.organization_id = get_changes.organization_id
    and l.id < coalesce(get_changes.before_id, 9223372036854775807)
  order by l.id desc
  limit least(greatest(coalesce(get_changes.max_rows, 100), 1), 1000);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_changes is 'definer: reads the log for a named organization, also entries whose tables the caller may not read.';
grant execute on function private.get_changes to authenticated;

create function public.get_changes(organization_id uuid, before_id bigint default null, max_rows int default 100)
returns setof public.logged_change
language sql
stable
set search_path = ''
as $$ select * from private.get_changes(organization_id, before_id, max_rows) $$;

comment on function public.get_changes is
  'Who changed something in which table and when, newest first, at most max_rows (1 to 1000) before the entry before_id: of all tables, also those that the caller may not read, so without anything of the rows, their keys among it (audit_log has them). Under audit:read. Errors: 403 permission_denied.';
grant execute on function public.get_changes to authenticated;
