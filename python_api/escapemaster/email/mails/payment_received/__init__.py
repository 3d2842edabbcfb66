"""Tells that a payment came in, and what is still open."""

from __future__ import annotations

from dataclasses import replace

from escapemaster.email.booking import SAMPLE_BOOKING, BookingData, booking_content
from escapemaster.email.content import Content, Mail, Site


class PaidData(BookingData):
    """The same, with what came in, in minor units."""

    received_cents: int


def _content(booking: PaidData, language: str, site: Site) -> Content:
    content = booking_content(booking, language, site, shows_open=True)
    received = booking.amount(booking.received_cents, language)
    return replace(content, words={**content.words, "received": received})


MAIL = Mail(PaidData, _content, {**SAMPLE_BOOKING, "received_cents": 4000})
