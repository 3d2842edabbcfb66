"""Calendar feeds of a room and of a game master: who opens them, and what they show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from client import Client
from db.staffing_world import Crew, open_crew
from matrix.house import House
from matrix.promises import refused


@pytest.fixture
def crew(house: House) -> Crew:
    return open_crew(house, "Venue", hold_minutes=120)


@pytest.fixture
def room(crew: Crew) -> str:
    return crew.add_room()


def subscribe(crew: Crew, by: Client | None = None, **values: object) -> str:
    """The token of a new feed."""
    feed = (by or crew.by).call(
        "create_calendar_feed", organization_id=crew.shop.id, name="Feed", **values
    )
    return str(feed["token"])


def read(crew: Crew, token: str) -> Any:
    return crew.shop.visitor.call("get_calendar_feed", token=token)


def shown(crew: Crew, token: str) -> list[str]:
    return [one["uid"] for one in read(crew, token)["sessions"]]


def test_a_room_s_feed_shows_that_room_on_its_own_clock(crew: Crew, room: str) -> None:
    branch = crew.shop.insert(
        "locations", name="Branch", timezone="America/New_York", address="5 Oak Street"
    )
    there = crew.add_room(location_id=branch["id"])
    session, _ = crew.session(there), crew.session(room)
    block = crew.by.call(
        "block_room",
        organization_id=crew.shop.id,
        room_id=there,
        starts_at=crew.shop.at(2, "10:00"),
        ends_at=crew.shop.at(2, "12:00"),
    )
    feed = read(crew, subscribe(crew, room_id=there))
    assert feed["timezone"] == "America/New_York"
    assert [one["uid"] for one in feed["sessions"]] == [session, block["session_id"]]
    assert {one["location"] for one in feed["sessions"]} == {"Branch, 5 Oak Street"}
    assert len(shown(crew, subscribe(crew))) == 3


def test_a_game_master_s_feed_shows_what_that_person_runs(crew: Crew, room: str) -> None:
    master, there = crew.hire(room), crew.add_room()
    token = subscribe(crew, user_id=master.id)
    in_the_other = subscribe(crew, user_id=master.id, room_id=there)
    first = crew.book(room, crew.shop.at(1, "10:00"))
    second, foreign = crew.session(there, 1, "12:00"), crew.session(there, 1, "16:00")
    crew.by.call(
        "block_room",
        organization_id=crew.shop.id,
        room_id=room,
        starts_at=crew.shop.at(2, "10:00"),
        ends_at=crew.shop.at(2, "12:00"),
    )
    crew.assign(foreign, crew.hire())
    before = read(crew, token)
    assert before["sessions"] == []

    for session in (first["session_id"], second):
        crew.assign(session, master)
    assert shown(crew, token) == [first["session_id"], second]
    assert shown(crew, in_the_other) == [second]
    assert read(crew, token)["version"] != before["version"]

    crew.release(second, master)
    assert shown(crew, token) == [first["session_id"]]
    crew.shop.cancel(first)
    assert read(crew, token)["version"] == before["version"]


def test_a_session_that_moves_keeps_its_uid_and_raises_its_sequence(crew: Crew, room: str) -> None:
    master, session = crew.hire(), crew.session(room)
    token = subscribe(crew, user_id=master.id)
    crew.assign(session, master)
    crew.house.owner_sql(
        "update public.sessions set created_at = created_at - interval '1 minute' where id = %s",
        session,
    )
    (before,) = read(crew, token)["sessions"]
    crew.retime(session, crew.shop.at(1, "18:00"))
    (after,) = read(crew, token)["sessions"]
    assert after["uid"] == before["uid"]
    assert after["starts_at"] != before["starts_at"]
    assert after["sequence"] >= before["sequence"] >= 60


def test_neither_customers_nor_colleagues_are_named(crew: Crew, room: str) -> None:
    master = crew.hire()
    crew.assign(crew.session(room), master)
    for token in (subscribe(crew), subscribe(crew, user_id=master.id)):
        text = str(read(crew, token))
        for personal in ("Ana", "García", "ana@example.test", "Game Master", master.id):
            assert personal not in text


def test_one_s_own_feed_takes_no_more_than_the_right_to_run_games(crew: Crew, room: str) -> None:
    master, colleague, venue = crew.hire(), crew.hire(), crew.shop.venue
    crew.assign(crew.session(room), master)
    assert len(shown(crew, subscribe(crew, master, user_id=master.id))) == 1
    assert len(shown(crew, subscribe(crew, master, user_id=master.id, room_id=room))) == 1

    for values in ({}, {"room_id": room}, {"user_id": colleague.id}):
        with refused(403, "permission_denied"):
            subscribe(crew, master, **values)
    reader = venue.hire("reader", venue.make_role("Reader", ["bookings:read", "calendars:read"]))
    with refused(403, "permission_denied"):
        subscribe(crew, reader, user_id=reader.id)
    key, _ = venue.make_key(["bookings:claim"])
    with refused(403, "permission_denied"):
        subscribe(crew, key, user_id=master.id)
    with refused(404, "member_not_found"):
        subscribe(crew, key, user_id=key.id)
    stranger = open_crew(crew.house, "Other").by
    with refused(403, "permission_denied"):
        subscribe(crew, stranger, user_id=stranger.id)


def test_whoever_manages_calendars_opens_any(crew: Crew, room: str) -> None:
    master = crew.hire()
    for by in (crew.hire(role="manager"), crew.shop.venue.make_key(["calendars:manage"])[0]):
        for values in ({}, {"room_id": room}, {"user_id": master.id}):
            read(crew, subscribe(crew, by, **values))


def test_one_closes_one_s_own_and_no_other(crew: Crew) -> None:
    master, colleague = crew.hire(), crew.hire()
    feeds = {
        name: crew.by.call(
            "create_calendar_feed", organization_id=crew.shop.id, name=name, user_id=user_id
        )
        for name, user_id in (("mine", master.id), ("theirs", colleague.id), ("ours", None))
    }

    def close(name: str, by: Client) -> None:
        by.call("revoke_calendar_feed", organization_id=crew.shop.id, feed_id=feeds[name]["id"])

    for name in ("theirs", "ours"):
        with refused(403, "permission_denied"):
            close(name, master)
    close("mine", master)
    with refused(404, "feed_not_found"):
        read(crew, feeds["mine"]["token"])
    close("theirs", crew.hire(role="manager"))


def test_a_former_member_s_feed_opens_nothing_ever_again(crew: Crew, room: str) -> None:
    master, venue = crew.hire(), crew.shop.venue
    session = crew.book(room, crew.shop.at(1, "12:00"))
    crew.assign(session["session_id"], master)
    crew.shop.move_in_time(session, timedelta(days=-3))
    token = subscribe(crew, master, user_id=master.id)
    member = {"organization_id": venue.id, "user_id": master.id}

    crew.by.call("suspend_member", **member)
    with refused(404, "feed_not_found"):
        read(crew, token)
    crew.by.call("reactivate_member", **member)
    assert shown(crew, token) == [session["session_id"]]

    crew.by.call("remove_member", **member)
    with refused(404, "feed_not_found"):
        read(crew, token)
    address = crew.house.one("select email from public.profiles where user_id = %s", master.id)
    venue.admit(master, address)
    with refused(404, "feed_not_found"):
        read(crew, token)


def test_a_member_of_two_organizations_is_asked_for_in_the_feed_s_own(
    crew: Crew, room: str
) -> None:
    master, other = crew.hire(), open_crew(crew.house, "Other")
    address = crew.house.one("select email from public.profiles where user_id = %s", master.id)
    other.shop.venue.admit(master, address)
    crew.assign(crew.session(room), master)
    theirs = other.session(other.add_room())
    other.assign(theirs, master)
    token = subscribe(crew, user_id=master.id)
    assert theirs not in shown(crew, token)
    assert len(shown(crew, token)) == 1
    crew.by.call("suspend_member", organization_id=crew.shop.id, user_id=master.id)
    with refused(404, "feed_not_found"):
        read(crew, token)


def test_a_feed_is_of_the_venue_s_own_rooms_and_active_members(crew: Crew) -> None:
    other = open_crew(crew.house, "Other")
    suspended = crew.hire()
    crew.by.call("suspend_member", organization_id=crew.shop.id, user_id=suspended.id)
    for room_id in (other.add_room(), str(uuid4())):
        with refused(404, "room_not_found"):
            subscribe(crew, room_id=room_id)
    for user_id in (other.by.id, suspended.id, str(uuid4())):
        with refused(404, "member_not_found"):
            subscribe(crew, user_id=user_id)


def test_a_room_that_is_deleted_takes_its_feeds_along(crew: Crew) -> None:
    room = crew.shop.add_room()
    token = subscribe(crew, room_id=room)
    crew.by.change("delete from public.rooms where id = %s", room)
    with refused(404, "feed_not_found"):
        read(crew, token)
