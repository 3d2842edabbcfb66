-- Whoever has a customer's address has the links of the customer's bookings (email_my_bookings, my_bookings, every
-- later mail), and with a link a booking is moved and cancelled. So another address for somebody who has bookings to
-- come takes what moving and cancelling them takes.

create function private.has_bookings_to_come(organization_id uuid, customer_id uuid)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  return exists (
    select from public.bookings as b
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    where b.organization_id = has_bookings_to_come.organization_id
      and b.customer_id = has_bookings_to_come.customer_id
      and b.status in ('held', 'pending', 'confirmed', 'checked_in', 'in_progress')
      and s.ends_at > now()
      and coalesce(b.hold_expires_at > now(), true)
  );
end
$$;

comment on function private.has_bookings_to_come is
  'Whether a customer has bookings that are neither over nor given up.';

create function private.require_booking_rights(organization_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  -- transition_booking and change_booking ask for the same.
  perform private.require_permission(require_booking_rights.organization_id, 'bookings:cancel');
  perform private.require_permission(require_booking_rights.organization_id, 'bookings:update');
end
$$;

comment on function private.require_booking_rights is
  'Raises 403 permission_denied, details {"permission"}, for whoever may not cancel and change bookings, which the address of their customer lets one do.';

create function private.keep_address_of_bookings()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if private.has_bookings_to_come(new.organization_id, new.id) then
    perform private.require_booking_rights(new.organization_id);
  end if;
  return null;
end
$$;

comment on function private.keep_address_of_bookings is
  'definer: reads bookings for members who may change customers and not read them. 403 permission_denied, details {"permission"}, for another address of a customer with bookings to come, without bookings:cancel and bookings:update. After the row: whoever is booking with the address just now was waited for.';

create trigger customers_keep_address_of_bookings
after update of email on public.customers
for each row when (new.email is distinct from old.email and new.erased_at is null)
execute function private.keep_address_of_bookings();
