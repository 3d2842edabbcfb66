-- Whose e-mail address is proven: a message that was sent to it came back, or an identity provider
-- vouches for it. Supabase Auth's email_confirmed_at says less: without confirmations it is set at
-- sign-up, whatever address was typed, and so it is by an administrator's createUser. What counts
-- here is therefore what Auth does with the tokens that it mails, seen by a trigger on auth.users:
--
--   confirmation_token  used, and the address confirmed in the same transaction: the link or code
--                       of a sign-up or of an administrator's invitation (which sets a password first)
--   recovery_token      used, while recovery_sent_at and the password stay: a sign-in link or code,
--                       or the link of a forgotten password. A new password clears the token unused
--   email_change        became the address, by the token that was mailed to it
--
-- With confirmations off none of that happens at a sign-up or a change of address, so nothing is
-- proven until the person has signed in by mail once.
--
-- A mail may be opened by nobody: programs that look for viruses follow its links. So the mail of a
-- sign-up or of a change of address proves the address, and says nothing of who chose the password or
-- added an identity before. Until that has ended (sign_in_trusted), the address counts only in a
-- session that a mail opened.

create function private.mailbox(email text)
returns text
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  host text := split_part(private.typed_email(email), '@', 2);
  name text := regexp_replace(split_part(private.typed_email(email), '@', 1), '(.)\+.*$', '\1');
begin
  return case
    when host in ('gmail.com', 'googlemail.com') then replace(name, '.', '') || '@gmail.com'
    else name || '@' || host
  end;
end
$$;

comment on function private.mailbox is
  'Where mail to an address arrives, for limits and for who is barred, and never to say who a customer is: in lower case, without a +tag, and at gmail.com and googlemail.com, which are one, without dots. Elsewhere a dot may be another mailbox; so may a +tag at a host without subaddresses (RFC 5233), which counts as the same one here.';
-- An index of public.customers holds it.
grant execute on function private.mailbox to authenticated;

create table private.proven_addresses (
  user_id uuid not null,
  email text not null,
  proven_by text not null,
  proven_at timestamptz not null default now(),
  signed_from timestamptz,
  sign_in_trusted boolean not null,
  constraint proven_addresses_pkey primary key (user_id),
  constraint proven_addresses_user_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint proven_addresses_email_is_lower_case check (email = lower(email)),
  constraint proven_addresses_proven_by_is_known check (proven_by in ('mail', 'provider', 'operator'))
);

comment on table private.proven_addresses is
  'The address that an account has proven last, and when. It counts while it is the account''s address: private.proven_email.';
comment on column private.proven_addresses.proven_by is
  'mail: a message came back; provider: an identity provider vouches; operator: said in the SQL editor (private.vouch_for_address).';
comment on column private.proven_addresses.signed_from is
  'Tokens of sessions from before this moment are refused, since anybody could have signed up with the address; null: none are.';
comment on column private.proven_addresses.sign_in_trusted is
  'Whether nothing is left of what the account was signed in with before the proof. False: the password or an identity may be a stranger''s, and the address counts only in a session that a mail opened: private.caller_proven_email.';

create table private.ended_sessions (
  user_id uuid not null,
  session_id uuid not null,
  ended_at timestamptz not null default now(),
  constraint ended_sessions_pkey primary key (user_id, session_id),
  constraint ended_sessions_user_fkey foreign key (user_id) references auth.users (id) on delete cascade
);

comment on table private.ended_sessions is
  'Auth''s sessions that ended when their account proved its address. A session''s id is in every token of it, also in refreshed ones, so no clock is compared.';

create function private.proven_email(user_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select p.email
    from private.proven_addresses as p
    join auth.users as u on u.id = p.user_id
    where p.user_id = proven_email.user_id and p.email = lower(u.email) and u.deleted_at is null
  );
end
$$;

comment on function private.proven_email is
  'The account''s address, in lower case, if it is proven; null otherwise. For a caller ask private.caller_proven_email: a session may be a stranger''s.';

create function private.opened_by_mail(claims jsonb)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  methods text[] := array(
    select coalesce(entry ->> 'method', '')
    from jsonb_array_elements(case jsonb_typeof(claims -> 'amr') when 'array' then claims -> 'amr' else '[]' end) as entry
  );
begin
  -- Auth's names (supabase/auth, internal/models/factor.go). It says otp for every link and code that
  -- is used without PKCE; a second factor comes on top.
  return methods && array['otp', 'magiclink', 'recovery', 'invite', 'email/signup', 'email_change']
    and methods <@ array[
      'otp', 'magiclink', 'recovery', 'invite', 'email/signup', 'email_change', 'totp', 'mfa/phone', 'mfa/webauthn'
    ];
end
$$;

comment on function private.opened_by_mail is
  'Whether a token is of a session that a mailed link or code opened, by its claim amr, which Auth writes, also when it refreshes the token. A token without that claim is not.';

create function private.caller_proven_email()
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  caller uuid := auth.uid();
begin
  return (
    select p.email
    from private.proven_addresses as p
    where p.user_id = caller
      and p.email = private.proven_email(caller)
      and (
        p.sign_in_trusted
        or private.opened_by_mail(private.jwt_claims())
        -- Auth says otp for a code by telephone, too.
        and not exists (select from auth.users as u where u.id = caller and u.phone <> '')
      )
  );
end
$$;

comment on function private.caller_proven_email is
  'The caller''s address, in lower case, if it is proven and counts in this session; null otherwise. Whatever is handed out by address asks this and nothing else.';

create function private.require_proven_email()
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  email text := private.caller_proven_email();
begin
  if caller is null or email is null then
    perform private.fail('email_not_proven', 403, 'Sign in by a link or code that is mailed to your address, then try again in that session.');
  end if;
  return email;
end
$$;

comment on function private.require_proven_email is
  'The caller''s proven address, in lower case, if it counts in this session. Raises 403 email_not_proven, and what private.require_user does.';

create function private.caller_has_proven(email text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return not private.jwt_claims() ? 'api_key_id'
    and coalesce(private.caller_proven_email() = caller_has_proven.email, false);
end
$$;

comment on function private.caller_has_proven is
  'Whether the request is by a person whose proven address this is, in a session in which it counts.';

create function private.vouches(provider text, identity_data jsonb, email text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- Not Auth itself, and not a company's own sign-in (SAML), which may name any address.
  return coalesce(
    vouches.provider not in ('email', 'phone')
    and vouches.provider not like 'sso:%'
    and vouches.identity_data -> 'email_verified' = 'true'
    and lower(vouches.identity_data ->> 'email') = lower(vouches.email),
    false
  );
end
$$;

comment on function private.vouches is
  'Whether an identity is of a provider (Google, GitHub and the like) that says that the address is the person''s and verified. Never read from raw_user_meta_data, which users write themselves.';

create function private.end_sessions(user_id uuid, but_session_id uuid default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into private.ended_sessions (user_id, session_id)
  select s.user_id, s.id
  from auth.sessions as s
  where s.user_id = end_sessions.user_id and s.id is distinct from end_sessions.but_session_id
  on conflict on constraint ended_sessions_pkey do nothing;
  delete from auth.sessions as s
  where s.user_id = end_sessions.user_id and s.id is distinct from end_sessions.but_session_id;
end
$$;

comment on function private.end_sessions is
  'Ends the account''s sessions, with their refresh tokens; but_session_id stays.';

create function private.forget_in_auth(user_id uuid, tables text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  name text;
begin
  foreach name in array forget_in_auth.tables loop
    -- Each came with a version of Auth, and the local one has none of them.
    if to_regclass(format('auth.%I', name)) is not null then
      execute format('delete from auth.%I where user_id = $1', name) using forget_in_auth.user_id;
    end if;
  end loop;
end
$$;

comment on function private.forget_in_auth is
  'Deletes the account''s rows of those of Auth''s tables that are there.';

create function private.prove_address(user_id uuid, email text, proven_by text, sign_in_trusted boolean, current_session_id uuid default null)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into private.proven_addresses as p (user_id, email, proven_by, signed_from, sign_in_trusted)
  values (prove_address.user_id, lower(prove_address.email), prove_address.proven_by, now(), prove_address.sign_in_trusted)
  on conflict on constraint proven_addresses_pkey do update
  set email = excluded.email,
    proven_by = excluded.proven_by,
    proven_at = excluded.proven_at,
    signed_from = excluded.signed_from,
    sign_in_trusted = excluded.sign_in_trusted
  where p.email <> excluded.email or excluded.sign_in_trusted and not p.sign_in_trusted;
  if not found then
    return false;
  end if;
  -- Whoever signed up with the address before may not be its owner. The session that the proof
  -- opens is made afterwards, in Auth's same transaction; or by a code that is issued afterwards.
  perform private.end_sessions(prove_address.user_id, prove_address.current_session_id);
  perform private.forget_in_auth(prove_address.user_id, array['one_time_tokens']);
  delete from auth.flow_state as f where f.user_id = prove_address.user_id and f.auth_code_issued_at is not null;
  if prove_address.sign_in_trusted then
    perform private.forget_in_auth(prove_address.user_id, array['webauthn_credentials', 'mfa_factors']);
    delete from auth.identities as i
    where i.user_id = prove_address.user_id
      and i.provider <> 'email'
      and not private.vouches(i.provider, i.identity_data, prove_address.email);
  end if;
  return true;
end
$$;

comment on function private.prove_address is
  'Notes a proof and ends the account''s sessions but the current one, with what would open others: codes that were mailed or issued and not used, and, if sign_in_trusted, second factors and identities that do not vouch for the address; the caller empties the password. False, and nothing ends, when it had proven that address already, and was as trusted.';

create function private.is_vouched(user_id uuid, email text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from auth.identities as i
    where i.user_id = is_vouched.user_id and private.vouches(i.provider, i.identity_data, is_vouched.email)
  );
end
$$;

comment on function private.is_vouched is 'Whether an identity of the account vouches for the address (private.vouches).';

create function private.forget_password(user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update auth.users as u
  set encrypted_password = '', phone = null, phone_confirmed_at = null,
    email_change_sent_at = null, email_change_token_current = '', email_change_token_new = ''
  where u.id = forget_password.user_id;
end
$$;

comment on function private.forget_password is
  'Empties an account''s password, takes away a telephone that codes could be sent to, and voids a change of address that was asked for.';

create function private.follow_auth_proof()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  -- What came back earlier in this transaction: hosted Auth uses a token and confirms at once, but
  -- for an invitation; the local one always in two steps.
  seen text := coalesce(current_setting('escapemaster.answered', true), '');
  answered text;
  same_password boolean := new.encrypted_password is not distinct from old.encrypted_password;
  proven boolean;
  trusted boolean;
begin
  if lower(new.email) is distinct from lower(old.email) then
    -- By the link to the new address, as the last one: who finishes with the one to the former address
    -- gets the session that is opened now, and may be a stranger to the new one.
    proven := old.email_change_sent_at is not null
      and lower(old.email_change) = lower(new.email)
      and case
        when seen = old.id || ' change_current' then false
        when seen = old.id || ' change_new' then true
        else coalesce(old.email_change_token_current, '') = '' and coalesce(old.email_change_token_new, '') <> ''
      end;
    -- They went to the former address.
    new.confirmation_token := '';
    new.recovery_token := '';
    perform private.forget_in_auth(new.id, array['one_time_tokens']);
    if coalesce(new.email, '') = '' then
      null;
    elsif proven then
      perform private.prove_address(new.id, new.email, 'mail', false);
    elsif private.is_vouched(new.id, new.email) then
      perform private.prove_address(new.id, new.email, 'provider', false);
    end if;
    return new;
  end if;

  answered := case
    when coalesce(old.confirmation_token, '') <> '' and coalesce(new.confirmation_token, '') = '' then 'confirmation'
    when coalesce(old.recovery_token, '') <> '' and coalesce(new.recovery_token, '') = ''
      and old.recovery_sent_at is not null and new.recovery_sent_at = old.recovery_sent_at and same_password then 'recovery'
    when coalesce(old.email_change_token_new, '') <> '' and coalesce(new.email_change_token_new, '') = '' then 'change_new'
    when coalesce(old.email_change_token_current, '') <> '' and coalesce(new.email_change_token_current, '') = ''
      then 'change_current'
  end;
  if answered is not null then
    seen := old.id || ' ' || answered;
    perform set_config('escapemaster.answered', seen, true);
  end if;

  if answered = 'recovery'
    or seen = old.id || ' confirmation' and old.email_confirmed_at is null and new.email_confirmed_at is not null
  then
    -- A link that somebody asked for to sign in, or the operator's invitation, keeps nothing from
    -- before; the mail of a sign-up keeps the password, without trusting it.
    trusted := answered is not distinct from 'recovery' or old.invited_at is not null;
    if coalesce(new.email, '') <> '' and private.prove_address(new.id, new.email, 'mail', trusted) then
      -- What whoever signed up may have prepared.
      new.email_change_token_current := '';
      new.email_change_token_new := '';
      if trusted then
        new.encrypted_password := '';
        new.phone := null;
        new.phone_confirmed_at := null;
      end if;
    end if;
  end if;
  return new;
end
$$;

comment on function private.follow_auth_proof is
  'definer: Supabase Auth''s own role has no right on private.proven_addresses. Notes that a mailed link or code came back. A sign-in or recovery link of an account whose sign-in is not trusted yet also ends the password that was there before: choose a new one.';

create trigger follow_auth_proof
before update on auth.users
for each row execute function private.follow_auth_proof();

create function private.follow_auth_identity()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  address text;
begin
  select u.email into address from auth.users as u where u.id = new.user_id;
  if coalesce(address, '') <> '' and private.is_vouched(new.user_id, address)
    and lower(new.identity_data ->> 'email') = lower(address)
    and private.prove_address(new.user_id, address, 'provider', true)
  then
    -- As Auth itself does with an account that nobody had confirmed.
    perform private.forget_password(new.user_id);
  end if;
  return null;
end
$$;

comment on function private.follow_auth_identity is
  'definer: Supabase Auth''s own role has no right on private.proven_addresses. Notes that an identity provider vouches for the account''s address; a password from before ends.';

create trigger follow_auth_identity
after insert or update of identity_data on auth.identities
for each row execute function private.follow_auth_identity();

create function private.lock_account(user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- As Auth does when it changes the row; what refers to the account does not wait.
  perform from auth.users as u where u.id = lock_account.user_id for no key update;
end
$$;

comment on function private.lock_account is
  'Lets what Auth does with an account, and what changes who can sign in to it, come one after the other. Taken before any organization is locked.';

create function private.trust_sign_in(user_id uuid, email text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not private.prove_address(
    trust_sign_in.user_id, trust_sign_in.email, 'mail', true, nullif(private.jwt_claims() ->> 'session_id', '')::uuid
  ) then
    return false;
  end if;
  perform private.forget_password(trust_sign_in.user_id);
  return true;
end
$$;

comment on function private.trust_sign_in is
  'For a caller in a session that a mail opened: ends whatever else the account could be signed in with, so that its sign-in is trusted. False, and nothing ends, when it was already.';

insert into private.rate_limit_rules (action, scope, max_hits, window_seconds, description)
values ('reset_sign_in', 'user', 20, 3600, 'Resets of the sign-in asked for by one user')
on conflict (action, scope) do update
set max_hits = excluded.max_hits,
  window_seconds = excluded.window_seconds,
  description = excluded.description;

create function private.reset_sign_in()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
begin
  perform private.limit_rate('reset_sign_in', 'user', caller::text);
  perform private.lock_account(caller);
  perform private.trust_sign_in(caller, private.require_proven_email());
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.reset_sign_in is 'definer: writes Auth''s tables and private.proven_addresses.';
grant execute on function private.reset_sign_in to authenticated;

create function public.reset_sign_in()
returns void
language sql
volatile
set search_path = ''
as $$ select private.reset_sign_in() $$;

comment on function public.reset_sign_in is
  'After the link of a sign-up or of a change of address: empties the password, ends all other sessions, and removes second factors and identities that do not vouch for the address, since anybody may have chosen them. From then on the address counts in every session; choose a password right afterwards (Auth''s updateUser). Does nothing where that has happened, so that it may be repeated. Errors: 401 not_authenticated, session_ended; 403 email_not_proven (no mail to the address came back yet, or the session was not opened by one), user_required for an API key; 429 rate_limited.';
grant execute on function public.reset_sign_in to authenticated;

create function private.vouch_for_address(user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into private.proven_addresses as p (user_id, email, proven_by, sign_in_trusted)
  select u.id, lower(u.email), 'operator', true from auth.users as u where u.id = vouch_for_address.user_id
  on conflict on constraint proven_addresses_pkey do update
  set email = excluded.email,
    proven_by = excluded.proven_by,
    proven_at = excluded.proven_at,
    sign_in_trusted = excluded.sign_in_trusted
  where p.email <> excluded.email or not p.sign_in_trusted;
end
$$;

comment on function private.vouch_for_address is
  'For the operator, in the SQL editor: takes the account''s present address as proven, and whoever can sign in to it as its owner, without ending sessions. Never granted to a client.';

create function private.session_has_ended(claims jsonb)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  caller uuid;
  session uuid := nullif(claims ->> 'session_id', '');
  methods jsonb := coalesce(claims -> 'amr', '[]');
  from_moment timestamptz;
begin
  if claims ->> 'role' is distinct from 'authenticated' or claims ? 'api_key_id' then
    return false;
  end if;
  caller := claims ->> 'sub';
  select p.signed_from into from_moment from private.proven_addresses as p where p.user_id = caller;
  if from_moment is null then
    return false;
  end if;
  if exists (select from private.ended_sessions as e where e.user_id = caller and e.session_id = session) then
    return true;
  -- A sign-in that was under way meanwhile opens a session with what has ended: a password counts as long
  -- as there is one, a provider as long as the account has an identity.
  elsif methods @> '[{"method": "password"}]' then
    return not exists (
      select from auth.sessions as s
      join auth.users as u on u.id = s.user_id
      where s.id = session and s.user_id = caller and u.encrypted_password <> ''
    );
  elsif methods @> '[{"method": "oauth"}]' then
    return not exists (
      select from auth.sessions as s
      join auth.identities as i on i.user_id = s.user_id and i.provider not in ('email', 'phone')
      where s.id = session and s.user_id = caller
    );
  -- All that were there ended: one that is there now is from after the proof, whatever the clocks say.
  elsif exists (select from auth.sessions as s where s.id = session and s.user_id = caller) then
    return false;
  end if;
  -- Signed out since, or a token without a session: by the second in which it was signed.
  return coalesce(to_timestamp((claims ->> 'iat')::float8) <= from_moment, true);
end
$$;

comment on function private.session_has_ended is
  'definer: reads Auth''s sessions for every role. Whether a token is of a session from before its account proved its address. A token that does not say when it was signed counts as from before.';

create function private.refuse_ended_session(claims jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  -- private.check_request has asked already, for a request that came through PostgREST.
  if current_setting('escapemaster.session_checked', true) is distinct from 'yes'
    and private.session_has_ended(claims)
  then
    perform private.fail('session_ended', 401, 'Sign in again: this session is older than the proof of the account''s address.');
  end if;
end
$$;

comment on function private.refuse_ended_session is
  'Raises 401 session_ended for a token from before its account proved its address.';
