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

create function private.is_visible(written text)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  -- Any character but spaces, joiners, marks of direction, fillers, variation selectors and tags.
  return written ~ (
    '[^\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f'
    || '\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff]'
  );
end
$$;

comment on function private.is_visible is 'Whether anything of the text can be seen.';
grant execute on function private.is_visible to authenticated;

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
  -- Full-width letters and the full stops of Chinese and Japanese lead to the same page.
  plain text := lower(translate(normalize(written, nfkc), '。', '.'));
  -- Of the endings those in common use: a rule for all would refuse "Dr.Kim" and "St.Paul/Minnesota".
  generic constant text := 'app|art|biz|blog|bet|casino|cat|click|cloud|club|com|dev|edu|email|events|fun|games|gov|info|ink|link'
    || '|live|loan|media|mobi|net|network|news|one|online|org|page|party|pro|promo|pub|rest|sale|shop|site|space|store|stream'
    || '|tech|tickets|today|top|travel|vip|webcam|website|wiki|win|work|world|xyz|zip';
  national constant text := 'ad|ag|ai|ar|at|au|be|bg|br|bz|ca|cc|cf|ch|ci|cl|cn|co|cx|cz|de|dk|ee|es|eu|fi|fm|fr|ga|gg|gl|gq'
    || '|gr|gs|hk|hr|hu|id|ie|il|im|in|io|ir|is|it|jp|ke|kr|kz|la|li|lt|lu|lv|ly|ma|me|mk|ml|mx|my|ng|nl|no|nu|nz|pe|ph|pk|pl'
    || '|pt|pw|re|ro|rs|ru|se|sg|sh|si|sk|so|st|su|sx|th|tk|tn|to|tr|tv|tw|ua|uk|us|uy|vc|ve|vn|ws|za';
begin
  return plain ~ '[a-z][a-z0-9+-]*://'
    or plain ~ '\mwww\.[[:alnum:]]'
    or plain ~ ('[[:alnum:]]\.(' || generic || '|' || national || ')(:[0-9]+)?[/?#]')
    or bare and (
      plain ~ ('[[:alnum:]]{2}\.(' || generic || ')(?![[:alnum:]])')
      or plain ~ ('[[:alnum:]-]{4}\.(' || national || ')(?![[:alnum:]])')
    );
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
  return private.is_line(written, most) and not private.holds_link(written);
end
$$;

comment on function private.is_name is
  'Whether this can be the name of something or somebody: a clean line of 1 to so many characters, without a link.';
grant execute on function private.is_name to authenticated;

create function private.is_typed_name(written text, most int)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  return private.is_name(written, most) and not private.holds_link(written, bare => true);
end
$$;

comment on function private.is_typed_name is
  'Whether this can be the name of a person as strangers type it: a name that holds no bare domain either, since we mail it to the address beside it. Staff may well name a customer Escapes.com.';
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
    cleaned := cleaned || jsonb_build_object(field, private.clean_json(written -> field, tg_argv[0] = 'names'));
  end loop;
  if cleaned <> '{}' then
    new := jsonb_populate_record(new, cleaned);
  end if;
  return new;
end
$$;

comment on function private.clean_texts is
  'Cleans columns, texts and JSON of texts, before the checks see them. Its trigger says first what they hold, names or notes, then which they are.';

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
    -- Two hyphens there announce an encoding, of which there is one.
    and email !~ '[@.](?!xn--)[a-z0-9]{2}--';
end
$$;

comment on function private.is_email is
  'Whether mail can be sent to the address, as far as its form tells: ASCII, lower case, at most 64 characters before the @ and 254 in all, a domain of at least two parts. Only a mail that arrives proves it.';
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
