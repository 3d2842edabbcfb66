"""Many connections want the same thing at once: real connections, committed transactions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import TypeVar

import pytest

from db.booking_world import GUEST, PRICE, Row, Shop, open_shop
from matrix.client import Client, Refused
from matrix.fixtures import Track
from matrix.house import House

CLIENTS = 24
T = TypeVar("T")


@pytest.fixture
def shop(track: Track) -> Shop:
    return open_shop(track.house, track.name("Venue"), hold_minutes=120)


@pytest.fixture
def visitors(track: Track) -> list[Client]:
    """Visitors with a connection each."""
    return [track.alone(track.house.nobody) for _ in range(CLIENTS)]


def race(clients: list[Client], work: Callable[[Client, int], T]) -> list[T | Refused]:
    """Let every client do its work at the same moment; what each got."""
    start = Barrier(len(clients))

    def run(number: int) -> T | Refused:
        start.wait()
        try:
            return work(clients[number], number)
        except Refused as refusal:
            return refusal

    with ThreadPoolExecutor(len(clients)) as pool:
        return list(pool.map(run, range(len(clients))))


def outcomes(results: list[T | Refused]) -> Counter[str]:
    """How often something succeeded ("ok"), and each refusal."""
    return Counter(f"{r.status} {r.code}" if isinstance(r, Refused) else "ok" for r in results)


def holding(
    shop: Shop, room: str, start: datetime, party_size: int = 2
) -> Callable[[Client, int], Row]:
    """The work of holding that place, for everybody in the name of another guest."""
    return lambda client, who: shop.hold(
        room, start, by=client, party_size=party_size, customer=guest(who)
    )


def guest(number: int) -> Row:
    return {**GUEST, "email": f"guest-{number}@example.test"}


class TestOneSlot:
    ROUNDS = 50

    def test_24_connections_in_50_rounds_give_one_hold_each_and_23_refusals(
        self, shop: Shop, visitors: list[Client]
    ) -> None:
        room = shop.add_room(turnaround_minutes=0)
        shop.open_on(room, "09:00", "19:00")
        slots = [shop.at(3 + n // 10, f"{9 + n % 10:02}:00") for n in range(self.ROUNDS)]

        for number, slot in enumerate(slots):
            results = race(visitors, holding(shop, room, slot))
            assert outcomes(results) == {"ok": 1, "409 slot_taken": CLIENTS - 1}, number
        assert shop.venue.count("bookings") == shop.venue.count("sessions") == self.ROUNDS
        assert_consistent(shop)

    def test_starts_that_overlap_give_one_hold(self, shop: Shop, visitors: list[Client]) -> None:
        room = shop.add_room()
        shop.open_on(room, "10:00", "12:30", slot_interval_minutes=30)
        starts = [shop.at(3, clock) for clock in ("10:30", "11:00", "11:30")]
        results = race(visitors, lambda client, who: shop.hold(room, starts[who % 3], by=client))
        assert outcomes(results) == {"ok": 1, "409 slot_taken": CLIENTS - 1}
        assert_consistent(shop)

    def test_a_lapsed_hold_is_won_by_one(self, shop: Shop, visitors: list[Client]) -> None:
        room = shop.add_room()
        shop.open_on(room, "10:00", "11:00")
        for start in [shop.at(day, "10:00") for day in range(3, 13)]:
            lapsed = shop.hold(room, start)
            shop.lapse(lapsed)
            results = race(visitors, holding(shop, room, start))
            assert outcomes(results) == {"ok": 1, "409 slot_taken": CLIENTS - 1}
            assert [h["to_status"] for h in shop.history(lapsed)] == ["held", "expired"]
        assert_consistent(shop)

    def test_seats_of_a_shared_session_are_sold_once_each(
        self, shop: Shop, visitors: list[Client]
    ) -> None:
        room = shop.add_room(mode="shared", minimum_party=1, maximum_party=10)
        shop.open_on(room, "10:00", "11:00")
        for start in [shop.at(day, "10:00") for day in range(3, 8)]:
            results = race(visitors, holding(shop, room, start, party_size=1))
            assert outcomes(results) == {"ok": 10, "409 slot_taken": CLIENTS - 10}
        assert [s["seats_taken"] for s in shop.sessions()] == [10] * 5
        assert_consistent(shop)

    def test_lapsed_seats_of_a_shared_session_are_sold_once_each(
        self, shop: Shop, visitors: list[Client]
    ) -> None:
        room = shop.add_room(mode="shared", minimum_party=1, maximum_party=10)
        shop.open_on(room, "10:00", "11:00")
        start = shop.at(3, "10:00")
        shop.hold(room, start, party_size=2)
        for seats in (3, 5):
            shop.lapse(shop.hold(room, start, party_size=seats))
        results = race(visitors, holding(shop, room, start))
        assert outcomes(results) == {"ok": 4, "409 slot_taken": CLIENTS - 4}
        assert_consistent(shop)

    def test_a_block_and_holds_race_for_the_time(
        self, shop: Shop, visitors: list[Client], track: Track
    ) -> None:
        room = shop.add_room()
        shop.open_on(room, "10:00", "11:00")
        blocker = track.alone(shop.venue.owner)

        def wanting(start: datetime) -> Callable[[Client, int], object]:
            def work(client: Client, who: int) -> object:
                if who:
                    return shop.hold(room, start, by=client)
                return client.call(
                    "block_room",
                    organization_id=shop.id,
                    room_id=room,
                    starts_at=start,
                    ends_at=start + timedelta(hours=4),
                )

            return work

        for start in [shop.at(day, "10:00") for day in range(3, 8)]:
            results = race([blocker, *visitors[:7]], wanting(start))
            assert outcomes(results) == {"ok": 1, "409 slot_taken": 7}
        assert_consistent(shop)


class TestOneRequestTwice:
    def test_the_same_key_at_the_same_time_makes_one_booking(
        self, shop: Shop, visitors: list[Client]
    ) -> None:
        room = shop.add_room()
        shop.open_on(room, "10:00", "11:00")
        start = shop.at(3, "10:00")
        results = race(visitors, lambda client, _: shop.hold(room, start, by=client, key="same"))
        assert outcomes(results) == {"ok": CLIENTS}
        assert all(result == results[0] for result in results)
        assert shop.venue.count("bookings") == 1

    def test_one_new_customer_in_many_requests_is_one_customer(
        self, shop: Shop, visitors: list[Client]
    ) -> None:
        room = shop.add_room(turnaround_minutes=0)
        shop.open_on(room, "00:00", "00:00")
        starts = [shop.at(3, f"{hour:02}:00") for hour in range(CLIENTS)]
        results = race(visitors, lambda client, who: shop.hold(room, starts[who], by=client))
        assert outcomes(results) == {"ok": CLIENTS}
        assert shop.venue.count("customers") == 1

    def test_a_booking_is_cancelled_once(self, shop: Shop, visitors: list[Client]) -> None:
        room = shop.add_room()
        shop.open_on(room, "10:00", "11:00")
        booking = shop.hold(room, shop.at(3, "10:00"))
        shop.pay(booking, 2 * PRICE)
        results = race(visitors, lambda client, _: cancel(client, booking))
        assert outcomes(results) == {"ok": 1, "409 not_cancellable": CLIENTS - 1}
        refunds = shop.house.one(
            "select count(*) from private.refund_requests where organization_id = %s", shop.id
        )
        assert refunds == 1


def test_any_mixture_of_requests_leaves_the_books_consistent(
    shop: Shop, track: Track, visitors: list[Client]
) -> None:
    """Holds, cancellations, confirmations, lapses, reclaims, blocks and sweeps, all at once."""
    rooms = [
        shop.add_room(mode=mode, minimum_party=1, maximum_party=4) for mode in ("private", "shared")
    ]
    for room in rooms:
        shop.open_on(room, "10:00", "13:00", slot_interval_minutes=30)
    starts = [shop.at(3, f"{10 + n // 2}:{n % 2 * 30:02}") for n in range(5)]
    end = shop.at(3, "13:00")
    allowed = {
        "ok",
        "409 slot_taken",
        "409 not_cancellable",
        "409 transition_not_allowed",
        "404 block_not_found",
    }

    def work(client: Client, number: int) -> Counter[str]:
        chance = random.Random(number)
        owner = track.alone(shop.venue.owner)
        desk = replace(shop, venue=replace(shop.venue, owner=owner, house=House(owner.connection)))
        done: Counter[str] = Counter()
        mine: list[Row] = []
        for _ in range(40):
            try:
                step(chance, desk, client, mine)
                done["ok"] += 1
            except Refused as refusal:
                done[f"{refusal.status} {refusal.code}"] += 1
        return done

    def step(chance: random.Random, desk: Shop, client: Client, mine: list[Row]) -> None:
        others = ["cancel"] * 3 + ["lapse"] * 3 + ["confirm", "sweep", "block", "reclaim"]
        what = chance.choice(["hold"] * 6 + others)
        booking = chance.choice(mine) if mine else None
        if what == "hold" or (booking is None and what not in ("sweep", "block")):
            size = chance.randint(1, 3)
            mine.append(
                desk.hold(
                    chance.choice(rooms),
                    chance.choice(starts),
                    by=client,
                    party_size=size,
                    customer=guest(chance.randint(1, 5)),
                    key=f"{id(client)}-{chance.random()}",
                )
            )
        elif what == "sweep":
            desk.house.owner_sql("select private.expire_lapsed_holds(10)")
        elif what == "block":
            lift = desk.venue.owner.call(
                "block_room",
                organization_id=desk.id,
                room_id=chance.choice(rooms),
                starts_at=chance.choice(starts),
                ends_at=end,
            )
            desk.venue.owner.call(
                "unblock_room", organization_id=desk.id, session_id=lift["session_id"]
            )
        elif booking is not None:
            if what == "cancel":
                cancel(client, booking)
            elif what == "confirm":
                desk.move(booking, "confirmed")
            elif what == "lapse":
                desk.lapse(booking)
            else:
                desk.house.owner_sql(
                    "select private.reclaim_booking(%s, %s)", desk.id, desk.id_of(booking)
                )

    results = race(visitors[:12], work)
    total: Counter[str] = Counter()
    for result in results:
        assert isinstance(result, Counter), result
        total += result
    assert set(total) <= allowed, total
    assert total["ok"] > 80, total
    assert_consistent(shop)


def cancel(client: Client, booking: Row) -> Row:
    cancelled: Row = client.call(
        "cancel_booking",
        reference=booking["reference"],
        manage_token=booking["manage_token"],
    )
    return cancelled


def assert_consistent(shop: Shop) -> None:
    """What must hold at every moment between two transactions."""
    wrong_seats = shop.house.owner_sql(
        "select s.id, s.seats_taken, sum(b.seats) from public.sessions as s"
        " left join public.bookings as b on b.organization_id = s.organization_id"
        " and b.session_id = s.id and b.takes_capacity"
        " where s.organization_id = %s and s.mode <> 'block'"
        " group by s.id, s.seats_taken having s.seats_taken <> coalesce(sum(b.seats), 0)",
        shop.id,
    )
    assert wrong_seats == []
    overlaps = shop.house.owner_sql(
        "select a.id, b.id from public.sessions as a join public.sessions as b"
        " on b.organization_id = a.organization_id and b.room_id = a.room_id and b.id > a.id"
        " and b.during && a.during"
        " where a.organization_id = %s and 'cancelled' not in (a.status, b.status)",
        shop.id,
    )
    assert overlaps == []
    unrecorded = shop.house.owner_sql(
        "select b.id from public.bookings as b where b.organization_id = %s and b.status <> ("
        " select h.to_status from public.booking_history as h"
        " where h.organization_id = b.organization_id and h.booking_id = b.id"
        " order by h.occurred_at desc limit 1)",
        shop.id,
    )
    assert unrecorded == []
