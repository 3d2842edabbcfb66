"""What staff have given back is asked for by nobody, and all who say what is open say the same."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from client import Refused
from db.money_world import TOTAL, Booking, Database, Venue, make_venue

_MODERATE = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
GOODWILL = 1_000
#: What a customer may still be asked for, one status after the other.
_ASKED = ("held", "pending", "confirmed", "checked_in", "in_progress", "completed")


@pytest.fixture
def venue(money: Database) -> Venue:
    return make_venue(money)


def deposit(venue: Venue, percent: int) -> None:
    venue.owner.change(
        "update public.rooms set deposit_kind = 'percent', deposit_value = %s where id = %s",
        percent,
        venue.room_id,
    )


def take(venue: Venue, booking: Booking, cents: int) -> Any:
    return venue.owner.call(
        "record_payment",
        organization_id=venue.organization_id,
        booking_id=booking.id,
        method="cash",
        amount_cents=cents,
        idempotency_key=str(uuid.uuid4()),
    )


def give_back(venue: Venue, booking: Booking, cents: int) -> Any:
    return venue.owner.call(
        "refund_booking",
        organization_id=venue.organization_id,
        booking_id=booking.id,
        amount_cents=cents,
        reason="The lights went out",
        idempotency_key=str(uuid.uuid4()),
    )


def withdraw(venue: Venue, refund: Any) -> None:
    venue.owner.call(
        "withdraw_refund",
        organization_id=venue.organization_id,
        refund_request_id=refund["refund_request_id"],
        reason="They would not take it",
    )


def hand_over(venue: Venue, booking: Booking) -> int:
    """Gives all that a cancellation promised back; how much that was."""
    promised = [
        request
        for request in venue.refund_requests(booking)
        if (request["reason"], request["status"]) == ("cancelled", "pending")
    ]
    for request in promised:
        venue.owner.call(
            "record_refund",
            organization_id=venue.organization_id,
            refund_request_id=request["id"],
            idempotency_key=str(uuid.uuid4()),
            method="cash",
        )
    return sum(request["amount_cents"] for request in promised)


def merge(venue: Venue, keep: Booking, other: Booking) -> None:
    venue.owner.call(
        "merge_bookings",
        organization_id=venue.organization_id,
        keep_id=keep.id,
        merge_id=other.id,
        other_customer=True,
    )


def share_room(venue: Venue) -> None:
    venue.owner.change("update public.rooms set mode = 'shared' where id = %s", venue.room_id)


def price(venue: Venue, booking: Booking, cents: int) -> None:
    venue.owner.call(
        "change_booking",
        organization_id=venue.organization_id,
        booking_id=booking.id,
        idempotency_key=str(uuid.uuid4()),
        price_cents=cents,
        override_reason="Another price",
    )


def transition(venue: Venue, booking: Booking, to_status: str, **values: object) -> None:
    venue.owner.call(
        "transition_booking",
        organization_id=venue.organization_id,
        booking_id=booking.id,
        to_status=to_status,
        **values,
    )


def checkout_asks(venue: Venue, booking: Booking) -> int:
    """What the page would ask for that pays all, were it opened now; 0: it is not opened."""
    owner = venue.database.owner
    with owner.transaction(force_rollback=True):
        try:
            row = owner.execute(
                "select (private.open_checkout(%s, %s, true)).amount_cents",
                (booking.reference, booking.token),
            ).fetchone()
        except psycopg.Error as error:
            if not re.match("nothing_due|not_payable", str(error)):
                raise
            return 0
    assert row is not None
    return int(row[0])


def desk_takes(venue: Venue, booking: Booking) -> int:
    """The most that is taken at the desk, as it says when it is offered too much."""
    with pytest.raises(Refused) as refused:
        take(venue, booking, 100 * TOTAL)
    if refused.value.code == "not_payable":
        return 0
    assert refused.value.code == "amount_too_high"
    return int(refused.value.details["open_cents"])


def board_says(venue: Venue, booking: Booking) -> int:
    day = venue.database.one(
        "select (starts_at at time zone 'Europe/Madrid')::date from public.bookings where id = %s",
        booking.id,
    )
    shown = venue.owner.call("get_board", organization_id=venue.organization_id, date=day)
    found = [
        told["open_cents"]
        for location in shown["locations"]
        for room in location["rooms"]
        for session in room["sessions"]
        for told in session["bookings"]
        if told["id"] == booking.id
    ]
    return int(found[0]) if found else 0


def report_says(venue: Venue, booking: Booking) -> int:
    day = venue.database.one(
        "select (starts_at at time zone 'Europe/Madrid')::date from public.bookings where id = %s",
        booking.id,
    )
    [report] = venue.owner.call(
        "get_revenue_report", organization_id=venue.organization_id, from_date=day, to_date=day
    )
    return int(report["total"]["outstanding_cents"])


def answers(venue: Venue, booking: Booking) -> dict[str, int]:
    """What each says of what is open."""
    of = (venue.organization_id, booking.id)
    return {
        "the customer's answer": venue.see(booking)["open_cents"],
        "its mails": venue.database.one(
            "select (private.booking_content(%s, %s) #>> '{data,open_cents}')::bigint", *of
        ),
        "webhooks": venue.database.one(
            "select (private.webhook_booking(%s, %s, null)).open_cents", *of
        ),
        "the board": board_says(venue, booking),
        "the desk": desk_takes(venue, booking),
    }


@dataclass
class Story:
    """What was done with a booking, and what is open by a sum of its own."""

    venue: Venue
    booking: Booking
    total: int = TOTAL
    #: What the venue keeps.
    kept: int = 0
    merges: int = 0
    #: What staff gave back and may withdraw, and what of each is not asked for again.
    by_hand: list[tuple[Any, int]] = field(default_factory=list)

    @property
    def status(self) -> str:
        return self.venue.status(self.booking)

    @property
    def open(self) -> int:
        if self.status not in _ASKED:
            return 0
        return max(0, self.total - self.kept - sum(counted for _, counted in self.by_hand))

    def cap(self) -> None:
        """What was given back stands for no more than the price leaves, newest first."""
        for place in reversed(range(len(self.by_hand))):
            room = self.total - self.kept - sum(counted for _, counted in self.by_hand)
            refund, counted = self.by_hand[place]
            self.by_hand[place] = refund, max(0, counted + min(0, room))

    def take(self, share: int) -> None:
        cents = self.open * share // 4
        if cents > 0:
            take(self.venue, self.booking, cents)
            self.kept += cents

    def give_back(self, cents: int) -> None:
        cents = min(cents, self.kept)
        if cents <= 0:
            return
        stood = self.status not in ("held", "pending", "cancelled")
        refunds = give_back(self.venue, self.booking, cents)["refunds"]
        for refund in sorted(refunds, key=lambda refund: str(refund["refund_request_id"])):
            self.by_hand.append((refund, refund["amount_cents"] if stood else 0))
        self.kept -= cents
        self.cap()

    def withdraw(self) -> None:
        if self.by_hand:
            refund, _ = self.by_hand.pop()
            withdraw(self.venue, refund)
            self.kept += refund["amount_cents"]
            self.cap()

    def reprice(self, cents: int) -> None:
        if cents == self.total or self.status not in ("pending", "confirmed"):
            return
        price(self.venue, self.booking, cents)
        self.total = cents
        # What is too much goes back.
        self.kept = min(self.kept, cents)
        self.cap()

    def merge(self, stays: bool) -> None:
        """Makes it one with another party's, unpaid; `stays`: it is the one that is kept."""
        status = self.status
        if status not in ("pending", "confirmed") or self.merges == 2:
            return
        other = self.venue.hold(self.booking.starts_at)
        transition(self.venue, other, "pending")
        if status == "confirmed":
            transition(self.venue, other, "confirmed")
        # The open sum of both, whatever each has paid.
        expected = self.open + TOTAL
        keep, gone = (self.booking, other) if stays else (other, self.booking)
        merge(self.venue, keep, gone)
        self.booking = keep
        self.total += TOTAL
        self.merges += 1
        assert self.open == expected or self.kept > self.total - TOTAL
        # What was withdrawn may be more than all costs.
        self.kept = min(self.kept, self.total)

    def cancel(self, refund: str) -> None:
        if self.status == "confirmed":
            transition(
                self.venue, self.booking, "cancelled", refund=refund, reason="They asked us to"
            )
            if refund == "full":
                self.kept -= hand_over(self.venue, self.booking)
                assert self.kept == 0

    def undo(self) -> None:
        if self.status == "cancelled":
            transition(self.venue, self.booking, "confirmed", reason="They come after all")


_DEEDS = st.one_of(
    st.tuples(st.just("take"), st.integers(1, 4)),
    st.tuples(st.just("give_back"), st.integers(1, TOTAL)),
    st.tuples(st.just("reprice"), st.integers(TOTAL // 4, 2 * TOTAL)),
    st.tuples(st.just("merge"), st.booleans()),
    st.tuples(st.just("cancel"), st.sampled_from(["none", "full"])),
    st.sampled_from([("withdraw",), ("undo",)]),
)


_CHEAPER: list[tuple[Any, ...]] = [("take", 4), ("give_back", 3_600), ("reprice", 3_000)]


@_MODERATE
@example(share=100, deeds=[*_CHEAPER, ("cancel", "full"), ("undo",), ("take", 4)])
@example(share=100, deeds=[*_CHEAPER, ("merge", True), ("reprice", 12_000), ("cancel", "full")])
@example(share=50, deeds=[*_CHEAPER, ("merge", False), ("cancel", "full"), ("undo",)])
@example(share=50, deeds=[*_CHEAPER, ("withdraw",), ("cancel", "full"), ("undo",), ("merge", True)])
@given(share=st.integers(1, 100), deeds=st.lists(_DEEDS, max_size=7))
def test_whatever_is_given_back_all_say_the_same_of_what_is_open(
    money: Database, share: int, deeds: list[tuple[Any, ...]]
) -> None:
    venue = make_venue(money)
    deposit(venue, share)
    share_room(venue)
    booking = venue.hold()
    transition(venue, booking, "pending")
    story = Story(venue, booking)
    for name, *values in deeds:
        getattr(story, name)(*values)
        booking = story.booking
        said = answers(venue, booking)
        assert said == dict.fromkeys(said, story.open), (name, values)
        seen = venue.see(booking)
        # All can be paid online here; what is due is never more than what is open.
        assert checkout_asks(venue, booking) == seen["payable_cents"] <= story.open
        if story.status == "confirmed":
            assert report_says(venue, booking) == story.open
            assert seen["payable_cents"] in (story.open, 0)


class TestWhatStaffGaveBack:
    def test_is_open_nowhere_and_not_taken_again(self, venue: Venue) -> None:
        booking = venue.hold()
        venue.pay(booking)
        give_back(venue, booking, GOODWILL)
        assert set(answers(venue, booking).values()) == {0}
        assert report_says(venue, booking) == 0
        venue.run_refunds(booking)
        assert set(answers(venue, booking).values()) == {0}

    def test_is_not_asked_for_by_a_dearer_time(self, venue: Venue) -> None:
        deposit(venue, 50)
        booking = venue.hold()
        venue.pay(booking)
        take(venue, booking, TOTAL // 2)
        give_back(venue, booking, GOODWILL)
        price(venue, booking, TOTAL + 900)
        assert set(answers(venue, booking).values()) == {900}
        assert checkout_asks(venue, booking) == 900

    def test_is_open_again_once_it_is_withdrawn(self, venue: Venue) -> None:
        booking = venue.hold()
        transition(venue, booking, "pending")
        take(venue, booking, TOTAL)
        [refund] = give_back(venue, booking, GOODWILL)["refunds"]
        price(venue, booking, TOTAL + 900)
        assert venue.see(booking)["open_cents"] == 900
        withdraw(venue, refund)
        assert venue.see(booking)["open_cents"] == 900, (
            "it is the venue's again, and counts as paid"
        )

    def test_is_no_money_that_went_back_after_the_price_fell(self, venue: Venue) -> None:
        booking = venue.hold()
        transition(venue, booking, "pending")
        take(venue, booking, TOTAL)
        give_back(venue, booking, 3_600)
        price(venue, booking, 3_000)
        assert set(answers(venue, booking).values()) == {0}
        transition(venue, booking, "cancelled", refund="full", reason="They asked us to")
        assert hand_over(venue, booking) == 2_400
        transition(venue, booking, "confirmed", reason="They come after all")
        assert set(answers(venue, booking).values()) == {2_400}
        assert report_says(venue, booking) == 2_400
        assert checkout_asks(venue, booking) == 2_400

    @pytest.mark.parametrize("stays", [True, False])
    def test_pays_nothing_of_the_party_it_is_made_one_with(self, venue: Venue, stays: bool) -> None:
        share_room(venue)
        booking = venue.hold()
        transition(venue, booking, "pending")
        take(venue, booking, TOTAL)
        give_back(venue, booking, 3_600)
        price(venue, booking, 3_000)
        story = Story(venue, booking, 3_000, 2_400, by_hand=[(None, 600)])
        story.merge(stays)
        assert set(answers(venue, story.booking).values()) == {TOTAL}
        assert report_says(venue, story.booking) == TOTAL

    def test_of_a_place_not_yet_confirmed_has_to_be_paid_for_it(self, venue: Venue) -> None:
        booking = venue.hold()
        transition(venue, booking, "pending")
        take(venue, booking, GOODWILL)
        give_back(venue, booking, GOODWILL)
        assert set(answers(venue, booking).values()) == {TOTAL}
        venue.pay(booking)
        assert venue.status(booking) == "confirmed"
        assert set(answers(venue, booking).values()) == {0}
        price(venue, booking, TOTAL + 900)
        assert set(answers(venue, booking).values()) == {900}

    def test_of_a_cancelled_one_is_open_once_it_comes_after_all(self, venue: Venue) -> None:
        booking = venue.hold()
        venue.pay(booking)
        transition(venue, booking, "cancelled", refund="none", reason="They asked us to")
        give_back(venue, booking, GOODWILL)
        assert set(answers(venue, booking).values()) == {0}
        transition(venue, booking, "confirmed", reason="They come after all")
        assert set(answers(venue, booking).values()) == {GOODWILL}
