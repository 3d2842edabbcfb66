"""Several people plan at once: real connections, committed transactions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any

import psycopg
import pytest

from client import Client, Refused
from db.booking_world import Row
from db.staffing_world import Crew, open_crew
from matrix.fixtures import Track


@pytest.fixture
def crew(track: Track) -> Crew:
    return open_crew(track.house, track.name("Venue"), hold_minutes=120)


def race(works: list[Callable[[], Any]]) -> Counter[str]:
    """Do all this at the same moment; how often it went well, and each refusal."""
    start = Barrier(len(works))

    def run(work: Callable[[], Any]) -> str:
        start.wait()
        try:
            work()
        except Refused as refusal:
            return f"{refusal.status} {refusal.code}"
        return "ok"

    with ThreadPoolExecutor(len(works)) as pool:
        return Counter(pool.map(run, works))


def test_one_person_gets_one_of_the_sessions_of_a_time(track: Track, crew: Crew) -> None:
    rooms = [crew.add_room() for _ in range(6)]
    managers = [crew.at(track.alone(crew.by)) for _ in rooms]
    for hour in range(10, 20, 2):
        master = crew.hire()
        sessions = [crew.session(room, 1, f"{hour}:00") for room in rooms]
        results = race(
            [
                partial(who.assign, session, master)
                for who, session in zip(managers, sessions, strict=True)
            ]
        )
        assert results == {"ok": 1, "409 game_master_busy": len(rooms) - 1}
        assert sum(len(crew.staff(session)) for session in sessions) == 1
    crew.assert_sound()


def test_a_session_is_claimed_once(track: Track, crew: Crew) -> None:
    room = crew.add_room()
    people = [track.alone(crew.hire(room)) for _ in range(6)]
    for hour in range(10, 20, 2):
        session = crew.session(room, 1, f"{hour}:00")
        results = race([partial(crew.claim, session, one) for one in people])
        assert results == {"ok": 1, "409 session_has_game_master": len(people) - 1}
        assert len(crew.staff(session)) == 1


def test_the_same_assignment_twice_at_once_is_one(track: Track, crew: Crew) -> None:
    session, master = crew.session(crew.add_room()), crew.hire()
    managers = [crew.at(track.alone(crew.by)) for _ in range(6)]
    assert race([partial(who.assign, session, master) for who in managers]) == {"ok": 6}
    assert crew.staff(session) == {master.id}


def test_two_automatic_runs_at_once_give_each_session_one_game_master(
    track: Track, crew: Crew
) -> None:
    rooms = [crew.add_room() for _ in range(3)]
    for person in [crew.hire(*rooms) for _ in range(4)]:
        crew.shift(person)
    for room in rooms:
        for hour in range(10, 20, 2):
            crew.session(room, 1, f"{hour}:00")
    managers = [crew.at(track.alone(crew.by)) for _ in range(3)]
    answers: list[Any] = []

    def fill(who: Crew) -> None:
        answers.append(who.fill())

    assert race([partial(fill, who) for who in managers]) == {"ok": 3}
    assert sorted(len(answer["assigned"]) for answer in answers) == [0, 0, 15]
    assert all(answer["unassigned"] == [] for answer in answers)
    assert crew.shop.venue.count("session_staff") == 15
    crew.assert_sound()


def test_an_assignment_waits_for_a_cancellation_and_finds_it(track: Track, crew: Crew) -> None:
    booking, master = crew.book(crew.add_room(), crew.shop.at(1, "12:00")), crew.hire()
    guest, manager = track.alone(crew.shop.visitor), crew.at(track.alone(crew.by))
    with guest.connection.transaction():
        cancel(guest, booking)
        racer = track.start(manager.by, lambda: manager.assign(booking["session_id"], master))
        track.wait_until_blocked(racer)
    assert getattr(racer.outcome(), "code", None) == "session_not_open"
    assert crew.staff(booking["session_id"]) == set()


def test_a_cancellation_waits_for_an_assignment_and_releases_it(track: Track, crew: Crew) -> None:
    booking, master = crew.book(crew.add_room(), crew.shop.at(1, "12:00")), crew.hire()
    guest, manager = track.alone(crew.shop.visitor), crew.at(track.alone(crew.by))
    with manager.by.connection.transaction():
        manager.assign(booking["session_id"], master)
        racer = track.start(guest, lambda: cancel(guest, booking))
        track.wait_until_blocked(racer)
    outcome = racer.outcome()
    assert isinstance(outcome, dict)
    assert outcome["status"] == "cancelled"
    assert crew.staff(booking["session_id"]) == set()


def test_an_assignment_waits_for_a_suspension_and_finds_it(track: Track, crew: Crew) -> None:
    session, master = crew.session(crew.add_room()), crew.hire()
    first, second = crew.at(track.alone(crew.by)), crew.at(track.alone(crew.by))
    with first.by.connection.transaction():
        first.by.call("suspend_member", organization_id=crew.shop.id, user_id=master.id)
        racer = track.start(second.by, lambda: second.assign(session, master))
        track.wait_until_blocked(racer)
    assert getattr(racer.outcome(), "code", None) == "member_not_found"
    crew.assert_sound()


def test_a_removal_waits_for_an_assignment_and_releases_it(track: Track, crew: Crew) -> None:
    session, master = crew.session(crew.add_room()), crew.hire()
    first, second = crew.at(track.alone(crew.by)), crew.at(track.alone(crew.by))
    member = {"organization_id": crew.shop.id, "user_id": master.id}
    with first.by.connection.transaction():
        first.assign(session, master)
        racer = track.start(second.by, lambda: second.by.call("remove_member", **member))
        track.wait_until_blocked(racer)
    assert racer.outcome() == []
    crew.assert_sound()
    assert crew.staff(session) == set()


def test_a_suspension_waits_for_a_move_and_releases_the_person_at_the_new_time(
    track: Track, crew: Crew
) -> None:
    session, master = crew.session(crew.add_room()), crew.hire()
    crew.assign(session, master)
    first, second = crew.at(track.alone(crew.by)), crew.at(track.alone(crew.by))
    member = {"organization_id": crew.shop.id, "user_id": master.id}
    with first.by.connection.transaction():
        first.retime(session, crew.shop.at(1, "18:00"))
        racer = track.start(second.by, lambda: second.by.call("suspend_member", **member))
        track.wait_until_blocked(racer)
    assert isinstance(racer.outcome(), dict)
    crew.assert_sound()
    assert crew.staff(session) == set()


def test_an_automatic_run_waits_for_no_other_organization(track: Track, crew: Crew) -> None:
    other = open_crew(track.house, track.name("Other"))
    stranger = other.at(track.alone(other.by))
    member = {"organization_id": other.shop.id, "user_id": other.hire().id}
    room = crew.add_room()
    crew.shift(crew.hire(room))
    session = crew.session(room)
    with stranger.by.connection.transaction(force_rollback=True):
        stranger.by.call("suspend_member", **member)
        stranger.fill()
        assert [one["session_id"] for one in crew.fill()["assigned"]] == [session]


def test_a_session_that_moves_waits_for_those_alone_who_run_it(track: Track, crew: Crew) -> None:
    """Neither for a colleague, nor for the same person's membership elsewhere."""
    other = open_crew(track.house, track.name("Other"))
    room = crew.add_room()
    master, colleague = crew.hire(room), crew.hire(room)
    email = track.house.one("select email from public.profiles where user_id = %s", master.id)
    other.shop.venue.admit(master, email)
    session, second = crew.session(room), crew.session(room, 1, "16:00")
    crew.assign(session, master)
    crew.assign(second, colleague)
    busy, elsewhere = crew.at(track.alone(crew.by)), other.at(track.alone(other.by))
    with (
        busy.by.connection.transaction(force_rollback=True),
        elsewhere.by.connection.transaction(force_rollback=True),
    ):
        for venue, member in ((busy, colleague), (elsewhere, master)):
            venue.house.owner_sql(
                "select from public.memberships where organization_id = %s and user_id = %s"
                " for update",
                venue.shop.id,
                member.id,
            )
        crew.retime(session, crew.shop.at(1, "08:00"))
    assert crew.in_charge() == {session: master.id, second: colleague.id}


def test_an_automatic_run_waits_for_no_session(track: Track, crew: Crew) -> None:
    """Somebody else is changing one of them: the run leaves it to the next one."""
    room = crew.add_room()
    crew.shift(crew.hire(room))
    booking, other = crew.book(room, crew.shop.at(1, "12:00")), crew.session(room, 1, "14:00")
    guest = track.alone(crew.shop.visitor)
    with guest.connection.transaction(force_rollback=True):
        cancel(guest, booking)
        answer = crew.fill()
        assert [one["session_id"] for one in answer["assigned"]] == [other]
        assert [(one["session_id"], one["reason"]) for one in answer["unassigned"]] == [
            (booking["session_id"], "session_busy")
        ]
    assert [one["session_id"] for one in crew.fill()["assigned"]] == [booking["session_id"]]


def test_a_run_does_not_wait_for_somebody_who_is_being_released(track: Track, crew: Crew) -> None:
    """It holds sessions that the other may want next: waiting could end in a deadlock."""
    room, there = crew.add_room(), crew.add_room()
    master = crew.hire(room, there)
    crew.shift(master)
    booking, wanted = crew.book(room, crew.shop.at(1, "12:00")), crew.session(there, 1, "12:30")
    crew.assign(booking["session_id"], master)
    guest = track.alone(crew.shop.visitor)
    with guest.connection.transaction():
        cancel(guest, booking)
        assert [one["reason"] for one in crew.fill()["unassigned"]] == ["nobody_free"]
    assert [one["session_id"] for one in crew.fill()["assigned"]] == [wanted]


def test_two_managers_who_plan_one_person_at_once_make_one_shift(track: Track, crew: Crew) -> None:
    person = crew.hire()
    first, second = (track.alone(crew.by) for _ in range(2))

    with first.connection.transaction():
        crew_of_first = crew.at(first)
        crew_of_first.shift(person, 1, "10:00", "14:00")
        racer = track.start(second, lambda: crew.at(second).shift(person, 1, "12:00", "16:00"))
        track.wait_until_blocked(racer)
    outcome = racer.outcome()
    assert getattr(outcome, "code", outcome) == "shift_overlaps"
    (kept,) = crew.by.select("select starts_at, ends_at from public.staff_shifts")
    assert kept["ends_at"] - kept["starts_at"] == timedelta(hours=4)


def test_many_who_plan_one_person_at_once_make_one_shift_and_no_deadlock(
    track: Track, crew: Crew
) -> None:
    person, managers = crew.hire(), [crew.at(track.alone(crew.by)) for _ in range(6)]
    for day in range(1, 6):
        results = race(
            [
                partial(who.shift, person, day, f"{10 + number}:00", "20:00")
                for number, who in enumerate(managers)
            ]
        )
        assert results == {"ok": 1, "409 shift_overlaps": len(managers) - 1}


def test_any_mixture_of_plans_leaves_nobody_in_two_places(track: Track, crew: Crew) -> None:
    rooms = [crew.add_room() for _ in range(3)]
    shared = crew.add_room(mode="shared", minimum_party=1)
    rooms.append(shared)
    people = [crew.hire(*rooms) for _ in range(4)]
    for person in people:
        crew.shift(person)
    starts = [crew.shop.at(1, f"{10 + n // 2}:{n % 2 * 30:02}") for n in range(8)]
    bookings = [crew.book(room, starts[0]) for room in rooms]
    allowed = {
        "409 slot_taken",
        "409 game_master_busy",
        "409 session_has_game_master",
        "409 session_not_open",
        "409 not_cancellable",
        "409 transition_not_allowed",
        "404 member_not_found",
        "404 assignment_not_found",
        "403 permission_denied",
        "room taken",
    }

    def work(number: int) -> Counter[str]:
        chance = random.Random(number)
        mine = crew.at(track.alone(crew.by))
        done: Counter[str] = Counter()
        start.wait()
        for turn in range(30):
            try:
                step(chance, mine, f"{number}-{turn}")
                done["ok"] += 1
            except Refused as refusal:
                done[f"{refusal.status} {refusal.code}"] += 1
            except psycopg.errors.ExclusionViolation:
                done["room taken"] += 1
        return done

    def step(chance: random.Random, mine: Crew, _key: str) -> None:
        booking, person = chance.choice(bookings), chance.choice(people)
        session = booking["session_id"]
        member = {"organization_id": crew.shop.id, "user_id": person.id}
        match chance.choice(
            ["book"] * 4 + ["assign"] * 6 + ["claim"] * 3 + ["release"] * 2 + ["move"] * 3
            + ["cancel", "cancel", "fill", "fill", "suspend", "reactivate", "reactivate"]
        ):  # fmt: skip
            case "book":
                bookings.append(mine.book(chance.choice(rooms), chance.choice(starts)))
            case "assign":
                mine.assign(session, person)
            case "claim":
                one = Client(mine.by.connection, person.caller)
                mine.claim(session, one.at(crew.shop.id))
            case "release":
                mine.release(session, person)
            case "move":
                mine.retime(session, chance.choice(starts))
            case "cancel":
                cancel(Client(mine.by.connection, crew.shop.visitor.caller), booking)
            case "fill":
                mine.fill()
            case "suspend":
                mine.by.call("suspend_member", **member)
            case "reactivate":
                mine.by.call("reactivate_member", **member)

    start = Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(work, range(8)), Counter[str]())
    assert set(total) <= {"ok", *allowed}, total
    assert total["ok"] > 60, total
    crew.assert_sound()


def cancel(client: Client, booking: Row) -> Row:
    cancelled: Row = client.call(
        "cancel_booking", reference=booking["reference"], manage_token=booking["manage_token"]
    )
    return cancelled
