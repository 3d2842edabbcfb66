"""Fills a local stack with the demo: `main`.

What a client can do is done as a client. The owner's connection (`DATABASE_URL`) is used for
three things that no client can: to move a part of the bookings into the past (see
`escapemaster.seed.bookings`), to take back the mails about bookings that nobody made, and to
keep each venue in one transaction.

Run again it finds everything and changes nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import DictRow, dict_row

from escapemaster.seed.bookings import fill
from escapemaster.seed.catalogue import set_up
from escapemaster.seed.clients import Account, Connection, Gateway, as_owner
from escapemaster.seed.pictures import draw
from escapemaster.seed.settings import SeedSettings
from escapemaster.seed.venues import PASSWORD, VENUES, Venue

Tell = Callable[[str], None]

# Two seeds at once would meet at the first unique key; this makes the second one wait.
_LOCK = "select pg_advisory_xact_lock(hashtext('escapemaster.seed.demo'))"


def main(settings: SeedSettings, tell: Tell = print) -> None:
    """Make the demo if it is not there, and write `settings.report`.

    `tell` is given a line about every step. Raises what went wrong, with nothing made of that
    venue; what is there is used by the next run.
    """
    gateway = Gateway(settings)
    try:
        with _connect(settings) as connection, ThreadPoolExecutor(4) as pool:
            connection.execute(_LOCK)
            missing = [venue for venue in VENUES if not _exists(connection, venue)]
            accounts = _sign_in(gateway, missing, pool, tell)
            # Each in its own transaction: they are made side by side.
            for line in pool.map(lambda venue: _make(settings, venue, accounts), missing):
                tell(line)
            _upload(gateway, connection, accounts, pool, tell)
    finally:
        gateway.close()
    _report(settings)


def _connect(settings: SeedSettings) -> Connection:
    return psycopg.connect(settings.database_url, row_factory=dict_row)


def _exists(connection: Connection, venue: Venue) -> bool:
    found = connection.execute(
        "select from public.organizations where slug = %s", (venue.slug,)
    ).fetchone()
    return found is not None


def _sign_in(
    gateway: Gateway, venues: list[Venue], pool: ThreadPoolExecutor, tell: Tell
) -> dict[str, Account]:
    """Accounts by e-mail address."""
    people = [(person, venue.locale) for venue in venues for person in venue.staff]
    if not people:
        return {}
    began = time.monotonic()
    accounts = list(pool.map(lambda one: gateway.sign_in(*one), people))
    tell(f"{len(accounts)} accounts ({_since(began)})")
    return {account.person.email: account for account in accounts}


def _make(settings: SeedSettings, venue: Venue, accounts: Mapping[str, Account]) -> str:
    """One venue in one transaction; a line that says what was made."""
    began = time.monotonic()
    with _connect(settings) as connection:
        (row,) = connection.execute(
            "select now() as now, coalesce((select max(id) from private.jobs), 0) as last_job"
        ).fetchall()
        now: datetime = row["now"]
        today = now.astimezone(ZoneInfo(venue.timezone)).date()
        opened = set_up(connection, venue, accounts, today)
        count = fill(connection, opened, now)
        as_owner(connection).execute(
            "delete from private.jobs"
            " where id > %s and organization_id = %s and kind = 'email.send'",
            (row["last_job"], opened.organization_id),
        )
    return f"{venue.name}: {len(venue.rooms)} rooms, {count} bookings ({_since(began)})"


def _upload(
    gateway: Gateway,
    connection: Connection,
    accounts: Mapping[str, Account],
    pool: ThreadPoolExecutor,
    tell: Tell,
) -> None:
    """Draw and upload the pictures that are not there."""
    began = time.monotonic()
    wanted = connection.execute(
        """
        select o.slug as venue, r.slug as room, r.image_path as path
        from public.rooms as r
        join public.organizations as o on o.id = r.organization_id
        left join storage.objects as s on s.bucket_id = 'room-images' and s.name = r.image_path
        where o.slug = any (%s) and r.image_path is not null and s.name is null
        """,
        ([venue.slug for venue in VENUES],),
    ).fetchall()
    scenes = {(venue.slug, room.slug): room.picture for venue in VENUES for room in venue.rooms}
    managers = {
        venue.slug: accounts.get(venue.person("manager").email)
        or gateway.sign_in(venue.person("manager"), venue.locale)
        for venue in VENUES
        if any(row["venue"] == venue.slug for row in wanted)
    }

    def put(row: DictRow) -> None:
        # A picture that somebody chose meanwhile is not ours to draw.
        if scene := scenes.get((row["venue"], row["room"])):
            gateway.upload(managers[row["venue"]], row["path"], draw(scene))

    list(pool.map(put, wanted))
    if wanted:
        tell(f"{len(wanted)} pictures ({_since(began)})")


def _report(settings: SeedSettings) -> None:
    """Write down what a person needs to try the demo; the file holds no secret."""
    report = {
        "accounts": [
            {
                "email": person.email,
                "password": PASSWORD,
                "role": person.role,
                "organization": venue.name,
            }
            for venue in VENUES
            for person in venue.staff
        ],
        "calendars": [
            {
                "slug": venue.slug,
                "name": venue.name,
                "url": f"{settings.site_url}?calendar={venue.slug}",
            }
            for venue in VENUES
        ],
    }
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    if settings.report.is_file() and settings.report.read_text("utf-8") == text:
        return
    settings.report.parent.mkdir(parents=True, exist_ok=True)
    settings.report.write_text(text, "utf-8")


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"
