-- The list of a party: who comes, kept by the desk and by whoever manages the booking. Who has signed the waiver is
-- found out from the signatures, and never typed.

create table public.booking_people (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  position int not null,
  full_name text not null,
  email text,
  phone text,
  has_paid boolean not null default false,
  signature_id uuid,
  signed_as int,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint booking_people_pkey primary key (organization_id, id),
  constraint booking_people_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_people_signature_fkey foreign key (organization_id, signature_id)
  references public.waiver_signatures (organization_id, id) on delete set null (signature_id),
  -- One signature is of one person. Also the index for: the foreign key.
  constraint booking_people_signature_key unique (organization_id, signature_id, signed_as),
  constraint booking_people_full_name_is_a_name check (private.is_name(full_name, 200)),
  constraint booking_people_email_is_plausible check (private.is_email(email)),
  constraint booking_people_phone_can_be_called check (private.is_phone(phone)),
  constraint booking_people_position_is_positive check (position > 0),
  constraint booking_people_signature_says_whose check (signature_id is null or signed_as >= 0)
);

comment on table public.booking_people is
  'Who comes with a booking, as far as somebody wrote it down; at most party_size when it is written. Written by set_booking_people and set_party.';
comment on column public.booking_people.position is 'The place in the list, from 1.';
comment on column public.booking_people.email is 'In lower case; null: not said.';
comment on column public.booking_people.phone is 'null: not said.';
comment on column public.booking_people.has_paid is
  'A mark of the staff''s: this person has given a share. It moves no money: what was paid is in payments.';
comment on column public.booking_people.signature_id is
  'The waiver that this person signed, or that a guardian signed for this minor; null: none that bears the name or the address. Found by private.match_signatures.';
comment on column public.booking_people.signed_as is
  'Who of the signature it is: 0 who signed, from 1 the minors in their order; null: nobody, and of no meaning without a signature.';

-- for: the people of a booking in order, and the foreign key
create index booking_people_booking_id_idx on public.booking_people (organization_id, booking_id, position);

insert into private.personal_columns (relation, column_name, erased, is_address)
values
('public.booking_people', 'full_name', '"Erased"', false),
('public.booking_people', 'email', 'null', true),
('public.booking_people', 'phone', 'null', false)
on conflict (relation, column_name) do update
set erased = excluded.erased,
  is_address = excluded.is_address;

grant select on public.booking_people to authenticated;

alter table public.booking_people enable row level security;

create policy booking_people_select on public.booking_people
for select to authenticated
using (organization_id = (select private.organization_with('customers:read')));

create trigger booking_people_clean_names
before insert or update of full_name, phone on public.booking_people
for each row execute function private.clean_texts('names', 'full_name', 'phone');

create trigger booking_people_touch_updated_at
before update on public.booking_people
for each row execute function private.touch_updated_at();

create function private.match_signatures(organization_id uuid, booking_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  person record;
  signer record;
  matched uuid [] := '{}';
  signatures uuid [] := '{}';
  places int [] := '{}';
  taken text [] := '{}';
begin
  -- The surest first: name and address; the name, where one of them gave no address; the address, which a family may
  -- share; the name with another address.
  for way in 1..4 loop
    for person in
      select p.id, private.search_text(p.full_name) as name, p.email
      from public.booking_people as p
      where p.organization_id = match_signatures.organization_id
        and p.booking_id = match_signatures.booking_id
        and p.id <> all (matched)
      order by p.position, p.id
    loop
      select said.* into signer
      from (
        select s.id, 0 as place, private.search_text(s.full_name) as name, s.email, s.signed_at
        from public.waiver_signatures as s
        where s.organization_id = match_signatures.organization_id
          and s.booking_id = match_signatures.booking_id
          and s.plays
        union all
        select s.id, m.position::int, private.search_text(m.item ->> 'full_name'), null, s.signed_at
        from public.waiver_signatures as s
        cross join jsonb_array_elements(s.minors) with ordinality as m (item, position)
        where s.organization_id = match_signatures.organization_id and s.booking_id = match_signatures.booking_id
      ) as said
      where said.id || '/' || said.place <> all (taken)
        and case way
          when 1 then said.name = person.name and said.email = person.email
          when 2 then said.name = person.name and (said.email is null or person.email is null)
          when 3 then said.email = person.email
          else said.name = person.name
        end
      order by said.signed_at, said.id, said.place
      limit 1;
      if found then
        matched := matched || person.id;
        signatures := signatures || signer.id;
        places := places || signer.place;
        taken := taken || (signer.id || '/' || signer.place);
      end if;
    end loop;
  end loop;

  -- Those that somebody else has now are given up first.
  update public.booking_people as p
  set signature_id = null, signed_as = null
  where p.organization_id = match_signatures.organization_id
    and p.booking_id = match_signatures.booking_id
    and p.signature_id is not null
    and not exists (
      select from unnest(matched, signatures, places) as m (id, signature_id, place)
      where m.id = p.id and m.signature_id = p.signature_id and m.place = p.signed_as
    );
  update public.booking_people as p
  set signature_id = m.signature_id, signed_as = m.place
  from unnest(matched, signatures, places) as m (id, signature_id, place)
  where p.organization_id = match_signatures.organization_id
    and p.id = m.id
    and p.signature_id is null;
end
$$;

comment on function private.match_signatures is
  'Finds who of a locked booking''s list has signed: one signature for one person, by name (accents and case ignored) and address.';

create function private.match_new_signature()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.match_signatures(new.organization_id, new.booking_id);
  return null;
end
$$;

comment on function private.match_new_signature is
  'Whoever signs is marked in the list of the party. Who signs holds the booking.';

create trigger match_new_signature
after insert on public.waiver_signatures
for each row execute function private.match_new_signature();

create type public.booking_person as (
  id uuid,
  full_name text,
  email text,
  phone text,
  signed boolean,
  paid boolean
);

comment on type public.booking_person is 'Somebody who comes with a booking.';
comment on column public.booking_person.id is 'What a list that is set names the same person by.';
comment on column public.booking_person.full_name is 'As written down.';
comment on column public.booking_person.email is 'In lower case; null: not said.';
comment on column public.booking_person.phone is 'null: not said.';
comment on column public.booking_person.signed is 'Whether a waiver of the booking bears this person''s name or address.';
comment on column public.booking_person.paid is 'Whether staff marked that this person has given a share; it moves no money.';

create type public.booking_party as (
  version text,
  maximum int,
  open boolean,
  people public.booking_person []
);

comment on type public.booking_party is 'The list of a party.';
comment on column public.booking_party.version is 'What is so, for expected_version: another one as soon as anything in the list changes.';
comment on column public.booking_party.maximum is 'How many it may name: the booking''s party.';
comment on column public.booking_party.open is
  'Whether its customer may write it: from the booking''s being made for good until its end.';
comment on column public.booking_party.people is 'In their order; empty: nobody was written down.';

create function private.party_is_open(booking public.bookings)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return private.waiver_is_open(booking)
    and coalesce(booking.hold_expires_at > now(), true)
    and not private.venue_is_closed(booking.organization_id)
    and not private.is_erased(booking);
end
$$;

comment on function private.party_is_open is 'Whether the customer may write who comes.';

create function private.shown_party(booking public.bookings)
returns public.booking_party
language plpgsql
stable
set search_path = ''
as $$
declare
  people public.booking_person [] := array(
    select row(p.id, p.full_name, p.email, p.phone, p.signature_id is not null, p.has_paid)::public.booking_person
    from public.booking_people as p
    where p.organization_id = booking.organization_id and p.booking_id = booking.id
    order by p.position, p.id
  );
begin
  return row(
    md5(to_jsonb(people)::text), booking.party_size, private.party_is_open(booking), people
  )::public.booking_party;
end
$$;

comment on function private.shown_party is
  'The list of a booking''s party. Called in the statement that reads the booking, it shows one moment.';

create function private.checked_people(people jsonb, maximum int, by_staff boolean)
returns public.booking_person []
language plpgsql
stable
set search_path = ''
as $$
declare
  checked public.booking_person [] := '{}';
  listed record;
  person public.booking_person;
  field text;
begin
  if jsonb_typeof(checked_people.people) is distinct from 'array' then
    perform private.fail(
      'people_invalid', 422, 'Send a list: [{id?, full_name, email?, phone?}].', '{"position": null, "field": null}'
    );
  elsif jsonb_array_length(checked_people.people) > checked_people.maximum then
    perform private.fail(
      'party_too_large', 422, 'Name no more people than the booking is for, or change its party first.',
      jsonb_build_object('maximum', checked_people.maximum)
    );
  end if;
  for listed in
    select e.item, e.position
    from jsonb_array_elements(checked_people.people) with ordinality as e (item, position)
    order by e.position
  loop
    person := row(
      null, private.clean_text(listed.item ->> 'full_name'), nullif(private.typed_email(listed.item ->> 'email'), ''),
      nullif(private.clean_text(listed.item ->> 'phone'), ''), null, null
    );
    field := case
      when jsonb_typeof(listed.item) <> 'object' then 'full_name'
      when coalesce(jsonb_typeof(listed.item -> 'id'), 'null') not in ('string', 'null')
        or listed.item ->> 'id' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        or exists (select from unnest(checked) as k where k.id::text = lower(listed.item ->> 'id')) then 'id'
      when jsonb_typeof(listed.item -> 'full_name') is distinct from 'string'
        or not private.is_name(person.full_name, 200)
        or not by_staff and not private.is_typed_name(person.full_name, 200) then 'full_name'
      when coalesce(jsonb_typeof(listed.item -> 'email'), 'null') not in ('string', 'null')
        or not private.is_email(person.email) then 'email'
      when coalesce(jsonb_typeof(listed.item -> 'phone'), 'null') not in ('string', 'null')
        or not private.is_phone(person.phone) then 'phone'
      when by_staff and coalesce(jsonb_typeof(listed.item -> 'paid'), 'null') not in ('boolean', 'null') then 'paid'
    end;
    if field is not null then
      perform private.fail(
        'people_invalid', 422,
        'Give each person full_name (1 to 200 characters, no link), if known a valid email and phone (at most 40 characters, with three digits), and the id of one who is in the list already, once.',
        jsonb_build_object('position', listed.position - 1, 'field', field)
      );
    end if;
    person.id := (listed.item ->> 'id')::uuid;
    if by_staff then
      person.paid := (listed.item ->> 'paid')::boolean;
    end if;
    checked := checked || person;
  end loop;
  return checked;
end
$$;

comment on function private.checked_people is
  'The people of a request, cleaned; paid as staff say, null: as it is. Raises 422 people_invalid (details {"position", "field"}: of the first that is wrong, counted from 0), party_too_large (details {"maximum"}).';

create function private.set_people(booking public.bookings, people jsonb, expected_version text, by_staff boolean)
returns public.booking_party
language plpgsql
volatile
set search_path = ''
as $$
declare
  listed public.booking_person [] := private.checked_people(set_people.people, booking.party_size, set_people.by_staff);
  kept uuid [] := array(select k.id from unnest(listed) as k where k.id is not null);
  person public.booking_person;
begin
  if set_people.expected_version <> (private.shown_party(booking)).version
    or exists (
      select from unnest(kept) as k (id)
      where not exists (
        select from public.booking_people as p
        where p.organization_id = booking.organization_id and p.booking_id = booking.id and p.id = k.id
      )
    )
  then
    perform private.fail('party_changed', 409, 'Somebody else just changed the list: look at it again.');
  end if;
  -- Who stands there already, letter for letter, is the same person: a list that is sent twice is one.
  for place in 1..cardinality(listed) loop
    person := listed[place];
    if person.id is null then
      select p.id into person.id
      from public.booking_people as p
      where p.organization_id = booking.organization_id
        and p.booking_id = booking.id
        and p.id <> all (kept)
        and (p.full_name, p.email, p.phone) is not distinct from (person.full_name, person.email, person.phone)
      order by p.position, p.id
      limit 1;
      person.id := coalesce(person.id, private.uuid_v7());
      kept := kept || person.id;
      listed[place] := person;
    end if;
  end loop;

  delete from public.booking_people as p
  where p.organization_id = booking.organization_id and p.booking_id = booking.id and p.id <> all (kept);
  insert into public.booking_people as p (organization_id, id, booking_id, position, full_name, email, phone, has_paid)
  select
    booking.organization_id, k.id, booking.id, k.position, k.full_name, k.email, k.phone, coalesce(k.paid, false)
  from unnest(listed) with ordinality as k (id, full_name, email, phone, signed, paid, position)
  where not exists (
    select from public.booking_people as known
    where known.organization_id = booking.organization_id and known.id = k.id
  );
  update public.booking_people as p
  set position = k.position,
    full_name = k.full_name,
    email = k.email,
    phone = k.phone,
    has_paid = coalesce(k.paid, p.has_paid)
  from unnest(listed) with ordinality as k (id, full_name, email, phone, signed, paid, position)
  where p.organization_id = booking.organization_id
    and p.id = k.id
    and (p.position, p.full_name, p.email, p.phone, p.has_paid)
    is distinct from (k.position::int, k.full_name, k.email, k.phone, coalesce(k.paid, p.has_paid));
  perform private.match_signatures(booking.organization_id, booking.id);
  return private.shown_party(booking);
end
$$;

comment on function private.set_people is
  'Makes this the list of a locked booking''s party, and returns it. Raises what private.checked_people does, 409 party_changed.';

create function private.get_booking_people(organization_id uuid, booking_id uuid)
returns public.booking_party
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  answer public.booking_party;
begin
  perform private.require_permission(get_booking_people.organization_id, 'bookings:read');
  perform private.require_permission(get_booking_people.organization_id, 'customers:read');
  select (private.shown_party(b)).* into answer
  from public.bookings as b
  where b.organization_id = get_booking_people.organization_id and b.id = get_booking_people.booking_id;
  if not found then
    perform private.fail('booking_not_found', 404, 'Check the booking''s id.');
  end if;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_booking_people is
  'definer: reads a booking of a named organization whatever organization the request acts for. Asks for bookings:read and customers:read.';
grant execute on function private.get_booking_people to authenticated;

create function public.get_booking_people(organization_id uuid, booking_id uuid)
returns public.booking_party
language sql
stable
set search_path = ''
as $$ select private.get_booking_people(organization_id, booking_id) $$;

comment on function public.get_booking_people is
  'Who comes with a booking, with the version that set_booking_people is told. For members with bookings:read and customers:read. Errors: 403 permission_denied; 404 booking_not_found.';
grant execute on function public.get_booking_people to authenticated;

create function private.set_booking_people(
  organization_id uuid,
  booking_id uuid,
  people jsonb,
  expected_version text
)
returns public.booking_party
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings;
begin
  perform private.require_permission(set_booking_people.organization_id, 'bookings:update');
  -- Nobody overwrites what they may not read.
  perform private.require_permission(set_booking_people.organization_id, 'customers:read');
  booking := private.locked_booking(set_booking_people.organization_id, set_booking_people.booking_id);
  perform private.refuse_erased(booking);
  return private.set_people(booking, set_booking_people.people, set_booking_people.expected_version, true);
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_booking_people is
  'definer: writes the list of a party, which no client may write. Asks for bookings:update and customers:read.';
grant execute on function private.set_booking_people to authenticated;

create function public.set_booking_people(
  organization_id uuid,
  booking_id uuid,
  people jsonb,
  expected_version text default null
)
returns public.booking_party
language sql
volatile
set search_path = ''
as $$ select private.set_booking_people(organization_id, booking_id, people, expected_version) $$;

comment on function public.set_booking_people is
  'Makes people the list of a booking''s party, in that order and in whatever status: [{id? (of one who is in the list), full_name, email?, phone?, paid? (a mark of the staff''s, else as it is)}], at most party_size; who is left out is removed. Who has signed follows from the waivers. expected_version: refused when the list is another by now. Again, the same answer. For members with bookings:update and customers:read. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 409 customer_erased, party_changed; 422 people_invalid (details {"position", "field"}: of the first that is wrong, counted from 0), party_too_large (details {"maximum"}).';
grant execute on function public.set_booking_people to authenticated;

create function private.get_party(reference text, manage_token text)
returns public.booking_party
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  known public.bookings := private.booking_with_token(get_party.reference, get_party.manage_token);
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  return (
    select private.shown_party(b)
    from public.bookings as b
    where b.organization_id = known.organization_id and b.id = known.id
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_party is 'definer: shows the list of a party to whoever holds the booking''s manage token.';
grant execute on function private.get_party to anon, authenticated;

create function public.get_party(reference text, manage_token text)
returns public.booking_party
language sql
volatile
set search_path = ''
as $$ select private.get_party(reference, manage_token) $$;

comment on function public.get_party is
  'Who comes with a booking, for whoever holds its manage token. For anybody. Errors: 404 booking_not_found; 429 rate_limited.';
grant execute on function public.get_party to anon, authenticated;

create function private.set_party(reference text, manage_token text, people jsonb, expected_version text)
returns public.booking_party
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  booking public.bookings := private.booking_with_token(set_party.reference, set_party.manage_token);
  paid_ids uuid [];
  missing uuid;
  answer public.booking_party;
begin
  perform private.limit_rate('manage_booking', 'address', private.client_address());
  booking := private.locked_booking(booking.organization_id, booking.id);
  if not private.party_is_open(booking) then
    perform private.fail('party_closed', 409, 'The booking is not made for good yet, or is over: ask the venue.');
  end if;
  perform private.act_as('customer', booking.customer_id);
  paid_ids := array(
    select p.id
    from public.booking_people as p
    where p.organization_id = booking.organization_id and p.booking_id = booking.id and p.has_paid
  );
  answer := private.set_people(booking, set_party.people, set_party.expected_version, false);
  select w.id into missing
  from unnest(paid_ids) as w (id)
  where not exists (select from unnest(answer.people) as p where p.id = w.id)
  order by w.id
  limit 1;
  if found then
    perform private.fail(
      'person_has_paid', 409, 'Leave whom the venue marked as paid in the list, or ask the venue.',
      jsonb_build_object('id', missing)
    );
  end if;
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_party is 'definer: writes the list of a party for whoever holds the booking''s manage token.';
grant execute on function private.set_party to anon, authenticated;

create function public.set_party(
  reference text,
  manage_token text,
  people jsonb,
  expected_version text default null
)
returns public.booking_party
language sql
volatile
set search_path = ''
as $$ select private.set_party(reference, manage_token, people, expected_version) $$;

comment on function public.set_party is
  'Makes people the list of a booking''s party, in that order, from its being made for good until its end: [{id? (of one who is in the list), full_name, email?, phone?}], at most as many as the booking is for; who is left out is removed, but for whom the venue marked as paid. Nobody is written to. expected_version: refused when the list is another by now. Again, the same answer. For anybody. Errors: 404 booking_not_found; 409 party_closed, party_changed, person_has_paid (details {"id"}); 422 people_invalid (details {"position", "field"}: of the first that is wrong, counted from 0), party_too_large (details {"maximum"}); 429 rate_limited.';
grant execute on function public.set_party to anon, authenticated;
