"""Columns that take a few known values: read from the constraints, told to the types.

Statuses are text with a CHECK, since only text is compared below row-level security without
leaking; the generated types would call them `string`. Here they become the union of their values,
as do the names of rows of reference data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from psycopg import sql

from escapemaster_dev.schema.reference import Connection

#: Values by table of `public` and column.
KnownValues = Mapping[tuple[str, str], tuple[str, ...]]

_LIST = re.compile(r"^CHECK \(\((\w+) = ANY \(ARRAY\[(.+)\]\)\)\)$")
_VALUE = re.compile(r"'((?:[^']|'')*)'::text")

_TYPESCRIPT_TABLE = re.compile(r'^ {6}"(\w+)": \{$')
_TYPESCRIPT_SCHEMA = re.compile(r'^ {2}"(\w+)": \{$')
_TYPESCRIPT_COLUMN = re.compile(r'^( {10}"(\w+)"\??: )string((?: \| null)?;)$')
_PYTHON_CLASS = re.compile(r"^class (\w+)\(")
_PYTHON_COLUMN = re.compile(r"^( {4}(\w+): .*?)\bstr\b(.*)$")


#: A longer list, such as that of the currencies, makes no type that anybody could read.
_LONGEST_UNION = 40


def known_values(connection: Connection) -> KnownValues:
    """What the constraints of `public` tables allow, column by column."""
    return {**_named_rows(connection), **_listed_values(connection)}


def _named_rows(connection: Connection) -> KnownValues:
    """The names of the rows of reference data to which a column may refer."""
    references = connection.execute(
        """
        select c.relname, a.attname, f.relnamespace::regnamespace::text, f.relname, key.attname
        from pg_catalog.pg_constraint as k
        join pg_catalog.pg_class as c on c.oid = k.conrelid
        join pg_catalog.pg_class as f on f.oid = k.confrelid
        join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
        join pg_catalog.pg_attribute as key
          on key.attrelid = k.confrelid and key.attnum = k.confkey[1]
        where k.contype = 'f'
          and cardinality(k.conkey) = 1
          and a.atttypid = 'text'::regtype
          and c.relnamespace = 'public'::regnamespace
          and obj_description(k.confrelid, 'pg_class') like 'reference data.%'
        order by 1, 2
        """
    ).fetchall()
    found = {}
    for table, column, schema, referenced, key in references:
        rows = connection.execute(
            sql.SQL("select {} from {} order by 1").format(
                sql.Identifier(key), sql.Identifier(schema, referenced)
            )
        )
        names = tuple(str(name) for (name,) in rows)
        if len(names) <= _LONGEST_UNION:
            found[table, column] = names
    return found


def _listed_values(connection: Connection) -> KnownValues:
    """What the CHECK constraints allow."""
    rows = connection.execute(
        """
        select c.relname, pg_get_constraintdef(k.oid)
        from pg_catalog.pg_constraint as k
        join pg_catalog.pg_class as c on c.oid = k.conrelid
        where k.contype = 'c'
          and cardinality(k.conkey) = 1
          and c.relnamespace = 'public'::regnamespace
        order by 1, 2
        """
    )
    found = {}
    for table, definition in rows:
        if (listed := _LIST.match(definition)) is not None:
            values = tuple(value.replace("''", "'") for value in _VALUE.findall(listed[2]))
            if values:
                found[table, listed[1]] = values
    return found


def in_typescript(content: str, values: KnownValues) -> str:
    """The generated TypeScript with unions in place of `string`."""
    schema = table = ""
    lines = []
    for line in content.splitlines():
        if opened := _TYPESCRIPT_SCHEMA.match(line):
            schema = opened[1]
        elif opened := _TYPESCRIPT_TABLE.match(line):
            table = opened[1]
        column = _TYPESCRIPT_COLUMN.match(line)
        if schema == "public" and column and (known := values.get((table, column[2]))):
            union = " | ".join(f'"{value}"' for value in known)
            lines.append(f"{column[1]}{union}{column[3]}")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def in_python(content: str, values: KnownValues) -> str:
    """The generated Python with `Literal` in place of `str`."""
    by_class = {
        f"Public{_camel(table)}{kind}": table
        for table, _ in values
        for kind in ("", "Insert", "Update")
    }
    table = ""
    lines = []
    for line in content.splitlines():
        if opened := _PYTHON_CLASS.match(line):
            table = by_class.get(opened[1], "")
        column = _PYTHON_COLUMN.match(line)
        if column and (known := values.get((table, column[2]))):
            union = ", ".join(f'"{value}"' for value in known)
            lines.append(f"{column[1]}Literal[{union}]{column[3]}")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
