"""What pytest is taught about a whole run: which tests begin first."""

from __future__ import annotations

import pytest

from escapemaster_dev.stack.config import ROOT
from plugins.dearest_first import DEAREST, dealt


@pytest.mark.parametrize("dear", DEAREST)
def test_what_begins_first_is_there(dear: str) -> None:
    path, _, name = dear.partition("::")
    assert f"def {name or 'test_'}" in (ROOT / path).read_text()


@pytest.mark.parametrize("cheap", [0, 1, 7, 500])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_every_test_is_dealt_once_and_the_dear_ones_at_the_beginnings(
    workers: int, cheap: int
) -> None:
    names = [f"tests/a.py::test_{number}" for number in range(cheap)] + [*DEAREST]

    order = dealt(names, workers)

    assert sorted(order) == list(range(len(names)))
    if cheap == 500:
        # As pytest-xdist shares them out: what is left, equally among those who have none yet.
        starts = [0]
        for waiting in range(workers, 1, -1):
            starts.append(starts[-1] + (len(names) - starts[-1]) // waiting)
        assert {names[order[start]] for start in starts} == set(DEAREST[:workers])
