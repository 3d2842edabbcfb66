-- Checklists: what is to be done in a room before opening, before each game and after it; who did it, session by
-- session. A required item that is open stops the next start.

create table public.checklist_items (
  organization_id uuid not null default private.organization_with('rooms:update'),
  id uuid not null default private.uuid_v7(),
  room_id uuid not null,
  phase text not null,
  position int not null default 0,
  title text not null,
  is_required boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint checklist_items_pkey primary key (organization_id, id),
  constraint checklist_items_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint checklist_items_phase_is_known check (phase in ('opening', 'before_game', 'reset')),
  constraint checklist_items_title_is_a_name check (private.is_name(title, 200))
);

comment on table public.checklist_items is 'What is to be done in a room, in its order.';
comment on column public.checklist_items.phase is
  'opening (once a day, before the first game), before_game (before each), reset (after each).';
comment on column public.checklist_items.position is 'Order within the phase; of those with the same, the older first.';
comment on column public.checklist_items.title is 'What to do, for the staff.';
comment on column public.checklist_items.is_required is 'Whether no game starts while it is open, unless somebody says why.';

-- for: the list of a room, and the foreign key
create index checklist_items_room_id_idx on public.checklist_items (organization_id, room_id, phase, position);

grant select, delete on public.checklist_items to authenticated;
grant insert (organization_id, room_id, phase, position, title, is_required) on public.checklist_items to authenticated;
grant update (phase, position, title, is_required) on public.checklist_items to authenticated;

alter table public.checklist_items enable row level security;

create trigger checklist_items_clean_names
before insert or update of title on public.checklist_items
for each row execute function private.clean_texts('names', 'title');

create policy checklist_items_select on public.checklist_items
for select to authenticated
using (organization_id = (select private.organization_with('rooms:read')));

create policy checklist_items_insert on public.checklist_items
for insert to authenticated
with check (organization_id = (select private.organization_with('rooms:update')));

create policy checklist_items_update on public.checklist_items
for update to authenticated
using (organization_id = (select private.organization_with('rooms:update')))
with check (organization_id = (select private.organization_with('rooms:update')));

create policy checklist_items_delete on public.checklist_items
for delete to authenticated
using (organization_id = (select private.organization_with('rooms:update')));

create trigger checklist_items_touch_updated_at
before update on public.checklist_items
for each row execute function private.touch_updated_at();

create trigger checklist_items_are_bounded
after insert on public.checklist_items
for each row execute function private.bound_rows('100', 'room_id');

create table public.checklist_ticks (
  organization_id uuid not null,
  session_id uuid not null,
  item_id uuid not null,
  actor_kind text not null,
  actor_id uuid,
  ticked_at timestamptz not null default now(),
  constraint checklist_ticks_pkey primary key (organization_id, session_id, item_id),
  constraint checklist_ticks_session_fkey foreign key (organization_id, session_id)
  references public.sessions (organization_id, id) on delete cascade,
  constraint checklist_ticks_item_fkey foreign key (organization_id, item_id)
  references public.checklist_items (organization_id, id) on delete cascade
);

comment on table public.checklist_ticks is
  'That an item was done for a session; of those before opening, for all sessions of the room that day. Written by tick_checklist_item.';
comment on column public.checklist_ticks.actor_kind is 'user, api_key, support, service, customer or system.';

-- for: the foreign key, when an item is deleted
create index checklist_ticks_item_id_idx on public.checklist_ticks (organization_id, item_id);

grant select on public.checklist_ticks to authenticated;

alter table public.checklist_ticks enable row level security;

create policy checklist_ticks_select on public.checklist_ticks
for select to authenticated
using (organization_id = (select private.organization_with('games:read')));

create type public.checklist_entry as (
  item_id uuid,
  session_id uuid,
  phase text,
  title text,
  is_required boolean,
  ticked_at timestamptz,
  ticked_by uuid,
  stops_start boolean
);

comment on type public.checklist_entry is 'An item of a room''s checklist, and whether it is done.';
comment on column public.checklist_entry.item_id is 'Of the item.';
comment on column public.checklist_entry.session_id is 'For which it is ticked: the one asked for, or the game before it, after which the room is reset.';
comment on column public.checklist_entry.phase is 'one of checklist_items.phase';
comment on column public.checklist_entry.title is 'What to do.';
comment on column public.checklist_entry.is_required is 'Whether a game waits for it.';
comment on column public.checklist_entry.ticked_at is 'When it was done; null while it is open.';
comment on column public.checklist_entry.ticked_by is 'The account or API key that said so; null while it is open.';
comment on column public.checklist_entry.stops_start is 'Whether the game of the session asked for cannot start because of it.';

create type public.checklist as (
  session_id uuid,
  entries public.checklist_entry []
);

comment on type public.checklist is 'What is to be done for a session''s game.';
comment on column public.checklist.session_id is 'Of the session.';
comment on column public.checklist.entries is
  'In order: the reset after the game before it, opening, before the game, the reset after it.';

create function private.checklist(session public.sessions)
returns public.checklist
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    with
    day as (
      select
        d.date::timestamp at time zone l.timezone as opens,
        (d.date + 1)::timestamp at time zone l.timezone as closes
      from public.rooms as r
      join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
      cross join lateral (select (session.starts_at at time zone l.timezone)::date as date) as d
      where r.organization_id = session.organization_id and r.id = session.room_id
    ),
    previous as (
      select s.id, s.starts_at
      from public.sessions as s
      where s.organization_id = session.organization_id
        and s.room_id = session.room_id
        and s.starts_at < session.starts_at
        and s.status = 'scheduled'
        and exists (
          select from public.game_events as e
          where e.organization_id = s.organization_id and e.session_id = s.id
        )
      order by s.starts_at desc
      limit 1
    ),
    entry as (
      select
        case i.phase when 'opening' then 2 when 'before_game' then 3 else 4 end as part,
        session.id as session_id,
        i as item,
        i.phase <> 'reset' as is_before
      from public.checklist_items as i
      where i.organization_id = session.organization_id and i.room_id = session.room_id
      union all
      -- What was not asked for then does not stop the games of today.
      select 1, p.id, i, true
      from previous as p
      join public.checklist_items as i on i.created_at <= p.starts_at
      where i.organization_id = session.organization_id and i.room_id = session.room_id and i.phase = 'reset'
    )
    select row(
      session.id,
      coalesce(
        array_agg(
          row(
            (e.item).id, e.session_id, (e.item).phase, (e.item).title, (e.item).is_required, t.ticked_at, t.actor_id,
            e.is_before and (e.item).is_required and t.ticked_at is null
          )::public.checklist_entry
          order by e.part, (e.item).position, (e.item).id
        ),
        '{}'
      )
    )::public.checklist
    from entry as e
    left join lateral (
      select k.ticked_at, k.actor_id
      from public.checklist_ticks as k
      join public.sessions as s on s.organization_id = k.organization_id and s.id = k.session_id
      cross join day as d
      where k.organization_id = session.organization_id
        and k.item_id = (e.item).id
        and case (e.item).phase
          when 'opening' then s.room_id = session.room_id and s.starts_at >= d.opens and s.starts_at < d.closes
          else k.session_id = e.session_id
        end
      order by k.ticked_at
      limit 1
    ) as t on true
  );
end
$$;

comment on function private.checklist is 'What is to be done for a session, by the items that its room has now.';

create function private.session_of_checklist(organization_id uuid, session_id uuid)
returns public.sessions
language plpgsql
stable
set search_path = ''
as $$
declare
  session public.sessions;
begin
  select s.* into session
  from public.sessions as s
  where s.organization_id = session_of_checklist.organization_id
    and s.id = session_of_checklist.session_id
    and s.mode <> 'block';
  if not found then
    perform private.fail('session_not_found', 404, 'Choose one of the organization''s sessions.');
  end if;
  return session;
end
$$;

comment on function private.session_of_checklist is 'The session; raises 404 session_not_found, for a block too.';

create function private.get_checklist(organization_id uuid, session_id uuid)
returns public.checklist
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(get_checklist.organization_id, 'games:read');
  return private.checklist(private.session_of_checklist(get_checklist.organization_id, get_checklist.session_id));
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_checklist is 'definer: joins tables for an organization that the caller names, under games:read alone.';
grant execute on function private.get_checklist to authenticated;

create function public.get_checklist(organization_id uuid, session_id uuid)
returns public.checklist
language sql
stable
set search_path = ''
as $$ select private.get_checklist(organization_id, session_id) $$;

comment on function public.get_checklist is
  'What is to be done for a session''s game, what is done, and what stops its start. For members with games:read. Errors: 403 permission_denied; 404 session_not_found (also for a block).';
grant execute on function public.get_checklist to authenticated;

create function private.tick_checklist_item(organization_id uuid, session_id uuid, item_id uuid, done boolean)
returns public.checklist
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  session public.sessions;
  actor jsonb := private.current_actor();
begin
  perform private.require_permission(tick_checklist_item.organization_id, 'games:manage');
  session := private.session_of_checklist(tick_checklist_item.organization_id, tick_checklist_item.session_id);
  perform from public.checklist_items as i
  where i.organization_id = session.organization_id
    and i.id = tick_checklist_item.item_id
    and i.room_id = session.room_id
  for key share;
  if not found then
    perform private.fail('checklist_item_not_found', 404, 'Choose an item of the room''s checklist.');
  end if;
  if coalesce(tick_checklist_item.done, true) then
    insert into public.checklist_ticks (organization_id, session_id, item_id, actor_kind, actor_id)
    values (session.organization_id, session.id, tick_checklist_item.item_id, actor ->> 'kind', (actor ->> 'id')::uuid)
    on conflict on constraint checklist_ticks_pkey do nothing;
  else
    delete from public.checklist_ticks as k
    where k.organization_id = session.organization_id
      and k.session_id = session.id
      and k.item_id = tick_checklist_item.item_id;
  end if;
  return private.checklist(session);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.tick_checklist_item is 'definer: writes who did it and when, which no client may.';
grant execute on function private.tick_checklist_item to authenticated;

create function public.tick_checklist_item(organization_id uuid, session_id uuid, item_id uuid, done boolean default true)
returns public.checklist
language sql
volatile
set search_path = ''
as $$ select private.tick_checklist_item(organization_id, session_id, item_id, done) $$;

comment on function public.tick_checklist_item is
  'Notes that an item was done for a session, or (done false) that it was not; again, the same, and the first who said so stays. Answers the whole list. For members with games:manage, whoever runs the game. Errors: 403 permission_denied, organization_suspended; 404 session_not_found (also for a block), checklist_item_not_found (not of the session''s room).';
grant execute on function public.tick_checklist_item to authenticated;
