-- Calendar feeds: sessions of a venue, of a room or of a game master for a calendar program, by a
-- secret address.

create table public.calendar_feeds (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  name text not null,
  room_id uuid,
  user_id uuid,
  created_by uuid,
  support_entry_id uuid,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  constraint calendar_feeds_pkey primary key (organization_id, id),
  constraint calendar_feeds_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint calendar_feeds_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  -- Whoever leaves takes the feed along: coming back does not open it again.
  constraint calendar_feeds_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete cascade,
  constraint calendar_feeds_created_by_fkey foreign key (created_by) references public.profiles (user_id) on delete set null,
  constraint calendar_feeds_support_entry_fkey foreign key (organization_id, support_entry_id)
  references public.support_entries (organization_id, id) on delete cascade,
  constraint calendar_feeds_name_is_a_name check (private.is_name(name, 120))
);

comment on table public.calendar_feeds is 'Who was given a feed of the venue''s sessions, of all or of some. Made and revoked through functions only; the token is kept elsewhere, as a hash.';
comment on column public.calendar_feeds.name is 'What the venue calls it, such as the calendar that subscribes.';
comment on column public.calendar_feeds.room_id is 'Only this room''s sessions; null: of every room.';
comment on column public.calendar_feeds.user_id is 'Only the sessions that this member runs; null: all. It opens while the membership is active.';
comment on column public.calendar_feeds.created_by is 'Null for an API key, and once the account is deleted.';
comment on column public.calendar_feeds.support_entry_id is 'The visit of the platform''s support that made it, and with which it ends; null: made by a member.';
comment on column public.calendar_feeds.revoked_at is 'From then on the token opens nothing.';

-- for: the foreign key, when a room is deleted
create index calendar_feeds_room_id_idx on public.calendar_feeds (organization_id, room_id);
-- for: a member's own feeds, and the foreign key
create index calendar_feeds_user_id_idx on public.calendar_feeds (organization_id, user_id);

-- for: what a person left open, and the foreign key
create index calendar_feeds_created_by_idx on public.calendar_feeds (created_by);
-- for: the foreign key
create index calendar_feeds_support_entry_id_idx on public.calendar_feeds (organization_id, support_entry_id);

grant select on public.calendar_feeds to authenticated;

alter table public.calendar_feeds enable row level security;

create trigger calendar_feeds_clean_names
before insert or update of name on public.calendar_feeds
for each row execute function private.clean_texts('names', 'name');

create policy calendar_feeds_select on public.calendar_feeds
for select to authenticated
using (organization_id = (select private.organization_with('calendars:read')));

create table private.calendar_feed_secrets (
  organization_id uuid not null,
  feed_id uuid not null,
  token_hash bytea not null,
  constraint calendar_feed_secrets_pkey primary key (organization_id, feed_id),
  constraint calendar_feed_secrets_feed_fkey foreign key (organization_id, feed_id)
  references public.calendar_feeds (organization_id, id) on delete cascade,
  constraint calendar_feed_secrets_token_hash_key unique (token_hash)
);

comment on table private.calendar_feed_secrets is
  'Hash of each feed''s token. Found by hash on the whole platform: the token is all that a subscriber brings.';

create function private.create_calendar_feed(organization_id uuid, name text, room_id uuid, user_id uuid)
returns public.issued_token
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  token text := private.random_token();
  feed_id uuid;
begin
  if not private.acts_for_oneself(create_calendar_feed.organization_id, create_calendar_feed.user_id) then
    perform private.require_permission(create_calendar_feed.organization_id, 'calendars:manage');
  end if;
  if private.is_name(private.clean_text(create_calendar_feed.name), 120) is not true then
    perform private.fail('name_invalid', 422, 'Give the feed a name of 1 to 120 characters.');
  elsif create_calendar_feed.room_id is not null and not exists (
    select from public.rooms as r
    where r.organization_id = create_calendar_feed.organization_id and r.id = create_calendar_feed.room_id
  ) then
    perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
  end if;
  if create_calendar_feed.user_id is not null then
    perform private.lock_member(create_calendar_feed.organization_id, create_calendar_feed.user_id);
  end if;
  insert into public.calendar_feeds (organization_id, name, room_id, user_id, created_by, support_entry_id)
  values (
    create_calendar_feed.organization_id, create_calendar_feed.name, create_calendar_feed.room_id,
    create_calendar_feed.user_id, private.calling_person(), private.current_visit(create_calendar_feed.organization_id)
  )
  returning id into feed_id;
  insert into private.calendar_feed_secrets (organization_id, feed_id, token_hash)
  values (create_calendar_feed.organization_id, feed_id, private.token_hash(token));
  return row(feed_id, token)::public.issued_token;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_calendar_feed is
  'definer: writes the token''s hash, which no client may see. Asks for calendars:manage, or for bookings:claim where it is one''s own.';
grant execute on function private.create_calendar_feed to authenticated;

create function public.create_calendar_feed(
  organization_id uuid,
  name text,
  room_id uuid default null,
  user_id uuid default null
)
returns public.issued_token
language sql
volatile
set search_path = ''
as $$ select private.create_calendar_feed(organization_id, name, room_id, user_id) $$;

comment on function public.create_calendar_feed is
  'Opens a feed: of the venue, of one room (room_id), of the sessions that a member runs (user_id), or of those in that room. The token is shown this once. Made in a visit of the platform''s support, it ends with the visit. For members with calendars:manage; of one''s own sessions (user_id: the caller) bookings:claim suffices. Errors: 403 permission_denied, organization_suspended; 404 room_not_found, member_not_found (also when suspended); 422 name_invalid.';
grant execute on function public.create_calendar_feed to authenticated;

create function private.revoke_calendar_feed(organization_id uuid, feed_id uuid)
returns public.revoked_token
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  revoked timestamptz;
  feed_user_id uuid := (
    select f.user_id
    from public.calendar_feeds as f
    where f.organization_id = revoke_calendar_feed.organization_id and f.id = revoke_calendar_feed.feed_id
  );
begin
  if not private.acts_for_oneself(revoke_calendar_feed.organization_id, feed_user_id) then
    perform private.require_permission(revoke_calendar_feed.organization_id, 'calendars:manage');
  end if;
  update public.calendar_feeds as f
  set revoked_at = coalesce(f.revoked_at, now())
  where f.organization_id = revoke_calendar_feed.organization_id and f.id = revoke_calendar_feed.feed_id
  returning f.revoked_at into revoked;
  if not found then
    perform private.fail('feed_not_found', 404, 'Check the id: the organization has no such feed.');
  end if;
  return row(revoke_calendar_feed.feed_id, revoked)::public.revoked_token;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.revoke_calendar_feed is
  'definer: writes revoked_at, which clients may not write. Asks for calendars:manage, or for bookings:claim where it is one''s own.';
grant execute on function private.revoke_calendar_feed to authenticated;

create function public.revoke_calendar_feed(organization_id uuid, feed_id uuid)
returns public.revoked_token
language sql
volatile
set search_path = ''
as $$ select private.revoke_calendar_feed(organization_id, feed_id) $$;

comment on function public.revoke_calendar_feed is
  'Closes a feed for good, from the next request on. For members with calendars:manage; for the feed of one''s own sessions bookings:claim suffices. Errors: 403 permission_denied, organization_suspended; 404 feed_not_found.';
grant execute on function public.revoke_calendar_feed to authenticated;

create type public.feed_session as (
  uid uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  room_name text,
  location text,
  status text,
  party_size int,
  booking_reference text,
  updated_at timestamptz,
  sequence bigint
);

comment on type public.feed_session is 'A session in a feed; it names no person.';
comment on column public.feed_session.uid is 'The same for ever.';
comment on column public.feed_session.starts_at is 'From when.';
comment on column public.feed_session.ends_at is 'Until when.';
comment on column public.feed_session.room_name is 'As it is called.';
comment on column public.feed_session.location is 'Name and address in one line, as the customer''s own event says it.';
comment on column public.feed_session.status is 'one of: held, confirmed, cancelled, block';
comment on column public.feed_session.party_size is 'People of all bookings; null: of a block.';
comment on column public.feed_session.booking_reference is 'Several, with commas, in a shared session; null: of a block.';
comment on column public.feed_session.updated_at is 'When anything of it last changed.';
comment on column public.feed_session.sequence is 'Grows with every change.';

create type public.calendar_feed as (
  name text,
  timezone text,
  updated_at timestamptz,
  version text,
  sessions public.feed_session []
);

comment on type public.calendar_feed is 'The sessions of a feed: the 2,000 next to now, from 30 days ago on.';
comment on column public.calendar_feed.name is 'Of the feed.';
comment on column public.calendar_feed.timezone is 'The room''s in the feed of a room, else the venue''s; IANA.';
comment on column public.calendar_feed.updated_at is 'When any of the sessions last changed; null: there are none.';
comment on column public.calendar_feed.version is 'A hash of all that is in it.';
comment on column public.calendar_feed.sessions is 'By time, at most 2,000: those since yesterday and to come, the nearest first, then the latest of 30 days.';

create function private.feed_sessions(organization_id uuid, room_id uuid, user_id uuid, most int)
returns uuid []
language plpgsql
stable
set search_path = ''
as $$
declare
  yesterday timestamptz := now() - interval '1 day';
  -- Each in the order of an index that holds nothing else, so that reading ends with the limit, however
  -- many sessions there are: with "room_id is null or …" a plan for all three would read them all.
  listed text := case
    when feed_sessions.user_id is not null then
      'select x.session_id as id, lower(x.during) as starts_at from public.session_staff as x'
      ' where x.organization_id = $1 and x.user_id = $2'
    when feed_sessions.room_id is not null then
      'select s.id, s.starts_at from public.sessions as s where s.organization_id = $1 and s.room_id = $2'
    else 'select s.id, s.starts_at from public.sessions as s where s.organization_id = $1'
  end;
  coming uuid [];
  past uuid [];
begin
  execute format('select array(select t.id from (%s) as t where t.starts_at >= $3 order by t.starts_at limit $4)', listed)
  into coming
  using feed_sessions.organization_id, coalesce(feed_sessions.user_id, feed_sessions.room_id), yesterday, most;
  execute format(
    'select array(select t.id from (%s) as t where t.starts_at >= $3 and t.starts_at < $4 order by t.starts_at desc limit $5)',
    listed
  )
  into past
  using feed_sessions.organization_id, coalesce(feed_sessions.user_id, feed_sessions.room_id),
    now() - interval '30 days', yesterday, most - cardinality(coming);
  return coming || past;
end
$$;

comment on function private.feed_sessions is
  'The sessions that a feed looks at, shown in it or not: those since yesterday and to come, the nearest first, then those of the last 30 days, the latest first; at most so many.';

create function private.get_calendar_feed(token text)
returns public.calendar_feed
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  feed record;
  looked_at uuid [];
  sessions public.feed_session [];
begin
  select f.organization_id, f.id, f.name, f.room_id, f.user_id, coalesce(l.timezone, o.timezone) as timezone
  into feed
  from private.calendar_feed_secrets as s
  join public.calendar_feeds as f on f.organization_id = s.organization_id and f.id = s.feed_id
  join public.organizations as o on o.id = f.organization_id
  left join public.rooms as r on r.organization_id = f.organization_id and r.id = f.room_id
  left join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where s.token_hash = private.token_hash(get_calendar_feed.token)
    and f.revoked_at is null
    and not private.visit_is_over(f.organization_id, f.support_entry_id)
    and (
      f.user_id is null
      or exists (
        select from private.active_memberships as m
        where m.organization_id = f.organization_id and m.user_id = f.user_id
      )
    )
    and o.status <> 'closed';
  -- All subscribers come by the address of the edge function: who has a token is counted by it, and who
  -- guesses takes nothing from them. The look-up before is one step in an index.
  if not found then
    perform private.count_attempt();
    perform private.limit_rate('public_read', 'address', private.client_address());
    perform private.fail('feed_not_found', 404, 'Ask the venue for a new address of its calendar.');
  end if;
  perform private.limit_rate('calendar_feed', 'target', feed.id::text);

  -- 2,000 are a week of 26 rooms with ten games a day, all sold. Five times as many are looked at, since
  -- those that were let go are not shown: 10,000 blocks of 60,000 take 0.03 to 0.09 s and count ten times more.
  looked_at := private.feed_sessions(feed.organization_id, feed.room_id, feed.user_id, 10000);
  perform private.count_attempt(cardinality(looked_at) / 1000);

  -- No person is named: a feed's address travels further than one would like. What was
  -- only held and let go is left out, as if it had never been; a cancelled booking stays,
  -- so that a calendar program takes it down.
  select coalesce(array_agg(shown.session order by (shown.session).starts_at, (shown.session).uid), '{}')
  into sessions
  from (
    select row(
      s.id,
      s.starts_at,
      s.ends_at,
      r.name,
      private.location_line(l),
      case
        when s.mode = 'block' then 'block'
        when s.status = 'cancelled' then 'cancelled'
        when b.confirmed then 'confirmed'
        else 'held'
      end,
      b.party_size,
      b.references,
      greatest(s.updated_at, b.updated_at),
      -- Grows with every change, which is all that RFC 5545 asks of it.
      floor(extract(epoch from greatest(s.updated_at, b.updated_at) - s.created_at))::bigint
    )::public.feed_session as session
    from unnest(looked_at) with ordinality as looked (id, place)
    join public.sessions as s on s.organization_id = feed.organization_id and s.id = looked.id
    join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    cross join lateral (
      select
        sum(k.party_size) filter (where k.counts)::int as party_size,
        string_agg(k.reference, ', ' order by k.reference) filter (where k.counts) as references,
        coalesce(bool_or(k.counts and k.status not in ('held', 'pending')), false) as confirmed,
        coalesce(bool_or(k.counts), false) as any_counts,
        max(k.updated_at) as updated_at
      from (
        select
          q.*,
          -- Of a session that stands its live bookings count, of a cancelled one those that
          -- had been announced.
          case
            when s.status = 'cancelled' then q.status = 'cancelled' and exists (
              select from public.booking_history as h
              where h.organization_id = q.organization_id and h.booking_id = q.id and h.to_status = 'confirmed'
            )
            else q.takes_capacity and coalesce(q.hold_expires_at > now(), true)
          end as counts
        from public.bookings as q
        where q.organization_id = s.organization_id and q.session_id = s.id
      ) as k
    ) as b
    -- Of a member's feed what the member no longer runs is gone at the next look, cancelled or given to
    -- somebody else; and so is a block that was lifted.
    where (feed.room_id is null or s.room_id = feed.room_id)
      and (b.any_counts or s.mode = 'block' and s.status = 'scheduled')
    order by looked.place
    limit 2000
  ) as shown;

  return row(
    feed.name,
    feed.timezone,
    (select max(e.updated_at) from unnest(sessions) as e),
    encode(sha256(convert_to(concat_ws(' ', feed.name, feed.timezone, sessions), 'UTF8')), 'hex'),
    sessions
  )::public.calendar_feed;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_calendar_feed is
  'definer: anonymous callers may read no table. The token decides what is shown.';
grant execute on function private.get_calendar_feed to anon, authenticated;

create function public.get_calendar_feed(token text)
returns public.calendar_feed
language sql
volatile
set search_path = ''
as $$ select private.get_calendar_feed(token) $$;

comment on function public.get_calendar_feed is
  'The sessions of a feed, at most 2,000: those since yesterday and to come, the nearest first, then those of the last 30 days, the latest first (answered by time). It looks at 10,000 at most, and counts in the rate limit of its caller''s address once for each 1,000; a feed may be read 60 times a minute. timezone: the room''s in the feed of a room, else the venue''s. It names no person. For anybody who has the token. Errors: 404 feed_not_found for a token that is wrong or revoked, whose member is suspended or has left, or whose visit is over; 429 rate_limited.';
grant execute on function public.get_calendar_feed to anon, authenticated;
