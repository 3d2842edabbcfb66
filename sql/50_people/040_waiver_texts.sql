-- Waivers: what players sign, in versions that never change.

create table public.waiver_texts (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  room_id uuid,
  version int not null,
  texts jsonb not null,
  published_at timestamptz not null default now(),
  constraint waiver_texts_pkey primary key (organization_id, id),
  constraint waiver_texts_version_key unique (organization_id, version),
  constraint waiver_texts_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete restrict,
  constraint waiver_texts_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint waiver_texts_version_is_positive check (version > 0),
  constraint waiver_texts_are_texts check (private.is_texts(texts, 50000) and texts <> '{}')
);

comment on table public.waiver_texts is
  'Versions of the waiver, each for the whole venue or for one room. The newest of the room counts, else the newest of the venue. A version never changes: a signature says which one was signed.';
comment on column public.waiver_texts.room_id is 'Null: for every room without a text of its own.';
comment on column public.waiver_texts.version is 'Counted through in the organization, so that a number means one wording.';
comment on column public.waiver_texts.texts is 'One wording a language, {"es": "…", "en": "…"}.';

-- for: private.current_waiver, and the foreign key
create index waiver_texts_room_id_idx on public.waiver_texts (organization_id, room_id, version desc);

grant select on public.waiver_texts to authenticated;

alter table public.waiver_texts enable row level security;

create trigger waiver_texts_clean_notes
before insert or update of texts on public.waiver_texts
for each row execute function private.clean_texts('notes', 'texts');

create policy waiver_texts_select on public.waiver_texts
for select to authenticated
using (organization_id = (select private.organization_with('waivers:read')));

create function private.refuse_waiver_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  raise exception 'a published waiver never changes'
    using errcode = 'restrict_violation', hint = 'Publish another version.';
end
$$;

comment on function private.refuse_waiver_change is 'Keeps published wordings as they were signed, for their owner too.';

-- Deleting is refused by the signatures, and left to rooms that go without having been booked.
create trigger waiver_texts_refuse_change
before update on public.waiver_texts
for each row execute function private.refuse_waiver_change();

create function private.current_waiver(organization_id uuid, room_id uuid)
returns public.waiver_texts
language plpgsql
stable
set search_path = ''
as $$
declare
  waiver public.waiver_texts;
begin
  select w.* into waiver
  from public.waiver_texts as w
  where w.organization_id = current_waiver.organization_id
    and (w.room_id = current_waiver.room_id or w.room_id is null)
  order by w.room_id is null, w.version desc
  limit 1;
  return waiver;
end
$$;

comment on function private.current_waiver is
  'What is signed for a room now; a row of nulls when the venue has published nothing.';

create type public.published_waiver as (
  id uuid,
  room_id uuid,
  version int,
  published_at timestamptz
);

comment on type public.published_waiver is 'A version of the waiver, from now on.';
comment on column public.published_waiver.id is 'Of the version.';
comment on column public.published_waiver.room_id is 'Whose waiver it is; null: of all rooms without one of their own.';
comment on column public.published_waiver.version is 'Counted through in the organization.';
comment on column public.published_waiver.published_at is 'Since when it is signed.';

create function private.publish_waiver(organization_id uuid, texts jsonb, room_id uuid)
returns public.published_waiver
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  published public.waiver_texts;
begin
  perform private.require_permission(publish_waiver.organization_id, 'waivers:manage');
  -- Guests sign it.
  perform private.refuse_in_a_visit(publish_waiver.organization_id);
  if not private.is_texts(private.clean_json(publish_waiver.texts), 50000) or publish_waiver.texts = '{}' then
    perform private.fail('texts_invalid', 422, 'Give the text in at least one language (es, en, ca), each of 1 to 50000 characters.');
  elsif publish_waiver.room_id is not null and not exists (
    select from public.rooms as r
    where r.organization_id = publish_waiver.organization_id and r.id = publish_waiver.room_id
  ) then
    perform private.fail('room_not_found', 404, 'Choose one of the organization''s rooms.');
  end if;
  -- Whoever publishes at the same time takes the next number.
  loop
    insert into public.waiver_texts (organization_id, room_id, version, texts)
    select
      publish_waiver.organization_id, publish_waiver.room_id, coalesce(max(w.version), 0) + 1, publish_waiver.texts
    from public.waiver_texts as w
    where w.organization_id = publish_waiver.organization_id
    on conflict on constraint waiver_texts_version_key do nothing
    returning * into published;
    exit when found;
  end loop;
  return row(published.id, published.room_id, published.version, published.published_at)::public.published_waiver;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.publish_waiver is
  'definer: writes wordings, which no client may write.';
grant execute on function private.publish_waiver to authenticated;

create function public.publish_waiver(organization_id uuid, texts jsonb, room_id uuid default null)
returns public.published_waiver
language sql
volatile
set search_path = ''
as $$ select private.publish_waiver(organization_id, texts, room_id) $$;

comment on function public.publish_waiver is
  'Publishes the next version of the waiver, {"es": "…", "en": "…"}, for all rooms or for one, from now on; what was signed before stays signed. For members with waivers:manage. Errors: 403 permission_denied, organization_suspended, refused_in_a_visit; 404 room_not_found; 422 texts_invalid.';
grant execute on function public.publish_waiver to authenticated;
