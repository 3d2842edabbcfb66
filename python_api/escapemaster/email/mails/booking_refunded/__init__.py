"""Tells that money has gone back."""

from __future__ import annotations

from dataclasses import replace

from escapemaster.email.booking import (
    SAMPLE_BOOKING,
    BookingData,
    RefundPart,
    booking_content,
    given_sentence,
    refund_parts,
)
from escapemaster.email.content import Content, Mail, Site
from escapemaster.email.texts import Texts


def _content(booking: BookingData, language: str, site: Site) -> Content:
    content = booking_content(booking, language, site)

    def sentence(part: RefundPart, text: Texts) -> str:
        back = booking.amount(part.amount_cents, language)
        if part.method == "stripe":
            return text("gone_split" if booking.split else "gone_card", back=back)
        return given_sentence(part, back, text)

    def refunds(text: Texts) -> list[str]:
        return [sentence(part, text) for part in refund_parts(booking)]

    return replace(content, paragraphs={"refunds": refunds})


MAIL = Mail(BookingData, _content, {**SAMPLE_BOOKING, "open_cents": 0, "refund_cents": 4000})
