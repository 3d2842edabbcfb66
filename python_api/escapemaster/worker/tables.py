"""Exports of one kind of row: which columns they have, and how a row becomes cells.

The words are in `headings.toml`, a table a heading or a value, with a line for each language.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import JsonValue

from escapemaster.currencies import CURRENCIES
from escapemaster.database import Job, ServiceDatabase, TableExport
from escapemaster.worker.sheets import Amount, Cell, open_sheet

#: The types of files that the bucket allows, by format.
CONTENT_TYPES: Final[Mapping[str, str]] = {
    "csv": "text/csv",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

Shape = Literal["text", "word", "count", "amount", "instant", "seconds", "yes_no"]
TableRow = Mapping[str, JsonValue]


class Column(NamedTuple):
    """A column: its key in rows and headings, what it holds, and what it takes beside the kind's.

    A `word` is a code of the product's, written in the reader's language.
    """

    key: str
    shape: Shape = "text"
    permission: str | None = None


_REFERENCE: Final = Column("reference", permission="bookings:read")
_VISIT: Final = Column("visit_at", "instant", "bookings:read")
_PLACE: Final = (
    Column("room", permission="rooms:read"),
    Column("location", permission="rooms:read"),
)
_ZONE: Final = Column("timezone")
_CUSTOMER: Final = (
    Column("customer", permission="customers:read"),
    Column("email", permission="customers:read"),
)

#: The columns of each kind, in their order.
COLUMNS: Final[Mapping[str, tuple[Column, ...]]] = {
    "bookings": (
        Column("reference"),
        Column("status", "word"),
        Column("starts_at", "instant"),
        Column("ends_at", "instant"),
        _ZONE,
        *_PLACE,
        Column("party_size", "count"),
        *_CUSTOMER,
        Column("phone", permission="customers:read"),
        Column("language"),
        Column("source", "word"),
        Column("booked_at", "instant"),
        Column("currency"),
        Column("total", "amount"),
        Column("tax", "amount"),
        Column("paid", "amount", "payments:read"),
        Column("refunded", "amount", "payments:read"),
        Column("open", "amount", "payments:read"),
        Column("customer_note", permission="customers:read"),
        Column("staff_note"),
    ),
    "payments": (
        Column("occurred_at", "instant"),
        _ZONE,
        Column("entry", "word"),
        Column("method", "word"),
        Column("currency"),
        Column("amount", "amount"),
        _REFERENCE,
        _VISIT,
        *_PLACE,
        *_CUSTOMER,
        Column("provider_id"),
    ),
    "customers": (
        Column("customer"),
        Column("email"),
        Column("phone"),
        Column("language"),
        Column("added_at", "instant"),
        Column("bookings", "count", "bookings:read"),
        Column("first_visit_at", "instant", "bookings:read"),
        Column("last_visit_at", "instant", "bookings:read"),
        _ZONE,
        Column("marketing", "yes_no"),
        Column("tags"),
        Column("staff_note"),
    ),
    "waivers": (
        Column("signed_at", "instant"),
        _ZONE,
        Column("signer"),
        Column("email"),
        Column("plays", "yes_no"),
        Column("minors"),
        Column("people", "count"),
        Column("version", "count"),
        Column("language"),
        _REFERENCE,
        _VISIT,
        *_PLACE,
    ),
    "results": (
        Column("played_at", "instant"),
        _ZONE,
        *_PLACE,
        _REFERENCE,
        _VISIT,
        Column("party_size", "count", "bookings:read"),
        Column("team_name"),
        Column("outcome", "word"),
        Column("escape_seconds", "seconds"),
        Column("duration_seconds", "seconds"),
        Column("pauses", "count"),
        Column("hints", "count"),
        Column("level", "word"),
        Column("game_language"),
        Column("is_by_hand", "yes_no"),
        Column("correction_reason"),
        Column("game_notes"),
    ),
}


@cache
def words() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """The words of the files: by group, key and language."""
    source = files("escapemaster.worker").joinpath("headings.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))


def shown(kind: str, permissions: Sequence[str]) -> list[Column]:
    """The columns of a kind for somebody who holds these permissions."""
    return [c for c in COLUMNS[kind] if c.permission is None or c.permission in permissions]


def cells(columns: Sequence[Column], row: TableRow, locale: str) -> list[Cell]:
    """A row's cells."""
    return [_cell(column, row, locale) for column in columns]


async def write_table(database: ServiceDatabase, job: Job, export: TableExport, path: Path) -> int:
    """Write the file of an export, page by page.

    Reads until a page is empty, never until one is short, and holds one page at a time.

    Args:
        database: What rows come from.
        job: Whose lease the pages are read under.
        export: What is to be written.
        path: Where.

    Returns:
        How many rows it has.

    Raises:
        DomainError: 403 `export_not_allowed`; 409 `lease_lost`.
    """
    columns = shown(export.kind, export.permissions)
    headings = [words()["columns"][column.key][export.locale] for column in columns]
    name = words()["sheets"][export.kind][export.locale]
    yes_no = (words()["yes_no"]["yes"][export.locale], words()["yes_no"]["no"][export.locale])
    written = 0
    with open_sheet(path, export.format, name, headings, yes_no) as sheet:
        page = await database.read_table_export(job, None, written)
        while page:
            await asyncio.to_thread(
                sheet.write, (cells(columns, row, export.locale) for row in page)
            )
            written += len(page)
            last = page[-1]["id"]
            # Before the next one is read: there is never more than one.
            page.clear()
            page = await database.read_table_export(job, str(last), written)
    return written


def _cell(column: Column, row: TableRow, locale: str) -> Cell:
    value = row[column.key]
    match column.shape, value:
        case _, None:
            return None
        case "word", str():
            return words()[column.key][value][locale]
        case "amount", int():
            digits = CURRENCIES[str(row["currency"])].digits
            return Amount(Decimal(value).scaleb(-digits))
        case "instant", str():
            return datetime.fromisoformat(value)
        case "seconds", int():
            return timedelta(seconds=value)
        case "yes_no", bool():
            return value
        case "count", int():
            return value
        case _:
            return str(value)
