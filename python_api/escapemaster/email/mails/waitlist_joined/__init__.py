"""Confirms a place in the waiting list."""

from __future__ import annotations

from datetime import date, datetime

from escapemaster.email.content import (
    Colour,
    Content,
    Mail,
    Row,
    Site,
    Typed,
    VenueData,
    capital,
    instant_words,
)
from escapemaster.email.formatting import city, date_in_words, duration
from escapemaster.email.links import leave_url
from escapemaster.email.texts import Texts


class Data(VenueData):
    """What the database hands over. Dates are the venue's."""

    room_name: Typed | None = None
    from_date: date
    to_date: date
    starts_at: datetime | None = None
    timezone: str
    party_size: int
    offer_minutes: int | None = None
    waitlist_token: str
    calendar_slug: str | None = None
    site_url: str | None = None
    accent_color: Colour | None = None


def _content(entry: Data, language: str, site: Site) -> Content:
    page = site.of_venue(entry.site_url).public_url
    first = date_in_words(entry.from_date, language)
    last = date_in_words(entry.to_date, language)
    start = instant_words(entry.starts_at, entry.timezone, language) if entry.starts_at else {}

    def rows(text: Texts) -> list[Row]:
        if start:
            when = (capital(start["day"]), f"{start['clock']}, {text('local_time')}")
        elif entry.from_date == entry.to_date:
            when = (capital(first), text("any_time"))
        else:
            when = (capital(text("from_to", first=first, last=last)), text("any_time"))
        return [
            (text("room"), entry.room_name or text("any_room"), ""),
            (text("when"), *when),
            (text("players"), str(entry.party_size), ""),
        ]

    return Content(
        sender=entry.organization_name,
        words={
            "organization_name": entry.organization_name,
            "room_name": entry.room_name or "",
            "day": start.get("day", first),
            "last_day": start.get("day", last),
            "clock": start.get("clock", ""),
            "city": city(entry.timezone, language),
            "party_size": entry.party_size,
        },
        values={
            "leave_url": leave_url(page, entry.calendar_slug, entry.waitlist_token),
            "held_for": duration(entry.offer_minutes, language) if entry.offer_minutes else "",
        },
        rows=rows,
        accent=entry.accent_color,
        reply_to=entry.contact_email,
        contact=entry.contact,
        logo=entry.logo(site),
    )


MAIL = Mail(
    Data,
    _content,
    {
        "organization_name": "Casa Laberinto",
        "room_name": "La cripta",
        "from_date": "2027-05-15",
        "to_date": "2027-05-16",
        "timezone": "Europe/Madrid",
        "party_size": 4,
        "offer_minutes": 120,
        "waitlist_token": "sample",
        "calendar_slug": None,
    },
)
