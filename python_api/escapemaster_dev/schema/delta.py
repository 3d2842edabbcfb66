"""What pg-delta says of the difference between two databases."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
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
    try:
        process = subprocess.run(
            ["node", str(_SCRIPT), current, desired], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise SchemaError("node is not installed, or not on the path") from error
    if process.returncode != 0:
        raise SchemaError(f"pg-delta failed:\n{process.stderr.strip()}")
    answer = json.loads(process.stdout)
    return Delta(
        facts=answer["facts"],
        changes=[
            Change(sql=each["sql"], destructive=each["destructive"]) for each in answer["changes"]
        ],
    )
