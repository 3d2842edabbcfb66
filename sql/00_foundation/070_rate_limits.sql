-- Rate limits: fixed windows, counted in the database, by address and by target.

create unlogged table private.rate_limits (
  action text not null,
  subject text not null,
  window_start timestamptz not null,
  hits int not null default 1,
  constraint rate_limits_pkey primary key (action, subject, window_start)
);

comment on table private.rate_limits is
  'One counter an action, subject and window. Unlogged: a crash forgives what was counted, and nothing else.';
comment on column private.rate_limits.subject is 'A hash of an address, an account or a target; never the thing itself.';

-- for: the sweep, which deletes windows that are over
create index rate_limits_window_start_idx on private.rate_limits (window_start);

create table private.rate_limit_rules (
  action text not null,
  scope text not null,
  max_hits int not null,
  window_seconds int not null,
  description text not null,
  constraint rate_limit_rules_pkey primary key (action, scope),
  constraint rate_limit_rules_scope_is_known check (scope in ('address', 'target', 'user')),
  constraint rate_limit_rules_max_hits_is_positive check (max_hits > 0),
  constraint rate_limit_rules_window_is_positive check (window_seconds > 0)
);

comment on table private.rate_limit_rules is
  'reference data. How many requests of an action one address, target or user may make in a window.';

comment on column private.rate_limit_rules.scope is 'What is counted: the requests of an address or a user, or those to a target.';

insert into private.rate_limit_rules (action, scope, max_hits, window_seconds, description)
values
('public_read', 'address', 600, 60, 'Calendars, availability, quotes and bookings read by one address'),
('hold_booking', 'address', 30, 60, 'Places held by one address'),
('hold_booking', 'target', 600, 60, 'Places held in one calendar by everybody'),
('try_code', 'address', 120, 3600, 'Codes of coupons and vouchers tried by one address'),
('manage_booking', 'address', 60, 60, 'Bookings looked up or changed with a token by one address'),
('join_organization', 'user', 10, 3600, 'Join codes tried by one user'),
('join_organization', 'address', 20, 3600, 'Join codes tried by one address'),
('accept_invitation', 'user', 20, 3600, 'Invitation tokens tried by one user'),
('invite_member', 'target', 100, 86400, 'Invitations sent by one organization'),
('create_organization', 'user', 10, 86400, 'Organizations opened by one user'),
('exchange_api_key', 'address', 60, 60, 'Token exchanges by one address'),
('exchange_api_key', 'target', 60, 60, 'Token exchanges of one key')
on conflict (action, scope) do update
set max_hits = excluded.max_hits,
  window_seconds = excluded.window_seconds,
  description = excluded.description;

create function private.client_address()
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  headers json := coalesce(nullif(current_setting('request.headers', true), ''), '{}')::json;
begin
  -- Hosted projects stand behind Cloudflare, which sets cf-connecting-ip; the local
  -- gateway overwrites both headers, so a client cannot choose its own address.
  return coalesce(
    nullif(headers ->> 'cf-connecting-ip', ''),
    nullif(trim(split_part(headers ->> 'x-forwarded-for', ',', 1)), '')
  );
end
$$;

comment on function private.client_address() is 'The address that the request came from, as the gateway states it; null outside a request.';

create function private.fail_with_retry(retry_after_seconds int)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- sqlstate PGRST lets a function set status and headers together:
  -- docs.postgrest.org, "Raise errors with HTTP status codes".
  raise exception using
    errcode = 'PGRST',
    message = jsonb_build_object(
      'code', 'PT429',
      'message', 'rate_limited',
      'hint', 'Wait for retry_after_seconds, then try again.',
      'details', jsonb_build_object('retry_after_seconds', retry_after_seconds)::text
    )::text,
    detail = jsonb_build_object(
      'status', 429,
      'status_text', 'Too Many Requests',
      'headers', jsonb_build_object('Retry-After', retry_after_seconds::text)
    )::text;
end
$$;

comment on function private.fail_with_retry(int) is 'Refuses a request with 429 rate_limited and a Retry-After header, in seconds.';

create function private.limit_rate(action text, scope text, subject text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  rule private.rate_limit_rules;
  opened timestamptz;
  counted int;
begin
  if limit_rate.subject is null then
    return; -- nobody's: the owner's own session, not a request
  end if;
  select r.* into strict rule
  from private.rate_limit_rules as r
  where r.action = limit_rate.action and r.scope = limit_rate.scope;

  opened := to_timestamp(
    floor(extract(epoch from now()) / rule.window_seconds) * rule.window_seconds
  );
  insert into private.rate_limits as l (action, subject, window_start)
  values (
    limit_rate.action || '/' || limit_rate.scope,
    encode(private.token_hash(limit_rate.subject), 'hex'),
    opened
  )
  on conflict on constraint rate_limits_pkey do update set hits = l.hits + 1
  returning l.hits into counted;

  if counted > rule.max_hits then
    perform private.fail_with_retry(
      greatest(1, ceil(extract(epoch from opened) + rule.window_seconds - extract(epoch from now()))::int)
    );
  end if;
end
$$;

comment on function private.limit_rate(text, text, text) is
  'definer: writes counters that no client may touch. Counts a request and raises 429 rate_limited above the rule; a null subject is not counted. The count of a request that fails afterwards is rolled back with it: where a failure is a guess at a secret, answer through private.refuse instead of raising.';

create function private.refuse(code text, status int, hint text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('response.status', status::text, true);
  return jsonb_build_object('code', 'PT' || status, 'message', code, 'hint', hint, 'details', '');
end
$$;

comment on function private.refuse(text, int, text) is
  'The same answer as private.fail, but the transaction commits: a wrong guess stays counted by private.limit_rate.';
