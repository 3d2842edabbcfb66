-- The link that ends what is not about one's own booking. It can do nothing else, and it is in those
-- mails only (List-Unsubscribe, RFC 8058), so mail programs may open it for their reader.

create function private.unsubscribe_token(booking public.bookings)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return concat_ws('.', booking.organization_id, booking.id, private.derived_token('unsubscribe', booking.id::text));
end
$$;

comment on function private.unsubscribe_token is
  'What ends requests to the customer of a booking: the booking, and proof that it came from its mail.';

create type service.unsubscribed as (
  organization_name text
);

comment on type service.unsubscribed is 'Who does not write any more.';
comment on column service.unsubscribed.organization_name is 'Of the venue.';

create function private.unsubscribe(token text)
returns service.unsubscribed
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  uuid_shape text := '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';
  booking public.bookings;
begin
  if unsubscribe.token ~ concat('^', uuid_shape, '\.', uuid_shape, '\.') then
    select b.* into booking
    from public.bookings as b
    where b.organization_id = split_part(unsubscribe.token, '.', 1)::uuid
      and b.id = split_part(unsubscribe.token, '.', 2)::uuid
      -- As hashes: how long it takes tells nothing of how much of it was right.
      and private.token_hash(private.unsubscribe_token(b)) = private.token_hash(unsubscribe.token);
  end if;
  if booking.id is null then
    perform private.fail('link_invalid', 404, 'Open the link as it stands in the mail.');
  end if;
  -- Under the booking's lock its customer stays the same.
  booking := private.locked_booking(booking.organization_id, booking.id);
  perform private.act_as('customer', booking.customer_id);
  if ((private.latest_consents(booking.organization_id, booking.customer_id)).marketing).granted is distinct from false then
    perform private.record_consents(
      booking.organization_id, booking.customer_id, booking.id,
      '[{"kind": "marketing", "granted": false}]', booking.locale, counts => true
    );
  end if;
  return (
    select row(o.name)::service.unsubscribed from public.organizations as o where o.id = booking.organization_id
  );
end
$$;

comment on function private.unsubscribe is 'definer: writes a consent for whoever has the link of a mail.';
grant execute on function private.unsubscribe to service_role;

create function service.unsubscribe(token text)
returns service.unsubscribed
language sql
volatile
set search_path = ''
as $$ select private.unsubscribe(token) $$;

comment on function service.unsubscribe is
  'Takes back the consent to marketing of the customer whose mail has the link, once; asked again it says the same. Errors: 404 link_invalid.';
grant execute on function service.unsubscribe to service_role;
