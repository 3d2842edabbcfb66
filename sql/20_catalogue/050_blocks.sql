-- Blocks: time that staff take off sale, once or again and again. What keeps it off sale is one
-- session for each room and occurrence; the row here keeps them together.

create table public.room_blocks (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  location_id uuid,
  room_id uuid,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  repeats text not null,
  until date,
  reason text not null default '',
  cancelled_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint room_blocks_pkey primary key (organization_id, id),
  constraint room_blocks_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint room_blocks_location_fkey foreign key (organization_id, location_id)
  references public.locations (organization_id, id) on delete restrict,
  constraint room_blocks_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete restrict,
  constraint room_blocks_is_for_a_room_a_location_or_all check (num_nonnulls(location_id, room_id) <= 1),
  constraint room_blocks_time_is_ordered_and_at_most_366_days check (
    starts_at < ends_at and ends_at - starts_at <= interval '366 days'
  ),
  constraint room_blocks_repeats_is_known check (repeats in ('none', 'daily', 'weekly')),
  constraint room_blocks_until_ends_what_repeats check ((until is not null) = (repeats <> 'none')),
  constraint room_blocks_reason_is_a_text check (private.is_text(reason, 500))
);

comment on table public.room_blocks is
  'Time off sale in a room, in the rooms of a location, or in all rooms there were when it was made (neither location nor room): block_room makes its sessions, unblock_room cancels them.';
comment on column public.room_blocks.starts_at is 'The first occurrence, the same instant in every room; the others follow by the clock of each room''s location.';
comment on column public.room_blocks.repeats is 'none, daily or weekly.';
comment on column public.room_blocks.until is 'Last local date on which an occurrence starts; an earlier one after the rest was lifted.';
comment on column public.room_blocks.cancelled_at is 'When the last of what was to come was lifted.';

-- for: the blocks of a room, and the foreign key
create index room_blocks_room_id_idx on public.room_blocks (organization_id, room_id) where room_id is not null;
-- for: the blocks of a location, and the foreign key
create index room_blocks_location_id_idx on public.room_blocks (organization_id, location_id) where location_id is not null;

grant select on public.room_blocks to authenticated;

alter table public.room_blocks enable row level security;

create trigger room_blocks_clean_notes
before insert or update of reason on public.room_blocks
for each row execute function private.clean_texts('notes', 'reason');

create policy room_blocks_select on public.room_blocks
for select to authenticated
using (organization_id = (select private.organization_with('schedules:read')));

create trigger room_blocks_touch_updated_at
before update on public.room_blocks
for each row execute function private.touch_updated_at();
