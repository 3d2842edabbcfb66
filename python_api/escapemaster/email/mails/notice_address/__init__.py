"""Asks an address that staff typed whether it wants to be told of bookings."""

from __future__ import annotations

from datetime import datetime

from escapemaster.email.content import Content, Mail, MailData, Site, Typed, instant_words
from escapemaster.email.links import notice_link_url


class Data(MailData):
    """What the database hands over."""

    organization_name: Typed
    start_token: str
    expires_at: datetime
    timezone: str


def _content(asked: Data, language: str, site: Site) -> Content:
    start = notice_link_url(site.service_url, asked.start_token, language)
    return Content(
        sender=asked.organization_name,
        words={
            "organization_name": asked.organization_name,
            **instant_words(asked.expires_at, asked.timezone, language),
        },
        values={"start_url": start},
        rows=lambda _: [],
        # Not about a booking, and nothing to end yet; but without the service's address it waits.
        unsubscribe_url=None if start else "",
    )


MAIL = Mail(
    Data,
    _content,
    {
        "organization_name": "Casa Laberinto",
        "start_token": "sample",
        "expires_at": "2027-05-15T10:00:00Z",
        "timezone": "Europe/Madrid",
    },
)
