-- What staff tell each other about a booking, each with a name and a time; bookings.staff_note is for whoever runs the game.

create table public.booking_comments (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  body text not null,
  written_by jsonb not null default private.current_actor(),
  created_at timestamptz not null default now(),
  edited_at timestamptz,
  constraint booking_comments_pkey primary key (organization_id, id),
  constraint booking_comments_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_comments_body_is_a_text check (private.is_text(body, 2000))
);

comment on table public.booking_comments is
  'Comments on a booking, for the staff only: select=…,booking_comments(*) of bookings gives none to whoever may not read customers. Written by add_booking_comment, change_booking_comment and delete_booking_comment.';
comment on column public.booking_comments.body is 'Empty once its customer was erased.';
comment on column public.booking_comments.written_by is 'Who: {kind, id} as in private.current_actor.';
comment on column public.booking_comments.edited_at is 'When its words were last changed; null: never.';

-- for: the comments of a booking, and the foreign key
create index booking_comments_booking_id_idx on public.booking_comments (organization_id, booking_id, created_at);

insert into private.personal_columns (relation, column_name, erased)
values ('public.booking_comments', 'body', '""')
on conflict (relation, column_name) do update
set erased = excluded.erased;

grant select on public.booking_comments to authenticated;

alter table public.booking_comments enable row level security;

create trigger booking_comments_clean_notes
before insert or update of body on public.booking_comments
for each row execute function private.clean_texts('notes', 'body');

create trigger booking_comments_are_bounded
after insert on public.booking_comments
for each row execute function private.bound_rows('500', 'booking_id');

create policy booking_comments_select on public.booking_comments
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create type public.booking_comment as (
  id uuid,
  booking_id uuid,
  body text,
  author_kind text,
  author_id uuid,
  created_at timestamptz,
  edited_at timestamptz
);

comment on type public.booking_comment is 'A comment on a booking.';
comment on column public.booking_comment.id is 'Of the comment.';
comment on column public.booking_comment.booking_id is 'The booking.';
comment on column public.booking_comment.body is 'Its words.';
comment on column public.booking_comment.author_kind is 'Who wrote it; one of: user, api_key';
comment on column public.booking_comment.author_id is 'The account or the key.';
comment on column public.booking_comment.created_at is 'When it was written.';
comment on column public.booking_comment.edited_at is 'When its words were last changed; null: never.';

create function private.shown_comment(comment public.booking_comments)
returns public.booking_comment
language plpgsql
stable
set search_path = ''
as $$
begin
  return row(
    comment.id, comment.booking_id, comment.body, comment.written_by ->> 'kind', (comment.written_by ->> 'id')::uuid,
    comment.created_at, comment.edited_at
  )::public.booking_comment;
end
$$;

comment on function private.shown_comment is 'A comment as clients see it.';

create function private.own_comment(organization_id uuid, comment_id uuid)
returns public.booking_comments
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen_booking_id uuid;
  comment public.booking_comments;
begin
  select k.booking_id into seen_booking_id
  from public.booking_comments as k
  where k.organization_id = own_comment.organization_id and k.id = own_comment.comment_id;
  if found then
    -- Whoever erases the customer holds the booking, too.
    perform private.locked_booking(own_comment.organization_id, seen_booking_id);
    select k.* into comment
    from public.booking_comments as k
    where k.organization_id = own_comment.organization_id and k.id = own_comment.comment_id;
  end if;
  if not found then
    perform private.fail('comment_not_found', 404, 'Choose one of the booking''s comments.');
  elsif comment.written_by <> private.current_actor() then
    perform private.fail('comment_of_another', 403, 'Write one of your own: only who wrote it changes it.');
  elsif comment.body = '' then
    perform private.fail('customer_erased', 409, 'Leave it: what was erased stays erased.');
  end if;
  return comment;
end
$$;

comment on function private.own_comment is
  'A comment that the caller wrote, its booking locked. Raises 403 comment_of_another, 404 comment_not_found, 409 customer_erased.';

create function private.refuse_comment(body text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not private.is_reason(refuse_comment.body, 2000) then
    perform private.fail('comment_invalid', 422, 'Write 1 to 2000 characters.');
  end if;
end
$$;

comment on function private.refuse_comment is 'Raises 422 comment_invalid for words that say nothing or too much.';

create function private.add_booking_comment(organization_id uuid, booking_id uuid, body text, idempotency_key text)
returns public.booking_comment
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := add_booking_comment.organization_id || ':add_booking_comment';
  stored jsonb;
  booking public.bookings;
  comment public.booking_comments;
begin
  perform private.require_permission(add_booking_comment.organization_id, 'bookings:update');
  perform private.refuse_comment(add_booking_comment.body);
  stored := private.idempotent_begin(
    scope, add_booking_comment.idempotency_key,
    jsonb_build_array(add_booking_comment.booking_id, add_booking_comment.body, private.current_actor())
  );
  if stored is not null then
    select k.* into comment
    from public.booking_comments as k
    where k.organization_id = add_booking_comment.organization_id and k.id = (stored ->> 'id')::uuid;
    if not found then
      perform private.fail('comment_not_found', 404, 'It was deleted meanwhile: write another one.');
    end if;
    return private.shown_comment(comment);
  end if;
  booking := private.locked_booking(add_booking_comment.organization_id, add_booking_comment.booking_id);
  perform private.refuse_erased(booking);
  insert into public.booking_comments as k (organization_id, booking_id, body)
  values (booking.organization_id, booking.id, add_booking_comment.body)
  returning k.* into comment;
  perform private.idempotent_end(scope, add_booking_comment.idempotency_key, jsonb_build_object('id', comment.id));
  return private.shown_comment(comment);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.add_booking_comment is 'definer: writes comments, which no client may write.';
grant execute on function private.add_booking_comment to authenticated;

create function public.add_booking_comment(organization_id uuid, booking_id uuid, body text, idempotency_key text)
returns public.booking_comment
language sql
volatile
set search_path = ''
as $$ select private.add_booking_comment(organization_id, booking_id, body, idempotency_key) $$;

comment on function public.add_booking_comment is
  'Writes a comment on a booking, in whatever status, for the staff who may read customers. body: 1 to 2000 characters. For members with bookings:update. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found, comment_not_found (repeated, and deleted meanwhile); 409 customer_erased; 422 comment_invalid, too_many_rows (details {"table", "maximum", "per"}), idempotency_key_invalid, idempotency_key_reused.';
grant execute on function public.add_booking_comment to authenticated;

create function private.change_booking_comment(organization_id uuid, comment_id uuid, body text)
returns public.booking_comment
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  comment public.booking_comments;
begin
  perform private.require_permission(change_booking_comment.organization_id, 'bookings:update');
  comment := private.own_comment(change_booking_comment.organization_id, change_booking_comment.comment_id);
  perform private.refuse_comment(change_booking_comment.body);
  update public.booking_comments as k
  set body = change_booking_comment.body, edited_at = now()
  where k.organization_id = comment.organization_id
    and k.id = comment.id
    and k.body <> private.clean_note(change_booking_comment.body)
  returning k.* into comment;
  if not found then
    comment := private.own_comment(change_booking_comment.organization_id, change_booking_comment.comment_id);
  end if;
  return private.shown_comment(comment);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.change_booking_comment is 'definer: writes comments, which no client may write.';
grant execute on function private.change_booking_comment to authenticated;

create function public.change_booking_comment(organization_id uuid, comment_id uuid, body text)
returns public.booking_comment
language sql
volatile
set search_path = ''
as $$ select private.change_booking_comment(organization_id, comment_id, body) $$;

comment on function public.change_booking_comment is
  'Changes the words of one''s own comment; edited_at then says when. For members with bookings:update. Errors: 403 permission_denied, organization_suspended, comment_of_another; 404 comment_not_found; 409 customer_erased; 422 comment_invalid.';
grant execute on function public.change_booking_comment to authenticated;

create function private.delete_booking_comment(organization_id uuid, comment_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  comment public.booking_comments;
begin
  perform private.require_permission(delete_booking_comment.organization_id, 'bookings:update');
  comment := private.own_comment(delete_booking_comment.organization_id, delete_booking_comment.comment_id);
  delete from public.booking_comments as k
  where k.organization_id = comment.organization_id and k.id = comment.id;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.delete_booking_comment is 'definer: writes comments, which no client may write.';
grant execute on function private.delete_booking_comment to authenticated;

create function public.delete_booking_comment(organization_id uuid, comment_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.delete_booking_comment(organization_id, comment_id) $$;

comment on function public.delete_booking_comment is
  'Deletes one''s own comment; the log keeps that it was there. For members with bookings:update. Errors: 403 permission_denied, organization_suspended, comment_of_another; 404 comment_not_found; 409 customer_erased.';
grant execute on function public.delete_booking_comment to authenticated;
