-- What an operator watches (/metrics of the service): numbers of the whole platform, nobody's rows.

create type service.measure as (
  name text,
  kind text,
  value double precision
);

comment on type service.measure is 'A number of now.';
comment on column service.measure.name is 'one of: jobs_queued, jobs_due, jobs_running, jobs_dead, job_oldest_due_seconds, webhook_deliveries_pending, subscriptions_unread_seconds, accounts_unread_seconds, connections, connections_max';
comment on column service.measure.kind is 'Of jobs: their kind. Of connections: their state, as pg_stat_activity says it. null: the number has no kinds.';
comment on column service.measure.value is 'A count; for names that end in _seconds, seconds.';

create function private.measures()
returns setof service.measure
language sql
stable
security definer
set search_path = ''
as $$
  with unfinished as (
    -- jobs_share_idx holds these and no others.
    select
      j.kind,
      count(*) filter (where j.status = 'queued') as queued,
      count(*) filter (where j.status = 'queued' and j.run_at <= now()) as due,
      count(*) filter (where j.status = 'running') as running,
      coalesce(extract(epoch from now() - min(j.run_at) filter (where j.status = 'queued' and j.run_at <= now())), 0) as oldest
    from private.jobs as j
    where j.status in ('queued', 'running')
    group by j.kind
  )
  select 'jobs_queued', u.kind, u.queued::double precision from unfinished as u
  union all
  select 'jobs_due', u.kind, u.due from unfinished as u
  union all
  select 'jobs_running', u.kind, u.running from unfinished as u
  union all
  select 'job_oldest_due_seconds', u.kind, u.oldest from unfinished as u
  union all
  select 'jobs_dead', d.kind, count(*) from private.jobs as d where d.status = 'dead' group by d.kind
  union all
  select 'webhook_deliveries_pending', null, count(*) from private.webhook_deliveries as w where w.status = 'pending'
  union all
  -- How long ago the subscriptions of the customer were read that were read least lately: the worker reads all once a day.
  select 'subscriptions_unread_seconds', null, coalesce(extract(epoch from now() - min(c.as_of)), 0)
  from private.stripe_customers as c
  where c.customer_id is not null
  union all
  select 'accounts_unread_seconds', null, coalesce(extract(epoch from now() - min(a.as_of)), 0)
  from public.stripe_accounts as a
  where a.account_id is not null
  union all
  select 'connections', coalesce(s.state, 'hidden'), count(*)
  from pg_catalog.pg_stat_activity as s
  where s.backend_type = 'client backend'
  group by coalesce(s.state, 'hidden')
  union all
  select 'connections_max', null, current_setting('max_connections')::double precision
$$;

comment on function private.measures is 'definer: the queue and what providers said are visible to nobody. Counts and ages, no content.';
grant execute on function private.measures to service_role;

create function service.measures()
returns setof service.measure
language sql
stable
set search_path = ''
as $$ select * from private.measures() $$;

comment on function service.measures is
  'What an operator watches: the queue by kind, jobs given up, webhooks that wait, how long nothing was read of Stripe, connections to the database.';
grant execute on function service.measures to service_role;
