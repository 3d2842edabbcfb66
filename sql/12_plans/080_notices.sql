-- What owners are told while a payment is overdue: at once, three days before writing stops, and when it does.

create function private.announce_overdue()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Each is written anew when it is due, and not at all if the payment has come by then.
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'subscription_overdue', 'organization_id', new.organization_id, 'user_id', m.user_id,
      'overdue_since', new.overdue_since
    ),
    concat_ws(':', 'subscription_overdue', new.organization_id, extract(epoch from new.overdue_since), n.stage, m.user_id),
    new.organization_id,
    n.at
  )
  from private.active_memberships as m
  join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id
  cross join (
    values
    ('failed', new.overdue_since),
    ('stops_soon', new.grace_until - interval '3 days'),
    ('stops', new.grace_until)
  ) as n (stage, at)
  where m.organization_id = new.organization_id
    and r.key = 'owner'
    and (n.stage = 'failed' or n.at > new.overdue_since);
  return null;
end
$$;

comment on function private.announce_overdue is
  'The outbox: a payment that has failed writes the mails to each owner in the same transaction.';

create trigger announce_overdue
after insert or update of overdue_since on public.subscriptions
for each row
when (new.overdue_since is not null)
execute function private.announce_overdue();
