-- Private buckets, and the public one of logos. Paths start with the organization's id; read and write by permission;
-- types and sizes are limited by the bucket, and a name ends as its type does, whether it was uploaded, copied or moved
-- (private.is_file_name): Storage holds none of the last two to the bucket's types. Files are read through signed URLs.
-- The public bucket of room images is with the rooms; who reads table-exports is said where those are made.

select private.permission_upsert(
  'documents:read', 'organization', false,
  'Read the organization''s documents', 'Leer los documentos de la organización',
  array['admin', 'manager']
);
select private.permission_upsert(
  'documents:manage', 'organization', true,
  'Add, replace and delete the organization''s documents', 'Añadir, cambiar y borrar documentos de la organización',
  array['admin', 'manager']
);
select private.permission_upsert(
  'games:read', 'games', false,
  'See games played and their team photos', 'Ver partidas y sus fotos de equipo',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'games:manage', 'games', true,
  'Run one''s own games and take team photos', 'Dirigir las partidas propias y hacer fotos de equipo',
  array['admin', 'manager', 'receptionist', 'game_master']
);

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values
('logos', 'logos', true, 1048576, array['image/jpeg', 'image/png', 'image/webp', 'image/avif']),
('documents', 'documents', false, 20971520, array['application/pdf', 'image/jpeg', 'image/png', 'text/plain', 'text/csv']),
('team-photos', 'team-photos', false, 10485760, array['image/jpeg', 'image/png', 'image/webp']),
('exports', 'exports', false, 1073741824, array['application/jsonl', 'application/x-ndjson', 'text/plain']),
(
  'table-exports', 'table-exports', false, 1073741824,
  array['text/csv', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'application/pdf']
)
on conflict (id) do update
set public = excluded.public,
  file_size_limit = excluded.file_size_limit,
  allowed_mime_types = excluded.allowed_mime_types;

-- The folder is compared as text: casting a path to uuid would raise on every other path.

create policy logos_select on storage.objects
for select to authenticated
using (
  bucket_id = 'logos'
  and (storage.foldername(name))[1] = (select private.folder_with('organization:read'))
);

create policy logos_insert on storage.objects
for insert to authenticated
with check (
  bucket_id = 'logos'
  and (storage.foldername(name))[1] = (select private.folder_with('organization:update'))
  and private.is_file_name(bucket_id, name)
);

create policy logos_update on storage.objects
for update to authenticated
using (
  bucket_id = 'logos'
  and (storage.foldername(name))[1] = (select private.folder_with('organization:update'))
)
with check (
  bucket_id = 'logos'
  and (storage.foldername(name))[1] = (select private.folder_with('organization:update'))
  and private.is_file_name(bucket_id, name)
);

create policy logos_delete on storage.objects
for delete to authenticated
using (
  bucket_id = 'logos'
  and (storage.foldername(name))[1] = (select private.folder_with('organization:update'))
);

create policy documents_select on storage.objects
for select to authenticated
using (
  bucket_id = 'documents'
  and (storage.foldername(name))[1] = (select private.folder_with('documents:read'))
);

create policy documents_insert on storage.objects
for insert to authenticated
with check (
  bucket_id = 'documents'
  and (storage.foldername(name))[1] = (select private.folder_with('documents:manage'))
  and private.is_file_name(bucket_id, name)
);

create policy documents_update on storage.objects
for update to authenticated
using (
  bucket_id = 'documents'
  and (storage.foldername(name))[1] = (select private.folder_with('documents:manage'))
)
with check (
  bucket_id = 'documents'
  and (storage.foldername(name))[1] = (select private.folder_with('documents:manage'))
  and private.is_file_name(bucket_id, name)
);

create policy documents_delete on storage.objects
for delete to authenticated
using (
  bucket_id = 'documents'
  and (storage.foldername(name))[1] = (select private.folder_with('documents:manage'))
);

create policy team_photos_select on storage.objects
for select to authenticated
using (
  bucket_id = 'team-photos'
  and (storage.foldername(name))[1] = (select private.folder_with('games:read'))
);

create policy team_photos_insert on storage.objects
for insert to authenticated
with check (
  bucket_id = 'team-photos'
  and (storage.foldername(name))[1] = (select private.folder_with('games:manage'))
  and private.is_file_name(bucket_id, name)
);

create policy team_photos_update on storage.objects
for update to authenticated
using (
  bucket_id = 'team-photos'
  and (storage.foldername(name))[1] = (select private.folder_with('games:manage'))
)
with check (
  bucket_id = 'team-photos'
  and (storage.foldername(name))[1] = (select private.folder_with('games:manage'))
  and private.is_file_name(bucket_id, name)
);

create policy team_photos_delete on storage.objects
for delete to authenticated
using (
  bucket_id = 'team-photos'
  and (storage.foldername(name))[1] = (select private.folder_with('games:manage'))
);

-- Exports are written by the worker as service_role; members only read.
create policy exports_select on storage.objects
for select to authenticated
using (
  bucket_id = 'exports'
  and (storage.foldername(name))[1] = (select private.folder_with('organization:export'))
);
