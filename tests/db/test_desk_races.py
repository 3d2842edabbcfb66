"""The desk's corrections by several people at once: real connections, committed transactions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import TypeVar
from uuid import uuid4

import psycopg
import pytest

from client import Client, Refused
from db.booking_world import PRICE, Row, Shop, insert, open_shop
from db.changes_world import book, key, take
from db.invariants import broken_promises
from db.test_booking_concurrency import guest, outcomes, race
from matrix.fixtures import Track

T = TypeVar("T")

_days = count(5)


@pytest.fixture
def shop(track: Track) -> Shop:
    return open_shop(track.house, track.name("Venue"), hold_minutes=120)


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room(mode="shared", maximum_party=12)
    shop.open_on(room, "10:00", "22:00")
    return room


def next_start(shop: Shop) -> datetime:
    """A time of a day that nobody else books."""
    return shop.at(next(_days), "10:00")


def book_two(shop: Shop, room: str, start: datetime, *sizes: int) -> tuple[Row, Row]:
    """Two bookings of one customer, whom nobody has written to."""
    customer = {"full_name": "Ana", "email": f"{uuid4().hex}@example.test"}
    first, second = (
        book(shop, room, start, party_size=size, customer=customer) for size in sizes or (2, 3)
    )
    return first, second


def merge(client: Client, shop: Shop, keep: Row, other: Row) -> Row:
    merged: Row = client.call(
        "merge_bookings", organization_id=shop.id, keep_id=keep["id"], merge_id=other["id"]
    )
    return merged


def test_two_who_merge_the_same_two_into_each_other_make_one_of_them(
    track: Track, shop: Shop, room: str
) -> None:
    clients = [track.alone(shop.venue.owner) for _ in range(4)]
    for _ in range(5):
        start = next_start(shop)
        pair = book_two(shop, room, start)
        for booking in pair:
            take(shop, booking, 700)

        def work(client: Client, who: int, pair: tuple[Row, Row] = pair) -> Row:
            return merge(client, shop, *(pair if who % 2 else pair[::-1]))

        results = race(clients, work)

        assert outcomes(results) == {"ok": 2, "409 booking_merged": 2}
        (kept,) = {r["id"] for r in results if not isinstance(r, Refused)}
        seen = shop.look(next(b for b in pair if b["id"] == kept))
        assert (seen["party_size"], seen["total_cents"], seen["paid_cents"]) == (
            5,
            5 * PRICE,
            1_400,
        )
    assert broken_promises(shop.house, shop.id) == {}


def test_what_is_paid_given_back_or_moved_while_two_are_merged_is_of_one_of_them(
    track: Track, shop: Shop, room: str
) -> None:
    clients = [track.alone(shop.venue.owner) for _ in range(5)]
    for _ in range(5):
        start = next_start(shop)
        kept, other = book_two(shop, room, start)
        payment = take(shop, other, 900)["payment_id"]
        take(shop, other, 500)

        def work(
            client: Client,
            who: int,
            kept: Row = kept,
            other: Row = other,
            payment: str = payment,
            start: datetime = start,
        ) -> object:
            if who == 0:
                return merge(client, shop, kept, other)
            if who == 1:
                return take(shop_of(shop, client), other, 300)
            if who == 2:
                return client.call(
                    "correct_payment", organization_id=shop.id, payment_id=payment, reason="Wrong"
                )
            if who == 3:
                return client.call(
                    "refund_booking",
                    organization_id=shop.id,
                    booking_id=other["id"],
                    amount_cents=200,
                    reason="Because",
                    idempotency_key=key(),
                )
            return client.call(
                "change_booking",
                organization_id=shop.id,
                booking_id=kept["id"],
                starts_at=start.replace(hour=14),
                idempotency_key=key(),
            )

        got = outcomes(race(clients, work))

        # Whoever came too late was told so; nobody waited for nobody.
        assert set(got) <= {
            "ok",
            "409 not_mergeable",
            "409 not_payable",
            "409 not_reschedulable",
            "422 amount_too_high",
        }
        assert got["ok"] >= 2
        assert broken_promises(shop.house, shop.id) == {}


def shop_of(shop: Shop, client: Client) -> Shop:
    """The shop, with the owner on a connection of their own."""
    return replace(shop, venue=replace(shop.venue, owner=client))


def test_a_hold_of_the_place_to_go_comes_before_all_are_moved_or_after(
    track: Track, shop: Shop
) -> None:
    room, other = (shop.add_room() for _ in range(2))
    for one in (room, other):
        shop.open_on(one, "10:00", "22:00")
    visitors = [track.alone(shop.visitor) for _ in range(4)]
    owner, another = (track.alone(shop.venue.owner) for _ in range(2))
    for _ in range(5):
        start = next_start(shop)
        there = start.replace(hour=13)
        bookings = [
            book(shop, room, at, customer={"full_name": "A guest"}) for at in (start, there)
        ]

        def work(client: Client, who: int, start: datetime = start, there: datetime = there) -> Row:
            if who > 1:
                return shop.hold(other if who % 2 else room, there, by=client, customer=guest(who))
            # There and back: each waits for the other's rooms in one order.
            moved: Row = client.call(
                "move_bookings" if who == 0 else "preview_move_bookings",
                organization_id=shop.id,
                room_id=(room, other)[who],
                from_at=start.replace(hour=0),
                until_at=start.replace(hour=23),
                to_room_id=(other, room)[who],
                **({"reason": "It is broken", "idempotency_key": key()} if who == 0 else {}),
            )
            return moved

        results = race([owner, another, *visitors], work)

        got = outcomes(results)
        assert set(got) <= {"ok", "409 slot_taken", "409 moves_conflict"}
        rooms = {
            str(row["room_id"])
            for booking in bookings
            for row in shop.house.owner_sql(
                "select room_id from public.bookings where organization_id = %s and id = %s",
                shop.id,
                booking["id"],
            )
        }
        # All of them or none; and of the holds one, where it is free.
        moved = not isinstance(results[0], Refused)
        assert rooms == {other if moved else room}
        holds = sum(not isinstance(r, Refused) for r in results[2:])
        assert holds <= 1
        assert moved or holds == 1
    assert broken_promises(shop.house, shop.id) == {}


def test_a_tag_that_is_deleted_while_it_is_given_is_given_or_not_there(
    track: Track, shop: Shop, room: str
) -> None:
    booking = book(shop, room, next_start(shop))
    owner, desk = (track.alone(shop.venue.owner) for _ in range(2))
    for number in range(10):
        tag = insert(shop.venue.owner, "tags", name=f"Tag {number}")["id"]

        def work(client: Client, who: int, tag: str = tag) -> object:
            if who:
                return client.change("delete from public.tags where id = %s", tag)
            return client.call(
                "set_booking_tags",
                organization_id=shop.id,
                booking_id=booking["id"],
                tag_ids=[tag],
            )

        assert set(outcomes(race([desk, owner], work))) <= {"ok", "422 tag_not_found"}
        assert shop.venue.owner.select("select tag_id from public.booking_tags") == []


def waits_for_merge(
    track: Track, shop: Shop, pair: tuple[Row, Row], work: Callable[[Client], T]
) -> T:
    """What somebody gets who asks while two are being merged, and waits for that."""
    owner, worker = (track.alone(shop.venue.owner) for _ in range(2))
    got: list[T] = []
    racer = threading.Thread(target=lambda: got.append(work(worker)))
    with owner.connection.transaction():
        merge(owner, shop, *pair)
        racer.start()
        while not track.house.one(
            "select exists (select from pg_locks where pid = %s and not granted)",
            worker.connection.info.backend_pid,
        ):
            assert racer.is_alive()
    racer.join()
    (answer,) = got
    return answer


def test_who_pays_late_what_was_merged_meanwhile_pays_the_other_one(
    track: Track, shop: Shop, room: str
) -> None:
    kept, other = book_two(shop, room, next_start(shop))
    attempt = track.house.one(
        "insert into private.payment_attempts"
        " (organization_id, booking_id, amount_cents, currency, expires_at, status)"
        " values (%s, %s, 100, 'EUR', now(), 'expired') returning id",
        shop.id,
        other["id"],
    )

    def look(client: Client) -> str:
        try:
            client.connection.execute("select private.lock_attempt(%s)", [attempt])
        except psycopg.Error as error:
            return str(error.diag.message_primary)
        return "ok"

    # Told to come again, the worker finds it at the other one.
    assert waits_for_merge(track, shop, (kept, other), look) == "booking_changed"
    assert look(track.alone(shop.venue.owner)) == "ok"
    found = track.house.one(
        "select booking_id from private.payment_attempts where id = %s", attempt
    )
    assert str(found) == kept["id"]


def test_a_payment_that_is_corrected_or_given_back_meanwhile_is_the_other_s(
    track: Track, shop: Shop, room: str
) -> None:
    kept, other = book_two(shop, room, next_start(shop))
    payment, second = (take(shop, other, cents)["payment_id"] for cents in (900, 400))
    promised = shop.venue.owner.call(
        "refund_booking",
        organization_id=shop.id,
        booking_id=other["id"],
        amount_cents=400,
        reason="Because",
        idempotency_key=key(),
    )["refunds"][0]
    assert promised["payment_id"] == second

    def correct(client: Client) -> Row:
        corrected: Row = client.call(
            "correct_payment", organization_id=shop.id, payment_id=payment, reason="Wrong"
        )
        return corrected

    corrected = waits_for_merge(track, shop, (kept, other), correct)
    assert (corrected["booking_id"], corrected["paid_cents"]) == (kept["id"], 400)
    third, last = book_two(shop, room, next_start(shop))
    given = take(shop, last, 300)
    request = shop.venue.owner.call(
        "refund_booking",
        organization_id=shop.id,
        booking_id=last["id"],
        amount_cents=given["amount_cents"],
        reason="Because",
        idempotency_key=key(),
    )["refunds"][0]["refund_request_id"]

    def hand_over(client: Client) -> Row:
        recorded: Row = client.call(
            "record_refund",
            organization_id=shop.id,
            refund_request_id=request,
            idempotency_key=key(),
        )
        return recorded

    recorded = waits_for_merge(track, shop, (third, last), hand_over)
    assert (recorded["booking_id"], recorded["refunded_cents"]) == (third["id"], 300)
    assert broken_promises(shop.house, shop.id) == {}
