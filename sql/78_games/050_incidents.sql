-- Incidents: what is broken in a room, from the report to the repair. One can take the room off sale meanwhile.

create table public.room_incidents (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  room_id uuid not null,
  session_id uuid,
  item_id uuid,
  description text not null,
  status text not null default 'open',
  resolution text not null default '',
  block_id uuid,
  reported_by jsonb not null default private.current_actor(),
  solved_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint room_incidents_pkey primary key (organization_id, id),
  constraint room_incidents_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint room_incidents_session_fkey foreign key (organization_id, session_id)
  references public.sessions (organization_id, id) on delete set null (session_id),
  constraint room_incidents_item_fkey foreign key (organization_id, item_id)
  references public.checklist_items (organization_id, id) on delete set null (item_id),
  constraint room_incidents_block_fkey foreign key (organization_id, block_id)
  references public.room_blocks (organization_id, id) on delete set null (block_id),
  constraint room_incidents_description_has_1_to_2000_characters check (
    description <> '' and private.is_text(description, 2000)
  ),
  constraint room_incidents_resolution_is_a_text check (private.is_text(resolution, 2000)),
  constraint room_incidents_status_is_known check (status in ('open', 'in_repair', 'solved')),
  constraint room_incidents_solved_has_its_time check ((status = 'solved') = (solved_at is not null))
);

comment on table public.room_incidents is 'Problems of a room that somebody reported, and what became of them.';
comment on column public.room_incidents.session_id is 'Before or in whose game it was found; null: in none.';
comment on column public.room_incidents.item_id is 'The item of the checklist at which it was found; null: none, or it was deleted.';
comment on column public.room_incidents.description is 'What is wrong, for the staff.';
comment on column public.room_incidents.status is 'open, in_repair or solved.';
comment on column public.room_incidents.resolution is 'What was done about it; may be empty.';
comment on column public.room_incidents.block_id is 'The block that keeps the room off sale for it; null: it is on sale.';
comment on column public.room_incidents.reported_by is 'Who: {kind, id} as in private.current_actor.';

-- for: the incidents of a room, newest first, and the foreign key
create index room_incidents_room_id_idx on public.room_incidents (organization_id, room_id, created_at);
-- for: the foreign key
create index room_incidents_session_id_idx on public.room_incidents (organization_id, session_id) where session_id is not null;
-- for: the foreign key
create index room_incidents_item_id_idx on public.room_incidents (organization_id, item_id) where item_id is not null;
-- for: the foreign key
create index room_incidents_block_id_idx on public.room_incidents (organization_id, block_id) where block_id is not null;

grant select on public.room_incidents to authenticated;

alter table public.room_incidents enable row level security;

create trigger room_incidents_clean_notes
before insert or update of description, resolution on public.room_incidents
for each row execute function private.clean_texts('notes', 'description', 'resolution');

create policy room_incidents_select on public.room_incidents
for select to authenticated
using (organization_id = (select private.organization_with('games:read')));

create trigger room_incidents_touch_updated_at
before update on public.room_incidents
for each row execute function private.touch_updated_at();

create function private.block_for_incident(incident public.room_incidents, until timestamptz)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
declare
  block public.room_blocks;
  starts timestamptz [];
  ends timestamptz [];
begin
  perform private.require_permission(incident.organization_id, 'schedules:manage');
  if until <= now() or not isfinite(until) or until - now() > interval '366 days' then
    perform private.fail('block_range_invalid', 422, 'Block the room until a time to come, at most 366 days ahead.');
  end if;
  perform private.locked_zone(incident.organization_id, incident.room_id);
  perform private.lock_room(incident.organization_id, incident.room_id);
  perform private.reap_lapsed_holds(incident.organization_id, incident.room_id, tstzrange(now(), until));
  -- What is booked stands, until somebody moves it: the rest of the time is taken off sale.
  select array_agg(lower(free.during) order by free.during), array_agg(upper(free.during) order by free.during)
  into starts, ends
  from unnest(
    tstzmultirange(tstzrange(now(), until)) - coalesce(
      (
        select range_agg(s.during)
        from public.sessions as s
        where s.organization_id = incident.organization_id
          and s.room_id = incident.room_id
          and s.status <> 'cancelled'
          and s.during && tstzrange(now(), until)
      ),
      '{}'
    )
  ) as free (during);
  if starts is null then
    return null;
  end if;
  insert into public.room_blocks as b (organization_id, room_id, starts_at, ends_at, repeats, reason)
  values (incident.organization_id, incident.room_id, now(), until, 'none', left(incident.description, 500))
  returning b.* into block;
  perform private.claim_block(block, array_fill(incident.room_id, array[cardinality(starts)]), starts, ends);
  return block.id;
end
$$;

comment on function private.block_for_incident is
  'Takes what is free of an incident''s room off sale from now until then, and returns the block; null when all of it is taken. Raises 403 permission_denied, 409 slot_taken (somebody booked at this moment), 422 block_range_invalid.';

create function private.lift_incident_block(incident public.room_incidents)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if exists (
    select from public.sessions as s
    where s.organization_id = incident.organization_id
      and s.block_id = incident.block_id
      and s.status = 'scheduled'
      and s.ends_at > now()
  ) then
    perform private.unblock_room(incident.organization_id, null, incident.block_id, null);
  end if;
end
$$;

comment on function private.lift_incident_block is
  'Puts the room of an incident on sale again, as far as it is not. Raises 403 permission_denied.';

create type public.incident as (
  incident_id uuid,
  room_id uuid,
  status text,
  block_id uuid,
  booked_sessions uuid []
);

comment on type public.incident is 'A problem of a room, as it stands.';
comment on column public.incident.incident_id is 'Of the incident.';
comment on column public.incident.room_id is 'The room.';
comment on column public.incident.status is 'one of room_incidents.status';
comment on column public.incident.block_id is 'What keeps the room off sale; null: it is on sale.';
comment on column public.incident.booked_sessions is 'Sessions in the blocked time that stand all the same: move or cancel what is booked. By time, at most 100.';

create function private.shown_incident(incident public.room_incidents)
returns public.incident
language plpgsql
stable
set search_path = ''
as $$
begin
  return row(
    incident.id, incident.room_id, incident.status, incident.block_id,
    array(
      select s.id
      from public.room_blocks as b
      join public.sessions as s
        on s.organization_id = b.organization_id
        and s.room_id = b.room_id
        and s.mode <> 'block'
        and s.status = 'scheduled'
        and s.during && tstzrange(greatest(b.starts_at, now()), greatest(b.ends_at, now()))
      where b.organization_id = incident.organization_id and b.id = incident.block_id
      order by s.starts_at
      limit 100
    )
  )::public.incident;
end
$$;

comment on function private.shown_incident is 'An incident and what is booked in its room in spite of it.';

create function private.report_incident(
  organization_id uuid,
  room_id uuid,
  description text,
  idempotency_key text,
  session_id uuid,
  item_id uuid,
  block_until timestamptz
)
returns public.incident
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := report_incident.organization_id || ':report_incident';
  stored jsonb;
  incident public.room_incidents;
begin
  perform private.require_permission(report_incident.organization_id, 'games:manage');
  if not private.is_reason(report_incident.description, 2000) then
    perform private.fail('description_invalid', 422, 'Say in 1 to 2000 characters what is wrong.');
  end if;
  stored := private.idempotent_begin(scope, report_incident.idempotency_key, jsonb_build_array(
    report_incident.room_id, report_incident.description, report_incident.session_id, report_incident.item_id,
    report_incident.block_until
  ));
  if stored is not null then
    select i.* into incident
    from public.room_incidents as i
    where i.organization_id = report_incident.organization_id and i.id = (stored ->> 'id')::uuid;
    return private.shown_incident(incident);
  end if;
  if not exists (
    select from public.rooms as r
    where r.organization_id = report_incident.organization_id and r.id = report_incident.room_id
  ) then
    perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
  elsif report_incident.session_id is not null and not exists (
    select from public.sessions as s
    where s.organization_id = report_incident.organization_id
      and s.id = report_incident.session_id
      and s.room_id = report_incident.room_id
  ) then
    perform private.fail('session_not_found', 404, 'Choose a session of the room, or none.');
  elsif report_incident.item_id is not null and not exists (
    select from public.checklist_items as i
    where i.organization_id = report_incident.organization_id
      and i.id = report_incident.item_id
      and i.room_id = report_incident.room_id
  ) then
    perform private.fail('checklist_item_not_found', 404, 'Choose an item of the room''s checklist, or none.');
  end if;
  insert into public.room_incidents as i (organization_id, room_id, session_id, item_id, description)
  values (
    report_incident.organization_id, report_incident.room_id, report_incident.session_id, report_incident.item_id,
    report_incident.description
  )
  returning i.* into incident;
  if report_incident.block_until is not null then
    update public.room_incidents as i
    set block_id = private.block_for_incident(incident, report_incident.block_until)
    where i.organization_id = incident.organization_id and i.id = incident.id
    returning i.* into incident;
  end if;
  perform private.idempotent_end(scope, report_incident.idempotency_key, jsonb_build_object('id', incident.id));
  return private.shown_incident(incident);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.report_incident is 'definer: writes incidents and blocks, which no client may.';
grant execute on function private.report_incident to authenticated;

create function public.report_incident(
  organization_id uuid,
  room_id uuid,
  description text,
  idempotency_key text,
  session_id uuid default null,
  item_id uuid default null,
  block_until timestamptz default null
)
returns public.incident
language sql
volatile
set search_path = ''
as $$
  select private.report_incident(
    organization_id, room_id, description, idempotency_key, session_id, item_id, block_until
  )
$$;

comment on function public.report_incident is
  'Reports a problem of a room, of one of its sessions or at an item of its checklist. block_until: takes what is free of the room off sale from now until then; what is booked stands, and the answer names it. For members with games:manage, and to block with schedules:manage. Errors: 403 permission_denied, organization_suspended; 404 room_not_found, session_not_found, checklist_item_not_found; 409 slot_taken (booked at this very moment: ask again); 422 description_invalid, block_range_invalid, idempotency_key_invalid, idempotency_key_reused.';
grant execute on function public.report_incident to authenticated;

create function private.set_incident_status(
  organization_id uuid,
  incident_id uuid,
  status text,
  resolution text,
  block_until timestamptz
)
returns public.incident
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  incident public.room_incidents;
begin
  perform private.require_permission(set_incident_status.organization_id, 'games:manage');
  if set_incident_status.status is null or set_incident_status.status not in ('open', 'in_repair', 'solved') then
    perform private.fail('status_invalid', 422, 'Choose open, in_repair or solved.');
  elsif length(private.clean_note(set_incident_status.resolution)) > 2000 then
    perform private.fail('note_too_long', 422, 'Write at most 2000 characters.');
  end if;
  select i.* into incident
  from public.room_incidents as i
  where i.organization_id = set_incident_status.organization_id and i.id = set_incident_status.incident_id
  for no key update;
  if not found then
    perform private.fail('incident_not_found', 404, 'Choose one of the organization''s incidents.');
  elsif set_incident_status.block_until is not null and set_incident_status.status = 'solved' then
    perform private.fail('block_range_invalid', 422, 'Block a room for what is not solved yet.');
  end if;
  if set_incident_status.block_until is not null then
    -- Before the sessions of the block that is lifted.
    perform private.locked_zone(incident.organization_id, incident.room_id);
    perform private.lock_room(incident.organization_id, incident.room_id);
  end if;
  if set_incident_status.status = 'solved' or set_incident_status.block_until is not null then
    perform private.lift_incident_block(incident);
    incident.block_id := null;
  end if;
  if set_incident_status.block_until is not null then
    incident.block_id := private.block_for_incident(incident, set_incident_status.block_until);
  end if;
  update public.room_incidents as i
  set status = set_incident_status.status,
    resolution = coalesce(set_incident_status.resolution, i.resolution),
    block_id = incident.block_id,
    solved_at = case set_incident_status.status when 'solved' then coalesce(i.solved_at, now()) end
  where i.organization_id = incident.organization_id and i.id = incident.id
  returning i.* into incident;
  return private.shown_incident(incident);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_incident_status is 'definer: writes incidents and blocks, which no client may.';
grant execute on function private.set_incident_status to authenticated;

create function public.set_incident_status(
  organization_id uuid,
  incident_id uuid,
  status text,
  resolution text default null,
  block_until timestamptz default null
)
returns public.incident
language sql
volatile
set search_path = ''
as $$ select private.set_incident_status(organization_id, incident_id, status, resolution, block_until) $$;

comment on function public.set_incident_status is
  'Says how far a problem of a room is: open, in_repair or solved, which puts the room on sale again; again, the same. resolution: what was done, null to leave it; block_until: blocks the room until then, as report_incident does, in place of the block that there is. For members with games:manage, and with schedules:manage where a block is made or lifted. Errors: 403 permission_denied, organization_suspended; 404 incident_not_found; 409 slot_taken (booked at this very moment: ask again); 422 status_invalid, note_too_long, block_range_invalid.';
grant execute on function public.set_incident_status to authenticated;
