-- What PostgREST asks before every request, as the request's role (db-pre-request). It checks the
-- signature, the times and the audience of a token itself, and has no setting for the issuer, nor one
-- against counts by the planner, which knows all tenants' rows and no policy.

create table private.token_issuers (
  issuer text not null,
  constraint token_issuers_pkey primary key (issuer)
);

comment on table private.token_issuers is
  'The issuers whose tokens are taken; with no row, any. For projects that share a signing key with others.';

create function private.check_body(headers json, is_visitor boolean)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  given text := coalesce(headers ->> 'content-length', '0');
  size numeric := case when given ~ '^[0-9]{1,18}$' then given else '1000000000' end;
  maximum int := case when is_visitor then 262144 else 1048576 end;
begin
  if headers ->> 'transfer-encoding' ~* 'chunked' then
    perform private.fail('length_required', 411, 'Send the body with its Content-Length.');
  elsif size <= 4000 then
    return;
  end if;
  -- PostgreSQL writes what it cannot read as a number, a date or an id into its log, all of it.
  perform private.keep_out_of_log();
  if size > maximum then
    perform private.fail(
      'body_too_large', 413, 'Send less at once: 256 kB, or 1 MB when signed in.',
      jsonb_build_object('maximum_bytes', maximum)
    );
  elsif is_visitor and current_setting('transaction_read_only') = 'off' then
    -- 20 kB cost about what a plain question does, whether or not what they say can be read.
    perform private.count_attempt(ceil(size / 20000)::int);
  end if;
end
$$;

comment on function private.check_body is
  'Bounds what a request may send, and counts a visitor''s large ones by their size, before anything reads them. Raises 411 length_required, 413 body_too_large (details {"maximum_bytes"}), 429 rate_limited.';

create function private.take_turn(caller text, most int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  first bigint := hashtextextended(caller, 0) & ~63::bigint;
begin
  for turn in 1..most loop
    -- Given back when the request ends, however it ends; allowed where nothing may be written.
    if pg_try_advisory_xact_lock(first + turn) then
      return turn;
    end if;
  end loop;
  return null;
end
$$;

comment on function private.take_turn is
  'Which of the caller''s requests that run now this one is, from 1; null: there are as many as may be, at most 63.';

create function private.slow_requests(caller text)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  first bigint := hashtextextended(caller, 0) & ~63::bigint;
  upper_half oid := (first >> 32) & 4294967295;
  lower_half bigint := first & 4294967295;
begin
  return (
    select count(*)
    from pg_catalog.pg_locks as l
    cross join lateral pg_catalog.pg_stat_get_activity(l.pid) as a
    where l.locktype = 'advisory' and l.objsubid = 1 and l.classid = upper_half
      and l.objid::bigint between lower_half and lower_half + 63
      and a.datid = l.database
      and a.xact_start < clock_timestamp() - interval '1 second'
  );
end
$$;

comment on function private.slow_requests is
  'How many of the caller''s requests (private.take_turn) have been running for over a second. 0.3 ms: for whoever has several at once only.';

create function private.refuse_crowding(claims jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  person text := 'person ' || coalesce(claims ->> 'api_key_id', claims ->> 'sub');
  -- Several people may share it; null: not by a gateway.
  network text := 'network ' || private.client_address();
  -- A page of an app asks for six to twelve things at once; they are answered in some milliseconds.
  turn int := private.take_turn(person, 12);
  network_turn int := case when network is not null then private.take_turn(network, 63) end;
  bearable interval;
begin
  -- What was asked for cannot be seen here (embeddings are in the query), only how long it takes. So
  -- three may take their time, and others run beside them as long as these are quick.
  if turn is null
    or (turn > 3 and private.slow_requests(person) >= 2)
    or (network_turn > 12 and private.slow_requests(network) >= 8)
  then
    perform private.fail_with_retry(1);
  elsif turn > 3 then
    bearable := case
      when current_setting('request.method', true) in ('GET', 'HEAD') then interval '2 seconds'
      else interval '4 seconds'
    end;
    if current_setting('statement_timeout')::interval not between interval '1 microsecond' and bearable then
      -- Holds for what the request does, the next statement.
      perform set_config('statement_timeout', (extract(epoch from bearable) * 1000)::int::text, true);
    end if;
  end if;
end
$$;

comment on function private.refuse_crowding is
  'Keeps what one person, API key or network address has running at once from holding up everybody else. Raises 429 rate_limited; no more than 12 at once for a person, and beside two slow ones no more than three; for a network, beside eight slow ones no more than twelve. From a person''s fourth on they end after 2 s (reading) or 4 s. 0.02 ms.';

create function private.check_request()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  claims jsonb := coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
  -- PostgREST hands the names over in lower case.
  headers json := coalesce(nullif(current_setting('request.headers', true), ''), '{}')::json;
begin
  -- What service.health tells the operator.
  perform set_config('escapemaster.request_checked', 'true', true);
  -- The request is read after this, by PostgreSQL: what it cannot read is no failure of ours.
  if claims ->> 'role' is distinct from 'service_role' then
    perform private.await_input();
  end if;
  if claims ->> 'role' is distinct from 'service_role'
    and (length(headers ->> 'content-length') > 3 or headers ->> 'transfer-encoding' is not null)
  then
    perform private.check_body(headers, claims ->> 'role' is distinct from 'authenticated');
  end if;
  -- Wherever it stands in the list and however it is written: what PostgREST does not read as a wish
  -- today it may read as one tomorrow.
  if headers ->> 'prefer' ~* 'count[[:space:]]*=[^,;]*(planned|estimated)' then
    perform private.fail('count_not_exact', 400, 'Ask for count=exact: an estimate would count rows that are not yours.');
  elsif headers ->> 'accept' ~* 'vnd\.pgrst\.plan' then
    perform private.fail('plan_refused', 406, 'Ask for JSON: a plan would tell of rows that are not yours.');
  end if;
  -- The description of all tables and functions: 0.1 s of work, and no client of ours reads it.
  if claims ->> 'role' is distinct from 'service_role' and trim(current_setting('request.path', true), '/') = '' then
    perform private.fail('description_refused', 403, 'Read docs/functions.md and docs/tables.md, or use the generated types.');
  end if;
  -- The keys' tokens, anon and service_role, are the gateway's own.
  if claims ->> 'role' = 'authenticated'
    and claims ? 'iss'
    and exists (select from private.token_issuers)
    and not exists (select from private.token_issuers as i where i.issuer = claims ->> 'iss')
  then
    perform private.fail('token_invalid', 401, 'Sign in again: the token is another project''s.');
  end if;
  perform private.refuse_ended_session(claims);
  if claims ->> 'role' = 'authenticated' then
    perform private.refuse_crowding(claims);
  end if;
  -- Whoever asks again in this request need not look again.
  perform set_config('escapemaster.session_checked', 'yes', true);
end
$$;

comment on function private.check_request is
  'definer: reads private.token_issuers for every role. Raises 401 token_invalid for a token that names an issuer which is not listed, session_ended for one from before its account proved its address, for every role 400 count_not_exact and 406 plan_refused for what would be answered from statistics, and for all but the service 403 description_refused for the description of everything, 411 length_required, 413 body_too_large and 429 rate_limited for what it sends or has running.';
grant execute on function private.check_request to anon, authenticated, service_role;

create function private.ask_before_requests()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- PostgREST reads its settings from the role that it logs in as, before its own configuration. The
  -- role is the cluster's: databases that are made at the same time do not all change it.
  if not exists (
    select from pg_catalog.pg_db_role_setting as s
    where s.setrole = 'authenticator'::regrole
      and s.setdatabase = 0
      and s.setconfig @> '{pgrst.db_pre_request=private.check_request,pgrst.db_plan_enabled=false}'
      and s.setconfig @> '{idle_in_transaction_session_timeout=60s}'
  ) then
    alter role authenticator set pgrst.db_pre_request = 'private.check_request';
    alter role authenticator set pgrst.db_plan_enabled = 'false';
    -- PostgREST never pauses within a transaction: one that does has lost its client, and holds locks.
    alter role authenticator set idle_in_transaction_session_timeout = '60s';
    notify pgrst, 'reload config';
  end if;
exception
when internal_error then
  null; -- "tuple concurrently updated": another database of the cluster sets the same just now
when insufficient_privilege then
  raise warning 'PostgREST does not ask private.check_request: %', sqlerrm
    using hint = 'Set pgrst.db_pre_request for the role authenticator, as README says; GET /health/ready of the service tells whether it does.';
end
$$;

comment on function private.ask_before_requests is
  'Lets PostgREST ask private.check_request, and ends transactions that it left open. Run by the migration; where the owner may not set it, it warns and the operator does it.';

select private.ask_before_requests();
