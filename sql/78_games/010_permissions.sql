-- Permissions of those who run games: one's own take games:manage, which is with the team photos.

select private.permission_upsert(
  'games:run', 'games', true,
  'Run any game, whoever is its game master', 'Dirigir cualquier partida, sea quien sea su game master',
  array['admin', 'manager', 'receptionist']
);
select private.permission_upsert(
  'games:correct', 'games', true,
  'Enter or change a game''s result by hand', 'Anotar o cambiar a mano el resultado de una partida',
  array['admin', 'manager']
);
select private.permission_upsert(
  'games:moderate', 'games', true,
  'Decide which team names the public sees', 'Decidir qué nombres de equipo ve el público',
  array['admin', 'manager', 'receptionist']
);
