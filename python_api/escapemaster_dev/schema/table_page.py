"""docs/tables.md: every table that clients read, its columns, and who may do what with it.

Written from a live database: columns and rules from the catalogue, meanings from the comments.
`escapemaster pages` writes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from escapemaster_dev.schema import permission_table
from escapemaster_dev.schema.known_values import known_values
from escapemaster_dev.schema.project import PROJECT, Project
from escapemaster_dev.schema.reference import Connection

_INTRODUCTION = (
    "Written by `escapemaster pages` from the database itself; a test fails when it lags behind."
    ' Read one with `supabase.from("rooms").select(…)`; rows of other organizations are not'
    " there. Who holds a permission is in [permissions.md](permissions.md)."
)
_ABOUT_UNITS = (
    "The same words mean the same everywhere: `…_cents` is minor units of the organization's"
    " currency, tax included; `…_at` an instant in UTC; `…_minutes`, `…_hours` and `…_percent` are"
    " what they say; `weekday` is 1 (Monday) to 7 (Sunday); a `time` is wall clock and a `date` a"
    " day of the location's zone. What may be written is marked: `+` when a row is added, `~` when"
    " it is changed."
)
_VERBS = {"SELECT": "see", "INSERT": "add", "UPDATE": "change", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the page shows it.

    Attributes:
        values: The known values, when it takes no others.
        writable: `+` for an insert, `~` for an update, as far as members may.
    """

    name: str
    type: str
    nullable: bool
    default: str | None
    values: tuple[str, ...]
    writable: str
    comment: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view as the page shows it.

    Attributes:
        rules: Names of its constraints, which refusals carry.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    rules: tuple[str, ...]


def tables(connection: Connection) -> list[Table]:
    """All tables and views of `public` of which members may read a column, by name."""
    values = known_values(connection)
    rows = connection.execute(
        """
        select c.relname, coalesce(obj_description(c.oid, 'pg_class'), ''),
          a.attname, format_type(a.atttypid, a.atttypmod), not a.attnotnull,
          pg_get_expr(d.adbin, d.adrelid),
          concat(
            case when has_column_privilege('authenticated', c.oid, a.attnum, 'insert') then '+' end,
            case when has_column_privilege('authenticated', c.oid, a.attnum, 'update') then '~' end
          ),
          coalesce(col_description(c.oid, a.attnum), '')
        from pg_catalog.pg_class as c
        join pg_catalog.pg_attribute as a
          on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_catalog.pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relnamespace = 'public'::regnamespace
          and c.relkind in ('r', 'p', 'v')
          and has_column_privilege('authenticated', c.oid, a.attnum, 'select')
        order by c.relname, a.attnum
        """
    )
    comments: dict[str, str] = {}
    columns: dict[str, list[Column]] = defaultdict(list)
    for table, about, name, kind, nullable, default, writable, comment in rows:
        comments[table] = about
        columns[table].append(
            Column(name, kind, nullable, default, values.get((table, name), ()), writable, comment)
        )
    rules = _rules(connection)
    return [
        Table(name, comments[name], tuple(columns[name]), rules.get(name, ()))
        for name in sorted(columns)
    ]


def render(connection: Connection) -> str:
    """The whole page."""
    found = tables(connection)
    opened: dict[str, dict[str, str]] = defaultdict(dict)
    for policy in permission_table.policies(connection):
        opened[policy.table][policy.verb] = permission_table.words(policy.opens)
    parts = [
        "# Tables",
        _INTRODUCTION,
        _ABOUT_UNITS,
        " · ".join(f"[{table.name}](#{table.name})" for table in found),
    ]
    for table in found:
        parts += _section(table, opened[f"public.{table.name}"])
    return "\n\n".join(parts) + "\n"


def path_of(project: Project = PROJECT) -> Path:
    """Where the page is kept."""
    return project.root / "docs" / "tables.md"


def _section(table: Table, opened: dict[str, str]) -> Iterator[str]:
    yield f"## {table.name}"
    yield permission_table.escaped(table.comment)
    who = [f"{word}: {opened[verb]}" for verb, word in _VERBS.items() if verb in opened]
    yield "To " + "; to ".join(who) + "." if who else "Under the policies of what it is made of."
    lines = ["| column | type | | meaning |", "|---|---|---|---|"]
    for column in table.columns:
        kind = column.type.replace("timestamp with time zone", "timestamptz")
        kind += ", may be null" if column.nullable else ""
        listed = " ".join(f"`{value}`" for value in column.values)
        meaning = " ".join(filter(None, [listed, permission_table.escaped(column.comment)]))
        lines.append(f"| `{column.name}` | {kind} | {column.writable} | {meaning} |")
    yield "\n".join(lines)
    if table.rules:
        yield "Refusals name a rule: " + ", ".join(f"`{rule}`" for rule in table.rules) + "."


def _rules(connection: Connection) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(
        """
        select c.relname, array_agg(k.conname::text order by k.conname)
        from pg_catalog.pg_constraint as k
        join pg_catalog.pg_class as c on c.oid = k.conrelid
        where c.relnamespace = 'public'::regnamespace
          and k.contype in ('c', 'u', 'x')
          and has_any_column_privilege('authenticated', c.oid, 'insert, update')
        group by c.relname
        """
    )
    return {table: tuple(rules) for table, rules in rows}
