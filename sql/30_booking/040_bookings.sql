-- Bookings: seats of a session, what they cost, and how far the visit has come.

create function private.is_status_reason(reason text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return reason in (
    'written',
    'nothing_due', 'paid', 'paid_late', 'confirmed_by_email', 'reclaimed',
    'hold_lapsed', 'payment_overdue', 'nobody_said_otherwise',
    'cancelled_by_customer', 'changed_by_customer', 'waitlist_left', 'waitlist_removed', 'merged'
  );
end
$$;

comment on function private.is_status_reason is
  'Whether it is one of the product''s own reasons for a booking''s status or change, so that no words of a person stand there. written: somebody wrote why, in booking_reasons.';
grant execute on function private.is_status_reason to authenticated;

-- Several bookings that one party made at once, with one contact, one quote, one payment and one link. All of them
-- were made, or none; afterwards each is a booking like every other, with its own terms, money and history.
create table public.booking_orders (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  reference text not null,
  currency text not null,
  source text not null,
  created_at timestamptz not null default now(),
  constraint booking_orders_pkey primary key (organization_id, id),
  constraint booking_orders_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint booking_orders_reference_key unique (organization_id, reference),
  constraint booking_orders_reference_is_crockford_base32 check (
    reference ~ '^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$'
  ),
  constraint booking_orders_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint booking_orders_source_is_known check (source in ('widget', 'direct', 'marketplace', 'api'))
);

comment on table public.booking_orders is
  'Several bookings that were made at once, or none of them: bookings.order_id. Whom it is for, its money and its state are those of its bookings.';
comment on column public.booking_orders.reference is 'What people read to each other, as that of a booking; a booking may have the same.';
comment on column public.booking_orders.currency is 'ISO 4217, of all its bookings.';
comment on column public.booking_orders.source is 'Where it was made: widget, direct (by staff), marketplace, api.';

-- for: the staff's page of orders, newest first
create index booking_orders_created_at_idx on public.booking_orders (organization_id, created_at desc, id desc);

grant select on public.booking_orders to authenticated;

alter table public.booking_orders enable row level security;

create policy booking_orders_select on public.booking_orders
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create table public.bookings (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  reference text not null,
  session_id uuid not null,
  room_id uuid not null,
  starts_at timestamptz not null,
  customer_id uuid not null,
  calendar_id uuid,
  status text not null,
  status_reason text,
  takes_capacity boolean not null generated always as (status not in ('expired', 'cancelled')) stored,
  party_size int not null,
  exclusive boolean not null default false,
  seats int not null,
  currency text not null,
  total_cents bigint not null,
  tax_cents bigint not null,
  due_now_cents bigint not null,
  terms jsonb,
  cancel_refund text,
  hold_expires_at timestamptz,
  hold_extended_at timestamptz,
  locale text not null,
  source text not null default 'widget',
  staff_note text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  order_id uuid,
  merged_into_id uuid,
  constraint bookings_pkey primary key (organization_id, id),
  constraint bookings_reference_key unique (organization_id, reference),
  -- Room and start are the session's: one that moves takes its bookings along.
  constraint bookings_session_fkey foreign key (organization_id, session_id, room_id, starts_at)
  references public.sessions (organization_id, id, room_id, starts_at) on update cascade on delete restrict,
  constraint bookings_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete restrict,
  constraint bookings_customer_fkey foreign key (organization_id, customer_id)
  references public.customers (organization_id, id) on delete restrict,
  constraint bookings_calendar_fkey foreign key (organization_id, calendar_id)
  references public.calendars (organization_id, id) on delete set null (calendar_id),
  constraint bookings_order_fkey foreign key (organization_id, order_id)
  references public.booking_orders (organization_id, id) on delete restrict,
  constraint bookings_merged_into_fkey foreign key (organization_id, merged_into_id)
  references public.bookings (organization_id, id),
  constraint bookings_reference_is_crockford_base32 check (
    reference ~ '^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$'
  ),
  constraint bookings_status_is_known check (
    status in (
      'held', 'pending', 'confirmed', 'checked_in', 'in_progress', 'completed', 'no_show', 'expired', 'cancelled'
    )
  ),
  constraint bookings_hold_expires_until_confirmed check (
    (status in ('held', 'pending')) = (hold_expires_at is not null)
  ),
  constraint bookings_party_is_positive check (party_size > 0),
  constraint bookings_seats_hold_the_party check (seats >= party_size),
  constraint bookings_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint bookings_amounts_add_up check (
    0 <= tax_cents and tax_cents <= total_cents and 0 <= due_now_cents and due_now_cents <= total_cents
  ),
  constraint bookings_terms_are_an_object check (jsonb_typeof(terms) = 'object'),
  constraint bookings_cancel_refund_is_known check (cancel_refund in ('full', 'terms', 'none')),
  constraint bookings_locale_is_supported check (private.is_locale(locale)),
  constraint bookings_source_is_known check (source in ('widget', 'direct', 'marketplace', 'api')),
  constraint bookings_merged_are_cancelled check (
    merged_into_id is null or status = 'cancelled' and merged_into_id <> id
  ),
  constraint bookings_status_reason_is_known check (private.is_status_reason(status_reason)),
  constraint bookings_staff_note_is_a_text check (private.is_text(staff_note, 5000))
);

comment on table public.bookings is 'Seats of a session for one party. Its status moves only along private.booking_transitions.';
comment on column public.bookings.reference is 'What people read to each other: eight characters of Crockford''s base 32, as ABCD-2345. Unique in the organization.';
comment on column public.bookings.starts_at is 'The session''s start, kept equal by the foreign key, so that a page in order of time reads one index.';
comment on column public.bookings.status is 'held, pending, confirmed, checked_in, in_progress, completed; expired, cancelled, no_show.';
comment on column public.bookings.status_reason is 'Why the booking is in its status, a code of the product''s: private.is_status_reason. written: see booking_reasons.';
comment on column public.bookings.takes_capacity is 'Whether its seats are taken: unless expired or cancelled.';
comment on column public.bookings.exclusive is 'Whether the party has a shared room for itself.';
comment on column public.bookings.seats is 'Seats that it takes of its session: the party''s, or all of them when exclusive.';
comment on column public.bookings.staff_note is
  'For the staff only, game masters among them: what they should know to run the game. What is not for them belongs to customers.staff_note.';
comment on column public.bookings.total_cents is 'Minor units of currency, tax included.';
comment on column public.bookings.tax_cents is 'Tax contained in total_cents.';
comment on column public.bookings.due_now_cents is 'What must be paid for the booking to be confirmed.';
comment on column public.bookings.terms is
  'What was agreed about cancelling, when it was booked or its customer moved it: public.cancellation_terms. Null for bookings from before terms were kept: the room''s present ones.';
comment on column public.bookings.cancel_refund is
  'Of a cancelled booking, what goes back of the money: full (the venue cancelled), terms (as agreed, when the customer cancels or asks the venue to), or none. Null: it was not cancelled, or before this was kept.';
comment on column public.bookings.hold_expires_at is 'Until when a booking that is not confirmed keeps its seats; while held or pending, and only then. Once it is past, the seats count as free, whether or not somebody has reaped them.';
comment on column public.bookings.hold_extended_at is 'When a payment extended the hold; that happens once.';
comment on column public.bookings.locale is 'Language in which the party is written to: es, en or ca.';
comment on column public.bookings.merged_into_id is
  'Of a booking that merge_bookings made part of another, that other one, which has its people, its money and its price, and is not merged itself; null: it was not.';
comment on column public.bookings.source is 'Where it was made: widget, direct (by staff), marketplace, api.';
comment on column public.bookings.order_id is 'The order with which it was made; null: it was made alone.';

-- for: the staff's page: organization_id = ? order by starts_at limit ?
create index bookings_starts_at_idx on public.bookings (organization_id, starts_at);
-- for: the bookings of a session, and the foreign key
create index bookings_session_id_idx on public.bookings (organization_id, session_id, room_id, starts_at);
-- for: the bookings of a room in order of time, and the foreign key
create index bookings_room_id_idx on public.bookings (organization_id, room_id, starts_at);
-- for: a customer's bookings, and the foreign key
create index bookings_customer_id_idx on public.bookings (organization_id, customer_id);
-- for: the foreign key, when a calendar is deleted
create index bookings_calendar_id_idx on public.bookings (organization_id, calendar_id);
-- for: the bookings of an order, and the foreign key
create index bookings_order_id_idx on public.bookings (organization_id, order_id) where order_id is not null;
-- for: the lapsed holds of a session (availability and claims), and of all, which are few (sweep)
create index bookings_holds_idx on public.bookings (organization_id, session_id, hold_expires_at)
where hold_expires_at is not null;
-- for: what was merged into a booking, and the foreign key
create index bookings_merged_into_id_idx on public.bookings (organization_id, merged_into_id)
where merged_into_id is not null;
-- for: private.end_past_visits, where what is to come is not read, since it starts later; and
-- private.due_messages, which looks at the starts of a moment
create index bookings_visits_idx on public.bookings (starts_at)
where status in ('pending', 'confirmed', 'checked_in', 'in_progress');

grant select on public.bookings to authenticated;
grant update (staff_note) on public.bookings to authenticated;

alter table public.bookings enable row level security;

create trigger bookings_clean_notes
before insert or update of staff_note on public.bookings
for each row execute function private.clean_texts('notes', 'staff_note');

create policy bookings_select on public.bookings
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create policy bookings_update on public.bookings
for update to authenticated
using (organization_id = (select private.organization_with('bookings:update')))
with check (organization_id = (select private.organization_with('bookings:update')));

create trigger bookings_touch_updated_at
before update on public.bookings
for each row execute function private.touch_updated_at();

-- What the party said of itself, apart from the booking: who runs the games reads the day without it.
create table public.booking_contacts (
  organization_id uuid not null,
  booking_id uuid not null,
  contact_name text not null,
  contact_phone text,
  customer_note text not null default '',
  fields jsonb not null default '{}',
  constraint booking_contacts_pkey primary key (organization_id, booking_id),
  constraint booking_contacts_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_contacts_contact_name_is_a_name check (private.is_name(contact_name, 200)),
  constraint booking_contacts_contact_phone_can_be_called check (private.is_phone(contact_phone)),
  constraint booking_contacts_customer_note_is_a_text check (private.is_text(customer_note, 2000)),
  constraint booking_contacts_fields_are_an_object check (jsonb_typeof(fields) = 'object')
);

comment on table public.booking_contacts is
  'The name, the note and the answers that came with a booking, one row each: select=…,booking_contacts(contact_name) of bookings gives null to whoever may not read customers.';
comment on column public.booking_contacts.contact_name is 'The name given with this booking: all that its manage token shows of the customer beside the address.';
comment on column public.booking_contacts.contact_phone is 'The phone given with this booking; where it is null, the customer''s.';
comment on column public.booking_contacts.customer_note is 'What the customer wrote with the booking.';
comment on column public.booking_contacts.fields is 'Answers to the calendar''s own questions, by key.';

-- for: private.found_by_words, as customers_search_idx
create index booking_contacts_search_idx on public.booking_contacts
using gin (organization_id, private.search_document(contact_name, null, contact_phone) extensions.gin_trgm_ops)
with (fastupdate = off);

grant select on public.booking_contacts to authenticated;

alter table public.booking_contacts enable row level security;

create policy booking_contacts_select on public.booking_contacts
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create trigger booking_contacts_clean_names
before insert or update of contact_name, contact_phone on public.booking_contacts
for each row execute function private.clean_texts('names', 'contact_name', 'contact_phone');

create trigger booking_contacts_clean_notes
before insert or update of customer_note on public.booking_contacts
for each row execute function private.clean_texts('notes', 'customer_note');

create table private.booking_secrets (
  organization_id uuid not null,
  booking_id uuid not null,
  manage_token_hash bytea not null,
  waiver_token_hash bytea not null,
  constraint booking_secrets_pkey primary key (organization_id, booking_id),
  constraint booking_secrets_manage_token_hash_key unique (manage_token_hash),
  constraint booking_secrets_waiver_token_hash_key unique (waiver_token_hash),
  constraint booking_secrets_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_secrets_hashes_are_sha256 check (length(manage_token_hash) = 32 and length(waiver_token_hash) = 32)
);

comment on table private.booking_secrets is 'Hashes of the tokens with which a customer manages a booking and its party signs the waiver. Found by hash on the whole platform: the token is all that they bring.';
comment on column private.booking_secrets.waiver_token_hash is 'Filled by the trigger waiver_token.';

create table public.booking_lines (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  position int not null,
  kind text not null,
  description text not null,
  quantity int not null,
  unit_cents bigint not null,
  total_cents bigint not null,
  tax_rate_bp int not null,
  tax_cents bigint not null,
  constraint booking_lines_pkey primary key (organization_id, id),
  -- Also the index for: the lines of a booking, and the foreign key.
  constraint booking_lines_position_key unique (organization_id, booking_id, position),
  constraint booking_lines_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_lines_kind_is_known check (kind in ('base', 'extra', 'discount', 'fee')),
  constraint booking_lines_total_is_quantity_times_unit check (total_cents = quantity * unit_cents),
  constraint booking_lines_tax_rate_is_a_share check (tax_rate_bp between 0 and 10000)
);

comment on table public.booking_lines is 'What a booking costs, line by line, as quoted when it was made. Amounts in minor units of the booking''s currency, tax included.';
comment on column public.booking_lines.kind is 'base (the seats), extra, discount, voucher, fee.';
comment on column public.booking_lines.tax_rate_bp is 'Tax contained in the line, in basis points.';

grant select on public.booking_lines to authenticated;

alter table public.booking_lines enable row level security;

create policy booking_lines_select on public.booking_lines
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create function private.booking_reference()
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  bytes bytea := extensions.gen_random_bytes(8);
  reference text := '';
begin
  for n in 0..7 loop
    reference := reference || substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + (get_byte(bytes, n) & 31), 1);
  end loop;
  return left(reference, 4) || '-' || right(reference, 4);
end
$$;

comment on function private.booking_reference is 'A random reference of 40 bits, as ABCD-2345.';

create type public.cancellation_tier as (
  hours_before int,
  refund_percent int
);

comment on type public.cancellation_tier is 'What is given back when somebody cancels so many hours before the start, or earlier.';
comment on column public.cancellation_tier.hours_before is 'Hours before the start.';
comment on column public.cancellation_tier.refund_percent is 'Of what was paid, 0 to 100.';

create type public.cancellation_terms as (
  tiers public.cancellation_tier [],
  no_show_fee_percent int
);

comment on type public.cancellation_terms is 'What is agreed about cancelling.';
comment on column public.cancellation_terms.tiers is
  'Those with the most hours first; without tiers all goes back until the start.';
comment on column public.cancellation_terms.no_show_fee_percent is
  'What a party that does not come pays, 0 to 100 percent of the total.';

create function private.room_tiers(organization_id uuid, room_id uuid)
returns public.cancellation_tier []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(t.hours_before, t.refund_percent)::public.cancellation_tier
    from public.room_cancellation_tiers as t
    where t.organization_id = room_tiers.organization_id and t.room_id = room_tiers.room_id
    order by t.hours_before desc
  );
end
$$;

comment on function private.room_tiers is 'The present tiers of a room, those with the most hours first.';

create function private.room_terms(organization_id uuid, room_id uuid)
returns public.cancellation_terms
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(private.room_tiers(r.organization_id, r.id), r.no_show_fee_percent)::public.cancellation_terms
    from public.rooms as r
    where r.organization_id = room_terms.organization_id and r.id = room_terms.room_id
  );
end
$$;

comment on function private.room_terms is
  'What a booking of the room agrees to now. A booking keeps it, and may be moved by it: its customer changes it while cancelling would be refunded in full.';

create function private.booking_terms(booking public.bookings)
returns public.cancellation_terms
language plpgsql
stable
set search_path = ''
as $$
begin
  if booking.terms is null then
    return private.room_terms(booking.organization_id, booking.room_id);
  end if;
  return jsonb_populate_record(null::public.cancellation_terms, booking.terms);
end
$$;

comment on function private.booking_terms is
  'The terms that count for a booking, whatever its room''s are by now.';

create function private.insert_booking(booking public.bookings, contact public.booking_contacts)
returns public.bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  stored public.bookings;
begin
  loop
    insert into public.bookings (
      organization_id, reference, session_id, room_id, starts_at, customer_id, calendar_id, status, party_size,
      exclusive, seats, currency, total_cents, tax_cents, due_now_cents, terms, hold_expires_at, locale, source,
      staff_note, order_id
    )
    values (
      booking.organization_id, private.booking_reference(), booking.session_id, booking.room_id, booking.starts_at,
      booking.customer_id, booking.calendar_id, booking.status, booking.party_size,
      booking.exclusive, booking.seats, booking.currency, booking.total_cents, booking.tax_cents,
      booking.due_now_cents, booking.terms, booking.hold_expires_at, booking.locale, booking.source, booking.staff_note,
      booking.order_id
    )
    on conflict on constraint bookings_reference_key do nothing
    returning * into stored;
    exit when found;
  end loop;
  insert into public.booking_contacts (organization_id, booking_id, contact_name, contact_phone, customer_note, fields)
  values (
    stored.organization_id, stored.id, contact.contact_name, contact.contact_phone,
    coalesce(contact.customer_note, ''), coalesce(contact.fields, '{}')
  );
  insert into private.booking_secrets (organization_id, booking_id, manage_token_hash)
  values (
    stored.organization_id, stored.id, private.token_hash(private.derived_token('booking', stored.id::text))
  );
  return stored;
end
$$;

comment on function private.insert_booking is
  'Stores a booking for seats that were claimed, under a new id and reference, who the party is and the hash of its manage token. Of the contact the keys are not read.';
