"""A finished mail, and what a transport has to promise."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formataddr, parseaddr
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that comes with a mail. `method`: of a calendar (RFC 5546)."""

    filename: str
    content_type: str
    content: bytes
    method: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A rendered mail. `sender` is shown as the name of whoever the mail is about."""

    template: str
    language: str
    sender: str
    to_name: str
    to_address: str
    subject: str
    html: str
    text: str
    attachments: tuple[Attachment, ...] = ()


class Transport(Protocol):
    """Hands mails over, each at most once."""

    #: What is recorded beside the id of a mail: `resend`, `mailbox`.
    name: str

    async def send(self, message: Message, key: str) -> str:
        """Hand `message` over and return the id under which it was taken.

        Args:
            message: What to send.
            key: Names this one mail. A second call with the same key must not send again, also
                when the first one's answer was lost.

        Raises:
            EmailError: It was not taken, or it is not known whether it was.
        """
        ...


def from_header(sender: str, configured: str) -> str:
    """The From header: the venue's name before the configured address.

    Args:
        sender: Whose name a reader knows.
        configured: EMAIL_FROM, an address with or without a name.
    """
    name, address = parseaddr(configured)
    return formataddr((" ".join(sender.split()) or name, address))
