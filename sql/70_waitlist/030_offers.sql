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
-- there is locked by this transaction already (private.claim_freed_time). Entries and those who
-- wait are taken with "skip locked". The sweep claims time that it did not free, one place after
-- the other, so from the second on it may meet somebody who waits for it: it waits for a moment
-- only, much shorter than PostgreSQL takes to look for a deadlock, and then lets that place be.
--
-- No stampede: one place, one offer, one mail. The next in the queue hears of it when that is over.
-- However a place is found, it is offered to whoever joined first of those whom it suits.

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
    session_id := private.uuid_v7();
    insert into public.sessions (
      organization_id, id, room_id, starts_at, ends_at, occupied_until, mode, capacity, seats_taken
    )
    values (
      claim_freed_time.organization_id, session_id, (slot).room_id, (slot).starts_at, (slot).ends_at, (slot).occupied_until,
      (slot).mode, (slot).capacity, (slot).party_size
    )
    on conflict do nothing;
    if not found then
      perform private.drop_starts(claim_freed_time.organization_id, session_id);
      return null;
    end if;
  end if;
  return session_id;
end
$$;

comment on function private.claim_freed_time is
  'Takes a slot inside time that this transaction freed: what private.claim_session does, without its waiting and reaping. Returns the session''s id, null if the time or the seats are taken.';

create function private.place_for(entry public.waitlist_entries, freed_room_id uuid, freed tstzrange)
returns private.slot
language plpgsql
stable
set search_path = ''
as $$
declare
  calendar public.calendars;
  slot private.slot;
begin
  select c.* into calendar
  from public.calendars as c
  join public.organizations as o on o.id = c.organization_id
  where c.organization_id = entry.organization_id
    and c.id = entry.calendar_id
    and c.is_active
    and c.waitlist_minutes is not null
    and o.status = 'active'
    and coalesce(o.sales_end_at > now(), true);
  if not found then
    return null;
  end if;

  select s.* into slot
  from public.calendar_rooms as cr
  join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  cross join lateral private.slots(
    r.organization_id, array[r.id],
    greatest(entry.from_date, (lower(place_for.freed) at time zone l.timezone)::date),
    least(entry.to_date, (upper(place_for.freed) at time zone l.timezone)::date),
    entry.party_size, calendar.minimum_notice_minutes, calendar.maximum_advance_days, calendar.id
  ) as s
  where cr.organization_id = calendar.organization_id
    and cr.calendar_id = calendar.id
    and r.is_published
    and r.id = coalesce(entry.room_id, r.id)
    and r.id = coalesce(place_for.freed_room_id, r.id)
    and s.seats_available >= s.party_size
    and s.starts_at = coalesce(entry.starts_at, s.starts_at)
    -- Time enough to answer.
    and s.starts_at >= now() + interval '5 minutes'
    and (place_for.freed is null or tstzrange(s.starts_at, s.occupied_until) <@ place_for.freed)
  order by s.starts_at, cr.position, r.id
  limit 1;
  return slot;
end
$$;

comment on function private.place_for is
  'The first place that suits an entry, within a room''s time or (null) anywhere; null when there is none.';

create function private.offer_place(entry public.waitlist_entries, place private.slot, freed boolean)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  calendar public.calendars;
  session_id uuid;
  request private.booking_request;
  booking public.bookings;
begin
  if not private.has_booking_allowance(entry.organization_id) then
    return false;
  end if;
  if offer_place.freed then
    session_id := private.claim_freed_time(entry.organization_id, place);
  else
    session_id := private.claim_session(
      entry.organization_id, place.room_id, place.starts_at, place.ends_at, place.occupied_until,
      place.mode, place.capacity, place.party_size
    );
  end if;
  if session_id is null then
    return false;
  end if;

  select c.* into calendar
  from public.calendars as c
  where c.organization_id = entry.organization_id and c.id = entry.calendar_id;
  request.calendar_id := calendar.id;
  request.customer_id := entry.customer_id;
  request.locale := entry.locale;
  request.fields := entry.fields;
  request.source := 'widget';
  perform private.act_as('system');
  booking := private.make_booking(
    entry.organization_id, session_id, place, request,
    row(entry.contact_name, null, entry.contact_phone, entry.locale)::private.guest,
    private.quote(entry.organization_id, place, request),
    'held',
    -- In whole minutes, and never past the start.
    now() + make_interval(mins => least(
      calendar.waitlist_minutes, floor(extract(epoch from place.starts_at - now()) / 60)::int
    ))
  );

  perform private.record_consents(
    entry.organization_id, entry.customer_id, booking.id, entry.consents, entry.locale,
    counts => private.booking_is_vouched(booking), said_at => entry.created_at
  );

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
  return true;
end
$$;

comment on function private.offer_place is
  'Holds a place for a locked, waiting entry and queues the mail; false when somebody else claimed it meanwhile, or the venue''s plan allows no further booking this month. freed: it lies in time that this transaction freed.';

create function private.waiting_for(organization_id uuid, room_id uuid, during tstzrange)
returns setof uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select e.id
  from public.rooms as r
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  join public.calendar_rooms as cr on cr.organization_id = r.organization_id and cr.room_id = r.id
  join public.waitlist_entries as e
    on e.organization_id = cr.organization_id and e.calendar_id = cr.calendar_id
  where r.organization_id = waiting_for.organization_id
    and r.id = waiting_for.room_id
    and e.status = 'waiting'
    and e.waits_until > now()
    and (e.room_id is null or e.room_id = r.id)
    and e.from_date <= (upper(waiting_for.during) at time zone l.timezone)::date
    and e.to_date >= (lower(waiting_for.during) at time zone l.timezone)::date
    and (e.starts_at is null or e.starts_at <@ waiting_for.during)
    and e.party_size between r.minimum_party and r.maximum_party
  order by e.created_at, e.id
  -- Whoever gave up the place waits for this; the sweep looks further.
  limit 20;
end
$$;

comment on function private.waiting_for is
  'Whom a place in the room in that time may suit, those who joined first, at most 20.';

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
  -- One offer a person at a time, however many entries. Whoever is being merged or erased, or
  -- is made an offer, is not waited for either.
  perform from public.customers as c
  where c.organization_id = entry.organization_id and c.id = entry.customer_id
  for no key update skip locked;
  if not found or exists (
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

comment on function private.locked_waiting_entry is
  'The entry, locked with its customer, if it may be made an offer now; else null. It waits for nobody: what is locked is being dealt with.';

create function private.hand_on_freed_place()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  entry public.waitlist_entries;
  entry_id uuid;
  place private.slot;
  offered boolean;
begin
  -- Most places that become free are waited for by nobody: that is asked first, of an index.
  if not exists (
    select from public.waitlist_entries as e
    where e.organization_id = old.organization_id and e.status = 'waiting'
  ) then
    return null;
  end if;

  for entry_id in
    select w.id from private.waiting_for(old.organization_id, old.room_id, old.during) as w (id)
  loop
    entry := private.locked_waiting_entry(old.organization_id, entry_id);
    continue when entry.id is null;
    -- What the list cannot do must not undo the cancellation that the place comes from; the
    -- sweep looks for the entry again.
    begin
      place := private.place_for(entry, old.room_id, old.during);
      offered := place.room_id is not null and private.offer_place(entry, place, true);
      -- A private session was one place.
      exit when offered and old.mode = 'private';
    exception
      when others then
        raise warning 'no place was offered to waitlist entry %: %', entry.id, sqlerrm;
    end;
  end loop;
  return null;
end
$$;

comment on function private.hand_on_freed_place is
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

create function private.offer_found_place(place private.slot, finder public.waitlist_entries)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
declare
  during constant tstzrange := tstzrange(place.starts_at, place.occupied_until);
  queue uuid [] := array(
    select w.id from private.waiting_for(finder.organization_id, place.room_id, during) as w (id)
  );
  entry public.waitlist_entries;
  entry_id uuid;
  suited private.slot;
begin
  -- Those who joined before the finder, and then itself.
  queue := queue[:coalesce(array_position(queue, finder.id) - 1, cardinality(queue))] || finder.id;
  foreach entry_id in array queue
  loop
    if entry_id = finder.id then
      entry := finder;
    else
      entry := private.locked_waiting_entry(finder.organization_id, entry_id);
    end if;
    continue when entry.id is null;
    begin
      suited := private.place_for(entry, place.room_id, during);
      if suited.room_id is not null and private.offer_place(entry, suited, false) then
        return entry.id;
      end if;
    exception
      -- Somebody is busy there.
      when lock_not_available then
        return null;
      when others then
        raise warning 'no place was offered to waitlist entry %: %', entry.id, sqlerrm;
    end;
  end loop;
  return null;
end
$$;

comment on function private.offer_found_place is
  'Offers a place that was found for a locked entry to the first whom it suits, and returns whose it is; null when it was taken, or could not be had at once.';

create function private.sweep_waitlist(out waitlist_offers int, out expired_waitlist_entries int)
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- What a sweep has claimed its visitors wait for until it ends, mostly some milliseconds an
  -- offer. At worst, with ten rooms to look through for three months each time, 50 took 4.3 s.
  maximum constant int := 20;
  lock_timeout constant text := current_setting('lock_timeout');
  entry public.waitlist_entries;
  key record;
  place private.slot;
  offered_id uuid;
begin
  waitlist_offers := 0;
  perform set_config('lock_timeout', '50ms', true);
  -- Places that nobody handed on: hours or rooms that were added, dates that came within the
  -- maximum advance, two gaps that became one.
  for key in
    select e.organization_id, e.id
    from public.waitlist_entries as e
    where e.status = 'waiting'
      and e.looked_at < now() - interval '10 minutes'
      and e.waits_until > now()
      -- Whoever has an offer can be made no other: such entries must not fill the batch, or
      -- nobody is looked for until their offers are over.
      and not exists (
        select from public.waitlist_entries as other
        where other.organization_id = e.organization_id
          and other.customer_id = e.customer_id
          and other.status = 'offered'
      )
    order by e.looked_at
    limit maximum
  loop
    -- Each place that is found is somebody's, until one is the entry's own.
    loop
      exit when waitlist_offers >= maximum;
      entry := private.locked_waiting_entry(key.organization_id, key.id);
      exit when entry.id is null;
      update public.waitlist_entries as e
      set looked_at = now()
      where e.organization_id = entry.organization_id and e.id = entry.id and e.looked_at < now();
      -- An entry that nothing can be found for must not keep the others from being looked for.
      begin
        place := private.place_for(entry, null, null);
      exception
        when others then
          raise warning 'no place was looked for for waitlist entry %: %', entry.id, sqlerrm;
          exit;
      end;
      exit when place.room_id is null;
      offered_id := private.offer_found_place(place, entry);
      exit when offered_id is null;
      waitlist_offers := waitlist_offers + 1;
    end loop;
  end loop;
  perform set_config('lock_timeout', lock_timeout, true);

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
  get diagnostics expired_waitlist_entries = row_count;
end
$$;

comment on function private.sweep_waitlist is
  'Looks for places that nobody handed on, for at most 20 entries, those first that were looked for longest ago, makes at most 20 offers, and ends the entries whose dates are over; says how many of each.';
