-- What the clock brings: deadlines that are past, places to offer, and what may be forgotten.

create type service.swept as (
  expired_holds int,
  ended_visits int,
  forgotten_idempotency_keys int,
  forgotten_rate_limits int,
  forgotten_jobs int,
  waitlist_offers int,
  expired_waitlist_entries int,
  due_messages int,
  lapsing_holds int,
  changed_details int,
  due_webhooks int,
  forgotten_webhooks int
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
comment on column service.swept.lapsing_holds is 'Mails about places that are lost soon that were queued.';
comment on column service.swept.changed_details is 'Mails about changed directions that were queued.';
comment on column service.swept.due_webhooks is 'Webhook deliveries that are tried again.';
comment on column service.swept.forgotten_webhooks is 'Webhook events older than webhook_settings.log_days.';

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
  lapsing int;
  details int;
  keys int;
  windows int;
begin
  -- Whoever runs it, nobody did what the clock brings.
  perform private.act_as('system', null);
  -- First: it is the one part that may wait for a lock.
  waitlist := to_jsonb(private.sweep_waitlist());
  expired := private.expire_lapsed_holds(500);
  perform private.end_late_shares(500);
  ended := private.end_past_visits(500);
  messages := private.queue_due_messages(now());
  lapsing := private.queue_lapsing_holds(500);
  details := private.queue_changed_details(500);
  perform private.forget_auth_emails();
  perform private.queue_stale_sender_domains();
  perform private.expire_vouchers(500);
  perform private.forget_voucher_orders(500);
  perform private.queue_monthly_reports(100);
  perform private.end_table_exports(500);

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

  delete from private.member_addresses as a
  where (a.organization_id, a.user_id, a.email) in (
    select old.organization_id, old.user_id, old.email
    from private.member_addresses as old
    where old.left_at < now() - interval '30 days'
    limit 1000
    for update skip locked
  );

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
    waitlist -> 'waitlist_offers', waitlist -> 'expired_waitlist_entries', messages,
    lapsing, details, private.queue_due_webhooks(), private.forget_webhooks(1000)
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
  'Gives every booking that is past its deadline its end, at most 500 of those that are held or pending and 500 of those whose game is over, gives up to 500 shares that nobody paid in time back to who booked, offers up to 20 free places to those who wait for one, marks up to 500 vouchers whose last date is past, queues the messages around visits that became due, the mails about places that are lost soon and directions that changed and the webhooks that are to be tried again, and forgets idempotency keys and rate-limit windows older than a day, the addresses of members who left 30 days ago, jobs done 90 days ago, voucher orders that nobody paid in 30 days, exports of tables whose files have had their time, and webhook events older than webhook_settings.log_days. For the worker, or pg_cron, about every minute; any number may run at once.';
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
  -- A transaction of its own: it waits for members that leave.
  execute 'select cron.schedule($1, $2, $3)'
  using 'escapemaster-sweep-notices', '* * * * *', 'select private.sweep_notices(now())';
  return true;
end
$$;

comment on function private.schedule_sweep is
  'Lets pg_cron, where it is installed, run the sweep, and the one that tells staff, every minute under one name each; false without it, when the worker''s own clock does it. Both may run. For the database''s owner: call it once after pg_cron was installed.';

select private.schedule_sweep();
