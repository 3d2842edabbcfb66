-- What is known of a person: all of it for who asks for it, and none of it for who wants to go.

insert into private.personal_columns (relation, column_name, erased, is_address)
values
('public.customers', 'email', '"erased-{customer_id}@erased.invalid"', true),
('public.customers', 'full_name', '"Erased"', false),
('public.customers', 'phone', 'null', false),
('public.customers', 'staff_note', '""', false),
('public.customer_tags', 'tag', '"Erased"', false),
('public.booking_contacts', 'contact_name', '"Erased"', false),
('public.booking_contacts', 'contact_phone', 'null', false),
('public.booking_contacts', 'fields', '{}', false),
('public.booking_contacts', 'customer_note', '""', false),
('public.bookings', 'staff_note', '""', false),
('public.booking_reasons', 'reason', '""', false),
('public.price_overrides', 'reason', '""', false),
('public.vouchers', 'recipient_email', 'null', true),
('public.vouchers', 'recipient_name', '""', false),
('public.vouchers', 'message', '""', false),
('public.voucher_orders', 'buyer_email', 'null', true),
('public.voucher_orders', 'buyer_name', '"Erased"', false),
('public.voucher_orders', 'recipient_email', 'null', true),
('public.voucher_orders', 'recipient_name', '""', false),
('public.voucher_orders', 'message', '""', false),
('public.payment_shares', 'payer_email', 'null', true),
('public.payment_shares', 'payer_name', '"Erased"', false),
('private.refund_requests', 'note', '""', false),
('private.refund_requests', 'withdrawn_reason', 'null', false),
('public.waiver_signatures', 'full_name', '"Erased"', false),
('public.waiver_signatures', 'email', 'null', true),
('public.waiver_signatures', 'minors', '[]', false),
('private.email_messages', 'recipient', '"erased-{customer_id}@erased.invalid"', true)
on conflict (relation, column_name) do update
set erased = excluded.erased,
  is_address = excluded.is_address;

create function private.customer_links(relation regclass)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  columns text[];
  links text[] := '{}';
begin
  select array_agg(a.attname::text) into columns
  from pg_catalog.pg_attribute as a
  where a.attrelid = customer_links.relation and a.attnum > 0 and not a.attisdropped;
  if customer_links.relation = 'public.customers'::regclass then
    return 't.organization_id = $1 and t.id = any ($2)';
  end if;
  if 'customer_id' = any (columns) then
    links := links || 't.customer_id = any ($2)'::text;
  end if;
  if 'booking_id' = any (columns) then
    links := links || 't.booking_id = any ($3)'::text;
  end if;
  select links || coalesce(array_agg(format('t.%I = any ($4)', p.column_name) order by p.column_name), '{}')
  into links
  from private.personal_columns as p
  where p.is_address
    and to_regclass(p.relation) = customer_links.relation
    and p.column_name = any (columns);
  return format('t.organization_id = $1 and (%s)', array_to_string('false'::text || links, ' or '));
end
$$;

comment on function private.customer_links is
  'Which rows t of a table belong to a customer, as a condition: $1 organization, $2 the ids that the customer has and had, $3 ids of the bookings, $4 addresses.';

create function private.customer_ids(organization_id uuid, customer_id uuid)
returns uuid []
language plpgsql
stable
set search_path = ''
as $$
begin
  return customer_ids.customer_id || array(
    select m.merged_id
    from private.customer_merges as m
    where m.organization_id = customer_ids.organization_id and m.customer_id = customer_ids.customer_id
  );
end
$$;

comment on function private.customer_ids is 'A customer''s id, and those of the customers that were merged into it.';

create function private.customer_addresses(organization_id uuid, customer_ids uuid [])
returns text []
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Today's and, by the log, every earlier one that is nobody else's today.
  return array(
    select c.email
    from public.customers as c
    where c.organization_id = customer_addresses.organization_id and c.id = any (customer_addresses.customer_ids)
      and c.email is not null
    union
    select a.address
    from public.audit_log as l
    join public.audit_log_personal as p on p.organization_id = l.organization_id and p.id = l.id
    cross join lateral (values (p.before ->> 'email'), (p.after ->> 'email')) as a (address)
    where l.organization_id = customer_addresses.organization_id
      and l.table_name = 'customers'
      and l.row_key = any (customer_addresses.customer_ids::text [])
      and a.address is not null
      and not exists (
        select from public.customers as other
        where other.organization_id = customer_addresses.organization_id
          and other.email = a.address
          and other.id <> all (customer_addresses.customer_ids)
      )
  );
end
$$;

comment on function private.customer_addresses is
  'The e-mail addresses that a customer has, and had before they were another''s.';

create function private.export_customer(organization_id uuid, customer_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  customer public.customers;
  ids uuid[];
  booking_ids uuid[];
  addresses text[];
  names text[];
  source record;
  found_rows jsonb;
  answer jsonb := '{}';
begin
  perform private.require_permission(export_customer.organization_id, 'customers:export');
  select c.* into customer
  from public.customers as c
  where c.organization_id = export_customer.organization_id and c.id = export_customer.customer_id;
  if not found then
    perform private.fail('customer_not_found', 404, 'Choose one of the organization''s customers; they may have been merged.');
  end if;
  ids := private.customer_ids(customer.organization_id, customer.id);
  addresses := private.customer_addresses(customer.organization_id, ids);
  booking_ids := array(
    select b.id from public.bookings as b
    where b.organization_id = customer.organization_id and b.customer_id = customer.id
  );
  names := array(
    select lower(b.contact_name) from public.booking_contacts as b
    where b.organization_id = customer.organization_id and b.booking_id = any (booking_ids)
    union
    select lower(customer.full_name)
  );

  -- From the catalogue, so that a new table cannot be forgotten: what staff can read and hangs
  -- on a customer or a booking, and the mails. Not the ledger: what it has of a booking's money are its payments and
  -- refunds, and what the platform and the provider took of the venue.
  for source in
    select c.oid::regclass as relation, c.relname as name
    from pg_catalog.pg_class as c
    where c.oid = 'private.email_messages'::regclass
      or (
        c.relkind = 'r'
        and c.relnamespace = 'public'::regnamespace
        and c.oid <> 'public.ledger_entries'::regclass
        and (
          c.oid = 'public.customers'::regclass
          or exists (
            select from pg_catalog.pg_attribute as a
            where a.attrelid = c.oid and a.attname in ('customer_id', 'booking_id') and not a.attisdropped
          )
          or exists (
            select from private.personal_columns as p where p.is_address and to_regclass(p.relation) = c.oid
          )
        )
      )
    order by c.relname
  loop
    execute format(
      'select coalesce(jsonb_agg(to_jsonb(t) - ''organization_id'' order by to_jsonb(t)), ''[]'') from %s as t where %s',
      source.relation, private.customer_links(source.relation)
    )
    into found_rows
    using customer.organization_id, ids, booking_ids, addresses;
    if source.name = 'waiver_signatures' then
      -- Of the others in the party only that somebody signed: their names are theirs.
      select coalesce(
        jsonb_agg(
          case
            when row ->> 'email' = any (addresses) or lower(row ->> 'full_name') = any (names) then
              row || jsonb_build_object('drawing', (
                select d.drawing
                from private.waiver_drawings as d
                where d.organization_id = customer.organization_id and d.signature_id = (row ->> 'id')::uuid
              ))
            else row - '{full_name,email,minors}'::text []
          end
        ),
        '[]'
      )
      into found_rows
      from jsonb_array_elements(found_rows) as row;
    end if;
    if source.name = 'booking_people' then
      -- Of the others in the party that they come: their names are theirs.
      select coalesce(
        jsonb_agg(
          case
            when row ->> 'email' = any (addresses) or lower(row ->> 'full_name') = any (names) then row
            else row - '{full_name,email,phone}'::text []
          end
        ),
        '[]'
      )
      into found_rows
      from jsonb_array_elements(found_rows) as row;
    end if;
    if source.name = 'voucher_orders' then
      -- Who was given a voucher learns nothing new of who bought it.
      select coalesce(
        jsonb_agg(
          case when row ->> 'buyer_email' = any (addresses) then row else row - '{buyer_name,buyer_email}'::text [] end
        ),
        '[]'
      )
      into found_rows
      from jsonb_array_elements(found_rows) as row;
    elsif source.name = 'vouchers' then
      -- A code is money, and the file passes through hands.
      select coalesce(jsonb_agg(row - 'code'), '[]') into found_rows
      from jsonb_array_elements(found_rows) as row;
    end if;
    answer := answer || jsonb_build_object(source.name, found_rows);
  end loop;
  return jsonb_build_object('exported_at', now(), 'addresses', addresses, 'tables', answer);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.export_customer is
  'definer: reads all tables for a named customer, whatever the caller may read elsewhere.';
grant execute on function private.export_customer to authenticated;

create function public.export_customer(organization_id uuid, customer_id uuid)
returns jsonb
language sql
stable
set search_path = ''
as $$ select private.export_customer(organization_id, customer_id) $$;

comment on function public.export_customer is
  'All that the organization knows of a customer, for the customer: {exported_at, addresses (present and earlier), tables: {customers, customer_tags, customer_consents, bookings, booking_lines, booking_history, payments, refunds, waiver_signatures (own ones with the drawing; of others in the party neither name nor drawing), booking_people (of others in the party no name), vouchers (without their codes), voucher_orders (of those that others bought not by whom), email_messages, …: [rows as they are]}}. For members with customers:export. Errors: 403 permission_denied; 404 customer_not_found.';
grant execute on function public.export_customer to authenticated;

create function private.blanked(image jsonb, erased jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return image || coalesce((select jsonb_object_agg(e.key, e.value) from jsonb_each(erased) as e where image ? e.key), '{}');
end
$$;

comment on function private.blanked is 'An image of a row in which the columns that it has are replaced; null for null.';

create function private.logged_key(relation regclass)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select format('concat_ws(''/'', %s)', string_agg(format('t.%I', a.attname), ', ' order by k.position))
    from pg_catalog.pg_constraint as p
    cross join unnest(p.conkey) with ordinality as k (attnum, position)
    join pg_catalog.pg_attribute as a on a.attrelid = p.conrelid and a.attnum = k.attnum
    where p.conrelid = logged_key.relation and p.contype = 'p' and a.attname <> 'organization_id'
  );
end
$$;

comment on function private.logged_key is
  'The key of a row t of a tenant table as audit_log.row_key has it, as an expression.';

create table public.customer_erasures (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  customer_id uuid not null,
  reason text not null,
  erased_by jsonb not null default private.current_actor(),
  erased_at timestamptz not null default now(),
  constraint customer_erasures_pkey primary key (organization_id, id),
  -- Also the index for: the foreign key.
  constraint customer_erasures_customer_key unique (organization_id, customer_id),
  constraint customer_erasures_customer_fkey foreign key (organization_id, customer_id)
  references public.customers (organization_id, id) on delete cascade,
  constraint customer_erasures_reason_has_1_to_500_characters check (reason <> '' and private.is_text(reason, 500))
);

comment on table public.customer_erasures is 'Who erased which customer, when and why. It names nobody.';
comment on column public.customer_erasures.erased_by is 'Who: {kind, id} as in private.current_actor.';

grant select on public.customer_erasures to authenticated;

alter table public.customer_erasures enable row level security;

create trigger customer_erasures_clean_notes
before insert or update of reason on public.customer_erasures
for each row execute function private.clean_texts('notes', 'reason');

create policy customer_erasures_select on public.customer_erasures
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create function private.erase_customer(organization_id uuid, customer_id uuid, reason text)
returns public.customer
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  ids uuid[];
  booking_ids uuid[];
  addresses text[];
  signature_ids uuid[];
  source record;
  keys text[];
  erased_customer public.customers;
begin
  perform private.require_permission(erase_customer.organization_id, 'customers:erase');
  if not private.is_reason(erase_customer.reason, 500) then
    perform private.fail('reason_missing', 422, 'Say why, in at most 500 characters and without naming the person.');
  end if;
  perform private.lock_recipients(erase_customer.organization_id, erasing => true);
  perform private.lock_customers(erase_customer.organization_id, array[erase_customer.customer_id]);
  ids := private.customer_ids(erase_customer.organization_id, erase_customer.customer_id);
  addresses := private.customer_addresses(erase_customer.organization_id, ids);
  booking_ids := array(
    select b.id from public.bookings as b
    where b.organization_id = erase_customer.organization_id and b.customer_id = erase_customer.customer_id
  );
  if private.has_bookings_to_come(erase_customer.organization_id, erase_customer.customer_id) then
    perform private.fail('customer_has_bookings', 409, 'Cancel the customer''s coming bookings first, or wait until they are over.');
  end if;
  execute format('select array(select t.id from public.waiver_signatures as t where %s)',
    private.customer_links('public.waiver_signatures'::regclass))
  into signature_ids
  using erase_customer.organization_id, ids, booking_ids, addresses;

  delete from private.waiver_drawings as d
  where d.organization_id = erase_customer.organization_id and d.signature_id = any (signature_ids);
  delete from public.customer_tags as t
  where t.organization_id = erase_customer.organization_id and t.customer_id = erase_customer.customer_id;
  delete from public.waitlist_entries as e
  where e.organization_id = erase_customer.organization_id and e.customer_id = erase_customer.customer_id;
  -- What a provider answered may quote the address.
  update private.jobs as j
  set last_error = null
  where j.organization_id = erase_customer.organization_id
    and j.last_error is not null
    and exists (
      select from jsonb_each_text(case jsonb_typeof(j.payload) when 'object' then j.payload else '{}' end) as p
      where p.value = any (ids::text [] || booking_ids::text [])
    );
  -- The key stays, so that a repeated request is not carried out again.
  update private.idempotency_keys as k
  set response = k.response - '{customer,contact_name,full_name,email,phone,fields,customer_note,staff_note}'::text []
  where starts_with(k.scope, erase_customer.organization_id::text)
    and exists (
      select from jsonb_each_text(case jsonb_typeof(k.response) when 'object' then k.response else '{}' end) as p
      where p.value = any (ids::text [] || booking_ids::text [])
        or (p.key = 'reference' and p.value in (
          select b.reference from public.bookings as b
          where b.organization_id = erase_customer.organization_id and b.id = any (booking_ids)
        ))
    );

  -- The one change of what the log holds of customers, which is append-only otherwise: private.refuse_log_change.
  perform set_config('escapemaster.erasing_customer', erase_customer.organization_id::text, true);
  for source in
    select
      to_regclass(p.relation) as relation,
      exists (
        select from pg_catalog.pg_trigger as w
        where w.tgrelid = to_regclass(p.relation) and w.tgname = 'audit_update'
      ) as is_logged,
      split_part(p.relation, '.', 2) as name,
      -- The customer's own row comes last: the others are found by its addresses.
      string_agg(format('%I', p.column_name), ', ' order by p.column_name) as columns,
      replace(jsonb_object_agg(p.column_name, p.erased)::text, '{customer_id}', erase_customer.customer_id::text)::jsonb
        as erased
    from private.personal_columns as p
    where to_regclass(p.relation) is not null
    group by p.relation
    order by p.relation = 'public.customers', p.relation
  loop
    keys := '{}';
    if source.is_logged then
      -- Rows that are there, and rows that were deleted.
      execute format(
        'select array(select %s from %s as t where %s)',
        private.logged_key(source.relation), source.relation, private.customer_links(source.relation)
      )
      into keys
      using erase_customer.organization_id, ids, booking_ids, addresses;
      keys := keys || array(
        select l.row_key
        from public.audit_log as l
        where l.organization_id = erase_customer.organization_id
          and l.table_name = source.name
          and l.action = 'delete'
          and (
            l.row_key = any (case when source.relation = 'public.customers'::regclass then ids::text [] end)
            or l.before ->> 'customer_id' = any (ids::text [])
            or l.before ->> 'booking_id' = any (booking_ids::text [])
            or exists (
              select from public.audit_log_personal as p
              join private.personal_columns as c on c.relation = 'public.' || source.name and c.is_address
              where p.organization_id = l.organization_id
                and p.id = l.id
                and p.before ->> c.column_name = any (addresses)
            )
          )
      );
    end if;
    if source.relation = 'public.customers'::regclass then
      update public.customers as c
      set email = source.erased ->> 'email',
        full_name = source.erased ->> 'full_name',
        phone = null,
        staff_note = '',
        erased_at = now()
      where c.organization_id = erase_customer.organization_id and c.id = erase_customer.customer_id
      returning * into erased_customer;
    else
      execute format(
        'update %1$s as t set (%2$s) = (select %2$s from jsonb_populate_record(null::%1$s, $5)) where %3$s',
        source.relation, source.columns, private.customer_links(source.relation)
      )
      using erase_customer.organization_id, ids, booking_ids, addresses, source.erased;
    end if;
    if source.is_logged then
      -- The change just made is in the log too, with what was there before it.
      update public.audit_log_personal as p
      set before = private.blanked(p.before, source.erased),
        after = private.blanked(p.after, source.erased)
      from public.audit_log as l
      where p.organization_id = l.organization_id
        and p.id = l.id
        and l.organization_id = erase_customer.organization_id
        and l.table_name = source.name
        and l.row_key = any (keys);
    end if;
  end loop;
  perform set_config('escapemaster.erasing_customer', '', true);

  insert into public.customer_erasures (organization_id, customer_id, reason)
  values (erase_customer.organization_id, erase_customer.customer_id, erase_customer.reason);
  return private.shown_customer(erased_customer);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.erase_customer is
  'definer: blanks out a person in tables and in the log, which nobody else may write.';
grant execute on function private.erase_customer to authenticated;

create function public.erase_customer(organization_id uuid, customer_id uuid, reason text)
returns public.customer
language sql
volatile
set search_path = ''
as $$ select private.erase_customer(organization_id, customer_id, reason) $$;

comment on function public.erase_customer is
  'Erases a customer for good. What was booked, paid and refunded stays, and that waivers were signed; names, addresses, phone, answers, notes, tags, drawings and minors go, in the rows and in the audit log, whose images then show the row without the person. Signatures of the whole party of the customer''s bookings go too, and the customer''s own under bookings of others. A later booking with the same address makes a new customer. Not reached: files that were exported before, and the platform''s list of addresses that refused mail. reason: kept; does not name the person. Returns the customer as it is now. For members with customers:erase. Errors: 403 permission_denied, organization_suspended; 404 customer_not_found; 409 customer_has_bookings (a coming booking is live), customer_erased; 422 reason_missing.';
grant execute on function public.erase_customer to authenticated;
