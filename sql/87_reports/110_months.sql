-- A month on paper: what its figures are, and to whom it goes by itself once the month is over.
--
-- It is an export of the kind month: made by the worker, for one member, who is asked about again at
-- each step. The row of a recipient says when the next one is due; it is moved on in the transaction that queues the export, so
-- however often the clock is looked at, and wherever a worker is killed, each month is queued once.

select private.permission_upsert(
  'reports:schedule', 'reports', true,
  'Say who gets the report of each month, and when', 'Decidir quién recibe el informe de cada mes y cuándo',
  array['admin', 'manager'],
  rests_in_visits => true
);

create function private.next_monthly_report(zone text, day_of_month int, hour_of_day int, after timestamptz)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
declare
  month timestamp := date_trunc('month', after at time zone zone);
  due timestamptz := (month + make_interval(days => day_of_month - 1, hours => hour_of_day)) at time zone zone;
begin
  if due <= after then
    due := (month + interval '1 month' + make_interval(days => day_of_month - 1, hours => hour_of_day)) at time zone zone;
  end if;
  return due;
end
$$;

comment on function private.next_monthly_report is
  'The next instant after one at which a clock shows that hour of that day of a month.';

create table public.monthly_report_recipients (
  organization_id uuid not null default private.organization_with('reports:schedule'),
  user_id uuid not null,
  day_of_month int not null default 1,
  hour_of_day int not null default 8,
  next_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint monthly_report_recipients_pkey primary key (organization_id, user_id),
  constraint monthly_report_recipients_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete cascade,
  constraint monthly_report_recipients_day_is_in_every_month check (day_of_month between 1 and 28),
  constraint monthly_report_recipients_hour_is_of_a_day check (hour_of_day between 0 and 23)
);

comment on table public.monthly_report_recipients is
  'The members who get the report of each month by themselves, in their own language, while they hold reports:read and reports:export. Nobody does unless a row says so.';
comment on column public.monthly_report_recipients.day_of_month is 'On which day of the month after it, 1 to 28, on the organization''s clock.';
comment on column public.monthly_report_recipients.hour_of_day is 'At which hour of that day, 0 to 23.';
comment on column public.monthly_report_recipients.next_at is 'When the next one is made, of the month before that day.';

-- for: private.queue_monthly_reports
create index monthly_report_recipients_next_at_idx on public.monthly_report_recipients (next_at);

grant select, delete on public.monthly_report_recipients to authenticated;
grant insert (organization_id, user_id, day_of_month, hour_of_day) on public.monthly_report_recipients to authenticated;
grant update (day_of_month, hour_of_day) on public.monthly_report_recipients to authenticated;

alter table public.monthly_report_recipients enable row level security;

create policy monthly_report_recipients_select on public.monthly_report_recipients
for select to authenticated
using (organization_id = (select private.organization_with('reports:read')));

create policy monthly_report_recipients_insert on public.monthly_report_recipients
for insert to authenticated
with check (organization_id = (select private.organization_with('reports:schedule')));

create policy monthly_report_recipients_update on public.monthly_report_recipients
for update to authenticated
using (organization_id = (select private.organization_with('reports:schedule')))
with check (organization_id = (select private.organization_with('reports:schedule')));

create policy monthly_report_recipients_delete on public.monthly_report_recipients
for delete to authenticated
using (organization_id = (select private.organization_with('reports:schedule')));

create function private.plan_monthly_report()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  new.next_at := private.next_monthly_report(
    (select o.timezone from public.organizations as o where o.id = new.organization_id),
    new.day_of_month, new.hour_of_day, clock_timestamp()
  );
  return new;
end
$$;

comment on function private.plan_monthly_report is
  'definer: reads the organization''s clock for whoever may plan reports. Trigger: says when the next one is due.';

create trigger monthly_report_recipients_plan
before insert or update of day_of_month, hour_of_day on public.monthly_report_recipients
for each row execute function private.plan_monthly_report();

create trigger monthly_report_recipients_touch_updated_at
before update on public.monthly_report_recipients
for each row execute function private.touch_updated_at();

create trigger monthly_report_recipients_are_bounded
after insert on public.monthly_report_recipients
for each row execute function private.bound_rows('50');

create function private.queue_monthly_reports(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  due record;
  wanted public.table_exports;
  queued int := 0;
begin
  for due in
    select r.organization_id, r.user_id, r.day_of_month, r.hour_of_day, o.timezone, f.locale
    from public.monthly_report_recipients as r
    join public.organizations as o on o.id = r.organization_id
    join public.profiles as f on f.user_id = r.user_id
    where r.next_at <= now()
    order by r.next_at, r.organization_id, r.user_id
    limit queue_monthly_reports.max
    for update of r skip locked
  loop
    -- Also of those who may not have it: the month is over for them, too.
    update public.monthly_report_recipients as r
    set next_at = private.next_monthly_report(due.timezone, due.day_of_month, due.hour_of_day, now())
    where r.organization_id = due.organization_id and r.user_id = due.user_id;
    wanted := null;
    wanted.organization_id := due.organization_id;
    wanted.user_id := due.user_id;
    wanted.kind := 'month';
    wanted.format := 'pdf';
    wanted.locale := due.locale;
    -- After a long pause only the last month is told of.
    wanted.from_date := (date_trunc('month', now() at time zone due.timezone) - interval '1 month')::date;
    wanted.to_date := (wanted.from_date + interval '1 month')::date - 1;
    wanted.permissions := array['reports:export', 'reports:read'];
    begin
      if private.may_have_export(wanted) and (private.queue_table_export(wanted)).id is not null then
        queued := queued + 1;
      end if;
    exception
      -- Who keeps a hundred files gets no further one, and keeps nobody else from theirs.
      when sqlstate 'PT422' then
        null;
    end;
  end loop;
  return queued;
end
$$;

comment on function private.queue_monthly_reports is
  'Queues the reports of a month that are due, at most so many, and returns how many: of each recipient once a month, in one transaction with saying when the next one is. One that is asked for by hand and under way stands for it.';

create type service.month_figures as (
  organization_name text,
  first_date date,
  revenue public.revenue_report [],
  bookings public.bookings_report,
  games public.games_report,
  occupancy public.occupancy_report,
  revenue_before public.revenue_report [],
  bookings_before public.bookings_report,
  games_before public.games_report,
  occupancy_before public.occupancy_report
);

comment on type service.month_figures is 'The figures of a month and of the month before.';
comment on column service.month_figures.organization_name is 'Whose they are.';
comment on column service.month_figures.first_date is 'The first of the month.';
comment on column service.month_figures.revenue is 'As get_revenue_report answers.';
comment on column service.month_figures.bookings is 'As get_bookings_report answers.';
comment on column service.month_figures.games is 'As get_games_report answers.';
comment on column service.month_figures.occupancy is
  'As get_occupancy_report answers; null: a month has more starts than it expands at once.';
comment on column service.month_figures.revenue_before is 'Of the month before.';
comment on column service.month_figures.bookings_before is 'Of the month before.';
comment on column service.month_figures.games_before is 'Of the month before.';
comment on column service.month_figures.occupancy_before is 'Of the month before; null likewise.';

create function private.month_occupancy(export public.table_exports, first date, last date)
returns public.occupancy_report
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.get_occupancy_report(
    export.organization_id, null, month_occupancy.first, month_occupancy.last, export.location_id, export.room_id
  );
exception
  -- too_many_slots: the rest of the report is told all the same.
  when sqlstate 'PT422' then
    return null;
end
$$;

comment on function private.month_occupancy is
  'The occupancy of a month; null: it has more starts than are expanded at once.';

create function private.month_figures(export public.table_exports)
returns service.month_figures
language plpgsql
volatile
set search_path = ''
as $$
declare
  figures service.month_figures;
  organization uuid := export.organization_id;
  place uuid := export.location_id;
  only_room uuid := export.room_id;
  first date := export.from_date;
  last date := export.to_date;
  before date := (export.from_date - interval '1 month')::date;
  claims text := coalesce(current_setting('request.jwt.claims', true), '');
begin
  select o.name into figures.organization_name from public.organizations as o where o.id = organization;
  figures.first_date := first;
  -- The reports are asked as whoever asked for this one would ask them now, and refused as they would be.
  perform set_config(
    'request.jwt.claims', jsonb_build_object('sub', export.user_id, 'role', 'authenticated')::text, true
  );
  figures.revenue := array(
    select r from private.get_revenue_report(organization, null, first, last, place, only_room, 'day') as r
  );
  figures.bookings := private.get_bookings_report(organization, null, first, last, place, only_room);
  figures.games := private.get_games_report(organization, null, first, last, place, only_room);
  figures.occupancy := private.month_occupancy(export, first, last);
  last := first - 1;
  figures.revenue_before := array(
    select r from private.get_revenue_report(organization, null, before, last, place, only_room, 'day') as r
  );
  figures.bookings_before := private.get_bookings_report(organization, null, before, last, place, only_room);
  figures.games_before := private.get_games_report(organization, null, before, last, place, only_room);
  figures.occupancy_before := private.month_occupancy(export, before, last);
  perform set_config('request.jwt.claims', claims, true);
  return figures;
end
$$;

comment on function private.month_figures is
  'The figures of a month and of the month before it, as the member whose export it is may read them now.';

create function private.read_month(job_id bigint, lease_token uuid)
returns service.month_figures
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(read_month.job_id, read_month.lease_token);
  export public.table_exports := private.table_export_of(job);
begin
  if export.id is null or export.kind <> 'month' or not private.may_have_export(export) then
    perform private.fail('export_not_allowed', 403, 'Give the export up: whoever asked may not have it any more.');
  end if;
  return private.month_figures(export);
end
$$;

comment on function private.read_month is
  'definer: reads the reports of the tenant for the export whose job holds the lease, as far as whoever asked for it may.';
grant execute on function private.read_month to service_role;

create function service.read_month(job_id bigint, lease_token uuid)
returns service.month_figures
language sql
volatile
set search_path = ''
as $$ select * from private.read_month(job_id, lease_token) $$;

comment on function service.read_month is
  'The figures of the month whose report the job makes, under its lease. Errors: 403 export_not_allowed; 404 location_not_found, room_not_found; 409 lease_lost, lease_of_another; 503 unavailable.';
grant execute on function service.read_month to service_role;
