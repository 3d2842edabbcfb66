-- The messages around a visit: which of them are due, and what they say when they go out.
--
-- Nothing is planned ahead. A sweep asks which messages became due since the last one, from the rules
-- and the bookings as they are in that moment:
--   a booking that moves    is due by its new start, and again if it was written to for the old one;
--   one that is cancelled   is not found, and what is queued for it says nothing when it is sent;
--   exactly once            the job's key names booking, rule and start, and mails keep keys for ever;
--   never to the past       a rule counts from its last change on, a booking from the moment in which it
--                           came to stand at its time. Who books after the instant is not written to: the
--                           confirmation has said the same just before.
-- Idle, it costs a look into an index for each distinct time of the rules, however many venues share it.

create type private.due_message as (
  organization_id uuid,
  booking_id uuid,
  rule_id uuid,
  kind text,
  starts_at timestamptz,
  due_at timestamptz
);

comment on type private.due_message is 'A message that became due.';

create function private.message_due_at(
  rule public.message_rules,
  starts_at timestamptz,
  ends_at timestamptz,
  timezone text
)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when rule.minutes is not null and rule.counted_from = 'start' then
      message_due_at.starts_at - make_interval(mins => rule.minutes)
    when rule.minutes is not null then message_due_at.ends_at + make_interval(mins => rule.minutes)
    when rule.counted_from = 'start' then
      ((message_due_at.starts_at at time zone message_due_at.timezone)::date - rule.days + rule.at_time)
      at time zone message_due_at.timezone
    else
      ((message_due_at.ends_at at time zone message_due_at.timezone)::date + rule.days + rule.at_time)
      at time zone message_due_at.timezone
  end;
end
$$;

comment on function private.message_due_at is
  'When a rule''s message about a visit is due. By the clock of the location: in a DST gap that much later, in a fold the second time.';

create function private.is_message_wanted(rule public.message_rules, booking public.bookings)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return rule.is_active
    and (rule.locales is null or booking.locale = any (rule.locales))
    and (
      rule.all_rooms or exists (
        select from public.message_rule_rooms as rr
        where rr.organization_id = rule.organization_id
          and rr.rule_id = rule.id
          and rr.room_id = booking.room_id
      )
    )
    and case rule.kind
      when 'reminder' then booking.status = 'confirmed'
      when 'waiver_request' then
        booking.status = 'confirmed' and (private.booking_waiver(booking)).missing > 0
      when 'payment_request' then
        booking.status in ('pending', 'confirmed') and private.payable_online(booking) > 0
      -- Where nobody checks parties in, they came unless somebody says otherwise, as
      -- private.booking_deadlines has it.
      else booking.status in ('confirmed', 'checked_in', 'in_progress', 'completed')
    end
    and exists (
      select from public.organizations as o
      where o.id = booking.organization_id and o.status = 'active'
    )
    and exists (
      select from public.customers as c
      where c.organization_id = booking.organization_id
        and c.id = booking.customer_id
        and c.email is not null
        and c.erased_at is null
    )
    and (
      rule.kind <> 'review_request'
      or ((private.latest_consents(booking.organization_id, booking.customer_id)).marketing).granted is not false
    );
end
$$;

comment on function private.is_message_wanted is
  'Whether the rule writes to whoever made the booking, as both are now, whenever it is due: asked when a message is queued, and again when it is sent. A review is not asked of whoever does not want to be written to (marketing).';

create function private.stood_by(booking public.bookings, instant timestamptz)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return not exists (
    select from public.booking_history as h
    where h.organization_id = booking.organization_id
      and h.booking_id = booking.id
      and h.occurred_at > stood_by.instant
      and (
        h.change ?| array['starts_at', 'room_id']
        or h.change is null
        and h.to_status in ('pending', 'confirmed')
        and not coalesce(private.is_undo(h.from_status, h.to_status), false)
      )
  );
end
$$;

comment on function private.stood_by is
  'Whether the booking was made, confirmed and at its present time by then.';

-- for: private.due_messages, the visits that ended lately
create index sessions_ends_at_idx on public.sessions (ends_at)
where mode <> 'block' and status = 'scheduled';

create function private.due_messages(since timestamptz, until timestamptz)
returns setof private.due_message
language plpgsql
stable
set search_path = ''
-- Each look is into an index, also where statistics were made while the table was small.
set enable_seqscan = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
  times record;
begin
  for times in
    with distinct_times as materialized (
      select distinct r.counted_from, r.minutes, r.days, r.at_time
      from public.message_rules as r
      where r.is_active
    ),
    zones as materialized (select distinct l.timezone from public.locations as l)
    select
      t.*,
      null::text as timezone,
      due_messages.since + t.ahead as first,
      due_messages.until + t.ahead as last
    from (
      select
        d.*,
        make_interval(mins => case d.counted_from when 'start' then d.minutes else - d.minutes end) as ahead
      from distinct_times as d
      where d.minutes is not null
    ) as t
    union all
    -- The visits of a day, if the clock of a zone showed the time of day for it.
    select
      d.*,
      null,
      z.timezone,
      (shown.date + case d.counted_from when 'start' then d.days else - d.days end)::timestamp
      at time zone z.timezone,
      (shown.date + case d.counted_from when 'start' then d.days else - d.days end + 1)::timestamp
      at time zone z.timezone
    from distinct_times as d
    cross join zones as z
    cross join lateral (
      select due_messages.since::date + n as date
      from generate_series(-1, due_messages.until::date - due_messages.since::date + 1) as n
    ) as shown
    where d.days is not null
      and (shown.date + d.at_time) at time zone z.timezone > due_messages.since
      and (shown.date + d.at_time) at time zone z.timezone <= due_messages.until
  loop
    return query
    select due.organization_id, due.booking_id, due.rule_id, due.kind, due.starts_at, due.due_at
    from (
      select
        b.organization_id, b.id as booking_id, r.id as rule_id, r.kind, b.starts_at, b as booking, r as rule,
        private.message_due_at(r, b.starts_at, visits.ends_at, l.timezone) as due_at
      from (
        select b.organization_id, b.id, b.starts_at as ends_at
        from public.bookings as b
        where times.counted_from = 'start'
          and b.starts_at between times.first and times.last
          and b.status in ('pending', 'confirmed')
        union all
        select b.organization_id, b.id, s.ends_at
        from public.sessions as s
        join public.bookings as b on b.organization_id = s.organization_id and b.session_id = s.id
        where times.counted_from = 'end'
          and s.ends_at between times.first and times.last
          and s.mode <> 'block'
          and s.status = 'scheduled'
      ) as visits
      join public.bookings as b on b.organization_id = visits.organization_id and b.id = visits.id
      join public.rooms as m on m.organization_id = b.organization_id and m.id = b.room_id
      join public.locations as l on l.organization_id = m.organization_id and l.id = m.location_id
      join public.message_rules as r on r.organization_id = b.organization_id
      where r.is_active
        and r.counted_from = times.counted_from
        and r.minutes is not distinct from times.minutes
        and r.days is not distinct from times.days
        and r.at_time is not distinct from times.at_time
        and (times.timezone is null or l.timezone = times.timezone)
    ) as due
    where due.due_at > due_messages.since
      and due.due_at <= due_messages.until
      and due.due_at > (due.rule).counts_from
      -- By the clock of the day itself it may be too late.
      and ((due.rule).counted_from = 'end' or due.due_at < due.starts_at)
      and ((due.rule).all_rooms or exists (
        select from public.message_rule_rooms as rr
        where rr.organization_id = due.organization_id
          and rr.rule_id = due.rule_id
          and rr.room_id = (due.booking).room_id
          and rr.created_at < due.due_at
      ))
      and private.is_message_wanted(due.rule, due.booking)
      and private.stood_by(due.booking, due.due_at);
  end loop;
end
$$;

comment on function private.due_messages is
  'The messages that became due after since, until then: of the rules, bookings and visits as they are now.';

create table private.message_clock (
  only_one boolean not null default true,
  swept_until timestamptz not null,
  constraint message_clock_pkey primary key (only_one),
  constraint message_clock_is_one_row check (only_one)
);

comment on table private.message_clock is
  'Until when it was asked which messages are due: one row. It moves in the transaction that queues them, so none is left out, and it is locked by who moves it, so two sweeps do not ask the same.';
comment on column private.message_clock.swept_until is 'What was due until then is queued.';

-- So that no two first sweeps wait for each other.
insert into private.message_clock (swept_until) values (now()) on conflict on constraint message_clock_pkey do nothing;

create function private.message_key(message private.due_message)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return concat_ws(':', message.kind, message.booking_id, message.rule_id, extract(epoch from message.starts_at));
end
$$;

comment on function private.message_key is
  'What makes it one message for a booking, rule and start: the key of its job, which mails keep for ever.';

create function private.queue_message(message private.due_message)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
begin
  return private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', message.kind, 'organization_id', message.organization_id, 'booking_id', message.booking_id,
      'rule_id', message.rule_id, 'starts_at', message.starts_at
    ),
    private.message_key(message),
    message.organization_id
  );
end
$$;

comment on function private.queue_message is 'Queues a message, unless it was queued before, and returns its job.';

create function private.queue_due_messages(until timestamptz)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  since timestamptz;
  swept timestamptz;
  queued int;
begin
  if not exists (select from private.message_clock) then
    insert into private.message_clock (swept_until)
    values (queue_due_messages.until)
    on conflict on constraint message_clock_pkey do nothing;
  end if;
  select c.swept_until into since from private.message_clock as c for update skip locked;
  if not found then
    return 0; -- another sweep is at it
  end if;
  -- After an outage: what is a day late is left out, and what is to be written is written hour by hour.
  since := greatest(since, queue_due_messages.until - interval '1 day');
  swept := least(queue_due_messages.until, since + interval '1 hour');
  if swept <= since then
    return 0;
  end if;

  select count(private.queue_message(m)) into queued
  -- Once more the last two minutes: a booking that was confirmed then may not have been visible yet.
  from private.due_messages(since - interval '2 minutes', swept) as m
  where not exists (
    select from private.jobs as j where j.kind = 'email.send' and j.dedupe_key = private.message_key(m)
  );
  update private.message_clock as c set swept_until = swept;
  return queued;
end
$$;

comment on function private.queue_due_messages is
  'Queues the messages around visits that became due since it was last asked, until then (now, but in tests), and returns how many: at most those of an hour, so after an outage it is asked again.';

create function private.payment_content(organization_id uuid, booking_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object('payable_cents', private.payable_online(b), 'expires_at', b.hold_expires_at)
    )
    from public.bookings as b
    where b.organization_id = payment_content.organization_id
      and b.id = payment_content.booking_id
      and private.payable_online(b) > 0
  );
end
$$;

comment on function private.payment_content is
  'What a request to pay says that staff send; null when nothing can be paid online any more.';

create function private.waiver_content(organization_id uuid, booking_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object('unsigned_waivers', (private.booking_waiver(b)).missing)
    )
    from public.bookings as b
    where b.organization_id = waiver_content.organization_id
      and b.id = waiver_content.booking_id
      and b.status in ('pending', 'confirmed', 'checked_in')
      and (private.booking_waiver(b)).missing > 0
  );
end
$$;

comment on function private.waiver_content is
  'What a request to sign says that staff send; null when everybody has signed, or nobody plays any more.';

create function private.told_result(booking public.bookings)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'outcome', g.outcome, 'escape_seconds', g.escape_seconds, 'hints', g.hints
    )
    from public.game_results as g
    where g.organization_id = booking.organization_id
      and g.booking_id = booking.id
      -- Why a game was broken off is for people to say.
      and g.outcome <> 'aborted'
  );
end
$$;

comment on function private.told_result is
  'How a party''s game ended, as its own mails say it: what get_game_result shows whoever holds the booking''s link, whether or not the party agreed to be shown to the public, and neither the team''s name nor what staff wrote; null: nothing is said.';

create function private.visit_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  if not cause ? 'rule_id' then
    return case cause ->> 'template'
      when 'waiver_request' then
        private.waiver_content(visit_content.organization_id, (cause ->> 'booking_id')::uuid)
      else private.payment_content(visit_content.organization_id, (cause ->> 'booking_id')::uuid)
    end;
  end if;
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object(
        'payable_cents', private.payable_online(b),
        'expires_at', b.hold_expires_at,
        'unsigned_waivers', (private.booking_waiver(b)).missing,
        'review_url', r.review_url,
        'result', case r.kind when 'thanks' then private.told_result(b) end,
        'unsubscribe_token', case r.kind when 'review_request' then private.unsubscribe_token(b) end
      )
    )
    from public.message_rules as r
    join public.bookings as b on b.organization_id = r.organization_id
    where r.organization_id = visit_content.organization_id
      and r.id = (cause ->> 'rule_id')::uuid
      and r.kind = cause ->> 'template'
      and b.id = (cause ->> 'booking_id')::uuid
      -- Moved meanwhile: it is due at another time.
      and b.starts_at = (cause ->> 'starts_at')::timestamptz
      and (r.counted_from = 'end' or b.starts_at > now())
      and private.is_message_wanted(r, b)
  );
end
$$;

comment on function private.visit_content is
  'What a message around a visit says now; null when the booking was cancelled or moved, was paid (payment_request) or signed (waiver_request), or the visit has begun before it could be sent (reminder, payment_request, waiver_request), or the rule was switched off, changed to leave it out or deleted. payable_cents: what its link asks for; expires_at: until when a pending one is kept; result: of thanks.';

select private.email_template_upsert('reminder', 'visit_content');
select private.email_template_upsert('payment_request', 'visit_content');
select private.email_template_upsert('waiver_request', 'visit_content');
select private.email_template_upsert('thanks', 'visit_content');
select private.email_template_upsert('review_request', 'visit_content');
