"""Those who lock several things at once: nobody waits for what somebody holds who waits for them.

Each test makes the moment in which the two would have waited for each other; the order that
prevents it is written down in sql/30_booking (transitions).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from client import Client, Refused
from db.booking_world import PRICE, Row, Shop, open_shop
from db.changes_world import alter
from db.test_booking_concurrency import assert_consistent, cancel, guest, wait_until_it_waits
from db.test_waitlist import full_on, id_of, join, offer, overlook, status
from matrix.fixtures import Track
from matrix.promises import refused
from stack import PATIENCE

TOTAL = 2 * PRICE


@pytest.fixture
def shop(track: Track) -> Shop:
    return open_shop(track.house, track.name("Venue"), hold_minutes=120, waitlist_minutes=60)


@pytest.fixture
def room(shop: Shop) -> str:
    """A room of which each session is for several parties."""
    room = shop.add_room(mode="shared", minimum_party=1)
    shop.open_on(room, "10:00", "16:00", slot_interval_minutes=90)
    return room


@pytest.fixture
def desk(track: Track, shop: Shop) -> Client:
    """A connection of the owner's, whose statements do not wait for ever."""
    return patient(track.alone(shop.venue.owner))


@pytest.fixture
def other(track: Track, shop: Shop) -> Client:
    """Another one, which holds what the test wants it to."""
    return track.alone(shop.venue.owner)


def patient(client: Client) -> Client:
    client.connection.execute("set statement_timeout = '15s'")
    return client


def customer(shop: Shop, number: int) -> str:
    return str(
        shop.house.one(
            "select id from public.customers where organization_id = %s and email = %s",
            shop.id,
            guest(number)["email"],
        )
    )


def lock(client: Client, table: str, key: str, *, wait: bool = True) -> None:
    """Lock a row, as anything that changes it does."""
    client.connection.execute(
        f"select from public.{table} where id = %s for update" + ("" if wait else " nowait"),
        (key,),
    )


def wait_until_it_waits_for(shop: Shop, client: Client, holder: Client) -> None:
    """Return once the client waits for that connection's lock."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if shop.house.one(
            "select %s = any (pg_blocking_pids(%s))",
            holder.connection.info.backend_pid,
            client.connection.info.backend_pid,
        ):
            return
    raise AssertionError("waited for no lock of it")


def session_of(shop: Shop, booking: Row) -> str:
    return str(
        shop.house.one("select session_id from public.bookings where id = %s", shop.id_of(booking))
    )


def result(work: Future[Row]) -> Row | Refused:
    try:
        return work.result()
    except Refused as refusal:
        return refusal


class TestVouchers:
    """Bookings that expire together give back in the order of the vouchers, not of the bookings."""

    @pytest.mark.parametrize("first", [0, 1])
    @pytest.mark.parametrize("who", ["sweep", "hold"])
    def test_whoever_waits_for_the_first_holds_no_second(
        self, track: Track, shop: Shop, other: Client, first: int, who: str
    ) -> None:
        room = shop.add_room()
        shop.open_on(room, "10:00", "14:00", slot_interval_minutes=30)
        vouchers = sorted((shop.add_voucher(1_000) for _ in range(2)), key=lambda v: v["id"])
        bookings = [
            shop.book(
                room,
                shop.at(3, clock),
                voucher_code=vouchers[(first + turn) % 2]["code"],
                customer=guest(turn),
            )
            for turn, clock in enumerate(("10:00", "11:30"))
        ]
        for booking in bookings:
            shop.lapse(booking)
        client = patient(track.alone(shop.house.service if who == "sweep" else shop.visitor))
        between = shop.at(3, "10:30")
        works: dict[str, Callable[[], Row]] = {
            "sweep": lambda: client.call("service.sweep"),
            "hold": lambda: shop.hold(room, between, by=client, customer=guest(9)),
        }
        with ThreadPoolExecutor(1) as pool:
            with other.connection.transaction():
                lock(other, "vouchers", vouchers[0]["id"])
                working = pool.submit(works[who])
                wait_until_it_waits(shop, client)
                # As another sweep does, that gives back to the same two.
                lock(other, "vouchers", vouchers[1]["id"], wait=False)
            working.result()
        assert [shop.look(b)["status"] for b in bookings] == ["expired"] * 2
        assert [shop.voucher(v)["balance_cents"] for v in vouchers] == [1_000, 1_000]
        assert_consistent(shop)

    def test_those_of_other_bookings_are_left_alone(
        self, shop: Shop, room: str, other: Client
    ) -> None:
        vouchers = [shop.add_voucher(1_000) for _ in range(2)]
        bookings = [
            shop.book(room, shop.at(3 + n, "10:00"), voucher_code=voucher["code"])
            for n, voucher in enumerate(vouchers)
        ]
        booking_id = shop.id_of(bookings[0])
        with other.connection.transaction():
            other.connection.execute(
                "select private.lock_vouchers_of(array[%s]::uuid[], array[%s]::uuid[])",
                (shop.id, booking_id),
            )
            free = shop.house.owner_sql(
                "select id::text from public.vouchers where organization_id = %s"
                " for update skip locked",
                shop.id,
            )
        assert free == [{"id": vouchers[1]["id"]}]


class TestMerging:
    """A merge waits for many sessions; a change leaves one of them for another."""

    @pytest.mark.parametrize("what", ["merge", "erase"])
    def test_a_change_between_two_of_its_sessions_comes_before_or_after(
        self, track: Track, shop: Shop, room: str, desk: Client, other: Client, what: str
    ) -> None:
        early = shop.hold(room, shop.at(3, "10:00"), party_size=1, customer=guest(1))
        shop.hold(room, shop.at(4, "10:00"), party_size=1, customer=guest(1))
        shop.hold(room, shop.at(4, "11:30"), party_size=1, customer=guest(2))
        moving = shop.hold(room, shop.at(4, "10:00"), party_size=1, customer=guest(3))
        moving["id"] = shop.id_of(moving)
        mover = patient(track.alone(shop.venue.owner))
        keep, merged = customer(shop, 2), customer(shop, 1)
        works: dict[str, Callable[[], Row]] = {
            "merge": lambda: desk.call(
                "merge_customers", organization_id=shop.id, keep_id=keep, merge_id=merged
            ),
            "erase": lambda: desk.call(
                "erase_customer", organization_id=shop.id, customer_id=merged, reason="Asked"
            ),
        }
        start = shop.at(3, "10:00")
        with ThreadPoolExecutor(2) as pool:
            with other.connection.transaction():
                # Somebody is busy with the first of its sessions, so that it waits for that.
                lock(other, "sessions", session_of(shop, early))
                working = pool.submit(works[what])
                wait_until_it_waits(shop, desk)
                changing = pool.submit(alter, shop, moving, mover, starts_at=start)
                wait_until_it_waits(shop, mover)
            changing.result()
            if what == "merge":
                assert working.result()["id"] == keep
            else:
                with refused(409, "customer_has_bookings"):
                    working.result()
        assert_consistent(shop)

    def test_what_was_booked_elsewhere_meanwhile_is_locked_in_order_too(
        self, track: Track, shop: Shop, room: str, desk: Client, other: Client
    ) -> None:
        """In a room of which the merge had no lock when it began."""
        early = shop.hold(room, shop.at(3, "10:00"), party_size=1, customer=guest(1))
        shop.hold(room, shop.at(4, "10:00"), party_size=1, customer=guest(2))
        elsewhere = shop.add_room()
        shop.open_on(elsewhere, "10:00", "11:00")
        keep, merged = customer(shop, 2), customer(shop, 1)
        watcher = track.alone(shop.venue.owner)
        with ThreadPoolExecutor(1) as pool, ExitStack() as watching:
            with other.connection.transaction():
                lock(other, "sessions", session_of(shop, early))
                working = pool.submit(
                    desk.call,
                    "merge_customers",
                    organization_id=shop.id,
                    keep_id=keep,
                    merge_id=merged,
                )
                wait_until_it_waits(shop, desk)
                late = shop.hold(elsewhere, shop.at(3, "10:00"), customer=guest(1))
                watching.enter_context(watcher.connection.transaction())
                lock(watcher, "sessions", session_of(shop, late))
            # It starts anew, and waits for the new session while it holds no customer.
            wait_until_it_waits_for(shop, desk, watcher)
            lock(watcher, "customers", merged, wait=False)
            watching.close()
            working.result()
        owners = shop.house.owner_sql(
            "select distinct customer_id from public.bookings where organization_id = %s", shop.id
        )
        assert [str(row["customer_id"]) for row in owners] == [keep]
        assert_consistent(shop)


class TestBlocks:
    def test_a_change_from_a_blocked_day_to_another_comes_before_or_after(
        self, track: Track, shop: Shop, desk: Client, other: Client
    ) -> None:
        """The block had taken the third day and waited for the fifth, which the change left."""
        room = shop.add_room()
        shop.open_on(room, "10:00", "22:00")
        moving = shop.hold(room, shop.at(5, "10:00"))
        moving["id"] = shop.id_of(moving)
        mover = patient(track.alone(shop.venue.owner))
        start, end, fourth = shop.at(3, "10:00"), shop.at(3, "11:00"), shop.at(4, "10:00")
        until = shop.at(6).date()
        with ThreadPoolExecutor(2) as pool:
            with other.connection.transaction(force_rollback=True):
                shop.hold(room, fourth, by=Client(other.connection, shop.visitor.caller))
                blocking = pool.submit(
                    desk.call,
                    "block_room",
                    organization_id=shop.id,
                    room_id=room,
                    starts_at=start,
                    ends_at=end,
                    repeats="daily",
                    until=until,
                )
                wait_until_it_waits(shop, desk)
                changing = pool.submit(alter, shop, moving, mover, starts_at=start)
                wait_until_it_waits(shop, mover)
            assert isinstance(result(blocking), Refused)
            with refused(409, "slot_taken"):
                blocking.result()
            assert changing.result()["starts_at"]
        assert {session["mode"] for session in shop.sessions()} == {"private"}
        assert_consistent(shop)


class TestTheWaitingList:
    @pytest.fixture
    def ten(self, shop: Shop) -> str:
        """A room with one session a day, at ten."""
        made = shop.add_room()
        shop.open_on(made, "10:00", "11:00")
        return made

    def test_leaving_waits_for_no_session_under_the_entry(
        self, track: Track, shop: Shop, room: str, other: Client
    ) -> None:
        """An offer comes while its entry is being left, and is cancelled at the same moment."""
        full = shop.hold(room, shop.at(3, "10:00"), party_size=4, customer=guest(1))
        shop.hold(room, shop.at(3, "10:00"), party_size=2, customer=guest(2))
        for clock in ("11:30", "13:00", "14:30"):
            shop.hold(room, shop.at(3, clock), party_size=6, customer=guest(3))
        entry = join(shop, "eva")
        leaver, ender = (patient(track.alone(shop.visitor)) for _ in range(2))
        before = patient(track.alone(shop.visitor))
        session, entry_id = session_of(shop, full), id_of(shop, entry)
        with ThreadPoolExecutor(3) as pool, ExitStack() as open_ones:
            with other.connection.transaction():
                # The offer is made, in the session that goes on.
                cancel(Client(other.connection, shop.visitor.caller), full)
                other.connection.execute("set constraints all immediate")
                # Somebody else is before the leaver, so that the session is locked before the
                # leaver has the entry.
                queueing = open_ones.enter_context(ExitStack())
                queueing.enter_context(before.connection.transaction())
                first = pool.submit(lock, before, "waitlist_entries", entry_id)
                wait_until_it_waits(shop, before)
                leaving = pool.submit(leaver.call, "leave_waitlist", token=entry["waitlist_token"])
                wait_until_it_waits(shop, leaver)
                ending = open_ones.enter_context(ExitStack())
                ending.enter_context(ender.connection.transaction())
                second = pool.submit(lock, ender, "sessions", session)
                wait_until_it_waits(shop, ender)
            first.result()
            second.result()
            queueing.close()
            wait_until_it_waits_for(shop, leaver, ender)
            assert cancel(ender, offer(shop, entry))["status"] == "cancelled"
            ending.close()
            assert leaving.result()["status"] == "declined"
        assert_consistent(shop)

    def test_a_sweep_waits_for_nobody_but_a_moment(
        self, track: Track, shop: Shop, ten: str, other: Client
    ) -> None:
        """It holds the first place while it reaches for the second, which somebody else claims."""
        second = shop.add_room()
        shop.open_on(second, "10:00", "11:00")
        eva, dan = (
            join(shop, name, room_id=full_on(shop, r, 3))
            for name, r in (("eva", ten), ("dan", second))
        )
        for r in (ten, second):
            shop.open_on(r, "18:00", "19:00")
        overlook(shop)
        sweeper = patient(track.alone(shop.house.service))
        evening = shop.at(3, "18:00")
        with other.connection.transaction(force_rollback=True):
            shop.hold(second, evening, by=Client(other.connection, shop.visitor.caller))
            with sweeper.connection.transaction():
                sweeper.connection.execute("set local lock_timeout = '7s'")
                assert sweeper.call("service.sweep")["waitlist_offers"] == 1
                setting = sweeper.connection.execute("show lock_timeout").fetchone()
            # Its own patience ends with it.
            assert setting == ("7s",)
        assert [status(shop, e) for e in (eva, dan)] == ["offered", "waiting"]
        overlook(shop)
        assert sweeper.call("service.sweep")["waitlist_offers"] == 1
        assert status(shop, dan) == "offered"
        assert_consistent(shop)

    @pytest.mark.parametrize("how", ["handed on", "swept"])
    def test_who_is_being_merged_is_not_waited_for(
        self, track: Track, shop: Shop, ten: str, other: Client, how: str
    ) -> None:
        booking = shop.hold(ten, shop.at(3, "10:00"), customer=guest(1))
        entries = [join(shop, name) for name in ("eva", "dan")]
        client = patient(track.alone(shop.visitor if how == "handed on" else shop.house.service))
        heard: list[str | None] = []
        client.connection.add_notice_handler(lambda notice: heard.append(notice.message_primary))
        if how == "swept":
            shop.lapse(booking)
            overlook(shop)
        else:
            # At the commit no other limit holds.
            client.connection.execute("set lock_timeout = '15s'")
        with other.connection.transaction():
            # A merge has the customer, and comes to the entry next.
            other.connection.execute(
                "select from public.customers as c where c.id = (select e.customer_id"
                " from public.waitlist_entries as e where e.id = %s) for update",
                (id_of(shop, entries[0]),),
            )
            if how == "handed on":
                cancel(client, booking)
            else:
                client.call("service.sweep")
            lock(other, "waitlist_entries", id_of(shop, entries[0]), wait=False)
        assert heard == []
        assert [status(shop, e) for e in entries] == ["waiting", "offered"]
        assert_consistent(shop)

    def test_one_person_gets_one_of_two_places_that_become_free_at_once(
        self, track: Track, shop: Shop, ten: str, other: Client
    ) -> None:
        second = shop.add_room()
        shop.open_on(second, "10:00", "11:00")
        bookings = [
            shop.hold(r, shop.at(3, "10:00"), customer=guest(n))
            for n, r in enumerate((ten, second))
        ]
        entries = [
            join(shop, name, room_id=r)
            for name, r in (("eva", ten), ("eva", second), ("dan", second))
        ]
        client = patient(track.alone(shop.visitor))
        with other.connection.transaction():
            cancel(Client(other.connection, shop.visitor.caller), bookings[0])
            other.connection.execute("set constraints all immediate")
            cancel(client, bookings[1])
        assert [status(shop, e) for e in entries] == ["offered", "waiting", "offered"]
        assert_consistent(shop)
