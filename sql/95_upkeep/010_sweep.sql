-- What the clock brings: deadlines that are past, places to offer, and what may be forgotten.

create function private.sweep()
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  -- First: it is the one part that may wait for a lock.
  waitlist jsonb := to_jsonb(private.sweep_waitlist());
  expired int := private.expire_lapsed_holds(500);
  ended int := private.end_past_visits(500);
  keys int;
  windows int;
begin
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

  return jsonb_build_object(
    'expired_holds', expired,
    'ended_visits', ended,
    'forgotten_idempotency_keys', keys,
    'forgotten_rate_limits', windows,
    'forgotten_jobs', private.forget_jobs(1000)
  ) || waitlist;
end
$$;

comment on function private.sweep is
  'definer: tidies tables that no caller may write.';
grant execute on function private.sweep to service_role;

create function service.sweep()
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.sweep() $$;

comment on function service.sweep is
  'Gives every booking that is past its deadline its end, at most 500 of those that are held or pending and 500 of those whose game is over, offers up to 20 free places to those who wait for one, and forgets idempotency keys and rate-limit windows older than a day and jobs done 90 days ago: {expired_holds, ended_visits, forgotten_idempotency_keys, forgotten_rate_limits, forgotten_jobs, waitlist_offers, expired_waitlist_entries}. For the worker, or pg_cron, about every minute; any number may run at once.';
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
