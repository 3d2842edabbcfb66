-- Who may see and choose who is told of bookings.

select private.permission_upsert(
  'notices:read', 'organization', false,
  'See who is told of bookings', 'Ver a quién se avisa de las reservas',
  array['admin', 'manager']
);
select private.permission_upsert(
  'notices:manage', 'organization', true,
  'Choose who is told of bookings', 'Elegir a quién se avisa de las reservas',
  array['admin', 'manager'],
  -- It sends the venue's news to addresses of the caller's choice.
  rests_in_visits => true
);
