"""What a database is, as sorted lines: two databases are the same when these are.

The structure comes from the catalogue (snapshot.sql); the rows of reference tables follow, and
of every other table the number of rows that a fresh database has.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from importlib.resources import files

import psycopg
from psycopg import sql

from escapemaster_dev.schema.reference import (
    Connection,
    canonical_rows,
    ordinary_tables,
    reference_tables,
)

_QUERY = files(__package__).joinpath("snapshot.sql").read_text()


def snapshot(dsn: str) -> list[str]:
    """List everything that `sql/` may create in the database.

    Args:
        dsn: URL of a role that may read every table: the owner.

    Returns:
        Lines `object: fact`, one fact of several lines indented below its first.
    """
    with psycopg.connect(dsn) as connection:
        return list_facts(connection)


def list_facts(connection: Connection) -> list[str]:
    """The snapshot of a connection's database, inside its transaction."""
    # Names are shown with their schema unless the search path holds it.
    connection.execute("set local search_path = ''")
    return [*list_structure(connection), *_rows(connection)]


def list_structure(connection: Connection) -> list[str]:
    """The snapshot without what it says of rows. The search path must be empty."""
    return list(_structure(connection))


def difference(before: list[str], after: list[str], names: tuple[str, str]) -> str:
    """A unified diff of two snapshots; empty when they are equal."""
    return "\n".join(unified_diff(before, after, *names, lineterm="", n=1))


def _structure(connection: Connection) -> Iterator[str]:
    for name, fact in connection.execute(_QUERY.encode()):
        first, *rest = str(fact).rstrip("\n").split("\n")
        yield f"{name}: {first}"
        yield from (f"    {line}".rstrip() for line in rest)


def _rows(connection: Connection) -> Iterator[str]:
    for table in reference_tables(connection):
        yield from (f"rows of {table}: {row}" for row in canonical_rows(connection, table))
    for schema, name in ordinary_tables(connection):
        query = sql.SQL("select count(*) from {}").format(sql.Identifier(schema, name))
        for (count,) in connection.execute(query):
            yield f"rows of {schema}.{name}: {count}"
