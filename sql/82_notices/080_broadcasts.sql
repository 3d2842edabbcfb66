-- Where Supabase Realtime is there, a notification is news at once: a message to its reader's private
-- topic, notifications:<organization>:<user>. It says only that there is one, since who may hear a topic
-- is asked when it is joined and when the token is renewed, not for each message: what is read then
-- (list_notifications) is read under the permissions of that moment. Without Realtime nothing else changes.

create function private.broadcast_notification()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- By the function: where Realtime is missing nothing here names it.
  if to_regprocedure('realtime.send(jsonb,text,text,boolean)') is not null then
    execute 'select realtime.send($1, $2, $3, $4)'
    using
      jsonb_build_object('id', new.id, 'created_at', new.created_at),
      'notification', concat_ws(':', 'notifications', new.organization_id, new.user_id), true;
  end if;
  return null;
end
$$;

comment on function private.broadcast_notification is
  'Tells Realtime, where it is there, that its reader has a new notification: its id and created_at.';

create trigger broadcast_notification
after insert on public.notifications
for each row execute function private.broadcast_notification();

create function private.hears_topic(topic text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return topic ~ '^notifications:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f-]{36}$'
    and split_part(topic, ':', 3) = auth.uid()::text
    and private.organization_with('bookings:read', split_part(topic, ':', 2)::uuid) is not null;
end
$$;

comment on function private.hears_topic is
  'Whether the caller may join a topic of Realtime: the own one, of an organization in which they hold bookings:read.';

create function private.allow_broadcasts()
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  if to_regclass('realtime.messages') is null or to_regprocedure('realtime.topic()') is null then
    return false;
  end if;
  -- Where nobody asks it, nobody needs it.
  execute 'grant execute on function private.hears_topic to authenticated';
  execute 'drop policy if exists notifications_are_heard_by_their_reader on realtime.messages';
  -- Nobody may send: there is no policy for insert.
  execute $policy$
    create policy notifications_are_heard_by_their_reader on realtime.messages
    for select to authenticated
    using (extension = 'broadcast' and private.hears_topic((select realtime.topic())))
  $policy$;
  return true;
end
$$;

comment on function private.allow_broadcasts is
  'Lets readers join their private topics, where Realtime is there; false without it. For the database''s owner: private.allow_realtime calls it.';

select private.allow_broadcasts();
