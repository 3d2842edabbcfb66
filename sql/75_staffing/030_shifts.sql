-- Shifts: when a member works where. They are planned on the location's wall clock, as opening
-- hours are: "10:00 to 18:00 on the 29th" stays that when the clocks change in the night, and
-- when the location is given another zone.

create table public.staff_shifts (
  organization_id uuid not null default private.organization_with('shifts:manage'),
  id uuid not null default private.uuid_v7(),
  user_id uuid not null,
  location_id uuid not null,
  timezone text not null default 'UTC',
  date date not null,
  from_time time not null,
  to_time time not null,
  starts_at timestamptz not null generated always as ((date + from_time) at time zone timezone) stored,
  ends_at timestamptz not null generated always as (
    (date + case when to_time > from_time then 0 else 1 end + to_time) at time zone timezone
  ) stored,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint staff_shifts_pkey primary key (organization_id, id),
  constraint staff_shifts_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete cascade,
  -- The zone is the location's: one that changes takes its shifts along.
  constraint staff_shifts_location_fkey foreign key (organization_id, location_id, timezone)
  references public.locations (organization_id, id, timezone) on update cascade on delete cascade,
  constraint staff_shifts_date_is_finite check (isfinite(date)),
  -- A shift of one hour may lie in the hour that a night in spring leaves out.
  constraint staff_shifts_last_some_time check (starts_at < ends_at),
  constraint staff_shifts_of_a_person_do_not_overlap exclude using gist (
    organization_id extensions.gist_uuid_ops with =,
    user_id extensions.gist_uuid_ops with =,
    tstzrange(starts_at, ends_at, '[)') with &&
  )
  -- Looked at when a statement ends: a location's new zone moves many that touch.
  deferrable initially immediate
);

comment on table public.staff_shifts is
  'A time in which a member works at a location. It decides who is assigned automatically; whoever holds bookings:assign may assign anybody, and nothing is sold or refused because of it. A person''s shifts do not overlap, in whatever location (409 shift_overlaps); two may touch, and count as one.';
comment on column public.staff_shifts.timezone is 'The location''s zone, kept equal by the foreign key; filled by a trigger.';
comment on column public.staff_shifts.date is 'Local date on which the shift starts.';
comment on column public.staff_shifts.from_time is 'Wall clock of the location. In a DST gap it is that much later, in a fold the second of the two.';
comment on column public.staff_shifts.to_time is 'Wall clock of the location, read as from_time is. Not after from_time: on the next day.';
comment on column public.staff_shifts.starts_at is 'The instant of from_time.';
comment on column public.staff_shifts.ends_at is 'The instant of to_time.';

-- for: the plan of some days: organization_id = ? and date between ? and ? order by date
create index staff_shifts_date_idx on public.staff_shifts (organization_id, date);
-- for: whether a person is on shift at a time, and the foreign key
create index staff_shifts_user_id_idx on public.staff_shifts (organization_id, user_id, starts_at);
-- for: who works at a location on a day (the board), and the foreign key
create index staff_shifts_location_id_idx on public.staff_shifts (organization_id, location_id, timezone, starts_at);

grant select, delete on public.staff_shifts to authenticated;
grant insert (organization_id, user_id, location_id, date, from_time, to_time) on public.staff_shifts to authenticated;
grant update (location_id, date, from_time, to_time) on public.staff_shifts to authenticated;

alter table public.staff_shifts enable row level security;

create policy staff_shifts_select on public.staff_shifts
for select to authenticated
using (organization_id = (select private.organization_with('shifts:read')));

create policy staff_shifts_insert on public.staff_shifts
for insert to authenticated
with check (organization_id = (select private.organization_with('shifts:manage')));

create policy staff_shifts_update on public.staff_shifts
for update to authenticated
using (organization_id = (select private.organization_with('shifts:manage')))
with check (organization_id = (select private.organization_with('shifts:manage')));

create policy staff_shifts_delete on public.staff_shifts
for delete to authenticated
using (organization_id = (select private.organization_with('shifts:manage')));

create trigger staff_shifts_touch_updated_at
before update on public.staff_shifts
for each row execute function private.touch_updated_at();

create function private.prepare_shift()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  other public.staff_shifts;
begin
  -- Two who plan one person's time at once come one after the other: the constraint alone
  -- would let each wait for the other, which PostgreSQL ends as a deadlock.
  perform from public.memberships as m
  where m.organization_id = new.organization_id and m.user_id = new.user_id
  for no key update;
  -- Where there is no such location any zone does: the foreign key says what is wrong.
  select l.timezone into new.timezone
  from public.locations as l
  where l.organization_id = new.organization_id and l.id = new.location_id;
  new.timezone := coalesce(new.timezone, 'UTC');

  -- The constraint decides; this says the same in words that a client can show. Row-level security
  -- speaks later, so a new row of another tenant is left to it; and those that a location's new
  -- zone takes along are not all there yet.
  if tg_op = 'INSERT' and new.organization_id is distinct from private.organization_with('shifts:manage')
    or tg_op = 'UPDATE' and new.timezone <> old.timezone and new.location_id = old.location_id
  then
    return new;
  end if;
  select s.* into other
  from public.staff_shifts as s
  where s.organization_id = new.organization_id
    and s.user_id = new.user_id
    and s.id <> new.id
    -- As the generated columns, which have no value yet.
    and s.starts_at < (
      (new.date + case when new.to_time > new.from_time then 0 else 1 end + new.to_time) at time zone new.timezone
    )
    and s.ends_at > ((new.date + new.from_time) at time zone new.timezone)
  order by s.starts_at
  limit 1;
  if found then
    perform private.fail(
      'shift_overlaps', 409, 'Choose a time in which the person has no other shift, or change that one.',
      jsonb_build_object(
        'shift_id', other.id, 'location_id', other.location_id, 'starts_at', other.starts_at, 'ends_at', other.ends_at
      )
    );
  end if;
  return new;
end
$$;

comment on function private.prepare_shift is
  'definer: reads the location and the person''s other shifts and locks the membership, whatever the planner may see of them. Gives a shift its location''s zone. Raises 409 shift_overlaps, details {"shift_id", "location_id", "starts_at", "ends_at"}.';

create trigger staff_shifts_prepare
before insert or update of location_id, date, from_time, to_time on public.staff_shifts
for each row execute function private.prepare_shift();
