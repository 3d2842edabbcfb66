-- What webhooks tell: an event is written in the transaction that makes it happen, from what the ledger,
-- the history and the other tables write anyway, so no function has to remember it. Its content is read
-- when that transaction ends, and kept: a delivery tells what was so then, however late it arrives.

create type public.webhook_organization as (
  id uuid,
  name text
);

comment on type public.webhook_organization is 'The venue of an event.';
comment on column public.webhook_organization.id is 'The organization.';
comment on column public.webhook_organization.name is 'As it is called.';

create type public.webhook_room as (
  id uuid,
  slug text,
  name text
);

comment on type public.webhook_room is 'The room that is played.';
comment on column public.webhook_room.id is 'The room.';
comment on column public.webhook_room.slug is 'As in addresses.';
comment on column public.webhook_room.name is 'As the staff call it.';

create type public.webhook_location as (
  id uuid,
  name text,
  address text,
  phone text,
  timezone text
);

comment on type public.webhook_location is 'Where it is played.';
comment on column public.webhook_location.id is 'The location.';
comment on column public.webhook_location.name is 'As it is called.';
comment on column public.webhook_location.address is 'In one line; empty when the venue gave none.';
comment on column public.webhook_location.phone is 'By which the venue is reached; null: none.';
comment on column public.webhook_location.timezone is 'IANA.';

create type public.webhook_calendar as (
  id uuid,
  slug text,
  name text
);

comment on type public.webhook_calendar is 'The calendar by which it was booked.';
comment on column public.webhook_calendar.id is 'The calendar.';
comment on column public.webhook_calendar.slug is 'As in addresses.';
comment on column public.webhook_calendar.name is 'As it is called.';

create type public.webhook_line as (
  kind text,
  description text,
  quantity int,
  unit_cents bigint,
  total_cents bigint,
  tax_rate_bp int,
  tax_cents bigint
);

comment on type public.webhook_line is 'A line of what a booking costs; amounts in minor units, tax included.';
comment on column public.webhook_line.kind is 'one of booking_lines.kind';
comment on column public.webhook_line.description is 'What it is for.';
comment on column public.webhook_line.quantity is 'How many.';
comment on column public.webhook_line.unit_cents is 'What one costs.';
comment on column public.webhook_line.total_cents is 'What they cost.';
comment on column public.webhook_line.tax_rate_bp is 'Tax contained, in basis points.';
comment on column public.webhook_line.tax_cents is 'Tax contained.';

create type public.webhook_booking as (
  id uuid,
  reference text,
  status text,
  source text,
  locale text,
  organization_id uuid,
  customer_id uuid,
  room public.webhook_room,
  location public.webhook_location,
  calendar public.webhook_calendar,
  starts_at timestamptz,
  ends_at timestamptz,
  timezone text,
  starts_at_local text,
  ends_at_local text,
  hold_expires_at timestamptz,
  party_size int,
  exclusive boolean,
  extras public.booked_extra [],
  currency text,
  total_cents bigint,
  tax_cents bigint,
  due_now_cents bigint,
  paid_cents bigint,
  refunded_cents bigint,
  open_cents bigint,
  cancel_refund text,
  lines public.webhook_line [],
  created_at timestamptz,
  merged_into_id uuid
);

comment on type public.webhook_booking is
  'A booking as it was when the transaction that made the event ended; amounts in minor units of currency, tax included.';
comment on column public.webhook_booking.id is 'The booking; the same for ever.';
comment on column public.webhook_booking.reference is 'What people read to each other, as ABCD-2345.';
comment on column public.webhook_booking.status is 'That of the event, for one of a booking. one of bookings.status';
comment on column public.webhook_booking.source is 'Where it was made. one of bookings.source';
comment on column public.webhook_booking.locale is 'Language in which its party is written to. one of: es, en, ca';
comment on column public.webhook_booking.organization_id is 'The venue.';
comment on column public.webhook_booking.customer_id is 'Who booked; the person is in data.customer.';
comment on column public.webhook_booking.room is 'What is played.';
comment on column public.webhook_booking.location is 'Where.';
comment on column public.webhook_booking.calendar is 'By which it was booked; null: by the staff, or the calendar is gone.';
comment on column public.webhook_booking.starts_at is 'When the game starts.';
comment on column public.webhook_booking.ends_at is 'When it ends.';
comment on column public.webhook_booking.timezone is 'The location''s, IANA.';
comment on column public.webhook_booking.starts_at_local is 'starts_at on the location''s clock, with its offset from UTC.';
comment on column public.webhook_booking.ends_at_local is 'ends_at on the location''s clock, with its offset from UTC.';
comment on column public.webhook_booking.hold_expires_at is 'Until when it keeps its place unless it is confirmed; null: it needs no confirmation any more.';
comment on column public.webhook_booking.party_size is 'How many people.';
comment on column public.webhook_booking.exclusive is 'Whether the party has a shared room for itself.';
comment on column public.webhook_booking.extras is 'What was ordered with it.';
comment on column public.webhook_booking.currency is 'ISO 4217.';
comment on column public.webhook_booking.total_cents is 'What it costs.';
comment on column public.webhook_booking.tax_cents is 'Tax contained in total_cents.';
comment on column public.webhook_booking.due_now_cents is 'What must be paid for it to be confirmed.';
comment on column public.webhook_booking.paid_cents is 'What came in.';
comment on column public.webhook_booking.refunded_cents is 'What went back.';
comment on column public.webhook_booking.open_cents is 'What is still to be paid.';
comment on column public.webhook_booking.cancel_refund is 'Of a cancelled one, what goes back: full, terms (as agreed) or none; null: it is not cancelled.';
comment on column public.webhook_booking.lines is 'What makes up total_cents.';
comment on column public.webhook_booking.created_at is 'When it was made.';
comment on column public.webhook_booking.merged_into_id is 'Of a cancelled one that the venue made part of another booking: that one; null: it was not.';

create type public.webhook_customer as (
  id uuid,
  full_name text,
  email text,
  phone text,
  note text,
  answers jsonb,
  team_name text
);

comment on type public.webhook_customer is 'Who booked, as told with this booking.';
comment on column public.webhook_customer.id is 'The customer.';
comment on column public.webhook_customer.full_name is 'The name given with the booking.';
comment on column public.webhook_customer.email is 'null: booked at the desk without one.';
comment on column public.webhook_customer.phone is 'null: none was given.';
comment on column public.webhook_customer.note is 'What the customer wrote; empty: nothing.';
comment on column public.webhook_customer.answers is 'To the calendar''s own questions, by key.';
comment on column public.webhook_customer.team_name is 'What the party calls itself, once its game is over; null: it did not say.';

create type public.webhook_payment as (
  id uuid,
  method text,
  amount_cents bigint,
  currency text,
  occurred_at timestamptz
);

comment on type public.webhook_payment is 'Money that came in.';
comment on column public.webhook_payment.id is 'The entry of the ledger.';
comment on column public.webhook_payment.method is 'one of payments.method';
comment on column public.webhook_payment.amount_cents is 'Minor units of currency.';
comment on column public.webhook_payment.currency is 'ISO 4217.';
comment on column public.webhook_payment.occurred_at is 'When the money moved.';

create type public.webhook_refund as (
  id uuid,
  payment_id uuid,
  method text,
  amount_cents bigint,
  currency text,
  reason text,
  occurred_at timestamptz
);

comment on type public.webhook_refund is 'Money that went back, or came back because a refund could not be delivered.';
comment on column public.webhook_refund.id is 'The entry of the ledger.';
comment on column public.webhook_refund.payment_id is 'The payment that it is of.';
comment on column public.webhook_refund.method is 'By which way. one of refunds.method';
comment on column public.webhook_refund.amount_cents is 'Minor units of currency, positive; of refund.reversed what came back.';
comment on column public.webhook_refund.currency is 'ISO 4217.';
comment on column public.webhook_refund.reason is
  'correction: the payment was written down wrongly, and nothing went back. one of: cancelled, changed, no_show, overpaid, paid_late, hold_expired, staff, provider, correction';
comment on column public.webhook_refund.occurred_at is 'When the money moved.';

create type public.webhook_dispute as (
  id uuid,
  payment_id uuid,
  status text,
  reason text,
  amount_cents bigint,
  currency text,
  respond_by timestamptz
);

comment on type public.webhook_dispute is 'A payment that the customer''s bank disputes.';
comment on column public.webhook_dispute.id is 'The dispute.';
comment on column public.webhook_dispute.payment_id is 'The payment that it is about.';
comment on column public.webhook_dispute.status is 'The provider''s word, such as needs_response, won or lost.';
comment on column public.webhook_dispute.reason is 'The provider''s word, such as fraudulent.';
comment on column public.webhook_dispute.amount_cents is 'Minor units of currency that are disputed.';
comment on column public.webhook_dispute.currency is 'ISO 4217.';
comment on column public.webhook_dispute.respond_by is 'Until when the venue may answer; null: it may not, or need not.';

create type public.webhook_erasure as (
  customer_id uuid,
  merged_customer_ids uuid [],
  booking_ids uuid []
);

comment on type public.webhook_erasure is
  'A customer who was erased: whoever was told of the person before forgets name, address, phone, note and answers, too.';
comment on column public.webhook_erasure.customer_id is 'The customer.';
comment on column public.webhook_erasure.merged_customer_ids is 'Customers who turned out to be the same person: events of before may name these.';
comment on column public.webhook_erasure.booking_ids is 'The customer''s bookings.';

create type public.webhook_result as (
  outcome text,
  escape_seconds int,
  duration_seconds int,
  pauses int,
  hints int,
  played_at timestamptz,
  language text,
  level text,
  is_by_hand boolean,
  is_public boolean
);

comment on type public.webhook_result is 'How a party''s game ended; its name is in data.customer.';
comment on column public.webhook_result.outcome is 'one of game_results.outcome';
comment on column public.webhook_result.escape_seconds is 'How long it played, without pauses; null unless it escaped.';
comment on column public.webhook_result.duration_seconds is 'How long it had, without pauses.';
comment on column public.webhook_result.pauses is 'How often the clock was paused.';
comment on column public.webhook_result.hints is 'How many hints it was given.';
comment on column public.webhook_result.played_at is 'When the clock was started; the session''s start where it never was.';
comment on column public.webhook_result.language is 'In which it was played, ISO 639-1; null: nobody said.';
comment on column public.webhook_result.level is 'easy, normal, hard or expert; null: the room has none, or nobody said.';
comment on column public.webhook_result.is_by_hand is 'Whether a person entered or changed outcome, time or hints.';
comment on column public.webhook_result.is_public is
  'Whether the party agreed that its time and name are shown to the public: without that a consumer shows them to nobody.';

create type public.webhook_data as (
  booking public.webhook_booking,
  customer public.webhook_customer,
  change jsonb,
  payment public.webhook_payment,
  refund public.webhook_refund,
  dispute public.webhook_dispute,
  erasure public.webhook_erasure,
  result public.webhook_result
);

comment on type public.webhook_data is 'What happened, and to what.';
comment on column public.webhook_data.booking is 'null: of customer.erased.';
comment on column public.webhook_data.customer is
  'null: the endpoint gets no personal data, the customer was erased meanwhile, or it is customer.erased.';
comment on column public.webhook_data.change is
  'Of booking.changed, {field: [before, after]} with starts_at, room_id, party_size, exclusive, extras, coupon_code, total_cents, terms; null: of any other.';
comment on column public.webhook_data.payment is 'Of payment.received; null: of any other.';
comment on column public.webhook_data.refund is 'Of refund.paid and refund.reversed; null: of any other.';
comment on column public.webhook_data.dispute is 'Of dispute.opened and dispute.changed; null: of any other.';
comment on column public.webhook_data.erasure is 'Of customer.erased; null: of any other.';
comment on column public.webhook_data.result is
  'Of result.recorded and result.changed, and of result.withdrawn as it last was; null: of any other.';

create type public.webhook_event as (
  id uuid,
  type text,
  version int,
  timestamp timestamptz,
  organization public.webhook_organization,
  data public.webhook_data
);

comment on type public.webhook_event is 'The body of a webhook. docs/webhooks.md.';
comment on column public.webhook_event.id is
  'The same at every attempt, replay and endpoint, and the header webhook-id: what was received before is known by it.';
comment on column public.webhook_event.type is
  'one of: booking.held, booking.pending, booking.confirmed, booking.changed, booking.cancelled, booking.expired, booking.checked_in, booking.started, booking.completed, booking.no_show, booking.undone, payment.received, refund.paid, refund.reversed, dispute.opened, dispute.changed, customer.erased, result.recorded, result.changed, result.withdrawn';
comment on column public.webhook_event.version is '1. Within a version fields are added, and none is removed or means something else.';
comment on column public.webhook_event.timestamp is 'When it happened: the end of the transaction that made it. Of two events of a booking the later one tells the newer state.';
comment on column public.webhook_event.organization is 'The venue.';
comment on column public.webhook_event.data is 'What happened.';

create table private.webhook_events (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  type text not null,
  booking_id uuid,
  customer_id uuid,
  occurred_at timestamptz not null,
  event jsonb not null,
  personal jsonb,
  created_at timestamptz not null default now(),
  constraint webhook_events_pkey primary key (organization_id, id),
  constraint webhook_events_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint webhook_events_type_is_known check (private.are_webhook_types(array[type])),
  constraint webhook_events_event_names_nobody check (event #> '{data,customer}' = 'null')
);

comment on table private.webhook_events is 'What was told to webhook endpoints, as it was when it happened; kept for webhook_settings.log_days.';
comment on column private.webhook_events.event is 'public.webhook_event, without the person.';
comment on column private.webhook_events.personal is
  'public.webhook_customer, where an endpoint gets it; null: none does, or the customer was erased.';

insert into private.personal_columns (relation, column_name, erased)
values ('private.webhook_events', 'personal', 'null')
on conflict (relation, column_name) do update set erased = excluded.erased;

-- for: private.erase_customer
create index webhook_events_booking_id_idx on private.webhook_events (organization_id, booking_id);
-- for: private.erase_customer
create index webhook_events_customer_id_idx on private.webhook_events (organization_id, customer_id);
-- for: private.forget_webhooks
create index webhook_events_created_at_idx on private.webhook_events (created_at);

create table private.webhook_deliveries (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  endpoint_id uuid not null,
  event_id uuid not null,
  subject_id uuid not null,
  position bigint generated always as identity,
  status text not null default 'pending',
  queued_at timestamptz not null default now(),
  tries int not null default 0,
  attempts int not null default 0,
  next_attempt_at timestamptz not null default now(),
  sent_by_job bigint,
  last_attempt_at timestamptz,
  constraint webhook_deliveries_pkey primary key (organization_id, id),
  constraint webhook_deliveries_event_key unique (organization_id, event_id, endpoint_id),
  constraint webhook_deliveries_endpoint_fkey foreign key (organization_id, endpoint_id)
  references public.webhook_endpoints (organization_id, id) on delete cascade,
  constraint webhook_deliveries_event_fkey foreign key (organization_id, event_id)
  references private.webhook_events (organization_id, id) on delete cascade,
  constraint webhook_deliveries_status_is_known check (status in ('pending', 'delivered', 'failed')),
  constraint webhook_deliveries_counts_are_not_negative check (tries >= 0 and attempts >= tries)
);

comment on table private.webhook_deliveries is 'The outbox of webhooks: a row for each event and endpoint that asked for it.';
comment on column private.webhook_deliveries.subject_id is
  'What is told in order: the booking, or else the customer. A later delivery about it waits for an earlier one.';
comment on column private.webhook_deliveries.position is 'The order in which things happened to the subject: given while its booking was locked.';
comment on column private.webhook_deliveries.status is 'pending, delivered, or failed: given up after three days.';
comment on column private.webhook_deliveries.queued_at is 'When it was made, or last asked for again: three days are counted from then.';
comment on column private.webhook_deliveries.tries is 'Attempts since queued_at, by which the pause grows.';
comment on column private.webhook_deliveries.attempts is 'Attempts in all.';
comment on column private.webhook_deliveries.sent_by_job is
  'The job that is sending it, while that runs: several jobs may find it, and one sends.';

-- for: private.prepare_webhook, the first one that waits of a subject; and private.queue_due_webhooks
create index webhook_deliveries_waiting_idx
on private.webhook_deliveries (organization_id, endpoint_id, subject_id, position) where status = 'pending';
-- for: private.queue_due_webhooks
create index webhook_deliveries_due_idx
on private.webhook_deliveries (organization_id, endpoint_id, next_attempt_at) where status = 'pending';
-- for: the log of an endpoint, newest first (list_webhook_deliveries), and the foreign key
create index webhook_deliveries_endpoint_id_idx on private.webhook_deliveries (organization_id, endpoint_id, position desc);

create function private.webhook_is_wanted(organization_id uuid, type text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.webhook_endpoints as e
    where e.organization_id = webhook_is_wanted.organization_id
      and e.is_active
      and webhook_is_wanted.type = any (e.events)
  );
end
$$;

comment on function private.webhook_is_wanted is 'Whether anybody is to be told of such an event.';

create function private.local_time(at timestamptz, timezone text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  wall timestamp := local_time.at at time zone local_time.timezone;
  minutes int := extract(epoch from wall - (local_time.at at time zone 'UTC')) / 60;
begin
  return to_char(wall, 'YYYY-MM-DD"T"HH24:MI:SS')
    || case when minutes < 0 then '-' else '+' end
    || to_char(abs(minutes) / 60, 'FM00') || ':' || to_char(abs(minutes) % 60, 'FM00');
end
$$;

comment on function private.local_time is 'An instant on the clock of a zone with its offset from UTC, as RFC 3339 writes it.';

create function private.webhook_booking(organization_id uuid, booking_id uuid, status text)
returns public.webhook_booking
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      b.id, b.reference, coalesce(webhook_booking.status, b.status), b.source, b.locale, b.organization_id, b.customer_id,
      row(r.id, r.slug, r.name)::public.webhook_room,
      row(l.id, l.name, private.location_address(l), coalesce(l.phone, o.phone), l.timezone)::public.webhook_location,
      case when c.id is not null then row(c.id, c.slug, c.name)::public.webhook_calendar end,
      s.starts_at, s.ends_at, l.timezone,
      private.local_time(s.starts_at, l.timezone), private.local_time(s.ends_at, l.timezone),
      b.hold_expires_at, b.party_size, b.exclusive, (private.show_booking(b)).extras,
      b.currency, b.total_cents, b.tax_cents, b.due_now_cents, balance.paid_cents, balance.refunded_cents,
      private.booking_open(b), b.cancel_refund,
      array(
        select row(
          n.kind, n.description, n.quantity, n.unit_cents, n.total_cents, n.tax_rate_bp, n.tax_cents
        )::public.webhook_line
        from public.booking_lines as n
        where n.organization_id = b.organization_id and n.booking_id = b.id
        order by n.position
      ),
      b.created_at, b.merged_into_id
    )::public.webhook_booking
    from public.bookings as b
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    join public.organizations as o on o.id = b.organization_id
    left join public.calendars as c on c.organization_id = b.organization_id and c.id = b.calendar_id
    cross join private.booking_balance(b.organization_id, b.id) as balance
    where b.organization_id = webhook_booking.organization_id and b.id = webhook_booking.booking_id
  );
end
$$;

comment on function private.webhook_booking is 'A booking as webhooks tell it, in a status that it took (null: in its own).';

create function private.webhook_customer(organization_id uuid, booking_id uuid)
returns public.webhook_customer
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      c.id, k.contact_name, c.email, coalesce(k.contact_phone, c.phone), k.customer_note, k.fields, g.team_name
    )::public.webhook_customer
    from public.bookings as b
    join public.customers as c on c.organization_id = b.organization_id and c.id = b.customer_id
    join public.booking_contacts as k on k.organization_id = b.organization_id and k.booking_id = b.id
    left join public.game_results as g on g.organization_id = b.organization_id and g.booking_id = b.id
    where b.organization_id = webhook_customer.organization_id
      and b.id = webhook_customer.booking_id
      and c.erased_at is null
  );
end
$$;

comment on function private.webhook_customer is 'The person of a booking as webhooks tell it; null once erased.';

create function private.emit_webhook(
  organization_id uuid,
  type text,
  booking_id uuid,
  data public.webhook_data
)
returns void
language plpgsql
volatile
set search_path = ''
-- Instants are written in it.
set timezone = 'UTC'
as $$
declare
  event_id uuid := private.uuid_v7();
  -- One clock for all, read in the order in which they are told.
  occurred_at timestamptz := clock_timestamp();
  about_customer uuid := coalesce((data.booking).customer_id, (data.erasure).customer_id);
  delivery record;
begin
  insert into private.webhook_events (organization_id, id, type, booking_id, customer_id, occurred_at, event, personal)
  select
    o.id, event_id, emit_webhook.type, emit_webhook.booking_id, about_customer, occurred_at,
    to_jsonb(row(
      event_id, emit_webhook.type, 1, occurred_at, row(o.id, o.name)::public.webhook_organization, data
    )::public.webhook_event),
    case when exists (
      select from public.webhook_endpoints as e
      where e.organization_id = o.id and e.is_active and e.includes_personal_data and emit_webhook.type = any (e.events)
    ) then to_jsonb(private.webhook_customer(o.id, emit_webhook.booking_id)) end
  from public.organizations as o
  where o.id = emit_webhook.organization_id and o.status <> 'closed';
  if not found then
    return;
  end if;
  for delivery in
    insert into private.webhook_deliveries (organization_id, endpoint_id, event_id, subject_id)
    select e.organization_id, e.id, event_id, coalesce(emit_webhook.booking_id, about_customer, event_id)
    from public.webhook_endpoints as e
    where e.organization_id = emit_webhook.organization_id
      and e.is_active
      and emit_webhook.type = any (e.events)
    returning id
  loop
    -- A job of its own, under a key that nobody else has: what a venue's endpoints do keeps no booking waiting.
    perform private.enqueue(
      'webhook.deliver', jsonb_build_object('delivery_id', delivery.id), 'webhook.deliver:' || delivery.id,
      emit_webhook.organization_id
    );
  end loop;
end
$$;

comment on function private.emit_webhook is
  'The outbox: writes an event, a delivery for each endpoint that asked for it, and their jobs. The caller holds the booking and asks private.webhook_is_wanted first.';

create function private.tell_booking_webhook()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  type text := 'booking.' || case
    when new.change is not null then 'changed'
    when private.is_undo(new.from_status, new.to_status) then 'undone'
    when new.to_status = 'in_progress' then 'started'
    else new.to_status
  end;
  data public.webhook_data;
begin
  if private.webhook_is_wanted(new.organization_id, type) then
    data.booking := private.webhook_booking(new.organization_id, new.booking_id, new.to_status);
    data.change := new.change;
    perform private.emit_webhook(new.organization_id, type, new.booking_id, data);
  end if;
  return null;
end
$$;

comment on function private.tell_booking_webhook is
  'definer: it runs when a request commits, as whoever made the change. Every line of a booking''s history is an event.';

-- At the end of the transaction: the first line of a booking's history is there before its contact and its price.
create constraint trigger tell_booking_webhook
after insert on public.booking_history
deferrable initially deferred
for each row execute function private.tell_booking_webhook();

create function private.tell_payment_webhook()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  data public.webhook_data;
begin
  if private.webhook_is_wanted(new.organization_id, 'payment.received') then
    data.booking := private.webhook_booking(new.organization_id, new.booking_id, null);
    data.payment := row(new.id, new.method, new.amount_cents, new.currency, new.occurred_at)::public.webhook_payment;
    perform private.emit_webhook(new.organization_id, 'payment.received', new.booking_id, data);
  end if;
  return null;
end
$$;

comment on function private.tell_payment_webhook is
  'definer: it runs when a request commits, as whoever took the money. Every payment of the ledger is an event.';

create constraint trigger tell_payment_webhook
after insert on public.payments
deferrable initially deferred
for each row execute function private.tell_payment_webhook();

create function private.tell_refund_webhook()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  type text := case new.kind when 'reversal' then 'refund.reversed' else 'refund.paid' end;
  data public.webhook_data;
begin
  if private.webhook_is_wanted(new.organization_id, type) then
    data.booking := private.webhook_booking(new.organization_id, new.booking_id, null);
    select row(
      new.id, new.payment_id, new.method, abs(new.amount_cents), new.currency, q.reason, new.occurred_at
    )::public.webhook_refund
    into data.refund
    from private.refund_requests as q
    where q.organization_id = new.organization_id and q.id = new.refund_request_id;
    perform private.emit_webhook(new.organization_id, type, new.booking_id, data);
  end if;
  return null;
end
$$;

comment on function private.tell_refund_webhook is
  'definer: it runs when a request commits, as whoever refunds. Every refund of the ledger and every reversal is an event.';

create constraint trigger tell_refund_webhook
after insert on public.refunds
deferrable initially deferred
for each row execute function private.tell_refund_webhook();

create function private.tell_dispute_webhook()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  type text := case tg_op when 'INSERT' then 'dispute.opened' else 'dispute.changed' end;
  data public.webhook_data;
begin
  if private.webhook_is_wanted(new.organization_id, type) then
    -- Alone of all that tells of a booking, the news of a dispute does not hold it: for its place in the order, and
    -- so that an erasure is either seen here or sees what is written.
    perform from public.bookings as b
    where b.organization_id = new.organization_id and b.id = new.booking_id
    for no key update;
    data.booking := private.webhook_booking(new.organization_id, new.booking_id, null);
    data.dispute := row(
      new.id, new.payment_id, new.status, new.reason, new.amount_cents, new.currency, new.respond_by
    )::public.webhook_dispute;
    perform private.emit_webhook(new.organization_id, type, new.booking_id, data);
  end if;
  return null;
end
$$;

comment on function private.tell_dispute_webhook is
  'definer: it runs when a request commits, as the service. A dispute that opens or changes its state is an event.';

create constraint trigger tell_new_dispute_webhook
after insert on public.disputes
deferrable initially deferred
for each row execute function private.tell_dispute_webhook();

create constraint trigger tell_dispute_webhook
after update of status on public.disputes
deferrable initially deferred
for each row when (new.status <> old.status)
execute function private.tell_dispute_webhook();

create function private.tell_erasure_webhook()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  data public.webhook_data;
begin
  if private.webhook_is_wanted(new.organization_id, 'customer.erased') then
    data.erasure := row(
      new.id,
      array(
        select m.merged_id
        from private.customer_merges as m
        where m.organization_id = new.organization_id and m.customer_id = new.id
        order by m.merged_id
      ),
      array(
        select b.id
        from public.bookings as b
        where b.organization_id = new.organization_id and b.customer_id = new.id
        order by b.id
      )
    )::public.webhook_erasure;
    perform private.emit_webhook(new.organization_id, 'customer.erased', null, data);
  end if;
  return null;
end
$$;

comment on function private.tell_erasure_webhook is
  'definer: it runs when a request commits, as whoever erased the customer. Whoever was told of a person is told to forget.';

create constraint trigger tell_erasure_webhook
after update of erased_at on public.customers
deferrable initially deferred
for each row when (new.erased_at is not null and old.erased_at is null)
execute function private.tell_erasure_webhook();

create function private.tell_result_webhook()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  type text := 'result.' || case tg_op when 'INSERT' then 'recorded' when 'UPDATE' then 'changed' else 'withdrawn' end;
  result public.game_results := case tg_op when 'DELETE' then old else new end;
  data public.webhook_data;
begin
  if private.webhook_is_wanted(result.organization_id, type) then
    data.booking := private.webhook_booking(result.organization_id, result.booking_id, null);
    if (data.booking).id is null then
      return null; -- it goes with its booking
    end if;
    data.result := row(
      result.outcome, result.escape_seconds, result.duration_seconds, result.pauses, result.hints, result.played_at,
      result.language, result.level, result.is_by_hand, result.is_public
    )::public.webhook_result;
    perform private.emit_webhook(result.organization_id, type, result.booking_id, data);
  end if;
  return null;
end
$$;

comment on function private.tell_result_webhook is
  'definer: it runs when a request commits, as whoever ended the game, corrected its result or took back its end. Whoever writes what a result''s event tells holds the booking.';

create constraint trigger tell_new_result_webhook
after insert or delete on public.game_results
deferrable initially deferred
for each row execute function private.tell_result_webhook();

create constraint trigger tell_result_webhook
after update of outcome, escape_seconds, hints, is_by_hand, is_public on public.game_results
deferrable initially deferred
for each row when (
  (new.outcome, new.escape_seconds, new.hints, new.is_by_hand, new.is_public)
  is distinct from (old.outcome, old.escape_seconds, old.hints, old.is_by_hand, old.is_public)
)
execute function private.tell_result_webhook();
