-- How many more bookings the plan allows this month.
--
-- What counts is made in the month, by the organization's clock, whoever made it and for whenever. What
-- expired or was cancelled counts no more. What was made stays: moving, paying, and taking an expired
-- booking up again because its money came late, ask for nothing here.
--
-- Where the plan limits, those who book at one venue come one after the other, from this lock to their
-- commit. It is taken before the room, the session and all that follows them, and where those are locked
-- already, an offer of the waiting list, it is not waited for. Without a limit nothing is locked.

-- for: private.bookings_of_month
create index bookings_created_at_idx on public.bookings (organization_id, created_at);

create function private.bookings_of_month(organization_id uuid)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  zone text := (select o.timezone from public.organizations as o where o.id = bookings_of_month.organization_id);
begin
  return (
    select count(*) from public.bookings as b
    where b.organization_id = bookings_of_month.organization_id
      and b.created_at >= date_trunc('month', now() at time zone zone) at time zone zone
      and b.status not in ('expired', 'cancelled')
  );
end
$$;

comment on function private.bookings_of_month is
  'Bookings made in the present month on the organization''s clock, less those that expired or were cancelled. Volatile, so that whoever waited for the lock sees what was committed meanwhile.';

create function private.allowance_lock(organization_id uuid)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return hashtextextended('take_booking_allowance/' || organization_id, 0);
end
$$;

comment on function private.allowance_lock is 'The advisory lock under which an organization''s bookings of the month are counted.';

create function private.take_booking_allowance(organization_id uuid, by_staff boolean, wanted int default 1)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  plan public.plans := private.plan_of(take_booking_allowance.organization_id);
  used bigint;
begin
  if plan.max_bookings_month is null then
    return;
  end if;
  perform pg_advisory_xact_lock(private.allowance_lock(take_booking_allowance.organization_id));
  used := private.bookings_of_month(take_booking_allowance.organization_id);
  if used + wanted <= plan.max_bookings_month then
    return;
  elsif by_staff then
    perform private.refuse_beyond_plan(plan, 'bookings_month', plan.max_bookings_month, used);
  else
    -- What a venue pays is nobody else's business.
    perform private.fail('plan_limit_reached', 409, 'This venue takes no more bookings online this month: ask it.');
  end if;
end
$$;

comment on function private.take_booking_allowance is
  'Raises 409 plan_limit_reached if the plan does not allow as many further bookings this month as are wanted; details for staff only. Called before anything of a booking is locked, by a transaction that makes so many.';

create function private.has_booking_allowance(organization_id uuid)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  maximum int := (private.plan_of(has_booking_allowance.organization_id)).max_bookings_month;
begin
  return maximum is null
    or pg_try_advisory_xact_lock(private.allowance_lock(has_booking_allowance.organization_id))
    and private.bookings_of_month(has_booking_allowance.organization_id) < maximum;
end
$$;

comment on function private.has_booking_allowance is
  'Whether the plan allows a further booking this month, for those who must not wait: false also while somebody is booking.';
