-- The life of a booking as data: which status may follow which, and who may move it.

create table private.booking_transitions (
  from_status text not null,
  to_status text not null,
  permission text,
  by_customer boolean not null default false,
  opens text,
  undoes boolean not null default false,
  constraint booking_transitions_pkey primary key (from_status, to_status),
  constraint booking_transitions_permission_fkey foreign key (permission) references public.permissions (key),
  constraint booking_transitions_opens_is_known check (opens in ('check_in', 'no_show'))
);

comment on table private.booking_transitions is
  'reference data. The moves that a booking can make; the trigger refuse_unlisted_transition refuses every other.';
comment on column private.booking_transitions.permission is 'What a member needs for the move; null: only the system makes it.';
comment on column private.booking_transitions.opens is
  'When the move becomes possible, by the settings of the booking''s location: check_in (check_in_hours before the start), no_show (no_show_minutes after it); null: at any time.';
comment on column private.booking_transitions.undoes is
  'Whether it takes back how the booking came into its status: only to the status that it came from, with a reason, and within the location''s undo_hours. A cancellation''s takes the seats again, before the move.';
comment on column private.booking_transitions.by_customer is 'Whether the customer with the manage token may make it, before the start.';

-- for: the foreign key, when a permission leaves the catalogue
create index booking_transitions_permission_idx on private.booking_transitions (permission);

insert into private.booking_transitions (from_status, to_status, permission, by_customer, opens, undoes)
values
('held', 'pending', 'bookings:update', false, null, false),
('held', 'confirmed', 'bookings:update', false, null, false),
('held', 'cancelled', 'bookings:cancel', true, null, false),
('held', 'expired', null, false, null, false),
('pending', 'confirmed', 'bookings:update', false, null, false),
('pending', 'cancelled', 'bookings:cancel', true, null, false),
('pending', 'expired', null, false, null, false),
('confirmed', 'checked_in', 'bookings:check_in', false, 'check_in', false),
('confirmed', 'no_show', 'bookings:check_in', false, 'no_show', false),
('confirmed', 'cancelled', 'bookings:cancel', true, null, false),
('checked_in', 'in_progress', 'bookings:check_in', false, 'check_in', false),
('checked_in', 'cancelled', 'bookings:cancel', false, null, false),
('checked_in', 'completed', 'bookings:check_in', false, 'check_in', false),
('in_progress', 'completed', 'bookings:check_in', false, 'check_in', false),
-- Said by mistake. What the sweep completed goes back to what it was.
('checked_in', 'confirmed', 'bookings:undo', false, null, true),
('in_progress', 'checked_in', 'bookings:undo', false, null, true),
('completed', 'in_progress', 'bookings:undo', false, null, true),
('completed', 'checked_in', 'bookings:undo', false, null, true),
('completed', 'confirmed', 'bookings:undo', false, null, true),
('no_show', 'confirmed', 'bookings:undo', false, null, true),
-- Of a party that was there already, too: it is checked in again.
('cancelled', 'confirmed', 'bookings:undo', false, null, true),
-- Visits whose end nobody wrote down (private.booking_deadlines).
('confirmed', 'completed', null, false, null, false),
-- Money that came too late takes the seats again (private.reclaim_booking).
('expired', 'pending', null, false, null, false),
('cancelled', 'pending', null, false, null, false)
on conflict (from_status, to_status) do update
set permission = excluded.permission,
  by_customer = excluded.by_customer,
  opens = excluded.opens,
  undoes = excluded.undoes;

create function private.takes_back(from_status text, to_status text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from private.booking_transitions as t
    where t.from_status = takes_back.from_status and t.to_status = takes_back.to_status and t.undoes
  );
end
$$;

comment on function private.takes_back is 'Whether the move takes another back.';

create function private.is_undo(from_status text, to_status text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return is_undo.from_status <> 'cancelled' and private.takes_back(is_undo.from_status, is_undo.to_status);
end
$$;

comment on function private.is_undo is
  'Whether the move takes another back and is no news: it says nothing of how the booking came to be. That a cancellation does not count is news to whoever was told of it.';

-- No booking stays in a state that is not final: each has a deadline and a way out.

create table private.booking_deadlines (
  status text not null,
  to_status text not null,
  counted_from text not null,
  after interval not null,
  reason text not null,
  constraint booking_deadlines_pkey primary key (status),
  constraint booking_deadlines_transition_fkey foreign key (status, to_status)
  references private.booking_transitions (from_status, to_status),
  constraint booking_deadlines_counted_from_is_known check (counted_from in ('hold', 'entry', 'session_end')),
  constraint booking_deadlines_after_is_not_negative check (after >= interval '0')
);

comment on table private.booking_deadlines is
  'reference data. What becomes of a booking that stays in a status: service.sweep moves it, and whoever claims its seats treats them as free. Seats are kept until bookings.hold_expires_at while held or pending.';
comment on column private.booking_deadlines.status is 'The status that is not final.';
comment on column private.booking_deadlines.to_status is 'What the booking becomes.';
comment on column private.booking_deadlines.counted_from is
  'hold: the calendar''s hold_minutes, or the payment that extended it. entry: when the booking took the status, but never past its session''s end; create_booking may say another time than after. session_end: the end of its session.';
comment on column private.booking_deadlines.after is 'How long after that; for a hold nothing is added.';
comment on column private.booking_deadlines.reason is 'What the history says.';

-- for: the foreign key, when a move leaves private.booking_transitions
create index booking_deadlines_transition_idx on private.booking_deadlines (status, to_status);

insert into private.booking_deadlines (status, to_status, counted_from, after, reason)
values
('held', 'expired', 'hold', interval '0', 'hold_lapsed'),
-- Long enough for a transfer.
('pending', 'expired', 'entry', interval '72 hours', 'payment_overdue'),
-- Not no_show: that moves money, so a person says it. A day is left for saying it.
('confirmed', 'completed', 'session_end', interval '24 hours', 'nobody_said_otherwise'),
('checked_in', 'completed', 'session_end', interval '4 hours', 'nobody_said_otherwise'),
('in_progress', 'completed', 'session_end', interval '4 hours', 'nobody_said_otherwise')
on conflict (status) do update
set to_status = excluded.to_status,
  counted_from = excluded.counted_from,
  after = excluded.after,
  reason = excluded.reason;

create function private.pending_until(ends_at timestamptz, pay_within_hours int default null)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select least(
      now() + coalesce(make_interval(hours => pending_until.pay_within_hours), d.after), pending_until.ends_at
    )
    from private.booking_deadlines as d
    where d.status = 'pending'
  );
end
$$;

comment on function private.pending_until is
  'Until when a booking that becomes pending now keeps its seats, of a session that ends then: so many hours, or (null) as long as private.booking_deadlines says.';

create table public.booking_history (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  from_status text,
  to_status text not null,
  reason text,
  actor_kind text not null,
  actor_id uuid,
  occurred_at timestamptz not null default clock_timestamp(),
  change jsonb,
  refund text,
  constraint booking_history_pkey primary key (organization_id, id),
  constraint booking_history_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_history_change_keeps_the_status check (
    (change is not null) = (from_status is not distinct from to_status)
  ),
  constraint booking_history_change_is_an_object check (jsonb_typeof(change) = 'object'),
  constraint booking_history_reason_is_known check (private.is_status_reason(reason))
);

comment on table public.booking_history is
  'Every status that a booking took and every change of time, room, party, extras, coupon or price, who did it and when. Statuses are written by a trigger only, changes by private.apply_change only.';
comment on column public.booking_history.change is
  'What was changed while the status stayed: {"starts_at": [old, new], …} with starts_at, room_id, party_size, exclusive, extras ([{extra_id, name, quantity}]), coupon_code, total_cents, terms; null for a move to another status.';
comment on column public.booking_history.refund is 'Of a cancellation, what went back of the money: full, terms or none, as bookings.cancel_refund.';
comment on column public.booking_history.reason is
  'A code of the product''s, as bookings.status_reason. written: somebody wrote why, in booking_reasons.';
comment on column public.booking_history.from_status is 'Null for the first.';
comment on column public.booking_history.actor_kind is 'user, api_key, support, service, customer or system.';

-- for: a booking's history in order of time, and the foreign key
create index booking_history_booking_id_idx on public.booking_history (organization_id, booking_id, occurred_at);

grant select on public.booking_history to authenticated;

alter table public.booking_history enable row level security;

create policy booking_history_select on public.booking_history
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

-- What staff wrote, apart from the history: it may name a person.
create table public.booking_reasons (
  organization_id uuid not null,
  history_id uuid not null,
  booking_id uuid not null,
  reason text not null,
  constraint booking_reasons_pkey primary key (organization_id, history_id),
  constraint booking_reasons_history_fkey foreign key (organization_id, history_id)
  references public.booking_history (organization_id, id) on delete cascade,
  constraint booking_reasons_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_reasons_reason_is_a_text check (private.is_text(reason, 500))
);

comment on table public.booking_reasons is
  'Why staff moved or changed a booking, in their own words, a row for a line of its history that says written: select=…,booking_reasons(reason) of booking_history gives null to whoever may not read customers.';
comment on column public.booking_reasons.history_id is 'The line: booking_history.id.';

-- for: the reasons of a booking (private.erase_customer), and the foreign key
create index booking_reasons_booking_id_idx on public.booking_reasons (organization_id, booking_id);

grant select on public.booking_reasons to authenticated;

alter table public.booking_reasons enable row level security;

create trigger booking_reasons_clean_notes
before insert or update of reason on public.booking_reasons
for each row execute function private.clean_texts('notes', 'reason');

create policy booking_reasons_select on public.booking_reasons
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create function private.shown_reason(reason text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when private.is_status_reason(shown_reason.reason) then shown_reason.reason
    when private.clean_note(shown_reason.reason) <> '' then 'written'
  end;
end
$$;

comment on function private.shown_reason is
  'What stands in a booking and its history for a reason: the product''s code, written for words of a person, null for none.';

create function private.keep_reason(organization_id uuid, booking_id uuid, reason text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Nearly always there are none, and an insert of no row calls its triggers all the same.
  if private.shown_reason(keep_reason.reason) is distinct from 'written' then
    return;
  end if;
  insert into public.booking_reasons (organization_id, history_id, booking_id, reason)
  select h.organization_id, h.id, h.booking_id, keep_reason.reason
  from (
    select l.*
    from public.booking_history as l
    where l.organization_id = keep_reason.organization_id and l.booking_id = keep_reason.booking_id
    order by l.occurred_at desc
    limit 1
  ) as h
  where h.reason = 'written';
end
$$;

comment on function private.keep_reason is
  'Keeps the words for which the newest line of a locked booking''s history says written.';

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
        where t.from_status = refuse_transition.from_status and t.permission is not null and not t.undoes
      )
    )
  );
end
$$;

comment on function private.refuse_transition is
  'Raises 409 transition_not_allowed with the moves that a member could make instead; those that undo another are not among them.';

create function private.refuse_early_move(booking public.bookings, opens text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  opens_at timestamptz;
begin
  select case refuse_early_move.opens
    when 'check_in' then booking.starts_at - make_interval(hours => l.check_in_hours)
    when 'no_show' then booking.starts_at + make_interval(mins => l.no_show_minutes)
  end
  into opens_at
  from public.rooms as r
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where r.organization_id = booking.organization_id and r.id = booking.room_id;
  if now() < opens_at then
    perform private.fail(
      'too_early', 409, 'Wait until then, or first move the booking to the time at which the party comes.',
      jsonb_build_object('opens_at', opens_at)
    );
  end if;
end
$$;

comment on function private.refuse_early_move is
  'Raises 409 too_early, details {"opens_at"}, before the window of the booking''s location opens: check_in or no_show.';

create function private.refuse_undo(booking public.bookings, to_status text, reason text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  came_from text;
  undone_until timestamptz;
begin
  -- How it came into its status; where a later move was taken back before, not how it came back.
  select h.from_status, h.occurred_at + make_interval(hours => l.undo_hours)
  into came_from, undone_until
  from public.booking_history as h
  join public.rooms as r on r.organization_id = h.organization_id and r.id = booking.room_id
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where h.organization_id = booking.organization_id
    and h.booking_id = booking.id
    and h.to_status = booking.status
    and h.change is null
    and not private.takes_back(h.from_status, h.to_status)
  order by h.occurred_at desc
  limit 1;
  if booking.status = 'cancelled' and came_from = 'checked_in' then
    came_from := 'confirmed';
  end if;
  if came_from is distinct from refuse_undo.to_status then
    perform private.refuse_transition(booking.status, refuse_undo.to_status);
  elsif coalesce(private.clean_note(refuse_undo.reason), '') = '' then
    perform private.fail('reason_missing', 422, 'Say why it is taken back.');
  elsif undone_until <= now() then
    perform private.fail(
      'undo_too_late', 409, 'Leave it: it could be taken back until then.', jsonb_build_object('until', undone_until)
    );
  end if;
end
$$;

comment on function private.refuse_undo is
  'Raises 409 transition_not_allowed unless the booking came from that status (a cancelled one to confirmed also from checked_in), 422 reason_missing, and 409 undo_too_late (details {"until"}) after the undo_hours of its location.';

create function private.is_erased(booking public.bookings)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.customers as c
    where c.organization_id = booking.organization_id and c.id = booking.customer_id and c.erased_at is not null
  );
end
$$;

comment on function private.is_erased is
  'Whether the booking is of a customer who was erased. Whoever erases the customer holds the booking, too.';

create function private.refuse_erased(booking public.bookings)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if private.is_erased(booking) then
    perform private.fail('customer_erased', 409, 'Leave it: what was erased stays erased.');
  end if;
end
$$;

comment on function private.refuse_erased is
  'Raises 409 customer_erased. Whoever erases the customer holds the booking, too, which the caller has locked.';

create function private.refuse_unlisted_transition()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  move private.booking_transitions;
begin
  select t.* into move
  from private.booking_transitions as t
  where t.from_status = old.status and t.to_status = new.status;
  if not found then
    perform private.refuse_transition(old.status, new.status);
  elsif move.undoes then
    perform private.refuse_undo(old, new.status, new.status_reason);
  elsif move.opens is not null then
    perform private.refuse_early_move(old, move.opens);
  end if;
  return new;
end
$$;

comment on function private.refuse_unlisted_transition is
  'Refuses a move that private.booking_transitions does not list or not yet, or an undo that is none or comes too late, before any constraint looks at the new status.';

create trigger refuse_unlisted_transition
before update of status on public.bookings
for each row execute function private.refuse_unlisted_transition();

create function private.release_seats(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Seats that staff added beyond what the room sells leave with those who took them.
  update public.sessions as s
  set seats_taken = s.seats_taken - booking.seats,
    status = case when s.seats_taken = booking.seats then 'cancelled' else s.status end,
    capacity = case
      when s.mode = 'shared' and s.seats_taken > booking.seats
        then least(s.capacity, greatest(s.seats_taken - booking.seats, r.maximum_party))
      else s.capacity
    end
  from public.rooms as r
  where s.organization_id = booking.organization_id
    and s.id = booking.session_id
    and r.organization_id = s.organization_id
    and r.id = s.room_id;
end
$$;

comment on function private.release_seats is
  'Gives back the seats that a booking takes; a session that nobody is left in is cancelled. The caller holds the locks of both.';

-- Anybody can type somebody's address. What a booking says of its customer (name, phone, consents)
-- therefore counts only once the booking is confirmed and somebody vouches for it. Money vouches
-- for no mailbox, but nobody pays for a game to write into a stranger's card; the rest is the venue's
-- own eyes, or an address that a mail has proven.

create table private.vouched_bookings (
  organization_id uuid not null,
  booking_id uuid not null,
  vouched_at timestamptz not null default now(),
  constraint vouched_bookings_pkey primary key (organization_id, booking_id),
  constraint vouched_bookings_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade
);

comment on table private.vouched_bookings is
  'Bookings whose name, phone and consents have become their customer''s: each once, so that what staff correct afterwards stays.';

create function private.booking_is_vouched(booking public.bookings)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return booking.status = 'checked_in'
    or exists (
      select from private.vouched_bookings as v
      where v.organization_id = booking.organization_id and v.booking_id = booking.id
    )
    or (
      (
        booking.status = 'confirmed'
        or exists (
          select from public.booking_history as h
          where h.organization_id = booking.organization_id and h.booking_id = booking.id and h.to_status = 'confirmed'
        )
      )
      and (
        booking.source <> 'widget'
        or exists (
          select from public.payments as p
          where p.organization_id = booking.organization_id and p.booking_id = booking.id
        )
        or private.caller_has_proven((
          select c.email from public.customers as c
          where c.organization_id = booking.organization_id and c.id = booking.customer_id
        ))
      )
    );
end
$$;

comment on function private.booking_is_vouched is
  'Whether what a booking says of its customer counts: it was confirmed, and made by the venue, paid for (whatever became of the money), or confirmed by an account that has proven the address; or the party came.';

create function private.hear_customer(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not private.booking_is_vouched(booking) then
    return;
  end if;
  insert into private.vouched_bookings (organization_id, booking_id)
  values (booking.organization_id, booking.id)
  on conflict on constraint vouched_bookings_pkey do nothing;
  if not found then
    return;
  end if;
  perform private.count_consents(booking.organization_id, booking.id);
  update public.customers as c
  set full_name = said.full_name,
    phone = said.phone
  from (
    select
      case when count(newer.id) = 0 then given.contact_name end as full_name,
      -- One that gives no phone says nothing of it.
      case when count(k.contact_phone) = 0 then given.contact_phone end as phone
    from public.booking_contacts as given
    -- The newest counts, in whatever order they are vouched for.
    left join (
      public.bookings as newer
      join private.vouched_bookings as v on v.organization_id = newer.organization_id and v.booking_id = newer.id
      join public.booking_contacts as k on k.organization_id = newer.organization_id and k.booking_id = newer.id
    )
      on newer.organization_id = booking.organization_id
      and newer.customer_id = booking.customer_id
      and newer.created_at > booking.created_at
    where given.organization_id = booking.organization_id and given.booking_id = booking.id
    group by given.organization_id, given.booking_id
  ) as heard
  cross join lateral (
    select coalesce(heard.full_name, old.full_name) as full_name, coalesce(heard.phone, old.phone) as phone
    from public.customers as old
    where old.organization_id = booking.organization_id and old.id = booking.customer_id
  ) as said
  where c.organization_id = booking.organization_id
    and c.id = booking.customer_id
    and (c.full_name, c.phone) is distinct from (said.full_name, said.phone);
end
$$;

comment on function private.hear_customer is
  'Takes over a booking''s name, phone and consents for its customer, once, when it is vouched for; the caller holds the booking.';

create function private.keep_newest_phone()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  update public.customers as c
  set phone = new.contact_phone
  from public.bookings as b
  where b.organization_id = new.organization_id
    and b.id = new.booking_id
    and c.organization_id = b.organization_id
    and c.id = b.customer_id
    and c.erased_at is null
    and c.phone is distinct from new.contact_phone
    and not exists (
      select
      from public.bookings as other
      join private.vouched_bookings as v on v.organization_id = other.organization_id and v.booking_id = other.id
      where other.organization_id = c.organization_id and other.customer_id = c.id
    )
    -- What staff wrote down, or corrected, stays.
    and (c.phone is null or exists (
      select
      from public.bookings as other
      join public.booking_contacts as k on k.organization_id = other.organization_id and k.booking_id = other.id
      where other.organization_id = c.organization_id and other.customer_id = c.id and k.contact_phone = c.phone
    ));
  return null;
end
$$;

comment on function private.keep_newest_phone is
  'While nobody vouches for any booking of a customer, the phone that was given last is as good as the first, and newer.';

create trigger keep_newest_phone
after insert on public.booking_contacts
for each row when (new.contact_phone is not null)
execute function private.keep_newest_phone();

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
    if old.takes_capacity and not new.takes_capacity
      -- Those whom it was merged with have them.
      and new.merged_into_id is null
    then
      perform private.release_seats(old);
    end if;
    if new.status in ('confirmed', 'checked_in') then
      perform private.hear_customer(new);
    end if;
  end if;

  insert into public.booking_history (
    organization_id, booking_id, from_status, to_status, reason, actor_kind, actor_id, refund
  )
  values (
    new.organization_id, new.id, previous, new.status, new.status_reason,
    actor ->> 'kind', (actor ->> 'id')::uuid, case when new.status = 'cancelled' then new.cancel_refund end
  );
  return null;
end
$$;

comment on function private.follow_booking_status is
  'Frees the seats of a booking that ends early, and writes the history.';

create trigger follow_booking_status
after insert or update of status on public.bookings
for each row execute function private.follow_booking_status();

-- Lock order, everywhere: the room, sessions in order of time, their bookings, and then what
-- hangs on a booking (its customer, its attempt to pay, jobs).
--
-- Most take one session and its booking, or claim a time by an insert alone, and need no room.
-- Who may come to wait for a second session while holding a first takes the room beforehand:
--   a claim that the insert did not settle (private.claim_session), because it reaps holds,
--   that is, changes sessions, and then waits for others'. Two of them, each with a lapsed hold
--   of its own reaped, waited for each other: that was a deadlock;
--   a change (private.locked_for_change), which leaves one session and claims another;
--   a block (private.claim_block), which is made of many;
--   who merges or erases customers (private.lock_customers), with all sessions that they have;
--   who makes an order (private.make_order), and does something with several of its bookings at once
--   (private.lock_bookings);
--   money that may have to claim again what expired (private.lock_attempt).
-- Nobody waits for a room's lock while holding a session. So a wait for a session or for the
-- exclusion constraint always ends: it is for somebody who waits for no session, or who holds
-- the lock of the same room, and that one is not waiting for us.
--
-- Who has several of what hangs on bookings takes it in the order of its ids: vouchers
-- (private.lock_vouchers_of), customers. The waiting list, which offers places inside whatever
-- transaction freed them and several in a sweep, waits for nobody (offers).

create function private.lock_room(organization_id uuid, room_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(
    hashtextextended('room:' || lock_room.organization_id || ':' || lock_room.room_id, 0)
  );
end
$$;

comment on function private.lock_room is
  'Until the end of the transaction, nobody else reaps, moves or reclaims in the room; plain claims and moves of status go on. To be taken before any session; two rooms in the order of their ids.';

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
    begin
      perform from public.sessions as s
      where s.organization_id = locked_booking.organization_id and s.id = seen_session_id
      for no key update;
      select b.* into booking
      from public.bookings as b
      where b.organization_id = locked_booking.organization_id and b.id = locked_booking.booking_id
      for no key update;
      -- It may have moved to another session while this one was waited for: then both locks
      -- are let go with this block, so that no second session is waited for under a first.
      if booking.session_id is distinct from seen_session_id then
        raise exception using errcode = 'EM001', message = 'booking_moved';
      end if;
      return booking;
    exception
      when sqlstate 'EM001' then null;
    end;
  end loop;
end
$$;

comment on function private.locked_booking is
  'The booking, its session and itself locked in that order. Raises 404 booking_not_found.';

create function private.locked_for_change(
  organization_id uuid,
  booking_id uuid,
  to_room_id uuid,
  refusal_status int default 409
)
returns public.bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen_room_id uuid;
  booking public.bookings;
begin
  select b.room_id into seen_room_id
  from public.bookings as b
  where b.organization_id = locked_for_change.organization_id and b.id = locked_for_change.booking_id;
  if not found then
    perform private.fail('booking_not_found', 404, 'Check the booking''s id.');
  end if;
  perform private.lock_room(locked_for_change.organization_id, wanted.room_id)
  from (
    select distinct r.id as room_id
    from unnest(array[seen_room_id, locked_for_change.to_room_id]) as r (id)
    where r.id is not null
    order by r.id
  ) as wanted;
  booking := private.locked_booking(locked_for_change.organization_id, locked_for_change.booking_id);
  if booking.room_id <> seen_room_id then
    -- Its room is not locked, and it is too late to ask for it in order.
    perform private.fail('booking_changed', refusal_status, 'Somebody else just moved the booking: look at it again.');
  end if;
  return booking;
end
$$;

comment on function private.locked_for_change is
  'The booking with all that a change to that room (null: its own) may touch: both rooms, its session and itself. Raises 404 booking_not_found, and booking_changed with that status when it moves to another room at this moment.';

create function private.lock_bookings(organization_id uuid, booking_ids uuid [])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  room_ids uuid [];
  session_ids uuid [];
begin
  loop
    begin
      select coalesce(array_agg(distinct b.room_id order by b.room_id), '{}') into room_ids
      from public.bookings as b
      where b.organization_id = lock_bookings.organization_id and b.id = any (lock_bookings.booking_ids);
      perform private.lock_room(lock_bookings.organization_id, wanted.room_id)
      from unnest(room_ids) as wanted (room_id);

      select coalesce(array_agg(own.id), '{}') into session_ids
      from (
        select s.id
        from public.sessions as s
        where s.organization_id = lock_bookings.organization_id
          and s.id in (
            select b.session_id from public.bookings as b
            where b.organization_id = lock_bookings.organization_id
              and b.id = any (lock_bookings.booking_ids)
              and b.room_id = any (room_ids)
          )
        order by s.starts_at, s.id
        for no key update
      ) as own;
      perform from public.bookings as b
      where b.organization_id = lock_bookings.organization_id and b.id = any (lock_bookings.booking_ids)
      order by b.starts_at, b.id
      for no key update;
      -- Moved while the locks were waited for: they are let go with this block, since it is too late to ask for
      -- another room or session in order.
      if exists (
        select from public.bookings as b
        where b.organization_id = lock_bookings.organization_id
          and b.id = any (lock_bookings.booking_ids)
          and not (b.session_id = any (session_ids) and b.room_id = any (room_ids))
      ) then
        raise exception using errcode = 'EM001', message = 'booking_moved';
      end if;
      return;
    exception
      when sqlstate 'EM001' then null;
    end;
  end loop;
end
$$;

comment on function private.lock_bookings is
  'Locks the rooms of several bookings, their sessions and themselves, in that order. The caller has locked none of them before.';

create function private.transition(organization_id uuid, booking_id uuid, to_status text, reason text default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings := private.locked_booking(transition.organization_id, transition.booking_id);
begin
  update public.bookings as b
  set status = transition.to_status,
    status_reason = private.shown_reason(transition.reason),
    hold_expires_at = case transition.to_status when 'pending' then private.pending_until(s.ends_at) end
  from public.sessions as s
  where b.organization_id = booking.organization_id
    and b.id = booking.id
    and s.organization_id = booking.organization_id
    and s.id = booking.session_id;
  perform private.keep_reason(booking.organization_id, booking.id, transition.reason);
end
$$;

comment on function private.transition is
  'Moves a booking to a status, whoever asks: callers check who may. Moving to the status that it has is refused like any other unlisted move. Raises 404 booking_not_found, 409 transition_not_allowed.';
