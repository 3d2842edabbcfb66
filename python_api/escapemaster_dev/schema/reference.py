"""Reference data: rows that belong to the product and not to a tenant.

A table declares itself in its comment:

- `reference data…`: every row comes from `sql/` and is compared, without timestamps;
- `reference data by a, b: …`: only those columns are: the others are random or local.

`storage.buckets` is the platform's and cannot carry our comment: it is listed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from escapemaster_dev.schema.project import OUR_SCHEMAS, SchemaError

Connection = psycopg.Connection[TupleRow]

_BUCKET_COLUMNS = ("id", "name", "public", "file_size_limit", "allowed_mime_types")
_LOCAL_COLUMNS = ("created_at", "updated_at")
_MARKER = re.compile(r"reference data(?: by (?P<columns>[a-z_]+(?:, [a-z_]+)*))?\b")


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """A table whose rows `sql/` describes.

    Attributes:
        key: The primary key's columns.
        columns: The columns that are compared, the key's among them.
        complete: Whether a row can be written from `columns` alone.
    """

    schema: str
    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    complete: bool

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        """The qualified name, quoted."""
        return sql.Identifier(self.schema, self.name)


def reference_tables(connection: Connection) -> list[ReferenceTable]:
    """The reference tables of a database, those that others refer to first."""
    found: dict[str, ReferenceTable] = {}
    for schema, name, comment, key, columns in connection.execute(
        """
        select n.nspname, c.relname, obj_description(c.oid, 'pg_class'),
          (
            select array_agg(a.attname::text order by k.position)
            from pg_index as i
            cross join unnest(i.indkey) with ordinality as k (number, position)
            join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.number
            where i.indrelid = c.oid and i.indisprimary
          ),
          (
            select array_agg(a.attname::text order by a.attname)
            from pg_attribute as a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
              and a.attgenerated = ''
          )
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p')
          and (
            n.nspname = any(%s) and obj_description(c.oid, 'pg_class') like 'reference data%%'
            or n.nspname = 'storage' and c.relname = 'buckets'
          )
        order by 1, 2
        """,
        [list(OUR_SCHEMAS)],
    ):
        if key is None:
            raise SchemaError(f"{schema}.{name}: a reference table needs a primary key")
        if schema == "storage":
            chosen = [column for column in _BUCKET_COLUMNS if column in columns]
        else:
            chosen = _compared_columns(f"{schema}.{name}", comment, columns)
        local = [column for column in columns if column not in chosen]
        table = ReferenceTable(
            schema=schema,
            name=name,
            key=tuple(key),
            columns=tuple(chosen),
            complete=schema == "storage" or set(local) <= set(_LOCAL_COLUMNS),
        )
        found[str(table)] = table
    graph = TopologicalSorter({name: set[str]() for name in found})
    for child, parent in connection.execute(
        """
        select distinct
          format('%I.%I', cn.nspname, c.relname), format('%I.%I', pn.nspname, p.relname)
        from pg_constraint as k
        join pg_class as c on c.oid = k.conrelid
        join pg_namespace as cn on cn.oid = c.relnamespace
        join pg_class as p on p.oid = k.confrelid
        join pg_namespace as pn on pn.oid = p.relnamespace
        where k.contype = 'f' and k.conrelid <> k.confrelid
        """
    ):
        if child in found and parent in found:
            graph.add(child, parent)
    return [found[name] for name in graph.static_order()]


def _compared_columns(table: str, comment: str, columns: list[str]) -> list[str]:
    match = _MARKER.match(comment)
    if match is None or match["columns"] is None:
        return [column for column in columns if column not in _LOCAL_COLUMNS]
    chosen = match["columns"].split(", ")
    if unknown := set(chosen) - set(columns):
        raise SchemaError(f"{table}: its comment names unknown columns: {sorted(unknown)}")
    return chosen


def ordinary_tables(connection: Connection) -> Iterator[tuple[str, str]]:
    """Schema and name of our tables that are no reference tables."""
    yield from connection.execute(
        """
        select n.nspname, c.relname
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and n.nspname = any(%s)
          and coalesce(obj_description(c.oid, 'pg_class'), '') not like 'reference data%%'
        order by 1, 2
        """,
        [list(OUR_SCHEMAS)],
    )


def canonical_rows(connection: Connection, table: ReferenceTable) -> list[str]:
    """The compared part of each row as JSON text, sorted."""
    pairs = sql.SQL(", ").join(
        sql.SQL("{}, t.{}").format(sql.Literal(column), sql.Identifier(column))
        for column in table.columns
    )
    query = sql.SQL("select jsonb_build_object({})::text from {} as t order by 1").format(
        pairs, table.identifier
    )
    return [row[0] for row in connection.execute(query)]


def corrections(current: Connection, desired: Connection) -> Iterator[str]:
    """Statements that turn the reference rows of one database into those of another.

    Deletions come last and from the referring tables first.

    Raises:
        SchemaError: rows are missing whose other columns only a statement in `sql/` can make.
    """
    tables = reference_tables(desired)
    deletions: list[str] = []
    for table in tables:
        have, want = _rows_by_key(current, table), _rows_by_key(desired, table)
        changed = [row for key, row in want.items() if have.get(key) != row]
        if changed and not table.complete:
            raise SchemaError(
                f"{table}: rows differ that only sql/ can write; "
                "let sql/ hold a repeatable statement for them"
            )
        if changed:
            yield _upsert(table, changed)
        gone = [key for key in have if key not in want]
        if gone:
            deletions.append(_delete(table, gone))
    yield from reversed(deletions)


_Row = tuple[Any, ...]


def _rows_by_key(connection: Connection, table: ReferenceTable) -> dict[_Row, _Row]:
    """Every compared value as SQL text (a quoted literal or null), by the key's values."""
    ordered = [*table.key, *(column for column in table.columns if column not in table.key)]
    query = sql.SQL("select {} from {} order by {}").format(
        sql.SQL(", ").join(
            sql.SQL("quote_nullable({}::text)").format(sql.Identifier(column)) for column in ordered
        ),
        table.identifier,
        sql.SQL(", ").join(map(sql.Identifier, table.key)),
    )
    return {row[: len(table.key)]: row for row in connection.execute(query)}


def _upsert(table: ReferenceTable, rows: list[_Row]) -> str:
    others = [column for column in table.columns if column not in table.key]
    columns = ", ".join([*table.key, *others])
    values = ",\n".join("  (" + ", ".join(row) + ")" for row in rows)
    action = (
        "do update\nset " + ",\n  ".join(f"{column} = excluded.{column}" for column in others)
        if others
        else "do nothing"
    )
    return (
        f"insert into {table} ({columns})\nvalues\n{values}\n"
        f"on conflict ({', '.join(table.key)}) {action};"
    )


def _delete(table: ReferenceTable, keys: list[_Row]) -> str:
    values = ",\n".join("  (" + ", ".join(key) + ")" for key in keys)
    return f"delete from {table}\nwhere ({', '.join(table.key)}) in (\n{values}\n);"  # noqa: S608
