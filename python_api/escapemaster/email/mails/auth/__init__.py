"""Auth's mails: what opens an account, or confirms something about it."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Annotated, Final

from pydantic import Field

from escapemaster.email.content import Content, Mail, MailData, Site, Typed

#: What Auth asks for that has words of its own; anything else has general ones.
KINDS: Final = frozenset(
    {"signup", "invite", "magiclink", "recovery", "email_change", "reauthentication"}
)
_PRODUCT: Final = "Escapemaster"


class Data(MailData):
    """What the database hands over.

    Attributes:
        kind: As Auth names it: one of `KINDS`, or another.
        code: What can be typed; None: nothing.
        link: What opens it; None: there is the code only.
        new_email: Of email_change: the address that is to be the account's.
    """

    kind: str
    code: Typed | None = None
    link: Annotated[str, Field(pattern=r"\Ahttps?://[!-~]+\z")] | None = None
    new_email: Typed | None = None


def _content(asked: Data, _: str, site: Site) -> Content:
    name = parseaddr(site.email_from)[0] or _PRODUCT
    return Content(
        sender=name,
        words={
            "organization_name": name,
            "code": asked.code or "",
            "new_email": asked.new_email or "",
        },
        values={"link": asked.link or ""},
        rows=lambda _: [],
        variant=asked.kind if asked.kind in KINDS else "",
    )


MAIL = Mail(
    Data,
    _content,
    {
        "kind": "signup",
        "code": "123456",
        "link": "https://auth.example.test/auth/v1/verify?token=sample&type=signup",
    },
)
