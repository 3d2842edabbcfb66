-- Notifications in the app: what a member was told, and what of it is unread.
--
-- A row holds what happened and which booking it is about, never words: title and body are written when
-- they are read, in the reader's language, with what the reader may see then. So a name that was erased,
-- or a permission that was taken away, is gone from old notifications, too.
--
-- For polling: only private.sweep_notices writes them, one sweep at a time, under the lock of
-- private.notice_clock, and created_at grows from row to row. So who has seen a created_at has seen all
-- before it, and created_at alone is a cursor, however late a booking's own transaction commits.

create table public.notifications (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  user_id uuid not null,
  type text not null,
  event_id uuid,
  booking_id uuid,
  data jsonb not null,
  read_at timestamptz,
  created_at timestamptz not null,
  constraint notifications_pkey primary key (organization_id, id),
  -- Also the index for: the foreign key to the membership.
  constraint notifications_event_key unique (organization_id, user_id, event_id),
  constraint notifications_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete cascade,
  constraint notifications_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint notifications_type_is_known check (type in (
    'booking_new', 'booking_changed', 'booking_cancelled', 'booking_paid_late', 'payment_disputed', 'mail_problem',
    'last_minute', 'session_assigned', 'session_released', 'session_changed', 'day_board'
  )),
  constraint notifications_data_is_an_object check (jsonb_typeof(data) = 'object')
);

comment on table public.notifications is
  'What a member was told in the app, a row for a person; list_notifications has its words. It goes with the membership, and after 90 days.';
comment on column public.notifications.type is
  'booking_new, booking_changed, booking_cancelled, booking_paid_late, payment_disputed, mail_problem, last_minute; of one''s own sessions: session_assigned, session_released, session_changed, day_board.';
comment on column public.notifications.event_id is 'What happened, the same for all who were told; null: nothing did (day_board).';
comment on column public.notifications.booking_id is 'Which booking; null: about sessions.';
comment on column public.notifications.data is
  'What was so then: {"happened": the kind of what happened, "room_id", "starts_at", "previous_starts_at"} or, of a day_board, {"date", "timezone", "sessions"}.';
comment on column public.notifications.read_at is 'When its reader has read it (mark_notifications_read); null: not yet.';
comment on column public.notifications.created_at is
  'Grows from one to the next, and never appears before an earlier one: ask for what is greater than the last that was seen.';

-- for: private.list_notifications, and polling created_at
create index notifications_created_at_idx on public.notifications (organization_id, user_id, created_at);
-- for: private.unread_notifications, which counts nothing that is read
create index notifications_unread_idx on public.notifications (organization_id, user_id, created_at) where read_at is null;
-- for: the foreign key
create index notifications_booking_id_idx on public.notifications (organization_id, booking_id);
-- for: private.forget_notices
create index notifications_age_idx on public.notifications (created_at);

grant select on public.notifications to authenticated;

alter table public.notifications enable row level security;

create policy notifications_select on public.notifications
for select to authenticated
using (
  organization_id = (select private.organization_with('bookings:read'))
  and user_id = (select auth.uid())
  and (
    type not in ('booking_paid_late', 'payment_disputed')
    or organization_id = (select private.organization_with('payments:read'))
  )
);

create table public.notification_preferences (
  organization_id uuid not null,
  user_id uuid not null,
  type text not null,
  in_app boolean not null,
  mail boolean not null,
  constraint notification_preferences_pkey primary key (organization_id, user_id, type),
  constraint notification_preferences_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete cascade,
  constraint notification_preferences_type_is_known check (type in (
    'booking_new', 'booking_changed', 'booking_cancelled', 'booking_paid_late', 'payment_disputed', 'mail_problem',
    'last_minute', 'session_assigned', 'session_released', 'session_changed', 'day_board'
  ))
);

comment on table public.notification_preferences is
  'By which ways a member wants to be told of what, in one organization; without a row by both. Written by set_notification_preference.';
comment on column public.notification_preferences.type is 'As notifications.type.';
comment on column public.notification_preferences.in_app is 'Whether a notification appears in the app.';
comment on column public.notification_preferences.mail is 'Whether a mail is sent, at once or within a digest.';

grant select on public.notification_preferences to authenticated;

alter table public.notification_preferences enable row level security;

create policy notification_preferences_select on public.notification_preferences
for select to authenticated
using (
  organization_id = (select private.organization_with('bookings:read'))
  and user_id = (select auth.uid())
);

create function private.set_notification_preference(organization_id uuid, type text, in_app boolean, mail boolean)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
begin
  perform private.require_permission(set_notification_preference.organization_id, 'bookings:read');
  insert into public.notification_preferences (organization_id, user_id, type, in_app, mail)
  values (
    set_notification_preference.organization_id, caller, set_notification_preference.type,
    coalesce(set_notification_preference.in_app, true), coalesce(set_notification_preference.mail, true)
  )
  on conflict on constraint notification_preferences_pkey do update
  set in_app = excluded.in_app, mail = excluded.mail
  where (notification_preferences.in_app, notification_preferences.mail) <> (excluded.in_app, excluded.mail);
exception
  when check_violation or not_null_violation then
    perform private.fail('type_invalid', 422, 'Choose a type of notification, as notifications.type lists them.');
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_notification_preference is
  'definer: writes the caller''s own row of a table that no client writes.';
grant execute on function private.set_notification_preference to authenticated;

create function public.set_notification_preference(organization_id uuid, type text, in_app boolean, mail boolean)
returns void
language sql
volatile
set search_path = ''
as $$ select private.set_notification_preference(organization_id, type, in_app, mail) $$;

comment on function public.set_notification_preference is
  'By which ways the caller wants to be told of what (type: as notifications.type), in an organization where the caller holds bookings:read. Errors: 401 not_authenticated; 403 permission_denied, user_required; 422 type_invalid.';
grant execute on function public.set_notification_preference to authenticated;

create table private.notification_sentences (
  type text not null,
  locale text not null,
  title text not null,
  body text not null,
  constraint notification_sentences_pkey primary key (type, locale),
  constraint notification_sentences_locale_is_supported check (private.is_locale(locale))
);

comment on table private.notification_sentences is
  'reference data. The words of notifications, by the language of their reader. {room}, {when}, {before}, {players}, {reference}, {who}, {date} and {sessions} are filled in.';

insert into private.notification_sentences (type, locale, title, body)
values
('booking_new', 'es', 'Nueva reserva: {room}', '{when} · {players} jugadores · {reference}{who}'),
('booking_new', 'en', 'New booking: {room}', '{when} · {players} players · {reference}{who}'),
('booking_new', 'ca', 'Reserva nova: {room}', '{when} · {players} jugadors · {reference}{who}'),
('booking_changed', 'es', 'Reserva cambiada: {room}', '{before}{when} · {players} jugadores · {reference}{who}'),
('booking_changed', 'en', 'Booking changed: {room}', '{before}{when} · {players} players · {reference}{who}'),
('booking_changed', 'ca', 'Reserva canviada: {room}', '{before}{when} · {players} jugadors · {reference}{who}'),
('booking_cancelled', 'es', 'Reserva cancelada: {room}', '{when} · {players} jugadores · {reference}{who}'),
('booking_cancelled', 'en', 'Booking cancelled: {room}', '{when} · {players} players · {reference}{who}'),
('booking_cancelled', 'ca', 'Reserva cancel·lada: {room}', '{when} · {players} jugadors · {reference}{who}'),
('booking_paid_late', 'es', 'Pago fuera de plazo: {room}', '{when} · {reference}{who}. El dinero se devuelve.'),
('booking_paid_late', 'en', 'Paid too late: {room}', '{when} · {reference}{who}. The money goes back.'),
('booking_paid_late', 'ca', 'Pagament fora de termini: {room}', '{when} · {reference}{who}. Els diners es tornen.'),
('payment_disputed', 'es', 'Pago en disputa: {reference}', '{room} · {when}{who}. Responde en el panel del proveedor de pagos.'),
('payment_disputed', 'en', 'Payment disputed: {reference}', '{room} · {when}{who}. Answer on the payment provider''s dashboard.'),
('payment_disputed', 'ca', 'Pagament en disputa: {reference}', '{room} · {when}{who}. Respon al tauler del proveïdor de pagaments.'),
('mail_problem', 'es', 'El correo no llega: {reference}', '{room} · {when}{who}. Llama, o corrige la dirección.'),
('mail_problem', 'en', 'Mail does not arrive: {reference}', '{room} · {when}{who}. Call, or correct the address.'),
('mail_problem', 'ca', 'El correu no arriba: {reference}', '{room} · {when}{who}. Truca, o corregeix l''adreça.'),
('session_assigned', 'es', 'Llevas una sesión: {room}', '{when}'),
('session_assigned', 'en', 'You run a session: {room}', '{when}'),
('session_assigned', 'ca', 'Portes una sessió: {room}', '{when}'),
('session_released', 'es', 'Ya no llevas la sesión: {room}', '{when}'),
('session_released', 'en', 'You no longer run the session: {room}', '{when}'),
('session_released', 'ca', 'Ja no portes la sessió: {room}', '{when}'),
('session_changed', 'es', 'Cambia tu sesión: {room}', '{before}{when} · {players} jugadores · {reference}{who}'),
('session_changed', 'en', 'Your session changes: {room}', '{before}{when} · {players} players · {reference}{who}'),
('session_changed', 'ca', 'Canvia la teva sessió: {room}', '{before}{when} · {players} jugadors · {reference}{who}'),
('day_board', 'es', 'Tus sesiones del {date}', 'Sesiones: {sessions}'),
('day_board', 'en', 'Your sessions on {date}', 'Sessions: {sessions}'),
('day_board', 'ca', 'Les teves sessions del {date}', 'Sessions: {sessions}'),
-- Before the title of what happened.
('last_minute', 'es', 'Última hora. {title}', ''),
('last_minute', 'en', 'Last minute. {title}', ''),
('last_minute', 'ca', 'Darrera hora. {title}', '')
on conflict (type, locale) do update set title = excluded.title, body = excluded.body;

create function private.filled(sentence text, words jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  text text := '';
  part text;
begin
  -- From left to right, once: a name that looks like a place to fill in stays as it is.
  for part in select m [1] from regexp_matches(sentence, '(\{[a-z]+\}|[^{]+|\{)', 'g') as m loop
    text := text || coalesce(words ->> case when part ~ '^\{[a-z]+\}$' then trim(part, '{}') end, part);
  end loop;
  return text;
end
$$;

comment on function private.filled is 'A sentence with its {places} filled in; those of which there is no word stay.';

create type public.notification as (
  id uuid,
  type text,
  title text,
  body text,
  link text,
  booking_id uuid,
  read_at timestamptz,
  created_at timestamptz
);

comment on type public.notification is 'A notification in the reader''s language.';
comment on column public.notification.id is 'For mark_notifications_read.';
comment on column public.notification.type is 'one of notifications.type';
comment on column public.notification.title is 'A line.';
comment on column public.notification.body is 'When, how many and which booking; who with customers:read only. Dates are day/month/year on the clock of the room''s location.';
comment on column public.notification.link is 'Which part of the venue''s screens it leads to: bookings/<id>, or board/<date>.';
comment on column public.notification.booking_id is 'Which booking; null: it is about sessions.';
comment on column public.notification.read_at is 'null: it is unread.';
comment on column public.notification.created_at is 'Grows from one to the next: the cursor.';

create function private.show_notification(notification public.notifications, locale text, sees_customers boolean)
returns public.notification
language plpgsql
stable
set search_path = ''
as $$
declare
  happened text := coalesce(notification.data ->> 'happened', notification.type);
  words jsonb;
  zone text := notification.data ->> 'timezone';
  room_name text;
  said private.notification_sentences;
begin
  if notification.type = 'day_board' then
    words := jsonb_build_object(
      'date', to_char((notification.data ->> 'date')::date, 'DD/MM/YYYY'), 'sessions', notification.data ->> 'sessions'
    );
  else
    select l.timezone, r.name into zone, room_name
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where r.organization_id = notification.organization_id and r.id = (notification.data ->> 'room_id')::uuid;
    select jsonb_build_object(
      'room', room_name,
      'when', to_char((notification.data ->> 'starts_at')::timestamptz at time zone zone, 'DD/MM/YYYY HH24:MI'),
      'before', coalesce(
        to_char((notification.data ->> 'previous_starts_at')::timestamptz at time zone zone, 'DD/MM/YYYY HH24:MI') || ' → ', ''
      ),
      'players', b.party_size,
      'reference', b.reference,
      'who', coalesce(' · ' || case when sees_customers then nullif(c.contact_name, '') end, '')
    ) into words
    from (select notification.booking_id) as n
    left join public.bookings as b
      on b.organization_id = notification.organization_id and b.id = notification.booking_id
    left join public.booking_contacts as c on c.organization_id = b.organization_id and c.booking_id = b.id;
  end if;
  select s.* into said
  from private.notification_sentences as s
  where s.type = case notification.type when 'last_minute' then happened else notification.type end
    and s.locale = show_notification.locale;
  said.title := private.filled(said.title, words);
  if notification.type = 'last_minute' then
    select private.filled(s.title, jsonb_build_object('title', said.title)) into said.title
    from private.notification_sentences as s
    where s.type = 'last_minute' and s.locale = show_notification.locale;
  end if;
  return row(
    notification.id, notification.type, said.title, private.filled(said.body, words),
    case
      when notification.booking_id is not null then 'bookings/' || notification.booking_id
      else 'board/' || coalesce(
        notification.data ->> 'date',
        ((notification.data ->> 'starts_at')::timestamptz at time zone zone)::date::text
      )
    end,
    notification.booking_id, notification.read_at, notification.created_at
  )::public.notification;
end
$$;

comment on function private.show_notification is
  'A notification in a language; who the party is only for whoever may see customers.';

create function private.list_notifications(
  organization_id uuid, after timestamptz, before timestamptz, unread_only boolean, max_rows int
)
returns setof public.notification
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  language text;
  sees_money boolean;
  sees_customers boolean;
begin
  perform private.require_permission(list_notifications.organization_id, 'bookings:read');
  sees_money := private.has_permission(list_notifications.organization_id, 'payments:read');
  sees_customers := private.has_permission(list_notifications.organization_id, 'customers:read');
  select p.locale into language from public.profiles as p where p.user_id = caller;
  return query
  select (private.show_notification(n, language, sees_customers)).*
  from (
    select x.*
    from public.notifications as x
    where x.organization_id = list_notifications.organization_id
      and x.user_id = caller
      and (sees_money or x.type not in ('booking_paid_late', 'payment_disputed'))
      and x.created_at > coalesce(list_notifications.after, '-infinity')
      and x.created_at < coalesce(list_notifications.before, 'infinity')
      and (list_notifications.unread_only is not true or x.read_at is null)
    order by
      case when list_notifications.after is not null then x.created_at end,
      x.created_at desc
    limit least(greatest(coalesce(list_notifications.max_rows, 50), 1), 100)
  ) as n
  order by
    case when list_notifications.after is not null then n.created_at end,
    n.created_at desc;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.list_notifications is
  'definer: reads bookings and contacts for the words, each under its own permission.';
grant execute on function private.list_notifications to authenticated;

create function public.list_notifications(
  organization_id uuid,
  after timestamptz default null,
  before timestamptz default null,
  unread_only boolean default false,
  max_rows int default 50
)
returns setof public.notification
language sql
stable
set search_path = ''
as $$ select * from private.list_notifications(organization_id, after, before, unread_only, max_rows) $$;

comment on function public.list_notifications is
  'The caller''s notifications of an organization in the language of the profile, max_rows of them (1 to 100): the newest first, older than before for the next page; or with after, those since, oldest first. Polling with the last created_at as after misses none. For members with bookings:read; what is about money also takes payments:read. Errors: 401 not_authenticated; 403 permission_denied, user_required.';
grant execute on function public.list_notifications to authenticated;

create type public.unread_notifications as (
  unread int,
  newest_at timestamptz
);

comment on type public.unread_notifications is 'What a bell shows.';
comment on column public.unread_notifications.unread is 'How many are unread, 100 at most: 100 or more.';
comment on column public.unread_notifications.newest_at is 'created_at of the newest unread one; null: none is.';

create function private.unread_notifications(organization_id uuid)
returns public.unread_notifications
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  sees_money boolean;
begin
  perform private.require_permission(unread_notifications.organization_id, 'bookings:read');
  sees_money := private.has_permission(unread_notifications.organization_id, 'payments:read');
  return (
    select row(count(*), max(n.created_at))::public.unread_notifications
    from (
      select x.created_at
      from public.notifications as x
      where x.organization_id = unread_notifications.organization_id
        and x.user_id = caller
        and x.read_at is null
        and (sees_money or x.type not in ('booking_paid_late', 'payment_disputed'))
      order by x.created_at desc
      limit 100
    ) as n
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.unread_notifications is
  'definer: counts in the index of what is unread, without asking the policy for each row.';
grant execute on function private.unread_notifications to authenticated;

create function public.unread_notifications(organization_id uuid)
returns public.unread_notifications
language sql
stable
set search_path = ''
as $$ select private.unread_notifications(organization_id) $$;

comment on function public.unread_notifications is
  'How many notifications of an organization the caller has not read. For members with bookings:read. Errors: 401 not_authenticated; 403 permission_denied, user_required.';
grant execute on function public.unread_notifications to authenticated;

create type public.marked_notifications as (
  marked int
);

comment on type public.marked_notifications is 'What became read.';
comment on column public.marked_notifications.marked is 'How many were unread before.';

create function private.mark_notifications_read(organization_id uuid, ids uuid [], until timestamptz)
returns public.marked_notifications
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  marked int;
begin
  perform private.require_permission(mark_notifications_read.organization_id, 'bookings:read');
  update public.notifications as n
  set read_at = now()
  where n.organization_id = mark_notifications_read.organization_id
    and n.user_id = caller
    and n.read_at is null
    and (n.id = any (mark_notifications_read.ids) or mark_notifications_read.ids is null)
    and (n.created_at <= mark_notifications_read.until or mark_notifications_read.until is null);
  get diagnostics marked = row_count;
  return row(marked)::public.marked_notifications;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.mark_notifications_read is
  'definer: writes the caller''s own rows of a table that no client writes.';
grant execute on function private.mark_notifications_read to authenticated;

create function public.mark_notifications_read(
  organization_id uuid, ids uuid [] default null, until timestamptz default null
)
returns public.marked_notifications
language sql
volatile
set search_path = ''
as $$ select private.mark_notifications_read(organization_id, ids, until) $$;

comment on function public.mark_notifications_read is
  'Marks the caller''s notifications of an organization as read: those named, or all; with until none that came after, which nobody has seen. Again, it marks none. For members with bookings:read. Errors: 401 not_authenticated; 403 permission_denied, user_required.';
grant execute on function public.mark_notifications_read to authenticated;
