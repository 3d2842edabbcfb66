"""The door to files: Supabase Storage, through the gateway, with the service's own key.

This is the one module that knows Storage's HTTP interface
(https://supabase.com/docs/reference/self-hosting-storage/introduction).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import IO, Final, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from escapemaster.errors import UnavailableError, UnexpectedError

T = TypeVar("T")

#: Entries that one listing holds, and files that one request deletes.
PAGE: Final = 500
#: Bytes read from a file and sent at once.
CHUNK: Final = 256 * 1024
#: What passes by itself beside the server's own errors: a request that took too long, one at work
#: on the same file, too many at once.
#: https://supabase.com/docs/guides/storage/debugging/error-codes
_PASSING: Final = frozenset({408, 423, 429})
#: Seconds: an upload is answered when all of it has been stored.
_TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0, read=300.0)


class _Bucket(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str


class _Entry(BaseModel):
    """One line of a listing. A folder has no id: it is there because something is in it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    id: str | None = None


_BUCKETS: Final = TypeAdapter[list[_Bucket]](list[_Bucket])
_ENTRIES: Final = TypeAdapter[list[_Entry]](list[_Entry])
_ANY: Final = TypeAdapter[object](object)


class Storage:
    """Files as the service itself, for which no policy stands in the way."""

    def __init__(self, http: httpx.AsyncClient, *, url: str, secret_key: str) -> None:
        self._http = http
        self._url = f"{url.rstrip('/')}/storage/v1"
        self._headers = {"apikey": secret_key}

    async def buckets(self) -> list[str]:
        """The names of all buckets."""
        return [bucket.id for bucket in await self._ask("GET", "bucket", _BUCKETS)]

    async def upload(self, bucket: str, path: str, file: IO[bytes], content_type: str) -> None:
        """Store a file, in the place of the one that may be there.

        Args:
            bucket: Where.
            path: Under which name; it begins with the organization.
            file: What, from its beginning. It is sent in pieces, never held in memory.
            content_type: One that the bucket allows.
        """
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        await self._ask(
            "POST",
            f"object/{bucket}/{quote(path)}",
            _ANY,
            content=_pieces(file),
            headers={
                "Content-Type": content_type,
                "Content-Length": str(size),
                "Cache-Control": "no-store",
                "x-upsert": "true",
            },
        )

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
            some = paths[first : first + PAGE]
            await self._ask("DELETE", f"object/{bucket}", _ANY, json={"prefixes": some})
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
            page = await self._ask(
                "POST",
                f"object/list/{bucket}",
                _ENTRIES,
                json={
                    "prefix": f"{folder}/",
                    "limit": PAGE,
                    "offset": offset,
                    "sortBy": {"column": "name", "order": "asc"},
                },
            )
            for entry in page:
                yield entry
            if len(page) < PAGE:
                return
            offset += len(page)

    async def _ask(
        self,
        method: str,
        path: str,
        shape: TypeAdapter[T],
        *,
        content: AsyncIterator[bytes] | None = None,
        json: object | None = None,
        headers: dict[str, str] | None = None,
    ) -> T:
        try:
            response = await self._http.request(
                method,
                f"{self._url}/{path}",
                content=content,
                json=json,
                headers={**self._headers, **(headers or {})},
                timeout=_TIMEOUT,
            )
        except httpx.HTTPError as error:
            raise UnavailableError("storage", type(error).__name__) from error
        if response.status_code in _PASSING or response.is_server_error:
            raise UnavailableError("storage", f"{method} answered {response.status_code}")
        if not response.is_success:
            # Its words stay out: they may name a file, and so a person.
            raise UnexpectedError("storage_error", f"{method} answered {response.status_code}")
        try:
            return shape.validate_json(response.content)
        except ValidationError:
            raise UnexpectedError("storage_contract", f"{method}: unexpected answer") from None


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, CHUNK):
        yield piece
