"""One process that hunts mutants: a pytest session that runs the tests that are about each.

The tests are collected once. Of each of its two databases the process has one connection; a
mutant is made inside a transaction on both, the tests run inside savepoints of it, and then it is
rolled back. Only where requests must meet is a database made anew.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import psycopg
import pytest
from _pytest.runner import runtestprotocol
from psycopg import sql

from matrix import fixtures
from matrix.client import Connection
from matrix.probe import install
from mutation.mutants import HELPERS, Mutant

ROOT = Path(__file__).resolve().parents[2]
_RACES = "test_tenancy_races"
_STATIC = ("test_matrix_complete", "test_permissions_linked")

#: The fast part of the suite: everything about tenancy that needs no HTTP.
SUBSET = (
    "tests/matrix/test_matrix.py",
    "tests/matrix/test_matrix_leaks.py",
    "tests/matrix/test_matrix_erase.py",
    "tests/matrix/test_matrix_complete.py",
    "tests/matrix/test_permissions_linked.py",
    "tests/db/test_access.py",
    "tests/db/test_access_foundation.py",
    "tests/db/test_audit.py",
    "tests/db/test_tenancy_api_keys.py",
    "tests/db/test_tenancy_invitations.py",
    "tests/db/test_tenancy_join_codes.py",
    "tests/db/test_tenancy_lifecycle.py",
    "tests/db/test_tenancy_members.py",
    "tests/db/test_tenancy_organizations.py",
    "tests/db/test_tenancy_platform.py",
    "tests/db/test_tenancy_races.py",
    "tests/db/test_tenancy_roles.py",
    "tests/db/test_tenancy_twins.py",
)
# A page that is written from the policies changes with every one of them: that it notices says
# nothing about the suite.
_DESELECTED = ("tests/matrix/test_permissions_linked.py::test_the_page_of_permissions",)


@dataclass(frozen=True, slots=True)
class Place:
    """The databases of one worker.

    Attributes:
        world: The superuser's URL of a copy of the matrix's world.
        tenancy: The superuser's URL of a database made by sql/.
        race: The name of a database that the worker makes anew whenever it needs to.
        maintenance: The superuser's URL of another database, for making it.
        schema: The template to make it from.
    """

    world: str
    tenancy: str
    race: str
    race_dsn: str
    maintenance: str
    schema: str


@dataclass(frozen=True, slots=True)
class Measured:
    """One test without any mutant: how long it takes, and which functions it runs through."""

    seconds: float
    functions: frozenset[str]


Measurements = Mapping[str, Measured]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant.

    Attributes:
        killed_by: The test that noticed, or None for a survivor.
        tests: How many tests were run.
        seconds: How long that took.
        error: Why the mutant could not be made, if it could not.
    """

    mutant: Mutant
    killed_by: str | None
    tests: int
    seconds: float
    error: str = ""


def work(pipe: Pipe, place: Place) -> None:
    """Run in a process of its own: measure what is asked for, then judge mutants."""
    os.chdir(ROOT)
    os.environ[fixtures.WORLD_DATABASE] = place.world
    os.environ[fixtures.DATABASE] = place.tenancy
    os.environ[fixtures.RACE_DATABASE] = place.race_dsn
    with (
        psycopg.connect(place.world, autocommit=True) as world,
        psycopg.connect(place.tenancy, autocommit=True) as tenancy,
    ):
        for connection in (world, tenancy):
            # A mutant may well run in circles.
            connection.execute("set statement_timeout = '30s'")
            connection.execute("set track_functions = 'all'")
        # Before any transaction that is rolled back.
        install(world)
        opened = {place.world: world, place.tenancy: tenancy}
        fixtures.connected = lambda dsn: nullcontext(opened[dsn])
        pytest.main(
            [
                *SUBSET,
                *(f"--deselect={test}" for test in _DESELECTED),
                "--override-ini=addopts=",
                "--import-mode=importlib",
                "--tb=no",
                "--assert=plain",
                "-p",
                "no:cacheprovider",
                "-qq",
                "--no-summary",
            ],
            plugins=[_Hunt(pipe, place, (world, tenancy))],
        )


@dataclass
class _Hunt:
    """The plugin that takes the place of pytest's loop over all tests."""

    pipe: Pipe
    place: Place
    connections: tuple[Connection, Connection]
    items: list[pytest.Item] = field(default_factory=list)
    measured: Measurements = field(default_factory=dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Answer what comes through the pipe until it says that there is no more."""
        self.items = [i for i in session.items if _module(i) != _RACES]
        races = [i for i in session.items if _module(i) == _RACES]
        self.pipe.send(len(self.items))
        while (message := self.pipe.recv()) is not None:
            match message:
                case ("measure", start, step):
                    self.pipe.send(self._measure(self.items[start::step]))
                case ("measured", measured):
                    self.measured = measured
                case Mutant():
                    self.pipe.send(self._judge(message, races))
        return True

    def _measure(self, items: Sequence[pytest.Item]) -> Measurements:
        measured = {}
        for item in items:
            started = time.monotonic()
            with self._undone():
                failed = self._fails(item)
                functions = frozenset(self._functions())
            if failed:
                raise AssertionError(f"fails without any mutant: {item.nodeid}: {failed}")
            measured[item.nodeid] = Measured(time.monotonic() - started, functions)
        return measured

    def _functions(self) -> Iterator[str]:
        """What was called in the transaction that is open now."""
        for connection in self.connections:
            for (name,) in connection.execute("select funcname from pg_stat_xact_user_functions"):
                yield name

    def _judge(self, mutant: Mutant, races: Sequence[pytest.Item]) -> Verdict:
        started = time.monotonic()
        count = 0
        try:
            if mutant.needs_race:
                count, killed_by = self._race(mutant, races)
                if killed_by is not None:
                    return Verdict(mutant, killed_by, count, time.monotonic() - started)
            with self._undone():
                for connection in self.connections:
                    if "any_organization" in mutant.statement:
                        connection.execute(HELPERS.encode())
                    connection.execute(mutant.statement.encode())
                for item in self._about(mutant):
                    count += 1
                    if self._fails(item):
                        return Verdict(mutant, item.nodeid, count, time.monotonic() - started)
            if mutant.kind == "function" and not mutant.needs_race:
                raced, killed_by = self._race(mutant, races)
                seconds = time.monotonic() - started
                return Verdict(mutant, killed_by, count + raced, seconds)
        except psycopg.Error as error:
            seconds = time.monotonic() - started
            return Verdict(mutant, None, count, seconds, f"{type(error).__name__}: {error}")
        return Verdict(mutant, None, count, time.monotonic() - started)

    def _race(self, mutant: Mutant, races: Sequence[pytest.Item]) -> tuple[int, str | None]:
        """The tests in which requests meet, which commit, in a database of the mutant's own."""
        with psycopg.connect(self.place.maintenance, autocommit=True) as connection:
            name, schema = sql.Identifier(self.place.race), sql.Identifier(self.place.schema)
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(name))
            connection.execute(
                sql.SQL("create database {} template {} owner postgres").format(name, schema)
            )
        with psycopg.connect(self.place.race_dsn) as connection:
            connection.execute(mutant.statement.encode())
        for count, item in enumerate(races, 1):
            if self._fails(item):
                return count, item.nodeid
        return len(races), None

    def _about(self, mutant: Mutant) -> list[pytest.Item]:
        """The tests that could notice, the likeliest and quickest first."""
        plain = mutant.about.split(".")[-1]
        in_files = mutant.about == "storage.objects"

        def rank(item: pytest.Item) -> tuple[int, float]:
            measured = self.measured[item.nodeid]
            named = _parameter(item)
            if named.split(".")[-1] == plain or (in_files and named.startswith("bucket ")):
                likely = 0
            elif mutant.kind == "function":
                likely = 1 if mutant.about in measured.functions else 3
            elif mutant.kind == "trigger" and _module(item) == "test_audit":
                likely = 1
            else:
                likely = 3
            if likely == 3 and _module(item) in _STATIC:
                likely = 2
            return likely, measured.seconds

        ranked = sorted(self.items, key=rank)
        if mutant.kind == "function":
            # What does not run through the function cannot tell.
            return [i for i in ranked if rank(i)[0] < 3]
        return ranked

    def _fails(self, item: pytest.Item) -> str:
        """Run one test; what failed, or nothing. The session's fixtures stay."""
        # Whatever is narrower than the session is torn down.
        whole: Any = item.session
        for report in runtestprotocol(item, log=False, nextitem=whole):
            if report.failed:
                return f"{report.when} {report.longrepr}"
        return ""

    @contextmanager
    def _undone(self) -> Iterator[None]:
        with ExitStack() as stack:
            for connection in self.connections:
                stack.enter_context(connection.transaction(force_rollback=True))
            yield


def _module(item: pytest.Item) -> str:
    return item.path.stem


def _parameter(item: pytest.Item) -> str:
    callspec: Any = getattr(item, "callspec", None)
    return "" if callspec is None else str(callspec.id)
