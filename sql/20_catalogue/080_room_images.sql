-- Room images: a room's pictures in their order, and the public bucket in which an organization writes
-- them to its own folder, <organization_id>/rooms/<file>.

create table public.room_images (
  organization_id uuid not null default private.organization_with('rooms:update'),
  id uuid not null default private.uuid_v7(),
  room_id uuid not null,
  position int not null default 0,
  path text not null,
  alt jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint room_images_pkey primary key (organization_id, id),
  -- Also the index for: the pictures of a room, and the foreign key.
  constraint room_images_path_key unique (organization_id, room_id, path),
  constraint room_images_room_fkey foreign key (organization_id, room_id)
  references public.rooms (organization_id, id) on delete cascade,
  constraint room_images_path_is_in_own_folder check (
    starts_with(path, organization_id::text || '/rooms/') and private.is_object_path(path)
  ),
  constraint room_images_path_is_a_picture check (private.is_file_name('room-images', path)),
  constraint room_images_alt_is_given_by_language check (private.is_texts(alt, 300))
);

comment on table public.room_images is
  'A room''s pictures; the first is its cover. A row says where a file is and does not own it: the file stays in the bucket when the row is deleted or changed, until whoever may change rooms deletes it there.';
comment on column public.room_images.position is 'Order in which they are shown; of those with the same, the older first.';
comment on column public.room_images.path is 'Object in the public bucket room-images: <organization_id>/rooms/<file>, a JPEG, PNG, WebP or AVIF by its ending.';
comment on column public.room_images.alt is
  'What is to be seen, for whoever does not see it, by language: {"es": "…", "en": "…"}; {}: nobody has said.';

grant select, delete on public.room_images to authenticated;
grant insert (organization_id, room_id, position, path, alt) on public.room_images to authenticated;
grant update (position, path, alt) on public.room_images to authenticated;

alter table public.room_images enable row level security;

create trigger room_images_clean_notes
before insert or update of alt on public.room_images
for each row execute function private.clean_texts('notes', 'alt');

create policy room_images_select on public.room_images
for select to authenticated
using (organization_id = (select private.organization_with('rooms:read')));

create policy room_images_insert on public.room_images
for insert to authenticated
with check (organization_id = (select private.organization_with('rooms:update')));

create policy room_images_update on public.room_images
for update to authenticated
using (organization_id = (select private.organization_with('rooms:update')))
with check (organization_id = (select private.organization_with('rooms:update')));

create policy room_images_delete on public.room_images
for delete to authenticated
using (organization_id = (select private.organization_with('rooms:update')));

create trigger room_images_touch_updated_at
before update on public.room_images
for each row execute function private.touch_updated_at();

create trigger room_images_are_bounded
after insert on public.room_images
for each row execute function private.bound_rows('20', 'room_id');

create type public.room_image as (
  path text,
  alt jsonb
);

comment on type public.room_image is 'A picture of a room.';
comment on column public.room_image.path is 'In the public bucket room-images.';
comment on column public.room_image.alt is 'What is to be seen, by language, for those who do not see it; {}: nobody said.';

create function private.room_images(organization_id uuid, room_id uuid)
returns public.room_image []
language plpgsql
stable
set search_path = ''
as $$
begin
  return array(
    select row(i.path, i.alt)::public.room_image
    from public.room_images as i
    where i.organization_id = room_images.organization_id and i.room_id = room_images.room_id
    order by i.position, i.id
  );
end
$$;

comment on function private.room_images is 'A room''s pictures in their order.';

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values (
  'room-images', 'room-images', true, 5242880,
  array['image/jpeg', 'image/png', 'image/webp', 'image/avif']
)
on conflict (id) do update
set public = excluded.public,
  file_size_limit = excluded.file_size_limit,
  allowed_mime_types = excluded.allowed_mime_types;

-- The folder is compared as text: casting a path to uuid would fail on a foreign one.

create policy room_images_select on storage.objects
for select to authenticated
using (
  bucket_id = 'room-images'
  and (storage.foldername(name))[1] = (select private.folder_with('rooms:read'))
);

create policy room_images_insert on storage.objects
for insert to authenticated
with check (
  bucket_id = 'room-images'
  and (storage.foldername(name))[1] = (select private.folder_with('rooms:update'))
  and private.is_file_name(bucket_id, name)
);

create policy room_images_update on storage.objects
for update to authenticated
using (
  bucket_id = 'room-images'
  and (storage.foldername(name))[1] = (select private.folder_with('rooms:update'))
)
with check (
  bucket_id = 'room-images'
  and (storage.foldername(name))[1] = (select private.folder_with('rooms:update'))
  and private.is_file_name(bucket_id, name)
);

create policy room_images_delete on storage.objects
for delete to authenticated
using (
  bucket_id = 'room-images'
  and (storage.foldername(name))[1] = (select private.folder_with('rooms:update'))
);
