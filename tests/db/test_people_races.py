"""Several people at the same customer at once: real connections, committed transactions."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import count
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from client import Client, Refused
from db.booking_world import GUEST, Row, Shop, open_shop
from db.test_booking_concurrency import outcomes, race
from matrix.fixtures import Track

_slots = count(1)


@pytest.fixture
def shop(track: Track) -> Shop:
    return open_shop(track.house, track.name("Venue"), hold_minutes=120)


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room(waiver_policy="required", maximum_party=6)
    shop.open_on(room, "00:00", "00:00", slot_interval_minutes=60)
    return room


def next_slot(shop: Shop) -> datetime:
    """A time that nobody else books."""
    day, hour = divmod(2 * next(_slots), 24)
    return shop.at(1 + day, f"{hour:02}:00")


def book(
    shop: Shop,
    room: str,
    email: str,
    by: Client | None = None,
    slot: datetime | None = None,
) -> Row:
    return shop.hold(room, slot or next_slot(shop), by=by, customer={**GUEST, "email": email})


def customer_of(shop: Shop, email: str) -> str:
    return str(
        shop.house.one(
            "select id from public.customers where organization_id = %s and email = %s",
            shop.id,
            email,
        )
    )


def merge(client: Client, shop: Shop, keep: str, other: str) -> Row:
    merged: Row = client.call(
        "merge_customers", organization_id=shop.id, keep_id=keep, merge_id=other
    )
    return merged


def erase(client: Client, shop: Shop, customer: str) -> Row:
    erased: Row = client.call(
        "erase_customer", organization_id=shop.id, customer_id=customer, reason="Asked"
    )
    return erased


def owners(track: Track, shop: Shop, number: int) -> list[Client]:
    return [track.alone(shop.venue.owner) for _ in range(number)]


class TestMerges:
    def test_two_who_merge_the_same_two_into_each_other_make_one_of_them(
        self, track: Track, shop: Shop, room: str
    ) -> None:
        clients = owners(track, shop, 8)
        for _ in range(10):
            emails = [f"{uuid4().hex}@example.test" for _ in range(2)]
            bookings = [book(shop, room, email) for email in emails]
            a, b = (customer_of(shop, email) for email in emails)

            def work(client: Client, who: int, pair: tuple[str, str] = (a, b)) -> Row:
                return merge(client, shop, *(pair if who % 2 else pair[::-1]))

            results = race(clients, work)

            assert outcomes(results) == {"ok": 1, "404 customer_not_found": 7}
            (kept,) = [r["id"] for r in results if not isinstance(r, Refused)]
            assert {str(b["customer_id"]) for b in rows_of(shop, bookings)} == {kept}

    def test_merges_in_a_ring_lose_no_booking(self, track: Track, shop: Shop, room: str) -> None:
        clients = owners(track, shop, 4)
        for _ in range(5):
            emails = [f"{uuid4().hex}@example.test" for _ in range(4)]
            bookings = [book(shop, room, email) for email in emails]
            ids = [customer_of(shop, email) for email in emails]

            def work(client: Client, who: int, ring: list[str] = ids) -> Row:
                return merge(client, shop, ring[who], ring[(who + 1) % 4])

            results = race(clients, work)

            assert set(outcomes(results)) <= {"ok", "404 customer_not_found"}
            merged = outcomes(results)["ok"]
            assert len({b["customer_id"] for b in rows_of(shop, bookings)}) == 4 - merged >= 1

    def test_who_books_while_being_merged_has_a_booking(
        self, track: Track, shop: Shop, room: str
    ) -> None:
        visitors = [track.alone(shop.visitor) for _ in range(5)]
        owner = track.alone(shop.venue.owner)
        for _ in range(10):
            emails = [f"{uuid4().hex}@example.test" for _ in range(2)]
            for email in emails:
                book(shop, room, email)
            keep, other = (customer_of(shop, email) for email in emails)
            slots = [next_slot(shop) for _ in range(6)]

            def work(
                client: Client,
                who: int,
                pair: tuple[str, str, str] = (keep, other, emails[1]),
                slots: list[datetime] = slots,
            ) -> Row:
                if who == 0:
                    return merge(client, shop, *pair[:2])
                return book(shop, room, pair[2], client, slots[who])

            assert outcomes(race([owner, *visitors], work)) == {"ok": 6}
            stored = shop.house.one(
                "select count(*) from public.bookings as b join public.customers as c"
                " on c.organization_id = b.organization_id and c.id = b.customer_id"
                " where b.organization_id = %s and c.email = any (%s)",
                shop.id,
                emails,
            )
            assert stored == 7


class TestErasures:
    def test_a_new_booking_keeps_the_person_or_makes_another_one(
        self, track: Track, shop: Shop, room: str
    ) -> None:
        clients = [track.alone(shop.venue.owner), track.alone(shop.visitor)]
        ends: Counter[str] = Counter()
        for _ in range(25):
            email = f"{uuid4().hex}@example.test"
            shop.cancel(book(shop, room, email))
            old = customer_of(shop, email)

            slot = next_slot(shop)

            def work(
                client: Client,
                who: int,
                old: str = old,
                email: str = email,
                slot: datetime = slot,
            ) -> Row:
                if who == 0:
                    return erase(client, shop, old)
                return book(shop, room, email, client, slot)

            erased, booked = race(clients, work)

            assert not isinstance(booked, Refused), booked
            (booking,) = rows_of(shop, [booked])
            assert booking["contact_name"] == GUEST["full_name"]
            if isinstance(erased, Refused):
                assert erased.code == "customer_has_bookings"
                assert str(booking["customer_id"]) == old
            else:
                assert str(booking["customer_id"]) != old
            assert customer_of(shop, email) == str(booking["customer_id"])
            ends["refused" if isinstance(erased, Refused) else "erased"] += 1
        assert sum(ends.values()) == 25

    def test_who_books_while_being_erased_waits_and_is_a_new_customer(
        self, track: Track, shop: Shop, room: str
    ) -> None:
        email = f"{uuid4().hex}@example.test"
        shop.cancel(book(shop, room, email))
        old = customer_of(shop, email)
        visitor, owner = track.alone(shop.visitor), track.alone(shop.venue.owner)
        with owner.connection.transaction():
            erase(owner, shop, old)
            booking = track.start(visitor, lambda: book(shop, room, email, visitor))
            track.wait_until_blocked(booking)
        assert isinstance(booking.outcome(), dict)
        assert customer_of(shop, email) != old

    def test_whose_booking_is_just_being_made_is_not_erased(
        self, track: Track, shop: Shop, room: str
    ) -> None:
        email = f"{uuid4().hex}@example.test"
        shop.cancel(book(shop, room, email))
        old = customer_of(shop, email)
        visitor, owner = track.alone(shop.visitor), track.alone(shop.venue.owner)
        with visitor.connection.transaction():
            book(shop, room, email, visitor)
            erasure = track.start(owner, lambda: erase(owner, shop, old))
            track.wait_until_blocked(erasure)
        refusal = erasure.outcome()
        assert isinstance(refusal, Refused)
        assert refusal.code == "customer_has_bookings"

    def test_a_tag_that_comes_too_late_is_refused(
        self, track: Track, shop: Shop, room: str
    ) -> None:
        email = f"{uuid4().hex}@example.test"
        shop.cancel(book(shop, room, email))
        old = customer_of(shop, email)
        desk, owner = track.alone(shop.venue.owner), track.alone(shop.venue.owner)
        with owner.connection.transaction():
            erase(owner, shop, old)
            tagging = track.start(
                desk,
                lambda: desk.change(
                    "insert into public.customer_tags (customer_id, tag) values (%s, 'x')", old
                ),
            )
            track.wait_until_blocked(tagging)
        refusal = tagging.outcome()
        assert isinstance(refusal, Refused)
        assert refusal.code == "customer_erased"

    def test_two_erasures_are_one(self, track: Track, shop: Shop, room: str) -> None:
        clients = owners(track, shop, 6)
        email = f"{uuid4().hex}@example.test"
        shop.cancel(book(shop, room, email))
        customer = customer_of(shop, email)
        results = race(clients, lambda client, _: erase(client, shop, customer))
        assert outcomes(results) == {"ok": 1, "409 customer_erased": 5}


class TestSigners:
    def test_of_many_signers_at_once_no_more_than_the_room_takes_have_signed(
        self, track: Track, shop: Shop, room: str
    ) -> None:
        shop.venue.owner.call("publish_waiver", organization_id=shop.id, texts={"es": "Firmo"})
        clients = [track.alone(shop.visitor) for _ in range(10)]
        for _ in range(5):
            booking = book(shop, room, f"{uuid4().hex}@example.test")
            shop.move(booking, "confirmed")
            token = shop.look(booking)["waiver"]["token"]

            def work(client: Client, who: int, token: str = token) -> Row:
                return sign(client, token, f"Player {who}", uuid4().hex)

            results = race(clients, work)

            assert outcomes(results) == {"ok": 6, "409 waiver_full": 4}
            assert sorted(r["signed"] for r in results if not isinstance(r, Refused)) == [
                1,
                2,
                3,
                4,
                5,
                6,
            ]
            assert shop.look(booking)["waiver"]["signed"] == 6

    def test_the_same_request_from_many_devices_signs_once(
        self, track: Track, shop: Shop, room: str
    ) -> None:
        shop.venue.owner.call("publish_waiver", organization_id=shop.id, texts={"es": "Firmo"})
        booking = book(shop, room, f"{uuid4().hex}@example.test")
        shop.move(booking, "confirmed")
        token = shop.look(booking)["waiver"]["token"]
        clients = [track.alone(shop.visitor) for _ in range(6)]
        results = race(clients, lambda client, _: sign(client, token, "Ana", "key"))
        assert outcomes(results) == {"ok": 6}
        assert shop.look(booking)["waiver"]["signed"] == 1

    def test_versions_published_at_once_have_a_number_each(self, track: Track, shop: Shop) -> None:
        clients = owners(track, shop, 6)
        results = race(
            clients,
            lambda client, who: client.call(
                "publish_waiver", organization_id=shop.id, texts={"es": f"Texto {who}"}
            ),
        )
        assert sorted(r["version"] for r in results if not isinstance(r, Refused)) == [
            1,
            2,
            3,
            4,
            5,
            6,
        ]


def sign(client: Client, token: str, name: str, key: str) -> Row:
    signed: Row = client.call(
        "sign_waiver",
        token=token,
        version=1,
        signer=Jsonb({"full_name": name}),
        signature="M0 0L1 1",
        idempotency_key=key,
    )
    return signed


def rows_of(shop: Shop, bookings: list[Row]) -> list[Row]:
    return shop.house.owner_sql(
        "select b.*, c.contact_name from public.bookings as b"
        " join public.booking_contacts as c on c.booking_id = b.id"
        " where b.organization_id = %s and b.reference = any (%s)",
        shop.id,
        [booking["reference"] for booking in bookings],
    )
