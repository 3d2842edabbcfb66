"""Tells that money has gone back."""

from __future__ import annotations

from dataclasses import replace

from escapemaster.email.booking import (
    SAMPLE_BOOKING,
    BookingData,
    booking_content,
    refund_parts,
)
from escapemaster.email.content import Content, Mail, Site
from escapemaster.email.texts import Texts


def _content(booking: BookingData, language: str, site: Site) -> Content:
    content = booking_content(booking, language, site)

    def refunds(text: Texts) -> list[str]:
        return [
            text(
                "gone_card" if part.method == "stripe" else "gone_by_hand",
                back=booking.amount(part.amount_cents, language),
            )
            for part in refund_parts(booking)
        ]

    return replace(content, paragraphs={"refunds": refunds})


MAIL = Mail(BookingData, _content, {**SAMPLE_BOOKING, "open_cents": 0, "refund_cents": 4000})
