"""Where a run of the tests keeps its files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import stack


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place that stands for memory, with room for all."""
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(stack, "_MEMORY", tmp_path)
    monkeypatch.setattr(stack, "_ROOM_IN_MEMORY", 0)
    monkeypatch.setattr(stack, "_FREE_MEMORY", 0)
    return tmp_path


def test_a_run_is_in_memory_where_there_is_room(memory: Path) -> None:
    assert stack._memory_with_room() == memory


@pytest.mark.parametrize("little", ["_ROOM_IN_MEMORY", "_FREE_MEMORY"])
def test_with_little_memory_it_is_on_the_disk(
    memory: Path, monkeypatch: pytest.MonkeyPatch, little: str
) -> None:
    monkeypatch.setattr(stack, little, 2**60)
    assert stack._memory_with_room() is None


def test_a_place_that_somebody_chose_is_kept_to(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", "/somewhere")
    assert stack._memory_with_room() is None


def test_what_a_killed_run_left_is_given_back_and_a_running_one_s_stays(memory: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, mine, other = (
        memory / name
        for name in (
            f"escapemaster-test-{ended.pid}-a",
            f"escapemaster-test-{os.getpid()}-b",
            "escapemaster-test-x-c",
        )
    )
    for home in (left, mine, other):
        home.mkdir()
        (home / "file").touch()
    stack._memory_with_room()
    assert sorted(memory.iterdir()) == sorted([mine, other])
