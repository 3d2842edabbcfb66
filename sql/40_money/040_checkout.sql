-- Checkout: the one open attempt to pay a booking through the provider.
--
-- Why a kill between two steps neither loses nor doubles money:
--   open_checkout   writes the attempt; its id names the attempt at the provider, as
--                   idempotency key and as client_reference_id. Killed here: the next call
--                   returns the same attempt, and asking the provider again gives the same
--                   session.
--   the provider    makes the session. Killed here: nobody has its address, so nobody can
--                   pay it, and it expires.
--   record_checkout writes the address. Only after this may a person be sent there.
-- A session that we never recorded still finds its attempt by client_reference_id.
--
-- Whoever touches the money of a booking calls private.locked_booking first and locks the
-- attempt after it: one order, no deadlock.
--
-- A booking that was changed may owe another amount than its open attempt asks for. Then the
-- attempt's session is closed at the provider, and until that is known no other opens: whatever
-- is paid into the old one meanwhile counts, and the difference stays open or goes back.

create table private.payment_attempts (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  status text not null default 'open',
  amount_cents bigint not null,
  currency text not null,
  expires_at timestamptz not null,
  stripe_account text,
  platform_fee_cents bigint not null default 0,
  covers_rest boolean not null default false,
  shows_customer boolean not null default true,
  session_id text,
  url text,
  error text,
  as_of timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  share_id uuid,
  constraint payment_attempts_pkey primary key (organization_id, id),
  constraint payment_attempts_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint payment_attempts_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id),
  constraint payment_attempts_status_is_known check (status in ('open', 'failed', 'expired', 'paid')),
  constraint payment_attempts_amount_is_positive check (amount_cents > 0),
  constraint payment_attempts_fee_is_part_of_the_amount check (platform_fee_cents between 0 and amount_cents),
  constraint payment_attempts_fee_is_of_an_own_account check (platform_fee_cents = 0 or stripe_account is not null)
);

comment on table private.payment_attempts is 'Attempts to pay through the provider; a booking, and each of its shares, has at most one that is open.';
comment on column private.payment_attempts.status is
  'open → failed (no session was made) → expired → paid: it only moves to the right, so reports may come in any order.';
comment on column private.payment_attempts.expires_at is 'When the provider closes its session.';
comment on column private.payment_attempts.stripe_account is 'The connected account that is paid; null is the platform''s own.';
comment on column private.payment_attempts.platform_fee_cents is 'What the platform takes of it, in minor units of currency.';
comment on column private.payment_attempts.covers_rest is
  'Whether more is paid than was due to confirm the booking: its rest, or all of it at once.';
comment on column private.payment_attempts.shows_customer is
  'Whether its page shows the customer''s address: who has a pay link only is shown another page.';
comment on column private.payment_attempts.share_id is 'The share that it pays; null: it pays the booking.';
comment on column private.payment_attempts.as_of is 'The newest instant at which the provider''s state was read.';

-- for: private.open_checkout; two people who press "pay" at once get the same attempt
create unique index payment_attempts_open_key on private.payment_attempts (organization_id, booking_id)
where status = 'open' and share_id is null;
-- for: the foreign key, and the attempt behind a payment
create index payment_attempts_booking_id_idx on private.payment_attempts (organization_id, booking_id);
-- for: private.lock_attempt; the provider knows the attempt's id and no organization
create index payment_attempts_id_idx on private.payment_attempts (id);
-- for: private.queue_stale_checkouts
create index payment_attempts_stale_idx on private.payment_attempts ((coalesce(as_of, created_at)))
where status = 'open' and session_id is not null;

create trigger payment_attempts_touch_updated_at
before update on private.payment_attempts
for each row execute function private.touch_updated_at();

create function private.lock_attempt(attempt_id uuid)
returns private.payment_attempts
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen_booking_id uuid;
  attempt private.payment_attempts;
begin
  select a.* into attempt
  from private.payment_attempts as a
  where a.id = lock_attempt.attempt_id;
  if not found then
    return null;
  end if;
  -- With its room, since money that came late may have to claim the time again.
  -- 503 makes a worker's job come back.
  seen_booking_id := attempt.booking_id;
  perform private.locked_for_change(attempt.organization_id, seen_booking_id, null, 503);
  select a.* into attempt
  from private.payment_attempts as a
  where a.organization_id = attempt.organization_id and a.id = attempt.id
  for update;
  if attempt.booking_id <> seen_booking_id then
    perform private.fail('booking_changed', 503, 'Somebody else just merged the booking with another: try again.');
  end if;
  return attempt;
end
$$;

comment on function private.lock_attempt is 'The attempt, with its booking''s room, its booking and itself locked; null if there is none. Raises 503 booking_changed when the booking moves to another room, or is merged with another, at that moment.';

create function private.request_checkout_expiry(attempt private.payment_attempts, run_at timestamptz default now())
returns void
language sql
volatile
set search_path = ''
as $$
  select private.enqueue(
    'stripe.expire_checkout',
    jsonb_build_object('organization_id', attempt.organization_id, 'attempt_id', attempt.id),
    'stripe.expire_checkout:' || attempt.id,
    attempt.organization_id,
    run_at
  )
$$;

comment on function private.request_checkout_expiry is
  'Queues closing the attempt''s session at the provider, so that nobody can pay for what is no longer for sale.';

create function private.close_one_attempt(attempt private.payment_attempts, reason text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if attempt.session_id is not null then
    -- The attempt stays open until the provider says what became of it: it may be paid.
    perform private.request_checkout_expiry(attempt);
  elsif attempt.id is not null then
    update private.payment_attempts as a
    set status = 'failed', error = close_one_attempt.reason
    where a.organization_id = attempt.organization_id and a.id = attempt.id;
  end if;
end
$$;

comment on function private.close_one_attempt is
  'Closes a locked attempt that is open: at the provider, or here when no session was made. Null: nothing.';

create function private.close_attempt(organization_id uuid, booking_id uuid, reason text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  attempt private.payment_attempts;
begin
  select a.* into attempt
  from private.payment_attempts as a
  where a.organization_id = close_attempt.organization_id
    and a.booking_id = close_attempt.booking_id
    and a.share_id is null
    and a.status = 'open'
  for update;
  perform private.close_one_attempt(attempt, close_attempt.reason);
end
$$;

comment on function private.close_attempt is
  'Closes the open attempt to pay a locked booking, if it has one; those of its shares are closed with these.';

create function private.checkout_token(attempt_id uuid)
returns text
language sql
stable
set search_path = ''
as $$ select private.derived_token('checkout', attempt_id::text) $$;

comment on function private.checkout_token is
  'What whoever opened an attempt proves when reporting on it. Derived, not drawn: two who open the same attempt at once get the same one.';

create function private.lock_own_attempt(attempt_id uuid, attempt_token text)
returns private.payment_attempts
language plpgsql
volatile
set search_path = ''
as $$
declare
  attempt private.payment_attempts;
begin
  -- Asked before anything is locked. Ids of attempts are no secret: jobs and events carry them.
  if private.token_hash(lock_own_attempt.attempt_token)
    = private.token_hash(private.checkout_token(lock_own_attempt.attempt_id))
  then
    attempt := private.lock_attempt(lock_own_attempt.attempt_id);
  end if;
  if attempt.id is null then
    perform private.fail('attempt_not_found', 404, 'Open the checkout first, and report with the token that it answers.');
  end if;
  return attempt;
end
$$;

comment on function private.lock_own_attempt is
  'private.lock_attempt for whoever opened the attempt: raises 404 attempt_not_found without its token.';

create type service.open_checkout as (
  attempt_id uuid,
  attempt_token text,
  organization_id uuid,
  booking_id uuid,
  reference text,
  amount_cents bigint,
  currency text,
  locale text,
  description text,
  customer_email text,
  expires_at timestamptz,
  stripe_account text,
  delayed_methods boolean,
  checkout_url text,
  site_url text,
  platform_fee_cents bigint,
  closing boolean,
  session_id text
);

comment on type service.open_checkout is 'The open attempt to pay a booking, or a gift voucher.';
comment on column service.open_checkout.attempt_id is 'Names the attempt at the provider; of an order the first of its bookings'' attempts.';
comment on column service.open_checkout.attempt_token is 'For record_checkout and fail_checkout; null once there is a page.';
comment on column service.open_checkout.organization_id is 'The venue.';
comment on column service.open_checkout.booking_id is 'The booking, of an order the first; null: a gift voucher is bought.';
comment on column service.open_checkout.reference is 'The booking''s, the order''s, or the id of the voucher''s order.';
comment on column service.open_checkout.amount_cents is 'Minor units of currency.';
comment on column service.open_checkout.currency is 'ISO 4217, upper case.';
comment on column service.open_checkout.locale is 'The payer''s language. one of: es, en, ca';
comment on column service.open_checkout.description is 'What is paid for, to show the payer.';
comment on column service.open_checkout.customer_email is 'The customer''s address; null: the venue was given none, or whoever asks may only pay.';
comment on column service.open_checkout.expires_at is 'When the provider is to close its session.';
comment on column service.open_checkout.stripe_account is 'The connected account that is paid; null: the platform''s own.';
comment on column service.open_checkout.delayed_methods is 'Whether methods that take days may be offered.';
comment on column service.open_checkout.checkout_url is
  'Where to pay, as it was recorded: nobody is sent there before the provider has said the same of session_id; null: the provider has made no session yet.';
comment on column service.open_checkout.session_id is 'The provider''s session, to be asked about; null: there is none yet.';
comment on column service.open_checkout.platform_fee_cents is 'What the platform takes of it, in minor units of currency.';
comment on column service.open_checkout.closing is
  'Whether this is the page of another amount, which is being closed first: ask again in a moment.';
comment on column service.open_checkout.site_url is 'The page of its calendar, to come back to; null: none.';

create function private.shown_checkout(
  booking public.bookings, attempt private.payment_attempts, closing boolean
)
returns service.open_checkout
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      attempt.id,
      case when attempt.url is null then private.checkout_token(attempt.id) end,
      attempt.organization_id,
      booking.id,
      booking.reference,
      attempt.amount_cents,
      attempt.currency,
      booking.locale,
      concat_ws(
        ' · ', private.room_name(r, booking.locale), o.name,
        to_char(booking.starts_at at time zone l.timezone, 'DD/MM/YYYY HH24:MI')
      ),
      case when attempt.shows_customer then c.email end,
      attempt.expires_at,
      attempt.stripe_account,
      o.delayed_methods,
      attempt.url,
      (private.managing_calendar(booking)).site_url,
      attempt.platform_fee_cents,
      shown_checkout.closing,
      attempt.session_id
    )::service.open_checkout
    from public.organizations as o
    join public.rooms as r on r.organization_id = o.id and r.id = booking.room_id
    join public.locations as l on l.organization_id = o.id and l.id = r.location_id
    join public.customers as c on c.organization_id = o.id and c.id = booking.customer_id
    where o.id = booking.organization_id
  );
end
$$;

comment on function private.shown_checkout is 'An attempt as the service gets to know it.';

create function private.open_checkout(reference text, manage_token text, whole boolean)
returns service.open_checkout
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  -- The shortest life Stripe gives a session is 30 minutes; the extra minute is for the
  -- way there, the two after it for a payment made in its last second.
  session_ends timestamptz := now() + interval '31 minutes';
  hold_wanted timestamptz := now() + interval '33 minutes';
  known public.booking_orders := private.order_of_token(open_checkout.manage_token);
  booking public.bookings;
  only_pays boolean := (private.booking_with_pay_token(open_checkout.reference, open_checkout.manage_token)).id is not null;
  attempt private.payment_attempts;
  account private.payment_account;
  ends_at timestamptz;
  owed bigint;
  due bigint;
begin
  if known.reference = any (private.typed_references(open_checkout.reference)) then
    return private.open_order_checkout(known, known.reference, open_checkout.whole, false);
  end if;
  booking := private.booking_to_pay(open_checkout.reference, open_checkout.manage_token);
  if booking.order_id is not null and booking.status = 'held' then
    return private.open_order_checkout((
      select o from public.booking_orders as o
      where o.organization_id = booking.organization_id and o.id = booking.order_id
    ), booking.reference, open_checkout.whole, only_pays);
  end if;
  booking := private.locked_booking(booking.organization_id, booking.id);
  perform private.act_as('customer', booking.customer_id);

  if private.venue_is_closed(booking.organization_id) then
    perform private.fail('not_payable', 409, 'The venue is closed: cancel the booking.');
  elsif booking.status in ('expired', 'cancelled') or booking.hold_expires_at <= now() then
    perform private.fail('not_payable', 409, 'The booking is no longer held. Book again.');
  elsif booking.status in ('in_progress', 'completed', 'no_show') then
    perform private.fail('nothing_due', 409, 'The visit has begun or is over: ask the venue what is open.');
  end if;
  account := private.payment_account(booking.organization_id);
  owed := booking.due_now_cents - private.booking_covered(booking.organization_id, booking.id);
  if not account.available and greatest(owed, private.booking_open(booking)) > 0 then
    perform private.fail(
      'online_payment_unavailable', 409,
      case
        when (select o.pay_at_venue from public.organizations as o where o.id = booking.organization_id)
          then 'The venue cannot be paid online at the moment: pay there.'
        else 'The venue cannot be paid online at the moment: ask it.'
      end
    );
  end if;
  -- Of a confirmed booking too: its rest, or what a change has made dearer.
  due := private.payable_online(booking, open_checkout.whole);
  if due = 0 and private.shares_are_closing(booking.organization_id, booking.id) then
    perform private.fail('checkout_closing', 409, 'The page of a share is being closed: try again in a minute.');
  elsif due = 0 then
    perform private.fail('nothing_due', 409, 'Nothing is due online.');
  end if;

  select a.* into attempt
  from private.payment_attempts as a
  where a.organization_id = booking.organization_id
    and a.booking_id = booking.id
    and a.share_id is null
    and a.status = 'open'
  for update;

  if attempt.session_id is null and attempt.created_at < now() - interval '45 seconds' then
    -- Left without a session, and too old for one: the provider would refuse expires_at.
    -- A new attempt has a new id, so the provider does not answer with the old failure.
    update private.payment_attempts as a
    set status = 'failed', error = 'no session was recorded'
    where a.organization_id = attempt.organization_id and a.id = attempt.id;
    attempt := null;
  elsif attempt.session_id is not null and attempt.expires_at <= now() and exists (
    select from public.stripe_accounts as a
    where a.organization_id = attempt.organization_id
      and a.account_id = attempt.stripe_account
      and a.deauthorized_at is not null
  ) then
    -- Nobody can ask what became of it, and nobody can pay on it. Should it be heard of later, it counts.
    update private.payment_attempts as a
    set status = 'expired', error = 'no access to its account'
    where a.organization_id = attempt.organization_id and a.id = attempt.id;
    attempt := null;
  elsif attempt.session_id is not null and (
    attempt.amount_cents <> due or only_pays and attempt.shows_customer or private.attempt_lead(attempt.id) is not null
  ) then
    -- The payer wants to pay another amount now, this booking alone, or may not see whose the page is. Answered, not raised: an error would
    -- take the closing back.
    if attempt.amount_cents = private.payable_online(booking, attempt.covers_rest) then
      perform private.request_checkout_expiry(attempt);
      return private.shown_checkout(booking, attempt, true);
    end if;
    perform private.fail('checkout_closing', 409, 'The booking was changed, and the former page is being closed: try again in a minute.');
  elsif attempt.id is not null and attempt.session_id is null and only_pays and attempt.shows_customer then
    perform private.fail('checkout_closing', 409, 'The customer is about to pay: try again in a minute.');
  elsif attempt.session_id is not null and attempt.expires_at <= now() then
    perform private.fail('not_payable', 409, 'The time to pay is over. Look at the booking in a minute: if it was paid it will be confirmed.');
  end if;

  if attempt.id is not null and attempt.session_id is null
    and (attempt.amount_cents <> due or private.attempt_lead(attempt.id) is not null)
  then
    perform private.close_attempt(booking.organization_id, booking.id, 'another amount is due');
    attempt := null;
  end if;

  if attempt.id is null then
    if booking.hold_expires_at < hold_wanted then
      perform private.extend_hold(booking.organization_id, booking.id, hold_wanted);
      select b.* into booking
      from public.bookings as b
      where b.organization_id = booking.organization_id and b.id = booking.id;
    end if;
    if booking.hold_expires_at < now() + interval '5 minutes' then
      perform private.fail('not_payable', 409, 'Too little time is left to pay. Book again when the hold has ended.');
    end if;

    insert into private.payment_attempts (
      organization_id, booking_id, amount_cents, currency, expires_at, stripe_account, platform_fee_cents, covers_rest,
      shows_customer
    )
    values (
      booking.organization_id, booking.id, due, booking.currency, session_ends, account.account_id,
      case
        when account.account_id is null then 0
        else private.platform_fee(
          private.plan_of(booking.organization_id), booking.currency, due, booking.total_cents, booking.party_size
        )
      end,
      due > owed,
      not only_pays
    )
    returning * into attempt;

    -- The provider's shortest session is too long for a second attempt under a hold that was extended
    -- before, and for a rest that can soon be paid at the venue only: it is closed for them.
    ends_at := least(
      booking.hold_expires_at - interval '1 minute',
      case when attempt.covers_rest then private.rest_payable_until(booking) end
    );
    if ends_at < session_ends then
      perform private.request_checkout_expiry(attempt, ends_at);
    end if;
  end if;

  return private.shown_checkout(booking, attempt, false);
end
$$;

comment on function private.open_checkout is
  'definer: the service may read no table. Proves the customer by the manage token, or the pay token.';
grant execute on function private.open_checkout to service_role;

create function service.open_checkout(reference text, manage_token text, whole boolean default false)
returns service.open_checkout
language sql
volatile
set search_path = ''
as $$ select private.open_checkout(reference, manage_token, whole) $$;

comment on function service.open_checkout is
  'Opens the booking''s payment attempt and extends its hold once, or returns the attempt that is open. It asks for what is due; of a confirmed booking for all that is open, and whole: of a held one too, where the venue lets the rest be paid online. manage_token: or the pay_token of get_payment_link. By the reference and order_token of an order, and for a booking of one that is held, one page for all its bookings that stand. Errors: 404 booking_not_found; 409 nothing_due, not_payable, checkout_closing, online_payment_unavailable.';
grant execute on function service.open_checkout to service_role;

create type service.attempt_state as (
  attempt_id uuid,
  status text
);

comment on type service.attempt_state is 'What has become of an attempt to pay.';
comment on column service.attempt_state.attempt_id is 'The attempt.';
comment on column service.attempt_state.status is 'one of: open, failed, expired, paid';

create function private.record_checkout(attempt_id uuid, attempt_token text, session_id text, url text, expires_at timestamptz)
returns service.attempt_state
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  attempt private.payment_attempts;
begin
  if private.is_own_page(record_checkout.attempt_id, record_checkout.attempt_token) then
    return private.record_order_checkout(
      record_checkout.attempt_id, record_checkout.session_id, record_checkout.url, record_checkout.expires_at
    );
  end if;
  attempt := private.lock_own_attempt(record_checkout.attempt_id, record_checkout.attempt_token);
  if attempt.status = 'failed' then
    -- Cancelled, or paid otherwise, while the session was being made. Refused, its address
    -- reaches nobody, so it needs no closing: it expires unpaid.
    perform private.fail('not_payable', 409, 'The booking is no longer held. Book again.');
  elsif attempt.session_id is not null and attempt.session_id <> record_checkout.session_id then
    perform private.fail('attempt_has_session', 409, 'The attempt has another session: open the checkout again to get its address.');
  elsif attempt.url is not null then
    -- Recorded before. Where people are sent to pay never changes afterwards.
    return row(attempt.id, attempt.status)::service.attempt_state;
  end if;
  perform private.refuse_other_page(record_checkout.url, record_checkout.expires_at);

  update private.payment_attempts as a
  set session_id = record_checkout.session_id,
    url = record_checkout.url,
    expires_at = record_checkout.expires_at
  where a.organization_id = attempt.organization_id and a.id = attempt.id;
  return row(attempt.id, attempt.status)::service.attempt_state;
end
$$;

comment on function private.record_checkout is 'definer: the service may write no table.';
grant execute on function private.record_checkout to service_role;

create function service.record_checkout(attempt_id uuid, attempt_token text, session_id text, url text, expires_at timestamptz)
returns service.attempt_state
language sql
volatile
set search_path = ''
as $$ select private.record_checkout(attempt_id, attempt_token, session_id, url, expires_at) $$;

comment on function service.record_checkout is
  'Remembers the provider''s session of an attempt, for whoever has the attempt_token of open_checkout; only then may a person be sent to url. Errors: 404 attempt_not_found; 409 not_payable, attempt_has_session; 422 checkout_page_invalid; 503 booking_changed (it was moved at that moment: try again).';
grant execute on function service.record_checkout to service_role;

create function private.fail_checkout(attempt_id uuid, attempt_token text, error text)
returns service.attempt_state
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  attempt private.payment_attempts;
begin
  if private.is_own_page(fail_checkout.attempt_id, fail_checkout.attempt_token) then
    return private.fail_order_checkout(fail_checkout.attempt_id, fail_checkout.error);
  end if;
  attempt := private.lock_own_attempt(fail_checkout.attempt_id, fail_checkout.attempt_token);
  if attempt.status = 'open' and attempt.session_id is null then
    update private.payment_attempts as a
    set status = 'failed', error = left(fail_checkout.error, 2000)
    where a.organization_id = attempt.organization_id and a.id = attempt.id
    returning a.status into attempt.status;
  end if;
  return row(attempt.id, attempt.status)::service.attempt_state;
end
$$;

comment on function private.fail_checkout is 'definer: the service may write no table.';
grant execute on function private.fail_checkout to service_role;

create function service.fail_checkout(attempt_id uuid, attempt_token text, error text)
returns service.attempt_state
language sql
volatile
set search_path = ''
as $$ select private.fail_checkout(attempt_id, attempt_token, error) $$;

comment on function service.fail_checkout is
  'Closes an attempt for which the provider made no session, for whoever has the attempt_token of open_checkout, so that another may open; one that has a session stays as it is. Errors: 404 attempt_not_found; 503 booking_changed (it was moved at that moment: try again).';
grant execute on function service.fail_checkout to service_role;

create type service.checkout_attempt as (
  session_id text,
  status text,
  stripe_account text
);

comment on type service.checkout_attempt is 'An attempt to pay, at the provider.';
comment on column service.checkout_attempt.session_id is 'Stripe''s session; null: none was recorded.';
comment on column service.checkout_attempt.status is 'one of: open, failed, expired, paid';
comment on column service.checkout_attempt.stripe_account is 'The connected account that is paid; null: the platform''s own.';

create function private.get_checkout_attempt(job_id bigint, lease_token uuid)
returns service.checkout_attempt
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(get_checkout_attempt.job_id, get_checkout_attempt.lease_token);
  attempt private.payment_attempts;
begin
  perform private.refuse_other_object(job, job.kind = 'stripe.expire_checkout');
  select a.* into attempt
  from private.payment_attempts as a
  where a.organization_id = job.organization_id and a.id = (job.payload ->> 'attempt_id')::uuid;
  if not found then
    perform private.fail('attempt_not_found', 404, 'Open the checkout first.');
  end if;
  return row(attempt.session_id, attempt.status, attempt.stripe_account)::service.checkout_attempt;
end
$$;

comment on function private.get_checkout_attempt is 'definer: the service may read no table.';
grant execute on function private.get_checkout_attempt to service_role;

create function service.get_checkout_attempt(job_id bigint, lease_token uuid)
returns service.checkout_attempt
language sql
stable
set search_path = ''
as $$ select private.get_checkout_attempt(job_id, lease_token) $$;

comment on function service.get_checkout_attempt is
  'The attempt whose session a claimed job of kind stripe.expire_checkout closes. Errors: 404 attempt_not_found; 409 lease_lost, lease_of_another.';
grant execute on function service.get_checkout_attempt to service_role;

create function private.queue_stale_checkouts(older_than_seconds int)
returns int
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  queued int;
begin
  with stale as (
    select a.organization_id, a.id, a.session_id, a.stripe_account, k.dedupe_key
    from (
      select p.organization_id, p.id, p.session_id, p.stripe_account, coalesce(p.as_of, p.created_at) as heard_at
      from private.payment_attempts as p
      where p.status = 'open' and p.session_id is not null
      union all
      select o.organization_id, o.id, o.session_id, o.stripe_account, coalesce(o.as_of, o.opened_at)
      from public.voucher_orders as o
      where o.status = 'open' and o.session_id is not null
    ) as a
    cross join lateral (
      -- As private.receive_stripe_event names it: what an event asks for as well is read once.
      select concat_ws(':', 'stripe.sync', a.stripe_account, 'checkout.session', a.session_id) as dedupe_key
    ) as k
    where a.heard_at < now() - queue_stale_checkouts.older_than_seconds * interval '1 second'
      -- One that waits for its next try keeps its pause. One that died is looked at by a person, or
      -- tried anew when an event comes, or after a day.
      and not exists (
        select from private.jobs as j
        where j.kind = 'stripe.sync' and j.dedupe_key = k.dedupe_key and j.status in ('queued', 'running')
      )
      and not exists (
        select from private.jobs as j
        where j.kind = 'stripe.sync'
          and j.dedupe_key = k.dedupe_key
          and j.status = 'dead'
          and j.finished_at > now() - interval '1 day'
      )
    order by a.heard_at
    limit 100
  )
  select count(private.enqueue(
    'stripe.sync',
    jsonb_build_object(
      'object_type', 'checkout.session', 'object_id', s.session_id, 'account', s.stripe_account, 'attempt_id', s.id
    ),
    s.dedupe_key,
    s.organization_id
  ))::int
  into queued
  from stale as s;
  return queued;
end
$$;

comment on function private.queue_stale_checkouts is 'definer: the service may read no table, and the queue is visible to nobody.';
grant execute on function private.queue_stale_checkouts to service_role;

create function service.queue_stale_checkouts(older_than_seconds int)
returns int
language sql
volatile
set search_path = ''
as $$ select private.queue_stale_checkouts(older_than_seconds) $$;

comment on function service.queue_stale_checkouts is
  'Queues asking the provider about open attempts, and ordered vouchers, of which nothing was heard for so long: a job each (stripe.sync), up to 100, longest first, so that one which fails hides no other. Returns how many it queued; none for one whose job is unfinished, or died within a day.';
grant execute on function service.queue_stale_checkouts to service_role;
