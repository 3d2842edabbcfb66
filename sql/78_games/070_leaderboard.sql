-- The leaderboard: times of those who agreed to it, ranked within their room by percentile, so that rooms compare.

create function private.games_played(organization_id uuid, room_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select count(*)
    from public.game_results as r
    where r.organization_id = games_played.organization_id and r.room_id = games_played.room_id and r.outcome <> 'aborted'
  );
end
$$;

comment on function private.games_played is 'How many games of a room were played to an end.';

create function private.percentile_bp(result public.game_results, games bigint)
returns int
language plpgsql
stable
set search_path = ''
as $$
declare
  faster bigint;
  equal bigint;
begin
  if result.outcome <> 'escaped' then
    return null;
  elsif games = 1 then
    return 10000;
  end if;
  select
    count(*) filter (where r.escape_seconds < result.escape_seconds),
    count(*) filter (where r.escape_seconds = result.escape_seconds)
  into faster, equal
  from public.game_results as r
  where r.organization_id = result.organization_id
    and r.room_id = result.room_id
    and r.outcome <> 'aborted'
    and r.escape_seconds <= result.escape_seconds;
  -- Rounded down, so that nobody is told more than is true.
  return floor(10000 * ((games - faster - equal) + (equal - 1) / 2.0) / (games - 1))::int;
end
$$;

comment on function private.percentile_bp is
  'What share of the room''s other games, of so many in all, was slower than this one: those that failed included and aborted ones not; as fast ones count half. In hundredths of a percent, 10000 for the only game; null for whoever did not escape.';

create type public.leaderboard_entry as (
  rank int,
  room_id uuid,
  room_name text,
  team_name text,
  escape_seconds int,
  percentile_bp int,
  hints int,
  party_size int,
  played_on date
);

comment on type public.leaderboard_entry is 'A party that escaped and agreed to be shown.';
comment on column public.leaderboard_entry.rank is 'Its place in this list, from 1; as good ones share it.';
comment on column public.leaderboard_entry.room_id is 'The room.';
comment on column public.leaderboard_entry.room_name is 'As it is called.';
comment on column public.leaderboard_entry.team_name is 'As the venue approved it; null: the party gave none, or none was approved.';
comment on column public.leaderboard_entry.escape_seconds is 'How long it played, without pauses.';
comment on column public.leaderboard_entry.percentile_bp is
  'What share of the room''s other games was slower, in hundredths of a percent: 9950 is better than 99.5 %.';
comment on column public.leaderboard_entry.hints is 'How many it was given.';
comment on column public.leaderboard_entry.party_size is 'People.';
comment on column public.leaderboard_entry.played_on is 'On the venue''s clock.';

create type public.leaderboard as (
  entries public.leaderboard_entry []
);

comment on type public.leaderboard is 'The best of a venue.';
comment on column public.leaderboard.entries is 'The best first: of one room by time, of all by percentile.';

create function private.get_leaderboard(slug text, room_id uuid, max_rows int)
returns public.leaderboard
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(get_leaderboard.slug);
  wanted int := least(greatest(coalesce(get_leaderboard.max_rows, 50), 1), 100);
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  if get_leaderboard.room_id is not null then
    perform private.public_room(calendar, get_leaderboard.room_id);
  end if;
  return (
    with
    best as (
      select
        t.result,
        private.room_name(r, calendar.locales[1]) as room_name,
        l.timezone,
        private.percentile_bp(t.result, played.games) as percentile_bp
      from public.calendar_rooms as cr
      join public.rooms as r
        on r.organization_id = cr.organization_id and r.id = cr.room_id and r.is_published and not r.is_archived
      join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
      cross join lateral (select private.games_played(r.organization_id, r.id) as games offset 0) as played
      cross join lateral (
        select g as result
        from public.game_results as g
        where g.organization_id = r.organization_id and g.room_id = r.id and g.is_public and g.outcome = 'escaped'
        order by g.escape_seconds, g.played_at
        limit wanted
      ) as t
      where cr.organization_id = calendar.organization_id
        and cr.calendar_id = calendar.id
        and (get_leaderboard.room_id is null or r.id = get_leaderboard.room_id)
    ),
    ranked as (
      select
        b.*,
        rank() over (
          order by
            b.percentile_bp desc,
            case when get_leaderboard.room_id is not null then (b.result).escape_seconds end
        )::int as rank
      from best as b
    )
    select row(
      coalesce(
        array_agg(
          row(
            x.rank, (x.result).room_id, x.room_name,
            case (x.result).name_status when 'approved' then (x.result).team_name end,
            (x.result).escape_seconds, x.percentile_bp, (x.result).hints, b.party_size,
            ((x.result).played_at at time zone x.timezone)::date
          )::public.leaderboard_entry
          order by x.rank, (x.result).escape_seconds, (x.result).played_at
        ),
        '{}'
      )
    )::public.leaderboard
    from (
      select k.*
      from ranked as k
      order by k.rank, (k.result).escape_seconds, (k.result).played_at
      limit wanted
    ) as x
    join public.bookings as b
      on b.organization_id = (x.result).organization_id and b.id = (x.result).booking_id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_leaderboard is 'definer: shows visitors, who may read no table, the results of those who agreed to it.';
grant execute on function private.get_leaderboard to anon, authenticated;

create function public.get_leaderboard(slug text, room_id uuid default null, max_rows int default 50)
returns public.leaderboard
language sql
volatile
set search_path = ''
as $$ select private.get_leaderboard(slug, room_id, max_rows) $$;

comment on function public.get_leaderboard is
  'The best games of a room that a public calendar offers, or of all of them: only of parties that agreed to it, 1 to 100. Within a room by time, across rooms by percentile_bp, which counts all of the room''s games. For anybody. Errors: 404 calendar_not_found, room_not_found; 429 rate_limited.';
grant execute on function public.get_leaderboard to anon, authenticated;

-- What the party sees of it, and says.

create type public.party_result as (
  outcome text,
  escape_seconds int,
  duration_seconds int,
  hints int,
  percentile_bp int,
  team_name text,
  name_status text,
  is_public boolean
);

comment on type public.party_result is 'How a party''s game ended, for whoever holds its booking''s link.';
comment on column public.party_result.outcome is 'one of game_results.outcome';
comment on column public.party_result.escape_seconds is 'How long it played, without pauses; null unless it escaped.';
comment on column public.party_result.duration_seconds is 'How long it had.';
comment on column public.party_result.hints is 'How many it was given.';
comment on column public.party_result.percentile_bp is
  'What share of the room''s other games was slower, in hundredths of a percent; null unless it escaped.';
comment on column public.party_result.team_name is 'What it calls itself; null: it did not say.';
comment on column public.party_result.name_status is 'one of game_results.name_status';
comment on column public.party_result.is_public is 'Whether it agreed to stand on the leaderboard.';

create function private.party_result(booking public.bookings)
returns public.party_result
language plpgsql
stable
set search_path = ''
as $$
declare
  result public.game_results;
begin
  select r.* into result
  from public.game_results as r
  where r.organization_id = booking.organization_id and r.booking_id = booking.id;
  if not found then
    perform private.fail('game_not_over', 409, 'Come back when the game is over.');
  end if;
  return row(
    result.outcome, result.escape_seconds, result.duration_seconds, result.hints,
    private.percentile_bp(result, private.games_played(result.organization_id, result.room_id)),
    result.team_name, result.name_status, result.is_public
  )::public.party_result;
end
$$;

comment on function private.party_result is 'A booking''s result as its party sees it. Raises 409 game_not_over.';

create function private.get_game_result(reference text, manage_token text)
returns public.party_result
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(get_game_result.reference, get_game_result.manage_token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return private.party_result(booking);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_game_result is 'definer: shows a result to whoever holds the booking''s manage token.';
grant execute on function private.get_game_result to anon, authenticated;

create function public.get_game_result(reference text, manage_token text)
returns public.party_result
language sql
volatile
set search_path = ''
as $$ select private.get_game_result(reference, manage_token) $$;

comment on function public.get_game_result is
  'How the game of a booking ended, for whoever holds its manage token. For anybody. Errors: 404 booking_not_found; 409 game_not_over (or nobody wrote down how it ended); 429 rate_limited.';
grant execute on function public.get_game_result to anon, authenticated;

create function private.lock_customer_of(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- An erasure at this moment comes before, and is seen, or after, and takes what is written now.
  perform from public.customers as c
  where c.organization_id = booking.organization_id and c.id = booking.customer_id and c.erased_at is null
  for share;
  if not found then
    perform private.fail('customer_erased', 409, 'Nothing more is written of who was erased.');
  end if;
end
$$;

comment on function private.lock_customer_of is
  'Keeps the booking''s customer from being erased until the transaction ends. Raises 409 customer_erased: an old link brings nothing back.';

create function private.publish_game_result(reference text, manage_token text, is_public boolean, team_name text)
returns public.party_result
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(publish_game_result.reference, publish_game_result.manage_token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  if not private.is_typed_name(private.clean_text(publish_game_result.team_name), 60) then
    perform private.fail('team_name_invalid', 422, 'Give a name of 1 to 60 characters without a link, or none.');
  end if;
  perform private.lock_customer_of(booking);
  perform private.act_as('customer', booking.customer_id);
  -- The booking first, as everywhere: what programs are told of a booking has an order.
  perform from public.bookings as b
  where b.organization_id = booking.organization_id and b.id = booking.id
  for no key update;
  update public.game_results as r
  set is_public = coalesce(publish_game_result.is_public, r.is_public),
    consented_at = case
      when coalesce(publish_game_result.is_public, r.is_public) then coalesce(r.consented_at, now())
    end,
    team_name = coalesce(publish_game_result.team_name, r.team_name)
  where r.organization_id = booking.organization_id and r.booking_id = booking.id;
  return private.party_result(booking);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.publish_game_result is 'definer: writes what the holder of a booking''s manage token says of its result.';
grant execute on function private.publish_game_result to anon, authenticated;

create function public.publish_game_result(
  reference text,
  manage_token text,
  is_public boolean,
  team_name text default null
)
returns public.party_result
language sql
volatile
set search_path = ''
as $$ select private.publish_game_result(reference, manage_token, is_public, team_name) $$;

comment on function public.publish_game_result is
  'The party agrees that its time and its team name stand on the leaderboard, or (is_public false) withdraws it, which holds at once; again, the same. team_name: what it calls itself, shown once the venue approved it; null leaves the name. For anybody with the booking''s manage token. Errors: 404 booking_not_found; 409 game_not_over, customer_erased (of one who was erased nothing more is written); 422 team_name_invalid; 429 rate_limited.';
grant execute on function public.publish_game_result to anon, authenticated;

create function private.moderate_team_name(organization_id uuid, booking_id uuid, team_name text, name_status text)
returns public.game_results
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  result public.game_results;
begin
  perform private.require_permission(moderate_team_name.organization_id, 'games:moderate');
  -- Its row is answered.
  perform private.require_permission(moderate_team_name.organization_id, 'games:read');
  if moderate_team_name.name_status is null or moderate_team_name.name_status not in ('pending', 'approved', 'rejected') then
    perform private.fail('status_invalid', 422, 'Choose pending, approved or rejected.');
  end if;
  update public.game_results as r
  set name_status = moderate_team_name.name_status
  where r.organization_id = moderate_team_name.organization_id
    and r.booking_id = moderate_team_name.booking_id
    and r.team_name = moderate_team_name.team_name
  returning r.* into result;
  if not found then
    perform private.fail('team_name_changed', 409, 'Look at the result again: the team has another name, or none.');
  end if;
  return result;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.moderate_team_name is 'definer: says of a name what its party may not.';
grant execute on function private.moderate_team_name to authenticated;

create function public.moderate_team_name(organization_id uuid, booking_id uuid, team_name text, name_status text)
returns public.game_results
language sql
volatile
set search_path = ''
as $$ select private.moderate_team_name(organization_id, booking_id, team_name, name_status) $$;

comment on function public.moderate_team_name is
  'Says of a team name whether the public may see it: approved, rejected or pending; again, the same. team_name: the name that was looked at. For members with games:moderate and games:read. Errors: 403 permission_denied, organization_suspended; 409 team_name_changed (also where there is no such result); 422 status_invalid.';
grant execute on function public.moderate_team_name to authenticated;
