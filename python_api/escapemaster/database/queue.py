"""The queue: claimed work, what became of it, deadlines, and how all of it is doing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import BeforeValidator, JsonValue, TypeAdapter

from escapemaster.database.functions import BOOLEAN, IGNORED, Functions, Row


class Job(Row):
    """A claimed piece of work. `attempt` counts from 1; the lease token proves the claim."""

    id: int
    kind: str
    payload: dict[str, JsonValue]
    attempt: int
    lease_token: UUID
    organization_id: UUID | None = None
    #: Whether it moves money, for which workers keep slots.
    money: bool = False


class DeadJob(Row):
    """A job that was given up, and why."""

    id: int
    kind: str
    organization_id: UUID | None = None
    payload: dict[str, JsonValue]
    attempts: int
    last_error: str | None = None
    finished_at: datetime


class Retried(Row):
    """How many dead jobs were queued once more, and how many another job has replaced."""

    queued: int
    superseded: int


class QueueStatistics(Row):
    """How much work waits, runs and has been given up, and how long the oldest has waited."""

    queued: int = 0
    running: int = 0
    dead: int = 0
    oldest_queued_seconds: Annotated[float, BeforeValidator(lambda value: value or 0)] = 0


class Measure(Row):
    """A number of now: of a kind of job, of a state of connections, or of the whole platform."""

    name: str
    kind: str | None = None
    value: float


class Health(Row):
    """What the database says of itself: `ok`, its newest migration, and whether it is asked first.

    Attributes:
        requests_checked: Whether PostgREST asks `private.check_request` before each request.
    """

    database: str
    migration: str | None = None
    requests_checked: bool = False


_JOBS: Final = TypeAdapter[list[Job]](list[Job])
_RETRIED: Final = TypeAdapter[Retried](Retried)
_DEAD_JOBS: Final = TypeAdapter[list[DeadJob]](list[DeadJob])
_OPTIONAL_TEXT: Final = TypeAdapter[str | None](str | None)
_COUNTS: Final = TypeAdapter[dict[str, JsonValue] | None](dict[str, JsonValue] | None)
_QUEUE_STATISTICS: Final = TypeAdapter[QueueStatistics](QueueStatistics)
_MEASURES: Final = TypeAdapter[list[Measure]](list[Measure])
_HEALTH: Final = TypeAdapter[Health](Health)


def lease(job: Job) -> dict[str, object]:
    """What proves to the database that this worker holds the job."""
    return {"job_id": job.id, "lease_token": job.lease_token}


class QueueCalls:
    """The calls about the queue."""

    _functions: Functions

    async def claim_jobs(
        self, worker: str, max_jobs: int, lease_seconds: int, *, kept_for_money: int = 0
    ) -> list[Job]:
        """Claim up to `max_jobs` due jobs for `lease_seconds`.

        Args:
            worker: A name for the logs.
            max_jobs: At most so many.
            lease_seconds: They are the worker's for so long.
            kept_for_money: So many of them may only be jobs that move money.
        """
        return await self._functions.call(
            "claim_jobs",
            _JOBS,
            {
                "worker": worker,
                "max_jobs": max_jobs,
                "lease_seconds": lease_seconds,
                "kept_for_money": kept_for_money,
            },
            # A lost answer leaves jobs leased to nobody until the lease ends; asking again would
            # lease further ones.
            repeat=False,
        )

    async def complete_job(self, job_id: int, lease_token: UUID) -> bool:
        """Mark a job done. False if the lease has been lost."""
        return await self._functions.call(
            "complete_job", BOOLEAN, {"job_id": job_id, "lease_token": lease_token}
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
        """Hand a job back (`queued`) or give it up (`dead`). None if the lease has been lost.

        `retry_after`: seconds; the attempt does not count then. `ignored`: it is `done` instead of
        `dead`, and its reason is kept.
        """
        return await self._functions.call(
            "fail_job",
            _OPTIONAL_TEXT,
            {
                "job_id": job_id,
                "lease_token": lease_token,
                "error": error,
                "retry": retry,
                **({} if retry_after is None else {"retry_after_seconds": retry_after}),
                **({"ignored": True} if ignored else {}),
            },
        )

    async def extend_job(self, job_id: int, lease_token: UUID, lease_seconds: int) -> bool:
        """Keep a job for `lease_seconds` from now. False if the lease has been lost."""
        return await self._functions.call(
            "extend_job",
            BOOLEAN,
            {"job_id": job_id, "lease_token": lease_token, "lease_seconds": lease_seconds},
        )

    async def list_dead_jobs(
        self, max_jobs: int, before_id: int | None = None, *, ignored: bool = False
    ) -> list[DeadJob]:
        """The jobs that were given up, newest first; `before_id`: the last of the page before.

        `ignored`: those instead that were about nothing that there is.
        """
        page = {"max_jobs": max_jobs, "before_id": before_id}
        return await self._functions.call(
            "list_dead_jobs", _DEAD_JOBS, {**page, **({"ignored": True} if ignored else {})}
        )

    async def retry_job(self, job_id: int) -> None:
        """Queue a job that was given up once more.

        Raises:
            DomainError: 404 `job_not_found`; 409 `job_superseded`.
        """
        # A lost answer and a second call would say that there is no such job.
        await self._functions.call("retry_job", IGNORED, {"job_id": job_id}, repeat=False)

    async def retry_dead_jobs(self, kind: str | None) -> Retried:
        """Queue all jobs that were given up once more, or all of a kind."""
        return await self._functions.call("retry_dead_jobs", _RETRIED, {"kind": kind}, repeat=False)

    async def sweep(self) -> dict[str, JsonValue]:
        """Do what deadlines ask for (expire lapsed holds, …). Returns counts for the log."""
        return await self._functions.call("sweep", _COUNTS, {}) or {}

    async def sweep_notices(self) -> dict[str, JsonValue]:
        """Tell staff of what happened, and of what their hour has come for. Returns counts."""
        return await self._functions.call("sweep_notices", _COUNTS, {}) or {}

    async def queue_statistics(self) -> QueueStatistics:
        """How the queue is doing."""
        return await self._functions.call("queue_statistics", _QUEUE_STATISTICS, {})

    async def measures(self) -> list[Measure]:
        """What an operator watches."""
        return await self._functions.call("measures", _MEASURES, {})

    async def health(self) -> Health:
        """Whether the database answers, and which migration it is at."""
        return await self._functions.call("health", _HEALTH, {})

    async def preferences_are_checked(self) -> bool:
        """Whether the database is shown every `Prefer` header, not the last of several."""
        return await self._functions.refuses_estimates("health")
