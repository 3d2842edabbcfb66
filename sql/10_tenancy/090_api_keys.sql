-- API keys: server-to-server access for one organization, exchanged for a short-lived JWT.

select private.permission_upsert(
  'api_keys:read', 'api_keys', false,
  'See the API keys and when they were used', 'Ver las claves de API y su último uso',
  array['admin']
);
select private.permission_upsert(
  'api_keys:manage', 'api_keys', true,
  'Create and revoke API keys', 'Crear y revocar claves de API',
  array['admin'],
  rests_in_visits => true
);

create table public.api_keys (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  name text not null,
  prefix text not null,
  created_by uuid,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null default now(),
  constraint api_keys_pkey primary key (organization_id, id),
  constraint api_keys_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint api_keys_created_by_fkey foreign key (created_by) references public.profiles (user_id) on delete set null,
  constraint api_keys_name_is_a_name check (private.is_name(name, 80))
);

comment on table public.api_keys is 'A named key of an organization. The secret is shown once; its hash is in private.api_key_secrets.';
comment on column public.api_keys.prefix is 'The secret''s first characters, to tell keys apart.';
comment on column public.api_keys.last_used_at is 'Last exchange for a token, to the minute.';

-- for: the foreign key
create index api_keys_created_by_idx on public.api_keys (created_by);

grant select on public.api_keys to authenticated;

alter table public.api_keys enable row level security;

create trigger api_keys_clean_names
before insert or update of name on public.api_keys
for each row execute function private.clean_texts('names', 'name');

create policy api_keys_select on public.api_keys
for select to authenticated
using (organization_id = (select private.organization_with('api_keys:read')));

create table public.api_key_permissions (
  organization_id uuid not null,
  api_key_id uuid not null,
  permission_key text not null,
  constraint api_key_permissions_pkey primary key (organization_id, api_key_id, permission_key),
  constraint api_key_permissions_api_key_fkey foreign key (organization_id, api_key_id)
  references public.api_keys (organization_id, id) on delete cascade,
  constraint api_key_permissions_permission_fkey foreign key (permission_key)
  references public.permissions (key) on delete cascade
);

comment on table public.api_key_permissions is 'What an API key may do: a subset of what its creator held.';

-- for: the foreign key
create index api_key_permissions_permission_key_idx on public.api_key_permissions (permission_key);

grant select on public.api_key_permissions to authenticated;

alter table public.api_key_permissions enable row level security;

create policy api_key_permissions_select on public.api_key_permissions
for select to authenticated
using (organization_id = (select private.organization_with('api_keys:read')));

create table private.api_key_secrets (
  organization_id uuid not null,
  api_key_id uuid not null,
  secret_hash bytea not null,
  constraint api_key_secrets_pkey primary key (organization_id, api_key_id),
  constraint api_key_secrets_secret_hash_key unique (secret_hash),
  constraint api_key_secrets_api_key_fkey foreign key (organization_id, api_key_id)
  references public.api_keys (organization_id, id) on delete cascade
);

comment on table private.api_key_secrets is 'Hashes of API keys, apart from the rows that staff can read.';

create type public.created_api_key as (
  id uuid,
  name text,
  prefix text,
  secret text,
  expires_at timestamptz
);

comment on type public.created_api_key is 'A new API key, with its secret for this once.';
comment on column public.created_api_key.id is 'Of the key.';
comment on column public.created_api_key.name is 'As it was given.';
comment on column public.created_api_key.prefix is 'How the secret begins, by which people tell keys apart.';
comment on column public.created_api_key.secret is 'What exchange_api_key takes; it is in this answer and nowhere else.';
comment on column public.created_api_key.expires_at is 'When it ends by itself.';

create function private.create_api_key(
  organization_id uuid,
  name text,
  permissions text [],
  expires_at timestamptz
)
returns public.created_api_key
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  secret text := 'esk_' || private.random_token(32);
  created public.api_keys;
begin
  perform private.require_permission(create_api_key.organization_id, 'api_keys:manage');
  if private.is_name(private.clean_text(create_api_key.name), 80) is not true then
    perform private.fail('name_invalid', 422, 'Give the key a name of 1 to 80 characters, on one line and without links.');
  elsif coalesce(cardinality(create_api_key.permissions), 0) = 0 then
    perform private.fail('permissions_missing', 422, 'Name at least one permission.');
  elsif create_api_key.expires_at is null
    or create_api_key.expires_at not between now() + interval '1 minute' and now() + interval '2 years' then
    perform private.fail('expiry_invalid', 422, 'Let the key expire between a minute and two years from now.');
  end if;
  perform private.require_grantable(create_api_key.organization_id, create_api_key.permissions);

  insert into public.api_keys (organization_id, name, prefix, created_by, expires_at)
  values (
    create_api_key.organization_id, create_api_key.name, left(secret, 12),
    auth.uid(), create_api_key.expires_at
  )
  returning * into created;
  insert into public.api_key_permissions (organization_id, api_key_id, permission_key)
  select distinct created.organization_id, created.id, w.key
  from unnest(create_api_key.permissions) as w (key);
  insert into private.api_key_secrets (organization_id, api_key_id, secret_hash)
  values (created.organization_id, created.id, private.token_hash(secret));

  return row(created.id, created.name, created.prefix, secret, created.expires_at)::public.created_api_key;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_api_key is
  'definer: writes keys and their hashes, which no client may write.';
grant execute on function private.create_api_key to authenticated;

create function public.create_api_key(
  organization_id uuid,
  name text,
  permissions text [],
  expires_at timestamptz default now() + interval '1 year'
)
returns public.created_api_key
language sql
volatile
set search_path = ''
as $$ select private.create_api_key(organization_id, name, permissions, expires_at) $$;

comment on function public.create_api_key is
  'Makes an API key with a subset of the caller''s permissions, under api_keys:manage; the secret is in this answer and nowhere else. Errors: 403 permission_denied, permission_not_held; 422 name_invalid, permissions_missing, permission_unknown, expiry_invalid.';
grant execute on function public.create_api_key to authenticated;

create function private.revoke_api_key(organization_id uuid, api_key_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(revoke_api_key.organization_id, 'api_keys:manage');
  update public.api_keys as k
  set revoked_at = coalesce(k.revoked_at, now())
  where k.organization_id = revoke_api_key.organization_id
    and k.id = revoke_api_key.api_key_id;
  if not found then
    perform private.fail('api_key_not_found', 404, 'Choose a key of this organization.');
  end if;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.revoke_api_key is 'definer: writes api_keys, which no client may write.';
grant execute on function private.revoke_api_key to authenticated;

create function public.revoke_api_key(organization_id uuid, api_key_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.revoke_api_key(organization_id, api_key_id) $$;

comment on function public.revoke_api_key is
  'Ends a key, and every token that was made from it, from the next request on; under api_keys:manage; one that has ended stays so. Errors: 403 permission_denied; 404 api_key_not_found.';
grant execute on function public.revoke_api_key to authenticated;

create type service.api_key as (
  api_key_id uuid,
  organization_id uuid,
  expires_at timestamptz
);

comment on type service.api_key is 'The API key that a secret belongs to.';
comment on column service.api_key.api_key_id is 'Of the key.';
comment on column service.api_key.organization_id is 'Whose key it is.';
comment on column service.api_key.expires_at is 'When the key ends by itself.';

create function private.exchange_api_key(secret text, address text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  presented public.api_keys;
begin
  perform private.limit_rate('exchange_api_key', 'address', private.address_block(exchange_api_key.address));
  select k.* into presented
  from private.api_key_secrets as s
  join public.api_keys as k on k.organization_id = s.organization_id and k.id = s.api_key_id
  join public.organizations as o on o.id = k.organization_id
  where s.secret_hash = private.token_hash(coalesce(exchange_api_key.secret, ''))
    and k.revoked_at is null
    and k.expires_at > now()
    and o.status <> 'closed';
  if not found then
    return private.refusal('api_key_invalid', 401, 'Send a key that is neither revoked nor expired.');
  end if;
  -- Only who has the secret uses up the key's share: its prefix is no secret, and guesses at the
  -- rest, of 192 bits and more, are counted by their address.
  perform private.limit_rate('exchange_api_key', 'target', presented.id::text);
  -- To the minute: a busy key does not rewrite its row at every exchange.
  update public.api_keys as k
  set last_used_at = now()
  where k.organization_id = presented.organization_id
    and k.id = presented.id
    and (k.last_used_at is null or k.last_used_at < now() - interval '1 minute');
  return to_jsonb(row(presented.id, presented.organization_id, presented.expires_at)::service.api_key);
end
$$;

comment on function private.exchange_api_key is 'definer: reads hashes of API keys.';
grant execute on function private.exchange_api_key to service_role;

create function service.exchange_api_key(secret text, address text)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.exchange_api_key(secret, address) $$;

comment on function service.exchange_api_key is
  'The key that a secret belongs to; records the use. address: the client''s, for the rate limit. Answers service.api_key. Errors: 401 api_key_invalid; 429 rate_limited.';
grant execute on function service.exchange_api_key to service_role;
