-- Reading and signing a waiver by its link, and what staff see of it.

create function private.booking_with_waiver_token(token text)
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
  join public.bookings as given on given.organization_id = secret.organization_id and given.id = secret.booking_id
  -- Whoever has the link of a party that was merged with another signs for both.
  join public.bookings as b
    on b.organization_id = given.organization_id and b.id = coalesce(given.merged_into_id, given.id)
  join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
  join public.organizations as o on o.id = b.organization_id
  where secret.waiver_token_hash = private.typed_token_hash(booking_with_waiver_token.token)
    and r.waiver_policy <> 'none'
    and o.status <> 'closed'
    and (private.current_waiver(b.organization_id, b.room_id)).id is not null;
  if not found then
    perform private.fail('waiver_not_found', 404, 'Check the link, or ask the venue.');
  end if;
  return booking;
end
$$;

comment on function private.booking_with_waiver_token is
  'The booking whose party signs with the token, or into which it was merged; the question is counted. Raises 429 rate_limited; 404 waiver_not_found, the same for a wrong token and where there is nothing to sign.';

create function private.waiver_is_open(booking public.bookings)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return booking.status in ('pending', 'confirmed', 'checked_in', 'in_progress');
end
$$;

comment on function private.waiver_is_open is
  'Whether the party may sign: from the booking''s being made for good until its end.';

create type public.waiver as (
  organization public.venue,
  room_name text,
  starts_at timestamptz,
  timezone text,
  policy text,
  signed int,
  needed int,
  open boolean,
  version int,
  locale text,
  locales text [],
  text text
);

comment on type public.waiver is 'The waiver that a party signs; it tells nothing of who booked or signed.';
comment on column public.waiver.organization is 'Whose game it is.';
comment on column public.waiver.room_name is 'As it is called.';
comment on column public.waiver.starts_at is 'Of the game.';
comment on column public.waiver.timezone is 'IANA zone of the venue.';
comment on column public.waiver.policy is 'one of: optional, required';
comment on column public.waiver.signed is 'People for whom somebody has signed.';
comment on column public.waiver.needed is 'People of the party; 0 where nothing is signed.';
comment on column public.waiver.open is 'Whether it can be signed now.';
comment on column public.waiver.version is 'What sign_waiver is told.';
comment on column public.waiver.locale is 'Of the text; one of: es, en, ca';
comment on column public.waiver.locales is 'All in which there is a text.';
comment on column public.waiver.text is 'What is signed.';

create function private.seen_waiver(booking public.bookings, locale text)
returns public.waiver
language plpgsql
stable
set search_path = ''
as $$
declare
  waiver public.waiver_texts := private.current_waiver(booking.organization_id, booking.room_id);
  progress public.booking_waiver := private.booking_waiver(booking);
begin
  return (
    select row(
      row(o.name, o.slug)::public.venue,
      private.room_name(r, shown.locale),
      booking.starts_at,
      l.timezone,
      r.waiver_policy,
      progress.signed,
      progress.needed,
      private.waiver_is_open(booking),
      waiver.version,
      shown.locale,
      array(select k from jsonb_object_keys(waiver.texts) as k order by k),
      waiver.texts ->> shown.locale
    )::public.waiver
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    join public.organizations as o on o.id = r.organization_id
    cross join private.waiver_locale(waiver, coalesce(seen_waiver.locale, booking.locale)) as shown (locale)
    where r.organization_id = booking.organization_id and r.id = booking.room_id
  );
end
$$;

comment on function private.seen_waiver is
  'A booking''s waiver as its party sees it, in a language (null: the booking''s). Called in the statement that reads the booking, it shows one moment.';

create function private.get_waiver(token text, locale text)
returns public.waiver
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.bookings := private.booking_with_waiver_token(get_waiver.token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return (
    select private.seen_waiver(b, get_waiver.locale)
    from public.bookings as b
    where b.organization_id = known.organization_id and b.id = known.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_waiver is
  'definer: shows the waiver to whoever holds its link.';
grant execute on function private.get_waiver to anon, authenticated;

create function private.waiver_locale(waiver public.waiver_texts, wished text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return (
    select l.locale
    from unnest(array[wished, 'en', 'es', 'ca']) with ordinality as l (locale, position)
    where waiver.texts ? l.locale
    order by l.position
    limit 1
  );
end
$$;

comment on function private.waiver_locale is
  'The language in which a waiver is shown to somebody who wishes one: that one, else English, Spanish or Catalan, as private.text_in chooses.';

create function public.get_waiver(token text, locale text default null)
returns public.waiver
language sql
volatile
set search_path = ''
as $$ select private.get_waiver(token, locale) $$;

comment on function public.get_waiver is
  'The waiver that a party signs, in the wished language or another that there is. For anybody with the link. Errors: 404 waiver_not_found; 429 rate_limited.';
grant execute on function public.get_waiver to anon, authenticated;

create function private.checked_signer(signer jsonb, minors jsonb, drawing text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  full_name text := private.clean_text(signer ->> 'full_name');
  email text := nullif(private.typed_email(signer ->> 'email'), '');
  this_year int := extract(year from now())::int;
  field text;
  wrong jsonb;
begin
  field := case
    when jsonb_typeof(signer -> 'full_name') is distinct from 'string'
      or not private.is_typed_name(full_name, 200) then 'full_name'
    when coalesce(jsonb_typeof(signer -> 'email'), 'null') not in ('string', 'null')
      or not private.is_email(email) then 'email'
    when coalesce(jsonb_typeof(signer -> 'plays'), 'null') not in ('boolean', 'null') then 'plays'
  end;
  if field is not null then
    perform private.fail(
      'signer_invalid', 422,
      'Give full_name (1 to 200 characters, no link) and, if wanted, a valid email and plays (false for a guardian who only signs for minors).',
      jsonb_build_object('field', field)
    );
  end if;
  if jsonb_typeof(minors) is distinct from 'array' then
    wrong := '{}';
  elsif jsonb_array_length(minors) > 100 then
    wrong := '{}'; -- refused by its number, before each is looked at
  else
    select jsonb_build_object('position', m.position - 1, 'field', case when m.named then 'birth_year' else 'full_name' end)
    into wrong
    from (
      select
        listed.position,
        coalesce(
          jsonb_typeof(listed.item -> 'full_name') = 'string'
          and private.is_typed_name(private.clean_text(listed.item ->> 'full_name'), 200),
          false
        ) as named,
        coalesce(
          case
            when jsonb_typeof(listed.item -> 'birth_year') = 'number' and listed.item ->> 'birth_year' ~ '^\d{4}$'
              then (listed.item ->> 'birth_year')::int between this_year - 18 and this_year
          end,
          false
        ) as born
      from jsonb_array_elements(minors) with ordinality as listed (item, position)
    ) as m
    where not (m.named and m.born)
    order by m.position
    limit 1;
  end if;
  if wrong is not null then
    perform private.fail(
      'minors_invalid', 422,
      'Give each minor''s full_name (1 to 200 characters, no link) and birth_year, of people under 18, at most 100 of them.',
      wrong
    );
  end if;
  if coalesce(length(drawing), 0) not between 1 and 51200
    or not (
      drawing ~ '^[Mm][-MmLlHhVvCcSsQqTtAaZz0-9 .,]+$'
      or drawing ~ '^data:image/png;base64,[A-Za-z0-9+/]+={0,2}$'
    )
  then
    perform private.fail(
      'signature_invalid', 422,
      'Send the drawn signature as an SVG path or as a data URL of a PNG, of at most 51200 characters.'
    );
  end if;
  return jsonb_build_object(
    'full_name', full_name,
    'email', email,
    'plays', coalesce((signer -> 'plays')::boolean, true),
    'minors', (
      select coalesce(
        jsonb_agg(
          jsonb_build_object('full_name', private.clean_text(m.item ->> 'full_name'), 'birth_year', (m.item ->> 'birth_year')::int)
          order by m.position
        ),
        '[]'
      )
      from jsonb_array_elements(minors) with ordinality as m (item, position)
    )
  );
end
$$;

comment on function private.checked_signer is
  'Who signs and for whom, trimmed: {full_name, email, plays, minors}. Raises 422 signer_invalid (details {"field"}), minors_invalid (details {"position", "field"}), signature_invalid.';

create type public.signed_waiver as (
  signature_id uuid,
  signed int,
  needed int,
  version int
);

comment on type public.signed_waiver is 'That somebody signed.';
comment on column public.signed_waiver.signature_id is 'Of the signature.';
comment on column public.signed_waiver.signed is 'People for whom somebody has signed.';
comment on column public.signed_waiver.needed is 'People of the party; 0 where nothing is signed.';
comment on column public.signed_waiver.version is 'The one that was signed.';

create function private.sign_waiver(
  token text,
  version int,
  signer jsonb,
  minors jsonb,
  signature text,
  locale text,
  idempotency_key text
)
returns public.signed_waiver
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_waiver_token(sign_waiver.token);
  scope text := booking.organization_id || ':sign_waiver:' || booking.id;
  answered jsonb := private.idempotent_begin(
    scope,
    sign_waiver.idempotency_key,
    jsonb_build_object(
      'version', sign_waiver.version, 'signer', sign_waiver.signer, 'minors', sign_waiver.minors,
      'signature', sign_waiver.signature, 'locale', sign_waiver.locale
    )
  );
  waiver public.waiver_texts;
  signed_by jsonb;
  read_in text;
  people int;
  most int;
  signed int;
  signature_id uuid;
  answer public.signed_waiver;
begin
  if answered is not null then
    return jsonb_populate_record(null::public.signed_waiver, answered);
  end if;
  signed_by := private.checked_signer(sign_waiver.signer, coalesce(sign_waiver.minors, '[]'), sign_waiver.signature);
  people := (signed_by -> 'plays')::boolean::int + jsonb_array_length(signed_by -> 'minors');
  if people = 0 then
    perform private.fail('minors_invalid', 422, 'Name the minors whom you sign for, or play yourself.');
  end if;

  -- Of two signers at once the second one counts the first.
  booking := private.locked_booking(booking.organization_id, booking.id);
  waiver := private.current_waiver(booking.organization_id, booking.room_id);
  read_in := private.waiver_locale(waiver, coalesce(sign_waiver.locale, booking.locale));
  if not private.waiver_is_open(booking) then
    perform private.fail('waiver_closed', 409, 'The booking is not confirmed yet, or is over: ask the venue.');
  elsif waiver.version is distinct from sign_waiver.version then
    perform private.fail(
      'waiver_outdated', 409, 'Show the present text and have that signed.', jsonb_build_object('version', waiver.version)
    );
  end if;
  select coalesce(r.capacity_limit, r.maximum_party) into most
  from public.rooms as r
  where r.organization_id = booking.organization_id and r.id = booking.room_id;
  select coalesce(sum(s.people), 0) into signed
  from public.waiver_signatures as s
  where s.organization_id = booking.organization_id and s.booking_id = booking.id;
  if signed + people > greatest(most, booking.party_size) then
    perform private.fail(
      'waiver_full', 409, 'More have signed than the room takes: ask the venue.',
      jsonb_build_object('signed', signed, 'maximum', greatest(most, booking.party_size))
    );
  end if;

  insert into public.waiver_signatures (
    organization_id, booking_id, waiver_text_id, version, locale, full_name, email, plays, minors, people
  )
  values (
    booking.organization_id, booking.id, waiver.id, waiver.version, read_in, signed_by ->> 'full_name',
    signed_by ->> 'email', (signed_by -> 'plays')::boolean, signed_by -> 'minors', people
  )
  returning id into signature_id;
  insert into private.waiver_drawings (organization_id, signature_id, drawing, address_hash)
  values (
    booking.organization_id, signature_id, sign_waiver.signature,
    private.derived_token('address', private.client_address())
  );

  answer := row(signature_id, signed + people, booking.party_size, waiver.version)::public.signed_waiver;
  perform private.idempotent_end(scope, sign_waiver.idempotency_key, to_jsonb(answer));
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.sign_waiver is
  'definer: writes signatures for whoever holds the link.';
grant execute on function private.sign_waiver to anon, authenticated;

create function public.sign_waiver(
  token text,
  version int,
  signer jsonb,
  signature text,
  idempotency_key text,
  minors jsonb default '[]',
  locale text default null
)
returns public.signed_waiver
language sql
volatile
set search_path = ''
as $$ select private.sign_waiver(token, version, signer, minors, signature, locale, idempotency_key) $$;

comment on function public.sign_waiver is
  'Signs the waiver of a booking. version: the one that get_waiver showed; signer: {full_name, email?, plays? (false: a guardian who stays outside)}; minors: [{full_name, birth_year}] whom the signer answers for; signature: the drawing, an SVG path or a PNG as data URL, at most 51200 characters; locale: the language that was read. For anybody with the link. Errors: 404 waiver_not_found; 409 waiver_outdated (details {"version"}), waiver_closed, waiver_full (details {"signed", "maximum"}); 422 signer_invalid (details {"field"}), minors_invalid (details {"position", "field"}: of the first that is wrong, counted from 0), signature_invalid, idempotency_key_invalid, idempotency_key_reused; 429 rate_limited.';
grant execute on function public.sign_waiver to anon, authenticated;

create type public.waiver_minor as (
  full_name text,
  birth_year int
);

comment on type public.waiver_minor is 'For whom a guardian signs.';
comment on column public.waiver_minor.full_name is 'As the guardian gave it.';
comment on column public.waiver_minor.birth_year is 'Of somebody under 18.';

create type public.waiver_signature as (
  id uuid,
  booking_id uuid,
  waiver_text_id uuid,
  version int,
  locale text,
  full_name text,
  email text,
  plays boolean,
  minors public.waiver_minor [],
  people int,
  signed_at timestamptz,
  text text,
  drawing text
);

comment on type public.waiver_signature is 'A signature with what was signed.';
comment on column public.waiver_signature.id is 'Of the signature.';
comment on column public.waiver_signature.booking_id is 'Whose party signed.';
comment on column public.waiver_signature.waiver_text_id is 'The wording.';
comment on column public.waiver_signature.version is 'The wording''s.';
comment on column public.waiver_signature.locale is 'In which it was read; one of: es, en, ca';
comment on column public.waiver_signature.full_name is 'Of who signed.';
comment on column public.waiver_signature.email is 'null: none was given.';
comment on column public.waiver_signature.plays is 'False for a guardian who only signs for minors.';
comment on column public.waiver_signature.minors is 'Whom the signer is the guardian of.';
comment on column public.waiver_signature.people is 'For how many it counts.';
comment on column public.waiver_signature.signed_at is 'When.';
comment on column public.waiver_signature.text is 'What was signed.';
comment on column public.waiver_signature.drawing is 'An SVG path, or a PNG as data URL; null once its signer was erased.';

create function private.get_waiver_signature(organization_id uuid, signature_id uuid)
returns public.waiver_signature
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  shown public.waiver_signature;
begin
  perform private.require_permission(get_waiver_signature.organization_id, 'waivers:read');
  select
    s.id, s.booking_id, s.waiver_text_id, s.version, s.locale, s.full_name, s.email, s.plays,
    array(
      select row(m.item ->> 'full_name', (m.item ->> 'birth_year')::int)::public.waiver_minor
      from jsonb_array_elements(s.minors) with ordinality as m (item, position)
      order by m.position
    ),
    s.people, s.signed_at, w.texts ->> s.locale, d.drawing
  into shown
  from public.waiver_signatures as s
  join public.waiver_texts as w on w.organization_id = s.organization_id and w.id = s.waiver_text_id
  left join private.waiver_drawings as d on d.organization_id = s.organization_id and d.signature_id = s.id
  where s.organization_id = get_waiver_signature.organization_id and s.id = get_waiver_signature.signature_id;
  if not found then
    perform private.fail('signature_not_found', 404, 'Choose one of the organization''s signatures.');
  end if;
  return shown;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_waiver_signature is
  'definer: reads the drawing, which is kept where no client reads.';
grant execute on function private.get_waiver_signature to authenticated;

create function public.get_waiver_signature(organization_id uuid, signature_id uuid)
returns public.waiver_signature
language sql
stable
set search_path = ''
as $$ select private.get_waiver_signature(organization_id, signature_id) $$;

comment on function public.get_waiver_signature is
  'A signature with the wording that was signed and the drawing. For members with waivers:read. Errors: 403 permission_denied; 404 signature_not_found.';
grant execute on function public.get_waiver_signature to authenticated;
