-- Locations: where rooms stand, and by which clock they open.

create table public.locations (
  organization_id uuid not null default private.organization_with('rooms:create'),
  id uuid not null default private.uuid_v7(),
  name text not null,
  timezone text not null,
  address text not null default '',
  city text not null default '',
  postal_code text not null default '',
  country text,
  check_in_hours int not null default 4,
  no_show_minutes int not null default 15,
  undo_hours int not null default 24,
  phone text,
  province text not null default '',
  latitude numeric(9, 6),
  longitude numeric(9, 6),
  arrival_hints jsonb not null default '{}',
  directions jsonb not null default '{}',
  tells_changes boolean not null default false,
  details_changed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint locations_pkey primary key (organization_id, id),
  -- The target of staff_shifts' foreign key, so that a shift is read by its location's clock.
  constraint locations_timezone_key unique (organization_id, id, timezone),
  constraint locations_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint locations_name_is_a_name check (private.is_name(name, 120)),
  constraint locations_timezone_is_iana check (private.is_timezone(timezone)),
  constraint locations_address_is_a_text check (private.is_text(address, 300)),
  constraint locations_city_is_a_line check (city = '' or private.is_line(city, 120)),
  constraint locations_postal_code_is_a_line check (postal_code = '' or private.is_line(postal_code, 20)),
  constraint locations_country_is_iso_3166 check (country ~ '^[A-Z]{2}$'),
  constraint locations_check_in_opens_at_most_2_days_before check (check_in_hours between 0 and 48),
  constraint locations_no_show_waits_at_most_a_day check (no_show_minutes between 0 and 1440),
  constraint locations_undo_is_open_for_at_most_a_week check (undo_hours between 0 and 168),
  constraint locations_phone_can_be_called check (private.is_phone(phone)),
  constraint locations_province_is_a_line check (province = '' or private.is_line(province, 120)),
  constraint locations_latitude_is_in_degrees check (latitude between -90 and 90),
  constraint locations_longitude_is_in_degrees check (longitude between -180 and 180),
  constraint locations_are_on_the_map_or_not check ((latitude is null) = (longitude is null)),
  constraint locations_arrival_hints_are_given_by_language check (private.is_texts(arrival_hints, 1000)),
  constraint locations_directions_are_given_by_language check (private.is_texts(directions, 2000))
);

comment on table public.locations is
  'A place where rooms stand. Its zone is the clock of their opening hours, and is kept while another would move what is booked (409 zone_in_use, details {"bookings", "blocks", "first", "last"}).';
comment on column public.locations.timezone is 'IANA zone, such as Europe/Madrid, by which every wall-clock time of its rooms is read.';
comment on column public.locations.country is 'ISO 3166-1 alpha-2, such as ES.';
comment on column public.locations.phone is 'By which customers reach it; null: the organization''s.';
comment on column public.locations.latitude is 'North of the equator, in degrees (WGS 84), for a map; null: not said, as longitude is then.';
comment on column public.locations.longitude is 'East of Greenwich, in degrees (WGS 84); null: not said.';
comment on column public.locations.arrival_hints is
  'What whoever has booked must know to get in (where to ring, how early), by language: {"es": "…"}; their mails and their booking''s page tell it, and nobody else; {}: nothing.';
comment on column public.locations.directions is 'How to get there, by language, for anybody: {"es": "…"}; {}: not said.';
comment on column public.locations.tells_changes is
  'Whether those with a confirmed booking to come are mailed when address, postal code, city, phone, arrival_hints or directions change: once, a quarter of an hour after the last change.';
comment on column public.locations.details_changed_at is
  'When one of those last changed; null: never. Set by the database.';
comment on column public.locations.check_in_hours is 'From so many hours before the start on a party can be checked in and its game started.';
comment on column public.locations.no_show_minutes is 'From so many minutes after the start on a party can be marked as not come.';
comment on column public.locations.undo_hours is 'For so many hours a check-in, a start, an end or a no-show can be taken back; 0: never.';

grant select, delete on public.locations to authenticated;
grant insert (
  organization_id, name, timezone, address, city, postal_code, country, check_in_hours, no_show_minutes, undo_hours,
  phone, province, latitude, longitude, arrival_hints, directions, tells_changes
) on public.locations to authenticated;
grant update (
  name, timezone, address, city, postal_code, country, check_in_hours, no_show_minutes, undo_hours,
  phone, province, latitude, longitude, arrival_hints, directions, tells_changes
) on public.locations to authenticated;

alter table public.locations enable row level security;

create trigger locations_clean_names
before insert or update of name, city, postal_code, province, phone on public.locations
for each row execute function private.clean_texts('names', 'name', 'city', 'postal_code', 'province', 'phone');

create trigger locations_clean_notes
before insert or update of address, arrival_hints, directions on public.locations
for each row execute function private.clean_texts('notes', 'address', 'arrival_hints', 'directions');

create policy locations_select on public.locations
for select to authenticated
using (organization_id = (select private.organization_with('rooms:read')));

create policy locations_insert on public.locations
for insert to authenticated
with check (organization_id = (select private.organization_with('rooms:create')));

create policy locations_update on public.locations
for update to authenticated
using (organization_id = (select private.organization_with('rooms:update')))
with check (organization_id = (select private.organization_with('rooms:update')));

create policy locations_delete on public.locations
for delete to authenticated
using (organization_id = (select private.organization_with('rooms:delete')));

-- Every later confirmation, calendar and map says them: where guests go, and whom they call. A location of a visit
-- has a name and a clock, and no place until a member gives it one.
create trigger locations_keep_new_words_in_a_visit
after insert on public.locations
for each row
when (
  new.phone is not null or new.arrival_hints <> '{}' or new.directions <> '{}' or new.latitude is not null
  or new.tells_changes
  or (new.address, new.city, new.postal_code, new.province) is distinct from ('', '', '', '')
  or new.country is not null
)
execute function private.keep_in_a_visit();

create trigger locations_keep_words_in_a_visit
after update of
  phone, arrival_hints, directions, address, city, postal_code, province, country, latitude, longitude,
  tells_changes
on public.locations
for each row
when (
  (
    new.phone, new.arrival_hints, new.directions, new.address, new.city, new.postal_code, new.province,
    new.country, new.latitude, new.longitude, new.tells_changes
  ) is distinct from (
    old.phone, old.arrival_hints, old.directions, old.address, old.city, old.postal_code, old.province,
    old.country, old.latitude, old.longitude, old.tells_changes
  )
)
execute function private.keep_in_a_visit();

create trigger locations_touch_updated_at
before update on public.locations
for each row execute function private.touch_updated_at();

create trigger locations_are_bounded
after insert on public.locations
for each row execute function private.bound_rows('200');

create trigger locations_keep_to_plan
after insert on public.locations
for each row execute function private.keep_to_plan();

create function private.location_address(location public.locations)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return concat_ws(
    ', ', nullif(location.address, ''), nullif(trim(concat_ws(' ', location.postal_code, location.city)), '')
  );
end
$$;

comment on function private.location_address is 'Street, postal code and city in one line; empty when the venue gave none.';

create function private.location_line(location public.locations)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return concat_ws(', ', location.name, nullif(private.location_address(location), ''));
end
$$;

comment on function private.location_line is
  'Name and address in one line, as every calendar says it: one event says one place, whoever wrote it.';
