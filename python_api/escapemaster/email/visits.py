"""What the messages around a visit share: those that an organization's rules send."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from escapemaster.email.booking import BookingData, booking_content
from escapemaster.email.content import Content, Row, Site, capital, instant_words
from escapemaster.email.formatting import clock
from escapemaster.email.texts import Texts

#: How long before the start a party is asked to come.
EARLY: Final = timedelta(minutes=10)


class VisitData(BookingData):
    """What the database hands over about a visit that is to come, or is over.

    Attributes:
        expires_at: Until when a booking that is not confirmed is kept.
        unsigned_waivers: How many of the party have not signed yet.
    """

    expires_at: datetime | None = None
    unsigned_waivers: int = 0


def coming_content(visit: VisitData, language: str, site: Site) -> Content:
    """What a message before a visit says: what is open, when to come, and where it is."""
    content = booking_content(visit, language, site, shows_price=False)
    until = instant_words(visit.expires_at, visit.timezone, language) if visit.expires_at else None
    payable = visit.amount(visit.payable_cents, language)
    # What the link asks for is paid there, and only the rest at the venue.
    at_venue = visit.amount(max(0, visit.open_cents - visit.payable_cents), language)

    def rows(text: Texts) -> list[Row]:
        found = content.rows(text)
        if payable:
            found.append((text("due_now"), payable, ""))
        if at_venue:
            found.append((text("due"), at_venue, ""))
        if until is not None:
            hours = f"{until['clock']}, {text('local_time')}"
            found.append((text("held_until"), capital(until["day"]), hours))
        return found

    return replace(
        content,
        words={
            **content.words,
            "arrival": clock(visit.starts_at - EARLY, visit.timezone, language),
            "due_now": payable,
            "unsigned": visit.unsigned_waivers,
        },
        values={
            **content.values,
            "waiver_url": content.values["waiver_url"] if visit.unsigned_waivers else "",
        },
        rows=rows,
    )
