-- What the holder of a booking's link shows, and which venue answers.

create function private.typed_references(typed text)
returns text []
language plpgsql
immutable
set search_path = ''
as $$
declare
  -- People mistake O for 0, and I and L for 1; Crockford's alphabet has neither letter.
  plain text := translate(upper(normalize(left(typed, 1000), nfkc)), 'OIL', '011');
  words text [] := array_remove(regexp_split_to_array(plain, '[^A-Z0-9]+'), '');
begin
  return array(
    select left(c.word, 4) || '-' || substr(c.word, 5)
    from (
      -- All that was typed, and with other words around it, one word or two.
      select right(array_to_string(words, ''), 8) as word
      union
      select w.word from unnest(words) as w (word) where length(w.word) = 8
      union
      select words[n] || words[n + 1]
      from generate_series(1, cardinality(words) - 1) as n
      where length(words[n]) = 4 and length(words[n + 1]) = 4
    ) as c
  );
end
$$;

comment on function private.typed_references is
  'What could be a booking''s reference in what a person typed or pasted, of its first 1000 characters: "Ref.: X1QV-JJ5B (Casa)".';

create function private.booking_with_token(reference text, manage_token text)
returns public.bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings;
begin
  perform private.count_attempt();
  select b.* into booking
  from private.booking_secrets as secret
  join public.bookings as b on b.organization_id = secret.organization_id and b.id = secret.booking_id
  where secret.manage_token_hash = private.typed_token_hash(booking_with_token.manage_token)
    and b.reference = any (private.typed_references(booking_with_token.reference));
  if not found then
    -- Whoever has the link of an order has each of its bookings.
    select b.* into booking
    from private.order_of_token(booking_with_token.manage_token) as made
    join public.bookings as b on b.organization_id = made.organization_id and b.order_id = made.id
    where b.reference = any (private.typed_references(booking_with_token.reference));
  end if;
  if booking.id is null then
    perform private.fail('booking_not_found', 404, 'Check the reference and the link that came with it.');
  end if;
  return booking;
end
$$;

comment on function private.booking_with_token is
  'The booking with the reference and the manage token, or the token of its order; the question is counted. Raises 404 booking_not_found, the same for a wrong reference and a wrong token; 429 rate_limited.';

-- A link that only pays. Staff who may take money hand it over, and neither they nor whoever has it later read who
-- booked, or move and cancel the booking by it. It names the booking, so that no reference has to be looked through.

create function private.pay_token(organization_id uuid, booking_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return rtrim(translate(encode(uuid_send(pay_token.organization_id) || uuid_send(pay_token.booking_id), 'base64'), '+/', '-_'), '=')
    || private.derived_token('pay', pay_token.booking_id::text);
end
$$;

comment on function private.pay_token is 'The secret of the link by which a booking is paid, and nothing else.';

create function private.booking_with_pay_token(reference text, token text)
returns public.bookings
language plpgsql
stable
set search_path = ''
as $$
declare
  typed text := private.typed_token(booking_with_pay_token.token);
  ids bytea;
  booking public.bookings;
begin
  if typed ~ '^[A-Za-z0-9_-]{86}$' then
    ids := decode(translate(left(typed, 43), '-_', '+/') || '=', 'base64');
    select b.* into booking
    from public.bookings as b
    where b.organization_id = encode(substring(ids from 1 for 16), 'hex')::uuid
      and b.id = encode(substring(ids from 17 for 16), 'hex')::uuid
      and b.reference = any (private.typed_references(booking_with_pay_token.reference));
    if private.token_hash(private.pay_token(booking.organization_id, booking.id)) is distinct from private.token_hash(typed) then
      return null;
    end if;
  end if;
  return booking;
end
$$;

comment on function private.booking_with_pay_token is
  'The booking with the reference, if the token is its pay token; else null. The question is counted by whoever asks.';

create function private.booking_to_pay(reference text, token text)
returns public.bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_pay_token(booking_to_pay.reference, booking_to_pay.token);
begin
  if booking.id is null then
    return private.booking_with_token(booking_to_pay.reference, booking_to_pay.token);
  end if;
  perform private.count_attempt();
  return booking;
end
$$;

comment on function private.booking_to_pay is
  'private.booking_with_token, for whoever has the pay token of get_payment_link, too.';

create function private.venue_is_closed(organization_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.organizations as o
    where o.id = venue_is_closed.organization_id and o.status = 'closed'
  );
end
$$;

comment on function private.venue_is_closed is
  'Whether the organization is closed. The links of its bookings still show them and take cancellations, since the money is the customer''s until the data is erased; nothing is sold, moved, paid or signed by them any more.';

create function private.managing_calendar(booking public.bookings)
returns public.calendars
language plpgsql
stable
set search_path = ''
as $$
declare
  calendar public.calendars;
begin
  select c.* into calendar
  from public.calendars as c
  join public.organizations as o on o.id = c.organization_id
  where c.organization_id = booking.organization_id
    and c.is_active
    and o.status = 'active'
    and (
      c.id = booking.calendar_id
      or booking.calendar_id is null and exists (
        select from public.calendar_rooms as cr
        where cr.organization_id = c.organization_id and cr.calendar_id = c.id and cr.room_id = booking.room_id
      )
    )
  order by c.created_at, c.id
  limit 1;
  return calendar;
end
$$;

comment on function private.managing_calendar is
  'The calendar by which the customer manages the booking: the one where it was made, or the oldest that offers the room of what staff booked; null when that is not public.';
