"""The dearest tests begin first, each on a worker of its own: none is left to wait for at the end.

pytest-xdist deals the collected tests out in equal runs, one a worker, and a worker that is done
takes over the end of another's. So the dear ones are put at the beginnings of the runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pytest

#: Modules, or tests, that take long, the longest first; those that share what is dear together.
DEAREST = (
    "tests/api/test_no_input_breaks.py::test_no_value_of_a_member_breaks_a_table",
    "tests/matrix/test_matrix_plans.py",
    "tests/api/test_no_input_breaks.py::test_no_input_of_a_member_breaks_a_function",
    "tests/e2e/test_stack_lifecycle.py",
    "tests/e2e/test_backup.py",
    "tests/db/test_schema.py",
    "tests/db/test_booking_chaos.py",
    "tests/db/test_workers_killed.py",
    "tests/api/test_no_input_breaks.py::test_no_input_of_a_stranger_breaks_a_function",
    "tests/db/test_schema_rendering.py",
    "tests/edge/test_deno.py::test_the_deno_tests_pass",
    "tests/api/service/test_service_email_look.py::test_nobody_is_shut_out_of_a_mail",
    "tests/db/test_due_messages_model.py",
    "tests/db/test_backups.py",
    "tests/matrix/test_matrix_statistics.py::test_no_column_is_repeated",
    "tests/db/test_pricing_model.py",
    "tests/api/service/test_service_described.py::test_an_answer_is_one_that_is_described",
    "tests/matrix/test_matrix_http.py",
    "tests/db/test_availability_model.py",
    "tests/db/test_inspection.py",
    "tests/e2e/test_reminders.py",
    "tests/e2e/test_path.py",
    "tests/db/test_staffing.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every worker does the same with the same list; without workers the order stays."""
    if workerinput := getattr(config, "workerinput", None):
        order = dealt([item.nodeid for item in items], int(workerinput["workercount"]))
        items[:] = [items[index] for index in order]


def dealt(names: Sequence[str], workers: int) -> list[int]:
    """The places of the tests in a new order: a run a worker, each begins with dear ones.

    Args:
        names: The tests' node ids, as they were collected.
        workers: How many runs of as many tests there are.
    """
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        groups[next(filter(name.startswith, DEAREST), "")].append(index)
    cheap = groups.pop("", [])
    runs: list[list[int]] = [[] for _ in range(workers)]
    for turn, dear in enumerate(sorted(groups, key=DEAREST.index)):
        # There and back: who has the dearest of one round gets the cheapest of the next.
        back, place = divmod(turn, workers)
        runs[workers - 1 - place if back % 2 else place] += groups[dear]
    order: list[int] = []
    for number, dear_ones in enumerate(runs):
        share = (len(names) - len(order)) // (workers - number)
        filling = max(0, share - len(dear_ones))
        order += dear_ones + cheap[:filling]
        del cheap[:filling]
    return order + cheap
