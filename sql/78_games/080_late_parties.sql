-- Late parties: who says by the booking's link that they are late is given a later start, as long as the room's turnaround
-- allows it and nobody else is harmed, or a shorter game.

create table public.late_arrivals (
  organization_id uuid not null,
  -- A key of its own: PostgREST would take one of booking and session for a way from one to the other.
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  session_id uuid not null,
  minutes int not null,
  outcome text not null,
  agreed_starts_at timestamptz not null,
  agreed_ends_at timestamptz not null,
  agreed_until timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint late_arrivals_pkey primary key (organization_id, id),
  -- Also the index for: the foreign key to the booking.
  constraint late_arrivals_booking_key unique (organization_id, booking_id, session_id),
  constraint late_arrivals_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint late_arrivals_session_fkey foreign key (organization_id, session_id)
  references public.sessions (organization_id, id) on delete cascade,
  constraint late_arrivals_minutes_are_at_most_two_hours check (minutes between 1 and 120),
  constraint late_arrivals_outcome_is_known check (outcome in ('shifted', 'shorter_offered', 'shortened', 'noted'))
);

comment on table public.late_arrivals is 'That a party said it is late for a session, and what came of it. Written by announce_late.';
comment on column public.late_arrivals.minutes is 'How much later than agreed it comes.';
comment on column public.late_arrivals.outcome is
  'shifted (all of the game is later), shorter_offered (the party has not said yet), shortened (the game is later and shorter), noted (others play too: it starts without them).';
comment on column public.late_arrivals.agreed_starts_at is 'When the game was to start before anybody was late.';
comment on column public.late_arrivals.agreed_ends_at is 'When it was to end.';
comment on column public.late_arrivals.agreed_until is 'Until when the room was to be busy, turnaround included.';

-- for: the foreign key
create index late_arrivals_session_id_idx on public.late_arrivals (organization_id, session_id);

grant select on public.late_arrivals to authenticated;

alter table public.late_arrivals enable row level security;

create policy late_arrivals_select on public.late_arrivals
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create trigger late_arrivals_touch_updated_at
before update on public.late_arrivals
for each row execute function private.touch_updated_at();

create function private.retime_session(
  session public.sessions,
  starts_at timestamptz,
  ends_at timestamptz,
  occupied_until timestamptz
)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  wanted tstzrange := tstzrange(retime_session.starts_at, retime_session.occupied_until);
begin
  -- A game master who has to be elsewhere by then would be released: that harms somebody.
  if exists (
    select
    from public.session_staff as mine
    join public.session_staff as other
      on other.organization_id = mine.organization_id
      and other.user_id = mine.user_id
      and other.session_id <> mine.session_id
      and other.during && wanted
    where mine.organization_id = session.organization_id and mine.session_id = session.id
  ) or exists (
    select from public.sessions as s
    where s.organization_id = session.organization_id
      and s.room_id = session.room_id
      and s.id <> session.id
      and s.status <> 'cancelled'
      and s.during && wanted
  ) then
    return false;
  end if;
  update public.sessions as s
  set starts_at = retime_session.starts_at,
    ends_at = retime_session.ends_at,
    occupied_until = retime_session.occupied_until
  where s.organization_id = session.organization_id and s.id = session.id;
  return true;
exception
  when exclusion_violation then
    return false; -- taken at this very moment
end
$$;

comment on function private.retime_session is
  'Moves a session in its room if neither another session nor its game master''s other work is in the way, and says whether it did. The caller holds the room''s lock and the session.';

create type public.late_arrival as (
  minutes int,
  outcome text,
  starts_at timestamptz,
  ends_at timestamptz,
  offered_starts_at timestamptz,
  offered_ends_at timestamptz
);

comment on type public.late_arrival is 'What a party that is late can count on.';
comment on column public.late_arrival.minutes is 'How much later it comes.';
comment on column public.late_arrival.outcome is 'one of late_arrivals.outcome';
comment on column public.late_arrival.starts_at is 'When the game starts as it stands.';
comment on column public.late_arrival.ends_at is 'When it ends as it stands.';
comment on column public.late_arrival.offered_starts_at is 'When the shorter game would start; null unless it is offered.';
comment on column public.late_arrival.offered_ends_at is 'When the shorter game would end; null unless it is offered.';

create function private.announce_late(reference text, manage_token text, minutes int, accept_shorter boolean)
returns public.late_arrival
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(announce_late.reference, announce_late.manage_token);
  session public.sessions;
  late public.late_arrivals;
  opens_at timestamptz;
  shift interval;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  if announce_late.minutes is null or announce_late.minutes not between 1 and 120 then
    perform private.fail(
      'minutes_invalid', 422, 'Say by 1 to 120 minutes how late you are, or move the booking.',
      jsonb_build_object('minimum', 1, 'maximum', 120)
    );
  end if;
  booking := private.locked_for_change(booking.organization_id, booking.id, null);
  select s.* into session
  from public.sessions as s
  where s.organization_id = booking.organization_id and s.id = booking.session_id;
  select session.starts_at - make_interval(hours => l.check_in_hours) into opens_at
  from public.rooms as r
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where r.organization_id = session.organization_id and r.id = session.room_id;
  if booking.status <> 'confirmed' or now() < opens_at or session.ends_at <= now()
    or private.venue_is_closed(booking.organization_id)
  then
    perform private.fail('late_not_possible', 409, 'Say so on the day, before the party is there; otherwise call the venue.');
  end if;
  -- Before the session is moved: that is the customer's deed, too, whoever is signed in.
  perform private.act_as('customer', booking.customer_id);

  select k.* into late
  from public.late_arrivals as k
  where k.organization_id = booking.organization_id and k.booking_id = booking.id and k.session_id = session.id;
  if not found then
    late.organization_id := booking.organization_id;
    late.booking_id := booking.id;
    late.session_id := session.id;
    late.agreed_starts_at := session.starts_at;
    late.agreed_ends_at := session.ends_at;
    late.agreed_until := session.occupied_until;
  end if;
  late.minutes := announce_late.minutes;
  shift := make_interval(mins => announce_late.minutes);
  late.outcome := case
    when exists (
      select from public.bookings as b
      where b.organization_id = booking.organization_id
        and b.session_id = session.id
        and b.id <> booking.id
        and b.takes_capacity
    ) then 'noted'
    -- It has been given that time already, or more: nothing is taken back.
    when session.starts_at >= late.agreed_starts_at + shift then case
      when session.ends_at - session.starts_at < late.agreed_ends_at - late.agreed_starts_at then 'shortened'
      else 'shifted'
    end
    when late.agreed_ends_at + shift <= late.agreed_until and (
      private.retime_session(
        session, late.agreed_starts_at + shift, late.agreed_ends_at + shift, late.agreed_until + shift
      )
      or private.retime_session(session, late.agreed_starts_at + shift, late.agreed_ends_at + shift, late.agreed_until)
    ) then 'shifted'
    when late.agreed_until - (late.agreed_starts_at + shift) < (late.agreed_ends_at - late.agreed_starts_at) / 2
      then 'noted'
    when announce_late.accept_shorter and private.retime_session(
      session, late.agreed_starts_at + shift, late.agreed_until, late.agreed_until
    ) then 'shortened'
    else 'shorter_offered'
  end;

  insert into public.late_arrivals as k (
    organization_id, booking_id, session_id, minutes, outcome, agreed_starts_at, agreed_ends_at, agreed_until
  )
  select late.organization_id, late.booking_id, late.session_id, late.minutes, late.outcome,
    late.agreed_starts_at, late.agreed_ends_at, late.agreed_until
  on conflict on constraint late_arrivals_booking_key do update
  set minutes = excluded.minutes, outcome = excluded.outcome;
  select s.* into session
  from public.sessions as s
  where s.organization_id = booking.organization_id and s.id = booking.session_id;
  if session.starts_at <> booking.starts_at then
    insert into public.booking_history (
      organization_id, booking_id, from_status, to_status, reason, actor_kind, actor_id, change
    )
    values (
      booking.organization_id, booking.id, booking.status, booking.status, 'changed_by_customer', 'customer',
      booking.customer_id, jsonb_build_object('starts_at', jsonb_build_array(booking.starts_at, session.starts_at))
    );
  end if;
  return row(
    late.minutes, late.outcome, session.starts_at, session.ends_at,
    case late.outcome when 'shorter_offered' then late.agreed_starts_at + shift end,
    case late.outcome when 'shorter_offered' then late.agreed_until end
  )::public.late_arrival;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.announce_late is 'definer: moves a session for whoever holds the manage token of its booking.';
grant execute on function private.announce_late to anon, authenticated;

create function public.announce_late(
  reference text,
  manage_token text,
  minutes int,
  accept_shorter boolean default false
)
returns public.late_arrival
language sql
volatile
set search_path = ''
as $$ select private.announce_late(reference, manage_token, minutes, accept_shorter) $$;

comment on function public.announce_late is
  'A party says that it is late, by so many minutes after the time that was agreed; the board shows it. Within the room''s turnaround its game is later (shifted), and where the room or the game master is needed right after, the turnaround is shorter for it. Later than that, a game that ends with the turnaround is offered as long as half of it is left (shorter_offered), and taken with accept_shorter (shortened). Otherwise, and where others play too, the game stays (noted). Again, the same. From the location''s check_in_hours before the start until the end of a confirmed booking that is not checked in. For anybody with the booking''s manage token. Errors: 404 booking_not_found; 409 late_not_possible, booking_changed; 422 minutes_invalid (details {"minimum", "maximum"}); 429 rate_limited.';
grant execute on function public.announce_late to anon, authenticated;
