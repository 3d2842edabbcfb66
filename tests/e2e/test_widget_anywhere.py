"""The widget where pages are odd: in frames, offline, with a clock or a style of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, FrameLocator, Page, Route, expect
from playwright.sync_api import TimeoutError as TooLate

from escapemaster_dev.seed.pictures import read_picture
from escapemaster_dev.stack.config import ROOT
from stack import Mailbox, Rest, Stack, User
from venues import Venue, answer, open_venue

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE = 90_000
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
}


@pytest.fixture
def venue(make_user: Callable[..., User], as_user: Callable[..., Rest]) -> Venue:
    return open_venue(
        make_user,
        as_user,
        rooms={
            "la-cripta": {"description": "Nobody has opened it for a hundred years."},
            "el-expreso": {"price_per": "person", "price_cents": 1950, "maximum_party": 5},
            "el-submarino": {"price_cents": 9000},
        },
    )


@pytest.fixture
def email() -> str:
    return f"visitor-{uuid4().hex[:10]}@example.test"


class Venues:
    """Pages of the venue's own, each with the widget as it is told to be there."""

    def __init__(self, browser: Browser, stack: Stack, gateway: httpx.Client, venue: Venue) -> None:
        self.browser = browser
        self.stack = stack
        self.venue = venue
        self.settings = gateway.get("/demo/config.json").json()
        self.contexts: list[BrowserContext] = []

    def context(self, **options: Any) -> BrowserContext:
        made = self.browser.new_context(
            **{"locale": "en-GB", "timezone_id": "Europe/Madrid", **options}
        )
        made.set_default_timeout(PATIENCE)
        self.contexts.append(made)
        # The stack's own page knows the demo's calendars; this test has its own.
        calendars = [{"slug": self.venue.calendar, "name": self.venue.name}]
        made.route(
            "**/demo/config.json",
            lambda route: route.fulfill(json={**self.settings, "calendars": calendars}),
        )
        return made

    def element(self, attributes: str = "") -> str:
        return (
            f'<script src="{self.stack.url}/functions/v1/booking-widget" async></script>'
            f'<escape-booking calendar="{self.venue.calendar}" {attributes}'
            f' publishable-key="{self.settings["publishable_key"]}"'
            f' api-url="{self.stack.url}"'
            f' service-url="{self.stack.api_url}"></escape-booking>'
        )

    def serve(self, context: BrowserContext, name: str, body: str) -> str:
        """A page on the stack's origin, to which a payment may come back."""
        url = f"{self.stack.url}/demo/{name}"
        html = f'<!doctype html><html lang="en"><title>Venue</title><body>{body}'

        def fulfil(route: Route) -> None:
            route.fulfill(content_type="text/html", body=html)

        context.route(re.compile(rf"{re.escape(url)}(\?.*)?$"), fulfil)
        return url

    def open(self, body: str | None = None, context: BrowserContext | None = None) -> Page:
        context = context or self.context()
        page = context.new_page()
        page.goto(self.serve(context, "page.html", body or self.element()))
        return page


@pytest.fixture
def venues(browser: Browser, stack: Stack, gateway: httpx.Client, venue: Venue) -> Iterator[Venues]:
    made = Venues(browser, stack, gateway, venue)
    yield made
    for context in made.contexts:
        context.close()


def check_accessibility(page: Page | Frame) -> None:
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        """async () => (await axe.run('escape-booking')).violations.map((violation) =>
          [violation.id, violation.nodes.map((node) => node.target.flat().join(' '))])"""
    )
    assert found == [], json.dumps(found, indent=2)


def to_payment(page: Page | FrameLocator, email: str) -> None:
    """Book what is shown, up to the payment."""
    page.locator(".slot").last.click()
    page.get_by_label("Full name").fill("Leonora Carrington")
    page.get_by_label("E-mail", exact=True).fill(email)
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.get_by_role("timer")).to_be_visible(timeout=PATIENCE)


# ---- frames ----


@pytest.fixture
def framed(venues: Venues) -> Callable[[str], tuple[Page, FrameLocator]]:
    """`framed(sandbox)`: a page that holds nothing but a frame with the stack's page."""

    def frame(sandbox: str) -> tuple[Page, FrameLocator]:
        page = venues.context().new_page()
        page.goto(f"{venues.stack.url}/demo/?calendar={venues.venue.calendar}")
        page.evaluate(
            """(sandbox) => {
              document.body.innerHTML =
                `<iframe id="frame" title="Booking" ${sandbox} width="700" height="900"></iframe>`;
              document.querySelector('iframe').src = location.href;
            }""",
            sandbox,
        )
        return page, page.frame_locator("#frame")

    return frame


Framed = Callable[[str], tuple[Page, FrameLocator]]


def test_a_payment_leaves_the_frame_and_comes_back(
    venues: Venues, framed: Framed, email: str
) -> None:
    page, frame = framed("")
    to_payment(frame, email)
    frame.get_by_role("button", name="Pay €").click()
    page.wait_for_url(f"{venues.stack.stripe_url}/**")
    page.get_by_role("button", name=re.compile(r"\d")).first.click()
    expect(page.get_by_role("heading", name="You are booked")).to_be_visible(timeout=PATIENCE)


def test_a_frame_that_may_not_leave_pays_in_a_tab(framed: Framed, email: str) -> None:
    page, frame = framed(
        'sandbox="allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox"'
    )
    # No form may be sent in there either.
    to_payment(frame, email)
    with page.context.expect_page() as opened:
        frame.get_by_role("button", name="Pay €").click()
    expect(frame.get_by_text("The payment page is open in another tab.")).to_be_visible()
    opened.value.get_by_role("button", name=re.compile(r"\d")).first.click()
    expect(opened.value.get_by_role("heading", name="You are booked")).to_be_visible(
        timeout=PATIENCE
    )


def test_a_frame_that_forbids_both_says_so_and_gives_the_link(
    venues: Venues, framed: Framed, email: str
) -> None:
    page, frame = framed('sandbox="allow-scripts allow-same-origin"')
    to_payment(frame, email)
    frame.get_by_role("button", name="Pay €").click()
    expect(frame.get_by_text("This page does not let us open the payment.")).to_be_visible(
        timeout=PATIENCE
    )
    link = frame.get_by_role("textbox", name="Open the payment page").input_value()
    assert link.startswith(venues.stack.stripe_url)
    check_accessibility(page.frames[-1])


# ---- steps ----


def test_back_and_reload_keep_the_step_and_what_was_typed(venues: Venues, email: str) -> None:
    page = venues.open()
    page.locator(".slot").last.click()
    page.get_by_label("Full name").fill("Leonora Carrington")
    page.get_by_label("E-mail", exact=True).fill(email)
    page.reload()
    expect(page.get_by_role("heading", name="Your details")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_label("E-mail", exact=True)).to_have_value(email)
    page.go_back()
    expect(page.get_by_role("heading", name="Book your game")).to_be_visible()
    assert "/demo/page.html" in page.url
    page.go_forward()
    expect(page.get_by_label("Full name")).to_have_value("Leonora Carrington")
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_role("heading", name="Book your game")).to_be_visible()


def test_a_tab_closed_before_paying_is_found_again(venues: Venues, email: str) -> None:
    context = venues.context()
    page = venues.open(context=context)
    to_payment(page, email)
    page.close()
    again = venues.open(context=context)
    expect(again.get_by_role("heading", name="It is yours for now")).to_be_visible(timeout=PATIENCE)


def test_a_reload_while_a_time_is_held_leads_back_to_the_calendar(
    venues: Venues, email: str
) -> None:
    page = venues.open()
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    to_payment(page, email)
    page.reload()
    expect(page.get_by_role("timer")).to_be_visible(timeout=PATIENCE)
    page.go_back()
    expect(page.get_by_role("heading", name="Your details")).to_be_visible(timeout=PATIENCE)
    page.go_back()
    expect(page.locator(".slot").first).to_be_visible(timeout=PATIENCE)
    assert thrown == []


# ---- the network ----


def test_offline_is_said_and_being_online_again_noticed(venues: Venues) -> None:
    context = venues.context()
    page = venues.open(context=context)
    expect(page.locator(".slot").first).to_be_visible(timeout=PATIENCE)
    context.set_offline(True)
    page.get_by_role("button", name="Next month").click()
    # The month after may be known already; else there is soon no button for another.
    with suppress(TooLate):
        page.get_by_role("button", name="Next month").click(timeout=5_000)
    expect(page.get_by_text("The free times could not be loaded.")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("There is no connection.")
    expect(page.get_by_text("Nothing free in")).to_have_count(0)
    check_accessibility(page)
    context.set_offline(False)
    expect(page.locator(".slot").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_the_second_script_is_loaded_when_it_is_needed(venues: Venues, email: str) -> None:
    context = venues.context()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = venues.open(context=context)
    expect(page.locator(".slot").first).to_be_visible(timeout=PATIENCE)

    def scripts() -> list[str]:
        return [url for url in asked if re.search(r"booking-widget/[0-9a-f]{16}\.js$", url)]

    assert scripts() == []
    to_payment(page, email)
    assert len(scripts()) == 1


def test_a_second_script_of_other_bytes_is_not_run(venues: Venues) -> None:
    context = venues.context()
    context.route(
        re.compile(r"booking-widget/[0-9a-f]{16}\.js$"),
        lambda route: route.fulfill(
            content_type="text/javascript",
            headers={"Access-Control-Allow-Origin": "*"},
            body="window.stolen = true",
        ),
    )
    page = context.new_page()
    page.goto(
        venues.serve(context, "page.html", venues.element()) + "?reference=ABCD-2345#token=wrong"
    )
    expect(page.get_by_role("button", name="Try again")).to_be_visible(timeout=PATIENCE)
    assert page.evaluate("window.stolen") is None


# ---- pages and browsers ----


@pytest.mark.parametrize("setting", ["publishable-key", "service-url"])
def test_without_a_key_or_the_service_the_page_and_the_console_say_so(
    venues: Venues, setting: str
) -> None:
    context = venues.context()
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    element = re.sub(rf' {setting}="[^"]*"', "", venues.element())
    page.goto(venues.serve(context, "page.html", element))
    expect(page.get_by_role("alert")).to_contain_text(f"{setting} is missing")
    assert any(setting in text for text in said)


LEAKY = """<style>body { letter-spacing: .5em; text-transform: uppercase; white-space: nowrap;
  text-indent: 40px; font-style: italic; word-spacing: 1em; text-shadow: 2px 2px red;
  direction: rtl; line-height: 3; font-weight: 900; visibility: visible }</style>"""


def test_what_the_page_says_of_its_letters_stays_outside(venues: Venues) -> None:
    page = venues.open(f"{LEAKY}<div dir='rtl'>{venues.element()}</div>")
    facts = page.locator(".room-facts").first
    expect(facts).to_be_visible(timeout=PATIENCE)
    for name, value in {
        "letter-spacing": "normal",
        "text-transform": "none",
        "white-space": "normal",
        "font-style": "normal",
        "direction": "ltr",
        "text-shadow": "none",
        "text-indent": "0px",
    }.items():
        expect(facts).to_have_css(name, value)
    # The numbers stand in the order in which they are said.
    left, right = page.locator(".players-text .muted").evaluate(
        """(node) => [0, 2].map((at) => {
          const range = document.createRange();
          range.setStart(node.firstChild, at);
          range.setEnd(node.firstChild, at + 1);
          return range.getBoundingClientRect().left;
        })"""
    )
    assert left < right


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_without_light_dark_shows_borders_and_what_is_chosen(
    venues: Venues, scheme: str
) -> None:
    context = venues.context(color_scheme=scheme)

    def without(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=response.text().replace("light-dark(", "no-such("))

    context.route("**/functions/v1/booking-widget", without)
    page = venues.open(
        f"<style>:root {{ color-scheme: light dark }}</style>{venues.element()}", context
    )
    day = page.locator("button.day[aria-pressed=true]")
    expect(day).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".widget")).to_have_css(
        "background-color", "rgb(255, 255, 255)" if scheme == "light" else "rgb(23, 28, 27)"
    )
    expect(day).not_to_have_css("background-color", "rgba(0, 0, 0, 0)")
    page.locator(".slot").last.click()
    field = page.get_by_label("Full name")
    expect(field).to_have_css("border-top-width", "1px")
    expect(field).not_to_have_css("border-top-color", "rgba(0, 0, 0, 0)")
    check_accessibility(page)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_visitors_clock_a_day_off_changes_nothing(venues: Venues, days: int) -> None:
    context = venues.context()
    page = context.new_page()
    page.clock.install(time=datetime.now(UTC) + timedelta(days=days))
    page.goto(venues.serve(context, "page.html", venues.element()))
    expect(page.locator(".slot").first).to_be_visible(timeout=PATIENCE)
    today = datetime.now(UTC).astimezone().date()
    current = page.locator("[aria-current=date]").get_attribute("data-focus") or ""
    marked = datetime.fromisoformat(current.removeprefix("day-")).date()
    # Around midnight the venue's day is another one than the machine's.
    assert abs(marked - today) <= timedelta(days=0 if 2 <= datetime.now(UTC).hour < 21 else 1)


@pytest.mark.parametrize("hours", [-1, 2])
def test_a_clock_that_is_set_while_a_time_is_held_moves_nothing(
    venues: Venues, email: str, hours: int
) -> None:
    page = venues.open()
    to_payment(page, email)
    left = page.locator(".countdown-clock")
    expect(left).to_have_text(re.compile(r"1[45]:"))
    page.evaluate(
        f"""() => {{
          const Kept = Date, now = Date.now.bind(Date), by = {hours} * 3600000;
          window.Date = class extends Kept {{
            constructor(...given) {{ given.length ? super(...given) : super(now() + by); }}
            static now() {{ return now() + by; }}
          }};
        }}"""
    )
    before = left.inner_text()
    expect(left).not_to_have_text(before)
    expect(left).to_have_text(re.compile(r"1[45]:"))
    kept = f"localStorage['escape-booking:left:{venues.venue.calendar}']"
    assert page.evaluate(kept) is not None


def test_a_payment_that_is_refused_since_the_time_ran_out_is_no_payment(
    venues: Venues, email: str
) -> None:
    page = venues.open()
    to_payment(page, email)
    key = f"localStorage['escape-booking:left:{venues.venue.calendar}']"
    reference = json.loads(page.evaluate(key))["reference"]
    with psycopg.connect(venues.stack.owner_dsn) as owner:
        owner.execute(
            "update public.bookings set hold_expires_at = now() - interval '2 seconds'"
            " where reference = %s",
            (reference,),
        )
    page.get_by_role("button", name="Pay €").click()
    heading = page.get_by_role("heading", name="The time we were keeping for you has run out.")
    expect(heading).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Nothing was charged.")).to_be_visible()
    page.get_by_role("button", name="Choose a time").click()
    expect(page.locator(".slot").first).to_be_visible(timeout=PATIENCE)


@pytest.mark.parametrize("languages", [["en-US@posix"], ["en-"], ["C.UTF-8"], [""], []])
def test_an_odd_language_or_zone_still_shows_times(venues: Venues, languages: list[str]) -> None:
    context = venues.context()
    context.add_init_script(
        f"""Object.defineProperty(navigator, 'languages', {{ get: () => {json.dumps(languages)} }});
        const original = Intl.DateTimeFormat.prototype.resolvedOptions;
        Intl.DateTimeFormat.prototype.resolvedOptions = function () {{
          return {{ ...original.call(this), timeZone: 'Etc/Unknown' }};
        }};"""
    )
    page = venues.open(venues.element('lang="en_US"'), context)
    expect(page.get_by_role("heading", name="Book your game")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".slot").first).to_be_visible()


def test_the_first_screen_of_a_phone_shows_days(venues: Venues) -> None:
    page = venues.open(
        f'<meta name="viewport" content="width=device-width">{venues.element()}',
        venues.context(**PHONE),
    )
    expect(page.locator(".slot").first).to_be_visible(timeout=PATIENCE)
    box = page.locator("table.grid").bounding_box()
    assert box is not None
    assert box["y"] < 844 * 0.7
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    check_accessibility(page)


@pytest.mark.parametrize("options", [PHONE, {}], ids=["phone", "desktop"])
def test_a_room_s_pictures_are_turned_over_and_said(
    venues: Venues, venue: Venue, options: dict[str, Any]
) -> None:
    room = venue.rooms["la-cripta"]
    alts: list[dict[str, str]] = [{"en": "A stone door"}, {"es": "Una antorcha"}, {}]
    for position, (scene, alt) in enumerate(zip(("attic", "library", "train"), alts, strict=True)):
        path = f"{venue.organization_id}/rooms/{uuid4().hex}.png"
        answer(
            venue.owner.http.post(
                f"/storage/v1/object/room-images/{path}",
                content=read_picture(scene),
                headers={**venue.owner.headers, "Content-Type": "image/png"},
            )
        )
        answer(
            venue.owner.insert(
                "room_images", {"room_id": room, "path": path, "alt": alt, "position": position}
            )
        )
    page = venues.open(
        f'<meta name="viewport" content="width=device-width">{venues.element()}',
        venues.context(**options),
    )
    about = page.locator("details.about")
    expect(page.locator(".slot").first).to_be_visible(timeout=PATIENCE)
    about.locator("summary").click()
    row = about.get_by_role("group", name="Pictures of La cripta")
    pictures = row.get_by_role("img")
    expect(pictures).to_have_count(3)
    # A text in another language is better than none; where there is none, they are counted.
    said = ("A stone door", "Una antorcha", "La cripta, picture 3 of 3")
    for index, words in enumerate(said):
        expect(pictures.nth(index)).to_have_attribute("alt", words)
    expect(pictures.first).to_be_in_viewport(ratio=0.9)
    assert pictures.first.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0
    check_accessibility(page)

    next_one = about.get_by_role("button", name="Next picture")
    next_one.click()
    expect(pictures.nth(1)).to_be_in_viewport(ratio=0.9)
    assert pictures.nth(1).evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0
    about.get_by_role("button", name="Previous picture").click()
    expect(pictures.first).to_be_in_viewport(ratio=0.9)
    if options:
        # A finger draws the row along.
        pictures.first.scroll_into_view_if_needed()
        box = row.bounding_box()
        assert box is not None
        touch = page.context.new_cdp_session(page)
        y = box["y"] + box["height"] / 2
        for kind, part in (
            ("touchStart", 0.9),
            *(("touchMove", 0.9 - step / 10) for step in range(1, 9)),
            ("touchEnd", None),
        ):
            points = [] if part is None else [{"x": box["x"] + box["width"] * part, "y": y}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    else:
        row.focus()
        page.keyboard.press("ArrowRight")
    expect(pictures.nth(1)).to_be_in_viewport(ratio=0.9)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_on_a_phone_no_room_is_stretched_to_what_another_says(venues: Venues, venue: Venue) -> None:
    answer(
        venue.owner.update(
            "rooms",
            {"name": "El submarino a la deriva en el mar del Norte", "mode": "shared"},
            id=f"eq.{venue.rooms['el-submarino']}",
        )
    )
    page = venues.open(
        f'<meta name="viewport" content="width=device-width">{venues.element()}',
        venues.context(**PHONE),
    )
    expect(page.locator(".slot").first).to_be_visible(timeout=PATIENCE)
    spare = page.evaluate(
        """() => [...document.querySelector('escape-booking').shadowRoot
          .querySelectorAll('.room-list > .room')].map((card) => {
            const heights = [...card.querySelectorAll('.room-art, .room-body')]
              .map((part) => part.getBoundingClientRect().height);
            return card.getBoundingClientRect().height - Math.max(...heights);
          })"""
    )
    assert len(spare) == 3
    # Their padding and borders, and nothing else.
    assert max(spare) <= 24
    check_accessibility(page)


def test_the_page_is_told_the_steps_and_what_they_are_worth(venues: Venues, email: str) -> None:
    page = venues.open(
        "<script>told = []; for (const name of ['step', 'held', 'confirmed'])"
        " addEventListener('escape-booking:' + name, (event) => told.push([name, event.detail]))"
        f"</script>{venues.element()}"
    )
    expect(page.locator(".slot").first).to_be_visible(timeout=PATIENCE)
    to_payment(page, email)
    told = page.evaluate("told")
    assert [detail["step"] for name, detail in told if name == "step"] == [
        "choose",
        "details",
        "pay",
    ]
    held = next(detail for name, detail in told if name == "held")
    assert (held["value"], held["currency"]) == (60, "EUR")
    assert not re.search(rf"{email}|Leonora|token", json.dumps(told))


def test_a_page_may_say_where_its_visitor_begins(venues: Venues) -> None:
    day = datetime.now(UTC).date() + timedelta(days=40)
    page = venues.open(
        venues.element(f'room="el-expreso" date="{day}" party="4" name="Eva" email="e@x.test"')
    )
    expect(page.get_by_role("radio", name="El expreso")).to_be_checked(timeout=PATIENCE)
    expect(page.locator("button.day[aria-pressed=true]")).to_have_attribute(
        "data-focus", f"day-{day}"
    )
    expect(page.locator(".slot-price").first).to_have_text("€78")
    page.locator(".slot").first.click()
    expect(page.get_by_label("Full name")).to_have_value("Eva")


# ---- what is sold out, and links ----


def test_a_sold_out_time_is_shown_waited_for_and_left_again(
    venues: Venues, venue: Venue, anon: Rest, mailbox: Mailbox, email: str
) -> None:
    answer(
        venue.owner.update(
            "calendars",
            {"waitlist_minutes": 60, "shows_taken_times": True},
            slug=f"eq.{venue.calendar}",
        )
    )
    room = venue.rooms["la-cripta"]
    day = str((datetime.now(UTC) + timedelta(days=3)).date())
    slots = answer(
        anon.rpc(
            "get_availability",
            slug=venue.calendar,
            room_id=room,
            from_date=day,
            to_date=day,
        )
    )
    taken = answer(
        anon.rpc(
            "hold_booking",
            slug=venue.calendar,
            room_id=room,
            starts_at=slots[-1]["starts_at"],
            party_size=2,
            customer={"full_name": "Remedios Varo", "email": "remedios@example.test"},
            expected_total_cents=6000,
            idempotency_key=uuid4().hex,
        )
    )
    page = venues.open(venues.element(f'room="la-cripta" date="{day}"'))
    sold = page.locator(".slot[data-taken]")
    expect(sold).to_contain_text("Sold out", timeout=PATIENCE)
    check_accessibility(page)
    sold.click()
    expect(page.get_by_role("heading", name="Join the waitlist")).to_be_visible(timeout=PATIENCE)
    page.get_by_label("Full name").fill("Leonora Carrington")
    page.get_by_label("E-mail", exact=True).fill(email)
    check_accessibility(page)
    page.get_by_role("button", name="Put me on the waitlist").click()
    expect(page.get_by_role("heading", name="You are on the waitlist")).to_be_visible()
    expect(page.locator(".ticket")).to_contain_text(slots[-1]["local_time"])
    check_accessibility(page)

    answer(
        anon.rpc("cancel_booking", reference=taken["reference"], manage_token=taken["manage_token"])
    )
    [offer] = mailbox.wait_for(email)
    [link] = re.findall(r'href="([^"]*waitlist=leave[^"]*)"', offer["html"])
    left = venues.context().new_page()
    left.goto(link.replace("&amp;", "&"))
    expect(left.get_by_role("heading", name="Leave the waitlist?")).to_be_visible(timeout=PATIENCE)
    assert "token" not in left.url
    left.reload()
    # What is left is named as the mail names it.
    time = slots[-1]["local_time"]
    expect(left.locator(".ticket")).to_contain_text(time)
    left.get_by_role("button", name="Yes, leave it").click()
    expect(left.get_by_role("heading", name="You are off the waitlist")).to_be_visible(
        timeout=PATIENCE
    )
    left.reload()
    expect(left.get_by_role("heading", name="You are off the waitlist")).to_be_visible(
        timeout=PATIENCE
    )
    expect(left.get_by_role("button", name="Yes, leave it")).to_have_count(0)


def test_a_waivers_link_is_copied_and_survives_a_reload(
    venues: Venues, venue: Venue, email: str
) -> None:
    answer(
        venue.owner.rpc(
            "publish_waiver",
            organization_id=venue.organization_id,
            texts={"en": "You may get locked in."},
        )
    )
    answer(
        venue.owner.update(
            "rooms",
            {"price_cents": 0, "waiver_policy": "required"},
            id=f"eq.{venue.rooms['la-cripta']}",
        )
    )
    context = venues.context(permissions=["clipboard-read", "clipboard-write"])
    page = venues.open(venues.element('room="la-cripta"'), context)
    page.locator(".slot").last.click(timeout=PATIENCE)
    page.get_by_label("Full name").fill("Leonora Carrington")
    page.get_by_label("E-mail", exact=True).fill(email)
    page.get_by_role("button", name="Confirm booking").click()
    expect(page.get_by_role("heading", name="You are booked")).to_be_visible(timeout=PATIENCE)
    page.get_by_text("Pass the waiver on to the others").click()
    check_accessibility(page)
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    friend = venues.context()
    venues.serve(friend, "page.html", venues.element())
    other = friend.new_page()
    other.goto(link)
    expect(other.get_by_role("heading", name="Sign the waiver")).to_be_visible(timeout=PATIENCE)
    assert "token" not in other.url
    other.reload()
    expect(other.get_by_role("heading", name="Sign the waiver")).to_be_visible(timeout=PATIENCE)


def test_a_booked_visit_is_one_event_with_its_place(
    venues: Venues, venue: Venue, mailbox: Mailbox, email: str
) -> None:
    answer(
        venue.owner.update(
            "locations",
            {"address": "Carrer Major 1", "city": "Barcelona", "postal_code": "08001"},
            organization_id=f"eq.{venue.organization_id}",
        )
    )
    answer(venue.owner.update("rooms", {"price_cents": 0}, id=f"eq.{venue.rooms['la-cripta']}"))
    page = venues.open(venues.element('room="la-cripta"'))
    page.locator(".slot").last.click(timeout=PATIENCE)
    page.get_by_label("Full name").fill("Leonora Carrington")
    page.get_by_label("E-mail", exact=True).fill(email)
    page.get_by_role("button", name="Confirm booking").click()
    expect(page.locator(".facts")).to_contain_text(
        "Carrer Major 1, 08001 Barcelona", timeout=PATIENCE
    )
    with page.expect_download() as download:
        page.get_by_role("button", name="Add to calendar").click()
    file = download.value.path().read_text().replace("\n ", "").replace("\r\n ", "")
    mailbox.wait_for(email)
    [booking] = answer(venue.owner.get("bookings", select="id"))
    assert f"UID:{booking['id']}" in file
    assert "SEQUENCE:0" in file
    assert re.search(r"LOCATION:.*Carrer Major 1", file)
    for name in ("Google Calendar", "Outlook"):
        assert "Carrer" in (page.get_by_role("link", name=name).get_attribute("href") or "")
