"""The waiting list while many want the same: real connections, committed transactions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial

import pytest

from client import Client, Refused
from db.booking_world import Row, Shop, open_shop
from db.test_booking_concurrency import assert_consistent, cancel, outcomes, race
from db.test_waitlist import (
    block_room,
    guest,
    id_of,
    join,
    mailed,
    mails,
    offer,
    overlook,
    status,
    sweep,
    unblock,
)
from matrix.fixtures import Track
from matrix.house import House

CLIENTS = 16


@pytest.fixture
def shop(track: Track) -> Shop:
    return open_shop(track.house, track.name("Venue"), hold_minutes=120, waitlist_minutes=60)


@pytest.fixture
def alone(track: Track) -> Iterator[Callable[[Client], Client]]:
    """A connection of one's own, on which the list must not complain of anything it gave up."""
    heard: list[str | None] = []

    def connect(client: Client) -> Client:
        own = track.alone(client)
        own.connection.add_notice_handler(lambda notice: heard.append(notice.message_primary))
        return own

    yield connect
    assert heard == []


@pytest.fixture
def visitors(track: Track, alone: Callable[[Client], Client]) -> list[Client]:
    """Visitors with a connection each."""
    return [alone(track.house.nobody) for _ in range(CLIENTS)]


def assert_offers_are_sound(shop: Shop) -> None:
    """Every offer is a booking of its own, and every mail an offer's."""
    assert_consistent(shop)
    twice = shop.house.owner_sql(
        "select booking_id from public.waitlist_entries where organization_id = %s"
        " and booking_id is not null group by booking_id having count(*) > 1",
        shop.id,
    )
    assert twice == []
    torn = shop.house.owner_sql(
        "select e.id, e.status, b.status from public.waitlist_entries as e"
        " left join public.bookings as b"
        " on b.organization_id = e.organization_id and b.id = e.booking_id"
        " where e.organization_id = %s and case e.status"
        " when 'offered' then b.status <> 'held'"
        " when 'booked' then b.status in ('held', 'expired')"
        " when 'lapsed' then b.status <> 'expired'"
        " when 'declined' then b.status <> 'cancelled'"
        " else false end",
        shop.id,
    )
    assert torn == []
    keys = [job["dedupe_key"] for job in mails(shop)]
    assert len(keys) == len(set(keys))


def count_waiting(shop: Shop) -> int:
    """How many entries wait."""
    rows = shop.house.owner_sql(
        "select count(*)::int from public.waitlist_entries"
        " where organization_id = %s and status = 'waiting'",
        shop.id,
    )
    return int(rows[0]["count"])


def cancelling(bookings: list[Row]) -> Callable[[Client, int], Row]:
    """The work of cancelling one of them each."""
    return lambda client, who: cancel(client, bookings[who])


def test_a_cancelled_place_goes_to_who_waits_however_many_visitors_try(
    shop: Shop, visitors: list[Client]
) -> None:
    room = shop.add_room()
    shop.open_on(room, "10:00", "11:00")
    for day in range(3, 13):
        start = shop.at(day, "10:00")
        booking = shop.hold(room, start)
        entries = [join(shop, f"w{day}-{n}", day=day) for n in range(3)]

        def work(
            client: Client, who: int, booking: Row = booking, start: datetime = start
        ) -> object:
            if who == 0:
                return cancel(client, booking)
            return shop.hold(room, start, by=client, customer=guest(f"v-{who}"))

        results = race(visitors[:8], work)
        assert outcomes(results) == {"ok": 1, "409 slot_taken": 7}
        assert [status(shop, e) for e in entries] == ["offered", "waiting", "waiting"]
    assert_offers_are_sound(shop)


def test_a_lapsed_place_goes_to_one_of_those_who_reach_for_it(
    shop: Shop,
    track: Track,
    visitors: list[Client],
    alone: Callable[[Client], Client],
) -> None:
    room = shop.add_room()
    shop.open_on(room, "10:00", "11:00")
    sweeper = track.house.service
    sweepers = [alone(sweeper) for _ in range(4)]
    for day in range(3, 13):
        start = shop.at(day, "10:00")
        booking = shop.hold(room, start)
        entry = join(shop, f"w{day}", day=day)
        shop.lapse(booking)

        def work(client: Client, who: int, start: datetime = start) -> object:
            if who < len(sweepers):
                return client.call("service.sweep")
            return shop.hold(room, start, by=client, customer=guest(f"v-{who}"))

        results = race([*sweepers, *visitors[:4]], work)
        got = outcomes(results)
        visitor_won = got["ok"] == len(sweepers) + 1
        assert got == {"ok": len(sweepers) + visitor_won, "409 slot_taken": 4 - visitor_won}
        sweep(shop)
        assert status(shop, entry) == ("waiting" if visitor_won else "offered")
    assert_offers_are_sound(shop)


def test_two_places_freed_at_once_go_to_two_who_wait(shop: Shop, visitors: list[Client]) -> None:
    rooms = [shop.add_room() for _ in range(4)]
    for room in rooms:
        shop.open_on(room, "10:00", "11:00")
    for day in range(3, 11):
        start = shop.at(day, "10:00")
        bookings = [shop.hold(room, start, customer=guest(f"b{n}")) for n, room in enumerate(rooms)]
        entries = [join(shop, f"w{day}-{n}", day=day) for n in range(6)]
        results = race(visitors[:4], cancelling(bookings))
        assert outcomes(results) == {"ok": 4}
        # Whoever was being offered another place at that moment was passed over by one; the
        # sweep finds what was left.
        overlook(shop)
        sweep(shop)
        states = Counter(status(shop, e) for e in entries)
        assert states == {"offered": 4, "waiting": 2}
        for entry in entries:
            shop.visitor.call("leave_waitlist", token=entry["waitlist_token"])
    assert_offers_are_sound(shop)


def test_handing_on_waits_for_nobody(shop: Shop, track: Track, visitors: list[Client]) -> None:
    """Neither for a visitor's unfinished claim beside the place, nor for another who frees one."""
    room = shop.add_room()
    shop.open_on(room, "10:00", "14:30", slot_interval_minutes=30)
    first, second, third = (
        shop.hold(room, shop.at(3, clock), customer=guest(f"at-{clock[:2]}"))
        for clock in ("10:00", "11:30", "13:00")
    )
    entries = [join(shop, name) for name in ("eva", "dan")]
    hurried = visitors[0]
    hurried.connection.execute("set lock_timeout = '5s'")
    beside = visitors[1]
    with beside.connection.transaction():
        cancel(beside, second)
        cancel(hurried, first)
        assert status(shop, entries[0]) == "offered"
        cancel(hurried, third)
        assert status(shop, entries[1]) == "offered"
    starts = [offer(shop, e)["starts_at"] for e in entries]
    assert starts == [first["starts_at"], third["starts_at"]]
    assert shop.times(room, 3) == ["11:30"]
    assert_offers_are_sound(shop)


def test_one_request_to_join_at_the_same_time_is_one_entry(
    shop: Shop, visitors: list[Client]
) -> None:
    room = shop.add_room()
    shop.open_on(room, "10:00", "11:00")
    shop.hold(room, shop.at(3, "10:00"))
    day = shop.at(3).date()
    once = partial(join, shop, "eva", from_date=day, to_date=day)
    results = race(visitors, lambda client, _: once(by=client, key="same"))
    assert outcomes(results) == {"ok": CLIENTS}
    assert all(result == results[0] for result in results)
    results = race(visitors, lambda client, who: once(by=client, key=f"k{who}"))
    assert outcomes(results) == {"ok": 2, "409 too_many_waitlist_entries": CLIENTS - 2}


def test_an_offer_is_left_accepted_removed_and_lapsed_at_once(
    shop: Shop,
    track: Track,
    visitors: list[Client],
    alone: Callable[[Client], Client],
) -> None:
    room = shop.add_room(price_cents=0)
    shop.open_on(room, "10:00", "11:00")
    owner, sweeper = alone(shop.venue.owner), alone(track.house.service)
    for day in range(3, 13):
        booking = shop.hold(room, shop.at(day, "10:00"), total=0)
        entry, following = (join(shop, f"w{day}-{n}", day=day) for n in range(2))
        shop.cancel(booking)
        place = offer(shop, entry)
        entry_id = id_of(shop, entry)

        def work(
            client: Client,
            who: int,
            entry: Row = entry,
            place: Row = place,
            entry_id: str = entry_id,
        ) -> object:
            named = {"reference": place["reference"], "manage_token": place["manage_token"]}
            tasks: list[Callable[[], object]] = [
                lambda: client.call("leave_waitlist", token=entry["waitlist_token"]),
                lambda: client.call("accept_waitlist_offer", **named),
                lambda: client.call("cancel_booking", **named),
                lambda: owner.call(
                    "remove_waitlist_entry", organization_id=shop.id, entry_id=entry_id
                ),
                lambda: sweeper.call("service.sweep"),
            ]
            return tasks[who]()

        results = race(visitors[:5], work)
        assert set(outcomes(results)) <= {"ok", "409 waitlist_offer_over", "409 not_cancellable"}
        # Whichever came first: the place is booked, or the next has it.
        if status(shop, entry) != "booked" or shop.look(place)["status"] == "cancelled":
            assert status(shop, following) == "offered"
    assert_offers_are_sound(shop)


def test_any_mixture_leaves_list_and_books_consistent(
    shop: Shop,
    track: Track,
    visitors: list[Client],
    alone: Callable[[Client], Client],
) -> None:
    """Rooms whose starts overlap, entries that compete, and everything that frees a place."""
    rooms = [
        shop.add_room(mode=mode, minimum_party=1, maximum_party=4)
        for mode in ("private", "private", "shared")
    ]
    for room in rooms:
        shop.open_on(room, "10:00", "13:00", slot_interval_minutes=30)
    starts = [shop.at(3, f"{10 + n // 2}:{n % 2 * 30:02}") for n in range(5)]
    end = shop.at(3, "13:00")
    # All is taken, and many wait, before it begins.
    for number, room in enumerate(rooms):
        for start in (starts[0], starts[3]):
            shop.hold(room, start, party_size=4, customer=guest(f"b{number}"))
    held = shop.house.owner_sql(
        "select b.reference, private.derived_token('booking', b.id::text) as manage_token"
        " from public.bookings as b where b.organization_id = %s",
        shop.id,
    )
    first = [
        join(shop, f"w{n}", party_size=1 + n % 4, room_id=rooms[n % 3] if n % 2 else None)
        for n in range(24)
    ]
    allowed = {
        "ok",
        # Confirmed while somebody else cancels it: looked at again, that can be undone.
        "409 booking_changed",
        "409 slot_taken",
        "409 not_cancellable",
        "409 place_available",
        "409 too_many_waitlist_entries",
        "409 transition_not_allowed",
    }

    def work(client: Client, number: int) -> Counter[str]:
        chance = random.Random(number)
        owner = alone(shop.venue.owner)
        desk = replace(shop, venue=replace(shop.venue, owner=owner, house=House(owner.connection)))
        done: Counter[str] = Counter()
        mine: list[Row] = held[number::12]
        waiting: list[Row] = first[number::12]
        for _ in range(40):
            try:
                step(chance, desk, client, mine, waiting)
                done["ok"] += 1
            except Refused as refusal:
                done[f"{refusal.status} {refusal.code}"] += 1
        return done

    def step(
        chance: random.Random, desk: Shop, client: Client, mine: list[Row], waiting: list[Row]
    ) -> None:
        what = chance.choice(
            ["hold"] * 6 + ["join"] * 5 + ["cancel"] * 4 + ["lapse"] * 2 + ["offer"] * 3
            + ["sweep", "sweep", "block", "move", "leave"]
        )  # fmt: skip
        name = f"p{chance.randint(1, 12)}"
        if what == "hold":
            mine.append(
                desk.hold(
                    chance.choice(rooms),
                    chance.choice(starts),
                    by=client,
                    party_size=chance.randint(1, 3),
                    customer=guest(name),
                    key=f"{id(client)}-{chance.random()}",
                )
            )
        elif what == "join":
            waiting.append(
                join(
                    desk,
                    name,
                    by=client,
                    party_size=chance.randint(1, 4),
                    room_id=chance.choice([None, *rooms]),
                    key=str(chance.random()),
                )
            )
        elif what == "sweep":
            overlook(desk)
            sweep(desk)
        elif what == "block":
            block = block_room(desk, chance.choice(rooms), chance.choice(starts), end)
            unblock(desk, block)
        elif what == "leave" and waiting:
            client.call("leave_waitlist", token=chance.choice(waiting)["waitlist_token"])
        elif what == "offer":
            mine += desk.house.owner_sql(
                "select b.reference, private.derived_token('booking', b.id::text) as manage_token"
                " from public.waitlist_entries as e join public.bookings as b"
                " on b.organization_id = e.organization_id and b.id = e.booking_id"
                " where e.organization_id = %s and e.status = 'offered' order by random() limit 1",
                desk.id,
            )
        elif mine:
            booking = chance.choice(mine)
            if what == "lapse":
                mailed(desk)
                desk.lapse(booking)
                sweep(desk)
            elif what == "move":
                desk.move(booking, "confirmed", reason="They come after all")
            else:
                mine.remove(booking)
                cancel(client, booking)

    results = race(visitors[:12], work)
    total: Counter[str] = Counter()
    for result in results:
        assert isinstance(result, Counter), result
        total += result
    assert set(total) <= allowed, total
    assert total["ok"] > 150, total
    assert len(mails(shop)) > 20
    assert_offers_are_sound(shop)
    # In the end nobody waits beside a place that is free.
    before = None
    while before != (before := [j["id"] for j in mails(shop)]):
        overlook(shop)
        # A sweep looks at 20 entries, those first that were looked at longest ago.
        for _ in range(1 + count_waiting(shop) // 20):
            sweep(shop)
    assert_offers_are_sound(shop)
    idle = shop.house.owner_sql(
        "select e.id from public.waitlist_entries as e where e.organization_id = %s"
        " and e.status = 'waiting' and not exists (select from public.waitlist_entries as o"
        " where o.customer_id = e.customer_id and o.status = 'offered')"
        " and exists (select from private.slots(e.organization_id,"
        " case when e.room_id is null then %s::uuid[] else array[e.room_id] end,"
        " e.from_date, e.to_date, e.party_size, 60, 365) as s"
        " where s.seats_available >= s.party_size)",
        shop.id,
        rooms,
    )
    assert idle == []
