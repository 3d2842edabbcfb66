-- A booking as clients see it: one form, whoever shows it.

create function private.staff_booking_json(booking public.bookings)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  seen jsonb := private.booking_json(booking);
begin
  if private.has_permission(booking.organization_id, 'customers:read') then
    return seen;
  end if;
  -- As the policy of booking_contacts.
  return seen || '{"fields": null, "customer_note": null}';
end
$$;

comment on function private.staff_booking_json is
  'A booking as members see it: what the party said of itself is null without customers:read.';
