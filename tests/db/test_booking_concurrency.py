"""Many connections want the same thing at once: real connections, committed transactions."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import TypeVar

import psycopg
import pytest

from client import ANON, SERVICE, Client, Refused
from db.booking_world import GUEST, PRICE, Row, Shop, change, open_shop
from db.changes_world import alter, book, promised, reschedule
from db.invariants import broken_promises
from leases import leased, synced
from matrix.fixtures import Track
from matrix.house import House
from matrix.promises import refused
from pool import Pool
from stack import PATIENCE

CLIENTS = 24
T = TypeVar("T")


@pytest.fixture
def shop(track: Track) -> Shop:
    return open_shop(track.house, track.name("Venue"), hold_minutes=120)


@pytest.fixture(scope="module", autouse=True)
def _many_stay(race_pool: Pool) -> Iterator[None]:
    """Whoever races in one test of this module races in the next."""
    with race_pool.keeping(CLIENTS):
        yield


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


class TestTheClock:
    ROUNDS = 40

    def test_a_zone_that_changes_at_the_same_moment_moves_no_booking(
        self, shop: Shop, track: Track
    ) -> None:
        room = shop.add_room()
        shop.open_on(room, "10:00", "22:00")
        slot = shop.at(3, "11:30")
        owner = shop.venue.owner

        def give(zone: str, by: Client) -> Row:
            change(by, "locations", {"timezone": zone}, id=shop.location_id)
            return {}

        clients = [track.alone(shop.visitor), track.alone(owner)]
        for number in range(self.ROUNDS):
            held, given = race(
                clients,
                lambda client, who: (
                    give("Europe/London", client) if who else shop.hold(room, slot, by=client)
                ),
            )
            assert isinstance(held, Refused) or isinstance(given, Refused), number
            if not isinstance(held, Refused):
                shop.cancel(held)
            give("Europe/Madrid", owner)


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
        assert outcomes(results) == {"ok": CLIENTS}
        refunds = shop.house.one(
            "select count(*) from private.refund_requests where organization_id = %s", shop.id
        )
        assert refunds == 1


def test_any_mixture_of_requests_leaves_the_books_consistent(
    shop: Shop, track: Track, visitors: list[Client]
) -> None:
    """Holds, bookings by staff, changes, cancellations, confirmations, lapses, reclaims, blocks and
    sweeps, all at once."""
    rooms = [
        shop.add_room(
            mode=mode,
            minimum_party=1,
            maximum_party=4,
            capacity_limit=5,
            exclusive_price_cents=9_000 if mode == "shared" else None,
        )
        for mode in ("private", "shared")
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
        "409 not_reschedulable",
        "409 booking_changed",
        "422 nothing_to_change",
        "422 exclusive_not_offered",
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
        others = ["cancel"] * 3 + ["lapse"] * 3 + ["change"] * 4 + ["confirm", "sweep", "block"]
        others += ["reclaim", "book"]
        what = chance.choice(["hold"] * 6 + others)
        booking = chance.choice(mine) if mine else None
        if what == "book":
            mine.append(book(desk, chance.choice(rooms), chance.choice(starts), party_size=5))
        elif what == "hold" or (booking is None and what not in ("sweep", "block")):
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
                # Of a cancelled one: what was said is taken back.
                desk.move(booking, "confirmed", reason="They come after all")
            elif what == "lapse":
                desk.lapse(booking)
            elif what == "change":
                alter(
                    desk,
                    booking,
                    starts_at=chance.choice(starts),
                    room_id=chance.choice(rooms),
                    party_size=chance.randint(1, 5),
                    exclusive=chance.choice([True, False, None]),
                )
            else:
                reclaim(desk, booking)

    results = race(visitors[:12], work)
    total: Counter[str] = Counter()
    for result in results:
        assert isinstance(result, Counter), result
        total += result
    assert set(total) <= allowed, total
    assert total["ok"] > 80, total
    assert_consistent(shop)


def reclaim(desk: Shop, booking: Row) -> None:
    """What late money does."""
    try:
        desk.house.owner_sql("select private.reclaim_booking(%s, %s)", desk.id, desk.id_of(booking))
    except psycopg.Error as error:
        raise Refused.from_database(error, ANON) from error


class TestChanges:
    @pytest.fixture
    def room(self, shop: Shop) -> str:
        room = shop.add_room()
        shop.open_on(room, "10:00", "22:00", slot_interval_minutes=30)
        return room

    def test_many_changes_of_one_booking_are_made_one_after_the_other(
        self, shop: Shop, visitors: list[Client], room: str
    ) -> None:
        booking = shop.hold(room, shop.at(3))
        starts = [shop.at(4, f"{10 + n // 2}:{n % 2 * 30:02}") for n in range(CLIENTS - 4)]
        results = race(
            visitors[: len(starts)],
            lambda client, who: reschedule(
                shop, booking, total=2 * PRICE, by=client, starts_at=starts[who]
            ),
        )
        assert outcomes(results) == {"ok": len(starts)}
        assert len(shop.history(booking)) == 1 + len(starts)
        assert len([s for s in shop.sessions() if s["status"] == "scheduled"]) == 1
        assert_consistent(shop)

    def test_the_same_change_twice_is_made_once(
        self, shop: Shop, visitors: list[Client], room: str
    ) -> None:
        booking = shop.hold(room, shop.at(3))
        target = shop.at(4)
        results = race(
            visitors,
            lambda client, _: reschedule(
                shop,
                booking,
                total=2 * PRICE,
                by=client,
                starts_at=target,
                idempotency_key=f"once-{booking['reference']}",
            ),
        )
        assert outcomes(results) == {"ok": CLIENTS}
        assert len(shop.history(booking)) == 2

    def test_bookings_that_want_the_same_time_and_visitors_get_it_once(
        self, shop: Shop, visitors: list[Client], room: str
    ) -> None:
        for day in range(5, 10):
            bookings = [
                shop.hold(room, shop.at(day + 10, f"{10 + 2 * n}:00"), customer=guest(n))
                for n in range(5)
            ]

            wanted = shop.at(day)

            def work(
                client: Client, who: int, mine: list[Row] = bookings, at: datetime = wanted
            ) -> Row:
                if who < len(mine):
                    return reschedule(shop, mine[who], total=2 * PRICE, by=client, starts_at=at)
                return shop.hold(room, at, by=client, customer=guest(who))

            results = race(visitors[:10], work)
            assert outcomes(results) == {"ok": 1, "409 slot_taken": 9}
            for booking in bookings:
                shop.cancel(booking)
        assert_consistent(shop)

    def test_bookings_swap_rooms_without_waiting_for_each_other(
        self, shop: Shop, visitors: list[Client], room: str
    ) -> None:
        """Each leaves what the other wants: whoever is first is refused, and nobody waits on."""
        other = shop.add_room()
        shop.open_on(other, "10:00", "22:00", slot_interval_minutes=30)
        rooms = (room, other)
        bookings = [shop.hold(rooms[n % 2], shop.at(3 + n // 2)) for n in range(8)]

        days = [shop.at(3 + n) for n in range(4)]

        def work(client: Client, who: int) -> Row:
            return reschedule(
                shop,
                bookings[who],
                total=2 * PRICE,
                by=client,
                room_id=rooms[(who + 1) % 2],
                starts_at=days[(who // 2 + 1) % 4],
            )

        for _ in range(5):
            got = outcomes(race(visitors[:8], work))
            assert set(got) <= {"ok", "409 slot_taken", "422 nothing_to_change"}, got
        assert_consistent(shop)

    def test_a_change_and_a_cancellation(
        self, shop: Shop, visitors: list[Client], room: str
    ) -> None:
        for day in range(3, 11):
            booking = shop.hold(room, shop.at(day))
            shop.pay(booking, 2 * PRICE)

            evening = shop.at(day, "20:00")

            def work(client: Client, who: int, it: Row = booking, at: datetime = evening) -> Row:
                if who:
                    return cancel(client, it)
                return reschedule(shop, it, total=2 * PRICE, by=client, starts_at=at)

            got = outcomes(race(visitors[:2], work))
            assert got in ({"ok": 2}, {"ok": 1, "409 not_reschedulable": 1}), got
            assert shop.look(booking)["status"] == "cancelled"
            assert promised(shop, booking) == [("cancelled", 2 * PRICE)]
        assert_consistent(shop)

    def test_a_change_and_the_end_of_the_hold(
        self, shop: Shop, visitors: list[Client], room: str
    ) -> None:
        for day in range(3, 11):
            booking = shop.hold(room, shop.at(day))
            shop.lapse(booking)

            noon, evening = shop.at(day), shop.at(day, "20:00")

            def work(
                client: Client,
                who: int,
                it: Row = booking,
                now: datetime = noon,
                later: datetime = evening,
            ) -> object:
                if who == 0:
                    return replace(client, caller=SERVICE).call("service.sweep")
                if who == 1:
                    return shop.hold(room, now, by=client, customer=guest(1))
                return reschedule(shop, it, total=2 * PRICE, by=client, starts_at=later)

            got = outcomes(race(visitors[:4], work))
            assert got == {"ok": 2, "409 not_reschedulable": 2}, got
            assert shop.look(booking)["status"] == "expired"
        assert_consistent(shop)

    def test_seats_of_a_shared_session_and_a_party_that_wants_it_alone(
        self, shop: Shop, visitors: list[Client]
    ) -> None:
        room = shop.add_room(
            mode="shared", minimum_party=1, maximum_party=6, exclusive_price_cents=9_000
        )
        shop.open_on(room, "12:00", "13:00")
        for day in range(3, 11):
            booking = shop.hold(room, shop.at(day))

            noon = shop.at(day)

            def work(client: Client, who: int, it: Row = booking, at: datetime = noon) -> Row:
                if who:
                    return shop.hold(room, at, by=client, party_size=1, customer=guest(who))
                return reschedule(shop, it, total=9_000, by=client, exclusive=True)

            got = outcomes(race(visitors[:4], work))
            assert got in ({"ok": 1, "409 slot_taken": 3}, {"ok": 3, "409 slot_taken": 1}), got
        assert_consistent(shop)


class TestTheOrderOfLocks:
    """The room before any session: see sql/30_booking (transitions)."""

    @pytest.fixture
    def room(self, shop: Shop) -> str:
        room = shop.add_room(mode="shared", minimum_party=1)
        shop.open_on(room, "10:00", "16:00", slot_interval_minutes=90)
        return room

    def test_who_reaped_a_hold_may_reap_another(
        self, shop: Shop, room: str, visitors: list[Client]
    ) -> None:
        """Two claims that each had reaped a hold in the other's way waited for each other."""
        first, second = (shop.hold(room, shop.at(3, clock)) for clock in ("10:00", "11:30"))
        shop.lapse(first)
        shop.lapse(second)
        claim = (
            "select private.claim_session(%s, %s, %s, %s, %s, 'block', 0, 0)",
            (shop.id, room, shop.at(3, "11:30"), shop.at(3, "12:30"), shop.at(3, "12:30")),
        )
        one, other = visitors[:2]
        with (
            ThreadPoolExecutor(1) as pool,
            one.connection.transaction(),
        ):
            one.connection.execute(*claim)
            blocked = pool.submit(
                other.connection.execute,
                "select private.claim_session(%s, %s, %s, %s, %s, 'block', 0, 0)",
                (shop.id, room, shop.at(3, "10:00"), shop.at(3, "13:00"), shop.at(3, "13:00")),
            )
            wait_until_it_waits(shop, other)
            claimed = one.connection.execute(
                "select private.claim_session(%s, %s, %s, %s, %s, 'block', 0, 0)",
                (shop.id, room, shop.at(3, "10:00"), shop.at(3, "11:00"), shop.at(3, "11:00")),
            ).fetchone()
            assert claimed is not None
            assert claimed[0] is not None
        assert blocked.result().fetchone() == (None,)

    @pytest.mark.parametrize("what", ["hold", "reschedule", "change", "reclaim", "late money"])
    def test_nobody_waits_for_a_room_with_a_session_in_the_hand(
        self, shop: Shop, room: str, visitors: list[Client], track: Track, what: str
    ) -> None:
        start = shop.at(3, "10:00")
        booking = shop.hold(room, start, party_size=1)
        booking["id"] = shop.id_of(booking)
        attempt = shop.house.service.call(
            "service.open_checkout",
            reference=booking["reference"],
            manage_token=booking["manage_token"],
        )
        lapsed = shop.hold(room, start, party_size=1, customer=guest(1))
        shop.lapse(lapsed)
        client, owner = visitors[0], track.alone(shop.venue.owner)
        desk = replace(shop, venue=replace(shop.venue, house=House(owner.connection)))

        def late_money(lease: Row) -> None:
            session = {
                "id": "cs_late",
                "status": "open",
                "payment_status": "unpaid",
                "client_reference_id": attempt["attempt_id"],
                "as_of": "2030-01-01T00:00:00Z",
            }
            replace(client, caller=SERVICE).call(
                "service.apply_checkout_session", **lease, session=session
            )

        works: dict[str, Callable[[], object]] = {
            "hold": lambda: shop.hold(room, start, by=client, customer=guest(2)),
            "reschedule": lambda: reschedule(
                shop, booking, total=2 * PRICE, by=client, party_size=2
            ),
            "change": lambda: alter(
                shop, booking, by=replace(client, caller=owner.caller), party_size=3
            ),
            "reclaim": lambda: reclaim(
                replace(desk, venue=replace(desk.venue, house=House(client.connection))), booking
            ),
            "late money": lambda: late_money(lease),
        }
        late = leased(shop.house.owner_sql, "stripe.sync", synced("checkout.session", "cs_late"))
        with late as lease, ThreadPoolExecutor(1) as pool, owner.connection.transaction():
            owner.connection.execute("select private.lock_room(%s, %s)", (shop.id, room))
            waiting = pool.submit(works[what])
            wait_until_it_waits(shop, client)
            owner.connection.execute(
                "select from public.sessions where organization_id = %s for update nowait",
                (shop.id,),
            )
            owner.connection.execute(
                "select from public.bookings where organization_id = %s for update nowait",
                (shop.id,),
            )
        waiting.result()
        assert_consistent(shop)

    def test_a_booking_that_moved_while_it_was_waited_for_is_found_again(
        self, shop: Shop, room: str, visitors: list[Client], track: Track
    ) -> None:
        """And its former session is let go first."""
        booking = shop.hold(room, shop.at(3, "10:00"))
        stays = shop.hold(room, shop.at(3, "10:00"), customer=guest(1))
        mover = track.alone(shop.visitor)
        with ThreadPoolExecutor(1) as pool:
            with mover.connection.transaction():
                reschedule(shop, booking, total=2 * PRICE, by=mover, starts_at=shop.at(3, "11:30"))
                waiting = pool.submit(cancel, visitors[0], booking)
                wait_until_it_waits(shop, visitors[0])
            assert waiting.result()["status"] == "cancelled"
        assert shop.look(stays)["status"] == "held"
        assert_consistent(shop)

    def test_a_booking_that_left_the_room_meanwhile_is_not_changed(
        self, shop: Shop, room: str, visitors: list[Client], track: Track
    ) -> None:
        other = shop.add_room()
        shop.open_on(other, "10:00", "11:00")
        booking = shop.hold(room, shop.at(3, "10:00"))
        mover = track.alone(shop.visitor)
        with ThreadPoolExecutor(1) as pool:
            with mover.connection.transaction():
                reschedule(shop, booking, total=2 * PRICE, by=mover, room_id=other)
                waiting = pool.submit(
                    reschedule, shop, booking, total=3 * PRICE, by=visitors[0], party_size=3
                )
                wait_until_it_waits(shop, visitors[0])
            with refused(409, "booking_changed"):
                waiting.result()
        assert shop.look(booking)["party_size"] == 2


def wait_until_it_waits(shop: Shop, client: Client) -> None:
    """Return once the client's connection waits for another one's lock."""
    backend = client.connection.info.backend_pid
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if shop.house.one("select cardinality(pg_blocking_pids(%s)) > 0", backend):
            return
    raise AssertionError("waited for no lock")


def cancel(client: Client, booking: Row) -> Row:
    cancelled: Row = client.call(
        "cancel_booking",
        reference=booking["reference"],
        manage_token=booking["manage_token"],
    )
    return cancelled


def assert_consistent(shop: Shop) -> None:
    """What must hold at every moment between two transactions."""
    assert broken_promises(shop.house, shop.id) == {}


def test_a_booking_that_moves_while_it_is_waited_for_is_let_go_meanwhile(
    shop: Shop, track: Track
) -> None:
    """Whoever holds it while waiting for its new session could be waited for in turn."""
    room = shop.add_room(mode="shared")
    shop.open_on(room, "10:00", "20:00")
    booking, there = shop.hold(room, shop.at(1, "10:00")), shop.hold(room, shop.at(1, "13:00"))
    booking_id, (old, new) = shop.id_of(booking), shop.sessions()
    mover, holder = track.alone(shop.visitor), track.alone(shop.visitor)
    guest = track.alone(shop.visitor)
    with holder.connection.transaction():
        holder.connection.execute(
            "update public.sessions set seats_taken = 4 where organization_id = %s and id = %s",
            [shop.id, new["id"]],
        )
        with mover.connection.transaction():
            mover.connection.execute(
                "update public.sessions set seats_taken = 0, status = 'cancelled'"
                " where organization_id = %s and id = %s",
                [shop.id, old["id"]],
            )
            mover.connection.execute(
                "update public.bookings set session_id = %s, starts_at = %s"
                " where organization_id = %s and id = %s",
                [new["id"], new["starts_at"], shop.id, booking_id],
            )
            racer = track.start(guest, lambda: cancelled(guest, booking))
            track.wait_until_blocked(racer)
        track.wait_until_blocked(racer)
        shop.house.owner_sql(
            "select from public.bookings where organization_id = %s and id = %s for update nowait",
            shop.id,
            booking_id,
        )
    assert racer.outcome() == "cancelled"
    assert shop.look(there)["status"] == "held"


def cancelled(client: Client, booking: Row) -> str:
    answer = client.call(
        "cancel_booking", reference=booking["reference"], manage_token=booking["manage_token"]
    )
    return str(answer["status"])
