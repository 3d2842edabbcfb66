-- Signatures under a waiver: by a link that every member of the party may have, since it can do
-- nothing but sign; for oneself, and for minors by a guardian. And what a game waits for.

create table public.waiver_signatures (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  booking_id uuid not null,
  waiver_text_id uuid not null,
  version int not null,
  locale text not null,
  full_name text not null,
  email text,
  plays boolean not null,
  minors jsonb not null default '[]',
  people int not null,
  signed_at timestamptz not null default clock_timestamp(),
  constraint waiver_signatures_pkey primary key (organization_id, id),
  constraint waiver_signatures_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete restrict,
  constraint waiver_signatures_waiver_text_fkey foreign key (organization_id, waiver_text_id)
  references public.waiver_texts (organization_id, id) on delete restrict,
  constraint waiver_signatures_locale_is_supported check (private.is_locale(locale)),
  constraint waiver_signatures_full_name_is_a_name check (private.is_name(full_name, 200)),
  constraint waiver_signatures_email_is_plausible check (private.is_email(email)),
  constraint waiver_signatures_minors_are_a_list check (jsonb_typeof(minors) = 'array'),
  constraint waiver_signatures_are_for_somebody check (people > 0)
);

comment on table public.waiver_signatures is
  'Who signed which wording for which booking. The drawing is kept apart, in private.waiver_drawings.';
comment on column public.waiver_signatures.version is 'The wording''s, so that it can be read without it.';
comment on column public.waiver_signatures.locale is 'Language in which the wording was read.';
comment on column public.waiver_signatures.plays is 'False for a guardian who only signs for minors.';
comment on column public.waiver_signatures.minors is 'Whom the signer is the guardian of: [{full_name, birth_year}].';
comment on column public.waiver_signatures.people is 'For how many it counts: the signer, if playing, and the minors.';

-- for: the signatures of a booking, and the foreign key
create index waiver_signatures_booking_id_idx on public.waiver_signatures (organization_id, booking_id);
-- for: the foreign key
create index waiver_signatures_waiver_text_id_idx on public.waiver_signatures (organization_id, waiver_text_id);

grant select on public.waiver_signatures to authenticated;

alter table public.waiver_signatures enable row level security;

create policy waiver_signatures_select on public.waiver_signatures
for select to authenticated
using (organization_id = (select private.organization_with('waivers:read')));

create table private.waiver_drawings (
  organization_id uuid not null,
  signature_id uuid not null,
  drawing text not null,
  address_hash text,
  constraint waiver_drawings_pkey primary key (organization_id, signature_id),
  constraint waiver_drawings_signature_fkey foreign key (organization_id, signature_id)
  references public.waiver_signatures (organization_id, id) on delete cascade,
  constraint waiver_drawings_drawing_has_at_most_50_kilobytes check (length(drawing) between 1 and 51200)
);

comment on table private.waiver_drawings is 'The drawn signatures, apart from what the audit log copies.';
comment on column private.waiver_drawings.drawing is 'An SVG path, or a PNG as data URL.';
comment on column private.waiver_drawings.address_hash is 'Keyed hash of the address that it came from: tells whether two came from one, and nothing else.';

create function private.set_waiver_token()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.waiver_token_hash := private.token_hash(private.derived_token('waiver', new.booking_id::text));
  return new;
end
$$;

comment on function private.set_waiver_token is 'Every booking''s secrets hold the hash of its waiver''s token, whoever makes the booking.';

create trigger waiver_token
before insert on private.booking_secrets
for each row execute function private.set_waiver_token();

create type public.booking_waiver as (
  policy text,
  signed int,
  needed int,
  missing int,
  token text
);

comment on type public.booking_waiver is 'How far a party is with its waiver.';
comment on column public.booking_waiver.policy is 'Of the room; one of rooms.waiver_policy';
comment on column public.booking_waiver.signed is 'People for whom somebody has signed.';
comment on column public.booking_waiver.needed is 'People of the party; 0 where nothing is signed, as in a room where one may sign and the venue has published no text.';
comment on column public.booking_waiver.missing is 'People for whom nobody has signed yet.';
comment on column public.booking_waiver.token is 'For get_waiver and sign_waiver; null where nothing is signed, until the venue has published a text, and to whoever only pays the booking.';

create function private.booking_waiver(booking public.bookings)
returns public.booking_waiver
language plpgsql
stable
set search_path = ''
as $$
declare
  policy text;
  signed int;
  needed int;
  published boolean;
begin
  select r.waiver_policy into policy
  from public.rooms as r
  where r.organization_id = booking.organization_id and r.id = booking.room_id;
  if policy = 'none' or private.venue_is_closed(booking.organization_id) then
    return row('none', 0, 0, 0, null)::public.booking_waiver;
  end if;
  published := (private.current_waiver(booking.organization_id, booking.room_id)).id is not null;
  -- A room that requires a signature waits for the text: no game starts there without one.
  needed := case when published or policy = 'required' then booking.party_size else 0 end;
  select coalesce(sum(s.people), 0) into signed
  from public.waiver_signatures as s
  where s.organization_id = booking.organization_id and s.booking_id = booking.id;
  return row(
    policy, signed, needed, greatest(needed - signed, 0),
    case when published then private.derived_token('waiver', booking.id::text) end
  )::public.booking_waiver;
end
$$;

comment on function private.booking_waiver is
  'How far a party is with its waiver, by the policy of its room. A closed venue has no waiver, and without a published text there is none to sign.';

create function private.refuse_without_waiver()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  waiver public.booking_waiver := private.booking_waiver(new);
begin
  if waiver.policy = 'required' and waiver.missing > 0 then
    perform private.fail(
      'waiver_missing', 409,
      'Have the waiver signed for everybody who plays, or correct the party''s size.',
      to_jsonb(waiver) - 'token' - 'policy'
    );
  end if;
  return new;
end
$$;

comment on function private.refuse_without_waiver is
  'Raises 409 waiver_missing, details {"signed", "needed", "missing"}: where the room requires it, no game starts before everybody has signed.';

-- Its name puts it after refuse_unlisted_transition: a move that is not allowed is told first.
create trigger refuse_without_waiver
before update of status on public.bookings
for each row when (
  new.status = 'in_progress' and old.status <> 'in_progress'
  -- In one step, by somebody: the sweep only tidies up.
  or new.status = 'completed' and old.status = 'checked_in'
  and new.status_reason is distinct from 'nobody_said_otherwise'
)
execute function private.refuse_without_waiver();
