"""Who runs which session: assigning, claiming, releasing, and following the session."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client import Client, Refused
from db.staffing_world import Crew, open_crew
from matrix.house import House
from matrix.promises import refused


@pytest.fixture
def crew(house: House) -> Crew:
    return open_crew(house, "Venue", hold_minutes=120)


@pytest.fixture
def room(crew: Crew) -> str:
    return crew.add_room()


@pytest.fixture
def master(crew: Crew, room: str) -> Client:
    return crew.hire(room)


class TestAssigning:
    def test_tells_whether_the_person_is_skilled_and_on_shift(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        session = crew.session(room)
        assert crew.assign(session, master) == {
            "session_id": session,
            "user_id": master.id,
            "source": "assigned",
            "is_skilled": True,
            "is_on_shift": False,
        }
        crew.shift(master)
        other = crew.hire()
        assert crew.assign(session, master)["is_on_shift"]
        assert not crew.assign(session, other)["is_skilled"]
        assert crew.staff(session) == {master.id, other.id}

    def test_is_for_those_who_hold_the_permission(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        session = crew.session(room)
        venue = crew.shop.venue
        allowed = [crew.hire(role=role) for role in ("admin", "manager", "receptionist")]
        for by in (*allowed, venue.make_key(["bookings:assign"])[0]):
            crew.assign(session, master, by)
            crew.release(session, master, by)
        everything_else = venue.permissions_of(venue.owner) - {"bookings:assign"}
        denied = [
            master,
            venue.hire("nearly", venue.make_role("Nearly", everything_else)),
            venue.make_key(["bookings:claim", "bookings:read", "bookings:update"])[0],
            open_crew(crew.house, "Other").by,
            crew.house.sign_up("player"),
        ]
        for by in denied:
            with refused(403, "permission_denied"):
                crew.assign(session, master, by)
            with refused(403, "permission_denied"):
                crew.fill(by=by)
            if by is master:  # who may give back what they claimed, and asks for nothing else here
                crew.release(session, master, by)
                continue
            with refused(403, "permission_denied"):
                crew.release(session, master, by)
        for function in ("assign_game_master", "unassign_game_master"):
            with refused(401, "42501"):
                crew.house.nobody.call(
                    function, organization_id=crew.shop.id, session_id=session, user_id=master.id
                )
        assert crew.staff(session) == set()

    def test_nobody_writes_the_table(self, crew: Crew, room: str, master: Client) -> None:
        session = crew.session(room)
        crew.assign(session, master)
        for statement in (
            "delete from public.session_staff",
            "update public.session_staff set source = 'claimed'",
            "insert into public.session_staff select * from public.session_staff",
        ):
            with refused(403, "42501"):
                crew.by.change(statement)
        seen = "select user_id::text from public.session_staff"
        assert master.select(seen) == [{"user_id": master.id}]
        assert open_crew(crew.house, "Other").by.select(seen) == []

    def test_a_person_is_in_one_place_the_turnaround_included(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        there, here = crew.add_room(), crew.session(room, 1, "12:00")
        crew.assign(here, master)
        # Work at other times, and what others do, is in nobody's way.
        crew.assign(crew.session(room, 1, "08:00"), master)
        crew.assign(crew.session(crew.add_room(), 1, "11:30"), crew.hire())
        for clock in ("11:00", "12:00", "13:00"):
            booking = crew.book(there, crew.shop.at(1, clock))
            with refused(409, "game_master_busy") as caught:
                crew.assign(booking["session_id"], master)
            assert caught.value.details["session_id"] == here
            assert set(caught.value.details) == {"session_id", "starts_at", "occupied_until"}
            crew.shop.cancel(booking)
        # A game and its turnaround take an hour and a half: these two only touch it.
        for clock in ("10:30", "13:30"):
            crew.assign(crew.session(there, 1, clock), master)
        crew.assert_sound()

    def test_a_person_of_two_organizations_has_two_lives(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        other = open_crew(crew.house, "Other")
        address = crew.house.one("select email from public.profiles where user_id = %s", master.id)
        other.shop.venue.admit(master, address)
        mine, theirs = crew.session(room), other.session(other.add_room())
        crew.assign(mine, master)
        other.assign(theirs, master)
        assert crew.staff(mine) == other.staff(theirs) == {master.id}

        # What happens to one of the twins does not happen to the other.
        crew.by.call("remove_member", organization_id=crew.shop.id, user_id=master.id)
        assert (crew.staff(mine), other.staff(theirs)) == (set(), {master.id})

    def test_needs_a_session_that_stands_and_is_the_venues_own(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        other = open_crew(crew.house, "Other")
        for session in (str(uuid4()), other.session(other.add_room())):
            with refused(404, "session_not_found"):
                crew.assign(session, master)
        block = crew.by.call(
            "block_room",
            organization_id=crew.shop.id,
            room_id=room,
            starts_at=crew.shop.at(1, "10:00"),
            ends_at=crew.shop.at(1, "11:00"),
        )
        booking = crew.book(room, crew.shop.at(1, "12:00"))
        crew.shop.cancel(booking)
        for session in (block["session_id"], booking["session_id"]):
            with refused(409, "session_not_open"):
                crew.assign(session, master)

    def test_a_session_that_is_over_can_still_be_given_for_the_record(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        booking = crew.book(room, crew.shop.at(1, "12:00"))
        crew.shop.move_in_time(booking, timedelta(days=-5))
        assert crew.assign(booking["session_id"], master)["source"] == "assigned"

    def test_only_active_members_are_assigned(self, crew: Crew, room: str) -> None:
        session, member = crew.session(room), {"organization_id": crew.shop.id}
        suspended, former = crew.hire(room), crew.hire(room)
        crew.by.call("suspend_member", **member, user_id=suspended.id)
        crew.by.call("remove_member", **member, user_id=former.id)
        visitor = crew.house.sign_up("operator")
        crew.house.admit_platform_admin(visitor)
        visitor.call("platform_enter_organization", **member, reason="Something is wrong")
        strangers = (open_crew(crew.house, "Other").hire(), crew.house.sign_up("player"))
        for person in (suspended, former, visitor, *strangers):
            with refused(404, "member_not_found"):
                crew.assign(session, person)
        assert crew.staff(session) == set()
        crew.by.call("reactivate_member", **member, user_id=suspended.id)
        crew.assign(session, suspended)

    def test_rests_while_the_organization_is_suspended(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        session = crew.session(room)
        crew.claim(session, master)
        operator = crew.house.sign_up("operator")
        crew.house.admit_platform_admin(operator)
        operator.call(
            "platform_suspend_organization", organization_id=crew.shop.id, reason="Unpaid"
        )
        for work in (
            lambda: crew.assign(session, master),
            lambda: crew.release(session, master),
            lambda: crew.release(session, master, master),
            lambda: crew.claim(session, master),
            crew.fill,
        ):
            with refused(403, "organization_suspended"):
                work()
        assert crew.board(crew.shop.at(1).date())["unassigned"] == 0


class TestClaiming:
    def test_a_game_master_takes_an_open_session_once(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        session = crew.session(room)
        first = crew.claim(session, master)
        assert (first["source"], first["is_skilled"]) == ("claimed", True)
        assert crew.claim(session, master) == first
        with refused(409, "session_has_game_master"):
            crew.claim(session, crew.hire(room))
        assert crew.staff(session) == {master.id}

    def test_takes_a_skill_for_that_room_in_that_venue(self, crew: Crew, room: str) -> None:
        session, person = crew.session(room), crew.hire(crew.add_room())
        other = open_crew(crew.house, "Other")
        address = crew.house.one("select email from public.profiles where user_id = %s", person.id)
        other.shop.venue.admit(person, address)
        other.teach(person, other.add_room())
        for one in (person.at(crew.shop.id), crew.by):
            with refused(409, "not_skilled"):
                crew.claim(session, one)
        crew.teach(person, room)
        crew.claim(session, person.at(crew.shop.id))

    def test_takes_the_permission_and_a_person(self, crew: Crew, room: str) -> None:
        session, venue = crew.session(room), crew.shop.venue
        role = venue.make_role("Nearly", venue.permissions_of(crew.by) - {"bookings:claim"})
        nearly = crew.hire(room, role=role)
        for person in (nearly, crew.house.sign_up("player"), open_crew(crew.house, "Other").by):
            with refused(403, "permission_denied"):
                crew.claim(session, person)
        with refused(403, "user_required"):
            crew.claim(session, venue.make_key(["bookings:claim"])[0])
        with refused(401, "42501"):
            crew.claim(session, crew.house.nobody)
        visitor = crew.house.sign_up("operator")
        crew.house.admit_platform_admin(visitor)
        visitor.call(
            "platform_enter_organization", organization_id=crew.shop.id, reason="To look around"
        )
        with refused(404, "member_not_found"):
            crew.claim(session, visitor.at(crew.shop.id))

    def test_a_busy_person_and_a_session_that_is_none_are_refused(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        there = crew.add_room()
        crew.teach(master, there)
        crew.claim(crew.session(room), master)
        with refused(409, "game_master_busy"):
            crew.claim(crew.session(there, 1, "12:30"), master)
        over = crew.book(room, crew.shop.at(2, "12:00"))
        crew.shop.move_in_time(over, timedelta(days=-3))
        cancelled = crew.book(room, crew.shop.at(3, "12:00"))
        crew.shop.cancel(cancelled)
        for booking in (over, cancelled):
            with refused(409, "session_not_open"):
                crew.claim(booking["session_id"], master)
        with refused(404, "session_not_found"):
            crew.claim(str(uuid4()), master)

    def test_one_gives_back_what_one_took_before_it_starts(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        session = crew.session(room)
        crew.claim(session, master)
        with refused(403, "permission_denied"):
            crew.release(session, master, crew.hire(room))
        assert crew.release(session, master, master) == {
            "session_id": session,
            "user_id": master.id,
        }
        assert crew.staff(session) == set()

        crew.assign(session, master)
        with refused(403, "permission_denied"):
            crew.release(session, master, master)

        started = crew.book(room, crew.shop.at(2, "12:00"))
        crew.claim(started["session_id"], master)
        crew.shop.move_in_time(started, timedelta(days=-3))
        with refused(403, "permission_denied"):
            crew.release(started["session_id"], master, master)
        crew.release(started["session_id"], master)

    def test_a_key_with_the_permission_to_claim_gives_nothing_back(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        session = crew.session(room)
        crew.claim(session, master)
        key, _ = crew.shop.venue.make_key(["bookings:claim"])
        with refused(403, "permission_denied"):
            crew.release(session, master, key)

    def test_one_who_may_no_longer_claim_gives_nothing_back_alone(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        session, venue = crew.session(room), crew.shop.venue
        crew.claim(session, master)
        crew.by.call(
            "set_member_role",
            organization_id=venue.id,
            user_id=master.id,
            role_id=venue.make_role("Reader", ["bookings:read"]),
        )
        with refused(403, "permission_denied"):
            crew.release(session, master, master)

    def test_nobody_is_released_who_does_not_run_it(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        session = crew.session(room)
        other = open_crew(crew.house, "Other")
        theirs = other.session(other.add_room())
        other.assign(theirs, other.by)
        crew.release(session, master)
        for session_id, person in ((str(uuid4()), master), (theirs, other.by)):
            with refused(404, "assignment_not_found"):
                crew.release(session_id, person)
        assert other.staff(theirs) == {other.by.id}


class TestFollowing:
    def test_a_cancelled_session_releases_its_staff(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        booking = crew.book(room, crew.shop.at(1, "12:00"))
        crew.assign(booking["session_id"], master)
        crew.shop.cancel(booking)
        assert crew.staff(booking["session_id"]) == set()
        crew.assign(crew.session(crew.add_room()), master)

    def test_a_session_with_a_party_left_keeps_its_staff(self, crew: Crew) -> None:
        room = crew.add_room(mode="shared", minimum_party=1)
        start = crew.shop.at(1, "12:00")
        first, second = crew.book(room, start), crew.book(room, start)
        master = crew.hire()
        crew.assign(first["session_id"], master)
        crew.shop.cancel(first)
        assert crew.staff(second["session_id"]) == {master.id}
        crew.shop.cancel(second)
        assert crew.staff(second["session_id"]) == set()

    def test_money_that_came_too_late_brings_the_session_back_without_staff(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        booking = crew.book(room, crew.shop.at(1, "12:00"), confirmed=False)
        crew.assign(booking["session_id"], master)
        crew.shop.lapse(booking)
        crew.house.service.call("service.sweep")
        crew.house.owner_sql(
            "select private.reclaim_booking(%s, %s)", crew.shop.id, crew.shop.id_of(booking)
        )
        assert crew.by.select("select from public.session_staff") == []

    def test_a_session_that_moves_takes_its_staff_along(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        session, other = crew.session(room, 1, "12:00"), crew.hire()
        crew.assign(session, master)
        crew.assign(session, other)
        crew.retime(session, crew.shop.at(1, "18:00"))
        assert crew.staff(session) == {master.id, other.id}
        crew.assert_sound()
        there = crew.add_room()
        crew.assign(crew.session(there, 1, "12:00"), master)
        with refused(409, "game_master_busy"):
            crew.assign(crew.session(there, 1, "18:00"), master)

    def test_a_longer_turnaround_is_followed(self, crew: Crew, room: str, master: Client) -> None:
        session = crew.session(room, 1, "12:00")
        crew.assign(session, master)
        crew.house.owner_sql(
            "update public.sessions set occupied_until = occupied_until + interval '1 hour'"
            " where id = %s",
            session,
        )
        crew.assert_sound()
        with refused(409, "game_master_busy"):
            crew.assign(crew.session(crew.add_room(), 1, "14:00"), master)

    def test_a_session_that_moves_onto_other_work_releases_only_whom_that_concerns(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        there, other = crew.add_room(), crew.hire()
        moves, stays = crew.session(room, 1, "12:00"), crew.session(there, 1, "18:00")
        for person in (master, other):
            crew.assign(moves, person)
        crew.assign(stays, master)
        crew.retime(moves, crew.shop.at(1, "17:30"))
        assert (crew.staff(moves), crew.staff(stays)) == ({other.id}, {master.id})
        crew.assert_sound()

    def test_sessions_that_change_places_in_one_statement_keep_their_staff(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        there, third = crew.add_room(), crew.add_room()
        sessions = [
            crew.session(place, 1, clock)
            for place, clock in ((room, "12:00"), (there, "14:00"), (third, "16:00"))
        ]
        for session in sessions:
            crew.assign(session, master)
        crew.house.owner_sql(
            "update public.sessions set starts_at = starts_at + m.by, ends_at = ends_at + m.by,"
            " occupied_until = occupied_until + m.by"
            " from (select interval '2 hours' as by) as m"
            " where id = any (%s::uuid [])",
            sessions,
        )
        assert [crew.staff(session) for session in sessions] == [{master.id}] * 3
        crew.assert_sound()

    def test_whoever_is_suspended_or_leaves_is_released_from_what_is_to_come(
        self, crew: Crew, room: str
    ) -> None:
        ways = {
            "suspend_member": crew.hire(),
            "remove_member": crew.hire(),
            "leave_organization": crew.hire(),
        }
        keeper = crew.hire()
        to_come, past = {}, {}
        for number, (way, person) in enumerate(ways.items()):
            to_come[way] = crew.session(room, 2 + number)
            booking = crew.book(room, crew.shop.at(2 + number, "18:00"))
            past[way] = booking["session_id"]
            for session in (to_come[way], past[way]):
                crew.assign(session, person)
            crew.assign(to_come[way], keeper)
            crew.shop.move_in_time(booking, timedelta(days=-10))
        for way, person in ways.items():
            if way == "leave_organization":
                person.call(way, organization_id=crew.shop.id)
            else:
                crew.by.call(way, organization_id=crew.shop.id, user_id=person.id)
            assert crew.staff(to_come[way]) == {keeper.id}, way
            assert crew.staff(past[way]) == {person.id}, "who ran a game is remembered"
        crew.assert_sound()

    def test_a_new_role_or_a_lost_skill_releases_nobody(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        session = crew.session(room)
        crew.assign(session, master)
        crew.by.call(
            "set_member_role",
            organization_id=crew.shop.id,
            user_id=master.id,
            role_id=crew.shop.venue.role("receptionist"),
        )
        crew.by.change("delete from public.staff_skills")
        assert crew.staff(session) == {master.id}

    def test_an_account_that_is_deleted_takes_its_assignments_along(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        session = crew.session(room)
        crew.assign(session, master)
        crew.house.connection.execute("delete from auth.users where id = %s", [master.id])
        assert crew.staff(session) == set()


class TestAutomatically:
    def test_skilled_people_on_shift_run_what_is_booked(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        crew.shift(master)
        session = crew.session(room)
        held = crew.book(room, crew.shop.at(1, "18:00"), confirmed=False)
        answer = crew.fill()
        assert answer == {
            "assigned": [
                {
                    "session_id": session,
                    "room_id": room,
                    "starts_at": answer["assigned"][0]["starts_at"],
                    "user_id": master.id,
                }
            ],
            "unassigned": [],
        }
        assert crew.staff(held["session_id"]) == set(), "what is only held waits"
        assert crew.fill() == {"assigned": [], "unassigned": []}
        (row,) = crew.by.select("select source from public.session_staff")
        assert row == {"source": "automatic"}

    def test_says_why_a_session_is_left_without(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        unknown, other = crew.add_room(), crew.add_room()
        crew.teach(master, other)
        crew.shift(master, 1)
        sessions = {
            crew.session(unknown): "nobody_skilled",
            crew.session(room, 2): "nobody_on_shift",
            crew.session(room): None,
            crew.session(other, 1, "12:30"): "nobody_free",
        }
        answer = crew.fill(1, 2)
        assert [one["session_id"] for one in answer["assigned"]] == [
            session for session, reason in sessions.items() if reason is None
        ]
        assert {one["session_id"]: one["reason"] for one in answer["unassigned"]} == {
            session: reason for session, reason in sessions.items() if reason
        }
        assert set(answer["unassigned"][0]) == {"session_id", "room_id", "starts_at", "reason"}

    def test_of_two_who_have_as_much_whoever_knows_fewer_rooms_goes(
        self, crew: Crew, room: str
    ) -> None:
        """Whoever knows more is kept for what nobody else can run."""
        knows_more, knows_one = sorted((crew.hire(room), crew.hire(room)), key=lambda p: p.id)
        crew.teach(knows_more, crew.add_room())
        for person in (knows_more, knows_one):
            crew.shift(person)
        session = crew.session(room)
        crew.fill()
        assert crew.staff(session) == {knows_one.id}

    @pytest.mark.parametrize(
        ("shifts", "is_on_shift"),
        [
            ([("12:00", "13:00")], True),
            ([("12:01", "13:00")], False),
            ([("12:00", "12:59")], False),
            ([("08:00", "12:30"), ("12:30", "20:00")], True),
            ([("08:00", "12:30"), ("12:31", "20:00")], False),
            ([("22:00", "13:00")], None),
        ],
    )
    def test_a_shift_covers_the_whole_game_but_not_the_turnaround(
        self,
        crew: Crew,
        room: str,
        master: Client,
        shifts: list[tuple[str, str]],
        is_on_shift: bool | None,
    ) -> None:
        for from_time, to_time in shifts:
            # One that runs through the night began the day before.
            crew.shift(master, 1 if is_on_shift is None else 2, from_time, to_time)
        session = crew.session(room, 2, "12:00")
        crew.fill(2, 2)
        assert crew.staff(session) == (set() if is_on_shift is False else {master.id})

    def test_a_shift_counts_where_the_room_is(self, crew: Crew, room: str, master: Client) -> None:
        branch = crew.shop.insert("locations", name="Branch", timezone="Europe/Madrid")
        crew.shift(master, location_id=branch["id"])
        crew.session(room)
        assert crew.fill()["unassigned"][0]["reason"] == "nobody_on_shift"

    def test_work_is_shared_out_evenly_and_what_was_given_by_hand_counts(
        self, crew: Crew, room: str, master: Client
    ) -> None:
        colleagues = [master, crew.hire(room), crew.hire(room)]
        for person in colleagues:
            crew.shift(person)
        by_hand = [crew.session(room, 1, clock) for clock in ("08:00", "09:30")]
        for session in by_hand:
            crew.assign(session, master)
        sessions = [crew.session(room, 2, f"{hour:02}:00") for hour in range(8, 20, 2)]
        for person in colleagues:
            crew.shift(person, 2)
        crew.fill(1, 2)
        counts = sorted(list(crew.in_charge().values()).count(p.id) for p in colleagues)
        assert counts[-1] - counts[0] <= 1, counts
        assert all(crew.staff(session) for session in sessions)
        assert [crew.staff(session) for session in by_hand] == [{master.id}] * 2

    def test_what_others_did_on_other_days_or_elsewhere_does_not_count(
        self, crew: Crew, room: str
    ) -> None:
        first, second = sorted((crew.hire(room), crew.hire(room)), key=lambda one: one.id)
        for clock in ("10:00", "12:00"):
            crew.assign(crew.session(room, 5, clock), first)
        for person in (first, second):
            crew.shift(person)
        other = open_crew(crew.house, "Other")
        address = crew.house.one("select email from public.profiles where user_id = %s", first.id)
        other.shop.venue.admit(first, address)
        other.assign(other.session(other.add_room()), first)
        session = crew.session(room)
        crew.fill()
        assert crew.staff(session) == {first.id}

    def test_who_can_do_little_does_it_and_who_can_do_all_does_the_rest(self, crew: Crew) -> None:
        rooms = [crew.add_room() for _ in range(3)]
        # Whatever their ids, the one who knows all the rooms must not take the first one's.
        knows_all = crew.hire(*rooms)
        knows_two, knows_one = crew.hire(*rooms[:2]), crew.hire(rooms[0])
        for person in (knows_all, knows_two, knows_one):
            crew.shift(person)
        sessions = [crew.session(room) for room in rooms]
        assert crew.fill()["unassigned"] == []
        assert [crew.staff(session) for session in sessions] == [
            {knows_one.id},
            {knows_two.id},
            {knows_all.id},
        ]

    def test_the_same_data_give_the_same_plan(self, crew: Crew) -> None:
        rooms = [crew.add_room() for _ in range(3)]
        for person in [crew.hire(*rooms) for _ in range(3)]:
            crew.shift(person)
        for room in rooms:
            for clock in ("10:00", "12:00", "14:00"):
                crew.session(room, 1, clock)
        plans = []
        for _ in range(2):
            with crew.house.connection.transaction(force_rollback=True):
                plans.append((crew.fill(), crew.in_charge()))
        assert plans[0] == plans[1]
        assert len(plans[0][1]) == 9

    def test_the_days_are_the_locations_own(self, house: House) -> None:
        crew = open_crew(house, "Far", "Asia/Kathmandu")
        room = crew.add_room()
        sessions = [
            crew.session(room, day, clock)
            for day, clock in ((1, "22:30"), (2, "00:30"), (2, "22:30"), (3, "00:30"))
        ]
        seen = [one["session_id"] for one in crew.fill(2, 2)["unassigned"]]
        assert seen == sessions[1:3]

    def test_what_has_started_is_left_alone(self, crew: Crew, room: str, master: Client) -> None:
        booking = crew.book(room, crew.shop.at(1, "12:00"))
        crew.shop.move_in_time(booking, timedelta(days=-2))
        for day in (-1, 0, 1):
            crew.shift(master, day)
        assert crew.fill(-2, 2) == {"assigned": [], "unassigned": []}

    def test_people_who_may_not_work_are_not_chosen(self, crew: Crew, room: str) -> None:
        suspended = crew.hire(room)
        crew.shift(suspended)
        crew.session(room)
        crew.by.call("suspend_member", organization_id=crew.shop.id, user_id=suspended.id)
        assert crew.fill()["unassigned"][0]["reason"] == "nobody_skilled"

    def test_a_twin_in_another_organization_is_left_alone(self, crew: Crew, room: str) -> None:
        other = open_crew(crew.house, "Other")
        theirs = other.session(other.add_room())
        crew.session(room)
        assert len(crew.fill()["unassigned"]) == 1
        assert other.staff(theirs) == set()

    @pytest.mark.parametrize(
        ("first", "last", "code"),
        [
            (None, "2030-01-01", "date_range_invalid"),
            ("2030-01-01", None, "date_range_invalid"),
            ("2030-01-02", "2030-01-01", "date_range_invalid"),
            ("-infinity", "2030-01-01", "date_range_invalid"),
            ("2030-01-01", "infinity", "date_range_invalid"),
            ("2030-01-01", "2030-02-01", "date_range_too_long"),
        ],
    )
    def test_the_days_must_be_days(
        self, crew: Crew, first: str | None, last: str | None, code: str
    ) -> None:
        with refused(422, code):
            crew.by.call(
                "auto_assign_game_masters",
                organization_id=crew.shop.id,
                from_date=first,
                to_date=last,
            )
        crew.by.call(
            "auto_assign_game_masters",
            organization_id=crew.shop.id,
            from_date="2030-01-01",
            to_date="2030-01-31",
        )


_STEPS = st.tuples(
    st.sampled_from(
        ["book", "book", "assign", "assign", "assign", "claim", "release", "cancel", "move",
         "move", "fill", "suspend", "reactivate"]
    ),
    st.integers(0, 11),
    st.integers(0, 11),
)  # fmt: skip

_EXPECTED = {
    "slot_taken",
    "game_master_busy",
    "session_has_game_master",
    "session_not_open",
    "member_not_found",
    "assignment_not_found",
    "permission_denied",
    "not_cancellable",
    "sessions_do_not_overlap",
}


@pytest.fixture
def team(crew: Crew) -> tuple[list[str], list[Client]]:
    """Two rooms and three people who may be in each: once for all examples."""
    rooms = [crew.add_room(), crew.add_room()]
    people = [crew.hire(*rooms) for _ in range(3)]
    for person in people:
        crew.shift(person)
    return rooms, people


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(_STEPS, min_size=5, max_size=30))
def test_whatever_happens_nobody_is_in_two_places(
    house: House,
    crew: Crew,
    team: tuple[list[str], list[Client]],
    steps: list[tuple[str, int, int]],
) -> None:
    """Every order of what can happen to sessions and people, refusals included."""
    rooms, people = team
    with house.connection.transaction(force_rollback=True):
        bookings = [crew.book(room, crew.shop.at(1, "12:00")) for room in rooms]

        def step(what: str, first: int, second: int) -> None:
            person = people[second % len(people)]
            booking = bookings[first % len(bookings)]
            clock = crew.shop.at(1, f"{10 + second // 2}:{second % 2 * 30:02}")
            member = {"organization_id": crew.shop.id, "user_id": person.id}
            match what:
                case "book":
                    bookings.append(crew.book(rooms[first % 2], clock))
                case "assign":
                    crew.assign(booking["session_id"], person)
                case "claim":
                    crew.claim(booking["session_id"], person)
                case "release":
                    crew.release(booking["session_id"], person)
                case "cancel":
                    crew.shop.cancel(booking)
                case "move":
                    crew.retime(booking["session_id"], clock)
                case "fill":
                    crew.fill()
                case "suspend":
                    crew.by.call("suspend_member", **member)
                case "reactivate":
                    crew.by.call("reactivate_member", **member)

        refusals = set()
        for one in steps:
            try:
                step(*one)
            except Refused as refusal:
                refusals.add(refusal.code)
            except psycopg.errors.ExclusionViolation as error:
                # The rooms' own, met by the owner who moved a session.
                refusals.add(str(error.diag.constraint_name))
            crew.assert_sound()
        assert refusals <= _EXPECTED
