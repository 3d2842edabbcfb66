"""What staff and customers do to a booking after it was made, in one line each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import count

from client import Client
from db.booking_world import GUEST, Row, Shop, in_json

_keys = count(1)


def key() -> str:
    """An idempotency key that nobody has used."""
    return f"change-{next(_keys)}"


def book(
    shop: Shop,
    room: object,
    starts_at: datetime | None,
    *,
    by: Client | None = None,
    party_size: int | None = 2,
    customer: Mapping[str, object] | None = None,
    **values: object,
) -> Row:
    """Booked by staff; the owner unless somebody else is named."""
    booked: Row = (by or shop.venue.owner).call(
        "create_booking",
        **{
            "organization_id": shop.id,
            "room_id": room,
            "starts_at": starts_at,
            "party_size": party_size,
            "customer": dict(GUEST if customer is None else customer),
            "idempotency_key": key(),
            **in_json(values),
        },
    )
    return booked


def quote(shop: Shop, booking: Row, **values: object) -> Row:
    """What a change would cost the customer."""
    quoted: Row = shop.visitor.call(
        "quote_reschedule",
        reference=booking["reference"],
        manage_token=booking["manage_token"],
        **in_json(values),
    )
    return quoted


def reschedule(
    shop: Shop,
    booking: Row,
    *,
    total: int | None,
    by: Client | None = None,
    **values: object,
) -> Row:
    """Changed by its customer."""
    changed: Row = (by or shop.visitor).call(
        "reschedule_booking",
        **{
            "reference": booking["reference"],
            "manage_token": booking["manage_token"],
            "expected_total_cents": total,
            "idempotency_key": key(),
            **in_json(values),
        },
    )
    return changed


def alter(shop: Shop, booking: Row, by: Client | None = None, **values: object) -> Row:
    """Changed by staff; the owner unless somebody else is named."""
    changed: Row = (by or shop.venue.owner).call(
        "change_booking",
        **{
            "organization_id": shop.id,
            "booking_id": booking.get("id") or shop.id_of(booking),
            "idempotency_key": key(),
            **in_json(values),
        },
    )
    return changed


def take(shop: Shop, booking: Row, cents: int, method: str = "cash") -> Row:
    """Paid at the desk."""
    paid: Row = shop.venue.owner.call(
        "record_payment",
        organization_id=shop.id,
        booking_id=booking.get("id") or shop.id_of(booking),
        method=method,
        amount_cents=cents,
        idempotency_key=key(),
    )
    return paid


def promised(shop: Shop, booking: Row) -> list[tuple[str, int]]:
    """Why and how much was promised back, in order of time."""
    rows = shop.house.owner_sql(
        "select reason, amount_cents from private.refund_requests"
        " where organization_id = %s and booking_id = %s order by created_at, id",
        shop.id,
        shop.id_of(booking),
    )
    return [(row["reason"], row["amount_cents"]) for row in rows]


def everything(shop: Shop) -> Row:
    """All that a refused request must not have touched."""
    seen: Row = shop.house.one(
        "select jsonb_build_object("
        "'sessions', (select jsonb_agg(s order by s.id) from public.sessions as s"
        "   where s.organization_id = o.id),"
        "'bookings', (select jsonb_agg(b order by b.id) from public.bookings as b"
        "   where b.organization_id = o.id),"
        "'lines', (select jsonb_agg(l order by l.id) from public.booking_lines as l"
        "   where l.organization_id = o.id),"
        "'history', (select jsonb_agg(h order by h.id) from public.booking_history as h"
        "   where h.organization_id = o.id),"
        "'customers', (select jsonb_agg(c order by c.id) from public.customers as c"
        "   where c.organization_id = o.id),"
        "'refunds', (select jsonb_agg(q order by q.id) from private.refund_requests as q"
        "   where q.organization_id = o.id),"
        "'ledger', (select jsonb_agg(r order by r.id) from public.refunds as r"
        "   where r.organization_id = o.id),"
        "'jobs', (select jsonb_agg(j order by j.id) from private.jobs as j"
        "   where j.organization_id = o.id),"
        "'keys', (select count(*) from private.idempotency_keys as k"
        "   where starts_with(k.scope, o.id::text))"
        ") from public.organizations as o where o.id = %s",
        shop.id,
    )
    return seen


def copy_tenant(shop: Shop, twin: Shop, tables: tuple[str, ...]) -> None:
    """Give the twin rows with the same ids."""
    for table in ("locations", "rooms", *tables):
        columns = shop.house.one(
            "select string_agg(quote_ident(attname), ', ') from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 and not attisdropped"
            " and attgenerated = '' and attname <> 'organization_id'",
            f"public.{table}",
        )
        shop.house.owner_sql(
            f"insert into public.{table} (organization_id, {columns.replace('calendar_id, ', '')})"
            f" select %s, {columns.replace('calendar_id, ', '')} from public.{table}"
            " where organization_id = %s",
            twin.id,
            shop.id,
        )
