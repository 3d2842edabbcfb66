"""The database as one person sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import httpx
from pydantic import JsonValue, TypeAdapter

from escapemaster.database.functions import BOOLEAN, RETRY_DELAYS, Functions

_JSON: Final = TypeAdapter[JsonValue](JsonValue)


class PersonDatabase:
    """The functions of schema `public`, as one person and for one organization.

    The person's own token is passed on, so the database decides what the person may do.
    """

    def __init__(
        self,
        pool: httpx.AsyncClient,
        *,
        url: str,
        publishable_key: str,
        token: str,
        organization_id: UUID | None = None,
        request_id: str | None = None,
        retry_delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        headers = {"apikey": publishable_key, "Authorization": f"Bearer {token}"}
        if organization_id is not None:
            headers["x-organization-id"] = str(organization_id)
        if request_id is not None:
            headers["x-request-id"] = request_id
        self._functions = Functions(
            pool, url=url, schema="public", headers=headers, retry_delays=retry_delays
        )

    async def has_permission(self, permission: str) -> bool:
        """Whether the person holds `permission` in the request's organization, at this moment.

        Raises:
            DomainError: 401 `token_invalid`; 403 `organization_suspended` for a permission that
                changes something.
        """
        return await self._functions.call("has_permission", BOOLEAN, {"permission": permission})

    async def call(self, function: str, parameters: Mapping[str, object]) -> JsonValue:
        """Call any other public function. Its answer is returned as it came.

        A call whose answer was lost is not repeated: pass an idempotency key and call again.
        """
        return await self._functions.call(function, _JSON, parameters, repeat=False)
