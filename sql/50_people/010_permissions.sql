-- Permissions of customers and waivers.

select private.permission_upsert(
  'customers:create', 'customers', true,
  'Add customers', 'Añadir clientes',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'customers:update', 'customers', true,
  'Change, tag and merge customers', 'Cambiar, etiquetar y unir clientes',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'customers:export', 'customers', false,
  'Export all that is known of a customer', 'Exportar todos los datos de un cliente',
  array['admin', 'manager']
);
select private.permission_upsert(
  'customers:erase', 'customers', true,
  'Erase a customer for good', 'Borrar un cliente para siempre',
  array['admin']
);
select private.permission_upsert(
  'waivers:read', 'waivers', false,
  'See waivers and who signed them', 'Ver los descargos de responsabilidad y quién los firmó',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'waivers:collect', 'waivers', true,
  'Have waivers signed at the venue', 'Recoger firmas de descargos en el local',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'waivers:manage', 'waivers', true,
  'Publish waivers and open kiosks', 'Publicar descargos y abrir quioscos de firma',
  array['admin', 'manager']
);
