"""Reads expectations.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

FILE = Path(__file__).with_name("expectations.toml")
VERBS = ("select", "insert", "update", "delete")
NOBODY = "nobody"
EVERYONE = "everyone"
OWN = "own"
AND = " and "

T = TypeVar("T")

_FACT = re.compile(r"(?<![:\w]):([a-z_]+)")


@dataclass(frozen=True, slots=True)
class TableExpectation:
    """What is promised of a table, or of the files of a bucket.

    Attributes:
        name: As PostgREST has it; for a bucket, its id.
        relation: The table, with its schema.
        verbs: The permission that each verb takes, or several with AND between them, or one of
            NOBODY, EVERYONE, OWN.
        tenant: Which rows are the tenant's.
        own: Which rows are the caller's own, if any.
        mine: Of the tenant's rows those that the caller sees; None: all of them.
        also: A permission that some rows take beside it, if any do.
        scope: Which rows of the relation are meant at all.
        only: The same as values of columns, or empty for all.
        page: The order in which clients leaf through it, or empty for the primary key's.
    """

    name: str
    relation: str
    verbs: Mapping[str, str]
    tenant: str
    own: str | None
    mine: str | None
    also: str | None
    scope: str
    only: Mapping[str, str]
    writes: tuple[str, ...]
    changes: tuple[str, ...]
    hidden: tuple[str, ...]
    change: Mapping[str, Any]
    sample: Mapping[str, str]
    row: Mapping[str, str]
    page: str

    def needed(self, verb: str) -> frozenset[str] | None:
        """The permissions that a verb takes, or None when nobody has it.

        What is updated or deleted must be seen first.
        """
        wanted = set(self.verbs[verb].split(AND))
        if verb in ("update", "delete"):
            wanted.update(self.verbs["select"].split(AND))
        if NOBODY in wanted:
            return None
        return frozenset(wanted - {EVERYONE, OWN})


@dataclass(frozen=True, slots=True)
class FunctionExpectation:
    """What is promised of a function.

    Attributes:
        name: With its schema.
        roles: The database roles that may execute it.
        needs: Permissions, all of them; or person, anybody, operator.
        shows: Permissions that make the answer say more.
        grants: What a caller must hold as a person, since the call passes it on.
    """

    name: str
    roles: frozenset[str]
    needs: frozenset[str] | str
    shows: frozenset[str]
    grants: frozenset[str]
    denied: str
    reached: str
    outcomes: Mapping[str, str]
    arguments: Mapping[str, str]

    def call(self, facts: Mapping[str, str], **replaced: str) -> str:
        """The sample call as an expression, with some arguments replaced."""
        arguments = {**self.arguments, **replaced}
        named = ", ".join(f"{name} => {value}" for name, value in arguments.items())
        return with_facts(f"{self.name}({named})", facts)


@dataclass(frozen=True, slots=True)
class Permission:
    """What is promised of a permission.

    Attributes:
        roles: The system roles that hold it.
        changes: Whether it rests while the organization is suspended.
        rests_in_visits: Whether the platform's support does not hold it while it visits.
    """

    roles: frozenset[str]
    changes: bool
    rests_in_visits: bool


@dataclass(frozen=True, slots=True)
class Expectations:
    """The whole page.

    Attributes:
        visits: What becomes of what a visit writes, by function, table or bucket.
    """

    permissions: Mapping[str, Permission]
    tables: Mapping[str, TableExpectation]
    buckets: Mapping[str, TableExpectation]
    functions: Mapping[str, FunctionExpectation]
    visits: Mapping[str, str]

    def held_by(self, role: str) -> frozenset[str]:
        """The permissions of a system role."""
        return frozenset(key for key, p in self.permissions.items() if role in p.roles)

    def held_in_visits_by(self, role: str) -> frozenset[str]:
        """What a visit in a system role holds."""
        return frozenset(
            key for key in self.held_by(role) if not self.permissions[key].rests_in_visits
        )


class _Promised(dict[str, T]):
    """What is promised of each table, bucket or function; whoever adds one is told what to do."""

    def __missing__(self, name: str) -> T:
        raise AssertionError(f"add {name} to tests/matrix/expectations.toml")


@cache
def expectations() -> Expectations:
    """The page, read once."""
    page = tomllib.loads(FILE.read_text())
    permissions = {
        key: Permission(
            frozenset({"owner", *entry["roles"]}),
            entry.get("changes", False),
            entry.get("rests_in_visits", False),
        )
        for key, entry in page["permissions"].items()
    }
    roles = {
        role: frozenset(key for key, p in permissions.items() if role in p.roles)
        for role in ("owner", "admin", "manager", "receptionist", "game_master")
    }
    return Expectations(
        permissions=permissions,
        tables=_Promised((n, _table(n, entry)) for n, entry in page["tables"].items()),
        buckets=_Promised((n, _bucket(n, entry)) for n, entry in page["buckets"].items()),
        functions=_Promised(
            (function.name, function)
            for function in (_function(n, e, roles) for n, e in page["functions"].items())
        ),
        visits={
            **{f"public.{name}": fate for name, fate in page["visits"]["functions"].items()},
            **page["visits"]["tables"],
        },
    )


def with_facts(expression: str, facts: Mapping[str, str]) -> str:
    """An expression with :name replaced by that fact as a literal."""
    return _FACT.sub(lambda match: literal(facts[match.group(1)]), expression)


def literal(text: str) -> str:
    """A text as a literal without a type of its own."""
    return "'" + text.replace("'", "''") + "'"


def _table(name: str, entry: dict[str, Any]) -> TableExpectation:
    only: Mapping[str, str] = entry.get("only", {})
    return TableExpectation(
        name=name,
        relation=f"public.{name}",
        verbs={verb: entry.get(verb, NOBODY) for verb in VERBS},
        tenant=entry.get("tenant", "organization_id = :organization"),
        own=entry.get("own"),
        mine=entry.get("mine"),
        also=entry.get("also"),
        scope=" and ".join(f"{c} = {literal(v)}" for c, v in only.items()) or "true",
        only=only,
        writes=tuple(entry.get("writes", ())),
        changes=tuple(entry.get("changes", ())),
        hidden=tuple(entry.get("hidden", ())),
        change=entry.get("change", {}),
        sample=entry.get("sample", {}),
        row=entry.get("row", {}),
        page=entry.get("page", ""),
    )


def _bucket(name: str, entry: dict[str, Any]) -> TableExpectation:
    return TableExpectation(
        name=name,
        relation="storage.objects",
        verbs={verb: entry.get(verb, NOBODY) for verb in VERBS},
        tenant="(storage.foldername(name))[1] = :organization",
        own=None,
        mine=entry.get("mine"),
        also=None,
        scope=f"bucket_id = {literal(name)}",
        only={},
        writes=("bucket_id", "name"),
        changes=("metadata",),
        hidden=(),
        change={},
        sample={"bucket_id": literal(name), "name": entry["sample"]},
        row={},
        page="",
    )


def _function(
    name: str, entry: dict[str, Any], roles: Mapping[str, frozenset[str]]
) -> FunctionExpectation:
    needs, grants = entry["needs"], entry.get("grants", [])
    return FunctionExpectation(
        name=name if "." in name else f"public.{name}",
        roles=frozenset(entry["for"]),
        needs=needs if isinstance(needs, str) else frozenset(needs),
        shows=frozenset(entry.get("shows", ())),
        grants=roles[grants] if isinstance(grants, str) else frozenset(grants),
        denied=entry.get("denied", "permission_denied"),
        reached=entry.get("reached", "ok"),
        outcomes=entry.get("outcomes", {}),
        arguments=entry.get("arguments", {}),
    )
