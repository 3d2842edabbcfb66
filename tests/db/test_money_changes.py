"""A booking that changes while it is paid online: no page asks for what is no longer due."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from client import SERVICE, Refused
from db.money_world import PRICE, TOTAL, Booking, Database, Venue, make_venue, paid


@pytest.fixture(scope="module")
def venue(money: Database) -> Venue:
    return make_venue(money)


def reschedule(venue: Venue, booking: Booking, total: int, **values: object) -> Any:
    return venue.public.call(
        "reschedule_booking",
        reference=booking.reference,
        manage_token=booking.token,
        expected_total_cents=total,
        idempotency_key=str(uuid.uuid4()),
        **values,
    )


def attempts(venue: Venue, booking: Booking) -> list[tuple[str, int]]:
    rows = venue.database.all(
        "select status, amount_cents from private.payment_attempts where booking_id = %s"
        " order by created_at",
        booking.id,
    )
    return [(row["status"], row["amount_cents"]) for row in rows]


def closings(venue: Venue, booking: Booking) -> int:
    return len(venue.jobs("stripe.expire_checkout", booking))


def refusal(venue: Venue, booking: Booking) -> tuple[int, str]:
    with pytest.raises(Refused) as refused:
        venue.checkout(booking)
    return refused.value.status, refused.value.code


def take(venue: Venue, booking: Booking, cents: int) -> None:
    venue.owner.call(
        "record_payment",
        organization_id=venue.organization_id,
        booking_id=booking.id,
        method="cash",
        amount_cents=cents,
        idempotency_key=str(uuid.uuid4()),
    )


def test_a_change_at_the_same_price_keeps_the_page(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    reschedule(venue, booking, TOTAL, starts_at=venue.slot())
    assert closings(venue, booking) == 0
    assert venue.checkout(booking)["attempt_id"] == opened["attempt_id"]
    venue.apply(paid(opened))
    assert venue.status(booking) == "confirmed"


def test_another_price_closes_the_page_and_then_opens_another(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    reschedule(venue, booking, 3 * PRICE, party_size=3)
    assert closings(venue, booking) == 1
    assert refusal(venue, booking) == (409, "checkout_closing")
    venue.apply(
        {**paid(opened), "status": "expired", "payment_status": "unpaid", "payment_intent": None}
    )
    assert venue.checkout(booking)["amount_cents"] == 3 * PRICE
    assert attempts(venue, booking) == [("expired", TOTAL), ("open", 3 * PRICE)]


def test_a_page_that_was_never_made_is_forgotten_at_once(venue: Venue) -> None:
    booking = venue.hold()
    venue.service.call(
        "service.open_checkout", reference=booking.reference, manage_token=booking.token
    )
    reschedule(venue, booking, 3 * PRICE, party_size=3)
    assert closings(venue, booking) == 0
    assert venue.checkout(booking)["amount_cents"] == 3 * PRICE
    assert attempts(venue, booking) == [("failed", TOTAL), ("open", 3 * PRICE)]


def test_what_was_paid_on_the_former_page_counts_and_the_rest_is_due(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    reschedule(venue, booking, 3 * PRICE, party_size=3)
    venue.apply(paid(opened))
    assert venue.status(booking) == "held"
    rest = venue.checkout(booking)
    assert rest["amount_cents"] == PRICE
    venue.apply(paid(rest))
    assert venue.status(booking) == "confirmed"
    assert venue.balance(booking) == (3 * PRICE, 0)


def test_what_was_paid_too_much_on_the_former_page_goes_back(venue: Venue) -> None:
    booking = venue.hold()
    reschedule(venue, booking, 4 * PRICE, party_size=4)
    opened = venue.checkout(booking)
    reschedule(venue, booking, TOTAL, party_size=2)
    venue.apply(paid(opened))
    assert venue.status(booking) == "confirmed"
    assert [r["amount_cents"] for r in venue.refund_requests(booking)] == [2 * PRICE]
    assert venue.run_refunds(booking) == 1
    assert venue.balance(booking) == (4 * PRICE, 2 * PRICE)


def test_the_difference_of_a_confirmed_booking_is_paid_online(venue: Venue) -> None:
    booking = venue.hold()
    venue.pay(booking)
    assert refusal(venue, booking) == (409, "nothing_due")
    reschedule(venue, booking, 4 * PRICE, party_size=4)
    assert venue.status(booking) == "confirmed"
    rest = venue.checkout(booking)
    assert rest["amount_cents"] == 2 * PRICE
    venue.apply(paid(rest))
    assert venue.see(booking)["open_cents"] == 0
    assert venue.refund_requests(booking) == []
    assert refusal(venue, booking) == (409, "nothing_due")


def test_a_difference_taken_at_the_desk_closes_the_page(venue: Venue) -> None:
    booking = venue.hold()
    venue.pay(booking)
    reschedule(venue, booking, 4 * PRICE, party_size=4)
    rest = venue.checkout(booking)
    take(venue, booking, PRICE)
    assert closings(venue, booking) == 1
    assert refusal(venue, booking) == (409, "checkout_closing")
    # Paid all the same: what is too much goes back.
    venue.apply(paid(rest))
    assert [r["amount_cents"] for r in venue.refund_requests(booking)] == [PRICE]


def test_a_part_taken_at_the_desk_while_the_page_is_being_made_opens_another(
    venue: Venue,
) -> None:
    booking = venue.hold()
    venue.service.call(
        "service.open_checkout", reference=booking.reference, manage_token=booking.token
    )
    venue.database.run(
        "update public.bookings set due_now_cents = %s where id = %s", PRICE, booking.id
    )
    assert venue.checkout(booking)["amount_cents"] == PRICE
    assert attempts(venue, booking) == [("failed", TOTAL), ("open", PRICE)]


def test_a_refund_to_the_card_is_queued_with_the_change(venue: Venue) -> None:
    booking = venue.hold()
    reschedule(venue, booking, 4 * PRICE, party_size=4)
    venue.pay(booking)
    reschedule(venue, booking, TOTAL, party_size=2)
    (request,) = venue.refund_requests(booking)
    assert (request["reason"], request["amount_cents"]) == ("changed", 2 * PRICE)
    assert venue.run_refunds(booking) == 1
    assert venue.balance(booking) == (4 * PRICE, 2 * PRICE)
    assert venue.status(booking) == "confirmed"


def test_a_visit_that_began_is_paid_at_the_venue(venue: Venue) -> None:
    booking = venue.hold()
    venue.start_in(booking, timedelta(hours=1))
    for status in ("confirmed", "checked_in"):
        venue.transition(booking, status)
    assert venue.checkout(booking)["amount_cents"] == TOTAL
    venue.transition(booking, "in_progress")
    assert refusal(venue, booking) == (409, "nothing_due")


def test_what_staff_booked_is_paid_online_while_its_seats_are_kept(venue: Venue) -> None:
    made = venue.owner.call(
        "create_booking",
        organization_id=venue.organization_id,
        room_id=venue.room_id,
        starts_at=venue.slot(),
        party_size=2,
        customer={"full_name": "Ada Byron", "email": f"{uuid.uuid4()}@example.com"},
        idempotency_key=str(uuid.uuid4()),
    )
    starts = datetime.fromisoformat(made["starts_at"])
    booking = Booking(made["id"], made["reference"], made["manage_token"], starts)
    venue.database.run(
        "update public.bookings set hold_expires_at = now() + interval '10 minutes' where id = %s",
        booking.id,
    )
    opened = venue.checkout(booking)
    # As a hold does, it outlasts the provider's page.
    left = venue.database.one(
        "select hold_expires_at - now() from public.bookings where id = %s", booking.id
    )
    assert left > timedelta(minutes=31)
    venue.apply(paid(opened))
    assert venue.status(booking) == "confirmed"

    venue.database.run("select private.extend_hold(%s, %s, now())", *ids(venue, booking))
    assert not venue.database.one("select private.extend_hold(%s, %s, now())", *ids(venue, booking))


def ids(venue: Venue, booking: Booking) -> tuple[str, str]:
    return venue.organization_id, booking.id


def test_a_report_while_the_booking_leaves_its_room_comes_back(
    venue: Venue, money: Database
) -> None:
    """503 makes the worker try again: then everything is locked in order."""
    booking = venue.hold()
    opened = venue.checkout(booking)
    other = venue.owner.select(
        "insert into public.rooms (location_id, slug, name, price_cents) select location_id,"
        " 'cellar', 'The cellar', price_cents from public.rooms where id = %s returning id",
        venue.room_id,
    )[0]["id"]
    with (
        money.clients(SERVICE, venue.owner.caller) as (service, mover),
        ThreadPoolExecutor(1) as pool,
    ):
        with mover.connection.transaction():
            mover.call(
                "change_booking",
                organization_id=venue.organization_id,
                booking_id=booking.id,
                idempotency_key=str(uuid.uuid4()),
                room_id=other,
            )
            waiting = pool.submit(replace(venue, service=service).apply, paid(opened))
            backend = service.connection.info.backend_pid
            while not money.one("select cardinality(pg_blocking_pids(%s)) > 0", backend):
                assert not waiting.done()
        with pytest.raises(Refused) as refused:
            waiting.result()
    assert (refused.value.status, refused.value.code) == (503, "booking_changed")
    venue.apply(paid(opened))
    assert venue.status(booking) == "confirmed"
