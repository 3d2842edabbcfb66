-- Buying a gift voucher: what a visitor calls.

create type public.voucher_product as (
  id uuid,
  name text,
  description text,
  amount_cents bigint
);

comment on type public.voucher_product is 'A gift voucher with a name.';
comment on column public.voucher_product.id is 'What order_voucher takes as product_id.';
comment on column public.voucher_product.name is 'In the language asked for, else in another.';
comment on column public.voucher_product.description is 'As name; null: there is none.';
comment on column public.voucher_product.amount_cents is 'What it costs and is worth, in minor units of the offer''s currency.';

create type public.voucher_offer as (
  currency text,
  minimum_cents bigint,
  maximum_cents bigint,
  products public.voucher_product [],
  validity_months int,
  refund_days int,
  timezone text,
  last_delivery_on date
);

comment on type public.voucher_offer is 'The gift vouchers that a venue sells online.';
comment on column public.voucher_offer.currency is 'ISO 4217.';
comment on column public.voucher_offer.minimum_cents is 'The least amount that may be chosen, in minor units; null: only products are sold.';
comment on column public.voucher_offer.maximum_cents is 'The most that may be chosen; null: only products are sold.';
comment on column public.voucher_offer.products is 'In their order.';
comment on column public.voucher_offer.validity_months is 'For how many months from its payment one pays; null: without an end.';
comment on column public.voucher_offer.refund_days is 'For how many days an unspent one may be given back; 0: it may not.';
comment on column public.voucher_offer.timezone is 'The venue''s, in which deliver_on counts.';
comment on column public.voucher_offer.last_delivery_on is 'The last date on which one can be delivered.';

create function private.voucher_offer(calendar public.calendars, locale text)
returns public.voucher_offer
language plpgsql
stable
set search_path = ''
as $$
declare
  organization public.organizations;
  offered public.voucher_settings;
  least_cents bigint;
  answer public.voucher_offer;
begin
  select o.* into organization from public.organizations as o where o.id = calendar.organization_id;
  select s.* into offered
  from public.voucher_settings as s
  where s.organization_id = organization.id and s.is_sold;
  if not found or not (private.payment_account(organization.id)).available then
    perform private.fail('vouchers_not_sold', 409, 'The venue sells no gift vouchers online at the moment: ask it.');
  end if;
  -- The provider charges no less.
  select c.least_cents into least_cents from private.currencies as c where c.code = organization.currency;
  answer.currency := organization.currency;
  if offered.maximum_cents >= least_cents then
    answer.minimum_cents := greatest(offered.minimum_cents, least_cents);
    answer.maximum_cents := offered.maximum_cents;
  end if;
  answer.products := array(
    select row(
      p.id, private.text_in(p.names, voucher_offer.locale), private.text_in(p.descriptions, voucher_offer.locale), p.amount_cents
    )::public.voucher_product
    from public.voucher_products as p
    where p.organization_id = organization.id and p.is_active and p.amount_cents >= least_cents
    order by p.position, p.id
  );
  answer.validity_months := offered.validity_months;
  answer.refund_days := offered.refund_days;
  answer.timezone := organization.timezone;
  answer.last_delivery_on := (now() at time zone organization.timezone)::date + 365;
  return answer;
end
$$;

comment on function private.voucher_offer is
  'What the calendar''s venue sells online. Raises 409 vouchers_not_sold when nothing can be bought.';

create function private.get_voucher_offer(slug text, locale text)
returns public.voucher_offer
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(get_voucher_offer.slug);
begin
  perform private.limit_rate('public_read', 'address', private.client_address());
  return private.voucher_offer(calendar, coalesce(get_voucher_offer.locale, calendar.locales[1]));
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_voucher_offer is 'definer: visitors read no table.';
grant execute on function private.get_voucher_offer to anon, authenticated;

create function public.get_voucher_offer(slug text, locale text default null)
returns public.voucher_offer
language sql
volatile
set search_path = ''
as $$ select private.get_voucher_offer(slug, locale) $$;

comment on function public.get_voucher_offer is
  'The gift vouchers that the venue of the calendar with this slug sells online. locale: es, en or ca; the calendar''s first if left out. For anybody. Errors: 404 calendar_not_found; 409 vouchers_not_sold; 429 rate_limited.';
grant execute on function public.get_voucher_offer to anon, authenticated;

create type public.placed_voucher_order as (
  order_id uuid,
  order_token text,
  amount_cents bigint,
  currency text
);

comment on type public.placed_voucher_order is 'A gift voucher that waits to be paid: POST /v1/voucher-checkout opens its page.';
comment on column public.placed_voucher_order.order_id is 'The order.';
comment on column public.placed_voucher_order.order_token is 'The buyer''s secret, which pays it and shows the code afterwards.';
comment on column public.placed_voucher_order.amount_cents is 'What is to be paid, in minor units of currency.';
comment on column public.placed_voucher_order.currency is 'ISO 4217.';

create function private.order_voucher(
  slug text,
  idempotency_key text,
  buyer_name text,
  buyer_email text,
  amount_cents bigint,
  product_id uuid,
  recipient_name text,
  recipient_email text,
  message text,
  deliver_on date,
  locale text,
  accepted_terms text
)
returns public.placed_voucher_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  calendar public.calendars := private.public_calendar(order_voucher.slug);
  scope text := calendar.organization_id || ':order_voucher';
  spoken text := coalesce(order_voucher.locale, calendar.locales[1]);
  buyer text := private.clean_text(order_voucher.buyer_name);
  recipient text := coalesce(private.clean_text(order_voucher.recipient_name), '');
  words text := coalesce(private.clean_note(order_voucher.message), '');
  bought_by text := nullif(private.typed_email(order_voucher.buyer_email), '');
  given_to text := nullif(private.typed_email(order_voucher.recipient_email), '');
  today date;
  stored jsonb;
  offer public.voucher_offer;
  product public.voucher_products;
  cents bigint;
  field text;
  order_id uuid := private.uuid_v7();
  answer public.placed_voucher_order;
begin
  perform private.limit_rate('order_voucher', 'address', private.client_address());
  -- A buyer is none of the venue's customers by that.
  perform private.act_as('system', null);
  stored := private.idempotent_begin(scope, order_voucher.idempotency_key, jsonb_build_object(
    'calendar', calendar.id, 'buyer_name', order_voucher.buyer_name, 'buyer_email', order_voucher.buyer_email,
    'amount_cents', order_voucher.amount_cents, 'product_id', order_voucher.product_id,
    'recipient_name', order_voucher.recipient_name, 'recipient_email', order_voucher.recipient_email,
    'message', order_voucher.message, 'deliver_on', order_voucher.deliver_on, 'locale', order_voucher.locale,
    'accepted_terms', order_voucher.accepted_terms
  ));
  if stored is not null then
    answer := jsonb_populate_record(null::public.placed_voucher_order, stored);
    answer.order_token := private.voucher_order_token(answer.order_id);
    return answer;
  end if;

  offer := private.voucher_offer(calendar, spoken);
  if order_voucher.product_id is not null then
    select p.* into product
    from public.voucher_products as p
    where p.organization_id = calendar.organization_id
      and p.id = order_voucher.product_id
      and p.id = any (array(select o.id from unnest(offer.products) as o));
    if not found then
      perform private.fail('voucher_product_not_found', 404, 'Choose one of the products that get_voucher_offer lists.');
    end if;
  end if;
  cents := coalesce(product.amount_cents, order_voucher.amount_cents);
  today := (now() at time zone offer.timezone)::date;
  field := case
    when product.id is not null and order_voucher.amount_cents <> product.amount_cents then 'amount_cents'
    when product.id is null and (
      cents between offer.minimum_cents and offer.maximum_cents
      and cents % private.amount_step(offer.currency) = 0
    ) is not true then 'amount_cents'
    when private.is_typed_name(buyer, 200) is not true then 'buyer_name'
    when private.is_email(bought_by) is not true then 'buyer_email'
    when recipient <> '' and not private.is_typed_name(recipient, 200) then 'recipient_name'
    when not private.is_email(given_to) then 'recipient_email'
    -- It goes to somebody's address in the venue's name.
    when not private.is_text(words, 1000) or private.holds_link(words, bare => true) then 'message'
    when order_voucher.deliver_on is not null and (
      given_to is not null and order_voucher.deliver_on between today and offer.last_delivery_on
    ) is not true then 'deliver_on'
    when not private.is_locale(spoken) then 'locale'
  end;
  if field is null and calendar.terms <> '{}' and not exists (
    select from jsonb_each_text(calendar.terms) as t where t.value = order_voucher.accepted_terms
  ) then
    perform private.fail('terms_not_accepted', 422, 'Accept the calendar''s terms, word for word as they are now.');
  elsif field is not null then
    perform private.fail(
      'voucher_order_invalid', 422,
      'Give an amount of the offer, who buys it with an address, a message without links, and a date for a recipient with an address.',
      jsonb_build_object('field', field)
    );
  end if;

  insert into public.voucher_orders (
    organization_id, id, calendar_id, product_id, product_names, amount_cents, currency, buyer_name, buyer_email,
    recipient_name, recipient_email, message, accepted_terms, locale, deliver_on, validity_months, refund_days
  )
  values (
    calendar.organization_id, order_id, calendar.id, product.id, product.names, cents, offer.currency, buyer, bought_by,
    recipient, given_to, words, case when calendar.terms = '{}' then '' else order_voucher.accepted_terms end, spoken,
    order_voucher.deliver_on, offer.validity_months, offer.refund_days
  );
  answer := row(order_id, null, cents, offer.currency)::public.placed_voucher_order;
  perform private.idempotent_end(scope, order_voucher.idempotency_key, to_jsonb(answer));
  answer.order_token := private.voucher_order_token(order_id);
  -- Last: its row stays locked until the end of the transaction.
  perform private.limit_rate('order_voucher', 'target', calendar.organization_id::text);
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.order_voucher is 'definer: visitors write no table.';
grant execute on function private.order_voucher to anon, authenticated;

create function public.order_voucher(
  slug text,
  idempotency_key text,
  buyer_name text,
  buyer_email text,
  amount_cents bigint default null,
  product_id uuid default null,
  recipient_name text default null,
  recipient_email text default null,
  message text default null,
  deliver_on date default null,
  locale text default null,
  accepted_terms text default null
)
returns public.placed_voucher_order
language sql
volatile
set search_path = ''
as $$
  select private.order_voucher(
    slug, idempotency_key, buyer_name, buyer_email, amount_cents, product_id, recipient_name, recipient_email, message,
    deliver_on, locale, accepted_terms
  )
$$;

comment on function public.order_voucher is
  'Orders a gift voucher of the venue of a calendar: a product, or an amount (minor units). It exists once it is paid, online only, within half an hour of opening its page (POST /v1/voucher-checkout). Then the buyer is mailed the code, and with recipient_email the recipient, with the message: at once, or on deliver_on at nine in the venue''s zone. No mail goes out before. accepted_terms: what was agreed to of a calendar that has terms, word for word. For a day the same idempotency key and request are one order. For anybody. Errors: 404 calendar_not_found, voucher_product_not_found; 409 vouchers_not_sold; 422 voucher_order_invalid (details {"field"}), terms_not_accepted, idempotency_key_invalid, idempotency_key_reused; 429 rate_limited.';
grant execute on function public.order_voucher to anon, authenticated;

create type public.voucher_order as (
  order_id uuid,
  status text,
  amount_cents bigint,
  currency text,
  product text,
  recipient_name text,
  message text,
  deliver_on date,
  code text,
  valid_until date
);

comment on type public.voucher_order is 'A gift voucher, as its buyer sees it.';
comment on column public.voucher_order.order_id is 'The order.';
comment on column public.voucher_order.status is
  'open: not paid yet; over: the time to pay is over, order anew; paid; withdrawn: it was given back, cancelled or is blocked. one of: open, over, paid, withdrawn';
comment on column public.voucher_order.amount_cents is 'What it costs and is worth, in minor units of currency.';
comment on column public.voucher_order.currency is 'ISO 4217.';
comment on column public.voucher_order.product is 'The product''s name in the buyer''s language; null: an amount was chosen.';
comment on column public.voucher_order.recipient_name is 'Empty: none was given.';
comment on column public.voucher_order.message is 'Empty: none was given.';
comment on column public.voucher_order.deliver_on is 'When it is mailed to the recipient; null: as soon as it is paid, or to nobody but the buyer.';
comment on column public.voucher_order.code is 'What is typed to pay with it; null: it is not paid, or withdrawn.';
comment on column public.voucher_order.valid_until is 'Its last date, included; null: without an end, not paid, or withdrawn.';

create function private.shown_voucher_order(order_id uuid)
returns public.voucher_order
language plpgsql
stable
set search_path = ''
as $$
declare
  bought public.voucher_orders;
  voucher public.vouchers;
  given_back boolean;
begin
  select o.* into bought from public.voucher_orders as o where o.id = shown_voucher_order.order_id;
  if not found then
    return null;
  end if;
  select v.* into voucher
  from public.vouchers as v
  where v.organization_id = bought.organization_id and v.id = bought.voucher_id;
  given_back := voucher.status <> 'active' or exists (
    select from public.voucher_refunds as r
    where r.organization_id = bought.organization_id and r.order_id = bought.id and r.status in ('pending', 'succeeded')
    group by r.order_id
    having sum(r.amount_cents) >= bought.amount_cents
  );
  return row(
    bought.id,
    case
      when bought.status = 'paid' then case when given_back then 'withdrawn' else 'paid' end
      when bought.status = 'open' and coalesce(bought.expires_at > now(), true) then 'open'
      else 'over'
    end,
    bought.amount_cents,
    bought.currency,
    private.text_in(bought.product_names, bought.locale),
    bought.recipient_name,
    bought.message,
    bought.deliver_on,
    case when not given_back then voucher.code end,
    case when not given_back then voucher.valid_until end
  )::public.voucher_order;
end
$$;

comment on function private.shown_voucher_order is 'An order as its buyer sees it, at one moment; null: there is none.';

create function private.get_voucher_order(order_id uuid, order_token text)
returns public.voucher_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  answer public.voucher_order;
begin
  perform private.count_attempt();
  perform private.limit_rate('public_read', 'address', private.client_address());
  if private.typed_token_hash(get_voucher_order.order_token)
    = private.token_hash(private.voucher_order_token(get_voucher_order.order_id))
  then
    answer := private.shown_voucher_order(get_voucher_order.order_id);
  end if;
  if answer.order_id is null then
    perform private.fail('voucher_order_not_found', 404, 'Check the link: one that nobody paid is forgotten after 30 days.');
  end if;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_voucher_order is 'definer: visitors read no table. Proves the buyer by the order''s token.';
grant execute on function private.get_voucher_order to anon, authenticated;

create function public.get_voucher_order(order_id uuid, order_token text)
returns public.voucher_order
language sql
volatile
set search_path = ''
as $$ select private.get_voucher_order(order_id, order_token) $$;

comment on function public.get_voucher_order is
  'What became of an ordered gift voucher, with its code once it is paid, for whoever has the token of order_voucher: a page to print. For anybody. Errors: 404 voucher_order_not_found; 429 rate_limited.';
grant execute on function public.get_voucher_order to anon, authenticated;
