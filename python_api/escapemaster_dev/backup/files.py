"""The uploaded files: through Storage's own interface, and where Storage keeps them is its own.

https://supabase.com/docs/guides/storage: `/object/<bucket>/<name>`, with the service's key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, TypeVar
from urllib.parse import quote

import httpx
import psycopg
from psycopg.rows import TupleRow, class_row

from escapemaster_dev.backup.archive import PIECE
from escapemaster_dev.backup.errors import BackupError
from escapemaster_dev.backup.manifest import StoredFile
from escapemaster_dev.backup.place import Place

Connection = psycopg.Connection[TupleRow]
T = TypeVar("T")

_TRIES: Final = 3
#: Names that one request deletes.
_PAGE: Final = 500
#: A file of at most so many bytes is held in memory while it is uploaded, to try it again.
_KEPT: Final = 32 * 1024 * 1024
_TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0, read=300.0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as Storage's table knows it."""

    bucket: str
    name: str
    content_type: str
    cache_control: str
    owner: str | None
    owner_id: str | None
    created_at: datetime

    def __str__(self) -> str:
        return f"{self.bucket}/{self.name}"


def listed(connection: Connection) -> list[Entry]:
    """Every file of the transaction's moment."""
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(
            """
            select o.bucket_id as bucket, o.name, o.owner::text, o.owner_id, o.created_at,
              coalesce(m.metadata ->> 'mimetype', 'application/octet-stream') as content_type,
              coalesce(m.metadata ->> 'cacheControl', 'max-age=3600') as cache_control
            from storage.objects as o
            cross join lateral (
              -- The local Storage may keep it as text inside a JSON string.
              select case jsonb_typeof(o.metadata)
                when 'string' then (o.metadata #>> '{}')::jsonb else o.metadata
              end as metadata
            ) as m
            where o.bucket_id is not null and o.name is not null
            order by 1, 2
            """
        ).fetchall()


def remember(connection: Connection, files: Iterable[StoredFile]) -> None:
    """Let uploaded files have the owner and the age that they had."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "update storage.objects set owner = %s, owner_id = %s, created_at = %s"
            " where bucket_id = %s and name = %s",
            [(f.owner, f.owner_id, f.created_at, f.bucket, f.name) for f in files],
        )


class Files:
    """Storage, as the service."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def download(self, entry: Entry) -> Iterator[bytes] | None:
        """The file in pieces; None if it is not there any more.

        Raises:
            httpx.HTTPError: Storage failed; the pieces so far are worth nothing.
        """
        request = self._http.build_request("GET", _path(entry.bucket, entry.name))
        answer = self._http.send(request, stream=True)
        if answer.status_code in {400, 404} and _is_missing(answer):
            return None
        return self._pieces(answer)

    def _pieces(self, answer: httpx.Response) -> Iterator[bytes]:
        try:
            answer.raise_for_status()
            yield from answer.iter_bytes(PIECE)
        finally:
            answer.close()

    def upload(self, file: StoredFile, pieces: Iterator[bytes]) -> None:
        """Store a file, in the place of the one that may be there.

        Raises:
            BackupError: Storage failed; a file that is too large to be kept is tried once.
        """
        content = pieces if file.size > _KEPT else b"".join(pieces)
        seconds = file.cache_control.removeprefix("max-age=")
        headers = {
            "content-type": file.content_type,
            "content-length": str(file.size),
            "cache-control": f"max-age={seconds}",
            "x-upsert": "true",
        }

        def send() -> None:
            address = _path(file.bucket, file.name)
            self._http.post(address, content=content, headers=headers).raise_for_status()

        answered(f"{file.bucket}/{file.name}", send, tries=1 if file.size > _KEPT else _TRIES)

    def delete(self, bucket: str, names: Sequence[str]) -> None:
        """Delete files."""
        for first in range(0, len(names), _PAGE):
            answered(bucket, partial(self._delete, bucket, list(names[first : first + _PAGE])))

    def _delete(self, bucket: str, names: list[str]) -> None:
        address = f"/storage/v1/object/{quote(bucket)}"
        self._http.request("DELETE", address, json={"prefixes": names}).raise_for_status()


def answered(what: str, ask: Callable[[], T], *, tries: int = _TRIES) -> T:
    """Ask up to three times.

    Raises:
        BackupError: Storage failed each time.
    """
    for attempt in range(1, tries + 1):
        try:
            return ask()
        except httpx.HTTPError as error:
            if attempt == tries:
                raise BackupError(f"Storage failed at {what}: {_reason(error)}") from error
    raise AssertionError("unreachable")


@contextmanager
def connected(place: Place) -> Iterator[Files]:
    """The Storage of a place that has one."""
    with httpx.Client(
        base_url=str(place.storage_url),
        headers={"apikey": place.secret_key},
        timeout=_TIMEOUT,
        trust_env=False,
    ) as http:
        yield Files(http)


def _path(bucket: str, name: str) -> str:
    return f"/storage/v1/object/{quote(bucket)}/{quote(name)}"


def _is_missing(answer: httpx.Response) -> bool:
    """Hosted, a missing object is 400 with `statusCode` 404 in the body."""
    answer.read()
    return answer.status_code == 404 or '"404"' in answer.text or "not_found" in answer.text


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.response.status_code} {error.response.text[:200]}".strip()
    return type(error).__name__
