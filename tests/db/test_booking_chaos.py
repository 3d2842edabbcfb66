"""A crowd does thousands of things at once, and the books stay true; also when the server is
killed in the middle."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

import stack as stack_of_the_run
from db.booking_world import Shop, open_shop
from db.chaos import EXPECTED, Acknowledged, Person, crowd
from db.invariants import broken_promises
from escapemaster_dev.schema.project import PROJECT
from escapemaster_dev.schema.sources import apply_files
from escapemaster_dev.stack.config import ROOT
from escapemaster_dev.stack.credentials import Credentials
from escapemaster_dev.stack.platform import create_platform_database, make_template
from escapemaster_dev.stack.postgres import OWNER, Cluster, locate
from escapemaster_dev.stack.processes import Child, stop_all
from escapemaster_dev.stack.supabase_config import read_supabase_config
from matrix.databases import WITHOUT_PLAN_LIMITS
from matrix.fixtures import Track
from matrix.house import House
from stack import wait_until

PEOPLE = 16
ACTS = 160


def answers_of(people: list[Person]) -> Counter[str]:
    return sum((person.answers for person in people), Counter())


def test_a_crowd_of_16_leaves_the_books_consistent(track: Track) -> None:
    shop = open_shop(track.house, track.name("Crowd"), hold_minutes=120)
    people = crowd(shop, PEOPLE)
    with ExitStack() as stack:
        for person in people:
            person.use(stack.enter_context(psycopg.connect(track.dsn, autocommit=True)))

        def live(person: Person) -> None:
            for _ in range(ACTS):
                person.act()

        with ThreadPoolExecutor(PEOPLE) as pool:
            list(pool.map(live, people))

    answers = answers_of(people)
    assert set(answers) <= EXPECTED, answers
    assert answers.total() == PEOPLE * ACTS
    assert answers["ok"] > answers.total() / 4, answers
    assert broken_promises(shop.house, shop.id) == {}


@dataclass
class Server:
    """A server of the test's own that keeps what it has acknowledged, and may be killed."""

    cluster: Cluster
    log: Path
    child: Child
    database: str = "killed"

    @property
    def dsn(self) -> str:
        return self.cluster.dsn(self.database)

    def kill(self) -> None:
        """As if its memory were gone: no process of it gets to write anything more."""
        main = int((self.cluster.data / "postmaster.pid").read_text().split()[0])
        everybody = [main, *_children(main)]
        for process in everybody:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.child.wait(20)
        wait_until(lambda: not any(_lives(process) for process in everybody))

    def start_again(self) -> None:
        self.child = self.cluster.start(self.log)
        self.cluster.wait_until_up(self.child)


def _children(main: int) -> list[int]:
    listed = Path(f"/proc/{main}/task/{main}/children")
    return [int(child) for child in listed.read_text().split()]


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@contextmanager
def durable_server() -> Iterator[Server]:
    credentials = Credentials.generate()
    # In memory it outlives a killed server as well as on a disk, whose cache outlives it, too.
    with stack_of_the_run.directory("durable") as home:
        with (
            socket.create_server(("127.0.0.1", 0)) as one,
            socket.create_server(("127.0.0.1", 0)) as other,
        ):
            port, auth_port = one.getsockname()[1], other.getsockname()[1]
        password = credentials.superuser_password
        cluster = locate(home, port=port, password=password, durable=True)
        cluster.initialise()
        server = Server(cluster, home / "postgres.log", cluster.start(home / "postgres.log"))
        try:
            cluster.wait_until_up(server.child)
            make_template(cluster, credentials, read_supabase_config(ROOT), auth_port, home)
            create_platform_database(cluster.dsn(), server.database)
            owner = urlsplit(server.dsn)._replace(
                netloc=f"{OWNER}:{credentials.owner_password}@127.0.0.1:{port}"
            )
            apply_files(urlunsplit(owner), PROJECT.source_files())
            with psycopg.connect(server.dsn, autocommit=True) as connection:
                connection.execute(WITHOUT_PLAN_LIMITS)
            yield server
        finally:
            stop_all([server.child], patience_seconds=15)
            cluster.remove()


@pytest.fixture
def mortal() -> Iterator[Server]:
    with durable_server() as made:
        yield made


def _live_until_killed(person: Person, killed: threading.Event) -> None:
    while True:
        try:
            person.act()
        except psycopg.OperationalError:
            if killed.is_set():
                return
            raise


def _everybody_acted(people: list[Person], before: list[int]) -> bool:
    return all(
        person.answers.total() >= count + 12 for person, count in zip(people, before, strict=True)
    )


def _forgotten(house: House, shop: Shop, known: Acknowledged) -> str | None:
    """What the venue no longer knows of what a client was told."""
    rows = house.owner_sql(
        "select b.status, balance.paid_cents from public.bookings as b"
        " cross join private.booking_balance(b.organization_id, b.id) as balance"
        " where b.organization_id = %s and b.reference = %s",
        shop.id,
        known.booking["reference"],
    )
    if not rows:
        return f"booking {known.booking['reference']}"
    if known.cancelled and rows[0]["status"] != "cancelled":
        return f"cancellation of {known.booking['reference']}"
    if rows[0]["paid_cents"] < known.paid_cents:
        return f"money of {known.booking['reference']}"
    return None


def test_a_killed_server_has_forgotten_nothing_that_it_acknowledged(mortal: Server) -> None:
    with psycopg.connect(mortal.dsn, autocommit=True) as connection:
        shop = open_shop(House(connection), "Killed", hold_minutes=120)
        people = crowd(shop, PEOPLE)

    for _ in range(3):
        with ExitStack() as stack:
            for person in people:
                # Closed, not left as a context: that would commit on a server that is gone.
                connection = psycopg.connect(mortal.dsn, autocommit=True)
                person.use(stack.enter_context(closing(connection)))
            acted = [person.answers.total() for person in people]
            killed = threading.Event()
            with ThreadPoolExecutor(PEOPLE) as pool:
                living = [pool.submit(_live_until_killed, person, killed) for person in people]
                wait_until(partial(_everybody_acted, people, acted))
                killed.set()
                mortal.kill()
                for life in living:
                    life.result()
        mortal.start_again()
        with psycopg.connect(mortal.dsn, autocommit=True) as connection:
            house = House(connection)
            assert broken_promises(house, shop.id) == {}
            forgotten = [
                problem
                for person in people
                for known in person.mine
                if (problem := _forgotten(house, shop, known)) is not None
            ]
            assert forgotten == []

    answers = answers_of(people)
    assert set(answers) <= EXPECTED, answers
    assert sum(len(person.mine) for person in people) > PEOPLE
