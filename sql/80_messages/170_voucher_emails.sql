-- The mails of a gift voucher: what became of them, one once more, and the delivery that waits for a
-- dispute.
--
-- A voucher whose payment is disputed is blocked, and its mails say nothing (private.voucher_content):
-- a delivery that comes due meanwhile ends without a mail. When the dispute is won it is queued anew,
-- unless the one of before still waits or has left; when it is lost, nothing is left to deliver.

-- for: public.voucher_emails, and private.voucher_mail_left
create index jobs_voucher_mails_idx
on private.jobs (organization_id, (coalesce(payload ->> 'voucher_id', payload ->> 'voucher_order_id')), id)
where kind = 'email.send' and payload ?| array['voucher_id', 'voucher_order_id'];

create function private.voucher_mail_left(organization_id uuid, voucher_id uuid, released text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from private.jobs as j
    join private.email_messages as m on m.job_id = j.id
    where j.kind = 'email.send'
      and j.payload ?| array['voucher_id', 'voucher_order_id']
      and j.organization_id = voucher_mail_left.organization_id
      and coalesce(j.payload ->> 'voucher_id', j.payload ->> 'voucher_order_id') = voucher_mail_left.voucher_id::text
      and j.payload ->> 'template' = 'voucher_issued'
      and j.payload ->> 'released' is distinct from voucher_mail_left.released
      -- It is on its way: prepared, and to be tried again.
      and (m.sent_at is not null or m.status = 'prepared' and j.status in ('queued', 'running'))
  );
end
$$;

comment on function private.voucher_mail_left is
  'Whether the mail that brings a voucher to its recipient was sent, or is being sent, by another job than the one that this release queued (null: by one that a release queued; empty: by any).';

create function private.release_voucher_delivery()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  bought public.voucher_orders;
  zone text;
  released text := private.uuid_v7();
begin
  select o.* into bought
  from public.voucher_orders as o
  where o.organization_id = new.organization_id and o.voucher_id = new.id;
  if bought.recipient_email is null
    or private.voucher_went_back(new)
    or private.voucher_mail_left(new.organization_id, new.id, released)
    or exists (
      select from private.jobs as j
      where j.kind = 'email.send'
        and j.payload ?| array['voucher_id', 'voucher_order_id']
        and j.organization_id = new.organization_id
        and coalesce(j.payload ->> 'voucher_id', j.payload ->> 'voucher_order_id') = new.id::text
        and j.payload ->> 'template' = 'voucher_issued'
        and j.status = 'queued'
    )
  then
    return null;
  end if;
  select o.timezone into zone from public.organizations as o where o.id = new.organization_id;
  perform private.queue_voucher_mail(
    new,
    -- A worker that had the one of before in its hands has prepared it by then, or dropped it.
    greatest(now() + interval '1 minute', (bought.deliver_on + time '09:00') at time zone zone),
    released
  );
  return null;
end
$$;

comment on function private.release_voucher_delivery is
  'A dispute about a voucher''s payment is over and the voucher pays again: its delivery that was held meanwhile is queued anew.';

create trigger release_voucher_delivery
after update of status on public.vouchers
for each row when (old.status = 'blocked' and new.status = 'active')
execute function private.release_voucher_delivery();

create type public.voucher_email as (
  id uuid,
  template text,
  recipient text,
  status text,
  reason text,
  created_at timestamptz,
  sent_at timestamptz,
  due_at timestamptz
);

comment on type public.voucher_email is 'A mail of a gift voucher, and what became of it.';
comment on column public.voucher_email.id is 'The mail''s, for as long as it is listed; not in order of time.';
comment on column public.voucher_email.template is
  'voucher_issued: to its recipient; voucher_bought: to its buyer. one of: voucher_issued, voucher_bought';
comment on column public.voucher_email.recipient is 'The address; null without customers:read, and before it was prepared.';
comment on column public.voucher_email.status is
  'held: a dispute about its payment is open, and it is sent when that is won; void: the voucher was cancelled or its money went back before; not_needed: switched off, or overtaken by another; the rest as in booking_email. one of: waiting, held, void, sent, delivered, not_needed, dead, bounced, complained, failed, suppressed, limited';
comment on column public.voucher_email.reason is 'What went wrong with it last; null: nothing did.';
comment on column public.voucher_email.created_at is 'When it was asked for.';
comment on column public.voucher_email.sent_at is 'When the provider took it; null: it did not.';
comment on column public.voucher_email.due_at is 'When it is tried next; null: it is not.';

create function private.voucher_emails(organization_id uuid, voucher_id uuid)
returns setof public.voucher_email
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  voucher public.vouchers;
  order_id uuid;
  shows_addresses boolean;
begin
  perform private.require_permission(voucher_emails.organization_id, 'vouchers:read');
  select v.* into voucher
  from public.vouchers as v
  where v.organization_id = voucher_emails.organization_id and v.id = voucher_emails.voucher_id;
  if not found then
    perform private.fail('voucher_not_found', 404, 'Choose one of the organization''s vouchers.');
  end if;
  select o.id into order_id
  from public.voucher_orders as o
  where o.organization_id = voucher.organization_id and o.voucher_id = voucher.id;
  shows_addresses := private.has_permission(voucher_emails.organization_id, 'customers:read');
  return query
  select
    private.mail_id(j.dedupe_key), j.payload ->> 'template', case when shows_addresses then m.recipient end,
    case
      when m.status in ('suppressed', 'limited', 'delivered', 'bounced', 'complained', 'failed') then m.status
      when m.sent_at is not null then 'sent'
      when voucher.status = 'cancelled' or private.voucher_went_back(voucher) then 'void'
      when voucher.status = 'blocked' and j.status <> 'dead' then 'held'
      when j.status = 'dead' then 'dead'
      when j.status = 'done' then 'not_needed'
      else 'waiting'
    end,
    case when m.sent_at is null and j.status <> 'done' then j.last_error end,
    j.created_at, m.sent_at, case when j.status = 'queued' then j.run_at end
  from private.jobs as j
  left join private.email_messages as m on m.job_id = j.id
  where j.kind = 'email.send'
    and j.payload ?| array['voucher_id', 'voucher_order_id']
    and j.organization_id = voucher.organization_id
    and coalesce(j.payload ->> 'voucher_id', j.payload ->> 'voucher_order_id') in (voucher.id::text, order_id::text)
  order by j.id desc
  limit 200;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.voucher_emails is 'definer: queue and log of mails are visible to nobody.';
grant execute on function private.voucher_emails to authenticated;

create function public.voucher_emails(organization_id uuid, voucher_id uuid)
returns setof public.voucher_email
language sql
stable
set search_path = ''
as $$ select * from private.voucher_emails(organization_id, voucher_id) $$;

comment on function public.voucher_emails is
  'The mails of a gift voucher, to its buyer and its recipient, newest first, of the last 90 days, 200 at most. Somebody should look at what is held, dead, bounced, complained, failed, suppressed or limited. For members with vouchers:read. Errors: 403 permission_denied; 404 voucher_not_found.';
grant execute on function public.voucher_emails to authenticated;

create function private.resend_voucher_email(
  organization_id uuid, voucher_id uuid, idempotency_key text, kind text, email text
)
returns public.resent_email
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := resend_voucher_email.organization_id || ':resend_voucher_email';
  stored jsonb;
  bought public.voucher_orders;
  voucher public.vouchers;
  corrected text := nullif(private.typed_email(resend_voucher_email.email), '');
  address text;
  template text;
  payload jsonb;
  dedupe_key text;
  answer public.resent_email;
begin
  perform private.require_permission(resend_voucher_email.organization_id, 'messages:send');
  perform private.require_permission(
    resend_voucher_email.organization_id, case when corrected is null then 'vouchers:read' else 'vouchers:manage' end
  );
  if resend_voucher_email.kind is null or resend_voucher_email.kind not in ('recipient', 'buyer') then
    perform private.fail('email_kind_invalid', 422, 'Choose recipient or buyer.');
  elsif not private.is_email(corrected) then
    perform private.fail('email_invalid', 422, 'Give an address, or none to use the one that is known.');
  end if;
  stored := private.idempotent_begin(
    scope, resend_voucher_email.idempotency_key,
    jsonb_build_object(
      'voucher_id', resend_voucher_email.voucher_id, 'kind', resend_voucher_email.kind, 'email', resend_voucher_email.email
    )
  );
  if stored is not null then
    return jsonb_populate_record(null::public.resent_email, stored);
  end if;
  -- As everywhere: the order's row, then the voucher's.
  select o.* into bought
  from public.voucher_orders as o
  where o.organization_id = resend_voucher_email.organization_id and o.voucher_id = resend_voucher_email.voucher_id
  for no key update;
  select v.* into voucher
  from public.vouchers as v
  where v.organization_id = resend_voucher_email.organization_id and v.id = resend_voucher_email.voucher_id
  for no key update;
  if not found then
    perform private.fail('voucher_not_found', 404, 'Choose one of the organization''s vouchers.');
  end if;
  if resend_voucher_email.kind = 'buyer' then
    template := 'voucher_bought';
    payload := jsonb_build_object('voucher_order_id', bought.id);
    address := coalesce(corrected, bought.buyer_email);
  else
    template := 'voucher_issued';
    payload := jsonb_build_object('voucher_id', voucher.id);
    address := coalesce(corrected, voucher.recipient_email);
  end if;
  if resend_voucher_email.kind = 'buyer' and bought.id is null then
    perform private.fail('nothing_to_send', 409, 'Staff issued it: nobody bought it.');
  elsif address is null then
    perform private.fail('address_missing', 409, 'Give an address to send it to.');
  end if;
  if corrected is not null and resend_voucher_email.kind = 'buyer' then
    update public.voucher_orders as o
    set buyer_email = corrected
    where o.organization_id = bought.organization_id and o.id = bought.id;
  elsif corrected is not null then
    update public.vouchers as v
    set recipient_email = corrected
    where v.organization_id = voucher.organization_id and v.id = voucher.id;
    update public.voucher_orders as o
    set recipient_email = corrected
    where o.organization_id = bought.organization_id and o.id = bought.id;
  end if;
  if (
    case resend_voucher_email.kind
      when 'buyer' then private.bought_voucher_content(resend_voucher_email.organization_id, payload)
      else private.voucher_content(resend_voucher_email.organization_id, payload || '{"resent": true}')
    end
  ) is null then
    perform private.fail('nothing_to_send', 409, 'It was not bought, was cancelled or given back, or a dispute about its payment is open.');
  end if;
  -- What is to be delivered on a date goes to the corrected address, then, and not twice.
  if resend_voucher_email.kind = 'recipient' then
    select j.dedupe_key into dedupe_key
    from private.jobs as j
    where j.kind = 'email.send'
      and j.payload ?| array['voucher_id', 'voucher_order_id']
      and j.organization_id = voucher.organization_id
      and coalesce(j.payload ->> 'voucher_id', j.payload ->> 'voucher_order_id') = voucher.id::text
      and j.payload ->> 'template' = template
      and j.status = 'queued'
      and j.run_at > now()
    order by j.id
    limit 1;
    if dedupe_key is not null and corrected is null then
      perform private.fail('nothing_to_send', 409, 'It is delivered on its date; correct its address until then.');
    end if;
  end if;
  if dedupe_key is null then
    dedupe_key := concat_ws(':', 'resent', voucher.organization_id, voucher.id, private.uuid_v7());
    perform private.enqueue(
      'email.send',
      payload || jsonb_build_object(
        'template', template, 'organization_id', voucher.organization_id, 'resent', true
      ),
      dedupe_key,
      voucher.organization_id
    );
  end if;
  answer := row(private.mail_id(dedupe_key), template)::public.resent_email;
  perform private.idempotent_end(scope, resend_voucher_email.idempotency_key, to_jsonb(answer));
  -- Last, since the counters' rows stay locked until the end of the transaction.
  perform private.limit_mail(voucher.organization_id, address, 'desk');
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.resend_voucher_email is 'definer: queues work and corrects addresses of vouchers, which no client may.';
grant execute on function private.resend_voucher_email to authenticated;

create function public.resend_voucher_email(
  organization_id uuid, voucher_id uuid, idempotency_key text, kind text default 'recipient', email text default null
)
returns public.resent_email
language sql
volatile
set search_path = ''
as $$ select private.resend_voucher_email(organization_id, voucher_id, idempotency_key, kind, email) $$;

comment on function public.resend_voucher_email is
  'Sends a gift voucher''s mail once more, to its recipient or (kind buyer) to who bought it. email corrects the address, and is kept (for that also vouchers:manage); one that is to be delivered on a date is not sent before, but then goes to the corrected address. For members with messages:send and vouchers:read. Errors: 403 permission_denied, organization_suspended; 404 voucher_not_found; 409 address_missing, nothing_to_send; 422 email_kind_invalid, email_invalid, idempotency_key_invalid, idempotency_key_reused; 429 mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.resend_voucher_email to authenticated;
