-- What reports share: who may read them, the days that they are about, and the rooms.

select private.permission_upsert(
  'reports:read', 'reports', false,
  'See reports of revenue, bookings, games and occupancy', 'Ver informes de ingresos, reservas, partidas y ocupación',
  array['admin', 'manager']
);

create type private.report_days as (
  from_date date,
  to_date date,
  previous_from_date date,
  previous_to_date date,
  from_at timestamptz,
  to_at timestamptz
);

comment on type private.report_days is
  'The local dates of a report, both included, and those before it with which it is compared. Whatever falls on any of them on any clock lies from from_at until before to_at.';

create type private.report_room as (
  id uuid,
  name text,
  location_id uuid,
  location_name text,
  timezone text
);

comment on type private.report_room is 'A room that a report is about, and its clock.';

create function private.report_rooms(organization_id uuid, location_id uuid, room_id uuid)
returns setof private.report_room
language plpgsql
stable
rows 10
set search_path = ''
as $$
begin
  return query
  select r.id, r.name, l.id, l.name, l.timezone
  from public.rooms as r
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where r.organization_id = report_rooms.organization_id
    and (report_rooms.location_id is null or r.location_id = report_rooms.location_id)
    and (report_rooms.room_id is null or r.id = report_rooms.room_id);
end
$$;

comment on function private.report_rooms is
  'The rooms of a location, or of all, or one; rooms that are hidden are among them, since they have their past.';

create function private.report_days(
  organization_id uuid,
  period text,
  from_date date,
  to_date date,
  location_id uuid,
  room_id uuid,
  maximum_days int
)
returns private.report_days
language plpgsql
stable
set search_path = ''
as $$
declare
  zone text;
  today date;
  unit text := coalesce(report_days.period, 'month');
  days private.report_days;
begin
  if report_days.location_id is not null and not exists (
    select from public.locations as l
    where l.organization_id = report_days.organization_id and l.id = report_days.location_id
  ) then
    perform private.fail('location_not_found', 404, 'Choose one of the organization''s locations, or none for all.');
  elsif report_days.room_id is not null and not exists (
    select from private.report_rooms(report_days.organization_id, report_days.location_id, report_days.room_id)
  ) then
    perform private.fail('room_not_found', 404, 'Choose one of the rooms of the organization and the location, or none for all.');
  end if;
  if report_days.from_date is null and report_days.to_date is null then
    if unit not in ('today', 'week', 'month', 'quarter', 'year') then
      perform private.fail('period_invalid', 422, 'Choose today, week, month, quarter or year, or give two dates.');
    end if;
    select l.timezone into zone
    from public.locations as l
    where l.organization_id = report_days.organization_id
      and l.id = coalesce(report_days.location_id, (
        select r.location_id
        from public.rooms as r
        where r.organization_id = report_days.organization_id and r.id = report_days.room_id
      ));
    if zone is null then
      select o.timezone into zone
      from public.organizations as o
      where o.id = report_days.organization_id;
    end if;
    today := (now() at time zone zone)::date;
    if unit = 'today' then
      unit := 'day';
    end if;
    days.from_date := date_trunc(unit, today::timestamp)::date;
    days.to_date := (date_trunc(unit, today::timestamp) + case unit
      when 'quarter' then interval '3 months'
      else ('1 ' || unit)::interval
    end)::date - 1;
    days.previous_from_date := date_trunc(unit, (days.from_date - 1)::timestamp)::date;
  else
    if report_days.period is not null then
      perform private.fail('period_invalid', 422, 'Give either a period or two dates.');
    elsif report_days.to_date < report_days.from_date
      or not coalesce(report_days.from_date >= date '2000-01-01' and report_days.to_date <= date '2099-12-31', false)
    then
      perform private.fail(
        'date_range_invalid', 422, 'Give two dates from 2000 to 2099, from_date not after to_date.'
      );
    end if;
    days.from_date := report_days.from_date;
    days.to_date := report_days.to_date;
    days.previous_from_date := days.from_date - (days.to_date - days.from_date + 1);
  end if;
  if days.to_date - days.from_date >= report_days.maximum_days then
    perform private.fail(
      'date_range_too_long', 422, format('Ask for at most %s days at a time.', report_days.maximum_days),
      jsonb_build_object('maximum', report_days.maximum_days)
    );
  end if;
  days.previous_to_date := days.from_date - 1;
  -- No clock is further from UTC.
  days.from_at := (days.previous_from_date - 1)::timestamp at time zone 'UTC';
  days.to_at := (days.to_date + 2)::timestamp at time zone 'UTC';
  return days;
end
$$;

comment on function private.report_days is
  'The days of a period that has today in it, on the clock of the room or location that is asked for, else of the organization, and those of the period before; or from one date to another, and as many days before. Asks for reports:read. Raises 403 permission_denied; 404 location_not_found, room_not_found; 422 period_invalid, date_range_invalid, date_range_too_long (details {"maximum"}).';

create function private.share_bp(part bigint, whole bigint)
returns int
language plpgsql
immutable
set search_path = ''
as $$
begin
  return round(part * 10000.0 / nullif(whole, 0));
end
$$;

comment on function private.share_bp is 'A part of a whole in basis points; null of nothing.';
