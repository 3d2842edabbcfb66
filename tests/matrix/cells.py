"""The cells of the matrix: what each actor tries, and what must become of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from client import Connection
from matrix.actors import Actor
from matrix.expectations import (
    AND,
    EVERYONE,
    NOBODY,
    OWN,
    Expectations,
    FunctionExpectation,
    TableExpectation,
    with_facts,
)
from matrix.probe import Attempt, Outcome
from matrix.world import NORTH, SOUTH, Facts, added, kept

PRIVILEGE = "42501"
ENDED = "session_ended"
NOWHERE = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Cell:
    """One attempt and its expected outcome.

    Attributes:
        what: The table and verb, or the function.
        code: Expected.
        answer: Expected too, unless None.
    """

    what: str
    attempt: Attempt
    code: str
    answer: object = None

    def complaint(self, actor: Actor, outcome: Outcome) -> str | None:
        """What is wrong, or None."""
        if outcome.code == self.code and self.answer in (None, outcome.answer):
            return None
        wanted = self.code if self.answer is None else f"{self.code} {self.answer}"
        got = outcome.message or f"ok {outcome.answer}"
        return f"{actor.name}: {self.what}: expected {wanted}, got {got}"


class TableCells:
    """Cells of tables and buckets.

    Args:
        connection: The superuser's: it knows every row.
    """

    def __init__(self, connection: Connection, facts: Facts, expected: Expectations) -> None:
        self._connection = connection
        self._facts = facts
        self._expected = expected
        self._keys = _primary_keys(connection)
        self._seen: dict[tuple[str, str], object] = {}

    def of(self, actor: Actor, table: TableExpectation) -> Iterator[Cell]:
        """Each verb upon the own tenant's rows and upon another tenant's."""
        # Storage's own service works with the secret key, past row level security.
        if table.relation == "storage.objects" and actor.caller.role == "service_role":
            return
        yield self._select(actor, table)
        yield from self._writes(actor, table)

    def _select(self, actor: Actor, table: TableExpectation) -> Cell:
        name = f"{table.name} select"
        read = Attempt("read", self._rows(table, table.scope))
        if self._is_ended(actor, table):
            return Cell(name, read, ENDED)
        if not self._has_grant(actor, table, "select"):
            return Cell(name, read, PRIVILEGE)
        visible = "false"
        if table.verbs["select"] == EVERYONE or self._holds(actor, table, "select"):
            visible = table.tenant
            if table.mine is not None:
                visible = f"({visible}) and ({table.mine})"
        if table.own is not None:
            visible = f"({visible}) or ({table.own})"
        return Cell(name, read, "ok", self._truth(actor, table, visible))

    def _writes(self, actor: Actor, table: TableExpectation) -> Iterator[Cell]:
        mine = self._facts[actor.tenant]
        foreign = self._facts[SOUTH if actor.tenant == NORTH else NORTH]
        verbs = {
            "insert": self._insert,
            "update": self._update,
            "delete": self._delete,
        }
        for verb, statement in verbs.items():
            granted = self._has_grant(actor, table, verb)
            # Files are answered as to a stranger: a policy of Storage's says nothing.
            rests = self._rests(actor, table, verb)
            for whose, facts in (("own", mine), ("foreign", foreign)):
                attempt = Attempt("write", statement(actor, table, facts))
                cell = f"{table.name} {verb} ({whose})"
                if self._is_ended(actor, table):
                    yield Cell(cell, attempt, ENDED)
                elif not granted:
                    yield Cell(cell, attempt, PRIVILEGE)
                elif rests and table.relation != "storage.objects":
                    yield Cell(cell, attempt, "organization_suspended")
                elif whose == "own" and table.verbs[verb] == OWN:
                    touched = self._count(actor, table, table.own or "false")
                    yield Cell(cell, attempt, "ok", touched)
                elif whose == "own" and self._holds(actor, table, verb) and not rests:
                    touched = self._touched(actor, table, verb)
                    yield Cell(cell, attempt, "ok", touched)
                elif verb == "insert":
                    yield Cell(cell, attempt, PRIVILEGE)
                else:
                    yield Cell(cell, attempt, "ok", 0)

    def _insert(self, actor: Actor, table: TableExpectation, facts: Mapping[str, str]) -> str:
        values = table.sample or table.row
        if not values:
            # Nothing is known of the table, and nobody may insert: the grant comes first.
            return f"insert into {table.relation} default values"
        row = ", ".join(_resolved(value, actor, added(facts)) for value in values.values())
        return f"insert into {table.relation} ({', '.join(values)}) values ({row})"

    def _update(self, actor: Actor, table: TableExpectation, facts: Mapping[str, str]) -> str:
        column = table.changes[0] if table.changes else self._keys[table.relation][0]
        rows = table.own if table.verbs["update"] == OWN else table.tenant
        if facts is not self._facts[actor.tenant]:
            rows = f"({table.tenant}) and not ({table.own or 'false'})"
        rows = _resolved(f"({table.scope}) and ({rows})", actor, facts)
        return f"update {table.relation} set {column} = {column} where {rows}"

    def _delete(self, actor: Actor, table: TableExpectation, facts: Mapping[str, str]) -> str:
        # A row that nothing refers to, where clients may delete any.
        rows = self._is_kept(table) if table.sample else f"({table.scope}) and ({table.tenant})"
        rows = _resolved(rows, actor, kept(facts))
        return f"delete from {table.relation} where {rows}"

    def _is_kept(self, table: TableExpectation) -> str:
        return " and ".join(
            f"{column} is not distinct from {value}" for column, value in table.sample.items()
        )

    def _touched(self, actor: Actor, table: TableExpectation, verb: str) -> int:
        return 1 if verb in ("insert", "delete") else self._count(actor, table, table.tenant)

    def _holds(self, actor: Actor, table: TableExpectation, verb: str) -> bool:
        needed = table.needed(verb)
        # Reached with a session that was ended by files alone, whose policies take it for nobody's.
        return needed is not None and needed <= actor.holds and not actor.session_ended

    def _rests(self, actor: Actor, table: TableExpectation, verb: str) -> bool:
        """Whether a suspended organization refuses this in so many words."""
        permissions = table.verbs[verb].split(AND)
        return (
            actor.suspended
            and all(permission in actor.holds for permission in permissions)
            and any(self._expected.permissions[permission].changes for permission in permissions)
        )

    def _is_ended(self, actor: Actor, table: TableExpectation) -> bool:
        """Whether all that is said is that the session ended: PostgREST asks that first."""
        return actor.session_ended and table.relation != "storage.objects"

    def _has_grant(self, actor: Actor, table: TableExpectation, verb: str) -> bool:
        if table.relation == "storage.objects":
            return True
        return actor.caller.role == "authenticated" and table.verbs[verb] != NOBODY

    def _truth(self, actor: Actor, table: TableExpectation, rows: str) -> object:
        rows = _resolved(f"({table.scope}) and ({rows})", actor, self._facts[actor.tenant])
        return self._ask(table.relation, self._rows(table, rows))

    def _count(self, actor: Actor, table: TableExpectation, rows: str) -> int:
        rows = _resolved(f"({table.scope}) and ({rows})", actor, self._facts[actor.tenant])
        answer = self._ask(table.relation, f"select count(*) from {table.relation} where {rows}")
        assert isinstance(answer, int)
        return answer

    def _rows(self, table: TableExpectation, rows: str) -> str:
        """How many rows, and which, as a fingerprint of their keys."""
        key = ", ".join(self._keys[table.relation])
        return (
            "select jsonb_build_array(count(*), md5(coalesce(string_agg("
            f"row({key})::text, ' ' order by row({key})::text), '')))"
            f" from {table.relation} where {rows}"
        )

    def _ask(self, relation: str, statement: str) -> object:
        known = (relation, statement)
        if known not in self._seen:
            row = self._connection.execute(statement.encode()).fetchone()
            assert row is not None
            self._seen[known] = row[0]
        return self._seen[known]


class FunctionCells:
    """Cells of functions: may the actor call it, and is it refused as it should be."""

    def __init__(self, facts: Facts, expected: Expectations) -> None:
        self._facts = facts
        self._expected = expected

    def of(self, actor: Actor, function: FunctionExpectation) -> Cell:
        """The sample call for the actor's own tenant."""
        # What is open to the public is asked of a venue that is open.
        tenant = NORTH if function.needs == "anybody" else actor.tenant
        call = function.call(self._facts[tenant])
        attempt = Attempt("call", f"select to_jsonb({call})")
        return Cell(function.name, attempt, self._expected_code(actor, function))

    def _expected_code(self, actor: Actor, function: FunctionExpectation) -> str:
        if actor.session_ended:
            return ENDED
        if actor.caller.role not in function.roles:
            return PRIVILEGE
        for name in (actor.name, actor.kind):
            if name in function.outcomes:
                return function.outcomes[name]
        match function.needs:
            case "anybody":
                return function.reached
            case "person" | "operator" if not actor.in_person:
                return "user_required"
            case "person":
                return function.reached
            case "operator":
                may = actor.name in ("operator", "visitor")
                return function.reached if may else "platform_admin_required"
        assert not isinstance(function.needs, str)
        if not function.needs <= actor.holds:
            return function.denied
        if actor.suspended and any(self._expected.permissions[p].changes for p in function.needs):
            return "organization_suspended"
        if not function.grants <= actor.grants:
            return "permission_not_held"
        return function.reached


def _resolved(expression: str, actor: Actor, facts: Mapping[str, str]) -> str:
    return with_facts(expression, {**facts, "me": actor.caller.claims.get("sub", NOWHERE)})


def _primary_keys(connection: Connection) -> dict[str, list[str]]:
    rows = connection.execute(
        b"""
        select format('%I.%I', n.nspname, c.relname), array_agg(quote_ident(a.attname) order by k.n)
        from pg_catalog.pg_constraint as p
        join pg_catalog.pg_class as c on c.oid = p.conrelid
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        cross join unnest(p.conkey) with ordinality as k (attnum, n)
        join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = k.attnum
        where p.contype = 'p' and n.nspname in ('public', 'storage')
        group by 1
        """
    )
    return dict(rows)
