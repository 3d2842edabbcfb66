-- Schedules: weekly opening hours of a room, and the dates on which other hours hold.
-- All times are the wall clock of the room's location; private.slots turns them into instants.

create function private.are_start_times(start_times time [], opens_at time, closes_at time)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  if array_ndims(start_times) is distinct from 1 or cardinality(start_times) > 100 then
    return false;
  end if;
  return (
    select count(distinct t) = count(*) and coalesce(bool_and(
      t < time '24:00'
      and case when closes_at > opens_at then t >= opens_at and t < closes_at else t >= opens_at or t < closes_at end
    ), false)
    from unnest(start_times) as t
  );
end
$$;

comment on function private.are_start_times is
  'Whether these are 1 to 100 different times of the window from opens_at to closes_at; a window that ends on the next day also has the times before closes_at.';
grant execute on function private.are_start_times to authenticated;

create table public.schedules (
  organization_id uuid not null default private.organization_with('schedules:manage'),
  id uuid not null default private.uuid_v7(),
  room_id uuid not null,
  weekday int not null,
  opens_at time not null,
  closes_at time not null,
  slot_interval_minutes int,
  start_times time [],
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint schedules_pkey primary key (organization_id, id),
  -- Also the index for: the windows of a room by weekday, and the foreign key.
  constraint schedules_window_key unique (organization_id, room_id, weekday, opens_at),
  constraint schedules_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint schedules_weekday_is_iso check (weekday between 1 and 7),
  constraint schedules_slot_interval_is_5_minutes_to_a_day check (slot_interval_minutes between 5 and 1440),
  constraint schedules_start_times_are_in_the_window check (
    start_times is null or private.are_start_times(start_times, opens_at, closes_at)
  ),
  constraint schedules_start_times_replace_the_interval check (num_nonnulls(start_times, slot_interval_minutes) <= 1)
);

comment on table public.schedules is 'A weekly window in which a room starts sessions; a room may have several on a day.';
comment on column public.schedules.weekday is 'ISO: 1 Monday to 7 Sunday, the day on which the window opens.';
comment on column public.schedules.opens_at is 'Wall clock of the location; the first session starts then.';
comment on column public.schedules.closes_at is 'Wall clock of the location; the last session has ended by then. Not after opens_at: on the next day.';
comment on column public.schedules.slot_interval_minutes is 'Minutes from one start to the next; null: duration plus turnaround of the room.';
comment on column public.schedules.start_times is
  'The only starts of the window, instead of an interval: times from opens_at on and before closes_at, on the next day if the window ends there. closes_at holds for them too: a session that would end later is not offered. Null: starts by interval.';

grant select, delete on public.schedules to authenticated;
grant insert (organization_id, room_id, weekday, opens_at, closes_at, slot_interval_minutes, start_times)
on public.schedules to authenticated;
grant update (weekday, opens_at, closes_at, slot_interval_minutes, start_times) on public.schedules to authenticated;

alter table public.schedules enable row level security;

create policy schedules_select on public.schedules
for select to authenticated
using (organization_id = (select private.organization_with('schedules:read')));

create policy schedules_insert on public.schedules
for insert to authenticated
with check (organization_id = (select private.organization_with('schedules:manage')));

create policy schedules_update on public.schedules
for update to authenticated
using (organization_id = (select private.organization_with('schedules:manage')))
with check (organization_id = (select private.organization_with('schedules:manage')));

create policy schedules_delete on public.schedules
for delete to authenticated
using (organization_id = (select private.organization_with('schedules:manage')));

create trigger schedules_touch_updated_at
before update on public.schedules
for each row execute function private.touch_updated_at();

create trigger schedules_are_bounded
after insert or update of weekday on public.schedules
for each row execute function private.bound_rows('24', 'room_id', 'weekday');

create table public.schedule_exceptions (
  organization_id uuid not null default private.organization_with('schedules:manage'),
  id uuid not null default private.uuid_v7(),
  location_id uuid,
  room_id uuid,
  date date not null,
  is_closed boolean not null default false,
  opens_at time,
  closes_at time,
  slot_interval_minutes int,
  start_times time [],
  reason text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint schedule_exceptions_pkey primary key (organization_id, id),
  constraint schedule_exceptions_location_fkey foreign key (organization_id, location_id)
  references public.locations (organization_id, id) on delete cascade,
  constraint schedule_exceptions_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint schedule_exceptions_is_for_a_location_or_a_room check (num_nonnulls(location_id, room_id) = 1),
  constraint schedule_exceptions_has_hours_unless_closed check (
    num_nonnulls(opens_at, closes_at) = case when is_closed then 0 else 2 end
  ),
  constraint schedule_exceptions_date_is_finite check (isfinite(date)),
  constraint schedule_exceptions_slot_interval_is_5_minutes_to_a_day check (slot_interval_minutes between 5 and 1440),
  constraint schedule_exceptions_start_times_are_in_the_window check (
    start_times is null or (not is_closed and private.are_start_times(start_times, opens_at, closes_at))
  ),
  constraint schedule_exceptions_start_times_replace_the_interval check (
    num_nonnulls(start_times, slot_interval_minutes) <= 1
  ),
  constraint schedule_exceptions_reason_is_a_text check (private.is_text(reason, 500))
);

comment on table public.schedule_exceptions is
  'A date on which a room, or every room of a location, is closed or has other hours than its weekly ones. Closed wins over other hours, a room''s own other hours over its location''s, and any of them replaces the weekly windows that open on the date.';
comment on column public.schedule_exceptions.date is 'Local date on which the windows open: a window of the day before that runs past midnight is not touched.';
comment on column public.schedule_exceptions.opens_at is 'As in schedules; null when closed. Several rows of one date are several windows.';
comment on column public.schedule_exceptions.closes_at is 'As in schedules; null when closed.';
comment on column public.schedule_exceptions.start_times is 'As in schedules.';

-- for: the exceptions of a room, the foreign key, and one row a window
create unique index schedule_exceptions_room_window_key
on public.schedule_exceptions (organization_id, room_id, date, opens_at) nulls not distinct
where room_id is not null;
-- for: the exceptions of a location, the foreign key, and one row a window
create unique index schedule_exceptions_location_window_key
on public.schedule_exceptions (organization_id, location_id, date, opens_at) nulls not distinct
where location_id is not null;

grant select, delete on public.schedule_exceptions to authenticated;
grant insert (
  organization_id, location_id, room_id, date, is_closed, opens_at, closes_at, slot_interval_minutes, start_times, reason
) on public.schedule_exceptions to authenticated;
grant update (date, is_closed, opens_at, closes_at, slot_interval_minutes, start_times, reason)
on public.schedule_exceptions to authenticated;

alter table public.schedule_exceptions enable row level security;

create trigger schedule_exceptions_clean_notes
before insert or update of reason on public.schedule_exceptions
for each row execute function private.clean_texts('notes', 'reason');

create policy schedule_exceptions_select on public.schedule_exceptions
for select to authenticated
using (organization_id = (select private.organization_with('schedules:read')));

create policy schedule_exceptions_insert on public.schedule_exceptions
for insert to authenticated
with check (organization_id = (select private.organization_with('schedules:manage')));

create policy schedule_exceptions_update on public.schedule_exceptions
for update to authenticated
using (organization_id = (select private.organization_with('schedules:manage')))
with check (organization_id = (select private.organization_with('schedules:manage')));

create policy schedule_exceptions_delete on public.schedule_exceptions
for delete to authenticated
using (organization_id = (select private.organization_with('schedules:manage')));

create trigger schedule_exceptions_touch_updated_at
before update on public.schedule_exceptions
for each row execute function private.touch_updated_at();

create trigger schedule_exceptions_are_bounded
after insert or update of date on public.schedule_exceptions
for each row execute function private.bound_rows('24', 'location_id', 'room_id', 'date');
