"""The views that questions are about, as schema `reports` has them (docs/views.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: The columns of each view, in their order.
VIEWS: Final[Mapping[str, tuple[str, ...]]] = {
    "booking_lines": (
        *("booking_id", "position", "kind", "description", "quantity"),
        *("unit_cents", "total_cents", "tax_rate_bp", "tax_cents"),
    ),
    "bookings": (
        *("id", "reference", "status", "source", "booked_at", "starts_at", "visit_at"),
        *("visit_date", "timezone", "session_id", "room_id", "room", "location_id", "location"),
        *("customer_id", "customer", "email", "party_size", "language", "currency"),
        *("total_cents", "tax_cents"),
    ),
    "customers": ("id", "full_name", "email", "phone", "language", "added_at"),
    "locations": ("id", "name", "timezone", "city", "country"),
    "payments": (
        *("id", "booking_id", "method", "amount_cents", "currency", "occurred_at", "paid_at"),
        "platform_fee_cents",
    ),
    "refunds": (
        *("id", "booking_id", "payment_id", "kind", "method", "amount_cents", "currency"),
        "occurred_at",
    ),
    "results": (
        *("booking_id", "session_id", "room_id", "room", "played_at", "outcome"),
        *("escape_seconds", "duration_seconds", "pauses", "hints", "team_name", "level"),
        *("language", "is_by_hand"),
    ),
    "rooms": (
        *("id", "name", "location_id", "location", "timezone", "duration_minutes"),
        *("is_published", "is_archived"),
    ),
    "sessions": (
        *("id", "room_id", "room", "starts_at", "ends_at", "local_start", "mode", "status"),
        *("capacity", "seats_taken"),
    ),
    "waiting": (
        *("id", "room_id", "from_date", "to_date", "starts_at", "party_size", "status"),
        *("booking_id", "asked_at"),
    ),
}
