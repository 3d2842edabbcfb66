"""A split payment through the real parts: mailed, paid by its link in a browser, and given back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from escapemaster_dev.stack.config import ROOT
from stack import Mailbox, Rest, Stack, User, wait_until
from venues import Venue, answer, open_venue

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
#: Payment, webhook and worker are real: give them time.
PATIENT = 20_000
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
}


@pytest.fixture
def venue(make_user: Callable[..., User], as_user: Callable[..., Rest]) -> Venue:
    made = open_venue(
        make_user, as_user, rooms={"la-cripta": {"price_per": "person", "price_cents": 3000}}
    )
    answer(
        made.owner.update(
            "organizations", {"split_hold_hours": 24}, id=f"eq.{made.organization_id}"
        )
    )
    return made


@pytest.fixture
def phone(
    browser: Browser, stack: Stack, gateway: httpx.Client, venue: Venue
) -> Iterator[Callable[[str], Page]]:
    """`phone(address)`: a page of the venue's demo site, on a phone."""
    config = gateway.get("/demo/config.json").json()
    config["calendars"] = [{"slug": venue.calendar, "name": venue.name}]

    def answered(route: Route) -> None:
        route.fulfill(json=config)

    with browser.new_context(locale="en-GB", timezone_id="Europe/Madrid", **PHONE) as context:
        context.route("**/demo/config.json", answered)

        def opened(address: str) -> Page:
            page = context.new_page()
            page.goto(address)
            return page

        yield opened


def heading(page: Page, name: str) -> None:
    expect(page.get_by_role("heading", name=name, level=2)).to_be_focused(timeout=PATIENT)


def check_accessibility(page: Page) -> None:
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        """async () => (await axe.run('escape-booking')).violations.map((violation) =>
          [violation.id, violation.nodes.map((node) => node.target.flat().join(' '))])"""
    )
    assert found == [], json.dumps(found, indent=2)


def test_a_share_is_mailed_paid_on_a_phone_and_given_back(
    venue: Venue,
    anon: Rest,
    api: httpx.Client,
    stack: Stack,
    mailbox: Mailbox,
    phone: Callable[[str], Page],
) -> None:
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
    organizer, payer = (f"{name}-{uuid4().hex[:12]}@example.test" for name in ("marta", "ben"))
    held = answer(
        anon.rpc(
            "hold_booking",
            slug=venue.calendar,
            room_id=slot["room_id"],
            starts_at=slot["starts_at"],
            party_size=2,
            customer={"full_name": "Marta Riu", "email": organizer, "locale": "en"},
            expected_total_cents=6000,
            idempotency_key=uuid4().hex,
        )
    )
    key = {"reference": held["reference"], "manage_token": held["manage_token"]}
    split = answer(
        anon.rpc(
            "split_booking",
            **key,
            shares=[{"name": "Ben", "email": payer, "amount_cents": 2500}],
            idempotency_key=uuid4().hex,
        )
    )
    assert split["organizer_cents"] == 3500

    (mail,) = mailbox.wait_for(payer)
    assert "Marta" in mail["text"]
    assert held["reference"] not in mail["text"]
    found = re.search(r"https?://\S+reference=share-\S+", mail["text"])
    assert found
    page = phone(found[0])
    heading(page, "Your share of the game")
    expect(page.get_by_text("€25.00").first).to_be_visible()
    assert "token" not in page.url
    check_accessibility(page)
    page.get_by_role("button", name="Pay €25.00").click()
    page.wait_for_url(f"{stack.stripe_url}/**")
    page.get_by_role("button", name=re.compile("25")).click()
    heading(page, "Your share is paid")
    check_accessibility(page)

    # The organizer pays the rest, by the booking's own link.
    opened = answer(api.post("/v1/checkout", json=key))
    assert opened["amount_cents"] == 3500
    with httpx.Client(base_url=stack.stripe_url, trust_env=False) as provider:
        assert provider.post(urlsplit(opened["checkout_url"]).path).status_code == 303

    def booking(status: str) -> Any:
        seen = answer(anon.rpc("get_booking", **key))
        return seen if seen["status"] == status else None

    assert wait_until(lambda: booking("confirmed"))["paid_cents"] == 6000
    assert any("Ben paid" in told["subject"] for told in mailbox.wait_for(organizer, count=2))

    answer(anon.rpc("cancel_booking", **key))
    share = {name: split["shares"][0][name] for name in ("share_id", "share_token")}
    assert answer(anon.rpc("get_payment_share", **share))["status"] == "returned"
    assert wait_until(
        lambda: (
            sorted(
                row["amount_cents"]
                for row in answer(venue.owner.get("refunds", select="amount_cents"))
            )
            == [2500, 3500]
        )
    )
    page.reload()
    heading(page, "Your money goes back")
    check_accessibility(page)
