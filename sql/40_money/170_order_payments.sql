-- Paying an order: one page of the provider, whose money is that of several bookings.
--
-- Each booking has an attempt of its own, for what is due of it, and all of them one session: the first of them
-- (lead_id) names it at the provider. So whatever concerns the attempt of one booking (another amount is due, it was
-- cancelled, paid at the desk) closes the page of all. Its money is divided as the attempts say, and each part is a
-- payment of its booking, of one payment intent: the ledger, refunds and disputes stay a booking's.
--
-- A held order is paid at once: the link of one of its bookings opens the page of all. Once it stands, each booking is
-- paid alone by its own link, or all that is open by the order's.
--
-- Money that came after the holds had lapsed takes all the places again, or none: who ordered four rooms wants no three.

create table private.shared_attempts (
  organization_id uuid not null,
  attempt_id uuid not null,
  lead_id uuid not null,
  constraint shared_attempts_pkey primary key (organization_id, attempt_id),
  constraint shared_attempts_attempt_fkey foreign key (organization_id, attempt_id)
  references private.payment_attempts (organization_id, id) on delete cascade,
  constraint shared_attempts_lead_fkey foreign key (organization_id, lead_id)
  references private.payment_attempts (organization_id, id) on delete cascade
);

comment on table private.shared_attempts is
  'Attempts to pay several bookings on one page, by the one whose id the provider knows; that one stands here, too.';

-- for: the attempts of a page, and the foreign key
create index shared_attempts_lead_id_idx on private.shared_attempts (organization_id, lead_id);
-- for: private.attempt_lead; the provider knows the attempt's id and no organization
create index shared_attempts_attempt_id_idx on private.shared_attempts (attempt_id);

create function private.attempt_lead(attempt_id uuid)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select s.lead_id from private.shared_attempts as s where s.attempt_id = attempt_lead.attempt_id);
end
$$;

comment on function private.attempt_lead is
  'The attempt by whose id the provider knows the page of several bookings; null: the attempt has a page of its own.';

create function private.is_own_page(attempt_id uuid, attempt_token text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.attempt_lead(is_own_page.attempt_id) = is_own_page.attempt_id
    and private.token_hash(is_own_page.attempt_token)
    = private.token_hash(private.checkout_token(is_own_page.attempt_id));
end
$$;

comment on function private.is_own_page is
  'Whether it is the attempt that names a page of several bookings, and the token that of whoever opened it.';

create function private.divided(whole bigint, parts bigint [])
returns bigint []
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array(
    select (cut.until - lag(cut.until, 1, 0::bigint) over (order by cut.place))::bigint
    from (
      select
        p.place,
        floor(divided.whole::numeric * sum(p.part) over (order by p.place) / sum(p.part) over ())::bigint as until
      from unnest(parts) with ordinality as p (part, place)
    ) as cut
    order by cut.place
  );
end
$$;

comment on function private.divided is
  'An amount divided in the proportion of the parts, which are positive, to the cent: the sum is the amount.';

create function private.lock_shared_attempts(lead_id uuid)
returns setof private.payment_attempts
language plpgsql
volatile
rows 10
set search_path = ''
as $$
declare
  organization_id uuid;
  booking_ids uuid [];
begin
  -- All bookings of the order: those of which nothing is due become what the paid ones do.
  select b.organization_id, array_agg(b.id) into organization_id, booking_ids
  from private.payment_attempts as a
  join public.bookings as paid on paid.organization_id = a.organization_id and paid.id = a.booking_id
  join public.bookings as b on b.organization_id = paid.organization_id and b.order_id = paid.order_id
  where a.id = lock_shared_attempts.lead_id
  group by b.organization_id;
  perform private.lock_bookings(organization_id, booking_ids);
  perform from private.payment_attempts as a
  join private.shared_attempts as s on s.organization_id = a.organization_id and s.attempt_id = a.id
  where s.lead_id = lock_shared_attempts.lead_id
  order by a.id
  for update of a;
  return query
  select a.*
  from private.payment_attempts as a
  join private.shared_attempts as s on s.organization_id = a.organization_id and s.attempt_id = a.id
  join public.bookings as b on b.organization_id = a.organization_id and b.id = a.booking_id
  where s.lead_id = lock_shared_attempts.lead_id
  order by b.starts_at, b.id;
end
$$;

comment on function private.lock_shared_attempts is
  'The attempts of a page of several bookings, with the rooms, sessions and bookings of their order and themselves locked.';

create function private.shown_order_checkout(
  known public.booking_orders, reference text, lead_id uuid, closing boolean
)
returns service.open_checkout
language plpgsql
stable
set search_path = ''
as $$
declare
  answer service.open_checkout;
  first public.bookings;
begin
  select b.* into first
  from private.payment_attempts as a
  join public.bookings as b on b.organization_id = a.organization_id and b.id = a.booking_id
  where a.organization_id = known.organization_id and a.id = shown_order_checkout.lead_id;
  answer := private.shown_checkout(
    first,
    (
      select a from private.payment_attempts as a
      where a.organization_id = known.organization_id and a.id = shown_order_checkout.lead_id
    ),
    shown_order_checkout.closing
  );
  answer.reference := shown_order_checkout.reference;
  select sum(a.amount_cents), sum(a.platform_fee_cents), left(concat_ws(
    ' · ',
    string_agg(
      concat_ws(' ', private.room_name(r, b.locale), to_char(b.starts_at at time zone l.timezone, 'DD/MM HH24:MI')),
      ', ' order by b.starts_at, b.id
    ),
    max(o.name)
  ), 250)
  into answer.amount_cents, answer.platform_fee_cents, answer.description
  from private.payment_attempts as a
  left join private.shared_attempts as s on s.organization_id = a.organization_id and s.attempt_id = a.id
  join public.bookings as b on b.organization_id = a.organization_id and b.id = a.booking_id
  join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  join public.organizations as o on o.id = b.organization_id
  where a.organization_id = known.organization_id
    -- One that is closed for the order's may be of one booking alone.
    and (a.id = shown_order_checkout.lead_id or s.lead_id = shown_order_checkout.lead_id);
  return answer;
end
$$;

comment on function private.shown_order_checkout is 'The page of an order as the service gets to know it.';

create function private.open_order_checkout(
  known public.booking_orders, reference text, whole boolean, only_pays boolean
)
returns service.open_checkout
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- As for one booking: private.open_checkout.
  session_ends timestamptz := now() + interval '31 minutes';
  hold_wanted timestamptz := now() + interval '33 minutes';
  account private.payment_account;
  booking_ids uuid [];
  booking public.bookings;
  wanted record;
  attempt private.payment_attempts;
  page record;
  closing uuid;
  fees bigint [];
  lead_id uuid;
  attempt_id uuid;
  kept_until timestamptz;
  ends_at timestamptz;
begin
  perform private.lock_bookings(known.organization_id, array(
    select b.id from public.bookings as b
    where b.organization_id = known.organization_id and b.order_id = known.id
  ));
  booking_ids := array(
    select b.id
    from public.bookings as b
    where b.organization_id = known.organization_id
      and b.order_id = known.id
      and b.takes_capacity
      and coalesce(b.hold_expires_at > now(), true)
  );
  select b.* into booking
  from public.bookings as b
  where b.organization_id = known.organization_id and b.id = any (booking_ids)
  order by b.starts_at, b.id
  limit 1;
  perform private.act_as('customer', booking.customer_id);
  if private.venue_is_closed(known.organization_id) then
    perform private.fail('not_payable', 409, 'The venue is closed: cancel the bookings.');
  elsif booking.id is null then
    perform private.fail('not_payable', 409, 'The order is no longer held. Order again.');
  end if;
  account := private.payment_account(known.organization_id);
  if not account.available and exists (
    select from public.bookings as b
    where b.organization_id = known.organization_id and b.id = any (booking_ids) and private.booking_open(b) > 0
  ) then
    perform private.fail('online_payment_unavailable', 409, 'The venue cannot be paid online at the moment: ask it.');
  end if;

  select
    array_agg(due.id order by due.starts_at, due.id) as ids,
    array_agg(due.cents order by due.starts_at, due.id) as cents,
    array_agg(due.covers_rest order by due.starts_at, due.id) as covers_rest,
    sum(due.cents)::bigint as paid_cents,
    sum(due.total_cents)::bigint as total_cents,
    sum(due.party_size)::int as party_size,
    min(due.rest_until) filter (where due.covers_rest) as rest_until
  into wanted
  from (
    select
      b.id, b.starts_at, b.total_cents, b.party_size, asked.cents,
      asked.cents > b.due_now_cents - private.booking_covered(b.organization_id, b.id) as covers_rest,
      private.rest_payable_until(b) as rest_until
    from public.bookings as b
    cross join lateral (select private.payable_online(b, open_order_checkout.whole) as cents offset 0) as asked
    where b.organization_id = known.organization_id and b.id = any (booking_ids) and asked.cents > 0
  ) as due;
  if wanted.ids is null then
    perform private.fail('nothing_due', 409, 'Nothing is due online.');
  end if;

  -- Whether the page that is open, if there is one, is still the one that is wanted.
  for attempt in
    select a.*
    from private.payment_attempts as a
    join public.bookings as b on b.organization_id = a.organization_id and b.id = a.booking_id
    where b.organization_id = known.organization_id and b.order_id = known.id and a.status = 'open'
    order by a.id
    for update of a
  loop
    if attempt.session_id is not null and attempt.expires_at <= now() and exists (
      select from public.stripe_accounts as a
      where a.organization_id = attempt.organization_id
        and a.account_id = attempt.stripe_account
        and a.deauthorized_at is not null
    ) then
      -- Nobody can ask what became of it, and nobody can pay on it. Should it be heard of later, it counts.
      update private.payment_attempts as a
      set status = 'expired', error = 'no access to its account'
      where a.organization_id = attempt.organization_id and a.id = attempt.id;
    end if;
  end loop;
  select
    array_agg(a.booking_id order by b.starts_at, b.id) as ids,
    array_agg(a.amount_cents order by b.starts_at, b.id) as cents,
    array_agg(distinct coalesce(s.lead_id, a.id)) as leads,
    bool_and(s.lead_id is not null) as shared,
    bool_or(a.shows_customer) as shows_customer,
    max(a.session_id) as session_id,
    min(a.created_at) as created_at,
    min(a.expires_at) as expires_at
  into page
  from private.payment_attempts as a
  join public.bookings as b on b.organization_id = a.organization_id and b.id = a.booking_id
  left join private.shared_attempts as s on s.organization_id = a.organization_id and s.attempt_id = a.id
  where b.organization_id = known.organization_id and b.order_id = known.id and a.status = 'open';
  if page.shared and cardinality(page.leads) = 1
    and page.ids = wanted.ids and page.cents = wanted.cents
    and not (only_pays and page.shows_customer)
    and not exists (
      -- One of its bookings was cancelled, or paid otherwise, while the page was being made.
      select from private.shared_attempts as s
      join private.payment_attempts as a on a.organization_id = s.organization_id and a.id = s.attempt_id
      where s.organization_id = known.organization_id and s.lead_id = page.leads[1] and a.status <> 'open'
    )
    and (page.session_id is not null or page.created_at >= now() - interval '45 seconds')
  then
    if page.session_id is not null and page.expires_at <= now() then
      perform private.fail('not_payable', 409, 'The time to pay is over. Look at the order in a minute: if it was paid it will be confirmed.');
    end if;
    return private.shown_order_checkout(known, open_order_checkout.reference, page.leads[1], false);
  end if;
  for attempt in
    select a.*
    from private.payment_attempts as a
    join public.bookings as b on b.organization_id = a.organization_id and b.id = a.booking_id
    where b.organization_id = known.organization_id and b.order_id = known.id and a.status = 'open'
    order by a.id
  loop
    perform private.close_attempt(attempt.organization_id, attempt.booking_id, 'its order is paid at once, or another amount is due');
    if attempt.session_id is not null then
      closing := coalesce(private.attempt_lead(attempt.id), attempt.id);
    end if;
  end loop;
  if closing is not null then
    -- Answered, not raised: an error would take the closing back.
    return private.shown_order_checkout(known, open_order_checkout.reference, closing, true);
  end if;

  for booking in
    select b.*
    from public.bookings as b
    where b.organization_id = known.organization_id
      and b.id = any (booking_ids)
      and b.hold_expires_at < hold_wanted
    order by b.starts_at, b.id
  loop
    perform private.extend_hold(booking.organization_id, booking.id, hold_wanted);
  end loop;
  select min(b.hold_expires_at) into kept_until
  from public.bookings as b
  where b.organization_id = known.organization_id and b.id = any (booking_ids);
  if kept_until < now() + interval '5 minutes' then
    perform private.fail('not_payable', 409, 'Too little time is left to pay. Order again when the hold has ended.');
  end if;

  -- One payment's fee, in the proportion of the amounts, as it comes back with a refund of one of them.
  fees := private.divided(
    case
      when account.account_id is null then 0
      else private.platform_fee(
        private.plan_of(known.organization_id), known.currency, wanted.paid_cents, wanted.total_cents, wanted.party_size
      )
    end,
    wanted.cents
  );
  for place in 1..cardinality(wanted.ids) loop
    insert into private.payment_attempts as a (
      organization_id, booking_id, amount_cents, currency, expires_at, stripe_account, platform_fee_cents, covers_rest,
      shows_customer
    )
    values (
      known.organization_id, wanted.ids[place], wanted.cents[place], known.currency, session_ends, account.account_id,
      fees[place], wanted.covers_rest[place], not only_pays
    )
    returning a.id into attempt_id;
    lead_id := coalesce(lead_id, attempt_id);
    insert into private.shared_attempts (organization_id, attempt_id, lead_id)
    values (known.organization_id, attempt_id, lead_id);
  end loop;
  ends_at := least(kept_until - interval '1 minute', wanted.rest_until);
  if ends_at < session_ends then
    perform private.request_checkout_expiry(
      (
        select a from private.payment_attempts as a
        where a.organization_id = known.organization_id and a.id = lead_id
      ),
      ends_at
    );
  end if;
  return private.shown_order_checkout(known, open_order_checkout.reference, lead_id, false);
end
$$;

comment on function private.open_order_checkout is
  'private.open_checkout for an order: one page for what can be paid online of all its bookings that stand.';

create function private.record_order_checkout(lead_id uuid, session_id text, url text, expires_at timestamptz)
returns service.attempt_state
language plpgsql
volatile
set search_path = ''
as $$
declare
  states text [];
  known text;
  recorded boolean;
begin
  select array_agg(distinct a.status), max(a.session_id), bool_and(a.url is not null)
  into states, known, recorded
  from private.lock_shared_attempts(record_order_checkout.lead_id) as a;
  if 'failed' = any (states) then
    -- One of the bookings was cancelled, or paid otherwise, while the session was being made.
    perform private.fail('not_payable', 409, 'Something of the order has changed. Open the page again.');
  elsif known <> record_order_checkout.session_id then
    perform private.fail('attempt_has_session', 409, 'The attempt has another session: open the checkout again to get its address.');
  elsif not recorded then
    perform private.refuse_other_page(record_order_checkout.url, record_order_checkout.expires_at);
    update private.payment_attempts as a
    set session_id = record_order_checkout.session_id,
      url = record_order_checkout.url,
      expires_at = record_order_checkout.expires_at
    from private.shared_attempts as s
    where s.lead_id = record_order_checkout.lead_id
      and a.organization_id = s.organization_id
      and a.id = s.attempt_id;
  end if;
  return row(record_order_checkout.lead_id, states[1])::service.attempt_state;
end
$$;

comment on function private.record_order_checkout is
  'private.record_checkout for the page of several bookings. Raises 409 not_payable, attempt_has_session; 422 checkout_page_invalid.';

create function private.fail_order_checkout(lead_id uuid, error text)
returns service.attempt_state
language plpgsql
volatile
set search_path = ''
as $$
declare
  attempt private.payment_attempts;
  state text;
begin
  for attempt in select a.* from private.lock_shared_attempts(fail_order_checkout.lead_id) as a loop
    if attempt.status = 'open' and attempt.session_id is null then
      update private.payment_attempts as a
      set status = 'failed', error = left(fail_order_checkout.error, 2000)
      where a.organization_id = attempt.organization_id and a.id = attempt.id
      returning a.status into attempt.status;
    end if;
    if attempt.id = fail_order_checkout.lead_id then
      state := attempt.status;
    end if;
  end loop;
  return row(fail_order_checkout.lead_id, state)::service.attempt_state;
end
$$;

comment on function private.fail_order_checkout is 'private.fail_checkout for the page of several bookings.';

create function private.retake_order(organization_id uuid, booking_ids uuid [], paid bigint [])
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  part record;
  booking public.bookings;
begin
  for part in
    select b as booking, coalesce(given.cents, 0) as cents
    from public.bookings as b
    join public.booking_orders as o on o.organization_id = b.organization_id and o.id = b.order_id
    left join unnest(booking_ids, paid) as given (booking_id, cents) on given.booking_id = b.id
    where b.organization_id = retake_order.organization_id
      and b.status = 'expired'
      and b.order_id in (
        select x.order_id from public.bookings as x
        where x.organization_id = retake_order.organization_id and x.id = any (booking_ids)
      )
      -- With what was paid what cost nothing and waited for it.
      and (given.booking_id is not null or b.due_now_cents = 0)
    order by b.starts_at, b.id
  loop
    booking := part.booking;
    if booking.starts_at <= clock_timestamp()
      or private.booking_kept(booking.organization_id, booking.id) + part.cents < booking.due_now_cents
      or not private.reclaim_booking(booking.organization_id, booking.id)
    then
      raise exception using errcode = 'EM002', message = 'order_not_free';
    end if;
  end loop;
  return true;
exception
  when sqlstate 'EM002' then
    return false;
end
$$;

comment on function private.retake_order is
  'Whether all bookings of an order that lapsed have their places again now: all of them, or none is taken. paid: what came in for each of booking_ids. The caller holds them.';

create function private.settle_rest_of_order(organization_id uuid, order_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking_id uuid;
begin
  for booking_id in
    select b.id
    from public.bookings as b
    where b.organization_id = settle_rest_of_order.organization_id
      and b.order_id = settle_rest_of_order.order_id
      and b.status in ('held', 'pending')
      and b.hold_expires_at > now()
      and b.due_now_cents = 0
      and not exists (
        select from public.bookings as other
        where other.organization_id = b.organization_id
          and other.order_id = b.order_id
          and other.status in ('held', 'expired')
          and other.due_now_cents > 0
      )
    order by b.starts_at, b.id
  loop
    perform private.settle_booking(settle_rest_of_order.organization_id, booking_id);
  end loop;
end
$$;

comment on function private.settle_rest_of_order is
  'Settles those bookings of an order that cost nothing now and waited for others: once none is left that must be paid first. The caller holds the bookings.';

create function private.apply_order_session(job private.jobs, lead_id uuid, session jsonb)
returns service.applied_checkout
language plpgsql
volatile
set search_path = ''
as $$
-- As private.apply_checkout_session, for each attempt of the page.
declare
  attempts private.payment_attempts [] := array(
    select a from private.lock_shared_attempts(apply_order_session.lead_id) as a
  );
  attempt private.payment_attempts;
  outcome text := private.session_outcome(session);
  remaining bigint := (session ->> 'amount_total')::bigint;
  cents bigint [] := '{}';
  takes_again boolean := true;
  known public.booking_orders;
  state text;
  answer service.applied_checkout;
begin
  if attempts[1].id is null
    or job.kind = 'stripe.sync' and attempts[1].stripe_account is distinct from job.payload ->> 'account'
  then
    return row(null, 'unknown', null, null)::service.applied_checkout;
  end if;
  select o.* into known
  from public.bookings as b
  join public.booking_orders as o on o.organization_id = b.organization_id and o.id = b.order_id
  where b.organization_id = attempts[1].organization_id and b.id = attempts[1].booking_id;

  if outcome = 'paid' then
    -- What was asked for, each its own; should it ever be another sum, the last takes what is left.
    for place in 1..cardinality(attempts) loop
      cents[place] := case
        when place = cardinality(attempts) then remaining else least(remaining, attempts[place].amount_cents)
      end;
      remaining := remaining - cents[place];
    end loop;
    if exists (
      select from public.bookings as b
      join unnest(attempts) as a on a.organization_id = b.organization_id and a.booking_id = b.id
      where b.status = 'expired'
        -- Or has lapsed as one has that cost nothing and is not among them.
        or b.hold_expires_at <= now() and exists (
          select from public.bookings as other
          where other.organization_id = known.organization_id
            and other.order_id = known.id
            and other.status = 'expired'
            and other.due_now_cents = 0
        )
    ) and not exists (
      -- Told before: what it did then stays.
      select from public.payments as p
      where p.organization_id = known.organization_id and p.provider_payment_id = coalesce(session ->> 'payment_intent', session ->> 'id')
    ) then
      -- What lapsed with it and still has its place has it no longer: all or none.
      perform private.end_at_deadline(array_agg(b.organization_id), array_agg(b.id))
      from public.bookings as b
      where b.organization_id = known.organization_id
        and b.order_id = known.id
        and b.hold_expires_at <= now()
      having count(*) > 0;
      takes_again := private.retake_order(
        known.organization_id, array(select a.booking_id from unnest(attempts) with ordinality as a order by a.ordinality), cents
      );
    end if;
  end if;

  for place in 1..cardinality(attempts) loop
    attempt := private.follow_provider_session(attempts[place], session);
    if outcome = 'paid' and attempts[place].status <> 'paid' and attempt.covers_rest then
      perform private.want_what_comes(attempt.organization_id, attempt.booking_id, cents[place]);
    end if;
    if outcome = 'paid' and cents[place] > 0 then
      state := private.receive_payment(row(
        attempt.organization_id, null, attempt.booking_id, 'stripe',
        cents[place], upper(session ->> 'currency'),
        coalesce(session ->> 'payment_intent', session ->> 'id'), session ->> 'id',
        (session ->> 'as_of')::timestamptz, null, null, attempt.stripe_account,
        case when attempt.stripe_account is null then 0 else least(attempt.platform_fee_cents, cents[place]) end
      )::public.payments, takes_again => takes_again);
    else
      select b.status into state
      from public.bookings as b
      where b.organization_id = attempt.organization_id and b.id = attempt.booking_id;
    end if;
    if attempt.id = apply_order_session.lead_id then
      answer := row(attempt.id, attempt.status, attempt.booking_id, state)::service.applied_checkout;
    end if;
  end loop;

  if outcome = 'paid' then
    perform private.settle_rest_of_order(known.organization_id, known.id);
  elsif outcome = 'delayed' then
    perform private.wait_for_delayed(
      known.organization_id,
      array(select b.id from public.bookings as b where b.organization_id = known.organization_id and b.order_id = known.id)
    );
  end if;
  return answer;
end
$$;

comment on function private.apply_order_session is
  'private.apply_checkout_session for the page of several bookings: any order and any number of calls end the same. Of the answer booking and status are those of its first attempt.';

create function private.payments_of_intent(payment public.payments)
returns setof public.payments
language plpgsql
stable
rows 1
set search_path = ''
as $$
begin
  return query
  select p.*
  from public.payments as p
  join public.bookings as b on b.organization_id = p.organization_id and b.id = p.booking_id
  where p.organization_id = payment.organization_id
    and p.provider_payment_id = payment.provider_payment_id
    and p.stripe_account is not distinct from payment.stripe_account
  order by b.starts_at, b.id;
end
$$;

comment on function private.payments_of_intent is
  'All payments that are parts of the provider''s payment, as of an order, in order of their bookings; mostly it alone.';

create function private.lock_payments_of_intent(payment public.payments)
returns public.payments
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking_ids uuid [] := array(select p.booking_id from private.payments_of_intent(payment) as p);
begin
  if cardinality(booking_ids) = 1 then
    return private.locked_payment(payment);
  end if;
  -- Bookings of an order are not merged, so each keeps its payment.
  perform private.lock_bookings(payment.organization_id, booking_ids);
  return payment;
end
$$;

comment on function private.lock_payments_of_intent is
  'A payment as it is now, with its booking locked, and those that were paid with it.';

create function private.refund_shares(payment public.payments, refund jsonb)
returns private.refund_share []
language plpgsql
stable
set search_path = ''
as $$
declare
  shares private.refund_share [];
  remaining bigint := (refund ->> 'amount')::bigint;
  part record;
  share bigint;
begin
  -- Heard of before: as it was divided then.
  shares := array(
    select row(q.payment_id, q.id, q.amount_cents)::private.refund_share
    from private.refund_requests as q
    where q.organization_id = payment.organization_id and q.provider_refund_id = refund ->> 'id'
    order by q.id
  );
  if cardinality(shares) = 1 then
    shares[1].cents := remaining;
    return shares;
  elsif cardinality(shares) > 1 then
    return shares;
  end if;
  shares := array(
    select row(q.payment_id, q.id, remaining)::private.refund_share
    from private.refund_requests as q
    join private.payments_of_intent(payment) as p on p.organization_id = q.organization_id and p.id = q.payment_id
    where q.organization_id = payment.organization_id
      and q.id = (refund ->> 'refund_request_id')::uuid
      and q.provider_refund_id is null
      -- Settled by hand meanwhile: then this is another refund.
      and q.status <> 'succeeded'
  );
  if cardinality(shares) = 1 then
    return shares;
  end if;
  -- On the dashboard, of a payment of several bookings: first what is promised and not made, then what can still go
  -- back, booking by booking; what is more than all of it belongs to the last.
  shares := '{}';
  for part in
    select p.id, coalesce((
      select sum(q.amount_cents)
      from private.refund_requests as q
      where q.organization_id = p.organization_id
        and q.payment_id = p.id
        and q.status = 'pending'
        and q.provider_refund_id is null
    ), 0)::bigint as promised
    from private.payments_of_intent(payment) as p
  loop
    share := least(remaining, part.promised);
    shares := shares || row(part.id, null, share)::private.refund_share;
    remaining := remaining - share;
  end loop;
  for place in 1..cardinality(shares) loop
    share := case
      when place = cardinality(shares) then remaining
      else least(remaining, (
        select private.payment_refundable(p) from public.payments as p
        where p.organization_id = payment.organization_id and p.id = shares[place].payment_id
      ))
    end;
    shares[place].cents := shares[place].cents + share;
    remaining := remaining - share;
  end loop;
  return array(select s from unnest(shares) as s where s.cents > 0);
end
$$;

comment on function private.refund_shares is
  'To which payments a refund of the provider belongs, and with how much: the one that it was promised for; of one that was made on the dashboard those of the payment intent. The caller holds their bookings.';
