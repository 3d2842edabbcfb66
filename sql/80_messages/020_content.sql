-- The content of each mail: what it says, read anew in the moment of sending, and null when it must
-- not be sent any more. A row of private.email_templates beside each function names it.

create function private.confirmed_answers(booking public.bookings, fields jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'question', private.text_in(f.label, booking.locale),
          'answer', case f.kind
            when 'checkbox' then '✓'
            when 'select' then coalesce(
              (
                select private.text_in(choice.label, booking.locale)
                from jsonb_populate_recordset(null::public.field_choice, f.options) as choice
                where choice.value = fields ->> f.key
              ),
              fields ->> f.key
            )
            else fields ->> f.key
          end
        )
        order by f.position, f.key
      ),
      '[]'
    )
    from public.calendar_fields as f
    where f.organization_id = booking.organization_id
      and f.calendar_id = booking.calendar_id
      and f.in_confirmation
      and coalesce(fields ->> f.key, '') <> ''
      and fields -> f.key <> 'false'
      -- Anybody can type an answer and somebody else's address.
      and not private.holds_link(fields ->> f.key, bare => true)
  );
end
$$;

comment on function private.confirmed_answers is
  'Of the answers that came with a booking those that its mails repeat, [{question, answer}] in the booking''s language; one that holds a link is not repeated.';

create function private.booking_content(organization_id uuid, booking_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'booking_id', b.id,
      'locale', b.locale,
      'to', jsonb_build_object('name', contact.contact_name, 'email', c.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'contact_email', o.contact_email,
        'website', o.website,
        'logo_path', o.logo_path,
        'room_name', private.room_name(r, b.locale),
        'location_name', l.name,
        'address', place.address,
        'phone', place.phone,
        'arrival_hints', place.arrival_hints,
        'directions', place.directions,
        'latitude', place.latitude,
        'longitude', place.longitude,
        'place', place.line,
        'timezone', l.timezone,
        'starts_at', s.starts_at,
        'ends_at', s.ends_at,
        'party_size', b.party_size,
        'extras', (private.show_booking(b)).extras,
        'answers', private.confirmed_answers(b, contact.fields),
        'reference', b.reference,
        'manage_url_token', private.derived_token('booking', b.id::text),
        'waiver_token', (private.booking_waiver(b)).token,
        'check_in_code', private.check_in_code(b),
        'calendar_slug', k.slug,
        'site_url', k.site_url,
        'accent_color', k.accent_color,
        'currency', b.currency,
        'total_cents', b.total_cents,
        'paid_cents', balance.paid_cents,
        'open_cents', private.booking_open(b),
        'payable_cents', private.payable_online(b),
        'terms', private.booking_terms(b),
        'cancel_refund', b.cancel_refund,
        -- What waits for a bank's decision is not promised.
        'refund_cents', balance.paid_cents - private.booking_kept(b.organization_id, b.id) - (
          select coalesce(sum(way.amount_cents) filter (where way.disputed), 0)
          from unnest(private.refund_ways(b.organization_id, b.id)) as way
        ),
        'refunds', private.refund_ways(b.organization_id, b.id),
        'split', exists (
          select from private.share_payments as sp
          join public.payment_shares as share on share.organization_id = sp.organization_id and share.id = sp.share_id
          where sp.organization_id = b.organization_id and share.booking_id = b.id
        ),
        'lost_cents', private.booking_lost(b.organization_id, b.id)
      )
    )
    from public.bookings as b
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    join public.booking_contacts as contact on contact.organization_id = b.organization_id and contact.booking_id = b.id
    join public.customers as c on c.organization_id = b.organization_id and c.id = b.customer_id
    join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    join public.organizations as o on o.id = b.organization_id
    left join lateral private.managing_calendar(b) as k on true
    cross join private.booking_balance(b.organization_id, b.id) as balance
    cross join private.booking_place(b) as place
    where b.organization_id = booking_content.organization_id
      and b.id = booking_content.booking_id
      and c.erased_at is null
  );
end
$$;

comment on function private.booking_content is
  'What every mail about a booking says, as things stand now: {booking_id, locale, to, data}; null without such a booking. refunds: by which way the money goes back, as private.refund_ways says; terms: what was agreed about cancelling; payable_cents: what the link asks for; split: whether others paid shares of it; lost_cents: what the customer''s bank gave back after a dispute.';

create function private.with_data(mail jsonb, data jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return jsonb_set(with_data.mail, '{data}', with_data.mail -> 'data' || with_data.data);
end
$$;

comment on function private.with_data is 'The mail with more data; null without a mail.';

create function private.told_until(told public.booking_history)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(
    -- What the newest mail that left was about; the customer knows the booking as it was then.
    (
      select max(h.occurred_at)
      from private.jobs as j
      join private.email_messages as m on m.job_id = j.id and m.sent_at is not null
      join public.booking_history as h
        on h.organization_id = j.organization_id and h.id = (j.payload ->> 'history_id')::uuid
      where j.kind = 'email.send'
        and j.organization_id = told.organization_id
        and j.payload ->> 'booking_id' = told.booking_id::text
        and h.occurred_at < told.occurred_at
    ),
    -- A change before the confirmation was never announced: the confirmation told what was so then.
    (
      select max(c.occurred_at)
      from public.booking_history as c
      where c.organization_id = told.organization_id
        and c.booking_id = told.booking_id
        and c.to_status = 'confirmed'
        and c.change is null
        and c.occurred_at < told.occurred_at
    ),
    '-infinity'
  );
end
$$;

comment on function private.told_until is
  'Until when the customer knows what became of the booking, when the mail about this step of it is written.';

create function private.untold_changes(told public.booking_history)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  first jsonb;
  last jsonb;
begin
  select
    jsonb_object_agg(field.key, field.value -> 0 order by h.occurred_at desc),
    jsonb_object_agg(field.key, field.value -> 1 order by h.occurred_at)
  into first, last
  from public.booking_history as h
  cross join jsonb_each(h.change) as field
  where h.organization_id = told.organization_id
    and h.booking_id = told.booking_id
    and h.occurred_at <= told.occurred_at
    and h.occurred_at > private.told_until(told);
  return (
    select jsonb_object_agg(f.key, jsonb_build_array(f.value, l.value))
    from jsonb_each(first) as f
    join jsonb_each(last) as l on l.key = f.key
    where f.value <> l.value
  );
end
$$;

comment on function private.untold_changes is
  'All that the mail about a change has to tell, as public.booking_history keeps it: that change and those before it that no mail told; null when they undo each other.';

create function private.untold_refunds(told public.booking_history)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  ways private.refund_way [] := private.refund_ways(
    told.organization_id, told.booking_id, 'changed', promised_after => private.told_until(told)
  );
begin
  return jsonb_build_object(
    'refunds', ways,
    -- What waits for a bank's decision is not promised.
    'refund_cents', (select coalesce(sum(way.amount_cents) filter (where not way.disputed), 0) from unnest(ways) as way)
  );
end
$$;

comment on function private.untold_refunds is
  'The refunds that the mail about a change has to tell, {refunds, refund_cents}: those of that change and of those before it that no mail told; the others have mails of their own.';

create function private.present_content(organization_id uuid, booking_id uuid, template text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object(
        'event_id', event.uid,
        'event_at', event.updated_at,
        -- As it is now: a calendar that has this version already keeps what it has.
        'event_version', event.sequence,
        'cancelled_by_customer', b.status = 'cancelled' and exists (
          select from public.booking_history as h
          where h.organization_id = b.organization_id
            and h.booking_id = b.id
            and h.to_status = 'cancelled'
            and h.actor_kind = 'customer'
        ),
        'previous', null
      )
    )
    from public.bookings as b
    cross join private.booking_event(b.organization_id, b.id, 'infinity') as event
    where b.organization_id = present_content.organization_id
      and b.id = present_content.booking_id
      and case present_content.template
        when 'booking_confirmed' then b.status in ('confirmed', 'checked_in', 'in_progress')
        when 'booking_cancelled' then b.status = 'cancelled' and b.merged_into_id is null
      end
  );
end
$$;

comment on function private.present_content is
  'What a mail that is sent again says: booking_confirmed or booking_cancelled, as the booking is now; null when it is not so any more.';

create function private.announcement_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  told public.booking_history;
  change jsonb;
  event public.booking_event;
begin
  if not cause ? 'history_id' then
    -- Asked for once more, about nothing new.
    return private.present_content(
      announcement_content.organization_id, (cause ->> 'booking_id')::uuid, cause ->> 'template'
    );
  end if;
  select h.* into told
  from public.booking_history as h
  where h.organization_id = announcement_content.organization_id
    and h.id = (cause ->> 'history_id')::uuid
    -- The news must still be news: nothing later has taken it back or told it anew. A change
    -- takes nothing from a confirmation, which says what is so now.
    and not exists (
      select from public.booking_history as later
      where later.organization_id = h.organization_id
        and later.booking_id = h.booking_id
        and later.occurred_at > h.occurred_at
        and later.to_status in ('confirmed', 'cancelled', 'expired', 'no_show')
        and (later.change is null or h.change is not null)
        and not private.is_undo(later.from_status, later.to_status)
    );
  if not found then
    return null;
  end if;
  if told.change is not null then
    change := private.untold_changes(told);
    if change is null then
      return null; -- moved, and moved back
    end if;
  end if;
  event := private.booking_event(told.organization_id, told.booking_id, told.occurred_at);
  return private.with_data(
    private.booking_content(told.organization_id, told.booking_id),
    jsonb_build_object(
      -- The event in the reader's calendar: the same for ever, its versions counted.
      'event_id', event.uid,
      'event_at', event.updated_at,
      'event_version', event.sequence,
      'cancelled_by_customer', told.to_status = 'cancelled' and told.actor_kind = 'customer',
      'previous', case when change is not null then jsonb_build_object(
        'starts_at', change #> '{starts_at,0}',
        'party_size', change #> '{party_size,0}',
        'extras', change #> '{extras,0}',
        'total_cents', change #> '{total_cents,0}',
        'room_name', (
          select private.room_name(r, b.locale)
          from public.bookings as b
          join public.rooms as r on r.organization_id = b.organization_id and r.id::text = change #>> '{room_id,0}'
          where b.organization_id = told.organization_id and b.id = told.booking_id
        )
      ) end
    ) || case when change is null then '{}' else private.untold_refunds(told) end
  );
end
$$;

comment on function private.announcement_content is
  'What a mail about a booking that was confirmed, changed or cancelled says now; null when it must not be sent any more. event_version counts what happened before; cancelled_by_customer: who cancelled, else the venue did; previous: what was so when the customer was last written to, of what is otherwise now.';

select private.email_template_upsert('booking_confirmed', 'announcement_content');
select private.email_template_upsert('booking_cancelled', 'announcement_content');
select private.email_template_upsert('booking_rescheduled', 'announcement_content');

create function private.late_money_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object(
        'refund_cents', sum(q.amount_cents),
        'refunds', private.refund_ways(b.organization_id, b.id, 'paid_late')
      )
    )
    from public.bookings as b
    join private.refund_requests as q on q.organization_id = b.organization_id and q.booking_id = b.id
    where b.organization_id = late_money_content.organization_id
      and b.id = (cause ->> 'booking_id')::uuid
      -- Somebody may have found it a place after all.
      and not b.takes_capacity
      and q.reason = 'paid_late'
      and q.status in ('pending', 'succeeded')
    group by b.organization_id, b.id
  );
end
$$;

comment on function private.late_money_content is
  'What a mail about money that came too late and goes back says; null when none does.';

select private.email_template_upsert('booking_paid_late', 'late_money_content');

create function private.waitlist_offer_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object(
        'expires_at', b.hold_expires_at,
        'due_now_cents', b.due_now_cents,
        'waitlist_token', private.derived_token('waitlist', e.id::text)
      )
    )
    from public.waitlist_entries as e
    join public.bookings as b on b.organization_id = e.organization_id and b.id = e.booking_id
    where e.organization_id = waitlist_offer_content.organization_id
      and e.id = (cause ->> 'entry_id')::uuid
      and e.booking_id = (cause ->> 'booking_id')::uuid
      and e.status = 'offered'
      and b.hold_expires_at > now()
  );
end
$$;

comment on function private.waitlist_offer_content is
  'What the mail says that offers a place to somebody who waits; null when the offer was taken, given back or is over.';

select private.email_template_upsert('waitlist_offer', 'waitlist_offer_content');

create function private.waitlist_joined_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', e.locale,
      'to', jsonb_build_object('name', e.contact_name, 'email', c.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'contact_email', o.contact_email,
        'website', o.website,
        'logo_path', o.logo_path,
        'room_name', private.room_name(r, e.locale),
        'from_date', e.from_date,
        'to_date', e.to_date,
        'starts_at', e.starts_at,
        'timezone', coalesce(place.timezone, o.timezone),
        'party_size', e.party_size,
        'offer_minutes', k.waitlist_minutes,
        'waitlist_token', private.derived_token('waitlist', e.id::text),
        'calendar_slug', k.slug,
        'site_url', k.site_url,
        'accent_color', k.accent_color
      )
    )
    from public.waitlist_entries as e
    join public.customers as c on c.organization_id = e.organization_id and c.id = e.customer_id
    join public.organizations as o on o.id = e.organization_id
    join public.calendars as k on k.organization_id = e.organization_id and k.id = e.calendar_id
    left join public.rooms as r on r.organization_id = e.organization_id and r.id = e.room_id
    -- The clock on which a start that is waited for is read: the room's, or one of those sold.
    left join lateral (
      select l.timezone
      from public.calendar_rooms as cr
      join public.rooms as sold on sold.organization_id = cr.organization_id and sold.id = cr.room_id
      join public.locations as l on l.organization_id = sold.organization_id and l.id = sold.location_id
      where cr.organization_id = e.organization_id
        and cr.calendar_id = e.calendar_id
        and sold.id = coalesce(e.room_id, sold.id)
      order by sold.is_published desc, sold.id
      limit 1
    ) as place on true
    where e.organization_id = waitlist_joined_content.organization_id
      and e.id = (cause ->> 'entry_id')::uuid
      and e.status = 'waiting'
      and e.waits_until > now()
      and c.erased_at is null
  );
end
$$;

comment on function private.waitlist_joined_content is
  'What the mail says that confirms a place in the waiting list; null when somebody has left it, or was offered a place, which has a mail of its own. Dates are the venue''s; room_name null: any room; starts_at null: any time; offer_minutes: how long an offer is held.';

select private.email_template_upsert('waitlist_joined', 'waitlist_joined_content');

create function private.held_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object('expires_at', b.hold_expires_at, 'due_now_cents', b.due_now_cents)
    )
    from public.bookings as b
    where b.organization_id = held_content.organization_id
      and b.id = (cause ->> 'booking_id')::uuid
      and b.status = 'held'
      and b.hold_expires_at > now()
      and b.due_now_cents > private.booking_kept(b.organization_id, b.id)
      -- Nothing can be paid there any more.
      and not private.venue_is_closed(b.organization_id)
  );
end
$$;

comment on function private.held_content is
  'What the mail says that brings somebody back to a hold that is to be paid; null when it was paid, let go or has lapsed.';

select private.email_template_upsert('booking_held', 'held_content', counts_as => 'visitor');

create function private.pending_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object('expires_at', b.hold_expires_at, 'due_now_cents', b.due_now_cents)
    )
    from public.bookings as b
    where b.organization_id = pending_content.organization_id
      and b.id = (cause ->> 'booking_id')::uuid
      and b.status = 'pending'
      and b.hold_expires_at > now()
      and not private.venue_is_closed(b.organization_id)
  );
end
$$;

comment on function private.pending_content is
  'What the mail says about a booking by staff that waits for its payment; null when it was confirmed, cancelled or has lapsed.';

select private.email_template_upsert('booking_pending', 'pending_content');

create function private.confirmation_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      jsonb_build_object(
        'expires_at', b.hold_expires_at,
        'confirmation_token', private.derived_token('confirmation', b.id::text)
      )
    )
    from public.bookings as b
    where b.organization_id = confirmation_content.organization_id
      and b.id = (cause ->> 'booking_id')::uuid
      and b.hold_expires_at > now()
      and private.awaits_confirmation(b)
  );
end
$$;

comment on function private.confirmation_content is
  'What the mail says whose link confirms a booking; null when it was confirmed, let go or has lapsed.';

select private.email_template_upsert('booking_to_confirm', 'confirmation_content');

create function private.invitation_content(organization_id uuid, cause jsonb)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'locale', i.locale,
    'to', jsonb_build_object('name', '', 'email', i.email),
    'data', jsonb_build_object(
      'organization_name', o.name,
      'role_name', r.name,
      'invitation_token', private.derived_token('invitation', i.id::text),
      'expires_at', i.expires_at,
      'timezone', o.timezone
    )
  )
  from public.invitations as i
  join public.organizations as o on o.id = i.organization_id
  join public.roles as r on r.organization_id = i.organization_id and r.id = i.role_id
  where i.organization_id = invitation_content.organization_id
    and i.id = (cause ->> 'invitation_id')::uuid
    and i.accepted_at is null
    and i.revoked_at is null
    and i.expires_at > now()
$$;

comment on function private.invitation_content is
  'What an invitation''s mail says; no row when it was accepted, replaced or revoked, or has expired.';

select private.email_template_upsert('invitation', 'invitation_content');

create function private.voucher_went_back(voucher public.vouchers)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return voucher.balance_cents = 0 and exists (
    select from public.voucher_entries as e
    where e.organization_id = voucher.organization_id and e.voucher_id = voucher.id and e.kind = 'revoked'
  );
end
$$;

comment on function private.voucher_went_back is 'Whether what is left of a bought voucher was given back, so that its code is worth nothing.';

create function private.voucher_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', v.locale,
      'to', jsonb_build_object('name', v.recipient_name, 'email', v.recipient_email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'contact_email', o.contact_email,
        'website', o.website,
        'logo_path', o.logo_path,
        'code', v.code,
        'currency', v.currency,
        'initial_cents', (
          select e.amount_cents
          from public.voucher_entries as e
          where e.organization_id = v.organization_id and e.voucher_id = v.id and e.kind = 'issued'
        ),
        'valid_until', v.valid_until,
        'recipient_name', v.recipient_name,
        'message', v.message,
        -- Of one that was bought online.
        'buyer_name', b.buyer_name,
        'product', private.text_in(b.product_names, v.locale),
        'terms', b.accepted_terms,
        'calendar_slug', k.slug,
        'site_url', k.site_url,
        'accent_color', k.accent_color
      )
    )
    from public.vouchers as v
    join public.organizations as o on o.id = v.organization_id
    left join public.voucher_orders as b on b.organization_id = v.organization_id and b.voucher_id = v.id
    left join lateral (
      select c.slug, c.site_url, c.accent_color
      from public.calendars as c
      where c.organization_id = v.organization_id and c.is_active
      order by c.created_at, c.id
      limit 1
    ) as k on true
    where v.organization_id = voucher_content.organization_id
      and v.id = (cause ->> 'voucher_id')::uuid
      and v.status = 'active'
      and v.recipient_email is not null
      and not private.voucher_went_back(v)
      -- Of the one of before a dispute and the one that was queued after it, one is sent.
      and (cause ? 'resent' or not private.voucher_mail_left(v.organization_id, v.id, cause ->> 'released'))
  );
end
$$;

comment on function private.voucher_content is
  'What the mail with a gift voucher says; no row when it was cancelled, given back or blocked, or names nobody to write to.';

select private.email_template_upsert('voucher_issued', 'voucher_content');

create function private.bought_voucher_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', b.locale,
      'to', jsonb_build_object('name', b.buyer_name, 'email', b.buyer_email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'contact_email', o.contact_email,
        'website', o.website,
        'logo_path', o.logo_path,
        'code', v.code,
        'currency', b.currency,
        'amount_cents', b.amount_cents,
        'product', private.text_in(b.product_names, b.locale),
        'valid_until', v.valid_until,
        'recipient_name', b.recipient_name,
        'recipient_email', b.recipient_email,
        'message', b.message,
        'buyer_name', b.buyer_name,
        'terms', b.accepted_terms,
        'deliver_on', b.deliver_on,
        'calendar_slug', c.slug,
        'site_url', c.site_url,
        'accent_color', c.accent_color
      )
    )
    from public.voucher_orders as b
    join public.organizations as o on o.id = b.organization_id
    join public.vouchers as v on v.organization_id = b.organization_id and v.id = b.voucher_id
    left join public.calendars as c
      on c.organization_id = b.organization_id and c.id = b.calendar_id and c.is_active
    where b.organization_id = bought_voucher_content.organization_id
      and b.id = (cause ->> 'voucher_order_id')::uuid
      and v.status = 'active'
      and not private.voucher_went_back(v)
  );
end
$$;

comment on function private.bought_voucher_content is
  'What the mail to the buyer of a gift voucher says; no row when it went back meanwhile, or the buyer was erased.';

select private.email_template_upsert('voucher_bought', 'bought_voucher_content');

create function private.dispute_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', f.locale,
      'to', jsonb_build_object('name', f.full_name, 'email', f.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'reference', d.reference,
        'currency', d.currency,
        'amount_cents', d.amount_cents,
        'reason', d.reason,
        'respond_by', d.respond_by,
        'timezone', o.timezone,
        'delivery_held', d.delivery_held
      )
    )
    from (
      select
        p.organization_id, p.id, b.reference, p.currency,
        -- Of all bookings that were paid at once.
        (
          select sum(x.amount_cents)
          from public.disputes as x
          where x.organization_id = p.organization_id and x.provider_dispute_id = p.provider_dispute_id
        )::bigint as amount_cents,
        p.reason, p.respond_by, p.status,
        false as delivery_held
      from public.disputes as p
      join public.bookings as b on b.organization_id = p.organization_id and b.id = p.booking_id
      union all
      -- Of a voucher's code its end: who has all of it can pay.
      select
        p.organization_id, p.id, '…-' || right(v.code, 4), p.currency, p.amount_cents, p.reason, p.respond_by, p.status,
        v.status = 'blocked'
        and b.recipient_email is not null
        and not private.voucher_mail_left(b.organization_id, b.voucher_id, '')
      from public.voucher_disputes as p
      join public.voucher_orders as b on b.organization_id = p.organization_id and b.id = p.order_id
      join public.vouchers as v on v.organization_id = b.organization_id and v.id = b.voucher_id
    ) as d
    join public.organizations as o on o.id = d.organization_id
    join public.memberships as m on m.organization_id = d.organization_id and m.status = 'active'
    join public.profiles as f on f.user_id = m.user_id
    where d.organization_id = dispute_content.organization_id
      and d.id = coalesce(cause ->> 'dispute_id', cause ->> 'voucher_dispute_id')::uuid
      and d.status not in ('won', 'lost', 'warning_closed')
      and m.user_id = (cause ->> 'user_id')::uuid
  );
end
$$;

comment on function private.dispute_content is
  'What the mail says that tells an owner of a disputed payment; null when the dispute is over or the owner has left.';

select private.email_template_upsert('dispute_opened', 'dispute_content');

create function private.overdue_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'locale', f.locale,
      'to', jsonb_build_object('name', f.full_name, 'email', f.email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'currency', s.currency,
        'due_cents', s.due_cents,
        'writes_end_at', o.writes_end_at,
        'timezone', o.timezone
      )
    )
    from public.subscriptions as s
    join public.organizations as o on o.id = s.organization_id
    join private.active_memberships as m on m.organization_id = s.organization_id
    join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
    join public.profiles as f on f.user_id = m.user_id
    where s.organization_id = overdue_content.organization_id
      and s.overdue_since = (cause ->> 'overdue_since')::timestamptz
      and s.currency is not null
      and o.writes_end_at is not null
      and o.status <> 'closed'
      and r.key = 'owner'
      and m.user_id = (cause ->> 'user_id')::uuid
  );
end
$$;

comment on function private.overdue_content is
  'What the mail says that tells an owner of an overdue subscription; null when it was paid meanwhile, or the owner is none any more.';

select private.email_template_upsert('subscription_overdue', 'overdue_content');
