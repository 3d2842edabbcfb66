"""The way to files: Supabase Storage, through the gateway, with the service's own key.

This is the one module that knows Storage's client (https://supabase.com/docs/reference/python).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter
from storage3 import AsyncStorageClient
from storage3.exceptions import StorageApiError

from escapemaster.errors import UnavailableError, UnexpectedError
from escapemaster.telemetry import TracedClient

T = TypeVar("T")

#: Entries that one listing holds, and files that one request deletes.
PAGE: Final = 500
#: What passes by itself beside the server's own errors: a request that took too long, one at work
#: on the same file, too many at once.
#: https://supabase.com/docs/guides/storage/debugging/error-codes
_PASSING: Final = frozenset({408, 423, 429})
#: Seconds: an upload is answered when all of it has been stored.
_TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0, read=300.0)


class _Entry(BaseModel):
    """One line of a listing. A folder has no id: it is there because something is in it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    id: str | None = None


_ENTRIES: Final = TypeAdapter[list[_Entry]](list[_Entry])


@asynccontextmanager
async def storage_connections() -> AsyncIterator[httpx.AsyncClient]:
    """The connections to Storage, which wait as long as files take."""
    async with TracedClient(timeout=_TIMEOUT) as http:
        yield http


class Storage:
    """Files as the service itself, for which no policy stands in the way."""

    def __init__(self, http: httpx.AsyncClient, *, url: str, secret_key: str) -> None:
        self._client = AsyncStorageClient(
            f"{url.rstrip('/')}/storage/v1/", {"apikey": secret_key}, http_client=http
        )

    async def buckets(self) -> list[str]:
        """The names of all buckets."""
        return [bucket.id for bucket in await _answered(self._client.list_buckets())]

    async def upload(self, bucket: str, path: str, source: Path, content_type: str) -> None:
        """Store a file, in the place of the one that may be there.

        Args:
            bucket: Where.
            path: Under which name; it begins with the organization.
            source: What. It is sent in pieces, never held in memory.
            content_type: One that the bucket allows.
        """
        await _answered(
            self._client.from_(bucket).upload(
                path,
                source,
                {"content-type": content_type, "cache-control": "0", "upsert": "true"},
            )
        )

    async def remove(self, bucket: str, path: str) -> None:
        """Delete a file, if there is one."""
        await _answered(self._client.from_(bucket).remove([path]))

    async def erase(self, bucket: str, folder: str) -> int:
        """Delete every file in a folder and in those below it.

        Returns:
            How many there were.

        Raises:
            UnexpectedError: Some are still there.
        """
        # All names first: a list that is read while it shrinks would skip some.
        paths = [path async for path in self._files(bucket, folder)]
        for first in range(0, len(paths), PAGE):
            await _answered(self._client.from_(bucket).remove(paths[first : first + PAGE]))
        if paths and [path async for path in self._files(bucket, folder)]:
            raise UnexpectedError("storage_not_erased", f"{bucket}: files are still there")
        return len(paths)

    async def _files(self, bucket: str, folder: str) -> AsyncIterator[str]:
        folders = [folder]
        while folders:
            here = folders.pop()
            async for entry in self._entries(bucket, here):
                # Hosted projects list one folder, by names within it; the local Storage lists
                # everything below, by whole paths. A name has no slash, so the two differ.
                path = entry.name if "/" in entry.name else f"{here}/{entry.name}"
                if entry.id is None:
                    folders.append(path)
                else:
                    yield path

    async def _entries(self, bucket: str, folder: str) -> AsyncIterator[_Entry]:
        offset = 0
        while True:
            listed = self._client.from_(bucket).list(
                f"{folder}/",
                {
                    "limit": PAGE,
                    "offset": offset,
                    "sortBy": {"column": "name", "order": "asc"},
                },
            )
            page = await _answered(_entries(listed))
            for entry in page:
                yield entry
            if len(page) < PAGE:
                return
            offset += len(page)


async def _entries(listed: Awaitable[object]) -> list[_Entry]:
    return _ENTRIES.validate_python(await listed)


async def _answered(call: Awaitable[T]) -> T:
    """What Storage answers, its errors translated."""
    try:
        return await call
    except httpx.HTTPError as error:
        raise UnavailableError("storage", type(error).__name__) from error
    except StorageApiError as error:
        # Its words stay out, and so does its cause: they may name a file, and so a person.
        status = int(error.status) if str(error.status).isdigit() else 0
        if status in _PASSING or status >= 500:
            raise UnavailableError("storage", f"answered {status}") from None
        raise UnexpectedError("storage_error", f"answered {status}") from None
    except (ValueError, TypeError, KeyError):
        raise UnexpectedError("storage_contract", "unexpected answer") from None
