"""The sandbox sells subscriptions as Stripe does, through the official SDK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import stripe

from escapemaster_dev.sandbox.stripe import objects

from .conftest import Bench
from .test_sandbox_api import refused

DAY = 86400


def price_of(bench: Bench, lookup_key: str) -> stripe.Price:
    [found] = bench.client.v1.prices.list({"lookup_keys": [lookup_key], "active": True}).data
    return found


def customer_of(bench: Bench) -> stripe.Customer:
    return bench.client.v1.customers.create({"name": "Casa Laberinto", "email": "a@example.com"})


def advance(bench: Bench, customer: str, days: int) -> None:
    answer = bench.http.post(
        f"/_sandbox/customers/{customer}/advance", json={"seconds": days * DAY}
    )
    assert answer.status_code == 200, answer.text


def subscribed(bench: Bench, trial: int = 0) -> stripe.Subscription:
    parameters: Any = {
        "customer": customer_of(bench).id,
        "items": [{"price": price_of(bench, "escapemaster_pro_month").id}],
    }
    if trial:
        parameters["trial_period_days"] = trial
    return bench.client.v1.subscriptions.create(parameters)


def item_of(subscription: stripe.Subscription) -> Any:
    return subscription["items"].data[0]


def again(bench: Bench, subscription: stripe.Subscription) -> stripe.Subscription:
    return bench.client.v1.subscriptions.retrieve(subscription.id)


def test_prices_are_found_by_lookup_key(untouched: Bench) -> None:
    found = price_of(untouched, "escapemaster_starter_year")
    assert (found.unit_amount, found.currency) == (29000, "eur")
    assert found.recurring is not None and found.recurring.interval == "year"


def test_a_lookup_key_is_one_price_s_until_another_takes_it_over(bench: Bench) -> None:
    former = price_of(bench, "escapemaster_pro_month")
    parameters: Any = {
        "currency": "eur",
        "unit_amount": 8900,
        "recurring": {"interval": "month"},
        "product_data": {"name": "Pro"},
        "lookup_key": "escapemaster_pro_month",
    }
    with pytest.raises(stripe.InvalidRequestError) as error:
        bench.client.v1.prices.create(parameters)
    assert refused(error)[3] == "lookup_key"
    parameters["transfer_lookup_key"] = True
    made = bench.client.v1.prices.create(parameters)
    assert price_of(bench, "escapemaster_pro_month").id == made.id
    assert bench.client.v1.prices.retrieve(former.id).lookup_key is None


def test_a_checkout_begins_with_its_trial_and_is_paid_after_it(bench: Bench) -> None:
    customer = customer_of(bench)
    session = bench.client.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "customer": customer.id,
            "line_items": [{"price": price_of(bench, "escapemaster_pro_month").id, "quantity": 1}],
            "subscription_data": {"trial_period_days": 14},
            "success_url": "https://venue.example/thanks",
        }
    )
    assert bench.http.get(f"/c/pay/{session.id}").status_code == 200
    assert bench.pay(session.id).status_code == 303
    session = bench.client.v1.checkout.sessions.retrieve(session.id)
    assert (session.status, session.payment_status) == ("complete", "no_payment_required")
    subscription = bench.client.v1.subscriptions.retrieve(str(session.subscription))
    assert subscription.status == "trialing"
    assert item_of(subscription).current_period_end == subscription.trial_end
    advance(bench, customer.id, 15)
    renewed = again(bench, subscription)
    assert renewed.status == "active"
    invoice = bench.client.v1.invoices.retrieve(str(renewed.latest_invoice))
    assert (invoice.status, invoice.amount_paid) == ("paid", 7900)


def test_a_refused_card_makes_it_past_due_and_then_ends_it(bench: Bench) -> None:
    subscription = subscribed(bench)
    customer = str(subscription.customer)
    bench.http.post(f"/_sandbox/customers/{customer}/card", json={"works": False})
    advance(bench, customer, 32)
    assert again(bench, subscription).status == "past_due"
    advance(bench, customer, 22)
    ended = again(bench, subscription)
    assert (ended.status, ended.ended_at is None) == ("canceled", False)


def test_what_is_given_up_can_be_left_unpaid(bench: Bench) -> None:
    subscription = subscribed(bench)
    customer = str(subscription.customer)
    bench.http.post("/_sandbox/after-dunning", json={"becomes": "unpaid"})
    bench.http.post(f"/_sandbox/customers/{customer}/card", json={"works": False})
    advance(bench, customer, 60)
    assert again(bench, subscription).status == "unpaid"
    bench.http.post(f"/_sandbox/customers/{customer}/card", json={"works": True})
    assert again(bench, subscription).status == "active"


def test_cancelling_at_the_periods_end_can_be_taken_back(bench: Bench) -> None:
    subscription = subscribed(bench)
    bench.client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    assert again(bench, subscription).cancel_at == item_of(subscription).current_period_end
    bench.client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": False})
    assert again(bench, subscription).cancel_at is None
    bench.client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    advance(bench, str(subscription.customer), 32)
    assert again(bench, subscription).status == "canceled"


def test_a_schedule_changes_the_price_when_the_period_ends(bench: Bench) -> None:
    subscription = subscribed(bench)
    starter = price_of(bench, "escapemaster_starter_month")
    schedule = bench.client.v1.subscription_schedules.create({"from_subscription": subscription.id})
    item = item_of(subscription)
    parameters: Any = {
        "phases": [
            {
                "items": [{"price": item.price.id, "quantity": 1}],
                "start_date": item.current_period_start,
                "end_date": item.current_period_end,
            },
            {
                "items": [{"price": starter.id, "quantity": 1}],
                "duration": {"interval": "month", "interval_count": 1},
            },
        ]
    }
    bench.client.v1.subscription_schedules.update(schedule.id, parameters)
    # While a schedule manages it, nobody else does.
    with pytest.raises(stripe.InvalidRequestError):
        bench.client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    advance(bench, str(subscription.customer), 32)
    changed = again(bench, subscription)
    assert (item_of(changed).price.id, changed.schedule) == (starter.id, None)


def test_a_deleted_customer_takes_its_subscriptions_along(bench: Bench) -> None:
    subscription = subscribed(bench)
    customer = str(subscription.customer)
    assert bench.client.v1.customers.delete(customer).deleted is True
    assert again(bench, subscription).status == "canceled"
    assert getattr(bench.client.v1.customers.retrieve(customer), "deleted", False) is True


def test_the_same_key_makes_one_customer(bench: Bench) -> None:
    options: stripe.RequestOptions = {"idempotency_key": "customer-1"}
    first = bench.client.v1.customers.create({"name": "One"}, options)
    assert bench.client.v1.customers.create({"name": "One"}, options).id == first.id
    with pytest.raises(stripe.IdempotencyError):
        bench.client.v1.customers.create({"name": "Two"}, options)


@pytest.mark.parametrize("kind", ["customer", "price", "subscription", "invoice"])
def test_objects_have_the_fields_of_stripes_own(bench: Bench, kind: str) -> None:
    subscription = subscribed(bench)
    ids = {
        "customer": subscription.customer,
        "price": item_of(subscription).price.id,
        "subscription": subscription.id,
        "invoice": subscription.latest_invoice,
    }
    found = bench.http.get(
        f"/v1/{kind}s/{ids[kind]}", headers={"Authorization": "Bearer sk_test_sandbox"}
    ).json()
    path = Path(objects.__file__).with_name("fixtures.json")
    known = set(json.loads(path.read_text())["resources"][kind])
    assert set(found) == known


def test_the_portal_is_a_page_with_buttons(bench: Bench) -> None:
    subscription = subscribed(bench)
    portal = bench.client.v1.billing_portal.sessions.create(
        {"customer": str(subscription.customer), "return_url": "https://venue.example/"}
    )
    page = bench.http.get(portal.url)
    assert "Cancel at the period" in page.text and "https://venue.example/" in page.text
    form = {"do": "cancel", "subscription": subscription.id}
    assert bench.http.post(portal.url, data=form).status_code == 303
    assert again(bench, subscription).cancel_at_period_end is True
    other = subscribed(bench)
    form = {"do": "cancel", "subscription": other.id}
    assert bench.http.post(portal.url, data=form).status_code == 404
    assert bench.http.get("/p/session/bps_none").status_code == 404
    for name in ("advance", "card"):
        answer = bench.http.post(f"/_sandbox/customers/{subscription.customer}/{name}", json={})
        assert answer.status_code == 422
