"""Deno, as the tests of the edge functions run it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from escapemaster_dev.stack import tools
from escapemaster_dev.stack.config import ROOT

Completed = subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def deno(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Completed]:
    """`deno("test", …)`: run a command of the edge runtime in the checkout, with its settings."""
    cache = tmp_path_factory.mktemp("deno")

    def run(command: str, *arguments: str | Path) -> Completed:
        return subprocess.run(
            [
                *(str(tools.deno()), command, "--config", str(ROOT / "edge" / "deno.json")),
                *map(str, arguments),
            ],
            cwd=ROOT,
            env={**os.environ, "DENO_DIR": str(cache), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    return run
