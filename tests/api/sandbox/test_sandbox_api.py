"""The sandbox answers the official Stripe SDK as Stripe does."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

from .conftest import SECRET_KEY, Bench, line

VENUE: stripe.RequestOptions = {"stripe_account": "acct_1Venue"}


def refused(error: pytest.ExceptionInfo[stripe.StripeError]) -> tuple[int, str, str, str]:
    body: dict[str, Any] = error.value.json_body["error"]  # type: ignore[index]
    status = error.value.http_status or 0
    return status, body["type"], body.get("code", ""), body.get("param", "")


def dict_of(found: stripe.StripeObject | None) -> dict[str, Any]:
    assert found is not None
    return found.to_dict()


def priced(**changes: Any) -> dict[str, Any]:
    """A line whose price is changed; an empty mapping leaves that part of it out."""
    item = line("Room", 9000)
    price = item["price_data"] | changes
    return item | {"price_data": {name: value for name, value in price.items() if value != {}}}


def test_a_session_opens_with_the_total_of_its_lines_and_a_page_to_pay_on(bench: Bench) -> None:
    session = bench.open(line_items=[line("Room", 9000), line("Photo", 500, quantity=2)])

    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert (session.amount_total, session.currency) == (10_000, "eur")
    assert session.url == f"{bench.url}/c/pay/{session.id}"
    assert session.payment_intent is None
    assert session.client_reference_id == "attempt-1"
    assert dict_of(session.metadata) == {"reference": "ABCD-2345"}


def test_a_paid_session_leads_to_its_intent_and_charge(bench: Bench) -> None:
    session = bench.paid()

    again = bench.client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent.latest_charge", "line_items"]}
    )
    intent = again.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (again.status, again.payment_status, again.url) == ("complete", "paid", None)
    assert (intent.status, intent.amount_received) == ("succeeded", 9000)
    assert dict_of(intent.metadata) == {"attempt": "attempt-1"}
    assert (charge.paid, charge.captured, charge.amount_refunded) == (True, True, 0)
    assert charge.billing_details.email == "ana@example.com"
    assert again.line_items is not None
    assert [item.description for item in again.line_items.data] == ["El taller del relojero"]
    assert bench.client.v1.charges.retrieve(charge.id).payment_intent == intent.id


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"expires_at": 29}, "expires_at"),
        ({"expires_at": 24 * 60 + 1}, "expires_at"),
        ({"mode": "setup"}, "mode"),
        ({"locale": "ca"}, "locale"),
        ({"success_url": "venue.example"}, "success_url"),
        ({"customer_email": "nobody"}, "customer_email"),
        ({"line_items": []}, "line_items"),
        ({"line_items": [{"price": "price_1", "quantity": 1}]}, "line_items[0][price]"),
        (
            {"line_items": [line("Room", 1) | {"quantity": 0}]},
            "line_items[0][quantity]",
        ),
        ({"line_items": [line("A", 9000), line("B", 9000, "gbp")]}, "line_items"),
        ({"line_items": [{"price_data": {"currency": "eur"}}]}, "line_items[0][quantity]"),
        ({"line_items": [{"quantity": 1}]}, "line_items[0][price_data]"),
        ({"line_items": [priced(currency="euro")]}, "line_items[0][price_data][currency]"),
        ({"line_items": [priced(unit_amount=-1)]}, "line_items[0][price_data][unit_amount]"),
        ({"line_items": [priced(product_data={})]}, "line_items[0][price_data][product_data]"),
        ({"line_items": [line("Room", 9000)] * 101}, "line_items"),
        ({"submit_type": "beg"}, "submit_type"),
        ({"metadata": {f"k{n}": "v" for n in range(51)}}, "metadata"),
        ({"colour": "red"}, "colour"),
        ({"payment_intent_data": {"colour": "red"}}, "payment_intent_data[colour]"),
        (
            {"payment_intent_data": {"application_fee_amount": 100}},
            "payment_intent_data[application_fee_amount]",
        ),
        ({"metadata": {"k": "v" * 501}}, "metadata[k]"),
        ({"client_reference_id": "x" * 201}, "client_reference_id"),
    ],
)
def test_a_session_that_stripe_would_refuse_is_refused_by_name(
    untouched: Bench, change: dict[str, Any], param: str
) -> None:
    if "expires_at" in change:
        change = {"expires_at": int(untouched.clock()) + change["expires_at"] * 60}

    with pytest.raises(stripe.InvalidRequestError) as error:
        untouched.open(**change)

    assert refused(error)[0:2] == (400, "invalid_request_error")
    assert refused(error)[3] == param
    assert untouched.client.v1.checkout.sessions.list().data == []


def test_a_session_must_reach_the_smallest_charge(untouched: Bench) -> None:
    with pytest.raises(stripe.InvalidRequestError) as error:
        untouched.open(line_items=[line("Room", 49)])

    assert refused(error)[2] == "amount_too_small"


def test_a_charge_has_a_greatest_amount(untouched: Bench) -> None:
    with pytest.raises(stripe.InvalidRequestError) as error:
        untouched.open(line_items=[line("Room", 99_999_999, quantity=2)])

    assert refused(error)[2] == "amount_too_large"


def test_the_platforms_fee_is_no_more_than_what_is_paid(untouched: Bench) -> None:
    with pytest.raises(stripe.InvalidRequestError) as error:
        untouched.open(options=VENUE, payment_intent_data={"application_fee_amount": 9001})

    assert refused(error)[3] == "payment_intent_data[application_fee_amount]"


def test_nothing_due_completes_without_a_payment(bench: Bench) -> None:
    session = bench.paid(line_items=[line("Room", 0)])

    assert session.payment_status == "no_payment_required"
    assert session.payment_intent is None


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer sk_test_other", "Basic c2s6"])
def test_no_key_no_answer(untouched: Bench, authorization: str) -> None:
    answer = untouched.http.get("/v1/balance", headers={"Authorization": authorization})

    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["request-id"].startswith("req_")


def test_the_same_key_and_request_have_one_effect_and_one_answer(bench: Bench) -> None:
    params = bench.checkout()

    first = bench.open(**params, options={"idempotency_key": "attempt-1"})
    again = bench.open(**params, options={"idempotency_key": "attempt-1"})

    assert again.to_dict() == first.to_dict()
    assert again.last_response is not None and first.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Original-Request"] == first.last_response.request_id
    assert len(bench.client.v1.checkout.sessions.list().data) == 1


def test_the_same_key_with_another_request_is_an_error(bench: Bench) -> None:
    bench.open(options={"idempotency_key": "attempt-1"})

    with pytest.raises(stripe.IdempotencyError) as error:
        bench.open(client_reference_id="attempt-2", options={"idempotency_key": "attempt-1"})

    assert refused(error)[0:2] == (400, "idempotency_error")


def test_a_key_is_free_again_after_a_refused_parameter_and_after_a_day(bench: Bench) -> None:
    options = {"idempotency_key": "attempt-1"}
    with pytest.raises(stripe.InvalidRequestError):
        bench.open(mode="setup", options=options)
    first = bench.open(options=options)

    bench.clock.forward(minutes=24 * 60 + 1)

    assert bench.open(options=options).id != first.id


def test_an_executed_refusal_is_kept_for_its_key(bench: Bench) -> None:
    intent = str(bench.paid().payment_intent)
    answers = []
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as error:
            bench.client.v1.refunds.create(
                {"payment_intent": intent, "amount": 9001}, {"idempotency_key": "refund-1"}
            )
        answers.append(error.value)

    assert answers[1].headers["idempotent-replayed"] == "true"  # type: ignore[index]
    assert answers[0].json_body == answers[1].json_body


def test_a_key_longer_than_stripe_allows_is_refused(untouched: Bench) -> None:
    with pytest.raises(stripe.IdempotencyError):
        untouched.open(options={"idempotency_key": "k" * 256})


def test_what_belongs_to_one_account_is_unknown_to_every_other(bench: Bench) -> None:
    session = bench.paid(
        options=VENUE, payment_intent_data={"application_fee_amount": 450, "metadata": {}}
    )
    intent_id = str(session.payment_intent)

    intent = bench.client.v1.payment_intents.retrieve(
        intent_id, {"expand": ["latest_charge"]}, VENUE
    )
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert intent.application_fee_amount == 450
    assert intent.latest_charge.application_fee_amount == 450
    others: list[stripe.RequestOptions] = [{}, {"stripe_account": "acct_1Other"}]
    for options in others:
        with pytest.raises(stripe.InvalidRequestError) as error:
            bench.client.v1.payment_intents.retrieve(intent_id, options=options)
        assert refused(error)[0:3] == (404, "invalid_request_error", "resource_missing")
        assert bench.client.v1.checkout.sessions.list(options=options).data == []
    with pytest.raises(stripe.PermissionError):
        bench.client.v1.balance.retrieve(options={"stripe_account": "venue"})


def test_an_open_session_can_be_ended_once(bench: Bench) -> None:
    session = bench.open()

    assert bench.client.v1.checkout.sessions.expire(session.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError):
        bench.client.v1.checkout.sessions.expire(session.id)
    assert bench.pay(session.id).status_code == 410
    assert bench.client.v1.checkout.sessions.retrieve(session.id).payment_status == "unpaid"


def test_a_session_ends_by_itself_when_its_time_is_up(bench: Bench) -> None:
    session = bench.open()

    bench.clock.forward(minutes=30.9)
    assert bench.client.v1.checkout.sessions.retrieve(session.id).status == "open"
    bench.clock.forward(minutes=0.2)
    assert bench.client.v1.checkout.sessions.retrieve(session.id).status == "expired"


def test_a_refund_can_be_part_of_a_charge_and_never_more_than_is_left(bench: Bench) -> None:
    intent = str(bench.paid().payment_intent)
    refunds = bench.client.v1.refunds

    part = refunds.create(
        {
            "payment_intent": intent,
            "amount": 4000,
            "reason": "requested_by_customer",
            "metadata": {"refund_request": "r1"},
        }
    )
    assert (part.status, part.amount, part.currency) == ("succeeded", 4000, "eur")
    assert dict_of(refunds.retrieve(part.id).metadata) == {"refund_request": "r1"}
    with pytest.raises(stripe.InvalidRequestError) as error:
        refunds.create({"payment_intent": intent, "amount": 5001})
    assert "greater than unrefunded amount" in str(error.value)
    rest = refunds.create({"charge": str(part.charge)})
    assert rest.amount == 5000
    with pytest.raises(stripe.InvalidRequestError) as error:
        refunds.create({"payment_intent": intent})
    assert refused(error)[2] == "charge_already_refunded"
    charge = bench.client.v1.charges.retrieve(str(part.charge))
    assert (charge.refunded, charge.amount_refunded) == (True, 9000)
    listed = refunds.list({"payment_intent": intent})
    assert [refund.id for refund in listed.data] == [rest.id, part.id]


def test_an_unpaid_intent_has_nothing_to_refund(bench: Bench) -> None:
    session = bench.open()
    bench.http.post(f"/c/pay/{session.id}/decline")
    intent = bench.client.v1.checkout.sessions.retrieve(session.id).payment_intent

    with pytest.raises(stripe.InvalidRequestError) as error:
        bench.client.v1.refunds.create({"payment_intent": str(intent)})

    assert refused(error)[2] == "payment_intent_unexpected_state"


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({}, "payment_intent"),
        ({"payment_intent": "pi_none"}, "payment_intent"),
        ({"charge": "ch_none"}, "charge"),
        ({"charge": "ch_none", "amount": 0}, "amount"),
        ({"charge": "ch_none", "reason": "whim"}, "reason"),
    ],
)
def test_a_refund_of_nothing_known_is_refused(
    untouched: Bench, params: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as error:
        untouched.client.v1.refunds.create(params)  # type: ignore[arg-type]

    assert refused(error)[3] == param


def test_lists_are_newest_first_and_turn_pages_both_ways(bench: Bench) -> None:
    opened = [bench.open().id for _ in range(5)][::-1]
    sessions = bench.client.v1.checkout.sessions

    first = sessions.list({"limit": 2})
    assert [one.id for one in first.data] == opened[:2] and first.has_more
    second = sessions.list({"limit": 2, "starting_after": opened[1]})
    assert [one.id for one in second.data] == opened[2:4] and second.has_more
    back = sessions.list({"limit": 2, "ending_before": opened[3]})
    assert [one.id for one in back.data] == opened[1:3] and back.has_more
    assert [one.id for one in sessions.list({"limit": 2}).auto_paging_iter()] == opened


def test_lists_can_be_narrowed(bench: Bench) -> None:
    paid, open_one = bench.paid(), bench.open()
    sessions = bench.client.v1.checkout.sessions

    assert [one.id for one in sessions.list({"status": "open"}).data] == [open_one.id]
    by_intent = sessions.list({"payment_intent": str(paid.payment_intent)})
    assert [one.id for one in by_intent.data] == [paid.id]
    by_email = sessions.list({"customer_details": {"email": "other@example.com"}})
    assert by_email.data == []
    assert sessions.list({"created": {"gt": paid.created + 60}}).data == []
    assert len(sessions.list({"created": {"gte": paid.created}}).data) == 2
    events = bench.client.v1.events.list({"types": ["checkout.session.completed"]})
    assert [event.data.object["id"] for event in events.data] == [paid.id]
    assert bench.client.v1.events.retrieve(events.data[0].id).type == "checkout.session.completed"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=many",
        "starting_after=cs_none",
        "starting_after=a&ending_before=b",
        "created[since]=1",
        "status=lost",
        "page=2",
        "expand[]=customer",
    ],
)
def test_a_list_that_makes_no_sense_is_refused(untouched: Bench, query: str) -> None:
    answer = untouched.http.get(
        f"/v1/checkout/sessions?{query}", headers={"Authorization": f"Bearer {SECRET_KEY}"}
    )

    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "form",
    [
        b"mode=payment&mode[x]=1",
        b"mode[x]=1",
        b"line_items[0]=room",
        b"line_items[x][quantity]=1",
        b"[]=1",
        b"success_url=",
        b"\xff=1",
        b"name=%ff",
        b"x" * 1_000_001,
    ],
)
def test_a_malformed_form_is_the_clients_error(untouched: Bench, form: bytes) -> None:
    answer = untouched.http.post(
        "/v1/checkout/sessions",
        content=form,
        headers={
            "Authorization": f"Bearer {SECRET_KEY}",
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )

    assert answer.status_code in (400, 413)
    assert answer.json()["error"]["message"]


def test_the_balance_is_what_was_charged_less_fees_and_refunds(bench: Bench) -> None:
    assert bench.client.v1.balance.retrieve().available[0].amount == 0
    bench.paid(options=VENUE, payment_intent_data={"application_fee_amount": 450})
    refunded = bench.paid(options=VENUE)
    bench.client.v1.refunds.create({"payment_intent": str(refunded.payment_intent)}, VENUE)

    balance = bench.client.v1.balance.retrieve(options=VENUE)

    assert [(money.amount, money.currency) for money in balance.available] == [(8550, "eur")]


def test_an_address_that_the_sandbox_does_not_know_says_so(untouched: Bench) -> None:
    with pytest.raises(stripe.InvalidRequestError) as error:
        untouched.client.v1.coupons.create({"percent_off": 10})

    assert refused(error)[0] == 404
    assert "POST: /v1/coupons" in str(error.value)


def test_a_fault_of_the_sandbox_is_a_500_in_stripes_shape(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("escapemaster_dev.sandbox.stripe.payments.objects.fixture", broken)

    answer = httpx.get(f"{bench.url}/v1/balance", headers={"Authorization": f"Bearer {SECRET_KEY}"})

    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "api_error"
