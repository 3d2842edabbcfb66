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
