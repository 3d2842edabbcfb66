-- Run by `supabase db reset` and `supabase start`, after the migrations.
--
-- Deliberately empty: reference data is in the migrations, and the demo is made through the
-- product's own functions by `escapemaster seed`.
select 1;
