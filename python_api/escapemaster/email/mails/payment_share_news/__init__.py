"""Tells who booked that a share was paid, or is late and theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from escapemaster.email.booking import SAMPLE_BOOKING, BookingData, booking_content
from escapemaster.email.content import Content, Mail, Row, Site, Typed
from escapemaster.email.texts import Texts


class NewsData(BookingData):
    """The same, with the share and what is missing, in minor units."""

    payer: Typed
    share_cents: int
    news: Literal["paid", "late"]
    missing_cents: int
    own_cents: int


def _content(booking: NewsData, language: str, site: Site) -> Content:
    content = booking_content(booking, language, site)
    share = booking.amount(booking.share_cents, language)

    def rows(text: Texts) -> list[Row]:
        more = (("missing", booking.missing_cents), ("own", booking.own_cents))
        return [
            *content.rows(text),
            *((text(name), booking.amount(cents, language), "") for name, cents in more if cents),
        ]

    return replace(
        content,
        words={**content.words, "payer": booking.payer, "share": share},
        rows=rows,
        variant="late" if booking.news == "late" else "",
    )


MAIL = Mail(
    NewsData,
    _content,
    {
        **SAMPLE_BOOKING,
        "payer": "Ben",
        "share_cents": 2500,
        "news": "paid",
        "missing_cents": 2500,
        "own_cents": 5000,
    },
)
