"""Tells that a payment came when the place was no longer held, and goes back."""

from __future__ import annotations

from dataclasses import replace

from escapemaster.email.booking import (
    SAMPLE_BOOKING,
    BookingData,
    booking_content,
    refund_parts,
    refund_sentences,
)
from escapemaster.email.content import Content, Mail, Site
from escapemaster.email.texts import Texts


def _content(booking: BookingData, language: str, site: Site) -> Content:
    content = booking_content(booking, language, site, shows_price=False)

    def refunds(text: Texts) -> list[str]:
        parts = refund_parts(booking)
        if [part.method for part in parts] == ["stripe"] and not booking.split:
            return [text("refund_all", back=booking.amount(parts[0].amount_cents, language))]
        return refund_sentences(booking, language, text)

    variant = "split" if booking.split else ""
    return replace(content, paragraphs={"refunds": refunds}, variant=variant)


MAIL = Mail(BookingData, _content, {**SAMPLE_BOOKING, "open_cents": 0, "refund_cents": 4000})
