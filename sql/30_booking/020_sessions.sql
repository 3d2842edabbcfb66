-- Sessions: one run of a room at a time. Holds, bookings and blocks all stand behind the
-- exclusion constraint of this table, which alone makes a double booking impossible.

create table public.sessions (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  room_id uuid not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  occupied_until timestamptz not null,
  during tstzrange not null generated always as (tstzrange(starts_at, occupied_until, '[)')) stored,
  mode text not null,
  capacity int not null,
  seats_taken int not null,
  status text not null default 'scheduled',
  reason text not null default '',
  block_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint sessions_pkey primary key (organization_id, id),
  -- The target of bookings' foreign key, so that a booking's room and start are its session's.
  constraint sessions_place_and_time_key unique (organization_id, id, room_id, starts_at),
  constraint sessions_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete restrict,
  constraint sessions_block_fkey foreign key (organization_id, block_id)
  references public.room_blocks (organization_id, id) on delete restrict,
  constraint sessions_do_not_overlap exclude using gist (
    organization_id extensions.gist_uuid_ops with =,
    room_id extensions.gist_uuid_ops with =,
    during with &&
  ) where (status <> 'cancelled'),
  constraint sessions_time_is_finite_and_ordered check (
    starts_at < ends_at and ends_at <= occupied_until
    and isfinite(starts_at) and isfinite(occupied_until)
  ),
  -- Who looks for the sessions of a time need not look further back than that; blocks have
  -- an index of their own.
  constraint sessions_last_at_most_two_days check (mode = 'block' or occupied_until - starts_at <= interval '48 hours'),
  constraint sessions_mode_is_known check (mode in ('private', 'shared', 'block')),
  constraint sessions_status_is_known check (status in ('scheduled', 'cancelled')),
  constraint sessions_seats_fit check (0 <= seats_taken and seats_taken <= capacity),
  constraint sessions_block_sells_nothing check (mode <> 'block' or capacity = 0),
  constraint sessions_block_id_is_for_blocks check (block_id is null or mode = 'block'),
  constraint sessions_live_while_seats_are_taken check (
    mode = 'block' or (status = 'scheduled') = (seats_taken > 0)
  ),
  constraint sessions_reason_is_a_text check (private.is_text(reason, 500))
);

comment on table public.sessions is
  'One run of a room at a time. It lives while a booking or a hold takes a seat, or while a block stands; then it is cancelled and the time is free.';
comment on column public.sessions.occupied_until is 'ends_at plus the turnaround that the room had when the session was made.';
comment on column public.sessions.during is 'What the room is busy with, turnaround included.';
comment on column public.sessions.mode is 'private (one party), shared (seats to several parties), block (sells nothing).';
comment on column public.sessions.status is 'scheduled, or cancelled: then it takes no time.';
comment on column public.sessions.capacity is 'Seats of the session; 0 for a block.';
comment on column public.sessions.seats_taken is 'Seats of all bookings and holds that take capacity, lapsed holds included until they are reaped.';
comment on column public.sessions.reason is 'Why the room is blocked.';
comment on column public.sessions.block_id is 'The block that this session is an occurrence of; null for what is sold.';

-- for: the staff's board of a day: organization_id = ? and starts_at between ? and ? order by starts_at
create index sessions_starts_at_idx on public.sessions (organization_id, starts_at);
-- for: the sessions of a room in time, the shared session at a start, and the foreign key
create index sessions_room_id_idx on public.sessions (organization_id, room_id, starts_at);
-- for: the blocks of a room, however long, in private.slots
create index sessions_blocks_idx on public.sessions (organization_id, room_id, starts_at)
where mode = 'block' and status = 'scheduled';
-- for: the occurrences of a block, and the foreign key
create index sessions_block_id_idx on public.sessions (organization_id, block_id) where block_id is not null;

grant select on public.sessions to authenticated;

alter table public.sessions enable row level security;

create trigger sessions_clean_notes
before insert or update of reason on public.sessions
for each row execute function private.clean_texts('notes', 'reason');

create policy sessions_select on public.sessions
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create trigger sessions_touch_updated_at
before update on public.sessions
for each row execute function private.touch_updated_at();
