"""A worker's health over HTTP: three answers, a few lines, no framework."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from escapemaster.worker.loop import Worker
from escapemaster.worker.metrics import WorkerMetrics

#: A worker that has not reached the queue for so long (seconds) is not ready.
READY_WITHIN: Final = 15.0

_MAX_REQUEST: Final = 8192
_TIMEOUT: Final = 5.0


@asynccontextmanager
async def health_server(
    worker: Worker,
    metrics: WorkerMetrics,
    port: int,
    *,
    host: str = "127.0.0.1",
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[int]:
    """Answer `/health/live`, `/health/ready` and `/metrics` while the context lasts.

    Args:
        worker: Whose health.
        metrics: Its numbers.
        port: Where; 0 takes any free one.
        host: On which address.
        clock: Seconds, for tests.

    Yields:
        The port.
    """

    def answer(path: str) -> tuple[HTTPStatus, bytes]:
        match path:
            case "/health/live":
                # The loop that answers this is the loop that does the work.
                return HTTPStatus.OK, b"ok\n"
            case "/health/ready":
                last = worker.last_claim
                if last is not None and clock() - last <= READY_WITHIN:
                    return HTTPStatus.OK, b"ok\n"
                return HTTPStatus.SERVICE_UNAVAILABLE, b"the queue was not reached lately\n"
            case "/metrics":
                return HTTPStatus.OK, metrics.exposition()
            case _:
                return HTTPStatus.NOT_FOUND, b"not found\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
                words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
                path = words[1].partition("?")[0] if len(words) == 3 else ""
                status, body = answer(path)
                writer.write(
                    f"HTTP/1.1 {status.value} {status.phrase}\r\n"
                    f"Content-Type: text/plain; charset=utf-8\r\n"
                    f"Content-Length: {len(body)}\r\n"
                    f"Connection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError, TimeoutError):
            pass  # not a request, or nobody there to hear the answer
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, port, limit=_MAX_REQUEST)
    async with server:
        yield server.sockets[0].getsockname()[1]
