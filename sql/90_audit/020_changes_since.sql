-- What changed on a venue's screens since they were last read: by polling, and at once where Realtime is there.

create function private.live_tables()
returns text []
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array[
    'sessions', 'bookings', 'booking_contacts', 'booking_comments', 'booking_mail_problems', 'booking_people', 'booking_tags',
    'late_arrivals', 'customers', 'payments', 'refunds', 'waiver_signatures', 'waitlist_entries',
    'session_staff', 'staff_shifts', 'staff_skills',
    'game_events', 'game_results', 'checklist_items', 'checklist_ticks', 'room_incidents',
    'locations', 'rooms', 'room_blocks', 'tags'
  ];
end
$$;

comment on function private.live_tables is
  'What boards and lists of a day are made of. Every member who may read such a table may read all of its rows.';

create function private.settled_until()
returns timestamptz
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- Before the others are looked at: who begins to write after that writes later than that.
  asked_at constant timestamptz := clock_timestamp();
  oldest timestamptz;
begin
  -- Else the second look of one transaction would be the first one's.
  perform pg_stat_clear_snapshot();
  -- Whoever may not be seen (a role without pg_read_all_stats asks) may have begun long ago.
  select min(case when a.query = '<insufficient privilege>' then asked_at - interval '5 minutes' else a.xact_start end)
  into oldest
  from pg_catalog.pg_stat_activity as a
  where a.datname = current_database()
    and a.pid <> pg_backend_pid()
    and (a.backend_xid is not null or a.query = '<insufficient privilege>');
  return least(asked_at, oldest);
end
$$;

comment on function private.settled_until is
  'An instant before which nothing will appear any more: what was written with an earlier clock_timestamp() is committed or undone. It is the start of the oldest transaction that has written and runs, or now. A reader asks for it before it reads.';

create type public.changed_row as (
  table_name text,
  row_key text,
  action text,
  occurred_at timestamptz
);

comment on type public.changed_row is 'That a row changed, and nothing of what.';
comment on column public.changed_row.table_name is 'Of which table.';
comment on column public.changed_row.row_key is 'The row''s primary key without the organization; several columns are joined with a slash.';
comment on column public.changed_row.action is 'one of audit_log.action';
comment on column public.changed_row.occurred_at is 'When.';

create type public.recent_changes as (
  until timestamptz,
  is_whole boolean,
  changes public.changed_row []
);

comment on type public.recent_changes is 'What changed, and from where to go on.';
comment on column public.recent_changes.until is 'The since of the next request. At most as late as the oldest transaction that is still writing, so that nothing of it is missed.';
comment on column public.recent_changes.is_whole is 'False: there is more, ask on at once.';
comment on column public.recent_changes.changes is 'In the order in which they happened. One may come twice, in this request and the next.';

create function private.changes_since(organization_id uuid, since timestamptz, max_rows int)
returns public.recent_changes
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  settled timestamptz;
  wanted int := least(greatest(coalesce(changes_since.max_rows, 500), 10), 1000);
  tables text[];
  found public.changed_row[];
begin
  perform private.require_permission(changes_since.organization_id, 'bookings:read');
  settled := private.settled_until();
  if changes_since.since is null then
    return row(settled, true, '{}'::public.changed_row [])::public.recent_changes;
  elsif not isfinite(changes_since.since) or changes_since.since > clock_timestamp() then
    perform private.fail('since_invalid', 422, 'Give the until of the last answer, or nothing to begin.');
  elsif changes_since.since < clock_timestamp() - interval '1 day'
    -- What a restore puts in the place of what there was, no entry of the log tells.
    or exists (
      select from private.platform_log as p
      where p.organization_id = changes_since.organization_id
        and p.action = 'restore'
        and p.occurred_at >= changes_since.since
    )
  then
    perform private.fail('since_too_old', 410, 'Read everything anew, and begin without since.');
  end if;
  tables := array(
    select r.table_name
    from private.log_readers as r
    where r.table_name = any (private.live_tables())
    group by r.table_name
    having bool_and(private.has_permission(changes_since.organization_id, r.permission_key))
  );
  -- A statement of its own: it sees all that was committed before settled was known.
  found := array(
    select row(l.table_name, l.row_key, l.action, l.occurred_at)::public.changed_row
    from public.audit_log as l
    where l.organization_id = changes_since.organization_id
      and l.occurred_at >= changes_since.since
      and l.table_name = any (tables)
    order by l.occurred_at, l.id
    limit wanted + 1
  );
  settled := greatest(settled, changes_since.since);
  -- The one that is too many is the first of the next answer, but nobody goes on from beyond settled: what
  -- a page leaves out after it comes when whoever is writing has ended.
  if cardinality(found) > wanted and (found [wanted + 1]).occurred_at <= settled then
    return row((found [wanted + 1]).occurred_at, false, found [:wanted])::public.recent_changes;
  end if;
  return row(settled, true, found [:wanted])::public.recent_changes;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.changes_since is
  'definer: reads the log for a named organization, for members who may read the tables themselves.';
grant execute on function private.changes_since to authenticated;

create function public.changes_since(organization_id uuid, since timestamptz default null, max_rows int default 500)
returns public.recent_changes
language sql
volatile
set search_path = ''
as $$ select private.changes_since(organization_id, since, max_rows) $$;

comment on function public.changes_since is
  'Which rows of boards and lists changed, of the tables that the caller may read, oldest first, at most max_rows (10 to 1000): the poll behind a screen that follows. Without since it says only from when to go on; since is the until of the last answer, and misses nothing, however late a transaction commits. Under bookings:read. Errors: 403 permission_denied; 410 since_too_old (more than a day, or the organization was restored since); 422 since_invalid.';
grant execute on function public.changes_since to authenticated;

-- for: private.changes_since, and readers of the log who ask for a day
create index audit_log_occurred_at_idx on public.audit_log (organization_id, occurred_at);

-- Where Supabase Realtime is there, a change is news at once: one message a transaction to the organization's
-- private topic, changes:<organization>. It says only that there is something, as those of
-- notifications do (private.broadcast_notification): what it is, changes_since answers under the permissions of that moment.

create function private.broadcast_change()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  if current_setting('escapemaster.broadcast', true) is distinct from new.organization_id::text then
    perform set_config('escapemaster.broadcast', new.organization_id::text, true);
    execute 'select realtime.send($1, $2, $3, $4)'
    using jsonb_build_object('at', new.occurred_at), 'change', 'changes:' || new.organization_id, true;
  end if;
  return null;
end
$$;

comment on function private.broadcast_change is
  'Tells Realtime that something changed in an organization, once a transaction.';

create function private.hears_changes(topic text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return topic ~ '^changes:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    and private.organization_with('bookings:read', split_part(topic, ':', 2)::uuid) is not null;
end
$$;

comment on function private.hears_changes is
  'Whether the caller may join a topic of Realtime: that of an organization in which they hold bookings:read.';

create function private.allow_realtime()
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not private.allow_broadcasts() or to_regprocedure('realtime.send(jsonb,text,text,boolean)') is null then
    return false;
  end if;
  -- Where nobody hears, nothing fires: a hold writes three entries.
  execute format(
    'create or replace trigger audit_log_broadcast after insert on public.audit_log
     for each row when (new.table_name = any (%L::text [])) execute function private.broadcast_change()',
    private.live_tables()
  );
  execute 'grant execute on function private.hears_changes to authenticated';
  execute 'drop policy if exists changes_are_heard_by_members on realtime.messages';
  execute $policy$
    create policy changes_are_heard_by_members on realtime.messages
    for select to authenticated
    using (extension = 'broadcast' and private.hears_changes((select realtime.topic())))
  $policy$;
  return true;
end
$$;

comment on function private.allow_realtime is
  'Lets members hear of notifications and of changes by Realtime, where it is there, and tells it of both; false without it. For the database''s owner: call it once after Realtime was added.';

select private.allow_realtime();
