-- What happened in a game, row by row, and the clock that is read from it: time played and left, pauses and hints
-- are computed from the instants, so nobody can type them, and all screens show the same.

create table public.game_events (
  organization_id uuid not null,
  session_id uuid not null,
  position int not null,
  kind text not null,
  occurred_at timestamptz not null,
  actor_kind text not null,
  actor_id uuid,
  duration_seconds int,
  outcome text,
  note text not null default '',
  constraint game_events_pkey primary key (organization_id, session_id, position),
  constraint game_events_session_fkey foreign key (organization_id, session_id)
  references public.sessions (organization_id, id) on delete cascade,
  constraint game_events_position_is_positive check (position > 0),
  constraint game_events_kind_is_known check (
    kind in ('started', 'paused', 'resumed', 'hint', 'finished', 'reopened', 'withdrawn')
  ),
  constraint game_events_start_says_how_long check ((kind = 'started') = (duration_seconds is not null)),
  constraint game_events_outcome_ends_a_game check (outcome is null or kind = 'finished'),
  constraint game_events_outcome_is_known check (outcome in ('escaped', 'failed', 'aborted')),
  constraint game_events_note_is_a_text check (private.is_text(note, 500))
);

comment on table public.game_events is
  'What happened in a session''s game, who did it and when; only ever added to, by functions. get_game_clock computes from it.';
comment on column public.game_events.position is 'Order within the session, from 1.';
comment on column public.game_events.kind is
  'started, paused, resumed, hint, finished; reopened (the end was taken back), withdrawn (the start was: what is before it counts no more).';
comment on column public.game_events.occurred_at is 'By the database''s clock, never before the row that precedes it.';
comment on column public.game_events.actor_kind is 'user, api_key, support, service, customer or system.';
comment on column public.game_events.duration_seconds is 'Of a start, how long the session gives to play.';
comment on column public.game_events.outcome is 'Of an end: escaped, failed or aborted; null where the visit was completed and nobody stopped the clock.';
comment on column public.game_events.note is 'Of a hint, its words; of a start, why it did not wait for the checklist. Empty for others.';

grant select on public.game_events to authenticated;

alter table public.game_events enable row level security;

create trigger game_events_clean_notes
before insert or update of note on public.game_events
for each row execute function private.clean_texts('notes', 'note');

create policy game_events_select on public.game_events
for select to authenticated
using (organization_id = (select private.organization_with('games:read')));

create function private.add_game_event(
  session public.sessions,
  kind text,
  outcome text default null,
  note text default null
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  actor jsonb := private.current_actor();
begin
  insert into public.game_events (
    organization_id, session_id, position, kind, occurred_at, actor_kind, actor_id, duration_seconds, outcome, note
  )
  select
    session.organization_id,
    session.id,
    coalesce(max(e.position), 0) + 1,
    add_game_event.kind,
    -- A server's clock may be set back; a game's does not run backwards.
    greatest(clock_timestamp(), max(e.occurred_at)),
    actor ->> 'kind',
    (actor ->> 'id')::uuid,
    case add_game_event.kind
      when 'started' then extract(epoch from session.ends_at - session.starts_at)::int
    end,
    add_game_event.outcome,
    coalesce(add_game_event.note, '')
  from public.game_events as e
  where e.organization_id = session.organization_id and e.session_id = session.id;
end
$$;

comment on function private.add_game_event is 'Writes down what happens now in the game of a locked session.';

create type public.game_clock as (
  session_id uuid,
  state text,
  server_time timestamptz,
  started_at timestamptz,
  started_by uuid,
  finished_at timestamptz,
  duration_ms bigint,
  elapsed_ms bigint,
  remaining_ms bigint,
  paused_ms bigint,
  pauses int,
  hints int,
  outcome text,
  results public.game_results [],
  changed boolean
);

comment on type public.game_clock is 'A session''s game at a moment of the database''s clock.';
comment on column public.game_clock.session_id is 'Of the session.';
comment on column public.game_clock.state is 'one of: ready, running, paused, finished';
comment on column public.game_clock.server_time is 'The moment for which all of this holds: a screen counts on from it.';
comment on column public.game_clock.started_at is 'Of the start that counts; null until it starts.';
comment on column public.game_clock.started_by is 'The account that started it, or the API key; null until it starts.';
comment on column public.game_clock.finished_at is 'Of the end; null until it ends.';
comment on column public.game_clock.duration_ms is 'How long the party has to play, without pauses.';
comment on column public.game_clock.elapsed_ms is 'How long it has played, without pauses; goes on after duration_ms.';
comment on column public.game_clock.remaining_ms is 'How much of it is left; 0 when the time is over.';
comment on column public.game_clock.paused_ms is 'How long the clock stood still between start and end.';
comment on column public.game_clock.pauses is 'How often it was paused.';
comment on column public.game_clock.hints is 'How many hints were given.';
comment on column public.game_clock.outcome is
  'one of game_results.outcome; null until it ends, and where the visit was completed without stopping the clock';
comment on column public.game_clock.results is 'Of its parties, as far as there are; the outcome is theirs unless corrected. None without games:read.';
comment on column public.game_clock.changed is 'Whether this request made it so; false: it was so already, or nothing was asked for.';

create function private.game_clock(session public.sessions, at timestamptz, changed boolean default false)
returns public.game_clock
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    with
    -- Of the present start only, and without an end that was taken back.
    told as materialized (
      select e.*
      from public.game_events as e
      where e.organization_id = session.organization_id
        and e.session_id = session.id
        and e.kind <> 'reopened'
        and not exists (
          select from public.game_events as later
          where later.organization_id = e.organization_id
            and later.session_id = e.session_id
            and later.position > e.position
            and (later.kind = 'withdrawn' or (later.kind = 'reopened' and e.kind = 'finished'))
        )
        and e.kind <> 'withdrawn'
    ),
    span as (
      select
        t.kind,
        coalesce(
          lead(t.occurred_at) over (order by t.position), greatest(game_clock.at, t.occurred_at)
        ) - t.occurred_at as lasted
      from told as t
      where t.kind <> 'hint'
    ),
    sums as (
      select
        coalesce(floor(1000 * extract(epoch from sum(s.lasted) filter (where s.kind in ('started', 'resumed')))), 0)::bigint
          as elapsed_ms,
        coalesce(floor(1000 * extract(epoch from sum(s.lasted) filter (where s.kind = 'paused'))), 0)::bigint as paused_ms,
        count(*) filter (where s.kind = 'paused')::int as pauses
      from span as s
    ),
    first as (select t.* from told as t where t.kind = 'started'),
    last as (select t.* from told as t where t.kind <> 'hint' order by t.position desc limit 1)
    select row(
      session.id,
      case l.kind
        when 'started' then 'running'
        when 'resumed' then 'running'
        when 'paused' then 'paused'
        when 'finished' then 'finished'
        else 'ready'
      end,
      game_clock.at,
      f.occurred_at,
      f.actor_id,
      case l.kind when 'finished' then l.occurred_at end,
      length.ms,
      s.elapsed_ms,
      greatest(length.ms - s.elapsed_ms, 0),
      s.paused_ms,
      s.pauses,
      (select count(*)::int from told as t where t.kind = 'hint'),
      l.outcome,
      array(
        select r
        from public.game_results as r
        where r.organization_id = session.organization_id
          and r.session_id = session.id
          -- By the row, so that it is asked only where there is one.
          and private.has_permission(r.organization_id, 'games:read')
        order by r.booking_id
      ),
      game_clock.changed
    )::public.game_clock
    from sums as s
    left join first as f on true
    left join last as l on true
    cross join lateral (
      select 1000 * coalesce(
        f.duration_seconds::bigint, extract(epoch from session.ends_at - session.starts_at)::bigint
      ) as ms
    ) as length
  );
end
$$;

comment on function private.game_clock is
  'The clock of a session''s game at an instant that is not before what happened last, from its events.';

create function private.get_game_clock(organization_id uuid, session_id uuid)
returns public.game_clock
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  session public.sessions;
begin
  perform private.require_permission(get_game_clock.organization_id, 'games:read');
  select s.* into session
  from public.sessions as s
  where s.organization_id = get_game_clock.organization_id and s.id = get_game_clock.session_id and s.mode <> 'block';
  if not found then
    perform private.fail('session_not_found', 404, 'Choose one of the organization''s sessions.');
  end if;
  return private.game_clock(session, clock_timestamp());
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_game_clock is 'definer: reads the session of an organization that the caller names, under games:read alone.';
grant execute on function private.get_game_clock to authenticated;

create function public.get_game_clock(organization_id uuid, session_id uuid)
returns public.game_clock
language sql
stable
set search_path = ''
as $$ select private.get_game_clock(organization_id, session_id) $$;

comment on function public.get_game_clock is
  'The clock of a session''s game as every screen shows it, with the moment for which it holds. For members with games:read. Errors: 403 permission_denied; 404 session_not_found (also for a block).';
grant execute on function public.get_game_clock to authenticated;
