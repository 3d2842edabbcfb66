"""Offers a place that is held for somebody who waits for one."""

from __future__ import annotations

from dataclasses import replace

from escapemaster.email.booking import SAMPLE_BOOKING
from escapemaster.email.content import Content, Mail, Site
from escapemaster.email.held import DueData, due_content
from escapemaster.email.links import leave_url


class Data(DueData):
    """What the database hands over."""

    waitlist_token: str


def _content(offer: Data, language: str, site: Site) -> Content:
    content = due_content(offer, language, site)
    page = site.of_venue(offer.site_url).public_url
    leave = leave_url(page, offer.calendar_slug, offer.waitlist_token)
    return replace(content, values={**content.values, "leave_url": leave})


MAIL = Mail(
    Data,
    _content,
    {
        **SAMPLE_BOOKING,
        "paid_cents": 0,
        "due_now_cents": 4000,
        "expires_at": "2027-05-10T17:00:00Z",
        "waitlist_token": "sample",
    },
)
