-- Customers: who books, one row an e-mail address and venue.

create table public.customers (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  email text not null,
  full_name text not null,
  phone text,
  locale text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint customers_pkey primary key (organization_id, id),
  constraint customers_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint customers_email_key unique (organization_id, email),
  constraint customers_email_is_plausible check (private.is_email(email)),
  constraint customers_full_name_has_1_to_200_characters check (length(trim(full_name)) between 1 and 200),
  constraint customers_phone_has_at_most_40_characters check (length(phone) between 1 and 40),
  constraint customers_locale_is_supported check (private.is_locale(locale))
);

comment on table public.customers is 'A person who booked at a venue, known there by e-mail address.';
comment on column public.customers.full_name is
  'As first given, then as in the newest confirmed booking: anybody can type somebody''s address, so an unconfirmed hold renames nobody.';

grant select on public.customers to authenticated;

alter table public.customers enable row level security;

create policy customers_select on public.customers
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create trigger customers_touch_updated_at
before update on public.customers
for each row execute function private.touch_updated_at();

create function private.checked_customer(customer jsonb, default_locale text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  full_name text := trim(customer ->> 'full_name');
  email text := lower(trim(customer ->> 'email'));
  phone text := nullif(trim(customer ->> 'phone'), '');
  locale text := coalesce(nullif(customer ->> 'locale', ''), default_locale);
  field text;
begin
  field := case
    when jsonb_typeof(customer -> 'full_name') is distinct from 'string'
      or length(full_name) not between 1 and 200 or full_name ~ '[[:cntrl:]]' then 'full_name'
    when jsonb_typeof(customer -> 'email') is distinct from 'string'
      or email ~ '[[:cntrl:]]' or not private.is_email(email) then 'email'
    when coalesce(jsonb_typeof(customer -> 'phone'), 'null') not in ('string', 'null')
      or length(phone) > 40 or phone ~ '[[:cntrl:]]' then 'phone'
    when coalesce(jsonb_typeof(customer -> 'locale'), 'null') not in ('string', 'null')
      or not private.is_locale(locale) then 'locale'
  end;
  if field is not null then
    perform private.fail(
      'customer_invalid', 422,
      'Give full_name (1 to 200 characters), a valid email, and, if wanted, phone (at most 40 characters) and locale (es, en or ca).',
      jsonb_build_object('field', field)
    );
  end if;
  return jsonb_build_object('full_name', full_name, 'email', email, 'phone', phone, 'locale', locale);
end
$$;

comment on function private.checked_customer(jsonb, text) is
  'The customer of a request, trimmed, the address in lower case. Raises 422 customer_invalid, details {"field"}.';

create function private.customer_with_email(organization_id uuid, customer jsonb)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
declare
  found_id uuid;
begin
  -- Reading first costs a returning customer no write; a concurrent insert of the same
  -- address is waited for by the insert and seen by the next turn.
  loop
    select c.id into found_id
    from public.customers as c
    where c.organization_id = customer_with_email.organization_id and c.email = customer ->> 'email';
    if found then
      return found_id;
    end if;
    insert into public.customers (organization_id, email, full_name, phone, locale)
    values (
      customer_with_email.organization_id, customer ->> 'email', customer ->> 'full_name',
      customer ->> 'phone', customer ->> 'locale'
    )
    on conflict on constraint customers_email_key do nothing
    returning id into found_id;
    if found then
      return found_id;
    end if;
  end loop;
end
$$;

comment on function private.customer_with_email(uuid, jsonb) is
  'The venue''s customer with the address of a checked customer, made when there is none.';
