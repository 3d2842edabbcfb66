"""Exports of rows of one kind, and reports of a month, as a worker makes them."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import JsonValue, TypeAdapter

from escapemaster.database.functions import IGNORED, Functions, Row
from escapemaster.database.queue import Job, lease
from escapemaster.reports.figures import MonthFigures


class TableExport(Row):
    """A file that is to be made.

    Attributes:
        kind: Of the rows.
        locale: Of the headings.
        object_path: Where it is to be put.
        permissions: What whoever asked for it held; columns that take another one are left out.
    """

    kind: Literal["bookings", "payments", "customers", "waivers", "results", "month"]
    format: Literal["csv", "xlsx", "pdf"]
    locale: str
    object_path: str
    permissions: tuple[str, ...]


_MONTH: Final = TypeAdapter[MonthFigures](MonthFigures)
_EXPORT: Final = TypeAdapter[TableExport | None](TableExport | None)
_ROWS: Final = TypeAdapter[list[dict[str, JsonValue]]](list[dict[str, JsonValue]])


class ExportCalls:
    """The calls about exports of rows."""

    _functions: Functions

    async def begin_table_export(self, job: Job) -> TableExport | None:
        """What a claimed job is to make; None when there is nothing to do.

        Raises:
            DomainError: 409 `lease_lost`.
        """
        return await self._functions.call("begin_table_export", _EXPORT, lease(job))

    async def read_table_export(
        self, job: Job, after: str | None, rows_before: int
    ) -> list[dict[str, JsonValue]]:
        """Read a page of rows, a value a column each.

        Args:
            job: Whose export it is.
            after: The id of the last row of the page before; None for the first page.
            rows_before: How many came before.

        Returns:
            The rows; none after the last page.

        Raises:
            DomainError: 403 `export_not_allowed`; 409 `lease_lost`.
        """
        return await self._functions.call(
            "read_table_export",
            _ROWS,
            {**lease(job), "after": after, "rows_before": rows_before},
        )

    async def read_month(self, job: Job) -> MonthFigures:
        """The figures of the month whose report a job makes.

        Raises:
            DomainError: 403 `export_not_allowed`; 409 `lease_lost`.
        """
        return await self._functions.call("read_month", _MONTH, lease(job))

    async def finish_table_export(self, job: Job, row_count: int | None) -> None:
        """Record that the file is in its place, with so many rows; None: that it failed.

        Raises:
            DomainError: 409 `lease_lost`.
        """
        await self._functions.call(
            "finish_table_export", IGNORED, {**lease(job), "row_count": row_count}
        )
