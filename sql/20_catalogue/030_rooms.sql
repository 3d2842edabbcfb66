-- Rooms: the games that a venue sells, with what a cancelled booking gets back.

create table public.rooms (
  organization_id uuid not null default private.organization_with('rooms:create'),
  id uuid not null default private.uuid_v7(),
  location_id uuid not null,
  slug text not null,
  name text not null,
  description text not null default '',
  mode text not null default 'private',
  minimum_party int not null default 2,
  maximum_party int not null default 6,
  capacity_limit int,
  duration_minutes int not null default 60,
  turnaround_minutes int not null default 30,
  price_per text not null default 'person',
  price_cents bigint not null,
  tax_rate_bp int not null default 2100,
  exclusive_price_cents bigint,
  deposit_kind text not null default 'full',
  deposit_value bigint not null default 0,
  no_show_fee_percent int not null default 100,
  waiver_policy text not null default 'none',
  difficulty int,
  is_published boolean not null default false,
  names jsonb not null default '{}',
  descriptions jsonb not null default '{}',
  theme text,
  color text,
  video_url text,
  minimum_age int,
  minimum_age_accompanied int,
  fear int,
  physical_level int,
  languages text [] not null default '{}',
  is_accessible boolean not null default false,
  has_actors boolean not null default false,
  tags text [] not null default '{}',
  is_archived boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint rooms_pkey primary key (organization_id, id),
  constraint rooms_location_fkey foreign key (organization_id, location_id)
  references public.locations (organization_id, id) on delete restrict,
  constraint rooms_slug_key unique (organization_id, slug),
  constraint rooms_slug_is_a_slug check (private.is_slug(slug)),
  constraint rooms_name_is_a_name check (private.is_name(name, 120)),
  constraint rooms_description_is_a_text check (private.is_text(description, 5000)),
  constraint rooms_mode_is_known check (mode in ('private', 'shared')),
  constraint rooms_party_is_1_to_100 check (1 <= minimum_party and minimum_party <= maximum_party and maximum_party <= 100),
  constraint rooms_capacity_limit_covers_the_party check (capacity_limit between maximum_party and 100),
  constraint rooms_duration_is_5_minutes_to_a_day check (duration_minutes between 5 and 1440),
  constraint rooms_turnaround_is_at_most_a_day check (turnaround_minutes between 0 and 1440),
  constraint rooms_price_per_is_known check (price_per in ('person', 'session')),
  constraint rooms_price_is_0_to_1_million check (price_cents between 0 and 100000000),
  constraint rooms_tax_rate_is_a_share check (tax_rate_bp between 0 and 10000),
  constraint rooms_exclusive_price_is_for_shared_rooms check (
    exclusive_price_cents >= 0 and exclusive_price_cents <= 100000000 and (exclusive_price_cents is null or mode = 'shared')
  ),
  constraint rooms_deposit_kind_is_known check (deposit_kind in ('full', 'none', 'percent', 'fixed', 'person')),
  constraint rooms_deposit_value_fits_its_kind check (
    case deposit_kind
      when 'percent' then deposit_value between 1 and 100
      when 'fixed' then deposit_value between 1 and 100000000
      when 'person' then deposit_value between 1 and 100000000
      else deposit_value = 0
    end
  ),
  constraint rooms_no_show_fee_is_a_share check (no_show_fee_percent between 0 and 100),
  constraint rooms_waiver_policy_is_known check (waiver_policy in ('none', 'optional', 'required')),
  constraint rooms_difficulty_is_1_to_5 check (difficulty between 1 and 5),
  constraint rooms_names_are_given_by_language check (names = '{}' or private.are_names(names, 120)),
  constraint rooms_descriptions_are_given_by_language check (private.is_texts(descriptions, 5000)),
  constraint rooms_theme_is_known check (
    theme in (
      'adventure', 'comedy', 'crime', 'family', 'fantasy', 'history', 'horror', 'mystery', 'science_fiction', 'other'
    )
  ),
  constraint rooms_color_is_hexadecimal check (color ~ '^#[0-9a-f]{6}$'),
  constraint rooms_video_url_is_a_link check (private.is_link(video_url)),
  constraint rooms_minimum_age_is_0_to_99 check (minimum_age between 0 and 99),
  -- With an adult one may be younger, and not older.
  constraint rooms_minimum_age_accompanied_is_at_most_the_age_alone check (
    minimum_age_accompanied is null
    or minimum_age is not null and minimum_age_accompanied between 0 and minimum_age
  ),
  constraint rooms_fear_is_0_to_5 check (fear between 0 and 5),
  constraint rooms_physical_level_is_0_to_5 check (physical_level between 0 and 5),
  constraint rooms_languages_are_codes check (private.are_languages(languages)),
  constraint rooms_tags_are_names check (private.are_tags(tags)),
  -- Whatever asks whether a room is on sale asks is_published: this one rule hides an archived room from all of it.
  constraint rooms_archived_are_not_published check (not (is_archived and is_published))
);

comment on table public.rooms is
  'A game that a venue sells. It stays in its location while another''s zone would move what is booked (409 zone_in_use).';
comment on column public.rooms.mode is 'private: a party takes the room whole. shared: several parties buy seats of one session.';
comment on column public.rooms.minimum_party is 'Fewest people of one booking.';
comment on column public.rooms.maximum_party is 'Most people of one booking; in a shared room also the seats of a session.';
comment on column public.rooms.capacity_limit is 'Most people that staff may let in; null: maximum_party.';
comment on column public.rooms.turnaround_minutes is 'Minutes after a session in which the room is prepared and cannot be sold.';
comment on column public.rooms.price_per is 'What price_cents buys: a person''s seat or the session.';
comment on column public.rooms.price_cents is 'Minor units of the organization''s currency, tax included.';
comment on column public.rooms.tax_rate_bp is 'Tax contained in the price, in basis points: 2100 is 21 %.';
comment on column public.rooms.exclusive_price_cents is 'Shared rooms: what a party pays to have the session for itself, minor units, tax included; null: not offered.';
comment on column public.rooms.deposit_kind is 'What must be paid for a booking to be confirmed: full (all of it), none, percent, fixed or person (an amount a person).';
comment on column public.rooms.deposit_value is 'Per cent of the total, or minor units; 0 for full and none.';
comment on column public.rooms.no_show_fee_percent is 'Per cent of the total that the venue keeps of what was paid when nobody comes.';
comment on column public.rooms.waiver_policy is 'Whether players sign a waiver: none, optional, or required before the game starts.';
comment on column public.rooms.is_published is 'Whether calendars may sell it.';
comment on column public.rooms.names is
  'Its name by language where it is called otherwise than name says: {"en": "…"}; {}: name in every language.';
comment on column public.rooms.descriptions is
  'Its description by language where that is not description: {"en": "…"}; {}: description in every language.';
comment on column public.rooms.theme is
  'What kind of story it tells: adventure, comedy, crime, family, fantasy, history, horror, mystery, science_fiction or other; null: not said.';
comment on column public.rooms.color is 'Colour by which the venue''s screens know it, as #rrggbb; null: none.';
comment on column public.rooms.video_url is 'A film of it, https://…; null: none.';
comment on column public.rooms.minimum_age is 'From what age on one plays without an adult, in years; null: not said.';
comment on column public.rooms.minimum_age_accompanied is 'From what age on one plays with an adult, in years; null: as alone.';
comment on column public.rooms.fear is 'How much it frightens, 0 (not at all) to 5; null: not said.';
comment on column public.rooms.physical_level is 'How much it asks of the body, 0 (nothing) to 5; null: not said.';
comment on column public.rooms.languages is 'In which the game can be played, ISO 639-1, the usual one first; {}: not said.';
comment on column public.rooms.is_accessible is 'Whether one can play in a wheelchair.';
comment on column public.rooms.has_actors is 'Whether actors play along.';
comment on column public.rooms.tags is 'Words of the venue''s own, shown to customers; at most 20.';
comment on column public.rooms.is_archived is
  'Whether it is kept for its history only: it is not published, staff book nothing in it either, and the board shows it on days on which something is booked there. Its bookings stay as they are.';

-- for: the rooms of a location, and the foreign key
create index rooms_location_id_idx on public.rooms (organization_id, location_id);

grant select, delete on public.rooms to authenticated;
grant insert (
  organization_id, location_id, slug, name, description, mode, minimum_party, maximum_party, capacity_limit,
  duration_minutes, turnaround_minutes, price_per, price_cents, tax_rate_bp, exclusive_price_cents, deposit_kind,
  deposit_value, no_show_fee_percent, waiver_policy, difficulty, is_published, names,
  descriptions, theme, color, video_url, minimum_age, minimum_age_accompanied, fear, physical_level, languages,
  is_accessible, has_actors, tags, is_archived
) on public.rooms to authenticated;
grant update (
  location_id, slug, name, description, mode, minimum_party, maximum_party, capacity_limit,
  duration_minutes, turnaround_minutes, price_per, price_cents, tax_rate_bp, exclusive_price_cents, deposit_kind,
  deposit_value, no_show_fee_percent, waiver_policy, difficulty, is_published, names,
  descriptions, theme, color, video_url, minimum_age, minimum_age_accompanied, fear, physical_level, languages,
  is_accessible, has_actors, tags, is_archived
) on public.rooms to authenticated;

alter table public.rooms enable row level security;

create trigger rooms_clean_names
before insert or update of name, names, tags on public.rooms
for each row execute function private.clean_texts('names', 'name', 'names', 'tags');

create trigger rooms_clean_notes
before insert or update of description, descriptions on public.rooms
for each row execute function private.clean_texts('notes', 'description', 'descriptions');

create policy rooms_select on public.rooms
for select to authenticated
using (organization_id = (select private.organization_with('rooms:read')));

create policy rooms_insert on public.rooms
for insert to authenticated
with check (organization_id = (select private.organization_with('rooms:create')));

create policy rooms_update on public.rooms
for update to authenticated
using (organization_id = (select private.organization_with('rooms:update')))
with check (organization_id = (select private.organization_with('rooms:update')));

create policy rooms_delete on public.rooms
for delete to authenticated
using (organization_id = (select private.organization_with('rooms:delete')));

create trigger rooms_refuse_uneven_amounts
before insert or update on public.rooms
for each row execute function private.refuse_uneven_amounts('price_cents', 'exclusive_price_cents', 'deposit_value');

-- The public is led there.
create trigger rooms_keep_new_link_in_a_visit
after insert on public.rooms
for each row when (new.video_url is not null)
execute function private.keep_in_a_visit();

create trigger rooms_keep_link_in_a_visit
after update of video_url on public.rooms
for each row when (new.video_url is distinct from old.video_url)
execute function private.keep_in_a_visit();

create trigger rooms_touch_updated_at
before update on public.rooms
for each row execute function private.touch_updated_at();

create trigger rooms_are_bounded
after insert on public.rooms
for each row execute function private.bound_rows('500');

create trigger rooms_keep_to_plan
after insert on public.rooms
for each row execute function private.keep_to_plan();

create function private.room_name(room public.rooms, locale text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(room.names ->> locale, room.name);
end
$$;

comment on function private.room_name is
  'What the room is called in a language. To customers; staff know it by its name.';

create table public.room_cancellation_tiers (
  organization_id uuid not null default private.organization_with('rooms:update'),
  id uuid not null default private.uuid_v7(),
  room_id uuid not null,
  hours_before int not null,
  refund_percent int not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint room_cancellation_tiers_pkey primary key (organization_id, id),
  -- Also the index for: the tiers of a room, and the foreign key.
  constraint room_cancellation_tiers_hours_key unique (organization_id, room_id, hours_before),
  constraint room_cancellation_tiers_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint room_cancellation_tiers_hours_are_within_a_year check (hours_before between 0 and 8784),
  constraint room_cancellation_tiers_percent_is_a_share check (refund_percent between 0 and 100)
);

comment on table public.room_cancellation_tiers is
  'Cancelled at least hours_before the start, a booking gets refund_percent of what was paid: the tier with the most hours that is still met counts. Later than every tier: nothing. A room without tiers refunds in full until the start.';

grant select, delete on public.room_cancellation_tiers to authenticated;
grant insert (organization_id, room_id, hours_before, refund_percent) on public.room_cancellation_tiers to authenticated;
grant update (hours_before, refund_percent) on public.room_cancellation_tiers to authenticated;

alter table public.room_cancellation_tiers enable row level security;

create policy room_cancellation_tiers_select on public.room_cancellation_tiers
for select to authenticated
using (organization_id = (select private.organization_with('rooms:read')));

create policy room_cancellation_tiers_insert on public.room_cancellation_tiers
for insert to authenticated
with check (organization_id = (select private.organization_with('rooms:update')));

create policy room_cancellation_tiers_update on public.room_cancellation_tiers
for update to authenticated
using (organization_id = (select private.organization_with('rooms:update')))
with check (organization_id = (select private.organization_with('rooms:update')));

create policy room_cancellation_tiers_delete on public.room_cancellation_tiers
for delete to authenticated
using (organization_id = (select private.organization_with('rooms:update')));

create trigger room_cancellation_tiers_touch_updated_at
before update on public.room_cancellation_tiers
for each row execute function private.touch_updated_at();
