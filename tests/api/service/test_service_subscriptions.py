"""The service's endpoints about what an organization pays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import httpx
import pytest

from escapemaster.database.billing import BillingDatabase, SubscriptionOrder
from escapemaster.errors import PaymentError
from escapemaster.payments import subscriptions
from escapemaster.payments.checkout import ReturnAddresses
from escapemaster.payments.stripe_gateway import StripeGateway

from .fakes import FakePostgrest, FakeStripe, stripe_error
from .test_service_auth import token

HERE = "/v1/organizations/10000000-0000-4000-8000-000000000001/subscription"
OTHER = "20000000-0000-4000-8000-000000000002"
ORDER: dict[str, Any] = {
    "attempt_id": "30000000-0000-4000-8000-000000000003",
    "organization_id": "10000000-0000-4000-8000-000000000001",
    "organization_name": "Casa Laberinto",
    "email": "ana@example.test",
    "locale": "ca",
    "customer_id": "cus_1",
    "customer_key": "customer-1",
    "lookup_key": "escapemaster_pro_month",
    "trial_days": 14,
    "checkout_url": None,
    "former_session_id": None,
}
ACCOUNT: dict[str, Any] = {
    "organization_id": ORDER["organization_id"],
    "customer_id": "cus_1",
    "subscription_id": "sub_1",
    "status": "active",
    "locale": "es",
}
SESSION: dict[str, Any] = {
    "id": "cs_1",
    "object": "checkout.session",
    "mode": "subscription",
    "status": "open",
    "payment_status": "unpaid",
    "url": "https://checkout.stripe.test/cs_1",
    "expires_at": 1900000000,
}
CHOICE = {"plan": "pro", "interval": "month"}
ROUTES = [
    ("GET", ""),
    ("POST", "/checkout"),
    ("POST", "/portal"),
    ("POST", "/change"),
    ("POST", "/cancel"),
    ("POST", "/resume"),
]


def bearer() -> dict[str, str]:
    """Somebody's token."""
    return {"Authorization": f"Bearer {token()}"}


@pytest.fixture
def allowed(postgrest: FakePostgrest) -> FakePostgrest:
    """Somebody who may do everything."""
    postgrest.answer("has_permission", True)
    postgrest.answer("open_billing", {"token": "pass", "expires_at": "2027-01-01T00:00:00Z"})
    return postgrest


def price(stripe_api: FakeStripe) -> None:
    found = {"id": "price_1", "object": "price"}
    stripe_api.answer("GET /v1/prices", {"object": "list", "data": [found], "has_more": False})


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_who_may_not_is_refused_in_the_organization_of_the_path(
    client: httpx.AsyncClient,
    postgrest: FakePostgrest,
    stripe_api: FakeStripe,
    method: str,
    path: str,
) -> None:
    postgrest.answer("has_permission", False)
    body = CHOICE if path in ("/checkout", "/change") else {}
    more: dict[str, Any] = (
        {} if method == "GET" or path in ("/cancel", "/resume") else {"json": body}
    )
    headers = {**bearer(), "x-organization-id": OTHER}
    answer = await client.request(method, HERE + path, headers=headers, **more)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    [asked] = postgrest.calls
    assert asked.headers["x-organization-id"] == ORDER["organization_id"]
    wanted = "billing:read" if method == "GET" else "billing:manage"
    assert asked.arguments == {"permission": wanted}
    assert stripe_api.calls == []


async def test_a_page_is_made_recorded_and_answered(
    client: httpx.AsyncClient, allowed: FakePostgrest, stripe_api: FakeStripe
) -> None:
    allowed.answer("open_subscription_checkout", ORDER)
    allowed.answer("record_subscription_checkout", SESSION["url"])
    price(stripe_api)
    stripe_api.answer("POST /v1/checkout/sessions", SESSION)
    answer = await client.post(f"{HERE}/checkout", json=CHOICE, headers=bearer())
    assert (answer.status_code, answer.json()) == (201, {"url": SESSION["url"]})
    [made] = stripe_api.called("POST /v1/checkout/sessions")
    assert made.form["mode"] == "subscription"
    assert made.form["line_items[0][price]"] == "price_1"
    assert made.form["subscription_data[trial_period_days]"] == "14"
    assert made.form["locale"] == "es"
    assert made.headers["idempotency-key"] == f"subscription-checkout-{ORDER['attempt_id']}"
    assert allowed.called("record_subscription_checkout")[0]["session_id"] == "cs_1"


async def test_the_first_time_a_customer_is_made(
    client: httpx.AsyncClient, allowed: FakePostgrest, stripe_api: FakeStripe
) -> None:
    allowed.answer("open_subscription_checkout", {**ORDER, "customer_id": None, "trial_days": 0})
    allowed.answer("record_stripe_customer", "cus_first")
    allowed.answer("record_subscription_checkout", SESSION["url"])
    price(stripe_api)
    stripe_api.answer("POST /v1/customers", {"id": "cus_2", "object": "customer"})
    stripe_api.answer("POST /v1/checkout/sessions", SESSION)
    answer = await client.post(f"{HERE}/checkout", json=CHOICE, headers=bearer())
    assert answer.status_code == 201
    [made] = stripe_api.called("POST /v1/customers")
    assert made.headers["idempotency-key"] == "customer-1"
    [session] = stripe_api.called("POST /v1/checkout/sessions")
    # Somebody else was faster: theirs counts.
    assert session.form["customer"] == "cus_first"
    assert "subscription_data[trial_period_days]" not in session.form


async def test_a_page_that_stripe_does_not_make_is_given_up(
    client: httpx.AsyncClient, allowed: FakePostgrest, stripe_api: FakeStripe
) -> None:
    allowed.answer("open_subscription_checkout", ORDER)
    allowed.answer("close_subscription_checkout", True)
    price(stripe_api)
    stripe_api.answer(
        "POST /v1/checkout/sessions", stripe_error(400, "invalid_request_error", code="x")
    )
    answer = await client.post(f"{HERE}/checkout", json=CHOICE, headers=bearer())
    assert (answer.status_code, answer.json()["code"]) == (502, "payment_provider_failed")
    assert allowed.called("close_subscription_checkout")


async def test_a_return_to_a_strangers_page_is_refused_before_anything_is_asked(
    client: httpx.AsyncClient, allowed: FakePostgrest, stripe_api: FakeStripe
) -> None:
    for path, body in (("/checkout", CHOICE), ("/portal", {})):
        answer = await client.post(
            HERE + path, json={**body, "return_url": "https://evil.test/"}, headers=bearer()
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "return_url_not_allowed")
    assert stripe_api.calls == []
    assert {call.function for call in allowed.calls} == {"has_permission"}


async def test_a_refusal_of_the_database_reaches_the_client_with_its_details(
    client: httpx.AsyncClient, allowed: FakePostgrest
) -> None:
    allowed.refuse("open_subscription_checkout", "PT409", "subscription_exists", hint="Change it.")
    answer = await client.post(f"{HERE}/checkout", json=CHOICE, headers=bearer())
    assert (answer.status_code, answer.json()["code"]) == (409, "subscription_exists")


async def test_a_card_that_is_refused_is_said_so(
    client: httpx.AsyncClient, allowed: FakePostgrest, stripe_api: FakeStripe
) -> None:
    allowed.answer(
        "plan_subscription_change",
        {"subscription_id": "sub_1", "lookup_key": "escapemaster_pro_month", "kind": "upgrade"},
    )
    allowed.answer("get_billing_account", ACCOUNT)
    price(stripe_api)
    item = {"id": "si_1", "price": {"id": "price_0", "object": "price"}}
    subscription = {
        "id": "sub_1",
        "object": "subscription",
        "schedule": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "items": {"object": "list", "data": [item]},
    }
    stripe_api.answer("GET /v1/subscriptions/sub_1", subscription)
    stripe_api.answer(
        "POST /v1/subscriptions/sub_1", stripe_error(402, "card_error", code="card_declined")
    )
    answer = await client.post(f"{HERE}/change", json=CHOICE, headers=bearer())
    assert (answer.status_code, answer.json()["code"]) == (409, "payment_failed")
    [asked] = stripe_api.called("POST /v1/subscriptions/sub_1")
    assert asked.form["payment_behavior"] == "error_if_incomplete"
    assert asked.form["proration_behavior"] == "always_invoice"


async def test_the_pass_is_asked_for_as_the_person_and_handed_on(
    client: httpx.AsyncClient, allowed: FakePostgrest, stripe_api: FakeStripe
) -> None:
    allowed.answer("open_subscription_checkout", {**ORDER, "customer_id": None})
    allowed.answer("record_stripe_customer", "cus_1")
    allowed.answer("record_subscription_checkout", SESSION["url"])
    allowed.refuse("plan_subscription_change", "PT409", "subscription_missing")
    price(stripe_api)
    stripe_api.answer("POST /v1/customers", {"id": "cus_1", "object": "customer"})
    stripe_api.answer("POST /v1/checkout/sessions", SESSION)
    headers = bearer()
    await client.post(f"{HERE}/checkout", json=CHOICE, headers=headers)
    await client.post(f"{HERE}/change", json=CHOICE, headers=headers)
    asked = [call for call in allowed.calls if call.function == "open_billing"]
    assert [call.headers["authorization"] for call in asked] == [headers["Authorization"]] * 2
    assert asked[0].arguments == {
        "organization_id": ORDER["organization_id"],
        "reading": False,
    }
    acts = [call for call in allowed.calls if "billing_pass" in call.arguments]
    assert {call.arguments["billing_pass"] for call in acts} == {"pass"}
    assert [call.function for call in acts] == [
        "open_subscription_checkout",
        "record_stripe_customer",
        "record_subscription_checkout",
        "plan_subscription_change",
    ]


@pytest.mark.parametrize("path", ["/checkout", "/change"])
async def test_who_gets_no_pass_is_refused_and_nothing_is_asked_for_them(
    client: httpx.AsyncClient, allowed: FakePostgrest, stripe_api: FakeStripe, path: str
) -> None:
    allowed.refuse("open_billing", "PT403", "permission_denied")
    answer = await client.post(HERE + path, json=CHOICE, headers=bearer())
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert {call.function for call in allowed.calls} == {"has_permission", "open_billing"}
    assert stripe_api.calls == []


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/checkout", "GET /v1/prices"),
        ("/portal", "POST /v1/billing_portal/sessions"),
        ("/change", "GET /v1/prices"),
        ("/cancel", "GET /v1/subscriptions/sub_1"),
        ("/resume", "GET /v1/subscriptions/sub_1"),
    ],
)
async def test_a_person_waits_for_a_hanging_provider_no_longer_than_the_budget(
    client: httpx.AsyncClient,
    allowed: FakePostgrest,
    stripe_api: FakeStripe,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    asked: str,
) -> None:
    assert subscriptions.PROVIDER_SECONDS == 10
    monkeypatch.setattr(subscriptions, "PROVIDER_SECONDS", 0.1)
    change = {"subscription_id": "sub_1", "lookup_key": "x", "kind": "upgrade"}
    allowed.returns(
        open_subscription_checkout=ORDER,
        plan_subscription_change=change,
        get_billing_account=ACCOUNT,
    )
    # Each try fails at once; the pauses between them are longer than the budget.
    stripe_api.answer(asked, httpx.ReadTimeout("x"))
    body = CHOICE if path in ("/checkout", "/change") else {}
    more: dict[str, Any] = {} if path in ("/cancel", "/resume") else {"json": body}
    answer = await client.post(HERE + path, headers=bearer(), **more)
    assert (answer.status_code, answer.json()["code"]) == (502, "payment_provider_failed")
    assert answer.headers["retry-after"]
    assert len(stripe_api.calls) == 1


async def test_the_calls_of_one_request_share_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "PROVIDER_SECONDS", 0.1)
    made: list[str] = []

    def slow(name: str, answer: object) -> Callable[..., Awaitable[object]]:
        async def called(*_: object, **__: object) -> object:
            await asyncio.sleep(0.07)
            made.append(name)
            return answer

        return called

    provider = SimpleNamespace(
        create_customer=slow("customer", "cus_1"),
        create_subscription_checkout=slow("page", None),
    )

    async def order(*_: object) -> SubscriptionOrder:
        return SubscriptionOrder.model_validate({**ORDER, "customer_id": None})

    async def text(*_: object) -> str:
        return "x"

    database = SimpleNamespace(open_subscription_checkout=order, record_stripe_customer=text)
    with pytest.raises(PaymentError) as error:
        await subscriptions.start_subscription(
            cast("BillingDatabase", database),
            cast("StripeGateway", provider),
            UUID(ORDER["organization_id"]),
            get_pass=text,
            plan="pro",
            interval="month",
            return_url=None,
            addresses=ReturnAddresses("https://play.example.test/", []),
        )
    assert (error.value.code, error.value.retryable) == ("stripe_unreachable", True)
    assert "page" not in made


@pytest.mark.parametrize("path", ["/portal", "/cancel", "/resume"])
async def test_without_a_subscription_there_is_nothing_to_do(
    client: httpx.AsyncClient, allowed: FakePostgrest, path: str
) -> None:
    nothing = {**ACCOUNT, "customer_id": None, "subscription_id": None, "status": None}
    allowed.answer("get_billing_account", nothing)
    more: dict[str, Any] = {"json": {}} if path == "/portal" else {}
    answer = await client.post(HERE + path, headers=bearer(), **more)
    assert (answer.status_code, answer.json()["code"]) == (409, "subscription_missing")
