-- Results: how a party's game ended, a row a booking. Written when the clock is stopped, or by hand with a reason.

create table public.game_results (
  organization_id uuid not null,
  booking_id uuid not null,
  session_id uuid not null,
  room_id uuid not null,
  played_at timestamptz not null,
  duration_seconds int not null,
  outcome text not null,
  escape_seconds int,
  pauses int not null default 0,
  hints int not null default 0,
  team_name text,
  name_status text not null default 'pending',
  is_public boolean not null default false,
  consented_at timestamptz,
  notes text not null default '',
  language text,
  level text,
  is_by_hand boolean not null default false,
  correction_reason text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint game_results_pkey primary key (organization_id, booking_id),
  constraint game_results_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint game_results_session_fkey foreign key (organization_id, session_id)
  references public.sessions (organization_id, id) on delete cascade,
  constraint game_results_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete restrict,
  constraint game_results_outcome_is_known check (outcome in ('escaped', 'failed', 'aborted')),
  constraint game_results_time_is_of_those_who_escaped check ((outcome = 'escaped') = (escape_seconds is not null)),
  constraint game_results_time_is_within_the_game check (escape_seconds between 1 and duration_seconds),
  constraint game_results_counts_are_not_negative check (pauses >= 0 and hints between 0 and 1000),
  constraint game_results_team_name_is_a_name check (private.is_name(team_name, 60)),
  constraint game_results_name_status_is_known check (name_status in ('pending', 'approved', 'rejected')),
  constraint game_results_consent_has_its_time check (is_public = (consented_at is not null)),
  constraint game_results_notes_are_a_text check (private.is_text(notes, 2000)),
  constraint game_results_language_has_the_form_of_a_code check (language ~ '^[a-z]{2}$'),
  constraint game_results_level_is_known check (level in ('easy', 'normal', 'hard', 'expert')),
  constraint game_results_correction_reason_is_a_text check (private.is_text(correction_reason, 500))
);

comment on table public.game_results is
  'How the game of a party ended. A booking whose end is taken back has none until its game ends again.';
comment on column public.game_results.played_at is 'When the clock was started; the session''s start where it never was.';
comment on column public.game_results.duration_seconds is 'How long the party had to play, without pauses.';
comment on column public.game_results.outcome is 'escaped, failed or aborted.';
comment on column public.game_results.escape_seconds is
  'How long those who escaped played: whole seconds, rounded down, without pauses. Null for everybody else.';
comment on column public.game_results.pauses is 'How often the clock was paused.';
comment on column public.game_results.hints is 'How many hints the party was given.';
comment on column public.game_results.team_name is 'What the party calls itself; null: it did not say.';
comment on column public.game_results.name_status is
  'pending, approved or rejected by whoever moderates: only an approved name is shown to the public. Another name is pending again.';
comment on column public.game_results.is_public is
  'Whether the party agreed, by its booking''s link, that its time and name stand on the leaderboard; it may withdraw that there.';
comment on column public.game_results.consented_at is 'When it agreed; null: it has not, or has withdrawn it.';
comment on column public.game_results.notes is 'For the staff only.';
comment on column public.game_results.language is 'In which it was played: ISO 639-1; null: nobody said.';
comment on column public.game_results.level is 'easy, normal, hard or expert; null: the room has none, or nobody said.';
comment on column public.game_results.is_by_hand is 'Whether a person entered or changed outcome, time or hints: correct_game_result. The clock did not say it.';
comment on column public.game_results.correction_reason is 'Why; empty for what the clock says.';

-- for: the results of a session's clock, and the foreign key
create index game_results_session_id_idx on public.game_results (organization_id, session_id);
-- for: the results of a room, newest first, and the foreign key
create index game_results_room_id_idx on public.game_results (organization_id, room_id, played_at);
-- for: how many of a room's games were slower or faster than one (private.percentile_bp)
create index game_results_times_idx on public.game_results (organization_id, room_id, escape_seconds)
where outcome <> 'aborted';
-- for: the best of a room that may be shown (private.get_leaderboard)
create index game_results_public_idx on public.game_results (organization_id, room_id, escape_seconds)
where is_public and outcome = 'escaped';

grant select on public.game_results to authenticated;
grant update (team_name, notes, language, level) on public.game_results to authenticated;

alter table public.game_results enable row level security;

create trigger game_results_clean_names
before insert or update of team_name on public.game_results
for each row execute function private.clean_texts('names', 'team_name');

create trigger game_results_clean_notes
before insert or update of notes, correction_reason on public.game_results
for each row execute function private.clean_texts('notes', 'notes', 'correction_reason');

create function private.moderate_anew()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.name_status := 'pending';
  return new;
end
$$;

comment on function private.moderate_anew is 'What somebody approved was the name that it had.';

-- By its name after the trigger that cleans: the same name with a space is the same.
create trigger game_results_moderate_anew
before update of team_name on public.game_results
for each row
when (old.team_name is distinct from new.team_name)
execute function private.moderate_anew();

create policy game_results_select on public.game_results
for select to authenticated
using (organization_id = (select private.organization_with('games:read')));

create policy game_results_update on public.game_results
for update to authenticated
using (organization_id = (select private.organization_with('games:manage')))
with check (organization_id = (select private.organization_with('games:manage')));

create function private.keep_results_of_others()
returns trigger
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if private.has_permission(new.organization_id, 'games:run') or exists (
    select from public.session_staff as x
    where x.organization_id = new.organization_id and x.session_id = new.session_id and x.user_id = auth.uid()
  ) then
    return new;
  end if;
  -- No row is changed, as where a policy shows none.
  return null;
end
$$;

comment on function private.keep_results_of_others is
  'definer: reads who ran the session, whatever the caller sees of it. Whoever has games:manage writes about the games that they ran themselves, and of others with games:run; other rows stay as they are, as under a policy.';

-- A client's own write; what functions write has been asked for there.
create trigger game_results_keep_results_of_others
before update of team_name, notes, language, level on public.game_results
for each row when (current_user = 'authenticated')
execute function private.keep_results_of_others();

create trigger game_results_touch_updated_at
before update on public.game_results
for each row execute function private.touch_updated_at();

insert into private.personal_columns (relation, column_name, erased, is_address)
values
('public.game_results', 'team_name', 'null', false),
('public.game_results', 'notes', '""', false),
-- Nobody is left who could withdraw it.
('public.game_results', 'is_public', 'false', false),
('public.game_results', 'consented_at', 'null', false),
('public.game_results', 'correction_reason', '""', false)
on conflict (relation, column_name) do update
set erased = excluded.erased,
  is_address = excluded.is_address;
