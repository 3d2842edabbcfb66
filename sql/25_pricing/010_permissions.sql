-- Permissions of prices, and of what is sold beside the seats.

select private.permission_upsert(
  'pricing:read', 'pricing', false,
  'See prices by party size and price rules', 'Ver precios por tamaño de grupo y reglas de precio',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'pricing:manage', 'pricing', true,
  'Change prices by party size and price rules', 'Cambiar precios por tamaño de grupo y reglas de precio',
  array['admin', 'manager']
);
select private.permission_upsert(
  'pricing:override', 'pricing', true,
  'Sell a booking at another price, with a reason', 'Vender una reserva a otro precio, con un motivo',
  array['admin', 'manager'],
  rests_in_visits => true
);
select private.permission_upsert(
  'extras:read', 'pricing', false,
  'See extras', 'Ver los extras',
  array['admin', 'manager', 'receptionist', 'game_master']
);
select private.permission_upsert(
  'extras:manage', 'pricing', true,
  'Change extras, their prices and stock', 'Cambiar los extras, sus precios y existencias',
  array['admin', 'manager']
);
select private.permission_upsert(
  'coupons:read', 'pricing', false,
  'See coupons and who used them', 'Ver los cupones y quién los usó',
  array['admin', 'manager', 'receptionist'],
  rests_in_visits => true
);
select private.permission_upsert(
  'coupons:manage', 'pricing', true,
  'Create coupons, switch them on and off', 'Crear cupones, activarlos y desactivarlos',
  array['admin', 'manager'],
  rests_in_visits => true
);
select private.permission_upsert(
  'vouchers:read', 'pricing', false,
  'See gift vouchers and their entries', 'Ver los vales regalo y sus movimientos',
  array['admin', 'manager', 'receptionist'],
  rests_in_visits => true
);
select private.permission_upsert(
  'vouchers:manage', 'pricing', true,
  'Issue and cancel gift vouchers', 'Emitir y anular vales regalo',
  array['admin', 'manager'],
  rests_in_visits => true
);
