-- The code that a party shows when it comes: in its confirmation, as a picture to be scanned.

create function private.check_in_code(booking public.bookings)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  -- 132 bits that only the database can make: whoever shows them has the mail.
  return concat(
    replace(booking.id::text, '-', ''), '.', left(private.derived_token('check_in', booking.id::text), 22)
  );
end
$$;

comment on function private.check_in_code is
  'What shows staff which booking somebody comes for, and that they have its mail. It opens nothing to anybody else.';

create type public.scanned_booking as (
  booking_id uuid,
  reference text,
  status text,
  room_name text,
  starts_at timestamptz,
  timezone text,
  party_size int,
  contact_name text,
  currency text,
  open_cents bigint,
  unsigned_waivers int
);

comment on type public.scanned_booking is 'What staff see of a booking whose code they scanned.';
comment on column public.scanned_booking.booking_id is 'Of the booking.';
comment on column public.scanned_booking.reference is 'As its mails name it.';
comment on column public.scanned_booking.status is 'one of bookings.status';
comment on column public.scanned_booking.room_name is 'The game, in the booking''s language.';
comment on column public.scanned_booking.starts_at is 'When it starts.';
comment on column public.scanned_booking.timezone is 'IANA zone of its location.';
comment on column public.scanned_booking.party_size is 'How many come.';
comment on column public.scanned_booking.contact_name is 'Who booked; null without customers:read.';
comment on column public.scanned_booking.currency is 'ISO 4217.';
comment on column public.scanned_booking.open_cents is 'What can still be asked for of the total, in minor units; null without payments:read.';
comment on column public.scanned_booking.unsigned_waivers is 'People for whom nobody has signed the waiver.';

create function private.booking_by_check_in_code(organization_id uuid, code text)
returns public.scanned_booking
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  -- The code alone, or the whole link of which it is a part.
  parts text [] := regexp_match(
    left(booking_by_check_in_code.code, 2000), '(?:^|check_in=)\s*([0-9a-f]{32})\.([A-Za-z0-9_-]{22})(?:$|[^A-Za-z0-9_-])'
  );
  shown public.scanned_booking;
  shows_names boolean;
  shows_money boolean;
begin
  perform private.require_permission(booking_by_check_in_code.organization_id, 'bookings:read');
  shows_names := private.has_permission(booking_by_check_in_code.organization_id, 'customers:read');
  shows_money := private.has_permission(booking_by_check_in_code.organization_id, 'payments:read');
  select
    b.id, b.reference, b.status, private.room_name(r, b.locale), b.starts_at, l.timezone, b.party_size,
    case when shows_names then contact.contact_name end, b.currency,
    case when shows_money then private.booking_open(b) end,
    (private.booking_waiver(b)).missing
  into shown
  from public.bookings as given
  -- The code of a party that was merged with another is good for both.
  join public.bookings as b
    on b.organization_id = given.organization_id and b.id = coalesce(given.merged_into_id, given.id)
  join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  join public.booking_contacts as contact
    on contact.organization_id = b.organization_id and contact.booking_id = b.id
  where given.organization_id = booking_by_check_in_code.organization_id
    and given.id = parts[1]::uuid
    -- As hashes: how long it takes tells nothing of how much of it was right.
    and private.token_hash(private.check_in_code(given)) = private.token_hash(parts[1] || '.' || parts[2]);
  if shown.booking_id is null then
    perform private.fail('booking_not_found', 404, 'Scan the code of a mail of this venue, or look the booking up.');
  end if;
  return shown;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.booking_by_check_in_code is
  'definer: compares secrets that no client may read. Asks for bookings:read.';
grant execute on function private.booking_by_check_in_code to authenticated;

create function public.booking_by_check_in_code(organization_id uuid, code text)
returns public.scanned_booking
language sql
stable
set search_path = ''
as $$ select private.booking_by_check_in_code(organization_id, code) $$;

comment on function public.booking_by_check_in_code is
  'The booking whose code a party shows: code is what was scanned, the link or what follows check_in= in it. transition_booking checks it in. For members with bookings:read; the name of who booked is shown under customers:read, what is open under payments:read. Errors: 403 permission_denied; 404 booking_not_found, also for another venue''s code.';
grant execute on function public.booking_by_check_in_code to authenticated;
