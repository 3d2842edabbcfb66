-- E-mail: who is written to, when a mail may still be sent, and what became of it.
--
-- Exactly one mail a cause:
--   the cause       writes the job in its own transaction, under a key that e-mails keep
--                   for ever.
--   prepare_email   re-reads the state. A mail whose cause has been overtaken (confirmed,
--                   then cancelled) is dropped; one that was recorded is not sent again.
--   the provider    is given an idempotency key made from the job's id. Killed after it
--                   took the mail: the next attempt presents the same key, and the
--                   provider sends nothing.
--   record_email    ties the provider's message to the job, once.

create table private.email_messages (
  job_id bigint not null,
  organization_id uuid,
  booking_id uuid,
  template text not null,
  locale text not null,
  recipient text not null,
  prepared_under uuid [] not null default '{}',
  status text not null default 'prepared',
  provider text,
  provider_message_id text,
  sent_at timestamptz,
  delivered_at timestamptz,
  opened_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint email_messages_pkey primary key (job_id),
  constraint email_messages_job_fkey foreign key (job_id) references private.jobs (id) on delete cascade,
  constraint email_messages_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint email_messages_status_is_known
  check (status in ('prepared', 'suppressed', 'limited', 'sent', 'delivered', 'bounced', 'complained', 'failed')),
  constraint email_messages_sent_names_the_message check (sent_at is null or provider_message_id is not null)
);

comment on table private.email_messages is 'The log of mails: one row a job, and no text of any.';
comment on column private.email_messages.prepared_under is
  'The leases under which it was handed out: only whoever held one of them knows that it left.';
comment on column private.email_messages.delivered_at is 'When the provider first said that it was delivered.';
comment on column private.email_messages.opened_at is
  'When the provider first said that it was opened, or a link of it; many programs hide that.';
comment on column private.email_messages.status is
  'prepared (handed to the worker), suppressed (the address bounced or complained before), limited (its mailbox was sent enough that day), sent (the provider took it), then what the provider reports.';

-- for: the foreign key, and the mails of a booking
create index email_messages_booking_id_idx on private.email_messages (organization_id, booking_id);
-- for: public.booking_emails, and private.mail_pause
create index jobs_booking_mails_idx on private.jobs (organization_id, (payload ->> 'booking_id'), id)
where kind = 'email.send';
-- for: private.follow_email_events
create index email_messages_provider_message_id_idx on private.email_messages (provider_message_id)
where provider_message_id is not null;

create trigger email_messages_touch_updated_at
before update on private.email_messages
for each row execute function private.touch_updated_at();

create table private.email_events (
  id text not null,
  type text not null,
  provider_message_id text,
  occurred_at timestamptz not null,
  received_at timestamptz not null default now(),
  constraint email_events_pkey primary key (id)
);

comment on table private.email_events is 'The inbox of Resend''s webhooks: every event once, by the id in its svix-id header, without its content.';

-- for: private.follow_email_events
create index email_events_provider_message_id_idx on private.email_events (provider_message_id, occurred_at desc)
where provider_message_id is not null;

create table private.email_suppressions (
  email text not null,
  reason text not null,
  created_at timestamptz not null default now(),
  constraint email_suppressions_pkey primary key (email),
  constraint email_suppressions_reason_is_known check (reason in ('bounced', 'complained')),
  constraint email_suppressions_email_is_lower_case check (email = lower(email))
);

comment on table private.email_suppressions is
  'Addresses that nothing is sent to any more. Of the platform, not of a tenant: all mails leave from one sender, whose reputation a second bounce harms.';

create function private.mail_is_wanted(organization_id uuid, booking_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  -- What staff write down as paid costs nobody anything, and proves nothing.
  return exists (
    select from public.payments as p
    where p.organization_id = mail_is_wanted.organization_id
      and p.booking_id = mail_is_wanted.booking_id
      and p.method = 'stripe'
  ) or exists (
    select from private.booking_confirmations as c
    where c.organization_id = mail_is_wanted.organization_id
      and c.booking_id = mail_is_wanted.booking_id
      and c.confirmed_at is not null
  );
end
$$;

comment on function private.mail_is_wanted is
  'Whether a booking''s mails are its customer''s own wish: it was paid online, or confirmed by the link in its mail.';

create function private.mail_source(job private.jobs)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  customer_id uuid;
  caused_by text;
begin
  customer_id := coalesce(
    (
      select b.customer_id from public.bookings as b
      where b.organization_id = job.organization_id and b.id = (job.payload ->> 'booking_id')::uuid
    ),
    (
      select e.customer_id from public.waitlist_entries as e
      where e.organization_id = job.organization_id and e.id = (job.payload ->> 'entry_id')::uuid
    )
  );
  if private.is_readdressed(job.organization_id, customer_id) then
    return 'desk';
  elsif not job.payload ?| array['history_id', 'rule_id', 'payment_id', 'refund_request_id', 'refund_id', 'lapses', 'changed_at']
    or private.mail_is_wanted(
    job.organization_id, (job.payload ->> 'booking_id')::uuid
  ) then
    return null;
  elsif not job.payload ? 'history_id' then
    -- Nobody asked for it; whoever typed the address did so with the booking.
    return (
      select case b.source when 'widget' then 'visitor' else 'desk' end
      from public.bookings as b
      where b.organization_id = job.organization_id and b.id = (job.payload ->> 'booking_id')::uuid
    );
  end if;
  select h.actor_kind into caused_by
  from public.booking_history as h
  where h.organization_id = job.organization_id and h.id = (job.payload ->> 'history_id')::uuid;
  return case caused_by when 'customer' then 'visitor' else 'desk' end;
end
$$;

comment on function private.mail_source is
  'Whose allowance counts a mail when it is sent, as in private.mail_allowances; null: it was counted when it was asked for, or is wanted.';

create function private.mailbox_has_room(job private.jobs, template private.email_templates, email text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  source text := private.mail_source(job);
begin
  return (
    template.counts_as is null
    or private.mail_fits(job.organization_id, mailbox_has_room.email, template.counts_as)
  ) and (
    source is null
    or private.sent_mail_fits(job.organization_id, mailbox_has_room.email, source)
  );
end
$$;

comment on function private.mailbox_has_room is
  'Counts a mail that is about to be sent, and answers whether the allowance has room for it.';

create type service.recipient as (
  name text,
  email text
);

comment on type service.recipient is 'Whom a mail goes to.';
comment on column service.recipient.name is 'As it is written on the mail.';
comment on column service.recipient.email is 'The address.';

create type service.email_override as (
  subject text,
  body text
);

comment on type service.email_override is 'An organization''s own words for a mail.';
comment on column service.email_override.subject is 'null: the product''s.';
comment on column service.email_override.body is 'null: the product''s.';

create type service.prepared_email as (
  template text,
  locale text,
  "to" service.recipient,
  data jsonb,
  override service.email_override,
  sender_address text
);

comment on type service.prepared_email is 'What a mail says now.';
comment on column service.prepared_email.template is 'Of the mail.';
comment on column service.prepared_email.locale is 'one of: es, en, ca';
comment on column service.prepared_email."to" is 'Whom it goes to.';
comment on column service.prepared_email.data is 'What the template shows, by its own names; amounts in minor units, instants in UTC, timezone the venue''s.';
comment on column service.prepared_email.override is 'null: the product''s words, or the organization''s are known to be unusable.';
comment on column service.prepared_email.sender_address is 'From which address of the organization''s own it comes; null: the platform''s.';

create function private.prepare_email(job_id bigint, lease_token uuid)
returns service.prepared_email
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs;
  template private.email_templates;
  mail jsonb;
  logged private.email_messages;
  held_back text;
begin
  perform private.act_as('system', null);
  select j.* into job
  from private.jobs as j
  where j.id = prepare_email.job_id
    and j.lease_token = prepare_email.lease_token
    and j.status = 'running'
    and j.kind = 'email.send';
  if not found then
    return null;
  end if;
  select m.* into logged
  from private.email_messages as m
  where m.job_id = job.id;
  if logged.sent_at is not null or logged.status = 'limited' then
    return null;
  end if;

  -- Either an erasure sees what is written here, or this reads what it has left.
  perform private.lock_recipients(job.organization_id, erasing => false);
  select t.* into template
  from private.email_templates as t
  where t.name = job.payload ->> 'template';
  if not found then
    -- Not null, which would end the job as if there were nothing to say.
    perform private.fail('template_unknown', 422, 'Give private.email_templates a row that says what this mail says.');
  end if;
  execute format('select private.%I($1, $2)', template.content_function)
  into mail
  using job.organization_id, job.payload;
  -- Nobody to write to: a customer without an address.
  if mail #>> '{to,email}' is null then
    return null;
  end if;
  -- What staff send again they want to be sent.
  if job.dedupe_key not like 'resent:%' and exists (
    select from public.email_template_overrides as t
    where t.organization_id = job.organization_id
      and t.template = template.name
      and t.locale = mail ->> 'locale'
      and not t.is_sent
  ) then
    return null;
  end if;

  held_back := case
    when exists (select from private.email_suppressions as s where s.email = lower(mail #>> '{to,email}'))
      then 'suppressed'
    -- Once a mail: what was prepared before has been counted.
    when logged.job_id is null and not private.mailbox_has_room(job, template, mail #>> '{to,email}') then 'limited'
  end;
  insert into private.email_messages as m (
    job_id, organization_id, booking_id, template, locale, recipient, prepared_under, status
  )
  values (
    job.id, job.organization_id, (mail ->> 'booking_id')::uuid, template.name, mail ->> 'locale',
    mail #>> '{to,email}', array[job.lease_token], coalesce(held_back, 'prepared')
  )
  on conflict on constraint email_messages_pkey do update
  set locale = excluded.locale,
    recipient = excluded.recipient,
    prepared_under = m.prepared_under || excluded.prepared_under,
    status = excluded.status;
  if held_back is not null then
    return null;
  end if;

  return row(
    template.name,
    mail ->> 'locale',
    jsonb_populate_record(null::service.recipient, mail -> 'to'),
    mail -> 'data',
    (
      select row(t.subject, t.body)::service.email_override
      from public.email_template_overrides as t
      where t.organization_id = job.organization_id
        and t.template = template.name
        and t.locale = mail ->> 'locale'
        and t.problem is null
    ),
    -- What the venue says itself, and not what the platform says to those who work there.
    case when mail -> 'data' ? 'contact_email' then private.own_sender(job.organization_id) end
  )::service.prepared_email;
end
$$;

comment on function private.prepare_email is
  'definer: the service may read no table. Reads the state anew, so that no mail tells what is no longer so.';
grant execute on function private.prepare_email to service_role;

create function service.prepare_email(job_id bigint, lease_token uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select to_jsonb(private.prepare_email(job_id, lease_token)) $$;

comment on function service.prepare_email is
  'What the mail of a claimed job says now; null when nothing is to be sent: sent before, overtaken by events, switched off, to nobody, the address suppressed, its mailbox sent enough today, or the lease lost. Answers service.prepared_email or null. Errors: 422 template_unknown.';
grant execute on function service.prepare_email to service_role;

create function private.follow_email_events(provider_message_id text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- A report can overtake the record of its own mail. Both come through here and wait
  -- for each other, so the later one sees what the earlier wrote.
  perform pg_advisory_xact_lock(hashtextextended('email:' || follow_email_events.provider_message_id, 0));
  update private.email_messages as m
  set status = newest.status
  from (
    select replace(e.type, 'email.', '') as status
    from private.email_events as e
    where e.provider_message_id = follow_email_events.provider_message_id
      and e.type in ('email.delivered', 'email.bounced', 'email.complained', 'email.failed')
    order by e.occurred_at desc, e.id desc
    limit 1
  ) as newest
  where m.provider_message_id = follow_email_events.provider_message_id;
  update private.email_messages as m
  set delivered_at = reported.delivered_at, opened_at = reported.opened_at
  from (
    select
      min(e.occurred_at) filter (where e.type = 'email.delivered') as delivered_at,
      min(e.occurred_at) filter (where e.type in ('email.opened', 'email.clicked')) as opened_at
    from private.email_events as e
    where e.provider_message_id = follow_email_events.provider_message_id
  ) as reported
  where m.provider_message_id = follow_email_events.provider_message_id
    and (m.delivered_at, m.opened_at) is distinct from (reported.delivered_at, reported.opened_at);
end
$$;

comment on function private.follow_email_events is
  'Gives a sent mail the state of its newest event, by the provider''s clock, and the first instants of delivery and opening: events may come in any order.';

create type service.recorded_email as (
  recorded boolean
);

comment on type service.recorded_email is 'Whether it is news that a mail was taken.';
comment on column service.recorded_email.recorded is
  'False when it was recorded before, or was not prepared under that lease.';

create function private.record_email(job_id bigint, lease_token uuid, provider text, provider_message_id text)
returns service.recorded_email
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- A lease that has ended counts, too: that the mail left is true whoever holds the job now, and the sooner it is
  -- known the less can be sent again. One under which nothing was prepared does not: it would keep a mail from leaving.
  update private.email_messages as m
  set status = 'sent',
    provider = record_email.provider,
    provider_message_id = record_email.provider_message_id,
    sent_at = now()
  where m.job_id = record_email.job_id and record_email.lease_token = any(m.prepared_under) and m.sent_at is null;
  if not found then
    return row(false)::service.recorded_email;
  end if;
  perform private.follow_email_events(record_email.provider_message_id);
  return row(true)::service.recorded_email;
end
$$;

comment on function private.record_email is 'definer: the service may write no table.';
grant execute on function private.record_email to service_role;

create function service.record_email(job_id bigint, lease_token uuid, provider text, provider_message_id text)
returns service.recorded_email
language sql
volatile
set search_path = ''
as $$ select private.record_email(job_id, lease_token, provider, provider_message_id) $$;

comment on function service.record_email is
  'Remembers that the provider took a mail, and under which id, for whoever prepared it under that lease, ended or not.';
grant execute on function service.record_email to service_role;

create function private.record_email_event(event jsonb)
returns service.received
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if coalesce(event ->> 'id', '') = '' or coalesce(event ->> 'type', '') = '' then
    perform private.fail('event_invalid', 422, 'Send an event as Resend makes them, with its svix-id as id.');
  end if;
  insert into private.email_events (id, type, provider_message_id, occurred_at)
  values (
    event ->> 'id', event ->> 'type', event #>> '{data,email_id}',
    coalesce((event ->> 'created_at')::timestamptz, now())
  )
  on conflict on constraint email_events_pkey do nothing;
  if not found then
    return row(true)::service.received;
  end if;

  -- A full mailbox is full for a day, a wrong address is wrong for ever.
  if event ->> 'type' = 'email.complained'
    or (event ->> 'type' = 'email.bounced' and coalesce(event #>> '{data,bounce,type}', 'Permanent') = 'Permanent')
  then
    insert into private.email_suppressions (email, reason)
    select distinct lower(address), replace(event ->> 'type', 'email.', '')
    from jsonb_array_elements_text(
      case jsonb_typeof(event #> '{data,to}') when 'array' then event #> '{data,to}' else '[]' end
    ) as address
    on conflict on constraint email_suppressions_pkey do nothing;
  end if;

  if event #>> '{data,email_id}' is not null then
    perform private.follow_email_events(event #>> '{data,email_id}');
  end if;
  return row(false)::service.received;
end
$$;

comment on function private.record_email_event is 'definer: the service may write no table.';
grant execute on function private.record_email_event to service_role;

create function service.record_email_event(event jsonb)
returns service.received
language sql
volatile
set search_path = ''
as $$ select private.record_email_event(event) $$;

comment on function service.record_email_event is
  'Stores a verified webhook of Resend, {id (its svix-id), type, created_at, data: {email_id, to, bounce}}, once: the mail takes the reported state, and an address that bounced for good or complained is not written to again. Errors: 422 event_invalid.';
grant execute on function service.record_email_event to service_role;

create function private.mail_pause(organization_id uuid, booking_id uuid)
returns interval
language plpgsql
stable
set search_path = ''
as $$
declare
  told int;
begin
  select count(*) into told
  from private.jobs as j
  join private.email_messages as m on m.job_id = j.id
  where j.kind = 'email.send'
    and j.organization_id = mail_pause.organization_id
    and j.payload ->> 'booking_id' = mail_pause.booking_id::text
    and j.payload ->> 'template' = 'booking_rescheduled'
    and m.sent_at > now() - interval '1 day';
  return least(interval '2 minutes' * 2 ^ least(told, 10), interval '4 hours');
end
$$;

comment on function private.mail_pause is
  'How long the mail about a change waits for further ones: two minutes, doubled with every such mail about the booking within a day, at most four hours. So several changes are one mail, and nobody fills a mailbox by moving one booking.';

create function private.announce_booking()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  template text := case when new.change is null then 'booking_' || new.to_status else 'booking_rescheduled' end;
begin
  -- A hold was never announced, so neither is its change or its end.
  -- What was said by mistake at the desk and taken back is none of its party's business.
  if new.from_status = 'held' and new.to_status in ('held', 'cancelled')
    or private.is_undo(new.from_status, new.to_status)
    -- Its party comes all the same: what it is told is the change of the booking that it is part of now.
    or new.reason = 'merged' and new.change is null and private.is_merged(new.organization_id, new.booking_id)
  then
    return null;
  end if;
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', template,
      'organization_id', new.organization_id,
      'booking_id', new.booking_id,
      'history_id', new.id
    ),
    concat_ws(':', template, new.booking_id, new.id),
    new.organization_id,
    -- A later change within that time has a mail of its own, and this one is dropped.
    case
      when new.change is null then now()
      else now() + private.mail_pause(new.organization_id, new.booking_id)
    end
  );
  return null;
end
$$;

comment on function private.announce_booking is
  'The outbox: a booking that is confirmed, changed or cancelled writes its mail in the same transaction.';

create trigger announce_booking
after insert on public.booking_history
for each row when (new.to_status in ('confirmed', 'cancelled') or new.change is not null)
execute function private.announce_booking();
