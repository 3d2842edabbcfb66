-- A visit as an event in somebody's own calendar, and where it takes place: told in mails and by the
-- booking's link alike, so that it is one event and not two.

create function private.booking_event(organization_id uuid, booking_id uuid, until timestamptz)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'uid', booking_event.booking_id,
      -- Confirmed, changed, cancelled: each is announced, and each is a new version of the event.
      'sequence', greatest(count(*) filter (
        where h.to_status in ('confirmed', 'cancelled') or h.change is not null
      ) - 1, 0),
      'updated_at', max(h.occurred_at)
    )
    from public.booking_history as h
    where h.organization_id = booking_event.organization_id
      and h.booking_id = booking_event.booking_id
      and h.occurred_at <= booking_event.until
  );
end
$$;

comment on function private.booking_event is
  'The identity of a booking''s event and its version as it was then: {uid, sequence, updated_at}. A calendar takes a higher sequence for news of the same event.';

create function private.booking_place(booking public.bookings)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'name', l.name,
      'address', concat_ws(', ', nullif(l.address, ''), nullif(trim(concat_ws(' ', l.postal_code, l.city)), ''))
    )
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where r.organization_id = booking.organization_id and r.id = booking.room_id
  );
end
$$;

comment on function private.booking_place is 'Where a booking takes place: {name, address}.';
