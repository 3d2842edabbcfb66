-- What the clock brings: deadlines that are past, places to offer, and what may be forgotten.

create type service.swept as (
  expired_holds int,
  ended_visits int,
  forgotten_idempotency_keys int,
  forgotten_rate_limits int,
  forgotten_jobs int,
  waitlist_offers int,
  expired_waitlist_entries int,
  due_messages int
);

comment on type service.swept is 'What a sweep did, in numbers.';
comment on column service.swept.expired_holds is 'Holds and unconfirmed bookings past their deadline.';
comment on column service.swept.ended_visits is 'Bookings whose game is over.';
comment on column service.swept.forgotten_idempotency_keys is 'Older than a day.';
comment on column service.swept.forgotten_rate_limits is 'Windows older than a day.';
comment on column service.swept.forgotten_jobs is 'Done 90 days ago.';
comment on column service.swept.waitlist_offers is 'Free places that were offered.';
comment on column service.swept.expired_waitlist_entries is 'Waiting for a time that has passed.';
comment on column service.swept.due_messages is 'Messages around visits that were queued.';

create function private.sweep()
returns service.swept
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  waitlist jsonb;
  expired int;
  ended int;
  messages int;
  keys int;
  windows int;
begin
  -- Whoever runs it, nobody did what the clock brings.
  perform private.act_as('system', null);
  -- First: it is the one part that may wait for a lock.
  waitlist := to_jsonb(private.sweep_waitlist());
  expired := private.expire_lapsed_holds(500);
  ended := private.end_past_visits(500);
  messages := private.queue_due_messages(now());

  delete from private.idempotency_keys as k
  where (k.scope, k.key) in (
    select old.scope, old.key
    from private.idempotency_keys as old
    where old.created_at < now() - interval '1 day'
    order by old.created_at
    limit 1000
    for update skip locked
  );
  get diagnostics keys = row_count;

  -- The longest window of private.rate_limit_rules is a day.
  delete from private.rate_limits as l
  where (l.action, l.subject, l.window_start) in (
    select old.action, old.subject, old.window_start
    from private.rate_limits as old
    where old.window_start < now() - interval '1 day'
    order by old.window_start
    limit 10000
    for update skip locked
  );
  get diagnostics windows = row_count;

  return row(
    expired, ended, keys, windows, private.forget_jobs(1000),
    waitlist -> 'waitlist_offers', waitlist -> 'expired_waitlist_entries', messages
  )::service.swept;
end
$$;

comment on function private.sweep is
  'definer: tidies tables that no caller may write.';
grant execute on function private.sweep to service_role;

create function service.sweep()
returns service.swept
language sql
volatile
set search_path = ''
as $$ select private.sweep() $$;

comment on function service.sweep is
  'Gives every booking that is past its deadline its end, at most 500 of those that are held or pending and 500 of those whose game is over, offers up to 20 free places to those who wait for one, queues the messages around visits that became due, and forgets idempotency keys and rate-limit windows older than a day and jobs done 90 days ago. For the worker, or pg_cron, about every minute; any number may run at once.';
grant execute on function service.sweep to service_role;

create function private.schedule_sweep()
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- By the function, not by the extension: where pg_cron is missing nothing here names it.
  if to_regprocedure('cron.schedule(text,text,text)') is null then
    return false;
  end if;
  execute 'select cron.schedule($1, $2, $3)'
  using 'escapemaster-sweep', '* * * * *', 'select private.sweep()';
  return true;
end
$$;

comment on function private.schedule_sweep is
  'Lets pg_cron, where it is installed, run the sweep every minute under one name; false without it, when the worker''s own clock does it. Both may run. For the database''s owner: call it once after pg_cron was installed.';

select private.schedule_sweep();
