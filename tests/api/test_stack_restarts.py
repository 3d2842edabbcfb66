"""A part that dies is started again, so many times, and its log stays short."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from escapemaster_dev.stack.config import Ports, StackConfig
from escapemaster_dev.stack.errors import PartDied
from escapemaster_dev.stack.processes import Child, Command, keep_short
from escapemaster_dev.stack.reporter import Silent
from escapemaster_dev.stack.restarts import PAUSES, WELL_AFTER, Restarts
from escapemaster_dev.stack.state import read_state, write_state
from escapemaster_dev.stack.supervisor import Supervisor
from stack import wait_until


def test_the_pauses_grow_and_then_it_is_given_up() -> None:
    restarts, now, waited = Restarts(), 100.0, []
    while restarts.died(now, ran=1, how="ended with exit code 1"):
        assert restarts.due is not None
        waited.append(restarts.due - now)
        restarts.started()
        assert restarts.due is None
    assert waited == list(PAUSES) == sorted(PAUSES)
    assert restarts.total == len(PAUSES)
    assert restarts.last_end == "ended with exit code 1"


def test_what_has_run_long_is_well_again() -> None:
    restarts = Restarts()
    for _ in range(3 * len(PAUSES)):
        assert restarts.died(0, ran=WELL_AFTER, how="was ended by signal 9")
        assert restarts.due == PAUSES[0]
        restarts.started()
    assert restarts.total == 3 * len(PAUSES)


def test_status_is_told_of_what_lies_still_and_of_what_was_started_again(tmp_path: Path) -> None:
    config = StackConfig(home=tmp_path, ports=Ports(2000))
    config.prepare()
    child = child_of(tmp_path, "pass")
    restarts = Restarts(total=2, due=3.0, last_end="was ended by signal 9")
    write_state(config, "ready", [child], restarts={child.name: restarts})
    child.wait(10)
    state = read_state(config)
    assert state is not None
    (part,) = state.parts
    assert (part.runs, part.restarts, part.last_end) == (False, 2, "was ended by signal 9")


def test_what_dies_again_and_again_is_named_and_stops_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("escapemaster_dev.stack.restarts.PAUSES", (0.0, 0.0))
    config = StackConfig(home=tmp_path, ports=Ports(2000))
    config.prepare()
    supervisor = Supervisor(config, Silent(), seed=False)
    supervisor._children = [child_of(tmp_path, "print('alas'); raise SystemExit(3)")]

    def until_given_up() -> None:
        for _ in range(1000):
            supervisor._revive()
            supervisor._children[0].wait(0.02)

    with pytest.raises(PartDied) as died:
        until_given_up()
    assert (died.value.part, died.value.code) == ("part", 3)
    assert str(died.value).count("alas") == 3  # the first, and two more


def child_of(home: Path, program: str, *, again: bool = False) -> Child:
    command = Command(
        name="part",
        arguments=[sys.executable, "-c", program],
        environment=dict(os.environ),
        cwd=home,
    )
    return Child(command, home / "part.log", again=again)


def test_a_log_tells_how_the_part_died_also_after_it_was_started_again(tmp_path: Path) -> None:
    for word, again in (("before", False), ("first", False), ("second", True)):
        child_of(tmp_path, f"print({word!r})", again=again).wait(20)
    assert (tmp_path / "part.log").read_text().split() == ["first", "second"]


def test_a_log_that_grew_is_moved_aside_while_the_part_writes_on(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    child = child_of(
        tmp_path,
        "import time, pathlib; print('x' * 100, flush=True)\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.01)\n"
        "print('afterwards', flush=True)",
    )
    wait_until(lambda: log.stat().st_size > 100)
    keep_short(log, largest=1_000)
    assert log.stat().st_size > 100
    keep_short(log, largest=50)
    assert (tmp_path / "part.log.1").read_text().strip() == "x" * 100
    assert log.stat().st_size == 0
    (tmp_path / "go").touch()
    assert child.wait(20)
    # At the new end, not behind a hole where the old one was.
    assert log.read_text() == "afterwards\n"
