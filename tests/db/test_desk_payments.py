"""All money that came, comes or did not come, in one list."""

from __future__ import annotations

from typing import Any

import pytest

from db.money_world import TOTAL, Booking, Database, Venue, make_venue, member, session_of
from matrix.promises import refused

COMMAND = (
    "select * from public.list_payments("
    "%s, status => %s, before => %s, before_id => %s, max_rows => %s)"
)


@pytest.fixture
def venue(money: Database) -> Venue:
    return make_venue(money)


def listed(venue: Venue, by: Any = None, **asked: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (by or venue.owner).select(
        COMMAND,
        venue.organization_id,
        *(asked.get(name) for name in ("status", "before", "before_id", "max_rows")),
    )
    return rows


def test_what_was_written_down_wrongly_is_no_refund(venue: Venue) -> None:
    booking = venue.hold()
    wrong, right = (
        venue.owner.call(
            "record_payment",
            organization_id=venue.organization_id,
            booking_id=booking.id,
            method="cash",
            amount_cents=cents,
            idempotency_key=str(cents),
        )["payment_id"]
        for cents in (300, 500)
    )
    venue.owner.call(
        "correct_payment", organization_id=venue.organization_id, payment_id=wrong, reason="Twice"
    )
    assert {
        str(row["id"]): (row["status"], row["amount_cents"], row["refunded_cents"])
        for row in listed(venue)
    } == {wrong: ("corrected", 300, 0), right: ("succeeded", 500, 0)}
    assert [str(row["id"]) for row in listed(venue, status="corrected")] == [wrong]
    assert listed(venue, status="refunded") == []


def test_each_payment_and_attempt_has_a_status_and_pages_miss_none(venue: Venue) -> None:
    pending, left, whole, partly, back = (venue.hold() for _ in range(5))
    venue.checkout(pending)
    venue.apply(session_of(venue.checkout(left), "expired"))
    for booking in (whole, partly, back):
        venue.pay(booking)
    venue.owner.call(
        "refund_booking",
        organization_id=venue.organization_id,
        booking_id=partly.id,
        amount_cents=100,
        reason="It was too cold",
        idempotency_key="partly",
    )
    venue.cancel(back)

    def states(bookings: tuple[Booking, ...] = (pending, left, whole, partly, back)) -> list[Any]:
        rows = {row["reference"]: row for row in listed(venue)}
        assert len(rows) == len(bookings)
        found = [rows[booking.reference] for booking in bookings]
        return [(row["status"], row["amount_cents"], row["refunded_cents"]) for row in found]

    amount = listed(venue, status="pending")[0]["amount_cents"]
    promised = [
        ("pending", amount, 0),
        ("failed", amount, 0),
        ("succeeded", amount, 0),
        ("succeeded", amount, 0),
        ("succeeded", amount, 0),
    ]
    assert states() == promised, "a promise is no refund yet"
    assert amount <= TOTAL
    for booking in (partly, back):
        assert venue.run_refunds(booking) == 1
    assert states() == [
        *promised[:3],
        ("partly_refunded", amount, 100),
        ("refunded", amount, amount),
    ]
    for status, booking in (("failed", left), ("refunded", back), ("partly_refunded", partly)):
        assert [row["reference"] for row in listed(venue, status=status)] == [booking.reference]
    with refused(422, "status_invalid"):
        listed(venue, status="paid")

    whole_list = listed(venue)
    paged: list[dict[str, Any]] = []
    while page := listed(
        venue,
        max_rows=2,
        before=paged[-1]["occurred_at"] if paged else None,
        before_id=paged[-1]["id"] if paged else None,
    ):
        paged += page
    assert paged == whole_list
    assert [row["occurred_at"] for row in paged] == sorted(
        (row["occurred_at"] for row in paged), reverse=True
    )
    with refused(403, "permission_denied"):
        listed(venue, member(venue, "game_master"))
    assert {row["contact_name"] for row in listed(venue, member(venue, "receptionist"))} == {
        "Ada Byron"
    }
