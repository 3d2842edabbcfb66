"""Gift vouchers in the booking widget: bought in a browser, mailed, and spent on a booking."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, Route, expect

from escapemaster_dev.stack.config import ROOT
from stack import Mailbox, Rest, Stack, User
from venues import Venue, answer, open_venue

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
#: Payment, webhook and worker are real: give them time.
PATIENT = 20_000
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
}
TERMS = "Vouchers are not paid out in cash."


@pytest.fixture
def venue(make_user: Callable[..., User], as_user: Callable[..., Rest]) -> Venue:
    """A venue that sells a product, and amounts from 10 to 200 euros."""
    made = open_venue(
        make_user, as_user, rooms={"la-cripta": {"price_per": "person", "price_cents": 2000}}
    )
    answer(
        made.owner.rpc(
            "set_voucher_sales",
            organization_id=made.organization_id,
            is_sold=True,
            minimum_cents=1000,
            maximum_cents=20000,
        )
    )
    answer(
        made.owner.insert(
            "voucher_products",
            {
                "names": {"en": "Escape for 4", "es": "Escape para 4", "ca": "Escape per a 4"},
                "descriptions": {"en": "Any room, any day."},
                "amount_cents": 8000,
            },
        )
    )
    answer(
        made.owner.update(
            "calendars", {"terms": {"en": TERMS, "es": TERMS}}, slug=f"eq.{made.calendar}"
        )
    )
    return made


Open = Callable[..., Page]


@pytest.fixture
def shop(browser: Browser, stack: Stack, gateway: httpx.Client, venue: Venue) -> Iterator[Open]:
    """`shop(query, **options)`: the demo page with this venue's vouchers."""
    contexts: list[BrowserContext] = []
    config = gateway.get("/demo/config.json").json()
    config["calendars"] = [{"slug": venue.calendar, "name": venue.name}]

    def open_page(query: str = "vouchers", **options: Any) -> Page:
        context = browser.new_context(
            **{"locale": "en-GB", "timezone_id": "Europe/Madrid", **options}
        )
        contexts.append(context)
        context.route("**/demo/config.json", lambda route: _fulfil(route, config))
        page = context.new_page()
        page.goto(f"{stack.url}/demo/?calendar={venue.calendar}&{query}")
        return page

    yield open_page
    for context in contexts:
        context.close()


def _fulfil(route: Route, body: object) -> None:
    route.fulfill(json=body)


@pytest.fixture
def email() -> str:
    """An address that no other test writes to."""
    return f"buyer-{uuid4().hex[:10]}@example.test"


def heading(page: Page | FrameLocator, name: str) -> None:
    """Wait until the step with this heading is shown, and has the focus."""
    expect(page.get_by_role("heading", name=name, level=2)).to_be_focused(timeout=PATIENT)


def check_accessibility(page: Page) -> None:
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        """async () => (await axe.run('escape-booking')).violations.map((violation) =>
          [violation.id, violation.nodes.map((node) => node.target.flat().join(' '))])"""
    )
    assert found == [], json.dumps(found, indent=2)


def buyer(page: Page | FrameLocator, email: str) -> None:
    """Say who buys, and agree."""
    page.get_by_label("Full name").fill("Joan Serra")
    page.get_by_label("E-mail", exact=True).fill(email)
    page.get_by_label("I have read and accept the terms").check()


def pay(page: Page, stack: Stack, amount: str) -> None:
    page.wait_for_url(f"{stack.stripe_url}/**")
    page.get_by_role("button", name=re.compile(amount)).click()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({**PHONE, "color_scheme": "dark"}, id="phone-dark"),
        pytest.param({"viewport": {"width": 1280, "height": 900}}, id="desktop-light"),
    ],
)
def test_a_voucher_is_bought_mailed_and_pays_a_booking(
    shop: Open,
    stack: Stack,
    mailbox: Mailbox,
    venue: Venue,
    anon: Rest,
    email: str,
    options: dict[str, Any],
) -> None:
    page = shop(**options)
    heading(page, "Gift vouchers")
    check_accessibility(page)
    expect(page.get_by_label("Escape for 4")).to_be_checked()
    friend = f"friend-{email}"
    page.get_by_label("For whom").fill("Marta")
    page.get_by_label("A message").fill("Happy birthday!\nSee you in the dark.")
    page.get_by_label("Send it to whoever gets it").check()
    page.get_by_label("Their e-mail").fill(friend)
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.get_by_label("Full name")).to_be_focused()
    expect(page.get_by_role("status")).to_contain_text("3 fields need another look.")
    check_accessibility(page)
    buyer(page, email)
    page.get_by_role("button", name="Continue to payment").click()
    pay(page, stack, "80[.,]00")

    heading(page, "Your gift voucher is ready")
    check_accessibility(page)
    code = page.locator(".reference-code").inner_text()
    assert "payment" not in page.url
    page.reload()
    heading(page, "Your gift voucher is ready")
    expect(page.locator(".reference-code")).to_have_text(code)
    expect(page.locator(".words")).to_contain_text("See you in the dark.")

    for address in (email, friend):
        (mail,) = mailbox.wait_for(address)
        assert code in mail["text"]
        assert "See you in the dark." in mail["text"]
    (order,) = answer(venue.owner.get("voucher_orders", select="accepted_terms,status"))
    assert order == {"accepted_terms": TERMS, "status": "paid"}

    page.get_by_role("button", name="Book a game").click()
    heading(page, "Book your game")
    page.locator(".slot").last.click()
    page.get_by_label("Full name").fill("Marta")
    page.get_by_label("E-mail", exact=True).fill(friend)
    page.get_by_label("I have read and accept the terms").check()
    page.get_by_label(re.compile("code", re.IGNORECASE)).fill(code)
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("button", name="Confirm booking").click()
    heading(page, "You are booked")
    (left,) = answer(venue.owner.get("vouchers", select="balance_cents", code=f"eq.{code}"))
    assert left["balance_cents"] == 4000


def test_an_own_amount_is_delivered_on_a_date_and_a_payment_given_up_can_be_changed(
    shop: Open, stack: Stack, venue: Venue, email: str
) -> None:
    page = shop()
    heading(page, "Gift vouchers")
    page.get_by_label("Another amount").check()
    page.get_by_label("Amount (EUR)").fill("5")
    page.get_by_label("Send it to whoever gets it").check()
    page.get_by_label("Their e-mail").fill(f"friend-{email}")
    day = datetime.now(UTC).astimezone(ZoneInfo("Europe/Madrid")).date() + timedelta(days=30)
    page.get_by_label("On which day").fill(str(day))
    buyer(page, email)
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.get_by_label("Amount (EUR)")).to_be_focused()
    expect(page.get_by_label("Amount (EUR)")).to_have_accessible_description(
        re.compile("Choose an amount within these limits.")
    )
    page.get_by_label("Amount (EUR)").fill("42,50")
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(f"{stack.stripe_url}/**")

    page.go_back()
    heading(page, "Your voucher is not paid yet")
    check_accessibility(page)
    page.get_by_role("button", name="Back").click()
    heading(page, "Gift vouchers")
    expect(page.get_by_label("Amount (EUR)")).to_have_value("42,50")
    page.reload()
    heading(page, "Gift vouchers")
    expect(page.get_by_label("On which day")).to_have_value(str(day))
    expect(page.get_by_label("Full name")).to_have_value("Joan Serra")
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(f"{stack.stripe_url}/**")
    page.get_by_role("button", name="Cancel").click()
    heading(page, "Your voucher is not paid yet")
    page.get_by_role("button", name="Pay €42.50").click()
    pay(page, stack, "42[.,]50")
    heading(page, "Your gift voucher is ready")
    # However often it was asked for, it was one order.
    (order,) = answer(venue.owner.get("voucher_orders", select="status,deliver_on,amount_cents"))
    assert order == {"status": "paid", "deliver_on": str(day), "amount_cents": 4250}


def test_in_a_frame_that_may_not_leave_it_is_paid_in_a_tab_and_shown_in_the_frame(
    shop: Open, stack: Stack, email: str
) -> None:
    page = shop()
    heading(page, "Gift vouchers")
    page.evaluate(
        """() => {
          document.body.innerHTML = `<iframe id="frame" title="Gifts" width="700" height="900"
            sandbox="allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox">
            </iframe>`;
          document.querySelector('iframe').src = location.href;
        }"""
    )
    frame = page.frame_locator("#frame")
    heading(frame, "Gift vouchers")
    buyer(frame, email)
    with page.expect_popup() as opened:
        frame.get_by_role("button", name="Continue to payment").click()
    expect(frame.get_by_text("The payment page is open in another tab.")).to_be_visible()
    pay(opened.value, stack, "80[.,]00")
    expect(frame.get_by_role("heading", name="Your gift voucher is ready")).to_be_visible(
        timeout=PATIENT
    )


@pytest.mark.parametrize(
    ("language", "title", "button"),
    [("es", "Vales regalo", "Continuar al pago"), ("ca", "Vals regal", "Continua al pagament")],
)
def test_it_speaks_the_buyers_language_on_a_page_written_from_right_to_left(
    shop: Open, language: str, title: str, button: str
) -> None:
    page = shop(f"lang={language}", **PHONE)
    # As the attribute says, set by a script of the page's.
    expect(page.locator("escape-booking")).to_be_attached()
    page.evaluate(
        """() => {
          document.documentElement.dir = 'rtl';
          document.querySelector('escape-booking').setAttribute('view', 'vouchers');
        }"""
    )
    heading(page, title)
    expect(page.get_by_role("button", name=button)).to_be_visible()
    check_accessibility(page)
    # Nothing is wider than the phone, and labels stand before their prices.
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    label = page.locator(".gift .extra-name").first.bounding_box()
    price = page.locator(".gift strong").first.bounding_box()
    assert label
    assert price
    assert label["x"] < price["x"]


def test_where_no_vouchers_are_sold_the_page_says_so(shop: Open, venue: Venue) -> None:
    answer(
        venue.owner.rpc("set_voucher_sales", organization_id=venue.organization_id, is_sold=False)
    )
    page = shop()
    heading(page, "Gift vouchers")
    expect(page.get_by_text("The venue sells no gift vouchers online")).to_be_visible()
    page.get_by_role("button", name="Book a game").click()
    heading(page, "Book your game")
