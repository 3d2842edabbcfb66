-- What the platform takes of a payment into an organization's own account.

create function private.platform_fee(
  plan public.plans,
  currency text,
  amount_cents bigint,
  total_cents bigint,
  party_size int
)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  wanted numeric := amount_cents::numeric * plan.fee_basis_points / 10000
    + plan.fee_fixed_cents
    -- In proportion, so that a booking paid in parts pays for each player once.
    + plan.fee_player_cents::numeric * party_size * amount_cents / greatest(total_cents, amount_cents, 1);
begin
  return least(
    private.in_steps(least(greatest(wanted, plan.fee_minimum_cents), plan.fee_maximum_cents), platform_fee.currency),
    amount_cents
  );
end
$$;

comment on function private.platform_fee is
  'The platform''s fee of one payment, by the plan: its share of the amount, a fixed amount, and an amount a player in the proportion of the payment to the total; no less than its minimum and no more than its maximum; then rounded once, half away from zero, to what the currency can pay, and never more than the payment. Minor units.';
