-- The waiting list: who wants a place that is not there, and what became of it.
--
-- An entry waits for the first place that its calendar sells in a room (or any of its rooms)
-- between two dates and that is large enough. It gets that place held, once:
--   waiting   in the queue, in order of joining;
--   offered   a place is held for it, and a mail says until when;
--   booked    it took the place;
--   lapsed    it let the time go by: done, so that nobody who does not answer stands in the
--             others' way twice. Who still wants a place joins again;
--   declined  it gave the place back: done;
--   left, removed, expired (its dates are over): done.
-- Only an offer of which the mail had not left when it ended goes back to waiting.

create table public.waitlist_entries (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  calendar_id uuid not null,
  room_id uuid,
  from_date date not null,
  to_date date not null,
  starts_at timestamptz,
  waits_until timestamptz not null,
  party_size int not null,
  customer_id uuid not null,
  contact_name text not null,
  contact_phone text,
  locale text not null,
  fields jsonb not null default '{}',
  consents jsonb not null default '[]',
  status text not null default 'waiting',
  booking_id uuid,
  offered_at timestamptz,
  looked_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint waitlist_entries_pkey primary key (organization_id, id),
  constraint waitlist_entries_calendar_fkey foreign key (organization_id, calendar_id)
  references public.calendars (organization_id, id) on delete cascade,
  constraint waitlist_entries_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint waitlist_entries_customer_fkey foreign key (organization_id, customer_id)
  references public.customers (organization_id, id) on delete cascade,
  constraint waitlist_entries_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id),
  constraint waitlist_entries_dates_are_ordered check (
    from_date <= to_date and isfinite(from_date) and isfinite(to_date)
  ),
  constraint waitlist_entries_party_is_positive check (party_size > 0),
  constraint waitlist_entries_contact_name_is_a_name check (private.is_name(contact_name, 200)),
  constraint waitlist_entries_contact_phone_can_be_called check (private.is_phone(contact_phone)),
  constraint waitlist_entries_locale_is_supported check (private.is_locale(locale)),
  constraint waitlist_entries_fields_are_an_object check (jsonb_typeof(fields) = 'object'),
  constraint waitlist_entries_consents_are_a_list check (jsonb_typeof(consents) = 'array'),
  constraint waitlist_entries_status_is_known check (
    status in ('waiting', 'offered', 'booked', 'lapsed', 'declined', 'left', 'removed', 'expired')
  ),
  constraint waitlist_entries_offer_names_its_booking check (
    case status
      when 'waiting' then booking_id is null
      when 'offered' then booking_id is not null
      when 'booked' then booking_id is not null
      else true
    end
    and (booking_id is null) = (offered_at is null)
  )
);

comment on table public.waitlist_entries is
  'Who waits for a place, in the order of created_at, and which one was offered. An entry gets one offer.';
comment on column public.waitlist_entries.room_id is 'The room that is wanted; null: any that the calendar sells.';
comment on column public.waitlist_entries.from_date is 'First local date that would do.';
comment on column public.waitlist_entries.to_date is 'Last local date that would do.';
comment on column public.waitlist_entries.starts_at is 'The one start that would do; null: any on those dates.';
comment on column public.waitlist_entries.waits_until is
  'The end of to_date on the clock of the rooms, the last one''s if they differ; starts_at, where only that would do.';
comment on column public.waitlist_entries.contact_name is 'The name given with this entry.';
comment on column public.waitlist_entries.contact_phone is 'The phone given with this entry, for the booking.';
comment on column public.waitlist_entries.locale is 'Language in which the party is written to: es, en or ca.';
comment on column public.waitlist_entries.fields is 'Answers to the calendar''s own questions, for the booking.';
comment on column public.waitlist_entries.consents is 'What was agreed to with the entry: [{"kind", "granted", "wording"}], for the booking.';
comment on column public.waitlist_entries.status is
  'waiting, offered, booked; over without a booking: lapsed (no answer in time), declined, left, removed (by the venue), expired (the dates are over).';
comment on column public.waitlist_entries.booking_id is 'The place that was offered: a held booking until it is taken.';
comment on column public.waitlist_entries.offered_at is 'When it was offered.';
comment on column public.waitlist_entries.looked_at is 'When a place was last looked for that nobody handed on (private.sweep_waitlist).';

-- for: who waits in a venue, in order (private.hand_on_freed_place)
create index waitlist_entries_waiting_idx on public.waitlist_entries (organization_id, created_at, id)
where status = 'waiting';
-- for: whom to look for next (private.sweep_waitlist)
create index waitlist_entries_looked_at_idx on public.waitlist_entries (looked_at) where status = 'waiting';
-- for: whose dates are over (private.sweep_waitlist)
create index waitlist_entries_waits_until_idx on public.waitlist_entries (waits_until) where status = 'waiting';
-- for: the live entries of a customer, and the foreign key
create index waitlist_entries_customer_id_idx on public.waitlist_entries (organization_id, customer_id);
-- for: the entry of an offered booking (private.follow_waitlist_offer), and the foreign key
create index waitlist_entries_booking_id_idx on public.waitlist_entries (organization_id, booking_id);
-- for: the foreign key, when a calendar is deleted
create index waitlist_entries_calendar_id_idx on public.waitlist_entries (organization_id, calendar_id);
-- for: the foreign key, when a room is deleted
create index waitlist_entries_room_id_idx on public.waitlist_entries (organization_id, room_id);

insert into private.personal_columns (relation, column_name, erased)
values
('public.waitlist_entries', 'contact_name', '"Erased"'),
('public.waitlist_entries', 'contact_phone', 'null'),
('public.waitlist_entries', 'fields', '{}'),
('public.waitlist_entries', 'consents', '[]')
on conflict (relation, column_name) do update
set erased = excluded.erased;

grant select on public.waitlist_entries to authenticated;

alter table public.waitlist_entries enable row level security;

create policy waitlist_entries_select on public.waitlist_entries
for select to authenticated
using (organization_id = (select private.organization_with('waitlist:read')));

create trigger waitlist_entries_touch_updated_at
before update on public.waitlist_entries
for each row when (new.looked_at = old.looked_at)
execute function private.touch_updated_at();

create table private.waitlist_secrets (
  organization_id uuid not null,
  entry_id uuid not null,
  token_hash bytea not null,
  constraint waitlist_secrets_pkey primary key (organization_id, entry_id),
  constraint waitlist_secrets_token_hash_key unique (token_hash),
  constraint waitlist_secrets_entry_fkey foreign key (organization_id, entry_id)
  references public.waitlist_entries (organization_id, id) on delete cascade,
  constraint waitlist_secrets_token_hash_is_sha256 check (length(token_hash) = 32)
);

comment on table private.waitlist_secrets is
  'Hash of the token with which somebody leaves the waiting list. Found by hash on the whole platform: the token is all that they bring.';

create function private.follow_waitlist_offer()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  became text := case new.status when 'expired' then 'lapsed' when 'cancelled' then 'declined' else 'booked' end;
begin
  -- Most bookings come from no waiting list, and an update of no row calls its triggers all the same.
  if not exists (
    select from public.waitlist_entries as e
    where e.organization_id = new.organization_id and e.booking_id = new.id
  ) then
    return null;
  end if;
  -- Nobody can answer a mail that did not leave: the worker or the provider was away. Its job
  -- sends nothing any more, since the offer is over.
  if became = 'lapsed' and exists (
    select from private.jobs as j
    where j.kind = 'email.send'
      and j.dedupe_key = 'waitlist_offer:' || new.id
      and j.status in ('queued', 'running')
  ) then
    became := 'waiting';
  end if;
  update public.waitlist_entries as e
  set status = became,
    booking_id = case when became <> 'waiting' then e.booking_id end,
    offered_at = case when became <> 'waiting' then e.offered_at end
  where e.organization_id = new.organization_id
    and e.booking_id = new.id
    and (e.status = 'offered' or (became = 'booked' and e.status in ('lapsed', 'declined')));
  return null;
end
$$;

comment on function private.follow_waitlist_offer is
  'The entry of an offered place goes with its booking: booked, lapsed or declined. Its row is locked after the session''s and the booking''s.';

create trigger follow_waitlist_offer
after update of status on public.bookings
for each row when (old.status in ('held', 'expired', 'cancelled') and new.status <> old.status)
execute function private.follow_waitlist_offer();
