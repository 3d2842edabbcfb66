"""Calendar feeds: opened by staff, read by whoever has the address, closed at once."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from client import Refused
from db.money_world import Database, Venue, make_venue, member


@pytest.fixture
def venue(money: Database) -> Venue:
    return make_venue(money)


@pytest.fixture
def feed(venue: Venue) -> dict[str, Any]:
    opened = venue.owner.call(
        "create_calendar_feed", organization_id=venue.organization_id, name=" Reception "
    )
    assert isinstance(opened, dict)
    return opened


def read(venue: Venue, token: str) -> Any:
    return venue.public.call("get_calendar_feed", token=token)


def not_found(venue: Venue, token: str) -> bool:
    with pytest.raises(Refused) as refused:
        read(venue, token)
    return (refused.value.status, refused.value.code) == (404, "feed_not_found")


def test_an_empty_feed_names_the_venue_and_its_zone(venue: Venue, feed: dict[str, Any]) -> None:
    seen = read(venue, feed["token"])
    version = seen.pop("version")
    assert len(version) == 64
    assert seen == {
        "name": "Reception",
        "timezone": "Europe/Madrid",
        "updated_at": None,
        "sessions": [],
    }


def test_a_booking_appears_and_changes_and_stays_as_cancelled(
    venue: Venue, feed: dict[str, Any]
) -> None:
    booking = venue.hold()
    held = read(venue, feed["token"])
    [entry] = held["sessions"]
    assert entry == {
        "uid": entry["uid"],
        "starts_at": entry["starts_at"],
        "ends_at": entry["ends_at"],
        "room_name": "The attic",
        "location": "Centro, Calle Mayor 1, Madrid",
        "status": "held",
        "party_size": 2,
        "booking_reference": booking.reference,
        "updated_at": entry["updated_at"],
        "sequence": 0,
    }
    assert read(venue, feed["token"]) == held, "nothing changed, nothing changes"

    venue.pay(booking)
    [confirmed] = read(venue, feed["token"])["sessions"]
    assert (confirmed["uid"], confirmed["status"]) == (entry["uid"], "confirmed")
    assert confirmed["updated_at"] > entry["updated_at"]

    venue.database.run(
        "update public.sessions set created_at = created_at - interval '1 minute' where id = %s",
        entry["uid"],
    )
    venue.cancel(booking)
    after = read(venue, feed["token"])
    [cancelled] = after["sessions"]
    assert (cancelled["status"], cancelled["party_size"]) == ("cancelled", 2)
    assert cancelled["sequence"] >= 60
    assert after["version"] != held["version"]
    assert after["updated_at"] == cancelled["updated_at"]


def test_a_hold_that_lapsed_or_was_let_go_leaves_no_trace(
    venue: Venue, feed: dict[str, Any]
) -> None:
    before = read(venue, feed["token"])["version"]
    venue.cancel(venue.hold())
    venue.lapse(venue.hold())
    unreaped = venue.hold()
    venue.let_lapse(unreaped)
    assert read(venue, feed["token"])["version"] == before


def test_a_block_is_shown_without_a_booking(venue: Venue, feed: dict[str, Any]) -> None:
    start = venue.slot()
    venue.owner.call(
        "block_room",
        organization_id=venue.organization_id,
        room_id=venue.room_id,
        starts_at=start,
        ends_at=start + timedelta(hours=1),
        reason="Painting",
    )
    [entry] = read(venue, feed["token"])["sessions"]
    assert (entry["status"], entry["party_size"], entry["booking_reference"]) == (
        "block",
        None,
        None,
    )


def test_a_shared_session_adds_its_parties_up(venue: Venue, feed: dict[str, Any]) -> None:
    venue.owner.change("update public.rooms set mode = 'shared' where id = %s", venue.room_id)
    start = venue.slot()
    parties = [venue.hold(start), venue.hold(start)]
    venue.pay(parties[0])
    [entry] = read(venue, feed["token"])["sessions"]
    assert (entry["status"], entry["party_size"]) == ("confirmed", 4)
    assert entry["booking_reference"] == ", ".join(sorted(p.reference for p in parties))


def test_sessions_of_long_ago_are_left_out(venue: Venue, feed: dict[str, Any]) -> None:
    booking = venue.hold()
    venue.pay(booking)
    for days, shown in ((29, 1), (31, 0)):
        venue.database.run(
            "update public.sessions set starts_at = now() - %s * interval '1 day',"
            " ends_at = now() - %s * interval '1 day' + interval '1 hour',"
            " occupied_until = now() - %s * interval '1 day' + interval '1 hour'"
            " where organization_id = %s",
            days,
            days,
            days,
            venue.organization_id,
        )
        assert len(read(venue, feed["token"])["sessions"]) == shown


def test_a_feed_shows_its_own_venue_only(
    venue: Venue, feed: dict[str, Any], money: Database
) -> None:
    other = make_venue(money)
    other.hold()
    assert read(venue, feed["token"])["sessions"] == []


def test_a_wrong_token_finds_nothing(venue: Venue, feed: dict[str, Any]) -> None:
    assert not_found(venue, "wrong")
    assert not_found(venue, "")
    assert not_found(venue, feed["id"])


def test_a_revoked_feed_is_closed_at_once_and_for_good(venue: Venue, feed: dict[str, Any]) -> None:
    revoke = {"organization_id": venue.organization_id, "feed_id": feed["id"]}
    first = venue.owner.call("revoke_calendar_feed", **revoke)
    assert not_found(venue, feed["token"])
    assert venue.owner.call("revoke_calendar_feed", **revoke) == first
    assert not_found(venue, feed["token"])


def test_a_closed_venue_shows_nothing(venue: Venue, feed: dict[str, Any]) -> None:
    venue.database.run(
        "update public.organizations set status = 'closed', closed_at = now() where id = %s",
        venue.organization_id,
    )
    assert not_found(venue, feed["token"])


def test_the_token_is_kept_as_a_hash_only(venue: Venue, feed: dict[str, Any]) -> None:
    rows = venue.database.all(
        "select * from private.calendar_feed_secrets where feed_id = %s", feed["id"]
    )
    assert len(rows) == 1
    assert feed["token"] not in str(rows)
    assert venue.owner.select("select id::text, name, revoked_at from public.calendar_feeds") == [
        {"id": feed["id"], "name": "Reception", "revoked_at": None}
    ]


@pytest.mark.parametrize("name", ["", "  ", None, "x" * 121])
def test_a_feed_needs_a_name(venue: Venue, name: str | None) -> None:
    with pytest.raises(Refused) as refused:
        venue.owner.call("create_calendar_feed", organization_id=venue.organization_id, name=name)
    assert (refused.value.status, refused.value.code) == (422, "name_invalid")


def test_only_who_manages_calendars_opens_and_closes_feeds(
    venue: Venue, feed: dict[str, Any], money: Database
) -> None:
    stranger = make_venue(money).owner
    for client in (member(venue, "receptionist"), member(venue, "game_master"), stranger):
        for function, parameters in (
            ("create_calendar_feed", {"name": "Mine"}),
            ("revoke_calendar_feed", {"feed_id": feed["id"]}),
        ):
            with pytest.raises(Refused) as refused:
                client.call(function, organization_id=venue.organization_id, **parameters)
            assert (refused.value.status, refused.value.code) == (403, "permission_denied")
    with pytest.raises(Refused) as refused:
        venue.public.call(
            "create_calendar_feed", organization_id=venue.organization_id, name="Mine"
        )
    assert refused.value.code == "42501"
    assert read(venue, feed["token"])["name"] == "Reception"


def test_an_unknown_feed_cannot_be_revoked(venue: Venue) -> None:
    with pytest.raises(Refused) as refused:
        venue.owner.call(
            "revoke_calendar_feed",
            organization_id=venue.organization_id,
            feed_id=str(uuid.uuid4()),
        )
    assert (refused.value.status, refused.value.code) == (404, "feed_not_found")
