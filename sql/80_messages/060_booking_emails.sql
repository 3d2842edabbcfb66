-- The mails of a booking, for those who have to know whether the customer was told.

create type public.booking_email as (
  id bigint,
  template text,
  recipient text,
  locale text,
  status text,
  reason text,
  created_at timestamptz,
  sent_at timestamptz,
  due_at timestamptz
);

comment on type public.booking_email is 'A mail of a booking, and what became of it.';
comment on column public.booking_email.id is 'Grows with time.';
comment on column public.booking_email.template is 'Of the mail.';
comment on column public.booking_email.recipient is 'The address; null without customers:read, and before it was prepared.';
comment on column public.booking_email.locale is 'Of its words; null before it was prepared.';
comment on column public.booking_email.status is 'sent: the provider took it; not_needed: overtaken by events; suppressed: the address bounced or complained before; limited: its mailbox was sent enough that day; one of: waiting, sent, delivered, not_needed, dead, bounced, complained, failed, suppressed, limited';
comment on column public.booking_email.reason is 'What went wrong with it last; null: nothing did.';
comment on column public.booking_email.created_at is 'When it was asked for.';
comment on column public.booking_email.sent_at is 'When the provider took it; null: it did not.';
comment on column public.booking_email.due_at is 'When it is tried next; null: it is not.';

create function private.booking_emails(organization_id uuid, booking_id uuid)
returns setof public.booking_email
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  shows_addresses boolean;
begin
  perform private.require_permission(booking_emails.organization_id, 'bookings:read');
  if not exists (
    select from public.bookings as b
    where b.organization_id = booking_emails.organization_id and b.id = booking_emails.booking_id
  ) then
    perform private.fail('booking_not_found', 404, 'Check the booking''s id.');
  end if;
  shows_addresses := private.has_permission(booking_emails.organization_id, 'customers:read');
  return query
  select
    j.id, j.payload ->> 'template', case when shows_addresses then m.recipient end, m.locale,
    case
      when m.status in ('suppressed', 'limited', 'delivered', 'bounced', 'complained', 'failed') then m.status
      when m.sent_at is not null then 'sent'
      when j.status = 'dead' then 'dead'
      when j.status = 'done' then 'not_needed'
      else 'waiting'
    end,
    case
      when m.status = 'limited' then 'This address was sent enough mails that day: tell the customer otherwise.'
      when m.sent_at is null and j.status <> 'done' then j.last_error
    end,
    j.created_at, m.sent_at, case when j.status = 'queued' then j.run_at end
  from private.jobs as j
  left join private.email_messages as m on m.job_id = j.id
  where j.kind = 'email.send'
    and j.organization_id = booking_emails.organization_id
    and j.payload ->> 'booking_id' = booking_emails.booking_id::text
  order by j.id desc
  limit 200;
end
$$;

comment on function private.booking_emails is 'definer: queue and log of mails are visible to nobody.';
grant execute on function private.booking_emails to authenticated;

create function public.booking_emails(organization_id uuid, booking_id uuid)
returns setof public.booking_email
language sql
stable
set search_path = ''
as $$ select * from private.booking_emails(organization_id, booking_id) $$;

comment on function public.booking_emails is
  'The mails of a booking, newest first, of the last 90 days, 200 at most. Somebody should look at what is dead (given up), bounced, complained, failed, suppressed or limited. For members with bookings:read. Errors: 403 permission_denied; 404 booking_not_found.';
grant execute on function public.booking_emails to authenticated;
