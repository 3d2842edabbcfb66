-- The link by which a booking is paid, for staff who hand it over themselves: in a chat, or read out.

create type public.payment_link as (
  reference text,
  pay_token text,
  calendar text,
  site_url text,
  currency text,
  payable_cents bigint,
  rest_payable_until timestamptz
);

comment on type public.payment_link is
  'Where a booking is paid: <site_url>?calendar=<calendar>&reference=<reference>#token=<pay_token>.';
comment on column public.payment_link.reference is 'The booking''s.';
comment on column public.payment_link.pay_token is
  'The secret of this link, in the place of a manage token for get_booking and POST /v1/checkout: it shows what is to be paid and pays it, and nothing else.';
comment on column public.payment_link.calendar is 'The slug of the calendar that shows it; null: none is public.';
comment on column public.payment_link.site_url is 'The page of that calendar; null: it has none of its own, and the platform''s page shows it.';
comment on column public.payment_link.currency is 'ISO 4217.';
comment on column public.payment_link.payable_cents is 'What can be paid there now, in minor units; never 0.';
comment on column public.payment_link.rest_payable_until is 'Until when what is due later can be paid online; null: only at the venue.';

create function private.get_payment_link(organization_id uuid, booking_id uuid)
returns public.payment_link
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
  calendar public.calendars;
  cents bigint;
begin
  perform private.require_permission(get_payment_link.organization_id, 'payments:create');
  select b.* into booking
  from public.bookings as b
  where b.organization_id = get_payment_link.organization_id and b.id = get_payment_link.booking_id;
  if not found then
    perform private.fail('booking_not_found', 404, 'Choose one of the organization''s bookings.');
  elsif not (private.payment_account(booking.organization_id)).available then
    perform private.fail('online_payment_unavailable', 409, 'Complete the organization''s Stripe account first.');
  end if;
  cents := private.payable_online(booking, whole => true);
  if cents = 0 then
    perform private.fail('nothing_due', 409, 'Nothing of it can be paid online now.');
  end if;
  calendar := private.managing_calendar(booking);
  return row(
    booking.reference, private.pay_token(booking.organization_id, booking.id), calendar.slug, calendar.site_url,
    booking.currency, cents, private.rest_payable_until(booking)
  )::public.payment_link;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_payment_link is
  'definer: derives the secret of a link from the signing key. Asks for payments:create.';
grant execute on function private.get_payment_link to authenticated;

create function public.get_payment_link(organization_id uuid, booking_id uuid)
returns public.payment_link
language sql
stable
set search_path = ''
as $$ select private.get_payment_link(organization_id, booking_id) $$;

comment on function public.get_payment_link is
  'A link by which what is open of a booking is paid, to copy. It shows nothing of whom the booking is for, and neither moves nor cancels it; what resend_booking_email (kind payment) mails to the customer is the customer''s own link. Asks for payments:create. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 nothing_due, online_payment_unavailable.';
grant execute on function public.get_payment_link to authenticated;
