-- Tags of bookings: a list of the organization's own, and which booking has which.

create table public.tags (
  organization_id uuid not null default private.organization_with('tags:manage'),
  id uuid not null default private.uuid_v7(),
  name text not null,
  color text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint tags_pkey primary key (organization_id, id),
  constraint tags_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint tags_name_is_a_name check (private.is_name(name, 40)),
  constraint tags_color_is_hexadecimal check (color ~ '^#[0-9a-f]{6}$')
);

comment on table public.tags is
  'What bookings can be marked with, as birthday or school. Bookings name a tag by its id: renamed, they have it by its new name; deleted, they are without it.';
comment on column public.tags.name is 'As typed, without space around it; no two of an organization, whatever their case.';
comment on column public.tags.color is 'Colour by which the venue''s screens know it, as #rrggbb; null: none.';

-- for: one tag a name
create unique index tags_name_key on public.tags (organization_id, lower(name));

grant select, delete on public.tags to authenticated;
grant insert (organization_id, name, color) on public.tags to authenticated;
grant update (name, color) on public.tags to authenticated;

alter table public.tags enable row level security;

create policy tags_select on public.tags
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create policy tags_insert on public.tags
for insert to authenticated
with check (organization_id = (select private.organization_with('tags:manage')));

create policy tags_update on public.tags
for update to authenticated
using (organization_id = (select private.organization_with('tags:manage')))
with check (organization_id = (select private.organization_with('tags:manage')));

create policy tags_delete on public.tags
for delete to authenticated
using (organization_id = (select private.organization_with('tags:manage')));

create trigger tags_clean_names
before insert or update of name on public.tags
for each row execute function private.clean_texts('names', 'name');

create trigger tags_touch_updated_at
before update on public.tags
for each row execute function private.touch_updated_at();

create trigger tags_are_bounded
after insert on public.tags
for each row execute function private.bound_rows('100');

create table public.booking_tags (
  organization_id uuid not null,
  booking_id uuid not null,
  tag_id uuid not null,
  -- Also the index for: the tags of a booking, and the foreign key.
  constraint booking_tags_pkey primary key (organization_id, booking_id, tag_id),
  constraint booking_tags_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_tags_tag_fkey foreign key (organization_id, tag_id)
  references public.tags (organization_id, id) on delete cascade
);

comment on table public.booking_tags is
  'Which booking has which tag: select=…,tags(name,color) of bookings shows them, and tags!inner(id)&tags.id=eq.… lists the bookings of one. Written by set_booking_tags.';

-- for: the bookings of a tag, and the foreign key
create index booking_tags_tag_id_idx on public.booking_tags (organization_id, tag_id);

grant select on public.booking_tags to authenticated;

alter table public.booking_tags enable row level security;

create policy booking_tags_select on public.booking_tags
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create function private.has_tag(organization_id uuid, booking_id uuid, tag_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return exists (
    select from public.booking_tags as bt
    where bt.organization_id = has_tag.organization_id
      and bt.booking_id = has_tag.booking_id
      and bt.tag_id = has_tag.tag_id
  );
end
$$;

comment on function private.has_tag is 'Whether a booking has a tag.';

create function private.set_booking_tags(organization_id uuid, booking_id uuid, tag_ids uuid [])
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  wanted uuid [] := array(select distinct w.id from unnest(set_booking_tags.tag_ids) as w (id) where w.id is not null);
  missing uuid;
  booking public.bookings;
begin
  perform private.require_permission(set_booking_tags.organization_id, 'bookings:update');
  if cardinality(wanted) > 20 then
    perform private.fail('too_many_tags', 422, 'Give a booking at most 20 tags.', '{"maximum": 20}');
  end if;
  booking := private.locked_booking(set_booking_tags.organization_id, set_booking_tags.booking_id);
  -- Whoever deletes one of them waits, or is waited for: then it is not there any more.
  perform from public.tags as t
  where t.organization_id = booking.organization_id and t.id = any (wanted)
  order by t.id
  for key share;
  select w.id into missing
  from unnest(wanted) as w (id)
  where not exists (
    select from public.tags as t
    where t.organization_id = booking.organization_id and t.id = w.id
  )
  order by w.id
  limit 1;
  if found then
    perform private.fail(
      'tag_not_found', 422, 'Choose tags of the organization''s list.', jsonb_build_object('tag_id', missing)
    );
  end if;
  delete from public.booking_tags as bt
  where bt.organization_id = booking.organization_id and bt.booking_id = booking.id and bt.tag_id <> all (wanted);
  insert into public.booking_tags (organization_id, booking_id, tag_id)
  select booking.organization_id, booking.id, w.id
  from unnest(wanted) as w (id)
  on conflict on constraint booking_tags_pkey do nothing;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.set_booking_tags is
  'definer: writes the tags of bookings, which no client may write. Asks for bookings:update.';
grant execute on function private.set_booking_tags to authenticated;

create function public.set_booking_tags(organization_id uuid, booking_id uuid, tag_ids uuid [])
returns void
language sql
volatile
set search_path = ''
as $$ select private.set_booking_tags(organization_id, booking_id, tag_ids) $$;

comment on function public.set_booking_tags is
  'Gives a booking, in whatever status, exactly these tags of the organization''s list, 20 at most; {}: none. For members with bookings:update. Errors: 403 permission_denied, organization_suspended; 404 booking_not_found; 422 tag_not_found (details {"tag_id"}), too_many_tags (details {"maximum"}).';
grant execute on function public.set_booking_tags to authenticated;
