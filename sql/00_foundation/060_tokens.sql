-- Secret tokens. A client gets the token; the database keeps its hash or can derive it again.

create table private.signing_keys (
  name text not null,
  key bytea not null default extensions.gen_random_bytes(32),
  created_at timestamptz not null default now(),
  constraint signing_keys_pkey primary key (name),
  constraint signing_keys_key_is_256_bits check (length(key) = 32)
);

comment on table private.signing_keys is
  'reference data by name: keys for derived tokens, random in every deployment, never leaving the database.';

comment on column private.signing_keys.key is '256 random bits, made where the database is made.';

insert into private.signing_keys (name) values ('derived_tokens') on conflict (name) do nothing;

create function private.random_token(bytes int default 24)
returns text
language plpgsql
volatile
set search_path = ''
as $$
begin
  return translate(encode(extensions.gen_random_bytes(bytes), 'base64'), E'+/=\n', '-_');
end
$$;

comment on function private.random_token is 'A random token of so many bytes, base64url without padding.';

create function private.token_hash(token text)
returns bytea
language plpgsql
immutable
set search_path = ''
as $$
begin
  return sha256(convert_to(token, 'UTF8'));
end
$$;

comment on function private.token_hash is
  'SHA-256 of a token. No salt: tokens carry at least 192 random bits, and the hash must be found through an index.';

create function private.typed_token(typed text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  -- Of a link, or a part of one, what stands behind "token=" and before the next parameter.
  pasted text := regexp_replace(left(typed, 2000), '^.*token\s*(=|:|%3d)', '', 'i');
begin
  return regexp_replace(regexp_replace(pasted, '(&|%26|[?#]).*$|%[0-9a-f]{2}', '', 'gi'), '[^A-Za-z0-9_-]', '', 'g');
end
$$;

comment on function private.typed_token is 'The token in what a person typed or pasted.';

create function private.typed_token_hash(typed text)
returns bytea
language plpgsql
immutable
set search_path = ''
as $$
begin
  return private.token_hash(private.typed_token(typed));
end
$$;

comment on function private.typed_token_hash is
  'private.token_hash of a token that a person may have pasted: the address and the parameters around it, spaces, line ends and whatever else no token holds are left out.';

create function private.derived_token(purpose text, subject text)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    select translate(
      encode(extensions.hmac(convert_to(purpose || ':' || subject, 'UTF8'), k.key, 'sha256'), 'base64'),
      E'+/=\n', '-_'
    )
    from private.signing_keys as k
    where k.name = 'derived_tokens'
  );
end
$$;

comment on function private.derived_token is
  'definer: reads the signing key. The same token for the same purpose and subject, so that a replayed request or a later mail can show it although only its hash is stored. Never granted to a client.';

create type public.issued_token as (
  id uuid,
  token text
);

comment on type public.issued_token is 'A secret that opens something, shown this once.';
comment on column public.issued_token.id is 'Of what it opens; by it the secret is revoked.';
comment on column public.issued_token.token is 'The secret.';

create type public.revoked_token as (
  id uuid,
  revoked_at timestamptz
);

comment on type public.revoked_token is 'A secret that opens nothing any more.';
comment on column public.revoked_token.id is 'Of what it opened.';
comment on column public.revoked_token.revoked_at is 'When it was first revoked.';
