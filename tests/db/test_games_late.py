"""A party that is late: a later start where nobody is harmed, else a shorter game."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from client import Client
from db.booking_world import Row
from db.staffing_world import Crew, open_crew
from db.test_staffing_concurrency import race
from matrix.fixtures import Track
from matrix.house import House
from matrix.promises import refused

MINUTE = timedelta(minutes=1)


@pytest.fixture
def crew(house: House) -> Crew:
    return open_crew(house, "Venue", hold_minutes=120, minimum_notice_minutes=0)


def expected(crew: Crew, room: str | None = None, ahead: timedelta = 20 * MINUTE) -> Row:
    """A party of two whose game of an hour is about to begin; half an hour of turnaround."""
    booking = crew.book(room or crew.add_room(), crew.shop.at(1))
    crew.shop.start_in(booking, ahead)
    return booking


def say(
    crew: Crew, booking: Row, minutes: int | None, by: Client | None = None, **values: Any
) -> Any:
    return (by or crew.shop.visitor).call(
        "announce_late",
        reference=booking["reference"],
        manage_token=booking["manage_token"],
        minutes=minutes,
        **values,
    )


def session_of(crew: Crew, booking: Row) -> Row:
    (row,) = crew.house.owner_sql(
        "select s.* from public.sessions as s where s.id = %s", booking["session_id"]
    )
    return row


def times(crew: Crew, booking: Row, since: Row) -> list[int]:
    """By how many minutes start, end and turnaround's end are later than they were."""
    now = session_of(crew, booking)
    return [(now[n] - since[n]) // MINUTE for n in ("starts_at", "ends_at", "occupied_until")]


def test_a_late_party_starts_later_and_the_board_shows_it(crew: Crew) -> None:
    booking = expected(crew)
    agreed = session_of(crew, booking)
    assert say(crew, booking, 10)["outcome"] == "shifted"
    assert times(crew, booking, agreed) == [10, 10, 10]
    # Counted from what was agreed: again is the same, and later is later.
    assert say(crew, booking, 10)["outcome"] == "shifted"
    assert times(crew, booking, agreed) == [10, 10, 10]
    told = say(crew, booking, 30)
    assert times(crew, booking, agreed) == [30, 30, 30]
    assert told["offered_starts_at"] is None
    assert crew.shop.look(booking)["starts_at"] == told["starts_at"]
    changes = [h for h in crew.shop.history(booking) if h["change"]]
    assert [(h["actor_kind"], h["reason"]) for h in changes] == [
        ("customer", "changed_by_customer")
    ] * 2
    sessions = [
        session
        for days in (0, 1)
        for room in crew.board(crew.shop.at(days).date())["locations"][0]["rooms"]
        for session in room["sessions"]
    ]
    assert [s["bookings"][0]["late_minutes"] for s in sessions] == [30]


def test_who_comes_next_and_who_runs_it_are_not_harmed(crew: Crew) -> None:
    room, there = crew.add_room(), crew.add_room()
    booking, after = expected(crew, room), expected(crew, room, 110 * MINUTE)
    agreed, next_one = session_of(crew, booking), session_of(crew, after)
    assert agreed["occupied_until"] == next_one["starts_at"]
    assert say(crew, booking, 25)["outcome"] == "shifted"
    assert times(crew, booking, agreed) == [25, 25, 0]
    assert times(crew, after, next_one) == [0, 0, 0]
    # A game master who is needed elsewhere right after stays free for it.
    alone, elsewhere = expected(crew), expected(crew, there, 115 * MINUTE)
    agreed, master = session_of(crew, alone), crew.hire()
    for one in (alone, elsewhere):
        crew.assign(one["session_id"], master)
    assert say(crew, alone, 20)["outcome"] == "shifted"
    assert times(crew, alone, agreed) == [20, 20, 0]
    assert crew.staff(alone["session_id"]) == crew.staff(elsewhere["session_id"]) == {master.id}
    crew.assert_sound()


def test_later_than_the_turnaround_a_shorter_game_is_offered(crew: Crew) -> None:
    booking = expected(crew)
    agreed = session_of(crew, booking)
    offered = say(crew, booking, 45)
    assert offered["outcome"] == "shorter_offered"
    assert times(crew, booking, agreed) == [0, 0, 0]
    taken = say(crew, booking, 45, accept_shorter=True)
    assert taken["outcome"] == "shortened"
    assert (taken["starts_at"], taken["ends_at"]) == (
        offered["offered_starts_at"],
        offered["offered_ends_at"],
    )
    assert times(crew, booking, agreed) == [45, 30, 0]
    assert say(crew, booking, 45)["outcome"] == "shortened"
    # Less than half of it would be left: the venue decides.
    other = expected(crew)
    agreed = session_of(crew, other)
    assert say(crew, other, 61, accept_shorter=True)["outcome"] == "noted"
    assert times(crew, other, agreed) == [0, 0, 0]


def test_strangers_do_not_wait(crew: Crew) -> None:
    room = crew.add_room(mode="shared")
    starts = crew.shop.at(1)
    late, punctual = crew.book(room, starts), crew.book(room, starts)
    crew.shop.start_in(late, 5 * MINUTE)
    agreed = session_of(crew, late)
    assert say(crew, late, 10)["outcome"] == "noted"
    assert times(crew, punctual, agreed) == [0, 0, 0]


def test_only_the_party_says_so_and_only_on_the_day(crew: Crew) -> None:
    booking, other = expected(crew), expected(crew)
    with refused(404, "booking_not_found"):
        say(crew, {**booking, "manage_token": other["manage_token"]}, 10)
    for minutes in (0, 121, None):
        with refused(422, "minutes_invalid"):
            say(crew, booking, minutes)
    with refused(409, "late_not_possible"):
        say(crew, crew.book(crew.add_room(), crew.shop.at(3)), 10)
    crew.shop.move_now(booking, "checked_in")
    with refused(409, "late_not_possible"):
        say(crew, booking, 10)
    with refused(403, "42501"):
        crew.by.change("update public.late_arrivals set minutes = 1")


def test_a_late_party_and_who_books_the_time_after_it_never_meet(track: Track) -> None:
    crew = open_crew(track.house, track.name("Venue"), hold_minutes=120, minimum_notice_minutes=0)
    visitor, desk = track.alone(crew.shop.visitor), track.alone(crew.by)
    for _ in range(4):
        room = crew.add_room()
        booking = expected(crew, room)
        agreed = session_of(crew, booking)
        results = race(
            [
                partial(say, crew, booking, 20, visitor),
                partial(
                    desk.call,
                    "create_booking",
                    organization_id=crew.shop.id,
                    room_id=room,
                    starts_at=agreed["occupied_until"],
                    party_size=2,
                    customer={"full_name": "Next"},
                    idempotency_key=f"next {room}",
                ),
            ]
        )
        # Whoever books loses only to a turnaround that was moved first; the late party plays.
        assert results["ok"] + results["409 slot_taken"] == 2
        assert times(crew, booking, agreed)[:2] == [20, 20]
        assert (
            crew.house.one(
                "select count(*) from public.sessions as a join public.sessions as b"
                " on b.room_id = a.room_id and b.id > a.id and b.during && a.during"
                " where a.room_id = %s and a.status <> 'cancelled' and b.status <> 'cancelled'",
                room,
            )
            == 0
        )
