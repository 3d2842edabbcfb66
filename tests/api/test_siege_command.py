"""`make attack` and `make storm` against a stack that runs already, as README shows them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import stack as stack_of_the_run
from stack import Stack

_TESTS = Path(__file__).resolve().parents[1]


def test_an_attack_on_a_running_stack_says_what_held(stack: Stack) -> None:
    where = stack_of_the_run.config()
    environment = stack_of_the_run.environment_of(where)
    # Only what pytest's own processes are told.
    own = {name: value for name, value in environment.items() if "ESCAPEMASTER_TEST" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "siege", "attack", "--running", "--only", "statistics"],
        cwd=_TESTS.parent,
        env={**own, "PYTHONPATH": str(_TESTS)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"stack: {stack.url}" in done.stdout
    assert "1 held" in done.stdout
