"""Tells owners and administrators that a webhook endpoint was switched off."""

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
from escapemaster.email.texts import Texts


class Data(MailData):
    """What the database hands over.

    Attributes:
        host: Of the endpoint's address; the rest of it may be a secret.
        gone: It answered that it is gone; otherwise nothing arrived for three days.
    """

    organization_name: Typed
    endpoint_name: Typed
    host: str
    gone: bool
    disabled_at: datetime
    timezone: str


def _content(disabled: Data, language: str, _site: Site) -> Content:
    since = instant_words(disabled.disabled_at, disabled.timezone, language)

    def rows(text: Texts) -> list[Row]:
        return [
            (text("endpoint"), disabled.endpoint_name, disabled.host),
            (text("reason"), text("reason_gone" if disabled.gone else "reason_failing"), ""),
            (text("since"), capital(since["day"]), f"{since['clock']}, {text('local_time')}"),
        ]

    return Content(
        sender=disabled.organization_name,
        words={
            "organization_name": disabled.organization_name,
            "endpoint_name": disabled.endpoint_name,
            **since,
        },
        values={},
        rows=rows,
    )


MAIL = Mail(
    Data,
    _content,
    {
        "organization_name": "Casa Laberinto",
        "endpoint_name": "Contabilidad",
        "host": "hooks.example.com",
        "gone": False,
        "disabled_at": "2027-05-15T10:00:00Z",
        "timezone": "Europe/Madrid",
    },
)
