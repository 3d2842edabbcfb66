-- What PostgREST asks before every request, as the request's role (db-pre-request). It checks the
-- signature, the times and the audience of a token itself, and has no setting for the issuer, nor one
-- against counts by the planner, which knows all tenants' rows and no policy.

create table private.token_issuers (
  issuer text not null,
  constraint token_issuers_pkey primary key (issuer)
);

comment on table private.token_issuers is
  'The issuers whose tokens are taken; with no row, any. For projects that share a signing key with others.';

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
  -- Wherever it stands in the list and however it is written: what PostgREST does not read as a wish
  -- today it may read as one tomorrow.
  if headers ->> 'prefer' ~* 'count[[:space:]]*=[^,;]*(planned|estimated)' then
    perform private.fail('count_not_exact', 400, 'Ask for count=exact: an estimate would count rows that are not yours.');
  elsif headers ->> 'accept' ~* 'vnd\.pgrst\.plan' then
    perform private.fail('plan_refused', 406, 'Ask for JSON: a plan would tell of rows that are not yours.');
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
  -- Whoever asks again in this request need not look again.
  perform set_config('escapemaster.session_checked', 'yes', true);
end
$$;

comment on function private.check_request is
  'definer: reads private.token_issuers for every role. Raises 401 token_invalid for a token that names an issuer which is not listed, session_ended for one from before its account proved its address, and for every role 400 count_not_exact and 406 plan_refused for what would be answered from statistics.';
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
  ) then
    alter role authenticator set pgrst.db_pre_request = 'private.check_request';
    alter role authenticator set pgrst.db_plan_enabled = 'false';
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
  'Lets PostgREST ask private.check_request. Run by the migration; where the owner may not set it, it warns and the operator does it.';

select private.ask_before_requests();
