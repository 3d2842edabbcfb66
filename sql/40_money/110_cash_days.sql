-- A location's cash days: what was taken at its desk from one closing to the next, and what was counted.
--
-- Closing claims the entries that no earlier closing has claimed: payments by cash, card terminal, transfer and Bizum
-- for bookings of the location's rooms, what went back by these, and counter-entries. They are claimed, and not found by
-- their time, so that one which commits while a day is closed is not lost: it falls in the next, as all that comes later.

create table public.cash_days (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  location_id uuid not null,
  currency text not null,
  float_cents bigint not null,
  opened_at timestamptz not null default now(),
  opened_by jsonb not null default private.current_actor(),
  closed_at timestamptz,
  closed_by jsonb,
  counted_cash_cents bigint,
  counted_card_terminal_cents bigint,
  counted_transfer_cents bigint,
  counted_bizum_cents bigint,
  constraint cash_days_pkey primary key (organization_id, id),
  constraint cash_days_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint cash_days_location_fkey foreign key (organization_id, location_id)
  references public.locations (organization_id, id),
  constraint cash_days_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint cash_days_float_is_not_negative check (float_cents >= 0),
  constraint cash_days_counts_are_not_negative check (
    least(counted_cash_cents, counted_card_terminal_cents, counted_transfer_cents, counted_bizum_cents) >= 0
  ),
  constraint cash_days_closed_is_counted check (
    num_nonnulls(closed_at, closed_by, counted_cash_cents) in (0, 3)
    and (
      closed_at is not null
      or num_nonnulls(counted_card_terminal_cents, counted_transfer_cents, counted_bizum_cents) = 0
    )
  )
);

comment on table public.cash_days is
  'A location''s desk from its opening to its closing. Once closed it never changes; what comes later falls in the next. get_cash_day has what was expected.';
comment on column public.cash_days.currency is 'The organization''s when it was opened; amounts are in its minor units.';
comment on column public.cash_days.float_cents is 'What was in the drawer when it was opened.';
comment on column public.cash_days.opened_by is 'Who opened it: {kind, id} as in private.current_actor.';
comment on column public.cash_days.closed_at is 'When it was closed; null: it is open.';
comment on column public.cash_days.closed_by is 'Who closed it: {kind, id} as in private.current_actor.';
comment on column public.cash_days.counted_cash_cents is 'What was in the drawer when it was closed, the float with it; null: it is open.';
comment on column public.cash_days.counted_card_terminal_cents is 'The terminal''s total; null: not counted.';
comment on column public.cash_days.counted_transfer_cents is 'Transfers that arrived; null: not counted.';
comment on column public.cash_days.counted_bizum_cents is 'What came by Bizum; null: not counted.';

-- for: private.open_cash_day, so that a race of two opens one; and the open day of a location
create unique index cash_days_one_open_key on public.cash_days (organization_id, location_id)
where closed_at is null;
-- for: a location's days, newest first, and the foreign key
create index cash_days_location_id_idx on public.cash_days (organization_id, location_id, opened_at desc, id desc);

grant select on public.cash_days to authenticated;

alter table public.cash_days enable row level security;

create policy cash_days_select on public.cash_days
for select to authenticated
using (organization_id = (select private.organization_with('payments:read')));

create trigger cash_days_refuse_change
before update on public.cash_days
for each row when (old.closed_at is not null)
execute function private.refuse_change();

create trigger cash_days_refuse_delete
before delete on public.cash_days
for each row execute function private.refuse_change();

create trigger cash_days_refuse_truncate
before truncate on public.cash_days
for each statement execute function private.refuse_change();

create table public.cash_day_lines (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  cash_day_id uuid not null,
  payment_id uuid,
  refund_id uuid,
  method text not null,
  amount_cents bigint not null,
  recorded_by jsonb not null,
  constraint cash_day_lines_pkey primary key (organization_id, id),
  constraint cash_day_lines_cash_day_fkey foreign key (organization_id, cash_day_id)
  references public.cash_days (organization_id, id),
  constraint cash_day_lines_payment_fkey foreign key (organization_id, payment_id)
  references public.payments (organization_id, id),
  constraint cash_day_lines_refund_fkey foreign key (organization_id, refund_id)
  references public.refunds (organization_id, id),
  -- Also the indexes for the foreign keys, and for what no closing has claimed.
  constraint cash_day_lines_payment_key unique (organization_id, payment_id),
  constraint cash_day_lines_refund_key unique (organization_id, refund_id),
  constraint cash_day_lines_are_of_one_entry check (num_nonnulls(payment_id, refund_id) = 1),
  constraint cash_day_lines_method_is_known check (method in ('cash', 'card_terminal', 'transfer', 'bizum'))
);

comment on table public.cash_day_lines is 'Append-only: the entries that a closing claimed, each by one only.';
comment on column public.cash_day_lines.payment_id is 'The payment; null: it is a refund or a counter-entry.';
comment on column public.cash_day_lines.refund_id is 'The refund or counter-entry; null: it is a payment.';
comment on column public.cash_day_lines.method is 'cash, card_terminal, transfer or bizum: by which it came or went.';
comment on column public.cash_day_lines.amount_cents is 'Minor units of the day''s currency; negative: it went out.';
comment on column public.cash_day_lines.recorded_by is 'Who wrote the entry down: {kind, id} as in private.current_actor.';

-- for: the lines of a day, and the foreign key
create index cash_day_lines_cash_day_id_idx on public.cash_day_lines (organization_id, cash_day_id);

grant select on public.cash_day_lines to authenticated;

alter table public.cash_day_lines enable row level security;

create policy cash_day_lines_select on public.cash_day_lines
for select to authenticated
using (organization_id = (select private.organization_with('payments:read')));

create trigger cash_day_lines_refuse_change
before update or delete on public.cash_day_lines
for each row execute function private.refuse_change();

create trigger cash_day_lines_refuse_truncate
before truncate on public.cash_day_lines
for each statement execute function private.refuse_change();

create function private.cash_day_entries(day public.cash_days)
returns setof public.cash_day_lines
language plpgsql
stable
set search_path = ''
as $$
declare
  since timestamptz;
begin
  if day.closed_at is not null then
    return query
    select n.*
    from public.cash_day_lines as n
    where n.organization_id = day.organization_id and n.cash_day_id = day.id;
    return;
  end if;
  -- What was taken before the location had cash days is in none.
  select min(d.opened_at) into since
  from public.cash_days as d
  where d.organization_id = day.organization_id and d.location_id = day.location_id;
  return query
  select
    day.organization_id, private.uuid_v7(), day.id, e.payment_id, e.refund_id, e.method, e.amount_cents, e.recorded_by
  from (
    select p.booking_id, p.id as payment_id, null::uuid as refund_id, p.method, p.amount_cents, p.recorded_by
    from public.payments as p
    where p.organization_id = day.organization_id
      and p.created_at >= since
      and not exists (
        select from public.cash_day_lines as n
        where n.organization_id = p.organization_id and n.payment_id = p.id
      )
    union all
    select r.booking_id, null, r.id, r.method, -r.amount_cents, r.recorded_by
    from public.refunds as r
    where r.organization_id = day.organization_id
      and r.created_at >= since
      and not exists (
        select from public.cash_day_lines as n
        where n.organization_id = r.organization_id and n.refund_id = r.id
      )
      -- What was in none, taken before, is missing in none when it turns out to have been nothing.
      and not (r.kind = 'correction' and exists (
        select from public.payments as p
        where p.organization_id = r.organization_id and p.id = r.payment_id and p.created_at < since
      ))
  ) as e
  join public.bookings as b on b.organization_id = day.organization_id and b.id = e.booking_id
  join public.rooms as m on m.organization_id = b.organization_id and m.id = b.room_id
  where m.location_id = day.location_id and e.method in ('cash', 'card_terminal', 'transfer', 'bizum');
end
$$;

comment on function private.cash_day_entries is
  'The entries of a closed day; of an open one those that its closing would claim now.';

create type public.cash_taken as (
  actor_kind text,
  actor_id uuid,
  amount_cents bigint
);

comment on type public.cash_taken is 'What somebody took at the desk by one method, less what they gave back.';
comment on column public.cash_taken.actor_kind is 'one of: user, api_key, support, service, customer, system';
comment on column public.cash_taken.actor_id is 'Whose; null: the product''s own.';
comment on column public.cash_taken.amount_cents is 'Minor units of the day''s currency.';

create type public.cash_count as (
  method text,
  taken_cents bigint,
  expected_cents bigint,
  counted_cents bigint,
  difference_cents bigint,
  persons public.cash_taken []
);

comment on type public.cash_count is 'One method of a cash day, in minor units of its currency.';
comment on column public.cash_count.method is 'one of: cash, card_terminal, transfer, bizum';
comment on column public.cash_count.taken_cents is 'What came in, less what went back; null without payments:read.';
comment on column public.cash_count.expected_cents is 'What is to be there: of cash with the float; null without payments:read.';
comment on column public.cash_count.counted_cents is 'What was counted; null: not counted, not yet, or without payments:read.';
comment on column public.cash_count.difference_cents is 'Counted less expected; null: not counted, not yet, or without payments:read.';
comment on column public.cash_count.persons is 'Who took it; null without payments:read.';

create type public.cash_day_report as (
  cash_day_id uuid,
  location_id uuid,
  currency text,
  opened_at timestamptz,
  closed_at timestamptz,
  float_cents bigint,
  counts public.cash_count []
);

comment on type public.cash_day_report is 'A cash day, method by method.';
comment on column public.cash_day_report.cash_day_id is 'The day.';
comment on column public.cash_day_report.location_id is 'The location.';
comment on column public.cash_day_report.currency is 'ISO 4217.';
comment on column public.cash_day_report.opened_at is 'When it was opened.';
comment on column public.cash_day_report.closed_at is 'When it was closed; null: it is open.';
comment on column public.cash_day_report.float_cents is 'What was in the drawer when it was opened, in minor units of currency; null without payments:read.';
comment on column public.cash_day_report.counts is 'The four methods.';

create function private.shown_cash_day(day public.cash_days)
returns public.cash_day_report
language plpgsql
stable
set search_path = ''
as $$
begin
  -- As the policies of both tables: whoever opens and closes without it counts what is there, and is not told what should be.
  if not private.has_permission(day.organization_id, 'payments:read') then
    return row(
      day.id, day.location_id, day.currency, day.opened_at, day.closed_at, null,
      array(
        select row(m.method, null, null, null, null, null)::public.cash_count
        from unnest(array['cash', 'card_terminal', 'transfer', 'bizum']) with ordinality as m (method, position)
        order by m.position
      )
    )::public.cash_day_report;
  end if;
  return (
    with taken as (
      select e.method, e.recorded_by ->> 'kind' as kind, (e.recorded_by ->> 'id')::uuid as id, sum(e.amount_cents)::bigint as cents
      from private.cash_day_entries(day) as e
      group by e.method, e.recorded_by ->> 'kind', (e.recorded_by ->> 'id')::uuid
    )
    select row(
      day.id, day.location_id, day.currency, day.opened_at, day.closed_at, day.float_cents,
      array_agg(
        row(
          way.method, sums.cents, sums.cents + way.float_cents, way.counted,
          way.counted - sums.cents - way.float_cents, sums.persons
        )::public.cash_count
        order by way.position
      )
    )::public.cash_day_report
    from (
      values
      (1, 'cash', day.float_cents, day.counted_cash_cents),
      (2, 'card_terminal', 0, day.counted_card_terminal_cents),
      (3, 'transfer', 0, day.counted_transfer_cents),
      (4, 'bizum', 0, day.counted_bizum_cents)
    ) as way (position, method, float_cents, counted)
    cross join lateral (
      select
        coalesce(sum(t.cents), 0)::bigint as cents,
        coalesce(array_agg(row(t.kind, t.id, t.cents)::public.cash_taken order by t.kind, t.id), '{}') as persons
      from taken as t
      where t.method = way.method
    ) as sums
  );
end
$$;

comment on function private.shown_cash_day is 'A cash day as staff see it: its sums with payments:read.';

create function private.open_cash_day(organization_id uuid, location_id uuid, float_cents bigint)
returns public.cash_day_report
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  day public.cash_days;
begin
  perform private.require_permission(open_cash_day.organization_id, 'payments:create');
  if not exists (
    select from public.locations as l
    where l.organization_id = open_cash_day.organization_id and l.id = open_cash_day.location_id
  ) then
    perform private.fail('location_not_found', 404, 'Choose one of the organization''s locations.');
  elsif open_cash_day.float_cents not between 0 and 100000000 then
    perform private.fail('amount_invalid', 422, 'Send what is in the drawer in minor units, 0 or more.');
  end if;
  loop
    insert into public.cash_days as d (organization_id, location_id, currency, float_cents)
    select
      o.id, open_cash_day.location_id, o.currency,
      coalesce(open_cash_day.float_cents, (
        select last.counted_cash_cents
        from public.cash_days as last
        where last.organization_id = o.id and last.location_id = open_cash_day.location_id and last.closed_at is not null
        order by last.opened_at desc, last.id desc
        limit 1
      ), 0)
    from public.organizations as o
    where o.id = open_cash_day.organization_id
    on conflict (organization_id, location_id) where closed_at is null do nothing
    returning d.* into day;
    exit when found;
    select d.* into day
    from public.cash_days as d
    where d.organization_id = open_cash_day.organization_id
      and d.location_id = open_cash_day.location_id
      and d.closed_at is null;
    exit when found; -- else it was closed at this moment
  end loop;
  return private.shown_cash_day(day);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.open_cash_day is
  'definer: writes cash days, which no client may write. Asks for payments:create.';
grant execute on function private.open_cash_day to authenticated;

create function public.open_cash_day(organization_id uuid, location_id uuid, float_cents bigint default null)
returns public.cash_day_report
language sql
volatile
set search_path = ''
as $$ select private.open_cash_day(organization_id, location_id, float_cents) $$;

comment on function public.open_cash_day is
  'Opens a location''s cash day, or answers the one that is open. float_cents: what is in the drawer, minor units; null: what was counted last, or nothing. The first of a location begins with what is taken from then on; every other with what was taken since the last closing. For members with payments:create; the sums are told with payments:read. Errors: 403 permission_denied, organization_suspended; 404 location_not_found; 422 amount_invalid.';
grant execute on function public.open_cash_day to authenticated;

create function private.close_cash_day(
  organization_id uuid,
  cash_day_id uuid,
  cash_cents bigint,
  card_terminal_cents bigint,
  transfer_cents bigint,
  bizum_cents bigint
)
returns public.cash_day_report
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  day public.cash_days;
begin
  perform private.require_permission(close_cash_day.organization_id, 'payments:create');
  if close_cash_day.cash_cents is null or not coalesce(
    least(cash_cents, card_terminal_cents, transfer_cents, bizum_cents) >= 0
    and greatest(cash_cents, card_terminal_cents, transfer_cents, bizum_cents) <= 100000000000, true
  ) then
    perform private.fail('amount_invalid', 422, 'Send what was counted in minor units, 0 or more, at least of cash.');
  end if;
  -- Of two who close it the second finds it closed.
  select d.* into day
  from public.cash_days as d
  where d.organization_id = close_cash_day.organization_id and d.id = close_cash_day.cash_day_id
  for no key update;
  if not found then
    perform private.fail('cash_day_not_found', 404, 'Choose one of the organization''s cash days.');
  elsif day.closed_at is not null then
    perform private.fail('cash_day_closed', 409, 'It was closed before: what came later is in the next.');
  end if;
  insert into public.cash_day_lines
  select e.* from private.cash_day_entries(day) as e;
  update public.cash_days as d
  set closed_at = clock_timestamp(),
    closed_by = private.current_actor(),
    counted_cash_cents = close_cash_day.cash_cents,
    counted_card_terminal_cents = close_cash_day.card_terminal_cents,
    counted_transfer_cents = close_cash_day.transfer_cents,
    counted_bizum_cents = close_cash_day.bizum_cents
  where d.organization_id = day.organization_id and d.id = day.id
  returning d.* into day;
  return private.shown_cash_day(day);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.close_cash_day is
  'definer: writes cash days, which no client may write. Asks for payments:create.';
grant execute on function private.close_cash_day to authenticated;

create function public.close_cash_day(
  organization_id uuid,
  cash_day_id uuid,
  cash_cents bigint,
  card_terminal_cents bigint default null,
  transfer_cents bigint default null,
  bizum_cents bigint default null
)
returns public.cash_day_report
language sql
volatile
set search_path = ''
as $$
  select private.close_cash_day(
    organization_id, cash_day_id, cash_cents, card_terminal_cents, transfer_cents, bizum_cents
  )
$$;

comment on function public.close_cash_day is
  'Closes a cash day with what was counted (minor units; cash with the float; null: not counted) and answers what was expected, and the differences, by method and person. It never changes afterwards. For members with payments:create; with payments:read they are told, else it is counted blind. Errors: 403 permission_denied, organization_suspended; 404 cash_day_not_found; 409 cash_day_closed; 422 amount_invalid.';
grant execute on function public.close_cash_day to authenticated;

create function private.get_cash_day(organization_id uuid, cash_day_id uuid)
returns public.cash_day_report
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  day public.cash_days;
begin
  perform private.require_permission(get_cash_day.organization_id, 'payments:read');
  select d.* into day
  from public.cash_days as d
  where d.organization_id = get_cash_day.organization_id and d.id = get_cash_day.cash_day_id;
  if not found then
    perform private.fail('cash_day_not_found', 404, 'Choose one of the organization''s cash days.');
  end if;
  return private.shown_cash_day(day);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_cash_day is
  'definer: reads bookings and rooms for whoever may read payments. Asks for payments:read.';
grant execute on function private.get_cash_day to authenticated;

create function public.get_cash_day(organization_id uuid, cash_day_id uuid)
returns public.cash_day_report
language sql
stable
set search_path = ''
as $$ select private.get_cash_day(organization_id, cash_day_id) $$;

comment on function public.get_cash_day is
  'A cash day by method and person; of an open one what is expected so far. The days themselves are cash_days. For members with payments:read. Errors: 403 permission_denied; 404 cash_day_not_found.';
grant execute on function public.get_cash_day to authenticated;

create function private.ledger_cash_day()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.write_ledger(row(
    new.organization_id, null, 'cash_day', new.id, 1, 'cash_drawer', 'cash_differences',
    (
      select new.counted_cash_cents - new.float_cents - coalesce(sum(n.amount_cents), 0)
      from public.cash_day_lines as n
      where n.organization_id = new.organization_id and n.cash_day_id = new.id and n.method = 'cash'
    ),
    new.currency, null, null, new.closed_at, null
  )::public.ledger_entries);
  return null;
end
$$;

comment on function private.ledger_cash_day is 'Cash that is missing, or too much, when it is counted.';

create trigger ledger_cash_day
after update of closed_at on public.cash_days
for each row when (new.closed_at is not null)
execute function private.ledger_cash_day();
