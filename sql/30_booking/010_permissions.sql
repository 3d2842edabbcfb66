-- Permissions of bookings and customers.

select private.permission_upsert(
  'bookings:read', 'bookings', false,
  'See sessions and bookings', 'Ver sesiones y reservas',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'bookings:create', 'bookings', true,
  'Make bookings for customers', 'Hacer reservas para clientes',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'bookings:update', 'bookings', true,
  'Change and confirm bookings', 'Cambiar y confirmar reservas',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'bookings:cancel', 'bookings', true,
  'Cancel bookings', 'Cancelar reservas',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'bookings:check_in', 'bookings', true,
  'Check parties in, start and finish their games, mark who did not come',
  'Registrar la llegada, iniciar y terminar partidas, marcar ausencias',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'bookings:undo', 'bookings', true,
  'Take back a check-in, a start, an end, a no-show or a cancellation',
  'Deshacer una llegada, un inicio, un final, una ausencia o una cancelación',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'tags:manage', 'bookings', true,
  'Add, rename and delete the tags that bookings are given', 'Añadir, renombrar y borrar las etiquetas de las reservas',
  array['admin', 'manager']
);
select private.permission_upsert(
  'customers:read', 'customers', false,
  'See customers and how to reach them', 'Ver los clientes y sus datos de contacto',
  array['admin', 'manager', 'receptionist']
);
