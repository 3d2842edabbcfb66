-- Rules: another price by weekday, hour and date, on the venue's clock.

create table public.price_rules (
  organization_id uuid not null default private.organization_with('pricing:manage'),
  id uuid not null default private.uuid_v7(),
  room_id uuid,
  name text not null,
  priority int not null default 0,
  weekdays int [] not null default '{1,2,3,4,5,6,7}',
  from_time time not null default '00:00',
  until_time time not null default '00:00',
  from_date date,
  until_date date,
  kind text not null,
  value bigint not null,
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint price_rules_pkey primary key (organization_id, id),
  constraint price_rules_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint price_rules_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint price_rules_name_is_a_name check (private.is_name(name, 120)),
  constraint price_rules_priority_is_0_to_1000 check (priority between 0 and 1000),
  constraint price_rules_weekdays_are_iso check (
    weekdays <@ array[1, 2, 3, 4, 5, 6, 7] and cardinality(weekdays) between 1 and 7
    and array_position(weekdays, null) is null
  ),
  constraint price_rules_times_are_of_a_day check (from_time < '24:00' and until_time < '24:00'),
  constraint price_rules_dates_are_finite_and_ordered check (
    isfinite(from_date) and isfinite(until_date) and from_date <= until_date
  ),
  constraint price_rules_kind_is_known check (kind in ('price', 'percent', 'amount')),
  constraint price_rules_value_fits_its_kind check (
    case kind
      when 'price' then value between 0 and 100000000
      when 'percent' then value between -100 and 1000
      else value between -100000000 and 100000000
    end
  )
);

comment on table public.price_rules is
  'Another price for the sessions that start on some weekdays, hours and dates. Of the rules that apply to a start the one with the highest priority decides, alone; at the same priority a room''s own before one for all rooms, then the one with the greater id, which is the newer.';
comment on column public.price_rules.room_id is 'Null: every room of the organization.';
comment on column public.price_rules.weekdays is 'ISO: 1 is Monday, 7 is Sunday.';
comment on column public.price_rules.from_time is 'Wall clock of the venue; the first start that the rule is for.';
comment on column public.price_rules.until_time is
  'Wall clock; starts from then on are not meant. Not after from_time: on the next day, and a start after midnight then counts as one of the day before, its weekday and date included. Both 00:00: the whole day.';
comment on column public.price_rules.from_date is 'First local date; null: no first one.';
comment on column public.price_rules.until_date is 'Last local date; null: no last one.';
comment on column public.price_rules.kind is
  'price: value replaces the price of the room or tier. percent: so many per cent are added to it, rounded half up. amount: so many minor units are added, never below zero.';
comment on column public.price_rules.value is 'Minor units, or per cent; negative to take away.';

-- for: the rules of an organization (private.base_prices), the foreign key
create index price_rules_room_id_idx on public.price_rules (organization_id, room_id);

grant select, delete on public.price_rules to authenticated;
grant insert (
  organization_id, room_id, name, priority, weekdays, from_time, until_time, from_date, until_date, kind, value,
  is_active
) on public.price_rules to authenticated;
grant update (
  room_id, name, priority, weekdays, from_time, until_time, from_date, until_date, kind, value, is_active
) on public.price_rules to authenticated;

alter table public.price_rules enable row level security;

create trigger price_rules_clean_names
before insert or update of name on public.price_rules
for each row execute function private.clean_texts('names', 'name');

create policy price_rules_select on public.price_rules
for select to authenticated
using (organization_id = (select private.organization_with('pricing:read')));

create policy price_rules_insert on public.price_rules
for insert to authenticated
with check (organization_id = (select private.organization_with('pricing:manage')));

create policy price_rules_update on public.price_rules
for update to authenticated
using (organization_id = (select private.organization_with('pricing:manage')))
with check (organization_id = (select private.organization_with('pricing:manage')));

create policy price_rules_delete on public.price_rules
for delete to authenticated
using (organization_id = (select private.organization_with('pricing:manage')));

create trigger price_rules_refuse_uneven_amounts
before insert or update on public.price_rules
for each row execute function private.refuse_uneven_amounts('value');

create trigger price_rules_touch_updated_at
before update on public.price_rules
for each row execute function private.touch_updated_at();

create trigger price_rules_are_bounded
after insert or update of room_id on public.price_rules
for each row execute function private.bound_rows('100', 'room_id');

create trigger price_rules_of_all_rooms_are_bounded
after insert on public.price_rules
for each row execute function private.bound_rows('1000');
