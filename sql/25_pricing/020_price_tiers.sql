-- Tiers: another price for larger parties.

create table public.price_tiers (
  organization_id uuid not null default private.organization_with('pricing:manage'),
  id uuid not null default private.uuid_v7(),
  room_id uuid not null,
  minimum_party int not null,
  price_cents bigint not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint price_tiers_pkey primary key (organization_id, id),
  -- Also the index for: the tiers of a room, and the foreign key.
  constraint price_tiers_minimum_key unique (organization_id, room_id, minimum_party),
  constraint price_tiers_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint price_tiers_minimum_is_1_to_100 check (minimum_party between 1 and 100),
  constraint price_tiers_price_is_0_to_1_million check (price_cents between 0 and 100000000)
);

comment on table public.price_tiers is
  'A room''s price for parties of at least minimum_party, in place of rooms.price_cents: the tier with the most people that the party still reaches counts.';
comment on column public.price_tiers.price_cents is 'As rooms.price_cents: of a person or of the session, minor units, tax included.';

grant select, delete on public.price_tiers to authenticated;
grant insert (organization_id, room_id, minimum_party, price_cents) on public.price_tiers to authenticated;
grant update (minimum_party, price_cents) on public.price_tiers to authenticated;

alter table public.price_tiers enable row level security;

create policy price_tiers_select on public.price_tiers
for select to authenticated
using (organization_id = (select private.organization_with('pricing:read')));

create policy price_tiers_insert on public.price_tiers
for insert to authenticated
with check (organization_id = (select private.organization_with('pricing:manage')));

create policy price_tiers_update on public.price_tiers
for update to authenticated
using (organization_id = (select private.organization_with('pricing:manage')))
with check (organization_id = (select private.organization_with('pricing:manage')));

create policy price_tiers_delete on public.price_tiers
for delete to authenticated
using (organization_id = (select private.organization_with('pricing:manage')));

create trigger price_tiers_refuse_uneven_amounts
before insert or update on public.price_tiers
for each row execute function private.refuse_uneven_amounts('price_cents');

create trigger price_tiers_touch_updated_at
before update on public.price_tiers
for each row execute function private.touch_updated_at();
