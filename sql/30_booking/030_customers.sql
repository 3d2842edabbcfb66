-- Customers: who books, one row an e-mail address and venue; whoever left none has a row each time.

create table public.customers (
  organization_id uuid not null default private.organization_with('customers:create'),
  id uuid not null default private.uuid_v7(),
  email text,
  full_name text not null,
  phone text,
  locale text not null,
  staff_note text not null default '',
  erased_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint customers_pkey primary key (organization_id, id),
  constraint customers_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint customers_email_key unique (organization_id, email),
  -- An erased customer's is at a domain that no mail reaches.
  constraint customers_email_is_plausible check (private.is_email(email) or email like 'erased-%@erased.invalid'),
  constraint customers_full_name_is_a_name check (private.is_name(full_name, 200)),
  constraint customers_phone_can_be_called check (private.is_phone(phone)),
  constraint customers_locale_is_supported check (private.is_locale(locale)),
  constraint customers_staff_note_is_a_text check (private.is_text(staff_note, 5000)),
  -- The domain is reserved (RFC 2606): nothing that is sent there arrives, and nobody books with it.
  constraint customers_erased_have_no_address check (
    (erased_at is not null) = coalesce(email like '%@erased.invalid', false)
  )
);

comment on table public.customers is 'A person who booked at a venue, known there by e-mail address if there is one.';
comment on column public.customers.full_name is
  'As first given, then as in the newest booking that is vouched for (private.booking_is_vouched): anybody can type somebody''s address, so a hold renames nobody.';
comment on column public.customers.phone is
  'As in the newest booking that is vouched for and gives one, before there is such a one as given last; what was given with a booking is in booking_contacts.contact_phone at once.';
comment on column public.customers.email is
  'In lower case. Mails of all the customer''s bookings go there; null: of whom the staff booked without one, and who gets none. Given to a customer who has booked, it counts as a mail there: 429 mail_limit_reached above the limit. While the customer has bookings to come, which whoever has the address may move and cancel, another one takes bookings:cancel and bookings:update, too: 403 permission_denied (details {"permission"}). Not changed in a visit of the platform''s support: 403 refused_in_a_visit. Of an erased customer: erased-<id>@erased.invalid.';
comment on column public.customers.staff_note is 'For the staff only.';
comment on column public.customers.erased_at is 'Since when the row names nobody any more; for good.';

-- for: private.my_bookings, which looks for a person in every organization
create index customers_email_idx on public.customers (email);
-- for: private.limit_live_holds, which counts by mailbox
create index customers_mailbox_idx on public.customers (organization_id, private.mailbox(email));
-- for: private.found_by_words. Written at once: a search would read the list of what waits to be, up to 4 MB of it.
create index customers_search_idx on public.customers
using gin (organization_id, private.search_document(full_name, email, phone) extensions.gin_trgm_ops)
with (fastupdate = off);

grant select on public.customers to authenticated;
grant insert (organization_id, email, full_name, phone, locale, staff_note) on public.customers to authenticated;
grant update (email, full_name, phone, locale, staff_note) on public.customers to authenticated;

alter table public.customers enable row level security;

create policy customers_select on public.customers
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create policy customers_insert on public.customers
for insert to authenticated
with check (organization_id = (select private.organization_with('customers:create')));

create policy customers_update on public.customers
for update to authenticated
using (organization_id = (select private.organization_with('customers:update')))
with check (organization_id = (select private.organization_with('customers:update')));

create trigger customers_touch_updated_at
before update on public.customers
for each row execute function private.touch_updated_at();

create function private.normalise_customer()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and old.erased_at is not null then
    perform private.fail('customer_erased', 409, 'Make a new customer: what was erased stays erased.');
  end if;
  new.email := private.typed_email(new.email);
  new.full_name := private.clean_text(new.full_name);
  new.phone := private.typed_phone(new.phone);
  new.staff_note := private.clean_note(new.staff_note);
  return new;
end
$$;

comment on function private.normalise_customer is
  'Keeps one spelling of an address, whoever writes it, and an erased customer erased: 409 customer_erased.';

create trigger customers_normalise
before insert or update on public.customers
for each row execute function private.normalise_customer();

-- Whoever has a customer's address sees and cancels the customer's bookings.
create trigger customers_keep_address_in_a_visit
after update of email on public.customers
for each row when (new.email is distinct from old.email and new.erased_at is null)
execute function private.keep_in_a_visit();

create table public.customer_tags (
  organization_id uuid not null default private.organization_with('customers:update'),
  id uuid not null default private.uuid_v7(),
  customer_id uuid not null,
  tag text not null,
  created_at timestamptz not null default now(),
  constraint customer_tags_pkey primary key (organization_id, id),
  -- Also the index for: the tags of a customer, and the foreign key.
  constraint customer_tags_tag_key unique (organization_id, customer_id, tag),
  constraint customer_tags_customer_fkey foreign key (organization_id, customer_id)
  references public.customers (organization_id, id) on delete cascade,
  constraint customer_tags_tag_is_a_line_of_at_most_40_characters check (private.is_line(tag, 40))
);

comment on table public.customer_tags is
  'Words by which staff find customers. Rows, not an array: under row-level security only equality of a column reaches an index.';
comment on column public.customer_tags.tag is 'As typed, without space around it.';

-- for: the customers with a tag
create index customer_tags_tag_idx on public.customer_tags (organization_id, tag, customer_id);

grant select, delete on public.customer_tags to authenticated;
grant insert (organization_id, customer_id, tag) on public.customer_tags to authenticated;

alter table public.customer_tags enable row level security;

create trigger customer_tags_clean_names
before insert or update of tag on public.customer_tags
for each row execute function private.clean_texts('names', 'tag');

create policy customer_tags_select on public.customer_tags
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create policy customer_tags_insert on public.customer_tags
for insert to authenticated
with check (organization_id = (select private.organization_with('customers:update')));

create policy customer_tags_delete on public.customer_tags
for delete to authenticated
using (organization_id = (select private.organization_with('customers:update')));

create function private.refuse_tag_of_nobody()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- Waits for whoever is erasing the customer just now.
  perform from public.customers as c
  where c.organization_id = new.organization_id and c.id = new.customer_id and c.erased_at is null
  for key share;
  if not found then
    perform private.fail('customer_erased', 409, 'Make a new customer: what was erased stays erased.');
  end if;
  return null;
end
$$;

comment on function private.refuse_tag_of_nobody is
  'definer: reads customers for members who may tag and not read them. An erased customer gets no tag: 409 customer_erased.';

-- After row-level security and the foreign key have spoken, so that it tells of no other tenant.
create trigger refuse_tag_of_nobody
after insert on public.customer_tags
for each row execute function private.refuse_tag_of_nobody();

create type private.guest as (
  full_name text,
  email text,
  phone text,
  locale text
);

comment on type private.guest is 'Who books or waits, as private.checked_customer gives it; email and phone null: none.';

create function private.checked_customer(customer jsonb, default_locale text, may_lack_email boolean default false)
returns private.guest
language plpgsql
immutable
set search_path = ''
as $$
declare
  full_name text := private.clean_text(customer ->> 'full_name');
  email text := nullif(private.typed_email(customer ->> 'email'), '');
  phone text := private.typed_phone(customer ->> 'phone');
  locale text := coalesce(nullif(customer ->> 'locale', ''), default_locale);
  field text;
begin
  field := case
    when jsonb_typeof(customer -> 'full_name') is distinct from 'string'
      or not private.is_name(full_name, 200)
      or not may_lack_email and not private.is_typed_name(full_name, 200) then 'full_name'
    when coalesce(jsonb_typeof(customer -> 'email'), 'null') not in ('string', 'null')
      or email is null and not may_lack_email
      or not private.is_email(email) then 'email'
    when coalesce(jsonb_typeof(customer -> 'phone'), 'null') not in ('string', 'null')
      or not private.is_phone(phone) then 'phone'
    when coalesce(jsonb_typeof(customer -> 'locale'), 'null') not in ('string', 'null')
      or not private.is_locale(locale) then 'locale'
  end;
  if field is not null then
    perform private.fail(
      'customer_invalid', 422,
      case
        when may_lack_email
          then 'Give full_name (1 to 200 characters, no link) and, if known, a valid email, phone (at most 40 characters, with three digits) and locale (es, en or ca).'
        else 'Give full_name (1 to 200 characters, no link), a valid email, and, if wanted, phone (at most 40 characters, with three digits) and locale (es, en or ca).'
      end,
      jsonb_build_object('field', field)
    );
  end if;
  return row(full_name, email, phone, locale)::private.guest;
end
$$;

comment on function private.checked_customer is
  'The customer of a request, cleaned, the address in lower case; null instead of an empty one, where it may be missing: that is staff, who may also name companies by their domain. Raises 422 customer_invalid, details {"field"}.';

create function private.customer_with_email(organization_id uuid, guest private.guest)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
declare
  found_id uuid;
begin
  -- A concurrent insert of the same address is waited for by the insert and seen by the next
  -- turn. The lock, which the booking's foreign key would take anyway, waits for whoever is
  -- erasing or merging the customer just now: then the address is nobody's, and free again.
  loop
    select c.id into found_id
    from public.customers as c
    where c.organization_id = customer_with_email.organization_id and c.email = guest.email
    for key share;
    if found then
      return found_id;
    end if;
    insert into public.customers (organization_id, email, full_name, phone, locale)
    values (customer_with_email.organization_id, guest.email, guest.full_name, guest.phone, guest.locale)
    on conflict on constraint customers_email_key do nothing
    returning id into found_id;
    if found then
      return found_id;
    end if;
  end loop;
end
$$;

comment on function private.customer_with_email is
  'The venue''s customer with the guest''s address, made when there is none, and for whoever has no address; until the transaction ends nobody erases or merges that customer.';
