-- Currencies: the one table that says how many digits an amount has and what can be charged.
--
-- ISO 4217 as the payment provider counts it, and not as locale data shows it: data of that kind
-- writes the dinar of Serbia without decimals and differs from one browser to the next, while an
-- amount is charged with two. https://docs.stripe.com/currencies says
--   zero-decimal     which currencies have no minor unit;
--   three-decimal    that the last of three digits must be 0, so amounts go in steps of 10;
--   special cases    that the króna of Iceland and the shilling of Uganda have no minor unit and are
--                    sent with two digits all the same (provider_factor). Forint and Taiwan dollar
--                    are paid out in whole units only, but charged with two digits;
--   minimum charge   the least amounts of 24 currencies. Elsewhere the least amount of the currency
--                    counts in which the venue is paid out, converted: for those a round amount stands
--                    here that was worth 0.65 US dollars or more when it was written down.
-- escapemaster/currencies.py and edge/_shared/money.ts repeat the rows, and a test compares them.

create table private.currencies (
  code text not null,
  digits int not null,
  step int not null,
  provider_factor int not null,
  least_cents bigint,
  constraint currencies_pkey primary key (code),
  constraint currencies_code_is_iso_4217 check (private.is_currency(code)),
  constraint currencies_digits_are_known check (digits in (0, 2, 3)),
  constraint currencies_step_is_1_or_10 check (step in (1, 10)),
  constraint currencies_provider_factor_is_1_or_100 check (provider_factor in (1, 100)),
  constraint currencies_least_amount_is_charged_in_steps check (least_cents > 0 and least_cents % step = 0)
);

comment on table private.currencies is
  'reference data. The currencies in which a venue may sell: digits of an amount, and what the payment provider charges.';
comment on column private.currencies.code is 'ISO 4217.';
comment on column private.currencies.digits is 'Digits behind the decimal point: "cents" are the amount times 10 to this power.';
comment on column private.currencies.step is 'Minor units by which amounts go: every amount is a multiple of it.';
comment on column private.currencies.provider_factor is 'By what minor units are multiplied for the provider.';
comment on column private.currencies.least_cents is
  'The least amount that the provider charges, minor units; null: it charges none, and everything is paid at the venue.';

insert into private.currencies (code, digits, step, provider_factor, least_cents)
values
('AED', 2, 1, 1, 200),
('AFN', 2, 1, 1, 5000),
('ALL', 2, 1, 1, 10000),
('AMD', 2, 1, 1, 30000),
('AOA', 2, 1, 1, 100000),
('ARS', 2, 1, 1, 100000),
('AUD', 2, 1, 1, 50),
('AWG', 2, 1, 1, 200),
('AZN', 2, 1, 1, 200),
('BAM', 2, 1, 1, 200),
('BBD', 2, 1, 1, 200),
('BDT', 2, 1, 1, 10000),
('BHD', 3, 10, 1, 300),
('BIF', 0, 1, 1, 2000),
('BMD', 2, 1, 1, 100),
('BND', 2, 1, 1, 100),
('BOB', 2, 1, 1, 500),
('BRL', 2, 1, 1, 50),
('BSD', 2, 1, 1, 100),
('BTN', 2, 1, 1, null),
('BWP', 2, 1, 1, 1000),
('BYN', 2, 1, 1, 300),
('BZD', 2, 1, 1, 200),
('CAD', 2, 1, 1, 50),
('CDF', 2, 1, 1, 200000),
('CHF', 2, 1, 1, 50),
('CLP', 0, 1, 1, 1000),
('CNY', 2, 1, 1, 500),
('COP', 2, 1, 1, 300000),
('CRC', 2, 1, 1, 40000),
('CUP', 2, 1, 1, null),
('CVE', 2, 1, 1, 10000),
('CZK', 2, 1, 1, 1500),
('DJF', 0, 1, 1, 200),
('DKK', 2, 1, 1, 250),
('DOP', 2, 1, 1, 5000),
('DZD', 2, 1, 1, 10000),
('EGP', 2, 1, 1, 4000),
('ERN', 2, 1, 1, null),
('ETB', 2, 1, 1, 10000),
('EUR', 2, 1, 1, 50),
('FJD', 2, 1, 1, 200),
('FKP', 2, 1, 1, 100),
('GBP', 2, 1, 1, 30),
('GEL', 2, 1, 1, 200),
('GHS', 2, 1, 1, null),
('GIP', 2, 1, 1, 100),
('GMD', 2, 1, 1, 5000),
('GNF', 0, 1, 1, 10000),
('GTQ', 2, 1, 1, 1000),
('GYD', 2, 1, 1, 20000),
('HKD', 2, 1, 1, 400),
('HNL', 2, 1, 1, 2000),
('HTG', 2, 1, 1, 10000),
('HUF', 2, 1, 1, 17500),
('IDR', 2, 1, 1, 2000000),
('ILS', 2, 1, 1, 300),
('INR', 2, 1, 1, 50),
('IQD', 3, 10, 1, null),
('IRR', 2, 1, 1, null),
('ISK', 0, 1, 100, 100),
('JMD', 2, 1, 1, 20000),
('JOD', 3, 10, 1, 500),
('JPY', 0, 1, 1, 50),
('KES', 2, 1, 1, 10000),
('KGS', 2, 1, 1, 10000),
('KHR', 2, 1, 1, 300000),
('KMF', 0, 1, 1, 400),
('KPW', 2, 1, 1, null),
('KRW', 0, 1, 1, 1000),
('KWD', 3, 10, 1, 300),
('KYD', 2, 1, 1, 100),
('KZT', 2, 1, 1, 40000),
('LAK', 2, 1, 1, 2000000),
('LBP', 2, 1, 1, 10000000),
('LKR', 2, 1, 1, 20000),
('LRD', 2, 1, 1, 20000),
('LSL', 2, 1, 1, 2000),
('LYD', 3, 10, 1, null),
('MAD', 2, 1, 1, 1000),
('MDL', 2, 1, 1, 2000),
('MGA', 0, 1, 1, 3000),
('MKD', 2, 1, 1, 4000),
('MMK', 2, 1, 1, 200000),
('MNT', 2, 1, 1, 300000),
('MOP', 2, 1, 1, 1000),
('MRU', 2, 1, 1, null),
('MUR', 2, 1, 1, 3000),
('MVR', 2, 1, 1, 2000),
('MWK', 2, 1, 1, 200000),
('MXN', 2, 1, 1, 1000),
('MYR', 2, 1, 1, 200),
('MZN', 2, 1, 1, 5000),
('NAD', 2, 1, 1, 2000),
('NGN', 2, 1, 1, 200000),
('NIO', 2, 1, 1, 3000),
('NOK', 2, 1, 1, 300),
('NPR', 2, 1, 1, 10000),
('NZD', 2, 1, 1, 50),
('OMR', 3, 10, 1, 300),
('PAB', 2, 1, 1, 100),
('PEN', 2, 1, 1, 300),
('PGK', 2, 1, 1, 300),
('PHP', 2, 1, 1, 4000),
('PKR', 2, 1, 1, 20000),
('PLN', 2, 1, 1, 200),
('PYG', 0, 1, 1, 10000),
('QAR', 2, 1, 1, 300),
('RON', 2, 1, 1, 200),
('RSD', 2, 1, 1, 10000),
('RUB', 2, 1, 1, 10000),
('RWF', 0, 1, 1, 1000),
('SAR', 2, 1, 1, 300),
('SBD', 2, 1, 1, 1000),
('SCR', 2, 1, 1, 1000),
('SDG', 2, 1, 1, null),
('SEK', 2, 1, 1, 300),
('SGD', 2, 1, 1, 50),
('SHP', 2, 1, 1, 100),
('SLE', 2, 1, 1, 2000),
('SOS', 2, 1, 1, 40000),
('SRD', 2, 1, 1, 3000),
('SSP', 2, 1, 1, null),
('STN', 2, 1, 1, null),
('SVC', 2, 1, 1, null),
('SYP', 2, 1, 1, null),
('SZL', 2, 1, 1, 2000),
('THB', 2, 1, 1, 1000),
('TJS', 2, 1, 1, 1000),
('TMT', 2, 1, 1, null),
('TND', 3, 10, 1, 3000),
('TOP', 2, 1, 1, 200),
('TRY', 2, 1, 1, 3000),
('TTD', 2, 1, 1, 500),
('TWD', 2, 1, 1, 3000),
('TZS', 2, 1, 1, 200000),
('UAH', 2, 1, 1, 3000),
('UGX', 0, 1, 100, 3000),
('USD', 2, 1, 1, 50),
('UYU', 2, 1, 1, 3000),
('UZS', 2, 1, 1, 1000000),
('VES', 2, 1, 1, null),
('VND', 0, 1, 1, 20000),
('VUV', 0, 1, 1, 100),
('WST', 2, 1, 1, 200),
('XAF', 0, 1, 1, 500),
('XCD', 2, 1, 1, 200),
('XCG', 2, 1, 1, 200),
('XOF', 0, 1, 1, 500),
('XPF', 0, 1, 1, 100),
('YER', 2, 1, 1, 20000),
('ZAR', 2, 1, 1, 2000),
('ZMW', 2, 1, 1, 2000),
('ZWG', 2, 1, 1, null)
on conflict (code) do update
set digits = excluded.digits,
  step = excluded.step,
  provider_factor = excluded.provider_factor,
  least_cents = excluded.least_cents;

create function private.amount_step(currency text)
returns int
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select c.step from private.currencies as c where c.code = amount_step.currency);
end
$$;

comment on function private.amount_step is 'Minor units by which amounts of the currency go: 1, or 10 with three digits.';

create function private.in_steps(amount_cents numeric, currency text)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  step int := private.amount_step(in_steps.currency);
begin
  return round(in_steps.amount_cents / step) * step;
end
$$;

comment on function private.in_steps is
  'A calculated amount in minor units as it can be paid: rounded half away from zero, once, to a multiple of the currency''s step.';

create type public.currency as (
  code text,
  digits int,
  step int,
  least_cents bigint
);

comment on type public.currency is 'A currency in which an organization may sell.';
comment on column public.currency.code is 'ISO 4217.';
comment on column public.currency.digits is 'Of an amount behind the decimal point, whatever locale data says.';
comment on column public.currency.step is 'Every amount is a multiple of so many minor units.';
comment on column public.currency.least_cents is 'The least amount that is charged online; null where nothing is.';

create function private.get_currencies()
returns setof public.currency
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  perform private.count_attempt();
  return query
  select c.code, c.digits, c.step, c.least_cents
  from private.currencies as c
  order by c.code;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_currencies is 'definer: shows reference data to clients, who may read no private table.';
grant execute on function private.get_currencies to anon, authenticated;

create function public.get_currencies()
returns setof public.currency
language sql
volatile
set search_path = ''
as $$ select * from private.get_currencies() $$;

comment on function public.get_currencies is
  'The currencies in which an organization may sell. For anybody. Errors: 429 rate_limited.';
grant execute on function public.get_currencies to anon, authenticated;
