-- The board of a day: what happens where, who comes, and who runs it.

create function private.get_board(organization_id uuid, date date, location_id uuid)
returns jsonb
language plpgsql
stable
security definer
set jit = off
set search_path = ''
as $$
declare
  -- One function for several tables: each part asks for what its table's policy would.
  held text [];
  sees_customers boolean;
  sees_money boolean;
  sees_people boolean;
  sees_shifts boolean;
begin
  perform private.require_permission(get_board.organization_id, 'bookings:read');
  if get_board.date is null or not isfinite(get_board.date) then
    perform private.fail('date_invalid', 422, 'Give a date.');
  elsif get_board.location_id is not null and not exists (
    select from public.locations as l
    where l.organization_id = get_board.organization_id and l.id = get_board.location_id
  ) then
    perform private.fail('location_not_found', 404, 'Choose one of the organization''s locations, or none for all.');
  end if;
  held := array(
    select part.permission
    from unnest(array['customers:read', 'payments:read', 'users:read', 'shifts:read']) as part (permission)
    where private.has_permission(get_board.organization_id, part.permission)
  );
  sees_customers := 'customers:read' = any (held);
  sees_money := 'payments:read' = any (held);
  sees_people := 'users:read' = any (held);
  sees_shifts := 'shifts:read' = any (held);

  return (
    with
    place as materialized (
      select
        l.id,
        l.name,
        l.timezone,
        get_board.date::timestamp at time zone l.timezone as opens,
        (get_board.date + 1)::timestamp at time zone l.timezone as closes
      from public.locations as l
      where l.organization_id = get_board.organization_id
        and (get_board.location_id is null or l.id = get_board.location_id)
    ),
    booking as materialized (
      select
        b.session_id,
        bool_or(b.status <> 'held') as is_booked,
        jsonb_agg(
          jsonb_build_object(
            'id', b.id,
            'reference', b.reference,
            'status', b.status,
            'contact_name', case when sees_customers then contact.contact_name end,
            'party_size', b.party_size,
            'exclusive', b.exclusive,
            'customer_note', case when sees_customers then contact.customer_note end,
            'staff_note', b.staff_note,
            'currency', b.currency,
            'total_cents', b.total_cents,
            'paid_cents', case
              when sees_money then (
                select m.balance_cents from private.booking_balance(b.organization_id, b.id) as m
              )
            end,
            'due_cents', case
              when sees_money then private.booking_open(b)
            end,
            -- Not the token: whoever has it signs.
            'waiver', private.booking_waiver(b) - 'token'
          )
          order by b.created_at, b.id
        ) as bookings
      from place as p
      join public.rooms as r on r.organization_id = get_board.organization_id and r.location_id = p.id
      join public.bookings as b
        on b.organization_id = r.organization_id
        and b.room_id = r.id
        and b.starts_at >= p.opens
        and b.starts_at < p.closes
      left join public.booking_contacts as contact
        on contact.organization_id = b.organization_id and contact.booking_id = b.id
      where b.takes_capacity and coalesce(b.hold_expires_at > now(), true)
      group by b.session_id
    ),
    fit as materialized (
      select g.*
      from private.game_masters(
        get_board.organization_id, (select array_agg(b.session_id) from booking as b)
      ) as g
    ),
    person as materialized (
      select x.session_id, x.user_id, x.source, case when sees_people then f.full_name end as full_name
      from booking as b
      join public.session_staff as x
        on x.organization_id = get_board.organization_id and x.session_id = b.session_id
      join public.profiles as f on f.user_id = x.user_id
    ),
    session as materialized (
      select
        s.room_id,
        s.starts_at,
        s.id,
        staff.people is null as is_unassigned,
        jsonb_build_object(
          'id', s.id,
          'starts_at', s.starts_at,
          'ends_at', s.ends_at,
          'occupied_until', s.occupied_until,
          'local_time', to_char(s.starts_at at time zone p.timezone, 'HH24:MI'),
          'mode', s.mode,
          'status', case when b.is_booked then 'booked' else 'held' end,
          'capacity', s.capacity,
          'seats_taken', s.seats_taken,
          'bookings', b.bookings,
          'is_unassigned', staff.people is null,
          'staff', coalesce(staff.people, '[]'),
          -- Who could run it now; of interest while nobody does.
          'candidates', case
            when sees_shifts and staff.people is null then (
              select coalesce(jsonb_agg(f.user_id order by f.user_id), '[]')
              from fit as f
              where f.session_id = s.id and f.is_skilled and f.is_on_shift and f.is_free
            )
          end
        ) as entry
      from booking as b
      join public.sessions as s on s.organization_id = get_board.organization_id and s.id = b.session_id
      join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
      join place as p on p.id = r.location_id
      cross join lateral (
        select
          jsonb_agg(
            jsonb_build_object(
              'user_id', x.user_id,
              'full_name', x.full_name,
              'source', x.source,
              'is_skilled', case when sees_shifts then coalesce(f.is_skilled, false) end,
              'is_on_shift', case when sees_shifts then coalesce(f.is_on_shift, false) end
            )
            order by x.full_name, x.user_id
          ) as people
        from person as x
        left join fit as f on f.session_id = x.session_id and f.user_id = x.user_id
        where x.session_id = s.id
      ) as staff
    )
    select jsonb_build_object(
      'date', get_board.date,
      'unassigned', (select count(*) from session as s where s.is_unassigned),
      'locations', coalesce(
        jsonb_agg(
          jsonb_build_object(
            'id', p.id,
            'name', p.name,
            'timezone', p.timezone,
            'rooms', (
              select coalesce(
                jsonb_agg(
                  jsonb_build_object(
                    'id', r.id,
                    'name', r.name,
                    'sessions', (
                      select coalesce(jsonb_agg(s.entry order by s.starts_at, s.id), '[]')
                      from session as s
                      where s.room_id = r.id
                    ),
                    'blocks', (
                      select coalesce(
                        jsonb_agg(
                          jsonb_build_object(
                            'session_id', k.id,
                            'starts_at', k.starts_at,
                            'ends_at', k.ends_at,
                            'reason', k.reason
                          )
                          order by k.starts_at
                        ),
                        '[]'
                      )
                      from public.sessions as k
                      where k.organization_id = r.organization_id
                        and k.room_id = r.id
                        and k.mode = 'block'
                        and k.status = 'scheduled'
                        and k.starts_at < p.closes
                        and k.ends_at > p.opens
                    )
                  )
                  order by r.name, r.id
                ),
                '[]'
              )
              from public.rooms as r
              where r.organization_id = get_board.organization_id and r.location_id = p.id
            ),
            'shifts', case
              when sees_shifts then (
                select coalesce(
                  jsonb_agg(
                    jsonb_build_object(
                      'id', h.id,
                      'user_id', h.user_id,
                      'full_name', case when sees_people then f.full_name end,
                      'starts_at', h.starts_at,
                      'ends_at', h.ends_at,
                      'sessions', (select count(*) from person as x where x.user_id = h.user_id)
                    )
                    order by h.starts_at, h.user_id
                  ),
                  '[]'
                )
                from public.staff_shifts as h
                join private.active_memberships as m
                  on m.organization_id = h.organization_id and m.user_id = h.user_id
                join public.profiles as f on f.user_id = h.user_id
                where h.organization_id = get_board.organization_id
                  and h.location_id = p.id
                  and h.timezone = p.timezone
                  and h.starts_at > p.opens - interval '26 hours'
                  and h.starts_at < p.closes
                  and h.ends_at > p.opens
              )
            end
          )
          order by p.name, p.id
        ),
        '[]'
      )
    )
    from place as p
  );
end
$$;

comment on function private.get_board is
  'definer: joins tables for an organization that the caller names, each under its own permission.';
grant execute on function private.get_board to authenticated;

create function public.get_board(organization_id uuid, date date, location_id uuid default null)
returns jsonb
language sql
stable
set search_path = ''
as $$ select private.get_board(organization_id, date, location_id) $$;

comment on function public.get_board is
  'A day of a location, or of all, on its own clock: {date, unassigned, locations: [{id, name, timezone, rooms: [{id, name, sessions: [{id, starts_at, ends_at, occupied_until, local_time, mode, status, capacity, seats_taken, bookings: [{id, reference, status, contact_name, party_size, exclusive, customer_note, staff_note, currency, total_cents, paid_cents, due_cents, waiver: {policy, signed, needed, missing}}], is_unassigned, staff: [{user_id, full_name, source, is_skilled, is_on_shift}], candidates}], blocks: [{session_id, starts_at, ends_at, reason}]}], shifts: [{id, user_id, full_name, starts_at, ends_at, sessions}]}]}. Sessions that start on the date and that somebody has booked (booked) or holds (held); blocks and shifts that touch it. unassigned: how many sessions nobody runs; candidates: user ids of who could run such a session, skilled, on shift and free. Amounts in minor units; paid_cents after refunds. For members with bookings:read; null is what takes a further permission: contact_name and customer_note customers:read, paid_cents and due_cents payments:read, full_name users:read, shifts, candidates, is_skilled and is_on_shift shifts:read. Errors: 403 permission_denied; 404 location_not_found; 422 date_invalid.';
grant execute on function public.get_board to authenticated;
