"""Tells that a booking is cancelled, what goes back of what was paid, and why."""

from __future__ import annotations

from dataclasses import replace

from escapemaster.email.booking import (
    SAMPLE_BOOKING,
    BookingData,
    booking_content,
    refund_sentences,
    with_event,
)
from escapemaster.email.content import Content, Mail, Site
from escapemaster.email.terms import terms_sentences
from escapemaster.email.texts import Texts


def _content(booking: BookingData, language: str, site: Site) -> Content:
    content = booking_content(booking, language, site)

    def terms(text: Texts) -> list[str]:
        if booking.cancel_refund != "terms":
            return []
        return terms_sentences(booking, language, text, still_on=False)

    return replace(
        with_event(content, booking, site, "CANCEL"),
        paragraphs={
            "why": lambda text: _why(booking, language, text),
            "terms": terms,
            "refunds": lambda text: refund_sentences(booking, language, text),
        },
    )


def _why(booking: BookingData, language: str, text: Texts) -> list[str]:
    """Why the cancellation gives back what it does."""
    if not booking.paid_cents or any(part.disputed for part in booking.refunds):
        # Of what a bank decides nothing is promised: its own sentence says what happens.
        return []
    if booking.lost_cents:
        return [text("lost", back=booking.amount(booking.lost_cents, language))]
    if not booking.refund_cents:
        return [text("none_back" if booking.cancel_refund == "none" else "no_refund")]
    if booking.cancel_refund == "full" and not booking.cancelled_by_customer:
        return [text("venue_cancelled")]
    if booking.cancel_refund == "terms":
        all_of_it = booking.refund_cents == booking.paid_cents
        return [text("all_by_terms" if all_of_it else "part_by_terms")]
    return []


MAIL = Mail(
    BookingData,
    _content,
    {
        **SAMPLE_BOOKING,
        "open_cents": 0,
        "refund_cents": 4000,
        "cancel_refund": "terms",
        "cancelled_by_customer": True,
    },
)
