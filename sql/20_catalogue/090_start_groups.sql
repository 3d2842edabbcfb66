-- Start groups: rooms that share what a start takes (a hall, a briefing, a game master) and so do not
-- start within some minutes of each other. private.session_starts keeps to them.

create table public.start_groups (
  organization_id uuid not null default private.organization_with('schedules:manage'),
  id uuid not null default private.uuid_v7(),
  name text not null,
  minutes int not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint start_groups_pkey primary key (organization_id, id),
  constraint start_groups_name_key unique (organization_id, name),
  constraint start_groups_name_is_a_name check (private.is_name(name, 120)),
  constraint start_groups_minutes_are_1_to_240 check (minutes between 1 and 240)
);

comment on table public.start_groups is
  'What several rooms share when they start, such as a hall: no two of them start less than so many minutes apart. At most 50. Errors: 409 starts_too_close (details {"conflicts": [{"session_id", "room_id", "starts_at"}], at most 20}) where minutes are more than what is booked to come allows; 422 too_many_rows.';
comment on column public.start_groups.name is 'For the staff, such as "Lobby"; visitors do not see it.';
comment on column public.start_groups.minutes is
  'How many minutes lie between the starts of two of its rooms at least, 1 to 240. A larger number is refused while sessions to come are closer.';

grant select, delete on public.start_groups to authenticated;
grant insert (organization_id, name, minutes), update (name, minutes) on public.start_groups to authenticated;

alter table public.start_groups enable row level security;

create trigger start_groups_clean_names
before insert or update of name on public.start_groups
for each row execute function private.clean_texts('names', 'name');

create policy start_groups_select on public.start_groups
for select to authenticated
using (organization_id = (select private.organization_with('schedules:read')));

create policy start_groups_insert on public.start_groups
for insert to authenticated
with check (organization_id = (select private.organization_with('schedules:manage')));

create policy start_groups_update on public.start_groups
for update to authenticated
using (organization_id = (select private.organization_with('schedules:manage')))
with check (organization_id = (select private.organization_with('schedules:manage')));

create policy start_groups_delete on public.start_groups
for delete to authenticated
using (organization_id = (select private.organization_with('schedules:manage')));

create trigger start_groups_touch_updated_at
before update on public.start_groups
for each row execute function private.touch_updated_at();

create trigger start_groups_are_bounded
after insert on public.start_groups
for each row execute function private.bound_rows('50');

create table public.start_group_rooms (
  organization_id uuid not null default private.organization_with('schedules:manage'),
  group_id uuid not null,
  room_id uuid not null,
  constraint start_group_rooms_pkey primary key (organization_id, group_id, room_id),
  constraint start_group_rooms_group_fkey foreign key (organization_id, group_id)
  references public.start_groups (organization_id, id) on delete cascade,
  constraint start_group_rooms_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade
);

comment on table public.start_group_rooms is
  'Which rooms a start group is about. A room is refused while sessions to come start closer to the others'' than the group allows. At most 50 of a group, and 5 groups of a room. Errors: 409 starts_too_close (as for start_groups); 422 too_many_rows.';

-- for: the groups of a room when a session of it is made or asked for, and the foreign key
create index start_group_rooms_room_id_idx on public.start_group_rooms (organization_id, room_id);

grant select, delete on public.start_group_rooms to authenticated;
grant insert (organization_id, group_id, room_id) on public.start_group_rooms to authenticated;

alter table public.start_group_rooms enable row level security;

create policy start_group_rooms_select on public.start_group_rooms
for select to authenticated
using (organization_id = (select private.organization_with('schedules:read')));

create policy start_group_rooms_insert on public.start_group_rooms
for insert to authenticated
with check (organization_id = (select private.organization_with('schedules:manage')));

create policy start_group_rooms_delete on public.start_group_rooms
for delete to authenticated
using (organization_id = (select private.organization_with('schedules:manage')));

create trigger start_group_rooms_are_bounded
after insert on public.start_group_rooms
for each row execute function private.bound_rows('50', 'group_id');

create trigger start_group_rooms_of_a_room_are_bounded
after insert on public.start_group_rooms
for each row execute function private.bound_rows('5', 'room_id');
