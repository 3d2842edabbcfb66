-- What the public sees: a calendar, its free times, and what one of them costs.

create function private.public_calendar(slug text)
returns public.calendars
language plpgsql
volatile
set search_path = ''
as $$
declare
  calendar public.calendars;
begin
  perform private.count_attempt();
  select c.* into calendar
  from public.calendars as c
  join public.organizations as o on o.id = c.organization_id
  where c.slug = public_calendar.slug
    and c.is_active
    and o.status = 'active'
    and coalesce(o.sales_end_at > now(), true);
  if not found then
    perform private.fail('calendar_not_found', 404, 'Check the calendar''s address.');
  end if;
  return calendar;
end
$$;

comment on function private.public_calendar is
  'The active calendar with the slug, of an active organization whose public sale goes on; the question is counted. Raises 404 calendar_not_found; 429 rate_limited.';

create function private.public_room(calendar public.calendars, room_id uuid)
returns public.rooms
language plpgsql
stable
set search_path = ''
as $$
declare
  room public.rooms;
begin
  select r.* into room
  from public.calendar_rooms as cr
  join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
  where cr.organization_id = calendar.organization_id
    and cr.calendar_id = calendar.id
    and cr.room_id = public_room.room_id
    and r.is_published;
  if not found then
    perform private.fail('room_not_found', 404, 'Choose one of the rooms that get_calendar lists.');
  end if;
  return room;
end
$$;

comment on function private.public_room is
  'A published room that the calendar sells. Raises 404 room_not_found.';

create function private.refuse_party(room public.rooms)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail(
    'party_size_invalid', 422,
    'Choose a party size that the room takes.',
    jsonb_build_object('minimum', room.minimum_party, 'maximum', room.maximum_party)
  );
end
$$;

comment on function private.refuse_party is
  'Raises 422 party_size_invalid, details {"minimum", "maximum"}.';

create type public.calendar_fee as (
  kind text,
  value bigint
);

comment on type public.calendar_fee is 'What a calendar adds to each booking.';
comment on column public.calendar_fee.kind is 'one of: none, booking, person, percent';
comment on column public.calendar_fee.value is 'Minor units, once or for each person, or percent of the rest; 0 for none.';

create type public.field_choice as (
  value text,
  label jsonb
);

comment on type public.field_choice is 'A choice of a question of kind select.';
comment on column public.field_choice.value is 'What is sent.';
comment on column public.field_choice.label is 'By language, as the venue wrote it.';

create type public.calendar_field as (
  key text,
  label jsonb,
  help jsonb,
  kind text,
  required boolean,
  pattern text,
  options public.field_choice [],
  placeholder jsonb,
  minimum_length int,
  maximum_length int,
  room_id uuid
);

comment on type public.calendar_field is 'A question that the venue asks of whoever books.';
comment on column public.calendar_field.key is 'By which the answer is sent in fields.';
comment on column public.calendar_field.label is 'By language, as the venue wrote it.';
comment on column public.calendar_field.help is 'By language, or {}.';
comment on column public.calendar_field.kind is 'one of: text, textarea, email, phone, number, select, checkbox, date';
comment on column public.calendar_field.required is 'Whether it must be answered.';
comment on column public.calendar_field.pattern is 'A regular expression that the whole answer must match; null: none.';
comment on column public.calendar_field.options is 'The choices of a select; empty for other kinds.';
comment on column public.calendar_field.placeholder is 'What stands in the empty field, by language, or {}.';
comment on column public.calendar_field.minimum_length is 'Fewest characters of an answer; null: one.';
comment on column public.calendar_field.maximum_length is 'Most characters of an answer; null: 1,000, of a textarea 2,000.';
comment on column public.calendar_field.room_id is 'The one room for which it is asked; null: for every room, and for any that one waits for.';

create type public.room_deposit as (
  kind text,
  value bigint
);

comment on type public.room_deposit is 'What of a booking is due when it is made.';
comment on column public.room_deposit.kind is 'one of: full, none, percent, fixed, person';
comment on column public.room_deposit.value is 'Percent of the total, or minor units, once or for each person.';

create type public.calendar_room as (
  id uuid,
  name text,
  slug text,
  description text,
  minimum_party int,
  maximum_party int,
  capacity int,
  duration_minutes int,
  minimum_notice_minutes int,
  maximum_advance_days int,
  mode text,
  price_per text,
  price_cents bigint,
  exclusive_price_cents bigint,
  deposit public.room_deposit,
  cancellation public.cancellation_tier [],
  waiver_policy text,
  difficulty int,
  images public.room_image [],
  extras public.room_extra [],
  location_name text,
  timezone text,
  names jsonb,
  descriptions jsonb,
  theme text,
  color text,
  video_url text,
  minimum_age int,
  minimum_age_accompanied int,
  fear int,
  physical_level int,
  languages text [],
  is_accessible boolean,
  has_actors boolean,
  tags text [],
  location_id uuid
);

comment on type public.calendar_room is 'A room that a public calendar sells. Prices in minor units of the calendar''s currency, tax included.';
comment on column public.calendar_room.id is 'What the other functions take as room_id.';
comment on column public.calendar_room.name is 'The game''s name.';
comment on column public.calendar_room.slug is 'Its name in addresses.';
comment on column public.calendar_room.description is 'May be empty.';
comment on column public.calendar_room.minimum_party is 'People, at least.';
comment on column public.calendar_room.maximum_party is 'People, at most.';
comment on column public.calendar_room.capacity is 'Seats of a session.';
comment on column public.calendar_room.duration_minutes is 'From start to end.';
comment on column public.calendar_room.minimum_notice_minutes is 'How long before the start it can still be booked.';
comment on column public.calendar_room.maximum_advance_days is 'How many days ahead it can be booked.';
comment on column public.calendar_room.mode is 'Whether parties share a session. one of: private, shared';
comment on column public.calendar_room.price_per is 'What price_cents is for. one of: person, session';
comment on column public.calendar_room.price_cents is 'For a session, or for each person.';
comment on column public.calendar_room.exclusive_price_cents is
  'What a party pays to have a shared session for itself; null: not offered.';
comment on column public.calendar_room.deposit is 'What is due when it is booked.';
comment on column public.calendar_room.cancellation is
  'What a booking agrees to by now, the most hours first; empty: all goes back until the start.';
comment on column public.calendar_room.waiver_policy is 'one of: none, optional, required';
comment on column public.calendar_room.difficulty is '1 (easy) to 5 (hard); null: not said.';
comment on column public.calendar_room.images is 'In their order; the first is the cover.';
comment on column public.calendar_room.extras is 'In their order.';
comment on column public.calendar_room.location_name is 'Where it is.';
comment on column public.calendar_room.timezone is 'IANA zone of its location.';
comment on column public.calendar_room.names is 'By language, where it is called otherwise than name says; or {}.';
comment on column public.calendar_room.descriptions is 'By language, where it is not description; or {}.';
comment on column public.calendar_room.theme is
  'null: not said. one of rooms.theme';
comment on column public.calendar_room.color is '#rrggbb; null: none.';
comment on column public.calendar_room.video_url is 'https://…; null: none.';
comment on column public.calendar_room.minimum_age is 'Years from which on one plays without an adult; null: not said.';
comment on column public.calendar_room.minimum_age_accompanied is 'Years from which on one plays with an adult; null: as alone.';
comment on column public.calendar_room.fear is '0 (not at all) to 5; null: not said.';
comment on column public.calendar_room.physical_level is 'What it asks of the body, 0 (nothing) to 5; null: not said.';
comment on column public.calendar_room.languages is 'In which the game can be played, ISO 639-1, the usual one first; empty: not said.';
comment on column public.calendar_room.is_accessible is 'Whether one can play in a wheelchair.';
comment on column public.calendar_room.has_actors is 'Whether actors play along.';
comment on column public.calendar_room.tags is 'Words of the venue''s own, in their order.';
comment on column public.calendar_room.location_id is 'Which of the calendar''s locations.';

create type public.calendar_location as (
  id uuid,
  name text,
  timezone text,
  address text,
  phone text,
  latitude numeric,
  longitude numeric,
  directions jsonb
);

comment on type public.calendar_location is 'A place where rooms of a public calendar stand.';
comment on column public.calendar_location.id is 'The location_id of its rooms.';
comment on column public.calendar_location.name is 'As the venue calls it.';
comment on column public.calendar_location.timezone is 'IANA zone by which its rooms open.';
comment on column public.calendar_location.address is 'In one line; empty when the venue gave none.';
comment on column public.calendar_location.phone is 'By which it is reached; null: none.';
comment on column public.calendar_location.latitude is 'In degrees; null: not said.';
comment on column public.calendar_location.longitude is 'In degrees; null: not said.';
comment on column public.calendar_location.directions is 'How to get there, by language, or {}.';

create type public.calendar as (
  now timestamptz,
  slug text,
  name text,
  organization public.venue,
  timezone text,
  locale text,
  locales text [],
  currency text,
  minimum_notice_minutes int,
  maximum_advance_days int,
  hold_minutes int,
  has_coupons boolean,
  has_vouchers boolean,
  flow text,
  theme text,
  accent_color text,
  terms jsonb,
  fee public.calendar_fee,
  waitlist boolean,
  shows_taken_times boolean,
  fields public.calendar_field [],
  rooms public.calendar_room [],
  venue public.venue_profile,
  locations public.calendar_location [],
  descriptions jsonb
);

comment on type public.calendar is 'A public calendar.';
comment on column public.calendar.now is 'The server''s clock: a visitor''s may be wrong.';
comment on column public.calendar.slug is 'Its name in addresses.';
comment on column public.calendar.name is 'As the venue calls it.';
comment on column public.calendar.organization is 'Whose it is.';
comment on column public.calendar.timezone is 'IANA zone of the organization; each room has its own.';
comment on column public.calendar.locale is 'The language to begin with. one of: es, en, ca';
comment on column public.calendar.locales is 'The languages that it is offered in.';
comment on column public.calendar.currency is 'ISO 4217.';
comment on column public.calendar.minimum_notice_minutes is 'How long before the start one can still book; a room may have its own.';
comment on column public.calendar.maximum_advance_days is 'How many days ahead one can book; a room may have its own.';
comment on column public.calendar.hold_minutes is 'How long a place is held.';
comment on column public.calendar.has_coupons is 'Whether a visitor may have a coupon to type in.';
comment on column public.calendar.has_vouchers is 'Whether a visitor may have a voucher to type in.';
comment on column public.calendar.flow is 'What is chosen first. one of: room_first, date_first';
comment on column public.calendar.theme is 'one of: auto, light, dark';
comment on column public.calendar.accent_color is '#rrggbb; null: the widget''s own.';
comment on column public.calendar.terms is 'What a visitor must agree to, by language; {}: nothing.';
comment on column public.calendar.fee is 'What it adds to each booking.';
comment on column public.calendar.waitlist is 'Whether one can wait for a place.';
comment on column public.calendar.shows_taken_times is
  'Whether to show what is sold out: get_availability with include_taken.';
comment on column public.calendar.fields is 'In their order.';
comment on column public.calendar.rooms is 'In their order.';
comment on column public.calendar.venue is 'What the organization tells of itself.';
comment on column public.calendar.descriptions is 'What it sells, by language, or {}.';
comment on column public.calendar.locations is 'Where its rooms stand, by name.';

create function private.calendar_fields_of(calendar public.calendars)
returns public.calendar_field []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(
      f.key, f.label, f.help, f.kind, f.required, f.pattern,
      array(select jsonb_populate_recordset(null::public.field_choice, coalesce(f.options, '[]'))),
      f.placeholder, f.minimum_length, f.maximum_length, f.room_id
    )::public.calendar_field
    from public.calendar_fields as f
    where f.organization_id = calendar.organization_id
      and f.calendar_id = calendar.id
      -- A room that nobody can book is not spoken of.
      and (f.room_id is null or exists (
        select from public.calendar_rooms as cr
        join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
        where cr.organization_id = f.organization_id
          and cr.calendar_id = f.calendar_id
          and cr.room_id = f.room_id
          and r.is_published
      ))
    order by f.position, f.key
  );
end
$$;

comment on function private.calendar_fields_of is 'The questions that a calendar asks, in their order.';

create function private.calendar_rooms_of(calendar public.calendars)
returns public.calendar_room []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(
      r.id,
      r.name,
      r.slug,
      r.description,
      r.minimum_party,
      r.maximum_party,
      r.maximum_party,
      r.duration_minutes,
      coalesce(cr.minimum_notice_minutes, calendar.minimum_notice_minutes),
      coalesce(cr.maximum_advance_days, calendar.maximum_advance_days),
      r.mode,
      r.price_per,
      r.price_cents,
      r.exclusive_price_cents,
      row(r.deposit_kind, r.deposit_value)::public.room_deposit,
      private.room_tiers(r.organization_id, r.id),
      r.waiver_policy,
      r.difficulty,
      private.room_images(r.organization_id, r.id),
      private.room_extras(r.organization_id, r.id),
      l.name,
      l.timezone,
      r.names,
      r.descriptions,
      r.theme,
      r.color,
      r.video_url,
      r.minimum_age,
      r.minimum_age_accompanied,
      r.fear,
      r.physical_level,
      r.languages,
      r.is_accessible,
      r.has_actors,
      r.tags,
      l.id
    )::public.calendar_room
    from public.calendar_rooms as cr
    join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where cr.organization_id = calendar.organization_id
      and cr.calendar_id = calendar.id
      and r.is_published
    order by cr.position, r.name, r.id
  );
end
$$;

comment on function private.calendar_rooms_of is 'The published rooms that a calendar sells, in their order.';

create function private.calendar_locations_of(rooms public.calendar_room [], organization_id uuid)
returns public.calendar_location []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(
      l.id, l.name, l.timezone, private.location_address(l), coalesce(l.phone, o.phone), l.latitude, l.longitude,
      l.directions
    )::public.calendar_location
    from public.locations as l
    join public.organizations as o on o.id = l.organization_id
    where l.organization_id = calendar_locations_of.organization_id
      and l.id in (select r.location_id from unnest(rooms) as r)
    order by l.name, l.id
  );
end
$$;

comment on function private.calendar_locations_of is 'The locations of rooms that a calendar shows. Not the arrival hints, which may say how a door opens.';

create function private.get_calendar(slug text)
returns public.calendar
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(get_calendar.slug);
  answer public.calendar;
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  answer.now := now();
  answer.slug := calendar.slug;
  answer.name := calendar.name;
  select
    row(o.name, o.slug)::public.venue,
    o.timezone,
    case when o.locale = any (calendar.locales) then o.locale else calendar.locales[1] end,
    o.currency,
    row(o.logo_path, o.website, o.contact_email, o.phone, o.descriptions, o.business_type)::public.venue_profile
  into answer.organization, answer.timezone, answer.locale, answer.currency, answer.venue
  from public.organizations as o
  where o.id = calendar.organization_id;
  answer.locales := calendar.locales;
  answer.minimum_notice_minutes := calendar.minimum_notice_minutes;
  answer.maximum_advance_days := calendar.maximum_advance_days;
  answer.hold_minutes := calendar.hold_minutes;
  answer.has_coupons := private.sells_coupons(calendar.organization_id);
  answer.has_vouchers := private.sells_vouchers(calendar.organization_id);
  answer.flow := calendar.flow;
  answer.theme := calendar.theme;
  answer.accent_color := calendar.accent_color;
  answer.terms := calendar.terms;
  answer.descriptions := calendar.descriptions;
  answer.fee := row(calendar.fee_kind, calendar.fee_value)::public.calendar_fee;
  answer.waitlist := calendar.waitlist_minutes is not null;
  answer.shows_taken_times := calendar.shows_taken_times;
  answer.fields := private.calendar_fields_of(calendar);
  answer.rooms := private.calendar_rooms_of(calendar);
  answer.locations := private.calendar_locations_of(answer.rooms, calendar.organization_id);
  -- Some 100 kB of texts and pictures' paths are what a large venue has.
  perform private.count_attempt(pg_column_size(answer) / 200000);
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_calendar is
  'definer: shows the published part of a calendar to visitors, who may read no table.';
grant execute on function private.get_calendar to anon, authenticated;

create function public.get_calendar(slug text)
returns public.calendar
language sql
volatile
set search_path = ''
as $$ select private.get_calendar(slug) $$;

comment on function public.get_calendar is
  'A public calendar with what it sells and asks. For anybody. Errors: 404 calendar_not_found; 429 rate_limited.';
grant execute on function public.get_calendar to anon, authenticated;

create type public.available_slot as (
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  local_date date,
  local_time text,
  timezone text,
  seats_available int,
  price_cents bigint,
  currency text,
  is_empty boolean
);

comment on type public.available_slot is
  'A time that can be booked, or that is taken where those were asked for, too.';
comment on column public.available_slot.room_id is 'The room.';
comment on column public.available_slot.starts_at is 'The start.';
comment on column public.available_slot.ends_at is 'The end of the game.';
comment on column public.available_slot.local_date is 'On the venue''s clock.';
comment on column public.available_slot.local_time is 'HH:MM on the venue''s clock.';
comment on column public.available_slot.timezone is 'IANA zone of the venue''s clock.';
comment on column public.available_slot.seats_available is 'Less than the party needs: it can only be waited for.';
comment on column public.available_slot.price_cents is 'For the party, in minor units, tax included.';
comment on column public.available_slot.currency is 'ISO 4217.';
comment on column public.available_slot.is_empty is
  'Nobody has a seat yet, so that a party can have a shared session for itself.';

create function private.most_slots()
returns int
language plpgsql
immutable
set search_path = ''
as $$
begin
  return 20000;
end
$$;

comment on function private.most_slots is
  'How many times get_availability answers at most, and max_rows of PostgREST, which cuts without saying so. 20,000 are 31 days of ten rooms with a start each quarter of an hour for 16 hours.';

create function private.refuse_too_many_slots(days int)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail(
    'too_many_slots', 422, 'Ask for fewer days at a time, or for one room.',
    jsonb_build_object('maximum', private.most_slots(), 'days', greatest(days, 1))
  );
end
$$;

comment on function private.refuse_too_many_slots is
  'Raises 422 too_many_slots, details {"maximum", "days"}: how many days from from_date on can be answered.';

create function private.asked_slots(
  calendar public.calendars,
  from_date date,
  to_date date,
  room_id uuid,
  party_size int,
  include_taken boolean
)
returns private.slot []
language plpgsql
volatile
set search_path = ''
as $$
declare
  room_ids uuid [];
  starts bigint;
  rules bigint;
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  if from_date is null or to_date is null or not isfinite(from_date) or not isfinite(to_date) or to_date < from_date then
    perform private.fail('date_range_invalid', 422, 'Give two dates, from_date not after to_date.');
  elsif to_date - from_date >= 92 then
    perform private.fail('date_range_too_long', 422, 'Ask for at most 92 days at a time.');
  elsif party_size < 1 then
    perform private.fail('party_size_invalid', 422, 'Choose a party of at least one person.');
  end if;
  if asked_slots.room_id is not null then
    declare
      room public.rooms := private.public_room(calendar, asked_slots.room_id);
    begin
      if party_size not between room.minimum_party and room.maximum_party then
        perform private.refuse_party(room);
      end if;
    end;
  end if;

  select array_agg(r.id) into room_ids
  from public.calendar_rooms as cr
  join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
  where cr.organization_id = calendar.organization_id
    and cr.calendar_id = calendar.id
    and r.is_published
    and (asked_slots.room_id is null or r.id = asked_slots.room_id);

  -- What it costs follows from what is expanded, free or not: refused before, and counted.
  starts := private.count_starts(
    calendar.organization_id, room_ids, from_date, to_date, calendar.maximum_advance_days, calendar.id
  );
  if starts > 2 * private.most_slots() then
    perform private.refuse_too_many_slots(((to_date - from_date + 1) * private.most_slots() / starts)::int);
  end if;
  -- Each start meets the rules of all rooms and those of its own: with 100 of either, 18,000 starts
  -- take 0.6 s and count 40 times, without rules 0.05 s and three times.
  select count(*) filter (where u.room_id is null)
    + count(*) filter (where u.room_id = any (room_ids)) / greatest(cardinality(room_ids), 1)
  into rules
  from public.price_rules as u
  where u.organization_id = calendar.organization_id and u.is_active;
  perform private.count_attempt((starts * (20 + rules) / 100000)::int);

  return array(
    select s
    from private.slots(
      calendar.organization_id, room_ids, asked_slots.from_date, asked_slots.to_date,
      asked_slots.party_size, calendar.minimum_notice_minutes, calendar.maximum_advance_days, calendar.id
    ) as s
    where s.seats_available >= s.party_size or asked_slots.include_taken
  );
end
$$;

comment on function private.asked_slots is
  'What a visitor who asks for free times is told of, in order of time and room; the question is counted, several times where it costs much. Raises 404 room_not_found; 422 date_range_invalid, date_range_too_long, too_many_slots, party_size_invalid; 429 rate_limited.';

create function private.get_availability(
  slug text,
  from_date date,
  to_date date,
  room_id uuid,
  party_size int,
  include_taken boolean
)
returns setof public.available_slot
language plpgsql
volatile
security definer
set jit = off
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(get_availability.slug);
  slots private.slot [] := private.asked_slots(calendar, from_date, to_date, room_id, party_size, include_taken);
  currency text;
begin
  if cardinality(slots) > private.most_slots() then
    perform private.refuse_too_many_slots(slots[private.most_slots() + 1].local_start::date - from_date);
  end if;

  select o.currency into currency
  from public.organizations as o
  where o.id = calendar.organization_id;

  return query
  select
    s.room_id,
    s.starts_at,
    s.ends_at,
    s.local_start::date,
    to_char(s.local_start, 'HH24:MI'),
    s.timezone,
    s.seats_available,
    s.quantity * s.unit_cents,
    currency,
    s.seats_available = s.capacity
  from rows from (
    unnest(slots),
    private.base_prices(calendar.organization_id, slots)
  ) as s (
    room_id, starts_at, ends_at, occupied_until, local_start, timezone, mode, capacity,
    seats_available, party_size, quantity, unit_cents
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_availability is
  'definer: shows free times to visitors, who may read no table.';
grant execute on function private.get_availability to anon, authenticated;

create function public.get_availability(
  slug text,
  from_date date,
  to_date date,
  room_id uuid default null,
  party_size int default null,
  include_taken boolean default false
)
returns setof public.available_slot
language sql
volatile
set search_path = ''
as $$
  select * from private.get_availability(slug, from_date, to_date, room_id, party_size, include_taken)
$$;

comment on function public.get_availability is
  'The times that can be booked on the local dates from_date to to_date (at most 92 days and 20,000 times: all there are, or an error), in order of time and room; of one room or all of the calendar''s, for a party or for the room''s smallest one. With include_taken also those that the party can only wait for (join_waitlist): their seats_available is less than it needs. For a month at a time get_availability_days says as much as a calendar shows. For anybody. Errors: 404 calendar_not_found, room_not_found; 422 date_range_invalid, date_range_too_long, too_many_slots (details {"maximum", "days"}: so many days from from_date on can be answered, a day always for 50 rooms with a start each five minutes), party_size_invalid; 429 rate_limited.';
grant execute on function public.get_availability to anon, authenticated;

create type public.available_day as (
  local_date date,
  free int,
  taken int,
  price_cents bigint,
  highest_price_cents bigint
);

comment on type public.available_day is
  'A day on which something is offered. Zone, duration and currency are in get_calendar, once for each room.';
comment on column public.available_day.local_date is 'On the venue''s clock.';
comment on column public.available_day.free is 'How many times the party can book.';
comment on column public.available_day.taken is
  'How many times have no or too few seats left: each can be waited for where the calendar has a waitlist.';
comment on column public.available_day.price_cents is
  'What the cheapest free time costs the party, in minor units, tax included; null: none is free.';
comment on column public.available_day.highest_price_cents is
  'What the dearest free time costs; null: none is free.';

create function private.get_availability_days(
  slug text,
  from_date date,
  to_date date,
  room_id uuid,
  party_size int
)
returns setof public.available_day
language plpgsql
volatile
security definer
set jit = off
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(get_availability_days.slug);
  slots private.slot [] := private.asked_slots(calendar, from_date, to_date, room_id, party_size, true);
begin
  return query
  select
    d.local_date,
    (count(*) filter (where d.is_free))::int,
    (count(*) filter (where not d.is_free))::int,
    min(d.cents) filter (where d.is_free),
    max(d.cents) filter (where d.is_free)
  from (
    select
      s.local_start::date as local_date,
      s.seats_available >= s.party_size as is_free,
      s.quantity * s.unit_cents as cents
    from rows from (
      unnest(slots),
      private.base_prices(calendar.organization_id, slots)
    ) as s (
      room_id, starts_at, ends_at, occupied_until, local_start, timezone, mode, capacity,
      seats_available, party_size, quantity, unit_cents
    )
  ) as d
  group by d.local_date
  order by d.local_date;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_availability_days is
  'definer: shows visitors, who may read no table, on which days there are free times.';
grant execute on function private.get_availability_days to anon, authenticated;

create function public.get_availability_days(
  slug text,
  from_date date,
  to_date date,
  room_id uuid default null,
  party_size int default null
)
returns setof public.available_day
language sql
volatile
set search_path = ''
as $$
  select * from private.get_availability_days(slug, from_date, to_date, room_id, party_size)
$$;

comment on function public.get_availability_days is
  'What a month shows: for each of the local dates from_date to to_date (at most 92) on which something is offered, how many times a party can book, how many are taken, and what the free ones cost; of one room or all of the calendar''s, for a party or for the room''s smallest one. The day''s times, by get_availability, count to the same. For anybody. Errors: 404 calendar_not_found, room_not_found; 422 date_range_invalid, date_range_too_long, too_many_slots (details {"maximum", "days"}: more starts than that are looked at for nobody, and so many days from from_date on can be answered), party_size_invalid; 429 rate_limited.';
grant execute on function public.get_availability_days to anon, authenticated;

create function private.offered_slot(
  calendar public.calendars,
  room public.rooms,
  starts_at timestamptz,
  party_size int
)
returns private.slot
language plpgsql
stable
set search_path = ''
as $$
declare
  timezone text;
  notice_minutes int;
  advance_days int;
  bookable tstzrange;
  slot private.slot;
begin
  if party_size is null or party_size not between room.minimum_party and room.maximum_party then
    perform private.refuse_party(room);
  end if;

  select
    l.timezone,
    coalesce(cr.minimum_notice_minutes, calendar.minimum_notice_minutes),
    coalesce(cr.maximum_advance_days, calendar.maximum_advance_days)
  into timezone, notice_minutes, advance_days
  from public.locations as l
  left join public.calendar_rooms as cr
    on cr.organization_id = l.organization_id and cr.calendar_id = calendar.id and cr.room_id = room.id
  where l.organization_id = room.organization_id and l.id = room.location_id;

  bookable := private.booking_window(timezone, notice_minutes, advance_days);
  if starts_at <= now() then
    perform private.fail('slot_in_past', 422, 'Choose a time that is still to come.');
  elsif isempty(bookable) or starts_at < lower(bookable) then
    perform private.fail(
      'notice_too_short', 422, 'Choose a later time, or call the venue.',
      jsonb_build_object('minimum_notice_minutes', notice_minutes)
    );
  elsif starts_at >= upper(bookable) then
    perform private.fail(
      'too_far_ahead', 422, 'Choose an earlier time.',
      jsonb_build_object('maximum_advance_days', advance_days)
    );
  end if;

  slot := private.slot_at(room, timezone, offered_slot.starts_at, offered_slot.party_size, calendar.id);
  if slot.room_id is null then
    perform private.fail('slot_not_offered', 422, 'Choose one of the times that get_availability lists.');
  end if;
  return slot;
end
$$;

comment on function private.offered_slot is
  'The slot of the room that starts then. Raises 422 party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered; a taken slot is for the caller to refuse.';

create function private.offered_quote(calendar public.calendars, request private.booking_request)
returns public.quote
language plpgsql
stable
set search_path = ''
as $$
declare
  room public.rooms := private.public_room(calendar, request.room_id);
  slot private.slot := private.offered_slot(calendar, room, request.starts_at, request.party_size);
begin
  return private.quote(room.organization_id, slot, request);
end
$$;

comment on function private.offered_quote is
  'What the slot that the calendar offers then costs: the slot and its price are of one moment. Raises what private.public_room, private.offered_slot and private.quote do.';

create function private.quote_booking(slug text, request private.booking_request)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(quote_booking.slug);
  code text;
  hint text;
  details text;
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  request.calendar_id := calendar.id;
  request.locale := coalesce(request.locale, calendar.locales[1]);
  if coalesce(request.coupon_code, '') = '' and coalesce(request.voucher_code, '') = '' then
    return to_jsonb(private.offered_quote(calendar, request));
  end if;
  -- Outside of the block whose end takes back what it did: a wrong guess stays counted.
  perform private.limit_rate('try_code', 'address', private.client_address());
  begin
    return to_jsonb(private.offered_quote(calendar, request));
  exception
    when sqlstate 'PT422' then
      get stacked diagnostics code = message_text, hint = pg_exception_hint, details = pg_exception_detail;
      if code !~ '^(coupon|voucher)_' then
        raise;
      end if;
      return private.refusal(code, 422, hint) || jsonb_build_object('details', details);
  end;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.quote_booking is
  'definer: prices a slot for visitors, who may read no table.';
grant execute on function private.quote_booking to anon, authenticated;

create function public.quote_booking(
  slug text,
  room_id uuid,
  starts_at timestamptz,
  party_size int,
  extras jsonb default '[]',
  coupon_code text default null,
  voucher_code text default null,
  exclusive boolean default false,
  locale text default null
)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  request private.booking_request;
begin
  request.room_id := room_id;
  request.starts_at := starts_at;
  request.party_size := party_size;
  request.extras := extras;
  request.coupon_code := coupon_code;
  request.voucher_code := voucher_code;
  request.exclusive := exclusive;
  request.locale := locale;
  return private.quote_booking(slug, request);
end
$$;

comment on function public.quote_booking is
  'What a party would pay for a time that the calendar offers, whether or not it is still free. extras: [{extra_id, quantity}]; exclusive: the whole of a shared room; locale: the lines'' language (es, en or ca), the calendar''s first if left out. Answers public.quote. For anybody. Errors: 404 calendar_not_found, room_not_found; 409 extra_sold_out (details {"extra_id", "left"}); 422 party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, extras_invalid, extra_not_found, extra_quantity_invalid, coupon_not_found, coupon_not_active, coupon_not_valid_yet, coupon_expired, coupon_not_for_room, coupon_min_amount (details {"minimum_cents"}), coupon_max_uses, voucher_not_found, voucher_not_active, voucher_expired, voucher_empty; 429 rate_limited.';
grant execute on function public.quote_booking to anon, authenticated;

create type public.coupon_offer as (
  code text,
  kind text,
  value bigint,
  minimum_cents bigint,
  valid_until date,
  total_cents bigint,
  discount_cents bigint
);

comment on type public.coupon_offer is 'What a coupon gives.';
comment on column public.coupon_offer.code is 'As the venue writes it.';
comment on column public.coupon_offer.kind is 'one of: percent, fixed';
comment on column public.coupon_offer.value is 'Percent, or minor units.';
comment on column public.coupon_offer.minimum_cents is 'What seats and extras must cost at least.';
comment on column public.coupon_offer.valid_until is 'Its last date on the venue''s clock, included; null: no end.';
comment on column public.coupon_offer.total_cents is 'What the seats cost with it; null unless room, time and party were named.';
comment on column public.coupon_offer.discount_cents is 'What it takes off; null unless room, time and party were named.';

create function private.validate_coupon(
  slug text,
  code text,
  room_id uuid,
  starts_at timestamptz,
  party_size int
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(validate_coupon.slug);
  room public.rooms;
  slot private.slot;
  coupon public.coupons;
  request private.booking_request;
  quote public.quote;
  offer public.coupon_offer;
  refusal text;
  hint text;
  details text;
begin
  if validate_coupon.room_id is not null then
    room := private.public_room(calendar, validate_coupon.room_id);
    if validate_coupon.starts_at is not null and validate_coupon.party_size is not null then
      slot := private.offered_slot(calendar, room, validate_coupon.starts_at, validate_coupon.party_size);
    end if;
  end if;
  -- Outside of the block whose end takes back what it did: a wrong guess stays counted.
  perform private.limit_rate('try_code', 'address', private.client_address());
  begin
    coupon := private.coupon_with_code(calendar.organization_id, validate_coupon.code);
    perform private.refuse_coupon_now(coupon, (
      select l.timezone
      from public.locations as l
      where l.organization_id = room.organization_id and l.id = room.location_id
    ));
    if slot.room_id is null then
      perform private.refuse_coupon(coupon, room.id, null);
      perform private.refuse_used_coupon(coupon, null, null);
    else
      request.calendar_id := calendar.id;
      request.coupon_code := coupon.code;
      quote := private.quote(calendar.organization_id, slot, request);
      offer.total_cents := quote.total_cents;
      offer.discount_cents := private.discount_of(quote);
    end if;
  exception
    when sqlstate 'PT422' then
      get stacked diagnostics refusal = message_text, hint = pg_exception_hint, details = pg_exception_detail;
      return private.refusal(refusal, 422, hint) || jsonb_build_object('details', details);
  end;
  offer.code := coupon.code;
  offer.kind := coupon.kind;
  offer.value := coupon.value;
  offer.minimum_cents := coupon.minimum_cents;
  offer.valid_until := coupon.valid_until;
  return to_jsonb(offer);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.validate_coupon is
  'definer: looks a coupon up for visitors, who may read no table.';
grant execute on function private.validate_coupon to anon, authenticated;

create function public.validate_coupon(
  slug text,
  code text,
  room_id uuid default null,
  starts_at timestamptz default null,
  party_size int default null
)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.validate_coupon(slug, code, room_id, starts_at, party_size) $$;

comment on function public.validate_coupon is
  'What a coupon gives; for a room, a time that it offers and a party also what the seats cost with it. Answers public.coupon_offer. Only booking decides about its last uses. For anybody; every try is counted. Errors: 404 calendar_not_found, room_not_found; 422 coupon_not_found, coupon_not_active, coupon_not_valid_yet, coupon_expired, coupon_not_for_room, coupon_min_amount (details {"minimum_cents"}), coupon_max_uses, party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered; 429 rate_limited.';
grant execute on function public.validate_coupon to anon, authenticated;
