"""What one answer says is of one moment, whatever is committed while it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from db.booking_world import Row, Shop, open_shop
from db.changes_world import take
from db.test_waitlist import accept, join, offer
from matrix.fixtures import Track
from matrix.house import House

#: What clients ask without changing anything, in functions that count the question first, so that
#: each of their statements sees a moment of its own; and what makes the answer one.
COUNTED = {
    "get_availability": "private.slots reads what is taken in one statement",
    "get_availability_days": "private.slots reads what is taken in one statement",
    "get_booking": "private.managed_booking_json",
    "get_booking_split": "private.booking_split",
    "get_calendar": "one statement",
    "get_calendar_feed": "one statement reads the sessions",
    "get_currencies": "one statement",
    "get_game_result": "private.party_result",
    "get_join_code": "one statement",
    "get_leaderboard": "one statement",
    "get_order": "private.managed_order",
    "get_payment_share": "private.shown_payment_share",
    "get_party": "private.shown_party",
    "get_voucher_offer": "private.voucher_offer",
    "get_voucher_order": "private.shown_voucher_order",
    "get_waitlist_entry": "private.waitlist_json",
    "get_waiver": "private.waiver_json",
    "get_waiver_kiosk": "one statement",
    "my_booking_token": "one statement",
    "quote_booking": "private.offered_quote",
    "quote_order": "private.quoted_order",
    "quote_order_change": "private.quoted_order_change",
    "quote_reschedule": "private.quoted_change",
}


@pytest.fixture
def shop(track: Track) -> Shop:
    return open_shop(track.house, track.name("Venue"), hold_minutes=120, waitlist_minutes=60)


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room(deposit_kind="percent", deposit_value=30, waiver_policy="required")
    shop.open_on(room, "10:00", "11:00")
    return room


def asked_while(
    track: Track, function: str, happens: Callable[[], object], **arguments: object
) -> Any:
    """The answer to somebody whose question is counted when something else happens."""
    visitor = track.alone(track.house.nobody.sending(x_forwarded_for="192.0.2.1"))
    counters = track.alone(track.house.nobody).connection
    with counters.transaction():
        counters.execute("lock table private.rate_limits in share row exclusive mode")
        question = track.start(visitor, lambda: visitor.call(function, **arguments))
        track.wait_until_blocked(question)
        happens()
    answer = question.outcome()
    assert isinstance(answer, dict), answer
    return answer


def key(booking: Row) -> Row:
    return {"reference": booking["reference"], "manage_token": booking["manage_token"]}


def test_a_booking_s_status_and_money(track: Track, shop: Shop, room: str) -> None:
    booking = shop.hold(room, shop.at(3, "10:00"))
    total = booking["total_cents"]

    seen = asked_while(track, "get_booking", lambda: take(shop, booking, total), **key(booking))

    assert (seen["status"], seen["paid_cents"], seen["open_cents"]) == ("confirmed", total, 0)


def test_what_a_change_would_leave_to_pay(track: Track, shop: Shop, room: str) -> None:
    booking = shop.hold(room, shop.at(3, "10:00"), party_size=2)
    per_person = booking["total_cents"] // 2

    quote = asked_while(
        track,
        "quote_reschedule",
        lambda: take(shop, booking, 2 * per_person),
        **key(booking),
        party_size=3,
    )

    paid = quote["total_cents"] - quote["open_cents"]
    assert (paid, quote["due_now_cents"]) == (2 * per_person, 2 * per_person)


def test_an_entry_of_the_waitlist_and_its_place(track: Track, shop: Shop, room: str) -> None:
    shop.set_room(room, deposit_kind="none", deposit_value=0)
    booking = shop.hold(room, shop.at(3, "10:00"))
    entry = join(shop, day=3)
    shop.cancel(booking)
    place = offer(shop, entry)

    seen = asked_while(
        track,
        "get_waitlist_entry",
        lambda: accept(shop, place),
        token=entry["waitlist_token"],
    )

    assert (seen["status"], seen["offer"]["status"]) == ("booked", "confirmed")


def test_a_waiver_and_whether_it_can_be_signed(track: Track, shop: Shop, room: str) -> None:
    shop.venue.owner.call("publish_waiver", organization_id=shop.id, texts={"es": "Firmo"})
    booking = shop.hold(room, shop.at(3, "10:00"))
    take(shop, booking, booking["total_cents"])
    token = shop.look(booking)["waiver"]["token"]

    seen = asked_while(
        track,
        "get_waiver",
        lambda: shop.cancel(booking),
        token=token,
    )

    assert seen["open"] is False


def test_a_time_and_its_price(track: Track, shop: Shop, room: str) -> None:
    asked = {"slug": shop.slug, "room_id": room, "starts_at": shop.at(3, "10:00"), "party_size": 2}
    visitor = track.alone(track.house.nobody.sending(x_forwarded_for="192.0.2.1"))
    before = visitor.call("quote_booking", **asked)
    # The question counts in the row that the first one made.
    counters = track.alone(track.house.nobody).connection
    with counters.transaction():
        counters.execute("select from private.rate_limits for update")
        question = track.start(visitor, lambda: visitor.call("quote_booking", **asked))
        track.wait_until_blocked(question)
        shop.set_room(room, duration_minutes=30, price_cents=7_700)
    seen = question.outcome()

    assert isinstance(seen, dict), seen
    assert before["ends_at"] != seen["ends_at"]
    assert (seen["ends_at"], seen["total_cents"]) == (
        visitor.call("quote_booking", **asked)["ends_at"],
        visitor.call("quote_booking", **asked)["total_cents"],
    )


def test_every_other_question_is_answered_from_one_snapshot(house: House) -> None:
    """A stable function sees the moment of the statement that called it."""
    volatile = house.owner_sql(
        "select p.proname as name from pg_proc as p"
        " where p.pronamespace = 'public'::regnamespace and p.provolatile = 'v'"
        r" and p.proname ~ '^(get|list|my|quote|search)_'"
    )
    assert {one["name"] for one in volatile} == set(COUNTED)
