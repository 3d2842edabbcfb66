-- The life of a booking as data: which status may follow which, and who may move it.

create table private.booking_transitions (
  from_status text not null,
  to_status text not null,
  permission text,
  by_customer boolean not null default false,
  constraint booking_transitions_pkey primary key (from_status, to_status),
  constraint booking_transitions_permission_fkey foreign key (permission) references public.permissions (key)
);

comment on table private.booking_transitions is
  'reference data. The moves that a booking can make; the trigger refuse_unlisted_transition refuses every other.';
comment on column private.booking_transitions.permission is 'What a member needs for the move; null: only the system makes it.';
comment on column private.booking_transitions.by_customer is 'Whether the customer with the manage token may make it, before the start.';

-- for: the foreign key, when a permission leaves the catalogue
create index booking_transitions_permission_idx on private.booking_transitions (permission);

insert into private.booking_transitions (from_status, to_status, permission, by_customer)
values
('held', 'pending', 'bookings:update', false),
('held', 'confirmed', 'bookings:update', false),
('held', 'cancelled', 'bookings:cancel', true),
('held', 'expired', null, false),
('pending', 'confirmed', 'bookings:update', false),
('pending', 'cancelled', 'bookings:cancel', true),
('pending', 'expired', null, false),
('confirmed', 'checked_in', 'bookings:check_in', false),
('confirmed', 'no_show', 'bookings:check_in', false),
('confirmed', 'cancelled', 'bookings:cancel', true),
('checked_in', 'in_progress', 'bookings:check_in', false),
('checked_in', 'cancelled', 'bookings:cancel', false),
('in_progress', 'completed', 'bookings:check_in', false),
-- Money that came too late takes the seats again (private.reclaim_booking).
('expired', 'pending', null, false),
('cancelled', 'pending', null, false)
on conflict (from_status, to_status) do update
set permission = excluded.permission,
  by_customer = excluded.by_customer;

create table public.booking_history (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  from_status text,
  to_status text not null,
  reason text,
  change jsonb,
  actor_kind text not null,
  actor_id uuid,
  occurred_at timestamptz not null default clock_timestamp(),
  constraint booking_history_pkey primary key (organization_id, id),
  constraint booking_history_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade
);

comment on table public.booking_history is 'Every status that a booking took, who moved it there and when. Written by a trigger only.';
comment on column public.booking_history.from_status is 'Null for the first.';
comment on column public.booking_history.change is 'What a change without a new status changed: {"column": [before, after]}; null otherwise.';
comment on column public.booking_history.actor_kind is 'user, api_key, support, service, customer or system.';

-- for: a booking's history in order of time, and the foreign key
create index booking_history_booking_id_idx on public.booking_history (organization_id, booking_id, occurred_at);

grant select on public.booking_history to authenticated;

alter table public.booking_history enable row level security;

create policy booking_history_select on public.booking_history
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create function private.refuse_transition(from_status text, to_status text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail(
    'transition_not_allowed', 409,
    'Choose a status that can follow the present one.',
    jsonb_build_object(
      'from', refuse_transition.from_status,
      'to', refuse_transition.to_status,
      'allowed', (
        select coalesce(jsonb_agg(t.to_status order by t.to_status), '[]')
        from private.booking_transitions as t
        where t.from_status = refuse_transition.from_status and t.permission is not null
      )
    )
  );
end
$$;

comment on function private.refuse_transition(text, text) is
  'Raises 409 transition_not_allowed with the moves that a member could make instead.';

create function private.refuse_unlisted_transition()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not exists (
    select from private.booking_transitions as t
    where t.from_status = old.status and t.to_status = new.status
  ) then
    perform private.refuse_transition(old.status, new.status);
  end if;
  return new;
end
$$;

comment on function private.refuse_unlisted_transition() is
  'Refuses a move that private.booking_transitions does not list, before any constraint looks at the new status.';

create trigger refuse_unlisted_transition
before update of status on public.bookings
for each row execute function private.refuse_unlisted_transition();

create function private.follow_booking_status()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  previous text;
  actor jsonb := private.current_actor();
begin
  if tg_op = 'UPDATE' then
    previous := old.status;
    -- Seats are given back here and taken only by private.claim_session.
    if old.takes_capacity and not new.takes_capacity then
      update public.sessions as s
      set seats_taken = s.seats_taken - old.seats,
        status = case when s.seats_taken = old.seats then 'cancelled' else s.status end
      where s.organization_id = old.organization_id and s.id = old.session_id;
    end if;
    if new.status = 'confirmed' then
      update public.customers as c
      set full_name = new.contact_name
      where c.organization_id = new.organization_id
        and c.id = new.customer_id
        and c.full_name <> new.contact_name;
    end if;
  end if;

  insert into public.booking_history (
    organization_id, booking_id, from_status, to_status, reason, actor_kind, actor_id
  )
  values (
    new.organization_id, new.id, previous, new.status, new.status_reason,
    actor ->> 'kind', (actor ->> 'id')::uuid
  );
  return null;
end
$$;

comment on function private.follow_booking_status() is
  'Frees the seats of a booking that ends early, and writes the history.';

create trigger follow_booking_status
after insert or update of status on public.bookings
for each row execute function private.follow_booking_status();

-- Lock order, everywhere: the session, then its bookings. A claim that meets a session
-- holds the session's lock while it reaps that session's lapsed holds; so whoever changes
-- a booking's status must take the locks in the same order, or the two would deadlock.

create function private.locked_booking(organization_id uuid, booking_id uuid)
returns public.bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen_session_id uuid;
  booking public.bookings;
begin
  loop
    select b.session_id into seen_session_id
    from public.bookings as b
    where b.organization_id = locked_booking.organization_id and b.id = locked_booking.booking_id;
    if not found then
      perform private.fail('booking_not_found', 404, 'Check the booking''s id.');
    end if;
    perform from public.sessions as s
    where s.organization_id = locked_booking.organization_id and s.id = seen_session_id
    for no key update;
    select b.* into booking
    from public.bookings as b
    where b.organization_id = locked_booking.organization_id and b.id = locked_booking.booking_id
    for no key update;
    -- It may have moved to another session while this one was waited for.
    exit when booking.session_id = seen_session_id;
  end loop;
  return booking;
end
$$;

comment on function private.locked_booking(uuid, uuid) is
  'The booking, its session and itself locked in that order. Raises 404 booking_not_found.';

create function private.transition(organization_id uuid, booking_id uuid, to_status text, reason text default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.locked_booking(transition.organization_id, transition.booking_id);
  update public.bookings as b
  set status = transition.to_status,
    status_reason = transition.reason,
    hold_expires_at = null
  where b.organization_id = transition.organization_id and b.id = transition.booking_id;
end
$$;

comment on function private.transition(uuid, uuid, text, text) is
  'Moves a booking to a status, whoever asks: callers check who may. Moving to the status that it has is refused like any other unlisted move. Raises 404 booking_not_found, 409 transition_not_allowed.';
