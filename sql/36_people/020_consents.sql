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
  'Append-only: a change of mind is a further row, and the latest of a kind counts. Anybody can type somebody''s address: a consent is worth as much as its booking.';
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
  end if;
  raise exception '% is append-only', tg_table_name
    using errcode = 'restrict_violation', hint = 'Write a further entry: the latest counts.';
end
$$;

comment on function private.refuse_consent_change() is
  'Keeps consents as they were given, for their owner too; only merging two customers gives them to the other one, and only erasing a whole organization deletes them.';

create trigger customer_consents_refuse_change
before update or delete on public.customer_consents
for each row execute function private.refuse_consent_change();

create trigger customer_consents_refuse_truncate
before truncate on public.customer_consents
for each statement execute function private.refuse_consent_change();

create function private.record_consents(
  organization_id uuid,
  customer_id uuid,
  booking_id uuid,
  consents jsonb,
  locale text
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  field text;
begin
  if coalesce(consents, '[]') = '[]' then
    -- Nothing was said; an insert of no rows would still be told to the log.
    return;
  end if;
  field := case
    when jsonb_typeof(consents) <> 'array' then 'consents'
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

  insert into public.customer_consents (organization_id, customer_id, booking_id, kind, granted, wording, locale)
  select
    record_consents.organization_id, record_consents.customer_id, record_consents.booking_id,
    c ->> 'kind', (c ->> 'granted')::boolean, coalesce(private.clean_note(c ->> 'wording'), ''), record_consents.locale
  from jsonb_array_elements(coalesce(consents, '[]')) as c;
end
$$;

comment on function private.record_consents(uuid, uuid, uuid, jsonb, text) is
  'Keeps what a customer said, [{kind, granted, wording}], as of now. The caller holds the customer, as private.customer_with_email does. Raises 422 consents_invalid, details {"field"}.';

create function private.latest_consents(organization_id uuid, customer_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(
      jsonb_object_agg(
        latest.kind,
        jsonb_build_object(
          'granted', latest.granted, 'at', latest.occurred_at, 'wording', latest.wording, 'locale', latest.locale
        )
      ),
      '{}'
    )
    from (
      select distinct on (c.kind) c.*
      from public.customer_consents as c
      where c.organization_id = latest_consents.organization_id and c.customer_id = latest_consents.customer_id
      order by c.kind, c.occurred_at desc, c.id desc
    ) as latest
  );
end
$$;

comment on function private.latest_consents(uuid, uuid) is
  'What a customer agrees to now, by kind: {kind: {granted, at, wording, locale}}; a kind that was never spoken of is not there.';

create function private.withdraw_consent(reference text, manage_token text, kind text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(withdraw_consent.reference, withdraw_consent.manage_token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  if coalesce(withdraw_consent.kind, '') not in ('marketing', 'privacy') then
    perform private.fail('consent_kind_invalid', 422, 'Withdraw marketing or privacy; who does not accept the terms cancels the booking.');
  end if;
  -- Under the booking's lock its customer stays the same.
  booking := private.locked_booking(booking.organization_id, booking.id);
  perform private.act_as('customer', booking.customer_id);
  if (private.latest_consents(booking.organization_id, booking.customer_id) #> array[withdraw_consent.kind, 'granted'])::boolean
  then
    perform private.record_consents(
      booking.organization_id, booking.customer_id, booking.id,
      jsonb_build_array(jsonb_build_object('kind', withdraw_consent.kind, 'granted', false)),
      booking.locale
    );
  end if;
  return private.latest_consents(booking.organization_id, booking.customer_id);
end
$$;

comment on function private.withdraw_consent(text, text, text) is
  'definer: writes consents for whoever holds a manage token of the customer''s.';
grant execute on function private.withdraw_consent(text, text, text) to anon, authenticated;

create function public.withdraw_consent(reference text, manage_token text, kind text)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.withdraw_consent(reference, manage_token, kind) $$;

comment on function public.withdraw_consent(text, text, text) is
  'Takes back what the customer of a booking agreed to (kind: marketing or privacy), from now on; withdrawing again changes nothing. Returns what the customer agrees to now, {kind: {granted, at, wording, locale}}. For anybody with the booking''s link. Errors: 404 booking_not_found; 422 consent_kind_invalid; 429 rate_limited.';
grant execute on function public.withdraw_consent(text, text, text) to anon, authenticated;
