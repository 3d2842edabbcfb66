"""How fast mails leave, how fairly, and in how much memory: `.venv/bin/python -m bench.mails`.

Mails of many venues are queued at once; two workers, a process each, send them with the product's
loop, handler and templates to a provider that takes 5 ms. What the database costs is in it;
PostgREST and the network are not. The delay of a venue is how long its mails waited on average.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, LiteralString, cast
from uuid import UUID

import psycopg
from rich.console import Console

from bench.__main__ import Scale, world
from escapemaster.database import Job, PreparedEmail, ServiceDatabase
from escapemaster.database.webhooks import PreparedWebhook, RecordedWebhook
from escapemaster.email.content import Site
from escapemaster.email.message import Message
from escapemaster.webhooks.posting import Posted
from escapemaster.worker.handlers import Tools, handle
from escapemaster.worker.loop import Worker
from escapemaster_dev.schema.server import scratch_server

VENUES = 100
WORKERS = 2
CONCURRENCY = 8
PROVIDER_SECONDS = 0.005


class Provider:
    """Takes a mail in 5 ms."""

    name = "resend"

    async def send(self, _: Message, key: str) -> str:
        """Wait, and take it."""
        await asyncio.sleep(PROVIDER_SECONDS)
        return key


class Receiver:
    """A venue's program that answers in 5 ms."""

    async def post(self, _: str, __: Mapping[str, str], ___: bytes) -> Posted:
        """Wait, and take it."""
        await asyncio.sleep(PROVIDER_SECONDS)
        return Posted("delivered", 200, 5)


class Calls:
    """The calls of a worker, to the database itself, over a few connections."""

    def __init__(self, connections: list[psycopg.AsyncConnection[Any]]) -> None:
        self._free: asyncio.Queue[psycopg.AsyncConnection[Any]] = asyncio.Queue()
        for connection in connections:
            self._free.put_nowait(connection)
        self.empty = asyncio.Event()
        self._idle = 0

    async def claim_jobs(
        self, worker: str, max_jobs: int, lease_seconds: int, *, kept_for_money: int
    ) -> list[Job]:
        found = await self._all(
            "select to_jsonb(j) from service.claim_jobs(%s, %s, %s, %s) as j",
            worker, max_jobs, lease_seconds, kept_for_money,
        )  # fmt: skip
        self._idle = 0 if found else self._idle + 1
        if self._idle > 3:
            self.empty.set()
        return [Job.model_validate(job) for job in found]

    async def complete_job(self, job_id: int, lease_token: UUID) -> bool:
        return bool(
            (await self._all("select service.complete_job(%s, %s)", job_id, lease_token))[0]
        )

    async def fail_job(
        self,
        job_id: int,
        lease_token: UUID,
        error: str,
        *,
        retry: bool,
        retry_after: int | None = None,
        ignored: bool = False,
    ) -> str | None:
        statement = "select service.fail_job(%s, %s, %s, %s, %s, %s)"
        how = (error, retry, retry_after, ignored)
        [became] = await self._all(statement, job_id, lease_token, *how)
        return None if became is None else str(became)

    async def extend_job(self, job_id: int, lease_token: UUID, lease_seconds: int) -> bool:
        statement = "select service.extend_job(%s, %s, %s)"
        return bool((await self._all(statement, job_id, lease_token, lease_seconds))[0])

    async def prepare_email(self, job_id: int, lease_token: UUID) -> PreparedEmail | None:
        [mail] = await self._all("select service.prepare_email(%s, %s)", job_id, lease_token)
        return None if mail is None else PreparedEmail.model_validate(mail)

    async def record_email(
        self, job_id: int, lease_token: UUID, provider: str, provider_message_id: str
    ) -> None:
        statement = "select to_jsonb(r) from service.record_email(%s, %s, %s, %s) as r"
        await self._all(statement, job_id, lease_token, provider, provider_message_id)

    async def prepare_webhook(self, job: Job) -> PreparedWebhook | None:
        statement = "select service.prepare_webhook(%s, %s)"
        [event] = await self._all(statement, job.id, job.lease_token)
        return None if event is None else PreparedWebhook.model_validate(event)

    async def record_webhook(
        self,
        job: Job,
        prepared: PreparedWebhook,
        *,
        outcome: str,
        answer_code: int | None,
        duration_ms: int,
    ) -> RecordedWebhook:
        [made] = await self._all(
            "select to_jsonb(r) from service.record_webhook(%s, %s, %s, %s, %s, %s, %s) as r",
            job.id, job.lease_token, prepared.delivery_id, prepared.attempt, outcome, answer_code,
            duration_ms,
        )  # fmt: skip
        return RecordedWebhook.model_validate(made)

    async def _all(self, statement: str, *values: object) -> list[Any]:
        connection = await self._free.get()
        try:
            rows = await (await connection.execute(statement.encode(), values)).fetchall()
        finally:
            self._free.put_nowait(connection)
        return [row[0] for row in rows]


async def _work(dsn: str, name: str) -> None:
    connections = [
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) for _ in range(CONCURRENCY)
    ]
    for connection in connections:
        await connection.execute("set role service_role")
    calls = Calls(connections)
    tools = Tools(
        database=cast("ServiceDatabase", calls),
        stripe=cast("Any", None),
        mail=Provider(),
        storage=cast("Any", None),
        site=Site("https://play.example.test/"),
        webhooks=cast("Any", Receiver()),
    )

    async def do(job: Job) -> None:
        await handle(job, tools)

    worker = Worker(calls, do, name=name, concurrency=CONCURRENCY, lease_seconds=60)
    await worker.run(calls.empty)
    for connection in connections:
        await connection.close()


def work(dsn: str, name: str, memory: Any) -> None:
    """One worker, until the queue is empty; tells its largest memory in MiB."""
    asyncio.run(_work(dsn, name))
    memory.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def queue(connection: psycopg.Connection[Any], mails: int) -> None:
    """The mails of all venues, due at once, as `resend_booking_email` queues them."""
    connection.execute(
        "insert into private.jobs (organization_id, kind, payload, dedupe_key)"
        " select b.organization_id, 'email.send', jsonb_build_object('template',"
        " 'booking_confirmed', 'organization_id', b.organization_id, 'booking_id', b.id),"
        " 'resent:' || b.id from public.bookings as b where b.reference is not null"
        " order by b.organization_id, b.id limit %s",
        [mails],
    )
    connection.execute("analyze private.jobs")


def measure(
    things: str,
    count: int,
    queue: Callable[[psycopg.Connection[Any], int], None],
    left: LiteralString,
) -> None:
    """Have two workers send what is queued, and print the figures.

    Args:
        things: What is sent.
        count: How many.
        queue: Queues them.
        left: Asks for (organization, seconds since %s) of each that was sent.
    """
    console = Console()
    scale = Scale(venues=VENUES, rooms=10, bookings=max(count // VENUES, 10))
    with scratch_server() as server, world(server, scale, console) as database:
        admin = server.admin_dsn.rsplit("/", 1)[0] + f"/{database}"
        with psycopg.connect(admin, autocommit=True) as connection:
            queue(connection, count)
            started = time.monotonic()
            [began] = connection.execute("select clock_timestamp()").fetchone() or [None]
            spawned = multiprocessing.get_context("spawn")
            memory = spawned.SimpleQueue()
            workers = [
                spawned.Process(target=work, args=(admin, f"bench-{n}", memory))
                for n in range(WORKERS)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            seconds = time.monotonic() - started
            rows = connection.execute(left, [began]).fetchall()
    waited: dict[UUID, list[float]] = defaultdict(list)
    for venue, delay in rows:
        waited[venue].append(delay)
    means = [statistics.mean(delays) for delays in waited.values()]
    figures = {
        things: len(rows),
        "venues": len(waited),
        f"{things}_per_second": round(len(rows) / seconds, 1),
        "mean_delay_seconds": round(statistics.mean(means), 2),
        "worst_venue_delay_seconds": round(max(means), 2),
        "worst_against_mean": round(max(means) / statistics.mean(means), 3),
        "largest_memory_mib": [round(memory.get(), 1) for _ in workers],
    }
    console.print_json(json.dumps(figures))


def main() -> None:
    """Send them, and print the figures."""
    options = argparse.ArgumentParser(prog="bench.mails", description=__doc__)
    options.add_argument("--mails", type=int, default=10_000)
    measure(
        "mails",
        options.parse_args().mails,
        queue,
        "select organization_id, extract(epoch from sent_at - %s)::float"
        " from private.email_messages where sent_at is not null",
    )


if __name__ == "__main__":
    main()
