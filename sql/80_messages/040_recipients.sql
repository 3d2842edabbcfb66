-- Who writes down where a mail goes, and who erases it, take turns: however close the two are, nothing
-- of an erased customer stays.

create function private.lock_recipients(organization_id uuid, erasing boolean)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  key bigint := hashtextextended('recipients:' || lock_recipients.organization_id, 0);
begin
  if erasing then
    perform pg_advisory_xact_lock(key);
  else
    perform pg_advisory_xact_lock_shared(key);
  end if;
end
$$;

comment on function private.lock_recipients is
  'Until the transaction ends, an erasure is alone with the recipients of an organization''s mails; mails keep only erasures out. Taken before every other lock.';
