-- What is booked keeps its time on the clock: a location's zone stays while another one would
-- move it, and so does a room that would get another zone with another location.
--
-- A zone that was typed wrong is mended while nothing is booked. Opening hours, dated exceptions,
-- price rules and shifts are wall-clock times and go with the new zone; coupons, vouchers and
-- waiting lists name dates, which begin and end by it.

create function private.locked_zone(organization_id uuid, room_id uuid)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  zone text;
begin
  -- As a foreign key's, the locks let everything pass but a new zone and a room's new location.
  select l.timezone into zone
  from public.rooms as r
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where r.organization_id = locked_zone.organization_id and r.id = locked_zone.room_id
  for key share;
  return zone;
end
$$;

comment on function private.locked_zone is
  'The zone by whose clock the room is sold, which stays until the end of the transaction. To be taken before any session.';

create function private.moved_on_clock(organization_id uuid, room_ids uuid [], old_zone text, new_zone text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'bookings', count(b.id),
      'blocks', count(distinct s.id) filter (where s.mode = 'block'),
      'first', min(s.starts_at),
      'last', max(s.starts_at)
    )
    from public.sessions as s
    left join public.bookings as b
      on b.organization_id = s.organization_id and b.session_id = s.id and b.takes_capacity
    where s.organization_id = moved_on_clock.organization_id
      and s.room_id = any (moved_on_clock.room_ids)
      and s.status <> 'cancelled'
      and s.ends_at > now()
      and (
        s.starts_at at time zone old_zone <> s.starts_at at time zone new_zone
        or s.ends_at at time zone old_zone <> s.ends_at at time zone new_zone
      )
    having count(*) > 0
  );
end
$$;

comment on function private.moved_on_clock is
  'What is not over and would be at another time of day by the new zone: {bookings, blocks, first, last}; null: nothing.';

create function private.keep_booked_clock()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  old_zone text;
  new_zone text;
  room_ids uuid [];
  moved jsonb;
begin
  if tg_relid = 'public.locations'::regclass then
    -- The row is locked already so that whoever claims by the old zone has ended.
    old_zone := old.timezone;
    new_zone := new.timezone;
    if not private.is_timezone(new_zone) then
      return new; -- for the table's check to refuse
    end if;
    room_ids := array(
      select r.id
      from public.rooms as r
      where r.organization_id = old.organization_id and r.location_id = old.id
    );
  else
    -- A claim holds the row as its foreign keys do, which an update of another column would pass.
    perform from public.rooms as r
    where r.organization_id = old.organization_id and r.id = old.id
    for update;
    old_zone := private.locked_zone(old.organization_id, old.id);
    -- Where there is no such location the foreign key says so.
    select l.timezone into new_zone
    from public.locations as l
    where l.organization_id = old.organization_id and l.id = new.location_id
    for key share;
    room_ids := array[old.id];
  end if;
  moved := private.moved_on_clock(old.organization_id, room_ids, old_zone, new_zone);
  if moved is not null then
    perform private.fail(
      'zone_in_use', 409,
      'Change the zone when nothing is booked any more, or make a location with the right one and move the bookings to a room there.',
      moved
    );
  end if;
  return new;
end
$$;

comment on function private.keep_booked_clock is
  'definer: reads sessions and bookings, whatever who arranges rooms may see of them. Raises 409 zone_in_use, details {"bookings", "blocks", "first", "last"}.';

create trigger locations_keep_booked_clock
before update of timezone on public.locations
for each row when (old.timezone <> new.timezone)
execute function private.keep_booked_clock();

create trigger rooms_keep_booked_clock
before update of location_id on public.rooms
for each row when (old.location_id <> new.location_id)
execute function private.keep_booked_clock();
