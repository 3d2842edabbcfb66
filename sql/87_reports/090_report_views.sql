-- The views that a venue's own questions are about: what run_report may read, and nothing else.
--
-- Each is read with the rights of whoever asks, so the policies of its tables hold, and what somebody may not read is
-- null: names of customers without customers:read, rooms and clocks without rooms:read. PostgREST exposes the schema to
-- nobody, and a view has no system columns. Docs: docs/views.md, written from these comments.

create schema reports;

comment on schema reports is
  'What members'' own questions (run_report) may read: views with their reader''s rights. PostgREST exposes it to nobody.';
grant usage on schema reports to authenticated;

create view reports.locations with (security_invoker = true) as
select l.id, l.name, l.timezone, l.city, l.country
from public.locations as l;

comment on view reports.locations is 'Locations, of whoever holds rooms:read.';
comment on column reports.locations.id is 'The location.';
comment on column reports.locations.name is 'As the venue calls it.';
comment on column reports.locations.timezone is 'Its clock, an IANA zone.';
comment on column reports.locations.city is 'Empty: nobody has said.';
comment on column reports.locations.country is 'ISO 3166, two letters; null: nobody has said.';

create view reports.rooms with (security_invoker = true) as
select r.id, r.name, r.location_id, l.name as location, l.timezone, r.duration_minutes, r.is_published, r.is_archived
from public.rooms as r
left join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id;

comment on view reports.rooms is 'Rooms, hidden ones too, of whoever holds rooms:read.';
comment on column reports.rooms.id is 'The room.';
comment on column reports.rooms.name is 'As the venue calls it.';
comment on column reports.rooms.location_id is 'Where it is.';
comment on column reports.rooms.location is 'The location''s name.';
comment on column reports.rooms.timezone is 'The location''s clock, an IANA zone.';
comment on column reports.rooms.duration_minutes is 'How long a game lasts now.';
comment on column reports.rooms.is_published is 'Whether guests see it.';
comment on column reports.rooms.is_archived is 'Whether it is kept for its past only.';

create view reports.customers with (security_invoker = true) as
select c.id, c.full_name, c.email, c.phone, c.locale as language, c.created_at as added_at
from public.customers as c
where c.erased_at is null;

comment on view reports.customers is 'Customers that were not erased, of whoever holds customers:read.';
comment on column reports.customers.id is 'The customer.';
comment on column reports.customers.full_name is 'As they gave it last.';
comment on column reports.customers.email is 'Their address; null: none.';
comment on column reports.customers.phone is 'Null: none.';
comment on column reports.customers.language is 'es, en or ca.';
comment on column reports.customers.added_at is 'When, in UTC.';

create view reports.bookings with (security_invoker = true) as
select
  b.id,
  b.reference,
  b.status,
  b.source,
  b.created_at as booked_at,
  b.starts_at,
  b.starts_at at time zone l.timezone as visit_at,
  (b.starts_at at time zone l.timezone)::date as visit_date,
  l.timezone,
  b.session_id,
  b.room_id,
  r.name as room,
  r.location_id,
  l.name as location,
  b.customer_id,
  c.full_name as customer,
  c.email,
  b.party_size,
  b.locale as language,
  b.currency,
  b.total_cents,
  b.tax_cents
from public.bookings as b
left join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
left join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
left join public.customers as c
  on c.organization_id = b.organization_id and c.id = b.customer_id and c.erased_at is null;

comment on view reports.bookings is 'Bookings, holds and cancelled ones too, of whoever holds bookings:read.';
comment on column reports.bookings.id is 'The booking.';
comment on column reports.bookings.reference is 'As the customer knows it.';
comment on column reports.bookings.status is
  'held, pending, confirmed, checked_in, in_progress, completed, no_show, expired or cancelled.';
comment on column reports.bookings.source is 'Where it was made: widget, direct, marketplace or api.';
comment on column reports.bookings.booked_at is 'When it was made, in UTC.';
comment on column reports.bookings.starts_at is 'When the visit begins, in UTC: compare this one, it has an index.';
comment on column reports.bookings.visit_at is 'The same on the location''s clock; null without rooms:read.';
comment on column reports.bookings.visit_date is 'The day of the visit on the location''s clock; null without rooms:read.';
comment on column reports.bookings.timezone is 'The location''s clock; null without rooms:read.';
comment on column reports.bookings.session_id is 'The session in which it has its places.';
comment on column reports.bookings.room_id is 'The room in which it is now.';
comment on column reports.bookings.room is 'The room''s name; null without rooms:read.';
comment on column reports.bookings.location_id is 'Where that is; null without rooms:read.';
comment on column reports.bookings.location is 'The location''s name; null without rooms:read.';
comment on column reports.bookings.customer_id is 'Whose it is.';
comment on column reports.bookings.customer is 'The customer''s name; null without customers:read, and of those who were erased.';
comment on column reports.bookings.email is 'The customer''s address; null likewise.';
comment on column reports.bookings.party_size is 'People.';
comment on column reports.bookings.language is 'In which it was made: es, en or ca.';
comment on column reports.bookings.currency is 'ISO 4217.';
comment on column reports.bookings.total_cents is 'Its price, tax included, in minor units.';
comment on column reports.bookings.tax_cents is 'The tax in that.';

create view reports.booking_lines with (security_invoker = true) as
select
  n.booking_id, n.position, n.kind, n.description, n.quantity, n.unit_cents, n.total_cents, n.tax_rate_bp, n.tax_cents
from public.booking_lines as n;

comment on view reports.booking_lines is 'The lines of which prices of bookings are made, of whoever holds bookings:read.';
comment on column reports.booking_lines.booking_id is 'Of which booking.';
comment on column reports.booking_lines.position is 'Its place in the booking.';
comment on column reports.booking_lines.kind is 'base, extra, discount or fee.';
comment on column reports.booking_lines.description is 'As the customer saw it.';
comment on column reports.booking_lines.quantity is 'How many.';
comment on column reports.booking_lines.unit_cents is 'The price of one, in minor units of the booking''s currency.';
comment on column reports.booking_lines.total_cents is 'Quantity times unit.';
comment on column reports.booking_lines.tax_rate_bp is 'The tax rate in basis points.';
comment on column reports.booking_lines.tax_cents is 'The tax in the total.';

create view reports.sessions with (security_invoker = true) as
select
  s.id, s.room_id, r.name as room, s.starts_at, s.ends_at, s.starts_at at time zone l.timezone as local_start, s.mode,
  s.status, s.capacity, s.seats_taken
from public.sessions as s
left join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
left join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id;

comment on view reports.sessions is 'Sessions of rooms, blocks among them, of whoever holds bookings:read.';
comment on column reports.sessions.id is 'The session.';
comment on column reports.sessions.room_id is 'The room.';
comment on column reports.sessions.room is 'The room''s name; null without rooms:read.';
comment on column reports.sessions.starts_at is 'When it begins, in UTC.';
comment on column reports.sessions.ends_at is 'When the game ends, in UTC.';
comment on column reports.sessions.local_start is 'Its beginning on the location''s clock; null without rooms:read.';
comment on column reports.sessions.mode is 'private, shared, or block: nothing is sold.';
comment on column reports.sessions.status is 'scheduled or cancelled.';
comment on column reports.sessions.capacity is 'Seats that there are; 0 of a block.';
comment on column reports.sessions.seats_taken is 'Seats that bookings have.';

create view reports.payments with (security_invoker = true) as
select
  p.id, p.booking_id, p.method, p.amount_cents, p.currency, p.occurred_at, p.occurred_at at time zone l.timezone as paid_at,
  p.platform_fee_cents
from public.payments as p
left join public.bookings as b on b.organization_id = p.organization_id and b.id = p.booking_id
left join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
left join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id;

comment on view reports.payments is 'Payments of bookings, of whoever holds payments:read. What went back is in refunds.';
comment on column reports.payments.id is 'The payment.';
comment on column reports.payments.booking_id is 'Of which booking.';
comment on column reports.payments.method is 'stripe, cash, card_terminal, transfer, bizum or voucher.';
comment on column reports.payments.amount_cents is 'In minor units.';
comment on column reports.payments.currency is 'ISO 4217.';
comment on column reports.payments.occurred_at is 'When it was paid, in UTC.';
comment on column reports.payments.paid_at is 'The same on the location''s clock; null without bookings:read and rooms:read.';
comment on column reports.payments.platform_fee_cents is 'What of it the platform kept.';

create view reports.refunds with (security_invoker = true) as
select f.id, f.booking_id, f.payment_id, f.kind, f.method, f.amount_cents, f.currency, f.occurred_at
from public.refunds as f;

comment on view reports.refunds is 'What went back of payments, of whoever holds payments:read.';
comment on column reports.refunds.id is 'The refund.';
comment on column reports.refunds.booking_id is 'Of which booking.';
comment on column reports.refunds.payment_id is 'Of which payment.';
comment on column reports.refunds.kind is
  'refund; correction: the payment was none; reversal: the bank sent a refund back, and the amount is negative.';
comment on column reports.refunds.method is 'stripe, cash, card_terminal, transfer, bizum or voucher.';
comment on column reports.refunds.amount_cents is 'In minor units; it is taken off payments.';
comment on column reports.refunds.currency is 'ISO 4217.';
comment on column reports.refunds.occurred_at is 'When, in UTC.';

create view reports.results with (security_invoker = true) as
select
  g.booking_id, g.session_id, g.room_id, r.name as room, g.played_at, g.outcome, g.escape_seconds, g.duration_seconds,
  g.pauses, g.hints, g.team_name, g.level, g.language, g.is_by_hand
from public.game_results as g
left join public.rooms as r on r.organization_id = g.organization_id and r.id = g.room_id;

comment on view reports.results is 'Results of games, of whoever holds games:read.';
comment on column reports.results.booking_id is 'Of which booking.';
comment on column reports.results.session_id is 'In which session.';
comment on column reports.results.room_id is 'In which room.';
comment on column reports.results.room is 'The room''s name; null without rooms:read.';
comment on column reports.results.played_at is 'When, in UTC.';
comment on column reports.results.outcome is 'escaped, failed or aborted.';
comment on column reports.results.escape_seconds is 'Null unless they escaped.';
comment on column reports.results.duration_seconds is 'How long the game may last.';
comment on column reports.results.pauses is 'How many.';
comment on column reports.results.hints is 'How many.';
comment on column reports.results.team_name is 'Null: none.';
comment on column reports.results.level is 'easy, normal, hard or expert; null: not said.';
comment on column reports.results.language is 'Of the game, two letters; null: not said.';
comment on column reports.results.is_by_hand is 'Whether it was entered by hand.';

create view reports.waiting with (security_invoker = true) as
select
  w.id, w.room_id, w.from_date, w.to_date, w.starts_at, w.party_size, w.status, w.booking_id, w.created_at as asked_at
from public.waitlist_entries as w;

comment on view reports.waiting is 'Entries of the waiting list, of whoever holds waitlist:read.';
comment on column reports.waiting.id is 'The entry.';
comment on column reports.waiting.room_id is 'For which room; null: any.';
comment on column reports.waiting.from_date is 'First day that would do.';
comment on column reports.waiting.to_date is 'Last day that would do.';
comment on column reports.waiting.starts_at is 'For this start only, in UTC; null: any.';
comment on column reports.waiting.party_size is 'People.';
comment on column reports.waiting.status is 'waiting, offered, booked, lapsed, declined, left, removed or expired.';
comment on column reports.waiting.booking_id is 'What was offered; null: nothing yet.';
comment on column reports.waiting.asked_at is 'When, in UTC.';

grant select on
reports.locations, reports.rooms, reports.customers, reports.bookings, reports.booking_lines, reports.sessions,
reports.payments, reports.refunds, reports.results, reports.waiting
to authenticated;
