"""Every SQL function is executed by the tests: the whole run fails and names those that are not.

PostgreSQL counts the calls (`track_functions = all`), in each database for itself, so they are
read before a database is dropped and at the end of the run. Nothing escapes the count by being
inlined: PostgreSQL never inlines a function with a setting of its own, and a lint sees to it that
all of ours set search_path. A backend reports its calls late, but always when it ends: therefore
others are ended before the count is read. A call that raises is not counted, but the error names
every PL/pgSQL function on its way: a test's own errors are read, and the server's log, where faults
stand (refusals are kept out of it).

A part of the tests (`pytest tests/db`, `-k …`) calls a part of the functions and fails for none.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import TupleRow

import stack as stack_of_the_run
from escapemaster_dev.stack.state import is_running
from stack import Stack

_OUTPUT = "called_functions"
_PATIENCE = 5.0

_OURS = """
select p.oid::regprocedure::text
from pg_catalog.pg_proc as p
join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
where n.nspname in ('public', 'service', 'private')
  and not exists (
    select from pg_catalog.pg_depend as d
    where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
  )
"""
_CALLED = "select funcid::regprocedure::text from pg_catalog.pg_stat_user_functions where calls > 0"
_ON_THE_WAY = re.compile(r"PL/pgSQL function (\S+\([^)]*\)) line \d+ at ")


def read_failed_calls(logs: Path) -> set[str]:
    """The functions that an error came through, from the logs of the server."""
    return {
        name
        for log in logs.glob("*.log")
        for name in _ON_THE_WAY.findall(log.read_text(errors="replace"))
    }


def read_calls(dsn: str) -> set[str]:
    """The functions that were called in a database, after ending everybody else's sessions in it.

    Args:
        dsn: The superuser's URL of the database.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("set search_path = ''")
        deadline = time.monotonic() + _PATIENCE
        while _others(connection) and time.monotonic() < deadline:
            time.sleep(0.005)
        return _column(connection, _CALLED)


def _others(connection: psycopg.Connection[TupleRow]) -> bool:
    """End the other sessions of the connection's database; whether there still were any."""
    ended = connection.execute(
        """
        select pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()
          and backend_type = 'client backend'
        """
    )
    return ended.rowcount > 0


def _column(connection: psycopg.Connection[TupleRow], query: str) -> set[str]:
    return {str(value) for (value,) in connection.execute(query.encode())}


# Reading before a database is dropped -----------------------------------------------------------

# pytest-postgresql closes a database to connections before it drops it, so closing counts as well.
_LAST_CALL = re.compile(
    r'(?:drop database(?: if exists)?|alter database(?= \S+ with allow_connections false)) "?(\w+)',
    re.IGNORECASE,
)


def about_to_go(query: object) -> str | None:
    """The database that a statement is about to remove, if that is what it does."""
    if isinstance(query, sql.Composable):
        query = query.as_string(None)
    text = query.decode() if isinstance(query, bytes) else str(query)
    # Every statement of every test comes by here, and the expression is slow where nothing matches.
    match = _LAST_CALL.search(text) if "database" in text.lower() else None
    return match[1] if match else None


def url_of(dsn: str, database: str) -> str:
    """The URL of another database on the same server."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


def pytest_configure(config: pytest.Config) -> None:
    """From now on whoever drops a database of the run has its calls read first."""
    coverage = FunctionCoverage()
    config.pluginmanager.register(coverage)
    execute = psycopg.Cursor.execute

    def reading_first(
        self: psycopg.Cursor[Any], query: Any, *arguments: Any, **options: Any
    ) -> psycopg.Cursor[Any]:
        if name := about_to_go(query):
            coverage.read_before_drop(self.connection.info.port, name)
        try:
            return execute(self, query, *arguments, **options)
        except psycopg.Error as error:
            coverage.called |= set(_ON_THE_WAY.findall(error.diag.context or ""))
            raise

    psycopg.Cursor.execute = reading_first  # type: ignore[assignment, method-assign]
    config.add_cleanup(lambda: setattr(psycopg.Cursor, "execute", execute))


class FunctionCoverage:
    """What was called, in this process and, in the one that leads the run, in its workers."""

    def __init__(self) -> None:
        self.called: set[str] = set()
        self.known: set[str] = set()
        self.uncalled: list[str] = []

    def read_before_drop(self, port: int, database: str) -> None:
        """Read the calls of a database that is about to go, if it is one of the run's server."""
        where = stack_of_the_run.config()
        if port == where.ports.postgres:
            with suppress(psycopg.OperationalError):  # Gone already, or closed to everybody.
                self.called |= read_calls(url_of(Stack.of(where).admin_dsn, database))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand over what this worker has read."""
        output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_OUTPUT] = sorted(self.called)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker has read."""
        self.called |= set(getattr(node, "workeroutput", {}).get(_OUTPUT, []))

    # The innermost of the hooks around the run: the stack is stopped by another.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Compare what was called with what there is, while the stack still runs."""
        result = yield
        where = stack_of_the_run.config()
        if not hasattr(session.config, "workerinput") and is_running(where):
            self._read_the_rest(Stack.of(where).admin_dsn)
            self.called |= read_failed_calls(where.logs)
            self.uncalled = sorted(self.known - self.called)
            if (self.uncalled or not self.known) and _is_whole(session.config):
                session.testsfailed += 1
        return result

    def _read_the_rest(self, admin_dsn: str) -> None:
        with psycopg.connect(admin_dsn) as connection:
            connection.execute("set search_path = ''")
            self.known = _column(connection, _OURS)
            databases = _column(connection, "select datname from pg_database where datallowconn")
        for database in databases:
            self.called |= read_calls(url_of(admin_dsn, database))

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Name the functions that were never called."""
        if not self.known or not _is_whole(config):
            return
        executed = len(self.known) - len(self.uncalled)
        terminalreporter.line(f"SQL functions executed: {executed} of {len(self.known)}")
        if self.uncalled:
            terminalreporter.section("SQL functions that no test executes", red=True)
            for name in self.uncalled:
                terminalreporter.line(name)


def _is_whole(config: pytest.Config) -> bool:
    """Whether nobody asked for less than all tests."""
    return (
        config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and not config.option.keyword
        and not config.option.markexpr
        and not config.option.collectonly
        and not config.option.maxfail
    )
