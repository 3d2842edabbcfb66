-- Gift vouchers that are bought online: an order, its one payment, and the voucher that it becomes.
--
-- An order is also its attempt to pay: one order, one page of the provider, at most one payment. So
-- it is paid once by its form, and whoever lets a page pass orders anew. The steps are those of a
-- booking's attempt, and a kill between two of them does as little harm:
--   order_voucher           writes the order; nobody can pay it yet.
--   open_voucher_checkout   fixes the account, the fee and when the page ends; the order's id is the
--                           idempotency key and the client_reference_id at the provider.
--   record_voucher_checkout writes the page's id. Only after this may a person be sent there.
--   apply_checkout_session  what the provider says of the page, in any order and any number. Paid:
--                           voucher, its code, the ledger and both mails are written in one
--                           transaction under the order's lock.
--
-- What goes back at the provider, by staff here or on its dashboard, and what a lost dispute took, is
-- taken off the voucher as far as it goes, and what returns to it later is taken off, too: a voucher
-- never pays with money that went back. While a dispute withholds the money it pays nothing.
--
-- Locks are taken in one order: the order's row, then the voucher's. What follows from an entry of a
-- voucher takes the voucher's only, under which all of this is counted.

create table public.voucher_orders (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  status text not null default 'open',
  calendar_id uuid,
  product_id uuid,
  product_names jsonb,
  amount_cents bigint not null,
  currency text not null,
  buyer_name text not null,
  buyer_email text,
  recipient_name text not null default '',
  recipient_email text,
  message text not null default '',
  accepted_terms text not null default '',
  locale text not null,
  deliver_on date,
  validity_months int,
  refund_days int not null,
  opened_at timestamptz,
  expires_at timestamptz,
  stripe_account text,
  platform_fee_cents bigint not null default 0,
  session_id text,
  as_of timestamptz,
  provider_payment_id text,
  paid_at timestamptz,
  voucher_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint voucher_orders_pkey primary key (organization_id, id),
  constraint voucher_orders_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint voucher_orders_calendar_fkey foreign key (organization_id, calendar_id)
  references public.calendars (organization_id, id) on delete set null (calendar_id),
  constraint voucher_orders_product_fkey foreign key (organization_id, product_id)
  references public.voucher_products (organization_id, id) on delete set null (product_id),
  -- Also the index for: the foreign key, and the order behind a voucher. One voucher, one order.
  constraint voucher_orders_voucher_key unique (organization_id, voucher_id),
  constraint voucher_orders_voucher_fkey foreign key (organization_id, voucher_id)
  references public.vouchers (organization_id, id) on delete restrict,
  constraint voucher_orders_status_is_known check (status in ('open', 'failed', 'expired', 'paid')),
  constraint voucher_orders_product_names_are_names check (product_names is null or private.are_names(product_names, 120)),
  constraint voucher_orders_amount_is_positive check (amount_cents > 0),
  constraint voucher_orders_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint voucher_orders_buyer_is_a_name check (private.is_name(buyer_name, 200)),
  constraint voucher_orders_buyer_email_is_plausible check (private.is_email(buyer_email)),
  constraint voucher_orders_recipient_is_a_name_or_empty check (recipient_name = '' or private.is_name(recipient_name, 200)),
  constraint voucher_orders_recipient_email_is_plausible check (private.is_email(recipient_email)),
  constraint voucher_orders_message_is_a_text check (private.is_text(message, 1000)),
  constraint voucher_orders_accepted_terms_are_a_text check (private.is_text(accepted_terms, 20000)),
  constraint voucher_orders_locale_is_supported check (private.is_locale(locale)),
  constraint voucher_orders_delivery_is_finite check (isfinite(deliver_on)),
  constraint voucher_orders_fee_is_part_of_the_amount check (platform_fee_cents between 0 and amount_cents),
  constraint voucher_orders_fee_is_of_an_own_account check (platform_fee_cents = 0 or stripe_account is not null),
  constraint voucher_orders_paid_has_its_voucher check (
    (status = 'paid') = (voucher_id is not null)
    and num_nonnulls(voucher_id, provider_payment_id, paid_at) in (0, 3)
  )
);

comment on table public.voucher_orders is
  'Gift vouchers that somebody began to buy online. Those that were not paid are forgotten after 30 days.';
comment on column public.voucher_orders.status is
  'open → failed (no page was made) → expired → paid: it only moves to the right, so reports may come in any order.';
comment on column public.voucher_orders.calendar_id is 'The calendar on whose page it was bought; null: that was deleted.';
comment on column public.voucher_orders.product_id is 'The product; null: an amount was chosen, or the product was deleted.';
comment on column public.voucher_orders.product_names is 'The product''s names when it was ordered; null: an amount was chosen.';
comment on column public.voucher_orders.amount_cents is 'What is paid and what the voucher is worth, minor units of currency.';
comment on column public.voucher_orders.accepted_terms is
  'The calendar''s terms that the buyer agreed to, word for word; empty: it had none.';
comment on column public.voucher_orders.buyer_email is 'Where the buyer''s mail goes; null: was erased.';
comment on column public.voucher_orders.recipient_email is 'Where the voucher is mailed to; null: to nobody but the buyer.';
comment on column public.voucher_orders.locale is 'The buyer''s language, and that of the mails: es, en or ca.';
comment on column public.voucher_orders.deliver_on is
  'The date on which it is mailed to the recipient, at nine in the organization''s zone; null: as soon as it is paid.';
comment on column public.voucher_orders.validity_months is 'As voucher_settings said when it was ordered.';
comment on column public.voucher_orders.refund_days is 'As voucher_settings said when it was ordered.';
comment on column public.voucher_orders.opened_at is 'When its page was first asked for; null: never.';
comment on column public.voucher_orders.expires_at is 'When the provider closes its page; null: none was asked for.';
comment on column public.voucher_orders.stripe_account is
  'The organization''s account at Stripe that is paid, and from which it goes back; null: the platform''s own.';
comment on column public.voucher_orders.platform_fee_cents is 'What the platform takes of it, in minor units of currency.';
comment on column public.voucher_orders.session_id is 'Stripe''s checkout session; null: none was recorded.';
comment on column public.voucher_orders.as_of is 'The newest instant at which the provider''s state was read.';
comment on column public.voucher_orders.provider_payment_id is 'Stripe''s payment intent; null: not paid.';
comment on column public.voucher_orders.voucher_id is 'The voucher; null: not paid.';

-- for: private.locked_voucher_order; the provider knows the order's id and no organization
create index voucher_orders_id_idx on public.voucher_orders (id);
-- for: the staff's page of orders, newest first
create index voucher_orders_created_at_idx on public.voucher_orders (organization_id, created_at desc, id desc);
-- for: private.voucher_order_of_payment; refunds and disputes name the payment and no organization
create index voucher_orders_provider_payment_id_idx on public.voucher_orders (provider_payment_id)
where provider_payment_id is not null;
-- for: private.queue_stale_checkouts
create index voucher_orders_stale_idx on public.voucher_orders ((coalesce(as_of, opened_at)))
where status = 'open' and session_id is not null;
-- for: private.forget_voucher_orders
create index voucher_orders_unpaid_idx on public.voucher_orders (created_at) where status <> 'paid';
-- for: the foreign key
create index voucher_orders_calendar_id_idx on public.voucher_orders (organization_id, calendar_id);
-- for: the foreign key
create index voucher_orders_product_id_idx on public.voucher_orders (organization_id, product_id);

grant select on public.voucher_orders to authenticated;

alter table public.voucher_orders enable row level security;

create trigger voucher_orders_clean_names
before insert or update of buyer_name, recipient_name on public.voucher_orders
for each row execute function private.clean_texts('names', 'buyer_name', 'recipient_name');

create trigger voucher_orders_clean_notes
before insert or update of message, accepted_terms on public.voucher_orders
for each row execute function private.clean_texts('notes', 'message', 'accepted_terms');

create policy voucher_orders_select on public.voucher_orders
for select to authenticated
using (organization_id = (select private.organization_with('vouchers:read')));

create trigger voucher_orders_touch_updated_at
before update on public.voucher_orders
for each row execute function private.touch_updated_at();

create function private.voucher_order_token(order_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.derived_token('voucher_order', voucher_order_token.order_id::text);
end
$$;

comment on function private.voucher_order_token is
  'What the buyer proves an order with. Derived, not drawn: a repeated request shows the same one, and none is stored.';

create function private.locked_voucher_order(order_id uuid, order_token text default null)
returns public.voucher_orders
language plpgsql
volatile
set search_path = ''
as $$
declare
  found_order public.voucher_orders;
begin
  -- Asked before anything is locked. Ids are no secret: jobs and events carry them.
  if locked_voucher_order.order_token is null
    or private.token_hash(private.typed_token(locked_voucher_order.order_token))
    = private.token_hash(private.voucher_order_token(locked_voucher_order.order_id))
  then
    select o.* into found_order
    from public.voucher_orders as o
    where o.id = locked_voucher_order.order_id
    for no key update;
  end if;
  return found_order;
end
$$;

comment on function private.locked_voucher_order is
  'The order, locked; null if there is none, or the token is not its buyer''s. A null token is not asked for.';

create function private.open_voucher_checkout(order_id uuid, order_token text)
returns service.open_checkout
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  bought public.voucher_orders := private.locked_voucher_order(
    open_voucher_checkout.order_id, coalesce(open_voucher_checkout.order_token, '')
  );
  account private.payment_account;
begin
  if bought.id is null then
    perform private.fail('voucher_order_not_found', 404, 'Order the voucher first, and pay with the token that it answers.');
  elsif bought.status = 'paid' then
    perform private.fail('nothing_due', 409, 'It is paid: look at the order.');
  elsif bought.status <> 'open' or bought.expires_at <= now()
    -- Left without a page, and too old for one: the provider would refuse its end.
    or bought.session_id is null and bought.opened_at < now() - interval '45 seconds'
  then
    perform private.fail('not_payable', 409, 'The time to pay is over. Order the voucher anew.');
  end if;
  if bought.opened_at is null then
    perform private.act_as('system', null);
    if private.venue_is_closed(bought.organization_id) or not exists (
      select from public.voucher_settings as s where s.organization_id = bought.organization_id and s.is_sold
    ) then
      perform private.fail('not_payable', 409, 'The venue sells no vouchers any more.');
    end if;
    account := private.payment_account(bought.organization_id);
    if not account.available then
      perform private.fail('online_payment_unavailable', 409, 'The venue cannot be paid online at the moment: ask it.');
    end if;
    update public.voucher_orders as o
    set opened_at = now(),
      -- The shortest life Stripe gives a session is 30 minutes; the extra minute is for the way there.
      expires_at = now() + interval '31 minutes',
      stripe_account = account.account_id,
      platform_fee_cents = case
        when account.account_id is null then 0
        -- No players: those pay when it is spent, by the booking's own rest.
        else private.platform_fee(
          private.plan_of(bought.organization_id), bought.currency, bought.amount_cents, bought.amount_cents, 0
        )
      end
    where o.organization_id = bought.organization_id and o.id = bought.id
    returning o.* into bought;
  end if;
  return (
    select row(
      bought.id,
      case when bought.session_id is null then private.checkout_token(bought.id) end,
      bought.organization_id,
      null,
      bought.id::text,
      bought.amount_cents,
      bought.currency,
      bought.locale,
      concat_ws(
        ' · ',
        coalesce(
          private.text_in(bought.product_names, bought.locale),
          case bought.locale when 'es' then 'Vale regalo' when 'ca' then 'Val regal' else 'Gift voucher' end
        ),
        o.name
      ),
      bought.buyer_email,
      bought.expires_at,
      bought.stripe_account,
      false,
      null,
      c.site_url,
      bought.platform_fee_cents,
      false,
      bought.session_id
    )::service.open_checkout
    from public.organizations as o
    left join public.calendars as c on c.organization_id = o.id and c.id = bought.calendar_id
    where o.id = bought.organization_id
  );
end
$$;

comment on function private.open_voucher_checkout is
  'definer: the service may read no table. Proves the buyer by the order''s token.';
grant execute on function private.open_voucher_checkout to service_role;

create function service.open_voucher_checkout(order_id uuid, order_token text)
returns service.open_checkout
language sql
volatile
set search_path = ''
as $$ select private.open_voucher_checkout(order_id, order_token) $$;

comment on function service.open_voucher_checkout is
  'What the provider''s page of an ordered voucher asks for; attempt_id is the order. The first call fixes account, fee and end, and each answers the same. Methods that take days are never offered. Errors: 404 voucher_order_not_found; 409 nothing_due, not_payable, online_payment_unavailable.';
grant execute on function service.open_voucher_checkout to service_role;

create function private.own_voucher_order(order_id uuid, attempt_token text)
returns public.voucher_orders
language plpgsql
volatile
set search_path = ''
as $$
declare
  bought public.voucher_orders;
begin
  if private.token_hash(own_voucher_order.attempt_token)
    = private.token_hash(private.checkout_token(own_voucher_order.order_id))
  then
    bought := private.locked_voucher_order(own_voucher_order.order_id);
  end if;
  if bought.id is null then
    perform private.fail('attempt_not_found', 404, 'Open the checkout first, and report with the token that it answers.');
  end if;
  return bought;
end
$$;

comment on function private.own_voucher_order is
  'The order, locked, for whoever opened its page: raises 404 attempt_not_found without the page''s token.';

create function private.record_voucher_checkout(
  attempt_id uuid, attempt_token text, session_id text, url text, expires_at timestamptz
)
returns service.attempt_state
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  bought public.voucher_orders := private.own_voucher_order(
    record_voucher_checkout.attempt_id, record_voucher_checkout.attempt_token
  );
begin
  if bought.status = 'failed' then
    perform private.fail('not_payable', 409, 'The time to pay is over. Order the voucher anew.');
  elsif bought.session_id <> record_voucher_checkout.session_id then
    perform private.fail('attempt_has_session', 409, 'The order has another page: open the checkout again to get its address.');
  elsif bought.session_id is null then
    perform private.refuse_other_page(record_voucher_checkout.url, record_voucher_checkout.expires_at);
    update public.voucher_orders as o
    set session_id = record_voucher_checkout.session_id,
      expires_at = record_voucher_checkout.expires_at
    where o.organization_id = bought.organization_id and o.id = bought.id;
  end if;
  return row(bought.id, bought.status)::service.attempt_state;
end
$$;

comment on function private.record_voucher_checkout is 'definer: the service may write no table.';
grant execute on function private.record_voucher_checkout to service_role;

create function service.record_voucher_checkout(
  attempt_id uuid, attempt_token text, session_id text, url text, expires_at timestamptz
)
returns service.attempt_state
language sql
volatile
set search_path = ''
as $$ select private.record_voucher_checkout(attempt_id, attempt_token, session_id, url, expires_at) $$;

comment on function service.record_voucher_checkout is
  'Remembers the provider''s session of an ordered voucher, for whoever has the attempt_token of open_voucher_checkout; only then may a person be sent to url, which is not kept. Errors: 404 attempt_not_found; 409 not_payable, attempt_has_session; 422 checkout_page_invalid.';
grant execute on function service.record_voucher_checkout to service_role;

create function private.fail_voucher_checkout(attempt_id uuid, attempt_token text)
returns service.attempt_state
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  bought public.voucher_orders := private.own_voucher_order(
    fail_voucher_checkout.attempt_id, fail_voucher_checkout.attempt_token
  );
begin
  if bought.status = 'open' and bought.session_id is null then
    update public.voucher_orders as o
    set status = 'failed'
    where o.organization_id = bought.organization_id and o.id = bought.id
    returning o.status into bought.status;
  end if;
  return row(bought.id, bought.status)::service.attempt_state;
end
$$;

comment on function private.fail_voucher_checkout is 'definer: the service may write no table.';
grant execute on function private.fail_voucher_checkout to service_role;

create function service.fail_voucher_checkout(attempt_id uuid, attempt_token text)
returns service.attempt_state
language sql
volatile
set search_path = ''
as $$ select private.fail_voucher_checkout(attempt_id, attempt_token) $$;

comment on function service.fail_voucher_checkout is
  'Ends an ordered voucher for which the provider made no page, for whoever has the attempt_token of open_voucher_checkout; one that has a page stays as it is. Errors: 404 attempt_not_found.';
grant execute on function service.fail_voucher_checkout to service_role;

create function private.fulfil_voucher_order(bought public.voucher_orders, paid_cents bigint, payment_id text, paid_at timestamptz)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  zone text := (select o.timezone from public.organizations as o where o.id = bought.organization_id);
  voucher public.vouchers;
begin
  voucher.organization_id := bought.organization_id;
  voucher.currency := bought.currency;
  voucher.valid_until := (
    (fulfil_voucher_order.paid_at at time zone zone)::date + make_interval(months => bought.validity_months)
  )::date;
  voucher.recipient_name := bought.recipient_name;
  voucher.recipient_email := bought.recipient_email;
  voucher.message := bought.message;
  voucher.locale := bought.locale;
  voucher := private.new_voucher(voucher);
  update public.voucher_orders as o
  set status = 'paid',
    amount_cents = fulfil_voucher_order.paid_cents,
    platform_fee_cents = least(o.platform_fee_cents, fulfil_voucher_order.paid_cents),
    provider_payment_id = fulfil_voucher_order.payment_id,
    paid_at = fulfil_voucher_order.paid_at,
    voucher_id = voucher.id
  where o.organization_id = bought.organization_id and o.id = bought.id
  returning o.* into bought;

  insert into public.voucher_entries (organization_id, voucher_id, kind, amount_cents)
  values (voucher.organization_id, voucher.id, 'issued', bought.amount_cents);
  -- What the provider has of it stands against what the issue wrote: vouchers_issued is even again.
  perform private.write_ledger(row(
    bought.organization_id, null, 'voucher_order', bought.id, 1, 'stripe_balance', 'vouchers_issued',
    bought.amount_cents, bought.currency, null, null, bought.paid_at, null
  )::public.ledger_entries);
  perform private.write_ledger(row(
    bought.organization_id, null, 'voucher_order', bought.id, 2, 'platform_fees', 'stripe_balance',
    bought.platform_fee_cents, bought.currency, null, null, bought.paid_at, null
  )::public.ledger_entries);

  -- The keys of mails are kept for ever: one mail each, however often this is asked for.
  perform private.enqueue(
    'email.send',
    jsonb_build_object('template', 'voucher_bought', 'organization_id', bought.organization_id, 'voucher_order_id', bought.id),
    'voucher_bought:' || bought.id,
    bought.organization_id
  );
  if bought.recipient_email is not null then
    perform private.queue_voucher_mail(voucher, (bought.deliver_on + time '09:00') at time zone zone);
  end if;
end
$$;

comment on function private.fulfil_voucher_order is
  'Makes the voucher of a locked order that was paid: once, with its code, its money in the ledger and its mails.';

create function private.apply_voucher_session(job private.jobs, order_id uuid, session jsonb)
returns service.applied_checkout
language plpgsql
volatile
set search_path = ''
as $$
declare
  bought public.voucher_orders := private.locked_voucher_order(apply_voucher_session.order_id);
  outcome text := private.session_outcome(session);
begin
  -- Who owns another account writes whatever reference they like on what is paid into it.
  if bought.opened_at is null or bought.stripe_account is distinct from job.payload ->> 'account' then
    return row(null, 'unknown', null, null)::service.applied_checkout;
  elsif outcome = 'paid' and upper(session ->> 'currency') is distinct from bought.currency then
    perform private.fail('currency_mismatch', 422, 'Pay in the voucher''s currency.');
  end if;
  -- Another page of the same order says nothing about the first, except by money.
  if outcome = 'paid' or bought.session_id is null or bought.session_id = session ->> 'id' then
    update public.voucher_orders as o
    set status = case
        when o.status = 'paid' or outcome = 'paid' then o.status
        when outcome = 'ended' then 'expired'
        else o.status
      end,
      session_id = coalesce(o.session_id, session ->> 'id'),
      as_of = greatest(o.as_of, (session ->> 'as_of')::timestamptz)
    where o.organization_id = bought.organization_id and o.id = bought.id
    returning o.* into bought;
  end if;
  -- Money counts whatever was reported before it, and once: an order has one page, by the provider's idempotency.
  if outcome = 'paid' and bought.status <> 'paid' then
    perform private.fulfil_voucher_order(
      bought, (session ->> 'amount_total')::bigint, coalesce(session ->> 'payment_intent', session ->> 'id'),
      coalesce((session ->> 'as_of')::timestamptz, now())
    );
    bought.status := 'paid';
  end if;
  return row(bought.id, bought.status, null, null)::service.applied_checkout;
end
$$;

comment on function private.apply_voucher_session is
  'private.apply_checkout_session of a page on which a voucher is bought; the caller has asked for the job''s lease.';

create function private.voucher_order_of_payment(job private.jobs, payment_id text)
returns public.voucher_orders
language plpgsql
volatile
set search_path = ''
as $$
declare
  bought public.voucher_orders;
begin
  select o.* into bought
  from public.voucher_orders as o
  where o.provider_payment_id = voucher_order_of_payment.payment_id
    and case job.kind
      when 'stripe.refund' then o.organization_id = job.organization_id
      else o.stripe_account is not distinct from job.payload ->> 'account'
    end
  order by o.created_at
  limit 1
  for no key update;
  return bought;
end
$$;

comment on function private.voucher_order_of_payment is
  'The order of a voucher that this payment bought, locked; null: none. Of the organization whose promise the job carries out, or into the account whose event it reads: never into another.';

create function private.forget_voucher_orders(maximum int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  forgotten int;
begin
  delete from public.voucher_orders as o
  where (o.organization_id, o.id) in (
    select old.organization_id, old.id
    from public.voucher_orders as old
    where old.status <> 'paid' and old.created_at < now() - interval '30 days'
    order by old.created_at
    limit forget_voucher_orders.maximum
    for update skip locked
  );
  get diagnostics forgotten = row_count;
  return forgotten;
end
$$;

comment on function private.forget_voucher_orders is
  'Deletes orders that nobody paid in 30 days, with the names and addresses in them: a page of the provider lasts half an hour.';
