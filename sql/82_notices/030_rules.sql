-- Whom an organization tells of what, and when: members, the owners, and addresses that were typed.

create function private.are_notice_kinds(kinds text [])
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return cardinality(kinds) between 1 and 10
    and array_position(kinds, null) is null
    and kinds <@ array[
      'booking_new', 'booking_changed', 'booking_cancelled', 'booking_paid_late', 'payment_disputed', 'mail_problem',
      'last_minute', 'own_sessions', 'day_board'
    ]
    and (select count(*) = count(distinct k) from unnest(kinds) as k)
    -- What goes to whoever runs a session is a rule of its own: nobody is chosen for it.
    and (not kinds && array['own_sessions', 'day_board'] or cardinality(kinds) = 1);
end
$$;

comment on function private.are_notice_kinds is
  'Whether these are kinds of notices, at least one, none twice; own_sessions and day_board only alone.';
grant execute on function private.are_notice_kinds to authenticated;

create table public.notice_rules (
  organization_id uuid not null default private.organization_with('notices:manage'),
  id uuid not null default private.uuid_v7(),
  kinds text [] not null,
  to_owners boolean not null default false,
  all_rooms boolean not null default true,
  digest_at time,
  last_minute_hours int,
  is_active boolean not null default true,
  counts_from timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint notice_rules_pkey primary key (organization_id, id),
  constraint notice_rules_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint notice_rules_kinds_are_known check (private.are_notice_kinds(kinds)),
  constraint notice_rules_digest_is_a_time_of_a_day check (digest_at < '24:00'),
  constraint notice_rules_board_has_an_hour check (not kinds = array['day_board'] or digest_at is not null),
  constraint notice_rules_own_sessions_are_told_at_once check (not kinds = array['own_sessions'] or digest_at is null),
  constraint notice_rules_game_masters_are_told_alone check (not kinds && array['own_sessions', 'day_board'] or not to_owners),
  constraint notice_rules_last_minute_has_hours check (('last_minute' = any(kinds)) = (last_minute_hours is not null)),
  constraint notice_rules_last_minute_is_a_week_at_most check (last_minute_hours between 1 and 168)
);

comment on table public.notice_rules is
  'Who is told of bookings: each rule tells its members, the owners if it says so, and its addresses. An organization begins with three: the owners are told at once of new, changed, cancelled, late-paid and disputed bookings, and of those whose mails do not arrive; game masters of changes to their own sessions, and at 18:00 of the next day''s board.';
comment on column public.notice_rules.kinds is
  'booking_new, booking_changed, booking_cancelled (or lapsed unpaid), booking_paid_late, payment_disputed, mail_problem (the newest mail about a visit to come did not reach its customer), last_minute (one of the first three of a visit that starts within last_minute_hours); or alone, to whoever is assigned: own_sessions, day_board.';
comment on column public.notice_rules.to_owners is 'Whether whoever is an owner at the time is told, beside its members.';
comment on column public.notice_rules.all_rooms is 'Whether it is for every room; otherwise those of notice_rule_rooms.';
comment on column public.notice_rules.digest_at is
  'Mails: one a day at this wall-clock time of the room''s location, a mail for each time zone; in a DST gap that much later, in a fold the second of the two. null: at once. Of day_board: when, the evening before. Notifications in the app, and last_minute, come at once.';
comment on column public.notice_rules.last_minute_hours is
  'How many hours before the start, 1 to 168, a booking that is made, changed or cancelled is last_minute: for the kind of that name; null without it.';
comment on column public.notice_rules.is_active is 'Whether it tells anybody. What is queued already is not sent any more once this is false.';
comment on column public.notice_rules.counts_from is
  'Since when it is as it is: of what happened before nobody is told. Set by the database whenever the rule is switched on, or its kinds, rooms, hours or owners change.';

-- for: private.notice_instants, the distinct hours of all rules
create index notice_rules_digest_at_idx on public.notice_rules (digest_at) where is_active and digest_at is not null;

grant select, delete on public.notice_rules to authenticated;
grant insert (organization_id, kinds, to_owners, all_rooms, digest_at, last_minute_hours, is_active)
on public.notice_rules to authenticated;
grant update (kinds, to_owners, all_rooms, digest_at, last_minute_hours, is_active)
on public.notice_rules to authenticated;

alter table public.notice_rules enable row level security;

create policy notice_rules_select on public.notice_rules
for select to authenticated
using (organization_id = (select private.organization_with('notices:read')));

create policy notice_rules_insert on public.notice_rules
for insert to authenticated
with check (organization_id = (select private.organization_with('notices:manage')));

create policy notice_rules_update on public.notice_rules
for update to authenticated
using (organization_id = (select private.organization_with('notices:manage')))
with check (organization_id = (select private.organization_with('notices:manage')));

create policy notice_rules_delete on public.notice_rules
for delete to authenticated
using (organization_id = (select private.organization_with('notices:manage')));

create trigger notice_rules_touch_updated_at
before update on public.notice_rules
for each row execute function private.touch_updated_at();

create trigger notice_rules_are_bounded
after insert on public.notice_rules
for each row execute function private.bound_rows('20');

create function private.renew_notice_rule()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Not another hour of the digest: what waits for the old one comes with the new one.
  if new.is_active and not old.is_active
    or (new.kinds, new.to_owners, new.all_rooms, new.last_minute_hours)
      is distinct from (old.kinds, old.to_owners, old.all_rooms, old.last_minute_hours)
  then
    new.counts_from := now();
  end if;
  return new;
end
$$;

comment on function private.renew_notice_rule is
  'A rule that is switched on, or tells of other things or others, counts from now: it tells nobody of what was before.';

create trigger renew_notice_rule
before update on public.notice_rules
for each row execute function private.renew_notice_rule();

create table public.notice_rule_rooms (
  organization_id uuid not null default private.organization_with('notices:manage'),
  rule_id uuid not null,
  room_id uuid not null,
  created_at timestamptz not null default now(),
  constraint notice_rule_rooms_pkey primary key (organization_id, rule_id, room_id),
  constraint notice_rule_rooms_rule_fkey foreign key (organization_id, rule_id)
  references public.notice_rules (organization_id, id) on delete cascade,
  constraint notice_rule_rooms_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade
);

comment on table public.notice_rule_rooms is 'The rooms of a notice rule that is not for every room.';
comment on column public.notice_rule_rooms.created_at is 'Since when the rule is for the room: of what happened before nobody is told.';

-- for: the foreign key, when a room is deleted
create index notice_rule_rooms_room_id_idx on public.notice_rule_rooms (organization_id, room_id);

grant select, delete on public.notice_rule_rooms to authenticated;
grant insert (organization_id, rule_id, room_id) on public.notice_rule_rooms to authenticated;

alter table public.notice_rule_rooms enable row level security;

create policy notice_rule_rooms_select on public.notice_rule_rooms
for select to authenticated
using (organization_id = (select private.organization_with('notices:read')));

create policy notice_rule_rooms_insert on public.notice_rule_rooms
for insert to authenticated
with check (organization_id = (select private.organization_with('notices:manage')));

create policy notice_rule_rooms_delete on public.notice_rule_rooms
for delete to authenticated
using (organization_id = (select private.organization_with('notices:manage')));

create table public.notice_rule_members (
  organization_id uuid not null default private.organization_with('notices:manage'),
  rule_id uuid not null,
  user_id uuid not null,
  created_at timestamptz not null default now(),
  constraint notice_rule_members_pkey primary key (organization_id, rule_id, user_id),
  constraint notice_rule_members_rule_fkey foreign key (organization_id, rule_id)
  references public.notice_rules (organization_id, id) on delete cascade,
  -- Whoever leaves is told of nothing, and comes back as anybody else does.
  constraint notice_rule_members_member_fkey foreign key (organization_id, user_id)
  references public.memberships (organization_id, user_id) on delete cascade
);

comment on table public.notice_rule_members is
  'The members whom a notice rule tells, while their membership counts and only of what they may read themselves.';
comment on column public.notice_rule_members.created_at is 'Since when: of what happened before the member is not told by the rule.';

-- for: the foreign key, when a membership ends
create index notice_rule_members_user_id_idx on public.notice_rule_members (organization_id, user_id);

grant select, delete on public.notice_rule_members to authenticated;
grant insert (organization_id, rule_id, user_id) on public.notice_rule_members to authenticated;

alter table public.notice_rule_members enable row level security;

create policy notice_rule_members_select on public.notice_rule_members
for select to authenticated
using (organization_id = (select private.organization_with('notices:read')));

create policy notice_rule_members_insert on public.notice_rule_members
for insert to authenticated
with check (organization_id = (select private.organization_with('notices:manage')));

create policy notice_rule_members_delete on public.notice_rule_members
for delete to authenticated
using (organization_id = (select private.organization_with('notices:manage')));

create trigger notice_rule_members_are_bounded
after insert on public.notice_rule_members
for each row execute function private.bound_rows('50', 'rule_id');

create function private.seed_notice_rules()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into public.notice_rules (organization_id, kinds, to_owners, digest_at)
  values
  (
    new.id,
    array[
      'booking_new', 'booking_changed', 'booking_cancelled', 'booking_paid_late', 'payment_disputed', 'mail_problem'
    ],
    true, null
  ),
  (new.id, array['own_sessions'], false, null),
  (new.id, array['day_board'], false, '18:00');
  return null;
end
$$;

comment on function private.seed_notice_rules is
  'definer: writes an organization''s first rules, whoever opens it.';

create trigger seed_notice_rules
after insert on public.organizations
for each row execute function private.seed_notice_rules();
