-- Customers from the staff's side: their history, and two that are one person; and a person's
-- own bookings, wherever they are.

create table private.customer_merges (
  organization_id uuid not null,
  merged_id uuid not null,
  customer_id uuid not null,
  merged_at timestamptz not null default now(),
  constraint customer_merges_pkey primary key (organization_id, merged_id),
  constraint customer_merges_customer_fkey foreign key (organization_id, customer_id)
  references public.customers (organization_id, id) on delete cascade
);

comment on table private.customer_merges is
  'Customers whose rows are gone because they were merged into another. Who merged them is in the audit log; erasing the other one finds their log through this.';
comment on column private.customer_merges.customer_id is 'Whom they are now.';

-- for: the foreign key, and all that a customer once was
create index customer_merges_customer_id_idx on private.customer_merges (organization_id, customer_id);

create function private.lock_customers(organization_id uuid, customer_ids uuid [])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  room_ids uuid [];
  session_ids uuid [];
  locked int;
begin
  loop
    begin
      -- In the order of everybody: rooms, since several sessions are waited for, sessions, their
      -- bookings, what hangs on those. Sessions by their start, as private.reap_lapsed_holds
      -- takes them.
      select coalesce(array_agg(distinct b.room_id order by b.room_id), '{}') into room_ids
      from public.bookings as b
      where b.organization_id = lock_customers.organization_id and b.customer_id = any (lock_customers.customer_ids);
      perform private.lock_room(lock_customers.organization_id, wanted.room_id)
      from unnest(room_ids) as wanted (room_id);

      select coalesce(array_agg(own.id), '{}') into session_ids
      from (
        select s.id
        from public.sessions as s
        where s.organization_id = lock_customers.organization_id
          and s.id in (
            select b.session_id from public.bookings as b
            where b.organization_id = lock_customers.organization_id
              and b.customer_id = any (lock_customers.customer_ids)
              and b.room_id = any (room_ids)
          )
        order by s.starts_at, s.id
        for no key update
      ) as own;
      perform from public.bookings as b
      where b.organization_id = lock_customers.organization_id
        and b.customer_id = any (lock_customers.customer_ids)
        and b.session_id = any (session_ids)
      order by b.starts_at, b.id
      for no key update;
      -- Against private.customer_with_email: whoever books in that name waits, or is waited for.
      perform from public.customers as c
      where c.organization_id = lock_customers.organization_id and c.id = any (lock_customers.customer_ids)
      order by c.id
      for update;
      get diagnostics locked = row_count;
      -- Booked, or moved, while the locks were waited for: they are let go with this block, since
      -- it is too late to ask for another room or session in order.
      if exists (
        select from public.bookings as b
        where b.organization_id = lock_customers.organization_id
          and b.customer_id = any (lock_customers.customer_ids)
          and not (b.session_id = any (session_ids) and b.room_id = any (room_ids))
      ) then
        raise exception using errcode = 'EM001', message = 'booking_moved';
      end if;
      exit;
    exception
      when sqlstate 'EM001' then null;
    end;
  end loop;
  if locked < cardinality(lock_customers.customer_ids) then
    perform private.fail('customer_not_found', 404, 'Choose one of the organization''s customers; they may have been merged.');
  elsif exists (
    select from public.customers as c
    where c.organization_id = lock_customers.organization_id
      and c.id = any (lock_customers.customer_ids)
      and c.erased_at is not null
  ) then
    perform private.fail('customer_erased', 409, 'Choose another customer: what was erased stays erased.');
  end if;
end
$$;

comment on function private.lock_customers is
  'Locks customers with their bookings until the transaction ends. Raises 404 customer_not_found, 409 customer_erased.';

create type public.customer as (
  id uuid,
  email text,
  full_name text,
  phone text,
  locale text,
  staff_note text,
  erased_at timestamptz,
  created_at timestamptz,
  updated_at timestamptz,
  tags text []
);

comment on type public.customer is 'A customer as staff see one.';
comment on column public.customer.id is 'Of the customer.';
comment on column public.customer.email is 'In lower case; null: staff booked without one, or without customers:read. Of an erased customer: erased-<id>@erased.invalid.';
comment on column public.customer.full_name is 'As in the newest booking that is vouched for; null without customers:read.';
comment on column public.customer.phone is 'null: none was given, or without customers:read.';
comment on column public.customer.locale is 'one of: es, en, ca';
comment on column public.customer.staff_note is 'For the staff only; empty without one, null without customers:read.';
comment on column public.customer.erased_at is 'Since when it names nobody; null: it names somebody.';
comment on column public.customer.created_at is 'When the customer was first known.';
comment on column public.customer.updated_at is 'When anything of it last changed.';
comment on column public.customer.tags is 'In their order; null without customers:read.';

create function private.shown_customer(customer public.customers)
returns public.customer
language plpgsql
stable
set search_path = ''
as $$
begin
  -- As the policy of customers: whoever changes one is told no more than they may read.
  if not private.has_permission(customer.organization_id, 'customers:read') then
    return row(
      customer.id, null, null, null, customer.locale, null, customer.erased_at, customer.created_at, customer.updated_at, null
    )::public.customer;
  end if;
  return row(
    customer.id, customer.email, customer.full_name, customer.phone, customer.locale, customer.staff_note,
    customer.erased_at, customer.created_at, customer.updated_at,
    array(
      select t.tag
      from public.customer_tags as t
      where t.organization_id = customer.organization_id and t.customer_id = customer.id
      order by t.tag
    )
  )::public.customer;
end
$$;

comment on function private.shown_customer is 'A customer as staff see it, with tags.';

create function private.merge_customers(organization_id uuid, keep_id uuid, merge_id uuid)
returns public.customer
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  merged public.customers;
  kept public.customers;
  reference record;
begin
  perform private.require_permission(merge_customers.organization_id, 'customers:update');
  -- Whoever has the kept address has the bookings of both from then on.
  perform private.refuse_in_a_visit(merge_customers.organization_id);
  if merge_customers.keep_id is null or merge_customers.merge_id is null
    or merge_customers.keep_id = merge_customers.merge_id
  then
    perform private.fail('merge_invalid', 422, 'Name two different customers.');
  end if;
  perform private.lock_customers(
    merge_customers.organization_id, array[merge_customers.keep_id, merge_customers.merge_id]
  );
  -- The kept one's, where it takes over an address, are asked about by its own row's trigger.
  if private.has_bookings_to_come(merge_customers.organization_id, merge_customers.merge_id) then
    perform private.require_booking_rights(merge_customers.organization_id);
  end if;

  insert into public.customer_tags (organization_id, customer_id, tag)
  select t.organization_id, merge_customers.keep_id, t.tag
  from public.customer_tags as t
  where t.organization_id = merge_customers.organization_id and t.customer_id = merge_customers.merge_id
  on conflict on constraint customer_tags_tag_key do nothing;
  delete from public.customer_tags as t
  where t.organization_id = merge_customers.organization_id and t.customer_id = merge_customers.merge_id;

  -- Whatever refers to customers, from the catalogue, so that a new table cannot be forgotten.
  -- Payments and refunds belong to bookings and are not touched.
  perform set_config('escapemaster.merging', merge_customers.organization_id::text, true);
  for reference in
    select f.conrelid::regclass as relation, a.attname as name
    from pg_catalog.pg_constraint as f
    cross join unnest(f.conkey, f.confkey) as k (child, parent)
    join pg_catalog.pg_attribute as a on a.attrelid = f.conrelid and a.attnum = k.child
    join pg_catalog.pg_attribute as p on p.attrelid = f.confrelid and p.attnum = k.parent
    where f.confrelid = 'public.customers'::regclass and f.contype = 'f' and p.attname = 'id'
    order by f.conrelid::regclass::text, a.attname
  loop
    execute format(
      'update %1$s as t set %2$I = $1 where t.organization_id = $2 and t.%2$I = $3', reference.relation, reference.name
    )
    using merge_customers.keep_id, merge_customers.organization_id, merge_customers.merge_id;
  end loop;
  perform set_config('escapemaster.merging', '', true);

  delete from public.customers as c
  where c.organization_id = merge_customers.organization_id and c.id = merge_customers.merge_id
  returning * into merged;
  insert into private.customer_merges (organization_id, merged_id, customer_id)
  values (merge_customers.organization_id, merge_customers.merge_id, merge_customers.keep_id);
  update public.customers as c
  set email = coalesce(c.email, merged.email),
    phone = coalesce(c.phone, merged.phone),
    staff_note = left(concat_ws(E'\n', nullif(c.staff_note, ''), nullif(merged.staff_note, '')), 5000)
  where c.organization_id = merge_customers.organization_id and c.id = merge_customers.keep_id
  returning * into kept;
  return private.shown_customer(kept);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.merge_customers is
  'definer: moves bookings and what else refers to a customer, which no client may write.';
grant execute on function private.merge_customers to authenticated;

create function public.merge_customers(organization_id uuid, keep_id uuid, merge_id uuid)
returns public.customer
language sql
volatile
set search_path = ''
as $$ select private.merge_customers(organization_id, keep_id, merge_id) $$;

comment on function public.merge_customers is
  'Makes two customers one, for good: bookings, consents, tags and all else of merge_id become keep_id''s, whose address, name and language stay; an address and a phone are taken over where there was none, notes are joined (cut at 5000 characters). The ledger is not touched. An address of merge_id that is not taken over is free: a new booking with it makes a new customer. For members with customers:update, and with bookings:cancel and bookings:update where bookings to come change their address. Errors: 403 permission_denied (details {"permission"}), organization_suspended, refused_in_a_visit; 404 customer_not_found; 409 customer_erased; 422 merge_invalid; 429 mail_limit_reached (details {"limit", "maximum"}; not where the customer is left without an address).';
grant execute on function public.merge_customers to authenticated;

create type public.customer_totals as (
  bookings bigint,
  visits bigint,
  no_shows bigint,
  cancelled bigint,
  upcoming bigint,
  last_visit_at timestamptz,
  currency text,
  paid_cents bigint,
  refunded_cents bigint
);

comment on type public.customer_totals is 'A customer''s bookings in numbers.';
comment on column public.customer_totals.bookings is 'Without expired holds, and those that were merged with another.';
comment on column public.customer_totals.visits is 'Of those who came.';
comment on column public.customer_totals.no_shows is 'Of those who did not.';
comment on column public.customer_totals.cancelled is 'By either side.';
comment on column public.customer_totals.upcoming is 'That are still to come.';
comment on column public.customer_totals.last_visit_at is 'When the last one that came began; null: none did.';
comment on column public.customer_totals.currency is 'Of the amounts, ISO 4217.';
comment on column public.customer_totals.paid_cents is 'All payments, in minor units; null without payments:read.';
comment on column public.customer_totals.refunded_cents is 'All refunds, in minor units; null without payments:read.';

create type public.customer_visit as (
  id uuid,
  reference text,
  status text,
  starts_at timestamptz,
  room_id uuid,
  room_name text,
  party_size int,
  currency text,
  total_cents bigint,
  paid_cents bigint,
  refunded_cents bigint,
  staff_note text
);

comment on type public.customer_visit is 'A booking in the history of its customer.';
comment on column public.customer_visit.id is 'Of the booking.';
comment on column public.customer_visit.reference is 'As the customer knows it.';
comment on column public.customer_visit.status is 'one of bookings.status';
comment on column public.customer_visit.starts_at is 'Of the game.';
comment on column public.customer_visit.room_id is 'Of the room.';
comment on column public.customer_visit.room_name is 'As it is called now.';
comment on column public.customer_visit.party_size is 'People.';
comment on column public.customer_visit.currency is 'Of the amounts, ISO 4217.';
comment on column public.customer_visit.total_cents is 'Price, tax included, in minor units.';
comment on column public.customer_visit.paid_cents is 'All payments, in minor units; null without payments:read.';
comment on column public.customer_visit.refunded_cents is 'All refunds, in minor units; null without payments:read.';
comment on column public.customer_visit.staff_note is 'For the staff only; empty without one.';

create type public.customer_history as (
  customer public.customer,
  consents public.consents,
  totals public.customer_totals,
  bookings public.customer_visit []
);

comment on type public.customer_history is 'A customer with all bookings.';
comment on column public.customer_history.customer is 'The customer.';
comment on column public.customer_history.consents is 'What the customer agrees to now.';
comment on column public.customer_history.totals is 'The bookings in numbers.';
comment on column public.customer_history.bookings is 'Newest first.';

create function private.get_customer_history(organization_id uuid, customer_id uuid)
returns public.customer_history
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  customer public.customers;
  shows_money boolean;
begin
  perform private.require_permission(get_customer_history.organization_id, 'customers:read');
  perform private.require_permission(get_customer_history.organization_id, 'bookings:read');
  shows_money := private.has_permission(get_customer_history.organization_id, 'payments:read');
  select c.* into customer
  from public.customers as c
  where c.organization_id = get_customer_history.organization_id and c.id = get_customer_history.customer_id;
  if not found then
    perform private.fail('customer_not_found', 404, 'Choose one of the organization''s customers; they may have been merged.');
  end if;

  return (
    select row(
      private.shown_customer(customer),
      private.latest_consents(customer.organization_id, customer.id),
      row(
        count(*) filter (where b.status <> 'expired' and b.merged_into_id is null),
        count(*) filter (where b.status in ('checked_in', 'in_progress', 'completed')),
        count(*) filter (where b.status = 'no_show'),
        count(*) filter (where b.status = 'cancelled' and b.merged_into_id is null),
        count(*) filter (where b.status in ('held', 'pending', 'confirmed') and b.starts_at > now()),
        max(b.starts_at) filter (where b.status in ('checked_in', 'in_progress', 'completed')),
        (select o.currency from public.organizations as o where o.id = customer.organization_id),
        case when shows_money then coalesce(sum(balance.paid_cents), 0) end,
        case when shows_money then coalesce(sum(balance.refunded_cents), 0) end
      )::public.customer_totals,
      coalesce(
        array_agg(
          row(
            b.id, b.reference, b.status, b.starts_at, b.room_id, r.name, b.party_size, b.currency, b.total_cents,
            case when shows_money then balance.paid_cents end,
            case when shows_money then balance.refunded_cents end,
            b.staff_note
          )::public.customer_visit
          order by b.starts_at desc, b.id desc
        ),
        '{}'
      )
    )::public.customer_history
    from (
      select
        q.id, q.reference, q.starts_at, q.room_id, q.party_size, q.currency, q.total_cents, q.staff_note,
        q.merged_into_id,
        case when q.hold_expires_at <= now() then 'expired' else q.status end as status
      from public.bookings as q
      where q.organization_id = customer.organization_id and q.customer_id = customer.id
    ) as b
    join public.rooms as r on r.organization_id = customer.organization_id and r.id = b.room_id
    cross join private.booking_balance(customer.organization_id, b.id) as balance
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_customer_history is
  'definer: reads a customer of a named organization whatever organization the request acts for.';
grant execute on function private.get_customer_history to authenticated;

create function public.get_customer_history(organization_id uuid, customer_id uuid)
returns public.customer_history
language sql
stable
set search_path = ''
as $$ select private.get_customer_history(organization_id, customer_id) $$;

comment on function public.get_customer_history is
  'A customer with all bookings, what was agreed to, and numbers. For members with customers:read and bookings:read. Errors: 403 permission_denied; 404 customer_not_found.';
grant execute on function public.get_customer_history to authenticated;

create type public.my_booking as (
  id uuid,
  organization public.venue,
  reference text,
  status text,
  hold_expires_at timestamptz,
  starts_at timestamptz,
  ends_at timestamptz,
  timezone text,
  room_id uuid,
  room_name text,
  party_size int,
  currency text,
  total_cents bigint,
  due_now_cents bigint
);

comment on type public.my_booking is 'A booking of the signed-in person.';
comment on column public.my_booking.id is 'What my_booking_token is asked with.';
comment on column public.my_booking.organization is 'The venue.';
comment on column public.my_booking.reference is 'What people call it by.';
comment on column public.my_booking.status is 'one of bookings.status';
comment on column public.my_booking.hold_expires_at is 'When an unpaid one lapses; null: it does not.';
comment on column public.my_booking.starts_at is 'Of the game.';
comment on column public.my_booking.ends_at is 'Of the game.';
comment on column public.my_booking.timezone is 'IANA zone of the venue.';
comment on column public.my_booking.room_id is 'The game''s room.';
comment on column public.my_booking.room_name is 'As it is called.';
comment on column public.my_booking.party_size is 'People.';
comment on column public.my_booking.currency is 'ISO 4217, upper case.';
comment on column public.my_booking.total_cents is 'The price, minor units, tax included.';
comment on column public.my_booking.due_now_cents is 'Of the total, what confirms the booking.';

create function private.my_bookings(max_rows int)
returns setof public.my_booking
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  address text := private.require_proven_email();
begin
  return query
  select
    b.id, row(o.name, o.slug)::public.venue, shown.reference, shown.status, shown.hold_expires_at, shown.starts_at,
    shown.ends_at, shown.timezone, shown.room_id, shown.room_name, shown.party_size, shown.currency,
    shown.total_cents, shown.due_now_cents
  from public.customers as c
  join public.organizations as o on o.id = c.organization_id
  join public.bookings as b on b.organization_id = c.organization_id and b.customer_id = c.id
  cross join private.show_booking(b) as shown
  where c.email = address
    and b.status <> 'expired'
  order by b.starts_at desc, b.id
  limit least(greatest(coalesce(my_bookings.max_rows, 100), 1), 500);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.my_bookings is
  'definer: finds a person''s bookings in every organization, of which policies show the caller none.';
grant execute on function private.my_bookings to authenticated;

create function public.my_bookings(max_rows int default 100)
returns setof public.my_booking
language sql
stable
set search_path = ''
as $$ select * from private.my_bookings(max_rows) $$;

comment on function public.my_bookings is
  'The signed-in person''s bookings of every organization, latest start first, at most max_rows (1 to 500): those whose customer has the account''s proven e-mail address. my_booking_token gives what the other functions of a booking ask for. Errors: 401 not_authenticated, session_ended; 403 email_not_proven (no mail to the address came back yet, or it counts only in a session that a mail opened), user_required for an API key.';
grant execute on function public.my_bookings to authenticated;

insert into private.rate_limit_rules (action, scope, max_hits, window_seconds, description)
values ('my_booking_token', 'user', 60, 3600, 'Links of own bookings asked for by one user')
on conflict (action, scope) do update
set max_hits = excluded.max_hits,
  window_seconds = excluded.window_seconds,
  description = excluded.description;

create type public.booking_link as (
  reference text,
  manage_token text
);

comment on type public.booking_link is 'What the functions of a booking ask for.';
comment on column public.booking_link.reference is 'Of the booking.';
comment on column public.booking_link.manage_token is 'Its secret; whoever has it moves, pays and cancels.';

create function private.my_booking_token(booking_id uuid)
returns public.booking_link
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  address text := private.require_proven_email();
  booking public.bookings;
begin
  perform private.limit_rate('my_booking_token', 'user', auth.uid()::text);
  select b.* into booking
  from public.bookings as b
  join public.customers as c on c.organization_id = b.organization_id and c.id = b.customer_id
  join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
  where b.id = my_booking_token.booking_id
    and c.email = address
    and b.takes_capacity
    and s.ends_at > now();
  if not found then
    perform private.fail('booking_not_found', 404, 'Choose one of my_bookings that is still to come.');
  end if;
  return row(booking.reference, private.derived_token('booking', booking.id::text))::public.booking_link;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.my_booking_token is
  'definer: finds a person''s booking in any organization and makes its token, which nobody else may.';
grant execute on function private.my_booking_token to authenticated;

create function public.my_booking_token(booking_id uuid)
returns public.booking_link
language sql
volatile
set search_path = ''
as $$ select private.my_booking_token(booking_id) $$;

comment on function public.my_booking_token is
  'What moving, paying or cancelling one of my_bookings takes. Only of a booking that is neither over nor cancelled, one at a time and at most 60 an hour, since a token outlives the session that asked for it. Errors: 401 not_authenticated, session_ended; 403 email_not_proven, user_required for an API key; 404 booking_not_found; 429 rate_limited.';
grant execute on function public.my_booking_token to authenticated;
