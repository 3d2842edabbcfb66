"""Several rooms in one order, made and moved in one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from client import Client
from db.booking_world import GUEST, PRICE, Row, Shop
from db.changes_world import key


def item(room: object, starts_at: datetime | None, party_size: object = 2, **more: object) -> Row:
    """One of the bookings that are ordered."""
    starts = starts_at.isoformat() if starts_at else None
    return {"room_id": room, "starts_at": starts, "party_size": party_size, **more}


def quote(shop: Shop, items: Sequence[Row], **values: object) -> Row:
    """What a visitor is told that all of it costs."""
    quoted: Row = shop.visitor.call(
        "quote_order", slug=shop.slug, items=Jsonb(list(items)), **values
    )
    return quoted


def hold(
    shop: Shop,
    items: Sequence[Row],
    *,
    by: Client | None = None,
    total: int | None = None,
    customer: Mapping[str, object] | None = None,
    **values: Any,
) -> Row:
    """Held by a visitor; the total is that of the parties unless something else is said."""
    parties = sum(i["party_size"] for i in items if isinstance(i.get("party_size"), int))
    held: Row = (by or shop.visitor).call(
        "hold_order",
        **{
            "slug": shop.slug,
            "items": Jsonb(list(items)),
            "customer": dict(GUEST if customer is None else customer),
            "expected_total_cents": PRICE * parties if total is None else total,
            "idempotency_key": key(),
            **{k: Jsonb(v) if isinstance(v, list) else v for k, v in values.items()},
        },
    )
    return held


def book(shop: Shop, items: Sequence[Row], *, by: Client | None = None, **values: object) -> Row:
    """Booked by staff; the owner unless somebody else is named."""
    made: Row = (by or shop.venue.owner).call(
        "create_order",
        **{
            "organization_id": shop.id,
            "items": Jsonb(list(items)),
            "customer": dict(GUEST),
            "idempotency_key": key(),
            **values,
        },
    )
    return made


def look(shop: Shop, order: Row) -> Row:
    """The order as whoever has its link sees it."""
    seen: Row = shop.visitor.call(
        "get_order", reference=order["reference"], order_token=order["order_token"]
    )
    return seen


def cancel(shop: Shop, order: Row, *bookings: Row) -> Row:
    """Cancelled by its customer: those bookings, or all."""
    seen: Row = shop.visitor.call(
        "cancel_order",
        reference=order["reference"],
        order_token=order["order_token"],
        booking_references=[b["reference"] for b in bookings] or None,
    )
    return seen


def reschedule(
    shop: Shop, order: Row, starts_at: datetime | None, total: int | None, **values: object
) -> Row:
    """Moved by its customer, the first booking to that start."""
    seen: Row = shop.visitor.call(
        "reschedule_order",
        **{
            "reference": order["reference"],
            "order_token": order["order_token"],
            "starts_at": starts_at,
            "expected_total_cents": total,
            "idempotency_key": key(),
            **values,
        },
    )
    return seen


def change(
    shop: Shop, order: Row, starts_at: datetime, by: Client | None = None, **values: object
) -> Row:
    """Moved by staff, the first booking to that start."""
    seen: Row = (by or shop.venue.owner).call(
        "change_order",
        **{
            "organization_id": shop.id,
            "order_id": order["id"],
            "starts_at": starts_at,
            "idempotency_key": key(),
            **values,
        },
    )
    return seen


def move(shop: Shop, order: Row, to_status: str, by: Client | None = None, **values: object) -> Row:
    """All of it, or the named bookings, to their next status."""
    seen: Row = (by or shop.venue.owner).call(
        "transition_order",
        organization_id=shop.id,
        order_id=order["id"],
        to_status=to_status,
        **values,
    )
    return seen


def statuses(order: Row) -> list[str]:
    """What became of each booking, in order of time."""
    return [b["status"] for b in order["bookings"]]


def starts(order: Row) -> list[datetime]:
    """When each booking begins, in order of time."""
    return [datetime.fromisoformat(b["starts_at"]) for b in order["bookings"]]
