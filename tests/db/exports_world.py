"""Exports of tables as the worker makes them, and their files as somebody reads them."""

from __future__ import annotations

import asyncio
import csv
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from uuid import UUID
from xml.etree import ElementTree as ET

from pydantic import JsonValue

from client import Client
from escapemaster.database import Job, ServiceDatabase, TableExport
from escapemaster.worker.tables import write_table
from leases import leased

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@dataclass
class Pages:
    """What the worker asks the database, asked as its role over a connection of the test's.

    Attributes:
        size: Rows that a page has.
    """

    service: Client
    lease: dict[str, Any]
    size: int = 1000
    seen: list[list[dict[str, Any]]] = field(default_factory=list)

    async def read_table_export(
        self, _job: Job, after: str | None, rows_before: int
    ) -> list[dict[str, JsonValue]]:
        rows = self.service.select(
            "select r as row from service.read_table_export(%s, %s, %s::uuid, %s, %s) as r",
            self.lease["job_id"],
            self.lease["lease_token"],
            after,
            rows_before,
            self.size,
        )
        page = [row["row"] for row in rows]
        self.seen.append([dict(row) for row in page])
        return page


@dataclass(frozen=True)
class Exports:
    """The exports of one organization.

    Attributes:
        ask: Runs a statement as the database's owner.
        service: The worker.
    """

    ask: Callable[..., list[dict[str, Any]]]
    service: Client
    organization_id: str

    def export(self, by: Client, kind: str, **asked: object) -> dict[str, Any]:
        """Ask for one."""
        row: dict[str, Any] = by.call(
            "export_table", organization_id=self.organization_id, kind=kind, **asked
        )
        return row

    def leased(self, export: dict[str, Any]) -> AbstractContextManager[dict[str, Any]]:
        """The lease of a job that makes it."""
        payload = {"organization_id": self.organization_id, "export_id": str(export["id"])}
        return leased(self.ask, "table.export", payload, self.organization_id)

    @contextmanager
    def made(
        self, by: Client, kind: str, size: int = 1000, **asked: object
    ) -> Iterator[tuple[dict[str, Any], Path, Pages]]:
        """One that is asked for, written and finished; its row, its file and its pages."""
        export = self.export(by, kind, **asked)
        with self.leased(export) as lease, TemporaryDirectory() as folder:
            begun = self.service.call("service.begin_table_export", **lease)
            path = Path(folder, f"file.{begun['format']}")
            pages = Pages(self.service, lease, size)
            job = Job(
                id=lease["job_id"],
                kind="table.export",
                payload={},
                attempt=1,
                lease_token=UUID(str(lease["lease_token"])),
            )
            rows = asyncio.run(
                write_table(
                    cast("ServiceDatabase", pages), job, TableExport.model_validate(begun), path
                )
            )
            self.service.call("service.finish_table_export", **lease, row_count=rows)
            (row,) = self.ask("select * from public.table_exports where id = %s", export["id"])
            yield row, path, pages

    def table(self, by: Client, kind: str, **asked: object) -> list[dict[str, str]]:
        """The rows of a CSV file in English, by heading."""
        with self.made(by, kind, 1000, format="csv", locale="en", **asked) as (_, path, _pages):
            return csv_rows(path)


def csv_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, by heading."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def xlsx_rows(path: Path, sheet: int = 1) -> list[list[tuple[str, str]]]:
    """The cells of a sheet with their type: `inlineStr` a text, `n` a number, `f` a formula."""
    with zipfile.ZipFile(path) as book:
        root = ET.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))  # noqa: S314 - our own
    rows = []
    for row in root.iter(f"{_MAIN}row"):
        cells: list[tuple[str, str]] = []
        for cell in row.iter(f"{_MAIN}c"):
            letters = re.sub(r"\d", "", cell.attrib["r"])
            place = 0
            for letter in letters:
                place = place * 26 + ord(letter) - ord("A") + 1
            cells.extend([("", "")] * (place - 1 - len(cells)))
            kind = "f" if cell.find(f"{_MAIN}f") is not None else cell.attrib.get("t", "n")
            cells.append((kind, "".join(cell.itertext())))
        rows.append(cells)
    return rows
