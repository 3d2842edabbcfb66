"""Checkout: one open attempt a booking, and a hold that outlasts the provider's page."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from client import SERVICE, Refused
from db.money_world import (
    TOTAL,
    Booking,
    Database,
    Venue,
    make_venue,
    member,
    paid,
    session_of,
)


@pytest.fixture(scope="module")
def venue(money: Database) -> Venue:
    return make_venue(money)


def open_checkout(venue: Venue, booking: Booking) -> Any:
    return venue.service.call(
        "service.open_checkout", reference=booking.reference, manage_token=booking.token
    )


def refusal(venue: Venue, booking: Booking) -> tuple[int, str]:
    with pytest.raises(Refused) as refused:
        open_checkout(venue, booking)
    return refused.value.status, refused.value.code


def hold_ends(venue: Venue, booking: Booking) -> datetime:
    ends = venue.see(booking)["hold_expires_at"]
    return datetime.fromisoformat(ends)


def age_attempt(venue: Venue, attempt_id: str, seconds: int) -> None:
    venue.database.run(
        "update private.payment_attempts set created_at = now() - %s * interval '1 s',"
        " expires_at = expires_at - %s * interval '1 s' where id = %s",
        seconds,
        seconds,
        attempt_id,
    )


def test_it_says_all_that_the_provider_has_to_know(venue: Venue) -> None:
    booking = venue.hold(email="ada@example.com")
    opened = open_checkout(venue, booking)
    local = booking.starts_at.astimezone(ZoneInfo("Europe/Madrid"))
    assert opened == {
        "attempt_id": opened["attempt_id"],
        "attempt_token": opened["attempt_token"],
        "organization_id": venue.organization_id,
        "booking_id": booking.id,
        "reference": booking.reference,
        "amount_cents": TOTAL,
        "currency": "EUR",
        "locale": "es",
        "description": f"The attic · Casa Laberinto · {local:%d/%m/%Y %H:%M}",
        "customer_email": "ada@example.com",
        "expires_at": opened["expires_at"],
        "stripe_account": None,
        "delayed_methods": False,
        "checkout_url": None,
        "site_url": None,
        "platform_fee_cents": 0,
        "closing": False,
        "session_id": None,
    }


def test_the_hold_outlasts_the_providers_session(venue: Venue) -> None:
    booking = venue.hold()
    before = hold_ends(venue, booking)
    opened = open_checkout(venue, booking)
    session_ends = datetime.fromisoformat(opened["expires_at"])
    after = hold_ends(venue, booking)
    assert after > before
    assert after - session_ends == timedelta(minutes=2)
    life = session_ends - (after - timedelta(minutes=33))
    assert life >= timedelta(minutes=30), "Stripe refuses a shorter one"


def test_the_hold_is_extended_once_and_the_open_attempt_returned_again(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    ends = hold_ends(venue, booking)
    again = open_checkout(venue, booking)
    assert again["attempt_id"] == opened["attempt_id"]
    assert again["checkout_url"] == f"https://pay.example/{opened['session_id']}"
    assert again["expires_at"] == opened["expires_at"]
    assert hold_ends(venue, booking) == ends


def test_money_may_be_under_way_as_long_as_a_page_is_open(venue: Venue) -> None:
    booking = venue.hold()
    assert venue.see(booking)["payment_open"] is False
    open_checkout(venue, booking)
    # Nobody has its address yet.
    assert venue.see(booking)["payment_open"] is False
    attempt = venue.checkout(booking)
    assert venue.see(booking)["payment_open"] is True
    venue.let_lapse(booking)
    seen = venue.see(booking)
    assert (seen["status"], seen["payment_open"]) == ("expired", True)
    venue.apply(session_of(attempt, status="expired", payment_status="unpaid"))
    assert venue.see(booking)["payment_open"] is False

    paid = venue.hold()
    venue.pay(paid)
    assert venue.see(paid)["payment_open"] is False


def test_two_people_who_pay_at_once_get_one_attempt(venue: Venue) -> None:
    booking = venue.hold()
    with (
        venue.database.clients(*[SERVICE] * 6) as clients,
        ThreadPoolExecutor(len(clients)) as pool,
    ):
        opened = list(
            pool.map(
                lambda client: client.call(
                    "service.open_checkout", reference=booking.reference, manage_token=booking.token
                ),
                clients,
            )
        )
    assert len({answer["attempt_id"] for answer in opened}) == 1


@pytest.mark.parametrize("what", ["reference", "token"])
def test_a_wrong_reference_and_a_wrong_token_answer_the_same(venue: Venue, what: str) -> None:
    booking = venue.hold()
    wrong = Booking(
        booking.id,
        "0000-0000" if what == "reference" else booking.reference,
        "wrong" if what == "token" else booking.token,
        booking.starts_at,
    )
    assert refusal(venue, wrong) == (404, "booking_not_found")


def test_a_confirmed_booking_owes_nothing(venue: Venue) -> None:
    booking = venue.hold()
    venue.pay(booking)
    assert refusal(venue, booking) == (409, "nothing_due")


def test_a_cancelled_booking_cannot_be_paid(venue: Venue) -> None:
    booking = venue.hold()
    venue.cancel(booking)
    assert refusal(venue, booking) == (409, "not_payable")


def test_a_hold_that_lapsed_cannot_be_paid_whether_reaped_or_not(venue: Venue) -> None:
    booking = venue.hold()
    venue.let_lapse(booking)
    assert refusal(venue, booking) == (409, "not_payable")
    venue.lapse(booking)
    assert refusal(venue, booking) == (409, "not_payable")


def test_a_session_whose_time_is_over_is_not_offered_again(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    age_attempt(venue, opened["attempt_id"], 32 * 60)
    assert refusal(venue, booking) == (409, "not_payable")


def test_an_attempt_left_without_a_session_is_used_again_while_young(venue: Venue) -> None:
    booking = venue.hold()
    first = open_checkout(venue, booking)
    age_attempt(venue, first["attempt_id"], 30)
    assert open_checkout(venue, booking)["attempt_id"] == first["attempt_id"]
    age_attempt(venue, first["attempt_id"], 50)
    second = open_checkout(venue, booking)
    assert second["attempt_id"] != first["attempt_id"]
    assert venue.attempt(first["attempt_id"])["status"] == "failed"


def test_after_a_failure_another_attempt_may_open(venue: Venue) -> None:
    booking = venue.hold()
    first = open_checkout(venue, booking)
    failed = venue.service.call(
        "service.fail_checkout",
        attempt_id=first["attempt_id"],
        attempt_token=first["attempt_token"],
        error="no answer",
    )
    assert failed == {"attempt_id": first["attempt_id"], "status": "failed"}
    second = open_checkout(venue, booking)
    assert second["attempt_id"] != first["attempt_id"]
    assert venue.jobs("stripe.expire_checkout", booking) == [], "it ends before the hold by itself"


def test_a_late_second_attempt_is_closed_before_the_hold_ends(venue: Venue) -> None:
    booking = venue.hold()
    first = open_checkout(venue, booking)
    venue.service.call(
        "service.fail_checkout",
        attempt_id=first["attempt_id"],
        attempt_token=first["attempt_token"],
        error="no answer",
    )
    venue.database.run(
        "update public.bookings set hold_expires_at = now() + interval '10 minutes' where id = %s",
        booking.id,
    )
    second = open_checkout(venue, booking)
    [job] = venue.jobs("stripe.expire_checkout", booking)
    assert job["payload"]["attempt_id"] == second["attempt_id"]
    assert hold_ends(venue, booking) - job["run_at"] == timedelta(minutes=1)


def test_with_too_little_time_left_nothing_is_opened(venue: Venue) -> None:
    booking = venue.hold()
    first = open_checkout(venue, booking)
    venue.service.call(
        "service.fail_checkout",
        attempt_id=first["attempt_id"],
        attempt_token=first["attempt_token"],
        error="no answer",
    )
    venue.database.run(
        "update public.bookings set hold_expires_at = now() + interval '4 minutes' where id = %s",
        booking.id,
    )
    assert refusal(venue, booking) == (409, "not_payable")


def test_an_attempt_with_a_session_cannot_be_failed(venue: Venue) -> None:
    opened = venue.checkout(venue.hold())
    answer = venue.service.call(
        "service.fail_checkout",
        attempt_id=opened["attempt_id"],
        attempt_token=opened["attempt_token"],
        error="too late",
    )
    assert answer["status"] == "open"


def test_a_pay_link_leads_to_no_page_that_shows_whose_the_booking_is(venue: Venue) -> None:
    booking = venue.hold()
    link = venue.owner.call(
        "get_payment_link", organization_id=venue.organization_id, booking_id=booking.id
    )
    opens = {"reference": booking.reference, "manage_token": link["pay_token"]}
    first = open_checkout(venue, booking)
    assert first["customer_email"] is not None
    # The customer's page is being made, and then it is there.
    with pytest.raises(Refused, match="checkout_closing"):
        venue.service.call("service.open_checkout", **opens)
    customers = venue.checkout(booking)
    told = venue.service.call("service.open_checkout", **opens)
    assert (told["attempt_id"], told["closing"]) == (customers["attempt_id"], True)
    venue.apply(session_of(customers, "expired"))
    payers = venue.service.call("service.open_checkout", **opens)
    assert (payers["customer_email"], payers["closing"]) == (None, False)
    # Who has the booking pays on it, too: one page at a time.
    again = open_checkout(venue, booking)
    assert (again["attempt_id"], again["customer_email"]) == (payers["attempt_id"], None)


def test_a_pay_link_pays_for_its_own_booking_by_its_own_reference_only(venue: Venue) -> None:
    booking, another = venue.hold(), venue.hold()
    link = venue.owner.call(
        "get_payment_link", organization_id=venue.organization_id, booking_id=booking.id
    )
    for reference in (another.reference, "ABCD-2345", ""):
        with pytest.raises(Refused, match="booking_not_found"):
            venue.service.call(
                "service.open_checkout", reference=reference, manage_token=link["pay_token"]
            )


def test_recording_the_same_session_twice_changes_nothing(venue: Venue) -> None:
    opened = venue.checkout(venue.hold())

    def record(session_id: str) -> Any:
        return venue.service.call(
            "service.record_checkout",
            attempt_id=opened["attempt_id"],
            attempt_token=opened["attempt_token"],
            session_id=session_id,
            url=f"https://pay.example/{session_id}",
            expires_at=opened["expires_at"],
        )

    assert record(opened["session_id"]) == {"attempt_id": opened["attempt_id"], "status": "open"}
    with pytest.raises(Refused, match="attempt_has_session"):
        record("cs_other")


def test_a_session_made_for_a_booking_that_ended_meanwhile_is_not_shown(venue: Venue) -> None:
    booking = venue.hold()
    opened = open_checkout(venue, booking)
    venue.cancel(booking)
    with pytest.raises(Refused) as refused:
        venue.service.call(
            "service.record_checkout",
            attempt_id=opened["attempt_id"],
            attempt_token=opened["attempt_token"],
            session_id="cs_late",
            url="https://pay.example/cs_late",
            expires_at=opened["expires_at"],
        )
    assert (refused.value.status, refused.value.code) == (409, "not_payable")


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        ("fail_checkout", {"attempt_token": "x", "error": "x"}),
        (
            "record_checkout",
            {
                "attempt_token": "x",
                "session_id": "cs",
                "url": "https://x",
                "expires_at": "2030-01-01",
            },
        ),
    ],
)
def test_an_unknown_attempt_is_not_found(
    venue: Venue, function: str, parameters: dict[str, str]
) -> None:
    with pytest.raises(Refused) as refused:
        venue.service.call(f"service.{function}", attempt_id=str(uuid.uuid4()), **parameters)
    assert (refused.value.status, refused.value.code) == (404, "attempt_not_found")


@pytest.mark.parametrize("how", ["cancelled", "expired", "paid in cash"])
def test_a_booking_that_ends_closes_its_open_session(venue: Venue, how: str) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    assert venue.jobs("stripe.expire_checkout", booking) == []
    if how == "cancelled":
        venue.cancel(booking)
    elif how == "expired":
        venue.lapse(booking)
    else:
        member(venue, "receptionist").call(
            "record_payment",
            organization_id=venue.organization_id,
            booking_id=booking.id,
            method="cash",
            amount_cents=TOTAL,
            idempotency_key=str(uuid.uuid4()),
        )
    [job] = venue.jobs("stripe.expire_checkout", booking)
    assert job["payload"]["attempt_id"] == opened["attempt_id"]
    assert venue.attempt(opened["attempt_id"]) == {
        "session_id": opened["session_id"],
        "status": "open",
        "stripe_account": None,
    }
    venue.apply(session_of(opened, "expired"))
    assert venue.attempt(opened["attempt_id"])["status"] == "expired"


def test_a_paid_session_needs_no_closing(venue: Venue) -> None:
    booking = venue.hold()
    venue.pay(booking)
    assert venue.jobs("stripe.expire_checkout", booking) == []


def test_the_reconciler_hears_of_silent_attempts_only(money: Database) -> None:
    venue = make_venue(money)
    silent, fresh, unrecorded, done = (venue.hold() for _ in range(4))
    opened = venue.checkout(silent)
    attempts = {
        opened["attempt_id"],
        open_checkout(venue, unrecorded)["attempt_id"],
        venue.pay(done)["client_reference_id"],
    }
    for attempt_id in attempts:
        age_attempt(venue, attempt_id, 90)
    attempts.add(venue.checkout(fresh)["attempt_id"])

    def stale() -> list[str]:
        """The attempts that are asked about; their jobs are over then."""
        venue.service.call("service.queue_stale_checkouts", older_than_seconds=60)
        return [job["payload"]["attempt_id"] for job in finish(venue, "done")]

    assert stale() == [opened["attempt_id"]]
    assert stale() == [opened["attempt_id"]], "nothing was heard of it"
    venue.apply(session_of(opened, as_of=venue.database.one("select now()")))
    assert stale() == [], "asking is hearing of it"


def test_a_page_that_cannot_be_asked_about_hides_no_other(money: Database) -> None:
    venue = make_venue(money)
    opened = {}
    for _ in range(3):
        attempt = venue.checkout(venue.hold())
        age_attempt(venue, attempt["attempt_id"], 90)
        opened[attempt["attempt_id"]] = attempt["session_id"]
    for _ in range(3):
        venue.service.call("service.queue_stale_checkouts", older_than_seconds=60)
        asked = venue.jobs("stripe.sync")
        assert {
            job["payload"]["attempt_id"]: job["payload"]["object_id"] for job in asked
        } == opened
        assert len(asked) == 3, "one job each, however often it is asked for"


def test_a_page_whose_job_waits_or_died_keeps_its_pause(money: Database) -> None:
    venue = make_venue(money)
    age_attempt(venue, venue.checkout(venue.hold())["attempt_id"], 90)
    venue.service.call("service.queue_stale_checkouts", older_than_seconds=60)
    venue.database.run(
        "update private.jobs set run_at = now() + interval '1 hour' where organization_id = %s"
        " and kind = 'stripe.sync'",
        venue.organization_id,
    )
    for ends in ("queued", "dead"):
        venue.service.call("service.queue_stale_checkouts", older_than_seconds=60)
        [job] = venue.jobs("stripe.sync")
        assert job["run_at"] > job["created_at"] + timedelta(minutes=30), ends
        finish(venue, "dead")
    venue.service.call("service.queue_stale_checkouts", older_than_seconds=60)
    assert [job["status"] for job in venue.jobs("stripe.sync")] == ["dead"]
    venue.database.run(
        "update private.jobs set finished_at = now() - interval '25 hours'"
        " where organization_id = %s and kind = 'stripe.sync'",
        venue.organization_id,
    )
    venue.service.call("service.queue_stale_checkouts", older_than_seconds=60)
    assert [job["status"] for job in venue.jobs("stripe.sync")] == ["dead", "queued"]


def test_an_event_and_the_reconciler_ask_for_one_look(venue: Venue) -> None:
    opened = venue.checkout(venue.hold())
    age_attempt(venue, opened["attempt_id"], 90)
    venue.service.call("service.queue_stale_checkouts", older_than_seconds=60)
    venue.service.call(
        "service.receive_stripe_event",
        event={
            "id": f"evt_{uuid.uuid4().hex}",
            "type": "checkout.session.completed",
            "data": {"object": {"object": "checkout.session", "id": opened["session_id"]}},
        },
    )
    assert (
        venue.database.one(
            "select count(*) from private.jobs where payload ->> 'object_id' = %s",
            opened["session_id"],
        )
        == 1
    )


def finish(venue: Venue, status: str) -> list[dict[str, Any]]:
    """End the venue's jobs that look at Stripe's objects."""
    return venue.database.all(
        "update private.jobs set status = %s, finished_at = now()"
        " where organization_id = %s and kind = 'stripe.sync' and status = 'queued' returning *",
        status,
        venue.organization_id,
    )


def test_where_people_are_sent_to_pay_never_changes(venue: Venue) -> None:
    """Whoever has the service's key, and no more, cannot lead them to a page of theirs."""
    booking = venue.hold()
    opened = venue.checkout(booking)
    was = open_checkout(venue, booking)
    venue.service.call(
        "service.record_checkout",
        attempt_id=opened["attempt_id"],
        attempt_token=opened["attempt_token"],
        session_id=opened["session_id"],
        url="https://evil.example/pay",
        expires_at=venue.database.one("select now() + interval '1 year'"),
    )
    assert open_checkout(venue, booking) == was


@pytest.mark.parametrize(
    ("url", "lasts"), [("javascript:alert(1)", "30 minutes"), ("https://pay.example/x", "10 years")]
)
def test_only_a_page_to_pay_on_is_recorded(venue: Venue, url: str, lasts: str) -> None:
    booking = venue.hold()
    opened = open_checkout(venue, booking)
    with pytest.raises(Refused) as refused:
        venue.service.call(
            "service.record_checkout",
            attempt_id=opened["attempt_id"],
            attempt_token=opened["attempt_token"],
            session_id="cs_1",
            url=url,
            expires_at=venue.database.one("select now() + %s::interval", lasts),
        )
    assert (refused.value.status, refused.value.code) == (422, "checkout_page_invalid")
    assert open_checkout(venue, booking) == opened


def test_a_session_that_was_never_recorded_finds_its_attempt(venue: Venue) -> None:
    booking = venue.hold()
    opened = open_checkout(venue, booking)
    venue.apply(paid(opened))
    assert venue.status(booking) == "confirmed"
    assert venue.attempt(opened["attempt_id"])["session_id"] == paid(opened)["id"]


def test_the_way_back_is_the_page_of_the_venue_that_sold_it(venue: Venue) -> None:
    booking = venue.hold()
    assert open_checkout(venue, booking)["site_url"] is None
    page = "https://casa.example/reservas"
    venue.database.run(
        "update public.calendars set site_url = %s where slug = %s", page, venue.slug
    )
    try:
        assert open_checkout(venue, booking)["site_url"] == page
    finally:
        venue.database.run(
            "update public.calendars set site_url = null where slug = %s", venue.slug
        )
