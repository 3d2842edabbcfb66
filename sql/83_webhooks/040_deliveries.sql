-- Delivering: what the worker reads and reports, when it tries again, and when an endpoint is given up.

create table private.webhook_attempts (
  organization_id uuid not null,
  delivery_id uuid not null,
  number int not null,
  attempted_at timestamptz not null default now(),
  outcome text not null,
  answer_code int,
  duration_ms int not null,
  constraint webhook_attempts_pkey primary key (organization_id, delivery_id, number),
  constraint webhook_attempts_delivery_fkey foreign key (organization_id, delivery_id)
  references private.webhook_deliveries (organization_id, id) on delete cascade,
  constraint webhook_attempts_outcome_is_known check (
    outcome in ('delivered', 'refused', 'redirected', 'timed_out', 'unreachable', 'address_refused')
  ),
  constraint webhook_attempts_answer_code_is_http check (answer_code between 100 and 999),
  constraint webhook_attempts_duration_is_not_negative check (duration_ms >= 0)
);

comment on table private.webhook_attempts is 'The log of deliveries: each attempt with its outcome. Nothing of the answer is kept but its code.';
comment on column private.webhook_attempts.number is 'Counts from 1 for each delivery.';
comment on column private.webhook_attempts.outcome is
  'delivered (2xx); refused (any other answer); redirected (3xx, not followed); timed_out (10 s); unreachable (no name, no connection, no TLS, no HTTP); address_refused (the name leads to a private address).';
comment on column private.webhook_attempts.answer_code is 'HTTP''s; null: there was no answer.';

insert into private.job_kinds (kind, rank, share_limit, total_limit, description)
-- An endpoint may hang for ten seconds: of all slots only some hang with it.
values ('webhook.deliver', 1, 2, 3, 'Posts an event to a venue''s own program')
on conflict (kind) do update
set rank = excluded.rank,
  share_limit = excluded.share_limit,
  total_limit = excluded.total_limit,
  description = excluded.description;

create function private.webhook_pause(tries int)
returns interval
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- 71.6 hours in all: the last attempt is within the three days.
  return (array['5 s', '1 min', '5 min', '30 min', '2 h', '5 h', '10 h', '14 h', '18 h', '22 h']::interval [])[tries];
end
$$;

comment on function private.webhook_pause is 'How long a delivery waits after so many failed attempts; null: it is given up.';

create type service.prepared_webhook as (
  delivery_id uuid,
  event_id uuid,
  attempt int,
  url text,
  webhook_timestamp text,
  webhook_signature text,
  body text
);

comment on type service.prepared_webhook is 'An event to be posted to an endpoint.';
comment on column service.prepared_webhook.delivery_id is 'The delivery.';
comment on column service.prepared_webhook.event_id is 'The header webhook-id.';
comment on column service.prepared_webhook.attempt is 'Counts from 1.';
comment on column service.prepared_webhook.url is 'Where to.';
comment on column service.prepared_webhook.webhook_timestamp is 'The header of that name: seconds since 1970, now.';
comment on column service.prepared_webhook.webhook_signature is
  'The header of that name: a signature by each secret that counts, the newest first; two while one is being rotated.';
comment on column service.prepared_webhook.body is 'public.webhook_event as JSON, to be sent as it is.';

create function private.webhook_signature(secret text, event_id uuid, webhook_timestamp text, body text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return 'v1,' || encode(
    extensions.hmac(
      convert_to(concat_ws('.', webhook_signature.event_id, webhook_signature.webhook_timestamp, webhook_signature.body), 'UTF8'),
      decode(replace(webhook_signature.secret, 'whsec_', ''), 'base64'),
      'sha256'
    ),
    'base64'
  );
end
$$;

comment on function private.webhook_signature is
  'As Standard Webhooks has it. Signed here, so that a secret never leaves the database: whoever has the service''s key signs no event of their own.';

create function private.is_webhook_of_job(job private.jobs, delivery_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return job.kind = 'webhook.deliver' and exists (
    select from private.webhook_deliveries as own
    join private.webhook_deliveries as d
      on d.organization_id = own.organization_id and d.endpoint_id = own.endpoint_id and d.subject_id = own.subject_id
    where own.organization_id = job.organization_id
      and own.id = (job.payload ->> 'delivery_id')::uuid
      and d.id = is_webhook_of_job.delivery_id
  );
end
$$;

comment on function private.is_webhook_of_job is
  'Whether a job may deliver that: its own delivery, or one about the same booking to the same endpoint.';

create function private.prepare_webhook(job_id bigint, lease_token uuid)
returns service.prepared_webhook
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(prepare_webhook.job_id, prepare_webhook.lease_token);
  next private.webhook_deliveries;
  address text;
  webhook_timestamp text := floor(extract(epoch from clock_timestamp()))::bigint::text;
  prepared service.prepared_webhook;
begin
  perform private.refuse_other_object(job, job.kind = 'webhook.deliver');
  -- The first that waits about the same booking: what happened later is told later.
  select d.* into next
  from private.webhook_deliveries as own
  join private.webhook_deliveries as d
    on d.organization_id = own.organization_id
    and d.endpoint_id = own.endpoint_id
    and d.subject_id = own.subject_id
    and d.status = 'pending'
  where own.organization_id = job.organization_id and own.id = (job.payload ->> 'delivery_id')::uuid
  order by d.position
  limit 1
  for no key update of d;
  if not found or next.next_attempt_at > now() then
    return null;
  end if;
  -- Two jobs find it: the one that has begun sends it.
  if exists (
    select from private.jobs as j
    where j.id = next.sent_by_job and j.id <> job.id and j.status = 'running' and j.run_at > now()
  ) then
    return null;
  end if;
  select e.url into address
  from public.webhook_endpoints as e
  join private.webhook_states as s on s.organization_id = e.organization_id and s.endpoint_id = e.id
  join public.organizations as o on o.id = e.organization_id
  where e.organization_id = next.organization_id
    and e.id = next.endpoint_id
    and e.is_active
    and coalesce(s.paused_until <= now(), true)
    and o.status <> 'closed';
  if not found then
    return null;
  end if;
  update private.webhook_deliveries as d
  set sent_by_job = job.id
  where d.organization_id = next.organization_id and d.id = next.id;
  select
    next.id, v.id, next.attempts + 1, address,
    webhook_timestamp,
    (
      select string_agg(
        private.webhook_signature(s.secret, v.id, webhook_timestamp, b.body), ' '
        order by s.expires_at is null desc, s.created_at desc
      )
      from private.webhook_secrets as s
      where s.organization_id = next.organization_id
        and s.endpoint_id = next.endpoint_id
        and coalesce(s.expires_at > now(), true)
    ),
    b.body
  into prepared
  from private.webhook_events as v
  join public.webhook_endpoints as e on e.organization_id = v.organization_id and e.id = next.endpoint_id
  cross join lateral (
    select case
      when e.includes_personal_data and v.personal is not null then jsonb_set(v.event, '{data,customer}', v.personal)
      else v.event
    end::text as body
  ) as b
  where v.organization_id = next.organization_id and v.id = next.event_id;
  return prepared;
end
$$;

comment on function private.prepare_webhook is 'definer: the service may read no table, and nobody may read secrets.';
grant execute on function private.prepare_webhook to service_role;

create function service.prepare_webhook(job_id bigint, lease_token uuid)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select to_jsonb(private.prepare_webhook(job_id, lease_token)) $$;

comment on function service.prepare_webhook is
  'What a claimed job of kind webhook.deliver is to post now: the first event that waits for its endpoint about its booking. null when there is nothing to do: delivered, not yet due, with another job, or the endpoint is paused or not active. To be asked for again after each delivery. Answers service.prepared_webhook or null. Errors: 409 lease_lost, lease_of_another.';
grant execute on function service.prepare_webhook to service_role;

create function private.announce_disabled_webhook(endpoint public.webhook_endpoints)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'webhook_disabled', 'organization_id', endpoint.organization_id,
      'endpoint_id', endpoint.id, 'disabled_at', endpoint.disabled_at, 'user_id', m.user_id
    ),
    concat_ws(':', 'webhook_disabled', endpoint.id, extract(epoch from endpoint.disabled_at), m.user_id),
    endpoint.organization_id
  )
  from private.active_memberships as m
  join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
  where m.organization_id = endpoint.organization_id
    and m.expires_at is null
    and r.key in ('owner', 'admin');
end
$$;

comment on function private.announce_disabled_webhook is
  'The outbox: an endpoint that was given up writes a mail to each owner and administrator in the same transaction.';

create function private.webhook_disabled_content(organization_id uuid, cause jsonb)
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
        'endpoint_name', e.name,
        -- The path and the query may be what lets somebody in there.
        'host', substring(e.url from '^https?://([^/?]+)'),
        'gone', e.disabled_reason = 'gone',
        'disabled_at', e.disabled_at,
        'timezone', o.timezone
      )
    )
    from public.webhook_endpoints as e
    join public.organizations as o on o.id = e.organization_id
    join private.active_memberships as m on m.organization_id = e.organization_id
    join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
    join public.profiles as f on f.user_id = m.user_id
    where e.organization_id = webhook_disabled_content.organization_id
      and e.id = (cause ->> 'endpoint_id')::uuid
      and e.disabled_at = (cause ->> 'disabled_at')::timestamptz
      and r.key in ('owner', 'admin')
      and o.status <> 'closed'
      and m.user_id = (cause ->> 'user_id')::uuid
  );
end
$$;

comment on function private.webhook_disabled_content is
  'What the mail says that tells of an endpoint that was given up; null when it is switched on again, or whoever it is for has left.';

select private.email_template_upsert('webhook_disabled', 'webhook_disabled_content');

create type service.recorded_webhook as (
  status text,
  endpoint_disabled boolean
);

comment on type service.recorded_webhook is 'What an attempt made of a delivery.';
comment on column service.recorded_webhook.status is 'one of: pending, delivered, failed';
comment on column service.recorded_webhook.endpoint_disabled is 'Whether the endpoint was given up with it.';

create function private.record_webhook(
  job_id bigint,
  lease_token uuid,
  delivery_id uuid,
  attempt int,
  outcome text,
  answer_code int,
  duration_ms int
)
returns service.recorded_webhook
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs := private.leased_job(record_webhook.job_id, record_webhook.lease_token);
  delivery private.webhook_deliveries;
  arrived boolean := record_webhook.outcome = 'delivered';
  -- It hangs or asks for patience. One that refuses an event at once holds up nobody.
  is_tired boolean := not arrived and coalesce(record_webhook.answer_code in (429, 502, 503, 504), true);
  pause interval;
  given_up boolean;
  last_success timestamptz;
  endpoint public.webhook_endpoints;
begin
  perform private.refuse_other_object(job, private.is_webhook_of_job(job, record_webhook.delivery_id));
  perform private.act_as('system', null);
  select d.* into delivery
  from private.webhook_deliveries as d
  where d.organization_id = job.organization_id and d.id = record_webhook.delivery_id
  for no key update;
  insert into private.webhook_attempts (organization_id, delivery_id, number, outcome, answer_code, duration_ms)
  values (
    delivery.organization_id, delivery.id, record_webhook.attempt, record_webhook.outcome, record_webhook.answer_code,
    greatest(record_webhook.duration_ms, 0)
  )
  on conflict on constraint webhook_attempts_pkey do nothing;
  if not found then
    -- Reported before; the answer was lost.
    return row(delivery.status, false)::service.recorded_webhook;
  end if;

  update private.webhook_states as s
  set failures = case when is_tired then s.failures + 1 else 0 end,
    last_success_at = case when arrived then now() else s.last_success_at end,
    paused_until = case
      when is_tired and s.failures >= 2
        then now() + least(interval '30 s' * 2 ^ least(s.failures - 2, 10), interval '1 h')
    end
  where s.organization_id = delivery.organization_id and s.endpoint_id = delivery.endpoint_id
  returning s.last_success_at into last_success;

  pause := private.webhook_pause(delivery.tries + 1);
  given_up := not arrived and (
    record_webhook.answer_code = 410
    or pause is null
    or now() + pause > delivery.queued_at + interval '3 days'
  );
  update private.webhook_deliveries as d
  set status = case when arrived then 'delivered' when given_up then 'failed' else 'pending' end,
    tries = d.tries + 1,
    attempts = greatest(d.attempts + 1, record_webhook.attempt),
    last_attempt_at = now(),
    next_attempt_at = now() + coalesce(pause, interval '0'),
    sent_by_job = null
  where d.organization_id = delivery.organization_id and d.id = delivery.id
  returning d.* into delivery;

  -- Nothing arrived there in all that time, or it wants nothing any more.
  if given_up and (record_webhook.answer_code = 410 or coalesce(last_success < delivery.queued_at, true)) then
    update public.webhook_endpoints as e
    set is_active = false,
      disabled_at = now(),
      disabled_reason = case when record_webhook.answer_code = 410 then 'gone' else 'failing' end
    where e.organization_id = delivery.organization_id and e.id = delivery.endpoint_id and e.is_active
    returning e.* into endpoint;
    if found then
      update private.webhook_deliveries as d
      set status = 'failed'
      where d.organization_id = endpoint.organization_id and d.endpoint_id = endpoint.id and d.status = 'pending';
      perform private.announce_disabled_webhook(endpoint);
    end if;
  end if;
  return row(delivery.status, endpoint.id is not null)::service.recorded_webhook;
end
$$;

comment on function private.record_webhook is 'definer: the service may write no table.';
grant execute on function private.record_webhook to service_role;

create function service.record_webhook(
  job_id bigint,
  lease_token uuid,
  delivery_id uuid,
  attempt int,
  outcome text,
  answer_code int,
  duration_ms int
)
returns service.recorded_webhook
language sql
volatile
set search_path = ''
as $$
  select private.record_webhook(job_id, lease_token, delivery_id, attempt, outcome, answer_code, duration_ms)
$$;

comment on function service.record_webhook is
  'Reports an attempt that service.prepare_webhook prepared, with that answer''s delivery and attempt; outcome as in private.webhook_attempts; answer_code null without an answer. What failed is tried again after a growing pause, for three days; an endpoint to which nothing came in that time, or that answers 410, is switched off, and its owners are told. Errors: 409 lease_lost, lease_of_another.';
grant execute on function service.record_webhook to service_role;

create function private.queue_due_webhooks()
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  due record;
  queued int := 0;
begin
  for due in
    select d.organization_id, d.id
    from private.webhook_states as s
    join public.webhook_endpoints as e on e.organization_id = s.organization_id and e.id = s.endpoint_id and e.is_active
    cross join lateral (
      select w.organization_id, w.id
      from private.webhook_deliveries as w
      where w.organization_id = s.organization_id
        and w.endpoint_id = s.endpoint_id
        and w.status = 'pending'
        and w.next_attempt_at <= now()
        and not exists (
          select from private.webhook_deliveries as earlier
          where earlier.organization_id = w.organization_id
            and earlier.endpoint_id = w.endpoint_id
            and earlier.subject_id = w.subject_id
            and earlier.status = 'pending'
            and earlier.position < w.position
        )
        and not exists (
          select from private.jobs as j
          where j.kind = 'webhook.deliver'
            and j.dedupe_key = 'webhook.deliver:' || w.id
            and j.status in ('queued', 'running')
        )
      order by w.next_attempt_at
      limit 20
    ) as d
    where coalesce(s.paused_until <= now(), true)
    -- In the order in which a replay writes them, too.
    order by d.id
    limit 500
  loop
    perform private.enqueue(
      'webhook.deliver', jsonb_build_object('delivery_id', due.id), 'webhook.deliver:' || due.id, due.organization_id
    );
    queued := queued + 1;
  end loop;
  return queued;
end
$$;

comment on function private.queue_due_webhooks is
  'Queues what is to be tried again, and what waited for something earlier: at most 20 an endpoint and 500 in all.';

create function private.forget_webhooks(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  forgotten int;
begin
  delete from private.webhook_events as v
  where (v.organization_id, v.id) in (
    select old.organization_id, old.id
    from private.webhook_events as old
    where old.created_at < now() - (select make_interval(days => s.log_days) from private.webhook_settings as s)
    order by old.created_at
    limit forget_webhooks.max
    for update skip locked
  );
  get diagnostics forgotten = row_count;
  return forgotten;
end
$$;

comment on function private.forget_webhooks is
  'Deletes at most so many events that are older than webhook_settings.log_days, with their deliveries, and returns how many.';
