-- A booking as every answer shows it.

create type public.booked_extra as (
  extra_id uuid,
  name text,
  quantity int
);

comment on type public.booked_extra is 'An extra that a booking has.';
comment on column public.booked_extra.extra_id is 'The extra.';
comment on column public.booked_extra.name is 'In the booking''s language.';
comment on column public.booked_extra.quantity is 'As ordered: for the booking, or for each person.';

create type private.shown_booking as (
  reference text,
  status text,
  hold_expires_at timestamptz,
  starts_at timestamptz,
  ends_at timestamptz,
  timezone text,
  room_id uuid,
  room_name text,
  party_size int,
  seats int,
  exclusive boolean,
  extras public.booked_extra [],
  fields jsonb,
  customer_note text,
  currency text,
  total_cents bigint,
  due_now_cents bigint
);

comment on type private.shown_booking is
  'What all answers about a booking begin with.';

create function private.show_booking_at(
  booking public.bookings,
  ends_at timestamptz,
  timezone text,
  room_name text
)
returns private.shown_booking
language plpgsql
stable
set search_path = ''
as $$
declare
  contact public.booking_contacts;
  shown private.shown_booking;
begin
  select k.* into contact
  from public.booking_contacts as k
  where k.organization_id = booking.organization_id and k.booking_id = booking.id;
  shown.reference := booking.reference;
  -- A hold that nobody reaped yet is over all the same.
  shown.status := case when booking.hold_expires_at <= now() then 'expired' else booking.status end;
  shown.hold_expires_at := booking.hold_expires_at;
  shown.starts_at := booking.starts_at;
  shown.ends_at := show_booking_at.ends_at;
  shown.timezone := show_booking_at.timezone;
  shown.room_id := booking.room_id;
  shown.room_name := show_booking_at.room_name;
  shown.party_size := booking.party_size;
  shown.seats := booking.seats;
  shown.exclusive := booking.exclusive;
  shown.extras := array(
    select row(x.id, private.text_in(x.names, booking.locale), be.quantity)::public.booked_extra
    from public.booking_extras as be
    join public.extras as x on x.organization_id = be.organization_id and x.id = be.extra_id
    where be.organization_id = booking.organization_id and be.booking_id = booking.id
    order by x.position, x.id
  );
  shown.fields := contact.fields;
  shown.customer_note := contact.customer_note;
  shown.currency := booking.currency;
  shown.total_cents := booking.total_cents;
  shown.due_now_cents := booking.due_now_cents;
  return shown;
end
$$;

comment on function private.show_booking_at is
  'A booking as clients see it, for who has read its session and room already.';

create function private.show_booking(booking public.bookings)
returns private.shown_booking
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.show_booking_at(booking, s.ends_at, l.timezone, private.room_name(r, booking.locale))
    from public.sessions as s
    join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where s.organization_id = booking.organization_id and s.id = booking.session_id
  );
end
$$;

comment on function private.show_booking is 'A booking as clients see it.';
