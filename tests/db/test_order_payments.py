"""Paying an order: one page, whose money is each booking's, in whatever order news of it come."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, replace
from itertools import permutations

import pytest
from psycopg.types.json import Jsonb

from client import Refused
from db.money_world import (
    PARTY,
    PRICE,
    Booking,
    Database,
    Json,
    Venue,
    make_venue,
    paid,
    refund_of,
    session_of,
)
from matrix.promises import refused


@dataclass
class Order:
    """An order from the customer's side."""

    reference: str
    token: str
    bookings: list[Booking]

    def as_one(self) -> Booking:
        """What pays all of it: its own reference and token."""
        return replace(self.bookings[0], reference=self.reference, token=self.token)


@pytest.fixture
def venue(money: Database) -> Venue:
    return make_venue(money)


def more_rooms(venue: Venue, number: int = 2) -> list[str]:
    """The venue's room, and others as it."""
    venue.slot()  # Those of the first room are listed before there is another.
    rooms = [venue.room_id]
    for place in range(number):
        rooms.append(
            str(
                venue.owner.select(
                    "insert into public.rooms (location_id, slug, name, minimum_party,"
                    " maximum_party, duration_minutes, turnaround_minutes, price_per, price_cents,"
                    " is_published) select location_id, %s, %s, 2, 6, 60, 0, 'person', %s, true"
                    " from public.rooms where id = %s returning id",
                    f"more-{place}",
                    f"More {place}",
                    PRICE * (place + 2),
                    venue.room_id,
                )[0]["id"]
            )
        )
        venue.owner.change(
            "insert into public.schedules (room_id, weekday, opens_at, closes_at)"
            " select %s, weekday, '00:00', '00:00' from generate_series(1, 7) as weekday",
            rooms[-1],
        )
        venue.owner.change(
            "insert into public.calendar_rooms (calendar_id, room_id)"
            " select calendar_id, %s from public.calendar_rooms where room_id = %s",
            rooms[-1],
            venue.room_id,
        )
    return rooms


def hold_order(venue: Venue, rooms: list[str], total: int | None = None) -> Order:
    slot = venue.slot()
    items = [
        {"room_id": room, "starts_at": slot.isoformat(), "party_size": PARTY} for room in rooms
    ]
    quoted = venue.public.call("quote_order", slug=venue.slug, items=Jsonb(items))
    held = venue.public.call(
        "hold_order",
        slug=venue.slug,
        items=Jsonb(items),
        customer={"full_name": "Ada Byron", "email": f"{uuid.uuid4()}@example.com"},
        expected_total_cents=quoted["total_cents"] if total is None else total,
        idempotency_key=str(uuid.uuid4()),
    )
    bookings = [
        Booking(
            venue.database.one(
                "select id::text from public.bookings"
                " where organization_id = %s and reference = %s",
                venue.organization_id,
                b["reference"],
            ),
            b["reference"],
            b["manage_token"],
            slot,
        )
        for b in held["bookings"]
    ]
    return Order(held["reference"], held["order_token"], bookings)


def statuses(venue: Venue, order: Order) -> list[str]:
    return [venue.status(b) for b in order.bookings]


def ledger(venue: Venue, order: Order) -> list[tuple[int, int]]:
    """Paid and refunded of each booking."""
    return [venue.balance(b) for b in order.bookings]


def totals(venue: Venue, order: Order) -> list[int]:
    return [venue.see(b)["total_cents"] for b in order.bookings]


@pytest.fixture
def order(venue: Venue) -> Order:
    return hold_order(venue, more_rooms(venue))


class TestOnePage:
    def test_each_booking_says_so_as_long_as_it_is_held(self, venue: Venue, order: Order) -> None:
        assert [venue.see(b)["with_order"] for b in order.bookings] == [True] * 3
        assert [venue.see(b)["shared_cents"] for b in order.bookings] == [0] * 3
        venue.pay(order.as_one())
        assert statuses(venue, order) == ["confirmed"] * 3
        assert [venue.see(b)["with_order"] for b in order.bookings] == [False] * 3

    def test_one_page_asks_for_all_and_its_money_is_each_booking_s_to_the_cent(
        self, venue: Venue, order: Order
    ) -> None:
        opened = venue.checkout(order.as_one())
        due = totals(venue, order)
        assert opened["amount_cents"] == sum(due) == 36_000
        assert opened["reference"] == order.reference
        assert "The attic" in opened["description"]
        assert all(venue.see(b)["payment_open"] for b in order.bookings)

        session = paid(opened)
        for _ in range(3):
            venue.apply(session)
        assert statuses(venue, order) == ["confirmed"] * 3
        assert ledger(venue, order) == [(cents, 0) for cents in due]
        assert (
            venue.database.one(
                "select count(distinct provider_payment_id) from public.payments"
                " where organization_id = %s",
                venue.organization_id,
            )
            == 1
        )

    def test_the_link_of_one_of_its_bookings_opens_the_page_of_all_while_it_is_held(
        self, venue: Venue, order: Order
    ) -> None:
        opened = venue.checkout(order.bookings[1])
        assert opened["amount_cents"] == sum(totals(venue, order))
        assert opened["reference"] == order.bookings[1].reference
        again = venue.checkout(order.as_one())
        assert again["attempt_id"] == opened["attempt_id"]
        assert again["session_id"] == opened["session_id"]

    def test_the_hold_of_all_is_extended_past_the_page(self, venue: Venue, order: Order) -> None:
        venue.checkout(order.as_one())
        assert venue.database.one(
            "select bool_and(hold_expires_at > now() + interval '31 minutes')"
            " from public.bookings where organization_id = %s",
            venue.organization_id,
        )

    def test_what_changes_one_of_them_closes_the_page_and_another_opens_for_the_rest(
        self, venue: Venue, order: Order
    ) -> None:
        opened = venue.checkout(order.as_one())
        venue.cancel(order.bookings[0])
        (job,) = venue.jobs("stripe.expire_checkout")
        attempt = job["payload"]["attempt_id"]
        assert venue.attempt(attempt)["session_id"] == opened["session_id"]
        closing = venue.service.call(
            "service.open_checkout", reference=order.reference, manage_token=order.token
        )
        assert closing["closing"]

        with venue.does("stripe.expire_checkout", attempt_id=attempt) as lease:
            venue.service.call(
                "service.apply_checkout_session", **lease, session=session_of(opened, "expired")
            )
        another = venue.checkout(order.as_one())
        assert another["attempt_id"] != opened["attempt_id"]
        assert another["amount_cents"] == sum(totals(venue, order)[1:])
        venue.apply(paid(another))
        assert statuses(venue, order) == ["cancelled", "confirmed", "confirmed"]

    def test_a_page_whose_order_changed_while_it_was_made_is_told_to_nobody(
        self, venue: Venue, order: Order
    ) -> None:
        opened = venue.service.call(
            "service.open_checkout", reference=order.reference, manage_token=order.token
        )
        venue.cancel(order.bookings[2])
        with refused(409, "not_payable"):
            venue.service.call(
                "service.record_checkout",
                attempt_id=opened["attempt_id"],
                attempt_token=opened["attempt_token"],
                session_id="cs_late",
                url="https://pay.example/cs_late",
                expires_at=opened["expires_at"],
            )
        assert venue.checkout(order.as_one())["amount_cents"] == sum(totals(venue, order)[:2])

    def test_a_page_that_was_not_made_lets_another_open(self, venue: Venue, order: Order) -> None:
        opened = venue.service.call(
            "service.open_checkout", reference=order.reference, manage_token=order.token
        )
        with refused(404, "attempt_not_found"):
            venue.service.call(
                "service.fail_checkout",
                attempt_id=opened["attempt_id"],
                attempt_token="x" * 43,
                error="no",
            )
        failed = venue.service.call(
            "service.fail_checkout",
            attempt_id=opened["attempt_id"],
            attempt_token=opened["attempt_token"],
            error="no",
        )
        assert failed["status"] == "failed"
        assert venue.checkout(order.as_one())["attempt_id"] != opened["attempt_id"]

    def test_staff_s_order_is_paid_at_once_or_apart_never_on_two_pages(self, venue: Venue) -> None:
        rooms = more_rooms(venue)
        slot = venue.slot()
        made = venue.owner.call(
            "create_order",
            organization_id=venue.organization_id,
            items=Jsonb(
                [
                    {"room_id": room, "starts_at": slot.isoformat(), "party_size": PARTY}
                    for room in rooms
                ]
            ),
            customer={"full_name": "Ada Byron", "email": "ada@example.com"},
            idempotency_key=str(uuid.uuid4()),
        )
        bookings = [
            Booking(b["id"], b["reference"], made["order_token"], slot) for b in made["bookings"]
        ]
        order = Order(made["reference"], made["order_token"], bookings)
        alone = venue.checkout(bookings[0])
        assert alone["amount_cents"] == totals(venue, order)[0]
        closing = venue.service.call(
            "service.open_checkout", reference=order.reference, manage_token=order.token
        )
        assert closing["closing"]
        venue.apply(session_of(alone, "expired"))

        together = venue.checkout(order.as_one())
        assert together["amount_cents"] == sum(totals(venue, order))
        assert venue.service.call(
            "service.open_checkout", reference=bookings[1].reference, manage_token=order.token
        )["closing"]
        venue.apply(paid(together))
        assert statuses(venue, order) == ["confirmed"] * 3
        with refused(409, "nothing_due"):
            venue.checkout(order.as_one())

    def test_what_costs_nothing_now_is_confirmed_with_the_payment_of_the_rest(
        self, venue: Venue
    ) -> None:
        rooms = more_rooms(venue)
        venue.owner.change("update public.rooms set price_cents = 0 where id = %s", rooms[1])
        order = hold_order(venue, rooms)
        assert statuses(venue, order) == ["held"] * 3
        venue.apply(paid(venue.checkout(order.as_one())))
        assert statuses(venue, order) == ["confirmed"] * 3

    @pytest.mark.parametrize("by", ["its link", "the order's", "staff"])
    def test_what_costs_nothing_now_stands_once_those_that_it_waited_for_are_cancelled(
        self, venue: Venue, by: str
    ) -> None:
        rooms = more_rooms(venue)
        venue.owner.change("update public.rooms set price_cents = 0 where id = %s", rooms[1])
        order = hold_order(venue, rooms)
        free = next(
            b for b, cents in zip(order.bookings, totals(venue, order), strict=True) if not cents
        )
        others = [b for b in order.bookings if b is not free]
        if by == "its link":
            for booking in others:
                assert venue.status(free) == "held"
                venue.cancel(booking)
        elif by == "staff":
            venue.owner.call(
                "transition_order",
                organization_id=venue.organization_id,
                order_id=venue.database.one(
                    "select order_id from public.bookings where id = %s", free.id
                ),
                to_status="cancelled",
                reason="Broken",
                booking_ids=[b.id for b in others],
            )
        else:
            venue.public.call(
                "cancel_order",
                reference=order.reference,
                order_token=order.token,
                booking_references=[b.reference for b in others],
            )
        assert [venue.status(b) for b in (free, *others)] == ["confirmed", "cancelled", "cancelled"]


class TestInAnyOrder:
    def test_lost_late_and_repeated_news_end_the_same(self, venue: Venue) -> None:
        rooms = more_rooms(venue)
        for news in permutations(("open", "paid", "expired")):
            order = hold_order(venue, rooms)
            opened = venue.checkout(order.as_one())
            for word in news:
                venue.apply(paid(opened) if word == "paid" else session_of(opened, word))
            assert statuses(venue, order) == ["confirmed"] * 3, news
            assert [p for p, _ in ledger(venue, order)] == totals(venue, order)

    def test_a_method_that_takes_days_keeps_all_places(self, venue: Venue, order: Order) -> None:
        opened = venue.checkout(order.as_one())
        for booking in order.bookings:
            venue.database.run(
                "update public.bookings set hold_expires_at = now() + interval '1 minute'"
                " where id = %s",
                booking.id,
            )
        venue.apply(session_of(opened, "complete", "unpaid"))
        assert venue.database.one(
            "select bool_and(hold_expires_at > now() + interval '50 minutes')"
            " from public.bookings where organization_id = %s",
            venue.organization_id,
        )

    def test_the_reconciler_asks_once_about_the_page_of_all(
        self, venue: Venue, order: Order
    ) -> None:
        opened = venue.checkout(order.as_one())
        venue.database.run(
            "update private.payment_attempts set created_at = now() - interval '1 day'"
            " where organization_id = %s",
            venue.organization_id,
        )
        venue.service.call("service.queue_stale_checkouts", older_than_seconds=60)
        jobs = [
            j
            for j in venue.jobs("stripe.sync")
            if j["payload"]["object_id"] == opened["session_id"]
        ]
        assert len(jobs) == 1
        lost = {
            "id": opened["session_id"],
            "status": "expired",
            "payment_status": "unpaid",
            "client_reference_id": jobs[0]["payload"]["attempt_id"],
        }
        venue.apply(lost)
        assert venue.database.one(
            "select array_agg(distinct status) from private.payment_attempts"
            " where organization_id = %s",
            venue.organization_id,
        ) == ["expired"]


class TestTooLate:
    def test_money_that_comes_late_takes_all_places_again(self, venue: Venue, order: Order) -> None:
        opened = venue.checkout(order.as_one())
        for booking in order.bookings:
            venue.lapse(booking)
        assert statuses(venue, order) == ["expired"] * 3
        venue.apply(paid(opened))
        assert statuses(venue, order) == ["confirmed"] * 3
        assert venue.refund_requests(order.bookings[0]) == []

    @pytest.mark.parametrize("swept", [True, False])
    def test_where_one_place_is_gone_none_is_taken_and_all_goes_back(
        self, venue: Venue, order: Order, swept: bool
    ) -> None:
        opened = venue.checkout(order.as_one())
        for booking in order.bookings:
            venue.let_lapse(booking)
        if swept:
            venue.service.call("service.sweep")
        taken = venue.see(order.bookings[1])["room_id"]
        rival = replace(venue, room_id=taken)
        rival.public.call(
            "hold_booking",
            slug=venue.slug,
            room_id=taken,
            starts_at=order.bookings[1].starts_at,
            party_size=PARTY,
            customer={"full_name": "Eve", "email": "eve@example.com"},
            expected_total_cents=venue.see(order.bookings[1])["total_cents"],
            idempotency_key=str(uuid.uuid4()),
        )
        for _ in range(2):
            venue.apply(paid(opened))
        assert statuses(venue, order) == ["expired"] * 3
        due = totals(venue, order)
        promised = [venue.refund_requests(b) for b in order.bookings]
        assert [[(r["reason"], r["amount_cents"]) for r in rs] for rs in promised] == [
            [("paid_late", cents)] for cents in due
        ]
        assert sum(venue.run_refunds(b) for b in order.bookings) == 3
        assert ledger(venue, order) == [(cents, cents) for cents in due]

    def test_where_a_place_that_costs_nothing_now_is_gone_all_goes_back_too(
        self, venue: Venue
    ) -> None:
        rooms = more_rooms(venue)
        venue.owner.change("update public.rooms set price_cents = 0 where id = %s", rooms[1])
        order = hold_order(venue, rooms)
        opened = venue.checkout(order.as_one())
        for booking in order.bookings:
            venue.let_lapse(booking)
        replace(venue, room_id=rooms[1]).public.call(
            "hold_booking",
            slug=venue.slug,
            room_id=rooms[1],
            starts_at=order.bookings[0].starts_at,
            party_size=PARTY,
            customer={"full_name": "Eve", "email": "eve@example.com"},
            expected_total_cents=0,
            idempotency_key=str(uuid.uuid4()),
        )
        for _ in range(2):
            venue.apply(paid(opened))
        assert statuses(venue, order) == ["expired"] * 3
        assert sum(venue.run_refunds(b) for b in order.bookings) == 2
        assert ledger(venue, order) == [(cents, cents) for cents in totals(venue, order)]

    def test_what_was_cancelled_meanwhile_goes_back_and_the_rest_stands(
        self, venue: Venue, order: Order
    ) -> None:
        opened = venue.checkout(order.as_one())
        venue.cancel(order.bookings[0])
        venue.apply(paid(opened))
        assert statuses(venue, order) == ["cancelled", "confirmed", "confirmed"]
        assert [r["reason"] for r in venue.refund_requests(order.bookings[0])] == ["paid_late"]


class TestMoneyBack:
    def test_one_booking_s_refund_is_its_part_of_the_payment(
        self, venue: Venue, order: Order
    ) -> None:
        session = venue.pay(order.as_one())
        venue.cancel(order.bookings[1])
        (request,) = venue.refund_requests(order.bookings[1])
        asked = venue.refund_request(request["id"])
        assert asked["payment_intent"] == session["payment_intent"]
        assert asked["amount_cents"] == totals(venue, order)[1]
        for status in ("pending", "succeeded", "succeeded"):
            venue.apply_refund(refund_of(asked, status))
        refunded = [back for _, back in ledger(venue, order)]
        assert refunded == [0, totals(venue, order)[1], 0]
        venue.apply_refund(refund_of(asked, "failed"))
        assert [back for _, back in ledger(venue, order)] == [0, 0, 0]

    def test_a_refund_on_the_dashboard_first_fulfils_promises_then_is_divided_in_any_order(
        self, venue: Venue, order: Order
    ) -> None:
        session = venue.pay(order.as_one())
        due = totals(venue, order)
        venue.cancel(order.bookings[2])
        made = {
            "status": "succeeded",
            "payment_intent": session["payment_intent"],
            "refund_request_id": None,
            "as_of": "2030-01-01T00:00:00+00:00",
        }
        first = {**made, "id": f"re_{uuid.uuid4().hex}", "amount": due[2]}
        rest = {**made, "id": f"re_{uuid.uuid4().hex}", "amount": due[0] + 1_000}
        for refund in (first, first, rest, first, rest):
            venue.apply_refund(refund)
        assert ledger(venue, order) == [(due[0], due[0]), (due[1], 1_000), (due[2], due[2])]
        # What was promised of the third has gone back so.
        assert venue.run_refunds(order.bookings[2]) == 0
        venue.apply_refund({**rest, "status": "failed"})
        assert [back for _, back in ledger(venue, order)] == [0, 0, due[2]]

    def test_random_refunds_of_a_shared_payment_add_up(self, venue: Venue) -> None:
        rooms = more_rooms(venue)
        chance = random.Random(13)
        for _ in range(5):
            order = hold_order(venue, rooms)
            session = venue.pay(order.as_one())
            left = sum(totals(venue, order))
            refunds = []
            while left:
                cents = min(left, chance.randint(1, 9_000))
                left -= cents
                refunds.append(
                    {
                        "id": f"re_{uuid.uuid4().hex}",
                        "amount": cents,
                        "status": "succeeded",
                        "payment_intent": session["payment_intent"],
                        "refund_request_id": None,
                        "as_of": "2030-01-01T00:00:00+00:00",
                    }
                )
            told = refunds * 2
            chance.shuffle(told)
            for refund in told:
                venue.apply_refund(refund)
            assert ledger(venue, order) == [(c, c) for c in totals(venue, order)]

    def test_a_dispute_withholds_the_part_of_every_booking_and_its_owner_is_told_once(
        self, venue: Venue, order: Order
    ) -> None:
        session = venue.pay(order.as_one())
        due = totals(venue, order)
        dispute = {
            "id": f"dp_{uuid.uuid4().hex}",
            "status": "needs_response",
            "reason": "fraudulent",
            "amount": sum(due),
            "currency": "eur",
            "payment_intent": session["payment_intent"],
            "respond_by": None,
            "as_of": "2030-01-01T00:00:00+00:00",
        }
        for _ in range(2):
            venue.apply_dispute(dispute)
        disputed = venue.database.all(
            "select d.amount_cents from public.disputes as d join public.bookings as b"
            " on b.organization_id = d.organization_id and b.id = d.booking_id"
            " where d.organization_id = %s order by b.starts_at, b.id",
            venue.organization_id,
        )
        assert [row["amount_cents"] for row in disputed] == due
        mails = [
            j for j in venue.jobs("email.send") if j["payload"]["template"] == "dispute_opened"
        ]
        assert len(mails) == 1
        venue.cancel(order.bookings[0])
        assert venue.see(order.bookings[0])["refunded_cents"] == 0
        assert venue.jobs("stripe.refund", order.bookings[0]) == []
        venue.apply_dispute({**dispute, "status": "won", "as_of": "2030-01-02T00:00:00+00:00"})
        assert venue.run_refunds(order.bookings[0]) == 1
        assert ledger(venue, order)[0] == (due[0], due[0])


class TestRefusals:
    def test_an_order_that_lapsed_or_was_cancelled_cannot_be_paid(
        self, venue: Venue, order: Order
    ) -> None:
        for booking in order.bookings:
            venue.let_lapse(booking)
        with refused(409, "not_payable"):
            venue.checkout(order.as_one())
        with refused(409, "not_payable"):
            venue.checkout(order.bookings[0])

    def test_a_wrong_token_opens_no_page(self, venue: Venue, order: Order) -> None:
        for token in ("", order.token[::-1], order.bookings[0].token):
            with pytest.raises(Refused) as caught:
                venue.checkout(replace(order.as_one(), token=token))
            assert caught.value.code == "booking_not_found"

    def test_every_part_of_a_division_is_of_the_whole(self, venue: Venue) -> None:
        chance = random.Random(7)
        for _ in range(50):
            parts = [chance.randint(1, 10_000) for _ in range(chance.randint(1, 10))]
            whole = chance.randint(0, sum(parts))
            shares: Json = venue.database.one(
                "select private.divided(%s, %s::bigint[])", whole, parts
            )
            assert sum(shares) == whole
            assert all(0 <= s <= p for s, p in zip(shares, parts, strict=True))
