"""Rooms that share what a start takes do not start within some minutes of each other."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from psycopg.types.json import Jsonb

from client import Client, Refused
from db.booking_world import Row, Shop, change, open_shop
from db.staffing_world import open_crew
from db.test_booking_concurrency import guest, outcomes, race
from db.test_games_late import say
from matrix.fixtures import Track
from matrix.house import House
from matrix.promises import refused

MINUTE = timedelta(minutes=1)


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue", hold_minutes=120)


def open_room(shop: Shop, **values: object) -> str:
    """A room that starts every ten minutes of the day."""
    room = shop.add_room(**values)
    shop.open_on(room, "10:00", "22:00", slot_interval_minutes=10)
    return room


def grouped(shop: Shop, *rooms: str, minutes: int = 30, name: str = "Lobby") -> str:
    group = shop.insert("start_groups", name=name, minutes=minutes)["id"]
    for room in rooms:
        shop.insert("start_group_rooms", group_id=group, room_id=room)
    return str(group)


@pytest.fixture
def rooms(shop: Shop) -> tuple[str, str]:
    one, two = open_room(shop), open_room(shop)
    grouped(shop, one, two)
    return one, two


def taken_starts(shop: Shop) -> int:
    """How many starts are taken, each of which must be a session's that lives."""
    counted = shop.house.one(
        "select count(*) from private.session_starts where organization_id = %s", shop.id
    )
    lost = shop.house.one(
        "select count(*) from private.session_starts as t where t.organization_id = %s and not"
        " exists (select from public.sessions as s where s.organization_id = t.organization_id"
        " and s.id = t.session_id and s.status = 'scheduled')",
        shop.id,
    )
    assert lost == 0
    assert isinstance(counted, int)
    return counted


class TestOneStart:
    def test_a_start_takes_those_around_it_from_the_other_room(
        self, shop: Shop, rooms: tuple[str, str]
    ) -> None:
        one, two = rooms
        others = shop.times(two)
        shop.hold(one, shop.at(1, "14:00"))
        gone = ["13:40", "13:50", "14:00", "14:10", "14:20"]
        assert shop.times(two) == [clock for clock in others if clock not in gone]
        assert taken_starts(shop) == 1

    @pytest.mark.parametrize("clock", ["13:31", "14:00", "14:29"])
    def test_nobody_books_too_close(self, shop: Shop, rooms: tuple[str, str], clock: str) -> None:
        one, two = rooms
        shop.hold(one, shop.at(1, "14:00"))
        with refused(409, "slot_taken"):
            shop.venue.owner.call(
                "create_booking",
                organization_id=shop.id,
                room_id=two,
                starts_at=shop.at(1, clock),
                party_size=2,
                customer=Jsonb({"full_name": "Bea"}),
                idempotency_key="close",
            )
        if clock == "14:00":
            with refused(409, "slot_taken"):
                shop.hold(two, shop.at(1, clock))
        assert shop.venue.count("sessions") == taken_starts(shop) == 1

    @pytest.mark.parametrize("clock", ["13:30", "14:30"])
    def test_far_enough_is_far_enough(self, shop: Shop, rooms: tuple[str, str], clock: str) -> None:
        one, two = rooms
        shop.hold(one, shop.at(1, "14:00"))
        shop.hold(two, shop.at(1, clock))
        assert taken_starts(shop) == 2

    def test_in_the_same_room_turnaround_alone_counts(self, shop: Shop) -> None:
        room = open_room(shop, duration_minutes=20, turnaround_minutes=0)
        grouped(shop, room, minutes=240)
        shop.hold(room, shop.at(1, "14:00"))
        shop.hold(room, shop.at(1, "14:20"))
        assert taken_starts(shop) == 2

    def test_whoever_joins_a_game_starts_with_it(self, shop: Shop) -> None:
        one, two = open_room(shop, mode="shared"), open_room(shop)
        grouped(shop, one, two)
        shop.hold(one, shop.at(1, "14:00"))
        shop.hold(one, shop.at(1, "14:00"))
        assert shop.venue.count("sessions") == taken_starts(shop) == 1
        with refused(409, "slot_taken"):
            shop.hold(two, shop.at(1, "14:00"))

    def test_a_block_starts_nothing(self, shop: Shop, rooms: tuple[str, str]) -> None:
        one, two = rooms
        shop.venue.owner.call(
            "block_room",
            organization_id=shop.id,
            room_id=one,
            starts_at=shop.at(1, "14:00"),
            ends_at=shop.at(1, "15:00"),
        )
        shop.hold(two, shop.at(1, "14:00"))
        assert taken_starts(shop) == 1

    def test_one_of_several_groups_is_enough(self, shop: Shop) -> None:
        one, two, three = (open_room(shop) for _ in range(3))
        grouped(shop, one, two, minutes=10, name="Hall")
        grouped(shop, two, three, minutes=60, name="Briefing")
        shop.hold(one, shop.at(1, "14:00"))
        shop.hold(three, shop.at(1, "14:00"))
        with refused(409, "slot_taken"):
            shop.hold(two, shop.at(1, "14:50"))
        assert "14:10" not in shop.times(two)
        shop.hold(two, shop.at(1, "15:00"))
        assert taken_starts(shop) == 4


class TestGivingBack:
    def test_what_is_cancelled_starts_no_more(self, shop: Shop, rooms: tuple[str, str]) -> None:
        one, two = rooms
        shop.cancel(shop.hold(one, shop.at(1, "14:00")))
        assert taken_starts(shop) == 0
        shop.hold(two, shop.at(1, "14:10"))

    def test_a_hold_that_lapsed_gives_way(self, shop: Shop, rooms: tuple[str, str]) -> None:
        one, two = rooms
        held = shop.hold(one, shop.at(1, "14:00"))
        shop.lapse(held)
        assert "14:10" in shop.times(two)
        shop.hold(two, shop.at(1, "14:10"))
        assert shop.look(held)["status"] == "expired"
        assert taken_starts(shop) == 1

    def test_a_booking_moves_past_its_own_start(self, shop: Shop, rooms: tuple[str, str]) -> None:
        one, two = rooms
        booking = shop.hold(one, shop.at(1, "14:00"))
        shop.move(booking, "confirmed")
        for room, clock in ((one, "14:10"), (two, "14:20")):
            shop.venue.owner.call(
                "change_booking",
                organization_id=shop.id,
                booking_id=shop.id_of(booking),
                idempotency_key=f"move {clock}",
                room_id=room,
                starts_at=shop.at(1, clock),
            )
        assert taken_starts(shop) == 1
        shop.hold(one, shop.at(1, "13:50"))

    def test_a_late_party_harms_no_start(self, house: House) -> None:
        crew = open_crew(house, "Venue", hold_minutes=120, minimum_notice_minutes=0)
        shop = crew.shop
        one, two = crew.add_room(), crew.add_room()
        late, next_one = crew.book(one, shop.at(1)), crew.book(two, shop.at(2))
        shop.start_in(late, 20 * MINUTE)
        shop.start_in(next_one, 60 * MINUTE)
        grouped(shop, one, two)
        assert say(crew, late, 10)["outcome"] == "shifted"
        assert say(crew, late, 20)["outcome"] != "shifted"
        assert taken_starts(shop) == 2


class TestChangingAGroup:
    def test_what_is_booked_to_come_keeps_a_room_out(
        self, shop: Shop, rooms: tuple[str, str]
    ) -> None:
        third = open_room(shop)
        shop.hold(rooms[0], shop.at(1, "14:00"))
        shop.hold(third, shop.at(1, "14:20"))
        group = shop.house.one(
            "select id from public.start_groups where organization_id = %s", shop.id
        )
        with refused(409, "starts_too_close") as refusal:
            shop.insert("start_group_rooms", group_id=group, room_id=third)
        assert [c["room_id"] for c in refusal.value.details["conflicts"]] == [third]
        assert shop.venue.count("start_group_rooms") == 2
        assert taken_starts(shop) == 1

    def test_more_minutes_are_refused_where_they_are_not_kept(
        self, shop: Shop, rooms: tuple[str, str]
    ) -> None:
        for room, clock in zip(rooms, ("14:00", "14:30"), strict=True):
            shop.hold(room, shop.at(1, clock))
        owner = shop.venue.owner
        with refused(409, "starts_too_close"):
            change(owner, "start_groups", {"minutes": 31}, name="Lobby")
        change(owner, "start_groups", {"minutes": 10}, name="Lobby")
        assert taken_starts(shop) == 2

    def test_a_room_that_leaves_starts_as_it_likes(
        self, shop: Shop, rooms: tuple[str, str]
    ) -> None:
        one, two = rooms
        shop.hold(one, shop.at(1, "14:00"))
        shop.venue.owner.change("delete from public.start_group_rooms where room_id = %s", one)
        assert taken_starts(shop) == 0
        shop.hold(two, shop.at(1, "14:00"))
        shop.venue.owner.change("delete from public.start_groups where name = 'Lobby'")
        assert taken_starts(shop) == 0


class TestRaces:
    @pytest.fixture
    def shop(self, track: Track) -> Shop:
        return open_shop(track.house, track.name("Venue"), hold_minutes=120)

    def test_of_all_rooms_that_want_a_start_one_gets_it(self, shop: Shop, track: Track) -> None:
        rooms = [open_room(shop) for _ in range(4)]
        grouped(shop, *rooms)
        clients = [track.alone(shop.visitor) for _ in range(12)]
        for day in range(3, 11):
            starts = [shop.at(day, clock) for clock in ("14:00", "14:10", "14:20")]

            def hold(client: Client, who: int, starts: list[datetime] = starts) -> Row:
                return shop.hold(rooms[who % 4], starts[who % 3], by=client, customer=guest(who))

            assert outcomes(race(clients, hold)) == {"ok": 1, "409 slot_taken": 11}, day
        assert taken_starts(shop) == shop.venue.count("sessions") == 8

    def test_a_room_that_joins_at_the_same_moment_counts_or_is_refused(
        self, shop: Shop, track: Track
    ) -> None:
        one, two = open_room(shop), open_room(shop)
        group = grouped(shop, one)
        visitor, owner = track.alone(shop.visitor), track.alone(shop.venue.owner)
        for day in range(3, 15):
            shop.hold(one, shop.at(day, "14:00"))

            def hold_or_join(client: Client, who: int, day: int = day) -> Row | int:
                if who == 0:
                    return shop.hold(two, shop.at(day, "14:10"), by=client)
                return client.change(
                    "insert into public.start_group_rooms (group_id, room_id) values (%s, %s)",
                    group,
                    two,
                )

            held, joined = race([visitor, owner], hold_or_join)
            assert isinstance(held, Refused) != isinstance(joined, Refused), day
            assert taken_starts(shop) == day - 2
            if isinstance(held, Refused):
                assert held.code == "slot_taken"
                shop.venue.owner.change(
                    "delete from public.start_group_rooms where room_id = %s", two
                )
            elif not isinstance(held, int):
                shop.cancel(held)
