"""The local mailbox: SMTP to hand over, and its web API to know what arrived.

For development and tests. SMTP has no idempotency key, so the Message-ID takes its place: it is
derived from the key, and the mailbox is asked for it before every hand-over. A worker that was
killed between handing over and saying so finds its mail there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

import aiosmtplib
import httpx

from escapemaster.email.message import Message, display_name, sender_address
from escapemaster.errors import EmailError

_TIMEOUT: Final = 10.0
#: Refusals of our account, not of the mail (RFC 4954, 6; RFC 3207, 4): the operator mends them, and
#: the mail must still be there afterwards.
_OPERATORS: Final = frozenset({530, 534, 535, 538})


class MailboxTransport:
    """Hands mails to a MailDev server."""

    name = "mailbox"

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        mailbox_url: str,
        smtp_host: str,
        smtp_port: int,
        email_from: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self._http = http
        self._mailbox_url = mailbox_url.rstrip("/")
        self._smtp_host = smtp_host
        self._smtp_port = smtp_port
        self._email_from = email_from

    async def send(self, message: Message, key: str) -> str:
        """See `Transport.send`."""
        message_id = f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@escapemaster.local>"
        if not await self._has(message_id):
            await self._hand_over(_mime(message, message_id, self._email_from, self._now()))
        return message_id

    async def _has(self, message_id: str) -> bool:
        try:
            response = await self._http.get(
                f"{self._mailbox_url}/api/email",
                params={"headers.message-id": message_id},
                timeout=_TIMEOUT,
            )
            response.raise_for_status()
            return len(response.json()) > 0
        except (httpx.HTTPError, ValueError) as error:
            # Sending without knowing could send twice.
            raise EmailError("mailbox_unreachable", type(error).__name__, retryable=True) from error

    async def _hand_over(self, mail: EmailMessage) -> None:
        try:
            await aiosmtplib.send(
                mail,
                hostname=self._smtp_host,
                port=self._smtp_port,
                timeout=_TIMEOUT,
                start_tls=False,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            # One mail has one recipient.
            raise _refused("address_refused", error.recipients[0].code) from error
        except (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPSenderRefused) as error:
            raise _refused("address_refused", error.code) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refused("smtp_failed", error.code) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise EmailError("smtp_failed", type(error).__name__, retryable=True) from error


def _refused(code: str, reply: int) -> EmailError:
    """A reply of the server as an error: 5xx alone is final, 4xx is for a moment only.

    A server that greylists answers 450 or 451 to whom it does not know yet, and takes the mail some
    minutes later. https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1
    """
    final = 500 <= reply <= 599 and reply not in _OPERATORS
    return EmailError(code, f"SMTP {reply}", retryable=not final)


def _mime(message: Message, message_id: str, email_from: str, now: datetime) -> EmailMessage:
    mail = EmailMessage()
    mail["Message-ID"] = message_id
    mail["Date"] = format_datetime(now)
    name, address = sender_address(message.sender, message.sender_address or email_from)
    try:
        # Not as text: that is read anew, and a decoded name could then be taken for addresses.
        mail["From"] = Address(name, addr_spec=address)
        mail["To"] = Address(display_name(message.to_name), addr_spec=message.to_address)
    except (ValueError, IndexError) as error:
        raise EmailError("address_invalid", type(error).__name__, retryable=False) from None
    if message.reply_to:
        mail["Reply-To"] = message.reply_to
    mail["Subject"] = message.subject
    mail["X-Template"] = message.template
    for name, value in message.list_headers().items():
        mail[name] = value
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    _, page = mail.iter_parts()
    for file in message.attachments:
        if file.content_id is None:
            continue
        kind, subtype = file.content_type.split("/")
        page.add_related(
            file.content,
            maintype=kind,
            subtype=subtype,
            filename=file.filename,
            disposition="inline",
            cid=f"<{file.content_id}>",
        )
    for file in message.attachments:
        if file.content_id is not None:
            continue
        kind, subtype = file.content_type.split("/")
        mail.add_attachment(
            file.content,
            maintype=kind,
            subtype=subtype,
            filename=file.filename,
            params={"charset": "utf-8", "method": file.method} if file.method else {},
        )
    # Last, because setting the content takes away the headers that describe it.
    mail["Content-Language"] = message.language
    return mail
