-- A venue's own questions: one select over the views of schema reports, and those that are kept by name.
--
-- The service reads the text that somebody typed, refuses what is not allowed, and writes a statement of its own from
-- what is left (python_api/escapemaster/reports). It leaves that here as service_role, and the person's own token runs
-- it by its id: no client hands a text to the database. What runs is looked at once more, word by word, before it does;
-- it runs as the caller, under the caller's policies, in a function that is stable and so can change nothing.
--
-- A role of its own would not add to that: what must be kept away from a statement is set_config, which could name
-- another caller, and every role may call it. So no word before a bracket is let through that is not listed here.

select private.permission_upsert(
  'reports:query', 'reports', false,
  'Ask own questions of the venue''s data', 'Hacer consultas propias sobre los datos del local',
  array['admin', 'manager'],
  rests_in_visits => true
);

select private.permission_upsert(
  'reports:save', 'reports', true,
  'Keep own questions by name', 'Guardar consultas propias con nombre',
  array['admin', 'manager'],
  rests_in_visits => true
);

create table public.saved_reports (
  organization_id uuid not null default private.organization_with('reports:save'),
  id uuid not null default private.uuid_v7(),
  name text not null,
  statement text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint saved_reports_pkey primary key (organization_id, id),
  constraint saved_reports_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint saved_reports_name_key unique (organization_id, name),
  constraint saved_reports_name_is_a_name check (private.is_name(name, 120)),
  constraint saved_reports_statement_is_a_text check (private.is_text(statement, 10000) and statement <> '')
);

comment on table public.saved_reports is
  'Questions that members keep by name, for all who may ask. A text is read when it is asked, not when it is kept.';
comment on column public.saved_reports.name is 'How it is found again; once in the organization.';
comment on column public.saved_reports.statement is 'The select as somebody typed it; POST /v1/organizations/…/reports/run takes it.';

grant select, delete on public.saved_reports to authenticated;
grant insert (organization_id, name, statement) on public.saved_reports to authenticated;
grant update (name, statement) on public.saved_reports to authenticated;

alter table public.saved_reports enable row level security;

create policy saved_reports_select on public.saved_reports
for select to authenticated
using (organization_id = (select private.organization_with('reports:query')));

create policy saved_reports_insert on public.saved_reports
for insert to authenticated
with check (organization_id = (select private.organization_with('reports:save')));

create policy saved_reports_update on public.saved_reports
for update to authenticated
using (organization_id = (select private.organization_with('reports:save')))
with check (organization_id = (select private.organization_with('reports:save')));

create policy saved_reports_delete on public.saved_reports
for delete to authenticated
using (organization_id = (select private.organization_with('reports:save')));

create trigger saved_reports_clean_names
before insert or update of name on public.saved_reports
for each row execute function private.clean_texts('names', 'name');

create trigger saved_reports_clean_notes
before insert or update of statement on public.saved_reports
for each row execute function private.clean_texts('notes', 'statement');

create trigger saved_reports_touch_updated_at
before update on public.saved_reports
for each row execute function private.touch_updated_at();

create trigger saved_reports_are_bounded
after insert on public.saved_reports
for each row execute function private.bound_rows('200');

insert into private.rate_limit_rules (action, scope, max_hits, window_seconds, description)
values
('run_report', 'user', 30, 60, 'Own questions asked by one user')
on conflict (action, scope) do update
set max_hits = excluded.max_hits,
  window_seconds = excluded.window_seconds,
  description = excluded.description;

create unlogged table private.report_statements (
  organization_id uuid not null,
  id uuid not null default gen_random_uuid(),
  caller uuid not null,
  statement text not null,
  created_at timestamptz not null default now(),
  constraint report_statements_pkey primary key (organization_id, id, caller),
  constraint report_statements_statement_is_bounded check (length(statement) between 1 and 40000)
);

comment on table private.report_statements is
  'What the service made of a question, for a minute, for whoever asked it. Unlogged: after a crash it is asked again.';
comment on column private.report_statements.caller is 'The subject of the token that may run it: an account or an API key.';
comment on column private.report_statements.statement is 'One select, as the service writes it: see private.refuse_report_statement.';

-- for: private.prepare_report, which deletes those that are over
create index report_statements_created_at_idx on private.report_statements (created_at);

create function private.report_words()
returns text []
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array[
    -- shape
    'SELECT', 'DISTINCT', 'AS', 'WITH', 'FROM', 'JOIN', 'LEFT', 'RIGHT', 'FULL', 'INNER', 'OUTER', 'ON', 'WHERE', 'GROUP',
    'BY', 'HAVING', 'ORDER', 'ASC', 'DESC', 'NULLS', 'FIRST', 'LAST', 'LIMIT', 'OFFSET', 'UNION', 'ALL', 'INTERSECT', 'EXCEPT',
    -- conditions
    'AND', 'OR', 'NOT', 'IN', 'EXISTS', 'BETWEEN', 'LIKE', 'ILIKE', 'IS', 'NULL', 'TRUE', 'FALSE', 'CASE', 'WHEN', 'THEN',
    'ELSE', 'END',
    -- windows and filters
    'OVER', 'PARTITION', 'ROWS', 'RANGE', 'UNBOUNDED', 'PRECEDING', 'FOLLOWING', 'CURRENT', 'ROW', 'FILTER', 'WITHIN',
    -- types and clocks
    'CAST', 'DATE', 'TIMESTAMP', 'TIMESTAMPTZ', 'TEXT', 'INT', 'BIGINT', 'DECIMAL', 'DOUBLE', 'PRECISION', 'BOOLEAN', 'INTERVAL',
    'AT', 'TIME', 'ZONE', 'CURRENT_DATE', 'CURRENT_TIMESTAMP', 'EXTRACT', 'DATE_TRUNC', 'TO_CHAR', 'YEAR', 'QUARTER', 'MONTH',
    'WEEK', 'DAY', 'DOW', 'ISODOW', 'DOY', 'HOUR', 'MINUTE', 'EPOCH', 'ISOYEAR',
    -- functions of values
    'COALESCE', 'NULLIF', 'GREATEST', 'LEAST', 'ABS', 'ROUND', 'FLOOR', 'CEIL', 'LOWER', 'UPPER', 'LENGTH', 'TRIM',
    'SPLIT_PART',
    -- functions of rows
    'COUNT', 'SUM', 'AVG', 'MIN', 'MAX', 'STDDEV', 'PERCENTILE_CONT', 'PERCENTILE_DISC', 'ROW_NUMBER', 'RANK', 'DENSE_RANK',
    'LAG', 'LEAD'
  ];
end
$$;

comment on function private.report_words is
  'The words that a question may have outside of quotes: the shape of a select, types, and functions that read nothing, change nothing, wait for nothing and make no more of a text than there was.';

create function private.refuse_report_statement(statement text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  known text [] := private.report_words();
  problem text;
begin
  -- Names are quoted and words are not, so whatever stands before a bracket without quotes is a word of the list. What
  -- no branch takes (; $ \ & # ~ @, an open quote, letters beyond ASCII) is taken by the last.
  with token as (
    select row_number() over () as place, f[1] as name, upper(f[2]) as word, f[3] as sign, f[4] as other
    from regexp_matches(
      refuse_report_statement.statement,
      $re$'(?:[^']|'')*'|("[^"]+")|([A-Za-z_][A-Za-z0-9_]*)|([0-9]+(?:\.[0-9]+)?|::|<=|>=|<>|\|\||--|/\*|[-+*/%=<>(),.])|\s+|(.)$re$,
      'g'
    ) as f
  ),
  -- Without texts and spaces.
  written as (
    select t.*, lead(t.sign) over (order by t.place) as next_sign, lead(t.word) over (order by t.place) as next_word,
      lag(t.sign) over (order by t.place) as last_sign, lag(t.word) over (order by t.place) as last_word,
      sum(case t.sign when '(' then 1 when ')' then -1 else 0 end) over (order by t.place) as depth
    from token as t
    where num_nonnulls(t.name, t.word, t.sign, t.other) = 1
  ),
  -- And whether the bracket around it is that of a cast.
  placed as (
    select w.*,
      max(case when w.sign = '(' then w.place * 2 + (w.last_word is not distinct from 'CAST')::int end)
        over (partition by w.depth order by w.place) % 2 = 1 as is_in_cast
    from written as w
  )
  select r.problem into problem
  from placed as w
  cross join lateral (
    select case
      when w.other is not null then w.other
      when w.sign in ('--', '/*') then w.sign
      when w.word <> all (known) then w.word
      when w.place = 1 and coalesce(w.word, w.sign, '') not in ('SELECT', 'WITH', '(') then coalesce(w.name, w.sign, w.word)
      -- A function by its name in quotes.
      when w.name is not null and w.next_sign = '(' and w.next_word is null then w.name
      -- The catalogs: these are found without their schema.
      when w.name ilike '"pg\_%' or lower(w.name) = '"information_schema"' then w.name
      -- A type by its name in quotes, which the list of words does not hold.
      when w.name is not null and (w.last_sign = '::' or w.last_word = 'AS' and w.is_in_cast) then w.name
      -- Those of them that look a catalog up, wherever they stand.
      when w.name ~* '^"_?reg' and exists (
        select from pg_catalog.pg_type as t where t.typname = lower(trim(both '"' from w.name))
      ) then w.name
      -- Any schema but this one.
      when w.next_sign = '.' and w.name <> '"reports"' and exists (
        select from pg_catalog.pg_namespace as n where n.nspname = trim(both '"' from w.name)
      ) then w.name
    end as problem
  ) as r
  where r.problem is not null
  order by w.place
  limit 1;
  if problem is not null then
    perform private.fail(
      'report_refused', 422, 'Ask with a select of the published views, and with the functions that are listed beside them.',
      jsonb_build_object('part', left(problem, 100))
    );
  end if;
end
$$;

comment on function private.refuse_report_statement is
  'Raises 422 report_refused unless a text is made of nothing but quoted names, texts, numbers, signs and known words, and names no catalog and no schema but reports. The second look: the service reads the text first.';

create function private.prepare_report(organization_id uuid, caller uuid, statement text)
returns uuid
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  prepared uuid;
begin
  -- An account and a key have ids of their own.
  perform private.limit_rate('run_report', 'user', prepare_report.caller::text);
  perform private.refuse_report_statement(prepare_report.statement);
  if not exists (select from public.organizations as o where o.id = prepare_report.organization_id) then
    perform private.fail('organization_not_found', 404, 'Name an organization that there is.');
  end if;
  delete from private.report_statements as s
  where (s.organization_id, s.id, s.caller) in (
    select old.organization_id, old.id, old.caller
    from private.report_statements as old
    where old.created_at < now() - interval '1 minute'
    order by old.created_at
    limit 100
    for update skip locked
  );
  insert into private.report_statements (organization_id, caller, statement)
  values (prepare_report.organization_id, prepare_report.caller, prepare_report.statement)
  returning id into prepared;
  return prepared;
end
$$;

comment on function private.prepare_report is 'definer: keeps statements and counts questions where no client may.';
grant execute on function private.prepare_report to service_role;

create function service.prepare_report(organization_id uuid, caller uuid, statement text)
returns uuid
language sql
volatile
set search_path = ''
as $$ select private.prepare_report(organization_id, caller, statement) $$;

comment on function service.prepare_report is
  'Keeps what the service made of a question for a minute, and answers the id by which run_report runs it, with the token of whoever asked and no other. caller: the subject of that token. Errors: 404 organization_not_found; 422 report_refused; 429 rate_limited.';
grant execute on function service.prepare_report to service_role;

create function private.report_statement(organization_id uuid, statement_id uuid)
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  prepared text;
begin
  perform private.require_permission(report_statement.organization_id, 'reports:query');
  -- The views are of the request's organization.
  if private.organization_with('reports:query') is distinct from report_statement.organization_id then
    perform private.fail('organization_not_active', 409, 'Name the organization in x-organization-id, or switch to it.');
  end if;
  select s.statement into prepared
  from private.report_statements as s
  where s.organization_id = report_statement.organization_id
    and s.id = report_statement.statement_id
    and s.caller = (private.jwt_claims() ->> 'sub')::uuid
    and s.created_at > now() - interval '1 minute';
  if prepared is null then
    perform private.fail('report_not_prepared', 404, 'Ask the service, which prepares a question for a minute.');
  end if;
  perform private.refuse_report_statement(prepared);
  return prepared;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.report_statement is
  'definer: no client reads statements. What the service prepared for the caller a minute ago at most, looked at once more. Asks for reports:query.';
grant execute on function private.report_statement to authenticated;

create type public.report_answer as (
  rows jsonb [],
  is_cut boolean
);

comment on type public.report_answer is 'What a question is answered with.';
comment on column public.report_answer.rows is
  'A JSON object each: a value a column, amounts in minor units, instants in UTC unless the view says the location''s clock.';
comment on column public.report_answer.is_cut is 'Whether there were more: than 10,000 rows, or than 5,000,000 bytes of them.';

create function private.run_report(organization_id uuid, asked text)
returns public.report_answer
language plpgsql
stable
set search_path = ''
-- What is read, not what is asked: 100 ms for a question that takes 5.
set jit = off
as $$
declare
  line text;
  found jsonb [] := '{}';
  size bigint := 0;
  is_cut boolean := false;
begin
  -- Dear questions stand in nobody's way: one at a time of a person (an account or a key), of however many
  -- organizations, one of an organization, and three of all.
  if not pg_try_advisory_xact_lock(hashtextextended('run_report/by/' || coalesce(auth.uid()::text, ''), 0))
    or not pg_try_advisory_xact_lock(hashtextextended('run_report/' || run_report.organization_id, 0))
    or not (
      pg_try_advisory_xact_lock(hashtextextended('run_report/1', 0))
      or pg_try_advisory_xact_lock(hashtextextended('run_report/2', 0))
      or pg_try_advisory_xact_lock(hashtextextended('run_report/3', 0))
    )
  then
    perform private.fail('report_running', 409, 'Ask again in a moment: another question is being answered.');
  end if;
  for line in execute 'select row_to_json(answer)::text from (' || run_report.asked || ') as answer limit 10001' loop
    size := size + octet_length(line);
    if cardinality(found) = 10000 or size > 5000000 then
      is_cut := true;
      exit;
    end if;
    -- A number that no double holds is one that neither a sheet nor most readers of JSON can read.
    if line ~ '[0-9]{200}[0-9]{109}' and exists (
      select from json_each(line::json) as e where json_typeof(e.value) = 'number' and abs(e.value::text::numeric) >= 1e308
    ) then
      perform private.fail(
        'report_failed', 422, 'A value does not fit: ask for numbers of fewer digits.',
        jsonb_build_object('problem', 'a number has more than 308 digits')
      );
    end if;
    found := found || line::jsonb;
  end loop;
  return row(found, is_cut)::public.report_answer;
exception
  when query_canceled then
    perform private.fail('report_too_slow', 422, 'Ask for fewer days or fewer rows: it took longer than a request may.');
  when lock_not_available or deadlock_detected then
    -- Not private.fail_unavailable, which is for those that see more than the caller.
    perform private.fail('unavailable', 503, 'Nothing was done: ask again in a moment.');
  when syntax_error_or_access_rule_violation or feature_not_supported then
    perform private.fail(
      'report_invalid', 422, 'Mend it: the database cannot read it.', jsonb_build_object('problem', left(sqlerrm, 500))
    );
  when data_exception or cardinality_violation then
    perform private.fail(
      'report_failed', 422, 'A value does not fit: divide by nullif(…, 0), and cast only what has the form.',
      jsonb_build_object('problem', left(sqlerrm, 500))
    );
  when program_limit_exceeded or insufficient_resources then
    perform private.fail(
      'report_failed', 422, 'Ask for fewer things at once: it is more than the database can hold.',
      jsonb_build_object('problem', left(sqlerrm, 500))
    );
end
$$;

comment on function private.run_report is
  'Runs what private.report_statement gives out, as the caller. Stable, so nothing that it runs can write.';
grant execute on function private.run_report to authenticated;

create function public.run_report(organization_id uuid, statement_id uuid)
returns public.report_answer
language sql
stable
set search_path = ''
as $$
  select * from private.run_report(organization_id, private.report_statement(organization_id, statement_id))
$$;

comment on function public.run_report is
  'Answers a question that the service prepared (POST /v1/organizations/{organization_id}/reports/run, which calls this with the caller''s token): under the caller''s policies, at most 10,000 rows and 5,000,000 bytes, within the time that a request may take, one at a time of an organization. Errors: 403 permission_denied; 404 report_not_prepared; 409 organization_not_active, report_running; 422 report_failed, report_invalid, report_refused, report_too_slow; 503 unavailable.';
grant execute on function public.run_report to authenticated;
