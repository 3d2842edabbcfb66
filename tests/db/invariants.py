"""What must hold of a venue's books at every moment between two transactions.

Each query finds what contradicts its promise; a consistent venue has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from matrix.house import House

#: What the ledger must say of the rows that it follows; told from those rows alone.
_LEDGER = {
    "the customers' account of a booking is what it paid and did not get back": """
        select b.id, b.reference, said.cents, balance.balance_cents
        from public.bookings as b
        cross join private.booking_balance(b.organization_id, b.id) as balance
        cross join lateral (
          select coalesce(sum(
            case 'customers' when e.credit then e.amount_cents when e.debit then -e.amount_cents
            else 0 end
          ), 0) as cents
          from public.ledger_entries as e
          where e.organization_id = b.organization_id and e.booking_id = b.id
        ) as said
        where b.organization_id = %(venue)s and said.cents <> balance.balance_cents
    """,
    "of a booking's money its price at most is sold, with the tax that its lines contain": """
        select b.id, b.reference, said.*, told.*
        from public.bookings as b
        cross join lateral (
          select
            coalesce(sum(case when e.debit = 'charges' then e.amount_cents else -e.amount_cents end)
              filter (where 'charges' in (e.debit, e.credit)), 0) as sold,
            coalesce(sum(case when e.credit = 'tax' then e.amount_cents else -e.amount_cents end)
              filter (where 'tax' in (e.debit, e.credit)), 0) as taxed
          from public.ledger_entries as e
          where e.organization_id = b.organization_id and e.booking_id = b.id
        ) as said
        cross join lateral (
          select
            least(b.total_cents, balance.balance_cents) as sold,
            (
              select coalesce(sum(round(
                rate.cents * least(b.total_cents, balance.balance_cents)::numeric
                / nullif(b.total_cents, 0)
              )), 0)
              from (
                select sum(n.tax_cents) as cents from public.booking_lines as n
                where n.organization_id = b.organization_id and n.booking_id = b.id
                group by n.tax_rate_bp
              ) as rate
            ) as taxed
          from private.booking_balance(b.organization_id, b.id) as balance
        ) as told
        where b.organization_id = %(venue)s
          and (said.sold, said.taxed) is distinct from (told.sold, told.taxed)
    """,
    "every account holds what its rows brought, and all of them together nothing": """
        with
        paid as (
          select p.id, p.method, p.currency, p.amount_cents, p.platform_fee_cents,
            coalesce((
              select sum(r.amount_cents) from public.refunds as r
              where r.organization_id = p.organization_id and r.payment_id = p.id
                and r.method = 'stripe'
            ), 0) as returned
          from public.payments as p where p.organization_id = %(venue)s
        ),
        told (account, currency, cents) as (
          select case method when 'stripe' then 'stripe_balance' when 'cash' then 'cash_drawer'
              when 'card_terminal' then method when 'voucher' then 'vouchers' else 'bank' end,
            currency, amount_cents
          from paid
          union all
          select case method when 'stripe' then 'stripe_balance' when 'cash' then 'cash_drawer'
              when 'card_terminal' then method when 'voucher' then 'vouchers' else 'bank' end,
            currency, -amount_cents
          from public.refunds where organization_id = %(venue)s
          union all
          select account, currency, sign * (
            platform_fee_cents - round(platform_fee_cents * returned / amount_cents)
          )
          from paid
          cross join (values ('platform_fees', 1), ('stripe_balance', -1)) as of (account, sign)
          union all
          select account, currency, sign * amount_cents
          from public.disputes
          join (values
            ('stripe_balance', -1, array['needs_response', 'under_review', 'lost']),
            ('disputes', 1, array['needs_response', 'under_review']),
            ('dispute_losses', 1, array['lost'])
          ) as of (account, sign, statuses) on status = any (of.statuses)
          where organization_id = %(venue)s
          union all
          -- Of vouchers that were bought online.
          select 'stripe_balance', currency, amount_cents
          from public.voucher_orders
          where organization_id = %(venue)s and status = 'paid'
          union all
          select 'stripe_balance', currency, -amount_cents
          from public.voucher_refunds
          where organization_id = %(venue)s and status = 'succeeded'
          union all
          select account, o.currency, sign * (
            o.platform_fee_cents - round(o.platform_fee_cents::numeric * coalesce((
              select sum(r.amount_cents) from public.voucher_refunds as r
              where r.organization_id = o.organization_id and r.order_id = o.id
                and r.status = 'succeeded'
            ), 0) / o.amount_cents)
          )
          from public.voucher_orders as o
          cross join (values ('platform_fees', 1), ('stripe_balance', -1)) as of (account, sign)
          where o.organization_id = %(venue)s and o.status = 'paid'
          union all
          select account, currency, sign * amount_cents
          from public.voucher_disputes
          join (values
            ('stripe_balance', -1, array['needs_response', 'under_review', 'lost']),
            ('disputes', 1, array['needs_response', 'under_review'])
          ) as of (account, sign, statuses) on status = any (of.statuses)
          where organization_id = %(venue)s
          union all
          -- What a lost dispute took of what was spent before.
          select 'dispute_losses', o.currency, least(gone.lost, greatest(0, least(
            gone.lost + gone.refunded, o.amount_cents
          ) - gone.off))
          from public.voucher_orders as o
          cross join lateral (
            select
              (
                select coalesce(sum(d.amount_cents), 0) from public.voucher_disputes as d
                where d.organization_id = o.organization_id and d.order_id = o.id
                  and d.status = 'lost'
              ) as lost,
              (
                select coalesce(sum(r.amount_cents), 0) from public.voucher_refunds as r
                where r.organization_id = o.organization_id and r.order_id = o.id
                  and r.status in ('pending', 'succeeded')
              ) as refunded,
              (
                select coalesce(-sum(e.amount_cents), 0) from public.voucher_entries as e
                where e.organization_id = o.organization_id and e.voucher_id = o.voucher_id
                  and e.kind in ('revoked', 'restored', 'cancelled')
              ) as off
          ) as gone
          where o.organization_id = %(venue)s and o.status = 'paid'
          union all
          select account, currency, sign * balance_cents
          from public.vouchers
          join (values ('voucher_liability', -1, false), ('vouchers_expired', -1, true))
            as of (account, sign, expired) on of.expired = (expired_at is not null)
          where organization_id = %(venue)s
          union all
          select account, day.currency, sign * (day.counted_cash_cents - day.float_cents - (
            select coalesce(sum(n.amount_cents), 0) from public.cash_day_lines as n
            where n.organization_id = day.organization_id and n.cash_day_id = day.id
              and n.method = 'cash'
          ))
          from public.cash_days as day
          cross join (values ('cash_drawer', 1), ('cash_differences', -1)) as of (account, sign)
          where day.organization_id = %(venue)s and day.closed_at is not null
        ),
        said (account, currency, cents) as (
          select side.account, e.currency, side.cents
          from public.ledger_entries as e
          cross join lateral (
            values (e.debit, e.amount_cents), (e.credit, -e.amount_cents)
          ) as side (account, cents)
          where e.organization_id = %(venue)s
        ),
        accounts as (
          select coalesce(s.account, t.account) as account, s.cents as said, t.cents as told
          from (select account, currency, sum(cents) as cents from said group by 1, 2) as s
          full join (select account, currency, sum(cents) as cents from told group by 1, 2) as t
            on t.account = s.account and t.currency = s.currency
        )
        select * from accounts
        where coalesce(said, 0) <> coalesce(told, 0)
          -- What is sold is looked at booking by booking; what vouchers were issued for follows.
          and account not in ('customers', 'charges', 'sales', 'tax', 'vouchers', 'vouchers_issued')
        union all
        select 'all', sum(cents), 0 from said group by currency having sum(cents) <> 0
    """,
}

#: By promise; every query takes the organization's id.
_VIOLATIONS = {
    "no two sessions overlap in a room": """
        select a.id, b.id
        from public.sessions as a
        join public.sessions as b
          on b.organization_id = a.organization_id and b.room_id = a.room_id
          and b.id > a.id and b.during && a.during
        where a.organization_id = %(venue)s and 'cancelled' not in (a.status, b.status)
    """,
    "the seats taken are those of live bookings": """
        select s.id, s.seats_taken, sum(b.seats)
        from public.sessions as s
        left join public.bookings as b
          on b.organization_id = s.organization_id and b.session_id = s.id and b.takes_capacity
        where s.organization_id = %(venue)s and s.mode <> 'block'
        group by s.id, s.seats_taken
        having s.seats_taken <> coalesce(sum(b.seats), 0)
    """,
    "seats are never above capacity": """
        select s.id from public.sessions as s
        where s.organization_id = %(venue)s and s.seats_taken > s.capacity
    """,
    "no session is an orphan: one that stands has a booking or is a block": """
        select s.id
        from public.sessions as s
        where s.organization_id = %(venue)s and s.status = 'scheduled' and s.mode <> 'block'
          and not exists (
            select from public.bookings as b
            where b.organization_id = s.organization_id and b.session_id = s.id and b.takes_capacity
          )
    """,
    "a booking's status is where its history ends": """
        select b.id, b.status
        from public.bookings as b
        where b.organization_id = %(venue)s and b.status is distinct from (
          select h.to_status from public.booking_history as h
          where h.organization_id = b.organization_id and h.booking_id = b.id
          order by h.occurred_at desc, h.id desc
          limit 1
        )
    """,
    "every step of a history is a listed transition, and starts where the last one ended": """
        select h.booking_id, h.previous, h.from_status, h.to_status
        from (
          select k.*, lag(k.to_status) over (
            partition by k.booking_id order by k.occurred_at, k.id
          ) as previous
          from public.booking_history as k
          where k.organization_id = %(venue)s
        ) as h
        where h.from_status is distinct from h.previous
          or (
            h.from_status <> h.to_status
            and not exists (
              select from private.booking_transitions as t
              where t.from_status = h.from_status and t.to_status = h.to_status
            )
          )
    """,
    "a booking costs what its lines say": """
        select b.id, b.total_cents, sum(l.total_cents), b.tax_cents, sum(l.tax_cents)
        from public.bookings as b
        join public.booking_lines as l
          on l.organization_id = b.organization_id and l.booking_id = b.id
        where b.organization_id = %(venue)s
        group by b.id, b.total_cents, b.tax_cents
        having (b.total_cents, b.tax_cents) <> (sum(l.total_cents), sum(l.tax_cents))
    """,
    "every booking has lines": """
        select b.id from public.bookings as b
        where b.organization_id = %(venue)s and not exists (
          select from public.booking_lines as l
          where l.organization_id = b.organization_id and l.booking_id = b.id
        )
    """,
    "no more is promised back of a payment than it brought": """
        select p.id
        from public.payments as p
        join private.refund_requests as q
          on q.organization_id = p.organization_id and q.payment_id = p.id
          and q.status in ('pending', 'succeeded')
        where p.organization_id = %(venue)s
        group by p.id, p.amount_cents
        having sum(q.amount_cents) > p.amount_cents
    """,
    "nothing waits to go back that a lost dispute gave back": """
        select p.id
        from public.payments as p
        join private.refund_requests as q
          on q.organization_id = p.organization_id and q.payment_id = p.id
          and q.status in ('pending', 'succeeded')
        where p.organization_id = %(venue)s
        group by p.organization_id, p.id, p.amount_cents
        having bool_or(q.status = 'pending' and q.provider_refund_id is null)
          and sum(q.amount_cents) + (
            select coalesce(sum(d.amount_cents), 0) from public.disputes as d
            where d.organization_id = p.organization_id and d.payment_id = p.id
              and d.status = 'lost'
          ) > p.amount_cents
    """,
    "a person is in one place at a time": """
        select a.session_id, b.session_id
        from public.session_staff as a
        join public.session_staff as b
          on b.organization_id = a.organization_id and b.user_id = a.user_id
          and b.session_id > a.session_id and b.during && a.during
        where a.organization_id = %(venue)s
    """,
    "who runs a session does so at its time, and only while it stands": """
        select a.session_id
        from public.session_staff as a
        join public.sessions as s on s.organization_id = a.organization_id and s.id = a.session_id
        where a.organization_id = %(venue)s and (s.status = 'cancelled' or s.during <> a.during)
    """,
    "a coupon is used no more often than it may be": """
        select c.code, count(*)
        from public.coupons as c
        join public.coupon_redemptions as r
          on r.organization_id = c.organization_id and r.coupon_id = c.id
        join public.bookings as b
          on b.organization_id = r.organization_id and b.id = r.booking_id and b.takes_capacity
        where c.organization_id = %(venue)s
        group by c.code, c.maximum_uses
        having count(*) > c.maximum_uses
    """,
    "a voucher's balance is the sum of its entries, and never below zero": """
        select v.code, v.balance_cents, sum(e.amount_cents)
        from public.vouchers as v
        join public.voucher_entries as e
          on e.organization_id = v.organization_id and e.voucher_id = v.id
        where v.organization_id = %(venue)s
        group by v.code, v.balance_cents
        having v.balance_cents <> sum(e.amount_cents) or v.balance_cents < 0
    """,
    "what a voucher paid is what bookings got from it": """
        select v.code
        from public.vouchers as v
        where v.organization_id = %(venue)s and (
          select coalesce(sum(e.amount_cents), 0) from public.voucher_entries as e
          where e.organization_id = v.organization_id and e.voucher_id = v.id
            and e.kind in ('redeemed', 'returned')
        ) <> (
          select coalesce(sum(r.back), 0) - coalesce(sum(p.amount_cents), 0)
          from public.payments as p
          cross join lateral (
            select coalesce(sum(f.amount_cents), 0) as back from public.refunds as f
            where f.organization_id = p.organization_id and f.payment_id = p.id
          ) as r
          where p.organization_id = v.organization_id and p.method = 'voucher' and p.id in (
            select e.payment_id from public.voucher_entries as e
            where e.organization_id = v.organization_id and e.voucher_id = v.id
              and e.kind = 'redeemed'
          )
        )
    """,
    "no more of an extra is sold than there is": """
        select b.session_id, x.id
        from public.booking_extras as t
        join public.extras as x on x.organization_id = t.organization_id and x.id = t.extra_id
        join public.bookings as b
          on b.organization_id = t.organization_id and b.id = t.booking_id and b.takes_capacity
        where t.organization_id = %(venue)s
        group by b.session_id, x.id, x.stock_per_session
        having sum(t.units) > x.stock_per_session
    """,
    "one place is offered to one who waits": """
        select e.booking_id from public.waitlist_entries as e
        where e.organization_id = %(venue)s and e.status in ('offered', 'booked')
        group by e.booking_id
        having count(*) > 1
    """,
    "who was offered a place has it held or taken": """
        select e.id, e.status, b.status
        from public.waitlist_entries as e
        join public.bookings as b on b.organization_id = e.organization_id and b.id = e.booking_id
        where e.organization_id = %(venue)s and (
          (e.status = 'offered' and b.status <> 'held')
          or (e.status = 'booked' and b.status in ('expired', 'cancelled') and not exists (
            select from public.booking_history as h
            where h.organization_id = b.organization_id and h.booking_id = b.id
              and h.to_status in ('pending', 'confirmed')
          ))
        )
    """,
    "a booking that is over keeps no unpaid claim to money": """
        select b.id
        from public.bookings as b
        where b.organization_id = %(venue)s and b.status = 'expired'
          and private.booking_kept(b.organization_id, b.id) <> 0
    """,
    **_LEDGER,
}


def broken_promises(house: House, venue: str) -> dict[str, list[dict[str, object]]]:
    """Every promise that the venue's books break, with what breaks it."""
    return _broken(_VIOLATIONS, house.owner_sql, venue)


def broken_ledger(
    ask: Callable[..., list[dict[str, object]]], venue: str
) -> dict[str, list[dict[str, object]]]:
    """Every promise about the ledger that is broken; ask: runs a query with its values."""
    return _broken(_LEDGER, ask, venue)


def _broken(
    promises: Mapping[str, str], ask: Callable[..., Sequence[dict[str, object]]], venue: str
) -> dict[str, list[dict[str, object]]]:
    found = {
        promise: list(ask(query.replace("%(venue)s", "%s"), *([venue] * query.count("%(venue)s"))))
        for promise, query in promises.items()
    }
    return {promise: rows for promise, rows in found.items() if rows}
