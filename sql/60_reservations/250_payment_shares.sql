-- Splitting a booking's payment: what its organizer calls, and what a payer sees.

create type public.booking_share as (
  share_id uuid,
  share_token text,
  name text,
  email text,
  amount_cents bigint,
  status text,
  ended_reason text,
  expires_at timestamptz,
  paid_at timestamptz,
  paying boolean,
  reminders int,
  reminded_at timestamptz
);

comment on type public.booking_share is 'A payer''s share of a booking, as its organizer sees it.';
comment on column public.booking_share.share_id is 'The share.';
comment on column public.booking_share.share_token is
  'The secret of its link, to hand over where no address was given: <site_url>?calendar=<calendar>&reference=share-<share_id>#token=<share_token>.';
comment on column public.booking_share.name is 'Who pays it.';
comment on column public.booking_share.email is 'Where its link was mailed to; null: to nobody, or it was erased.';
comment on column public.booking_share.amount_cents is 'Minor units of the booking''s currency.';
comment on column public.booking_share.status is 'ended: it is the organizer''s again. one of: open, paid, ended';
comment on column public.booking_share.ended_reason is
  'null: it did not end unpaid. one of: taken_over, late, changed, covered, booking_over';
comment on column public.booking_share.expires_at is 'Until when it can be paid.';
comment on column public.booking_share.paid_at is 'When it was; null: it was not.';
comment on column public.booking_share.paying is 'Whether its payment page is open now.';
comment on column public.booking_share.reminders is 'How often its payer was reminded, at most 3.';
comment on column public.booking_share.reminded_at is 'When last; null: never.';

create type public.booking_split as (
  reference text,
  currency text,
  status text,
  total_cents bigint,
  open_cents bigint,
  organizer_cents bigint,
  hold_expires_at timestamptz,
  late_shares text,
  calendar text,
  site_url text,
  shares public.booking_share []
);

comment on type public.booking_split is 'How a booking''s payment is split among several payers.';
comment on column public.booking_split.reference is 'The booking''s.';
comment on column public.booking_split.currency is 'ISO 4217.';
comment on column public.booking_split.status is 'The booking''s. one of bookings.status';
comment on column public.booking_split.total_cents is 'What the booking costs, in minor units.';
comment on column public.booking_split.open_cents is 'What can still be asked for of it.';
comment on column public.booking_split.organizer_cents is
  'What the organizer can pay online now by the booking''s own link: what no share covers, but for what pages that are being closed still ask for.';
comment on column public.booking_split.hold_expires_at is 'Until when the place is kept; null: it is confirmed, or over.';
comment on column public.booking_split.late_shares is 'What becomes of a late share of a held place. one of: organizer, release';
comment on column public.booking_split.calendar is 'The slug of the calendar that shows the links; null: none is public.';
comment on column public.booking_split.site_url is 'The page of that calendar; null: it has none of its own, and the platform''s page shows them.';
comment on column public.booking_split.shares is 'All that there were, also those that ended, in the order in which they were named.';

create function private.booking_split(booking public.bookings)
returns public.booking_split
language plpgsql
stable
set search_path = ''
as $$
declare
  calendar public.calendars := private.managing_calendar(booking);
begin
  return (
    select row(
      booking.reference,
      booking.currency,
      (private.show_booking(booking)).status,
      booking.total_cents,
      private.booking_open(booking),
      private.payable_online(booking, whole => true),
      booking.hold_expires_at,
      o.late_shares,
      calendar.slug,
      calendar.site_url,
      array(
        select row(
          s.id, private.share_token(s.id), s.payer_name, s.payer_email, s.amount_cents, s.status, s.ended_reason,
          s.expires_at, s.paid_at,
          exists (
            select from private.payment_attempts as a
            where a.organization_id = s.organization_id
              and a.share_id = s.id
              and a.status = 'open'
              and a.session_id is not null
          ),
          s.reminders, s.reminded_at
        )::public.booking_share
        from public.payment_shares as s
        where s.organization_id = booking.organization_id and s.booking_id = booking.id
        order by s.position, s.created_at, s.id
      )
    )::public.booking_split
    from public.organizations as o
    where o.id = booking.organization_id
  );
end
$$;

comment on function private.booking_split is
  'A booking''s split as its organizer sees it. Called in the statement that reads the booking, it shows one moment.';

create type private.asked_share as (
  id uuid,
  name text,
  email text,
  amount_cents bigint,
  weight numeric
);

comment on type private.asked_share is
  'A share as the organizer asks for it; weight: what its payer takes, in minor units of the prices of seats and extras.';

create function private.whole_number(written jsonb)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when jsonb_typeof(written) = 'number' and written::text ~ '^[0-9]{1,12}$' then written::text::bigint end;
end
$$;

comment on function private.whole_number is 'The number, if it is a whole one of at most 12 digits and not negative; else null.';

create function private.taken_weight(booking public.bookings, asked jsonb)
returns numeric
language plpgsql
stable
set search_path = ''
as $$
declare
  players bigint := case when asked ? 'players' then private.whole_number(asked -> 'players') else 0 end;
  extras jsonb := case when asked ? 'extras' then asked -> 'extras' else '[]' end;
  extra jsonb;
  line public.booking_lines;
  weight numeric;
begin
  if players is null or jsonb_typeof(extras) <> 'array' or jsonb_array_length(extras) > 50 then
    return null;
  end if;
  select coalesce(sum(l.total_cents), 0) * players / booking.party_size into weight
  from public.booking_lines as l
  where l.organization_id = booking.organization_id and l.booking_id = booking.id and l.kind = 'base';
  for extra in select e.value from jsonb_array_elements(extras) as e loop
    if jsonb_typeof(extra) <> 'object'
      or (private.whole_number(extra -> 'line') > 0) is not true
      or private.whole_number(extra -> 'quantity') is null
    then
      return null;
    end if;
    select l.* into line
    from public.booking_lines as l
    where l.organization_id = booking.organization_id
      and l.booking_id = booking.id
      and l.kind = 'extra'
      and l.position = (
        -- As get_booking shows them: the first is 1.
        select o.position
        from public.booking_lines as o
        where o.organization_id = booking.organization_id and o.booking_id = booking.id
        order by o.position
        offset private.whole_number(extra -> 'line') - 1
        limit 1
      );
    if not found then
      return null;
    end if;
    weight := weight + line.total_cents::numeric * private.whole_number(extra -> 'quantity') / line.quantity;
  end loop;
  return weight;
end
$$;

comment on function private.taken_weight is
  'What a payer takes of a booking, {players, extras: [{line, quantity}]}, in minor units of the prices of its seats and extras; null: it is not understood.';

create function private.asked_shares(booking public.bookings, shares jsonb, method text)
returns private.asked_share []
language plpgsql
stable
set search_path = ''
as $$
declare
  wanted jsonb;
  place int := 0;
  asked private.asked_share;
  answer private.asked_share [] := '{}';
  field text;
begin
  if jsonb_typeof(shares) is distinct from 'array' or jsonb_array_length(shares) > 20 then
    perform private.fail('shares_invalid', 422, 'Send a list of at most 20 shares.', jsonb_build_object('field', 'shares'));
  end if;
  for wanted in select s.value from jsonb_array_elements(shares) as s loop
    place := place + 1;
    asked := null;
    if jsonb_typeof(wanted) = 'object' then
      asked.name := private.clean_text(wanted ->> 'name');
      asked.email := nullif(private.typed_email(wanted ->> 'email'), '');
      asked.id := case
        when wanted ->> 'id' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then (wanted ->> 'id')::uuid
      end;
      asked.amount_cents := case method when 'custom' then private.whole_number(wanted -> 'amount_cents') end;
      asked.weight := case method when 'equal' then 1 when 'taken' then private.taken_weight(booking, wanted) end;
    end if;
    field := case
      when jsonb_typeof(wanted) <> 'object' then 'shares'
      when wanted ->> 'id' is not null
        and (asked.id is null or asked.id = any (array(select a.id from unnest(answer) as a))) then 'id'
      when jsonb_typeof(wanted -> 'name') is distinct from 'string'
        or private.is_typed_name(asked.name, 100) is not true then 'name'
      when jsonb_typeof(wanted -> 'email') not in ('string', 'null') or not private.is_email(asked.email) then 'email'
      when method = 'custom' and (
        asked.amount_cents > 0 and asked.amount_cents % private.amount_step(booking.currency) = 0
      ) is not true then 'amount_cents'
      when method = 'taken' and (asked.weight > 0) is not true then 'players'
    end;
    if field is not null then
      perform private.fail(
        'shares_invalid', 422,
        'Give each payer a name without links, an address or none, and by method: amount_cents, or players and extras.',
        jsonb_build_object('field', field, 'share', place)
      );
    end if;
    answer := answer || asked;
  end loop;
  return answer;
end
$$;

comment on function private.asked_shares is
  'The shares that are asked for, checked one by one. Raises 422 shares_invalid.';

create function private.with_amounts(
  booking public.bookings, asked private.asked_share [], method text, organizer_pays boolean, base_cents bigint
)
returns private.asked_share []
language plpgsql
stable
set search_path = ''
as $$
declare
  step int := private.amount_step(booking.currency);
  -- What a payer takes is a part of all, also of what others have paid.
  of_cents bigint := base_cents
    + case method when 'taken' then private.booking_kept(booking.organization_id, booking.id) else 0 end;
  least_cents bigint := (select c.least_cents from private.currencies as c where c.code = booking.currency);
  weights numeric := (select sum(a.weight) from unnest(asked) as a);
  -- What all of it weighs: the payers, or the seats and extras, whatever was discounted and however much is due.
  whole numeric;
  left_cents bigint;
  place int;
begin
  if method = 'equal' then
    whole := cardinality(asked) + case when organizer_pays then 1 else 0 end;
  elsif method = 'taken' then
    select sum(l.total_cents) into whole
    from public.booking_lines as l
    where l.organization_id = booking.organization_id and l.booking_id = booking.id and l.kind in ('base', 'extra');
    if weights > whole then
      perform private.fail('shares_too_high', 422, 'Together they take more than there is.', jsonb_build_object('payable_cents', base_cents));
    end if;
  end if;
  if method <> 'custom' then
    for place in 1..cardinality(asked) loop
      asked[place].amount_cents := floor(of_cents * asked[place].weight / whole / step) * step;
    end loop;
  end if;
  left_cents := base_cents - (select coalesce(sum(a.amount_cents), 0) from unnest(asked) as a);
  if left_cents < 0 then
    perform private.fail('shares_too_high', 422, 'Together they are more than can be paid online.', jsonb_build_object('payable_cents', base_cents));
  end if;
  -- Nobody else pays what is left by rounding: the first ones do.
  if method <> 'custom' and weights = whole then
    place := 1;
    while left_cents > 0 loop
      asked[place].amount_cents := asked[place].amount_cents + step;
      left_cents := left_cents - step;
      place := place % cardinality(asked) + 1;
    end loop;
  end if;
  if exists (select from unnest(asked) as a where a.amount_cents < least_cents) or left_cents between 1 and least_cents - 1 then
    perform private.fail(
      'share_too_small', 422, 'No payer, nor who booked, can pay less than that online.',
      jsonb_build_object('least_cents', least_cents)
    );
  end if;
  return asked;
end
$$;

comment on function private.with_amounts is
  'The shares with their amounts: equal (what can be paid by the number of payers), taken (in the proportion of what each takes of seats and extras), custom (as given). Rounded down; what rounding leaves is the organizer''s, or where the organizer pays nothing, the first payers''. Raises 422 shares_too_high, share_too_small.';

create function private.mail_share(share public.payment_shares, reminder boolean)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'share_to_pay', 'organization_id', share.organization_id, 'booking_id', share.booking_id,
      'share_id', share.id, 'amount_cents', share.amount_cents, 'reminder', mail_share.reminder
    ),
    concat_ws(':', 'share_to_pay', share.id, share.amount_cents, share.reminders),
    share.organization_id
  );
  -- Its address was typed by who booked.
  perform private.limit_mail(share.organization_id, share.payer_email, 'visitor');
end
$$;

comment on function private.mail_share is
  'Queues the mail with a share''s link, or its reminder, and counts it. Raises 429 mail_limit_reached.';

create function private.split_booking(
  reference text,
  manage_token text,
  shares jsonb,
  idempotency_key text,
  method text,
  organizer_pays boolean,
  whole boolean
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(split_booking.reference, split_booking.manage_token);
  scope text := booking.organization_id || ':split_booking';
  organization public.organizations;
  stored jsonb;
  base bigint;
  asked private.asked_share [];
  wanted private.asked_share;
  share public.payment_shares;
  changed public.payment_shares [] := '{}';
  kept uuid [] := '{}';
  paid int;
  grace interval;
  ends_at timestamptz;
  place int := 0;
  answer jsonb;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  stored := private.idempotent_begin(scope, split_booking.idempotency_key, jsonb_build_object(
    'booking_id', booking.id, 'shares', split_booking.shares, 'method', split_booking.method,
    'organizer_pays', split_booking.organizer_pays, 'whole', split_booking.whole
  ));
  if stored is not null then
    return (
      select to_jsonb(private.booking_split(b)) from public.bookings as b
      where b.organization_id = booking.organization_id and b.id = booking.id
    );
  end if;
  booking := private.locked_booking(booking.organization_id, booking.id);
  perform private.act_as('customer', booking.customer_id);
  select o.* into organization from public.organizations as o where o.id = booking.organization_id;

  if split_booking.method is null or split_booking.method not in ('equal', 'custom', 'taken') then
    perform private.fail('split_method_invalid', 422, 'Choose equal, custom or taken.');
  end if;
  asked := private.asked_shares(booking, split_booking.shares, split_booking.method);
  if organization.split_hold_hours is null and cardinality(asked) > 0 then
    perform private.fail('split_not_offered', 409, 'The venue does not let a payment be split: ask it.');
  elsif booking.order_id is not null then
    perform private.fail('split_not_offered', 409, 'Pay the order in one: several rooms are not split between payers.');
  elsif booking.status not in ('held', 'pending', 'confirmed', 'checked_in') or booking.hold_expires_at <= now()
    or private.venue_is_closed(booking.organization_id)
  then
    perform private.fail('not_payable', 409, 'The booking is no longer held, or over.');
  elsif not (private.payment_account(booking.organization_id)).available then
    perform private.fail('online_payment_unavailable', 409, 'The venue cannot be paid online at the moment: ask it.');
  end if;
  base := private.payable_beside(booking, coalesce(split_booking.whole, false), 0);
  if base = 0 then
    perform private.fail('nothing_due', 409, 'Nothing is due online.');
  end if;
  asked := private.with_amounts(
    booking, asked, split_booking.method, coalesce(split_booking.organizer_pays, true), base
  );
  select count(*) into paid
  from public.payment_shares as s
  where s.organization_id = booking.organization_id and s.booking_id = booking.id and s.status = 'paid';
  if cardinality(asked) = 1 and paid = 0 and asked[1].amount_cents = base then
    perform private.fail(
      'shares_invalid', 422, 'Name two payers at least, of whom the organizer may be one.', jsonb_build_object('field', 'shares')
    );
  end if;
  foreach wanted in array asked loop
    if wanted.id is not null and not exists (
      select from public.payment_shares as s
      where s.organization_id = booking.organization_id
        and s.booking_id = booking.id
        and s.id = wanted.id
        and s.status = 'open'
    ) then
      perform private.fail('share_not_open', 409, 'It was paid or has ended meanwhile: look at the shares again.', jsonb_build_object('share_id', wanted.id));
    end if;
  end loop;

  -- Who is about to pay another amount comes first. Answered, not raised: an error would take the closing back.
  if private.close_pages_but(booking, asked, base) then
    perform private.idempotent_forget(scope, split_booking.idempotency_key);
    return private.refusal('checkout_closing', 409, 'Somebody is about to pay, and that page is being closed: try again in a minute.');
  end if;

  -- The first split keeps the place for longer, once.
  grace := case organization.late_shares when 'organizer' then interval '1 hour' else interval '0' end;
  if cardinality(asked) > 0 and booking.hold_expires_at is not null and not exists (
    select from public.payment_shares as s
    where s.organization_id = booking.organization_id and s.booking_id = booking.id
  ) then
    update public.bookings as b
    set hold_expires_at = greatest(
        b.hold_expires_at, least(now() + make_interval(hours => organization.split_hold_hours) + grace, b.starts_at)
      ),
      hold_extended_at = coalesce(b.hold_extended_at, now())
    where b.organization_id = booking.organization_id and b.id = booking.id
    returning b.* into booking;
  end if;
  ends_at := least(
    coalesce(booking.hold_expires_at - grace, now() + make_interval(hours => organization.split_hold_hours)),
    -- What is due only then is paid at the venue after that.
    case
      when booking.hold_expires_at is null or split_booking.whole then coalesce(private.rest_payable_until(booking), booking.starts_at)
    end
  );
  if cardinality(asked) > 0 and ends_at < now() + interval '10 minutes' then
    perform private.fail('not_payable', 409, 'Too little time is left for others to pay: pay it yourself.');
  end if;

  foreach wanted in array asked loop
    place := place + 1;
    share := null;
    if wanted.id is not null then
      -- Another address gets another link.
      update public.payment_shares as s
      set position = place, payer_name = wanted.name, amount_cents = wanted.amount_cents
      where s.organization_id = booking.organization_id
        and s.id = wanted.id
        and s.payer_email is not distinct from wanted.email
      returning s.* into share;
    end if;
    if share.id is null then
      insert into public.payment_shares (
        organization_id, booking_id, position, payer_name, payer_email, amount_cents, currency, locale, expires_at
      )
      values (
        booking.organization_id, booking.id, place, wanted.name, wanted.email, wanted.amount_cents, booking.currency,
        booking.locale, ends_at
      )
      returning * into share;
    end if;
    kept := kept || share.id;
    changed := changed || share;
  end loop;
  perform private.end_shares(
    booking.organization_id,
    array(
      select s.id from public.payment_shares as s
      where s.organization_id = booking.organization_id
        and s.booking_id = booking.id
        and s.status = 'open'
        and s.id <> all (kept)
    ),
    'changed'
  );
  answer := to_jsonb(private.booking_split(booking));
  perform private.idempotent_end(scope, split_booking.idempotency_key, '{}');
  -- Last, since the counters' rows stay locked until the end of the transaction.
  foreach share in array changed loop
    if share.payer_email is not null and not private.share_was_mailed(share) then
      perform private.mail_share(share, reminder => false);
    end if;
  end loop;
  perform private.limit_rate('split_booking', 'target', booking.id::text);
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.split_booking is 'definer: splits for whoever holds the manage token, who may write no table.';
grant execute on function private.split_booking to anon, authenticated;

create function private.share_was_mailed(share public.payment_shares)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from private.jobs as j
    where j.kind = 'email.send'
      and j.dedupe_key = concat_ws(':', 'share_to_pay', share.id, share.amount_cents, share.reminders)
  );
end
$$;

comment on function private.share_was_mailed is 'Whether the mail with that amount has been queued before.';

create function private.close_pages_but(booking public.bookings, asked private.asked_share [], base_cents bigint)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  left_cents bigint := base_cents - (select coalesce(sum(a.amount_cents), 0) from unnest(asked) as a);
  attempt private.payment_attempts;
  closing boolean := false;
begin
  for attempt in
    select a.*
    from private.payment_attempts as a
    where a.organization_id = booking.organization_id
      and a.booking_id = booking.id
      and a.status = 'open'
      and not exists (select from unnest(asked) as w where w.id = a.share_id and w.amount_cents = a.amount_cents)
      and (a.share_id is not null or a.amount_cents > left_cents)
    order by a.id
    for update
  loop
    perform private.close_one_attempt(attempt, 'the payment is split otherwise');
    closing := closing or attempt.session_id is not null;
  end loop;
  return closing;
end
$$;

comment on function private.close_pages_but is
  'Closes those payment pages of a locked booking that do not fit the shares that are asked for, and answers whether one has to be waited for.';

create function public.split_booking(
  reference text,
  manage_token text,
  shares jsonb,
  idempotency_key text,
  method text default 'custom',
  organizer_pays boolean default true,
  whole boolean default false
)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select private.split_booking(reference, manage_token, shares, idempotency_key, method, organizer_pays, whole)
$$;

comment on function public.split_booking is
  'Splits what is due of a booking (whole: all that is open, where the venue lets it be paid online) among payers, each with a link of their own; what no share covers is the organizer''s, who pays it by the booking''s own link. It says all open shares at once: one that is not named any more ends, paid ones stay, an empty list gives all back to the organizer. shares: [{id of an open share that stays, name, email or none, and by method: custom: amount_cents; taken: players, extras: [{line: its place in get_booking''s lines from 1, quantity}]; equal: nothing, organizer_pays: whether the organizer is one of those by whom it is divided}]. A payer with an address is mailed the link. The first split keeps a held place for organizations.split_hold_hours. For a day the same idempotency key and request are one split. Answers public.booking_split. For whoever has the booking''s link. Errors: 404 booking_not_found; 409 split_not_offered, not_payable, online_payment_unavailable, nothing_due, share_not_open (details {"share_id"}), checkout_closing (a page that asks for another amount is being closed: try again); 422 split_method_invalid, shares_invalid (details {"field", "share"}: its place from 1), shares_too_high (details {"payable_cents"}), share_too_small (details {"least_cents"}), idempotency_key_invalid, idempotency_key_reused; 429 rate_limited, mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.split_booking to anon, authenticated;

create function private.get_booking_split(reference text, manage_token text)
returns public.booking_split
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.bookings := private.booking_with_token(get_booking_split.reference, get_booking_split.manage_token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return (
    select private.booking_split(b) from public.bookings as b
    where b.organization_id = known.organization_id and b.id = known.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_booking_split is 'definer: shows a split to whoever holds the manage token.';
grant execute on function private.get_booking_split to anon, authenticated;

create function public.get_booking_split(reference text, manage_token text)
returns public.booking_split
language sql
volatile
set search_path = ''
as $$ select private.get_booking_split(reference, manage_token) $$;

comment on function public.get_booking_split is
  'How a booking''s payment is split, with the shares'' links, for whoever has the booking''s link. Errors: 404 booking_not_found; 429 rate_limited.';
grant execute on function public.get_booking_split to anon, authenticated;

create function private.locked_share(booking public.bookings, share_id uuid)
returns public.payment_shares
language plpgsql
volatile
set search_path = ''
as $$
declare
  share public.payment_shares;
begin
  select s.* into share
  from public.payment_shares as s
  where s.organization_id = booking.organization_id and s.booking_id = booking.id and s.id = locked_share.share_id
  for no key update;
  if not found then
    perform private.fail('share_not_found', 404, 'Choose one of the booking''s shares.');
  end if;
  return share;
end
$$;

comment on function private.locked_share is 'A share of a locked booking. Raises 404 share_not_found.';

create function private.take_over_payment_share(reference text, manage_token text, share_id uuid)
returns public.booking_split
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(take_over_payment_share.reference, take_over_payment_share.manage_token);
  share public.payment_shares;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  booking := private.locked_booking(booking.organization_id, booking.id);
  perform private.act_as('customer', booking.customer_id);
  share := private.locked_share(booking, take_over_payment_share.share_id);
  if share.status = 'paid' then
    perform private.fail('share_not_open', 409, 'It is paid.', jsonb_build_object('share_id', share.id));
  end if;
  perform private.end_shares(share.organization_id, array[share.id], 'taken_over');
  return (
    select private.booking_split(b) from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.take_over_payment_share is 'definer: ends a share for whoever holds the manage token, who may write no table.';
grant execute on function private.take_over_payment_share to anon, authenticated;

create function public.take_over_payment_share(reference text, manage_token text, share_id uuid)
returns public.booking_split
language sql
volatile
set search_path = ''
as $$ select private.take_over_payment_share(reference, manage_token, share_id) $$;

comment on function public.take_over_payment_share is
  'Ends a share that is not paid: its link pays nothing any more, and the organizer pays its amount by the booking''s own link, once a page that its payer has open is closed. One that has ended stays so. For whoever has the booking''s link. Errors: 404 booking_not_found, share_not_found; 409 share_not_open (details {"share_id"}); 429 rate_limited.';
grant execute on function public.take_over_payment_share to anon, authenticated;

create function private.remind_payment_share(reference text, manage_token text, share_id uuid)
returns public.booking_split
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(remind_payment_share.reference, remind_payment_share.manage_token);
  share public.payment_shares;
  answer public.booking_split;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  booking := private.locked_booking(booking.organization_id, booking.id);
  perform private.act_as('customer', booking.customer_id);
  share := private.locked_share(booking, remind_payment_share.share_id);
  if share.status <> 'open' or share.expires_at <= now() then
    perform private.fail('share_not_open', 409, 'It was paid or has ended.', jsonb_build_object('share_id', share.id));
  elsif share.payer_email is null then
    perform private.fail('address_missing', 409, 'Hand its link over yourself: no address was given.');
  elsif share.reminders >= 3 or coalesce(share.reminded_at, share.created_at) > now() - interval '1 hour' then
    perform private.fail('reminded_already', 409, 'A payer is reminded three times at most, an hour apart.');
  end if;
  update public.payment_shares as s
  set reminders = s.reminders + 1, reminded_at = now()
  where s.organization_id = share.organization_id and s.id = share.id
  returning s.* into share;
  answer := (
    select private.booking_split(b) from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id
  );
  perform private.mail_share(share, reminder => true);
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.remind_payment_share is 'definer: queues a mail for whoever holds the manage token, who may write no table.';
grant execute on function private.remind_payment_share to anon, authenticated;

create function public.remind_payment_share(reference text, manage_token text, share_id uuid)
returns public.booking_split
language sql
volatile
set search_path = ''
as $$ select private.remind_payment_share(reference, manage_token, share_id) $$;

comment on function public.remind_payment_share is
  'Mails the payer of an open share its link once more: three times at most, an hour apart. For whoever has the booking''s link. Errors: 404 booking_not_found, share_not_found; 409 share_not_open (details {"share_id"}), address_missing, reminded_already; 429 rate_limited, mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.remind_payment_share to anon, authenticated;

create type public.payment_share as (
  share_id uuid,
  status text,
  amount_cents bigint,
  currency text,
  returned_cents bigint,
  expires_at timestamptz,
  organizer text,
  room text,
  venue text,
  starts_at timestamptz,
  timezone text,
  locale text,
  calendar text,
  site_url text,
  paying boolean
);

comment on type public.payment_share is 'A share of a booking, as its payer sees it.';
comment on column public.payment_share.share_id is 'The share.';
comment on column public.payment_share.status is
  'late: its time is over; over: who booked pays it, or the booking is over; returned: what was paid goes back. one of: open, paid, late, over, returned';
comment on column public.payment_share.amount_cents is 'What is to be paid, or was, in minor units of currency.';
comment on column public.payment_share.currency is 'ISO 4217.';
comment on column public.payment_share.returned_cents is 'What of all that was paid for it went back, or goes back.';
comment on column public.payment_share.expires_at is 'Until when it can be paid.';
comment on column public.payment_share.organizer is 'The first name of who booked.';
comment on column public.payment_share.room is 'The room''s name.';
comment on column public.payment_share.venue is 'The organization''s name.';
comment on column public.payment_share.starts_at is 'When the game starts.';
comment on column public.payment_share.timezone is 'The venue''s IANA zone.';
comment on column public.payment_share.locale is 'The booking''s language. one of: es, en, ca';
comment on column public.payment_share.calendar is 'The slug of the calendar that shows it; null: none is public.';
comment on column public.payment_share.site_url is 'The page of that calendar; null: it has none of its own.';
comment on column public.payment_share.paying is 'Whether its payment page is open now.';

create function private.shown_payment_share(organization_id uuid, share_id uuid)
returns public.payment_share
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      s.id,
      case
        when s.status = 'paid' or came.paid_cents > 0
          then case when came.kept_cents > 0 then 'paid' else 'returned' end
        when s.ended_reason = 'late' or s.status = 'open' and s.expires_at <= now() then 'late'
        when s.status = 'open'
          and b.status in ('held', 'pending', 'confirmed', 'checked_in')
          and coalesce(b.hold_expires_at > now(), true)
          then 'open'
        else 'over'
      end,
      s.amount_cents,
      s.currency,
      came.paid_cents - came.kept_cents,
      s.expires_at,
      split_part(contact.contact_name, ' ', 1),
      private.room_name(r, s.locale),
      o.name,
      b.starts_at,
      l.timezone,
      s.locale,
      k.slug,
      k.site_url,
      exists (
        select from private.payment_attempts as a
        where a.organization_id = s.organization_id
          and a.share_id = s.id
          and a.status = 'open'
          and a.session_id is not null
      )
    )::public.payment_share
    from public.payment_shares as s
    join public.bookings as b on b.organization_id = s.organization_id and b.id = s.booking_id
    join public.booking_contacts as contact on contact.organization_id = b.organization_id and contact.booking_id = b.id
    join public.organizations as o on o.id = b.organization_id
    join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    left join lateral private.managing_calendar(b) as k on true
    cross join lateral (
      select coalesce(sum(p.amount_cents), 0) as paid_cents, coalesce(sum(p.amount_cents - coalesce(q.promised, 0)), 0) as kept_cents
      from private.share_payments as sp
      join public.payments as p on p.organization_id = sp.organization_id and p.id = sp.payment_id
      left join lateral (
        select sum(q.amount_cents) as promised
        from private.refund_requests as q
        where q.organization_id = p.organization_id and q.payment_id = p.id and q.status in ('pending', 'succeeded')
      ) as q on true
      where sp.organization_id = s.organization_id and sp.share_id = s.id
    ) as came
    where s.organization_id = shown_payment_share.organization_id and s.id = shown_payment_share.share_id
  );
end
$$;

comment on function private.shown_payment_share is 'A share as its payer sees it, at one moment.';

create function private.get_payment_share(share_id uuid, share_token text)
returns public.payment_share
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  share public.payment_shares;
begin
  perform private.count_attempt();
  perform private.limit_rate('public_read', 'address', private.client_address());
  share := private.share_with_token(get_payment_share.share_id, get_payment_share.share_token);
  return private.shown_payment_share(share.organization_id, share.id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_payment_share is 'definer: visitors read no table. Proves the payer by the share''s token.';
grant execute on function private.get_payment_share to anon, authenticated;

create function public.get_payment_share(share_id uuid, share_token text)
returns public.payment_share
language sql
volatile
set search_path = ''
as $$ select private.get_payment_share(share_id, share_token) $$;

comment on function public.get_payment_share is
  'A share of a booking for whoever has its link: what, when and how much, the first name of who booked, and nothing else of the booking or the other payers. POST /v1/share-checkout opens its page. Errors: 404 share_not_found; 429 rate_limited.';
grant execute on function public.get_payment_share to anon, authenticated;
