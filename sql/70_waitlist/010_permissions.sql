-- Permissions of the waiting list.

select private.permission_upsert(
  'waitlist:read', 'bookings', false,
  'See who waits for a place', 'Ver quién espera una plaza',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'waitlist:manage', 'bookings', true,
  'Take somebody off the waiting list', 'Quitar a alguien de la lista de espera',
  array['admin', 'manager', 'receptionist']
);

insert into private.rate_limit_rules (action, scope, max_hits, window_seconds, description)
values
('join_waitlist', 'address', 10, 3600, 'Waiting lists joined by one address'),
('join_waitlist', 'target', 300, 3600, 'Entries in one calendar''s waiting list by everybody')
on conflict (action, scope) do update
set max_hits = excluded.max_hits,
  window_seconds = excluded.window_seconds,
  description = excluded.description;
