-- Extras: what a party may take beside its seats.

create table public.extras (
  organization_id uuid not null default private.organization_with('extras:manage'),
  id uuid not null default private.uuid_v7(),
  names jsonb not null,
  descriptions jsonb not null default '{}',
  price_per text not null default 'booking',
  price_cents bigint not null,
  tax_rate_bp int not null default 2100,
  maximum_quantity int not null default 1,
  stock_per_session int,
  all_rooms boolean not null default true,
  position int not null default 0,
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint extras_pkey primary key (organization_id, id),
  constraint extras_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint extras_names_are_names_by_language check (private.are_names(names, 120)),
  constraint extras_descriptions_are_texts_by_language check (private.is_texts(descriptions, 1000)),
  constraint extras_price_per_is_known check (price_per in ('booking', 'person')),
  constraint extras_price_is_0_to_1_million check (price_cents between 0 and 100000000),
  constraint extras_tax_rate_is_a_share check (tax_rate_bp between 0 and 10000),
  constraint extras_maximum_quantity_is_1_to_100 check (maximum_quantity between 1 and 100),
  constraint extras_stock_is_not_negative check (stock_per_session between 0 and 10000)
);

comment on table public.extras is 'What a party may take beside its seats: a photo, a drink each, a longer game.';
comment on column public.extras.names is 'By language: {"es": "Foto", "en": "Photo"}.';
comment on column public.extras.descriptions is 'By language, or {}.';
comment on column public.extras.price_per is 'What one of it is for: the booking, or every person of the party.';
comment on column public.extras.price_cents is 'Of one, minor units of the organization''s currency, tax included.';
comment on column public.extras.tax_rate_bp is 'Tax contained in the price, in basis points.';
comment on column public.extras.maximum_quantity is 'How many a booking may take; a person, when it is for persons.';
comment on column public.extras.stock_per_session is
  'How many there are for all parties of a session together, persons counted; null: enough.';
comment on column public.extras.all_rooms is 'Whether every room offers it; otherwise those of extra_rooms.';
comment on column public.extras.position is 'Order in which it is shown.';
comment on column public.extras.is_active is 'Whether it can be booked.';

grant select, delete on public.extras to authenticated;
grant insert (
  organization_id, names, descriptions, price_per, price_cents, tax_rate_bp, maximum_quantity, stock_per_session,
  all_rooms, position, is_active
) on public.extras to authenticated;
grant update (
  names, descriptions, price_per, price_cents, tax_rate_bp, maximum_quantity, stock_per_session, all_rooms, position,
  is_active
) on public.extras to authenticated;

alter table public.extras enable row level security;

create trigger extras_clean_names
before insert or update of names on public.extras
for each row execute function private.clean_texts('names', 'names');

create trigger extras_clean_notes
before insert or update of descriptions on public.extras
for each row execute function private.clean_texts('notes', 'descriptions');

create policy extras_select on public.extras
for select to authenticated
using (organization_id = (select private.organization_with('extras:read')));

create policy extras_insert on public.extras
for insert to authenticated
with check (organization_id = (select private.organization_with('extras:manage')));

create policy extras_update on public.extras
for update to authenticated
using (organization_id = (select private.organization_with('extras:manage')))
with check (organization_id = (select private.organization_with('extras:manage')));

create policy extras_delete on public.extras
for delete to authenticated
using (organization_id = (select private.organization_with('extras:manage')));

create trigger extras_refuse_uneven_amounts
before insert or update on public.extras
for each row execute function private.refuse_uneven_amounts('price_cents');

create trigger extras_touch_updated_at
before update on public.extras
for each row execute function private.touch_updated_at();

create trigger extras_are_bounded
after insert on public.extras
for each row execute function private.bound_rows('60');

create table public.extra_rooms (
  organization_id uuid not null default private.organization_with('extras:manage'),
  extra_id uuid not null,
  room_id uuid not null,
  constraint extra_rooms_pkey primary key (organization_id, extra_id, room_id),
  constraint extra_rooms_extra_fkey foreign key (organization_id, extra_id)
  references public.extras (organization_id, id) on delete cascade,
  constraint extra_rooms_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade
);

comment on table public.extra_rooms is 'The rooms that offer an extra which not every room offers.';

-- for: the foreign key, when a room is deleted
create index extra_rooms_room_id_idx on public.extra_rooms (organization_id, room_id);

grant select, delete on public.extra_rooms to authenticated;
grant insert (organization_id, extra_id, room_id) on public.extra_rooms to authenticated;

alter table public.extra_rooms enable row level security;

create policy extra_rooms_select on public.extra_rooms
for select to authenticated
using (organization_id = (select private.organization_with('extras:read')));

create policy extra_rooms_insert on public.extra_rooms
for insert to authenticated
with check (organization_id = (select private.organization_with('extras:manage')));

create policy extra_rooms_delete on public.extra_rooms
for delete to authenticated
using (organization_id = (select private.organization_with('extras:manage')));

create function private.is_extra_of(extra public.extras, room_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return extra.is_active and (
    extra.all_rooms
    or exists (
      select from public.extra_rooms as er
      where er.organization_id = extra.organization_id
        and er.extra_id = extra.id
        and er.room_id = is_extra_of.room_id
    )
  );
end
$$;

comment on function private.is_extra_of is 'Whether the room offers the extra now.';

create type public.room_extra as (
  id uuid,
  name jsonb,
  description jsonb,
  price_cents bigint,
  per text,
  maximum_quantity int
);

comment on type public.room_extra is 'An extra that a room offers.';
comment on column public.room_extra.id is 'By which it is ordered.';
comment on column public.room_extra.name is 'By language, as the venue wrote it: {"es": "Foto", "en": "Photo"}.';
comment on column public.room_extra.description is 'By language, or {}.';
comment on column public.room_extra.price_cents is 'Of one, in minor units of the organization''s currency, tax included.';
comment on column public.room_extra.per is 'What one of it is for; one for persons is taken for the whole party. one of: booking, person';
comment on column public.room_extra.maximum_quantity is 'How many a booking may take; a person, when it is for persons.';

create function private.room_extras(organization_id uuid, room_id uuid)
returns public.room_extra []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(x.id, x.names, x.descriptions, x.price_cents, x.price_per, x.maximum_quantity)::public.room_extra
    from public.extras as x
    where x.organization_id = room_extras.organization_id
      and private.is_extra_of(x, room_extras.room_id)
    order by x.position, x.id
  );
end
$$;

comment on function private.room_extras is 'The extras that a room offers, in their order.';
