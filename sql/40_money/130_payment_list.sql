-- All money that came, comes or did not come, in one list: the ledger and the attempts to pay online.

-- for: private.list_payments, in order of time; what was paid is in the ledger
create index payment_attempts_unpaid_idx on private.payment_attempts (organization_id, created_at desc, id desc)
where status <> 'paid';

create type public.payment_entry as (
  id uuid,
  booking_id uuid,
  reference text,
  contact_name text,
  method text,
  status text,
  amount_cents bigint,
  refunded_cents bigint,
  currency text,
  occurred_at timestamptz
);

comment on type public.payment_entry is 'A payment, or an attempt to pay online.';
comment on column public.payment_entry.id is 'Of the payment, or of the attempt.';
comment on column public.payment_entry.booking_id is 'The booking.';
comment on column public.payment_entry.reference is 'The booking''s.';
comment on column public.payment_entry.contact_name is 'The name given with the booking; null without customers:read.';
comment on column public.payment_entry.method is 'one of payments.method';
comment on column public.payment_entry.status is
  'pending: an attempt to pay online that is under way; failed: one that ended without money; corrected: one that was written down wrongly, and brought nothing; the others are money that came. one of: pending, succeeded, failed, partly_refunded, refunded, corrected';
comment on column public.payment_entry.amount_cents is 'Minor units of currency.';
comment on column public.payment_entry.refunded_cents is 'What went back of it, in minor units; what is only promised is not counted.';
comment on column public.payment_entry.currency is 'ISO 4217.';
comment on column public.payment_entry.occurred_at is 'When the money moved, or the attempt began.';

create function private.list_payments(
  organization_id uuid,
  status text,
  before timestamptz,
  before_id uuid,
  max_rows int
)
returns setof public.payment_entry
language plpgsql
stable
security definer
set jit = off
set search_path = ''
as $$
declare
  sees_customers boolean;
  most int := least(greatest(coalesce(list_payments.max_rows, 50), 1), 200);
  last_time timestamptz := coalesce(list_payments.before, 'infinity');
  last_id uuid := coalesce(list_payments.before_id, '00000000-0000-0000-0000-000000000000');
begin
  perform private.require_permission(list_payments.organization_id, 'payments:read');
  if list_payments.status not in ('pending', 'succeeded', 'failed', 'partly_refunded', 'refunded', 'corrected') then
    perform private.fail(
      'status_invalid', 422, 'Choose pending, succeeded, failed, partly_refunded, refunded or corrected, or none for all.'
    );
  end if;
  sees_customers := private.has_permission(list_payments.organization_id, 'customers:read');
  return query
  select
    e.id, e.booking_id, b.reference, case when sees_customers then c.contact_name end, e.method, e.status,
    e.amount_cents, e.refunded_cents, e.currency, e.occurred_at
  from (
    (
      select p.id, p.booking_id, p.method, state.status, p.amount_cents, back.cents as refunded_cents, p.currency, p.occurred_at
      from public.payments as p
      cross join lateral (
        -- Less what the customer's bank sent back.
        select
          coalesce(sum(r.amount_cents) filter (where r.kind <> 'correction'), 0)::bigint as cents,
          coalesce(bool_or(r.kind = 'correction'), false) as is_corrected
        from public.refunds as r
        where r.organization_id = p.organization_id and r.payment_id = p.id
      ) as back
      cross join lateral (
        select case
          when back.is_corrected then 'corrected'
          when back.cents >= p.amount_cents then 'refunded'
          when back.cents > 0 then 'partly_refunded'
          else 'succeeded'
        end as status
      ) as state
      where p.organization_id = list_payments.organization_id
        and (p.occurred_at, p.id) < (last_time, last_id)
        and state.status = coalesce(list_payments.status, state.status)
      order by p.occurred_at desc, p.id desc
      limit most
    )
    union all
    (
      select a.id, a.booking_id, 'stripe', state.status, a.amount_cents, 0, a.currency, a.created_at
      from private.payment_attempts as a
      cross join lateral (
        select case a.status when 'open' then 'pending' else 'failed' end as status
      ) as state
      where a.organization_id = list_payments.organization_id
        and a.status <> 'paid'
        and (a.created_at, a.id) < (last_time, last_id)
        and state.status = coalesce(list_payments.status, state.status)
      order by a.created_at desc, a.id desc
      limit most
    )
  ) as e
  join public.bookings as b on b.organization_id = list_payments.organization_id and b.id = e.booking_id
  join public.booking_contacts as c on c.organization_id = b.organization_id and c.booking_id = b.id
  order by e.occurred_at desc, e.id desc
  limit most;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.list_payments is
  'definer: reads attempts to pay, which no client may read. Asks for payments:read.';
grant execute on function private.list_payments to authenticated;

create function public.list_payments(
  organization_id uuid,
  status text default null,
  before timestamptz default null,
  before_id uuid default null,
  max_rows int default 50
)
returns setof public.payment_entry
language sql
stable
set search_path = ''
as $$ select * from private.list_payments(organization_id, status, before, before_id, max_rows) $$;

comment on function public.list_payments is
  'Payments and attempts to pay online, newest first, at most max_rows (1 to 200): all, or those of a status. before, before_id: occurred_at and id of the last one that was seen, for the next page. For members with payments:read. Errors: 403 permission_denied; 422 status_invalid.';
grant execute on function public.list_payments to authenticated;
