"""What a visitor is offered: the venue's clock, its exceptions, and what is taken."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from typing import Any
from uuid import UUID

import pytest

from db.booking_world import PRICE, Shop, change, open_shop
from matrix.house import House
from matrix.promises import refused

HOURLY = {"slot_interval_minutes": 60}


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    return shop.add_room()


class TestWeeklyHours:
    def test_slots_follow_each_other_after_duration_and_turnaround(
        self, shop: Shop, room: str
    ) -> None:
        shop.open_on(room, "10:00", "16:00")
        assert shop.times(room) == ["10:00", "11:30", "13:00", "14:30"]

    def test_the_last_slot_has_ended_by_closing_time_but_need_not_be_cleaned(
        self, shop: Shop, room: str
    ) -> None:
        shop.open_on(room, "10:00", "12:30")
        assert shop.times(room) == ["10:00", "11:30"]

    def test_a_slot_interval_of_its_own_decides_the_starts(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "10:00", "12:00", slot_interval_minutes=30)
        assert shop.times(room) == ["10:00", "10:30", "11:00"]

    def test_a_day_may_have_several_windows(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "10:00", "11:00")
        shop.open_on(room, "18:00", "19:00")
        assert shop.times(room) == ["10:00", "18:00"]

    def test_windows_that_overlap_offer_a_start_once(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "10:00", "13:00", **HOURLY)
        shop.open_on(room, "11:00", "14:00", **HOURLY)
        assert shop.times(room) == ["10:00", "11:00", "12:00", "13:00"]

    def test_a_weekday_without_hours_offers_nothing(self, shop: Shop, room: str) -> None:
        tomorrow = shop.today + timedelta(1)
        shop.open_on(room, "10:00", "11:00", tomorrow.isoweekday())
        offered = [row["local_date"] for row in shop.available(1, 14, room_id=room)]
        assert offered == [tomorrow, tomorrow + timedelta(7)]

    def test_a_window_over_midnight_belongs_to_the_day_on_which_it_opens(
        self, shop: Shop, room: str
    ) -> None:
        friday = date(2027, 6, 4)
        shop.open_on(room, "22:00", "02:00", friday.isoweekday(), **HOURLY)
        assert shop.starts(room, friday) == ["22:00", "23:00"]
        assert shop.starts(room, friday + timedelta(1)) == ["00:00", "01:00"]
        assert shop.starts(room, friday + timedelta(2)) == []

    def test_a_window_until_midnight_ends_with_its_day(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "22:00", "00:00", **HOURLY)
        assert shop.starts(room, date(2027, 6, 4)) == ["22:00", "23:00"]

    def test_equal_times_mean_a_whole_day(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "00:00", "00:00", **HOURLY)
        assert len(shop.starts(room, date(2027, 6, 4))) == 24


class TestFixedStarts:
    def test_only_the_named_times_are_offered(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "10:00", "22:00", start_times=["18:15", "10:00", "12:30"])
        assert shop.times(room) == ["10:00", "12:30", "18:15"]

    def test_closing_time_holds_for_them_too(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "10:00", "12:00", start_times=["11:00", "11:01"])
        assert shop.times(room) == ["11:00"]

    def test_after_midnight_they_are_the_next_days(self, shop: Shop, room: str) -> None:
        friday = date(2027, 6, 4)
        shop.open_on(room, "22:00", "02:00", friday.isoweekday(), start_times=["00:45", "22:30"])
        assert shop.starts(room, friday) == ["22:30"]
        assert shop.starts(room, friday + timedelta(1)) == ["00:45"]

    def test_a_date_may_have_its_own(self, shop: Shop, room: str) -> None:
        friday = date(2027, 6, 4)
        shop.open_on(room, "10:00", "13:00", **HOURLY)
        for scope in ({"room_id": room}, {"location_id": shop.location_id}):
            shop.insert(
                "schedule_exceptions",
                date=friday,
                opens_at="10:00",
                closes_at="20:00",
                start_times=["17:00"] if "room_id" in scope else ["18:00"],
                **scope,
            )
        assert shop.starts(room, friday) == ["17:00"]

    def test_intervals_and_fixed_starts_may_share_a_day(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "10:00", "12:00", **HOURLY)
        shop.open_on(room, "11:00", "23:00", start_times=["11:00", "20:20"])
        assert shop.times(room) == ["10:00", "11:00", "20:20"]

    def test_one_in_a_gap_does_not_exist(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "00:00", "00:00", start_times=["02:00", "02:30", "03:00"])
        assert shop.starts(room, date(2027, 3, 28)) == ["03:00"]


class TestExceptions:
    DAY = date(2027, 6, 4)

    @pytest.fixture(autouse=True)
    def _open(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "10:00", "12:00", **HOURLY)

    def say(self, shop: Shop, **values: object) -> None:
        shop.insert("schedule_exceptions", date=self.DAY, **values)

    def test_other_hours_replace_the_weekly_ones(self, shop: Shop, room: str) -> None:
        self.say(shop, room_id=room, opens_at="18:00", closes_at="20:00", **HOURLY)
        assert shop.starts(room, self.DAY) == ["18:00", "19:00"]
        assert shop.starts(room, self.DAY + timedelta(1)) == ["10:00", "11:00"]

    def test_a_date_may_have_several_windows(self, shop: Shop, room: str) -> None:
        self.say(shop, room_id=room, opens_at="08:00", closes_at="09:00")
        self.say(shop, room_id=room, opens_at="20:00", closes_at="21:00")
        assert shop.starts(room, self.DAY) == ["08:00", "20:00"]

    def test_other_hours_open_a_day_that_is_weekly_closed(self, shop: Shop) -> None:
        other = shop.add_room()
        self.say(shop, room_id=other, opens_at="18:00", closes_at="19:00")
        assert shop.starts(other, self.DAY) == ["18:00"]

    def test_closed_closes(self, shop: Shop, room: str) -> None:
        self.say(shop, room_id=room, is_closed=True)
        assert shop.starts(room, self.DAY) == []

    def test_a_location_closes_all_its_rooms(self, shop: Shop, room: str) -> None:
        self.say(shop, location_id=shop.location_id, is_closed=True)
        assert shop.starts(room, self.DAY) == []

    @pytest.mark.parametrize("closing", ["room", "location"])
    def test_closed_wins_over_other_hours(self, shop: Shop, room: str, closing: str) -> None:
        scopes = {"room": {"room_id": room}, "location": {"location_id": shop.location_id}}
        self.say(shop, **scopes.pop(closing), is_closed=True)
        self.say(shop, **scopes.popitem()[1], opens_at="18:00", closes_at="19:00")
        assert shop.starts(room, self.DAY) == []

    def test_the_rooms_own_hours_win_over_its_locations(self, shop: Shop, room: str) -> None:
        neighbour = shop.add_room()
        self.say(shop, location_id=shop.location_id, opens_at="15:00", closes_at="16:00")
        self.say(shop, room_id=room, opens_at="18:00", closes_at="19:00")
        assert shop.starts(room, self.DAY) == ["18:00"]
        assert shop.starts(neighbour, self.DAY) == ["15:00"]

    def test_another_locations_exception_is_not_ours(self, shop: Shop, room: str) -> None:
        elsewhere = shop.insert("locations", name="Elsewhere", timezone="Europe/Madrid")
        self.say(shop, location_id=elsewhere["id"], is_closed=True)
        assert shop.starts(room, self.DAY) == ["10:00", "11:00"]

    def test_closing_a_date_leaves_the_night_before_open(self, shop: Shop) -> None:
        room = shop.add_room()
        shop.open_on(room, "22:00", "02:00", **HOURLY)
        self.say(shop, room_id=room, is_closed=True)
        assert shop.starts(room, self.DAY) == ["00:00", "01:00"]
        assert shop.starts(room, self.DAY + timedelta(1)) == ["22:00", "23:00"]


class TestClocksThatJump:
    """Dates on which the clock of the venue skips an hour (gap) or repeats one (fold)."""

    @pytest.mark.parametrize(
        ("zone", "day", "starts"),
        [
            ("Europe/Madrid", date(2027, 3, 28), ["00:00", "01:00", "03:00", "04:00", "05:00"]),
            ("America/New_York", date(2027, 3, 14), ["00:00", "01:00", "03:00", "04:00", "05:00"]),
            ("Australia/Sydney", date(2027, 10, 3), ["00:00", "01:00", "03:00", "04:00", "05:00"]),
        ],
    )
    def test_a_time_in_the_gap_does_not_exist(
        self, house: House, zone: str, day: date, starts: list[str]
    ) -> None:
        shop = open_shop(house, "Gap", zone)
        room = shop.add_room(turnaround_minutes=0)
        shop.open_on(room, "00:00", "06:00")
        assert shop.starts(room, day) == starts

        rows = shop.slots(room, day)
        assert {row["ends_at"] - row["starts_at"] for row in rows} == {timedelta(hours=1)}
        # 01:00 to 03:00 on the clock is one hour, in which the game before fits exactly.
        assert rows[2]["starts_at"] == rows[1]["ends_at"]

    @pytest.mark.parametrize(
        ("zone", "day", "standard_offset"),
        [
            ("Europe/Madrid", date(2027, 10, 31), 1),
            ("America/New_York", date(2027, 11, 7), -5),
            ("Australia/Sydney", date(2027, 4, 4), 10),
        ],
    )
    def test_a_time_in_the_fold_exists_once_the_second_time(
        self, house: House, zone: str, day: date, standard_offset: int
    ) -> None:
        shop = open_shop(house, "Fold", zone)
        room = shop.add_room(turnaround_minutes=0)
        shop.open_on(room, "00:00", "06:00")
        hours = ["00:00", "01:00", "02:00", "03:00", "04:00", "05:00"]
        assert shop.starts(room, day) == hours

        repeated = "01:00" if zone == "America/New_York" else "02:00"
        row = shop.slots(room, day)[hours.index(repeated)]
        assert row["starts_at"].astimezone(UTC).hour == (int(repeated[:2]) - standard_offset) % 24

    def test_a_window_over_midnight_into_the_gap_ends_by_the_clock(self, house: House) -> None:
        shop = open_shop(house, "Night", "Europe/Madrid")
        room = shop.add_room(turnaround_minutes=0, duration_minutes=90)
        # Sunday, 28 March 2027: from 01:00 the clock reaches 03:00 within an hour, not two.
        shop.open_on(room, "23:00", "03:00", 6, slot_interval_minutes=30)
        assert shop.starts(room, date(2027, 3, 21)) == ["00:00", "00:30", "01:00", "01:30"]
        assert shop.starts(room, date(2027, 3, 28)) == ["00:00", "00:30"]

    def test_a_zone_with_an_odd_offset(self, house: House) -> None:
        shop = open_shop(house, "Kathmandu", "Asia/Kathmandu")
        room = shop.add_room()
        shop.open_on(room, "10:00", "11:00")
        (row,) = shop.slots(room, date(2027, 3, 28))
        assert row["starts_at"].astimezone(UTC).strftime("%H:%M") == "04:15"


class TestNoticeAndAdvance:
    @pytest.fixture(autouse=True)
    def _always_open(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "00:00", "00:00", slot_interval_minutes=5)

    def test_nothing_is_offered_before_the_notice_is_over(self, shop: Shop, room: str) -> None:
        shop.set_calendar(minimum_notice_minutes=180)
        # Games that begin in one day and end in the next, or the last hour would have none.
        shop.open_on(room, "12:00", "12:00", slot_interval_minutes=5)
        first = shop.available(0, 1, room_id=room)[0]["starts_at"]
        wait = first - shop.house.one("select now()")
        assert timedelta(minutes=180) <= wait < timedelta(minutes=185)

    def test_without_notice_the_past_is_still_not_offered(self, shop: Shop, room: str) -> None:
        shop.set_calendar(minimum_notice_minutes=0)
        first = shop.available(0, 1, room_id=room)[0]["starts_at"]
        assert first >= shop.house.one("select now()")

    def test_the_last_day_of_the_advance_is_offered_whole_and_the_next_not_at_all(
        self, shop: Shop, room: str
    ) -> None:
        shop.set_calendar(maximum_advance_days=10)
        dates = {row["local_date"] for row in shop.available(9, 20, room_id=room)}
        assert dates == {shop.today + timedelta(9), shop.today + timedelta(10)}
        assert shop.available(10, 10, room_id=room)[-1]["local_time"] == "23:00"

    def test_a_room_has_limits_of_its_own_in_a_calendar(self, shop: Shop, room: str) -> None:
        other = shop.add_room()
        shop.open_on(other, "00:00", "00:00", slot_interval_minutes=5)
        now = shop.house.one("select now()")

        def notice(day: int) -> int:
            """Minutes until that day's noon: of whole days, the hour says which day they end on."""
            return int((shop.at(day) - now).total_seconds() // 60)

        shop.set_calendar(minimum_notice_minutes=notice(2), maximum_advance_days=10)
        limits = {"minimum_notice_minutes": notice(4), "maximum_advance_days": 5}
        change(shop.venue.owner, "calendar_rooms", limits, room_id=room)

        def days(room: str) -> list[int]:
            dates = {row["local_date"] for row in shop.available(0, 20, room_id=room)}
            return sorted((day - shop.today).days for day in dates)

        assert days(room) == [4, 5]
        assert days(other)[0] == 2
        assert days(other)[-1] == 10
        # What is held is asked the same.
        for day, code, details in (
            (3, "notice_too_short", {"minimum_notice_minutes": notice(4)}),
            (6, "too_far_ahead", {"maximum_advance_days": 5}),
        ):
            with refused(422, code) as caught:
                shop.hold(room, shop.at(day, "12:00"))
            assert caught.value.details == details
            shop.hold(other, shop.at(day, "12:00"))

    def test_a_notice_beyond_the_advance_leaves_nothing_to_book(
        self, shop: Shop, room: str
    ) -> None:
        shop.set_calendar(minimum_notice_minutes=20 * 1440, maximum_advance_days=10)
        assert shop.available(0, 30) == []
        assert not shop.visitor.select(
            "select * from public.get_availability(%s, '5874800-01-01', '5874800-01-31')", shop.slug
        )
        for day in (9, 25):
            with refused(422, "notice_too_short"):
                shop.hold(room, shop.at(day, "12:00"))

    def test_another_calendars_limits_are_not_ours(self, shop: Shop, room: str) -> None:
        second = shop.insert("calendars", slug=f"{shop.slug}-2", name="Second")
        shop.insert(
            "calendar_rooms", calendar_id=second["id"], room_id=room, maximum_advance_days=1
        )
        shop.set_calendar(maximum_advance_days=10)
        assert shop.times(room, 10)


class TestDatesOnWhichACalendarSellsNothing:
    @pytest.fixture(autouse=True)
    def _open(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "22:00", "02:00", **HOURLY)

    def block(self, shop: Shop, first: int, last: int, **values: object) -> None:
        shop.insert(
            "calendar_blocked_dates",
            **{
                "calendar_id": shop.calendar_id,
                "from_date": shop.today + timedelta(first),
                "to_date": shop.today + timedelta(last),
                **values,
            },
        )

    def test_both_ends_are_included(self, shop: Shop) -> None:
        self.block(shop, 2, 4)
        dates = {(row["local_date"] - shop.today).days for row in shop.available(1, 6)}
        assert dates == {1, 5, 6}

    def test_a_session_belongs_to_the_date_on_which_it_starts(self, shop: Shop, room: str) -> None:
        # Late in the evening, a notice of an hour would take tomorrow's first start away.
        shop.set_calendar(minimum_notice_minutes=0)
        self.block(shop, 2, 2)
        assert shop.times(room, 1) == ["00:00", "01:00", "22:00", "23:00"]
        assert shop.times(room, 3)[:2] == ["00:00", "01:00"]
        with refused(422, "slot_not_offered"):
            shop.hold(room, shop.at(2, "00:00"))
        shop.hold(room, shop.at(3, "00:00"))

    def test_other_calendars_and_the_staff_are_not_bound(self, shop: Shop, room: str) -> None:
        second = shop.insert("calendars", slug=f"{shop.slug}-2", name="Second")
        self.block(shop, 0, 30, calendar_id=second["id"])
        assert shop.times(room)
        self.block(shop, 0, 30)
        assert shop.times(room) == []
        assert shop.starts(room, shop.today + timedelta(1))

    def test_another_venues_dates_are_not_ours(self, shop: Shop, room: str, house: House) -> None:
        other = open_shop(house, "Other")
        # The same id, in another tenant.
        house.owner_sql(
            "insert into public.calendars (organization_id, id, slug, name)"
            " values (%s, %s, 'twin', 'Twin')",
            other.id,
            shop.calendar_id,
        )
        self.block(other, 0, 30, calendar_id=shop.calendar_id)
        assert shop.times(room)


class TestWhatIsTaken:
    @pytest.fixture(autouse=True)
    def _open(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "10:00", "19:00", slot_interval_minutes=30)

    def test_a_hold_takes_its_time_and_the_turnaround_on_both_sides(
        self, shop: Shop, room: str
    ) -> None:
        shop.hold(room, shop.at(1, "14:00"))
        # 60 minutes of game and 30 of turnaround: 12:30 is over at 14:00, 15:30 may start.
        free = shop.times(room)
        assert "12:30" in free
        assert "15:30" in free
        assert not {"13:00", "13:30", "14:00", "14:30", "15:00"} & set(free)

    def test_another_room_stays_free(self, shop: Shop, room: str) -> None:
        other = shop.add_room()
        shop.open_on(other, "14:00", "15:00")
        shop.hold(room, shop.at(1, "14:00"))
        assert shop.times(other) == ["14:00"]

    def test_a_lapsed_hold_takes_nothing(self, shop: Shop, room: str) -> None:
        before = shop.times(room)
        booking = shop.hold(room, shop.at(1, "14:00"))
        shop.lapse(booking)
        assert shop.times(room) == before

    def test_a_cancelled_booking_takes_nothing(self, shop: Shop, room: str) -> None:
        before = shop.times(room)
        shop.cancel(shop.hold(room, shop.at(1, "14:00")))
        assert shop.times(room) == before

    def test_a_confirmed_booking_stays_taken(self, shop: Shop, room: str) -> None:
        booking = shop.hold(room, shop.at(1, "14:00"))
        shop.move(booking, "confirmed")
        assert "14:00" not in shop.times(room)

    def test_a_block_takes_its_time_however_long(self, shop: Shop, room: str) -> None:
        shop.venue.owner.call(
            "block_room",
            organization_id=shop.id,
            room_id=room,
            starts_at=shop.at(1, "13:00"),
            ends_at=shop.at(61, "15:00"),
        )
        assert shop.times(room, 1) == ["10:00", "10:30", "11:00", "11:30"]
        assert shop.times(room, 30) == []
        assert shop.times(room, 61)[0] == "15:00"

    def test_what_is_taken_is_told_to_who_asks_for_it(self, shop: Shop, room: str) -> None:
        before = shop.available(room_id=room, party_size=2)
        shop.hold(room, shop.at(1, "14:00"))
        asked: dict[str, Any] = {"room_id": room, "party_size": 2}
        told = shop.available(**asked, include_taken=True)
        free = [row for row in told if row["seats_available"] >= 2]
        assert [row["starts_at"] for row in told] == [row["starts_at"] for row in before]
        assert free == shop.available(**asked) == shop.available(**asked, include_taken=None)
        assert {row["local_time"] for row in told if row not in free} == {
            "13:00", "13:30", "14:00", "14:30", "15:00",
        }  # fmt: skip
        assert {row["seats_available"] for row in told if row not in free} == {0}

    def test_nothing_is_taken_where_nothing_is_sold(self, shop: Shop, room: str) -> None:
        """A day that is closed, blocked for the calendar, past or too far ahead."""
        shop.set_calendar(maximum_advance_days=5)
        shop.insert(
            "schedule_exceptions",
            room_id=room,
            date=shop.today + timedelta(2),
            is_closed=True,
        )
        shop.insert(
            "calendar_blocked_dates",
            calendar_id=shop.calendar_id,
            from_date=shop.today + timedelta(3),
            to_date=shop.today + timedelta(3),
        )
        # All that is sold is taken.
        shop.venue.owner.call(
            "block_room",
            organization_id=shop.id,
            room_id=room,
            starts_at=shop.at(1, "00:00"),
            ends_at=shop.at(9, "00:00"),
        )
        assert shop.available(1, 8, room_id=room) == []
        told = shop.available(-1, 8, room_id=room, include_taken=True)
        days = {(row["local_date"] - shop.today).days for row in told}
        assert days - {0} == {1, 4, 5}

    def test_a_party_size_hides_rooms_that_do_not_take_it(self, shop: Shop, room: str) -> None:
        large = shop.add_room(minimum_party=5, maximum_party=12)
        shop.open_on(large, "10:00", "11:00")
        assert {row["room_id"] for row in shop.available(party_size=2)} == {UUID(room)}
        assert {row["room_id"] for row in shop.available(party_size=6)} == {UUID(room), UUID(large)}
        assert {row["room_id"] for row in shop.available(party_size=12)} == {UUID(large)}
        assert shop.available(party_size=13) == []


class TestSharedSessions:
    @pytest.fixture
    def room(self, shop: Shop) -> str:
        room = shop.add_room(mode="shared", minimum_party=1, maximum_party=8)
        shop.open_on(room, "10:00", "13:00", slot_interval_minutes=30)
        return room

    @staticmethod
    def seats(shop: Shop, room: str) -> dict[str, int]:
        return {row["local_time"]: row["seats_available"] for row in shop.available(room_id=room)}

    def test_the_seats_that_are_left_are_shown(self, shop: Shop, room: str) -> None:
        shop.hold(room, shop.at(1, "11:30"), party_size=3)
        seats = self.seats(shop, room)
        assert seats["11:30"] == 5
        assert seats["10:00"] == 8
        # Another start would overlap the session that exists.
        assert "11:00" not in seats

    def test_a_party_too_large_for_the_seats_left_is_not_offered_them(
        self, shop: Shop, room: str
    ) -> None:
        shop.hold(room, shop.at(1, "11:30"), party_size=3)
        assert "11:30" in shop.times(room, party_size=5)
        assert "11:30" not in shop.times(room, party_size=6)

    def test_the_seats_of_a_lapsed_hold_are_free(self, shop: Shop, room: str) -> None:
        stays = shop.hold(room, shop.at(1, "11:30"), party_size=3)
        lapses = shop.hold(room, shop.at(1, "11:30"), party_size=4)
        shop.lapse(lapses)
        assert self.seats(shop, room)["11:30"] == 5
        shop.lapse(stays)
        assert self.seats(shop, room)["11:30"] == self.seats(shop, room)["11:00"] == 8

    def test_a_session_that_exists_keeps_its_length_when_the_room_changes(
        self, shop: Shop, room: str
    ) -> None:
        booking = shop.hold(room, shop.at(1, "11:30"), party_size=3)
        shop.set_room(room, duration_minutes=45)
        row = next(r for r in shop.available(room_id=room) if r["local_time"] == "11:30")
        assert row["ends_at"] == shop.at(1, "12:30")
        joined = shop.hold(room, shop.at(1, "11:30"), party_size=2)
        assert joined["ends_at"] == booking["ends_at"]

    def test_a_session_in_which_nobody_has_a_seat_says_so(self, shop: Shop, room: str) -> None:
        def empty() -> dict[str, bool]:
            return {row["local_time"]: row["is_empty"] for row in shop.available(room_id=room)}

        assert all(empty().values())
        booking = shop.hold(room, shop.at(1, "11:30"), party_size=3)
        assert {time for time, is_empty in empty().items() if not is_empty} == {"11:30"}
        shop.lapse(booking)
        assert all(empty().values())

    def test_each_of_several_sessions_has_its_own_seats(self, shop: Shop, room: str) -> None:
        shop.hold(room, shop.at(1, "10:00"), party_size=3)
        shop.hold(room, shop.at(1, "11:30"), party_size=5)
        assert self.seats(shop, room) == {"10:00": 5, "11:30": 3}

    def test_a_room_that_became_private_sells_no_seats_of_a_shared_session(
        self, shop: Shop, room: str
    ) -> None:
        shop.hold(room, shop.at(1, "11:30"), party_size=3)
        shop.set_room(room, mode="private")
        assert "11:30" not in shop.times(room)


class TestTheAnswer:
    def test_slots_come_in_order_of_time_then_room_with_their_price(
        self, shop: Shop, room: str
    ) -> None:
        other = shop.add_room(price_per="session", price_cents=9_000)
        for each in (room, other):
            shop.open_on(each, "10:00", "12:30")

        rows = shop.available(1, 2)
        assert [(row["starts_at"], row["room_id"]) for row in rows] == sorted(
            (row["starts_at"], row["room_id"]) for row in rows
        )
        assert len(rows) == 8
        first = next(row for row in rows if row["room_id"] == UUID(room))
        assert first == {
            "room_id": UUID(room),
            "starts_at": shop.at(1, "10:00"),
            "ends_at": shop.at(1, "11:00"),
            "local_date": shop.today + timedelta(1),
            "local_time": "10:00",
            "timezone": "Europe/Madrid",
            "seats_available": 6,
            "price_cents": 2 * PRICE,
            "currency": "EUR",
            "is_empty": True,
        }
        assert {row["price_cents"] for row in rows if row["room_id"] == UUID(other)} == {9_000}

    def test_the_price_is_for_the_party_that_is_asked_for(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "10:00", "11:00")
        assert [row["price_cents"] for row in shop.available(party_size=5)] == [5 * PRICE]

    def test_rooms_of_two_zones_keep_their_own_clocks(self, shop: Shop, room: str) -> None:
        sydney = shop.insert("locations", name="Sydney", timezone="Australia/Sydney")
        far = shop.add_room(location_id=sydney["id"])
        for each in (room, far):
            shop.open_on(each, "10:00", "11:00")
        rows = shop.available(2, 3)
        assert {row["local_time"] for row in rows} == {"10:00"}
        assert {row["timezone"] for row in rows} == {"Europe/Madrid", "Australia/Sydney"}
        assert len({row["starts_at"] for row in rows}) == 4

    def test_nothing_is_said_of_rooms_that_the_calendar_does_not_sell(
        self, shop: Shop, room: str
    ) -> None:
        shop.open_on(room, "10:00", "11:00")
        shop.set_room(room, is_published=False)
        assert shop.available() == []
        with refused(404, "room_not_found"):
            shop.available(room_id=room)

    def test_a_calendar_without_rooms_answers_nothing(self, house: House) -> None:
        assert open_shop(house, "Empty").available() == []


class TestRefusals:
    @pytest.mark.parametrize("slug", ["no-such-calendar", "", None])
    def test_an_unknown_calendar(self, shop: Shop, slug: str | None) -> None:
        with refused(404, "calendar_not_found"):
            shop.visitor.select(
                "select * from public.get_availability(%s, current_date, current_date)", slug
            )

    def test_an_inactive_calendar_is_unknown(self, shop: Shop) -> None:
        shop.set_calendar(is_active=False)
        with refused(404, "calendar_not_found"):
            shop.available()

    @pytest.mark.parametrize("status", ["suspended", "closed"])
    def test_the_calendar_of_a_venue_that_may_not_sell_is_unknown(
        self, shop: Shop, status: str
    ) -> None:
        shop.house.owner_sql(
            "update public.organizations set status = %s,"
            " closed_at = case %s when 'closed' then now() end where id = %s",
            status,
            status,
            shop.id,
        )
        with refused(404, "calendar_not_found"):
            shop.available()

    def test_another_venues_room_is_not_found(self, shop: Shop, house: House) -> None:
        stranger = open_shop(house, "Other").add_room()
        with refused(404, "room_not_found"):
            shop.available(room_id=stranger)

    @pytest.mark.parametrize(
        ("first", "last", "code"),
        [
            ("2027-01-02", "2027-01-01", "date_range_invalid"),
            (None, "2027-01-01", "date_range_invalid"),
            ("2027-01-01", None, "date_range_invalid"),
            ("-infinity", "infinity", "date_range_invalid"),
            ("2027-01-01", "infinity", "date_range_invalid"),
            ("2027-01-01", "2027-04-03", "date_range_too_long"),
            ("0001-01-01", "5000-01-01", "date_range_too_long"),
        ],
    )
    def test_dates(self, shop: Shop, first: str | None, last: str | None, code: str) -> None:
        with refused(422, code):
            shop.visitor.select(
                "select * from public.get_availability(%s, %s::date, %s::date)",
                shop.slug,
                first,
                last,
            )

    @pytest.mark.parametrize(
        ("first", "last"),
        [
            ("2027-01-01", "2027-04-02"),
            ("5874800-01-01", "5874800-01-31"),
            ("0001-01-01", "0001-01-31"),
        ],
    )
    def test_ninety_two_days_are_allowed_at_any_time(
        self, shop: Shop, room: str, first: str, last: str
    ) -> None:
        shop.open_on(room, "10:00", "11:00")
        shop.visitor.select(
            "select * from public.get_availability(%s, %s::date, %s::date)", shop.slug, first, last
        )

    @pytest.mark.parametrize("party", [0, -1])
    def test_a_party_of_nobody(self, shop: Shop, party: int) -> None:
        with refused(422, "party_size_invalid"):
            shop.available(party_size=party)

    def test_a_party_that_the_named_room_does_not_take(self, shop: Shop, room: str) -> None:
        with refused(422, "party_size_invalid") as caught:
            shop.available(room_id=room, party_size=7)
        assert caught.value.details == {"minimum": 2, "maximum": 6}


class TestTwins:
    """Another venue whose rows have the ids of ours: it closes, blocks and asks for itself."""

    TWINS = (
        (
            "insert into public.locations (organization_id, id, name, timezone)"
            " values (%(other)s, %(location)s, 'Twin', 'Asia/Kathmandu')"
        ),
        (
            "insert into public.rooms (organization_id, id, location_id, slug, name, price_cents,"
            " is_published) values (%(other)s, %(room)s, %(location)s, 'twin', 'Twin', 1, true)"
        ),
        (
            "insert into public.calendars (organization_id, id, slug, name)"
            " values (%(other)s, %(calendar)s, 'twin', 'Twin')"
        ),
        (
            "insert into public.calendar_rooms (organization_id, calendar_id, room_id,"
            " minimum_notice_minutes, maximum_advance_days)"
            " values (%(other)s, %(calendar)s, %(room)s, 129600, 1)"
        ),
        (
            "insert into public.calendar_fields (organization_id, calendar_id, key, label)"
            """ values (%(other)s, %(calendar)s, 'twin', '{"en": "Twin"}')"""
        ),
        (
            "insert into public.room_cancellation_tiers (organization_id, room_id, hours_before,"
            " refund_percent) values (%(other)s, %(room)s, 1, 1)"
        ),
        (
            "insert into public.schedules (organization_id, room_id, weekday, opens_at, closes_at)"
            " select %(other)s, %(room)s, n, '01:00', '09:00' from generate_series(1, 7) as n"
        ),
        (
            "insert into public.schedule_exceptions (organization_id, room_id, date, is_closed)"
            " values (%(other)s, %(room)s, %(day)s, true)"
        ),
        (
            "insert into public.schedule_exceptions (organization_id, location_id, date, is_closed)"
            " values (%(other)s, %(location)s, %(day)s, true)"
        ),
        (
            "insert into public.calendar_blocked_dates (organization_id, calendar_id, from_date,"
            " to_date) values (%(other)s, %(calendar)s, %(day)s, %(day)s)"
        ),
        (
            "insert into public.sessions (organization_id, room_id, starts_at, ends_at,"
            " occupied_until, mode, capacity, seats_taken) values"
            " (%(other)s, %(room)s, %(noon)s, %(noon)s + interval '1 hour',"
            " %(noon)s + interval '1 hour', 'private', 6, 6),"
            " (%(other)s, %(room)s, %(noon)s + interval '2 hours', %(noon)s + interval '90 hours',"
            " %(noon)s + interval '90 hours', 'block', 0, 0)"
        ),
    )

    def test_nothing_of_it_is_ours(self, shop: Shop, room: str, house: House) -> None:
        shop.open_on(room, "10:00", "19:00", **HOURLY)
        exception = {"date": shop.today + timedelta(3), "opens_at": "12:00", "closes_at": "20:00"}
        shop.insert("schedule_exceptions", room_id=room, **exception)
        shop.hold(room, shop.at(2, "12:00"))

        def seen() -> object:
            return shop.available(1, 9), shop.visitor.call("get_calendar", slug=shop.slug)

        before = seen()
        twin = open_shop(house, "Other")
        for statement in self.TWINS:
            for day in (1, 2, 3):
                if day == 1 or "%(day)s" in statement:
                    self.write(house, statement, shop, room, twin, day)
        assert seen() == before
        assert shop.hold(room, shop.at(1, "12:00"))["status"] == "held"

    @staticmethod
    def write(house: House, statement: str, shop: Shop, room: str, twin: Shop, day: int) -> None:
        facts = {
            "other": twin.id,
            "location": shop.location_id,
            "room": room,
            "calendar": shop.calendar_id,
            "day": shop.today + timedelta(day),
            "noon": shop.at(day, "12:00"),
        }
        house.connection.execute(statement.encode(), facts)
