"""What must hold of a venue's books at every moment between two transactions.

Each query finds what contradicts its promise; a consistent venue has none.
"""

from __future__ import annotations

from matrix.house import House

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
          on q.organization_id = p.organization_id and q.payment_id = p.id and q.status <> 'failed'
        where p.organization_id = %(venue)s
        group by p.id, p.amount_cents
        having sum(q.amount_cents) > p.amount_cents
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
}


def broken_promises(house: House, venue: str) -> dict[str, list[dict[str, object]]]:
    """Every promise that the venue's books break, with what breaks it."""
    found = {
        promise: house.owner_sql(query.replace("%(venue)s", "%s"), venue)
        for promise, query in _VIOLATIONS.items()
    }
    return {promise: rows for promise, rows in found.items() if rows}
