"""A backup of one stack, made while it works, and a second stack that goes on from it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

import stack as stack_of_the_run
from escapemaster_dev.stack.config import Ports, StackConfig
from escapemaster_dev.stack.ports import is_free
from escapemaster_dev.stack.state import stop_running
from escapemaster_dev.stack.supervisor import cluster_of
from stack import Mailbox, Rest, Stack, User, wait_until
from venues import Venue, answer, open_venue

DOCUMENT = os.urandom(300_000)
PASSWORD = "a password that is kept"


def command(where: StackConfig, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "escapemaster_dev", *arguments],
        env=stack_of_the_run.environment_of(where),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def second() -> Iterator[Stack]:
    """A stack without data, beside the run's."""
    base = next(
        base
        for base in range(29000 + os.getpid() % 50 * 20, 31500, 20)
        if all(is_free(port) for port in Ports(base).by_part().values())
    )
    with stack_of_the_run.directory("second") as home:
        where = StackConfig(home, Ports(base), durable=False)
        started = command(where, "up", "--detach", "--no-seed", "--throw-away")
        assert started.returncode == 0, started.stderr
        yield Stack.of(where)
        stop_running(where)
        cluster_of(where).remove()


def place(stack: Stack) -> StackConfig:
    return StackConfig(stack.home, stack.ports, durable=False)


def hold(anon: Rest, venue: Venue) -> dict[str, Any]:
    first = (datetime.now(UTC) + timedelta(days=2)).date()
    period = {"from_date": str(first), "to_date": str(first + timedelta(days=1)), "party_size": 4}
    slots = answer(anon.rpc("get_availability", slug=venue.calendar, **period))
    held: dict[str, Any] = answer(
        anon.rpc(
            "hold_booking",
            slug=venue.calendar,
            room_id=slots[0]["room_id"],
            starts_at=slots[0]["starts_at"],
            party_size=4,
            customer={"full_name": "Ada Serra", "email": f"ada-{uuid4().hex}@example.test"},
            expected_total_cents=slots[0]["price_cents"],
            idempotency_key=uuid4().hex,
        )
    )
    return held


def document(http: httpx.Client, rest: Rest, venue: Venue, **options: Any) -> httpx.Response:
    return http.request(
        "POST" if options else "GET",
        f"/storage/v1/object/documents/{venue.organization_id}/terms/año 2026.pdf",
        headers={**rest.headers, "content-type": "application/pdf"},
        **options,
    )


def test_a_second_stack_goes_on_from_a_backup_of_the_first(
    stack: Stack,
    second: Stack,
    gateway: httpx.Client,
    anon: Rest,
    make_user: Callable[..., User],
    as_user: Callable[..., Rest],
    tmp_path: Path,
) -> None:
    owner = make_user(f"owner-{uuid4().hex}@example.test", PASSWORD)
    venue = open_venue(lambda: owner, as_user)
    document(gateway, venue.owner, venue, content=DOCUMENT).raise_for_status()
    held = hold(anon, venue)

    made = command(place(stack), "backup-key", str(tmp_path / "key"))
    recipient, file = made.stdout.strip(), tmp_path / "all.age"
    done = command(place(stack), "backup", str(file), f"--recipient={recipient}")
    assert done.returncode == 0, done.stderr
    assert DOCUMENT[:16] not in (sealed := file.read_bytes())
    assert owner.email.encode() not in sealed
    assert file.stat().st_mode & 0o077 == 0
    again = command(place(stack), "backup-key", str(tmp_path / "key"))
    assert (again.returncode, "no key overwrites another" in again.stderr) == (1, True)

    restoring = ("restore", str(file), f"--key={tmp_path / 'key'}")
    looked = command(place(second), *restoring, "--check")
    assert looked.returncode == 0, looked.stderr
    assert "can be restored to postgres at 127.0.0.1" in looked.stdout
    done = command(place(second), *restoring)
    assert done.returncode == 0, done.stderr
    done = command(place(second), *restoring)
    assert (done.returncode, "say --replace" in done.stderr) == (1, True)

    with stack_of_the_run.client(second.url) as http:
        there = Rest(http, {"apikey": second.publishable_key})
        session = answer(
            http.post(
                "/auth/v1/token?grant_type=password",
                headers=there.headers,
                json={"email": owner.email, "password": PASSWORD},
            )
        )
        staff = Rest(
            http,
            {
                **there.headers,
                "Authorization": f"Bearer {session['access_token']}",
                "x-organization-id": venue.organization_id,
            },
        )
        [booking] = answer(staff.get("bookings", select="reference,status"))
        assert booking == {"reference": held["reference"], "status": "held"}
        # The signing key came along: the link in the player's mail leads to the booking.
        assert answer(there.rpc("get_booking", **_link(held)))["reference"] == held["reference"]
        # Who may not, may not: policies are those that there were.
        assert there.get("bookings").status_code == 401
        assert document(http, there, venue).status_code >= 400

        kept = document(http, staff, venue)
        assert (kept.status_code, kept.content) == (200, DOCUMENT)
        assert kept.headers["content-type"] == "application/pdf"
        # A file that came after the backup goes, one that was deleted comes back.
        mine = dict(staff.headers)
        folder = f"/storage/v1/object/documents/{venue.organization_id}"
        text = {**mine, "content-type": "text/plain"}
        http.post(f"{folder}/new.txt", headers=text, content=b"new").raise_for_status()
        names = {"prefixes": [f"{venue.organization_id}/terms/año 2026.pdf"]}
        bucket = "/storage/v1/object/documents"
        http.request("DELETE", bucket, headers=mine, json=names).raise_for_status()
        assert document(http, staff, venue).status_code >= 400
        done = command(place(second), *restoring, "--files-only")
        assert done.returncode == 0, done.stderr
        assert document(http, staff, venue).content == DOCUMENT
        assert http.get(f"{folder}/new.txt", headers=mine).status_code >= 400

        # This venue alone comes back, with its file and what it had then.
        lost = hold(there, venue)
        http.request("DELETE", bucket, headers=mine, json=names).raise_for_status()
        alone = ("restore-organization", str(file), venue.organization_id, restoring[2])
        done = command(place(second), *alone)
        assert (done.returncode, "say --replace" in done.stderr) == (1, True), done.stderr
        done = command(place(second), *alone, "--replace")
        assert done.returncode == 0, done.stderr
        assert f"rows of {venue.organization_id} restored" in done.stdout
        assert document(http, staff, venue).content == DOCUMENT
        assert [b["reference"] for b in answer(staff.get("bookings", select="reference"))] == [
            held["reference"]
        ]
        assert there.rpc("get_booking", **_link(lost)).status_code == 404

        _goes_on(second, there, staff, venue)


def _link(booking: dict[str, Any]) -> dict[str, Any]:
    return {name: booking[name] for name in ("reference", "manage_token")}


def _goes_on(second: Stack, there: Rest, staff: Rest, venue: Venue) -> None:
    """What a player books is confirmed by the desk, logged, and told by mail."""
    held = hold(there, venue)
    [booking] = answer(staff.get("bookings", reference=f"eq.{held['reference']}", select="id"))
    answer(
        staff.rpc(
            "transition_booking",
            organization_id=venue.organization_id,
            booking_id=booking["id"],
            to_status="confirmed",
        )
    )
    with psycopg.connect(second.owner_dsn) as connection:
        (email,) = connection.execute(
            "select c.email from public.customers as c join public.bookings as b"
            " on (b.organization_id, b.customer_id) = (c.organization_id, c.id)"
            " where b.reference = %s",
            [held["reference"]],
        ).fetchone() or ("",)
    with stack_of_the_run.client(second.mailbox_url) as http:
        mailbox = Mailbox(http)

        def confirmed() -> bool:
            return any(held["reference"] in str(mail["html"]) for mail in mailbox.of(email))

        wait_until(confirmed)
