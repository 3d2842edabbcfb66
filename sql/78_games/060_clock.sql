-- Running a game: start, pause, resume, hints, the end, and results by hand.
--
-- Locks: the session first, as everywhere. So of two who start one game, the second waits, and is then told what is so.

create function private.session_to_run(organization_id uuid, session_id uuid, runs_any boolean)
returns public.sessions
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not runs_any then
    perform private.require_permission(session_to_run.organization_id, 'games:manage');
    -- An API key runs no game as its own: no member has its id.
    if not exists (
      select from public.session_staff as x
      where x.organization_id = session_to_run.organization_id
        and x.session_id = session_to_run.session_id
        and x.user_id = auth.uid()
    ) then
      perform private.require_permission(session_to_run.organization_id, 'games:run');
    end if;
  end if;
  return private.staffed_session(session_to_run.organization_id, session_to_run.session_id);
end
$$;

comment on function private.session_to_run is
  'The session, locked, for its game master with games:manage, or whoever runs any: the caller asks for games:run. Raises 403 permission_denied, 404 session_not_found, 409 session_not_open.';

create function private.refuse_finished_game(clock public.game_clock)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.fail(
    'game_finished', 409, 'Look at the game''s clock: it is over.',
    jsonb_build_object('state', clock.state, 'outcome', clock.outcome)
  );
end
$$;

comment on function private.refuse_finished_game is 'Raises 409 game_finished, details {"state", "outcome"}.';

create function private.refuse_in_state(clock public.game_clock)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if clock.state = 'finished' then
    perform private.refuse_finished_game(clock);
  end if;
  perform private.fail(
    'game_not_started', 409, 'Start the game first.', jsonb_build_object('state', clock.state, 'outcome', clock.outcome)
  );
end
$$;

comment on function private.refuse_in_state is
  'Raises 409 game_not_started or game_finished, details {"state", "outcome"}, for what only a game that is on can take.';

create function private.start_game(organization_id uuid, session_id uuid, override_reason text)
returns public.game_clock
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  session public.sessions := private.session_to_run(
    start_game.organization_id, start_game.session_id, private.has_permission(start_game.organization_id, 'games:run')
  );
  clock public.game_clock := private.game_clock(session, clock_timestamp());
  undone jsonb;
begin
  if clock.state = 'finished' then
    perform private.refuse_finished_game(clock);
  elsif clock.state <> 'ready' then
    return clock; -- it is on, whoever started it
  elsif length(private.clean_note(start_game.override_reason)) > 500 then
    perform private.fail('reason_too_long', 422, 'Give a reason of at most 500 characters.');
  elsif not private.is_reason(start_game.override_reason) then
    start_game.override_reason := null;
    select jsonb_agg(jsonb_build_object('item_id', e.item_id, 'session_id', e.session_id, 'title', e.title))
    into undone
    from unnest((private.checklist(session)).entries) as e
    where e.stops_start;
    if undone is not null then
      perform private.fail(
        'checklist_open', 409, 'Tick what is done, or say why the game starts without it.',
        jsonb_build_object('items', undone)
      );
    end if;
  end if;
  perform private.transition(b.organization_id, b.id, 'in_progress')
  from (
    select o.*
    from public.bookings as o
    where o.organization_id = session.organization_id and o.session_id = session.id and o.status = 'checked_in'
    order by o.created_at, o.id
  ) as b;
  if not exists (
    select from public.bookings as b
    where b.organization_id = session.organization_id and b.session_id = session.id and b.status = 'in_progress'
  ) then
    perform private.fail('party_not_checked_in', 409, 'Check in the party that is to play.');
  end if;
  perform private.add_game_event(session, 'started', note => start_game.override_reason);
  return private.game_clock(session, clock_timestamp(), true);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.start_game is 'definer: writes events and moves bookings, which no client may.';
grant execute on function private.start_game to authenticated;

create function public.start_game(organization_id uuid, session_id uuid, override_reason text default null)
returns public.game_clock
language sql
volatile
set search_path = ''
as $$ select private.start_game(organization_id, session_id, override_reason) $$;

comment on function public.start_game is
  'Starts the clock of a session for the parties that are checked in, whose visits are then in progress; a game that is on stays as it is (changed false, started_by says whose start it was). override_reason: starts with required items of the checklist open, and keeps why in game_events. For the session''s game master with games:manage, and members with games:run. Errors: 403 permission_denied, organization_suspended; 404 session_not_found; 409 session_not_open (cancelled or a block), party_not_checked_in, too_early (details {"opens_at"}), waiver_missing, checklist_open (details {"items": [{"item_id", "session_id", "title"}]}), game_finished (details {"state", "outcome"}); 422 reason_too_long.';
grant execute on function public.start_game to authenticated;

create function private.pause_game(organization_id uuid, session_id uuid)
returns public.game_clock
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  session public.sessions := private.session_to_run(
    pause_game.organization_id, pause_game.session_id, private.has_permission(pause_game.organization_id, 'games:run')
  );
  clock public.game_clock := private.game_clock(session, clock_timestamp());
begin
  if clock.state = 'paused' then
    return clock;
  elsif clock.state <> 'running' then
    perform private.refuse_in_state(clock);
  end if;
  perform private.add_game_event(session, 'paused');
  return private.game_clock(session, clock_timestamp(), true);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.pause_game is 'definer: writes events, which no client may.';
grant execute on function private.pause_game to authenticated;

create function public.pause_game(organization_id uuid, session_id uuid)
returns public.game_clock
language sql
volatile
set search_path = ''
as $$ select private.pause_game(organization_id, session_id) $$;

comment on function public.pause_game is
  'Lets the clock stand still; again, the same. For the session''s game master with games:manage, and members with games:run. Errors: 403 permission_denied, organization_suspended; 404 session_not_found; 409 session_not_open (cancelled or a block), game_not_started, game_finished (details {"state", "outcome"}).';
grant execute on function public.pause_game to authenticated;

create function private.resume_game(organization_id uuid, session_id uuid)
returns public.game_clock
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  session public.sessions := private.session_to_run(
    resume_game.organization_id, resume_game.session_id, private.has_permission(resume_game.organization_id, 'games:run')
  );
  clock public.game_clock := private.game_clock(session, clock_timestamp());
begin
  if clock.state = 'running' then
    return clock;
  elsif clock.state <> 'paused' then
    perform private.refuse_in_state(clock);
  end if;
  perform private.add_game_event(session, 'resumed');
  return private.game_clock(session, clock_timestamp(), true);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.resume_game is 'definer: writes events, which no client may.';
grant execute on function private.resume_game to authenticated;

create function public.resume_game(organization_id uuid, session_id uuid)
returns public.game_clock
language sql
volatile
set search_path = ''
as $$ select private.resume_game(organization_id, session_id) $$;

comment on function public.resume_game is
  'Lets a paused clock run on; again, the same. For the session''s game master with games:manage, and members with games:run. Errors: 403 permission_denied, organization_suspended; 404 session_not_found; 409 session_not_open (cancelled or a block), game_not_started, game_finished (details {"state", "outcome"}).';
grant execute on function public.resume_game to authenticated;

create function private.add_hint(organization_id uuid, session_id uuid, idempotency_key text, words text)
returns public.game_clock
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  session public.sessions := private.session_to_run(
    add_hint.organization_id, add_hint.session_id, private.has_permission(add_hint.organization_id, 'games:run')
  );
  scope text := add_hint.organization_id || ':add_hint';
  clock public.game_clock := private.game_clock(session, clock_timestamp());
begin
  if length(private.clean_note(add_hint.words)) > 500 then
    perform private.fail('note_too_long', 422, 'Write a hint of at most 500 characters.');
  elsif private.idempotent_begin(
    scope, add_hint.idempotency_key, jsonb_build_array(add_hint.session_id, add_hint.words)
  ) is not null then
    return clock; -- given already
  elsif clock.state not in ('running', 'paused') then
    perform private.refuse_in_state(clock);
  end if;
  perform private.add_game_event(session, 'hint', note => add_hint.words);
  return private.game_clock(session, clock_timestamp(), true);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.add_hint is 'definer: writes events, which no client may.';
grant execute on function private.add_hint to authenticated;

create function public.add_hint(organization_id uuid, session_id uuid, idempotency_key text, words text default '')
returns public.game_clock
language sql
volatile
set search_path = ''
as $$ select private.add_hint(organization_id, session_id, idempotency_key, words) $$;

comment on function public.add_hint is
  'Notes that the party was given a hint, with its words where they are of use; for a day the same key is one hint. For the session''s game master with games:manage, and members with games:run. Errors: 403 permission_denied, organization_suspended; 404 session_not_found; 409 session_not_open (cancelled or a block), game_not_started, game_finished (details {"state", "outcome"}); 422 note_too_long, idempotency_key_invalid, idempotency_key_reused.';
grant execute on function public.add_hint to authenticated;

create function private.check_outcome(outcome text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if check_outcome.outcome is null or check_outcome.outcome not in ('escaped', 'failed', 'aborted') then
    perform private.fail('outcome_invalid', 422, 'Choose escaped, failed or aborted.');
  end if;
end
$$;

comment on function private.check_outcome is 'Raises 422 outcome_invalid.';

create function private.check_result_words(team_name text, notes text, language text, level text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not private.is_name(private.clean_text(check_result_words.team_name), 60) then
    perform private.fail('team_name_invalid', 422, 'Give a name of 1 to 60 characters without a link, or none.');
  elsif length(private.clean_note(check_result_words.notes)) > 2000 then
    perform private.fail('note_too_long', 422, 'Write at most 2000 characters.');
  elsif check_result_words.language !~ '^[a-z]{2}$' then
    perform private.fail('language_invalid', 422, 'Give the language as two lower-case letters, such as es, or none.');
  elsif check_result_words.level not in ('easy', 'normal', 'hard', 'expert') then
    perform private.fail('level_invalid', 422, 'Choose easy, normal, hard, expert or none.');
  end if;
end
$$;

comment on function private.check_result_words is
  'Raises 422 team_name_invalid, note_too_long, language_invalid, level_invalid.';

create function private.finish_game(
  organization_id uuid,
  session_id uuid,
  outcome text,
  team_name text,
  notes text,
  language text,
  level text
)
returns public.game_clock
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  session public.sessions := private.session_to_run(
    finish_game.organization_id, finish_game.session_id, private.has_permission(finish_game.organization_id, 'games:run')
  );
  clock public.game_clock := private.game_clock(session, clock_timestamp());
  played uuid [];
begin
  perform private.check_outcome(finish_game.outcome);
  perform private.check_result_words(
    finish_game.team_name, finish_game.notes, finish_game.language, finish_game.level
  );
  if clock.state = 'finished' and clock.outcome = finish_game.outcome then
    return clock;
  elsif clock.state not in ('running', 'paused') then
    perform private.refuse_in_state(clock);
  end if;

  -- First: the time is the moment of asking, and what follows takes the game as ended.
  perform private.add_game_event(session, 'finished', finish_game.outcome);
  clock := private.game_clock(session, clock_timestamp(), true);
  if finish_game.outcome = 'escaped' and clock.elapsed_ms > clock.duration_ms then
    perform private.fail(
      'time_is_over', 409, 'Finish it as failed; who escaped in time all the same is corrected by hand.',
      jsonb_build_object('elapsed_ms', clock.elapsed_ms, 'duration_ms', clock.duration_ms)
    );
  end if;
  select array_agg(b.id order by b.created_at, b.id) into played
  from public.bookings as b
  where b.organization_id = session.organization_id
    and b.session_id = session.id
    and b.status in ('in_progress', 'completed');
  perform private.transition(session.organization_id, b.id, 'completed')
  from unnest(played) with ordinality as p (id, position)
  join public.bookings as b on b.organization_id = session.organization_id and b.id = p.id
  where b.status = 'in_progress';

  insert into public.game_results as r (
    organization_id, booking_id, session_id, room_id, played_at, duration_seconds, outcome, escape_seconds, pauses, hints,
    team_name, notes, language, level
  )
  select
    session.organization_id, p.id, session.id, session.room_id, clock.started_at, clock.duration_ms / 1000,
    finish_game.outcome,
    case finish_game.outcome when 'escaped' then greatest(clock.elapsed_ms / 1000, 1) end,
    clock.pauses, clock.hints,
    finish_game.team_name, coalesce(finish_game.notes, ''), finish_game.language, finish_game.level
  from unnest(played) as p (id)
  -- Of a party whose own visit was not taken back; what a person entered by hand stays.
  on conflict on constraint game_results_pkey do update
  set outcome = excluded.outcome,
    escape_seconds = excluded.escape_seconds,
    pauses = excluded.pauses,
    hints = excluded.hints
  where not r.is_by_hand;
  return private.game_clock(session, clock.server_time, true);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.finish_game is 'definer: writes events and results and moves bookings, which no client may.';
grant execute on function private.finish_game to authenticated;

create function public.finish_game(
  organization_id uuid,
  session_id uuid,
  outcome text,
  team_name text default null,
  notes text default '',
  language text default null,
  level text default null
)
returns public.game_clock
language sql
volatile
set search_path = ''
as $$ select private.finish_game(organization_id, session_id, outcome, team_name, notes, language, level) $$;

comment on function public.finish_game is
  'Stops the clock, completes the visits of the parties that play, as transition_booking does, and writes the result of each; the same outcome again changes nothing. outcome: escaped (while there is time left), failed or aborted; notes: for the staff; language: ISO 639-1; level: easy, normal, hard or expert. Team name, notes, language and level can be changed in game_results. For the session''s game master with games:manage, and members with games:run. Errors: 403 permission_denied, organization_suspended; 404 session_not_found; 409 session_not_open (cancelled or a block), game_not_started, game_finished (with another outcome, or without one; details {"state", "outcome"}), time_is_over (details {"elapsed_ms", "duration_ms"}); 422 outcome_invalid, team_name_invalid, note_too_long, language_invalid, level_invalid.';
grant execute on function public.finish_game to authenticated;

create function private.correct_game_result(
  organization_id uuid,
  booking_id uuid,
  outcome text,
  reason text,
  escape_seconds int,
  hints int
)
returns public.game_results
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
  session public.sessions;
  clock public.game_clock;
  known public.game_results;
begin
  perform private.require_permission(correct_game_result.organization_id, 'games:correct');
  -- Its row is answered.
  perform private.require_permission(correct_game_result.organization_id, 'games:read');
  perform private.check_outcome(correct_game_result.outcome);
  if not private.is_reason(correct_game_result.reason, 500) then
    perform private.fail('reason_missing', 422, 'Say in 1 to 500 characters why it is entered by hand.');
  elsif correct_game_result.hints not between 0 and 1000 then
    perform private.fail('hints_invalid', 422, 'Give 0 to 1000 hints, or none to leave them.');
  end if;
  booking := private.locked_booking(correct_game_result.organization_id, correct_game_result.booking_id);
  if booking.status <> 'completed' then
    perform private.fail('game_not_over', 409, 'Finish the game, or complete the visit, before its result is corrected.');
  end if;
  select s.* into session
  from public.sessions as s
  where s.organization_id = booking.organization_id and s.id = booking.session_id;
  clock := private.game_clock(session, clock_timestamp());
  if (correct_game_result.outcome = 'escaped') <> (correct_game_result.escape_seconds is not null)
    or correct_game_result.escape_seconds not between 1 and clock.duration_ms / 1000
  then
    perform private.fail(
      'escape_seconds_invalid', 422, 'Give the time of those who escaped, within the game''s duration, and of nobody else.',
      jsonb_build_object('minimum', 1, 'maximum', clock.duration_ms / 1000)
    );
  end if;
  insert into public.game_results as r (
    organization_id, booking_id, session_id, room_id, played_at, duration_seconds, outcome, escape_seconds, pauses, hints,
    is_by_hand, correction_reason
  )
  values (
    session.organization_id, booking.id, session.id, session.room_id, coalesce(clock.started_at, session.starts_at),
    clock.duration_ms / 1000, correct_game_result.outcome, correct_game_result.escape_seconds, clock.pauses,
    coalesce(correct_game_result.hints, clock.hints), true, correct_game_result.reason
  )
  on conflict on constraint game_results_pkey do update
  set outcome = excluded.outcome,
    escape_seconds = excluded.escape_seconds,
    hints = coalesce(correct_game_result.hints, r.hints),
    is_by_hand = true,
    correction_reason = excluded.correction_reason
  returning r.* into known;
  return known;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.correct_game_result is 'definer: writes outcomes and times, which no client may.';
grant execute on function private.correct_game_result to authenticated;

create function public.correct_game_result(
  organization_id uuid,
  booking_id uuid,
  outcome text,
  reason text,
  escape_seconds int default null,
  hints int default null
)
returns public.game_results
language sql
volatile
set search_path = ''
as $$ select private.correct_game_result(organization_id, booking_id, outcome, reason, escape_seconds, hints) $$;

comment on function public.correct_game_result is
  'Enters or changes the result of a completed visit by hand, with a reason, and marks it so (is_by_hand). outcome: escaped (with escape_seconds, within the game''s duration), failed or aborted; hints null: as they are. For members with games:correct and games:read. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 game_not_over; 422 outcome_invalid, reason_missing, hints_invalid, escape_seconds_invalid (details {"minimum", "maximum"}).';
grant execute on function public.correct_game_result to authenticated;

-- What the desk does to the visit, the clock follows: completed, or taken back.

create function private.follow_visit()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  session public.sessions;
  state text;
begin
  -- Most venues' visits end without a clock.
  if new.status <> 'completed' and not private.is_undo(old.status, new.status) or not exists (
    select from public.game_events as e
    where e.organization_id = new.organization_id and e.session_id = new.session_id
    union all
    select from public.game_results as r
    where r.organization_id = new.organization_id and r.booking_id = new.id
  ) then
    return null;
  end if;
  select s.* into session
  from public.sessions as s
  where s.organization_id = new.organization_id and s.id = new.session_id;
  state := (private.game_clock(session, clock_timestamp())).state;
  if new.status <> 'completed' then
    delete from public.game_results as r
    where r.organization_id = new.organization_id and r.booking_id = new.id;
  end if;
  if new.status = 'in_progress' then
    if state = 'finished' then
      perform private.add_game_event(session, 'reopened');
    end if;
  elsif new.status = 'completed' and state not in ('running', 'paused')
    or state = 'ready'
    or exists (
      select from public.bookings as b
      where b.organization_id = new.organization_id
        and b.session_id = new.session_id
        and (b.status = 'in_progress' or (b.status = 'completed' and new.status <> 'completed'))
    )
  then
    null; -- the clock says so already, or others play on
  else
    perform private.add_game_event(session, case new.status when 'completed' then 'finished' else 'withdrawn' end);
  end if;
  return null;
end
$$;

comment on function private.follow_visit is
  'Keeps clock and result true to the visits: the last one that is completed stops a clock that nobody stopped, without an outcome; one whose end is taken back has no result and the clock runs on; when the last start is taken back, the clock is as if it had never run.';

create trigger bookings_follow_visit
after update of status on public.bookings
for each row
when (
  old.status <> new.status
  and (new.status = 'completed' or old.status in ('in_progress', 'completed'))
)
execute function private.follow_visit();
