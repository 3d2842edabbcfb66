"""Just enough TOML writing for a configuration: tables, strings, numbers, booleans, lists."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = "str | int | float | bool | Sequence[Value] | Mapping[str, Value]"


def dumps(table: Mapping[str, Value], path: tuple[str, ...] = ()) -> str:
    """The table as TOML text."""
    lines = [f"[{'.'.join(_key(part) for part in path)}]"] if path else []
    tables: list[str] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            tables.append(dumps(value, (*path, key)))
        else:
            lines.append(f"{_key(key)} = {_scalar(value)}")
    return "\n".join([*lines, *tables]) + ("" if tables else "\n")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _scalar(name)


def _scalar(value: Value) -> str:
    # JSON's numbers, booleans, lists and strings are TOML's too, but for two kinds of character:
    # those beyond 16 bits, which JSON escapes in halves, and DEL, which it does not escape.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
