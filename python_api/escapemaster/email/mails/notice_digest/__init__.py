"""Tells staff once a day what happened to bookings."""

from __future__ import annotations

from escapemaster.email.content import Content, Mail, MailData, Row, Site, Typed
from escapemaster.email.notices import NoticeData, notice_line, stop_url
from escapemaster.email.texts import Texts


class Data(MailData):
    """What the database hands over; more: how many there are beside the items."""

    organization_name: Typed
    timezone: str
    items: tuple[NoticeData, ...]
    more: int = 0
    stop_token: str | None = None


def _content(digest: Data, language: str, site: Site) -> Content:
    def rows(text: Texts) -> list[Row]:
        return [notice_line(notice, language, text) for notice in digest.items]

    stop = stop_url(site, digest.stop_token, language)
    return Content(
        sender=digest.organization_name,
        words={
            "organization_name": digest.organization_name,
            "count": len(digest.items) + digest.more,
        },
        values={"stop_url": stop or "", "by_address": digest.stop_token is not None},
        rows=rows,
        paragraphs={
            "rest": lambda text: [text("and_more", left=str(digest.more))] if digest.more else []
        },
        unsubscribe_url=stop,
    )


MAIL = Mail(
    Data,
    _content,
    {
        "organization_name": "Casa Laberinto",
        "timezone": "Europe/Madrid",
        "items": [
            {
                "type": "booking_new",
                "happened": "booking_new",
                "room_name": "La cripta",
                "timezone": "Europe/Madrid",
                "starts_at": "2027-05-15T17:30:00Z",
                "party_size": 4,
                "reference": "ABCD-2345",
                "customer_name": "Marta Soler",
            },
            {
                "type": "booking_cancelled",
                "happened": "booking_cancelled",
                "lapsed": True,
                "room_name": "El faro",
                "timezone": "Europe/Madrid",
                "starts_at": "2027-05-16T09:00:00Z",
                "party_size": 2,
                "reference": "WXYZ-6789",
            },
        ],
        "more": 3,
    },
)
