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
