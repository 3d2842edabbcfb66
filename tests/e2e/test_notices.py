"""Staff hear of a booking, in the app and in the mailbox, by the real sweep and worker."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from stack import Mailbox, Rest, User, wait_until
from venues import Venue, answer, open_venue


def book(venue: Venue, anon: Rest, number: int) -> dict[str, Any]:
    """A booking by a visitor, with nothing to pay now."""
    day = (datetime.now(UTC) + timedelta(days=5)).date()
    slots = answer(
        anon.rpc("get_availability", slug=venue.calendar, from_date=str(day), to_date=str(day))
    )
    made: dict[str, Any] = answer(
        anon.rpc(
            "hold_booking",
            slug=venue.calendar,
            room_id=slots[number]["room_id"],
            starts_at=slots[number]["starts_at"],
            party_size=2,
            customer={
                "full_name": "Pau Player",
                "email": f"player-{uuid4().hex[:12]}@example.test",
            },
            expected_total_cents=6000,
            idempotency_key=uuid4().hex,
        )
    )
    assert made["status"] == "confirmed"
    return made


def test_a_booking_reaches_its_owner_and_an_address_that_said_yes(
    make_user: Callable[..., User],
    as_user: Callable[..., Rest],
    anon: Rest,
    mailbox: Mailbox,
) -> None:
    user = make_user()
    venue = open_venue(lambda: user, as_user, rooms={"la-cripta": {"deposit_kind": "none"}})
    here = {"organization_id": venue.organization_id}
    office = f"office-{uuid4().hex[:12]}@example.test"

    # An address that was typed is asked first.
    added = answer(venue.owner.rpc("add_notice_address", **here, email=office, locale="en"))
    [rule] = answer(venue.owner.get("notice_rules", to_owners="is.true", select="id"))
    answer(
        venue.owner.insert(
            "notice_rule_addresses", {"rule_id": rule["id"], "address_id": added["id"]}
        )
    )
    [asked] = mailbox.wait_for(office)
    [link] = re.findall(r"https?://\S+/v1/notices\?\S+", asked["text"])
    assert "Yes, tell me here" in httpx.get(link).raise_for_status().text
    assert f"{venue.name} will tell this address" in httpx.post(link).raise_for_status().text

    booking = book(venue, anon, 0)
    unread = wait_until(
        lambda: (
            (found := answer(venue.owner.rpc("unread_notifications", **here)))["unread"] and found
        )
    )
    assert unread["unread"] == 1
    [notice] = answer(venue.owner.rpc("list_notifications", **here))
    assert notice["title"] == "Nueva reserva: La cripta"
    assert booking["reference"] in notice["body"] and "Pau Player" in notice["body"]

    def of_bookings(address: str) -> list[dict[str, Any]]:
        return [m for m in mailbox.of(address) if booking["reference"] in m["text"]]

    [mine] = wait_until(lambda: of_bookings(user.email) or None)
    assert mine["subject"].startswith("Nueva reserva: La cripta, ")
    assert "Pau Player" in mine["text"]
    [theirs] = wait_until(lambda: of_bookings(office) or None)
    assert theirs["subject"].startswith("New booking: La cripta, ")
    assert "Pau Player" not in theirs["text"] and "player-" not in theirs["html"]

    # What is read is read, what comes after is not, and who asks for what is new misses nothing.
    marked = answer(venue.owner.rpc("mark_notifications_read", **here, ids=[notice["id"]]))
    assert marked == {"marked": 1}
    assert answer(venue.owner.rpc("unread_notifications", **here))["unread"] == 0
    [stop] = re.findall(r"https?://\S+/v1/notices\?\S+", theirs["text"])
    assert "does not tell this address" in httpx.post(stop).raise_for_status().text
    second = book(venue, anon, 1)
    [newer] = wait_until(
        lambda: (
            answer(venue.owner.rpc("list_notifications", **here, after=notice["created_at"]))
            or None
        )
    )
    assert second["reference"] in newer["body"] and newer["read_at"] is None
    wait_until(lambda: [m for m in mailbox.of(user.email) if second["reference"] in m["text"]])
    assert not [m for m in mailbox.of(office) if second["reference"] in m["text"]]
