"""Money and places that change hands, through the real service, worker, sandbox and mailbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest

from stack import Mailbox, Rest, Stack, User, wait_until
from venues import Venue, answer, open_venue

ROOM = "la-cripta"


@dataclass(frozen=True)
class Player:
    """Somebody who books without an account."""

    venue: Venue
    anon: Rest
    api: httpx.Client
    stack: Stack
    email: str

    def hold(self, party: int, **more: object) -> dict[str, Any]:
        """Take the first time of a day that may still be moved for free."""
        first = (datetime.now(UTC) + timedelta(days=5)).date()
        slot = answer(
            self.anon.rpc(
                "get_availability",
                slug=self.venue.calendar,
                from_date=str(first),
                to_date=str(first + timedelta(days=1)),
                party_size=party,
            )
        )[0]
        held: dict[str, Any] = answer(
            self.anon.rpc(
                "hold_booking",
                slug=self.venue.calendar,
                room_id=slot["room_id"],
                starts_at=slot["starts_at"],
                party_size=party,
                customer={"full_name": "Pau Player", "email": self.email, "locale": "en"},
                expected_total_cents=slot["price_cents"],
                idempotency_key=uuid4().hex,
                **more,
            )
        )
        return held

    def booking(self, held: dict[str, Any]) -> dict[str, Any]:
        """The booking as its link shows it."""
        found: dict[str, Any] = answer(self.anon.rpc("get_booking", **key(held)))
        return found

    def pay(self, held: dict[str, Any]) -> int:
        """Pay on the provider's page what is due; how much that was."""
        opened = answer(self.api.post("/v1/checkout", json=key(held)))
        with httpx.Client(base_url=self.stack.stripe_url, trust_env=False) as page:
            assert page.post(urlsplit(opened["checkout_url"]).path).status_code == 303
        return int(opened["amount_cents"])

    def paid(self, held: dict[str, Any], cents: int) -> dict[str, Any]:
        """Wait until so much of the booking has been paid."""

        def reached() -> dict[str, Any] | None:
            booking = self.booking(held)
            return booking if booking["paid_cents"] == cents else None

        return wait_until(reached)


def key(held: dict[str, Any]) -> dict[str, Any]:
    return {name: held[name] for name in ("reference", "manage_token")}


@pytest.fixture
def venue(make_user: Callable[..., User], as_user: Callable[..., Rest]) -> Venue:
    return open_venue(
        make_user, as_user, rooms={ROOM: {"price_per": "person", "price_cents": 2000}}
    )


@pytest.fixture
def player(venue: Venue, anon: Rest, api: httpx.Client, stack: Stack) -> Player:
    return Player(venue, anon, api, stack, f"player-{uuid4().hex[:12]}@example.test")


def test_what_a_bigger_party_costs_more_is_paid_by_the_same_link(
    player: Player, mailbox: Mailbox
) -> None:
    held = player.hold(2)
    assert player.pay(held) == 4000
    assert player.paid(held, 4000)["status"] == "confirmed"

    change = {**key(held), "starts_at": held["starts_at"], "party_size": 5}
    quoted = answer(player.anon.rpc("quote_reschedule", **change))
    assert (quoted["difference_cents"], quoted["open_cents"]) == (6000, 6000)
    moved = answer(
        player.anon.rpc(
            "reschedule_booking",
            **change,
            expected_total_cents=quoted["total_cents"],
            idempotency_key=uuid4().hex,
        )
    )
    assert (moved["status"], moved["open_cents"]) == ("confirmed", 6000)

    assert player.pay(held) == 6000
    settled = player.paid(held, 10_000)
    assert (settled["status"], settled["party_size"], settled["open_cents"]) == ("confirmed", 5, 0)
    # The mail about a change waits some minutes for further ones.
    with psycopg.connect(player.stack.owner_dsn) as owner:
        owner.execute(
            "update private.jobs set run_at = now() where status = 'queued'"
            " and payload ->> 'template' = 'booking_rescheduled'"
        )
    _, *later = mailbox.wait_for(player.email, count=3)
    changed, received = sorted(mail["subject"] for mail in later)
    assert changed.startswith("Booking changed")
    assert received.startswith("Payment received")


def test_a_voucher_pays_a_whole_booking_and_is_full_again_when_it_is_cancelled(
    player: Player, venue: Venue, mailbox: Mailbox
) -> None:
    voucher = answer(
        venue.owner.rpc(
            "issue_voucher",
            organization_id=venue.organization_id,
            amount_cents=9000,
            idempotency_key=uuid4().hex,
        )
    )

    def balance() -> int:
        rows = answer(venue.owner.get("vouchers", select="balance_cents"))
        return int(rows[0]["balance_cents"])

    held = player.hold(3, voucher_code=voucher["code"].lower())
    assert (held["status"], balance()) == ("confirmed", 3000)
    assert "Booking confirmed" in mailbox.wait_for(player.email)[0]["subject"]

    cancelled = answer(player.anon.rpc("cancel_booking", **key(held)))
    assert (cancelled["status"], cancelled["refunded_cents"]) == ("cancelled", 6000)
    assert balance() == 9000
    assert "Booking cancelled" in mailbox.wait_for(player.email, count=2)[1]["subject"]


def test_a_venue_opens_its_account_and_is_paid_deposit_and_rest(
    player: Player, venue: Venue, stack: Stack
) -> None:
    """Onboarding, deposit, rest and a partial refund, all of it in the venue's own account."""
    answer(
        venue.owner.update(
            "rooms", {"deposit_kind": "percent", "deposit_value": 25}, slug=f"eq.{ROOM}"
        )
    )
    headers = {"Authorization": venue.owner.headers["Authorization"]}
    path = f"/v1/organizations/{venue.organization_id}/stripe-account"
    before = answer(player.api.get(path, headers=headers))
    assert (before["missing"], before["account_id"]) == ("account", None)
    opened = answer(player.api.post(path, headers=headers, json={}))
    with httpx.Client(base_url=stack.stripe_url, trust_env=False) as page:
        told = page.post(urlsplit(opened["url"]).path, data={"do": "complete"})
    assert told.headers["location"].endswith("stripe_account=returned")
    after = answer(player.api.get(path, headers=headers))
    assert (after["payments"], after["missing"]) == ("own_account", None)

    held = player.hold(2)
    assert (held["due_now_cents"], held["payable_cents"]) == (1000, 4000)
    assert player.pay(held) == 1000
    assert player.paid(held, 1000)["payable_cents"] == 3000
    assert player.pay(held) == 3000
    settled = player.paid(held, 4000)
    assert (settled["status"], settled["open_cents"]) == ("confirmed", 0)
    payments = answer(venue.owner.get("payments", select="stripe_account,amount_cents,booking_id"))
    assert {p["stripe_account"] for p in payments} == {after["account_id"]}
    answer(
        venue.owner.rpc(
            "refund_booking",
            organization_id=venue.organization_id,
            booking_id=payments[0]["booking_id"],
            amount_cents=500,
            reason="A prop was broken",
            idempotency_key=uuid4().hex,
        )
    )
    wait_until(lambda: player.booking(held)["refunded_cents"] == 500 or None)
    with httpx.Client(base_url=stack.stripe_url, trust_env=False) as stripe:
        balance = stripe.get(
            "/v1/balance",
            headers={
                "Authorization": f"Bearer {stack.variables['STRIPE_SECRET_KEY']}",
                "Stripe-Account": after["account_id"],
            },
        ).json()
    assert balance["available"][0]["amount"] == 3500
