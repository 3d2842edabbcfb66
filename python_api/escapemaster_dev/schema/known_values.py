"""Columns that take a few known values: read from their CHECK constraints, told to the types.

Statuses are text with a CHECK, since only text is compared below row-level security without
leaking; the generated types would call them `string`. Here they become the union of their values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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


def known_values(connection: Connection) -> KnownValues:
    """What the CHECK constraints of `public` tables allow, column by column."""
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
