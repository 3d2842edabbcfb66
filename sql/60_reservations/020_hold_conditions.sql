-- What a hold must meet beside its place: the calendar's terms are accepted, and nobody fills a
-- calendar with bookings that cost nothing, from one network address or under one e-mail address.

create table private.hold_addresses (
  organization_id uuid not null,
  booking_id uuid not null,
  calendar_id uuid not null,
  address_hash bytea not null,
  constraint hold_addresses_pkey primary key (organization_id, booking_id),
  constraint hold_addresses_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint hold_addresses_calendar_fkey foreign key (organization_id, calendar_id)
  references public.calendars (organization_id, id) on delete cascade
);

comment on table private.hold_addresses is
  'From where a booking was made, as long as it is to come and unpaid: a keyed hash of the address for this calendar alone, which says nothing about it elsewhere.';

-- for: the live holds of an address in a calendar, and the foreign key
create index hold_addresses_calendar_id_idx
on private.hold_addresses (organization_id, calendar_id, address_hash);

create function private.forget_hold_address()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from private.hold_addresses as h
  where h.organization_id = new.organization_id
    and h.booking_id = new.id
    and (new.status not in ('held', 'confirmed') or private.has_paid(new.organization_id, new.id));
  return null;
end
$$;

comment on function private.forget_hold_address is
  'A booking that was paid, has come or is no more need not know its address.';

create trigger forget_hold_address
after update of status on public.bookings
for each row when (old.status in ('held', 'confirmed') and new.status <> old.status)
execute function private.forget_hold_address();

create function private.has_paid(organization_id uuid, booking_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.payments as p
    where p.organization_id = has_paid.organization_id and p.booking_id = has_paid.booking_id
  );
end
$$;

comment on function private.has_paid is 'Whether anything was ever paid for the booking, by whatever method.';

create function private.is_live_unpaid(booking public.bookings)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  -- One that something was due for was confirmed by a payment or by staff, who answer for it.
  return (booking.status = 'held' or booking.status = 'confirmed' and booking.due_now_cents = 0)
    and coalesce(booking.hold_expires_at, booking.starts_at) > now()
    and not private.has_paid(booking.organization_id, booking.id);
end
$$;

comment on function private.is_live_unpaid is
  'Whether the booking takes a place to come although nobody has paid anything and no staff confirmed it.';

create function private.limit_live_holds(booking public.bookings, address text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  allowed int;
  hash bytea;
  -- A stranger who types somebody's e-mail address needs three networks to use it up, and then
  -- still leaves as much as one may have to whoever has proven it.
  networks constant int := 3;
  allowed_by_email int;
  mailbox text;
begin
  if address is null then
    return; -- nobody's: the owner's own session, not a request
  end if;
  select c.holds_per_address into allowed
  from public.calendars as c
  where c.organization_id = booking.organization_id and c.id = booking.calendar_id;
  hash := private.token_hash(private.derived_token('hold_address', booking.calendar_id || ' ' || address));
  -- Holds of one address go one after the other from here, or each would miss the others.
  perform pg_advisory_xact_lock(('x' || encode(substr(hash, 1, 8), 'hex'))::bit(64)::bigint);
  -- Joined first (offset 0 keeps the planner from moving it): without statistics, PostgreSQL asked whether
  -- a booking is live once for every pair of rows, 2,500 times a hold where there were a hundred.
  if (
    select count(*)
    from (
      select b as found
      from private.hold_addresses as h
      join public.bookings as b on b.organization_id = h.organization_id and b.id = h.booking_id
      where h.organization_id = booking.organization_id
        and h.calendar_id = booking.calendar_id
        and h.address_hash = hash
      offset 0
    ) as joined
    where private.is_live_unpaid(joined.found)
  ) >= allowed then
    perform private.fail(
      'too_many_holds', 429, 'Pay for or cancel one of your reservations first, or wait until one lapses.',
      jsonb_build_object('maximum', allowed)
    );
  end if;
  insert into private.hold_addresses (organization_id, booking_id, calendar_id, address_hash)
  values (booking.organization_id, booking.id, booking.calendar_id, hash);

  -- For the mailbox too, under whatever +tag: many network addresses are cheap.
  select private.mailbox(c.email), allowed * case when private.caller_has_proven(c.email) then networks + 1 else networks end
  into mailbox, allowed_by_email
  from public.customers as c
  where c.organization_id = booking.organization_id and c.id = booking.customer_id;
  perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'unpaid:', booking.calendar_id, mailbox), 0));
  if (
    select count(*)
    from (
      select b as found
      from public.customers as c
      join public.bookings as b on b.organization_id = c.organization_id and b.customer_id = c.id
      where c.organization_id = booking.organization_id
        and private.mailbox(c.email) = mailbox
        and b.calendar_id = booking.calendar_id
        and b.id <> booking.id
        and b.starts_at > now()
        and b.source = 'widget'
      offset 0
    ) as joined
    where private.is_live_unpaid(joined.found)
  ) >= allowed_by_email then
    perform private.fail(
      'too_many_unpaid_bookings', 429,
      'Sign in with this e-mail address by a mailed link and book again, cancel one of its bookings, or ask the venue.',
      jsonb_build_object('maximum', allowed_by_email)
    );
  end if;
end
$$;

comment on function private.limit_live_holds is
  'Notes the address of a booking without payment. Raises 429 too_many_holds (details {"maximum"}) when the address has as many in the calendar already as this allows, and too_many_unpaid_bookings when the mailbox has three times as many, four times for whoever has proven it; a null address is not limited.';

create function private.check_terms(calendar public.calendars, consents jsonb)
returns void
language plpgsql
immutable
set search_path = ''
as $$
begin
  if jsonb_typeof(consents) is distinct from 'array' then
    perform private.fail('consents_invalid', 422, 'Give consents as a list of {kind, granted, wording}.');
  elsif calendar.terms <> '{}' and not exists (
    select from jsonb_array_elements(consents) as c
    where c ->> 'kind' = 'terms' and c -> 'granted' = 'true'
  ) then
    perform private.fail('terms_not_accepted', 422, 'Accept the calendar''s terms.');
  end if;
end
$$;

comment on function private.check_terms is
  'Raises 422 consents_invalid, and terms_not_accepted when the calendar has terms and nobody agreed to them.';
