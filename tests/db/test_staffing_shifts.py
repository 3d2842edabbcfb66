"""Skills and shifts: who may run which room, and when they work, on the venue's clock."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from client import Client
from db.booking_world import Row, change, insert
from db.staffing_world import Crew, open_crew
from matrix.house import House
from matrix.promises import refused

OVERLAP = "shift_overlaps"


@pytest.fixture
def crew(house: House) -> Crew:
    return open_crew(house, "Venue")


@pytest.fixture
def room(crew: Crew) -> str:
    return crew.add_room()


def shift_on(crew: Crew, person: Client, day: str, from_time: str, to_time: str) -> Row:
    return crew.shift(person, date=day, from_time=from_time, to_time=to_time)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestSkills:
    def test_managers_write_them_and_all_the_staff_reads_them(self, crew: Crew, room: str) -> None:
        person = crew.hire()
        manager = crew.hire(role="manager")
        insert(manager, "staff_skills", user_id=person.id, room_id=room)

        for reader in (person, crew.hire(role="receptionist"), manager):
            rows = reader.select("select user_id::text, room_id::text from public.staff_skills")
            assert rows == [{"user_id": person.id, "room_id": room}]
        for other in (person, crew.hire(role="receptionist")):
            with refused(403, "42501"):
                insert(other, "staff_skills", user_id=other.id, room_id=room)
            assert other.change("delete from public.staff_skills") == 0
        assert manager.change("delete from public.staff_skills") == 1

    def test_they_are_of_members_and_of_the_venues_own_rooms(self, crew: Crew, room: str) -> None:
        other = open_crew(crew.house, "Other")
        for user_id, room_id in (
            (other.hire().id, room),
            (crew.hire().id, other.add_room()),
            (crew.hire().id, str(uuid4())),
        ):
            with refused(409, "23503"):
                insert(crew.by, "staff_skills", user_id=user_id, room_id=room_id)

    def test_they_end_with_the_membership_and_outlast_a_suspension(
        self, crew: Crew, room: str
    ) -> None:
        stays, leaves = crew.hire(room), crew.hire(room)
        for person in (stays, leaves):
            crew.shift(person)
        member = {"organization_id": crew.shop.id}
        crew.by.call("suspend_member", **member, user_id=stays.id)
        crew.by.call("remove_member", **member, user_id=leaves.id)
        for table in ("staff_skills", "staff_shifts"):
            rows = crew.by.select(f"select user_id::text from public.{table}")
            assert rows == [{"user_id": stays.id}]


class TestShifts:
    def test_managers_write_them_and_all_the_staff_reads_them(self, crew: Crew) -> None:
        person, manager = crew.hire(), crew.hire(role="manager")
        made = insert(
            manager,
            "staff_shifts",
            user_id=person.id,
            location_id=crew.shop.location_id,
            date="2030-01-07",
            from_time="16:00",
            to_time="22:30",
        )
        for reader in (person, crew.hire(role="receptionist")):
            assert [row["id"] for row in reader.select("select id from public.staff_shifts")] == [
                made["id"]
            ]
            with refused(403, "42501"):
                shift_on(Crew(crew.shop, reader), reader, "2030-01-07", "08:00", "09:00")
            assert change(reader, "staff_shifts", {"to_time": "23:00"}, id=made["id"]) == 0
        assert change(manager, "staff_shifts", {"to_time": "23:00"}, id=made["id"]) == 1
        assert manager.change("delete from public.staff_shifts") == 1

    @pytest.mark.parametrize(
        ("day", "from_time", "to_time", "starts", "ends"),
        [
            ("2030-01-07", "16:00", "22:30", "2030-01-07T15:00", "2030-01-07T21:30"),
            ("2030-01-07", "22:00", "06:00", "2030-01-07T21:00", "2030-01-08T05:00"),
            ("2030-01-07", "10:00", "10:00", "2030-01-07T09:00", "2030-01-08T09:00"),
            # 31 March 2030: 02:00 becomes 03:00.
            ("2030-03-30", "22:00", "06:00", "2030-03-30T21:00", "2030-03-31T04:00"),
            ("2030-03-31", "02:30", "05:00", "2030-03-31T01:30", "2030-03-31T03:00"),
            # 27 October 2030: 03:00 becomes 02:00.
            ("2030-10-26", "22:00", "06:00", "2030-10-26T20:00", "2030-10-27T05:00"),
            ("2030-10-27", "02:30", "04:00", "2030-10-27T01:30", "2030-10-27T03:00"),
            ("2030-10-27", "00:00", "02:30", "2030-10-26T22:00", "2030-10-27T01:30"),
        ],
    )
    def test_one_stands_on_the_venues_clock_when_the_clocks_change_too(
        self, crew: Crew, day: str, from_time: str, to_time: str, starts: str, ends: str
    ) -> None:
        made = shift_on(crew, crew.hire(), day, from_time, to_time)
        assert made["timezone"] == "Europe/Madrid"
        assert (made["starts_at"], made["ends_at"]) == (utc(starts), utc(ends))

    @pytest.mark.parametrize("hours", [("02:00", "03:00"), ("02:30", "03:10")])
    def test_one_that_lies_in_the_missing_hour_does_not_exist(
        self, crew: Crew, hours: tuple[str, str]
    ) -> None:
        with refused(400, "23514") as caught:
            shift_on(crew, crew.hire(), "2030-03-31", *hours)
        assert "staff_shifts_last_some_time" in caught.value.message

    def test_a_date_must_be_one(self, crew: Crew) -> None:
        with refused(400, "23514") as caught:
            shift_on(crew, crew.hire(), "infinity", "10:00", "11:00")
        assert "staff_shifts_date_is_finite" in caught.value.message

    @pytest.mark.parametrize("zone", ["Europe/London", "Europe/Athens"])
    def test_those_that_touch_move_together_into_another_zone(self, crew: Crew, zone: str) -> None:
        person = crew.hire()
        shifts = [
            shift_on(crew, person, "2030-01-07", *hours)
            for hours in (("10:00", "14:00"), ("14:00", "18:00"), ("06:00", "10:00"))
        ]
        change(crew.by, "locations", {"timezone": zone}, id=crew.shop.location_id)
        moved = crew.by.select("select * from public.staff_shifts order by id")
        assert {m["timezone"] for m in moved} == {zone}
        assert (
            len({m["starts_at"] - s["starts_at"] for m, s in zip(moved, shifts, strict=True)}) == 1
        )

    def test_but_not_onto_each_other(self, crew: Crew) -> None:
        person = crew.hire()
        branch = crew.shop.insert("locations", name="Branch", timezone="Europe/Madrid")
        shift_on(crew, person, "2030-01-07", "10:00", "14:00")
        crew.shift(
            person, location_id=branch["id"], date="2030-01-07", from_time="14:00", to_time="18:00"
        )
        with refused(400, "23P01") as caught:
            change(crew.by, "locations", {"timezone": "Europe/Athens"}, id=branch["id"])
        assert "staff_shifts_of_a_person_do_not_overlap" in caught.value.message

    def test_they_keep_their_hours_when_the_location_gets_another_zone(self, crew: Crew) -> None:
        made = shift_on(crew, crew.hire(), "2030-01-07", "16:00", "22:00")
        change(crew.by, "locations", {"timezone": "Asia/Kathmandu"}, id=crew.shop.location_id)
        (moved,) = crew.by.select("select * from public.staff_shifts")
        assert (moved["id"], moved["from_time"]) == (made["id"], made["from_time"])
        assert moved["starts_at"] == utc("2030-01-07T10:15")

    def test_one_moved_to_another_location_follows_its_clock(self, crew: Crew) -> None:
        made = shift_on(crew, crew.hire(), "2030-01-07", "16:00", "22:00")
        branch = crew.shop.insert("locations", name="Branch", timezone="America/New_York")
        change(crew.by, "staff_shifts", {"location_id": branch["id"]}, id=made["id"])
        (moved,) = crew.by.select("select * from public.staff_shifts")
        assert moved["starts_at"] == utc("2030-01-07T21:00")

    def test_those_of_a_person_do_not_overlap_wherever_they_are(self, crew: Crew) -> None:
        person = crew.hire()
        branch = crew.shop.insert("locations", name="Branch", timezone="Europe/London")
        first = shift_on(crew, person, "2030-01-07", "10:00", "14:00")
        with refused(409, OVERLAP) as caught:
            shift_on(crew, person, "2030-01-07", "13:59", "18:00")
        assert caught.value.details == {
            "shift_id": str(first["id"]),
            "location_id": str(first["location_id"]),
            "starts_at": "2030-01-07T09:00:00+00:00",
            "ends_at": "2030-01-07T13:00:00+00:00",
        }
        with refused(409, OVERLAP):
            # 12:30 in London is 13:30 in Madrid.
            crew.shift(
                person,
                location_id=branch["id"],
                date="2030-01-07",
                from_time="12:30",
                to_time="18:00",
            )
        second = shift_on(crew, person, "2030-01-07", "14:00", "18:00")
        with refused(409, OVERLAP):
            change(crew.by, "staff_shifts", {"from_time": "13:00"}, id=second["id"])
        assert change(crew.by, "staff_shifts", {"to_time": "13:00"}, id=first["id"]) == 1
        shift_on(crew, crew.hire(), "2030-01-07", "10:00", "18:00")

    def test_the_constraint_says_the_same_of_what_is_written_directly(self, crew: Crew) -> None:
        """And where the row is none of the caller's, nothing is said of who works when."""
        person, other = crew.hire(), open_crew(crew.house, "Other")
        made = shift_on(crew, person, "2030-01-07", "22:00", "06:00")
        with pytest.raises(psycopg.errors.ExclusionViolation, match="do_not_overlap"):
            crew.house.owner_sql(
                "insert into public.staff_shifts"
                " (organization_id, user_id, location_id, date, from_time, to_time)"
                " select organization_id, user_id, location_id, '2030-01-08', '05:00', '09:00'"
                " from public.staff_shifts where id = %s",
                made["id"],
            )
        with refused(409, OVERLAP):
            shift_on(crew, person, "2030-01-08", "05:00", "09:00")
        for start in ("05:00", "12:00"):
            with refused(403, "42501"):
                insert(
                    other.by,
                    "staff_shifts",
                    organization_id=crew.shop.id,
                    user_id=person.id,
                    location_id=crew.shop.location_id,
                    date="2030-01-08",
                    from_time=start,
                    to_time="13:00",
                )

    def test_a_person_of_two_organizations_has_two_lives(self, crew: Crew) -> None:
        person, other = crew.hire(), open_crew(crew.house, "Other")
        other.shop.venue.admit(person, *_email(person, crew.house))
        shift_on(crew, person, "2030-01-07", "10:00", "14:00")
        shift_on(other, person, "2030-01-07", "10:00", "14:00")

    def test_they_are_of_members_at_the_venues_own_locations(self, crew: Crew) -> None:
        other = open_crew(crew.house, "Other")
        wrongs: tuple[Row, ...] = (
            {"user_id": other.hire().id},
            {"location_id": other.shop.location_id},
            {"location_id": str(uuid4())},
        )
        for wrong in wrongs:
            with refused(409, "23503"):
                crew.shift(crew.hire(), **wrong)

    def test_a_location_takes_its_shifts_along(self, crew: Crew) -> None:
        branch = crew.shop.insert("locations", name="Branch", timezone="Europe/London")
        crew.shift(crew.hire(), location_id=branch["id"])
        crew.by.change("delete from public.locations where id = %s", branch["id"])
        assert crew.by.select("select from public.staff_shifts") == []


def _email(person: Client, house: House) -> tuple[str]:
    return (str(house.one("select email from public.profiles where user_id = %s", person.id)),)
