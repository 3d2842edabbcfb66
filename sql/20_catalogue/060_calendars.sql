-- Calendars: the public addresses under which rooms are sold.

create table public.calendars (
  organization_id uuid not null default private.organization_with('calendars:manage'),
  id uuid not null default private.uuid_v7(),
  slug text not null,
  name text not null,
  is_active boolean not null default true,
  minimum_notice_minutes int not null default 60,
  maximum_advance_days int not null default 90,
  hold_minutes int not null default 15,
  locales text [] not null default '{es,en,ca}',
  flow text not null default 'room_first',
  theme text not null default 'auto',
  accent_color text,
  terms jsonb not null default '{}',
  fee_kind text not null default 'none',
  fee_value bigint not null default 0,
  fee_tax_rate_bp int not null default 2100,
  waitlist_minutes int,
  shows_taken_times boolean not null default false,
  holds_per_address int not null default 5,
  confirm_by_email boolean not null default false,
  site_url text,
  descriptions jsonb not null default '{}',
  lapse_notice_minutes int,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint calendars_pkey primary key (organization_id, id),
  constraint calendars_organization_fkey foreign key (organization_id) references public.organizations (id) on delete restrict,
  constraint calendars_slug_key unique (slug),
  constraint calendars_slug_is_a_slug check (private.is_slug(slug)),
  constraint calendars_name_is_a_name check (private.is_name(name, 120)),
  constraint calendars_minimum_notice_is_at_most_90_days check (minimum_notice_minutes between 0 and 129600),
  constraint calendars_maximum_advance_is_1_day_to_2_years check (maximum_advance_days between 1 and 730),
  constraint calendars_hold_is_5_minutes_to_2_hours check (hold_minutes between 5 and 120),
  constraint calendars_locales_are_supported check (locales <@ array['es', 'en', 'ca'] and cardinality(locales) between 1 and 3),
  constraint calendars_flow_is_known check (flow in ('room_first', 'date_first')),
  constraint calendars_theme_is_known check (theme in ('auto', 'light', 'dark')),
  constraint calendars_accent_color_is_hexadecimal check (accent_color ~ '^#[0-9a-f]{6}$'),
  constraint calendars_terms_are_texts_by_language check (private.is_texts(terms, 20000)),
  constraint calendars_fee_kind_is_known check (fee_kind in ('none', 'booking', 'person', 'percent')),
  constraint calendars_fee_value_fits_its_kind check (
    case fee_kind
      when 'none' then fee_value = 0
      when 'percent' then fee_value between 1 and 100
      else fee_value between 1 and 100000000
    end
  ),
  constraint calendars_fee_tax_rate_is_a_share check (fee_tax_rate_bp between 0 and 10000),
  constraint calendars_waitlist_is_5_minutes_to_2_days check (waitlist_minutes between 5 and 2880),
  constraint calendars_lapse_notice_is_shorter_than_the_hold check (
    lapse_notice_minutes >= 2 and lapse_notice_minutes < hold_minutes
  ),
  constraint calendars_holds_per_address_are_1_to_1000 check (holds_per_address between 1 and 1000),
  constraint calendars_site_url_is_a_page check (private.is_site_url(site_url)),
  constraint calendars_descriptions_are_given_by_language check (private.is_texts(descriptions, 2000))
);

comment on table public.calendars is 'A public address under which rooms are sold, and its terms.';
comment on column public.calendars.slug is 'Public address, unique on the whole platform among calendars; what an organization is called has no part in it. Not changed in a visit of the platform''s support: 403 refused_in_a_visit.';
comment on column public.calendars.is_active is 'Whether the public finds it.';
comment on column public.calendars.minimum_notice_minutes is 'A session can be booked until so many minutes before it starts.';
comment on column public.calendars.maximum_advance_days is 'A session can be booked until so many days ahead, counted in local dates from today.';
comment on column public.calendars.hold_minutes is 'How long a booking may wait for its payment before its seats go back on sale.';
comment on column public.calendars.locales is 'Languages offered to visitors, of es, en and ca.';
comment on column public.calendars.flow is 'What a visitor chooses first: room_first or date_first.';
comment on column public.calendars.theme is 'auto (as the visitor''s device), light or dark.';
comment on column public.calendars.accent_color is 'Colour of buttons and marks in the widget and in mails, as #rrggbb; null: their own.';
comment on column public.calendars.terms is 'What a visitor must agree to, by language: {"es": "…"}; {}: nothing.';
comment on column public.calendars.fee_kind is 'Fee of a booking made here: none, booking (an amount), person (an amount a person) or percent (of seats and extras after discounts).';
comment on column public.calendars.fee_value is 'Per cent, or minor units, tax included; 0 for none.';
comment on column public.calendars.fee_tax_rate_bp is 'Tax contained in the fee, in basis points.';
comment on column public.calendars.waitlist_minutes is 'How long a place that became free is held for whoever waits for it; null: no waiting list.';
comment on column public.calendars.shows_taken_times is
  'Whether the booking page shows the times that are sold out; where there is a waiting list, one can wait for each.';
comment on column public.calendars.holds_per_address is
  'How many bookings to come for which nothing was paid yet one network address may have here at a time; one e-mail address three times as many, and four times for whoever signed in and has proven it. Those that staff make do not count.';
comment on column public.calendars.confirm_by_email is
  'Whether a booking with nothing to pay is confirmed by opening the link in its mail (confirm_booking); until then it is held, for an hour or as long as hold_minutes says.';
comment on column public.calendars.site_url is
  'The venue''s own page with the booking widget, https://host/path in lower-case ASCII, without query and fragment: the links of its mails lead there, and payments may lead back to its origin. null: the platform''s page. Not given nor changed in a visit of the platform''s support: 403 refused_in_a_visit.';
comment on column public.calendars.descriptions is 'What it sells, to visitors, by language: {"es": "…"}; {}: nothing is said.';
comment on column public.calendars.lapse_notice_minutes is
  'So many minutes before a place is lost that is still to be paid, whoever holds it is mailed once; at least 2, and less than hold_minutes. null: nobody is.';

grant select, delete on public.calendars to authenticated;
grant insert (
  organization_id, slug, name, is_active, minimum_notice_minutes, maximum_advance_days, hold_minutes, locales, flow,
  theme, accent_color, terms, fee_kind, fee_value, fee_tax_rate_bp, waitlist_minutes,
  shows_taken_times, holds_per_address, confirm_by_email, site_url, descriptions, lapse_notice_minutes
) on public.calendars to authenticated;
grant update (
  slug, name, is_active, minimum_notice_minutes, maximum_advance_days, hold_minutes, locales, flow, theme,
  accent_color, terms, fee_kind, fee_value, fee_tax_rate_bp, waitlist_minutes,
  shows_taken_times, holds_per_address, confirm_by_email, site_url, descriptions, lapse_notice_minutes
) on public.calendars to authenticated;

alter table public.calendars enable row level security;

create trigger calendars_clean_names
before insert or update of name on public.calendars
for each row execute function private.clean_texts('names', 'name');

create trigger calendars_clean_notes
before insert or update of terms, descriptions on public.calendars
for each row execute function private.clean_texts('notes', 'terms', 'descriptions');

create policy calendars_select on public.calendars
for select to authenticated
using (organization_id = (select private.organization_with('calendars:read')));

create policy calendars_insert on public.calendars
for insert to authenticated
with check (organization_id = (select private.organization_with('calendars:manage')));

create policy calendars_update on public.calendars
for update to authenticated
using (organization_id = (select private.organization_with('calendars:manage')))
with check (organization_id = (select private.organization_with('calendars:manage')));

create policy calendars_delete on public.calendars
for delete to authenticated
using (organization_id = (select private.organization_with('calendars:manage')));

create trigger calendars_refuse_uneven_amounts
before insert or update on public.calendars
for each row execute function private.refuse_uneven_amounts('fee_value');

create trigger calendars_touch_updated_at
before update on public.calendars
for each row execute function private.touch_updated_at();

-- The links of every later mail lead to site_url, with the tokens that open the booking. A slug that
-- is given up is anybody's to take, with all links that name it. What guests agree to is the venue's to say.
create trigger calendars_keep_new_address_in_a_visit
after insert on public.calendars
for each row when (new.site_url is not null or new.terms <> '{}')
execute function private.keep_in_a_visit();

create trigger calendars_keep_address_in_a_visit
after update of slug, site_url, terms on public.calendars
for each row when ((new.slug, new.site_url, new.terms) is distinct from (old.slug, old.site_url, old.terms))
execute function private.keep_in_a_visit();

create trigger calendars_are_bounded
after insert on public.calendars
for each row execute function private.bound_rows('100');

create trigger calendars_keep_to_plan
after insert on public.calendars
for each row execute function private.keep_to_plan();

create table public.calendar_rooms (
  organization_id uuid not null default private.organization_with('calendars:manage'),
  calendar_id uuid not null,
  room_id uuid not null,
  position int not null default 0,
  minimum_notice_minutes int,
  maximum_advance_days int,
  constraint calendar_rooms_pkey primary key (organization_id, calendar_id, room_id),
  constraint calendar_rooms_calendar_fkey foreign key (organization_id, calendar_id)
  references public.calendars (organization_id, id) on delete cascade,
  constraint calendar_rooms_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint calendar_rooms_minimum_notice_is_at_most_90_days check (minimum_notice_minutes between 0 and 129600),
  constraint calendar_rooms_maximum_advance_is_1_day_to_2_years check (maximum_advance_days between 1 and 730)
);

comment on table public.calendar_rooms is 'Which rooms a calendar sells; a room that is not published is left out.';
comment on column public.calendar_rooms.position is 'Order in which the calendar shows its rooms.';
comment on column public.calendar_rooms.minimum_notice_minutes is 'The room''s own, in this calendar; null: the calendar''s.';
comment on column public.calendar_rooms.maximum_advance_days is 'The room''s own, in this calendar; null: the calendar''s.';

-- for: the foreign key, when a room is deleted
create index calendar_rooms_room_id_idx on public.calendar_rooms (organization_id, room_id);

grant select, delete on public.calendar_rooms to authenticated;
grant insert (organization_id, calendar_id, room_id, position, minimum_notice_minutes, maximum_advance_days)
on public.calendar_rooms to authenticated;
grant update (position, minimum_notice_minutes, maximum_advance_days) on public.calendar_rooms to authenticated;

alter table public.calendar_rooms enable row level security;

create policy calendar_rooms_select on public.calendar_rooms
for select to authenticated
using (organization_id = (select private.organization_with('calendars:read')));

create policy calendar_rooms_insert on public.calendar_rooms
for insert to authenticated
with check (organization_id = (select private.organization_with('calendars:manage')));

create policy calendar_rooms_update on public.calendar_rooms
for update to authenticated
using (organization_id = (select private.organization_with('calendars:manage')))
with check (organization_id = (select private.organization_with('calendars:manage')));

create policy calendar_rooms_delete on public.calendar_rooms
for delete to authenticated
using (organization_id = (select private.organization_with('calendars:manage')));

create trigger calendar_rooms_are_bounded
after insert on public.calendar_rooms
for each row execute function private.bound_rows('50', 'calendar_id');

create table public.calendar_blocked_dates (
  organization_id uuid not null default private.organization_with('calendars:manage'),
  id uuid not null default private.uuid_v7(),
  calendar_id uuid not null,
  from_date date not null,
  to_date date not null,
  reason text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint calendar_blocked_dates_pkey primary key (organization_id, id),
  -- Also the index for: the blocked dates of a calendar (private.slots), and the foreign key.
  constraint calendar_blocked_dates_range_key unique (organization_id, calendar_id, from_date, to_date),
  constraint calendar_blocked_dates_calendar_fkey foreign key (organization_id, calendar_id)
  references public.calendars (organization_id, id) on delete cascade,
  constraint calendar_blocked_dates_are_ordered_from_2000_to_2199 check (
    '2000-01-01' <= from_date and from_date <= to_date and to_date < '2200-01-01'
  ),
  constraint calendar_blocked_dates_reason_is_a_text check (private.is_text(reason, 500))
);

comment on table public.calendar_blocked_dates is
  'Dates on which a calendar sells nothing, though its rooms are open: other calendars and the staff still do.';
comment on column public.calendar_blocked_dates.from_date is 'First date; a session belongs to the local date on which it starts.';
comment on column public.calendar_blocked_dates.to_date is 'Last date, included.';
comment on column public.calendar_blocked_dates.reason is 'For the staff; visitors do not see it.';

grant select, delete on public.calendar_blocked_dates to authenticated;
grant insert (organization_id, calendar_id, from_date, to_date, reason) on public.calendar_blocked_dates to authenticated;
grant update (from_date, to_date, reason) on public.calendar_blocked_dates to authenticated;

alter table public.calendar_blocked_dates enable row level security;

create trigger calendar_blocked_dates_clean_notes
before insert or update of reason on public.calendar_blocked_dates
for each row execute function private.clean_texts('notes', 'reason');

create policy calendar_blocked_dates_select on public.calendar_blocked_dates
for select to authenticated
using (organization_id = (select private.organization_with('calendars:read')));

create policy calendar_blocked_dates_insert on public.calendar_blocked_dates
for insert to authenticated
with check (organization_id = (select private.organization_with('calendars:manage')));

create policy calendar_blocked_dates_update on public.calendar_blocked_dates
for update to authenticated
using (organization_id = (select private.organization_with('calendars:manage')))
with check (organization_id = (select private.organization_with('calendars:manage')));

create policy calendar_blocked_dates_delete on public.calendar_blocked_dates
for delete to authenticated
using (organization_id = (select private.organization_with('calendars:manage')));

create trigger calendar_blocked_dates_touch_updated_at
before update on public.calendar_blocked_dates
for each row execute function private.touch_updated_at();

create trigger calendar_blocked_dates_are_bounded
after insert on public.calendar_blocked_dates
for each row execute function private.bound_rows('1000', 'calendar_id');
