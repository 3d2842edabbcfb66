"""Organizations: their API keys and the export of all that is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import JsonValue, TypeAdapter

from escapemaster.database.functions import IGNORED, Functions, Row
from escapemaster.database.queue import Job, lease


class ApiKey(Row):
    """The API key that a secret belongs to. `expires_at`: the key's own end."""

    api_key_id: UUID
    organization_id: UUID
    expires_at: datetime


_API_KEY: Final = TypeAdapter[ApiKey](ApiKey)
_ROWS: Final = TypeAdapter[list[dict[str, JsonValue]]](list[dict[str, JsonValue]])


class OrganizationCalls:
    """The calls about organizations."""

    _functions: Functions

    async def exchange_api_key(self, secret: str, address: str) -> ApiKey:
        """Find the API key of a secret, and record the use.

        Args:
            secret: As it was shown when the key was made.
            address: The client's, for the rate limit.

        Raises:
            DomainError: 401 `api_key_invalid`; 429 `rate_limited`.
        """
        return await self._functions.call(
            "exchange_api_key", _API_KEY, {"secret": secret, "address": address}
        )

    async def read_organization(
        self, job_id: int, lease_token: UUID, after: Mapping[str, JsonValue] | None
    ) -> list[dict[str, JsonValue]]:
        """Read a page of a tenant's rows, `{table, row}` each.

        Args:
            job_id: The export's job, which says whose.
            lease_token: Its lease.
            after: The last row of the page before; None for the first page.

        Returns:
            The rows; none after the last page.

        Raises:
            DomainError: 409 `lease_lost`.
        """
        return await self._functions.call(
            "read_organization",
            _ROWS,
            {"job_id": job_id, "lease_token": lease_token, "after": after},
        )

    async def finish_export(self, job: Job, object_path: str | None, row_count: int | None) -> None:
        """Record the end of the export that a claimed job makes. Without a path, it failed.

        Raises:
            DomainError: 409 `lease_lost`.
        """
        await self._functions.call(
            "finish_export",
            IGNORED,
            {**lease(job), "object_path": object_path, "row_count": row_count},
        )
