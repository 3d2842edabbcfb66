-- Whose mails do not arrive: shown on the booking, so that somebody calls before the party stands at a closed door.
-- Written by what follows mails (private.follow_mail_outcome).

create table public.booking_mail_problems (
  organization_id uuid not null,
  booking_id uuid not null,
  problem text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint booking_mail_problems_pkey primary key (organization_id, booking_id),
  constraint booking_mail_problems_booking_fkey foreign key (organization_id, booking_id)
  references public.bookings (organization_id, id) on delete cascade,
  constraint booking_mail_problems_problem_is_known check (
    problem in ('bounced', 'complained', 'failed', 'suppressed', 'limited', 'dead')
  )
);

comment on table public.booking_mail_problems is
  'Bookings whose customer the last mail did not reach: correct the address, or call. Gone once a later mail was sent: correct customers.email and call resend_booking_email. A row a booking, so a list of bookings takes it in as booking_mail_problems(problem); get_board and search_bookings have it as mail_problem. Written by the database only.';
comment on column public.booking_mail_problems.problem is
  'What became of the newest mail, as booking_emails says it: bounced, complained (reported as spam), failed (the provider could not send it), suppressed (not sent: the address bounced or complained before), limited (not sent: its mailbox was sent enough that day) or dead (given up, or the address was refused).';

grant select on public.booking_mail_problems to authenticated;

alter table public.booking_mail_problems enable row level security;

create policy booking_mail_problems_select on public.booking_mail_problems
for select to authenticated
using (organization_id = (select private.organization_with('bookings:read')));

create trigger booking_mail_problems_touch_updated_at
before update on public.booking_mail_problems
for each row execute function private.touch_updated_at();
