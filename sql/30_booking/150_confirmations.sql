-- Bookings that wait for a click in their mail.

create table private.booking_confirmations (
  organization_id uuid not null,
  booking_id uuid not null,
  token_hash bytea not null,
  confirmed_at timestamptz,
  created_at timestamptz not null default now(),
  constraint booking_confirmations_pkey primary key (organization_id, booking_id),
  constraint booking_confirmations_token_hash_key unique (token_hash),
  constraint booking_confirmations_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_confirmations_hash_is_sha256 check (length(token_hash) = 32)
);

comment on table private.booking_confirmations is
  'Bookings that were asked to be confirmed by mail. The token is in that mail only: not even who made the booking gets it otherwise.';
comment on column private.booking_confirmations.confirmed_at is 'When the link was opened: the address was proven then.';

create function private.awaits_confirmation(booking public.bookings)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return booking.status = 'held' and exists (
    select from private.booking_confirmations as c
    where c.organization_id = booking.organization_id
      and c.booking_id = booking.id
      and c.confirmed_at is null
  );
end
$$;

comment on function private.awaits_confirmation is
  'Whether the booking is held until the link in its mail is opened.';
