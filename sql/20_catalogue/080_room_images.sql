-- Room images: a public bucket in which an organization writes to its own folder,
-- <organization_id>/rooms/<file>.

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
);

create policy room_images_delete on storage.objects
for delete to authenticated
using (
  bucket_id = 'room-images'
  and (storage.foldername(name))[1] = (select private.folder_with('rooms:update'))
);
