-- Mails once more: by staff who are asked for them, and by customers who lost theirs.

select private.permission_upsert(
  'messages:send', 'organization', true,
  'Send a booking''s mail again, or its payment link', 'Reenviar el correo de una reserva, o su enlace de pago',
  array['admin', 'manager', 'receptionist']
);

create type public.resent_email as (
  id uuid,
  template text
);

comment on type public.resent_email is 'A mail that was queued once more; booking_emails says what becomes of it.';
comment on column public.resent_email.id is 'As in booking_emails and voucher_emails.';
comment on column public.resent_email.template is
  'Which mail; one of: booking_confirmed, booking_pending, booking_cancelled, payment_request, waiver_request, voucher_issued, voucher_bought';

create function private.mail_to_resend(booking public.bookings, kind text)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when mail_to_resend.kind = 'payment' then
      case when private.payable_online(booking) > 0 then 'payment_request' end
    when mail_to_resend.kind = 'waiver' then
      case
        when private.waiver_content(booking.organization_id, booking.id) is not null then 'waiver_request'
      end
    when booking.status in ('confirmed', 'checked_in', 'in_progress') then 'booking_confirmed'
    when booking.status = 'pending' and booking.hold_expires_at > now() then 'booking_pending'
    when booking.status = 'cancelled' then 'booking_cancelled'
  end;
end
$$;

comment on function private.mail_to_resend is
  'Which mail says how a booking stands, or (kind payment) asks for its payment, or (kind waiver) to sign; null: none does.';

create function private.resend_booking_email(
  organization_id uuid, booking_id uuid, idempotency_key text, kind text
)
returns public.resent_email
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := resend_booking_email.organization_id || ':resend_booking_email';
  stored jsonb;
  booking public.bookings;
  address text;
  template text;
  dedupe_key text;
  answer public.resent_email;
begin
  perform private.require_permission(resend_booking_email.organization_id, 'messages:send');
  perform private.require_permission(resend_booking_email.organization_id, 'bookings:read');
  if resend_booking_email.kind is null or resend_booking_email.kind not in ('booking', 'payment', 'waiver') then
    perform private.fail('email_kind_invalid', 422, 'Choose booking, payment or waiver.');
  end if;
  stored := private.idempotent_begin(
    scope, resend_booking_email.idempotency_key,
    jsonb_build_object('booking_id', resend_booking_email.booking_id, 'kind', resend_booking_email.kind)
  );
  if stored is not null then
    return jsonb_populate_record(null::public.resent_email, stored);
  end if;
  booking := private.locked_booking(resend_booking_email.organization_id, resend_booking_email.booking_id);
  select c.email into address
  from public.customers as c
  where c.organization_id = booking.organization_id and c.id = booking.customer_id and c.erased_at is null;
  if address is null then
    perform private.fail('address_missing', 409, 'Give the customer an e-mail address first.');
  end if;
  template := private.mail_to_resend(booking, resend_booking_email.kind);
  if template is null then
    perform private.fail(
      'nothing_to_send', 409, 'A mail can be sent again while the booking waits for its payment, stands or is cancelled; a payment link while something can be paid online, and the waiver''s while somebody has not signed.'
    );
  end if;
  dedupe_key := concat_ws(':', 'resent', booking.organization_id, booking.id, private.uuid_v7());
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', template, 'organization_id', booking.organization_id, 'booking_id', booking.id
    ),
    dedupe_key,
    booking.organization_id
  );
  answer := row(private.mail_id(dedupe_key), template)::public.resent_email;
  perform private.idempotent_end(scope, resend_booking_email.idempotency_key, to_jsonb(answer));
  -- Last, since the counters' rows stay locked until the end of the transaction.
  perform private.limit_mail(booking.organization_id, address, 'desk');
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.resend_booking_email is 'definer: queues work, which no client may.';
grant execute on function private.resend_booking_email to authenticated;

create function public.resend_booking_email(
  organization_id uuid, booking_id uuid, idempotency_key text, kind text default 'booking'
)
returns public.resent_email
language sql
volatile
set search_path = ''
as $$ select private.resend_booking_email(organization_id, booking_id, idempotency_key, kind) $$;

comment on function public.resend_booking_email is
  'Sends a booking''s mail once more to its customer''s present address. kind: booking (the confirmation, the link to pay while it is pending, or the cancellation, as it stands now) payment (a request to pay what can be paid online) or waiver (a request to sign, to those who have not). Its event is the one that the customer''s calendar has. For members with messages:send and bookings:read. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 address_missing, nothing_to_send; 422 email_kind_invalid, idempotency_key_invalid, idempotency_key_reused; 429 mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.resend_booking_email to authenticated;

create function private.my_bookings_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', c.locale,
      'to', jsonb_build_object('name', c.full_name, 'email', c.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'contact_email', o.contact_email,
        'website', o.website,
        'logo_path', o.logo_path,
        'calendar_slug', k.slug,
        'site_url', k.site_url,
        'accent_color', k.accent_color,
        'bookings', coming.bookings
      )
    )
    from public.customers as c
    join public.organizations as o on o.id = c.organization_id and o.status = 'active'
    join public.calendars as k on k.organization_id = c.organization_id and k.id = (cause ->> 'calendar_id')::uuid
    cross join lateral (
      select jsonb_agg(
        jsonb_build_object(
          'room_name', b.room_name,
          'starts_at', b.starts_at,
          'timezone', b.timezone,
          'reference', b.reference,
          'manage_url_token', private.derived_token('booking', b.id::text)
        )
        order by b.starts_at
      ) as bookings
      from (
        select b.id, b.reference, b.starts_at, r.name as room_name, l.timezone
        from public.bookings as b
        join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
        join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
        where b.organization_id = c.organization_id
          and b.customer_id = c.id
          and b.starts_at > now() - interval '2 days'
          and (
            b.status in ('held', 'pending') and b.hold_expires_at > now()
            or b.status in ('confirmed', 'checked_in', 'in_progress')
          )
          -- A mail whose link confirms is the only one that may.
          and not private.awaits_confirmation(b)
        order by b.starts_at
        limit 20
      ) as b
    ) as coming
    where c.organization_id = my_bookings_content.organization_id
      and c.id = (cause ->> 'customer_id')::uuid
      and c.erased_at is null
      and coming.bookings is not null
  );
end
$$;

comment on function private.my_bookings_content is
  'What the mail says that gives a customer the links to their bookings again: those of one venue that are to come, 20 at most; null without any.';

select private.email_template_upsert('my_bookings', 'my_bookings_content');

create function private.email_my_bookings(slug text, email text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(email_my_bookings.slug);
  address text := private.typed_email(email_my_bookings.email);
  customer_id uuid;
begin
  perform private.limit_rate('mail_links', 'address', private.client_address());
  if private.is_email(address) is not true then
    perform private.fail('email_invalid', 422, 'Give the address with which you booked.');
  end if;
  select c.id into customer_id
  from public.customers as c
  where c.organization_id = calendar.organization_id and c.email = address and c.erased_at is null;
  -- Queued for whoever asks, and counted, so that neither the answer, nor the limit, nor the time that
  -- it takes tells whether somebody has booked. Without a customer the mail says nothing, and is not sent.
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'my_bookings', 'organization_id', calendar.organization_id, 'calendar_id', calendar.id,
      'customer_id', customer_id
    ),
    -- One an hour, however often it is asked for.
    concat_ws(
      ':', 'my_bookings', calendar.id, encode(private.token_hash(private.derived_token('my_bookings', address)), 'hex'),
      extract(epoch from date_trunc('hour', now()))
    ),
    calendar.organization_id
  );
  perform private.limit_mail(calendar.organization_id, address, 'visitor');
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.email_my_bookings is 'definer: reads customers and queues work, which no visitor may.';
grant execute on function private.email_my_bookings to anon, authenticated;

create function public.email_my_bookings(slug text, email text)
returns void
language sql
volatile
set search_path = ''
as $$ select private.email_my_bookings(slug, email) $$;

comment on function public.email_my_bookings is
  'Mails the links of their coming bookings at this venue to whoever booked with the address: for who lost the mail. The answer is the same whether or not anybody has booked with it; asked again within the hour it sends nothing more. For anybody. Errors: 404 calendar_not_found; 422 email_invalid; 429 rate_limited, mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.email_my_bookings to anon, authenticated;
