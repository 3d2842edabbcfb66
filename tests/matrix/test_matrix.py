"""The matrix: every actor tries everything, in SQL."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import pytest

from client import Caller, Client, Connection
from matrix.actors import Actor, cast
from matrix.cells import Cell, FunctionCells, TableCells
from matrix.expectations import expectations
from matrix.house import House
from matrix.probe import Try, attempt_all
from matrix.world import EVERYWHERE, NORTH, SOUTH, Facts

_EXPECTED = expectations()
_TABLES = {**_EXPECTED.tables, **{f"bucket {k}": b for k, b in _EXPECTED.buckets.items()}}


@pytest.fixture(scope="module")
def actors(facts: Facts) -> list[Actor]:
    return cast(facts, _EXPECTED)


@pytest.fixture(scope="module")
def table_cells(world: Connection, facts: Facts) -> TableCells:
    return TableCells(world, facts, _EXPECTED)


def complaints(
    world: Connection,
    facts: Facts,
    actors: Sequence[Actor],
    cells: Sequence[Sequence[Cell]],
    *,
    checked: bool,
) -> list[str]:
    """What is wrong with the actors' cells, once each has been tried."""
    tries = [
        Try(
            actor.caller,
            facts[actor.tenant]["organization"],
            [cell.attempt for cell in mine],
            checked,
        )
        for actor, mine in zip(actors, cells, strict=True)
    ]
    return [
        complaint
        for actor, mine, outcomes in zip(actors, cells, attempt_all(world, tries), strict=True)
        for cell, outcome in zip(mine, outcomes, strict=True)
        if (complaint := cell.complaint(actor, outcome))
    ]


@pytest.mark.parametrize("name", _TABLES)
def test_everybody_sees_and_changes_what_they_may_of(
    name: str, world: Connection, facts: Facts, actors: list[Actor], table_cells: TableCells
) -> None:
    cells = [list(table_cells.of(actor, _TABLES[name])) for actor in actors]
    checked = name in _EXPECTED.tables
    assert complaints(world, facts, actors, cells, checked=checked) == []


@pytest.mark.parametrize("name", _EXPECTED.functions)
def test_who_may_call_does_and_who_may_not_is_refused_by(
    name: str, world: Connection, facts: Facts, actors: list[Actor]
) -> None:
    functions = FunctionCells(facts, _EXPECTED)
    cells = [[functions.of(actor, _EXPECTED.functions[name])] for actor in actors]
    assert complaints(world, facts, actors, cells, checked=True) == []


@pytest.mark.parametrize(
    "table",
    ["payments", "refunds", "voucher_entries", "ledger_entries", "cash_day_lines", "audit_log"],
)
@pytest.mark.parametrize(
    "statement", ["update {0} set {1} = {1}", "delete from {0}", "truncate {0} cascade"]
)
def test_what_is_append_only_is_so_for_its_owner(
    world: Connection, table: str, statement: str
) -> None:
    change = statement.format(f"public.{table}", "organization_id")
    with (
        world.transaction(force_rollback=True),
        pytest.raises(psycopg.Error, match=f"{table} is append-only"),
    ):
        House(world).owner_sql(change)


def test_an_operator_counts_the_bookings_of_each_tenant_and_of_the_last_month(
    world: Connection, facts: Facts
) -> None:
    operator = Client(world, Caller.person(facts[EVERYWHERE]["operator"]))
    with world.transaction(force_rollback=True):
        world.execute(
            "update public.sessions as s set starts_at = now() - interval '3 days',"
            " ends_at = now() - interval '3 days' + interval '1 hour',"
            " occupied_until = now() - interval '3 days' + interval '2 hours'"
            " from public.bookings as b where b.id = %s and b.session_id = s.id"
            " and b.organization_id = s.organization_id",
            [facts[NORTH]["booking"]],
        )
        counted = {
            str(row["id"]): row["bookings_30_days"]
            for row in operator.select("select * from public.platform_list_organizations()")
        }
    # Besides, every venue has the game that is over.
    assert counted[facts[NORTH]["organization"]] == 2
    assert counted[facts[SOUTH]["organization"]] == 1
