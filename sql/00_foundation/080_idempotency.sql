-- Idempotency keys: the same key and request get the same answer, another request is refused.

create table private.idempotency_keys (
  scope text not null,
  key text not null,
  request_hash bytea not null,
  response jsonb,
  created_at timestamptz not null default now(),
  constraint idempotency_keys_pkey primary key (scope, key)
);

comment on table private.idempotency_keys is
  'One row an accepted request. It is written in the transaction that does the work, so a refused request leaves no key behind and may be tried again with the same one.';
comment on column private.idempotency_keys.scope is 'Organization id and operation, so that keys of two tenants or two operations never meet.';
comment on column private.idempotency_keys.response is 'The stored answer, without secrets.';

-- for: deleting keys older than a day in the sweep
create index idempotency_keys_created_at_idx on private.idempotency_keys (created_at);

create function private.idempotent_begin(scope text, key text, request jsonb)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  hash bytea := private.token_hash(request::text);
  stored private.idempotency_keys;
begin
  if key is null or length(key) not between 1 and 255 then
    perform private.fail('idempotency_key_invalid', 422, 'Send an idempotency key of 1 to 255 characters, a new one for every attempt.');
  end if;
  -- A concurrent request with the same key waits here for the first one's commit.
  insert into private.idempotency_keys (scope, key, request_hash)
  values (idempotent_begin.scope, idempotent_begin.key, hash)
  on conflict on constraint idempotency_keys_pkey do nothing;
  if found then
    return null;
  end if;
  select k.* into stored
  from private.idempotency_keys as k
  where k.scope = idempotent_begin.scope and k.key = idempotent_begin.key;
  if stored.request_hash <> hash then
    perform private.fail('idempotency_key_reused', 422, 'The key belongs to another request: send a new key for a new request.');
  end if;
  return coalesce(stored.response, '{}');
end
$$;

comment on function private.idempotent_begin is
  'Null the first time, else the stored answer. Raises 422 idempotency_key_reused for another request and 422 idempotency_key_invalid.';

create function private.idempotent_end(scope text, key text, response jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update private.idempotency_keys as k
  set response = idempotent_end.response
  where k.scope = idempotent_end.scope and k.key = idempotent_end.key;
end
$$;

comment on function private.idempotent_end is 'Stores the answer that a repeated request will get.';

create function private.idempotent_forget(scope text, key text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from private.idempotency_keys as k
  where k.scope = idempotent_forget.scope and k.key = idempotent_forget.key;
end
$$;

comment on function private.idempotent_forget is
  'Gives back the key of a request that was refused without rolling back (private.refusal): it may be tried again.';

create type service.received as (
  duplicate boolean
);

comment on type service.received is 'What an inbox says of an event.';
comment on column service.received.duplicate is 'Whether it had been received before.';
