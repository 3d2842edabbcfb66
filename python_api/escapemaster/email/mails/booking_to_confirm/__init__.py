"""Asks whoever has the address to confirm a booking with nothing to pay, by its link."""

from __future__ import annotations

from dataclasses import replace

from escapemaster.email.booking import SAMPLE_BOOKING
from escapemaster.email.content import Content, Mail, Site
from escapemaster.email.held import HeldData, held_content
from escapemaster.email.links import calendar_url, with_secret


class Data(HeldData):
    """What the database hands over."""

    confirmation_token: str


def _content(booking: Data, language: str, site: Site) -> Content:
    content = held_content(booking, language, site)
    page = calendar_url(
        site.of_venue(booking.site_url).public_url,
        booking.calendar_slug,
        reference=booking.reference,
        confirm="1",
    )
    confirm = with_secret(page, booking.confirmation_token)
    return replace(content, values={**content.values, "confirm_url": confirm})


MAIL = Mail(
    Data,
    _content,
    {
        **SAMPLE_BOOKING,
        "paid_cents": 0,
        "open_cents": 10000,
        "expires_at": "2027-05-10T17:00:00Z",
        "confirmation_token": "sample",
    },
)
