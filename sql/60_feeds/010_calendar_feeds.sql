-- Calendar feeds: a venue's sessions for a calendar program, by a secret address.

create table public.calendar_feeds (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  name text not null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  constraint calendar_feeds_pkey primary key (organization_id, id),
  constraint calendar_feeds_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint calendar_feeds_name_has_1_to_120_characters check (length(trim(name)) between 1 and 120)
);

comment on table public.calendar_feeds is 'Who was given a feed of the venue''s sessions. Made and revoked through functions only; the token is kept elsewhere, as a hash.';
comment on column public.calendar_feeds.name is 'What the venue calls it, such as the calendar that subscribes.';
comment on column public.calendar_feeds.revoked_at is 'From then on the token opens nothing.';

grant select on public.calendar_feeds to authenticated;

alter table public.calendar_feeds enable row level security;

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

create function private.create_calendar_feed(organization_id uuid, name text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  token text := private.random_token();
  feed_id uuid;
begin
  perform private.require_permission(create_calendar_feed.organization_id, 'calendars:manage');
  if length(trim(coalesce(create_calendar_feed.name, ''))) not between 1 and 120 then
    perform private.fail('name_invalid', 422, 'Give the feed a name of 1 to 120 characters.');
  end if;
  insert into public.calendar_feeds (organization_id, name)
  values (create_calendar_feed.organization_id, trim(create_calendar_feed.name))
  returning id into feed_id;
  insert into private.calendar_feed_secrets (organization_id, feed_id, token_hash)
  values (create_calendar_feed.organization_id, feed_id, private.token_hash(token));
  return jsonb_build_object('id', feed_id, 'token', token);
end
$$;

comment on function private.create_calendar_feed(uuid, text) is
  'definer: writes the token''s hash, which no client may see. Asks for calendars:manage.';
grant execute on function private.create_calendar_feed(uuid, text) to authenticated;

create function public.create_calendar_feed(organization_id uuid, name text)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.create_calendar_feed(organization_id, name) $$;

comment on function public.create_calendar_feed(uuid, text) is
  'Staff with calendars:manage open a feed. Returns {id, token}; the token is shown this once. Errors: 403 permission_denied, organization_suspended; 422 name_invalid.';
grant execute on function public.create_calendar_feed(uuid, text) to authenticated;

create function private.revoke_calendar_feed(organization_id uuid, feed_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  revoked timestamptz;
begin
  perform private.require_permission(revoke_calendar_feed.organization_id, 'calendars:manage');
  update public.calendar_feeds as f
  set revoked_at = coalesce(f.revoked_at, now())
  where f.organization_id = revoke_calendar_feed.organization_id and f.id = revoke_calendar_feed.feed_id
  returning f.revoked_at into revoked;
  if not found then
    perform private.fail('feed_not_found', 404, 'Check the id: the organization has no such feed.');
  end if;
  return jsonb_build_object('id', revoke_calendar_feed.feed_id, 'revoked_at', revoked);
end
$$;

comment on function private.revoke_calendar_feed(uuid, uuid) is
  'definer: writes revoked_at, which clients may not write. Asks for calendars:manage.';
grant execute on function private.revoke_calendar_feed(uuid, uuid) to authenticated;

create function public.revoke_calendar_feed(organization_id uuid, feed_id uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.revoke_calendar_feed(organization_id, feed_id) $$;

comment on function public.revoke_calendar_feed(uuid, uuid) is
  'Staff with calendars:manage close a feed for good, from the next request on. Returns {id, revoked_at}. Errors: 403 permission_denied, organization_suspended; 404 feed_not_found.';
grant execute on function public.revoke_calendar_feed(uuid, uuid) to authenticated;

create function private.get_calendar_feed(token text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  feed record;
  sessions jsonb;
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  select f.organization_id, f.name, o.timezone
  into feed
  from private.calendar_feed_secrets as s
  join public.calendar_feeds as f on f.organization_id = s.organization_id and f.id = s.feed_id
  join public.organizations as o on o.id = f.organization_id
  where s.token_hash = private.token_hash(get_calendar_feed.token)
    and f.revoked_at is null
    and o.status <> 'closed';
  if not found then
    perform private.fail('feed_not_found', 404, 'Ask the venue for a new address of its calendar.');
  end if;

  -- No person is named: a feed's address travels further than one would like. What was
  -- only held and let go is left out, as if it had never been; a cancelled booking stays,
  -- so that a calendar program takes it down.
  select coalesce(jsonb_agg(
    jsonb_build_object(
      'uid', s.id,
      'starts_at', s.starts_at,
      'ends_at', s.ends_at,
      'room_name', r.name,
      'status', case
        when s.mode = 'block' then 'block'
        when s.status = 'cancelled' then 'cancelled'
        when b.confirmed then 'confirmed'
        else 'held'
      end,
      'party_size', b.party_size,
      'booking_reference', b.references,
      'updated_at', greatest(s.updated_at, b.updated_at),
      -- Grows with every change, which is all that RFC 5545 asks of it.
      'sequence', floor(extract(epoch from greatest(s.updated_at, b.updated_at) - s.created_at))::bigint
    )
    order by s.starts_at, s.id
  ), '[]')
  into sessions
  from public.sessions as s
  join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
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
  where s.organization_id = feed.organization_id
    and s.starts_at >= now() - interval '30 days'
    and (b.any_counts or s.mode = 'block');

  return jsonb_build_object(
    'name', feed.name,
    'timezone', feed.timezone,
    'updated_at', (select max((e.value ->> 'updated_at')::timestamptz) from jsonb_array_elements(sessions) as e),
    'version', encode(sha256(convert_to(concat_ws(' ', feed.name, feed.timezone, sessions), 'UTF8')), 'hex'),
    'sessions', sessions
  );
end
$$;

comment on function private.get_calendar_feed(text) is
  'definer: anonymous callers may read no table. The token decides which venue is shown.';
grant execute on function private.get_calendar_feed(text) to anon, authenticated;

create function public.get_calendar_feed(token text)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.get_calendar_feed(token) $$;

comment on function public.get_calendar_feed(text) is
  'A venue''s sessions from 30 days ago on: {name, timezone, updated_at, version (a hash of all that follows), sessions: [{uid, starts_at, ends_at, room_name, status: held, confirmed, cancelled or block, party_size, booking_reference (several, with commas, in a shared session), updated_at, sequence}]}. Errors: 404 feed_not_found for a token that is wrong or revoked; 429 rate_limited.';
grant execute on function public.get_calendar_feed(text) to anon, authenticated;
