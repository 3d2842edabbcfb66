-- Webhook endpoints: where a venue's own programs are told what happens. docs/webhooks.md.

create table private.webhook_settings (
  key text not null default 'platform',
  allows_loopback boolean not null default false,
  log_days int not null default 30,
  constraint webhook_settings_pkey primary key (key),
  constraint webhook_settings_are_one_row check (key = 'platform'),
  -- A delivery is tried for three days.
  constraint webhook_settings_log_is_kept_4_to_365_days check (log_days between 4 and 365)
);

comment on table private.webhook_settings is
  'reference data. The platform''s choices, one row, which the database''s owner changes.';
comment on column private.webhook_settings.allows_loopback is
  'Whether endpoints may be on the worker''s own machine, for development; the worker''s WEBHOOKS_ALLOW_LOOPBACK must say so as well. Never on a hosted project.';
comment on column private.webhook_settings.log_days is 'For how many days events and their deliveries are kept.';

-- Never overwritten: the row is the operator's.
insert into private.webhook_settings (key) values ('platform') on conflict (key) do nothing;

create function private.are_webhook_types(types text [])
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return cardinality(types) > 0
    and array_ndims(types) = 1
    and types <@ array[
      'booking.held', 'booking.pending', 'booking.confirmed', 'booking.changed', 'booking.cancelled', 'booking.expired',
      'booking.checked_in', 'booking.started', 'booking.completed', 'booking.no_show', 'booking.undone',
      'payment.received', 'refund.paid', 'refund.reversed', 'dispute.opened', 'dispute.changed',
      'customer.erased', 'result.recorded', 'result.changed', 'result.withdrawn'
    ]
    and (select count(*) = count(distinct t) from unnest(types) as t);
end
$$;

comment on function private.are_webhook_types is
  'Whether these are types of events, at least one, none twice: the one list of them. Another one is added here, with the trigger that emits it (private.emit_webhook).';
grant execute on function private.are_webhook_types to authenticated;

create function private.is_webhook_url(url text)
returns boolean
language plpgsql
immutable
strict
set search_path = ''
as $$
begin
  -- A host by a name of the public domains, and so no literal address and none of the names that only a network
  -- of one's own knows (.local, .internal, one word). What the name resolves to is looked at when it is called.
  return length(url) <= 500
    and url ~ '^[^?]+(\?([A-Za-z0-9._~!$&''()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?$'
    and private.is_site_url(split_part(url, '?', 1))
    and url !~ '^https://[^/:?]+\.arpa([:/?]|$)';
end
$$;

comment on function private.is_webhook_url is
  'Whether an endpoint may be there: https, a host by a public name, no user, no fragment; or this machine, which the trigger webhook_endpoints_are_public refuses where private.webhook_settings does not allow it.';
grant execute on function private.is_webhook_url to authenticated;

create table public.webhook_endpoints (
  organization_id uuid not null,
  id uuid not null default private.uuid_v7(),
  name text not null,
  url text not null,
  events text [] not null,
  includes_personal_data boolean not null default false,
  is_active boolean not null default true,
  disabled_at timestamptz,
  disabled_reason text,
  created_by uuid,
  rotated_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint webhook_endpoints_pkey primary key (organization_id, id),
  constraint webhook_endpoints_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint webhook_endpoints_created_by_fkey foreign key (created_by)
  references public.profiles (user_id) on delete set null,
  constraint webhook_endpoints_name_is_a_name check (private.is_name(name, 80)),
  constraint webhook_endpoints_url_is_public check (private.is_webhook_url(url)),
  constraint webhook_endpoints_events_are_known check (private.are_webhook_types(events)),
  constraint webhook_endpoints_disabled_reason_is_known check (disabled_reason in ('by_hand', 'failing', 'gone')),
  constraint webhook_endpoints_disabled_when_not_active check (
    is_active = (disabled_at is null) and is_active = (disabled_reason is null)
  )
);

comment on table public.webhook_endpoints is
  'Where a program of the venue is told what happens: each event of the kinds it asks for is posted to url, signed. Made by create_webhook_endpoint, which shows the secret; at most ten an organization. Errors: 422 too_many_rows, webhook_url_refused.';
comment on column public.webhook_endpoints.name is 'What the venue calls it.';
comment on column public.webhook_endpoints.url is
  'https, a host by a public name, any port, path and query. An address that is private, of this machine or of its network is refused, here and again when it is called.';
comment on column public.webhook_endpoints.events is
  'The types of events that it gets: booking.held, booking.pending, booking.confirmed, booking.changed, booking.cancelled, booking.expired, booking.checked_in, booking.started, booking.completed, booking.no_show, booking.undone, payment.received, refund.paid, refund.reversed, dispute.opened, dispute.changed, customer.erased, result.recorded, result.changed, result.withdrawn.';
comment on column public.webhook_endpoints.includes_personal_data is
  'Whether it gets the customer''s name, address, phone, note and answers. To switch that on, or to change where, what or whether such an endpoint gets, takes customers:read.';
comment on column public.webhook_endpoints.is_active is
  'Whether it is told. What happens while it is not is not kept for it; what waited for it goes on when it is again.';
comment on column public.webhook_endpoints.disabled_at is 'Since when it is not told. Set by the database; null: it is.';
comment on column public.webhook_endpoints.disabled_reason is
  'by_hand; failing: nothing arrived there for three days; gone: it answered 410. Set by the database; null: it is active.';
comment on column public.webhook_endpoints.rotated_at is 'When its signing secret was last rotated; null: it was not.';
comment on column public.webhook_endpoints.created_by is 'Null for an API key, and once the account is deleted.';

-- for: what a person left open, and the foreign key
create index webhook_endpoints_created_by_idx on public.webhook_endpoints (created_by);

grant select, delete on public.webhook_endpoints to authenticated;
grant update (name, url, events, includes_personal_data, is_active) on public.webhook_endpoints to authenticated;

alter table public.webhook_endpoints enable row level security;

create policy webhook_endpoints_select on public.webhook_endpoints
for select to authenticated
using (organization_id = (select private.organization_with('webhooks:read')));

create policy webhook_endpoints_update on public.webhook_endpoints
for update to authenticated
using (organization_id = (select private.organization_with('webhooks:manage')))
with check (organization_id = (select private.organization_with('webhooks:manage')));

create policy webhook_endpoints_delete on public.webhook_endpoints
for delete to authenticated
using (organization_id = (select private.organization_with('webhooks:manage')));

create trigger webhook_endpoints_clean_names
before insert or update of name on public.webhook_endpoints
for each row execute function private.clean_texts('names', 'name');

create trigger webhook_endpoints_touch_updated_at
before update on public.webhook_endpoints
for each row execute function private.touch_updated_at();

create trigger webhook_endpoints_are_bounded
after insert on public.webhook_endpoints
for each row execute function private.bound_rows('10');

create table private.webhook_secrets (
  organization_id uuid not null,
  endpoint_id uuid not null,
  id uuid not null default private.uuid_v7(),
  secret text not null,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  constraint webhook_secrets_pkey primary key (organization_id, endpoint_id, id),
  constraint webhook_secrets_endpoint_fkey foreign key (organization_id, endpoint_id)
  references public.webhook_endpoints (organization_id, id) on delete cascade,
  constraint webhook_secrets_secret_is_256_bits check (secret ~ '^whsec_[A-Za-z0-9+/]{43}=$')
);

comment on table private.webhook_secrets is
  'What deliveries are signed with: the newest secret of an endpoint, and while it is being rotated the one before it. In the clear, since a signature of both sides needs it; read by private.prepare_webhook alone, which signs.';
comment on column private.webhook_secrets.expires_at is 'Until when it still signs beside the newest; null: it is the newest.';

create table private.webhook_states (
  organization_id uuid not null,
  endpoint_id uuid not null,
  failures int not null default 0,
  paused_until timestamptz,
  last_success_at timestamptz,
  constraint webhook_states_pkey primary key (organization_id, endpoint_id),
  constraint webhook_states_endpoint_fkey foreign key (organization_id, endpoint_id)
  references public.webhook_endpoints (organization_id, id) on delete cascade,
  constraint webhook_states_failures_are_not_negative check (failures >= 0)
);

comment on table private.webhook_states is
  'How an endpoint does, apart from what staff see and what the log keeps: written with every delivery.';
comment on column private.webhook_states.failures is 'How many attempts in a row had no answer, or one that asks for patience (429, 502, 503, 504).';
comment on column private.webhook_states.paused_until is
  'Nothing is sent before: after three of them, so that a dead endpoint takes a slot of the worker''s only now and then.';

create function private.keep_webhook_switch()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  if new.is_active then
    new.disabled_at := null;
    new.disabled_reason := null;
  elsif new.disabled_reason is null then
    new.disabled_at := now();
    new.disabled_reason := 'by_hand';
  end if;
  return new;
end
$$;

comment on function private.keep_webhook_switch is 'Writes since when and why an endpoint is not told.';

create trigger keep_webhook_switch
before update of is_active on public.webhook_endpoints
for each row when (new.is_active is distinct from old.is_active)
execute function private.keep_webhook_switch();

create function private.follow_webhook_switch()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  update private.webhook_states as s
  set failures = 0, paused_until = null
  where s.organization_id = new.organization_id and s.endpoint_id = new.id;
  return null;
end
$$;

comment on function private.follow_webhook_switch is
  'definer: writes how the endpoint does, which no client may. One that is switched on, or moves, is tried at once.';

create trigger follow_webhook_switch
after update of is_active, url on public.webhook_endpoints
for each row when (new.is_active and (not old.is_active or new.url <> old.url))
execute function private.follow_webhook_switch();

create function private.refuse_private_webhook()
returns trigger
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if new.url ~ '^https?://(localhost|127\.0\.0\.1)([:/?]|$)'
    and not exists (select from private.webhook_settings as s where s.allows_loopback)
  then
    perform private.fail(
      'webhook_url_refused', 422, 'Give an address that the internet reaches: https and a public name, no literal address.'
    );
  end if;
  return null;
end
$$;

comment on function private.refuse_private_webhook is
  'definer: reads the platform''s settings. Raises 422 webhook_url_refused for an endpoint on the worker''s own machine, unless this is a stack for development.';

create trigger webhook_endpoints_are_public
after insert or update of url on public.webhook_endpoints
for each row execute function private.refuse_private_webhook();

create function private.guard_personal_webhook()
returns trigger
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission(new.organization_id, 'customers:read');
  return null;
end
$$;

comment on function private.guard_personal_webhook is
  'definer: asks for a permission. Who may not see customers sends them nowhere: 403 permission_denied.';

create trigger guard_new_personal_webhook
after insert on public.webhook_endpoints
for each row when (new.includes_personal_data)
execute function private.guard_personal_webhook();

create trigger guard_personal_webhook
after update of url, events, includes_personal_data, is_active on public.webhook_endpoints
for each row when (
  new.includes_personal_data
  -- One that is off, too: whoever switches it on again need not look where it has gone meanwhile.
  and (
    new.url <> old.url or new.events <> old.events or not old.includes_personal_data or (new.is_active and not old.is_active)
  )
)
execute function private.guard_personal_webhook();

create function private.new_webhook_secret()
returns text
language plpgsql
volatile
set search_path = ''
as $$
begin
  return 'whsec_' || encode(extensions.gen_random_bytes(32), 'base64');
end
$$;

comment on function private.new_webhook_secret is 'A secret as Standard Webhooks writes them: whsec_ and 256 bits in base64.';

create function private.create_webhook_endpoint(
  organization_id uuid,
  name text,
  url text,
  events text [],
  includes_personal_data boolean
)
returns public.issued_token
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  secret text := private.new_webhook_secret();
  endpoint_id uuid;
begin
  perform private.require_permission(create_webhook_endpoint.organization_id, 'webhooks:manage');
  if private.is_name(private.clean_text(create_webhook_endpoint.name), 80) is not true then
    perform private.fail('name_invalid', 422, 'Give the endpoint a name of 1 to 80 characters, on one line and without links.');
  elsif private.is_webhook_url(create_webhook_endpoint.url) is not true then
    perform private.fail(
      'webhook_url_refused', 422, 'Give an address that the internet reaches: https and a public name, no literal address.'
    );
  elsif private.are_webhook_types(create_webhook_endpoint.events) is not true then
    perform private.fail('webhook_events_invalid', 422, 'Name the types of events, at least one and none twice.');
  end if;
  insert into public.webhook_endpoints (organization_id, name, url, events, includes_personal_data, created_by)
  values (
    create_webhook_endpoint.organization_id, create_webhook_endpoint.name, create_webhook_endpoint.url,
    create_webhook_endpoint.events, coalesce(create_webhook_endpoint.includes_personal_data, false),
    private.calling_person()
  )
  returning id into endpoint_id;
  insert into private.webhook_secrets (organization_id, endpoint_id, secret)
  values (create_webhook_endpoint.organization_id, endpoint_id, secret);
  insert into private.webhook_states (organization_id, endpoint_id)
  values (create_webhook_endpoint.organization_id, endpoint_id);
  return row(endpoint_id, secret)::public.issued_token;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.create_webhook_endpoint is 'definer: writes the secret, which no client may see.';
grant execute on function private.create_webhook_endpoint to authenticated;

create function public.create_webhook_endpoint(
  organization_id uuid,
  name text,
  url text,
  events text [],
  includes_personal_data boolean default false
)
returns public.issued_token
language sql
volatile
set search_path = ''
as $$
  select private.create_webhook_endpoint(organization_id, name, url, events, includes_personal_data)
$$;

comment on function public.create_webhook_endpoint is
  'Makes a webhook endpoint (webhook_endpoints) and shows its signing secret, this once. includes_personal_data takes customers:read as well. For members with webhooks:manage. Errors: 403 permission_denied, organization_suspended; 422 name_invalid, webhook_url_refused, webhook_events_invalid, too_many_rows.';
grant execute on function public.create_webhook_endpoint to authenticated;

create function private.rotate_webhook_secret(organization_id uuid, endpoint_id uuid, overlap_hours int)
returns public.issued_token
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  secret text := private.new_webhook_secret();
begin
  perform private.require_permission(rotate_webhook_secret.organization_id, 'webhooks:manage');
  if rotate_webhook_secret.overlap_hours is null or rotate_webhook_secret.overlap_hours not between 0 and 168 then
    perform private.fail('overlap_invalid', 422, 'Let the old secret go on for 0 to 168 hours.');
  end if;
  -- Two rotations at once end one after the other; and the log says who did it.
  update public.webhook_endpoints as e
  set rotated_at = now()
  where e.organization_id = rotate_webhook_secret.organization_id and e.id = rotate_webhook_secret.endpoint_id;
  if not found then
    perform private.fail('webhook_endpoint_not_found', 404, 'Choose one of the organization''s webhook endpoints.');
  end if;
  delete from private.webhook_secrets as s
  where s.organization_id = rotate_webhook_secret.organization_id
    and s.endpoint_id = rotate_webhook_secret.endpoint_id
    and (s.expires_at is not null or rotate_webhook_secret.overlap_hours = 0);
  update private.webhook_secrets as s
  set expires_at = now() + make_interval(hours => rotate_webhook_secret.overlap_hours)
  where s.organization_id = rotate_webhook_secret.organization_id
    and s.endpoint_id = rotate_webhook_secret.endpoint_id;
  insert into private.webhook_secrets (organization_id, endpoint_id, secret)
  values (rotate_webhook_secret.organization_id, rotate_webhook_secret.endpoint_id, secret);
  return row(rotate_webhook_secret.endpoint_id, secret)::public.issued_token;
exception
  when query_canceled or lock_not_available or deadlock_detected then
    perform private.fail_unavailable(sqlerrm);
end
$$;

comment on function private.rotate_webhook_secret is 'definer: writes the secret, which no client may see.';
grant execute on function private.rotate_webhook_secret to authenticated;

create function public.rotate_webhook_secret(organization_id uuid, endpoint_id uuid, overlap_hours int default 24)
returns public.issued_token
language sql
volatile
set search_path = ''
as $$ select private.rotate_webhook_secret(organization_id, endpoint_id, overlap_hours) $$;

comment on function public.rotate_webhook_secret is
  'Gives an endpoint a new signing secret, shown this once. For overlap_hours (0 to 168) deliveries carry a signature by the old one too; 0: a secret that leaked ends at once. Two are valid at most: rotated again within that time, the oldest ends. For members with webhooks:manage. Errors: 403 permission_denied, organization_suspended; 404 webhook_endpoint_not_found; 422 overlap_invalid.';
grant execute on function public.rotate_webhook_secret to authenticated;
