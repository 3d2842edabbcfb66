"""Every answer that a test gets keeps what its type promises: null and values as comments say.

The clients through which tests call functions hand each answer here (`kept`). A field whose comment
does not say `null` came as null, or holds a value that its comment does not list: the test fails,
whatever it was about. What the types promise is read once in a process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
import psycopg.conninfo

from escapemaster_dev.schema.composites import Answer, Composite, Field, answers, composites

_promised: tuple[Mapping[str, Answer], Mapping[str, Composite]] | None = None


def promises(
    dsn: Callable[[], str],
) -> tuple[Mapping[str, Answer], Mapping[str, Composite]]:
    """What functions answer and what those types promise, as the database says it."""
    global _promised  # noqa: PLW0603 - read once in a process
    if _promised is None:
        with psycopg.connect(dsn()) as reader:
            _promised = answers(reader), composites(reader)
    return _promised


def url_of(connection: psycopg.Connection[Any]) -> str:
    """Where a connection leads, for another one."""
    return psycopg.conninfo.make_conninfo(connection.info.dsn, password=connection.info.password)


def kept(dsn: Callable[[], str], function: str, answer: Any) -> None:
    """Hold the answer of a function, as JSON, against its type.

    Args:
        dsn: Says the owner's or superuser's URL of a database that holds the product; asked once.
        function: Its name, with a schema unless it is of `public`.
        answer: What it answered; a refusal is none.

    Raises:
        AssertionError: A promise is broken; the text says where.
    """
    said, types = promises(dsn)
    promise = said.get(function if "." in function else f"public.{function}")
    if promise is not None and not (answer is None and promise.nullable):
        broken = list(broken_promises(types, promise, answer))
        assert not broken, f"{function}: {'; '.join(broken)}"


def broken_promises(types: Mapping[str, Composite], promise: Answer, answer: Any) -> Iterator[str]:
    """What of an answer is not as its type says, a line each."""
    composite = types[promise.composite]
    if promise.is_list:
        yield from _list(types, composite, answer, "")
    else:
        yield from _row(types, composite, answer, "")


def _list(types: Mapping[str, Composite], of: Composite, rows: Any, at: str) -> Iterator[str]:
    if not isinstance(rows, list):
        yield f"{at or of.name} is no list"
        return
    for number, row in enumerate(rows):
        yield from _row(types, of, row, f"{at}[{number}]")


def _row(types: Mapping[str, Composite], of: Composite, row: Any, at: str) -> Iterator[str]:
    if not isinstance(row, dict):
        yield f"{at or of.name} is {row!r}, no {of.name}"
        return
    names = {field.name for field in of.fields}
    if row.keys() != names:
        yield f"{at or of.name} has other fields: {', '.join(sorted(row.keys() ^ names))}"
    for field in of.fields:
        yield from _field(types, field, row.get(field.name), f"{at}.{field.name}".lstrip("."))


def _field(types: Mapping[str, Composite], field: Field, value: Any, at: str) -> Iterator[str]:
    if value is None:
        if not field.nullable:
            yield f"{at} is null"
    elif field.composite is not None and field.composite in types:
        inner = types[field.composite]
        yield from (_list if field.is_list else _row)(types, inner, value, at)
    elif field.values:
        for each in value if field.is_list else [value]:
            if each not in field.values:
                yield f"{at} is {each!r}"
