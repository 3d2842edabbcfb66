"""Blocks that repeat, for a room, a location or the whole venue."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from client import Client
from db.booking_world import Row, Shop, open_shop
from db.test_booking_concurrency import holding, outcomes, race
from matrix.fixtures import Track
from matrix.house import House
from matrix.promises import refused

MADRID = ZoneInfo("Europe/Madrid")


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room()
    shop.open_on(room, "11:00", "15:00")
    return room


def block(shop: Shop, room: object, by: Client | None = None, **values: object) -> Row:
    blocked: Row = (by or shop.venue.owner).call(
        "block_room",
        **{
            "organization_id": shop.id,
            "room_id": room,
            "starts_at": shop.at(2, "11:00"),
            "ends_at": shop.at(2, "13:00"),
            **values,
        },
    )
    return blocked


def lift(shop: Shop, by: Client | None = None, **values: object) -> Row:
    lifted: Row = (by or shop.venue.owner).call("unblock_room", organization_id=shop.id, **values)
    return lifted


def standing(shop: Shop) -> list[Row]:
    return [s for s in shop.sessions() if (s["mode"], s["status"]) == ("block", "scheduled")]


def days(shop: Shop) -> list[int]:
    """On which days from today something is blocked."""
    starts = {s["starts_at"].astimezone(shop.zone).date() for s in standing(shop)}
    return sorted((start - shop.today).days for start in starts)


def until(shop: Shop, day: int) -> date:
    return shop.today + timedelta(day)


class TestRepeating:
    def test_daily_until_a_date(self, shop: Shop, room: str) -> None:
        made = block(shop, room, repeats="daily", until=until(shop, 5), reason="Works")
        assert days(shop) == [2, 3, 4, 5]
        assert {s["reason"] for s in standing(shop)} == {"Works"}
        assert {str(s["block_id"]) for s in standing(shop)} == {made["block_id"]}
        assert (made["sessions"], made["session_id"], made["repeats"]) == (4, None, "daily")
        assert made["until"] == until(shop, 5).isoformat()
        assert shop.times(room, 5) == ["14:00"] or shop.times(room, 5) == []
        assert shop.times(room, 6)[0] == "11:00"
        with refused(409, "slot_taken"):
            shop.hold(room, shop.at(4, "11:00"))

    def test_weekly_until_a_date(self, shop: Shop, room: str) -> None:
        block(shop, room, repeats="weekly", until=until(shop, 22))
        assert days(shop) == [2, 9, 16]

    def test_once(self, shop: Shop, room: str) -> None:
        made = block(shop, room)
        (session,) = standing(shop)
        assert made["session_id"] == str(session["id"])
        assert (made["sessions"], made["until"]) == (1, None)

    def test_a_year_at_most(self, shop: Shop, room: str) -> None:
        with refused(422, "block_until_invalid"):
            block(shop, room, repeats="daily", until=until(shop, 2 + 367))
        block(shop, room, repeats="daily", until=until(shop, 2 + 366))
        assert len(standing(shop)) == 367

    def test_a_whole_day_again_and_again(self, shop: Shop, room: str) -> None:
        block(
            shop,
            room,
            starts_at=shop.at(2, "00:00"),
            ends_at=shop.at(3, "00:00"),
            repeats="daily",
            until=until(shop, 9),
        )
        ends = [s["ends_at"] for s in standing(shop)]
        assert [s["starts_at"] for s in standing(shop)][1:] == ends[:-1]

    @pytest.mark.parametrize(
        ("starts", "ends", "repeats"),
        [
            ("2027-03-01T00:00Z", "2027-03-02T00:01Z", "daily"),
            ("2027-03-01T00:00Z", "2027-03-08T00:01Z", "weekly"),
        ],
    )
    def test_one_that_would_overlap_itself(
        self, shop: Shop, room: str, starts: str, ends: str, repeats: str
    ) -> None:
        with refused(422, "block_range_invalid"):
            block(shop, room, starts_at=starts, ends_at=ends, repeats=repeats, until="2027-04-01")

    @pytest.mark.parametrize(
        ("repeats", "day"), [("daily", None), ("daily", 1), ("weekly", 1), ("none", 3)]
    )
    def test_an_end_that_does_not_fit(
        self, shop: Shop, room: str, repeats: str, day: int | None
    ) -> None:
        with refused(422, "block_until_invalid"):
            block(shop, room, repeats=repeats, until=day and until(shop, day))

    def test_an_end_that_never_comes(self, shop: Shop, room: str) -> None:
        with refused(422, "block_until_invalid"):
            block(shop, room, repeats="daily", until="infinity")

    @pytest.mark.parametrize("repeats", ["monthly", None])
    def test_another_rhythm(self, shop: Shop, room: str, repeats: str | None) -> None:
        with refused(422, "block_repeats_invalid"):
            block(shop, room, repeats=repeats, until=until(shop, 9))


class TestTheClock:
    def starts(self, shop: Shop, room: str, first: datetime, last: datetime, to: date) -> list[str]:
        block(shop, room, starts_at=first, ends_at=last, repeats="daily", until=to)
        return [
            f"{s['starts_at'].astimezone(MADRID):%d %H:%M}"
            f"-{s['ends_at'].astimezone(MADRID):%H:%M}"
            f" {(s['ends_at'] - s['starts_at']).seconds // 60}"
            for s in standing(shop)
        ]

    def test_a_block_keeps_its_place_on_the_clock(self, shop: Shop, room: str) -> None:
        first = datetime(2027, 3, 27, 11, tzinfo=MADRID)
        seen = self.starts(shop, room, first, first + timedelta(hours=1), date(2027, 3, 29))
        assert seen == ["27 11:00-12:00 60", "28 11:00-12:00 60", "29 11:00-12:00 60"]

    def test_a_start_in_the_gap_is_when_the_clock_jumps(self, shop: Shop, room: str) -> None:
        first = datetime(2027, 3, 27, 2, 30, tzinfo=MADRID)
        seen = self.starts(shop, room, first, first + timedelta(hours=2), date(2027, 3, 29))
        assert seen == ["27 02:30-04:30 120", "28 03:00-04:30 90", "29 02:30-04:30 120"]

    def test_an_end_in_the_gap_is_when_the_clock_jumps(self, shop: Shop, room: str) -> None:
        first = datetime(2027, 3, 27, 1, 30, tzinfo=MADRID)
        seen = self.starts(shop, room, first, first + timedelta(hours=1), date(2027, 3, 28))
        assert seen == ["27 01:30-02:30 60", "28 01:30-03:00 30"]

    def test_one_within_the_gap_does_not_happen(self, shop: Shop, room: str) -> None:
        first = datetime(2027, 3, 27, 2, 15, tzinfo=MADRID)
        seen = self.starts(shop, room, first, first + timedelta(minutes=30), date(2027, 3, 29))
        assert seen == ["27 02:15-02:45 30", "29 02:15-02:45 30"]

    def test_the_second_time_in_a_fold(self, shop: Shop, room: str) -> None:
        first = datetime(2027, 10, 30, 2, tzinfo=MADRID)
        block(
            shop,
            room,
            starts_at=first,
            ends_at=first + timedelta(hours=1),
            repeats="daily",
            until=date(2027, 10, 31),
        )
        (_, second) = standing(shop)
        assert second["starts_at"].astimezone(UTC) == datetime(2027, 10, 31, 1, tzinfo=UTC)
        assert second["ends_at"] - second["starts_at"] == timedelta(hours=1)


class TestSeveralRooms:
    @pytest.fixture
    def elsewhere(self, shop: Shop) -> str:
        london = shop.insert("locations", name="London", timezone="Europe/London")
        return shop.add_room(location_id=london["id"])

    def rooms(self, shop: Shop) -> set[UUID]:
        return {s["room_id"] for s in standing(shop)}

    def test_every_room_of_a_location(self, shop: Shop, room: str, elsewhere: str) -> None:
        assert elsewhere
        other = shop.add_room()
        made = block(shop, None, scope="location", location_id=shop.location_id)
        assert self.rooms(shop) == {UUID(room), UUID(other)}
        assert (made["sessions"], made["session_id"]) == (2, None)
        assert (made["room_id"], made["location_id"]) == (None, shop.location_id)

    def test_every_room_of_the_venue_by_its_own_clock(
        self, shop: Shop, room: str, elsewhere: str, house: House
    ) -> None:
        stranger = open_shop(house, "Other")
        stranger.add_room()
        start = datetime(2027, 3, 27, 11, tzinfo=MADRID)
        # London jumps in the same night, so both keep their distance; a day's clocks differ.
        block(
            shop,
            None,
            scope="organization",
            starts_at=start,
            ends_at=start + timedelta(hours=1),
            repeats="daily",
            until=date(2027, 3, 28),
        )
        assert self.rooms(shop) == {UUID(room), UUID(elsewhere)}
        assert len({s["starts_at"] for s in standing(shop)}) == 2
        assert standing(stranger) == []

    def test_a_room_that_is_not_named_is_not_every_room(self, shop: Shop) -> None:
        shop.add_room()
        with refused(404, "room_not_found"):
            block(shop, None)

    def test_a_location_that_is_not_ours(self, shop: Shop, house: House) -> None:
        shop.add_room()
        other = open_shop(house, "Other")
        other.add_room()
        for location in (other.location_id, uuid4(), None):
            with refused(404, "room_not_found"):
                block(shop, None, scope="location", location_id=location)

    @pytest.mark.parametrize("scope", ["planet", None])
    def test_another_scope(self, shop: Shop, room: str, scope: str | None) -> None:
        with refused(422, "block_scope_invalid"):
            block(shop, room, scope=scope)

    def test_five_thousand_sessions_at_most(self, shop: Shop) -> None:
        for _ in range(14):
            shop.add_room()
        with refused(422, "block_too_large") as caught:
            block(shop, None, scope="organization", repeats="daily", until=until(shop, 2 + 365))
        assert caught.value.details == {"maximum": 5000}


class TestConflicts:
    def test_all_or_nothing_and_what_is_in_the_way(self, shop: Shop, room: str) -> None:
        other = shop.add_room()
        shop.open_on(other, "11:00", "15:00")
        for each, day in ((room, 4), (other, 3)):
            shop.hold(each, shop.at(day, "11:00"))
        with refused(409, "slot_taken") as caught:
            block(shop, None, scope="organization", repeats="daily", until=until(shop, 6))
        assert caught.value.details["occurrences"] == 2
        assert [
            (c["room_id"], datetime.fromisoformat(c["starts_at"]), c["mode"])
            for c in caught.value.details["conflicts"]
        ] == [(other, shop.at(3, "11:00"), "private"), (room, shop.at(4, "11:00"), "private")]
        assert standing(shop) == []
        assert shop.venue.count("room_blocks") == 0

    def test_what_is_in_the_way_is_named(self, shop: Shop, room: str) -> None:
        shop.hold(room, shop.at(2, "11:00"))
        with refused(409, "slot_taken") as caught:
            block(shop, room)
        (conflict,) = caught.value.details["conflicts"]
        (session,) = shop.sessions()
        assert conflict["session_id"] == str(session["id"])

    def test_twenty_of_them_at_most(self, shop: Shop, room: str) -> None:
        block(shop, room, repeats="daily", until=until(shop, 30))
        with refused(409, "slot_taken") as caught:
            block(shop, room, repeats="daily", until=until(shop, 30))
        assert caught.value.details["occurrences"] == 29
        assert len(caught.value.details["conflicts"]) == 20

    def test_holds_that_lapsed_give_way(self, shop: Shop, room: str) -> None:
        held = [shop.hold(room, shop.at(day, "11:00")) for day in (3, 5)]
        for booking in held:
            shop.lapse(booking)
        block(shop, room, repeats="daily", until=until(shop, 6))
        assert days(shop) == [2, 3, 4, 5, 6]
        assert {shop.look(booking)["status"] for booking in held} == {"expired"}

    def test_a_hold_and_a_block_never_both_win(self, track: Track) -> None:
        shop = open_shop(track.house, track.name("Venue"))
        room = shop.add_room()
        shop.open_on(room, "11:00", "15:00")
        start = shop.at(3, "11:00")
        clients = [track.alone(track.house.nobody) for _ in range(6)]
        owners = [track.alone(shop.venue.owner) for _ in range(2)]
        hold = holding(shop, room, start)

        every_day = {
            "organization_id": shop.id,
            "room_id": room,
            "starts_at": start - timedelta(days=1),
            "ends_at": start - timedelta(hours=23),
            "repeats": "daily",
            "until": start.date(),
        }

        def work(client: Client, who: int) -> Row:
            if who >= len(owners):
                return hold(client, who)
            made: Row = client.call("block_room", **every_day)
            return made

        results = outcomes(race([*owners, *clients], work))
        assert results == {"ok": 1, "409 slot_taken": 7}


class TestLifting:
    @pytest.fixture
    def made(self, shop: Shop, room: str) -> Row:
        return block(shop, room, repeats="daily", until=until(shop, 6))

    def row(self, shop: Shop) -> Row:
        (row,) = shop.venue.owner.select("select * from public.room_blocks")
        return row

    def test_as_a_whole(self, shop: Shop, room: str, made: Row) -> None:
        kept = block(shop, room, starts_at=shop.at(9), ends_at=shop.at(10))
        lifted = lift(shop, block_id=made["block_id"])
        assert lifted == {
            "session_id": None,
            "block_id": made["block_id"],
            "sessions": 5,
            "status": "cancelled",
        }
        assert [str(s["block_id"]) for s in standing(shop)] == [kept["block_id"]]
        assert shop.hold(room, shop.at(4, "11:00"))["status"] == "held"

    def test_from_a_date_on(self, shop: Shop, made: Row) -> None:
        assert self.row(shop)["cancelled_at"] is None
        assert lift(shop, block_id=made["block_id"], from_date=until(shop, 4))["sessions"] == 3
        assert days(shop) == [2, 3]
        assert self.row(shop)["until"] == until(shop, 3)
        assert self.row(shop)["cancelled_at"] is None
        lift(shop, block_id=made["block_id"])
        assert self.row(shop)["cancelled_at"] is not None

    def test_one_occurrence(self, shop: Shop, made: Row) -> None:
        (session,) = (s for s in standing(shop) if s["starts_at"] == shop.at(4, "11:00"))
        lifted = lift(shop, session_id=session["id"])
        assert (lifted["sessions"], lifted["block_id"]) == (1, made["block_id"])
        assert days(shop) == [2, 3, 5, 6]
        assert self.row(shop)["until"] == until(shop, 6)

    def test_what_is_over_stays(self, shop: Shop, made: Row) -> None:
        first = standing(shop)[0]
        shop.house.owner_sql(
            "update public.sessions set starts_at = now() - interval '2 hours',"
            " ends_at = now(), occupied_until = now() where id = %s",
            first["id"],
        )
        assert lift(shop, block_id=made["block_id"])["sessions"] == 4
        assert [s["id"] for s in standing(shop)] == [first["id"]]
        assert self.row(shop)["cancelled_at"] is not None

    def test_nothing_that_stands(self, shop: Shop, made: Row, house: House) -> None:
        other = open_shop(house, "Other")
        foreign = block(other, other.add_room())
        for values in (
            {"block_id": foreign["block_id"]},
            {"block_id": uuid4()},
            {"block_id": made["block_id"], "from_date": until(shop, 7)},
            {},
        ):
            with refused(404, "block_not_found"):
                lift(shop, **values)
        assert lift(shop, block_id=made["block_id"]) == lift(shop, block_id=made["block_id"])
        assert len(standing(other)) == 1

    def test_another_venues_twin_of_the_block_stays(
        self, shop: Shop, made: Row, house: House
    ) -> None:
        other = open_shop(house, "Other")
        theirs = block(other, other.add_room())
        house.owner_sql(
            "update public.sessions set block_id = null where block_id = %s", theirs["block_id"]
        )
        house.owner_sql(
            "update public.room_blocks set id = %s where id = %s",
            made["block_id"],
            theirs["block_id"],
        )
        house.owner_sql(
            "update public.sessions set block_id = %s where id = %s",
            made["block_id"],
            theirs["session_id"],
        )
        lift(shop, block_id=made["block_id"])
        assert len(standing(other)) == 1
        (row,) = other.venue.owner.select("select cancelled_at from public.room_blocks")
        assert row["cancelled_at"] is None

    def test_who_may(self, shop: Shop, made: Row) -> None:
        person = shop.venue.hire("gm", "game_master")
        assert person.select("select * from public.room_blocks")
        with refused(403, "permission_denied"):
            lift(shop, person, block_id=made["block_id"])
        with refused(403, "42501"):
            shop.venue.owner.change("delete from public.room_blocks")
