"""Mails: what they say, in whose language, and that each is sent at most once."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar, Component
from jinja2 import Environment, meta
from structlog.testing import capture_logs

from escapemaster.database import EmailOverride, PreparedEmail
from escapemaster.email.booking import MAPS_URL
from escapemaster.email.check_in import check_in_picture
from escapemaster.email.content import Site
from escapemaster.email.formatting import LOCALES, city, clock, day, money
from escapemaster.email.links import manage_url
from escapemaster.email.mailbox_transport import MailboxTransport, _mime
from escapemaster.email.mails import MAILS, sample
from escapemaster.email.message import Attachment, Message, from_header
from escapemaster.email.overrides import MAX_SUBJECT
from escapemaster.email.rendering import WordsInvalidError, compose, render, render_strictly
from escapemaster.email.resend_transport import Pace, ResendTransport
from escapemaster.email.texts import Sentence, sentences
from escapemaster.errors import EmailError

from .conftest import JWT_SECRET
from .fakes import FakePostgrest

SITE = Site("https://play.example.test/demo/?lang=es", "Escapemaster <bookings@example.test>")


def prepared(template: str = "booking_confirmed", locale: str = "es", **data: Any) -> PreparedEmail:
    return PreparedEmail.model_validate(
        {
            "template": template,
            "locale": locale,
            "override": data.pop("override", None),
            "to": {"name": data.pop("to_name", "Marta"), "email": "marta@example.test"},
            "data": {
                "organization_name": "Enigma",
                "room_name": "The Attic",
                "location_name": "Enigma Gràcia",
                "address": "Carrer de Verdi 12, 08012 Barcelona",
                "place": "Enigma Gràcia, Carrer de Verdi 12, 08012 Barcelona",
                "timezone": "Europe/Madrid",
                "starts_at": "2026-02-14T18:30:00Z",
                "ends_at": "2026-02-14T19:30:00Z",
                "party_size": 5,
                "reference": "ABCD-2345",
                "manage_url_token": "tok_-1",
                "currency": "EUR",
                "total_cents": 12500,
                "paid_cents": 5000,
                "open_cents": 7500,
                "refund_cents": 0,
                "role_name": "Game master",
                "invitation_token": "inv_-1",
                "amount_cents": 7500,
                "reason": "product_not_received",
                "respond_by": "2026-02-22T23:00:00Z",
                "due_cents": 7900,
                "writes_end_at": "2026-02-22T23:00:00Z",
                "expires_at": "2026-02-21T18:30:00Z",
                "due_now_cents": 4000,
                "waitlist_token": "wait_-1",
                "from_date": "2026-02-14",
                "to_date": "2026-02-15",
                "confirmation_token": "conf_-1",
                "code": "REGALO-7",
                "initial_cents": 8000,
                "recipient_name": "Marta",
                "message": "Feliz cumpleaños\nA jugar",
                "bookings": [
                    {
                        "room_name": data.get("room_name", "The Attic"),
                        "starts_at": "2026-02-14T18:30:00Z",
                        "timezone": "Europe/Madrid",
                        "reference": "ABCD-2345",
                        "manage_url_token": "tok_-1",
                    }
                ],
                "payable_cents": 4000,
                "review_url": "https://reviews.example.test/enigma",
                "unsubscribe_token": "o.b.t",
                "received_cents": 4000,
                "unsigned_waivers": data.get("unsigned_waivers", 3),
                "waiver_token": "waiver_-1" if template == "waiver_request" else None,
                "kind": "signup",
                "link": "https://auth.example.test/auth/v1/verify?token=h",
                "type": "booking_changed",
                "happened": "booking_changed",
                "start_token": "start.o.a.t",
                "items": MAILS["notice_digest"].sample["items"],
                "date": "2026-02-14",
                "sessions": MAILS["day_board"].sample["sessions"],
                "endpoint_name": "Contabilidad",
                "host": "hooks.example.com",
                "gone": False,
                "disabled_at": "2026-02-14T18:30:00Z",
                "rows_of": "bookings",
                "format": "xlsx",
                "row_count": 12,
                "organizer": "Ada",
                "share_id": "01a9b1c4-7d2e-7c31-9a34-2f2d7f0a8f11",
                "share_token": "share_-1",
                "payer": "Ben",
                "share_cents": 2500,
                "news": "paid",
                "missing_cents": 2500,
                "own_cents": 5000,
                "a_field_of_tomorrow": True,
                **data,
            },
        }
    )


class Page(HTMLParser):
    """What a reader sees of a page, and where its links go."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.words: list[str] = []
        self.tags: set[str] = set()
        self._hidden = 0
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._hidden += tag in {"style", "title"}
        self.links += [value for name, value in attrs if name == "href" and value]

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"style", "title"}

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(self.words)


def test_a_confirmation_says_everything_in_the_reader_s_language() -> None:
    message = render(prepared(payable_cents=0), SITE)
    assert message.subject == "Reserva confirmada: The Attic, sábado, 14 de febrero de 2026"
    assert (message.to_name, message.to_address) == ("Marta", "marta@example.test")
    assert (message.sender, message.language) == ("Enigma", "es")
    for part in (Page(message.html).text, message.text):
        for said in (
            "Hola, Marta:",
            "The Attic",
            "Sábado, 14 de febrero de 2026",
            "19:30 – 20:30, hora de Madrid",
            "Enigma Gràcia",
            "Carrer de Verdi 12, 08012 Barcelona",
            "ABCD-2345",
            "125,00\N{NO-BREAK SPACE}€".replace("\N{NO-BREAK SPACE}", " "),
            "50,00 €",
            "75,00 €",
        ):
            assert said in part.replace("\N{NO-BREAK SPACE}", " "), said


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", MAILS)
def test_every_mail_exists_in_every_language(template: str, locale: str) -> None:
    message = render(prepared(template, locale, refund_cents=5000), SITE)
    assert message.language == locale
    assert f'lang="{locale}"' in message.html
    assert "{{" not in message.html + message.text + message.subject
    assert "\n" not in message.subject


def test_the_languages_say_the_same_things_about_the_same_data() -> None:
    def named(said: Sentence) -> list[set[str]]:
        return [
            meta.find_undeclared_variables(Environment().parse(said[locale]))  # noqa: S701
            for locale in LOCALES
        ]

    for mail in (None, *MAILS):
        for name, said in sentences(mail).items():
            first, *others = named(said)
            assert all(other == first for other in others), (mail, name)


def test_an_invitation_says_who_invites_as_what_and_until_when() -> None:
    message = render(prepared("invitation", "en", to_name=""), SITE)
    assert message.subject == "Enigma invites you"
    assert "Role: Game master" in message.text
    assert "Valid until: Saturday, 21 February 2026 (19:30, Madrid time)" in message.text
    [link] = [link for link in Page(message.html).links if "invitation" in link]
    assert link in message.text
    # In the fragment, which browsers send to nobody.
    assert parse_qs(urlsplit(link).fragment) == {"invitation": ["inv_-1"]}
    assert "inv_" not in urlsplit(link)._replace(fragment="").geturl()
    assert "booking" not in message.text


@pytest.mark.parametrize("template", MAILS)
def test_opening_a_mail_asks_nobody_for_anything(template: str) -> None:
    page = render(prepared(template), SITE).html
    assert not {"img", "link", "script"} & Page(page).tags
    assert "@import" not in page
    assert "url(" not in page


def test_an_unknown_language_gets_english() -> None:
    assert render(prepared(locale="de"), SITE).subject.startswith("Booking confirmed")


def test_the_link_opens_the_booking_and_keeps_the_page_s_own_parameters() -> None:
    message = render(prepared(manage_url_token="a+/&=b", calendar_slug="enigma"), SITE)
    [link] = [link for link in Page(message.html).links if "reference" in link]
    assert link in message.text
    assert link.startswith("https://play.example.test/demo/?")
    assert parse_qs(urlsplit(link).query) == {
        "lang": ["es"],
        "reference": ["ABCD-2345"],
        "calendar": ["enigma"],
    }
    # The token is in the fragment, which browsers send to nobody.
    assert parse_qs(urlsplit(link).fragment) == {"token": ["a+/&=b"]}
    assert manage_url("https://p.test", "R", "t") == "https://p.test?reference=R#token=t"


def test_a_cancellation_with_a_refund_says_how_much_comes_back() -> None:
    message = render(prepared("booking_cancelled", "en", refund_cents=2500), SITE)
    assert "We are refunding €25.00" in message.text
    assert "no refund" not in message.text
    assert "To pay at the venue" not in message.text


def test_a_cancellation_that_gives_nothing_back_says_so() -> None:
    assert "gives no refund" in render(prepared("booking_cancelled", "en"), SITE).text


def test_a_cancellation_of_an_unpaid_booking_does_not_speak_of_refunds() -> None:
    message = render(prepared("booking_cancelled", "en", paid_cents=0), SITE)
    assert "refund" not in message.text.lower()


def test_what_is_not_known_is_left_out() -> None:
    message = render(
        prepared(
            locale="en",
            to_name="",
            location_name=None,
            address="",
            ends_at=None,
            paid_cents=0,
            open_cents=0,
        ),
        SITE,
    )
    for word in ("Where", "Paid", "To pay", "Hello"):
        assert word not in message.text
    assert "19:30, Madrid time" in message.text


def test_a_confirmation_tells_how_to_get_there_and_in_and_whom_to_call() -> None:
    told: dict[str, Any] = {
        "phone": "+34 972 00 00 00",
        "arrival_hints": "Ring at 2B.\nNot <b>before</b> five.",
        "directions": "Five minutes from the station.",
        "answers": [{"question": "Occasion?", "answer": "A birthday"}],
    }
    message = render(prepared(locale="en", **told), SITE)
    assert "Phone: +34 972 00 00 00" in message.text
    assert "Occasion?: A birthday" in message.text
    assert "Occasion?" not in render(prepared("booking_held", "en", **told), SITE).text
    assert "Five minutes from the station.\n\nRing at 2B.\nNot <b>before</b> five." in message.text
    for template in ("booking_confirmed", "booking_rescheduled"):
        links = Page(render(prepared(template, "en"), SITE).html).links
        assert [link for link in links if link.startswith(MAPS_URL)], template
    words = " ".join(Page(message.html).words)
    for said in ("+34 972 00 00 00", "Ring at 2B.", "Not <b>before</b> five.", "station."):
        assert said in words
    # The venue's own hints and ours might differ.
    assert "ten minutes early" not in message.text + message.html
    assert "ten minutes early" in render(prepared(locale="en"), SITE).text


def test_an_address_without_a_name_is_enough_to_find_the_place() -> None:
    text = render(prepared(locale="en", location_name=None), SITE).text
    assert "Where: Carrer de Verdi 12, 08012 Barcelona\n" in text


@settings(max_examples=25, deadline=None)
@given(
    name=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40),
    template=st.sampled_from(sorted(MAILS)),
)
def test_whatever_a_name_is_it_stays_text(name: str, template: str) -> None:
    plain = Page(render(prepared(template), SITE).html)
    message = render(
        prepared(template, room_name=name, organization_name=name, to_name=f"{name}x"), SITE
    )
    assert Page(message.html).tags == plain.tags
    assert name in message.text
    assert name in Page(message.html).text
    assert "\n" not in message.subject
    assert "\r" not in message.subject


def test_what_no_page_can_hold_becomes_a_space() -> None:
    message = render(prepared(room_name="a\x00b\x1fc\r\nd\uffffe\u0085f 👩‍🚀"), SITE)
    assert "a b c  d e f 👩‍🚀" in message.text
    assert "a b c d e f 👩‍🚀" in message.subject


def test_markup_in_a_name_is_shown_and_not_obeyed() -> None:
    message = render(prepared(room_name="<script>alert('x')</script> & {{ 7*7 }}"), SITE)
    assert "<script" not in message.html
    assert "<script>alert('x')</script> & {{ 7*7 }}" in Page(message.html).text
    assert "49" not in message.text


def test_the_same_data_gives_the_same_bytes() -> None:
    assert render(prepared(), SITE) == render(prepared(), SITE)


@pytest.mark.parametrize(
    ("mail", "code"),
    [
        (prepared("birthday"), "template_unknown"),
        (prepared(total_cents="secret@example.test"), "template_data_invalid"),
    ],
)
def test_a_mail_that_cannot_be_written_is_not_tried_again(mail: PreparedEmail, code: str) -> None:
    with pytest.raises(EmailError) as failed:
        render(mail, SITE)
    assert failed.value.code == code
    assert not failed.value.retryable
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    ("cents", "currency", "language", "expected"),
    [
        (7500, "EUR", "es", "75,00 €"),
        (7500, "EUR", "ca", "75,00 €"),
        (7500, "EUR", "en", "€75.00"),
        (123456, "EUR", "es", "1.234,56 €"),
        (5000, "JPY", "en", "JP¥5,000"),
        (1500, "KWD", "en", "KWD1.500"),
        (0, "GBP", "en", "£0.00"),
    ],
)
def test_prices_are_written_as_people_write_them(
    cents: int, currency: str, language: str, expected: str
) -> None:
    assert money(cents, currency, language).replace("\N{NO-BREAK SPACE}", " ") == expected


@pytest.mark.parametrize(
    ("instant", "timezone", "language", "expected"),
    [
        # The night after the clocks went forward, and the two hours that autumn repeats.
        ("2026-03-29 01:30", "Europe/Madrid", "es", "domingo, 29 de marzo de 2026|3:30|Madrid"),
        ("2026-10-25 00:30", "Europe/Madrid", "ca", "diumenge, 25 d’octubre del 2026|2:30|Madrid"),
        ("2026-10-25 01:30", "Europe/Madrid", "en", "Sunday, 25 October 2026|02:30|Madrid"),
        # Another day there than here.
        ("2026-02-14 23:30", "Atlantic/Canary", "en", "Saturday, 14 February 2026|23:30|Canary"),
        ("2026-02-14 23:30", "Europe/Madrid", "en", "Sunday, 15 February 2026|00:30|Madrid"),
    ],
)
def test_dates_and_times_are_the_venue_s(
    instant: str, timezone: str, language: str, expected: str
) -> None:
    at = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    said = (day(at, timezone, language), clock(at, timezone, language), city(timezone, language))
    assert "|".join(said) == expected


def test_the_sender_has_the_venue_s_name_and_our_address() -> None:
    configured = "Escapemaster <bookings@example.test>"
    assert from_header("Enigma", configured) == "Enigma <bookings@example.test>"
    assert from_header(" ", configured) == "Escapemaster <bookings@example.test>"
    assert "\n" not in from_header("a\r\nBcc: x@example.test", configured)


# -- the reader's calendar -------------------------------------------------------------------------

EVENT: dict[str, Any] = {
    "event_id": "018f0000-0000-7000-8000-00000000000b",
    "event_at": "2026-02-01T10:00:00Z",
    "event_version": 2,
}


def event_of(message: Message) -> tuple[Component, Component]:
    """The calendar that comes with a mail, and its one event."""
    [file] = message.attachments
    calendar = Calendar.from_ical(file.content)
    [event] = calendar.walk("VEVENT")
    assert (file.filename, file.content_type) == ("booking.ics", "text/calendar")
    assert calendar["METHOD"] == file.method
    return calendar, event


@pytest.mark.parametrize("template", ["booking_confirmed", "booking_rescheduled"])
def test_a_booking_comes_with_an_event_for_the_reader_s_calendar(template: str) -> None:
    calendar, event = event_of(render(prepared(template, "en", **EVENT), SITE))
    assert (calendar["METHOD"], calendar["VERSION"]) == ("PUBLISH", "2.0")
    assert event["UID"] == EVENT["event_id"]
    assert (event["SEQUENCE"], event["STATUS"]) == (2, "CONFIRMED")
    # Instants in UTC need no description of a zone.
    assert event.decoded("DTSTART") == datetime(2026, 2, 14, 18, 30, tzinfo=UTC)
    assert event.decoded("DTEND") == datetime(2026, 2, 14, 19, 30, tzinfo=UTC)
    assert event.decoded("DTSTAMP") == datetime(2026, 2, 1, 10, tzinfo=UTC)
    assert event["SUMMARY"] == "The Attic · Enigma"
    assert event["LOCATION"] == "Enigma Gràcia, Carrer de Verdi 12, 08012 Barcelona"
    assert event["DESCRIPTION"] == "Booking ABCD-2345, 5 players."
    assert event["ORGANIZER"] == "mailto:bookings@example.test"
    assert event["ORGANIZER"].params["CN"] == "Enigma"
    assert "ATTENDEE" not in event


def test_a_cancellation_takes_the_event_out_of_the_calendar() -> None:
    calendar, event = event_of(render(prepared("booking_cancelled", "en", **EVENT), SITE))
    assert (calendar["METHOD"], event["STATUS"]) == ("CANCEL", "CANCELLED")
    assert (event["UID"], event["SEQUENCE"]) == (EVENT["event_id"], 2)


def test_the_event_tells_nobody_how_to_cancel_the_booking() -> None:
    message = render(prepared(manage_url_token="very-secret", **EVENT), SITE)
    assert b"secret" not in message.attachments[0].content


@settings(max_examples=50, deadline=None)
@given(name=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=90))
def test_whatever_a_name_is_the_event_is_one_event(name: str) -> None:
    message = render(prepared(room_name=name, organization_name=name, **EVENT), SITE)
    _, event = event_of(message)
    assert event["SUMMARY"] == f"{name} · {name}"
    assert all(len(line) <= 75 for line in message.attachments[0].content.split(b"\r\n"))


def test_an_event_whose_end_or_place_is_not_known_leaves_them_out() -> None:
    _, event = event_of(render(prepared(ends_at=None, location_name="", place="", **EVENT), SITE))
    assert not {"DTEND", "LOCATION"} & set(event)


@pytest.mark.parametrize(
    "template",
    [
        "booking_paid_late",
        "booking_held",
        "waitlist_joined",
        "waitlist_offer",
        "invitation",
    ],
)
def test_what_is_no_booking_brings_no_event(template: str) -> None:
    assert render(prepared(template), SITE).attachments == ()


# -- each mail -------------------------------------------------------------------------------------


def test_a_changed_booking_says_what_it_was_before() -> None:
    message = render(
        prepared(
            "booking_rescheduled",
            "en",
            previous={"starts_at": "2026-02-13T17:00:00Z", "party_size": 3, "room_name": "Cellar"},
            refund_cents=1000,
            payable_cents=0,
        ),
        SITE,
    )
    assert "Before: Cellar, Friday, 13 February 2026, 18:00, 3 players\n" in message.text
    assert "We are refunding €10.00" in message.text
    assert "To pay at the venue: €75.00" in message.text


@pytest.mark.parametrize(
    ("previous", "said"),
    [
        (None, None),
        ({}, None),
        ({"party_size": 3}, "Before: 3 players\n"),
        ({"room_name": "Cellar"}, "Before: Cellar\n"),
        ({"extras": [{"name": "Photo", "quantity": 2}]}, "Before: 2 × Photo\n"),
        ({"extras": []}, "Before: no extras\n"),
    ],
)
def test_only_what_changed_is_said_to_have_been_otherwise(previous: Any, said: str | None) -> None:
    text = render(prepared("booking_rescheduled", "en", previous=previous), SITE).text
    assert "refunding" not in text
    assert ("Before" in text) is (said is not None)
    assert (said or "") in text


def test_what_a_party_takes_beside_its_seats_is_listed() -> None:
    extras = [{"name": "Photo", "quantity": 2}, {"name": "<Cake>", "quantity": 1}]
    message = render(prepared("booking_confirmed", "en", extras=extras), SITE)
    assert "Extras: 2 × Photo, 1 × <Cake>\n" in message.text
    assert "2 × Photo, 1 × &lt;Cake&gt;" in message.html
    assert "Extras" not in render(prepared("booking_confirmed", "en"), SITE).text


def test_money_that_came_too_late_is_said_to_go_back() -> None:
    message = render(
        prepared("booking_paid_late", "en", refund_cents=4000, calendar_slug="enigma"), SITE
    )
    assert "All of it, €40.00, goes back" in message.text
    assert "Total" not in message.text
    [link] = [link for link in Page(message.html).links if "calendar" in link]
    assert link in message.text
    assert "token" not in link


@pytest.mark.parametrize(
    ("due", "button"), [(4000, "Take the place and pay"), (0, "Take the place")]
)
def test_an_offer_says_until_when_and_how_to_take_or_leave_it(due: int, button: str) -> None:
    message = render(
        prepared("waitlist_offer", "en", due_now_cents=due, calendar_slug="enigma"), SITE
    )
    assert "held for you until 19:30 on Saturday, 21 February 2026" in message.text
    assert ("Due now: €40.00" in message.text) is (due > 0)
    assert f"{button}:\n" in message.text
    take, leave = (
        next(link for link in Page(message.html).links if word in link)
        for word in ("reference=", "waitlist=")
    )
    assert take in message.text and leave in message.text
    assert parse_qs(urlsplit(take).fragment) == {"token": ["tok_-1"]}
    assert parse_qs(urlsplit(leave).query)["calendar"] == ["enigma"]
    assert parse_qs(urlsplit(leave).fragment) == {"token": ["wait_-1"]}


def test_a_booking_is_confirmed_by_the_link_in_its_mail_and_by_nothing_else() -> None:
    message = render(prepared("booking_to_confirm", "en", calendar_slug="enigma"), SITE)
    [link] = [link for link in Page(message.html).links if "confirm" in link]
    parts = urlsplit(link)
    query = parse_qs(parts.query)
    assert (query["reference"], query["confirm"]) == (["ABCD-2345"], ["1"])
    assert parts.fragment == "token=conf_-1"
    assert link in message.text
    # Who gets it by mistake can neither see nor cancel the booking by it.
    assert "tok_-1" not in message.html + message.text
    assert message.attachments == ()


@pytest.mark.parametrize("language", ["es", "en", "ca"])
def test_what_a_bank_has_still_to_decide_is_promised_by_nobody(language: str) -> None:
    waits = [{"method": "stripe", "amount_cents": 2500, "disputed": True}]
    promise = {
        "es": ("se te devuelve", "Te devolvemos"),
        "en": ("all that you paid goes back", "We are refunding"),
        "ca": ("se't torna", "Et tornem"),
    }[language]
    values = {"paid_cents": 2500, "cancel_refund": "terms", "cancelled_by_customer": True}
    text = render(prepared("booking_cancelled", language, refunds=waits, **values), SITE).text
    assert {"es": "Tu banco", "en": "your bank", "ca": "El teu banc"}[language] in text
    assert not any(words in text for words in promise), text
    lost = render(prepared("booking_cancelled", language, lost_cents=2500, **values), SITE).text
    assert "25" in lost
    assert not any(words in lost for words in promise), lost


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("stripe", "to the card or account that you paid with. It usually takes five to ten days"),
        ("voucher", "on the voucher that you paid with"),
        ("cash", "in cash"),
        ("card_terminal", "to the card that you paid with at its desk"),
        ("transfer", "by bank transfer"),
        ("bizum", "by Bizum"),
        ("barter", "gives you €25.00 back"),
    ],
)
@pytest.mark.parametrize("template", ["booking_cancelled", "booking_rescheduled"])
def test_money_goes_back_as_it_is_said_to_go_back(method: str, said: str, template: str) -> None:
    refunds = [{"method": method, "amount_cents": 2500}]
    message = render(prepared(template, "en", refund_cents=2500, refunds=refunds), SITE)
    for words in (message.text, Page(message.html).text):
        assert said in words
        assert "€25.00" in words
        assert ("five to ten days" in words) is (method == "stripe")


def test_money_that_goes_back_by_several_ways_is_said_for_each() -> None:
    refunds = [
        {"method": "stripe", "amount_cents": 1500},
        {"method": "voucher", "amount_cents": 1000},
    ]
    for template in ("booking_cancelled", "booking_paid_late"):
        text = render(prepared(template, "en", refund_cents=2500, refunds=refunds), SITE).text
        assert "We are refunding €15.00 to the card" in text
        assert "€10.00 is back on the voucher" in text


@pytest.mark.parametrize(
    ("method", "how"),
    [
        ("cash", "€15.00 back in cash."),
        ("transfer", "€15.00 back by bank transfer."),
        ("bizum", "€15.00 back by Bizum."),
        ("card_terminal", "€15.00 back to the card that you paid with at its desk."),
    ],
)
def test_what_was_given_back_by_hand_is_said_to_be_given(method: str, how: str) -> None:
    given = {"method": method, "amount_cents": 1500, "given": True}
    online = {"method": "stripe", "amount_cents": 1000, "given": False}
    for template in ("booking_cancelled", "booking_rescheduled", "booking_refunded"):
        message = render(prepared(template, "en", refund_cents=2500, refunds=[given, online]), SITE)
        text = Page(message.html).text
        assert f"The venue has noted that it gave you {how}" in text
        assert "with the reference" in text
        assert "Ask for it" not in text
        assert "€10.00" in text


@pytest.mark.parametrize("template", ["booking_cancelled", "booking_rescheduled"])
def test_what_a_voucher_paid_is_said_to_be_where_it_is(template: str) -> None:
    lives: dict[str, object] = {"method": "voucher", "amount_cents": 1000}
    lives |= {"by_hand": False, "valid_until": "2027-03-01"}
    dead = {"method": "voucher", "amount_cents": 1500, "by_hand": True, "valid_until": "2026-01-01"}
    refunds = [lives, dead]
    message = render(prepared(template, "en", refund_cents=2500, refunds=refunds), SITE)
    text = Page(message.html).text
    assert "used again at once, until Monday, 1 March 2027." in text
    assert "no longer valid: the venue gives you €15.00 back. Please contact the venue." in text
    assert "€15.00 is back" not in text


@pytest.mark.parametrize(
    ("money_now", "said"),
    [
        (
            {"total_cents": 8000, "paid_cents": 5000, "open_cents": 3000},
            (
                "The price changes from €100.00 to €80.00. You have paid €50.00."
                " €30.00 is still to be paid at the venue."
            ),
        ),
        (
            {"total_cents": 8000, "paid_cents": 0, "open_cents": 8000},
            "The price changes from €100.00 to €80.00. €80.00 is to be paid at the venue.",
        ),
        (
            {"total_cents": 8000, "paid_cents": 10000, "open_cents": 0, "refund_cents": 2000},
            "The price changes from €100.00 to €80.00. Everything is paid.",
        ),
        (
            {"total_cents": 12000, "paid_cents": 10000, "open_cents": 2000},
            (
                "The price changes from €100.00 to €120.00. You have paid €100.00."
                " €20.00 is still to be paid at the venue."
            ),
        ),
    ],
)
def test_a_change_of_the_price_says_what_is_still_to_be_paid(
    money_now: dict[str, int], said: str
) -> None:
    changed = {"previous": {"total_cents": 10000}, "payable_cents": 0, **money_now}
    message = render(prepared("booking_rescheduled", "en", **changed), SITE)
    assert said in message.text
    assert said in Page(message.html).text
    assert "€0.00" not in message.text
    assert ("refund" in message.text.lower()) is ("refund_cents" in money_now)


@pytest.mark.parametrize(
    "template", ["booking_confirmed", "booking_rescheduled", "payment_received"]
)
@pytest.mark.parametrize(
    ("payable", "said"),
    [
        (0, ["To pay at the venue: €75.00"]),
        (7500, ["Still to pay: €75.00", "At the venue, or online by the link below"]),
        (2500, ["Due now: €25.00", "To pay at the venue: €50.00"]),
    ],
)
def test_what_can_be_paid_online_is_not_said_to_be_paid_at_the_venue_alone(
    template: str, payable: int, said: list[str]
) -> None:
    prices = {"total_cents": 10000, "open_cents": 7500, "payable_cents": payable}
    received = {"received_cents": 2500} if template == "payment_received" else {}
    message = render(prepared(template, "en", **prices, **received), SITE)
    for text in (message.text, Page(message.html).text):
        words = re.sub(r"\s+", " ", text)
        for one in said:
            assert all(part in words for part in one.split(": ")), one
        assert ("at the venue: " in message.text) is (payable < 7500)
    at_link = "€75.00 is still to be paid at the venue, or online by the link below."
    changed = {"previous": {"total_cents": 9000}, **prices}
    text = render(prepared("booking_rescheduled", "en", **changed), SITE).text
    assert (at_link in text) is (payable > 0)


def test_a_mistake_of_ours_that_only_own_words_meet_does_not_hold_up_the_mail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(source: str, _: object) -> str:
        raise KeyError(source)

    monkeypatch.setattr("escapemaster.email.rendering.fill", broken)
    message, problem = compose(own("Hello"), SITE)
    assert message == render(prepared(locale="en"), SITE)
    assert problem is not None and problem.problem.endswith(".")


def test_a_voucher_says_what_it_is_worth_and_the_giver_s_words() -> None:
    message = render(
        prepared("voucher_issued", "en", valid_until="2026-02-21", message="A\n<b>B</b>"),
        SITE,
    )
    assert message.subject == "Your gift voucher for Enigma"
    for part in (Page(message.html).text, message.text):
        for said in ("REGALO-7", "€80.00", "<b>B</b>"):
            assert said in part
    assert "Valid until: Saturday, 21 February 2026\n" in message.text
    plain = render(prepared("voucher_issued", "en", valid_until=None, message=None), SITE)
    assert "Valid until" not in plain.text
    assert ">" not in plain.text


def test_a_waiver_to_be_signed_is_linked_where_there_is_one() -> None:
    for template in ("booking_confirmed", "booking_rescheduled"):
        assert "waiver=" not in render(prepared(template), SITE).html
        message = render(prepared(template, waiver_token="sign_-1", calendar_slug="enigma"), SITE)
        [link] = [link for link in Page(message.html).links if "waiver=" in link]
        assert link in message.text
        assert parse_qs(urlsplit(link).fragment) == {"token": ["sign_-1"]}
        # The page of several venues has to know in whose colours it is signed.
        assert parse_qs(urlsplit(link).query)["calendar"] == ["enigma"]


# -- an organization's own words -------------------------------------------------------------------


def own(subject: str | None = None, body: str | None = None, **data: Any) -> PreparedEmail:
    return prepared(override={"subject": subject, "body": body}, **{"locale": "en", **data})


def test_an_organization_s_own_words_take_the_place_of_ours() -> None:
    message = render(
        own(
            "See you on {{ day }}, {{ to_name|upper }}!",
            "{{ room_name }} is yours.\nCome early.\n\n"
            "{% if due %}{{ due }} is still open.{% endif %}",
        ),
        SITE,
    )
    assert message.subject == "See you on Saturday, 14 February 2026, MARTA!"
    assert "The Attic is yours.\nCome early.\n\n€75.00 is still open.\n" in message.text
    assert "The Attic is yours.<br" in message.html
    for ours in ("We look forward", "ten minutes early"):
        assert ours not in message.text
    # Facts, link and footer stay.
    for kept in ("ABCD-2345", "See or change your booking", "You receive this message"):
        assert kept in message.text


def test_a_subject_or_a_body_alone_leaves_the_other_as_it_is() -> None:
    assert "We look forward" in render(own("Hi"), SITE).text
    assert render(own(body="Hi"), SITE).subject.startswith("Booking confirmed")


def test_own_words_are_text_and_no_markup() -> None:
    message = render(own(body="<b>{{ room_name }}</b>", room_name="<i>x</i>"), SITE)
    assert "<b>" not in message.html
    assert "<i>x" not in message.html
    assert "<b><i>x</i></b>" in Page(message.html).text


@pytest.mark.parametrize("blank", ["{% if not reference %}x{% endif %}", " \n "])
def test_own_words_that_come_out_empty_are_ours(blank: str) -> None:
    message = render(own(blank, blank), SITE)
    assert message.subject.startswith("Booking confirmed")
    assert "We look forward" in message.text


@pytest.mark.parametrize(
    "sometimes",
    [
        "{% if refund %}Your money is on its way.{% endif %}",
        "{% if room_name == 'The Crypt' %}Bring a torch.{% endif %}",
        "{% if refund and not due %}x{% elif room_name == 'y' %}y{% endif %}",
        "{{ refund if room_name == 'x' else '' }}",
        "{{ refund }}",
    ],
)
def test_own_words_for_some_bookings_only_are_ours_for_the_others_and_no_mistake(
    sometimes: str,
) -> None:
    message, problem = compose(own(sometimes, sometimes), SITE)
    assert problem is None
    assert message == render(prepared(locale="en"), SITE)


NOTHING = [
    " \n ",
    '{{ "\\ud800" }}',
    '{{ "\\ud800"|upper }}',
    '{{ "\\u200b" }}',
    "\u200b\u2060\ufeff",
    "\u2800\u3164",
    '{{ "" }}{{ " " }}',
    "{# a note #}",
    "{% if false %}x{% endif %}",
    "{% if not 1 %}x{% elif 2 > 3 %}y{% endif %}",
    "{% if true %} {% else %}x{% endif %}",
    "{% if room_name and false %}x{% endif %}",
    "{% if false or not (true or room_name) %}{{ room_name }}{% endif %}",
    "{% if room_name %}{% if 0 %}x{% endif %}{% endif %}",
    "{{ '' if room_name else ' ' }}",
]


@pytest.mark.parametrize("source", NOTHING)
@pytest.mark.parametrize("field", ["subject", "body"])
def test_own_words_that_can_say_nothing_are_told_as_a_mistake(source: str, field: str) -> None:
    message, problem = compose(own(**{field: source}), SITE)
    assert problem is not None
    assert (problem.field, problem.line) == (field, 1)
    assert "say nothing" in problem.problem
    assert message == render(prepared(locale="en"), SITE)


async def test_a_preview_says_that_words_say_nothing(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.returns(has_permission=True)
    response = await preview(client, body="{% if false %}x{% endif %}")
    assert (response.status_code, response.json()["code"]) == (422, "template_invalid")
    assert response.json()["details"]["field"] == "body"


def test_a_subject_is_one_line_and_not_too_long() -> None:
    message = render(own("{{ room_name }}" * 13, room_name="a\r\nb" * 20), SITE)
    assert "\n" not in message.subject and "\r" not in message.subject
    assert len(message.subject) <= MAX_SUBJECT


UNUSABLE = [
    ("{{ room_name", 1),
    ("ok\n{% if due %}", 2),
    ("{% for x in 'abc' %}{{ x }}{% endfor %}", 1),
    ("{{ 'a' * 1000000000 }}", 1),
    ("{{ room_name.upper() }}", 1),
    ("{{ ''.__class__ }}", 1),
    ("{{ room_name['x'] }}", 1),
    ("{{ room_name ~ room_name }}", 1),
    ("{% set x = 1 %}", 1),
    ("{% include 'layout.txt.j2' %}", 1),
    ("{% macro a() %}{% endmacro %}", 1),
    ("{{ range(3) }}", 1),
    ("\n\n{{ password }}", 3),
    ("{{ manage_url }}", 1),
    ("{{ room_name|center(1000000) }}", 1),
    ("{{ room_name|tojson }}", 1),
    ("{{ 1.5 }}", 1),
    ("{{ [1, 2] }}", 1),
    ("{{ party_size is odd }}", 1),
    ("{% if party_size > room_name %}x{% endif %}", 1),
    ("{{ " + "9" * 4891 + " }}", 1),
    ("{% if " + "9" * 4891 + " > 1 %}x{% endif %}", 1),
    ("{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}", 1),
    ("{{ " + "not " * 100 + "1 }}", 1),
    ("{% if due %}" * 40 + "x" + "{% endif %}" * 40, 1),
]


@pytest.mark.parametrize(("source", "line"), UNUSABLE)
@pytest.mark.parametrize("field", ["subject", "body"])
def test_words_that_cannot_be_used_are_named_and_never_hold_up_the_mail(
    source: str, line: int, field: str
) -> None:
    broken = own(**{field: source})
    with pytest.raises(WordsInvalidError) as failed:
        render_strictly(broken, SITE)
    assert (failed.value.field, failed.value.line) == (field, line)
    assert failed.value.problem.endswith(".")
    with capture_logs() as lines:
        assert render(broken, SITE) == render(prepared(locale="en"), SITE)
    [logged] = [entry for entry in lines if entry["event"] == "email.override_unusable"]
    assert (logged["field"], logged["line"], logged["log_level"]) == (field, line, "warning")


@settings(max_examples=200, deadline=None)
@given(
    source=st.text(st.sampled_from(list("{}%#()[]'\"|.,+*~ \nabif0x_-=<>")), max_size=60)
    | st.text(max_size=60)
)
def test_no_words_hold_up_a_mail(source: str) -> None:
    assert render(own(source, source), SITE).subject


@pytest.mark.parametrize("template", MAILS)
def test_every_mail_has_a_sample_and_takes_own_words(template: str) -> None:
    # The platform's own names no venue.
    sender = MAILS[template].sample.get("organization_name", "Escapemaster")
    words = EmailOverride(subject="Hi {{ to_name }}", body="From {{ organization_name }}")
    message = render_strictly(sample(template, "ca", words), SITE)
    assert message.subject == "Hi Marta"
    assert f"From {sender}\n" in message.text


async def test_a_preview_shows_the_mail(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.returns(has_permission=True)
    response = await preview(client, subject="Hi {{ to_name }}", body="{{ room_name }}!")
    assert response.status_code == 200
    shown = response.json()
    assert shown["subject"] == "Hi Marta"
    assert "La cripta!" in shown["html"] and "La cripta!" in shown["text"]
    assert postgrest.called("has_permission") == [{"permission": "templates:read"}]


async def test_a_preview_shows_the_pictures_that_come_with_the_mail(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.returns(has_permission=True)
    html = (await preview(client, subject="Hi")).json()["html"]
    assert 'src="data:image/png;base64,' in html
    assert "cid:" not in html


async def test_every_mail_can_be_previewed_and_no_other(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.returns(has_permission=True)
    for template in MAILS:
        assert (await preview(client, template=template, subject="Hi")).status_code == 200
    refused = await preview(client, template="poem", subject="Hi")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    document = (await client.get("/openapi.json")).json()
    listed = document["components"]["schemas"]["PreviewRequest"]["properties"]["template"]
    assert listed["enum"] == list(MAILS)


async def test_a_preview_names_what_is_wrong(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.returns(has_permission=True)
    response = await preview(client, body="Hi\n{{ wrong }}")
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "template_invalid")
    assert problem["details"]["field"] == "body"
    assert problem["details"]["line"] == 2
    assert "There is no wrong" in problem["details"]["problem"]


async def test_a_preview_is_for_those_who_may_see_the_words(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.returns(has_permission=False)
    assert (await preview(client)).status_code == 403
    assert (await client.post("/v1/email-templates/preview", json={})).status_code == 401


FACTS: dict[str, Any] = {
    "to_name": "Ada Byron",
    "data": {
        **MAILS["booking_confirmed"].sample,
        "room_name": "The attic",
        "phone": None,
        "manage_url_token": "preview",
        "expires_at": None,
        "result": None,
    },
}


async def test_a_preview_of_a_real_booking_says_what_is_so_and_nothing_of_the_sample(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.returns(has_permission=True, preview_booking_email=FACTS)
    organization, booking = str(uuid4()), str(uuid4())
    about = {"booking_id": booking, "subject": "{{ to_name }}: {{ room_name }}"}
    shown = (await preview(client, organization, **about)).json()
    assert shown["subject"] == "Ada Byron: The attic"
    # It has no phone, so none is shown.
    assert "+34 910 000 000" not in shown["text"]
    assert "#token=preview" in shown["text"]
    asked = {"organization_id": organization, "booking_id": booking}
    assert postgrest.called("preview_booking_email") == [asked]
    # A mail needs what the booking does not have any more: that is the sample's.
    held = (await preview(client, organization, template="booking_held", **about)).json()
    assert "The attic" in held["text"]
    for template, organization_id, code in (
        ("invitation", organization, "template_not_of_a_booking"),
        ("booking_confirmed", None, "organization_missing"),
    ):
        refused = await preview(client, organization_id, template=template, booking_id=booking)
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    postgrest.refuse("preview_booking_email", "PT404", "booking_not_found", hint="Another one.")
    assert (await preview(client, organization, booking_id=booking)).status_code == 404


async def preview(
    client: httpx.AsyncClient, organization: str | None = None, **words: str
) -> httpx.Response:
    claims = {"sub": str(uuid4()), "aud": "authenticated", "role": "authenticated"}
    token = jwt.encode({**claims, "exp": time.time() + 60}, JWT_SECRET, algorithm="HS256")
    return await client.post(
        "/v1/email-templates/preview",
        json={"template": "booking_confirmed", "locale": "en", **words},
        headers={
            "authorization": f"Bearer {token}",
            **({"x-organization-id": organization} if organization else {}),
        },
    )


# -- Resend ----------------------------------------------------------------------------------------

MESSAGE = Message(
    template="booking_confirmed",
    language="es",
    sender="Enigma",
    to_name="Marta, la primera",
    to_address="marta@example.test",
    subject="Reserva confirmada",
    html="<p>Hola</p>",
    text="Hola\n",
)


@dataclass
class Resend:
    """Resend's API."""

    answer: httpx.Response | Exception = field(
        default_factory=lambda: httpx.Response(200, json={"id": "em_1"})
    )
    requests: list[httpx.Request] = field(default_factory=list)
    #: What it answers first, before `answer`.
    first: list[httpx.Response] = field(default_factory=list)
    #: Its client's clock, which moves when somebody waits; and for how long each did.
    now: float = 1000.0
    waited: list[float] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.first:
            return self.first.pop(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds


@pytest.fixture
def resend_api() -> Resend:
    return Resend()


@pytest.fixture
async def resend_transport(resend_api: Resend) -> AsyncIterator[ResendTransport]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(resend_api)) as http:
        pace = Pace(lambda: resend_api.now, resend_api.sleep)
        yield ResendTransport(http, api_key="re_1", email_from="E <b@example.test>", pace=pace)


async def test_resend_is_given_the_mail_and_the_key_that_names_it(
    resend_transport: ResendTransport, resend_api: Resend
) -> None:
    assert await resend_transport.send(MESSAGE, "email-1-abc") == "em_1"
    [request] = resend_api.requests
    assert str(request.url) == "https://api.resend.com/emails"
    assert request.headers["authorization"] == "Bearer re_1"
    assert request.headers["idempotency-key"] == "email-1-abc"
    assert json.loads(request.content) == {
        "from": "Enigma <b@example.test>",
        "to": ["marta@example.test"],
        "subject": "Reserva confirmada",
        "html": "<p>Hola</p>",
        "text": "Hola\n",
        "headers": {"Content-Language": "es"},
        "tags": [{"name": "template", "value": "booking_confirmed"}],
    }


ICS = Attachment("booking.ics", "text/calendar", b"BEGIN:VCALENDAR\r\n", "PUBLISH")
FILE = Attachment("a.pdf", "application/pdf", b"\x00%PDF")


async def test_resend_is_given_the_files(
    resend_transport: ResendTransport, resend_api: Resend
) -> None:
    await resend_transport.send(replace(MESSAGE, attachments=(ICS, FILE)), "k")
    [request] = resend_api.requests
    assert json.loads(request.content)["attachments"] == [
        {
            "filename": "booking.ics",
            "content": base64.b64encode(ICS.content).decode(),
            "content_type": "text/calendar; charset=utf-8; method=PUBLISH",
        },
        {
            "filename": "a.pdf",
            "content": base64.b64encode(FILE.content).decode(),
            "content_type": "application/pdf",
        },
    ]


def resend_error(status: int, name: str, message: str = "marta@example.test") -> httpx.Response:
    return httpx.Response(status, json={"statusCode": status, "name": name, "message": message})


@pytest.mark.parametrize(
    ("answer", "code", "retryable"),
    [
        (resend_error(422, "validation_error"), "validation_error", False),
        (resend_error(422, "invalid_parameter"), "invalid_parameter", False),
        (resend_error(422, "invalid_attachment"), "invalid_attachment", False),
        (resend_error(422, "missing_required_field"), "missing_required_field", False),
        (resend_error(422, "invalid_from_address"), "invalid_from_address", True),
        (resend_error(400, "validation_error"), "validation_error", False),
        (resend_error(400, "validation_error", "API key is invalid"), "validation_error", True),
        (resend_error(400, "invalid_idempotency_key"), "invalid_idempotency_key", False),
        (resend_error(401, "missing_api_key"), "missing_api_key", True),
        (resend_error(401, "restricted_api_key"), "restricted_api_key", True),
        (resend_error(403, "invalid_api_key"), "invalid_api_key", True),
        (resend_error(403, "validation_error"), "validation_error", True),
        (resend_error(404, "not_found"), "not_found", True),
        (resend_error(405, "method_not_allowed"), "method_not_allowed", True),
        (resend_error(429, "daily_quota_exceeded"), "daily_quota_exceeded", True),
        (resend_error(429, "monthly_quota_exceeded"), "monthly_quota_exceeded", True),
        (resend_error(451, "security_error"), "security_error", False),
        (resend_error(500, "internal_server_error"), "internal_server_error", True),
        (httpx.Response(503, text="<html>"), "application_error", True),
        (resend_error(409, "concurrent_requests"), "concurrent_requests", True),
        (resend_error(429, "rate_limit_exceeded"), "rate_limit_exceeded", True),
        (resend_error(500, "application_error"), "application_error", True),
        (httpx.Response(502, text="<html>"), "application_error", True),
        (httpx.ConnectError("x"), "HttpClientError", True),
    ],
)  # fmt: skip
async def test_resend_s_failures_are_named_and_quote_nobody(
    resend_transport: ResendTransport,
    resend_api: Resend,
    answer: httpx.Response | Exception,
    code: str,
    retryable: bool,
) -> None:
    resend_api.answer = answer
    with pytest.raises(EmailError) as failed:
        await resend_transport.send(MESSAGE, "k")
    assert failed.value.code == code
    assert failed.value.retryable is retryable
    assert "marta" not in str(failed.value)


def limited(name: str, **headers: str) -> httpx.Response:
    answer = resend_error(429, name)
    answer.headers.update({key.replace("_", "-"): value for key, value in headers.items()})
    return answer


async def test_a_rate_is_waited_for_as_long_as_resend_says(
    resend_transport: ResendTransport, resend_api: Resend
) -> None:
    resend_api.first = [limited("rate_limit_exceeded", retry_after="3")]
    assert await resend_transport.send(MESSAGE, "k") == "em_1"
    keys = [request.headers["idempotency-key"] for request in resend_api.requests]
    assert (keys, resend_api.waited) == (["k", "k"], [3])
    resend_api.answer = httpx.Response(
        200, json={"id": "em_2"}, headers={"ratelimit-remaining": "0", "ratelimit-reset": "1"}
    )
    await resend_transport.send(MESSAGE, "l")
    await resend_transport.send(MESSAGE, "m")
    assert resend_api.waited == [3, 1]


@pytest.mark.parametrize(
    ("name", "headers", "seconds"),
    [
        ("rate_limit_exceeded", {"retry_after": "90"}, 90),
        ("daily_quota_exceeded", {}, 1800),
        ("daily_quota_exceeded", {"retry_after": "7200"}, 7200),
        ("monthly_quota_exceeded", {}, 21600),
    ],
)
async def test_a_limit_that_lasts_sends_mails_back_to_the_queue_and_asks_nothing_meanwhile(
    resend_transport: ResendTransport,
    resend_api: Resend,
    name: str,
    headers: dict[str, str],
    seconds: float,
) -> None:
    resend_api.first = [limited(name, **headers)]
    for asked, key in ((seconds, "k"), (seconds, "l"), (seconds - 60, "m")):
        resend_api.now = 1000 + seconds - asked
        with pytest.raises(EmailError) as failed:
            await resend_transport.send(MESSAGE, key)
        assert (failed.value.code, failed.value.retry_after) == (name, asked)
        assert failed.value.retryable
    assert len(resend_api.requests) == 1
    assert resend_api.waited == []
    resend_api.now = 1000 + seconds
    assert await resend_transport.send(MESSAGE, "k") == "em_1"


async def test_a_mail_that_was_sent_with_other_words_is_not_sent_again(
    resend_transport: ResendTransport, resend_api: Resend
) -> None:
    resend_api.answer = resend_error(409, "invalid_idempotent_request")
    assert await resend_transport.send(MESSAGE, "k") == "idempotency-key:k"


# -- mailbox ---------------------------------------------------------------------------------------


@dataclass
class Mailbox:
    """An SMTP server, and the web page that shows what it took."""

    taken: list[EmailMessage] = field(default_factory=list)
    sender_answer: bytes = b"250 ok"
    recipient_answer: bytes = b"250 ok"
    data_answer: bytes = b"250 taken"
    web_answer: httpx.Response | Exception | None = None
    port: int = 0

    def web(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/email"
        if isinstance(self.web_answer, Exception):
            raise self.web_answer
        wanted = request.url.params["headers.message-id"]
        found = [{"id": "1"} for mail in self.taken if mail["Message-ID"] == wanted]
        return self.web_answer or httpx.Response(200, json=found)

    async def smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).upper():
            if line.startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                raw = await reader.readuntil(b"\r\n.\r\n")
                if self.data_answer.startswith(b"250"):
                    self.taken.append(
                        email.message_from_bytes(raw[:-3], policy=email.policy.default)
                    )
                writer.write(self.data_answer + b"\r\n")
            elif line.startswith(b"MAIL"):
                writer.write(self.sender_answer + b"\r\n")
            elif line.startswith(b"RCPT"):
                writer.write(self.recipient_answer + b"\r\n")
            elif line.startswith(b"QUIT"):
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 ok\r\n")
        writer.close()


@asynccontextmanager
async def running(mailbox: Mailbox) -> AsyncIterator[MailboxTransport]:
    server = await asyncio.start_server(mailbox.smtp, "127.0.0.1", 0)
    mailbox.port = server.sockets[0].getsockname()[1]
    async with (
        server,
        httpx.AsyncClient(transport=httpx.MockTransport(mailbox.web)) as http,
    ):
        yield MailboxTransport(
            http,
            mailbox_url="http://mailbox.test/",
            smtp_host="127.0.0.1",
            smtp_port=mailbox.port,
            email_from="E <bookings@example.test>",
        )


async def test_a_mail_lands_in_the_mailbox_in_both_forms() -> None:
    mailbox = Mailbox()
    async with running(mailbox) as transport:
        message_id = await transport.send(MESSAGE, "email-1-abc")
    [mail] = mailbox.taken
    assert mail["Message-ID"] == message_id
    assert mail["From"] == "Enigma <bookings@example.test>"
    assert mail["To"] == '"Marta, la primera" <marta@example.test>'
    assert (mail["Subject"], mail["Content-Language"]) == ("Reserva confirmada", "es")
    forms = {part.get_content_type(): part for part in mail.iter_parts()}
    assert list(forms) == ["text/plain", "text/html"]
    assert "Hola" in forms["text/html"].get_content()


async def test_a_picture_of_the_page_comes_with_it_and_an_answer_reaches_the_venue(
    resend_transport: ResendTransport, resend_api: Resend
) -> None:
    message = render(prepared(check_in_code="ab.cd", contact_email="hola@enigma.test"), SITE)
    [source] = re.findall(r'<img[^>]* src="(cid:[^"]+)"', message.html)
    [picture] = [file for file in message.attachments if file.content_type == "image/png"]
    assert source == f"cid:{picture.content_id}"

    mail = _mime(message, "<1@x.test>", "b@example.test", datetime(2026, 2, 14, tzinfo=UTC))
    read = email.message_from_bytes(bytes(mail), policy=email.policy.default)
    assert read["Reply-To"] == "hola@enigma.test"
    kinds = [part.get_content_type() for part in read.walk()]
    assert kinds == [
        "multipart/alternative", "text/plain", "multipart/related",
        "text/html", "image/png",
    ]  # fmt: skip
    [shown] = [part for part in read.walk() if part.get_content_type() == "image/png"]
    assert (shown["Content-ID"], shown.get_content_disposition()) == ("<check-in>", "inline")

    await resend_transport.send(message, "k")
    sent = json.loads(resend_api.requests[0].content)
    assert sent["reply_to"] == "hola@enigma.test"
    assert sent["attachments"][0]["content_id"] == "check-in"


def test_the_picture_is_a_link_with_the_code_which_scanners_read() -> None:
    [picture] = [
        file
        for file in render(prepared(check_in_code="ab.cd", calendar_slug="e"), SITE).attachments
        if file.content_type == "image/png"
    ]
    link = "https://play.example.test/demo/?lang=es&calendar=e#check_in=ab.cd"
    assert picture == check_in_picture(link)
    assert picture != check_in_picture(link.replace("cd", "ce"))
    # PNG; black on white, also where the page around it is dark.
    assert picture.content.startswith(b"\x89PNG\r\n")


async def test_files_land_in_the_mailbox_beside_both_forms() -> None:
    mailbox = Mailbox()
    async with running(mailbox) as transport:
        await transport.send(replace(MESSAGE, attachments=(ICS, FILE)), "k")
    [mail] = mailbox.taken
    assert mail.get_content_type() == "multipart/mixed"
    assert mail["Content-Language"] == "es"
    body = mail.get_body(("html",))
    assert body is not None and "Hola" in body.get_content()
    calendar, file = mail.iter_attachments()
    assert calendar.get_content_type() == "text/calendar"
    assert (calendar.get_param("method"), calendar.get_filename()) == ("PUBLISH", "booking.ics")
    assert calendar.get_payload(decode=True) == ICS.content
    assert (file.get_content_type(), file.get_content()) == ("application/pdf", FILE.content)


async def test_a_mail_that_arrived_before_is_not_sent_again() -> None:
    mailbox = Mailbox()
    async with running(mailbox) as transport:
        first = await transport.send(MESSAGE, "email-1-abc")
        again = await transport.send(MESSAGE, "email-1-abc")
        other = await transport.send(MESSAGE, "email-2-abc")
    assert first == again != other
    assert len(mailbox.taken) == 2


@pytest.mark.parametrize(
    "web_answer",
    [httpx.ConnectError("x"), httpx.Response(500), httpx.Response(200, text="<html>")],
)
async def test_without_knowing_what_arrived_nothing_is_sent(
    web_answer: httpx.Response | Exception,
) -> None:
    mailbox = Mailbox(web_answer=web_answer)
    async with running(mailbox) as transport:
        with pytest.raises(EmailError) as failed:
            await transport.send(MESSAGE, "k")
    assert (failed.value.code, failed.value.retryable) == ("mailbox_unreachable", True)
    assert mailbox.taken == []


@pytest.mark.parametrize(
    ("at", "reply", "code", "retryable"),
    [
        # Greylisting: come again in some minutes.
        ("recipient", 450, "address_refused", True),
        ("recipient", 451, "address_refused", True),
        ("recipient", 452, "address_refused", True),
        ("recipient", 421, "address_refused", True),
        ("recipient", 550, "address_refused", False),
        ("recipient", 553, "address_refused", False),
        ("sender", 451, "address_refused", True),
        ("sender", 530, "address_refused", True),
        ("sender", 550, "address_refused", False),
        ("data", 451, "smtp_failed", True),
        ("data", 452, "smtp_failed", True),
        ("data", 552, "smtp_failed", False),
        ("data", 554, "smtp_failed", False),
    ],
)
async def test_a_server_s_5xx_alone_ends_a_mail(
    at: str, reply: int, code: str, retryable: bool
) -> None:
    mailbox = Mailbox()
    setattr(mailbox, f"{at}_answer", f"{reply} no".encode())
    async with running(mailbox) as transport:
        with pytest.raises(EmailError) as failed:
            await transport.send(MESSAGE, "k")
    assert (failed.value.code, failed.value.retryable) == (code, retryable)
    assert "marta" not in str(failed.value)


NOW = datetime(2026, 2, 1, 10, tzinfo=UTC)
#: Names that programs on the way read as something else, and any others.
NAMES = st.sampled_from(
    [
        'Casa, "El Ñu"',
        "Reservas, Ñu <jefe@banco.test>",
        "=?utf-8?q?a=2Cb?= <c@banco.test>",
        "a; b: c@d.test",
        "(nobody) Ñ",
        "O'Brien & Söhne S.L.",
    ]
) | st.text(st.sampled_from(list("Ñé,;:<>()[]@\\\"'.=? ab\r\n\0\u202e😀")), max_size=80)


@settings(max_examples=200, deadline=None)
@given(name=NAMES, to_name=NAMES)
def test_whatever_a_name_is_a_mail_has_one_sender_and_one_recipient(
    name: str, to_name: str
) -> None:
    mail = _mime(
        replace(MESSAGE, sender=name, to_name=to_name), "<a@b>", "E <bookings@example.test>", NOW
    )
    raw = mail.as_bytes(policy=email.policy.SMTP)
    expected = {"From": "bookings@example.test", "To": MESSAGE.to_address}
    read = email.message_from_bytes(raw, policy=email.policy.default)
    for header, address in expected.items():
        assert [found.addr_spec for found in read[header].addresses] == [address]
        # As a program reads it that decodes first and looks for addresses afterwards.
        decoded = str(make_header(decode_header(email.message_from_bytes(raw)[header])))
        assert [found for _, found in getaddresses([decoded])] == [address]
    assert [found for _, found in getaddresses([from_header(name, "bookings@example.test")])] == [
        "bookings@example.test"
    ]


async def test_a_mail_says_when_it_was_sent() -> None:
    mailbox = Mailbox()
    async with running(mailbox) as transport:
        await transport.send(MESSAGE, "k")
    [mail] = mailbox.taken
    assert abs(mail["Date"].datetime - datetime.now(UTC)) < timedelta(minutes=1)


async def test_an_address_that_is_none_is_refused_for_good() -> None:
    broken = Message(**{**{f: getattr(MESSAGE, f) for f in MESSAGE.__slots__}, "to_address": "x y"})
    async with running(Mailbox()) as transport:
        with pytest.raises(EmailError) as failed:
            await transport.send(broken, "k")
    assert (failed.value.code, failed.value.retryable) == ("address_invalid", False)


async def test_a_mailbox_that_is_full_is_tried_again() -> None:
    async with running(Mailbox(data_answer=b"452 full")) as transport:
        with pytest.raises(EmailError) as failed:
            await transport.send(MESSAGE, "k")
    assert (failed.value.code, failed.value.retryable) == ("smtp_failed", True)


async def test_a_mailbox_that_is_away_is_tried_again() -> None:
    mailbox = Mailbox()
    async with running(mailbox) as transport:
        pass
    async with httpx.AsyncClient(transport=httpx.MockTransport(mailbox.web)) as http:
        gone = MailboxTransport(
            http,
            mailbox_url="http://mailbox.test",
            smtp_host="127.0.0.1",
            smtp_port=mailbox.port,
            email_from="b@example.test",
        )
        with pytest.raises(EmailError) as failed:
            await gone.send(MESSAGE, "k")
    assert failed.value.retryable
    assert transport.name == "mailbox"


@pytest.mark.parametrize("template", sorted(MAILS.keys() - {"invitation", "auth"}))
def test_every_link_of_a_venue_with_a_page_of_its_own_leads_there(template: str) -> None:
    own = {"site_url": "https://enigma.example.test/reservas", "waiver_token": "sign_-1"}
    message = render(prepared(template, **own), SITE)
    for link in Page(message.html).links:
        # A map, and the page where the venue has its reviews, are nobody's page for bookings.
        if not link.startswith((MAPS_URL, "https://reviews.example.test/")):
            assert link.startswith("https://enigma.example.test/reservas"), link
    assert "play.example.test" not in message.html + message.text


def test_an_invitation_leads_to_the_platform() -> None:
    message = render(prepared("invitation", site_url="https://enigma.example.test/"), SITE)
    assert all(link.startswith(SITE.public_url) for link in Page(message.html).links)


# -- what was agreed about cancelling --------------------------------------------------------------

TERMS = {
    "tiers": [
        {"hours_before": 48, "refund_percent": 100},
        {"hours_before": 24, "refund_percent": 50},
    ],
    "no_show_fee_percent": 100,
}


@pytest.mark.parametrize("template", ["booking_confirmed", "booking_rescheduled"])
def test_a_booking_s_mail_says_until_when_cancelling_is_free_and_what_comes_later(
    template: str,
) -> None:
    message = render(prepared(template, "en", terms=TERMS), SITE)
    for words in (message.text, Page(message.html).text):
        assert (
            "Cancelling: free until 19:30 on Thursday, 12 February 2026."
            " Until 19:30 on Friday, 13 February 2026, 50% of what you paid goes back."
            " After that, nothing goes back. If nobody comes, nothing goes back."
        ) in words


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ([], "free until the start."),
        ([{"hours_before": 0, "refund_percent": 100}], "free until the start."),
        ([{"hours_before": 0, "refund_percent": 0}], "nothing goes back."),
        (
            [{"hours_before": 0, "refund_percent": 30}],
            "until the start, 30% of what you paid goes back.",
        ),
        (
            [
                {"hours_before": 24, "refund_percent": 100},
                {"hours_before": 0, "refund_percent": 0},
            ],
            "free until 19:30 on Friday, 13 February 2026. After that, nothing goes back.",
        ),
        (
            [
                {"hours_before": 72, "refund_percent": 100},
                {"hours_before": 24, "refund_percent": 100},
            ],
            "free until 19:30 on Friday, 13 February 2026. After that, nothing goes back.",
        ),
    ],
)
def test_terms_are_said_as_the_database_counts_them(tiers: list[Any], said: str) -> None:
    terms = {"tiers": tiers, "no_show_fee_percent": 100}
    message = render(prepared("booking_confirmed", "en", terms=terms), SITE)
    assert f"Cancelling: {said} If nobody comes, nothing goes back.\n" in message.text


def test_nobody_is_told_of_a_time_to_cancel_that_was_over_when_they_booked() -> None:
    def said(booked_at: str) -> str:
        event = {**EVENT, "event_at": booked_at}
        return render(prepared("booking_confirmed", "en", terms=TERMS, **event), SITE).text

    assert "Cancelling: until 19:30 on Friday, 13 February 2026, 50%" in said(
        "2026-02-12T18:30:00Z"
    )
    assert "Cancelling: nothing goes back." in said("2026-02-13T18:30:00Z")


@pytest.mark.parametrize(
    ("fee", "said"),
    [(0, "what you paid goes back."), (40, "the venue keeps 40% of the total."), (100, "nothing")],
)
def test_what_it_costs_when_nobody_comes_is_said(fee: int, said: str) -> None:
    terms = {**TERMS, "no_show_fee_percent": fee}
    text = render(prepared("booking_confirmed", "en", terms=terms), SITE).text
    assert f"If nobody comes, {said}" in text


@pytest.mark.parametrize(
    ("cancelled", "said"),
    [
        (
            {"cancel_refund": "full", "refund_cents": 5000},
            "The venue cancelled: all that you paid goes back to you.",
        ),
        (
            {"cancel_refund": "terms", "refund_cents": 5000, "cancelled_by_customer": True},
            "Under the terms of your booking, all that you paid goes back.",
        ),
        (
            {"cancel_refund": "terms", "refund_cents": 2500, "cancelled_by_customer": True},
            "Under the terms of your booking, €25.00 of the €50.00 that you paid goes back.",
        ),
        (
            {"cancel_refund": "terms", "refund_cents": 0, "cancelled_by_customer": True},
            "Under the venue's conditions this cancellation gives no refund.",
        ),
        (
            {"cancel_refund": "none", "refund_cents": 0},
            "The venue gives nothing back for this cancellation.",
        ),
    ],
)
def test_a_cancelled_booking_says_how_much_goes_back_and_why(
    cancelled: dict[str, Any], said: str
) -> None:
    message = render(prepared("booking_cancelled", "en", terms=TERMS, **cancelled), SITE)
    for words in (message.text, Page(message.html).text):
        assert said in words
        assert ("What was agreed about cancelling: free until" in words) is (
            cancelled["cancel_refund"] == "terms"
        )
        assert "If nobody comes" not in words


def test_a_cancelled_booking_that_was_not_paid_speaks_of_no_money() -> None:
    text = render(
        prepared("booking_cancelled", "en", paid_cents=0, cancel_refund="full"), SITE
    ).text
    assert "goes back" not in text and "refund" not in text


@pytest.mark.parametrize("language", ["es", "en", "ca"])
def test_terms_are_said_in_each_language(language: str) -> None:
    terms = {**TERMS, "no_show_fee_percent": 40}
    text = render(prepared("booking_confirmed", language, terms=terms), SITE).text
    [line] = [line for line in text.splitlines() if line.startswith(("Cancel", "Cancel·"))]
    assert {"es": "gratis hasta", "en": "free until", "ca": "gratis fins"}[language] in line
    assert {"es": "40\xa0%", "en": "40%", "ca": "40\xa0%"}[language] in line


# -- the way back to a hold, and out of the waiting list ------------------------------------------


def test_a_hold_s_mail_says_until_when_it_is_theirs_and_where_to_pay() -> None:
    message = render(prepared("booking_held", "en", calendar_slug="enigma"), SITE)
    assert "The place is yours until 19:30 on Saturday, 21 February 2026. Pay here" in message.text
    assert "Due now: €40.00\n" in message.text
    [pay] = Page(message.html).links
    assert f"Pay here:\n{pay}\n" in message.text
    assert parse_qs(urlsplit(pay).query)["reference"] == ["ABCD-2345"]
    assert urlsplit(pay).fragment == "token=tok_-1"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, "When: Saturday, 14 February 2026 to Sunday, 15 February 2026 (at any time)\n"),
        ({"to_date": "2026-02-14"}, "When: Saturday, 14 February 2026 (at any time)\n"),
        (
            {"starts_at": "2026-02-14T18:30:00Z"},
            "When: Saturday, 14 February 2026 (19:30, Madrid time)\n",
        ),
        ({"room_name": None}, "Room: Any room\n"),
        ({"offer_minutes": 90}, "is held for 90 minutes; after that"),
        ({"offer_minutes": 2880}, "is held for 48 hours; after that"),
    ],
)
def test_who_joined_a_waiting_list_is_told_for_what_and_how_to_leave(
    entry: dict[str, Any], said: str
) -> None:
    data = {"starts_at": None, "calendar_slug": "enigma", **entry}
    message = render(prepared("waitlist_joined", "en", **data), SITE)
    assert said in message.text
    [leave] = Page(message.html).links
    assert f"Leave the waitlist: {leave}\n" in message.text
    assert parse_qs(urlsplit(leave).query)["waitlist"] == ["leave"]
    assert urlsplit(leave).fragment == "token=wait_-1"


# -- messages around a visit -----------------------------------------------------------------------

SERVED = replace(SITE, service_url="https://api.example.test")


def test_a_reminder_says_when_to_come_and_where_and_who_has_not_signed() -> None:
    data = {"payable_cents": 0, "expires_at": None, "waiver_token": "sign_-1"}
    message = render(prepared("reminder", "en", unsigned_waivers=2, **data), SITE)
    assert message.subject == "Reminder: The Attic, Saturday, 14 February 2026 at 19:30"
    assert "Please be there at 19:20, so that it can start at 19:30." in message.text
    assert "To pay at the venue: €75.00" in message.text
    assert "Due now" not in message.text and "Held until" not in message.text
    links = Page(message.html).links
    [shown] = [link for link in links if link.startswith(MAPS_URL)]
    assert parse_qs(urlsplit(shown).query) == {
        "api": ["1"],
        "query": ["Carrer de Verdi 12, 08012 Barcelona"],
    }
    assert any("waiver=" in link for link in links)
    for link in links:
        assert link in message.text


def test_a_reminder_tells_the_way_in_the_venue_s_words_and_its_map_shows_the_very_place() -> None:
    told = {"arrival_hints": "Ring at 2B.", "directions": "Metro L3.\nLeave by Verdi."}
    place = {"latitude": 41.404321, "longitude": 2.156789}
    message = render(prepared("reminder", "en", **told, **place), SITE)
    for words in ("Ring at 2B.", "Metro L3.", "Leave by Verdi."):
        assert words in message.text and words in message.html
    [shown] = [link for link in Page(message.html).links if link.startswith(MAPS_URL)]
    assert parse_qs(urlsplit(shown).query)["query"] == ["41.404321,2.156789"]


def test_a_reminder_of_what_all_have_signed_and_nobody_can_find_has_no_such_links() -> None:
    message = render(
        prepared("reminder", address="", waiver_token="sign_-1", unsigned_waivers=0), SITE
    )
    [link] = Page(message.html).links
    assert "reference=" in link


@pytest.mark.parametrize("template", ["reminder", "payment_request"])
def test_what_can_be_paid_by_the_link_is_asked_for_there_and_the_rest_at_the_venue(
    template: str,
) -> None:
    message = render(prepared(template, "en", open_cents=7500, payable_cents=4000), SITE)
    assert "Pay €40.00:\nhttps://play.example.test/" in message.text
    assert "Due now: €40.00" in message.text
    assert "To pay at the venue: €35.00" in message.text
    assert "Held until: Saturday, 21 February 2026 (19:30, Madrid time)" in message.text


def test_a_reminder_brings_no_event_so_that_the_visit_stays_one() -> None:
    assert render(prepared("reminder", **EVENT), SITE).attachments == ()


def test_a_request_for_a_review_can_be_ended_and_what_is_about_a_booking_cannot() -> None:
    for template in MAILS:
        message = render(prepared(template, "ca"), SERVED)
        if template != "review_request":
            assert message.unsubscribe_url is None and message.list_headers() == {}
    message = render(prepared("review_request", "ca"), SERVED)
    link = "https://api.example.test/v1/unsubscribe?token=o.b.t&lang=ca"
    assert message.list_headers() == {
        "List-Unsubscribe": f"<{link}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert link in message.text
    assert set(Page(message.html).links) == {"https://reviews.example.test/enigma", link}


@pytest.mark.parametrize(
    "url", ["http://reviews.example.test/", "javascript:alert(1)", "https://a.test/ b", "https://"]
)
def test_an_address_that_is_no_page_s_is_never_a_button(url: str) -> None:
    with pytest.raises(EmailError, match="review_url"):
        render(prepared("review_request", review_url=url), SITE)


def test_the_headers_that_end_requests_reach_the_mailbox_s_mail() -> None:
    message = render(prepared("review_request"), SERVED)
    mail = _mime(message, "<1@example.test>", SERVED.email_from, datetime(2026, 2, 1, tzinfo=UTC))
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Unsubscribe"] == f"<{message.unsubscribe_url}>"


@pytest.mark.parametrize(
    ("language", "result", "said"),
    [
        ("en", ("escaped", 3127, 2), "You escaped in 52:07. With 2 hints."),
        ("es", ("escaped", 3127, 1), "Salisteis en 52:07. Con una pista."),
        ("ca", ("failed", None, 0), "la sala ha pogut més que vosaltres. Sense cap pista."),
    ],
)
def test_thanks_tell_what_came_of_the_game_where_that_is_known(
    language: str, result: tuple[str, int | None, int], said: str
) -> None:
    told = dict(zip(("outcome", "escape_seconds", "hints"), result, strict=True))
    played = prepared("thanks", result=told).model_copy(update={"locale": language})
    unknown = prepared("thanks", result=None).model_copy(update={"locale": language})
    for form in ("html", "text"):
        assert said in getattr(render(played, SITE), form)
        assert said not in getattr(render(unknown, SITE), form)
    assert "photos" not in render(prepared("thanks"), SITE).text
    photos = {"photos_url": "https://photos.example.test/1"}
    assert photos["photos_url"] in render(prepared("thanks", **photos), SITE).text


@pytest.mark.parametrize("reminder", [False, True])
def test_a_payer_is_told_of_their_share_and_of_nothing_else(reminder: bool) -> None:
    message = render(prepared("share_to_pay", "en", reminder=reminder), SITE)
    link = (
        "https://play.example.test/demo/?lang=es"
        "&reference=share-01a9b1c4-7d2e-7c31-9a34-2f2d7f0a8f11#token=share_-1"
    )
    assert link in Page(message.html).links
    for text in (Page(message.html).text, message.text):
        assert ("is still open" if reminder else "splits the payment") in text
        for said in ("Ada", "The Attic", "€75.00", "Saturday, 14 February 2026"):
            assert said in text
        for secret in ("ABCD-2345", "tok_-1", "€125.00", "Carrer de Verdi"):
            assert secret not in text


@pytest.mark.parametrize(
    ("news", "said"), [("paid", "Ben paid €25.00"), ("late", "It is yours now")]
)
def test_who_booked_is_told_what_became_of_a_share(news: str, said: str) -> None:
    message = render(prepared("payment_share_news", "en", news=news), SITE)
    for text in (Page(message.html).text, message.text):
        assert said in text
        assert "€50.00" in text


@pytest.mark.parametrize("template", ["booking_cancelled", "booking_refunded", "booking_paid_late"])
def test_where_several_paid_nobody_is_promised_what_others_paid(template: str) -> None:
    told = {"refund_cents": 6000, "paid_cents": 6000, "split": True}
    text = render(prepared(template, "en", **told), SITE).text
    assert "to each payer theirs" in text
    assert "that you paid with" not in text
    assert "Your payment" not in text
