"""The edge functions' own tests, in the runtime that they run in."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

Deno = Callable[..., subprocess.CompletedProcess[str]]


def test_the_deno_tests_pass(deno: Deno) -> None:
    # Types are checked with the rest of the code, by `make check`.
    # Which functions the widget calls, and with what the database lists that they refuse.
    sources = [f"edge/booking-widget/src/{name}.ts" for name in ("api", "buying")]
    readable = f"--allow-read={','.join(['docs/functions.md', *sources])}"
    result = deno("test", "--no-remote", "--no-check", readable, Path(__file__).parent)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_committed_widget_is_what_its_sources_give(deno: Deno) -> None:
    result = deno(
        "run",
        "--allow-read",
        "--allow-write",
        "--allow-env",
        "--allow-run=node_modules/.bin/esbuild",
        "edge/booking-widget/build.ts",
        "--check",
    )
    assert result.returncode == 0, result.stdout + result.stderr
