-- Work that happens later: the outbox and the queue in one table.
--
-- Nothing is lost and nothing is done twice, wherever a worker is killed:
--   1. A job is written in the transaction that causes it: both are there, or neither.
--   2. It is claimed under a lease. A worker that dies lets the lease end, and the job
--      is claimed again; the attempt was counted when it was claimed, so a job that
--      kills its workers ends among the dead instead of running for ever.
--   3. The worker re-reads the state, then calls the provider with an idempotency key
--      that is the same for every attempt (of the job, the checkout attempt or the
--      refund request). Killed after the call: the next attempt makes the same call
--      and gets the same answer.
--   4. It records the answer. Recording is idempotent by the provider's id.
--   5. It completes the job, which only the holder of the lease can do. Killed before:
--      the next attempt goes through 3 and 4 again and changes nothing.
-- The retries of a job end after some 16 hours, within the 24 hours for which Stripe and
-- Resend remember an idempotency key.

--
-- Nobody waits for another. A claim takes money before mail and mail before files; within each,
-- whoever has the fewest jobs running comes first, so a venue with ten thousand mails and one with
-- a single mail take turns. private.job_kinds says how many jobs of a kind one venue, and all
-- together, may have running, so what hangs holds up its own venue only; and a worker keeps some
-- of its slots for money.

create table private.job_kinds (
  kind text not null,
  rank int not null,
  share_limit int not null,
  total_limit int,
  description text not null,
  constraint job_kinds_pkey primary key (kind),
  constraint job_kinds_rank_is_not_negative check (rank >= 0),
  constraint job_kinds_limits_are_positive check (share_limit > 0 and total_limit > 0)
);

comment on table private.job_kinds is
  'reference data. How jobs of a kind share the workers'' slots. A kind that is not listed is treated as mail is.';
comment on column private.job_kinds.kind is 'As in private.jobs.';
comment on column private.job_kinds.rank is 'Lower ones are claimed first. 0 is money, for which workers keep slots.';
comment on column private.job_kinds.share_limit is 'How many of its jobs one organization (or account of the provider) may have running.';
comment on column private.job_kinds.total_limit is 'How many of its jobs may be running at all; null: as many as there are slots.';

insert into private.job_kinds (kind, rank, share_limit, total_limit, description)
values
('stripe.sync', 0, 4, null, 'Reads a changed object of the provider and applies it'),
('stripe.refund', 0, 4, null, 'Pays back what was promised'),
('stripe.expire_checkout', 0, 4, null, 'Closes a payment page'),
('email.send', 1, 4, null, 'Writes and sends a mail'),
('email.check', 1, 1, null, 'Tries an organization''s own words'),
('stripe.read_billing', 2, 1, 2, 'Reads once a day what an organization has subscribed to'),
('organization.export', 2, 1, 2, 'Writes all of an organization''s rows into a file'),
('table.export', 2, 1, 2, 'Writes rows of one kind into a file for a member'),
('export.erase', 2, 1, 2, 'Deletes a file of an export whose time is over'),
('storage.erase', 2, 1, 2, 'Deletes the files of an erased organization')
on conflict (kind) do update
set rank = excluded.rank,
  share_limit = excluded.share_limit,
  total_limit = excluded.total_limit,
  description = excluded.description;

create table private.jobs (
  id bigint generated always as identity,
  organization_id uuid,
  kind text not null,
  payload jsonb not null,
  dedupe_key text not null,
  status text not null default 'queued',
  run_at timestamptz not null default now(),
  attempts int not null default 0,
  max_attempts int not null default 25,
  again boolean not null default false,
  lease_token uuid,
  leased_by text,
  last_error text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  share text not null generated always as (coalesce(organization_id::text, payload ->> 'account', '')) stored,
  constraint jobs_pkey primary key (id),
  constraint jobs_status_is_known check (status in ('queued', 'running', 'done', 'dead')),
  constraint jobs_leased_when_running check ((status = 'running') = (lease_token is not null)),
  constraint jobs_finished_when_over check ((status in ('done', 'dead')) = (finished_at is not null))
);

comment on table private.jobs is
  'The outbox and the queue.';
comment on column private.jobs.kind is 'What is to be done, and so who knows how: email.send, stripe.sync, stripe.refund, …';
comment on column private.jobs.payload is 'Ids only: whoever does the work reads the current state.';
comment on column private.jobs.status is 'queued, running under a lease, done, or dead: given up, for a person to look at.';
comment on column private.jobs.dedupe_key is
  'What the job is about. One unfinished job a kind and key; for e-mails one job a key for ever.';
comment on column private.jobs.run_at is
  'Queued: not before this instant. Running: the end of the lease. Either way, from then on the job can be claimed.';
comment on column private.jobs.attempts is 'How often the job was claimed; counted at the claim, not at its end.';
comment on column private.jobs.again is
  'Asked for once more while running: the state may have been read too early, so it is queued again when done.';
comment on column private.jobs.last_error is 'Why the last attempt failed, and for a dead job the reason of its death; of one that is done and was about nothing, "ignored: " and why.';
comment on column private.jobs.share is
  'Whose share of the slots it uses: the organization''s, else the provider''s account''s; empty: nobody''s, and so without the limit of one.';

-- for: private.claim_jobs, which goes from share to share and reads the first due ones of each, and
-- the queue's statistics; finished jobs are not in it, so it stays as small as the backlog. There is
-- none in order of time alone: the planner would take it for a share's first job, and read the whole
-- backlog of the others.
create index jobs_share_idx on private.jobs (kind, share, run_at, id) include (status)
where status in ('queued', 'running');
-- for: private.claim_jobs, which counts what is running
create index jobs_running_idx on private.jobs (kind, share, run_at) where status = 'running';
-- for: private.enqueue; one unfinished job a key also means one at a time per object
create unique index jobs_unfinished_key on private.jobs (kind, dedupe_key)
where status in ('queued', 'running') and kind <> 'email.send';
-- for: private.enqueue; a mail that was sent is never queued again
create unique index jobs_email_key on private.jobs (dedupe_key) where kind = 'email.send';
-- for: private.queue_statistics and private.list_dead_jobs
create index jobs_dead_idx on private.jobs (id) where status = 'dead';
-- for: private.list_dead_jobs
create index jobs_ignored_idx on private.jobs (id) where status = 'done' and starts_with(last_error, 'ignored: ');
-- for: private.queue_stale_checkouts
create index jobs_dead_key_idx on private.jobs (kind, dedupe_key) where status = 'dead';
-- for: private.forget_jobs
create index jobs_done_idx on private.jobs (finished_at) where status = 'done';
-- for: the foreign key, when an organization is erased
create index jobs_organization_id_idx on private.jobs (organization_id);

create function private.enqueue(
  kind text,
  payload jsonb,
  dedupe_key text,
  organization_id uuid default null,
  run_at timestamptz default now()
)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
#variable_conflict use_column
declare
  job_id bigint;
begin
  if enqueue.kind = 'email.send' then
    insert into private.jobs as j (kind, payload, dedupe_key, organization_id, run_at)
    values (enqueue.kind, enqueue.payload, enqueue.dedupe_key, enqueue.organization_id, enqueue.run_at)
    on conflict do nothing
    returning j.id into job_id;
    if job_id is null then
      select j.id into job_id
      from private.jobs as j
      where j.kind = 'email.send' and j.dedupe_key = enqueue.dedupe_key;
    end if;
    return job_id;
  end if;

  -- The conflicting row is updated even when nothing changes: that locks it, so a job
  -- that waits cannot be claimed before this transaction's own writes are visible.
  insert into private.jobs as j (kind, payload, dedupe_key, organization_id, run_at)
  values (enqueue.kind, enqueue.payload, enqueue.dedupe_key, enqueue.organization_id, enqueue.run_at)
  on conflict (kind, dedupe_key) where status in ('queued', 'running') and kind <> 'email.send' do update
  set again = (j.status = 'running'),
    run_at = case j.status when 'queued' then least(j.run_at, excluded.run_at) else j.run_at end
  returning j.id into job_id;
  return job_id;
end
$$;

comment on function private.enqueue is
  'Writes a job in the caller''s transaction and returns its id; an unfinished job of the same kind and key is returned instead, and runs once more if it is running now.';

create function private.job_backoff(attempts int)
returns interval
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- 5 s, doubled each time up to an hour; between half and all of it, at random, so that
  -- jobs that failed together do not come back together.
  return least(3600, 5 * 2 ^ least(attempts - 1, 20)) * (0.5 + random() / 2) * interval '1 second';
end
$$;

comment on function private.job_backoff is 'How long a job waits after so many attempts.';

create type service.job as (
  id bigint,
  kind text,
  payload jsonb,
  attempt int,
  lease_token uuid,
  organization_id uuid,
  money boolean
);

comment on type service.job is 'A piece of work that is the worker''s for the time of its lease.';
comment on column service.job.id is 'Of the job; what is done under its lease names it.';
comment on column service.job.kind is 'What is to be done, such as email.send.';
comment on column service.job.payload is 'What it is about: ids only, by the kind''s own names.';
comment on column service.job.attempt is 'Counts from 1.';
comment on column service.job.lease_token is 'Proves the claim.';
comment on column service.job.organization_id is 'Whose work it is; null: the platform''s.';
comment on column service.job.money is 'Whether it moves money, for which workers keep slots.';

create function private.claim_jobs(worker text, max_jobs int, lease_seconds int, kept_for_money int default 0)
returns setof service.job
language plpgsql
volatile
security definer
set search_path = ''
-- A plan is kept, also from when the queue was empty and reading all of it was cheap.
set enable_seqscan = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
  wanted int := least(greatest(claim_jobs.max_jobs, 0), 100);
  -- Of shares that are equally far, chance says whose turn it is: by age, one whose work came later would
  -- wait until all those before it had none left.
  luck bigint := (random() * 9007199254740991)::bigint;
  chosen bigint [];
begin
  -- One claim after the other: each sees what the one before it took, so the limits hold. A claim
  -- takes some milliseconds, also with 10,000 mails of one venue in the queue (docs/messages.md).
  perform pg_advisory_xact_lock(hashtextextended('private.claim_jobs', 0));

  with recursive
  running as materialized (
    select j.kind, j.share, count(*) as jobs
    from private.jobs as j
    where j.status = 'running' and j.run_at > now()
    group by j.kind, j.share
  ),
  -- Every share that has unfinished jobs, one step in the index each, however many they are.
  shares as (
    (
      select j.kind, j.share
      from private.jobs as j
      where j.status in ('queued', 'running')
      order by j.kind, j.share
      limit 1
    )
    union all
    select following.kind, following.share
    from shares as s
    cross join lateral (
      select j.kind, j.share
      from private.jobs as j
      where j.status in ('queued', 'running') and (j.kind, j.share) > (s.kind, s.share)
      order by j.kind, j.share
      limit 1
    ) as following
  ),
  due as (
    select
      d.id, d.run_at, s.kind, coalesce(k.rank, 1) as rank, k.total_limit, hashtextextended(s.share, luck) as lot,
      coalesce(r.jobs, 0) + row_number() over (partition by s.kind, s.share order by d.run_at, d.id) as turn
    from shares as s
    left join private.job_kinds as k on k.kind = s.kind
    left join running as r on r.kind = s.kind and r.share = s.share
    cross join lateral (
      select j.id, j.run_at
      from private.jobs as j
      where j.kind = s.kind
        and j.share = s.share
        and j.status in ('queued', 'running')
        and j.run_at <= now()
      order by j.run_at, j.id
      limit case s.share
        when '' then wanted
        else greatest(least(wanted, coalesce(k.share_limit, 4) - coalesce(r.jobs, 0)), 0)
      end
    ) as d
  ),
  allowed as (
    select d.id, d.rank, d.turn, d.lot, d.run_at
    from (
      select due.*, row_number() over (partition by due.kind order by due.turn, due.lot, due.run_at, due.id) as place
      from due
    ) as d
    where d.total_limit is null
      or d.place + (select coalesce(sum(r.jobs), 0) from running as r where r.kind = d.kind) <= d.total_limit
  ),
  in_order as (
    select
      a.*,
      row_number() over (partition by a.rank > 0 order by a.rank, a.turn, a.lot, a.run_at, a.id) as place
    from allowed as a
  )
  select array_agg(first.id) into chosen
  from (
    select o.id
    from in_order as o
    where o.rank = 0 or o.place <= wanted - greatest(claim_jobs.kept_for_money, 0)
    order by o.rank, o.turn, o.lot, o.run_at, o.id
    limit wanted
  ) as first;

  return query
  -- Materialized: otherwise the planner may evaluate the locking query twice.
  with due as materialized (
    select held.id
    from unnest(chosen) as c (id)
    -- One at a time, by the primary key. Somebody may hold it (private.enqueue), or have finished
    -- it meanwhile.
    cross join lateral (
      select j.id
      from private.jobs as j
      where j.id = c.id and j.status in ('queued', 'running') and j.run_at <= now()
      for update skip locked
    ) as held
  ),
  claimed as (
    update private.jobs as j
    set status = case when j.attempts < j.max_attempts then 'running' else 'dead' end,
      attempts = least(j.attempts + 1, j.max_attempts),
      lease_token = case when j.attempts < j.max_attempts then gen_random_uuid() end,
      leased_by = claim_jobs.worker,
      run_at = now() + least(greatest(claim_jobs.lease_seconds, 1), 3600) * interval '1 second',
      last_error = case
        when j.attempts < j.max_attempts then j.last_error
        else 'every attempt ended with its worker gone'
      end,
      finished_at = case when j.attempts < j.max_attempts then null else now() end
    from due
    where j.id = due.id
    returning j.*
  )
  select c.id, c.kind, c.payload, c.attempts, c.lease_token, c.organization_id, coalesce(k.rank, 1) = 0
  from claimed as c
  left join private.job_kinds as k on k.kind = c.kind
  where c.status = 'running'
  order by array_position(chosen, c.id);
end
$$;

comment on function private.claim_jobs is
  'definer: the queue is visible to nobody. Claims what is due, whether queued or left behind by a worker whose lease has ended, fairly (see above); a job left behind too often dies here.';
grant execute on function private.claim_jobs to service_role;

create function service.claim_jobs(worker text, max_jobs int, lease_seconds int, kept_for_money int default 0)
returns setof service.job
language sql
volatile
set search_path = ''
as $$ select * from private.claim_jobs(worker, max_jobs, lease_seconds, kept_for_money) $$;

comment on function service.claim_jobs is
  'Takes up to max_jobs (at most 100) due jobs for lease_seconds (1 to 3600), kept_for_money of them only for jobs that move money. Money comes before mail and mail before files, organizations take turns, and one organization has at most some jobs of a kind running (private.job_kinds). No two callers get the same job while its lease lasts. worker: a name for the logs. attempt: 1 the first time.';
grant execute on function service.claim_jobs to service_role;

create function private.leased_job(job_id bigint, lease_token uuid)
returns private.jobs
language plpgsql
stable
set search_path = ''
as $$
declare
  job private.jobs;
begin
  -- Not locked: whoever closes a booking's payment page holds the booking and writes a job, so a
  -- job's lock before the booking's could wait in a circle.
  select j.* into job
  from private.jobs as j
  where j.id = leased_job.job_id and j.lease_token = leased_job.lease_token and j.status = 'running';
  if not found then
    perform private.fail('lease_lost', 409, 'Claim the job anew: this is done under its lease only.');
  end if;
  return job;
end
$$;

comment on function private.leased_job is
  'The running job that the token leases. Raises 409 lease_lost when there is none. As for complete_job the token decides, not the clock.';

create function private.refuse_other_object(job private.jobs, fits boolean)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if fits is not true then
    perform private.fail(
      'lease_of_another', 409, 'Claim the job of this object: the lease of another opens nothing here.',
      jsonb_build_object('kind', job.kind)
    );
  end if;
end
$$;

comment on function private.refuse_other_object is
  'Refuses, with 409 lease_of_another, what a job brings that is not about its own object; fits null counts as false.';

create function private.syncs(job private.jobs, object_type text, object_id text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return job.kind = 'stripe.sync'
    and job.payload ->> 'object_type' = syncs.object_type
    and job.payload ->> 'object_id' = syncs.object_id;
end
$$;

comment on function private.syncs is
  'Whether the job is the one that reads this object of the provider.';

create function private.complete_job(job_id bigint, lease_token uuid)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update private.jobs as j
  set status = case when j.again then 'queued' else 'done' end,
    attempts = case when j.again then 0 else j.attempts end,
    again = false,
    run_at = now(),
    lease_token = null,
    finished_at = case when j.again then null else now() end
  where j.id = complete_job.job_id
    and j.lease_token = complete_job.lease_token
    and j.status = 'running';
  return found;
end
$$;

comment on function private.complete_job is
  'definer: the queue is visible to nobody. The token decides, not the clock: a lease that has ended but was not taken over still completes, since the work is done.';
grant execute on function private.complete_job to service_role;

create function service.complete_job(job_id bigint, lease_token uuid)
returns boolean
language sql
volatile
set search_path = ''
as $$ select private.complete_job(job_id, lease_token) $$;

comment on function service.complete_job is
  'Marks the job done; false if the lease was lost to another worker.';
grant execute on function service.complete_job to service_role;

create function private.fail_job(
  job_id bigint,
  lease_token uuid,
  error text,
  retry boolean,
  retry_after_seconds int default null,
  ignored boolean default false
)
returns text
language sql
volatile
security definer
set search_path = ''
as $$
  update private.jobs as j
  -- Asked for again meanwhile: a new cause, so a new count.
  set status = case
      when j.again or (fail_job.retry and j.attempts < j.max_attempts) then 'queued'
      when fail_job.ignored then 'done'
      else 'dead'
    end,
    finished_at = case when j.again or (fail_job.retry and j.attempts < j.max_attempts) then null else now() end,
    attempts = case
      when j.again then 0
      -- The provider took nothing, and said when it will: no attempt was made.
      when fail_job.retry_after_seconds is not null then greatest(j.attempts - 1, 0)
      else j.attempts
    end,
    again = false,
    -- Not by coalesce(): greatest() passes over a null, and every pause would be a second.
    run_at = now() + case
      when fail_job.retry_after_seconds is null then private.job_backoff(j.attempts)
      else least(greatest(fail_job.retry_after_seconds, 1), 86400) * interval '1 second'
    end,
    lease_token = null,
    -- A provider may quote the address, and the mail outlives its customer's erasure.
    last_error = case when fail_job.ignored then 'ignored: ' else '' end
      || left(regexp_replace(fail_job.error, '[^[:space:]<>"'',;:()]+@[^[:space:]<>"'',;:()]+', '[address]', 'g'), 2000)
  where j.id = fail_job.job_id
    and j.lease_token = fail_job.lease_token
    and j.status = 'running'
  returning j.status
$$;

comment on function private.fail_job is
  'definer: the queue is visible to nobody. Queues the job again after a growing pause, or buries it with the reason.';
grant execute on function private.fail_job to service_role;

create function service.fail_job(
  job_id bigint,
  lease_token uuid,
  error text,
  retry boolean,
  retry_after_seconds int default null,
  ignored boolean default false
)
returns text
language sql
volatile
set search_path = ''
as $$ select private.fail_job(job_id, lease_token, error, retry, retry_after_seconds, ignored) $$;

comment on function service.fail_job is
  'Ends an attempt that failed. Returns queued (tried again after 5 s, doubled each time up to an hour, with jitter; or, where the provider named a time, after retry_after_seconds, 1 to 86400, and then the attempt does not count), dead (retry false, or 25 attempts made), done (ignored: it is about nothing that there is, and the reason is kept), or null if the lease was lost.';
grant execute on function service.fail_job to service_role;

create function private.extend_job(job_id bigint, lease_token uuid, lease_seconds int)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update private.jobs as j
  set run_at = now() + least(greatest(extend_job.lease_seconds, 1), 3600) * interval '1 second'
  where j.id = extend_job.job_id
    and j.lease_token = extend_job.lease_token
    and j.status = 'running';
  return found;
end
$$;

comment on function private.extend_job is
  'definer: the queue is visible to nobody. Moves the end of a lease that is still held.';
grant execute on function private.extend_job to service_role;

create function service.extend_job(job_id bigint, lease_token uuid, lease_seconds int)
returns boolean
language sql
volatile
set search_path = ''
as $$ select private.extend_job(job_id, lease_token, lease_seconds) $$;

comment on function service.extend_job is
  'Keeps the job for lease_seconds (1 to 3600) from now; false if the lease was lost to another worker.';
grant execute on function service.extend_job to service_role;

create type service.queue_statistics as (
  queued bigint,
  running bigint,
  dead bigint,
  oldest_queued_seconds bigint
);

comment on type service.queue_statistics is 'How much work waits, runs and was given up.';
comment on column service.queue_statistics.queued is 'Jobs that wait, those of later among them.';
comment on column service.queue_statistics.running is 'Jobs under a lease.';
comment on column service.queue_statistics.dead is 'Jobs that were given up.';
comment on column service.queue_statistics.oldest_queued_seconds is 'For how long the oldest due job has been waiting; 0: none is due.';

create function private.queue_statistics()
returns service.queue_statistics
language sql
stable
security definer
set search_path = ''
as $$
  select
    count(*) filter (where j.status = 'queued'),
    count(*) filter (where j.status = 'running'),
    (select count(*) from private.jobs as d where d.status = 'dead'),
    coalesce(floor(extract(epoch from now() - min(j.run_at) filter (where j.status = 'queued' and j.run_at <= now())))::bigint, 0)
  from private.jobs as j
  where j.status in ('queued', 'running')
$$;

comment on function private.queue_statistics is 'definer: the queue is visible to nobody. Counts, no content.';
grant execute on function private.queue_statistics to service_role;

create function service.queue_statistics()
returns service.queue_statistics
language sql
stable
set search_path = ''
as $$ select private.queue_statistics() $$;

comment on function service.queue_statistics is
  'Jobs by state, and for how long the oldest due one has been waiting.';
grant execute on function service.queue_statistics to service_role;

create type service.dead_job as (
  id bigint,
  kind text,
  organization_id uuid,
  payload jsonb,
  attempts int,
  last_error text,
  finished_at timestamptz
);

comment on type service.dead_job is 'A job that was given up, and why.';
comment on column service.dead_job.id is 'Of the job.';
comment on column service.dead_job.kind is 'What was to be done.';
comment on column service.dead_job.organization_id is 'Whose work it is; null: the platform''s.';
comment on column service.dead_job.payload is 'What it is about: ids only, by the kind''s own names.';
comment on column service.dead_job.attempts is 'How often it was tried.';
comment on column service.dead_job.last_error is 'Why; null: nobody said.';
comment on column service.dead_job.finished_at is 'When it was given up, or ignored.';

create function private.list_dead_jobs(max_jobs int, before_id bigint default null, ignored boolean default false)
returns setof service.dead_job
language sql
stable
security definer
set search_path = ''
as $$
  select j.id, j.kind, j.organization_id, j.payload, j.attempts, j.last_error, j.finished_at
  from private.jobs as j
  where (
      not list_dead_jobs.ignored and j.status = 'dead'
      or list_dead_jobs.ignored and j.status = 'done' and starts_with(j.last_error, 'ignored: ')
    )
    and (list_dead_jobs.before_id is null or j.id < list_dead_jobs.before_id)
  order by j.id desc
  limit least(greatest(list_dead_jobs.max_jobs, 0), 1000)
$$;

comment on function private.list_dead_jobs is 'definer: the queue is visible to nobody.';
grant execute on function private.list_dead_jobs to service_role;

create function service.list_dead_jobs(
  max_jobs int default 100, before_id bigint default null, ignored boolean default false
)
returns setof service.dead_job
language sql
stable
set search_path = ''
as $$ select * from private.list_dead_jobs(max_jobs, before_id, ignored) $$;

comment on function service.list_dead_jobs is
  'The jobs that were given up, newest first, at most max_jobs (1000); before_id: the last one of the page before; ignored: those instead that were about nothing that there is. For operators.';
grant execute on function service.list_dead_jobs to service_role;

create type service.retried_job as (
  id bigint,
  kind text,
  status text
);

comment on type service.retried_job is 'A job that was given up and is queued once more.';
comment on column service.retried_job.id is 'Of the job.';
comment on column service.retried_job.kind is 'What is to be done.';
comment on column service.retried_job.status is 'one of: queued';

create function private.retry_job(job_id bigint)
returns service.retried_job
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs;
begin
  select j.* into job
  from private.jobs as j
  where j.id = retry_job.job_id and j.status = 'dead'
  for update;
  if not found then
    perform private.fail('job_not_found', 404, 'Choose one of the jobs that were given up.');
  end if;
  begin
    update private.jobs as j
    -- The count goes on: a handler that sees a first attempt may assume that there was none.
    set status = 'queued', max_attempts = j.attempts + 25, again = false, run_at = now(), finished_at = null
    where j.id = job.id;
  exception
    when unique_violation then
      perform private.fail('job_superseded', 409, 'Let it be: another job does the same already.');
  end;
  return row(job.id, job.kind, 'queued')::service.retried_job;
end
$$;

comment on function private.retry_job is 'definer: the queue is visible to nobody.';
grant execute on function private.retry_job to service_role;

create function service.retry_job(job_id bigint)
returns service.retried_job
language sql
volatile
set search_path = ''
as $$ select private.retry_job(job_id) $$;

comment on function service.retry_job is
  'Queues a job that was given up once more, for another 25 attempts. For operators, when the cause is mended. Errors: 404 job_not_found; 409 job_superseded.';
grant execute on function service.retry_job to service_role;

create type service.retried as (
  queued int,
  superseded int
);

comment on type service.retried is 'What became of jobs that were given up and asked for once more.';
comment on column service.retried.queued is 'How many wait again.';
comment on column service.retried.superseded is 'How many another job does already.';

create function private.retry_dead_jobs(kind text, max_jobs int)
returns service.retried
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job_id bigint;
  queued int := 0;
  superseded int := 0;
begin
  for job_id in
    select j.id
    from private.jobs as j
    where j.status = 'dead' and (retry_dead_jobs.kind is null or j.kind = retry_dead_jobs.kind)
    -- Newest first: of several about the same thing, the last one knows most.
    order by j.id desc
    limit least(greatest(retry_dead_jobs.max_jobs, 0), 10000)
  loop
    begin
      perform private.retry_job(job_id);
      queued := queued + 1;
    exception
      -- Another job does the same already, or somebody else was faster.
      when sqlstate 'PT409' or sqlstate 'PT404' then
        superseded := superseded + 1;
    end;
  end loop;
  return row(queued, superseded)::service.retried;
end
$$;

comment on function private.retry_dead_jobs is 'definer: the queue is visible to nobody.';
grant execute on function private.retry_dead_jobs to service_role;

create function service.retry_dead_jobs(kind text default null, max_jobs int default 10000)
returns service.retried
language sql
volatile
set search_path = ''
as $$ select private.retry_dead_jobs(kind, max_jobs) $$;

comment on function service.retry_dead_jobs is
  'Queues all jobs that were given up once more, or all of a kind, at most max_jobs (10000), newest first. For operators, when the cause is mended.';
grant execute on function service.retry_dead_jobs to service_role;

create function private.forget_jobs(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  forgotten int;
begin
  -- Long after a cause could come again or a provider report on a mail. With a mail's job goes
  -- its row in the log of mails, and so the address.
  delete from private.jobs as j
  where j.id in (
    select old.id
    from private.jobs as old
    where old.status = 'done' and old.finished_at < now() - interval '90 days'
    order by old.finished_at
    limit forget_jobs.max
    for update skip locked
  );
  get diagnostics forgotten = row_count;
  return forgotten;
end
$$;

comment on function private.forget_jobs is
  'Deletes at most so many jobs that were done 90 days ago, and returns how many. The dead stay until somebody deals with them.';
