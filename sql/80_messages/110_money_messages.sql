-- Mails about money: what came in, what is to go back, and what went back. A confirmation says what was
-- paid, and a cancellation or a change what goes back; these tell what no other mail does.

create function private.payment_received_content(organization_id uuid, cause jsonb)
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
        'received_cents', (
          select sum(together.amount_cents)
          from public.payments as together
          where together.organization_id = p.organization_id
            and together.booking_id = p.booking_id
            and together.created_at = p.created_at
        )
      )
    )
    from public.payments as p
    join public.bookings as b on b.organization_id = p.organization_id and b.id = p.booking_id
    where p.organization_id = payment_received_content.organization_id
      and p.id = (cause ->> 'payment_id')::uuid
      and b.status in ('pending', 'confirmed', 'checked_in', 'in_progress', 'completed', 'no_show')
      -- A confirmation that came after it says what was paid.
      and not exists (
        select from public.booking_history as h
        where h.organization_id = b.organization_id
          and h.booking_id = b.id
          and h.to_status = 'confirmed'
          and h.change is null
          and h.occurred_at >= p.created_at
      )
      -- Paid twice: what goes back at once is told as going back.
      and not exists (
        select from private.refund_requests as q
        where q.organization_id = p.organization_id and q.payment_id = p.id and q.amount_cents = p.amount_cents
          and q.reason in ('overpaid', 'paid_late', 'hold_expired', 'correction')
      )
  );
end
$$;

comment on function private.payment_received_content is
  'What the mail says that confirms a payment; null when the booking''s confirmation says it, or all of it goes back. received_cents: what came in with it.';

select private.email_template_upsert('payment_received', 'payment_received_content');

create function private.announce_promised_refund()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'refund_promised', 'organization_id', new.organization_id, 'booking_id', new.booking_id,
      'refund_request_id', new.id
    ),
    concat_ws(':', 'refund_promised', new.booking_id, pg_current_xact_id()),
    new.organization_id
  );
  return null;
end
$$;

comment on function private.announce_promised_refund is
  'The outbox: a promised refund that no other mail tells writes its own in the same transaction.';

-- cancelled, changed and paid_late are told by the mails about just that; provider is made already.
create trigger announce_promised_refund
after insert on private.refund_requests
for each row when (new.reason in ('staff', 'overpaid', 'no_show', 'hold_expired'))
execute function private.announce_promised_refund();

create function private.refund_promised_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(asked.organization_id, asked.booking_id),
      jsonb_build_object(
        'refund_cents', sum(way.amount_cents), 'refunds', jsonb_agg(to_jsonb(way) order by way.method, way.by_hand)
      )
    )
    from private.refund_requests as asked
    cross join unnest(
      private.refund_ways(asked.organization_id, asked.booking_id, promised_at => asked.created_at)
    ) as way
    -- What has gone back meanwhile has a mail of its own, but for what is on a voucher at once.
    -- What waits for a bank's decision is promised by nobody: it has its mail once it went back.
    where not way.given
      and not way.disputed
      and asked.organization_id = refund_promised_content.organization_id
      and asked.id = (cause ->> 'refund_request_id')::uuid
    group by asked.organization_id, asked.booking_id
  );
end
$$;

comment on function private.refund_promised_content is
  'What the mail says about money that is to go back; null when it was withdrawn, has gone back already or waits for a dispute.';

select private.email_template_upsert('refund_promised', 'refund_promised_content');

create function private.announce_refund()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'booking_refunded', 'organization_id', new.organization_id, 'booking_id', new.booking_id,
      'refund_id', new.id
    ),
    concat_ws(':', 'booking_refunded', new.refund_request_id),
    new.organization_id,
    -- The refunds of several payments are made one after the other, and are one mail.
    now() + interval '2 minutes'
  );
  return null;
end
$$;

comment on function private.announce_refund is
  'The outbox: money that went back writes its mail in the same transaction.';

create trigger announce_refund
after insert on public.refunds
for each row when (new.kind = 'refund' and new.method <> 'voucher')
execute function private.announce_refund();

create function private.refunded_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  last public.refunds;
  told_until timestamptz;
begin
  select r.* into last
  from public.refunds as r
  where r.organization_id = refunded_content.organization_id and r.id = (cause ->> 'refund_id')::uuid;
  if exists (
    select from public.refunds as r
    where r.organization_id = last.organization_id
      and r.booking_id = last.booking_id
      and r.kind = 'refund'
      and r.method <> 'voucher'
      and (r.created_at, r.id) > (last.created_at, last.id)
      and r.created_at < last.created_at + interval '2 minutes'
  ) then
    return null; -- the mail of the later one tells of both
  end if;
  select max(r.created_at) into told_until
  from private.jobs as j
  join private.email_messages as m on m.job_id = j.id and m.sent_at is not null
  join public.refunds as r on r.organization_id = j.organization_id and r.id = (j.payload ->> 'refund_id')::uuid
  where j.kind = 'email.send'
    and j.organization_id = last.organization_id
    and j.payload ->> 'booking_id' = last.booking_id::text
    and j.payload ->> 'template' = 'booking_refunded';
  return (
    select private.with_data(
      private.booking_content(last.organization_id, last.booking_id),
      jsonb_build_object('refund_cents', sum(way.amount_cents), 'refunds', jsonb_agg(to_jsonb(way) order by way.method))
    )
    from (
      select r.method, sum(r.amount_cents) as amount_cents, true as given
      from public.refunds as r
      where r.organization_id = last.organization_id
        and r.booking_id = last.booking_id
        and r.kind = 'refund'
        and r.method <> 'voucher'
        and r.created_at <= last.created_at
        and r.created_at > coalesce(told_until, '-infinity')
        -- The bank sent it back.
        and not exists (
          select from public.refunds as back
          where back.organization_id = r.organization_id
            and back.refund_request_id = r.refund_request_id
            and back.kind = 'reversal'
        )
      group by r.method
    ) as way
    having count(*) > 0
  );
end
$$;

comment on function private.refunded_content is
  'What the mail says about money that went back, of all that no such mail told yet; null when a later refund''s mail tells it, or the bank has sent it back.';

select private.email_template_upsert('booking_refunded', 'refunded_content');
