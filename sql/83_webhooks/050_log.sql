-- What became of deliveries, for those who keep the endpoint, and how they have some of them again.

create type public.webhook_delivery as (
  id uuid,
  endpoint_id uuid,
  event_id uuid,
  event_type text,
  booking_id uuid,
  occurred_at timestamptz,
  status text,
  attempts int,
  last_attempt_at timestamptz,
  last_outcome text,
  last_answer_code int,
  last_duration_ms int,
  next_attempt_at timestamptz
);

comment on type public.webhook_delivery is 'An event for a webhook endpoint, and how far it has come.';
comment on column public.webhook_delivery.id is 'By which it is looked at and delivered again.';
comment on column public.webhook_delivery.endpoint_id is 'The endpoint.';
comment on column public.webhook_delivery.event_id is 'The header webhook-id.';
comment on column public.webhook_delivery.event_type is 'As in webhook_event.type.';
comment on column public.webhook_delivery.booking_id is 'What it is about; null: of customer.erased.';
comment on column public.webhook_delivery.occurred_at is 'When it happened.';
comment on column public.webhook_delivery.status is
  'pending: it is tried, or waits for an earlier one about its booking; failed: given up. one of: pending, delivered, failed';
comment on column public.webhook_delivery.attempts is 'How often it was posted.';
comment on column public.webhook_delivery.last_attempt_at is 'When it was last posted; null: it was not.';
comment on column public.webhook_delivery.last_outcome is
  'delivered (2xx); refused (any other answer); redirected (3xx, which is not followed); timed_out (10 s); unreachable (no name, connection, TLS or HTTP); address_refused (the name leads to a private address); null: it was not posted. one of: delivered, refused, redirected, timed_out, unreachable, address_refused';
comment on column public.webhook_delivery.last_answer_code is 'HTTP''s; null: there was no answer.';
comment on column public.webhook_delivery.last_duration_ms is 'How long the last attempt took, in milliseconds; null: there was none.';
comment on column public.webhook_delivery.next_attempt_at is 'When it is tried next, at the earliest; null: it is over.';

create type public.webhook_attempt as (
  number int,
  attempted_at timestamptz,
  outcome text,
  answer_code int,
  duration_ms int
);

comment on type public.webhook_attempt is 'One time that an event was posted.';
comment on column public.webhook_attempt.number is 'Counts from 1.';
comment on column public.webhook_attempt.attempted_at is 'When it was over.';
comment on column public.webhook_attempt.outcome is
  'As webhook_delivery.last_outcome. one of: delivered, refused, redirected, timed_out, unreachable, address_refused';
comment on column public.webhook_attempt.answer_code is 'HTTP''s; null: there was no answer.';
comment on column public.webhook_attempt.duration_ms is 'In milliseconds.';

create type public.webhook_delivery_details as (
  delivery public.webhook_delivery,
  attempts public.webhook_attempt [],
  event public.webhook_event
);

comment on type public.webhook_delivery_details is 'A delivery with all attempts and what it carries.';
comment on column public.webhook_delivery_details.delivery is 'The delivery.';
comment on column public.webhook_delivery_details.attempts is 'By time.';
comment on column public.webhook_delivery_details.event is
  'The body. data.customer is shown to whoever holds customers:read, and where the endpoint gets it.';

create function private.show_webhook_delivery(delivery private.webhook_deliveries)
returns public.webhook_delivery
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(
      delivery.id, delivery.endpoint_id, v.id, v.type, v.booking_id, v.occurred_at, delivery.status, delivery.attempts,
      delivery.last_attempt_at, a.outcome, a.answer_code, a.duration_ms,
      case delivery.status when 'pending' then delivery.next_attempt_at end
    )::public.webhook_delivery
    from private.webhook_events as v
    left join lateral (
      select t.outcome, t.answer_code, t.duration_ms
      from private.webhook_attempts as t
      where t.organization_id = delivery.organization_id and t.delivery_id = delivery.id
      order by t.number desc
      limit 1
    ) as a on true
    where v.organization_id = delivery.organization_id and v.id = delivery.event_id
  );
end
$$;

comment on function private.show_webhook_delivery is 'A delivery as clients see it.';

create function private.require_webhook_endpoint(organization_id uuid, endpoint_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not exists (
    select from public.webhook_endpoints as e
    where e.organization_id = require_webhook_endpoint.organization_id and e.id = require_webhook_endpoint.endpoint_id
  ) then
    perform private.fail('webhook_endpoint_not_found', 404, 'Choose one of the organization''s webhook endpoints.');
  end if;
end
$$;

comment on function private.require_webhook_endpoint is 'Raises 404 webhook_endpoint_not_found.';

create function private.list_webhook_deliveries(
  organization_id uuid,
  endpoint_id uuid,
  status text,
  before_id uuid
)
returns setof public.webhook_delivery
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  perform private.require_permission(list_webhook_deliveries.organization_id, 'webhooks:read');
  perform private.require_webhook_endpoint(list_webhook_deliveries.organization_id, list_webhook_deliveries.endpoint_id);
  return query
  select (private.show_webhook_delivery(d)).*
  from (
    select w as d
    from private.webhook_deliveries as w
    where w.organization_id = list_webhook_deliveries.organization_id
      and w.endpoint_id = list_webhook_deliveries.endpoint_id
      and (list_webhook_deliveries.status is null or w.status = list_webhook_deliveries.status)
      and (
        list_webhook_deliveries.before_id is null
        or w.position < (
          select b.position
          from private.webhook_deliveries as b
          where b.organization_id = list_webhook_deliveries.organization_id
            and b.id = list_webhook_deliveries.before_id
        )
      )
    order by w.position desc
    limit 100
  ) as page;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.list_webhook_deliveries is 'definer: the outbox is visible to nobody.';
grant execute on function private.list_webhook_deliveries to authenticated;

create function public.list_webhook_deliveries(
  organization_id uuid,
  endpoint_id uuid,
  status text default null,
  before_id uuid default null
)
returns setof public.webhook_delivery
language sql
stable
set search_path = ''
as $$ select * from private.list_webhook_deliveries(organization_id, endpoint_id, status, before_id) $$;

comment on function public.list_webhook_deliveries is
  'What was posted to an endpoint and what waits for it, newest first, 100 at most; status: only these; before_id: the last one of the page before. Kept for some weeks (webhook_settings.log_days). For members with webhooks:read. Errors: 403 permission_denied; 404 webhook_endpoint_not_found.';
grant execute on function public.list_webhook_deliveries to authenticated;

create function private.get_webhook_delivery(organization_id uuid, delivery_id uuid)
returns public.webhook_delivery_details
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  found_delivery private.webhook_deliveries;
  shows_person boolean;
begin
  perform private.require_permission(get_webhook_delivery.organization_id, 'webhooks:read');
  select d.* into found_delivery
  from private.webhook_deliveries as d
  where d.organization_id = get_webhook_delivery.organization_id and d.id = get_webhook_delivery.delivery_id;
  if not found then
    perform private.fail('webhook_delivery_not_found', 404, 'Choose a delivery that the log still has.');
  end if;
  shows_person := private.has_permission(get_webhook_delivery.organization_id, 'customers:read');
  return (
    select row(
      private.show_webhook_delivery(found_delivery),
      array(
        select row(a.number, a.attempted_at, a.outcome, a.answer_code, a.duration_ms)::public.webhook_attempt
        from private.webhook_attempts as a
        where a.organization_id = found_delivery.organization_id and a.delivery_id = found_delivery.id
        order by a.number
      ),
      jsonb_populate_record(
        null::public.webhook_event,
        case when shows_person and e.includes_personal_data and v.personal is not null
          then jsonb_set(v.event, '{data,customer}', v.personal) else v.event end
      )
    )::public.webhook_delivery_details
    from private.webhook_events as v
    join public.webhook_endpoints as e on e.organization_id = v.organization_id and e.id = found_delivery.endpoint_id
    where v.organization_id = found_delivery.organization_id and v.id = found_delivery.event_id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_webhook_delivery is 'definer: the outbox is visible to nobody.';
grant execute on function private.get_webhook_delivery to authenticated;

create function public.get_webhook_delivery(organization_id uuid, delivery_id uuid)
returns public.webhook_delivery_details
language sql
stable
set search_path = ''
as $$ select private.get_webhook_delivery(organization_id, delivery_id) $$;

comment on function public.get_webhook_delivery is
  'A delivery with its attempts and the body that it carries. For members with webhooks:read; the person in it takes customers:read. Errors: 403 permission_denied; 404 webhook_delivery_not_found.';
grant execute on function public.get_webhook_delivery to authenticated;

create type public.webhook_replay as (
  queued int,
  remaining int
);

comment on type public.webhook_replay is 'How many deliveries are made once more.';
comment on column public.webhook_replay.queued is 'So many are on their way.';
comment on column public.webhook_replay.remaining is 'So many of the period are left: ask again from the last one on.';

create function private.replay_webhooks(organization_id uuid, endpoint_id uuid, delivery_ids uuid [])
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  delivery_id uuid;
  queued int := 0;
begin
  perform private.require_webhook_endpoint(replay_webhooks.organization_id, replay_webhooks.endpoint_id);
  if not exists (
    select from public.webhook_endpoints as e
    where e.organization_id = replay_webhooks.organization_id and e.id = replay_webhooks.endpoint_id and e.is_active
  ) then
    perform private.fail('webhook_endpoint_disabled', 409, 'Switch the endpoint on first.');
  end if;
  -- In the order in which private.queue_due_webhooks writes jobs, too.
  for delivery_id in select distinct w.id from unnest(replay_webhooks.delivery_ids) as w (id) order by w.id
  loop
    update private.webhook_deliveries as d
    set status = 'pending',
      queued_at = now(),
      tries = 0,
      next_attempt_at = now()
    where d.organization_id = replay_webhooks.organization_id and d.id = delivery_id;
    perform private.enqueue(
      'webhook.deliver', jsonb_build_object('delivery_id', delivery_id), 'webhook.deliver:' || delivery_id,
      replay_webhooks.organization_id
    );
    queued := queued + 1;
  end loop;
  return queued;
end
$$;

comment on function private.replay_webhooks is
  'Delivers once more, whatever became of them. Raises 404 webhook_endpoint_not_found, 409 webhook_endpoint_disabled.';

create function private.replay_webhook_delivery(organization_id uuid, delivery_id uuid)
returns public.webhook_replay
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  endpoint_id uuid;
begin
  perform private.require_permission(replay_webhook_delivery.organization_id, 'webhooks:manage');
  select d.endpoint_id into endpoint_id
  from private.webhook_deliveries as d
  where d.organization_id = replay_webhook_delivery.organization_id and d.id = replay_webhook_delivery.delivery_id;
  if not found then
    perform private.fail('webhook_delivery_not_found', 404, 'Choose a delivery that the log still has.');
  end if;
  return row(
    private.replay_webhooks(
      replay_webhook_delivery.organization_id, endpoint_id, array[replay_webhook_delivery.delivery_id]
    ),
    0
  )::public.webhook_replay;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.replay_webhook_delivery is 'definer: writes the outbox, which no client may write.';
grant execute on function private.replay_webhook_delivery to authenticated;

create function public.replay_webhook_delivery(organization_id uuid, delivery_id uuid)
returns public.webhook_replay
language sql
volatile
set search_path = ''
as $$ select private.replay_webhook_delivery(organization_id, delivery_id) $$;

comment on function public.replay_webhook_delivery is
  'Posts an event to its endpoint once more, whether or not it arrived, with the same webhook-id; one that waits is tried now. For members with webhooks:manage. Errors: 403 permission_denied, organization_suspended; 404 webhook_delivery_not_found, webhook_endpoint_not_found; 409 webhook_endpoint_disabled.';
grant execute on function public.replay_webhook_delivery to authenticated;

create function private.replay_webhook_period(
  organization_id uuid,
  endpoint_id uuid,
  from_time timestamptz,
  until_time timestamptz,
  only_failed boolean
)
returns public.webhook_replay
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  wanted uuid [];
begin
  perform private.require_permission(replay_webhook_period.organization_id, 'webhooks:manage');
  wanted := array(
    select d.id
    from private.webhook_deliveries as d
    join private.webhook_events as v on v.organization_id = d.organization_id and v.id = d.event_id
    where d.organization_id = replay_webhook_period.organization_id
      and d.endpoint_id = replay_webhook_period.endpoint_id
      and v.occurred_at >= replay_webhook_period.from_time
      and v.occurred_at < coalesce(replay_webhook_period.until_time, 'infinity')
      and (d.status = 'failed' or d.status = 'delivered' and replay_webhook_period.only_failed is not true)
    order by d.position
  );
  return row(
    private.replay_webhooks(
      replay_webhook_period.organization_id, replay_webhook_period.endpoint_id, wanted[:1000]
    ),
    greatest(cardinality(wanted) - 1000, 0)
  )::public.webhook_replay;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.replay_webhook_period is 'definer: writes the outbox, which no client may write.';
grant execute on function private.replay_webhook_period to authenticated;

create function public.replay_webhook_period(
  organization_id uuid,
  endpoint_id uuid,
  from_time timestamptz,
  until_time timestamptz default null,
  only_failed boolean default false
)
returns public.webhook_replay
language sql
volatile
set search_path = ''
as $$ select private.replay_webhook_period(organization_id, endpoint_id, from_time, until_time, only_failed) $$;

comment on function public.replay_webhook_period is
  'Posts the events of a period to an endpoint once more, the oldest first and 1000 at most, those of a booking in their order and with their webhook-id: all of them, or only_failed. until_time: before then; null: until now. For members with webhooks:manage. Errors: 403 permission_denied, organization_suspended; 404 webhook_endpoint_not_found; 409 webhook_endpoint_disabled.';
grant execute on function public.replay_webhook_period to authenticated;
