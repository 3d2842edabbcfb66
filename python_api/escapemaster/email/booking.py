"""What the mails about a booking share."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Final, Literal
from urllib.parse import urlencode
from uuid import UUID

from pydantic import JsonValue

from escapemaster.email.check_in import check_in_picture
from escapemaster.email.content import (
    Colour,
    Content,
    MailData,
    Row,
    Site,
    Typed,
    VenueData,
    capital,
    instant_words,
    printable,
)
from escapemaster.email.event import BookingEvent, booking_calendar
from escapemaster.email.formatting import clock, date_in_words, day, money
from escapemaster.email.links import calendar_url, check_in_url, manage_url, with_secret
from escapemaster.email.message import Attachment
from escapemaster.email.texts import Texts

#: The ways on which money goes back that have words of their own.
_REFUND_METHODS: Final = frozenset(
    {"stripe", "voucher", "cash", "card_terminal", "transfer", "bizum"}
)


#: Opens the map program of whatever the reader has
#: (https://developers.google.com/maps/documentation/urls/get-started#search-action).
MAPS_URL: Final = "https://www.google.com/maps/search/?"


class Extra(MailData):
    """Something that the party takes beside its seats."""

    name: Typed
    quantity: int


class Told(MailData):
    """What the venue asked and the party answered."""

    question: Typed
    answer: Typed


class Previous(MailData):
    """What a change of a booking replaced; None: what stayed."""

    starts_at: datetime | None = None
    room_name: Typed | None = None
    party_size: int | None = None
    extras: tuple[Extra, ...] | None = None
    total_cents: int | None = None


class RefundPart(MailData):
    """What goes back by one way: stripe, voucher, cash, card_terminal, transfer, bizum.

    Attributes:
        by_hand: Somebody at the venue is to hand it over, as what a cancelled voucher had paid.
        valid_until: The last day of the voucher that it is on again.
        given: It has gone back already, other than onto its voucher.
        disputed: It goes back only if the customer's bank decides for the venue.
    """

    method: str
    amount_cents: int
    by_hand: bool = False
    valid_until: date | None = None
    given: bool = False
    disputed: bool = False


class Tier(MailData):
    """A step of what a cancellation gives back: so much of it until so long before the start."""

    hours_before: int
    refund_percent: int


class Terms(MailData):
    """What was agreed about cancelling; without tiers all goes back until the start."""

    tiers: tuple[Tier, ...] = ()
    no_show_fee_percent: int


class BookingData(VenueData):
    """What the database hands over about a booking. Amounts in minor units of `currency`.

    Attributes:
        open_cents: What is still to be paid.
        payable_cents: How much of it the booking's link would ask for now.
    """

    room_name: Typed
    location_name: Typed | None = None
    address: Typed | None = None
    place: Typed | None = None
    phone: Typed | None = None
    arrival_hints: str | None = None
    directions: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    starts_at: datetime
    ends_at: datetime | None = None
    timezone: str
    party_size: int
    extras: tuple[Extra, ...] = ()
    answers: tuple[Told, ...] = ()
    reference: str
    manage_url_token: str
    waiver_token: str | None = None
    check_in_code: str | None = None
    calendar_slug: str | None = None
    site_url: str | None = None
    accent_color: Colour | None = None
    currency: str
    total_cents: int
    paid_cents: int = 0
    open_cents: int = 0
    payable_cents: int = 0
    refund_cents: int = 0
    refunds: tuple[RefundPart, ...] = ()
    #: Others paid shares of it by their own links: theirs goes back to them.
    split: bool = False
    lost_cents: int = 0
    event_id: UUID | None = None
    event_at: datetime | None = None
    event_version: int = 0
    previous: Previous | None = None
    terms: Terms | None = None
    cancel_refund: str | None = None
    cancelled_by_customer: bool = False

    def amount(self, cents: int, language: str) -> str:
        """An amount of the booking as text; nothing for none."""
        return money(cents, self.currency, language) if cents else ""


SAMPLE_BOOKING: Final[dict[str, JsonValue]] = {
    "organization_name": "Casa Laberinto",
    "room_name": "La cripta",
    "location_name": "Casa Laberinto Centro",
    "address": "Calle Mayor 1, 28013 Madrid",
    "place": "Casa Laberinto Centro, Calle Mayor 1, 28013 Madrid",
    "phone": "+34 910 000 000",
    "arrival_hints": "Llamad al 2.º B: la cripta está en el sótano.",
    "timezone": "Europe/Madrid",
    "starts_at": "2027-05-15T17:30:00Z",
    "ends_at": "2027-05-15T18:30:00Z",
    "party_size": 4,
    "contact_email": "hola@casa-laberinto.test",
    "website": "https://casa-laberinto.test/",
    "reference": "ABCD-2345",
    "manage_url_token": "sample",
    "calendar_slug": None,
    "currency": "EUR",
    "total_cents": 10000,
    "paid_cents": 4000,
    "open_cents": 6000,
    "terms": {
        "tiers": [
            {"hours_before": 48, "refund_percent": 100},
            {"hours_before": 24, "refund_percent": 50},
        ],
        "no_show_fee_percent": 100,
    },
}


def booking_content(
    booking: BookingData,
    language: str,
    site: Site,
    *,
    shows_price: bool = True,
    shows_open: bool = False,
    shows_answers: bool = False,
) -> Content:
    """What every mail about a booking says of it.

    Args:
        booking: Which.
        language: The reader's.
        site: Where its links lead, unless the venue has a page of its own.
        shows_price: Whether its table says what the booking costs and what was paid.
        shows_open: Whether it says what is to be paid, at the venue or by the link.
        shows_answers: Whether it repeats what the party answered.
    """
    page = site.of_venue(booking.site_url).public_url

    def rows(text: Texts) -> list[Row]:
        found = _facts(booking, language, text)
        if shows_answers:
            found += [(told.question, told.answer, "") for told in booking.answers]
        if shows_price:
            total = money(booking.total_cents, booking.currency, language)
            found.append((text("total"), total, ""))
            if booking.paid_cents:
                found.append((text("paid"), booking.amount(booking.paid_cents, language), ""))
        if shows_open:
            found += _open(booking, language, text)
        if booking.refund_cents:
            found.append((text("refund"), booking.amount(booking.refund_cents, language), ""))
        return found

    waiver = calendar_url(page, booking.calendar_slug, waiver=booking.reference)
    return Content(
        sender=booking.organization_name,
        words={
            "organization_name": booking.organization_name,
            "room_name": booking.room_name,
            "location_name": booking.location_name or "",
            "address": booking.address or "",
            "phone": booking.phone or "",
            **instant_words(booking.starts_at, booking.timezone, language),
            "party_size": booking.party_size,
            "reference": booking.reference,
            "total": money(booking.total_cents, booking.currency, language),
            "paid": booking.amount(booking.paid_cents, language),
            "due": booking.amount(booking.open_cents, language),
            "refund": booking.amount(booking.refund_cents, language),
        },
        values={
            "manage_url": manage_url(
                page, booking.reference, booking.manage_url_token, booking.calendar_slug
            ),
            "waiver_url": with_secret(waiver, booking.waiver_token) if booking.waiver_token else "",
            "book_url": calendar_url(page, booking.calendar_slug),
            "check_in": "",
            "map_url": map_url(booking),
        },
        rows=rows,
        accent=booking.accent_color,
        reply_to=booking.contact_email,
        contact=booking.contact,
        logo=booking.logo(site),
    )


def arrival_sentences(booking: BookingData) -> list[str]:
    """How to get there and in, in the venue's own words; empty when it gave none."""
    return [
        "\n".join(printable(line) for line in words.splitlines())
        for words in (booking.directions, booking.arrival_hints)
        if words
    ]


def map_url(booking: BookingData) -> str:
    """Where a map shows the venue; empty where its place is not known."""
    if booking.latitude is not None and booking.longitude is not None:
        return MAPS_URL + urlencode(
            {"api": "1", "query": f"{booking.latitude},{booking.longitude}"}
        )
    if not booking.address:
        return ""
    # By the address alone: the name of a venue may be another place's.
    return MAPS_URL + urlencode({"api": "1", "query": booking.address})


def with_event(
    content: Content, booking: BookingData, site: Site, method: Literal["PUBLISH", "CANCEL"]
) -> Content:
    """The content with the booking as an event for the reader's calendar, to be put in or out."""

    def attachments(text: Texts) -> tuple[Attachment, ...]:
        if booking.event_id is None or booking.event_at is None:
            return ()
        event = BookingEvent(
            uid=str(booking.event_id),
            version=booking.event_version,
            changed_at=booking.event_at,
            starts_at=booking.starts_at,
            ends_at=booking.ends_at,
            summary=f"{booking.room_name} · {booking.organization_name}",
            description=text("event"),
            location=booking.place or "",
            organizer=booking.organization_name,
            organizer_address=site.email_from,
        )
        return (booking_calendar(event, method),)

    return replace(content, attachments=attachments)


def with_check_in(content: Content, booking: BookingData, site: Site) -> Content:
    """The content with the picture that the desk scans when the party comes."""
    if booking.check_in_code is None:
        return content
    page = site.of_venue(booking.site_url).public_url
    url = check_in_url(page, booking.calendar_slug, booking.check_in_code)
    picture = check_in_picture(url)

    def attachments(text: Texts) -> tuple[Attachment, ...]:
        return (*content.attachments(text), picture)

    values = {**content.values, "check_in": f"cid:{picture.content_id}"}
    return replace(content, values=values, attachments=attachments)


def refund_sentences(booking: BookingData, language: str, text: Texts) -> list[str]:
    """What goes back, a sentence for each way."""

    def sentence(part: RefundPart) -> str:
        back = booking.amount(part.amount_cents, language)
        if part.disputed:
            return text("refund_disputed", back=back)
        if part.given and part.method != "stripe":
            return given_sentence(part, back, text)
        if part.method == "voucher" and part.by_hand:
            return text("refund_of_voucher", back=back)
        if part.method == "voucher" and part.valid_until:
            until = date_in_words(part.valid_until, language)
            return text("refund_voucher_until", back=back, until=until)
        if part.method == "stripe" and booking.split:
            return text("refund_split", back=back)
        return text(
            f"refund_{part.method if part.method in _REFUND_METHODS else 'other'}", back=back
        )

    return [sentence(part) for part in refund_parts(booking)]


def given_sentence(part: RefundPart, back: str, text: Texts) -> str:
    """What the venue has noted that it handed over, by which way, and what to do if it did not."""
    return text(f"given_{part.method if part.method in _REFUND_METHODS else 'other'}", back=back)


def refund_parts(booking: BookingData) -> tuple[RefundPart, ...]:
    """What goes back, by its ways. A database that does not say how knows of one way only."""
    parts = booking.refunds or (RefundPart(method="stripe", amount_cents=booking.refund_cents),)
    return tuple(part for part in parts if part.amount_cents > 0)


def _facts(booking: BookingData, language: str, text: Texts) -> list[Row]:
    """Which game it is, when and where, and who comes."""
    hours = clock(booking.starts_at, booking.timezone, language)
    if booking.ends_at is not None:
        hours += f" – {clock(booking.ends_at, booking.timezone, language)}"
    when = day(booking.starts_at, booking.timezone, language)
    found = [
        (text("room"), booking.room_name, ""),
        (text("when"), capital(when), f"{hours}, {text('local_time')}"),
    ]
    if before := _before(booking, language, text):
        found.append((text("before"), before, ""))
    if place := booking.location_name or booking.address:
        found.append((text("where"), place, (booking.location_name and booking.address) or ""))
    if booking.phone:
        found.append((text("phone"), booking.phone, ""))
    found.append((text("players"), str(booking.party_size), ""))
    if booking.extras:
        found.append((text("extras"), _extras(booking.extras), ""))
    found.append((text("reference"), booking.reference, ""))
    return found


def _open(booking: BookingData, language: str, text: Texts) -> list[Row]:
    """What is still to be paid, and where that can be done."""
    if booking.payable_cents and booking.payable_cents >= booking.open_cents:
        amount = booking.amount(booking.open_cents, language)
        return [(text("to_pay"), amount, capital(text("venue_or_online")))]
    at_venue = booking.open_cents - booking.payable_cents
    found = [("due_now", booking.payable_cents), ("due", at_venue)]
    return [(text(name), booking.amount(cents, language), "") for name, cents in found if cents]


def _before(booking: BookingData, language: str, text: Texts) -> str:
    """What a change replaced, in one line."""
    if booking.previous is None:
        return ""
    was = booking.previous
    parts = [was.room_name or ""]
    if was.starts_at is not None:
        parts.append(capital(day(was.starts_at, booking.timezone, language)))
        parts.append(clock(was.starts_at, booking.timezone, language))
    if was.party_size is not None:
        parts.append(f"{was.party_size} {text('players').lower()}")
    if was.extras is not None:
        parts.append(_extras(was.extras) or text("no_extras"))
    return ", ".join(filter(None, parts))


def _extras(extras: tuple[Extra, ...]) -> str:
    """What a party takes beside its seats, in one line."""
    return ", ".join(f"{extra.quantity} × {extra.name}" for extra in extras)
