"""Nothing of sql/ stays in a session: a pooler may hand the next transaction to anybody."""

from __future__ import annotations

import re

import pytest

from escapemaster_dev.schema.project import PROJECT

#: What a session remembers, by what it is.
_REMEMBERED = {
    "a lock of the session": r"\bpg_(?:try_)?advisory_(?:lock|unlock)(?:_shared)?\b",
    "a setting of the session": r"\bset_config\s*\((?:[^()]|\([^()]*\))*,\s*false\s*\)",
    "a temporary table": r"\bcreate\s+(?:local\s+|global\s+)?temp(?:orary)?\b",
    "a prepared statement": r"^\s*(?:prepare|deallocate)\s",
    "a channel that is listened to": r"^\s*(?:un)?listen\s",
    "a cursor that outlives its transaction": r"\bwith\s+hold\b",
    "a setting without `local`": (
        # With its end: without one it is a function's, and ends with it.
        r"^\s*set +(?:session +)?(?:role|session|[a-z_]*timeout|time.?zone|log_[a-z]+)\b[^;\n]*;"
    ),
}


def remembered(text: str) -> list[str]:
    code = re.sub(r"--[^\n]*", "", text)
    return [
        what
        for what, found in _REMEMBERED.items()
        if re.search(found, code, re.MULTILINE | re.IGNORECASE)
    ]


def test_no_source_leaves_anything_in_a_session() -> None:
    assert {
        str(path): found
        for path in PROJECT.source_files()
        if (found := remembered(path.read_text()))
    } == {}


@pytest.mark.parametrize(
    "bad",
    [
        "perform pg_advisory_lock(1);",
        "perform set_config('a.b', lower('x'), false);",
        "create temp table t (n int);",
        "prepare p as select 1;",
        "  listen news;",
        "declare c cursor with hold for select 1;",
        "set statement_timeout = 0;",
    ],
)
def test_each_kind_would_be_seen(bad: str) -> None:
    assert remembered(bad)


@pytest.mark.parametrize(
    "good",
    [
        "perform pg_advisory_xact_lock(1);",
        "perform set_config('a.b', 'x', true);",
        "set local statement_timeout = 0;",
        "update t\nset n = 1;",
        "alter role anon set statement_timeout = '3s';",
    ],
)
def test_what_ends_with_the_transaction_is_let_be(good: str) -> None:
    assert not remembered(good)
