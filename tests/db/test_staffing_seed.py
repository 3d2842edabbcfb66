"""The demo's venues have people who run their games."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from escapemaster_dev.seed.bookings import fill
from escapemaster_dev.seed.catalogue import OpenVenue, set_up
from escapemaster_dev.seed.clients import Account
from escapemaster_dev.seed.crew import staff
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
        fill(connection, opened, now)
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


def _unassigned(opened: OpenVenue, day: str) -> int:
    board = opened.staff["game_master"].call(
        "get_board", organization_id=opened.organization_id, date=day
    )
    return int(board["unassigned"])
