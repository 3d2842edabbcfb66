-- Amounts that a venue types, in the steps of its currency.

create function private.refuse_uneven_amounts()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  written jsonb := to_jsonb(new);
  step int := (select private.amount_step(o.currency) from public.organizations as o where o.id = new.organization_id);
  field text;
begin
  foreach field in array tg_argv loop
    -- A value is an amount unless its kind says that it is a share.
    if written ->> replace(field, 'value', 'kind') is distinct from 'percent' and (written ->> field)::bigint % step <> 0 then
      perform private.fail(
        'amount_uneven', 422, 'Use amounts that end in 0: the last digit of this currency cannot be paid.',
        jsonb_build_object('field', field, 'step', step)
      );
    end if;
  end loop;
  return new;
end
$$;

comment on function private.refuse_uneven_amounts is
  'definer: reads the currency for whoever may write a price. Refuses amounts that are no multiples of the currency''s step, in the columns that the trigger names: 422 amount_uneven (details {"field", "step"}).';

create function private.refuse_uneven_amount(amount_cents bigint, currency text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if amount_cents % private.amount_step(refuse_uneven_amount.currency) <> 0 then
    perform private.fail(
      'amount_invalid', 422, 'Use an amount that ends in 0: the last digit of this currency cannot be paid.'
    );
  end if;
end
$$;

comment on function private.refuse_uneven_amount is
  'Raises 422 amount_invalid for an amount that is no multiple of the currency''s step.';
