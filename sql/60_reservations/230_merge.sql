-- Two bookings of one session made one: parties that turned out to be one, or that want to be.
--
-- What was agreed is added up and not priced anew: lines, totals and what is due of both. Money goes with its party:
-- payments, refunds and what is promised, attempts to pay and disputes are of the booking that stays, entry by entry,
-- so that each refund still goes to the payment that it reverses. The ledger's entries follow; what was sold of the
-- other booking is taken back there and sold in the one that stays. The session is not touched: the seats are taken
-- by the same people.
--
-- Locks: the session that both are in, then both. Nobody who holds one of them waits for that session.

create function private.refuse_merged(booking public.bookings)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if booking.merged_into_id is not null then
    perform private.fail(
      'booking_merged', 409, 'Look at the booking that it was merged into.',
      (
        select jsonb_build_object('booking_id', b.id, 'reference', b.reference)
        from public.bookings as b
        where b.organization_id = booking.organization_id and b.id = booking.merged_into_id
      )
    );
  end if;
end
$$;

comment on function private.refuse_merged is
  'Raises 409 booking_merged (details {"booking_id", "reference"} of the other) for a booking that was made part of another.';

create function private.is_merged(organization_id uuid, booking_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.bookings as b
    where b.organization_id = is_merged.organization_id
      and b.id = is_merged.booking_id
      and b.merged_into_id is not null
  );
end
$$;

comment on function private.is_merged is
  'Whether a booking was made part of another. A reason alone does not say so: staff may type the same word.';

create function private.refuse_merge(why text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail(
    'not_mergeable', 409,
    case refuse_merge.why
      when 'session' then 'Choose two bookings of one session, or move one of them first.'
      when 'status' then 'Bring both to the same status first: pending, confirmed or checked in.'
      when 'running' then 'The game has begun: leave them as they are.'
      when 'customer' then 'They are of two customers: send other_customer if both know of it.'
      when 'order' then 'One of them is part of an order of several rooms, which is paid in one: cancel it there instead.'
      when 'shares' then 'Several people pay one of them in shares: merge them once no share is open or paid.'
      when 'checkout' then 'Somebody is about to pay one of them: wait until that is over.'
      when 'disputed' then 'A bank disputes a payment of one of them: wait for its decision.'
      when 'coupon' then 'They have two coupons: take one of them away first.'
      when 'currency' then 'They are priced in two currencies.'
    end,
    jsonb_build_object('why', refuse_merge.why)
  );
end
$$;

comment on function private.refuse_merge is 'Raises 409 not_mergeable, details {"why"}.';

create function private.hinders_merge(kept public.bookings, merged public.bookings, other_customer boolean)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when kept.session_id <> merged.session_id then 'session'
    when exists (
      select from public.bookings as b
      where b.organization_id = kept.organization_id and b.session_id = kept.session_id and b.status = 'in_progress'
    ) then 'running'
    when kept.status <> merged.status
      or kept.status not in ('pending', 'confirmed', 'checked_in')
      or least(kept.hold_expires_at, merged.hold_expires_at) <= now() then 'status'
    when kept.customer_id <> merged.customer_id and not coalesce(other_customer, false) then 'customer'
    when kept.currency <> merged.currency then 'currency'
    when kept.order_id is not null or merged.order_id is not null then 'order'
    when exists (
      select from public.payment_shares as h
      where h.organization_id = kept.organization_id
        and h.booking_id in (kept.id, merged.id)
        and h.status <> 'ended'
    ) then 'shares'
    when exists (
      select from private.payment_attempts as a
      where a.organization_id = kept.organization_id
        and a.booking_id in (kept.id, merged.id)
        and a.status = 'open'
    ) then 'checkout'
    when exists (
      select from public.payments as p
      where p.organization_id = kept.organization_id
        and p.booking_id in (kept.id, merged.id)
        and private.payment_is_disputed(p.organization_id, p.id)
    ) then 'disputed'
    when exists (
      select
      from public.coupon_redemptions as mine
      join public.coupon_redemptions as other on other.organization_id = mine.organization_id
      where mine.organization_id = kept.organization_id
        and mine.booking_id = kept.id
        and other.booking_id = merged.id
        and other.coupon_id <> mine.coupon_id
    ) then 'coupon'
  end;
end
$$;

comment on function private.hinders_merge is
  'Why two locked bookings cannot be made one: session, running, status, customer (two, and nobody said so), currency, order, shares, checkout, disputed, coupon; null: they can.';

create function private.move_money(kept public.bookings, merged public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('escapemaster.merging_bookings', kept.organization_id::text, true);
  update public.payments as p
  set booking_id = kept.id
  where p.organization_id = kept.organization_id and p.booking_id = merged.id;
  update public.refunds as r
  set booking_id = kept.id
  where r.organization_id = kept.organization_id and r.booking_id = merged.id;
  -- What is sold is written anew for both, from their lines and their money.
  update public.ledger_entries as e
  set booking_id = kept.id
  where e.organization_id = kept.organization_id and e.booking_id = merged.id and e.source <> 'booking';
  perform set_config('escapemaster.merging_bookings', '', true);
  update private.refund_requests as q
  set booking_id = kept.id
  where q.organization_id = kept.organization_id and q.booking_id = merged.id;
  update private.payment_attempts as a
  set booking_id = kept.id
  where a.organization_id = kept.organization_id and a.booking_id = merged.id;
  update public.disputes as d
  set booking_id = kept.id
  where d.organization_id = kept.organization_id and d.booking_id = merged.id;
end
$$;

comment on function private.move_money is
  'Makes all money of a locked booking another''s, without moving any; what comes late of an attempt to pay it is the other''s, too.';

create function private.add_options(kept public.bookings, merged public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- A price of staff's for some of the seats is one for all of them: what they cost together.
  insert into public.price_overrides as o (organization_id, booking_id, price_cents, reason)
  select
    kept.organization_id, kept.id, said.price_cents,
    left((
      select string_agg(distinct w.reason, ' / ')
      from public.price_overrides as w
      where w.organization_id = kept.organization_id and w.booking_id in (kept.id, merged.id)
    ), 500)
  from (
    select sum(n.total_cents) as price_cents
    from public.booking_lines as n
    where n.organization_id = kept.organization_id and n.booking_id in (kept.id, merged.id) and n.kind = 'base'
  ) as said
  where exists (
    select from public.price_overrides as w
    where w.organization_id = kept.organization_id and w.booking_id in (kept.id, merged.id)
  )
  on conflict on constraint price_overrides_pkey do update
  set price_cents = excluded.price_cents, reason = excluded.reason;

  insert into public.booking_lines (
    organization_id, booking_id, position, kind, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents
  )
  select
    n.organization_id, kept.id, n.position + (
      select max(own.position)
      from public.booking_lines as own
      where own.organization_id = kept.organization_id and own.booking_id = kept.id
    ),
    n.kind, n.description, n.quantity, n.unit_cents, n.total_cents, n.tax_rate_bp, n.tax_cents
  from public.booking_lines as n
  where n.organization_id = kept.organization_id and n.booking_id = merged.id
  order by n.position;

  insert into public.booking_extras as be (organization_id, booking_id, extra_id, quantity, units)
  select m.organization_id, kept.id, m.extra_id, m.quantity, m.units
  from public.booking_extras as m
  where m.organization_id = kept.organization_id and m.booking_id = merged.id
  on conflict on constraint booking_extras_pkey do update
  set units = be.units + excluded.units,
    quantity = case (
        select x.price_per from public.extras as x
        where x.organization_id = be.organization_id and x.id = be.extra_id
      )
      when 'person' then greatest(be.quantity, excluded.quantity)
      else be.quantity + excluded.quantity
    end;

  insert into public.coupon_redemptions as r (organization_id, booking_id, coupon_id, discount_cents, created_at)
  select m.organization_id, kept.id, m.coupon_id, m.discount_cents, m.created_at
  from public.coupon_redemptions as m
  where m.organization_id = kept.organization_id and m.booking_id = merged.id
  on conflict on constraint coupon_redemptions_pkey do update
  set discount_cents = r.discount_cents + excluded.discount_cents;
  insert into private.coupon_addresses (organization_id, booking_id, address_hash)
  select m.organization_id, kept.id, m.address_hash
  from private.coupon_addresses as m
  where m.organization_id = kept.organization_id and m.booking_id = merged.id
  on conflict on constraint coupon_addresses_pkey do nothing;

  insert into public.booking_tags (organization_id, booking_id, tag_id)
  select t.organization_id, kept.id, t.tag_id
  from public.booking_tags as t
  where t.organization_id = kept.organization_id and t.booking_id = merged.id
  on conflict on constraint booking_tags_pkey do nothing;
end
$$;

comment on function private.add_options is
  'Adds to a locked booking what another one has: its lines as they are, extras, coupon, the staff''s price, tags. An extra for each person is had by as many of each as the party that had more.';

create function private.add_people(kept public.bookings, merged public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update public.booking_people as p
  set booking_id = kept.id,
    position = p.position + (
      select coalesce(max(own.position), 0)
      from public.booking_people as own
      where own.organization_id = kept.organization_id and own.booking_id = kept.id
    )
  where p.organization_id = kept.organization_id and p.booking_id = merged.id;
  update public.waiver_signatures as s
  set booking_id = kept.id
  where s.organization_id = kept.organization_id and s.booking_id = merged.id;
  perform private.match_signatures(kept.organization_id, kept.id);
end
$$;

comment on function private.add_people is 'Adds to a locked booking the list of another''s party and its signatures.';

create function private.merge_bookings(
  organization_id uuid,
  keep_id uuid,
  merge_id uuid,
  other_customer boolean
)
returns public.desk_booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  kept public.bookings;
  merged public.bookings;
  target public.bookings;
  before private.booking_request;
  actor jsonb := private.current_actor();
  hindrance text;
begin
  perform private.require_permission(merge_bookings.organization_id, 'bookings:update');
  perform private.require_permission(merge_bookings.organization_id, 'bookings:cancel');
  if merge_bookings.keep_id is null or merge_bookings.merge_id is null
    or merge_bookings.keep_id = merge_bookings.merge_id
  then
    perform private.fail('merge_invalid', 422, 'Name two different bookings.');
  end if;
  kept := private.locked_booking(merge_bookings.organization_id, merge_bookings.keep_id);
  select b.* into merged
  from public.bookings as b
  where b.organization_id = merge_bookings.organization_id and b.id = merge_bookings.merge_id;
  if not found then
    perform private.fail('booking_not_found', 404, 'Check the booking''s id.');
  end if;

  if merged.merged_into_id is distinct from kept.id then
    perform private.refuse_merged(kept);
    perform private.refuse_merged(merged);
    if merged.session_id <> kept.session_id then
      -- Its session is not locked, and will not be.
      perform private.refuse_merge('session');
    end if;
    select b.* into merged
    from public.bookings as b
    where b.organization_id = kept.organization_id and b.id = merged.id
    for no key update;
    perform private.refuse_erased(kept);
    perform private.refuse_erased(merged);
    hindrance := private.hinders_merge(kept, merged, merge_bookings.other_customer);
    if hindrance is not null then
      perform private.refuse_merge(hindrance);
    end if;

    before := private.booking_options(kept);
    perform private.move_money(kept, merged);
    perform private.add_options(kept, merged);
    perform private.add_people(kept, merged);
    update public.bookings as b
    set merged_into_id = kept.id
    where b.organization_id = kept.organization_id and b.merged_into_id = merged.id;
    update public.bookings as b
    set status = 'cancelled', status_reason = 'merged', merged_into_id = kept.id, hold_expires_at = null
    where b.organization_id = kept.organization_id and b.id = merged.id;
    update public.bookings as b
    set party_size = b.party_size + merged.party_size,
      seats = b.seats + merged.seats,
      exclusive = b.exclusive or merged.exclusive,
      total_cents = b.total_cents + merged.total_cents,
      tax_cents = b.tax_cents + merged.tax_cents,
      due_now_cents = b.due_now_cents + merged.due_now_cents,
      hold_expires_at = greatest(b.hold_expires_at, merged.hold_expires_at),
      -- What is said of one person does not become another's.
      staff_note = case
        when kept.customer_id <> merged.customer_id then b.staff_note
        else left(concat_ws(E'\n', nullif(b.staff_note, ''), nullif(merged.staff_note, '')), 5000)
      end
    where b.organization_id = kept.organization_id and b.id = kept.id
    returning b.* into target;
    perform private.follow_sale(kept.organization_id, merged.id, now());
    perform private.follow_sale(kept.organization_id, kept.id, now());

    target.terms := to_jsonb(private.booking_terms(target));
    insert into public.booking_history (
      organization_id, booking_id, from_status, to_status, reason, actor_kind, actor_id, change
    )
    values (
      kept.organization_id, kept.id, kept.status, kept.status, 'merged', actor ->> 'kind', (actor ->> 'id')::uuid,
      private.changes_between(kept, before, target, private.booking_options(target))
    );
    perform private.settle_booking(kept.organization_id, kept.id);
  end if;
  return (
    select private.desk_booking(b)
    from public.bookings as b
    where b.organization_id = kept.organization_id and b.id = kept.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.merge_bookings is
  'definer: writes bookings and which of them the ledger''s money is of, which no client may write. Asks for bookings:update and bookings:cancel.';
grant execute on function private.merge_bookings to authenticated;

create function public.merge_bookings(
  organization_id uuid,
  keep_id uuid,
  merge_id uuid,
  other_customer boolean default false
)
returns public.desk_booking
language sql
volatile
set search_path = ''
as $$ select private.merge_bookings(organization_id, keep_id, merge_id, other_customer) $$;

comment on function public.merge_bookings is
  'Makes merge_id part of keep_id, which it returns, for good: two bookings of one session, both pending, confirmed or checked in. People, seats, lines, totals and what is due are added up and not priced anew; payments, refunds, waivers, the list of the party and tags are the kept one''s from then on; its contact, language, terms and link stay. The other one is cancelled, with merged_into_id, and nothing of its money goes back. The customer is told of the change of the kept one. other_customer: they may be of two customers; the second one is told by the venue. Again, the same answer. For members with bookings:update and bookings:cancel. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 not_mergeable (details {"why": session, running, status, customer, currency, order, shares, checkout, disputed or coupon}), booking_merged (details {"booking_id", "reference"}), customer_erased; 422 merge_invalid.';
grant execute on function public.merge_bookings to authenticated;
