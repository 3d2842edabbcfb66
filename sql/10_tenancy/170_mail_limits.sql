-- How much mail may be sent to addresses that somebody merely typed.
--
-- Limited is what nobody paid for online and whose address nobody has proven: gift vouchers that staff
-- issue (one that is bought online is mailed once it is paid), invitations, bookings by staff, and by
-- visitors bookings without payment and places in a waiting list. It is refused where somebody asks for it, and waits for the answer; an address that staff give
-- a customer later is asked for like one that they type with a booking. What follows (confirmations,
-- changes, cancellations) and reminders of holds are asked for by nobody who could be told no: they are
-- counted when they are sent, or not sent, and the booking says so. Mails of a booking that was paid
-- online or confirmed by the link in its mail are never refused and never held back.
--
-- Counters are apart for visitors, for the desk and for what an organization sends of its own
-- accord, and old organizations have theirs alone. So a stranger who uses up what visitors may
-- send to somebody keeps neither the venue nor anybody else from writing there.

create table private.mail_allowances (
  source text not null,
  organization_age interval not null,
  per_recipient int not null,
  per_network int,
  recipients_are_shared boolean not null,
  per_organization int not null,
  reserved_per_sender int,
  reserved_per_network int,
  constraint mail_allowances_pkey primary key (source, organization_age),
  constraint mail_allowances_source_is_known check (source in ('visitor', 'desk', 'organization', 'notice')),
  constraint mail_allowances_age_is_not_negative check (organization_age >= interval '0'),
  constraint mail_allowances_are_positive check (
    per_recipient > 0 and per_network > 0 and per_organization > 0
    and reserved_per_sender > 0 and reserved_per_network > 0
  ),
  -- Where members share a recipient, none of them uses up all of it.
  constraint mail_allowances_reserve_where_members_share check (
    num_nonnulls(reserved_per_sender, reserved_per_network)
    = case when recipients_are_shared and source <> 'visitor' then 2 else 0 end
  )
);

comment on table private.mail_allowances is
  'reference data. Mails a day (UTC) to typed addresses, by who causes them and how old the organization is.';
comment on column private.mail_allowances.source is
  'visitor: unpaid bookings, reminders of holds, waiting lists and what visitors change; desk: bookings by staff, addresses that they give customers, and what they change; organization: vouchers and invitations; notice: what a venue''s own staff are told.';
comment on column private.mail_allowances.organization_age is 'For organizations of at least this age, up to the next row''s.';
comment on column private.mail_allowances.per_recipient is
  'To one mailbox: so many may be asked for, and as many sent of what follows.';
comment on column private.mail_allowances.per_network is
  'To one address, caused from one network address; null where members cause them. So a stranger who types somebody''s address leaves that person the rest.';
comment on column private.mail_allowances.recipients_are_shared is
  'Whether the mails of all such organizations to an address are counted together, and those that one person causes in several organizations too.';
comment on column private.mail_allowances.per_organization is 'From one organization, to whomever.';
comment on column private.mail_allowances.reserved_per_sender is
  'To one mailbox, by one person, whatever others have sent there: so many are allowed when what is shared is used up; null where nothing is shared, and for visitors.';
comment on column private.mail_allowances.reserved_per_network is
  'To one mailbox, from one network address, of those: so that many accounts of one person are no more than a few; null as reserved_per_sender.';

insert into private.mail_allowances (
  source, organization_age, per_recipient, per_network, recipients_are_shared, per_organization,
  reserved_per_sender, reserved_per_network
)
values
('visitor', interval '0', 12, 4, true, 500, null, null),
('visitor', interval '14 days', 12, 4, true, 5000, null, null),
('visitor', interval '90 days', 12, 4, true, 20000, null, null),
('desk', interval '0', 20, null, true, 300, 1, 3),
('desk', interval '14 days', 50, null, false, 2000, null, null),
('desk', interval '90 days', 50, null, false, 10000, null, null),
('organization', interval '0', 5, null, true, 100, 1, 3),
('organization', interval '14 days', 20, null, false, 500, null, null),
('organization', interval '90 days', 20, null, false, 5000, null, null),
-- To proven addresses of members and to those that said yes: a busy venue has many bookings a day.
('notice', interval '0', 50, null, true, 200, 1, 3),
('notice', interval '14 days', 300, null, false, 2000, null, null),
('notice', interval '90 days', 300, null, false, 10000, null, null)
on conflict (source, organization_age) do update
set per_recipient = excluded.per_recipient,
  per_network = excluded.per_network,
  recipients_are_shared = excluded.recipients_are_shared,
  per_organization = excluded.per_organization,
  reserved_per_sender = excluded.reserved_per_sender,
  reserved_per_network = excluded.reserved_per_network;

create function private.mail_allowance(organization_id uuid, source text)
returns private.mail_allowances
language plpgsql
stable
set search_path = ''
as $$
declare
  allowance private.mail_allowances;
begin
  -- The one place that says it: a plan that allows more would be read here.
  select a.* into strict allowance
  from private.mail_allowances as a
  join public.organizations as o on o.created_at <= now() - a.organization_age
  where o.id = mail_allowance.organization_id and a.source = mail_allowance.source
  order by a.organization_age desc
  limit 1;
  return allowance;
end
$$;

comment on function private.mail_allowance is 'What the organization may send a day to typed addresses.';

create function private.count_mail(counted text, subject text, maximum int, hint text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  hits int;
begin
  -- Counted with what sends it: a request that is refused, for whatever reason, sends nothing.
  insert into private.rate_limits as l (action, subject, window_start)
  values (
    'mail/' || counted,
    encode(private.token_hash(count_mail.subject), 'hex'),
    date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'
  )
  on conflict on constraint rate_limits_pkey do update set hits = l.hits + 1
  returning l.hits into hits;
  if hits > maximum then
    perform private.fail(
      'mail_limit_reached', 429, hint, jsonb_build_object('limit', counted, 'maximum', maximum)
    );
  end if;
end
$$;

comment on function private.count_mail is
  'Counts a mail of today. Raises 429 mail_limit_reached (details {"limit", "maximum"}) above the maximum; null: there is none.';

create function private.mail_subject(allowance private.mail_allowances, organization_id uuid, email text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when not allowance.recipients_are_shared then mail_subject.organization_id || ' ' else '' end
    || private.mailbox(mail_subject.email);
end
$$;

comment on function private.mail_subject is
  'Whose mails are counted together: those to a mailbox, of one organization or of all that share their recipients.';

create function private.mail_sender(organization_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  -- All keys of an organization are one sender.
  return case
    when private.jwt_claims() ? 'api_key_id' then mail_sender.organization_id::text
    else coalesce(auth.uid()::text, mail_sender.organization_id::text)
  end;
end
$$;

comment on function private.mail_sender is
  'Who asks for a mail, as far as a reserve is somebody''s: the calling person; else, as for an API key, the organization.';

create function private.reserve_has_room(allowance private.mail_allowances, organization_id uuid, email text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  mailbox text := private.mailbox(reserve_has_room.email);
begin
  if allowance.reserved_per_sender is null then
    return false;
  end if;
  perform private.count_mail(
    allowance.source || '/sender', mailbox || ' ' || private.mail_sender(reserve_has_room.organization_id),
    allowance.reserved_per_sender, ''
  );
  if private.client_address() is not null then
    perform private.count_mail(
      allowance.source || '/reserve', mailbox || ' ' || private.client_address(), allowance.reserved_per_network, ''
    );
  end if;
  return true;
exception
  -- What was counted is taken back with this block.
  when sqlstate 'PT429' then return false;
end
$$;

comment on function private.reserve_has_room is
  'Counts a mail to a mailbox whose shared allowance is used up, and answers whether it is among the few of its sender that nobody else can use up.';

create function private.count_mail_to(organization_id uuid, email text, source text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  allowance private.mail_allowances := private.mail_allowance(count_mail_to.organization_id, count_mail_to.source);
  hint text;
begin
  hint := case count_mail_to.source
    when 'visitor' then 'This address was sent a lot today. Sign in with it by a mailed link and book again, or ask the venue to book for you.'
    when 'desk' then 'Leave the e-mail address out, or go on tomorrow.'
    else 'Leave the e-mail address out and hand it over yourself, or go on tomorrow.'
  end;
  -- Whoever has proven the address asks for mail of their own, which strangers cannot use up.
  if source <> 'visitor' or not private.caller_has_proven(private.typed_email(count_mail_to.email)) then
    -- The worker's own address says nothing of who caused a mail.
    if private.client_address() is not null and private.jwt_claims() ->> 'role' is distinct from 'service_role'
      and allowance.per_network is not null
    then
      perform private.count_mail(
        source || '/network', private.mailbox(count_mail_to.email) || ' ' || private.client_address(),
        allowance.per_network, hint
      );
    end if;
    begin
      perform private.count_mail(
        source || '/recipient',
        private.mail_subject(allowance, count_mail_to.organization_id, count_mail_to.email),
        allowance.per_recipient, hint
      );
      if allowance.reserved_per_sender is not null then
        -- Whoever has had a part of what is shared has no reserve beside it.
        perform private.count_mail(
          source || '/sender',
          private.mailbox(count_mail_to.email) || ' ' || private.mail_sender(count_mail_to.organization_id), null, hint
        );
      end if;
    exception
      when sqlstate 'PT429' then
        if not private.reserve_has_room(allowance, count_mail_to.organization_id, count_mail_to.email) then
          raise;
        end if;
    end;
  end if;
  perform private.count_mail(
    source || '/organization', count_mail_to.organization_id::text, allowance.per_organization, hint
  );
  -- What the worker counts while it sends was caused by no account.
  if allowance.recipients_are_shared and count_mail_to.source <> 'visitor' and auth.uid() is not null then
    -- Somebody who opens many organizations gets the allowance of one.
    perform private.count_mail(source || '/user', auth.uid()::text, allowance.per_organization, hint);
  end if;
end
$$;

comment on function private.count_mail_to is
  'Counts a mail to an address that somebody typed. Raises 429 mail_limit_reached (details {"limit", "maximum"}).';

create function private.limit_mail(organization_id uuid, email text, source text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if private.client_address() is null and auth.uid() is null and not private.jwt_claims() ? 'api_key_id' then
    return; -- nobody's: the owner's own session, not a request
  end if;
  perform private.count_mail_to(limit_mail.organization_id, limit_mail.email, limit_mail.source);
end
$$;

comment on function private.limit_mail is
  'Counts a mail that the request causes to an address which somebody typed. Called last, since the counters'' rows stay locked until the end of the transaction. Raises 429 mail_limit_reached (details {"limit", "maximum"}).';

create function private.mail_fits(organization_id uuid, email text, source text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.count_mail_to(mail_fits.organization_id, mail_fits.email, mail_fits.source);
  return true;
exception
  -- What was counted on the way is taken back with this block.
  when sqlstate 'PT429' then return false;
end
$$;

comment on function private.mail_fits is
  'Counts a mail that nobody waits for, in the moment of sending, and answers whether the allowance has room for it; one that has none is not sent.';

create function private.sent_mail_fits(organization_id uuid, email text, source text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  allowance private.mail_allowances := private.mail_allowance(sent_mail_fits.organization_id, sent_mail_fits.source);
begin
  perform private.count_mail(
    source || '/sent',
    private.mail_subject(allowance, sent_mail_fits.organization_id, sent_mail_fits.email),
    allowance.per_recipient, ''
  );
  return true;
exception
  -- What was counted is taken back with this block.
  when sqlstate 'PT429' then return false;
end
$$;

comment on function private.sent_mail_fits is
  'Counts a mail about what became of a booking, in the moment of sending, and answers whether its mailbox has room for it; whoever caused it is the source.';
