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
