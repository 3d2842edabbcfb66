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
    and o.status = 'active';
  if not found then
    perform private.fail('calendar_not_found', 404, 'Check the calendar''s address.');
  end if;
  return calendar;
end
$$;

comment on function private.public_calendar is
  'The active calendar with the slug, of an active organization; the question is counted. Raises 404 calendar_not_found; 429 rate_limited.';

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

create function private.get_calendar(slug text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(get_calendar.slug);
  answer jsonb;
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  answer := (
    select jsonb_build_object(
      'now', now(),
      'slug', calendar.slug,
      'name', calendar.name,
      'organization', jsonb_build_object('name', o.name, 'slug', o.slug),
      'timezone', o.timezone,
      'locale', case when o.locale = any (calendar.locales) then o.locale else calendar.locales[1] end,
      'locales', calendar.locales,
      'currency', o.currency,
      'minimum_notice_minutes', calendar.minimum_notice_minutes,
      'maximum_advance_days', calendar.maximum_advance_days,
      'hold_minutes', calendar.hold_minutes,
      'has_coupons', private.sells_coupons(calendar.organization_id),
      'has_vouchers', private.sells_vouchers(calendar.organization_id),
      'flow', calendar.flow,
      'theme', calendar.theme,
      'accent_color', calendar.accent_color,
      'terms', calendar.terms,
      'fee', jsonb_build_object('kind', calendar.fee_kind, 'value', calendar.fee_value),
      'waitlist', calendar.waitlist_minutes is not null,
      'shows_taken_times', calendar.shows_taken_times,
      'fields', coalesce((
        select jsonb_agg(
          jsonb_build_object(
            'key', f.key,
            'label', f.label,
            'help', f.help,
            'kind', f.kind,
            'required', f.required,
            'pattern', f.pattern,
            'options', coalesce(f.options, '[]')
          )
          order by f.position, f.key
        )
        from public.calendar_fields as f
        where f.organization_id = calendar.organization_id and f.calendar_id = calendar.id
      ), '[]'),
      'rooms', coalesce((
        select jsonb_agg(
          jsonb_build_object(
            'id', r.id,
            'name', r.name,
            'slug', r.slug,
            'description', r.description,
            'minimum_party', r.minimum_party,
            'maximum_party', r.maximum_party,
            'capacity', r.maximum_party,
            'duration_minutes', r.duration_minutes,
            'minimum_notice_minutes', coalesce(cr.minimum_notice_minutes, calendar.minimum_notice_minutes),
            'maximum_advance_days', coalesce(cr.maximum_advance_days, calendar.maximum_advance_days),
            'mode', r.mode,
            'price_per', r.price_per,
            'price_cents', r.price_cents,
            'exclusive_price_cents', r.exclusive_price_cents,
            'deposit', jsonb_build_object('kind', r.deposit_kind, 'value', r.deposit_value),
            'cancellation', coalesce((
              select jsonb_agg(
                jsonb_build_object('hours_before', t.hours_before, 'refund_percent', t.refund_percent)
                order by t.hours_before desc
              )
              from public.room_cancellation_tiers as t
              where t.organization_id = r.organization_id and t.room_id = r.id
            ), '[]'),
            'waiver_policy', r.waiver_policy,
            'difficulty', r.difficulty,
            'images', private.room_images(r.organization_id, r.id),
            'extras', private.room_extras(r.organization_id, r.id),
            'location_name', l.name,
            'timezone', l.timezone
          )
          order by cr.position, r.name, r.id
        )
        from public.calendar_rooms as cr
        join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
        join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
        where cr.organization_id = calendar.organization_id
          and cr.calendar_id = calendar.id
          and r.is_published
      ), '[]')
    )
    from public.organizations as o
    where o.id = calendar.organization_id
  );
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
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.get_calendar(slug) $$;

comment on function public.get_calendar is
  'A public calendar: {now (the server''s clock: a visitor''s may be wrong), slug, name, organization: {name, slug}, timezone, locale, locales, currency, minimum_notice_minutes, maximum_advance_days, hold_minutes, has_coupons, has_vouchers, flow (room_first, date_first), theme (auto, light, dark), accent_color (#rrggbb or null), terms (by language; {}: nothing to agree to), fee: {kind (none, booking, person, percent), value}, waitlist (whether one can wait for a place), shows_taken_times (whether to show what is sold out: get_availability with include_taken), fields: [{key, label (by language), help (by language), kind (text, email, number, select, checkbox, date), required, pattern, options: [{value, label (by language)}]}], rooms: [{id, name, slug, description, minimum_party, maximum_party, capacity (seats of a session), duration_minutes, minimum_notice_minutes, maximum_advance_days, mode, price_per, price_cents, exclusive_price_cents (null: not offered), deposit: {kind (full, none, percent, fixed, person), value}, cancellation: [{hours_before, refund_percent}] (most hours first; []: in full until the start), waiver_policy (none, optional, required), difficulty, images: [{path, alt}] (in their order, the first is the cover), extras: [{id, name, description, price_cents, per, maximum_quantity}], location_name, timezone}]}. Texts of extras and alt by language; per is booking or person. Prices in minor units, tax included; path in the public bucket room-images. For anybody. Errors: 404 calendar_not_found; 429 rate_limited.';
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
  'A time that can be booked, or that is taken where those were asked for, too. local_date and local_time (HH:MM) on the venue''s clock; price_cents for the party, in minor units, tax included; is_empty: nobody has a seat yet, so that a party can have a shared session for itself.';

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
  currency text;
  room_ids uuid [];
  slots private.slot [];
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
  if get_availability.room_id is not null then
    declare
      room public.rooms := private.public_room(calendar, get_availability.room_id);
    begin
      if party_size not between room.minimum_party and room.maximum_party then
        perform private.refuse_party(room);
      end if;
    end;
  end if;

  select o.currency into currency
  from public.organizations as o
  where o.id = calendar.organization_id;

  select array_agg(r.id) into room_ids
  from public.calendar_rooms as cr
  join public.rooms as r on r.organization_id = cr.organization_id and r.id = cr.room_id
  where cr.organization_id = calendar.organization_id
    and cr.calendar_id = calendar.id
    and r.is_published
    and (get_availability.room_id is null or r.id = get_availability.room_id);

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

  slots := array(
    select s
    from private.slots(
      calendar.organization_id, room_ids, get_availability.from_date, get_availability.to_date,
      get_availability.party_size, calendar.minimum_notice_minutes, calendar.maximum_advance_days, calendar.id
    ) as s
    where s.seats_available >= s.party_size or get_availability.include_taken
  );
  if cardinality(slots) > private.most_slots() then
    perform private.refuse_too_many_slots(slots[private.most_slots() + 1].local_start::date - from_date);
  end if;

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
  'The times that can be booked on the local dates from_date to to_date (at most 92 days and 20,000 times: all there are, or an error), in order of time and room; of one room or all of the calendar''s, for a party or for the room''s smallest one. With include_taken also those that the party can only wait for (join_waitlist): their seats_available is less than it needs. For anybody. Errors: 404 calendar_not_found, room_not_found; 422 date_range_invalid, date_range_too_long, too_many_slots (details {"maximum", "days"}: so many days from from_date on can be answered, a day always for 50 rooms with a start each five minutes), party_size_invalid; 429 rate_limited.';
grant execute on function public.get_availability to anon, authenticated;

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
  local_date date;
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

  local_date := (starts_at at time zone timezone)::date;
  select s.* into slot
  from private.slots(
    room.organization_id, array[room.id], local_date, local_date, offered_slot.party_size,
    notice_minutes, advance_days, calendar.id
  ) as s
  where s.starts_at = offered_slot.starts_at;
  if not found then
    perform private.fail('slot_not_offered', 422, 'Choose one of the times that get_availability lists.');
  end if;
  return slot;
end
$$;

comment on function private.offered_slot is
  'The slot of the room that starts then. Raises 422 party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered; a taken slot is for the caller to refuse.';

create function private.quote_booking(
  slug text,
  room_id uuid,
  starts_at timestamptz,
  party_size int,
  extras jsonb,
  coupon_code text,
  voucher_code text,
  exclusive boolean,
  locale text
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(quote_booking.slug);
  room public.rooms := private.public_room(calendar, quote_booking.room_id);
  slot private.slot := private.offered_slot(calendar, room, quote_booking.starts_at, quote_booking.party_size);
  quote jsonb;
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  quote := private.tried_quote(room.organization_id, slot, jsonb_build_object(
    'calendar_id', calendar.id, 'locale', coalesce(quote_booking.locale, calendar.locales[1]),
    'extras', quote_booking.extras, 'coupon_code', quote_booking.coupon_code,
    'voucher_code', quote_booking.voucher_code, 'exclusive', quote_booking.exclusive
  ));
  if quote ? 'code' then
    return quote;
  end if;
  return quote || jsonb_build_object(
    'room_id', slot.room_id,
    'starts_at', slot.starts_at,
    'ends_at', slot.ends_at,
    'party_size', slot.party_size
  );
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
language sql
volatile
set search_path = ''
as $$
  select private.quote_booking(
    slug, room_id, starts_at, party_size, extras, coupon_code, voucher_code, exclusive, locale
  )
$$;

comment on function public.quote_booking is
  'What a party would pay for a time that the calendar offers, whether or not it is still free: {room_id, starts_at, ends_at, party_size, currency, lines: [{kind: base, extra, discount or fee, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents, extra_id?}], total_cents, tax_cents, due_now_cents (what confirms the booking), voucher_cents (what the voucher pays of the total)}, minor units, tax included. extras: [{extra_id, quantity}]; exclusive: the whole of a shared room; locale: the lines'' language (es, en or ca), the calendar''s first if left out. For anybody. Errors: 404 calendar_not_found, room_not_found; 409 extra_sold_out (details {"extra_id", "left"}); 422 party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered, exclusive_not_offered, extras_invalid, extra_not_found, extra_quantity_invalid, coupon_not_found, coupon_not_active, coupon_not_valid_yet, coupon_expired, coupon_not_for_room, coupon_min_amount (details {"minimum_cents"}), coupon_max_uses, voucher_not_found, voucher_not_active, voucher_expired, voucher_empty; 429 rate_limited.';
grant execute on function public.quote_booking to anon, authenticated;

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
  quote jsonb;
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
      quote := private.quote(calendar.organization_id, slot, jsonb_build_object(
        'calendar_id', calendar.id, 'coupon_code', coupon.code
      ));
    end if;
  exception
    when sqlstate 'PT422' then
      get stacked diagnostics refusal = message_text, hint = pg_exception_hint, details = pg_exception_detail;
      return private.refuse(refusal, 422, hint) || jsonb_build_object('details', details);
  end;
  return jsonb_build_object(
    'code', coupon.code,
    'kind', coupon.kind,
    'value', coupon.value,
    'minimum_cents', coupon.minimum_cents,
    'valid_until', coupon.valid_until
  ) || case
    when quote is null then '{}'
    else jsonb_build_object(
      'total_cents', quote -> 'total_cents',
      'discount_cents', (
        select coalesce(-sum((line ->> 'total_cents')::bigint), 0)
        from jsonb_array_elements(quote -> 'lines') as line
        where line ->> 'kind' = 'discount'
      )
    )
  end;
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
  'What a coupon gives: {code, kind: percent or fixed, value, minimum_cents, valid_until (last date, included)}; for a room, a time that it offers and a party also {total_cents, discount_cents} of the seats with it. Only booking decides about its last uses. For anybody; every try is counted. Errors: 404 calendar_not_found, room_not_found; 422 coupon_not_found, coupon_not_active, coupon_not_valid_yet, coupon_expired, coupon_not_for_room, coupon_min_amount (details {"minimum_cents"}), coupon_max_uses, party_size_invalid, slot_in_past, notice_too_short, too_far_ahead, slot_not_offered; 429 rate_limited.';
grant execute on function public.validate_coupon to anon, authenticated;
