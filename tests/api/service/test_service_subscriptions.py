"""The service's endpoints about what an organization pays."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

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


@pytest.mark.parametrize("path", ["/portal", "/cancel", "/resume"])
async def test_without_a_subscription_there_is_nothing_to_do(
    client: httpx.AsyncClient, allowed: FakePostgrest, path: str
) -> None:
    nothing = {**ACCOUNT, "customer_id": None, "subscription_id": None, "status": None}
    allowed.answer("get_billing_account", nothing)
    more: dict[str, Any] = {"json": {}} if path == "/portal" else {}
    answer = await client.post(HERE + path, headers=bearer(), **more)
    assert (answer.status_code, answer.json()["code"]) == (409, "subscription_missing")
