"""The worker's process: `python -m escapemaster worker`."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from escapemaster import clients
from escapemaster.database import connection_pool
from escapemaster.error_tracker import error_tracker
from escapemaster.logging import configure_logging, get_logger
from escapemaster.settings import Settings
from escapemaster.storage import storage_connections
from escapemaster.telemetry import TracedClient, telemetry
from escapemaster.worker.handlers import LONGER, Tools, handle
from escapemaster.worker.health import health_server
from escapemaster.worker.loop import Worker
from escapemaster.worker.metrics import WorkerMetrics
from escapemaster.worker.periodic import periodic_tasks, repeat

_log = get_logger("worker")


def run(settings: Settings) -> None:
    """Work until the process is told to stop (SIGTERM or SIGINT)."""
    configure_logging(settings.log_level)
    with telemetry(settings, "worker"), error_tracker(settings, "worker"):
        asyncio.run(_until_told(settings))


async def _until_told(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await work(settings, stop)


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Work until `stop` is set.

    Args:
        settings: Whom to work for, and with which means.
        stop: Set it to end the work in good order.
    """
    name = f"{socket.gethostname()}:{os.getpid()}"
    metrics = WorkerMetrics()
    async with open_tools(settings) as tools, AsyncExitStack() as stack:
        worker = Worker(
            tools.database,
            lambda job: handle(job, tools),
            name=name,
            concurrency=settings.worker_concurrency,
            money_slots=settings.worker_money_slots,
            lease_seconds=settings.worker_lease_seconds,
            poll_seconds=settings.worker_poll_seconds,
            longer=LONGER,
            metrics=metrics,
        )
        if settings.worker_health_port is not None:
            await stack.enter_async_context(
                health_server(worker, metrics, settings.worker_health_port)
            )
        _log.info("worker.started", worker=name, mail=tools.mail.name)
        async with asyncio.TaskGroup() as group:
            for task in periodic_tasks(tools, metrics=metrics):
                group.create_task(repeat(task, stop))
            group.create_task(worker.run(stop))
        _log.info("worker.stopped", worker=name)


@asynccontextmanager
async def open_tools(settings: Settings) -> AsyncIterator[Tools]:
    """Build what handlers work with, and close their connections at the end."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(connection_pool())
        http = await stack.enter_async_context(
            TracedClient(timeout=httpx.Timeout(20.0, connect=5.0))
        )
        files = await stack.enter_async_context(storage_connections())
        yield Tools(
            database=clients.service_database(settings, pool),
            stripe=clients.stripe_gateway(settings, http),
            mail=clients.mail_transport(settings, http),
            storage=clients.file_storage(settings, files),
            site=clients.mail_site(settings),
            webhooks=clients.webhook_poster(settings),
            senders=clients.mail_senders(settings, http),
        )
