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

create function private.mailbox(email text)
returns text
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  host text := split_part(lower(trim(email)), '@', 2);
  name text := regexp_replace(split_part(lower(trim(email)), '@', 1), '(.)\+.*$', '\1');
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
  'The account''s address, in lower case, if it is proven; null otherwise. Whatever is handed out by address asks this and nothing else.';

create function private.require_proven_email()
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  email text := private.proven_email(private.require_user());
begin
  if email is null then
    perform private.fail('email_not_proven', 403, 'Sign in once by a link or code that is mailed to your address, then try again.');
  end if;
  return email;
end
$$;

comment on function private.require_proven_email is
  'The caller''s proven address, in lower case. Raises 403 email_not_proven, and what private.require_user does.';

create function private.caller_has_proven(email text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return not private.jwt_claims() ? 'api_key_id'
    and coalesce(private.proven_email(auth.uid()) = caller_has_proven.email, false);
end
$$;

comment on function private.caller_has_proven is 'Whether the request is by a person whose proven address this is.';

create function private.prove_address(user_id uuid, email text, proven_by text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into private.proven_addresses as p (user_id, email, proven_by, signed_from)
  values (prove_address.user_id, lower(prove_address.email), prove_address.proven_by, now())
  on conflict on constraint proven_addresses_pkey do update
  set email = excluded.email,
    proven_by = excluded.proven_by,
    proven_at = excluded.proven_at,
    signed_from = excluded.signed_from
  where p.email <> excluded.email;
  if not found then
    return false;
  end if;
  -- Whoever signed up with the address before may not be its owner. The session that the proof
  -- opens is made afterwards, in Auth's same transaction.
  insert into private.ended_sessions (user_id, session_id)
  select s.user_id, s.id from auth.sessions as s where s.user_id = prove_address.user_id
  on conflict on constraint ended_sessions_pkey do nothing;
  delete from auth.sessions as s where s.user_id = prove_address.user_id;
  return true;
end
$$;

comment on function private.prove_address is
  'Notes a proof and ends the account''s sessions with their refresh tokens. False, and nothing ends, when it had proven that address already.';

create function private.is_vouched(user_id uuid, email text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from auth.identities as i
    where i.user_id = is_vouched.user_id
      -- Not by Auth itself, and not by a company's own sign-in (SAML), which may name any address.
      and i.provider not in ('email', 'phone')
      and i.provider not like 'sso:%'
      and i.identity_data -> 'email_verified' = 'true'
      and lower(i.identity_data ->> 'email') = lower(is_vouched.email)
  );
end
$$;

comment on function private.is_vouched is
  'Whether an identity provider (Google, GitHub and the like) says that the address is the account''s and verified. Never read from raw_user_meta_data, which users write themselves.';

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
begin
  if lower(new.email) is distinct from lower(old.email) then
    proven := old.email_change_sent_at is not null
      and lower(old.email_change) = lower(new.email)
      and case
        when seen = old.id || ' change_current' then false
        when seen = old.id || ' change_new' or old.email_change_confirm_status = 1 then true
        else coalesce(old.email_change_token_current, '') = '' and coalesce(old.email_change_token_new, '') <> ''
      end;
    -- They went to the former address.
    new.confirmation_token := '';
    new.recovery_token := '';
    if coalesce(new.email, '') = '' then
      null;
    elsif proven then
      perform private.prove_address(new.id, new.email, 'mail');
    elsif private.is_vouched(new.id, new.email) then
      perform private.prove_address(new.id, new.email, 'provider');
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
    if coalesce(new.email, '') <> '' and private.prove_address(new.id, new.email, 'mail') then
      -- What whoever signed up may have prepared: a change to another address, and, where the
      -- account was not made by this very mail, a password.
      new.email_change_token_current := '';
      new.email_change_token_new := '';
      if answered = 'recovery' then
        new.encrypted_password := '';
      end if;
    end if;
  end if;
  return new;
end
$$;

comment on function private.follow_auth_proof is
  'definer: Supabase Auth''s own role has no right on private.proven_addresses. Notes that a mailed link or code came back. The first proof by a sign-in or recovery link also ends the password that was there before: choose a new one.';

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
    and private.prove_address(new.user_id, address, 'provider')
  then
    -- As Auth itself does with an account that nobody had confirmed.
    update auth.users as u
    set encrypted_password = ''
    where u.id = new.user_id and u.encrypted_password <> '';
  end if;
  return null;
end
$$;

comment on function private.follow_auth_identity is
  'definer: Supabase Auth''s own role has no right on private.proven_addresses. Notes that an identity provider vouches for the account''s address; a password from before ends.';

create trigger follow_auth_identity
after insert or update of identity_data on auth.identities
for each row execute function private.follow_auth_identity();

create function private.vouch_for_address(user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into private.proven_addresses as p (user_id, email, proven_by)
  select u.id, lower(u.email), 'operator' from auth.users as u where u.id = vouch_for_address.user_id
  on conflict on constraint proven_addresses_pkey do update
  set email = excluded.email, proven_by = excluded.proven_by, proven_at = excluded.proven_at
  where p.email <> excluded.email;
end
$$;

comment on function private.vouch_for_address is
  'For the operator, in the SQL editor: takes the account''s present address as proven, without ending sessions. Never granted to a client.';

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
