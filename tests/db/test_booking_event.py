"""A visit is one event in its visitor's calendar, whether a mail or the link told of it."""

from __future__ import annotations

import pytest

from db.booking_world import Row, Shop, open_shop
from matrix.house import House


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue", hold_minutes=30)


@pytest.fixture
def room(shop: Shop) -> str:
    made = shop.add_room(price_cents=0)
    shop.open_on(made, "10:00", "14:00")
    return made


def mailed(shop: Shop, booking: Row) -> list[Row]:
    """What each mail about the booking says of the event, in the order of the news."""
    return [
        row["said"]["data"]
        for row in shop.house.owner_sql(
            "select private.announcement_content("
            "  h.organization_id, jsonb_build_object('history_id', h.id)) as said"
            " from public.booking_history as h where h.booking_id = %s"
            " order by h.occurred_at, h.id",
            shop.id_of(booking),
        )
        if row["said"] is not None
    ]


def test_the_link_names_and_numbers_it_as_the_mails_do(shop: Shop, room: str) -> None:
    booking = shop.book(room, shop.at(3, "10:00"))
    for sequence in (0, 1):
        event = shop.look(booking)["event"]
        assert event["sequence"] == sequence
        assert event["uid"] == shop.id_of(booking)
        last = mailed(shop, booking)[-1]
        assert (last["event_id"], last["event_version"], last["event_at"]) == (
            event["uid"],
            event["sequence"],
            event["updated_at"],
        )
        if sequence == 0:
            shop.visitor.call(
                "reschedule_booking",
                reference=booking["reference"],
                manage_token=booking["manage_token"],
                expected_total_cents=0,
                idempotency_key="move",
                starts_at=shop.at(4, "10:00"),
            )
    shop.cancel(booking)
    assert shop.look(booking)["event"]["sequence"] == 2
    assert mailed(shop, booking)[-1]["event_version"] == 2


def test_a_hold_has_the_first_version(shop: Shop, room: str) -> None:
    shop.set_room(room, price_cents=2500)
    held = shop.hold(room, shop.at(3, "10:00"))
    assert shop.look(held)["event"]["sequence"] == 0


def test_the_link_says_where_to_come_as_the_mails_do(shop: Shop, room: str) -> None:
    change = {"address": "Carrer Major 1", "postal_code": "08001", "city": "Barcelona"}
    for values, address in (
        (change, "Carrer Major 1, 08001 Barcelona"),
        ({"postal_code": ""}, "Carrer Major 1, Barcelona"),
        ({"address": "", "city": ""}, ""),
    ):
        for column, value in values.items():
            shop.house.owner_sql(
                f"update public.locations set {column} = %s where id = %s", value, shop.location_id
            )
        booking = shop.book(room, shop.at(3 + len(values), "10:00"))
        assert shop.look(booking)["location"]["address"] == address
        assert mailed(shop, booking)[0]["address"] == address


def test_a_replay_tells_what_became_of_the_hold(shop: Shop, room: str) -> None:
    shop.set_room(room, price_cents=2500)
    at = shop.at(3, "10:00")
    first = shop.hold(room, at, key="once")
    assert shop.hold(room, at, key="once") == first
    shop.lapse(first)
    replay = shop.hold(room, at, key="once")
    assert (replay["reference"], replay["status"]) == (first["reference"], "expired")
    # Another key is another attempt, and the time is free for it.
    assert shop.hold(room, at, key="twice")["status"] == "held"
