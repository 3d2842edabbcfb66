"""The booking widget in a real browser, on the demo page, against the running stack."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, Route, expect

from escapemaster.stack.config import ROOT
from stack import Mailbox, Rest, Stack, User
from venues import Venue, answer, open_venue

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
#: Payment, webhook and worker are real: give them time.
PATIENT = 20_000


@pytest.fixture
def venue(make_user: Callable[..., User], as_user: Callable[..., Rest]) -> Venue:
    """A venue of its own for each test: they change prices and take times."""
    return open_venue(
        make_user,
        as_user,
        rooms={
            "la-cripta": {"description": "Nobody has opened it for a hundred years."},
            "el-expreso": {"price_per": "person", "price_cents": 1950, "maximum_party": 5},
        },
    )


@dataclass
class Visitor:
    """Somebody with a browser, and the requests that it has made."""

    page: Page
    stack: Stack
    venue: Venue
    requests: list[Request] = field(default_factory=list)

    def note(self, request: Request) -> None:
        """Remember a request."""
        self.requests.append(request)

    def open(self, **query: str) -> None:
        """Open the demo page at this venue's calendar."""
        self.page.goto(
            f"{self.stack.url}/demo/?{urlencode({'calendar': self.venue.calendar, **query})}"
        )

    def choose_time(self, index: int = -1) -> str:
        """Take one of the times of the day that is shown; return it as the page writes it."""
        slot = self.page.locator(".slot").nth(index)
        time = slot.locator(".slot-time").inner_text()
        slot.click()
        self.heading("Your details")
        return time

    def fill_in(self, email: str, name: str = "Leonora Carrington") -> None:
        """Fill in the form and send it."""
        self.page.get_by_label("Full name").fill(name)
        self.page.get_by_label("E-mail").fill(email)
        self.press("Continue to payment")

    def press(self, name: str | re.Pattern[str]) -> None:
        """Press a button by its name."""
        self.page.get_by_role("button", name=name).click()

    def heading(self, name: str) -> Locator:
        """Wait until the step with this heading is shown, and has the focus."""
        heading = self.page.get_by_role("heading", name=name, level=2)
        expect(heading).to_be_focused(timeout=PATIENT)
        return heading

    def check_accessibility(self) -> None:
        """Axe finds nothing, of any severity, on the whole page."""
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate(
            """async () => (await axe.run(document)).violations.map((violation) => ({
              rule: violation.id,
              impact: violation.impact,
              nodes: violation.nodes.map((node) => node.target.flat().join(' ')),
            }))"""
        )
        assert found == [], json.dumps(found, indent=2)


@pytest.fixture
def visit(
    browser: Browser, stack: Stack, gateway: httpx.Client, venue: Venue
) -> Iterator[Callable[..., Visitor]]:
    """`visit(**options)`: a new visitor with a browser context of these options."""
    contexts: list[BrowserContext] = []
    config = gateway.get("/demo/config.json").json()
    config["calendars"] = [{"slug": venue.calendar, "name": venue.name}]

    def visitor(**options: Any) -> Visitor:
        context = browser.new_context(
            **{"locale": "en-GB", "timezone_id": "Europe/Madrid", **options}
        )
        contexts.append(context)
        made = Visitor(context.new_page(), stack, venue)
        # The stack's page knows the demo's calendars; this test has its own.
        context.route("**/demo/config.json", lambda route: _fulfil(route, config))
        context.on("request", made.note)
        return made

    yield visitor
    for context in contexts:
        context.close()


def _fulfil(route: Route, body: object) -> None:
    route.fulfill(json=body)


@pytest.fixture
def email() -> str:
    """An address that no other test writes to."""
    return f"visitor-{uuid4().hex[:10]}@example.test"


PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({**PHONE, "color_scheme": "dark"}, id="phone-dark"),
        pytest.param({"viewport": {"width": 1280, "height": 900}}, id="desktop-light"),
    ],
)
def test_a_visitor_books_pays_and_cancels(
    visit: Callable[..., Visitor],
    mailbox: Mailbox,
    venue: Venue,
    email: str,
    options: dict[str, Any],
) -> None:
    visitor = visit(**options)
    page = visitor.page
    visitor.open()
    page.locator("label").filter(has_text="El expreso").click()
    visitor.press("One player more")
    expect(page.locator(".slot-price").first).to_have_text("€58.50")
    visitor.check_accessibility()

    time = visitor.choose_time()
    expect(page.get_by_label("Your booking")).to_contain_text("3 × €19.50")
    expect(page.get_by_label("Your booking")).to_contain_text(time)
    visitor.press("Continue to payment")
    expect(page.get_by_label("Full name")).to_be_focused()
    expect(page.get_by_role("status")).to_contain_text("2 fields need another look.")
    visitor.check_accessibility()
    visitor.fill_in(email)

    visitor.heading("It is yours for now")
    expect(page.get_by_role("timer")).to_contain_text(re.compile(r"1[45]:\d\d"))
    visitor.check_accessibility()
    visitor.press("Pay €58.50")

    page.wait_for_url(f"{visitor.stack.stripe_url}/**")
    page.get_by_role("button", name=re.compile("58[.,]50")).click()
    visitor.heading("You are booked")
    reference = page.locator(".reference-code").inner_text()
    expect(page.locator(".facts")).to_contain_text("€58.50")
    visitor.check_accessibility()
    with page.expect_download() as download:
        visitor.press("Add to calendar")
    assert download.value.suggested_filename == f"{reference}.ics"

    mail = mailbox.wait_for(email)[0]
    link = re.search(r"http[^\s\"']*[?#&]token=[^\s\"'<]+", mail["text"].replace("&amp;", "&"))
    assert link, mail["text"]

    # The mail is read on another device.
    later = visit()
    later.page.goto(link[0])
    later.heading("Your booking")
    assert "token" not in later.page.url
    later.press("Cancel booking")
    question = later.page.get_by_role("alertdialog")
    expect(question).to_be_focused()
    expect(question).to_contain_text("You get all of it back: €58.50.")
    later.check_accessibility()
    later.press("Keep it")
    expect(later.page.get_by_role("button", name="Cancel booking")).to_be_focused()
    later.press("Cancel booking")
    later.press("Yes, cancel it")
    later.heading("Your booking is cancelled")
    expect(later.page.get_by_text("€58.50 will be back on your card")).to_be_visible()
    later.check_accessibility()

    booking = answer(venue.owner.get("bookings", reference=f"eq.{reference}"))[0]
    assert booking["status"] == "cancelled"
    _nothing_leaves(visitor)


def _nothing_leaves(visitor: Visitor) -> None:
    """No request went to anybody else, and none carried the manage token in its address."""
    ours = {
        urlsplit(url).netloc
        for url in (visitor.stack.url, visitor.stack.api_url, visitor.stack.stripe_url)
    }
    web = [request for request in visitor.requests if request.url.startswith("http")]
    assert {urlsplit(request.url).netloc for request in web} <= ours
    token = visitor.page.evaluate(
        """() => Object.keys(sessionStorage)
          .filter((key) => key.startsWith('escape-booking:booking:'))
          .map((key) => JSON.parse(sessionStorage[key]).token)[0]"""
    )
    assert len(token) > 20
    for request in web:
        assert token not in request.url
        assert token not in request.headers.get("referer", "")
        if request.url.startswith(visitor.stack.stripe_url):
            assert token not in (request.post_data or "")


def test_the_keyboard_alone_leads_to_a_booking(visit: Callable[..., Visitor], email: str) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open()
    day = page.locator("button.day[aria-pressed=true]")
    day.focus()
    first = datetime.fromisoformat(day.get_attribute("data-focus").removeprefix("day-"))  # type: ignore[union-attr]

    def on(days: int) -> Locator:
        return page.locator(f"[data-focus=day-{(first + timedelta(days=days)).date()}]")

    page.keyboard.press("ArrowRight")
    expect(on(1)).to_be_focused()
    # Over the end of the month, wherever it is.
    for week in range(1, 6):
        page.keyboard.press("ArrowDown")
        expect(on(1 + 7 * week)).to_be_focused()
    page.keyboard.press("PageUp")
    page.keyboard.press("PageDown")
    expect(page.locator("button.day:focus")).to_have_attribute("tabindex", "0")
    page.keyboard.press("Enter")
    expect(page.locator("button.day:focus")).to_have_attribute("aria-pressed", "true")
    page.locator(".slot").first.focus()
    page.keyboard.press("Enter")
    visitor.heading("Your details")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Full name")).to_be_focused()
    page.keyboard.type("Leonora Carrington")
    page.keyboard.press("Tab")
    page.keyboard.type(email)
    page.keyboard.press("Enter")
    visitor.heading("It is yours for now")


def test_a_time_that_somebody_else_takes_leads_back_to_what_is_free(
    visit: Callable[..., Visitor], anon: Rest, venue: Venue, email: str
) -> None:
    visitor = visit()
    visitor.open()
    time = visitor.choose_time()
    slots = answer(
        anon.rpc(
            "get_availability",
            slug=venue.calendar,
            from_date=str(datetime.now(UTC).date()),
            to_date=str(datetime.now(UTC).date() + timedelta(days=2)),
            room_id=venue.rooms["la-cripta"],
            party_size=2,
        )
    )
    first_day = [slot for slot in slots if slot["local_date"] == slots[0]["local_date"]]
    answer(
        anon.rpc(
            "hold_booking",
            slug=venue.calendar,
            room_id=venue.rooms["la-cripta"],
            starts_at=first_day[-1]["starts_at"],
            party_size=2,
            customer={"full_name": "Somebody Else", "email": "else@example.test"},
            expected_total_cents=6000,
            idempotency_key=uuid4().hex,
        )
    )
    visitor.fill_in(email)
    alert = visitor.page.get_by_role("alert")
    expect(alert).to_contain_text("Somebody was faster")
    expect(alert).to_be_focused()
    expect(visitor.page.locator(".slot-time").get_by_text(time, exact=True)).to_have_count(0)
    # What was typed is not asked again.
    visitor.choose_time(0)
    expect(visitor.page.get_by_label("E-mail")).to_have_value(email)


def test_a_changed_price_is_shown_and_asked_about(
    visit: Callable[..., Visitor], venue: Venue, email: str
) -> None:
    visitor = visit()
    visitor.open()
    visitor.choose_time()
    expect(visitor.page.get_by_label("Your booking")).to_contain_text("€60.00")
    answer(venue.owner.update("rooms", {"price_cents": 7500}, id=f"eq.{venue.rooms['la-cripta']}"))
    visitor.fill_in(email)
    expect(visitor.page.get_by_role("alert")).to_contain_text(
        "The price has changed from €60.00 to €75.00."
    )
    visitor.check_accessibility()
    visitor.press("Book for €75.00")
    visitor.heading("It is yours for now")
    expect(visitor.page.get_by_role("button", name="Pay €75.00")).to_be_visible()


def test_a_payment_given_up_keeps_the_time_until_it_is_released(
    visit: Callable[..., Visitor], venue: Venue, email: str
) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open()
    time = visitor.choose_time()
    visitor.fill_in(email)
    visitor.heading("It is yours for now")
    page.reload()
    visitor.heading("It is yours for now")
    visitor.press(re.compile("^Pay"))
    page.wait_for_url(f"{visitor.stack.stripe_url}/**")
    page.get_by_role("button", name="Cancel").click()
    visitor.heading("It is yours for now")
    expect(page.get_by_text("The payment was not completed.")).to_be_visible()
    assert parse_qs(urlsplit(page.url).query).keys() == {"calendar", "reference"}
    visitor.press("Give this time up and choose another")
    visitor.heading("Book your game")
    expect(page.locator(".slot-time").get_by_text(time, exact=True)).to_be_visible()
    bookings = answer(venue.owner.get("bookings", select="status"))
    assert [booking["status"] for booking in bookings] == ["cancelled"]


def test_a_link_with_a_wrong_token_tells_nothing(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.open(reference="ABCD-2345", token="wrong")
    visitor.heading("We cannot find this booking. Open it by the link in your e-mail.")
    visitor.check_accessibility()
    visitor.press("Book another game")
    visitor.heading("Book your game")
    assert "reference" not in visitor.page.url


@pytest.mark.parametrize(
    ("language", "title", "price"),
    [
        ("es", "Reserva tu partida", "60\u00a0€"),
        ("en", "Book your game", "€60"),
        ("ca", "Reserva la teva partida", "60\u00a0€"),
    ],
)
def test_it_speaks_the_visitors_language(
    visit: Callable[..., Visitor], language: str, title: str, price: str
) -> None:
    locale = {"es": "es-ES", "en": "en-GB", "ca": "ca-ES"}[language]
    visitor = visit(locale=locale, viewport={"width": 320, "height": 640})
    visitor.open()
    expect(visitor.page.get_by_role("heading", name=title)).to_be_visible()
    expect(visitor.page.locator(".slot-price").first).to_have_text(price)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") == 320
    # The switch changes the words and keeps the place.
    visitor.page.get_by_role("button", name="English").click()
    expect(visitor.page.get_by_role("heading", name="Book your game")).to_be_visible()


def test_times_are_the_venues(visit: Callable[..., Visitor]) -> None:
    visitor = visit(timezone_id="America/New_York")
    visitor.open()
    expect(visitor.page.locator(".slot-time").last).to_have_text("21:00")
    expect(visitor.page.get_by_text("This is not your own time zone.")).to_be_visible()
