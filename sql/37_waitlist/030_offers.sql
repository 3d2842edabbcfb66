-- Offers: a place that became free goes to whoever waits for it.
--
-- Who wins. What somebody gives up (a cancellation, a change, a smaller party, a lifted block) is
-- handed on in the same transaction, at its end: no visitor sees it free in between. Every other
-- place (a hold that lapsed and that nobody has reaped, hours that were added) goes to whoever
-- claims it first, a visitor or the sweep. In all cases the exclusion constraint, or the session's
-- row with its seats, decides: there is one claim for a place, so there is one offer of it.
--
-- Why nothing deadlocks. A transaction that hands on holds many locks already, so it must not wait
-- for anybody. It claims only inside the time that it has freed itself: whoever else wants any of
-- that time waits for this transaction before holding anything there, and a session that lives on
-- there is locked by this transaction already (private.claim_freed_time). Entries are taken with
-- "skip locked". The sweep claims time that it did not free: it does so once, before it holds any
-- session's lock, so whoever it waits for cannot be waiting for it.
--
-- No stampede: one place, one offer, one mail. The next in the queue hears of it when that is over.

create function private.claim_freed_time(organization_id uuid, slot private.slot)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
declare
  session_id uuid;
begin
  if (slot).mode = 'shared' then
    update public.sessions as s
    set seats_taken = s.seats_taken + (slot).party_size
    where s.organization_id = claim_freed_time.organization_id
      and s.room_id = (slot).room_id
      and s.starts_at = (slot).starts_at
      and s.mode = 'shared'
      and s.status = 'scheduled'
      and s.seats_taken + (slot).party_size <= s.capacity
    returning s.id into session_id;
  end if;
  if session_id is null then
    insert into public.sessions as s (
      organization_id, room_id, starts_at, ends_at, occupied_until, mode, capacity, seats_taken
    )
    values (
      claim_freed_time.organization_id, (slot).room_id, (slot).starts_at, (slot).ends_at, (slot).occupied_until,
      (slot).mode, (slot).capacity, (slot).party_size
    )
    on conflict do nothing
    returning s.id into session_id;
  end if;
  return session_id;
end
$$;

comment on function private.claim_freed_time(uuid, private.slot) is
  'Takes a slot inside time that this transaction freed: what private.claim_session does, without its waiting and reaping. Returns the session''s id, null if the time or the seats are taken.';

create function private.offer_place(entry public.waitlist_entries, freed_room_id uuid, freed tstzrange)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  calendar public.calendars;
  room public.rooms;
  slot private.slot;
  session_id uuid;
  booking public.bookings;
begin
  select c.* into calendar
  from public.calendars as c
  join public.organizations as o on o.id = c.organization_id
  where c.organization_id = entry.organization_id
    and c.id = entry.calendar_id
    and c.is_active
    and c.waitlist_minutes is not null
    and o.status = 'active';
  if not found then
    return null;
  end if;

  select s.* into slot
  from public.calendar_rooms as cr
  join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  cross join lateral private.slots(
    r.organization_id, array[r.id],
    greatest(entry.from_date, (lower(offer_place.freed) at time zone l.timezone)::date),
    least(entry.to_date, (upper(offer_place.freed) at time zone l.timezone)::date),
    entry.party_size, calendar.minimum_notice_minutes, calendar.maximum_advance_days, calendar.id
  ) as s
  where cr.organization_id = calendar.organization_id
    and cr.calendar_id = calendar.id
    and r.is_published
    and r.id = coalesce(entry.room_id, r.id)
    and r.id = coalesce(offer_place.freed_room_id, r.id)
    and s.seats_available >= s.party_size
    -- Time enough to answer.
    and s.starts_at >= now() + interval '5 minutes'
    and (offer_place.freed is null or tstzrange(s.starts_at, s.occupied_until) <@ offer_place.freed)
  order by s.starts_at, cr.position, r.id
  limit 1;
  if not found then
    return null;
  end if;

  if offer_place.freed is null then
    session_id := private.claim_session(
      entry.organization_id, slot.room_id, slot.starts_at, slot.ends_at, slot.occupied_until,
      slot.mode, slot.capacity, slot.party_size
    );
  else
    session_id := private.claim_freed_time(entry.organization_id, slot);
  end if;
  if session_id is null then
    return 'taken';
  end if;

  select r.* into room
  from public.rooms as r
  where r.organization_id = entry.organization_id and r.id = slot.room_id;
  -- The time to answer is the hold's, and ends with the start at the latest.
  calendar.hold_minutes := least(
    calendar.waitlist_minutes, floor(extract(epoch from slot.starts_at - now()) / 60)::int
  );
  perform private.act_as('system');
  booking := private.make_booking(
    session_id, room, slot.starts_at, entry.customer_id,
    jsonb_build_object('full_name', entry.contact_name, 'locale', entry.locale),
    calendar, slot.party_size,
    private.quote(
      entry.organization_id, slot,
      jsonb_build_object(
        'calendar_id', calendar.id, 'customer_id', entry.customer_id, 'locale', entry.locale
      )
    ),
    'widget'
  );
  update public.bookings as b
  set fields = entry.fields
  where b.organization_id = booking.organization_id and b.id = booking.id and b.fields <> entry.fields;

  update public.waitlist_entries as e
  set status = 'offered', booking_id = booking.id, offered_at = now()
  where e.organization_id = entry.organization_id and e.id = entry.id;
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'waitlist_offer',
      'organization_id', entry.organization_id,
      'booking_id', booking.id,
      'entry_id', entry.id
    ),
    'waitlist_offer:' || booking.id,
    entry.organization_id
  );
  return 'offered';
end
$$;

comment on function private.offer_place(public.waitlist_entries, uuid, tstzrange) is
  'Holds the first place that suits a locked, waiting entry, within a room''s freed time or (null) anywhere, and queues the mail: offered; taken, when somebody else claimed it meanwhile; null when there is none.';

create function private.locked_waiting_entry(organization_id uuid, entry_id uuid)
returns public.waitlist_entries
language plpgsql
volatile
set search_path = ''
as $$
declare
  entry public.waitlist_entries;
begin
  select e.* into entry
  from public.waitlist_entries as e
  where e.organization_id = locked_waiting_entry.organization_id
    and e.id = locked_waiting_entry.entry_id
    and e.status = 'waiting'
  for update skip locked;
  -- One offer a person at a time, however many entries.
  if exists (
    select from public.waitlist_entries as other
    where other.organization_id = entry.organization_id
      and other.customer_id = entry.customer_id
      and other.status = 'offered'
  ) then
    return null;
  end if;
  return entry;
end
$$;

comment on function private.locked_waiting_entry(uuid, uuid) is
  'The entry, locked, if it may be made an offer now; else null. It waits for nobody: a locked entry is being dealt with.';

create function private.hand_on_freed_place()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  freed record;
  entry public.waitlist_entries;
  entry_id uuid;
begin
  -- Most places that become free are waited for by nobody: that is asked first, of an index.
  if not exists (
    select from public.waitlist_entries as e
    where e.organization_id = old.organization_id and e.status = 'waiting'
  ) then
    return null;
  end if;
  select
    r.minimum_party,
    r.maximum_party,
    (lower(old.during) at time zone l.timezone)::date as first_date,
    (upper(old.during) at time zone l.timezone)::date as last_date,
    array(
      select cr.calendar_id from public.calendar_rooms as cr
      where cr.organization_id = r.organization_id and cr.room_id = r.id
    ) as calendar_ids
  into freed
  from public.rooms as r
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where r.organization_id = old.organization_id and r.id = old.room_id;

  for entry_id in
    select e.id
    from public.waitlist_entries as e
    where e.organization_id = old.organization_id
      and e.status = 'waiting'
      and e.waits_until > now()
      and (e.room_id is null or e.room_id = old.room_id)
      and e.from_date <= freed.last_date
      and e.to_date >= freed.first_date
      and e.party_size between freed.minimum_party and freed.maximum_party
      and e.calendar_id = any (freed.calendar_ids)
    order by e.created_at, e.id
    -- Whoever gave up the place waits for this; the sweep looks further.
    limit 20
  loop
    entry := private.locked_waiting_entry(old.organization_id, entry_id);
    continue when entry.id is null;
    -- What the list cannot do must not undo the cancellation that the place comes from; the
    -- sweep looks for the entry again.
    begin
      -- A private session was one place.
      exit when private.offer_place(entry, old.room_id, old.during) = 'offered' and old.mode = 'private';
    exception
      when others then
        raise warning 'no place was offered to waitlist entry %: %', entry.id, sqlerrm;
    end;
  end loop;
  return null;
end
$$;

comment on function private.hand_on_freed_place() is
  'definer: it runs when a request commits, as the caller of whatever freed the place. Offers the freed time of a room to those who wait for it, first come, first served.';

-- At the end of the transaction: what it takes again itself (a booking that moves by half an hour,
-- a claim that reaped the hold in its way) was not freed.
create constraint trigger hand_on_freed_place
after update on public.sessions
deferrable initially deferred
for each row when (
  old.status <> 'cancelled'
  and (
    new.status = 'cancelled' or new.seats_taken < old.seats_taken
    or new.during <> old.during or new.room_id <> old.room_id
  )
)
execute function private.hand_on_freed_place();

create function private.sweep_waitlist()
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  entry public.waitlist_entries;
  key record;
  outcome text;
  expired int;
begin
  -- A place that nobody handed on: hours or rooms that were added, dates that came within the
  -- maximum advance, two gaps that became one. One claim a sweep, and before any other lock.
  for key in
    select e.organization_id, e.id
    from public.waitlist_entries as e
    where e.status = 'waiting'
      and e.looked_at < now() - interval '10 minutes'
      and e.waits_until > now()
    order by e.looked_at
    limit 20
  loop
    entry := private.locked_waiting_entry(key.organization_id, key.id);
    continue when entry.id is null;
    update public.waitlist_entries as e
    set looked_at = now()
    where e.organization_id = entry.organization_id and e.id = entry.id;
    begin
      outcome := private.offer_place(entry, null, null);
    exception
      when others then
        outcome := 'failed';
        raise warning 'no place was offered to waitlist entry %: %', entry.id, sqlerrm;
    end;
    exit when outcome is not null;
  end loop;

  update public.waitlist_entries as e
  set status = 'expired'
  where (e.organization_id, e.id) in (
    select over.organization_id, over.id
    from public.waitlist_entries as over
    where over.status = 'waiting' and over.waits_until <= now()
    order by over.waits_until
    limit 500
    for update skip locked
  );
  get diagnostics expired = row_count;
  return jsonb_build_object(
    'waitlist_offers', case when outcome = 'offered' then 1 else 0 end, 'expired_waitlist_entries', expired
  );
end
$$;

comment on function private.sweep_waitlist() is
  'Offers at most one place that nobody handed on, and ends the entries whose dates are over. The first thing of a sweep: its one claim may wait, so nothing may be locked before it. Returns {waitlist_offers, expired_waitlist_entries}.';
