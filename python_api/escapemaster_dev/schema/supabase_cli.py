"""Supabase's command line, kept to itself: no telemetry, no update check, nothing in the home."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from escapemaster_dev.schema.project import PROJECT, SchemaError

_COMMAND = PROJECT.root / "node_modules" / ".bin" / "supabase"


def run_supabase(*arguments: str, workdir: Path = PROJECT.root) -> str:
    """Run the CLI and return what it printed.

    Args:
        arguments: The command and its flags.
        workdir: The directory that holds `supabase/`.

    Raises:
        SchemaError: the command failed; the text is its own.
    """
    process = subprocess.run(
        [str(_COMMAND), *arguments, "--workdir", str(workdir)],
        cwd=workdir,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        raise SchemaError(
            f"supabase {' '.join(arguments[:2])} failed:\n{process.stdout}{process.stderr}"
        )
    return process.stdout


def _environment() -> dict[str, str]:
    home = PROJECT.root / ".local" / "supabase-cli"
    return {
        **os.environ,
        "DO_NOT_TRACK": "1",
        "SUPABASE_TELEMETRY_DISABLED": "1",
        "SUPABASE_NO_UPDATE_NOTIFIER": "1",
        "SUPABASE_NO_KEYRING": "1",
        "SUPABASE_HOME": str(home),
        "HOME": str(home),
        # Scratch and local databases have no TLS; the CLI tries it first and warns.
        "PGSSLMODE": "disable",
    }
