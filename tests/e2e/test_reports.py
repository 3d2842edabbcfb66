"""The page of reports in a real browser: its figures are what the functions answer."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.test_widget import AXE, PATIENT
from stack import Mailbox, Rest, Stack, User, wait_until
from venues import Venue, answer, open_venue

PASSWORD = f"correct-{uuid4().hex}"
PAID = 4_550


@pytest.fixture
def owner(make_user: Callable[..., User]) -> User:
    return make_user(password=PASSWORD)


@pytest.fixture
def venue(owner: User, as_user: Callable[..., Rest]) -> Venue:
    """A venue with a booking that was paid in part, one that was not, and one cancelled."""
    venue = open_venue(lambda: owner, as_user, rooms={"la-cripta": {}, "el-expreso": {}})
    here = {"organization_id": venue.organization_id}
    bookings = [
        answer(
            venue.owner.rpc(
                "create_booking",
                **here,
                room_id=venue.rooms[room],
                starts_at=f"{datetime.now(UTC).date() + timedelta(days)}T12:00:00Z",
                party_size=3,
                customer={"full_name": f"Guest {days}"},
                idempotency_key=str(uuid4()),
            )
        )
        for room, days in (("la-cripta", 1), ("la-cripta", 2), ("el-expreso", 1))
    ]
    answer(
        venue.owner.rpc(
            "record_payment",
            **here,
            booking_id=bookings[0]["id"],
            method="card_terminal",
            amount_cents=PAID,
            idempotency_key=str(uuid4()),
        )
    )
    answer(
        venue.owner.rpc(
            "transition_booking",
            **here,
            booking_id=bookings[2]["id"],
            to_status="cancelled",
            reason="They are ill",
        )
    )
    return venue


def open_page(page: Page, stack: Stack, owner: User) -> None:
    """Sign in on the page."""
    page.goto(f"{stack.url}/demo/reports?lang=en")
    page.get_by_label("E-mail").fill(owner.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Casa Prueba", timeout=PATIENT)


def report(venue: Venue, function: str, **asked: str) -> Any:
    return answer(venue.owner.rpc(function, organization_id=venue.organization_id, **asked))


def euros(cents: int) -> str:
    return f"€{cents / 100:,.2f}"


def shares(points: int | None) -> str:
    if points is None:
        return "–"
    share = (Decimal(points) / 100).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return f"{share.normalize():f}%"


def figures(page: Page, card: str) -> list[list[str]]:
    """The rows of the table under a plot."""
    return [
        row.locator("th, td").all_text_contents()
        for row in page.locator(f".{card} .figures tbody tr").all()
    ]


def faults(page: Page) -> Any:
    page.evaluate(AXE.read_text())
    return page.evaluate(
        """async () => (await axe.run(document)).violations.map((violation) =>
          [violation.id, ...violation.nodes.map((node) => node.target.flat().join(' '))])"""
    )


def test_the_page_of_reports_shows_what_the_functions_answer(
    browser: Browser, stack: Stack, owner: User, venue: Venue
) -> None:
    page = browser.new_page(locale="en-GB", viewport={"width": 1280, "height": 900})
    open_page(page, stack, owner)
    for period in ("month", "quarter", "year", "week"):
        page.get_by_label("Period").select_option(period)
        [revenue] = report(venue, "get_revenue_report", period=period)
        bookings = report(venue, "get_bookings_report", period=period)
        day = datetime.fromisoformat(revenue["from_date"])
        expect(page.locator(".intro [role=status]")).to_have_text(
            re.compile(f"^{day.day} {day:%B %Y} to "), timeout=PATIENT
        )
        tiles = {
            tile.locator("dt").inner_text(): tile.locator("strong").inner_text()
            for tile in page.locator(".tile").all()
        }
        assert revenue["total"]["net_cents"] == PAID
        expected = {
            "Received, net of refunds": euros(PAID),
            "Expected of these visits": euros(revenue["total"]["expected_cents"]),
            "Bookings": str(bookings["total"]["bookings"]),
            "Escape rate": "–",
        }
        if period != "year":
            occupancy = report(venue, "get_occupancy_report", period=period)
            expected["Occupancy"] = shares(occupancy["total"]["occupancy_bp"])
            cells = page.locator(".heat.sold td:not(.none)")
            assert cells.count() == len(occupancy["hours"])
        assert tiles == expected
        assert figures(page, "methods") == [["Card terminal", euros(PAID)]]
        assert sorted(figures(page, "rooms")) == sorted(
            [room["name"], euros(room["sums"]["net_cents"])] for room in revenue["rooms"]
        )
        assert [row[1] for row in figures(page, "revenue")] == [
            euros(point["sums"]["net_cents"]) for point in revenue["series"]
        ]
        assert {row[1] for row in figures(page, "statuses")} == {
            str(one["bookings"]) for one in bookings["statuses"]
        }
        assert [row[1] for row in figures(page, "leads")] == [
            str(one["bookings"]) for one in bookings["lead_times"]
        ]
    page.get_by_role("combobox", name="Room").select_option(venue.rooms["el-expreso"])
    expect(page.locator(".tile strong").first).to_have_text("€0.00", timeout=PATIENT)
    page.get_by_role("button", name="Español").click()
    expect(page.locator(".tile strong").first).to_have_text("0,00\u00a0€")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_of_reports_has_no_fault_of_accessibility_and_fits(
    browser: Browser, stack: Stack, owner: User, venue: Venue, scheme: Any, width: int
) -> None:
    page = browser.new_page(
        locale="en-GB", color_scheme=scheme, viewport={"width": width, "height": 844}
    )
    open_page(page, stack, owner)
    for summary in page.locator("summary").all():
        summary.click()
    expect(page.locator("svg[role=img]").first).to_be_visible()
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_file_is_made_told_by_mail_and_downloaded(
    browser: Browser, stack: Stack, owner: User, venue: Venue, mailbox: Mailbox
) -> None:
    page = browser.new_page(locale="en-GB")
    open_page(page, stack, owner)
    page.get_by_label("What").select_option("payments")
    page.get_by_label("Format").select_option("csv")
    page.get_by_role("button", name="Make the file").click()
    button = page.get_by_role("button", name="Download Payments, CSV")
    expect(button).to_be_visible(timeout=3 * PATIENT)
    with page.expect_download() as downloading:
        button.click()
    with downloading.value.path().open(encoding="utf-8-sig", newline="") as file:
        [payment] = list(csv.DictReader(file))
    assert (payment["Amount"], payment["Method"]) == ("45.50", "Card terminal")
    assert payment["Customer"] == "Guest 1"
    mail = wait_until(
        lambda: next((m for m in mailbox.of(owner.email) if "is ready" in m["subject"]), None)
    )
    assert "Payments" in mail["text"]
