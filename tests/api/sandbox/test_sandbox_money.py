"""The sandbox refuses what Stripe refuses of amounts, and plays what takes days."""

from __future__ import annotations

import pytest
import stripe

from escapemaster_dev.sandbox.stripe.money import readable

from .conftest import Bench, line


def refusal(bench: Bench, cents: int, currency: str) -> str | None:
    with pytest.raises(stripe.InvalidRequestError) as error:
        bench.open(line_items=[line("Room", cents, currency)])
    return error.value.code or error.value.param


@pytest.mark.parametrize(
    ("currency", "least"),
    [("eur", 50), ("gbp", 30), ("huf", 17_500), ("jpy", 50), ("mxn", 1_000), ("isk", 10_000)],
)
def test_each_currency_has_its_least_amount(untouched: Bench, currency: str, least: int) -> None:
    assert untouched.open(line_items=[line("Room", least, currency)]).amount_total == least
    step = 100 if currency == "isk" else 1
    assert refusal(untouched, least - step, currency) == "amount_too_small"


@pytest.mark.parametrize("currency", ["xxx", "zzz", "iqd", "eu1"])
def test_what_is_no_currency_of_stripe_s_is_refused(untouched: Bench, currency: str) -> None:
    assert refusal(untouched, 9_000, currency) == "line_items[0][price_data][currency]"


@pytest.mark.parametrize(("currency", "cents"), [("kwd", 5_125), ("isk", 50_050), ("ugx", 950_001)])
def test_a_last_digit_that_cannot_be_charged_is_refused(
    untouched: Bench, currency: str, cents: int
) -> None:
    assert refusal(untouched, cents, currency) == "line_items[0][price_data][unit_amount]"


def test_amounts_are_shown_with_the_digits_that_are_charged() -> None:
    assert readable(600_000, "rsd", "en") == "RSD\u00a06,000.00"
    assert readable(50_000, "isk", "es") == "500,00\u00a0ISK"


def test_a_direct_debit_is_complete_and_paid_days_later(bench: Bench) -> None:
    session = bench.open()
    assert session.payment_method_types == ["card", "sepa_debit"]
    assert bench.http.post(f"/c/pay/{session.id}/debit").status_code == 303
    waiting = bench.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    intent = waiting.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert (waiting.status, waiting.payment_status) == ("complete", "unpaid")
    assert intent.status == "processing"
    page = bench.http.get(f"/c/pay/{session.id}").text
    assert "Pago en curso" in page

    for _ in range(2):
        assert bench.http.post(f"/c/pay/{session.id}/bank-pays").status_code == 303
    paid = bench.client.v1.checkout.sessions.retrieve(session.id)
    assert (paid.status, paid.payment_status) == ("complete", "paid")
    bench.receiver.wait(
        lambda events: "checkout.session.async_payment_succeeded" in [e["type"] for e in events]
    )


def test_a_direct_debit_that_the_bank_refuses_stays_unpaid(bench: Bench) -> None:
    session = bench.open()
    bench.http.post(f"/c/pay/{session.id}/debit")
    for answer in ("refuses", "pays"):
        bench.http.post(f"/c/pay/{session.id}/bank-{answer}")
    refused = bench.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    intent = refused.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert (refused.status, refused.payment_status) == ("complete", "unpaid")
    assert intent.status == "requires_payment_method"
    bench.receiver.wait(
        lambda events: "checkout.session.async_payment_failed" in [e["type"] for e in events]
    )


def test_a_method_that_the_merchant_excludes_is_not_offered(bench: Bench) -> None:
    session = bench.open(excluded_payment_method_types=["sepa_debit", "oxxo"])
    assert session.payment_method_types == ["card"]
    assert "/debit" not in bench.http.get(f"/c/pay/{session.id}").text
    bench.http.post(f"/c/pay/{session.id}/debit")
    assert bench.client.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_a_payment_can_be_disputed(bench: Bench) -> None:
    intent = bench.paid().payment_intent
    made = bench.http.post(f"/_sandbox/payments/{intent}/dispute").json()
    dispute = bench.client.v1.disputes.retrieve(made["id"])
    assert (dispute.status, dispute.payment_intent, dispute.amount) == (
        "needs_response",
        intent,
        9_000,
    )
    bench.receiver.wait(lambda events: "charge.dispute.created" in [e["type"] for e in events])
    assert bench.http.post("/_sandbox/payments/pi_none/dispute").status_code == 404


def test_of_a_charge_that_the_bank_took_back_nothing_is_refunded(bench: Bench) -> None:
    intent = str(bench.paid().payment_intent)

    def refund(cents: int) -> str:
        try:
            bench.client.v1.refunds.create({"payment_intent": intent, "amount": cents})
        except stripe.InvalidRequestError as error:
            return str(error.code)
        return "refunded"

    path = f"/_sandbox/payments/{intent}/dispute"
    assert bench.http.post(path, json={"status": "won"}).status_code == 422
    made = bench.http.post(path, json={"status": "warning_needs_response"}).json()
    said = {made["status"]: (made["is_charge_refundable"], refund(1_000))}
    for status in ("needs_response", "under_review", "lost", "won"):
        answer = bench.http.post(f"/_sandbox/disputes/{made['id']}", json={"status": status}).json()
        said[status] = (answer["is_charge_refundable"], refund(1_000))
    assert said == {
        "warning_needs_response": (True, "refunded"),
        "needs_response": (False, "charge_disputed"),
        "under_review": (False, "charge_disputed"),
        "lost": (False, "charge_disputed"),
        "won": (True, "refunded"),
    }


def test_an_inquiry_ends_when_all_of_it_is_refunded(bench: Bench) -> None:
    intent = str(bench.paid().payment_intent)
    asked = {"status": "warning_needs_response"}
    made = bench.http.post(f"/_sandbox/payments/{intent}/dispute", json=asked).json()
    bench.client.v1.refunds.create({"payment_intent": intent})
    assert bench.client.v1.disputes.retrieve(made["id"]).status == "warning_closed"
