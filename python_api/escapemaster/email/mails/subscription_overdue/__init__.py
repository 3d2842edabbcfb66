"""Tells an owner that the subscription is overdue, and from when on members only read."""

from __future__ import annotations

from datetime import datetime

from escapemaster.email.content import (
    Content,
    Mail,
    MailData,
    Row,
    Site,
    Typed,
    capital,
    instant_words,
)
from escapemaster.email.formatting import money
from escapemaster.email.texts import Texts


class Data(MailData):
    """What the database hands over. Amounts in minor units of `currency`."""

    organization_name: Typed
    currency: str
    due_cents: int
    writes_end_at: datetime
    timezone: str


def _content(overdue: Data, language: str, _site: Site) -> Content:
    amount = money(overdue.due_cents, overdue.currency, language)
    stops = instant_words(overdue.writes_end_at, overdue.timezone, language)

    def rows(text: Texts) -> list[Row]:
        from_then = f"{stops['clock']}, {text('local_time')}"
        return [
            (text("amount"), amount, ""),
            (text("writes_end"), capital(stops["day"]), from_then),
        ]

    return Content(
        sender=overdue.organization_name,
        words={"organization_name": overdue.organization_name, "amount": amount, **stops},
        values={},
        rows=rows,
    )


MAIL = Mail(
    Data,
    _content,
    {
        "organization_name": "Casa Laberinto",
        "currency": "EUR",
        "due_cents": 7900,
        "writes_end_at": "2027-05-15T10:00:00Z",
        "timezone": "Europe/Madrid",
    },
)
