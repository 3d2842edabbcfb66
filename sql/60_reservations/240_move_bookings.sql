-- Moving what is booked in a room, all at once: the room is broken, or opens later. As it is the venue that moves them,
-- no customer pays more than before; changes.sql says what a change is.
--
-- The preview carries the moves out and takes them back, each by itself, so that it cannot say other than the move does.
-- Locks: both rooms, the room's sessions in order of time, their bookings; then all seats are given back before any is
-- taken, so that a session may take the time of the one after it.

create type public.planned_move as (
  booking_id uuid,
  reference text,
  status text,
  contact_name text,
  party_size int,
  from_starts_at timestamptz,
  to_room_id uuid,
  to_starts_at timestamptz,
  to_ends_at timestamptz,
  within_hours boolean,
  currency text,
  total_cents bigint,
  new_total_cents bigint,
  refund_cents bigint,
  conflict text
);

comment on type public.planned_move is 'Where a booking goes, and what becomes of its price.';
comment on column public.planned_move.booking_id is 'The booking.';
comment on column public.planned_move.reference is 'As the customer knows it.';
comment on column public.planned_move.status is 'one of bookings.status';
comment on column public.planned_move.contact_name is 'Who booked; null without customers:read.';
comment on column public.planned_move.party_size is 'People.';
comment on column public.planned_move.from_starts_at is 'When it started before.';
comment on column public.planned_move.to_room_id is 'The room to which it goes, or in which it stays.';
comment on column public.planned_move.to_starts_at is 'When it starts there.';
comment on column public.planned_move.to_ends_at is 'When the game ends there; null with a conflict.';
comment on column public.planned_move.within_hours is 'Whether that room offers a game at that time, taken or not: staff may move it elsewhere all the same.';
comment on column public.planned_move.currency is 'Of the amounts, ISO 4217.';
comment on column public.planned_move.total_cents is 'What it cost before, in minor units, tax included.';
comment on column public.planned_move.new_total_cents is 'What it costs there: no more than before; null with a conflict.';
comment on column public.planned_move.refund_cents is
  'What goes back by a queued refund, where it was paid and is cheaper; null with a conflict, and without payments:read.';
comment on column public.planned_move.conflict is
  'Why it cannot go there: what change_booking would refuse it with, such as slot_taken or party_size_invalid; not_reschedulable: its game has begun; on_hold: somebody is about to book it; null: nothing.';

create type public.moved_bookings as (
  moves public.planned_move [],
  conflicts int
);

comment on type public.moved_bookings is 'What moving the bookings of a room comes to.';
comment on column public.moved_bookings.moves is 'In order of time; empty: nothing is booked there.';
comment on column public.moved_bookings.conflicts is 'How many cannot go there.';

create function private.moved_start(organization_id uuid, room_id uuid, starts_at timestamptz, shift_minutes int)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when moved_start.shift_minutes = 0 then moved_start.starts_at
    else (
      select ((moved_start.starts_at at time zone l.timezone) + make_interval(mins => moved_start.shift_minutes)) at time zone l.timezone
      from public.rooms as r
      join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
      where r.organization_id = moved_start.organization_id and r.id = moved_start.room_id
    )
  end;
end
$$;

comment on function private.moved_start is 'So many minutes later, or earlier, by the clock of the room''s location.';

create function private.move_all(
  organization_id uuid,
  room_id uuid,
  from_at timestamptz,
  until_at timestamptz,
  to_room_id uuid,
  shift_minutes int,
  reason text
)
returns public.moved_bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  shift int := coalesce(move_all.shift_minutes, 0);
  target_id uuid := coalesce(move_all.to_room_id, move_all.room_id);
  session_ids uuid [];
  moving public.bookings [];
  booking public.bookings;
  change private.booking_request;
  move public.planned_move;
  kept bigint;
  answer public.moved_bookings := row('{}', 0);
begin
  if move_all.from_at is null or move_all.until_at is null or move_all.from_at >= move_all.until_at then
    perform private.fail('period_invalid', 422, 'Say from when until when: from_at lies before until_at.');
  elsif target_id = move_all.room_id and shift = 0 then
    perform private.fail('nothing_to_change', 422, 'Choose another room, or how many minutes later or earlier.');
  elsif abs(shift) > 525600 then
    perform private.fail('shift_invalid', 422, 'Shift by a year at most.', '{"maximum": 525600}');
  elsif exists (
    select from unnest(array[move_all.room_id, target_id]) as w (id)
    where not exists (
      select from public.rooms as r
      where r.organization_id = move_all.organization_id
        and r.id = w.id
        and (r.id = move_all.room_id or not r.is_archived)
    )
  ) then
    perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
  end if;

  perform private.lock_room(move_all.organization_id, wanted.id)
  from (
    select distinct w.id
    from unnest(array[move_all.room_id, target_id]) as w (id)
    order by w.id
  ) as wanted;
  perform private.reap_lapsed_holds(
    move_all.organization_id, move_all.room_id, tstzrange(move_all.from_at, move_all.until_at)
  );
  session_ids := array(
    select s.id
    from public.sessions as s
    where s.organization_id = move_all.organization_id
      and s.room_id = move_all.room_id
      and s.starts_at >= move_all.from_at
      and s.starts_at < move_all.until_at
      and s.mode <> 'block'
      and s.status = 'scheduled'
    order by s.starts_at, s.id
    for no key update
  );
  moving := array(
    select b
    from public.bookings as b
    where b.organization_id = move_all.organization_id
      and b.session_id = any (session_ids)
      and b.status in ('held', 'pending', 'confirmed', 'checked_in', 'in_progress')
    order by b.starts_at, b.id
    for no key update
  );
  if cardinality(moving) > 100 then
    perform private.fail(
      'too_many_bookings', 422, 'Move at most 100 at once: choose a shorter time.', '{"maximum": 100}'
    );
  end if;
  perform private.lock_vouchers_of(array_agg(m.organization_id), array_agg(m.id))
  from unnest(moving) as m;

  foreach booking in array moving loop
    if booking.status not in ('held', 'in_progress') then
      perform private.release_seats(booking);
    end if;
  end loop;
  foreach booking in array moving loop
    move := row(
      booking.id, booking.reference, booking.status, null, booking.party_size, booking.starts_at, target_id,
      private.moved_start(booking.organization_id, booking.room_id, booking.starts_at, shift), null, null,
      booking.currency, booking.total_cents, null, null, null
    );
    move.within_hours := exists (
      select from private.slots(
        booking.organization_id, array[target_id], move.to_starts_at::date - 1, move.to_starts_at::date + 1, null, null, null
      ) as s
      where s.starts_at = move.to_starts_at
    );
    move.conflict := case booking.status when 'held' then 'on_hold' when 'in_progress' then 'not_reschedulable' end;
    if move.conflict is null then
      kept := private.booking_kept(booking.organization_id, booking.id);
      change := null;
      change.booking_id := booking.id;
      change.room_id := target_id;
      change.starts_at := move.to_starts_at;
      change.reason := move_all.reason;
      change.as_agreed := true;
      begin
        perform private.apply_change(booking, change, true, has_left => true);
        select s.ends_at, b.total_cents into move.to_ends_at, move.new_total_cents
        from public.bookings as b
        join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
        where b.organization_id = booking.organization_id and b.id = booking.id;
        move.refund_cents := kept - private.booking_kept(booking.organization_id, booking.id);
      exception
        when sqlstate 'PT404' or sqlstate 'PT409' or sqlstate 'PT422' then
          move.conflict := sqlerrm;
      end;
    end if;
    answer.conflicts := answer.conflicts + (move.conflict is not null)::int;
    answer.moves := answer.moves || move;
  end loop;
  return answer;
end
$$;

comment on function private.move_all is
  'Moves what is booked in a room in that time, each booking that nothing hinders; the caller takes all of it back where one is hindered. Raises 404 room_not_found, 422 period_invalid, nothing_to_change, shift_invalid (details {"maximum"}), too_many_bookings (details {"maximum"}).';

create function private.shown_moves(organization_id uuid, moved public.moved_bookings)
returns public.moved_bookings
language plpgsql
stable
set search_path = ''
as $$
declare
  shows_names boolean := private.has_permission(shown_moves.organization_id, 'customers:read');
  shows_money boolean := private.has_permission(shown_moves.organization_id, 'payments:read');
  move public.planned_move;
begin
  for place in 1..cardinality(moved.moves) loop
    move := moved.moves[place];
    if shows_names then
      select k.contact_name into move.contact_name
      from public.booking_contacts as k
      where k.organization_id = shown_moves.organization_id and k.booking_id = move.booking_id;
    end if;
    if not shows_money then
      move.refund_cents := null;
    end if;
    moved.moves[place] := move;
  end loop;
  return moved;
end
$$;

comment on function private.shown_moves is
  'What private.move_all answers, with the names and without the money, as the caller may read them. Names are not kept with an idempotency key.';

create function private.preview_move_bookings(
  organization_id uuid,
  room_id uuid,
  from_at timestamptz,
  until_at timestamptz,
  to_room_id uuid,
  shift_minutes int
)
returns public.moved_bookings
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  answer public.moved_bookings;
begin
  perform private.require_permission(preview_move_bookings.organization_id, 'bookings:update');
  perform private.require_permission(preview_move_bookings.organization_id, 'bookings:read');
  begin
    answer := private.move_all(
      preview_move_bookings.organization_id, preview_move_bookings.room_id, preview_move_bookings.from_at,
      preview_move_bookings.until_at, preview_move_bookings.to_room_id, preview_move_bookings.shift_minutes, null
    );
    raise exception using errcode = 'EM001', message = 'taken_back';
  exception
    when sqlstate 'EM001' then null;
  end;
  return private.shown_moves(preview_move_bookings.organization_id, answer);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.preview_move_bookings is
  'definer: moves bookings and takes it back, to know what would come of it. Asks for bookings:update and bookings:read.';
grant execute on function private.preview_move_bookings to authenticated;

create function public.preview_move_bookings(
  organization_id uuid,
  room_id uuid,
  from_at timestamptz,
  until_at timestamptz,
  to_room_id uuid default null,
  shift_minutes int default 0
)
returns public.moved_bookings
language sql
volatile
set search_path = ''
as $$
  select private.preview_move_bookings(organization_id, room_id, from_at, until_at, to_room_id, shift_minutes)
$$;

comment on function public.preview_move_bookings is
  'What move_bookings would make of all that starts in a room from from_at until before until_at, 100 bookings at most: where each would go, at which price, and what is in the way. Nothing is changed. to_room_id: null for the same room; shift_minutes: later, or earlier if negative, by the location''s clock. For members with bookings:update and bookings:read; names under customers:read, refunds under payments:read. Errors: 403 permission_denied, organization_suspended; 404 room_not_found; 422 period_invalid, nothing_to_change, shift_invalid (details {"maximum"}), too_many_bookings (details {"maximum"}).';
grant execute on function public.preview_move_bookings to authenticated;

create function private.move_bookings(
  organization_id uuid,
  room_id uuid,
  from_at timestamptz,
  until_at timestamptz,
  reason text,
  idempotency_key text,
  to_room_id uuid,
  shift_minutes int,
  booking_ids uuid []
)
returns public.moved_bookings
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := move_bookings.organization_id || ':move_bookings';
  stored jsonb;
  answer public.moved_bookings;
begin
  perform private.require_permission(move_bookings.organization_id, 'bookings:update');
  perform private.require_permission(move_bookings.organization_id, 'bookings:read');
  if not private.is_reason(move_bookings.reason, 500) then
    perform private.fail('reason_invalid', 422, 'Give a reason of 1 to 500 characters.');
  end if;
  stored := private.idempotent_begin(scope, move_bookings.idempotency_key, jsonb_build_array(
    move_bookings.room_id, move_bookings.from_at, move_bookings.until_at, move_bookings.reason,
    move_bookings.to_room_id, move_bookings.shift_minutes, move_bookings.booking_ids
  ));
  if stored is not null then
    return private.shown_moves(
      move_bookings.organization_id, jsonb_populate_record(null::public.moved_bookings, stored)
    );
  end if;
  answer := private.move_all(
    move_bookings.organization_id, move_bookings.room_id, move_bookings.from_at, move_bookings.until_at,
    move_bookings.to_room_id, move_bookings.shift_minutes, move_bookings.reason
  );
  if exists (
    select from unnest(answer.moves) as m where m.booking_id <> all (move_bookings.booking_ids)
  ) or exists (
    select from unnest(move_bookings.booking_ids) as w (id)
    where not exists (select from unnest(answer.moves) as m where m.booking_id = w.id)
  ) then
    perform private.fail('bookings_changed', 409, 'Others are booked there by now: look at the preview again.');
  elsif answer.conflicts > 0 then
    perform private.fail(
      'moves_conflict', 409, 'Look at the preview: move or cancel by themselves those that cannot go there.',
      jsonb_build_object('conflicts', (
        select jsonb_agg(jsonb_build_object('booking_id', m.booking_id, 'conflict', m.conflict) order by m.from_starts_at, m.booking_id)
        from unnest(answer.moves) as m
        where m.conflict is not null
      ))
    );
  end if;
  perform private.idempotent_end(scope, move_bookings.idempotency_key, to_jsonb(answer));
  return private.shown_moves(move_bookings.organization_id, answer);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.move_bookings is
  'definer: writes sessions, bookings and the ledger, which no client may write. Asks for bookings:update and bookings:read.';
grant execute on function private.move_bookings to authenticated;

create function public.move_bookings(
  organization_id uuid,
  room_id uuid,
  from_at timestamptz,
  until_at timestamptz,
  reason text,
  idempotency_key text,
  to_room_id uuid default null,
  shift_minutes int default 0,
  booking_ids uuid [] default null
)
returns public.moved_bookings
language sql
volatile
set search_path = ''
as $$
  select private.move_bookings(
    organization_id, room_id, from_at, until_at, reason, idempotency_key, to_room_id, shift_minutes, booking_ids
  )
$$;

comment on function public.move_bookings is
  'Moves all that starts in a room from from_at until before until_at, 100 bookings at most, to another room, or by shift_minutes on the location''s clock, or both: all of them, or none. No customer pays more: what is cheaper there is priced so, and what was paid too much goes back by a queued refund; all else stays as agreed, terms and coupons too. Each customer is told of the change; reason: for the history. booking_ids: those of the preview, refused when others are booked by now. For members with bookings:update and bookings:read; names under customers:read, refunds under payments:read. Errors: 403 permission_denied, organization_suspended; 404 room_not_found; 409 moves_conflict (details {"conflicts": [{"booking_id", "conflict"}]}), bookings_changed; 422 reason_invalid, period_invalid, nothing_to_change, shift_invalid (details {"maximum"}), too_many_bookings (details {"maximum"}), idempotency_key_invalid, idempotency_key_reused.';
grant execute on function public.move_bookings to authenticated;
