"""Two rooms in one order, through the real service, worker, sandbox and mailbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from stack import Mailbox, Rest, Stack, User, wait_until
from venues import Venue, answer, open_venue

PRICE = 2_000


@pytest.fixture
def venue(make_user: Callable[..., User], as_user: Callable[..., Rest]) -> Venue:
    price = {"price_per": "person", "price_cents": PRICE}
    return open_venue(make_user, as_user, rooms={"la-cripta": price, "el-faro": price})


def test_an_order_is_quoted_held_paid_on_one_page_and_one_of_its_rooms_given_back(
    venue: Venue, anon: Rest, api: httpx.Client, stack: Stack, mailbox: Mailbox
) -> None:
    email = f"company-{uuid4().hex[:12]}@example.test"
    first = (datetime.now(UTC) + timedelta(days=5)).date()
    slots = answer(
        anon.rpc(
            "get_availability",
            slug=venue.calendar,
            from_date=str(first),
            to_date=str(first + timedelta(days=1)),
        )
    )
    starts_at = slots[0]["starts_at"]
    rooms = sorted({s["room_id"] for s in slots if s["starts_at"] == starts_at})
    assert len(rooms) == 2
    items = [{"room_id": room, "starts_at": starts_at, "party_size": 3} for room in rooms]
    quoted = answer(anon.rpc("quote_order", slug=venue.calendar, items=items))
    assert quoted["total_cents"] == 6 * PRICE
    held = answer(
        anon.rpc(
            "hold_order",
            slug=venue.calendar,
            items=items,
            customer={"full_name": "Pau Player", "email": email, "locale": "en"},
            expected_total_cents=quoted["total_cents"],
            idempotency_key=uuid4().hex,
        )
    )
    link = {"reference": held["reference"], "order_token": held["order_token"]}

    def pays(reference: str, token: str) -> dict[str, Any]:
        paid: dict[str, Any] = answer(
            api.post("/v1/checkout", json={"reference": reference, "manage_token": token})
        )
        return paid

    opened = pays(held["reference"], held["order_token"])
    assert opened["amount_cents"] == 6 * PRICE
    # The link of one of its bookings leads to the same page.
    alone = held["bookings"][0]
    assert pays(alone["reference"], alone["manage_token"])["checkout_url"] == opened["checkout_url"]
    with httpx.Client(base_url=stack.stripe_url, trust_env=False) as page:
        assert page.post(urlsplit(opened["checkout_url"]).path).status_code == 303

    def reached(paid: int, refunded: int) -> Callable[[], dict[str, Any] | None]:
        def look() -> dict[str, Any] | None:
            order = answer(anon.rpc("get_order", **link))
            sums = (order["paid_cents"], order["refunded_cents"])
            return order if sums == (paid, refunded) else None

        return look

    order = wait_until(reached(6 * PRICE, 0))
    assert [b["status"] for b in order["bookings"]] == ["confirmed", "confirmed"]
    assert [b["paid_cents"] for b in order["bookings"]] == [3 * PRICE, 3 * PRICE]
    confirmed = mailbox.wait_for(email, count=2)
    assert len({mail["subject"] for mail in confirmed}) == 2

    answer(anon.rpc("cancel_order", **link, booking_references=[alone["reference"]]))
    order = wait_until(reached(6 * PRICE, 3 * PRICE))
    assert sorted(b["status"] for b in order["bookings"]) == ["cancelled", "confirmed"]
    assert {b["status"]: b["refunded_cents"] for b in order["bookings"]} == {
        "cancelled": 3 * PRICE,
        "confirmed": 0,
    }
