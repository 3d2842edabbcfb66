"""What is booked in a room is moved at once, with a preview, all of it or none."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from client import Client
from db.booking_world import PRICE, Row, Shop, open_shop, taking
from db.changes_world import book, key, promised, take
from db.invariants import broken_promises
from matrix.house import House
from matrix.promises import refused


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    return open_room(shop)


def open_room(shop: Shop, **values: object) -> str:
    room = shop.add_room(**values)
    shop.open_on(room, "10:00", "22:00")
    return room


def confirmed(shop: Shop, room: str, clock: str, party_size: int = 2, **values: Any) -> Row:
    booking = book(shop, room, shop.at(30, clock), party_size=party_size, **values)
    if booking["status"] == "pending":
        shop.move_now(booking, "confirmed")
    return booking


def the_day(shop: Shop, room: str, **values: Any) -> Row:
    return {
        "organization_id": shop.id,
        "room_id": room,
        "from_at": shop.at(30, "00:00"),
        "until_at": shop.at(31, "00:00"),
        **values,
    }


def preview(shop: Shop, room: str, by: Client | None = None, **values: Any) -> Row:
    seen: Row = (by or shop.venue.owner).call(
        "preview_move_bookings", **the_day(shop, room, **values)
    )
    return seen


def move(shop: Shop, room: str, by: Client | None = None, **values: Any) -> Row:
    moved: Row = (by or shop.venue.owner).call(
        "move_bookings",
        **{
            "reason": "A pipe has burst",
            "idempotency_key": key(),
            **the_day(shop, room, **values),
        },
    )
    return moved


def conflicts(moves: Row) -> list[str | None]:
    return [one["conflict"] for one in moves["moves"]]


def places(shop: Shop, *bookings: Row) -> list[tuple[str, datetime]]:
    return [
        (str(row["room_id"]), row["starts_at"])
        for booking in bookings
        for row in shop.house.owner_sql(
            "select room_id, starts_at from public.bookings where id = %s", booking["id"]
        )
    ]


def all_rows(shop: Shop) -> list[Row]:
    """What a preview must not have touched, ends of jobs and of the log included."""
    return shop.house.owner_sql(
        "select (select jsonb_agg(b order by b.id) from public.bookings as b) as bookings,"
        " (select jsonb_agg(s order by s.id) from public.sessions as s) as sessions,"
        " (select jsonb_agg(n order by n.id) from public.booking_lines as n) as lines,"
        " (select count(*) from public.booking_history) as history,"
        " (select count(*) from public.audit_log) as log,"
        " (select count(*) from private.jobs) as jobs"
    )


def test_each_goes_where_the_preview_said_and_no_customer_pays_more(shop: Shop, room: str) -> None:
    dear, cheap = open_room(shop, price_cents=PRICE * 2), open_room(shop, price_cents=PRICE - 500)
    coupon = shop.add_coupon("HERE", room_ids=[room], value=20)
    first = confirmed(shop, room, "10:00", coupon_code=coupon["code"], extras=[])
    second = confirmed(shop, room, "14:00")
    pending = book(shop, room, shop.at(30, "18:00"))
    take(shop, second, 2 * PRICE)
    desk = shop.venue.hire("desk", "receptionist")
    before = all_rows(shop)

    seen = preview(shop, room, desk, to_room_id=dear)
    assert all_rows(shop) == before
    assert seen["conflicts"] == 0
    assert [
        (one["booking_id"], one["to_starts_at"], one["to_room_id"], one["contact_name"])
        for one in seen["moves"]
    ] == [(b["id"], b["starts_at"], dear, "Ana García") for b in (first, second, pending)]
    assert [(m["total_cents"], m["new_total_cents"], m["refund_cents"]) for m in seen["moves"]] == [
        (first["total_cents"], first["total_cents"], 0),
        (2 * PRICE, 2 * PRICE, 0),
        (2 * PRICE, 2 * PRICE, 0),
    ]
    # To a cheaper one: what was paid too much goes back.
    cheaper = preview(shop, room, desk, to_room_id=cheap)
    assert [(m["new_total_cents"], m["refund_cents"]) for m in cheaper["moves"]] == [
        (first["total_cents"], 0),  # with the discount that is none of that room's
        (2 * PRICE - 1_000, 1_000),
        (2 * PRICE - 1_000, 0),
    ]
    moved = move(shop, room, desk, to_room_id=dear, idempotency_key="once")
    assert moved == seen
    assert move(shop, room, desk, to_room_id=dear, idempotency_key="once") == seen
    assert places(shop, first, second, pending) == [
        (dear, shop.at(30, clock)) for clock in ("10:00", "14:00", "18:00")
    ]
    for booking in (first, second):
        assert shop.look(booking)["total_cents"] == booking["total_cents"]
        last = shop.history(booking)[-1]
        assert (last["reason"], last["change"]["room_id"], str(last["actor_id"])) == (
            "A pipe has burst",
            [room, dear],
            desk.id,
        )
        mail = shop.house.owner_sql(
            "select payload ->> 'template' as template from private.jobs"
            " where kind = 'email.send' and payload ->> 'history_id' = %s",
            str(last["id"]),
        )
        assert [row["template"] for row in mail] == ["booking_rescheduled"]
    assert shop.look(second)["status"] == "confirmed"
    assert [extra["kind"] for extra in shop.look(first)["lines"]] == ["base", "discount"]
    assert move(shop, dear, to_room_id=cheap)["conflicts"] == 0
    assert promised(shop, second) == [("changed", 1_000)]
    assert broken_promises(shop.house, shop.id) == {}


def test_by_the_clock_each_into_the_time_of_the_next(shop: Shop) -> None:
    shared = open_room(shop, mode="shared", maximum_party=6)
    bookings = [
        confirmed(shop, shared, clock, party)
        for clock, party in (("10:00", 2), ("10:00", 3), ("11:30", 2), ("13:00", 6))
    ]
    seen = preview(shop, shared, shift_minutes=90)
    assert conflicts(seen) == [None] * 4
    assert [one["within_hours"] for one in seen["moves"]] == [True] * 4
    assert move(shop, shared, shift_minutes=90)["moves"] == seen["moves"]
    assert places(shop, *bookings) == [
        (shared, shop.at(30, clock)) for clock in ("11:30", "11:30", "13:00", "14:30")
    ]
    assert [(s["seats_taken"], s["status"]) for s in shop.sessions() if s["seats_taken"]] == [
        (5, "scheduled"),
        (2, "scheduled"),
        (6, "scheduled"),
    ]
    # By the wall clock, whatever the zone does in between; beyond the hours it says so.
    half_a_year = preview(shop, shared, shift_minutes=60 * 24 * 180)
    assert [
        datetime.fromisoformat(one["to_starts_at"]).astimezone(shop.zone)
        for one in half_a_year["moves"]
    ] == [shop.at(210, clock) for clock in ("11:30", "11:30", "13:00", "14:30")]
    late = preview(shop, shared, shift_minutes=11 * 60 + 1)
    assert [one["within_hours"] for one in late["moves"]] == [False] * 4
    assert broken_promises(shop.house, shop.id) == {}


def test_one_that_cannot_go_keeps_all_where_they_are_and_is_named(shop: Shop, room: str) -> None:
    small = open_room(shop, maximum_party=4)
    fits, large = confirmed(shop, room, "10:00"), confirmed(shop, room, "12:00", 6)
    beside, taken = confirmed(shop, room, "14:00"), confirmed(shop, small, "14:30")
    held = shop.hold(room, shop.at(30, "16:00"))
    lapsed = shop.hold(room, shop.at(30, "17:30"))
    shop.lapse(lapsed)
    extra = shop.add_extra(all_rooms=False)
    shop.insert("extra_rooms", extra_id=extra, room_id=room)
    special = confirmed(shop, room, "19:00", extras=[taking(extra)])
    seen = preview(shop, room, to_room_id=small)
    named = {one["booking_id"]: one["conflict"] for one in seen["moves"]}
    assert named == {
        fits["id"]: None,
        large["id"]: "party_size_invalid",
        beside["id"]: "slot_taken",
        shop.id_of(held): "on_hold",
        special["id"]: "extra_not_found",
    }
    assert seen["conflicts"] == 4
    before = places(shop, fits, large, beside, taken, special)
    with refused(409, "moves_conflict") as caught:
        move(shop, room, to_room_id=small)
    assert caught.value.details is not None
    assert {c["booking_id"]: c["conflict"] for c in caught.value.details["conflicts"]} == {
        booking: conflict for booking, conflict in named.items() if conflict
    }
    assert places(shop, fits, large, beside, taken, special) == before
    # A part of the day can go; those that the preview named, and no others.
    until: Row = {"until_at": shop.at(30, "11:00"), "to_room_id": small}
    with refused(409, "bookings_changed"):
        move(shop, room, booking_ids=[fits["id"], large["id"]], **until)
    with refused(409, "bookings_changed"):
        move(shop, room, booking_ids=[], **until)
    assert move(shop, room, booking_ids=[fits["id"]], **until)["conflicts"] == 0
    assert places(shop, fits) == [(small, shop.at(30, "10:00"))]
    assert move(shop, room, **until)["moves"] == []


def test_what_has_begun_stays_and_says_so(shop: Shop, room: str) -> None:
    running, there = confirmed(shop, room, "10:00"), confirmed(shop, room, "12:00")
    other = open_room(shop)
    shop.start_in(running, timedelta(minutes=-10))
    shop.start_in(there, timedelta(hours=2))
    for booking in (running, there):
        shop.move_now(booking, "checked_in")
    shop.move_now(running, "in_progress")
    now = shop.house.one("select now()")
    times = {"from_at": now - timedelta(hours=1), "until_at": now + timedelta(hours=3)}
    assert conflicts(preview(shop, room, to_room_id=other, **times)) == ["not_reschedulable", None]
    times["from_at"] = now
    assert move(shop, room, to_room_id=other, **times)["conflicts"] == 0
    assert places(shop, running, there)[0][0] == room


def test_not_without_a_reason_a_place_to_go_and_the_right_to(shop: Shop, room: str) -> None:
    booking = confirmed(shop, room, "10:00")
    other, archived = open_room(shop), open_room(shop)
    shop.set_room(archived, is_archived=True, is_published=False)
    for reason in ("", "...", "x" * 501):
        with refused(422, "reason_invalid"):
            move(shop, room, to_room_id=other, reason=reason)
    for values, status, code in (
        ({}, 422, "nothing_to_change"),
        ({"to_room_id": room}, 422, "nothing_to_change"),
        ({"shift_minutes": 525_601}, 422, "shift_invalid"),
        ({"to_room_id": booking["id"]}, 404, "room_not_found"),
        ({"to_room_id": archived}, 404, "room_not_found"),
        ({"room_id": booking["id"], "to_room_id": other}, 404, "room_not_found"),
        ({"to_room_id": other, "until_at": shop.at(30, "00:00")}, 422, "period_invalid"),
        ({"to_room_id": other, "from_at": None}, 422, "period_invalid"),
    ):
        for ask in (preview, move):
            with refused(status, code):
                ask(shop, room, **values)
    blind = shop.venue.hire(
        "blind", shop.venue.make_role("Blind", ["bookings:update", "bookings:read"])
    )
    master = shop.venue.hire("master", "game_master")
    with refused(403, "permission_denied"):
        preview(shop, room, master, to_room_id=other)
    take(shop, booking, 2 * PRICE)
    for _ in range(2):
        (seen,) = move(shop, room, blind, to_room_id=other, idempotency_key="blind")["moves"]
        assert (seen["contact_name"], seen["refund_cents"]) == (None, None)
    # The names are not kept with the key, so that nobody finds them there.
    kept = shop.house.one("select response::text from private.idempotency_keys where key = 'blind'")
    assert kept is None or "García" not in kept


def test_a_hundred_at_once_and_no_more(shop: Shop) -> None:
    room, other = (open_room(shop, mode="shared", maximum_party=100) for _ in range(2))
    for clock, parties in (("10:00", 100), ("12:00", 1)):
        for _ in range(parties):
            book(shop, room, shop.at(30, clock), party_size=1, customer={"full_name": "A guest"})
    with refused(422, "too_many_bookings"):
        preview(shop, room, to_room_id=other)
    assert len(move(shop, room, to_room_id=other, until_at=shop.at(30, "11:00"))["moves"]) == 100
