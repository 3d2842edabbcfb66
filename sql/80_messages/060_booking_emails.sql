-- The mails of a booking, for those who have to know whether the customer was told.

create type public.booking_email as (
  id uuid,
  template text,
  recipient text,
  locale text,
  status text,
  reason text,
  created_at timestamptz,
  sent_at timestamptz,
  due_at timestamptz,
  delivered_at timestamptz,
  opened_at timestamptz
);

comment on type public.booking_email is 'A mail of a booking, and what became of it.';
comment on column public.booking_email.id is 'The mail''s, for as long as it is listed; not in order of time.';
comment on column public.booking_email.template is 'Of the mail.';
comment on column public.booking_email.recipient is 'The address; null without customers:read, and before it was prepared.';
comment on column public.booking_email.locale is 'Of its words; null before it was prepared.';
comment on column public.booking_email.status is 'sent: the provider took it; not_needed: overtaken by events, or switched off (email_template_overrides.is_sent); suppressed: the address bounced or complained before; limited: its mailbox was sent enough that day; one of: waiting, sent, delivered, not_needed, dead, bounced, complained, failed, suppressed, limited';
comment on column public.booking_email.reason is 'What went wrong with it last; null: nothing did.';
comment on column public.booking_email.created_at is 'When it was asked for.';
comment on column public.booking_email.sent_at is 'When the provider took it; null: it did not.';
comment on column public.booking_email.due_at is 'When it is tried next; null: it is not.';
comment on column public.booking_email.delivered_at is 'When the provider said that it was delivered; null: it did not.';
comment on column public.booking_email.opened_at is
  'When the provider said that it was opened, where it tells that at all; null: it did not, which does not mean that nobody read it.';

create function private.mail_id(dedupe_key text)
returns uuid
language plpgsql
immutable
set search_path = ''
as $$
begin
  return md5(mail_id.dedupe_key)::uuid;
end
$$;

comment on function private.mail_id is
  'What members know a mail by: its key in the queue is its own, while its number there counts the work of all tenants.';

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
    private.mail_id(j.dedupe_key), j.payload ->> 'template', case when shows_addresses then m.recipient end, m.locale,
    case
      when m.status in ('suppressed', 'limited', 'delivered', 'bounced', 'complained', 'failed') then m.status
      when m.sent_at is not null then 'sent'
      when j.status = 'dead' then 'dead'
      when j.status = 'done' then 'not_needed'
      else 'waiting'
    end,
    case m.status
      when 'limited' then 'This address was sent enough mails that day: tell the customer otherwise.'
      when 'suppressed' then case (
          select s.reason
          from private.email_suppressions as s
          where s.email = lower(m.recipient)
        )
        when 'bounced' then 'A mail to this address came back before: correct the address, and send it again.'
        when 'complained' then 'A mail to this address was reported as spam before: tell the customer otherwise.'
        else 'A mail to this address came back or was reported as spam before: correct it, or tell the customer otherwise.'
      end
      when 'bounced' then 'It came back: correct the address, and send it again.'
      when 'complained' then 'It was reported as spam: tell the customer otherwise.'
      when 'failed' then 'The provider could not send it: send it again, or tell the customer otherwise.'
      else case
        when m.sent_at is null and j.status <> 'done' then j.last_error
      end
    end,
    j.created_at, m.sent_at, case when j.status = 'queued' then j.run_at end,
    m.delivered_at, m.opened_at
  from private.jobs as j
  left join private.email_messages as m on m.job_id = j.id
  where j.kind = 'email.send'
    and j.organization_id = booking_emails.organization_id
    and j.payload ->> 'booking_id' = booking_emails.booking_id::text
  order by j.id desc
  limit 200;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
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

-- What a list of bookings and the board show of them: public.booking_mail_problems.

create function private.follow_mail_outcome(organization_id uuid, booking_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  newest_problem text;
begin
  -- The news of two mails of a booking may come at once: the later one then sees what the earlier wrote.
  perform pg_advisory_xact_lock(hashtextextended('mail_outcome:' || follow_mail_outcome.booking_id, 0));
  select
    case
      when m.status in ('bounced', 'complained', 'failed', 'suppressed', 'limited') then m.status
      when m.sent_at is null then 'dead'
    end
  into newest_problem
  from private.jobs as j
  left join private.email_messages as m on m.job_id = j.id
  where j.kind = 'email.send'
    and j.organization_id = follow_mail_outcome.organization_id
    and j.payload ->> 'booking_id' = follow_mail_outcome.booking_id::text
    -- One that waits, or was not needed, says nothing of the address.
    and (j.status = 'dead' or m.sent_at is not null or m.status in ('suppressed', 'limited'))
  order by j.id desc
  limit 1;
  if newest_problem is null then
    delete from public.booking_mail_problems as p
    where p.organization_id = follow_mail_outcome.organization_id and p.booking_id = follow_mail_outcome.booking_id;
  else
    insert into public.booking_mail_problems as p (organization_id, booking_id, problem)
    select b.organization_id, b.id, newest_problem
    from public.bookings as b
    where b.organization_id = follow_mail_outcome.organization_id and b.id = follow_mail_outcome.booking_id
    on conflict on constraint booking_mail_problems_pkey do update
    set problem = excluded.problem
    where p.problem <> excluded.problem;
  end if;
end
$$;

comment on function private.follow_mail_outcome is
  'Notes on a booking whether the newest of its mails reached its customer, as far as that is known.';

create function private.follow_mail_status()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.follow_mail_outcome(new.organization_id, new.booking_id);
  return null;
end
$$;

comment on function private.follow_mail_status is 'Shows on the booking what became of its mail.';

create trigger follow_mail_status
after insert or update of status on private.email_messages
for each row when (new.booking_id is not null and new.status <> 'prepared')
execute function private.follow_mail_status();

create function private.follow_dead_mail()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.follow_mail_outcome(new.organization_id, (new.payload ->> 'booking_id')::uuid);
  return null;
end
$$;

comment on function private.follow_dead_mail is 'Shows on the booking that its mail was given up.';

create trigger follow_dead_mail
after update of status on private.jobs
for each row when (new.kind = 'email.send' and new.status = 'dead' and new.payload ? 'booking_id')
execute function private.follow_dead_mail();
