"""Time zones: whatever is taken can be told in a mail, by Python and by a browser."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from db.booking_world import insert
from matrix.house import House
from matrix.promises import refused

MISTAKEN = [
    "Europe/MADRID",
    "europe/madrid",
    "Posix/Europe/Madrid",
    "posix/Europe/Madrid",
    "right/Europe/Madrid",
    "SystemV/EST5",
    "Asia/Calcutta",
    "US/Eastern",
    "EST5EDT",
    "CET",
    "GMT",
    "Etc/UTC",
    "Etc/GMT+3",
    "UTC+3",
    "localtime",
    "Europe/Madrid\n",
    " Europe/Madrid",
    "../Europe/Madrid",
    "",
]


@pytest.fixture
def taken(house: House) -> list[str]:
    """The zones that PostgreSQL knows and the product takes."""
    rows = house.owner_sql("select name from pg_timezone_names where private.is_timezone(name)")
    return sorted(row["name"] for row in rows)


def test_the_zones_are_those_of_countries_and_utc(taken: list[str]) -> None:
    table = resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text()
    named = {line.split("\t")[2] for line in table.splitlines() if not line.startswith("#")}
    assert taken == sorted({*named, "UTC"})


def test_the_database_and_python_agree_on_every_clock(house: House, taken: list[str]) -> None:
    start = datetime(2026, 1, 15, 12, tzinfo=UTC)
    instants = [start + timedelta(days=91 * quarter) for quarter in range(12)]
    rows = house.owner_sql(
        "select z.name, i.instant, i.instant at time zone z.name as clock"
        " from unnest(%s::text[]) as z (name), unnest(%s::timestamptz[]) as i (instant)",
        taken,
        instants,
    )
    told = {
        (row["name"], row["instant"]): row["instant"].astimezone(ZoneInfo(row["name"]))
        for row in rows
    }
    differences = [
        (row["name"], row["clock"])
        for row in rows
        if told[row["name"], row["instant"]].replace(tzinfo=None) != row["clock"]
    ]
    assert len(told) == len(taken) * len(instants)
    assert differences == []


def test_browsers_know_every_zone(taken: list[str]) -> None:
    script = (
        "const unknown = JSON.parse(Deno.args[0]).filter((timeZone) => {"
        " try { new Intl.DateTimeFormat('en', { timeZone }); return false; }"
        " catch { return true; } });"
        " console.log(JSON.stringify(unknown));"
    )
    answer = subprocess.run(
        [Path(sys.executable).with_name("deno"), "eval", script, json.dumps(taken)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(answer.stdout) == []


@pytest.mark.parametrize("zone", MISTAKEN)
def test_no_other_spelling_of_a_zone_is_taken_anywhere(house: House, zone: str) -> None:
    owner = house.sign_up("ana")
    with refused(422, "timezone_invalid"):
        owner.call("create_organization", name="Venue", timezone=zone)
    venue = house.open_venue("Venue", owner)
    with refused(400, "23514"):
        owner.change("update public.organizations set timezone = %s where id = %s", zone, venue.id)
    with refused(400, "23514"):
        insert(owner, "locations", name="Here", timezone=zone)
