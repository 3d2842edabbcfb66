-- Organizations: the tenants.

create table public.organizations (
  id uuid not null default private.uuid_v7(),
  name text not null,
  slug text not null,
  status text not null default 'active',
  timezone text not null default 'Europe/Madrid',
  currency text not null default 'EUR',
  locale text not null default 'es',
  small_amounts text not null default 'at_venue',
  delayed_methods boolean not null default false,
  closed_at timestamptz,
  writes_end_at timestamptz,
  sales_end_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint organizations_pkey primary key (id),
  constraint organizations_slug_key unique (slug),
  constraint organizations_name_is_a_name check (private.is_name(name, 120)),
  constraint organizations_slug_is_a_slug check (private.is_slug(slug)),
  constraint organizations_status_is_known check (status in ('active', 'suspended', 'closed')),
  constraint organizations_timezone_is_iana check (private.is_timezone(timezone)),
  constraint organizations_currency_fkey foreign key (currency) references private.currencies (code),
  constraint organizations_locale_is_supported check (private.is_locale(locale)),
  constraint organizations_small_amounts_is_known check (small_amounts in ('at_venue', 'round_up')),
  constraint organizations_closed_has_a_time check ((status = 'closed') = (closed_at is not null))
);

comment on table public.organizations is 'A venue''s business: the tenant that everything else belongs to.';
comment on column public.organizations.slug is 'Public address, unique on the whole platform.';
comment on column public.organizations.status is 'active; suspended (reads stay, writes are refused); closed (nothing is visible to members).';
comment on column public.organizations.timezone is 'IANA zone that new locations start with.';
comment on column public.organizations.currency is 'One of get_currencies; fixed at creation, since amounts in the ledger carry it.';
comment on column public.organizations.locale is 'Language of the organization''s own mails and the default of its customers: es, en or ca.';
comment on column public.organizations.small_amounts is
  'What becomes of an amount due that is below the least that the payment provider charges: at_venue (nothing is asked online, it is paid at the venue), or round_up (the least amount is asked, where no more is paid than the total).';
comment on column public.organizations.delayed_methods is
  'Whether players may pay online by methods that take days, such as a bank''s direct debit: their place is kept as long as the provider says that the payment is under way. false: such methods are not offered.';

comment on column public.organizations.writes_end_at is
  'From then on members read and do not write, since what the organization pays the platform is overdue; null: it is not.';
comment on column public.organizations.sales_end_at is
  'From then on its calendars sell nothing new to the public, for the same reason; null: they do.';

-- for: the foreign key, when a currency leaves private.currencies
create index organizations_currency_idx on public.organizations (currency);

grant select on public.organizations to authenticated;
grant update (name, slug, timezone, locale, small_amounts, delayed_methods) on public.organizations to authenticated;

alter table public.organizations enable row level security;

create trigger organizations_clean_names
before insert or update of name on public.organizations
for each row execute function private.clean_texts('names', 'name');

create trigger organizations_touch_updated_at
before update on public.organizations
for each row execute function private.touch_updated_at();

-- Work that waits for an organization goes with it; the queue knows nothing of tenants itself.
alter table private.jobs
add constraint jobs_organization_fkey foreign key (organization_id)
references public.organizations (id) on delete cascade;

create type public.venue as (
  name text,
  slug text
);

comment on type public.venue is 'The organization, to visitors.';
comment on column public.venue.name is 'As it calls itself.';
comment on column public.venue.slug is 'Its name in addresses.';
