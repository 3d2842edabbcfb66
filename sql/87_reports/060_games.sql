-- Games: how they ended, and how long staff were with them. Each counts on the day of its session's start.

create type public.game_sums as (
  results bigint,
  escaped bigint,
  failed bigint,
  aborted bigint,
  escaped_bp int,
  average_escape_seconds int,
  median_escape_seconds int,
  hints bigint,
  games bigint,
  staff_minutes bigint,
  staff_minutes_per_game int
);

comment on type public.game_sums is 'The games of some days.';
comment on column public.game_sums.results is 'Parties whose result is known.';
comment on column public.game_sums.escaped is 'Those that escaped.';
comment on column public.game_sums.failed is 'Those that did not.';
comment on column public.game_sums.aborted is 'Those whose game was broken off.';
comment on column public.game_sums.escaped_bp is 'Escaped of escaped and failed, in basis points; null: there were none.';
comment on column public.game_sums.average_escape_seconds is 'Of those that escaped, rounded; null: none did.';
comment on column public.game_sums.median_escape_seconds is 'Of those that escaped, rounded; null: none did.';
comment on column public.game_sums.hints is 'How many hints they were given.';
comment on column public.game_sums.games is 'Sessions with a party that came: checked in, in progress or completed.';
comment on column public.game_sums.staff_minutes is
  'The time of those who were assigned to these games, turnaround included, each person''s for itself.';
comment on column public.game_sums.staff_minutes_per_game is 'Of each game, rounded; null: there were none.';

create type public.room_games as (
  room_id uuid,
  name text,
  location_id uuid,
  sums public.game_sums,
  previous public.game_sums
);

comment on type public.room_games is 'The games of a room.';
comment on column public.room_games.room_id is 'The room.';
comment on column public.room_games.name is 'As the venue calls it.';
comment on column public.room_games.location_id is 'Where it is.';
comment on column public.room_games.sums is 'Of the report''s days.';
comment on column public.room_games.previous is 'Of the days before.';

create type public.location_games as (
  location_id uuid,
  name text,
  sums public.game_sums,
  previous public.game_sums
);

comment on type public.location_games is 'The games of a location.';
comment on column public.location_games.location_id is 'The location.';
comment on column public.location_games.name is 'As the venue calls it.';
comment on column public.location_games.sums is 'Of the report''s days.';
comment on column public.location_games.previous is 'Of the days before.';

create type public.games_report as (
  from_date date,
  to_date date,
  previous_from_date date,
  previous_to_date date,
  total public.game_sums,
  previous public.game_sums,
  rooms public.room_games [],
  locations public.location_games []
);

comment on type public.games_report is 'The games of some days.';
comment on column public.games_report.from_date is 'First date, on the clock of each location.';
comment on column public.games_report.to_date is 'Last date.';
comment on column public.games_report.previous_from_date is 'First date of the days before.';
comment on column public.games_report.previous_to_date is 'Last date of the days before.';
comment on column public.games_report.total is 'Of these days.';
comment on column public.games_report.previous is 'Of the days before.';
comment on column public.games_report.rooms is 'By room: all that were asked for, by name.';
comment on column public.games_report.locations is 'By location, by name.';

create function private.get_games_report(
  organization_id uuid,
  period text,
  from_date date,
  to_date date,
  location_id uuid,
  room_id uuid
)
returns public.games_report
language plpgsql
stable
security definer
set jit = off
-- A plan for these very dates: one for any joins in loops what is many rows (occupancy of a month 212 ms instead of 47).
set plan_cache_mode = force_custom_plan
set search_path = ''
as $$
declare
  days private.report_days;
  answer public.games_report;
begin
  perform private.require_permission(get_games_report.organization_id, 'reports:read');
  days := private.report_days(
    get_games_report.organization_id, period, from_date, to_date, location_id, room_id, 366
  );
  with
  room as materialized (
    select r.*
    from private.report_rooms(get_games_report.organization_id, get_games_report.location_id, get_games_report.room_id) as r
  ),
  visit as materialized (
    select b.id, b.session_id, b.room_id, r.location_id, b.status, d.date >= days.from_date as is_now
    from public.bookings as b
    join room as r on r.id = b.room_id
    cross join lateral (select (b.starts_at at time zone r.timezone)::date as date offset 0) as d
    where b.organization_id = get_games_report.organization_id
      and b.starts_at >= days.from_at
      and b.starts_at < days.to_at
      and d.date between days.previous_from_date and days.to_date
  ),
  game as materialized (
    select distinct v.session_id, v.room_id, v.location_id, v.is_now
    from visit as v
    where v.status in ('checked_in', 'in_progress', 'completed')
  ),
  fact as materialized (
    select v.room_id, v.location_id, v.is_now, g.outcome, g.escape_seconds, g.hints, null::uuid as game, 0::numeric as staff
    from visit as v
    join public.game_results as g on g.organization_id = get_games_report.organization_id and g.booking_id = v.id
    union all
    select g.room_id, g.location_id, g.is_now, null, null, 0, g.session_id, coalesce((
      select sum(extract(epoch from upper(x.during) - lower(x.during)) / 60)
      from public.session_staff as x
      where x.organization_id = get_games_report.organization_id and x.session_id = g.session_id
    ), 0)
    from game as g
  ),
  sums as materialized (
    select
      grouping(f.room_id, f.location_id) as by, f.is_now, f.room_id, f.location_id,
      row(
        count(f.outcome), count(*) filter (where f.outcome = 'escaped'), count(*) filter (where f.outcome = 'failed'),
        count(*) filter (where f.outcome = 'aborted'),
        private.share_bp(
          count(*) filter (where f.outcome = 'escaped'), count(*) filter (where f.outcome in ('escaped', 'failed'))
        ),
        round(avg(f.escape_seconds)),
        round((percentile_cont(0.5) within group (order by f.escape_seconds))::numeric),
        sum(f.hints), count(f.game), round(sum(f.staff)), round(sum(f.staff) / nullif(count(f.game), 0))
      )::public.game_sums as sums
    from fact as f
    group by grouping sets ((f.is_now), (f.is_now, f.room_id), (f.is_now, f.location_id))
  ),
  nothing as (select row(0, 0, 0, 0, null, null, null, 0, 0, 0, null)::public.game_sums as sums)
  select
    days.from_date, days.to_date, days.previous_from_date, days.previous_to_date,
    coalesce((select s.sums from sums as s where s.by = 3 and s.is_now), n.sums),
    coalesce((select s.sums from sums as s where s.by = 3 and not s.is_now), n.sums),
    array(
      select row(r.id, r.name, r.location_id, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.room_games
      from room as r
      left join sums as s on s.by = 1 and s.is_now and s.room_id = r.id
      left join sums as p on p.by = 1 and not p.is_now and p.room_id = r.id
      order by r.name, r.id
    ),
    array(
      select row(r.location_id, r.location_name, coalesce(s.sums, n.sums), coalesce(p.sums, n.sums))::public.location_games
      from (select distinct x.location_id, x.location_name from room as x) as r
      left join sums as s on s.by = 2 and s.is_now and s.location_id = r.location_id
      left join sums as p on p.by = 2 and not p.is_now and p.location_id = r.location_id
      order by r.location_name, r.location_id
    )
  into answer
  from nothing as n;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_games_report is
  'definer: counts games and staff''s time in one pass, without the policy for each. Asks for reports:read.';
grant execute on function private.get_games_report to authenticated;

create function public.get_games_report(
  organization_id uuid,
  period text default null,
  from_date date default null,
  to_date date default null,
  location_id uuid default null,
  room_id uuid default null
)
returns public.games_report
language sql
stable
set search_path = ''
as $$ select private.get_games_report(organization_id, period, from_date, to_date, location_id, room_id) $$;

comment on function public.get_games_report is
  'The games of a period that has today in it (period: today, week, month, quarter or year; null: month), or from from_date to to_date, at most 366 days, each day on the clock of its location; with the period before, or as many days before: how they ended, how often parties escaped and how fast, and how long staff were with them. location_id, room_id: of it only. For members with reports:read. Errors: 403 permission_denied; 404 location_not_found, room_not_found; 422 period_invalid, date_range_invalid, date_range_too_long (details {"maximum"}).';
grant execute on function public.get_games_report to authenticated;
