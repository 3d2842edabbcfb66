"""Brings a payer the link of a share of a booking, or reminds of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from escapemaster.email.content import (
    Colour,
    Content,
    Mail,
    Row,
    Site,
    Typed,
    VenueData,
    capital,
    instant_words,
)
from escapemaster.email.formatting import money
from escapemaster.email.links import calendar_url, with_secret
from escapemaster.email.texts import Texts


class Data(VenueData):
    """What the database hands over. Amounts in minor units of `currency`."""

    organizer: Typed
    room_name: Typed
    starts_at: datetime
    timezone: str
    currency: str
    amount_cents: int
    expires_at: datetime
    share_id: UUID
    share_token: str
    calendar_slug: str | None = None
    site_url: str | None = None
    accent_color: Colour | None = None
    reminder: bool = False


def _content(share: Data, language: str, site: Site) -> Content:
    page = site.of_venue(share.site_url).public_url
    amount = money(share.amount_cents, share.currency, language)
    starts = instant_words(share.starts_at, share.timezone, language)
    ends = instant_words(share.expires_at, share.timezone, language)

    def rows(text: Texts) -> list[Row]:
        return [
            (text("room"), share.room_name, share.organization_name),
            (text("when"), capital(starts["day"]), f"{starts['clock']}, {text('local_time')}"),
            (text("your_share"), amount, ""),
            (text("pay_by"), capital(ends["day"]), f"{ends['clock']}, {text('local_time')}"),
        ]

    return Content(
        sender=share.organization_name,
        words={
            "organization_name": share.organization_name,
            "organizer": share.organizer,
            "room_name": share.room_name,
            "amount": amount,
            **starts,
            "until_day": ends["day"],
            "until_clock": ends["clock"],
        },
        values={
            "pay_url": with_secret(
                calendar_url(page, share.calendar_slug, reference=f"share-{share.share_id}"),
                share.share_token,
            ),
        },
        rows=rows,
        accent=share.accent_color,
        reply_to=share.contact_email,
        contact=share.contact,
        logo=share.logo(site),
        variant="reminder" if share.reminder else "",
    )


MAIL = Mail(
    Data,
    _content,
    {
        "organization_name": "Casa Laberinto",
        "contact_email": "hola@casa-laberinto.test",
        "organizer": "Marta",
        "room_name": "El desván",
        "starts_at": "2027-05-15T16:00:00Z",
        "timezone": "Europe/Madrid",
        "currency": "EUR",
        "amount_cents": 2500,
        "expires_at": "2027-05-11T16:00:00Z",
        "share_id": "01a9b1c4-7d2e-7c31-9a34-2f2d7f0a8f11",
        "share_token": "sample",
        "calendar_slug": None,
    },
)
