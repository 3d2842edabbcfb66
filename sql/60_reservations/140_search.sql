-- Finding a booking at the desk, by whatever the person in front of it says.
--
-- Words are looked for in two indexes, that of what came with the bookings and that of the customers. What a
-- word is in is mostly few bookings: they are read, and put in order (private.found_at_once). Where it is in
-- many, as in "gmail", the answer is found in rounds, in order of time, none of which reads further than it has
-- to (private.found_by_words).

create type public.found_booking as (
  id uuid,
  reference text,
  status text,
  starts_at timestamptz,
  timezone text,
  room_id uuid,
  room_name text,
  party_size int,
  customer_id uuid,
  contact_name text,
  email text,
  phone text,
  matched text,
  mail_problem text,
  tags text []
);

comment on type public.found_booking is 'A booking that a search found.';
comment on column public.found_booking.id is 'Of the booking.';
comment on column public.found_booking.reference is 'As the customer knows it.';
comment on column public.found_booking.status is 'A hold that has lapsed is expired. one of bookings.status';
comment on column public.found_booking.starts_at is 'Of the game.';
comment on column public.found_booking.timezone is 'IANA zone of its location.';
comment on column public.found_booking.room_id is 'Its room.';
comment on column public.found_booking.room_name is 'As staff call it.';
comment on column public.found_booking.party_size is 'People.';
comment on column public.found_booking.customer_id is 'Whose booking it is.';
comment on column public.found_booking.contact_name is 'Who comes, as given with the booking; null without customers:read.';
comment on column public.found_booking.email is 'The customer''s; null without one, and without customers:read.';
comment on column public.found_booking.phone is
  'As given with the booking, else the customer''s; null without one, and without customers:read.';
comment on column public.found_booking.matched is 'By what it was found; one of: reference, words, date';

comment on column public.found_booking.mail_problem is
  'Why its last mail did not reach its customer, whose address is to be corrected; null: it did, as far as is known. one of booking_mail_problems.problem';
comment on column public.found_booking.tags is 'Names of its tags, in their order; empty: none.';

create type public.booking_search as (
  bookings public.found_booking [],
  has_more boolean
);

comment on type public.booking_search is 'What a search found.';
comment on column public.booking_search.bookings is
  'By reference first; then words that begin as asked, then those that hold it; of each what is to come, nearest first, then what was, latest first.';
comment on column public.booking_search.has_more is 'Whether there are more than were asked for: type more of the name, or a date.';

create function private.booking_day(booking public.bookings)
returns date
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select (booking.starts_at at time zone l.timezone)::date
    from public.rooms as r
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where r.organization_id = booking.organization_id and r.id = booking.room_id
  );
end
$$;

comment on function private.booking_day is 'The day on which a booking starts, by the clock of its location.';

create function private.found_at_once(
  organization_id uuid,
  words text [],
  from_time timestamptz,
  until_time timestamptz,
  day date,
  today timestamptz,
  most int,
  tag_id uuid default null
)
returns uuid []
language plpgsql
stable
set jit = off
set search_path = ''
as $$
declare
  found uuid [];
begin
  -- Planned with the words at hand, by how frequent they are.
  execute $query$
    with candidate as materialized (
      (
        select k.booking_id as id
        from public.booking_contacts as k
        where k.organization_id = $1 and private.search_document(k.contact_name, null, k.contact_phone) like $2[1]
        limit $8
      )
      union
      (
        select b.id
        from public.customers as c
        join public.bookings as b on b.organization_id = c.organization_id and b.customer_id = c.id
        where c.organization_id = $1
          and b.organization_id = $1
          and private.search_document(c.full_name, c.email, c.phone) like $2[1]
        limit $8
      )
    )
    select
      case
        when (select count(*) from candidate) < $8 then coalesce(
          array_agg(
            b.id
            order by
              said.words like all ($3) desc,
              b.starts_at >= $7 desc,
              abs(extract(epoch from b.starts_at - $7)),
              b.id
          ),
          '{}'
        )
      end
    from candidate as f
    join public.bookings as b on b.organization_id = $1 and b.id = f.id
    join public.booking_contacts as k on k.organization_id = $1 and k.booking_id = b.id
    join public.customers as c on c.organization_id = $1 and c.id = b.customer_id
    cross join lateral (
      select
        private.search_document(k.contact_name, null, k.contact_phone)
        || private.search_document(c.full_name, c.email, c.phone) as words
      offset 0
    ) as said
    where said.words like all ($2)
      and b.starts_at >= $4
      and b.starts_at < $5
      and ($6::date is null or private.booking_day(b) = $6)
      and ($9::uuid is null or private.has_tag(b.organization_id, b.id, $9))
  $query$
  into found
  using found_at_once.organization_id, private.search_patterns(words, false), private.search_patterns(words, true),
    from_time, until_time, day, today, most, found_at_once.tag_id;
  return found;
end
$$;

comment on function private.found_at_once is
  'All bookings that start in that time and whose party or customer is written so: words that begin so first, of each what is to come from today on, nearest first, then what was; null: there are that many to look through, or more.';

create function private.found_by_words(
  organization_id uuid,
  patterns text [],
  from_time timestamptz,
  until_time timestamptz,
  day date,
  is_to_come boolean,
  max_results int,
  tag_id uuid default null
)
returns uuid []
language plpgsql
stable
set jit = off
set search_path = ''
as $$
declare
  found uuid [];
begin
  -- Planned anew each time, with the words at hand: which way is short depends on how frequent they are.
  execute format(
    $query$
      select array_agg(f.id order by f.starts_at %1$s, f.id %1$s)
      from (
        (
          select b.id, b.starts_at
          from public.booking_contacts as k
          join public.bookings as b on b.organization_id = k.organization_id and b.id = k.booking_id
          join public.customers as c on c.organization_id = b.organization_id and c.id = b.customer_id
          where k.organization_id = $1
            and b.organization_id = $1
            and private.search_document(k.contact_name, null, k.contact_phone) like $2[1]
            and (
              cardinality($2) = 1
              or (
                private.search_document(k.contact_name, null, k.contact_phone)
                || private.search_document(c.full_name, c.email, c.phone)
              ) like all ($2)
            )
            and b.starts_at >= $3
            and b.starts_at < $4
            and ($6::date is null or private.booking_day(b) = $6)
            and ($7::uuid is null or private.has_tag(b.organization_id, b.id, $7))
          order by b.starts_at %1$s, b.id %1$s
          limit $5
        )
        union
        (
          select b.id, b.starts_at
          from public.customers as c
          join public.bookings as b on b.organization_id = c.organization_id and b.customer_id = c.id
          join public.booking_contacts as k on k.organization_id = b.organization_id and k.booking_id = b.id
          where c.organization_id = $1
            and b.organization_id = $1
            and private.search_document(c.full_name, c.email, c.phone) like $2[1]
            and (
              cardinality($2) = 1
              or (
                private.search_document(k.contact_name, null, k.contact_phone)
                || private.search_document(c.full_name, c.email, c.phone)
              ) like all ($2)
            )
            and b.starts_at >= $3
            and b.starts_at < $4
            and ($6::date is null or private.booking_day(b) = $6)
            and ($7::uuid is null or private.has_tag(b.organization_id, b.id, $7))
          order by b.starts_at %1$s, b.id %1$s
          limit $5
        )
        order by 2 %1$s, 1 %1$s
        limit $5
      ) as f
    $query$,
    case when is_to_come then 'asc' else 'desc' end
  )
  into found
  using found_by_words.organization_id, patterns, from_time, until_time, max_results, day, found_by_words.tag_id;
  return coalesce(found, '{}');
end
$$;

comment on function private.found_by_words is
  'Bookings that start in that time and whose party or customer is written like all the patterns, the first of which is the one to look up, nearest to now first.';

create function private.search_patterns(words text [], is_start boolean)
returns text []
language plpgsql
immutable
set search_path = ''
as $$
begin
  return array(
    select
      case
        -- Digits may stand behind a country's, and what is as short as an initial begins a word.
        when w.word !~ '^[0-9]{3,}$' and (is_start or length(w.word) < 3) then '% '
        else '%'
      end
      || regexp_replace(w.word, '([\\%_])', '\\\1', 'g') || '%'
    from unnest(words) as w (word)
    order by length(w.word) desc
  );
end
$$;

comment on function private.search_patterns is
  'Patterns for the words of a search, that of the longest first: of words that begin so, or that hold it.';

create function private.search_bookings(organization_id uuid, query text, max_results int, tag_id uuid)
returns public.booking_search
language plpgsql
stable
security definer
set jit = off
set search_path = ''
as $$
declare
  typed text := private.clean_text(left(query, 200));
  rest text;
  day date;
  words text [];
  sees_customers boolean;
  wanted int := max_results + 1;
  today timestamptz;
  from_time timestamptz := '-infinity';
  until_time timestamptz := 'infinity';
  by_reference uuid [] := '{}';
  is_searched boolean;
  found uuid [] := '{}';
  answer public.booking_search;
begin
  perform private.require_permission(search_bookings.organization_id, 'bookings:read');
  if max_results is null or max_results not between 1 and 50 then
    perform private.fail(
      'max_results_invalid', 422, 'Ask for 1 to 50.', jsonb_build_object('minimum', 1, 'maximum', 50)
    );
  end if;

  select
    min(private.typed_date(w.word)),
    coalesce(string_agg(w.word, ' ' order by w.position) filter (where private.typed_date(w.word) is null), '')
  into day, rest
  from regexp_split_to_table(private.ascii_digits(typed), '\s+') with ordinality as w (word, position);
  if rest !~ '[^0-9+()./ -]' then
    -- A telephone number, in whatever groups. The country's digits may be missing where it is stored.
    words := array[right(regexp_replace(rest, '[^0-9]', '', 'g'), 9)];
  else
    words := array(
      select case when w.word ~ '^[0-9+().]+$' then regexp_replace(w.word, '[^0-9]', '', 'g') else btrim(w.word, '.,;:()<>"') end
      from regexp_split_to_table(private.search_text(rest), '\s+') as w (word)
      limit 10
    );
  end if;
  words := array(select distinct w.word from unnest(words) as w (word) where w.word <> '');

  by_reference := array(
    select b.id
    from public.bookings as b
    where b.organization_id = search_bookings.organization_id
      and b.reference = any (private.typed_references(rest))
      and (search_bookings.tag_id is null or private.has_tag(b.organization_id, b.id, search_bookings.tag_id))
  );
  if by_reference = '{}' and not exists (
    select from unnest(words) as w (word) where length(w.word) >= case when w.word ~ '^[0-9]+$' then 3 else 2 end
  ) and (day is null or words <> '{}') then
    perform private.fail('query_too_short', 422, 'Type two letters of a name, three digits, a reference or a date.');
  end if;

  found := by_reference;
  sees_customers := private.has_permission(search_bookings.organization_id, 'customers:read');
  if by_reference = '{}' and day is not null then
    select
      min(day::timestamp at time zone l.timezone), max((day + 1)::timestamp at time zone l.timezone)
    into from_time, until_time
    from public.locations as l
    where l.organization_id = search_bookings.organization_id;
  end if;
  if by_reference = '{}' and words = '{}' then
    found := array(
      select b.id
      from public.bookings as b
      where b.organization_id = search_bookings.organization_id
        and b.starts_at >= from_time
        and b.starts_at < until_time
        and private.booking_day(b) = day
        and (search_bookings.tag_id is null or private.has_tag(b.organization_id, b.id, search_bookings.tag_id))
      order by b.starts_at, b.id
      limit wanted
    );
  elsif by_reference = '{}' and sees_customers then
    -- A game that is being played is still to come for who stands at the desk.
    today := greatest(least(now() - interval '3 hours', until_time), from_time);
    found := private.found_at_once(
      search_bookings.organization_id, words, from_time, until_time, day, today, 200, search_bookings.tag_id
    );
    is_searched := found is not null;
    found := coalesce(found, '{}');
    for round in 1..4 loop
      exit when is_searched or cardinality(found) >= wanted
        or round = 3 and private.search_patterns(words, false) = private.search_patterns(words, true);
      found := found || array(
        select n.id
        from unnest(
          private.found_by_words(
            search_bookings.organization_id,
            private.search_patterns(words, round <= 2),
            case when round in (1, 3) then today else from_time end,
            case when round in (1, 3) then until_time else today end,
            day,
            round in (1, 3),
            -- What the rounds before found is found again.
            wanted + cardinality(found),
            search_bookings.tag_id
          )
        ) with ordinality as n (id, position)
        where n.id <> all (found)
        order by n.position
      );
    end loop;
  end if;

  answer.has_more := cardinality(found) >= wanted;
  answer.bookings := array(
    select row(
      b.id, b.reference, case when b.hold_expires_at <= now() then 'expired' else b.status end,
      b.starts_at, l.timezone, b.room_id, r.name, b.party_size, b.customer_id,
      case when sees_customers then k.contact_name end,
      case when sees_customers then c.email end,
      case when sees_customers then coalesce(k.contact_phone, c.phone) end,
      case when b.id = any (by_reference) then 'reference' when words = '{}' then 'date' else 'words' end,
      (
        select p.problem
        from public.booking_mail_problems as p
        where p.organization_id = b.organization_id and p.booking_id = b.id
      ),
      array(
        select t.name
        from public.booking_tags as bt
        join public.tags as t on t.organization_id = bt.organization_id and t.id = bt.tag_id
        where bt.organization_id = b.organization_id and bt.booking_id = b.id
        order by lower(t.name), t.id
      )
    )::public.found_booking
    from unnest(found) with ordinality as f (id, position)
    join public.bookings as b on b.organization_id = search_bookings.organization_id and b.id = f.id
    join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    join public.customers as c on c.organization_id = b.organization_id and c.id = b.customer_id
    join public.booking_contacts as k on k.organization_id = b.organization_id and k.booking_id = b.id
    where f.position <= max_results
    order by f.position
  );
  return answer;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.search_bookings is
  'definer: joins tables for an organization that the caller names, each under its own permission.';
grant execute on function private.search_bookings to authenticated;

create function public.search_bookings(
  organization_id uuid,
  query text,
  max_results int default 20,
  tag_id uuid default null
)
returns public.booking_search
language sql
stable
set search_path = ''
as $$ select private.search_bookings(organization_id, query, max_results, tag_id) $$;

comment on function public.search_bookings is
  'Finds bookings by what is typed, of its first 200 characters: a reference, however written; parts of the name, the e-mail address or the phone of party or customer, all of which must fit, accents and case ignored; a day (2026-11-28, 28/11/2026) on the location''s clock; a day beside the others. tag_id: of these only what has the tag. max_results: 1 to 50. Whoever may not read customers finds by reference and by day alone, and nothing by other words, whatever stands there. For members with bookings:read; contact_name, email and phone are null without customers:read. Errors: 403 permission_denied; 422 query_too_short, max_results_invalid (details {"minimum", "maximum"}).';
grant execute on function public.search_bookings to authenticated;
