"""Mails in the venue's colour: that they can be read, by eye and by ear, whatever the colour is."""

from __future__ import annotations

import base64
import json
import re
from typing import Final, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from playwright.sync_api import Browser

from escapemaster.database import PreparedEmail
from escapemaster.email.colours import DARK, HOUSE, READABLE, colours, contrast
from escapemaster.email.content import Site
from escapemaster.email.formatting import LOCALES
from escapemaster.email.mails import MAILS, sample
from escapemaster.email.rendering import render
from escapemaster.errors import EmailError
from escapemaster_dev.stack.config import ROOT

#: Logos are where nobody answers, so that their text is shown.
SITE: Final = Site("https://play.example.test/", logos_url="http://127.0.0.1:9/logos")
AXE: Final = ROOT / "node_modules" / "axe-core" / "axe.min.js"

#: Dark, light, in between, and the ends.
ACCENTS: Final = ("#b4462a", "#f5d90a", "#767676", "#e5484d", "#ffffff", "#000000", None)


def mail(template: str, locale: str, accent: str | None) -> PreparedEmail:
    prepared = sample(template, locale)
    if template == "invitation":
        return prepared
    # Whoever has a colour has a logo, too.
    logo = "0190/Our logo.png" if accent else None
    more = {"accent_color": accent, "waiver_token": "w", "logo_path": logo}
    return prepared.model_copy(update={"data": {**prepared.data, **more}})


def page(template: str, locale: str = "en", accent: str | None = None) -> str:
    return render(mail(template, locale, accent), SITE).html


def test_contrast_is_what_the_guidelines_say() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert contrast("#1e90ff", "#1e90ff") == 1


@given(st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}"))
@example("#767676")
@example("#777777")
@example("#ffffff")
@example("#000000")
def test_text_can_be_read_on_and_in_any_colour(accent: str) -> None:
    made = colours(accent)
    assert made.accent == accent
    assert contrast(made.on_accent, accent) >= READABLE
    assert contrast(made.ink, "#ffffff") >= READABLE
    assert contrast(made.ink_on_dark, made.dark) >= READABLE
    if contrast(accent, "#ffffff") >= READABLE:
        assert made.ink == accent


# Those to people who work there are the platform's: no calendar, so no colour, is behind them.
OF_A_VENUE = [name for name, mail in MAILS.items() if "accent_color" in mail.data.model_fields]


def test_a_mail_with_a_venue_s_links_takes_the_venue_s_colour() -> None:
    linked = [name for name, mail in MAILS.items() if "site_url" in mail.data.model_fields]
    assert linked == OF_A_VENUE


#: The smallest picture.
_DOT: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_logo_stands_in_place_of_the_name_and_can_be_seen_on_any_colour(
    browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    for accent in filter(None, ACCENTS):
        shown = browser.new_page(color_scheme=scheme, viewport={"width": 360, "height": 800})
        shown.route("**/*.png", lambda route: route.fulfill(body=_DOT, content_type="image/png"))
        shown.set_content(page("booking_confirmed", "en", accent))
        logo = shown.get_by_role("img", name="Casa Laberinto")
        assert logo.get_attribute("src") == f"{SITE.logos_url}/0190/Our%20logo.png"
        ground, high, wide = logo.evaluate(
            "node => [getComputedStyle(node).backgroundColor, node.clientHeight, node.clientWidth]"
        )
        assert ground == "rgb(255, 255, 255)"
        assert (high, wide <= 264) == (64, True)
        shown.close()


def test_a_picture_that_mail_programs_do_not_show_leaves_the_name() -> None:
    for path, site in (
        (None, SITE),
        ("0190/logo.webp", SITE),
        ("0190/logo.png", Site("https://a.test")),
    ):
        made = mail("booking_confirmed", "en", None)
        made = made.model_copy(update={"data": {**made.data, "logo_path": path}})
        html = render(made, site).html
        assert "logo" not in html
        assert ">Casa Laberinto</div>" in html


@pytest.mark.parametrize("template", OF_A_VENUE)
def test_a_mail_wears_the_venue_s_colour(template: str) -> None:
    light = page(template, accent="#f5d90a")
    assert "background-color:#f5d90a" in light and HOUSE not in light
    assert "color:#000000" in light
    assert "color:#ffffff;font" not in light


@pytest.mark.parametrize("template", MAILS)
def test_a_venue_without_a_colour_has_the_house_s(template: str) -> None:
    assert f"background-color:{HOUSE}" in page(template)


def test_what_is_no_colour_never_comes_into_a_mail() -> None:
    for wrong in ("red", '#fff"/>', "#ABCDEF", "#12345", "#123456\n"):
        with pytest.raises(EmailError):
            render(mail("booking_confirmed", "en", wrong), SITE)


@pytest.mark.parametrize("template", MAILS)
def test_a_mail_has_one_heading_and_one_main_part(template: str) -> None:
    for locale in LOCALES:
        source = page(template, locale)
        assert f'<html lang="{locale}"' in source
        [heading] = re.findall(r"<h1[^>]*>([^<]+)</h1>", source)
        assert heading.strip()
        before, main, after = re.split(r'<div role="main">|</div></body>', source)
        assert before.rstrip().endswith(">") and "<body" in before
        assert "</html>" in after and heading in main


def test_nobody_is_shut_out_of_a_mail(browser: Browser) -> None:
    """Axe finds nothing, of any severity, in any mail, language, colour and scheme."""
    shown = browser.new_page(viewport={"width": 600, "height": 800})
    # Once: the page keeps it when its content is replaced, and `axe.run` fails without it.
    shown.evaluate(AXE.read_text())
    for number, template in enumerate(MAILS):
        for turn, accent in enumerate(ACCENTS):
            locale = tuple(LOCALES)[(number + turn) % len(LOCALES)]
            # In turn, so that each mail and each colour is seen in both.
            shown.emulate_media(color_scheme="dark" if (number + turn) % 2 else "light")
            shown.set_content(page(template, locale, accent))
            found = shown.evaluate(
                # What is right need not be described: a fifth of the time.
                """async () => (await axe.run(document, { resultTypes: ["violations"] }))
                  .violations.map((violation) => [
                    violation.id, ...violation.nodes.map((node) => node.html)])"""
            )
            assert found == [], json.dumps([template, locale, accent, found], indent=2)


@pytest.mark.parametrize("template", MAILS)
def test_a_mail_is_dark_where_its_reader_wants_that(browser: Browser, template: str) -> None:
    accent = "#b4462a"
    shown = browser.new_page(color_scheme="dark")
    shown.set_content(page(template, "es", accent))
    letters, *grounds = shown.evaluate(
        """() => {
          const two = (part) => Number(part).toString(16).padStart(2, "0");
          const hex = (colour) => "#" + colour.match(/\\d+/g).map(two).join("");
          const grounds = [...document.querySelectorAll("body, div, table")]
            .map((node) => getComputedStyle(node).backgroundColor)
            .filter((colour) => colour.startsWith("rgb("));
          const words = document.querySelector(".card div[style*='line-height']");
          return [hex(getComputedStyle(words).color), ...new Set(grounds.map(hex))];
        }"""
    )
    head = accent if template in OF_A_VENUE else HOUSE
    assert set(grounds) == {"#111113", DARK, head}
    assert contrast(letters, DARK) >= READABLE
    assert '<meta name="color-scheme" content="light dark"' in page(template)


@pytest.mark.parametrize("template", MAILS)
def test_a_mail_fits_a_phone(browser: Browser, template: str) -> None:
    shown = browser.new_page(viewport={"width": 360, "height": 700})
    shown.set_content(page(template, "ca", "#b4462a"))
    assert shown.evaluate("document.documentElement.scrollWidth") == 360
