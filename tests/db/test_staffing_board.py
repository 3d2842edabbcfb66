"""The board of a day: everything at a glance, and no more than the reader may see."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from client import Client
from db.booking_world import A_YEAR, PRICE
from db.staffing_world import Crew, open_crew
from matrix.house import House
from matrix.promises import refused


@pytest.fixture
def crew(house: House) -> Crew:
    return open_crew(house, "Venue", hold_minutes=120)


@pytest.fixture
def room(crew: Crew) -> str:
    return crew.add_room()


def day(crew: Crew, days: int = 1, by: Client | None = None, **values: object) -> Any:
    return crew.board(crew.shop.at(days).date(), by, **values)


def sessions(board: Any) -> list[Any]:
    return [
        session
        for location in board["locations"]
        for room in location["rooms"]
        for session in room["sessions"]
    ]


def times(board: Any) -> list[str]:
    return [session["local_time"] for session in sessions(board)]


def test_it_shows_who_comes_what_is_owed_and_who_runs_it(crew: Crew, room: str) -> None:
    master, able = crew.hire(room), crew.hire(room)
    for person in (master, able):
        crew.shift(person, 1, "10:00", "20:00")
    booking = crew.book(room, crew.shop.at(1, "12:00"))
    crew.shop.pay(booking, PRICE)
    crew.by.call(
        "block_room",
        organization_id=crew.shop.id,
        room_id=room,
        starts_at=crew.shop.at(1, "18:00"),
        ends_at=crew.shop.at(1, "19:00"),
        reason="Painting",
    )
    crew.assign(booking["session_id"], master)
    board = day(crew)

    assert (board["date"], board["unassigned"]) == (str(crew.shop.at(1).date()), 0)
    (location,) = board["locations"]
    assert (location["id"], location["timezone"]) == (crew.shop.location_id, "Europe/Madrid")
    (shown,) = location["rooms"]
    assert shown["id"] == room
    (session,) = shown["sessions"]
    (party,) = session.pop("bookings")
    (person,) = session.pop("staff")
    assert session.pop("game")["state"] == "ready"
    assert session == {
        "id": booking["session_id"],
        "starts_at": session["starts_at"],
        "ends_at": session["ends_at"],
        "occupied_until": session["occupied_until"],
        "local_time": "12:00",
        "mode": "private",
        "status": "booked",
        "capacity": 6,
        "seats_taken": session["seats_taken"],
        "is_unassigned": False,
        "candidates": None,
    }
    assert party == {
        "id": crew.shop.id_of(booking),
        "reference": booking["reference"],
        "status": "confirmed",
        "contact_name": "Ana García",
        "party_size": 2,
        "exclusive": False,
        "customer_note": "",
        "staff_note": "",
        "currency": "EUR",
        "total_cents": 2 * PRICE,
        "paid_cents": PRICE,
        "refunded_cents": 0,
        "open_cents": PRICE,
        "waiver": {"policy": "none", "signed": 0, "needed": 0, "missing": 0},
        "late_minutes": None,
        "mail_problem": None,
    }
    assert person == {
        "user_id": master.id,
        "full_name": person["full_name"],
        "source": "assigned",
        "is_skilled": True,
        "is_on_shift": True,
    }
    assert person["full_name"].startswith("Game Master")
    (block,) = shown["blocks"]
    assert block["reason"] == "Painting"
    assert {one["user_id"]: one["sessions"] for one in location["shifts"]} == {
        master.id: 1,
        able.id: 0,
    }
    assert set(location["shifts"][0]) == {
        "id", "user_id", "full_name", "starts_at", "ends_at", "sessions",
    }  # fmt: skip


def test_what_nobody_runs_is_marked_and_those_who_could_are_named(crew: Crew, room: str) -> None:
    free, busy, absent = (crew.hire(room) for _ in range(3))
    unskilled = crew.hire()
    for person in (free, busy, unskilled):
        crew.shift(person)
    there = crew.add_room()
    crew.assign(crew.session(there), busy)
    crew.assign(crew.session(there, 1, "14:00"), free)
    open_session = crew.session(room)
    board = day(crew)
    assert board["unassigned"] == 1
    (marked,) = [one for one in sessions(board) if one["is_unassigned"]]
    assert (marked["id"], marked["staff"]) == (open_session, [])
    assert marked["candidates"] == [free.id]
    assert absent.id not in str(marked)


def test_whoever_was_assigned_against_the_plan_is_marked_as_such(crew: Crew, room: str) -> None:
    unskilled, former = crew.hire(), crew.hire(room)
    booking = crew.book(room, crew.shop.at(1, "12:00"))
    for person in (unskilled, former):
        crew.assign(booking["session_id"], person)
    crew.shop.move_in_time(booking, timedelta(days=-3))
    crew.by.call("remove_member", organization_id=crew.shop.id, user_id=former.id)
    (shown,) = sessions(day(crew, -2))
    assert {one["user_id"]: one["is_skilled"] for one in shown["staff"]} == {
        unskilled.id: False,
        former.id: False,
    }


def test_everything_lies_on_the_locations_own_day(house: House) -> None:
    crew = open_crew(house, "Far", "Asia/Kathmandu")
    room = crew.add_room()
    person = crew.hire()
    for days, clock in ((1, "22:30"), (2, "00:00"), (2, "22:30"), (3, "00:00")):
        crew.session(room, days, clock)
    for days in (0, 1, 2, 3):
        crew.shift(person, days, "22:00", "00:00")
    crew.shift(crew.hire(), 1, "20:00", "01:00")
    crew.by.call(
        "block_room",
        organization_id=crew.shop.id,
        room_id=crew.add_room(),
        starts_at=crew.shop.at(0, "10:00"),
        ends_at=crew.shop.at(5, "10:00"),
    )
    lifted = crew.by.call(
        "block_room",
        organization_id=crew.shop.id,
        room_id=room,
        starts_at=crew.shop.at(2, "12:00"),
        ends_at=crew.shop.at(2, "13:00"),
    )
    crew.by.call("unblock_room", organization_id=crew.shop.id, session_id=lifted["session_id"])
    board = day(crew, 2)
    assert times(board) == ["00:00", "22:30"]
    (location,) = board["locations"]
    assert len(location["shifts"]) == 2, "also the one that runs on from the evening before"
    assert sorted(len(shown["blocks"]) for shown in location["rooms"]) == [0, 1]
    for other_day in (-1, 6):
        (another,) = day(crew, other_day)["locations"]
        assert [shown["blocks"] for shown in another["rooms"]] == [[], []]


@pytest.mark.parametrize(("date", "hours"), [("2030-03-31", 23), ("2030-10-27", 25)])
def test_a_day_has_as_many_hours_as_its_clock(crew: Crew, room: str, date: str, hours: int) -> None:
    crew.house.owner_sql(
        "select private.claim_session(%s, %s, s, s + interval '30 minutes', s + interval '1 hour',"
        " 'block', 0, 0) from generate_series("
        " (%s::date)::timestamp at time zone 'Europe/Madrid',"
        " (%s::date + 1)::timestamp at time zone 'Europe/Madrid' - interval '1 hour',"
        " interval '1 hour') as s",
        crew.shop.id,
        room,
        date,
        date,
    )
    board = crew.by.call("get_board", organization_id=crew.shop.id, date=date)
    assert len(board["locations"][0]["rooms"][0]["blocks"]) == hours


def test_it_leaves_out_what_fell_through_and_tells_holds_apart(crew: Crew, room: str) -> None:
    crew.shop.cancel(crew.book(room, crew.shop.at(1, "08:00")))
    crew.shop.lapse(crew.book(room, crew.shop.at(1, "10:00"), confirmed=False))
    crew.book(room, crew.shop.at(1, "12:00"), confirmed=False)
    gone = crew.book(room, crew.shop.at(1, "14:00"))
    crew.shop.move(gone, "no_show")
    crew.shop.move_in_time(gone, A_YEAR)  # Back onto the day that is looked at.
    shared = crew.add_room(mode="shared", minimum_party=1)
    start = crew.shop.at(1, "16:00")
    left, stays = crew.book(shared, start), crew.book(shared, start, confirmed=False)
    crew.shop.cancel(left)

    seen = {
        session["local_time"]: (
            session["status"],
            [party["reference"] for party in session["bookings"]],
        )
        for session in sessions(day(crew))
    }
    assert set(seen) == {"12:00", "14:00", "16:00"}
    assert seen["12:00"][0] == "held"
    assert seen["14:00"] == ("booked", [gone["reference"]])
    assert seen["16:00"] == ("held", [stays["reference"]])


def test_what_was_paid_is_told_in_the_words_of_every_answer(crew: Crew, room: str) -> None:
    booking = crew.book(room, crew.shop.at(1, "12:00"))
    crew.shop.pay(booking, 3 * PRICE)
    (session,) = sessions(day(crew))
    assert (session["bookings"][0]["paid_cents"], session["bookings"][0]["open_cents"]) == (
        3 * PRICE,
        0,
    )


def test_one_location_or_all(crew: Crew, room: str) -> None:
    branch = crew.shop.insert("locations", name="Annex", timezone="America/New_York")
    there = crew.add_room(location_id=branch["id"])
    crew.session(room, 1, "12:00")
    crew.session(there, 1, "22:00")
    everywhere = [one["id"] for one in day(crew)["locations"]]
    assert everywhere == [str(branch["id"]), crew.shop.location_id]
    crew.shift(crew.hire(), location_id=branch["id"])
    assert [len(one["shifts"]) for one in day(crew)["locations"]] == [1, 0]
    only = day(crew, 1, location_id=crew.shop.location_id)
    assert [one["id"] for one in only["locations"]] == [crew.shop.location_id]
    assert (times(only), only["unassigned"]) == (["12:00"], 1)
    other = open_crew(crew.house, "Other")
    for location in (other.shop.location_id, str(uuid4())):
        with refused(404, "location_not_found"):
            day(crew, 1, location_id=location)


def test_each_part_takes_the_permission_of_its_table(crew: Crew, room: str) -> None:
    venue = crew.shop.venue
    crew.assign(crew.session(room, 1, "10:00"), crew.hire(room))
    crew.shift(crew.hire(room))
    crew.session(room, 1, "14:00")

    def seen(*permissions: str) -> set[str]:
        role = venue.make_role(f"Reader {len(permissions)} {uuid4()}", permissions)
        board = day(crew, 1, venue.hire(f"reader_{uuid4().hex[:8]}", role))
        assigned, unassigned = sessions(board)
        location = board["locations"][0]
        parts = {
            "contact_name": assigned["bookings"][0]["contact_name"],
            "customer_note": assigned["bookings"][0]["customer_note"],
            "paid_cents": assigned["bookings"][0]["paid_cents"],
            "refunded_cents": assigned["bookings"][0]["refunded_cents"],
            "open_cents": assigned["bookings"][0]["open_cents"],
            "full_name": assigned["staff"][0]["full_name"],
            "is_skilled": assigned["staff"][0]["is_skilled"],
            "is_on_shift": assigned["staff"][0]["is_on_shift"],
            "candidates": unassigned["candidates"],
            "shifts": location["shifts"],
        }
        if location["shifts"] is not None:
            parts["shift's name"] = location["shifts"][0]["full_name"]
        return {name for name, value in parts.items() if value is not None}

    assert seen("bookings:read") == set()
    assert seen("bookings:read", "customers:read") == {"contact_name", "customer_note"}
    assert seen("bookings:read", "payments:read") == {
        "paid_cents", "refunded_cents", "open_cents",
    }  # fmt: skip
    assert seen("bookings:read", "users:read") == {"full_name"}
    assert seen("bookings:read", "shifts:read") == {
        "is_skilled", "is_on_shift", "candidates", "shifts",
    }  # fmt: skip
    assert "shift's name" in seen("bookings:read", "shifts:read", "users:read")


def test_a_game_master_sees_the_day_but_neither_names_nor_money(crew: Crew, room: str) -> None:
    crew.session(room)
    ((party,),) = [one["bookings"] for one in sessions(day(crew, 1, crew.hire()))]
    assert (party["contact_name"], party["paid_cents"]) == (None, None)
    assert party["total_cents"] == 2 * PRICE


def test_nobody_else_reads_it(crew: Crew, room: str) -> None:
    crew.session(room)
    venue = crew.shop.venue
    role = venue.make_role("Nearly", venue.permissions_of(venue.owner) - {"bookings:read"})
    other = open_crew(crew.house, "Other")
    for by in (venue.hire("nearly", role), other.by, crew.house.sign_up("player")):
        with refused(403, "permission_denied"):
            day(crew, 1, by)
    with refused(401, "42501"):
        day(crew, 1, crew.house.nobody)
    assert sessions(day(other)) == []


@pytest.mark.parametrize("date", [None, "infinity", "-infinity"])
def test_the_day_must_be_one(crew: Crew, date: str | None) -> None:
    with refused(422, "date_invalid"):
        crew.by.call("get_board", organization_id=crew.shop.id, date=date)


def test_a_venue_without_locations_has_an_empty_board(house: House) -> None:
    venue = house.open_venue("Empty")
    assert venue.owner.call("get_board", organization_id=venue.id, date="2030-01-01") == {
        "date": "2030-01-01",
        "unassigned": 0,
        "locations": [],
    }


def test_a_longer_game_is_on_shift_only_for_all_of_it(crew: Crew) -> None:
    room = crew.add_room(duration_minutes=90)
    master = crew.hire(room)
    crew.shift(master, 1, "12:00", "13:00")
    session = crew.session(room)
    assert not crew.assign(session, master)["is_on_shift"]
    crew.shift(master, 1, "13:00", "13:30")
    (shown,) = sessions(day(crew))
    assert shown["staff"][0]["is_on_shift"]
    assert shown["occupied_until"] > shown["ends_at"]
