-- Who keeps the webhooks.

select private.permission_upsert(
  'webhooks:read', 'webhooks', false,
  'See the webhook endpoints and what was delivered to them', 'Ver los endpoints de webhooks y sus entregas',
  array['admin']
);
-- What happens at the venue, people included, goes wherever an endpoint says, for as long as it is there.
select private.permission_upsert(
  'webhooks:manage', 'webhooks', true,
  'Make, change and remove webhook endpoints, and deliver again', 'Crear, cambiar y borrar endpoints de webhooks, y volver a entregar',
  array['admin'],
  rests_in_visits => true
);
