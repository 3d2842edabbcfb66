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

create function private.customer_json(customer public.customers)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return to_jsonb(customer) - 'organization_id' || jsonb_build_object('tags', (
    select coalesce(jsonb_agg(t.tag order by t.tag), '[]')
    from public.customer_tags as t
    where t.organization_id = customer.organization_id and t.customer_id = customer.id
  ));
end
$$;

comment on function private.customer_json is 'A customer as staff see it, with tags.';

create function private.merge_customers(organization_id uuid, keep_id uuid, merge_id uuid)
returns jsonb
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
  if merge_customers.keep_id is null or merge_customers.merge_id is null
    or merge_customers.keep_id = merge_customers.merge_id
  then
    perform private.fail('merge_invalid', 422, 'Name two different customers.');
  end if;
  perform private.lock_customers(
    merge_customers.organization_id, array[merge_customers.keep_id, merge_customers.merge_id]
  );

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
  return private.customer_json(kept);
end
$$;

comment on function private.merge_customers is
  'definer: moves bookings and what else refers to a customer, which no client may write.';
grant execute on function private.merge_customers to authenticated;

create function public.merge_customers(organization_id uuid, keep_id uuid, merge_id uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.merge_customers(organization_id, keep_id, merge_id) $$;

comment on function public.merge_customers is
  'Makes two customers one, for good: bookings, consents, tags and all else of merge_id become keep_id''s, whose address, name and language stay; an address and a phone are taken over where there was none, notes are joined (cut at 5000 characters). The ledger is not touched. An address of merge_id that is not taken over is free: a new booking with it makes a new customer. Returns the customer with tags. For members with customers:update. Errors: 403 permission_denied, organization_suspended; 404 customer_not_found; 409 customer_erased; 422 merge_invalid.';
grant execute on function public.merge_customers to authenticated;

create function private.get_customer_history(organization_id uuid, customer_id uuid)
returns jsonb
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
    select jsonb_build_object(
      'customer', private.customer_json(customer),
      'consents', private.latest_consents(customer.organization_id, customer.id),
      'totals', jsonb_build_object(
        'bookings', count(*) filter (where b.status <> 'expired'),
        'visits', count(*) filter (where b.status in ('checked_in', 'in_progress', 'completed')),
        'no_shows', count(*) filter (where b.status = 'no_show'),
        'cancelled', count(*) filter (where b.status = 'cancelled'),
        'upcoming', count(*) filter (where b.status in ('held', 'pending', 'confirmed') and b.starts_at > now()),
        'last_visit_at', max(b.starts_at) filter (where b.status in ('checked_in', 'in_progress', 'completed')),
        'currency', (select o.currency from public.organizations as o where o.id = customer.organization_id),
        'paid_cents', case when shows_money then coalesce(sum(balance.paid_cents), 0) end,
        'refunded_cents', case when shows_money then coalesce(sum(balance.refunded_cents), 0) end
      ),
      'bookings', coalesce(
        jsonb_agg(
          jsonb_build_object(
            'id', b.id,
            'reference', b.reference,
            'status', b.status,
            'starts_at', b.starts_at,
            'room_id', b.room_id,
            'room_name', r.name,
            'party_size', b.party_size,
            'currency', b.currency,
            'total_cents', b.total_cents,
            'paid_cents', case when shows_money then balance.paid_cents end,
            'refunded_cents', case when shows_money then balance.refunded_cents end,
            'staff_note', b.staff_note
          )
          order by b.starts_at desc, b.id desc
        ),
        '[]'
      )
    )
    from (
      select
        q.id, q.reference, q.starts_at, q.room_id, q.party_size, q.currency, q.total_cents, q.staff_note,
        case when q.hold_expires_at <= now() then 'expired' else q.status end as status
      from public.bookings as q
      where q.organization_id = customer.organization_id and q.customer_id = customer.id
    ) as b
    join public.rooms as r on r.organization_id = customer.organization_id and r.id = b.room_id
    cross join private.booking_balance(customer.organization_id, b.id) as balance
  );
end
$$;

comment on function private.get_customer_history is
  'definer: reads a customer of a named organization whatever organization the request acts for.';
grant execute on function private.get_customer_history to authenticated;

create function public.get_customer_history(organization_id uuid, customer_id uuid)
returns jsonb
language sql
stable
set search_path = ''
as $$ select private.get_customer_history(organization_id, customer_id) $$;

comment on function public.get_customer_history is
  'A customer with all visits: {customer: {id, email, full_name, phone, locale, staff_note, erased_at, tags, …}, consents: {kind: {granted, at, wording, locale}}, totals: {bookings (without expired holds), visits (who came), no_shows, cancelled, upcoming, last_visit_at, currency, paid_cents, refunded_cents}, bookings: [{id, reference, status, starts_at, room_id, room_name, party_size, currency, total_cents, paid_cents, refunded_cents, staff_note}] newest first}. Amounts in minor units; paid and refunded are null without payments:read. For members with customers:read and bookings:read. Errors: 403 permission_denied; 404 customer_not_found.';
grant execute on function public.get_customer_history to authenticated;

create function private.my_bookings(max_rows int)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  address text := private.require_proven_email();
begin
  return (
    select coalesce(jsonb_agg(mine.booking order by mine.starts_at desc, mine.id), '[]')
    from (
      select b.starts_at, b.id, to_jsonb(private.show_booking(b)) || jsonb_build_object(
        'id', b.id,
        'organization', jsonb_build_object('name', o.name, 'slug', o.slug)
      ) as booking
      from public.customers as c
      join public.organizations as o on o.id = c.organization_id
      join public.bookings as b on b.organization_id = c.organization_id and b.customer_id = c.id
      where c.email = address
        and b.status <> 'expired'
      order by b.starts_at desc, b.id
      limit least(greatest(coalesce(my_bookings.max_rows, 100), 1), 500)
    ) as mine
  );
end
$$;

comment on function private.my_bookings is
  'definer: finds a person''s bookings in every organization, of which policies show the caller none.';
grant execute on function private.my_bookings to authenticated;

create function public.my_bookings(max_rows int default 100)
returns jsonb
language sql
stable
set search_path = ''
as $$ select private.my_bookings(max_rows) $$;

comment on function public.my_bookings is
  'The signed-in person''s bookings of every organization, latest start first, at most max_rows (1 to 500): those whose customer has the account''s proven e-mail address. [{id, organization: {name, slug}, reference, status, hold_expires_at, starts_at, ends_at, timezone, room_id, room_name, party_size, currency, total_cents, due_now_cents}]; my_booking_token gives what the other functions of a booking ask for. Errors: 401 not_authenticated, session_ended; 403 email_not_proven (no mail to the address came back yet), user_required for an API key.';
grant execute on function public.my_bookings to authenticated;

insert into private.rate_limit_rules (action, scope, max_hits, window_seconds, description)
values ('my_booking_token', 'user', 60, 3600, 'Links of own bookings asked for by one user')
on conflict (action, scope) do update
set max_hits = excluded.max_hits,
  window_seconds = excluded.window_seconds,
  description = excluded.description;

create function private.my_booking_token(booking_id uuid)
returns jsonb
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
  return jsonb_build_object(
    'reference', booking.reference,
    'manage_token', private.derived_token('booking', booking.id::text)
  );
end
$$;

comment on function private.my_booking_token is
  'definer: finds a person''s booking in any organization and makes its token, which nobody else may.';
grant execute on function private.my_booking_token to authenticated;

create function public.my_booking_token(booking_id uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.my_booking_token(booking_id) $$;

comment on function public.my_booking_token is
  'What moving, paying or cancelling one of my_bookings takes: {reference, manage_token}. Only of a booking that is neither over nor cancelled, one at a time and at most 60 an hour, since a token outlives the session that asked for it. Errors: 401 not_authenticated, session_ended; 403 email_not_proven, user_required for an API key; 404 booking_not_found; 429 rate_limited.';
grant execute on function public.my_booking_token to authenticated;
