"""Tells a member that the file which they asked for is ready."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

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
from escapemaster.email.formatting import month_in_words
from escapemaster.email.texts import Texts


class Data(MailData):
    """What the database hands over.

    Attributes:
        rows_of: What the rows are about; `month`: the report of one.
        first_date: The first of that month.
        expires_at: When the file is deleted.
    """

    organization_name: Typed
    rows_of: Literal["bookings", "payments", "customers", "waivers", "results", "month"]
    format: Literal["csv", "xlsx", "pdf"]
    row_count: int
    first_date: date | None = None
    expires_at: datetime
    timezone: str


def _extent(ready: Data, text: Texts, language: str) -> Row:
    """How much is in it: of a month, which."""
    if ready.first_date is None:
        return text("rows"), str(ready.row_count), ""
    return text("month"), capital(month_in_words(ready.first_date, language)), ""


def _content(ready: Data, language: str, _site: Site) -> Content:
    ends = instant_words(ready.expires_at, ready.timezone, language)

    def rows(text: Texts) -> list[Row]:
        return [
            (text("file"), text(f"kind_{ready.rows_of}"), ready.format.upper()),
            _extent(ready, text, language),
            (text("until"), capital(ends["day"]), f"{ends['clock']}, {text('local_time')}"),
        ]

    return Content(
        sender=ready.organization_name,
        words={"organization_name": ready.organization_name, **ends},
        values={},
        rows=rows,
    )


MAIL = Mail(
    Data,
    _content,
    {
        "organization_name": "Casa Laberinto",
        "rows_of": "bookings",
        "format": "xlsx",
        "row_count": 1284,
        "expires_at": "2027-05-18T10:00:00Z",
        "timezone": "Europe/Madrid",
    },
)
