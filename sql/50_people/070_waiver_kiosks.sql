-- Signing at the venue: a tablet in the lobby with a token of its own, or a member of staff.

create table public.waiver_kiosks (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  location_id uuid not null,
  name text not null,
  created_by uuid,
  support_entry_id uuid,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  constraint waiver_kiosks_pkey primary key (organization_id, id),
  constraint waiver_kiosks_location_fkey foreign key (organization_id, location_id)
  references public.locations (organization_id, id) on delete cascade,
  constraint waiver_kiosks_created_by_fkey foreign key (created_by) references public.profiles (user_id) on delete set null,
  constraint waiver_kiosks_support_entry_fkey foreign key (organization_id, support_entry_id)
  references public.support_entries (organization_id, id) on delete cascade,
  constraint waiver_kiosks_name_is_a_name check (private.is_name(name, 120))
);

comment on table public.waiver_kiosks is
  'Tablets on which parties of a location sign. Opened and revoked through functions only; the token is kept elsewhere, as a hash.';
comment on column public.waiver_kiosks.created_by is 'Null for an API key, and once the account is deleted.';
comment on column public.waiver_kiosks.support_entry_id is 'The visit of the platform''s support that made it, and with which it ends; null: made by a member.';
comment on column public.waiver_kiosks.revoked_at is 'From then on the token opens nothing.';

-- for: the foreign key
create index waiver_kiosks_location_id_idx on public.waiver_kiosks (organization_id, location_id);

-- for: what a person left open, and the foreign key
create index waiver_kiosks_created_by_idx on public.waiver_kiosks (created_by);
-- for: the foreign key
create index waiver_kiosks_support_entry_id_idx on public.waiver_kiosks (organization_id, support_entry_id);

grant select on public.waiver_kiosks to authenticated;

alter table public.waiver_kiosks enable row level security;

create trigger waiver_kiosks_clean_names
before insert or update of name on public.waiver_kiosks
for each row execute function private.clean_texts('names', 'name');

create policy waiver_kiosks_select on public.waiver_kiosks
for select to authenticated
using (organization_id = (select private.organization_with('waivers:read')));

create table private.waiver_kiosk_secrets (
  organization_id uuid not null,
  kiosk_id uuid not null,
  token_hash bytea not null,
  constraint waiver_kiosk_secrets_pkey primary key (organization_id, kiosk_id),
  constraint waiver_kiosk_secrets_kiosk_fkey foreign key (organization_id, kiosk_id)
  references public.waiver_kiosks (organization_id, id) on delete cascade,
  constraint waiver_kiosk_secrets_token_hash_key unique (token_hash)
);

comment on table private.waiver_kiosk_secrets is
  'Hash of each kiosk''s token. Found by hash on the whole platform: the token is all that a kiosk brings.';

create function private.create_waiver_kiosk(organization_id uuid, location_id uuid, name text)
returns public.issued_token
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  token text := private.random_token();
  kiosk_id uuid;
begin
  perform private.require_permission(create_waiver_kiosk.organization_id, 'waivers:manage');
  if private.is_name(private.clean_text(create_waiver_kiosk.name), 120) is not true then
    perform private.fail('name_invalid', 422, 'Give the kiosk a name of 1 to 120 characters.');
  elsif not exists (
    select from public.locations as l
    where l.organization_id = create_waiver_kiosk.organization_id and l.id = create_waiver_kiosk.location_id
  ) then
    perform private.fail('location_not_found', 404, 'Choose one of the organization''s locations.');
  end if;
  insert into public.waiver_kiosks (organization_id, location_id, name, created_by, support_entry_id)
  values (
    create_waiver_kiosk.organization_id, create_waiver_kiosk.location_id, create_waiver_kiosk.name,
    private.calling_person(), private.current_visit(create_waiver_kiosk.organization_id)
  )
  returning id into kiosk_id;
  insert into private.waiver_kiosk_secrets (organization_id, kiosk_id, token_hash)
  values (create_waiver_kiosk.organization_id, kiosk_id, private.token_hash(token));
  return row(kiosk_id, token)::public.issued_token;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_waiver_kiosk is
  'definer: writes the token''s hash, which no client may see.';
grant execute on function private.create_waiver_kiosk to authenticated;

create function public.create_waiver_kiosk(organization_id uuid, location_id uuid, name text)
returns public.issued_token
language sql
volatile
set search_path = ''
as $$ select private.create_waiver_kiosk(organization_id, location_id, name) $$;

comment on function public.create_waiver_kiosk is
  'Opens a kiosk on which the parties of a location sign. The token is shown this once. Made in a visit of the platform''s support, it ends with the visit. For members with waivers:manage. Errors: 403 permission_denied, organization_suspended; 404 location_not_found; 422 name_invalid.';
grant execute on function public.create_waiver_kiosk to authenticated;

create function private.revoke_waiver_kiosk(organization_id uuid, kiosk_id uuid)
returns public.revoked_token
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  revoked timestamptz;
begin
  perform private.require_permission(revoke_waiver_kiosk.organization_id, 'waivers:manage');
  update public.waiver_kiosks as k
  set revoked_at = coalesce(k.revoked_at, now())
  where k.organization_id = revoke_waiver_kiosk.organization_id and k.id = revoke_waiver_kiosk.kiosk_id
  returning k.revoked_at into revoked;
  if not found then
    perform private.fail('kiosk_not_found', 404, 'Choose one of the organization''s kiosks.');
  end if;
  return row(revoke_waiver_kiosk.kiosk_id, revoked)::public.revoked_token;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.revoke_waiver_kiosk is
  'definer: writes revoked_at, which clients may not write.';
grant execute on function private.revoke_waiver_kiosk to authenticated;

create function public.revoke_waiver_kiosk(organization_id uuid, kiosk_id uuid)
returns public.revoked_token
language sql
volatile
set search_path = ''
as $$ select private.revoke_waiver_kiosk(organization_id, kiosk_id) $$;

comment on function public.revoke_waiver_kiosk is
  'Closes a kiosk for good, from the next request on. For members with waivers:manage. Errors: 403 permission_denied, organization_suspended; 404 kiosk_not_found.';
grant execute on function public.revoke_waiver_kiosk to authenticated;

create type public.waiver_party as (
  reference text,
  room_name text,
  starts_at timestamptz,
  signed int,
  needed int,
  missing int,
  token text
);

comment on type public.waiver_party is 'A party that can sign; nobody is named.';
comment on column public.waiver_party.reference is 'Of the booking.';
comment on column public.waiver_party.room_name is 'As it is called.';
comment on column public.waiver_party.starts_at is 'Of the game.';
comment on column public.waiver_party.signed is 'People for whom somebody has signed.';
comment on column public.waiver_party.needed is 'People of the party; 0 where nothing is signed.';
comment on column public.waiver_party.missing is 'People for whom nobody has signed yet.';
comment on column public.waiver_party.token is 'For get_waiver and sign_waiver; null once the venue is closed.';

create type public.waiver_kiosk as (
  organization public.venue,
  location_name text,
  timezone text,
  parties public.waiver_party []
);

comment on type public.waiver_kiosk is 'What a kiosk offers.';
comment on column public.waiver_kiosk.organization is 'Whose kiosk it is.';
comment on column public.waiver_kiosk.location_name is 'Where it stands.';
comment on column public.waiver_kiosk.timezone is 'IANA zone of the location.';
comment on column public.waiver_kiosk.parties is 'Those that start within four hours or started within two, by time.';

create function private.parties_to_sign(organization_id uuid, location_id uuid, from_time timestamptz, to_time timestamptz)
returns public.waiver_party []
language plpgsql
stable
set search_path = ''
as $$
begin
  return (
    select coalesce(
      array_agg(
        row(b.reference, r.name, b.starts_at, w.signed, w.needed, w.missing, w.token)::public.waiver_party
        order by b.starts_at, r.name, b.id
      ),
      '{}'
    )
    from public.rooms as r
    join public.bookings as b
      on b.organization_id = r.organization_id
      and b.room_id = r.id
      and b.starts_at >= parties_to_sign.from_time
      and b.starts_at < parties_to_sign.to_time
    cross join private.booking_waiver(b) as w
    where r.organization_id = parties_to_sign.organization_id
      and r.location_id = parties_to_sign.location_id
      and w.token is not null
      and private.waiver_is_open(b)
  );
end
$$;

comment on function private.parties_to_sign is
  'The parties of a location that start in a time and can sign, by time.';

create function private.get_waiver_kiosk(token text)
returns public.waiver_kiosk
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  kiosk record;
begin
  perform private.count_attempt();
  perform private.limit_rate('public_read', 'address', private.client_address());
  select k.organization_id, k.location_id, row(o.name, o.slug)::public.venue as venue, l.name as location_name, l.timezone
  into kiosk
  from private.waiver_kiosk_secrets as s
  join public.waiver_kiosks as k on k.organization_id = s.organization_id and k.id = s.kiosk_id
  join public.locations as l on l.organization_id = k.organization_id and l.id = k.location_id
  join public.organizations as o on o.id = k.organization_id
  where s.token_hash = private.typed_token_hash(get_waiver_kiosk.token)
    and k.revoked_at is null
    and not private.visit_is_over(k.organization_id, k.support_entry_id)
    and o.status <> 'closed';
  if not found then
    perform private.fail('kiosk_not_found', 404, 'Ask the venue to open the kiosk anew.');
  end if;
  return row(
    kiosk.venue,
    kiosk.location_name,
    kiosk.timezone,
    -- Who comes late still signs; who comes this evening does not need to be listed yet.
    private.parties_to_sign(
      kiosk.organization_id, kiosk.location_id, now() - interval '2 hours', now() + interval '4 hours'
    )
  )::public.waiver_kiosk;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_waiver_kiosk is
  'definer: shows a location''s next parties to whoever holds a kiosk''s token.';
grant execute on function private.get_waiver_kiosk to anon, authenticated;

create function public.get_waiver_kiosk(token text)
returns public.waiver_kiosk
language sql
volatile
set search_path = ''
as $$ select private.get_waiver_kiosk(token) $$;

comment on function public.get_waiver_kiosk is
  'What a kiosk offers: the parties that start within four hours or started within two. For anybody with the kiosk''s token. Errors: 404 kiosk_not_found; 429 rate_limited.';
grant execute on function public.get_waiver_kiosk to anon, authenticated;

create function private.get_waivers_to_sign(organization_id uuid, location_id uuid, date date)
returns public.waiver_party []
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  zone text;
begin
  perform private.require_permission(get_waivers_to_sign.organization_id, 'waivers:collect');
  select l.timezone into zone
  from public.locations as l
  where l.organization_id = get_waivers_to_sign.organization_id and l.id = get_waivers_to_sign.location_id;
  if not found then
    perform private.fail('location_not_found', 404, 'Choose one of the organization''s locations.');
  end if;
  return private.parties_to_sign(
    get_waivers_to_sign.organization_id,
    get_waivers_to_sign.location_id,
    coalesce(get_waivers_to_sign.date, (now() at time zone zone)::date)::timestamp at time zone zone,
    (coalesce(get_waivers_to_sign.date, (now() at time zone zone)::date) + 1)::timestamp at time zone zone
  );
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.get_waivers_to_sign is
  'definer: makes the links of bookings, which no client may.';
grant execute on function private.get_waivers_to_sign to authenticated;

create function public.get_waivers_to_sign(organization_id uuid, location_id uuid, date date default null)
returns public.waiver_party []
language sql
stable
set search_path = ''
as $$ select private.get_waivers_to_sign(organization_id, location_id, date) $$;

comment on function public.get_waivers_to_sign is
  'The parties of a location''s local date (null: today) that can sign, by time; each token is for get_waiver and sign_waiver, on the staff''s device or sent to the party. For members with waivers:collect. Errors: 403 permission_denied, organization_suspended; 404 location_not_found.';
grant execute on function public.get_waivers_to_sign to authenticated;
