"""A booking as an event for the reader's own calendar (iCalendar, RFC 5545 and 5546)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Final, Literal

from icalendar import Calendar, Event, vCalAddress, vText

from escapemaster.email.message import Attachment

#: https://www.rfc-editor.org/rfc/rfc5545#section-3.7.3
_PRODUCT: Final = "-//Escapemaster//Bookings//EN"


@dataclass(frozen=True, slots=True)
class BookingEvent:
    """What a calendar shows.

    Attributes:
        uid: The same for every version of the event.
        version: 0 at first; a calendar takes a higher one for news of the same event.
        changed_at: When this version came to be.
        organizer: Whose event it is, a name; `organizer_address` is written as mail's From is.
        description: A line below it. Calendars are shared: no link that could cancel the booking.
    """

    uid: str
    version: int
    changed_at: datetime
    starts_at: datetime
    ends_at: datetime | None
    summary: str
    description: str
    location: str
    organizer: str
    organizer_address: str


def booking_calendar(event: BookingEvent, method: Literal["PUBLISH", "CANCEL"]) -> Attachment:
    """The file that puts an event into a calendar, moves it, or takes it out.

    PUBLISH and not REQUEST: nobody is asked to answer. Instants are in UTC, so that no zone has to
    be described; a calendar shows them on its reader's clock.
    """
    cancelled = method == "CANCEL"
    found = Event()
    found.add("uid", event.uid)
    found.add("sequence", event.version)
    found.add("dtstamp", event.changed_at.astimezone(UTC))
    found.add("dtstart", event.starts_at.astimezone(UTC))
    if event.ends_at is not None:
        found.add("dtend", event.ends_at.astimezone(UTC))
    found.add("summary", event.summary)
    found.add("description", event.description)
    if event.location:
        found.add("location", event.location)
    found.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    found.add("transp", "TRANSPARENT" if cancelled else "OPAQUE")
    organizer = vCalAddress(f"mailto:{parseaddr(event.organizer_address)[1]}")
    # A parameter's value cannot hold a quotation mark (RFC 5545, 3.2).
    organizer.params["cn"] = vText(event.organizer.replace('"', "'"))
    found.add("organizer", organizer)

    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(found)
    return Attachment("booking.ics", "text/calendar", calendar.to_ical(), method)
