"""Databases and houses for tests of tenancy."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar
from uuid import uuid4

import psycopg
import pytest

import stack as stack_of_the_run
from client import Client, Connection
from escapemaster_dev.schema.server import Server
from matrix.busy import furnish
from matrix.databases import Databases
from matrix.house import House
from matrix.probe import install
from matrix.world import Facts, build, load
from pool import Pool

_PATIENCE = stack_of_the_run.PATIENCE

#: The superuser's URLs of databases that are there already. The mutation tool sets them.
DATABASE = "ESCAPEMASTER_TENANCY_DATABASE"
RACE_DATABASE = "ESCAPEMASTER_RACE_DATABASE"
WORLD_DATABASE = "ESCAPEMASTER_WORLD_DATABASE"
BUSY_DATABASE = "ESCAPEMASTER_BUSY_DATABASE"

#: The template that holds the matrix's four venues.
WORLD = "matrix_world"
#: The template in which more is going on in the first of them.
BUSY = "matrix_busy"


def connected(dsn: str) -> AbstractContextManager[Connection]:
    """A connection for the whole run. The mutation tool puts its own in this place."""
    return psycopg.connect(dsn, autocommit=True)


@pytest.fixture(scope="session")
def databases(server: Server) -> Databases:
    """Templates that the workers of a run share."""
    return Databases(server, stack_of_the_run.config().home)


@pytest.fixture(scope="session")
def tenancy_connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """The superuser's connection to a database made by `sql/`, for `house` only."""
    with (
        _given_or_copied(request, DATABASE) as dsn,
        connected(dsn) as connection,
    ):
        yield connection


@pytest.fixture(scope="session")
def race_dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """The superuser's URL of another one, in which requests are committed."""
    with _given_or_copied(request, RACE_DATABASE) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def race_pool(race_dsn: str) -> Iterator[Pool]:
    """Sessions of it. The mutation tool waits for their ends, and makes the database anew."""
    pool = Pool(race_dsn, keeps=0) if RACE_DATABASE in os.environ else Pool(race_dsn)
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def world_dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """The superuser's URL of a database with the matrix's four venues."""
    with _given_or_copied(request, WORLD_DATABASE) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def world(world_dsn: str) -> Iterator[Connection]:
    """The superuser's connection to it, with the prober. Nothing is changed for good."""
    with connected(world_dsn) as connection:
        install(connection)
        yield connection


@pytest.fixture(scope="session")
def facts(world: Connection) -> Facts:
    """What to call the things in it."""
    return load(world)


@pytest.fixture(scope="session")
def busy_world(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """The superuser's connection to a world with a busier first venue, likewise."""
    with _given_or_copied(request, BUSY_DATABASE) as dsn, connected(dsn) as connection:
        yield connection


@pytest.fixture(scope="session")
def busy_facts(busy_world: Connection) -> Facts:
    """What to call the things in it."""
    return load(busy_world)


@contextmanager
def _given_or_copied(request: pytest.FixtureRequest, variable: str) -> Iterator[str]:
    if given := os.environ.get(variable):
        yield given
        return
    databases: Databases = request.getfixturevalue("databases")
    makers = {WORLD_DATABASE: world_template, BUSY_DATABASE: busy_template}
    with databases.copy_of(makers.get(variable, Databases.schema)(databases)) as dsn:
        yield dsn


def world_template(databases: Databases) -> str:
    """The template of the matrix's world, made once a run."""

    def fill(name: str) -> None:
        with psycopg.connect(databases.admin_dsn(name), autocommit=True) as connection:
            build(connection)
        _analyze(databases.admin_dsn(name))

    return databases.template(WORLD, databases.schema(), fill)


def busy_template(databases: Databases) -> str:
    """The template of the busier world, made once a run."""

    def fill(name: str) -> None:
        with psycopg.connect(databases.admin_dsn(name), autocommit=True) as connection:
            furnish(connection)
        _analyze(databases.admin_dsn(name))

    return databases.template(BUSY, world_template(databases), fill)


def _analyze(dsn: str) -> None:
    """In a session of its own: each table's new figures are held against every plan that the
    session has kept, and one that has made a world has kept all."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("analyze")


@pytest.fixture
def house(tenancy_connection: Connection) -> Iterator[House]:
    """An empty house, whose changes are rolled back."""
    with tenancy_connection.transaction(force_rollback=True):
        yield House(tenancy_connection)


T = TypeVar("T")


class Racer(threading.Thread, Generic[T]):
    """Work on a connection of its own, whose outcome is asked for later."""

    def __init__(self, work: Callable[[], T], connection: Connection) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._result: T | None = None
        self._error: Exception | None = None
        self.backend = connection.info.backend_pid

    def run(self) -> None:
        """Do the work and keep what came of it."""
        try:
            self._result = self._work()
        except Exception as error:  # noqa: BLE001 - raised again by outcome()
            self._error = error

    def outcome(self) -> T | Exception | None:
        """What the work returned or raised."""
        self.join(_PATIENCE)
        assert not self.is_alive(), "still waiting"
        return self._error or self._result


@dataclass(slots=True)
class Track:
    """A house that several clients use at once: everything is committed, and each may have its own
    connection. Names are made unique, since nothing is rolled back."""

    house: House
    pool: Pool
    stack: ExitStack
    suffix: str = field(default_factory=lambda: uuid4().hex[:12])

    @property
    def dsn(self) -> str:
        """The superuser's URL of the database."""
        return self.pool.dsn

    def name(self, name: str) -> str:
        """A name that no other test uses."""
        return f"{name}_{self.suffix}"

    def alone(self, client: Client) -> Client:
        """The same caller on a connection of its own."""
        connection = self.stack.enter_context(self.pool.connection())
        return replace(client, connection=connection)

    def start(self, client: Client, work: Callable[[], T]) -> Racer[T]:
        """Run work that uses this client, beside the test."""
        racer = Racer(work, client.connection)
        racer.start()
        return racer

    def wait_until_blocked(self, racer: Racer[Any]) -> None:
        """Return once the racer's connection waits for another one's lock."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            row = self.house.connection.execute(
                "select cardinality(pg_blocking_pids(%s)) > 0", [racer.backend]
            ).fetchone()
            if row is not None and row[0]:
                return
            assert racer.is_alive(), f"did not wait: {racer.outcome()}"
        raise AssertionError("waited for no lock")


@pytest.fixture
def track(race_pool: Pool) -> Iterator[Track]:
    """Where requests race on real connections."""
    with ExitStack() as stack:
        connection = stack.enter_context(race_pool.connection())
        yield Track(House(connection), race_pool, stack)
