-- A visit as an event in somebody's own calendar, and where it takes place: told in mails and by the
-- booking's link alike, so that it is one event and not two.

create type public.booking_event as (
  uid uuid,
  sequence int,
  updated_at timestamptz
);

comment on type public.booking_event is
  'The visit as an event in somebody''s calendar: the same identity in every file and mail.';
comment on column public.booking_event.uid is 'The identity of the event.';
comment on column public.booking_event.sequence is 'Its version: a calendar takes a higher one for news of the same event.';
comment on column public.booking_event.updated_at is 'Since when it is as it is.';

create function private.booking_event(organization_id uuid, booking_id uuid, until timestamptz)
returns public.booking_event
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      booking_event.booking_id,
      -- Confirmed, changed, cancelled: each is announced, and each is a new version of the event.
      greatest(count(*) filter (
        where h.to_status in ('confirmed', 'cancelled') or h.change is not null
      ) - 1, 0),
      max(h.occurred_at)
    )::public.booking_event
    from public.booking_history as h
    where h.organization_id = booking_event.organization_id
      and h.booking_id = booking_event.booking_id
      and h.occurred_at <= booking_event.until
  );
end
$$;

comment on function private.booking_event is
  'The identity of a booking''s event and its version as it was then.';

create type public.booking_place as (
  name text,
  address text,
  phone text,
  arrival_hints text,
  directions text,
  latitude numeric,
  longitude numeric,
  line text
);

comment on type public.booking_place is 'Where a visit takes place.';
comment on column public.booking_place.name is 'The location''s.';
comment on column public.booking_place.address is 'In one line; empty when the venue gave none.';
comment on column public.booking_place.phone is 'By which the venue is reached; null: none.';
comment on column public.booking_place.arrival_hints is 'How to get in, in the booking''s language or another; null: not said, or not to whoever only pays the booking.';
comment on column public.booking_place.directions is 'How to get there, in the booking''s language or another; null: not said.';
comment on column public.booking_place.latitude is 'In degrees; null: not said.';
comment on column public.booking_place.longitude is 'In degrees; null: not said.';
comment on column public.booking_place.line is 'Name and address in one line, as a calendar''s event says where it takes place.';

create function private.booking_place(booking public.bookings)
returns public.booking_place
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      l.name,
      private.location_address(l),
      coalesce(l.phone, o.phone),
      private.text_in(l.arrival_hints, booking.locale),
      private.text_in(l.directions, booking.locale),
      l.latitude,
      l.longitude,
      private.location_line(l)
    )::public.booking_place
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    join public.organizations as o on o.id = r.organization_id
    where r.organization_id = booking.organization_id and r.id = booking.room_id
  );
end
$$;

comment on function private.booking_place is 'Where a booking takes place.';
