"""The database keeps the rules of the house, and every rule is able to say that it does not."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.rows import TupleRow

from static.lints import LINTS, Case, Lint

_CASES = [
    pytest.param(lint, case, id=f"{lint.name}-{number}")
    for lint in LINTS
    for number, case in enumerate(lint.cases, 1)
]


@pytest.mark.parametrize("lint", LINTS, ids=lambda lint: lint.name)
def test_the_database_has_no(lint: Lint, catalogue: psycopg.Connection[TupleRow]) -> None:
    assert lint.findings(catalogue) == []


@pytest.mark.parametrize("lint", LINTS, ids=lambda lint: lint.name)
def test_no_exception_is_stale_of(lint: Lint, catalogue: psycopg.Connection[TupleRow]) -> None:
    assert lint.needless_exceptions(catalogue) == []


@pytest.mark.parametrize(("lint", "case"), _CASES)
def test_a_breach_is_found_and_its_remedy_accepted(
    lint: Lint, case: Case, catalogue: psycopg.Connection[TupleRow]
) -> None:
    before = set(lint.findings(catalogue))

    catalogue.execute(case.offends.encode())
    assert set(lint.findings(catalogue)) - before == {case.finding}

    catalogue.execute(case.mends.encode())
    assert set(lint.findings(catalogue)) - before == set()
