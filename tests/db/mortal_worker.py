"""A worker's process that is killed where it is told: `python -m db.mortal_worker DSN RESEND_URL`.

It has the product's loop, handlers, templates, transport and poster, and calls the database itself
in place of PostgREST. One line of its input is one life, `<kind> <step>`: a process of its own that
works until the queue is empty, or until it has come to that step with a job of that kind and kills
itself with SIGKILL. It answers with the signal that ended the life, 0 for none.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any, cast

import httpx
import psycopg
import structlog

from bench.mails import Calls
from escapemaster.database import Job, PreparedEmail, ServiceDatabase
from escapemaster.database.webhooks import PreparedWebhook, RecordedWebhook
from escapemaster.email.content import Site
from escapemaster.email.resend_transport import ResendTransport
from escapemaster.webhooks.posting import Poster
from escapemaster.worker.handlers import Tools, handle
from escapemaster.worker.loop import Worker

#: Jobs in hand at once, and so the connections of a life.
CONCURRENCY = 3
#: Seconds after which the provider, or an endpoint, has not answered: also on a machine that has
#: other things to do.
PATIENCE = 1.5


class Mortal(Calls):
    """The calls of a worker that dies at a step.

    claimed: before it has read what is to be sent; rendered: before it hands that over;
    handed_over: before that is recorded; recorded: before the job is done; marked: after it.
    """

    def __init__(
        self, connections: list[psycopg.AsyncConnection[Any]], kind: str, step: str
    ) -> None:
        super().__init__(connections)
        self._kind = kind
        self._step = step

    def _reached(self, kind: str, step: str) -> None:
        if (kind, step) == (self._kind, self._step):
            os.kill(os.getpid(), signal.SIGKILL)

    async def prepare_email(self, job_id: int, lease_token: Any) -> PreparedEmail | None:
        self._reached("email.send", "claimed")
        prepared = await super().prepare_email(job_id, lease_token)
        if prepared is not None:
            self._reached("email.send", "rendered")
        return prepared

    async def record_email(self, *values: Any) -> None:
        self._reached("email.send", "handed_over")
        await super().record_email(*values)
        self._reached("email.send", "recorded")

    async def prepare_webhook(self, job: Job) -> PreparedWebhook | None:
        self._reached("webhook.deliver", "claimed")
        prepared = await super().prepare_webhook(job)
        if prepared is not None:
            self._reached("webhook.deliver", "rendered")
        return prepared

    async def record_webhook(self, *values: Any, **more: Any) -> RecordedWebhook:
        self._reached("webhook.deliver", "handed_over")
        recorded = await super().record_webhook(*values, **more)
        self._reached("webhook.deliver", "recorded")
        return recorded

    async def complete_job(self, job_id: int, lease_token: Any) -> bool:
        done = await super().complete_job(job_id, lease_token)
        self._reached(self._kind, "marked")
        return done


async def live(dsn: str, kind: str, step: str) -> None:
    """A life."""
    connections = [
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) for _ in range(CONCURRENCY)
    ]
    for connection in connections:
        await connection.execute("set role service_role")
    calls = Mortal(connections, kind, step)
    database = cast("ServiceDatabase", calls)
    async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
        tools = Tools(
            database=database,
            stripe=cast("Any", None),
            mail=ResendTransport(http, api_key="re_1", email_from="E <b@example.test>"),
            storage=cast("Any", None),
            site=Site("https://play.example.test/"),
            webhooks=Poster(allow_loopback=True, seconds=PATIENCE),
        )

        async def do(job: Job) -> None:
            await handle(job, tools)
            # Before it is marked as done there is no other step.

        worker = Worker(
            calls, do, name="mortal", concurrency=CONCURRENCY, lease_seconds=60, poll_seconds=0.02
        )
        await worker.run(calls.empty)


def _say(words: object) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> None:
    """Live as often as asked."""
    dsn = sys.argv[1]
    # Its output is the answers.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    _say("ready")
    for line in sys.stdin:
        kind, step = line.split()
        child = os.fork()
        if child == 0:
            asyncio.run(live(dsn, kind, step))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        _say(os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
