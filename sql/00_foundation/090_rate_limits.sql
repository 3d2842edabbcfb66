-- Rate limits: fixed windows, counted in the database, by address and by target.
--
-- Two counts. private.limit_rate counts exactly, in a table, what is done: a request that is refused
-- takes its count back with it. private.count_attempt counts what is asked for, whatever comes of it,
-- in sequences, which no rollback turns back: so nobody asks for ever what is always refused, or what
-- always runs into the statement's time-out.

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
('attempt', 'address', 1000, 60, 'Questions of visitors from one address, refused ones too; dear ones count several times'),
('public_read', 'address', 600, 60, 'Calendars, availability, quotes and bookings read by one address'),
('calendar_feed', 'target', 60, 60, 'One calendar feed read by everybody who subscribed to it'),
('hold_booking', 'address', 30, 60, 'Places held by one address'),
('hold_booking', 'target', 600, 60, 'Places held in one calendar by everybody'),
('try_code', 'address', 120, 3600, 'Codes of coupons and vouchers tried by one address'),
('order_voucher', 'address', 20, 3600, 'Gift vouchers ordered by one address'),
('order_voucher', 'target', 300, 3600, 'Gift vouchers ordered of one venue by everybody'),
('split_booking', 'target', 20, 86400, 'Times that the payment of one booking is split'),
('manage_booking', 'address', 60, 60, 'Bookings looked up or changed with a token by one address'),
('mail_links', 'address', 10, 3600, 'Mails with links to one''s own bookings asked for by one address'),
('join_organization', 'user', 10, 3600, 'Join codes tried by one user'),
('join_organization', 'address', 20, 3600, 'Join codes tried by one address'),
('accept_invitation', 'user', 20, 3600, 'Invitation tokens tried by one user'),
-- A link of Auth's works for an hour: private.count_auth_mail.
('auth_mail', 'target', 6, 3600, 'Mails of Auth to one mailbox in an hour'),
('auth_mail_day', 'target', 20, 86400, 'Mails of Auth to one mailbox in a day, but one an hour always'),
('invite_member', 'target', 100, 86400, 'Invitations sent by one organization'),
('create_organization', 'user', 10, 86400, 'Organizations opened by one user'),
('open_checkout', 'address', 30, 60, 'Payment pages asked for by one address'),
('exchange_api_key', 'address', 60, 60, 'Token exchanges by one address'),
('exchange_api_key', 'target', 60, 60, 'Token exchanges of one key')
on conflict (action, scope) do update
set max_hits = excluded.max_hits,
  window_seconds = excluded.window_seconds,
  description = excluded.description;

create function private.address_block(address text)
returns text
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  -- An IPv4 address that a proxy wrote as IPv6.
  plain text := regexp_replace(address, '^::ffff:(\d+\.\d+\.\d+\.\d+)$', '\1', 'i');
begin
  -- Whatever else stands there is a name of its own: it is counted, too.
  if not pg_input_is_valid(plain, 'inet') or family(plain::inet) = 4 then
    return plain;
  end if;
  return network(set_masklen(plain::inet, 64))::text;
end
$$;

comment on function private.address_block is
  'Whom an address stands for: itself, or for IPv6 its /64, of which one customer of a provider has them all.';

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
  return private.address_block(coalesce(
    nullif(headers ->> 'cf-connecting-ip', ''),
    nullif(trim(split_part(headers ->> 'x-forwarded-for', ',', 1)), '')
  ));
end
$$;

comment on function private.client_address is
  'The address that the request came from, as the gateway states it, or its /64 for IPv6; null outside a request.';

create function private.fail_with_retry(retry_after_seconds int)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.keep_out_of_log();
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

comment on function private.fail_with_retry is 'Refuses a request with 429 rate_limited and a Retry-After header, in seconds.';

create function private.rate_limit_rule(action text, scope text)
returns private.rate_limit_rules
language plpgsql
stable
set search_path = ''
as $$
declare
  rule private.rate_limit_rules;
begin
  select r.* into strict rule
  from private.rate_limit_rules as r
  where r.action = rate_limit_rule.action and r.scope = rate_limit_rule.scope;
  return rule;
end
$$;

comment on function private.rate_limit_rule is
  'The limit of an action and scope; one that nobody has set is a mistake, and raises no_data_found.';

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
  rule := private.rate_limit_rule(limit_rate.action, limit_rate.scope);

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

comment on function private.limit_rate is
  'definer: writes counters that no client may touch. Counts a request and raises 429 rate_limited above the rule; a null subject is not counted. The count of a request that fails afterwards is rolled back with it: where a failure is a guess at a secret, answer through private.refusal instead of raising.';

-- A count-min sketch: two rows of cells, each a sequence. An address has one cell in either row, by a
-- keyed hash that changes with every window; its count is the smaller of the two, never less than
-- what it asked. A cell's value is when its window began (Unix seconds) times 2^24, plus the count, so an
-- old one shows that it is. Sequences are not rolled back, wait for no transaction, and unlogged ones write
-- no WAL: 0.05 ms a question. (128 of them add 2 MB to a database and 0.05 s to a copy of it.)
--
-- What a collision does: an innocent address is refused only if both of its cells are shared with
-- addresses that are over the limit. While there is one of those, this is one address in 4,096; with
-- ten of them one in 50, for the rest of the minute. All cells together run over at 64,000 questions
-- a minute, which is more than two cores answer.
do $$
begin
  for depth in 1..2 loop
    for place in 0..63 loop
      execute format('create unlogged sequence if not exists private.attempts_%s_%s', depth, place);
    end loop;
  end loop;
end
$$;

create function private.refuse_long_query(maximum int)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  -- The statement that the request became. What is asked for is in its text, what is sent is not:
  -- a column that is named a thousand times makes a thousand of it in every row of the answer.
  if length(current_query()) > maximum then
    perform private.fail('query_too_long', 414, 'Ask for fewer columns at once, or for all of them by *.');
  end if;
end
$$;

comment on function private.refuse_long_query is
  'Refuses a request whose select and conditions make a statement of more characters than maximum; values are parameters and do not count. Raises 414 query_too_long.';

create function private.count_attempt(weight int default 1)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  address text := private.client_address();
  claims jsonb := coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
  rule private.rate_limit_rules;
  began bigint;
  hash bytea;
  cell regclass;
  opened bigint;
  value bigint;
  counted bigint;
begin
  if current_setting('log_min_messages') = 'log' then
    perform private.log_failures();
  end if;
  -- The longest that a visitor needs, hold_booking with all that it answers, is about 3,000.
  perform private.refuse_long_query(6000);
  -- Nobody's: the owner's own session. The service asks for many from its one address.
  if address is null or claims ->> 'role' = 'service_role' or weight < 1 then
    return;
  end if;
  -- Nothing can be counted in the transaction that PostgREST opens for these.
  if current_setting('request.method', true) in ('GET', 'HEAD') and current_setting('transaction_read_only') = 'on' then
    perform private.fail('post_required', 405, 'Ask by POST, with the arguments as JSON: what visitors ask is counted.');
  end if;
  rule := private.rate_limit_rule('attempt', 'address');
  -- Not now(): what is asked in a long transaction is asked when it is.
  began := floor(extract(epoch from clock_timestamp()) / rule.window_seconds)::bigint * rule.window_seconds;
  hash := private.token_hash(private.derived_token('attempt', began || '/' || address));
  opened := began << 24;
  for depth in 1..2 loop
    cell := format('private.attempts_%s_%s', depth, get_byte(hash, depth) % 64)::regclass;
    for repetition in 1..weight loop
      value := nextval(cell);
    end loop;
    if value < opened then
      value := setval(cell, opened + weight);
    end if;
    counted := least(counted, value & 16777215);
  end loop;
  if counted > rule.max_hits then
    perform private.fail_with_retry(
      greatest(1, ceil(began + rule.window_seconds - extract(epoch from clock_timestamp()))::int)
    );
  end if;
end
$$;

comment on function private.count_attempt is
  'definer: reads the signing key and counts where no client may. Counts a question of the request''s address, as many times as it weighs, and raises 429 rate_limited above the rule, 405 post_required for a GET, 414 query_too_long for a question that names columns without end; the count stays whatever becomes of the question. First in whatever a visitor may call. Not for the service, nor outside a request.';

create function private.refusal(code text, status int, hint text)
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

comment on function private.refusal is
  'The same answer as private.fail, but the transaction commits: a wrong guess stays counted by private.limit_rate.';

create function private.limit_checkouts(address text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.limit_rate('open_checkout', 'address', private.address_block(limit_checkouts.address));
end
$$;

comment on function private.limit_checkouts is 'definer: the service may call nothing private.';
grant execute on function private.limit_checkouts to service_role;

create function service.limit_checkouts(address text)
returns void
language sql
volatile
set search_path = ''
as $$ select private.limit_checkouts(address) $$;

comment on function service.limit_checkouts is
  'Counts a payment page that somebody at the address asks for, in a transaction of its own, so that it stays counted when it is refused. Errors: 429 rate_limited.';
grant execute on function service.limit_checkouts to service_role;
