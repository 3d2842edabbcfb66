"""What the mails about a place that is held for a while share."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from escapemaster.email.booking import BookingData, booking_content
from escapemaster.email.content import Content, Row, Site, capital, instant_words
from escapemaster.email.texts import Texts


class HeldData(BookingData):
    """What the database hands over about a booking that is held until `expires_at`."""

    expires_at: datetime


class DueData(HeldData):
    """What it hands over about one that is to be paid: what keeps the place, in minor units."""

    due_now_cents: int


def held_content(held: HeldData, language: str, site: Site) -> Content:
    """What a mail about a booking says that also says until when it is held."""
    content = booking_content(held, language, site)
    ends = instant_words(held.expires_at, held.timezone, language)

    def rows(text: Texts) -> list[Row]:
        clock = f"{ends['clock']}, {text('local_time')}"
        return [*content.rows(text), (text("held_until"), capital(ends["day"]), clock)]

    until = {"until_day": ends["day"], "until_clock": ends["clock"]}
    return replace(content, words={**content.words, **until}, rows=rows)


def due_content(held: DueData, language: str, site: Site) -> Content:
    """What a mail about a held booking says that also says what is to be paid now, if anything."""
    content = held_content(held, language, site)
    due = held.amount(held.due_now_cents, language)

    def rows(text: Texts) -> list[Row]:
        *facts, until = content.rows(text)
        return [*facts, (text("due_now"), due, ""), until] if due else [*facts, until]

    return replace(content, words={**content.words, "due_now": due}, rows=rows)
