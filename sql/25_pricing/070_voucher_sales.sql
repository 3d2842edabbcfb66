-- What gift vouchers a venue sells online: amounts between two bounds, and products of its own, such as an
-- escape for four. Until it says so, none.

create table public.voucher_settings (
  organization_id uuid not null,
  is_sold boolean not null,
  minimum_cents bigint,
  maximum_cents bigint,
  validity_months int,
  refund_days int not null,
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

grant select on public.voucher_settings to authenticated;

alter table public.voucher_settings enable row level security;

create policy voucher_settings_select on public.voucher_settings
for select to authenticated
using (organization_id = (select private.organization_with('vouchers:read')));

create trigger voucher_settings_touch_updated_at
before update on public.voucher_settings
for each row execute function private.touch_updated_at();

create function private.set_voucher_sales(
  organization_id uuid,
  is_sold boolean,
  minimum_cents bigint,
  maximum_cents bigint,
  validity_months int,
  refund_days int
)
returns public.voucher_settings
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  step int;
  field text;
  kept public.voucher_settings;
begin
  perform private.require_permission(set_voucher_sales.organization_id, 'vouchers:manage');
  select private.amount_step(o.currency) into step
  from public.organizations as o
  where o.id = set_voucher_sales.organization_id;
  field := case
    when set_voucher_sales.is_sold is null then 'is_sold'
    when set_voucher_sales.minimum_cents < 1 or set_voucher_sales.minimum_cents % step <> 0
      or set_voucher_sales.minimum_cents is null and set_voucher_sales.maximum_cents is not null then 'minimum_cents'
    when set_voucher_sales.maximum_cents not between set_voucher_sales.minimum_cents and 100000000
      or set_voucher_sales.maximum_cents % step <> 0
      or set_voucher_sales.maximum_cents is null and set_voucher_sales.minimum_cents is not null then 'maximum_cents'
    when set_voucher_sales.validity_months not between 1 and 120 then 'validity_months'
    when (set_voucher_sales.refund_days between 0 and 365) is not true then 'refund_days'
  end;
  if field is not null then
    perform private.fail(
      'voucher_sales_invalid', 422,
      'Give both amounts or none, in minor units, 1 to 120 months or null, and 0 to 365 days.',
      jsonb_build_object('field', field)
    );
  end if;
  insert into public.voucher_settings as s (
    organization_id, is_sold, minimum_cents, maximum_cents, validity_months, refund_days
  )
  values (
    set_voucher_sales.organization_id, set_voucher_sales.is_sold, set_voucher_sales.minimum_cents,
    set_voucher_sales.maximum_cents, set_voucher_sales.validity_months, set_voucher_sales.refund_days
  )
  on conflict on constraint voucher_settings_pkey do update
  set is_sold = excluded.is_sold,
    minimum_cents = excluded.minimum_cents,
    maximum_cents = excluded.maximum_cents,
    validity_months = excluded.validity_months,
    refund_days = excluded.refund_days
  returning s.* into kept;
  return kept;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_voucher_sales is 'definer: an organization has one row, which no client may write.';
grant execute on function private.set_voucher_sales to authenticated;

create function public.set_voucher_sales(
  organization_id uuid,
  is_sold boolean,
  minimum_cents bigint default null,
  maximum_cents bigint default null,
  validity_months int default 12,
  refund_days int default 14
)
returns public.voucher_settings
language sql
volatile
set search_path = ''
as $$
  select private.set_voucher_sales(
    organization_id, is_sold, minimum_cents, maximum_cents, validity_months, refund_days
  )
$$;

comment on function public.set_voucher_sales is
  'Says which gift vouchers the organization sells online from now on: amounts from minimum_cents to maximum_cents (null: only its voucher_products), for how many months one pays (null: without an end), and for how many days an unspent one may be given back. For members with vouchers:manage. Errors: 403 permission_denied, organization_suspended; 422 voucher_sales_invalid (details {"field"}).';
grant execute on function public.set_voucher_sales to authenticated;

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
