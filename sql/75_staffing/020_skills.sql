-- Skills: who may run which room.

create table public.staff_skills (
  organization_id uuid not null default private.organization_with('shifts:manage'),
  user_id uuid not null,
  room_id uuid not null,
  created_at timestamptz not null default now(),
  constraint staff_skills_pkey primary key (organization_id, user_id, room_id),
  constraint staff_skills_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete cascade,
  constraint staff_skills_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade
);

comment on table public.staff_skills is
  'Which member knows which room well enough to run it. It limits who takes a session and who is assigned automatically; whoever holds bookings:assign may assign anybody. Ends with the membership; taking it away leaves assignments that were made.';

-- for: who can run a room, and the foreign key
create index staff_skills_room_id_idx on public.staff_skills (organization_id, room_id);

grant select, delete on public.staff_skills to authenticated;
grant insert (organization_id, user_id, room_id) on public.staff_skills to authenticated;

alter table public.staff_skills enable row level security;

create policy staff_skills_select on public.staff_skills
for select to authenticated
using (organization_id = (select private.organization_with('shifts:read')));

create policy staff_skills_insert on public.staff_skills
for insert to authenticated
with check (organization_id = (select private.organization_with('shifts:manage')));

create policy staff_skills_delete on public.staff_skills
for delete to authenticated
using (organization_id = (select private.organization_with('shifts:manage')));
