-- What a booking is made of beside its seats, as its quote says.

create function private.take_options(booking public.bookings, quote jsonb, options jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into public.booking_lines (
    organization_id, booking_id, position, kind, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents
  )
  select
    booking.organization_id, booking.id, line.position, line.item ->> 'kind', line.item ->> 'description',
    (line.item ->> 'quantity')::int, (line.item ->> 'unit_cents')::bigint, (line.item ->> 'total_cents')::bigint,
    (line.item ->> 'tax_rate_bp')::int, (line.item ->> 'tax_cents')::bigint
  from jsonb_array_elements(quote -> 'lines') with ordinality as line (item, position);
end
$$;

comment on function private.take_options(public.bookings, jsonb, jsonb) is
  'Writes what a quote holds for a booking whose seats were just claimed.';

create function private.drop_options(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from public.booking_lines as line
  where line.organization_id = booking.organization_id and line.booking_id = booking.id;
end
$$;

comment on function private.drop_options(public.bookings) is
  'Takes back what private.take_options wrote, before the booking is priced anew. Money stays: it is in the ledger.';

create function private.booking_options(booking public.bookings)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'calendar_id', booking.calendar_id,
    'customer_id', booking.customer_id,
    'booking_id', booking.id,
    'exclusive', booking.exclusive,
    'price_cents', booking.override_price_cents,
    'override_reason', booking.override_reason
  ));
end
$$;

comment on function private.booking_options(public.bookings) is
  'The options with which private.quote priced a booking, to price it again.';
