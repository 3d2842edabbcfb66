-- The log of mails forgets whom an erased customer's mails went to, however close the two are.

create function private.forget_erased_recipient()
returns trigger
language plpgsql
volatile
set search_path = ''
as $$
declare
  customer public.customers;
begin
  -- Waits for an erasure that is going on, and keeps a later one from missing this row.
  select c.* into customer
  from public.bookings as b
  join public.customers as c on c.organization_id = b.organization_id and c.id = b.customer_id
  where b.organization_id = new.organization_id and b.id = new.booking_id
  for key share of c;
  if customer.erased_at is not null then
    new.recipient := customer.email;
  end if;
  return new;
end
$$;

comment on function private.forget_erased_recipient is
  'A mail that was prepared while its customer was being erased is logged without the address.';

create trigger forget_erased_recipient
before insert or update of recipient on private.email_messages
for each row when (new.booking_id is not null)
execute function private.forget_erased_recipient();
