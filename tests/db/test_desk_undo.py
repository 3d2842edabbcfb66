"""A cancellation that was a mistake: its place, money and mails come back, while it is free."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from db.booking_world import GUEST, PRICE, Row, Shop, change, open_shop
from db.changes_world import book, take
from db.test_booking_windows import since, status_of
from matrix.fixtures import Track
from matrix.house import House
from matrix.promises import refused

TOTAL = 2 * PRICE


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    return open_room(shop)


@pytest.fixture
def paid(shop: Shop, room: str) -> Row:
    booking = book(shop, room, shop.at(30, "11:30"))
    shop.move(booking, "confirmed")
    take(shop, booking, TOTAL)
    return booking


def open_room(shop: Shop) -> str:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00", slot_interval_minutes=30)
    return room


def undo(shop: Shop, booking: Row, **values: Any) -> Row:
    return shop.move_now(booking, "confirmed", **{"reason": "The wrong party", **values})


def refunds(shop: Shop, booking: Row) -> list[tuple[str, int]]:
    rows = shop.house.owner_sql(
        "select status, amount_cents from private.refund_requests where booking_id = %s"
        " order by created_at, id",
        shop.id_of(booking),
    )
    return [(row["status"], row["amount_cents"]) for row in rows]


def mails(shop: Shop, booking: Row) -> list[tuple[str, bool]]:
    """The mails of a booking's steps, and whether each would still say something."""
    return [
        (row["template"], row["says"])
        for row in shop.house.owner_sql(
            "select payload ->> 'template' as template,"
            " private.announcement_content(organization_id, payload) is not null as says"
            " from private.jobs where kind = 'email.send' and payload ->> 'booking_id' = %s"
            " and payload ? 'history_id' order by id",
            shop.id_of(booking),
        )
    ]


def test_it_stands_again_with_its_money(shop: Shop, room: str, paid: Row) -> None:
    desk = shop.venue.hire("desk", "receptionist")
    shop.move_now(paid, "cancelled", by=desk)
    assert refunds(shop, paid) == [("pending", TOTAL)]
    with refused(422, "reason_missing"):
        undo(shop, paid, by=desk, reason=".")
    undone = undo(shop, paid, by=desk)
    assert undone["undo"] == {"withdrawn_cents": TOTAL, "refunded_cents": 0}
    assert refunds(shop, paid) == [("withdrawn", TOTAL)]
    seen = shop.look(paid)
    assert (seen["status"], seen["open_cents"]) == ("confirmed", 0)
    entry = shop.history(paid)[-1]
    assert (entry["from_status"], entry["reason"], str(entry["actor_id"])) == (
        "cancelled",
        "The wrong party",
        desk.id,
    )
    # The place is taken, by this party and once; the customer is written to anew.
    with refused(409, "slot_taken"):
        book(shop, room, shop.at(30, "12:00"))
    assert undo(shop, paid, by=desk)["undo"] is None
    assert mails(shop, paid) == [
        ("booking_confirmed", False),
        ("booking_cancelled", False),
        ("booking_confirmed", True),
    ]
    # And cancelled for good, it is refunded as ever.
    shop.move_now(paid, "cancelled")
    assert refunds(shop, paid) == [("withdrawn", TOTAL), ("pending", TOTAL)]


def test_not_when_its_place_or_its_time_to_is_gone(shop: Shop, room: str, paid: Row) -> None:
    shop.move_now(paid, "cancelled")
    other = book(shop, room, shop.at(30, "12:00"))
    with refused(409, "slot_taken"):
        undo(shop, paid)
    assert (status_of(shop, paid), refunds(shop, paid)) == ("cancelled", [("pending", TOTAL)])
    shop.move_now(other, "cancelled")
    # One that never was confirmed has nothing to come back to.
    with refused(409, "transition_not_allowed"):
        undo(shop, other)
    since(shop, paid, timedelta(hours=24))
    with refused(409, "undo_too_late"):
        undo(shop, paid)
    master = shop.venue.hire("master", "game_master")
    with refused(403, "permission_denied") as caught:
        undo(shop, paid, by=master)
    assert caught.value.details == {"permission": "bookings:undo"}


def test_a_party_that_was_there_is_checked_in_again(shop: Shop, paid: Row) -> None:
    shop.move(paid, "checked_in")
    shop.move_now(paid, "cancelled")
    with refused(409, "transition_not_allowed"):
        shop.move_now(paid, "checked_in", reason="Sorry")
    undo(shop, paid)
    shop.move_now(paid, "checked_in")
    # As any check-in it can be taken back, and it may end in one step.
    shop.move_now(paid, "confirmed", reason="Sorry")
    shop.move_now(paid, "checked_in")
    assert shop.move_now(paid, "completed")["status"] == "completed"
    assert shop.move_now(paid, "checked_in", reason="Still here")["status"] == "checked_in"


def test_a_game_that_nobody_started_does_not_end_without_its_waivers(
    shop: Shop, room: str, paid: Row
) -> None:
    change(shop.venue.owner, "rooms", {"waiver_policy": "required"}, id=room)
    shop.venue.owner.call(
        "publish_waiver", organization_id=shop.id, texts={"en": "I know.", "es": "Lo sé."}
    )
    shop.move(paid, "checked_in")
    with refused(409, "waiver_missing"):
        shop.move_now(paid, "completed")
    shop.start_in(paid, timedelta(hours=-30))
    shop.house.service.call("service.sweep")
    assert status_of(shop, paid) == "completed"


def let_lapse(shop: Shop, booking: Row) -> None:
    shop.house.owner_sql(
        "update public.bookings set hold_expires_at = now() - interval '1 minute' where id = %s",
        shop.id_of(booking),
    )


def erase(shop: Shop, booking: Row) -> None:
    (row,) = shop.venue.owner.select(
        "select customer_id from public.bookings where id = %s", shop.id_of(booking)
    )
    shop.venue.owner.call(
        "erase_customer",
        organization_id=shop.id,
        customer_id=row["customer_id"],
        reason="Asked",
    )


def test_nothing_of_an_erased_customer_comes_back(shop: Shop, room: str, paid: Row) -> None:
    """Nobody could be told that it stands. A lapsed hold that nobody has swept is no way either."""
    shop.move_now(paid, "cancelled")
    lapsed = shop.hold(room, shop.at(31, "11:30"), customer={**GUEST, "email": "eva@example.test"})
    let_lapse(shop, lapsed)
    for booking in (paid, lapsed):
        erase(shop, booking)
    for booking, to in ((paid, "confirmed"), (lapsed, "confirmed"), (lapsed, "pending")):
        before = shop.history(booking)
        with refused(409, "customer_erased"):
            shop.move_now(booking, to, reason="They come after all")
        assert shop.history(booking) == before


@pytest.mark.parametrize("swept", [False, True])
def test_money_that_comes_after_an_erasure_goes_back(shop: Shop, room: str, *, swept: bool) -> None:
    lapsed = shop.hold(room, shop.at(31, "11:30"))
    let_lapse(shop, lapsed)
    erase(shop, lapsed)
    if swept:
        shop.house.service.call("service.sweep")
    shop.pay(lapsed, TOTAL)
    settle = "select private.settle_booking(%s, %s) as status"
    for _ in range(2):
        assert shop.house.one(settle, shop.id, shop.id_of(lapsed)) == "expired"
        assert refunds(shop, lapsed) == [("pending", TOTAL)]


def test_a_visit_that_is_over_ends_though_its_customer_was_erased(
    shop: Shop, room: str, paid: Row
) -> None:
    shop.move_in_time(paid, timedelta(days=-40))
    erase(shop, paid)
    shop.house.service.call("service.sweep")
    assert status_of(shop, paid) == "completed"
    with refused(409, "customer_erased"):
        undo(shop, paid)


def test_two_who_undo_one_cancellation_undo_it_once(track: Track) -> None:
    shop = open_shop(track.house, track.name("Venue"))
    room = open_room(shop)
    booking = book(shop, room, shop.at(30, "11:30"))
    shop.move(booking, "confirmed")
    take(shop, booking, TOTAL)
    shop.move_now(booking, "cancelled")
    again = {
        "organization_id": shop.id,
        "booking_id": shop.id_of(booking),
        "to_status": "confirmed",
        "reason": "The wrong party",
    }
    holder = track.alone(shop.venue.owner).connection
    with holder.transaction():
        holder.execute(
            "select private.lock_room(organization_id, room_id) from public.bookings where id = %s",
            [again["booking_id"]],
        )
        racers = [
            track.start(desk, partial(desk.call, "transition_booking", **again))
            for desk in (track.alone(shop.venue.owner), track.alone(shop.venue.owner))
        ]
        for racer in racers:
            track.wait_until_blocked(racer)
    outcomes = [racer.outcome() for racer in racers]
    assert [outcome["status"] for outcome in outcomes if isinstance(outcome, dict)] == [
        "confirmed",
        "confirmed",
    ], outcomes
    steps = [entry["to_status"] for entry in shop.history(booking)]
    assert steps[-2:] == ["cancelled", "confirmed"]
    assert refunds(shop, booking) == [("withdrawn", TOTAL)]
    assert shop.house.one(
        "select array_agg(s.seats_taken) from public.sessions as s"
        " where s.room_id = %s and s.status = 'scheduled'",
        room,
    ) == [2]
