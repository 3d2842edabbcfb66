-- What hangs on a room, a location, a calendar or an extra: told before somebody deletes or archives it.

create type public.dependent_rows as (
  table_name text,
  rows bigint,
  on_delete text
);

comment on type public.dependent_rows is 'How many rows of a table name something.';
comment on column public.dependent_rows.table_name is 'As clients call it.';
comment on column public.dependent_rows.rows is 'One or more.';
comment on column public.dependent_rows.on_delete is
  'What becomes of them when it is deleted: refused (it cannot be deleted while they are there), deleted with it, or kept without it. one of: refused, deleted, kept';

create type public.dependents as (
  bookings_to_come bigint,
  first_starts_at timestamptz,
  last_starts_at timestamptz,
  can_be_deleted boolean,
  dependents public.dependent_rows []
);

comment on type public.dependents is 'What deleting or archiving something would touch, as things stand now.';
comment on column public.dependents.bookings_to_come is 'Bookings and holds that have yet to start. Archiving leaves them as they are.';
comment on column public.dependents.first_starts_at is 'The start of the first of them; null: there are none.';
comment on column public.dependents.last_starts_at is 'The start of the last of them; null: there are none.';
comment on column public.dependents.can_be_deleted is 'Whether nothing refuses it.';
comment on column public.dependents.dependents is 'By table, those that refuse first.';

create function private.rows_that_name(relation regclass, organization_id uuid, id uuid)
returns public.dependent_rows []
language plpgsql
stable
set search_path = ''
as $$
declare
  found public.dependent_rows [] := '{}';
  reference record;
  counted bigint;
begin
  -- By the foreign keys themselves, so that no table is forgotten.
  for reference in
    select
      t.relname::text as table_name,
      string_agg(format('t.%I = $%s', own.attname, case far.attname when 'id' then 2 else 1 end), ' and ') as named,
      case c.confdeltype when 'c' then 'deleted' when 'n' then 'kept' else 'refused' end as on_delete
    from pg_catalog.pg_constraint as c
    join pg_catalog.pg_class as t on t.oid = c.conrelid
    cross join unnest(c.conkey, c.confkey) as k (own, far)
    join pg_catalog.pg_attribute as own on own.attrelid = c.conrelid and own.attnum = k.own
    join pg_catalog.pg_attribute as far on far.attrelid = c.confrelid and far.attnum = k.far
    where c.contype = 'f'
      and c.confrelid = rows_that_name.relation
      and t.relnamespace = 'public'::regnamespace
      and far.attname in ('organization_id', 'id')
    group by c.oid, t.relname, c.confdeltype
    order by c.confdeltype in ('a', 'r') desc, t.relname
  loop
    execute format('select count(*) from public.%I as t where %s', reference.table_name, reference.named)
    into counted using rows_that_name.organization_id, rows_that_name.id;
    if counted > 0 then
      found := found || row(reference.table_name, counted, reference.on_delete)::public.dependent_rows;
    end if;
  end loop;
  return found;
end
$$;

comment on function private.rows_that_name is
  'Of each table of the organization how many rows refer to that row of relation, and what becomes of them when it is deleted.';

create function private.dependents_of(relation regclass, organization_id uuid, id uuid)
returns public.dependents
language plpgsql
stable
set search_path = ''
as $$
declare
  answer public.dependents;
begin
  answer.dependents := private.rows_that_name(
    dependents_of.relation, dependents_of.organization_id, dependents_of.id
  );
  answer.can_be_deleted := not exists (
    select from unnest(answer.dependents) as d
    where d.on_delete = 'refused'
  );
  select count(*), min(b.starts_at), max(b.starts_at)
  into answer.bookings_to_come, answer.first_starts_at, answer.last_starts_at
  from public.bookings as b
  where b.organization_id = dependents_of.organization_id
    and b.starts_at > now()
    and b.takes_capacity
    and coalesce(b.hold_expires_at > now(), true)
    and case dependents_of.relation
      when 'public.rooms'::regclass then b.room_id = dependents_of.id
      when 'public.calendars'::regclass then b.calendar_id = dependents_of.id
      when 'public.locations'::regclass then b.room_id in (
        select r.id
        from public.rooms as r
        where r.organization_id = b.organization_id and r.location_id = dependents_of.id
      )
      else exists (
        select from public.booking_extras as x
        where x.organization_id = b.organization_id and x.booking_id = b.id and x.extra_id = dependents_of.id
      )
    end;
  return answer;
end
$$;

comment on function private.dependents_of is
  'What deleting or archiving a row of public.rooms, locations, calendars or extras would touch.';

create function private.get_room_dependents(organization_id uuid, room_id uuid)
returns public.dependents
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(get_room_dependents.organization_id, 'rooms:read');
  if not exists (
    select from public.rooms as t
    where t.organization_id = get_room_dependents.organization_id and t.id = get_room_dependents.room_id
  ) then
    perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
  end if;
  return private.dependents_of('public.rooms', get_room_dependents.organization_id, get_room_dependents.room_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_room_dependents is
  'definer: counts rows of tables that the caller may not read each. Asks for rooms:read.';
grant execute on function private.get_room_dependents to authenticated;

create function public.get_room_dependents(organization_id uuid, room_id uuid)
returns public.dependents
language sql
stable
set search_path = ''
as $$ select private.get_room_dependents(organization_id, room_id) $$;

comment on function public.get_room_dependents is
  'What deleting or archiving a room would touch: bookings to come, and rows by table with what would become of them. For members with rooms:read. Errors: 403 permission_denied; 404 room_not_found.';
grant execute on function public.get_room_dependents to authenticated;

create function private.get_location_dependents(organization_id uuid, location_id uuid)
returns public.dependents
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(get_location_dependents.organization_id, 'rooms:read');
  if not exists (
    select from public.locations as t
    where t.organization_id = get_location_dependents.organization_id and t.id = get_location_dependents.location_id
  ) then
    perform private.fail('location_not_found', 404, 'Choose one of the organization''s locations.');
  end if;
  return private.dependents_of('public.locations', get_location_dependents.organization_id, get_location_dependents.location_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_location_dependents is
  'definer: counts rows of tables that the caller may not read each. Asks for rooms:read.';
grant execute on function private.get_location_dependents to authenticated;

create function public.get_location_dependents(organization_id uuid, location_id uuid)
returns public.dependents
language sql
stable
set search_path = ''
as $$ select private.get_location_dependents(organization_id, location_id) $$;

comment on function public.get_location_dependents is
  'What deleting a location would touch: bookings to come, and rows by table with what would become of them. For members with rooms:read. Errors: 403 permission_denied; 404 location_not_found.';
grant execute on function public.get_location_dependents to authenticated;

create function private.get_calendar_dependents(organization_id uuid, calendar_id uuid)
returns public.dependents
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(get_calendar_dependents.organization_id, 'calendars:read');
  if not exists (
    select from public.calendars as t
    where t.organization_id = get_calendar_dependents.organization_id and t.id = get_calendar_dependents.calendar_id
  ) then
    perform private.fail('calendar_not_found', 404, 'Choose one of the organization''s calendars.');
  end if;
  return private.dependents_of('public.calendars', get_calendar_dependents.organization_id, get_calendar_dependents.calendar_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_calendar_dependents is
  'definer: counts rows of tables that the caller may not read each. Asks for calendars:read.';
grant execute on function private.get_calendar_dependents to authenticated;

create function public.get_calendar_dependents(organization_id uuid, calendar_id uuid)
returns public.dependents
language sql
stable
set search_path = ''
as $$ select private.get_calendar_dependents(organization_id, calendar_id) $$;

comment on function public.get_calendar_dependents is
  'What deleting a calendar would touch: bookings to come, and rows by table with what would become of them. For members with calendars:read. Errors: 403 permission_denied; 404 calendar_not_found.';
grant execute on function public.get_calendar_dependents to authenticated;

create function private.get_extra_dependents(organization_id uuid, extra_id uuid)
returns public.dependents
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(get_extra_dependents.organization_id, 'extras:read');
  if not exists (
    select from public.extras as t
    where t.organization_id = get_extra_dependents.organization_id and t.id = get_extra_dependents.extra_id
  ) then
    perform private.fail('extra_not_found', 404, 'Choose one of the organization''s extras.');
  end if;
  return private.dependents_of('public.extras', get_extra_dependents.organization_id, get_extra_dependents.extra_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_extra_dependents is
  'definer: counts rows of tables that the caller may not read each. Asks for extras:read.';
grant execute on function private.get_extra_dependents to authenticated;

create function public.get_extra_dependents(organization_id uuid, extra_id uuid)
returns public.dependents
language sql
stable
set search_path = ''
as $$ select private.get_extra_dependents(organization_id, extra_id) $$;

comment on function public.get_extra_dependents is
  'What deleting an extra would touch: bookings to come, and rows by table with what would become of them. For members with extras:read. Errors: 403 permission_denied; 404 extra_not_found.';
grant execute on function public.get_extra_dependents to authenticated;
