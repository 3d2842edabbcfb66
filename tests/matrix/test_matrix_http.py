"""The matrix: everybody of the issue tries everything, through PostgREST."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from client import Connection
from matrix.actors import Actor, cast, is_named
from matrix.cells import Cell, FunctionCells, TableCells
from matrix.expectations import (
    OWN,
    VERBS,
    FunctionExpectation,
    TableExpectation,
    expectations,
    literal,
    with_facts,
)
from matrix.postgrest import Answer, PostgrestClient, serving
from matrix.probe import Outcome
from matrix.world import NORTH, SOUTH, Facts, added, kept

_EXPECTED = expectations()
_STATUS = {
    "already_member": 409,
    "billing_pass_invalid": 403,
    "comment_of_another": 403,
    "refused_in_a_visit": 403,
    "stripe_account_not_found": 404,
    "email_not_proven": 403,
    "lease_lost": 409,
    "member_active": 409,
    "member_barred": 403,
    "organization_suspended": 403,
    "permission_denied": 403,
    "permission_not_held": 403,
    "user_required": 403,
    "platform_admin_required": 403,
    "invitation_for_another_email": 403,
    "last_owner": 409,
    "organization_not_erasable": 409,
    "not_mergeable": 409,
    "nothing_due": 409,
    "payment_unknown": 503,
    "refund_not_pending": 409,
    "session_ended": 401,
    "session_has_game_master": 409,
}


@pytest.fixture(scope="module")
def postgrest(world_dsn: str) -> Iterator[PostgrestClient]:
    with serving(world_dsn) as client:
        yield client


@pytest.fixture(scope="module")
def actors(facts: Facts) -> list[Actor]:
    return [actor for actor in cast(facts, _EXPECTED) if is_named(actor)]


@pytest.fixture(scope="module")
def table_cells(world: Connection, facts: Facts) -> TableCells:
    return TableCells(world, facts, _EXPECTED)


@pytest.mark.parametrize("name", _EXPECTED.tables)
def test_everybody_sees_and_changes_what_they_may_through_postgrest(
    name: str,
    postgrest: PostgrestClient,
    world: Connection,
    facts: Facts,
    actors: list[Actor],
    table_cells: TableCells,
) -> None:
    tries = _TableTries(postgrest, world, facts, _EXPECTED.tables[name])
    complaints = [
        _complaint(actor, cell, outcome)
        for actor in actors
        for cell, outcome in zip(table_cells.of(actor, tries.table), tries.of(actor), strict=True)
    ]
    assert [c for c in complaints if c] == []


@pytest.mark.parametrize("name", _EXPECTED.functions)
def test_who_may_call_does_and_who_may_not_is_refused_through_postgrest(
    name: str, postgrest: PostgrestClient, world: Connection, facts: Facts, actors: list[Actor]
) -> None:
    function = _EXPECTED.functions[name]
    cells = FunctionCells(facts, _EXPECTED)
    schema, _, plain = name.partition(".")
    complaints = []
    bodies: dict[str, Any] = {}
    for actor in actors:
        tenant = NORTH if function.needs == "anybody" else actor.tenant
        if tenant not in bodies:
            bodies[tenant] = _arguments(world, facts[tenant], function)
        answer = postgrest.request(
            actor.caller,
            facts[actor.tenant]["organization"],
            "POST",
            f"/rpc/{plain}",
            body=bodies[tenant],
            schema=schema,
        )
        cell = cells.of(actor, function)
        complaints.append(_complaint(actor, cell, _outcome(answer)))
        if (code := _outcome(answer).code) != "ok":
            denied = 401 if actor.caller.role == "anon" else 403
            wanted = denied if code == "42501" else _STATUS.get(code, 404)
            if answer.status_code != wanted:
                complaints.append(f"{actor.name}: {name}: {code} as {answer.status_code}")
    assert [c for c in complaints if c] == []


@pytest.mark.parametrize("name", [n for n, t in _EXPECTED.tables.items() if t.hidden])
def test_hidden_columns_are_refused_however_one_asks(
    name: str, postgrest: PostgrestClient, facts: Facts, actors: list[Actor]
) -> None:
    # A session that has ended is asked for no table at all.
    for actor in [a for a in actors if not a.session_ended]:
        for column in _EXPECTED.tables[name].hidden:
            for params in (
                {"select": column},
                {"select": f"user_id,{column}"},
                {"select": "user_id", column: "is.null"},
                {"select": "user_id", column: f"eq.{facts[SOUTH]['organization']}"},
                {"select": "user_id", "order": column},
                {"select": "user_id", "or": f"({column}.is.null,user_id.is.null)"},
            ):
                answer = postgrest.request(
                    actor.caller,
                    facts[actor.tenant]["organization"],
                    "GET",
                    f"/{name}",
                    params=params,
                )
                assert answer.status_code in (401, 403), (actor.name, params, answer.text)
                assert answer.json()["code"] == "42501"


class _NoWay(Exception):
    """An embedding is refused as a whole."""


def _relations(connection: Connection) -> list[tuple[str, str, str]]:
    """Foreign keys between tables of tenants: child, parent, constraint."""
    return [
        (str(child), str(parent), str(name))
        for child, parent, name in connection.execute(
            "select c.conrelid::regclass, c.confrelid::regclass, c.conname"
            " from pg_constraint as c"
            " where c.contype = 'f' and c.connamespace = 'public'::regnamespace"
            " and c.confrelid::regclass::text = any (%s)",
            [list(_EXPECTED.tables)],
        )
    ]


def test_what_a_caller_may_not_see_is_not_seen_by_embedding_filtering_or_ordering(
    postgrest: PostgrestClient, world: Connection, facts: Facts
) -> None:
    """Somebody who may see one side of a foreign key and not the other."""
    by_name = {actor.name: actor for actor in cast(facts, _EXPECTED)}
    tried = 0
    for child, parent, name in _relations(world):
        for near, far in ((child, parent), (parent, child)):
            near_needs = _EXPECTED.tables[near].verbs["select"]
            far_needs = _EXPECTED.tables[far].verbs["select"]
            if far_needs not in _EXPECTED.permissions or near_needs == far_needs:
                continue
            if near_needs not in _EXPECTED.permissions:
                continue
            # Where rows are a person's own, a key has none.
            who = f"without:{far_needs}" if _EXPECTED.tables[near].mine else f"key:{near_needs}"
            actor, tried = by_name[who], tried + 1
            column = _first_key(world, far)

            def ask(params: dict[str, str], actor: Actor = actor, near: str = near) -> Any:
                answer = postgrest.request(
                    actor.caller,
                    facts[NORTH]["organization"],
                    "GET",
                    f"/{near}",
                    params=params,
                    prefer="count=exact",
                )
                if answer.status_code == 403 and answer.json()["code"] == "42501":
                    # The way leads over a column that nobody may read.
                    raise _NoWay
                assert answer.status_code in (200, 206), (near, params, answer.text)
                return answer

            near_key = _first_key(world, near)
            whole = ask({"select": near_key})
            assert whole.json() != [], near
            embedding = f"{near_key},far:{far}!{name}({column})"
            try:
                embedded = ask({"select": embedding}).json()
            except _NoWay:
                continue
            for row in embedded:
                assert row["far"] in (None, []), (near, far, row)
            inner = f"{near_key},far:{far}!{name}!inner({column})"
            # Whether or not a hidden row has that value, the answer is the same.
            values = {_any(world, far, column, facts[tenant]) for tenant in (NORTH, SOUTH)}
            for params in ({}, *({f"far.{column}": f"eq.{value}"} for value in values)):
                answer = ask({"select": inner, **params})
                assert (answer.json(), answer.headers["Content-Range"]) == ([], "*/0"), (near, far)
            if near == child:
                ordered = ask({"select": embedding, "order": f"far({column})"})
                assert len(ordered.json()) == len(whole.json())
                assert {str(r["far"]) for r in ordered.json()} == {"None"}
    assert tried > 20


def test_embedding_leads_to_no_other_tenant(
    postgrest: PostgrestClient, world: Connection, facts: Facts, actors: list[Actor]
) -> None:
    (owner,) = [actor for actor in actors if actor.name == "owner"]
    for child, parent, name in _relations(world):
        for near, far in ((child, parent), (parent, child)):
            mark = "id" if far == "organizations" else "organization_id"
            if {near, far} & {"profiles", "permissions", "plans"}:
                continue  # of no tenant
            answer = postgrest.request(
                owner.caller,
                facts[NORTH]["organization"],
                "GET",
                f"/{near}",
                params={"select": f"far:{far}!{name}({mark})"},
            )
            if near == far and "PGRST200" in answer.text:
                continue  # PostgREST knows no way from a table to itself.
            assert answer.status_code == 200, answer.text
            for row in answer.json():
                many = row["far"] if isinstance(row["far"], list) else [row["far"]]
                assert {r[mark] for r in many if r} <= {facts[NORTH]["organization"]}


def test_counts_and_filters_do_not_tell_of_another_tenant_s_rows(
    postgrest: PostgrestClient, facts: Facts, actors: list[Actor]
) -> None:
    (owner,) = [actor for actor in actors if actor.name == "owner"]
    nowhere = "00000000-0000-4000-8000-000000000000"
    for table in _EXPECTED.tables.values():
        if "organization_id" not in table.tenant or table.name == "profiles":
            continue
        for tenant in (facts[SOUTH]["organization"], nowhere):
            for method in ("GET", "HEAD"):
                answer = postgrest.request(
                    owner.caller,
                    facts[NORTH]["organization"],
                    method,
                    f"/{table.name}",
                    params={"organization_id": f"eq.{tenant}"},
                    prefer="count=exact",
                )
                assert answer.headers["Content-Range"] == "*/0", table.name


class _TableTries:
    """The cells of one table as requests."""

    def __init__(
        self,
        postgrest: PostgrestClient,
        connection: Connection,
        facts: Facts,
        table: TableExpectation,
    ) -> None:
        self.table = table
        self._postgrest = postgrest
        self._connection = connection
        self._facts = facts
        self._rows: dict[str, Any] = {}
        self._kept: dict[str, dict[str, Any]] = {}

    def of(self, actor: Actor) -> Iterator[Outcome]:
        """One outcome a cell, in the cells' order."""
        organization = self._facts[actor.tenant]["organization"]

        def ask(method: str, **options: Any) -> Answer:
            return self._postgrest.request(
                actor.caller, organization, method, f"/{self.table.name}", **options
            )

        key = _first_key(self._connection, self.table.name)
        only = {column: f"eq.{value}" for column, value in self.table.only.items()}
        yield _outcome(ask("GET", params={"select": key, **only}, prefer="count=exact"))
        tenants = (actor.tenant, SOUTH if actor.tenant == NORTH else NORTH)
        for verb in VERBS[1:]:
            for tenant in tenants:
                if verb == "insert":
                    answer = ask("POST", body=self._sample(tenant), prefer="return=minimal")
                    outcome = _outcome(answer)
                    yield Outcome("ok", 1) if outcome.code == "ok" else outcome
                    continue
                params = self._filter(actor, verb, tenant)
                method = "PATCH" if verb == "update" else "DELETE"
                body = self._change() if verb == "update" else None
                yield _outcome(
                    ask(method, params=params, body=body, prefer="return=minimal,count=exact")
                )

    def _filter(self, actor: Actor, verb: str, tenant: str) -> dict[str, str]:
        facts = self._facts[tenant]
        if self.table.verbs["update"] == OWN or self.table.own is not None:
            own = tenant == actor.tenant
            me = actor.caller.claims.get("sub", facts["plain_member"])
            return {"user_id": f"eq.{me if own else facts['plain_member']}"}
        if self.table.name == "organizations":
            return {"id": f"eq.{facts['organization']}"}
        if "organization_id" not in self.table.tenant:
            return {_first_key(self._connection, self.table.name): "not.is.null"}
        filters = {"organization_id": f"eq.{facts['organization']}"}
        if verb == "delete" and self.table.sample:
            if tenant not in self._kept:
                self._kept[tenant] = _evaluated(self._connection, self.table, kept(facts))
            for column, value in self._kept[tenant].items():
                if column != "organization_id" and not isinstance(value, list):
                    text = json.dumps(value) if isinstance(value, dict) else str(value)
                    filters[column] = (
                        f"is.{str(value).lower()}" if value in (None, True) else f"eq.{text}"
                    )
        return filters

    def _sample(self, tenant: str) -> Any:
        if not (self.table.sample or self.table.row):
            return {}
        if tenant not in self._rows:
            self._rows[tenant] = _evaluated(
                self._connection, self.table, added(self._facts[tenant])
            )
        return self._rows[tenant]

    def _change(self) -> dict[str, Any]:
        """What clients may change; in a table where they change nothing, any column."""
        if self.table.change:
            return dict(self.table.change)
        tenant_table = "organization_id" in self.table.tenant
        key = _first_key(self._connection, self.table.name)
        return {"organization_id" if tenant_table else key: None}


def _complaint(actor: Actor, cell: Cell, outcome: Outcome) -> str | None:
    # A fingerprint of the keys is SQL's affair; here the number of rows must do.
    if isinstance(cell.answer, list):
        cell = Cell(cell.what, cell.attempt, cell.code, cell.answer[0])
    if cell.attempt.kind == "call":
        outcome = Outcome(outcome.code, None, outcome.message)
    return cell.complaint(actor, outcome)


def _outcome(answer: Answer) -> Outcome:
    if answer.is_success:
        total = answer.headers.get("Content-Range", "/").rpartition("/")[2]
        return Outcome("ok", int(total) if total.isdigit() else None)
    body = answer.json()
    said = f"{answer.status_code} {answer.text}"
    code = body["message"] if body["code"].startswith("PT") else body["code"]
    return Outcome(code, message=said)


def _arguments(
    connection: Connection, facts: Mapping[str, str], function: FunctionExpectation
) -> Any:
    pairs = ", ".join(
        f"{literal(name)}, to_jsonb({with_facts(_typed(value), facts)})"
        for name, value in function.arguments.items()
    )
    row = connection.execute(f"select jsonb_build_object({pairs})".encode()).fetchone()
    assert row is not None
    return row[0]


def _typed(expression: str) -> str:
    """A literal needs a type to become JSON."""
    return (
        f"({expression})::text"
        if expression[0] in ":'" and "::" not in expression
        else (f"({expression})")
    )


def _evaluated(connection: Connection, table: TableExpectation, facts: Any) -> dict[str, Any]:
    values = table.sample or table.row
    expressions = ", ".join(with_facts(value, facts) for value in values.values())
    row = connection.execute(
        f"select to_jsonb(t) from (select {expressions})"
        f" as s ({', '.join(values)}), lateral jsonb_populate_record("
        f"null::{table.relation}, to_jsonb(s)) as t".encode()
    ).fetchone()
    assert row is not None
    return {column: row[0][column] for column in values}


_KEYS: dict[str, str] = {}


def _first_key(connection: Connection, table: str) -> str:
    """The last column of the primary key: the one that tells rows of a tenant apart."""
    if table not in _KEYS:
        row = connection.execute(
            "select a.attname from pg_constraint as c join pg_attribute as a"
            " on a.attrelid = c.conrelid and a.attnum = c.conkey[cardinality(c.conkey)]"
            " where c.contype = 'p' and c.conrelid = ('public.' || quote_ident(%s))::regclass",
            [table],
        ).fetchone()
        assert row is not None
        _KEYS[table] = row[0]
    return _KEYS[table]


def _any(connection: Connection, table: str, column: str, facts: Mapping[str, str]) -> str:
    rows = with_facts(_EXPECTED.tables[table].tenant, facts)
    row = connection.execute(
        f"select {column}::text from public.{table} where {rows} limit 1".encode()
    ).fetchone()
    assert row is not None
    return str(row[0])
