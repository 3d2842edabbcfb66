"""A table of rows as a file: CSV, or XLSX. What may be in a cell is said here, for both.

A program that opens the file must not run what somebody typed. XLSX has a type for each cell, so a
text is a text whatever it begins with. CSV has none: a text that a spreadsheet would take for a
formula gets an apostrophe before it (https://owasp.org/www-community/attacks/CSV_Injection).

Both are written row by row: what they hold in memory does not grow with the file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, Protocol

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

#: What a spreadsheet takes for the beginning of a formula, in the wide forms of East Asia, too.
FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: Rows that one sheet of an XLSX may have, headings among them; more go on in a further sheet.
SHEET_ROWS: Final = 1_048_576
#: Columns are at least and at most so wide, in characters.
_WIDTHS: Final = (10, 40)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of money in units of its currency, with as many digits as that has."""

    value: Decimal


#: What a cell may hold. An instant is what a clock on the wall showed; a duration is how long.
Cell = str | int | bool | Amount | datetime | timedelta | None


class Sheet(Protocol):
    """A file that rows are written to."""

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Write rows below those before."""


@contextmanager
def open_sheet(
    path: Path, form: str, name: str, headings: Sequence[str], yes_no: tuple[str, str]
) -> Iterator[Sheet]:
    """A new file, complete when the context ends.

    Args:
        path: Where.
        form: `csv` or `xlsx`.
        name: Of the sheet, at most 28 characters.
        headings: The first row.
        yes_no: How true and false are written.
    """
    if form == "csv":
        # The mark says UTF-8 to Excel, which would guess otherwise.
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            yield _CsvSheet(csv.writer(file), headings, yes_no)
        return
    # What is written is written: nothing is guessed from how a text looks.
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
    }
    with xlsxwriter.Workbook(str(path), options) as book:
        yield _XlsxSheet(book, name, headings, yes_no)


def harmless(text: str) -> str:
    """A text as a cell of CSV that no spreadsheet runs."""
    return f"'{text}" if text.startswith(FORMULAS) else text


def duration_text(value: timedelta) -> str:
    """A duration such as `0:52:10`."""
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


class _Writer(Protocol):
    def writerow(self, row: Iterable[object], /) -> object: ...


class _CsvSheet:
    def __init__(self, writer: _Writer, headings: Sequence[str], yes_no: tuple[str, str]) -> None:
        self._writer = writer
        self._yes, self._no = yes_no
        self.write([headings])

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        for row in rows:
            self._writer.writerow([self._text(cell) for cell in row])

    def _text(self, cell: Cell) -> str:
        match cell:
            case None:
                return ""
            case bool():
                return self._yes if cell else self._no
            case str():
                return harmless(cell)
            case Amount(value):
                return f"{value:f}"
            case datetime():
                return cell.isoformat(sep=" ")
            case timedelta():
                return duration_text(cell)
            case _:
                return str(cell)


class _XlsxSheet:
    def __init__(
        self,
        book: xlsxwriter.Workbook,
        name: str,
        headings: Sequence[str],
        yes_no: tuple[str, str],
    ) -> None:
        self._book = book
        self._name = name
        self._headings = headings
        self._yes, self._no = yes_no
        self._formats: dict[str, Format] = {}
        self._sheets = 0
        self._row = 0
        self._sheet = self._begin()

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        for row in rows:
            if self._row == SHEET_ROWS:
                self._sheet = self._begin()
            for column, cell in enumerate(row):
                self._write(column, cell)
            self._row += 1

    def _begin(self) -> Worksheet:
        self._sheets += 1
        sheet = self._book.add_worksheet(
            self._name if self._sheets == 1 else f"{self._name} {self._sheets}"
        )
        least, most = _WIDTHS
        for column, heading in enumerate(self._headings):
            sheet.set_column(column, column, min(max(len(heading) + 4, least), most))
        sheet.freeze_panes(1, 0)
        bold = self._book.add_format({"bold": True})
        for column, heading in enumerate(self._headings):
            sheet.write_string(0, column, heading, bold)
        self._row = 1
        return sheet

    def _write(self, column: int, cell: Cell) -> None:
        sheet, row = self._sheet, self._row
        match cell:
            case None | "":
                pass
            case bool():
                sheet.write_string(row, column, self._yes if cell else self._no)
            case str():
                sheet.write_string(row, column, cell)
            case Amount(value):
                digits = -int(value.as_tuple().exponent)
                look = "#,##0" + (f".{'0' * digits}" if digits else "")
                sheet.write_number(row, column, float(value), self._format(look))
            case datetime():
                sheet.write_datetime(row, column, cell, self._format("yyyy-mm-dd hh:mm"))
            case timedelta():
                days = cell / timedelta(days=1)
                sheet.write_number(row, column, days, self._format("[h]:mm:ss"))
            case _:
                sheet.write_number(row, column, cell)

    def _format(self, look: str) -> Format:
        if look not in self._formats:
            self._formats[look] = self._book.add_format({"num_format": look})
        return self._formats[look]
