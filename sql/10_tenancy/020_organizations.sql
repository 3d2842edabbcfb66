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
  pay_at_venue boolean not null default true,
  rest_online_minutes int default 0,
  split_hold_hours int,
  late_shares text not null default 'organizer',
  legal_name text,
  tax_id text,
  logo_path text,
  website text,
  contact_email text,
  phone text,
  descriptions jsonb not null default '{}',
  business_type text,
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
  constraint organizations_rest_online_minutes_are_0_to_a_year check (rest_online_minutes between 0 and 525600),
  constraint organizations_split_hold_hours_are_1_to_72 check (split_hold_hours between 1 and 72),
  constraint organizations_late_shares_is_known check (late_shares in ('organizer', 'release')),
  constraint organizations_legal_name_is_a_name check (private.is_name(legal_name, 200)),
  -- Of any country: letters and digits, as ES B-12345678, without a rule for each.
  constraint organizations_tax_id_is_one check (tax_id ~ '^[A-Z0-9]([A-Z0-9 ./-]{2,28})[A-Z0-9]$'),
  constraint organizations_logo_path_is_in_own_folder check (
    starts_with(logo_path, id::text || '/') and private.is_object_path(logo_path)
  ),
  constraint organizations_logo_path_is_a_picture check (logo_path is null or private.is_file_name('logos', logo_path)),
  constraint organizations_website_is_a_page check (private.is_site_url(website)),
  constraint organizations_contact_email_is_an_address check (private.is_email(contact_email)),
  constraint organizations_phone_can_be_called check (private.is_phone(phone)),
  constraint organizations_descriptions_are_given_by_language check (private.is_texts(descriptions, 2000)),
  constraint organizations_business_type_is_known check (
    business_type in ('escape_room', 'outdoor_game', 'virtual_reality', 'laser_tag', 'board_games', 'activity_center', 'other')
  ),
  constraint organizations_closed_has_a_time check ((status = 'closed') = (closed_at is not null))
);

comment on table public.organizations is 'A venue''s business: the tenant that everything else belongs to.';
comment on column public.organizations.slug is 'What operators and whoever closes it call it, unique on the whole platform. No address is made of it: those are of calendars, whose slugs are names of their own.';
comment on column public.organizations.status is 'active; suspended (reads stay, writes are refused); closed (nothing is visible to members).';
comment on column public.organizations.timezone is 'IANA zone that new locations start with.';
comment on column public.organizations.currency is 'One of get_currencies; fixed at creation, since amounts in the ledger carry it.';
comment on column public.organizations.locale is 'Language of the organization''s own mails and the default of its customers: es, en or ca.';
comment on column public.organizations.small_amounts is
  'What becomes of an amount due that is below the least that the payment provider charges: at_venue (nothing is asked online, it is paid at the venue), or round_up (the least amount is asked, where no more is paid than the total).';
comment on column public.organizations.delayed_methods is
  'Whether players may pay online by methods that take days, such as a bank''s direct debit: their place is kept as long as the provider says that the payment is under way. false: such methods are not offered.';
comment on column public.organizations.pay_at_venue is
  'Whether the public books while nothing can be paid online, with all of it due at the venue; false: what has to be paid cannot be booked then.';
comment on column public.organizations.rest_online_minutes is
  'So many minutes before the start the rest of a booking can be paid online for the last time, and whoever books may pay all at once; null: online only what is due when it is booked.';
comment on column public.organizations.split_hold_hours is
  'For so many hours a place is kept when its payment is split among several payers, 1 to 72; null: it cannot be split.';
comment on column public.organizations.late_shares is
  'What becomes of a share of a held place that is not paid in time: organizer (who booked pays it, within another hour), or release (the hold ends, and all that was paid goes back).';

comment on column public.organizations.writes_end_at is
  'From then on members read and do not write, since what the organization pays the platform is overdue; null: it is not.';
comment on column public.organizations.sales_end_at is
  'From then on its calendars sell nothing new to the public, for the same reason; null: they do.';

comment on column public.organizations.legal_name is 'Of the business behind it, for invoices; null: not said.';
comment on column public.organizations.tax_id is 'Its number with the tax office, upper case; null: not said.';
comment on column public.organizations.logo_path is
  'Object in the public bucket logos, <organization_id>/<file>, a JPEG, PNG, WebP or AVIF by its ending; the row does not own the file; null: none.';
comment on column public.organizations.website is 'Its own pages, https://host/path; null: none.';
comment on column public.organizations.contact_email is 'To which customers write, lower case; null: none.';
comment on column public.organizations.phone is 'By which customers reach it, where a location has none of its own; null: none.';
comment on column public.organizations.descriptions is 'What it is, by language: {"es": "…"}; {}: not said.';
comment on column public.organizations.business_type is
  'What it runs: escape_room, outdoor_game, virtual_reality, laser_tag, board_games, activity_center or other; null: not said.';

-- for: the foreign key, when a currency leaves private.currencies
create index organizations_currency_idx on public.organizations (currency);

grant select on public.organizations to authenticated;
grant update (
  name, slug, timezone, locale, small_amounts, delayed_methods, pay_at_venue, rest_online_minutes, split_hold_hours,
  late_shares, legal_name, tax_id, logo_path, website, contact_email, phone, descriptions, business_type
) on public.organizations to authenticated;

alter table public.organizations enable row level security;

create trigger organizations_clean_names
before insert or update of name, legal_name, tax_id, contact_email, phone on public.organizations
for each row execute function private.clean_texts('names', 'name', 'legal_name', 'tax_id', 'contact_email', 'phone');

create trigger organizations_clean_notes
before insert or update of descriptions on public.organizations
for each row execute function private.clean_texts('notes', 'descriptions');

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

create type public.venue_profile as (
  logo_path text,
  website text,
  contact_email text,
  phone text,
  descriptions jsonb,
  business_type text
);

comment on type public.venue_profile is 'What the organization tells visitors of itself.';
comment on column public.venue_profile.logo_path is 'In the public bucket logos; null: none.';
comment on column public.venue_profile.website is 'https://…; null: none.';
comment on column public.venue_profile.contact_email is 'null: none.';
comment on column public.venue_profile.phone is 'As people write it; null: none.';
comment on column public.venue_profile.descriptions is 'By language, or {}.';
comment on column public.venue_profile.business_type is 'null: not said. one of organizations.business_type';
