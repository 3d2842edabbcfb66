"""The matrix: every actor tries everything, in SQL."""

from __future__ import annotations

import pytest

from matrix.actors import Actor, cast
from matrix.cells import FunctionCells, TableCells
from matrix.client import Connection
from matrix.expectations import expectations
from matrix.probe import attempt
from matrix.world import Facts

_EXPECTED = expectations()
_TABLES = {**_EXPECTED.tables, **{f"bucket {k}": b for k, b in _EXPECTED.buckets.items()}}


@pytest.fixture(scope="module")
def actors(facts: Facts) -> list[Actor]:
    return cast(facts, _EXPECTED)


@pytest.fixture(scope="module")
def table_cells(world: Connection, facts: Facts) -> TableCells:
    return TableCells(world, facts, _EXPECTED)


@pytest.mark.parametrize("name", _TABLES)
def test_everybody_sees_and_changes_what_they_may_of(
    name: str, world: Connection, facts: Facts, actors: list[Actor], table_cells: TableCells
) -> None:
    complaints = []
    for actor in actors:
        cells = list(table_cells.of(actor, _TABLES[name]))
        outcomes = attempt(
            world, actor.caller, facts[actor.tenant]["organization"], [c.attempt for c in cells]
        )
        for cell, outcome in zip(cells, outcomes, strict=True):
            complaints.append(cell.complaint(actor, outcome))
    assert [c for c in complaints if c] == []


@pytest.mark.parametrize("name", _EXPECTED.functions)
def test_who_may_call_does_and_who_may_not_is_refused_by(
    name: str, world: Connection, facts: Facts, actors: list[Actor]
) -> None:
    complaints = []
    cells = FunctionCells(facts, _EXPECTED)
    for actor in actors:
        cell = cells.of(actor, _EXPECTED.functions[name])
        (outcome,) = attempt(
            world, actor.caller, facts[actor.tenant]["organization"], [cell.attempt]
        )
        complaints.append(cell.complaint(actor, outcome))
    assert [c for c in complaints if c] == []
