-- The benchmarks' world: :venues venues with :rooms rooms each and :bookings bookings each,
-- three sessions a room and day from ten days ago on. Written past the triggers: what is
-- measured comes later, through the product's own functions and policies.
set session_replication_role = replica;

create schema bench;

create function bench.id(kind int, venue int, n int)
returns uuid
language sql
immutable
as $$
  select (
    lpad(to_hex(kind), 4, '0') || lpad(to_hex(venue), 4, '0')
    || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0')
  )::uuid
$$;

insert into auth.users (id, email)
select bench.id(1, v, 0), 'owner' || v || '@bench.test'
from generate_series(1, :venues) as v;

insert into public.organizations (id, name, slug)
select bench.id(2, v, 0), 'Venue ' || v, 'venue-' || v
from generate_series(1, :venues) as v;

insert into public.profiles (user_id, email, active_organization_id)
select bench.id(1, v, 0), 'owner' || v || '@bench.test', bench.id(2, v, 0)
from generate_series(1, :venues) as v;

select private.seed_system_roles(bench.id(2, v, 0), 'es') from generate_series(1, :venues) as v;

insert into public.memberships (organization_id, user_id, role_id)
select r.organization_id, p.user_id, r.id
from public.roles as r
join public.profiles as p on p.active_organization_id = r.organization_id
where r.key = 'owner';

insert into public.locations (organization_id, id, name, timezone)
select bench.id(2, v, 0), bench.id(3, v, 0), 'Centre', 'Europe/Madrid'
from generate_series(1, :venues) as v;

insert into public.rooms (
  organization_id, id, location_id, slug, name, price_cents, duration_minutes, turnaround_minutes, is_published
)
select bench.id(2, v, 0), bench.id(4, v, r), bench.id(3, v, 0), 'room-' || r, 'Room ' || r, 2000, 60, 30, true
from generate_series(1, :venues) as v, generate_series(1, :rooms) as r;

insert into public.schedules (organization_id, room_id, weekday, opens_at, closes_at)
select bench.id(2, v, 0), bench.id(4, v, r), d, '10:00', '22:00'
from generate_series(1, :venues) as v, generate_series(1, :rooms) as r, generate_series(1, 7) as d;

-- What a typical venue asks: less a head for more people, more in the evening and at weekends.
-- The four who book at 19:00 pay 1,900 and 100 each.
insert into public.price_tiers (organization_id, room_id, minimum_party, price_cents)
select bench.id(2, v, 0), bench.id(4, v, r), tier.minimum_party, tier.price_cents
from generate_series(1, :venues) as v, generate_series(1, :rooms) as r,
  (values (2, 2200), (4, 1900), (6, 1700)) as tier (minimum_party, price_cents);

insert into public.price_rules (organization_id, name, priority, weekdays, from_time, until_time, kind, value)
select
  bench.id(2, v, 0), rule.name, rule.priority, rule.weekdays::int [], rule.from_time::time, rule.until_time::time,
  rule.kind, rule.value
from generate_series(1, :venues) as v,
  (
    values
    ('Evening', 20, '{1,2,3,4,5,6,7}', '18:00', '00:00', 'amount', 100),
    ('Weekend', 10, '{6,7}', '10:00', '18:00', 'percent', 15),
    ('Morning', 5, '{1,2,3,4,5}', '10:00', '14:00', 'percent', -10)
  ) as rule (name, priority, weekdays, from_time, until_time, kind, value);

insert into public.extras (organization_id, names, price_per, price_cents, stock_per_session)
select bench.id(2, v, 0), extra.names::jsonb, extra.price_per, extra.price_cents, extra.stock
from generate_series(1, :venues) as v,
  (
    values
    ('{"es": "Foto", "en": "Photo"}', 'booking', 1000, null),
    ('{"es": "Bebida", "en": "Drink"}', 'person', 250, 40)
  ) as extra (names, price_per, price_cents, stock);

insert into public.calendars (organization_id, id, slug, name, maximum_advance_days, minimum_notice_minutes)
select bench.id(2, v, 0), bench.id(5, v, 0), 'venue-' || v, 'Venue ' || v, 730, 0
from generate_series(1, :venues) as v;

insert into public.calendar_rooms (organization_id, calendar_id, room_id, position)
select bench.id(2, v, 0), bench.id(5, v, 0), bench.id(4, v, r), r
from generate_series(1, :venues) as v, generate_series(1, :rooms) as r;

-- Filled row by row they take far longer than made at once over what is there.
create temporary table made_later as
select i.indexdef from pg_indexes as i where i.indexname in ('customers_search_idx', 'booking_contacts_search_idx');

drop index public.customers_search_idx, public.booking_contacts_search_idx;

-- Names as a venue has them: some that many bear, most that few do.
create function bench.person(n int)
returns text
language sql
immutable
as $$
  select
    (array[
      'María', 'Ana', 'José', 'Núria', 'Jordi', 'Lucía', 'Iñaki', 'Zoë', 'Mariana', 'Olivier', 'Siân', 'Łukasz'
    ])[1 + (n * 31) % 12]
    || ' '
    || (array[
      'García', 'López', 'Martínez', 'Ferrer', 'Puig', 'Vilanova', 'O''Brien', 'Müller', 'Etxeberria', 'Castellví'
    ])[1 + (n * 17) % 10]
    || ' '
    || chr(65 + n % 26) || translate(to_hex(n::bigint * 2654435), '0123456789', 'ghijklmnop')
$$;

insert into public.customers (organization_id, id, email, full_name, locale)
select bench.id(2, v, 0), bench.id(6, v, n), 'c' || n || '@bench.test', bench.person(v * 7919 + n), 'es'
from generate_series(1, :venues) as v, generate_series(1, :bookings / 5) as n;

create temporary table run as
select
  v, n, 1 + n % :rooms as room,
  -- Three of a day's eight slots: 10:00, 13:00 and 16:00 by the venue's clock.
  ((now() at time zone 'Europe/Madrid')::date - 10 + (n / :rooms) / 3
    + make_interval(hours => 10 + 3 * ((n / :rooms) % 3))) at time zone 'Europe/Madrid' as starts_at
from generate_series(1, :venues) as v, generate_series(0, :bookings - 1) as n;

insert into public.sessions (
  organization_id, id, room_id, starts_at, ends_at, occupied_until, mode, capacity, seats_taken
)
select
  bench.id(2, v, 0), bench.id(7, v, n), bench.id(4, v, room), starts_at,
  starts_at + interval '60 minutes', starts_at + interval '90 minutes', 'private', 6, 4
from run;

insert into public.bookings (
  organization_id, id, reference, session_id, room_id, starts_at, customer_id, calendar_id, status,
  party_size, seats, currency, total_cents, tax_cents, due_now_cents, locale
)
select
  bench.id(2, v, 0), bench.id(8, v, n), '0000-' || lpad(translate(to_hex(n), 'abcdef', 'ABCDEF'), 4, '0'),
  bench.id(7, v, n), bench.id(4, v, room), starts_at, bench.id(6, v, 1 + n % greatest(:bookings / 5, 1)),
  bench.id(5, v, 0), 'confirmed', 4, 4, 'EUR', 8000, 1388, 8000, 'es'
from run;

insert into public.booking_contacts (organization_id, booking_id, contact_name, contact_phone)
select b.organization_id, b.id, c.full_name, '+34 6' || lpad((('x' || right(b.id::text, 7))::bit(28)::int % 100000000)::text, 8, '0')
from public.bookings as b
join public.customers as c on c.organization_id = b.organization_id and c.id = b.customer_id;

insert into public.booking_lines (
  organization_id, booking_id, position, kind, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents
)
select bench.id(2, v, 0), bench.id(8, v, n), 1, 'base', 'Room', 4, 2000, 8000, 2100, 1388
from run;

-- Each booking was paid when it was made, as the ledger has it; those that are past were played.
insert into public.payments (
  organization_id, id, booking_id, method, amount_cents, currency, provider_payment_id, occurred_at
)
select
  b.organization_id, b.id, b.id, case when r.n % 3 = 0 then 'cash' else 'stripe' end, 8000, 'EUR', 'pi_' || b.id,
  b.starts_at - interval '3 days'
from run as r
join public.bookings as b on b.organization_id = bench.id(2, r.v, 0) and b.id = bench.id(8, r.v, r.n);

insert into public.ledger_entries (
  organization_id, source, source_id, step, debit, credit, amount_cents, currency, booking_id, tax_rate_bp, occurred_at
)
select
  p.organization_id, e.source, p.id, e.step, coalesce(e.debit, private.money_account(p.method)), e.credit, e.cents,
  p.currency, p.booking_id, e.rate, p.occurred_at
from public.payments as p
cross join (
  values
  ('payment', 1, null, 'customers', 8000, null), ('booking', 1, 'charges', 'tax', 1388, 2100),
  ('booking', 2, 'charges', 'sales', 6612, null)
) as e (source, step, debit, credit, cents, rate);

insert into public.game_results (
  organization_id, booking_id, session_id, room_id, played_at, duration_seconds, outcome, escape_seconds
)
select
  b.organization_id, b.id, b.session_id, b.room_id, b.starts_at, 3600,
  case when r.n % 3 = 0 then 'failed' else 'escaped' end, case when r.n % 3 > 0 then 2000 + r.n end
from run as r
join public.bookings as b on b.organization_id = bench.id(2, r.v, 0) and b.id = bench.id(8, r.v, r.n)
where b.starts_at < now();

-- What raw PostgreSQL would need to sell slots: the same constraint and nothing else.
create table bench.bare_sessions (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  room_id uuid not null,
  during tstzrange not null,
  primary key (organization_id, id),
  exclude using gist (
    organization_id extensions.gist_uuid_ops with =,
    room_id extensions.gist_uuid_ops with =,
    during with &&
  )
);

insert into bench.bare_sessions (organization_id, room_id, during)
select organization_id, room_id, during from public.sessions;

-- One calendar's share of holds a minute is soon used up when eight clients want one place.
update private.rate_limit_rules set max_hits = 1000000000 where scope = 'target';
-- Nor do plans limit: what is measured is the work, not the limit.
update private.billing_settings set default_plan = 'pro';

create sequence bench.hold;
create sequence bench.bare;

-- The n-th free slot: 19:00 (nobody's in this world), spread over venues, then rooms, then days.
create function bench.slot(n bigint, venues int, rooms int, out venue int, out room int, out starts_at timestamptz)
language sql
stable
as $$
  select
    1 + (n % venues)::int,
    1 + ((n / venues) % rooms)::int,
    ((now() at time zone 'Europe/Madrid')::date + 1 + (n / venues / rooms)::int + time '19:00')
      at time zone 'Europe/Madrid'
$$;

create function bench.hold_one(venues int, rooms int)
returns jsonb
language sql
volatile
as $$
  select public.hold_booking(
    'venue-' || s.venue, bench.id(4, s.venue, s.room), s.starts_at, 4,
    jsonb_build_object('full_name', 'Load', 'email', 'load' || n % 1000 || '@bench.test'),
    8000, 'bench-' || n
  )
  from nextval('bench.hold') as n, bench.slot(n, venues, rooms) as s
$$;

create function bench.insert_one(venues int, rooms int)
returns void
language sql
volatile
as $$
  insert into bench.bare_sessions (organization_id, room_id, during)
  select
    bench.id(2, s.venue, 0), bench.id(4, s.venue, s.room),
    tstzrange(s.starts_at, s.starts_at + interval '90 minutes')
  from nextval('bench.bare') as n, bench.slot(n, venues, rooms) as s
  on conflict do nothing
$$;

-- The one place that everybody wants: 19:00 of the last day on sale, in the first room.
create function bench.hot_start()
returns timestamptz
language sql
stable
as $$
  select ((now() at time zone 'Europe/Madrid')::date + 700 + time '19:00') at time zone 'Europe/Madrid'
$$;

create function bench.fight_one()
returns void
language plpgsql
volatile
as $$
declare
  n bigint := nextval('bench.hold');
begin
  perform public.hold_booking(
    'venue-1', bench.id(4, 1, 1), bench.hot_start(), 4,
    jsonb_build_object('full_name', 'Load', 'email', 'load' || n % 1000 || '@bench.test'),
    8000, 'fight-' || n
  );
exception
  when sqlstate 'PT409' then null;
end
$$;

create function bench.insert_hot()
returns void
language sql
volatile
as $$
  insert into bench.bare_sessions (organization_id, room_id, during)
  values (bench.id(2, 1, 0), bench.id(4, 1, 1), tstzrange(bench.hot_start(), bench.hot_start() + interval '90 minutes'))
  on conflict do nothing
$$;

-- The same free times by hand: no exceptions, no notice, no prices, no party sizes.
create function bench.availability_by_hand(venue int, rooms int)
returns table (room_id uuid, starts_at timestamptz)
language sql
stable
as $$
  with busy as materialized (
    select x.room_id, range_agg(x.during) as during
    from public.sessions as x
    where x.organization_id = bench.id(2, venue, 0)
      and x.room_id = any (array(select bench.id(4, venue, r) from generate_series(1, rooms) as r))
      and x.starts_at >= current_date - 1
      and x.starts_at < current_date + 32
      and x.status <> 'cancelled'
    group by x.room_id
  )
  select r.id, s.starts_at
  from (select bench.id(4, venue, n) as id from generate_series(1, rooms) as n) as r
  cross join generate_series(0, 30) as d
  cross join generate_series(0, 7) as k
  cross join lateral (
    select ((now() at time zone 'Europe/Madrid')::date + d + time '10:00' + make_interval(mins => 90 * k))
      at time zone 'Europe/Madrid' as starts_at
  ) as s
  left join busy on busy.room_id = r.id
  where s.starts_at > now()
    and not coalesce(busy.during && tstzrange(s.starts_at, s.starts_at + interval '90 minutes'), false)
  order by s.starts_at, r.id
$$;

-- The rules that every organization begins with; their trigger was left out above.
insert into public.message_rules (organization_id, kind, minutes, days, at_time)
select bench.id(2, v, 0), r.kind, r.minutes, r.days, r.at_time
from generate_series(1, :venues) as v
cross join (
  values ('reminder', null, 1, time '18:00'), ('thanks', 120, null, null), ('payment_request', 4320, null, null)
) as r (kind, minutes, days, at_time);

-- Deep in the night nothing starts, ends or is due.
create function bench.idle()
returns timestamptz
language sql
stable
as $$ select current_date + time '03:00:01' at time zone 'UTC' $$;

create function bench.due_by_hand()
returns bigint
language sql
stable
as $$
  select
    (
      select count(*) from public.bookings as b
      where b.starts_at between bench.idle() + interval '72 h' and bench.idle() + interval '72 h 15 s'
        and b.status in ('pending', 'confirmed')
    ) + (
      select count(*) from public.sessions as s
      where s.ends_at between bench.idle() - interval '2 h' and bench.idle() - interval '2 h' + interval '15 s'
        and s.mode <> 'block' and s.status = 'scheduled'
    ) + (
      select count(*) from public.message_rules as r where not r.is_active
    )
$$;

do $$
declare
  statement text;
begin
  for statement in select m.indexdef from made_later as m loop
    execute statement;
  end loop;
end
$$;

-- What a search by hand would read: the names, without accents' and cases' rules, orders, phones or rights.
create index bare_contacts_idx on public.booking_contacts
using gin (organization_id, contact_name extensions.gin_trgm_ops);

create function bench.search_by_hand(venue int, words text)
returns setof public.bookings
language sql
stable
as $$
  select b.*
  from public.booking_contacts as k
  join public.bookings as b on b.organization_id = k.organization_id and b.id = k.booking_id
  where k.organization_id = bench.id(2, venue, 0) and k.contact_name like '%' || words || '%'
  order by b.starts_at
  limit 20
$$;

-- The same figures of a year as one sum each, without days, rooms, channels or what was before.
create function bench.revenue_by_hand(venue int)
returns table (received numeric, sold numeric)
language sql
stable
as $$
  select
    (select sum(p.amount_cents) from public.payments as p where p.organization_id = bench.id(2, venue, 0)),
    (
      select sum(e.amount_cents)
      from public.ledger_entries as e
      where e.organization_id = bench.id(2, venue, 0) and e.source = 'booking'
    )
$$;

create function bench.bookings_by_hand(venue int)
returns table (status text, bookings bigint, people bigint)
language sql
stable
as $$
  select b.status, count(*), sum(b.party_size)
  from public.bookings as b
  where b.organization_id = bench.id(2, venue, 0)
  group by b.status
$$;

-- The load comes as postgres, who is no superuser, as the product's owner is.
grant usage on schema bench to postgres;
grant all on all tables in schema bench to postgres;
grant all on all sequences in schema bench to postgres;

reset session_replication_role;
