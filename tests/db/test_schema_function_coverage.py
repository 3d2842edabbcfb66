"""The count of called functions, on which a run of all tests depends, can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import stack as stack_of_the_run
from escapemaster_dev.schema.server import Server
from plugins.function_coverage import (
    FunctionCoverage,
    about_to_go,
    read_calls,
    read_failed_calls,
    url_of,
)

_FUNCTIONS = """
create schema private;
create function private.by_trigger() returns trigger language plpgsql
set search_path = '' as 'begin return new; end';
create function private.by_default() returns int language sql set search_path = '' as 'select 1';
create function private.by_check(value int) returns boolean language sql immutable
set search_path = '' as 'select value > 0';
create function private.in_a_failed_transaction() returns int language plpgsql
set search_path = '' as 'begin raise exception $$x$$; end';
create function private.called() returns int language sql immutable
set search_path = '' as 'select 1';
create function private.never() returns int language sql set search_path = '' as 'select 1';
create table private.rows (
  id int not null default private.by_default() check (private.by_check(id))
);
create trigger rows_before before insert on private.rows
for each row execute function private.by_trigger();
"""


@pytest.fixture
def counted(server: Server) -> Iterator[tuple[str, str]]:
    """The owner's and the superuser's URL of a database with functions."""
    with server.scratch("counted") as dsn:
        with psycopg.connect(dsn) as connection:
            connection.execute(_FUNCTIONS)
        yield dsn, url_of(server.admin_dsn, dsn.rsplit("/", 1)[1])


def test_every_kind_of_call_counts_and_no_other(counted: tuple[str, str]) -> None:
    dsn, admin_dsn = counted
    # A session that stays open keeps its counts to itself for a while.
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("insert into private.rows default values")
        connection.execute("select private.called()")
        with pytest.raises(psycopg.errors.RaiseException):
            connection.execute("select private.in_a_failed_transaction()")

        assert read_calls(admin_dsn) == {
            "private.by_trigger()",
            "private.by_default()",
            "private.by_check(integer)",
            "private.called()",
        }


def test_a_call_that_raises_is_found_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "postgresql.log").write_text(
        "2026-01-01 12:00:00.000 UTC [7] authenticator@postgres ERROR:  slot_taken\n"
        "2026-01-01 12:00:00.000 UTC [7] authenticator@postgres CONTEXT:  PL/pgSQL function"
        " private.fail(text,integer,text,jsonb) line 3 at RAISE\n"
        '\tSQL statement "SELECT private.fail(1)"\n'
        "\tPL/pgSQL function private.hold(text,timestamp with time zone) line 9 at PERFORM\n"
        '\tSQL function "hold_booking" statement 1\n'
    )
    assert read_failed_calls(tmp_path) == {
        "private.fail(text,integer,text,jsonb)",
        "private.hold(text,timestamp with time zone)",
    }


def test_a_database_is_read_before_it_is_dropped(counted: tuple[str, str]) -> None:
    dsn, _ = counted
    coverage = FunctionCoverage()
    with psycopg.connect(dsn) as connection:
        connection.execute("select private.called()")
    coverage.read_before_drop(stack_of_the_run.config().ports.postgres, dsn.rsplit("/", 1)[1])
    assert coverage.called == {"private.called()"}

    coverage.read_before_drop(stack_of_the_run.config().ports.postgres, "is_gone_already")
    assert coverage.called == {"private.called()"}


@pytest.mark.parametrize(
    ("statement", "database"),
    [
        ("drop database a_b", "a_b"),
        (b"DROP DATABASE IF EXISTS a_b", "a_b"),
        (
            sql.SQL("drop database if exists {} with (force)").format(sql.Identifier("a_b")),
            "a_b",
        ),
        ('ALTER DATABASE "a_b" WITH allow_connections false', "a_b"),
        ("alter database a_b is_template true allow_connections false", None),
        ("select 'database'", None),
        ("create database a_b", None),
    ],
)
def test_the_end_of_a_database_is_seen_coming(statement: object, database: str | None) -> None:
    assert about_to_go(statement) == database
