"""The dearest statements of a database, by pg_stat_statements."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow, class_row

from escapemaster_dev.stack.errors import StackError

Connection = psycopg.Connection[TupleRow]

_SWITCH_ON: Final = (
    "`create extension pg_stat_statements with schema extensions` as the database's owner (hosted:"
    " Database, Extensions); on a PostgreSQL of your own first `shared_preload_libraries ="
    " 'pg_stat_statements'` in postgresql.conf, and a restart"
)


class By(StrEnum):
    """What makes a statement dear."""

    TOTAL = "total"
    MEAN = "mean"
    CALLS = "calls"
    READS = "reads"


_ORDERS: Final = {
    By.TOTAL: "total_exec_time",
    By.MEAN: "mean_exec_time",
    By.CALLS: "calls",
    By.READS: "shared_blks_read",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, its values taken out.

    Attributes:
        role: Who ran it.
        total_ms: Of all its calls.
        share: Of the time that all statements of this database took, 0 to 1.
        cached: Of the pages that it read, how many were in memory, 0 to 1; None: it read none.
    """

    role: str
    calls: int
    total_ms: float
    mean_ms: float
    max_ms: float
    rows: int
    share: float
    cached: float | None
    text: str


def dearest(connection: Connection, by: By, count: int) -> list[Statement]:
    """The dearest statements of the connection's database.

    Raises:
        StackError: The extension is not there, or not loaded; the text says how to switch it on.
    """
    query = sql.SQL(
        """
        select
          coalesce(pg_catalog.pg_get_userbyid(s.userid), '') as role,
          s.calls, s.total_exec_time as total_ms, s.mean_exec_time as mean_ms,
          s.max_exec_time as max_ms, s.rows,
          coalesce(s.total_exec_time / nullif(sum(s.total_exec_time) over (), 0), 0) as share,
          s.shared_blks_hit::float8 / nullif(s.shared_blks_hit + s.shared_blks_read, 0) as cached,
          pg_catalog.regexp_replace(s.query, '\\s+', ' ', 'g') as text
        from {} as s
        where s.dbid = (select oid from pg_catalog.pg_database where datname = current_database())
        order by s.{} desc
        limit %s
        """
    ).format(_view(connection, "pg_stat_statements"), sql.Identifier(_ORDERS[by]))
    try:
        with connection.cursor(row_factory=class_row(Statement)) as cursor:
            return cursor.execute(query, [count]).fetchall()
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        raise StackError(f"pg_stat_statements is not loaded: {_SWITCH_ON}") from error


def counting_since(connection: Connection) -> datetime:
    """Since when the statements are counted."""
    query = sql.SQL("select stats_reset from {}").format(
        _view(connection, "pg_stat_statements_info")
    )
    [row] = connection.execute(query).fetchall()
    since: datetime = row[0]
    return since


def _view(connection: Connection, name: str) -> sql.Identifier:
    """A view of the extension, which is in one schema here and in another there."""
    found = connection.execute(
        "select n.nspname from pg_catalog.pg_extension as e"
        " join pg_catalog.pg_namespace as n on n.oid = e.extnamespace"
        " where e.extname = 'pg_stat_statements'"
    ).fetchone()
    if found is None:
        raise StackError(f"pg_stat_statements is not there: {_SWITCH_ON}")
    return sql.Identifier(found[0], name)
