"""One call of a database function through PostgREST, which is one transaction.

This is the one module that knows `postgrest`'s client.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, TypeVar, cast
from uuid import UUID

import httpx
from postgrest import APIError, AsyncPostgrestClient
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError
from structlog.contextvars import get_contextvars

from escapemaster.database.errors import OUTCOME_UNKNOWN, reason, translated
from escapemaster.errors import UnavailableError, UnexpectedError
from escapemaster.telemetry import TracedClient

T = TypeVar("T")

_REQUEST_ID: Final = "x-request-id"

#: A repeated call waits this long (seconds) before each further try.
RETRY_DELAYS: Final = (0.05, 0.2, 0.6)


class Row(BaseModel):
    """What a function returns: immutable; fields added by a later migration are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


#: The shape of an answer that is not looked at.
IGNORED: Final = TypeAdapter[object](object)
BOOLEAN: Final = TypeAdapter[bool](bool)
COUNT: Final = TypeAdapter[int](int)


@asynccontextmanager
async def connection_pool(
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """The connections to the gateway, shared by every caller of one process.

    Args:
        transport: Replaces the network, for tests.
    """
    async with TracedClient(
        transport=transport,
        limits=httpx.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=30),
        timeout=httpx.Timeout(10.0, connect=2.0, pool=5.0),
    ) as pool:
        yield pool


class Functions:
    """Calls the functions of one schema with one set of credentials."""

    def __init__(
        self,
        pool: httpx.AsyncClient,
        *,
        url: str,
        schema: str,
        headers: Mapping[str, str],
        retry_delays: Sequence[float],
    ) -> None:
        self._pool = pool
        self._url = f"{url.rstrip('/')}/rest/v1"
        self._client = AsyncPostgrestClient(
            self._url,
            schema=schema,
            headers={"Accept": "application/json", **headers},
            http_client=pool,
            retry_enabled=False,
        )
        self._retry_delays = retry_delays

    async def call(
        self,
        function: str,
        shape: TypeAdapter[T],
        parameters: Mapping[str, object],
        *,
        repeat: bool = True,
    ) -> T:
        """Call a function.

        Args:
            function: Its name in the schema.
            shape: What it answers.
            parameters: By name. UUIDs and instants are written as text.
            repeat: Whether doing it twice does no harm. A call that never left this machine is
                repeated in any case; one whose answer was lost only then.

        Raises:
            DomainError, UnavailableError, UnexpectedError: As `errors` says.
        """
        return _parsed(function, shape, await self._answer(function, parameters, repeat=repeat))

    async def refuses_estimates(self, function: str) -> bool:
        """Whether a wish for an estimated count is refused when another `Prefer` follows it.

        PostgREST 12 reads all of them and shows the database the last; what stands before it may
        join them (docs/security.md).

        Args:
            function: One that takes nothing and changes nothing.

        Raises:
            UnavailableError: There was no answer, or none that tells.
        """
        headers = httpx.Headers(
            [
                *self._client.headers.multi_items(),
                ("Prefer", "count=planned"),
                ("Prefer", "handling=lenient"),
            ]
        )
        try:
            answer = await self._pool.post(f"{self._url}/rpc/{function}", headers=headers, json={})
        except httpx.HTTPError as error:
            raise UnavailableError("database", type(error).__name__) from error
        if answer.status_code >= 500:
            raise UnavailableError("database", f"{function}: {answer.status_code}")
        return answer.status_code == 400 and "count_not_exact" in answer.text

    async def _answer(
        self, function: str, parameters: Mapping[str, object], *, repeat: bool
    ) -> JsonValue:
        # The client's own type says `dict[str, str]`; it sends any JSON.
        body = cast(
            "dict[str, str]", {name: _json_value(value) for name, value in parameters.items()}
        )
        for delay in (*self._retry_delays, None):
            call = self._client.rpc(function, body)
            if request_id := get_contextvars().get("request_id"):
                # Whoever acts: the log of the database names the request that it came from.
                call.request.headers.setdefault(_REQUEST_ID, request_id)
            try:
                response = await call.execute()
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                failure: Exception = error
            except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
                if not repeat:
                    raise UnavailableError("database", type(error).__name__) from error
                failure = error
            except httpx.HTTPError as error:
                raise UnavailableError("database", type(error).__name__) from error
            except APIError as error:
                if not (repeat and error.code in OUTCOME_UNKNOWN):
                    raise translated(function, error) from error
                failure = error
            else:
                return cast("JsonValue", response.data)
            if delay is None:
                raise UnavailableError("database", reason(failure)) from failure
            await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load
        raise AssertionError("the loop returns or raises")  # pragma: no cover


def _parsed(function: str, shape: TypeAdapter[T], data: JsonValue) -> T:
    try:
        return shape.validate_python(data)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, item["loc"])) or "value" for item in error.errors())
        # Without the cause: a validation error quotes its input, which may be personal.
        raise UnexpectedError("database_contract", f"{function}: unexpected {fields}") from None


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
