-- A booking as every answer shows it.

create function private.booking_json_at(
  booking public.bookings,
  ends_at timestamptz,
  timezone text,
  room_name text
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  contact public.booking_contacts;
begin
  select k.* into contact
  from public.booking_contacts as k
  where k.organization_id = booking.organization_id and k.booking_id = booking.id;
  return jsonb_build_object(
    'reference', booking.reference,
    -- A hold that nobody reaped yet is over all the same.
    'status', case
      when booking.hold_expires_at <= now() then 'expired' else booking.status
    end,
    'hold_expires_at', booking.hold_expires_at,
    'starts_at', booking.starts_at,
    'ends_at', booking_json_at.ends_at,
    'timezone', booking_json_at.timezone,
    'room_id', booking.room_id,
    'room_name', booking_json_at.room_name,
    'party_size', booking.party_size,
    'seats', booking.seats,
    'exclusive', booking.exclusive,
    'extras', (
      select coalesce(
        jsonb_agg(
          jsonb_build_object(
            'extra_id', x.id, 'name', private.text_in(x.names, booking.locale), 'quantity', be.quantity
          )
          order by x.position, x.id
        ),
        '[]'
      )
      from public.booking_extras as be
      join public.extras as x on x.organization_id = be.organization_id and x.id = be.extra_id
      where be.organization_id = booking.organization_id and be.booking_id = booking.id
    ),
    'fields', contact.fields,
    'customer_note', contact.customer_note,
    'currency', booking.currency,
    'total_cents', booking.total_cents,
    'due_now_cents', booking.due_now_cents
  );
end
$$;

comment on function private.booking_json_at is
  'A booking as clients see it, for who has read its session and room already.';

create function private.booking_json(booking public.bookings)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.booking_json_at(booking, s.ends_at, l.timezone, r.name)
    from public.sessions as s
    join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where s.organization_id = booking.organization_id and s.id = booking.session_id
  );
end
$$;

comment on function private.booking_json is 'A booking as clients see it.';
