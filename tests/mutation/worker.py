"""One process that hunts mutants: a pytest session that runs the tests that are about each.

The tests are collected once. Of each of its three databases the process has one connection; a
mutant is made inside a transaction on each, the tests run inside savepoints of it, and then it is
rolled back. Tests that commit, because requests must meet or because something happens at the
commit, run in a fourth database, which is made anew for each mutant that comes that far.
"""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import psycopg
import pytest
from _pytest.runner import runtestprotocol
from psycopg import sql

from client import Connection
from db import money_world
from matrix import fixtures
from matrix.probe import install
from mutation.mutants import HELPERS, Mutant

ROOT = Path(__file__).resolve().parents[2]
_STATIC_MODULES = ("test_matrix_complete", "test_permissions_linked")

#: How likely a test is to notice: it is named after the thing; it names the error that is no
#: longer raised; it noticed another mutant of the function; it names the function; its file does;
#: it runs through the function; it reads the catalogue; none of these.
_NAMED, _SAYS_SO, _KILLED, _CALLS, _MAY_CALL, _GOES_THROUGH, _STATIC, _UNLIKELY = range(8)
#: Up to here a test is likely enough to be run before those of the other kind.
_NEAR = _CALLS

#: How many tests that merely run through a function are tried upon an accepted survivor.
_OF_ACCEPTED = 25

#: What the source of a module says in which requests meet: only such can notice a missing lock.
_MEETING = ("ThreadPoolExecutor", "Thread(", "race(")

#: What a test asks for that commits what it does.
_COMMITTING = {"track", "money"}

_MATRIX = (
    "tests/matrix/test_matrix.py",
    "tests/matrix/test_matrix_leaks.py",
    "tests/matrix/test_matrix_erase.py",
    "tests/matrix/test_matrix_complete.py",
    "tests/matrix/test_matrix_twins.py",
    "tests/matrix/test_matrix_visitors.py",
    "tests/matrix/test_permissions_linked.py",
)

#: What of tests/db is not looked with: random lives of many examples, what is killed and started,
#: what asks over HTTP, and what is about the rendering of the schema or the tests themselves.
_LEFT_OUT = (
    "*_model",
    "*_schema*",
    "test_booking_chaos",
    "test_client",
    "test_copied_rows",
    "test_lock_order",
    "test_mails_once",
    "test_staffing_seed",
    "test_subscription_life",
    "test_tenancy_http",
    "test_workers_killed",
)

#: The fast part of the suite: everything about the database that needs neither HTTP nor a
#: property's many examples. A file that is new is one of them.
SUBSET = (
    *_MATRIX,
    *sorted(
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests/db").glob("test_*.py")
        if not any(fnmatch(path.stem, left_out) for left_out in _LEFT_OUT)
    ),
)
# A page that is written from the policies changes with every one of them: that it notices says
# nothing about the suite.
_DESELECTED = ("tests/matrix/test_permissions_linked.py::test_the_page_of_permissions",)


@dataclass(frozen=True, slots=True)
class Place:
    """The databases of one worker.

    Attributes:
        world: The superuser's URL of a copy of the matrix's world.
        busy: The same of the busier world.
        tenancy: The superuser's URL of a database made by sql/.
        race: The name of a database that the worker makes anew whenever it needs to.
        race_dsn: The superuser's URL of it.
        race_owner_dsn: The URL of it for the owner of the product's objects.
        maintenance: The superuser's URL of another database, for making it.
        schema: The template to make it from.
        patience: How many tests that merely run through a function are tried upon it.
        accepted: Which mutants may survive. Few such tests are tried upon them: most would run
            through all there are.
        tests: The files to look with, instead of SUBSET.
    """

    world: str
    busy: str
    tenancy: str
    race: str
    race_dsn: str
    race_owner_dsn: str
    maintenance: str
    schema: str
    patience: int | None = None
    accepted: frozenset[str] = frozenset()
    tests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """One test without any mutant.

    Attributes:
        seconds: How long it takes.
        functions: Which functions it runs through.
        failed: Why it fails even so. Such a test says nothing about mutants.
    """

    seconds: float
    functions: frozenset[str]
    failed: str


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
    os.environ[fixtures.BUSY_DATABASE] = place.busy
    os.environ[fixtures.DATABASE] = place.tenancy
    os.environ[fixtures.RACE_DATABASE] = place.race_dsn
    os.environ[money_world.OWNER_DATABASE] = place.race_owner_dsn
    with (
        psycopg.connect(place.world, autocommit=True) as world,
        psycopg.connect(place.busy, autocommit=True) as busy,
        psycopg.connect(place.tenancy, autocommit=True) as tenancy,
    ):
        for connection in (world, busy, tenancy):
            # A mutant may well run in circles.
            connection.execute("set statement_timeout = '30s'")
            connection.execute("set track_functions = 'all'")
        # Before any transaction that is rolled back.
        install(world)
        opened = {place.world: world, place.busy: busy, place.tenancy: tenancy}
        fixtures.connected = lambda dsn: nullcontext(opened[dsn])
        pytest.main(
            [
                *(place.tests or SUBSET),
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
            plugins=[_Hunt(pipe, place, (world, busy, tenancy))],
        )


@dataclass
class _Hunt:
    """The plugin that takes the place of pytest's loop over all tests."""

    pipe: Pipe
    place: Place
    connections: tuple[Connection, ...]
    items: list[pytest.Item] = field(default_factory=list)
    committing: list[pytest.Item] = field(default_factory=list)
    measured: Measurements = field(default_factory=dict)
    killers: dict[str, list[pytest.Item]] = field(default_factory=dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Answer what comes through the pipe until it says that there is no more."""
        # A property that fails is tried again and again until the example is small.
        tests = [i for i in session.items if not _has_many_examples(i)]
        self.items = [i for i in tests if not _commits(i)]
        self.committing = [i for i in tests if _commits(i)]
        everything = [*self.items, *self.committing]
        self.pipe.send(len(everything))
        while (message := self.pipe.recv()) is not None:
            match message:
                case ("measure", start, step):
                    self.pipe.send(self._measure(everything[start::step]))
                case ("measured", measured):
                    self.measured = measured
                    self.items = [i for i in self.items if not measured[i.nodeid].failed]
                    self.committing = [i for i in self.committing if not measured[i.nodeid].failed]
                case Mutant():
                    self.pipe.send(self._judge(message))
        return True

    def _measure(self, items: Sequence[pytest.Item]) -> Measurements:
        measured = {}
        self._make_race_database("select")
        for item in items:
            started = time.monotonic()
            if _commits(item):
                failed, functions = self._committed_functions(item)
            else:
                with self._undone():
                    failed = self._fails(item)
                    functions = frozenset(self._functions())
            measured[item.nodeid] = Measured(time.monotonic() - started, functions, failed)
            self.pipe.send("measured one")
        return measured

    def _functions(self) -> Iterator[str]:
        """What was called in the transaction that is open now."""
        for connection in self.connections:
            for (name,) in connection.execute("select funcname from pg_stat_xact_user_functions"):
                yield name

    def _committed_functions(self, item: pytest.Item) -> tuple[str, frozenset[str]]:
        """Run a test that commits: what failed, and what it called."""
        with psycopg.connect(self.place.race_dsn, autocommit=True) as connection:
            connection.execute("select pg_stat_reset()")
            failed = self._fails(item)
            # A connection says what it called when it ends, at the latest.
            alone = (
                "select not exists (select from pg_stat_activity where datname = current_database()"
                " and backend_type = 'client backend' and pid <> pg_backend_pid())"
            )
            while connection.execute(alone).fetchone() != (True,):
                time.sleep(0.002)
            called = connection.execute("select funcname from pg_stat_user_functions").fetchall()
            return failed, frozenset(name for (name,) in called)

    def _judge(self, mutant: Mutant) -> Verdict:
        started = time.monotonic()
        count, killer = 0, None
        try:
            # What is made for the likely ones is made again for the rest: few come that far.
            for ranks in (range(_NEAR + 1), range(_NEAR + 1, _UNLIKELY + 1)):
                for stage in (self._undone_stage, self._committed_stage):
                    if killer is None:
                        ran, killer = stage(mutant, ranks)
                        count += ran
        except psycopg.Error as error:
            seconds = time.monotonic() - started
            return Verdict(mutant, None, count, seconds, f"{type(error).__name__}: {error}")
        if killer is not None:
            known = self.killers.setdefault(mutant.through, [])
            if killer in known:
                known.remove(killer)
            known.insert(0, killer)
        name = None if killer is None else killer.nodeid
        return Verdict(mutant, name, count, time.monotonic() - started)

    def _undone_stage(self, mutant: Mutant, ranks: range) -> tuple[int, pytest.Item | None]:
        """The tests that can run inside the transaction in which the mutant is made."""
        likely = [] if mutant.needs_race else self._about(mutant, self.items, ranks)
        if not likely:
            return 0, None
        with self._undone():
            for connection in self.connections:
                if "any_organization" in mutant.statement:
                    connection.execute(HELPERS.encode())
                connection.execute(mutant.statement.encode())
            return self._first_failure(likely)

    def _committed_stage(self, mutant: Mutant, ranks: range) -> tuple[int, pytest.Item | None]:
        """The tests that commit, in a database of the mutant's own."""
        likely = self._about(mutant, self.committing, ranks) if mutant.through else []
        if mutant.needs_race:
            likely = [item for item in likely if _meets(item.path)]
        if not likely:
            return 0, None
        self._make_race_database(mutant.statement)
        return self._first_failure(likely)

    def _first_failure(self, items: Sequence[pytest.Item]) -> tuple[int, pytest.Item | None]:
        for count, item in enumerate(items, 1):
            if self._fails(item):
                return count, item
        return len(items), None

    def _make_race_database(self, statement: str) -> None:
        with psycopg.connect(self.place.maintenance, autocommit=True) as connection:
            name, schema = sql.Identifier(self.place.race), sql.Identifier(self.place.schema)
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(name))
            connection.execute(
                sql.SQL("create database {} template {} owner postgres strategy file_copy").format(
                    name, schema
                )
            )
            for setting in ("track_functions = 'all'", "statement_timeout = '30s'"):
                connection.execute(
                    sql.SQL("alter database {} set {}").format(name, sql.SQL(setting))
                )
        with psycopg.connect(self.place.race_dsn) as connection:
            connection.execute(statement.encode())

    def _about(
        self, mutant: Mutant, items: Sequence[pytest.Item], ranks: range
    ) -> list[pytest.Item]:
        """The tests that could notice, of certain ranks, the likeliest and quickest first."""
        plain = mutant.about.split(".")[-1]
        in_files = mutant.about == "storage.objects"
        killers = self.killers.get(mutant.through, []) if mutant.through else []

        def rank(item: pytest.Item) -> tuple[int, float]:
            measured = self.measured[item.nodeid]
            named = _parameter(item)
            if named.split(".")[-1] == plain or (in_files and named.startswith("bucket ")):
                return _NAMED, measured.seconds
            if mutant.through and mutant.through in measured.functions:
                if any(word in _source(item) for word in mutant.words):
                    return _SAYS_SO, measured.seconds
                if item in killers:
                    return _KILLED, killers.index(item)
                if mutant.through in _source(item):
                    return _CALLS, measured.seconds
                if mutant.through in _source_of_module(item):
                    return _MAY_CALL, measured.seconds
                return _GOES_THROUGH, measured.seconds
            likely = _STATIC if _module(item) in _STATIC_MODULES else _UNLIKELY
            return likely, measured.seconds

        # What does not run through the function cannot tell.
        last = _UNLIKELY if mutant.through else _UNLIKELY + 1
        ranked = sorted((rank(item), number) for number, item in enumerate(items))
        near = [items[n] for (likely, _), n in ranked if likely in ranks and likely <= _NEAR]
        far = [items[n] for (likely, _), n in ranked if likely in ranks and _NEAR < likely < last]
        if not mutant.through:
            return near + far
        accepted = mutant.name in self.place.accepted
        patience = min(self.place.patience or len(far), _OF_ACCEPTED if accepted else len(far))
        return near + far[:patience]

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


@cache
def _source(item: pytest.Item) -> str:
    """The test's own text in lower case, with its class and parameters."""
    function: Any = getattr(item, "function", None)
    return f"{item.nodeid} {inspect.getsource(function)}".lower()


@cache
def _source_of_module(item: pytest.Item) -> str:
    return item.path.read_text()


def _module(item: pytest.Item) -> str:
    return item.path.stem


@cache
def _meets(path: Path) -> bool:
    source = path.read_text()
    return any(word in source for word in _MEETING)


def _has_many_examples(item: pytest.Item) -> bool:
    return bool(getattr(getattr(item, "function", None), "is_hypothesis_test", False))


def _commits(item: pytest.Item) -> bool:
    return not _COMMITTING.isdisjoint(getattr(item, "fixturenames", ()))


def _parameter(item: pytest.Item) -> str:
    callspec: Any = getattr(item, "callspec", None)
    return "" if callspec is None else str(callspec.id)
