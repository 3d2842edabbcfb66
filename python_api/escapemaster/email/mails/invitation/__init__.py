"""Invites somebody to work for an organization."""

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
from escapemaster.email.links import with_secret
from escapemaster.email.texts import Texts


class Data(MailData):
    """What the database hands over."""

    organization_name: Typed
    role_name: Typed
    invitation_token: str
    expires_at: datetime
    timezone: str


def _content(invitation: Data, language: str, site: Site) -> Content:
    ends = instant_words(invitation.expires_at, invitation.timezone, language)

    def rows(text: Texts) -> list[Row]:
        return [
            (text("role"), invitation.role_name, ""),
            (text("valid_until"), capital(ends["day"]), f"{ends['clock']}, {text('local_time')}"),
        ]

    accept = with_secret(site.public_url, invitation.invitation_token, "invitation")
    return Content(
        sender=invitation.organization_name,
        words={
            "organization_name": invitation.organization_name,
            "role_name": invitation.role_name,
            **ends,
        },
        values={"accept_url": accept},
        rows=rows,
    )


MAIL = Mail(
    Data,
    _content,
    {
        "organization_name": "Casa Laberinto",
        "role_name": "Game master",
        "invitation_token": "sample",
        "expires_at": "2027-05-15T17:30:00Z",
        "timezone": "Europe/Madrid",
    },
)
