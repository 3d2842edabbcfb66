-- What gift vouchers a venue sells online: amounts between two bounds, and products of its own, such as an
-- escape for four. Until it says so, none.

create table public.voucher_settings (
  organization_id uuid not null default private.organization_with('vouchers:manage'),
  is_sold boolean not null default false,
  minimum_cents bigint,
  maximum_cents bigint,
  validity_months int default 12,
  refund_days int not null default 14,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint voucher_settings_pkey primary key (organization_id),
  constraint voucher_settings_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint voucher_settings_amounts_have_two_bounds check (num_nonnulls(minimum_cents, maximum_cents) in (0, 2)),
  constraint voucher_settings_amounts_are_1_to_1_million check (
    minimum_cents >= 1 and maximum_cents >= minimum_cents and maximum_cents <= 100000000
  ),
  constraint voucher_settings_validity_is_1_to_120_months check (validity_months between 1 and 120),
  constraint voucher_settings_refunds_are_within_a_year check (refund_days between 0 and 365)
);

comment on table public.voucher_settings is
  'Which gift vouchers an organization sells online; without a row, none. What is changed counts for later orders.';
comment on column public.voucher_settings.is_sold is 'Whether vouchers are sold online now.';
comment on column public.voucher_settings.minimum_cents is
  'The least amount that a buyer may choose, minor units of the organization''s currency; null: only products are sold.';
comment on column public.voucher_settings.maximum_cents is 'The most that a buyer may choose; null: only products are sold.';
comment on column public.voucher_settings.validity_months is
  'For how many months from the day of its payment a sold voucher pays; null: without an end.';
comment on column public.voucher_settings.refund_days is
  'For how many days after its payment a voucher of which nothing was spent may be given back; 0: it may not.';

grant select, delete on public.voucher_settings to authenticated;
grant insert (
  organization_id, is_sold, minimum_cents, maximum_cents, validity_months, refund_days
) on public.voucher_settings to authenticated;
grant update (
  is_sold, minimum_cents, maximum_cents, validity_months, refund_days
) on public.voucher_settings to authenticated;

alter table public.voucher_settings enable row level security;

create policy voucher_settings_select on public.voucher_settings
for select to authenticated
using (organization_id = (select private.organization_with('vouchers:read')));

create policy voucher_settings_insert on public.voucher_settings
for insert to authenticated
with check (organization_id = (select private.organization_with('vouchers:manage')));

create policy voucher_settings_update on public.voucher_settings
for update to authenticated
using (organization_id = (select private.organization_with('vouchers:manage')))
with check (organization_id = (select private.organization_with('vouchers:manage')));

create policy voucher_settings_delete on public.voucher_settings
for delete to authenticated
using (organization_id = (select private.organization_with('vouchers:manage')));

create trigger voucher_settings_refuse_uneven_amounts
before insert or update on public.voucher_settings
for each row execute function private.refuse_uneven_amounts('minimum_cents', 'maximum_cents');

create trigger voucher_settings_touch_updated_at
before update on public.voucher_settings
for each row execute function private.touch_updated_at();

create table public.voucher_products (
  organization_id uuid not null default private.organization_with('vouchers:manage'),
  id uuid not null default private.uuid_v7(),
  names jsonb not null,
  descriptions jsonb not null default '{}',
  amount_cents bigint not null,
  position int not null default 0,
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint voucher_products_pkey primary key (organization_id, id),
  constraint voucher_products_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete restrict,
  constraint voucher_products_names_are_names_by_language check (private.are_names(names, 120)),
  constraint voucher_products_descriptions_are_texts_by_language check (private.is_texts(descriptions, 1000)),
  constraint voucher_products_amount_is_1_to_1_million check (amount_cents between 1 and 100000000)
);

comment on table public.voucher_products is
  'Gift vouchers with a name and a fixed amount, such as an escape for four. One is worth what it costs, whatever prices are when it is spent.';
comment on column public.voucher_products.names is 'By language: {"es": "Escape para 4", "en": "Escape for 4"}.';
comment on column public.voucher_products.descriptions is 'By language, or {}.';
comment on column public.voucher_products.amount_cents is 'What it costs and is worth, minor units of the organization''s currency.';
comment on column public.voucher_products.position is 'Order in which it is shown.';
comment on column public.voucher_products.is_active is 'Whether it is sold.';

grant select, delete on public.voucher_products to authenticated;
grant insert (
  organization_id, names, descriptions, amount_cents, position, is_active
) on public.voucher_products to authenticated;
grant update (names, descriptions, amount_cents, position, is_active) on public.voucher_products to authenticated;

alter table public.voucher_products enable row level security;

create trigger voucher_products_clean_names
before insert or update of names on public.voucher_products
for each row execute function private.clean_texts('names', 'names');

create trigger voucher_products_clean_notes
before insert or update of descriptions on public.voucher_products
for each row execute function private.clean_texts('notes', 'descriptions');

create policy voucher_products_select on public.voucher_products
for select to authenticated
using (organization_id = (select private.organization_with('vouchers:read')));

create policy voucher_products_insert on public.voucher_products
for insert to authenticated
with check (organization_id = (select private.organization_with('vouchers:manage')));

create policy voucher_products_update on public.voucher_products
for update to authenticated
using (organization_id = (select private.organization_with('vouchers:manage')))
with check (organization_id = (select private.organization_with('vouchers:manage')));

create policy voucher_products_delete on public.voucher_products
for delete to authenticated
using (organization_id = (select private.organization_with('vouchers:manage')));

create trigger voucher_products_refuse_uneven_amounts
before insert or update on public.voucher_products
for each row execute function private.refuse_uneven_amounts('amount_cents');

create trigger voucher_products_touch_updated_at
before update on public.voucher_products
for each row execute function private.touch_updated_at();

create trigger voucher_products_are_bounded
after insert on public.voucher_products
for each row execute function private.bound_rows('40');
