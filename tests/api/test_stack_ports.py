"""A taken port is named before anything starts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from escapemaster_dev.stack.config import Ports, StackConfig
from escapemaster_dev.stack.errors import PortTaken, StackError
from escapemaster_dev.stack.ports import is_free, require_free


@pytest.fixture
def base() -> int:
    """A base port whose whole range is free, out of the way of the run's own stack."""
    for candidate in range(30321, 32000, 20):
        if all(is_free(port) for port in Ports(candidate).by_part().values()):
            return candidate
    raise AssertionError("no free range")


def test_every_port_is_an_offset_of_one_base() -> None:
    ports = Ports(54321).by_part()
    assert ports["gateway"] == 54321
    assert ports["PostgreSQL"] == 54322
    assert ports["mailbox page"] == 54324
    assert len(set(ports.values())) == len(ports)


def test_a_taken_port_is_named_with_the_part_that_needs_it(base: int) -> None:
    with socket.create_server(("127.0.0.1", base + 6)), pytest.raises(PortTaken) as caught:
        require_free(Ports(base))
    assert caught.value.taken == {"API": base + 6}
    assert str(base + 6) in str(caught.value)
    assert "ESCAPEMASTER_PORT" in str(caught.value)


def test_up_refuses_before_anything_starts(base: int, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "ESCAPEMASTER_HOME": str(tmp_path),
        "ESCAPEMASTER_PORT": str(base),
    }
    with socket.create_server(("127.0.0.1", base + 1)):
        done = subprocess.run(
            [sys.executable, "-m", "escapemaster_dev", "up"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 1
    assert f"{base + 1}  (PostgreSQL)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "postgres").exists()
    assert list((tmp_path / "log").iterdir()) == []


@pytest.mark.parametrize("port", ["80", "65500", "http"])
def test_a_port_that_cannot_be_is_refused(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCAPEMASTER_PORT", port)
    with pytest.raises(StackError, match=port):
        StackConfig.from_environment()
