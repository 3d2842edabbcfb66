"""Fills a local stack with the demo: `main`.

What a client can do is done as a client. The owner's connection (`DATABASE_URL`) is used for
six things that no client can: to make accounts whose addresses need no mail (`register`), to give
each venue a plan for a year and an account that can be paid (`onboard`), to move
a part of the bookings into the past (see `escapemaster_dev.seed.bookings`), to take back the mails
and the news for staff about bookings that nobody made, to send one reminder before its time, and to
keep each venue in one transaction.

Run again it finds everything and changes nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from escapemaster_dev.seed.accounts import onboard
from escapemaster_dev.seed.bookings import fill
from escapemaster_dev.seed.catalogue import ask_for_waivers, picture_file, set_up
from escapemaster_dev.seed.clients import (
    Account,
    Client,
    Connection,
    Gateway,
    as_owner,
    register,
)
from escapemaster_dev.seed.crew import staff
from escapemaster_dev.seed.games import tell_results
from escapemaster_dev.seed.parties import tag_and_list
from escapemaster_dev.seed.pictures import read_picture
from escapemaster_dev.seed.settings import SeedSettings
from escapemaster_dev.seed.venues import PASSWORD, SPARE_GUEST, VENUES, Venue

# Two seeds at once would meet at the first unique key; this makes the second one wait.
_LOCK = "select pg_advisory_xact_lock(hashtext('escapemaster_dev.seed.demo'))"


def main(settings: SeedSettings, tell: Callable[[str], None] = print) -> None:
    """Make the demo if it is not there, and write `settings.report`.

    `tell` is given a line about every venue. Raises what went wrong, with nothing made of that
    venue but its accounts; the next run goes on from there.
    """
    gateway = Gateway(settings)
    try:
        with (
            _connect(settings) as lock,
            ThreadPoolExecutor(len(VENUES)) as venues,
            ThreadPoolExecutor(4) as requests,
        ):
            lock.execute(_LOCK)
            managers: list[Account | None] = []
            for line, manager in venues.map(
                lambda one: _make(settings, gateway, requests, one), VENUES
            ):
                tell(line)
                managers.append(manager)
            # One after the other: the local Storage sets itself up at its first requests, and
            # they fail when there are two at once.
            for venue, manager in zip(VENUES, managers, strict=True):
                if count := _hang_pictures(lock, gateway, venue, manager):
                    tell(f"{venue.name}: {count} pictures")
    finally:
        gateway.close()
    with _connect(settings) as connection:
        _report(settings, connection)


def _connect(settings: SeedSettings) -> Connection:
    return psycopg.connect(settings.database_url, row_factory=dict_row)


def _make(
    settings: SeedSettings, gateway: Gateway, requests: Executor, venue: Venue
) -> tuple[str, Account | None]:
    """People, catalogue and bookings of one venue; what was done, and the manager if new."""
    began = time.monotonic()
    with _connect(settings) as connection:
        found = connection.execute(
            "select from public.organizations where slug = %s", (venue.slug,)
        ).fetchone()
        if found is not None:
            return f"{venue.name}: there already", None
        # Auth has connections of its own: it sees the accounts when they are there for good.
        with _connect(settings) as accounts_first:
            for one in venue.staff:
                register(
                    accounts_first,
                    email=one.email,
                    password=PASSWORD,
                    full_name=one.full_name,
                    locale=venue.locale,
                )
        signed_in = requests.map(gateway.sign_in, venue.staff)
        accounts = {account.person.email: account for account in signed_in}
        bookings, staffed = _open(settings, connection, venue, accounts)
    made = (
        f"{len(accounts)} people, {len(venue.rooms)} rooms, {bookings} bookings,"
        f" {staffed} games with a game master"
    )
    line = f"{venue.name}: {made} ({time.monotonic() - began:.1f} s)"
    return line, accounts[venue.person("manager").email]


def _open(
    settings: SeedSettings, connection: Connection, venue: Venue, accounts: Mapping[str, Account]
) -> tuple[int, int]:
    """Set the venue up, fill and staff it; how many bookings, and games with a game master."""
    (row,) = connection.execute(
        "select now() as now, coalesce((select max(id) from private.jobs), 0) as last_job"
    ).fetchall()
    now: datetime = row["now"]
    today = now.astimezone(ZoneInfo(venue.timezone)).date()
    opened = set_up(connection, venue, accounts, today)
    onboard(connection, settings, opened.organization_id)
    filled = fill(connection, opened, now)
    tell_results(opened, Client(connection, None), filled.played)
    tag_and_list(opened, Client(connection, None), filled.coming)
    ask_for_waivers(opened)
    staffed = staff(opened, today)
    as_owner(connection).execute(
        "delete from private.jobs where id > %s and organization_id = %s and kind = 'email.send'",
        (row["last_job"], opened.organization_id),
    )
    # Their mails would be queued by the first sweep after this transaction.
    as_owner(connection).execute(
        "delete from private.notice_events where organization_id = %s", (opened.organization_id,)
    )
    _remind(connection, opened.organization_id)
    return filled.bookings, staffed


def _remind(connection: Connection, organization_id: str) -> None:
    """Send the reminder of the next visit now, so that there is one in the mailbox to look at."""
    as_owner(connection).execute(
        """
        select private.queue_message(
          row(b.organization_id, b.id, r.id, r.kind, b.starts_at, now())::private.due_message
        )
        from public.bookings as b
        join public.message_rules as r on r.organization_id = b.organization_id
        where b.organization_id = %s
          and r.kind = 'reminder'
          and private.is_message_wanted(r, b)
          and b.starts_at > now() + interval '1 hour'
        order by b.starts_at
        limit 1
        """,
        (organization_id,),
    )


def _hang_pictures(
    connection: Connection, gateway: Gateway, venue: Venue, manager: Account | None
) -> int:
    """Upload, as the manager, the pictures that rooms still lack; how many."""
    rows = connection.execute(
        """
        select i.path
        from public.room_images as i
        join public.organizations as o on o.id = i.organization_id
        left join storage.objects as s on s.bucket_id = 'room-images' and s.name = i.path
        where o.slug = %s and s.name is null
        """,
        (venue.slug,),
    ).fetchall()
    paths = [row["path"] for row in rows]
    # A picture that somebody added is not ours to upload.
    scenes = {
        picture_file(picture.scene): picture.scene
        for room in venue.rooms
        for picture in room.pictures
    }
    missing = {path: scene for path in paths if (scene := scenes.get(path.rpartition("/")[2]))}
    if missing:
        manager = manager or gateway.sign_in(venue.person("manager"))
        for path, scene in missing.items():
            gateway.upload(manager, path, read_picture(scene))
    return len(missing)


def _full_day(connection: Connection, venue: Venue) -> dict[str, str]:
    """The day that is sold out, and the booking on it that whoever tries the demo may cancel."""
    found = connection.execute(
        """
        select
          (b.starts_at at time zone l.timezone)::date::text as full_day, b.reference,
          private.derived_token('booking', b.id::text) as token
        from public.bookings as b
        join public.organizations as o on o.id = b.organization_id
        join public.customers as c on c.organization_id = b.organization_id and c.id = b.customer_id
        join public.rooms as r on r.organization_id = b.organization_id and r.id = b.room_id
        join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
        where o.slug = %s and c.full_name = %s and b.starts_at > now()
        """,
        (venue.slug, SPARE_GUEST),
    ).fetchone()
    if found is None:
        return {}
    return {
        "full_day": found["full_day"],
        "spare_url": f"?calendar={venue.slug}&reference={found['reference']}"
        f"#token={found['token']}",
    }


def _report(settings: SeedSettings, connection: Connection) -> None:
    """Write down what a person needs to try the demo; it is as secret as the demo's password."""
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
                "coupon": venue.coupon.code,
                "waiver_room": next(
                    room.name for room in venue.rooms if room.slug == venue.waiver_room
                ),
                **_full_day(connection, venue),
            }
            for venue in VENUES
        ],
    }
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    if settings.report.is_file() and settings.report.read_text("utf-8") == text:
        return
    settings.report.parent.mkdir(parents=True, exist_ok=True)
    settings.report.write_text(text, "utf-8")
