"""What does a database no good: dead rows, indexes that nobody uses, tables read row by row.

Everything is asked of PostgreSQL's own statistics; nothing is read of the tables themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psycopg
from psycopg.rows import TupleRow

from escapemaster_dev.schema.project import OUR_SCHEMAS

Connection = psycopg.Connection[TupleRow]

#: A table below it is read as quickly without an index, and its bloat is worth nothing.
_SMALL_BYTES: Final = 8 * 1024 * 1024
_MANY_ROWS: Final = 10_000
#: What autovacuum leaves, 20 %, and as much again.
_DEAD_SHARE: Final = 0.4
_SCANS_IN_VAIN: Final = 1_000
#: A transaction id is used up at two thousand millions; PostgreSQL warns at the last forty.
_OLD_AGE: Final = 1_000_000_000
_FREE_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at.

    Attributes:
        check: Which of the checks found it.
        about: The table, index or setting.
        says: What is the matter, with figures.
        do: What mends it.
    """

    check: str
    about: str
    says: str
    do: str


def findings(connection: Connection) -> list[Finding]:
    """Everything that the checks find, by check."""
    return [finding for check in _CHECKS.values() for finding in check(connection)]


def checks() -> list[str]:
    """The names of the checks."""
    return list(_CHECKS)


def statistics_since(connection: Connection) -> datetime | None:
    """Since when the database counts; None: since it was made."""
    row = connection.execute(
        "select stats_reset from pg_catalog.pg_stat_database where datname = current_database()"
    ).fetchone()
    return None if row is None or row[0] is None else row[0].astimezone(UTC)


def _dead_rows(connection: Connection) -> Iterator[Finding]:
    for table, dead, live, vacuumed in connection.execute(
        """
        select format('%%I.%%I', schemaname, relname), n_dead_tup, n_live_tup,
          greatest(last_vacuum, last_autovacuum)
        from pg_catalog.pg_stat_user_tables
        where schemaname = any(%s) and n_dead_tup > %s
          and n_dead_tup > %s * (n_live_tup + n_dead_tup)
        order by n_dead_tup desc
        """,
        [list(OUR_SCHEMAS), _MANY_ROWS, _DEAD_SHARE],
    ):
        yield Finding(
            "dead rows",
            table,
            f"{dead:,} dead beside {live:,} living rows; vacuumed {_when(vacuumed)}",
            f"vacuum (analyze) {table}; if it comes again, an old transaction of pg_stat_activity"
            " holds it back, or autovacuum_vacuum_scale_factor is too large",
        )


def _bloat(connection: Connection) -> Iterator[Finding]:
    """Pages that rows of the average width do not need: an estimate, after `analyze`."""
    for table, size, needed in connection.execute(
        """
        with measured as (
          select c.oid, c.reltuples, c.relpages,
            -- A row: its header, its columns as the statistics know them, and rounding up.
            24 + 4 + sum((1 - s.null_frac) * s.avg_width) + 4 as width,
            coalesce(
              substring(array_to_string(c.reloptions, ',') from 'fillfactor=([0-9]+)')::int, 100
            ) / 100.0 as filled
          from pg_catalog.pg_class as c
          join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
          join pg_catalog.pg_stats as s on s.schemaname = n.nspname and s.tablename = c.relname
          where c.relkind = 'r' and n.nspname = any(%s) and c.reltuples > 0
          group by c.oid
        ),
        sized as (
          select oid, relpages * 8192::bigint as size,
            (ceil(reltuples * width / (8192 - 24) / filled) * 8192)::bigint as needed
          from measured
        )
        select oid::regclass::text, size, needed from sized
        where size > %s and needed < (1 - %s) * size
        order by size - needed desc
        """,
        [list(OUR_SCHEMAS), _SMALL_BYTES, _FREE_SHARE],
    ):
        yield Finding(
            "bloat",
            table,
            f"some {_bytes(size - needed)} of {_bytes(size)} are empty",
            f"new rows use it again; to give it back: vacuum full {table} in a quiet hour (it locks"
            " the table), or pg_repack, which does not",
        )


def _unused_indexes(connection: Connection) -> Iterator[Finding]:
    for index, table, size in connection.execute(
        """
        select s.indexrelid::regclass::text, s.relid::regclass::text,
          pg_catalog.pg_relation_size(s.indexrelid)
        from pg_catalog.pg_stat_user_indexes as s
        join pg_catalog.pg_index as i on i.indexrelid = s.indexrelid
        where s.schemaname = any(%s) and s.idx_scan = 0
          -- These hold a rule, whoever reads them.
          and not i.indisunique and not i.indisexclusion
          and pg_catalog.pg_relation_size(s.indexrelid) > %s
        order by 3 desc
        """,
        [list(OUR_SCHEMAS), _SMALL_BYTES],
    ):
        yield Finding(
            "unused index",
            index,
            f"{_bytes(size)}, not read since the count began; each change of {table} writes it",
            "look at its `-- for:` in sql/: an erasure or a report reads some once a month",
        )


def _read_row_by_row(connection: Connection) -> Iterator[Finding]:
    for table, scans, read, used in connection.execute(
        """
        select format('%%I.%%I', schemaname, relname), seq_scan, seq_tup_read, coalesce(idx_scan, 0)
        from pg_catalog.pg_stat_user_tables
        where schemaname = any(%s) and n_live_tup > %s and seq_scan > %s
          and seq_scan > coalesce(idx_scan, 0) / 10 and seq_tup_read > seq_scan * %s
        order by seq_tup_read desc
        """,
        [list(OUR_SCHEMAS), _MANY_ROWS, _SCANS_IN_VAIN, _MANY_ROWS // 2],
    ):
        yield Finding(
            "no index",
            table,
            f"read from end to end {scans:,} times ({read:,} rows), by an index {used:,} times",
            "escapemaster db top names the statement; give it an index with its `-- for:`",
        )


def _never_analyzed(connection: Connection) -> Iterator[Finding]:
    for table, rows in connection.execute(
        """
        select format('%%I.%%I', schemaname, relname), n_live_tup
        from pg_catalog.pg_stat_user_tables
        where schemaname = any(%s) and n_live_tup > %s
          and greatest(last_analyze, last_autoanalyze) is null
        order by n_live_tup desc
        """,
        [list(OUR_SCHEMAS), _MANY_ROWS],
    ):
        yield Finding(
            "never analyzed",
            table,
            f"{rows:,} rows of which the planner knows nothing",
            f"analyze {table}; and see that autovacuum is on",
        )


def _invalid_indexes(connection: Connection) -> Iterator[Finding]:
    for (index,) in connection.execute(
        """
        select i.indexrelid::regclass::text from pg_catalog.pg_index as i
        join pg_catalog.pg_class as c on c.oid = i.indexrelid
        where not i.indisvalid and c.relnamespace::regnamespace::text = any(%s)
        order by 1
        """,
        [list(OUR_SCHEMAS)],
    ):
        yield Finding(
            "invalid index",
            index,
            "a `create index concurrently` was broken off: it is written, and never read",
            f"reindex index concurrently {index}",
        )


def _old_transactions(connection: Connection) -> Iterator[Finding]:
    row = connection.execute(
        "select age(datfrozenxid) from pg_catalog.pg_database where datname = current_database()"
    ).fetchone()
    if row is not None and row[0] > _OLD_AGE:
        yield Finding(
            "old transactions",
            "the database",
            f"its oldest transaction id is {row[0]:,} behind; at 2,100,000,000 it stops",
            "vacuum (freeze), and see what holds autovacuum back",
        )


def _settings(connection: Connection) -> Iterator[Finding]:
    row = connection.execute(
        "select current_setting('autovacuum'), current_setting('track_counts')"
    ).fetchone()
    for name, value in zip(("autovacuum", "track_counts"), row or (), strict=False):
        if value != "on":
            yield Finding("settings", name, f"is {value}", f"set {name} = on in postgresql.conf")
    # What the platform gives each of them, and our migration the last one.
    for role, setting in (
        ("anon", "statement_timeout"),
        ("authenticated", "statement_timeout"),
        ("authenticator", "statement_timeout"),
        ("authenticator", "idle_in_transaction_session_timeout"),
    ):
        found = connection.execute(
            """
            select exists (
              select from pg_catalog.pg_roles as r, unnest(r.rolconfig) as c (line)
              where r.rolname = %s and split_part(c.line, '=', 1) = %s
                and split_part(c.line, '=', 2) not in ('0', '0s', '')
            )
            """,
            [role, setting],
        ).fetchone()
        if found is None or not found[0]:
            yield Finding(
                "settings",
                f"role {role}",
                f"has no {setting}: what one request takes has no end",
                f"alter role {role} set {setting} = '…' (docs/operation.md says which)",
            )


def _bytes(size: int) -> str:
    return f"{size / 1024 / 1024:,.0f} MB"


def _when(moment: datetime | None) -> str:
    return "never" if moment is None else f"on {moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


_CHECKS: Final[dict[str, Callable[[Connection], Iterator[Finding]]]] = {
    "dead rows": _dead_rows,
    "bloat": _bloat,
    "unused index": _unused_indexes,
    "no index": _read_row_by_row,
    "never analyzed": _never_analyzed,
    "invalid index": _invalid_indexes,
    "old transactions": _old_transactions,
    "settings": _settings,
}
