-- Who is told of what happened, and when: in the app and, unless a digest gathers it, by a mail of its
-- own. All of it is done by private.sweep_notices, one at a time.
--
--   exactly once       an event is consumed under its lock; a mail's key names event and recipient.
--   never to the past  a rule, its rooms and its recipients count from when they were put there.
--   only who may       membership, permission, bar and consent are asked when it is told, and again
--                      when its mail is prepared.

create function private.member_may(organization_id uuid, user_id uuid, permission text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select
    from private.active_memberships as m
    join public.organizations as o on o.id = m.organization_id
    join public.role_permissions as rp on rp.organization_id = m.organization_id and rp.role_id = m.role_id
    where m.organization_id = member_may.organization_id
      and m.user_id = member_may.user_id
      and m.expires_at is null
      and o.status = 'active'
      and rp.permission_key = member_may.permission
  );
end
$$;

comment on function private.member_may is
  'Whether somebody is a member now, no visitor, and holds the permission; nobody does in an organization that is suspended or closed.';

create function private.may_be_told(organization_id uuid, user_id uuid, kind text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.member_may(may_be_told.organization_id, may_be_told.user_id, 'bookings:read')
    and (
      may_be_told.kind not in ('booking_paid_late', 'payment_disputed')
      or private.member_may(may_be_told.organization_id, may_be_told.user_id, 'payments:read')
    );
end
$$;

comment on function private.may_be_told is 'Whether a member may read what a notice of the kind is about.';

create function private.wants_notice(organization_id uuid, user_id uuid, type text, by_mail boolean)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce((
    select case when wants_notice.by_mail then p.mail else p.in_app end
    from public.notification_preferences as p
    where p.organization_id = wants_notice.organization_id
      and p.user_id = wants_notice.user_id
      and p.type = wants_notice.type
  ), true);
end
$$;

comment on function private.wants_notice is 'Whether a member wants to be told of the type that way; without a word, yes.';

create type private.matching_rule as (
  rule_id uuid,
  type text,
  at_once boolean,
  to_owners boolean
);

comment on type private.matching_rule is 'A notice rule that tells of an event.';

create function private.covers_room(rule public.notice_rules, room_id uuid, instant timestamptz)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return rule.is_active
    and rule.counts_from < covers_room.instant
    and (rule.all_rooms or exists (
      select from public.notice_rule_rooms as rr
      where rr.organization_id = rule.organization_id
        and rr.rule_id = rule.id
        and rr.room_id = covers_room.room_id
        and rr.created_at < covers_room.instant
    ));
end
$$;

comment on function private.covers_room is 'Whether the rule tells of what happened at that instant in the room.';

create function private.matching_rules(event private.notice_events)
returns setof private.matching_rule
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select m.rule_id, m.type, m.digest_at is null or m.type = 'last_minute', m.to_owners
  from (
    select
      r.id as rule_id,
      r.digest_at,
      r.to_owners,
      case
        when 'last_minute' = any(r.kinds)
          and event.kind in ('booking_new', 'booking_changed', 'booking_cancelled')
          and event.starts_at > event.occurred_at
          and event.starts_at <= event.occurred_at + make_interval(hours => r.last_minute_hours)
          then 'last_minute'
        when event.kind = any(r.kinds) then event.kind
      end as type
    from public.notice_rules as r
    where r.organization_id = event.organization_id
      and private.covers_room(r, event.room_id, event.occurred_at)
  ) as m
  where m.type is not null;
end
$$;

comment on function private.matching_rules is
  'The rules that tell of an event, each with the type as which it does, and whether at once.';

create type private.told_person as (
  user_id uuid,
  rule_id uuid,
  type text,
  at_once boolean
);

comment on type private.told_person is 'A member who is told of an event by a rule.';

create function private.told_people(event private.notice_events)
returns setof private.told_person
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select p.user_id, p.rule_id, p.type, p.at_once
  from (
    select x.user_id, m.rule_id, m.type, m.at_once
    from private.matching_rules(event) as m
    join public.notice_rule_members as x on x.organization_id = event.organization_id and x.rule_id = m.rule_id
    where x.created_at < event.occurred_at
    union
    select o.user_id, m.rule_id, m.type, m.at_once
    from private.matching_rules(event) as m
    join public.roles as r on r.organization_id = event.organization_id and r.key = 'owner'
    join private.active_memberships as o on o.organization_id = r.organization_id and o.role_id = r.id
    where m.to_owners
    union
    select s.user_id, r.id, s.type, true
    from public.notice_rules as r
    cross join lateral (
      select event.user_id, event.kind as type
      where event.kind in ('session_assigned', 'session_released') and not private.was_moved(event)
      union all
      select x.user_id, 'session_changed'
      from public.session_staff as x
      where event.kind in ('booking_new', 'booking_changed', 'booking_cancelled')
        and x.organization_id = event.organization_id
        and x.session_id = event.session_id
        and x.created_at <= event.occurred_at
        -- Whoever was given the session with this very booking is told that.
        and not exists (
          select from private.notice_events as e
          where e.organization_id = x.organization_id
            and e.session_id = x.session_id
            and e.user_id = x.user_id
            and e.kind = 'session_assigned'
            and e.written_by = event.written_by
            and not private.was_moved(e)
        )
    ) as s
    where r.organization_id = event.organization_id
      and r.kinds = array['own_sessions']
      and private.covers_room(r, event.room_id, event.occurred_at)
  ) as p
  where p.user_id is distinct from event.actor_id
    and private.may_be_told(event.organization_id, p.user_id, event.kind);
end
$$;

comment on function private.told_people is
  'The members who are told of an event, by each rule that does: those of the rule, and of their own sessions those who run them. Nobody is told of what they did themselves.';

create table private.notice_clock (
  only_one boolean not null default true,
  swept_until timestamptz not null,
  stamped_at timestamptz not null,
  constraint notice_clock_pkey primary key (only_one),
  constraint notice_clock_is_one_row check (only_one)
);

comment on table private.notice_clock is
  'One row, locked by the sweep that tells: one at a time, so digests and boards are queued once, and created_at of notifications grows in the order in which they become visible.';
comment on column private.notice_clock.swept_until is 'What the clock brought until then is queued.';
comment on column private.notice_clock.stamped_at is 'The newest notifications.created_at.';

-- So that no two first sweeps wait for each other.
insert into private.notice_clock (swept_until, stamped_at)
values (now(), now()) on conflict on constraint notice_clock_pkey do nothing;

create table private.notice_digest_entries (
  organization_id uuid not null,
  rule_id uuid not null,
  event_id uuid not null,
  constraint notice_digest_entries_pkey primary key (organization_id, rule_id, event_id),
  constraint notice_digest_entries_rule_fkey foreign key (organization_id, rule_id)
  references public.notice_rules (organization_id, id) on delete cascade,
  constraint notice_digest_entries_event_fkey foreign key (organization_id, event_id)
  references private.notice_events (organization_id, id) on delete cascade
);

comment on table private.notice_digest_entries is
  'What waits for a rule''s next digest, which takes it away. An event that becomes visible late waits for the one after.';

-- for: the foreign key, when an event is forgotten
create index notice_digest_entries_event_id_idx on private.notice_digest_entries (organization_id, event_id);

create function private.notify(
  organization_id uuid, user_id uuid, type text, event_id uuid, booking_id uuid, data jsonb
)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  stamp timestamptz;
begin
  if not private.wants_notice(notify.organization_id, notify.user_id, notify.type, by_mail => false) then
    return 0;
  end if;
  -- Whoever leaves meanwhile is waited for, and told nothing.
  perform from public.memberships as m
  where m.organization_id = notify.organization_id and m.user_id = notify.user_id
  for key share;
  if not found then
    return 0;
  end if;
  update private.notice_clock as c
  set stamped_at = greatest(clock_timestamp(), c.stamped_at + interval '1 microsecond')
  returning c.stamped_at into stamp;
  insert into public.notifications (organization_id, user_id, type, event_id, booking_id, data, created_at)
  values (
    notify.organization_id, notify.user_id, notify.type, notify.event_id, notify.booking_id, notify.data, stamp
  )
  on conflict on constraint notifications_event_key do nothing;
  return 1;
end
$$;

comment on function private.notify is
  'Writes a notification, unless the member does not want it or has left. The caller holds private.notice_clock.';

create function private.mail_notice(event private.notice_events, recipient jsonb, rule_id uuid, type text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'notice', 'organization_id', event.organization_id, 'event_id', event.id,
      'notice_rule_id', mail_notice.rule_id, 'type', mail_notice.type
    ) || recipient,
    concat_ws(':', 'notice', event.id, recipient ->> 'user_id', recipient ->> 'address_id'),
    event.organization_id,
    -- Several changes are one mail: a later one takes this one's place.
    case event.kind when 'booking_changed' then now() + interval '2 minutes' else now() end
  );
end
$$;

comment on function private.mail_notice is
  'Queues the mail about an event to {"user_id"} or {"address_id"}, once.';

create function private.spread_notice(event private.notice_events, by_mail boolean)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  person record;
  data jsonb;
  told int := 0;
begin
  data := jsonb_strip_nulls(jsonb_build_object(
    'happened', event.kind, 'room_id', event.room_id, 'starts_at', event.starts_at,
    'previous_starts_at', (
      select h.change #> '{starts_at,0}'
      from public.booking_history as h
      where h.organization_id = event.organization_id and h.id = event.history_id
    )
  ));
  for person in
    select
      p.user_id,
      -- What is urgent, then what a rule says, then what one's own session brings.
      (array_agg(p.type order by p.type <> 'last_minute', p.type like 'session%', p.rule_id)) [1] as type,
      (array_agg(p.type order by p.type <> 'last_minute', p.type like 'session%', p.rule_id)
      filter (where p.at_once)) [1] as mailed_type,
      (array_agg(p.rule_id order by p.type <> 'last_minute', p.type like 'session%', p.rule_id)
      filter (where p.at_once)) [1] as mailing_rule
    from private.told_people(event) as p
    group by p.user_id
    order by p.user_id
  loop
    told := told + private.notify(event.organization_id, person.user_id, person.type, event.id, event.booking_id, data);
    if by_mail and person.mailing_rule is not null
      -- Owners have a mail about disputes of its own (private.announce_dispute).
      and not (event.kind = 'payment_disputed' and private.member_may(event.organization_id, person.user_id, 'organization:close'))
    then
      perform private.mail_notice(
        event, jsonb_build_object('user_id', person.user_id), person.mailing_rule, person.mailed_type
      );
    end if;
  end loop;

  if by_mail then
    perform private.mail_notice(event, jsonb_build_object('address_id', a.address_id), a.rule_id, a.type)
    from (
      select distinct on (x.address_id) x.address_id, m.rule_id, m.type
      from private.matching_rules(event) as m
      join public.notice_rule_addresses as x
        on x.organization_id = event.organization_id and x.rule_id = m.rule_id
      join public.notice_addresses as a on a.organization_id = x.organization_id and a.id = x.address_id
      where m.at_once
        and x.created_at < event.occurred_at
        and a.confirmed_at < event.occurred_at
      order by x.address_id, m.type <> 'last_minute', m.rule_id
    ) as a;
  end if;

  insert into private.notice_digest_entries (organization_id, rule_id, event_id)
  select event.organization_id, m.rule_id, event.id
  from private.matching_rules(event) as m
  where not m.at_once
  on conflict on constraint notice_digest_entries_pkey do nothing;
  return told;
end
$$;

comment on function private.spread_notice is
  'Tells those whom an event concerns, and lays it by for the digests; returns how many notifications it wrote.';

create function private.queue_digest(rule public.notice_rules, timezone text)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  gathered private.notice_events [];
  recipient record;
  queued int := 0;
begin
  with taken as (
    delete from private.notice_digest_entries as d
    using private.notice_events as e, public.rooms as r, public.locations as l
    where d.organization_id = rule.organization_id
      and d.rule_id = rule.id
      and e.organization_id = d.organization_id
      and e.id = d.event_id
      and r.organization_id = e.organization_id
      and r.id = e.room_id
      and l.organization_id = r.organization_id
      and l.id = r.location_id
      and l.timezone = queue_digest.timezone
    returning e as event
  )
  select array_agg(t.event order by (t.event).occurred_at, (t.event).id) into gathered
  from taken as t
  -- Of what was before the rule was switched on again nobody is told.
  where private.covers_room(rule, (t.event).room_id, (t.event).occurred_at);

  for recipient in
    select
      x.recipient,
      jsonb_agg(e.id order by e.occurred_at, e.id) as events
    from (
      select w.recipient, w.user_id, min(w.since) as since
      from (
        select jsonb_build_object('user_id', m.user_id) as recipient, m.user_id, m.created_at as since
        from public.notice_rule_members as m
        where m.organization_id = rule.organization_id and m.rule_id = rule.id
        union
        select jsonb_build_object('user_id', o.user_id), o.user_id, '-infinity'
        from private.active_memberships as o
        join public.roles as r on r.organization_id = o.organization_id and r.id = o.role_id and r.key = 'owner'
        where rule.to_owners and o.organization_id = rule.organization_id
        union
        select jsonb_build_object('address_id', a.id), null, greatest(t.created_at, a.confirmed_at)
        from public.notice_rule_addresses as t
        join public.notice_addresses as a on a.organization_id = t.organization_id and a.id = t.address_id
        where t.organization_id = rule.organization_id and t.rule_id = rule.id and a.confirmed_at is not null
      ) as w
      -- An owner who is a member of the rule, too, is one recipient.
      group by w.recipient, w.user_id
    ) as x
    join unnest(gathered) as e on e.occurred_at > x.since
    where x.user_id is null
      or x.user_id is distinct from e.actor_id
      and private.may_be_told(rule.organization_id, x.user_id, e.kind)
    group by x.recipient
  loop
    perform private.enqueue(
      'email.send',
      jsonb_build_object(
        'template', 'notice_digest', 'organization_id', rule.organization_id, 'notice_rule_id', rule.id,
        'timezone', queue_digest.timezone, 'events', recipient.events
      ) || recipient.recipient,
      concat_ws(
        ':', 'notice_digest', rule.id, recipient.recipient ->> 'user_id', recipient.recipient ->> 'address_id',
        recipient.events ->> 0
      ),
      rule.organization_id
    );
    queued := queued + 1;
  end loop;
  return queued;
end
$$;

comment on function private.queue_digest is
  'Takes what waits for a rule''s digest in the rooms of a time zone, and queues a mail of it to each recipient; returns how many.';

create function private.send_waiting_digest()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.queue_digest(new, z.timezone)
  from (
    select distinct l.timezone from public.locations as l where l.organization_id = new.organization_id
  ) as z;
  return null;
end
$$;

comment on function private.send_waiting_digest is
  'definer: the queue is visible to nobody. A rule that gets no digest any more sends what waits for one.';

create trigger send_waiting_digest
after update of digest_at on public.notice_rules
for each row when (old.digest_at is not null and new.digest_at is null and new.is_active)
execute function private.send_waiting_digest();

create type private.board_session as (
  session_id uuid,
  room_name text,
  starts_at timestamptz,
  ends_at timestamptz,
  players int
);

comment on type private.board_session is 'A session of a game master''s day.';

create function private.own_board(organization_id uuid, user_id uuid, date date, timezone text, rule public.notice_rules)
returns setof private.board_session
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select s.id, r.name, s.starts_at, s.ends_at, sum(b.party_size)::int
  from public.session_staff as x
  join public.sessions as s on s.organization_id = x.organization_id and s.id = x.session_id and s.status = 'scheduled'
  join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  join public.bookings as b
    on b.organization_id = s.organization_id
    and b.session_id = s.id
    and b.takes_capacity
    and coalesce(b.hold_expires_at > now(), true)
  where x.organization_id = own_board.organization_id
    and x.user_id = own_board.user_id
    and lower(x.during) >= own_board.date::timestamp at time zone own_board.timezone
    and lower(x.during) < (own_board.date + 1)::timestamp at time zone own_board.timezone
    and l.timezone = own_board.timezone
    and (rule.all_rooms or exists (
      select from public.notice_rule_rooms as rr
      where rr.organization_id = rule.organization_id and rr.rule_id = rule.id and rr.room_id = r.id
    ))
  group by s.id, r.name, s.starts_at, s.ends_at
  order by s.starts_at, s.id;
end
$$;

comment on function private.own_board is
  'The sessions that somebody runs on a date of a time zone, in the rooms of a rule, in which somebody is to come.';

create function private.queue_boards(rule public.notice_rules, timezone text, instant timestamptz, until timestamptz)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  day date := (queue_boards.instant at time zone queue_boards.timezone)::date + 1;
  person record;
  queued int := 0;
begin
  if rule.counts_from >= queue_boards.instant
    -- After an outage: the day is over.
    or (day + 1)::timestamp at time zone queue_boards.timezone <= queue_boards.until
  then
    return 0;
  end if;
  for person in
    select x.user_id, board.sessions
    from (
      select distinct w.user_id
      from public.session_staff as w
      join private.active_memberships as m on m.organization_id = w.organization_id and m.user_id = w.user_id
      where w.organization_id = rule.organization_id
        and lower(w.during) >= day::timestamp at time zone queue_boards.timezone
        and lower(w.during) < (day + 1)::timestamp at time zone queue_boards.timezone
    ) as x
    cross join lateral (
      select count(*) as sessions
      from private.own_board(rule.organization_id, x.user_id, day, queue_boards.timezone, rule)
    ) as board
    where board.sessions > 0
      and private.may_be_told(rule.organization_id, x.user_id, 'day_board')
      and not exists (
        select from public.notifications as n
        where n.organization_id = rule.organization_id
          and n.user_id = x.user_id
          and n.type = 'day_board'
          and n.data ->> 'date' = day::text
          and n.data ->> 'timezone' = queue_boards.timezone
      )
    order by x.user_id
  loop
    perform private.notify(
      rule.organization_id, person.user_id, 'day_board', null, null,
      jsonb_build_object('date', day, 'timezone', queue_boards.timezone, 'sessions', person.sessions)
    );
    perform private.enqueue(
      'email.send',
      jsonb_build_object(
        'template', 'day_board', 'organization_id', rule.organization_id, 'notice_rule_id', rule.id,
        'user_id', person.user_id, 'date', day, 'timezone', queue_boards.timezone
      ),
      concat_ws(':', 'day_board', rule.organization_id, person.user_id, day, queue_boards.timezone),
      rule.organization_id
    );
    queued := queued + 1;
  end loop;
  return queued;
end
$$;

comment on function private.queue_boards is
  'Tells each game master of the sessions that they run on the day after the instant, once a day; returns how many.';

create type private.notice_instant as (
  rule_id uuid,
  organization_id uuid,
  timezone text,
  instant timestamptz
);

comment on type private.notice_instant is 'When the clock of a time zone shows a rule''s hour.';

create function private.notice_instants(since timestamptz, until timestamptz)
returns setof private.notice_instant
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  with shown as materialized (
    select d.digest_at, z.timezone, (days.date + d.digest_at) at time zone z.timezone as instant
    from (
      select distinct r.digest_at
      from public.notice_rules as r
      where r.is_active and r.digest_at is not null
    ) as d
    cross join (select distinct l.timezone from public.locations as l) as z
    cross join lateral (
      select notice_instants.since::date + n as date
      from generate_series(-1, notice_instants.until::date - notice_instants.since::date + 1) as n
    ) as days
    where (days.date + d.digest_at) at time zone z.timezone > notice_instants.since
      and (days.date + d.digest_at) at time zone z.timezone <= notice_instants.until
  )
  select r.id, r.organization_id, s.timezone, s.instant
  from shown as s
  join public.notice_rules as r on r.digest_at = s.digest_at and r.is_active
  where exists (
    select from public.locations as l where l.organization_id = r.organization_id and l.timezone = s.timezone
  )
  order by s.instant, r.organization_id, r.id;
end
$$;

comment on function private.notice_instants is
  'The hours of digests and boards that came after since, until then, on the clocks of the rules'' locations.';

create function private.forget_notices(max_rows int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  notifications int;
  events int;
begin
  delete from public.notifications as n
  where (n.organization_id, n.id) in (
    select old.organization_id, old.id
    from public.notifications as old
    where old.created_at < now() - interval '90 days'
    order by old.created_at
    limit forget_notices.max_rows
    for update skip locked
  );
  get diagnostics notifications = row_count;
  delete from private.notice_events as e
  where (e.organization_id, e.id) in (
    select old.organization_id, old.id
    from private.notice_events as old
    where old.spread_at < now() - interval '90 days'
    order by old.spread_at
    limit forget_notices.max_rows
    for update skip locked
  );
  get diagnostics events = row_count;
  return notifications + events;
end
$$;

comment on function private.forget_notices is 'Deletes notifications and events of 90 days ago, so many of each at most.';

create type service.swept_notices as (
  told int,
  digests int,
  boards int,
  forgotten int
);

comment on type service.swept_notices is 'What a sweep told staff, in numbers.';
comment on column service.swept_notices.told is 'Notifications that were written about what happened.';
comment on column service.swept_notices.digests is 'Digests that were queued.';
comment on column service.swept_notices.boards is 'Game masters who were told of the next day.';
comment on column service.swept_notices.forgotten is 'Notifications and events of 90 days ago.';

create function private.sweep_notices(until timestamptz)
returns service.swept_notices
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  since timestamptz;
  event private.notice_events;
  due private.notice_instant;
  rule public.notice_rules;
  told int := 0;
  digests int := 0;
  boards int := 0;
begin
  perform private.act_as('system', null);
  if not exists (select from private.notice_clock) then
    insert into private.notice_clock (swept_until, stamped_at)
    values (sweep_notices.until, now())
    on conflict on constraint notice_clock_pkey do nothing;
  end if;
  select c.swept_until into since from private.notice_clock as c for update skip locked;
  if not found then
    return row(0, 0, 0, 0)::service.swept_notices; -- another sweep is at it
  end if;

  for event in
    select e.*
    from private.notice_events as e
    where e.spread_at is null
    order by e.occurred_at, e.id
    limit 500
    for update skip locked
  loop
    begin
      -- What is a day late has come too late for a mail of its own.
      told := told + private.spread_notice(event, event.occurred_at > sweep_notices.until - interval '1 day');
      update private.notice_events as e set spread_at = now()
      where e.organization_id = event.organization_id and e.id = event.id;
    exception
      -- One that cannot be told holds up no other venue's. What a repetition may mend is repeated.
      when others then
        if sqlstate like '40%' or sqlstate like '5%' then
          raise;
        end if;
        raise warning 'notice event % could not be told: %', event.id, sqlstate;
        update private.notice_events as e set spread_at = now(), problem = sqlstate
        where e.organization_id = event.organization_id and e.id = event.id;
    end;
  end loop;

  since := greatest(since, sweep_notices.until - interval '1 day');
  for due in
    select i.* from private.notice_instants(since, sweep_notices.until) as i
  loop
    select r.* into rule
    from public.notice_rules as r
    where r.organization_id = due.organization_id and r.id = due.rule_id;
    if rule.kinds = array['day_board'] then
      boards := boards + private.queue_boards(rule, due.timezone, due.instant, sweep_notices.until);
    else
      digests := digests + private.queue_digest(rule, due.timezone);
    end if;
  end loop;
  update private.notice_clock as c set swept_until = greatest(c.swept_until, sweep_notices.until);
  return row(told, digests, boards, private.forget_notices(1000))::service.swept_notices;
end
$$;

comment on function private.sweep_notices is
  'definer: tells staff through tables that no caller may write. Until: now, but in tests.';
grant execute on function private.sweep_notices to service_role;

create function service.sweep_notices()
returns service.swept_notices
language sql
volatile
set search_path = ''
as $$ select private.sweep_notices(now()) $$;

comment on function service.sweep_notices is
  'Tells staff of up to 500 things that happened, queues the digests and boards whose hour has come (of a day at most, after an outage), and forgets up to 1,000 notifications of 90 days ago. For the worker, every few seconds; any number may run at once, one does it.';
grant execute on function service.sweep_notices to service_role;
