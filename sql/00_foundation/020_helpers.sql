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
