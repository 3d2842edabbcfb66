"""Claim, do, say so: the worker's loop.

Each job is held under a lease that is extended while it runs. A worker that dies lets its leases
end, and others take over; a worker that lost a lease stops at once, because somebody else may have
begun. A worker that is told to stop finishes what it has, or hands it back.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol
from uuid import UUID

import structlog

from escapemaster import telemetry
from escapemaster.database import Job
from escapemaster.errors import EmailError, EscapemasterError, IgnoredError
from escapemaster.logging import get_logger
from escapemaster.worker.metrics import WorkerMetrics

#: Seconds that one attempt may take, however often its lease is extended.
JOB_TIMEOUT: Final = 120.0
#: Seconds that running jobs get to finish after the worker was told to stop.
GRACE: Final = 20.0
#: Seconds to wait at most when the queue cannot be reached.
MAX_PAUSE: Final = 5.0

_log = get_logger("worker")


class Queue(Protocol):
    """What the loop asks of the database."""

    async def claim_jobs(
        self, worker: str, max_jobs: int, lease_seconds: int, *, kept_for_money: int
    ) -> list[Job]:
        """See `ServiceDatabase`."""
        ...

    async def complete_job(self, job_id: int, lease_token: UUID) -> bool:
        """See `ServiceDatabase`."""
        ...

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
        """See `ServiceDatabase`."""
        ...

    async def extend_job(self, job_id: int, lease_token: UUID, lease_seconds: int) -> bool:
        """See `ServiceDatabase`."""
        ...


class Worker:
    """Works on the queue until it is told to stop."""

    def __init__(
        self,
        queue: Queue,
        handle: Callable[[Job], Awaitable[None]],
        *,
        name: str,
        concurrency: int = 4,
        money_slots: int = 0,
        lease_seconds: int = 20,
        poll_seconds: float = 0.5,
        job_timeout: float = JOB_TIMEOUT,
        longer: Mapping[str, float] | None = None,
        grace: float = GRACE,
        metrics: WorkerMetrics | None = None,
    ) -> None:
        """Make a worker.

        Args:
            queue: Where jobs come from.
            handle: Does one, or raises.
            name: Shown in the database beside the jobs that this worker holds.
            concurrency: Jobs in hand at once.
            money_slots: How many of them may only be jobs that move money; one is left for others.
            lease_seconds: How long a job stays ours without news from us.
            poll_seconds: Pause between two looks at an empty queue.
            job_timeout: See `JOB_TIMEOUT`.
            longer: The kinds of job that may take longer, with their seconds.
            grace: See `GRACE`.
            metrics: Where to count.
        """
        self._queue = queue
        self._handle = handle
        self._name = name
        self._concurrency = concurrency
        self._money_slots = min(money_slots, concurrency - 1)
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._job_timeout = job_timeout
        self._longer = dict(longer or {})
        self._grace = grace
        self._metrics = metrics or WorkerMetrics()
        self._running: dict[asyncio.Task[None], Job] = {}
        #: When the queue was last reached, on the monotonic clock.
        self.last_claim: float | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish or hand back what is in hand."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                pause = await self._claim()
                # A finished job often causes the next one: look again as soon as one ends.
                await asyncio.wait(
                    {stopping, *self._running},
                    timeout=pause,
                    return_when=asyncio.FIRST_COMPLETED,
                )
        finally:
            stopping.cancel()
            await self._finish()

    async def _claim(self) -> float:
        """Fill the free hands. Returns how many seconds to wait before looking again."""
        free = self._concurrency - len(self._running)
        if free == 0:
            return self._poll_seconds
        with_money = sum(job.money for job in self._running.values())
        try:
            jobs = await self._queue.claim_jobs(
                self._name,
                free,
                self._lease_seconds,
                kept_for_money=max(0, self._money_slots - with_money),
            )
        except EscapemasterError as error:
            _log.warning("queue.unreachable", exc_info=error)
            return min(self._poll_seconds * 4, MAX_PAUSE)
        self.last_claim = time.monotonic()
        for job in jobs:
            task = asyncio.create_task(self._work(job))
            self._running[task] = job
            task.add_done_callback(self._running.pop)
        self._metrics.running(len(self._running))
        # All hands full, or more may wait: `run` looks again when one is free.
        return self._poll_seconds

    async def _finish(self) -> None:
        if not self._running:
            return
        _log.info("worker.finishing", jobs=len(self._running))
        _, late = await asyncio.wait(set(self._running), timeout=self._grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _work(self, job: Job) -> None:
        with (
            telemetry.job_span(job.kind, {"job.id": job.id, "job.attempt": job.attempt}) as span,
            structlog.contextvars.bound_contextvars(
                job_id=job.id, kind=job.kind, attempt=job.attempt, request_id=f"job-{job.id}"
            ),
        ):
            started = time.perf_counter()
            outcome = "lost"
            try:
                outcome = await self._attempt(job)
            except EscapemasterError as error:
                # The queue did not hear the outcome. The lease ends, and the job runs again.
                _log.error("job.outcome_not_recorded", exc_info=error)
            finally:
                seconds = time.perf_counter() - started
                self._metrics.processed(job.kind, outcome, seconds)
                telemetry.ended(span, job.kind, outcome, seconds)
                _log.info("job", outcome=outcome, milliseconds=round(seconds * 1000, 1))

    async def _attempt(self, job: Job) -> str:
        """Do a job under its lease. Returns the outcome as `WorkerMetrics` counts it."""
        work = asyncio.ensure_future(self._timed(job))
        lease = asyncio.create_task(self._keep(job))
        try:
            await asyncio.wait({work, lease}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _cancelled(work, lease)
            _log.info("job.handed_back")
            await self._queue.fail_job(job.id, job.lease_token, "the worker stopped", retry=True)
            return "queued"
        if not work.done():
            await _cancelled(work)
            _log.warning("job.lease_lost")
            return "lost"
        await _cancelled(lease)
        failure = work.exception()
        if failure is None:
            done = await self._queue.complete_job(job.id, job.lease_token)
            return "done" if done else "lost"
        return await self._failed(job, failure)

    async def _timed(self, job: Job) -> None:
        async with asyncio.timeout(self._longer.get(job.kind, self._job_timeout)):
            await self._handle(job)

    async def _failed(self, job: Job, failure: BaseException) -> str:
        if isinstance(failure, IgnoredError):
            reason = f"{failure.code}: {failure}"
            outcome = await self._queue.fail_job(
                job.id, job.lease_token, reason, retry=False, ignored=True
            )
            _log.warning("job.ignored", reason=failure.code, became=outcome)
            return outcome or "lost"
        if isinstance(failure, EscapemasterError):
            reason, retry = f"{failure.code}: {failure}", failure.retryable
        else:
            # A mistake of ours: mended by the next version, so the work is kept. Its message is
            # left out, because it may quote personal data.
            reason, retry = type(failure).__name__, True
        outcome = await self._queue.fail_job(
            job.id, job.lease_token, reason, retry=retry, retry_after=_retry_after(job, failure)
        )
        _log.error("job.failed", retry=retry, became=outcome, exc_info=failure)
        return outcome or "lost"

    async def _keep(self, job: Job) -> None:
        """Extend the lease until it cannot be extended any more."""
        held_until = time.monotonic() + self._lease_seconds
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            try:
                if not await self._queue.extend_job(job.id, job.lease_token, self._lease_seconds):
                    return
                held_until = time.monotonic() + self._lease_seconds
            except EscapemasterError as error:
                _log.warning("lease.not_extended", exc_info=error)
                if time.monotonic() >= held_until:
                    return


def _retry_after(job: Job, failure: BaseException) -> int | None:
    """When a mail that the provider did not take is tried again, without counting the attempt.

    An attempt before this one may have been taken and its answer lost: such a job keeps to its
    pauses, which end while the provider remembers its idempotency key.
    """
    if isinstance(failure, EmailError) and failure.retry_after is not None and job.attempt == 1:
        return math.ceil(failure.retry_after)
    return None


async def _cancelled(*tasks: asyncio.Future[None]) -> None:
    """Cancel, and wait until it is so."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
