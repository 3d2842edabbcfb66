-- The mails of a split payment: its link to a payer, and what became of a share to who booked.

create function private.share_to_pay_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'booking_id', s.booking_id,
      'locale', s.locale,
      'to', jsonb_build_object('name', s.payer_name, 'email', s.payer_email),
      'data', jsonb_build_object(
        'organization_name', o.name,
        'contact_email', o.contact_email,
        'website', o.website,
        'logo_path', o.logo_path,
        'accent_color', k.accent_color,
        'organizer', shown.organizer,
        'room_name', shown.room,
        'starts_at', shown.starts_at,
        'timezone', shown.timezone,
        'currency', shown.currency,
        'amount_cents', shown.amount_cents,
        'expires_at', shown.expires_at,
        'share_id', s.id,
        'share_token', private.share_token(s.id),
        'calendar_slug', shown.calendar,
        'site_url', shown.site_url,
        'reminder', coalesce((cause ->> 'reminder')::boolean, false)
      )
    )
    from public.payment_shares as s
    join public.organizations as o on o.id = s.organization_id
    join public.bookings as b on b.organization_id = s.organization_id and b.id = s.booking_id
    left join lateral private.managing_calendar(b) as k on true
    cross join lateral private.shown_payment_share(s.organization_id, s.id) as shown
    where s.organization_id = share_to_pay_content.organization_id
      and s.id = (cause ->> 'share_id')::uuid
      and shown.status = 'open'
      -- Another amount has a mail of its own.
      and s.amount_cents = (cause ->> 'amount_cents')::bigint
      and not private.venue_is_closed(s.organization_id)
  );
end
$$;

comment on function private.share_to_pay_content is
  'What the mail says that brings a payer the link of a share, or reminds of it: of the booking only what, when, where and who booked; null once it was paid, changed or has ended.';

select private.email_template_upsert('share_to_pay', 'share_to_pay_content');

create function private.payment_share_news_content(organization_id uuid, cause jsonb)
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
        'payer', s.payer_name,
        'share_cents', s.amount_cents,
        'news', cause ->> 'news',
        'missing_cents', (
          select coalesce(sum(other.amount_cents), 0)
          from public.payment_shares as other
          where other.organization_id = s.organization_id and other.booking_id = s.booking_id and other.status = 'open'
        ),
        'own_cents', private.payable_online(b, whole => true),
        'expires_at', b.hold_expires_at
      )
    )
    from public.payment_shares as s
    join public.bookings as b on b.organization_id = s.organization_id and b.id = s.booking_id
    where s.organization_id = payment_share_news_content.organization_id
      and s.id = (cause ->> 'share_id')::uuid
      and b.status in ('held', 'pending', 'confirmed', 'checked_in')
      and case cause ->> 'news'
        when 'paid' then s.status = 'paid'
        -- Paid after all, or the hold is over.
        else s.status = 'ended' and s.ended_reason = 'late' and coalesce(b.hold_expires_at > now(), true)
      end
  );
end
$$;

comment on function private.payment_share_news_content is
  'What the mail says that tells who booked of a share that was paid, or is late and theirs; null once it is not so any more, or the booking is over.';

select private.email_template_upsert('payment_share_news', 'payment_share_news_content');
