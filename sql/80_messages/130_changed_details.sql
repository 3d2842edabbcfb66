-- What whoever has booked must know to come, changed: told where the location asks for it.

create function private.note_changed_details()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  new.details_changed_at := now();
  return new;
end
$$;

comment on function private.note_changed_details is
  'Remembers since when a location''s directions are as they are.';

create trigger note_changed_details
before update on public.locations
for each row when (
  (new.address, new.postal_code, new.city, new.phone, new.arrival_hints, new.directions)
  is distinct from (old.address, old.postal_code, old.city, old.phone, old.arrival_hints, old.directions)
)
execute function private.note_changed_details();

-- for: private.queue_changed_details
create index locations_details_changed_at_idx on public.locations (details_changed_at) where tells_changes;

create function private.details_content(organization_id uuid, cause jsonb)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select private.with_data(
      private.booking_content(b.organization_id, b.id),
      (
        select jsonb_build_object('event_id', event.uid, 'event_at', event.updated_at, 'event_version', event.sequence)
        from private.booking_event(b.organization_id, b.id, 'infinity') as event
      )
    )
    from public.bookings as b
    join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
    join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
    where b.organization_id = details_content.organization_id
      and b.id = (cause ->> 'booking_id')::uuid
      and b.status = 'confirmed'
      and b.starts_at > now()
      and l.tells_changes
      -- A later change has a mail of its own.
      and l.details_changed_at = (cause ->> 'changed_at')::timestamptz
  );
end
$$;

comment on function private.details_content is
  'What the mail says that tells of a changed address, phone or way; null when it changed again, the booking is not on any more, or the game has begun.';

select private.email_template_upsert('details_changed', 'details_content');

create function private.queue_changed_details(max int)
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  queued int;
begin
  select count(
    private.enqueue(
      'email.send',
      jsonb_build_object(
        'template', 'details_changed', 'organization_id', told.organization_id, 'booking_id', told.id,
        'changed_at', told.details_changed_at
      ),
      concat_ws(':', 'details_changed', told.id, extract(epoch from told.details_changed_at)),
      told.organization_id
    )
  ) into queued
  from (
    select b.organization_id, b.id, l.details_changed_at
    from public.locations as l
    join public.rooms as r on r.organization_id = l.organization_id and r.location_id = l.id
    join public.bookings as b on b.organization_id = r.organization_id and b.room_id = r.id
    where l.tells_changes
      -- Time to correct what was mistyped; a day, after an outage.
      and l.details_changed_at <= now() - interval '15 minutes'
      and l.details_changed_at > now() - interval '1 day'
      and b.status = 'confirmed'
      and b.starts_at > now()
      -- Whoever was confirmed since has been told as it is now.
      and private.stood_by(b, l.details_changed_at)
      and not exists (
        select from private.jobs as j
        where j.kind = 'email.send'
          and j.dedupe_key = concat_ws(':', 'details_changed', b.id, extract(epoch from l.details_changed_at))
      )
    order by b.starts_at, b.id
    limit queue_changed_details.max
  ) as told;
  return queued;
end
$$;

comment on function private.queue_changed_details is
  'Queues the mails about changed directions a quarter of an hour after the last change, soonest games first, at most so many, and returns how many.';
