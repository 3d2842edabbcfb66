-- Plans: what an organization may have of the product, and for what price.

create table public.plans (
  key text not null,
  position int not null,
  name_en text not null,
  name_es text not null,
  is_offered boolean not null,
  max_rooms int,
  max_locations int,
  max_calendars int,
  max_members int,
  max_bookings_month int,
  features text [] not null default '{}',
  lookup_key_month text,
  lookup_key_year text,
  fee_basis_points int not null default 0,
  fee_fixed_cents bigint not null default 0,
  fee_player_cents bigint not null default 0,
  fee_minimum_cents bigint,
  fee_maximum_cents bigint,
  constraint plans_pkey primary key (key),
  constraint plans_position_key unique (position),
  constraint plans_lookup_key_month_key unique (lookup_key_month),
  constraint plans_lookup_key_year_key unique (lookup_key_year),
  constraint plans_limits_are_positive check (
    max_rooms > 0 and max_locations > 0 and max_calendars > 0 and max_members > 0 and max_bookings_month > 0
  ),
  constraint plans_fees_are_not_negative check (
    fee_basis_points between 0 and 10000 and fee_fixed_cents >= 0 and fee_player_cents >= 0
    and fee_minimum_cents >= 0 and fee_maximum_cents >= fee_minimum_cents
  ),
  constraint plans_offered_ones_have_a_price check (not is_offered or lookup_key_month is not null or lookup_key_year is not null)
);

comment on table public.plans is
  'reference data. What can be subscribed to, and the plan without a subscription. A limit that is null does not limit.';
comment on column public.plans.position is 'From least to most: going to a higher one is an upgrade.';
comment on column public.plans.is_offered is 'Whether it can be subscribed to.';
comment on column public.plans.max_rooms is 'Rooms, published or not; null: as many as private.bound_rows allows.';
comment on column public.plans.max_locations is 'Locations; null: no limit of the plan.';
comment on column public.plans.max_calendars is 'Calendars, active or not; null: no limit of the plan.';
comment on column public.plans.max_members is 'Active members, without visitors of the platform; null: no limit.';
comment on column public.plans.max_bookings_month is
  'Bookings that were made in one calendar month, on the organization''s clock, less those that expired or were cancelled; null: no limit.';
comment on column public.plans.features is 'Keys for the page that sells the plan. Nothing is enforced by them.';
comment on column public.plans.lookup_key_month is 'The lookup key of its monthly price in Stripe; null: none.';
comment on column public.plans.lookup_key_year is 'The lookup key of its yearly price in Stripe; null: none.';
comment on column public.plans.fee_basis_points is 'The platform''s share of what players pay online, 100 is 1 %; private.platform_fee adds up.';
comment on column public.plans.fee_fixed_cents is 'A fixed amount a payment, minor units of the booking''s currency.';
comment on column public.plans.fee_player_cents is 'An amount a player, minor units of the booking''s currency; of a part of the total its share.';
comment on column public.plans.fee_minimum_cents is 'The least fee of a payment, minor units; null: none.';
comment on column public.plans.fee_maximum_cents is 'The greatest fee of a payment, minor units; null: none.';

grant select on public.plans to authenticated;

alter table public.plans enable row level security;

-- The same for every tenant, with no tenant's data.
create policy plans_select on public.plans
for select to authenticated
using (true);

insert into public.plans (
  key, position, name_en, name_es, is_offered, max_rooms, max_locations, max_calendars, max_members,
  max_bookings_month, features, lookup_key_month, lookup_key_year, fee_basis_points
)
values
('free', 1, 'Free', 'Gratis', false, 2, 1, 2, 5, 100, '{}', null, null, 200),
(
  'starter', 2, 'Starter', 'Inicial', true, 6, 2, 5, 15, 1000,
  '{more_rooms,own_mails}', 'escapemaster_starter_month', 'escapemaster_starter_year', 100
),
(
  'pro', 3, 'Pro', 'Pro', true, null, null, null, null, null,
  '{more_rooms,own_mails,no_limits}', 'escapemaster_pro_month', 'escapemaster_pro_year', 0
)
on conflict (key) do update
set position = excluded.position,
  name_en = excluded.name_en,
  name_es = excluded.name_es,
  is_offered = excluded.is_offered,
  max_rooms = excluded.max_rooms,
  max_locations = excluded.max_locations,
  max_calendars = excluded.max_calendars,
  max_members = excluded.max_members,
  max_bookings_month = excluded.max_bookings_month,
  features = excluded.features,
  lookup_key_month = excluded.lookup_key_month,
  lookup_key_year = excluded.lookup_key_year,
  fee_basis_points = excluded.fee_basis_points;

create table private.billing_settings (
  key text not null default 'platform',
  default_plan text not null default 'free',
  trial_days int not null default 14,
  grace_days int not null default 14,
  sales_days int,
  platform_account boolean not null default false,
  constraint billing_settings_pkey primary key (key),
  constraint billing_settings_are_one_row check (key = 'platform'),
  constraint billing_settings_default_plan_fkey foreign key (default_plan) references public.plans (key),
  constraint billing_settings_trial_is_0_to_730_days check (trial_days between 0 and 730),
  constraint billing_settings_grace_is_0_to_90_days check (grace_days between 0 and 90),
  constraint billing_settings_sales_go_on_for_0_to_365_days check (sales_days between 0 and 365)
);

comment on table private.billing_settings is
  'reference data. The platform''s choices, one row, which the database''s owner changes. An installation that sells no subscriptions sets default_plan to pro.';
comment on column private.billing_settings.default_plan is 'The plan of an organization without a subscription.';
comment on column private.billing_settings.trial_days is 'How long the first subscription of an organization is free; 0: not at all.';
comment on column private.billing_settings.grace_days is 'How many days after a failed payment the organization''s members can go on writing.';
comment on column private.billing_settings.sales_days is
  'How many days after its members'' writing stopped the public sale of new bookings stops too; null: never.';
comment on column private.billing_settings.platform_account is
  'Whether players of an organization without an account of its own pay into the platform''s: only where both are one business, since the platform is then the merchant.';

-- for: the foreign key, when a plan is deleted
create index billing_settings_default_plan_idx on private.billing_settings (default_plan);

-- Never overwritten: the row is the operator's.
insert into private.billing_settings (key) values ('platform') on conflict (key) do nothing;
