"""Stripe's gateway: what is sent, what comes back, which failures pass."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
import stripe

from escapemaster.errors import PaymentError, SignatureError
from escapemaster.payments.model import CheckoutOrder, RefundOrder
from escapemaster.payments.stripe_gateway import API_VERSION, DELAYED_METHODS, StripeGateway

from .fakes import FakeStripe, stripe_error, stripe_event, stripe_refund, stripe_session

NOW = datetime(2026, 2, 14, 18, 0, tzinfo=UTC)
ATTEMPT = UUID("018f0000-0000-7000-8000-000000000001")
REQUEST = UUID("018f0000-0000-7000-8000-00000000000a")


@pytest.fixture
async def gateway(stripe_api: FakeStripe) -> AsyncIterator[StripeGateway]:
    async with httpx.AsyncClient(transport=stripe_api.transport) as http:
        yield StripeGateway(
            http,
            secret_key="sk_test_1",
            webhook_secret="whsec_stripe",
            api_base="http://stripe.test/",
            now=lambda: NOW,
        )


def order(**changes: Any) -> CheckoutOrder:
    values: dict[str, Any] = {
        "attempt_id": ATTEMPT,
        "organization_id": UUID(int=2),
        "reference": "ABCD-2345",
        "amount_cents": 7500,
        "currency": "EUR",
        "description": "The Attic · Venue",
        "customer_email": "p@example.test",
        "locale": "es",
        "expires_at": datetime(2026, 2, 14, 18, 31, tzinfo=UTC),
        "success_url": "https://play.example.test/?payment=success",
        "cancel_url": "https://play.example.test/?payment=cancelled",
        **changes,
    }
    return CheckoutOrder(**values)


def refund_order(**changes: Any) -> RefundOrder:
    values: dict[str, Any] = {
        "refund_request_id": REQUEST,
        "organization_id": UUID(int=2),
        "payment_intent": "pi_1",
        "amount_cents": 5000,
        "currency": "EUR",
        **changes,
    }
    return RefundOrder(**values)


async def test_a_session_asks_for_exactly_what_is_due_and_names_its_attempt(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer("POST /v1/checkout/sessions", stripe_session())
    session = await gateway.create_checkout_session(order())
    call = stripe_api.calls[0]
    excluded = {f"excluded_payment_method_types[{n}]": m for n, m in enumerate(DELAYED_METHODS)}
    assert call.form == {
        **excluded,
        "mode": "payment",
        "client_reference_id": str(ATTEMPT),
        "customer_email": "p@example.test",
        "expires_at": "1771093860",
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": "eur",
        "line_items[0][price_data][unit_amount]": "7500",
        "line_items[0][price_data][product_data][name]": "The Attic · Venue",
        "metadata[attempt_id]": str(ATTEMPT),
        "metadata[organization_id]": str(UUID(int=2)),
        "metadata[booking_reference]": "ABCD-2345",
        "metadata[booking_locale]": "es",
        "payment_intent_data[metadata][attempt_id]": str(ATTEMPT),
        "payment_intent_data[metadata][organization_id]": str(UUID(int=2)),
        "payment_intent_data[metadata][booking_reference]": "ABCD-2345",
        "payment_intent_data[description]": "The Attic · Venue",
        "success_url": "https://play.example.test/?payment=success",
        "cancel_url": "https://play.example.test/?payment=cancelled",
        "locale": "es",
    }
    assert call.headers["idempotency-key"] == f"checkout-{ATTEMPT}"
    assert call.headers["stripe-version"] == API_VERSION
    assert call.headers["authorization"] == "Bearer sk_test_1"
    assert "stripe-account" not in call.headers
    assert session.url == "https://pay.example.test/cs_1"
    assert session.as_json() == {
        "id": "cs_1",
        "status": "open",
        "payment_status": "unpaid",
        "payment_intent": None,
        "payment_intent_status": None,
        "amount_total": 7500,
        "currency": "EUR",
        "client_reference_id": str(ATTEMPT),
        "as_of": "2026-02-14T18:00:00+00:00",
    }


async def test_whoever_left_no_address_is_asked_for_it_by_stripe(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer("POST /v1/checkout/sessions", stripe_session())
    await gateway.create_checkout_session(order(customer_email=None))
    assert "customer_email" not in stripe_api.calls[0].form


async def test_a_connected_account_is_paid_and_the_platform_takes_its_fee(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer("POST /v1/checkout/sessions", stripe_session())
    await gateway.create_checkout_session(order(stripe_account="acct_1", application_fee_cents=150))
    call = stripe_api.calls[0]
    assert call.headers["stripe-account"] == "acct_1"
    assert call.form["payment_intent_data[application_fee_amount]"] == "150"


async def test_the_platform_takes_no_fee_from_itself(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer("POST /v1/checkout/sessions", stripe_session())
    await gateway.create_checkout_session(order(application_fee_cents=150))
    assert not any("fee" in name for name in stripe_api.calls[0].form)


@pytest.mark.parametrize(("ours", "theirs"), [("ca", "es"), ("en", "en"), ("fr", None)])
async def test_the_page_speaks_the_nearest_language_that_stripe_has(
    gateway: StripeGateway, stripe_api: FakeStripe, ours: str, theirs: str | None
) -> None:
    stripe_api.answer("POST /v1/checkout/sessions", stripe_session())
    await gateway.create_checkout_session(order(locale=ours))
    form = stripe_api.calls[0].form
    assert form.get("locale") == theirs
    # The sandbox's page, and the venue's own reports, know the language itself.
    assert form["metadata[booking_locale]"] == ours


async def test_currencies_that_stripe_counts_differently_keep_their_value(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer(
        "POST /v1/checkout/sessions", stripe_session(currency="isk", amount_total=900000)
    )
    session = await gateway.create_checkout_session(order(currency="ISK", amount_cents=9000))
    assert stripe_api.calls[0].form["line_items[0][price_data][unit_amount]"] == "900000"
    assert (session.amount_total, session.currency) == (9000, "ISK")


async def test_a_session_without_an_amount_has_none(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer(
        "GET /v1/checkout/sessions/cs_1",
        stripe_session(currency=None, amount_total=None, status=None),
    )
    session = await gateway.retrieve_checkout_session("cs_1")
    assert (session.amount_total, session.currency, session.status) == (None, None, "open")


async def test_a_session_is_read_for_its_account_and_its_payment_is_an_id(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    payment = {"object": "payment_intent", "id": "pi_1", "status": "succeeded"}
    stripe_api.answer(
        "GET /v1/checkout/sessions/cs_1",
        stripe_session(status="complete", payment_status="paid", payment_intent=payment),
    )
    session = await gateway.retrieve_checkout_session("cs_1", "acct_1")
    assert session.payment_intent == "pi_1"
    assert stripe_api.calls[0].headers["stripe-account"] == "acct_1"


async def test_an_open_session_is_expired(gateway: StripeGateway, stripe_api: FakeStripe) -> None:
    stripe_api.answer("POST /v1/checkout/sessions/cs_1/expire", stripe_session(status="expired"))
    assert (await gateway.expire_checkout_session("cs_1")).status == "expired"


async def test_expiring_a_session_that_was_paid_meanwhile_says_so(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer(
        "POST /v1/checkout/sessions/cs_1/expire", stripe_error(400, "invalid_request_error")
    )
    stripe_api.answer(
        "GET /v1/checkout/sessions/cs_1",
        stripe_session(status="complete", payment_status="paid", payment_intent="pi_1"),
    )
    session = await gateway.expire_checkout_session("cs_1")
    assert (session.status, session.payment_intent) == ("complete", "pi_1")


async def test_a_session_that_stays_open_was_not_expired(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer(
        "POST /v1/checkout/sessions/cs_1/expire", stripe_error(400, "invalid_request_error")
    )
    stripe_api.answer("GET /v1/checkout/sessions/cs_1", stripe_session())
    with pytest.raises(PaymentError):
        await gateway.expire_checkout_session("cs_1")


async def test_expiring_is_tried_again_when_stripe_is_away(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer("POST /v1/checkout/sessions/cs_1/expire", stripe_error(503, "api_error"))
    with pytest.raises(PaymentError) as failed:
        await gateway.expire_checkout_session("cs_1")
    assert failed.value.retryable
    assert not stripe_api.called("GET /v1/checkout/sessions/cs_1")


async def test_a_refund_names_its_request_and_comes_back_in_our_words(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer("POST /v1/refunds", stripe_refund())
    refund = await gateway.create_refund(refund_order(stripe_account="acct_1"))
    call = stripe_api.calls[0]
    assert call.form == {
        "payment_intent": "pi_1",
        "amount": "5000",
        "metadata[refund_request_id]": str(REQUEST),
        "metadata[organization_id]": str(UUID(int=2)),
    }
    assert call.headers["idempotency-key"] == f"refund-{REQUEST}-5000"
    assert call.headers["stripe-account"] == "acct_1"
    assert refund.as_json() == {
        "id": "re_1",
        "status": "succeeded",
        "amount": 5000,
        "currency": "EUR",
        "payment_intent": "pi_1",
        "refund_request_id": str(REQUEST),
        "as_of": "2026-02-14T18:00:00+00:00",
    }


@pytest.mark.parametrize("metadata", [None, {}, {"refund_request_id": "another product's"}])
async def test_a_refund_that_is_not_ours_names_no_request(
    gateway: StripeGateway, stripe_api: FakeStripe, metadata: dict[str, str] | None
) -> None:
    stripe_api.answer("GET /v1/refunds/re_1", stripe_refund(metadata=metadata, status=None))
    refund = await gateway.retrieve_refund("re_1")
    assert (refund.refund_request_id, refund.status) == (None, "pending")


async def test_all_refunds_of_a_payment_are_read_page_by_page_to_the_end(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer(
        "GET /v1/refunds",
        {"object": "list", "data": [stripe_refund(id="re_3", metadata={})], "has_more": True},
        {
            "object": "list",
            "data": [stripe_refund(id="re_2"), stripe_refund(id="re_1", status="failed")],
            "has_more": False,
        },
    )
    found = await gateway.list_refunds("pi_1", "acct_1")
    assert [(refund.id, refund.refund_request_id) for refund in found] == [
        ("re_1", str(REQUEST)),
        ("re_2", str(REQUEST)),
        ("re_3", None),
    ]
    first, second = stripe_api.calls
    assert first.query == {"payment_intent": "pi_1", "limit": "100"}
    assert second.query["starting_after"] == "re_3"
    assert second.headers["stripe-account"] == "acct_1"


async def test_a_payment_without_refunds_has_none(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer("GET /v1/refunds", {"object": "list", "data": [], "has_more": False})
    assert await gateway.list_refunds("pi_1") == []


async def test_a_dispute_comes_back_in_our_words(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer(
        "GET /v1/disputes/du_1",
        {
            "object": "dispute",
            "id": "du_1",
            "status": "needs_response",
            "reason": "fraudulent",
            "amount": 500,
            "currency": "isk",
            "payment_intent": "pi_1",
            "evidence_details": {"due_by": 1771093860},
        },
    )
    dispute = await gateway.retrieve_dispute("du_1", "acct_1")
    assert dispute.as_json() == {
        "id": "du_1",
        "status": "needs_response",
        "reason": "fraudulent",
        "amount": 5,
        "currency": "ISK",
        "payment_intent": "pi_1",
        "respond_by": "2026-02-14T18:31:00+00:00",
        "as_of": "2026-02-14T18:00:00+00:00",
    }
    assert stripe_api.calls[0].headers["stripe-account"] == "acct_1"


async def test_methods_that_take_days_are_offered_only_where_the_venue_wants_them(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer("POST /v1/checkout/sessions", stripe_session())
    await gateway.create_checkout_session(order())
    await gateway.create_checkout_session(order(delayed_methods=True))
    refused, offered = (
        {value for key, value in call.form.items() if key.startswith("excluded_payment")}
        for call in stripe_api.calls
    )
    assert refused == set(DELAYED_METHODS)
    assert offered == set()


async def test_of_a_session_that_waits_for_a_bank_it_is_said_how_that_stands(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    intent = {"object": "payment_intent", "id": "pi_1", "status": "processing"}
    stripe_api.answer(
        "GET /v1/checkout/sessions/cs_1", stripe_session(status="complete", payment_intent=intent)
    )
    session = await gateway.retrieve_checkout_session("cs_1")
    assert (session.payment_intent, session.payment_intent_status) == ("pi_1", "processing")
    assert stripe_api.calls[0].query == {"expand[0]": "payment_intent"}


async def test_events_are_read_page_by_page_to_the_end(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer(
        "GET /v1/events",
        {"object": "list", "has_more": True, "data": [stripe_event(id="evt_3")]},
        {
            "object": "list",
            "has_more": False,
            "data": [
                stripe_event(id="evt_2", data={"object": {"object": "balance"}}),
                stripe_event(id="evt_1"),
            ],
        },
    )
    events = [event async for event in gateway.list_recent_events(NOW, account="acct_1")]
    # The list of an account does not name it.
    assert [(event.id, event.account) for event in events] == [
        ("evt_3", "acct_1"),
        ("evt_1", "acct_1"),
    ]
    first, second = stripe_api.calls
    assert first.headers["stripe-account"] == second.headers["stripe-account"] == "acct_1"
    assert first.query["created[gte]"] == str(int(NOW.timestamp()))
    assert first.query["types[0]"] == "checkout.session.completed"
    assert "starting_after" not in first.query
    assert second.query["starting_after"] == "evt_3"


async def test_reading_events_ends_even_if_stripe_never_does(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer(
        "GET /v1/events", {"object": "list", "has_more": True, "data": [stripe_event()]}
    )
    assert len([event async for event in gateway.list_recent_events(NOW)]) == 20


@pytest.mark.parametrize(
    ("answer", "code", "retryable"),
    [
        (stripe_error(400, "idempotency_error"), "idempotency_conflict", False),
        (
            stripe_error(400, "invalid_request_error", param="amount"),
            "invalid_request_error",
            False,
        ),
        (stripe_error(402, "card_error", code="card_declined"), "card_declined", False),
        (stripe_error(403, "invalid_request_error"), "permission_error", True),
        (
            stripe_error(404, "invalid_request_error", code="resource_missing"),
            "resource_missing",
            False,
        ),
        (
            stripe_error(400, "invalid_request_error", code="balance_insufficient"),
            "balance_insufficient",
            True,
        ),
        (stripe_error(400, "invalid_request_error", code="lock_timeout"), "lock_timeout", True),
        (stripe_error(424, "api_error"), "api_error", True),
        (stripe_error(503, "api_error"), "api_error", True),
        (stripe_error(401, "invalid_request_error"), "authentication_error", True),
        (stripe_error(409, "invalid_request_error"), "api_error", True),
        (stripe_error(429, "invalid_request_error"), "rate_limit_error", True),
        (stripe_error(500, "api_error"), "api_error", True),
        (httpx.Response(200, text="no json"), "api_error", True),
        (httpx.ConnectError("secret@example.test"), "stripe_unreachable", True),
    ],
)
async def test_failures_are_named_and_quote_nothing(
    stripe_api: FakeStripe, answer: httpx.Response | Exception, code: str, retryable: bool
) -> None:
    stripe_api.answer("GET /v1/refunds/re_1", answer)
    async with httpx.AsyncClient(transport=stripe_api.transport) as http:
        gateway = StripeGateway(
            http,
            secret_key="sk",
            webhook_secret="w",
            api_base="http://stripe.test",
            max_network_retries=0,
        )
        with pytest.raises(PaymentError) as failed:
            await gateway.retrieve_refund("re_1")
    assert failed.value.code == code
    assert failed.value.retryable is retryable
    assert "secret" not in str(failed.value)


async def test_a_lost_connection_is_tried_again_with_the_same_key(
    gateway: StripeGateway, stripe_api: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0)
    stripe_api.answer("POST /v1/refunds", httpx.ReadError("x"), stripe_refund())
    await gateway.create_refund(refund_order())
    keys = {call.headers["idempotency-key"] for call in stripe_api.calls}
    assert len(stripe_api.calls) == 2
    assert keys == {f"refund-{REQUEST}-5000"}


async def test_without_another_address_stripe_s_own_is_used() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json=stripe_refund())

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        await StripeGateway(http, secret_key="sk", webhook_secret="w").retrieve_refund("re_1")
    assert asked == ["https://api.stripe.com/v1/refunds/re_1"]


def signed(body: str, *, key: str = "whsec_stripe", at: int | None = None) -> str:
    return str(stripe.WebhookSignature.generate_signature_header(body, key, at))


def test_a_signed_event_is_reduced_to_what_it_is_about(gateway: StripeGateway) -> None:
    body = json.dumps(stripe_event(account="acct_1"))
    event = gateway.verify_webhook(body.encode(), signed(body))
    assert event is not None
    assert event.as_json() == {
        "id": "evt_1",
        "type": "checkout.session.completed",
        "created": 1771093000,
        "livemode": False,
        "account": "acct_1",
        "data": {"object": {"object": "checkout.session", "id": "cs_1"}},
    }


@pytest.mark.parametrize("key", ["whsec_stripe", "whsec_connect"])
@pytest.mark.parametrize(
    ("secret_key", "livemode", "account", "heard"),
    [
        ("sk_live_1", True, "acct_1", True),
        ("sk_live_1", False, "acct_1", False),
        ("sk_test_1", False, "acct_1", True),
        ("sk_live_1", False, None, True),
    ],
)
def test_connected_accounts_sign_with_a_secret_of_their_own_and_rehearse_elsewhere(
    key: str, secret_key: str, livemode: bool, account: str | None, heard: bool
) -> None:
    gateway = StripeGateway(
        httpx.AsyncClient(),
        secret_key=secret_key,
        webhook_secret="whsec_stripe",
        connect_webhook_secret="whsec_connect",
    )
    named = {"account": account} if account else {}
    body = json.dumps(stripe_event(livemode=livemode, **named))
    assert (gateway.verify_webhook(body.encode(), signed(body, key=key)) is not None) is heard
    with pytest.raises(SignatureError):
        gateway.verify_webhook(body.encode(), signed(body, key="whsec_other"))


async def test_an_account_that_was_taken_away_is_said_to_be(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    error = {"error": {"type": "invalid_request_error", "code": "account_invalid", "message": "x"}}
    stripe_api.answer("GET /v1/accounts/acct_1", httpx.Response(403, json=error))
    read = await gateway.read_account("acct_1")
    assert (read.deauthorized, read.charges_enabled) == (True, False)
    stripe_api.answer("POST /v1/refunds", httpx.Response(403, json=error))
    with pytest.raises(PaymentError) as gone:
        await gateway.create_refund(refund_order(stripe_account="acct_1"))
    assert (gone.value.code, gone.value.retryable) == ("account_invalid", False)
    # Another refusal is the operator's to mend, and says nothing of the account.
    denied = {"error": {"type": "invalid_request_error", "message": "x"}}
    stripe_api.answer("GET /v1/accounts/acct_1", httpx.Response(403, json=denied))
    with pytest.raises(PaymentError) as refused:
        await gateway.read_account("acct_1")
    assert refused.value.retryable


async def test_the_platforms_part_of_a_refund_goes_back(
    gateway: StripeGateway, stripe_api: FakeStripe
) -> None:
    stripe_api.answer("POST /v1/refunds", stripe_refund())
    await gateway.create_refund(refund_order(stripe_account="acct_1", refund_fee=True))
    assert stripe_api.calls[0].form["refund_application_fee"] == "true"


def test_an_event_about_nothing_in_particular_is_no_event_for_us(gateway: StripeGateway) -> None:
    body = json.dumps(
        stripe_event(type="balance.available", data={"object": {"object": "balance"}})
    )
    assert gateway.verify_webhook(body.encode(), signed(body)) is None


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        ("{}", None),
        ("{}", ""),
        ("{}", "nonsense"),
        ("{}", "t=1,v1="),
        ("{}", signed("{}", key="whsec_other")),
        ("{}", signed("{} ")),
        ("{}", signed("{}", at=int(time.time()) - 400)),
        ("{}", signed("{}")),
        ("no json", signed("no json")),
    ],
    ids=[
        "unsigned",
        "empty",
        "nonsense",
        "no signature",
        "another key",
        "another body",
        "too old",
        "no event",
        "no json",
    ],
)
def test_anything_else_is_refused(gateway: StripeGateway, body: str, signature: str | None) -> None:
    with pytest.raises(SignatureError):
        gateway.verify_webhook(body.encode(), signature)


def test_bytes_that_are_no_text_are_refused(gateway: StripeGateway) -> None:
    with pytest.raises(SignatureError):
        gateway.verify_webhook(b"\xff\xfe", "t=1,v1=aa")
