-- What a mail would say of a real booking, for those who write the mail's words. Nothing is queued, and no secret shown.

create type public.mail_preview as (
  to_name text,
  data jsonb
);

comment on type public.mail_preview is 'What mails would say of a booking now.';
comment on column public.mail_preview.to_name is 'Whom they would greet.';
comment on column public.mail_preview.data is
  'By the names that mails use, as in service.prepared_email.data; no link in it opens anything.';

create function private.preview_booking_email(organization_id uuid, booking_id uuid)
returns public.mail_preview
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
  content jsonb;
  event public.booking_event;
begin
  perform private.require_permission(preview_booking_email.organization_id, 'bookings:read');
  perform private.require_permission(preview_booking_email.organization_id, 'customers:read');
  perform private.require_permission(preview_booking_email.organization_id, 'payments:read');
  select b.* into booking
  from public.bookings as b
  where b.organization_id = preview_booking_email.organization_id and b.id = preview_booking_email.booking_id;
  content := private.booking_content(booking.organization_id, booking.id);
  if content is null then
    perform private.fail('booking_not_found', 404, 'Choose a booking whose customer was not erased.');
  end if;
  event := private.booking_event(booking.organization_id, booking.id, 'infinity');
  return row(
    content #>> '{to,name}',
    (content -> 'data') - array['manage_url_token', 'waiver_token', 'check_in_code'] || jsonb_build_object(
      'manage_url_token', 'preview',
      'waiver_token', case when (private.booking_waiver(booking)).token is not null then 'preview' end,
      'event_id', event.uid,
      'event_at', event.updated_at,
      'event_version', event.sequence,
      'previous', null,
      'expires_at', booking.hold_expires_at,
      'due_now_cents', booking.due_now_cents,
      'payable_cents', private.payable_online(booking),
      'unsigned_waivers', (private.booking_waiver(booking)).missing,
      'result', private.told_result(booking)
    )
  )::public.mail_preview;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.preview_booking_email is
  'definer: gathers what a mail says, secrets included, and leaves those out.';
grant execute on function private.preview_booking_email to authenticated;

create function public.preview_booking_email(organization_id uuid, booking_id uuid)
returns public.mail_preview
language sql
stable
set search_path = ''
as $$ select private.preview_booking_email(organization_id, booking_id) $$;

comment on function public.preview_booking_email is
  'What mails would say of a booking now: POST /v1/email-templates/preview shows it as a mail. Nothing is sent, and neither the customer''s address nor a secret of a link is in it. For members with bookings:read, customers:read and payments:read. Errors: 403 permission_denied; 404 booking_not_found.';
grant execute on function public.preview_booking_email to authenticated;
