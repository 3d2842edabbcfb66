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

from escapemaster_dev.stack.config import ROOT
from stack import Mailbox, Rest, Stack, User, wait_until
from venues import Venue, answer, open_venue

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
#: Payment, webhook and worker are real: give them time.
PATIENT = 90_000


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
        self.page.get_by_label("E-mail", exact=True).fill(email)
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
        context.set_default_timeout(PATIENT)
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
    expect(later.page.get_by_text("You get €58.50 back")).to_be_visible()
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
    # What is free in the month has to be known before a day can be taken.
    expect(page.locator("button.day:focus")).to_have_attribute("data-kind", "free")
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


def test_whoever_lost_the_mail_gets_the_link_again(
    visit: Callable[..., Visitor], anon: Rest, mailbox: Mailbox, venue: Venue, email: str
) -> None:
    made = _confirmed(venue, anon, email)
    reference = made["reference"]
    visitor = visit(**PHONE)
    page = visitor.page
    visitor.open(reference=reference)  # the link without its secret
    visitor.heading("Thank you")
    visitor.press("Already booked? Get your link again")
    visitor.heading("Get your link again")
    page.go_back()
    visitor.heading("Thank you")
    visitor.open()
    visitor.press("Already booked? Get your link again")
    visitor.heading("Get your link again")
    page.keyboard.press("Tab")
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("E-mail")).to_be_focused()
    expect(page.get_by_label("E-mail")).to_have_accessible_description("Tell us your e-mail.")
    visitor.check_accessibility()

    stranger = f"stranger-{email}"
    for address in (stranger, email):
        page.get_by_label("E-mail").fill(address)
        page.keyboard.press("Enter")
        visitor.heading("Look at your mail")
        expect(
            page.get_by_text(
                f"If there are bookings under {address}, the links are on their way.", exact=True
            )
        ).to_be_visible()
        visitor.check_accessibility()
        if address == stranger:
            visitor.press("Use another address")
            visitor.heading("Get your link again")

    mail = wait_until(
        lambda: next(
            (
                one
                for one in mailbox.of(email)
                if one["subject"] == f"Your bookings at {venue.name}"
            ),
            None,
        )
    )
    assert mailbox.of(stranger) == []
    link = re.search(r"http\S*[?#&]token=\S+", mail["text"])
    assert link, mail["text"]
    later = visit()
    later.page.goto(link[0])
    later.heading("Your booking")
    expect(later.page.locator(".reference-code")).to_have_text(reference)
    visitor.press("Back to the calendar")
    visitor.heading("Book your game")


def _confirmed(venue: Venue, anon: Rest, email: str) -> dict[str, Any]:
    """A confirmed booking, made at the desk."""
    day = str((datetime.now(UTC) + timedelta(days=3)).date())
    slot = answer(
        anon.rpc("get_availability", slug=venue.calendar, from_date=day, to_date=day, party_size=2)
    )[0]
    made: dict[str, Any] = answer(
        venue.owner.rpc(
            "create_booking",
            organization_id=venue.organization_id,
            room_id=slot["room_id"],
            starts_at=slot["starts_at"],
            party_size=2,
            customer={"full_name": "Leonora Carrington", "email": email, "locale": "en"},
            idempotency_key=uuid4().hex,
        )
    )
    answer(
        venue.owner.rpc(
            "transition_booking",
            organization_id=venue.organization_id,
            booking_id=made["id"],
            to_status="confirmed",
        )
    )
    return made


def test_a_time_that_somebody_else_takes_leads_back_to_what_is_free(
    visit: Callable[..., Visitor], anon: Rest, venue: Venue, email: str
) -> None:
    visitor = visit()
    visitor.open()
    shown = visitor.page.locator("button.day[aria-pressed=true]")
    day = shown.get_attribute("data-focus") or ""
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
    if len(first_day) > 1:
        expect(shown).to_have_attribute("data-focus", day)
        expect(visitor.page.locator(".slot-time").get_by_text(time, exact=True)).to_have_count(0)
    else:
        # It was the day's last one: late in the evening the next day is shown.
        expect(shown).not_to_have_attribute("data-focus", day)
    # What was typed is not asked again.
    visitor.choose_time(0)
    expect(visitor.page.get_by_label("E-mail", exact=True)).to_have_value(email)


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


#: Colours that a venue may have, and the corners of the cube.
ACCENTS = [
    *(f"#{red:02x}{green:02x}{blue:02x}" for red in (0, 119, 255) for green in (0, 119, 255)
      for blue in (0, 119, 255)),
    "#f5d90a", "#1b2a8f", "#e5484d", "#767676", "#8e4ec6", "#f76b15",
]  # fmt: skip

CONTRASTS = """(accents) => {
  const host = document.querySelector('escape-booking');
  const pen = new OffscreenCanvas(1, 1).getContext('2d');
  const probe = host.shadowRoot.querySelector('.widget').appendChild(document.createElement('i'));
  const luminance = (name) => {
    probe.style.color = `var(${name})`;
    pen.fillStyle = getComputedStyle(probe).color;
    pen.fillRect(0, 0, 1, 1);
    const [red, green, blue] = [...pen.getImageData(0, 0, 1, 1).data].map((part) =>
      part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
  };
  const found = [];
  for (const theme of ['light', 'dark']) {
    for (const accent of accents) {
      host.setAttribute('theme', theme);
      host.style.setProperty('--escape-accent', accent);
      for (const [letters, ground] of [
        ['--on-accent', '--accent'],
        ['--accent-ink', '--surface'],
        ['--accent-ink', '--soft'],
        ['--muted', '--soft'],
      ]) {
        const [one, other] = [luminance(letters), luminance(ground)];
        const contrast = Math.max(one, other) / Math.min(one, other);
        if (contrast < 4.5) found.push([theme, accent, letters, ground, contrast]);
      }
    }
  }
  return found;
}"""


def test_letters_can_be_read_on_any_colour_that_a_page_gives(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.open()
    expect(visitor.page.locator(".slot").first).to_be_visible()
    assert visitor.page.evaluate(CONTRASTS, ACCENTS) == []


def test_a_plain_phone_sees_the_whole_form_without_scrolling_sideways(
    visit: Callable[..., Visitor],
) -> None:
    visitor = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    visitor.open()
    visitor.choose_time()
    visitor.press("Continue to payment")
    expect(visitor.page.get_by_label("Full name")).to_be_focused()
    assert visitor.page.evaluate("document.documentElement.scrollWidth") == 360
    small = visitor.page.evaluate(
        """() => [...document.querySelector('escape-booking').shadowRoot
          .querySelectorAll('button, label.tick, .input')]
          .filter((element) => element.getBoundingClientRect().height < 44)
          .map((element) => element.outerHTML)"""
    )
    assert small == []


def test_times_are_the_venues(visit: Callable[..., Visitor]) -> None:
    visitor = visit(timezone_id="America/New_York")
    visitor.open()
    expect(visitor.page.locator(".slot-time").last).to_have_text("21:00")
    expect(visitor.page.get_by_text("This is not your own time zone.")).to_be_visible()


# ---- what the engine sells beside the time ----


@pytest.fixture
def rich_venue(venue: Venue) -> Venue:
    """A venue that asks, offers and wants agreement: date first, in its own colour."""
    owner = venue.owner
    answer(
        owner.update(
            "calendars",
            {
                "flow": "date_first",
                "theme": "dark",
                "accent_color": "#f5d90a",
                "terms": {"en": "Come ten minutes early.", "es": "Llegad diez minutos antes."},
                "waitlist_minutes": 60,
            },
            slug=f"eq.{venue.calendar}",
        )
    )
    calendar = answer(owner.get("calendars", slug=f"eq.{venue.calendar}", select="id"))[0]
    answer(
        owner.insert(
            "calendar_fields",
            [
                {
                    "calendar_id": calendar["id"],
                    "key": "plate",
                    "position": 0,
                    "kind": "text",
                    "label": {"en": "Number plate"},
                    "required": True,
                    "pattern": "[0-9]{4}[A-Z]{3}",
                    "options": None,
                },
                {
                    "calendar_id": calendar["id"],
                    "key": "occasion",
                    "position": 1,
                    "kind": "select",
                    "label": {"en": "What do you celebrate?"},
                    "required": False,
                    "pattern": None,
                    "options": [{"value": "birthday", "label": {"en": "A birthday"}}],
                },
            ],
        )
    )
    answer(
        owner.insert(
            "extras",
            {"names": {"en": "Printed photo"}, "price_cents": 1000, "maximum_quantity": 3},
        )
    )
    answer(
        owner.rpc(
            "create_coupon",
            organization_id=venue.organization_id,
            code="SUMMER",
            kind="fixed",
            value=500,
        )
    )
    return venue


def test_extras_codes_questions_and_terms_make_one_booking(
    visit: Callable[..., Visitor], rich_venue: Venue, email: str
) -> None:
    voucher = answer(
        rich_venue.owner.rpc(
            "issue_voucher",
            organization_id=rich_venue.organization_id,
            amount_cents=2000,
            idempotency_key=uuid4().hex,
        )
    )
    visitor = visit()
    page = visitor.page
    visitor.open()
    # The times of every room are shown together, each below its room.
    expect(page.get_by_role("heading", name="La cripta")).to_be_visible()
    expect(page.get_by_role("heading", name="El expreso")).to_be_visible()
    expect(page.locator("button.day[aria-pressed=true]")).to_have_attribute(
        "aria-label", re.compile(r"free times?, from €39")
    )
    visitor.check_accessibility()
    page.locator(".room-times").filter(has_text="La cripta").locator(".slot").last.click()
    visitor.heading("Your details")
    total = page.locator(".costs .total dd")
    expect(total).to_have_text("€60.00")
    page.get_by_role("button", name="One more: Printed photo").click()
    expect(total).to_have_text("€70.00")

    page.get_by_label("Discount or gift voucher code").fill("WINTER")
    visitor.press("Apply")
    expect(page.get_by_role("alert")).to_contain_text("We do not know this code.")
    page.get_by_label("Discount or gift voucher code").fill("summer")
    visitor.press("Apply")
    expect(total).to_have_text("€65.00")
    page.get_by_label("Discount or gift voucher code").fill(voucher["code"])
    visitor.press("Apply")
    expect(page.locator(".due")).to_contain_text("€45.00")

    # A reload keeps the choices, and with them the price.
    page.reload()
    visitor.heading("Your details")
    expect(total).to_have_text("€65.00")
    expect(page.locator(".due")).to_contain_text("€45.00")

    visitor.fill_in(email)
    expect(page.get_by_label("Number plate")).to_be_focused()
    visitor.check_accessibility()
    page.get_by_label("Number plate").fill("1234ABC")
    page.get_by_label("What do you celebrate?").select_option("A birthday")
    page.get_by_label("I have read and accept the terms").check()
    page.get_by_label("Note to the venue").fill("We come from far.")
    visitor.press("Continue to payment")
    visitor.heading("It is yours for now")
    expect(page.get_by_role("button", name="Pay €45.00")).to_be_visible()

    booking = answer(
        rich_venue.owner.get(
            "bookings", select="total_cents,booking_contacts(fields,customer_note)"
        )
    )[0]
    assert booking == {
        "total_cents": 6500,
        "booking_contacts": {
            "fields": {"plate": "1234ABC", "occasion": "birthday"},
            "customer_note": "We come from far.",
        },
    }

    # Back gives the time and the voucher's money back, and keeps what was typed.
    visitor.press("Back")
    visitor.heading("Your details")
    expect(page.get_by_label("Number plate")).to_have_value("1234ABC")
    expect(total).to_have_text("€65.00")


def test_a_room_says_for_whom_it_is_and_asks_what_only_it_wants_to_know(
    visit: Callable[..., Visitor], venue: Venue, email: str
) -> None:
    crypt = venue.rooms["la-cripta"]
    told = {
        "names": {"en": "The Crypt"},
        "minimum_age": 16,
        "minimum_age_accompanied": 12,
        "fear": 4,
        "languages": ["es", "en"],
        "is_accessible": True,
        # Paid at the venue, so that the booking stands at once.
        "deposit_kind": "none",
    }
    answer(venue.owner.update("rooms", told, id=f"eq.{crypt}"))
    (room,) = answer(venue.owner.get("rooms", id=f"eq.{crypt}"))
    place = {
        "address": "Calle Mayor 1",
        "city": "Madrid",
        "phone": "+34 910 000 000",
        "arrival_hints": {"en": "Ring at 2B."},
        "directions": {"en": "Tribunal metro station: three minutes on foot."},
    }
    answer(venue.owner.update("locations", place, id=f"eq.{room['location_id']}"))
    (calendar,) = answer(venue.owner.get("calendars", slug=f"eq.{venue.calendar}"))
    wishes = {
        "calendar_id": calendar["id"],
        "key": "wishes",
        "kind": "textarea",
        "label": {"en": "Anything we should know?"},
        "placeholder": {"en": "Allergies, a birthday, a secret"},
        "room_id": crypt,
        "maximum_length": 40,
        "in_confirmation": True,
    }
    answer(venue.owner.insert("calendar_fields", wishes))
    visitor = visit()
    visitor.open(room="la-cripta")
    expect(visitor.page.locator(".slot").first).to_be_visible(timeout=PATIENT)
    card = visitor.page.locator(".room").filter(has_text="The Crypt")
    for words in ("Age 16+ (with an adult 12+)", "Fear 4/5", "Wheelchair accessible"):
        expect(card.get_by_text(words)).to_be_visible()
    expect(card.get_by_text("Spanish, English")).to_be_attached()
    visitor.check_accessibility()
    visitor.choose_time()
    summary = visitor.page.get_by_role("complementary")
    expect(summary.get_by_text("three minutes on foot.")).to_be_visible()
    wish = visitor.page.get_by_label("Anything we should know?")
    expect(wish).to_have_attribute("placeholder", "Allergies, a birthday, a secret")
    wish.fill("A birthday\nof two")
    visitor.check_accessibility()
    visitor.page.get_by_label("Full name").fill("Leonora Carrington")
    visitor.page.get_by_label("E-mail", exact=True).fill(email)
    visitor.press("Confirm booking")
    visitor.heading("You are booked")
    expect(visitor.page.get_by_text("Ring at 2B.")).to_be_visible()
    answer(
        venue.owner.update("rooms", {"is_archived": True, "is_published": False}, id=f"eq.{crypt}")
    )
    visitor.open()
    expect(visitor.page.locator(".slot").first).to_be_visible(timeout=PATIENT)
    expect(visitor.page.get_by_text("The Crypt")).to_have_count(0)


def test_the_venues_colour_and_theme_are_worn_until_the_page_says_otherwise(
    visit: Callable[..., Visitor], rich_venue: Venue
) -> None:
    visitor = visit(color_scheme="light")
    page = visitor.page
    visitor.open()
    day = page.locator("button.day[aria-pressed=true]")
    expect(day).to_have_css("background-color", "rgb(245, 217, 10)")
    expect(page.locator(".widget")).to_have_css("color-scheme", "dark")
    page.locator("escape-booking").evaluate(
        "element => { element.setAttribute('theme', 'light');"
        " element.style.setProperty('--escape-accent', '#102030'); }"
    )
    expect(day).to_have_css("background-color", "rgb(16, 32, 48)")
    expect(page.locator(".slot").first).to_have_css("background-color", "rgb(255, 255, 255)")


def test_a_booking_is_moved_by_its_link(
    visit: Callable[..., Visitor], mailbox: Mailbox, venue: Venue, anon: Rest, email: str
) -> None:
    visitor = visit()
    page = visitor.page
    answer(venue.owner.update("rooms", {"price_cents": 0}, id=f"eq.{venue.rooms['la-cripta']}"))
    visitor.open()
    # Far enough ahead to be moved for free.
    visitor.press("Next month")
    time = visitor.choose_time()
    page.get_by_label("Full name").fill("Leonora Carrington")
    page.get_by_label("E-mail", exact=True).fill(email)
    visitor.press("Confirm booking")
    visitor.heading("You are booked")
    visitor.press("Change date or players")
    visitor.heading("Change your booking")
    visitor.check_accessibility()
    moved = visitor.page.locator(".slot").first.locator(".slot-time").inner_text()
    assert moved != time
    page.locator(".slot").first.click()
    visitor.heading("Change to this?")
    expect(page.get_by_text("The price stays the same.")).to_be_visible()
    visitor.check_accessibility()
    visitor.press("Yes, change it")
    visitor.heading("Your booking")
    expect(page.get_by_text("Your booking has been changed.")).to_be_visible()
    expect(page.locator(".ticket")).to_contain_text(moved)
    booking = answer(venue.owner.get("bookings", select="status,starts_at"))[0]
    assert booking["status"] == "confirmed"


def test_a_booking_is_moved_to_another_room_where_the_day_comes_first(
    visit: Callable[..., Visitor], rich_venue: Venue, mailbox: Mailbox, email: str
) -> None:
    owner = rich_venue.owner
    email = email.replace("visitor-", "leonoracarringtonofthelabyrinth")
    crypt, train = rich_venue.rooms["la-cripta"], rich_venue.rooms["el-expreso"]
    for room in (crypt, train):
        answer(owner.update("rooms", {"deposit_kind": "none", "deposit_value": 0}, id=f"eq.{room}"))
    visitor = visit(**PHONE)
    page = visitor.page
    visitor.open()
    visitor.press("Next month")
    page.locator(".room-times").filter(has_text="La cripta").locator(".slot").last.click()
    visitor.heading("Your details")
    page.get_by_label("Full name").fill("Leonora Carrington")
    page.get_by_label("E-mail", exact=True).fill(email)
    page.get_by_label("Number plate").fill("1234ABC")
    page.get_by_label("I have read and accept the terms").check()
    visitor.press("Confirm booking")
    visitor.heading("You are booked")
    # However long the address in it is.
    spill = page.evaluate(
        """() => {
          const widget = document.querySelector('escape-booking').shadowRoot
            .querySelector('.widget');
          const edge = widget.getBoundingClientRect().right
            - parseFloat(getComputedStyle(widget).paddingRight);
          return [...widget.querySelectorAll('.body *')]
            .filter((part) => !part.closest('.sr') && part.getBoundingClientRect().right > edge + 1)
            .map((part) => part.outerHTML.slice(0, 120));
        }"""
    )
    assert spill == []
    [before] = answer(owner.get("bookings", select="starts_at,room_id,party_size,total_cents"))
    assert (before["room_id"], before["party_size"]) == (crypt, 2)

    # By the link, on another device.
    mail = mailbox.wait_for(email)[0]
    link = re.search(r"http[^\s\"']*[?#&]token=[^\s\"'<]+", mail["text"].replace("&amp;", "&"))
    assert link, mail["text"]
    later = visit()
    page = later.page
    page.goto(link[0])
    later.heading("Your booking")
    later.press("Change date or players")
    later.heading("Change your booking")
    later.check_accessibility()
    page.locator("label").filter(has_text="El expreso").click()
    expect(page.locator(".slot-price").first).to_have_text("€39")
    later.press("One player more")
    expect(page.locator(".slot-price").first).to_have_text("€58.50")
    moved = page.locator(".slot").first.locator(".slot-time").inner_text()
    page.locator(".slot").first.click()
    later.heading("Change to this?")
    expect(page.locator(".ticket").last).to_contain_text("El expreso")
    later.check_accessibility()
    later.press("Yes, change it")
    later.heading("Your booking")
    expect(page.get_by_text("Your booking has been changed.")).to_be_visible()
    expect(page.locator(".ticket")).to_contain_text("El expreso")
    expect(page.locator(".ticket")).to_contain_text(moved)
    expect(page.locator(".ticket")).to_contain_text("3 players")
    later.check_accessibility()
    [after] = answer(owner.get("bookings", select="status,starts_at,room_id,party_size"))
    assert (after["status"], after["room_id"], after["party_size"]) == ("confirmed", train, 3)
    assert after["starts_at"] != before["starts_at"]


def test_the_line_under_today_leaves_its_price_alone(
    visit: Callable[..., Visitor], rich_venue: Venue
) -> None:
    visitor = visit(viewport={"width": 1280, "height": 900})
    visitor.open()
    priced = visitor.page.locator("button.day[data-price]").first
    gap = priced.evaluate(
        """(day) => {
          day.setAttribute('aria-current', 'date');
          const number = day.querySelector('.day-number');
          const mark = number.appendChild(document.createElement('i'));
          mark.style.cssText = 'display: inline-block; width: 1px';
          const line = getComputedStyle(number);
          const underline = mark.getBoundingClientRect().bottom +
            parseFloat(line.textUnderlineOffset) + parseFloat(line.textDecorationThickness);
          const price = getComputedStyle(day, '::before');
          return number.getBoundingClientRect().bottom + parseFloat(price.marginTop) - underline;
        }"""
    )
    assert gap >= 2


def test_a_price_on_its_way_leaves_the_old_one_readable(
    visit: Callable[..., Visitor], rich_venue: Venue
) -> None:
    visitor = visit()
    page = visitor.page
    visitor.open()
    page.locator(".slot").last.click()
    visitor.heading("Your details")
    summary = page.get_by_label("Your booking")
    expect(summary.locator(".total")).to_be_visible()
    expect(summary).not_to_have_attribute("aria-busy", "true")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/rpc/quote_booking", hold)
    page.get_by_role("button", name="One more: Printed photo").click()
    expect(summary).to_have_attribute("aria-busy", "true")
    assert (
        summary.locator("dt, dd").evaluate_all(
            """(texts) => texts.filter((text) => {
          for (let box = text; box; box = box.parentElement) {
            if (getComputedStyle(box).opacity !== '1') return true;
          }
        }).map((text) => text.textContent)"""
        )
        == []
    )
    visitor.check_accessibility()
    # It is shown, and not only said.
    assert "gradient" in summary.evaluate("(box) => getComputedStyle(box).backgroundImage")
    for route in held:
        route.continue_()
    expect(summary).not_to_have_attribute("aria-busy", "true")
    expect(summary.locator(".total dd")).to_have_text(re.compile(r"€(49|70)\.00"))


def test_a_full_day_leads_to_the_waitlist(
    visit: Callable[..., Visitor], rich_venue: Venue, email: str
) -> None:
    owner = rich_venue.owner
    start = datetime.now(UTC) + timedelta(days=3)
    for room in rich_venue.rooms.values():
        answer(
            owner.rpc(
                "block_room",
                organization_id=rich_venue.organization_id,
                room_id=room,
                starts_at=str(start - timedelta(days=1)),
                ends_at=str(start + timedelta(days=1)),
                reason="painting",
            )
        )
        answer(
            owner.insert(
                "schedule_exceptions",
                {
                    "room_id": room,
                    "date": str((start + timedelta(days=2)).date()),
                    "is_closed": True,
                },
            )
        )
    visitor = visit()
    page = visitor.page
    visitor.open()
    expect(page.locator(".slot").first).to_be_visible()
    day = page.locator(f"[data-focus=day-{start.date()}]")
    expect(page.locator("button.day").first).to_be_visible()
    if not day.count():
        visitor.press("Next month")
    expect(day).to_have_attribute("aria-label", re.compile("nothing free"))
    # The venue is closed on the day after: nobody waits for it.
    closed = page.locator(f"[data-focus=day-{(start + timedelta(days=2)).date()}]")
    if not closed.count():
        visitor.press("Next month")
    expect(closed).to_have_attribute("aria-label", re.compile("nothing free"))
    expect(closed).to_have_attribute("aria-disabled", "true")
    if not day.count():
        visitor.press("Previous month")
    expect(day).not_to_have_attribute("aria-disabled", "true")
    day.click()
    visitor.press("Join the waitlist")
    visitor.heading("Join the waitlist")
    visitor.check_accessibility()
    page.get_by_label("Full name").fill("Leonora Carrington")
    page.get_by_label("E-mail", exact=True).fill(email)
    page.get_by_label("Number plate").fill("1234ABC")
    page.get_by_label("I have read and accept the terms").check()
    visitor.press("Put me on the waitlist")
    visitor.heading("You are on the waitlist")
    visitor.check_accessibility()


def test_a_place_that_the_waitlist_offers_is_taken_by_the_link_in_its_mail(
    visit: Callable[..., Visitor], mailbox: Mailbox, venue: Venue, anon: Rest, email: str
) -> None:
    room = venue.rooms["la-cripta"]
    day = str((datetime.now(UTC) + timedelta(days=3)).date())
    answer(venue.owner.update("rooms", {"price_cents": 0}, id=f"eq.{room}"))
    # One game a day: who has it is in everybody's way.
    answer(
        venue.owner.update(
            "schedules", {"opens_at": "20:00", "closes_at": "21:00"}, room_id=f"eq.{room}"
        )
    )
    answer(venue.owner.update("calendars", {"waitlist_minutes": 60}, slug=f"eq.{venue.calendar}"))
    here = {"slug": venue.calendar, "room_id": room}
    [slot] = answer(anon.rpc("get_availability", **here, from_date=day, to_date=day))
    taken = answer(
        anon.rpc(
            "hold_booking",
            **here,
            starts_at=slot["starts_at"],
            party_size=2,
            customer={"full_name": "Remedios Varo", "email": "remedios@example.test"},
            expected_total_cents=0,
            idempotency_key=uuid4().hex,
        )
    )
    answer(
        anon.rpc(
            "join_waitlist",
            **here,
            from_date=day,
            to_date=day,
            party_size=2,
            customer={"full_name": "Leonora Carrington", "email": email, "locale": "en"},
            idempotency_key=uuid4().hex,
        )
    )
    answer(
        anon.rpc("cancel_booking", reference=taken["reference"], manage_token=taken["manage_token"])
    )
    # The mail about having joined may be on its way already.
    offer = wait_until(
        lambda: next((m for m in mailbox.of(email) if "A place for you" in m["subject"]), None)
    )
    [link] = re.findall(r'href="([^"]*reference=[^"]*)"', offer["html"])

    visitor = visit()
    visitor.page.goto(link.replace("&amp;", "&"))
    visitor.heading("It is yours for now")
    expect(visitor.page.get_by_text("A place has opened up")).to_be_visible()
    visitor.check_accessibility()
    visitor.press("Confirm booking")
    visitor.heading("You are booked")
    wait_until(lambda: any("Booking confirmed" in mail["subject"] for mail in mailbox.of(email)))


@pytest.mark.parametrize("size", [{}, {"viewport": {"width": 390, "height": 844}}])
def test_a_booking_that_costs_nothing_now_is_confirmed_by_the_link_in_its_mail(
    visit: Callable[..., Visitor],
    mailbox: Mailbox,
    venue: Venue,
    email: str,
    size: dict[str, Any],
) -> None:
    answer(venue.owner.update("rooms", {"price_cents": 0}, id=f"eq.{venue.rooms['la-cripta']}"))
    answer(venue.owner.update("calendars", {"confirm_by_email": True}, slug=f"eq.{venue.calendar}"))
    visitor = visit(**size)
    page = visitor.page
    visitor.open()
    visitor.choose_time()
    page.get_by_label("Full name").fill("Leonora Carrington")
    page.get_by_label("E-mail", exact=True).fill(email)
    visitor.press("Confirm booking")
    visitor.heading("Look at your mail")
    expect(page.get_by_text(f"the mail we sent to {email} before ")).to_be_visible()
    visitor.check_accessibility()
    visitor.press("Check again")
    expect(page.get_by_text("The link has not been opened yet.")).to_be_visible()
    [asking] = mailbox.wait_for(email)
    [link] = set(re.findall(r'href="([^"]*confirm=1[^"]*)"', asking["html"]))

    opened = Visitor(page.context.new_page(), visitor.stack, venue)
    opened.page.goto(link.replace("&amp;", "&"))
    opened.heading("You are booked")
    # Neither the token nor what it does is left in the address.
    expect(opened.page).to_have_url(re.compile(r"[?&]reference=[^&#]+$"))
    wait_until(lambda: any("Booking confirmed" in mail["subject"] for mail in mailbox.of(email)))
    opened.page.reload()
    opened.heading("Your booking")
    # The page that waits finds out by itself when it is looked at again, or when it is asked.
    visitor.press("Check again")
    visitor.heading("You are booked")
    # The same link, later and elsewhere, leads to the booking and can manage it.
    elsewhere = visit()
    elsewhere.page.goto(link.replace("&amp;", "&"))
    elsewhere.press("Cancel booking")
    elsewhere.page.get_by_role("alertdialog").wait_for()
    elsewhere.press("Yes, cancel it")
    elsewhere.heading("Your booking is cancelled")
    expect(elsewhere.page.get_by_text("0.00 back")).to_have_count(0)


def test_a_waiver_is_signed_at_the_booking(
    visit: Callable[..., Visitor], venue: Venue, email: str
) -> None:
    visitor = visit()
    page = visitor.page
    room = venue.rooms["la-cripta"]
    answer(
        venue.owner.rpc(
            "publish_waiver",
            organization_id=venue.organization_id,
            texts={"en": "You may get locked in."},
        )
    )
    answer(
        venue.owner.update(
            "rooms", {"price_cents": 0, "waiver_policy": "required"}, id=f"eq.{room}"
        )
    )
    visitor.open()
    visitor.choose_time()
    page.get_by_label("Full name").fill("Leonora Carrington")
    page.get_by_label("E-mail", exact=True).fill(email)
    visitor.press("Confirm booking")
    visitor.heading("You are booked")
    expect(page.locator(".facts")).to_contain_text("0 of 2 signed")
    visitor.press("Sign the waiver")
    visitor.heading("Sign the waiver")
    expect(page.get_by_text("You may get locked in.")).to_be_visible()
    visitor.check_accessibility()
    # By keyboard alone: the name is the signature.
    page.get_by_label("I have read the text above and agree to it.").press("Space")
    page.get_by_label("Draw it").press("ArrowRight")
    page.get_by_role("button", name="Sign", exact=True).press("Enter")
    visitor.heading("Signed, thank you")
    visitor.press("Your booking")
    expect(page.locator(".facts")).to_contain_text("1 of 2 signed")
