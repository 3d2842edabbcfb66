-- Bookings that cost nothing now and are confirmed by a click in the mail: what shows that whoever
-- books reads the address, and keeps strangers from filling a calendar and a mailbox.

create function private.ask_for_confirmation(booking public.bookings, mailed boolean default true)
returns public.bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  held public.bookings;
begin
  insert into private.booking_confirmations (organization_id, booking_id, token_hash)
  values (
    booking.organization_id, booking.id,
    private.token_hash(private.derived_token('confirmation', booking.id::text))
  );
  -- Mails take their time, above all to whom the server does not know yet.
  update public.bookings as b
  set hold_expires_at = least(greatest(b.hold_expires_at, now() + interval '1 hour'), b.starts_at)
  where b.organization_id = booking.organization_id and b.id = booking.id
  returning b.* into held;
  if mailed then
    perform private.enqueue(
      'email.send',
      jsonb_build_object(
        'template', 'booking_to_confirm', 'organization_id', held.organization_id, 'booking_id', held.id
      ),
      'booking_to_confirm:' || held.id,
      held.organization_id
    );
  end if;
  return held;
end
$$;

comment on function private.ask_for_confirmation is
  'Holds a booking with nothing to pay until the link in its mail is opened, for an hour or as long as its hold lasts, never past its start; returns it. One that is not mailed is confirmed with another of its order.';

create function private.confirm_booking(reference text, confirmation_token text)
returns public.booking
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  asked private.booking_confirmations;
  booking public.bookings;
  manage_token text;
  waiting_id uuid;
  answer public.booking;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  select c.* into asked
  from private.booking_confirmations as c
  where c.token_hash = private.typed_token_hash(confirm_booking.confirmation_token);
  manage_token := private.derived_token('booking', asked.booking_id::text);
  -- Raises booking_not_found, for a wrong token and a wrong reference alike.
  booking := private.booking_with_token(confirm_booking.reference, manage_token);
  if booking.order_id is null then
    booking := private.locked_booking(booking.organization_id, booking.id);
  else
    -- The link in one mail is for all of them.
    perform private.lock_bookings(booking.organization_id, array_agg(b.id))
    from public.bookings as b
    where b.organization_id = booking.organization_id and b.order_id = booking.order_id;
    select b.* into booking
    from public.bookings as b
    where b.organization_id = booking.organization_id and b.id = booking.id;
  end if;
  if booking.status = 'held' and booking.hold_expires_at > now() then
    perform private.act_as('customer', booking.customer_id);
    for waiting_id in
      select b.id
      from public.bookings as b
      where b.organization_id = booking.organization_id
        and (b.id = booking.id or b.order_id = booking.order_id)
        and b.status = 'held'
        and b.hold_expires_at > now()
        and private.awaits_confirmation(b)
      order by b.starts_at, b.id
    loop
      update private.booking_confirmations as c
      set confirmed_at = now()
      where c.organization_id = booking.organization_id and c.booking_id = waiting_id;
      perform private.transition(booking.organization_id, waiting_id, 'confirmed', 'confirmed_by_email');
    end loop;
  elsif asked.confirmed_at is null then
    perform private.fail(
      'confirmation_too_late', 409, 'The place was not held any longer: choose a time once more.'
    );
  end if;
  answer := private.get_booking(confirm_booking.reference, manage_token);
  answer.manage_token := manage_token;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.confirm_booking is
  'definer: confirms a booking for whoever received the mail about it.';
grant execute on function private.confirm_booking to anon, authenticated;

create function public.confirm_booking(reference text, confirmation_token text)
returns public.booking
language sql
volatile
set search_path = ''
as $$ select private.confirm_booking(reference, confirmation_token) $$;

comment on function public.confirm_booking is
  'Confirms a booking that is held until the link in its mail is opened (calendars.confirm_by_email), and with it the others of its order; the token is in that link only. Returns the booking with its manage_token; the same again when it was confirmed before. For anybody. Errors: 404 booking_not_found for a wrong reference or token; 409 confirmation_too_late; 429 rate_limited.';
grant execute on function public.confirm_booking to anon, authenticated;

create function private.announce_pending(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Staff often take the money, or confirm, right afterwards: that has a mail of its own.
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'booking_pending', 'organization_id', booking.organization_id, 'booking_id', booking.id
    ),
    concat_ws(':', 'booking_pending', booking.organization_id, booking.id),
    booking.organization_id,
    now() + interval '2 minutes'
  );
end
$$;

comment on function private.announce_pending is
  'Queues the mail with the link to pay a booking that staff made, for two minutes later; it is sent if the booking still waits for its payment then.';

create function private.remind_of_hold(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Most pay at once; who has not by then may have closed the page.
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'booking_held', 'organization_id', booking.organization_id, 'booking_id', booking.id
    ),
    concat_ws(':', 'booking_held', booking.organization_id, booking.id),
    booking.organization_id,
    now() + greatest((booking.hold_expires_at - now()) / 3, interval '2 minutes')
  );
end
$$;

comment on function private.remind_of_hold is
  'Queues the mail with the link to a held booking that has something to pay, for after a third of the hold, at least two minutes; it is sent if the booking is still unpaid then.';
