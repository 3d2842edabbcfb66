-- Permissions about what the organization itself pays for the product.

select private.permission_upsert(
  'billing:read', 'organization', false,
  'See the organization''s plan, its limits and what it pays', 'Ver el plan de la organización, sus límites y lo que paga',
  array['admin']
);
select private.permission_upsert(
  'billing:manage', 'organization', true,
  'Subscribe, change the plan, cancel and pay', 'Suscribirse, cambiar de plan, cancelar y pagar',
  array[]::text [],
  rests_in_visits => true
);
