"""The demo's venues have people who run their games."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from db.invariants import broken_ledger
from escapemaster_dev.seed.bookings import fill
from escapemaster_dev.seed.catalogue import OpenVenue, set_up
from escapemaster_dev.seed.clients import Account, Client, as_owner
from escapemaster_dev.seed.crew import staff
from escapemaster_dev.seed.games import tell_results
from escapemaster_dev.seed.venues import VENUES, Venue


def test_every_runner_of_the_demo_runs_rooms_and_days_that_there_are() -> None:
    for venue in VENUES:
        open_on = {day for window in venue.windows for day in window.weekdays}
        on_sale = {room.slug for room in venue.rooms if room.is_published}
        assert {room for runner in venue.runners for room in runner.rooms} == on_sale
        for runner in venue.runners:
            assert set(runner.weekdays) <= open_on
            assert venue.person(runner.role) in venue.staff


@pytest.mark.parametrize("venue", VENUES, ids=lambda venue: venue.slug)
def test_the_coming_games_of_a_demo_venue_have_game_masters(race_dsn: str, venue: Venue) -> None:
    with psycopg.connect(race_dsn, row_factory=dict_row) as connection:
        accounts = {}
        for person in venue.staff:
            account = Account(person, str(uuid4()), "")
            connection.execute(
                "insert into auth.users (id, email, email_confirmed_at, raw_user_meta_data)"
                " values (%s, %s, now(), %s)",
                (account.user_id, person.email, Jsonb({"full_name": person.full_name})),
            )
            accounts[person.email] = account
        (row,) = connection.execute("select now() as now").fetchall()
        now: datetime = row["now"]
        today = now.astimezone(ZoneInfo(venue.timezone)).date()
        opened = set_up(connection, venue, accounts, today)
        filled = fill(connection, opened, now)
        results = tell_results(opened, Client(connection, None), filled.played)
        _holds_a_leaderboard(connection, opened, results)
        _has_a_ledger(connection, opened)
        staffed = staff(opened, today)

        assert staffed > 10
        rows = opened.staff["game_master"].rows(
            "select user_id::text as user_id, source from public.session_staff"
        )
        assert len(rows) == staffed
        assert {row["source"] for row in rows} == {"automatic"}
        assert {row["user_id"] for row in rows} <= {
            opened.user_ids[runner.role] for runner in venue.runners
        }
        assert _unassigned(opened, today.isoformat()) >= 0
        connection.rollback()


def _has_a_ledger(connection: psycopg.Connection[DictRow], opened: OpenVenue) -> None:
    """Of the past too, which is not written by what clients call."""
    entries = opened.staff["manager"].rows(
        "select min(occurred_at) < now() - interval '1 day' as old from public.ledger_entries"
    )
    assert entries == [{"old": True}]

    def ask(query: str, *values: object) -> list[DictRow]:
        return as_owner(connection).execute(query.encode(), values).fetchall()

    assert broken_ledger(ask, opened.organization_id) == {}


def _holds_a_leaderboard(
    connection: psycopg.Connection[DictRow], opened: OpenVenue, results: int
) -> None:
    """Every game that is over has a result, and every room somebody on the leaderboard."""
    completed = opened.staff["manager"].rows(
        "select count(*) as n from public.bookings where status = 'completed'"
    )
    assert 10 < results <= completed[0]["n"]
    shown = Client(connection, None).call("get_leaderboard", slug=opened.venue.slug, max_rows=100)
    on_sale = {opened.rooms[room.slug] for room in opened.venue.rooms if room.is_published}
    assert {entry["room_id"] for entry in shown["entries"]} == on_sale
    assert {entry["team_name"] is None for entry in shown["entries"]} == {True, False}


def _unassigned(opened: OpenVenue, day: str) -> int:
    board = opened.staff["game_master"].call(
        "get_board", organization_id=opened.organization_id, date=day
    )
    return int(board["unassigned"])
