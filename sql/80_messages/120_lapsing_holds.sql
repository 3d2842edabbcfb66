-- Places that are about to be lost: told once, where the calendar asks for it.

create function private.lapsing_content(organization_id uuid, cause jsonb)
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
    where b.organization_id = lapsing_content.organization_id
      and b.id = (cause ->> 'booking_id')::uuid
      and b.status in ('held', 'pending')
      and b.hold_expires_at > now()
      and private.payable_beside(b, false, 0) > 0
      -- Switched off meanwhile, or kept for longer.
      and b.hold_expires_at <= now() + make_interval(mins => (private.managing_calendar(b)).lapse_notice_minutes)
  );
end
$$;

comment on function private.lapsing_content is
  'What the mail says that tells of a place about to be lost; null when it was paid, let go, has lapsed or is kept for longer.';

select private.email_template_upsert('hold_lapsing', 'lapsing_content');

-- for: private.queue_lapsing_holds
create index bookings_hold_expires_at_idx on public.bookings (hold_expires_at) where hold_expires_at is not null;

create function private.queue_lapsing_holds(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  queued int;
begin
  select count(
    private.enqueue(
      'email.send',
      jsonb_build_object(
        'template', 'hold_lapsing', 'organization_id', lapsing.organization_id, 'booking_id', lapsing.id,
        'lapses', true
      ),
      concat_ws(':', 'hold_lapsing', lapsing.organization_id, lapsing.id),
      lapsing.organization_id
    )
  ) into queued
  from (
    select b.organization_id, b.id
    from public.bookings as b
    where b.hold_expires_at > now()
      -- The longest notice that a calendar can ask for.
      and b.hold_expires_at <= now() + interval '2 hours'
      and b.hold_expires_at <= now() + make_interval(mins => (private.managing_calendar(b)).lapse_notice_minutes)
      and private.payable_beside(b, false, 0) > 0
      and not exists (
        select from private.jobs as j
        where j.kind = 'email.send' and j.dedupe_key = concat_ws(':', 'hold_lapsing', b.organization_id, b.id)
      )
    order by b.hold_expires_at
    limit queue_lapsing_holds.max
  ) as lapsing;
  return queued;
end
$$;

comment on function private.queue_lapsing_holds is
  'Queues the mails about places that are lost soon, at most so many and one a booking for ever, and returns how many. A hold that was extended meanwhile is told of by its new end.';
