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
  'The keys, feeds and kiosks that still open something: of one maker, or of all makers who work here no more; 1000 at most.';

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
end
$$;

comment on function private.list_left_open is
  'definer: reads keys, feeds and kiosks for a named organization, whose tables each take another permission.';
grant execute on function private.list_left_open to authenticated;

create function public.list_left_open(organization_id uuid, user_id uuid default null)
returns setof public.left_open
language sql
stable
set search_path = ''
as $$ select * from private.list_left_open(organization_id, user_id) $$;

comment on function public.list_left_open is
  'What a person made that still opens something, or, without user_id, what everybody made who is no active member now; 1000 at most, and the rest when these are revoked. Invitations and the feeds of a member''s own sessions end by themselves. Under users:manage. Errors: 403 permission_denied.';
grant execute on function public.list_left_open to authenticated;
