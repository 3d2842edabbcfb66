"""A venue's own sender domain at Resend, and mails that come from it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from escapemaster.email.mails import sample
from escapemaster.email.message import SenderState
from escapemaster.email.rendering import render
from escapemaster.email.resend_transport import (
    SENDER_REFUSED,
    ResendSenders,
    ResendTransport,
)
from escapemaster.errors import EmailError

from .test_service_email import SITE

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
RECORD = {
    "record": "SPF", "name": "send", "type": "MX", "ttl": "Auto", "status": "not_started",
    "value": "feedback-smtp.example", "priority": 10,
}  # fmt: skip


@dataclass
class ResendDomains:
    """Resend's API of domains."""

    domains: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refuses: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        if path == "/emails":
            if self.refuses:
                return _refused(403, "The venue.example domain is not verified.")
            return httpx.Response(200, json={"id": "em_1"})
        if path == "/domains" and request.method == "GET":
            return httpx.Response(
                200, json={"object": "list", "has_more": False, "data": self.domains}
            )
        if path == "/domains":
            if self.refuses:
                return _refused(403, "The domain has been registered already.")
            made = {
                "id": f"d_{len(self.domains)}", "name": json.loads(request.content)["name"],
                "status": "not_started", "created_at": NOW.isoformat(), "records": [RECORD],
            }  # fmt: skip
            self.domains.append(made)
            return httpx.Response(201, json=made)
        found = [domain for domain in self.domains if domain["id"] == path.split("/")[2]]
        if not found:
            return _refused(404, "Domain not found", "not_found")
        if request.method == "DELETE":
            self.domains.remove(found[0])
        return httpx.Response(200, json=found[0])


def _refused(status: int, words: str, code: str = "validation_error") -> httpx.Response:
    return httpx.Response(status, json={"statusCode": status, "name": code, "message": words})


@pytest.fixture
def api() -> ResendDomains:
    return ResendDomains()


@pytest.fixture
async def transport(api: ResendDomains) -> AsyncIterator[ResendTransport]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(api)) as http:
        yield ResendTransport(http, api_key="re_1", email_from="Platform <b@platform.example>")


@pytest.fixture
async def senders(transport: ResendTransport, api: ResendDomains) -> AsyncIterator[ResendSenders]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(api)) as http:
        yield ResendSenders(http)


async def test_a_domain_is_made_shows_its_records_and_is_asked_to_be_looked_at(
    senders: ResendSenders, api: ResendDomains
) -> None:
    state = await senders.state("mail.venue.example", None, NOW)
    told = {name: RECORD[name] for name in ("type", "name", "value", "priority", "status")}
    assert state == SenderState("d_0", "pending", (told,))
    assert api.asked[-1] == "POST /domains/d_0/verify"
    # Its answer was lost: the same one is found.
    assert (await senders.state("mail.venue.example", None, NOW)).provider_id == "d_0"
    assert len(api.domains) == 1
    for status, became in (
        ("verified", "verified"),
        ("failed", "failed"),
        ("temporary_failure", "pending"),
        ("partially_verified", "pending"),
    ):
        api.domains[0]["status"] = status
        assert (await senders.state("mail.venue.example", "d_0", NOW)).status == became
    await senders.remove("d_0")
    await senders.remove("d_0")
    assert api.domains == []
    assert (await senders.state("mail.venue.example", "d_0", NOW)).status == "failed"


async def test_a_domain_that_was_there_before_the_claim_is_never_taken_over(
    senders: ResendSenders, api: ResendDomains
) -> None:
    """The platform's own, and what another venue has verified."""
    old = (NOW - timedelta(days=1)).isoformat()
    api.domains = [
        {"id": "d_old", "name": "platform.example", "status": "verified", "created_at": old}
    ]
    assert await senders.state("platform.example", None, NOW) == SenderState(None, "failed")
    api.refuses = True
    assert await senders.state("elsewhere.example", None, NOW) == SenderState(None, "failed")
    assert [domain["id"] for domain in api.domains] == ["d_old"]


async def test_a_mail_comes_from_the_venue_s_address_and_says_when_that_is_refused(
    transport: ResendTransport, api: ResendDomains
) -> None:
    prepared = sample("booking_confirmed", "es").model_copy(
        update={"sender_address": "reservas@venue.example"}
    )
    message = render(prepared, SITE)
    assert message.sender_address == "reservas@venue.example"
    assert await transport.send(message, "key") == "em_1"
    api.refuses = True
    with pytest.raises(EmailError) as refused:
        await transport.send(message, "key")
    assert (refused.value.code, refused.value.retryable) == (SENDER_REFUSED, True)
    # The platform's own is the operator's to mend.
    with pytest.raises(EmailError) as refused:
        await transport.send(replace(message, sender_address=None), "key")
    assert (refused.value.code, refused.value.retryable) == ("domain_not_verified", True)


TXT = {"name": "_escapemaster.mail.venue.example.", "type": 16, "TTL": 60}


def _resolver(answer: httpx.Response | Exception) -> httpx.AsyncClient:
    def asked(request: httpx.Request) -> httpx.Response:
        assert dict(request.url.params) == {
            "name": "_escapemaster.mail.venue.example", "type": "TXT"
        }  # fmt: skip
        if isinstance(answer, Exception):
            raise answer
        return answer

    return httpx.AsyncClient(transport=httpx.MockTransport(asked))


async def _proofs(answer: httpx.Response | Exception) -> list[str]:
    async with _resolver(answer) as http:
        return await ResendSenders(http).proofs("mail.venue.example", "one")


async def test_all_proofs_in_a_domain_s_dns_are_found_and_nothing_else() -> None:
    """Some resolvers quote what a TXT record says. An alias leads to what somebody else writes."""
    records = [
        {**TXT, "data": "escapemaster=one"},
        {**TXT, "data": '"escapemaster=two"'},
        {**TXT, "data": "v=spf1 -all"},
        {**TXT, "name": "elsewhere.example.", "data": "escapemaster=aliased"},
        {**TXT, "type": 5, "data": "escapemaster=alias"},
    ]
    answer = httpx.Response(200, json={"Status": 0, "Answer": records})
    assert await _proofs(answer) == ["one", "two"]
    assert await _proofs(httpx.Response(200, json={"Status": 3})) == []


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json={"Status": 2}),
        httpx.Response(503, text="no"),
        httpx.ConnectTimeout("late"),
    ],
)
async def test_a_resolver_that_says_nothing_proves_nothing_and_is_asked_again(
    answer: httpx.Response | Exception,
) -> None:
    with pytest.raises(EmailError) as failed:
        await _proofs(answer)
    assert (failed.value.code, failed.value.retryable) == ("dns_failed", True)
