-- The inbox of Stripe's webhooks.
--
-- An event is only a reason to look: the inbox row and the job that looks are written in
-- one transaction, the webhook is answered after its commit, and the job fetches the
-- object's current state. So an event that is lost, late or repeated does no harm, and no
-- payload, with a person's data in it, is kept.

create table private.stripe_events (
  id text not null,
  type text not null,
  account text,
  object_type text,
  object_id text,
  occurred_at timestamptz,
  received_at timestamptz not null default now(),
  constraint stripe_events_pkey primary key (id)
);

comment on table private.stripe_events is 'Every event that Stripe sent, once. Its id is Stripe''s and unique on all of Stripe.';
comment on column private.stripe_events.account is 'The connected account that it happened in; null is the platform''s own.';

create function private.receive_stripe_event(event jsonb)
returns service.received
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  object_type text := event #>> '{data,object,object}';
  object_id text := event #>> '{data,object,id}';
begin
  -- Its object is the platform's application; what is to be looked at is whose it was.
  if event ->> 'type' = 'account.application.deauthorized' then
    object_type := 'account';
    object_id := event ->> 'account';
  end if;
  perform private.act_as('system', null);
  if coalesce(event ->> 'id', '') = '' or coalesce(event ->> 'type', '') = '' then
    perform private.fail('event_invalid', 422, 'Send an event as Stripe makes them, with id and type.');
  end if;

  insert into private.stripe_events (id, type, account, object_type, object_id, occurred_at)
  values (
    event ->> 'id', event ->> 'type', event ->> 'account', object_type, object_id,
    to_timestamp((event ->> 'created')::double precision)
  )
  on conflict on constraint stripe_events_pkey do nothing;
  if not found then
    return row(true)::service.received;
  end if;

  -- One unfinished job an object: its deliveries are applied one at a time, and one that
  -- comes while the job runs makes it run again.
  if object_type in ('checkout.session', 'refund', 'dispute', 'subscription', 'invoice', 'customer', 'account')
    and object_id is not null
    -- An account speaks for itself only.
    and (object_type <> 'account' or object_id = event ->> 'account')
  then
    perform private.enqueue(
      'stripe.sync',
      jsonb_build_object('object_type', object_type, 'object_id', object_id, 'account', event ->> 'account'),
      concat_ws(':', 'stripe.sync', event ->> 'account', object_type, object_id)
    );
  end if;
  return row(false)::service.received;
end
$$;

comment on function private.receive_stripe_event is 'definer: the service may write no table.';
grant execute on function private.receive_stripe_event to service_role;

create function service.receive_stripe_event(event jsonb)
returns service.received
language sql
volatile
set search_path = ''
as $$ select private.receive_stripe_event(event) $$;

comment on function service.receive_stripe_event is
  'Stores a verified event, once, with the job that looks at its object (checkout.session, refund, dispute, subscription, invoice, customer; account, of the account that the event names). Errors: 422 event_invalid.';
grant execute on function service.receive_stripe_event to service_role;
