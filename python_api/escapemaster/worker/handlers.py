"""What each kind of job does.

A job holds ids only. Its handler reads the current state, acts on a provider under a key that is
the same for every attempt, and tells the database, which takes the same news any number of times.
So a handler may be stopped anywhere and run again.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from escapemaster.database import Job, ServiceDatabase
from escapemaster.email.message import Transport
from escapemaster.email.rendering import Site, render
from escapemaster.errors import EscapemasterError, PaymentError
from escapemaster.logging import get_logger
from escapemaster.payments.model import RefundOrder
from escapemaster.payments.stripe_gateway import StripeGateway
from escapemaster.storage import Storage
from escapemaster.worker.export import write_rows

#: Where exports are kept: private, read through signed URLs.
EXPORTS_BUCKET: Final = "exports"
#: An export is given up after so many attempts, some ten minutes: somebody is waiting for it, and
#: can ask for another.
EXPORT_ATTEMPTS: Final = 8

_log = get_logger("jobs")


@dataclass(frozen=True, slots=True)
class Tools:
    """What handlers work with."""

    database: ServiceDatabase
    stripe: StripeGateway
    mail: Transport
    storage: Storage
    site: Site


class UnknownJobError(EscapemasterError):
    """A kind of job that this version does not know. A newer one may: the job is kept."""

    retryable = True


class ExportFailedError(EscapemasterError):
    """An export that is given up, and says so to whoever asked for it."""


class InvalidJobError(EscapemasterError):
    """A job whose payload makes no sense: no repetition will change that."""


Handler = Callable[[Job, Tools], Awaitable[None]]


async def handle(job: Job, tools: Tools) -> None:
    """Do a job.

    Raises:
        EscapemasterError: It is not done; `retryable` says whether to try again.
    """
    handler = HANDLERS.get(job.kind)
    if handler is None:
        raise UnknownJobError("job_kind_unknown", job.kind)
    await handler(job, tools)


def email_key(job: Job) -> str:
    """The key under which a job's mail is sent: the same for every attempt.

    The payload is part of it, because job ids start again in an emptied database while the
    provider's, or the mailbox's, memory goes on.
    """
    payload = json.dumps(job.payload, sort_keys=True, separators=(",", ":"))
    return f"email-{job.id}-{hashlib.sha256(payload.encode()).hexdigest()[:16]}"


async def send_email(job: Job, tools: Tools) -> None:
    """`email.send`: write the mail as things stand now, send it, and say so."""
    prepared = await tools.database.prepare_email(job.id, job.lease_token)
    if prepared is None:
        _log.info("email.not_needed")
        return
    message = render(prepared, tools.site)
    message_id = await tools.mail.send(message, email_key(job))
    await tools.database.record_email(job.id, job.lease_token, tools.mail.name, message_id)
    _log.info("email.sent", template=message.template, provider=tools.mail.name)


async def sync_stripe_object(job: Job, tools: Tools) -> None:
    """`stripe.sync`: read an object's current state from Stripe and apply it."""
    wanted = _payload(job, _SyncPayload)
    match wanted.object_type:
        case "checkout.session":
            session = await tools.stripe.retrieve_checkout_session(wanted.object_id, wanted.account)
            await tools.database.apply_checkout_session(session.as_json())
            _log.info(
                "stripe.session_applied",
                status=session.status,
                payment_status=session.payment_status,
            )
        case "refund":
            refund = await tools.stripe.retrieve_refund(wanted.object_id, wanted.account)
            await tools.database.apply_refund(refund.as_json())
            _log.info("stripe.refund_applied", status=refund.status)
        case _:
            # A newer database may know more kinds than this worker; nothing depends on it yet.
            _log.info("stripe.object_ignored", object_type=wanted.object_type)


async def refund(job: Job, tools: Tools) -> None:
    """`stripe.refund`: pay back, once."""
    wanted = _payload(job, _RefundPayload)
    request = await tools.database.get_refund_request(
        wanted.organization_id, wanted.refund_request_id
    )
    if request.status != "pending":
        return
    if request.provider_refund_id is not None:
        made = await tools.stripe.retrieve_refund(
            request.provider_refund_id, request.stripe_account
        )
    else:
        if request.payment_intent is None:
            raise PaymentError(
                "refund_without_payment", "the payment was not made online", retryable=False
            )
        order = RefundOrder(
            refund_request_id=request.refund_request_id,
            organization_id=request.organization_id,
            payment_intent=request.payment_intent,
            amount_cents=request.amount_cents,
            currency=request.currency,
            stripe_account=request.stripe_account,
        )
        # A first attempt cannot have made it yet.
        found = await tools.stripe.find_refund(order) if job.attempt > 1 else None
        made = found or await tools.stripe.create_refund(order)
    await tools.database.apply_refund(made.as_json())
    _log.info("stripe.refunded", status=made.status, amount_cents=made.amount)


async def expire_checkout(job: Job, tools: Tools) -> None:
    """`stripe.expire_checkout`: close a payment page, unless somebody has paid on it."""
    wanted = _payload(job, _ExpirePayload)
    attempt = await tools.database.get_checkout_attempt(wanted.attempt_id)
    if attempt.session_id is None or attempt.status != "open":
        return
    session = await tools.stripe.expire_checkout_session(attempt.session_id, attempt.stripe_account)
    await tools.database.apply_checkout_session(session.as_json())
    _log.info("stripe.checkout_closed", status=session.status)


async def export_organization(job: Job, tools: Tools) -> None:
    """`organization.export`: write all rows of a tenant into one file, for its owner to fetch."""
    wanted = _payload(job, _ExportPayload)
    path = f"{wanted.organization_id}/{wanted.export_id}.jsonl"
    try:
        if job.attempt > EXPORT_ATTEMPTS:
            raise ExportFailedError("export_given_up", "the last attempt did not come to its end")
        with tempfile.TemporaryFile() as file:
            rows = await write_rows(tools.database, job, file)
            if rows == 0:
                _log.info("export.not_needed")  # the tenant has been erased
                return
            await tools.storage.upload(EXPORTS_BUCKET, path, file, "application/x-ndjson")
    except EscapemasterError as error:
        if error.retryable and job.attempt < EXPORT_ATTEMPTS:
            raise
        await tools.database.finish_export(wanted.organization_id, wanted.export_id, None, None)
        raise ExportFailedError("export_failed", error.code) from error
    await tools.database.finish_export(wanted.organization_id, wanted.export_id, path, rows)
    _log.info("export.finished", rows=rows)


async def erase_files(job: Job, tools: Tools) -> None:
    """`storage.erase`: delete the files of a tenant that has been erased, from every bucket."""
    wanted = _payload(job, _ErasePayload)
    for bucket in await tools.storage.buckets():
        erased = await tools.storage.erase(bucket, str(wanted.organization_id))
        _log.info("files.erased", bucket=bucket, files=erased)


#: What this worker can do.
HANDLERS: Final[Mapping[str, Handler]] = {
    "email.send": send_email,
    "stripe.sync": sync_stripe_object,
    "stripe.refund": refund,
    "stripe.expire_checkout": expire_checkout,
    "organization.export": export_organization,
    "storage.erase": erase_files,
}

#: Kinds of job that take their time, with the seconds that one attempt may last.
LONGER: Final[Mapping[str, float]] = {"organization.export": 1800.0, "storage.erase": 1800.0}


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _SyncPayload(_Payload):
    object_type: str
    object_id: str
    account: str | None = None


class _RefundPayload(_Payload):
    organization_id: UUID
    refund_request_id: UUID


class _ExportPayload(_Payload):
    organization_id: UUID
    export_id: UUID


class _ErasePayload(_Payload):
    organization_id: UUID


class _ExpirePayload(_Payload):
    attempt_id: UUID


P = TypeVar("P", bound=_Payload)


def _payload(job: Job, shape: type[P]) -> P:
    try:
        return shape.model_validate(job.payload)
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        raise InvalidJobError("job_payload_invalid", wrong) from None
