"""Gives somebody who lost the mails the links to their bookings again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from escapemaster.email.content import (
    Colour,
    Content,
    Mail,
    MailData,
    Site,
    Typed,
    VenueData,
    capital,
    instant_words,
)
from escapemaster.email.links import manage_url


class Coming(MailData):
    """A booking that is to come."""

    room_name: Typed
    starts_at: datetime
    timezone: str
    reference: str
    manage_url_token: str


class MyBookingsData(VenueData):
    """What the database hands over about the bookings of one customer at one venue."""

    calendar_slug: str | None = None
    site_url: str | None = None
    accent_color: Colour | None = None
    bookings: Annotated[tuple[Coming, ...], Field(min_length=1)]


def _content(mine: MyBookingsData, language: str, site: Site) -> Content:
    page = site.of_venue(mine.site_url).public_url
    links = []
    for booking in mine.bookings:
        when = instant_words(booking.starts_at, booking.timezone, language)
        url = manage_url(page, booking.reference, booking.manage_url_token, mine.calendar_slug)
        links.append(
            (
                f"{booking.room_name}: {capital(when['day'])}, {when['clock']}",
                booking.reference,
                url,
            )
        )
    return Content(
        sender=mine.organization_name,
        words={"organization_name": mine.organization_name},
        values={"links": links},
        rows=lambda _: [],
        accent=mine.accent_color,
        reply_to=mine.contact_email,
        contact=mine.contact,
        logo=mine.logo(site),
    )


MAIL = Mail(
    MyBookingsData,
    _content,
    {
        "organization_name": "Casa Laberinto",
        "bookings": [
            {
                "room_name": "La cripta",
                "starts_at": "2027-05-15T17:30:00Z",
                "timezone": "Europe/Madrid",
                "reference": "ABCD-2345",
                "manage_url_token": "sample",
            },
            {
                "room_name": "El faro",
                "starts_at": "2027-06-02T15:00:00Z",
                "timezone": "Europe/Madrid",
                "reference": "BCDE-3456",
                "manage_url_token": "sample-2",
            },
        ],
    },
)
