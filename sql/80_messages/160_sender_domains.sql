-- A venue's own sender: mails come from its own domain as long as the provider has it verified, and from the platform's
-- address otherwise.
--
-- Whose a domain is, its DNS says: each claim has a record of its own to set there, which is looked for before anything
-- is made at the provider. The provider knows a name once, and its records are the same for whoever asks, so they prove
-- that mails may come from the domain and not for whom. A claim that is not proven bars nobody: any number of organizations
-- may make it, and it lapses after a week. A proven one has the name alone, until somebody else proves theirs and its own
-- record is gone from the DNS. A domain is made for the claim that was proven and never taken over from before.

create type public.dns_record as (
  type text,
  name text,
  value text,
  priority int,
  status text
);

comment on type public.dns_record is 'A record that whoever has the domain sets in its DNS.';
comment on column public.dns_record.type is 'Such as TXT, MX or CNAME.';
comment on column public.dns_record.name is 'As its maker says it: the record that proves whose a domain is, whole; the provider''s, below the domain.';
comment on column public.dns_record.value is 'What it says.';
comment on column public.dns_record.priority is 'Of an MX; null: of any other.';
comment on column public.dns_record.status is 'What the provider says of it, such as pending or verified.';

create function private.is_sender_domain(domain text)
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
begin
  return private.is_email('a@' || domain) and length(domain) <= 190;
end
$$;

comment on function private.is_sender_domain is 'Whether mails can come from the domain: one in lower case and ASCII, as in an address.';
grant execute on function private.is_sender_domain to authenticated;

create table public.sender_domains (
  organization_id uuid not null default private.organization_with('templates:manage'),
  id uuid not null default private.uuid_v7(),
  domain text not null,
  local_part text not null default 'bookings',
  status text not null default 'pending',
  records public.dns_record [] not null default '{}',
  proof text not null default replace(gen_random_uuid()::text, '-', ''),
  provider_id text,
  proven_at timestamptz,
  verified_at timestamptz,
  checked_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint sender_domains_pkey primary key (organization_id, id),
  constraint sender_domains_domain_key unique (organization_id, domain),
  constraint sender_domains_organization_fkey foreign key (organization_id)
  references public.organizations (id) on delete cascade,
  constraint sender_domains_domain_is_one check (private.is_sender_domain(domain)),
  constraint sender_domains_local_part_is_one check (
    local_part ~ '^[a-z0-9]([a-z0-9._-]{0,30}[a-z0-9])?$' and private.is_email(local_part || '@' || domain)
  ),
  constraint sender_domains_status_is_known check (status in ('pending', 'verified', 'failed'))
);

comment on table public.sender_domains is
  'Domains from which an organization''s mails to its customers come: from the newest one that is verified, and as long as none is, from the platform''s address. Insert one, set the record that proves whose it is, then the others that appear, and wait; delete it to go back. Several organizations may claim a name, and the one that proves it has it. The status is read again within minutes while it is pending. At most three. Errors: 422 too_many_rows.';
comment on column public.sender_domains.domain is 'In lower case; best one of its own, such as mail.venue.com. For another one insert another row.';
comment on column public.sender_domains.local_part is 'What stands before the @.';
comment on column public.sender_domains.status is
  'pending (set the records), verified (mails come from it) or failed (the records are not there, or not any more, the provider has lost it or keeps it for somebody else, or another organization has proven it since). Written by the service only.';
comment on column public.sender_domains.records is 'What is to be set in the domain''s DNS: first the TXT record that proves whose it is, and once that was found, what the provider asks for. Empty for the first moments. Written by the service only.';
comment on column public.sender_domains.proof is 'What the TXT record at _escapemaster below the domain says, after "escapemaster=".';
comment on column public.sender_domains.proven_at is
  'When that record was found, and since when the domain is this organization''s alone; null: it is not. Written by the service only.';
comment on column public.sender_domains.provider_id is 'What the provider calls it; null: it has not made it yet.';
comment on column public.sender_domains.verified_at is 'When it was first verified; null: never. What was not within a week is deleted.';
comment on column public.sender_domains.checked_at is 'When its status was last read; null: not yet.';

-- for: private.prove_sender_domain, so that one organization at a time has the name
create unique index sender_domains_proven_key on public.sender_domains (domain) where proven_at is not null;

-- for: private.prove_sender_domain
create index sender_domains_domain_idx on public.sender_domains (domain);

-- for: private.queue_stale_sender_domains
create index sender_domains_checked_at_idx on public.sender_domains (checked_at nulls first);

grant select, delete on public.sender_domains to authenticated;
grant insert (organization_id, domain, local_part) on public.sender_domains to authenticated;
grant update (local_part) on public.sender_domains to authenticated;

alter table public.sender_domains enable row level security;

create policy sender_domains_select on public.sender_domains
for select to authenticated
using (organization_id = (select private.organization_with('templates:read')));

create policy sender_domains_insert on public.sender_domains
for insert to authenticated
with check (organization_id = (select private.organization_with('templates:manage')));

create policy sender_domains_update on public.sender_domains
for update to authenticated
using (organization_id = (select private.organization_with('templates:manage')))
with check (organization_id = (select private.organization_with('templates:manage')));

create policy sender_domains_delete on public.sender_domains
for delete to authenticated
using (organization_id = (select private.organization_with('templates:manage')));

create trigger sender_domains_are_bounded
after insert on public.sender_domains
for each row execute function private.bound_rows('3');

create trigger sender_domains_touch_updated_at
before update on public.sender_domains
for each row execute function private.touch_updated_at();

insert into private.job_kinds (kind, rank, share_limit, total_limit, description)
values
('sender.read', 1, 1, 2, 'Looks for the proof of a venue''s own sender domain, has the provider make it, or reads its status'),
('sender.remove', 1, 1, 2, 'Removes a sender domain that was given up at the provider')
on conflict (kind) do update
set rank = excluded.rank,
  share_limit = excluded.share_limit,
  total_limit = excluded.total_limit,
  description = excluded.description;

create function private.queue_sender_domain(domain public.sender_domains)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
begin
  return private.enqueue(
    'sender.read', jsonb_build_object('sender_domain_id', domain.id), 'sender.read:' || domain.id, domain.organization_id
  );
end
$$;

comment on function private.queue_sender_domain is 'Queues reading a sender domain, unless that waits already.';

create function private.remove_sender_domain(provider_id text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Of nobody: its organization may be erased.
  perform private.enqueue(
    'sender.remove', jsonb_build_object('provider_id', remove_sender_domain.provider_id),
    'sender.remove:' || remove_sender_domain.provider_id, null
  );
end
$$;

comment on function private.remove_sender_domain is 'Queues removing a domain at the provider.';

create function private.follow_sender_domain()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    perform private.queue_sender_domain(new);
  elsif old.provider_id is not null then
    perform private.remove_sender_domain(old.provider_id);
  end if;
  return null;
end
$$;

comment on function private.follow_sender_domain is
  'definer: queues work, which no client may. A claim is looked into when it is made, and what the provider has of it is removed when it is given up.';

-- After the row, which row level security has let through by then.
create trigger follow_sender_domain
after insert or delete on public.sender_domains
for each row execute function private.follow_sender_domain();

create function private.queue_stale_sender_domains()
returns int
language plpgsql
volatile
set search_path = ''
as $$
declare
  queued int;
begin
  delete from public.sender_domains as d
  where d.verified_at is null and d.created_at < now() - interval '7 days';
  select count(private.queue_sender_domain(d)) into queued
  from (
    select s.*
    from public.sender_domains as s
    where s.checked_at < now() -
      case when s.status = 'pending' or s.provider_id is null then interval '2 minutes' else interval '6 hours' end
      -- One that waits keeps its pause; one that died is tried anew after a day. Neither takes the
      -- place of one that can be read.
      and not exists (
        select from private.jobs as j
        where j.kind = 'sender.read'
          and j.dedupe_key = 'sender.read:' || s.id
          and (j.status in ('queued', 'running') or (j.status = 'dead' and j.finished_at > now() - interval '1 day'))
      )
    order by s.checked_at
    limit 100
  ) as d;
  return queued;
end
$$;

comment on function private.queue_stale_sender_domains is
  'Queues reading the sender domains that wait for their records (every two minutes) and the others (every six hours), and deletes claims that nobody proved within a week; how many it queued.';

create type service.sender_domain as (
  domain text,
  provider_id text,
  claimed_at timestamptz,
  is_proven boolean,
  proof text
);

comment on type service.sender_domain is 'A sender domain that is to be read.';
comment on column service.sender_domain.domain is 'Its name.';
comment on column service.sender_domain.provider_id is 'What the provider calls it; null: it is to be made there.';
comment on column service.sender_domain.claimed_at is 'Since when it is the organization''s, or was claimed: one that the provider had before then is somebody else''s.';
comment on column service.sender_domain.is_proven is 'Whether the domain is the organization''s alone; until then nothing is made.';
comment on column service.sender_domain.proof is 'What proves it in the DNS.';

create function private.read_sender_domain(job_id bigint, lease_token uuid)
returns service.sender_domain
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (
    select row(
      d.domain, d.provider_id, coalesce(d.proven_at, d.created_at), d.proven_at is not null, d.proof
    )::service.sender_domain
    from private.jobs as j
    join public.sender_domains as d
      on d.organization_id = j.organization_id and d.id = (j.payload ->> 'sender_domain_id')::uuid
    where j.id = read_sender_domain.job_id
      and j.lease_token = read_sender_domain.lease_token
      and j.status = 'running'
      and j.kind = 'sender.read'
  );
end
$$;

comment on function private.read_sender_domain is 'definer: the service may read no table.';
grant execute on function private.read_sender_domain to service_role;

create function service.read_sender_domain(job_id bigint, lease_token uuid)
returns jsonb
language sql
stable
set search_path = ''
as $$ select to_jsonb(private.read_sender_domain(job_id, lease_token)) $$;

comment on function service.read_sender_domain is
  'The sender domain that a claimed job of kind sender.read is about; null when it was given up or the lease is lost. Answers service.sender_domain or null.';
grant execute on function service.read_sender_domain to service_role;

create function private.sender_proof_record(domain text, proof text, proven_at timestamptz)
returns public.dns_record
language plpgsql
immutable
set search_path = ''
as $$
begin
  return row(
    'TXT', '_escapemaster.' || domain, 'escapemaster=' || proof, null,
    case when proven_at is null then 'pending' else 'verified' end
  )::public.dns_record;
end
$$;

comment on function private.sender_proof_record is 'The record that proves whose a sender domain is.';

create function private.prove_sender_domain(job_id bigint, lease_token uuid, proofs text [])
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  claimed public.sender_domains;
  holder public.sender_domains;
begin
  perform private.act_as('system', null);
  select d.* into claimed
  from private.jobs as j
  join public.sender_domains as d
    on d.organization_id = j.organization_id and d.id = (j.payload ->> 'sender_domain_id')::uuid
  where j.id = prove_sender_domain.job_id
    and j.lease_token = prove_sender_domain.lease_token
    and j.status = 'running'
    and j.kind = 'sender.read';
  if not found then
    return false; -- given up, or somebody else reads it
  end if;
  -- All claims of the name, in one order: whoever proves at the same time waits here, and finds a holder.
  perform from public.sender_domains as d
  where d.domain = claimed.domain
  order by d.organization_id, d.id
  for update;
  select d.* into holder from public.sender_domains as d where d.domain = claimed.domain and d.proven_at is not null;
  if holder.id = claimed.id then
    return true;
  elsif claimed.proof = any(prove_sender_domain.proofs) and (holder.id is null or holder.proof <> all(prove_sender_domain.proofs)) then
    -- Whoever has the DNS now names this one, and a holder no more.
    update public.sender_domains as d
    set proven_at = null, provider_id = null, status = 'failed', records = array[private.sender_proof_record(d.domain, d.proof, null)]
    where d.organization_id = holder.organization_id and d.id = holder.id;
    if holder.provider_id is not null then
      perform private.remove_sender_domain(holder.provider_id);
    end if;
    claimed.proven_at := clock_timestamp();
  end if;
  update public.sender_domains as d
  set proven_at = claimed.proven_at,
    checked_at = now(),
    records = array[private.sender_proof_record(d.domain, d.proof, claimed.proven_at)]
  where d.organization_id = claimed.organization_id and d.id = claimed.id;
  return claimed.proven_at is not null;
end
$$;

comment on function private.prove_sender_domain is 'definer: the service may write no table.';
grant execute on function private.prove_sender_domain to service_role;

create function service.prove_sender_domain(job_id bigint, lease_token uuid, proofs text [])
returns boolean
language sql
volatile
set search_path = ''
as $$ select private.prove_sender_domain(job_id, lease_token, proofs) $$;

comment on function service.prove_sender_domain is
  'Says which proofs stand in the DNS of a sender domain, from a claimed job of kind sender.read. Whether the domain is its organization''s alone from now on: its own stands there, and that of whoever had the domain does not.';
grant execute on function service.prove_sender_domain to service_role;

create function private.record_sender_domain(
  job_id bigint, lease_token uuid, provider_id text, status text, records jsonb
)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  job private.jobs;
begin
  perform private.act_as('system', null);
  select j.* into job
  from private.jobs as j
  where j.id = record_sender_domain.job_id
    and j.lease_token = record_sender_domain.lease_token
    and j.status = 'running'
    and j.kind = 'sender.read';
  if not found then
    return true; -- somebody else reads it
  end if;
  update public.sender_domains as d
  set provider_id = coalesce(record_sender_domain.provider_id, d.provider_id),
    status = record_sender_domain.status,
    records = private.sender_proof_record(d.domain, d.proof, d.proven_at) || array(
      select r from jsonb_populate_recordset(null::public.dns_record, record_sender_domain.records) as r
    ),
    verified_at = coalesce(d.verified_at, case record_sender_domain.status when 'verified' then now() end),
    checked_at = now()
  where d.organization_id = job.organization_id
    and d.id = (job.payload ->> 'sender_domain_id')::uuid
    and d.proven_at is not null;
  return found;
end
$$;

comment on function private.record_sender_domain is 'definer: the service may write no table.';
grant execute on function private.record_sender_domain to service_role;

create function service.record_sender_domain(
  job_id bigint, lease_token uuid, provider_id text, status text, records jsonb
)
returns boolean
language sql
volatile
set search_path = ''
as $$ select private.record_sender_domain(job_id, lease_token, provider_id, status, records) $$;

comment on function service.record_sender_domain is
  'Writes down what the provider says of a sender domain, from a claimed job of kind sender.read: provider_id, status (pending, verified or failed), records [{type, name, value, priority, status}]. False when it was given up meanwhile, or is not the organization''s (service.prove_sender_domain): what was made at the provider is to be removed there.';
grant execute on function service.record_sender_domain to service_role;

create function private.used_sender_domain(organization_id uuid)
returns public.sender_domains
language plpgsql
stable
set search_path = ''
as $$
declare
  used public.sender_domains;
begin
  select d.* into used
  from public.sender_domains as d
  where d.organization_id = used_sender_domain.organization_id
    and d.status = 'verified'
    and d.proven_at is not null
  order by d.id desc
  limit 1;
  return used;
end
$$;

comment on function private.used_sender_domain is
  'The domain from which an organization''s mails to its customers come: the newest that is verified; null: none is.';

create function private.doubt_sender_domain(job_id bigint, lease_token uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  doubted public.sender_domains;
begin
  perform private.act_as('system', null);
  update public.sender_domains as d
  set status = 'failed'
  from private.jobs as j
  where j.id = doubt_sender_domain.job_id
    and j.lease_token = doubt_sender_domain.lease_token
    and j.status = 'running'
    and j.kind = 'email.send'
    and d.organization_id = j.organization_id
    and d.id = (private.used_sender_domain(j.organization_id)).id
  returning d.* into doubted;
  if found then
    perform private.queue_sender_domain(doubted);
  end if;
end
$$;

comment on function private.doubt_sender_domain is 'definer: the service may write no table.';
grant execute on function private.doubt_sender_domain to service_role;

create function service.doubt_sender_domain(job_id bigint, lease_token uuid)
returns void
language sql
volatile
set search_path = ''
as $$ select private.doubt_sender_domain(job_id, lease_token) $$;

comment on function service.doubt_sender_domain is
  'From a claimed job of kind email.send whose sender the provider refused: the organization''s mails come from the platform''s address from now on, and its domain is read anew.';
grant execute on function service.doubt_sender_domain to service_role;

create function private.own_sender(organization_id uuid)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  used public.sender_domains := private.used_sender_domain(own_sender.organization_id);
begin
  return used.local_part || '@' || used.domain;
end
$$;

comment on function private.own_sender is
  'The address from which an organization''s mails to its customers come; null: the platform''s.';
