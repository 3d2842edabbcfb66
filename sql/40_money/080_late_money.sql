-- Money that came too late and goes back: its payer is told.

create function private.announce_late_money()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.enqueue(
    'email.send',
    jsonb_build_object(
      'template', 'booking_paid_late',
      'organization_id', new.organization_id,
      'booking_id', new.booking_id
    ),
    -- One mail, in however many payments the money came.
    concat_ws(':', 'booking_paid_late', new.booking_id, pg_current_xact_id()),
    new.organization_id
  );
  return null;
end
$$;

comment on function private.announce_late_money is
  'The outbox: a refund of money that came too late writes its mail in the same transaction.';

create trigger announce_late_money
after insert on private.refund_requests
for each row when (new.reason = 'paid_late')
execute function private.announce_late_money();
