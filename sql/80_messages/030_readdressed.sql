-- Addresses that come to a customer after the booking: by hand, or from a customer who is merged.
--
-- Where somebody types an address with a booking, its mails are asked for there. A booking without one
-- asks for none, and is mailed to whatever address its customer has later. So that is asked for in the
-- moment in which it comes, and what was paid or proven before says nothing of it.

create table private.readdressed_customers (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  customer_id uuid not null,
  readdressed_at timestamptz not null default now(),
  constraint readdressed_customers_pkey primary key (organization_id, id),
  constraint readdressed_customers_customer_fkey foreign key (organization_id, customer_id)
  references public.customers (organization_id, id) on delete cascade
);

comment on table private.readdressed_customers is
  'Customers with bookings or places in a waiting list that were made under another address than the present one, or under none. Merging two of them leaves two rows.';

-- for: the foreign key, and private.is_readdressed
create index readdressed_customers_customer_id_idx on private.readdressed_customers (organization_id, customer_id);

create function private.is_readdressed(organization_id uuid, customer_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from private.readdressed_customers as r
    where r.organization_id = is_readdressed.organization_id and r.customer_id = is_readdressed.customer_id
  );
end
$$;

comment on function private.is_readdressed is
  'Whether mails about a customer''s bookings may go to another address than they were made under.';

create function private.readdress_customer(organization_id uuid, customer_id uuid, email text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if readdress_customer.email is null
    or not exists (
      select from public.bookings as b
      where b.organization_id = readdress_customer.organization_id and b.customer_id = readdress_customer.customer_id
    )
    and not exists (
      select from public.waitlist_entries as e
      where e.organization_id = readdress_customer.organization_id and e.customer_id = readdress_customer.customer_id
    )
  then
    return; -- nothing to write about
  end if;
  if not private.is_readdressed(readdress_customer.organization_id, readdress_customer.customer_id) then
    insert into private.readdressed_customers (organization_id, customer_id)
    values (readdress_customer.organization_id, readdress_customer.customer_id);
  end if;
  perform private.limit_mail(readdress_customer.organization_id, readdress_customer.email, 'desk');
end
$$;

comment on function private.readdress_customer is
  'Notes that a customer''s bookings have another address from now on, and asks for mail to it. Raises 429 mail_limit_reached (details {"limit", "maximum"}).';

create function private.follow_customer_email()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.readdress_customer(new.organization_id, new.id, new.email);
  return null;
end
$$;

comment on function private.follow_customer_email is
  'definer: counts mails and notes where they go, which no client may. Raises 429 mail_limit_reached (details {"limit", "maximum"}).';

create trigger follow_customer_email
after update of email on public.customers
for each row when (new.email is distinct from old.email and new.erased_at is null)
execute function private.follow_customer_email();

create function private.follow_customer_merge()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.readdress_customer(c.organization_id, c.id, c.email)
  from public.customers as c
  where c.organization_id = new.organization_id and c.id = new.customer_id;
  return null;
end
$$;

comment on function private.follow_customer_merge is
  'definer: counts mails and notes where they go, which no client may. Raises 429 mail_limit_reached (details {"limit", "maximum"}).';

create trigger follow_customer_merge
after insert on private.customer_merges
for each row execute function private.follow_customer_merge();
