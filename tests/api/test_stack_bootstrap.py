"""The bootstrap finds a Python that really runs, and says clearly when there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from escapemaster_dev.stack.config import ROOT

THIS = f"python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "dirname", "env"):
        found = Path("/bin") / tool if (Path("/bin") / tool).exists() else Path("/usr/bin") / tool
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def _program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _find(place: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "find-python"],
        env={"PATH": str(place / "bin"), "HOME": str(place / "home"), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def _real(path: Path) -> None:
    _program(path, f'exec {sys.executable} "$@"')


def test_a_shim_that_does_not_run_is_passed_over(place: Path) -> None:
    _program(place / "bin" / "python3.13", "echo 'pyenv: not selected' >&2; exit 127")
    _program(place / "bin" / "python3.12", "exit 1")
    _real(place / "bin" / "python3.11")
    found = _find(place)
    assert found.returncode == 0
    assert Path(found.stdout.strip()).exists()


def test_a_python_that_only_pyenv_knows_is_found(place: Path) -> None:
    _real(place / "home" / ".pyenv" / "versions" / "3.13.9" / "bin" / "python3.13")
    assert _find(place).returncode == 0
    elsewhere = place / "pyenv" / "versions" / "3.13.9" / "bin" / "python3.13"
    _real(elsewhere)
    assert _find(place, PYENV_ROOT=str(place / "pyenv")).returncode == 0


def test_an_old_python_is_named_in_the_error(place: Path) -> None:
    _program(place / "bin" / "python3", "exit 4")
    found = _find(place)
    assert found.returncode == 3
    assert "Python 3.11 or newer is needed" in found.stderr
    assert "too old: python3" in found.stderr


def test_a_python_without_venv_says_what_to_install(place: Path) -> None:
    _program(place / "bin" / "python3.13", "exit 5")
    found = _find(place)
    assert found.returncode == 3
    assert "python3-venv" in found.stderr


def test_a_chosen_python_is_used_or_refused_by_name(place: Path) -> None:
    _real(place / "mine")
    assert _find(place, ESCAPEMASTER_PYTHON=str(place / "mine")).returncode == 0
    found = _find(place, ESCAPEMASTER_PYTHON="/nowhere/python")
    assert found.returncode == 3
    assert "/nowhere/python" in found.stderr


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ("echo v18.20.0", "v18.20.0"),
        ("exit 1", "no version at all"),
        (None, "none was found on PATH"),
    ],
)
def test_an_old_or_missing_node_is_a_clear_error(place: Path, node: str | None, said: str) -> None:
    if node is not None:
        _program(place / "bin" / "node", node)
        _program(place / "bin" / "npm", "exit 0")
    done = subprocess.run(
        [sys.executable, "-I", ROOT / "scripts" / "bootstrap.py"],
        env={"PATH": str(place / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Node 20 or newer" in done.stderr
    assert said in done.stderr


def test_nothing_is_done_when_nothing_changed() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "bootstrap"],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
