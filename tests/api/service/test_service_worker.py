"""The worker: every job is done once, by one worker, and none is lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from structlog.testing import capture_logs

from escapemaster.database import Job, ServiceDatabase, connection_pool
from escapemaster.email.content import Site
from escapemaster.email.mails import sample
from escapemaster.email.message import Message, SenderState
from escapemaster.email.resend_transport import SENDER_REFUSED
from escapemaster.errors import (
    DomainError,
    EmailError,
    EscapemasterError,
    IgnoredError,
    PaymentError,
    UnavailableError,
    UnexpectedError,
)
from escapemaster.payments.stripe_gateway import StripeGateway
from escapemaster.settings import Settings
from escapemaster.storage import PAGE, Storage
from escapemaster.worker import main
from escapemaster.worker.handlers import (
    EXPORT_ATTEMPTS,
    ExportFailedError,
    InvalidJobError,
    Tools,
    UnknownJobError,
    email_key,
    handle,
)
from escapemaster.worker.health import READY_WITHIN, health_server
from escapemaster.worker.loop import Worker
from escapemaster.worker.metrics import WorkerMetrics
from escapemaster.worker.periodic import (
    EventReconciler,
    Periodic,
    periodic_tasks,
    reconcile_checkouts,
    repeat,
    sweep,
)

from .fakes import (
    FakePostgrest,
    FakeStorage,
    FakeStripe,
    described_bucket,
    stripe_error,
    stripe_event,
    stripe_refund,
    stripe_session,
)

LEASE = UUID("018f0000-0000-7000-8000-0000000000ff")
REQUEST = "018f0000-0000-7000-8000-00000000000a"
ORGANIZATION = "018f0000-0000-7000-8000-000000000002"
ATTEMPT = "018f0000-0000-7000-8000-000000000001"


def job(kind: str = "a.kind", *, number: int = 1, attempt: int = 1, **payload: Any) -> Job:
    return Job(id=number, kind=kind, payload=payload, attempt=attempt, lease_token=LEASE)


@dataclass
class FakeMail:
    """A transport that remembers."""

    name: str = "fake"
    sent: list[tuple[Message, str]] = field(default_factory=list)
    failure: EmailError | None = None

    async def send(self, message: Message, key: str) -> str:
        if self.failure is not None:
            raise self.failure
        self.sent.append((message, key))
        return f"message-{key}"


@pytest.fixture
def mail() -> FakeMail:
    return FakeMail()


@pytest.fixture
async def tools(
    postgrest: FakePostgrest, stripe_api: FakeStripe, mail: FakeMail, files: FakeStorage
) -> AsyncIterator[Tools]:
    async with (
        connection_pool(postgrest.transport) as pool,
        httpx.AsyncClient(transport=stripe_api.transport) as http,
        httpx.AsyncClient(transport=files.transport) as storage,
    ):
        yield Tools(
            database=ServiceDatabase(
                pool, url="http://gateway.test", secret_key="k", retry_delays=()
            ),
            stripe=StripeGateway(
                http,
                secret_key="sk",
                webhook_secret="w",
                api_base="http://stripe.test",
                max_network_retries=0,
            ),
            mail=mail,
            storage=Storage(storage, url="http://gateway.test/", secret_key="k"),
            site=Site("https://play.example.test/"),
        )


# -- handlers --------------------------------------------------------------------------------------

BOOKING = {
    "organization_name": "Enigma",
    "room_name": "The Attic",
    "timezone": "Europe/Madrid",
    "starts_at": "2026-02-14T18:30:00Z",
    "party_size": 5,
    "reference": "ABCD-2345",
    "manage_url_token": "t",
    "currency": "EUR",
    "total_cents": 12500,
}
MAIL_JOB: dict[str, Any] = {"template": "booking_confirmed", "booking_id": "b", "history_id": "h"}


async def test_a_mail_is_written_sent_and_recorded(
    tools: Tools, postgrest: FakePostgrest, mail: FakeMail
) -> None:
    postgrest.answer(
        "prepare_email",
        {
            "template": "booking_confirmed",
            "locale": "en",
            "to": {"name": "Marta", "email": "marta@example.test"},
            "data": BOOKING,
        },
    )
    postgrest.answer("record_email", {"recorded": True})
    work = job("email.send", number=7, **MAIL_JOB)
    with capture_logs() as lines:
        await handle(work, tools)
    [(message, key)] = mail.sent
    assert message.to_address == "marta@example.test"
    assert key == email_key(work)
    assert postgrest.called("record_email") == [
        {
            "job_id": 7,
            "lease_token": str(LEASE),
            "provider": "fake",
            "provider_message_id": f"message-{key}",
        }
    ]
    assert "marta" not in str(lines)


@pytest.mark.parametrize(
    "body",
    ["{{ " + "9" * 4891 + " }}", "{{ room.name }}", '{{ "\\ud800" }}', "{% if 0 %}x{% endif %}"],
)
async def test_words_that_cannot_be_used_are_told_to_the_organization_and_the_mail_goes_out(
    tools: Tools, postgrest: FakePostgrest, mail: FakeMail, body: str
) -> None:
    words = {"subject": None, "body": body}
    postgrest.returns(
        prepare_email={
            "template": "booking_confirmed",
            "locale": "en",
            "to": {"name": "Marta", "email": "marta@example.test"},
            "data": BOOKING,
            "override": words,
        },
        record_email={"recorded": True},
        record_email_words=None,
    )
    await handle(job("email.send", **MAIL_JOB), tools)
    assert len(mail.sent) == 1
    [told] = postgrest.called("record_email_words")
    assert (told["subject"], told["body"]) == (None, body)
    assert (told["problem"]["field"], told["problem"]["line"]) == ("body", 1)
    assert told["problem"]["problem"].endswith(".")


async def test_a_mail_whose_own_sender_is_refused_is_tried_again_from_the_platform_s(
    tools: Tools, postgrest: FakePostgrest, mail: FakeMail
) -> None:
    prepared = {
        "template": "booking_confirmed",
        "locale": "en",
        "to": {"name": "Marta", "email": "marta@example.test"},
        "data": BOOKING,
    }
    postgrest.answer("prepare_email", {**prepared, "sender_address": "a@v.example"}, prepared)
    postgrest.returns(doubt_sender_domain=None, record_email={"recorded": True})
    mail.failure = EmailError(SENDER_REFUSED, "HTTP 403", retryable=True)
    with pytest.raises(EmailError):
        await handle(job("email.send", **MAIL_JOB), tools)
    assert len(postgrest.called("doubt_sender_domain")) == 1
    mail.failure = None
    await handle(job("email.send", **MAIL_JOB), tools)
    assert [message.sender_address for message, _ in mail.sent] == [None]


async def test_a_sender_domain_is_read_and_one_that_was_given_up_is_removed(
    tools: Tools, postgrest: FakePostgrest
) -> None:
    removed: list[str] = []

    class Provider:
        async def proofs(self, domain: str, own: str) -> list[str]:
            return [f"{own} at {domain}"]

        async def state(self, domain: str, provider_id: str | None, _: datetime) -> SenderState:
            return SenderState(provider_id or f"d_{domain}", "pending")

        async def remove(self, provider_id: str) -> None:
            removed.append(provider_id)

    tools = replace(tools, senders=Provider())
    claimed = {
        "domain": "v.example", "provider_id": None, "claimed_at": "2026-01-01T00:00:00Z",
        "is_proven": False, "proof": "p",
    }  # fmt: skip
    proven = {**claimed, "is_proven": True}
    postgrest.answer("read_sender_domain", claimed, claimed, proven, proven, None)
    postgrest.answer("prove_sender_domain", False, True)
    postgrest.answer("record_sender_domain", True, False)
    await handle(job("sender.read"), tools)
    # Its DNS does not name the claim: nothing is made.
    assert postgrest.called("prove_sender_domain")[0]["proofs"] == ["p at v.example"]
    assert postgrest.called("record_sender_domain") == []
    await handle(job("sender.read"), tools)
    [told] = postgrest.called("record_sender_domain")
    assert (told["provider_id"], told["status"]) == ("d_v.example", "pending")
    assert removed == []
    await handle(job("sender.read"), tools)
    assert removed == ["d_v.example"]
    await handle(job("sender.read"), tools)
    await handle(job("sender.remove", provider_id="d_1"), tools)
    assert removed == ["d_v.example", "d_1"]


@pytest.mark.parametrize(
    ("body", "usable"),
    [
        ("{{ room_name }} is yours.", True),
        ("{% if refund %}{{ refund }} comes back.{% endif %}", True),
        ("{{ room.name }}", False),
        ("{{ code }}", False),
        ("{% if false %}x{% endif %}", False),
    ],
)
async def test_own_words_are_tried_when_they_are_stored(
    tools: Tools, postgrest: FakePostgrest, mail: FakeMail, body: str, usable: bool
) -> None:
    words = {"template": "booking_confirmed", "locale": "ca", "subject": "Hola", "body": body}
    postgrest.returns(read_email_words=words, record_email_words=None)
    await handle(job("email.check"), tools)
    [told] = postgrest.called("record_email_words")
    assert (told["body"], told["problem"] is None) == (body, usable)
    assert mail.sent == []


async def test_words_that_are_gone_are_not_tried(tools: Tools, postgrest: FakePostgrest) -> None:
    postgrest.returns(read_email_words=None)
    await handle(job("email.check"), tools)
    assert not postgrest.called("record_email_words")


async def test_what_its_reader_could_not_end_waits_until_it_can_be_ended(
    tools: Tools, postgrest: FakePostgrest, mail: FakeMail
) -> None:
    postgrest.answer("prepare_email", sample("review_request", "es").model_dump())
    postgrest.answer("record_email", {"recorded": True})
    with pytest.raises(EmailError, match="SERVICE_URL") as failed:
        await handle(job("email.send", **MAIL_JOB), tools)
    assert failed.value.retryable and mail.sent == []
    served = replace(tools, site=replace(tools.site, service_url="https://api.example.test"))
    await handle(job("email.send", **MAIL_JOB), served)
    [(message, _)] = mail.sent
    assert message.list_headers()["List-Unsubscribe"].startswith("<https://api.example.test/v1/")


async def test_a_mail_that_has_been_overtaken_is_not_sent(
    tools: Tools, postgrest: FakePostgrest, mail: FakeMail
) -> None:
    postgrest.answer("prepare_email", None)
    await handle(job("email.send", **MAIL_JOB), tools)
    assert mail.sent == []
    assert not postgrest.called("record_email")


def test_a_mail_s_key_is_the_same_for_every_attempt_and_for_no_other_mail() -> None:
    first = email_key(job("email.send", number=7, attempt=1, a="1", b="2"))
    assert first == email_key(job("email.send", number=7, attempt=9, b="2", a="1"))
    assert first != email_key(job("email.send", number=8, a="1", b="2"))
    assert first != email_key(job("email.send", number=7, a="1", b="3"))


async def test_a_session_s_current_state_is_applied_whatever_the_event_said(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    stripe_api.answer(
        "GET /v1/checkout/sessions/cs_1",
        stripe_session(status="complete", payment_status="paid", payment_intent="pi_1"),
    )
    postgrest.answer("apply_checkout_session", {"status": "paid"})
    await handle(
        job("stripe.sync", object_type="checkout.session", object_id="cs_1", account="acct_1"),
        tools,
    )
    [applied] = postgrest.called("apply_checkout_session")
    assert (applied["session"]["status"], applied["session"]["payment_status"]) == (
        "complete",
        "paid",
    )
    assert stripe_api.calls[0].headers["stripe-account"] == "acct_1"


async def test_a_refund_s_current_state_is_applied(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    stripe_api.answer("GET /v1/refunds/re_1", stripe_refund(status="failed"))
    postgrest.answer("apply_refund", {})
    await handle(job("stripe.sync", object_type="refund", object_id="re_1", account=None), tools)
    assert postgrest.called("apply_refund")[0]["refund"]["status"] == "failed"


async def test_an_object_that_we_do_not_follow_is_acknowledged(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    await handle(job("stripe.sync", object_type="payout", object_id="po_1"), tools)
    assert postgrest.calls == []
    assert stripe_api.calls == []


def refund_request(**changes: Any) -> dict[str, Any]:
    return {
        "refund_request_id": REQUEST,
        "organization_id": ORGANIZATION,
        "booking_id": ATTEMPT,
        "reference": "ABCD-2345",
        "status": "pending",
        "amount_cents": 5000,
        "currency": "EUR",
        "reason": "cancelled",
        "payment_intent": "pi_1",
        "stripe_account": None,
        "provider_refund_id": None,
        **changes,
    }


def refund_job(attempt: int = 1) -> Job:
    return job(
        "stripe.refund", attempt=attempt, organization_id=ORGANIZATION, refund_request_id=REQUEST
    )


def no_refunds(stripe_api: FakeStripe) -> None:
    stripe_api.answer("GET /v1/refunds", refunds())


def refunds(*made: dict[str, Any]) -> dict[str, Any]:
    """Stripe's list of them, newest first."""
    return {"object": "list", "data": list(made), "has_more": False}


async def test_a_refund_is_made_and_applied(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer("get_refund_request", refund_request())
    postgrest.answer("apply_refund", {})
    no_refunds(stripe_api)
    stripe_api.answer("POST /v1/refunds", stripe_refund())
    await handle(refund_job(), tools)
    [made] = stripe_api.called("POST /v1/refunds")
    assert made.form["amount"] == "5000"
    assert postgrest.called("apply_refund")[0]["refund"]["refund_request_id"] == REQUEST


@pytest.mark.parametrize("attempt", [1, 2])
async def test_a_refund_that_was_made_before_is_never_made_again(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe, attempt: int
) -> None:
    """Also at the first attempt: a restored backup does not know of the others, and Stripe forgets
    idempotency keys after a day."""
    postgrest.answer("get_refund_request", refund_request())
    postgrest.answer("apply_refund", {})
    stripe_api.answer("GET /v1/refunds", refunds(stripe_refund()))
    await handle(refund_job(attempt), tools)
    assert not stripe_api.called("POST /v1/refunds")
    assert [call["refund"]["id"] for call in postgrest.called("apply_refund")] == ["re_1"]


async def test_what_was_refunded_on_the_dashboard_is_taken_in_and_the_rest_paid(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    by_hand = stripe_refund(id="re_hand", amount=2500, metadata={})
    postgrest.answer(
        "get_refund_request", refund_request(amount_cents=6000), refund_request(amount_cents=3500)
    )
    postgrest.answer("apply_refund", {})
    stripe_api.answer("GET /v1/refunds", refunds(by_hand))
    stripe_api.answer("POST /v1/refunds", stripe_refund(id="re_rest", amount=3500))
    await handle(refund_job(), tools)
    [made] = stripe_api.called("POST /v1/refunds")
    assert made.form["amount"] == "3500"
    assert made.headers["idempotency-key"] == f"refund-{REQUEST}-3500"
    assert [call["refund"]["id"] for call in postgrest.called("apply_refund")] == [
        "re_hand",
        "re_rest",
    ]


async def test_nothing_is_asked_for_when_the_dashboard_paid_back_all_of_it(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer("get_refund_request", refund_request(), refund_request(status="withdrawn"))
    postgrest.answer("apply_refund", {})
    stripe_api.answer("GET /v1/refunds", refunds(stripe_refund(id="re_hand", metadata={})))
    await handle(refund_job(), tools)
    assert not stripe_api.called("POST /v1/refunds")


async def test_a_refund_on_the_dashboard_at_the_same_moment_is_looked_at_again(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer("get_refund_request", refund_request(), refund_request(amount_cents=2500))
    postgrest.answer("apply_refund", {})
    stripe_api.answer(
        "GET /v1/refunds", refunds(), refunds(stripe_refund(id="re_hand", amount=2500, metadata={}))
    )
    stripe_api.answer(
        "POST /v1/refunds", stripe_error(400, "invalid_request_error", param="amount")
    )
    with pytest.raises(PaymentError) as failed:
        await handle(refund_job(), tools)
    assert (failed.value.code, failed.value.retryable) == ("refund_overtaken", True)


async def test_a_refund_that_stripe_refuses_for_good_is_given_up(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer("get_refund_request", refund_request())
    no_refunds(stripe_api)
    stripe_api.answer(
        "POST /v1/refunds", stripe_error(400, "invalid_request_error", code="charge_disputed")
    )
    with pytest.raises(PaymentError) as failed:
        await handle(refund_job(), tools)
    assert (failed.value.code, failed.value.retryable) == ("charge_disputed", False)


async def test_of_a_disputed_payment_nothing_is_asked_for(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer("get_refund_request", refund_request(disputed=True, disputes=1))
    no_refunds(stripe_api)
    await handle(refund_job(), tools)
    assert not stripe_api.called("POST /v1/refunds")


@pytest.mark.parametrize("heard", [{"disputed": True, "disputes": 1}, {"status": "withdrawn"}])
async def test_a_refusal_for_a_dispute_that_was_heard_of_meanwhile_ends_the_job(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe, heard: dict[str, Any]
) -> None:
    postgrest.answer("get_refund_request", refund_request(), refund_request(**heard))
    no_refunds(stripe_api)
    stripe_api.answer(
        "POST /v1/refunds", stripe_error(400, "invalid_request_error", code="charge_disputed")
    )
    await handle(refund_job(), tools)
    assert not postgrest.called("apply_refund")


async def test_after_a_dispute_the_refund_is_asked_for_under_another_key(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer("get_refund_request", refund_request(disputes=1))
    postgrest.answer("apply_refund", {})
    no_refunds(stripe_api)
    stripe_api.answer("POST /v1/refunds", stripe_refund())
    await handle(refund_job(), tools)
    [made] = stripe_api.called("POST /v1/refunds")
    assert made.headers["idempotency-key"] == f"refund-{REQUEST}-5000-1"


async def test_a_dispute_is_read_and_recorded(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    stripe_api.answer(
        "GET /v1/disputes/du_1",
        {
            "object": "dispute",
            "id": "du_1",
            "status": "needs_response",
            "reason": "fraudulent",
            "amount": 6000,
            "currency": "eur",
            "payment_intent": "pi_1",
            "evidence_details": {"due_by": None},
        },
    )
    postgrest.answer("apply_dispute", {})
    await handle(job("stripe.sync", object_type="dispute", object_id="du_1"), tools)
    [applied] = postgrest.called("apply_dispute")
    assert (applied["dispute"]["amount"], applied["dispute"]["payment_intent"]) == (6000, "pi_1")


async def test_a_refund_that_is_under_way_is_looked_at(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer("get_refund_request", refund_request(provider_refund_id="re_1"))
    postgrest.answer("apply_refund", {})
    stripe_api.answer("GET /v1/refunds/re_1", stripe_refund())
    await handle(refund_job(), tools)
    assert not stripe_api.called("POST /v1/refunds")


async def test_a_refund_that_is_over_is_left_alone(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer("get_refund_request", refund_request(status="succeeded"))
    await handle(refund_job(), tools)
    assert stripe_api.calls == []


async def test_money_that_was_not_paid_online_cannot_be_refunded_online(
    tools: Tools, postgrest: FakePostgrest
) -> None:
    postgrest.answer("get_refund_request", refund_request(payment_intent=None))
    with pytest.raises(PaymentError) as failed:
        await handle(refund_job(), tools)
    assert not failed.value.retryable


async def test_a_page_that_nobody_may_pay_on_any_more_is_closed(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer(
        "get_checkout_attempt",
        {"session_id": "cs_1", "status": "open", "stripe_account": "acct_1"},
    )
    postgrest.answer("apply_checkout_session", {})
    stripe_api.answer("POST /v1/checkout/sessions/cs_1/expire", stripe_session(status="expired"))
    await handle(
        job("stripe.expire_checkout", organization_id=ORGANIZATION, attempt_id=ATTEMPT), tools
    )
    assert postgrest.called("apply_checkout_session")[0]["session"]["status"] == "expired"
    assert stripe_api.calls[0].headers["stripe-account"] == "acct_1"


@pytest.mark.parametrize(
    "attempt", [{"session_id": None, "status": "open"}, {"session_id": "cs_1", "status": "paid"}]
)
async def test_a_page_that_is_not_open_needs_no_closing(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe, attempt: dict[str, Any]
) -> None:
    postgrest.answer("get_checkout_attempt", attempt)
    await handle(job("stripe.expire_checkout", attempt_id=ATTEMPT), tools)
    assert stripe_api.calls == []


EXPORT: dict[str, Any] = {"organization_id": ORGANIZATION, "export_id": REQUEST}
#: The lease of the job that `job` makes.
LEASED: dict[str, Any] = {"job_id": 1, "lease_token": str(LEASE)}
EXPORTED = f"{ORGANIZATION}/{REQUEST}.jsonl"


def exported(number: int) -> dict[str, Any]:
    return {"table": "rooms", "row": {"id": number, "name": "Ático"}}


async def test_an_export_is_read_to_an_empty_page_and_stored(
    tools: Tools, postgrest: FakePostgrest, files: FakeStorage
) -> None:
    # The second page is shorter than the first: that is not the end.
    first, second, third = [exported(1), exported(2)], [exported(3)], [exported(4)]
    postgrest.answer("read_organization", first, second, third, [])
    postgrest.answer("finish_export", None)
    await handle(job("organization.export", **EXPORT), tools)
    lines = files.files["exports"][EXPORTED].decode().splitlines()
    assert [json.loads(line) for line in lines] == [exported(number) for number in (1, 2, 3, 4)]
    assert [call["after"] for call in postgrest.called("read_organization")] == [
        None,
        exported(2),
        exported(3),
        exported(4),
    ]
    assert postgrest.called("finish_export") == [
        {**LEASED, "object_path": EXPORTED, "row_count": 4}
    ]
    [upload] = files.requests
    assert upload.headers["x-upsert"] == "true"
    assert upload.headers["apikey"] == "k"
    [form] = files.uploaded
    assert form["file"].get_content_type() == "application/x-ndjson"
    assert form["cacheControl"].get_payload() == "0"
    assert upload.headers["content-length"] == str(len(upload.content))
    assert "transfer-encoding" not in upload.headers


async def test_an_erased_tenant_is_not_exported(
    tools: Tools, postgrest: FakePostgrest, files: FakeStorage
) -> None:
    postgrest.answer("read_organization", [])
    await handle(job("organization.export", **EXPORT), tools)
    assert files.requests == []
    assert postgrest.called("finish_export") == []


async def test_an_export_is_tried_again_and_given_up_in_the_end(
    tools: Tools, postgrest: FakePostgrest, files: FakeStorage
) -> None:
    postgrest.answer("read_organization", [exported(1)], [], [exported(1)], [])
    postgrest.answer("finish_export", None)
    files.broken = [httpx.Response(503), httpx.Response(503)]
    with pytest.raises(UnavailableError):
        await handle(job("organization.export", attempt=EXPORT_ATTEMPTS - 1, **EXPORT), tools)
    assert postgrest.called("finish_export") == []
    with pytest.raises(ExportFailedError) as failed:
        await handle(job("organization.export", attempt=EXPORT_ATTEMPTS, **EXPORT), tools)
    assert not failed.value.retryable
    assert "storage_unavailable" in str(failed.value)
    given_up = {**LEASED, "object_path": None, "row_count": None}
    assert postgrest.called("finish_export") == [given_up]


async def test_an_export_whose_last_attempt_was_cut_off_is_given_up(
    tools: Tools, postgrest: FakePostgrest
) -> None:
    postgrest.answer("finish_export", None)
    with pytest.raises(ExportFailedError):
        await handle(job("organization.export", attempt=EXPORT_ATTEMPTS + 1, **EXPORT), tools)
    assert postgrest.called("read_organization") == []
    [ended] = postgrest.called("finish_export")
    assert ended["object_path"] is None


@pytest.mark.parametrize("flat", [False, True])
async def test_an_erased_tenant_s_files_go_from_every_bucket_and_folder(
    tools: Tools, files: FakeStorage, flat: bool
) -> None:
    other = {f"{REQUEST}/keep.txt": b"", f"{ORGANIZATION}x/keep.txt": b""}
    many = {f"{ORGANIZATION}/{number:04}.txt": b"" for number in range(PAGE + 1)}
    deep = {f"{ORGANIZATION}/a/b.txt": b"", f"{ORGANIZATION}/a/c/d é.txt": b""}
    files.files = {"documents": {**many, **other}, "photos": {**deep, **other}, "empty": {}}
    files.flat = flat
    await handle(job("storage.erase", organization_id=ORGANIZATION), tools)
    assert files.files == {"documents": other, "photos": other, "empty": {}}
    deleted = [json.loads(one.content) for one in files.requests if one.method == "DELETE"]
    assert [len(one["prefixes"]) for one in deleted] == [PAGE, 1, 2]


async def test_files_that_stay_are_noticed(tools: Tools, files: FakeStorage) -> None:
    files.files["exports"][EXPORTED] = b""
    files.deletes = False
    with pytest.raises(UnexpectedError) as failed:
        await handle(job("storage.erase", organization_id=ORGANIZATION), tools)
    assert (failed.value.code, failed.value.retryable) == ("storage_not_erased", True)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (httpx.ConnectError("secret"), "storage_unavailable"),
        (httpx.Response(500, text="secret"), "storage_unavailable"),
        (httpx.Response(429, text="secret"), "storage_unavailable"),
        (httpx.Response(503, text="secret"), "storage_unavailable"),
        (httpx.Response(544, text="secret"), "storage_unavailable"),
        (httpx.Response(408, text="secret"), "storage_unavailable"),
        (httpx.Response(423, text="secret"), "storage_unavailable"),
        (httpx.Response(400, text="secret"), "storage_error"),
        (httpx.Response(403, text="secret"), "storage_error"),
        (httpx.Response(404, text="secret"), "storage_error"),
        (httpx.Response(413, text="secret"), "storage_error"),
        (httpx.Response(200, text="secret"), "storage_contract"),
        (httpx.Response(200, json=[{"name": "secret"}]), "storage_contract"),
    ],
)
async def test_what_storage_answers_is_translated_without_its_words(
    tools: Tools, files: FakeStorage, answer: httpx.Response | Exception, code: str
) -> None:
    files.broken = [answer]
    with pytest.raises(EscapemasterError) as failed:
        await tools.storage.buckets()
    assert (failed.value.code, failed.value.retryable) == (code, True)
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    "broken",
    [
        job("stripe.sync"),
        job("organization.export", organization_id=ORGANIZATION),
        job("storage.erase"),
    ],
)
async def test_a_job_that_nobody_understands_is_given_up(tools: Tools, broken: Job) -> None:
    with pytest.raises(InvalidJobError) as failed:
        await handle(broken, tools)
    assert not failed.value.retryable


@pytest.mark.parametrize(
    ("kind", "asked"),
    [("stripe.refund", "get_refund_request"), ("stripe.expire_checkout", "get_checkout_attempt")],
)
@pytest.mark.parametrize("code", ["PT404", "PT409", "22P02"])
async def test_a_job_in_which_the_database_finds_nothing_to_do_is_given_up(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe, kind: str, asked: str, code: str
) -> None:
    postgrest.refuse(asked, code, "refused")
    with pytest.raises(DomainError) as failed:
        await handle(job(kind), tools)
    assert not failed.value.retryable
    assert stripe_api.calls == []


async def test_a_kind_that_only_a_newer_version_knows_is_kept_for_it(tools: Tools) -> None:
    with pytest.raises(UnknownJobError) as failed:
        await handle(job("a.kind.of.tomorrow"), tools)
    assert failed.value.retryable


# -- loop ------------------------------------------------------------------------------------------


@dataclass
class FakeQueue:
    """A queue in memory that remembers what it was told."""

    jobs: list[Job] = field(default_factory=list)
    told: list[tuple[Any, ...]] = field(default_factory=list)
    claims: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    claim_failures: list[Exception] = field(default_factory=list)
    extend: Callable[[], bool] = lambda: True
    complete: Callable[[], bool] = lambda: True
    failed: Callable[[], str | None] = lambda: "queued"
    lease_seconds: float = 3
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def claim_jobs(
        self, worker: str, max_jobs: int, lease_seconds: int, *, kept_for_money: int
    ) -> list[Job]:
        assert (worker, lease_seconds) == ("w", self.lease_seconds)
        self.claims.append(max_jobs)
        self.kept.append(kept_for_money)
        self.changed.set()
        if self.claim_failures:
            raise self.claim_failures.pop(0)
        taken, self.jobs = self.jobs[:max_jobs], self.jobs[max_jobs:]
        return taken

    async def complete_job(self, job_id: int, lease_token: UUID) -> bool:
        self._told("done", job_id, lease_token=lease_token)
        return self.complete()

    async def fail_job(
        self,
        job_id: int,
        lease_token: UUID,
        error: str,
        *,
        retry: bool,
        retry_after: int | None = None,
        ignored: bool = False,
    ) -> str | None:
        later = () if retry_after is None else (retry_after,)
        fate = "ignored" if ignored else "failed"
        self._told(fate, job_id, error, retry, *later, lease_token=lease_token)
        return self.failed()

    async def extend_job(self, job_id: int, lease_token: UUID, lease_seconds: int) -> bool:
        assert lease_seconds == self.lease_seconds
        self._told("extended", job_id, lease_token=lease_token)
        return self.extend()

    def _told(self, *what: Any, lease_token: UUID) -> None:
        assert lease_token == LEASE
        self.told.append(what)
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the queue has been told enough."""
        async with asyncio.timeout(60):
            while not condition():
                await self.changed.wait()
                self.changed.clear()


@asynccontextmanager
async def at_work(
    queue: FakeQueue, do: Callable[[Job], Awaitable[None]], **options: Any
) -> AsyncIterator[Worker]:
    """A worker that is told to stop at the end, and has stopped afterwards."""
    values: dict[str, Any] = {
        "name": "w",
        "poll_seconds": 0.01,
        "lease_seconds": queue.lease_seconds,
        **options,
    }
    worker = Worker(queue, do, **values)
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        async with asyncio.timeout(60):
            await running


async def nothing(_: Job) -> None:
    pass


async def test_jobs_are_done_and_reported() -> None:
    queue = FakeQueue([job(number=1), job(number=2)])
    async with at_work(queue, nothing) as worker:
        await queue.until(lambda: len(queue.told) == 2)
        assert worker.last_claim is not None
    assert sorted(queue.told) == [("done", 1), ("done", 2)]


async def test_a_worker_keeps_slots_for_money_and_says_how_many_are_left() -> None:
    moves_money = job("stripe.refund", number=1).model_copy(update={"money": True})
    queue = FakeQueue([moves_money, job("email.send", number=2)])
    release = asyncio.Event()

    async def hang(_: Job) -> None:
        await release.wait()

    async with at_work(queue, hang, concurrency=4, money_slots=2):
        await queue.until(lambda: len(queue.claims) >= 2)
        release.set()
    # Two slots are kept; one of them has its job, so one more is.
    assert list(zip(queue.claims, queue.kept, strict=True))[:2] == [(4, 2), (2, 1)]


async def test_no_more_jobs_are_taken_than_hands_are_free() -> None:
    queue = FakeQueue([job(number=number) for number in range(5)])
    full = asyncio.Event()
    busy: list[int] = []
    most = 0

    async def work(this: Job) -> None:
        nonlocal most
        busy.append(this.id)
        most = max(most, len(busy))
        if len(busy) == 2:
            # Long enough for the worker to look again with its hands full.
            asyncio.get_running_loop().call_later(0.03, full.set)
        await full.wait()
        busy.remove(this.id)

    async with at_work(queue, work, concurrency=2):
        await queue.until(lambda: len(queue.told) == 5)
    assert most == 2
    assert queue.claims[0] == 2


@pytest.mark.parametrize(
    ("failure", "reason", "retry"),
    [
        (UnavailableError("stripe", "away"), "stripe_unavailable: stripe: away", True),
        (PaymentError("no_such", "HTTP 404", retryable=False), "no_such: HTTP 404", False),
        (DomainError("attempt_not_found", 404, "Look."), "attempt_not_found: Look.", False),
        (ValueError("secret@example.test"), "ValueError", True),
    ],
)
async def test_a_failure_is_reported_with_its_reason_and_whether_to_try_again(
    failure: Exception, reason: str, retry: bool
) -> None:
    queue = FakeQueue([job()])

    async def fail(_: Job) -> None:
        raise failure

    async with at_work(queue, fail):
        await queue.until(lambda: bool(queue.told))
    assert queue.told == [("failed", 1, reason, retry)]


async def test_what_is_about_nothing_ends_with_its_reason_and_is_not_tried_again() -> None:
    queue = FakeQueue([job()])

    async def fail(_: Job) -> None:
        raise IgnoredError("resource_missing", "No such checkout.session")

    async with at_work(queue, fail):
        await queue.until(lambda: bool(queue.told))
    assert queue.told == [("ignored", 1, "resource_missing: No such checkout.session", False)]


@pytest.mark.parametrize(("attempt", "told"), [(1, (61,)), (2, ())])
async def test_a_mail_that_nobody_has_taken_waits_as_long_as_the_provider_says(
    attempt: int, told: tuple[int, ...]
) -> None:
    # An earlier attempt may have been taken: its key is remembered for a day only.
    queue = FakeQueue([job(attempt=attempt)])

    async def fail(_: Job) -> None:
        raise EmailError("daily_quota_exceeded", "HTTP 429", retryable=True, retry_after=60.2)

    async with at_work(queue, fail):
        await queue.until(lambda: bool(queue.told))
    assert queue.told == [("failed", 1, "daily_quota_exceeded: HTTP 429", True, *told)]


async def test_a_job_that_hangs_is_ended_and_tried_again() -> None:
    queue = FakeQueue([job()])

    async def hang(_: Job) -> None:
        await asyncio.Event().wait()

    async with at_work(queue, hang, job_timeout=0.01):
        await queue.until(lambda: bool(queue.told))
    assert queue.told == [("failed", 1, "TimeoutError", True)]


async def test_a_kind_of_job_that_takes_its_time_has_it() -> None:
    queue = FakeQueue([job(number=1), job("slow", number=2)])
    ended = asyncio.Event()

    async def work(one: Job) -> None:
        await ended.wait()

    async with at_work(queue, work, job_timeout=0.01, longer={"slow": 60.0}):
        await queue.until(lambda: bool(queue.told))
        ended.set()
        await queue.until(lambda: len(queue.told) == 2)
    assert queue.told == [("failed", 1, "TimeoutError", True), ("done", 2)]


async def test_a_lease_is_extended_while_its_job_runs() -> None:
    queue = FakeQueue([job()], lease_seconds=0.03)
    done = asyncio.Event()

    async def work(_: Job) -> None:
        await done.wait()

    async with at_work(queue, work):
        await queue.until(lambda: queue.told.count(("extended", 1)) >= 3)
        done.set()
        await queue.until(lambda: ("done", 1) in queue.told)


async def test_a_worker_that_lost_its_lease_stops_at_once_and_says_nothing() -> None:
    queue = FakeQueue([job()], extend=lambda: False, lease_seconds=0.03)
    stopped = asyncio.Event()

    async def work(_: Job) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with at_work(queue, work):
        async with asyncio.timeout(60):
            await stopped.wait()
    assert queue.told == [("extended", 1)]


async def test_a_lease_that_cannot_be_extended_in_time_counts_as_lost() -> None:
    def away() -> bool:
        raise UnavailableError("database", "away")

    queue = FakeQueue([job()], extend=away, lease_seconds=0.03)
    stopped = asyncio.Event()

    async def work(_: Job) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with at_work(queue, work):
        async with asyncio.timeout(60):
            await stopped.wait()
    assert {told[0] for told in queue.told} == {"extended"}
    assert len(queue.told) >= 2


async def test_a_queue_that_is_away_for_a_moment_does_not_end_the_worker() -> None:
    queue = FakeQueue([job()], claim_failures=[UnavailableError("database", "away")])
    async with at_work(queue, nothing):
        await queue.until(lambda: bool(queue.told))
    assert queue.told == [("done", 1)]


@pytest.mark.parametrize("lost", [True, False])
async def test_an_outcome_that_nobody_heard_is_not_the_worker_s_end(lost: bool) -> None:
    def away() -> bool:
        raise UnavailableError("database", "away")

    queue = FakeQueue([job(), job(number=2)], complete=(lambda: False) if lost else away)
    metrics = WorkerMetrics()
    async with at_work(queue, nothing, concurrency=1, metrics=metrics):
        await queue.until(lambda: len(queue.told) == 2)
    assert b'outcome="lost"} 2.0' in metrics.exposition()


async def test_told_to_stop_a_worker_finishes_what_it_has() -> None:
    queue = FakeQueue([job()])
    began, may_end = asyncio.Event(), asyncio.Event()

    async def work(_: Job) -> None:
        began.set()
        await may_end.wait()

    async with at_work(queue, work):
        async with asyncio.timeout(60):
            await began.wait()
        asyncio.get_running_loop().call_soon(may_end.set)
    assert queue.told == [("done", 1)]


@pytest.mark.parametrize("failed", ["queued", None])
async def test_what_cannot_be_finished_in_time_is_handed_back(failed: str | None) -> None:
    queue = FakeQueue([job()], failed=lambda: failed)
    began = asyncio.Event()

    async def work(_: Job) -> None:
        began.set()
        await asyncio.Event().wait()

    async with at_work(queue, work, grace=0.01):
        async with asyncio.timeout(60):
            await began.wait()
    assert queue.told == [("failed", 1, "the worker stopped", True)]


async def test_a_failure_after_the_lease_was_lost_counts_as_lost() -> None:
    queue = FakeQueue([job()], failed=lambda: None)
    metrics = WorkerMetrics()

    async def fail(_: Job) -> None:
        raise UnavailableError("stripe", "away")

    async with at_work(queue, fail, metrics=metrics):
        await queue.until(lambda: bool(queue.told))
    assert b'escapemaster_jobs_processed_total{kind="a.kind",outcome="lost"} 1.0' in (
        metrics.exposition()
    )


# -- periodic --------------------------------------------------------------------------------------


async def test_what_is_periodic_starts_at_once_survives_failures_and_stops() -> None:
    stop = asyncio.Event()
    turns: list[int] = []
    failures = [UnavailableError("database", "away"), ValueError("a mistake of ours")]

    async def turn() -> None:
        turns.append(1)
        if failures:
            raise failures.pop(0)
        stop.set()

    async with asyncio.timeout(60):
        await repeat(Periodic("t", 0.001, turn), stop)
    assert len(turns) == 3


async def test_every_periodic_task_does_its_work(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer("sweep", {"expired_holds": 2})
    postgrest.answer("sweep_notices", {"told": 1})
    postgrest.answer("queue_stale_checkouts", 0)
    postgrest.answer("queue_stale_subscriptions", 100, 3, 0)
    postgrest.answer("list_stripe_accounts", ["acct_1"])
    postgrest.answer("queue_stale_stripe_accounts", 1, 0)
    stripe_api.answer("GET /v1/events", {"object": "list", "data": [], "has_more": False})
    for task in periodic_tasks(tools):
        await task.do()
    assert [call.function for call in postgrest.calls] == [
        *("sweep", "sweep_notices", "queue_stale_checkouts", "list_stripe_accounts"),
        *["queue_stale_subscriptions"] * 3,
        *["queue_stale_stripe_accounts"] * 2,
    ]
    # The platform's own account is asked for events, and every venue's.
    assert [call.headers.get("stripe-account") for call in stripe_api.calls] == [None, "acct_1"]


async def test_an_account_that_was_taken_away_hides_no_other_and_is_noted(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    gone = {"error": {"type": "invalid_request_error", "code": "account_invalid", "message": "x"}}
    nothing = {"object": "list", "data": [], "has_more": False}
    postgrest.answer("list_stripe_accounts", ["acct_1", "acct_2"])
    postgrest.answer("queue_stale_stripe_accounts", 1)
    stripe_api.answer("GET /v1/events", nothing, httpx.Response(403, json=gone), nothing)
    await EventReconciler(tools, lambda: datetime(2026, 2, 14, tzinfo=UTC))()
    assert postgrest.called("queue_stale_stripe_accounts") == [
        {"older_than_seconds": 0, "account_id": "acct_1"}
    ]
    asked = [call.headers.get("stripe-account") for call in stripe_api.calls]
    assert asked == [None, "acct_1", "acct_2"]


async def test_a_sweep_that_found_something_says_how_much(
    tools: Tools, postgrest: FakePostgrest
) -> None:
    postgrest.answer("sweep", {"expired_holds": 2}, {"expired_holds": 0})
    with capture_logs() as lines:
        await sweep(tools)
        await sweep(tools)
    assert [line["counts"] for line in lines] == [{"expired_holds": 2}]


async def test_pages_without_news_are_asked_about(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    """Each in a job of its own, so this worker, or another, asks about them side by side."""
    postgrest.answer("queue_stale_checkouts", 2, 0)
    with capture_logs() as lines:
        await reconcile_checkouts(tools, 60)
        await reconcile_checkouts(tools, 60)
    assert postgrest.called("queue_stale_checkouts") == [{"older_than_seconds": 60}] * 2
    assert [line["checkouts"] for line in lines] == [2]
    assert stripe_api.calls == []


def look(number: int) -> Job:
    """The job of a page without news."""
    return job(
        "stripe.sync",
        number=number,
        object_type="checkout.session",
        object_id=f"cs_{number}",
        account=None,
        attempt_id=ATTEMPT,
    )


@pytest.mark.parametrize(
    "broken", [stripe_error(500, "api_error"), httpx.ReadTimeout("it hangs")], ids=["500", "hangs"]
)
async def test_one_page_that_stripe_cannot_show_does_not_hide_the_others(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe, broken: object
) -> None:
    postgrest.answer("apply_checkout_session", {})
    stripe_api.answer("GET /v1/checkout/sessions/cs_1", broken)
    for number in (2, 3):
        stripe_api.answer(
            f"GET /v1/checkout/sessions/cs_{number}", stripe_session(id=f"cs_{number}")
        )
    with pytest.raises(PaymentError) as failed:
        await handle(look(1), tools)
    assert failed.value.retryable, "the queue tries again, after a pause"
    for number in (2, 3):
        await handle(look(number), tools)
    assert [
        (call["job_id"], call["session"]["id"])
        for call in postgrest.called("apply_checkout_session")
    ] == [(2, "cs_2"), (3, "cs_3")]


async def test_a_page_that_stripe_does_not_know_is_over(
    tools: Tools, postgrest: FakePostgrest
) -> None:
    postgrest.answer("apply_checkout_session", {})
    await handle(look(1), tools)
    [applied] = postgrest.called("apply_checkout_session")
    assert applied["session"] == {
        "id": "cs_1",
        "status": "expired",
        "payment_status": "unpaid",
        "client_reference_id": ATTEMPT,
    }


@pytest.mark.parametrize(
    ("object_type", "object_id"),
    [("checkout.session", "cs_9"), ("refund", "re_9"), ("dispute", "du_9")],
)
async def test_of_what_only_an_event_names_nothing_is_made_up_and_it_is_ignored(
    tools: Tools, postgrest: FakePostgrest, object_type: str, object_id: str
) -> None:
    with pytest.raises(IgnoredError) as failed:
        await handle(job("stripe.sync", object_type=object_type, object_id=object_id), tools)
    assert failed.value.code == "resource_missing"
    assert postgrest.calls == []


async def test_an_event_that_cannot_be_received_does_not_hide_the_others(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    events = [stripe_event(id=f"evt_{number}") for number in (3, 2, 1)]
    stripe_api.answer("GET /v1/events", {"object": "list", "data": events, "has_more": False})
    postgrest.answer("receive_stripe_event", httpx.ReadTimeout("x"), {"duplicate": False})
    postgrest.answer("list_stripe_accounts", [])
    reconcile = EventReconciler(tools, lambda: datetime(2026, 2, 14, tzinfo=UTC))
    with pytest.raises(UnavailableError):
        await reconcile()
    received = {call["event"]["id"] for call in postgrest.called("receive_stripe_event")}
    assert received == {"evt_3", "evt_2", "evt_1"}


async def test_files_of_one_bucket_do_not_keep_those_of_the_others(
    tools: Tools, files: FakeStorage
) -> None:
    files.files = {bucket: {f"{ORGANIZATION}/a.txt": b"x"} for bucket in ("documents", "exports")}
    # The buckets' list, then the first bucket's.
    files.broken = [
        httpx.Response(200, json=[described_bucket("documents"), described_bucket("exports")]),
        httpx.Response(503),
    ]
    with pytest.raises(UnavailableError):
        await handle(job("storage.erase", organization_id=ORGANIZATION), tools)
    assert [len(kept) for kept in files.files.values()] == [1, 0]


async def test_events_that_no_webhook_brought_are_received(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    now = datetime(2026, 2, 14, 18, 0, tzinfo=UTC)
    events = [stripe_event(id="evt_2"), stripe_event(id="evt_1")]
    stripe_api.answer("GET /v1/events", {"object": "list", "data": events, "has_more": False})
    postgrest.answer("receive_stripe_event", {"duplicate": False}, {"duplicate": True})
    postgrest.answer("list_stripe_accounts", [])
    metrics = WorkerMetrics()
    reconcile = EventReconciler(tools, lambda: now, metrics)
    with capture_logs() as lines:
        await reconcile()
    assert [line["events"] for line in lines] == [1]
    assert [call["event"]["id"] for call in postgrest.called("receive_stripe_event")] == [
        "evt_2",
        "evt_1",
    ]
    await reconcile()
    first, second = stripe_api.calls
    assert first.query["created[gte]"] == str(int((now - timedelta(hours=24)).timestamp()))
    assert second.query["created[gte]"] == str(int((now - timedelta(minutes=10)).timestamp()))
    assert b"escapemaster_events_missed_total 1.0" in metrics.exposition()


async def test_a_look_that_failed_half_way_is_repeated_in_full(
    tools: Tools, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    stripe_api.answer(
        "GET /v1/events", {"object": "list", "data": [stripe_event()], "has_more": False}
    )
    postgrest.answer("receive_stripe_event", httpx.ReadTimeout("x"), {"duplicate": True})
    postgrest.answer("list_stripe_accounts", [])
    reconcile = EventReconciler(tools, lambda: datetime(2026, 2, 14, tzinfo=UTC))
    with pytest.raises(UnavailableError):
        await reconcile()
    await reconcile()
    first, second = stripe_api.calls
    assert first.query["created[gte]"] == second.query["created[gte]"]


# -- health ----------------------------------------------------------------------------------------


async def test_a_worker_s_health_is_told_over_http() -> None:
    metrics = WorkerMetrics()
    worker = Worker(FakeQueue(), nothing, name="w", metrics=metrics)
    now = 100.0
    metrics.processed("email.send", "done", 0.1)
    async with (
        health_server(worker, metrics, 0, clock=lambda: now) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        assert (await client.get("/health/live?x=1")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 503
        worker.last_claim = now
        assert (await client.get("/health/ready")).status_code == 200
        now += READY_WITHIN + 1
        assert (await client.get("/health/ready")).status_code == 503
        assert 'kind="email.send"' in (await client.get("/metrics")).text
        assert (await client.get("/else")).status_code == 404


@pytest.mark.parametrize("sent", [b"", b"nonsense\r\n\r\n", b"x" * 20000])
async def test_nonsense_does_not_disturb_it(sent: bytes) -> None:
    metrics = WorkerMetrics()
    worker = Worker(FakeQueue(), nothing, name="w")
    async with health_server(worker, metrics, 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        writer.write_eof()
        async with asyncio.timeout(60):
            with suppress(ConnectionError):
                await reader.read()
        writer.close()
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{port}/health/live")
    assert answer.status_code == 200


# -- process ---------------------------------------------------------------------------------------


async def test_mail_goes_to_resend_where_there_is_a_key_and_else_to_the_mailbox(
    settings: Settings,
) -> None:
    async with main.open_tools(settings) as tools:
        assert tools.mail.name == "mailbox"
    keyed = Settings.model_validate({**settings.model_dump(), "resend_api_key": "re_1"})
    async with main.open_tools(keyed) as tools:
        assert tools.mail.name == "resend"
    without = settings.model_copy(update={"mailbox_url": None})
    with pytest.raises(ValueError, match="RESEND_API_KEY"):
        async with main.open_tools(without):
            pass


@pytest.mark.parametrize("port", [0, None])
async def test_the_process_works_until_it_is_told_to_stop(
    settings: Settings,
    tools: Tools,
    postgrest: FakePostgrest,
    monkeypatch: pytest.MonkeyPatch,
    port: int | None,
) -> None:
    stop = asyncio.Event()

    @asynccontextmanager
    async def these_tools(_: Settings) -> AsyncIterator[Tools]:
        yield replace(tools)

    def claimed(_: Any) -> list[Any]:
        stop.set()
        return []

    postgrest.answer("claim_jobs", claimed)
    monkeypatch.setattr(main, "open_tools", these_tools)
    async with asyncio.timeout(60):
        await main.work(settings.model_copy(update={"worker_health_port": port}), stop)
    assert postgrest.called("claim_jobs")[0]["max_jobs"] == settings.worker_concurrency


def test_a_signal_ends_the_process_in_good_order(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished: list[bool] = []

    async def work(_: Settings, stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(60):
            await stop.wait()
        finished.append(True)

    monkeypatch.setattr(main, "work", work)
    monkeypatch.setattr(main, "configure_logging", lambda _: None)
    main.run(settings)
    assert finished == [True]
