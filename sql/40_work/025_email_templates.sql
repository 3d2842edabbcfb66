-- An organization's own words in the mails that carry its name.

select private.permission_upsert(
  'templates:read', 'organization', false,
  'See the words of the mails', 'Ver los textos de los correos',
  array['admin', 'manager']
);
select private.permission_upsert(
  'templates:manage', 'organization', true,
  'Change the words of the mails', 'Cambiar los textos de los correos',
  array['admin', 'manager']
);

create table public.email_template_overrides (
  organization_id uuid not null default private.organization_with('templates:manage'),
  template text not null,
  locale text not null,
  subject text,
  body text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint email_template_overrides_pkey primary key (organization_id, template, locale),
  constraint email_template_overrides_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint email_template_overrides_template_is_known check (
    template in (
      'booking_confirmed', 'booking_cancelled', 'booking_rescheduled', 'booking_paid_late',
      'waitlist_offer', 'voucher_issued', 'invitation', 'dispute_opened'
    )
  ),
  constraint email_template_overrides_locale_is_supported check (private.is_locale(locale)),
  constraint email_template_overrides_says_something check (num_nonnulls(subject, body) > 0),
  constraint email_template_overrides_subject_has_1_to_200_characters check (
    length(trim(subject)) between 1 and 200 and subject !~ '[[:cntrl:]]'
  ),
  constraint email_template_overrides_body_has_1_to_5000_characters check (length(trim(body)) between 1 and 5000)
);

comment on table public.email_template_overrides is
  'What a mail says in place of the product''s own subject and opening words. Its facts, its link and its footer stay. Texts with names and conditions in Jinja''s braces, nothing more: POST /v1/email-templates/preview checks and shows them; words that cannot be used are left aside, and the mail goes out with the product''s own.';
comment on column public.email_template_overrides.template is 'Which mail, as in the jobs of kind email.send.';
comment on column public.email_template_overrides.subject is 'Null: the product''s own.';
comment on column public.email_template_overrides.body is 'Plain text; an empty line begins a paragraph. Null: the product''s own.';

grant select, delete on public.email_template_overrides to authenticated;
grant insert (organization_id, template, locale, subject, body) on public.email_template_overrides to authenticated;
grant update (subject, body) on public.email_template_overrides to authenticated;

alter table public.email_template_overrides enable row level security;

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
