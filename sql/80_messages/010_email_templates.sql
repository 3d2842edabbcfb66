-- An organization's own words in the mails that carry its name.

select private.permission_upsert(
  'templates:read', 'organization', false,
  'See the words of the mails', 'Ver los textos de los correos',
  array['admin', 'manager']
);
select private.permission_upsert(
  'templates:manage', 'organization', true,
  'Change the words of the mails', 'Cambiar los textos de los correos',
  array['admin', 'manager'],
  rests_in_visits => true
);

create table private.email_templates (
  name text not null,
  content_function text not null,
  counts_as text,
  constraint email_templates_pkey primary key (name),
  constraint email_templates_counts_as_is_known check (counts_as in ('visitor', 'desk', 'organization', 'notice'))
);

comment on table private.email_templates is
  'reference data. The mails that exist, each a row beside the function that says what it says: its name is that of its folder in the service.';
comment on column private.email_templates.content_function is
  'A function of private, (organization_id uuid, cause jsonb) returns jsonb: {locale, to: {name, email}, data, booking_id of a booking''s mail} as things stand now, or null when the mail must not be sent any more. cause is the payload of its job.';
comment on column private.email_templates.counts_as is
  'Whose allowance (private.mail_allowances.source) the mail is counted in when it is sent, and left out when that has no room; null: it was counted when it was asked for, or is not counted.';

create function private.email_template_upsert(name text, content_function text, counts_as text default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if to_regprocedure(format('private.%I(uuid, jsonb)', content_function)) is null then
    raise 'private.%(uuid, jsonb) is to say what % says: define it first', content_function, name;
  end if;
  insert into private.email_templates as t (name, content_function, counts_as)
  values (email_template_upsert.name, email_template_upsert.content_function, email_template_upsert.counts_as)
  on conflict on constraint email_templates_pkey do update
  set content_function = excluded.content_function,
    counts_as = excluded.counts_as;
end
$$;

comment on function private.email_template_upsert is
  'Describes one mail, after the function that says what it says. For the files of sql/ only.';

create table public.email_template_overrides (
  organization_id uuid not null default private.organization_with('templates:manage'),
  template text not null,
  locale text not null,
  subject text,
  body text,
  is_sent boolean not null default true,
  checked_at timestamptz,
  problem jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint email_template_overrides_pkey primary key (organization_id, template, locale),
  constraint email_template_overrides_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint email_template_overrides_template_fkey foreign key (template)
  references private.email_templates (name),
  constraint email_template_overrides_locale_is_supported check (private.is_locale(locale)),
  constraint email_template_overrides_says_something check (num_nonnulls(subject, body) > 0 or not is_sent),
  -- What somebody waits for, or a deadline depends on.
  constraint email_template_overrides_some_are_always_sent check (
    is_sent or template not in (
      'booking_to_confirm', 'my_bookings', 'voucher_issued', 'voucher_bought', 'waitlist_offer', 'invitation',
      'dispute_opened', 'subscription_overdue', 'share_to_pay'
    )
  ),
  constraint email_template_overrides_subject_is_a_line_of_1_to_200 check (private.is_line(subject, 200)),
  constraint email_template_overrides_body_is_a_text_of_1_to_5000 check (body <> '' and private.is_text(body, 5000))
);

comment on table public.email_template_overrides is
  'What a mail says in place of the product''s own subject and opening words. Its facts, its link and its footer stay. Texts with names and conditions in Jinja''s braces, nothing more: POST /v1/email-templates/preview checks and shows them. What is stored is tried by the service within moments: problem says what is wrong with words that cannot be used. They are left aside until they are changed, and the mail goes out with the product''s own.';
comment on column public.email_template_overrides.template is 'Which mail, as in the jobs of kind email.send.';
comment on column public.email_template_overrides.checked_at is 'When these words were tried; null: not yet. Written by the service only.';
comment on column public.email_template_overrides.problem is
  'Why these words are not used: {field (subject or body), line, problem (an English sentence)}; null: they are. Written by the service only.';
comment on column public.email_template_overrides.is_sent is
  'Whether the mail is sent in this language; false: only when staff send it themselves (resend_booking_email). What somebody waits for is always sent: booking_to_confirm, my_bookings, voucher_issued, voucher_bought, waitlist_offer, invitation, dispute_opened, subscription_overdue, share_to_pay.';
comment on column public.email_template_overrides.subject is 'Null: the product''s own.';
comment on column public.email_template_overrides.body is 'Plain text; an empty line begins a paragraph. Null: the product''s own.';

-- for: the foreign key
create index email_template_overrides_template_idx on public.email_template_overrides (template);

grant select, delete on public.email_template_overrides to authenticated;
grant insert (organization_id, template, locale, subject, body, is_sent) on public.email_template_overrides to authenticated;
grant update (subject, body, is_sent) on public.email_template_overrides to authenticated;

alter table public.email_template_overrides enable row level security;

create trigger email_template_overrides_clean_names
before insert or update of subject on public.email_template_overrides
for each row execute function private.clean_texts('names', 'subject');

create trigger email_template_overrides_clean_notes
before insert or update of body on public.email_template_overrides
for each row execute function private.clean_texts('notes', 'body');

create policy email_template_overrides_select on public.email_template_overrides
for select to authenticated
using (organization_id = (select private.organization_with('templates:read')));

create policy email_template_overrides_insert on public.email_template_overrides
for insert to authenticated
with check (organization_id = (select private.organization_with('templates:manage')));

create policy email_template_overrides_update on public.email_template_overrides
for update to authenticated
using (organization_id = (select private.organization_with('templates:manage')))
with check (organization_id = (select private.organization_with('templates:manage')));

create policy email_template_overrides_delete on public.email_template_overrides
for delete to authenticated
using (organization_id = (select private.organization_with('templates:manage')));

create trigger email_template_overrides_touch_updated_at
before update on public.email_template_overrides
for each row execute function private.touch_updated_at();

create function private.forget_email_check()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  new.checked_at := null;
  new.problem := null;
  return new;
end
$$;

comment on function private.forget_email_check is 'New words have not been tried, whatever was found of the old ones.';

create trigger forget_email_check
before insert or update of subject, body on public.email_template_overrides
for each row execute function private.forget_email_check();

create function private.check_email_words()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.check',
    jsonb_build_object(
      'organization_id', new.organization_id, 'template', new.template, 'locale', new.locale
    ),
    concat_ws(':', 'email.check', new.organization_id, new.template, new.locale),
    new.organization_id
  );
  return null;
end
$$;

comment on function private.check_email_words is
  'definer: queues work, which no client may. New words are tried by the service, which alone knows what a mail''s words may be.';

-- After the row, which row level security has let through by then: whoever may not write here must
-- not learn from the queue's refusal which organizations there are.
create trigger check_email_words
after insert or update of subject, body on public.email_template_overrides
for each row execute function private.check_email_words();

create type service.email_words as (
  template text,
  locale text,
  subject text,
  body text
);

comment on type service.email_words is 'An organization''s own words for a mail, which are to be tried.';
comment on column service.email_words.template is 'Of the mail.';
comment on column service.email_words.locale is 'one of: es, en, ca';
comment on column service.email_words.subject is 'null: the product''s.';
comment on column service.email_words.body is 'null: the product''s.';

create function private.read_email_words(job_id bigint, lease_token uuid)
returns service.email_words
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    select row(t.template, t.locale, t.subject, t.body)::service.email_words
    from private.jobs as j
    join public.email_template_overrides as t
      on t.organization_id = j.organization_id
      and t.template = j.payload ->> 'template'
      and t.locale = j.payload ->> 'locale'
    where j.id = read_email_words.job_id
      and j.lease_token = read_email_words.lease_token
      and j.status = 'running'
      and j.kind = 'email.check'
  );
end
$$;

comment on function private.read_email_words is 'definer: the service may read no table.';
grant execute on function private.read_email_words to service_role;

create function service.read_email_words(job_id bigint, lease_token uuid)
returns jsonb
language sql
stable
set search_path = ''
as $$ select to_jsonb(private.read_email_words(job_id, lease_token)) $$;

comment on function service.read_email_words is
  'An organization''s own words that a claimed job of kind email.check is to try; null when they are gone or the lease is lost. Answers service.email_words or null.';
grant execute on function service.read_email_words to service_role;

create function private.record_email_words(
  job_id bigint, lease_token uuid, subject text, body text, problem jsonb
)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update public.email_template_overrides as t
  set checked_at = now(), problem = record_email_words.problem
  from private.jobs as j
  left join private.email_messages as m on m.job_id = j.id
  where j.id = record_email_words.job_id
    and j.lease_token = record_email_words.lease_token
    and j.status = 'running'
    and j.kind in ('email.check', 'email.send')
    and t.organization_id = j.organization_id
    and t.template = j.payload ->> 'template'
    and t.locale = coalesce(m.locale, j.payload ->> 'locale')
    -- Changed meanwhile: other words, and another job to try them.
    and t.subject is not distinct from record_email_words.subject
    and t.body is not distinct from record_email_words.body;
end
$$;

comment on function private.record_email_words is 'definer: the service may write no table.';
grant execute on function private.record_email_words to service_role;

create function service.record_email_words(
  job_id bigint, lease_token uuid, subject text, body text, problem jsonb
)
returns void
language sql
volatile
set search_path = ''
as $$ select private.record_email_words(job_id, lease_token, subject, body, problem) $$;

comment on function service.record_email_words is
  'Tells the organization whether its own words for a mail can be used: problem null, or {field, line, problem}, as staff then see it in email_template_overrides. From a claimed job that tried them (email.check) or met them while sending (email.send); nothing happens when they have been changed since, or the lease is lost.';
grant execute on function service.record_email_words to service_role;
