-- Which messages an organization sends around a visit, and when: to whoever booked, in the booking's
-- language. What is due follows from these rows and the bookings (private.due_messages); nothing is
-- planned ahead, so nothing has to be kept in step with a booking that moves or is cancelled.

select private.permission_upsert(
  'messages:read', 'organization', false,
  'See which messages are sent around a visit', 'Ver qué mensajes se envían en torno a una visita',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'messages:manage', 'organization', true,
  'Change which messages are sent around a visit', 'Cambiar qué mensajes se envían en torno a una visita',
  array['admin', 'manager']
);

create function private.are_locales(locales text [])
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return cardinality(locales) between 1 and 10
    and array_position(locales, null) is null
    and (select bool_and(private.is_locale(l)) and count(*) = count(distinct l) from unnest(locales) as l);
end
$$;

comment on function private.are_locales is 'Whether these are languages of the product, at least one, none twice.';
grant execute on function private.are_locales to authenticated;

create table public.message_rules (
  organization_id uuid not null default private.organization_with('messages:manage'),
  id uuid not null default private.uuid_v7(),
  kind text not null,
  counted_from text not null generated always as (
    case when kind in ('reminder', 'payment_request', 'waiver_request') then 'start' else 'end' end
  ) stored,
  minutes int,
  days int,
  at_time time,
  all_rooms boolean not null default true,
  locales text [],
  review_url text,
  is_active boolean not null default true,
  counts_from timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint message_rules_pkey primary key (organization_id, id),
  constraint message_rules_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete restrict,
  constraint message_rules_kind_is_known check (
    kind in ('reminder', 'thanks', 'payment_request', 'review_request', 'waiver_request')
  ),
  constraint message_rules_counted_from_is_known check (counted_from in ('start', 'end')),
  constraint message_rules_time_is_minutes_or_a_clock check (
    num_nonnulls(minutes, days) = 1 and (days is null) = (at_time is null)
  ),
  constraint message_rules_minutes_are_at_most_60_days check (minutes between 0 and 86400),
  constraint message_rules_days_are_at_most_60 check (days between 0 and 60),
  -- On the day itself the clock may show that time before the visit has ended.
  constraint message_rules_days_after_the_end_are_1_or_more check (
    days > 0 or kind in ('reminder', 'payment_request', 'waiver_request')
  ),
  constraint message_rules_time_is_of_a_day check (at_time < '24:00'),
  constraint message_rules_locales_are_supported check (private.are_locales(locales)),
  constraint message_rules_review_url_is_https check (private.is_link(review_url)),
  constraint message_rules_review_url_is_for_reviews check ((kind = 'review_request') = (review_url is not null))
);

comment on table public.message_rules is
  'Messages around a visit: each rule sends one to whoever booked, at most once for a booking and a start. An organization begins with a reminder at 18:00 the day before, thanks two hours after the end, and a request to pay 72 hours before the start. The words are those of email_template_overrides, under the kind''s name.';
comment on column public.message_rules.kind is
  'reminder (of a confirmed booking), payment_request (while something can be paid online), thanks and review_request (when the party came, or nobody said otherwise), waiver_request (of a confirmed booking of which somebody has not signed).';
comment on column public.message_rules.counted_from is
  'What its time is counted from: start (reminder, payment_request, waiver_request) or end (thanks, review_request) of the visit.';
comment on column public.message_rules.minutes is 'So many before the start, or after the end, 0 to 86400; null: by the clock.';
comment on column public.message_rules.days is
  'By the clock: so many days before the day of the start (0: on it), or after the day of the end (at least 1). null: by minutes.';
comment on column public.message_rules.at_time is
  'Wall clock of the room''s location on that day. In a DST gap it is that much later, in a fold the second of the two. null: by minutes.';
comment on column public.message_rules.all_rooms is 'Whether it is for every room; otherwise those of message_rule_rooms.';
comment on column public.message_rules.locales is
  'Only for bookings in these languages (es, en, ca), so that two rules can send at different times; null: all.';
comment on column public.message_rules.review_url is
  'Of a review_request: the page where a review is written, https://…; null for the other kinds. Not given nor changed in a visit of the platform''s support: 403 refused_in_a_visit.';
comment on column public.message_rules.is_active is 'Whether it sends. What is queued already is not sent any more once this is false.';
comment on column public.message_rules.counts_from is
  'Since when it is as it is: what was due before is not written. Set by the database whenever the rule is switched on, or its time, rooms or languages change.';

grant select, delete on public.message_rules to authenticated;
grant insert (organization_id, kind, minutes, days, at_time, all_rooms, locales, review_url, is_active)
on public.message_rules to authenticated;
grant update (minutes, days, at_time, all_rooms, locales, review_url, is_active)
on public.message_rules to authenticated;

alter table public.message_rules enable row level security;

create policy message_rules_select on public.message_rules
for select to authenticated
using (organization_id = (select private.organization_with('messages:read')));

create policy message_rules_insert on public.message_rules
for insert to authenticated
with check (organization_id = (select private.organization_with('messages:manage')));

create policy message_rules_update on public.message_rules
for update to authenticated
using (organization_id = (select private.organization_with('messages:manage')))
with check (organization_id = (select private.organization_with('messages:manage')));

create policy message_rules_delete on public.message_rules
for delete to authenticated
using (organization_id = (select private.organization_with('messages:manage')));

create trigger message_rules_touch_updated_at
before update on public.message_rules
for each row execute function private.touch_updated_at();

-- Later mails send every guest there.
create trigger message_rules_keep_new_link_in_a_visit
after insert on public.message_rules
for each row when (new.review_url is not null)
execute function private.keep_in_a_visit();

create trigger message_rules_keep_link_in_a_visit
after update of review_url on public.message_rules
for each row when (new.review_url is distinct from old.review_url)
execute function private.keep_in_a_visit();

create trigger message_rules_are_bounded
after insert on public.message_rules
for each row execute function private.bound_rows('40');

create function private.renew_message_rule()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  if new.is_active and not old.is_active
    or (new.minutes, new.days, new.at_time, new.all_rooms, new.locales)
      is distinct from (old.minutes, old.days, old.at_time, old.all_rooms, old.locales)
  then
    new.counts_from := now();
  end if;
  return new;
end
$$;

comment on function private.renew_message_rule is
  'A rule that is switched on, or sends at another time or to others, counts from now: it writes to nobody about what would have been due before.';

create trigger renew_message_rule
before update on public.message_rules
for each row execute function private.renew_message_rule();

create table public.message_rule_rooms (
  organization_id uuid not null default private.organization_with('messages:manage'),
  rule_id uuid not null,
  room_id uuid not null,
  created_at timestamptz not null default now(),
  constraint message_rule_rooms_pkey primary key (organization_id, rule_id, room_id),
  constraint message_rule_rooms_rule_fkey foreign key (organization_id, rule_id)
  references public.message_rules (organization_id, id) on delete cascade,
  constraint message_rule_rooms_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade
);

comment on table public.message_rule_rooms is 'The rooms of a message rule that is not for every room.';
comment on column public.message_rule_rooms.created_at is 'Since when the rule is for the room: what was due before is not written.';

-- for: the foreign key, when a room is deleted
create index message_rule_rooms_room_id_idx on public.message_rule_rooms (organization_id, room_id);

grant select, delete on public.message_rule_rooms to authenticated;
grant insert (organization_id, rule_id, room_id) on public.message_rule_rooms to authenticated;

alter table public.message_rule_rooms enable row level security;

create policy message_rule_rooms_select on public.message_rule_rooms
for select to authenticated
using (organization_id = (select private.organization_with('messages:read')));

create policy message_rule_rooms_insert on public.message_rule_rooms
for insert to authenticated
with check (organization_id = (select private.organization_with('messages:manage')));

create policy message_rule_rooms_delete on public.message_rule_rooms
for delete to authenticated
using (organization_id = (select private.organization_with('messages:manage')));

create function private.seed_message_rules()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into public.message_rules (organization_id, kind, minutes, days, at_time)
  values
  (new.id, 'reminder', null, 1, '18:00'),
  (new.id, 'thanks', 120, null, null),
  (new.id, 'payment_request', 72 * 60, null, null);
  return null;
end
$$;

comment on function private.seed_message_rules is
  'definer: writes an organization''s first rules, whoever opens it.';

create trigger seed_message_rules
after insert on public.organizations
for each row execute function private.seed_message_rules();
