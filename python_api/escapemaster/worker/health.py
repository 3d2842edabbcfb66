"""A worker's health over HTTP, from the loop that does the work."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response

from escapemaster.worker.loop import Worker
from escapemaster.worker.metrics import WorkerMetrics

#: A worker that has not reached the queue for so long (seconds) is not ready.
READY_WITHIN: Final = 15.0


class _Server(uvicorn.Server):
    """Leaves signals to the worker, whose part it is."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


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
    config = uvicorn.Config(
        _application(worker, metrics, clock),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    with socket.create_server((host, port)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


def _application(worker: Worker, metrics: WorkerMetrics, clock: Callable[[], float]) -> FastAPI:
    application = FastAPI(openapi_url=None)

    @application.get("/health/live")
    async def live() -> Response:
        return PlainTextResponse("ok\n")

    @application.get("/health/ready")
    async def ready() -> Response:
        last = worker.last_claim
        if last is not None and clock() - last <= READY_WITHIN:
            return PlainTextResponse("ok\n")
        return PlainTextResponse("the queue was not reached lately\n", 503)

    @application.get("/metrics")
    async def numbers() -> Response:
        return PlainTextResponse(metrics.exposition())

    return application
