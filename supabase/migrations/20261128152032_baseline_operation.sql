-- Baseline operation.
--
-- Generated from sql/ by `make migration name=baseline_operation`. Do not edit: change sql/ and render again.
-- Digest of what follows: c0eeb67f5bd7c9df89c0930f0bcc7395cf6a7b9bb2f52427bf01d8457ba72b11

-- =============================================================================
-- sql/70_waitlist/010_permissions.sql
-- =============================================================================

-- Permissions of the waiting list.

select private.permission_upsert(
  'waitlist:read', 'bookings', false,
  'See who waits for a place', 'Ver quién espera una plaza',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'waitlist:manage', 'bookings', true,
  'Take somebody off the waiting list', 'Quitar a alguien de la lista de espera',
  array['admin', 'manager', 'receptionist']
);

insert into private.rate_limit_rules (action, scope, max_hits, window_seconds, description)
values
('join_waitlist', 'address', 10, 3600, 'Waiting lists joined by one address'),
('join_waitlist', 'target', 300, 3600, 'Entries in one calendar''s waiting list by everybody')
on conflict (action, scope) do update
set max_hits = excluded.max_hits,
  window_seconds = excluded.window_seconds,
  description = excluded.description;

-- =============================================================================
-- sql/70_waitlist/020_entries.sql
-- =============================================================================

-- The waiting list: who wants a place that is not there, and what became of it.
--
-- An entry waits for the first place that its calendar sells in a room (or any of its rooms)
-- between two dates and that is large enough. It gets that place held, once:
--   waiting   in the queue, in order of joining;
--   offered   a place is held for it, and a mail says until when;
--   booked    it took the place;
--   lapsed    it let the time go by: done, so that nobody who does not answer stands in the
--             others' way twice. Who still wants a place joins again;
--   declined  it gave the place back: done;
--   left, removed, expired (its dates are over): done.
-- Only an offer of which the mail had not left when it ended goes back to waiting.

create table public.waitlist_entries (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  calendar_id uuid not null,
  room_id uuid,
  from_date date not null,
  to_date date not null,
  starts_at timestamptz,
  waits_until timestamptz not null,
  party_size int not null,
  customer_id uuid not null,
  contact_name text not null,
  contact_phone text,
  locale text not null,
  fields jsonb not null default '{}',
  consents jsonb not null default '[]',
  status text not null default 'waiting',
  booking_id uuid,
  offered_at timestamptz,
  looked_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint waitlist_entries_pkey primary key (organization_id, id),
  constraint waitlist_entries_calendar_fkey foreign key (organization_id, calendar_id)
  references public.calendars (organization_id, id) on delete cascade,
  constraint waitlist_entries_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint waitlist_entries_customer_fkey foreign key (organization_id, customer_id)
  references public.customers (organization_id, id) on delete cascade,
  constraint waitlist_entries_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id),
  constraint waitlist_entries_dates_are_ordered check (
    from_date <= to_date and isfinite(from_date) and isfinite(to_date)
  ),
  constraint waitlist_entries_party_is_positive check (party_size > 0),
  constraint waitlist_entries_contact_name_is_a_name check (private.is_name(contact_name, 200)),
  constraint waitlist_entries_contact_phone_can_be_called check (private.is_phone(contact_phone)),
  constraint waitlist_entries_locale_is_supported check (private.is_locale(locale)),
  constraint waitlist_entries_fields_are_an_object check (jsonb_typeof(fields) = 'object'),
  constraint waitlist_entries_consents_are_a_list check (jsonb_typeof(consents) = 'array'),
  constraint waitlist_entries_status_is_known check (
    status in ('waiting', 'offered', 'booked', 'lapsed', 'declined', 'left', 'removed', 'expired')
  ),
  constraint waitlist_entries_offer_names_its_booking check (
    case status
      when 'waiting' then booking_id is null
      when 'offered' then booking_id is not null
      when 'booked' then booking_id is not null
      else true
    end
    and (booking_id is null) = (offered_at is null)
  )
);

comment on table public.waitlist_entries is
  'Who waits for a place, in the order of created_at, and which one was offered. An entry gets one offer.';
comment on column public.waitlist_entries.room_id is 'The room that is wanted; null: any that the calendar sells.';
comment on column public.waitlist_entries.from_date is 'First local date that would do.';
comment on column public.waitlist_entries.to_date is 'Last local date that would do.';
comment on column public.waitlist_entries.starts_at is 'The one start that would do; null: any on those dates.';
comment on column public.waitlist_entries.waits_until is
  'The end of to_date on the clock of the rooms, the last one''s if they differ; starts_at, where only that would do.';
comment on column public.waitlist_entries.contact_name is 'The name given with this entry.';
comment on column public.waitlist_entries.contact_phone is 'The phone given with this entry, for the booking.';
comment on column public.waitlist_entries.locale is 'Language in which the party is written to: es, en or ca.';
comment on column public.waitlist_entries.fields is 'Answers to the calendar''s own questions, for the booking.';
comment on column public.waitlist_entries.consents is 'What was agreed to with the entry: [{"kind", "granted", "wording"}], for the booking.';
comment on column public.waitlist_entries.status is
  'waiting, offered, booked; over without a booking: lapsed (no answer in time), declined, left, removed (by the venue), expired (the dates are over).';
comment on column public.waitlist_entries.booking_id is 'The place that was offered: a held booking until it is taken.';
comment on column public.waitlist_entries.offered_at is 'When it was offered.';
comment on column public.waitlist_entries.looked_at is 'When a place was last looked for that nobody handed on (private.sweep_waitlist).';

-- for: who waits in a venue, in order (private.hand_on_freed_place)
create index waitlist_entries_waiting_idx on public.waitlist_entries (organization_id, created_at, id)
where status = 'waiting';
-- for: whom to look for next (private.sweep_waitlist)
create index waitlist_entries_looked_at_idx on public.waitlist_entries (looked_at) where status = 'waiting';
-- for: whose dates are over (private.sweep_waitlist)
create index waitlist_entries_waits_until_idx on public.waitlist_entries (waits_until) where status = 'waiting';
-- for: the live entries of a customer, and the foreign key
create index waitlist_entries_customer_id_idx on public.waitlist_entries (organization_id, customer_id);
-- for: the entry of an offered booking (private.follow_waitlist_offer), and the foreign key
create index waitlist_entries_booking_id_idx on public.waitlist_entries (organization_id, booking_id);
-- for: the foreign key, when a calendar is deleted
create index waitlist_entries_calendar_id_idx on public.waitlist_entries (organization_id, calendar_id);
-- for: the foreign key, when a room is deleted
create index waitlist_entries_room_id_idx on public.waitlist_entries (organization_id, room_id);

insert into private.personal_columns (relation, column_name, erased)
values
('public.waitlist_entries', 'contact_name', '"Erased"'),
('public.waitlist_entries', 'contact_phone', 'null'),
('public.waitlist_entries', 'fields', '{}'),
('public.waitlist_entries', 'consents', '[]')
on conflict (relation, column_name) do update
set erased = excluded.erased;

grant select on public.waitlist_entries to authenticated;

alter table public.waitlist_entries enable row level security;

create policy waitlist_entries_select on public.waitlist_entries
for select to authenticated
using (organization_id = (select private.organization_with('waitlist:read')));

create trigger waitlist_entries_touch_updated_at
before update on public.waitlist_entries
for each row when (new.looked_at = old.looked_at)
execute function private.touch_updated_at();

create table private.waitlist_secrets (
  organization_id uuid not null,
  entry_id uuid not null,
  token_hash bytea not null,
  constraint waitlist_secrets_pkey primary key (organization_id, entry_id),
  constraint waitlist_secrets_token_hash_key unique (token_hash),
  constraint waitlist_secrets_entry_fkey foreign key (organization_id, entry_id)
  references public.waitlist_entries (organization_id, id) on delete cascade,
  constraint waitlist_secrets_token_hash_is_sha256 check (length(token_hash) = 32)
);

comment on table private.waitlist_secrets is
  'Hash of the token with which somebody leaves the waiting list. Found by hash on the whole platform: the token is all that they bring.';

create function private.follow_waitlist_offer()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  became text := case new.status when 'expired' then 'lapsed' when 'cancelled' then 'declined' else 'booked' end;
begin
  -- Most bookings come from no waiting list, and an update of no row calls its triggers all the same.
  if not exists (
    select from public.waitlist_entries as e
    where e.organization_id = new.organization_id and e.booking_id = new.id
  ) then
    return null;
  end if;
  -- Nobody can answer a mail that did not leave: the worker or the provider was away. Its job
  -- sends nothing any more, since the offer is over.
  if became = 'lapsed' and exists (
    select from private.jobs as j
    where j.kind = 'email.send'
      and j.dedupe_key = 'waitlist_offer:' || new.id
      and j.status in ('queued', 'running')
  ) then
    became := 'waiting';
  end if;
  update public.waitlist_entries as e
  set status = became,
    booking_id = case when became <> 'waiting' then e.booking_id end,
    offered_at = case when became <> 'waiting' then e.offered_at end
  where e.organization_id = new.organization_id
    and e.booking_id = new.id
    and (e.status = 'offered' or (became = 'booked' and e.status in ('lapsed', 'declined')));
  return null;
end
$$;

comment on function private.follow_waitlist_offer is
  'The entry of an offered place goes with its booking: booked, lapsed or declined. Its row is locked after the session''s and the booking''s.';

create trigger follow_waitlist_offer
after update of status on public.bookings
for each row when (old.status in ('held', 'expired', 'cancelled') and new.status <> old.status)
execute function private.follow_waitlist_offer();

-- =============================================================================
-- sql/70_waitlist/030_offers.sql
-- =============================================================================

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

-- =============================================================================
-- sql/70_waitlist/040_waitlist.sql
-- =============================================================================

-- Joining and leaving the waiting list, accepting what it offers, and what the staff do with it.

create type public.waitlist_entry as (
  status text,
  calendar_slug text,
  organization public.venue,
  room_id uuid,
  room_name text,
  from_date date,
  to_date date,
  starts_at timestamptz,
  party_size int,
  offer public.held_booking,
  waitlist_token text
);

comment on type public.waitlist_entry is 'An entry as the person who waits sees it.';
comment on column public.waitlist_entry.status is
  'Over without a booking: lapsed (no answer in time), declined, left, removed (by the venue), expired (the dates are over). one of: waiting, offered, booked, lapsed, declined, left, removed, expired';
comment on column public.waitlist_entry.calendar_slug is 'The calendar''s name in addresses.';
comment on column public.waitlist_entry.organization is 'The venue.';
comment on column public.waitlist_entry.room_id is 'The room that is wanted; null: any.';
comment on column public.waitlist_entry.room_name is 'Its name; null: any room.';
comment on column public.waitlist_entry.from_date is 'First local date that would do.';
comment on column public.waitlist_entry.to_date is 'Last local date that would do.';
comment on column public.waitlist_entry.starts_at is 'The one start that would do; null: any time.';
comment on column public.waitlist_entry.party_size is 'People.';
comment on column public.waitlist_entry.offer is 'The place that is held or was booked; else null.';
comment on column public.waitlist_entry.waitlist_token is
  'The secret by which one leaves the list, told by join_waitlist; null to whoever has brought it.';

create function private.seen_waitlist_entry(entry public.waitlist_entries)
returns public.waitlist_entry
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      entry.status,
      c.slug,
      row(o.name, o.slug)::public.venue,
      entry.room_id,
      (
        select private.room_name(r, entry.locale) from public.rooms as r
        where r.organization_id = entry.organization_id and r.id = entry.room_id
      ),
      entry.from_date,
      entry.to_date,
      entry.starts_at,
      entry.party_size,
      (
        select private.held_booking(b, private.show_booking(b))
        from public.bookings as b
        where b.organization_id = entry.organization_id
          and b.id = entry.booking_id
          and entry.status in ('offered', 'booked')
      ),
      null
    )::public.waitlist_entry
    from public.calendars as c
    join public.organizations as o on o.id = c.organization_id
    where c.organization_id = entry.organization_id and c.id = entry.calendar_id
  );
end
$$;

comment on function private.seen_waitlist_entry is 'An entry as the person who waits sees it.';

create function private.join_waitlist(
  slug text,
  from_date date,
  to_date date,
  party_size int,
  customer jsonb,
  idempotency_key text,
  room_id uuid,
  fields jsonb,
  consents jsonb,
  starts_at timestamptz
)
returns public.waitlist_entry
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  live_entries int;
  calendar public.calendars := private.public_calendar(join_waitlist.slug);
  scope text := calendar.organization_id || ':join_waitlist';
  stored jsonb := private.idempotent_begin(
    scope,
    idempotency_key,
    jsonb_build_object(
      'slug', join_waitlist.slug, 'room_id', join_waitlist.room_id, 'from_date', join_waitlist.from_date,
      'to_date', join_waitlist.to_date, 'party_size', join_waitlist.party_size, 'customer', customer,
      'fields', join_waitlist.fields, 'consents', join_waitlist.consents, 'starts_at', join_waitlist.starts_at
    )
  );
  room public.rooms;
  room_ids uuid [];
  guest private.guest;
  answers jsonb;
  slots private.slot [];
  place private.slot;
  waiting_customer_id uuid;
  entry public.waitlist_entries;
  answer public.waitlist_entry;
begin
  if stored is null then
    if calendar.waitlist_minutes is null then
      perform private.fail('waitlist_not_offered', 422, 'Choose one of the free times, or call the venue.');
    end if;
    guest := private.checked_customer(customer, calendar.locales[1]);
    if join_waitlist.from_date is null or join_waitlist.to_date is null
      or not isfinite(join_waitlist.from_date) or not isfinite(join_waitlist.to_date)
      or join_waitlist.to_date < join_waitlist.from_date
    then
      perform private.fail('date_range_invalid', 422, 'Give two dates, from_date not after to_date.');
    elsif join_waitlist.to_date - join_waitlist.from_date >= 92 then
      perform private.fail('date_range_too_long', 422, 'Wait for at most 92 days at a time.');
    elsif join_waitlist.party_size is null or join_waitlist.party_size < 1 then
      perform private.fail('party_size_invalid', 422, 'Choose a party of at least one person.');
    end if;
    answers := private.checked_fields(calendar, join_waitlist.fields, join_waitlist.room_id);
    perform private.check_terms(calendar, consents);
    if join_waitlist.room_id is not null then
      room := private.public_room(calendar, join_waitlist.room_id);
      if join_waitlist.party_size not between room.minimum_party and room.maximum_party then
        perform private.refuse_party(room);
      end if;
    end if;

    select array_agg(r.id) into room_ids
    from public.calendar_rooms as cr
    join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
    where cr.organization_id = calendar.organization_id
      and cr.calendar_id = calendar.id
      and r.is_published
      and (join_waitlist.room_id is null or r.id = join_waitlist.room_id);
    -- What can be waited for is what could be booked: the same expansion answers.
    slots := array(
      select s
      from private.slots(
        calendar.organization_id, room_ids, join_waitlist.from_date, join_waitlist.to_date,
        join_waitlist.party_size, calendar.minimum_notice_minutes, calendar.maximum_advance_days, calendar.id
      ) as s
      where s.starts_at = coalesce(join_waitlist.starts_at, s.starts_at)
    );
    if cardinality(slots) = 0 then
      perform private.fail('slot_not_offered', 422, 'Choose dates on which the calendar sells the room to such a party.');
    end if;
    select s.* into place
    from unnest(slots) as s
    where s.seats_available >= s.party_size
    order by s.starts_at, s.room_id
    limit 1;
    if found then
      perform private.fail(
        'place_available', 409, 'Book it: there is a free place on those dates.',
        jsonb_build_object('room_id', place.room_id, 'starts_at', place.starts_at)
      );
    end if;

    waiting_customer_id := private.customer_with_email(calendar.organization_id, guest);
    -- As many again for whoever has proven the address, which strangers cannot use up.
    live_entries := case when private.caller_has_proven(guest.email) then 6 else 3 end;
    -- Two requests of one person are counted one after the other.
    perform from public.customers as c
    where c.organization_id = calendar.organization_id and c.id = waiting_customer_id
    for no key update;
    if (
      select count(*) from public.waitlist_entries as e
      where e.organization_id = calendar.organization_id
        and e.customer_id = waiting_customer_id
        and e.status in ('waiting', 'offered')
        and e.waits_until > now()
    ) >= live_entries then
      perform private.fail(
        'too_many_waitlist_entries', 409, 'Leave another waiting list of this venue first.',
        jsonb_build_object('maximum', live_entries)
      );
    end if;
    perform private.act_as('customer', waiting_customer_id);
    perform private.check_consents(consents);

    insert into public.waitlist_entries (
      organization_id, calendar_id, room_id, from_date, to_date, starts_at, waits_until, party_size, customer_id,
      contact_name, contact_phone, locale, fields, consents
    )
    select
      calendar.organization_id, calendar.id, join_waitlist.room_id, join_waitlist.from_date, join_waitlist.to_date,
      join_waitlist.starts_at,
      coalesce(join_waitlist.starts_at, max((join_waitlist.to_date + 1)::timestamp at time zone l.timezone)),
      join_waitlist.party_size,
      waiting_customer_id, guest.full_name, guest.phone, guest.locale, answers, join_waitlist.consents
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where r.organization_id = calendar.organization_id and r.id = any (room_ids)
    returning * into entry;
    insert into private.waitlist_secrets (organization_id, entry_id, token_hash)
    values (
      entry.organization_id, entry.id, private.token_hash(private.derived_token('waitlist', entry.id::text))
    );

    perform private.enqueue(
      'email.send',
      jsonb_build_object(
        'template', 'waitlist_joined', 'organization_id', entry.organization_id, 'entry_id', entry.id
      ),
      concat_ws(':', 'waitlist_joined', entry.organization_id, entry.id),
      entry.organization_id
    );

    stored := to_jsonb(private.seen_waitlist_entry(entry)) || jsonb_build_object('entry_id', entry.id);
    perform private.idempotent_end(scope, idempotency_key, stored);
    -- Last, since the counters' rows stay locked until the end of the transaction.
    perform private.limit_rate('join_waitlist', 'address', private.client_address());
    perform private.limit_rate('join_waitlist', 'target', calendar.id::text);
    -- Mailed at once to whomever was named; the one offer, should a place become free, is part of it.
    perform private.limit_mail(calendar.organization_id, guest.email, 'visitor');
  end if;

  answer := jsonb_populate_record(null::public.waitlist_entry, stored);
  -- The token is derived, not stored: a replay shows it again.
  answer.waitlist_token := private.derived_token('waitlist', stored ->> 'entry_id');
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.join_waitlist is
  'definer: puts visitors on the list, who may write no table.';
grant execute on function private.join_waitlist to anon, authenticated;

create function public.join_waitlist(
  slug text,
  from_date date,
  to_date date,
  party_size int,
  customer jsonb,
  idempotency_key text,
  room_id uuid default null,
  fields jsonb default '{}',
  consents jsonb default '[]',
  starts_at timestamptz default null
)
returns public.waitlist_entry
language sql
volatile
set search_path = ''
as $$
  select private.join_waitlist(
    slug, from_date, to_date, party_size, customer, idempotency_key, room_id, fields, consents, starts_at
  )
$$;

comment on function public.join_waitlist is
  'Waits for a place on the local dates from_date to to_date (at most 92 days), in one room or any of the calendar''s, at any time or only at the start starts_at, which is on those dates. The first that becomes free and suits is held for the calendar''s waitlist_minutes, and a mail tells. A mail confirms the entry at once, with the link to leave. customer: {full_name, email, phone?, locale?}; fields and consents as with hold_booking, kept for the booking; idempotency_key: the same key and request give the same answer for a day. Returns the entry with its waitlist_token. For anybody. Errors: 404 calendar_not_found, room_not_found; 409 place_available (details {"room_id", "starts_at"}: book it), too_many_waitlist_entries (details {"maximum"}: live entries of one person at the venue; 3, and 6 for whoever signed in and has proven the address); 422 waitlist_not_offered, date_range_invalid, date_range_too_long, party_size_invalid, slot_not_offered, customer_invalid (details {"field"}), field_invalid, consents_invalid, terms_not_accepted, idempotency_key_invalid, idempotency_key_reused; 429 rate_limited, mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.join_waitlist to anon, authenticated;

create function private.waitlist_entry_with_token(token text)
returns public.waitlist_entries
language plpgsql
volatile
set search_path = ''
as $$
declare
  entry public.waitlist_entries;
begin
  perform private.count_attempt();
  select e.* into entry
  from private.waitlist_secrets as secret
  join public.waitlist_entries as e on e.organization_id = secret.organization_id and e.id = secret.entry_id
  where secret.token_hash = private.typed_token_hash(waitlist_entry_with_token.token);
  if not found then
    perform private.fail('waitlist_entry_not_found', 404, 'Check the link that came with the entry.');
  end if;
  return entry;
end
$$;

comment on function private.waitlist_entry_with_token is
  'The entry with the token; the question is counted. Raises 404 waitlist_entry_not_found; 429 rate_limited.';

create function private.get_waitlist_entry(token text)
returns public.waitlist_entry
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.waitlist_entries := private.waitlist_entry_with_token(get_waitlist_entry.token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return (
    select private.seen_waitlist_entry(e)
    from public.waitlist_entries as e
    where e.organization_id = known.organization_id and e.id = known.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_waitlist_entry is
  'definer: shows an entry to whoever holds its token.';
grant execute on function private.get_waitlist_entry to anon, authenticated;

create function public.get_waitlist_entry(token text)
returns public.waitlist_entry
language sql
volatile
set search_path = ''
as $$ select private.get_waitlist_entry(token) $$;

comment on function public.get_waitlist_entry is
  'An entry for whoever holds its token. For anybody. Errors: 404 waitlist_entry_not_found; 429 rate_limited.';
grant execute on function public.get_waitlist_entry to anon, authenticated;

create function private.end_waiting(organization_id uuid, entry_id uuid, status text)
returns public.waitlist_entries
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen public.waitlist_entries;
  entry public.waitlist_entries;
  booking public.bookings;
begin
  loop
    select e.* into seen
    from public.waitlist_entries as e
    where e.organization_id = end_waiting.organization_id and e.id = end_waiting.entry_id;
    if not found then
      perform private.fail('waitlist_entry_not_found', 404, 'Check the entry''s id.');
    end if;
    begin
      -- Session and booking before the entry, as everywhere.
      if seen.status = 'offered' then
        booking := private.locked_booking(seen.organization_id, seen.booking_id);
      end if;
      select e.* into entry
      from public.waitlist_entries as e
      where e.organization_id = seen.organization_id and e.id = seen.id
      for update;
      -- An offer may have come, or gone, while the locks were waited for: then they are let go
      -- with this block, so that no session is waited for under the entry.
      if (entry.status, entry.booking_id) is distinct from (seen.status, seen.booking_id) then
        raise exception using errcode = 'EM001', message = 'entry_moved';
      end if;
      exit;
    exception
      when sqlstate 'EM001' then null;
    end;
  end loop;

  if entry.status = 'offered' then
    perform private.cancel(booking, 'waitlist_' || end_waiting.status, 'full');
  end if;
  if entry.status in ('waiting', 'offered') then
    update public.waitlist_entries as e
    set status = end_waiting.status
    where e.organization_id = entry.organization_id and e.id = entry.id
    returning * into entry;
  end if;
  return entry;
end
$$;

comment on function private.end_waiting is
  'Ends a live entry, and with it the place that is held for it; one that is over stays as it is. Returns it. Raises 404 waitlist_entry_not_found.';

create function private.leave_waitlist(token text)
returns public.waitlist_entry
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  entry public.waitlist_entries := private.waitlist_entry_with_token(leave_waitlist.token);
begin
  perform private.act_as('customer', entry.customer_id);
  entry := private.end_waiting(entry.organization_id, entry.id, 'left');
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return private.seen_waitlist_entry(entry);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.leave_waitlist is
  'definer: ends an entry for whoever holds its token.';
grant execute on function private.leave_waitlist to anon, authenticated;

create function public.leave_waitlist(token text)
returns public.waitlist_entry
language sql
volatile
set search_path = ''
as $$ select private.leave_waitlist(token) $$;

comment on function public.leave_waitlist is
  'Leaves the waiting list, and gives back the place that was offered but not yet taken; an entry that is over stays as it is. Returns it. For anybody. Errors: 404 waitlist_entry_not_found; 429 rate_limited.';
grant execute on function public.leave_waitlist to anon, authenticated;

create function private.accept_waitlist_offer(reference text, manage_token text)
returns public.booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(
    accept_waitlist_offer.reference, accept_waitlist_offer.manage_token
  );
begin
  booking := private.locked_booking(booking.organization_id, booking.id);
  if not exists (
    select from public.waitlist_entries as e
    where e.organization_id = booking.organization_id and e.booking_id = booking.id
  ) then
    perform private.fail('waitlist_offer_not_found', 404, 'Only a place that the waiting list offers is accepted.');
  elsif booking.status in ('expired', 'cancelled') or booking.hold_expires_at <= now()
    or booking.status = 'held' and private.venue_is_closed(booking.organization_id)
  then
    perform private.fail('waitlist_offer_over', 409, 'The time to accept is over: join the waiting list again.');
  elsif booking.status = 'held'
    and booking.due_now_cents > private.booking_kept(booking.organization_id, booking.id)
  then
    perform private.fail(
      'payment_due', 409, 'Pay what is due: that accepts the place.',
      jsonb_build_object('due_now_cents', booking.due_now_cents)
    );
  elsif booking.status = 'held' then
    perform private.act_as('customer', booking.customer_id);
    perform private.transition(booking.organization_id, booking.id, 'confirmed', 'nothing_due');
  end if;
  -- Once accepted, it is the same as any booking.
  return private.get_booking(accept_waitlist_offer.reference, accept_waitlist_offer.manage_token);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.accept_waitlist_offer is
  'definer: confirms a booking for whoever holds its manage token.';
grant execute on function private.accept_waitlist_offer to anon, authenticated;

create function public.accept_waitlist_offer(reference text, manage_token text)
returns public.booking
language sql
volatile
set search_path = ''
as $$ select private.accept_waitlist_offer(reference, manage_token) $$;

comment on function public.accept_waitlist_offer is
  'Confirms a place that the waiting list holds, when nothing is due for it; a place with something due is accepted by paying it. Returns the booking; again, the same. For anybody. Errors: 404 booking_not_found, waitlist_offer_not_found; 409 waitlist_offer_over, payment_due (details {"due_now_cents"}); 429 rate_limited.';
grant execute on function public.accept_waitlist_offer to anon, authenticated;

create type public.removed_waitlist_entry as (
  id uuid,
  status text
);

comment on type public.removed_waitlist_entry is 'An entry that is over.';
comment on column public.removed_waitlist_entry.id is 'The entry.';
comment on column public.removed_waitlist_entry.status is
  'one of: booked, lapsed, declined, left, removed, expired';

create function private.remove_waitlist_entry(organization_id uuid, entry_id uuid)
returns public.removed_waitlist_entry
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  entry public.waitlist_entries;
begin
  perform private.require_permission(remove_waitlist_entry.organization_id, 'waitlist:manage');
  entry := private.end_waiting(
    remove_waitlist_entry.organization_id, remove_waitlist_entry.entry_id, 'removed'
  );
  return row(entry.id, entry.status)::public.removed_waitlist_entry;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.remove_waitlist_entry is
  'definer: writes entries and bookings, which no client may write.';
grant execute on function private.remove_waitlist_entry to authenticated;

create function public.remove_waitlist_entry(organization_id uuid, entry_id uuid)
returns public.removed_waitlist_entry
language sql
volatile
set search_path = ''
as $$ select private.remove_waitlist_entry(organization_id, entry_id) $$;

comment on function public.remove_waitlist_entry is
  'Takes an entry off the waiting list, and back the place that is held for it; one that is over stays as it is. For members with waitlist:manage. Errors: 403 permission_denied, organization_suspended; 404 waitlist_entry_not_found.';
grant execute on function public.remove_waitlist_entry to authenticated;

-- =============================================================================
-- sql/75_staffing/010_permissions.sql
-- =============================================================================

-- Permissions of those who run the games: who plans them, and who takes one.

select private.permission_upsert(
  'bookings:assign', 'staffing', true,
  'Assign game masters to sessions', 'Asignar game masters a las sesiones',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'bookings:claim', 'staffing', true,
  'Take an open session as its game master, give it back, subscribe to one''s own sessions',
  'Tomar una sesión libre como game master, devolverla, suscribirse a las propias sesiones',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'shifts:read', 'staffing', false,
  'See who may run which room, and the shifts', 'Ver quién puede llevar cada sala, y los turnos',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'shifts:manage', 'staffing', true,
  'Say who may run which room, and plan the shifts', 'Decidir quién puede llevar cada sala y planificar los turnos',
  array['admin', 'manager']
);

-- =============================================================================
-- sql/75_staffing/020_skills.sql
-- =============================================================================

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

-- =============================================================================
-- sql/75_staffing/030_shifts.sql
-- =============================================================================

-- Shifts: when a member works where. They are planned on the location's wall clock, as opening
-- hours are: "10:00 to 18:00 on the 29th" stays that when the clocks change in the night, and
-- when the location is given another zone.

create table public.staff_shifts (
  organization_id uuid not null default private.organization_with('shifts:manage'),
  id uuid not null default private.uuid_v7(),
  user_id uuid not null,
  location_id uuid not null,
  timezone text not null default 'UTC',
  date date not null,
  from_time time not null,
  to_time time not null,
  starts_at timestamptz not null generated always as ((date + from_time) at time zone timezone) stored,
  ends_at timestamptz not null generated always as (
    (date + case when to_time > from_time then 0 else 1 end + to_time) at time zone timezone
  ) stored,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint staff_shifts_pkey primary key (organization_id, id),
  constraint staff_shifts_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete cascade,
  -- The zone is the location's: one that changes takes its shifts along.
  constraint staff_shifts_location_fkey foreign key (organization_id, location_id, timezone)
  references public.locations (organization_id, id, timezone) on update cascade on delete cascade,
  constraint staff_shifts_date_is_finite check (isfinite(date)),
  -- A shift of one hour may lie in the hour that a night in spring leaves out.
  constraint staff_shifts_last_some_time check (starts_at < ends_at),
  constraint staff_shifts_of_a_person_do_not_overlap exclude using gist (
    organization_id extensions.gist_uuid_ops with =,
    user_id extensions.gist_uuid_ops with =,
    tstzrange(starts_at, ends_at, '[)') with &&
  )
  -- Looked at when a statement ends: a location's new zone moves many that touch.
  deferrable initially immediate
);

comment on table public.staff_shifts is
  'A time in which a member works at a location. It decides who is assigned automatically; whoever holds bookings:assign may assign anybody, and nothing is sold or refused because of it. A person''s shifts do not overlap, in whatever location (409 shift_overlaps); two may touch, and count as one.';
comment on column public.staff_shifts.timezone is 'The location''s zone, kept equal by the foreign key; filled by a trigger.';
comment on column public.staff_shifts.date is 'Local date on which the shift starts.';
comment on column public.staff_shifts.from_time is 'Wall clock of the location. In a DST gap it is that much later, in a fold the second of the two.';
comment on column public.staff_shifts.to_time is 'Wall clock of the location, read as from_time is. Not after from_time: on the next day.';
comment on column public.staff_shifts.starts_at is 'The instant of from_time.';
comment on column public.staff_shifts.ends_at is 'The instant of to_time.';

-- for: the plan of some days: organization_id = ? and date between ? and ? order by date
create index staff_shifts_date_idx on public.staff_shifts (organization_id, date);
-- for: whether a person is on shift at a time, and the foreign key
create index staff_shifts_user_id_idx on public.staff_shifts (organization_id, user_id, starts_at);
-- for: who works at a location on a day (the board), and the foreign key
create index staff_shifts_location_id_idx on public.staff_shifts (organization_id, location_id, timezone, starts_at);

grant select, delete on public.staff_shifts to authenticated;
grant insert (organization_id, user_id, location_id, date, from_time, to_time) on public.staff_shifts to authenticated;
grant update (location_id, date, from_time, to_time) on public.staff_shifts to authenticated;

alter table public.staff_shifts enable row level security;

create policy staff_shifts_select on public.staff_shifts
for select to authenticated
using (organization_id = (select private.organization_with('shifts:read')));

create policy staff_shifts_insert on public.staff_shifts
for insert to authenticated
with check (organization_id = (select private.organization_with('shifts:manage')));

create policy staff_shifts_update on public.staff_shifts
for update to authenticated
using (organization_id = (select private.organization_with('shifts:manage')))
with check (organization_id = (select private.organization_with('shifts:manage')));

create policy staff_shifts_delete on public.staff_shifts
for delete to authenticated
using (organization_id = (select private.organization_with('shifts:manage')));

create trigger staff_shifts_touch_updated_at
before update on public.staff_shifts
for each row execute function private.touch_updated_at();

create function private.prepare_shift()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  other public.staff_shifts;
begin
  -- Two who plan one person's time at once come one after the other: the constraint alone
  -- would let each wait for the other, which PostgreSQL ends as a deadlock.
  perform from public.memberships as m
  where m.organization_id = new.organization_id and m.user_id = new.user_id
  for no key update;
  -- Where there is no such location any zone does: the foreign key says what is wrong.
  select l.timezone into new.timezone
  from public.locations as l
  where l.organization_id = new.organization_id and l.id = new.location_id;
  new.timezone := coalesce(new.timezone, 'UTC');

  -- The constraint decides; this says the same in words that a client can show. Row-level security
  -- speaks later, so a new row of another tenant is left to it; and those that a location's new
  -- zone takes along are not all there yet.
  if tg_op = 'INSERT' and new.organization_id is distinct from private.organization_with('shifts:manage')
    or tg_op = 'UPDATE' and new.timezone <> old.timezone and new.location_id = old.location_id
  then
    return new;
  end if;
  select s.* into other
  from public.staff_shifts as s
  where s.organization_id = new.organization_id
    and s.user_id = new.user_id
    and s.id <> new.id
    -- As the generated columns, which have no value yet.
    and s.starts_at < (
      (new.date + case when new.to_time > new.from_time then 0 else 1 end + new.to_time) at time zone new.timezone
    )
    and s.ends_at > ((new.date + new.from_time) at time zone new.timezone)
  order by s.starts_at
  limit 1;
  if found then
    perform private.fail(
      'shift_overlaps', 409, 'Choose a time in which the person has no other shift, or change that one.',
      jsonb_build_object(
        'shift_id', other.id, 'location_id', other.location_id, 'starts_at', other.starts_at, 'ends_at', other.ends_at
      )
    );
  end if;
  return new;
end
$$;

comment on function private.prepare_shift is
  'definer: reads the location and the person''s other shifts and locks the membership, whatever the planner may see of them. Gives a shift its location''s zone. Raises 409 shift_overlaps, details {"shift_id", "location_id", "starts_at", "ends_at"}.';

create trigger staff_shifts_prepare
before insert or update of location_id, date, from_time, to_time on public.staff_shifts
for each row execute function private.prepare_shift();

-- =============================================================================
-- sql/75_staffing/040_session_staff.sql
-- =============================================================================

-- Session staff: who runs which session, and the constraint that nobody is in two places.
--
-- Locks: the session, then the membership of each person, in order of user_id, then the
-- assignments. All that gives a person work takes that person's membership first, so what it
-- adds comes one after the other, and nobody is suspended or removed meanwhile.

create table public.session_staff (
  organization_id uuid not null,
  session_id uuid not null,
  user_id uuid not null,
  during tstzrange not null,
  source text not null,
  created_at timestamptz not null default now(),
  constraint session_staff_pkey primary key (organization_id, session_id, user_id),
  constraint session_staff_session_fkey foreign key (organization_id, session_id)
  references public.sessions (organization_id, id) on delete cascade,
  -- Not the membership: who ran the games of last year is told after they have left.
  constraint session_staff_user_fkey foreign key (user_id) references public.profiles (user_id) on delete cascade,
  -- Within the tenant, as every key: what somebody does for another organization is none of
  -- this one's business, and its rows may live on another server.
  constraint session_staff_is_in_one_place exclude using gist (
    organization_id extensions.gist_uuid_ops with =,
    user_id extensions.gist_uuid_ops with =,
    during with &&
  ),
  constraint session_staff_source_is_known check (source in ('assigned', 'claimed', 'automatic'))
);

comment on table public.session_staff is
  'Who runs which session; several persons may run one. Written through functions only. An assignment lives as long as its session stands: it is released when the session is cancelled, when it moves to a time at which the person has other work, and, before its start, when the person is suspended or leaves.';
comment on column public.session_staff.during is
  'The session''s time, turnaround included, since the game master prepares the room; kept equal by a trigger.';
comment on column public.session_staff.source is
  'assigned (by whoever may), claimed (by the game master), automatic.';

-- for: the foreign key, and a person's sessions in time, as private.feed_sessions reads them
create index session_staff_user_id_idx on public.session_staff (user_id, organization_id, lower(during));

grant select on public.session_staff to authenticated;

alter table public.session_staff enable row level security;

create policy session_staff_select on public.session_staff
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create function private.place_game_master(session public.sessions, user_id uuid, source text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  taken_by uuid;
begin
  -- Looks before it inserts: a row that a transaction is about to release is in the way here,
  -- where the constraint would wait for that transaction, which may wait for this one's locks.
  select x.session_id into taken_by
  from public.session_staff as x
  where x.organization_id = session.organization_id
    and x.user_id = place_game_master.user_id
    and x.during && session.during
  limit 1;
  if found then
    return taken_by = session.id;
  end if;
  insert into public.session_staff (organization_id, session_id, user_id, during, source)
  values (session.organization_id, session.id, place_game_master.user_id, session.during, place_game_master.source)
  on conflict do nothing;
  return found;
end
$$;

comment on function private.place_game_master is
  'Whether the person runs the session now: false when another session takes them at that time. The caller holds the session and the membership, and has asked who may.';

create function private.follow_session()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  displaced record;
begin
  if new.status = 'cancelled' then
    delete from public.session_staff as x
    where x.organization_id = new.organization_id and x.session_id = new.id;
    return null;
  end if;

  perform from public.memberships as m
  where m.organization_id = new.organization_id
    and m.user_id in (
      select x.user_id
      from public.session_staff as x
      where x.organization_id = new.organization_id and x.session_id = new.id
    )
  order by m.user_id
  for no key update;
  -- One statement may move several sessions and ends before this runs for the first of them:
  -- take all that these persons have at a time that is no longer true, then place it anew.
  for displaced in
    with taken as (
      delete from public.session_staff as x
      using public.sessions as s
      where x.organization_id = new.organization_id
        and x.user_id in (
          select y.user_id
          from public.session_staff as y
          where y.organization_id = new.organization_id and y.session_id = new.id
        )
        and s.organization_id = x.organization_id
        and s.id = x.session_id
        and s.during <> x.during
      returning x.*
    )
    select s as session, t.user_id, t.source
    from taken as t
    join public.sessions as s on s.organization_id = t.organization_id and s.id = t.session_id
    order by t.created_at, t.session_id, t.user_id
  loop
    perform private.place_game_master(displaced.session, displaced.user_id, displaced.source);
  end loop;
  return null;
end
$$;

comment on function private.follow_session is
  'Lets the assignments follow their session: released with it, moved with it, released where its new time clashes with other work of the person. A session is never refused its move for its game master''s sake.';

create trigger sessions_follow_session
after update of starts_at, occupied_until, status on public.sessions
for each row
when (old.during <> new.during or (old.status <> 'cancelled' and new.status = 'cancelled'))
execute function private.follow_session();

create function private.release_future_sessions()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' or new.status <> 'active' then
    delete from public.session_staff as x
    where x.organization_id = old.organization_id
      and x.user_id = old.user_id
      and lower(x.during) > now();
  end if;
  return null;
end
$$;

comment on function private.release_future_sessions is
  'definer: memberships also end where nobody may write assignments, as when an account is deleted. Releases whoever is suspended or leaves from the sessions that have not started.';

create trigger memberships_release_future_sessions
after update of status or delete on public.memberships
for each row execute function private.release_future_sessions();

-- =============================================================================
-- sql/75_staffing/050_assignment.sql
-- =============================================================================

-- Assigning, by whoever plans; claiming, by the game masters themselves.
--
-- Staff is not looked at when a session is sold: what is sold without a game master is marked
-- on the board. A venue hires for what it sells, and not the other way round.

create function private.game_masters(organization_id uuid, session_ids uuid [], only_user_id uuid default null)
returns table (session_id uuid, user_id uuid, is_skilled boolean, is_on_shift boolean, is_free boolean)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select
    s.id,
    m.user_id,
    skill.room_id is not null,
    -- Shifts that touch count as one. The game itself must lie within, not the turnaround:
    -- the last one of a day may end with the shift.
    coalesce(
      (
        select range_agg(tstzrange(h.starts_at, h.ends_at))
        from public.staff_shifts as h
        where h.organization_id = s.organization_id
          and h.user_id = m.user_id
          and h.location_id = r.location_id
          and h.starts_at < s.ends_at
          -- No shift is longer than a day, of 25 hours at most; for the index.
          and h.starts_at > s.starts_at - interval '26 hours'
          and h.ends_at > s.starts_at
      ) @> tstzrange(s.starts_at, s.ends_at),
      false
    ),
    not exists (
      select from public.session_staff as x
      where x.organization_id = s.organization_id
        and x.user_id = m.user_id
        and x.during && s.during
    )
  from public.sessions as s
  join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
  join private.active_memberships as m
    on m.organization_id = s.organization_id and m.expires_at is null
  left join public.staff_skills as skill
    on skill.organization_id = m.organization_id and skill.user_id = m.user_id and skill.room_id = s.room_id
  where s.organization_id = game_masters.organization_id
    and s.id = any (game_masters.session_ids)
    and (
      m.user_id = game_masters.only_user_id
      or (
        game_masters.only_user_id is null
        and (
          skill.room_id is not null
          or exists (
            select from public.session_staff as x
            where x.organization_id = s.organization_id and x.session_id = s.id and x.user_id = m.user_id
          )
        )
      )
    );
end
$$;

comment on function private.game_masters is
  'What makes members fit to run sessions: skilled for the room, on shift at its location for the whole game, free at that time (of this session, too). Of all active members who are skilled or run it, or of one person, skilled or not; visitors from the platform''s support are no staff.';

create function private.staffed_session(organization_id uuid, session_id uuid)
returns public.sessions
language plpgsql
volatile
set search_path = ''
as $$
declare
  session public.sessions;
begin
  select s.* into session
  from public.sessions as s
  where s.organization_id = staffed_session.organization_id and s.id = staffed_session.session_id
  for no key update;
  if not found then
    perform private.fail('session_not_found', 404, 'Choose one of the organization''s sessions.');
  elsif session.status = 'cancelled' or session.mode = 'block' then
    perform private.fail('session_not_open', 409, 'Choose a session that stands and is no block.');
  end if;
  return session;
end
$$;

comment on function private.staffed_session is
  'A session that somebody can run, locked. Raises 404 session_not_found, 409 session_not_open.';

create type public.assignment as (
  session_id uuid,
  user_id uuid,
  source text,
  is_skilled boolean,
  is_on_shift boolean
);

comment on type public.assignment is 'That somebody runs a session.';
comment on column public.assignment.session_id is 'Of the session.';
comment on column public.assignment.user_id is 'Who runs it.';
comment on column public.assignment.source is 'one of session_staff.source';
comment on column public.assignment.is_skilled is 'Whether the person may run the room.';
comment on column public.assignment.is_on_shift is 'Whether the game lies within a shift of the person.';

create function private.put_in_charge(session public.sessions, user_id uuid, source text)
returns public.assignment
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not private.place_game_master(session, put_in_charge.user_id, put_in_charge.source) then
    perform private.fail(
      'game_master_busy', 409, 'Choose somebody else, or release the person from the other session.',
      (
        select jsonb_build_object('session_id', s.id, 'starts_at', s.starts_at, 'occupied_until', s.occupied_until)
        from public.session_staff as x
        join public.sessions as s on s.organization_id = x.organization_id and s.id = x.session_id
        where x.organization_id = session.organization_id
          and x.user_id = put_in_charge.user_id
          and x.during && session.during
        order by s.starts_at
        limit 1
      )
    );
  end if;
  return (
    select row(x.session_id, x.user_id, x.source, g.is_skilled, g.is_on_shift)::public.assignment
    from public.session_staff as x
    cross join private.game_masters(session.organization_id, array[session.id], put_in_charge.user_id) as g
    where x.organization_id = session.organization_id
      and x.session_id = session.id
      and x.user_id = put_in_charge.user_id
  );
end
$$;

comment on function private.put_in_charge is
  'Assigns an active member to a locked session, once however often it is called. Raises 409 game_master_busy.';

create function private.lock_member(organization_id uuid, user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform from private.active_memberships as m
  where m.organization_id = lock_member.organization_id
    and m.user_id = lock_member.user_id
    and m.expires_at is null
  for no key update;
  if not found then
    perform private.fail('member_not_found', 404, 'Choose an active member of this organization.');
  end if;
end
$$;

comment on function private.lock_member is
  'Keeps an active member from being suspended, removed or given other work until the end of the transaction. Raises 404 member_not_found.';

create function private.assign_game_master(organization_id uuid, session_id uuid, user_id uuid)
returns public.assignment
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  session public.sessions;
begin
  perform private.require_permission(assign_game_master.organization_id, 'bookings:assign');
  session := private.staffed_session(assign_game_master.organization_id, assign_game_master.session_id);
  perform private.lock_member(session.organization_id, assign_game_master.user_id);
  return private.put_in_charge(session, assign_game_master.user_id, 'assigned');
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.assign_game_master is
  'definer: writes assignments, which no client may write.';
grant execute on function private.assign_game_master to authenticated;

create function public.assign_game_master(organization_id uuid, session_id uuid, user_id uuid)
returns public.assignment
language sql
volatile
set search_path = ''
as $$ select private.assign_game_master(organization_id, session_id, user_id) $$;

comment on function public.assign_game_master is
  'Puts an active member in charge of a session, beside those who are already; the same again changes nothing. Skills and shifts are not asked for, only told. A session that is over may be given too, to keep the record. For members with bookings:assign. Errors: 403 permission_denied, organization_suspended; 404 session_not_found, member_not_found (also when suspended); 409 session_not_open (cancelled or a block), game_master_busy (details {"session_id", "starts_at", "occupied_until"} of the other session).';
grant execute on function public.assign_game_master to authenticated;

create function private.claim_session_as_game_master(organization_id uuid, session_id uuid)
returns public.assignment
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  session public.sessions;
begin
  perform private.require_permission(claim_session_as_game_master.organization_id, 'bookings:claim');
  session := private.staffed_session(
    claim_session_as_game_master.organization_id, claim_session_as_game_master.session_id
  );
  perform private.lock_member(session.organization_id, caller);
  if session.ends_at <= now() then
    perform private.fail('session_not_open', 409, 'Choose a session that is not over.');
  elsif exists (
    select from public.session_staff as x
    where x.organization_id = session.organization_id and x.session_id = session.id and x.user_id <> caller
  ) then
    perform private.fail('session_has_game_master', 409, 'Choose a session that nobody runs yet.');
  elsif not exists (
    select from public.staff_skills as k
    where k.organization_id = session.organization_id and k.user_id = caller and k.room_id = session.room_id
  ) then
    perform private.fail('not_skilled', 409, 'Choose a room that you may run, or ask a manager to add this one.');
  end if;
  return private.put_in_charge(session, caller, 'claimed');
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.claim_session_as_game_master is
  'definer: writes assignments, which no client may write.';
grant execute on function private.claim_session_as_game_master to authenticated;

create function public.claim_session_as_game_master(organization_id uuid, session_id uuid)
returns public.assignment
language sql
volatile
set search_path = ''
as $$ select private.claim_session_as_game_master(organization_id, session_id) $$;

comment on function public.claim_session_as_game_master is
  'The caller takes a session that nobody runs, in a room for which the caller is skilled, on shift or not; the same again changes nothing. For persons with bookings:claim, not for API keys. Errors: 401 not_authenticated; 403 user_required, permission_denied, organization_suspended; 404 session_not_found, member_not_found (for a visitor from support); 409 session_not_open (cancelled, over or a block), session_has_game_master, not_skilled, game_master_busy (as in assign_game_master).';
grant execute on function public.claim_session_as_game_master to authenticated;

create function private.acts_for_oneself(organization_id uuid, user_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  -- An API key is nobody's self: no member has its id.
  return coalesce(user_id = auth.uid(), false) and private.has_permission(organization_id, 'bookings:claim');
end
$$;

comment on function private.acts_for_oneself is
  'Whether the caller is that person and holds bookings:claim: for what game masters settle without the planner. Raises 403 organization_suspended.';

create type public.released_assignment as (
  session_id uuid,
  user_id uuid
);

comment on type public.released_assignment is 'That somebody does not run a session.';
comment on column public.released_assignment.session_id is 'Of the session.';
comment on column public.released_assignment.user_id is 'Who does not run it.';

create function private.unassign_game_master(organization_id uuid, session_id uuid, user_id uuid)
returns public.released_assignment
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- Lock order: the session first.
  perform from public.sessions as s
  where s.organization_id = unassign_game_master.organization_id and s.id = unassign_game_master.session_id
  for no key update;
  if not found then
    perform private.require_permission(unassign_game_master.organization_id, 'bookings:assign');
    perform private.fail('assignment_not_found', 404, 'Choose somebody who runs the session.');
  end if;
  -- What somebody took alone, they may give back alone, as long as it has not begun; and again, as
  -- after a lost answer.
  if not (
    not exists (
      select from public.session_staff as x
      where x.organization_id = unassign_game_master.organization_id
        and x.session_id = unassign_game_master.session_id
        and x.user_id = unassign_game_master.user_id
        and not (x.source = 'claimed' and lower(x.during) > now())
    )
    and private.acts_for_oneself(unassign_game_master.organization_id, unassign_game_master.user_id)
  ) then
    perform private.require_permission(unassign_game_master.organization_id, 'bookings:assign');
  end if;
  delete from public.session_staff as x
  where x.organization_id = unassign_game_master.organization_id
    and x.session_id = unassign_game_master.session_id
    and x.user_id = unassign_game_master.user_id;
  return row(unassign_game_master.session_id, unassign_game_master.user_id)::public.released_assignment;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.unassign_game_master is
  'definer: writes assignments, which no client may write.';
grant execute on function private.unassign_game_master to authenticated;

create function public.unassign_game_master(organization_id uuid, session_id uuid, user_id uuid)
returns public.released_assignment
language sql
volatile
set search_path = ''
as $$ select private.unassign_game_master(organization_id, session_id, user_id) $$;

comment on function public.unassign_game_master is
  'Releases somebody from a session; also who does not run it, so that it can be asked again. For members with bookings:assign; what one has claimed oneself one gives back with bookings:claim, before it starts. Errors: 403 permission_denied, organization_suspended; 404 assignment_not_found.';
grant execute on function public.unassign_game_master to authenticated;

-- =============================================================================
-- sql/75_staffing/060_auto_assign.sql
-- =============================================================================

-- Automatic assignment: every session to come gets one game master, if there is one.

create function private.sessions_without_game_master(organization_id uuid, from_date date, to_date date)
returns setof public.sessions
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select s.*
  from public.sessions as s
  join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where s.organization_id = sessions_without_game_master.organization_id
    and s.status = 'scheduled'
    and s.mode <> 'block'
    and s.starts_at > now()
    -- For the index: no clock is further than a day from UTC's.
    and s.starts_at >= (sessions_without_game_master.from_date - 1)::timestamp at time zone 'UTC'
    and s.starts_at < (sessions_without_game_master.to_date + 2)::timestamp at time zone 'UTC'
    and (s.starts_at at time zone l.timezone)::date
      between sessions_without_game_master.from_date and sessions_without_game_master.to_date
    and not exists (
      select from public.session_staff as x
      where x.organization_id = s.organization_id and x.session_id = s.id
    )
    -- Nobody is sent to what is only held: most of that is gone within minutes.
    and exists (
      select from public.bookings as b
      where b.organization_id = s.organization_id
        and b.session_id = s.id
        and b.takes_capacity
        and b.status <> 'held'
    );
end
$$;

comment on function private.sessions_without_game_master is
  'The sessions to come on those local dates that somebody has booked and nobody runs.';

create type public.assigned_session as (
  session_id uuid,
  room_id uuid,
  starts_at timestamptz,
  user_id uuid
);

comment on type public.assigned_session is 'A session that was given to somebody.';
comment on column public.assigned_session.session_id is 'Of the session.';
comment on column public.assigned_session.room_id is 'Of its room.';
comment on column public.assigned_session.starts_at is 'Of the game.';
comment on column public.assigned_session.user_id is 'Who runs it.';

create type public.unassigned_session as (
  session_id uuid,
  room_id uuid,
  starts_at timestamptz,
  reason text
);

comment on type public.unassigned_session is 'A session that nobody runs.';
comment on column public.unassigned_session.session_id is 'Of the session.';
comment on column public.unassigned_session.room_id is 'Of its room.';
comment on column public.unassigned_session.starts_at is 'Of the game.';
comment on column public.unassigned_session.reason is 'Why; session_busy: somebody else was changing it, run again; one of: nobody_skilled, nobody_on_shift, nobody_free, session_busy';

create type public.assignment_plan as (
  assigned public.assigned_session [],
  unassigned public.unassigned_session []
);

comment on type public.assignment_plan is 'What a run of auto_assign_game_masters did.';
comment on column public.assignment_plan.assigned is 'In the order in which they were given.';
comment on column public.assignment_plan.unassigned is 'In the order in which they were tried.';

create function private.auto_assign_game_masters(organization_id uuid, from_date date, to_date date)
returns public.assignment_plan
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  locked uuid [];
  -- Sessions of each person in these days, by user id.
  load jsonb;
  todo record;
  candidate uuid;
  chosen uuid;
  assigned public.assigned_session [] := '{}';
  unassigned public.unassigned_session [] := '{}';
begin
  perform private.require_permission(auto_assign_game_masters.organization_id, 'bookings:assign');
  if from_date is null or to_date is null or not isfinite(from_date) or not isfinite(to_date) or to_date < from_date then
    perform private.fail('date_range_invalid', 422, 'Give two dates, from_date not after to_date.');
  elsif to_date - from_date >= 31 then
    perform private.fail('date_range_too_long', 422, 'Assign at most 31 days at a time.');
  end if;

  -- A second run waits for the first one and finds its work done. Nobody else's work is waited
  -- for once sessions are locked: persons come first here, and sessions that somebody else
  -- holds are left to the next run.
  perform pg_advisory_xact_lock(
    hashtextextended('escapemaster.auto_assign:' || auto_assign_game_masters.organization_id, 0)
  );
  perform from public.memberships as m
  where m.organization_id = auto_assign_game_masters.organization_id
  order by m.user_id
  for no key update;
  locked := array(
    select s.id
    from public.sessions as s
    where s.organization_id = auto_assign_game_masters.organization_id
      and s.id in (
        select o.id from private.sessions_without_game_master(
          auto_assign_game_masters.organization_id, auto_assign_game_masters.from_date, auto_assign_game_masters.to_date
        ) as o
      )
    for no key update skip locked
  );

  select coalesce(jsonb_object_agg(x.user_id, x.sessions), '{}') into load
  from (
    select x.user_id, count(*) as sessions
    from public.session_staff as x
    join public.sessions as s on s.organization_id = x.organization_id and s.id = x.session_id
    join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where x.organization_id = auto_assign_game_masters.organization_id
      and (s.starts_at at time zone l.timezone)::date
        between auto_assign_game_masters.from_date and auto_assign_game_masters.to_date
    group by x.user_id
  ) as x;

  -- Asked again, now that what was locked cannot change: what somebody was given meanwhile is
  -- no longer among them. The sessions that fewest could run are served first; each then goes
  -- to whoever has least, of those to whoever knows fewest rooms.
  for todo in
    with
    open as materialized (
      select o as session, o.id, o.room_id, o.starts_at
      from private.sessions_without_game_master(
        auto_assign_game_masters.organization_id, auto_assign_game_masters.from_date, auto_assign_game_masters.to_date
      ) as o
    ),
    able as (
      select
        g.session_id,
        coalesce(array_agg(g.user_id order by skills.rooms, g.user_id) filter (where g.is_on_shift), '{}') as on_shift
      from private.game_masters(
        auto_assign_game_masters.organization_id, (select array_agg(o.id) from open as o)
      ) as g
      cross join lateral (
        select count(*) as rooms
        from public.staff_skills as k
        where k.organization_id = auto_assign_game_masters.organization_id and k.user_id = g.user_id
      ) as skills
      where g.is_skilled
      group by g.session_id
    )
    select o.session, o.id, o.room_id, o.starts_at, able.on_shift
    from open as o
    left join able on able.session_id = o.id
    order by coalesce(cardinality(able.on_shift), 0), o.starts_at, o.id
  loop
    chosen := null;
    if todo.id = any (locked) then
      for candidate in
        select c.user_id
        from unnest(todo.on_shift) with ordinality as c (user_id, position)
        order by coalesce((load ->> c.user_id::text)::int, 0), c.position
      loop
        if private.place_game_master(todo.session, candidate, 'automatic') then
          chosen := candidate;
          load := load || jsonb_build_object(candidate, coalesce((load ->> candidate::text)::int, 0) + 1);
          exit;
        end if;
      end loop;
    end if;
    if chosen is null then
      unassigned := unassigned || row(
        todo.id,
        todo.room_id,
        todo.starts_at,
        case
          when todo.id <> all (locked) then 'session_busy'
          when todo.on_shift is null then 'nobody_skilled'
          when todo.on_shift = '{}' then 'nobody_on_shift'
          else 'nobody_free'
        end
      )::public.unassigned_session;
    else
      assigned := assigned || row(todo.id, todo.room_id, todo.starts_at, chosen)::public.assigned_session;
    end if;
  end loop;
  return row(assigned, unassigned)::public.assignment_plan;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.auto_assign_game_masters is
  'definer: writes assignments, which no client may write.';
grant execute on function private.auto_assign_game_masters to authenticated;

create function public.auto_assign_game_masters(organization_id uuid, from_date date, to_date date)
returns public.assignment_plan
language sql
volatile
set search_path = ''
as $$ select private.auto_assign_game_masters(organization_id, from_date, to_date) $$;

comment on function public.auto_assign_game_masters is
  'Gives every booked session to come on those local dates (at most 31) that nobody runs one game master who is skilled for the room, on shift for the whole game (not the turnaround) and free: sessions that fewest could run first, then by time; each to whoever has fewest sessions in these days. The same data give the same plan; what is assigned already stays. For members with bookings:assign. Errors: 403 permission_denied, organization_suspended; 422 date_range_invalid, date_range_too_long.';
grant execute on function public.auto_assign_game_masters to authenticated;

-- =============================================================================
-- sql/78_games/010_permissions.sql
-- =============================================================================

-- Permissions of those who run games: one's own take games:manage, which is with the team photos.

select private.permission_upsert(
  'games:run', 'games', true,
  'Run any game, whoever is its game master', 'Dirigir cualquier partida, sea quien sea su game master',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'games:correct', 'games', true,
  'Enter or change a game''s result by hand', 'Anotar o cambiar a mano el resultado de una partida',
  array['admin', 'manager']
);
select private.permission_upsert(
  'games:moderate', 'games', true,
  'Decide which team names the public sees', 'Decidir qué nombres de equipo ve el público',
  array['admin', 'manager', 'receptionist']
);

-- =============================================================================
-- sql/78_games/020_results.sql
-- =============================================================================

-- Results: how a party's game ended, a row a booking. Written when the clock is stopped, or by hand with a reason.

create table public.game_results (
  organization_id uuid not null,
  booking_id uuid not null,
  session_id uuid not null,
  room_id uuid not null,
  played_at timestamptz not null,
  duration_seconds int not null,
  outcome text not null,
  escape_seconds int,
  pauses int not null default 0,
  hints int not null default 0,
  team_name text,
  name_status text not null default 'pending',
  is_public boolean not null default false,
  consented_at timestamptz,
  notes text not null default '',
  language text,
  level text,
  is_by_hand boolean not null default false,
  correction_reason text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint game_results_pkey primary key (organization_id, booking_id),
  constraint game_results_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint game_results_session_fkey foreign key (organization_id, session_id)
  references public.sessions (organization_id, id) on delete cascade,
  constraint game_results_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete restrict,
  constraint game_results_outcome_is_known check (outcome in ('escaped', 'failed', 'aborted')),
  constraint game_results_time_is_of_those_who_escaped check ((outcome = 'escaped') = (escape_seconds is not null)),
  constraint game_results_time_is_within_the_game check (escape_seconds between 1 and duration_seconds),
  constraint game_results_counts_are_not_negative check (pauses >= 0 and hints between 0 and 1000),
  constraint game_results_team_name_is_a_name check (private.is_name(team_name, 60)),
  constraint game_results_name_status_is_known check (name_status in ('pending', 'approved', 'rejected')),
  constraint game_results_consent_has_its_time check (is_public = (consented_at is not null)),
  constraint game_results_notes_are_a_text check (private.is_text(notes, 2000)),
  constraint game_results_language_has_the_form_of_a_code check (language ~ '^[a-z]{2}$'),
  constraint game_results_level_is_known check (level in ('easy', 'normal', 'hard', 'expert')),
  constraint game_results_correction_reason_is_a_text check (private.is_text(correction_reason, 500))
);

comment on table public.game_results is
  'How the game of a party ended. A booking whose end is taken back has none until its game ends again.';
comment on column public.game_results.played_at is 'When the clock was started; the session''s start where it never was.';
comment on column public.game_results.duration_seconds is 'How long the party had to play, without pauses.';
comment on column public.game_results.outcome is 'escaped, failed or aborted.';
comment on column public.game_results.escape_seconds is
  'How long those who escaped played: whole seconds, rounded down, without pauses. Null for everybody else.';
comment on column public.game_results.pauses is 'How often the clock was paused.';
comment on column public.game_results.hints is 'How many hints the party was given.';
comment on column public.game_results.team_name is 'What the party calls itself; null: it did not say.';
comment on column public.game_results.name_status is
  'pending, approved or rejected by whoever moderates: only an approved name is shown to the public. Another name is pending again.';
comment on column public.game_results.is_public is
  'Whether the party agreed, by its booking''s link, that its time and name stand on the leaderboard; it may withdraw that there.';
comment on column public.game_results.consented_at is 'When it agreed; null: it has not, or has withdrawn it.';
comment on column public.game_results.notes is 'For the staff only.';
comment on column public.game_results.language is 'In which it was played: ISO 639-1; null: nobody said.';
comment on column public.game_results.level is 'easy, normal, hard or expert; null: the room has none, or nobody said.';
comment on column public.game_results.is_by_hand is 'Whether a person entered or changed outcome, time or hints: correct_game_result. The clock did not say it.';
comment on column public.game_results.correction_reason is 'Why; empty for what the clock says.';

-- for: the results of a session's clock, and the foreign key
create index game_results_session_id_idx on public.game_results (organization_id, session_id);
-- for: the results of a room, newest first, and the foreign key
create index game_results_room_id_idx on public.game_results (organization_id, room_id, played_at);
-- for: how many of a room's games were slower or faster than one (private.percentile_bp)
create index game_results_times_idx on public.game_results (organization_id, room_id, escape_seconds)
where outcome <> 'aborted';
-- for: the best of a room that may be shown (private.get_leaderboard)
create index game_results_public_idx on public.game_results (organization_id, room_id, escape_seconds)
where is_public and outcome = 'escaped';

grant select on public.game_results to authenticated;
grant update (team_name, notes, language, level) on public.game_results to authenticated;

alter table public.game_results enable row level security;

create trigger game_results_clean_names
before insert or update of team_name on public.game_results
for each row execute function private.clean_texts('names', 'team_name');

create trigger game_results_clean_notes
before insert or update of notes, correction_reason on public.game_results
for each row execute function private.clean_texts('notes', 'notes', 'correction_reason');

create function private.moderate_anew()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.name_status := 'pending';
  return new;
end
$$;

comment on function private.moderate_anew is 'What somebody approved was the name that it had.';

-- By its name after the trigger that cleans: the same name with a space is the same.
create trigger game_results_moderate_anew
before update of team_name on public.game_results
for each row
when (old.team_name is distinct from new.team_name)
execute function private.moderate_anew();

create policy game_results_select on public.game_results
for select to authenticated
using (organization_id = (select private.organization_with('games:read')));

create policy game_results_update on public.game_results
for update to authenticated
using (organization_id = (select private.organization_with('games:manage')))
with check (organization_id = (select private.organization_with('games:manage')));

create function private.keep_results_of_others()
returns trigger
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if private.has_permission(new.organization_id, 'games:run') or exists (
    select from public.session_staff as x
    where x.organization_id = new.organization_id and x.session_id = new.session_id and x.user_id = auth.uid()
  ) then
    return new;
  end if;
  -- No row is changed, as where a policy shows none.
  return null;
end
$$;

comment on function private.keep_results_of_others is
  'definer: reads who ran the session, whatever the caller sees of it. Whoever has games:manage writes about the games that they ran themselves, and of others with games:run; other rows stay as they are, as under a policy.';

-- A client's own write; what functions write has been asked for there.
create trigger game_results_keep_results_of_others
before update of team_name, notes, language, level on public.game_results
for each row when (current_user = 'authenticated')
execute function private.keep_results_of_others();

create trigger game_results_touch_updated_at
before update on public.game_results
for each row execute function private.touch_updated_at();

insert into private.personal_columns (relation, column_name, erased, is_address)
values
('public.game_results', 'team_name', 'null', false),
('public.game_results', 'notes', '""', false),
-- Nobody is left who could withdraw it.
('public.game_results', 'is_public', 'false', false),
('public.game_results', 'consented_at', 'null', false),
('public.game_results', 'correction_reason', '""', false)
on conflict (relation, column_name) do update
set erased = excluded.erased,
  is_address = excluded.is_address;

-- =============================================================================
-- sql/78_games/030_game_events.sql
-- =============================================================================

-- What happened in a game, row by row, and the clock that is read from it: time played and left, pauses and hints
-- are computed from the instants, so nobody can type them, and all screens show the same.

create table public.game_events (
  organization_id uuid not null,
  session_id uuid not null,
  position int not null,
  kind text not null,
  occurred_at timestamptz not null,
  actor_kind text not null,
  actor_id uuid,
  duration_seconds int,
  outcome text,
  note text not null default '',
  constraint game_events_pkey primary key (organization_id, session_id, position),
  constraint game_events_session_fkey foreign key (organization_id, session_id)
  references public.sessions (organization_id, id) on delete cascade,
  constraint game_events_position_is_positive check (position > 0),
  constraint game_events_kind_is_known check (
    kind in ('started', 'paused', 'resumed', 'hint', 'finished', 'reopened', 'withdrawn')
  ),
  constraint game_events_start_says_how_long check ((kind = 'started') = (duration_seconds is not null)),
  constraint game_events_outcome_ends_a_game check (outcome is null or kind = 'finished'),
  constraint game_events_outcome_is_known check (outcome in ('escaped', 'failed', 'aborted')),
  constraint game_events_note_is_a_text check (private.is_text(note, 500))
);

comment on table public.game_events is
  'What happened in a session''s game, who did it and when; only ever added to, by functions. get_game_clock computes from it.';
comment on column public.game_events.position is 'Order within the session, from 1.';
comment on column public.game_events.kind is
  'started, paused, resumed, hint, finished; reopened (the end was taken back), withdrawn (the start was: what is before it counts no more).';
comment on column public.game_events.occurred_at is 'By the database''s clock, never before the row that precedes it.';
comment on column public.game_events.actor_kind is 'user, api_key, support, service, customer or system.';
comment on column public.game_events.duration_seconds is 'Of a start, how long the session gives to play.';
comment on column public.game_events.outcome is 'Of an end: escaped, failed or aborted; null where the visit was completed and nobody stopped the clock.';
comment on column public.game_events.note is 'Of a hint, its words; of a start, why it did not wait for the checklist. Empty for others.';

grant select on public.game_events to authenticated;

alter table public.game_events enable row level security;

create trigger game_events_clean_notes
before insert or update of note on public.game_events
for each row execute function private.clean_texts('notes', 'note');

create policy game_events_select on public.game_events
for select to authenticated
using (organization_id = (select private.organization_with('games:read')));

create function private.add_game_event(
  session public.sessions,
  kind text,
  outcome text default null,
  note text default null
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  actor jsonb := private.current_actor();
begin
  insert into public.game_events (
    organization_id, session_id, position, kind, occurred_at, actor_kind, actor_id, duration_seconds, outcome, note
  )
  select
    session.organization_id,
    session.id,
    coalesce(max(e.position), 0) + 1,
    add_game_event.kind,
    -- A server's clock may be set back; a game's does not run backwards.
    greatest(clock_timestamp(), max(e.occurred_at)),
    actor ->> 'kind',
    (actor ->> 'id')::uuid,
    case add_game_event.kind
      when 'started' then extract(epoch from session.ends_at - session.starts_at)::int
    end,
    add_game_event.outcome,
    coalesce(add_game_event.note, '')
  from public.game_events as e
  where e.organization_id = session.organization_id and e.session_id = session.id;
end
$$;

comment on function private.add_game_event is 'Writes down what happens now in the game of a locked session.';

create type public.game_clock as (
  session_id uuid,
  state text,
  server_time timestamptz,
  started_at timestamptz,
  started_by uuid,
  finished_at timestamptz,
  duration_ms bigint,
  elapsed_ms bigint,
  remaining_ms bigint,
  paused_ms bigint,
  pauses int,
  hints int,
  outcome text,
  results public.game_results [],
  changed boolean
);

comment on type public.game_clock is 'A session''s game at a moment of the database''s clock.';
comment on column public.game_clock.session_id is 'Of the session.';
comment on column public.game_clock.state is 'one of: ready, running, paused, finished';
comment on column public.game_clock.server_time is 'The moment for which all of this holds: a screen counts on from it.';
comment on column public.game_clock.started_at is 'Of the start that counts; null until it starts.';
comment on column public.game_clock.started_by is 'The account that started it, or the API key; null until it starts.';
comment on column public.game_clock.finished_at is 'Of the end; null until it ends.';
comment on column public.game_clock.duration_ms is 'How long the party has to play, without pauses.';
comment on column public.game_clock.elapsed_ms is 'How long it has played, without pauses; goes on after duration_ms.';
comment on column public.game_clock.remaining_ms is 'How much of it is left; 0 when the time is over.';
comment on column public.game_clock.paused_ms is 'How long the clock stood still between start and end.';
comment on column public.game_clock.pauses is 'How often it was paused.';
comment on column public.game_clock.hints is 'How many hints were given.';
comment on column public.game_clock.outcome is
  'one of game_results.outcome; null until it ends, and where the visit was completed without stopping the clock';
comment on column public.game_clock.results is 'Of its parties, as far as there are; the outcome is theirs unless corrected. None without games:read.';
comment on column public.game_clock.changed is 'Whether this request made it so; false: it was so already, or nothing was asked for.';

create function private.game_clock(session public.sessions, at timestamptz, changed boolean default false)
returns public.game_clock
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    with
    -- Of the present start only, and without an end that was taken back.
    told as materialized (
      select e.*
      from public.game_events as e
      where e.organization_id = session.organization_id
        and e.session_id = session.id
        and e.kind <> 'reopened'
        and not exists (
          select from public.game_events as later
          where later.organization_id = e.organization_id
            and later.session_id = e.session_id
            and later.position > e.position
            and (later.kind = 'withdrawn' or (later.kind = 'reopened' and e.kind = 'finished'))
        )
        and e.kind <> 'withdrawn'
    ),
    span as (
      select
        t.kind,
        coalesce(
          lead(t.occurred_at) over (order by t.position), greatest(game_clock.at, t.occurred_at)
        ) - t.occurred_at as lasted
      from told as t
      where t.kind <> 'hint'
    ),
    sums as (
      select
        coalesce(floor(1000 * extract(epoch from sum(s.lasted) filter (where s.kind in ('started', 'resumed')))), 0)::bigint
          as elapsed_ms,
        coalesce(floor(1000 * extract(epoch from sum(s.lasted) filter (where s.kind = 'paused'))), 0)::bigint as paused_ms,
        count(*) filter (where s.kind = 'paused')::int as pauses
      from span as s
    ),
    first as (select t.* from told as t where t.kind = 'started'),
    last as (select t.* from told as t where t.kind <> 'hint' order by t.position desc limit 1)
    select row(
      session.id,
      case l.kind
        when 'started' then 'running'
        when 'resumed' then 'running'
        when 'paused' then 'paused'
        when 'finished' then 'finished'
        else 'ready'
      end,
      game_clock.at,
      f.occurred_at,
      f.actor_id,
      case l.kind when 'finished' then l.occurred_at end,
      length.ms,
      s.elapsed_ms,
      greatest(length.ms - s.elapsed_ms, 0),
      s.paused_ms,
      s.pauses,
      (select count(*)::int from told as t where t.kind = 'hint'),
      l.outcome,
      array(
        select r
        from public.game_results as r
        where r.organization_id = session.organization_id
          and r.session_id = session.id
          -- By the row, so that it is asked only where there is one.
          and private.has_permission(r.organization_id, 'games:read')
        order by r.booking_id
      ),
      game_clock.changed
    )::public.game_clock
    from sums as s
    left join first as f on true
    left join last as l on true
    cross join lateral (
      select 1000 * coalesce(
        f.duration_seconds::bigint, extract(epoch from session.ends_at - session.starts_at)::bigint
      ) as ms
    ) as length
  );
end
$$;

comment on function private.game_clock is
  'The clock of a session''s game at an instant that is not before what happened last, from its events.';

create function private.get_game_clock(organization_id uuid, session_id uuid)
returns public.game_clock
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  session public.sessions;
begin
  perform private.require_permission(get_game_clock.organization_id, 'games:read');
  select s.* into session
  from public.sessions as s
  where s.organization_id = get_game_clock.organization_id and s.id = get_game_clock.session_id and s.mode <> 'block';
  if not found then
    perform private.fail('session_not_found', 404, 'Choose one of the organization''s sessions.');
  end if;
  return private.game_clock(session, clock_timestamp());
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_game_clock is 'definer: reads the session of an organization that the caller names, under games:read alone.';
grant execute on function private.get_game_clock to authenticated;

create function public.get_game_clock(organization_id uuid, session_id uuid)
returns public.game_clock
language sql
stable
set search_path = ''
as $$ select private.get_game_clock(organization_id, session_id) $$;

comment on function public.get_game_clock is
  'The clock of a session''s game as every screen shows it, with the moment for which it holds. For members with games:read. Errors: 403 permission_denied; 404 session_not_found (also for a block).';
grant execute on function public.get_game_clock to authenticated;

-- =============================================================================
-- sql/78_games/040_checklists.sql
-- =============================================================================

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

-- =============================================================================
-- sql/78_games/050_incidents.sql
-- =============================================================================

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

-- =============================================================================
-- sql/78_games/060_clock.sql
-- =============================================================================

-- Running a game: start, pause, resume, hints, the end, and results by hand.
--
-- Locks: the session first, as everywhere. So of two who start one game, the second waits, and is then told what is so.

create function private.session_to_run(organization_id uuid, session_id uuid, runs_any boolean)
returns public.sessions
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not runs_any then
    perform private.require_permission(session_to_run.organization_id, 'games:manage');
    -- An API key runs no game as its own: no member has its id.
    if not exists (
      select from public.session_staff as x
      where x.organization_id = session_to_run.organization_id
        and x.session_id = session_to_run.session_id
        and x.user_id = auth.uid()
    ) then
      perform private.require_permission(session_to_run.organization_id, 'games:run');
    end if;
  end if;
  return private.staffed_session(session_to_run.organization_id, session_to_run.session_id);
end
$$;

comment on function private.session_to_run is
  'The session, locked, for its game master with games:manage, or whoever runs any: the caller asks for games:run. Raises 403 permission_denied, 404 session_not_found, 409 session_not_open.';

create function private.refuse_finished_game(clock public.game_clock)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.fail(
    'game_finished', 409, 'Look at the game''s clock: it is over.',
    jsonb_build_object('state', clock.state, 'outcome', clock.outcome)
  );
end
$$;

comment on function private.refuse_finished_game is 'Raises 409 game_finished, details {"state", "outcome"}.';

create function private.refuse_in_state(clock public.game_clock)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if clock.state = 'finished' then
    perform private.refuse_finished_game(clock);
  end if;
  perform private.fail(
    'game_not_started', 409, 'Start the game first.', jsonb_build_object('state', clock.state, 'outcome', clock.outcome)
  );
end
$$;

comment on function private.refuse_in_state is
  'Raises 409 game_not_started or game_finished, details {"state", "outcome"}, for what only a game that is on can take.';

create function private.start_game(organization_id uuid, session_id uuid, override_reason text)
returns public.game_clock
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  session public.sessions := private.session_to_run(
    start_game.organization_id, start_game.session_id, private.has_permission(start_game.organization_id, 'games:run')
  );
  clock public.game_clock := private.game_clock(session, clock_timestamp());
  undone jsonb;
begin
  if clock.state = 'finished' then
    perform private.refuse_finished_game(clock);
  elsif clock.state <> 'ready' then
    return clock; -- it is on, whoever started it
  elsif length(private.clean_note(start_game.override_reason)) > 500 then
    perform private.fail('reason_too_long', 422, 'Give a reason of at most 500 characters.');
  elsif not private.is_reason(start_game.override_reason) then
    start_game.override_reason := null;
    select jsonb_agg(jsonb_build_object('item_id', e.item_id, 'session_id', e.session_id, 'title', e.title))
    into undone
    from unnest((private.checklist(session)).entries) as e
    where e.stops_start;
    if undone is not null then
      perform private.fail(
        'checklist_open', 409, 'Tick what is done, or say why the game starts without it.',
        jsonb_build_object('items', undone)
      );
    end if;
  end if;
  perform private.transition(b.organization_id, b.id, 'in_progress')
  from (
    select o.*
    from public.bookings as o
    where o.organization_id = session.organization_id and o.session_id = session.id and o.status = 'checked_in'
    order by o.created_at, o.id
  ) as b;
  if not exists (
    select from public.bookings as b
    where b.organization_id = session.organization_id and b.session_id = session.id and b.status = 'in_progress'
  ) then
    perform private.fail('party_not_checked_in', 409, 'Check in the party that is to play.');
  end if;
  perform private.add_game_event(session, 'started', note => start_game.override_reason);
  return private.game_clock(session, clock_timestamp(), true);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.start_game is 'definer: writes events and moves bookings, which no client may.';
grant execute on function private.start_game to authenticated;

create function public.start_game(organization_id uuid, session_id uuid, override_reason text default null)
returns public.game_clock
language sql
volatile
set search_path = ''
as $$ select private.start_game(organization_id, session_id, override_reason) $$;

comment on function public.start_game is
  'Starts the clock of a session for the parties that are checked in, whose visits are then in progress; a game that is on stays as it is (changed false, started_by says whose start it was). override_reason: starts with required items of the checklist open, and keeps why in game_events. For the session''s game master with games:manage, and members with games:run. Errors: 403 permission_denied, organization_suspended; 404 session_not_found; 409 session_not_open (cancelled or a block), party_not_checked_in, too_early (details {"opens_at"}), waiver_missing, checklist_open (details {"items": [{"item_id", "session_id", "title"}]}), game_finished (details {"state", "outcome"}); 422 reason_too_long.';
grant execute on function public.start_game to authenticated;

create function private.pause_game(organization_id uuid, session_id uuid)
returns public.game_clock
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  session public.sessions := private.session_to_run(
    pause_game.organization_id, pause_game.session_id, private.has_permission(pause_game.organization_id, 'games:run')
  );
  clock public.game_clock := private.game_clock(session, clock_timestamp());
begin
  if clock.state = 'paused' then
    return clock;
  elsif clock.state <> 'running' then
    perform private.refuse_in_state(clock);
  end if;
  perform private.add_game_event(session, 'paused');
  return private.game_clock(session, clock_timestamp(), true);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.pause_game is 'definer: writes events, which no client may.';
grant execute on function private.pause_game to authenticated;

create function public.pause_game(organization_id uuid, session_id uuid)
returns public.game_clock
language sql
volatile
set search_path = ''
as $$ select private.pause_game(organization_id, session_id) $$;

comment on function public.pause_game is
  'Lets the clock stand still; again, the same. For the session''s game master with games:manage, and members with games:run. Errors: 403 permission_denied, organization_suspended; 404 session_not_found; 409 session_not_open (cancelled or a block), game_not_started, game_finished (details {"state", "outcome"}).';
grant execute on function public.pause_game to authenticated;

create function private.resume_game(organization_id uuid, session_id uuid)
returns public.game_clock
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  session public.sessions := private.session_to_run(
    resume_game.organization_id, resume_game.session_id, private.has_permission(resume_game.organization_id, 'games:run')
  );
  clock public.game_clock := private.game_clock(session, clock_timestamp());
begin
  if clock.state = 'running' then
    return clock;
  elsif clock.state <> 'paused' then
    perform private.refuse_in_state(clock);
  end if;
  perform private.add_game_event(session, 'resumed');
  return private.game_clock(session, clock_timestamp(), true);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.resume_game is 'definer: writes events, which no client may.';
grant execute on function private.resume_game to authenticated;

create function public.resume_game(organization_id uuid, session_id uuid)
returns public.game_clock
language sql
volatile
set search_path = ''
as $$ select private.resume_game(organization_id, session_id) $$;

comment on function public.resume_game is
  'Lets a paused clock run on; again, the same. For the session''s game master with games:manage, and members with games:run. Errors: 403 permission_denied, organization_suspended; 404 session_not_found; 409 session_not_open (cancelled or a block), game_not_started, game_finished (details {"state", "outcome"}).';
grant execute on function public.resume_game to authenticated;

create function private.add_hint(organization_id uuid, session_id uuid, idempotency_key text, words text)
returns public.game_clock
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  session public.sessions := private.session_to_run(
    add_hint.organization_id, add_hint.session_id, private.has_permission(add_hint.organization_id, 'games:run')
  );
  scope text := add_hint.organization_id || ':add_hint';
  clock public.game_clock := private.game_clock(session, clock_timestamp());
begin
  if length(private.clean_note(add_hint.words)) > 500 then
    perform private.fail('note_too_long', 422, 'Write a hint of at most 500 characters.');
  elsif private.idempotent_begin(
    scope, add_hint.idempotency_key, jsonb_build_array(add_hint.session_id, add_hint.words)
  ) is not null then
    return clock; -- given already
  elsif clock.state not in ('running', 'paused') then
    perform private.refuse_in_state(clock);
  end if;
  perform private.add_game_event(session, 'hint', note => add_hint.words);
  return private.game_clock(session, clock_timestamp(), true);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.add_hint is 'definer: writes events, which no client may.';
grant execute on function private.add_hint to authenticated;

create function public.add_hint(organization_id uuid, session_id uuid, idempotency_key text, words text default '')
returns public.game_clock
language sql
volatile
set search_path = ''
as $$ select private.add_hint(organization_id, session_id, idempotency_key, words) $$;

comment on function public.add_hint is
  'Notes that the party was given a hint, with its words where they are of use; for a day the same key is one hint. For the session''s game master with games:manage, and members with games:run. Errors: 403 permission_denied, organization_suspended; 404 session_not_found; 409 session_not_open (cancelled or a block), game_not_started, game_finished (details {"state", "outcome"}); 422 note_too_long, idempotency_key_invalid, idempotency_key_reused.';
grant execute on function public.add_hint to authenticated;

create function private.check_outcome(outcome text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if check_outcome.outcome is null or check_outcome.outcome not in ('escaped', 'failed', 'aborted') then
    perform private.fail('outcome_invalid', 422, 'Choose escaped, failed or aborted.');
  end if;
end
$$;

comment on function private.check_outcome is 'Raises 422 outcome_invalid.';

create function private.check_result_words(team_name text, notes text, language text, level text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not private.is_name(private.clean_text(check_result_words.team_name), 60) then
    perform private.fail('team_name_invalid', 422, 'Give a name of 1 to 60 characters without a link, or none.');
  elsif length(private.clean_note(check_result_words.notes)) > 2000 then
    perform private.fail('note_too_long', 422, 'Write at most 2000 characters.');
  elsif check_result_words.language !~ '^[a-z]{2}$' then
    perform private.fail('language_invalid', 422, 'Give the language as two lower-case letters, such as es, or none.');
  elsif check_result_words.level not in ('easy', 'normal', 'hard', 'expert') then
    perform private.fail('level_invalid', 422, 'Choose easy, normal, hard, expert or none.');
  end if;
end
$$;

comment on function private.check_result_words is
  'Raises 422 team_name_invalid, note_too_long, language_invalid, level_invalid.';

create function private.finish_game(
  organization_id uuid,
  session_id uuid,
  outcome text,
  team_name text,
  notes text,
  language text,
  level text
)
returns public.game_clock
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  session public.sessions := private.session_to_run(
    finish_game.organization_id, finish_game.session_id, private.has_permission(finish_game.organization_id, 'games:run')
  );
  clock public.game_clock := private.game_clock(session, clock_timestamp());
  played uuid [];
begin
  perform private.check_outcome(finish_game.outcome);
  perform private.check_result_words(
    finish_game.team_name, finish_game.notes, finish_game.language, finish_game.level
  );
  if clock.state = 'finished' and clock.outcome = finish_game.outcome then
    return clock;
  elsif clock.state not in ('running', 'paused') then
    perform private.refuse_in_state(clock);
  end if;

  -- First: the time is the moment of asking, and what follows takes the game as ended.
  perform private.add_game_event(session, 'finished', finish_game.outcome);
  clock := private.game_clock(session, clock_timestamp(), true);
  if finish_game.outcome = 'escaped' and clock.elapsed_ms > clock.duration_ms then
    perform private.fail(
      'time_is_over', 409, 'Finish it as failed; who escaped in time all the same is corrected by hand.',
      jsonb_build_object('elapsed_ms', clock.elapsed_ms, 'duration_ms', clock.duration_ms)
    );
  end if;
  select array_agg(b.id order by b.created_at, b.id) into played
  from public.bookings as b
  where b.organization_id = session.organization_id
    and b.session_id = session.id
    and b.status in ('in_progress', 'completed');
  perform private.transition(session.organization_id, b.id, 'completed')
  from unnest(played) with ordinality as p (id, position)
  join public.bookings as b on b.organization_id = session.organization_id and b.id = p.id
  where b.status = 'in_progress';

  insert into public.game_results as r (
    organization_id, booking_id, session_id, room_id, played_at, duration_seconds, outcome, escape_seconds, pauses, hints,
    team_name, notes, language, level
  )
  select
    session.organization_id, p.id, session.id, session.room_id, clock.started_at, clock.duration_ms / 1000,
    finish_game.outcome,
    case finish_game.outcome when 'escaped' then greatest(clock.elapsed_ms / 1000, 1) end,
    clock.pauses, clock.hints,
    finish_game.team_name, coalesce(finish_game.notes, ''), finish_game.language, finish_game.level
  from unnest(played) as p (id)
  -- Of a party whose own visit was not taken back; what a person entered by hand stays.
  on conflict on constraint game_results_pkey do update
  set outcome = excluded.outcome,
    escape_seconds = excluded.escape_seconds,
    pauses = excluded.pauses,
    hints = excluded.hints
  where not r.is_by_hand;
  return private.game_clock(session, clock.server_time, true);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.finish_game is 'definer: writes events and results and moves bookings, which no client may.';
grant execute on function private.finish_game to authenticated;

create function public.finish_game(
  organization_id uuid,
  session_id uuid,
  outcome text,
  team_name text default null,
  notes text default '',
  language text default null,
  level text default null
)
returns public.game_clock
language sql
volatile
set search_path = ''
as $$ select private.finish_game(organization_id, session_id, outcome, team_name, notes, language, level) $$;

comment on function public.finish_game is
  'Stops the clock, completes the visits of the parties that play, as transition_booking does, and writes the result of each; the same outcome again changes nothing. outcome: escaped (while there is time left), failed or aborted; notes: for the staff; language: ISO 639-1; level: easy, normal, hard or expert. Team name, notes, language and level can be changed in game_results. For the session''s game master with games:manage, and members with games:run. Errors: 403 permission_denied, organization_suspended; 404 session_not_found; 409 session_not_open (cancelled or a block), game_not_started, game_finished (with another outcome, or without one; details {"state", "outcome"}), time_is_over (details {"elapsed_ms", "duration_ms"}); 422 outcome_invalid, team_name_invalid, note_too_long, language_invalid, level_invalid.';
grant execute on function public.finish_game to authenticated;

create function private.correct_game_result(
  organization_id uuid,
  booking_id uuid,
  outcome text,
  reason text,
  escape_seconds int,
  hints int
)
returns public.game_results
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
  session public.sessions;
  clock public.game_clock;
  known public.game_results;
begin
  perform private.require_permission(correct_game_result.organization_id, 'games:correct');
  -- Its row is answered.
  perform private.require_permission(correct_game_result.organization_id, 'games:read');
  perform private.check_outcome(correct_game_result.outcome);
  if not private.is_reason(correct_game_result.reason, 500) then
    perform private.fail('reason_missing', 422, 'Say in 1 to 500 characters why it is entered by hand.');
  elsif correct_game_result.hints not between 0 and 1000 then
    perform private.fail('hints_invalid', 422, 'Give 0 to 1000 hints, or none to leave them.');
  end if;
  booking := private.locked_booking(correct_game_result.organization_id, correct_game_result.booking_id);
  if booking.status <> 'completed' then
    perform private.fail('game_not_over', 409, 'Finish the game, or complete the visit, before its result is corrected.');
  end if;
  select s.* into session
  from public.sessions as s
  where s.organization_id = booking.organization_id and s.id = booking.session_id;
  clock := private.game_clock(session, clock_timestamp());
  if (correct_game_result.outcome = 'escaped') <> (correct_game_result.escape_seconds is not null)
    or correct_game_result.escape_seconds not between 1 and clock.duration_ms / 1000
  then
    perform private.fail(
      'escape_seconds_invalid', 422, 'Give the time of those who escaped, within the game''s duration, and of nobody else.',
      jsonb_build_object('minimum', 1, 'maximum', clock.duration_ms / 1000)
    );
  end if;
  insert into public.game_results as r (
    organization_id, booking_id, session_id, room_id, played_at, duration_seconds, outcome, escape_seconds, pauses, hints,
    is_by_hand, correction_reason
  )
  values (
    session.organization_id, booking.id, session.id, session.room_id, coalesce(clock.started_at, session.starts_at),
    clock.duration_ms / 1000, correct_game_result.outcome, correct_game_result.escape_seconds, clock.pauses,
    coalesce(correct_game_result.hints, clock.hints), true, correct_game_result.reason
  )
  on conflict on constraint game_results_pkey do update
  set outcome = excluded.outcome,
    escape_seconds = excluded.escape_seconds,
    hints = coalesce(correct_game_result.hints, r.hints),
    is_by_hand = true,
    correction_reason = excluded.correction_reason
  returning r.* into known;
  return known;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.correct_game_result is 'definer: writes outcomes and times, which no client may.';
grant execute on function private.correct_game_result to authenticated;

create function public.correct_game_result(
  organization_id uuid,
  booking_id uuid,
  outcome text,
  reason text,
  escape_seconds int default null,
  hints int default null
)
returns public.game_results
language sql
volatile
set search_path = ''
as $$ select private.correct_game_result(organization_id, booking_id, outcome, reason, escape_seconds, hints) $$;

comment on function public.correct_game_result is
  'Enters or changes the result of a completed visit by hand, with a reason, and marks it so (is_by_hand). outcome: escaped (with escape_seconds, within the game''s duration), failed or aborted; hints null: as they are. For members with games:correct and games:read. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 game_not_over; 422 outcome_invalid, reason_missing, hints_invalid, escape_seconds_invalid (details {"minimum", "maximum"}).';
grant execute on function public.correct_game_result to authenticated;

-- What the desk does to the visit, the clock follows: completed, or taken back.

create function private.follow_visit()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  session public.sessions;
  state text;
begin
  -- Most venues' visits end without a clock.
  if new.status <> 'completed' and not private.is_undo(old.status, new.status) or not exists (
    select from public.game_events as e
    where e.organization_id = new.organization_id and e.session_id = new.session_id
    union all
    select from public.game_results as r
    where r.organization_id = new.organization_id and r.booking_id = new.id
  ) then
    return null;
  end if;
  select s.* into session
  from public.sessions as s
  where s.organization_id = new.organization_id and s.id = new.session_id;
  state := (private.game_clock(session, clock_timestamp())).state;
  if new.status <> 'completed' then
    delete from public.game_results as r
    where r.organization_id = new.organization_id and r.booking_id = new.id;
  end if;
  if new.status = 'in_progress' then
    if state = 'finished' then
      perform private.add_game_event(session, 'reopened');
    end if;
  elsif new.status = 'completed' and state not in ('running', 'paused')
    or state = 'ready'
    or exists (
      select from public.bookings as b
      where b.organization_id = new.organization_id
        and b.session_id = new.session_id
        and (b.status = 'in_progress' or (b.status = 'completed' and new.status <> 'completed'))
    )
  then
    null; -- the clock says so already, or others play on
  else
    perform private.add_game_event(session, case new.status when 'completed' then 'finished' else 'withdrawn' end);
  end if;
  return null;
end
$$;

comment on function private.follow_visit is
  'Keeps clock and result true to the visits: the last one that is completed stops a clock that nobody stopped, without an outcome; one whose end is taken back has no result and the clock runs on; when the last start is taken back, the clock is as if it had never run.';

create trigger bookings_follow_visit
after update of status on public.bookings
for each row
when (
  old.status <> new.status
  and (new.status = 'completed' or old.status in ('in_progress', 'completed'))
)
execute function private.follow_visit();

-- =============================================================================
-- sql/78_games/070_leaderboard.sql
-- =============================================================================

-- The leaderboard: times of those who agreed to it, ranked within their room by percentile, so that rooms compare.

create function private.games_played(organization_id uuid, room_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select count(*)
    from public.game_results as r
    where r.organization_id = games_played.organization_id and r.room_id = games_played.room_id and r.outcome <> 'aborted'
  );
end
$$;

comment on function private.games_played is 'How many games of a room were played to an end.';

create function private.percentile_bp(result public.game_results, games bigint)
returns int
language plpgsql
stable
set search_path = ''
as $$
declare
  faster bigint;
  equal bigint;
begin
  if result.outcome <> 'escaped' then
    return null;
  elsif games = 1 then
    return 10000;
  end if;
  select
    count(*) filter (where r.escape_seconds < result.escape_seconds),
    count(*) filter (where r.escape_seconds = result.escape_seconds)
  into faster, equal
  from public.game_results as r
  where r.organization_id = result.organization_id
    and r.room_id = result.room_id
    and r.outcome <> 'aborted'
    and r.escape_seconds <= result.escape_seconds;
  -- Rounded down, so that nobody is told more than is true.
  return floor(10000 * ((games - faster - equal) + (equal - 1) / 2.0) / (games - 1))::int;
end
$$;

comment on function private.percentile_bp is
  'What share of the room''s other games, of so many in all, was slower than this one: those that failed included and aborted ones not; as fast ones count half. In hundredths of a percent, 10000 for the only game; null for whoever did not escape.';

create type public.leaderboard_entry as (
  rank int,
  room_id uuid,
  room_name text,
  team_name text,
  escape_seconds int,
  percentile_bp int,
  hints int,
  party_size int,
  played_on date
);

comment on type public.leaderboard_entry is 'A party that escaped and agreed to be shown.';
comment on column public.leaderboard_entry.rank is 'Its place in this list, from 1; as good ones share it.';
comment on column public.leaderboard_entry.room_id is 'The room.';
comment on column public.leaderboard_entry.room_name is 'As it is called.';
comment on column public.leaderboard_entry.team_name is 'As the venue approved it; null: the party gave none, or none was approved.';
comment on column public.leaderboard_entry.escape_seconds is 'How long it played, without pauses.';
comment on column public.leaderboard_entry.percentile_bp is
  'What share of the room''s other games was slower, in hundredths of a percent: 9950 is better than 99.5 %.';
comment on column public.leaderboard_entry.hints is 'How many it was given.';
comment on column public.leaderboard_entry.party_size is 'People.';
comment on column public.leaderboard_entry.played_on is 'On the venue''s clock.';

create type public.leaderboard as (
  entries public.leaderboard_entry []
);

comment on type public.leaderboard is 'The best of a venue.';
comment on column public.leaderboard.entries is 'The best first: of one room by time, of all by percentile.';

create function private.get_leaderboard(slug text, room_id uuid, max_rows int)
returns public.leaderboard
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(get_leaderboard.slug);
  wanted int := least(greatest(coalesce(get_leaderboard.max_rows, 50), 1), 100);
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  if get_leaderboard.room_id is not null then
    perform private.public_room(calendar, get_leaderboard.room_id);
  end if;
  return (
    with
    best as (
      select
        t.result,
        private.room_name(r, calendar.locales[1]) as room_name,
        l.timezone,
        private.percentile_bp(t.result, played.games) as percentile_bp
      from public.calendar_rooms as cr
      join public.rooms as r
        on r.organization_id = cr.organization_id and r.id = cr.room_id and r.is_published and not r.is_archived
      join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
      cross join lateral (select private.games_played(r.organization_id, r.id) as games offset 0) as played
      cross join lateral (
        select g as result
        from public.game_results as g
        where g.organization_id = r.organization_id and g.room_id = r.id and g.is_public and g.outcome = 'escaped'
        order by g.escape_seconds, g.played_at
        limit wanted
      ) as t
      where cr.organization_id = calendar.organization_id
        and cr.calendar_id = calendar.id
        and (get_leaderboard.room_id is null or r.id = get_leaderboard.room_id)
    ),
    ranked as (
      select
        b.*,
        rank() over (
          order by
            b.percentile_bp desc,
            case when get_leaderboard.room_id is not null then (b.result).escape_seconds end
        )::int as rank
      from best as b
    )
    select row(
      coalesce(
        array_agg(
          row(
            x.rank, (x.result).room_id, x.room_name,
            case (x.result).name_status when 'approved' then (x.result).team_name end,
            (x.result).escape_seconds, x.percentile_bp, (x.result).hints, b.party_size,
            ((x.result).played_at at time zone x.timezone)::date
          )::public.leaderboard_entry
          order by x.rank, (x.result).escape_seconds, (x.result).played_at
        ),
        '{}'
      )
    )::public.leaderboard
    from (
      select k.*
      from ranked as k
      order by k.rank, (k.result).escape_seconds, (k.result).played_at
      limit wanted
    ) as x
    join public.bookings as b
      on b.organization_id = (x.result).organization_id and b.id = (x.result).booking_id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_leaderboard is 'definer: shows visitors, who may read no table, the results of those who agreed to it.';
grant execute on function private.get_leaderboard to anon, authenticated;

create function public.get_leaderboard(slug text, room_id uuid default null, max_rows int default 50)
returns public.leaderboard
language sql
volatile
set search_path = ''
as $$ select private.get_leaderboard(slug, room_id, max_rows) $$;

comment on function public.get_leaderboard is
  'The best games of a room that a public calendar offers, or of all of them: only of parties that agreed to it, 1 to 100. Within a room by time, across rooms by percentile_bp, which counts all of the room''s games. For anybody. Errors: 404 calendar_not_found, room_not_found; 429 rate_limited.';
grant execute on function public.get_leaderboard to anon, authenticated;

-- What the party sees of it, and says.

create type public.party_result as (
  outcome text,
  escape_seconds int,
  duration_seconds int,
  hints int,
  percentile_bp int,
  team_name text,
  name_status text,
  is_public boolean
);

comment on type public.party_result is 'How a party''s game ended, for whoever holds its booking''s link.';
comment on column public.party_result.outcome is 'one of game_results.outcome';
comment on column public.party_result.escape_seconds is 'How long it played, without pauses; null unless it escaped.';
comment on column public.party_result.duration_seconds is 'How long it had.';
comment on column public.party_result.hints is 'How many it was given.';
comment on column public.party_result.percentile_bp is
  'What share of the room''s other games was slower, in hundredths of a percent; null unless it escaped.';
comment on column public.party_result.team_name is 'What it calls itself; null: it did not say.';
comment on column public.party_result.name_status is 'one of game_results.name_status';
comment on column public.party_result.is_public is 'Whether it agreed to stand on the leaderboard.';

create function private.party_result(booking public.bookings)
returns public.party_result
language plpgsql
stable
set search_path = ''
as $$
declare
  result public.game_results;
begin
  select r.* into result
  from public.game_results as r
  where r.organization_id = booking.organization_id and r.booking_id = booking.id;
  if not found then
    perform private.fail('game_not_over', 409, 'Come back when the game is over.');
  end if;
  return row(
    result.outcome, result.escape_seconds, result.duration_seconds, result.hints,
    private.percentile_bp(result, private.games_played(result.organization_id, result.room_id)),
    result.team_name, result.name_status, result.is_public
  )::public.party_result;
end
$$;

comment on function private.party_result is 'A booking''s result as its party sees it. Raises 409 game_not_over.';

create function private.get_game_result(reference text, manage_token text)
returns public.party_result
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(get_game_result.reference, get_game_result.manage_token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return private.party_result(booking);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_game_result is 'definer: shows a result to whoever holds the booking''s manage token.';
grant execute on function private.get_game_result to anon, authenticated;

create function public.get_game_result(reference text, manage_token text)
returns public.party_result
language sql
volatile
set search_path = ''
as $$ select private.get_game_result(reference, manage_token) $$;

comment on function public.get_game_result is
  'How the game of a booking ended, for whoever holds its manage token. For anybody. Errors: 404 booking_not_found; 409 game_not_over (or nobody wrote down how it ended); 429 rate_limited.';
grant execute on function public.get_game_result to anon, authenticated;

create function private.lock_customer_of(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- An erasure at this moment comes before, and is seen, or after, and takes what is written now.
  perform from public.customers as c
  where c.organization_id = booking.organization_id and c.id = booking.customer_id and c.erased_at is null
  for share;
  if not found then
    perform private.fail('customer_erased', 409, 'Nothing more is written of who was erased.');
  end if;
end
$$;

comment on function private.lock_customer_of is
  'Keeps the booking''s customer from being erased until the transaction ends. Raises 409 customer_erased: an old link brings nothing back.';

create function private.publish_game_result(reference text, manage_token text, is_public boolean, team_name text)
returns public.party_result
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(publish_game_result.reference, publish_game_result.manage_token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  if not private.is_typed_name(private.clean_text(publish_game_result.team_name), 60) then
    perform private.fail('team_name_invalid', 422, 'Give a name of 1 to 60 characters without a link, or none.');
  end if;
  perform private.lock_customer_of(booking);
  perform private.act_as('customer', booking.customer_id);
  -- The booking first, as everywhere: what programs are told of a booking has an order.
  perform from public.bookings as b
  where b.organization_id = booking.organization_id and b.id = booking.id
  for no key update;
  update public.game_results as r
  set is_public = coalesce(publish_game_result.is_public, r.is_public),
    consented_at = case
      when coalesce(publish_game_result.is_public, r.is_public) then coalesce(r.consented_at, now())
    end,
    team_name = coalesce(publish_game_result.team_name, r.team_name)
  where r.organization_id = booking.organization_id and r.booking_id = booking.id;
  return private.party_result(booking);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.publish_game_result is 'definer: writes what the holder of a booking''s manage token says of its result.';
grant execute on function private.publish_game_result to anon, authenticated;

create function public.publish_game_result(
  reference text,
  manage_token text,
  is_public boolean,
  team_name text default null
)
returns public.party_result
language sql
volatile
set search_path = ''
as $$ select private.publish_game_result(reference, manage_token, is_public, team_name) $$;

comment on function public.publish_game_result is
  'The party agrees that its time and its team name stand on the leaderboard, or (is_public false) withdraws it, which holds at once; again, the same. team_name: what it calls itself, shown once the venue approved it; null leaves the name. For anybody with the booking''s manage token. Errors: 404 booking_not_found; 409 game_not_over, customer_erased (of one who was erased nothing more is written); 422 team_name_invalid; 429 rate_limited.';
grant execute on function public.publish_game_result to anon, authenticated;

create function private.moderate_team_name(organization_id uuid, booking_id uuid, team_name text, name_status text)
returns public.game_results
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  result public.game_results;
begin
  perform private.require_permission(moderate_team_name.organization_id, 'games:moderate');
  -- Its row is answered.
  perform private.require_permission(moderate_team_name.organization_id, 'games:read');
  if moderate_team_name.name_status is null or moderate_team_name.name_status not in ('pending', 'approved', 'rejected') then
    perform private.fail('status_invalid', 422, 'Choose pending, approved or rejected.');
  end if;
  update public.game_results as r
  set name_status = moderate_team_name.name_status
  where r.organization_id = moderate_team_name.organization_id
    and r.booking_id = moderate_team_name.booking_id
    and r.team_name = moderate_team_name.team_name
  returning r.* into result;
  if not found then
    perform private.fail('team_name_changed', 409, 'Look at the result again: the team has another name, or none.');
  end if;
  return result;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.moderate_team_name is 'definer: says of a name what its party may not.';
grant execute on function private.moderate_team_name to authenticated;

create function public.moderate_team_name(organization_id uuid, booking_id uuid, team_name text, name_status text)
returns public.game_results
language sql
volatile
set search_path = ''
as $$ select private.moderate_team_name(organization_id, booking_id, team_name, name_status) $$;

comment on function public.moderate_team_name is
  'Says of a team name whether the public may see it: approved, rejected or pending; again, the same. team_name: the name that was looked at. For members with games:moderate and games:read. Errors: 403 permission_denied, organization_suspended; 409 team_name_changed (also where there is no such result); 422 status_invalid.';
grant execute on function public.moderate_team_name to authenticated;

-- =============================================================================
-- sql/78_games/080_late_parties.sql
-- =============================================================================

-- Late parties: who says by the booking's link that they are late is given a later start, as long as the room's turnaround
-- allows it and nobody else is harmed, or a shorter game.

create table public.late_arrivals (
  organization_id uuid not null,
  -- A key of its own: PostgREST would take one of booking and session for a way from one to the other.
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  session_id uuid not null,
  minutes int not null,
  outcome text not null,
  agreed_starts_at timestamptz not null,
  agreed_ends_at timestamptz not null,
  agreed_until timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint late_arrivals_pkey primary key (organization_id, id),
  -- Also the index for: the foreign key to the booking.
  constraint late_arrivals_booking_key unique (organization_id, booking_id, session_id),
  constraint late_arrivals_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint late_arrivals_session_fkey foreign key (organization_id, session_id)
  references public.sessions (organization_id, id) on delete cascade,
  constraint late_arrivals_minutes_are_at_most_two_hours check (minutes between 1 and 120),
  constraint late_arrivals_outcome_is_known check (outcome in ('shifted', 'shorter_offered', 'shortened', 'noted'))
);

comment on table public.late_arrivals is 'That a party said it is late for a session, and what came of it. Written by announce_late.';
comment on column public.late_arrivals.minutes is 'How much later than agreed it comes.';
comment on column public.late_arrivals.outcome is
  'shifted (all of the game is later), shorter_offered (the party has not said yet), shortened (the game is later and shorter), noted (others play too: it starts without them).';
comment on column public.late_arrivals.agreed_starts_at is 'When the game was to start before anybody was late.';
comment on column public.late_arrivals.agreed_ends_at is 'When it was to end.';
comment on column public.late_arrivals.agreed_until is 'Until when the room was to be busy, turnaround included.';

-- for: the foreign key
create index late_arrivals_session_id_idx on public.late_arrivals (organization_id, session_id);

grant select on public.late_arrivals to authenticated;

alter table public.late_arrivals enable row level security;

create policy late_arrivals_select on public.late_arrivals
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create trigger late_arrivals_touch_updated_at
before update on public.late_arrivals
for each row execute function private.touch_updated_at();

create function private.retime_session(
  session public.sessions,
  starts_at timestamptz,
  ends_at timestamptz,
  occupied_until timestamptz
)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  wanted tstzrange := tstzrange(retime_session.starts_at, retime_session.occupied_until);
begin
  -- A game master who has to be elsewhere by then would be released: that harms somebody.
  if exists (
    select
    from public.session_staff as mine
    join public.session_staff as other
      on other.organization_id = mine.organization_id
      and other.user_id = mine.user_id
      and other.session_id <> mine.session_id
      and other.during && wanted
    where mine.organization_id = session.organization_id and mine.session_id = session.id
  ) or exists (
    select from public.sessions as s
    where s.organization_id = session.organization_id
      and s.room_id = session.room_id
      and s.id <> session.id
      and s.status <> 'cancelled'
      and s.during && wanted
  ) then
    return false;
  end if;
  update public.sessions as s
  set starts_at = retime_session.starts_at,
    ends_at = retime_session.ends_at,
    occupied_until = retime_session.occupied_until
  where s.organization_id = session.organization_id and s.id = session.id;
  return true;
exception
  when exclusion_violation then
    return false; -- taken at this very moment
end
$$;

comment on function private.retime_session is
  'Moves a session in its room if neither another session nor its game master''s other work is in the way, and says whether it did. The caller holds the room''s lock and the session.';

create type public.late_arrival as (
  minutes int,
  outcome text,
  starts_at timestamptz,
  ends_at timestamptz,
  offered_starts_at timestamptz,
  offered_ends_at timestamptz
);

comment on type public.late_arrival is 'What a party that is late can count on.';
comment on column public.late_arrival.minutes is 'How much later it comes.';
comment on column public.late_arrival.outcome is 'one of late_arrivals.outcome';
comment on column public.late_arrival.starts_at is 'When the game starts as it stands.';
comment on column public.late_arrival.ends_at is 'When it ends as it stands.';
comment on column public.late_arrival.offered_starts_at is 'When the shorter game would start; null unless it is offered.';
comment on column public.late_arrival.offered_ends_at is 'When the shorter game would end; null unless it is offered.';

create function private.announce_late(reference text, manage_token text, minutes int, accept_shorter boolean)
returns public.late_arrival
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(announce_late.reference, announce_late.manage_token);
  session public.sessions;
  late public.late_arrivals;
  opens_at timestamptz;
  shift interval;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  if announce_late.minutes is null or announce_late.minutes not between 1 and 120 then
    perform private.fail(
      'minutes_invalid', 422, 'Say by 1 to 120 minutes how late you are, or move the booking.',
      jsonb_build_object('minimum', 1, 'maximum', 120)
    );
  end if;
  booking := private.locked_for_change(booking.organization_id, booking.id, null);
  select s.* into session
  from public.sessions as s
  where s.organization_id = booking.organization_id and s.id = booking.session_id;
  select session.starts_at - make_interval(hours => l.check_in_hours) into opens_at
  from public.rooms as r
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where r.organization_id = session.organization_id and r.id = session.room_id;
  if booking.status <> 'confirmed' or now() < opens_at or session.ends_at <= now()
    or private.venue_is_closed(booking.organization_id)
  then
    perform private.fail('late_not_possible', 409, 'Say so on the day, before the party is there; otherwise call the venue.');
  end if;
  -- Before the session is moved: that is the customer's deed, too, whoever is signed in.
  perform private.act_as('customer', booking.customer_id);

  select k.* into late
  from public.late_arrivals as k
  where k.organization_id = booking.organization_id and k.booking_id = booking.id and k.session_id = session.id;
  if not found then
    late.organization_id := booking.organization_id;
    late.booking_id := booking.id;
    late.session_id := session.id;
    late.agreed_starts_at := session.starts_at;
    late.agreed_ends_at := session.ends_at;
    late.agreed_until := session.occupied_until;
  end if;
  late.minutes := announce_late.minutes;
  shift := make_interval(mins => announce_late.minutes);
  late.outcome := case
    when exists (
      select from public.bookings as b
      where b.organization_id = booking.organization_id
        and b.session_id = session.id
        and b.id <> booking.id
        and b.takes_capacity
    ) then 'noted'
    -- It has been given that time already, or more: nothing is taken back.
    when session.starts_at >= late.agreed_starts_at + shift then case
      when session.ends_at - session.starts_at < late.agreed_ends_at - late.agreed_starts_at then 'shortened'
      else 'shifted'
    end
    when late.agreed_ends_at + shift <= late.agreed_until and (
      private.retime_session(
        session, late.agreed_starts_at + shift, late.agreed_ends_at + shift, late.agreed_until + shift
      )
      or private.retime_session(session, late.agreed_starts_at + shift, late.agreed_ends_at + shift, late.agreed_until)
    ) then 'shifted'
    when late.agreed_until - (late.agreed_starts_at + shift) < (late.agreed_ends_at - late.agreed_starts_at) / 2
      then 'noted'
    when announce_late.accept_shorter and private.retime_session(
      session, late.agreed_starts_at + shift, late.agreed_until, late.agreed_until
    ) then 'shortened'
    else 'shorter_offered'
  end;

  insert into public.late_arrivals as k (
    organization_id, booking_id, session_id, minutes, outcome, agreed_starts_at, agreed_ends_at, agreed_until
  )
  select late.organization_id, late.booking_id, late.session_id, late.minutes, late.outcome,
    late.agreed_starts_at, late.agreed_ends_at, late.agreed_until
  on conflict on constraint late_arrivals_booking_key do update
  set minutes = excluded.minutes, outcome = excluded.outcome;
  select s.* into session
  from public.sessions as s
  where s.organization_id = booking.organization_id and s.id = booking.session_id;
  if session.starts_at <> booking.starts_at then
    insert into public.booking_history (
      organization_id, booking_id, from_status, to_status, reason, actor_kind, actor_id, change
    )
    values (
      booking.organization_id, booking.id, booking.status, booking.status, 'changed_by_customer', 'customer',
      booking.customer_id, jsonb_build_object('starts_at', jsonb_build_array(booking.starts_at, session.starts_at))
    );
  end if;
  return row(
    late.minutes, late.outcome, session.starts_at, session.ends_at,
    case late.outcome when 'shorter_offered' then late.agreed_starts_at + shift end,
    case late.outcome when 'shorter_offered' then late.agreed_until end
  )::public.late_arrival;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.announce_late is 'definer: moves a session for whoever holds the manage token of its booking.';
grant execute on function private.announce_late to anon, authenticated;

create function public.announce_late(
  reference text,
  manage_token text,
  minutes int,
  accept_shorter boolean default false
)
returns public.late_arrival
language sql
volatile
set search_path = ''
as $$ select private.announce_late(reference, manage_token, minutes, accept_shorter) $$;

comment on function public.announce_late is
  'A party says that it is late, by so many minutes after the time that was agreed; the board shows it. Within the room''s turnaround its game is later (shifted), and where the room or the game master is needed right after, the turnaround is shorter for it. Later than that, a game that ends with the turnaround is offered as long as half of it is left (shorter_offered), and taken with accept_shorter (shortened). Otherwise, and where others play too, the game stays (noted). Again, the same. From the location''s check_in_hours before the start until the end of a confirmed booking that is not checked in. For anybody with the booking''s manage token. Errors: 404 booking_not_found; 409 late_not_possible, booking_changed; 422 minutes_invalid (details {"minimum", "maximum"}); 429 rate_limited.';
grant execute on function public.announce_late to anon, authenticated;

-- =============================================================================
-- sql/78_games/090_board.sql
-- =============================================================================

-- The board of a day: what happens where, who comes, and who runs it.

create type public.waiver_progress as (
  policy text,
  signed int,
  needed int,
  missing int
);

comment on type public.waiver_progress is 'How far a party is with its waiver, without the token: whoever has it signs.';
comment on column public.waiver_progress.policy is 'Of the room; one of rooms.waiver_policy';
comment on column public.waiver_progress.signed is 'People for whom somebody has signed.';
comment on column public.waiver_progress.needed is 'People of the party; 0 where nothing is signed.';
comment on column public.waiver_progress.missing is 'People for whom nobody has signed yet.';

create type public.board_booking as (
  id uuid,
  reference text,
  status text,
  contact_name text,
  party_size int,
  exclusive boolean,
  customer_note text,
  staff_note text,
  currency text,
  total_cents bigint,
  paid_cents bigint,
  refunded_cents bigint,
  open_cents bigint,
  waiver public.waiver_progress,
  late_minutes int,
  mail_problem text
);

comment on type public.board_booking is 'A booking on the board.';
comment on column public.board_booking.id is 'Of the booking.';
comment on column public.board_booking.reference is 'As the customer knows it.';
comment on column public.board_booking.status is 'one of bookings.status';
comment on column public.board_booking.contact_name is 'Who comes; null without customers:read.';
comment on column public.board_booking.party_size is 'People.';
comment on column public.board_booking.exclusive is 'Whether a party is alone in a shared room.';
comment on column public.board_booking.customer_note is 'The customer''s; null without customers:read.';
comment on column public.board_booking.staff_note is 'For the staff only; empty without one.';
comment on column public.board_booking.currency is 'Of the amounts, ISO 4217.';
comment on column public.board_booking.total_cents is 'Price, tax included, in minor units.';
comment on column public.board_booking.paid_cents is 'All payments, in minor units; null without payments:read.';
comment on column public.board_booking.refunded_cents is 'All refunds, in minor units; null without payments:read.';
comment on column public.board_booking.open_cents is 'What can still be asked for, in minor units; null without payments:read.';
comment on column public.board_booking.waiver is 'What the party still has to sign.';
comment on column public.board_booking.late_minutes is 'How much later than agreed the party said that it comes; null: it said nothing.';
comment on column public.board_booking.mail_problem is
  'Why its last mail did not reach its customer, whose address is to be corrected; null: it did, as far as is known. one of booking_mail_problems.problem';

create type public.board_person as (
  user_id uuid,
  full_name text,
  source text,
  is_skilled boolean,
  is_on_shift boolean
);

comment on type public.board_person is 'Who runs a session.';
comment on column public.board_person.user_id is 'Of the account.';
comment on column public.board_person.full_name is 'Empty until it was given; null without users:read.';
comment on column public.board_person.source is 'one of session_staff.source';
comment on column public.board_person.is_skilled is 'Whether the person may run the room; null without shifts:read.';
comment on column public.board_person.is_on_shift is 'Whether the game lies within a shift of the person; null without shifts:read.';

create type public.board_session as (
  id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  occupied_until timestamptz,
  local_time text,
  mode text,
  status text,
  capacity int,
  seats_taken int,
  bookings public.board_booking [],
  is_unassigned boolean,
  staff public.board_person [],
  candidates uuid [],
  game public.game_clock
);

comment on type public.board_session is 'A session that somebody has booked or holds.';
comment on column public.board_session.id is 'Of the session.';
comment on column public.board_session.starts_at is 'Of the game.';
comment on column public.board_session.ends_at is 'Of the game.';
comment on column public.board_session.occupied_until is 'With the turnaround.';
comment on column public.board_session.local_time is 'When it starts on the location''s clock, HH:MM.';
comment on column public.board_session.mode is 'one of: private, shared';
comment on column public.board_session.status is 'one of: booked, held';
comment on column public.board_session.capacity is 'Seats.';
comment on column public.board_session.seats_taken is 'Of them.';
comment on column public.board_session.bookings is 'In the order in which they were made.';
comment on column public.board_session.is_unassigned is 'Whether nobody runs it.';
comment on column public.board_session.staff is 'Who runs it, by name.';
comment on column public.board_session.candidates is 'User ids of who could run it: skilled, on shift and free; null without shifts:read, and where somebody runs it.';
comment on column public.board_session.game is 'Its clock at this moment; null without games:read.';

create type public.board_block as (
  session_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  reason text
);

comment on type public.board_block is 'Time that a room is off sale.';
comment on column public.board_block.session_id is 'Of the block.';
comment on column public.board_block.starts_at is 'From when.';
comment on column public.board_block.ends_at is 'Until when.';
comment on column public.board_block.reason is 'For the staff only; null: none was given.';

create type public.board_room as (
  id uuid,
  name text,
  sessions public.board_session [],
  blocks public.board_block []
);

comment on type public.board_room is 'A room on the board.';
comment on column public.board_room.id is 'Of the room.';
comment on column public.board_room.name is 'As it is called.';
comment on column public.board_room.sessions is 'By time.';
comment on column public.board_room.blocks is 'By time.';

create type public.board_shift as (
  id uuid,
  user_id uuid,
  full_name text,
  starts_at timestamptz,
  ends_at timestamptz,
  sessions bigint
);

comment on type public.board_shift is 'Who is there, and when.';
comment on column public.board_shift.id is 'Of the shift.';
comment on column public.board_shift.user_id is 'Of the account.';
comment on column public.board_shift.full_name is 'Empty until it was given; null without users:read.';
comment on column public.board_shift.starts_at is 'From when.';
comment on column public.board_shift.ends_at is 'Until when.';
comment on column public.board_shift.sessions is 'How many of the board the person runs.';

create type public.board_location as (
  id uuid,
  name text,
  timezone text,
  rooms public.board_room [],
  shifts public.board_shift []
);

comment on type public.board_location is 'A location on the board.';
comment on column public.board_location.id is 'Of the location.';
comment on column public.board_location.name is 'As it is called.';
comment on column public.board_location.timezone is 'IANA zone.';
comment on column public.board_location.rooms is 'By name.';
comment on column public.board_location.shifts is 'By time; null without shifts:read.';

create type public.board as (
  date date,
  unassigned bigint,
  locations public.board_location []
);

comment on type public.board is 'A day of a location, or of all, on its own clock.';
comment on column public.board.date is 'The day.';
comment on column public.board.unassigned is 'How many sessions nobody runs.';
comment on column public.board.locations is 'By name.';

create function private.get_board(organization_id uuid, date date, location_id uuid)
returns public.board
language plpgsql
stable
security definer
set jit = off
set search_path = ''
as $$
declare
  -- One function for several tables: each part asks for what its table's policy would.
  held text [];
  sees_customers boolean;
  sees_money boolean;
  sees_people boolean;
  sees_shifts boolean;
  sees_games boolean;
begin
  perform private.require_permission(get_board.organization_id, 'bookings:read');
  if get_board.date is null or not isfinite(get_board.date) then
    perform private.fail('date_invalid', 422, 'Give a date.');
  elsif get_board.location_id is not null and not exists (
    select from public.locations as l
    where l.organization_id = get_board.organization_id and l.id = get_board.location_id
  ) then
    perform private.fail('location_not_found', 404, 'Choose one of the organization''s locations, or none for all.');
  end if;
  held := array(
    select part.permission
    from unnest(array['customers:read', 'payments:read', 'users:read', 'shifts:read', 'games:read']) as part (permission)
    where private.has_permission(get_board.organization_id, part.permission)
  );
  sees_customers := 'customers:read' = any (held);
  sees_money := 'payments:read' = any (held);
  sees_people := 'users:read' = any (held);
  sees_shifts := 'shifts:read' = any (held);
  sees_games := 'games:read' = any (held);

  return (
    with
    place as materialized (
      select
        l.id,
        l.name,
        l.timezone,
        get_board.date::timestamp at time zone l.timezone as opens,
        (get_board.date + 1)::timestamp at time zone l.timezone as closes
      from public.locations as l
      where l.organization_id = get_board.organization_id
        and (get_board.location_id is null or l.id = get_board.location_id)
    ),
    booking as materialized (
      select
        b.session_id,
        bool_or(b.status <> 'held') as is_booked,
        array_agg(
          row(
            b.id,
            b.reference,
            b.status,
            case when sees_customers then contact.contact_name end,
            b.party_size,
            b.exclusive,
            case when sees_customers then contact.customer_note end,
            b.staff_note,
            b.currency,
            b.total_cents,
            balance.paid_cents,
            balance.refunded_cents,
            case when sees_money then private.booking_open(b) end,
            (
              select row(w.policy, w.signed, w.needed, w.missing)::public.waiver_progress
              from private.booking_waiver(b) as w
            ),
            (
              select k.minutes
              from public.late_arrivals as k
              where k.organization_id = b.organization_id and k.booking_id = b.id and k.session_id = b.session_id
            ),
            (
              select p.problem
              from public.booking_mail_problems as p
              where p.organization_id = b.organization_id and p.booking_id = b.id
            )
          )::public.board_booking
          order by b.created_at, b.id
        ) as bookings
      from place as p
      join public.rooms as r on r.organization_id = get_board.organization_id and r.location_id = p.id
      join public.bookings as b
        on b.organization_id = r.organization_id
        and b.room_id = r.id
        and b.starts_at >= p.opens
        and b.starts_at < p.closes
      left join public.booking_contacts as contact
        on contact.organization_id = b.organization_id and contact.booking_id = b.id
      left join lateral private.booking_balance(b.organization_id, b.id) as balance on sees_money
      where b.takes_capacity and coalesce(b.hold_expires_at > now(), true)
      group by b.session_id
    ),
    fit as materialized (
      select g.*
      from private.game_masters(
        get_board.organization_id, (select array_agg(b.session_id) from booking as b)
      ) as g
    ),
    person as materialized (
      select x.session_id, x.user_id, x.source, case when sees_people then f.full_name end as full_name
      from booking as b
      join public.session_staff as x
        on x.organization_id = get_board.organization_id and x.session_id = b.session_id
      join public.profiles as f on f.user_id = x.user_id
    ),
    session as materialized (
      select
        s.room_id,
        s.starts_at,
        s.id,
        staff.people is null as is_unassigned,
        row(
          s.id,
          s.starts_at,
          s.ends_at,
          s.occupied_until,
          to_char(s.starts_at at time zone p.timezone, 'HH24:MI'),
          s.mode,
          case when b.is_booked then 'booked' else 'held' end,
          s.capacity,
          s.seats_taken,
          b.bookings,
          staff.people is null,
          coalesce(staff.people, '{}'),
          -- Who could run it now; of interest while nobody does.
          case
            when sees_shifts and staff.people is null then array(
              select f.user_id
              from fit as f
              where f.session_id = s.id and f.is_skilled and f.is_on_shift and f.is_free
              order by f.user_id
            )
          end,
          case when sees_games then private.game_clock(s, clock_timestamp()) end
        )::public.board_session as entry
      from booking as b
      join public.sessions as s on s.organization_id = get_board.organization_id and s.id = b.session_id
      join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
      join place as p on p.id = r.location_id
      cross join lateral (
        select
          array_agg(
            row(
              x.user_id,
              x.full_name,
              x.source,
              case when sees_shifts then coalesce(f.is_skilled, false) end,
              case when sees_shifts then coalesce(f.is_on_shift, false) end
            )::public.board_person
            order by x.full_name, x.user_id
          ) as people
        from person as x
        left join fit as f on f.session_id = x.session_id and f.user_id = x.user_id
        where x.session_id = s.id
      ) as staff
    )
    select row(
      get_board.date,
      (select count(*) from session as s where s.is_unassigned),
      coalesce(
        array_agg(
          row(
            p.id,
            p.name,
            p.timezone,
            array(
              select row(
                r.id,
                r.name,
                array(select s.entry from session as s where s.room_id = r.id order by s.starts_at, s.id),
                array(
                  select row(k.id, k.starts_at, k.ends_at, k.reason)::public.board_block
                  from public.sessions as k
                  where k.organization_id = r.organization_id
                    and k.room_id = r.id
                    and k.mode = 'block'
                    and k.status = 'scheduled'
                    and k.starts_at < p.closes
                    and k.ends_at > p.opens
                  order by k.starts_at
                )
              )::public.board_room
              from public.rooms as r
              where r.organization_id = get_board.organization_id
                and r.location_id = p.id
                and (not r.is_archived or exists (select from session as s where s.room_id = r.id))
              order by r.name, r.id
            ),
            case
              when sees_shifts then array(
                select row(
                  h.id,
                  h.user_id,
                  case when sees_people then f.full_name end,
                  h.starts_at,
                  h.ends_at,
                  (select count(*) from person as x where x.user_id = h.user_id)
                )::public.board_shift
                from public.staff_shifts as h
                join private.active_memberships as m
                  on m.organization_id = h.organization_id and m.user_id = h.user_id
                join public.profiles as f on f.user_id = h.user_id
                where h.organization_id = get_board.organization_id
                  and h.location_id = p.id
                  and h.timezone = p.timezone
                  and h.starts_at > p.opens - interval '26 hours'
                  and h.starts_at < p.closes
                  and h.ends_at > p.opens
                order by h.starts_at, h.user_id
              )
            end
          )::public.board_location
          order by p.name, p.id
        ),
        '{}'
      )
    )::public.board
    from place as p
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_board is
  'definer: joins tables for an organization that the caller names, each under its own permission.';
grant execute on function private.get_board to authenticated;

create function public.get_board(organization_id uuid, date date, location_id uuid default null)
returns public.board
language sql
stable
set search_path = ''
as $$ select private.get_board(organization_id, date, location_id) $$;

comment on function public.get_board is
  'A day of a location, or of all, on its own clock. Sessions that start on the date and that somebody has booked (booked) or holds (held); blocks and shifts that touch it. For members with bookings:read; what takes a further permission is null without it. Errors: 403 permission_denied; 404 location_not_found; 422 date_invalid.';
grant execute on function public.get_board to authenticated;

-- =============================================================================
-- sql/80_messages/010_email_templates.sql
-- =============================================================================

-- An organization's own words in the mails that carry its name.

select private.permission_upsert(
  'templates:read', 'organization', false,
  'See the words of the mails', 'Ver los textos de los correos',
  array['admin', 'manager']
);
select private.permission_upsert(
  'templates:manage', 'organization', true,
  'Change the words of the mails', 'Cambiar los textos de los correos',
  array['admin', 'manager'],
  rests_in_visits => true
);

create table private.email_templates (
  name text not null,
  content_function text not null,
  counts_as text,
  constraint email_templates_pkey primary key (name),
  constraint email_templates_counts_as_is_known check (counts_as in ('visitor', 'desk', 'organization', 'notice'))
);

comment on table private.email_templates is
  'reference data. The mails that exist, each a row beside the function that says what it says: its name is that of its folder in the service.';
comment on column private.email_templates.content_function is
  'A function of private, (organization_id uuid, cause jsonb) returns jsonb: {locale, to: {name, email}, data, booking_id of a booking''s mail} as things stand now, or null when the mail must not be sent any more. cause is the payload of its job.';
comment on column private.email_templates.counts_as is
  'Whose allowance (private.mail_allowances.source) the mail is counted in when it is sent, and left out when that has no room; null: it was counted when it was asked for, or is not counted.';

create function private.email_template_upsert(name text, content_function text, counts_as text default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if to_regprocedure(format('private.%I(uuid, jsonb)', content_function)) is null then
    raise 'private.%(uuid, jsonb) is to say what % says: define it first', content_function, name;
  end if;
  insert into private.email_templates as t (name, content_function, counts_as)
  values (email_template_upsert.name, email_template_upsert.content_function, email_template_upsert.counts_as)
  on conflict on constraint email_templates_pkey do update
  set content_function = excluded.content_function,
    counts_as = excluded.counts_as;
end
$$;

comment on function private.email_template_upsert is
  'Describes one mail, after the function that says what it says. For the files of sql/ only.';

create table public.email_template_overrides (
  organization_id uuid not null default private.organization_with('templates:manage'),
  template text not null,
  locale text not null,
  subject text,
  body text,
  is_sent boolean not null default true,
  checked_at timestamptz,
  problem jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint email_template_overrides_pkey primary key (organization_id, template, locale),
  constraint email_template_overrides_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint email_template_overrides_template_fkey foreign key (template)
  references private.email_templates (name),
  constraint email_template_overrides_locale_is_supported check (private.is_locale(locale)),
  constraint email_template_overrides_says_something check (num_nonnulls(subject, body) > 0 or not is_sent),
  -- What somebody waits for, or a deadline depends on.
  constraint email_template_overrides_some_are_always_sent check (
    is_sent or template not in (
      'booking_to_confirm', 'my_bookings', 'voucher_issued', 'voucher_bought', 'waitlist_offer', 'invitation',
      'dispute_opened', 'subscription_overdue', 'share_to_pay'
    )
  ),
  constraint email_template_overrides_subject_is_a_line_of_1_to_200 check (private.is_line(subject, 200)),
  constraint email_template_overrides_body_is_a_text_of_1_to_5000 check (body <> '' and private.is_text(body, 5000))
);

comment on table public.email_template_overrides is
  'What a mail says in place of the product''s own subject and opening words. Its facts, its link and its footer stay. Texts with names and conditions in Jinja''s braces, nothing more: POST /v1/email-templates/preview checks and shows them. What is stored is tried by the service within moments: problem says what is wrong with words that cannot be used. They are left aside until they are changed, and the mail goes out with the product''s own.';
comment on column public.email_template_overrides.template is 'Which mail, as in the jobs of kind email.send.';
comment on column public.email_template_overrides.checked_at is 'When these words were tried; null: not yet. Written by the service only.';
comment on column public.email_template_overrides.problem is
  'Why these words are not used: {field (subject or body), line, problem (an English sentence)}; null: they are. Written by the service only.';
comment on column public.email_template_overrides.is_sent is
  'Whether the mail is sent in this language; false: only when staff send it themselves (resend_booking_email). What somebody waits for is always sent: booking_to_confirm, my_bookings, voucher_issued, voucher_bought, waitlist_offer, invitation, dispute_opened, subscription_overdue, share_to_pay.';
comment on column public.email_template_overrides.subject is 'Null: the product''s own.';
comment on column public.email_template_overrides.body is 'Plain text; an empty line begins a paragraph. Null: the product''s own.';

-- for: the foreign key
create index email_template_overrides_template_idx on public.email_template_overrides (template);

grant select, delete on public.email_template_overrides to authenticated;
grant insert (organization_id, template, locale, subject, body, is_sent) on public.email_template_overrides to authenticated;
grant update (subject, body, is_sent) on public.email_template_overrides to authenticated;

alter table public.email_template_overrides enable row level security;

create trigger email_template_overrides_clean_names
before insert or update of subject on public.email_template_overrides
for each row execute function private.clean_texts('names', 'subject');

create trigger email_template_overrides_clean_notes
before insert or update of body on public.email_template_overrides
for each row execute function private.clean_texts('notes', 'body');

create policy email_template_overrides_select on public.email_template_overrides
for select to authenticated
using (organization_id = (select private.organization_with('templates:read')));

create policy email_template_overrides_insert on public.email_template_overrides
for insert to authenticated
with check (organization_id = (select private.organization_with('templates:manage')));

create policy email_template_overrides_update on public.email_template_overrides
for update to authenticated
using (organization_id = (select private.organization_with('templates:manage')))
with check (organization_id = (select private.organization_with('templates:manage')));

create policy email_template_overrides_delete on public.email_template_overrides
for delete to authenticated
using (organization_id = (select private.organization_with('templates:manage')));

create trigger email_template_overrides_touch_updated_at
before update on public.email_template_overrides
for each row execute function private.touch_updated_at();

create function private.forget_email_check()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  new.checked_at := null;
  new.problem := null;
  return new;
end
$$;

comment on function private.forget_email_check is 'New words have not been tried, whatever was found of the old ones.';

create trigger forget_email_check
before insert or update of subject, body on public.email_template_overrides
for each row execute function private.forget_email_check();

create function private.check_email_words()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.check',
    jsonb_build_object(
      'organization_id', new.organization_id, 'template', new.template, 'locale', new.locale
    ),
    concat_ws(':', 'email.check', new.organization_id, new.template, new.locale),
    new.organization_id
  );
  return null;
end
$$;

comment on function private.check_email_words is
  'definer: queues work, which no client may. New words are tried by the service, which alone knows what a mail''s words may be.';

-- After the row, which row level security has let through by then: whoever may not write here must
-- not learn from the queue's refusal which organizations there are.
create trigger check_email_words
after insert or update of subject, body on public.email_template_overrides
for each row execute function private.check_email_words();

create type service.email_words as (
  template text,
  locale text,
  subject text,
  body text
);

comment on type service.email_words is 'An organization''s own words for a mail, which are to be tried.';
comment on column service.email_words.template is 'Of the mail.';
comment on column service.email_words.locale is 'one of: es, en, ca';
comment on column service.email_words.subject is 'null: the product''s.';
comment on column service.email_words.body is 'null: the product''s.';

create function private.read_email_words(job_id bigint, lease_token uuid)
returns service.email_words
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    select row(t.template, t.locale, t.subject, t.body)::service.email_words
    from private.jobs as j
    join public.email_template_overrides as t
      on t.organization_id = j.organization_id
      and t.template = j.payload ->> 'template'
      and t.locale = j.payload ->> 'locale'
    where j.id = read_email_words.job_id
      and j.lease_token = read_email_words.lease_token
      and j.status = 'running'
      and j.kind = 'email.check'
  );
end
$$;

comment on function private.read_email_words is 'definer: the service may read no table.';
grant execute on function private.read_email_words to service_role;

create function service.read_email_words(job_id bigint, lease_token uuid)
returns jsonb
language sql
stable
set search_path = ''
as $$ select to_jsonb(private.read_email_words(job_id, lease_token)) $$;

comment on function service.read_email_words is
  'An organization''s own words that a claimed job of kind email.check is to try; null when they are gone or the lease is lost. Answers service.email_words or null.';
grant execute on function service.read_email_words to service_role;

create function private.record_email_words(
  job_id bigint, lease_token uuid, subject text, body text, problem jsonb
)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update public.email_template_overrides as t
  set checked_at = now(), problem = record_email_words.problem
  from private.jobs as j
  left join private.email_messages as m on m.job_id = j.id
  where j.id = record_email_words.job_id
    and j.lease_token = record_email_words.lease_token
    and j.status = 'running'
    and j.kind in ('email.check', 'email.send')
    and t.organization_id = j.organization_id
    and t.template = j.payload ->> 'template'
    and t.locale = coalesce(m.locale, j.payload ->> 'locale')
    -- Changed meanwhile: other words, and another job to try them.
    and t.subject is not distinct from record_email_words.subject
    and t.body is not distinct from record_email_words.body;
end
$$;

comment on function private.record_email_words is 'definer: the service may write no table.';
grant execute on function private.record_email_words to service_role;

create function service.record_email_words(
  job_id bigint, lease_token uuid, subject text, body text, problem jsonb
)
returns void
language sql
volatile
set search_path = ''
as $$ select private.record_email_words(job_id, lease_token, subject, body, problem) $$;

comment on function service.record_email_words is
  'Tells the organization whether its own words for a mail can be used: problem null, or {field, line, problem}, as staff then see it in email_template_overrides. From a claimed job that tried them (email.check) or met them while sending (email.send); nothing happens when they have been changed since, or the lease is lost.';
grant execute on function service.record_email_words to service_role;

-- =============================================================================
-- sql/80_messages/020_content.sql
-- =============================================================================

-- The content of each mail: what it says, read anew in the moment of sending, and null when it must
-- not be sent any more. A row of private.email_templates beside each function names it.

create function private.confirmed_answers(booking public.bookings, fields jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'question', private.text_in(f.label, booking.locale),
          'answer', case f.kind
            when 'checkbox' then '✓'
            when 'select' then coalesce(
              (
                select private.text_in(choice.label, booking.locale)
                from jsonb_populate_recordset(null::public.field_choice, f.options) as choice
                where choice.value = fields ->> f.key
              ),
              fields ->> f.key
            )
            else fields ->> f.key
          end
        )
        order by f.position, f.key
      ),
      '[]'
    )
    from public.calendar_fields as f
    where f.organization_id = booking.organization_id
      and f.calendar_id = booking.calendar_id
      and f.in_confirmation
      and coalesce(fields ->> f.key, '') <> ''
      and fields -> f.key <> 'false'
      -- Anybody can type an answer and somebody else's address.
      and not private.holds_link(fields ->> f.key, bare => true)
  );
end
$$;

comment on function private.confirmed_answers is
  'Of the answers that came with a booking those that its mails repeat, [{question, answer}] in the booking''s language; one that holds a link is not repeated.';

create function private.booking_content(organization_id uuid, booking_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'booking_id', b.id,
      'locale', b.locale,
      'to', jsonb_build_object('name', contact.contact_name, 'email', c.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'contact_email', o.contact_email,
        'website', o.website,
        'logo_path', o.logo_path,
        'room_name', private.room_name(r, b.locale),
        'location_name', l.name,
        'address', place.address,
        'phone', place.phone,
        'arrival_hints', place.arrival_hints,
        'directions', place.directions,
        'latitude', place.latitude,
        'longitude', place.longitude,
        'place', place.line,
        'timezone', l.timezone,
        'starts_at', s.starts_at,
        'ends_at', s.ends_at,
        'party_size', b.party_size,
        'extras', (private.show_booking(b)).extras,
        'answers', private.confirmed_answers(b, contact.fields),
        'reference', b.reference,
        'manage_url_token', private.derived_token('booking', b.id::text),
        'waiver_token', (private.booking_waiver(b)).token,
        'check_in_code', private.check_in_code(b),
        'calendar_slug', k.slug,
        'site_url', k.site_url,
        'accent_color', k.accent_color,
        'currency', b.currency,
        'total_cents', b.total_cents,
        'paid_cents', balance.paid_cents,
        'open_cents', private.booking_open(b),
        'payable_cents', private.payable_online(b),
        'terms', private.booking_terms(b),
        'cancel_refund', b.cancel_refund,
        -- What waits for a bank's decision is not promised.
        'refund_cents', balance.paid_cents - private.booking_kept(b.organization_id, b.id) - (
          select coalesce(sum(way.amount_cents) filter (where way.disputed), 0)
          from unnest(private.refund_ways(b.organization_id, b.id)) as way
        ),
        'refunds', private.refund_ways(b.organization_id, b.id),
        'split', exists (
          select from private.share_payments as sp
          join public.payment_shares as share on share.organization_id = sp.organization_id and share.id = sp.share_id
          where sp.organization_id = b.organization_id and share.booking_id = b.id
        ),
        'lost_cents', private.booking_lost(b.organization_id, b.id)
      )
    )
    from public.bookings as b
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    join public.booking_contacts as contact on contact.organization_id = b.organization_id and contact.booking_id = b.id
    join public.customers as c on c.organization_id = b.organization_id and c.id = b.customer_id
    join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    join public.organizations as o on o.id = b.organization_id
    left join lateral private.managing_calendar(b) as k on true
    cross join private.booking_balance(b.organization_id, b.id) as balance
    cross join private.booking_place(b) as place
    where b.organization_id = booking_content.organization_id
      and b.id = booking_content.booking_id
      and c.erased_at is null
  );
end
$$;

comment on function private.booking_content is
  'What every mail about a booking says, as things stand now: {booking_id, locale, to, data}; null without such a booking. refunds: by which way the money goes back, as private.refund_ways says; terms: what was agreed about cancelling; payable_cents: what the link asks for; split: whether others paid shares of it; lost_cents: what the customer''s bank gave back after a dispute.';

create function private.with_data(mail jsonb, data jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_set(with_data.mail, '{data}', with_data.mail -> 'data' || with_data.data);
end
$$;

comment on function private.with_data is 'The mail with more data; null without a mail.';

create function private.told_until(told public.booking_history)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(
    -- What the newest mail that left was about; the customer knows the booking as it was then.
    (
      select max(h.occurred_at)
      from private.jobs as j
      join private.email_messages as m on m.job_id = j.id and m.sent_at is not null
      join public.booking_history as h
        on h.organization_id = j.organization_id and h.id = (j.payload ->> 'history_id')::uuid
      where j.kind = 'email.send'
        and j.organization_id = told.organization_id
        and j.payload ->> 'booking_id' = told.booking_id::text
        and h.occurred_at < told.occurred_at
    ),
    -- A change before the confirmation was never announced: the confirmation told what was so then.
    (
      select max(c.occurred_at)
      from public.booking_history as c
      where c.organization_id = told.organization_id
        and c.booking_id = told.booking_id
        and c.to_status = 'confirmed'
        and c.change is null
        and c.occurred_at < told.occurred_at
    ),
    '-infinity'
  );
end
$$;

comment on function private.told_until is
  'Until when the customer knows what became of the booking, when the mail about this step of it is written.';

create function private.untold_changes(told public.booking_history)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  first jsonb;
  last jsonb;
begin
  select
    jsonb_object_agg(field.key, field.value -> 0 order by h.occurred_at desc),
    jsonb_object_agg(field.key, field.value -> 1 order by h.occurred_at)
  into first, last
  from public.booking_history as h
  cross join jsonb_each(h.change) as field
  where h.organization_id = told.organization_id
    and h.booking_id = told.booking_id
    and h.occurred_at <= told.occurred_at
    and h.occurred_at > private.told_until(told);
  return (
    select jsonb_object_agg(f.key, jsonb_build_array(f.value, l.value))
    from jsonb_each(first) as f
    join jsonb_each(last) as l on l.key = f.key
    where f.value <> l.value
  );
end
$$;

comment on function private.untold_changes is
  'All that the mail about a change has to tell, as public.booking_history keeps it: that change and those before it that no mail told; null when they undo each other.';

create function private.untold_refunds(told public.booking_history)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  ways private.refund_way [] := private.refund_ways(
    told.organization_id, told.booking_id, 'changed', promised_after => private.told_until(told)
  );
begin
  return jsonb_build_object(
    'refunds', ways,
    -- What waits for a bank's decision is not promised.
    'refund_cents', (select coalesce(sum(way.amount_cents) filter (where not way.disputed), 0) from unnest(ways) as way)
  );
end
$$;

comment on function private.untold_refunds is
  'The refunds that the mail about a change has to tell, {refunds, refund_cents}: those of that change and of those before it that no mail told; the others have mails of their own.';

create function private.present_content(organization_id uuid, booking_id uuid, template text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object(
        'event_id', event.uid,
        'event_at', event.updated_at,
        -- As it is now: a calendar that has this version already keeps what it has.
        'event_version', event.sequence,
        'cancelled_by_customer', b.status = 'cancelled' and exists (
          select from public.booking_history as h
          where h.organization_id = b.organization_id
            and h.booking_id = b.id
            and h.to_status = 'cancelled'
            and h.actor_kind = 'customer'
        ),
        'previous', null
      )
    )
    from public.bookings as b
    cross join private.booking_event(b.organization_id, b.id, 'infinity') as event
    where b.organization_id = present_content.organization_id
      and b.id = present_content.booking_id
      and case present_content.template
        when 'booking_confirmed' then b.status in ('confirmed', 'checked_in', 'in_progress')
        when 'booking_cancelled' then b.status = 'cancelled' and b.merged_into_id is null
      end
  );
end
$$;

comment on function private.present_content is
  'What a mail that is sent again says: booking_confirmed or booking_cancelled, as the booking is now; null when it is not so any more.';

create function private.announcement_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  told public.booking_history;
  change jsonb;
  event public.booking_event;
begin
  if not cause ? 'history_id' then
    -- Asked for once more, about nothing new.
    return private.present_content(
      announcement_content.organization_id, (cause ->> 'booking_id')::uuid, cause ->> 'template'
    );
  end if;
  select h.* into told
  from public.booking_history as h
  where h.organization_id = announcement_content.organization_id
    and h.id = (cause ->> 'history_id')::uuid
    -- The news must still be news: nothing later has taken it back or told it anew. A change
    -- takes nothing from a confirmation, which says what is so now.
    and not exists (
      select from public.booking_history as later
      where later.organization_id = h.organization_id
        and later.booking_id = h.booking_id
        and later.occurred_at > h.occurred_at
        and later.to_status in ('confirmed', 'cancelled', 'expired', 'no_show')
        and (later.change is null or h.change is not null)
        and not private.is_undo(later.from_status, later.to_status)
    );
  if not found then
    return null;
  end if;
  if told.change is not null then
    change := private.untold_changes(told);
    if change is null then
      return null; -- moved, and moved back
    end if;
  end if;
  event := private.booking_event(told.organization_id, told.booking_id, told.occurred_at);
  return private.with_data(
    private.booking_content(told.organization_id, told.booking_id),
    jsonb_build_object(
      -- The event in the reader's calendar: the same for ever, its versions counted.
      'event_id', event.uid,
      'event_at', event.updated_at,
      'event_version', event.sequence,
      'cancelled_by_customer', told.to_status = 'cancelled' and told.actor_kind = 'customer',
      'previous', case when change is not null then jsonb_build_object(
        'starts_at', change #> '{starts_at,0}',
        'party_size', change #> '{party_size,0}',
        'extras', change #> '{extras,0}',
        'total_cents', change #> '{total_cents,0}',
        'room_name', (
          select private.room_name(r, b.locale)
          from public.bookings as b
          join public.rooms as r on r.organization_id = b.organization_id and r.id::text = change #>> '{room_id,0}'
          where b.organization_id = told.organization_id and b.id = told.booking_id
        )
      ) end
    ) || case when change is null then '{}' else private.untold_refunds(told) end
  );
end
$$;

comment on function private.announcement_content is
  'What a mail about a booking that was confirmed, changed or cancelled says now; null when it must not be sent any more. event_version counts what happened before; cancelled_by_customer: who cancelled, else the venue did; previous: what was so when the customer was last written to, of what is otherwise now.';

select private.email_template_upsert('booking_confirmed', 'announcement_content');
select private.email_template_upsert('booking_cancelled', 'announcement_content');
select private.email_template_upsert('booking_rescheduled', 'announcement_content');

create function private.late_money_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object(
        'refund_cents', sum(q.amount_cents),
        'refunds', private.refund_ways(b.organization_id, b.id, 'paid_late')
      )
    )
    from public.bookings as b
    join private.refund_requests as q on q.organization_id = b.organization_id and q.booking_id = b.id
    where b.organization_id = late_money_content.organization_id
      and b.id = (cause ->> 'booking_id')::uuid
      -- Somebody may have found it a place after all.
      and not b.takes_capacity
      and q.reason = 'paid_late'
      and q.status in ('pending', 'succeeded')
    group by b.organization_id, b.id
  );
end
$$;

comment on function private.late_money_content is
  'What a mail about money that came too late and goes back says; null when none does.';

select private.email_template_upsert('booking_paid_late', 'late_money_content');

create function private.waitlist_offer_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object(
        'expires_at', b.hold_expires_at,
        'due_now_cents', b.due_now_cents,
        'waitlist_token', private.derived_token('waitlist', e.id::text)
      )
    )
    from public.waitlist_entries as e
    join public.bookings as b on b.organization_id = e.organization_id and b.id = e.booking_id
    where e.organization_id = waitlist_offer_content.organization_id
      and e.id = (cause ->> 'entry_id')::uuid
      and e.booking_id = (cause ->> 'booking_id')::uuid
      and e.status = 'offered'
      and b.hold_expires_at > now()
  );
end
$$;

comment on function private.waitlist_offer_content is
  'What the mail says that offers a place to somebody who waits; null when the offer was taken, given back or is over.';

select private.email_template_upsert('waitlist_offer', 'waitlist_offer_content');

create function private.waitlist_joined_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', e.locale,
      'to', jsonb_build_object('name', e.contact_name, 'email', c.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'contact_email', o.contact_email,
        'website', o.website,
        'logo_path', o.logo_path,
        'room_name', private.room_name(r, e.locale),
        'from_date', e.from_date,
        'to_date', e.to_date,
        'starts_at', e.starts_at,
        'timezone', coalesce(place.timezone, o.timezone),
        'party_size', e.party_size,
        'offer_minutes', k.waitlist_minutes,
        'waitlist_token', private.derived_token('waitlist', e.id::text),
        'calendar_slug', k.slug,
        'site_url', k.site_url,
        'accent_color', k.accent_color
      )
    )
    from public.waitlist_entries as e
    join public.customers as c on c.organization_id = e.organization_id and c.id = e.customer_id
    join public.organizations as o on o.id = e.organization_id
    join public.calendars as k on k.organization_id = e.organization_id and k.id = e.calendar_id
    left join public.rooms as r on r.organization_id = e.organization_id and r.id = e.room_id
    -- The clock on which a start that is waited for is read: the room's, or one of those sold.
    left join lateral (
      select l.timezone
      from public.calendar_rooms as cr
      join public.rooms as sold on sold.organization_id = cr.organization_id and sold.id = cr.room_id
      join public.locations as l on l.organization_id = sold.organization_id and l.id = sold.location_id
      where cr.organization_id = e.organization_id
        and cr.calendar_id = e.calendar_id
        and sold.id = coalesce(e.room_id, sold.id)
      order by sold.is_published desc, sold.id
      limit 1
    ) as place on true
    where e.organization_id = waitlist_joined_content.organization_id
      and e.id = (cause ->> 'entry_id')::uuid
      and e.status = 'waiting'
      and e.waits_until > now()
      and c.erased_at is null
  );
end
$$;

comment on function private.waitlist_joined_content is
  'What the mail says that confirms a place in the waiting list; null when somebody has left it, or was offered a place, which has a mail of its own. Dates are the venue''s; room_name null: any room; starts_at null: any time; offer_minutes: how long an offer is held.';

select private.email_template_upsert('waitlist_joined', 'waitlist_joined_content');

create function private.held_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object('expires_at', b.hold_expires_at, 'due_now_cents', b.due_now_cents)
    )
    from public.bookings as b
    where b.organization_id = held_content.organization_id
      and b.id = (cause ->> 'booking_id')::uuid
      and b.status = 'held'
      and b.hold_expires_at > now()
      and b.due_now_cents > private.booking_kept(b.organization_id, b.id)
      -- Nothing can be paid there any more.
      and not private.venue_is_closed(b.organization_id)
  );
end
$$;

comment on function private.held_content is
  'What the mail says that brings somebody back to a hold that is to be paid; null when it was paid, let go or has lapsed.';

select private.email_template_upsert('booking_held', 'held_content', counts_as => 'visitor');

create function private.pending_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object('expires_at', b.hold_expires_at, 'due_now_cents', b.due_now_cents)
    )
    from public.bookings as b
    where b.organization_id = pending_content.organization_id
      and b.id = (cause ->> 'booking_id')::uuid
      and b.status = 'pending'
      and b.hold_expires_at > now()
      and not private.venue_is_closed(b.organization_id)
  );
end
$$;

comment on function private.pending_content is
  'What the mail says about a booking by staff that waits for its payment; null when it was confirmed, cancelled or has lapsed.';

select private.email_template_upsert('booking_pending', 'pending_content');

create function private.confirmation_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object(
        'expires_at', b.hold_expires_at,
        'confirmation_token', private.derived_token('confirmation', b.id::text)
      )
    )
    from public.bookings as b
    where b.organization_id = confirmation_content.organization_id
      and b.id = (cause ->> 'booking_id')::uuid
      and b.hold_expires_at > now()
      and private.awaits_confirmation(b)
  );
end
$$;

comment on function private.confirmation_content is
  'What the mail says whose link confirms a booking; null when it was confirmed, let go or has lapsed.';

select private.email_template_upsert('booking_to_confirm', 'confirmation_content');

create function private.invitation_content(organization_id uuid, cause jsonb)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'locale', i.locale,
    'to', jsonb_build_object('name', '', 'email', i.email),
    'data', jsonb_build_object(
      'organization_name', o.name,
      'role_name', r.name,
      'invitation_token', private.derived_token('invitation', i.id::text),
      'expires_at', i.expires_at,
      'timezone', o.timezone
    )
  )
  from public.invitations as i
  join public.organizations as o on o.id = i.organization_id
  join public.roles as r on r.organization_id = i.organization_id and r.id = i.role_id
  where i.organization_id = invitation_content.organization_id
    and i.id = (cause ->> 'invitation_id')::uuid
    and i.accepted_at is null
    and i.revoked_at is null
    and i.expires_at > now()
$$;

comment on function private.invitation_content is
  'What an invitation''s mail says; no row when it was accepted, replaced or revoked, or has expired.';

select private.email_template_upsert('invitation', 'invitation_content');

create function private.voucher_went_back(voucher public.vouchers)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return voucher.balance_cents = 0 and exists (
    select from public.voucher_entries as e
    where e.organization_id = voucher.organization_id and e.voucher_id = voucher.id and e.kind = 'revoked'
  );
end
$$;

comment on function private.voucher_went_back is 'Whether what is left of a bought voucher was given back, so that its code is worth nothing.';

create function private.voucher_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', v.locale,
      'to', jsonb_build_object('name', v.recipient_name, 'email', v.recipient_email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'contact_email', o.contact_email,
        'website', o.website,
        'logo_path', o.logo_path,
        'code', v.code,
        'currency', v.currency,
        'initial_cents', (
          select e.amount_cents
          from public.voucher_entries as e
          where e.organization_id = v.organization_id and e.voucher_id = v.id and e.kind = 'issued'
        ),
        'valid_until', v.valid_until,
        'recipient_name', v.recipient_name,
        'message', v.message,
        -- Of one that was bought online.
        'buyer_name', b.buyer_name,
        'product', private.text_in(b.product_names, v.locale),
        'terms', b.accepted_terms,
        'calendar_slug', k.slug,
        'site_url', k.site_url,
        'accent_color', k.accent_color
      )
    )
    from public.vouchers as v
    join public.organizations as o on o.id = v.organization_id
    left join public.voucher_orders as b on b.organization_id = v.organization_id and b.voucher_id = v.id
    left join lateral (
      select c.slug, c.site_url, c.accent_color
      from public.calendars as c
      where c.organization_id = v.organization_id and c.is_active
      order by c.created_at, c.id
      limit 1
    ) as k on true
    where v.organization_id = voucher_content.organization_id
      and v.id = (cause ->> 'voucher_id')::uuid
      and v.status = 'active'
      and v.recipient_email is not null
      and not private.voucher_went_back(v)
      -- Of the one of before a dispute and the one that was queued after it, one is sent.
      and (cause ? 'resent' or not private.voucher_mail_left(v.organization_id, v.id, cause ->> 'released'))
  );
end
$$;

comment on function private.voucher_content is
  'What the mail with a gift voucher says; no row when it was cancelled, given back or blocked, or names nobody to write to.';

select private.email_template_upsert('voucher_issued', 'voucher_content');

create function private.bought_voucher_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', b.locale,
      'to', jsonb_build_object('name', b.buyer_name, 'email', b.buyer_email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'contact_email', o.contact_email,
        'website', o.website,
        'logo_path', o.logo_path,
        'code', v.code,
        'currency', b.currency,
        'amount_cents', b.amount_cents,
        'product', private.text_in(b.product_names, b.locale),
        'valid_until', v.valid_until,
        'recipient_name', b.recipient_name,
        'recipient_email', b.recipient_email,
        'message', b.message,
        'buyer_name', b.buyer_name,
        'terms', b.accepted_terms,
        'deliver_on', b.deliver_on,
        'calendar_slug', c.slug,
        'site_url', c.site_url,
        'accent_color', c.accent_color
      )
    )
    from public.voucher_orders as b
    join public.organizations as o on o.id = b.organization_id
    join public.vouchers as v on v.organization_id = b.organization_id and v.id = b.voucher_id
    left join public.calendars as c
      on c.organization_id = b.organization_id and c.id = b.calendar_id and c.is_active
    where b.organization_id = bought_voucher_content.organization_id
      and b.id = (cause ->> 'voucher_order_id')::uuid
      and v.status = 'active'
      and not private.voucher_went_back(v)
  );
end
$$;

comment on function private.bought_voucher_content is
  'What the mail to the buyer of a gift voucher says; no row when it went back meanwhile, or the buyer was erased.';

select private.email_template_upsert('voucher_bought', 'bought_voucher_content');

create function private.dispute_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', f.locale,
      'to', jsonb_build_object('name', f.full_name, 'email', f.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'reference', d.reference,
        'currency', d.currency,
        'amount_cents', d.amount_cents,
        'reason', d.reason,
        'respond_by', d.respond_by,
        'timezone', o.timezone,
        'delivery_held', d.delivery_held
      )
    )
    from (
      select
        p.organization_id, p.id, b.reference, p.currency,
        -- Of all bookings that were paid at once.
        (
          select sum(x.amount_cents)
          from public.disputes as x
          where x.organization_id = p.organization_id and x.provider_dispute_id = p.provider_dispute_id
        )::bigint as amount_cents,
        p.reason, p.respond_by, p.status,
        false as delivery_held
      from public.disputes as p
      join public.bookings as b on b.organization_id = p.organization_id and b.id = p.booking_id
      union all
      -- Of a voucher's code its end: who has all of it can pay.
      select
        p.organization_id, p.id, '…-' || right(v.code, 4), p.currency, p.amount_cents, p.reason, p.respond_by, p.status,
        v.status = 'blocked'
        and b.recipient_email is not null
        and not private.voucher_mail_left(b.organization_id, b.voucher_id, '')
      from public.voucher_disputes as p
      join public.voucher_orders as b on b.organization_id = p.organization_id and b.id = p.order_id
      join public.vouchers as v on v.organization_id = b.organization_id and v.id = b.voucher_id
    ) as d
    join public.organizations as o on o.id = d.organization_id
    join public.memberships as m on m.organization_id = d.organization_id and m.status = 'active'
    join public.profiles as f on f.user_id = m.user_id
    where d.organization_id = dispute_content.organization_id
      and d.id = coalesce(cause ->> 'dispute_id', cause ->> 'voucher_dispute_id')::uuid
      and d.status not in ('won', 'lost', 'warning_closed')
      and m.user_id = (cause ->> 'user_id')::uuid
  );
end
$$;

comment on function private.dispute_content is
  'What the mail says that tells an owner of a disputed payment; null when the dispute is over or the owner has left.';

select private.email_template_upsert('dispute_opened', 'dispute_content');

create function private.overdue_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', f.locale,
      'to', jsonb_build_object('name', f.full_name, 'email', f.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'currency', s.currency,
        'due_cents', s.due_cents,
        'writes_end_at', o.writes_end_at,
        'timezone', o.timezone
      )
    )
    from public.subscriptions as s
    join public.organizations as o on o.id = s.organization_id
    join private.active_memberships as m on m.organization_id = s.organization_id
    join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
    join public.profiles as f on f.user_id = m.user_id
    where s.organization_id = overdue_content.organization_id
      and s.overdue_since = (cause ->> 'overdue_since')::timestamptz
      and s.currency is not null
      and o.writes_end_at is not null
      and o.status <> 'closed'
      and r.key = 'owner'
      and m.user_id = (cause ->> 'user_id')::uuid
  );
end
$$;

comment on function private.overdue_content is
  'What the mail says that tells an owner of an overdue subscription; null when it was paid meanwhile, or the owner is none any more.';

select private.email_template_upsert('subscription_overdue', 'overdue_content');

-- =============================================================================
-- sql/80_messages/030_readdressed.sql
-- =============================================================================

-- Addresses that come to a customer after the booking: by hand, or from a customer who is merged.
--
-- Where somebody types an address with a booking, its mails are asked for there. A booking without one
-- asks for none, and is mailed to whatever address its customer has later. So that is asked for in the
-- moment in which it comes, and what was paid or proven before says nothing of it.

create table private.readdressed_customers (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  customer_id uuid not null,
  readdressed_at timestamptz not null default now(),
  constraint readdressed_customers_pkey primary key (organization_id, id),
  constraint readdressed_customers_customer_fkey foreign key (organization_id, customer_id)
  references public.customers (organization_id, id) on delete cascade
);

comment on table private.readdressed_customers is
  'Customers with bookings or places in a waiting list that were made under another address than the present one, or under none. Merging two of them leaves two rows.';

-- for: the foreign key, and private.is_readdressed
create index readdressed_customers_customer_id_idx on private.readdressed_customers (organization_id, customer_id);

create function private.is_readdressed(organization_id uuid, customer_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from private.readdressed_customers as r
    where r.organization_id = is_readdressed.organization_id and r.customer_id = is_readdressed.customer_id
  );
end
$$;

comment on function private.is_readdressed is
  'Whether mails about a customer''s bookings may go to another address than they were made under.';

create function private.readdress_customer(organization_id uuid, customer_id uuid, email text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if readdress_customer.email is null
    or not exists (
      select from public.bookings as b
      where b.organization_id = readdress_customer.organization_id and b.customer_id = readdress_customer.customer_id
    )
    and not exists (
      select from public.waitlist_entries as e
      where e.organization_id = readdress_customer.organization_id and e.customer_id = readdress_customer.customer_id
    )
  then
    return; -- nothing to write about
  end if;
  if not private.is_readdressed(readdress_customer.organization_id, readdress_customer.customer_id) then
    insert into private.readdressed_customers (organization_id, customer_id)
    values (readdress_customer.organization_id, readdress_customer.customer_id);
  end if;
  perform private.limit_mail(readdress_customer.organization_id, readdress_customer.email, 'desk');
end
$$;

comment on function private.readdress_customer is
  'Notes that a customer''s bookings have another address from now on, and asks for mail to it. Raises 429 mail_limit_reached (details {"limit", "maximum"}).';

create function private.follow_customer_email()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.readdress_customer(new.organization_id, new.id, new.email);
  return null;
end
$$;

comment on function private.follow_customer_email is
  'definer: counts mails and notes where they go, which no client may. Raises 429 mail_limit_reached (details {"limit", "maximum"}).';

create trigger follow_customer_email
after update of email on public.customers
for each row when (new.email is distinct from old.email and new.erased_at is null)
execute function private.follow_customer_email();

create function private.follow_customer_merge()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.readdress_customer(c.organization_id, c.id, c.email)
  from public.customers as c
  where c.organization_id = new.organization_id and c.id = new.customer_id;
  return null;
end
$$;

comment on function private.follow_customer_merge is
  'definer: counts mails and notes where they go, which no client may. Raises 429 mail_limit_reached (details {"limit", "maximum"}).';

create trigger follow_customer_merge
after insert on private.customer_merges
for each row execute function private.follow_customer_merge();

-- =============================================================================
-- sql/80_messages/040_recipients.sql
-- =============================================================================

-- Who writes down where a mail goes, and who erases it, take turns: however close the two are, nothing
-- of an erased customer stays.

create function private.lock_recipients(organization_id uuid, erasing boolean)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  key bigint := hashtextextended('recipients:' || lock_recipients.organization_id, 0);
begin
  if erasing then
    perform pg_advisory_xact_lock(key);
  else
    perform pg_advisory_xact_lock_shared(key);
  end if;
end
$$;

comment on function private.lock_recipients is
  'Until the transaction ends, an erasure is alone with the recipients of an organization''s mails; mails keep only erasures out. Taken before every other lock.';

-- =============================================================================
-- sql/80_messages/050_email.sql
-- =============================================================================

-- E-mail: who is written to, when a mail may still be sent, and what became of it.
--
-- Exactly one mail a cause:
--   the cause       writes the job in its own transaction, under a key that e-mails keep
--                   for ever.
--   prepare_email   re-reads the state. A mail whose cause has been overtaken (confirmed,
--                   then cancelled) is dropped; one that was recorded is not sent again.
--   the provider    is given an idempotency key made from the job's id. Killed after it
--                   took the mail: the next attempt presents the same key, and the
--                   provider sends nothing.
--   record_email    ties the provider's message to the job, once.

create table private.email_messages (
  job_id bigint not null,
  organization_id uuid,
  booking_id uuid,
  template text not null,
  locale text not null,
  recipient text not null,
  prepared_under uuid [] not null default '{}',
  status text not null default 'prepared',
  provider text,
  provider_message_id text,
  sent_at timestamptz,
  delivered_at timestamptz,
  opened_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint email_messages_pkey primary key (job_id),
  constraint email_messages_job_fkey foreign key (job_id) references private.jobs (id) on delete cascade,
  constraint email_messages_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint email_messages_status_is_known
  check (status in ('prepared', 'suppressed', 'limited', 'sent', 'delivered', 'bounced', 'complained', 'failed')),
  constraint email_messages_sent_names_the_message check (sent_at is null or provider_message_id is not null)
);

comment on table private.email_messages is 'The log of mails: one row a job, and no text of any.';
comment on column private.email_messages.prepared_under is
  'The leases under which it was handed out: only whoever held one of them knows that it left.';
comment on column private.email_messages.delivered_at is 'When the provider first said that it was delivered.';
comment on column private.email_messages.opened_at is
  'When the provider first said that it was opened, or a link of it; many programs hide that.';
comment on column private.email_messages.status is
  'prepared (handed to the worker), suppressed (the address bounced or complained before), limited (its mailbox was sent enough that day), sent (the provider took it), then what the provider reports.';

-- for: the foreign key, and the mails of a booking
create index email_messages_booking_id_idx on private.email_messages (organization_id, booking_id);
-- for: public.booking_emails, and private.mail_pause
create index jobs_booking_mails_idx on private.jobs (organization_id, (payload ->> 'booking_id'), id)
where kind = 'email.send';
-- for: private.follow_email_events
create index email_messages_provider_message_id_idx on private.email_messages (provider_message_id)
where provider_message_id is not null;

create trigger email_messages_touch_updated_at
before update on private.email_messages
for each row execute function private.touch_updated_at();

create table private.email_events (
  id text not null,
  type text not null,
  provider_message_id text,
  occurred_at timestamptz not null,
  received_at timestamptz not null default now(),
  constraint email_events_pkey primary key (id)
);

comment on table private.email_events is 'The inbox of Resend''s webhooks: every event once, by the id in its svix-id header, without its content.';

-- for: private.follow_email_events
create index email_events_provider_message_id_idx on private.email_events (provider_message_id, occurred_at desc)
where provider_message_id is not null;

create table private.email_suppressions (
  email text not null,
  reason text not null,
  created_at timestamptz not null default now(),
  constraint email_suppressions_pkey primary key (email),
  constraint email_suppressions_reason_is_known check (reason in ('bounced', 'complained')),
  constraint email_suppressions_email_is_lower_case check (email = lower(email))
);

comment on table private.email_suppressions is
  'Addresses that nothing is sent to any more. Of the platform, not of a tenant: all mails leave from one sender, whose reputation a second bounce harms.';

create function private.mail_is_wanted(organization_id uuid, booking_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  -- What staff write down as paid costs nobody anything, and proves nothing.
  return exists (
    select from public.payments as p
    where p.organization_id = mail_is_wanted.organization_id
      and p.booking_id = mail_is_wanted.booking_id
      and p.method = 'stripe'
  ) or exists (
    select from private.booking_confirmations as c
    where c.organization_id = mail_is_wanted.organization_id
      and c.booking_id = mail_is_wanted.booking_id
      and c.confirmed_at is not null
  );
end
$$;

comment on function private.mail_is_wanted is
  'Whether a booking''s mails are its customer''s own wish: it was paid online, or confirmed by the link in its mail.';

create function private.mail_source(job private.jobs)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  customer_id uuid;
  caused_by text;
begin
  customer_id := coalesce(
    (
      select b.customer_id from public.bookings as b
      where b.organization_id = job.organization_id and b.id = (job.payload ->> 'booking_id')::uuid
    ),
    (
      select e.customer_id from public.waitlist_entries as e
      where e.organization_id = job.organization_id and e.id = (job.payload ->> 'entry_id')::uuid
    )
  );
  if private.is_readdressed(job.organization_id, customer_id) then
    return 'desk';
  elsif not job.payload ?| array['history_id', 'rule_id', 'payment_id', 'refund_request_id', 'refund_id', 'lapses', 'changed_at']
    or private.mail_is_wanted(
    job.organization_id, (job.payload ->> 'booking_id')::uuid
  ) then
    return null;
  elsif not job.payload ? 'history_id' then
    -- Nobody asked for it; whoever typed the address did so with the booking.
    return (
      select case b.source when 'widget' then 'visitor' else 'desk' end
      from public.bookings as b
      where b.organization_id = job.organization_id and b.id = (job.payload ->> 'booking_id')::uuid
    );
  end if;
  select h.actor_kind into caused_by
  from public.booking_history as h
  where h.organization_id = job.organization_id and h.id = (job.payload ->> 'history_id')::uuid;
  return case caused_by when 'customer' then 'visitor' else 'desk' end;
end
$$;

comment on function private.mail_source is
  'Whose allowance counts a mail when it is sent, as in private.mail_allowances; null: it was counted when it was asked for, or is wanted.';

create function private.mailbox_has_room(job private.jobs, template private.email_templates, email text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  source text := private.mail_source(job);
begin
  return (
    template.counts_as is null
    or private.mail_fits(job.organization_id, mailbox_has_room.email, template.counts_as)
  ) and (
    source is null
    or private.sent_mail_fits(job.organization_id, mailbox_has_room.email, source)
  );
end
$$;

comment on function private.mailbox_has_room is
  'Counts a mail that is about to be sent, and answers whether the allowance has room for it.';

create type service.recipient as (
  name text,
  email text
);

comment on type service.recipient is 'Whom a mail goes to.';
comment on column service.recipient.name is 'As it is written on the mail.';
comment on column service.recipient.email is 'The address.';

create type service.email_override as (
  subject text,
  body text
);

comment on type service.email_override is 'An organization''s own words for a mail.';
comment on column service.email_override.subject is 'null: the product''s.';
comment on column service.email_override.body is 'null: the product''s.';

create type service.prepared_email as (
  template text,
  locale text,
  "to" service.recipient,
  data jsonb,
  override service.email_override,
  sender_address text
);

comment on type service.prepared_email is 'What a mail says now.';
comment on column service.prepared_email.template is 'Of the mail.';
comment on column service.prepared_email.locale is 'one of: es, en, ca';
comment on column service.prepared_email."to" is 'Whom it goes to.';
comment on column service.prepared_email.data is 'What the template shows, by its own names; amounts in minor units, instants in UTC, timezone the venue''s.';
comment on column service.prepared_email.override is 'null: the product''s words, or the organization''s are known to be unusable.';
comment on column service.prepared_email.sender_address is 'From which address of the organization''s own it comes; null: the platform''s.';

create function private.prepare_email(job_id bigint, lease_token uuid)
returns service.prepared_email
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs;
  template private.email_templates;
  mail jsonb;
  logged private.email_messages;
  held_back text;
begin
  perform private.act_as('system', null);
  select j.* into job
  from private.jobs as j
  where j.id = prepare_email.job_id
    and j.lease_token = prepare_email.lease_token
    and j.status = 'running'
    and j.kind = 'email.send';
  if not found then
    return null;
  end if;
  select m.* into logged
  from private.email_messages as m
  where m.job_id = job.id;
  if logged.sent_at is not null or logged.status = 'limited' then
    return null;
  end if;

  -- Either an erasure sees what is written here, or this reads what it has left.
  perform private.lock_recipients(job.organization_id, erasing => false);
  select t.* into template
  from private.email_templates as t
  where t.name = job.payload ->> 'template';
  if not found then
    -- Not null, which would end the job as if there were nothing to say.
    perform private.fail('template_unknown', 422, 'Give private.email_templates a row that says what this mail says.');
  end if;
  execute format('select private.%I($1, $2)', template.content_function)
  into mail
  using job.organization_id, job.payload;
  -- Nobody to write to: a customer without an address.
  if mail #>> '{to,email}' is null then
    return null;
  end if;
  -- What staff send again they want to be sent.
  if job.dedupe_key not like 'resent:%' and exists (
    select from public.email_template_overrides as t
    where t.organization_id = job.organization_id
      and t.template = template.name
      and t.locale = mail ->> 'locale'
      and not t.is_sent
  ) then
    return null;
  end if;

  held_back := case
    when exists (select from private.email_suppressions as s where s.email = lower(mail #>> '{to,email}'))
      then 'suppressed'
    -- Once a mail: what was prepared before has been counted.
    when logged.job_id is null and not private.mailbox_has_room(job, template, mail #>> '{to,email}') then 'limited'
  end;
  insert into private.email_messages as m (
    job_id, organization_id, booking_id, template, locale, recipient, prepared_under, status
  )
  values (
    job.id, job.organization_id, (mail ->> 'booking_id')::uuid, template.name, mail ->> 'locale',
    mail #>> '{to,email}', array[job.lease_token], coalesce(held_back, 'prepared')
  )
  on conflict on constraint email_messages_pkey do update
  set locale = excluded.locale,
    recipient = excluded.recipient,
    prepared_under = m.prepared_under || excluded.prepared_under,
    status = excluded.status;
  if held_back is not null then
    return null;
  end if;

  return row(
    template.name,
    mail ->> 'locale',
    jsonb_populate_record(null::service.recipient, mail -> 'to'),
    mail -> 'data',
    (
      select row(t.subject, t.body)::service.email_override
      from public.email_template_overrides as t
      where t.organization_id = job.organization_id
        and t.template = template.name
        and t.locale = mail ->> 'locale'
        and t.problem is null
    ),
    -- What the venue says itself, and not what the platform says to those who work there.
    case when mail -> 'data' ? 'contact_email' then private.own_sender(job.organization_id) end
  )::service.prepared_email;
end
$$;

comment on function private.prepare_email is
  'definer: the service may read no table. Reads the state anew, so that no mail tells what is no longer so.';
grant execute on function private.prepare_email to service_role;

create function service.prepare_email(job_id bigint, lease_token uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select to_jsonb(private.prepare_email(job_id, lease_token)) $$;

comment on function service.prepare_email is
  'What the mail of a claimed job says now; null when nothing is to be sent: sent before, overtaken by events, switched off, to nobody, the address suppressed, its mailbox sent enough today, or the lease lost. Answers service.prepared_email or null. Errors: 422 template_unknown.';
grant execute on function service.prepare_email to service_role;

create function private.follow_email_events(provider_message_id text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- A report can overtake the record of its own mail. Both come through here and wait
  -- for each other, so the later one sees what the earlier wrote.
  perform pg_advisory_xact_lock(hashtextextended('email:' || follow_email_events.provider_message_id, 0));
  update private.email_messages as m
  set status = newest.status
  from (
    select replace(e.type, 'email.', '') as status
    from private.email_events as e
    where e.provider_message_id = follow_email_events.provider_message_id
      and e.type in ('email.delivered', 'email.bounced', 'email.complained', 'email.failed')
    order by e.occurred_at desc, e.id desc
    limit 1
  ) as newest
  where m.provider_message_id = follow_email_events.provider_message_id;
  update private.email_messages as m
  set delivered_at = reported.delivered_at, opened_at = reported.opened_at
  from (
    select
      min(e.occurred_at) filter (where e.type = 'email.delivered') as delivered_at,
      min(e.occurred_at) filter (where e.type in ('email.opened', 'email.clicked')) as opened_at
    from private.email_events as e
    where e.provider_message_id = follow_email_events.provider_message_id
  ) as reported
  where m.provider_message_id = follow_email_events.provider_message_id
    and (m.delivered_at, m.opened_at) is distinct from (reported.delivered_at, reported.opened_at);
end
$$;

comment on function private.follow_email_events is
  'Gives a sent mail the state of its newest event, by the provider''s clock, and the first instants of delivery and opening: events may come in any order.';

create type service.recorded_email as (
  recorded boolean
);

comment on type service.recorded_email is 'Whether it is news that a mail was taken.';
comment on column service.recorded_email.recorded is
  'False when it was recorded before, or was not prepared under that lease.';

create function private.record_email(job_id bigint, lease_token uuid, provider text, provider_message_id text)
returns service.recorded_email
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- A lease that has ended counts, too: that the mail left is true whoever holds the job now, and the sooner it is
  -- known the less can be sent again. One under which nothing was prepared does not: it would keep a mail from leaving.
  update private.email_messages as m
  set status = 'sent',
    provider = record_email.provider,
    provider_message_id = record_email.provider_message_id,
    sent_at = now()
  where m.job_id = record_email.job_id and record_email.lease_token = any(m.prepared_under) and m.sent_at is null;
  if not found then
    return row(false)::service.recorded_email;
  end if;
  perform private.follow_email_events(record_email.provider_message_id);
  return row(true)::service.recorded_email;
end
$$;

comment on function private.record_email is 'definer: the service may write no table.';
grant execute on function private.record_email to service_role;

create function service.record_email(job_id bigint, lease_token uuid, provider text, provider_message_id text)
returns service.recorded_email
language sql
volatile
set search_path = ''
as $$ select private.record_email(job_id, lease_token, provider, provider_message_id) $$;

comment on function service.record_email is
  'Remembers that the provider took a mail, and under which id, for whoever prepared it under that lease, ended or not.';
grant execute on function service.record_email to service_role;

create function private.record_email_event(event jsonb)
returns service.received
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if coalesce(event ->> 'id', '') = '' or coalesce(event ->> 'type', '') = '' then
    perform private.fail('event_invalid', 422, 'Send an event as Resend makes them, with its svix-id as id.');
  end if;
  insert into private.email_events (id, type, provider_message_id, occurred_at)
  values (
    event ->> 'id', event ->> 'type', event #>> '{data,email_id}',
    coalesce((event ->> 'created_at')::timestamptz, now())
  )
  on conflict on constraint email_events_pkey do nothing;
  if not found then
    return row(true)::service.received;
  end if;

  -- A full mailbox is full for a day, a wrong address is wrong for ever.
  if event ->> 'type' = 'email.complained'
    or (event ->> 'type' = 'email.bounced' and coalesce(event #>> '{data,bounce,type}', 'Permanent') = 'Permanent')
  then
    insert into private.email_suppressions (email, reason)
    select distinct lower(address), replace(event ->> 'type', 'email.', '')
    from jsonb_array_elements_text(
      case jsonb_typeof(event #> '{data,to}') when 'array' then event #> '{data,to}' else '[]' end
    ) as address
    on conflict on constraint email_suppressions_pkey do nothing;
  end if;

  if event #>> '{data,email_id}' is not null then
    perform private.follow_email_events(event #>> '{data,email_id}');
  end if;
  return row(false)::service.received;
end
$$;

comment on function private.record_email_event is 'definer: the service may write no table.';
grant execute on function private.record_email_event to service_role;

create function service.record_email_event(event jsonb)
returns service.received
language sql
volatile
set search_path = ''
as $$ select private.record_email_event(event) $$;

comment on function service.record_email_event is
  'Stores a verified webhook of Resend, {id (its svix-id), type, created_at, data: {email_id, to, bounce}}, once: the mail takes the reported state, and an address that bounced for good or complained is not written to again. Errors: 422 event_invalid.';
grant execute on function service.record_email_event to service_role;

create function private.mail_pause(organization_id uuid, booking_id uuid)
returns interval
language plpgsql
stable
set search_path = ''
as $$
declare
  told int;
begin
  select count(*) into told
  from private.jobs as j
  join private.email_messages as m on m.job_id = j.id
  where j.kind = 'email.send'
    and j.organization_id = mail_pause.organization_id
    and j.payload ->> 'booking_id' = mail_pause.booking_id::text
    and j.payload ->> 'template' = 'booking_rescheduled'
    and m.sent_at > now() - interval '1 day';
  return least(interval '2 minutes' * 2 ^ least(told, 10), interval '4 hours');
end
$$;

comment on function private.mail_pause is
  'How long the mail about a change waits for further ones: two minutes, doubled with every such mail about the booking within a day, at most four hours. So several changes are one mail, and nobody fills a mailbox by moving one booking.';

create function private.announce_booking()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  template text := case when new.change is null then 'booking_' || new.to_status else 'booking_rescheduled' end;
begin
  -- A hold was never announced, so neither is its change or its end.
  -- What was said by mistake at the desk and taken back is none of its party's business.
  if new.from_status = 'held' and new.to_status in ('held', 'cancelled')
    or private.is_undo(new.from_status, new.to_status)
    -- Its party comes all the same: what it is told is the change of the booking that it is part of now.
    or new.reason = 'merged' and new.change is null and private.is_merged(new.organization_id, new.booking_id)
  then
    return null;
  end if;
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', template,
      'organization_id', new.organization_id,
      'booking_id', new.booking_id,
      'history_id', new.id
    ),
    concat_ws(':', template, new.booking_id, new.id),
    new.organization_id,
    -- A later change within that time has a mail of its own, and this one is dropped.
    case
      when new.change is null then now()
      else now() + private.mail_pause(new.organization_id, new.booking_id)
    end
  );
  return null;
end
$$;

comment on function private.announce_booking is
  'The outbox: a booking that is confirmed, changed or cancelled writes its mail in the same transaction.';

create trigger announce_booking
after insert on public.booking_history
for each row when (new.to_status in ('confirmed', 'cancelled') or new.change is not null)
execute function private.announce_booking();

-- =============================================================================
-- sql/80_messages/060_booking_emails.sql
-- =============================================================================

-- The mails of a booking, for those who have to know whether the customer was told.

create type public.booking_email as (
  id uuid,
  template text,
  recipient text,
  locale text,
  status text,
  reason text,
  created_at timestamptz,
  sent_at timestamptz,
  due_at timestamptz,
  delivered_at timestamptz,
  opened_at timestamptz
);

comment on type public.booking_email is 'A mail of a booking, and what became of it.';
comment on column public.booking_email.id is 'The mail''s, for as long as it is listed; not in order of time.';
comment on column public.booking_email.template is 'Of the mail.';
comment on column public.booking_email.recipient is 'The address; null without customers:read, and before it was prepared.';
comment on column public.booking_email.locale is 'Of its words; null before it was prepared.';
comment on column public.booking_email.status is 'sent: the provider took it; not_needed: overtaken by events, or switched off (email_template_overrides.is_sent); suppressed: the address bounced or complained before; limited: its mailbox was sent enough that day; one of: waiting, sent, delivered, not_needed, dead, bounced, complained, failed, suppressed, limited';
comment on column public.booking_email.reason is 'What went wrong with it last; null: nothing did.';
comment on column public.booking_email.created_at is 'When it was asked for.';
comment on column public.booking_email.sent_at is 'When the provider took it; null: it did not.';
comment on column public.booking_email.due_at is 'When it is tried next; null: it is not.';
comment on column public.booking_email.delivered_at is 'When the provider said that it was delivered; null: it did not.';
comment on column public.booking_email.opened_at is
  'When the provider said that it was opened, where it tells that at all; null: it did not, which does not mean that nobody read it.';

create function private.mail_id(dedupe_key text)
returns uuid
language plpgsql
immutable
set search_path = ''
as $$
begin
  return md5(mail_id.dedupe_key)::uuid;
end
$$;

comment on function private.mail_id is
  'What members know a mail by: its key in the queue is its own, while its number there counts the work of all tenants.';

create function private.booking_emails(organization_id uuid, booking_id uuid)
returns setof public.booking_email
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  shows_addresses boolean;
begin
  perform private.require_permission(booking_emails.organization_id, 'bookings:read');
  if not exists (
    select from public.bookings as b
    where b.organization_id = booking_emails.organization_id and b.id = booking_emails.booking_id
  ) then
    perform private.fail('booking_not_found', 404, 'Check the booking''s id.');
  end if;
  shows_addresses := private.has_permission(booking_emails.organization_id, 'customers:read');
  return query
  select
    private.mail_id(j.dedupe_key), j.payload ->> 'template', case when shows_addresses then m.recipient end, m.locale,
    case
      when m.status in ('suppressed', 'limited', 'delivered', 'bounced', 'complained', 'failed') then m.status
      when m.sent_at is not null then 'sent'
      when j.status = 'dead' then 'dead'
      when j.status = 'done' then 'not_needed'
      else 'waiting'
    end,
    case m.status
      when 'limited' then 'This address was sent enough mails that day: tell the customer otherwise.'
      when 'suppressed' then case (
          select s.reason
          from private.email_suppressions as s
          where s.email = lower(m.recipient)
        )
        when 'bounced' then 'A mail to this address came back before: correct the address, and send it again.'
        when 'complained' then 'A mail to this address was reported as spam before: tell the customer otherwise.'
        else 'A mail to this address came back or was reported as spam before: correct it, or tell the customer otherwise.'
      end
      when 'bounced' then 'It came back: correct the address, and send it again.'
      when 'complained' then 'It was reported as spam: tell the customer otherwise.'
      when 'failed' then 'The provider could not send it: send it again, or tell the customer otherwise.'
      else case
        when m.sent_at is null and j.status <> 'done' then j.last_error
      end
    end,
    j.created_at, m.sent_at, case when j.status = 'queued' then j.run_at end,
    m.delivered_at, m.opened_at
  from private.jobs as j
  left join private.email_messages as m on m.job_id = j.id
  where j.kind = 'email.send'
    and j.organization_id = booking_emails.organization_id
    and j.payload ->> 'booking_id' = booking_emails.booking_id::text
  order by j.id desc
  limit 200;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.booking_emails is 'definer: queue and log of mails are visible to nobody.';
grant execute on function private.booking_emails to authenticated;

create function public.booking_emails(organization_id uuid, booking_id uuid)
returns setof public.booking_email
language sql
stable
set search_path = ''
as $$ select * from private.booking_emails(organization_id, booking_id) $$;

comment on function public.booking_emails is
  'The mails of a booking, newest first, of the last 90 days, 200 at most. Somebody should look at what is dead (given up), bounced, complained, failed, suppressed or limited. For members with bookings:read. Errors: 403 permission_denied; 404 booking_not_found.';
grant execute on function public.booking_emails to authenticated;

-- What a list of bookings and the board show of them: public.booking_mail_problems.

create function private.follow_mail_outcome(organization_id uuid, booking_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  newest_problem text;
begin
  -- The news of two mails of a booking may come at once: the later one then sees what the earlier wrote.
  perform pg_advisory_xact_lock(hashtextextended('mail_outcome:' || follow_mail_outcome.booking_id, 0));
  select
    case
      when m.status in ('bounced', 'complained', 'failed', 'suppressed', 'limited') then m.status
      when m.sent_at is null then 'dead'
    end
  into newest_problem
  from private.jobs as j
  left join private.email_messages as m on m.job_id = j.id
  where j.kind = 'email.send'
    and j.organization_id = follow_mail_outcome.organization_id
    and j.payload ->> 'booking_id' = follow_mail_outcome.booking_id::text
    -- One that waits, or was not needed, says nothing of the address.
    and (j.status = 'dead' or m.sent_at is not null or m.status in ('suppressed', 'limited'))
  order by j.id desc
  limit 1;
  if newest_problem is null then
    delete from public.booking_mail_problems as p
    where p.organization_id = follow_mail_outcome.organization_id and p.booking_id = follow_mail_outcome.booking_id;
  else
    insert into public.booking_mail_problems as p (organization_id, booking_id, problem)
    select b.organization_id, b.id, newest_problem
    from public.bookings as b
    where b.organization_id = follow_mail_outcome.organization_id and b.id = follow_mail_outcome.booking_id
    on conflict on constraint booking_mail_problems_pkey do update
    set problem = excluded.problem
    where p.problem <> excluded.problem;
  end if;
end
$$;

comment on function private.follow_mail_outcome is
  'Notes on a booking whether the newest of its mails reached its customer, as far as that is known.';

create function private.follow_mail_status()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.follow_mail_outcome(new.organization_id, new.booking_id);
  return null;
end
$$;

comment on function private.follow_mail_status is 'Shows on the booking what became of its mail.';

create trigger follow_mail_status
after insert or update of status on private.email_messages
for each row when (new.booking_id is not null and new.status <> 'prepared')
execute function private.follow_mail_status();

create function private.follow_dead_mail()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.follow_mail_outcome(new.organization_id, (new.payload ->> 'booking_id')::uuid);
  return null;
end
$$;

comment on function private.follow_dead_mail is 'Shows on the booking that its mail was given up.';

create trigger follow_dead_mail
after update of status on private.jobs
for each row when (new.kind = 'email.send' and new.status = 'dead' and new.payload ? 'booking_id')
execute function private.follow_dead_mail();

-- =============================================================================
-- sql/80_messages/070_message_rules.sql
-- =============================================================================

-- Which messages an organization sends around a visit, and when: to whoever booked, in the booking's
-- language. What is due follows from these rows and the bookings (private.due_messages); nothing is
-- planned ahead, so nothing has to be kept in step with a booking that moves or is cancelled.

select private.permission_upsert(
  'messages:read', 'organization', false,
  'See which messages are sent around a visit', 'Ver qué mensajes se envían en torno a una visita',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'messages:manage', 'organization', true,
  'Change which messages are sent around a visit', 'Cambiar qué mensajes se envían en torno a una visita',
  array['admin', 'manager']
);

create function private.are_locales(locales text [])
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return cardinality(locales) between 1 and 10
    and array_position(locales, null) is null
    and (select bool_and(private.is_locale(l)) and count(*) = count(distinct l) from unnest(locales) as l);
end
$$;

comment on function private.are_locales is 'Whether these are languages of the product, at least one, none twice.';
grant execute on function private.are_locales to authenticated;

create table public.message_rules (
  organization_id uuid not null default private.organization_with('messages:manage'),
  id uuid not null default private.uuid_v7(),
  kind text not null,
  counted_from text not null generated always as (
    case when kind in ('reminder', 'payment_request', 'waiver_request') then 'start' else 'end' end
  ) stored,
  minutes int,
  days int,
  at_time time,
  all_rooms boolean not null default true,
  locales text [],
  review_url text,
  is_active boolean not null default true,
  counts_from timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint message_rules_pkey primary key (organization_id, id),
  constraint message_rules_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete restrict,
  constraint message_rules_kind_is_known check (
    kind in ('reminder', 'thanks', 'payment_request', 'review_request', 'waiver_request')
  ),
  constraint message_rules_counted_from_is_known check (counted_from in ('start', 'end')),
  constraint message_rules_time_is_minutes_or_a_clock check (
    num_nonnulls(minutes, days) = 1 and (days is null) = (at_time is null)
  ),
  constraint message_rules_minutes_are_at_most_60_days check (minutes between 0 and 86400),
  constraint message_rules_days_are_at_most_60 check (days between 0 and 60),
  -- On the day itself the clock may show that time before the visit has ended.
  constraint message_rules_days_after_the_end_are_1_or_more check (
    days > 0 or kind in ('reminder', 'payment_request', 'waiver_request')
  ),
  constraint message_rules_time_is_of_a_day check (at_time < '24:00'),
  constraint message_rules_locales_are_supported check (private.are_locales(locales)),
  constraint message_rules_review_url_is_https check (private.is_link(review_url)),
  constraint message_rules_review_url_is_for_reviews check ((kind = 'review_request') = (review_url is not null))
);

comment on table public.message_rules is
  'Messages around a visit: each rule sends one to whoever booked, at most once for a booking and a start. An organization begins with a reminder at 18:00 the day before, thanks two hours after the end, and a request to pay 72 hours before the start. The words are those of email_template_overrides, under the kind''s name.';
comment on column public.message_rules.kind is
  'reminder (of a confirmed booking), payment_request (while something can be paid online), thanks and review_request (when the party came, or nobody said otherwise), waiver_request (of a confirmed booking of which somebody has not signed).';
comment on column public.message_rules.counted_from is
  'What its time is counted from: start (reminder, payment_request, waiver_request) or end (thanks, review_request) of the visit.';
comment on column public.message_rules.minutes is 'So many before the start, or after the end, 0 to 86400; null: by the clock.';
comment on column public.message_rules.days is
  'By the clock: so many days before the day of the start (0: on it), or after the day of the end (at least 1). null: by minutes.';
comment on column public.message_rules.at_time is
  'Wall clock of the room''s location on that day. In a DST gap it is that much later, in a fold the second of the two. null: by minutes.';
comment on column public.message_rules.all_rooms is 'Whether it is for every room; otherwise those of message_rule_rooms.';
comment on column public.message_rules.locales is
  'Only for bookings in these languages (es, en, ca), so that two rules can send at different times; null: all.';
comment on column public.message_rules.review_url is
  'Of a review_request: the page where a review is written, https://…; null for the other kinds. Not given nor changed in a visit of the platform''s support: 403 refused_in_a_visit.';
comment on column public.message_rules.is_active is 'Whether it sends. What is queued already is not sent any more once this is false.';
comment on column public.message_rules.counts_from is
  'Since when it is as it is: what was due before is not written. Set by the database whenever the rule is switched on, or its time, rooms or languages change.';

grant select, delete on public.message_rules to authenticated;
grant insert (organization_id, kind, minutes, days, at_time, all_rooms, locales, review_url, is_active)
on public.message_rules to authenticated;
grant update (minutes, days, at_time, all_rooms, locales, review_url, is_active)
on public.message_rules to authenticated;

alter table public.message_rules enable row level security;

create policy message_rules_select on public.message_rules
for select to authenticated
using (organization_id = (select private.organization_with('messages:read')));

create policy message_rules_insert on public.message_rules
for insert to authenticated
with check (organization_id = (select private.organization_with('messages:manage')));

create policy message_rules_update on public.message_rules
for update to authenticated
using (organization_id = (select private.organization_with('messages:manage')))
with check (organization_id = (select private.organization_with('messages:manage')));

create policy message_rules_delete on public.message_rules
for delete to authenticated
using (organization_id = (select private.organization_with('messages:manage')));

create trigger message_rules_touch_updated_at
before update on public.message_rules
for each row execute function private.touch_updated_at();

-- Later mails send every guest there.
create trigger message_rules_keep_new_link_in_a_visit
after insert on public.message_rules
for each row when (new.review_url is not null)
execute function private.keep_in_a_visit();

create trigger message_rules_keep_link_in_a_visit
after update of review_url on public.message_rules
for each row when (new.review_url is distinct from old.review_url)
execute function private.keep_in_a_visit();

create trigger message_rules_are_bounded
after insert on public.message_rules
for each row execute function private.bound_rows('40');

create function private.renew_message_rule()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  if new.is_active and not old.is_active
    or (new.minutes, new.days, new.at_time, new.all_rooms, new.locales)
      is distinct from (old.minutes, old.days, old.at_time, old.all_rooms, old.locales)
  then
    new.counts_from := now();
  end if;
  return new;
end
$$;

comment on function private.renew_message_rule is
  'A rule that is switched on, or sends at another time or to others, counts from now: it writes to nobody about what would have been due before.';

create trigger renew_message_rule
before update on public.message_rules
for each row execute function private.renew_message_rule();

create table public.message_rule_rooms (
  organization_id uuid not null default private.organization_with('messages:manage'),
  rule_id uuid not null,
  room_id uuid not null,
  created_at timestamptz not null default now(),
  constraint message_rule_rooms_pkey primary key (organization_id, rule_id, room_id),
  constraint message_rule_rooms_rule_fkey foreign key (organization_id, rule_id)
  references public.message_rules (organization_id, id) on delete cascade,
  constraint message_rule_rooms_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade
);

comment on table public.message_rule_rooms is 'The rooms of a message rule that is not for every room.';
comment on column public.message_rule_rooms.created_at is 'Since when the rule is for the room: what was due before is not written.';

-- for: the foreign key, when a room is deleted
create index message_rule_rooms_room_id_idx on public.message_rule_rooms (organization_id, room_id);

grant select, delete on public.message_rule_rooms to authenticated;
grant insert (organization_id, rule_id, room_id) on public.message_rule_rooms to authenticated;

alter table public.message_rule_rooms enable row level security;

create policy message_rule_rooms_select on public.message_rule_rooms
for select to authenticated
using (organization_id = (select private.organization_with('messages:read')));

create policy message_rule_rooms_insert on public.message_rule_rooms
for insert to authenticated
with check (organization_id = (select private.organization_with('messages:manage')));

create policy message_rule_rooms_delete on public.message_rule_rooms
for delete to authenticated
using (organization_id = (select private.organization_with('messages:manage')));

create function private.seed_message_rules()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into public.message_rules (organization_id, kind, minutes, days, at_time)
  values
  (new.id, 'reminder', null, 1, '18:00'),
  (new.id, 'thanks', 120, null, null),
  (new.id, 'payment_request', 72 * 60, null, null);
  return null;
end
$$;

comment on function private.seed_message_rules is
  'definer: writes an organization''s first rules, whoever opens it.';

create trigger seed_message_rules
after insert on public.organizations
for each row execute function private.seed_message_rules();

-- =============================================================================
-- sql/80_messages/080_unsubscribe.sql
-- =============================================================================

-- The link that ends what is not about one's own booking. It can do nothing else, and it is in those
-- mails only (List-Unsubscribe, RFC 8058), so mail programs may open it for their reader.

create function private.unsubscribe_token(booking public.bookings)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return concat_ws('.', booking.organization_id, booking.id, private.derived_token('unsubscribe', booking.id::text));
end
$$;

comment on function private.unsubscribe_token is
  'What ends requests to the customer of a booking: the booking, and proof that it came from its mail.';

create type service.unsubscribed as (
  organization_name text
);

comment on type service.unsubscribed is 'Who does not write any more.';
comment on column service.unsubscribed.organization_name is 'Of the venue.';

create function private.unsubscribe(token text)
returns service.unsubscribed
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  uuid_shape text := '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';
  booking public.bookings;
begin
  if unsubscribe.token ~ concat('^', uuid_shape, '\.', uuid_shape, '\.') then
    select b.* into booking
    from public.bookings as b
    where b.organization_id = split_part(unsubscribe.token, '.', 1)::uuid
      and b.id = split_part(unsubscribe.token, '.', 2)::uuid
      -- As hashes: how long it takes tells nothing of how much of it was right.
      and private.token_hash(private.unsubscribe_token(b)) = private.token_hash(unsubscribe.token);
  end if;
  if booking.id is null then
    perform private.fail('link_invalid', 404, 'Open the link as it stands in the mail.');
  end if;
  -- Under the booking's lock its customer stays the same.
  booking := private.locked_booking(booking.organization_id, booking.id);
  perform private.act_as('customer', booking.customer_id);
  if ((private.latest_consents(booking.organization_id, booking.customer_id)).marketing).granted is distinct from false then
    perform private.record_consents(
      booking.organization_id, booking.customer_id, booking.id,
      '[{"kind": "marketing", "granted": false}]', booking.locale, counts => true
    );
  end if;
  return (
    select row(o.name)::service.unsubscribed from public.organizations as o where o.id = booking.organization_id
  );
end
$$;

comment on function private.unsubscribe is 'definer: writes a consent for whoever has the link of a mail.';
grant execute on function private.unsubscribe to service_role;

create function service.unsubscribe(token text)
returns service.unsubscribed
language sql
volatile
set search_path = ''
as $$ select private.unsubscribe(token) $$;

comment on function service.unsubscribe is
  'Takes back the consent to marketing of the customer whose mail has the link, once; asked again it says the same. Errors: 404 link_invalid.';
grant execute on function service.unsubscribe to service_role;

-- =============================================================================
-- sql/80_messages/090_due_messages.sql
-- =============================================================================

-- The messages around a visit: which of them are due, and what they say when they go out.
--
-- Nothing is planned ahead. A sweep asks which messages became due since the last one, from the rules
-- and the bookings as they are in that moment:
--   a booking that moves    is due by its new start, and again if it was written to for the old one;
--   one that is cancelled   is not found, and what is queued for it says nothing when it is sent;
--   exactly once            the job's key names booking, rule and start, and mails keep keys for ever;
--   never to the past       a rule counts from its last change on, a booking from the moment in which it
--                           came to stand at its time. Who books after the instant is not written to: the
--                           confirmation has said the same just before.
-- Idle, it costs a look into an index for each distinct time of the rules, however many venues share it.

create type private.due_message as (
  organization_id uuid,
  booking_id uuid,
  rule_id uuid,
  kind text,
  starts_at timestamptz,
  due_at timestamptz
);

comment on type private.due_message is 'A message that became due.';

create function private.message_due_at(
  rule public.message_rules,
  starts_at timestamptz,
  ends_at timestamptz,
  timezone text
)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when rule.minutes is not null and rule.counted_from = 'start' then
      message_due_at.starts_at - make_interval(mins => rule.minutes)
    when rule.minutes is not null then message_due_at.ends_at + make_interval(mins => rule.minutes)
    when rule.counted_from = 'start' then
      ((message_due_at.starts_at at time zone message_due_at.timezone)::date - rule.days + rule.at_time)
      at time zone message_due_at.timezone
    else
      ((message_due_at.ends_at at time zone message_due_at.timezone)::date + rule.days + rule.at_time)
      at time zone message_due_at.timezone
  end;
end
$$;

comment on function private.message_due_at is
  'When a rule''s message about a visit is due. By the clock of the location: in a DST gap that much later, in a fold the second time.';

create function private.is_message_wanted(rule public.message_rules, booking public.bookings)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return rule.is_active
    and (rule.locales is null or booking.locale = any (rule.locales))
    and (
      rule.all_rooms or exists (
        select from public.message_rule_rooms as rr
        where rr.organization_id = rule.organization_id
          and rr.rule_id = rule.id
          and rr.room_id = booking.room_id
      )
    )
    and case rule.kind
      when 'reminder' then booking.status = 'confirmed'
      when 'waiver_request' then
        booking.status = 'confirmed' and (private.booking_waiver(booking)).missing > 0
      when 'payment_request' then
        booking.status in ('pending', 'confirmed') and private.payable_online(booking) > 0
      -- Where nobody checks parties in, they came unless somebody says otherwise, as
      -- private.booking_deadlines has it.
      else booking.status in ('confirmed', 'checked_in', 'in_progress', 'completed')
    end
    and exists (
      select from public.organizations as o
      where o.id = booking.organization_id and o.status = 'active'
    )
    and exists (
      select from public.customers as c
      where c.organization_id = booking.organization_id
        and c.id = booking.customer_id
        and c.email is not null
        and c.erased_at is null
    )
    and (
      rule.kind <> 'review_request'
      or ((private.latest_consents(booking.organization_id, booking.customer_id)).marketing).granted is not false
    );
end
$$;

comment on function private.is_message_wanted is
  'Whether the rule writes to whoever made the booking, as both are now, whenever it is due: asked when a message is queued, and again when it is sent. A review is not asked of whoever does not want to be written to (marketing).';

create function private.stood_by(booking public.bookings, instant timestamptz)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return not exists (
    select from public.booking_history as h
    where h.organization_id = booking.organization_id
      and h.booking_id = booking.id
      and h.occurred_at > stood_by.instant
      and (
        h.change ?| array['starts_at', 'room_id']
        or h.change is null
        and h.to_status in ('pending', 'confirmed')
        and not coalesce(private.is_undo(h.from_status, h.to_status), false)
      )
  );
end
$$;

comment on function private.stood_by is
  'Whether the booking was made, confirmed and at its present time by then.';

-- for: private.due_messages, the visits that ended lately
create index sessions_ends_at_idx on public.sessions (ends_at)
where mode <> 'block' and status = 'scheduled';

create function private.due_messages(since timestamptz, until timestamptz)
returns setof private.due_message
language plpgsql
stable
set search_path = ''
-- Each look is into an index, also where statistics were made while the table was small.
set enable_seqscan = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
  times record;
begin
  for times in
    with distinct_times as materialized (
      select distinct r.counted_from, r.minutes, r.days, r.at_time
      from public.message_rules as r
      where r.is_active
    ),
    zones as materialized (select distinct l.timezone from public.locations as l)
    select
      t.*,
      null::text as timezone,
      due_messages.since + t.ahead as first,
      due_messages.until + t.ahead as last
    from (
      select
        d.*,
        make_interval(mins => case d.counted_from when 'start' then d.minutes else - d.minutes end) as ahead
      from distinct_times as d
      where d.minutes is not null
    ) as t
    union all
    -- The visits of a day, if the clock of a zone showed the time of day for it.
    select
      d.*,
      null,
      z.timezone,
      (shown.date + case d.counted_from when 'start' then d.days else - d.days end)::timestamp
      at time zone z.timezone,
      (shown.date + case d.counted_from when 'start' then d.days else - d.days end + 1)::timestamp
      at time zone z.timezone
    from distinct_times as d
    cross join zones as z
    cross join lateral (
      select due_messages.since::date + n as date
      from generate_series(-1, due_messages.until::date - due_messages.since::date + 1) as n
    ) as shown
    where d.days is not null
      and (shown.date + d.at_time) at time zone z.timezone > due_messages.since
      and (shown.date + d.at_time) at time zone z.timezone <= due_messages.until
  loop
    return query
    select due.organization_id, due.booking_id, due.rule_id, due.kind, due.starts_at, due.due_at
    from (
      select
        b.organization_id, b.id as booking_id, r.id as rule_id, r.kind, b.starts_at, b as booking, r as rule,
        private.message_due_at(r, b.starts_at, visits.ends_at, l.timezone) as due_at
      from (
        select b.organization_id, b.id, b.starts_at as ends_at
        from public.bookings as b
        where times.counted_from = 'start'
          and b.starts_at between times.first and times.last
          and b.status in ('pending', 'confirmed')
        union all
        select b.organization_id, b.id, s.ends_at
        from public.sessions as s
        join public.bookings as b on b.organization_id = s.organization_id and b.session_id = s.id
        where times.counted_from = 'end'
          and s.ends_at between times.first and times.last
          and s.mode <> 'block'
          and s.status = 'scheduled'
      ) as visits
      join public.bookings as b on b.organization_id = visits.organization_id and b.id = visits.id
      join public.rooms as m on m.organization_id = b.organization_id and m.id = b.room_id
      join public.locations as l on l.organization_id = m.organization_id and l.id = m.location_id
      join public.message_rules as r on r.organization_id = b.organization_id
      where r.is_active
        and r.counted_from = times.counted_from
        and r.minutes is not distinct from times.minutes
        and r.days is not distinct from times.days
        and r.at_time is not distinct from times.at_time
        and (times.timezone is null or l.timezone = times.timezone)
    ) as due
    where due.due_at > due_messages.since
      and due.due_at <= due_messages.until
      and due.due_at > (due.rule).counts_from
      -- By the clock of the day itself it may be too late.
      and ((due.rule).counted_from = 'end' or due.due_at < due.starts_at)
      and ((due.rule).all_rooms or exists (
        select from public.message_rule_rooms as rr
        where rr.organization_id = due.organization_id
          and rr.rule_id = due.rule_id
          and rr.room_id = (due.booking).room_id
          and rr.created_at < due.due_at
      ))
      and private.is_message_wanted(due.rule, due.booking)
      and private.stood_by(due.booking, due.due_at);
  end loop;
end
$$;

comment on function private.due_messages is
  'The messages that became due after since, until then: of the rules, bookings and visits as they are now.';

create table private.message_clock (
  only_one boolean not null default true,
  swept_until timestamptz not null,
  constraint message_clock_pkey primary key (only_one),
  constraint message_clock_is_one_row check (only_one)
);

comment on table private.message_clock is
  'Until when it was asked which messages are due: one row. It moves in the transaction that queues them, so none is left out, and it is locked by who moves it, so two sweeps do not ask the same.';
comment on column private.message_clock.swept_until is 'What was due until then is queued.';

-- So that no two first sweeps wait for each other.
insert into private.message_clock (swept_until) values (now()) on conflict on constraint message_clock_pkey do nothing;

create function private.message_key(message private.due_message)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return concat_ws(':', message.kind, message.booking_id, message.rule_id, extract(epoch from message.starts_at));
end
$$;

comment on function private.message_key is
  'What makes it one message for a booking, rule and start: the key of its job, which mails keep for ever.';

create function private.queue_message(message private.due_message)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
begin
  return private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', message.kind, 'organization_id', message.organization_id, 'booking_id', message.booking_id,
      'rule_id', message.rule_id, 'starts_at', message.starts_at
    ),
    private.message_key(message),
    message.organization_id
  );
end
$$;

comment on function private.queue_message is 'Queues a message, unless it was queued before, and returns its job.';

create function private.queue_due_messages(until timestamptz)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  since timestamptz;
  swept timestamptz;
  queued int;
begin
  if not exists (select from private.message_clock) then
    insert into private.message_clock (swept_until)
    values (queue_due_messages.until)
    on conflict on constraint message_clock_pkey do nothing;
  end if;
  select c.swept_until into since from private.message_clock as c for update skip locked;
  if not found then
    return 0; -- another sweep is at it
  end if;
  -- After an outage: what is a day late is left out, and what is to be written is written hour by hour.
  since := greatest(since, queue_due_messages.until - interval '1 day');
  swept := least(queue_due_messages.until, since + interval '1 hour');
  if swept <= since then
    return 0;
  end if;

  select count(private.queue_message(m)) into queued
  -- Once more the last two minutes: a booking that was confirmed then may not have been visible yet.
  from private.due_messages(since - interval '2 minutes', swept) as m
  where not exists (
    select from private.jobs as j where j.kind = 'email.send' and j.dedupe_key = private.message_key(m)
  );
  update private.message_clock as c set swept_until = swept;
  return queued;
end
$$;

comment on function private.queue_due_messages is
  'Queues the messages around visits that became due since it was last asked, until then (now, but in tests), and returns how many: at most those of an hour, so after an outage it is asked again.';

create function private.payment_content(organization_id uuid, booking_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object('payable_cents', private.payable_online(b), 'expires_at', b.hold_expires_at)
    )
    from public.bookings as b
    where b.organization_id = payment_content.organization_id
      and b.id = payment_content.booking_id
      and private.payable_online(b) > 0
  );
end
$$;

comment on function private.payment_content is
  'What a request to pay says that staff send; null when nothing can be paid online any more.';

create function private.waiver_content(organization_id uuid, booking_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object('unsigned_waivers', (private.booking_waiver(b)).missing)
    )
    from public.bookings as b
    where b.organization_id = waiver_content.organization_id
      and b.id = waiver_content.booking_id
      and b.status in ('pending', 'confirmed', 'checked_in')
      and (private.booking_waiver(b)).missing > 0
  );
end
$$;

comment on function private.waiver_content is
  'What a request to sign says that staff send; null when everybody has signed, or nobody plays any more.';

create function private.told_result(booking public.bookings)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'outcome', g.outcome, 'escape_seconds', g.escape_seconds, 'hints', g.hints
    )
    from public.game_results as g
    where g.organization_id = booking.organization_id
      and g.booking_id = booking.id
      -- Why a game was broken off is for people to say.
      and g.outcome <> 'aborted'
  );
end
$$;

comment on function private.told_result is
  'How a party''s game ended, as its own mails say it: what get_game_result shows whoever holds the booking''s link, whether or not the party agreed to be shown to the public, and neither the team''s name nor what staff wrote; null: nothing is said.';

create function private.visit_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  if not cause ? 'rule_id' then
    return case cause ->> 'template'
      when 'waiver_request' then
        private.waiver_content(visit_content.organization_id, (cause ->> 'booking_id')::uuid)
      else private.payment_content(visit_content.organization_id, (cause ->> 'booking_id')::uuid)
    end;
  end if;
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object(
        'payable_cents', private.payable_online(b),
        'expires_at', b.hold_expires_at,
        'unsigned_waivers', (private.booking_waiver(b)).missing,
        'review_url', r.review_url,
        'result', case r.kind when 'thanks' then private.told_result(b) end,
        'unsubscribe_token', case r.kind when 'review_request' then private.unsubscribe_token(b) end
      )
    )
    from public.message_rules as r
    join public.bookings as b on b.organization_id = r.organization_id
    where r.organization_id = visit_content.organization_id
      and r.id = (cause ->> 'rule_id')::uuid
      and r.kind = cause ->> 'template'
      and b.id = (cause ->> 'booking_id')::uuid
      -- Moved meanwhile: it is due at another time.
      and b.starts_at = (cause ->> 'starts_at')::timestamptz
      and (r.counted_from = 'end' or b.starts_at > now())
      and private.is_message_wanted(r, b)
  );
end
$$;

comment on function private.visit_content is
  'What a message around a visit says now; null when the booking was cancelled or moved, was paid (payment_request) or signed (waiver_request), or the visit has begun before it could be sent (reminder, payment_request, waiver_request), or the rule was switched off, changed to leave it out or deleted. payable_cents: what its link asks for; expires_at: until when a pending one is kept; result: of thanks.';

select private.email_template_upsert('reminder', 'visit_content');
select private.email_template_upsert('payment_request', 'visit_content');
select private.email_template_upsert('waiver_request', 'visit_content');
select private.email_template_upsert('thanks', 'visit_content');
select private.email_template_upsert('review_request', 'visit_content');

-- =============================================================================
-- sql/80_messages/100_resending.sql
-- =============================================================================

-- Mails once more: by staff who are asked for them, and by customers who lost theirs.

select private.permission_upsert(
  'messages:send', 'organization', true,
  'Send a booking''s mail again, or its payment link', 'Reenviar el correo de una reserva, o su enlace de pago',
  array['admin', 'manager', 'receptionist']
);

create type public.resent_email as (
  id uuid,
  template text
);

comment on type public.resent_email is 'A mail that was queued once more; booking_emails says what becomes of it.';
comment on column public.resent_email.id is 'As in booking_emails and voucher_emails.';
comment on column public.resent_email.template is
  'Which mail; one of: booking_confirmed, booking_pending, booking_cancelled, payment_request, waiver_request, voucher_issued, voucher_bought';

create function private.mail_to_resend(booking public.bookings, kind text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when mail_to_resend.kind = 'payment' then
      case when private.payable_online(booking) > 0 then 'payment_request' end
    when mail_to_resend.kind = 'waiver' then
      case
        when private.waiver_content(booking.organization_id, booking.id) is not null then 'waiver_request'
      end
    when booking.status in ('confirmed', 'checked_in', 'in_progress') then 'booking_confirmed'
    when booking.status = 'pending' and booking.hold_expires_at > now() then 'booking_pending'
    when booking.status = 'cancelled' then 'booking_cancelled'
  end;
end
$$;

comment on function private.mail_to_resend is
  'Which mail says how a booking stands, or (kind payment) asks for its payment, or (kind waiver) to sign; null: none does.';

create function private.resend_booking_email(
  organization_id uuid, booking_id uuid, idempotency_key text, kind text
)
returns public.resent_email
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := resend_booking_email.organization_id || ':resend_booking_email';
  stored jsonb;
  booking public.bookings;
  address text;
  template text;
  dedupe_key text;
  answer public.resent_email;
begin
  perform private.require_permission(resend_booking_email.organization_id, 'messages:send');
  perform private.require_permission(resend_booking_email.organization_id, 'bookings:read');
  if resend_booking_email.kind is null or resend_booking_email.kind not in ('booking', 'payment', 'waiver') then
    perform private.fail('email_kind_invalid', 422, 'Choose booking, payment or waiver.');
  end if;
  stored := private.idempotent_begin(
    scope, resend_booking_email.idempotency_key,
    jsonb_build_object('booking_id', resend_booking_email.booking_id, 'kind', resend_booking_email.kind)
  );
  if stored is not null then
    return jsonb_populate_record(null::public.resent_email, stored);
  end if;
  booking := private.locked_booking(resend_booking_email.organization_id, resend_booking_email.booking_id);
  select c.email into address
  from public.customers as c
  where c.organization_id = booking.organization_id and c.id = booking.customer_id and c.erased_at is null;
  if address is null then
    perform private.fail('address_missing', 409, 'Give the customer an e-mail address first.');
  end if;
  template := private.mail_to_resend(booking, resend_booking_email.kind);
  if template is null then
    perform private.fail(
      'nothing_to_send', 409, 'A mail can be sent again while the booking waits for its payment, stands or is cancelled; a payment link while something can be paid online, and the waiver''s while somebody has not signed.'
    );
  end if;
  dedupe_key := concat_ws(':', 'resent', booking.organization_id, booking.id, private.uuid_v7());
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', template, 'organization_id', booking.organization_id, 'booking_id', booking.id
    ),
    dedupe_key,
    booking.organization_id
  );
  answer := row(private.mail_id(dedupe_key), template)::public.resent_email;
  perform private.idempotent_end(scope, resend_booking_email.idempotency_key, to_jsonb(answer));
  -- Last, since the counters' rows stay locked until the end of the transaction.
  perform private.limit_mail(booking.organization_id, address, 'desk');
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.resend_booking_email is 'definer: queues work, which no client may.';
grant execute on function private.resend_booking_email to authenticated;

create function public.resend_booking_email(
  organization_id uuid, booking_id uuid, idempotency_key text, kind text default 'booking'
)
returns public.resent_email
language sql
volatile
set search_path = ''
as $$ select private.resend_booking_email(organization_id, booking_id, idempotency_key, kind) $$;

comment on function public.resend_booking_email is
  'Sends a booking''s mail once more to its customer''s present address. kind: booking (the confirmation, the link to pay while it is pending, or the cancellation, as it stands now) payment (a request to pay what can be paid online) or waiver (a request to sign, to those who have not). Its event is the one that the customer''s calendar has. For members with messages:send and bookings:read. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 address_missing, nothing_to_send; 422 email_kind_invalid, idempotency_key_invalid, idempotency_key_reused; 429 mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.resend_booking_email to authenticated;

create function private.my_bookings_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', c.locale,
      'to', jsonb_build_object('name', c.full_name, 'email', c.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'contact_email', o.contact_email,
        'website', o.website,
        'logo_path', o.logo_path,
        'calendar_slug', k.slug,
        'site_url', k.site_url,
        'accent_color', k.accent_color,
        'bookings', coming.bookings
      )
    )
    from public.customers as c
    join public.organizations as o on o.id = c.organization_id and o.status = 'active'
    join public.calendars as k on k.organization_id = c.organization_id and k.id = (cause ->> 'calendar_id')::uuid
    cross join lateral (
      select jsonb_agg(
        jsonb_build_object(
          'room_name', b.room_name,
          'starts_at', b.starts_at,
          'timezone', b.timezone,
          'reference', b.reference,
          'manage_url_token', private.derived_token('booking', b.id::text)
        )
        order by b.starts_at
      ) as bookings
      from (
        select b.id, b.reference, b.starts_at, r.name as room_name, l.timezone
        from public.bookings as b
        join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
        join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
        where b.organization_id = c.organization_id
          and b.customer_id = c.id
          and b.starts_at > now() - interval '2 days'
          and (
            b.status in ('held', 'pending') and b.hold_expires_at > now()
            or b.status in ('confirmed', 'checked_in', 'in_progress')
          )
          -- A mail whose link confirms is the only one that may.
          and not private.awaits_confirmation(b)
        order by b.starts_at
        limit 20
      ) as b
    ) as coming
    where c.organization_id = my_bookings_content.organization_id
      and c.id = (cause ->> 'customer_id')::uuid
      and c.erased_at is null
      and coming.bookings is not null
  );
end
$$;

comment on function private.my_bookings_content is
  'What the mail says that gives a customer the links to their bookings again: those of one venue that are to come, 20 at most; null without any.';

select private.email_template_upsert('my_bookings', 'my_bookings_content');

create function private.email_my_bookings(slug text, email text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(email_my_bookings.slug);
  address text := private.typed_email(email_my_bookings.email);
  customer_id uuid;
begin
  perform private.limit_rate('mail_links', 'address', private.client_address());
  if private.is_email(address) is not true then
    perform private.fail('email_invalid', 422, 'Give the address with which you booked.');
  end if;
  select c.id into customer_id
  from public.customers as c
  where c.organization_id = calendar.organization_id and c.email = address and c.erased_at is null;
  -- Queued for whoever asks, and counted, so that neither the answer, nor the limit, nor the time that
  -- it takes tells whether somebody has booked. Without a customer the mail says nothing, and is not sent.
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'my_bookings', 'organization_id', calendar.organization_id, 'calendar_id', calendar.id,
      'customer_id', customer_id
    ),
    -- One an hour, however often it is asked for.
    concat_ws(
      ':', 'my_bookings', calendar.id, encode(private.token_hash(private.derived_token('my_bookings', address)), 'hex'),
      extract(epoch from date_trunc('hour', now()))
    ),
    calendar.organization_id
  );
  perform private.limit_mail(calendar.organization_id, address, 'visitor');
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.email_my_bookings is 'definer: reads customers and queues work, which no visitor may.';
grant execute on function private.email_my_bookings to anon, authenticated;

create function public.email_my_bookings(slug text, email text)
returns void
language sql
volatile
set search_path = ''
as $$ select private.email_my_bookings(slug, email) $$;

comment on function public.email_my_bookings is
  'Mails the links of their coming bookings at this venue to whoever booked with the address: for who lost the mail. The answer is the same whether or not anybody has booked with it; asked again within the hour it sends nothing more. For anybody. Errors: 404 calendar_not_found; 422 email_invalid; 429 rate_limited, mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.email_my_bookings to anon, authenticated;

-- =============================================================================
-- sql/80_messages/110_money_messages.sql
-- =============================================================================

-- Mails about money: what came in, what is to go back, and what went back. A confirmation says what was
-- paid, and a cancellation or a change what goes back; these tell what no other mail does.

create function private.payment_received_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object(
        'received_cents', (
          select sum(together.amount_cents)
          from public.payments as together
          where together.organization_id = p.organization_id
            and together.booking_id = p.booking_id
            and together.created_at = p.created_at
        )
      )
    )
    from public.payments as p
    join public.bookings as b on b.organization_id = p.organization_id and b.id = p.booking_id
    where p.organization_id = payment_received_content.organization_id
      and p.id = (cause ->> 'payment_id')::uuid
      and b.status in ('pending', 'confirmed', 'checked_in', 'in_progress', 'completed', 'no_show')
      -- A confirmation that came after it says what was paid.
      and not exists (
        select from public.booking_history as h
        where h.organization_id = b.organization_id
          and h.booking_id = b.id
          and h.to_status = 'confirmed'
          and h.change is null
          and h.occurred_at >= p.created_at
      )
      -- Paid twice: what goes back at once is told as going back.
      and not exists (
        select from private.refund_requests as q
        where q.organization_id = p.organization_id and q.payment_id = p.id and q.amount_cents = p.amount_cents
          and q.reason in ('overpaid', 'paid_late', 'hold_expired', 'correction')
      )
  );
end
$$;

comment on function private.payment_received_content is
  'What the mail says that confirms a payment; null when the booking''s confirmation says it, or all of it goes back. received_cents: what came in with it.';

select private.email_template_upsert('payment_received', 'payment_received_content');

create function private.announce_promised_refund()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'refund_promised', 'organization_id', new.organization_id, 'booking_id', new.booking_id,
      'refund_request_id', new.id
    ),
    concat_ws(':', 'refund_promised', new.booking_id, pg_current_xact_id()),
    new.organization_id
  );
  return null;
end
$$;

comment on function private.announce_promised_refund is
  'The outbox: a promised refund that no other mail tells writes its own in the same transaction.';

-- cancelled, changed and paid_late are told by the mails about just that; provider is made already.
create trigger announce_promised_refund
after insert on private.refund_requests
for each row when (new.reason in ('staff', 'overpaid', 'no_show', 'hold_expired'))
execute function private.announce_promised_refund();

create function private.refund_promised_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(asked.organization_id, asked.booking_id),
      jsonb_build_object(
        'refund_cents', sum(way.amount_cents), 'refunds', jsonb_agg(to_jsonb(way) order by way.method, way.by_hand)
      )
    )
    from private.refund_requests as asked
    cross join unnest(
      private.refund_ways(asked.organization_id, asked.booking_id, promised_at => asked.created_at)
    ) as way
    -- What has gone back meanwhile has a mail of its own, but for what is on a voucher at once.
    -- What waits for a bank's decision is promised by nobody: it has its mail once it went back.
    where not way.given
      and not way.disputed
      and asked.organization_id = refund_promised_content.organization_id
      and asked.id = (cause ->> 'refund_request_id')::uuid
    group by asked.organization_id, asked.booking_id
  );
end
$$;

comment on function private.refund_promised_content is
  'What the mail says about money that is to go back; null when it was withdrawn, has gone back already or waits for a dispute.';

select private.email_template_upsert('refund_promised', 'refund_promised_content');

create function private.announce_refund()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'booking_refunded', 'organization_id', new.organization_id, 'booking_id', new.booking_id,
      'refund_id', new.id
    ),
    concat_ws(':', 'booking_refunded', new.refund_request_id),
    new.organization_id,
    -- The refunds of several payments are made one after the other, and are one mail.
    now() + interval '2 minutes'
  );
  return null;
end
$$;

comment on function private.announce_refund is
  'The outbox: money that went back writes its mail in the same transaction.';

create trigger announce_refund
after insert on public.refunds
for each row when (new.kind = 'refund' and new.method <> 'voucher')
execute function private.announce_refund();

create function private.refunded_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  last public.refunds;
  told_until timestamptz;
begin
  select r.* into last
  from public.refunds as r
  where r.organization_id = refunded_content.organization_id and r.id = (cause ->> 'refund_id')::uuid;
  if exists (
    select from public.refunds as r
    where r.organization_id = last.organization_id
      and r.booking_id = last.booking_id
      and r.kind = 'refund'
      and r.method <> 'voucher'
      and (r.created_at, r.id) > (last.created_at, last.id)
      and r.created_at < last.created_at + interval '2 minutes'
  ) then
    return null; -- the mail of the later one tells of both
  end if;
  select max(r.created_at) into told_until
  from private.jobs as j
  join private.email_messages as m on m.job_id = j.id and m.sent_at is not null
  join public.refunds as r on r.organization_id = j.organization_id and r.id = (j.payload ->> 'refund_id')::uuid
  where j.kind = 'email.send'
    and j.organization_id = last.organization_id
    and j.payload ->> 'booking_id' = last.booking_id::text
    and j.payload ->> 'template' = 'booking_refunded';
  return (
    select private.with_data(
      private.booking_content(last.organization_id, last.booking_id),
      jsonb_build_object('refund_cents', sum(way.amount_cents), 'refunds', jsonb_agg(to_jsonb(way) order by way.method))
    )
    from (
      select r.method, sum(r.amount_cents) as amount_cents, true as given
      from public.refunds as r
      where r.organization_id = last.organization_id
        and r.booking_id = last.booking_id
        and r.kind = 'refund'
        and r.method <> 'voucher'
        and r.created_at <= last.created_at
        and r.created_at > coalesce(told_until, '-infinity')
        -- The bank sent it back.
        and not exists (
          select from public.refunds as back
          where back.organization_id = r.organization_id
            and back.refund_request_id = r.refund_request_id
            and back.kind = 'reversal'
        )
      group by r.method
    ) as way
    having count(*) > 0
  );
end
$$;

comment on function private.refunded_content is
  'What the mail says about money that went back, of all that no such mail told yet; null when a later refund''s mail tells it, or the bank has sent it back.';

select private.email_template_upsert('booking_refunded', 'refunded_content');

-- =============================================================================
-- sql/80_messages/120_lapsing_holds.sql
-- =============================================================================

-- Places that are about to be lost: told once, where the calendar asks for it.

create function private.lapsing_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object('expires_at', b.hold_expires_at, 'due_now_cents', b.due_now_cents)
    )
    from public.bookings as b
    where b.organization_id = lapsing_content.organization_id
      and b.id = (cause ->> 'booking_id')::uuid
      and b.status in ('held', 'pending')
      and b.hold_expires_at > now()
      and private.payable_beside(b, false, 0) > 0
      -- Switched off meanwhile, or kept for longer.
      and b.hold_expires_at <= now() + make_interval(mins => (private.managing_calendar(b)).lapse_notice_minutes)
  );
end
$$;

comment on function private.lapsing_content is
  'What the mail says that tells of a place about to be lost; null when it was paid, let go, has lapsed or is kept for longer.';

select private.email_template_upsert('hold_lapsing', 'lapsing_content');

-- for: private.queue_lapsing_holds
create index bookings_hold_expires_at_idx on public.bookings (hold_expires_at) where hold_expires_at is not null;

create function private.queue_lapsing_holds(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  queued int;
begin
  select count(
    private.enqueue(
      'email.send',
      jsonb_build_object(
        'template', 'hold_lapsing', 'organization_id', lapsing.organization_id, 'booking_id', lapsing.id,
        'lapses', true
      ),
      concat_ws(':', 'hold_lapsing', lapsing.organization_id, lapsing.id),
      lapsing.organization_id
    )
  ) into queued
  from (
    select b.organization_id, b.id
    from public.bookings as b
    where b.hold_expires_at > now()
      -- The longest notice that a calendar can ask for.
      and b.hold_expires_at <= now() + interval '2 hours'
      and b.hold_expires_at <= now() + make_interval(mins => (private.managing_calendar(b)).lapse_notice_minutes)
      and private.payable_beside(b, false, 0) > 0
      and not exists (
        select from private.jobs as j
        where j.kind = 'email.send' and j.dedupe_key = concat_ws(':', 'hold_lapsing', b.organization_id, b.id)
      )
    order by b.hold_expires_at
    limit queue_lapsing_holds.max
  ) as lapsing;
  return queued;
end
$$;

comment on function private.queue_lapsing_holds is
  'Queues the mails about places that are lost soon, at most so many and one a booking for ever, and returns how many. A hold that was extended meanwhile is told of by its new end.';

-- =============================================================================
-- sql/80_messages/130_changed_details.sql
-- =============================================================================

-- What whoever has booked must know to come, changed: told where the location asks for it.

create function private.note_changed_details()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  new.details_changed_at := now();
  return new;
end
$$;

comment on function private.note_changed_details is
  'Remembers since when a location''s directions are as they are.';

create trigger note_changed_details
before update on public.locations
for each row when (
  (new.address, new.postal_code, new.city, new.phone, new.arrival_hints, new.directions)
  is distinct from (old.address, old.postal_code, old.city, old.phone, old.arrival_hints, old.directions)
)
execute function private.note_changed_details();

-- for: private.queue_changed_details
create index locations_details_changed_at_idx on public.locations (details_changed_at) where tells_changes;

create function private.details_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      (
        select jsonb_build_object('event_id', event.uid, 'event_at', event.updated_at, 'event_version', event.sequence)
        from private.booking_event(b.organization_id, b.id, 'infinity') as event
      )
    )
    from public.bookings as b
    join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where b.organization_id = details_content.organization_id
      and b.id = (cause ->> 'booking_id')::uuid
      and b.status = 'confirmed'
      and b.starts_at > now()
      and l.tells_changes
      -- A later change has a mail of its own.
      and l.details_changed_at = (cause ->> 'changed_at')::timestamptz
  );
end
$$;

comment on function private.details_content is
  'What the mail says that tells of a changed address, phone or way; null when it changed again, the booking is not on any more, or the game has begun.';

select private.email_template_upsert('details_changed', 'details_content');

create function private.queue_changed_details(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  queued int;
begin
  select count(
    private.enqueue(
      'email.send',
      jsonb_build_object(
        'template', 'details_changed', 'organization_id', told.organization_id, 'booking_id', told.id,
        'changed_at', told.details_changed_at
      ),
      concat_ws(':', 'details_changed', told.id, extract(epoch from told.details_changed_at)),
      told.organization_id
    )
  ) into queued
  from (
    select b.organization_id, b.id, l.details_changed_at
    from public.locations as l
    join public.rooms as r on r.organization_id = l.organization_id and r.location_id = l.id
    join public.bookings as b on b.organization_id = r.organization_id and b.room_id = r.id
    where l.tells_changes
      -- Time to correct what was mistyped; a day, after an outage.
      and l.details_changed_at <= now() - interval '15 minutes'
      and l.details_changed_at > now() - interval '1 day'
      and b.status = 'confirmed'
      and b.starts_at > now()
      -- Whoever was confirmed since has been told as it is now.
      and private.stood_by(b, l.details_changed_at)
      and not exists (
        select from private.jobs as j
        where j.kind = 'email.send'
          and j.dedupe_key = concat_ws(':', 'details_changed', b.id, extract(epoch from l.details_changed_at))
      )
    order by b.starts_at, b.id
    limit queue_changed_details.max
  ) as told;
  return queued;
end
$$;

comment on function private.queue_changed_details is
  'Queues the mails about changed directions a quarter of an hour after the last change, soonest games first, at most so many, and returns how many.';

-- =============================================================================
-- sql/80_messages/140_auth_emails.sql
-- =============================================================================

-- Auth's own mails: sign-ups, links, codes. Auth hands them to the edge function auth-email, which puts
-- them here; they go out by the same queue as all others, in the reader's language.
--
-- Codes and links open an account, so they are kept only as long as they are needed: the row goes when
-- the mail has left, or an hour later, when they open nothing any more.

create table private.auth_emails (
  id uuid not null default private.uuid_v7(),
  hook_id text not null,
  position int not null,
  kind text not null,
  recipient text not null,
  locale text not null,
  code text,
  link text,
  new_email text,
  created_at timestamptz not null default now(),
  constraint auth_emails_pkey primary key (id),
  constraint auth_emails_one_of_a_call unique (hook_id, position),
  constraint auth_emails_locale_is_supported check (private.is_locale(locale))
);

comment on table private.auth_emails is
  'Mails of Auth that are still to be sent, with the codes and links that they bring: deleted when sent, and after an hour.';
comment on column private.auth_emails.hook_id is 'Auth''s call that asked for it (its webhook-id); asked again, it is the same mail.';
comment on column private.auth_emails.position is 'Which mail of that call: a changed address is confirmed by two.';
comment on column private.auth_emails.kind is
  'What for: signup, invite, magiclink, recovery, email_change, reauthentication, or another word of Auth''s.';
comment on column private.auth_emails.code is 'What can be typed instead of opening the link; null: nothing.';
comment on column private.auth_emails.link is 'What opens it; null: there is the code only, or it is a notice.';
comment on column private.auth_emails.new_email is 'Of email_change: the address that is to be the account''s; else null.';

-- for: private.forget_auth_emails
create index auth_emails_created_at_idx on private.auth_emails (created_at);

create function private.auth_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', e.locale,
      'to', jsonb_build_object('name', '', 'email', e.recipient),
      'data', jsonb_build_object('kind', e.kind, 'code', e.code, 'link', e.link, 'new_email', e.new_email)
    )
    from private.auth_emails as e
    where e.id = (cause ->> 'auth_email_id')::uuid
      and auth_content.organization_id is null
      -- Later it would open nothing.
      and e.created_at > now() - interval '1 hour'
  );
end
$$;

comment on function private.auth_content is
  'What a mail of Auth says; null once it was sent, or an hour after it was asked for.';

select private.email_template_upsert('auth', 'auth_content');

create function private.forget_sent_auth_email()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from private.auth_emails as e
  using private.jobs as j
  where j.id = new.job_id and e.id = (j.payload ->> 'auth_email_id')::uuid;
  return null;
end
$$;

comment on function private.forget_sent_auth_email is 'What opens an account is not kept once it has left.';

create trigger forget_sent_auth_email
after update of sent_at on private.email_messages
for each row when (new.template = 'auth' and new.sent_at is not null)
execute function private.forget_sent_auth_email();

create function private.forget_auth_emails()
returns void
language sql
volatile
set search_path = ''
as $$
  delete from private.auth_emails as e where e.created_at < now() - interval '1 hour'
$$;

comment on function private.forget_auth_emails is 'Deletes codes and links that open nothing any more.';

create function private.is_auth_link(link text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return is_auth_link.link ~ '^https?://[!-~]+$' and length(is_auth_link.link) <= 2000
    and (
      not exists (select from private.token_issuers)
      or exists (select from private.token_issuers as i where starts_with(is_auth_link.link, i.issuer || '/verify?'))
    );
end
$$;

comment on function private.is_auth_link is
  'Whether a link is Auth''s own, and leads nobody elsewhere in our name; with no row in private.token_issuers any is taken, since nothing says where Auth is.';

create function private.count_auth_mail(email text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  mailbox text := private.mailbox(count_auth_mail.email);
begin
  perform private.limit_rate('auth_mail', 'target', mailbox);
  begin
    perform private.limit_rate('auth_mail_day', 'target', mailbox);
  exception
    when sqlstate 'PGRST' then
      -- A stranger may have used the day up. One mail an hour goes out all the same, whose link works
      -- until the next may, so that nobody is kept from signing in.
      if exists (
        select from private.rate_limits as l
        where l.action = 'auth_mail/target' and l.subject = encode(private.token_hash(mailbox), 'hex')
          and l.window_start > now() - interval '1 hour' and l.hits > 1
      ) then
        raise;
      end if;
  end;
end
$$;

comment on function private.count_auth_mail is
  'Counts a mail of Auth, of whatever kind: anybody can type the address. Raises 429 rate_limited.';

create function private.queue_auth_emails(hook_id text, emails jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  email record;
  email_id uuid;
begin
  if coalesce(queue_auth_emails.hook_id, '') = '' or length(queue_auth_emails.hook_id) > 200
    or jsonb_typeof(queue_auth_emails.emails) is distinct from 'array'
    or jsonb_array_length(queue_auth_emails.emails) not between 1 and 2
  then
    perform private.fail('auth_emails_invalid', 422, 'Send the call''s id and one mail, or two.');
  end if;
  for email in
    select e.*, ordinality as position
    from jsonb_array_elements(queue_auth_emails.emails) with ordinality as given
    cross join jsonb_to_record(given.value) as e (
      kind text, recipient text, locale text, code text, link text, new_email text
    )
  loop
    if email.kind !~ '^[a-z_]{1,60}$' or email.kind is null or private.is_email(lower(email.recipient)) is not true
      or email.code !~ '^[!-~]{1,20}$' or (email.link is not null and not private.is_auth_link(email.link))
      or private.is_email(lower(email.new_email)) is false
    then
      perform private.fail('auth_emails_invalid', 422, 'Send mails as Auth asks for them.');
    end if;
    insert into private.auth_emails as e (hook_id, position, kind, recipient, locale, code, link, new_email)
    values (
      queue_auth_emails.hook_id, email.position, email.kind, lower(email.recipient),
      case when private.is_locale(email.locale) then email.locale else 'es' end,
      email.code, email.link, lower(email.new_email)
    )
    on conflict on constraint auth_emails_one_of_a_call do nothing
    returning e.id into email_id;
    if email_id is not null then
      perform private.count_auth_mail(lower(email.recipient));
      perform private.enqueue(
        'email.send',
        -- A share of its own: somebody waits for the code, and nobody is behind another's.
        jsonb_build_object('template', 'auth', 'auth_email_id', email_id, 'account', 'auth:' || email_id),
        concat_ws(':', 'auth', queue_auth_emails.hook_id, email.position)
      );
    end if;
  end loop;
end
$$;

comment on function private.queue_auth_emails is 'definer: the edge function may write no table.';
grant execute on function private.queue_auth_emails to service_role;

create function service.queue_auth_emails(hook_id text, emails jsonb)
returns void
language sql
volatile
set search_path = ''
as $$ select private.queue_auth_emails(hook_id, emails) $$;

comment on function service.queue_auth_emails is
  'Queues the mails of one call of Auth''s Send Email hook, each once however often the call comes: hook_id is its webhook-id, emails one or two {kind, recipient, locale, code, link, new_email}. For the edge function auth-email, which has verified the call. Errors: 422 auth_emails_invalid; 429 rate_limited, for a mailbox that was sent enough.';
grant execute on function service.queue_auth_emails to service_role;

-- =============================================================================
-- sql/80_messages/150_previews.sql
-- =============================================================================

-- What a mail would say of a real booking, for those who write the mail's words. Nothing is queued, and no secret shown.

create type public.mail_preview as (
  to_name text,
  data jsonb
);

comment on type public.mail_preview is 'What mails would say of a booking now.';
comment on column public.mail_preview.to_name is 'Whom they would greet.';
comment on column public.mail_preview.data is
  'By the names that mails use, as in service.prepared_email.data; no link in it opens anything.';

create function private.preview_booking_email(organization_id uuid, booking_id uuid)
returns public.mail_preview
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
  content jsonb;
  event public.booking_event;
begin
  perform private.require_permission(preview_booking_email.organization_id, 'bookings:read');
  perform private.require_permission(preview_booking_email.organization_id, 'customers:read');
  perform private.require_permission(preview_booking_email.organization_id, 'payments:read');
  select b.* into booking
  from public.bookings as b
  where b.organization_id = preview_booking_email.organization_id and b.id = preview_booking_email.booking_id;
  content := private.booking_content(booking.organization_id, booking.id);
  if content is null then
    perform private.fail('booking_not_found', 404, 'Choose a booking whose customer was not erased.');
  end if;
  event := private.booking_event(booking.organization_id, booking.id, 'infinity');
  return row(
    content #>> '{to,name}',
    (content -> 'data') - array['manage_url_token', 'waiver_token', 'check_in_code'] || jsonb_build_object(
      'manage_url_token', 'preview',
      'waiver_token', case when (private.booking_waiver(booking)).token is not null then 'preview' end,
      'event_id', event.uid,
      'event_at', event.updated_at,
      'event_version', event.sequence,
      'previous', null,
      'expires_at', booking.hold_expires_at,
      'due_now_cents', booking.due_now_cents,
      'payable_cents', private.payable_online(booking),
      'unsigned_waivers', (private.booking_waiver(booking)).missing,
      'result', private.told_result(booking)
    )
  )::public.mail_preview;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.preview_booking_email is
  'definer: gathers what a mail says, secrets included, and leaves those out.';
grant execute on function private.preview_booking_email to authenticated;

create function public.preview_booking_email(organization_id uuid, booking_id uuid)
returns public.mail_preview
language sql
stable
set search_path = ''
as $$ select private.preview_booking_email(organization_id, booking_id) $$;

comment on function public.preview_booking_email is
  'What mails would say of a booking now: POST /v1/email-templates/preview shows it as a mail. Nothing is sent, and neither the customer''s address nor a secret of a link is in it. For members with bookings:read, customers:read and payments:read. Errors: 403 permission_denied; 404 booking_not_found.';
grant execute on function public.preview_booking_email to authenticated;

-- =============================================================================
-- sql/80_messages/160_sender_domains.sql
-- =============================================================================

-- A venue's own sender: mails come from its own domain as long as the provider has it verified, and from the platform's
-- address otherwise.
--
-- Whose a domain is, its DNS says: each claim has a record of its own to set there, which is looked for before anything
-- is made at the provider. The provider knows a name once, and its records are the same for whoever asks, so they prove
-- that mails may come from the domain and not for whom. A claim that is not proven bars nobody: any number of organizations
-- may make it, and it lapses after a week. A proven one has the name alone, until somebody else proves theirs and its own
-- record is gone from the DNS. A domain is made for the claim that was proven and never taken over from before.

create type public.dns_record as (
  type text,
  name text,
  value text,
  priority int,
  status text
);

comment on type public.dns_record is 'A record that whoever has the domain sets in its DNS.';
comment on column public.dns_record.type is 'Such as TXT, MX or CNAME.';
comment on column public.dns_record.name is 'As its maker says it: the record that proves whose a domain is, whole; the provider''s, below the domain.';
comment on column public.dns_record.value is 'What it says.';
comment on column public.dns_record.priority is 'Of an MX; null: of any other.';
comment on column public.dns_record.status is 'What the provider says of it, such as pending or verified.';

create function private.is_sender_domain(domain text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return private.is_email('a@' || domain) and length(domain) <= 190;
end
$$;

comment on function private.is_sender_domain is 'Whether mails can come from the domain: one in lower case and ASCII, as in an address.';
grant execute on function private.is_sender_domain to authenticated;

create table public.sender_domains (
  organization_id uuid not null default private.organization_with('templates:manage'),
  id uuid not null default private.uuid_v7(),
  domain text not null,
  local_part text not null default 'bookings',
  status text not null default 'pending',
  records public.dns_record [] not null default '{}',
  proof text not null default replace(gen_random_uuid()::text, '-', ''),
  provider_id text,
  proven_at timestamptz,
  verified_at timestamptz,
  checked_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint sender_domains_pkey primary key (organization_id, id),
  constraint sender_domains_domain_key unique (organization_id, domain),
  constraint sender_domains_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint sender_domains_domain_is_one check (private.is_sender_domain(domain)),
  constraint sender_domains_local_part_is_one check (
    local_part ~ '^[a-z0-9]([a-z0-9._-]{0,30}[a-z0-9])?$' and private.is_email(local_part || '@' || domain)
  ),
  constraint sender_domains_status_is_known check (status in ('pending', 'verified', 'failed'))
);

comment on table public.sender_domains is
  'Domains from which an organization''s mails to its customers come: from the newest one that is verified, and as long as none is, from the platform''s address. Insert one, set the record that proves whose it is, then the others that appear, and wait; delete it to go back. Several organizations may claim a name, and the one that proves it has it. The status is read again within minutes while it is pending. At most three. Errors: 422 too_many_rows.';
comment on column public.sender_domains.domain is 'In lower case; best one of its own, such as mail.venue.com. For another one insert another row.';
comment on column public.sender_domains.local_part is 'What stands before the @.';
comment on column public.sender_domains.status is
  'pending (set the records), verified (mails come from it) or failed (the records are not there, or not any more, the provider has lost it or keeps it for somebody else, or another organization has proven it since). Written by the service only.';
comment on column public.sender_domains.records is 'What is to be set in the domain''s DNS: first the TXT record that proves whose it is, and once that was found, what the provider asks for. Empty for the first moments. Written by the service only.';
comment on column public.sender_domains.proof is 'What the TXT record at _escapemaster below the domain says, after "escapemaster=".';
comment on column public.sender_domains.proven_at is
  'When that record was found, and since when the domain is this organization''s alone; null: it is not. Written by the service only.';
comment on column public.sender_domains.provider_id is 'What the provider calls it; null: it has not made it yet.';
comment on column public.sender_domains.verified_at is 'When it was first verified; null: never. What was not within a week is deleted.';
comment on column public.sender_domains.checked_at is 'When its status was last read; null: not yet.';

-- for: private.prove_sender_domain, so that one organization at a time has the name
create unique index sender_domains_proven_key on public.sender_domains (domain) where proven_at is not null;

-- for: private.prove_sender_domain
create index sender_domains_domain_idx on public.sender_domains (domain);

-- for: private.queue_stale_sender_domains
create index sender_domains_checked_at_idx on public.sender_domains (checked_at nulls first);

grant select, delete on public.sender_domains to authenticated;
grant insert (organization_id, domain, local_part) on public.sender_domains to authenticated;
grant update (local_part) on public.sender_domains to authenticated;

alter table public.sender_domains enable row level security;

create policy sender_domains_select on public.sender_domains
for select to authenticated
using (organization_id = (select private.organization_with('templates:read')));

create policy sender_domains_insert on public.sender_domains
for insert to authenticated
with check (organization_id = (select private.organization_with('templates:manage')));

create policy sender_domains_update on public.sender_domains
for update to authenticated
using (organization_id = (select private.organization_with('templates:manage')))
with check (organization_id = (select private.organization_with('templates:manage')));

create policy sender_domains_delete on public.sender_domains
for delete to authenticated
using (organization_id = (select private.organization_with('templates:manage')));

create trigger sender_domains_are_bounded
after insert on public.sender_domains
for each row execute function private.bound_rows('3');

create trigger sender_domains_touch_updated_at
before update on public.sender_domains
for each row execute function private.touch_updated_at();

insert into private.job_kinds (kind, rank, share_limit, total_limit, description)
values
('sender.read', 1, 1, 2, 'Looks for the proof of a venue''s own sender domain, has the provider make it, or reads its status'),
('sender.remove', 1, 1, 2, 'Removes a sender domain that was given up at the provider')
on conflict (kind) do update
set rank = excluded.rank,
  share_limit = excluded.share_limit,
  total_limit = excluded.total_limit,
  description = excluded.description;

create function private.queue_sender_domain(domain public.sender_domains)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
begin
  return private.enqueue(
    'sender.read', jsonb_build_object('sender_domain_id', domain.id), 'sender.read:' || domain.id, domain.organization_id
  );
end
$$;

comment on function private.queue_sender_domain is 'Queues reading a sender domain, unless that waits already.';

create function private.remove_sender_domain(provider_id text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Of nobody: its organization may be erased.
  perform private.enqueue(
    'sender.remove', jsonb_build_object('provider_id', remove_sender_domain.provider_id),
    'sender.remove:' || remove_sender_domain.provider_id, null
  );
end
$$;

comment on function private.remove_sender_domain is 'Queues removing a domain at the provider.';

create function private.follow_sender_domain()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    perform private.queue_sender_domain(new);
  elsif old.provider_id is not null then
    perform private.remove_sender_domain(old.provider_id);
  end if;
  return null;
end
$$;

comment on function private.follow_sender_domain is
  'definer: queues work, which no client may. A claim is looked into when it is made, and what the provider has of it is removed when it is given up.';

-- After the row, which row level security has let through by then.
create trigger follow_sender_domain
after insert or delete on public.sender_domains
for each row execute function private.follow_sender_domain();

create function private.queue_stale_sender_domains()
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  queued int;
begin
  delete from public.sender_domains as d
  where d.verified_at is null and d.created_at < now() - interval '7 days';
  select count(private.queue_sender_domain(d)) into queued
  from (
    select s.*
    from public.sender_domains as s
    where s.checked_at < now() -
      case when s.status = 'pending' or s.provider_id is null then interval '2 minutes' else interval '6 hours' end
      -- One that waits keeps its pause; one that died is tried anew after a day. Neither takes the
      -- place of one that can be read.
      and not exists (
        select from private.jobs as j
        where j.kind = 'sender.read'
          and j.dedupe_key = 'sender.read:' || s.id
          and (j.status in ('queued', 'running') or (j.status = 'dead' and j.finished_at > now() - interval '1 day'))
      )
    order by s.checked_at
    limit 100
  ) as d;
  return queued;
end
$$;

comment on function private.queue_stale_sender_domains is
  'Queues reading the sender domains that wait for their records (every two minutes) and the others (every six hours), and deletes claims that nobody proved within a week; how many it queued.';

create type service.sender_domain as (
  domain text,
  provider_id text,
  claimed_at timestamptz,
  is_proven boolean,
  proof text
);

comment on type service.sender_domain is 'A sender domain that is to be read.';
comment on column service.sender_domain.domain is 'Its name.';
comment on column service.sender_domain.provider_id is 'What the provider calls it; null: it is to be made there.';
comment on column service.sender_domain.claimed_at is 'Since when it is the organization''s, or was claimed: one that the provider had before then is somebody else''s.';
comment on column service.sender_domain.is_proven is 'Whether the domain is the organization''s alone; until then nothing is made.';
comment on column service.sender_domain.proof is 'What proves it in the DNS.';

create function private.read_sender_domain(job_id bigint, lease_token uuid)
returns service.sender_domain
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    select row(
      d.domain, d.provider_id, coalesce(d.proven_at, d.created_at), d.proven_at is not null, d.proof
    )::service.sender_domain
    from private.jobs as j
    join public.sender_domains as d
      on d.organization_id = j.organization_id and d.id = (j.payload ->> 'sender_domain_id')::uuid
    where j.id = read_sender_domain.job_id
      and j.lease_token = read_sender_domain.lease_token
      and j.status = 'running'
      and j.kind = 'sender.read'
  );
end
$$;

comment on function private.read_sender_domain is 'definer: the service may read no table.';
grant execute on function private.read_sender_domain to service_role;

create function service.read_sender_domain(job_id bigint, lease_token uuid)
returns jsonb
language sql
stable
set search_path = ''
as $$ select to_jsonb(private.read_sender_domain(job_id, lease_token)) $$;

comment on function service.read_sender_domain is
  'The sender domain that a claimed job of kind sender.read is about; null when it was given up or the lease is lost. Answers service.sender_domain or null.';
grant execute on function service.read_sender_domain to service_role;

create function private.sender_proof_record(domain text, proof text, proven_at timestamptz)
returns public.dns_record
language plpgsql
immutable
set search_path = ''
as $$
begin
  return row(
    'TXT', '_escapemaster.' || domain, 'escapemaster=' || proof, null,
    case when proven_at is null then 'pending' else 'verified' end
  )::public.dns_record;
end
$$;

comment on function private.sender_proof_record is 'The record that proves whose a sender domain is.';

create function private.prove_sender_domain(job_id bigint, lease_token uuid, proofs text [])
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  claimed public.sender_domains;
  holder public.sender_domains;
begin
  perform private.act_as('system', null);
  select d.* into claimed
  from private.jobs as j
  join public.sender_domains as d
    on d.organization_id = j.organization_id and d.id = (j.payload ->> 'sender_domain_id')::uuid
  where j.id = prove_sender_domain.job_id
    and j.lease_token = prove_sender_domain.lease_token
    and j.status = 'running'
    and j.kind = 'sender.read';
  if not found then
    return false; -- given up, or somebody else reads it
  end if;
  -- All claims of the name, in one order: whoever proves at the same time waits here, and finds a holder.
  perform from public.sender_domains as d
  where d.domain = claimed.domain
  order by d.organization_id, d.id
  for update;
  select d.* into holder from public.sender_domains as d where d.domain = claimed.domain and d.proven_at is not null;
  if holder.id = claimed.id then
    return true;
  elsif claimed.proof = any(prove_sender_domain.proofs) and (holder.id is null or holder.proof <> all(prove_sender_domain.proofs)) then
    -- Whoever has the DNS now names this one, and a holder no more.
    update public.sender_domains as d
    set proven_at = null, provider_id = null, status = 'failed', records = array[private.sender_proof_record(d.domain, d.proof, null)]
    where d.organization_id = holder.organization_id and d.id = holder.id;
    if holder.provider_id is not null then
      perform private.remove_sender_domain(holder.provider_id);
    end if;
    claimed.proven_at := clock_timestamp();
  end if;
  update public.sender_domains as d
  set proven_at = claimed.proven_at,
    checked_at = now(),
    records = array[private.sender_proof_record(d.domain, d.proof, claimed.proven_at)]
  where d.organization_id = claimed.organization_id and d.id = claimed.id;
  return claimed.proven_at is not null;
end
$$;

comment on function private.prove_sender_domain is 'definer: the service may write no table.';
grant execute on function private.prove_sender_domain to service_role;

create function service.prove_sender_domain(job_id bigint, lease_token uuid, proofs text [])
returns boolean
language sql
volatile
set search_path = ''
as $$ select private.prove_sender_domain(job_id, lease_token, proofs) $$;

comment on function service.prove_sender_domain is
  'Says which proofs stand in the DNS of a sender domain, from a claimed job of kind sender.read. Whether the domain is its organization''s alone from now on: its own stands there, and that of whoever had the domain does not.';
grant execute on function service.prove_sender_domain to service_role;

create function private.record_sender_domain(
  job_id bigint, lease_token uuid, provider_id text, status text, records jsonb
)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs;
begin
  perform private.act_as('system', null);
  select j.* into job
  from private.jobs as j
  where j.id = record_sender_domain.job_id
    and j.lease_token = record_sender_domain.lease_token
    and j.status = 'running'
    and j.kind = 'sender.read';
  if not found then
    return true; -- somebody else reads it
  end if;
  update public.sender_domains as d
  set provider_id = coalesce(record_sender_domain.provider_id, d.provider_id),
    status = record_sender_domain.status,
    records = private.sender_proof_record(d.domain, d.proof, d.proven_at) || array(
      select r from jsonb_populate_recordset(null::public.dns_record, record_sender_domain.records) as r
    ),
    verified_at = coalesce(d.verified_at, case record_sender_domain.status when 'verified' then now() end),
    checked_at = now()
  where d.organization_id = job.organization_id
    and d.id = (job.payload ->> 'sender_domain_id')::uuid
    and d.proven_at is not null;
  return found;
end
$$;

comment on function private.record_sender_domain is 'definer: the service may write no table.';
grant execute on function private.record_sender_domain to service_role;

create function service.record_sender_domain(
  job_id bigint, lease_token uuid, provider_id text, status text, records jsonb
)
returns boolean
language sql
volatile
set search_path = ''
as $$ select private.record_sender_domain(job_id, lease_token, provider_id, status, records) $$;

comment on function service.record_sender_domain is
  'Writes down what the provider says of a sender domain, from a claimed job of kind sender.read: provider_id, status (pending, verified or failed), records [{type, name, value, priority, status}]. False when it was given up meanwhile, or is not the organization''s (service.prove_sender_domain): what was made at the provider is to be removed there.';
grant execute on function service.record_sender_domain to service_role;

create function private.used_sender_domain(organization_id uuid)
returns public.sender_domains
language plpgsql
stable
set search_path = ''
as $$
declare
  used public.sender_domains;
begin
  select d.* into used
  from public.sender_domains as d
  where d.organization_id = used_sender_domain.organization_id
    and d.status = 'verified'
    and d.proven_at is not null
  order by d.id desc
  limit 1;
  return used;
end
$$;

comment on function private.used_sender_domain is
  'The domain from which an organization''s mails to its customers come: the newest that is verified; null: none is.';

create function private.doubt_sender_domain(job_id bigint, lease_token uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  doubted public.sender_domains;
begin
  perform private.act_as('system', null);
  update public.sender_domains as d
  set status = 'failed'
  from private.jobs as j
  where j.id = doubt_sender_domain.job_id
    and j.lease_token = doubt_sender_domain.lease_token
    and j.status = 'running'
    and j.kind = 'email.send'
    and d.organization_id = j.organization_id
    and d.id = (private.used_sender_domain(j.organization_id)).id
  returning d.* into doubted;
  if found then
    perform private.queue_sender_domain(doubted);
  end if;
end
$$;

comment on function private.doubt_sender_domain is 'definer: the service may write no table.';
grant execute on function private.doubt_sender_domain to service_role;

create function service.doubt_sender_domain(job_id bigint, lease_token uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.doubt_sender_domain(job_id, lease_token) $$;

comment on function service.doubt_sender_domain is
  'From a claimed job of kind email.send whose sender the provider refused: the organization''s mails come from the platform''s address from now on, and its domain is read anew.';
grant execute on function service.doubt_sender_domain to service_role;

create function private.own_sender(organization_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  used public.sender_domains := private.used_sender_domain(own_sender.organization_id);
begin
  return used.local_part || '@' || used.domain;
end
$$;

comment on function private.own_sender is
  'The address from which an organization''s mails to its customers come; null: the platform''s.';

-- =============================================================================
-- sql/80_messages/170_voucher_emails.sql
-- =============================================================================

-- The mails of a gift voucher: what became of them, one once more, and the delivery that waits for a
-- dispute.
--
-- A voucher whose payment is disputed is blocked, and its mails say nothing (private.voucher_content):
-- a delivery that comes due meanwhile ends without a mail. When the dispute is won it is queued anew,
-- unless the one of before still waits or has left; when it is lost, nothing is left to deliver.

-- for: public.voucher_emails, and private.voucher_mail_left
create index jobs_voucher_mails_idx
on private.jobs (organization_id, (coalesce(payload ->> 'voucher_id', payload ->> 'voucher_order_id')), id)
where kind = 'email.send' and payload ?| array['voucher_id', 'voucher_order_id'];

create function private.voucher_mail_left(organization_id uuid, voucher_id uuid, released text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from private.jobs as j
    join private.email_messages as m on m.job_id = j.id
    where j.kind = 'email.send'
      and j.payload ?| array['voucher_id', 'voucher_order_id']
      and j.organization_id = voucher_mail_left.organization_id
      and coalesce(j.payload ->> 'voucher_id', j.payload ->> 'voucher_order_id') = voucher_mail_left.voucher_id::text
      and j.payload ->> 'template' = 'voucher_issued'
      and j.payload ->> 'released' is distinct from voucher_mail_left.released
      -- It is on its way: prepared, and to be tried again.
      and (m.sent_at is not null or m.status = 'prepared' and j.status in ('queued', 'running'))
  );
end
$$;

comment on function private.voucher_mail_left is
  'Whether the mail that brings a voucher to its recipient was sent, or is being sent, by another job than the one that this release queued (null: by one that a release queued; empty: by any).';

create function private.release_voucher_delivery()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  bought public.voucher_orders;
  zone text;
  released text := private.uuid_v7();
begin
  select o.* into bought
  from public.voucher_orders as o
  where o.organization_id = new.organization_id and o.voucher_id = new.id;
  if bought.recipient_email is null
    or private.voucher_went_back(new)
    or private.voucher_mail_left(new.organization_id, new.id, released)
    or exists (
      select from private.jobs as j
      where j.kind = 'email.send'
        and j.payload ?| array['voucher_id', 'voucher_order_id']
        and j.organization_id = new.organization_id
        and coalesce(j.payload ->> 'voucher_id', j.payload ->> 'voucher_order_id') = new.id::text
        and j.payload ->> 'template' = 'voucher_issued'
        and j.status = 'queued'
    )
  then
    return null;
  end if;
  select o.timezone into zone from public.organizations as o where o.id = new.organization_id;
  perform private.queue_voucher_mail(
    new,
    -- A worker that had the one of before in its hands has prepared it by then, or dropped it.
    greatest(now() + interval '1 minute', (bought.deliver_on + time '09:00') at time zone zone),
    released
  );
  return null;
end
$$;

comment on function private.release_voucher_delivery is
  'A dispute about a voucher''s payment is over and the voucher pays again: its delivery that was held meanwhile is queued anew.';

create trigger release_voucher_delivery
after update of status on public.vouchers
for each row when (old.status = 'blocked' and new.status = 'active')
execute function private.release_voucher_delivery();

create type public.voucher_email as (
  id uuid,
  template text,
  recipient text,
  status text,
  reason text,
  created_at timestamptz,
  sent_at timestamptz,
  due_at timestamptz
);

comment on type public.voucher_email is 'A mail of a gift voucher, and what became of it.';
comment on column public.voucher_email.id is 'The mail''s, for as long as it is listed; not in order of time.';
comment on column public.voucher_email.template is
  'voucher_issued: to its recipient; voucher_bought: to its buyer. one of: voucher_issued, voucher_bought';
comment on column public.voucher_email.recipient is 'The address; null without customers:read, and before it was prepared.';
comment on column public.voucher_email.status is
  'held: a dispute about its payment is open, and it is sent when that is won; void: the voucher was cancelled or its money went back before; not_needed: switched off, or overtaken by another; the rest as in booking_email. one of: waiting, held, void, sent, delivered, not_needed, dead, bounced, complained, failed, suppressed, limited';
comment on column public.voucher_email.reason is 'What went wrong with it last; null: nothing did.';
comment on column public.voucher_email.created_at is 'When it was asked for.';
comment on column public.voucher_email.sent_at is 'When the provider took it; null: it did not.';
comment on column public.voucher_email.due_at is 'When it is tried next; null: it is not.';

create function private.voucher_emails(organization_id uuid, voucher_id uuid)
returns setof public.voucher_email
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  voucher public.vouchers;
  order_id uuid;
  shows_addresses boolean;
begin
  perform private.require_permission(voucher_emails.organization_id, 'vouchers:read');
  select v.* into voucher
  from public.vouchers as v
  where v.organization_id = voucher_emails.organization_id and v.id = voucher_emails.voucher_id;
  if not found then
    perform private.fail('voucher_not_found', 404, 'Choose one of the organization''s vouchers.');
  end if;
  select o.id into order_id
  from public.voucher_orders as o
  where o.organization_id = voucher.organization_id and o.voucher_id = voucher.id;
  shows_addresses := private.has_permission(voucher_emails.organization_id, 'customers:read');
  return query
  select
    private.mail_id(j.dedupe_key), j.payload ->> 'template', case when shows_addresses then m.recipient end,
    case
      when m.status in ('suppressed', 'limited', 'delivered', 'bounced', 'complained', 'failed') then m.status
      when m.sent_at is not null then 'sent'
      when voucher.status = 'cancelled' or private.voucher_went_back(voucher) then 'void'
      when voucher.status = 'blocked' and j.status <> 'dead' then 'held'
      when j.status = 'dead' then 'dead'
      when j.status = 'done' then 'not_needed'
      else 'waiting'
    end,
    case when m.sent_at is null and j.status <> 'done' then j.last_error end,
    j.created_at, m.sent_at, case when j.status = 'queued' then j.run_at end
  from private.jobs as j
  left join private.email_messages as m on m.job_id = j.id
  where j.kind = 'email.send'
    and j.payload ?| array['voucher_id', 'voucher_order_id']
    and j.organization_id = voucher.organization_id
    and coalesce(j.payload ->> 'voucher_id', j.payload ->> 'voucher_order_id') in (voucher.id::text, order_id::text)
  order by j.id desc
  limit 200;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.voucher_emails is 'definer: queue and log of mails are visible to nobody.';
grant execute on function private.voucher_emails to authenticated;

create function public.voucher_emails(organization_id uuid, voucher_id uuid)
returns setof public.voucher_email
language sql
stable
set search_path = ''
as $$ select * from private.voucher_emails(organization_id, voucher_id) $$;

comment on function public.voucher_emails is
  'The mails of a gift voucher, to its buyer and its recipient, newest first, of the last 90 days, 200 at most. Somebody should look at what is held, dead, bounced, complained, failed, suppressed or limited. For members with vouchers:read. Errors: 403 permission_denied; 404 voucher_not_found.';
grant execute on function public.voucher_emails to authenticated;

create function private.resend_voucher_email(
  organization_id uuid, voucher_id uuid, idempotency_key text, kind text, email text
)
returns public.resent_email
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := resend_voucher_email.organization_id || ':resend_voucher_email';
  stored jsonb;
  bought public.voucher_orders;
  voucher public.vouchers;
  corrected text := nullif(private.typed_email(resend_voucher_email.email), '');
  address text;
  template text;
  payload jsonb;
  dedupe_key text;
  answer public.resent_email;
begin
  perform private.require_permission(resend_voucher_email.organization_id, 'messages:send');
  perform private.require_permission(
    resend_voucher_email.organization_id, case when corrected is null then 'vouchers:read' else 'vouchers:manage' end
  );
  if resend_voucher_email.kind is null or resend_voucher_email.kind not in ('recipient', 'buyer') then
    perform private.fail('email_kind_invalid', 422, 'Choose recipient or buyer.');
  elsif not private.is_email(corrected) then
    perform private.fail('email_invalid', 422, 'Give an address, or none to use the one that is known.');
  end if;
  stored := private.idempotent_begin(
    scope, resend_voucher_email.idempotency_key,
    jsonb_build_object(
      'voucher_id', resend_voucher_email.voucher_id, 'kind', resend_voucher_email.kind, 'email', resend_voucher_email.email
    )
  );
  if stored is not null then
    return jsonb_populate_record(null::public.resent_email, stored);
  end if;
  -- As everywhere: the order's row, then the voucher's.
  select o.* into bought
  from public.voucher_orders as o
  where o.organization_id = resend_voucher_email.organization_id and o.voucher_id = resend_voucher_email.voucher_id
  for no key update;
  select v.* into voucher
  from public.vouchers as v
  where v.organization_id = resend_voucher_email.organization_id and v.id = resend_voucher_email.voucher_id
  for no key update;
  if not found then
    perform private.fail('voucher_not_found', 404, 'Choose one of the organization''s vouchers.');
  end if;
  if resend_voucher_email.kind = 'buyer' then
    template := 'voucher_bought';
    payload := jsonb_build_object('voucher_order_id', bought.id);
    address := coalesce(corrected, bought.buyer_email);
  else
    template := 'voucher_issued';
    payload := jsonb_build_object('voucher_id', voucher.id);
    address := coalesce(corrected, voucher.recipient_email);
  end if;
  if resend_voucher_email.kind = 'buyer' and bought.id is null then
    perform private.fail('nothing_to_send', 409, 'Staff issued it: nobody bought it.');
  elsif address is null then
    perform private.fail('address_missing', 409, 'Give an address to send it to.');
  end if;
  if corrected is not null and resend_voucher_email.kind = 'buyer' then
    update public.voucher_orders as o
    set buyer_email = corrected
    where o.organization_id = bought.organization_id and o.id = bought.id;
  elsif corrected is not null then
    update public.vouchers as v
    set recipient_email = corrected
    where v.organization_id = voucher.organization_id and v.id = voucher.id;
    update public.voucher_orders as o
    set recipient_email = corrected
    where o.organization_id = bought.organization_id and o.id = bought.id;
  end if;
  if (
    case resend_voucher_email.kind
      when 'buyer' then private.bought_voucher_content(resend_voucher_email.organization_id, payload)
      else private.voucher_content(resend_voucher_email.organization_id, payload || '{"resent": true}')
    end
  ) is null then
    perform private.fail('nothing_to_send', 409, 'It was not bought, was cancelled or given back, or a dispute about its payment is open.');
  end if;
  -- What is to be delivered on a date goes to the corrected address, then, and not twice.
  if resend_voucher_email.kind = 'recipient' then
    select j.dedupe_key into dedupe_key
    from private.jobs as j
    where j.kind = 'email.send'
      and j.payload ?| array['voucher_id', 'voucher_order_id']
      and j.organization_id = voucher.organization_id
      and coalesce(j.payload ->> 'voucher_id', j.payload ->> 'voucher_order_id') = voucher.id::text
      and j.payload ->> 'template' = template
      and j.status = 'queued'
      and j.run_at > now()
    order by j.id
    limit 1;
    if dedupe_key is not null and corrected is null then
      perform private.fail('nothing_to_send', 409, 'It is delivered on its date; correct its address until then.');
    end if;
  end if;
  if dedupe_key is null then
    dedupe_key := concat_ws(':', 'resent', voucher.organization_id, voucher.id, private.uuid_v7());
    perform private.enqueue(
      'email.send',
      payload || jsonb_build_object(
        'template', template, 'organization_id', voucher.organization_id, 'resent', true
      ),
      dedupe_key,
      voucher.organization_id
    );
  end if;
  answer := row(private.mail_id(dedupe_key), template)::public.resent_email;
  perform private.idempotent_end(scope, resend_voucher_email.idempotency_key, to_jsonb(answer));
  -- Last, since the counters' rows stay locked until the end of the transaction.
  perform private.limit_mail(voucher.organization_id, address, 'desk');
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.resend_voucher_email is 'definer: queues work and corrects addresses of vouchers, which no client may.';
grant execute on function private.resend_voucher_email to authenticated;

create function public.resend_voucher_email(
  organization_id uuid, voucher_id uuid, idempotency_key text, kind text default 'recipient', email text default null
)
returns public.resent_email
language sql
volatile
set search_path = ''
as $$ select private.resend_voucher_email(organization_id, voucher_id, idempotency_key, kind, email) $$;

comment on function public.resend_voucher_email is
  'Sends a gift voucher''s mail once more, to its recipient or (kind buyer) to who bought it. email corrects the address, and is kept (for that also vouchers:manage); one that is to be delivered on a date is not sent before, but then goes to the corrected address. For members with messages:send and vouchers:read. Errors: 403 permission_denied, organization_suspended; 404 voucher_not_found; 409 address_missing, nothing_to_send; 422 email_kind_invalid, email_invalid, idempotency_key_invalid, idempotency_key_reused; 429 mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.resend_voucher_email to authenticated;

-- =============================================================================
-- sql/80_messages/180_share_emails.sql
-- =============================================================================

-- The mails of a split payment: its link to a payer, and what became of a share to who booked.

create function private.share_to_pay_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'booking_id', s.booking_id,
      'locale', s.locale,
      'to', jsonb_build_object('name', s.payer_name, 'email', s.payer_email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'contact_email', o.contact_email,
        'website', o.website,
        'logo_path', o.logo_path,
        'accent_color', k.accent_color,
        'organizer', shown.organizer,
        'room_name', shown.room,
        'starts_at', shown.starts_at,
        'timezone', shown.timezone,
        'currency', shown.currency,
        'amount_cents', shown.amount_cents,
        'expires_at', shown.expires_at,
        'share_id', s.id,
        'share_token', private.share_token(s.id),
        'calendar_slug', shown.calendar,
        'site_url', shown.site_url,
        'reminder', coalesce((cause ->> 'reminder')::boolean, false)
      )
    )
    from public.payment_shares as s
    join public.organizations as o on o.id = s.organization_id
    join public.bookings as b on b.organization_id = s.organization_id and b.id = s.booking_id
    left join lateral private.managing_calendar(b) as k on true
    cross join lateral private.shown_payment_share(s.organization_id, s.id) as shown
    where s.organization_id = share_to_pay_content.organization_id
      and s.id = (cause ->> 'share_id')::uuid
      and shown.status = 'open'
      -- Another amount has a mail of its own.
      and s.amount_cents = (cause ->> 'amount_cents')::bigint
      and not private.venue_is_closed(s.organization_id)
  );
end
$$;

comment on function private.share_to_pay_content is
  'What the mail says that brings a payer the link of a share, or reminds of it: of the booking only what, when, where and who booked; null once it was paid, changed or has ended.';

select private.email_template_upsert('share_to_pay', 'share_to_pay_content');

create function private.payment_share_news_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object(
        'payer', s.payer_name,
        'share_cents', s.amount_cents,
        'news', cause ->> 'news',
        'missing_cents', (
          select coalesce(sum(other.amount_cents), 0)
          from public.payment_shares as other
          where other.organization_id = s.organization_id and other.booking_id = s.booking_id and other.status = 'open'
        ),
        'own_cents', private.payable_online(b, whole => true),
        'expires_at', b.hold_expires_at
      )
    )
    from public.payment_shares as s
    join public.bookings as b on b.organization_id = s.organization_id and b.id = s.booking_id
    where s.organization_id = payment_share_news_content.organization_id
      and s.id = (cause ->> 'share_id')::uuid
      and b.status in ('held', 'pending', 'confirmed', 'checked_in')
      and case cause ->> 'news'
        when 'paid' then s.status = 'paid'
        -- Paid after all, or the hold is over.
        else s.status = 'ended' and s.ended_reason = 'late' and coalesce(b.hold_expires_at > now(), true)
      end
  );
end
$$;

comment on function private.payment_share_news_content is
  'What the mail says that tells who booked of a share that was paid, or is late and theirs; null once it is not so any more, or the booking is over.';

select private.email_template_upsert('payment_share_news', 'payment_share_news_content');

-- =============================================================================
-- sql/82_notices/010_permissions.sql
-- =============================================================================

-- Who may see and choose who is told of bookings.

select private.permission_upsert(
  'notices:read', 'organization', false,
  'See who is told of bookings', 'Ver a quién se avisa de las reservas',
  array['admin', 'manager']
);
select private.permission_upsert(
  'notices:manage', 'organization', true,
  'Choose who is told of bookings', 'Elegir a quién se avisa de las reservas',
  array['admin', 'manager'],
  -- It sends the venue's news to addresses of the caller's choice.
  rests_in_visits => true
);

-- =============================================================================
-- sql/82_notices/020_events.sql
-- =============================================================================

-- What a venue's staff may want to be told of: written by triggers where it happens, in its own
-- transaction, so that no way of booking, changing or paying can forget it. Nobody is looked up there:
-- whoever books waits for nothing. private.sweep_notices tells those whom it concerns.

create table private.notice_events (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  kind text not null,
  booking_id uuid,
  history_id uuid,
  session_id uuid,
  room_id uuid,
  starts_at timestamptz,
  user_id uuid,
  actor_id uuid,
  occurred_at timestamptz not null default clock_timestamp(),
  written_by xid8 not null default pg_current_xact_id(),
  spread_at timestamptz,
  problem text,
  constraint notice_events_pkey primary key (organization_id, id),
  constraint notice_events_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint notice_events_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint notice_events_kind_is_known check (kind in (
    'booking_new', 'booking_changed', 'booking_cancelled', 'booking_paid_late', 'payment_disputed',
    'mail_problem', 'session_assigned', 'session_released'
  )),
  constraint notice_events_name_their_subject check (
    case when kind in ('session_assigned', 'session_released') then session_id is not null and user_id is not null
      else booking_id is not null
    end
  )
);

comment on table private.notice_events is
  'What happened that staff may be told of: ids only. A row is consumed once, by private.sweep_notices, whenever it becomes visible, so nothing is missed however late its transaction commits; kept for 90 days, as the mails about it.';
comment on column private.notice_events.kind is
  'booking_new, booking_changed, booking_cancelled, booking_paid_late, payment_disputed, mail_problem; session_assigned, session_released.';
comment on column private.notice_events.history_id is 'Of a booking that was made, changed or cancelled: the line of public.booking_history.';
comment on column private.notice_events.session_id is 'Of an assignment; of a booking its session then.';
comment on column private.notice_events.starts_at is 'The start then; of a disputed payment too.';
comment on column private.notice_events.user_id is 'Of an assignment: whose.';
comment on column private.notice_events.actor_id is 'The person who did it, who is not told of it; null: nobody with an account.';
comment on column private.notice_events.written_by is
  'The transaction: an assignment that is taken back and given again in one was moved with its session.';
comment on column private.notice_events.spread_at is 'When those whom it concerns were told; null: not yet.';
comment on column private.notice_events.problem is 'Why it could not be told, an SQLSTATE; null: it was.';

-- for: private.sweep_notices, the events that wait; those that are told are not in it
create index notice_events_waiting_idx on private.notice_events (occurred_at, id) where spread_at is null;
-- for: private.forget_notices
create index notice_events_spread_at_idx on private.notice_events (spread_at) where spread_at is not null;
-- for: the foreign key, and what is newer of a booking (private.notice_is_news)
create index notice_events_booking_idx on private.notice_events (organization_id, booking_id, occurred_at);
-- for: private.was_moved
create index notice_events_session_idx on private.notice_events (organization_id, session_id, user_id)
where user_id is not null;

create function private.acting_person()
returns uuid
language plpgsql
stable
set search_path = ''
as $$
declare
  actor jsonb := private.current_actor();
begin
  return case when actor ->> 'kind' = 'user' then (actor ->> 'id')::uuid end;
end
$$;

comment on function private.acting_person is 'The person who acts with an account of their own; null for anything else.';

create function private.note_booking_news()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  kind text;
begin
  if new.change is not null then
    -- A hold is nobody's news, nor what became of terms or a coupon alone.
    kind := case
      when new.to_status <> 'held'
        and new.change ?| array['starts_at', 'room_id', 'party_size', 'exclusive', 'extras', 'total_cents']
        then 'booking_changed'
    end;
  elsif private.is_undo(new.from_status, new.to_status)
    or new.reason = 'merged' and private.is_merged(new.organization_id, new.booking_id)
  then
    kind := null;
  elsif new.to_status in ('pending', 'confirmed')
    and coalesce(new.from_status, 'held') in ('held', 'expired', 'cancelled')
  then
    kind := 'booking_new';
  elsif new.to_status in ('cancelled', 'expired') and new.from_status in ('pending', 'confirmed', 'checked_in') then
    kind := 'booking_cancelled';
  end if;
  if kind is null then
    return null;
  end if;
  insert into private.notice_events (
    organization_id, kind, booking_id, history_id, session_id, room_id, starts_at, actor_id, occurred_at
  )
  select
    b.organization_id, kind, b.id, new.id, b.session_id, b.room_id, b.starts_at,
    case when new.actor_kind = 'user' then new.actor_id end,
    new.occurred_at
  from public.bookings as b
  where b.organization_id = new.organization_id and b.id = new.booking_id;
  return null;
end
$$;

comment on function private.note_booking_news is
  'Notes that a booking was made (pending or confirmed), changed or cancelled, or lapsed unpaid, not that it was merged with another, which is a change of that one: from the history, through which every move and change passes.';

create trigger note_booking_news
after insert on public.booking_history
for each row execute function private.note_booking_news();

create function private.note_money_news()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into private.notice_events (organization_id, kind, booking_id, session_id, room_id, starts_at, actor_id)
  select b.organization_id, tg_argv[0], b.id, b.session_id, b.room_id, b.starts_at, private.acting_person()
  from public.bookings as b
  where b.organization_id = new.organization_id
    and b.id = new.booking_id
    -- However many payments came too late, it is one piece of news.
    and not exists (
      select from private.notice_events as e
      where e.organization_id = b.organization_id
        and e.booking_id = b.id
        and e.kind = tg_argv[0]
        and e.written_by = pg_current_xact_id()
    );
  return null;
end
$$;

comment on function private.note_money_news is
  'Notes what a booking''s money did, by the kind that the trigger names: booking_paid_late (it came when the seats were gone, and goes back) or payment_disputed.';

create trigger note_late_money
after insert on private.refund_requests
for each row when (new.reason = 'paid_late')
execute function private.note_money_news('booking_paid_late');

create trigger note_dispute
after insert on public.disputes
for each row when (new.status not in ('won', 'lost', 'warning_closed'))
execute function private.note_money_news('payment_disputed');

create function private.note_mail_problem()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into private.notice_events (organization_id, kind, booking_id, session_id, room_id, starts_at, actor_id)
  select b.organization_id, 'mail_problem', b.id, b.session_id, b.room_id, b.starts_at, private.acting_person()
  from public.bookings as b
  where b.organization_id = new.organization_id
    and b.id = new.booking_id
    -- After the visit nobody stands at a closed door.
    and b.starts_at > now()
    and b.status in ('pending', 'confirmed');
  return null;
end
$$;

comment on function private.note_mail_problem is
  'Notes that the newest mail about a visit to come did not reach its customer; once, until a later one does.';

create trigger note_mail_problem
after insert on public.booking_mail_problems
for each row execute function private.note_mail_problem();

create function private.note_assignment()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  assignment public.session_staff := case tg_op when 'DELETE' then old else new end;
begin
  insert into private.notice_events (organization_id, kind, session_id, room_id, starts_at, user_id, actor_id)
  -- Where the session goes with its organization there is nobody to tell.
  select
    s.organization_id, case tg_op when 'DELETE' then 'session_released' else 'session_assigned' end,
    s.id, s.room_id, lower(assignment.during), assignment.user_id, private.acting_person()
  from public.sessions as s
  join public.organizations as o on o.id = s.organization_id
  where s.organization_id = assignment.organization_id
    and s.id = assignment.session_id
    and upper(assignment.during) > now();
  return null;
end
$$;

comment on function private.note_assignment is
  'Notes that a game master was given a session or lost one, however: by hand, by the automatic, with a session that was cancelled.';

create trigger note_assignment
after insert or delete on public.session_staff
for each row execute function private.note_assignment();

create function private.was_moved(event private.notice_events)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from private.notice_events as e
    where e.organization_id = event.organization_id
      and e.session_id = event.session_id
      and e.user_id = event.user_id
      and e.written_by = event.written_by
      and e.kind <> event.kind
  );
end
$$;

comment on function private.was_moved is
  'Of an assignment: whether it ended and began again in one transaction. Then the session moved, and its game master with it (private.follow_session), which the change of the booking tells.';

-- =============================================================================
-- sql/82_notices/030_rules.sql
-- =============================================================================

-- Whom an organization tells of what, and when: members, the owners, and addresses that were typed.

create function private.are_notice_kinds(kinds text [])
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return cardinality(kinds) between 1 and 10
    and array_position(kinds, null) is null
    and kinds <@ array[
      'booking_new', 'booking_changed', 'booking_cancelled', 'booking_paid_late', 'payment_disputed', 'mail_problem',
      'last_minute', 'own_sessions', 'day_board'
    ]
    and (select count(*) = count(distinct k) from unnest(kinds) as k)
    -- What goes to whoever runs a session is a rule of its own: nobody is chosen for it.
    and (not kinds && array['own_sessions', 'day_board'] or cardinality(kinds) = 1);
end
$$;

comment on function private.are_notice_kinds is
  'Whether these are kinds of notices, at least one, none twice; own_sessions and day_board only alone.';
grant execute on function private.are_notice_kinds to authenticated;

create table public.notice_rules (
  organization_id uuid not null default private.organization_with('notices:manage'),
  id uuid not null default private.uuid_v7(),
  kinds text [] not null,
  to_owners boolean not null default false,
  all_rooms boolean not null default true,
  digest_at time,
  last_minute_hours int,
  is_active boolean not null default true,
  counts_from timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint notice_rules_pkey primary key (organization_id, id),
  constraint notice_rules_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint notice_rules_kinds_are_known check (private.are_notice_kinds(kinds)),
  constraint notice_rules_digest_is_a_time_of_a_day check (digest_at < '24:00'),
  constraint notice_rules_board_has_an_hour check (not kinds = array['day_board'] or digest_at is not null),
  constraint notice_rules_own_sessions_are_told_at_once check (not kinds = array['own_sessions'] or digest_at is null),
  constraint notice_rules_game_masters_are_told_alone check (not kinds && array['own_sessions', 'day_board'] or not to_owners),
  constraint notice_rules_last_minute_has_hours check (('last_minute' = any(kinds)) = (last_minute_hours is not null)),
  constraint notice_rules_last_minute_is_a_week_at_most check (last_minute_hours between 1 and 168)
);

comment on table public.notice_rules is
  'Who is told of bookings: each rule tells its members, the owners if it says so, and its addresses. An organization begins with three: the owners are told at once of new, changed, cancelled, late-paid and disputed bookings, and of those whose mails do not arrive; game masters of changes to their own sessions, and at 18:00 of the next day''s board.';
comment on column public.notice_rules.kinds is
  'booking_new, booking_changed, booking_cancelled (or lapsed unpaid), booking_paid_late, payment_disputed, mail_problem (the newest mail about a visit to come did not reach its customer), last_minute (one of the first three of a visit that starts within last_minute_hours); or alone, to whoever is assigned: own_sessions, day_board.';
comment on column public.notice_rules.to_owners is 'Whether whoever is an owner at the time is told, beside its members.';
comment on column public.notice_rules.all_rooms is 'Whether it is for every room; otherwise those of notice_rule_rooms.';
comment on column public.notice_rules.digest_at is
  'Mails: one a day at this wall-clock time of the room''s location, a mail for each time zone; in a DST gap that much later, in a fold the second of the two. null: at once. Of day_board: when, the evening before. Notifications in the app, and last_minute, come at once.';
comment on column public.notice_rules.last_minute_hours is
  'How many hours before the start, 1 to 168, a booking that is made, changed or cancelled is last_minute: for the kind of that name; null without it.';
comment on column public.notice_rules.is_active is 'Whether it tells anybody. What is queued already is not sent any more once this is false.';
comment on column public.notice_rules.counts_from is
  'Since when it is as it is: of what happened before nobody is told. Set by the database whenever the rule is switched on, or its kinds, rooms, hours or owners change.';

-- for: private.notice_instants, the distinct hours of all rules
create index notice_rules_digest_at_idx on public.notice_rules (digest_at) where is_active and digest_at is not null;

grant select, delete on public.notice_rules to authenticated;
grant insert (organization_id, kinds, to_owners, all_rooms, digest_at, last_minute_hours, is_active)
on public.notice_rules to authenticated;
grant update (kinds, to_owners, all_rooms, digest_at, last_minute_hours, is_active)
on public.notice_rules to authenticated;

alter table public.notice_rules enable row level security;

create policy notice_rules_select on public.notice_rules
for select to authenticated
using (organization_id = (select private.organization_with('notices:read')));

create policy notice_rules_insert on public.notice_rules
for insert to authenticated
with check (organization_id = (select private.organization_with('notices:manage')));

create policy notice_rules_update on public.notice_rules
for update to authenticated
using (organization_id = (select private.organization_with('notices:manage')))
with check (organization_id = (select private.organization_with('notices:manage')));

create policy notice_rules_delete on public.notice_rules
for delete to authenticated
using (organization_id = (select private.organization_with('notices:manage')));

create trigger notice_rules_touch_updated_at
before update on public.notice_rules
for each row execute function private.touch_updated_at();

create trigger notice_rules_are_bounded
after insert on public.notice_rules
for each row execute function private.bound_rows('20');

create function private.renew_notice_rule()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Not another hour of the digest: what waits for the old one comes with the new one.
  if new.is_active and not old.is_active
    or (new.kinds, new.to_owners, new.all_rooms, new.last_minute_hours)
      is distinct from (old.kinds, old.to_owners, old.all_rooms, old.last_minute_hours)
  then
    new.counts_from := now();
  end if;
  return new;
end
$$;

comment on function private.renew_notice_rule is
  'A rule that is switched on, or tells of other things or others, counts from now: it tells nobody of what was before.';

create trigger renew_notice_rule
before update on public.notice_rules
for each row execute function private.renew_notice_rule();

create table public.notice_rule_rooms (
  organization_id uuid not null default private.organization_with('notices:manage'),
  rule_id uuid not null,
  room_id uuid not null,
  created_at timestamptz not null default now(),
  constraint notice_rule_rooms_pkey primary key (organization_id, rule_id, room_id),
  constraint notice_rule_rooms_rule_fkey foreign key (organization_id, rule_id)
  references public.notice_rules (organization_id, id) on delete cascade,
  constraint notice_rule_rooms_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade
);

comment on table public.notice_rule_rooms is 'The rooms of a notice rule that is not for every room.';
comment on column public.notice_rule_rooms.created_at is 'Since when the rule is for the room: of what happened before nobody is told.';

-- for: the foreign key, when a room is deleted
create index notice_rule_rooms_room_id_idx on public.notice_rule_rooms (organization_id, room_id);

grant select, delete on public.notice_rule_rooms to authenticated;
grant insert (organization_id, rule_id, room_id) on public.notice_rule_rooms to authenticated;

alter table public.notice_rule_rooms enable row level security;

create policy notice_rule_rooms_select on public.notice_rule_rooms
for select to authenticated
using (organization_id = (select private.organization_with('notices:read')));

create policy notice_rule_rooms_insert on public.notice_rule_rooms
for insert to authenticated
with check (organization_id = (select private.organization_with('notices:manage')));

create policy notice_rule_rooms_delete on public.notice_rule_rooms
for delete to authenticated
using (organization_id = (select private.organization_with('notices:manage')));

create table public.notice_rule_members (
  organization_id uuid not null default private.organization_with('notices:manage'),
  rule_id uuid not null,
  user_id uuid not null,
  created_at timestamptz not null default now(),
  constraint notice_rule_members_pkey primary key (organization_id, rule_id, user_id),
  constraint notice_rule_members_rule_fkey foreign key (organization_id, rule_id)
  references public.notice_rules (organization_id, id) on delete cascade,
  -- Whoever leaves is told of nothing, and comes back as anybody else does.
  constraint notice_rule_members_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete cascade
);

comment on table public.notice_rule_members is
  'The members whom a notice rule tells, while their membership counts and only of what they may read themselves.';
comment on column public.notice_rule_members.created_at is 'Since when: of what happened before the member is not told by the rule.';

-- for: the foreign key, when a membership ends
create index notice_rule_members_user_id_idx on public.notice_rule_members (organization_id, user_id);

grant select, delete on public.notice_rule_members to authenticated;
grant insert (organization_id, rule_id, user_id) on public.notice_rule_members to authenticated;

alter table public.notice_rule_members enable row level security;

create policy notice_rule_members_select on public.notice_rule_members
for select to authenticated
using (organization_id = (select private.organization_with('notices:read')));

create policy notice_rule_members_insert on public.notice_rule_members
for insert to authenticated
with check (organization_id = (select private.organization_with('notices:manage')));

create policy notice_rule_members_delete on public.notice_rule_members
for delete to authenticated
using (organization_id = (select private.organization_with('notices:manage')));

create trigger notice_rule_members_are_bounded
after insert on public.notice_rule_members
for each row execute function private.bound_rows('50', 'rule_id');

create function private.seed_notice_rules()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into public.notice_rules (organization_id, kinds, to_owners, digest_at)
  values
  (
    new.id,
    array[
      'booking_new', 'booking_changed', 'booking_cancelled', 'booking_paid_late', 'payment_disputed', 'mail_problem'
    ],
    true, null
  ),
  (new.id, array['own_sessions'], false, null),
  (new.id, array['day_board'], false, '18:00');
  return null;
end
$$;

comment on function private.seed_notice_rules is
  'definer: writes an organization''s first rules, whoever opens it.';

create trigger seed_notice_rules
after insert on public.organizations
for each row execute function private.seed_notice_rules();

-- =============================================================================
-- sql/82_notices/040_addresses.sql
-- =============================================================================

-- Addresses that staff typed for notices, such as a shared mailbox. Nobody has an account there, so
-- nothing tells what its reader may see, nor takes it away from who leaves: what goes there names no
-- customer. And nothing goes there before somebody who reads it has said yes.

create table public.notice_addresses (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  email text not null,
  locale text not null,
  asked_at timestamptz not null default now(),
  confirmed_at timestamptz,
  stopped_at timestamptz,
  created_at timestamptz not null default now(),
  constraint notice_addresses_pkey primary key (organization_id, id),
  constraint notice_addresses_email_key unique (organization_id, email),
  constraint notice_addresses_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint notice_addresses_email_is_plausible check (private.is_email(email)),
  constraint notice_addresses_locale_is_supported check (private.is_locale(locale))
);

comment on table public.notice_addresses is
  'Addresses for notices beside the members'' own, added by add_notice_address. Notices go there once the link in a mail was followed, until the link in any of them ends it; they name no customer.';
comment on column public.notice_addresses.email is 'In lower case.';
comment on column public.notice_addresses.locale is 'Of its mails: one of: es, en, ca';
comment on column public.notice_addresses.asked_at is 'When it was last asked; the link counts for seven days.';
comment on column public.notice_addresses.confirmed_at is 'Since when it gets notices; null: nobody there has said yes, or not again.';
comment on column public.notice_addresses.stopped_at is 'When its reader ended them; null: never.';

grant select, delete on public.notice_addresses to authenticated;

alter table public.notice_addresses enable row level security;

create policy notice_addresses_select on public.notice_addresses
for select to authenticated
using (organization_id = (select private.organization_with('notices:read')));

create policy notice_addresses_delete on public.notice_addresses
for delete to authenticated
using (organization_id = (select private.organization_with('notices:manage')));

create trigger notice_addresses_are_bounded
after insert on public.notice_addresses
for each row execute function private.bound_rows('20');

create table public.notice_rule_addresses (
  organization_id uuid not null default private.organization_with('notices:manage'),
  rule_id uuid not null,
  address_id uuid not null,
  created_at timestamptz not null default now(),
  constraint notice_rule_addresses_pkey primary key (organization_id, rule_id, address_id),
  constraint notice_rule_addresses_rule_fkey foreign key (organization_id, rule_id)
  references public.notice_rules (organization_id, id) on delete cascade,
  constraint notice_rule_addresses_address_fkey foreign key (organization_id, address_id)
  references public.notice_addresses (organization_id, id) on delete cascade
);

comment on table public.notice_rule_addresses is 'The addresses that a notice rule tells, beside its members.';
comment on column public.notice_rule_addresses.created_at is 'Since when: of what happened before the address is not told by the rule.';

-- for: the foreign key, when an address is deleted
create index notice_rule_addresses_address_id_idx on public.notice_rule_addresses (organization_id, address_id);

grant select, delete on public.notice_rule_addresses to authenticated;
grant insert (organization_id, rule_id, address_id) on public.notice_rule_addresses to authenticated;

alter table public.notice_rule_addresses enable row level security;

create policy notice_rule_addresses_select on public.notice_rule_addresses
for select to authenticated
using (organization_id = (select private.organization_with('notices:read')));

create policy notice_rule_addresses_insert on public.notice_rule_addresses
for insert to authenticated
with check (organization_id = (select private.organization_with('notices:manage')));

create policy notice_rule_addresses_delete on public.notice_rule_addresses
for delete to authenticated
using (organization_id = (select private.organization_with('notices:manage')));

create type public.notice_address as (
  id uuid,
  email text,
  confirmed_at timestamptz
);

comment on type public.notice_address is 'An address for notices.';
comment on column public.notice_address.id is 'Of the address, for notice_rule_addresses.';
comment on column public.notice_address.email is 'In lower case.';
comment on column public.notice_address.confirmed_at is 'Since when it gets notices; null: a mail asks it for its yes.';

create function private.add_notice_address(organization_id uuid, email text, locale text)
returns public.notice_address
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  wanted text := private.typed_email(coalesce(add_notice_address.email, ''));
  address public.notice_addresses;
begin
  perform private.require_permission(add_notice_address.organization_id, 'notices:manage');
  if not private.is_email(wanted) then
    perform private.fail('email_invalid', 422, 'Give a complete e-mail address.');
  elsif private.is_locale(add_notice_address.locale) is not true then
    perform private.fail('locale_invalid', 422, 'Choose es, en or ca.');
  elsif private.is_barred(add_notice_address.organization_id, null, wanted) then
    perform private.fail('member_barred', 409, 'Have the bar lifted first: this person was suspended or removed.');
  end if;
  insert into public.notice_addresses as a (organization_id, email, locale)
  values (add_notice_address.organization_id, wanted, add_notice_address.locale)
  on conflict on constraint notice_addresses_email_key do update
  set locale = excluded.locale,
    asked_at = case when a.confirmed_at is null then now() else a.asked_at end
  returning * into address;
  if address.confirmed_at is null then
    perform private.enqueue(
      'email.send',
      jsonb_build_object(
        'template', 'notice_address', 'organization_id', address.organization_id, 'address_id', address.id
      ),
      concat_ws(':', 'notice_address', address.id, extract(epoch from address.asked_at)),
      address.organization_id
    );
    perform private.limit_mail(address.organization_id, address.email, 'organization');
  end if;
  return row(address.id, address.email, address.confirmed_at)::public.notice_address;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.add_notice_address is
  'definer: queues a mail, and asks who is barred, which no client may.';
grant execute on function private.add_notice_address to authenticated;

create function public.add_notice_address(organization_id uuid, email text, locale text)
returns public.notice_address
language sql
volatile
set search_path = ''
as $$ select private.add_notice_address(organization_id, email, locale) $$;

comment on function public.add_notice_address is
  'Adds an address for notices, under notices:manage, and mails it a link to say yes; again, if it has not said yes or has ended them, the mail goes out once more. locale: of its mails, es, en or ca. Errors: 403 permission_denied; 409 member_barred (it is one of somebody who was suspended or removed); 422 email_invalid, locale_invalid, too_many_rows; 429 mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.add_notice_address to authenticated;

create function private.notice_link(purpose text, address public.notice_addresses)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return concat_ws(
    '.', purpose, address.organization_id, address.id,
    private.derived_token(
      'notice_' || purpose, concat_ws(':', address.id, case purpose when 'start' then extract(epoch from address.asked_at) end)
    )
  );
end
$$;

comment on function private.notice_link is
  'What begins (start) or ends (stop) the notices to an address: which, and proof that it came from a mail to it. The one that begins them is of the last mail that asked.';

create type service.answered_notice_link as (
  organization_name text,
  is_told boolean
);

comment on type service.answered_notice_link is 'What became of an address for notices.';
comment on column service.answered_notice_link.organization_name is 'Whose bookings they are about.';
comment on column service.answered_notice_link.is_told is 'Whether it gets notices now.';

create function private.answer_notice_link(token text)
returns service.answered_notice_link
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  uuid_shape text := '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';
  purpose text := split_part(answer_notice_link.token, '.', 1);
  address public.notice_addresses;
begin
  if answer_notice_link.token ~ concat('^(start|stop)\.', uuid_shape, '\.', uuid_shape, '\.') then
    select a.* into address
    from public.notice_addresses as a
    where a.organization_id = split_part(answer_notice_link.token, '.', 2)::uuid
      and a.id = split_part(answer_notice_link.token, '.', 3)::uuid
      -- As hashes: how long it takes tells nothing of how much of it was right.
      and private.token_hash(private.notice_link(purpose, a)) = private.token_hash(answer_notice_link.token)
      and (purpose = 'stop' or a.asked_at > now() - interval '7 days')
    for update;
  end if;
  if address.id is null then
    perform private.fail('link_invalid', 404, 'Open the link as it stands in the mail; one that asks for a yes counts for seven days.');
  end if;
  perform private.act_as('customer', null);
  if purpose = 'start' and address.confirmed_at is null
    -- Ended since by its reader: only a new mail asks again.
    and (address.stopped_at is null or address.stopped_at < address.asked_at)
  then
    update public.notice_addresses as a set confirmed_at = now()
    where a.organization_id = address.organization_id and a.id = address.id
    returning * into address;
  elsif purpose = 'stop' and (address.confirmed_at is not null or address.stopped_at is null) then
    update public.notice_addresses as a set confirmed_at = null, stopped_at = now()
    where a.organization_id = address.organization_id and a.id = address.id
    returning * into address;
  end if;
  return (
    select row(o.name, address.confirmed_at is not null)::service.answered_notice_link
    from public.organizations as o
    where o.id = address.organization_id
  );
end
$$;

comment on function private.answer_notice_link is 'definer: writes for whoever has the link of a mail.';
grant execute on function private.answer_notice_link to service_role;

create function service.answer_notice_link(token text)
returns service.answered_notice_link
language sql
volatile
set search_path = ''
as $$ select private.answer_notice_link(token) $$;

comment on function service.answer_notice_link is
  'Begins or ends the notices to an address, by the link in a mail to it; asked again it says the same. Errors: 404 link_invalid.';
grant execute on function service.answer_notice_link to service_role;

-- =============================================================================
-- sql/82_notices/050_notifications.sql
-- =============================================================================

-- Notifications in the app: what a member was told, and what of it is unread.
--
-- A row holds what happened and which booking it is about, never words: title and body are written when
-- they are read, in the reader's language, with what the reader may see then. So a name that was erased,
-- or a permission that was taken away, is gone from old notifications, too.
--
-- For polling: only private.sweep_notices writes them, one sweep at a time, under the lock of
-- private.notice_clock, and created_at grows from row to row. So who has seen a created_at has seen all
-- before it, and created_at alone is a cursor, however late a booking's own transaction commits.

create table public.notifications (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  user_id uuid not null,
  type text not null,
  event_id uuid,
  booking_id uuid,
  data jsonb not null,
  read_at timestamptz,
  created_at timestamptz not null,
  constraint notifications_pkey primary key (organization_id, id),
  -- Also the index for: the foreign key to the membership.
  constraint notifications_event_key unique (organization_id, user_id, event_id),
  constraint notifications_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete cascade,
  constraint notifications_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint notifications_type_is_known check (type in (
    'booking_new', 'booking_changed', 'booking_cancelled', 'booking_paid_late', 'payment_disputed', 'mail_problem',
    'last_minute', 'session_assigned', 'session_released', 'session_changed', 'day_board'
  )),
  constraint notifications_data_is_an_object check (jsonb_typeof(data) = 'object')
);

comment on table public.notifications is
  'What a member was told in the app, a row for a person; list_notifications has its words. It goes with the membership, and after 90 days.';
comment on column public.notifications.type is
  'booking_new, booking_changed, booking_cancelled, booking_paid_late, payment_disputed, mail_problem, last_minute; of one''s own sessions: session_assigned, session_released, session_changed, day_board.';
comment on column public.notifications.event_id is 'What happened, the same for all who were told; null: nothing did (day_board).';
comment on column public.notifications.booking_id is 'Which booking; null: about sessions.';
comment on column public.notifications.data is
  'What was so then: {"happened": the kind of what happened, "room_id", "starts_at", "previous_starts_at"} or, of a day_board, {"date", "timezone", "sessions"}.';
comment on column public.notifications.read_at is 'When its reader has read it (mark_notifications_read); null: not yet.';
comment on column public.notifications.created_at is
  'Grows from one to the next, and never appears before an earlier one: ask for what is greater than the last that was seen.';

-- for: private.list_notifications, and polling created_at
create index notifications_created_at_idx on public.notifications (organization_id, user_id, created_at);
-- for: private.unread_notifications, which counts nothing that is read
create index notifications_unread_idx on public.notifications (organization_id, user_id, created_at) where read_at is null;
-- for: the foreign key
create index notifications_booking_id_idx on public.notifications (organization_id, booking_id);
-- for: private.forget_notices
create index notifications_age_idx on public.notifications (created_at);

grant select on public.notifications to authenticated;

alter table public.notifications enable row level security;

create policy notifications_select on public.notifications
for select to authenticated
using (
  organization_id = (select private.organization_with('bookings:read'))
  and user_id = (select auth.uid())
  and (
    type not in ('booking_paid_late', 'payment_disputed')
    or organization_id = (select private.organization_with('payments:read'))
  )
);

create table public.notification_preferences (
  organization_id uuid not null,
  user_id uuid not null,
  type text not null,
  in_app boolean not null,
  mail boolean not null,
  constraint notification_preferences_pkey primary key (organization_id, user_id, type),
  constraint notification_preferences_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete cascade,
  constraint notification_preferences_type_is_known check (type in (
    'booking_new', 'booking_changed', 'booking_cancelled', 'booking_paid_late', 'payment_disputed', 'mail_problem',
    'last_minute', 'session_assigned', 'session_released', 'session_changed', 'day_board'
  ))
);

comment on table public.notification_preferences is
  'By which ways a member wants to be told of what, in one organization; without a row by both. Written by set_notification_preference.';
comment on column public.notification_preferences.type is 'As notifications.type.';
comment on column public.notification_preferences.in_app is 'Whether a notification appears in the app.';
comment on column public.notification_preferences.mail is 'Whether a mail is sent, at once or within a digest.';

grant select on public.notification_preferences to authenticated;

alter table public.notification_preferences enable row level security;

create policy notification_preferences_select on public.notification_preferences
for select to authenticated
using (
  organization_id = (select private.organization_with('bookings:read'))
  and user_id = (select auth.uid())
);

create function private.set_notification_preference(organization_id uuid, type text, in_app boolean, mail boolean)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
begin
  perform private.require_permission(set_notification_preference.organization_id, 'bookings:read');
  insert into public.notification_preferences (organization_id, user_id, type, in_app, mail)
  values (
    set_notification_preference.organization_id, caller, set_notification_preference.type,
    coalesce(set_notification_preference.in_app, true), coalesce(set_notification_preference.mail, true)
  )
  on conflict on constraint notification_preferences_pkey do update
  set in_app = excluded.in_app, mail = excluded.mail
  where (notification_preferences.in_app, notification_preferences.mail) <> (excluded.in_app, excluded.mail);
exception
  when check_violation or not_null_violation then
    perform private.fail('type_invalid', 422, 'Choose a type of notification, as notifications.type lists them.');
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_notification_preference is
  'definer: writes the caller''s own row of a table that no client writes.';
grant execute on function private.set_notification_preference to authenticated;

create function public.set_notification_preference(organization_id uuid, type text, in_app boolean, mail boolean)
returns void
language sql
volatile
set search_path = ''
as $$ select private.set_notification_preference(organization_id, type, in_app, mail) $$;

comment on function public.set_notification_preference is
  'By which ways the caller wants to be told of what (type: as notifications.type), in an organization where the caller holds bookings:read. Errors: 401 not_authenticated; 403 permission_denied, user_required; 422 type_invalid.';
grant execute on function public.set_notification_preference to authenticated;

create table private.notification_sentences (
  type text not null,
  locale text not null,
  title text not null,
  body text not null,
  constraint notification_sentences_pkey primary key (type, locale),
  constraint notification_sentences_locale_is_supported check (private.is_locale(locale))
);

comment on table private.notification_sentences is
  'reference data. The words of notifications, by the language of their reader. {room}, {when}, {before}, {players}, {reference}, {who}, {date} and {sessions} are filled in.';

insert into private.notification_sentences (type, locale, title, body)
values
('booking_new', 'es', 'Nueva reserva: {room}', '{when} · {players} jugadores · {reference}{who}'),
('booking_new', 'en', 'New booking: {room}', '{when} · {players} players · {reference}{who}'),
('booking_new', 'ca', 'Reserva nova: {room}', '{when} · {players} jugadors · {reference}{who}'),
('booking_changed', 'es', 'Reserva cambiada: {room}', '{before}{when} · {players} jugadores · {reference}{who}'),
('booking_changed', 'en', 'Booking changed: {room}', '{before}{when} · {players} players · {reference}{who}'),
('booking_changed', 'ca', 'Reserva canviada: {room}', '{before}{when} · {players} jugadors · {reference}{who}'),
('booking_cancelled', 'es', 'Reserva cancelada: {room}', '{when} · {players} jugadores · {reference}{who}'),
('booking_cancelled', 'en', 'Booking cancelled: {room}', '{when} · {players} players · {reference}{who}'),
('booking_cancelled', 'ca', 'Reserva cancel·lada: {room}', '{when} · {players} jugadors · {reference}{who}'),
('booking_paid_late', 'es', 'Pago fuera de plazo: {room}', '{when} · {reference}{who}. El dinero se devuelve.'),
('booking_paid_late', 'en', 'Paid too late: {room}', '{when} · {reference}{who}. The money goes back.'),
('booking_paid_late', 'ca', 'Pagament fora de termini: {room}', '{when} · {reference}{who}. Els diners es tornen.'),
('payment_disputed', 'es', 'Pago en disputa: {reference}', '{room} · {when}{who}. Responde en el panel del proveedor de pagos.'),
('payment_disputed', 'en', 'Payment disputed: {reference}', '{room} · {when}{who}. Answer on the payment provider''s dashboard.'),
('payment_disputed', 'ca', 'Pagament en disputa: {reference}', '{room} · {when}{who}. Respon al tauler del proveïdor de pagaments.'),
('mail_problem', 'es', 'El correo no llega: {reference}', '{room} · {when}{who}. Llama, o corrige la dirección.'),
('mail_problem', 'en', 'Mail does not arrive: {reference}', '{room} · {when}{who}. Call, or correct the address.'),
('mail_problem', 'ca', 'El correu no arriba: {reference}', '{room} · {when}{who}. Truca, o corregeix l''adreça.'),
('session_assigned', 'es', 'Llevas una sesión: {room}', '{when}'),
('session_assigned', 'en', 'You run a session: {room}', '{when}'),
('session_assigned', 'ca', 'Portes una sessió: {room}', '{when}'),
('session_released', 'es', 'Ya no llevas la sesión: {room}', '{when}'),
('session_released', 'en', 'You no longer run the session: {room}', '{when}'),
('session_released', 'ca', 'Ja no portes la sessió: {room}', '{when}'),
('session_changed', 'es', 'Cambia tu sesión: {room}', '{before}{when} · {players} jugadores · {reference}{who}'),
('session_changed', 'en', 'Your session changes: {room}', '{before}{when} · {players} players · {reference}{who}'),
('session_changed', 'ca', 'Canvia la teva sessió: {room}', '{before}{when} · {players} jugadors · {reference}{who}'),
('day_board', 'es', 'Tus sesiones del {date}', 'Sesiones: {sessions}'),
('day_board', 'en', 'Your sessions on {date}', 'Sessions: {sessions}'),
('day_board', 'ca', 'Les teves sessions del {date}', 'Sessions: {sessions}'),
-- Before the title of what happened.
('last_minute', 'es', 'Última hora. {title}', ''),
('last_minute', 'en', 'Last minute. {title}', ''),
('last_minute', 'ca', 'Darrera hora. {title}', '')
on conflict (type, locale) do update set title = excluded.title, body = excluded.body;

create function private.filled(sentence text, words jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  text text := '';
  part text;
begin
  -- From left to right, once: a name that looks like a place to fill in stays as it is.
  for part in select m [1] from regexp_matches(sentence, '(\{[a-z]+\}|[^{]+|\{)', 'g') as m loop
    text := text || coalesce(words ->> case when part ~ '^\{[a-z]+\}$' then trim(part, '{}') end, part);
  end loop;
  return text;
end
$$;

comment on function private.filled is 'A sentence with its {places} filled in; those of which there is no word stay.';

create type public.notification as (
  id uuid,
  type text,
  title text,
  body text,
  link text,
  booking_id uuid,
  read_at timestamptz,
  created_at timestamptz
);

comment on type public.notification is 'A notification in the reader''s language.';
comment on column public.notification.id is 'For mark_notifications_read.';
comment on column public.notification.type is 'one of notifications.type';
comment on column public.notification.title is 'A line.';
comment on column public.notification.body is 'When, how many and which booking; who with customers:read only. Dates are day/month/year on the clock of the room''s location.';
comment on column public.notification.link is 'Which part of the venue''s screens it leads to: bookings/<id>, or board/<date>.';
comment on column public.notification.booking_id is 'Which booking; null: it is about sessions.';
comment on column public.notification.read_at is 'null: it is unread.';
comment on column public.notification.created_at is 'Grows from one to the next: the cursor.';

create function private.show_notification(notification public.notifications, locale text, sees_customers boolean)
returns public.notification
language plpgsql
stable
set search_path = ''
as $$
declare
  happened text := coalesce(notification.data ->> 'happened', notification.type);
  words jsonb;
  zone text := notification.data ->> 'timezone';
  room_name text;
  said private.notification_sentences;
begin
  if notification.type = 'day_board' then
    words := jsonb_build_object(
      'date', to_char((notification.data ->> 'date')::date, 'DD/MM/YYYY'), 'sessions', notification.data ->> 'sessions'
    );
  else
    select l.timezone, r.name into zone, room_name
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where r.organization_id = notification.organization_id and r.id = (notification.data ->> 'room_id')::uuid;
    select jsonb_build_object(
      'room', room_name,
      'when', to_char((notification.data ->> 'starts_at')::timestamptz at time zone zone, 'DD/MM/YYYY HH24:MI'),
      'before', coalesce(
        to_char((notification.data ->> 'previous_starts_at')::timestamptz at time zone zone, 'DD/MM/YYYY HH24:MI') || ' → ', ''
      ),
      'players', b.party_size,
      'reference', b.reference,
      'who', coalesce(' · ' || case when sees_customers then nullif(c.contact_name, '') end, '')
    ) into words
    from (select notification.booking_id) as n
    left join public.bookings as b
      on b.organization_id = notification.organization_id and b.id = notification.booking_id
    left join public.booking_contacts as c on c.organization_id = b.organization_id and c.booking_id = b.id;
  end if;
  select s.* into said
  from private.notification_sentences as s
  where s.type = case notification.type when 'last_minute' then happened else notification.type end
    and s.locale = show_notification.locale;
  said.title := private.filled(said.title, words);
  if notification.type = 'last_minute' then
    select private.filled(s.title, jsonb_build_object('title', said.title)) into said.title
    from private.notification_sentences as s
    where s.type = 'last_minute' and s.locale = show_notification.locale;
  end if;
  return row(
    notification.id, notification.type, said.title, private.filled(said.body, words),
    case
      when notification.booking_id is not null then 'bookings/' || notification.booking_id
      else 'board/' || coalesce(
        notification.data ->> 'date',
        ((notification.data ->> 'starts_at')::timestamptz at time zone zone)::date::text
      )
    end,
    notification.booking_id, notification.read_at, notification.created_at
  )::public.notification;
end
$$;

comment on function private.show_notification is
  'A notification in a language; who the party is only for whoever may see customers.';

create function private.list_notifications(
  organization_id uuid, after timestamptz, before timestamptz, unread_only boolean, max_rows int
)
returns setof public.notification
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  language text;
  sees_money boolean;
  sees_customers boolean;
begin
  perform private.require_permission(list_notifications.organization_id, 'bookings:read');
  sees_money := private.has_permission(list_notifications.organization_id, 'payments:read');
  sees_customers := private.has_permission(list_notifications.organization_id, 'customers:read');
  select p.locale into language from public.profiles as p where p.user_id = caller;
  return query
  select (private.show_notification(n, language, sees_customers)).*
  from (
    select x.*
    from public.notifications as x
    where x.organization_id = list_notifications.organization_id
      and x.user_id = caller
      and (sees_money or x.type not in ('booking_paid_late', 'payment_disputed'))
      and x.created_at > coalesce(list_notifications.after, '-infinity')
      and x.created_at < coalesce(list_notifications.before, 'infinity')
      and (list_notifications.unread_only is not true or x.read_at is null)
    order by
      case when list_notifications.after is not null then x.created_at end,
      x.created_at desc
    limit least(greatest(coalesce(list_notifications.max_rows, 50), 1), 100)
  ) as n
  order by
    case when list_notifications.after is not null then n.created_at end,
    n.created_at desc;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.list_notifications is
  'definer: reads bookings and contacts for the words, each under its own permission.';
grant execute on function private.list_notifications to authenticated;

create function public.list_notifications(
  organization_id uuid,
  after timestamptz default null,
  before timestamptz default null,
  unread_only boolean default false,
  max_rows int default 50
)
returns setof public.notification
language sql
stable
set search_path = ''
as $$ select * from private.list_notifications(organization_id, after, before, unread_only, max_rows) $$;

comment on function public.list_notifications is
  'The caller''s notifications of an organization in the language of the profile, max_rows of them (1 to 100): the newest first, older than before for the next page; or with after, those since, oldest first. Polling with the last created_at as after misses none. For members with bookings:read; what is about money also takes payments:read. Errors: 401 not_authenticated; 403 permission_denied, user_required.';
grant execute on function public.list_notifications to authenticated;

create type public.unread_notifications as (
  unread int,
  newest_at timestamptz
);

comment on type public.unread_notifications is 'What a bell shows.';
comment on column public.unread_notifications.unread is 'How many are unread, 100 at most: 100 or more.';
comment on column public.unread_notifications.newest_at is 'created_at of the newest unread one; null: none is.';

create function private.unread_notifications(organization_id uuid)
returns public.unread_notifications
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  sees_money boolean;
begin
  perform private.require_permission(unread_notifications.organization_id, 'bookings:read');
  sees_money := private.has_permission(unread_notifications.organization_id, 'payments:read');
  return (
    select row(count(*), max(n.created_at))::public.unread_notifications
    from (
      select x.created_at
      from public.notifications as x
      where x.organization_id = unread_notifications.organization_id
        and x.user_id = caller
        and x.read_at is null
        and (sees_money or x.type not in ('booking_paid_late', 'payment_disputed'))
      order by x.created_at desc
      limit 100
    ) as n
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.unread_notifications is
  'definer: counts in the index of what is unread, without asking the policy for each row.';
grant execute on function private.unread_notifications to authenticated;

create function public.unread_notifications(organization_id uuid)
returns public.unread_notifications
language sql
stable
set search_path = ''
as $$ select private.unread_notifications(organization_id) $$;

comment on function public.unread_notifications is
  'How many notifications of an organization the caller has not read. For members with bookings:read. Errors: 401 not_authenticated; 403 permission_denied, user_required.';
grant execute on function public.unread_notifications to authenticated;

create type public.marked_notifications as (
  marked int
);

comment on type public.marked_notifications is 'What became read.';
comment on column public.marked_notifications.marked is 'How many were unread before.';

create function private.mark_notifications_read(organization_id uuid, ids uuid [], until timestamptz)
returns public.marked_notifications
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  marked int;
begin
  perform private.require_permission(mark_notifications_read.organization_id, 'bookings:read');
  update public.notifications as n
  set read_at = now()
  where n.organization_id = mark_notifications_read.organization_id
    and n.user_id = caller
    and n.read_at is null
    and (n.id = any (mark_notifications_read.ids) or mark_notifications_read.ids is null)
    and (n.created_at <= mark_notifications_read.until or mark_notifications_read.until is null);
  get diagnostics marked = row_count;
  return row(marked)::public.marked_notifications;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.mark_notifications_read is
  'definer: writes the caller''s own rows of a table that no client writes.';
grant execute on function private.mark_notifications_read to authenticated;

create function public.mark_notifications_read(
  organization_id uuid, ids uuid [] default null, until timestamptz default null
)
returns public.marked_notifications
language sql
volatile
set search_path = ''
as $$ select private.mark_notifications_read(organization_id, ids, until) $$;

comment on function public.mark_notifications_read is
  'Marks the caller''s notifications of an organization as read: those named, or all; with until none that came after, which nobody has seen. Again, it marks none. For members with bookings:read. Errors: 401 not_authenticated; 403 permission_denied, user_required.';
grant execute on function public.mark_notifications_read to authenticated;

-- =============================================================================
-- sql/82_notices/060_telling.sql
-- =============================================================================

-- Who is told of what happened, and when: in the app and, unless a digest gathers it, by a mail of its
-- own. All of it is done by private.sweep_notices, one at a time.
--
--   exactly once       an event is consumed under its lock; a mail's key names event and recipient.
--   never to the past  a rule, its rooms and its recipients count from when they were put there.
--   only who may       membership, permission, bar and consent are asked when it is told, and again
--                      when its mail is prepared.

create function private.member_may(organization_id uuid, user_id uuid, permission text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select
    from private.active_memberships as m
    join public.organizations as o on o.id = m.organization_id
    join public.role_permissions as rp on rp.organization_id = m.organization_id and rp.role_id = m.role_id
    where m.organization_id = member_may.organization_id
      and m.user_id = member_may.user_id
      and m.expires_at is null
      and o.status = 'active'
      and rp.permission_key = member_may.permission
  );
end
$$;

comment on function private.member_may is
  'Whether somebody is a member now, no visitor, and holds the permission; nobody does in an organization that is suspended or closed.';

create function private.may_be_told(organization_id uuid, user_id uuid, kind text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.member_may(may_be_told.organization_id, may_be_told.user_id, 'bookings:read')
    and (
      may_be_told.kind not in ('booking_paid_late', 'payment_disputed')
      or private.member_may(may_be_told.organization_id, may_be_told.user_id, 'payments:read')
    );
end
$$;

comment on function private.may_be_told is 'Whether a member may read what a notice of the kind is about.';

create function private.wants_notice(organization_id uuid, user_id uuid, type text, by_mail boolean)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce((
    select case when wants_notice.by_mail then p.mail else p.in_app end
    from public.notification_preferences as p
    where p.organization_id = wants_notice.organization_id
      and p.user_id = wants_notice.user_id
      and p.type = wants_notice.type
  ), true);
end
$$;

comment on function private.wants_notice is 'Whether a member wants to be told of the type that way; without a word, yes.';

create type private.matching_rule as (
  rule_id uuid,
  type text,
  at_once boolean,
  to_owners boolean
);

comment on type private.matching_rule is 'A notice rule that tells of an event.';

create function private.covers_room(rule public.notice_rules, room_id uuid, instant timestamptz)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return rule.is_active
    and rule.counts_from < covers_room.instant
    and (rule.all_rooms or exists (
      select from public.notice_rule_rooms as rr
      where rr.organization_id = rule.organization_id
        and rr.rule_id = rule.id
        and rr.room_id = covers_room.room_id
        and rr.created_at < covers_room.instant
    ));
end
$$;

comment on function private.covers_room is 'Whether the rule tells of what happened at that instant in the room.';

create function private.matching_rules(event private.notice_events)
returns setof private.matching_rule
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select m.rule_id, m.type, m.digest_at is null or m.type = 'last_minute', m.to_owners
  from (
    select
      r.id as rule_id,
      r.digest_at,
      r.to_owners,
      case
        when 'last_minute' = any(r.kinds)
          and event.kind in ('booking_new', 'booking_changed', 'booking_cancelled')
          and event.starts_at > event.occurred_at
          and event.starts_at <= event.occurred_at + make_interval(hours => r.last_minute_hours)
          then 'last_minute'
        when event.kind = any(r.kinds) then event.kind
      end as type
    from public.notice_rules as r
    where r.organization_id = event.organization_id
      and private.covers_room(r, event.room_id, event.occurred_at)
  ) as m
  where m.type is not null;
end
$$;

comment on function private.matching_rules is
  'The rules that tell of an event, each with the type as which it does, and whether at once.';

create type private.told_person as (
  user_id uuid,
  rule_id uuid,
  type text,
  at_once boolean
);

comment on type private.told_person is 'A member who is told of an event by a rule.';

create function private.told_people(event private.notice_events)
returns setof private.told_person
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select p.user_id, p.rule_id, p.type, p.at_once
  from (
    select x.user_id, m.rule_id, m.type, m.at_once
    from private.matching_rules(event) as m
    join public.notice_rule_members as x on x.organization_id = event.organization_id and x.rule_id = m.rule_id
    where x.created_at < event.occurred_at
    union
    select o.user_id, m.rule_id, m.type, m.at_once
    from private.matching_rules(event) as m
    join public.roles as r on r.organization_id = event.organization_id and r.key = 'owner'
    join private.active_memberships as o on o.organization_id = r.organization_id and o.role_id = r.id
    where m.to_owners
    union
    select s.user_id, r.id, s.type, true
    from public.notice_rules as r
    cross join lateral (
      select event.user_id, event.kind as type
      where event.kind in ('session_assigned', 'session_released') and not private.was_moved(event)
      union all
      select x.user_id, 'session_changed'
      from public.session_staff as x
      where event.kind in ('booking_new', 'booking_changed', 'booking_cancelled')
        and x.organization_id = event.organization_id
        and x.session_id = event.session_id
        and x.created_at <= event.occurred_at
        -- Whoever was given the session with this very booking is told that.
        and not exists (
          select from private.notice_events as e
          where e.organization_id = x.organization_id
            and e.session_id = x.session_id
            and e.user_id = x.user_id
            and e.kind = 'session_assigned'
            and e.written_by = event.written_by
            and not private.was_moved(e)
        )
    ) as s
    where r.organization_id = event.organization_id
      and r.kinds = array['own_sessions']
      and private.covers_room(r, event.room_id, event.occurred_at)
  ) as p
  where p.user_id is distinct from event.actor_id
    and private.may_be_told(event.organization_id, p.user_id, event.kind);
end
$$;

comment on function private.told_people is
  'The members who are told of an event, by each rule that does: those of the rule, and of their own sessions those who run them. Nobody is told of what they did themselves.';

create table private.notice_clock (
  only_one boolean not null default true,
  swept_until timestamptz not null,
  stamped_at timestamptz not null,
  constraint notice_clock_pkey primary key (only_one),
  constraint notice_clock_is_one_row check (only_one)
);

comment on table private.notice_clock is
  'One row, locked by the sweep that tells: one at a time, so digests and boards are queued once, and created_at of notifications grows in the order in which they become visible.';
comment on column private.notice_clock.swept_until is 'What the clock brought until then is queued.';
comment on column private.notice_clock.stamped_at is 'The newest notifications.created_at.';

-- So that no two first sweeps wait for each other.
insert into private.notice_clock (swept_until, stamped_at)
values (now(), now()) on conflict on constraint notice_clock_pkey do nothing;

create table private.notice_digest_entries (
  organization_id uuid not null,
  rule_id uuid not null,
  event_id uuid not null,
  constraint notice_digest_entries_pkey primary key (organization_id, rule_id, event_id),
  constraint notice_digest_entries_rule_fkey foreign key (organization_id, rule_id)
  references public.notice_rules (organization_id, id) on delete cascade,
  constraint notice_digest_entries_event_fkey foreign key (organization_id, event_id)
  references private.notice_events (organization_id, id) on delete cascade
);

comment on table private.notice_digest_entries is
  'What waits for a rule''s next digest, which takes it away. An event that becomes visible late waits for the one after.';

-- for: the foreign key, when an event is forgotten
create index notice_digest_entries_event_id_idx on private.notice_digest_entries (organization_id, event_id);

create function private.notify(
  organization_id uuid, user_id uuid, type text, event_id uuid, booking_id uuid, data jsonb
)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  stamp timestamptz;
begin
  if not private.wants_notice(notify.organization_id, notify.user_id, notify.type, by_mail => false) then
    return 0;
  end if;
  -- Whoever leaves meanwhile is waited for, and told nothing.
  perform from public.memberships as m
  where m.organization_id = notify.organization_id and m.user_id = notify.user_id
  for key share;
  if not found then
    return 0;
  end if;
  update private.notice_clock as c
  set stamped_at = greatest(clock_timestamp(), c.stamped_at + interval '1 microsecond')
  returning c.stamped_at into stamp;
  insert into public.notifications (organization_id, user_id, type, event_id, booking_id, data, created_at)
  values (
    notify.organization_id, notify.user_id, notify.type, notify.event_id, notify.booking_id, notify.data, stamp
  )
  on conflict on constraint notifications_event_key do nothing;
  return 1;
end
$$;

comment on function private.notify is
  'Writes a notification, unless the member does not want it or has left. The caller holds private.notice_clock.';

create function private.mail_notice(event private.notice_events, recipient jsonb, rule_id uuid, type text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'notice', 'organization_id', event.organization_id, 'event_id', event.id,
      'notice_rule_id', mail_notice.rule_id, 'type', mail_notice.type
    ) || recipient,
    concat_ws(':', 'notice', event.id, recipient ->> 'user_id', recipient ->> 'address_id'),
    event.organization_id,
    -- Several changes are one mail: a later one takes this one's place.
    case event.kind when 'booking_changed' then now() + interval '2 minutes' else now() end
  );
end
$$;

comment on function private.mail_notice is
  'Queues the mail about an event to {"user_id"} or {"address_id"}, once.';

create function private.spread_notice(event private.notice_events, by_mail boolean)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  person record;
  data jsonb;
  told int := 0;
begin
  data := jsonb_strip_nulls(jsonb_build_object(
    'happened', event.kind, 'room_id', event.room_id, 'starts_at', event.starts_at,
    'previous_starts_at', (
      select h.change #> '{starts_at,0}'
      from public.booking_history as h
      where h.organization_id = event.organization_id and h.id = event.history_id
    )
  ));
  for person in
    select
      p.user_id,
      -- What is urgent, then what a rule says, then what one's own session brings.
      (array_agg(p.type order by p.type <> 'last_minute', p.type like 'session%', p.rule_id)) [1] as type,
      (array_agg(p.type order by p.type <> 'last_minute', p.type like 'session%', p.rule_id)
      filter (where p.at_once)) [1] as mailed_type,
      (array_agg(p.rule_id order by p.type <> 'last_minute', p.type like 'session%', p.rule_id)
      filter (where p.at_once)) [1] as mailing_rule
    from private.told_people(event) as p
    group by p.user_id
    order by p.user_id
  loop
    told := told + private.notify(event.organization_id, person.user_id, person.type, event.id, event.booking_id, data);
    if by_mail and person.mailing_rule is not null
      -- Owners have a mail about disputes of its own (private.announce_dispute).
      and not (event.kind = 'payment_disputed' and private.member_may(event.organization_id, person.user_id, 'organization:close'))
    then
      perform private.mail_notice(
        event, jsonb_build_object('user_id', person.user_id), person.mailing_rule, person.mailed_type
      );
    end if;
  end loop;

  if by_mail then
    perform private.mail_notice(event, jsonb_build_object('address_id', a.address_id), a.rule_id, a.type)
    from (
      select distinct on (x.address_id) x.address_id, m.rule_id, m.type
      from private.matching_rules(event) as m
      join public.notice_rule_addresses as x
        on x.organization_id = event.organization_id and x.rule_id = m.rule_id
      join public.notice_addresses as a on a.organization_id = x.organization_id and a.id = x.address_id
      where m.at_once
        and x.created_at < event.occurred_at
        and a.confirmed_at < event.occurred_at
      order by x.address_id, m.type <> 'last_minute', m.rule_id
    ) as a;
  end if;

  insert into private.notice_digest_entries (organization_id, rule_id, event_id)
  select event.organization_id, m.rule_id, event.id
  from private.matching_rules(event) as m
  where not m.at_once
  on conflict on constraint notice_digest_entries_pkey do nothing;
  return told;
end
$$;

comment on function private.spread_notice is
  'Tells those whom an event concerns, and lays it by for the digests; returns how many notifications it wrote.';

create function private.queue_digest(rule public.notice_rules, timezone text)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  gathered private.notice_events [];
  recipient record;
  queued int := 0;
begin
  with taken as (
    delete from private.notice_digest_entries as d
    using private.notice_events as e, public.rooms as r, public.locations as l
    where d.organization_id = rule.organization_id
      and d.rule_id = rule.id
      and e.organization_id = d.organization_id
      and e.id = d.event_id
      and r.organization_id = e.organization_id
      and r.id = e.room_id
      and l.organization_id = r.organization_id
      and l.id = r.location_id
      and l.timezone = queue_digest.timezone
    returning e as event
  )
  select array_agg(t.event order by (t.event).occurred_at, (t.event).id) into gathered
  from taken as t
  -- Of what was before the rule was switched on again nobody is told.
  where private.covers_room(rule, (t.event).room_id, (t.event).occurred_at);

  for recipient in
    select
      x.recipient,
      jsonb_agg(e.id order by e.occurred_at, e.id) as events
    from (
      select w.recipient, w.user_id, min(w.since) as since
      from (
        select jsonb_build_object('user_id', m.user_id) as recipient, m.user_id, m.created_at as since
        from public.notice_rule_members as m
        where m.organization_id = rule.organization_id and m.rule_id = rule.id
        union
        select jsonb_build_object('user_id', o.user_id), o.user_id, '-infinity'
        from private.active_memberships as o
        join public.roles as r on r.organization_id = o.organization_id and r.id = o.role_id and r.key = 'owner'
        where rule.to_owners and o.organization_id = rule.organization_id
        union
        select jsonb_build_object('address_id', a.id), null, greatest(t.created_at, a.confirmed_at)
        from public.notice_rule_addresses as t
        join public.notice_addresses as a on a.organization_id = t.organization_id and a.id = t.address_id
        where t.organization_id = rule.organization_id and t.rule_id = rule.id and a.confirmed_at is not null
      ) as w
      -- An owner who is a member of the rule, too, is one recipient.
      group by w.recipient, w.user_id
    ) as x
    join unnest(gathered) as e on e.occurred_at > x.since
    where x.user_id is null
      or x.user_id is distinct from e.actor_id
      and private.may_be_told(rule.organization_id, x.user_id, e.kind)
    group by x.recipient
  loop
    perform private.enqueue(
      'email.send',
      jsonb_build_object(
        'template', 'notice_digest', 'organization_id', rule.organization_id, 'notice_rule_id', rule.id,
        'timezone', queue_digest.timezone, 'events', recipient.events
      ) || recipient.recipient,
      concat_ws(
        ':', 'notice_digest', rule.id, recipient.recipient ->> 'user_id', recipient.recipient ->> 'address_id',
        recipient.events ->> 0
      ),
      rule.organization_id
    );
    queued := queued + 1;
  end loop;
  return queued;
end
$$;

comment on function private.queue_digest is
  'Takes what waits for a rule''s digest in the rooms of a time zone, and queues a mail of it to each recipient; returns how many.';

create function private.send_waiting_digest()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.queue_digest(new, z.timezone)
  from (
    select distinct l.timezone from public.locations as l where l.organization_id = new.organization_id
  ) as z;
  return null;
end
$$;

comment on function private.send_waiting_digest is
  'definer: the queue is visible to nobody. A rule that gets no digest any more sends what waits for one.';

create trigger send_waiting_digest
after update of digest_at on public.notice_rules
for each row when (old.digest_at is not null and new.digest_at is null and new.is_active)
execute function private.send_waiting_digest();

create type private.board_session as (
  session_id uuid,
  room_name text,
  starts_at timestamptz,
  ends_at timestamptz,
  players int
);

comment on type private.board_session is 'A session of a game master''s day.';

create function private.own_board(organization_id uuid, user_id uuid, date date, timezone text, rule public.notice_rules)
returns setof private.board_session
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select s.id, r.name, s.starts_at, s.ends_at, sum(b.party_size)::int
  from public.session_staff as x
  join public.sessions as s on s.organization_id = x.organization_id and s.id = x.session_id and s.status = 'scheduled'
  join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  join public.bookings as b
    on b.organization_id = s.organization_id
    and b.session_id = s.id
    and b.takes_capacity
    and coalesce(b.hold_expires_at > now(), true)
  where x.organization_id = own_board.organization_id
    and x.user_id = own_board.user_id
    and lower(x.during) >= own_board.date::timestamp at time zone own_board.timezone
    and lower(x.during) < (own_board.date + 1)::timestamp at time zone own_board.timezone
    and l.timezone = own_board.timezone
    and (rule.all_rooms or exists (
      select from public.notice_rule_rooms as rr
      where rr.organization_id = rule.organization_id and rr.rule_id = rule.id and rr.room_id = r.id
    ))
  group by s.id, r.name, s.starts_at, s.ends_at
  order by s.starts_at, s.id;
end
$$;

comment on function private.own_board is
  'The sessions that somebody runs on a date of a time zone, in the rooms of a rule, in which somebody is to come.';

create function private.queue_boards(rule public.notice_rules, timezone text, instant timestamptz, until timestamptz)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  day date := (queue_boards.instant at time zone queue_boards.timezone)::date + 1;
  person record;
  queued int := 0;
begin
  if rule.counts_from >= queue_boards.instant
    -- After an outage: the day is over.
    or (day + 1)::timestamp at time zone queue_boards.timezone <= queue_boards.until
  then
    return 0;
  end if;
  for person in
    select x.user_id, board.sessions
    from (
      select distinct w.user_id
      from public.session_staff as w
      join private.active_memberships as m on m.organization_id = w.organization_id and m.user_id = w.user_id
      where w.organization_id = rule.organization_id
        and lower(w.during) >= day::timestamp at time zone queue_boards.timezone
        and lower(w.during) < (day + 1)::timestamp at time zone queue_boards.timezone
    ) as x
    cross join lateral (
      select count(*) as sessions
      from private.own_board(rule.organization_id, x.user_id, day, queue_boards.timezone, rule)
    ) as board
    where board.sessions > 0
      and private.may_be_told(rule.organization_id, x.user_id, 'day_board')
      and not exists (
        select from public.notifications as n
        where n.organization_id = rule.organization_id
          and n.user_id = x.user_id
          and n.type = 'day_board'
          and n.data ->> 'date' = day::text
          and n.data ->> 'timezone' = queue_boards.timezone
      )
    order by x.user_id
  loop
    perform private.notify(
      rule.organization_id, person.user_id, 'day_board', null, null,
      jsonb_build_object('date', day, 'timezone', queue_boards.timezone, 'sessions', person.sessions)
    );
    perform private.enqueue(
      'email.send',
      jsonb_build_object(
        'template', 'day_board', 'organization_id', rule.organization_id, 'notice_rule_id', rule.id,
        'user_id', person.user_id, 'date', day, 'timezone', queue_boards.timezone
      ),
      concat_ws(':', 'day_board', rule.organization_id, person.user_id, day, queue_boards.timezone),
      rule.organization_id
    );
    queued := queued + 1;
  end loop;
  return queued;
end
$$;

comment on function private.queue_boards is
  'Tells each game master of the sessions that they run on the day after the instant, once a day; returns how many.';

create type private.notice_instant as (
  rule_id uuid,
  organization_id uuid,
  timezone text,
  instant timestamptz
);

comment on type private.notice_instant is 'When the clock of a time zone shows a rule''s hour.';

create function private.notice_instants(since timestamptz, until timestamptz)
returns setof private.notice_instant
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  with shown as materialized (
    select d.digest_at, z.timezone, (days.date + d.digest_at) at time zone z.timezone as instant
    from (
      select distinct r.digest_at
      from public.notice_rules as r
      where r.is_active and r.digest_at is not null
    ) as d
    cross join (select distinct l.timezone from public.locations as l) as z
    cross join lateral (
      select notice_instants.since::date + n as date
      from generate_series(-1, notice_instants.until::date - notice_instants.since::date + 1) as n
    ) as days
    where (days.date + d.digest_at) at time zone z.timezone > notice_instants.since
      and (days.date + d.digest_at) at time zone z.timezone <= notice_instants.until
  )
  select r.id, r.organization_id, s.timezone, s.instant
  from shown as s
  join public.notice_rules as r on r.digest_at = s.digest_at and r.is_active
  where exists (
    select from public.locations as l where l.organization_id = r.organization_id and l.timezone = s.timezone
  )
  order by s.instant, r.organization_id, r.id;
end
$$;

comment on function private.notice_instants is
  'The hours of digests and boards that came after since, until then, on the clocks of the rules'' locations.';

create function private.forget_notices(max_rows int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  notifications int;
  events int;
begin
  delete from public.notifications as n
  where (n.organization_id, n.id) in (
    select old.organization_id, old.id
    from public.notifications as old
    where old.created_at < now() - interval '90 days'
    order by old.created_at
    limit forget_notices.max_rows
    for update skip locked
  );
  get diagnostics notifications = row_count;
  delete from private.notice_events as e
  where (e.organization_id, e.id) in (
    select old.organization_id, old.id
    from private.notice_events as old
    where old.spread_at < now() - interval '90 days'
    order by old.spread_at
    limit forget_notices.max_rows
    for update skip locked
  );
  get diagnostics events = row_count;
  return notifications + events;
end
$$;

comment on function private.forget_notices is 'Deletes notifications and events of 90 days ago, so many of each at most.';

create type service.swept_notices as (
  told int,
  digests int,
  boards int,
  forgotten int
);

comment on type service.swept_notices is 'What a sweep told staff, in numbers.';
comment on column service.swept_notices.told is 'Notifications that were written about what happened.';
comment on column service.swept_notices.digests is 'Digests that were queued.';
comment on column service.swept_notices.boards is 'Game masters who were told of the next day.';
comment on column service.swept_notices.forgotten is 'Notifications and events of 90 days ago.';

create function private.sweep_notices(until timestamptz)
returns service.swept_notices
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  since timestamptz;
  event private.notice_events;
  due private.notice_instant;
  rule public.notice_rules;
  told int := 0;
  digests int := 0;
  boards int := 0;
begin
  perform private.act_as('system', null);
  if not exists (select from private.notice_clock) then
    insert into private.notice_clock (swept_until, stamped_at)
    values (sweep_notices.until, now())
    on conflict on constraint notice_clock_pkey do nothing;
  end if;
  select c.swept_until into since from private.notice_clock as c for update skip locked;
  if not found then
    return row(0, 0, 0, 0)::service.swept_notices; -- another sweep is at it
  end if;

  for event in
    select e.*
    from private.notice_events as e
    where e.spread_at is null
    order by e.occurred_at, e.id
    limit 500
    for update skip locked
  loop
    begin
      -- What is a day late has come too late for a mail of its own.
      told := told + private.spread_notice(event, event.occurred_at > sweep_notices.until - interval '1 day');
      update private.notice_events as e set spread_at = now()
      where e.organization_id = event.organization_id and e.id = event.id;
    exception
      -- One that cannot be told holds up no other venue's. What a repetition may mend is repeated.
      when others then
        if sqlstate like '40%' or sqlstate like '5%' then
          raise;
        end if;
        raise warning 'notice event % could not be told: %', event.id, sqlstate;
        update private.notice_events as e set spread_at = now(), problem = sqlstate
        where e.organization_id = event.organization_id and e.id = event.id;
    end;
  end loop;

  since := greatest(since, sweep_notices.until - interval '1 day');
  for due in
    select i.* from private.notice_instants(since, sweep_notices.until) as i
  loop
    select r.* into rule
    from public.notice_rules as r
    where r.organization_id = due.organization_id and r.id = due.rule_id;
    if rule.kinds = array['day_board'] then
      boards := boards + private.queue_boards(rule, due.timezone, due.instant, sweep_notices.until);
    else
      digests := digests + private.queue_digest(rule, due.timezone);
    end if;
  end loop;
  update private.notice_clock as c set swept_until = greatest(c.swept_until, sweep_notices.until);
  return row(told, digests, boards, private.forget_notices(1000))::service.swept_notices;
end
$$;

comment on function private.sweep_notices is
  'definer: tells staff through tables that no caller may write. Until: now, but in tests.';
grant execute on function private.sweep_notices to service_role;

create function service.sweep_notices()
returns service.swept_notices
language sql
volatile
set search_path = ''
as $$ select private.sweep_notices(now()) $$;

comment on function service.sweep_notices is
  'Tells staff of up to 500 things that happened, queues the digests and boards whose hour has come (of a day at most, after an outage), and forgets up to 1,000 notifications of 90 days ago. For the worker, every few seconds; any number may run at once, one does it.';
grant execute on function service.sweep_notices to service_role;

-- =============================================================================
-- sql/82_notices/070_mails.sql
-- =============================================================================

-- What the mails to staff say, read anew when they are sent: to whom, while they may be told, and of
-- what, as far as they may see it.

create type private.notice_reader as (
  name text,
  email text,
  locale text,
  sees_customers boolean,
  sees_money boolean,
  stop_token text
);

comment on type private.notice_reader is 'Whom a mail to staff goes to, and what may stand in it.';

create function private.notice_reader(organization_id uuid, cause jsonb)
returns private.notice_reader
language plpgsql
stable
set search_path = ''
as $$
begin
  if cause ? 'user_id' then
    return (
      select row(
        f.full_name, f.email, f.locale,
        private.member_may(notice_reader.organization_id, f.user_id, 'customers:read'),
        private.member_may(notice_reader.organization_id, f.user_id, 'payments:read'),
        null
      )::private.notice_reader
      from public.profiles as f
      -- An address that nobody has proven may be a stranger's.
      join private.proven_addresses as p on p.user_id = f.user_id and p.email = f.email
      where f.user_id = (cause ->> 'user_id')::uuid
        and private.member_may(notice_reader.organization_id, f.user_id, 'bookings:read')
    );
  end if;
  return (
    select row('', a.email, a.locale, false, true, private.notice_link('stop', a))::private.notice_reader
    from public.notice_addresses as a
    join public.organizations as o on o.id = a.organization_id
    where a.organization_id = notice_reader.organization_id
      and a.id = (cause ->> 'address_id')::uuid
      and a.confirmed_at is not null
      and o.status = 'active'
      and not private.is_barred(a.organization_id, null, a.email)
  );
end
$$;

comment on function private.notice_reader is
  'Who reads a mail to staff, {"user_id"} or {"address_id"}; null for whoever may not be told any more: suspended, removed, barred, without bookings:read, an address that has ended it or is not proven.';

create function private.active_notice_rule(organization_id uuid, cause jsonb)
returns public.notice_rules
language plpgsql
stable
set search_path = ''
as $$
declare
  rule public.notice_rules;
begin
  select r.* into rule
  from public.notice_rules as r
  where r.organization_id = active_notice_rule.organization_id
    and r.id = (cause ->> 'notice_rule_id')::uuid
    and r.is_active;
  return rule;
end
$$;

comment on function private.active_notice_rule is 'The rule of a mail to staff; null when it was switched off or deleted meanwhile.';

create function private.notice_item(event private.notice_events, type text, reader private.notice_reader)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'type', notice_item.type,
      'happened', event.kind,
      'happened_at', event.occurred_at,
      'room_name', r.name,
      'location_name', l.name,
      'timezone', l.timezone,
      'starts_at', event.starts_at,
      'previous_starts_at', h.change #> '{starts_at,0}',
      'previous_party_size', h.change #> '{party_size,0}',
      'previous_room_name', (
        select was.name
        from public.rooms as was
        where was.organization_id = event.organization_id and was.id::text = h.change #>> '{room_id,0}'
      ),
      'lapsed', h.to_status = 'expired',
      'party_size', b.party_size,
      'reference', b.reference,
      'customer_name', case when reader.sees_customers then nullif(c.contact_name, '') end,
      'customer_phone', case when reader.sees_customers then c.contact_phone end,
      'customer_email', case when reader.sees_customers then k.email end
    )
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    left join public.bookings as b on b.organization_id = event.organization_id and b.id = event.booking_id
    left join public.booking_contacts as c on c.organization_id = b.organization_id and c.booking_id = b.id
    left join public.customers as k
      on k.organization_id = b.organization_id and k.id = b.customer_id and k.erased_at is null
    left join public.booking_history as h on h.organization_id = event.organization_id and h.id = event.history_id
    where r.organization_id = event.organization_id and r.id = event.room_id
  );
end
$$;

comment on function private.notice_item is
  'What a mail to staff says of an event; names and contacts for whoever may see customers.';

create function private.is_news(event private.notice_events)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return case event.kind
    -- A later change, or the end, is told in its place.
    when 'booking_new' then not exists (
      select from public.bookings as b
      where b.organization_id = event.organization_id
        and b.id = event.booking_id
        and b.status in ('cancelled', 'expired')
    )
    when 'booking_changed' then not exists (
      select from private.notice_events as later
      where later.organization_id = event.organization_id
        and later.booking_id = event.booking_id
        and later.occurred_at > event.occurred_at
        and later.kind in ('booking_changed', 'booking_cancelled')
    )
    when 'booking_cancelled' then exists (
      select from public.bookings as b
      where b.organization_id = event.organization_id
        and b.id = event.booking_id
        and b.status in ('cancelled', 'expired')
    )
    when 'mail_problem' then exists (
      select from public.booking_mail_problems as p
      where p.organization_id = event.organization_id and p.booking_id = event.booking_id
    )
    when 'session_assigned' then exists (
      select from public.session_staff as x
      where x.organization_id = event.organization_id and x.session_id = event.session_id and x.user_id = event.user_id
    )
    when 'session_released' then not exists (
      select from public.session_staff as x
      where x.organization_id = event.organization_id and x.session_id = event.session_id and x.user_id = event.user_id
    )
    else true
  end;
end
$$;

comment on function private.is_news is 'Whether what happened is still so, and nothing later tells it better.';

create function private.notice_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  reader private.notice_reader := private.notice_reader(notice_content.organization_id, cause);
  rule public.notice_rules := private.active_notice_rule(notice_content.organization_id, cause);
  event private.notice_events;
begin
  select e.* into event
  from private.notice_events as e
  where e.organization_id = notice_content.organization_id and e.id = (cause ->> 'event_id')::uuid;
  if reader.email is null or rule.id is null or event.id is null
    or not private.is_news(event)
    or event.kind in ('booking_paid_late', 'payment_disputed') and not reader.sees_money
    or cause ? 'user_id' and not private.wants_notice(
      notice_content.organization_id, (cause ->> 'user_id')::uuid, cause ->> 'type', by_mail => true
    )
  then
    return null;
  end if;
  return (
    select jsonb_build_object(
      'locale', reader.locale,
      'to', jsonb_build_object('name', reader.name, 'email', reader.email),
      'data', private.notice_item(event, cause ->> 'type', reader) || jsonb_build_object(
        'organization_name', o.name, 'stop_token', reader.stop_token
      )
    )
    from public.organizations as o
    where o.id = notice_content.organization_id
  );
end
$$;

comment on function private.notice_content is
  'What the mail says that tells staff of one event; null when its reader may not be told, or does not want to be, the rule was switched off, or it is no news any more.';

select private.email_template_upsert('notice', 'notice_content', counts_as => 'notice');

create function private.notice_digest_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  reader private.notice_reader := private.notice_reader(notice_digest_content.organization_id, cause);
  rule public.notice_rules := private.active_notice_rule(notice_digest_content.organization_id, cause);
  items jsonb;
begin
  if reader.email is null or rule.id is null then
    return null;
  end if;
  select jsonb_agg(private.notice_item(e, e.kind, reader) order by e.occurred_at, e.id) into items
  from jsonb_array_elements_text(cause -> 'events') as listed (id)
  join private.notice_events as e
    on e.organization_id = notice_digest_content.organization_id and e.id = listed.id::uuid
  where (reader.sees_money or e.kind not in ('booking_paid_late', 'payment_disputed'))
    and (
      not cause ? 'user_id'
      or private.wants_notice(
        notice_digest_content.organization_id, (cause ->> 'user_id')::uuid, e.kind, by_mail => true
      )
    );
  if items is null then
    return null;
  end if;
  return (
    select jsonb_build_object(
      'locale', reader.locale,
      'to', jsonb_build_object('name', reader.name, 'email', reader.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'timezone', cause ->> 'timezone',
        'items', jsonb_path_query_array(items, '$[0 to 99]'),
        'more', greatest(jsonb_array_length(items) - 100, 0),
        'stop_token', reader.stop_token
      )
    )
    from public.organizations as o
    where o.id = notice_digest_content.organization_id
  );
end
$$;

comment on function private.notice_digest_content is
  'What a digest says: of each event what is so by then, 100 at most; null when its reader may be told of none.';

select private.email_template_upsert('notice_digest', 'notice_digest_content', counts_as => 'notice');

create function private.day_board_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  reader private.notice_reader := private.notice_reader(day_board_content.organization_id, cause);
  rule public.notice_rules := private.active_notice_rule(day_board_content.organization_id, cause);
  sessions jsonb;
begin
  if reader.email is null or rule.id is null
    or ((cause ->> 'date')::date + 1)::timestamp at time zone (cause ->> 'timezone') <= now()
    or not private.wants_notice(
      day_board_content.organization_id, (cause ->> 'user_id')::uuid, 'day_board', by_mail => true
    )
  then
    return null;
  end if;
  select jsonb_agg(
    jsonb_build_object(
      'room_name', s.room_name, 'starts_at', s.starts_at, 'ends_at', s.ends_at, 'players', s.players,
      'parties', (
        select jsonb_agg(
          jsonb_build_object(
            'reference', b.reference, 'party_size', b.party_size,
            'customer_name', case when reader.sees_customers then nullif(c.contact_name, '') end
          )
          order by b.created_at, b.id
        )
        from public.bookings as b
        left join public.booking_contacts as c on c.organization_id = b.organization_id and c.booking_id = b.id
        where b.organization_id = day_board_content.organization_id
          and b.session_id = s.session_id
          and b.takes_capacity
          and coalesce(b.hold_expires_at > now(), true)
      )
    )
    order by s.starts_at, s.session_id
  ) into sessions
  from private.own_board(
    day_board_content.organization_id, (cause ->> 'user_id')::uuid, (cause ->> 'date')::date, cause ->> 'timezone', rule
  ) as s;
  if sessions is null then
    return null;
  end if;
  return (
    select jsonb_build_object(
      'locale', reader.locale,
      'to', jsonb_build_object('name', reader.name, 'email', reader.email),
      'data', jsonb_build_object(
        'organization_name', o.name, 'date', cause ->> 'date', 'timezone', cause ->> 'timezone', 'sessions', sessions
      )
    )
    from public.organizations as o
    where o.id = day_board_content.organization_id
  );
end
$$;

comment on function private.day_board_content is
  'What the mail says that tells a game master of the next day: the sessions that they run as things stand; null without any, or when the day is over.';

select private.email_template_upsert('day_board', 'day_board_content', counts_as => 'notice');

create function private.notice_address_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', a.locale,
      'to', jsonb_build_object('name', '', 'email', a.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'start_token', private.notice_link('start', a),
        'expires_at', a.asked_at + interval '7 days',
        'timezone', o.timezone
      )
    )
    from public.notice_addresses as a
    join public.organizations as o on o.id = a.organization_id
    where a.organization_id = notice_address_content.organization_id
      and a.id = (cause ->> 'address_id')::uuid
      and a.confirmed_at is null
      and a.asked_at > now() - interval '7 days'
      and o.status = 'active'
      and not private.is_barred(a.organization_id, null, a.email)
  );
end
$$;

comment on function private.notice_address_content is
  'What the mail says that asks an address whether it wants notices; null when it has said yes, or was taken out.';

select private.email_template_upsert('notice_address', 'notice_address_content');

-- =============================================================================
-- sql/82_notices/080_broadcasts.sql
-- =============================================================================

-- Where Supabase Realtime is there, a notification is news at once: a message to its reader's private
-- topic, notifications:<organization>:<user>. It says only that there is one, since who may hear a topic
-- is asked when it is joined and when the token is renewed, not for each message: what is read then
-- (list_notifications) is read under the permissions of that moment. Without Realtime nothing else changes.

create function private.broadcast_notification()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- By the function: where Realtime is missing nothing here names it.
  if to_regprocedure('realtime.send(jsonb,text,text,boolean)') is not null then
    execute 'select realtime.send($1, $2, $3, $4)'
    using
      jsonb_build_object('id', new.id, 'created_at', new.created_at),
      'notification', concat_ws(':', 'notifications', new.organization_id, new.user_id), true;
  end if;
  return null;
end
$$;

comment on function private.broadcast_notification is
  'Tells Realtime, where it is there, that its reader has a new notification: its id and created_at.';

create trigger broadcast_notification
after insert on public.notifications
for each row execute function private.broadcast_notification();

create function private.hears_topic(topic text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return topic ~ '^notifications:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f-]{36}$'
    and split_part(topic, ':', 3) = auth.uid()::text
    and private.organization_with('bookings:read', split_part(topic, ':', 2)::uuid) is not null;
end
$$;

comment on function private.hears_topic is
  'Whether the caller may join a topic of Realtime: the own one, of an organization in which they hold bookings:read.';

create function private.allow_broadcasts()
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  if to_regclass('realtime.messages') is null or to_regprocedure('realtime.topic()') is null then
    return false;
  end if;
  -- Where nobody asks it, nobody needs it.
  execute 'grant execute on function private.hears_topic to authenticated';
  execute 'drop policy if exists notifications_are_heard_by_their_reader on realtime.messages';
  -- Nobody may send: there is no policy for insert.
  execute $policy$
    create policy notifications_are_heard_by_their_reader on realtime.messages
    for select to authenticated
    using (extension = 'broadcast' and private.hears_topic((select realtime.topic())))
  $policy$;
  return true;
end
$$;

comment on function private.allow_broadcasts is
  'Lets readers join their private topics, where Realtime is there; false without it. For the database''s owner: private.allow_realtime calls it.';

select private.allow_broadcasts();

-- =============================================================================
-- sql/83_webhooks/010_permissions.sql
-- =============================================================================

-- Who keeps the webhooks.

select private.permission_upsert(
  'webhooks:read', 'webhooks', false,
  'See the webhook endpoints and what was delivered to them', 'Ver los endpoints de webhooks y sus entregas',
  array['admin']
);
-- What happens at the venue, people included, goes wherever an endpoint says, for as long as it is there.
select private.permission_upsert(
  'webhooks:manage', 'webhooks', true,
  'Make, change and remove webhook endpoints, and deliver again', 'Crear, cambiar y borrar endpoints de webhooks, y volver a entregar',
  array['admin'],
  rests_in_visits => true
);

-- =============================================================================
-- sql/83_webhooks/020_endpoints.sql
-- =============================================================================

-- Webhook endpoints: where a venue's own programs are told what happens. docs/webhooks.md.

create table private.webhook_settings (
  key text not null default 'platform',
  allows_loopback boolean not null default false,
  log_days int not null default 30,
  constraint webhook_settings_pkey primary key (key),
  constraint webhook_settings_are_one_row check (key = 'platform'),
  -- A delivery is tried for three days.
  constraint webhook_settings_log_is_kept_4_to_365_days check (log_days between 4 and 365)
);

comment on table private.webhook_settings is
  'reference data. The platform''s choices, one row, which the database''s owner changes.';
comment on column private.webhook_settings.allows_loopback is
  'Whether endpoints may be on the worker''s own machine, for development; the worker''s WEBHOOKS_ALLOW_LOOPBACK must say so as well. Never on a hosted project.';
comment on column private.webhook_settings.log_days is 'For how many days events and their deliveries are kept.';

-- Never overwritten: the row is the operator's.
insert into private.webhook_settings (key) values ('platform') on conflict (key) do nothing;

create function private.are_webhook_types(types text [])
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return cardinality(types) > 0
    and array_ndims(types) = 1
    and types <@ array[
      'booking.held', 'booking.pending', 'booking.confirmed', 'booking.changed', 'booking.cancelled', 'booking.expired',
      'booking.checked_in', 'booking.started', 'booking.completed', 'booking.no_show', 'booking.undone',
      'payment.received', 'refund.paid', 'refund.reversed', 'dispute.opened', 'dispute.changed',
      'customer.erased', 'result.recorded', 'result.changed', 'result.withdrawn'
    ]
    and (select count(*) = count(distinct t) from unnest(types) as t);
end
$$;

comment on function private.are_webhook_types is
  'Whether these are types of events, at least one, none twice: the one list of them. Another one is added here, with the trigger that emits it (private.emit_webhook).';
grant execute on function private.are_webhook_types to authenticated;

create function private.is_webhook_url(url text)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  -- A host by a name of the public domains, and so no literal address and none of the names that only a network
  -- of one's own knows (.local, .internal, one word). What the name resolves to is looked at when it is called.
  return length(url) <= 500
    and url ~ '^[^?]+(\?([A-Za-z0-9._~!$&''()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?$'
    and private.is_site_url(split_part(url, '?', 1))
    and url !~ '^https://[^/:?]+\.arpa([:/?]|$)';
end
$$;

comment on function private.is_webhook_url is
  'Whether an endpoint may be there: https, a host by a public name, no user, no fragment; or this machine, which the trigger webhook_endpoints_are_public refuses where private.webhook_settings does not allow it.';
grant execute on function private.is_webhook_url to authenticated;

create table public.webhook_endpoints (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  name text not null,
  url text not null,
  events text [] not null,
  includes_personal_data boolean not null default false,
  is_active boolean not null default true,
  disabled_at timestamptz,
  disabled_reason text,
  created_by uuid,
  rotated_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint webhook_endpoints_pkey primary key (organization_id, id),
  constraint webhook_endpoints_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint webhook_endpoints_created_by_fkey foreign key (created_by)
  references public.profiles (user_id) on delete set null,
  constraint webhook_endpoints_name_is_a_name check (private.is_name(name, 80)),
  constraint webhook_endpoints_url_is_public check (private.is_webhook_url(url)),
  constraint webhook_endpoints_events_are_known check (private.are_webhook_types(events)),
  constraint webhook_endpoints_disabled_reason_is_known check (disabled_reason in ('by_hand', 'failing', 'gone')),
  constraint webhook_endpoints_disabled_when_not_active check (
    is_active = (disabled_at is null) and is_active = (disabled_reason is null)
  )
);

comment on table public.webhook_endpoints is
  'Where a program of the venue is told what happens: each event of the kinds it asks for is posted to url, signed. Made by create_webhook_endpoint, which shows the secret; at most ten an organization. Errors: 422 too_many_rows, webhook_url_refused.';
comment on column public.webhook_endpoints.name is 'What the venue calls it.';
comment on column public.webhook_endpoints.url is
  'https, a host by a public name, any port, path and query. An address that is private, of this machine or of its network is refused, here and again when it is called.';
comment on column public.webhook_endpoints.events is
  'The types of events that it gets: booking.held, booking.pending, booking.confirmed, booking.changed, booking.cancelled, booking.expired, booking.checked_in, booking.started, booking.completed, booking.no_show, booking.undone, payment.received, refund.paid, refund.reversed, dispute.opened, dispute.changed, customer.erased, result.recorded, result.changed, result.withdrawn.';
comment on column public.webhook_endpoints.includes_personal_data is
  'Whether it gets the customer''s name, address, phone, note and answers. To switch that on, or to change where, what or whether such an endpoint gets, takes customers:read.';
comment on column public.webhook_endpoints.is_active is
  'Whether it is told. What happens while it is not is not kept for it; what waited for it goes on when it is again.';
comment on column public.webhook_endpoints.disabled_at is 'Since when it is not told. Set by the database; null: it is.';
comment on column public.webhook_endpoints.disabled_reason is
  'by_hand; failing: nothing arrived there for three days; gone: it answered 410. Set by the database; null: it is active.';
comment on column public.webhook_endpoints.rotated_at is 'When its signing secret was last rotated; null: it was not.';
comment on column public.webhook_endpoints.created_by is 'Null for an API key, and once the account is deleted.';

-- for: what a person left open, and the foreign key
create index webhook_endpoints_created_by_idx on public.webhook_endpoints (created_by);

grant select, delete on public.webhook_endpoints to authenticated;
grant update (name, url, events, includes_personal_data, is_active) on public.webhook_endpoints to authenticated;

alter table public.webhook_endpoints enable row level security;

create policy webhook_endpoints_select on public.webhook_endpoints
for select to authenticated
using (organization_id = (select private.organization_with('webhooks:read')));

create policy webhook_endpoints_update on public.webhook_endpoints
for update to authenticated
using (organization_id = (select private.organization_with('webhooks:manage')))
with check (organization_id = (select private.organization_with('webhooks:manage')));

create policy webhook_endpoints_delete on public.webhook_endpoints
for delete to authenticated
using (organization_id = (select private.organization_with('webhooks:manage')));

create trigger webhook_endpoints_clean_names
before insert or update of name on public.webhook_endpoints
for each row execute function private.clean_texts('names', 'name');

create trigger webhook_endpoints_touch_updated_at
before update on public.webhook_endpoints
for each row execute function private.touch_updated_at();

create trigger webhook_endpoints_are_bounded
after insert on public.webhook_endpoints
for each row execute function private.bound_rows('10');

create table private.webhook_secrets (
  organization_id uuid not null,
  endpoint_id uuid not null,
  id uuid not null default private.uuid_v7(),
  secret text not null,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  constraint webhook_secrets_pkey primary key (organization_id, endpoint_id, id),
  constraint webhook_secrets_endpoint_fkey foreign key (organization_id, endpoint_id)
  references public.webhook_endpoints (organization_id, id) on delete cascade,
  constraint webhook_secrets_secret_is_256_bits check (secret ~ '^whsec_[A-Za-z0-9+/]{43}=$')
);

comment on table private.webhook_secrets is
  'What deliveries are signed with: the newest secret of an endpoint, and while it is being rotated the one before it. In the clear, since a signature of both sides needs it; read by private.prepare_webhook alone, which signs.';
comment on column private.webhook_secrets.expires_at is 'Until when it still signs beside the newest; null: it is the newest.';

create table private.webhook_states (
  organization_id uuid not null,
  endpoint_id uuid not null,
  failures int not null default 0,
  paused_until timestamptz,
  last_success_at timestamptz,
  constraint webhook_states_pkey primary key (organization_id, endpoint_id),
  constraint webhook_states_endpoint_fkey foreign key (organization_id, endpoint_id)
  references public.webhook_endpoints (organization_id, id) on delete cascade,
  constraint webhook_states_failures_are_not_negative check (failures >= 0)
);

comment on table private.webhook_states is
  'How an endpoint does, apart from what staff see and what the log keeps: written with every delivery.';
comment on column private.webhook_states.failures is 'How many attempts in a row had no answer, or one that asks for patience (429, 502, 503, 504).';
comment on column private.webhook_states.paused_until is
  'Nothing is sent before: after three of them, so that a dead endpoint takes a slot of the worker''s only now and then.';

create function private.keep_webhook_switch()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  if new.is_active then
    new.disabled_at := null;
    new.disabled_reason := null;
  elsif new.disabled_reason is null then
    new.disabled_at := now();
    new.disabled_reason := 'by_hand';
  end if;
  return new;
end
$$;

comment on function private.keep_webhook_switch is 'Writes since when and why an endpoint is not told.';

create trigger keep_webhook_switch
before update of is_active on public.webhook_endpoints
for each row when (new.is_active is distinct from old.is_active)
execute function private.keep_webhook_switch();

create function private.follow_webhook_switch()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update private.webhook_states as s
  set failures = 0, paused_until = null
  where s.organization_id = new.organization_id and s.endpoint_id = new.id;
  return null;
end
$$;

comment on function private.follow_webhook_switch is
  'definer: writes how the endpoint does, which no client may. One that is switched on, or moves, is tried at once.';

create trigger follow_webhook_switch
after update of is_active, url on public.webhook_endpoints
for each row when (new.is_active and (not old.is_active or new.url <> old.url))
execute function private.follow_webhook_switch();

create function private.refuse_private_webhook()
returns trigger
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if new.url ~ '^https?://(localhost|127\.0\.0\.1)([:/?]|$)'
    and not exists (select from private.webhook_settings as s where s.allows_loopback)
  then
    perform private.fail(
      'webhook_url_refused', 422, 'Give an address that the internet reaches: https and a public name, no literal address.'
    );
  end if;
  return null;
end
$$;

comment on function private.refuse_private_webhook is
  'definer: reads the platform''s settings. Raises 422 webhook_url_refused for an endpoint on the worker''s own machine, unless this is a stack for development.';

create trigger webhook_endpoints_are_public
after insert or update of url on public.webhook_endpoints
for each row execute function private.refuse_private_webhook();

create function private.guard_personal_webhook()
returns trigger
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(new.organization_id, 'customers:read');
  return null;
end
$$;

comment on function private.guard_personal_webhook is
  'definer: asks for a permission. Who may not see customers sends them nowhere: 403 permission_denied.';

create trigger guard_new_personal_webhook
after insert on public.webhook_endpoints
for each row when (new.includes_personal_data)
execute function private.guard_personal_webhook();

create trigger guard_personal_webhook
after update of url, events, includes_personal_data, is_active on public.webhook_endpoints
for each row when (
  new.includes_personal_data
  -- One that is off, too: whoever switches it on again need not look where it has gone meanwhile.
  and (
    new.url <> old.url or new.events <> old.events or not old.includes_personal_data or (new.is_active and not old.is_active)
  )
)
execute function private.guard_personal_webhook();

create function private.new_webhook_secret()
returns text
language plpgsql
volatile
set search_path = ''
as $$
begin
  return 'whsec_' || encode(extensions.gen_random_bytes(32), 'base64');
end
$$;

comment on function private.new_webhook_secret is 'A secret as Standard Webhooks writes them: whsec_ and 256 bits in base64.';

create function private.create_webhook_endpoint(
  organization_id uuid,
  name text,
  url text,
  events text [],
  includes_personal_data boolean
)
returns public.issued_token
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  secret text := private.new_webhook_secret();
  endpoint_id uuid;
begin
  perform private.require_permission(create_webhook_endpoint.organization_id, 'webhooks:manage');
  if private.is_name(private.clean_text(create_webhook_endpoint.name), 80) is not true then
    perform private.fail('name_invalid', 422, 'Give the endpoint a name of 1 to 80 characters, on one line and without links.');
  elsif private.is_webhook_url(create_webhook_endpoint.url) is not true then
    perform private.fail(
      'webhook_url_refused', 422, 'Give an address that the internet reaches: https and a public name, no literal address.'
    );
  elsif private.are_webhook_types(create_webhook_endpoint.events) is not true then
    perform private.fail('webhook_events_invalid', 422, 'Name the types of events, at least one and none twice.');
  end if;
  insert into public.webhook_endpoints (organization_id, name, url, events, includes_personal_data, created_by)
  values (
    create_webhook_endpoint.organization_id, create_webhook_endpoint.name, create_webhook_endpoint.url,
    create_webhook_endpoint.events, coalesce(create_webhook_endpoint.includes_personal_data, false),
    private.calling_person()
  )
  returning id into endpoint_id;
  insert into private.webhook_secrets (organization_id, endpoint_id, secret)
  values (create_webhook_endpoint.organization_id, endpoint_id, secret);
  insert into private.webhook_states (organization_id, endpoint_id)
  values (create_webhook_endpoint.organization_id, endpoint_id);
  return row(endpoint_id, secret)::public.issued_token;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_webhook_endpoint is 'definer: writes the secret, which no client may see.';
grant execute on function private.create_webhook_endpoint to authenticated;

create function public.create_webhook_endpoint(
  organization_id uuid,
  name text,
  url text,
  events text [],
  includes_personal_data boolean default false
)
returns public.issued_token
language sql
volatile
set search_path = ''
as $$
  select private.create_webhook_endpoint(organization_id, name, url, events, includes_personal_data)
$$;

comment on function public.create_webhook_endpoint is
  'Makes a webhook endpoint (webhook_endpoints) and shows its signing secret, this once. includes_personal_data takes customers:read as well. For members with webhooks:manage. Errors: 403 permission_denied, organization_suspended; 422 name_invalid, webhook_url_refused, webhook_events_invalid, too_many_rows.';
grant execute on function public.create_webhook_endpoint to authenticated;

create function private.rotate_webhook_secret(organization_id uuid, endpoint_id uuid, overlap_hours int)
returns public.issued_token
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  secret text := private.new_webhook_secret();
begin
  perform private.require_permission(rotate_webhook_secret.organization_id, 'webhooks:manage');
  if rotate_webhook_secret.overlap_hours is null or rotate_webhook_secret.overlap_hours not between 0 and 168 then
    perform private.fail('overlap_invalid', 422, 'Let the old secret go on for 0 to 168 hours.');
  end if;
  -- Two rotations at once end one after the other; and the log says who did it.
  update public.webhook_endpoints as e
  set rotated_at = now()
  where e.organization_id = rotate_webhook_secret.organization_id and e.id = rotate_webhook_secret.endpoint_id;
  if not found then
    perform private.fail('webhook_endpoint_not_found', 404, 'Choose one of the organization''s webhook endpoints.');
  end if;
  delete from private.webhook_secrets as s
  where s.organization_id = rotate_webhook_secret.organization_id
    and s.endpoint_id = rotate_webhook_secret.endpoint_id
    and (s.expires_at is not null or rotate_webhook_secret.overlap_hours = 0);
  update private.webhook_secrets as s
  set expires_at = now() + make_interval(hours => rotate_webhook_secret.overlap_hours)
  where s.organization_id = rotate_webhook_secret.organization_id
    and s.endpoint_id = rotate_webhook_secret.endpoint_id;
  insert into private.webhook_secrets (organization_id, endpoint_id, secret)
  values (rotate_webhook_secret.organization_id, rotate_webhook_secret.endpoint_id, secret);
  return row(rotate_webhook_secret.endpoint_id, secret)::public.issued_token;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.rotate_webhook_secret is 'definer: writes the secret, which no client may see.';
grant execute on function private.rotate_webhook_secret to authenticated;

create function public.rotate_webhook_secret(organization_id uuid, endpoint_id uuid, overlap_hours int default 24)
returns public.issued_token
language sql
volatile
set search_path = ''
as $$ select private.rotate_webhook_secret(organization_id, endpoint_id, overlap_hours) $$;

comment on function public.rotate_webhook_secret is
  'Gives an endpoint a new signing secret, shown this once. For overlap_hours (0 to 168) deliveries carry a signature by the old one too; 0: a secret that leaked ends at once. Two are valid at most: rotated again within that time, the oldest ends. For members with webhooks:manage. Errors: 403 permission_denied, organization_suspended; 404 webhook_endpoint_not_found; 422 overlap_invalid.';
grant execute on function public.rotate_webhook_secret to authenticated;

-- =============================================================================
-- sql/83_webhooks/030_events.sql
-- =============================================================================

-- What webhooks tell: an event is written in the transaction that makes it happen, from what the ledger,
-- the history and the other tables write anyway, so no function has to remember it. Its content is read
-- when that transaction ends, and kept: a delivery tells what was so then, however late it arrives.

create type public.webhook_organization as (
  id uuid,
  name text
);

comment on type public.webhook_organization is 'The venue of an event.';
comment on column public.webhook_organization.id is 'The organization.';
comment on column public.webhook_organization.name is 'As it is called.';

create type public.webhook_room as (
  id uuid,
  slug text,
  name text
);

comment on type public.webhook_room is 'The room that is played.';
comment on column public.webhook_room.id is 'The room.';
comment on column public.webhook_room.slug is 'As in addresses.';
comment on column public.webhook_room.name is 'As the staff call it.';

create type public.webhook_location as (
  id uuid,
  name text,
  address text,
  phone text,
  timezone text
);

comment on type public.webhook_location is 'Where it is played.';
comment on column public.webhook_location.id is 'The location.';
comment on column public.webhook_location.name is 'As it is called.';
comment on column public.webhook_location.address is 'In one line; empty when the venue gave none.';
comment on column public.webhook_location.phone is 'By which the venue is reached; null: none.';
comment on column public.webhook_location.timezone is 'IANA.';

create type public.webhook_calendar as (
  id uuid,
  slug text,
  name text
);

comment on type public.webhook_calendar is 'The calendar by which it was booked.';
comment on column public.webhook_calendar.id is 'The calendar.';
comment on column public.webhook_calendar.slug is 'As in addresses.';
comment on column public.webhook_calendar.name is 'As it is called.';

create type public.webhook_line as (
  kind text,
  description text,
  quantity int,
  unit_cents bigint,
  total_cents bigint,
  tax_rate_bp int,
  tax_cents bigint
);

comment on type public.webhook_line is 'A line of what a booking costs; amounts in minor units, tax included.';
comment on column public.webhook_line.kind is 'one of booking_lines.kind';
comment on column public.webhook_line.description is 'What it is for.';
comment on column public.webhook_line.quantity is 'How many.';
comment on column public.webhook_line.unit_cents is 'What one costs.';
comment on column public.webhook_line.total_cents is 'What they cost.';
comment on column public.webhook_line.tax_rate_bp is 'Tax contained, in basis points.';
comment on column public.webhook_line.tax_cents is 'Tax contained.';

create type public.webhook_booking as (
  id uuid,
  reference text,
  status text,
  source text,
  locale text,
  organization_id uuid,
  customer_id uuid,
  room public.webhook_room,
  location public.webhook_location,
  calendar public.webhook_calendar,
  starts_at timestamptz,
  ends_at timestamptz,
  timezone text,
  starts_at_local text,
  ends_at_local text,
  hold_expires_at timestamptz,
  party_size int,
  exclusive boolean,
  extras public.booked_extra [],
  currency text,
  total_cents bigint,
  tax_cents bigint,
  due_now_cents bigint,
  paid_cents bigint,
  refunded_cents bigint,
  open_cents bigint,
  cancel_refund text,
  lines public.webhook_line [],
  created_at timestamptz,
  merged_into_id uuid
);

comment on type public.webhook_booking is
  'A booking as it was when the transaction that made the event ended; amounts in minor units of currency, tax included.';
comment on column public.webhook_booking.id is 'The booking; the same for ever.';
comment on column public.webhook_booking.reference is 'What people read to each other, as ABCD-2345.';
comment on column public.webhook_booking.status is 'That of the event, for one of a booking. one of bookings.status';
comment on column public.webhook_booking.source is 'Where it was made. one of bookings.source';
comment on column public.webhook_booking.locale is 'Language in which its party is written to. one of: es, en, ca';
comment on column public.webhook_booking.organization_id is 'The venue.';
comment on column public.webhook_booking.customer_id is 'Who booked; the person is in data.customer.';
comment on column public.webhook_booking.room is 'What is played.';
comment on column public.webhook_booking.location is 'Where.';
comment on column public.webhook_booking.calendar is 'By which it was booked; null: by the staff, or the calendar is gone.';
comment on column public.webhook_booking.starts_at is 'When the game starts.';
comment on column public.webhook_booking.ends_at is 'When it ends.';
comment on column public.webhook_booking.timezone is 'The location''s, IANA.';
comment on column public.webhook_booking.starts_at_local is 'starts_at on the location''s clock, with its offset from UTC.';
comment on column public.webhook_booking.ends_at_local is 'ends_at on the location''s clock, with its offset from UTC.';
comment on column public.webhook_booking.hold_expires_at is 'Until when it keeps its place unless it is confirmed; null: it needs no confirmation any more.';
comment on column public.webhook_booking.party_size is 'How many people.';
comment on column public.webhook_booking.exclusive is 'Whether the party has a shared room for itself.';
comment on column public.webhook_booking.extras is 'What was ordered with it.';
comment on column public.webhook_booking.currency is 'ISO 4217.';
comment on column public.webhook_booking.total_cents is 'What it costs.';
comment on column public.webhook_booking.tax_cents is 'Tax contained in total_cents.';
comment on column public.webhook_booking.due_now_cents is 'What must be paid for it to be confirmed.';
comment on column public.webhook_booking.paid_cents is 'What came in.';
comment on column public.webhook_booking.refunded_cents is 'What went back.';
comment on column public.webhook_booking.open_cents is 'What is still to be paid.';
comment on column public.webhook_booking.cancel_refund is 'Of a cancelled one, what goes back: full, terms (as agreed) or none; null: it is not cancelled.';
comment on column public.webhook_booking.lines is 'What makes up total_cents.';
comment on column public.webhook_booking.created_at is 'When it was made.';
comment on column public.webhook_booking.merged_into_id is 'Of a cancelled one that the venue made part of another booking: that one; null: it was not.';

create type public.webhook_customer as (
  id uuid,
  full_name text,
  email text,
  phone text,
  note text,
  answers jsonb,
  team_name text
);

comment on type public.webhook_customer is 'Who booked, as told with this booking.';
comment on column public.webhook_customer.id is 'The customer.';
comment on column public.webhook_customer.full_name is 'The name given with the booking.';
comment on column public.webhook_customer.email is 'null: booked at the desk without one.';
comment on column public.webhook_customer.phone is 'null: none was given.';
comment on column public.webhook_customer.note is 'What the customer wrote; empty: nothing.';
comment on column public.webhook_customer.answers is 'To the calendar''s own questions, by key.';
comment on column public.webhook_customer.team_name is 'What the party calls itself, once its game is over; null: it did not say.';

create type public.webhook_payment as (
  id uuid,
  method text,
  amount_cents bigint,
  currency text,
  occurred_at timestamptz
);

comment on type public.webhook_payment is 'Money that came in.';
comment on column public.webhook_payment.id is 'The entry of the ledger.';
comment on column public.webhook_payment.method is 'one of payments.method';
comment on column public.webhook_payment.amount_cents is 'Minor units of currency.';
comment on column public.webhook_payment.currency is 'ISO 4217.';
comment on column public.webhook_payment.occurred_at is 'When the money moved.';

create type public.webhook_refund as (
  id uuid,
  payment_id uuid,
  method text,
  amount_cents bigint,
  currency text,
  reason text,
  occurred_at timestamptz
);

comment on type public.webhook_refund is 'Money that went back, or came back because a refund could not be delivered.';
comment on column public.webhook_refund.id is 'The entry of the ledger.';
comment on column public.webhook_refund.payment_id is 'The payment that it is of.';
comment on column public.webhook_refund.method is 'By which way. one of refunds.method';
comment on column public.webhook_refund.amount_cents is 'Minor units of currency, positive; of refund.reversed what came back.';
comment on column public.webhook_refund.currency is 'ISO 4217.';
comment on column public.webhook_refund.reason is
  'correction: the payment was written down wrongly, and nothing went back. one of: cancelled, changed, no_show, overpaid, paid_late, hold_expired, staff, provider, correction';
comment on column public.webhook_refund.occurred_at is 'When the money moved.';

create type public.webhook_dispute as (
  id uuid,
  payment_id uuid,
  status text,
  reason text,
  amount_cents bigint,
  currency text,
  respond_by timestamptz
);

comment on type public.webhook_dispute is 'A payment that the customer''s bank disputes.';
comment on column public.webhook_dispute.id is 'The dispute.';
comment on column public.webhook_dispute.payment_id is 'The payment that it is about.';
comment on column public.webhook_dispute.status is 'The provider''s word, such as needs_response, won or lost.';
comment on column public.webhook_dispute.reason is 'The provider''s word, such as fraudulent.';
comment on column public.webhook_dispute.amount_cents is 'Minor units of currency that are disputed.';
comment on column public.webhook_dispute.currency is 'ISO 4217.';
comment on column public.webhook_dispute.respond_by is 'Until when the venue may answer; null: it may not, or need not.';

create type public.webhook_erasure as (
  customer_id uuid,
  merged_customer_ids uuid [],
  booking_ids uuid []
);

comment on type public.webhook_erasure is
  'A customer who was erased: whoever was told of the person before forgets name, address, phone, note and answers, too.';
comment on column public.webhook_erasure.customer_id is 'The customer.';
comment on column public.webhook_erasure.merged_customer_ids is 'Customers who turned out to be the same person: events of before may name these.';
comment on column public.webhook_erasure.booking_ids is 'The customer''s bookings.';

create type public.webhook_result as (
  outcome text,
  escape_seconds int,
  duration_seconds int,
  pauses int,
  hints int,
  played_at timestamptz,
  language text,
  level text,
  is_by_hand boolean,
  is_public boolean
);

comment on type public.webhook_result is 'How a party''s game ended; its name is in data.customer.';
comment on column public.webhook_result.outcome is 'one of game_results.outcome';
comment on column public.webhook_result.escape_seconds is 'How long it played, without pauses; null unless it escaped.';
comment on column public.webhook_result.duration_seconds is 'How long it had, without pauses.';
comment on column public.webhook_result.pauses is 'How often the clock was paused.';
comment on column public.webhook_result.hints is 'How many hints it was given.';
comment on column public.webhook_result.played_at is 'When the clock was started; the session''s start where it never was.';
comment on column public.webhook_result.language is 'In which it was played, ISO 639-1; null: nobody said.';
comment on column public.webhook_result.level is 'easy, normal, hard or expert; null: the room has none, or nobody said.';
comment on column public.webhook_result.is_by_hand is 'Whether a person entered or changed outcome, time or hints.';
comment on column public.webhook_result.is_public is
  'Whether the party agreed that its time and name are shown to the public: without that a consumer shows them to nobody.';

create type public.webhook_data as (
  booking public.webhook_booking,
  customer public.webhook_customer,
  change jsonb,
  payment public.webhook_payment,
  refund public.webhook_refund,
  dispute public.webhook_dispute,
  erasure public.webhook_erasure,
  result public.webhook_result
);

comment on type public.webhook_data is 'What happened, and to what.';
comment on column public.webhook_data.booking is 'null: of customer.erased.';
comment on column public.webhook_data.customer is
  'null: the endpoint gets no personal data, the customer was erased meanwhile, or it is customer.erased.';
comment on column public.webhook_data.change is
  'Of booking.changed, {field: [before, after]} with starts_at, room_id, party_size, exclusive, extras, coupon_code, total_cents, terms; null: of any other.';
comment on column public.webhook_data.payment is 'Of payment.received; null: of any other.';
comment on column public.webhook_data.refund is 'Of refund.paid and refund.reversed; null: of any other.';
comment on column public.webhook_data.dispute is 'Of dispute.opened and dispute.changed; null: of any other.';
comment on column public.webhook_data.erasure is 'Of customer.erased; null: of any other.';
comment on column public.webhook_data.result is
  'Of result.recorded and result.changed, and of result.withdrawn as it last was; null: of any other.';

create type public.webhook_event as (
  id uuid,
  type text,
  version int,
  timestamp timestamptz,
  organization public.webhook_organization,
  data public.webhook_data
);

comment on type public.webhook_event is 'The body of a webhook. docs/webhooks.md.';
comment on column public.webhook_event.id is
  'The same at every attempt, replay and endpoint, and the header webhook-id: what was received before is known by it.';
comment on column public.webhook_event.type is
  'one of: booking.held, booking.pending, booking.confirmed, booking.changed, booking.cancelled, booking.expired, booking.checked_in, booking.started, booking.completed, booking.no_show, booking.undone, payment.received, refund.paid, refund.reversed, dispute.opened, dispute.changed, customer.erased, result.recorded, result.changed, result.withdrawn';
comment on column public.webhook_event.version is '1. Within a version fields are added, and none is removed or means something else.';
comment on column public.webhook_event.timestamp is 'When it happened: the end of the transaction that made it. Of two events of a booking the later one tells the newer state.';
comment on column public.webhook_event.organization is 'The venue.';
comment on column public.webhook_event.data is 'What happened.';

create table private.webhook_events (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  type text not null,
  booking_id uuid,
  customer_id uuid,
  occurred_at timestamptz not null,
  event jsonb not null,
  personal jsonb,
  created_at timestamptz not null default now(),
  constraint webhook_events_pkey primary key (organization_id, id),
  constraint webhook_events_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint webhook_events_type_is_known check (private.are_webhook_types(array[type])),
  constraint webhook_events_event_names_nobody check (event #> '{data,customer}' = 'null')
);

comment on table private.webhook_events is 'What was told to webhook endpoints, as it was when it happened; kept for webhook_settings.log_days.';
comment on column private.webhook_events.event is 'public.webhook_event, without the person.';
comment on column private.webhook_events.personal is
  'public.webhook_customer, where an endpoint gets it; null: none does, or the customer was erased.';

insert into private.personal_columns (relation, column_name, erased)
values ('private.webhook_events', 'personal', 'null')
on conflict (relation, column_name) do update set erased = excluded.erased;

-- for: private.erase_customer
create index webhook_events_booking_id_idx on private.webhook_events (organization_id, booking_id);
-- for: private.erase_customer
create index webhook_events_customer_id_idx on private.webhook_events (organization_id, customer_id);
-- for: private.forget_webhooks
create index webhook_events_created_at_idx on private.webhook_events (created_at);

create table private.webhook_deliveries (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  endpoint_id uuid not null,
  event_id uuid not null,
  subject_id uuid not null,
  position bigint generated always as identity,
  status text not null default 'pending',
  queued_at timestamptz not null default now(),
  tries int not null default 0,
  attempts int not null default 0,
  next_attempt_at timestamptz not null default now(),
  sent_by_job bigint,
  last_attempt_at timestamptz,
  constraint webhook_deliveries_pkey primary key (organization_id, id),
  constraint webhook_deliveries_event_key unique (organization_id, event_id, endpoint_id),
  constraint webhook_deliveries_endpoint_fkey foreign key (organization_id, endpoint_id)
  references public.webhook_endpoints (organization_id, id) on delete cascade,
  constraint webhook_deliveries_event_fkey foreign key (organization_id, event_id)
  references private.webhook_events (organization_id, id) on delete cascade,
  constraint webhook_deliveries_status_is_known check (status in ('pending', 'delivered', 'failed')),
  constraint webhook_deliveries_counts_are_not_negative check (tries >= 0 and attempts >= tries)
);

comment on table private.webhook_deliveries is 'The outbox of webhooks: a row for each event and endpoint that asked for it.';
comment on column private.webhook_deliveries.subject_id is
  'What is told in order: the booking, or else the customer. A later delivery about it waits for an earlier one.';
comment on column private.webhook_deliveries.position is 'The order in which things happened to the subject: given while its booking was locked.';
comment on column private.webhook_deliveries.status is 'pending, delivered, or failed: given up after three days.';
comment on column private.webhook_deliveries.queued_at is 'When it was made, or last asked for again: three days are counted from then.';
comment on column private.webhook_deliveries.tries is 'Attempts since queued_at, by which the pause grows.';
comment on column private.webhook_deliveries.attempts is 'Attempts in all.';
comment on column private.webhook_deliveries.sent_by_job is
  'The job that is sending it, while that runs: several jobs may find it, and one sends.';

-- for: private.prepare_webhook, the first one that waits of a subject; and private.queue_due_webhooks
create index webhook_deliveries_waiting_idx
on private.webhook_deliveries (organization_id, endpoint_id, subject_id, position) where status = 'pending';
-- for: private.queue_due_webhooks
create index webhook_deliveries_due_idx
on private.webhook_deliveries (organization_id, endpoint_id, next_attempt_at) where status = 'pending';
-- for: the log of an endpoint, newest first (list_webhook_deliveries), and the foreign key
create index webhook_deliveries_endpoint_id_idx on private.webhook_deliveries (organization_id, endpoint_id, position desc);

create function private.webhook_is_wanted(organization_id uuid, type text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.webhook_endpoints as e
    where e.organization_id = webhook_is_wanted.organization_id
      and e.is_active
      and webhook_is_wanted.type = any (e.events)
  );
end
$$;

comment on function private.webhook_is_wanted is 'Whether anybody is to be told of such an event.';

create function private.local_time(at timestamptz, timezone text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  wall timestamp := local_time.at at time zone local_time.timezone;
  minutes int := extract(epoch from wall - (local_time.at at time zone 'UTC')) / 60;
begin
  return to_char(wall, 'YYYY-MM-DD"T"HH24:MI:SS')
    || case when minutes < 0 then '-' else '+' end
    || to_char(abs(minutes) / 60, 'FM00') || ':' || to_char(abs(minutes) % 60, 'FM00');
end
$$;

comment on function private.local_time is 'An instant on the clock of a zone with its offset from UTC, as RFC 3339 writes it.';

create function private.webhook_booking(organization_id uuid, booking_id uuid, status text)
returns public.webhook_booking
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      b.id, b.reference, coalesce(webhook_booking.status, b.status), b.source, b.locale, b.organization_id, b.customer_id,
      row(r.id, r.slug, r.name)::public.webhook_room,
      row(l.id, l.name, private.location_address(l), coalesce(l.phone, o.phone), l.timezone)::public.webhook_location,
      case when c.id is not null then row(c.id, c.slug, c.name)::public.webhook_calendar end,
      s.starts_at, s.ends_at, l.timezone,
      private.local_time(s.starts_at, l.timezone), private.local_time(s.ends_at, l.timezone),
      b.hold_expires_at, b.party_size, b.exclusive, (private.show_booking(b)).extras,
      b.currency, b.total_cents, b.tax_cents, b.due_now_cents, balance.paid_cents, balance.refunded_cents,
      private.booking_open(b), b.cancel_refund,
      array(
        select row(
          n.kind, n.description, n.quantity, n.unit_cents, n.total_cents, n.tax_rate_bp, n.tax_cents
        )::public.webhook_line
        from public.booking_lines as n
        where n.organization_id = b.organization_id and n.booking_id = b.id
        order by n.position
      ),
      b.created_at, b.merged_into_id
    )::public.webhook_booking
    from public.bookings as b
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    join public.organizations as o on o.id = b.organization_id
    left join public.calendars as c on c.organization_id = b.organization_id and c.id = b.calendar_id
    cross join private.booking_balance(b.organization_id, b.id) as balance
    where b.organization_id = webhook_booking.organization_id and b.id = webhook_booking.booking_id
  );
end
$$;

comment on function private.webhook_booking is 'A booking as webhooks tell it, in a status that it took (null: in its own).';

create function private.webhook_customer(organization_id uuid, booking_id uuid)
returns public.webhook_customer
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      c.id, k.contact_name, c.email, coalesce(k.contact_phone, c.phone), k.customer_note, k.fields, g.team_name
    )::public.webhook_customer
    from public.bookings as b
    join public.customers as c on c.organization_id = b.organization_id and c.id = b.customer_id
    join public.booking_contacts as k on k.organization_id = b.organization_id and k.booking_id = b.id
    left join public.game_results as g on g.organization_id = b.organization_id and g.booking_id = b.id
    where b.organization_id = webhook_customer.organization_id
      and b.id = webhook_customer.booking_id
      and c.erased_at is null
  );
end
$$;

comment on function private.webhook_customer is 'The person of a booking as webhooks tell it; null once erased.';

create function private.emit_webhook(
  organization_id uuid,
  type text,
  booking_id uuid,
  data public.webhook_data
)
returns void
language plpgsql
volatile
set search_path = ''
-- Instants are written in it.
set timezone = 'UTC'
as $$
declare
  event_id uuid := private.uuid_v7();
  -- One clock for all, read in the order in which they are told.
  occurred_at timestamptz := clock_timestamp();
  about_customer uuid := coalesce((data.booking).customer_id, (data.erasure).customer_id);
  delivery record;
begin
  insert into private.webhook_events (organization_id, id, type, booking_id, customer_id, occurred_at, event, personal)
  select
    o.id, event_id, emit_webhook.type, emit_webhook.booking_id, about_customer, occurred_at,
    to_jsonb(row(
      event_id, emit_webhook.type, 1, occurred_at, row(o.id, o.name)::public.webhook_organization, data
    )::public.webhook_event),
    case when exists (
      select from public.webhook_endpoints as e
      where e.organization_id = o.id and e.is_active and e.includes_personal_data and emit_webhook.type = any (e.events)
    ) then to_jsonb(private.webhook_customer(o.id, emit_webhook.booking_id)) end
  from public.organizations as o
  where o.id = emit_webhook.organization_id and o.status <> 'closed';
  if not found then
    return;
  end if;
  for delivery in
    insert into private.webhook_deliveries (organization_id, endpoint_id, event_id, subject_id)
    select e.organization_id, e.id, event_id, coalesce(emit_webhook.booking_id, about_customer, event_id)
    from public.webhook_endpoints as e
    where e.organization_id = emit_webhook.organization_id
      and e.is_active
      and emit_webhook.type = any (e.events)
    returning id
  loop
    -- A job of its own, under a key that nobody else has: what a venue's endpoints do keeps no booking waiting.
    perform private.enqueue(
      'webhook.deliver', jsonb_build_object('delivery_id', delivery.id), 'webhook.deliver:' || delivery.id,
      emit_webhook.organization_id
    );
  end loop;
end
$$;

comment on function private.emit_webhook is
  'The outbox: writes an event, a delivery for each endpoint that asked for it, and their jobs. The caller holds the booking and asks private.webhook_is_wanted first.';

create function private.tell_booking_webhook()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  type text := 'booking.' || case
    when new.change is not null then 'changed'
    when private.is_undo(new.from_status, new.to_status) then 'undone'
    when new.to_status = 'in_progress' then 'started'
    else new.to_status
  end;
  data public.webhook_data;
begin
  if private.webhook_is_wanted(new.organization_id, type) then
    data.booking := private.webhook_booking(new.organization_id, new.booking_id, new.to_status);
    data.change := new.change;
    perform private.emit_webhook(new.organization_id, type, new.booking_id, data);
  end if;
  return null;
end
$$;

comment on function private.tell_booking_webhook is
  'definer: it runs when a request commits, as whoever made the change. Every line of a booking''s history is an event.';

-- At the end of the transaction: the first line of a booking's history is there before its contact and its price.
create constraint trigger tell_booking_webhook
after insert on public.booking_history
deferrable initially deferred
for each row execute function private.tell_booking_webhook();

create function private.tell_payment_webhook()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  data public.webhook_data;
begin
  if private.webhook_is_wanted(new.organization_id, 'payment.received') then
    data.booking := private.webhook_booking(new.organization_id, new.booking_id, null);
    data.payment := row(new.id, new.method, new.amount_cents, new.currency, new.occurred_at)::public.webhook_payment;
    perform private.emit_webhook(new.organization_id, 'payment.received', new.booking_id, data);
  end if;
  return null;
end
$$;

comment on function private.tell_payment_webhook is
  'definer: it runs when a request commits, as whoever took the money. Every payment of the ledger is an event.';

create constraint trigger tell_payment_webhook
after insert on public.payments
deferrable initially deferred
for each row execute function private.tell_payment_webhook();

create function private.tell_refund_webhook()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  type text := case new.kind when 'reversal' then 'refund.reversed' else 'refund.paid' end;
  data public.webhook_data;
begin
  if private.webhook_is_wanted(new.organization_id, type) then
    data.booking := private.webhook_booking(new.organization_id, new.booking_id, null);
    select row(
      new.id, new.payment_id, new.method, abs(new.amount_cents), new.currency, q.reason, new.occurred_at
    )::public.webhook_refund
    into data.refund
    from private.refund_requests as q
    where q.organization_id = new.organization_id and q.id = new.refund_request_id;
    perform private.emit_webhook(new.organization_id, type, new.booking_id, data);
  end if;
  return null;
end
$$;

comment on function private.tell_refund_webhook is
  'definer: it runs when a request commits, as whoever refunds. Every refund of the ledger and every reversal is an event.';

create constraint trigger tell_refund_webhook
after insert on public.refunds
deferrable initially deferred
for each row execute function private.tell_refund_webhook();

create function private.tell_dispute_webhook()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  type text := case tg_op when 'INSERT' then 'dispute.opened' else 'dispute.changed' end;
  data public.webhook_data;
begin
  if private.webhook_is_wanted(new.organization_id, type) then
    -- Alone of all that tells of a booking, the news of a dispute does not hold it: for its place in the order, and
    -- so that an erasure is either seen here or sees what is written.
    perform from public.bookings as b
    where b.organization_id = new.organization_id and b.id = new.booking_id
    for no key update;
    data.booking := private.webhook_booking(new.organization_id, new.booking_id, null);
    data.dispute := row(
      new.id, new.payment_id, new.status, new.reason, new.amount_cents, new.currency, new.respond_by
    )::public.webhook_dispute;
    perform private.emit_webhook(new.organization_id, type, new.booking_id, data);
  end if;
  return null;
end
$$;

comment on function private.tell_dispute_webhook is
  'definer: it runs when a request commits, as the service. A dispute that opens or changes its state is an event.';

create constraint trigger tell_new_dispute_webhook
after insert on public.disputes
deferrable initially deferred
for each row execute function private.tell_dispute_webhook();

create constraint trigger tell_dispute_webhook
after update of status on public.disputes
deferrable initially deferred
for each row when (new.status <> old.status)
execute function private.tell_dispute_webhook();

create function private.tell_erasure_webhook()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  data public.webhook_data;
begin
  if private.webhook_is_wanted(new.organization_id, 'customer.erased') then
    data.erasure := row(
      new.id,
      array(
        select m.merged_id
        from private.customer_merges as m
        where m.organization_id = new.organization_id and m.customer_id = new.id
        order by m.merged_id
      ),
      array(
        select b.id
        from public.bookings as b
        where b.organization_id = new.organization_id and b.customer_id = new.id
        order by b.id
      )
    )::public.webhook_erasure;
    perform private.emit_webhook(new.organization_id, 'customer.erased', null, data);
  end if;
  return null;
end
$$;

comment on function private.tell_erasure_webhook is
  'definer: it runs when a request commits, as whoever erased the customer. Whoever was told of a person is told to forget.';

create constraint trigger tell_erasure_webhook
after update of erased_at on public.customers
deferrable initially deferred
for each row when (new.erased_at is not null and old.erased_at is null)
execute function private.tell_erasure_webhook();

create function private.tell_result_webhook()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  type text := 'result.' || case tg_op when 'INSERT' then 'recorded' when 'UPDATE' then 'changed' else 'withdrawn' end;
  result public.game_results := case tg_op when 'DELETE' then old else new end;
  data public.webhook_data;
begin
  if private.webhook_is_wanted(result.organization_id, type) then
    data.booking := private.webhook_booking(result.organization_id, result.booking_id, null);
    if (data.booking).id is null then
      return null; -- it goes with its booking
    end if;
    data.result := row(
      result.outcome, result.escape_seconds, result.duration_seconds, result.pauses, result.hints, result.played_at,
      result.language, result.level, result.is_by_hand, result.is_public
    )::public.webhook_result;
    perform private.emit_webhook(result.organization_id, type, result.booking_id, data);
  end if;
  return null;
end
$$;

comment on function private.tell_result_webhook is
  'definer: it runs when a request commits, as whoever ended the game, corrected its result or took back its end. Whoever writes what a result''s event tells holds the booking.';

create constraint trigger tell_new_result_webhook
after insert or delete on public.game_results
deferrable initially deferred
for each row execute function private.tell_result_webhook();

create constraint trigger tell_result_webhook
after update of outcome, escape_seconds, hints, is_by_hand, is_public on public.game_results
deferrable initially deferred
for each row when (
  (new.outcome, new.escape_seconds, new.hints, new.is_by_hand, new.is_public)
  is distinct from (old.outcome, old.escape_seconds, old.hints, old.is_by_hand, old.is_public)
)
execute function private.tell_result_webhook();

-- =============================================================================
-- sql/83_webhooks/040_deliveries.sql
-- =============================================================================

-- Delivering: what the worker reads and reports, when it tries again, and when an endpoint is given up.

create table private.webhook_attempts (
  organization_id uuid not null,
  delivery_id uuid not null,
  number int not null,
  attempted_at timestamptz not null default now(),
  outcome text not null,
  answer_code int,
  duration_ms int not null,
  constraint webhook_attempts_pkey primary key (organization_id, delivery_id, number),
  constraint webhook_attempts_delivery_fkey foreign key (organization_id, delivery_id)
  references private.webhook_deliveries (organization_id, id) on delete cascade,
  constraint webhook_attempts_outcome_is_known check (
    outcome in ('delivered', 'refused', 'redirected', 'timed_out', 'unreachable', 'address_refused')
  ),
  constraint webhook_attempts_answer_code_is_http check (answer_code between 100 and 999),
  constraint webhook_attempts_duration_is_not_negative check (duration_ms >= 0)
);

comment on table private.webhook_attempts is 'The log of deliveries: each attempt with its outcome. Nothing of the answer is kept but its code.';
comment on column private.webhook_attempts.number is 'Counts from 1 for each delivery.';
comment on column private.webhook_attempts.outcome is
  'delivered (2xx); refused (any other answer); redirected (3xx, not followed); timed_out (10 s); unreachable (no name, no connection, no TLS, no HTTP); address_refused (the name leads to a private address).';
comment on column private.webhook_attempts.answer_code is 'HTTP''s; null: there was no answer.';

insert into private.job_kinds (kind, rank, share_limit, total_limit, description)
-- An endpoint may hang for ten seconds: of all slots only some hang with it.
values ('webhook.deliver', 1, 2, 3, 'Posts an event to a venue''s own program')
on conflict (kind) do update
set rank = excluded.rank,
  share_limit = excluded.share_limit,
  total_limit = excluded.total_limit,
  description = excluded.description;

create function private.webhook_pause(tries int)
returns interval
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- 71.6 hours in all: the last attempt is within the three days.
  return (array['5 s', '1 min', '5 min', '30 min', '2 h', '5 h', '10 h', '14 h', '18 h', '22 h']::interval [])[tries];
end
$$;

comment on function private.webhook_pause is 'How long a delivery waits after so many failed attempts; null: it is given up.';

create type service.prepared_webhook as (
  delivery_id uuid,
  event_id uuid,
  attempt int,
  url text,
  webhook_timestamp text,
  webhook_signature text,
  body text
);

comment on type service.prepared_webhook is 'An event to be posted to an endpoint.';
comment on column service.prepared_webhook.delivery_id is 'The delivery.';
comment on column service.prepared_webhook.event_id is 'The header webhook-id.';
comment on column service.prepared_webhook.attempt is 'Counts from 1.';
comment on column service.prepared_webhook.url is 'Where to.';
comment on column service.prepared_webhook.webhook_timestamp is 'The header of that name: seconds since 1970, now.';
comment on column service.prepared_webhook.webhook_signature is
  'The header of that name: a signature by each secret that counts, the newest first; two while one is being rotated.';
comment on column service.prepared_webhook.body is 'public.webhook_event as JSON, to be sent as it is.';

create function private.webhook_signature(secret text, event_id uuid, webhook_timestamp text, body text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return 'v1,' || encode(
    extensions.hmac(
      convert_to(concat_ws('.', webhook_signature.event_id, webhook_signature.webhook_timestamp, webhook_signature.body), 'UTF8'),
      decode(replace(webhook_signature.secret, 'whsec_', ''), 'base64'),
      'sha256'
    ),
    'base64'
  );
end
$$;

comment on function private.webhook_signature is
  'As Standard Webhooks has it. Signed here, so that a secret never leaves the database: whoever has the service''s key signs no event of their own.';

create function private.is_webhook_of_job(job private.jobs, delivery_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return job.kind = 'webhook.deliver' and exists (
    select from private.webhook_deliveries as own
    join private.webhook_deliveries as d
      on d.organization_id = own.organization_id and d.endpoint_id = own.endpoint_id and d.subject_id = own.subject_id
    where own.organization_id = job.organization_id
      and own.id = (job.payload ->> 'delivery_id')::uuid
      and d.id = is_webhook_of_job.delivery_id
  );
end
$$;

comment on function private.is_webhook_of_job is
  'Whether a job may deliver that: its own delivery, or one about the same booking to the same endpoint.';

create function private.prepare_webhook(job_id bigint, lease_token uuid)
returns service.prepared_webhook
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(prepare_webhook.job_id, prepare_webhook.lease_token);
  next private.webhook_deliveries;
  address text;
  webhook_timestamp text := floor(extract(epoch from clock_timestamp()))::bigint::text;
  prepared service.prepared_webhook;
begin
  perform private.refuse_other_object(job, job.kind = 'webhook.deliver');
  -- The first that waits about the same booking: what happened later is told later.
  select d.* into next
  from private.webhook_deliveries as own
  join private.webhook_deliveries as d
    on d.organization_id = own.organization_id
    and d.endpoint_id = own.endpoint_id
    and d.subject_id = own.subject_id
    and d.status = 'pending'
  where own.organization_id = job.organization_id and own.id = (job.payload ->> 'delivery_id')::uuid
  order by d.position
  limit 1
  for no key update of d;
  if not found or next.next_attempt_at > now() then
    return null;
  end if;
  -- Two jobs find it: the one that has begun sends it.
  if exists (
    select from private.jobs as j
    where j.id = next.sent_by_job and j.id <> job.id and j.status = 'running' and j.run_at > now()
  ) then
    return null;
  end if;
  select e.url into address
  from public.webhook_endpoints as e
  join private.webhook_states as s on s.organization_id = e.organization_id and s.endpoint_id = e.id
  join public.organizations as o on o.id = e.organization_id
  where e.organization_id = next.organization_id
    and e.id = next.endpoint_id
    and e.is_active
    and coalesce(s.paused_until <= now(), true)
    and o.status <> 'closed';
  if not found then
    return null;
  end if;
  update private.webhook_deliveries as d
  set sent_by_job = job.id
  where d.organization_id = next.organization_id and d.id = next.id;
  select
    next.id, v.id, next.attempts + 1, address,
    webhook_timestamp,
    (
      select string_agg(
        private.webhook_signature(s.secret, v.id, webhook_timestamp, b.body), ' '
        order by s.expires_at is null desc, s.created_at desc
      )
      from private.webhook_secrets as s
      where s.organization_id = next.organization_id
        and s.endpoint_id = next.endpoint_id
        and coalesce(s.expires_at > now(), true)
    ),
    b.body
  into prepared
  from private.webhook_events as v
  join public.webhook_endpoints as e on e.organization_id = v.organization_id and e.id = next.endpoint_id
  cross join lateral (
    select case
      when e.includes_personal_data and v.personal is not null then jsonb_set(v.event, '{data,customer}', v.personal)
      else v.event
    end::text as body
  ) as b
  where v.organization_id = next.organization_id and v.id = next.event_id;
  return prepared;
end
$$;

comment on function private.prepare_webhook is 'definer: the service may read no table, and nobody may read secrets.';
grant execute on function private.prepare_webhook to service_role;

create function service.prepare_webhook(job_id bigint, lease_token uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select to_jsonb(private.prepare_webhook(job_id, lease_token)) $$;

comment on function service.prepare_webhook is
  'What a claimed job of kind webhook.deliver is to post now: the first event that waits for its endpoint about its booking. null when there is nothing to do: delivered, not yet due, with another job, or the endpoint is paused or not active. To be asked for again after each delivery. Answers service.prepared_webhook or null. Errors: 409 lease_lost, lease_of_another.';
grant execute on function service.prepare_webhook to service_role;

create function private.announce_disabled_webhook(endpoint public.webhook_endpoints)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'webhook_disabled', 'organization_id', endpoint.organization_id,
      'endpoint_id', endpoint.id, 'disabled_at', endpoint.disabled_at, 'user_id', m.user_id
    ),
    concat_ws(':', 'webhook_disabled', endpoint.id, extract(epoch from endpoint.disabled_at), m.user_id),
    endpoint.organization_id
  )
  from private.active_memberships as m
  join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
  where m.organization_id = endpoint.organization_id
    and m.expires_at is null
    and r.key in ('owner', 'admin');
end
$$;

comment on function private.announce_disabled_webhook is
  'The outbox: an endpoint that was given up writes a mail to each owner and administrator in the same transaction.';

create function private.webhook_disabled_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', f.locale,
      'to', jsonb_build_object('name', f.full_name, 'email', f.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'endpoint_name', e.name,
        -- The path and the query may be what lets somebody in there.
        'host', substring(e.url from '^https?://([^/?]+)'),
        'gone', e.disabled_reason = 'gone',
        'disabled_at', e.disabled_at,
        'timezone', o.timezone
      )
    )
    from public.webhook_endpoints as e
    join public.organizations as o on o.id = e.organization_id
    join private.active_memberships as m on m.organization_id = e.organization_id
    join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
    join public.profiles as f on f.user_id = m.user_id
    where e.organization_id = webhook_disabled_content.organization_id
      and e.id = (cause ->> 'endpoint_id')::uuid
      and e.disabled_at = (cause ->> 'disabled_at')::timestamptz
      and r.key in ('owner', 'admin')
      and o.status <> 'closed'
      and m.user_id = (cause ->> 'user_id')::uuid
  );
end
$$;

comment on function private.webhook_disabled_content is
  'What the mail says that tells of an endpoint that was given up; null when it is switched on again, or whoever it is for has left.';

select private.email_template_upsert('webhook_disabled', 'webhook_disabled_content');

create type service.recorded_webhook as (
  status text,
  endpoint_disabled boolean
);

comment on type service.recorded_webhook is 'What an attempt made of a delivery.';
comment on column service.recorded_webhook.status is 'one of: pending, delivered, failed';
comment on column service.recorded_webhook.endpoint_disabled is 'Whether the endpoint was given up with it.';

create function private.record_webhook(
  job_id bigint,
  lease_token uuid,
  delivery_id uuid,
  attempt int,
  outcome text,
  answer_code int,
  duration_ms int
)
returns service.recorded_webhook
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(record_webhook.job_id, record_webhook.lease_token);
  delivery private.webhook_deliveries;
  arrived boolean := record_webhook.outcome = 'delivered';
  -- It hangs or asks for patience. One that refuses an event at once holds up nobody.
  is_tired boolean := not arrived and coalesce(record_webhook.answer_code in (429, 502, 503, 504), true);
  pause interval;
  given_up boolean;
  last_success timestamptz;
  endpoint public.webhook_endpoints;
begin
  perform private.refuse_other_object(job, private.is_webhook_of_job(job, record_webhook.delivery_id));
  perform private.act_as('system', null);
  select d.* into delivery
  from private.webhook_deliveries as d
  where d.organization_id = job.organization_id and d.id = record_webhook.delivery_id
  for no key update;
  insert into private.webhook_attempts (organization_id, delivery_id, number, outcome, answer_code, duration_ms)
  values (
    delivery.organization_id, delivery.id, record_webhook.attempt, record_webhook.outcome, record_webhook.answer_code,
    greatest(record_webhook.duration_ms, 0)
  )
  on conflict on constraint webhook_attempts_pkey do nothing;
  if not found then
    -- Reported before; the answer was lost.
    return row(delivery.status, false)::service.recorded_webhook;
  end if;

  update private.webhook_states as s
  set failures = case when is_tired then s.failures + 1 else 0 end,
    last_success_at = case when arrived then now() else s.last_success_at end,
    paused_until = case
      when is_tired and s.failures >= 2
        then now() + least(interval '30 s' * 2 ^ least(s.failures - 2, 10), interval '1 h')
    end
  where s.organization_id = delivery.organization_id and s.endpoint_id = delivery.endpoint_id
  returning s.last_success_at into last_success;

  pause := private.webhook_pause(delivery.tries + 1);
  given_up := not arrived and (
    record_webhook.answer_code = 410
    or pause is null
    or now() + pause > delivery.queued_at + interval '3 days'
  );
  update private.webhook_deliveries as d
  set status = case when arrived then 'delivered' when given_up then 'failed' else 'pending' end,
    tries = d.tries + 1,
    attempts = greatest(d.attempts + 1, record_webhook.attempt),
    last_attempt_at = now(),
    next_attempt_at = now() + coalesce(pause, interval '0'),
    sent_by_job = null
  where d.organization_id = delivery.organization_id and d.id = delivery.id
  returning d.* into delivery;

  -- Nothing arrived there in all that time, or it wants nothing any more.
  if given_up and (record_webhook.answer_code = 410 or coalesce(last_success < delivery.queued_at, true)) then
    update public.webhook_endpoints as e
    set is_active = false,
      disabled_at = now(),
      disabled_reason = case when record_webhook.answer_code = 410 then 'gone' else 'failing' end
    where e.organization_id = delivery.organization_id and e.id = delivery.endpoint_id and e.is_active
    returning e.* into endpoint;
    if found then
      update private.webhook_deliveries as d
      set status = 'failed'
      where d.organization_id = endpoint.organization_id and d.endpoint_id = endpoint.id and d.status = 'pending';
      perform private.announce_disabled_webhook(endpoint);
    end if;
  end if;
  return row(delivery.status, endpoint.id is not null)::service.recorded_webhook;
end
$$;

comment on function private.record_webhook is 'definer: the service may write no table.';
grant execute on function private.record_webhook to service_role;

create function service.record_webhook(
  job_id bigint,
  lease_token uuid,
  delivery_id uuid,
  attempt int,
  outcome text,
  answer_code int,
  duration_ms int
)
returns service.recorded_webhook
language sql
volatile
set search_path = ''
as $$
  select private.record_webhook(job_id, lease_token, delivery_id, attempt, outcome, answer_code, duration_ms)
$$;

comment on function service.record_webhook is
  'Reports an attempt that service.prepare_webhook prepared, with that answer''s delivery and attempt; outcome as in private.webhook_attempts; answer_code null without an answer. What failed is tried again after a growing pause, for three days; an endpoint to which nothing came in that time, or that answers 410, is switched off, and its owners are told. Errors: 409 lease_lost, lease_of_another.';
grant execute on function service.record_webhook to service_role;

create function private.queue_due_webhooks()
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  due record;
  queued int := 0;
begin
  for due in
    select d.organization_id, d.id
    from private.webhook_states as s
    join public.webhook_endpoints as e on e.organization_id = s.organization_id and e.id = s.endpoint_id and e.is_active
    cross join lateral (
      select w.organization_id, w.id
      from private.webhook_deliveries as w
      where w.organization_id = s.organization_id
        and w.endpoint_id = s.endpoint_id
        and w.status = 'pending'
        and w.next_attempt_at <= now()
        and not exists (
          select from private.webhook_deliveries as earlier
          where earlier.organization_id = w.organization_id
            and earlier.endpoint_id = w.endpoint_id
            and earlier.subject_id = w.subject_id
            and earlier.status = 'pending'
            and earlier.position < w.position
        )
        and not exists (
          select from private.jobs as j
          where j.kind = 'webhook.deliver'
            and j.dedupe_key = 'webhook.deliver:' || w.id
            and j.status in ('queued', 'running')
        )
      order by w.next_attempt_at
      limit 20
    ) as d
    where coalesce(s.paused_until <= now(), true)
    -- In the order in which a replay writes them, too.
    order by d.id
    limit 500
  loop
    perform private.enqueue(
      'webhook.deliver', jsonb_build_object('delivery_id', due.id), 'webhook.deliver:' || due.id, due.organization_id
    );
    queued := queued + 1;
  end loop;
  return queued;
end
$$;

comment on function private.queue_due_webhooks is
  'Queues what is to be tried again, and what waited for something earlier: at most 20 an endpoint and 500 in all.';

create function private.forget_webhooks(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  forgotten int;
begin
  delete from private.webhook_events as v
  where (v.organization_id, v.id) in (
    select old.organization_id, old.id
    from private.webhook_events as old
    where old.created_at < now() - (select make_interval(days => s.log_days) from private.webhook_settings as s)
    order by old.created_at
    limit forget_webhooks.max
    for update skip locked
  );
  get diagnostics forgotten = row_count;
  return forgotten;
end
$$;

comment on function private.forget_webhooks is
  'Deletes at most so many events that are older than webhook_settings.log_days, with their deliveries, and returns how many.';

-- =============================================================================
-- sql/83_webhooks/050_log.sql
-- =============================================================================

-- What became of deliveries, for those who keep the endpoint, and how they have some of them again.

create type public.webhook_delivery as (
  id uuid,
  endpoint_id uuid,
  event_id uuid,
  event_type text,
  booking_id uuid,
  occurred_at timestamptz,
  status text,
  attempts int,
  last_attempt_at timestamptz,
  last_outcome text,
  last_answer_code int,
  last_duration_ms int,
  next_attempt_at timestamptz
);

comment on type public.webhook_delivery is 'An event for a webhook endpoint, and how far it has come.';
comment on column public.webhook_delivery.id is 'By which it is looked at and delivered again.';
comment on column public.webhook_delivery.endpoint_id is 'The endpoint.';
comment on column public.webhook_delivery.event_id is 'The header webhook-id.';
comment on column public.webhook_delivery.event_type is 'As in webhook_event.type.';
comment on column public.webhook_delivery.booking_id is 'What it is about; null: of customer.erased.';
comment on column public.webhook_delivery.occurred_at is 'When it happened.';
comment on column public.webhook_delivery.status is
  'pending: it is tried, or waits for an earlier one about its booking; failed: given up. one of: pending, delivered, failed';
comment on column public.webhook_delivery.attempts is 'How often it was posted.';
comment on column public.webhook_delivery.last_attempt_at is 'When it was last posted; null: it was not.';
comment on column public.webhook_delivery.last_outcome is
  'delivered (2xx); refused (any other answer); redirected (3xx, which is not followed); timed_out (10 s); unreachable (no name, connection, TLS or HTTP); address_refused (the name leads to a private address); null: it was not posted. one of: delivered, refused, redirected, timed_out, unreachable, address_refused';
comment on column public.webhook_delivery.last_answer_code is 'HTTP''s; null: there was no answer.';
comment on column public.webhook_delivery.last_duration_ms is 'How long the last attempt took, in milliseconds; null: there was none.';
comment on column public.webhook_delivery.next_attempt_at is 'When it is tried next, at the earliest; null: it is over.';

create type public.webhook_attempt as (
  number int,
  attempted_at timestamptz,
  outcome text,
  answer_code int,
  duration_ms int
);

comment on type public.webhook_attempt is 'One time that an event was posted.';
comment on column public.webhook_attempt.number is 'Counts from 1.';
comment on column public.webhook_attempt.attempted_at is 'When it was over.';
comment on column public.webhook_attempt.outcome is
  'As webhook_delivery.last_outcome. one of: delivered, refused, redirected, timed_out, unreachable, address_refused';
comment on column public.webhook_attempt.answer_code is 'HTTP''s; null: there was no answer.';
comment on column public.webhook_attempt.duration_ms is 'In milliseconds.';

create type public.webhook_delivery_details as (
  delivery public.webhook_delivery,
  attempts public.webhook_attempt [],
  event public.webhook_event
);

comment on type public.webhook_delivery_details is 'A delivery with all attempts and what it carries.';
comment on column public.webhook_delivery_details.delivery is 'The delivery.';
comment on column public.webhook_delivery_details.attempts is 'By time.';
comment on column public.webhook_delivery_details.event is
  'The body. data.customer is shown to whoever holds customers:read, and where the endpoint gets it.';

create function private.show_webhook_delivery(delivery private.webhook_deliveries)
returns public.webhook_delivery
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      delivery.id, delivery.endpoint_id, v.id, v.type, v.booking_id, v.occurred_at, delivery.status, delivery.attempts,
      delivery.last_attempt_at, a.outcome, a.answer_code, a.duration_ms,
      case delivery.status when 'pending' then delivery.next_attempt_at end
    )::public.webhook_delivery
    from private.webhook_events as v
    left join lateral (
      select t.outcome, t.answer_code, t.duration_ms
      from private.webhook_attempts as t
      where t.organization_id = delivery.organization_id and t.delivery_id = delivery.id
      order by t.number desc
      limit 1
    ) as a on true
    where v.organization_id = delivery.organization_id and v.id = delivery.event_id
  );
end
$$;

comment on function private.show_webhook_delivery is 'A delivery as clients see it.';

create function private.require_webhook_endpoint(organization_id uuid, endpoint_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not exists (
    select from public.webhook_endpoints as e
    where e.organization_id = require_webhook_endpoint.organization_id and e.id = require_webhook_endpoint.endpoint_id
  ) then
    perform private.fail('webhook_endpoint_not_found', 404, 'Choose one of the organization''s webhook endpoints.');
  end if;
end
$$;

comment on function private.require_webhook_endpoint is 'Raises 404 webhook_endpoint_not_found.';

create function private.list_webhook_deliveries(
  organization_id uuid,
  endpoint_id uuid,
  status text,
  before_id uuid
)
returns setof public.webhook_delivery
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  perform private.require_permission(list_webhook_deliveries.organization_id, 'webhooks:read');
  perform private.require_webhook_endpoint(list_webhook_deliveries.organization_id, list_webhook_deliveries.endpoint_id);
  return query
  select (private.show_webhook_delivery(d)).*
  from (
    select w as d
    from private.webhook_deliveries as w
    where w.organization_id = list_webhook_deliveries.organization_id
      and w.endpoint_id = list_webhook_deliveries.endpoint_id
      and (list_webhook_deliveries.status is null or w.status = list_webhook_deliveries.status)
      and (
        list_webhook_deliveries.before_id is null
        or w.position < (
          select b.position
          from private.webhook_deliveries as b
          where b.organization_id = list_webhook_deliveries.organization_id
            and b.id = list_webhook_deliveries.before_id
        )
      )
    order by w.position desc
    limit 100
  ) as page;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.list_webhook_deliveries is 'definer: the outbox is visible to nobody.';
grant execute on function private.list_webhook_deliveries to authenticated;

create function public.list_webhook_deliveries(
  organization_id uuid,
  endpoint_id uuid,
  status text default null,
  before_id uuid default null
)
returns setof public.webhook_delivery
language sql
stable
set search_path = ''
as $$ select * from private.list_webhook_deliveries(organization_id, endpoint_id, status, before_id) $$;

comment on function public.list_webhook_deliveries is
  'What was posted to an endpoint and what waits for it, newest first, 100 at most; status: only these; before_id: the last one of the page before. Kept for some weeks (webhook_settings.log_days). For members with webhooks:read. Errors: 403 permission_denied; 404 webhook_endpoint_not_found.';
grant execute on function public.list_webhook_deliveries to authenticated;

create function private.get_webhook_delivery(organization_id uuid, delivery_id uuid)
returns public.webhook_delivery_details
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  found_delivery private.webhook_deliveries;
  shows_person boolean;
begin
  perform private.require_permission(get_webhook_delivery.organization_id, 'webhooks:read');
  select d.* into found_delivery
  from private.webhook_deliveries as d
  where d.organization_id = get_webhook_delivery.organization_id and d.id = get_webhook_delivery.delivery_id;
  if not found then
    perform private.fail('webhook_delivery_not_found', 404, 'Choose a delivery that the log still has.');
  end if;
  shows_person := private.has_permission(get_webhook_delivery.organization_id, 'customers:read');
  return (
    select row(
      private.show_webhook_delivery(found_delivery),
      array(
        select row(a.number, a.attempted_at, a.outcome, a.answer_code, a.duration_ms)::public.webhook_attempt
        from private.webhook_attempts as a
        where a.organization_id = found_delivery.organization_id and a.delivery_id = found_delivery.id
        order by a.number
      ),
      jsonb_populate_record(
        null::public.webhook_event,
        case when shows_person and e.includes_personal_data and v.personal is not null
          then jsonb_set(v.event, '{data,customer}', v.personal) else v.event end
      )
    )::public.webhook_delivery_details
    from private.webhook_events as v
    join public.webhook_endpoints as e on e.organization_id = v.organization_id and e.id = found_delivery.endpoint_id
    where v.organization_id = found_delivery.organization_id and v.id = found_delivery.event_id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_webhook_delivery is 'definer: the outbox is visible to nobody.';
grant execute on function private.get_webhook_delivery to authenticated;

create function public.get_webhook_delivery(organization_id uuid, delivery_id uuid)
returns public.webhook_delivery_details
language sql
stable
set search_path = ''
as $$ select private.get_webhook_delivery(organization_id, delivery_id) $$;

comment on function public.get_webhook_delivery is
  'A delivery with its attempts and the body that it carries. For members with webhooks:read; the person in it takes customers:read. Errors: 403 permission_denied; 404 webhook_delivery_not_found.';
grant execute on function public.get_webhook_delivery to authenticated;

create type public.webhook_replay as (
  queued int,
  remaining int
);

comment on type public.webhook_replay is 'How many deliveries are made once more.';
comment on column public.webhook_replay.queued is 'So many are on their way.';
comment on column public.webhook_replay.remaining is 'So many of the period are left: ask again from the last one on.';

create function private.replay_webhooks(organization_id uuid, endpoint_id uuid, delivery_ids uuid [])
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  delivery_id uuid;
  queued int := 0;
begin
  perform private.require_webhook_endpoint(replay_webhooks.organization_id, replay_webhooks.endpoint_id);
  if not exists (
    select from public.webhook_endpoints as e
    where e.organization_id = replay_webhooks.organization_id and e.id = replay_webhooks.endpoint_id and e.is_active
  ) then
    perform private.fail('webhook_endpoint_disabled', 409, 'Switch the endpoint on first.');
  end if;
  -- In the order in which private.queue_due_webhooks writes jobs, too.
  for delivery_id in select distinct w.id from unnest(replay_webhooks.delivery_ids) as w (id) order by w.id
  loop
    update private.webhook_deliveries as d
    set status = 'pending',
      queued_at = now(),
      tries = 0,
      next_attempt_at = now()
    where d.organization_id = replay_webhooks.organization_id and d.id = delivery_id;
    perform private.enqueue(
      'webhook.deliver', jsonb_build_object('delivery_id', delivery_id), 'webhook.deliver:' || delivery_id,
      replay_webhooks.organization_id
    );
    queued := queued + 1;
  end loop;
  return queued;
end
$$;

comment on function private.replay_webhooks is
  'Delivers once more, whatever became of them. Raises 404 webhook_endpoint_not_found, 409 webhook_endpoint_disabled.';

create function private.replay_webhook_delivery(organization_id uuid, delivery_id uuid)
returns public.webhook_replay
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  endpoint_id uuid;
begin
  perform private.require_permission(replay_webhook_delivery.organization_id, 'webhooks:manage');
  select d.endpoint_id into endpoint_id
  from private.webhook_deliveries as d
  where d.organization_id = replay_webhook_delivery.organization_id and d.id = replay_webhook_delivery.delivery_id;
  if not found then
    perform private.fail('webhook_delivery_not_found', 404, 'Choose a delivery that the log still has.');
  end if;
  return row(
    private.replay_webhooks(
      replay_webhook_delivery.organization_id, endpoint_id, array[replay_webhook_delivery.delivery_id]
    ),
    0
  )::public.webhook_replay;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.replay_webhook_delivery is 'definer: writes the outbox, which no client may write.';
grant execute on function private.replay_webhook_delivery to authenticated;

create function public.replay_webhook_delivery(organization_id uuid, delivery_id uuid)
returns public.webhook_replay
language sql
volatile
set search_path = ''
as $$ select private.replay_webhook_delivery(organization_id, delivery_id) $$;

comment on function public.replay_webhook_delivery is
  'Posts an event to its endpoint once more, whether or not it arrived, with the same webhook-id; one that waits is tried now. For members with webhooks:manage. Errors: 403 permission_denied, organization_suspended; 404 webhook_delivery_not_found, webhook_endpoint_not_found; 409 webhook_endpoint_disabled.';
grant execute on function public.replay_webhook_delivery to authenticated;

create function private.replay_webhook_period(
  organization_id uuid,
  endpoint_id uuid,
  from_time timestamptz,
  until_time timestamptz,
  only_failed boolean
)
returns public.webhook_replay
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  wanted uuid [];
begin
  perform private.require_permission(replay_webhook_period.organization_id, 'webhooks:manage');
  wanted := array(
    select d.id
    from private.webhook_deliveries as d
    join private.webhook_events as v on v.organization_id = d.organization_id and v.id = d.event_id
    where d.organization_id = replay_webhook_period.organization_id
      and d.endpoint_id = replay_webhook_period.endpoint_id
      and v.occurred_at >= replay_webhook_period.from_time
      and v.occurred_at < coalesce(replay_webhook_period.until_time, 'infinity')
      and (d.status = 'failed' or d.status = 'delivered' and replay_webhook_period.only_failed is not true)
    order by d.position
  );
  return row(
    private.replay_webhooks(
      replay_webhook_period.organization_id, replay_webhook_period.endpoint_id, wanted[:1000]
    ),
    greatest(cardinality(wanted) - 1000, 0)
  )::public.webhook_replay;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.replay_webhook_period is 'definer: writes the outbox, which no client may write.';
grant execute on function private.replay_webhook_period to authenticated;

create function public.replay_webhook_period(
  organization_id uuid,
  endpoint_id uuid,
  from_time timestamptz,
  until_time timestamptz default null,
  only_failed boolean default false
)
returns public.webhook_replay
language sql
volatile
set search_path = ''
as $$ select private.replay_webhook_period(organization_id, endpoint_id, from_time, until_time, only_failed) $$;

comment on function public.replay_webhook_period is
  'Posts the events of a period to an endpoint once more, the oldest first and 1000 at most, those of a booking in their order and with their webhook-id: all of them, or only_failed. until_time: before then; null: until now. For members with webhooks:manage. Errors: 403 permission_denied, organization_suspended; 404 webhook_endpoint_not_found; 409 webhook_endpoint_disabled.';
grant execute on function public.replay_webhook_period to authenticated;

-- =============================================================================
-- sql/85_feeds/010_calendar_feeds.sql
-- =============================================================================

-- Calendar feeds: sessions of a venue, of a room or of a game master for a calendar program, by a
-- secret address.

create table public.calendar_feeds (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  name text not null,
  room_id uuid,
  user_id uuid,
  created_by uuid,
  support_entry_id uuid,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  constraint calendar_feeds_pkey primary key (organization_id, id),
  constraint calendar_feeds_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint calendar_feeds_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  -- Whoever leaves takes the feed along: coming back does not open it again.
  constraint calendar_feeds_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete cascade,
  constraint calendar_feeds_created_by_fkey foreign key (created_by) references public.profiles (user_id) on delete set null,
  constraint calendar_feeds_support_entry_fkey foreign key (organization_id, support_entry_id)
  references public.support_entries (organization_id, id) on delete cascade,
  constraint calendar_feeds_name_is_a_name check (private.is_name(name, 120))
);

comment on table public.calendar_feeds is 'Who was given a feed of the venue''s sessions, of all or of some. Made and revoked through functions only; the token is kept elsewhere, as a hash.';
comment on column public.calendar_feeds.name is 'What the venue calls it, such as the calendar that subscribes.';
comment on column public.calendar_feeds.room_id is 'Only this room''s sessions; null: of every room.';
comment on column public.calendar_feeds.user_id is 'Only the sessions that this member runs; null: all. It opens while the membership is active.';
comment on column public.calendar_feeds.created_by is 'Null for an API key, and once the account is deleted.';
comment on column public.calendar_feeds.support_entry_id is 'The visit of the platform''s support that made it, and with which it ends; null: made by a member.';
comment on column public.calendar_feeds.revoked_at is 'From then on the token opens nothing.';

-- for: the foreign key, when a room is deleted
create index calendar_feeds_room_id_idx on public.calendar_feeds (organization_id, room_id);
-- for: a member's own feeds, and the foreign key
create index calendar_feeds_user_id_idx on public.calendar_feeds (organization_id, user_id);

-- for: what a person left open, and the foreign key
create index calendar_feeds_created_by_idx on public.calendar_feeds (created_by);
-- for: the foreign key
create index calendar_feeds_support_entry_id_idx on public.calendar_feeds (organization_id, support_entry_id);

grant select on public.calendar_feeds to authenticated;

alter table public.calendar_feeds enable row level security;

create trigger calendar_feeds_clean_names
before insert or update of name on public.calendar_feeds
for each row execute function private.clean_texts('names', 'name');

create policy calendar_feeds_select on public.calendar_feeds
for select to authenticated
using (organization_id = (select private.organization_with('calendars:read')));

create table private.calendar_feed_secrets (
  organization_id uuid not null,
  feed_id uuid not null,
  token_hash bytea not null,
  constraint calendar_feed_secrets_pkey primary key (organization_id, feed_id),
  constraint calendar_feed_secrets_feed_fkey foreign key (organization_id, feed_id)
  references public.calendar_feeds (organization_id, id) on delete cascade,
  constraint calendar_feed_secrets_token_hash_key unique (token_hash)
);

comment on table private.calendar_feed_secrets is
  'Hash of each feed''s token. Found by hash on the whole platform: the token is all that a subscriber brings.';

create function private.create_calendar_feed(organization_id uuid, name text, room_id uuid, user_id uuid)
returns public.issued_token
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  token text := private.random_token();
  feed_id uuid;
begin
  if not private.acts_for_oneself(create_calendar_feed.organization_id, create_calendar_feed.user_id) then
    perform private.require_permission(create_calendar_feed.organization_id, 'calendars:manage');
  end if;
  if private.is_name(private.clean_text(create_calendar_feed.name), 120) is not true then
    perform private.fail('name_invalid', 422, 'Give the feed a name of 1 to 120 characters.');
  elsif create_calendar_feed.room_id is not null and not exists (
    select from public.rooms as r
    where r.organization_id = create_calendar_feed.organization_id and r.id = create_calendar_feed.room_id
  ) then
    perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
  end if;
  if create_calendar_feed.user_id is not null then
    perform private.lock_member(create_calendar_feed.organization_id, create_calendar_feed.user_id);
  end if;
  insert into public.calendar_feeds (organization_id, name, room_id, user_id, created_by, support_entry_id)
  values (
    create_calendar_feed.organization_id, create_calendar_feed.name, create_calendar_feed.room_id,
    create_calendar_feed.user_id, private.calling_person(), private.current_visit(create_calendar_feed.organization_id)
  )
  returning id into feed_id;
  insert into private.calendar_feed_secrets (organization_id, feed_id, token_hash)
  values (create_calendar_feed.organization_id, feed_id, private.token_hash(token));
  return row(feed_id, token)::public.issued_token;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_calendar_feed is
  'definer: writes the token''s hash, which no client may see. Asks for calendars:manage, or for bookings:claim where it is one''s own.';
grant execute on function private.create_calendar_feed to authenticated;

create function public.create_calendar_feed(
  organization_id uuid,
  name text,
  room_id uuid default null,
  user_id uuid default null
)
returns public.issued_token
language sql
volatile
set search_path = ''
as $$ select private.create_calendar_feed(organization_id, name, room_id, user_id) $$;

comment on function public.create_calendar_feed is
  'Opens a feed: of the venue, of one room (room_id), of the sessions that a member runs (user_id), or of those in that room. The token is shown this once. Made in a visit of the platform''s support, it ends with the visit. For members with calendars:manage; of one''s own sessions (user_id: the caller) bookings:claim suffices. Errors: 403 permission_denied, organization_suspended; 404 room_not_found, member_not_found (also when suspended); 422 name_invalid.';
grant execute on function public.create_calendar_feed to authenticated;

create function private.revoke_calendar_feed(organization_id uuid, feed_id uuid)
returns public.revoked_token
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  revoked timestamptz;
  feed_user_id uuid := (
    select f.user_id
    from public.calendar_feeds as f
    where f.organization_id = revoke_calendar_feed.organization_id and f.id = revoke_calendar_feed.feed_id
  );
begin
  if not private.acts_for_oneself(revoke_calendar_feed.organization_id, feed_user_id) then
    perform private.require_permission(revoke_calendar_feed.organization_id, 'calendars:manage');
  end if;
  update public.calendar_feeds as f
  set revoked_at = coalesce(f.revoked_at, now())
  where f.organization_id = revoke_calendar_feed.organization_id and f.id = revoke_calendar_feed.feed_id
  returning f.revoked_at into revoked;
  if not found then
    perform private.fail('feed_not_found', 404, 'Check the id: the organization has no such feed.');
  end if;
  return row(revoke_calendar_feed.feed_id, revoked)::public.revoked_token;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.revoke_calendar_feed is
  'definer: writes revoked_at, which clients may not write. Asks for calendars:manage, or for bookings:claim where it is one''s own.';
grant execute on function private.revoke_calendar_feed to authenticated;

create function public.revoke_calendar_feed(organization_id uuid, feed_id uuid)
returns public.revoked_token
language sql
volatile
set search_path = ''
as $$ select private.revoke_calendar_feed(organization_id, feed_id) $$;

comment on function public.revoke_calendar_feed is
  'Closes a feed for good, from the next request on. For members with calendars:manage; for the feed of one''s own sessions bookings:claim suffices. Errors: 403 permission_denied, organization_suspended; 404 feed_not_found.';
grant execute on function public.revoke_calendar_feed to authenticated;

create type public.feed_session as (
  uid uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  room_name text,
  location text,
  status text,
  party_size int,
  booking_reference text,
  updated_at timestamptz,
  sequence bigint
);

comment on type public.feed_session is 'A session in a feed; it names no person.';
comment on column public.feed_session.uid is 'The same for ever.';
comment on column public.feed_session.starts_at is 'From when.';
comment on column public.feed_session.ends_at is 'Until when.';
comment on column public.feed_session.room_name is 'As it is called.';
comment on column public.feed_session.location is 'Name and address in one line, as the customer''s own event says it.';
comment on column public.feed_session.status is 'one of: held, confirmed, cancelled, block';
comment on column public.feed_session.party_size is 'People of all bookings; null: of a block.';
comment on column public.feed_session.booking_reference is 'Several, with commas, in a shared session; null: of a block.';
comment on column public.feed_session.updated_at is 'When anything of it last changed.';
comment on column public.feed_session.sequence is 'Grows with every change.';

create type public.calendar_feed as (
  name text,
  timezone text,
  updated_at timestamptz,
  version text,
  sessions public.feed_session []
);

comment on type public.calendar_feed is 'The sessions of a feed: the 2,000 next to now, from 30 days ago on.';
comment on column public.calendar_feed.name is 'Of the feed.';
comment on column public.calendar_feed.timezone is 'The room''s in the feed of a room, else the venue''s; IANA.';
comment on column public.calendar_feed.updated_at is 'When any of the sessions last changed; null: there are none.';
comment on column public.calendar_feed.version is 'A hash of all that is in it.';
comment on column public.calendar_feed.sessions is 'By time, at most 2,000: those since yesterday and to come, the nearest first, then the latest of 30 days.';

create function private.feed_sessions(organization_id uuid, room_id uuid, user_id uuid, most int)
returns uuid []
language plpgsql
stable
set search_path = ''
as $$
declare
  yesterday timestamptz := now() - interval '1 day';
  -- Each in the order of an index that holds nothing else, so that reading ends with the limit, however
  -- many sessions there are: with "room_id is null or …" a plan for all three would read them all.
  listed text := case
    when feed_sessions.user_id is not null then
      'select x.session_id as id, lower(x.during) as starts_at from public.session_staff as x'
      ' where x.organization_id = $1 and x.user_id = $2'
    when feed_sessions.room_id is not null then
      'select s.id, s.starts_at from public.sessions as s where s.organization_id = $1 and s.room_id = $2'
    else 'select s.id, s.starts_at from public.sessions as s where s.organization_id = $1'
  end;
  coming uuid [];
  past uuid [];
begin
  execute format('select array(select t.id from (%s) as t where t.starts_at >= $3 order by t.starts_at limit $4)', listed)
  into coming
  using feed_sessions.organization_id, coalesce(feed_sessions.user_id, feed_sessions.room_id), yesterday, most;
  execute format(
    'select array(select t.id from (%s) as t where t.starts_at >= $3 and t.starts_at < $4 order by t.starts_at desc limit $5)',
    listed
  )
  into past
  using feed_sessions.organization_id, coalesce(feed_sessions.user_id, feed_sessions.room_id),
    now() - interval '30 days', yesterday, most - cardinality(coming);
  return coming || past;
end
$$;

comment on function private.feed_sessions is
  'The sessions that a feed looks at, shown in it or not: those since yesterday and to come, the nearest first, then those of the last 30 days, the latest first; at most so many.';

create function private.get_calendar_feed(token text)
returns public.calendar_feed
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  feed record;
  looked_at uuid [];
  sessions public.feed_session [];
begin
  select f.organization_id, f.id, f.name, f.room_id, f.user_id, coalesce(l.timezone, o.timezone) as timezone
  into feed
  from private.calendar_feed_secrets as s
  join public.calendar_feeds as f on f.organization_id = s.organization_id and f.id = s.feed_id
  join public.organizations as o on o.id = f.organization_id
  left join public.rooms as r on r.organization_id = f.organization_id and r.id = f.room_id
  left join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where s.token_hash = private.token_hash(get_calendar_feed.token)
    and f.revoked_at is null
    and not private.visit_is_over(f.organization_id, f.support_entry_id)
    and (
      f.user_id is null
      or exists (
        select from private.active_memberships as m
        where m.organization_id = f.organization_id and m.user_id = f.user_id
      )
    )
    and o.status <> 'closed';
  -- All subscribers come by the address of the edge function: who has a token is counted by it, and who
  -- guesses takes nothing from them. The look-up before is one step in an index.
  if not found then
    perform private.count_attempt();
    perform private.limit_rate('public_read', 'address', private.client_address());
    perform private.fail('feed_not_found', 404, 'Ask the venue for a new address of its calendar.');
  end if;
  perform private.limit_rate('calendar_feed', 'target', feed.id::text);

  -- 2,000 are a week of 26 rooms with ten games a day, all sold. Five times as many are looked at, since
  -- those that were let go are not shown: 10,000 blocks of 60,000 take 0.03 to 0.09 s and count ten times more.
  looked_at := private.feed_sessions(feed.organization_id, feed.room_id, feed.user_id, 10000);
  perform private.count_attempt(cardinality(looked_at) / 1000);

  -- No person is named: a feed's address travels further than one would like. What was
  -- only held and let go is left out, as if it had never been; a cancelled booking stays,
  -- so that a calendar program takes it down.
  select coalesce(array_agg(shown.session order by (shown.session).starts_at, (shown.session).uid), '{}')
  into sessions
  from (
    select row(
      s.id,
      s.starts_at,
      s.ends_at,
      r.name,
      private.location_line(l),
      case
        when s.mode = 'block' then 'block'
        when s.status = 'cancelled' then 'cancelled'
        when b.confirmed then 'confirmed'
        else 'held'
      end,
      b.party_size,
      b.references,
      greatest(s.updated_at, b.updated_at),
      -- Grows with every change, which is all that RFC 5545 asks of it.
      floor(extract(epoch from greatest(s.updated_at, b.updated_at) - s.created_at))::bigint
    )::public.feed_session as session
    from unnest(looked_at) with ordinality as looked (id, place)
    join public.sessions as s on s.organization_id = feed.organization_id and s.id = looked.id
    join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    cross join lateral (
      select
        sum(k.party_size) filter (where k.counts)::int as party_size,
        string_agg(k.reference, ', ' order by k.reference) filter (where k.counts) as references,
        coalesce(bool_or(k.counts and k.status not in ('held', 'pending')), false) as confirmed,
        coalesce(bool_or(k.counts), false) as any_counts,
        max(k.updated_at) as updated_at
      from (
        select
          q.*,
          -- Of a session that stands its live bookings count, of a cancelled one those that
          -- had been announced.
          case
            when s.status = 'cancelled' then q.status = 'cancelled' and exists (
              select from public.booking_history as h
              where h.organization_id = q.organization_id and h.booking_id = q.id and h.to_status = 'confirmed'
            )
            else q.takes_capacity and coalesce(q.hold_expires_at > now(), true)
          end as counts
        from public.bookings as q
        where q.organization_id = s.organization_id and q.session_id = s.id
      ) as k
    ) as b
    -- Of a member's feed what the member no longer runs is gone at the next look, cancelled or given to
    -- somebody else; and so is a block that was lifted.
    where (feed.room_id is null or s.room_id = feed.room_id)
      and (b.any_counts or s.mode = 'block' and s.status = 'scheduled')
    order by looked.place
    limit 2000
  ) as shown;

  return row(
    feed.name,
    feed.timezone,
    (select max(e.updated_at) from unnest(sessions) as e),
    encode(sha256(convert_to(concat_ws(' ', feed.name, feed.timezone, sessions), 'UTF8')), 'hex'),
    sessions
  )::public.calendar_feed;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_calendar_feed is
  'definer: anonymous callers may read no table. The token decides what is shown.';
grant execute on function private.get_calendar_feed to anon, authenticated;

create function public.get_calendar_feed(token text)
returns public.calendar_feed
language sql
volatile
set search_path = ''
as $$ select private.get_calendar_feed(token) $$;

comment on function public.get_calendar_feed is
  'The sessions of a feed, at most 2,000: those since yesterday and to come, the nearest first, then those of the last 30 days, the latest first (answered by time). It looks at 10,000 at most, and counts in the rate limit of its caller''s address once for each 1,000; a feed may be read 60 times a minute. timezone: the room''s in the feed of a room, else the venue''s. It names no person. For anybody who has the token. Errors: 404 feed_not_found for a token that is wrong or revoked, whose member is suspended or has left, or whose visit is over; 429 rate_limited.';
grant execute on function public.get_calendar_feed to anon, authenticated;

-- =============================================================================
-- sql/85_feeds/020_left_open.sql
-- =============================================================================

-- What somebody made that goes on opening something after they are gone. The organization is shown it
-- and decides: a key may be what the cash desk runs on.

create function private.left_open(organization_id uuid, user_id uuid)
returns setof public.left_open
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select o.kind, o.id, o.name, o.made_by, o.created_at, o.last_used_at, o.expires_at
  from (
    select 'api_key' as kind, k.id, k.name, k.created_by as made_by, k.created_at, k.last_used_at, k.expires_at
    from public.api_keys as k
    where k.organization_id = left_open.organization_id and k.revoked_at is null and k.expires_at > now()
    union all
    select 'calendar_feed', f.id, f.name, f.created_by, f.created_at, null, null
    from public.calendar_feeds as f
    where f.organization_id = left_open.organization_id
      and f.revoked_at is null
      and not private.visit_is_over(f.organization_id, f.support_entry_id)
    union all
    select 'waiver_kiosk', w.id, w.name, w.created_by, w.created_at, null, null
    from public.waiver_kiosks as w
    where w.organization_id = left_open.organization_id
      and w.revoked_at is null
      and not private.visit_is_over(w.organization_id, w.support_entry_id)
    union all
    select 'webhook_endpoint', e.id, e.name, e.created_by, e.created_at, null, null
    from public.webhook_endpoints as e
    where e.organization_id = left_open.organization_id and e.is_active
  ) as o
  where o.made_by = left_open.user_id
    or (
      left_open.user_id is null
      and not exists (
        select from private.active_memberships as m
        where m.organization_id = left_open.organization_id and m.user_id = o.made_by
      )
    )
  order by o.kind, o.created_at, o.id
  limit 1000;
end
$$;

comment on function private.left_open is
  'The keys, feeds, kiosks and webhook endpoints that still open something: of one maker, or of all makers who work here no more; 1000 at most.';

create function private.end_left_open(organization_id uuid, user_id uuid)
returns setof public.left_open
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(end_left_open.organization_id, 'users:manage');
  if end_left_open.user_id is null or exists (
    select from private.active_memberships as m
    where m.organization_id = end_left_open.organization_id and m.user_id = end_left_open.user_id
  ) then
    perform private.fail('member_active', 409, 'Suspend or remove the person first, or revoke singly what they made.');
  end if;
  if private.has_permission(end_left_open.organization_id, 'api_keys:manage') then
    update public.api_keys as k
    set revoked_at = now()
    where k.organization_id = end_left_open.organization_id
      and k.created_by = end_left_open.user_id
      and k.revoked_at is null;
  end if;
  if private.has_permission(end_left_open.organization_id, 'calendars:manage') then
    update public.calendar_feeds as f
    set revoked_at = now()
    where f.organization_id = end_left_open.organization_id
      and f.created_by = end_left_open.user_id
      and f.revoked_at is null;
  end if;
  if private.has_permission(end_left_open.organization_id, 'waivers:manage') then
    update public.waiver_kiosks as w
    set revoked_at = now()
    where w.organization_id = end_left_open.organization_id
      and w.created_by = end_left_open.user_id
      and w.revoked_at is null;
  end if;
  if private.has_permission(end_left_open.organization_id, 'webhooks:manage') then
    update public.webhook_endpoints as e
    set is_active = false
    where e.organization_id = end_left_open.organization_id
      and e.created_by = end_left_open.user_id
      and e.is_active;
  end if;
  return query select l.* from private.left_open(end_left_open.organization_id, end_left_open.user_id) as l;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.end_left_open is
  'definer: writes revoked_at of keys, feeds and kiosks, which clients may not write.';
grant execute on function private.end_left_open to authenticated;

create function public.end_left_open(organization_id uuid, user_id uuid)
returns setof public.left_open
language sql
volatile
set search_path = ''
as $$ select * from private.end_left_open(organization_id, user_id) $$;

comment on function public.end_left_open is
  'Ends all that somebody made who is suspended, or works here no more, and that still opens something: API keys, feeds and kiosks are revoked, webhook endpoints switched off, from the next request on. What a till runs on stops with it, so look at last_used_at of list_left_open first. Answers what is still open: what the caller may not end (api_keys:manage, calendars:manage, waivers:manage, webhooks:manage). Under users:manage. Errors: 403 permission_denied; 409 member_active.';
grant execute on function public.end_left_open to authenticated;

create function private.list_left_open(organization_id uuid, user_id uuid)
returns setof public.left_open
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(list_left_open.organization_id, 'users:manage');
  return query select l.* from private.left_open(list_left_open.organization_id, list_left_open.user_id) as l;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.list_left_open is
  'definer: reads keys, feeds, kiosks and endpoints for a named organization, whose tables each take another permission.';
grant execute on function private.list_left_open to authenticated;

create function public.list_left_open(organization_id uuid, user_id uuid default null)
returns setof public.left_open
language sql
stable
set search_path = ''
as $$ select * from private.list_left_open(organization_id, user_id) $$;

comment on function public.list_left_open is
  'What a person made that still opens something, or, without user_id, what everybody made who is no active member now; 1000 at most, and the rest when these are revoked or, for a webhook endpoint, switched off. Invitations and the feeds of a member''s own sessions end by themselves. Under users:manage. Errors: 403 permission_denied.';
grant execute on function public.list_left_open to authenticated;

-- =============================================================================
-- sql/87_reports/010_exports.sql
-- =============================================================================

-- What an organization takes along, and how its owner closes it.

select private.permission_upsert(
  'organization:close', 'organization', true,
  'Close the organization', 'Cerrar la organización',
  array[]::text [],
  rests_in_visits => true
);
select private.permission_upsert(
  'organization:export', 'organization', false,
  'Export all of the organization''s data', 'Exportar todos los datos de la organización',
  array[]::text [],
  rests_in_visits => true
);

create table public.organization_exports (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  requested_by uuid,
  status text not null default 'queued',
  object_path text,
  row_count bigint,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  constraint organization_exports_pkey primary key (organization_id, id),
  constraint organization_exports_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint organization_exports_requested_by_fkey foreign key (requested_by) references public.profiles (user_id) on delete set null,
  constraint organization_exports_status_is_known check (status in ('queued', 'finished', 'failed')),
  constraint organization_exports_finished_has_a_file check ((status = 'finished') = (object_path is not null))
);

comment on table public.organization_exports is
  'Exports of all of a tenant''s data as JSON lines, one {"table", "row"} a line, in the private bucket exports.';
comment on column public.organization_exports.requested_by is 'Null for an API key.';
comment on column public.organization_exports.status is 'queued, finished, or failed.';
comment on column public.organization_exports.object_path is 'Path in the bucket exports; read it through a signed URL.';
comment on column public.organization_exports.row_count is 'Lines in the file.';

-- for: the foreign key
create index organization_exports_requested_by_idx on public.organization_exports (requested_by);
-- for: private.export_organization; one export at a time, so that none keeps others waiting
create unique index organization_exports_one_pending_key on public.organization_exports (organization_id, status)
where status = 'queued';

grant select on public.organization_exports to authenticated;

alter table public.organization_exports enable row level security;

create policy organization_exports_select on public.organization_exports
for select to authenticated
using (organization_id = (select private.organization_with('organization:export')));

create function private.export_organization(organization_id uuid)
returns public.organization_exports
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  queued public.organization_exports;
begin
  perform private.require_permission(export_organization.organization_id, 'organization:export');
  -- One whose job was given up without a word keeps nobody from asking again.
  update public.organization_exports as e
  set status = 'failed', finished_at = now()
  where e.organization_id = export_organization.organization_id
    and e.status = 'queued'
    and not exists (
      select from private.jobs as j
      where j.kind = 'organization.export'
        and j.dedupe_key = 'organization.export:' || e.id
        and j.status in ('queued', 'running')
    );
  insert into public.organization_exports (organization_id, requested_by)
  values (
    export_organization.organization_id,
    (select p.user_id from public.profiles as p where p.user_id = auth.uid())
  )
  on conflict (organization_id, status) where status = 'queued' do nothing
  returning * into queued;
  if not found then
    select e.* into queued
    from public.organization_exports as e
    where e.organization_id = export_organization.organization_id and e.status = 'queued';
    return queued;
  end if;
  perform private.enqueue(
    'organization.export',
    jsonb_build_object('organization_id', queued.organization_id, 'export_id', queued.id),
    'organization.export:' || queued.id,
    queued.organization_id
  );
  return queued;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.export_organization is 'definer: queues work, which no client may.';
grant execute on function private.export_organization to authenticated;

create function public.export_organization(organization_id uuid)
returns public.organization_exports
language sql
volatile
set search_path = ''
as $$ select private.export_organization(organization_id) $$;

comment on function public.export_organization is
  'Queues an export of all of the organization''s data, or returns the one that is under way; watch organization_exports for its end. Under organization:export. Errors: 403 permission_denied.';
grant execute on function public.export_organization to authenticated;

create function private.tenant_tables()
returns setof text
language sql
stable
set search_path = ''
as $$
  select c.relname
  from pg_catalog.pg_class as c
  where c.relnamespace = 'public'::regnamespace
    and c.relkind = 'r'
    and exists (
      select from pg_catalog.pg_attribute as a
      where a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
    )
  order by c.relname
$$;

comment on function private.tenant_tables is 'The tables of public that belong to organizations, from the catalogue.';

create function private.read_organization(job_id bigint, lease_token uuid, after jsonb default null, max_rows int default 1000)
returns setof jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  wanted bigint := least(greatest(read_organization.max_rows, 1), 10000);
  got bigint;
  -- The organization's own row comes first, then its tables by name.
  reached text := coalesce(nullif(read_organization.after ->> 'table', 'organizations'), '');
  tenant record;
  exported uuid := (
    select j.organization_id
    from private.jobs as j
    where j.id = read_organization.job_id
      and j.lease_token = read_organization.lease_token
      and j.status = 'running'
      and j.kind = 'organization.export'
  );
begin
  -- Not an empty page: whoever lost the lease must not take it for the end.
  if exported is null then
    perform private.fail('lease_lost', 409, 'Claim the job of the export anew: a tenant is read for an export that was asked for, and under its lease.');
  end if;
  if read_organization.after is null then
    return query
    select jsonb_build_object('table', 'organizations', 'row', to_jsonb(o))
    from public.organizations as o
    where o.id = exported;
    get diagnostics got = row_count;
    wanted := wanted - got;
  end if;
  for tenant in
    select
      t.name,
      string_agg(format('t.%I', a.attname), ', ' order by k.place) as keys,
      -- The last row read, as a row of its table: its key needs no parsing.
      string_agg(
        format('(jsonb_populate_record(null::public.%I, $2)).%I', t.name, a.attname), ', ' order by k.place
      ) as reached_keys
    from private.tenant_tables() as t (name)
    join pg_catalog.pg_class as c on c.relnamespace = 'public'::regnamespace and c.relname = t.name
    join pg_catalog.pg_constraint as p on p.conrelid = c.oid and p.contype = 'p'
    cross join unnest(p.conkey) with ordinality as k (attnum, place)
    join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = k.attnum
    where a.attname <> 'organization_id' and t.name collate "C" >= reached collate "C"
    group by t.name
    order by t.name collate "C"
  loop
    exit when wanted = 0;
    -- One range of the primary key, in its order: a page costs the same wherever it begins.
    return query execute format(
      'select jsonb_build_object(''table'', %1$L, ''row'', to_jsonb(t))
       from public.%1$I as t
       where t.organization_id = $1 %2$s
       order by %3$s
       limit $3',
      tenant.name,
      case when tenant.name = reached then format('and (%s) > (%s)', tenant.keys, tenant.reached_keys) end,
      tenant.keys
    ) using exported, read_organization.after -> 'row', wanted;
    get diagnostics got = row_count;
    wanted := wanted - got;
  end loop;
end
$$;

comment on function private.read_organization is
  'definer: reads every tenant table for the export whose job holds the lease. In pages, since a tenant can be larger than what one answer or one statement''s time may hold.';
grant execute on function private.read_organization to service_role;

create function service.read_organization(job_id bigint, lease_token uuid, after jsonb default null, max_rows int default 1000)
returns setof jsonb
language sql
stable
set search_path = ''
as $$ select private.read_organization(job_id, lease_token, after, max_rows) $$;

comment on function service.read_organization is
  'Rows of the tenant whose export the job is, {table, row} each, under the job''s lease: at most max_rows (1 to 10000) of them. after: the last row of the page before, as it was returned; null for the first page. No row is left out or comes twice; one that is written while pages are read may be in or not. The page after the last one is empty. Errors: 409 lease_lost.';
grant execute on function service.read_organization to service_role;

create function private.finish_export(job_id bigint, lease_token uuid, object_path text, row_count bigint)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(finish_export.job_id, finish_export.lease_token);
begin
  perform private.refuse_other_object(
    job, job.kind = 'organization.export' and coalesce(starts_with(finish_export.object_path, job.organization_id || '/'), true)
  );
  perform private.act_as('system');
  update public.organization_exports as e
  set status = case when finish_export.object_path is null then 'failed' else 'finished' end,
    object_path = finish_export.object_path,
    row_count = finish_export.row_count,
    finished_at = now()
  where e.organization_id = job.organization_id
    and e.id = (job.payload ->> 'export_id')::uuid
    and e.status = 'queued';
end
$$;

comment on function private.finish_export is 'definer: writes organization_exports for the worker.';
grant execute on function private.finish_export to service_role;

create function service.finish_export(job_id bigint, lease_token uuid, object_path text, row_count bigint)
returns void
language sql
volatile
set search_path = ''
as $$ select private.finish_export(job_id, lease_token, object_path, row_count) $$;

comment on function service.finish_export is
  'Records the end of the export that the job makes, under the job''s lease; object_path (in the organization''s folder) null means that it failed. Any number of calls end in the same state. Errors: 409 lease_lost, lease_of_another.';
grant execute on function service.finish_export to service_role;

create type public.closed_organization as (
  id uuid,
  name text,
  slug text,
  status text,
  timezone text,
  currency text,
  locale text,
  erased_after timestamptz
);

comment on type public.closed_organization is 'An organization that was closed.';
comment on column public.closed_organization.id is 'Of the organization.';
comment on column public.closed_organization.name is 'As its public read it.';
comment on column public.closed_organization.slug is 'Public address, unique on the whole platform.';
comment on column public.closed_organization.status is 'one of organizations.status';
comment on column public.closed_organization.timezone is 'IANA zone.';
comment on column public.closed_organization.currency is 'ISO 4217.';
comment on column public.closed_organization.locale is 'one of: es, en, ca';
comment on column public.closed_organization.erased_after is 'From when on the platform may erase the data.';

create function private.close_organization(organization_id uuid, confirm_slug text)
returns public.closed_organization
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  closed public.organizations;
begin
  -- Asked again by one who could close it: nobody is a member of what is closed, and the answer may have been lost.
  select o.* into closed
  from public.organizations as o
  join private.active_memberships as m on m.organization_id = o.id and m.user_id = private.calling_person()
  join public.role_permissions as rp
    on rp.organization_id = o.id and rp.role_id = m.role_id and rp.permission_key = 'organization:close'
  where o.id = close_organization.organization_id
    and o.status = 'closed'
    and o.slug = close_organization.confirm_slug;
  if not found then
    perform private.require_permission(close_organization.organization_id, 'organization:close');
    update public.organizations as o
    set status = 'closed', closed_at = now()
    where o.id = close_organization.organization_id and o.slug = close_organization.confirm_slug
    returning * into closed;
    if not found then
      perform private.fail('confirmation_wrong', 422, 'Repeat the organization''s slug to confirm.');
    end if;
  end if;
  return row(
    closed.id, closed.name, closed.slug, closed.status, closed.timezone, closed.currency, closed.locale,
    closed.closed_at + interval '90 days'
  )::public.closed_organization;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.close_organization is 'definer: writes the status, which no client may write.';
grant execute on function private.close_organization to authenticated;

create function public.close_organization(organization_id uuid, confirm_slug text)
returns public.closed_organization
language sql
volatile
set search_path = ''
as $$ select private.close_organization(organization_id, confirm_slug) $$;

comment on function public.close_organization is
  'Closes the organization: its members and the public see nothing of it any more. Who has the link of a booking still sees it and cancels it, with the refund that its terms give; nothing is booked, moved, paid or signed. The data is kept for 90 days, then the platform may erase it. Closed already, it is answered again. Under organization:close. Errors: 403 permission_denied; 422 confirmation_wrong.';
grant execute on function public.close_organization to authenticated;

-- =============================================================================
-- sql/87_reports/020_subscription.sql
-- =============================================================================

-- What the organization has of the product, what it uses of it, and what it pays.

create type public.plan_use as (
  "limit" text,
  maximum int,
  used bigint
);

comment on type public.plan_use is 'A limit of the plan, and what is used of it.';
comment on column public.plan_use."limit" is 'one of: rooms, locations, calendars, members, bookings_month';
comment on column public.plan_use.maximum is 'What the plan allows; null: it does not limit it.';
comment on column public.plan_use.used is 'As plan_limit_reached counts it; more than maximum after a downgrade.';

create type public.billing_overview as (
  plan_key text,
  plan_name text,
  comes_from text,
  uses public.plan_use [],
  subscription public.subscriptions,
  trial_available boolean,
  writes_end_at timestamptz,
  sales_end_at timestamptz
);

comment on type public.billing_overview is 'An organization''s plan, its limits and use, and what is due.';
comment on column public.billing_overview.plan_key is 'The plan in force, of plans.';
comment on column public.billing_overview.plan_name is 'In the organization''s language, Spanish for Catalan.';
comment on column public.billing_overview.comes_from is 'default: neither paid nor granted; one of: subscription, grant, default';
comment on column public.billing_overview.uses is 'Each limit once.';
comment on column public.billing_overview.subscription is 'What is paid and granted; null: nothing ever was.';
comment on column public.billing_overview.trial_available is 'Whether a first subscription would begin with a trial.';
comment on column public.billing_overview.writes_end_at is 'From then on members read only, since a payment is overdue; null: none is.';
comment on column public.billing_overview.sales_end_at is 'From then on the public books nothing new; null: it goes on.';

create function private.get_subscription(organization_id uuid)
returns public.billing_overview
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  organization public.organizations;
  plan public.plans;
  subscription public.subscriptions;
begin
  perform private.require_permission(get_subscription.organization_id, 'billing:read');
  select o.* into strict organization from public.organizations as o where o.id = get_subscription.organization_id;
  plan := private.plan_of(organization.id);
  select s.* into subscription from public.subscriptions as s where s.organization_id = organization.id;
  return row(
    plan.key,
    case when organization.locale = 'en' then plan.name_en else plan.name_es end,
    case
      when subscription.plan_key = plan.key and private.entitles(subscription.status) then 'subscription'
      when subscription.granted_plan_key = plan.key and subscription.granted_until > now() then 'grant'
      else 'default'
    end,
    array[
      row('rooms', plan.max_rooms, (select count(*) from public.rooms as r where r.organization_id = organization.id)),
      row(
        'locations', plan.max_locations,
        (select count(*) from public.locations as l where l.organization_id = organization.id)
      ),
      row(
        'calendars', plan.max_calendars,
        (select count(*) from public.calendars as c where c.organization_id = organization.id)
      ),
      row(
        'members', plan.max_members,
        (
          select count(*) from public.memberships as m
          where m.organization_id = organization.id and m.status = 'active' and m.expires_at is null
        )
      ),
      row('bookings_month', plan.max_bookings_month, private.bookings_of_month(organization.id))
    ]::public.plan_use [],
    subscription,
    not exists (
      select from private.stripe_customers as c
      where c.organization_id = organization.id and c.trial_used_at is not null
    ) and exists (select from private.billing_settings as b where b.trial_days > 0),
    organization.writes_end_at,
    organization.sales_end_at
  )::public.billing_overview;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_subscription is
  'definer: counts rows that the caller may not see. Asks for billing:read.';
grant execute on function private.get_subscription to authenticated;

create function public.get_subscription(organization_id uuid)
returns public.billing_overview
language sql
stable
set search_path = ''
as $$ select private.get_subscription(organization_id) $$;

comment on function public.get_subscription is
  'The organization''s plan, its limits with what is used, what is paid, granted and due. Errors: 403 permission_denied.';
grant execute on function public.get_subscription to authenticated;

-- =============================================================================
-- sql/87_reports/030_periods.sql
-- =============================================================================

-- What reports share: who may read them, the days that they are about, and the rooms.

select private.permission_upsert(
  'reports:read', 'reports', false,
  'See reports of revenue, bookings, games and occupancy', 'Ver informes de ingresos, reservas, partidas y ocupación',
  array['admin', 'manager']
);

create type private.report_days as (
  from_date date,
  to_date date,
  previous_from_date date,
  previous_to_date date,
  from_at timestamptz,
  to_at timestamptz
);

comment on type private.report_days is
  'The local dates of a report, both included, and those before it with which it is compared. Whatever falls on any of them on any clock lies from from_at until before to_at.';

create type private.report_room as (
  id uuid,
  name text,
  location_id uuid,
  location_name text,
  timezone text
);

comment on type private.report_room is 'A room that a report is about, and its clock.';

create function private.report_rooms(organization_id uuid, location_id uuid, room_id uuid)
returns setof private.report_room
language plpgsql
stable
rows 10
set search_path = ''
as $$
begin
  return query
  select r.id, r.name, l.id, l.name, l.timezone
  from public.rooms as r
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where r.organization_id = report_rooms.organization_id
    and (report_rooms.location_id is null or r.location_id = report_rooms.location_id)
    and (report_rooms.room_id is null or r.id = report_rooms.room_id);
end
$$;

comment on function private.report_rooms is
  'The rooms of a location, or of all, or one; rooms that are hidden are among them, since they have their past.';

create function private.report_days(
  organization_id uuid,
  period text,
  from_date date,
  to_date date,
  location_id uuid,
  room_id uuid,
  maximum_days int
)
returns private.report_days
language plpgsql
stable
set search_path = ''
as $$
declare
  zone text;
  today date;
  unit text := coalesce(report_days.period, 'month');
  days private.report_days;
begin
  if report_days.location_id is not null and not exists (
    select from public.locations as l
    where l.organization_id = report_days.organization_id and l.id = report_days.location_id
  ) then
    perform private.fail('location_not_found', 404, 'Choose one of the organization''s locations, or none for all.');
  elsif report_days.room_id is not null and not exists (
    select from private.report_rooms(report_days.organization_id, report_days.location_id, report_days.room_id)
  ) then
    perform private.fail('room_not_found', 404, 'Choose one of the rooms of the organization and the location, or none for all.');
  end if;
  if report_days.from_date is null and report_days.to_date is null then
    if unit not in ('today', 'week', 'month', 'quarter', 'year') then
      perform private.fail('period_invalid', 422, 'Choose today, week, month, quarter or year, or give two dates.');
    end if;
    select l.timezone into zone
    from public.locations as l
    where l.organization_id = report_days.organization_id
      and l.id = coalesce(report_days.location_id, (
        select r.location_id
        from public.rooms as r
        where r.organization_id = report_days.organization_id and r.id = report_days.room_id
      ));
    if zone is null then
      select o.timezone into zone
      from public.organizations as o
      where o.id = report_days.organization_id;
    end if;
    today := (now() at time zone zone)::date;
    if unit = 'today' then
      unit := 'day';
    end if;
    days.from_date := date_trunc(unit, today::timestamp)::date;
    days.to_date := (date_trunc(unit, today::timestamp) + case unit
      when 'quarter' then interval '3 months'
      else ('1 ' || unit)::interval
    end)::date - 1;
    days.previous_from_date := date_trunc(unit, (days.from_date - 1)::timestamp)::date;
  else
    if report_days.period is not null then
      perform private.fail('period_invalid', 422, 'Give either a period or two dates.');
    elsif report_days.to_date < report_days.from_date
      or not coalesce(report_days.from_date >= date '2000-01-01' and report_days.to_date <= date '2099-12-31', false)
    then
      perform private.fail(
        'date_range_invalid', 422, 'Give two dates from 2000 to 2099, from_date not after to_date.'
      );
    end if;
    days.from_date := report_days.from_date;
    days.to_date := report_days.to_date;
    days.previous_from_date := days.from_date - (days.to_date - days.from_date + 1);
  end if;
  if days.to_date - days.from_date >= report_days.maximum_days then
    perform private.fail(
      'date_range_too_long', 422, format('Ask for at most %s days at a time.', report_days.maximum_days),
      jsonb_build_object('maximum', report_days.maximum_days)
    );
  end if;
  days.previous_to_date := days.from_date - 1;
  -- No clock is further from UTC.
  days.from_at := (days.previous_from_date - 1)::timestamp at time zone 'UTC';
  days.to_at := (days.to_date + 2)::timestamp at time zone 'UTC';
  return days;
end
$$;

comment on function private.report_days is
  'The days of a period that has today in it, on the clock of the room or location that is asked for, else of the organization, and those of the period before; or from one date to another, and as many days before. Asks for reports:read. Raises 403 permission_denied; 404 location_not_found, room_not_found; 422 period_invalid, date_range_invalid, date_range_too_long (details {"maximum"}).';

create function private.share_bp(part bigint, whole bigint)
returns int
language plpgsql
immutable
set search_path = ''
as $$
begin
  return round(part * 10000.0 / nullif(whole, 0));
end
$$;

comment on function private.share_bp is 'A part of a whole in basis points; null of nothing.';

-- =============================================================================
-- sql/87_reports/040_revenue.sql
-- =============================================================================

-- Revenue: what came in and went back, what of it is sold and taxed, and what visits still bring.
--
-- What was received and refunded are the rows of payments and refunds, and sales and tax those that the ledger wrote of
-- bookings: each on the day on which the money moved. What is expected and outstanding are figures of visits, on the
-- day of the visit. A correction is taken off what was received, on the day on which it was made, as in the ledger.

create type public.revenue_sums as (
  received_cents bigint,
  refunded_cents bigint,
  net_cents bigint,
  sales_cents bigint,
  tax_cents bigint,
  expected_cents bigint,
  outstanding_cents bigint
);

comment on type public.revenue_sums is 'Amounts of some days, in minor units of the report''s currency.';
comment on column public.revenue_sums.received_cents is 'Payments on these days, less those that turned out to be none.';
comment on column public.revenue_sums.refunded_cents is 'What went back on these days, less what the bank sent back.';
comment on column public.revenue_sums.net_cents is 'Received less refunded: in the ledger, what was credited to customers.';
comment on column public.revenue_sums.sales_cents is 'What of it was sold, without tax: the ledger''s sales.';
comment on column public.revenue_sums.tax_cents is 'The tax on that: the ledger''s tax.';
comment on column public.revenue_sums.expected_cents is
  'What visits on these days bring: what the venue keeps of their money, of cancelled ones too, and what is outstanding.';
comment on column public.revenue_sums.outstanding_cents is
  'What can still be asked for of bookings whose visit is on these days, as open_cents of a booking; holds are none.';

create type public.method_revenue as (
  method text,
  received_cents bigint,
  refunded_cents bigint,
  net_cents bigint
);

comment on type public.method_revenue is 'What came in and went back by one method, in minor units of the report''s currency.';
comment on column public.method_revenue.method is 'Of the payment, or by which the refund was made. one of payments.method';
comment on column public.method_revenue.received_cents is 'As in revenue_sums.';
comment on column public.method_revenue.refunded_cents is 'As in revenue_sums.';
comment on column public.method_revenue.net_cents is 'Received less refunded.';

create type public.room_revenue as (
  room_id uuid,
  name text,
  location_id uuid,
  sums public.revenue_sums,
  previous public.revenue_sums
);

comment on type public.room_revenue is 'The revenue of a room: of the bookings that are in it now.';
comment on column public.room_revenue.room_id is 'The room.';
comment on column public.room_revenue.name is 'As the venue calls it.';
comment on column public.room_revenue.location_id is 'Where it is.';
comment on column public.room_revenue.sums is 'Of the report''s days.';
comment on column public.room_revenue.previous is 'Of the days before.';

create type public.location_revenue as (
  location_id uuid,
  name text,
  sums public.revenue_sums,
  previous public.revenue_sums
);

comment on type public.location_revenue is 'The revenue of a location.';
comment on column public.location_revenue.location_id is 'The location.';
comment on column public.location_revenue.name is 'As the venue calls it.';
comment on column public.location_revenue.sums is 'Of the report''s days.';
comment on column public.location_revenue.previous is 'Of the days before.';

create type public.channel_revenue as (
  channel text,
  sums public.revenue_sums,
  previous public.revenue_sums
);

comment on type public.channel_revenue is 'The revenue of one channel.';
comment on column public.channel_revenue.channel is 'Where the booking was made. one of bookings.source';
comment on column public.channel_revenue.sums is 'Of the report''s days.';
comment on column public.channel_revenue.previous is 'Of the days before.';

create type public.tax_revenue as (
  tax_rate_bp int,
  tax_cents bigint
);

comment on type public.tax_revenue is 'The tax of one rate, as the ledger has it.';
comment on column public.tax_revenue.tax_rate_bp is 'In basis points.';
comment on column public.tax_revenue.tax_cents is 'Minor units of the report''s currency.';

create type public.revenue_point as (
  from_date date,
  to_date date,
  sums public.revenue_sums
);

comment on type public.revenue_point is 'A day, or a week, month or quarter as far as it is in the report.';
comment on column public.revenue_point.from_date is 'Its first date.';
comment on column public.revenue_point.to_date is 'Its last date.';
comment on column public.revenue_point.sums is 'Of these dates.';

create type public.coupon_use as (
  coupon_id uuid,
  code text,
  bookings bigint,
  discount_cents bigint
);

comment on type public.coupon_use is 'How a coupon was used, by bookings that stand and whose visit is on the report''s days.';
comment on column public.coupon_use.coupon_id is 'The coupon.';
comment on column public.coupon_use.code is 'Its code; null without coupons:read.';
comment on column public.coupon_use.bookings is 'How many have it.';
comment on column public.coupon_use.discount_cents is 'What they cost less, in minor units of the report''s currency.';

create type public.voucher_use as (
  redemptions bigint,
  redeemed_cents bigint,
  returned_cents bigint,
  issued_cents bigint,
  expired_cents bigint
);

comment on type public.voucher_use is 'How gift vouchers were used on the report''s days, in minor units of its currency.';
comment on column public.voucher_use.redemptions is 'How many payments were made with one.';
comment on column public.voucher_use.redeemed_cents is 'What these paid.';
comment on column public.voucher_use.returned_cents is 'What went back on vouchers.';
comment on column public.voucher_use.issued_cents is
  'What was put on vouchers, less what was cancelled; null in the report of a location or room, of which vouchers are none.';
comment on column public.voucher_use.expired_cents is
  'What was left on those whose last date passed, less what was given a new one; null in the report of a location or room.';

create type public.revenue_report as (
  currency text,
  from_date date,
  to_date date,
  previous_from_date date,
  previous_to_date date,
  granularity text,
  total public.revenue_sums,
  previous public.revenue_sums,
  change public.revenue_sums,
  methods public.method_revenue [],
  rooms public.room_revenue [],
  locations public.location_revenue [],
  channels public.channel_revenue [],
  taxes public.tax_revenue [],
  coupons public.coupon_use [],
  vouchers public.voucher_use,
  series public.revenue_point []
);

comment on type public.revenue_report is 'The revenue of some days in one currency.';
comment on column public.revenue_report.currency is 'ISO 4217.';
comment on column public.revenue_report.from_date is 'First date, on the clock of each location.';
comment on column public.revenue_report.to_date is 'Last date.';
comment on column public.revenue_report.previous_from_date is 'First date of the days before.';
comment on column public.revenue_report.previous_to_date is 'Last date of the days before.';
comment on column public.revenue_report.granularity is 'Of the series. one of: day, week, month, quarter';
comment on column public.revenue_report.total is 'Of these days.';
comment on column public.revenue_report.previous is 'Of the days before.';
comment on column public.revenue_report.change is 'Total less previous.';
comment on column public.revenue_report.methods is 'By method, those that moved something.';
comment on column public.revenue_report.rooms is 'By room: all that were asked for, by name.';
comment on column public.revenue_report.locations is 'By location, by name.';
comment on column public.revenue_report.channels is 'By channel, those that there were.';
comment on column public.revenue_report.taxes is 'By rate, those that there were.';
comment on column public.revenue_report.coupons is 'Those that were used, the most used first.';
comment on column public.revenue_report.vouchers is 'Of gift vouchers.';
comment on column public.revenue_report.series is 'In order of time, without a gap.';

create function private.revenue_sums(received numeric, refunded numeric, sales numeric, tax numeric, kept numeric, outstanding numeric)
returns public.revenue_sums
language plpgsql
immutable
set search_path = ''
as $$
begin
  return row(
    coalesce(received, 0), coalesce(refunded, 0), coalesce(received, 0) - coalesce(refunded, 0), coalesce(sales, 0),
    coalesce(tax, 0), coalesce(kept, 0) + coalesce(outstanding, 0), coalesce(outstanding, 0)
  )::public.revenue_sums;
end
$$;

comment on function private.revenue_sums is 'Sums as a report says them; of nothing, zero.';

create function private.get_revenue_report(
  organization_id uuid,
  period text,
  from_date date,
  to_date date,
  location_id uuid,
  room_id uuid,
  granularity text
)
returns setof public.revenue_report
language plpgsql
stable
security definer
set jit = off
-- A plan for these very dates: one for any joins in loops what is many rows (occupancy of a month 212 ms instead of 47).
set plan_cache_mode = force_custom_plan
set search_path = ''
as $$
declare
  days private.report_days;
  length int;
  unit text;
  of_all boolean := location_id is null and room_id is null;
  sees_codes boolean;
begin
  perform private.require_permission(get_revenue_report.organization_id, 'reports:read');
  days := private.report_days(
    get_revenue_report.organization_id, period, from_date, to_date, location_id, room_id, 366
  );
  length := days.to_date - days.from_date + 1;
  unit := coalesce(granularity, case when length <= 31 then 'day' when length <= 92 then 'week' else 'month' end);
  if unit not in ('day', 'week', 'month', 'quarter') then
    perform private.fail('granularity_invalid', 422, 'Choose day, week, month or quarter, or none.');
  end if;
  sees_codes := private.has_permission(get_revenue_report.organization_id, 'coupons:read');
  return query
  with
  room as materialized (
    select r.*
    from private.report_rooms(get_revenue_report.organization_id, get_revenue_report.location_id, get_revenue_report.room_id) as r
  ),
  visit as materialized (
    select b.id, b.room_id, b.source, b.currency, b.status, b.starts_at, case
      when b.status in ('held', 'expired', 'cancelled') or b.hold_expires_at <= now() then 0
      when b.status = 'no_show' then private.no_show_fee(b)
      else b.total_cents
    end as price
    from public.bookings as b
    where b.organization_id = get_revenue_report.organization_id
      and b.starts_at >= days.from_at
      and b.starts_at < days.to_at
      and b.room_id in (select r.id from room as r)
  ),
  -- As private.booking_kept and private.booking_covered, of all of them in one pass.
  kept as materialized (
    select m.booking_id, sum(m.cents) as cents, sum(m.cents + m.given) as covered
    from (
      select p.booking_id, p.amount_cents as cents, 0 as given
      from public.payments as p
      where p.organization_id = get_revenue_report.organization_id and p.booking_id in (select v.id from visit as v)
      union all
      select q.booking_id, -q.amount_cents, q.goodwill_cents
      from private.refund_requests as q
      where q.organization_id = get_revenue_report.organization_id
        and q.booking_id in (select v.id from visit as v)
        and q.status in ('pending', 'succeeded')
    ) as m
    group by m.booking_id
  ),
  moved as materialized (
    select
      p.booking_id, p.occurred_at, p.currency, p.method, null::int as rate, p.amount_cents as received, 0 as refunded,
      0 as sales, 0 as tax
    from public.payments as p
    where p.organization_id = get_revenue_report.organization_id
      and p.occurred_at >= days.from_at
      and p.occurred_at < days.to_at
    union all
    select
      r.booking_id, r.occurred_at, r.currency, r.method, null,
      case when r.kind = 'correction' then -r.amount_cents else 0 end,
      case when r.kind = 'correction' then 0 else r.amount_cents end, 0, 0
    from public.refunds as r
    where r.organization_id = get_revenue_report.organization_id
      and r.occurred_at >= days.from_at
      and r.occurred_at < days.to_at
    union all
    select
      e.booking_id, e.occurred_at, e.currency, null, e.tax_rate_bp, 0, 0,
      case 'sales' when e.credit then e.amount_cents when e.debit then -e.amount_cents else 0 end,
      case 'tax' when e.credit then e.amount_cents when e.debit then -e.amount_cents else 0 end
    from public.ledger_entries as e
    where e.organization_id = get_revenue_report.organization_id
      and e.occurred_at >= days.from_at
      and e.occurred_at < days.to_at
      and e.source = 'booking'
  ),
  fact as (
    select
      f.*, r.location_id, d.date >= days.from_date as is_now,
      case when d.date >= days.from_date then greatest(date_trunc(unit, d.date::timestamp)::date, days.from_date) end as point
    from (
      select b.room_id, b.source, m.*, 0::numeric as kept, 0::numeric as outstanding
      from moved as m
      join public.bookings as b on b.organization_id = get_revenue_report.organization_id and b.id = m.booking_id
      union all
      select
        v.room_id, v.source, v.id, v.starts_at, v.currency, null, null, 0, 0, 0, 0, coalesce(k.cents, 0),
        case when v.price > 0 then greatest(v.price - coalesce(k.covered, 0), 0) else 0 end
      from visit as v
      left join kept as k on k.booking_id = v.id
    ) as f
    join room as r on r.id = f.room_id
    cross join lateral (select (f.occurred_at at time zone r.timezone)::date as date offset 0) as d
    where d.date between days.previous_from_date and days.to_date
  ),
  -- All rows are read once; the many ways to sum them up read these few.
  cell as materialized (
    select
      f.currency, f.is_now, f.room_id, f.location_id, f.source, f.method, f.rate, f.point,
      sum(f.received) as received, sum(f.refunded) as refunded, sum(f.sales) as sales, sum(f.tax) as tax,
      sum(f.kept) as kept, sum(f.outstanding) as outstanding, count(*) filter (where f.received > 0) as payments
    from fact as f
    group by f.currency, f.is_now, f.room_id, f.location_id, f.source, f.method, f.rate, f.point
  ),
  sums as materialized (
    select
      grouping(f.room_id, f.location_id, f.source, f.method, f.rate, f.point) as by,
      f.currency, f.is_now, f.room_id, f.location_id, f.source, f.method, f.rate, f.point,
      private.revenue_sums(
        sum(f.received), sum(f.refunded), sum(f.sales), sum(f.tax), sum(f.kept), sum(f.outstanding)
      ) as sums,
      sum(f.payments)::bigint as payments
    from cell as f
    group by grouping sets (
      (f.currency, f.is_now),
      (f.currency, f.is_now, f.room_id),
      (f.currency, f.is_now, f.location_id),
      (f.currency, f.is_now, f.source),
      (f.currency, f.is_now, f.method),
      (f.currency, f.is_now, f.rate),
      (f.currency, f.is_now, f.point)
    )
  ),
  point as materialized (
    select greatest(p.first::date, days.from_date) as first, least((p.first + case unit
      when 'quarter' then interval '3 months'
      else ('1 ' || unit)::interval
    end)::date - 1, days.to_date) as last
    from generate_series(
      date_trunc(unit, days.from_date::timestamp), days.to_date::timestamp,
      case unit when 'quarter' then interval '3 months' else ('1 ' || unit)::interval end
    ) as p (first)
  ),
  coupon as (
    select b.currency, u.coupon_id, c.code, count(*) as bookings, sum(u.discount_cents)::bigint as cents
    from public.coupon_redemptions as u
    join visit as b on b.id = u.booking_id
    join room as r on r.id = b.room_id
    join public.coupons as c on c.organization_id = u.organization_id and c.id = u.coupon_id
    where u.organization_id = get_revenue_report.organization_id
      and b.status not in ('held', 'expired', 'cancelled')
      and (b.starts_at at time zone r.timezone)::date between days.from_date and days.to_date
    group by b.currency, u.coupon_id, c.code
  ),
  voucher as (
    select
      e.currency,
      sum(case 'vouchers_issued' when e.debit then e.amount_cents when e.credit then -e.amount_cents else 0 end) as issued,
      sum(case 'vouchers_expired' when e.credit then e.amount_cents when e.debit then -e.amount_cents else 0 end) as expired
    from public.ledger_entries as e
    join public.organizations as o on o.id = e.organization_id
    where of_all
      and e.organization_id = get_revenue_report.organization_id
      and e.occurred_at >= days.from_at
      and e.occurred_at < days.to_at
      and e.source in ('voucher_entry', 'voucher')
      and (e.occurred_at at time zone o.timezone)::date between days.from_date and days.to_date
    group by e.currency
  ),
  nothing as (select private.revenue_sums(0, 0, 0, 0, 0, 0) as sums)
  select
    c.currency, days.from_date, days.to_date, days.previous_from_date, days.previous_to_date, unit,
    whole.now, whole.before,
    row(
      (whole.now).received_cents - (whole.before).received_cents,
      (whole.now).refunded_cents - (whole.before).refunded_cents,
      (whole.now).net_cents - (whole.before).net_cents,
      (whole.now).sales_cents - (whole.before).sales_cents,
      (whole.now).tax_cents - (whole.before).tax_cents,
      (whole.now).expected_cents - (whole.before).expected_cents,
      (whole.now).outstanding_cents - (whole.before).outstanding_cents
    )::public.revenue_sums,
    array(
      select row(s.method, (s.sums).received_cents, (s.sums).refunded_cents, (s.sums).net_cents)::public.method_revenue
      from sums as s
      where s.by = 59 and s.currency = c.currency and s.is_now and s.method is not null
      order by s.method
    ),
    array(
      select row(r.id, r.name, r.location_id, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.room_revenue
      from room as r
      cross join nothing as n
      left join sums as s on s.by = 31 and s.currency = c.currency and s.is_now and s.room_id = r.id
      left join sums as p on p.by = 31 and p.currency = c.currency and not p.is_now and p.room_id = r.id
      order by r.name, r.id
    ),
    array(
      select row(r.location_id, r.location_name, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.location_revenue
      from (select distinct x.location_id, x.location_name from room as x) as r
      cross join nothing as n
      left join sums as s on s.by = 47 and s.currency = c.currency and s.is_now and s.location_id = r.location_id
      left join sums as p on p.by = 47 and p.currency = c.currency and not p.is_now and p.location_id = r.location_id
      order by r.location_name, r.location_id
    ),
    array(
      select row(x.source, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.channel_revenue
      from (select distinct y.source from sums as y where y.by = 55 and y.currency = c.currency) as x
      cross join nothing as n
      left join sums as s on s.by = 55 and s.currency = c.currency and s.is_now and s.source = x.source
      left join sums as p on p.by = 55 and p.currency = c.currency and not p.is_now and p.source = x.source
      order by x.source
    ),
    array(
      select row(s.rate, (s.sums).tax_cents)::public.tax_revenue
      from sums as s
      where s.by = 61 and s.currency = c.currency and s.is_now and s.rate is not null
      order by s.rate
    ),
    array(
      select row(u.coupon_id, case when sees_codes then u.code end, u.bookings, u.cents)::public.coupon_use
      from coupon as u
      where u.currency = c.currency
      order by u.bookings desc, u.code
    ),
    (
      select row(
        coalesce(s.payments, 0), coalesce((s.sums).received_cents, 0), coalesce((s.sums).refunded_cents, 0),
        case when of_all then coalesce(v.issued, 0) end, case when of_all then coalesce(v.expired, 0) end
      )::public.voucher_use
      from nothing as n
      left join sums as s on s.by = 59 and s.currency = c.currency and s.is_now and s.method = 'voucher'
      left join voucher as v on v.currency = c.currency
    ),
    array(
      select row(x.first, x.last, coalesce(s.sums, n.sums))::public.revenue_point
      from point as x
      cross join nothing as n
      left join sums as s on s.by = 62 and s.currency = c.currency and s.is_now and s.point = x.first
      order by x.first
    )
  from (
    select o.currency from public.organizations as o where o.id = get_revenue_report.organization_id
    union
    select s.currency from sums as s
    union
    select v.currency from voucher as v
  ) as c
  cross join lateral (
    select
      coalesce((select s.sums from sums as s where s.by = 63 and s.currency = c.currency and s.is_now), n.sums) as now,
      coalesce((select s.sums from sums as s where s.by = 63 and s.currency = c.currency and not s.is_now), n.sums) as before
    from nothing as n
  ) as whole
  order by c.currency;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_revenue_report is
  'definer: sums up money and bookings in one pass, without the policy for each. Asks for reports:read.';
grant execute on function private.get_revenue_report to authenticated;

create function public.get_revenue_report(
  organization_id uuid,
  period text default null,
  from_date date default null,
  to_date date default null,
  location_id uuid default null,
  room_id uuid default null,
  granularity text default null
)
returns setof public.revenue_report
language sql
stable
set search_path = ''
as $$
  select * from private.get_revenue_report(
    organization_id, period, from_date, to_date, location_id, room_id, granularity
  )
$$;

comment on function public.get_revenue_report is
  'Revenue of a period that has today in it (period: today, week, month, quarter or year; null: month), or from from_date to to_date, at most 366 days, each day on the clock of its location; with the period before, or as many days before. A row a currency, the organization''s among them. location_id, room_id: of it only. granularity of the series: day, week, month or quarter; null: as suits the days. For members with reports:read; codes of coupons with coupons:read. Errors: 403 permission_denied; 404 location_not_found, room_not_found; 422 period_invalid, date_range_invalid, date_range_too_long (details {"maximum"}), granularity_invalid.';
grant execute on function public.get_revenue_report to authenticated;

-- =============================================================================
-- sql/87_reports/050_bookings.sql
-- =============================================================================

-- Bookings: how many, of whom, how long before, and what became of them. Each counts on the day of its visit.

create type public.booking_sums as (
  bookings bigint,
  players bigint,
  cancelled bigint,
  no_shows bigint,
  cancelled_bp int,
  no_show_bp int,
  lead_minutes bigint,
  customers bigint,
  new_customers bigint,
  returning_customers bigint
);

comment on type public.booking_sums is 'The bookings of some days.';
comment on column public.booking_sums.bookings is 'Those that stand: pending, confirmed, checked in, in progress, completed or no-show.';
comment on column public.booking_sums.players is 'Their people.';
comment on column public.booking_sums.cancelled is 'Those that were cancelled; not those that were merged with another booking.';
comment on column public.booking_sums.no_shows is 'Of those that stand, parties that did not come.';
comment on column public.booking_sums.cancelled_bp is 'Cancelled of these and those that stand, in basis points; null: there were none.';
comment on column public.booking_sums.no_show_bp is 'No-shows of those that stand, in basis points; null: there were none.';
comment on column public.booking_sums.lead_minutes is
  'From booking to visit, the median of those that stand, in minutes, rounded; null: there were none.';
comment on column public.booking_sums.customers is 'Different customers of those that stand.';
comment on column public.booking_sums.new_customers is 'Those whose first booking that stands, in the whole organization, is among these.';
comment on column public.booking_sums.returning_customers is 'The others.';

create type public.status_bookings as (
  status text,
  bookings bigint
);

comment on type public.status_bookings is 'The bookings in a status.';
comment on column public.status_bookings.status is 'A hold whose time is over is expired. one of bookings.status';
comment on column public.status_bookings.bookings is 'How many.';

create type public.party_bookings as (
  party_size int,
  bookings bigint
);

comment on type public.party_bookings is 'The bookings that stand for parties of a size.';
comment on column public.party_bookings.party_size is 'People.';
comment on column public.party_bookings.bookings is 'How many.';

create type public.lead_bookings as (
  from_days int,
  to_days int,
  bookings bigint
);

comment on type public.lead_bookings is 'The bookings that stand and were made so many days before the visit.';
comment on column public.lead_bookings.from_days is 'Whole days of 24 hours, at least.';
comment on column public.lead_bookings.to_days is 'Whole days, at most; null: without end.';
comment on column public.lead_bookings.bookings is 'How many.';

create type public.room_bookings as (
  room_id uuid,
  name text,
  location_id uuid,
  sums public.booking_sums,
  previous public.booking_sums
);

comment on type public.room_bookings is 'The bookings of a room.';
comment on column public.room_bookings.room_id is 'The room.';
comment on column public.room_bookings.name is 'As the venue calls it.';
comment on column public.room_bookings.location_id is 'Where it is.';
comment on column public.room_bookings.sums is 'Of the report''s days.';
comment on column public.room_bookings.previous is 'Of the days before.';

create type public.location_bookings as (
  location_id uuid,
  name text,
  sums public.booking_sums,
  previous public.booking_sums
);

comment on type public.location_bookings is 'The bookings of a location.';
comment on column public.location_bookings.location_id is 'The location.';
comment on column public.location_bookings.name is 'As the venue calls it.';
comment on column public.location_bookings.sums is 'Of the report''s days.';
comment on column public.location_bookings.previous is 'Of the days before.';

create type public.channel_bookings as (
  channel text,
  sums public.booking_sums,
  previous public.booking_sums
);

comment on type public.channel_bookings is 'The bookings of one channel.';
comment on column public.channel_bookings.channel is 'Where they were made. one of bookings.source';
comment on column public.channel_bookings.sums is 'Of the report''s days.';
comment on column public.channel_bookings.previous is 'Of the days before.';

create type public.bookings_report as (
  from_date date,
  to_date date,
  previous_from_date date,
  previous_to_date date,
  total public.booking_sums,
  previous public.booking_sums,
  statuses public.status_bookings [],
  party_sizes public.party_bookings [],
  lead_times public.lead_bookings [],
  rooms public.room_bookings [],
  locations public.location_bookings [],
  channels public.channel_bookings []
);

comment on type public.bookings_report is 'The bookings whose visit is on some days.';
comment on column public.bookings_report.from_date is 'First date, on the clock of each location.';
comment on column public.bookings_report.to_date is 'Last date.';
comment on column public.bookings_report.previous_from_date is 'First date of the days before.';
comment on column public.bookings_report.previous_to_date is 'Last date of the days before.';
comment on column public.bookings_report.total is 'Of these days.';
comment on column public.bookings_report.previous is 'Of the days before.';
comment on column public.bookings_report.statuses is 'By status, those that there were.';
comment on column public.bookings_report.party_sizes is 'By size, those that there were.';
comment on column public.bookings_report.lead_times is 'From the same day to more than 60 days.';
comment on column public.bookings_report.rooms is 'By room: all that were asked for, by name.';
comment on column public.bookings_report.locations is 'By location, by name.';
comment on column public.bookings_report.channels is 'By channel, those that there were.';

create function private.get_bookings_report(
  organization_id uuid,
  period text,
  from_date date,
  to_date date,
  location_id uuid,
  room_id uuid
)
returns public.bookings_report
language plpgsql
stable
security definer
set jit = off
-- A plan for these very dates: one for any joins in loops what is many rows (occupancy of a month 212 ms instead of 47).
set plan_cache_mode = force_custom_plan
set search_path = ''
as $$
declare
  days private.report_days;
  answer public.bookings_report;
begin
  perform private.require_permission(get_bookings_report.organization_id, 'reports:read');
  days := private.report_days(
    get_bookings_report.organization_id, period, from_date, to_date, location_id, room_id, 366
  );
  with
  room as materialized (
    select r.*
    from private.report_rooms(get_bookings_report.organization_id, get_bookings_report.location_id, get_bookings_report.room_id) as r
  ),
  visit as materialized (
    select
      b.id, b.room_id, r.location_id, b.source, b.customer_id, b.party_size, b.starts_at, d.date >= days.from_date as is_now,
      state.status, state.status not in ('held', 'expired', 'cancelled') as stands,
      greatest(extract(epoch from b.starts_at - b.created_at) / 60, 0) as lead
    from public.bookings as b
    join room as r on r.id = b.room_id
    cross join lateral (select (b.starts_at at time zone r.timezone)::date as date offset 0) as d
    cross join lateral (select case when b.hold_expires_at <= now() then 'expired' else b.status end as status offset 0) as state
    where b.organization_id = get_bookings_report.organization_id
      and b.starts_at >= days.from_at
      and b.starts_at < days.to_at
      and d.date between days.previous_from_date and days.to_date
      -- Its people come with the other booking.
      and b.merged_into_id is null
  ),
  -- The first of each customer, whatever rooms are asked for.
  first as materialized (
    select distinct on (b.customer_id) b.customer_id, b.id
    from public.bookings as b
    where b.organization_id = get_bookings_report.organization_id
      and b.customer_id in (select v.customer_id from visit as v where v.stands)
      and b.starts_at < days.to_at
      and b.status not in ('held', 'expired', 'cancelled')
      and coalesce(b.hold_expires_at > now(), true)
    order by b.customer_id, b.starts_at, b.id
  ),
  sums as materialized (
    select
      grouping(v.room_id, v.location_id, v.source) as by, v.is_now, v.room_id, v.location_id, v.source,
      row(
        count(*) filter (where v.stands), coalesce(sum(v.party_size) filter (where v.stands), 0),
        count(*) filter (where v.status = 'cancelled'), count(*) filter (where v.status = 'no_show'),
        private.share_bp(
          count(*) filter (where v.status = 'cancelled'), count(*) filter (where v.stands or v.status = 'cancelled')
        ),
        private.share_bp(count(*) filter (where v.status = 'no_show'), count(*) filter (where v.stands)),
        round((percentile_cont(0.5) within group (order by v.lead) filter (where v.stands))::numeric),
        count(distinct v.customer_id) filter (where v.stands), count(f.id) filter (where v.stands),
        count(distinct v.customer_id) filter (where v.stands) - count(f.id) filter (where v.stands)
      )::public.booking_sums as sums
    from visit as v
    left join first as f on f.id = v.id
    group by grouping sets (
      (v.is_now), (v.is_now, v.room_id), (v.is_now, v.location_id), (v.is_now, v.source)
    )
  ),
  nothing as (select row(0, 0, 0, 0, null, null, null, 0, 0, 0)::public.booking_sums as sums)
  select
    days.from_date, days.to_date, days.previous_from_date, days.previous_to_date,
    coalesce((select s.sums from sums as s where s.by = 7 and s.is_now), n.sums),
    coalesce((select s.sums from sums as s where s.by = 7 and not s.is_now), n.sums),
    array(
      select row(v.status, count(*))::public.status_bookings
      from visit as v
      where v.is_now
      group by v.status
      order by v.status
    ),
    array(
      select row(v.party_size, count(*))::public.party_bookings
      from visit as v
      where v.is_now and v.stands
      group by v.party_size
      order by v.party_size
    ),
    array(
      select row(x.from_days, x.to_days, count(v.id))::public.lead_bookings
      from (
        values (0, 0), (1, 1), (2, 3), (4, 7), (8, 14), (15, 30), (31, 60), (61, null)
      ) as x (from_days, to_days)
      left join visit as v
        on v.is_now and v.stands and v.lead >= x.from_days * 1440
        and v.lead < coalesce((x.to_days + 1) * 1440, 'infinity'::numeric)
      group by x.from_days, x.to_days
      order by x.from_days
    ),
    array(
      select row(r.id, r.name, r.location_id, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.room_bookings
      from room as r
      left join sums as s on s.by = 3 and s.is_now and s.room_id = r.id
      left join sums as p on p.by = 3 and not p.is_now and p.room_id = r.id
      order by r.name, r.id
    ),
    array(
      select row(r.location_id, r.location_name, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.location_bookings
      from (select distinct x.location_id, x.location_name from room as x) as r
      left join sums as s on s.by = 5 and s.is_now and s.location_id = r.location_id
      left join sums as p on p.by = 5 and not p.is_now and p.location_id = r.location_id
      order by r.location_name, r.location_id
    ),
    array(
      select row(x.source, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.channel_bookings
      from (select distinct y.source from sums as y where y.by = 6) as x
      left join sums as s on s.by = 6 and s.is_now and s.source = x.source
      left join sums as p on p.by = 6 and not p.is_now and p.source = x.source
      order by x.source
    )
  into answer
  from nothing as n;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_bookings_report is
  'definer: counts bookings in one pass, without the policy for each. Asks for reports:read.';
grant execute on function private.get_bookings_report to authenticated;

create function public.get_bookings_report(
  organization_id uuid,
  period text default null,
  from_date date default null,
  to_date date default null,
  location_id uuid default null,
  room_id uuid default null
)
returns public.bookings_report
language sql
stable
set search_path = ''
as $$ select private.get_bookings_report(organization_id, period, from_date, to_date, location_id, room_id) $$;

comment on function public.get_bookings_report is
  'The bookings whose visit is in a period that has today in it (period: today, week, month, quarter or year; null: month), or from from_date to to_date, at most 366 days, each day on the clock of its location; with the period before, or as many days before: by status, party size, lead time, room, location and channel, with cancellations, no-shows, new and returning customers. location_id, room_id: of it only. For members with reports:read. Errors: 403 permission_denied; 404 location_not_found, room_not_found; 422 period_invalid, date_range_invalid, date_range_too_long (details {"maximum"}).';
grant execute on function public.get_bookings_report to authenticated;

-- =============================================================================
-- sql/87_reports/060_games.sql
-- =============================================================================

-- Games: how they ended, and how long staff were with them. Each counts on the day of its session's start.

create type public.game_sums as (
  results bigint,
  escaped bigint,
  failed bigint,
  aborted bigint,
  escaped_bp int,
  average_escape_seconds int,
  median_escape_seconds int,
  hints bigint,
  games bigint,
  staff_minutes bigint,
  staff_minutes_per_game int
);

comment on type public.game_sums is 'The games of some days.';
comment on column public.game_sums.results is 'Parties whose result is known.';
comment on column public.game_sums.escaped is 'Those that escaped.';
comment on column public.game_sums.failed is 'Those that did not.';
comment on column public.game_sums.aborted is 'Those whose game was broken off.';
comment on column public.game_sums.escaped_bp is 'Escaped of escaped and failed, in basis points; null: there were none.';
comment on column public.game_sums.average_escape_seconds is 'Of those that escaped, rounded; null: none did.';
comment on column public.game_sums.median_escape_seconds is 'Of those that escaped, rounded; null: none did.';
comment on column public.game_sums.hints is 'How many hints they were given.';
comment on column public.game_sums.games is 'Sessions with a party that came: checked in, in progress or completed.';
comment on column public.game_sums.staff_minutes is
  'The time of those who were assigned to these games, turnaround included, each person''s for itself.';
comment on column public.game_sums.staff_minutes_per_game is 'Of each game, rounded; null: there were none.';

create type public.room_games as (
  room_id uuid,
  name text,
  location_id uuid,
  sums public.game_sums,
  previous public.game_sums
);

comment on type public.room_games is 'The games of a room.';
comment on column public.room_games.room_id is 'The room.';
comment on column public.room_games.name is 'As the venue calls it.';
comment on column public.room_games.location_id is 'Where it is.';
comment on column public.room_games.sums is 'Of the report''s days.';
comment on column public.room_games.previous is 'Of the days before.';

create type public.location_games as (
  location_id uuid,
  name text,
  sums public.game_sums,
  previous public.game_sums
);

comment on type public.location_games is 'The games of a location.';
comment on column public.location_games.location_id is 'The location.';
comment on column public.location_games.name is 'As the venue calls it.';
comment on column public.location_games.sums is 'Of the report''s days.';
comment on column public.location_games.previous is 'Of the days before.';

create type public.games_report as (
  from_date date,
  to_date date,
  previous_from_date date,
  previous_to_date date,
  total public.game_sums,
  previous public.game_sums,
  rooms public.room_games [],
  locations public.location_games []
);

comment on type public.games_report is 'The games of some days.';
comment on column public.games_report.from_date is 'First date, on the clock of each location.';
comment on column public.games_report.to_date is 'Last date.';
comment on column public.games_report.previous_from_date is 'First date of the days before.';
comment on column public.games_report.previous_to_date is 'Last date of the days before.';
comment on column public.games_report.total is 'Of these days.';
comment on column public.games_report.previous is 'Of the days before.';
comment on column public.games_report.rooms is 'By room: all that were asked for, by name.';
comment on column public.games_report.locations is 'By location, by name.';

create function private.get_games_report(
  organization_id uuid,
  period text,
  from_date date,
  to_date date,
  location_id uuid,
  room_id uuid
)
returns public.games_report
language plpgsql
stable
security definer
set jit = off
-- A plan for these very dates: one for any joins in loops what is many rows (occupancy of a month 212 ms instead of 47).
set plan_cache_mode = force_custom_plan
set search_path = ''
as $$
declare
  days private.report_days;
  answer public.games_report;
begin
  perform private.require_permission(get_games_report.organization_id, 'reports:read');
  days := private.report_days(
    get_games_report.organization_id, period, from_date, to_date, location_id, room_id, 366
  );
  with
  room as materialized (
    select r.*
    from private.report_rooms(get_games_report.organization_id, get_games_report.location_id, get_games_report.room_id) as r
  ),
  visit as materialized (
    select b.id, b.session_id, b.room_id, r.location_id, b.status, d.date >= days.from_date as is_now
    from public.bookings as b
    join room as r on r.id = b.room_id
    cross join lateral (select (b.starts_at at time zone r.timezone)::date as date offset 0) as d
    where b.organization_id = get_games_report.organization_id
      and b.starts_at >= days.from_at
      and b.starts_at < days.to_at
      and d.date between days.previous_from_date and days.to_date
  ),
  game as materialized (
    select distinct v.session_id, v.room_id, v.location_id, v.is_now
    from visit as v
    where v.status in ('checked_in', 'in_progress', 'completed')
  ),
  fact as materialized (
    select v.room_id, v.location_id, v.is_now, g.outcome, g.escape_seconds, g.hints, null::uuid as game, 0::numeric as staff
    from visit as v
    join public.game_results as g on g.organization_id = get_games_report.organization_id and g.booking_id = v.id
    union all
    select g.room_id, g.location_id, g.is_now, null, null, 0, g.session_id, coalesce((
      select sum(extract(epoch from upper(x.during) - lower(x.during)) / 60)
      from public.session_staff as x
      where x.organization_id = get_games_report.organization_id and x.session_id = g.session_id
    ), 0)
    from game as g
  ),
  sums as materialized (
    select
      grouping(f.room_id, f.location_id) as by, f.is_now, f.room_id, f.location_id,
      row(
        count(f.outcome), count(*) filter (where f.outcome = 'escaped'), count(*) filter (where f.outcome = 'failed'),
        count(*) filter (where f.outcome = 'aborted'),
        private.share_bp(
          count(*) filter (where f.outcome = 'escaped'), count(*) filter (where f.outcome in ('escaped', 'failed'))
        ),
        round(avg(f.escape_seconds)),
        round((percentile_cont(0.5) within group (order by f.escape_seconds))::numeric),
        sum(f.hints), count(f.game), round(sum(f.staff)), round(sum(f.staff) / nullif(count(f.game), 0))
      )::public.game_sums as sums
    from fact as f
    group by grouping sets ((f.is_now), (f.is_now, f.room_id), (f.is_now, f.location_id))
  ),
  nothing as (select row(0, 0, 0, 0, null, null, null, 0, 0, 0, null)::public.game_sums as sums)
  select
    days.from_date, days.to_date, days.previous_from_date, days.previous_to_date,
    coalesce((select s.sums from sums as s where s.by = 3 and s.is_now), n.sums),
    coalesce((select s.sums from sums as s where s.by = 3 and not s.is_now), n.sums),
    array(
      select row(r.id, r.name, r.location_id, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.room_games
      from room as r
      left join sums as s on s.by = 1 and s.is_now and s.room_id = r.id
      left join sums as p on p.by = 1 and not p.is_now and p.room_id = r.id
      order by r.name, r.id
    ),
    array(
      select row(r.location_id, r.location_name, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.location_games
      from (select distinct x.location_id, x.location_name from room as x) as r
      left join sums as s on s.by = 2 and s.is_now and s.location_id = r.location_id
      left join sums as p on p.by = 2 and not p.is_now and p.location_id = r.location_id
      order by r.location_name, r.location_id
    )
  into answer
  from nothing as n;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_games_report is
  'definer: counts games and staff''s time in one pass, without the policy for each. Asks for reports:read.';
grant execute on function private.get_games_report to authenticated;

create function public.get_games_report(
  organization_id uuid,
  period text default null,
  from_date date default null,
  to_date date default null,
  location_id uuid default null,
  room_id uuid default null
)
returns public.games_report
language sql
stable
set search_path = ''
as $$ select private.get_games_report(organization_id, period, from_date, to_date, location_id, room_id) $$;

comment on function public.get_games_report is
  'The games of a period that has today in it (period: today, week, month, quarter or year; null: month), or from from_date to to_date, at most 366 days, each day on the clock of its location; with the period before, or as many days before: how they ended, how often parties escaped and how fast, and how long staff were with them. location_id, room_id: of it only. For members with reports:read. Errors: 403 permission_denied; 404 location_not_found, room_not_found; 422 period_invalid, date_range_invalid, date_range_too_long (details {"maximum"}).';
grant execute on function public.get_games_report to authenticated;

-- =============================================================================
-- sql/87_reports/070_occupancy.sql
-- =============================================================================

-- Occupancy: what was sold of what the opening hours offered, and what was asked for and not sold.
--
-- What is offered is as many games, one after the other, as fit into the starts that private.slots expands, without
-- those that a block takes off sale. Starts may lie closer together than games last, so that no more than one of them
-- can be sold; the earliest first is the most that fits. Hours are the present ones: those of the past are not kept.

create type public.occupancy_sums as (
  offered_games bigint,
  sold_games bigint,
  offered_minutes bigint,
  sold_minutes bigint,
  occupancy_bp int,
  outside_games bigint,
  outside_minutes bigint,
  waitlisted bigint,
  lapsed_holds bigint
);

comment on type public.occupancy_sums is 'What was offered and sold, and what was asked for and not sold.';
comment on column public.occupancy_sums.offered_games is 'As many as fit into the opening hours, one after the other, without what was blocked.';
comment on column public.occupancy_sums.sold_games is 'Sessions at one of the offered starts with a booking that stands.';
comment on column public.occupancy_sums.offered_minutes is 'The playing time of offered_games.';
comment on column public.occupancy_sums.sold_minutes is
  'The playing time of sold_games; of a shared room''s the share of its seats that were sold.';
comment on column public.occupancy_sums.occupancy_bp is 'sold_minutes of offered_minutes, in basis points; null: nothing was offered.';
comment on column public.occupancy_sums.outside_games is
  'Sessions with a booking that stands at another time: staff put them there, or hours or blocks were changed since.';
comment on column public.occupancy_sums.outside_minutes is 'Their playing time, as sold_minutes.';
comment on column public.occupancy_sums.waitlisted is
  'Entries of the waiting list that got no place: by the start that was wanted, or else, without a weekday and hour, by the first date.';
comment on column public.occupancy_sums.lapsed_holds is
  'Holds and unpaid bookings that expired, unless their customer booked the same start after all, or it was an offer of the waiting list.';

create type public.occupancy_hour as (
  weekday int,
  hour int,
  sums public.occupancy_sums
);

comment on type public.occupancy_hour is 'The starts of an hour of a weekday, together.';
comment on column public.occupancy_hour.weekday is 'ISO: 1 Monday to 7 Sunday, of the start.';
comment on column public.occupancy_hour.hour is '0 to 23, of the start, on the clock of the location.';
comment on column public.occupancy_hour.sums is 'Of these starts.';

create type public.room_occupancy as (
  room_id uuid,
  name text,
  location_id uuid,
  sums public.occupancy_sums
);

comment on type public.room_occupancy is 'The occupancy of a room. Who waits for any room is in none.';
comment on column public.room_occupancy.room_id is 'The room.';
comment on column public.room_occupancy.name is 'As the venue calls it.';
comment on column public.room_occupancy.location_id is 'Where it is.';
comment on column public.room_occupancy.sums is 'Of the report''s days.';

create type public.occupancy_report as (
  from_date date,
  to_date date,
  previous_from_date date,
  previous_to_date date,
  total public.occupancy_sums,
  previous public.occupancy_sums,
  rooms public.room_occupancy [],
  hours public.occupancy_hour []
);

comment on type public.occupancy_report is 'The occupancy of some days.';
comment on column public.occupancy_report.from_date is 'First date, on the clock of each location.';
comment on column public.occupancy_report.to_date is 'Last date.';
comment on column public.occupancy_report.previous_from_date is 'First date of the days before.';
comment on column public.occupancy_report.previous_to_date is 'Last date of the days before.';
comment on column public.occupancy_report.total is 'Of these days.';
comment on column public.occupancy_report.previous is 'Of the days before.';
comment on column public.occupancy_report.rooms is 'By room: all that were asked for, by name.';
comment on column public.occupancy_report.hours is 'By weekday and hour, where there is anything: a heat map.';

create type private.offered_start as (
  room_id uuid,
  starts_at timestamptz,
  local_start timestamp,
  minutes int,
  occupied_until timestamptz,
  fits boolean
);

comment on type private.offered_start is
  'A start that opening hours offer and no block takes; fits: whether it is one of the most that can be played one after the other.';

create function private.offered_starts(organization_id uuid, room_ids uuid [], from_date date, to_date date, anew_on date)
returns setof private.offered_start
language plpgsql
stable
set jit = off
set search_path = ''
as $$
declare
  starts private.offered_start [];
  start private.offered_start;
  room_id uuid;
  is_after boolean;
  free_from timestamptz;
begin
  starts := array(
    select row(
      s.room_id, s.starts_at, s.local_start, r.duration_minutes, s.starts_at + r.occupied,
      s.starts_at >= lag(s.starts_at + r.occupied, 1, '-infinity') over (
        partition by s.room_id, s.local_start >= offered_starts.anew_on order by s.starts_at
      )
    )::private.offered_start
    from private.slots(
      offered_starts.organization_id, offered_starts.room_ids, offered_starts.from_date, offered_starts.to_date,
      null, null, null
    ) as s
    join (
      -- A session that is there may have other times than its room has now.
      select
        x.id, x.duration_minutes, make_interval(mins => x.duration_minutes + x.turnaround_minutes) as occupied,
        (
          select range_agg(b.during)
          from public.sessions as b
          where b.organization_id = offered_starts.organization_id
            and b.room_id = x.id
            and b.mode = 'block'
            and b.status = 'scheduled'
            and b.starts_at < (offered_starts.to_date + 4)::timestamp at time zone 'UTC'
            and b.ends_at > (offered_starts.from_date - 1)::timestamp at time zone 'UTC'
        ) as blocked
      from public.rooms as x
      where x.organization_id = offered_starts.organization_id and x.id = any (offered_starts.room_ids)
      offset 0
    ) as r on r.id = s.room_id
    where s.seats_available > 0
      or r.blocked is null
      or not r.blocked && tstzrange(s.starts_at, s.starts_at + r.occupied)
    order by s.room_id, s.starts_at
  );
  -- Hardly ever do starts lie closer together than games take.
  if exists (select from unnest(starts) as s where not s.fits) then
    for n in 1..cardinality(starts) loop
      start := starts[n];
      if (start.room_id, start.local_start >= anew_on) is distinct from (room_id, is_after) then
        room_id := start.room_id;
        is_after := start.local_start >= anew_on;
        free_from := '-infinity';
      end if;
      start.fits := start.starts_at >= free_from;
      if start.fits then
        free_from := start.occupied_until;
      end if;
      return next start;
    end loop;
  else
    return query
    select s.* from unnest(starts) as s;
  end if;
end
$$;

comment on function private.offered_starts is
  'What opening hours offered on local dates, without what was blocked. From anew_on on it is counted anew, so that no figure depends on the days before. All starts of a room last equally long, so taking the earliest that fits is the most.';

create function private.get_occupancy_report(
  organization_id uuid,
  period text,
  from_date date,
  to_date date,
  location_id uuid,
  room_id uuid
)
returns public.occupancy_report
language plpgsql
stable
security definer
set jit = off
-- A plan for these very dates: one for any joins in loops what is many rows (occupancy of a month 212 ms instead of 47).
set plan_cache_mode = force_custom_plan
set search_path = ''
as $$
declare
  days private.report_days;
  room_ids uuid [];
  length int;
  starts bigint;
  answer public.occupancy_report;
begin
  perform private.require_permission(get_occupancy_report.organization_id, 'reports:read');
  days := private.report_days(
    get_occupancy_report.organization_id, period, from_date, to_date, location_id, room_id, 92
  );
  length := days.to_date - days.previous_from_date + 1;
  room_ids := array(
    select r.id
    from private.report_rooms(get_occupancy_report.organization_id, get_occupancy_report.location_id, get_occupancy_report.room_id) as r
  );
  -- What it costs follows from what is expanded. The past is not counted: as many days from today have as many starts.
  starts := private.count_starts(
    get_occupancy_report.organization_id, room_ids, current_date, current_date + length - 1, null, null
  );
  if starts > 2 * private.most_slots() then
    perform private.refuse_too_many_slots(((days.to_date - days.from_date + 1) * 2 * private.most_slots() / starts)::int);
  end if;
  with
  room as materialized (
    select r.*
    from private.report_rooms(get_occupancy_report.organization_id, get_occupancy_report.location_id, get_occupancy_report.room_id) as r
  ),
  offered as materialized (
    select o.*
    from private.offered_starts(
      get_occupancy_report.organization_id, room_ids, days.previous_from_date, days.to_date, days.from_date
    ) as o
  ),
  visit as materialized (
    select
      b.id, b.session_id, b.room_id, b.customer_id, b.starts_at, b.seats, local.start,
      b.status = 'expired' or coalesce(b.hold_expires_at <= now(), false) as has_lapsed,
      b.status not in ('held', 'expired', 'cancelled') and coalesce(b.hold_expires_at > now(), true) as stands
    from public.bookings as b
    join room as r on r.id = b.room_id
    cross join lateral (select b.starts_at at time zone r.timezone as start offset 0) as local
    where b.organization_id = get_occupancy_report.organization_id
      and b.starts_at >= days.from_at
      and b.starts_at < days.to_at
      and local.start::date between days.previous_from_date and days.to_date
  ),
  -- Grouped instead of joined: no guess of the planner's makes it compare each start with each session.
  at_start as (
    select
      x.room_id, x.start, bool_or(x.is_offered) as is_offered, bool_or(x.fits) as fits, max(x.minutes) as minutes,
      sum(x.sold) as sold, sum(x.sold_minutes) as sold_minutes
    from (
      select o.room_id, o.starts_at, o.local_start as start, true as is_offered, o.fits, o.minutes, 0 as sold, 0::numeric as sold_minutes
      from offered as o
      union all
      select
        s.room_id, s.starts_at, v.start, false, false, 0, 1,
        extract(epoch from s.ends_at - s.starts_at) / 60
        * case s.mode when 'shared' then v.seats::numeric / s.capacity else 1 end
      from (
        select y.session_id, y.start, sum(y.seats) as seats
        from visit as y
        where y.stands
        group by y.session_id, y.start
      ) as v
      join public.sessions as s on s.organization_id = get_occupancy_report.organization_id and s.id = v.session_id
    ) as x
    group by x.room_id, x.starts_at, x.start
  ),
  fact as materialized (
    select
      a.room_id, a.start, a.start::date >= days.from_date as is_now,
      a.fits::int as offered, case when a.is_offered then a.sold else 0 end as sold,
      case when a.fits then a.minutes else 0 end as offered_minutes,
      case when a.is_offered then a.sold_minutes else 0 end as sold_minutes,
      case when a.is_offered then 0 else a.sold end as outside,
      case when a.is_offered then 0 else a.sold_minutes end as outside_minutes,
      0 as waitlisted, 0 as lapsed, true as has_hour
    from at_start as a
    where a.fits or a.sold > 0
    union all
    select v.room_id, v.start, v.start::date >= days.from_date, 0, 0, 0, 0, 0, 0, 0, 1, true
    from visit as v
    where v.has_lapsed
      and not exists (
        select from visit as b
        where b.stands and b.customer_id = v.customer_id and b.room_id = v.room_id and b.starts_at = v.starts_at
      )
      and not exists (
        select from public.waitlist_entries as e
        where e.organization_id = get_occupancy_report.organization_id and e.booking_id = v.id
      )
    union all
    select
      e.room_id, coalesce(local.start, e.from_date::timestamp), coalesce(local.start::date, e.from_date) >= days.from_date,
      0, 0, 0, 0, 0, 0, 1, 0, local.start is not null
    from public.waitlist_entries as e
    left join lateral (
      -- Who waits for any of the calendar's rooms: on the clock of the first.
      select r.id, r.timezone
      from room as r
      where case
        when e.room_id is not null then r.id = e.room_id
        else exists (
          select from public.calendar_rooms as cr
          where cr.organization_id = e.organization_id and cr.calendar_id = e.calendar_id and cr.room_id = r.id
        )
      end
      order by r.name, r.id
      limit 1
    ) as place on true
    cross join lateral (select e.starts_at at time zone place.timezone as start offset 0) as local
    where e.organization_id = get_occupancy_report.organization_id
      and e.status <> 'booked'
      and e.from_date between days.previous_from_date - 1 and days.to_date + 1
      and place.id is not null
      and coalesce(local.start::date, e.from_date) between days.previous_from_date and days.to_date
  ),
  hour as materialized (
    select f.*, extract(isodow from f.start)::int as weekday, extract(hour from f.start)::int as hour
    from fact as f
  ),
  sums as materialized (
    select
      grouping(h.room_id, h.weekday) as by, h.is_now, h.has_hour, h.room_id, h.weekday, h.hour,
      row(
        sum(h.offered), sum(h.sold), sum(h.offered_minutes), round(sum(h.sold_minutes)),
        round(sum(h.sold_minutes) * 10000 / nullif(sum(h.offered_minutes), 0)),
        sum(h.outside), round(sum(h.outside_minutes)), sum(h.waitlisted), sum(h.lapsed)
      )::public.occupancy_sums as sums
    from hour as h
    group by grouping sets ((h.is_now), (h.is_now, h.room_id), (h.is_now, h.has_hour, h.weekday, h.hour))
  ),
  nothing as (select row(0, 0, 0, 0, null, 0, 0, 0, 0)::public.occupancy_sums as sums)
  select
    days.from_date, days.to_date, days.previous_from_date, days.previous_to_date,
    coalesce((select s.sums from sums as s where s.by = 3 and s.is_now), n.sums),
    coalesce((select s.sums from sums as s where s.by = 3 and not s.is_now), n.sums),
    array(
      select row(r.id, r.name, r.location_id, coalesce(s.sums, n.sums))::public.room_occupancy
      from room as r
      left join sums as s on s.by = 1 and s.is_now and s.room_id = r.id
      order by r.name, r.id
    ),
    array(
      select row(s.weekday, s.hour, s.sums)::public.occupancy_hour
      from sums as s
      where s.by = 2 and s.is_now and s.has_hour
      order by s.weekday, s.hour
    )
  into answer
  from nothing as n;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_occupancy_report is
  'definer: reads hours, sessions, bookings and the waiting list in one pass, without the policy for each. Asks for reports:read.';
grant execute on function private.get_occupancy_report to authenticated;

create function public.get_occupancy_report(
  organization_id uuid,
  period text default null,
  from_date date default null,
  to_date date default null,
  location_id uuid default null,
  room_id uuid default null
)
returns public.occupancy_report
language sql
stable
set search_path = ''
as $$ select private.get_occupancy_report(organization_id, period, from_date, to_date, location_id, room_id) $$;

comment on function public.get_occupancy_report is
  'What was sold of what opening hours offer, and what was asked for and not sold, in a period that has today in it (period: today, week, month or quarter; null: month), or from from_date to to_date, at most 92 days, each day on the clock of its location; with the period before, or as many days before; by room, and by weekday and hour. location_id, room_id: of it only. Hours are the present ones; refused holds and searches that found nothing are not kept, and in no figure. For members with reports:read. Errors: 403 permission_denied; 404 location_not_found, room_not_found; 422 period_invalid, date_range_invalid, date_range_too_long (details {"maximum"}), too_many_slots (details {"maximum", "days"}).';
grant execute on function public.get_occupancy_report to authenticated;

-- =============================================================================
-- sql/87_reports/080_table_exports.sql
-- =============================================================================

-- Rows of one kind as a file for the member who asks: bookings, payments, customers, waivers, results; or the figures of a
-- month on paper, which are read in a file of their own.
--
-- The worker makes it, however small it is, in pages along the rows' ids, so neither a statement nor the worker's memory
-- grows with the venue. What the member may not read in the tables is not in it, and all that was needed for what is in
-- it is asked for again with each page, when the mail is written and when the file is fetched.

select private.permission_upsert(
  'reports:export', 'reports', false,
  'Take bookings, payments, customers, waivers, results and reports of a month along as files',
  'Llevarse reservas, pagos, clientes, exenciones, resultados e informes de un mes en archivos',
  array['admin', 'manager'],
  rests_in_visits => true
);

create table public.table_exports (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  user_id uuid,
  kind text not null,
  format text not null,
  locale text not null,
  from_date date,
  to_date date,
  location_id uuid,
  room_id uuid,
  permissions text [] not null,
  status text not null default 'queued',
  progress int not null default 0,
  row_total bigint,
  row_count bigint,
  object_path text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  expires_at timestamptz,
  constraint table_exports_pkey primary key (organization_id, id),
  constraint table_exports_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  -- The row stays: its file is to be deleted.
  constraint table_exports_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete set null (user_id),
  constraint table_exports_kind_is_known check (kind in ('bookings', 'payments', 'customers', 'waivers', 'results', 'month')),
  constraint table_exports_format_is_known check (format in ('csv', 'xlsx', 'pdf')),
  constraint table_exports_month_is_on_paper check ((kind = 'month') = (format = 'pdf')),
  constraint table_exports_month_has_its_dates check (kind <> 'month' or num_nonnulls(from_date, to_date) = 2),
  constraint table_exports_locale_is_supported check (private.is_locale(locale)),
  constraint table_exports_status_is_known check (status in ('queued', 'finished', 'failed')),
  constraint table_exports_progress_is_a_percentage check (progress between 0 and 100),
  constraint table_exports_finished_has_a_file check ((status = 'finished') = (num_nonnulls(object_path, row_count) = 2)),
  constraint table_exports_ends_once_it_is_over check ((status = 'queued') = (num_nonnulls(finished_at, expires_at) = 0))
);

comment on table public.table_exports is
  'Files of bookings, payments, customers, waivers or results, and reports of a month, that members asked for, in the private bucket table-exports. Each is for whoever asked alone. File and row end 72 hours after it was finished; the log keeps who had what.';
comment on column public.table_exports.user_id is 'Who asked, and who alone sees it; null: no member any more.';
comment on column public.table_exports.kind is
  'bookings, payments, customers, waivers or results: their rows; month: the figures of the reports.';
comment on column public.table_exports.format is 'csv or xlsx; of a month pdf.';
comment on column public.table_exports.locale is 'Of the headings, or of the report.';
comment on column public.table_exports.from_date is
  'First date on the clock of the location: of the visit (bookings, results), on which the money moved (payments), the customer was added or the waiver signed; the first of the month. Null: from the beginning.';
comment on column public.table_exports.to_date is 'Last date; null: to the end.';
comment on column public.table_exports.location_id is 'Of this location only; null: of all.';
comment on column public.table_exports.room_id is 'Of this room only; null: of all.';
comment on column public.table_exports.permissions is
  'What whoever asked held when they did, and what the columns of the file take. Without one of them it is not made, and not fetched.';
comment on column public.table_exports.status is 'queued, finished, or failed.';
comment on column public.table_exports.progress is 'How much of it is written, in percent, by tens.';
comment on column public.table_exports.row_total is 'How many rows there were when it was begun; null: not yet, or a month.';
comment on column public.table_exports.row_count is 'Rows in the file, headings not counted; of a month its pages.';
comment on column public.table_exports.object_path is 'Path in the bucket table-exports; null: no file.';
comment on column public.table_exports.expires_at is 'When file and row are deleted; null while it is queued.';

-- for: private.export_table; one at a time of a person and kind, so that none keeps others waiting
create unique index table_exports_one_pending_key on public.table_exports (organization_id, user_id, kind)
where status = 'queued';
-- for: a person's own, the foreign key, and private.own_export_paths
create index table_exports_user_id_idx on public.table_exports (user_id, organization_id, id);
-- for: private.end_table_exports
create index table_exports_expires_at_idx on public.table_exports (expires_at);

grant select on public.table_exports to authenticated;

alter table public.table_exports enable row level security;

create policy table_exports_select on public.table_exports
for select to authenticated
using (
  organization_id = (select private.organization_with('reports:export'))
  and user_id = (select auth.uid())
);

-- A row is there for 72 hours.
create trigger table_exports_bound_rows
after insert on public.table_exports
for each row execute function private.bound_rows('100', 'user_id');

create function private.may_have_export(export public.table_exports)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Each of them: what is in the file, and to have files at all.
  return (
    select count(distinct rp.permission_key) = cardinality(export.permissions)
    from private.active_memberships as m
    join public.organizations as o on o.id = m.organization_id
    join public.role_permissions as rp on rp.organization_id = m.organization_id and rp.role_id = m.role_id
    where m.organization_id = export.organization_id
      and m.user_id = export.user_id
      and m.expires_at is null
      and o.status <> 'closed'
      and rp.permission_key = any (export.permissions)
  );
end
$$;

comment on function private.may_have_export is
  'Whether whoever asked for an export is a member now, no visitor, and holds all that its columns take.';

create function private.own_export_paths()
returns text []
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return array(
    select e.object_path
    from public.table_exports as e
    where e.user_id = private.calling_person()
      and e.status = 'finished'
      and e.expires_at > now()
      and private.may_have_export(e)
  );
end
$$;

comment on function private.own_export_paths is
  'definer: reads roles inside the policy of the files. Paths of the caller''s own exports whose time is not over and whose permissions the caller holds now.';
grant execute on function private.own_export_paths to authenticated;

-- Written by the worker as service_role.
create policy table_exports_files_select on storage.objects
for select to authenticated
using (
  bucket_id = 'table-exports'
  and (storage.foldername(name))[1] = (select private.folder_with('reports:export'))
  and name = any ((select private.own_export_paths())::text [])
);

create function private.export_permissions(kind text)
returns text []
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case export_permissions.kind
    when 'bookings' then array['bookings:read', 'customers:read', 'payments:read', 'rooms:read']
    when 'payments' then array['payments:read', 'bookings:read', 'customers:read', 'rooms:read']
    when 'customers' then array['customers:read', 'bookings:read']
    when 'waivers' then array['waivers:read', 'bookings:read', 'rooms:read']
    when 'results' then array['games:read', 'bookings:read', 'rooms:read']
    when 'month' then array['reports:read']
  end;
end
$$;

comment on function private.export_permissions is
  'What an export of a kind takes first, and then what its further columns take; without those it is made without them. Null of an unknown kind.';

create function private.queue_table_export(wanted public.table_exports)
returns public.table_exports
language plpgsql
volatile
set search_path = ''
as $$
declare
  queued public.table_exports;
begin
  -- One whose job was given up without a word keeps nobody from asking again.
  update public.table_exports as e
  set status = 'failed', finished_at = now(), expires_at = now() + interval '72 hours'
  where e.organization_id = wanted.organization_id
    and e.user_id = wanted.user_id
    and e.kind = wanted.kind
    and e.status = 'queued'
    and not exists (
      select from private.jobs as j
      where j.kind = 'table.export'
        and j.dedupe_key = 'table.export:' || e.id
        and j.status in ('queued', 'running')
    );
  insert into public.table_exports (
    organization_id, user_id, kind, format, locale, from_date, to_date, location_id, room_id, permissions
  )
  values (
    wanted.organization_id, wanted.user_id, wanted.kind, wanted.format, wanted.locale, wanted.from_date, wanted.to_date,
    wanted.location_id, wanted.room_id, wanted.permissions
  )
  on conflict (organization_id, user_id, kind) where status = 'queued' do nothing
  returning * into queued;
  if found then
    perform private.enqueue(
      'table.export',
      jsonb_build_object('organization_id', queued.organization_id, 'export_id', queued.id),
      'table.export:' || queued.id,
      queued.organization_id
    );
  end if;
  return queued;
end
$$;

comment on function private.queue_table_export is
  'Queues an export: of a row who asked, for what and holding what. Null, while another of that person and kind is under way.';

create function private.export_table(
  organization_id uuid,
  kind text,
  format text,
  locale text,
  from_date date,
  to_date date,
  location_id uuid,
  room_id uuid
)
returns public.table_exports
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  caller uuid;
  wanted text [] := private.export_permissions(export_table.kind);
  language text;
  last date := export_table.to_date;
  asked public.table_exports;
  queued public.table_exports;
begin
  perform private.require_permission(export_table.organization_id, 'reports:export');
  if wanted is null then
    perform private.fail('kind_invalid', 422, 'Choose bookings, payments, customers, waivers, results or month.');
  end if;
  perform private.require_permission(export_table.organization_id, wanted[1]);
  -- Its columns are the person's, and so is the mail.
  caller := private.require_user();
  if export_table.kind = 'month' then
    if export_table.format is distinct from 'pdf' then
      perform private.fail('format_invalid', 422, 'Choose pdf: a month is on paper.');
    end if;
    last := (date_trunc('month', export_table.from_date::timestamp) + interval '1 month')::date - 1;
    if export_table.from_date is null
      or export_table.from_date <> date_trunc('month', export_table.from_date::timestamp)::date
      or export_table.to_date <> last
    then
      perform private.fail('date_range_invalid', 422, 'Give the first day of the month as from_date, and its last or none as to_date.');
    end if;
  elsif coalesce(export_table.format, '') not in ('csv', 'xlsx') then
    perform private.fail('format_invalid', 422, 'Choose csv or xlsx.');
  end if;
  language := coalesce(export_table.locale, (select p.locale from public.profiles as p where p.user_id = caller));
  if private.is_locale(language) is not true then
    perform private.fail('locale_invalid', 422, 'Choose es, en or ca.');
  elsif export_table.to_date < export_table.from_date
    or export_table.from_date not between date '2000-01-01' and date '2099-12-31'
    or export_table.to_date not between date '2000-01-01' and date '2099-12-31'
  then
    perform private.fail('date_range_invalid', 422, 'Give two dates from 2000 to 2099, from_date not after to_date.');
  elsif export_table.location_id is not null and not exists (
    select from public.locations as l
    where l.organization_id = export_table.organization_id and l.id = export_table.location_id
  ) then
    perform private.fail('location_not_found', 404, 'Choose one of the organization''s locations, or none for all.');
  elsif export_table.room_id is not null and not exists (
    select from private.report_rooms(export_table.organization_id, export_table.location_id, export_table.room_id)
  ) then
    perform private.fail('room_not_found', 404, 'Choose one of the rooms of the organization and the location, or none for all.');
  elsif export_table.kind = 'customers' and num_nonnulls(export_table.location_id, export_table.room_id) > 0 then
    -- Who visits where is said by bookings.
    perform private.require_permission(export_table.organization_id, 'bookings:read');
  end if;

  asked.organization_id := export_table.organization_id;
  asked.user_id := caller;
  asked.kind := export_table.kind;
  asked.format := export_table.format;
  asked.locale := language;
  asked.from_date := export_table.from_date;
  asked.to_date := last;
  asked.location_id := export_table.location_id;
  asked.room_id := export_table.room_id;
  asked.permissions := array['reports:export'] || array(
    select p.key
    from unnest(wanted) as p (key)
    where private.has_permission(export_table.organization_id, p.key)
    order by p.key
  );
  queued := private.queue_table_export(asked);
  if queued.id is null then
    select e.* into queued
    from public.table_exports as e
    where e.organization_id = export_table.organization_id
      and e.user_id = caller
      and e.kind = export_table.kind
      and e.status = 'queued';
    if (queued.format, queued.locale, queued.from_date, queued.to_date, queued.location_id, queued.room_id)
      is distinct from (
        export_table.format, language, export_table.from_date, last, export_table.location_id, export_table.room_id
      )
    then
      perform private.fail(
        'export_pending', 409, 'Wait for the export of this kind that is under way.',
        jsonb_build_object('export_id', queued.id)
      );
    end if;
  end if;
  return queued;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.export_table is 'definer: queues work, which no client may.';
grant execute on function private.export_table to authenticated;

create function public.export_table(
  organization_id uuid,
  kind text,
  format text default 'csv',
  locale text default null,
  from_date date default null,
  to_date date default null,
  location_id uuid default null,
  room_id uuid default null
)
returns public.table_exports
language sql
volatile
set search_path = ''
as $$
  select private.export_table(organization_id, kind, format, locale, from_date, to_date, location_id, room_id)
$$;

comment on function public.export_table is
  'Queues a file of all bookings, payments, customers, waivers or results (kind), or of those from from_date to to_date, of a location, of a room; or, of kind month, the report of the month that begins on from_date; format: csv or xlsx, and pdf of a month; locale: of its headings, null: the caller''s. Answers what is under way if the same was asked for before; watch table_exports for its end, which a mail tells, too. For members with reports:export and bookings:read, payments:read, customers:read, waivers:read, games:read or reports:read, as the kind is; columns of other tables are in it for whoever may read those. Errors: 401 not_authenticated; 403 permission_denied, user_required; 404 location_not_found, room_not_found; 409 export_pending (details {"export_id"}); 422 kind_invalid, format_invalid, locale_invalid, date_range_invalid, too_many_rows (details {"table", "maximum", "per"}).';
grant execute on function public.export_table to authenticated;

create function private.export_ids(export public.table_exports, after uuid, wanted bigint)
returns setof uuid
language plpgsql
stable
set jit = off
-- For these very dates: few of many rows are found by the date, all of them by their ids.
set plan_cache_mode = force_custom_plan
set search_path = ''
as $$
#variable_conflict use_variable
declare
  organization uuid := export.organization_id;
  place uuid := export.location_id;
  only_room uuid := export.room_id;
  first date := coalesce(export.from_date, '-infinity');
  last date := coalesce(export.to_date, 'infinity');
  -- No clock is further from UTC.
  from_at timestamptz := (first - 1)::timestamp at time zone 'UTC';
  to_at timestamptz := (last + 2)::timestamp at time zone 'UTC';
  beyond uuid := coalesce(after, '00000000-0000-0000-0000-000000000000');
  zone text;
begin
  case export.kind
    when 'bookings' then
      return query
      select b.id
      from public.bookings as b
      join private.report_rooms(organization, place, only_room) as r on r.id = b.room_id
      where b.organization_id = organization
        and b.id > beyond
        and b.starts_at between from_at and to_at
        and (b.starts_at at time zone r.timezone)::date between first and last
      order by b.id
      limit wanted;
    when 'payments' then
      return query
      select m.id
      from (
        (
          select p.id
          from public.payments as p
          join public.bookings as b on b.organization_id = p.organization_id and b.id = p.booking_id
          join private.report_rooms(organization, place, only_room) as r on r.id = b.room_id
          where p.organization_id = organization
            and p.id > beyond
            and p.occurred_at between from_at and to_at
            and (p.occurred_at at time zone r.timezone)::date between first and last
          order by p.id
          limit wanted
        )
        union all
        (
          select f.id
          from public.refunds as f
          join public.bookings as b on b.organization_id = f.organization_id and b.id = f.booking_id
          join private.report_rooms(organization, place, only_room) as r on r.id = b.room_id
          where f.organization_id = organization
            and f.id > beyond
            and f.occurred_at between from_at and to_at
            and (f.occurred_at at time zone r.timezone)::date between first and last
          order by f.id
          limit wanted
        )
      ) as m
      order by m.id
      limit wanted;
    when 'customers' then
      zone := private.export_zone(export);
      return query
      select c.id
      from public.customers as c
      where c.organization_id = organization
        and c.id > beyond
        and c.erased_at is null
        and c.created_at between from_at and to_at
        and (c.created_at at time zone zone)::date between first and last
        and (num_nonnulls(place, only_room) = 0 or exists (
          select from public.bookings as b
          join private.report_rooms(organization, place, only_room) as r on r.id = b.room_id
          where b.organization_id = organization and b.customer_id = c.id
        ))
      order by c.id
      limit wanted;
    when 'waivers' then
      return query
      select w.id
      from public.waiver_signatures as w
      join public.bookings as b on b.organization_id = w.organization_id and b.id = w.booking_id
      join private.report_rooms(organization, place, only_room) as r on r.id = b.room_id
      where w.organization_id = organization
        and w.id > beyond
        and w.signed_at between from_at and to_at
        and (w.signed_at at time zone r.timezone)::date between first and last
      order by w.id
      limit wanted;
    when 'results' then
      return query
      select g.booking_id
      from public.game_results as g
      join public.bookings as b on b.organization_id = g.organization_id and b.id = g.booking_id
      join private.report_rooms(organization, place, only_room) as r on r.id = b.room_id
      where g.organization_id = organization
        and g.booking_id > beyond
        and b.starts_at between from_at and to_at
        and (b.starts_at at time zone r.timezone)::date between first and last
      order by g.booking_id
      limit wanted;
  end case;
end
$$;

comment on function private.export_ids is
  'The ids of the rows that an export holds, in their order, after one, at most so many (null: all).';

create function private.export_zone(export public.table_exports)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(
    (
      select l.timezone
      from public.locations as l
      where l.organization_id = export.organization_id
        and l.id = coalesce(export.location_id, (
          select r.location_id
          from public.rooms as r
          where r.organization_id = export.organization_id and r.id = export.room_id
        ))
    ),
    (select o.timezone from public.organizations as o where o.id = export.organization_id)
  );
end
$$;

comment on function private.export_zone is
  'The clock of what belongs to no room: that of the room or location that is asked for, else the organization''s.';

create function private.wall_clock(instant timestamptz, zone text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return to_char(instant at time zone zone, 'YYYY-MM-DD"T"HH24:MI:SS');
end
$$;

comment on function private.wall_clock is 'An instant as the clock of a place showed it, without a zone.';

create function private.export_page(export public.table_exports, after uuid, wanted int)
returns setof jsonb
language plpgsql
stable
set jit = off
set plan_cache_mode = force_custom_plan
set search_path = ''
as $$
#variable_conflict use_variable
declare
  organization uuid := export.organization_id;
  ids uuid [] := array(select i from private.export_ids(export, after, wanted) as i);
  sees_bookings boolean := 'bookings:read' = any (export.permissions);
  sees_customers boolean := 'customers:read' = any (export.permissions);
  sees_money boolean := 'payments:read' = any (export.permissions);
  sees_rooms boolean := 'rooms:read' = any (export.permissions);
  zone text;
begin
  case export.kind
    when 'bookings' then
      return query
      select jsonb_build_object(
        'id', b.id,
        'reference', b.reference,
        'status', b.status,
        'starts_at', private.wall_clock(b.starts_at, l.timezone),
        'ends_at', private.wall_clock(s.ends_at, l.timezone),
        'timezone', l.timezone,
        'party_size', b.party_size,
        'source', b.source,
        'language', b.locale,
        'booked_at', private.wall_clock(b.created_at, l.timezone),
        'currency', b.currency,
        'total', b.total_cents,
        'tax', b.tax_cents,
        'staff_note', b.staff_note
      ) || case when not sees_rooms then '{}' else jsonb_build_object('room', r.name, 'location', l.name) end
      || case when not sees_customers then '{}' else jsonb_build_object(
        'customer', c.contact_name,
        'email', case when k.erased_at is null then k.email end,
        'phone', coalesce(c.contact_phone, k.phone),
        'customer_note', c.customer_note
      ) end
      || case when not sees_money then '{}' else jsonb_build_object(
        'paid', balance.paid_cents,
        'refunded', balance.refunded_cents,
        -- A hold is no booking yet, and owes nothing.
        'open', case b.status when 'held' then 0 else private.booking_open(b) end
      ) end
      from public.bookings as b
      join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
      join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
      join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
      join public.booking_contacts as c on c.organization_id = b.organization_id and c.booking_id = b.id
      join public.customers as k on k.organization_id = b.organization_id and k.id = b.customer_id
      left join lateral private.booking_balance(b.organization_id, b.id) as balance on sees_money
      where b.organization_id = organization and b.id = any (ids)
      order by b.id;
    when 'payments' then
      return query
      select jsonb_build_object(
        'id', m.id,
        'occurred_at', private.wall_clock(m.occurred_at, l.timezone),
        'timezone', l.timezone,
        'entry', m.entry,
        'method', m.method,
        'currency', m.currency,
        'amount', m.amount_cents,
        'provider_id', m.provider_id
      ) || case when not sees_bookings then '{}' else jsonb_build_object(
        'reference', b.reference,
        'visit_at', private.wall_clock(b.starts_at, l.timezone)
      ) end
      || case when not sees_rooms then '{}' else jsonb_build_object('room', r.name, 'location', l.name) end
      || case when not sees_customers then '{}' else jsonb_build_object(
        'customer', c.contact_name, 'email', case when k.erased_at is null then k.email end
      ) end
      from (
        select
          p.id, p.booking_id, 'payment' as entry, p.method, p.currency, p.amount_cents, p.occurred_at,
          p.provider_payment_id as provider_id
        from public.payments as p
        where p.organization_id = organization and p.id = any (ids)
        union all
        select f.id, f.booking_id, f.kind, f.method, f.currency, -f.amount_cents, f.occurred_at, f.provider_refund_id
        from public.refunds as f
        where f.organization_id = organization and f.id = any (ids)
      ) as m
      join public.bookings as b on b.organization_id = organization and b.id = m.booking_id
      join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
      join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
      join public.booking_contacts as c on c.organization_id = b.organization_id and c.booking_id = b.id
      join public.customers as k on k.organization_id = b.organization_id and k.id = b.customer_id
      order by m.id;
    when 'customers' then
      zone := private.export_zone(export);
      return query
      select jsonb_build_object(
        'id', c.id,
        'customer', c.full_name,
        'email', c.email,
        'phone', c.phone,
        'language', c.locale,
        'added_at', private.wall_clock(c.created_at, zone),
        'timezone', zone,
        'tags', (
          select string_agg(t.tag, ', ' order by t.tag)
          from public.customer_tags as t
          where t.organization_id = c.organization_id and t.customer_id = c.id
        ),
        'marketing', coalesce(((private.latest_consents(c.organization_id, c.id)).marketing).granted, false),
        'staff_note', c.staff_note
      ) || case when not sees_bookings then '{}' else (
        select jsonb_build_object(
          'bookings', count(*),
          'first_visit_at', private.wall_clock(min(b.starts_at), zone),
          'last_visit_at', private.wall_clock(max(b.starts_at), zone)
        )
        from public.bookings as b
        where b.organization_id = c.organization_id
          and b.customer_id = c.id
          and b.status not in ('held', 'expired', 'cancelled')
      ) end
      from public.customers as c
      where c.organization_id = organization and c.id = any (ids)
      order by c.id;
    when 'waivers' then
      return query
      select jsonb_build_object(
        'id', w.id,
        'signed_at', private.wall_clock(w.signed_at, l.timezone),
        'timezone', l.timezone,
        'signer', w.full_name,
        'email', w.email,
        'plays', w.plays,
        'minors', (
          select string_agg(concat_ws(' ', m ->> 'full_name', '(' || (m ->> 'birth_year') || ')'), ', ')
          from jsonb_array_elements(w.minors) as m
        ),
        'people', w.people,
        'version', w.version,
        'language', w.locale
      ) || case when not sees_bookings then '{}' else jsonb_build_object(
        'reference', b.reference,
        'visit_at', private.wall_clock(b.starts_at, l.timezone)
      ) end
      || case when not sees_rooms then '{}' else jsonb_build_object('room', r.name, 'location', l.name) end
      from public.waiver_signatures as w
      join public.bookings as b on b.organization_id = w.organization_id and b.id = w.booking_id
      join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
      join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
      where w.organization_id = organization and w.id = any (ids)
      order by w.id;
    when 'results' then
      return query
      select jsonb_build_object(
        'id', g.booking_id,
        'played_at', private.wall_clock(g.played_at, l.timezone),
        'timezone', l.timezone,
        'outcome', g.outcome,
        'escape_seconds', g.escape_seconds,
        'duration_seconds', g.duration_seconds,
        'pauses', g.pauses,
        'hints', g.hints,
        'team_name', g.team_name,
        'level', g.level,
        'game_language', g.language,
        'is_by_hand', g.is_by_hand,
        'correction_reason', g.correction_reason,
        'game_notes', g.notes
      ) || case when not sees_bookings then '{}' else jsonb_build_object(
        'reference', b.reference,
        'visit_at', private.wall_clock(b.starts_at, l.timezone),
        'party_size', b.party_size
      ) end
      || case when not sees_rooms then '{}' else jsonb_build_object('room', r.name, 'location', l.name) end
      from public.game_results as g
      join public.bookings as b on b.organization_id = g.organization_id and b.id = g.booking_id
      join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
      join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
      where g.organization_id = organization and g.booking_id = any (ids)
      order by g.booking_id;
  end case;
end
$$;

comment on function private.export_page is
  'Rows of an export after one, at most so many, in the order of their ids: {"id", a value a column} each, amounts in minor units, instants on the clock of the location; a column that whoever asked may not read is missing.';

create function private.table_export_of(job private.jobs)
returns public.table_exports
language plpgsql
stable
set search_path = ''
as $$
declare
  export public.table_exports;
begin
  perform private.refuse_other_object(job, job.kind = 'table.export');
  select e.* into export
  from public.table_exports as e
  where e.organization_id = job.organization_id
    and e.id = (job.payload ->> 'export_id')::uuid
    and e.status = 'queued';
  return export;
end
$$;

comment on function private.table_export_of is
  'The export that a job makes; null when it is over, or gone. Raises 409 lease_of_another for a job of another kind.';

create type service.table_export as (
  kind text,
  format text,
  locale text,
  object_path text,
  permissions text []
);

comment on type service.table_export is 'A file that is to be made.';
comment on column service.table_export.kind is 'month: read by read_month. one of: bookings, payments, customers, waivers, results, month';
comment on column service.table_export.format is 'one of: csv, xlsx, pdf';
comment on column service.table_export.locale is 'Of its headings. one of: es, en, ca';
comment on column service.table_export.object_path is 'Where it is to be put, in the bucket table-exports.';
comment on column service.table_export.permissions is 'What whoever asked for it held: columns that take another one are left out.';

create function private.begin_table_export(job_id bigint, lease_token uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(begin_table_export.job_id, begin_table_export.lease_token);
  export public.table_exports := private.table_export_of(job);
begin
  if export.id is null then
    return null;
  end if;
  perform private.act_as('system');
  if not private.may_have_export(export) then
    update public.table_exports as e
    set status = 'failed', finished_at = now(), expires_at = now() + interval '72 hours'
    where e.organization_id = export.organization_id and e.id = export.id;
    return null;
  end if;
  update public.table_exports as e
  set progress = 0,
    row_total = case when export.kind <> 'month' then (select count(*) from private.export_ids(export, null, null)) end
  where e.organization_id = export.organization_id and e.id = export.id;
  return to_jsonb(row(
    export.kind, export.format, export.locale,
    concat(export.organization_id, '/', export.id, '.', export.format), export.permissions
  )::service.table_export);
end
$$;

comment on function private.begin_table_export is 'definer: reads and writes exports for the worker.';
grant execute on function private.begin_table_export to service_role;

create function service.begin_table_export(job_id bigint, lease_token uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.begin_table_export(job_id, lease_token) $$;

comment on function service.begin_table_export is
  'What a claimed job of kind table.export is to make, from its beginning. null when there is nothing to do: it is over, or whoever asked may not have it any more, which ends it. Answers service.table_export or null. Errors: 409 lease_lost, lease_of_another.';
grant execute on function service.begin_table_export to service_role;

create function private.read_table_export(
  job_id bigint,
  lease_token uuid,
  after uuid,
  rows_before bigint,
  max_rows int
)
returns setof jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(read_table_export.job_id, read_table_export.lease_token);
  export public.table_exports := private.table_export_of(job);
  reached int;
begin
  if export.id is null or not private.may_have_export(export) then
    -- Not an empty page, which would be the end of a file.
    perform private.fail('export_not_allowed', 403, 'Give the export up: whoever asked may not have it any more.');
  end if;
  -- By tens, since the log keeps every change of a row.
  reached := least(90, rows_before * 10 / greatest(export.row_total, 1) * 10);
  if reached > export.progress then
    perform private.act_as('system');
    update public.table_exports as e
    set progress = reached
    where e.organization_id = export.organization_id and e.id = export.id;
  end if;
  return query
  select private.export_page(export, read_table_export.after, least(greatest(max_rows, 1), 5000));
end
$$;

comment on function private.read_table_export is
  'definer: reads the tables of the tenant for the export whose job holds the lease, as far as whoever asked for it may.';
grant execute on function private.read_table_export to service_role;

create function service.read_table_export(
  job_id bigint,
  lease_token uuid,
  after uuid default null,
  rows_before bigint default 0,
  max_rows int default 1000
)
returns setof jsonb
language sql
volatile
set search_path = ''
as $$ select private.read_table_export(job_id, lease_token, after, rows_before, max_rows) $$;

comment on function service.read_table_export is
  'Rows of the file that the job makes, under its lease, at most max_rows (1 to 5000), in the order of their ids: {"id", a value a column} each. after: the id of the last row of the page before; null for the first page. rows_before: how many came before, for the progress that is shown. No row comes twice; one that is written while pages are read may be in or not. The page after the last one is empty. Errors: 403 export_not_allowed; 409 lease_lost, lease_of_another.';
grant execute on function service.read_table_export to service_role;

create function private.announce_table_export(export public.table_exports)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'table_export_ready', 'organization_id', export.organization_id, 'export_id', export.id
    ),
    'table_export_ready:' || export.id,
    export.organization_id
  );
end
$$;

comment on function private.announce_table_export is 'The outbox: a file that is ready writes its mail in the same transaction.';

create function private.erase_export_file(object_path text, organization_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'export.erase',
    jsonb_build_object('object_path', erase_export_file.object_path),
    'export.erase:' || erase_export_file.object_path,
    erase_export_file.organization_id
  );
end
$$;

comment on function private.erase_export_file is 'The outbox: a file of an export that is over is deleted by the worker.';

create function private.finish_table_export(job_id bigint, lease_token uuid, row_count bigint)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(finish_table_export.job_id, finish_table_export.lease_token);
  export public.table_exports := private.table_export_of(job);
  path text := concat(export.organization_id, '/', export.id, '.', export.format);
  is_made boolean := finish_table_export.row_count is not null;
begin
  if export.id is null then
    return;
  end if;
  perform private.act_as('system');
  update public.table_exports as e
  set status = case when is_made then 'finished' else 'failed' end,
    progress = case when is_made then 100 else e.progress end,
    object_path = case when is_made then path end,
    row_count = finish_table_export.row_count,
    finished_at = now(),
    expires_at = now() + interval '72 hours'
  where e.organization_id = export.organization_id and e.id = export.id
  returning e.* into export;
  if is_made then
    perform private.announce_table_export(export);
  else
    -- An attempt before may have put one there.
    perform private.erase_export_file(path, export.organization_id);
  end if;
end
$$;

comment on function private.finish_table_export is 'definer: writes table_exports for the worker.';
grant execute on function private.finish_table_export to service_role;

create function service.finish_table_export(job_id bigint, lease_token uuid, row_count bigint)
returns void
language sql
volatile
set search_path = ''
as $$ select private.finish_table_export(job_id, lease_token, row_count) $$;

comment on function service.finish_table_export is
  'Records that the file which the job makes is in its place, with so many rows, and queues its mail; null: that it failed. Any number of calls end in the same state. Errors: 409 lease_lost, lease_of_another.';
grant execute on function service.finish_table_export to service_role;

create function private.end_table_exports(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  ended int;
begin
  with over as (
    delete from public.table_exports as e
    where (e.organization_id, e.id) in (
      select old.organization_id, old.id
      from public.table_exports as old
      where old.expires_at <= now()
      order by old.expires_at
      limit end_table_exports.max
      for update skip locked
    )
    returning e.organization_id, e.object_path
  )
  select count(*), count(private.erase_export_file(o.object_path, o.organization_id)) filter (where o.object_path is not null)
  into ended
  from over as o;
  return ended;
end
$$;

comment on function private.end_table_exports is
  'Deletes at most so many exports whose time is over, queues the deletion of their files, and returns how many there were.';

create function private.table_export_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', e.locale,
      'to', jsonb_build_object('name', f.full_name, 'email', f.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'rows_of', e.kind,
        'format', e.format,
        'row_count', e.row_count,
        'first_date', case when e.kind = 'month' then e.from_date end,
        'expires_at', e.expires_at,
        'timezone', o.timezone
      )
    )
    from public.table_exports as e
    join public.organizations as o on o.id = e.organization_id
    join public.profiles as f on f.user_id = e.user_id
    -- An address that nobody has proven may be a stranger's.
    join private.proven_addresses as p on p.user_id = f.user_id and p.email = f.email
    where e.organization_id = table_export_content.organization_id
      and e.id = (cause ->> 'export_id')::uuid
      and e.status = 'finished'
      and e.expires_at > now()
      and private.may_have_export(e)
  );
end
$$;

comment on function private.table_export_content is
  'What the mail says that tells of a file that is ready; null when its time is over, or whoever asked may not have it any more, or has an address that is not proven.';

select private.email_template_upsert('table_export_ready', 'table_export_content', counts_as => 'notice');

-- =============================================================================
-- sql/87_reports/090_report_views.sql
-- =============================================================================

-- The views that a venue's own questions are about: what run_report may read, and nothing else.
--
-- Each is read with the rights of whoever asks, so the policies of its tables hold, and what somebody may not read is
-- null: names of customers without customers:read, rooms and clocks without rooms:read. PostgREST exposes the schema to
-- nobody, and a view has no system columns. Docs: docs/views.md, written from these comments.

create schema reports;

comment on schema reports is
  'What members'' own questions (run_report) may read: views with their reader''s rights. PostgREST exposes it to nobody.';
grant usage on schema reports to authenticated;

create view reports.locations with (security_invoker = true) as
select l.id, l.name, l.timezone, l.city, l.country
from public.locations as l;

comment on view reports.locations is 'Locations, of whoever holds rooms:read.';
comment on column reports.locations.id is 'The location.';
comment on column reports.locations.name is 'As the venue calls it.';
comment on column reports.locations.timezone is 'Its clock, an IANA zone.';
comment on column reports.locations.city is 'Empty: nobody has said.';
comment on column reports.locations.country is 'ISO 3166, two letters; null: nobody has said.';

create view reports.rooms with (security_invoker = true) as
select r.id, r.name, r.location_id, l.name as location, l.timezone, r.duration_minutes, r.is_published, r.is_archived
from public.rooms as r
left join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id;

comment on view reports.rooms is 'Rooms, hidden ones too, of whoever holds rooms:read.';
comment on column reports.rooms.id is 'The room.';
comment on column reports.rooms.name is 'As the venue calls it.';
comment on column reports.rooms.location_id is 'Where it is.';
comment on column reports.rooms.location is 'The location''s name.';
comment on column reports.rooms.timezone is 'The location''s clock, an IANA zone.';
comment on column reports.rooms.duration_minutes is 'How long a game lasts now.';
comment on column reports.rooms.is_published is 'Whether guests see it.';
comment on column reports.rooms.is_archived is 'Whether it is kept for its past only.';

create view reports.customers with (security_invoker = true) as
select c.id, c.full_name, c.email, c.phone, c.locale as language, c.created_at as added_at
from public.customers as c
where c.erased_at is null;

comment on view reports.customers is 'Customers that were not erased, of whoever holds customers:read.';
comment on column reports.customers.id is 'The customer.';
comment on column reports.customers.full_name is 'As they gave it last.';
comment on column reports.customers.email is 'Their address; null: none.';
comment on column reports.customers.phone is 'Null: none.';
comment on column reports.customers.language is 'es, en or ca.';
comment on column reports.customers.added_at is 'When, in UTC.';

create view reports.bookings with (security_invoker = true) as
select
  b.id,
  b.reference,
  b.status,
  b.source,
  b.created_at as booked_at,
  b.starts_at,
  b.starts_at at time zone l.timezone as visit_at,
  (b.starts_at at time zone l.timezone)::date as visit_date,
  l.timezone,
  b.session_id,
  b.room_id,
  r.name as room,
  r.location_id,
  l.name as location,
  b.customer_id,
  c.full_name as customer,
  c.email,
  b.party_size,
  b.locale as language,
  b.currency,
  b.total_cents,
  b.tax_cents
from public.bookings as b
left join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
left join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
left join public.customers as c
  on c.organization_id = b.organization_id and c.id = b.customer_id and c.erased_at is null;

comment on view reports.bookings is 'Bookings, holds and cancelled ones too, of whoever holds bookings:read.';
comment on column reports.bookings.id is 'The booking.';
comment on column reports.bookings.reference is 'As the customer knows it.';
comment on column reports.bookings.status is
  'held, pending, confirmed, checked_in, in_progress, completed, no_show, expired or cancelled.';
comment on column reports.bookings.source is 'Where it was made: widget, direct, marketplace or api.';
comment on column reports.bookings.booked_at is 'When it was made, in UTC.';
comment on column reports.bookings.starts_at is 'When the visit begins, in UTC: compare this one, it has an index.';
comment on column reports.bookings.visit_at is 'The same on the location''s clock; null without rooms:read.';
comment on column reports.bookings.visit_date is 'The day of the visit on the location''s clock; null without rooms:read.';
comment on column reports.bookings.timezone is 'The location''s clock; null without rooms:read.';
comment on column reports.bookings.session_id is 'The session in which it has its places.';
comment on column reports.bookings.room_id is 'The room in which it is now.';
comment on column reports.bookings.room is 'The room''s name; null without rooms:read.';
comment on column reports.bookings.location_id is 'Where that is; null without rooms:read.';
comment on column reports.bookings.location is 'The location''s name; null without rooms:read.';
comment on column reports.bookings.customer_id is 'Whose it is.';
comment on column reports.bookings.customer is 'The customer''s name; null without customers:read, and of those who were erased.';
comment on column reports.bookings.email is 'The customer''s address; null likewise.';
comment on column reports.bookings.party_size is 'People.';
comment on column reports.bookings.language is 'In which it was made: es, en or ca.';
comment on column reports.bookings.currency is 'ISO 4217.';
comment on column reports.bookings.total_cents is 'Its price, tax included, in minor units.';
comment on column reports.bookings.tax_cents is 'The tax in that.';

create view reports.booking_lines with (security_invoker = true) as
select
  n.booking_id, n.position, n.kind, n.description, n.quantity, n.unit_cents, n.total_cents, n.tax_rate_bp, n.tax_cents
from public.booking_lines as n;

comment on view reports.booking_lines is 'The lines of which prices of bookings are made, of whoever holds bookings:read.';
comment on column reports.booking_lines.booking_id is 'Of which booking.';
comment on column reports.booking_lines.position is 'Its place in the booking.';
comment on column reports.booking_lines.kind is 'base, extra, discount or fee.';
comment on column reports.booking_lines.description is 'As the customer saw it.';
comment on column reports.booking_lines.quantity is 'How many.';
comment on column reports.booking_lines.unit_cents is 'The price of one, in minor units of the booking''s currency.';
comment on column reports.booking_lines.total_cents is 'Quantity times unit.';
comment on column reports.booking_lines.tax_rate_bp is 'The tax rate in basis points.';
comment on column reports.booking_lines.tax_cents is 'The tax in the total.';

create view reports.sessions with (security_invoker = true) as
select
  s.id, s.room_id, r.name as room, s.starts_at, s.ends_at, s.starts_at at time zone l.timezone as local_start, s.mode,
  s.status, s.capacity, s.seats_taken
from public.sessions as s
left join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
left join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id;

comment on view reports.sessions is 'Sessions of rooms, blocks among them, of whoever holds bookings:read.';
comment on column reports.sessions.id is 'The session.';
comment on column reports.sessions.room_id is 'The room.';
comment on column reports.sessions.room is 'The room''s name; null without rooms:read.';
comment on column reports.sessions.starts_at is 'When it begins, in UTC.';
comment on column reports.sessions.ends_at is 'When the game ends, in UTC.';
comment on column reports.sessions.local_start is 'Its beginning on the location''s clock; null without rooms:read.';
comment on column reports.sessions.mode is 'private, shared, or block: nothing is sold.';
comment on column reports.sessions.status is 'scheduled or cancelled.';
comment on column reports.sessions.capacity is 'Seats that there are; 0 of a block.';
comment on column reports.sessions.seats_taken is 'Seats that bookings have.';

create view reports.payments with (security_invoker = true) as
select
  p.id, p.booking_id, p.method, p.amount_cents, p.currency, p.occurred_at, p.occurred_at at time zone l.timezone as paid_at,
  p.platform_fee_cents
from public.payments as p
left join public.bookings as b on b.organization_id = p.organization_id and b.id = p.booking_id
left join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
left join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id;

comment on view reports.payments is 'Payments of bookings, of whoever holds payments:read. What went back is in refunds.';
comment on column reports.payments.id is 'The payment.';
comment on column reports.payments.booking_id is 'Of which booking.';
comment on column reports.payments.method is 'stripe, cash, card_terminal, transfer, bizum or voucher.';
comment on column reports.payments.amount_cents is 'In minor units.';
comment on column reports.payments.currency is 'ISO 4217.';
comment on column reports.payments.occurred_at is 'When it was paid, in UTC.';
comment on column reports.payments.paid_at is 'The same on the location''s clock; null without bookings:read and rooms:read.';
comment on column reports.payments.platform_fee_cents is 'What of it the platform kept.';

create view reports.refunds with (security_invoker = true) as
select f.id, f.booking_id, f.payment_id, f.kind, f.method, f.amount_cents, f.currency, f.occurred_at
from public.refunds as f;

comment on view reports.refunds is 'What went back of payments, of whoever holds payments:read.';
comment on column reports.refunds.id is 'The refund.';
comment on column reports.refunds.booking_id is 'Of which booking.';
comment on column reports.refunds.payment_id is 'Of which payment.';
comment on column reports.refunds.kind is
  'refund; correction: the payment was none; reversal: the bank sent a refund back, and the amount is negative.';
comment on column reports.refunds.method is 'stripe, cash, card_terminal, transfer, bizum or voucher.';
comment on column reports.refunds.amount_cents is 'In minor units; it is taken off payments.';
comment on column reports.refunds.currency is 'ISO 4217.';
comment on column reports.refunds.occurred_at is 'When, in UTC.';

create view reports.results with (security_invoker = true) as
select
  g.booking_id, g.session_id, g.room_id, r.name as room, g.played_at, g.outcome, g.escape_seconds, g.duration_seconds,
  g.pauses, g.hints, g.team_name, g.level, g.language, g.is_by_hand
from public.game_results as g
left join public.rooms as r on r.organization_id = g.organization_id and r.id = g.room_id;

comment on view reports.results is 'Results of games, of whoever holds games:read.';
comment on column reports.results.booking_id is 'Of which booking.';
comment on column reports.results.session_id is 'In which session.';
comment on column reports.results.room_id is 'In which room.';
comment on column reports.results.room is 'The room''s name; null without rooms:read.';
comment on column reports.results.played_at is 'When, in UTC.';
comment on column reports.results.outcome is 'escaped, failed or aborted.';
comment on column reports.results.escape_seconds is 'Null unless they escaped.';
comment on column reports.results.duration_seconds is 'How long the game may last.';
comment on column reports.results.pauses is 'How many.';
comment on column reports.results.hints is 'How many.';
comment on column reports.results.team_name is 'Null: none.';
comment on column reports.results.level is 'easy, normal, hard or expert; null: not said.';
comment on column reports.results.language is 'Of the game, two letters; null: not said.';
comment on column reports.results.is_by_hand is 'Whether it was entered by hand.';

create view reports.waiting with (security_invoker = true) as
select
  w.id, w.room_id, w.from_date, w.to_date, w.starts_at, w.party_size, w.status, w.booking_id, w.created_at as asked_at
from public.waitlist_entries as w;

comment on view reports.waiting is 'Entries of the waiting list, of whoever holds waitlist:read.';
comment on column reports.waiting.id is 'The entry.';
comment on column reports.waiting.room_id is 'For which room; null: any.';
comment on column reports.waiting.from_date is 'First day that would do.';
comment on column reports.waiting.to_date is 'Last day that would do.';
comment on column reports.waiting.starts_at is 'For this start only, in UTC; null: any.';
comment on column reports.waiting.party_size is 'People.';
comment on column reports.waiting.status is 'waiting, offered, booked, lapsed, declined, left, removed or expired.';
comment on column reports.waiting.booking_id is 'What was offered; null: nothing yet.';
comment on column reports.waiting.asked_at is 'When, in UTC.';

grant select on
reports.locations, reports.rooms, reports.customers, reports.bookings, reports.booking_lines, reports.sessions,
reports.payments, reports.refunds, reports.results, reports.waiting
to authenticated;

-- =============================================================================
-- sql/87_reports/100_own_questions.sql
-- =============================================================================

-- A venue's own questions: one select over the views of schema reports, and those that are kept by name.
--
-- The service reads the text that somebody typed, refuses what is not allowed, and writes a statement of its own from
-- what is left (python_api/escapemaster/reports). It leaves that here as service_role, and the person's own token runs
-- it by its id: no client hands a text to the database. What runs is looked at once more, word by word, before it does;
-- it runs as the caller, under the caller's policies, in a function that is stable and so can change nothing.
--
-- A role of its own would not add to that: what must be kept away from a statement is set_config, which could name
-- another caller, and every role may call it. So no word before a bracket is let through that is not listed here.

select private.permission_upsert(
  'reports:query', 'reports', false,
  'Ask own questions of the venue''s data', 'Hacer consultas propias sobre los datos del local',
  array['admin', 'manager'],
  rests_in_visits => true
);

select private.permission_upsert(
  'reports:save', 'reports', true,
  'Keep own questions by name', 'Guardar consultas propias con nombre',
  array['admin', 'manager'],
  rests_in_visits => true
);

create table public.saved_reports (
  organization_id uuid not null default private.organization_with('reports:save'),
  id uuid not null default private.uuid_v7(),
  name text not null,
  statement text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint saved_reports_pkey primary key (organization_id, id),
  constraint saved_reports_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint saved_reports_name_key unique (organization_id, name),
  constraint saved_reports_name_is_a_name check (private.is_name(name, 120)),
  constraint saved_reports_statement_is_a_text check (private.is_text(statement, 10000) and statement <> '')
);

comment on table public.saved_reports is
  'Questions that members keep by name, for all who may ask. A text is read when it is asked, not when it is kept.';
comment on column public.saved_reports.name is 'How it is found again; once in the organization.';
comment on column public.saved_reports.statement is 'The select as somebody typed it; POST /v1/organizations/…/reports/run takes it.';

grant select, delete on public.saved_reports to authenticated;
grant insert (organization_id, name, statement) on public.saved_reports to authenticated;
grant update (name, statement) on public.saved_reports to authenticated;

alter table public.saved_reports enable row level security;

create policy saved_reports_select on public.saved_reports
for select to authenticated
using (organization_id = (select private.organization_with('reports:query')));

create policy saved_reports_insert on public.saved_reports
for insert to authenticated
with check (organization_id = (select private.organization_with('reports:save')));

create policy saved_reports_update on public.saved_reports
for update to authenticated
using (organization_id = (select private.organization_with('reports:save')))
with check (organization_id = (select private.organization_with('reports:save')));

create policy saved_reports_delete on public.saved_reports
for delete to authenticated
using (organization_id = (select private.organization_with('reports:save')));

create trigger saved_reports_clean_names
before insert or update of name on public.saved_reports
for each row execute function private.clean_texts('names', 'name');

create trigger saved_reports_clean_notes
before insert or update of statement on public.saved_reports
for each row execute function private.clean_texts('notes', 'statement');

create trigger saved_reports_touch_updated_at
before update on public.saved_reports
for each row execute function private.touch_updated_at();

create trigger saved_reports_are_bounded
after insert on public.saved_reports
for each row execute function private.bound_rows('200');

insert into private.rate_limit_rules (action, scope, max_hits, window_seconds, description)
values
('run_report', 'user', 30, 60, 'Own questions asked by one user')
on conflict (action, scope) do update
set max_hits = excluded.max_hits,
  window_seconds = excluded.window_seconds,
  description = excluded.description;

create unlogged table private.report_statements (
  organization_id uuid not null,
  id uuid not null default gen_random_uuid(),
  caller uuid not null,
  statement text not null,
  created_at timestamptz not null default now(),
  constraint report_statements_pkey primary key (organization_id, id, caller),
  constraint report_statements_statement_is_bounded check (length(statement) between 1 and 40000)
);

comment on table private.report_statements is
  'What the service made of a question, for a minute, for whoever asked it. Unlogged: after a crash it is asked again.';
comment on column private.report_statements.caller is 'The subject of the token that may run it: an account or an API key.';
comment on column private.report_statements.statement is 'One select, as the service writes it: see private.refuse_report_statement.';

-- for: private.prepare_report, which deletes those that are over
create index report_statements_created_at_idx on private.report_statements (created_at);

create function private.report_words()
returns text []
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array[
    -- shape
    'SELECT', 'DISTINCT', 'AS', 'WITH', 'FROM', 'JOIN', 'LEFT', 'RIGHT', 'FULL', 'INNER', 'OUTER', 'ON', 'WHERE', 'GROUP',
    'BY', 'HAVING', 'ORDER', 'ASC', 'DESC', 'NULLS', 'FIRST', 'LAST', 'LIMIT', 'OFFSET', 'UNION', 'ALL', 'INTERSECT', 'EXCEPT',
    -- conditions
    'AND', 'OR', 'NOT', 'IN', 'EXISTS', 'BETWEEN', 'LIKE', 'ILIKE', 'IS', 'NULL', 'TRUE', 'FALSE', 'CASE', 'WHEN', 'THEN',
    'ELSE', 'END',
    -- windows and filters
    'OVER', 'PARTITION', 'ROWS', 'RANGE', 'UNBOUNDED', 'PRECEDING', 'FOLLOWING', 'CURRENT', 'ROW', 'FILTER', 'WITHIN',
    -- types and clocks
    'CAST', 'DATE', 'TIMESTAMP', 'TIMESTAMPTZ', 'TEXT', 'INT', 'BIGINT', 'DECIMAL', 'DOUBLE', 'PRECISION', 'BOOLEAN', 'INTERVAL',
    'AT', 'TIME', 'ZONE', 'CURRENT_DATE', 'CURRENT_TIMESTAMP', 'EXTRACT', 'DATE_TRUNC', 'TO_CHAR', 'YEAR', 'QUARTER', 'MONTH',
    'WEEK', 'DAY', 'DOW', 'ISODOW', 'DOY', 'HOUR', 'MINUTE', 'EPOCH', 'ISOYEAR',
    -- functions of values
    'COALESCE', 'NULLIF', 'GREATEST', 'LEAST', 'ABS', 'ROUND', 'FLOOR', 'CEIL', 'LOWER', 'UPPER', 'LENGTH', 'TRIM',
    'SPLIT_PART',
    -- functions of rows
    'COUNT', 'SUM', 'AVG', 'MIN', 'MAX', 'STDDEV', 'PERCENTILE_CONT', 'PERCENTILE_DISC', 'ROW_NUMBER', 'RANK', 'DENSE_RANK',
    'LAG', 'LEAD'
  ];
end
$$;

comment on function private.report_words is
  'The words that a question may have outside of quotes: the shape of a select, types, and functions that read nothing, change nothing, wait for nothing and make no more of a text than there was.';

create function private.refuse_report_statement(statement text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  known text [] := private.report_words();
  problem text;
begin
  -- Names are quoted and words are not, so whatever stands before a bracket without quotes is a word of the list. What
  -- no branch takes (; $ \ & # ~ @, an open quote, letters beyond ASCII) is taken by the last.
  with token as (
    select row_number() over () as place, f[1] as name, upper(f[2]) as word, f[3] as sign, f[4] as other
    from regexp_matches(
      refuse_report_statement.statement,
      $re$'(?:[^']|'')*'|("[^"]+")|([A-Za-z_][A-Za-z0-9_]*)|([0-9]+(?:\.[0-9]+)?|::|<=|>=|<>|\|\||--|/\*|[-+*/%=<>(),.])|\s+|(.)$re$,
      'g'
    ) as f
  ),
  -- Without texts and spaces.
  written as (
    select t.*, lead(t.sign) over (order by t.place) as next_sign, lead(t.word) over (order by t.place) as next_word,
      lag(t.sign) over (order by t.place) as last_sign, lag(t.word) over (order by t.place) as last_word,
      sum(case t.sign when '(' then 1 when ')' then -1 else 0 end) over (order by t.place) as depth
    from token as t
    where num_nonnulls(t.name, t.word, t.sign, t.other) = 1
  ),
  -- And whether the bracket around it is that of a cast.
  placed as (
    select w.*,
      max(case when w.sign = '(' then w.place * 2 + (w.last_word is not distinct from 'CAST')::int end)
        over (partition by w.depth order by w.place) % 2 = 1 as is_in_cast
    from written as w
  )
  select r.problem into problem
  from placed as w
  cross join lateral (
    select case
      when w.other is not null then w.other
      when w.sign in ('--', '/*') then w.sign
      when w.word <> all (known) then w.word
      when w.place = 1 and coalesce(w.word, w.sign, '') not in ('SELECT', 'WITH', '(') then coalesce(w.name, w.sign, w.word)
      -- A function by its name in quotes.
      when w.name is not null and w.next_sign = '(' and w.next_word is null then w.name
      -- The catalogs: these are found without their schema.
      when w.name ilike '"pg\_%' or lower(w.name) = '"information_schema"' then w.name
      -- A type by its name in quotes, which the list of words does not hold.
      when w.name is not null and (w.last_sign = '::' or w.last_word = 'AS' and w.is_in_cast) then w.name
      -- Those of them that look a catalog up, wherever they stand.
      when w.name ~* '^"_?reg' and exists (
        select from pg_catalog.pg_type as t where t.typname = lower(trim(both '"' from w.name))
      ) then w.name
      -- Any schema but this one.
      when w.next_sign = '.' and w.name <> '"reports"' and exists (
        select from pg_catalog.pg_namespace as n where n.nspname = trim(both '"' from w.name)
      ) then w.name
    end as problem
  ) as r
  where r.problem is not null
  order by w.place
  limit 1;
  if problem is not null then
    perform private.fail(
      'report_refused', 422, 'Ask with a select of the published views, and with the functions that are listed beside them.',
      jsonb_build_object('part', left(problem, 100))
    );
  end if;
end
$$;

comment on function private.refuse_report_statement is
  'Raises 422 report_refused unless a text is made of nothing but quoted names, texts, numbers, signs and known words, and names no catalog and no schema but reports. The second look: the service reads the text first.';

create function private.prepare_report(organization_id uuid, caller uuid, statement text)
returns uuid
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  prepared uuid;
begin
  -- An account and a key have ids of their own.
  perform private.limit_rate('run_report', 'user', prepare_report.caller::text);
  perform private.refuse_report_statement(prepare_report.statement);
  if not exists (select from public.organizations as o where o.id = prepare_report.organization_id) then
    perform private.fail('organization_not_found', 404, 'Name an organization that there is.');
  end if;
  delete from private.report_statements as s
  where (s.organization_id, s.id, s.caller) in (
    select old.organization_id, old.id, old.caller
    from private.report_statements as old
    where old.created_at < now() - interval '1 minute'
    order by old.created_at
    limit 100
    for update skip locked
  );
  insert into private.report_statements (organization_id, caller, statement)
  values (prepare_report.organization_id, prepare_report.caller, prepare_report.statement)
  returning id into prepared;
  return prepared;
end
$$;

comment on function private.prepare_report is 'definer: keeps statements and counts questions where no client may.';
grant execute on function private.prepare_report to service_role;

create function service.prepare_report(organization_id uuid, caller uuid, statement text)
returns uuid
language sql
volatile
set search_path = ''
as $$ select private.prepare_report(organization_id, caller, statement) $$;

comment on function service.prepare_report is
  'Keeps what the service made of a question for a minute, and answers the id by which run_report runs it, with the token of whoever asked and no other. caller: the subject of that token. Errors: 404 organization_not_found; 422 report_refused; 429 rate_limited.';
grant execute on function service.prepare_report to service_role;

create function private.report_statement(organization_id uuid, statement_id uuid)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  prepared text;
begin
  perform private.require_permission(report_statement.organization_id, 'reports:query');
  -- The views are of the request's organization.
  if private.organization_with('reports:query') is distinct from report_statement.organization_id then
    perform private.fail('organization_not_active', 409, 'Name the organization in x-organization-id, or switch to it.');
  end if;
  select s.statement into prepared
  from private.report_statements as s
  where s.organization_id = report_statement.organization_id
    and s.id = report_statement.statement_id
    and s.caller = (private.jwt_claims() ->> 'sub')::uuid
    and s.created_at > now() - interval '1 minute';
  if prepared is null then
    perform private.fail('report_not_prepared', 404, 'Ask the service, which prepares a question for a minute.');
  end if;
  perform private.refuse_report_statement(prepared);
  return prepared;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.report_statement is
  'definer: no client reads statements. What the service prepared for the caller a minute ago at most, looked at once more. Asks for reports:query.';
grant execute on function private.report_statement to authenticated;

create type public.report_answer as (
  rows jsonb [],
  is_cut boolean
);

comment on type public.report_answer is 'What a question is answered with.';
comment on column public.report_answer.rows is
  'A JSON object each: a value a column, amounts in minor units, instants in UTC unless the view says the location''s clock.';
comment on column public.report_answer.is_cut is 'Whether there were more: than 10,000 rows, or than 5,000,000 bytes of them.';

create function private.run_report(organization_id uuid, asked text)
returns public.report_answer
language plpgsql
stable
set search_path = ''
-- What is read, not what is asked: 100 ms for a question that takes 5.
set jit = off
as $$
declare
  line text;
  found jsonb [] := '{}';
  size bigint := 0;
  is_cut boolean := false;
begin
  -- Dear questions stand in nobody's way: one at a time of a person (an account or a key), of however many
  -- organizations, one of an organization, and three of all.
  if not pg_try_advisory_xact_lock(hashtextextended('run_report/by/' || coalesce(auth.uid()::text, ''), 0))
    or not pg_try_advisory_xact_lock(hashtextextended('run_report/' || run_report.organization_id, 0))
    or not (
      pg_try_advisory_xact_lock(hashtextextended('run_report/1', 0))
      or pg_try_advisory_xact_lock(hashtextextended('run_report/2', 0))
      or pg_try_advisory_xact_lock(hashtextextended('run_report/3', 0))
    )
  then
    perform private.fail('report_running', 409, 'Ask again in a moment: another question is being answered.');
  end if;
  for line in execute 'select row_to_json(answer)::text from (' || run_report.asked || ') as answer limit 10001' loop
    size := size + octet_length(line);
    if cardinality(found) = 10000 or size > 5000000 then
      is_cut := true;
      exit;
    end if;
    -- A number that no double holds is one that neither a sheet nor most readers of JSON can read.
    if line ~ '[0-9]{200}[0-9]{109}' and exists (
      select from json_each(line::json) as e where json_typeof(e.value) = 'number' and abs(e.value::text::numeric) >= 1e308
    ) then
      perform private.fail(
        'report_failed', 422, 'A value does not fit: ask for numbers of fewer digits.',
        jsonb_build_object('problem', 'a number has more than 308 digits')
      );
    end if;
    found := found || line::jsonb;
  end loop;
  return row(found, is_cut)::public.report_answer;
exception
  when query_canceled then
    perform private.fail('report_too_slow', 422, 'Ask for fewer days or fewer rows: it took longer than a request may.');
  when lock_not_available or deadlock_detected then
    -- Not private.fail_unavailable, which is for those that see more than the caller.
    perform private.fail('unavailable', 503, 'Nothing was done: ask again in a moment.');
  when syntax_error_or_access_rule_violation or feature_not_supported then
    perform private.fail(
      'report_invalid', 422, 'Mend it: the database cannot read it.', jsonb_build_object('problem', left(sqlerrm, 500))
    );
  when data_exception or cardinality_violation then
    perform private.fail(
      'report_failed', 422, 'A value does not fit: divide by nullif(…, 0), and cast only what has the form.',
      jsonb_build_object('problem', left(sqlerrm, 500))
    );
  when program_limit_exceeded or insufficient_resources then
    perform private.fail(
      'report_failed', 422, 'Ask for fewer things at once: it is more than the database can hold.',
      jsonb_build_object('problem', left(sqlerrm, 500))
    );
end
$$;

comment on function private.run_report is
  'Runs what private.report_statement gives out, as the caller. Stable, so nothing that it runs can write.';
grant execute on function private.run_report to authenticated;

create function public.run_report(organization_id uuid, statement_id uuid)
returns public.report_answer
language sql
stable
set search_path = ''
as $$
  select * from private.run_report(organization_id, private.report_statement(organization_id, statement_id))
$$;

comment on function public.run_report is
  'Answers a question that the service prepared (POST /v1/organizations/{organization_id}/reports/run, which calls this with the caller''s token): under the caller''s policies, at most 10,000 rows and 5,000,000 bytes, within the time that a request may take, one at a time of an organization. Errors: 403 permission_denied; 404 report_not_prepared; 409 organization_not_active, report_running; 422 report_failed, report_invalid, report_refused, report_too_slow; 503 unavailable.';
grant execute on function public.run_report to authenticated;

-- =============================================================================
-- sql/87_reports/110_months.sql
-- =============================================================================

-- A month on paper: what its figures are, and to whom it goes by itself once the month is over.
--
-- It is an export of the kind month: made by the worker, for one member, who is asked about again at
-- each step. The row of a recipient says when the next one is due; it is moved on in the transaction that queues the export, so
-- however often the clock is looked at, and wherever a worker is killed, each month is queued once.

select private.permission_upsert(
  'reports:schedule', 'reports', true,
  'Say who gets the report of each month, and when', 'Decidir quién recibe el informe de cada mes y cuándo',
  array['admin', 'manager'],
  rests_in_visits => true
);

create function private.next_monthly_report(zone text, day_of_month int, hour_of_day int, after timestamptz)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
declare
  month timestamp := date_trunc('month', after at time zone zone);
  due timestamptz := (month + make_interval(days => day_of_month - 1, hours => hour_of_day)) at time zone zone;
begin
  if due <= after then
    due := (month + interval '1 month' + make_interval(days => day_of_month - 1, hours => hour_of_day)) at time zone zone;
  end if;
  return due;
end
$$;

comment on function private.next_monthly_report is
  'The next instant after one at which a clock shows that hour of that day of a month.';

create table public.monthly_report_recipients (
  organization_id uuid not null default private.organization_with('reports:schedule'),
  user_id uuid not null,
  day_of_month int not null default 1,
  hour_of_day int not null default 8,
  next_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint monthly_report_recipients_pkey primary key (organization_id, user_id),
  constraint monthly_report_recipients_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete cascade,
  constraint monthly_report_recipients_day_is_in_every_month check (day_of_month between 1 and 28),
  constraint monthly_report_recipients_hour_is_of_a_day check (hour_of_day between 0 and 23)
);

comment on table public.monthly_report_recipients is
  'The members who get the report of each month by themselves, in their own language, while they hold reports:read and reports:export. Nobody does unless a row says so.';
comment on column public.monthly_report_recipients.day_of_month is 'On which day of the month after it, 1 to 28, on the organization''s clock.';
comment on column public.monthly_report_recipients.hour_of_day is 'At which hour of that day, 0 to 23.';
comment on column public.monthly_report_recipients.next_at is 'When the next one is made, of the month before that day.';

-- for: private.queue_monthly_reports
create index monthly_report_recipients_next_at_idx on public.monthly_report_recipients (next_at);

grant select, delete on public.monthly_report_recipients to authenticated;
grant insert (organization_id, user_id, day_of_month, hour_of_day) on public.monthly_report_recipients to authenticated;
grant update (day_of_month, hour_of_day) on public.monthly_report_recipients to authenticated;

alter table public.monthly_report_recipients enable row level security;

create policy monthly_report_recipients_select on public.monthly_report_recipients
for select to authenticated
using (organization_id = (select private.organization_with('reports:read')));

create policy monthly_report_recipients_insert on public.monthly_report_recipients
for insert to authenticated
with check (organization_id = (select private.organization_with('reports:schedule')));

create policy monthly_report_recipients_update on public.monthly_report_recipients
for update to authenticated
using (organization_id = (select private.organization_with('reports:schedule')))
with check (organization_id = (select private.organization_with('reports:schedule')));

create policy monthly_report_recipients_delete on public.monthly_report_recipients
for delete to authenticated
using (organization_id = (select private.organization_with('reports:schedule')));

create function private.plan_monthly_report()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  new.next_at := private.next_monthly_report(
    (select o.timezone from public.organizations as o where o.id = new.organization_id),
    new.day_of_month, new.hour_of_day, clock_timestamp()
  );
  return new;
end
$$;

comment on function private.plan_monthly_report is
  'definer: reads the organization''s clock for whoever may plan reports. Trigger: says when the next one is due.';

create trigger monthly_report_recipients_plan
before insert or update of day_of_month, hour_of_day on public.monthly_report_recipients
for each row execute function private.plan_monthly_report();

create trigger monthly_report_recipients_touch_updated_at
before update on public.monthly_report_recipients
for each row execute function private.touch_updated_at();

create trigger monthly_report_recipients_are_bounded
after insert on public.monthly_report_recipients
for each row execute function private.bound_rows('50');

create function private.queue_monthly_reports(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  due record;
  wanted public.table_exports;
  queued int := 0;
begin
  for due in
    select r.organization_id, r.user_id, r.day_of_month, r.hour_of_day, o.timezone, f.locale
    from public.monthly_report_recipients as r
    join public.organizations as o on o.id = r.organization_id
    join public.profiles as f on f.user_id = r.user_id
    where r.next_at <= now()
    order by r.next_at, r.organization_id, r.user_id
    limit queue_monthly_reports.max
    for update of r skip locked
  loop
    -- Also of those who may not have it: the month is over for them, too.
    update public.monthly_report_recipients as r
    set next_at = private.next_monthly_report(due.timezone, due.day_of_month, due.hour_of_day, now())
    where r.organization_id = due.organization_id and r.user_id = due.user_id;
    wanted := null;
    wanted.organization_id := due.organization_id;
    wanted.user_id := due.user_id;
    wanted.kind := 'month';
    wanted.format := 'pdf';
    wanted.locale := due.locale;
    -- After a long pause only the last month is told of.
    wanted.from_date := (date_trunc('month', now() at time zone due.timezone) - interval '1 month')::date;
    wanted.to_date := (wanted.from_date + interval '1 month')::date - 1;
    wanted.permissions := array['reports:export', 'reports:read'];
    begin
      if private.may_have_export(wanted) and (private.queue_table_export(wanted)).id is not null then
        queued := queued + 1;
      end if;
    exception
      -- Who keeps a hundred files gets no further one, and keeps nobody else from theirs.
      when sqlstate 'PT422' then
        null;
    end;
  end loop;
  return queued;
end
$$;

comment on function private.queue_monthly_reports is
  'Queues the reports of a month that are due, at most so many, and returns how many: of each recipient once a month, in one transaction with saying when the next one is. One that is asked for by hand and under way stands for it.';

create type service.month_figures as (
  organization_name text,
  first_date date,
  revenue public.revenue_report [],
  bookings public.bookings_report,
  games public.games_report,
  occupancy public.occupancy_report,
  revenue_before public.revenue_report [],
  bookings_before public.bookings_report,
  games_before public.games_report,
  occupancy_before public.occupancy_report
);

comment on type service.month_figures is 'The figures of a month and of the month before.';
comment on column service.month_figures.organization_name is 'Whose they are.';
comment on column service.month_figures.first_date is 'The first of the month.';
comment on column service.month_figures.revenue is 'As get_revenue_report answers.';
comment on column service.month_figures.bookings is 'As get_bookings_report answers.';
comment on column service.month_figures.games is 'As get_games_report answers.';
comment on column service.month_figures.occupancy is
  'As get_occupancy_report answers; null: a month has more starts than it expands at once.';
comment on column service.month_figures.revenue_before is 'Of the month before.';
comment on column service.month_figures.bookings_before is 'Of the month before.';
comment on column service.month_figures.games_before is 'Of the month before.';
comment on column service.month_figures.occupancy_before is 'Of the month before; null likewise.';

create function private.month_occupancy(export public.table_exports, first date, last date)
returns public.occupancy_report
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.get_occupancy_report(
    export.organization_id, null, month_occupancy.first, month_occupancy.last, export.location_id, export.room_id
  );
exception
  -- too_many_slots: the rest of the report is told all the same.
  when sqlstate 'PT422' then
    return null;
end
$$;

comment on function private.month_occupancy is
  'The occupancy of a month; null: it has more starts than are expanded at once.';

create function private.month_figures(export public.table_exports)
returns service.month_figures
language plpgsql
volatile
set search_path = ''
as $$
declare
  figures service.month_figures;
  organization uuid := export.organization_id;
  place uuid := export.location_id;
  only_room uuid := export.room_id;
  first date := export.from_date;
  last date := export.to_date;
  before date := (export.from_date - interval '1 month')::date;
  claims text := coalesce(current_setting('request.jwt.claims', true), '');
begin
  select o.name into figures.organization_name from public.organizations as o where o.id = organization;
  figures.first_date := first;
  -- The reports are asked as whoever asked for this one would ask them now, and refused as they would be.
  perform set_config(
    'request.jwt.claims', jsonb_build_object('sub', export.user_id, 'role', 'authenticated')::text, true
  );
  figures.revenue := array(
    select r from private.get_revenue_report(organization, null, first, last, place, only_room, 'day') as r
  );
  figures.bookings := private.get_bookings_report(organization, null, first, last, place, only_room);
  figures.games := private.get_games_report(organization, null, first, last, place, only_room);
  figures.occupancy := private.month_occupancy(export, first, last);
  last := first - 1;
  figures.revenue_before := array(
    select r from private.get_revenue_report(organization, null, before, last, place, only_room, 'day') as r
  );
  figures.bookings_before := private.get_bookings_report(organization, null, before, last, place, only_room);
  figures.games_before := private.get_games_report(organization, null, before, last, place, only_room);
  figures.occupancy_before := private.month_occupancy(export, before, last);
  perform set_config('request.jwt.claims', claims, true);
  return figures;
end
$$;

comment on function private.month_figures is
  'The figures of a month and of the month before it, as the member whose export it is may read them now.';

create function private.read_month(job_id bigint, lease_token uuid)
returns service.month_figures
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(read_month.job_id, read_month.lease_token);
  export public.table_exports := private.table_export_of(job);
begin
  if export.id is null or export.kind <> 'month' or not private.may_have_export(export) then
    perform private.fail('export_not_allowed', 403, 'Give the export up: whoever asked may not have it any more.');
  end if;
  return private.month_figures(export);
end
$$;

comment on function private.read_month is
  'definer: reads the reports of the tenant for the export whose job holds the lease, as far as whoever asked for it may.';
grant execute on function private.read_month to service_role;

create function service.read_month(job_id bigint, lease_token uuid)
returns service.month_figures
language sql
volatile
set search_path = ''
as $$ select * from private.read_month(job_id, lease_token) $$;

comment on function service.read_month is
  'The figures of the month whose report the job makes, under its lease. Errors: 403 export_not_allowed; 404 location_not_found, room_not_found; 409 lease_lost, lease_of_another; 503 unavailable.';
grant execute on function service.read_month to service_role;

-- =============================================================================
-- sql/90_audit/010_audit_log.sql
-- =============================================================================

-- The audit log: every insert, update and delete on a tenant's tables, written by triggers
-- in the same transaction, but for inserts into tables that are logs themselves (private.own_logs). What a customer gave (private.personal_columns) is kept apart from it.

-- Tells entries of one microsecond apart.
create sequence private.log_turns;

create table public.audit_log (
  organization_id uuid not null,
  -- Microseconds since 2020, times four: exact as a number of JSON until 2091.
  id bigint not null default (extract(epoch from clock_timestamp()) * 1000000 - 1577836800000000)::bigint * 4
  + nextval('private.log_turns') % 4,
  occurred_at timestamptz not null default clock_timestamp(),
  actor_kind text not null,
  actor_id uuid,
  action text not null,
  table_name text not null,
  row_key text not null,
  before jsonb,
  after jsonb,
  request_id text,
  constraint audit_log_pkey primary key (organization_id, id),
  constraint audit_log_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint audit_log_action_is_known check (action in ('insert', 'update', 'delete'))
);

comment on table public.audit_log is
  'Who changed what and when, but for rows that are their own log when they are inserted (booking_history, booking_lines), for members with audit:read who may also read the table that an entry is about. Append-only for everyone; ids grow with the time, since the order of two changes in one millisecond matters, and say nothing of how many entries there are. What a customer gave is null in the images, and stands in audit_log_personal under the same id.';
comment on column public.audit_log.actor_kind is 'user, api_key, support, service, customer or system.';
comment on column public.audit_log.row_key is 'The row''s primary key without the organization; several columns are joined with a slash.';
comment on column public.audit_log.before is 'Delete: the whole row. Update: the changed columns as they were.';
comment on column public.audit_log.after is 'Insert: the whole row. Update: the changed columns as they are now.';
comment on column public.audit_log.request_id is 'x-request-id of the request, to find it in the gateway''s and the service''s logs.';

-- for: one row's history, and the row as it was at a time
create index audit_log_row_idx on public.audit_log (organization_id, table_name, row_key, id);
-- for: private.erase_customer, which looks for rows that are no more
create index audit_log_deleted_idx on public.audit_log (organization_id, table_name) where action = 'delete';

create table private.log_readers (
  table_name text not null,
  permission_key text not null,
  constraint log_readers_pkey primary key (table_name, permission_key)
);

comment on table private.log_readers is
  'reference data. What a member needs, beside audit:read, to see entries about a table: all that the table''s own policy asks for. Written from the policies when the tables are there; a table without a row is shown to nobody.';

create function private.tables_to_read_in_log()
returns text []
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  here uuid := private.request_organization();
  held text[];
begin
  held := array(
    select p.key
    from (select distinct r.permission_key as key from private.log_readers as r offset 0) as p
    where private.has_permission(here, p.key)
  );
  return array(
    select r.table_name from private.log_readers as r group by r.table_name having bool_and(r.permission_key = any (held))
  );
end
$$;

comment on function private.tables_to_read_in_log is
  'definer: reads private.log_readers inside the policies of the log. The tables whose entries the caller may see: what a member may not read in the table is not to be read in its log.';
grant execute on function private.tables_to_read_in_log to authenticated;

grant select on public.audit_log to authenticated;

alter table public.audit_log enable row level security;

create policy audit_log_select on public.audit_log
for select to authenticated
using (
  organization_id = (select private.organization_with('audit:read'))
  and table_name = any ((select private.tables_to_read_in_log())::text [])
);

create trigger audit_log_is_append_only
before update or delete on public.audit_log
for each row execute function private.refuse_change();

create trigger audit_log_is_never_truncated
before truncate on public.audit_log
for each statement execute function private.refuse_change();

create table public.audit_log_personal (
  organization_id uuid not null,
  id bigint not null,
  table_name text not null,
  before jsonb,
  after jsonb,
  constraint audit_log_personal_pkey primary key (organization_id, id),
  -- None to audit_log: the part is written while its entry is, and neither is ever deleted alone.
  constraint audit_log_personal_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint audit_log_personal_says_something check (num_nonnulls(before, after) > 0)
);

comment on table public.audit_log_personal is
  'The part of an entry of audit_log that a customer gave, for members with audit:read and customers:read who may read the entry. Only entries that hold such values have one. Append-only for everyone, but for the persons whom private.erase_customer takes out.';
comment on column public.audit_log_personal.id is 'The entry: audit_log.id.';
comment on column public.audit_log_personal.table_name is 'The entry''s: audit_log.table_name.';
comment on column public.audit_log_personal.before is 'The values that are null in audit_log.before: {column: value}; lay it over that image. Null without any.';
comment on column public.audit_log_personal.after is 'The values that are null in audit_log.after, likewise.';

grant select on public.audit_log_personal to authenticated;

alter table public.audit_log_personal enable row level security;

create policy audit_log_personal_select on public.audit_log_personal
for select to authenticated
using (
  organization_id = (select private.organization_with('audit:read'))
  and organization_id = (select private.organization_with('customers:read'))
  and table_name = any ((select private.tables_to_read_in_log())::text [])
);

create trigger audit_log_personal_is_append_only
before delete on public.audit_log_personal
for each row execute function private.refuse_change();

create function private.refuse_log_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  -- Set by private.erase_customer only: a person leaves the images, and nothing else changes.
  if old.organization_id::text = current_setting('escapemaster.erasing_customer', true)
    and to_jsonb(new) - '{before,after}'::text [] = to_jsonb(old) - '{before,after}'::text []
    and array(select jsonb_object_keys(new.before) order by 1) = array(select jsonb_object_keys(old.before) order by 1)
    and array(select jsonb_object_keys(new.after) order by 1) = array(select jsonb_object_keys(old.after) order by 1)
  then
    return new;
  end if;
  raise exception '% is append-only', tg_table_name
    using errcode = 'restrict_violation', hint = 'Write a further entry that corrects the wrong one.';
end
$$;

comment on function private.refuse_log_change is
  'Keeps what the log holds of customers as it was written, for their owner too; only the erasure of a customer passes, which replaces values in images.';

create trigger audit_log_personal_is_not_rewritten
before update on public.audit_log_personal
for each row execute function private.refuse_log_change();

create trigger audit_log_personal_is_never_truncated
before truncate on public.audit_log_personal
for each statement execute function private.refuse_change();

create function private.part_personal_columns()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- What is empty says nothing of anybody and stays: most bookings have no note, and need no second row.
  empty constant jsonb [] := array['null', '""', '{}', '[]'];
  -- A loop of plain expressions: one statement that aggregates over the columns took twice as long.
  column_name text;
  said_before jsonb;
  said_after jsonb;
begin
  foreach column_name in array tg_argv [array_position(tg_argv, new.table_name) + 1]::text [] loop
    if new.before -> column_name <> all (empty) then
      said_before := coalesce(said_before, '{}') || jsonb_build_object(column_name, new.before -> column_name);
      new.before := jsonb_set(new.before, array[column_name], 'null');
    end if;
    if new.after -> column_name <> all (empty) then
      said_after := coalesce(said_after, '{}') || jsonb_build_object(column_name, new.after -> column_name);
      new.after := jsonb_set(new.after, array[column_name], 'null');
    end if;
  end loop;
  if said_before is not null or said_after is not null then
    insert into public.audit_log_personal (organization_id, id, table_name, before, after)
    values (new.organization_id, new.id, new.table_name, said_before, said_after);
  end if;
  return new;
end
$$;

comment on function private.part_personal_columns is
  'Moves what a customer gave from an entry''s images to audit_log_personal, and leaves null in its place. Arguments: a table, its personal columns, the next table, its columns and so on.';

create function private.user_kind(user_id uuid, organization_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when exists (
      select from public.memberships as m
      where m.organization_id = user_kind.organization_id
        and m.user_id = user_kind.user_id
        and m.expires_at is not null
    ) then 'support'
    else 'user'
  end;
end
$$;

comment on function private.user_kind is
  'The kind of a user as an actor: support, a visiting person of the platform''s, or user, a member.';

create function private.audit_changes()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- Statement-level with transition tables: one insert a statement, however many rows. It is called
-- four times for one hold, so it is kept flat: putting the key together by aggregating over an array
-- of its columns made a statement 70 µs slower, a layer of subquery more and a call of
-- a function for each row 10 to 15 µs of about 60.
declare
  tenant_column text := tg_argv[0];
  actor jsonb := private.current_actor();
  kind text := actor ->> 'kind';
  actor_id uuid := actor ->> 'id';
  visits uuid[];
  request text := nullif(current_setting('request.headers', true), '')::json ->> 'x-request-id';
begin
  -- Where a person of the platform's is visiting. Once a statement: private.user_kind for each of the
  -- 224 permissions of a new organization's roles was 1.3 of 7.5 ms.
  if kind = 'user' then
    visits := array(
      select m.organization_id from public.memberships as m where m.user_id = actor_id and m.expires_at is not null
    );
  end if;
  if tg_op = 'INSERT' then
    insert into public.audit_log (organization_id, actor_kind, actor_id, action, table_name, row_key, after, request_id)
    select
      (n.image ->> tenant_column)::uuid,
      case when kind = 'user' and (n.image ->> tenant_column)::uuid = any (visits) then 'support' else kind end,
      actor_id, 'insert', tg_table_name,
      concat_ws('/', n.image ->> tg_argv[1], n.image ->> tg_argv[2], n.image ->> tg_argv[3]),
      n.image, request
    from (select to_jsonb(x) as image from new_rows as x offset 0) as n;
  elsif tg_op = 'DELETE' then
    insert into public.audit_log (organization_id, actor_kind, actor_id, action, table_name, row_key, before, request_id)
    select
      (o.image ->> tenant_column)::uuid,
      case when kind = 'user' and (o.image ->> tenant_column)::uuid = any (visits) then 'support' else kind end,
      actor_id, 'delete', tg_table_name,
      concat_ws('/', o.image ->> tg_argv[1], o.image ->> tg_argv[2], o.image ->> tg_argv[3]),
      o.image, request
    from (select to_jsonb(x) as image from old_rows as x offset 0) as o
    -- The rows of an organization that is being erased take their log with them.
    where o.image ->> tenant_column is distinct from current_setting('escapemaster.erasing', true);
  else
    insert into public.audit_log (organization_id, actor_kind, actor_id, action, table_name, row_key, before, after, request_id)
    select
      (n.image ->> tenant_column)::uuid,
      case when kind = 'user' and (n.image ->> tenant_column)::uuid = any (visits) then 'support' else kind end,
      actor_id, 'update', tg_table_name, n.row_key, d.before, d.after, request
    from (
      select k.image, concat_ws('/', k.image ->> tg_argv[1], k.image ->> tg_argv[2], k.image ->> tg_argv[3]) as row_key
      from (select to_jsonb(x) as image from old_rows as x offset 0) as k
    ) as o
    join (
      select k.image, concat_ws('/', k.image ->> tg_argv[1], k.image ->> tg_argv[2], k.image ->> tg_argv[3]) as row_key
      from (select to_jsonb(x) as image from new_rows as x offset 0) as k
    ) as n
      on n.row_key = o.row_key and n.image -> tenant_column = o.image -> tenant_column
    cross join lateral (
      select jsonb_object_agg(c.key, o.image -> c.key) as before, jsonb_object_agg(c.key, c.value) as after
      from jsonb_each(n.image) as c
      where c.key not in ('updated_at', 'last_used_at', 'looked_at', 'as_of') and o.image -> c.key is distinct from c.value
    ) as d
    where d.after is not null;
  end if;
  return null;
end
$$;

comment on function private.audit_changes is
  'definer: writes the log, which no client may write. Arguments: the column that holds the organization, then up to three columns that are the key beside it. Secrets stay out because tenant tables in public hold none: hashes live in private.';

create function private.audit_join_code()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  actor jsonb := private.current_actor();
  kind text := actor ->> 'kind';
  was jsonb := case when tg_op = 'UPDATE' then jsonb_build_object('version', old.version, 'is_enabled', old.is_enabled) end;
  is_now jsonb := jsonb_build_object('version', new.version, 'is_enabled', new.is_enabled);
begin
  if was is distinct from is_now then
    insert into public.audit_log (organization_id, actor_kind, actor_id, action, table_name, row_key, before, after, request_id)
    values (
      new.organization_id,
      case kind when 'user' then private.user_kind((actor ->> 'id')::uuid, new.organization_id) else kind end,
      (actor ->> 'id')::uuid, lower(tg_op), 'join_codes', '', was, is_now,
      nullif(current_setting('request.headers', true), '')::json ->> 'x-request-id'
    );
  end if;
  return null;
end
$$;

comment on function private.audit_join_code is
  'definer: writes the log, which no client may write. That a join code was made, rotated or turned off; without its hash, which would tell the code to whoever tries all of them.';

create trigger audit_join_code
after insert or update on private.join_codes
for each row execute function private.audit_join_code();

create function private.own_logs()
returns text []
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array['booking_history', 'booking_lines'];
end
$$;

comment on function private.own_logs is
  'Tables whose rows are written once and later only deleted: what an insert wrote stands in the row, or in the entry of its deletion, and its id tells when. An entry of the insert would say it again: a hold''s two were 54 µs and a third of what the log writes for it.';

create function private.made_at(id uuid)
returns timestamptz
language plpgsql
immutable
set search_path = ''
as $$
begin
  return to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0);
end
$$;

comment on function private.made_at is 'When private.uuid_v7 made an id, to the millisecond.';

create function private.own_log_row_at(organization_id uuid, table_name text, row_key text, at timestamptz)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  image jsonb;
  entry record;
begin
  if not pg_input_is_valid(own_log_row_at.row_key, 'uuid')
    or private.made_at(own_log_row_at.row_key::uuid) > own_log_row_at.at
  then
    return null;
  end if;
  execute format(
    'select to_jsonb(t) from public.%I as t where t.organization_id = $1 and t.id = $2', own_log_row_at.table_name
  )
  into image
  using own_log_row_at.organization_id, own_log_row_at.row_key::uuid;
  -- Backwards from what is there now.
  for entry in
    select l.action, l.before
    from public.audit_log as l
    where l.organization_id = own_log_row_at.organization_id
      and l.table_name = own_log_row_at.table_name
      and l.row_key = own_log_row_at.row_key
      and l.occurred_at > own_log_row_at.at
    order by l.id desc
  loop
    image := case entry.action
      when 'delete' then entry.before
      when 'update' then image || entry.before
    end;
  end loop;
  return image;
end
$$;

comment on function private.own_log_row_at is
  'A row of one of private.own_logs, none of which has a customer''s words, as it was at that instant; null when it was not there.';

create function private.get_row_at(organization_id uuid, table_name text, row_key text, at timestamptz)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  entry record;
  image jsonb;
  sees_customers boolean;
begin
  perform private.require_permission(get_row_at.organization_id, 'audit:read');
  if not exists (select from private.log_readers as r where r.table_name = get_row_at.table_name) then
    perform private.fail('table_not_found', 404, 'Name a table as entries of audit_log do, such as bookings.');
  end if;
  perform private.require_permission(get_row_at.organization_id, r.permission_key)
  from private.log_readers as r
  where r.table_name = get_row_at.table_name;
  if get_row_at.table_name = any (private.own_logs()) then
    return private.own_log_row_at(
      get_row_at.organization_id, get_row_at.table_name, get_row_at.row_key, get_row_at.at
    );
  end if;
  sees_customers := private.has_permission(get_row_at.organization_id, 'customers:read');
  for entry in
    select l.action, l.after || coalesce(p.after, '{}') as after
    from public.audit_log as l
    left join public.audit_log_personal as p
      on sees_customers and p.organization_id = l.organization_id and p.id = l.id
    where l.organization_id = get_row_at.organization_id
      and l.table_name = get_row_at.table_name
      and l.row_key = get_row_at.row_key
      and l.occurred_at <= get_row_at.at
    order by l.id
  loop
    image := case entry.action
      when 'insert' then entry.after
      when 'update' then image || entry.after
    end;
  end loop;
  return image;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_row_at is 'definer: reads the log for a named organization.';
grant execute on function private.get_row_at to authenticated;

create function public.get_row_at(organization_id uuid, table_name text, row_key text, at timestamptz)
returns jsonb
language sql
stable
set search_path = ''
as $$ select private.get_row_at(organization_id, table_name, row_key, at) $$;

comment on function public.get_row_at is
  'The row as it was at that instant, from the audit log or the row itself; null when it did not exist then. Under audit:read and what reading the table takes; what a customer gave is null without customers:read. Errors: 403 permission_denied (details {"permission"}); 404 table_not_found.';
grant execute on function public.get_row_at to authenticated;

create type public.logged_change as (
  id bigint,
  occurred_at timestamptz,
  actor_kind text,
  actor_id uuid,
  action text,
  table_name text
);

comment on type public.logged_change is 'That something changed, and nothing of what.';
comment on column public.logged_change.id is 'The entry''s: audit_log.id.';
comment on column public.logged_change.occurred_at is 'When.';
comment on column public.logged_change.actor_kind is 'one of: user, api_key, support, service, customer, system';
comment on column public.logged_change.actor_id is 'The user or key; null: somebody without an account.';
comment on column public.logged_change.action is 'one of audit_log.action';
comment on column public.logged_change.table_name is 'Of which table.';

create function private.get_changes(organization_id uuid, before_id bigint, max_rows int)
returns setof public.logged_change
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(get_changes.organization_id, 'audit:read');
  return query
  select l.id, l.occurred_at, l.actor_kind, l.actor_id, l.action, l.table_name
  from public.audit_log as l
  where l.organization_id = get_changes.organization_id
    and l.id < coalesce(get_changes.before_id, 9223372036854775807)
  order by l.id desc
  limit least(greatest(coalesce(get_changes.max_rows, 100), 1), 1000);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_changes is 'definer: reads the log for a named organization, also entries whose tables the caller may not read.';
grant execute on function private.get_changes to authenticated;

create function public.get_changes(organization_id uuid, before_id bigint default null, max_rows int default 100)
returns setof public.logged_change
language sql
stable
set search_path = ''
as $$ select * from private.get_changes(organization_id, before_id, max_rows) $$;

comment on function public.get_changes is
  'Who changed something in which table and when, newest first, at most max_rows (1 to 1000) before the entry before_id: of all tables, also those that the caller may not read, so without anything of the rows, their keys among it (audit_log has them). Under audit:read. Errors: 403 permission_denied.';
grant execute on function public.get_changes to authenticated;

-- =============================================================================
-- sql/90_audit/020_changes_since.sql
-- =============================================================================

-- What changed on a venue's screens since they were last read: by polling, and at once where Realtime is there.

create function private.live_tables()
returns text []
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array[
    'sessions', 'bookings', 'booking_contacts', 'booking_comments', 'booking_mail_problems', 'booking_people', 'booking_tags',
    'late_arrivals', 'customers', 'payments', 'refunds', 'waiver_signatures', 'waitlist_entries',
    'session_staff', 'staff_shifts', 'staff_skills',
    'game_events', 'game_results', 'checklist_items', 'checklist_ticks', 'room_incidents',
    'locations', 'rooms', 'room_blocks', 'tags'
  ];
end
$$;

comment on function private.live_tables is
  'What boards and lists of a day are made of. Every member who may read such a table may read all of its rows.';

create function private.settled_until()
returns timestamptz
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- Before the others are looked at: who begins to write after that writes later than that.
  asked_at constant timestamptz := clock_timestamp();
  oldest timestamptz;
begin
  -- Else the second look of one transaction would be the first one's.
  perform pg_stat_clear_snapshot();
  -- Whoever may not be seen (a role without pg_read_all_stats asks) may have begun long ago.
  select min(case when a.query = '<insufficient privilege>' then asked_at - interval '5 minutes' else a.xact_start end)
  into oldest
  from pg_catalog.pg_stat_activity as a
  where a.datname = current_database()
    and a.pid <> pg_backend_pid()
    and (a.backend_xid is not null or a.query = '<insufficient privilege>');
  return least(asked_at, oldest);
end
$$;

comment on function private.settled_until is
  'An instant before which nothing will appear any more: what was written with an earlier clock_timestamp() is committed or undone. It is the start of the oldest transaction that has written and runs, or now. A reader asks for it before it reads.';

create type public.changed_row as (
  table_name text,
  row_key text,
  action text,
  occurred_at timestamptz
);

comment on type public.changed_row is 'That a row changed, and nothing of what.';
comment on column public.changed_row.table_name is 'Of which table.';
comment on column public.changed_row.row_key is 'The row''s primary key without the organization; several columns are joined with a slash.';
comment on column public.changed_row.action is 'one of audit_log.action';
comment on column public.changed_row.occurred_at is 'When.';

create type public.recent_changes as (
  until timestamptz,
  is_whole boolean,
  changes public.changed_row []
);

comment on type public.recent_changes is 'What changed, and from where to go on.';
comment on column public.recent_changes.until is 'The since of the next request. At most as late as the oldest transaction that is still writing, so that nothing of it is missed.';
comment on column public.recent_changes.is_whole is 'False: there is more, ask on at once.';
comment on column public.recent_changes.changes is 'In the order in which they happened. One may come twice, in this request and the next.';

create function private.changes_since(organization_id uuid, since timestamptz, max_rows int)
returns public.recent_changes
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  settled timestamptz;
  wanted int := least(greatest(coalesce(changes_since.max_rows, 500), 10), 1000);
  tables text[];
  found public.changed_row[];
begin
  perform private.require_permission(changes_since.organization_id, 'bookings:read');
  settled := private.settled_until();
  if changes_since.since is null then
    return row(settled, true, '{}'::public.changed_row [])::public.recent_changes;
  elsif not isfinite(changes_since.since) or changes_since.since > clock_timestamp() then
    perform private.fail('since_invalid', 422, 'Give the until of the last answer, or nothing to begin.');
  elsif changes_since.since < clock_timestamp() - interval '1 day'
    -- What a restore puts in the place of what there was, no entry of the log tells.
    or exists (
      select from private.platform_log as p
      where p.organization_id = changes_since.organization_id
        and p.action = 'restore'
        and p.occurred_at >= changes_since.since
    )
  then
    perform private.fail('since_too_old', 410, 'Read everything anew, and begin without since.');
  end if;
  tables := array(
    select r.table_name
    from private.log_readers as r
    where r.table_name = any (private.live_tables())
    group by r.table_name
    having bool_and(private.has_permission(changes_since.organization_id, r.permission_key))
  );
  -- A statement of its own: it sees all that was committed before settled was known.
  found := array(
    select row(l.table_name, l.row_key, l.action, l.occurred_at)::public.changed_row
    from public.audit_log as l
    where l.organization_id = changes_since.organization_id
      and l.occurred_at >= changes_since.since
      and l.table_name = any (tables)
    order by l.occurred_at, l.id
    limit wanted + 1
  );
  settled := greatest(settled, changes_since.since);
  -- The one that is too many is the first of the next answer, but nobody goes on from beyond settled: what
  -- a page leaves out after it comes when whoever is writing has ended.
  if cardinality(found) > wanted and (found [wanted + 1]).occurred_at <= settled then
    return row((found [wanted + 1]).occurred_at, false, found [:wanted])::public.recent_changes;
  end if;
  return row(settled, true, found [:wanted])::public.recent_changes;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.changes_since is
  'definer: reads the log for a named organization, for members who may read the tables themselves.';
grant execute on function private.changes_since to authenticated;

create function public.changes_since(organization_id uuid, since timestamptz default null, max_rows int default 500)
returns public.recent_changes
language sql
volatile
set search_path = ''
as $$ select private.changes_since(organization_id, since, max_rows) $$;

comment on function public.changes_since is
  'Which rows of boards and lists changed, of the tables that the caller may read, oldest first, at most max_rows (10 to 1000): the poll behind a screen that follows. Without since it says only from when to go on; since is the until of the last answer, and misses nothing, however late a transaction commits. Under bookings:read. Errors: 403 permission_denied; 410 since_too_old (more than a day, or the organization was restored since); 422 since_invalid.';
grant execute on function public.changes_since to authenticated;

-- for: private.changes_since, and readers of the log who ask for a day
create index audit_log_occurred_at_idx on public.audit_log (organization_id, occurred_at);

-- Where Supabase Realtime is there, a change is news at once: one message a transaction to the organization's
-- private topic, changes:<organization>. It says only that there is something, as those of
-- notifications do (private.broadcast_notification): what it is, changes_since answers under the permissions of that moment.

create function private.broadcast_change()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  if current_setting('escapemaster.broadcast', true) is distinct from new.organization_id::text then
    perform set_config('escapemaster.broadcast', new.organization_id::text, true);
    execute 'select realtime.send($1, $2, $3, $4)'
    using jsonb_build_object('at', new.occurred_at), 'change', 'changes:' || new.organization_id, true;
  end if;
  return null;
end
$$;

comment on function private.broadcast_change is
  'Tells Realtime that something changed in an organization, once a transaction.';

create function private.hears_changes(topic text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return topic ~ '^changes:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    and private.organization_with('bookings:read', split_part(topic, ':', 2)::uuid) is not null;
end
$$;

comment on function private.hears_changes is
  'Whether the caller may join a topic of Realtime: that of an organization in which they hold bookings:read.';

create function private.allow_realtime()
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not private.allow_broadcasts() or to_regprocedure('realtime.send(jsonb,text,text,boolean)') is null then
    return false;
  end if;
  -- Where nobody hears, nothing fires: a hold writes three entries.
  execute format(
    'create or replace trigger audit_log_broadcast after insert on public.audit_log
     for each row when (new.table_name = any (%L::text [])) execute function private.broadcast_change()',
    private.live_tables()
  );
  execute 'grant execute on function private.hears_changes to authenticated';
  execute 'drop policy if exists changes_are_heard_by_members on realtime.messages';
  execute $policy$
    create policy changes_are_heard_by_members on realtime.messages
    for select to authenticated
    using (extension = 'broadcast' and private.hears_changes((select realtime.topic())))
  $policy$;
  return true;
end
$$;

comment on function private.allow_realtime is
  'Lets members hear of notifications and of changes by Realtime, where it is there, and tells it of both; false without it. For the database''s owner: call it once after Realtime was added.';

select private.allow_realtime();

-- =============================================================================
-- sql/92_erasure/010_customers.sql
-- =============================================================================

-- What is known of a person: all of it for who asks for it, and none of it for who wants to go.

insert into private.personal_columns (relation, column_name, erased, is_address)
values
('public.customers', 'email', '"erased-{customer_id}@erased.invalid"', true),
('public.customers', 'full_name', '"Erased"', false),
('public.customers', 'phone', 'null', false),
('public.customers', 'staff_note', '""', false),
('public.customer_tags', 'tag', '"Erased"', false),
('public.booking_contacts', 'contact_name', '"Erased"', false),
('public.booking_contacts', 'contact_phone', 'null', false),
('public.booking_contacts', 'fields', '{}', false),
('public.booking_contacts', 'customer_note', '""', false),
('public.bookings', 'staff_note', '""', false),
('public.booking_reasons', 'reason', '""', false),
('public.price_overrides', 'reason', '""', false),
('public.vouchers', 'recipient_email', 'null', true),
('public.vouchers', 'recipient_name', '""', false),
('public.vouchers', 'message', '""', false),
('public.voucher_orders', 'buyer_email', 'null', true),
('public.voucher_orders', 'buyer_name', '"Erased"', false),
('public.voucher_orders', 'recipient_email', 'null', true),
('public.voucher_orders', 'recipient_name', '""', false),
('public.voucher_orders', 'message', '""', false),
('public.payment_shares', 'payer_email', 'null', true),
('public.payment_shares', 'payer_name', '"Erased"', false),
('private.refund_requests', 'note', '""', false),
('private.refund_requests', 'withdrawn_reason', 'null', false),
('public.waiver_signatures', 'full_name', '"Erased"', false),
('public.waiver_signatures', 'email', 'null', true),
('public.waiver_signatures', 'minors', '[]', false),
('private.email_messages', 'recipient', '"erased-{customer_id}@erased.invalid"', true)
on conflict (relation, column_name) do update
set erased = excluded.erased,
  is_address = excluded.is_address;

create function private.customer_links(relation regclass)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  columns text[];
  links text[] := '{}';
begin
  select array_agg(a.attname::text) into columns
  from pg_catalog.pg_attribute as a
  where a.attrelid = customer_links.relation and a.attnum > 0 and not a.attisdropped;
  if customer_links.relation = 'public.customers'::regclass then
    return 't.organization_id = $1 and t.id = any ($2)';
  end if;
  if 'customer_id' = any (columns) then
    links := links || 't.customer_id = any ($2)'::text;
  end if;
  if 'booking_id' = any (columns) then
    links := links || 't.booking_id = any ($3)'::text;
  end if;
  select links || coalesce(array_agg(format('t.%I = any ($4)', p.column_name) order by p.column_name), '{}')
  into links
  from private.personal_columns as p
  where p.is_address
    and to_regclass(p.relation) = customer_links.relation
    and p.column_name = any (columns);
  return format('t.organization_id = $1 and (%s)', array_to_string('false'::text || links, ' or '));
end
$$;

comment on function private.customer_links is
  'Which rows t of a table belong to a customer, as a condition: $1 organization, $2 the ids that the customer has and had, $3 ids of the bookings, $4 addresses.';

create function private.customer_ids(organization_id uuid, customer_id uuid)
returns uuid []
language plpgsql
stable
set search_path = ''
as $$
begin
  return customer_ids.customer_id || array(
    select m.merged_id
    from private.customer_merges as m
    where m.organization_id = customer_ids.organization_id and m.customer_id = customer_ids.customer_id
  );
end
$$;

comment on function private.customer_ids is 'A customer''s id, and those of the customers that were merged into it.';

create function private.customer_addresses(organization_id uuid, customer_ids uuid [])
returns text []
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Today's and, by the log, every earlier one that is nobody else's today.
  return array(
    select c.email
    from public.customers as c
    where c.organization_id = customer_addresses.organization_id and c.id = any (customer_addresses.customer_ids)
      and c.email is not null
    union
    select a.address
    from public.audit_log as l
    join public.audit_log_personal as p on p.organization_id = l.organization_id and p.id = l.id
    cross join lateral (values (p.before ->> 'email'), (p.after ->> 'email')) as a (address)
    where l.organization_id = customer_addresses.organization_id
      and l.table_name = 'customers'
      and l.row_key = any (customer_addresses.customer_ids::text [])
      and a.address is not null
      and not exists (
        select from public.customers as other
        where other.organization_id = customer_addresses.organization_id
          and other.email = a.address
          and other.id <> all (customer_addresses.customer_ids)
      )
  );
end
$$;

comment on function private.customer_addresses is
  'The e-mail addresses that a customer has, and had before they were another''s.';

create function private.export_customer(organization_id uuid, customer_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  customer public.customers;
  ids uuid[];
  booking_ids uuid[];
  addresses text[];
  names text[];
  source record;
  found_rows jsonb;
  answer jsonb := '{}';
begin
  perform private.require_permission(export_customer.organization_id, 'customers:export');
  select c.* into customer
  from public.customers as c
  where c.organization_id = export_customer.organization_id and c.id = export_customer.customer_id;
  if not found then
    perform private.fail('customer_not_found', 404, 'Choose one of the organization''s customers; they may have been merged.');
  end if;
  ids := private.customer_ids(customer.organization_id, customer.id);
  addresses := private.customer_addresses(customer.organization_id, ids);
  booking_ids := array(
    select b.id from public.bookings as b
    where b.organization_id = customer.organization_id and b.customer_id = customer.id
  );
  names := array(
    select lower(b.contact_name) from public.booking_contacts as b
    where b.organization_id = customer.organization_id and b.booking_id = any (booking_ids)
    union
    select lower(customer.full_name)
  );

  -- From the catalogue, so that a new table cannot be forgotten: what staff can read and hangs
  -- on a customer or a booking, and the mails. Not the ledger: what it has of a booking's money are its payments and
  -- refunds, and what the platform and the provider took of the venue.
  for source in
    select c.oid::regclass as relation, c.relname as name
    from pg_catalog.pg_class as c
    where c.oid = 'private.email_messages'::regclass
      or (
        c.relkind = 'r'
        and c.relnamespace = 'public'::regnamespace
        and c.oid <> 'public.ledger_entries'::regclass
        and (
          c.oid = 'public.customers'::regclass
          or exists (
            select from pg_catalog.pg_attribute as a
            where a.attrelid = c.oid and a.attname in ('customer_id', 'booking_id') and not a.attisdropped
          )
          or exists (
            select from private.personal_columns as p where p.is_address and to_regclass(p.relation) = c.oid
          )
        )
      )
    order by c.relname
  loop
    execute format(
      'select coalesce(jsonb_agg(to_jsonb(t) - ''organization_id'' order by to_jsonb(t)), ''[]'') from %s as t where %s',
      source.relation, private.customer_links(source.relation)
    )
    into found_rows
    using customer.organization_id, ids, booking_ids, addresses;
    if source.name = 'waiver_signatures' then
      -- Of the others in the party only that somebody signed: their names are theirs.
      select coalesce(
        jsonb_agg(
          case
            when row ->> 'email' = any (addresses) or lower(row ->> 'full_name') = any (names) then
              row || jsonb_build_object('drawing', (
                select d.drawing
                from private.waiver_drawings as d
                where d.organization_id = customer.organization_id and d.signature_id = (row ->> 'id')::uuid
              ))
            else row - '{full_name,email,minors}'::text []
          end
        ),
        '[]'
      )
      into found_rows
      from jsonb_array_elements(found_rows) as row;
    end if;
    if source.name = 'booking_people' then
      -- Of the others in the party that they come: their names are theirs.
      select coalesce(
        jsonb_agg(
          case
            when row ->> 'email' = any (addresses) or lower(row ->> 'full_name') = any (names) then row
            else row - '{full_name,email,phone}'::text []
          end
        ),
        '[]'
      )
      into found_rows
      from jsonb_array_elements(found_rows) as row;
    end if;
    if source.name = 'voucher_orders' then
      -- Who was given a voucher learns nothing new of who bought it.
      select coalesce(
        jsonb_agg(
          case when row ->> 'buyer_email' = any (addresses) then row else row - '{buyer_name,buyer_email}'::text [] end
        ),
        '[]'
      )
      into found_rows
      from jsonb_array_elements(found_rows) as row;
    elsif source.name = 'vouchers' then
      -- A code is money, and the file passes through hands.
      select coalesce(jsonb_agg(row - 'code'), '[]') into found_rows
      from jsonb_array_elements(found_rows) as row;
    end if;
    answer := answer || jsonb_build_object(source.name, found_rows);
  end loop;
  return jsonb_build_object('exported_at', now(), 'addresses', addresses, 'tables', answer);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.export_customer is
  'definer: reads all tables for a named customer, whatever the caller may read elsewhere.';
grant execute on function private.export_customer to authenticated;

create function public.export_customer(organization_id uuid, customer_id uuid)
returns jsonb
language sql
stable
set search_path = ''
as $$ select private.export_customer(organization_id, customer_id) $$;

comment on function public.export_customer is
  'All that the organization knows of a customer, for the customer: {exported_at, addresses (present and earlier), tables: {customers, customer_tags, customer_consents, bookings, booking_lines, booking_history, payments, refunds, waiver_signatures (own ones with the drawing; of others in the party neither name nor drawing), booking_people (of others in the party no name), vouchers (without their codes), voucher_orders (of those that others bought not by whom), email_messages, …: [rows as they are]}}. For members with customers:export. Errors: 403 permission_denied; 404 customer_not_found.';
grant execute on function public.export_customer to authenticated;

create function private.blanked(image jsonb, erased jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return image || coalesce((select jsonb_object_agg(e.key, e.value) from jsonb_each(erased) as e where image ? e.key), '{}');
end
$$;

comment on function private.blanked is 'An image of a row in which the columns that it has are replaced; null for null.';

create function private.logged_key(relation regclass)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select format('concat_ws(''/'', %s)', string_agg(format('t.%I', a.attname), ', ' order by k.position))
    from pg_catalog.pg_constraint as p
    cross join unnest(p.conkey) with ordinality as k (attnum, position)
    join pg_catalog.pg_attribute as a on a.attrelid = p.conrelid and a.attnum = k.attnum
    where p.conrelid = logged_key.relation and p.contype = 'p' and a.attname <> 'organization_id'
  );
end
$$;

comment on function private.logged_key is
  'The key of a row t of a tenant table as audit_log.row_key has it, as an expression.';

create table public.customer_erasures (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  customer_id uuid not null,
  reason text not null,
  erased_by jsonb not null default private.current_actor(),
  erased_at timestamptz not null default now(),
  constraint customer_erasures_pkey primary key (organization_id, id),
  -- Also the index for: the foreign key.
  constraint customer_erasures_customer_key unique (organization_id, customer_id),
  constraint customer_erasures_customer_fkey foreign key (organization_id, customer_id)
  references public.customers (organization_id, id) on delete cascade,
  constraint customer_erasures_reason_has_1_to_500_characters check (reason <> '' and private.is_text(reason, 500))
);

comment on table public.customer_erasures is 'Who erased which customer, when and why. It names nobody.';
comment on column public.customer_erasures.erased_by is 'Who: {kind, id} as in private.current_actor.';

grant select on public.customer_erasures to authenticated;

alter table public.customer_erasures enable row level security;

create trigger customer_erasures_clean_notes
before insert or update of reason on public.customer_erasures
for each row execute function private.clean_texts('notes', 'reason');

create policy customer_erasures_select on public.customer_erasures
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create function private.erase_customer(organization_id uuid, customer_id uuid, reason text)
returns public.customer
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  ids uuid[];
  booking_ids uuid[];
  addresses text[];
  signature_ids uuid[];
  source record;
  keys text[];
  erased_customer public.customers;
begin
  perform private.require_permission(erase_customer.organization_id, 'customers:erase');
  if not private.is_reason(erase_customer.reason, 500) then
    perform private.fail('reason_missing', 422, 'Say why, in at most 500 characters and without naming the person.');
  end if;
  perform private.lock_recipients(erase_customer.organization_id, erasing => true);
  perform private.lock_customers(erase_customer.organization_id, array[erase_customer.customer_id]);
  ids := private.customer_ids(erase_customer.organization_id, erase_customer.customer_id);
  addresses := private.customer_addresses(erase_customer.organization_id, ids);
  booking_ids := array(
    select b.id from public.bookings as b
    where b.organization_id = erase_customer.organization_id and b.customer_id = erase_customer.customer_id
  );
  if private.has_bookings_to_come(erase_customer.organization_id, erase_customer.customer_id) then
    perform private.fail('customer_has_bookings', 409, 'Cancel the customer''s coming bookings first, or wait until they are over.');
  end if;
  execute format('select array(select t.id from public.waiver_signatures as t where %s)',
    private.customer_links('public.waiver_signatures'::regclass))
  into signature_ids
  using erase_customer.organization_id, ids, booking_ids, addresses;

  delete from private.waiver_drawings as d
  where d.organization_id = erase_customer.organization_id and d.signature_id = any (signature_ids);
  delete from public.customer_tags as t
  where t.organization_id = erase_customer.organization_id and t.customer_id = erase_customer.customer_id;
  delete from public.waitlist_entries as e
  where e.organization_id = erase_customer.organization_id and e.customer_id = erase_customer.customer_id;
  -- What a provider answered may quote the address.
  update private.jobs as j
  set last_error = null
  where j.organization_id = erase_customer.organization_id
    and j.last_error is not null
    and exists (
      select from jsonb_each_text(case jsonb_typeof(j.payload) when 'object' then j.payload else '{}' end) as p
      where p.value = any (ids::text [] || booking_ids::text [])
    );
  -- The key stays, so that a repeated request is not carried out again.
  update private.idempotency_keys as k
  set response = k.response - '{customer,contact_name,full_name,email,phone,fields,customer_note,staff_note}'::text []
  where starts_with(k.scope, erase_customer.organization_id::text)
    and exists (
      select from jsonb_each_text(case jsonb_typeof(k.response) when 'object' then k.response else '{}' end) as p
      where p.value = any (ids::text [] || booking_ids::text [])
        or (p.key = 'reference' and p.value in (
          select b.reference from public.bookings as b
          where b.organization_id = erase_customer.organization_id and b.id = any (booking_ids)
        ))
    );

  -- The one change of what the log holds of customers, which is append-only otherwise: private.refuse_log_change.
  perform set_config('escapemaster.erasing_customer', erase_customer.organization_id::text, true);
  for source in
    select
      to_regclass(p.relation) as relation,
      exists (
        select from pg_catalog.pg_trigger as w
        where w.tgrelid = to_regclass(p.relation) and w.tgname = 'audit_update'
      ) as is_logged,
      split_part(p.relation, '.', 2) as name,
      -- The customer's own row comes last: the others are found by its addresses.
      string_agg(format('%I', p.column_name), ', ' order by p.column_name) as columns,
      replace(jsonb_object_agg(p.column_name, p.erased)::text, '{customer_id}', erase_customer.customer_id::text)::jsonb
        as erased
    from private.personal_columns as p
    where to_regclass(p.relation) is not null
    group by p.relation
    order by p.relation = 'public.customers', p.relation
  loop
    keys := '{}';
    if source.is_logged then
      -- Rows that are there, and rows that were deleted.
      execute format(
        'select array(select %s from %s as t where %s)',
        private.logged_key(source.relation), source.relation, private.customer_links(source.relation)
      )
      into keys
      using erase_customer.organization_id, ids, booking_ids, addresses;
      keys := keys || array(
        select l.row_key
        from public.audit_log as l
        where l.organization_id = erase_customer.organization_id
          and l.table_name = source.name
          and l.action = 'delete'
          and (
            l.row_key = any (case when source.relation = 'public.customers'::regclass then ids::text [] end)
            or l.before ->> 'customer_id' = any (ids::text [])
            or l.before ->> 'booking_id' = any (booking_ids::text [])
            or exists (
              select from public.audit_log_personal as p
              join private.personal_columns as c on c.relation = 'public.' || source.name and c.is_address
              where p.organization_id = l.organization_id
                and p.id = l.id
                and p.before ->> c.column_name = any (addresses)
            )
          )
      );
    end if;
    if source.relation = 'public.customers'::regclass then
      update public.customers as c
      set email = source.erased ->> 'email',
        full_name = source.erased ->> 'full_name',
        phone = null,
        staff_note = '',
        erased_at = now()
      where c.organization_id = erase_customer.organization_id and c.id = erase_customer.customer_id
      returning * into erased_customer;
    else
      execute format(
        'update %1$s as t set (%2$s) = (select %2$s from jsonb_populate_record(null::%1$s, $5)) where %3$s',
        source.relation, source.columns, private.customer_links(source.relation)
      )
      using erase_customer.organization_id, ids, booking_ids, addresses, source.erased;
    end if;
    if source.is_logged then
      -- The change just made is in the log too, with what was there before it.
      update public.audit_log_personal as p
      set before = private.blanked(p.before, source.erased),
        after = private.blanked(p.after, source.erased)
      from public.audit_log as l
      where p.organization_id = l.organization_id
        and p.id = l.id
        and l.organization_id = erase_customer.organization_id
        and l.table_name = source.name
        and l.row_key = any (keys);
    end if;
  end loop;
  perform set_config('escapemaster.erasing_customer', '', true);

  insert into public.customer_erasures (organization_id, customer_id, reason)
  values (erase_customer.organization_id, erase_customer.customer_id, erase_customer.reason);
  return private.shown_customer(erased_customer);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.erase_customer is
  'definer: blanks out a person in tables and in the log, which nobody else may write.';
grant execute on function private.erase_customer to authenticated;

create function public.erase_customer(organization_id uuid, customer_id uuid, reason text)
returns public.customer
language sql
volatile
set search_path = ''
as $$ select private.erase_customer(organization_id, customer_id, reason) $$;

comment on function public.erase_customer is
  'Erases a customer for good. What was booked, paid and refunded stays, and that waivers were signed; names, addresses, phone, answers, notes, tags, drawings and minors go, in the rows and in the audit log, whose images then show the row without the person. Signatures of the whole party of the customer''s bookings go too, and the customer''s own under bookings of others. A later booking with the same address makes a new customer. Not reached: files that were exported before, and the platform''s list of addresses that refused mail. reason: kept; does not name the person. Returns the customer as it is now. For members with customers:erase. Errors: 403 permission_denied, organization_suspended; 404 customer_not_found; 409 customer_has_bookings (a coming booking is live), customer_erased; 422 reason_missing.';
grant execute on function public.erase_customer to authenticated;

-- =============================================================================
-- sql/92_erasure/020_organizations.sql
-- =============================================================================

-- The end of an organization's data, when the stated time is over.

create function private.erase_rows(organization_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  doomed record;
begin
  -- Children first: most foreign keys inside a tenant restrict deletion. From the
  -- catalogue, so that a new table cannot be forgotten.
  for doomed in
    with recursive
    tenant_tables as (
      select c.oid, c.relnamespace::regnamespace as schema, c.relname as name
      from pg_catalog.pg_class as c
      where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
        and c.relkind = 'r'
        -- The log of the platform's own acts outlives the organizations that it speaks of.
        and c.oid <> 'private.platform_log'::regclass
        and exists (
          select from pg_catalog.pg_attribute as a
          where a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
        )
    ),
    depths as (
      select t.oid, 0 as depth from tenant_tables as t
      union
      select f.conrelid, d.depth + 1
      from depths as d
      join pg_catalog.pg_constraint as f on f.confrelid = d.oid and f.contype = 'f' and f.conrelid <> f.confrelid
      join tenant_tables as t on t.oid = f.conrelid
      where d.depth < 30
    )
    select t.schema, t.name
    from tenant_tables as t
    join depths as d on d.oid = t.oid
    group by t.schema, t.name
    order by max(d.depth) desc, t.name
  loop
    execute format('delete from %s.%I as t where t.organization_id = $1', doomed.schema, doomed.name)
    using erase_rows.organization_id;
  end loop;
  -- Keys of requests carry the organization at the start of their scope.
  delete from private.idempotency_keys as k
  where starts_with(k.scope, erase_rows.organization_id::text);
end
$$;

comment on function private.erase_rows is 'Deletes a tenant''s rows from every table that has any, for private.platform_erase_organization.';

create function private.platform_erase_organization(organization_id uuid, reason text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_platform_admin();
begin
  if not private.is_reason(platform_erase_organization.reason) then
    perform private.fail('reason_missing', 422, 'Say why.');
  end if;
  if not exists (
    select from public.organizations as o
    where o.id = platform_erase_organization.organization_id
      and o.status = 'closed'
      and o.closed_at < now() - interval '90 days'
  ) then
    perform private.fail('organization_not_erasable', 409, 'Only an organization that was closed more than 90 days ago can be erased.');
  end if;
  -- The ledger and the log refuse every deletion but this one.
  perform set_config('escapemaster.erasing', platform_erase_organization.organization_id::text, true);
  perform private.erase_rows(platform_erase_organization.organization_id);
  delete from public.organizations as o where o.id = platform_erase_organization.organization_id;
  perform set_config('escapemaster.erasing', '', true);
  insert into private.platform_log (admin_user_id, action, organization_id, reason)
  values (caller, 'erase', platform_erase_organization.organization_id, platform_erase_organization.reason);
  -- The files follow. The job belongs to no organization: there is none any more.
  perform private.enqueue(
    'storage.erase',
    jsonb_build_object('organization_id', platform_erase_organization.organization_id),
    'storage.erase:' || platform_erase_organization.organization_id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.platform_erase_organization is 'definer: deletes a whole tenant, for platform administrators.';
grant execute on function private.platform_erase_organization to authenticated;

create function public.platform_erase_organization(organization_id uuid, reason text)
returns void
language sql
volatile
set search_path = ''
as $$ select private.platform_erase_organization(organization_id, reason) $$;

comment on function public.platform_erase_organization is
  'Deletes every row of an organization that was closed more than 90 days ago, for good; its files follow within moments. Platform administrators only. Errors: 401 not_authenticated; 403 platform_admin_required, user_required; 409 organization_not_erasable; 422 reason_missing.';
grant execute on function public.platform_erase_organization to authenticated;

-- =============================================================================
-- sql/95_upkeep/010_sweep.sql
-- =============================================================================

-- What the clock brings: deadlines that are past, places to offer, and what may be forgotten.

create type service.swept as (
  expired_holds int,
  ended_visits int,
  forgotten_idempotency_keys int,
  forgotten_rate_limits int,
  forgotten_jobs int,
  waitlist_offers int,
  expired_waitlist_entries int,
  due_messages int,
  lapsing_holds int,
  changed_details int,
  due_webhooks int,
  forgotten_webhooks int
);

comment on type service.swept is 'What a sweep did, in numbers.';
comment on column service.swept.expired_holds is 'Holds and unconfirmed bookings past their deadline.';
comment on column service.swept.ended_visits is 'Bookings whose game is over.';
comment on column service.swept.forgotten_idempotency_keys is 'Older than a day.';
comment on column service.swept.forgotten_rate_limits is 'Windows older than a day.';
comment on column service.swept.forgotten_jobs is 'Done 90 days ago.';
comment on column service.swept.waitlist_offers is 'Free places that were offered.';
comment on column service.swept.expired_waitlist_entries is 'Waiting for a time that has passed.';
comment on column service.swept.due_messages is 'Messages around visits that were queued.';
comment on column service.swept.lapsing_holds is 'Mails about places that are lost soon that were queued.';
comment on column service.swept.changed_details is 'Mails about changed directions that were queued.';
comment on column service.swept.due_webhooks is 'Webhook deliveries that are tried again.';
comment on column service.swept.forgotten_webhooks is 'Webhook events older than webhook_settings.log_days.';

create function private.sweep()
returns service.swept
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  waitlist jsonb;
  expired int;
  ended int;
  messages int;
  lapsing int;
  details int;
  keys int;
  windows int;
begin
  -- Whoever runs it, nobody did what the clock brings.
  perform private.act_as('system', null);
  -- First: it is the one part that may wait for a lock.
  waitlist := to_jsonb(private.sweep_waitlist());
  expired := private.expire_lapsed_holds(500);
  perform private.end_late_shares(500);
  ended := private.end_past_visits(500);
  messages := private.queue_due_messages(now());
  lapsing := private.queue_lapsing_holds(500);
  details := private.queue_changed_details(500);
  perform private.forget_auth_emails();
  perform private.queue_stale_sender_domains();
  perform private.expire_vouchers(500);
  perform private.forget_voucher_orders(500);
  perform private.queue_monthly_reports(100);
  perform private.end_table_exports(500);

  delete from private.idempotency_keys as k
  where (k.scope, k.key) in (
    select old.scope, old.key
    from private.idempotency_keys as old
    where old.created_at < now() - interval '1 day'
    order by old.created_at
    limit 1000
    for update skip locked
  );
  get diagnostics keys = row_count;

  delete from private.member_addresses as a
  where (a.organization_id, a.user_id, a.email) in (
    select old.organization_id, old.user_id, old.email
    from private.member_addresses as old
    where old.left_at < now() - interval '30 days'
    limit 1000
    for update skip locked
  );

  -- The longest window of private.rate_limit_rules is a day.
  delete from private.rate_limits as l
  where (l.action, l.subject, l.window_start) in (
    select old.action, old.subject, old.window_start
    from private.rate_limits as old
    where old.window_start < now() - interval '1 day'
    order by old.window_start
    limit 10000
    for update skip locked
  );
  get diagnostics windows = row_count;

  return row(
    expired, ended, keys, windows, private.forget_jobs(1000),
    waitlist -> 'waitlist_offers', waitlist -> 'expired_waitlist_entries', messages,
    lapsing, details, private.queue_due_webhooks(), private.forget_webhooks(1000)
  )::service.swept;
end
$$;

comment on function private.sweep is
  'definer: tidies tables that no caller may write.';
grant execute on function private.sweep to service_role;

create function service.sweep()
returns service.swept
language sql
volatile
set search_path = ''
as $$ select private.sweep() $$;

comment on function service.sweep is
  'Gives every booking that is past its deadline its end, at most 500 of those that are held or pending and 500 of those whose game is over, gives up to 500 shares that nobody paid in time back to who booked, offers up to 20 free places to those who wait for one, marks up to 500 vouchers whose last date is past, queues the messages around visits that became due, the mails about places that are lost soon and directions that changed and the webhooks that are to be tried again, and forgets idempotency keys and rate-limit windows older than a day, the addresses of members who left 30 days ago, jobs done 90 days ago, voucher orders that nobody paid in 30 days, exports of tables whose files have had their time, and webhook events older than webhook_settings.log_days. For the worker, or pg_cron, about every minute; any number may run at once.';
grant execute on function service.sweep to service_role;

create function private.schedule_sweep()
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- By the function, not by the extension: where pg_cron is missing nothing here names it.
  if to_regprocedure('cron.schedule(text,text,text)') is null then
    return false;
  end if;
  execute 'select cron.schedule($1, $2, $3)'
  using 'escapemaster-sweep', '* * * * *', 'select private.sweep()';
  -- A transaction of its own: it waits for members that leave.
  execute 'select cron.schedule($1, $2, $3)'
  using 'escapemaster-sweep-notices', '* * * * *', 'select private.sweep_notices(now())';
  return true;
end
$$;

comment on function private.schedule_sweep is
  'Lets pg_cron, where it is installed, run the sweep, and the one that tells staff, every minute under one name each; false without it, when the worker''s own clock does it. Both may run. For the database''s owner: call it once after pg_cron was installed.';

select private.schedule_sweep();

-- =============================================================================
-- sql/95_upkeep/020_platform.sql
-- =============================================================================

-- What the platform's administrators see of all tenants.

create type public.platform_organization as (
  id uuid,
  name text,
  slug text,
  status text,
  created_at timestamptz,
  members bigint,
  bookings_30_days bigint
);

comment on type public.platform_organization is 'An organization as the platform''s administrators see it.';
comment on column public.platform_organization.id is 'Of the organization.';
comment on column public.platform_organization.name is 'As its public reads it.';
comment on column public.platform_organization.slug is 'Public address, unique on the whole platform.';
comment on column public.platform_organization.status is 'one of organizations.status';
comment on column public.platform_organization.created_at is 'When it was opened.';
comment on column public.platform_organization.members is 'Without visitors of the platform.';
comment on column public.platform_organization.bookings_30_days is 'Of games that began in the last 30 days.';

create function private.platform_list_organizations(with_status text, search text, after_id uuid, max_rows int)
returns setof public.platform_organization
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_platform_admin();
  return query
  select
    o.id, o.name, o.slug, o.status, o.created_at,
    (select count(*) from public.memberships as m where m.organization_id = o.id and m.expires_at is null),
    (
      select count(*) from public.bookings as b
      where b.organization_id = o.id and b.starts_at > now() - interval '30 days' and b.starts_at <= now()
    )
  from public.organizations as o
  where (platform_list_organizations.with_status is null or o.status = platform_list_organizations.with_status)
    and (
      platform_list_organizations.search is null
      or o.slug like '%' || lower(platform_list_organizations.search) || '%'
      or lower(o.name) like '%' || lower(platform_list_organizations.search) || '%'
    )
    and (platform_list_organizations.after_id is null or o.id > platform_list_organizations.after_id)
  order by o.id
  limit least(greatest(coalesce(platform_list_organizations.max_rows, 50), 1), 200);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.platform_list_organizations is
  'definer: spans all tenants, for platform administrators.';
grant execute on function private.platform_list_organizations to authenticated;

create function public.platform_list_organizations(
  with_status text default null, search text default null, after_id uuid default null, max_rows int default 50
)
returns setof public.platform_organization
language sql
stable
set search_path = ''
as $$ select * from private.platform_list_organizations(with_status, search, after_id, max_rows) $$;

comment on function public.platform_list_organizations is
  'All organizations in the order of their ids, at most 200 a call; after_id continues. Platform administrators only. Errors: 401 not_authenticated; 403 platform_admin_required, user_required.';
grant execute on function public.platform_list_organizations to authenticated;

create type public.organizations_by_status as (
  active bigint,
  suspended bigint,
  closed bigint
);

comment on type public.organizations_by_status is 'How many organizations there are.';
comment on column public.organizations_by_status.active is 'That are active.';
comment on column public.organizations_by_status.suspended is 'That are suspended.';
comment on column public.organizations_by_status.closed is 'That are closed.';

create type public.bookings_by_status as (
  held bigint,
  pending bigint,
  confirmed bigint,
  checked_in bigint,
  in_progress bigint,
  completed bigint,
  expired bigint,
  cancelled bigint,
  no_show bigint
);

comment on type public.bookings_by_status is 'How many bookings there are.';
comment on column public.bookings_by_status.held is 'That are held.';
comment on column public.bookings_by_status.pending is 'That are pending.';
comment on column public.bookings_by_status.confirmed is 'That are confirmed.';
comment on column public.bookings_by_status.checked_in is 'That are checked_in.';
comment on column public.bookings_by_status.in_progress is 'That are in_progress.';
comment on column public.bookings_by_status.completed is 'That are completed.';
comment on column public.bookings_by_status.expired is 'That are expired.';
comment on column public.bookings_by_status.cancelled is 'That are cancelled.';
comment on column public.bookings_by_status.no_show is 'That are no_show.';

create type public.plan_numbers as (
  plan_key text,
  status text,
  billing_interval text,
  currency text,
  organizations bigint,
  month_cents bigint
);

comment on type public.plan_numbers is 'Organizations that subscribe alike.';
comment on column public.plan_numbers.plan_key is 'Of plans; null: their price is of no plan.';
comment on column public.plan_numbers.status is 'one of subscriptions.status';
comment on column public.plan_numbers.billing_interval is 'one of: month, year';
comment on column public.plan_numbers.currency is 'ISO 4217.';
comment on column public.plan_numbers.organizations is 'How many.';
comment on column public.plan_numbers.month_cents is
  'What they pay a month, a twelfth of what is paid a year, minor units of currency; 0 of those that do not pay now: neither active nor past_due.';

create type public.platform_subscriptions as (
  plans public.plan_numbers [],
  granted bigint,
  trials_ending_7_days bigint,
  overdue bigint,
  doubled bigint
);

comment on type public.platform_subscriptions is 'What organizations pay the platform.';
comment on column public.platform_subscriptions.plans is 'By plan, status, interval and currency; those that are over too.';
comment on column public.platform_subscriptions.granted is 'Organizations that have a plan for nothing now.';
comment on column public.platform_subscriptions.trials_ending_7_days is 'Trials that end within the next 7 days.';
comment on column public.platform_subscriptions.overdue is 'Organizations of which a payment has failed.';
comment on column public.platform_subscriptions.doubled is 'Organizations with further live subscriptions at Stripe, to be ended there.';

create type public.platform_numbers as (
  organizations public.organizations_by_status,
  users bigint,
  bookings_30_days public.bookings_by_status,
  open_support_entries bigint,
  subscriptions public.platform_subscriptions
);

comment on type public.platform_numbers is 'All tenants in numbers.';
comment on column public.platform_numbers.organizations is 'All that there are.';
comment on column public.platform_numbers.users is 'Accounts.';
comment on column public.platform_numbers.bookings_30_days is 'Made in the last 30 days.';
comment on column public.platform_numbers.open_support_entries is 'Visits of the platform that are under way.';
comment on column public.platform_numbers.subscriptions is 'Of organizations that are not closed.';

create function private.platform_subscriptions()
returns public.platform_subscriptions
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    with subscribed as (
      select s.*
      from public.subscriptions as s
      join public.organizations as o on o.id = s.organization_id
      where o.status <> 'closed'
    ),
    alike as (
      select
        s.plan_key, s.status, s.billing_interval, s.currency, count(*) as organizations,
        -- Rounded once, half away from zero.
        round(sum(
          case when s.status not in ('active', 'past_due') then 0 else s.amount_cents end::numeric
          / case s.billing_interval when 'year' then 12 else 1 end
        ))::bigint as month_cents
      from subscribed as s
      where s.status is not null
      group by s.plan_key, s.status, s.billing_interval, s.currency
    )
    select row(
      array(
        select row(
          a.plan_key, a.status, a.billing_interval, a.currency, a.organizations, a.month_cents
        )::public.plan_numbers
        from alike as a
        order by a.plan_key, a.status, a.billing_interval, a.currency
      ),
      count(*) filter (where s.granted_until > now()),
      count(*) filter (where s.status = 'trialing' and s.trial_end between now() and now() + interval '7 days'),
      count(*) filter (where s.overdue_since is not null),
      count(*) filter (where s.other_subscription_ids <> '{}')
    )::public.platform_subscriptions
    from subscribed as s
  );
end
$$;

comment on function private.platform_subscriptions is 'What the organizations that are not closed pay the platform.';

create function private.platform_statistics()
returns public.platform_numbers
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_platform_admin();
  return row(
    (
      select row(
        count(*) filter (where o.status = 'active'),
        count(*) filter (where o.status = 'suspended'),
        count(*) filter (where o.status = 'closed')
      )::public.organizations_by_status
      from public.organizations as o
    ),
    (select count(*) from public.profiles),
    (
      select row(
        count(*) filter (where b.status = 'held'),
        count(*) filter (where b.status = 'pending'),
        count(*) filter (where b.status = 'confirmed'),
        count(*) filter (where b.status = 'checked_in'),
        count(*) filter (where b.status = 'in_progress'),
        count(*) filter (where b.status = 'completed'),
        count(*) filter (where b.status = 'expired'),
        count(*) filter (where b.status = 'cancelled'),
        count(*) filter (where b.status = 'no_show')
      )::public.bookings_by_status
      from public.bookings as b
      where b.created_at > now() - interval '30 days'
    ),
    (select count(*) from public.support_entries as e where e.ended_at is null and e.expires_at > now()),
    private.platform_subscriptions()
  )::public.platform_numbers;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.platform_statistics is 'definer: counts over all tenants, for platform administrators.';
grant execute on function private.platform_statistics to authenticated;

create function public.platform_statistics()
returns public.platform_numbers
language sql
stable
set search_path = ''
as $$ select private.platform_statistics() $$;

comment on function public.platform_statistics is
  'Counts of organizations by status, users, bookings made in the last 30 days by status, and subscriptions: plans, statuses, trials that end, money a month. Platform administrators only. Errors: 401 not_authenticated; 403 platform_admin_required, user_required.';
grant execute on function public.platform_statistics to authenticated;

-- =============================================================================
-- sql/95_upkeep/030_logged_tables.sql
-- =============================================================================

-- Which tables write the log, and which columns it keeps apart. Last, when all of them are there.

-- Every tenant table of public, so that a new one cannot be forgotten, and promised refunds, which
-- staff see through a function. Not notifications: they tell one person what the log has already, and
-- reading one changes nothing of the tenant's. Not the ledger: triggers alone write it, from rows that the log
-- has already, and none of it ever changes. What is inserted into private.own_logs makes no entry.
do $$
declare
  tenant_table record;
begin
  for tenant_table in
    select
      c.relname as name,
      c.oid::regclass as relation,
      case when c.relname = 'organizations' then 'id' else 'organization_id' end as tenant_column,
      key.columns as key_columns,
      key.length as key_length
    from pg_catalog.pg_class as c
    cross join lateral (
      select string_agg(quote_literal(a.attname), ', ' order by k.position) as columns, count(*) as length
      from pg_catalog.pg_constraint as p
      cross join unnest(p.conkey) with ordinality as k (attnum, position)
      join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = k.attnum
      where p.conrelid = c.oid and p.contype = 'p'
        and (a.attname <> 'organization_id' or cardinality(p.conkey) = 1)
    ) as key
    where c.relkind = 'r'
      and (c.relnamespace = 'public'::regnamespace or c.oid = 'private.refund_requests'::regclass)
      and c.relname not in ('audit_log', 'audit_log_personal', 'notifications', 'ledger_entries')
      and (
        c.relname = 'organizations'
        or exists (
          select from pg_catalog.pg_attribute as a
          where a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
        )
      )
    order by c.relname
  loop
    if tenant_table.key_length > 3 then
      raise exception 'private.audit_changes takes three key columns, % has more', tenant_table.name;
    end if;
    if tenant_table.name <> all (private.own_logs()) then
      execute format(
        'create trigger audit_insert after insert on %1$s referencing new table as new_rows
         for each statement execute function private.audit_changes(%3$L, %2$s)',
        tenant_table.relation, tenant_table.key_columns, tenant_table.tenant_column
      );
    end if;
    execute format(
      'create trigger audit_update after update on %1$s referencing old table as old_rows new table as new_rows
       for each statement execute function private.audit_changes(%3$L, %2$s)',
      tenant_table.relation, tenant_table.key_columns, tenant_table.tenant_column
    );
    execute format(
      'create trigger audit_delete after delete on %1$s referencing old table as old_rows
       for each statement execute function private.audit_changes(%3$L, %2$s)',
      tenant_table.relation, tenant_table.key_columns, tenant_table.tenant_column
    );
  end loop;
end
$$;

-- Who sees the entries: whoever passes the table's own policy, read from it, so that none can be forgotten.
insert into private.log_readers (table_name, permission_key)
select p.tablename, asked.permission [1]
from pg_catalog.pg_policies as p
cross join regexp_matches(p.qual, 'organization_with\(''([a-z_:]+)''', 'g') as asked (permission)
where p.schemaname = 'public'
  and p.cmd = 'SELECT'
  and exists (
    select from pg_catalog.pg_trigger as w
    where w.tgrelid = to_regclass(format('public.%I', p.tablename)) and w.tgname = 'audit_delete'
  )
union all
-- No client reads these tables; the functions that show them ask for it.
values ('refund_requests', 'payments:read'), ('join_codes', 'users:read')
on conflict on constraint log_readers_pkey do nothing;

-- In the log itself, so that no writer of entries can forget it; the condition keeps it from those
-- of all other tables. One trigger: one for each table cost every entry some 28 µs.
do $$
declare
  tables text [];
  arguments text;
begin
  select
    array_agg(t.name order by t.name),
    string_agg(format('%L, %L', t.name, t.columns), ', ' order by t.name)
  into tables, arguments
  from (
    select split_part(p.relation, '.', 2) as name, array_agg(p.column_name order by p.column_name) as columns
    from private.personal_columns as p
    group by p.relation
  ) as t;
  execute format(
    'create trigger audit_log_parts_personal_columns before insert on public.audit_log
     for each row when (new.table_name = any (%L::text [])) execute function private.part_personal_columns(%s)',
    tables, arguments
  );
end
$$;

-- =============================================================================
-- sql/95_upkeep/040_measures.sql
-- =============================================================================

-- What an operator watches (/metrics of the service): numbers of the whole platform, nobody's rows.

create type service.measure as (
  name text,
  kind text,
  value double precision
);

comment on type service.measure is 'A number of now.';
comment on column service.measure.name is 'one of: jobs_queued, jobs_due, jobs_running, jobs_dead, job_oldest_due_seconds, webhook_deliveries_pending, subscriptions_unread_seconds, accounts_unread_seconds, connections, connections_max';
comment on column service.measure.kind is 'Of jobs: their kind. Of connections: their state, as pg_stat_activity says it. null: the number has no kinds.';
comment on column service.measure.value is 'A count; for names that end in _seconds, seconds.';

create function private.measures()
returns setof service.measure
language sql
stable
security definer
set search_path = ''
as $$
  with unfinished as (
    -- jobs_share_idx holds these and no others.
    select
      j.kind,
      count(*) filter (where j.status = 'queued') as queued,
      count(*) filter (where j.status = 'queued' and j.run_at <= now()) as due,
      count(*) filter (where j.status = 'running') as running,
      coalesce(extract(epoch from now() - min(j.run_at) filter (where j.status = 'queued' and j.run_at <= now())), 0) as oldest
    from private.jobs as j
    where j.status in ('queued', 'running')
    group by j.kind
  )
  select 'jobs_queued', u.kind, u.queued::double precision from unfinished as u
  union all
  select 'jobs_due', u.kind, u.due from unfinished as u
  union all
  select 'jobs_running', u.kind, u.running from unfinished as u
  union all
  select 'job_oldest_due_seconds', u.kind, u.oldest from unfinished as u
  union all
  select 'jobs_dead', d.kind, count(*) from private.jobs as d where d.status = 'dead' group by d.kind
  union all
  select 'webhook_deliveries_pending', null, count(*) from private.webhook_deliveries as w where w.status = 'pending'
  union all
  -- How long ago the subscriptions of the customer were read that were read least lately: the worker reads all once a day.
  select 'subscriptions_unread_seconds', null, coalesce(extract(epoch from now() - min(c.as_of)), 0)
  from private.stripe_customers as c
  where c.customer_id is not null
  union all
  select 'accounts_unread_seconds', null, coalesce(extract(epoch from now() - min(a.as_of)), 0)
  from public.stripe_accounts as a
  where a.account_id is not null
  union all
  select 'connections', coalesce(s.state, 'hidden'), count(*)
  from pg_catalog.pg_stat_activity as s
  where s.backend_type = 'client backend'
  group by coalesce(s.state, 'hidden')
  union all
  select 'connections_max', null, current_setting('max_connections')::double precision
$$;

comment on function private.measures is 'definer: the queue and what providers said are visible to nobody. Counts and ages, no content.';
grant execute on function private.measures to service_role;

create function service.measures()
returns setof service.measure
language sql
stable
set search_path = ''
as $$ select * from private.measures() $$;

comment on function service.measures is
  'What an operator watches: the queue by kind, jobs given up, webhooks that wait, how long nothing was read of Stripe, connections to the database.';
grant execute on function service.measures to service_role;

-- =============================================================================
-- sql/95_upkeep/050_system_columns.sql
-- =============================================================================

-- What a client may read of a table are its columns, each by name. Rights upon a whole table open the columns that
-- PostgreSQL keeps for itself too: xmin, xmax, cmin and cmax count transactions and commands, and ctid the rows, of all
-- tenants together, so that one of them could see how much is written by all.
do $$
declare
  readable record;
begin
  for readable in
    select c.oid::regclass as relation, string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns
    from pg_catalog.pg_class as c
    join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace
      and c.relkind in ('r', 'v', 'p', 'm')
      and has_table_privilege('authenticated', c.oid, 'select')
    group by c.oid
    order by c.oid::regclass::text
  loop
    execute format('revoke select on %s from authenticated', readable.relation);
    execute format('grant select (%s) on %s to authenticated', readable.columns, readable.relation);
  end loop;
end
$$;
