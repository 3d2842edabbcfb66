"""A mail of each kind about nobody, for previews."""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from escapemaster.database import EmailOverride, PreparedEmail, Recipient

_BOOKING: Final[dict[str, JsonValue]] = {
    "organization_name": "Casa Laberinto",
    "room_name": "La cripta",
    "location_name": "Casa Laberinto Centro",
    "address": "Calle Mayor 1, 28013 Madrid",
    "timezone": "Europe/Madrid",
    "starts_at": "2027-05-15T17:30:00Z",
    "ends_at": "2027-05-15T18:30:00Z",
    "party_size": 4,
    "reference": "ABCD-2345",
    "manage_url_token": "sample",
    "calendar_slug": None,
    "currency": "EUR",
    "total_cents": 10000,
    "paid_cents": 4000,
    "open_cents": 6000,
    "terms": {
        "tiers": [
            {"hours_before": 48, "refund_percent": 100},
            {"hours_before": 24, "refund_percent": 50},
        ],
        "no_show_fee_percent": 100,
    },
}

_DATA: Final[dict[str, dict[str, JsonValue]]] = {
    "booking_confirmed": _BOOKING,
    "booking_cancelled": {
        **_BOOKING,
        "open_cents": 0,
        "refund_cents": 4000,
        "cancel_refund": "terms",
        "cancelled_by_customer": True,
    },
    "booking_rescheduled": {
        **_BOOKING,
        "previous": {"starts_at": "2027-05-14T16:00:00Z", "party_size": 3, "total_cents": 8000},
    },
    "booking_paid_late": {**_BOOKING, "open_cents": 0, "refund_cents": 4000},
    "booking_to_confirm": {
        **_BOOKING,
        "paid_cents": 0,
        "open_cents": 10000,
        "expires_at": "2027-05-10T17:00:00Z",
        "confirmation_token": "sample",
    },
    "booking_held": {
        **_BOOKING,
        "paid_cents": 0,
        "open_cents": 10000,
        "due_now_cents": 4000,
        "expires_at": "2027-05-10T17:00:00Z",
    },
    "waitlist_joined": {
        "organization_name": "Casa Laberinto",
        "room_name": "La cripta",
        "from_date": "2027-05-15",
        "to_date": "2027-05-16",
        "timezone": "Europe/Madrid",
        "party_size": 4,
        "offer_minutes": 120,
        "waitlist_token": "sample",
        "calendar_slug": None,
    },
    "waitlist_offer": {
        **_BOOKING,
        "paid_cents": 0,
        "due_now_cents": 4000,
        "expires_at": "2027-05-10T17:00:00Z",
        "waitlist_token": "sample",
    },
    "voucher_issued": {
        "organization_name": "Casa Laberinto",
        "code": "REGALO-2027",
        "currency": "EUR",
        "initial_cents": 8000,
        "valid_until": "2028-05-15",
        "recipient_name": "Marta",
        "message": "Happy birthday!\nSee you in the dark.",
        "calendar_slug": None,
    },
    "invitation": {
        "organization_name": "Casa Laberinto",
        "role_name": "Game master",
        "invitation_token": "sample",
        "expires_at": "2027-05-15T17:30:00Z",
        "timezone": "Europe/Madrid",
    },
    "dispute_opened": {
        "organization_name": "Casa Laberinto",
        "reference": "ABCD-2345",
        "currency": "EUR",
        "amount_cents": 9000,
        "reason": "product_not_received",
        "respond_by": "2027-05-15T21:59:59Z",
        "timezone": "Europe/Madrid",
    },
}


def sample(template: str, locale: str, override: EmailOverride | None = None) -> PreparedEmail:
    """What a mail could be about.

    Args:
        template: One of `rendering.TEMPLATES`.
        locale: es, en or ca.
        override: An organization's own words.
    """
    return PreparedEmail(
        template=template,
        locale=locale,
        to=Recipient(name="Marta", email="marta@example.test"),
        data=_DATA[template],
        override=override,
    )
