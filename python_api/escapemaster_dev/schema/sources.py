"""The statements of `sql/` and of the migrations, read with PostgreSQL's own parser."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from pglast import ast, parse_sql, parser

from escapemaster_dev.schema.project import SchemaError

# What changes rows or runs code. Written to be repeatable, since a migration copies it.
_DATA_STATEMENTS = (
    ast.InsertStmt,
    ast.UpdateStmt,
    ast.DeleteStmt,
    ast.MergeStmt,
    ast.SelectStmt,
    ast.DoStmt,
    ast.CallStmt,
)

_COMMENTS = re.compile(r"(?:\s+|--[^\n]*|/\*.*?\*/)*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a file.

    Attributes:
        path: The file.
        line: Where the statement itself starts.
        lead: What stands between the statement before and this one: blank lines and comments.
        text: The statement with its semicolon.
        is_data: Whether it works on rows and not on the structure.
    """

    path: Path
    line: int
    lead: str
    text: str
    is_data: bool

    def canonical(self) -> str:
        """The statement as PostgreSQL understands it, free of layout and comments."""
        return parser.deparse_protobuf(parser.parse_sql_protobuf(self.text))


def statements(paths: Iterable[Path]) -> Iterator[Statement]:
    """Split files into their statements.

    Raises:
        SchemaError: PostgreSQL's parser refuses a file; the text names it.
    """
    for path in paths:
        yield from _split(path)


def apply_files(dsn: str, paths: Iterable[Path]) -> None:
    """Run the files in one transaction.

    Raises:
        SchemaError: the database refuses a statement; the text names file, line and reason.
    """
    with psycopg.connect(dsn) as connection:
        for statement in statements(paths):
            try:
                connection.execute(statement.text.encode())
            except psycopg.Error as error:
                raise SchemaError(f"{statement.path}:{statement.line}: {error}") from error


def _split(path: Path) -> Iterator[Statement]:
    content = path.read_text()
    try:
        parsed = parse_sql(content)
    except parser.ParseError as error:
        raise SchemaError(f"{path}: {error}") from error
    end = 0
    for raw in parsed:
        begin = raw.stmt_location or 0
        stop = begin + raw.stmt_len if raw.stmt_len else len(content)
        # The statement's location may include the comments before it.
        start = _after_comments(content, begin)
        yield Statement(
            path=path,
            line=content.count("\n", 0, start) + 1,
            lead=content[end:start],
            text=content[start:stop].rstrip().removesuffix(";") + ";",
            is_data=isinstance(raw.stmt, _DATA_STATEMENTS),
        )
        end = min(stop + 1, len(content))


def _after_comments(content: str, position: int) -> int:
    """Where the white space and the comments at a position end."""
    match = _COMMENTS.match(content, position)
    return match.end() if match else position
