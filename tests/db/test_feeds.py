"""Calendar feeds: opened by staff, read by whoever has the address, closed at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from client import Client, Refused
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


def test_a_lifted_block_is_gone(venue: Venue, feed: dict[str, Any]) -> None:
    here, start = {"organization_id": venue.organization_id}, venue.slot()
    block = venue.owner.call(
        "block_room",
        **here,
        room_id=venue.room_id,
        starts_at=start,
        ends_at=start + timedelta(hours=1),
    )
    venue.owner.call("unblock_room", **here, block_id=block["block_id"])
    assert read(venue, feed["token"])["sessions"] == []


def add_blocks(venue: Venue, first: str, step: str, number: int) -> None:
    """Blocks of an hour, so many, from that time on; cheaper than through block_room."""
    venue.database.run(
        "insert into public.sessions (organization_id, room_id, starts_at, ends_at, occupied_until,"
        " mode, capacity, seats_taken)"
        " select %s, %s, t, t + interval '1 minute', t + interval '1 minute', 'block', 0, 0"
        " from generate_series(0, %s - 1) as n, lateral (select now() + %s::interval"
        " + n * %s::interval) as at (t)",
        venue.organization_id, venue.room_id, number, first, step,
    )  # fmt: skip


def test_a_feed_holds_what_is_nearest_and_costs_no_more_for_the_rest(
    venue: Venue, feed: dict[str, Any]
) -> None:
    """Whoever opens a feed of very many sessions gets no anonymous way to keep the server busy."""
    add_blocks(venue, "-20 days", "5 minutes", 1_500)
    add_blocks(venue, "1 hour", "10 minutes", 1_000)
    shown = [entry["starts_at"] for entry in read(venue, feed["token"])["sessions"]]
    now = venue.database.one("select to_jsonb(now())")
    assert (len(shown), sum(starts_at > now for starts_at in shown)) == (2_000, 1_000)
    assert shown == sorted(shown)
    # The latest thousand of those that are over.
    assert shown[0] > venue.database.one("select to_jsonb(now() - interval '19 days')")

    add_blocks(venue, "10 days", "10 minutes", 15_000)
    shown = [entry["starts_at"] for entry in read(venue, feed["token"])["sessions"]]
    assert len(shown) == 2_000
    assert shown[0] > now
    assert shown[-1] < venue.database.one("select to_jsonb(now() + interval '17 days')")


def test_reading_ends_with_the_feed_s_bound(venue: Venue, feed: dict[str, Any]) -> None:
    member_id = venue.owner.select("select auth.uid() as id")[0]["id"]
    add_blocks(venue, "1 hour", "10 minutes", 30_000)
    venue.database.run(
        "insert into public.session_staff (organization_id, session_id, user_id, during, source)"
        " select organization_id, id, %s, during, 'assigned' from public.sessions"
        " where organization_id = %s",
        member_id, venue.organization_id,
    )  # fmt: skip
    venue.database.run("analyze public.sessions, public.session_staff")

    def rows_read(room_id: str | None, user_id: str | None) -> int:
        query = (
            "select coalesce(sum(seq_tup_read + idx_tup_fetch), 0)"
            " from pg_stat_xact_user_tables where relname in ('sessions', 'session_staff')"
        )
        with venue.database.owner.transaction():
            before = venue.database.one(query)
            found = venue.database.one(
                "select cardinality(private.feed_sessions(%s, %s, %s, 10000))",
                venue.organization_id, room_id, user_id,
            )  # fmt: skip
            assert found == 10_000
            return int(venue.database.one(query) - before)

    for room_id, user_id in ((None, None), (venue.room_id, None), (None, member_id)):
        assert rows_read(room_id, user_id) == 10_000


def an_address() -> str:
    return f"2001:db8:{uuid.uuid4().hex[:4]}:{uuid.uuid4().hex[:4]}::1"


def answered(visitor: Client, token: str) -> int:
    """How often the feed is read before the limit refuses it."""
    for number in range(250):
        try:
            visitor.call("get_calendar_feed", token=token)
        except Refused as refused:
            if (refused.status, refused.code) == (429, "rate_limited"):
                return number
            raise
    raise AssertionError("Nothing was refused.")


@pytest.fixture
def few_attempts(money: Database) -> Iterator[None]:
    rule = "update private.rate_limit_rules set max_hits = %s where action = 'attempt'"
    usual = money.one("select max_hits from private.rate_limit_rules where action = 'attempt'")
    money.run(rule, 100)
    yield
    money.run(rule, usual)


@pytest.mark.usefixtures("few_attempts")
def test_a_large_feed_weighs_in_the_limit_of_its_reader(venue: Venue, feed: dict[str, Any]) -> None:
    add_blocks(venue, "1 hour", "10 minutes", 10_000)
    visitor = venue.public.sending(x_forwarded_for=an_address())
    # Ten each of a hundred a minute, or of two when the minute turns.
    assert 10 <= answered(visitor, feed["token"]) <= 21


def test_a_feed_that_is_read_without_end_takes_nothing_from_others(
    venue: Venue, feed: dict[str, Any]
) -> None:
    """All subscribers come by the address of the edge function."""
    create = {"organization_id": venue.organization_id, "name": "Other"}
    other = venue.owner.call("create_calendar_feed", **create)["token"]
    everybody = venue.public.sending(x_forwarded_for=an_address())
    assert 60 <= answered(everybody, feed["token"]) <= 121
    assert everybody.call("get_calendar_feed", token=other)["name"] == "Other"


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
