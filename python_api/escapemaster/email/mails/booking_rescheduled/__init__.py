"""Tells what has changed of a booking, and what is so now."""

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
from escapemaster.email.formatting import money
from escapemaster.email.terms import terms_sentences
from escapemaster.email.texts import Texts


def _content(booking: BookingData, language: str, site: Site) -> Content:
    content = booking_content(booking, language, site, shows_open=True)
    return replace(
        with_event(content, booking, site, "PUBLISH"),
        paragraphs={
            "price": lambda text: _price(booking, language, text),
            "refunds": lambda text: refund_sentences(booking, language, text),
            "terms": lambda text: terms_sentences(booking, language, text, still_on=True),
        },
    )


def _price(booking: BookingData, language: str, text: Texts) -> list[str]:
    """From what to what the price changes, and what is still to be paid."""
    if booking.previous is None or booking.previous.total_cents is None:
        return []
    before = money(booking.previous.total_cents, booking.currency, language)
    # What staff gave back is not asked for again: it counts as paid.
    settled = booking.total_cents - booking.open_cents
    where = text("venue_or_online" if booking.payable_cents else "venue_only")
    if not booking.open_cents:
        after = text("all_paid")
    elif settled > 0:
        after = text("still_due", kept=booking.amount(settled, language), where=where)
    else:
        after = text("all_due", where=where)
    return [f"{text('price', before_total=before)} {after}"]


MAIL = Mail(
    BookingData,
    _content,
    {
        **SAMPLE_BOOKING,
        "previous": {"starts_at": "2027-05-14T16:00:00Z", "party_size": 3, "total_cents": 8000},
    },
)
