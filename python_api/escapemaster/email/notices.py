"""What the mails to a venue's own staff share."""

from __future__ import annotations

from datetime import datetime

from escapemaster.email.content import MailData, Row, Site, Typed, capital, instant_words
from escapemaster.email.formatting import clock, day
from escapemaster.email.links import notice_link_url
from escapemaster.email.texts import Texts


class NoticeData(MailData):
    """What happened to a booking or a session; who comes is None for whoever may not see that."""

    type: str
    happened: str
    room_name: Typed
    location_name: Typed | None = None
    timezone: str
    starts_at: datetime
    previous_starts_at: datetime | None = None
    previous_party_size: int | None = None
    previous_room_name: Typed | None = None
    lapsed: bool | None = None
    party_size: int | None = None
    reference: str | None = None
    customer_name: Typed | None = None
    customer_phone: Typed | None = None
    customer_email: Typed | None = None


def headline(notice: NoticeData, text: Texts) -> str:
    """What happened, in a few words."""
    what = notice.happened if notice.type == "last_minute" else notice.type
    lapsed = what == "booking_cancelled" and notice.lapsed
    said = text("booking_lapsed" if lapsed else what)
    return text("last_minute", what=said) if notice.type == "last_minute" else said


def notice_rows(notice: NoticeData, language: str, text: Texts) -> list[Row]:
    """Which room, when, how many, who."""
    words = instant_words(notice.starts_at, notice.timezone, language)
    found: list[Row] = [
        (text("room"), notice.room_name, notice.location_name or ""),
        (text("when"), capital(words["day"]), f"{words['clock']}, {text('local_time', **words)}"),
    ]
    if before := _before(notice, language, text):
        found.append((text("before"), before, ""))
    if notice.party_size is not None:
        found.append((text("players"), str(notice.party_size), ""))
    if notice.customer_name:
        contacts = " · ".join(filter(None, (notice.customer_phone, notice.customer_email)))
        found.append((text("customer"), notice.customer_name, contacts))
    if notice.reference:
        found.append((text("reference"), notice.reference, ""))
    return found


def notice_line(notice: NoticeData, language: str, text: Texts) -> Row:
    """The same in one row of a list."""
    parts = [
        notice.room_name,
        capital(day(notice.starts_at, notice.timezone, language)),
        clock(notice.starts_at, notice.timezone, language),
    ]
    if before := _before(notice, language, text):
        parts.append(f"{text('before').lower()}: {before}")
    if notice.party_size is not None:
        parts.append(f"{notice.party_size} {text('players').lower()}")
    parts += [part for part in (notice.customer_name, notice.reference) if part]
    return headline(notice, text), parts[0], ", ".join(parts[1:])


def stop_url(site: Site, token: str | None, language: str) -> str | None:
    """What ends the notices to an address that was typed; None for a member's own."""
    return None if token is None else notice_link_url(site.service_url, token, language)


def _before(notice: NoticeData, language: str, text: Texts) -> str:
    parts = [notice.previous_room_name or ""]
    if notice.previous_starts_at is not None:
        parts.append(capital(day(notice.previous_starts_at, notice.timezone, language)))
        parts.append(clock(notice.previous_starts_at, notice.timezone, language))
    if notice.previous_party_size is not None:
        parts.append(f"{notice.previous_party_size} {text('players').lower()}")
    return ", ".join(filter(None, parts))
