"""A booking keeps the terms under which it was made, and who cancels decides who bears it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from db.booking_world import PRICE, WORDLESS, Row, Shop, open_shop
from db.changes_world import alter, book, promised, quote, reschedule, take
from matrix.house import House
from matrix.promises import refused

TOTAL = 2 * PRICE
STRICT = {"tiers": [{"hours_before": 8784, "refund_percent": 0}], "no_show_fee_percent": 100}
LENIENT = {"tiers": [], "no_show_fee_percent": 0}


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    """Free cancellation, and no fee for who does not come."""
    return add_room(shop, no_show_fee_percent=0)


@pytest.fixture
def strict_room(shop: Shop) -> str:
    room = add_room(shop)
    make_strict(shop, room)
    return room


def add_room(shop: Shop, **values: object) -> str:
    room = shop.add_room(**values)
    shop.open_on(room, "12:00", "22:00")
    return room


def make_strict(shop: Shop, room: str) -> None:
    """Nothing is refunded, however early, and who does not come pays all of it."""
    shop.insert("room_cancellation_tiers", room_id=room, hours_before=8784, refund_percent=0)
    shop.set_room(room, no_show_fee_percent=100)


def paid(shop: Shop, room: str, days: int = 3) -> Row:
    held = shop.hold(room, shop.at(days))
    take(shop, held, TOTAL)
    return held


class TestKept:
    def test_a_tier_that_the_owner_adds_later_takes_nothing_from_who_has_booked(
        self, shop: Shop, room: str
    ) -> None:
        held = paid(shop, room)
        make_strict(shop, room)
        seen = shop.look(held)
        assert seen["terms"] == LENIENT
        assert seen["cancellation"] == {
            "refund_percent": 100,
            "refund_cents": TOTAL,
            "disputed_cents": 0,
            "lost_cents": 0,
        }
        assert seen["reschedulable"]
        shop.cancel(held)
        assert promised(shop, held) == [("cancelled", TOTAL)]

    def test_a_tier_that_is_taken_away_later_still_counts_for_who_agreed_to_it(
        self, shop: Shop, strict_room: str
    ) -> None:
        held = paid(shop, strict_room)
        shop.venue.owner.change("delete from public.room_cancellation_tiers")
        shop.cancel(held)
        assert promised(shop, held) == []

    def test_a_fee_that_the_owner_adds_later_is_not_taken(self, shop: Shop, room: str) -> None:
        held = paid(shop, room)
        make_strict(shop, room)
        shop.move(held, "no_show")
        assert promised(shop, held) == [("no_show", TOTAL)]

    def test_what_staff_book_agrees_to_the_terms_of_that_day(self, shop: Shop, room: str) -> None:
        booked = book(shop, room, shop.at(3))
        make_strict(shop, room)
        assert shop.look(booked)["terms"] == LENIENT

    def test_a_booking_from_before_terms_were_kept_has_its_room_s(
        self, shop: Shop, room: str
    ) -> None:
        held = paid(shop, room)
        shop.house.owner_sql("update public.bookings set terms = null")
        make_strict(shop, room)
        assert shop.look(held)["terms"] == STRICT
        shop.cancel(held)
        assert promised(shop, held) == []

    def test_nobody_agrees_to_other_terms_than_the_quote_showed(
        self, shop: Shop, room: str
    ) -> None:
        shown = shop.quote(room, shop.at(3))["terms"]
        assert shown == LENIENT
        make_strict(shop, room)
        with refused(409, "terms_changed") as caught:
            shop.hold(room, shop.at(3), expected_terms=shown)
        assert caught.value.details == {"terms": STRICT}
        held = shop.hold(room, shop.at(3), expected_terms=STRICT)
        assert shop.look(held)["terms"] == STRICT
        # A client that shows nothing agrees to what counts.
        assert shop.look(shop.hold(room, shop.at(4)))["terms"] == STRICT


class TestMoved:
    def test_nobody_agrees_to_other_terms_than_the_quote_of_the_move_showed(
        self, shop: Shop, room: str
    ) -> None:
        held = paid(shop, room)
        shown = quote(shop, held, starts_at=shop.at(4))["terms"]
        make_strict(shop, room)
        with refused(409, "terms_changed"):
            reschedule(shop, held, total=TOTAL, starts_at=shop.at(4), expected_terms=shown)
        assert shop.look(held)["terms"] == LENIENT
        reschedule(shop, held, total=TOTAL, starts_at=shop.at(4), expected_terms=STRICT)
        assert shop.look(held)["terms"] == STRICT

    def test_a_customer_agrees_to_the_terms_that_the_move_shows(
        self, shop: Shop, room: str, strict_room: str
    ) -> None:
        held = paid(shop, room)
        assert quote(shop, held, room_id=strict_room)["terms"] == STRICT
        moved = reschedule(shop, held, total=TOTAL, room_id=strict_room)
        assert moved["terms"] == STRICT
        assert shop.history(held)[-1]["change"]["terms"] == [LENIENT, STRICT]
        shop.cancel(held)
        assert promised(shop, held) == []

    def test_a_customer_who_moves_in_the_same_room_agrees_to_its_new_terms(
        self, shop: Shop, room: str
    ) -> None:
        held = paid(shop, room)
        make_strict(shop, room)
        assert quote(shop, held, starts_at=shop.at(4))["terms"] == STRICT
        reschedule(shop, held, total=TOTAL, starts_at=shop.at(4))
        assert shop.look(held)["terms"] == STRICT

    def test_a_customer_who_stays_keeps_the_terms(self, shop: Shop, room: str) -> None:
        held = paid(shop, room)
        make_strict(shop, room)
        reschedule(shop, held, total=3 * PRICE, party_size=3)
        assert shop.look(held)["terms"] == LENIENT

    def test_staff_who_move_it_into_a_stricter_room_take_nothing_from_the_customer(
        self, shop: Shop, room: str, strict_room: str
    ) -> None:
        held = paid(shop, room)
        assert alter(shop, held, room_id=strict_room)["terms"] == LENIENT
        assert "terms" not in shop.history(held)[-1]["change"]
        shop.cancel(held)
        assert promised(shop, held) == [("cancelled", TOTAL)]

    def test_staff_may_say_that_the_customer_agreed(
        self, shop: Shop, room: str, strict_room: str
    ) -> None:
        held = paid(shop, room)
        assert alter(shop, held, room_id=strict_room, new_terms=True)["terms"] == STRICT
        assert shop.history(held)[-1]["change"]["terms"] == [LENIENT, STRICT]


class TestByTheVenue:
    def test_the_customer_does_not_pay_for_it(self, shop: Shop, strict_room: str) -> None:
        held = paid(shop, strict_room)
        shop.move(held, "cancelled", reason="The projector is broken")
        assert promised(shop, held) == [("cancelled", TOTAL)]
        last = shop.history(held)[-1]
        assert (last["reason"], last["refund"]) == ("The projector is broken", "full")

    def test_not_even_after_the_start(self, shop: Shop, strict_room: str) -> None:
        held = paid(shop, strict_room)
        shop.move_in_time(held, timedelta(days=-4))
        shop.move(held, "cancelled")
        assert promised(shop, held) == [("cancelled", TOTAL)]

    @pytest.mark.parametrize(("refund", "back"), [("terms", TOTAL // 2), ("none", 0)])
    def test_staff_may_say_otherwise_with_a_reason(
        self, shop: Shop, room: str, refund: str, back: int
    ) -> None:
        shop.insert("room_cancellation_tiers", room_id=room, hours_before=0, refund_percent=50)
        held = paid(shop, room)
        for reason in (None, "", " ", "\u200b", "\u3164 \u2060", *WORDLESS):
            with refused(422, "reason_missing"):
                shop.move(held, "cancelled", refund=refund, reason=reason)
        shop.move(held, "cancelled", refund=refund, reason="They called")
        assert promised(shop, held) == ([("cancelled", back)] if back else [])
        last = shop.history(held)[-1]
        assert (last["reason"], last["refund"]) == ("They called", refund)
        logged = shop.house.owner_sql(
            "select after ->> 'cancel_refund' as refund from public.audit_log"
            " where organization_id = %s and table_name = 'bookings'"
            " and after ? 'cancel_refund' and action = 'update'",
            shop.id,
        )
        assert [row["refund"] for row in logged] == [refund]

    @pytest.mark.parametrize("refund", [None, "", "half"])
    def test_nothing_else_can_be_said(self, shop: Shop, room: str, refund: str | None) -> None:
        held = paid(shop, room)
        with refused(422, "refund_invalid"):
            shop.move(held, "cancelled", refund=refund, reason="x")

    def test_a_customer_s_own_cancellation_follows_the_terms(
        self, shop: Shop, strict_room: str
    ) -> None:
        held = paid(shop, strict_room)
        shop.cancel(held)
        assert promised(shop, held) == []
        assert shop.history(held)[-1]["refund"] == "terms"


class TestOpen:
    """One number for what can still be asked for, wherever it is shown."""

    def board(self, shop: Shop, booking: Row) -> int | None:
        board = shop.venue.owner.call("get_board", organization_id=shop.id, date=shop.at(3).date())
        shown = {
            one["reference"]: one["open_cents"]
            for session in _sessions(board)
            for one in session["bookings"]
        }
        return shown.get(booking["reference"])

    def test_nothing_of_what_is_cancelled_and_refunded(self, shop: Shop, room: str) -> None:
        held = paid(shop, room)
        assert shop.cancel(held)["open_cents"] == 0

    def test_nothing_of_what_was_never_paid_and_is_over(self, shop: Shop, room: str) -> None:
        cancelled, lapsed = shop.hold(room, shop.at(3)), shop.hold(room, shop.at(4))
        shop.move(cancelled, "cancelled")
        shop.lapse(lapsed)
        assert shop.look(cancelled)["open_cents"] == shop.look(lapsed)["open_cents"] == 0
        for booking in (cancelled, lapsed):
            with refused(409, "not_payable"):
                take(shop, booking, 1)

    def test_the_fee_of_who_did_not_come(self, shop: Shop) -> None:
        room = add_room(shop, no_show_fee_percent=50)
        held = shop.hold(room, shop.at(3))
        shop.move(held, "confirmed")
        shop.move(held, "no_show")
        assert shop.look(held)["open_cents"] == TOTAL // 2
        with refused(422, "amount_too_high") as caught:
            take(shop, held, TOTAL)
        assert caught.value.details == {"open_cents": TOTAL // 2}
        assert take(shop, held, TOTAL // 2)["open_cents"] == 0
        assert promised(shop, held) == []

    def test_every_function_says_the_same(self, shop: Shop, room: str) -> None:
        booked = book(shop, room, shop.at(3))
        assert take(shop, booked, PRICE)["open_cents"] == PRICE
        shop.move(booked, "confirmed")
        assert shop.look(booked)["open_cents"] == PRICE
        assert self.board(shop, booked) == PRICE
        assert quote(shop, booked, party_size=3)["open_cents"] == 2 * PRICE
        assert alter(shop, booked, party_size=3)["open_cents"] == 2 * PRICE

    def test_a_cheaper_move_of_what_is_not_paid_refunds_nothing_and_leaves_less_open(
        self, shop: Shop, room: str
    ) -> None:
        booked = book(shop, room, shop.at(3), party_size=4)
        take(shop, booked, PRICE)
        shop.move(booked, "confirmed")
        asked = quote(shop, booked, party_size=2)
        assert (asked["difference_cents"], asked["refund_cents"], asked["open_cents"]) == (
            -2 * PRICE,
            0,
            PRICE,
        )
        moved = reschedule(shop, booked, total=TOTAL, party_size=2)
        assert (moved["open_cents"], moved["refunded_cents"]) == (PRICE, 0)
        assert promised(shop, booked) == []


def _sessions(board: object) -> list[Row]:
    """Every session of a board, however its places and rooms are nested."""
    if isinstance(board, dict):
        if isinstance(board.get("bookings"), list):
            return [board]
        return [found for value in board.values() for found in _sessions(value)]
    if isinstance(board, list):
        return [found for value in board for found in _sessions(value)]
    return []
