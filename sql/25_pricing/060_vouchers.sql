-- Gift vouchers: money that was paid before, behind a code. What one is worth is the sum of its
-- entries (sql/40_money), which keep its balance.

create table public.vouchers (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  code text not null,
  currency text not null,
  balance_cents bigint not null default 0,
  status text not null default 'active',
  valid_until date,
  recipient_name text not null default '',
  recipient_email text,
  message text not null default '',
  locale text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  expired_at timestamptz,
  constraint vouchers_pkey primary key (organization_id, id),
  constraint vouchers_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint vouchers_code_key unique (organization_id, code),
  constraint vouchers_code_is_crockford_base32 check (code ~ '^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}$'),
  constraint vouchers_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint vouchers_balance_is_never_negative check (balance_cents >= 0),
  constraint vouchers_status_is_known check (status in ('active', 'blocked', 'cancelled')),
  constraint vouchers_last_date_is_finite check (isfinite(valid_until)),
  constraint vouchers_recipient_is_a_name_or_empty check (recipient_name = '' or private.is_name(recipient_name, 200)),
  constraint vouchers_message_is_a_text check (private.is_text(message, 1000)),
  constraint vouchers_recipient_email_is_plausible check (private.is_email(recipient_email)),
  constraint vouchers_locale_is_supported check (private.is_locale(locale))
);

comment on table public.vouchers is 'A gift voucher: whoever knows its code can pay with its balance.';
comment on column public.vouchers.code is 'Twelve random characters of Crockford''s base 32, 60 bits, as ABCD-2345-WXYZ. Unique in the organization.';
comment on column public.vouchers.balance_cents is 'Minor units of currency: the sum of its entries, kept by their trigger only.';
comment on column public.vouchers.status is
  'active; blocked: it pays nothing while a dispute withholds the money that it was bought with; cancelled: it pays nothing any more.';
comment on column public.vouchers.valid_until is 'Last date on which it pays, included, by the venue''s clock; null: without an end.';
comment on column public.vouchers.recipient_email is 'Whom the code was mailed to, if anybody.';
comment on column public.vouchers.locale is 'Language of its mail: es, en or ca.';
comment on column public.vouchers.expired_at is
  'When its last date was found to be past, from which the ledger owes nothing by it; null: not, or a refund gave it a new one.';

-- for: private.sells_vouchers; those that are spent, in time most, are not in it
create index vouchers_usable_idx on public.vouchers (organization_id)
where status = 'active' and balance_cents > 0;
-- for: private.expire_vouchers; each is in it until its last date is past
create index vouchers_expiring_idx on public.vouchers (valid_until)
where status = 'active' and balance_cents > 0 and expired_at is null;

grant select on public.vouchers to authenticated;

alter table public.vouchers enable row level security;

create trigger vouchers_clean_names
before insert or update of recipient_name on public.vouchers
for each row execute function private.clean_texts('names', 'recipient_name');

create trigger vouchers_clean_notes
before insert or update of message on public.vouchers
for each row execute function private.clean_texts('notes', 'message');

create policy vouchers_select on public.vouchers
for select to authenticated
using (organization_id = (select private.organization_with('vouchers:read')));

create trigger vouchers_touch_updated_at
before update on public.vouchers
for each row execute function private.touch_updated_at();

create function private.voucher_code(typed text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  -- People mistake O for 0, and I and L for 1; Crockford's alphabet has neither letter.
  plain text := translate(private.plain_code(typed), 'OIL', '011');
begin
  return left(plain, 4) || '-' || substr(plain, 5, 4) || '-' || substr(plain, 9);
end
$$;

comment on function private.voucher_code is 'A voucher''s code as it is stored, however it was typed.';

create function private.sells_vouchers(organization_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.vouchers as v
    cross join private.dates_at_venues(sells_vouchers.organization_id) as today
    where v.organization_id = sells_vouchers.organization_id
      and v.status = 'active'
      and v.balance_cents > 0
      and (v.valid_until is null or v.valid_until >= today.earliest)
  );
end
$$;

comment on function private.sells_vouchers is 'Whether a visitor may have a voucher to pay with.';

create function private.voucher_usable(voucher public.vouchers)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when voucher.status <> 'active' then 0
    when voucher.valid_until < (private.dates_at_venues(voucher.organization_id)).earliest then 0
    else voucher.balance_cents
  end;
end
$$;

comment on function private.voucher_usable is 'What the voucher can pay now, in minor units.';

create function private.voucher_paid(voucher public.vouchers, booking_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(-sum(e.amount_cents), 0)::bigint
    from public.payments as p
    join public.voucher_entries as e on e.organization_id = p.organization_id and e.payment_id = p.id
    where p.organization_id = voucher.organization_id
      and p.booking_id = voucher_paid.booking_id
      and e.voucher_id = voucher.id
  );
end
$$;

comment on function private.voucher_paid is
  'What the voucher has paid of a booking and did not get back, in minor units.';

create function private.valid_voucher(organization_id uuid, code text, booking_id uuid default null)
returns public.vouchers
language plpgsql
stable
set search_path = ''
as $$
declare
  voucher public.vouchers;
begin
  select v.* into voucher
  from public.vouchers as v
  where v.organization_id = valid_voucher.organization_id and v.code = private.voucher_code(valid_voucher.code);
  if not found then
    perform private.fail('voucher_not_found', 422, 'Check the voucher''s code, or leave it out.');
  elsif private.voucher_paid(voucher, valid_voucher.booking_id) > 0 then
    return voucher;
  elsif voucher.status <> 'active' then
    perform private.fail('voucher_not_active', 422, 'Leave the voucher out: it was cancelled, or is blocked.');
  elsif voucher.valid_until < (private.dates_at_venues(voucher.organization_id)).earliest then
    perform private.fail('voucher_expired', 422, 'Leave the voucher out: its time is over.');
  elsif voucher.balance_cents = 0 then
    perform private.fail('voucher_empty', 422, 'Leave the voucher out: all of it was spent.');
  end if;
  return voucher;
end
$$;

comment on function private.valid_voucher is
  'The voucher with a code, if it can pay something; one that has paid a part of the named booking is taken in any case. Raises 422 voucher_not_found, voucher_not_active, voucher_expired, voucher_empty.';

create function private.new_voucher(voucher public.vouchers)
returns public.vouchers
language plpgsql
volatile
set search_path = ''
as $$
declare
  made public.vouchers;
begin
  loop
    insert into public.vouchers as v (
      organization_id, code, currency, valid_until, recipient_name, recipient_email, message, locale
    )
    values (
      voucher.organization_id, private.booking_reference() || '-' || left(private.booking_reference(), 4),
      voucher.currency, voucher.valid_until, voucher.recipient_name, voucher.recipient_email, voucher.message,
      voucher.locale
    )
    on conflict on constraint vouchers_code_key do nothing
    returning v.* into made;
    exit when found;
  end loop;
  return made;
end
$$;

comment on function private.new_voucher is 'Writes a voucher with a code that the organization has not used; nothing is on it yet.';

create function private.queue_voucher_mail(
  voucher public.vouchers, deliver_at timestamptz default null, released text default null
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'voucher_issued', 'organization_id', voucher.organization_id, 'voucher_id', voucher.id
    ) || jsonb_strip_nulls(jsonb_build_object('released', released)),
    concat_ws(':', 'voucher_issued', voucher.id, released),
    voucher.organization_id,
    greatest(now(), deliver_at)
  );
end
$$;

comment on function private.queue_voucher_mail is
  'Queues the mail that brings a voucher to its recipient, at once or at deliver_at: one mail, however often this is asked for, and one more for each release.';

create function private.issue_voucher(
  organization_id uuid,
  amount_cents bigint,
  idempotency_key text,
  valid_until date,
  recipient_name text,
  recipient_email text,
  message text,
  locale text
)
returns public.vouchers
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := issue_voucher.organization_id || ':issue_voucher';
  email text := nullif(private.typed_email(issue_voucher.recipient_email), '');
  field text;
  answer jsonb;
  voucher public.vouchers;
begin
  perform private.require_permission(issue_voucher.organization_id, 'vouchers:manage');
  answer := private.idempotent_begin(scope, issue_voucher.idempotency_key, jsonb_build_object(
    'amount_cents', issue_voucher.amount_cents, 'valid_until', issue_voucher.valid_until,
    'recipient_name', issue_voucher.recipient_name, 'recipient_email', issue_voucher.recipient_email,
    'message', issue_voucher.message, 'locale', issue_voucher.locale
  ));
  if answer is not null then
    return jsonb_populate_record(null::public.vouchers, answer);
  end if;

  field := case
    when amount_cents is null or amount_cents not between 1 and 100000000 then 'amount_cents'
    when amount_cents % (
      select private.amount_step(o.currency) from public.organizations as o where o.id = issue_voucher.organization_id
    ) <> 0 then 'amount_cents'
    when not isfinite(issue_voucher.valid_until)
      or issue_voucher.valid_until < (private.dates_at_venues(issue_voucher.organization_id)).earliest
      then 'valid_until'
    when recipient_name is null
      or private.clean_text(recipient_name) <> '' and not private.is_name(private.clean_text(recipient_name), 200)
      then 'recipient_name'
    when not private.is_email(email) then 'recipient_email'
    when message is null or length(private.clean_note(message)) > 1000 then 'message'
    when not private.is_locale(issue_voucher.locale) then 'locale'
  end;
  if field is not null then
    perform private.fail(
      'voucher_invalid', 422,
      'Give a positive amount in minor units, a last date that is not past, and a recipient who can be reached.',
      jsonb_build_object('field', field)
    );
  end if;

  select o.currency, coalesce(issue_voucher.locale, o.locale) into voucher.currency, voucher.locale
  from public.organizations as o
  where o.id = issue_voucher.organization_id;
  voucher.organization_id := issue_voucher.organization_id;
  voucher.valid_until := issue_voucher.valid_until;
  voucher.recipient_name := issue_voucher.recipient_name;
  voucher.recipient_email := email;
  voucher.message := issue_voucher.message;
  voucher := private.new_voucher(voucher);
  insert into public.voucher_entries (organization_id, voucher_id, kind, amount_cents)
  values (voucher.organization_id, voucher.id, 'issued', issue_voucher.amount_cents);
  if email is not null then
    perform private.queue_voucher_mail(voucher);
  end if;

  -- With the balance that its first entry made.
  select v.* into voucher
  from public.vouchers as v
  where v.organization_id = voucher.organization_id and v.id = voucher.id;
  perform private.idempotent_end(scope, issue_voucher.idempotency_key, to_jsonb(voucher));
  if email is not null then
    perform private.limit_mail(issue_voucher.organization_id, email, 'organization');
  end if;
  return voucher;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.issue_voucher is
  'definer: writes vouchers and their entries, which no client may write.';
grant execute on function private.issue_voucher to authenticated;

create function public.issue_voucher(
  organization_id uuid,
  amount_cents bigint,
  idempotency_key text,
  valid_until date default null,
  recipient_name text default '',
  recipient_email text default null,
  message text default '',
  locale text default null
)
returns public.vouchers
language sql
volatile
set search_path = ''
as $$
  select private.issue_voucher(
    organization_id, amount_cents, idempotency_key, valid_until, recipient_name, recipient_email, message, locale
  )
$$;

comment on function public.issue_voucher is
  'Issues a gift voucher of amount_cents (minor units of the organization''s currency) and returns its row with the code; valid_until: its last date by the venue''s clock, included; with recipient_email the code is mailed, in locale or the organization''s language. The same idempotency key and request give the same voucher. For members with vouchers:manage. Errors: 403 permission_denied, organization_suspended; 422 voucher_invalid (details {"field"}), idempotency_key_invalid, idempotency_key_reused; 429 mail_limit_reached (details {"limit", "maximum"}; without recipient_email there is no limit).';
grant execute on function public.issue_voucher to authenticated;

create function private.cancel_voucher(organization_id uuid, voucher_id uuid)
returns public.vouchers
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  voucher public.vouchers;
begin
  perform private.require_permission(cancel_voucher.organization_id, 'vouchers:manage');
  -- Its row is answered.
  perform private.require_permission(cancel_voucher.organization_id, 'vouchers:read');
  -- The row's lock: nobody pays with it between what is read here and the entry.
  select v.* into voucher
  from public.vouchers as v
  where v.organization_id = cancel_voucher.organization_id and v.id = cancel_voucher.voucher_id
  for no key update;
  if not found then
    perform private.fail('voucher_not_found', 404, 'Choose one of the organization''s vouchers.');
  elsif voucher.status = 'cancelled' then
    return voucher; -- asked again, as after a lost answer
  end if;
  if voucher.balance_cents > 0 then
    insert into public.voucher_entries (organization_id, voucher_id, kind, amount_cents)
    values (voucher.organization_id, voucher.id, 'cancelled', -voucher.balance_cents);
  end if;
  update public.vouchers as v
  set status = 'cancelled'
  where v.organization_id = voucher.organization_id and v.id = voucher.id
  returning v.* into voucher;
  return voucher;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.cancel_voucher is
  'definer: writes vouchers and their entries, which no client may write.';
grant execute on function private.cancel_voucher to authenticated;

create function public.cancel_voucher(organization_id uuid, voucher_id uuid)
returns public.vouchers
language sql
volatile
set search_path = ''
as $$ select private.cancel_voucher(organization_id, voucher_id) $$;

comment on function public.cancel_voucher is
  'Cancels a voucher with all that is left on it and returns its row; what it has paid stays paid; again, the same. For members with vouchers:manage and vouchers:read. Errors: 403 permission_denied, organization_suspended; 404 voucher_not_found.';
grant execute on function public.cancel_voucher to authenticated;
