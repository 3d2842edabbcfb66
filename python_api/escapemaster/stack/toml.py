"""Just enough TOML writing for a configuration: tables, strings, numbers, booleans, lists."""

from __future__ import annotations

import json
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
    return name if name.replace("-", "").replace("_", "").isalnum() else json.dumps(name)


def _scalar(value: Value) -> str:
    # JSON's strings, numbers, booleans and lists are TOML's too.
    return json.dumps(value)
