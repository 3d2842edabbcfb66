"""Webhooks out: what is to be posted, and what became of it."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from pydantic import TypeAdapter

from escapemaster.database.functions import Functions, Row
from escapemaster.database.queue import Job, lease


class PreparedWebhook(Row):
    """An event to be posted to an endpoint.

    Attributes:
        attempt: Counts from 1.
        webhook_timestamp: Signed; a consumer refuses what is older than some minutes.
        webhook_signature: By each secret that counts, which the database keeps to itself.
        body: JSON, to be sent as it is.
    """

    delivery_id: UUID
    event_id: UUID
    attempt: int
    url: str
    webhook_timestamp: str
    webhook_signature: str
    body: str


class RecordedWebhook(Row):
    """What an attempt made of a delivery, and whether the endpoint was given up with it."""

    status: str
    endpoint_disabled: bool


_PREPARED: Final = TypeAdapter[PreparedWebhook | None](PreparedWebhook | None)
_RECORDED: Final = TypeAdapter[RecordedWebhook](RecordedWebhook)


class WebhookCalls:
    """The calls about webhooks."""

    _functions: Functions

    async def prepare_webhook(self, job: Job) -> PreparedWebhook | None:
        """Read what a job is to post now, or None if there is nothing to do."""
        return await self._functions.call("prepare_webhook", _PREPARED, lease(job))

    async def record_webhook(
        self,
        job: Job,
        prepared: PreparedWebhook,
        *,
        outcome: str,
        answer_code: int | None,
        duration_ms: int,
    ) -> RecordedWebhook:
        """Report an attempt; reported again, it changes nothing."""
        return await self._functions.call(
            "record_webhook",
            _RECORDED,
            {
                **lease(job),
                "delivery_id": prepared.delivery_id,
                "attempt": prepared.attempt,
                "outcome": outcome,
                "answer_code": answer_code,
                "duration_ms": duration_ms,
            },
        )
