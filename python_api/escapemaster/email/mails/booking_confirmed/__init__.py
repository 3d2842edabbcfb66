"""Tells that a booking is confirmed."""

from __future__ import annotations

from dataclasses import replace

from escapemaster.email.booking import (
    SAMPLE_BOOKING,
    BookingData,
    arrival_sentences,
    booking_content,
    with_check_in,
    with_event,
)
from escapemaster.email.content import Content, Mail, Site
from escapemaster.email.terms import terms_sentences


def _content(booking: BookingData, language: str, site: Site) -> Content:
    content = booking_content(booking, language, site, shows_open=True, shows_answers=True)
    return replace(
        with_check_in(with_event(content, booking, site, "PUBLISH"), booking, site),
        paragraphs={
            "arrival": lambda _: arrival_sentences(booking),
            "terms": lambda text: terms_sentences(booking, language, text, still_on=True),
        },
    )


MAIL = Mail(BookingData, _content, {**SAMPLE_BOOKING, "check_in_code": "sample"})
