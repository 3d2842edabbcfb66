"""What each kind of job does.

A job holds ids only. Its handler reads the current state, acts on a provider under a key that is
the same for every attempt, and tells the database, which takes the same news any number of times.
So a handler may be stopped anywhere and run again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from escapemaster.database import Job, RefundRequest, ServiceDatabase
from escapemaster.email.content import Site
from escapemaster.email.mails import sample
from escapemaster.email.message import LocalSenders, Senders, Transport
from escapemaster.email.rendering import compose
from escapemaster.email.resend_transport import SENDER_REFUSED
from escapemaster.errors import (
    DomainError,
    EmailError,
    EscapemasterError,
    IgnoredError,
    PaymentError,
)
from escapemaster.logging import get_logger
from escapemaster.payments.accounts import sync_account
from escapemaster.payments.model import RefundOrder
from escapemaster.payments.stripe_gateway import StripeGateway
from escapemaster.payments.subscriptions import sync_customer
from escapemaster.reports.month import write_month
from escapemaster.storage import Storage
from escapemaster.webhooks.posting import Poster
from escapemaster.worker.export import write_rows
from escapemaster.worker.tables import CONTENT_TYPES, write_table

#: Where exports are kept: private, read through signed URLs.
EXPORTS_BUCKET: Final = "exports"
#: Where members' exports of one kind of row are kept: private, each read by whoever asked for it.
TABLE_EXPORTS_BUCKET: Final = "table-exports"
#: An export is given up after so many attempts, some ten minutes: somebody is waiting for it, and
#: can ask for another.
EXPORT_ATTEMPTS: Final = 8
#: Objects of which nothing is known but by an event that names them.
_OF_EVENTS: Final = frozenset({"checkout.session", "refund", "dispute"})
#: Events that one job posts at most, one after the other: each may take ten seconds of its time.
WEBHOOKS_A_JOB: Final = 8

_log = get_logger("jobs")


@dataclass(frozen=True, slots=True)
class Tools:
    """What handlers work with."""

    database: ServiceDatabase
    stripe: StripeGateway
    mail: Transport
    storage: Storage
    site: Site
    webhooks: Poster = field(default_factory=Poster)
    senders: Senders = field(default_factory=LocalSenders)


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
    # Beside the loop, which extends leases meanwhile: a voucher's paper takes tenths of a second.
    message, problem = await asyncio.to_thread(compose, prepared, tools.site)
    if problem is not None and prepared.override is not None:
        await tools.database.record_email_words(
            job.id, job.lease_token, prepared.override, problem.as_json()
        )
    if message.unsubscribe_url == "":
        # An operator mends it; until then nobody gets what they could not end.
        raise EmailError("service_url_missing", "SERVICE_URL", retryable=True)
    try:
        message_id = await tools.mail.send(message, email_key(job))
    except EmailError as error:
        if error.code == SENDER_REFUSED:
            # The next attempt, and every other mail of the venue, has the platform's.
            await tools.database.doubt_sender_domain(job.id, job.lease_token)
        raise
    await tools.database.record_email(job.id, job.lease_token, tools.mail.name, message_id)
    _log.info("email.sent", template=message.template, provider=tools.mail.name)


async def read_sender_domain(job: Job, tools: Tools) -> None:
    """`sender.read`: have the provider make a venue's own sender domain, or read its status.

    Nothing is made for a domain before its DNS names the claim: the provider knows a name once,
    and a stranger's claim would have it for as long as it waits.
    """
    wanted = await tools.database.read_sender_domain(job.id, job.lease_token)
    if wanted is None:
        return
    if not wanted.is_proven:
        proofs = await tools.senders.proofs(wanted.domain, wanted.proof)
        if not await tools.database.prove_sender_domain(job.id, job.lease_token, proofs):
            _log.info("sender.unproven")
            return
        # Since when it is the venue's is said anew.
        wanted = await tools.database.read_sender_domain(job.id, job.lease_token)
        if wanted is None:
            return
    state = await tools.senders.state(wanted.domain, wanted.provider_id, wanted.claimed_at)
    kept = await tools.database.record_sender_domain(
        job.id, job.lease_token, state.provider_id, state.status, state.records
    )
    if not kept and wanted.provider_id is None and state.provider_id is not None:
        # Given up while it was made, or proven by somebody else.
        await tools.senders.remove(state.provider_id)
    _log.info("sender.read", status=state.status)


async def remove_sender_domain(job: Job, tools: Tools) -> None:
    """`sender.remove`: remove a sender domain that was given up at the provider."""
    await tools.senders.remove(_payload(job, _RemovePayload).provider_id)


async def check_words(job: Job, tools: Tools) -> None:
    """`email.check`: try an organization's own words on a sample, and tell it the result."""
    words = await tools.database.read_email_words(job.id, job.lease_token)
    if words is None:
        return
    _, problem = compose(sample(words.template, words.locale, words), tools.site)
    told = None if problem is None else problem.as_json()
    await tools.database.record_email_words(job.id, job.lease_token, words, told)


async def sync_stripe_object(job: Job, tools: Tools) -> None:
    """`stripe.sync`, `stripe.read_billing`: read an object as Stripe has it now and apply it.

    Raises:
        IgnoredError: Money was said to move at an object that Stripe does not know.
    """
    wanted = _payload(job, SyncPayload)
    try:
        await apply_stripe_object(wanted, job, tools)
    except PaymentError as error:
        if error.code != "resource_missing" or wanted.object_type not in _OF_EVENTS:
            raise
        # As of another mode's key, or of an event that is no more than one: an operator sees it.
        raise IgnoredError(error.code, str(error)) from error


async def apply_stripe_object(wanted: SyncPayload, job: Job, tools: Tools) -> None:
    """What each kind of object that an event may name is read by, and applied."""
    match wanted.object_type:
        case "checkout.session":
            await _sync_session(wanted, job, tools)
        case "refund":
            refund = await tools.stripe.retrieve_refund(wanted.object_id, wanted.account)
            await tools.database.apply_refund(job, refund.as_json())
            _log.info("stripe.refund_applied", status=refund.status)
        case "dispute":
            dispute = await tools.stripe.retrieve_dispute(wanted.object_id, wanted.account)
            await tools.database.apply_dispute(job, dispute.as_json())
            _log.warning("stripe.dispute_applied", status=dispute.status, reason=dispute.reason)
        case "account":
            await sync_account(tools.database, tools.stripe, wanted.object_id, job)
        case "subscription" | "invoice" | "customer":
            await _sync_billing(wanted, tools)
        case _:
            # A newer database may know more kinds than this worker; nothing depends on it yet.
            _log.info("stripe.object_ignored", object_type=wanted.object_type)


async def _sync_billing(wanted: SyncPayload, tools: Tools) -> None:
    """Whatever came of a customer, all that it has is read: one event more or less is the same."""
    if wanted.account is not None:
        # What a venue sells its own customers is no business of ours.
        _log.info("stripe.object_ignored", object_type=wanted.object_type)
        return
    customer = await tools.stripe.customer_of(wanted.object_type, wanted.object_id)
    if customer is not None:
        await sync_customer(tools.database, tools.stripe, customer)


async def _sync_session(wanted: SyncPayload, job: Job, tools: Tools) -> None:
    """One that Stripe does not know is over, since nobody can pay on it."""
    try:
        session = await tools.stripe.retrieve_checkout_session(wanted.object_id, wanted.account)
    except PaymentError as error:
        if error.code != "resource_missing" or wanted.attempt_id is None:
            raise
        over = {
            "id": wanted.object_id,
            "status": "expired",
            "payment_status": "unpaid",
            "client_reference_id": str(wanted.attempt_id),
        }
        await tools.database.apply_checkout_session(job, over)
        _log.warning("stripe.session_unknown", attempt_id=str(wanted.attempt_id))
        return
    if session.customer is not None and wanted.account is None:
        await sync_customer(tools.database, tools.stripe, session.customer)
        return
    await tools.database.apply_checkout_session(job, session.as_json())
    _log.info(
        "stripe.session_applied", status=session.status, payment_status=session.payment_status
    )


async def refund(job: Job, tools: Tools) -> None:
    """`stripe.refund`: pay back, once.

    What the provider has paid back already comes first, at every attempt: an attempt before this
    one, which a restored database or a forgotten idempotency key would repeat, or a person on the
    dashboard, whose event is late. The database takes that out of what is promised, and the rest is
    refunded.
    """
    request = await tools.database.get_refund_request(job)
    if request.status != "pending":
        return
    if request.provider_refund_id is not None:
        made = await tools.stripe.retrieve_refund(
            request.provider_refund_id, request.stripe_account
        )
        await tools.database.apply_refund(job, made.as_json())
        return
    payment = request.payment_intent
    if payment is None:
        raise PaymentError(
            "refund_without_payment", "the payment was not made online", retryable=False
        )
    request = await _what_is_left(payment, request, job, tools)
    if request.status != "pending" or request.provider_refund_id is not None:
        _log.info("stripe.refund_not_needed", status=request.status)
        return
    if request.disputed:
        # The provider refunds nothing of it; the database queues it anew once that is decided.
        _log.info("stripe.refund_waits")
        return
    order = RefundOrder(
        refund_request_id=request.refund_request_id,
        organization_id=request.organization_id,
        payment_intent=payment,
        amount_cents=request.amount_cents,
        currency=request.currency,
        stripe_account=request.stripe_account,
        refund_fee=request.refund_fee,
        disputes=request.disputes,
    )
    try:
        made = await tools.stripe.create_refund(order)
    except PaymentError as error:
        if error.retryable or await _what_is_left(payment, request, job, tools) == request:
            if error.code == "charge_disputed" and await _is_decided_elsewhere(job, tools):
                _log.info("stripe.refund_waits")
                return
            raise
        # Somebody refunds on the dashboard at this moment.
        raise PaymentError("refund_overtaken", error.code, retryable=True) from error
    await tools.database.apply_refund(job, made.as_json())
    _log.info("stripe.refunded", status=made.status, amount_cents=made.amount)


async def _is_decided_elsewhere(job: Job, tools: Tools) -> bool:
    """Whether the dispute for which Stripe refuses has been heard of meanwhile, or was lost."""
    request = await tools.database.get_refund_request(job)
    return request.disputed or request.status != "pending"


async def _what_is_left(
    payment: str, request: RefundRequest, job: Job, tools: Tools
) -> RefundRequest:
    """The request after the ledger knows of every refund of the payment that Stripe knows of."""
    known = await tools.stripe.list_refunds(payment, request.stripe_account)
    for made in known:
        await tools.database.apply_refund(job, made.as_json())
    own = [made for made in known if made.refund_request_id == str(request.refund_request_id)]
    if own:
        return request.model_copy(update={"provider_refund_id": own[-1].id})
    return await tools.database.get_refund_request(job) if known else request


async def expire_checkout(job: Job, tools: Tools) -> None:
    """`stripe.expire_checkout`: close a payment page, unless somebody has paid on it."""
    attempt = await tools.database.get_checkout_attempt(job)
    if attempt.session_id is None or attempt.status != "open":
        return
    session = await tools.stripe.expire_checkout_session(attempt.session_id, attempt.stripe_account)
    await tools.database.apply_checkout_session(job, session.as_json())
    _log.info("stripe.checkout_closed", status=session.status)


async def export_organization(job: Job, tools: Tools) -> None:
    """`organization.export`: write all rows of a tenant into one file, for its owner to fetch."""
    wanted = _payload(job, _ExportPayload)
    path = f"{wanted.organization_id}/{wanted.export_id}.jsonl"
    async with _export(job, lambda: tools.database.finish_export(job, None, None)):
        with tempfile.NamedTemporaryFile() as file:
            rows = await write_rows(tools.database, job, file)
            file.flush()
            if rows == 0:
                _log.info("export.not_needed")  # the tenant has been erased
                return
            await tools.storage.upload(
                EXPORTS_BUCKET, path, Path(file.name), "application/x-ndjson"
            )
    await tools.database.finish_export(job, path, rows)
    _log.info("export.finished", rows=rows)


async def export_table(job: Job, tools: Tools) -> None:
    """`table.export`: write rows of one kind, or a month, into a file for a member to fetch."""
    async with _export(job, lambda: tools.database.finish_table_export(job, None)):
        wanted = await tools.database.begin_table_export(job)
        if wanted is None:
            _log.info("export.not_needed")
            return
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, f"export.{wanted.format}")
            try:
                if wanted.kind == "month":
                    figures = await tools.database.read_month(job)
                    # Beside the loop, which extends leases meanwhile: it takes tenths of a second.
                    rows = await asyncio.to_thread(write_month, figures, wanted.locale, file)
                else:
                    rows = await write_table(tools.database, job, wanted, file)
            except DomainError as error:
                if error.code != "export_not_allowed":
                    raise
                # A permission was taken away meanwhile: nobody waits for the file any more.
                await tools.database.finish_table_export(job, None)
                _log.info("export.not_allowed", kind=wanted.kind)
                return
            await tools.storage.upload(
                TABLE_EXPORTS_BUCKET, wanted.object_path, file, CONTENT_TYPES[wanted.format]
            )
    await tools.database.finish_table_export(job, rows)
    _log.info("export.finished", kind=wanted.kind, format=wanted.format, rows=rows)


@asynccontextmanager
async def _export(job: Job, give_up: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """An attempt to make a file that somebody waits for: the last one that fails says so."""
    try:
        if job.attempt > EXPORT_ATTEMPTS:
            raise ExportFailedError("export_given_up", "the last attempt did not come to its end")
        yield
    except EscapemasterError as error:
        if error.retryable and job.attempt < EXPORT_ATTEMPTS:
            raise
        await give_up()
        raise ExportFailedError("export_failed", error.code) from error


async def erase_export(job: Job, tools: Tools) -> None:
    """`export.erase`: delete a file whose time is over."""
    await tools.storage.remove(TABLE_EXPORTS_BUCKET, _payload(job, _FilePayload).object_path)


async def erase_files(job: Job, tools: Tools) -> None:
    """`storage.erase`: delete the files of a tenant that has been erased, from every bucket."""
    wanted = _payload(job, _ErasePayload)
    failed: EscapemasterError | None = None
    for bucket in await tools.storage.buckets():
        try:
            erased = await tools.storage.erase(bucket, str(wanted.organization_id))
        except EscapemasterError as error:
            # What one bucket keeps must not keep the others' files.
            _log.error("files.not_erased", bucket=bucket, exc_info=error)
            failed = failed or error
        else:
            _log.info("files.erased", bucket=bucket, files=erased)
    if failed is not None:
        raise failed


async def deliver_webhooks(job: Job, tools: Tools) -> None:
    """`webhook.deliver`: post what waits about a booking to an endpoint, the first one first.

    Ends with the first that does not arrive: those after it wait for it.
    """
    for _ in range(WEBHOOKS_A_JOB):
        prepared = await tools.database.prepare_webhook(job)
        if prepared is None:
            return
        headers = {
            "content-type": "application/json",
            "user-agent": "Escapemaster-Webhooks/1",
            "webhook-id": str(prepared.event_id),
            "webhook-timestamp": prepared.webhook_timestamp,
            "webhook-signature": prepared.webhook_signature,
        }
        posted = await tools.webhooks.post(prepared.url, headers, prepared.body.encode())
        recorded = await tools.database.record_webhook(
            job,
            prepared,
            outcome=posted.outcome,
            answer_code=posted.code,
            duration_ms=posted.milliseconds,
        )
        _log.info(
            "webhook.posted",
            delivery_id=str(prepared.delivery_id),
            outcome=posted.outcome,
            status=recorded.status,
        )
        if recorded.endpoint_disabled:
            _log.warning("webhook.endpoint_disabled", delivery_id=str(prepared.delivery_id))
        if recorded.status != "delivered":
            return


#: What this worker can do.
HANDLERS: Final[Mapping[str, Handler]] = {
    "email.send": send_email,
    "email.check": check_words,
    "sender.read": read_sender_domain,
    "sender.remove": remove_sender_domain,
    "stripe.sync": sync_stripe_object,
    "stripe.read_billing": sync_stripe_object,
    "stripe.refund": refund,
    "stripe.expire_checkout": expire_checkout,
    "organization.export": export_organization,
    "table.export": export_table,
    "export.erase": erase_export,
    "storage.erase": erase_files,
    "webhook.deliver": deliver_webhooks,
}

#: Kinds of job that take their time, with the seconds that one attempt may last.
LONGER: Final[Mapping[str, float]] = {
    "organization.export": 1800.0,
    "table.export": 1800.0,
    "storage.erase": 1800.0,
}


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SyncPayload(_Payload):
    """What is to be read anew at Stripe."""

    object_type: str
    object_id: str
    account: str | None = None
    #: Of a payment page that nothing was heard of; an event does not name it.
    attempt_id: UUID | None = None


class _ExportPayload(_Payload):
    organization_id: UUID
    export_id: UUID


class _FilePayload(_Payload):
    object_path: str


class _RemovePayload(_Payload):
    provider_id: str


class _ErasePayload(_Payload):
    organization_id: UUID


P = TypeVar("P", bound=_Payload)


def _payload(job: Job, shape: type[P]) -> P:
    try:
        return shape.model_validate(job.payload)
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        raise InvalidJobError("job_payload_invalid", wrong) from None
