-- Extras in a quote: which ones a booking may have, how many are left, what they cost.

create function private.session_at(organization_id uuid, slot private.slot)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select s.id
    from public.sessions as s
    where s.organization_id = session_at.organization_id
      and s.room_id = (session_at.slot).room_id
      and s.starts_at = (session_at.slot).starts_at
      and s.mode = 'shared'
      and s.status = 'scheduled'
  );
end
$$;

comment on function private.session_at is 'The shared session that others have seats in at the slot; null if there is none.';

create function private.extra_left(
  extra public.extras,
  session_id uuid,
  booking_id uuid,
  with_lapsed boolean default false
)
returns int
language plpgsql
stable
set search_path = ''
as $$
begin
  return extra.stock_per_session - (
    select coalesce(sum(be.units), 0)
    from public.bookings as b
    join public.booking_extras as be on be.organization_id = b.organization_id and be.booking_id = b.id
    where b.organization_id = extra.organization_id
      and b.session_id = extra_left.session_id
      and b.id is distinct from extra_left.booking_id
      and b.takes_capacity
      and (with_lapsed or coalesce(b.hold_expires_at > now(), true))
      and be.extra_id = extra.id
  );
end
$$;

comment on function private.extra_left is
  'How many of the extra are left in a session, beside what the named booking has; null: enough. with_lapsed: whether a hold takes some whose time is over, which may yet be paid until somebody expires it. It decides only under the session''s lock.';

create function private.refuse_sold_out(extra public.extras, left_over int)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail(
    'extra_sold_out', 409, 'Take fewer of the extra, or leave it out.',
    jsonb_build_object('extra_id', extra.id, 'left', greatest(left_over, 0))
  );
end
$$;

comment on function private.refuse_sold_out is
  'Raises 409 extra_sold_out, details {"extra_id", "left"}.';

create function private.extra_lines(
  organization_id uuid,
  slot private.slot,
  request private.booking_request,
  locale text
)
returns public.price_line []
language plpgsql
stable
set search_path = ''
as $$
declare
  lines public.price_line [] := '{}';
  session_id uuid;
  wanted private.wanted_extra;
  extra public.extras;
  owned int;
  units int;
begin
  foreach wanted in array coalesce(private.wanted_extras(request.extras), '{}')
  loop
    select x.* into extra
    from public.extras as x
    where x.organization_id = extra_lines.organization_id and x.id = wanted.extra_id;
    -- What a booking has in the room it keeps, though the venue offers it no longer, or less of it.
    owned := coalesce((
      select be.quantity
      from public.booking_extras as be
      join public.bookings as b on b.organization_id = be.organization_id and b.id = be.booking_id
      where be.organization_id = extra_lines.organization_id
        and be.booking_id = request.booking_id
        and be.extra_id = extra.id
        and b.room_id = slot.room_id
    ), 0);
    if extra.id is null
      or (owned = 0 or wanted.quantity > owned) and not private.is_extra_of(extra, slot.room_id)
    then
      perform private.fail(
        'extra_not_found', 422, 'Choose extras that get_calendar lists for the room.',
        jsonb_build_object('extra_id', wanted.extra_id)
      );
    elsif wanted.quantity > greatest(extra.maximum_quantity, owned) then
      perform private.fail(
        'extra_quantity_invalid', 422, 'Take no more of the extra than a booking may have.',
        jsonb_build_object('extra_id', extra.id, 'maximum', extra.maximum_quantity)
      );
    end if;
    continue when wanted.quantity = 0;
    units := wanted.quantity * case extra.price_per when 'person' then slot.party_size else 1 end;
    if extra.stock_per_session is not null then
      session_id := coalesce(session_id, private.session_at(extra_lines.organization_id, slot));
      if units > private.extra_left(extra, session_id, request.booking_id) then
        perform private.refuse_sold_out(extra, private.extra_left(extra, session_id, request.booking_id));
      end if;
    end if;
    lines := lines || private.quote_line(
      'extra', private.text_in(extra.names, locale), units, extra.price_cents, extra.tax_rate_bp, extra.id
    );
  end loop;
  return lines;
end
$$;

comment on function private.extra_lines is
  'The lines of the extras that a request asks for; one for persons is taken for the whole party. Raises 422 extras_invalid, extra_not_found, extra_quantity_invalid (details {"extra_id", "maximum"}); 409 extra_sold_out (details {"extra_id", "left"}).';
