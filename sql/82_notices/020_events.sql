-- What a venue's staff may want to be told of: written by triggers where it happens, in its own
-- transaction, so that no way of booking, changing or paying can forget it. Nobody is looked up there:
-- whoever books waits for nothing. private.sweep_notices tells those whom it concerns.

create table private.notice_events (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  kind text not null,
  booking_id uuid,
  history_id uuid,
  session_id uuid,
  room_id uuid,
  starts_at timestamptz,
  user_id uuid,
  actor_id uuid,
  occurred_at timestamptz not null default clock_timestamp(),
  written_by xid8 not null default pg_current_xact_id(),
  spread_at timestamptz,
  problem text,
  constraint notice_events_pkey primary key (organization_id, id),
  constraint notice_events_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint notice_events_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint notice_events_kind_is_known check (kind in (
    'booking_new', 'booking_changed', 'booking_cancelled', 'booking_paid_late', 'payment_disputed',
    'mail_problem', 'session_assigned', 'session_released'
  )),
  constraint notice_events_name_their_subject check (
    case when kind in ('session_assigned', 'session_released') then session_id is not null and user_id is not null
      else booking_id is not null
    end
  )
);

comment on table private.notice_events is
  'What happened that staff may be told of: ids only. A row is consumed once, by private.sweep_notices, whenever it becomes visible, so nothing is missed however late its transaction commits; kept for 90 days, as the mails about it.';
comment on column private.notice_events.kind is
  'booking_new, booking_changed, booking_cancelled, booking_paid_late, payment_disputed, mail_problem; session_assigned, session_released.';
comment on column private.notice_events.history_id is 'Of a booking that was made, changed or cancelled: the line of public.booking_history.';
comment on column private.notice_events.session_id is 'Of an assignment; of a booking its session then.';
comment on column private.notice_events.starts_at is 'The start then; of a disputed payment too.';
comment on column private.notice_events.user_id is 'Of an assignment: whose.';
comment on column private.notice_events.actor_id is 'The person who did it, who is not told of it; null: nobody with an account.';
comment on column private.notice_events.written_by is
  'The transaction: an assignment that is taken back and given again in one was moved with its session.';
comment on column private.notice_events.spread_at is 'When those whom it concerns were told; null: not yet.';
comment on column private.notice_events.problem is 'Why it could not be told, an SQLSTATE; null: it was.';

-- for: private.sweep_notices, the events that wait; those that are told are not in it
create index notice_events_waiting_idx on private.notice_events (occurred_at, id) where spread_at is null;
-- for: private.forget_notices
create index notice_events_spread_at_idx on private.notice_events (spread_at) where spread_at is not null;
-- for: the foreign key, and what is newer of a booking (private.notice_is_news)
create index notice_events_booking_idx on private.notice_events (organization_id, booking_id, occurred_at);
-- for: private.was_moved
create index notice_events_session_idx on private.notice_events (organization_id, session_id, user_id)
where user_id is not null;

create function private.acting_person()
returns uuid
language plpgsql
stable
set search_path = ''
as $$
declare
  actor jsonb := private.current_actor();
begin
  return case when actor ->> 'kind' = 'user' then (actor ->> 'id')::uuid end;
end
$$;

comment on function private.acting_person is 'The person who acts with an account of their own; null for anything else.';

create function private.note_booking_news()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  kind text;
begin
  if new.change is not null then
    -- A hold is nobody's news, nor what became of terms or a coupon alone.
    kind := case
      when new.to_status <> 'held'
        and new.change ?| array['starts_at', 'room_id', 'party_size', 'exclusive', 'extras', 'total_cents']
        then 'booking_changed'
    end;
  elsif private.is_undo(new.from_status, new.to_status)
    or new.reason = 'merged' and private.is_merged(new.organization_id, new.booking_id)
  then
    kind := null;
  elsif new.to_status in ('pending', 'confirmed')
    and coalesce(new.from_status, 'held') in ('held', 'expired', 'cancelled')
  then
    kind := 'booking_new';
  elsif new.to_status in ('cancelled', 'expired') and new.from_status in ('pending', 'confirmed', 'checked_in') then
    kind := 'booking_cancelled';
  end if;
  if kind is null then
    return null;
  end if;
  insert into private.notice_events (
    organization_id, kind, booking_id, history_id, session_id, room_id, starts_at, actor_id, occurred_at
  )
  select
    b.organization_id, kind, b.id, new.id, b.session_id, b.room_id, b.starts_at,
    case when new.actor_kind = 'user' then new.actor_id end,
    new.occurred_at
  from public.bookings as b
  where b.organization_id = new.organization_id and b.id = new.booking_id;
  return null;
end
$$;

comment on function private.note_booking_news is
  'Notes that a booking was made (pending or confirmed), changed or cancelled, or lapsed unpaid, not that it was merged with another, which is a change of that one: from the history, through which every move and change passes.';

create trigger note_booking_news
after insert on public.booking_history
for each row execute function private.note_booking_news();

create function private.note_money_news()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into private.notice_events (organization_id, kind, booking_id, session_id, room_id, starts_at, actor_id)
  select b.organization_id, tg_argv[0], b.id, b.session_id, b.room_id, b.starts_at, private.acting_person()
  from public.bookings as b
  where b.organization_id = new.organization_id
    and b.id = new.booking_id
    -- However many payments came too late, it is one piece of news.
    and not exists (
      select from private.notice_events as e
      where e.organization_id = b.organization_id
        and e.booking_id = b.id
        and e.kind = tg_argv[0]
        and e.written_by = pg_current_xact_id()
    );
  return null;
end
$$;

comment on function private.note_money_news is
  'Notes what a booking''s money did, by the kind that the trigger names: booking_paid_late (it came when the seats were gone, and goes back) or payment_disputed.';

create trigger note_late_money
after insert on private.refund_requests
for each row when (new.reason = 'paid_late')
execute function private.note_money_news('booking_paid_late');

create trigger note_dispute
after insert on public.disputes
for each row when (new.status not in ('won', 'lost', 'warning_closed'))
execute function private.note_money_news('payment_disputed');

create function private.note_mail_problem()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into private.notice_events (organization_id, kind, booking_id, session_id, room_id, starts_at, actor_id)
  select b.organization_id, 'mail_problem', b.id, b.session_id, b.room_id, b.starts_at, private.acting_person()
  from public.bookings as b
  where b.organization_id = new.organization_id
    and b.id = new.booking_id
    -- After the visit nobody stands at a closed door.
    and b.starts_at > now()
    and b.status in ('pending', 'confirmed');
  return null;
end
$$;

comment on function private.note_mail_problem is
  'Notes that the newest mail about a visit to come did not reach its customer; once, until a later one does.';

create trigger note_mail_problem
after insert on public.booking_mail_problems
for each row execute function private.note_mail_problem();

create function private.note_assignment()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  assignment public.session_staff := case tg_op when 'DELETE' then old else new end;
begin
  insert into private.notice_events (organization_id, kind, session_id, room_id, starts_at, user_id, actor_id)
  -- Where the session goes with its organization there is nobody to tell.
  select
    s.organization_id, case tg_op when 'DELETE' then 'session_released' else 'session_assigned' end,
    s.id, s.room_id, lower(assignment.during), assignment.user_id, private.acting_person()
  from public.sessions as s
  join public.organizations as o on o.id = s.organization_id
  where s.organization_id = assignment.organization_id
    and s.id = assignment.session_id
    and upper(assignment.during) > now();
  return null;
end
$$;

comment on function private.note_assignment is
  'Notes that a game master was given a session or lost one, however: by hand, by the automatic, with a session that was cancelled.';

create trigger note_assignment
after insert or delete on public.session_staff
for each row execute function private.note_assignment();

create function private.was_moved(event private.notice_events)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from private.notice_events as e
    where e.organization_id = event.organization_id
      and e.session_id = event.session_id
      and e.user_id = event.user_id
      and e.written_by = event.written_by
      and e.kind <> event.kind
  );
end
$$;

comment on function private.was_moved is
  'Of an assignment: whether it ended and began again in one transaction. Then the session moved, and its game master with it (private.follow_session), which the change of the booking tells.';
