"""A finished mail, and what a transport has to promise."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import formataddr, parseaddr
from typing import Final, Literal, Protocol

#: What looks like an address inside a name, or like a name that is encoded already (RFC 2047, 2),
#: and what no header holds.
_DECEPTIVE: Final = re.compile(r"[<>\x00-\x1f\x7f-\x9f\ud800-\udfff]|@(?=\S)|=\?|\?=")
#: What has a meaning between addresses (RFC 5322, 3.2.3). The dot changes nothing.
_MEANINGFUL: Final = re.compile(r"""[()\[\]:;@\\,"]""")
#: Characters of a name that are shown.
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that comes with a mail.

    Attributes:
        method: Of a calendar (RFC 5546).
        content_id: Of a picture that the page shows where it says `cid:<content_id>`.
    """

    filename: str
    content_type: str
    content: bytes
    method: str | None = None
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A rendered mail.

    Attributes:
        sender: Shown as the name of whoever the mail is about.
        unsubscribe_url: As in `Content`.
        reply_to: As in `Content`.
        sender_address: The sender's own address; None: the configured one.
    """

    template: str
    language: str
    sender: str
    to_name: str
    to_address: str
    subject: str
    html: str
    text: str
    attachments: tuple[Attachment, ...] = ()
    unsubscribe_url: str | None = None
    reply_to: str | None = None
    sender_address: str | None = None

    def list_headers(self) -> dict[str, str]:
        """What lets a mail program end such mails with one click (RFC 2369, RFC 8058)."""
        if not self.unsubscribe_url:
            return {}
        return {
            "List-Unsubscribe": f"<{self.unsubscribe_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }


def page_by_itself(message: Message) -> str:
    """The page with its pictures inside of it, for whoever has no mail around it."""
    page = message.html
    for file in message.attachments:
        if file.content_id is not None:
            content = base64.b64encode(file.content).decode("ascii")
            source = f"data:{file.content_type};base64,{content}"
            page = page.replace(f"cid:{file.content_id}", source)
    return page


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


@dataclass(frozen=True, slots=True)
class SenderState:
    """What a provider says of a venue's own sender domain.

    Attributes:
        provider_id: What it calls it; None: it has none, or somebody else's.
        records: What is to be set in its DNS: {type, name, value, priority, status}.
    """

    provider_id: str | None
    status: Literal["pending", "verified", "failed"]
    records: tuple[Mapping[str, object], ...] = ()


class Senders(Protocol):
    """The provider's sender domains, and whose they are."""

    async def proofs(self, domain: str, own: str) -> list[str]:
        """What stands in a domain's DNS of proofs whose it is, a venue's or several.

        Args:
            domain: Its name.
            own: The proof that is looked for.

        Raises:
            EmailError: Nobody said.
        """
        ...

    async def state(
        self, domain: str, provider_id: str | None, claimed_at: datetime
    ) -> SenderState:
        """How a domain does. Without an id it is made; called again, it is found.

        Args:
            domain: Its name.
            provider_id: What the provider calls it.
            claimed_at: Since when it is the venue's: an older one is somebody else's.

        Raises:
            EmailError: The provider did not say.
        """
        ...

    async def remove(self, provider_id: str) -> None:
        """Remove a domain; one that is gone is removed.

        Raises:
            EmailError: The provider did not.
        """
        ...


class LocalSenders:
    """A local stack sends to its own mailbox only: any domain is as good as verified."""

    async def proofs(self, domain: str, own: str) -> list[str]:  # noqa: ARG002 - any has it
        """See `Senders.proofs`."""
        return [own]

    async def state(
        self, domain: str, provider_id: str | None, claimed_at: datetime
    ) -> SenderState:
        """See `Senders.state`."""
        return SenderState(provider_id or f"local-{domain}-{claimed_at.timestamp()}", "verified")

    async def remove(self, provider_id: str) -> None:
        """See `Senders.remove`."""


def display_name(name: str) -> str:
    """A name as it may stand before an address, which says whose mail it is.

    An ASCII name is quoted. Another one is encoded, and programs on the way decode it and read it
    anew, not all of them with care: nothing that could end the name is left in it.
    """
    name = _DECEPTIVE.sub(" ", name)
    if not name.isascii():
        name = _MEANINGFUL.sub(" ", name)
    return " ".join(name.split())[:_LONGEST_NAME].strip()


def sender_address(sender: str, configured: str) -> tuple[str, str]:
    """The name and the address that a mail comes from.

    Args:
        sender: Whose name a reader knows.
        configured: EMAIL_FROM, an address with or without a name.
    """
    name, address = parseaddr(configured)
    return display_name(sender) or display_name(name), address


def from_header(sender: str, configured: str) -> str:
    """The From header: the venue's name before the configured address. Arguments as above."""
    return formataddr(sender_address(sender, configured))
