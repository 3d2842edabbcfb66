"""Tells that money is on its way back, where no other mail says so."""

from __future__ import annotations

from dataclasses import replace

from escapemaster.email.booking import (
    SAMPLE_BOOKING,
    BookingData,
    booking_content,
    refund_sentences,
)
from escapemaster.email.content import Content, Mail, Site


def _content(booking: BookingData, language: str, site: Site) -> Content:
    content = booking_content(booking, language, site)
    refunds = {"refunds": lambda text: refund_sentences(booking, language, text)}
    return replace(content, paragraphs=refunds)


MAIL = Mail(BookingData, _content, {**SAMPLE_BOOKING, "refund_cents": 2000})
