-- What PostgREST asks before every request, as the request's role (db-pre-request). It checks the
-- signature, the times and the audience of a token itself, and has no setting for the issuer.

create table private.token_issuers (
  issuer text not null,
  constraint token_issuers_pkey primary key (issuer)
);

comment on table private.token_issuers is
  'The issuers whose tokens are taken; with no row, any. For projects that share a signing key with others.';

create function private.check_request()
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  claims jsonb := coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
begin
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

comment on function private.check_request() is
  'definer: reads private.token_issuers for every role. Raises 401 token_invalid for a token that names an issuer which is not listed, and session_ended for one from before its account proved its address.';
grant execute on function private.check_request() to anon, authenticated, service_role;
