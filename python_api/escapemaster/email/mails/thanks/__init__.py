"""Thanks a party after its visit."""

from __future__ import annotations

from dataclasses import replace

from escapemaster.email.booking import SAMPLE_BOOKING, booking_content
from escapemaster.email.content import Content, Mail, Site
from escapemaster.email.visits import VisitData


def _content(visit: VisitData, language: str, site: Site) -> Content:
    # When it was and what it cost is known; no table.
    content = booking_content(visit, language, site, shows_price=False)
    return replace(content, rows=lambda _: [])


MAIL = Mail(VisitData, _content, {**SAMPLE_BOOKING, "paid_cents": 10000, "open_cents": 0})
