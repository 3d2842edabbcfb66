"""`POST /v1/checkout`: one page a booking, whatever is killed, repeated or refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from escapemaster.errors import DomainError
from escapemaster.payments.checkout import PROVIDER_SECONDS, ReturnAddresses

from .fakes import FakePostgrest, FakeStripe, stripe_error, stripe_session

ATTEMPT = "018f0000-0000-7000-8000-000000000001"
OPEN_PAGE = "https://pay.example.test/old"
ORDER = {"reference": "ABCD-2345", "manage_token": "a-secret"}


def attempt(**changes: Any) -> dict[str, Any]:
    return {
        "attempt_id": ATTEMPT,
        "attempt_token": "token",
        "organization_id": "018f0000-0000-7000-8000-000000000002",
        "booking_id": "018f0000-0000-7000-8000-000000000003",
        "reference": "ABCD-2345",
        "amount_cents": 7500,
        "currency": "EUR",
        "locale": "es",
        "description": "The Attic · Venue · 2026-02-14 19:30",
        "customer_email": "player@example.test",
        "expires_at": "2026-02-14T18:31:00Z",
        "stripe_account": None,
        "checkout_url": None,
        **changes,
    }


def recorded(**changes: Any) -> dict[str, Any]:
    """An attempt that has a page, whose address somebody with the service's key has written."""
    return attempt(
        session_id="cs_old", attempt_token=None, checkout_url="https://evil.test/pay", **changes
    )


@pytest.fixture(autouse=True)
def payable(postgrest: FakePostgrest, stripe_api: FakeStripe) -> None:
    """A booking that can be paid."""
    postgrest.answer("limit_checkouts", None)
    postgrest.answer("open_checkout", attempt())
    postgrest.answer("record_checkout", {"status": "open"})
    postgrest.answer("fail_checkout", {"status": "failed"})
    stripe_api.answer("POST /v1/checkout/sessions", stripe_session())
    stripe_api.answer("GET /v1/checkout/sessions/cs_old", stripe_session(url=OPEN_PAGE))


async def test_a_held_booking_gets_a_page_to_pay_on(
    client: httpx.AsyncClient, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    response = await client.post("/v1/checkout", json=ORDER)
    assert response.status_code == 201
    assert response.json() == {
        "checkout_url": "https://pay.example.test/cs_1",
        "expires_at": "2026-02-14T18:31:00Z",
        "amount_cents": 7500,
        "currency": "EUR",
    }
    assert [call.function for call in postgrest.calls] == [
        "limit_checkouts",
        "open_checkout",
        "record_checkout",
    ]
    assert postgrest.called("record_checkout")[0]["session_id"] == "cs_1"
    assert postgrest.called("record_checkout")[0]["attempt_token"] == "token"
    form = stripe_api.calls[0].form
    assert form["success_url"] == (
        "https://play.example.test/demo/?lang=es&reference=ABCD-2345&payment=success"
    )
    assert form["cancel_url"] == (
        "https://play.example.test/demo/?lang=es&reference=ABCD-2345&payment=cancelled"
    )


async def test_the_secret_token_is_not_told_to_stripe(
    client: httpx.AsyncClient, stripe_api: FakeStripe
) -> None:
    await client.post("/v1/checkout", json=ORDER)
    assert "a-secret" not in str(stripe_api.calls[0].form)


async def test_no_log_line_tells_whose_booking_it_is(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.post("/v1/checkout", json=ORDER)
    assert lines
    assert "player@example.test" not in str(lines)
    assert "a-secret" not in str(lines)


async def test_a_page_that_is_open_is_given_again(
    client: httpx.AsyncClient, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer("open_checkout", recorded(stripe_account="acct_1"))
    response = await client.post("/v1/checkout", json=ORDER)
    assert response.json()["checkout_url"] == OPEN_PAGE
    [asked] = stripe_api.calls
    assert (asked.method, asked.headers["stripe-account"]) == ("GET", "acct_1")


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (
            stripe_error(404, "invalid_request_error", code="resource_missing"),
            409,
            "checkout_closing",
        ),
        (stripe_session(client_reference_id="another's"), 409, "checkout_closing"),
        (stripe_session(client_reference_id=None), 409, "checkout_closing"),
        (stripe_session(status="expired", url=None), 409, "checkout_closing"),
        (stripe_session(status="complete", url=None), 409, "nothing_due"),
        (stripe_error(500, "api_error"), 502, "payment_provider_failed"),
    ],
    ids=["unknown", "of another", "of nobody", "over", "paid", "no answer"],
)
async def test_nobody_is_sent_to_a_page_that_stripe_does_not_show_for_the_attempt(
    client: httpx.AsyncClient,
    postgrest: FakePostgrest,
    stripe_api: FakeStripe,
    answer: Any,
    status: int,
    code: str,
) -> None:
    """Whoever has a booking's link and the service's key can record a page of their own."""
    postgrest.answer("open_checkout", recorded())
    stripe_api.answer("GET /v1/checkout/sessions/cs_old", answer)
    response = await client.post("/v1/checkout", json=ORDER)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert "evil.test" not in response.text
    assert not postgrest.called("fail_checkout")


@pytest.mark.parametrize(
    ("status", "code"), [(404, "booking_not_found"), (409, "nothing_due"), (409, "not_payable")]
)
async def test_a_rule_s_refusal_reaches_the_client(
    client: httpx.AsyncClient, postgrest: FakePostgrest, status: int, code: str
) -> None:
    postgrest.refuse("open_checkout", f"PT{status}", code, hint="Do something else.")
    response = await client.post("/v1/checkout", json=ORDER)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["code"], problem["detail"]) == (code, "Do something else.")


@pytest.mark.parametrize(
    "answer",
    [
        stripe_error(400, "invalid_request_error", param="expires_at"),
        stripe_error(500, "api_error"),
        stripe_session(url=None),
        stripe_session(status="expired"),
    ],
)
async def test_when_stripe_makes_no_page_the_attempt_is_closed(
    client: httpx.AsyncClient,
    postgrest: FakePostgrest,
    stripe_api: FakeStripe,
    answer: object,
) -> None:
    stripe_api.answer("POST /v1/checkout/sessions", answer)
    response = await client.post("/v1/checkout", json=ORDER)
    assert response.status_code == 502
    assert response.json()["code"] == "payment_provider_failed"
    assert "secret" not in response.text
    assert postgrest.called("fail_checkout")[0]["attempt_id"] == ATTEMPT
    assert postgrest.called("fail_checkout")[0]["attempt_token"] == "token"
    assert not postgrest.called("record_checkout")


async def test_stripe_s_failure_is_told_also_when_the_attempt_cannot_be_closed(
    client: httpx.AsyncClient, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    stripe_api.answer("POST /v1/checkout/sessions", stripe_error(400, "invalid_request_error"))
    postgrest.refuse("fail_checkout", "57014")
    response = await client.post("/v1/checkout", json=ORDER)
    assert (response.status_code, response.json()["code"]) == (502, "payment_provider_failed")


async def test_of_two_who_press_at_once_the_second_gets_the_first_one_s_page(
    client: httpx.AsyncClient, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    stripe_api.answer("POST /v1/checkout/sessions", stripe_error(400, "idempotency_error"))
    postgrest.answer("open_checkout", attempt(), recorded())
    response = await client.post("/v1/checkout", json=ORDER)
    assert response.status_code == 201
    assert response.json()["checkout_url"] == OPEN_PAGE
    assert not postgrest.called("fail_checkout")


async def test_a_page_that_is_just_being_opened_is_waited_for(
    client: httpx.AsyncClient, stripe_api: FakeStripe
) -> None:
    stripe_api.answer("POST /v1/checkout/sessions", stripe_error(400, "idempotency_error"))
    response = await client.post("/v1/checkout", json=ORDER)
    assert (response.status_code, response.json()["code"]) == (409, "checkout_in_progress")


async def test_a_session_that_lost_the_race_gives_way_to_the_recorded_one(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.answer("open_checkout", attempt(), recorded())
    postgrest.refuse("record_checkout", "PT409", "attempt_has_session")
    response = await client.post("/v1/checkout", json=ORDER)
    assert response.json()["checkout_url"] == OPEN_PAGE


async def test_a_page_of_a_booking_cancelled_meanwhile_is_not_shown(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.refuse("record_checkout", "PT409", "not_payable")
    response = await client.post("/v1/checkout", json=ORDER)
    assert (response.status_code, response.json()["code"]) == (409, "not_payable")
    assert "pay.example.test" not in response.text


async def test_a_page_that_could_not_be_recorded_is_not_shown(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.refuse("record_checkout", "57014")
    response = await client.post("/v1/checkout", json=ORDER)
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert response.headers["retry-after"] == "2"
    assert "pay.example.test" not in response.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reference": "ABCD-2345"},
        {**ORDER, "reference": ""},
        {**ORDER, "reference": "x" * 1001},
        {**ORDER, "manage_token": "x" * 2001},
        {**ORDER, "return_url": 7},
        {**ORDER, "amount_cents": 1},
        [],
    ],
)
async def test_malformed_orders_are_refused_before_anything_happens(
    client: httpx.AsyncClient, postgrest: FakePostgrest, body: object
) -> None:
    response = await client.post("/v1/checkout", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"]
    assert postgrest.calls == []


async def test_what_was_pasted_is_the_databases_to_read(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    reference = "Reference number: ABCD-2345\nThanks, the Once team"
    token = f"https://venue.example/book?reference=ABCD-2345#token={'x' * 240}"
    response = await client.post(
        "/v1/checkout", json={"reference": reference, "manage_token": token}
    )
    assert response.status_code == 201
    asked = next(call for call in postgrest.calls if call.function == "open_checkout")
    assert asked.arguments == {"reference": reference, "manage_token": token, "whole": False}


async def test_all_can_be_paid_at_once_and_goes_with_its_fee_to_the_venues_account(
    client: httpx.AsyncClient, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer("open_checkout", attempt(stripe_account="acct_1", platform_fee_cents=75))
    response = await client.post("/v1/checkout", json={**ORDER, "amount": "all"})
    assert response.status_code == 201
    assert postgrest.called("open_checkout")[0]["whole"] is True
    [call] = stripe_api.calls
    assert call.headers["stripe-account"] == "acct_1"
    assert call.form["payment_intent_data[application_fee_amount]"] == "75"


async def test_a_page_of_another_amount_is_closed_first(
    client: httpx.AsyncClient, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer("open_checkout", recorded(closing=True))
    response = await client.post("/v1/checkout", json={**ORDER, "amount": "all"})
    assert (response.status_code, response.json()["code"]) == (409, "checkout_closing")
    assert stripe_api.calls == []


async def test_a_return_address_of_an_allowed_origin_keeps_its_own_parameters(
    client: httpx.AsyncClient, stripe_api: FakeStripe
) -> None:
    wished = "https://venue.example.test/book?a=1&payment=old&b=#here"
    response = await client.post("/v1/checkout", json={**ORDER, "return_url": wished})
    assert response.status_code == 201
    assert stripe_api.calls[0].form["success_url"] == (
        "https://venue.example.test/book?a=1&b=&reference=ABCD-2345&payment=success#here"
    )


@pytest.mark.parametrize(
    "wished",
    [
        "https://evil.test/",
        "http://venue.example.test/",
        "https://venue.example.test:8443/",
        "https://venue.example.test.evil.test/",
        "https://venue.example.test@evil.test/",
        "https://evil.test\\@venue.example.test/",
        "//venue.example.test/",
        "/book",
        "javascript:alert(1)",
        "data:text/html,x",
        "",
    ],
)
@pytest.mark.parametrize("site_url", [None, "https://ours.example.test/book"])
async def test_nobody_is_sent_to_a_place_that_a_stranger_chose(
    client: httpx.AsyncClient,
    postgrest: FakePostgrest,
    stripe_api: FakeStripe,
    wished: str,
    site_url: str | None,
) -> None:
    postgrest.answer("open_checkout", attempt(site_url=site_url))
    response = await client.post("/v1/checkout", json={**ORDER, "return_url": wished})
    assert (response.status_code, response.json()["code"]) == (422, "return_url_not_allowed")
    assert [call.function for call in postgrest.calls] == [
        "limit_checkouts",
        "open_checkout",
        "fail_checkout",
    ]
    assert stripe_api.calls == []


async def test_nor_by_asking_for_a_page_that_is_open(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.answer("open_checkout", recorded())
    evil = {**ORDER, "return_url": "https://evil.test/"}
    assert (await client.post("/v1/checkout", json=evil)).status_code == 422
    assert not postgrest.called("fail_checkout")
    again = await client.post("/v1/checkout", json=ORDER)
    assert again.json()["checkout_url"] == OPEN_PAGE


@pytest.mark.parametrize(
    ("wished", "back"),
    [
        (None, "https://ours.example.test/book?"),
        ("https://ours.example.test/en/?a=1", "https://ours.example.test/en/?a=1&"),
        ("https://venue.example.test/", "https://venue.example.test/?"),
        ("https://play.example.test/", "https://play.example.test/?"),
    ],
)
async def test_a_venue_s_own_page_is_a_way_back_without_an_operator(
    client: httpx.AsyncClient,
    postgrest: FakePostgrest,
    stripe_api: FakeStripe,
    wished: str | None,
    back: str,
) -> None:
    postgrest.answer("open_checkout", attempt(site_url="https://ours.example.test/book"))
    response = await client.post("/v1/checkout", json={**ORDER, "return_url": wished})
    assert response.status_code == 201
    form = stripe_api.calls[0].form
    assert form["success_url"] == f"{back}reference=ABCD-2345&payment=success"


def test_origins_are_compared_as_browsers_do() -> None:
    addresses = ReturnAddresses("https://Play.Example.test", ["http://localhost:3000"])
    assert addresses.choose("https://play.example.TEST:443/x") == "https://play.example.test/x"
    assert addresses.choose("http://localhost:3000/y") == "http://localhost:3000/y"
    assert addresses.choose(None) == "https://Play.Example.test"
    with pytest.raises(DomainError):
        addresses.choose("http://localhost:3001/y")


async def test_pages_of_any_origin_may_ask_without_cookies(client: httpx.AsyncClient) -> None:
    headers = {
        "Origin": "https://a-venue.test",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = await client.options("/v1/checkout", headers=headers)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in preflight.headers
    answer = await client.post(
        "/v1/checkout", json=ORDER, headers={"Origin": "https://a-venue.test"}
    )
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_failures_are_readable_for_pages_too(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.answer("open_checkout", RuntimeError("secret"))
    answer = await client.post(
        "/v1/checkout", json=ORDER, headers={"Origin": "https://a-venue.test"}
    )
    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_pages_are_counted_by_address_before_anything_is_opened(
    client: httpx.AsyncClient, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.refuse(
        "limit_checkouts", "PT429", "rate_limited", details='{"retry_after_seconds": 42}'
    )
    response = await client.post("/v1/checkout", json=ORDER)
    assert (response.status_code, response.json()["code"]) == (429, "rate_limited")
    assert response.headers["retry-after"] == "42"
    assert postgrest.called("limit_checkouts")[0]["address"]
    assert postgrest.called("open_checkout") == []
    assert stripe_api.calls == []


async def test_a_connection_to_the_database_that_died_is_503_and_not_our_fault(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.refuse("open_checkout", "")
    response = await client.post("/v1/checkout", json=ORDER)
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"]


async def test_a_player_waits_for_a_hanging_provider_no_longer_than_the_budget(
    client: httpx.AsyncClient,
    postgrest: FakePostgrest,
    stripe_api: FakeStripe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten seconds in all, whatever the tries: 61 were three of twenty."""
    assert PROVIDER_SECONDS == 10
    monkeypatch.setattr("escapemaster.payments.checkout.PROVIDER_SECONDS", 0.05)
    # Each try fails at once; the pauses between them are longer than the budget.
    stripe_api.answer("POST /v1/checkout/sessions", httpx.ReadTimeout("x"))
    response = await client.post("/v1/checkout", json=ORDER)
    assert (response.status_code, response.json()["code"]) == (502, "payment_provider_failed")
    assert response.headers["retry-after"]
    assert postgrest.called("fail_checkout")
    assert len(stripe_api.calls) == 1


SHARE = "018f0000-0000-7000-8000-000000000009"


async def test_a_share_has_a_page_of_its_own_that_knows_no_booking(
    client: httpx.AsyncClient, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer("open_share_checkout", attempt(reference=f"share-{SHARE}", amount_cents=2500))
    order = {"share_id": SHARE, "share_token": "a-secret"}
    response = await client.post("/v1/share-checkout", json=order)
    assert (response.status_code, response.json()["amount_cents"]) == (201, 2500)
    assert postgrest.called("open_share_checkout") == [order]
    assert postgrest.called("open_checkout") == []
    assert postgrest.called("record_checkout")[0]["session_id"] == "cs_1"
    sent = stripe_api.calls[0].form
    assert sent["success_url"] == (
        f"https://play.example.test/demo/?lang=es&reference=share-{SHARE}&payment=success"
    )
    assert "a-secret" not in str(sent)


async def test_a_share_s_page_that_stripe_does_not_make_is_given_up(
    client: httpx.AsyncClient, postgrest: FakePostgrest, stripe_api: FakeStripe
) -> None:
    postgrest.answer("open_share_checkout", attempt(reference=f"share-{SHARE}"))
    stripe_api.answer("POST /v1/checkout/sessions", stripe_error(400, "parameter_invalid"))
    order = {"share_id": SHARE, "share_token": "a-secret"}
    assert (await client.post("/v1/share-checkout", json=order)).status_code == 502
    assert postgrest.called("fail_checkout")[0]["attempt_id"] == ATTEMPT
