-- Permissions of the catalogue: what a venue offers, when, and where it is sold.

select private.permission_upsert(
  'rooms:read', 'catalogue', false,
  'See locations and rooms', 'Ver locales y salas',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'rooms:create', 'catalogue', true,
  'Add locations and rooms', 'Añadir locales y salas',
  array['admin', 'manager']
);
select private.permission_upsert(
  'rooms:update', 'catalogue', true,
  'Change locations and rooms, their prices, images and cancellation terms',
  'Cambiar locales y salas, sus precios, imágenes y condiciones de cancelación',
  array['admin', 'manager']
);
select private.permission_upsert(
  'rooms:delete', 'catalogue', true,
  'Delete locations and rooms that were never booked', 'Borrar locales y salas sin reservas',
  array['admin', 'manager']
);
select private.permission_upsert(
  'schedules:read', 'catalogue', false,
  'See opening hours and exceptions', 'Ver horarios y excepciones',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'schedules:manage', 'catalogue', true,
  'Change opening hours and exceptions, block a room', 'Cambiar horarios y excepciones, bloquear una sala',
  array['admin', 'manager']
);
select private.permission_upsert(
  'calendars:read', 'catalogue', false,
  'See public calendars', 'Ver los calendarios públicos',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'calendars:manage', 'catalogue', true,
  'Change public calendars and their feeds', 'Cambiar los calendarios públicos y sus suscripciones',
  array['admin', 'manager']
);
