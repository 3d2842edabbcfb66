-- The join code: a short code on the staff room's wall. It gives the least role, can be
-- rotated and can be off. 50 random bits, so that guessing is hopeless under the rate limit.

create table private.join_codes (
  organization_id uuid not null,
  version int not null default 1,
  is_enabled boolean not null default true,
  code_hash bytea not null,
  constraint join_codes_pkey primary key (organization_id),
  constraint join_codes_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint join_codes_code_hash_key unique (code_hash)
);

comment on table private.join_codes is 'The current join code of each organization that has one, as a hash.';
comment on column private.join_codes.version is 'Goes into the derivation: rotating makes another code.';

create function private.join_code(organization_id uuid, version int)
returns text
language sql
stable
set search_path = ''
as $$
  -- Ten characters of Crockford's alphabet, which has no letter that looks like a digit.
  select string_agg(
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + (get_byte(digest, i) & 31), 1), '' order by i
  )
  from private.token_hash(private.derived_token('join_code', organization_id || '/' || version)) as digest,
    generate_series(0, 9) as i
$$;

comment on function private.join_code is 'The code of an organization; reproducible, so that only its hash is stored.';

create function private.rotate_join_code(organization_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$
  update private.join_codes as c
  set version = c.version + 1,
    code_hash = private.token_hash(private.join_code(c.organization_id, c.version + 1))
  where c.organization_id = rotate_join_code.organization_id
$$;

comment on function private.rotate_join_code is 'Makes the present code useless; whether codes are on stays as it is.';

create type public.join_code_state as (
  enabled boolean,
  code text
);

comment on type public.join_code_state is 'Whether and by which code people join an organization.';
comment on column public.join_code_state.enabled is 'Whether the code lets anybody in.';
comment on column public.join_code_state.code is 'What join_organization takes; null while it is off.';

create function private.set_join_code(organization_id uuid, action text)
returns public.join_code_state
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  current_code private.join_codes;
begin
  perform private.require_permission(set_join_code.organization_id, 'users:manage');
  if set_join_code.action = 'disable' then
    update private.join_codes as c
    set is_enabled = false
    where c.organization_id = set_join_code.organization_id;
  else
    -- The code grants a role to whoever types it: who sees it must be able to grant that role.
    perform private.require_role_within_reach(r.organization_id, r.id)
    from public.roles as r
    where r.organization_id = set_join_code.organization_id and r.is_system and r.key = 'game_master';
  end if;
  if set_join_code.action = 'rotate' then
    perform private.rotate_join_code(set_join_code.organization_id);
    insert into private.join_codes as c (organization_id, code_hash)
    values (
      set_join_code.organization_id,
      private.token_hash(private.join_code(set_join_code.organization_id, 1))
    )
    on conflict on constraint join_codes_pkey do update
    set is_enabled = true;
  end if;
  select c.* into current_code
  from private.join_codes as c
  where c.organization_id = set_join_code.organization_id and c.is_enabled;
  return row(
    current_code.organization_id is not null,
    case
      when current_code.organization_id is not null
        then private.join_code(current_code.organization_id, current_code.version)
    end
  )::public.join_code_state;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_join_code is 'definer: reads and writes private.join_codes and the signing key.';
grant execute on function private.set_join_code to authenticated;

create function public.get_join_code(organization_id uuid)
returns public.join_code_state
language sql
volatile
set search_path = ''
as $$ select private.set_join_code(organization_id, 'show') $$;

comment on function public.get_join_code is
  'The organization''s join code, under users:manage, for whoever holds all that a game master holds. Errors: 403 permission_denied, permission_not_held.';
grant execute on function public.get_join_code to authenticated;

create function public.rotate_join_code(organization_id uuid)
returns public.join_code_state
language sql
volatile
set search_path = ''
as $$ select private.set_join_code(organization_id, 'rotate') $$;

comment on function public.rotate_join_code is
  'Makes a new join code and turns it on; the old one stops at once. As get_join_code. Errors: 403 permission_denied, permission_not_held.';
grant execute on function public.rotate_join_code to authenticated;

create function public.disable_join_code(organization_id uuid)
returns public.join_code_state
language sql
volatile
set search_path = ''
as $$ select private.set_join_code(organization_id, 'disable') $$;

comment on function public.disable_join_code is
  'Turns the join code off at once, under users:manage. Errors: 403 permission_denied.';
grant execute on function public.disable_join_code to authenticated;

create function private.join_organization(code text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  joined uuid;
begin
  perform private.limit_rate('join_organization', 'user', caller::text);
  perform private.limit_rate('join_organization', 'address', private.client_address());
  select c.organization_id into joined
  from private.join_codes as c
  join public.organizations as o on o.id = c.organization_id
  where c.code_hash = private.token_hash(upper(trim(coalesce(join_organization.code, ''))))
    and c.is_enabled
    and o.status = 'active';
  if not found then
    return private.refusal('join_code_not_found', 404, 'Check the code: it may have been changed or turned off.');
  end if;
  insert into public.memberships as m (organization_id, user_id, role_id)
  select r.organization_id, caller, r.id
  from public.roles as r
  where r.organization_id = joined and r.is_system and r.key = 'game_master'
  on conflict on constraint memberships_user_key do update
  set role_id = excluded.role_id, status = 'active', expires_at = null
  -- What is left of a support entry that has ended by itself.
  where m.expires_at <= now();
  if not found then
    return private.refusal('already_member', 409, 'You work in this organization already.');
  end if;
  update public.profiles as p
  set active_organization_id = joined
  where p.user_id = caller;
  return to_jsonb(private.my_context());
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.join_organization is
  'definer: finds a stranger''s organization by its code and writes the membership.';
grant execute on function private.join_organization to authenticated;

create function public.join_organization(code text)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.join_organization(code) $$;

comment on function public.join_organization is
  'Joins the organization of a join code as game master, the least role. Answers public.user_context. Errors: 401 not_authenticated; 403 member_barred, user_required; 404 join_code_not_found; 409 already_member, plan_limit_reached (details {"limit", "maximum", "used", "plan"}); 429 rate_limited.';
grant execute on function public.join_organization to authenticated;
