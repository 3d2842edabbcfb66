-- What somebody made that goes on opening something after they are gone. The organization is shown it
-- and decides: a key may be what the cash desk runs on.

create function private.left_open(organization_id uuid, user_id uuid)
returns setof public.left_open
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select o.kind, o.id, o.name, o.made_by, o.created_at, o.last_used_at, o.expires_at
  from (
    select 'api_key' as kind, k.id, k.name, k.created_by as made_by, k.created_at, k.last_used_at, k.expires_at
    from public.api_keys as k
    where k.organization_id = left_open.organization_id and k.revoked_at is null and k.expires_at > now()
    union all
    select 'calendar_feed', f.id, f.name, f.created_by, f.created_at, null, null
    from public.calendar_feeds as f
    where f.organization_id = left_open.organization_id
      and f.revoked_at is null
      and not private.visit_is_over(f.organization_id, f.support_entry_id)
    union all
    select 'waiver_kiosk', w.id, w.name, w.created_by, w.created_at, null, null
    from public.waiver_kiosks as w
    where w.organization_id = left_open.organization_id
      and w.revoked_at is null
      and not private.visit_is_over(w.organization_id, w.support_entry_id)
    union all
    select 'webhook_endpoint', e.id, e.name, e.created_by, e.created_at, null, null
    from public.webhook_endpoints as e
    where e.organization_id = left_open.organization_id and e.is_active
  ) as o
  where o.made_by = left_open.user_id
    or (
      left_open.user_id is null
      and not exists (
        select from private.active_memberships as m
        where m.organization_id = left_open.organization_id and m.user_id = o.made_by
      )
    )
  order by o.kind, o.created_at, o.id
  limit 1000;
end
$$;

comment on function private.left_open is
  'The keys, feeds, kiosks and webhook endpoints that still open something: of one maker, or of all makers who work here no more; 1000 at most.';

create function private.end_left_open(organization_id uuid, user_id uuid)
returns setof public.left_open
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(end_left_open.organization_id, 'users:manage');
  if end_left_open.user_id is null or exists (
    select from private.active_memberships as m
    where m.organization_id = end_left_open.organization_id and m.user_id = end_left_open.user_id
  ) then
    perform private.fail('member_active', 409, 'Suspend or remove the person first, or revoke singly what they made.');
  end if;
  if private.has_permission(end_left_open.organization_id, 'api_keys:manage') then
    update public.api_keys as k
    set revoked_at = now()
    where k.organization_id = end_left_open.organization_id
      and k.created_by = end_left_open.user_id
      and k.revoked_at is null;
  end if;
  if private.has_permission(end_left_open.organization_id, 'calendars:manage') then
    update public.calendar_feeds as f
    set revoked_at = now()
    where f.organization_id = end_left_open.organization_id
      and f.created_by = end_left_open.user_id
      and f.revoked_at is null;
  end if;
  if private.has_permission(end_left_open.organization_id, 'waivers:manage') then
    update public.waiver_kiosks as w
    set revoked_at = now()
    where w.organization_id = end_left_open.organization_id
      and w.created_by = end_left_open.user_id
      and w.revoked_at is null;
  end if;
  if private.has_permission(end_left_open.organization_id, 'webhooks:manage') then
    update public.webhook_endpoints as e
    set is_active = false
    where e.organization_id = end_left_open.organization_id
      and e.created_by = end_left_open.user_id
      and e.is_active;
  end if;
  return query select l.* from private.left_open(end_left_open.organization_id, end_left_open.user_id) as l;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.end_left_open is
  'definer: writes revoked_at of keys, feeds and kiosks, which clients may not write.';
grant execute on function private.end_left_open to authenticated;

create function public.end_left_open(organization_id uuid, user_id uuid)
returns setof public.left_open
language sql
volatile
set search_path = ''
as $$ select * from private.end_left_open(organization_id, user_id) $$;

comment on function public.end_left_open is
  'Ends all that somebody made who is suspended, or works here no more, and that still opens something: API keys, feeds and kiosks are revoked, webhook endpoints switched off, from the next request on. What a till runs on stops with it, so look at last_used_at of list_left_open first. Answers what is still open: what the caller may not end (api_keys:manage, calendars:manage, waivers:manage, webhooks:manage). Under users:manage. Errors: 403 permission_denied; 409 member_active.';
grant execute on function public.end_left_open to authenticated;

create function private.list_left_open(organization_id uuid, user_id uuid)
returns setof public.left_open
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(list_left_open.organization_id, 'users:manage');
  return query select l.* from private.left_open(list_left_open.organization_id, list_left_open.user_id) as l;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.list_left_open is
  'definer: reads keys, feeds, kiosks and endpoints for a named organization, whose tables each take another permission.';
grant execute on function private.list_left_open to authenticated;

create function public.list_left_open(organization_id uuid, user_id uuid default null)
returns setof public.left_open
language sql
stable
set search_path = ''
as $$ select * from private.list_left_open(organization_id, user_id) $$;

comment on function public.list_left_open is
  'What a person made that still opens something, or, without user_id, what everybody made who is no active member now; 1000 at most, and the rest when these are revoked or, for a webhook endpoint, switched off. Invitations and the feeds of a member''s own sessions end by themselves. Under users:manage. Errors: 403 permission_denied.';
grant execute on function public.list_left_open to authenticated;
