-- Rows of one kind as a file for the member who asks: bookings, payments, customers, waivers, results; or the figures of a
-- month on paper, which are read in a file of their own.
--
-- The worker makes it, however small it is, in pages along the rows' ids, so neither a statement nor the worker's memory
-- grows with the venue. What the member may not read in the tables is not in it, and all that was needed for what is in
-- it is asked for again with each page, when the mail is written and when the file is fetched.

select private.permission_upsert(
  'reports:export', 'reports', false,
  'Take bookings, payments, customers, waivers, results and reports of a month along as files',
  'Llevarse reservas, pagos, clientes, exenciones, resultados e informes de un mes en archivos',
  array['admin', 'manager'],
  rests_in_visits => true
);

create table public.table_exports (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  user_id uuid,
  kind text not null,
  format text not null,
  locale text not null,
  from_date date,
  to_date date,
  location_id uuid,
  room_id uuid,
  permissions text [] not null,
  status text not null default 'queued',
  progress int not null default 0,
  row_total bigint,
  row_count bigint,
  object_path text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  expires_at timestamptz,
  constraint table_exports_pkey primary key (organization_id, id),
  constraint table_exports_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  -- The row stays: its file is to be deleted.
  constraint table_exports_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete set null (user_id),
  constraint table_exports_kind_is_known check (kind in ('bookings', 'payments', 'customers', 'waivers', 'results', 'month')),
  constraint table_exports_format_is_known check (format in ('csv', 'xlsx', 'pdf')),
  constraint table_exports_month_is_on_paper check ((kind = 'month') = (format = 'pdf')),
  constraint table_exports_month_has_its_dates check (kind <> 'month' or num_nonnulls(from_date, to_date) = 2),
  constraint table_exports_locale_is_supported check (private.is_locale(locale)),
  constraint table_exports_status_is_known check (status in ('queued', 'finished', 'failed')),
  constraint table_exports_progress_is_a_percentage check (progress between 0 and 100),
  constraint table_exports_finished_has_a_file check ((status = 'finished') = (num_nonnulls(object_path, row_count) = 2)),
  constraint table_exports_ends_once_it_is_over check ((status = 'queued') = (num_nonnulls(finished_at, expires_at) = 0))
);

comment on table public.table_exports is
  'Files of bookings, payments, customers, waivers or results, and reports of a month, that members asked for, in the private bucket table-exports. Each is for whoever asked alone. File and row end 72 hours after it was finished; the log keeps who had what.';
comment on column public.table_exports.user_id is 'Who asked, and who alone sees it; null: no member any more.';
comment on column public.table_exports.kind is
  'bookings, payments, customers, waivers or results: their rows; month: the figures of the reports.';
comment on column public.table_exports.format is 'csv or xlsx; of a month pdf.';
comment on column public.table_exports.locale is 'Of the headings, or of the report.';
comment on column public.table_exports.from_date is
  'First date on the clock of the location: of the visit (bookings, results), on which the money moved (payments), the customer was added or the waiver signed; the first of the month. Null: from the beginning.';
comment on column public.table_exports.to_date is 'Last date; null: to the end.';
comment on column public.table_exports.location_id is 'Of this location only; null: of all.';
comment on column public.table_exports.room_id is 'Of this room only; null: of all.';
comment on column public.table_exports.permissions is
  'What whoever asked held when they did, and what the columns of the file take. Without one of them it is not made, and not fetched.';
comment on column public.table_exports.status is 'queued, finished, or failed.';
comment on column public.table_exports.progress is 'How much of it is written, in percent, by tens.';
comment on column public.table_exports.row_total is 'How many rows there were when it was begun; null: not yet, or a month.';
comment on column public.table_exports.row_count is 'Rows in the file, headings not counted; of a month its pages.';
comment on column public.table_exports.object_path is 'Path in the bucket table-exports; null: no file.';
comment on column public.table_exports.expires_at is 'When file and row are deleted; null while it is queued.';

-- for: private.export_table; one at a time of a person and kind, so that none keeps others waiting
create unique index table_exports_one_pending_key on public.table_exports (organization_id, user_id, kind)
where status = 'queued';
-- for: a person's own, the foreign key, and private.own_export_paths
create index table_exports_user_id_idx on public.table_exports (user_id, organization_id, id);
-- for: private.end_table_exports
create index table_exports_expires_at_idx on public.table_exports (expires_at);

grant select on public.table_exports to authenticated;

alter table public.table_exports enable row level security;

create policy table_exports_select on public.table_exports
for select to authenticated
using (
  organization_id = (select private.organization_with('reports:export'))
  and user_id = (select auth.uid())
);

-- A row is there for 72 hours.
create trigger table_exports_bound_rows
after insert on public.table_exports
for each row execute function private.bound_rows('100', 'user_id');

create function private.may_have_export(export public.table_exports)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Each of them: what is in the file, and to have files at all.
  return (
    select count(distinct rp.permission_key) = cardinality(export.permissions)
    from private.active_memberships as m
    join public.organizations as o on o.id = m.organization_id
    join public.role_permissions as rp on rp.organization_id = m.organization_id and rp.role_id = m.role_id
    where m.organization_id = export.organization_id
      and m.user_id = export.user_id
      and m.expires_at is null
      and o.status <> 'closed'
      and rp.permission_key = any (export.permissions)
  );
end
$$;

comment on function private.may_have_export is
  'Whether whoever asked for an export is a member now, no visitor, and holds all that its columns take.';

create function private.own_export_paths()
returns text []
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return array(
    select e.object_path
    from public.table_exports as e
    where e.user_id = private.calling_person()
      and e.status = 'finished'
      and e.expires_at > now()
      and private.may_have_export(e)
  );
end
$$;

comment on function private.own_export_paths is
  'definer: reads roles inside the policy of the files. Paths of the caller''s own exports whose time is not over and whose permissions the caller holds now.';
grant execute on function private.own_export_paths to authenticated;

-- Written by the worker as service_role.
create policy table_exports_files_select on storage.objects
for select to authenticated
using (
  bucket_id = 'table-exports'
  and (storage.foldername(name))[1] = (select private.folder_with('reports:export'))
  and name = any ((select private.own_export_paths())::text [])
);

create function private.export_permissions(kind text)
returns text []
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case export_permissions.kind
    when 'bookings' then array['bookings:read', 'customers:read', 'payments:read', 'rooms:read']
    when 'payments' then array['payments:read', 'bookings:read', 'customers:read', 'rooms:read']
    when 'customers' then array['customers:read', 'bookings:read']
    when 'waivers' then array['waivers:read', 'bookings:read', 'rooms:read']
    when 'results' then array['games:read', 'bookings:read', 'rooms:read']
    when 'month' then array['reports:read']
  end;
end
$$;

comment on function private.export_permissions is
  'What an export of a kind takes first, and then what its further columns take; without those it is made without them. Null of an unknown kind.';

create function private.queue_table_export(wanted public.table_exports)
returns public.table_exports
language plpgsql
volatile
set search_path = ''
as $$
declare
  queued public.table_exports;
begin
  -- One whose job was given up without a word keeps nobody from asking again.
  update public.table_exports as e
  set status = 'failed', finished_at = now(), expires_at = now() + interval '72 hours'
  where e.organization_id = wanted.organization_id
    and e.user_id = wanted.user_id
    and e.kind = wanted.kind
    and e.status = 'queued'
    and not exists (
      select from private.jobs as j
      where j.kind = 'table.export'
        and j.dedupe_key = 'table.export:' || e.id
        and j.status in ('queued', 'running')
    );
  insert into public.table_exports (
    organization_id, user_id, kind, format, locale, from_date, to_date, location_id, room_id, permissions
  )
  values (
    wanted.organization_id, wanted.user_id, wanted.kind, wanted.format, wanted.locale, wanted.from_date, wanted.to_date,
    wanted.location_id, wanted.room_id, wanted.permissions
  )
  on conflict (organization_id, user_id, kind) where status = 'queued' do nothing
  returning * into queued;
  if found then
    perform private.enqueue(
      'table.export',
      jsonb_build_object('organization_id', queued.organization_id, 'export_id', queued.id),
      'table.export:' || queued.id,
      queued.organization_id
    );
  end if;
  return queued;
end
$$;

comment on function private.queue_table_export is
  'Queues an export: of a row who asked, for what and holding what. Null, while another of that person and kind is under way.';

create function private.export_table(
  organization_id uuid,
  kind text,
  format text,
  locale text,
  from_date date,
  to_date date,
  location_id uuid,
  room_id uuid
)
returns public.table_exports
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  caller uuid;
  wanted text [] := private.export_permissions(export_table.kind);
  language text;
  last date := export_table.to_date;
  asked public.table_exports;
  queued public.table_exports;
begin
  perform private.require_permission(export_table.organization_id, 'reports:export');
  if wanted is null then
    perform private.fail('kind_invalid', 422, 'Choose bookings, payments, customers, waivers, results or month.');
  end if;
  perform private.require_permission(export_table.organization_id, wanted[1]);
  -- Its columns are the person's, and so is the mail.
  caller := private.require_user();
  if export_table.kind = 'month' then
    if export_table.format is distinct from 'pdf' then
      perform private.fail('format_invalid', 422, 'Choose pdf: a month is on paper.');
    end if;
    last := (date_trunc('month', export_table.from_date::timestamp) + interval '1 month')::date - 1;
    if export_table.from_date is null
      or export_table.from_date <> date_trunc('month', export_table.from_date::timestamp)::date
      or export_table.to_date <> last
    then
      perform private.fail('date_range_invalid', 422, 'Give the first day of the month as from_date, and its last or none as to_date.');
    end if;
  elsif coalesce(export_table.format, '') not in ('csv', 'xlsx') then
    perform private.fail('format_invalid', 422, 'Choose csv or xlsx.');
  end if;
  language := coalesce(export_table.locale, (select p.locale from public.profiles as p where p.user_id = caller));
  if private.is_locale(language) is not true then
    perform private.fail('locale_invalid', 422, 'Choose es, en or ca.');
  elsif export_table.to_date < export_table.from_date
    or export_table.from_date not between date '2000-01-01' and date '2099-12-31'
    or export_table.to_date not between date '2000-01-01' and date '2099-12-31'
  then
    perform private.fail('date_range_invalid', 422, 'Give two dates from 2000 to 2099, from_date not after to_date.');
  elsif export_table.location_id is not null and not exists (
    select from public.locations as l
    where l.organization_id = export_table.organization_id and l.id = export_table.location_id
  ) then
    perform private.fail('location_not_found', 404, 'Choose one of the organization''s locations, or none for all.');
  elsif export_table.room_id is not null and not exists (
    select from private.report_rooms(export_table.organization_id, export_table.location_id, export_table.room_id)
  ) then
    perform private.fail('room_not_found', 404, 'Choose one of the rooms of the organization and the location, or none for all.');
  elsif export_table.kind = 'customers' and num_nonnulls(export_table.location_id, export_table.room_id) > 0 then
    -- Who visits where is said by bookings.
    perform private.require_permission(export_table.organization_id, 'bookings:read');
  end if;

  asked.organization_id := export_table.organization_id;
  asked.user_id := caller;
  asked.kind := export_table.kind;
  asked.format := export_table.format;
  asked.locale := language;
  asked.from_date := export_table.from_date;
  asked.to_date := last;
  asked.location_id := export_table.location_id;
  asked.room_id := export_table.room_id;
  asked.permissions := array['reports:export'] || array(
    select p.key
    from unnest(wanted) as p (key)
    where private.has_permission(export_table.organization_id, p.key)
    order by p.key
  );
  queued := private.queue_table_export(asked);
  if queued.id is null then
    select e.* into queued
    from public.table_exports as e
    where e.organization_id = export_table.organization_id
      and e.user_id = caller
      and e.kind = export_table.kind
      and e.status = 'queued';
    if (queued.format, queued.locale, queued.from_date, queued.to_date, queued.location_id, queued.room_id)
      is distinct from (
        export_table.format, language, export_table.from_date, last, export_table.location_id, export_table.room_id
      )
    then
      perform private.fail(
        'export_pending', 409, 'Wait for the export of this kind that is under way.',
        jsonb_build_object('export_id', queued.id)
      );
    end if;
  end if;
  return queued;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.export_table is 'definer: queues work, which no client may.';
grant execute on function private.export_table to authenticated;

create function public.export_table(
  organization_id uuid,
  kind text,
  format text default 'csv',
  locale text default null,
  from_date date default null,
  to_date date default null,
  location_id uuid default null,
  room_id uuid default null
)
returns public.table_exports
language sql
volatile
set search_path = ''
as $$
  select private.export_table(organization_id, kind, format, locale, from_date, to_date, location_id, room_id)
$$;

comment on function public.export_table is
  'Queues a file of all bookings, payments, customers, waivers or results (kind), or of those from from_date to to_date, of a location, of a room; or, of kind month, the report of the month that begins on from_date; format: csv or xlsx, and pdf of a month; locale: of its headings, null: the caller''s. Answers what is under way if the same was asked for before; watch table_exports for its end, which a mail tells, too. For members with reports:export and bookings:read, payments:read, customers:read, waivers:read, games:read or reports:read, as the kind is; columns of other tables are in it for whoever may read those. Errors: 401 not_authenticated; 403 permission_denied, user_required; 404 location_not_found, room_not_found; 409 export_pending (details {"export_id"}); 422 kind_invalid, format_invalid, locale_invalid, date_range_invalid, too_many_rows (details {"table", "maximum", "per"}).';
grant execute on function public.export_table to authenticated;

create function private.export_ids(export public.table_exports, after uuid, wanted bigint)
returns setof uuid
language plpgsql
stable
set jit = off
-- For these very dates: few of many rows are found by the date, all of them by their ids.
set plan_cache_mode = force_custom_plan
set search_path = ''
as $$
#variable_conflict use_variable
declare
  organization uuid := export.organization_id;
  place uuid := export.location_id;
  only_room uuid := export.room_id;
  first date := coalesce(export.from_date, '-infinity');
  last date := coalesce(export.to_date, 'infinity');
  -- No clock is further from UTC.
  from_at timestamptz := (first - 1)::timestamp at time zone 'UTC';
  to_at timestamptz := (last + 2)::timestamp at time zone 'UTC';
  beyond uuid := coalesce(after, '00000000-0000-0000-0000-000000000000');
  zone text;
begin
  case export.kind
    when 'bookings' then
      return query
      select b.id
      from public.bookings as b
      join private.report_rooms(organization, place, only_room) as r on r.id = b.room_id
      where b.organization_id = organization
        and b.id > beyond
        and b.starts_at between from_at and to_at
        and (b.starts_at at time zone r.timezone)::date between first and last
      order by b.id
      limit wanted;
    when 'payments' then
      return query
      select m.id
      from (
        (
          select p.id
          from public.payments as p
          join public.bookings as b on b.organization_id = p.organization_id and b.id = p.booking_id
          join private.report_rooms(organization, place, only_room) as r on r.id = b.room_id
          where p.organization_id = organization
            and p.id > beyond
            and p.occurred_at between from_at and to_at
            and (p.occurred_at at time zone r.timezone)::date between first and last
          order by p.id
          limit wanted
        )
        union all
        (
          select f.id
          from public.refunds as f
          join public.bookings as b on b.organization_id = f.organization_id and b.id = f.booking_id
          join private.report_rooms(organization, place, only_room) as r on r.id = b.room_id
          where f.organization_id = organization
            and f.id > beyond
            and f.occurred_at between from_at and to_at
            and (f.occurred_at at time zone r.timezone)::date between first and last
          order by f.id
          limit wanted
        )
      ) as m
      order by m.id
      limit wanted;
    when 'customers' then
      zone := private.export_zone(export);
      return query
      select c.id
      from public.customers as c
      where c.organization_id = organization
        and c.id > beyond
        and c.erased_at is null
        and c.created_at between from_at and to_at
        and (c.created_at at time zone zone)::date between first and last
        and (num_nonnulls(place, only_room) = 0 or exists (
          select from public.bookings as b
          join private.report_rooms(organization, place, only_room) as r on r.id = b.room_id
          where b.organization_id = organization and b.customer_id = c.id
        ))
      order by c.id
      limit wanted;
    when 'waivers' then
      return query
      select w.id
      from public.waiver_signatures as w
      join public.bookings as b on b.organization_id = w.organization_id and b.id = w.booking_id
      join private.report_rooms(organization, place, only_room) as r on r.id = b.room_id
      where w.organization_id = organization
        and w.id > beyond
        and w.signed_at between from_at and to_at
        and (w.signed_at at time zone r.timezone)::date between first and last
      order by w.id
      limit wanted;
    when 'results' then
      return query
      select g.booking_id
      from public.game_results as g
      join public.bookings as b on b.organization_id = g.organization_id and b.id = g.booking_id
      join private.report_rooms(organization, place, only_room) as r on r.id = b.room_id
      where g.organization_id = organization
        and g.booking_id > beyond
        and b.starts_at between from_at and to_at
        and (b.starts_at at time zone r.timezone)::date between first and last
      order by g.booking_id
      limit wanted;
  end case;
end
$$;

comment on function private.export_ids is
  'The ids of the rows that an export holds, in their order, after one, at most so many (null: all).';

create function private.export_zone(export public.table_exports)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(
    (
      select l.timezone
      from public.locations as l
      where l.organization_id = export.organization_id
        and l.id = coalesce(export.location_id, (
          select r.location_id
          from public.rooms as r
          where r.organization_id = export.organization_id and r.id = export.room_id
        ))
    ),
    (select o.timezone from public.organizations as o where o.id = export.organization_id)
  );
end
$$;

comment on function private.export_zone is
  'The clock of what belongs to no room: that of the room or location that is asked for, else the organization''s.';

create function private.wall_clock(instant timestamptz, zone text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return to_char(instant at time zone zone, 'YYYY-MM-DD"T"HH24:MI:SS');
end
$$;

comment on function private.wall_clock is 'An instant as the clock of a place showed it, without a zone.';

create function private.export_page(export public.table_exports, after uuid, wanted int)
returns setof jsonb
language plpgsql
stable
set jit = off
set plan_cache_mode = force_custom_plan
set search_path = ''
as $$
#variable_conflict use_variable
declare
  organization uuid := export.organization_id;
  ids uuid [] := array(select i from private.export_ids(export, after, wanted) as i);
  sees_bookings boolean := 'bookings:read' = any (export.permissions);
  sees_customers boolean := 'customers:read' = any (export.permissions);
  sees_money boolean := 'payments:read' = any (export.permissions);
  sees_rooms boolean := 'rooms:read' = any (export.permissions);
  zone text;
begin
  case export.kind
    when 'bookings' then
      return query
      select jsonb_build_object(
        'id', b.id,
        'reference', b.reference,
        'status', b.status,
        'starts_at', private.wall_clock(b.starts_at, l.timezone),
        'ends_at', private.wall_clock(s.ends_at, l.timezone),
        'timezone', l.timezone,
        'party_size', b.party_size,
        'source', b.source,
        'language', b.locale,
        'booked_at', private.wall_clock(b.created_at, l.timezone),
        'currency', b.currency,
        'total', b.total_cents,
        'tax', b.tax_cents,
        'staff_note', b.staff_note
      ) || case when not sees_rooms then '{}' else jsonb_build_object('room', r.name, 'location', l.name) end
      || case when not sees_customers then '{}' else jsonb_build_object(
        'customer', c.contact_name,
        'email', case when k.erased_at is null then k.email end,
        'phone', coalesce(c.contact_phone, k.phone),
        'customer_note', c.customer_note
      ) end
      || case when not sees_money then '{}' else jsonb_build_object(
        'paid', balance.paid_cents,
        'refunded', balance.refunded_cents,
        -- A hold is no booking yet, and owes nothing.
        'open', case b.status when 'held' then 0 else private.booking_open(b) end
      ) end
      from public.bookings as b
      join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
      join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
      join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
      join public.booking_contacts as c on c.organization_id = b.organization_id and c.booking_id = b.id
      join public.customers as k on k.organization_id = b.organization_id and k.id = b.customer_id
      left join lateral private.booking_balance(b.organization_id, b.id) as balance on sees_money
      where b.organization_id = organization and b.id = any (ids)
      order by b.id;
    when 'payments' then
      return query
      select jsonb_build_object(
        'id', m.id,
        'occurred_at', private.wall_clock(m.occurred_at, l.timezone),
        'timezone', l.timezone,
        'entry', m.entry,
        'method', m.method,
        'currency', m.currency,
        'amount', m.amount_cents,
        'provider_id', m.provider_id
      ) || case when not sees_bookings then '{}' else jsonb_build_object(
        'reference', b.reference,
        'visit_at', private.wall_clock(b.starts_at, l.timezone)
      ) end
      || case when not sees_rooms then '{}' else jsonb_build_object('room', r.name, 'location', l.name) end
      || case when not sees_customers then '{}' else jsonb_build_object(
        'customer', c.contact_name, 'email', case when k.erased_at is null then k.email end
      ) end
      from (
        select
          p.id, p.booking_id, 'payment' as entry, p.method, p.currency, p.amount_cents, p.occurred_at,
          p.provider_payment_id as provider_id
        from public.payments as p
        where p.organization_id = organization and p.id = any (ids)
        union all
        select f.id, f.booking_id, f.kind, f.method, f.currency, -f.amount_cents, f.occurred_at, f.provider_refund_id
        from public.refunds as f
        where f.organization_id = organization and f.id = any (ids)
      ) as m
      join public.bookings as b on b.organization_id = organization and b.id = m.booking_id
      join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
      join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
      join public.booking_contacts as c on c.organization_id = b.organization_id and c.booking_id = b.id
      join public.customers as k on k.organization_id = b.organization_id and k.id = b.customer_id
      order by m.id;
    when 'customers' then
      zone := private.export_zone(export);
      return query
      select jsonb_build_object(
        'id', c.id,
        'customer', c.full_name,
        'email', c.email,
        'phone', c.phone,
        'language', c.locale,
        'added_at', private.wall_clock(c.created_at, zone),
        'timezone', zone,
        'tags', (
          select string_agg(t.tag, ', ' order by t.tag)
          from public.customer_tags as t
          where t.organization_id = c.organization_id and t.customer_id = c.id
        ),
        'marketing', coalesce(((private.latest_consents(c.organization_id, c.id)).marketing).granted, false),
        'staff_note', c.staff_note
      ) || case when not sees_bookings then '{}' else (
        select jsonb_build_object(
          'bookings', count(*),
          'first_visit_at', private.wall_clock(min(b.starts_at), zone),
          'last_visit_at', private.wall_clock(max(b.starts_at), zone)
        )
        from public.bookings as b
        where b.organization_id = c.organization_id
          and b.customer_id = c.id
          and b.status not in ('held', 'expired', 'cancelled')
      ) end
      from public.customers as c
      where c.organization_id = organization and c.id = any (ids)
      order by c.id;
    when 'waivers' then
      return query
      select jsonb_build_object(
        'id', w.id,
        'signed_at', private.wall_clock(w.signed_at, l.timezone),
        'timezone', l.timezone,
        'signer', w.full_name,
        'email', w.email,
        'plays', w.plays,
        'minors', (
          select string_agg(concat_ws(' ', m ->> 'full_name', '(' || (m ->> 'birth_year') || ')'), ', ')
          from jsonb_array_elements(w.minors) as m
        ),
        'people', w.people,
        'version', w.version,
        'language', w.locale
      ) || case when not sees_bookings then '{}' else jsonb_build_object(
        'reference', b.reference,
        'visit_at', private.wall_clock(b.starts_at, l.timezone)
      ) end
      || case when not sees_rooms then '{}' else jsonb_build_object('room', r.name, 'location', l.name) end
      from public.waiver_signatures as w
      join public.bookings as b on b.organization_id = w.organization_id and b.id = w.booking_id
      join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
      join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
      where w.organization_id = organization and w.id = any (ids)
      order by w.id;
    when 'results' then
      return query
      select jsonb_build_object(
        'id', g.booking_id,
        'played_at', private.wall_clock(g.played_at, l.timezone),
        'timezone', l.timezone,
        'outcome', g.outcome,
        'escape_seconds', g.escape_seconds,
        'duration_seconds', g.duration_seconds,
        'pauses', g.pauses,
        'hints', g.hints,
        'team_name', g.team_name,
        'level', g.level,
        'game_language', g.language,
        'is_by_hand', g.is_by_hand,
        'correction_reason', g.correction_reason,
        'game_notes', g.notes
      ) || case when not sees_bookings then '{}' else jsonb_build_object(
        'reference', b.reference,
        'visit_at', private.wall_clock(b.starts_at, l.timezone),
        'party_size', b.party_size
      ) end
      || case when not sees_rooms then '{}' else jsonb_build_object('room', r.name, 'location', l.name) end
      from public.game_results as g
      join public.bookings as b on b.organization_id = g.organization_id and b.id = g.booking_id
      join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
      join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
      where g.organization_id = organization and g.booking_id = any (ids)
      order by g.booking_id;
  end case;
end
$$;

comment on function private.export_page is
  'Rows of an export after one, at most so many, in the order of their ids: {"id", a value a column} each, amounts in minor units, instants on the clock of the location; a column that whoever asked may not read is missing.';

create function private.table_export_of(job private.jobs)
returns public.table_exports
language plpgsql
stable
set search_path = ''
as $$
declare
  export public.table_exports;
begin
  perform private.refuse_other_object(job, job.kind = 'table.export');
  select e.* into export
  from public.table_exports as e
  where e.organization_id = job.organization_id
    and e.id = (job.payload ->> 'export_id')::uuid
    and e.status = 'queued';
  return export;
end
$$;

comment on function private.table_export_of is
  'The export that a job makes; null when it is over, or gone. Raises 409 lease_of_another for a job of another kind.';

create type service.table_export as (
  kind text,
  format text,
  locale text,
  object_path text,
  permissions text []
);

comment on type service.table_export is 'A file that is to be made.';
comment on column service.table_export.kind is 'month: read by read_month. one of: bookings, payments, customers, waivers, results, month';
comment on column service.table_export.format is 'one of: csv, xlsx, pdf';
comment on column service.table_export.locale is 'Of its headings. one of: es, en, ca';
comment on column service.table_export.object_path is 'Where it is to be put, in the bucket table-exports.';
comment on column service.table_export.permissions is 'What whoever asked for it held: columns that take another one are left out.';

create function private.begin_table_export(job_id bigint, lease_token uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(begin_table_export.job_id, begin_table_export.lease_token);
  export public.table_exports := private.table_export_of(job);
begin
  if export.id is null then
    return null;
  end if;
  perform private.act_as('system');
  if not private.may_have_export(export) then
    update public.table_exports as e
    set status = 'failed', finished_at = now(), expires_at = now() + interval '72 hours'
    where e.organization_id = export.organization_id and e.id = export.id;
    return null;
  end if;
  update public.table_exports as e
  set progress = 0,
    row_total = case when export.kind <> 'month' then (select count(*) from private.export_ids(export, null, null)) end
  where e.organization_id = export.organization_id and e.id = export.id;
  return to_jsonb(row(
    export.kind, export.format, export.locale,
    concat(export.organization_id, '/', export.id, '.', export.format), export.permissions
  )::service.table_export);
end
$$;

comment on function private.begin_table_export is 'definer: reads and writes exports for the worker.';
grant execute on function private.begin_table_export to service_role;

create function service.begin_table_export(job_id bigint, lease_token uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.begin_table_export(job_id, lease_token) $$;

comment on function service.begin_table_export is
  'What a claimed job of kind table.export is to make, from its beginning. null when there is nothing to do: it is over, or whoever asked may not have it any more, which ends it. Answers service.table_export or null. Errors: 409 lease_lost, lease_of_another.';
grant execute on function service.begin_table_export to service_role;

create function private.read_table_export(
  job_id bigint,
  lease_token uuid,
  after uuid,
  rows_before bigint,
  max_rows int
)
returns setof jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(read_table_export.job_id, read_table_export.lease_token);
  export public.table_exports := private.table_export_of(job);
  reached int;
begin
  if export.id is null or not private.may_have_export(export) then
    -- Not an empty page, which would be the end of a file.
    perform private.fail('export_not_allowed', 403, 'Give the export up: whoever asked may not have it any more.');
  end if;
  -- By tens, since the log keeps every change of a row.
  reached := least(90, rows_before * 10 / greatest(export.row_total, 1) * 10);
  if reached > export.progress then
    perform private.act_as('system');
    update public.table_exports as e
    set progress = reached
    where e.organization_id = export.organization_id and e.id = export.id;
  end if;
  return query
  select private.export_page(export, read_table_export.after, least(greatest(max_rows, 1), 5000));
end
$$;

comment on function private.read_table_export is
  'definer: reads the tables of the tenant for the export whose job holds the lease, as far as whoever asked for it may.';
grant execute on function private.read_table_export to service_role;

create function service.read_table_export(
  job_id bigint,
  lease_token uuid,
  after uuid default null,
  rows_before bigint default 0,
  max_rows int default 1000
)
returns setof jsonb
language sql
volatile
set search_path = ''
as $$ select private.read_table_export(job_id, lease_token, after, rows_before, max_rows) $$;

comment on function service.read_table_export is
  'Rows of the file that the job makes, under its lease, at most max_rows (1 to 5000), in the order of their ids: {"id", a value a column} each. after: the id of the last row of the page before; null for the first page. rows_before: how many came before, for the progress that is shown. No row comes twice; one that is written while pages are read may be in or not. The page after the last one is empty. Errors: 403 export_not_allowed; 409 lease_lost, lease_of_another.';
grant execute on function service.read_table_export to service_role;

create function private.announce_table_export(export public.table_exports)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'table_export_ready', 'organization_id', export.organization_id, 'export_id', export.id
    ),
    'table_export_ready:' || export.id,
    export.organization_id
  );
end
$$;

comment on function private.announce_table_export is 'The outbox: a file that is ready writes its mail in the same transaction.';

create function private.erase_export_file(object_path text, organization_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'export.erase',
    jsonb_build_object('object_path', erase_export_file.object_path),
    'export.erase:' || erase_export_file.object_path,
    erase_export_file.organization_id
  );
end
$$;

comment on function private.erase_export_file is 'The outbox: a file of an export that is over is deleted by the worker.';

create function private.finish_table_export(job_id bigint, lease_token uuid, row_count bigint)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(finish_table_export.job_id, finish_table_export.lease_token);
  export public.table_exports := private.table_export_of(job);
  path text := concat(export.organization_id, '/', export.id, '.', export.format);
  is_made boolean := finish_table_export.row_count is not null;
begin
  if export.id is null then
    return;
  end if;
  perform private.act_as('system');
  update public.table_exports as e
  set status = case when is_made then 'finished' else 'failed' end,
    progress = case when is_made then 100 else e.progress end,
    object_path = case when is_made then path end,
    row_count = finish_table_export.row_count,
    finished_at = now(),
    expires_at = now() + interval '72 hours'
  where e.organization_id = export.organization_id and e.id = export.id
  returning e.* into export;
  if is_made then
    perform private.announce_table_export(export);
  else
    -- An attempt before may have put one there.
    perform private.erase_export_file(path, export.organization_id);
  end if;
end
$$;

comment on function private.finish_table_export is 'definer: writes table_exports for the worker.';
grant execute on function private.finish_table_export to service_role;

create function service.finish_table_export(job_id bigint, lease_token uuid, row_count bigint)
returns void
language sql
volatile
set search_path = ''
as $$ select private.finish_table_export(job_id, lease_token, row_count) $$;

comment on function service.finish_table_export is
  'Records that the file which the job makes is in its place, with so many rows, and queues its mail; null: that it failed. Any number of calls end in the same state. Errors: 409 lease_lost, lease_of_another.';
grant execute on function service.finish_table_export to service_role;

create function private.end_table_exports(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  ended int;
begin
  with over as (
    delete from public.table_exports as e
    where (e.organization_id, e.id) in (
      select old.organization_id, old.id
      from public.table_exports as old
      where old.expires_at <= now()
      order by old.expires_at
      limit end_table_exports.max
      for update skip locked
    )
    returning e.organization_id, e.object_path
  )
  select count(*), count(private.erase_export_file(o.object_path, o.organization_id)) filter (where o.object_path is not null)
  into ended
  from over as o;
  return ended;
end
$$;

comment on function private.end_table_exports is
  'Deletes at most so many exports whose time is over, queues the deletion of their files, and returns how many there were.';

create function private.table_export_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', e.locale,
      'to', jsonb_build_object('name', f.full_name, 'email', f.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'rows_of', e.kind,
        'format', e.format,
        'row_count', e.row_count,
        'first_date', case when e.kind = 'month' then e.from_date end,
        'expires_at', e.expires_at,
        'timezone', o.timezone
      )
    )
    from public.table_exports as e
    join public.organizations as o on o.id = e.organization_id
    join public.profiles as f on f.user_id = e.user_id
    -- An address that nobody has proven may be a stranger's.
    join private.proven_addresses as p on p.user_id = f.user_id and p.email = f.email
    where e.organization_id = table_export_content.organization_id
      and e.id = (cause ->> 'export_id')::uuid
      and e.status = 'finished'
      and e.expires_at > now()
      and private.may_have_export(e)
  );
end
$$;

comment on function private.table_export_content is
  'What the mail says that tells of a file that is ready; null when its time is over, or whoever asked may not have it any more, or has an address that is not proven.';

select private.email_template_upsert('table_export_ready', 'table_export_content', counts_as => 'notice');
