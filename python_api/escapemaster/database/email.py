"""Mails: what they say, an organization's own words, what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import JsonValue, TypeAdapter

from escapemaster.database.functions import BOOLEAN, IGNORED, Functions, Row
from escapemaster.database.received import RECEIVED, Received


class Recipient(Row):
    """Whom a mail goes to."""

    name: str
    email: str


class EmailOverride(Row):
    """An organization's own words for a mail; None: the product's."""

    subject: str | None = None
    body: str | None = None


class PreparedEmail(Row):
    """Everything a template needs, read in the moment of sending."""

    template: str
    locale: str
    to: Recipient
    data: dict[str, JsonValue]
    override: EmailOverride | None = None
    sender_address: str | None = None


class SenderDomain(Row):
    """A venue's own sender domain that is to be read.

    Attributes:
        provider_id: What the provider calls it; None: it is to be made there.
        claimed_at: One that the provider had before then is somebody else's.
        is_proven: Whether it is the venue's alone; until then nothing is made.
        proof: What proves it in the DNS.
    """

    domain: str
    provider_id: str | None
    claimed_at: datetime
    is_proven: bool
    proof: str


class EmailWords(EmailOverride):
    """An organization's own words for a mail, which are to be tried."""

    template: str
    locale: str


class Unsubscribed(Row):
    """Who does not write any more."""

    organization_name: str


class AnsweredNoticeLink(Row):
    """What became of an address for notices."""

    organization_name: str
    is_told: bool


_ANSWERED_NOTICE_LINK: Final = TypeAdapter[AnsweredNoticeLink](AnsweredNoticeLink)
_UNSUBSCRIBED: Final = TypeAdapter[Unsubscribed](Unsubscribed)
_PREPARED_EMAIL: Final = TypeAdapter[PreparedEmail | None](PreparedEmail | None)
_SENDER_DOMAIN: Final = TypeAdapter[SenderDomain | None](SenderDomain | None)
_EMAIL_WORDS: Final = TypeAdapter[EmailWords | None](EmailWords | None)


class EmailCalls:
    """The calls about mails."""

    _functions: Functions

    async def prepare_email(self, job_id: int, lease_token: UUID) -> PreparedEmail | None:
        """Read what a mail has to say now, or None if it must not be sent any more."""
        return await self._functions.call(
            "prepare_email",
            _PREPARED_EMAIL,
            {"job_id": job_id, "lease_token": lease_token},
        )

    async def record_email(
        self, job_id: int, lease_token: UUID, provider: str, provider_message_id: str
    ) -> None:
        """Remember who took a mail and under which id."""
        await self._functions.call(
            "record_email",
            IGNORED,
            {
                "job_id": job_id,
                "lease_token": lease_token,
                "provider": provider,
                "provider_message_id": provider_message_id,
            },
        )

    async def read_email_words(self, job_id: int, lease_token: UUID) -> EmailWords | None:
        """Read the own words that a job is to try, or None if they are gone."""
        return await self._functions.call(
            "read_email_words", _EMAIL_WORDS, {"job_id": job_id, "lease_token": lease_token}
        )

    async def record_email_words(
        self,
        job_id: int,
        lease_token: UUID,
        words: EmailOverride,
        problem: Mapping[str, str | int] | None,
    ) -> None:
        """Tell an organization whether its own words can be used; `problem` says why not."""
        await self._functions.call(
            "record_email_words",
            IGNORED,
            {
                "job_id": job_id,
                "lease_token": lease_token,
                "subject": words.subject,
                "body": words.body,
                "problem": problem,
            },
        )

    async def read_sender_domain(self, job_id: int, lease_token: UUID) -> SenderDomain | None:
        """Read which sender domain a job is about, or None if it was given up."""
        return await self._functions.call(
            "read_sender_domain", _SENDER_DOMAIN, {"job_id": job_id, "lease_token": lease_token}
        )

    async def prove_sender_domain(
        self, job_id: int, lease_token: UUID, proofs: Sequence[str]
    ) -> bool:
        """Say which proofs stand in its DNS. True: it is the venue's alone from now on."""
        return await self._functions.call(
            "prove_sender_domain",
            BOOLEAN,
            {"job_id": job_id, "lease_token": lease_token, "proofs": proofs},
        )

    async def record_sender_domain(
        self,
        job_id: int,
        lease_token: UUID,
        provider_id: str | None,
        status: str,
        records: Sequence[Mapping[str, object]],
    ) -> bool:
        """Write down what the provider says of it. False: it is not the venue's any more."""
        return await self._functions.call(
            "record_sender_domain",
            BOOLEAN,
            {
                "job_id": job_id,
                "lease_token": lease_token,
                "provider_id": provider_id,
                "status": status,
                "records": records,
            },
        )

    async def doubt_sender_domain(self, job_id: int, lease_token: UUID) -> None:
        """Say that the provider refused a mail's own sender: later ones have the platform's."""
        await self._functions.call(
            "doubt_sender_domain", IGNORED, {"job_id": job_id, "lease_token": lease_token}
        )

    async def unsubscribe(self, token: str) -> Unsubscribed:
        """Take back a customer's consent to marketing, by the link in a mail."""
        return await self._functions.call("unsubscribe", _UNSUBSCRIBED, {"token": token})

    async def answer_notice_link(self, token: str) -> AnsweredNoticeLink:
        """Begin or end the notices to an address, by the link in a mail to it."""
        return await self._functions.call(
            "answer_notice_link", _ANSWERED_NOTICE_LINK, {"token": token}
        )

    async def record_email_event(self, event: Mapping[str, object]) -> Received:
        """Put what became of a mail (delivered, bounced, complained) into the inbox, once."""
        return await self._functions.call("record_email_event", RECEIVED, {"event": event})
