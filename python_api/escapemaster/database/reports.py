"""Own questions, as the service prepares them."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from pydantic import TypeAdapter

from escapemaster.database.functions import Functions

_ID: Final = TypeAdapter[UUID](UUID)


class ReportCalls:
    """The calls about own questions."""

    _functions: Functions

    async def prepare_report(self, organization_id: UUID, caller: UUID, statement: str) -> UUID:
        """Keep a statement for a minute, for whoever asked.

        Args:
            organization_id: Whose data it is about.
            caller: The subject of the token that may run it.
            statement: As `escapemaster.reports.statements` writes it.

        Returns:
            The id by which `run_report` runs it.

        Raises:
            DomainError: 422 `report_refused`; 429 `rate_limited`.
        """
        return await self._functions.call(
            "prepare_report",
            _ID,
            {"organization_id": organization_id, "caller": caller, "statement": statement},
            repeat=False,
        )
