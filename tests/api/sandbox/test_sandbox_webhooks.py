"""Every event arrives, signed, in spite of refusals, restarts and what a test asks for."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import stripe
from starlette.applications import Starlette

from escapemaster_dev.sandbox.stripe.app import create_app
from escapemaster_dev.sandbox.stripe.courier import LONGEST_RETRY_SECONDS, Courier, retry_after
from escapemaster_dev.sandbox.stripe.settings import Settings

from .conftest import PATIENCE, WEBHOOK_SECRET, Bench, Clock, Receiver, running, serving

PAID = ["payment_intent.succeeded", "checkout.session.completed"]


def events(count: int) -> Any:
    return lambda accepted: len(accepted) >= count


def test_what_happens_is_told_in_order(bench: Bench) -> None:
    session = bench.paid()
    refund = bench.client.v1.refunds.create({"payment_intent": str(session.payment_intent)})
    expired = bench.open()
    bench.client.v1.checkout.sessions.expire(expired.id, options={"idempotency_key": "over"})

    told = bench.receiver.wait(events(6))

    assert [event["type"] for event in told] == [
        *PAID,
        "refund.created",
        "charge.refunded",
        "refund.updated",
        "checkout.session.expired",
    ]
    assert told[1]["data"]["object"]["id"] == session.id
    assert told[1]["data"]["object"]["client_reference_id"] == "attempt-1"
    assert told[2]["data"]["object"]["id"] == refund.id
    assert told[3]["data"]["previous_attributes"]["amount_refunded"] == 0
    assert told[5]["request"]["idempotency_key"] == "over"
    assert told[5]["data"]["object"]["status"] == "expired"


def test_a_webhook_is_signed_so_that_the_sdk_accepts_it(bench: Bench) -> None:
    bench.paid(options={"stripe_account": "acct_1Venue"})
    bench.receiver.wait(events(2))

    for body, signature, _ in bench.receiver.requests:
        event = stripe.Webhook.construct_event(body, signature, WEBHOOK_SECRET)
        assert event.account == "acct_1Venue"
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body + b" ", signature, WEBHOOK_SECRET)
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body, signature, "whsec_other")


def test_a_refused_webhook_is_sent_again_until_it_is_taken(bench: Bench) -> None:
    bench.receiver.statuses += [500, 503, 302]

    session = bench.paid()

    wait_for_deliveries(bench, "delivered", "delivered")
    assert sorted(bench.receiver.types) == sorted(PAID)
    assert len(bench.receiver.requests) == 5
    deliveries = bench.http.get("/_sandbox/deliveries").json()["data"]
    assert {one["object"] for one in deliveries} == {session.id, session.payment_intent}
    assert sum(one["attempts"] for one in deliveries) == 5
    assert {one["last_error"] for one in deliveries} == {None}


def test_attempts_come_slower_but_never_slower_than_the_limit() -> None:
    waits = [retry_after(attempts) for attempts in range(1, 300)]

    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0.2, LONGEST_RETRY_SECONDS)


def test_an_event_that_is_never_taken_is_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("escapemaster_dev.sandbox.stripe.courier.MOST_ATTEMPTS", 2)
    bench.receiver.statuses += [500] * 4
    session = bench.paid()

    wait_for_deliveries(bench, "abandoned", "abandoned")

    events = bench.client.v1.events.list({"delivery_success": False}).data
    assert {event.data.object["id"] for event in events} == {session.id, session.payment_intent}


def test_a_restart_loses_nothing_and_goes_on_sending(
    receiver: Receiver, hook: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/webhooks/stripe"
    with running(receiver, nobody, tmp_path) as bench:
        params = bench.checkout()
        paid = bench.paid(**params, options={"idempotency_key": "attempt-1"})
        waiting = bench.open()
        wait_for_deliveries(bench, "pending", "pending", attempts=1)
        assert "ConnectError" in bench.http.get("/_sandbox/deliveries").text

    with running(receiver, hook, tmp_path) as bench:
        told = bench.receiver.wait(events(2))
        assert sorted(event["type"] for event in told) == sorted(PAID)
        sessions = bench.client.v1.checkout.sessions
        assert sessions.retrieve(paid.id).payment_intent == paid.payment_intent
        assert sessions.retrieve(waiting.id).status == "open"
        again = bench.open(**params, options={"idempotency_key": "attempt-1"})
        assert again.id == paid.id


def test_held_back_events_wait_and_then_come_once(bench: Bench) -> None:
    bench.deliver(False)
    session = bench.paid()
    assert bench.deliver(False) == {"deliver": False, "waiting": 2}
    assert bench.receiver.requests == []
    assert bench.client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"

    bench.deliver(True)

    told = bench.receiver.wait(events(2))
    assert [event["type"] for event in told] == PAID
    wait_for_deliveries(bench, "delivered", "delivered")
    assert len(bench.receiver.requests) == 2


def test_events_come_twice_when_asked(bench: Bench) -> None:
    bench.deliver("duplicate")
    bench.paid()

    told = bench.receiver.wait(events(4))

    assert set(Counter(event["id"] for event in told).values()) == {2}
    wait_for_deliveries(bench, *["delivered"] * 4)


def test_a_shuffle_is_random_and_repeatable(bench: Bench) -> None:
    orders = []
    for _ in range(2):
        bench.receiver.requests.clear()
        bench.deliver(False)
        for _ in range(4):
            bench.paid()
        bench.deliver("shuffle", seed=7)
        bench.receiver.wait(events(8))
        orders.append(bench.receiver.types)
        bench.deliver(True)

    assert orders[0] == orders[1]
    assert orders[0] != PAID * 4
    assert sorted(orders[0]) == sorted(PAID * 4)


def test_a_session_nobody_asks_about_ends_on_time(bench: Bench) -> None:
    session = bench.open()

    bench.clock.forward(minutes=32)

    told = bench.receiver.wait(events(1))
    assert told[0]["type"] == "checkout.session.expired"
    assert told[0]["data"]["object"]["id"] == session.id


def test_a_test_can_end_a_session_before_its_time(bench: Bench) -> None:
    session, paid = bench.open(), bench.paid()

    ended = bench.http.post(f"/_sandbox/sessions/{session.id}/expire-now")
    again = bench.http.post(f"/_sandbox/sessions/{session.id}/expire-now")

    assert ended.json()["status"] == again.json()["status"] == "expired"
    assert ended.json()["expires_at"] <= int(bench.clock())
    assert bench.receiver.wait(events(3))[2]["type"] == "checkout.session.expired"
    assert bench.http.post(f"/_sandbox/sessions/{paid.id}/expire-now").status_code == 409
    assert bench.http.post("/_sandbox/sessions/cs_none/expire-now").status_code == 404


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"deliver": "sometimes"}', '{"deliver": true, "seed": "x"}']
)
def test_an_unknown_way_to_deliver_is_refused(untouched: Bench, body: str) -> None:
    assert untouched.http.post("/_sandbox/webhooks", content=body).status_code == 422


def test_what_is_there_for_tests_is_closed_to_other_machines(untouched: Bench) -> None:
    app = create_app(Settings())

    with serving(_from_elsewhere(app)) as url:
        for path in ("webhooks", "sessions/cs_none/expire-now"):
            assert untouched.http.post(f"{url}/_sandbox/{path}").json() == {"error": "not found"}
        assert untouched.http.get(f"{url}/_sandbox/deliveries").status_code == 404
        assert untouched.http.get(f"{url}/_sandbox/health").json() == {"status": "ok"}


def test_without_an_address_events_are_listed_and_not_sent(receiver: Receiver) -> None:
    with running(receiver, None, None) as bench:
        bench.paid()

        assert [event.type for event in bench.client.v1.events.list().data] == PAID[::-1]
        assert bench.http.get("/_sandbox/deliveries").json()["data"] == []


def test_the_environment_says_where_events_go_and_state_stays(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {
            "API_URL": "http://127.0.0.1:54327/",
            "STRIPE_WEBHOOK_SECRET": "whsec_1",
            "STRIPE_SANDBOX_STATE": str(tmp_path / "state"),
            "STRIPE_SECRET_KEY": "",
        }
    )

    assert settings.webhook_url == "http://127.0.0.1:54327/webhooks/stripe"
    assert settings.state == str(tmp_path / "state" / "stripe.sqlite3")
    assert settings.secret_key is None
    assert Settings.from_environment({}) == Settings()
    with pytest.raises(ValueError, match="STRIPE_WEBHOOK_SECRET"):
        Settings.from_environment({"STRIPE_WEBHOOK_URL": "http://127.0.0.1:1/"})


def test_the_courier_survives_a_fault(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = [RuntimeError("disk full")]
    record = Courier._record

    def fault(*arguments: Any) -> None:
        if faults:
            raise faults.pop()
        record(*arguments)

    monkeypatch.setattr(Courier, "_record", fault)
    bench.paid()

    wait_for_deliveries(bench, "delivered", "delivered")
    assert Counter(bench.receiver.types) == {PAID[0]: 2, PAID[1]: 1}


def wait_for_deliveries(bench: Bench, *statuses: str, attempts: int = 0) -> None:
    """Ask until the deliveries stand so."""
    end = Clock()() + PATIENCE
    found: list[dict[str, Any]] = []
    while Clock()() < end:
        found = bench.http.get("/_sandbox/deliveries").json()["data"]
        settled = [one["status"] for one in found] == list(statuses)
        if settled and all(one["attempts"] >= attempts for one in found):
            return
    raise AssertionError(found)


def _from_elsewhere(app: Starlette) -> Any:
    async def run(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "client": ("192.0.2.1", 5000)}
        await app(scope, receive, send)

    return run
