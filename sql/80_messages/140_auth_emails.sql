-- Auth's own mails: sign-ups, links, codes. Auth hands them to the edge function auth-email, which puts
-- them here; they go out by the same queue as all others, in the reader's language.
--
-- Codes and links open an account, so they are kept only as long as they are needed: the row goes when
-- the mail has left, or an hour later, when they open nothing any more.

create table private.auth_emails (
  id uuid not null default private.uuid_v7(),
  hook_id text not null,
  position int not null,
  kind text not null,
  recipient text not null,
  locale text not null,
  code text,
  link text,
  new_email text,
  created_at timestamptz not null default now(),
  constraint auth_emails_pkey primary key (id),
  constraint auth_emails_one_of_a_call unique (hook_id, position),
  constraint auth_emails_locale_is_supported check (private.is_locale(locale))
);

comment on table private.auth_emails is
  'Mails of Auth that are still to be sent, with the codes and links that they bring: deleted when sent, and after an hour.';
comment on column private.auth_emails.hook_id is 'Auth''s call that asked for it (its webhook-id); asked again, it is the same mail.';
comment on column private.auth_emails.position is 'Which mail of that call: a changed address is confirmed by two.';
comment on column private.auth_emails.kind is
  'What for: signup, invite, magiclink, recovery, email_change, reauthentication, or another word of Auth''s.';
comment on column private.auth_emails.code is 'What can be typed instead of opening the link; null: nothing.';
comment on column private.auth_emails.link is 'What opens it; null: there is the code only, or it is a notice.';
comment on column private.auth_emails.new_email is 'Of email_change: the address that is to be the account''s; else null.';

-- for: private.forget_auth_emails
create index auth_emails_created_at_idx on private.auth_emails (created_at);

create function private.auth_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', e.locale,
      'to', jsonb_build_object('name', '', 'email', e.recipient),
      'data', jsonb_build_object('kind', e.kind, 'code', e.code, 'link', e.link, 'new_email', e.new_email)
    )
    from private.auth_emails as e
    where e.id = (cause ->> 'auth_email_id')::uuid
      and auth_content.organization_id is null
      -- Later it would open nothing.
      and e.created_at > now() - interval '1 hour'
  );
end
$$;

comment on function private.auth_content is
  'What a mail of Auth says; null once it was sent, or an hour after it was asked for.';

select private.email_template_upsert('auth', 'auth_content');

create function private.forget_sent_auth_email()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from private.auth_emails as e
  using private.jobs as j
  where j.id = new.job_id and e.id = (j.payload ->> 'auth_email_id')::uuid;
  return null;
end
$$;

comment on function private.forget_sent_auth_email is 'What opens an account is not kept once it has left.';

create trigger forget_sent_auth_email
after update of sent_at on private.email_messages
for each row when (new.template = 'auth' and new.sent_at is not null)
execute function private.forget_sent_auth_email();

create function private.forget_auth_emails()
returns void
language sql
volatile
set search_path = ''
as $$
  delete from private.auth_emails as e where e.created_at < now() - interval '1 hour'
$$;

comment on function private.forget_auth_emails is 'Deletes codes and links that open nothing any more.';

create function private.is_auth_link(link text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return is_auth_link.link ~ '^https?://[!-~]+$' and length(is_auth_link.link) <= 2000
    and (
      not exists (select from private.token_issuers)
      or exists (select from private.token_issuers as i where starts_with(is_auth_link.link, i.issuer || '/verify?'))
    );
end
$$;

comment on function private.is_auth_link is
  'Whether a link is Auth''s own, and leads nobody elsewhere in our name; with no row in private.token_issuers any is taken, since nothing says where Auth is.';

create function private.count_auth_mail(email text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  mailbox text := private.mailbox(count_auth_mail.email);
begin
  perform private.limit_rate('auth_mail', 'target', mailbox);
  begin
    perform private.limit_rate('auth_mail_day', 'target', mailbox);
  exception
    when sqlstate 'PGRST' then
      -- A stranger may have used the day up. One mail an hour goes out all the same, whose link works
      -- until the next may, so that nobody is kept from signing in.
      if exists (
        select from private.rate_limits as l
        where l.action = 'auth_mail/target' and l.subject = encode(private.token_hash(mailbox), 'hex')
          and l.window_start > now() - interval '1 hour' and l.hits > 1
      ) then
        raise;
      end if;
  end;
end
$$;

comment on function private.count_auth_mail is
  'Counts a mail of Auth, of whatever kind: anybody can type the address. Raises 429 rate_limited.';

create function private.queue_auth_emails(hook_id text, emails jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  email record;
  email_id uuid;
begin
  if coalesce(queue_auth_emails.hook_id, '') = '' or length(queue_auth_emails.hook_id) > 200
    or jsonb_typeof(queue_auth_emails.emails) is distinct from 'array'
    or jsonb_array_length(queue_auth_emails.emails) not between 1 and 2
  then
    perform private.fail('auth_emails_invalid', 422, 'Send the call''s id and one mail, or two.');
  end if;
  for email in
    select e.*, ordinality as position
    from jsonb_array_elements(queue_auth_emails.emails) with ordinality as given
    cross join jsonb_to_record(given.value) as e (
      kind text, recipient text, locale text, code text, link text, new_email text
    )
  loop
    if email.kind !~ '^[a-z_]{1,60}$' or email.kind is null or private.is_email(lower(email.recipient)) is not true
      or email.code !~ '^[!-~]{1,20}$' or (email.link is not null and not private.is_auth_link(email.link))
      or private.is_email(lower(email.new_email)) is false
    then
      perform private.fail('auth_emails_invalid', 422, 'Send mails as Auth asks for them.');
    end if;
    insert into private.auth_emails as e (hook_id, position, kind, recipient, locale, code, link, new_email)
    values (
      queue_auth_emails.hook_id, email.position, email.kind, lower(email.recipient),
      case when private.is_locale(email.locale) then email.locale else 'es' end,
      email.code, email.link, lower(email.new_email)
    )
    on conflict on constraint auth_emails_one_of_a_call do nothing
    returning e.id into email_id;
    if email_id is not null then
      perform private.count_auth_mail(lower(email.recipient));
      perform private.enqueue(
        'email.send',
        -- A share of its own: somebody waits for the code, and nobody is behind another's.
        jsonb_build_object('template', 'auth', 'auth_email_id', email_id, 'account', 'auth:' || email_id),
        concat_ws(':', 'auth', queue_auth_emails.hook_id, email.position)
      );
    end if;
  end loop;
end
$$;

comment on function private.queue_auth_emails is 'definer: the edge function may write no table.';
grant execute on function private.queue_auth_emails to service_role;

create function service.queue_auth_emails(hook_id text, emails jsonb)
returns void
language sql
volatile
set search_path = ''
as $$ select private.queue_auth_emails(hook_id, emails) $$;

comment on function service.queue_auth_emails is
  'Queues the mails of one call of Auth''s Send Email hook, each once however often the call comes: hook_id is its webhook-id, emails one or two {kind, recipient, locale, code, link, new_email}. For the edge function auth-email, which has verified the call. Errors: 422 auth_emails_invalid; 429 rate_limited, for a mailbox that was sent enough.';
grant execute on function service.queue_auth_emails to service_role;
