-- What the mails to staff say, read anew when they are sent: to whom, while they may be told, and of
-- what, as far as they may see it.

create type private.notice_reader as (
  name text,
  email text,
  locale text,
  sees_customers boolean,
  sees_money boolean,
  stop_token text
);

comment on type private.notice_reader is 'Whom a mail to staff goes to, and what may stand in it.';

create function private.notice_reader(organization_id uuid, cause jsonb)
returns private.notice_reader
language plpgsql
stable
set search_path = ''
as $$
begin
  if cause ? 'user_id' then
    return (
      select row(
        f.full_name, f.email, f.locale,
        private.member_may(notice_reader.organization_id, f.user_id, 'customers:read'),
        private.member_may(notice_reader.organization_id, f.user_id, 'payments:read'),
        null
      )::private.notice_reader
      from public.profiles as f
      -- An address that nobody has proven may be a stranger's.
      join private.proven_addresses as p on p.user_id = f.user_id and p.email = f.email
      where f.user_id = (cause ->> 'user_id')::uuid
        and private.member_may(notice_reader.organization_id, f.user_id, 'bookings:read')
    );
  end if;
  return (
    select row('', a.email, a.locale, false, true, private.notice_link('stop', a))::private.notice_reader
    from public.notice_addresses as a
    join public.organizations as o on o.id = a.organization_id
    where a.organization_id = notice_reader.organization_id
      and a.id = (cause ->> 'address_id')::uuid
      and a.confirmed_at is not null
      and o.status = 'active'
      and not private.is_barred(a.organization_id, null, a.email)
  );
end
$$;

comment on function private.notice_reader is
  'Who reads a mail to staff, {"user_id"} or {"address_id"}; null for whoever may not be told any more: suspended, removed, barred, without bookings:read, an address that has ended it or is not proven.';

create function private.active_notice_rule(organization_id uuid, cause jsonb)
returns public.notice_rules
language plpgsql
stable
set search_path = ''
as $$
declare
  rule public.notice_rules;
begin
  select r.* into rule
  from public.notice_rules as r
  where r.organization_id = active_notice_rule.organization_id
    and r.id = (cause ->> 'notice_rule_id')::uuid
    and r.is_active;
  return rule;
end
$$;

comment on function private.active_notice_rule is 'The rule of a mail to staff; null when it was switched off or deleted meanwhile.';

create function private.notice_item(event private.notice_events, type text, reader private.notice_reader)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'type', notice_item.type,
      'happened', event.kind,
      'happened_at', event.occurred_at,
      'room_name', r.name,
      'location_name', l.name,
      'timezone', l.timezone,
      'starts_at', event.starts_at,
      'previous_starts_at', h.change #> '{starts_at,0}',
      'previous_party_size', h.change #> '{party_size,0}',
      'previous_room_name', (
        select was.name
        from public.rooms as was
        where was.organization_id = event.organization_id and was.id::text = h.change #>> '{room_id,0}'
      ),
      'lapsed', h.to_status = 'expired',
      'party_size', b.party_size,
      'reference', b.reference,
      'customer_name', case when reader.sees_customers then nullif(c.contact_name, '') end,
      'customer_phone', case when reader.sees_customers then c.contact_phone end,
      'customer_email', case when reader.sees_customers then k.email end
    )
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    left join public.bookings as b on b.organization_id = event.organization_id and b.id = event.booking_id
    left join public.booking_contacts as c on c.organization_id = b.organization_id and c.booking_id = b.id
    left join public.customers as k
      on k.organization_id = b.organization_id and k.id = b.customer_id and k.erased_at is null
    left join public.booking_history as h on h.organization_id = event.organization_id and h.id = event.history_id
    where r.organization_id = event.organization_id and r.id = event.room_id
  );
end
$$;

comment on function private.notice_item is
  'What a mail to staff says of an event; names and contacts for whoever may see customers.';

create function private.is_news(event private.notice_events)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return case event.kind
    -- A later change, or the end, is told in its place.
    when 'booking_new' then not exists (
      select from public.bookings as b
      where b.organization_id = event.organization_id
        and b.id = event.booking_id
        and b.status in ('cancelled', 'expired')
    )
    when 'booking_changed' then not exists (
      select from private.notice_events as later
      where later.organization_id = event.organization_id
        and later.booking_id = event.booking_id
        and later.occurred_at > event.occurred_at
        and later.kind in ('booking_changed', 'booking_cancelled')
    )
    when 'booking_cancelled' then exists (
      select from public.bookings as b
      where b.organization_id = event.organization_id
        and b.id = event.booking_id
        and b.status in ('cancelled', 'expired')
    )
    when 'mail_problem' then exists (
      select from public.booking_mail_problems as p
      where p.organization_id = event.organization_id and p.booking_id = event.booking_id
    )
    when 'session_assigned' then exists (
      select from public.session_staff as x
      where x.organization_id = event.organization_id and x.session_id = event.session_id and x.user_id = event.user_id
    )
    when 'session_released' then not exists (
      select from public.session_staff as x
      where x.organization_id = event.organization_id and x.session_id = event.session_id and x.user_id = event.user_id
    )
    else true
  end;
end
$$;

comment on function private.is_news is 'Whether what happened is still so, and nothing later tells it better.';

create function private.notice_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  reader private.notice_reader := private.notice_reader(notice_content.organization_id, cause);
  rule public.notice_rules := private.active_notice_rule(notice_content.organization_id, cause);
  event private.notice_events;
begin
  select e.* into event
  from private.notice_events as e
  where e.organization_id = notice_content.organization_id and e.id = (cause ->> 'event_id')::uuid;
  if reader.email is null or rule.id is null or event.id is null
    or not private.is_news(event)
    or event.kind in ('booking_paid_late', 'payment_disputed') and not reader.sees_money
    or cause ? 'user_id' and not private.wants_notice(
      notice_content.organization_id, (cause ->> 'user_id')::uuid, cause ->> 'type', by_mail => true
    )
  then
    return null;
  end if;
  return (
    select jsonb_build_object(
      'locale', reader.locale,
      'to', jsonb_build_object('name', reader.name, 'email', reader.email),
      'data', private.notice_item(event, cause ->> 'type', reader) || jsonb_build_object(
        'organization_name', o.name, 'stop_token', reader.stop_token
      )
    )
    from public.organizations as o
    where o.id = notice_content.organization_id
  );
end
$$;

comment on function private.notice_content is
  'What the mail says that tells staff of one event; null when its reader may not be told, or does not want to be, the rule was switched off, or it is no news any more.';

select private.email_template_upsert('notice', 'notice_content', counts_as => 'notice');

create function private.notice_digest_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  reader private.notice_reader := private.notice_reader(notice_digest_content.organization_id, cause);
  rule public.notice_rules := private.active_notice_rule(notice_digest_content.organization_id, cause);
  items jsonb;
begin
  if reader.email is null or rule.id is null then
    return null;
  end if;
  select jsonb_agg(private.notice_item(e, e.kind, reader) order by e.occurred_at, e.id) into items
  from jsonb_array_elements_text(cause -> 'events') as listed (id)
  join private.notice_events as e
    on e.organization_id = notice_digest_content.organization_id and e.id = listed.id::uuid
  where (reader.sees_money or e.kind not in ('booking_paid_late', 'payment_disputed'))
    and (
      not cause ? 'user_id'
      or private.wants_notice(
        notice_digest_content.organization_id, (cause ->> 'user_id')::uuid, e.kind, by_mail => true
      )
    );
  if items is null then
    return null;
  end if;
  return (
    select jsonb_build_object(
      'locale', reader.locale,
      'to', jsonb_build_object('name', reader.name, 'email', reader.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'timezone', cause ->> 'timezone',
        'items', jsonb_path_query_array(items, '$[0 to 99]'),
        'more', greatest(jsonb_array_length(items) - 100, 0),
        'stop_token', reader.stop_token
      )
    )
    from public.organizations as o
    where o.id = notice_digest_content.organization_id
  );
end
$$;

comment on function private.notice_digest_content is
  'What a digest says: of each event what is so by then, 100 at most; null when its reader may be told of none.';

select private.email_template_upsert('notice_digest', 'notice_digest_content', counts_as => 'notice');

create function private.day_board_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  reader private.notice_reader := private.notice_reader(day_board_content.organization_id, cause);
  rule public.notice_rules := private.active_notice_rule(day_board_content.organization_id, cause);
  sessions jsonb;
begin
  if reader.email is null or rule.id is null
    or ((cause ->> 'date')::date + 1)::timestamp at time zone (cause ->> 'timezone') <= now()
    or not private.wants_notice(
      day_board_content.organization_id, (cause ->> 'user_id')::uuid, 'day_board', by_mail => true
    )
  then
    return null;
  end if;
  select jsonb_agg(
    jsonb_build_object(
      'room_name', s.room_name, 'starts_at', s.starts_at, 'ends_at', s.ends_at, 'players', s.players,
      'parties', (
        select jsonb_agg(
          jsonb_build_object(
            'reference', b.reference, 'party_size', b.party_size,
            'customer_name', case when reader.sees_customers then nullif(c.contact_name, '') end
          )
          order by b.created_at, b.id
        )
        from public.bookings as b
        left join public.booking_contacts as c on c.organization_id = b.organization_id and c.booking_id = b.id
        where b.organization_id = day_board_content.organization_id
          and b.session_id = s.session_id
          and b.takes_capacity
          and coalesce(b.hold_expires_at > now(), true)
      )
    )
    order by s.starts_at, s.session_id
  ) into sessions
  from private.own_board(
    day_board_content.organization_id, (cause ->> 'user_id')::uuid, (cause ->> 'date')::date, cause ->> 'timezone', rule
  ) as s;
  if sessions is null then
    return null;
  end if;
  return (
    select jsonb_build_object(
      'locale', reader.locale,
      'to', jsonb_build_object('name', reader.name, 'email', reader.email),
      'data', jsonb_build_object(
        'organization_name', o.name, 'date', cause ->> 'date', 'timezone', cause ->> 'timezone', 'sessions', sessions
      )
    )
    from public.organizations as o
    where o.id = day_board_content.organization_id
  );
end
$$;

comment on function private.day_board_content is
  'What the mail says that tells a game master of the next day: the sessions that they run as things stand; null without any, or when the day is over.';

select private.email_template_upsert('day_board', 'day_board_content', counts_as => 'notice');

create function private.notice_address_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', a.locale,
      'to', jsonb_build_object('name', '', 'email', a.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'start_token', private.notice_link('start', a),
        'expires_at', a.asked_at + interval '7 days',
        'timezone', o.timezone
      )
    )
    from public.notice_addresses as a
    join public.organizations as o on o.id = a.organization_id
    where a.organization_id = notice_address_content.organization_id
      and a.id = (cause ->> 'address_id')::uuid
      and a.confirmed_at is null
      and a.asked_at > now() - interval '7 days'
      and o.status = 'active'
      and not private.is_barred(a.organization_id, null, a.email)
  );
end
$$;

comment on function private.notice_address_content is
  'What the mail says that asks an address whether it wants notices; null when it has said yes, or was taken out.';

select private.email_template_upsert('notice_address', 'notice_address_content');
