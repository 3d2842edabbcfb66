"""What pg-delta says of the difference between two databases."""

from __future__ import annotations

import atexit
import json
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from escapemaster_dev.schema.project import SchemaError

_SCRIPT = Path(__file__).with_name("delta.mjs")


@dataclass(frozen=True, slots=True)
class Change:
    """One statement of the plan.

    Attributes:
        sql: The statement, formatted, with its semicolon.
        destructive: Whether it throws rows away.
    """

    sql: str
    destructive: bool


@dataclass(frozen=True, slots=True)
class Delta:
    """What has to be done to a database so that it becomes another.

    Attributes:
        facts: `add`, `remove`, `set`, `link` or `unlink` with the object, one a line.
        changes: The statements, in an order in which they can run.
    """

    facts: list[str]
    changes: list[Change]


def delta(current: str, desired: str) -> Delta:
    """Compare two databases by their URLs.

    Raises:
        SchemaError: pg-delta cannot read or cannot express something; its message is the text.
    """
    answer = json.loads(_asked(json.dumps([current, desired])))
    if "error" in answer:
        raise SchemaError(f"pg-delta failed:\n{answer['error']}")
    return Delta(
        facts=answer["facts"],
        changes=[
            Change(sql=each["sql"], destructive=each["destructive"]) for each in answer["changes"]
        ],
    )


def _asked(line: str) -> str:
    """What the script answers to a line.

    Raises:
        SchemaError: the script does not run, or ended; what it wrote stands on our stderr.
    """
    try:
        process = _started()
    except FileNotFoundError as error:
        raise SchemaError("node is not installed, or not on the path") from error
    answer = ""
    if process.stdin and process.stdout:
        with suppress(BrokenPipeError):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
    if not answer:
        _started.cache_clear()
        _end(process)
        raise SchemaError(f"pg-delta ended with {process.returncode}")
    return answer


@cache
def _started() -> subprocess.Popen[str]:
    """The script, which runs as long as we do: to load it costs more than what it is asked for."""
    process = subprocess.Popen(
        ["node", str(_SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    """Let it read the end of what it is asked, and wait until it is gone."""
    with suppress(BrokenPipeError):
        process.communicate()
