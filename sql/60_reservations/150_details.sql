-- What a party said of itself, corrected at the desk.

create function private.change_booking_details(
  organization_id uuid,
  booking_id uuid,
  contact_name text,
  contact_phone text,
  locale text,
  fields jsonb,
  customer_note text
)
returns public.desk_booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
  calendar public.calendars;
  contact public.booking_contacts;
  guest private.guest;
begin
  perform private.require_permission(change_booking_details.organization_id, 'bookings:update');
  -- Nobody overwrites what they may not read.
  perform private.require_permission(change_booking_details.organization_id, 'customers:read');
  if length(private.clean_note(change_booking_details.customer_note)) > 2000 then
    perform private.fail('customer_note_too_long', 422, 'Write a note of at most 2000 characters.');
  end if;
  booking := private.locked_booking(change_booking_details.organization_id, change_booking_details.booking_id);
  perform private.refuse_erased(booking);
  select k.* into contact
  from public.booking_contacts as k
  where k.organization_id = booking.organization_id and k.booking_id = booking.id;
  guest := private.checked_customer(
    jsonb_build_object(
      'full_name', coalesce(change_booking_details.contact_name, contact.contact_name),
      'phone', coalesce(change_booking_details.contact_phone, contact.contact_phone),
      'locale', change_booking_details.locale
    ),
    booking.locale,
    may_lack_email => true
  );
  if change_booking_details.fields is not null then
    select c.* into calendar
    from public.calendars as c
    where c.organization_id = booking.organization_id and c.id = booking.calendar_id;
    contact.fields := private.checked_fields(calendar, change_booking_details.fields, booking.room_id);
  end if;

  update public.booking_contacts as k
  set contact_name = guest.full_name,
    contact_phone = guest.phone,
    fields = contact.fields,
    customer_note = coalesce(change_booking_details.customer_note, k.customer_note)
  where k.organization_id = booking.organization_id and k.booking_id = booking.id;
  update public.bookings as b
  set locale = guest.locale
  where b.organization_id = booking.organization_id and b.id = booking.id and b.locale <> guest.locale;
  return (
    select private.desk_booking(b)
    from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.change_booking_details is
  'definer: writes bookings and their contacts, which no client may write.';
grant execute on function private.change_booking_details to authenticated;

create function public.change_booking_details(
  organization_id uuid,
  booking_id uuid,
  contact_name text default null,
  contact_phone text default null,
  locale text default null,
  fields jsonb default null,
  customer_note text default null
)
returns public.desk_booking
language sql
volatile
set search_path = ''
as $$
  select private.change_booking_details(
    organization_id, booking_id, contact_name, contact_phone, locale, fields, customer_note
  )
$$;

comment on function public.change_booking_details is
  'Corrects what came with a booking, in whatever status, and returns it; null: as it is, and an empty contact_phone or customer_note: none. locale: the language in which the party is written to from now on; fields: all answers to its calendar''s questions, by key, checked as when it was booked. The customer''s own name, address and phone are columns of customers. Nobody is written to. For members with bookings:update and customers:read. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 customer_erased; 422 customer_invalid (details {"field"}), field_invalid, customer_note_too_long.';
grant execute on function public.change_booking_details to authenticated;
