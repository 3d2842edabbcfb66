-- Consents: what a customer agreed to or took back, when, and to which wording.

create table public.customer_consents (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  customer_id uuid not null,
  booking_id uuid,
  kind text not null,
  granted boolean not null,
  wording text not null default '',
  locale text not null,
  occurred_at timestamptz not null default clock_timestamp(),
  counts_from timestamptz default now(),
  constraint customer_consents_pkey primary key (organization_id, id),
  constraint customer_consents_customer_fkey foreign key (organization_id, customer_id)
  references public.customers (organization_id, id) on delete restrict,
  constraint customer_consents_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete restrict,
  constraint customer_consents_kind_is_known check (kind in ('terms', 'marketing', 'privacy')),
  constraint customer_consents_wording_is_kept_when_granted check (
    private.is_text(wording, 20000) and (not granted or wording <> '')
  ),
  constraint customer_consents_locale_is_supported check (private.is_locale(locale))
);

comment on table public.customer_consents is
  'Append-only: a change of mind is a further row, and the latest of a kind counts. Anybody can type somebody''s address: what was said with a booking counts once that is vouched for (private.booking_is_vouched).';
comment on column public.customer_consents.counts_from is
  'Since when it counts; null: not yet, and perhaps never, since nobody vouches for its booking.';
comment on column public.customer_consents.booking_id is 'The booking with which, or through whose link, it was said; null: otherwise.';
comment on column public.customer_consents.kind is 'terms (of the calendar), marketing, privacy.';
comment on column public.customer_consents.wording is 'The text that the customer saw.';

-- for: the latest consent of a kind, and the foreign key
create index customer_consents_customer_id_idx on public.customer_consents (
  organization_id, customer_id, kind, occurred_at desc
);
-- for: the foreign key, and the consents given with a booking
create index customer_consents_booking_id_idx on public.customer_consents (organization_id, booking_id);

grant select on public.customer_consents to authenticated;

alter table public.customer_consents enable row level security;

create policy customer_consents_select on public.customer_consents
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create function private.refuse_consent_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' and old.organization_id::text = current_setting('escapemaster.erasing', true) then
    return old;
  elsif tg_op = 'UPDATE'
    -- Two customers become one: what was said stays as it was.
    and old.organization_id::text = current_setting('escapemaster.merging', true)
    and to_jsonb(new) - 'customer_id' = to_jsonb(old) - 'customer_id'
  then
    return new;
  elsif tg_op = 'UPDATE'
    and old.counts_from is null and new.counts_from is not null
    and to_jsonb(new) - 'counts_from' = to_jsonb(old) - 'counts_from'
  then
    return new;
  end if;
  raise exception '% is append-only', tg_table_name
    using errcode = 'restrict_violation', hint = 'Write a further entry: the latest counts.';
end
$$;

comment on function private.refuse_consent_change is
  'Keeps consents as they were given, for their owner too; only merging two customers gives them to the other one, a booking that is vouched for lets its own count, and only erasing a whole organization deletes them.';

create trigger customer_consents_refuse_change
before update or delete on public.customer_consents
for each row execute function private.refuse_consent_change();

create trigger customer_consents_refuse_truncate
before truncate on public.customer_consents
for each statement execute function private.refuse_consent_change();

create function private.check_consents(consents jsonb)
returns void
language plpgsql
immutable
set search_path = ''
as $$
declare
  field text;
begin
  field := case
    when jsonb_typeof(consents) <> 'array' then 'consents'
    -- There are three kinds; a longer list is not looked at.
    when jsonb_array_length(consents) > 3 then 'kind'
    when exists (select from jsonb_array_elements(consents) as c where jsonb_typeof(c) <> 'object') then 'consents'
    when exists (
      select from jsonb_array_elements(consents) as c
      where coalesce(c ->> 'kind', '') not in ('terms', 'marketing', 'privacy')
    ) or (select count(*) <> count(distinct c ->> 'kind') from jsonb_array_elements(consents) as c) then 'kind'
    when exists (
      select from jsonb_array_elements(consents) as c
      where coalesce(jsonb_typeof(c -> 'granted'), 'null') <> 'boolean'
    ) then 'granted'
    when exists (
      select from jsonb_array_elements(consents) as c
      where coalesce(jsonb_typeof(c -> 'wording'), 'null') not in ('string', 'null')
        or length(private.clean_note(c ->> 'wording')) > 20000
        or ((c ->> 'granted')::boolean and coalesce(private.clean_note(c ->> 'wording'), '') = '')
    ) then 'wording'
  end;
  if field is not null then
    perform private.fail(
      'consents_invalid', 422,
      'Give at most one consent of each kind (terms, marketing, privacy), with granted (true or false) and the wording that was shown, at most 20000 characters.',
      jsonb_build_object('field', field)
    );
  end if;
end
$$;

comment on function private.check_consents is
  'Raises 422 consents_invalid, details {"field"}, unless this is a list of what somebody said, [{kind, granted, wording}].';

create function private.record_consents(
  organization_id uuid,
  customer_id uuid,
  booking_id uuid,
  consents jsonb,
  locale text,
  counts boolean,
  said_at timestamptz default null
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if coalesce(consents, '[]') = '[]' then
    -- Nothing was said; an insert of no rows would still be told to the log.
    return;
  end if;
  perform private.check_consents(consents);
  insert into public.customer_consents (
    organization_id, customer_id, booking_id, kind, granted, wording, locale, occurred_at, counts_from
  )
  select
    record_consents.organization_id, record_consents.customer_id, record_consents.booking_id,
    c ->> 'kind', (c ->> 'granted')::boolean, coalesce(private.clean_note(c ->> 'wording'), ''), record_consents.locale,
    coalesce(record_consents.said_at, clock_timestamp()), case when record_consents.counts then now() end
  from jsonb_array_elements(coalesce(consents, '[]')) as c;
end
$$;

comment on function private.record_consents is
  'Keeps what a customer said, [{kind, granted, wording}], then or (null) now, and whether it counts at once. The caller holds the customer, as private.customer_with_email does. Raises 422 consents_invalid, details {"field"}.';

create function private.count_consents(organization_id uuid, booking_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update public.customer_consents as c
  set counts_from = now()
  where c.organization_id = count_consents.organization_id
    and c.booking_id = count_consents.booking_id
    and c.counts_from is null;
end
$$;

comment on function private.count_consents is 'Lets what was said with a booking count from now on.';

create function private.hear_payer()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings;
begin
  select b.* into booking
  from public.bookings as b
  where b.organization_id = new.organization_id and b.id = new.booking_id;
  -- What is not confirmed yet is heard when it is.
  perform private.hear_customer(booking);
  return null;
end
$$;

comment on function private.hear_payer is 'Of a booking that was confirmed unpaid: its first payment vouches for it.';

create type public.consent as (
  granted boolean,
  at timestamptz,
  wording text,
  locale text
);

comment on type public.consent is 'What somebody said last about one thing.';
comment on column public.consent.granted is 'Whether it was agreed to, and not taken back since.';
comment on column public.consent.at is 'When it was said.';
comment on column public.consent.wording is 'The text that the customer saw; empty where it was taken back.';
comment on column public.consent.locale is 'Of the wording; one of: es, en, ca';

create type public.consents as (
  terms public.consent,
  privacy public.consent,
  marketing public.consent
);

comment on type public.consents is 'What a customer agrees to, by kind.';
comment on column public.consents.terms is 'Of the calendar''s terms; null: never spoken of.';
comment on column public.consents.privacy is 'null: never spoken of.';
comment on column public.consents.marketing is 'null: never spoken of.';

create function private.latest_consents(organization_id uuid, customer_id uuid, booking_id uuid default null)
returns public.consents
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      (array_agg(latest.consent) filter (where latest.kind = 'terms'))[1],
      (array_agg(latest.consent) filter (where latest.kind = 'privacy'))[1],
      (array_agg(latest.consent) filter (where latest.kind = 'marketing'))[1]
    )::public.consents
    from (
      select distinct on (c.kind)
        c.kind, row(c.granted, c.occurred_at, c.wording, c.locale)::public.consent as consent
      from public.customer_consents as c
      where c.organization_id = latest_consents.organization_id
        and c.customer_id = latest_consents.customer_id
        and case
          when latest_consents.booking_id is null then c.counts_from is not null
          else c.booking_id = latest_consents.booking_id
        end
      order by c.kind, c.occurred_at desc, c.id desc
    ) as latest
  );
end
$$;

comment on function private.latest_consents is
  'What a customer agrees to now, by kind, from what counts; with a booking, what was said with that one alone, whether it counts or not.';

create function private.withdraw_consent(reference text, manage_token text, kind text)
returns public.consents
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(withdraw_consent.reference, withdraw_consent.manage_token);
  counts boolean;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  if coalesce(withdraw_consent.kind, '') not in ('marketing', 'privacy') then
    perform private.fail('consent_kind_invalid', 422, 'Withdraw marketing or privacy; who does not accept the terms cancels the booking.');
  end if;
  -- Under the booking's lock its customer stays the same.
  booking := private.locked_booking(booking.organization_id, booking.id);
  perform private.act_as('customer', booking.customer_id);
  -- Whose word counts can take back all of the customer's.
  counts := private.booking_is_vouched(booking);
  if (to_jsonb(private.latest_consents(booking.organization_id, booking.customer_id, booking.id))
    #> array[withdraw_consent.kind, 'granted'])::boolean
    or counts and (to_jsonb(private.latest_consents(booking.organization_id, booking.customer_id))
      #> array[withdraw_consent.kind, 'granted'])::boolean
  then
    perform private.record_consents(
      booking.organization_id, booking.customer_id, booking.id,
      jsonb_build_array(jsonb_build_object('kind', withdraw_consent.kind, 'granted', false)),
      booking.locale, counts
    );
  end if;
  return private.latest_consents(booking.organization_id, booking.customer_id, booking.id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.withdraw_consent is
  'definer: writes consents for whoever holds a manage token of the customer''s.';
grant execute on function private.withdraw_consent to anon, authenticated;

create function public.withdraw_consent(reference text, manage_token text, kind text)
returns public.consents
language sql
volatile
set search_path = ''
as $$ select private.withdraw_consent(reference, manage_token, kind) $$;

comment on function public.withdraw_consent is
  'Takes back what the customer of a booking agreed to (kind: marketing or privacy), from now on; withdrawing again changes nothing. Of a booking that nobody vouches for (an unpaid hold) it takes back what was said with that booking. Answers what was said with this booking and holds now: nothing of the customer''s other bookings. For anybody with the booking''s link. Errors: 404 booking_not_found; 422 consent_kind_invalid; 429 rate_limited.';
grant execute on function public.withdraw_consent to anon, authenticated;

create trigger hear_payer
after insert on public.payments
for each row execute function private.hear_payer();
