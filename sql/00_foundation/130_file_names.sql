-- Names of files: whoever serves a file may say by its name what it is, so that a page that was declared as a picture
-- would be a page of this origin.

create function private.is_file_name(bucket_id text, name text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  -- Of each type that the bucket allows (storage.buckets.allowed_mime_types), what its files' names end in.
  endings text := case bucket_id
    when 'logos' then 'jpg|jpeg|png|webp|avif'
    when 'room-images' then 'jpg|jpeg|png|webp|avif'
    when 'team-photos' then 'jpg|jpeg|png|webp'
    when 'documents' then 'pdf|jpg|jpeg|png|txt|csv'
    when 'exports' then 'jsonl|ndjson|txt'
    when 'table-exports' then 'csv|xlsx|pdf'
  end;
begin
  return coalesce(lower(name) ~ ('[^/]\.(' || endings || ')$'), false);
end
$$;

comment on function private.is_file_name is
  'Whether a file of that name may be in the bucket: its ending, in any case, belongs to a type that the bucket allows. False for buckets that are not named here.';
grant execute on function private.is_file_name to authenticated;
