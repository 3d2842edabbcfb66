"""Webhooks: only what is signed gets in, once, and thinned out."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import pytest
import stripe
from structlog.testing import capture_logs

from escapemaster.api.app import create_app
from escapemaster.api.context import MAX_BODY_BYTES
from escapemaster.api.services import Transports
from escapemaster.settings import Settings

from .fakes import METRICS, FakePostgrest, stripe_event


async def deliver_stripe(
    client: httpx.AsyncClient, event: dict[str, Any], key: str = "whsec_stripe"
) -> httpx.Response:
    body = json.dumps(event)
    signature = stripe.WebhookSignature.generate_signature_header(body, key)
    return await client.post(
        "/webhooks/stripe", content=body, headers={"Stripe-Signature": signature}
    )


def svix_headers(
    body: str, *, secret: bytes = b"resend-secret", at: int | None = None
) -> dict[str, str]:
    """What Svix sends (https://docs.svix.com/receiving/verifying-payloads/how-manual)."""
    timestamp = str(at if at is not None else int(time.time()))
    mac = hmac.new(secret, f"msg_1.{timestamp}.{body}".encode(), hashlib.sha256).digest()
    return {
        "svix-id": "msg_1",
        "svix-timestamp": timestamp,
        "svix-signature": f"v1,bm9uc2Vuc2U= v1,{base64.b64encode(mac).decode()}",
    }


def resend_event(**changes: Any) -> str:
    return json.dumps(
        {
            "type": "email.bounced",
            "created_at": "2026-02-14T18:00:00.000Z",
            "data": {
                "email_id": "em_1",
                "from": "Venue <b@example.test>",
                "to": ["player@example.test"],
                "subject": "Reserva confirmada",
                "bounce": {"type": "Permanent", "message": "no such box"},
            },
            **changes,
        }
    )


async def test_a_signed_event_of_stripe_is_put_into_the_inbox(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.answer("receive_stripe_event", {"duplicate": False})
    response = await deliver_stripe(client, stripe_event())
    assert (response.status_code, response.json()) == (200, {"received": True, "duplicate": False})
    [arguments] = postgrest.called("receive_stripe_event")
    assert arguments["event"]["data"] == {"object": {"object": "checkout.session", "id": "cs_1"}}
    assert "secret@example.test" not in json.dumps(arguments)


async def test_an_event_that_was_received_before_is_answered_the_same_way(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.answer("receive_stripe_event", {"duplicate": True})
    response = await deliver_stripe(client, stripe_event())
    assert (response.status_code, response.json()) == (200, {"received": True, "duplicate": True})


async def test_an_event_about_nothing_in_particular_is_acknowledged(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    response = await deliver_stripe(
        client, stripe_event(type="balance.available", data={"object": {"object": "balance"}})
    )
    assert response.status_code == 200
    assert postgrest.calls == []


async def test_an_event_that_somebody_else_signed_changes_nothing(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    response = await deliver_stripe(client, stripe_event(), key="whsec_other")
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "signature_invalid"
    assert postgrest.calls == []


async def test_an_unsigned_event_changes_nothing(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    response = await client.post("/webhooks/stripe", json=stripe_event())
    assert (response.status_code, response.json()["code"]) == (400, "signature_invalid")
    assert postgrest.calls == []


async def test_while_the_database_is_away_stripe_is_asked_to_come_again(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.answer("receive_stripe_event", httpx.ReadTimeout("x"))
    response = await deliver_stripe(client, stripe_event())
    assert response.status_code == 503


async def test_a_body_that_says_it_is_too_large_is_not_read(client: httpx.AsyncClient) -> None:
    response = await client.post("/webhooks/stripe", content=b"x" * (MAX_BODY_BYTES + 1))
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


async def test_a_body_that_turns_out_too_large_is_not_kept(client: httpx.AsyncClient) -> None:
    async def endless() -> Any:
        for _ in range(MAX_BODY_BYTES // 65536 + 1):
            yield b"x" * 65536

    response = await client.post("/webhooks/stripe", content=endless())
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


async def test_what_became_of_a_mail_is_recorded_without_its_content(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.answer("record_email_event", {"duplicate": False})
    body = resend_event()
    with capture_logs() as lines:
        response = await client.post("/webhooks/resend", content=body, headers=svix_headers(body))
    assert (response.status_code, response.json()) == (200, {"received": True, "duplicate": False})
    assert postgrest.called("record_email_event") == [
        {
            "event": {
                "id": "msg_1",
                "type": "email.bounced",
                "created_at": "2026-02-14T18:00:00+00:00",
                "data": {
                    "email_id": "em_1",
                    "to": ["player@example.test"],
                    "bounce": {"type": "Permanent"},
                },
            }
        }
    ]
    assert "player@example.test" not in str(lines)
    numbers = (await client.get("/metrics", headers=METRICS)).text.splitlines()
    labels = 'duplicate="false",provider="resend",type="email.bounced"'
    assert f"escapemaster_webhooks_received_total{{{labels}}} 1.0" in numbers
    assert 'escapemaster_webhook_lag_seconds_count{provider="resend"} 1.0' in numbers


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"email_id": "em", "to": "a@b.test"}, {"email_id": "em", "to": ["a@b.test"]}),
        ({"id": "contact"}, {"email_id": None, "to": []}),
        ({"email_id": "em_1", "to": None}, {"email_id": "em_1", "to": []}),
    ],
)  # fmt: skip
async def test_every_kind_of_resend_event_is_understood(
    client: httpx.AsyncClient,
    postgrest: FakePostgrest,
    data: dict[str, object],
    expected: dict[str, object],
) -> None:
    postgrest.answer("record_email_event", {"duplicate": True})
    body = resend_event(type="email.delivered", data=data)
    response = await client.post("/webhooks/resend", content=body, headers=svix_headers(body))
    assert response.json()["duplicate"] is True
    assert postgrest.called("record_email_event")[0]["event"]["data"] == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"svix-id": "msg_1", "svix-timestamp": "1", "svix-signature": "v1,x"},
        {"svix-id": "msg_1", "svix-timestamp": "soon", "svix-signature": "v1,x"},
        svix_headers(resend_event(), secret=b"another"),
        svix_headers(resend_event(), at=int(time.time()) - 86_400),
        svix_headers(resend_event(), at=int(time.time()) + 86_400),
        svix_headers(resend_event() + " "),
    ],
)
async def test_mail_events_that_are_not_signed_change_nothing(
    client: httpx.AsyncClient, postgrest: FakePostgrest, headers: dict[str, str]
) -> None:
    response = await client.post("/webhooks/resend", content=resend_event(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "signature_invalid")
    assert postgrest.calls == []


@pytest.mark.parametrize("body", ["[]", '{"type": "email.sent"}', "no json", '{"type": 1}'])
async def test_a_signed_body_that_is_no_mail_event_is_refused(
    client: httpx.AsyncClient, body: str
) -> None:
    response = await client.post("/webhooks/resend", content=body, headers=svix_headers(body))
    assert (response.status_code, response.json()["code"]) == (400, "signature_invalid")


async def test_without_a_secret_no_mail_event_is_believed(
    settings: Settings, postgrest: FakePostgrest
) -> None:
    app = create_app(
        settings.model_copy(update={"resend_webhook_secret": None}),
        transports=Transports(database=postgrest.transport),
    )
    body = resend_event()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s.test") as client,
    ):
        response = await client.post(
            "/webhooks/resend", content=body, headers=svix_headers(body, secret=b"")
        )
    assert response.status_code == 400
    assert postgrest.calls == []
