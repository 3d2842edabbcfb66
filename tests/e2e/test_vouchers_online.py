"""A gift voucher is bought, delivered, spent and given back, through the real parts."""

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


@pytest.fixture
def venue(make_user: Callable[..., User], as_user: Callable[..., Rest]) -> Venue:
    return open_venue(
        make_user, as_user, rooms={"la-cripta": {"price_per": "person", "price_cents": 2000}}
    )


def test_a_voucher_is_bought_mailed_spent_and_another_given_back(
    venue: Venue, anon: Rest, api: httpx.Client, stack: Stack, mailbox: Mailbox
) -> None:
    organization = {"organization_id": venue.organization_id}
    answer(
        venue.owner.rpc(
            "set_voucher_sales",
            **organization,
            is_sold=True,
            minimum_cents=1000,
            maximum_cents=20000,
        )
    )
    answer(
        venue.owner.insert(
            "voucher_products", {"names": {"en": "Escape for 4"}, "amount_cents": 8000}
        )
    )
    offer = answer(anon.rpc("get_voucher_offer", slug=venue.calendar, locale="en"))
    (product,) = offer["products"]

    def buy(**more: object) -> dict[str, Any]:
        placed: dict[str, Any] = answer(
            anon.rpc(
                "order_voucher",
                slug=venue.calendar,
                idempotency_key=uuid4().hex,
                buyer_name="Joan Serra",
                locale="en",
                **more,
            )
        )
        key = {"order_id": placed["order_id"], "order_token": placed["order_token"]}
        opened = answer(api.post("/v1/voucher-checkout", json=key))
        assert opened["amount_cents"] == placed["amount_cents"]
        with httpx.Client(base_url=stack.stripe_url, trust_env=False) as page:
            assert page.post(urlsplit(opened["checkout_url"]).path).status_code == 303
        return key

    def seen(key: dict[str, Any], status: str) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            found: dict[str, Any] = answer(anon.rpc("get_voucher_order", **key))
            return found if found["status"] == status else None

        return wait_until(reached)

    buyer, friend = (f"{name}-{uuid4().hex[:12]}@example.test" for name in ("buyer", "friend"))
    gift = seen(
        buy(
            product_id=product["id"],
            buyer_email=buyer,
            recipient_name="Marta",
            recipient_email=friend,
            message="Happy birthday!",
        ),
        "paid",
    )
    for address in (buyer, friend):
        (mail,) = mailbox.wait_for(address)
        assert gift["code"] in mail["text"]
        assert "Happy birthday!" in mail["text"]

    first = (datetime.now(UTC) + timedelta(days=5)).date()
    slot = answer(
        anon.rpc(
            "get_availability",
            slug=venue.calendar,
            from_date=str(first),
            to_date=str(first + timedelta(days=1)),
            party_size=2,
        )
    )[0]
    held = answer(
        anon.rpc(
            "hold_booking",
            slug=venue.calendar,
            room_id=slot["room_id"],
            starts_at=slot["starts_at"],
            party_size=2,
            customer={"full_name": "Marta", "email": friend, "locale": "en"},
            expected_total_cents=4000,
            idempotency_key=uuid4().hex,
            voucher_code=gift["code"],
        )
    )
    assert held["status"] == "confirmed"
    used = venue.owner.rpc("refund_voucher_order", **organization, order_id=gift["order_id"])
    assert (used.status_code, used.json()["message"]) == (409, "voucher_used")

    second = buy(amount_cents=2500, buyer_email=buyer)
    seen(second, "paid")
    answer(venue.owner.rpc("refund_voucher_order", **organization, order_id=second["order_id"]))
    assert seen(second, "withdrawn")["code"] is None

    def refunded() -> bool:
        rows = answer(venue.owner.get("voucher_refunds", select="status,amount_cents"))
        return bool(rows == [{"status": "succeeded", "amount_cents": 2500}])

    wait_until(refunded)
    balances = {
        row["account"]: row["balance_cents"]
        for row in answer(venue.owner.rpc("ledger_balances", **organization))
    }
    assert (balances["stripe_balance"], balances["voucher_liability"]) == (8000, -4000)
    assert balances["vouchers_issued"] == 0
