-- What a booking takes beside its seats: extras, a coupon, a price that staff set.
--
-- Nothing here is counted up or down. What is left of an extra, and how often a coupon may still
-- be used, follows from the bookings that stand, so one that expires or is cancelled frees what
-- it had. Locks make it exact: the session's row for the stock of extras, the coupon's row for its
-- uses, the voucher's for its balance, in that order, after session and booking as everywhere.

create table public.booking_extras (
  organization_id uuid not null,
  booking_id uuid not null,
  extra_id uuid not null,
  quantity int not null,
  units int not null,
  constraint booking_extras_pkey primary key (organization_id, booking_id, extra_id),
  constraint booking_extras_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_extras_extra_fkey foreign key (organization_id, extra_id)
  references public.extras (organization_id, id) on delete restrict,
  constraint booking_extras_units_cover_the_quantity check (quantity > 0 and units >= quantity)
);

comment on table public.booking_extras is 'The extras of a booking. What they cost is in its lines.';
comment on column public.booking_extras.quantity is 'As ordered: for the booking, or for each person.';
comment on column public.booking_extras.units is 'How many of the stock that is: those of all persons.';

-- for: the foreign key, when an extra is deleted
create index booking_extras_extra_id_idx on public.booking_extras (organization_id, extra_id);

grant select on public.booking_extras to authenticated;

alter table public.booking_extras enable row level security;

create policy booking_extras_select on public.booking_extras
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create table public.coupon_redemptions (
  organization_id uuid not null,
  booking_id uuid not null,
  coupon_id uuid not null,
  discount_cents bigint not null,
  created_at timestamptz not null default now(),
  constraint coupon_redemptions_pkey primary key (organization_id, booking_id),
  constraint coupon_redemptions_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint coupon_redemptions_coupon_fkey foreign key (organization_id, coupon_id)
  references public.coupons (organization_id, id) on delete restrict,
  constraint coupon_redemptions_discount_is_not_negative check (discount_cents >= 0)
);

comment on table public.coupon_redemptions is 'Which booking has which coupon, at most one. It is a use while the booking stands.';
comment on column public.coupon_redemptions.discount_cents is 'What the booking costs less, minor units, tax included.';

-- for: the uses of a coupon, and the foreign key
create index coupon_redemptions_coupon_id_idx on public.coupon_redemptions (organization_id, coupon_id);

grant select on public.coupon_redemptions to authenticated;

alter table public.coupon_redemptions enable row level security;

create policy coupon_redemptions_select on public.coupon_redemptions
for select to authenticated
using (organization_id = (select private.organization_with('coupons:read')));

-- Anybody can type somebody's address. Until the booking is the person's (private.use_is_the_customer_s) it is
-- a use of whoever made it, who is known by the network address alone.
create table private.coupon_addresses (
  organization_id uuid not null,
  booking_id uuid not null,
  address_hash bytea not null,
  constraint coupon_addresses_pkey primary key (organization_id, booking_id),
  constraint coupon_addresses_redemption_fkey foreign key (organization_id, booking_id)
  references public.coupon_redemptions (organization_id, booking_id) on delete cascade
);

comment on table private.coupon_addresses is
  'From where a visitor''s booking got its coupon, as long as it is held or confirmed and unpaid: a keyed hash of the address for this coupon alone, which says nothing about it elsewhere.';

create function private.coupon_address(coupon_id uuid)
returns bytea
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.token_hash(private.derived_token('coupon_address', coupon_id || ' ' || private.client_address()));
end
$$;

comment on function private.coupon_address is
  'The address that the request came from, as private.coupon_addresses keeps it for a coupon; null outside a request.';

create function private.forget_coupon_address()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from private.coupon_addresses as a
  where a.organization_id = new.organization_id
    and a.booking_id = new.id
    and (
      new.status not in ('held', 'confirmed')
      or exists (
        select from public.payments as p
        where p.organization_id = new.organization_id and p.booking_id = new.id
      )
    );
  return null;
end
$$;

comment on function private.forget_coupon_address is
  'A booking that was paid, has come or is no more need not know its address.';

create trigger forget_coupon_address
after update of status on public.bookings
for each row when (old.status in ('held', 'confirmed') and new.status <> old.status)
execute function private.forget_coupon_address();

create table public.price_overrides (
  organization_id uuid not null,
  booking_id uuid not null,
  price_cents bigint not null,
  reason text not null,
  set_by jsonb not null default private.current_actor(),
  created_at timestamptz not null default now(),
  constraint price_overrides_pkey primary key (organization_id, booking_id),
  constraint price_overrides_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint price_overrides_price_is_0_to_1_million check (price_cents between 0 and 100000000),
  constraint price_overrides_reason_is_a_text check (private.is_text(reason, 500))
);

comment on table public.price_overrides is 'A booking whose seats are sold at a price that staff set, and why, which may name a person: for members with customers:read. What it costs is in booking_lines.';
comment on column public.price_overrides.price_cents is 'Of all seats together, minor units, tax included.';
comment on column public.price_overrides.set_by is 'Who set it: {kind, id} as in private.current_actor.';

grant select on public.price_overrides to authenticated;

alter table public.price_overrides enable row level security;

create trigger price_overrides_clean_notes
before insert or update of reason on public.price_overrides
for each row execute function private.clean_texts('notes', 'reason');

create policy price_overrides_select on public.price_overrides
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create function private.check_extras(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  taken record;
  left_over int;
begin
  -- The session is locked: whoever takes extras in it waits, and sees these.
  for taken in
    select be.units, x as extra
    from public.booking_extras as be
    join public.extras as x on x.organization_id = be.organization_id and x.id = be.extra_id
    where be.organization_id = booking.organization_id
      and be.booking_id = booking.id
      and x.stock_per_session is not null
    order by x.id
  loop
    left_over := private.extra_left(taken.extra, booking.session_id, booking.id, with_lapsed => true);
    if taken.units > left_over then
      perform private.refuse_sold_out(taken.extra, left_over);
    end if;
  end loop;
end
$$;

comment on function private.check_extras is
  'Raises 409 extra_sold_out (details {"extra_id", "left"}) when the booking has more of an extra than is left for it. The caller holds the session''s lock.';

create function private.expire_coupon_holds(coupon public.coupons)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking_ids uuid [];
begin
  -- Sessions and bookings come before coupons in the order of locks, and here the coupon is
  -- locked already: so nothing is waited for, and one with money on it is left to the sweep,
  -- since giving it back takes further locks.
  select array_agg(lapsed.id) into booking_ids
  from (
    select b.id
    from public.coupon_redemptions as r
    join public.bookings as b on b.organization_id = r.organization_id and b.id = r.booking_id
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    where r.organization_id = coupon.organization_id
      and r.coupon_id = coupon.id
      and b.hold_expires_at <= now()
      and not exists (
        select from public.payments as p
        where p.organization_id = b.organization_id and p.booking_id = b.id
      )
    for no key update of s, b skip locked
  ) as lapsed;
  update public.bookings as b
  set status = d.to_status, status_reason = d.reason, hold_expires_at = null
  from private.booking_deadlines as d
  where b.organization_id = coupon.organization_id
    and b.id = any (booking_ids)
    and b.hold_expires_at <= now()
    and d.status = b.status;
end
$$;

comment on function private.expire_coupon_holds is
  'Expires what is held or pending past its deadline and has a locked coupon, as far as nobody is busy with it, so that its use can be given to others.';

create function private.check_coupon(booking public.bookings, coupon_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  coupon public.coupons;
begin
  select c.* into coupon
  from public.coupons as c
  where c.organization_id = booking.organization_id and c.id = check_coupon.coupon_id
  for no key update;
  if num_nonnulls(coupon.maximum_uses, coupon.maximum_uses_per_customer) > 0 then
    perform private.expire_coupon_holds(coupon);
    perform private.refuse_used_coupon(coupon, booking.id, booking.customer_id, with_lapsed => true);
  end if;
end
$$;

comment on function private.check_coupon is
  'Locks the coupon and raises 422 coupon_max_uses or coupon_max_uses_per_customer when the booking would be one use too many.';

create function private.take_options(
  booking public.bookings,
  quote public.quote,
  request private.booking_request
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  coupon_code text := nullif(trim(request.coupon_code), '');
  voucher_code text := nullif(trim(request.voucher_code), '');
  wanted private.wanted_extra [] := private.wanted_extras(request.extras);
  coupon public.coupons;
  stored int;
begin
  insert into public.booking_lines (
    organization_id, booking_id, position, kind, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents
  )
  select
    booking.organization_id, booking.id, line.position, line.kind, line.description, line.quantity, line.unit_cents,
    line.total_cents, line.tax_rate_bp, line.tax_cents
  from unnest(quote.lines) with ordinality as line (
    kind, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents, extra_id, position
  );

  if request.price_cents is not null then
    insert into public.price_overrides (organization_id, booking_id, price_cents, reason)
    values (
      booking.organization_id, booking.id, request.price_cents, coalesce(request.override_reason, '')
    );
  end if;

  if cardinality(wanted) > 0 then
    insert into public.booking_extras (organization_id, booking_id, extra_id, quantity, units)
    select booking.organization_id, booking.id, x.id, ordered.quantity, line.quantity
    from unnest(quote.lines) as line
    join unnest(wanted) as ordered on ordered.extra_id = line.extra_id
    join public.extras as x on x.organization_id = booking.organization_id and x.id = line.extra_id
    where line.kind = 'extra'
    for key share of x;
    get diagnostics stored = row_count;
    if stored < (select count(*) from unnest(quote.lines) as line where line.kind = 'extra') then
      -- Deleted since it was priced.
      perform private.fail('extra_not_found', 422, 'Choose extras that get_calendar lists for the room.');
    end if;
    perform private.check_extras(booking);
  end if;

  if coupon_code is not null then
    coupon := private.coupon_with_code(booking.organization_id, coupon_code);
    update public.coupon_redemptions as r
    set discount_cents = private.discount_of(quote)
    where r.organization_id = booking.organization_id and r.booking_id = booking.id and r.coupon_id = coupon.id;
    if not found then
      perform private.check_coupon(booking, coupon.id);
      insert into public.coupon_redemptions (organization_id, booking_id, coupon_id, discount_cents)
      values (booking.organization_id, booking.id, coupon.id, private.discount_of(quote));
      insert into private.coupon_addresses (organization_id, booking_id, address_hash)
      select booking.organization_id, booking.id, made.address_hash
      from private.coupon_address(coupon.id) as made (address_hash)
      where booking.source = 'widget' and made.address_hash is not null;
    end if;
  end if;

  if voucher_code is not null then
    perform private.pay_with_voucher(booking, voucher_code);
  end if;
end
$$;

comment on function private.take_options is
  'Stores what the quote of a request says of a booking that has its seats: lines, extras, coupon, the staff''s price; and pays with the voucher, which may confirm the booking: read it again afterwards. The caller holds the locks of session and booking. Raises 409 extra_sold_out; 422 coupon_max_uses, coupon_max_uses_per_customer and the voucher''s codes.';

create function private.drop_options(booking public.bookings, kept_coupon_code text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from public.booking_lines as line
  where line.organization_id = booking.organization_id and line.booking_id = booking.id;
  delete from public.price_overrides as o
  where o.organization_id = booking.organization_id and o.booking_id = booking.id;
  delete from public.booking_extras as be
  where be.organization_id = booking.organization_id and be.booking_id = booking.id;
  delete from public.coupon_redemptions as r
  using public.coupons as c
  where r.organization_id = booking.organization_id
    and r.booking_id = booking.id
    and c.organization_id = r.organization_id
    and c.id = r.coupon_id
    and c.code is distinct from drop_options.kept_coupon_code;
end
$$;

comment on function private.drop_options is
  'Takes back what private.take_options stored, before the booking is priced again. A coupon that it keeps stays: private.take_options does not count its uses again, which another booking of a merged customer may be. What a voucher has paid is money and stays.';

create function private.booking_options(booking public.bookings)
returns private.booking_request
language plpgsql
stable
set search_path = ''
as $$
declare
  request private.booking_request;
begin
  request.booking_id := booking.id;
  request.calendar_id := booking.calendar_id;
  request.customer_id := booking.customer_id;
  request.locale := booking.locale;
  request.exclusive := booking.exclusive;
  request.extras := nullif(to_jsonb(array(
    select row(be.extra_id, be.quantity)::private.wanted_extra
    from public.booking_extras as be
    join public.extras as x on x.organization_id = be.organization_id and x.id = be.extra_id
    where be.organization_id = booking.organization_id and be.booking_id = booking.id
    order by x.position, x.id
  )), '[]');
  select c.code into request.coupon_code
  from public.coupon_redemptions as r
  join public.coupons as c on c.organization_id = r.organization_id and c.id = r.coupon_id
  where r.organization_id = booking.organization_id and r.booking_id = booking.id;
  select v.code into request.voucher_code
  from public.payments as p
  join public.voucher_entries as e on e.organization_id = p.organization_id and e.payment_id = p.id
  join public.vouchers as v on v.organization_id = e.organization_id and v.id = e.voucher_id
  where p.organization_id = booking.organization_id and p.booking_id = booking.id
  group by v.organization_id, v.id
  having sum(e.amount_cents) < 0
  order by max(e.created_at) desc, v.id desc
  limit 1;
  select o.price_cents, o.reason into request.price_cents, request.override_reason
  from public.price_overrides as o
  where o.organization_id = booking.organization_id and o.booking_id = booking.id;
  return request;
end
$$;

comment on function private.booking_options is
  'What the booking was priced with, to price it again. A voucher is named while money of it is on the booking.';

create function private.retake_options()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  coupon_id uuid;
begin
  perform private.check_extras(new);
  select r.coupon_id into coupon_id
  from public.coupon_redemptions as r
  where r.organization_id = new.organization_id and r.booking_id = new.id;
  if found then
    perform private.check_coupon(new, coupon_id);
  end if;
  return null;
end
$$;

comment on function private.retake_options is
  'A booking that comes back to life takes its extras and its coupon''s use again: they may be somebody else''s by now.';

create trigger retake_options
after update of status on public.bookings
for each row when (new.takes_capacity and not old.takes_capacity)
execute function private.retake_options();

create function private.use_is_the_customer_s(booking public.bookings, coupon_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Not private.booking_is_vouched: for whoever has proven the address, it takes a stranger's booking for theirs.
  return booking.source <> 'widget'
    -- Counted wherever it came from: it ends by itself within minutes, or is paid. Several at once could all be paid.
    or booking.status in ('held', 'pending')
    or exists (
      select from private.vouched_bookings as v
      where v.organization_id = booking.organization_id and v.booking_id = booking.id
    )
    or exists (
      select from public.payments as p
      where p.organization_id = booking.organization_id and p.booking_id = booking.id
    )
    or exists (
      select from private.booking_confirmations as c
      where c.organization_id = booking.organization_id and c.booking_id = booking.id and c.confirmed_at is not null
    )
    or exists (
      select from private.coupon_addresses as a
      where a.organization_id = booking.organization_id
        and a.booking_id = booking.id
        and a.address_hash = private.coupon_address(use_is_the_customer_s.coupon_id)
    )
    -- Made outside a request. One that is over has forgotten its address: a stranger's party that never came.
    or booking.status = 'confirmed' and not exists (
      select from private.coupon_addresses as a
      where a.organization_id = booking.organization_id and a.booking_id = booking.id
    );
end
$$;

comment on function private.use_is_the_customer_s is
  'Whether the booking''s coupon counts as used by its customer: the venue made it, it was paid for, its link was opened, the address was proven or the party came; or it waits for its payment; or it was made from where the request comes from. A stranger who types somebody''s address uses up nothing of theirs, but while a hold of it lasts.';

create function private.coupon_uses(
  coupon public.coupons,
  booking_id uuid,
  customer_id uuid default null,
  with_lapsed boolean default false
)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select count(*)
    from public.coupon_redemptions as r
    join public.bookings as b on b.organization_id = r.organization_id and b.id = r.booking_id
    where r.organization_id = coupon.organization_id
      and r.coupon_id = coupon.id
      and r.booking_id is distinct from coupon_uses.booking_id
      and b.takes_capacity
      and (with_lapsed or coalesce(b.hold_expires_at > now(), true))
      and (
        coupon_uses.customer_id is null
        or b.customer_id = coupon_uses.customer_id and private.use_is_the_customer_s(b, r.coupon_id)
      )
  );
end
$$;

comment on function private.coupon_uses is
  'How many bookings that stand have the coupon, beside the named one; of all, or of a customer: those that are the customer''s own (private.use_is_the_customer_s). with_lapsed: whether a hold counts whose deadline is over, which may yet be paid until somebody expires it.';

create function private.refuse_used_coupon(
  coupon public.coupons,
  booking_id uuid,
  customer_id uuid,
  with_lapsed boolean default false
)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if coupon.maximum_uses <= private.coupon_uses(coupon, refuse_used_coupon.booking_id, null, with_lapsed) then
    perform private.fail('coupon_max_uses', 422, 'Leave the coupon out: it was used as often as it may be.');
  elsif refuse_used_coupon.customer_id is not null
    and coupon.maximum_uses_per_customer <= private.coupon_uses(
      coupon, refuse_used_coupon.booking_id, refuse_used_coupon.customer_id, with_lapsed
    )
  then
    perform private.fail(
      'coupon_max_uses_per_customer', 422, 'Leave the coupon out: you have used it as often as one person may.'
    );
  end if;
end
$$;

comment on function private.refuse_used_coupon is
  'Raises 422 coupon_max_uses or, if a customer is named, coupon_max_uses_per_customer when a further booking may not have the coupon. It decides only under the coupon''s lock.';
