-- Who acts: recorded with every change of state.

create function private.jwt_claims()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
end
$$;

comment on function private.jwt_claims is 'The verified claims of the request''s JWT, as PostgREST hands them over; {} outside a request.';

create function private.act_as(kind text, id uuid default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('escapemaster.actor', jsonb_build_object('kind', kind, 'id', id)::text, true);
end
$$;

comment on function private.act_as is
  'Declares for the rest of the transaction who acts (customer, system) when it is not the caller of the request. Never granted to a client.';

create function private.current_actor()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  declared text := nullif(current_setting('escapemaster.actor', true), '');
  claims jsonb;
begin
  if declared is not null then
    return declared::jsonb;
  end if;
  claims := private.jwt_claims();
  return case
    when claims ? 'api_key_id' then jsonb_build_object('kind', 'api_key', 'id', claims ->> 'api_key_id')
    when claims ->> 'role' = 'service_role' then jsonb_build_object('kind', 'service', 'id', null)
    when claims ->> 'role' = 'authenticated' then jsonb_build_object('kind', 'user', 'id', claims ->> 'sub')
    when claims ->> 'role' = 'anon' then jsonb_build_object('kind', 'customer', 'id', null)
    else jsonb_build_object('kind', 'system', 'id', null)
  end;
end
$$;

comment on function private.current_actor is
  'Who acts: {"kind": user|api_key|support|service|customer|system, "id": uuid or null}.';
