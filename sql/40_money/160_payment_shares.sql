-- Split payment: the shares in which several people pay a booking.
--
-- A share is a part of what is open, kept for one payer, who pays it by a link of their own and may do nothing else.
-- What no share covers is the organizer's, who pays it by the booking's own link. So all that can go wrong with a
-- share (its payer is late, the organizer takes it over, names others) ends in one way: the share ends, and its
-- amount is the organizer's again.
--
-- Nothing is paid twice on purpose. What the organizer can pay leaves out what open shares cover, and of a share that
-- has ended what its page still asks for, until the provider says that it is closed. Money may come all the same, late
-- and twice. It counts whole or goes back whole to who paid it, never in part:
--   of an open share           counts, if it is the share's amount;
--   of a paid one              goes back;
--   of one that has ended      counts while nobody else pays or covers that part, else it goes back;
--   of a hold that lapsed      as all late money (private.settle_booking);
--   of a cancelled booking     goes back.
-- It is decided in the transaction that writes the payment, under the booking's lock, which whoever changes a share
-- holds, too. Locks are taken in one order: the booking's, then attempts'.
--
-- What goes back of a booking with paid shares: all of it means to each payer what that payer paid; a part of it
-- (terms, a change, a no-show's fee, an amount that staff give back) is taken from all payments in the proportion of
-- what is left of them, each rounded down and the rest by largest remainder (private.apportioned); what was paid too
-- much goes back to the organizer, since a share counts only where it is wanted.

create table public.payment_shares (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  position int not null,
  payer_name text not null,
  payer_email text,
  amount_cents bigint not null,
  currency text not null,
  locale text not null,
  status text not null default 'open',
  ended_reason text,
  expires_at timestamptz not null,
  reminders int not null default 0,
  reminded_at timestamptz,
  paid_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint payment_shares_pkey primary key (organization_id, id),
  constraint payment_shares_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint payment_shares_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id),
  constraint payment_shares_payer_is_a_name check (private.is_name(payer_name, 100)),
  constraint payment_shares_payer_email_is_plausible check (private.is_email(payer_email)),
  constraint payment_shares_amount_is_positive check (amount_cents > 0),
  constraint payment_shares_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint payment_shares_locale_is_supported check (private.is_locale(locale)),
  constraint payment_shares_status_is_known check (status in ('open', 'paid', 'ended')),
  constraint payment_shares_ended_has_its_reason check ((status = 'ended') = (ended_reason is not null)),
  constraint payment_shares_ended_reason_is_known check (
    ended_reason in ('taken_over', 'late', 'changed', 'covered', 'booking_over')
  ),
  constraint payment_shares_paid_has_a_time check ((status = 'paid') = (paid_at is not null)),
  constraint payment_shares_reminders_are_0_to_3 check (reminders between 0 and 3)
);

comment on table public.payment_shares is
  'The shares in which several people pay a booking. What no open or paid share covers is the organizer''s.';
comment on column public.payment_shares.position is 'In the order in which the organizer named them.';
comment on column public.payment_shares.payer_name is 'Who pays it, as the organizer says.';
comment on column public.payment_shares.payer_email is 'Where its link is mailed to; null: the organizer hands it over, or it was erased.';
comment on column public.payment_shares.amount_cents is 'Minor units of currency.';
comment on column public.payment_shares.locale is 'The language of its page and mails, the booking''s: es, en or ca.';
comment on column public.payment_shares.status is
  'open → paid, or ended → paid when its money comes late and is still wanted. Paid stays, also when it went back.';
comment on column public.payment_shares.ended_reason is
  'Why it ended unpaid: taken_over (by the organizer), late, changed (the organizer named others), covered (paid otherwise), booking_over; null: it did not.';
comment on column public.payment_shares.expires_at is
  'Until when it can be paid: then it is the organizer''s, or lapses with the hold (organizations.late_shares).';
comment on column public.payment_shares.reminders is 'How often its payer was reminded.';
comment on column public.payment_shares.paid_at is 'When we were told of its payment; null: not paid.';

-- for: the foreign key, and the shares of a booking
create index payment_shares_booking_id_idx on public.payment_shares (organization_id, booking_id);
-- for: private.open_share_checkout, get_payment_share; a link names the share and no organization
create index payment_shares_id_idx on public.payment_shares (id);
-- for: private.end_late_shares
create index payment_shares_expires_at_idx on public.payment_shares (expires_at) where status = 'open';

grant select on public.payment_shares to authenticated;

alter table public.payment_shares enable row level security;

create trigger payment_shares_clean_names
before insert or update of payer_name on public.payment_shares
for each row execute function private.clean_texts('names', 'payer_name');

create policy payment_shares_select on public.payment_shares
for select to authenticated
using (
  organization_id = (select private.organization_with('payments:read'))
  and organization_id = (select private.organization_with('customers:read'))
);

create trigger payment_shares_touch_updated_at
before update on public.payment_shares
for each row execute function private.touch_updated_at();

alter table private.payment_attempts
add constraint payment_attempts_share_fkey foreign key (organization_id, share_id)
references public.payment_shares (organization_id, id);

-- for: the foreign key; and two people who press "pay" at once get the same attempt
create unique index payment_attempts_open_share_key on private.payment_attempts (organization_id, share_id)
where status = 'open' and share_id is not null;
-- for: the foreign key, and the attempts of a share
create index payment_attempts_share_id_idx on private.payment_attempts (organization_id, share_id)
where share_id is not null;

create table private.share_payments (
  organization_id uuid not null,
  payment_id uuid not null,
  share_id uuid not null,
  counts boolean not null,
  constraint share_payments_pkey primary key (organization_id, payment_id),
  constraint share_payments_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint share_payments_payment_fkey foreign key (organization_id, payment_id)
  references public.payments (organization_id, id),
  constraint share_payments_share_fkey foreign key (organization_id, share_id)
  references public.payment_shares (organization_id, id)
);

comment on table private.share_payments is 'Which payments came by the page of a share.';
comment on column private.share_payments.counts is 'false: nobody wanted it any more, and it went back at once.';

-- for: the foreign key, and what a share brought
create index share_payments_share_id_idx on private.share_payments (organization_id, share_id);

create function private.share_token(share_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.derived_token('payment_share', share_token.share_id::text);
end
$$;

comment on function private.share_token is
  'The secret of a share''s link, which pays it and nothing else. Derived, not drawn: each mail shows the same one, and none is stored.';

create function private.share_with_token(share_id uuid, share_token text)
returns public.payment_shares
language plpgsql
stable
set search_path = ''
as $$
declare
  share public.payment_shares;
begin
  if private.typed_token_hash(share_with_token.share_token)
    = private.token_hash(private.share_token(share_with_token.share_id))
  then
    select s.* into share from public.payment_shares as s where s.id = share_with_token.share_id;
  end if;
  if share.id is null then
    perform private.fail('share_not_found', 404, 'Check the link, or ask for it again.');
  end if;
  return share;
end
$$;

comment on function private.share_with_token is
  'The share, for whoever has its link. Raises 404 share_not_found, the same for a wrong id and a wrong token. The question is counted by whoever asks.';

create function private.shares_reserve(organization_id uuid, booking_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(sum(case s.status when 'open' then s.amount_cents else a.amount_cents end), 0)
    from public.payment_shares as s
    left join private.payment_attempts as a
      on a.organization_id = s.organization_id
      and a.share_id = s.id
      and a.status = 'open'
      -- Longer than it takes to hear of a page that has ended.
      and a.expires_at > now() - interval '1 hour'
    where s.organization_id = shares_reserve.organization_id
      and s.booking_id = shares_reserve.booking_id
      and s.status <> 'paid'
  );
end
$$;

comment on function private.shares_reserve is
  'What of a booking its shares are to pay, in minor units: the open ones, and those that have ended while their page is being closed.';

create function private.shares_are_closing(organization_id uuid, booking_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.payment_shares as s
    join private.payment_attempts as a
      on a.organization_id = s.organization_id and a.share_id = s.id and a.status = 'open'
    where s.organization_id = shares_are_closing.organization_id
      and s.booking_id = shares_are_closing.booking_id
      and s.status = 'ended'
      and a.expires_at > now() - interval '1 hour'
  );
end
$$;

comment on function private.shares_are_closing is
  'Whether the page of a share that has ended is still being closed: until then nobody else pays that part.';

create function private.is_split(organization_id uuid, booking_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.payment_shares as s
    where s.organization_id = is_split.organization_id and s.booking_id = is_split.booking_id and s.status = 'paid'
  );
end
$$;

comment on function private.is_split is 'Whether a share of the booking was paid: then its money is of several people.';

create function private.apportioned(organization_id uuid, booking_id uuid, amount_cents bigint)
returns table (payment_id uuid, part_cents bigint)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  with held as (
    select p.id, p.occurred_at, private.payment_refundable(p) as cents, private.amount_step(p.currency) as step
    from public.payments as p
    where p.organization_id = apportioned.organization_id and p.booking_id = apportioned.booking_id
  ), parts as (
    select h.id, h.occurred_at, h.step, x.exact, floor(x.exact / h.step)::bigint * h.step as cents,
      sum(floor(x.exact / h.step)::bigint * h.step) over () as given
    from held as h
    cross join lateral (
      select least(apportioned.amount_cents::numeric, t.total) * h.cents / nullif(t.total, 0) as exact
      from (select sum(every.cents) as total from held as every) as t
    ) as x
    where h.cents > 0
  )
  select p.id, p.cents + case
      when row_number() over (order by p.exact - p.cents desc, p.occurred_at desc, p.id desc)
        <= (apportioned.amount_cents - p.given) / p.step
        and p.exact > p.cents
        then p.step
      else 0
    end
  from parts as p;
end
$$;

comment on function private.apportioned is
  'How a refund of so much is taken from a booking''s payments: in the proportion of what is left of each, by largest remainder, so that the parts make the amount and none is more than what is left.';

create function private.close_share_attempt(organization_id uuid, share_id uuid, reason text)
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
  where a.organization_id = close_share_attempt.organization_id
    and a.share_id = close_share_attempt.share_id
    and a.status = 'open'
  for update;
  perform private.close_one_attempt(attempt, close_share_attempt.reason);
end
$$;

comment on function private.close_share_attempt is 'Closes the open attempt to pay a share of a locked booking, if there is one.';

create function private.end_shares(organization_id uuid, share_ids uuid [], reason text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  share_id uuid;
begin
  for share_id in
    update public.payment_shares as s
    set status = 'ended', ended_reason = end_shares.reason
    where s.organization_id = end_shares.organization_id and s.id = any (end_shares.share_ids) and s.status = 'open'
    returning s.id
  loop
    perform private.close_share_attempt(end_shares.organization_id, share_id, 'the share is ' || end_shares.reason);
  end loop;
end
$$;

comment on function private.end_shares is
  'Ends open shares of a locked booking: what they were to pay is the organizer''s again, once their pages are closed.';

create function private.end_shares_of(organization_id uuid, booking_id uuid, reason text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.end_shares(
    end_shares_of.organization_id,
    array(
      select s.id from public.payment_shares as s
      where s.organization_id = end_shares_of.organization_id and s.booking_id = end_shares_of.booking_id and s.status = 'open'
    ),
    end_shares_of.reason
  );
end
$$;

comment on function private.end_shares_of is 'private.end_shares, for all of a locked booking.';

create function private.settle_shares(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  left_cents bigint;
begin
  if booking.status not in ('held', 'pending', 'confirmed', 'checked_in') then
    return;
  end if;
  left_cents := booking.total_cents - private.booking_covered(booking.organization_id, booking.id);
  -- Paid otherwise, or cheaper by now: from the last one on, until what is open pays the others.
  perform private.end_shares(
    booking.organization_id,
    array(
      select fitted.id
      from (
        select s.id, sum(s.amount_cents) over (order by s.position, s.id) as needed
        from public.payment_shares as s
        where s.organization_id = booking.organization_id and s.booking_id = booking.id and s.status = 'open'
      ) as fitted
      where fitted.needed > left_cents
    ),
    'covered'
  );
end
$$;

comment on function private.settle_shares is
  'Ends those open shares of a locked booking for which nothing is left to pay.';

create function private.receive_share_payment(attempt private.payment_attempts, payment public.payments)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings := private.locked_booking(payment.organization_id, payment.booking_id);
  lives boolean := booking.status in ('held', 'pending', 'confirmed', 'checked_in');
  share public.payment_shares;
  counts boolean;
  payment_id uuid;
  settled text;
begin
  if booking.currency <> payment.currency then
    perform private.fail('currency_mismatch', 422, 'Pay in the booking''s currency.');
  elsif exists (
    select from public.payments as p
    where p.organization_id = payment.organization_id and p.provider_payment_id = payment.provider_payment_id
  ) then
    return private.settle_booking(booking.organization_id, booking.id);
  end if;
  select s.* into share
  from public.payment_shares as s
  where s.organization_id = attempt.organization_id and s.id = attempt.share_id;
  counts := case
    when share.status = 'paid' then false
    when share.status = 'open' then payment.amount_cents = share.amount_cents
    when lives then payment.amount_cents <= private.payable_beside(
      booking, true, private.shares_reserve(booking.organization_id, booking.id)
    )
    -- Whether the money takes the place again, or goes back, is the booking's to say.
    else booking.status in ('expired', 'cancelled')
  end;
  payment.id := private.uuid_v7();

  if not counts then
    payment_id := private.write_payment(payment);
    insert into private.share_payments (organization_id, payment_id, share_id, counts)
    values (payment.organization_id, payment_id, share.id, false);
    perform private.request_payment_refund(payment.organization_id, payment_id, payment.amount_cents, 'overpaid');
    return private.settle_booking(booking.organization_id, booking.id);
  end if;

  if lives then
    perform private.mark_share_paid(share);
  end if;
  -- More than was due may be split: settling keeps it.
  perform private.want_what_comes(booking.organization_id, booking.id, payment.amount_cents);
  settled := private.receive_payment(payment, announced => false);
  insert into private.share_payments (organization_id, payment_id, share_id, counts)
  values (payment.organization_id, payment.id, share.id, lives or settled not in ('expired', 'cancelled'));
  if not lives and settled not in ('expired', 'cancelled') then
    perform private.mark_share_paid(share);
  end if;
  return settled;
end
$$;

comment on function private.receive_share_payment is
  'Writes a payment that came by a share''s page into the ledger, once, decides whether it counts or goes back whole, and settles the booking, whose status it returns. The booking is locked, with its room.';

create function private.mark_share_paid(share public.payment_shares)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update public.payment_shares as s
  set status = 'paid', ended_reason = null, paid_at = now()
  where s.organization_id = share.organization_id and s.id = share.id;
  perform private.tell_of_share(share, 'paid');
end
$$;

comment on function private.mark_share_paid is 'Writes that a share was paid, and tells the organizer.';

create function private.tell_of_share(share public.payment_shares, news text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'payment_share_news', 'organization_id', share.organization_id, 'booking_id', share.booking_id,
      'share_id', share.id, 'news', tell_of_share.news
    ),
    concat_ws(':', 'payment_share_news', share.id, tell_of_share.news),
    share.organization_id
  );
end
$$;

comment on function private.tell_of_share is
  'The outbox: what became of a share (paid, late) writes its mail to the organizer in the same transaction.';

create function private.end_late_shares(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  late record;
  share public.payment_shares;
  ended int := 0;
begin
  -- As private.expire_lapsed_holds: what somebody else holds is being dealt with. A hold that lapsed with its shares
  -- is expired, and they end with it.
  for late in
    select b.organization_id, b.id
    from public.bookings as b
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    where coalesce(b.hold_expires_at > now(), true)
      and (b.organization_id, b.id) in (
        select p.organization_id, p.booking_id
        from public.payment_shares as p
        where p.status = 'open' and p.expires_at <= now()
        order by p.expires_at
        limit end_late_shares.max
      )
    for no key update of s, b skip locked
  loop
    for share in
      select s.*
      from public.payment_shares as s
      where s.organization_id = late.organization_id
        and s.booking_id = late.id
        and s.status = 'open'
        and s.expires_at <= now()
      order by s.position, s.id
    loop
      perform private.end_shares(share.organization_id, array[share.id], 'late');
      perform private.tell_of_share(share, 'late');
      ended := ended + 1;
    end loop;
  end loop;
  return ended;
end
$$;

comment on function private.end_late_shares is
  'Gives back to the organizer what payers have not paid in time, of at most so many shares, and tells so; returns how many. Tidying only: a late share cannot be paid, and counts as the organizer''s once it has ended.';

create function private.open_share_checkout(share_id uuid, share_token text)
returns service.open_checkout
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  -- As private.open_checkout: the shortest life Stripe gives a session, and a minute for the way there.
  session_ends timestamptz := now() + interval '31 minutes';
  share public.payment_shares := private.share_with_token(open_share_checkout.share_id, open_share_checkout.share_token);
  booking public.bookings := private.locked_booking(share.organization_id, share.booking_id);
  account private.payment_account;
  attempt private.payment_attempts;
  ends_at timestamptz;
begin
  perform private.act_as('system', null);
  select s.* into share
  from public.payment_shares as s
  where s.organization_id = share.organization_id and s.id = share.id;
  if share.status = 'paid' then
    perform private.fail('nothing_due', 409, 'It is paid: look at the share.');
  elsif share.status = 'ended'
    or share.expires_at <= now()
    or booking.hold_expires_at <= now()
    or booking.status not in ('held', 'pending', 'confirmed', 'checked_in')
    or private.venue_is_closed(booking.organization_id)
  then
    perform private.fail('not_payable', 409, 'It cannot be paid any more: ask who booked.');
  end if;
  account := private.payment_account(booking.organization_id);
  if not account.available then
    perform private.fail('online_payment_unavailable', 409, 'The venue cannot be paid online at the moment: ask it.');
  end if;

  select a.* into attempt
  from private.payment_attempts as a
  where a.organization_id = share.organization_id and a.share_id = share.id and a.status = 'open'
  for update;
  if attempt.session_id is null
    and (attempt.created_at < now() - interval '45 seconds' or attempt.amount_cents <> share.amount_cents)
  then
    update private.payment_attempts as a
    set status = 'failed', error = 'no session was recorded'
    where a.organization_id = attempt.organization_id and a.id = attempt.id;
    attempt := null;
  elsif attempt.expires_at <= now() and exists (
    select from public.stripe_accounts as a
    where a.organization_id = attempt.organization_id
      and a.account_id = attempt.stripe_account
      and a.deauthorized_at is not null
  ) then
    -- Nobody can ask what became of it, and nobody can pay on it. Should it be heard of later, it is decided then.
    update private.payment_attempts as a
    set status = 'expired', error = 'no access to its account'
    where a.organization_id = attempt.organization_id and a.id = attempt.id;
    attempt := null;
  elsif attempt.amount_cents <> share.amount_cents or attempt.expires_at <= now() then
    perform private.fail('checkout_closing', 409, 'The former page is being closed: try again in a minute.');
  end if;

  if attempt.id is null then
    if share.amount_cents > private.payable_beside(
      booking, true, private.shares_reserve(booking.organization_id, booking.id) - share.amount_cents
    ) then
      perform private.fail('nothing_due', 409, 'Nothing of it is to be paid online now: ask who booked.');
    end if;
    -- Before the share ends, and while the venue lets more than is due be paid online.
    ends_at := share.expires_at - interval '1 minute';
    if ends_at < now() + interval '5 minutes' then
      perform private.fail('not_payable', 409, 'Too little time is left to pay it: ask who booked.');
    end if;
    insert into private.payment_attempts (
      organization_id, booking_id, share_id, amount_cents, currency, expires_at, stripe_account, platform_fee_cents
    )
    values (
      share.organization_id, share.booking_id, share.id, share.amount_cents, share.currency, session_ends,
      account.account_id,
      case
        when account.account_id is null then 0
        else private.platform_fee(
          private.plan_of(booking.organization_id), booking.currency, share.amount_cents, booking.total_cents,
          booking.party_size
        )
      end
    )
    returning * into attempt;
    if ends_at < session_ends then
      perform private.request_checkout_expiry(attempt, ends_at);
    end if;
  end if;
  return private.shown_share_checkout(share, booking, attempt);
end
$$;

comment on function private.open_share_checkout is
  'definer: the service may read no table. Proves the payer by the share''s token.';
grant execute on function private.open_share_checkout to service_role;

create function private.shown_share_checkout(
  share public.payment_shares, booking public.bookings, attempt private.payment_attempts
)
returns service.open_checkout
language plpgsql
stable
set search_path = ''
as $$
declare
  shown service.open_checkout := private.shown_checkout(booking, attempt, false);
begin
  -- The payer's page, not the organizer's; and nothing on it cancels or moves the booking.
  shown.reference := 'share-' || share.id;
  shown.locale := share.locale;
  shown.customer_email := share.payer_email;
  -- What takes days would outlast the others' patience.
  shown.delayed_methods := false;
  return shown;
end
$$;

comment on function private.shown_share_checkout is 'private.shown_checkout, for whoever pays a share.';

create function service.open_share_checkout(share_id uuid, share_token text)
returns service.open_checkout
language sql
volatile
set search_path = ''
as $$ select private.open_share_checkout(share_id, share_token) $$;

comment on function service.open_share_checkout is
  'Opens the attempt to pay one share of a booking, or returns the one that is open; reference is share-<its id>, as in its link. The page ends before the share does. Methods that take days are never offered. Errors: 404 share_not_found; 409 nothing_due, not_payable, checkout_closing, online_payment_unavailable.';
grant execute on function service.open_share_checkout to service_role;
