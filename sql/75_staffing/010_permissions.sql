-- Permissions of those who run the games: who plans them, and who takes one.

select private.permission_upsert(
  'bookings:assign', 'staffing', true,
  'Assign game masters to sessions', 'Asignar game masters a las sesiones',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'bookings:claim', 'staffing', true,
  'Take an open session as its game master, give it back, subscribe to one''s own sessions',
  'Tomar una sesión libre como game master, devolverla, suscribirse a las propias sesiones',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'shifts:read', 'staffing', false,
  'See who may run which room, and the shifts', 'Ver quién puede llevar cada sala, y los turnos',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'shifts:manage', 'staffing', true,
  'Say who may run which room, and plan the shifts', 'Decidir quién puede llevar cada sala y planificar los turnos',
  array['admin', 'manager']
);
