"""Refunds: promised once, done once, and the ledger's sum never depends on the order of news."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client import Caller, Refused
from db.money_world import (
    TOTAL,
    Booking,
    Database,
    Venue,
    make_venue,
    member,
    paid,
    refund_of,
)


@pytest.fixture(scope="module")
def venue(money: Database) -> Venue:
    return make_venue(money)


def cancelled(venue: Venue) -> tuple[Booking, Any]:
    """A paid booking that was cancelled, and the request that its refund job carries out."""
    booking = venue.hold()
    venue.pay(booking)
    venue.cancel(booking)
    [job] = venue.jobs("stripe.refund", booking)
    return booking, venue.refund_request(job["payload"]["refund_request_id"])


def test_cancelling_promises_the_money_back(venue: Venue) -> None:
    booking = venue.hold()
    session = venue.pay(booking)
    venue.cancel(booking)
    [job] = venue.jobs("stripe.refund", booking)
    request = venue.refund_request(job["payload"]["refund_request_id"])
    assert request == {
        "refund_request_id": job["payload"]["refund_request_id"],
        "organization_id": venue.organization_id,
        "booking_id": booking.id,
        "reference": booking.reference,
        "status": "pending",
        "amount_cents": TOTAL,
        "currency": "EUR",
        "reason": "cancelled",
        "payment_intent": session["payment_intent"],
        "stripe_account": None,
        "provider_refund_id": None,
        "refund_fee": False,
        "disputed": False,
        "disputes": 0,
    }
    assert venue.balance(booking) == (TOTAL, 0)


def test_a_refund_that_succeeded_is_in_the_ledger_once(venue: Venue) -> None:
    booking, request = cancelled(venue)
    for _ in range(3):
        assert venue.apply_refund(refund_of(request)) == {
            "refund_request_id": request["refund_request_id"],
            "status": "succeeded",
        }
    assert venue.balance(booking) == (TOTAL, TOTAL)
    again = venue.refund_request(request["refund_request_id"])
    assert (again["status"], again["provider_refund_id"]) == ("succeeded", refund_of(request)["id"])


def test_a_refund_on_its_way_is_not_in_the_ledger_yet(venue: Venue) -> None:
    booking, request = cancelled(venue)
    answer = venue.apply_refund(refund_of(request, "requires_action"))
    assert answer["status"] == "pending"
    assert venue.balance(booking) == (TOTAL, 0)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), outcome=st.sampled_from(["succeeded", "failed", "canceled", "bounced"]))
def test_any_order_and_number_of_reports_leave_the_same_sum(
    venue: Venue, data: st.DataObject, outcome: str
) -> None:
    story = {
        "succeeded": ["pending", "succeeded"],
        "failed": ["pending", "failed"],
        "canceled": ["requires_action", "canceled"],
        "bounced": ["pending", "succeeded", "failed"],
    }[outcome]
    extra = data.draw(st.lists(st.sampled_from(story), max_size=4))
    booking, request = cancelled(venue)
    for status in data.draw(st.permutations([story[-1], *extra])):
        venue.apply_refund(refund_of(request, status))

    refunded = TOTAL if outcome == "succeeded" else 0
    assert venue.balance(booking) == (TOTAL, refunded)
    [row] = venue.refund_requests(booking)
    assert row["status"] == ("succeeded" if refunded else "failed")


def test_a_refund_that_bounced_leaves_both_entries(venue: Venue) -> None:
    booking, request = cancelled(venue)
    venue.apply_refund(refund_of(request))
    venue.apply_refund(refund_of(request, "failed"))
    entries = venue.owner.select(
        "select kind, amount_cents, method from public.refunds where booking_id = %s order by id",
        booking.id,
    )
    assert sorted(entries, key=lambda entry: entry["kind"]) == [
        {"kind": "refund", "amount_cents": TOTAL, "method": "stripe"},
        {"kind": "reversal", "amount_cents": -TOTAL, "method": "stripe"},
    ]


def test_a_refund_made_on_the_providers_dashboard_is_known(venue: Venue) -> None:
    booking = venue.hold()
    session = venue.pay(booking)
    refund = {
        "id": f"re_{uuid.uuid4().hex}",
        "status": "succeeded",
        "amount": 700,
        "payment_intent": session["payment_intent"],
        "refund_request_id": None,
        "as_of": "2030-01-01T00:00:00+00:00",
    }
    for _ in range(2):
        venue.apply_refund(refund)
    assert venue.balance(booking) == (TOTAL, 700)
    venue.cancel(booking)
    assert [r["amount_cents"] for r in venue.refund_requests(booking)] == [700, TOTAL - 700]


def test_a_second_refund_of_the_provider_under_one_request_is_counted_too(venue: Venue) -> None:
    booking = venue.hold()
    session = venue.pay(booking)
    venue.database.one(
        "select private.request_refund(%s, %s, 1000, 'overpaid')",
        venue.organization_id,
        booking.id,
    )
    [job] = venue.jobs("stripe.refund", booking)
    request = venue.refund_request(job["payload"]["refund_request_id"])
    for number in (1, 2):
        venue.apply_refund(
            refund_of(
                request,
                id=f"re_{number}_{booking.id}",
                payment_intent=session["payment_intent"],
            ),
        )
    assert venue.balance(booking) == (TOTAL, 2000)


def test_a_refund_that_overtakes_its_payment_comes_back_later(venue: Venue) -> None:
    _, request = cancelled(venue)
    with pytest.raises(Refused) as refused:
        venue.apply_refund(refund_of(request, payment_intent="pi_unknown"))
    assert (refused.value.status, refused.value.code) == (503, "payment_unknown")


def test_an_unknown_request_is_not_found(venue: Venue) -> None:
    with pytest.raises(Refused) as refused:
        venue.refund_request(str(uuid.uuid4()))
    assert (refused.value.status, refused.value.code) == (404, "refund_request_not_found")


def test_no_more_is_promised_than_was_paid_however_many_ask(venue: Venue) -> None:
    booking = venue.hold()
    venue.pay(booking)
    with (
        venue.database.clients(*[Caller("postgres")] * 6) as clients,
        ThreadPoolExecutor(len(clients)) as pool,
    ):
        promised = list(
            pool.map(
                lambda client: client.select(
                    "select private.request_refund(%s, %s, 4000, 'overpaid') as cents",
                    venue.organization_id,
                    booking.id,
                )[0]["cents"],
                clients,
            )
        )
    assert sorted(promised) == [0, 0, 0, 0, TOTAL - 4000, 4000]


def test_what_was_paid_last_goes_back_first_and_cash_waits_for_a_person(venue: Venue) -> None:
    booking = venue.hold()
    venue.apply(paid(venue.checkout(booking), amount_total=1000))
    member(venue, "manager").call(
        "record_payment",
        organization_id=venue.organization_id,
        booking_id=booking.id,
        method="cash",
        amount_cents=TOTAL - 1000,
        idempotency_key=str(uuid.uuid4()),
    )
    venue.cancel(booking)
    requests = venue.refund_requests(booking)
    assert sorted(r["amount_cents"] for r in requests) == [1000, TOTAL - 1000]
    [job] = venue.jobs("stripe.refund", booking)
    request = venue.refund_request(job["payload"]["refund_request_id"])
    assert request["amount_cents"] == 1000
    [by_hand] = [r for r in requests if str(r["id"]) != request["refund_request_id"]]
    seen = venue.refund_request(str(by_hand["id"]))
    assert (seen["payment_intent"], seen["status"]) == (None, "pending")


# -- the inbox --------------------------------------------------------------------------------


def event(**changes: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{uuid.uuid4().hex}",
        "type": "checkout.session.completed",
        "created": 1_900_000_000,
        "account": None,
        "data": {"object": {"object": "checkout.session", "id": f"cs_{uuid.uuid4().hex}"}},
        **changes,
    }


def syncs(venue: Venue, about: dict[str, Any]) -> list[dict[str, Any]]:
    return venue.database.all(
        "select payload from private.jobs"
        " where kind = 'stripe.sync' and payload ->> 'object_id' = %s order by id",
        about["data"]["object"]["id"],
    )


def test_an_event_is_taken_once_and_its_object_looked_at(venue: Venue) -> None:
    sent = event()
    assert venue.service.call("service.receive_stripe_event", event=sent) == {"duplicate": False}
    assert venue.service.call("service.receive_stripe_event", event=sent) == {"duplicate": True}
    assert syncs(venue, sent) == [
        {
            "payload": {
                "object_type": "checkout.session",
                "object_id": sent["data"]["object"]["id"],
                "account": None,
            }
        }
    ]


def test_events_about_one_object_share_a_job(venue: Venue) -> None:
    first = event()
    second = event(type="checkout.session.expired", data=first["data"])
    other_account = event(account="acct_1", data=first["data"])
    for sent in (first, second, other_account):
        venue.service.call("service.receive_stripe_event", event=sent)
    assert [job["payload"]["account"] for job in syncs(venue, first)] == [None, "acct_1"]


def test_an_event_about_something_else_is_kept_and_nothing_more(venue: Venue) -> None:
    sent = event(type="product.created", data={"object": {"object": "product", "id": "prod_1"}})
    assert venue.service.call("service.receive_stripe_event", event=sent) == {"duplicate": False}
    assert syncs(venue, sent) == []


@pytest.mark.parametrize("changes", [{"id": ""}, {"id": None}, {"type": None}])
def test_what_is_no_event_is_refused(venue: Venue, changes: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        venue.service.call("service.receive_stripe_event", event=event(**changes))
    assert (refused.value.status, refused.value.code) == (422, "event_invalid")
