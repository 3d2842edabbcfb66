-- A booking as clients see it: to whoever has just made it, to whoever manages it, and to the desk.
-- All begin with the fields of private.shown_booking.

create type public.held_booking as (
  reference text,
  status text,
  hold_expires_at timestamptz,
  starts_at timestamptz,
  ends_at timestamptz,
  timezone text,
  room_id uuid,
  room_name text,
  party_size int,
  seats int,
  exclusive boolean,
  extras public.booked_extra [],
  fields jsonb,
  customer_note text,
  currency text,
  total_cents bigint,
  due_now_cents bigint,
  confirm_by_email boolean,
  manage_token text,
  payable_cents bigint,
  rest_payable_until timestamptz
);

comment on type public.held_booking is 'A booking that was just made, or a place that the waiting list offers.';
comment on column public.held_booking.manage_token is 'The secret by which it is managed: not told again without it.';

create type public.booking_customer as (
  full_name text,
  email text
);

comment on type public.booking_customer is 'Whom a booking is for, to whoever manages it.';
comment on column public.booking_customer.full_name is 'The name that was given with the booking; empty to whoever only pays it.';
comment on column public.booking_customer.email is 'Where mails go; null: the venue was given none, and to whoever only pays the booking.';

create type public.cancellation as (
  refund_percent int,
  refund_cents bigint,
  disputed_cents bigint,
  lost_cents bigint
);

comment on type public.cancellation is 'What cancelling now would give back to the customer.';
comment on column public.cancellation.refund_percent is 'Of what was paid, by the terms; 0 when the customer cannot cancel.';
comment on column public.cancellation.refund_cents is 'In minor units of the booking''s currency.';
comment on column public.cancellation.disputed_cents is
  'The part of it whose payment the customer''s bank disputes: it goes back only if that is decided for the venue; decided for the customer, the bank has given it back.';
comment on column public.cancellation.lost_cents is
  'What the customer''s bank has given back already of a payment that it disputed, and the venue does not give back again; no part of refund_cents.';

create type public.booking_step as (
  status text,
  occurred_at timestamptz,
  change jsonb
);

comment on type public.booking_step is 'A step in the life of a booking.';
comment on column public.booking_step.status is
  'What it was from then on. one of: held, pending, confirmed, checked_in, in_progress, completed, expired, cancelled, no_show';
comment on column public.booking_step.occurred_at is 'When.';
comment on column public.booking_step.change is
  'What was changed without a new status: {"party_size": [before, after], …}, by the field''s name; else null.';

create type public.booking as (
  reference text,
  status text,
  hold_expires_at timestamptz,
  starts_at timestamptz,
  ends_at timestamptz,
  timezone text,
  room_id uuid,
  room_name text,
  party_size int,
  seats int,
  exclusive boolean,
  extras public.booked_extra [],
  fields jsonb,
  customer_note text,
  currency text,
  total_cents bigint,
  due_now_cents bigint,
  paid_cents bigint,
  refunded_cents bigint,
  open_cents bigint,
  terms public.cancellation_terms,
  customer public.booking_customer,
  organization public.venue,
  location public.booking_place,
  event public.booking_event,
  waiver public.booking_waiver,
  lines public.price_line [],
  cancellable boolean,
  cancellation public.cancellation,
  reschedulable boolean,
  confirm_by_email boolean,
  history public.booking_step [],
  manage_token text,
  payable_cents bigint,
  rest_payable_until timestamptz,
  payment_open boolean,
  merged_into text,
  shared_cents bigint,
  with_order boolean
);

comment on type public.booking is 'A booking for whoever manages it.';
comment on column public.booking.customer is 'Whom it is for.';
comment on column public.booking.organization is 'The venue.';
comment on column public.booking.location is 'Where to come.';
comment on column public.booking.event is 'The visit in somebody''s calendar.';
comment on column public.booking.waiver is 'How far the party is with it.';
comment on column public.booking.lines is 'What it costs, as quoted when it was made or changed; empty to whoever only pays it.';
comment on column public.booking.cancellable is 'Whether its customer may cancel it now.';
comment on column public.booking.cancellation is 'What cancelling now would give back.';
comment on column public.booking.reschedulable is 'Whether its customer may move it now (reschedule_booking).';
comment on column public.booking.history is 'In order of time; empty to whoever only pays it.';
comment on column public.booking.payment_open is
  'Whether a payment page was opened for it of which the provider has not said yet that nothing comes of it: only then money may be under way.';
comment on column public.booking.merged_into is
  'The reference of the booking that the venue made it part of, which has its people and its money; null: of none.';
comment on column public.booking.shared_cents is
  'What others are to pay of it by open shares: payable_cents is beside it.';
comment on column public.booking.with_order is
  'Whether it is held in an order of several rooms: the page that its link opens asks for what is due of all of them.';
comment on column public.booking.manage_token is
  'The secret by which it is managed, told by confirm_booking; null to whoever has brought it.';

create type public.desk_booking as (
  reference text,
  status text,
  hold_expires_at timestamptz,
  starts_at timestamptz,
  ends_at timestamptz,
  timezone text,
  room_id uuid,
  room_name text,
  party_size int,
  seats int,
  exclusive boolean,
  extras public.booked_extra [],
  fields jsonb,
  customer_note text,
  currency text,
  total_cents bigint,
  due_now_cents bigint,
  id uuid,
  paid_cents bigint,
  refunded_cents bigint,
  open_cents bigint,
  terms public.cancellation_terms,
  manage_token text,
  undo public.undone_refunds
);

comment on type public.desk_booking is 'A booking as the venue''s members see it.';
comment on column public.desk_booking.id is 'What the other functions take as booking_id.';
comment on column public.desk_booking.manage_token is
  'The secret of the customer''s link, told when the booking is made; else null.';
comment on column public.desk_booking.undo is
  'What became of the refunds, where a move was taken back; else null.';

-- What they share means the same in each of them.
do $$
declare
  answer text;
  described record;
begin
  foreach answer in array array['held_booking', 'booking', 'desk_booking'] loop
    for described in
      select f.field, f.comment
      from (
        values
        ('reference', 'What people read to each other, as ABCD-2345.'),
        ('status', 'A hold whose time is over is expired, whether or not somebody has ended it. one of: held, pending, confirmed, checked_in, in_progress, completed, expired, cancelled, no_show'),
        ('hold_expires_at', 'Until when it keeps its seats while held or pending; else null.'),
        ('starts_at', 'The start.'),
        ('ends_at', 'The end of the game.'),
        ('timezone', 'IANA zone of the venue''s clock.'),
        ('room_id', 'The room.'),
        ('room_name', 'The game''s name.'),
        ('party_size', 'People.'),
        ('seats', 'That it takes of its session: the party''s, or all of them when exclusive.'),
        ('exclusive', 'Whether the party has a shared room for itself.'),
        ('extras', 'In the order in which the venue shows them.'),
        ('fields', 'Answers to the calendar''s own questions, by key.'),
        ('customer_note', 'What the customer wrote with it.'),
        ('currency', 'ISO 4217; amounts are in its minor units, tax included.'),
        ('total_cents', 'What it costs.'),
        ('due_now_cents', 'What must be paid for it to be confirmed, however it is paid.'),
        ('paid_cents', 'What came in for it.'),
        ('refunded_cents', 'What went back.'),
        ('open_cents', 'What can still be asked for of the total.'),
        ('terms', 'As agreed when it was booked, or moved by its customer.'),
        (
          'payable_cents',
          'What can be paid online now at most, with POST /v1/checkout: of a confirmed booking just that; of a held one more than is due, if all may be paid at once. 0: nothing.'
        ),
        (
          'rest_payable_until',
          'Until when what is due later can be paid online; null: only at the venue.'
        ),
        ('confirm_by_email', 'Nothing is to be paid, and it is held until the link in its mail is opened.')
      ) as f (field, comment)
      join pg_catalog.pg_attribute as a
        on a.attrelid = to_regclass('public.' || answer) and a.attname = f.field
    loop
      execute format('comment on column public.%I.%I is %L', answer, described.field, described.comment);
    end loop;
  end loop;
end
$$;
comment on column public.desk_booking.fields is
  'Answers to the calendar''s own questions, by key; null without customers:read.';
comment on column public.desk_booking.customer_note is 'What the customer wrote with it; null without customers:read.';
comment on column public.desk_booking.paid_cents is 'What came in for it; null without payments:read.';
comment on column public.desk_booking.refunded_cents is 'What went back; null without payments:read.';
comment on column public.desk_booking.open_cents is 'What can still be asked for of the total; null without payments:read.';

create function private.held_booking(booking public.bookings, shown private.shown_booking)
returns public.held_booking
language plpgsql
stable
set search_path = ''
as $$
begin
  return row(
    shown.*,
    private.awaits_confirmation(booking),
    private.derived_token('booking', booking.id::text),
    private.payable_online(booking, whole => true),
    private.rest_payable_until(booking)
  )::public.held_booking;
end
$$;

comment on function private.held_booking is
  'A booking for whoever made it. Its token is derived, not stored: asked again, it is told again.';

create function private.desk_booking(booking public.bookings)
returns public.desk_booking
language plpgsql
stable
set search_path = ''
as $$
declare
  shown private.shown_booking := private.show_booking(booking);
  answer public.desk_booking;
begin
  -- As the policy of booking_contacts.
  if not private.has_permission(booking.organization_id, 'customers:read') then
    shown.fields := null;
    shown.customer_note := null;
  end if;
  answer := row(shown.*, booking.id, null, null, null, private.booking_terms(booking), null, null)::public.desk_booking;
  -- As that of payments, and as the board.
  if private.has_permission(booking.organization_id, 'payments:read') then
    select balance.paid_cents, balance.refunded_cents into answer.paid_cents, answer.refunded_cents
    from private.booking_balance(booking.organization_id, booking.id) as balance;
    answer.open_cents := private.booking_open(booking);
  end if;
  return answer;
end
$$;

comment on function private.desk_booking is
  'A booking as members see it: what the party said of itself is null without customers:read, what was paid without payments:read.';
