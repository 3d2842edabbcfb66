"""Where things are: one direction in `sql/`, files in tens, production without its tools."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

from escapemaster_dev.schema.project import PROJECT

SQL = PROJECT.root / "sql"
PRODUCTION = PROJECT.root / "python_api" / "escapemaster"

#: What a folder uses of a later one, as (file's subject, name), and why.
EXCEPTIONS = {
    ("members", "private.left_open"): "whoever removes a member is told what that person left open",
    ("vouchers", "private.booking_reference"): "a voucher's code is read out as a reference is",
    ("vouchers", "public.payments"): "what a voucher is worth is what the ledger took from it",
    ("vouchers", "public.voucher_entries"): "the same",
    (
        "transitions",
        "public.payments",
    ): "who paid vouches for what the booking says of its customer",
    ("transitions", "private.count_consents"): "consents count from the moment of vouching",
    ("options", "public.payments"): "a voucher pays in the transaction that claims the seats",
    ("options", "private.pay_with_voucher"): "the same",
    ("options", "public.voucher_entries"): "the same",
    ("claim", "private.lock_vouchers_of"): "a lapsed hold that is reaped gives its voucher back",
}
_DEFINITION = re.compile(
    r"^create (?:unlogged )?(?:or replace )?(?:table|function|type|view|sequence|domain)"
    r" ((?:private|public|service)\.\w+)",
    re.MULTILINE,
)
_NAME = re.compile(r"\b(?:private|public|service)\.\w+")
_COMMENT_ON = re.compile(r"comment on [^']*?\bis\s*'(?:[^']|'')*';", re.DOTALL)


def _sources() -> dict[str, str]:
    """The statements of `sql/` by path, without comments."""
    return {
        str(path.relative_to(SQL)): _COMMENT_ON.sub("", re.sub(r"--.*", "", path.read_text()))
        for path in PROJECT.source_files()
    }


def _against_the_direction(sources: Mapping[str, str]) -> set[tuple[str, str]]:
    """(subject of the file, name) of whatever a folder uses that a later folder defines."""
    home = {
        name: path.split("/")[0]
        for path, text in sources.items()
        for name in _DEFINITION.findall(text)
    }
    return {
        (_subject(path), name)
        for path, text in sources.items()
        for name in set(_NAME.findall(text))
        if home.get(name, "") > path.split("/")[0]
    }


def _subject(path: str) -> str:
    return re.sub(r"^\d+_", "", Path(path).stem)


def test_a_folder_uses_only_folders_before_it() -> None:
    found = _against_the_direction(_sources())
    assert found - set(EXCEPTIONS) == set(), "move it, or say why it must be"
    assert set(EXCEPTIONS) - found == set(), "no longer needed"
    assert len(EXCEPTIONS) <= 10


def test_a_use_against_the_direction_is_found() -> None:
    sources = {
        "10_first/010_early.sql": "create function private.early() as $$ select private.late() $$;",
        "20_second/010_late.sql": "create function private.late() as $$ select private.early() $$;",
    }
    assert _against_the_direction(sources) == {("early", "private.late")}


def test_files_are_numbered_in_tens_and_each_once() -> None:
    paths = list(_sources())
    for folder in sorted({path.split("/")[0] for path in paths}):
        numbers = [int(p.split("/")[1][:3]) for p in paths if p.split("/")[0] == folder]
        assert all(number % 10 == 0 for number in numbers), folder
        assert all(a < b for a, b in pairwise(sorted(numbers))), folder


def _texts(roots: Iterable[str]) -> dict[Path, str]:
    files = (
        path
        for root in roots
        for path in (PROJECT.root / root).rglob("*")
        if path.suffix in {".sql", ".py", ".ts", ".md", ".js"} and "dist" not in path.parts
    )
    return {path: path.read_text() for path in files}


def test_nothing_names_a_file_of_sql_by_its_number() -> None:
    roots = ("sql", "python_api", "edge", "docs", "tests")
    ours = {path.name for path in PROJECT.source_files()}
    found = [
        f"{path.relative_to(PROJECT.root)}: {name}"
        for path, text in _texts(roots).items()
        for name in re.findall(r"\d\d\d_\w+\.sql", text)
        if name in ours and path.name != "test_schema_rendering.py"
    ]
    assert found == []


def test_comments_and_grants_name_functions_without_arguments() -> None:
    # A name is unique in its schema; PostgreSQL itself refuses it otherwise.
    found = [
        f"{path}: {match}"
        for path, text in ((p, p.read_text()) for p in PROJECT.source_files())
        for match in re.findall(r"(?:comment|execute) on function [\w.]+\s*\(", text)
    ]
    assert found == []


def test_no_function_has_a_namesake_in_its_schema() -> None:
    function = re.compile(r"^create function ((?:private|public|service)\.\w+)", re.MULTILINE)
    names = [name for text in _sources().values() for name in function.findall(text)]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_production_imports_no_tool_of_the_developers() -> None:
    imported = {
        (path.name, name)
        for path in PRODUCTION.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert {each for each in imported if each[1].split(".")[0] == "escapemaster_dev"} == set()
    assert {name for _, name in imported} >= {"fastapi", "stripe"}
