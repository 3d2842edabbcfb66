-- Coupons: codes that make a booking cheaper.

create function private.dates_at_venues(
  organization_id uuid,
  timezone text default null,
  out earliest date,
  out latest date
)
language plpgsql
stable
set search_path = ''
as $$
begin
  select min(now() at time zone zone.name)::date, max(now() at time zone zone.name)::date
  into earliest, latest
  from (
    select dates_at_venues.timezone as name
    where dates_at_venues.timezone is not null
    union all
    select l.timezone
    from public.locations as l
    where l.organization_id = dates_at_venues.organization_id and dates_at_venues.timezone is null
  ) as zone;
  if earliest is null then
    select (now() at time zone o.timezone)::date, (now() at time zone o.timezone)::date
    into earliest, latest
    from public.organizations as o
    where o.id = dates_at_venues.organization_id;
  end if;
end
$$;

comment on function private.dates_at_venues is
  'Today, by the clock of that zone, or (null) by those of the organization''s locations, which may have two dates at a time; without a location by its own. A period of dates has begun when latest is in it, and is over when earliest is past it.';

create function private.plain_code(code text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return upper(regexp_replace(normalize(left(code, 1000), nfkc), '[^A-Za-z0-9]', '', 'g'));
end
$$;

comment on function private.plain_code is
  'A code as it is stored, however it was typed, of its first 1,000 characters: letters A to Z in upper case and digits, without spaces and hyphens.';

create table public.coupons (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  code text not null,
  description text not null default '',
  kind text not null,
  value bigint not null,
  minimum_cents bigint not null default 0,
  valid_from date,
  valid_until date,
  maximum_uses int,
  maximum_uses_per_customer int,
  all_rooms boolean not null default true,
  status text not null default 'active',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint coupons_pkey primary key (organization_id, id),
  constraint coupons_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint coupons_code_key unique (organization_id, code),
  constraint coupons_code_is_plain check (code ~ '^[A-Z0-9]{3,32}$'),
  constraint coupons_description_is_a_text check (private.is_text(description, 300)),
  constraint coupons_kind_is_known check (kind in ('percent', 'fixed')),
  constraint coupons_value_fits_its_kind check (
    case kind when 'percent' then value between 1 and 100 else value between 1 and 100000000 end
  ),
  constraint coupons_minimum_is_not_negative check (minimum_cents between 0 and 100000000),
  constraint coupons_dates_are_finite_and_ordered check (
    isfinite(valid_from) and isfinite(valid_until) and valid_from <= valid_until
  ),
  constraint coupons_maximum_uses_is_positive check (maximum_uses > 0 and maximum_uses_per_customer > 0),
  constraint coupons_status_is_known check (status in ('active', 'inactive'))
);

comment on table public.coupons is
  'A code that makes a booking cheaper. Its uses are the bookings of coupon_redemptions that still stand: one that expires or is cancelled frees its use.';
comment on column public.coupons.code is 'As private.plain_code stores it; case, spaces and hyphens do not matter to who types it.';
comment on column public.coupons.kind is 'percent or fixed, of seats and extras together.';
comment on column public.coupons.value is 'Per cent, or minor units of the organization''s currency.';
comment on column public.coupons.minimum_cents is 'Least that seats and extras must cost before the discount.';
comment on column public.coupons.valid_from is 'First date on which it can be used, by the venue''s clock; null: at once.';
comment on column public.coupons.valid_until is 'Last date on which it can be used, included; null: without an end.';
comment on column public.coupons.maximum_uses is 'Null: as often as wanted.';
comment on column public.coupons.all_rooms is 'Whether it is good for every room; otherwise for those of coupon_rooms.';
comment on column public.coupons.status is 'active or inactive.';

grant select on public.coupons to authenticated;

alter table public.coupons enable row level security;

create trigger coupons_clean_notes
before insert or update of description on public.coupons
for each row execute function private.clean_texts('notes', 'description');

create policy coupons_select on public.coupons
for select to authenticated
using (organization_id = (select private.organization_with('coupons:read')));

create trigger coupons_touch_updated_at
before update on public.coupons
for each row execute function private.touch_updated_at();

create trigger coupons_are_bounded
after insert on public.coupons
for each row execute function private.bound_rows('20000');

create table public.coupon_rooms (
  organization_id uuid not null,
  coupon_id uuid not null,
  room_id uuid not null,
  constraint coupon_rooms_pkey primary key (organization_id, coupon_id, room_id),
  constraint coupon_rooms_coupon_fkey foreign key (organization_id, coupon_id)
  references public.coupons (organization_id, id) on delete cascade,
  constraint coupon_rooms_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade
);

comment on table public.coupon_rooms is 'The rooms that a coupon is good for, when it is not for all.';

-- for: the foreign key, when a room is deleted
create index coupon_rooms_room_id_idx on public.coupon_rooms (organization_id, room_id);

grant select on public.coupon_rooms to authenticated;

alter table public.coupon_rooms enable row level security;

create policy coupon_rooms_select on public.coupon_rooms
for select to authenticated
using (organization_id = (select private.organization_with('coupons:read')));

create function private.sells_coupons(organization_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.coupons as c
    cross join private.dates_at_venues(sells_coupons.organization_id) as today
    where c.organization_id = sells_coupons.organization_id
      and c.status = 'active'
      and (c.valid_until is null or c.valid_until >= today.earliest)
  );
end
$$;

comment on function private.sells_coupons is 'Whether a visitor may have a coupon to type in.';

create function private.coupon_with_code(organization_id uuid, code text)
returns public.coupons
language plpgsql
stable
set search_path = ''
as $$
declare
  coupon public.coupons;
begin
  select c.* into coupon
  from public.coupons as c
  where c.organization_id = coupon_with_code.organization_id and c.code = private.plain_code(coupon_with_code.code);
  if not found then
    perform private.fail('coupon_not_found', 422, 'Check the coupon''s code, or leave it out.');
  end if;
  return coupon;
end
$$;

comment on function private.coupon_with_code is 'The coupon with a code. Raises 422 coupon_not_found.';

create function private.count_typed_code(organization_id uuid, code text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- A key that takes bookings must not find out the codes by trying: twenty a minute from an address,
  -- wrong ones too.
  if coalesce(code, '') <> '' and not private.has_permission(count_typed_code.organization_id, 'coupons:read') then
    perform private.count_attempt(50);
  end if;
end
$$;

comment on function private.count_typed_code is
  'Counts a code that somebody types who may not read the codes. Raises 429 rate_limited.';

create function private.refuse_coupon(coupon public.coupons, room_id uuid, cents bigint)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not coupon.all_rooms and refuse_coupon.room_id is not null and not exists (
    select from public.coupon_rooms as cr
    where cr.organization_id = coupon.organization_id
      and cr.coupon_id = coupon.id
      and cr.room_id = refuse_coupon.room_id
  ) then
    perform private.fail('coupon_not_for_room', 422, 'Choose a room that the coupon is good for, or leave it out.');
  elsif refuse_coupon.cents < coupon.minimum_cents then
    perform private.fail(
      'coupon_min_amount', 422, 'Book for at least the coupon''s minimum amount, or leave it out.',
      jsonb_build_object('minimum_cents', coupon.minimum_cents)
    );
  end if;
end
$$;

comment on function private.refuse_coupon is
  'Raises 422 coupon_not_for_room, or coupon_min_amount (details {"minimum_cents"}) for seats and extras of so many cents; null: not known yet.';

create function private.refuse_coupon_now(coupon public.coupons, timezone text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  today record := private.dates_at_venues(coupon.organization_id, refuse_coupon_now.timezone);
begin
  if coupon.status <> 'active' then
    perform private.fail('coupon_not_active', 422, 'Leave the coupon out: it was switched off.');
  elsif coupon.valid_from > today.latest then
    perform private.fail(
      'coupon_not_valid_yet', 422, 'Use the coupon later, or leave it out.',
      jsonb_build_object('valid_from', coupon.valid_from)
    );
  elsif coupon.valid_until < today.earliest then
    perform private.fail('coupon_expired', 422, 'Leave the coupon out: its time is over.');
  end if;
end
$$;

comment on function private.refuse_coupon_now is
  'By the clock of the room''s zone, or of any of the venues while no room is known. Raises 422 coupon_not_active, coupon_not_valid_yet (details {"valid_from"}), coupon_expired.';

create function private.check_coupon_terms(coupon public.coupons, room_ids uuid [])
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  field text;
begin
  field := case
    when coupon.code is null or length(coupon.code) not between 3 and 32 then 'code'
    when coupon.kind is null or coupon.kind not in ('percent', 'fixed') then 'kind'
    when coupon.value is null or coupon.value not between 1 and case coupon.kind when 'percent' then 100 else 100000000 end
      then 'value'
    when coupon.description is null or length(private.clean_note(coupon.description)) > 300 then 'description'
    when coupon.kind <> 'percent' and coupon.value % (
      select private.amount_step(o.currency) from public.organizations as o where o.id = coupon.organization_id
    ) <> 0 then 'value'
    when coupon.minimum_cents is null or coupon.minimum_cents not between 0 and 100000000 then 'minimum_cents'
    when not isfinite(coupon.valid_from) then 'valid_from'
    when not isfinite(coupon.valid_until) or coupon.valid_until < coupon.valid_from then 'valid_until'
    when coupon.maximum_uses < 1 then 'maximum_uses'
    when coupon.maximum_uses_per_customer < 1 then 'maximum_uses_per_customer'
    when cardinality(room_ids) = 0 or array_position(room_ids, null) is not null then 'room_ids'
  end;
  if field is not null then
    perform private.fail(
      'coupon_invalid', 422,
      'Give a code of 3 to 32 letters and digits, kind percent (1 to 100) or fixed (minor units), and limits that can be met.',
      jsonb_build_object('field', field)
    );
  elsif exists (
    select from unnest(room_ids) as wanted (id)
    where not exists (
      select from public.rooms as r
      where r.organization_id = coupon.organization_id and r.id = wanted.id
    )
  ) then
    perform private.fail('room_not_found', 404, 'Choose rooms of the organization.');
  end if;
end
$$;

comment on function private.check_coupon_terms is
  'Raises 422 coupon_invalid, details {"field"}, for a coupon that cannot be as it is wished, and 404 room_not_found.';

create function private.create_coupon(
  organization_id uuid,
  code text,
  kind text,
  value bigint,
  description text,
  minimum_cents bigint,
  valid_from date,
  valid_until date,
  maximum_uses int,
  maximum_uses_per_customer int,
  room_ids uuid []
)
returns public.coupons
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  coupon public.coupons;
begin
  perform private.require_permission(create_coupon.organization_id, 'coupons:manage');
  coupon.organization_id := create_coupon.organization_id;
  coupon.code := private.plain_code(create_coupon.code);
  coupon.description := create_coupon.description;
  coupon.kind := create_coupon.kind;
  coupon.value := create_coupon.value;
  coupon.minimum_cents := create_coupon.minimum_cents;
  coupon.valid_from := create_coupon.valid_from;
  coupon.valid_until := create_coupon.valid_until;
  coupon.maximum_uses := create_coupon.maximum_uses;
  coupon.maximum_uses_per_customer := create_coupon.maximum_uses_per_customer;
  perform private.check_coupon_terms(coupon, room_ids);

  insert into public.coupons as c (
    organization_id, code, description, kind, value, minimum_cents, valid_from, valid_until, maximum_uses,
    maximum_uses_per_customer, all_rooms
  )
  values (
    coupon.organization_id, coupon.code, coupon.description, coupon.kind, coupon.value, coupon.minimum_cents,
    coupon.valid_from, coupon.valid_until, coupon.maximum_uses, coupon.maximum_uses_per_customer, room_ids is null
  )
  on conflict on constraint coupons_code_key do nothing
  returning c.* into coupon;
  if not found then
    perform private.fail('coupon_code_taken', 409, 'Choose another code: the organization has a coupon with this one.');
  end if;
  insert into public.coupon_rooms (organization_id, coupon_id, room_id)
  select distinct coupon.organization_id, coupon.id, wanted.id
  from unnest(room_ids) as wanted (id);
  return coupon;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_coupon is
  'definer: writes coupons, which no client may write.';
grant execute on function private.create_coupon to authenticated;

create function public.create_coupon(
  organization_id uuid,
  code text,
  kind text,
  value bigint,
  description text default '',
  minimum_cents bigint default 0,
  valid_from date default null,
  valid_until date default null,
  maximum_uses int default null,
  maximum_uses_per_customer int default null,
  room_ids uuid [] default null
)
returns public.coupons
language sql
volatile
set search_path = ''
as $$
  select private.create_coupon(
    organization_id, code, kind, value, description, minimum_cents, valid_from, valid_until, maximum_uses,
    maximum_uses_per_customer, room_ids
  )
$$;

comment on function public.create_coupon is
  'Creates a coupon and returns its row. kind percent (value 1 to 100) or fixed (minor units), off seats and extras together; minimum_cents: least that they must cost; valid_from, valid_until: dates of the venue''s clock, both included; room_ids: the rooms it is good for, null: all. For members with coupons:manage. Errors: 403 permission_denied, organization_suspended; 404 room_not_found; 409 coupon_code_taken; 422 coupon_invalid (details {"field"}), too_many_rows (details {"table", "maximum", "per"}).';
grant execute on function public.create_coupon to authenticated;

create function private.set_coupon_status(organization_id uuid, coupon_id uuid, status text)
returns public.coupons
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  coupon public.coupons;
begin
  perform private.require_permission(set_coupon_status.organization_id, 'coupons:manage');
  -- Its row is answered.
  perform private.require_permission(set_coupon_status.organization_id, 'coupons:read');
  if set_coupon_status.status is null or set_coupon_status.status not in ('active', 'inactive') then
    perform private.fail('status_invalid', 422, 'Choose active or inactive.');
  end if;
  update public.coupons as c
  set status = set_coupon_status.status
  where c.organization_id = set_coupon_status.organization_id and c.id = set_coupon_status.coupon_id
  returning c.* into coupon;
  if not found then
    perform private.fail('coupon_not_found', 404, 'Choose one of the organization''s coupons.');
  end if;
  return coupon;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_coupon_status is 'definer: writes coupons, which no client may write.';
grant execute on function private.set_coupon_status to authenticated;

create function public.set_coupon_status(organization_id uuid, coupon_id uuid, status text)
returns public.coupons
language sql
volatile
set search_path = ''
as $$ select private.set_coupon_status(organization_id, coupon_id, status) $$;

comment on function public.set_coupon_status is
  'Switches a coupon on (active) or off (inactive) and returns its row; bookings that have it keep it. For members with coupons:manage and coupons:read. Errors: 403 permission_denied, organization_suspended; 404 coupon_not_found; 422 status_invalid.';
grant execute on function public.set_coupon_status to authenticated;

create function private.change_coupon(
  organization_id uuid,
  coupon_id uuid,
  code text,
  kind text,
  value bigint,
  description text,
  minimum_cents bigint,
  valid_from date,
  valid_until date,
  maximum_uses int,
  maximum_uses_per_customer int,
  room_ids uuid []
)
returns public.coupons
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  coupon public.coupons;
begin
  perform private.require_permission(change_coupon.organization_id, 'coupons:manage');
  -- Its row is answered.
  perform private.require_permission(change_coupon.organization_id, 'coupons:read');
  -- Whoever takes a use of it waits, and counts by what is so then.
  select c.* into coupon
  from public.coupons as c
  where c.organization_id = change_coupon.organization_id and c.id = change_coupon.coupon_id
  for no key update;
  if not found then
    perform private.fail('coupon_not_found', 404, 'Choose one of the organization''s coupons.');
  end if;
  coupon.code := private.plain_code(change_coupon.code);
  coupon.description := change_coupon.description;
  coupon.kind := change_coupon.kind;
  coupon.value := change_coupon.value;
  coupon.minimum_cents := change_coupon.minimum_cents;
  coupon.valid_from := change_coupon.valid_from;
  coupon.valid_until := change_coupon.valid_until;
  coupon.maximum_uses := change_coupon.maximum_uses;
  coupon.maximum_uses_per_customer := change_coupon.maximum_uses_per_customer;
  perform private.check_coupon_terms(coupon, room_ids);

  begin
    update public.coupons as c
    set code = coupon.code,
      description = coupon.description,
      kind = coupon.kind,
      value = coupon.value,
      minimum_cents = coupon.minimum_cents,
      valid_from = coupon.valid_from,
      valid_until = coupon.valid_until,
      maximum_uses = coupon.maximum_uses,
      maximum_uses_per_customer = coupon.maximum_uses_per_customer,
      all_rooms = room_ids is null
    where c.organization_id = coupon.organization_id and c.id = coupon.id
    returning c.* into coupon;
  exception
    when unique_violation then
      perform private.fail('coupon_code_taken', 409, 'Choose another code: the organization has a coupon with this one.');
  end;
  delete from public.coupon_rooms as r
  where r.organization_id = coupon.organization_id
    and r.coupon_id = coupon.id
    and (room_ids is null or r.room_id <> all (room_ids));
  insert into public.coupon_rooms (organization_id, coupon_id, room_id)
  select distinct coupon.organization_id, coupon.id, wanted.id
  from unnest(room_ids) as wanted (id)
  on conflict on constraint coupon_rooms_pkey do nothing;
  return coupon;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.change_coupon is
  'definer: writes coupons, which no client may write.';
grant execute on function private.change_coupon to authenticated;

create function public.change_coupon(
  organization_id uuid,
  coupon_id uuid,
  code text,
  kind text,
  value bigint,
  description text default '',
  minimum_cents bigint default 0,
  valid_from date default null,
  valid_until date default null,
  maximum_uses int default null,
  maximum_uses_per_customer int default null,
  room_ids uuid [] default null
)
returns public.coupons
language sql
volatile
set search_path = ''
as $$
  select private.change_coupon(
    organization_id, coupon_id, code, kind, value, description, minimum_cents, valid_from, valid_until, maximum_uses,
    maximum_uses_per_customer, room_ids
  )
$$;

comment on function public.change_coupon is
  'Makes a coupon what create_coupon would make of the same values, code and rooms included, and returns its row; whether it is active stays. Bookings that have it keep it and the discount that they were quoted; one that is changed afterwards is quoted anew, and how often it was used goes on counting. For members with coupons:manage and coupons:read. Errors: 403 permission_denied, organization_suspended; 404 coupon_not_found, room_not_found; 409 coupon_code_taken; 422 coupon_invalid (details {"field"}).';
grant execute on function public.change_coupon to authenticated;
