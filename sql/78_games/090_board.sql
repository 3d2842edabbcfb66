-- The board of a day: what happens where, who comes, and who runs it.

create type public.waiver_progress as (
  policy text,
  signed int,
  needed int,
  missing int
);

comment on type public.waiver_progress is 'How far a party is with its waiver, without the token: whoever has it signs.';
comment on column public.waiver_progress.policy is 'Of the room; one of rooms.waiver_policy';
comment on column public.waiver_progress.signed is 'People for whom somebody has signed.';
comment on column public.waiver_progress.needed is 'People of the party; 0 where nothing is signed.';
comment on column public.waiver_progress.missing is 'People for whom nobody has signed yet.';

create type public.board_booking as (
  id uuid,
  reference text,
  status text,
  contact_name text,
  party_size int,
  exclusive boolean,
  customer_note text,
  staff_note text,
  currency text,
  total_cents bigint,
  paid_cents bigint,
  refunded_cents bigint,
  open_cents bigint,
  waiver public.waiver_progress,
  late_minutes int,
  mail_problem text
);

comment on type public.board_booking is 'A booking on the board.';
comment on column public.board_booking.id is 'Of the booking.';
comment on column public.board_booking.reference is 'As the customer knows it.';
comment on column public.board_booking.status is 'one of bookings.status';
comment on column public.board_booking.contact_name is 'Who comes; null without customers:read.';
comment on column public.board_booking.party_size is 'People.';
comment on column public.board_booking.exclusive is 'Whether a party is alone in a shared room.';
comment on column public.board_booking.customer_note is 'The customer''s; null without customers:read.';
comment on column public.board_booking.staff_note is 'For the staff only; empty without one.';
comment on column public.board_booking.currency is 'Of the amounts, ISO 4217.';
comment on column public.board_booking.total_cents is 'Price, tax included, in minor units.';
comment on column public.board_booking.paid_cents is 'All payments, in minor units; null without payments:read.';
comment on column public.board_booking.refunded_cents is 'All refunds, in minor units; null without payments:read.';
comment on column public.board_booking.open_cents is 'What can still be asked for, in minor units; null without payments:read.';
comment on column public.board_booking.waiver is 'What the party still has to sign.';
comment on column public.board_booking.late_minutes is 'How much later than agreed the party said that it comes; null: it said nothing.';
comment on column public.board_booking.mail_problem is
  'Why its last mail did not reach its customer, whose address is to be corrected; null: it did, as far as is known. one of booking_mail_problems.problem';

create type public.board_person as (
  user_id uuid,
  full_name text,
  source text,
  is_skilled boolean,
  is_on_shift boolean
);

comment on type public.board_person is 'Who runs a session.';
comment on column public.board_person.user_id is 'Of the account.';
comment on column public.board_person.full_name is 'Empty until it was given; null without users:read.';
comment on column public.board_person.source is 'one of session_staff.source';
comment on column public.board_person.is_skilled is 'Whether the person may run the room; null without shifts:read.';
comment on column public.board_person.is_on_shift is 'Whether the game lies within a shift of the person; null without shifts:read.';

create type public.board_session as (
  id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  occupied_until timestamptz,
  local_time text,
  mode text,
  status text,
  capacity int,
  seats_taken int,
  bookings public.board_booking [],
  is_unassigned boolean,
  staff public.board_person [],
  candidates uuid [],
  game public.game_clock
);

comment on type public.board_session is 'A session that somebody has booked or holds.';
comment on column public.board_session.id is 'Of the session.';
comment on column public.board_session.starts_at is 'Of the game.';
comment on column public.board_session.ends_at is 'Of the game.';
comment on column public.board_session.occupied_until is 'With the turnaround.';
comment on column public.board_session.local_time is 'When it starts on the location''s clock, HH:MM.';
comment on column public.board_session.mode is 'one of: private, shared';
comment on column public.board_session.status is 'one of: booked, held';
comment on column public.board_session.capacity is 'Seats.';
comment on column public.board_session.seats_taken is 'Of them.';
comment on column public.board_session.bookings is 'In the order in which they were made.';
comment on column public.board_session.is_unassigned is 'Whether nobody runs it.';
comment on column public.board_session.staff is 'Who runs it, by name.';
comment on column public.board_session.candidates is 'User ids of who could run it: skilled, on shift and free; null without shifts:read, and where somebody runs it.';
comment on column public.board_session.game is 'Its clock at this moment; null without games:read.';

create type public.board_block as (
  session_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  reason text
);

comment on type public.board_block is 'Time that a room is off sale.';
comment on column public.board_block.session_id is 'Of the block.';
comment on column public.board_block.starts_at is 'From when.';
comment on column public.board_block.ends_at is 'Until when.';
comment on column public.board_block.reason is 'For the staff only; null: none was given.';

create type public.board_room as (
  id uuid,
  name text,
  sessions public.board_session [],
  blocks public.board_block []
);

comment on type public.board_room is 'A room on the board.';
comment on column public.board_room.id is 'Of the room.';
comment on column public.board_room.name is 'As it is called.';
comment on column public.board_room.sessions is 'By time.';
comment on column public.board_room.blocks is 'By time.';

create type public.board_shift as (
  id uuid,
  user_id uuid,
  full_name text,
  starts_at timestamptz,
  ends_at timestamptz,
  sessions bigint
);

comment on type public.board_shift is 'Who is there, and when.';
comment on column public.board_shift.id is 'Of the shift.';
comment on column public.board_shift.user_id is 'Of the account.';
comment on column public.board_shift.full_name is 'Empty until it was given; null without users:read.';
comment on column public.board_shift.starts_at is 'From when.';
comment on column public.board_shift.ends_at is 'Until when.';
comment on column public.board_shift.sessions is 'How many of the board the person runs.';

create type public.board_location as (
  id uuid,
  name text,
  timezone text,
  rooms public.board_room [],
  shifts public.board_shift []
);

comment on type public.board_location is 'A location on the board.';
comment on column public.board_location.id is 'Of the location.';
comment on column public.board_location.name is 'As it is called.';
comment on column public.board_location.timezone is 'IANA zone.';
comment on column public.board_location.rooms is 'By name.';
comment on column public.board_location.shifts is 'By time; null without shifts:read.';

create type public.board as (
  date date,
  unassigned bigint,
  locations public.board_location []
);

comment on type public.board is 'A day of a location, or of all, on its own clock.';
comment on column public.board.date is 'The day.';
comment on column public.board.unassigned is 'How many sessions nobody runs.';
comment on column public.board.locations is 'By name.';

create function private.get_board(organization_id uuid, date date, location_id uuid)
returns public.board
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
  sees_games boolean;
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
    from unnest(array['customers:read', 'payments:read', 'users:read', 'shifts:read', 'games:read']) as part (permission)
    where private.has_permission(get_board.organization_id, part.permission)
  );
  sees_customers := 'customers:read' = any (held);
  sees_money := 'payments:read' = any (held);
  sees_people := 'users:read' = any (held);
  sees_shifts := 'shifts:read' = any (held);
  sees_games := 'games:read' = any (held);

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
        array_agg(
          row(
            b.id,
            b.reference,
            b.status,
            case when sees_customers then contact.contact_name end,
            b.party_size,
            b.exclusive,
            case when sees_customers then contact.customer_note end,
            b.staff_note,
            b.currency,
            b.total_cents,
            balance.paid_cents,
            balance.refunded_cents,
            case when sees_money then private.booking_open(b) end,
            (
              select row(w.policy, w.signed, w.needed, w.missing)::public.waiver_progress
              from private.booking_waiver(b) as w
            ),
            (
              select k.minutes
              from public.late_arrivals as k
              where k.organization_id = b.organization_id and k.booking_id = b.id and k.session_id = b.session_id
            ),
            (
              select p.problem
              from public.booking_mail_problems as p
              where p.organization_id = b.organization_id and p.booking_id = b.id
            )
          )::public.board_booking
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
      left join lateral private.booking_balance(b.organization_id, b.id) as balance on sees_money
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
        row(
          s.id,
          s.starts_at,
          s.ends_at,
          s.occupied_until,
          to_char(s.starts_at at time zone p.timezone, 'HH24:MI'),
          s.mode,
          case when b.is_booked then 'booked' else 'held' end,
          s.capacity,
          s.seats_taken,
          b.bookings,
          staff.people is null,
          coalesce(staff.people, '{}'),
          -- Who could run it now; of interest while nobody does.
          case
            when sees_shifts and staff.people is null then array(
              select f.user_id
              from fit as f
              where f.session_id = s.id and f.is_skilled and f.is_on_shift and f.is_free
              order by f.user_id
            )
          end,
          case when sees_games then private.game_clock(s, clock_timestamp()) end
        )::public.board_session as entry
      from booking as b
      join public.sessions as s on s.organization_id = get_board.organization_id and s.id = b.session_id
      join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
      join place as p on p.id = r.location_id
      cross join lateral (
        select
          array_agg(
            row(
              x.user_id,
              x.full_name,
              x.source,
              case when sees_shifts then coalesce(f.is_skilled, false) end,
              case when sees_shifts then coalesce(f.is_on_shift, false) end
            )::public.board_person
            order by x.full_name, x.user_id
          ) as people
        from person as x
        left join fit as f on f.session_id = x.session_id and f.user_id = x.user_id
        where x.session_id = s.id
      ) as staff
    )
    select row(
      get_board.date,
      (select count(*) from session as s where s.is_unassigned),
      coalesce(
        array_agg(
          row(
            p.id,
            p.name,
            p.timezone,
            array(
              select row(
                r.id,
                r.name,
                array(select s.entry from session as s where s.room_id = r.id order by s.starts_at, s.id),
                array(
                  select row(k.id, k.starts_at, k.ends_at, k.reason)::public.board_block
                  from public.sessions as k
                  where k.organization_id = r.organization_id
                    and k.room_id = r.id
                    and k.mode = 'block'
                    and k.status = 'scheduled'
                    and k.starts_at < p.closes
                    and k.ends_at > p.opens
                  order by k.starts_at
                )
              )::public.board_room
              from public.rooms as r
              where r.organization_id = get_board.organization_id
                and r.location_id = p.id
                and (not r.is_archived or exists (select from session as s where s.room_id = r.id))
              order by r.name, r.id
            ),
            case
              when sees_shifts then array(
                select row(
                  h.id,
                  h.user_id,
                  case when sees_people then f.full_name end,
                  h.starts_at,
                  h.ends_at,
                  (select count(*) from person as x where x.user_id = h.user_id)
                )::public.board_shift
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
                order by h.starts_at, h.user_id
              )
            end
          )::public.board_location
          order by p.name, p.id
        ),
        '{}'
      )
    )::public.board
    from place as p
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_board is
  'definer: joins tables for an organization that the caller names, each under its own permission.';
grant execute on function private.get_board to authenticated;

create function public.get_board(organization_id uuid, date date, location_id uuid default null)
returns public.board
language sql
stable
set search_path = ''
as $$ select private.get_board(organization_id, date, location_id) $$;

comment on function public.get_board is
  'A day of a location, or of all, on its own clock. Sessions that start on the date and that somebody has booked (booked) or holds (held); blocks and shifts that touch it. For members with bookings:read; what takes a further permission is null without it. Errors: 403 permission_denied; 404 location_not_found; 422 date_invalid.';
grant execute on function public.get_board to authenticated;
