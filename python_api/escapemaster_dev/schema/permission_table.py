"""docs/permissions.md: which permission opens which table, file and function.

Written from a live database: policies are read with sqlglot, grants from the catalogue, functions
from their bodies. `escapemaster pages` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import sqlglot
from sqlglot import exp

from escapemaster_dev.schema.project import PROJECT, Project, SchemaError
from escapemaster_dev.schema.reference import Connection

ROLES = ("owner", "admin", "manager", "receptionist", "game_master")
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")
EVERYBODY = "everybody signed in"
OWN = "the own row"
#: Between permissions that are asked for together.
AND = " and "

#: The call that guards something, and the permission that it names.
_GUARD = re.compile(
    r"private\.(?:require_permission(?:_over_members)?|has_permission|organization_with"
    r"|folder_with)\s*\("
    r"(?:[^()']|\([^()]*\))*'([a-z_]+:[a-z_]+)'\s*\)"
    r"|'([a-z_]+:[a-z_]+)'\s+in\s+\(\s*select\s+private\.held_permissions"
)
_INTRODUCTION = (
    "Written by `escapemaster pages` from the database itself; a test"
    " fails when it lags behind. How a request finds its organization, and why nothing else is"
    " asked, is in [security.md](security.md)."
)
_ABOUT_ROLES = (
    "System roles; an organization's own roles hold any subset. A permission that changes"
    " something rests while the organization is suspended."
)
_ABOUT_TABLES = (
    "A row is seen, added, changed or deleted by whoever holds the permission in the row's own"
    " organization. What is not here is done by functions only."
)
_ABOUT_MOVES = (
    "What `transition_booking` needs beside, and what a customer may do with the booking's own"
    " token. When: check_in from the location's `check_in_hours` before the start on, no_show from"
    " `no_show_minutes` after it on, undo for `undo_hours` and only back to where it came from."
)

_CALL = re.compile(r"private\.([a-z_0-9]+)\s*\(")


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy, as far as permissions go.

    Attributes:
        table: With its schema; for files, the bucket.
        verb: SELECT, INSERT, UPDATE or DELETE.
        opens: Permissions, or EVERYBODY or OWN: any of them opens the row. Permissions that it
            takes together are one word, with AND between them.
    """

    table: str
    verb: str
    opens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function that clients call.

    Attributes:
        name: With its schema.
        roles: Who may execute it.
        guards: The permissions that its body asks for.
        caller: What else it wants to know of the caller, in words.
    """

    name: str
    roles: tuple[str, ...]
    guards: tuple[str, ...]
    caller: str


def guards_of(body: str) -> list[str]:
    """The permissions that a function's body, or any other SQL, asks for by name."""
    return sorted({one or other for one, other in _GUARD.findall(body)})


def policies(connection: Connection) -> list[Policy]:
    """All policies of `public` and `storage`.

    Raises:
        SchemaError: a policy has a shape that this module cannot read.
    """
    helpers = _private_bodies(connection)
    rows = connection.execute(
        "select schemaname, tablename, cmd, policyname, qual, with_check"
        " from pg_catalog.pg_policies where schemaname in ('public', 'storage')"
        " order by schemaname, tablename, policyname"
    )
    return [
        Policy(*_read(schema, table, qual, check, name, verb, helpers))
        for schema, table, verb, name, qual, check in rows
    ]


def functions(connection: Connection) -> list[Function]:
    """All functions of the exposed schemas."""
    helpers = _private_bodies(connection)
    rows = connection.execute(
        """
        select n.nspname || '.' || p.proname, p.prosrc,
          array(
            select r.rolname
            from pg_catalog.pg_roles as r
            where r.rolname in ('anon', 'authenticated', 'service_role')
              and has_function_privilege(r.oid, p.oid, 'execute')
            order by 1
          )
        from pg_catalog.pg_proc as p
        join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
        where n.nspname in ('public', 'service')
        order by 1
        """
    )
    return [_function(name, body, tuple(roles), helpers) for name, body, roles in rows]


def render(connection: Connection) -> str:
    """The whole page.

    Raises:
        SchemaError: a policy has a shape that this module cannot read.
    """
    everything = policies(connection)
    callable_functions = functions(connection)
    tables = [p for p in everything if not p.table.startswith("storage.")]
    files = [p for p in everything if p.table.startswith("storage.")]
    columns = _changeable_columns(connection)
    verbs = ("see", "add", "change", "delete")
    sections = [
        "# Permissions",
        _INTRODUCTION,
        "## Who holds what",
        _ABOUT_ROLES,
        *_table(("permission", "lets somebody", "changes", *ROLES), _holders(connection)),
        "## Tables",
        _ABOUT_TABLES,
        *_table(("table", *verbs), _opened(tables, columns)),
        "## Files",
        "The first folder of a path is the organization.",
        *_table(("bucket", *verbs), _opened(files, {})),
        "## Functions",
        *_table(("function", "who", "needs"), _called(callable_functions)),
        "## Moves of a booking",
        _ABOUT_MOVES,
        *_table(("from", "to", "needs", "when", "customer"), _moves(connection)),
    ]
    return "\n".join(_spaced(sections)) + "\n"


def escaped(text: str) -> str:
    """Text for a cell of a table: what Markdown would take for a tag or a border is not."""
    return text.replace("<", "&lt;").replace("|", "\\|")


def path_of(project: Project = PROJECT) -> Path:
    """Where the page is kept."""
    return project.root / "docs" / "permissions.md"


def _read(
    schema: str,
    table: str,
    qual: str | None,
    check: str | None,
    name: str,
    verb: str,
    helpers: Mapping[str, str],
) -> tuple[str, str, tuple[str, ...]]:
    texts = {text for text in (qual, check) if text is not None}
    opens: set[str] = set()
    bucket: str | None = None
    for text in texts:
        condition = sqlglot.parse_one(text, dialect="postgres")
        bucket = _bucket(condition) or bucket
        opens |= set(_opens(condition, helpers))
    if not opens:
        raise SchemaError(f"policy {name} of {schema}.{table} asks for no permission: {texts}")
    where = f"storage.{bucket}" if bucket else f"{schema}.{table}"
    return where, verb, tuple(sorted(opens))


def _opens(condition: exp.Expr, helpers: Mapping[str, str]) -> Iterator[str]:
    """What lets a row through: the arms of an OR, each in a word."""
    condition = condition.unnest()
    if isinstance(condition, exp.Or):
        yield from _opens(condition.left, helpers)
        yield from _opens(condition.right, helpers)
    elif isinstance(condition, exp.And):
        # A side that asks for no permission, as a bucket's, narrows what the other one opens.
        sides = [list(_opens(side, helpers)) for side in (condition.left, condition.right)]
        yield from (AND.join(words) for words in product(*filter(None, sides)) if words)
    elif isinstance(condition, exp.Boolean) and condition.this:
        yield EVERYBODY
    else:
        for call in condition.find_all(exp.Anonymous):
            function = str(call.this).lower()
            if function in {"organization_with", "folder_with"}:
                yield call.expressions[0].find(exp.Literal).this
            elif function in {"uid", "own_export_paths"}:
                yield OWN
            elif function in helpers:
                yield from guards_of(helpers[function])


def _bucket(condition: exp.Expr) -> str | None:
    for comparison in condition.find_all(exp.EQ):
        column, value = comparison.left, comparison.right.find(exp.Literal)
        if isinstance(column, exp.Column) and column.name == "bucket_id" and value is not None:
            return str(value.this)
    return None


def _function(name: str, body: str, roles: tuple[str, ...], helpers: Mapping[str, str]) -> Function:
    # A wrapper calls one body; what that calls in turn is asked for what kind of caller it wants.
    inner = [helpers[called] for called in _CALL.findall(body) if called in helpers]
    text = " ".join([body, *inner])
    caller = ""
    if "require_platform_admin" in text:
        caller = "an administrator of the platform"
    elif "require_user" in text:
        caller = "a person, no API key"
    return Function(name, roles, tuple(guards_of(text)), caller)


def _private_bodies(connection: Connection) -> dict[str, str]:
    rows = connection.execute(
        "select proname, string_agg(prosrc, ' ') from pg_catalog.pg_proc"
        " where pronamespace = 'private'::regnamespace group by proname"
    )
    return dict(rows.fetchall())


def _changeable_columns(connection: Connection) -> dict[str, list[str]]:
    """Which columns members may update, where these are not all that they may insert."""
    rows = connection.execute(
        """
        select 'public.' || c.relname, array_agg(a.attname::text order by a.attnum)
        from pg_catalog.pg_class as c
        join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace = 'public'::regnamespace
          and not a.attisdropped
          and has_column_privilege('authenticated', c.oid, a.attnum, 'update')
          and not exists (
            select from pg_catalog.pg_attribute as i
            where i.attrelid = c.oid and i.attnum > 0
              and has_column_privilege('authenticated', c.oid, i.attnum, 'insert')
          )
        group by 1
        """
    )
    return dict(rows.fetchall())


def _holders(connection: Connection) -> Iterator[Sequence[str]]:
    rows = connection.execute(
        "select p.key, p.description_en, p.mutates, array_agg(t.role_key)"
        " from public.permissions as p"
        " join private.role_template_permissions as t on t.permission_key = p.key"
        " group by p.key, p.description_en, p.mutates order by p.key"
    )
    for key, description, mutates, roles in rows:
        held = ["●" if role in roles else "" for role in ROLES]
        yield (f"`{key}`", description, "yes" if mutates else "", *held)


def _opened(
    found: Sequence[Policy], columns: Mapping[str, Sequence[str]]
) -> Iterator[Sequence[str]]:
    for table in sorted({policy.table for policy in found}):
        by_verb = {p.verb: words(p.opens) for p in found if p.table == table}
        if table in columns and "UPDATE" in by_verb:
            by_verb["UPDATE"] += f" ({', '.join(columns[table])})"
        yield (f"`{table.split('.', 1)[1]}`", *(by_verb.get(verb, "") for verb in VERBS))


def _called(found: Sequence[Function]) -> Iterator[Sequence[str]]:
    who = {
        ("anon", "authenticated"): "everybody",
        ("authenticated",): "signed in",
        ("service_role",): "the service",
    }
    for function in found:
        needs = [words(function.guards), function.caller]
        yield (
            f"`{function.name}`",
            who.get(function.roles, ", ".join(function.roles)),
            "; ".join(need for need in needs if need),
        )


def _moves(connection: Connection) -> Iterator[Sequence[str]]:
    rows = connection.execute(
        "select from_status, to_status, permission, by_customer, opens, undoes"
        " from private.booking_transitions where permission is not null or by_customer"
        " order by 1, 2"
    )
    for start, end, permission, by_customer, opens, undoes in rows:
        when = "undo" if undoes else (opens or "")
        yield (start, end, words([permission]), when, "yes" if by_customer else "")


def words(opens: Sequence[str]) -> str:
    """What opens something, for a page."""
    return ", ".join(
        word if word in (EVERYBODY, OWN) else AND.join(f"`{key}`" for key in word.split(AND))
        for word in opens
    )


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["\n".join("| " + " | ".join(line) + " |" for line in lines)]


def _spaced(sections: Sequence[str]) -> Iterator[str]:
    for number, section in enumerate(sections):
        if number:
            yield ""
        yield section
