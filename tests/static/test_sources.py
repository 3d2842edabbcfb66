"""The files of `sql/` and of the migrations, read with PostgreSQL's own parser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pglast import ast, parse_sql

from escapemaster_dev.schema.migration import is_untouched, with_header
from escapemaster_dev.schema.project import PROJECT, SchemaError
from escapemaster_dev.schema.sources import Statement, statements

SOURCES = PROJECT.source_files()
MIGRATIONS = PROJECT.migration_files()


def _name(path: Path) -> str:
    return str(path.relative_to(PROJECT.root))


def _indexes_without_a_query(found: list[Statement]) -> list[str]:
    """Indexes whose comment does not say which query they serve."""
    return [
        f"{each.path.name}:{each.line}"
        for each in found
        if isinstance(parse_sql(each.text)[0].stmt, ast.IndexStmt) and "-- for: " not in each.lead
    ]


def _unnamed_constraints(found: list[Statement]) -> list[str]:
    """Checks and keys of a new table that PostgreSQL would have to name."""
    unnamed = []
    for each in found:
        create = parse_sql(each.text)[0].stmt
        if not isinstance(create, ast.CreateStmt):
            continue
        constraints = [
            constraint
            for element in create.tableElts or ()
            for constraint in (
                [element]
                if isinstance(element, ast.Constraint)
                else [c for c in element.constraints or () if c.contype.name not in _NAMELESS]
            )
        ]
        unnamed += [
            f"{each.path.name}:{each.line}" for constraint in constraints if not constraint.conname
        ]
    return unnamed


_NAMELESS = (
    "CONSTR_NOTNULL",
    "CONSTR_NULL",
    "CONSTR_DEFAULT",
    "CONSTR_GENERATED",
    "CONSTR_IDENTITY",
)


def _statements(tmp_path: Path, content: str) -> list[Statement]:
    path = tmp_path / "010_example.sql"
    path.write_text(content)
    return list(statements([path]))


@pytest.mark.parametrize("path", SOURCES, ids=_name)
class TestSource:
    def test_parses_and_says_first_what_it_is(self, path: Path) -> None:
        found = list(statements([path]))
        assert found
        assert found[0].lead.startswith("-- ")

    def test_is_numbered_so_that_path_order_is_dependency_order(self, path: Path) -> None:
        assert re.fullmatch(r"\d{3}_[a-z_]+\.sql", path.name)
        assert re.fullmatch(r"\d{2}_[a-z_]+", path.parent.name)

    def test_every_index_says_which_query_it_serves(self, path: Path) -> None:
        assert _indexes_without_a_query(list(statements([path]))) == []

    def test_every_constraint_has_a_name(self, path: Path) -> None:
        assert _unnamed_constraints(list(statements([path]))) == []


@pytest.mark.parametrize("path", MIGRATIONS, ids=_name)
def test_no_hand_has_changed_a_migration(path: Path) -> None:
    assert re.fullmatch(r"\d{14}_[a-z0-9_]+\.sql", path.name)
    assert is_untouched(path.read_text()), "change sql/ and render a new migration"


def test_a_changed_migration_is_noticed() -> None:
    content = with_header("add_rooms", "\ncreate table rooms ();\n")
    assert is_untouched(content)
    assert not is_untouched(content.replace("rooms ()", "rooms (id int)"))
    assert not is_untouched("create table rooms ();\n")


def test_a_file_that_does_not_parse_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"010_example\.sql.*at or near"):
        _statements(tmp_path, "-- Rooms.\n\ncreate tabel rooms ();\n")


def test_an_index_without_a_query_is_noticed(tmp_path: Path) -> None:
    content = "-- {}\ncreate index rooms_idx on public.rooms (id);\n"
    assert _indexes_without_a_query(_statements(tmp_path, content.format("Rooms."))) == [
        "010_example.sql:2"
    ]
    assert _indexes_without_a_query(_statements(tmp_path, content.format("for: the page"))) == []


@pytest.mark.parametrize(
    ("constraint", "named"),
    [
        ("check (size > 0)", "constraint rooms_size check (size > 0)"),
        ("primary key (size)", "constraint rooms_pkey primary key (size)"),
        ("other int unique", "other int not null default 1"),
    ],
)
def test_an_unnamed_constraint_is_noticed(tmp_path: Path, constraint: str, named: str) -> None:
    content = "-- Rooms.\ncreate table public.rooms (size int not null, {});\n"
    assert _unnamed_constraints(_statements(tmp_path, content.format(constraint))) != []
    assert _unnamed_constraints(_statements(tmp_path, content.format(named))) == []


def test_a_statement_keeps_its_comments_and_its_line(tmp_path: Path) -> None:
    first, second = _statements(
        tmp_path,
        "-- Wörter: café.\n\ncreate schema a;\n\n-- Why; because.\n/* and\n so */ select 'ñ';\n",
    )
    assert (first.lead, first.text, first.line) == ("-- Wörter: café.\n\n", "create schema a;", 3)
    assert (second.text, second.line, second.is_data) == ("select 'ñ';", 7, True)
    assert second.lead == "\n\n-- Why; because.\n/* and\n so */ "


def test_layout_and_comments_do_not_make_another_statement(tmp_path: Path) -> None:
    one, other = _statements(
        tmp_path, "comment on schema public is 'x';\nCOMMENT ON SCHEMA public\n  IS /* y */ 'x';\n"
    )
    assert one.canonical() == other.canonical()


_RAISED = re.compile(r"private\.(?:fail|refusal)\(\s*'(\w+)'")


def test_every_refusal_is_met_by_a_test_that_names_it() -> None:
    """A code that no test asks for may be raised by nothing, or for everything."""
    raised = {code for path in SOURCES for code in _RAISED.findall(path.read_text())}
    tests = PROJECT.root / "tests"
    # What may be raised and what is never reached are lists, not tests.
    lists = {tests / "matrix" / "unreached_refusals.py"}
    named: set[str] = set()
    for path in (found for kind in ("*.py", "*.ts", "*.mjs") for found in tests.rglob(kind)):
        if path not in lists:
            named.update(re.findall(r"\w+", path.read_text()))
    assert len(raised) > 200
    assert sorted(raised - named) == []
