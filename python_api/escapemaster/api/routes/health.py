"""Whether the service lives, can work, and how much it does."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from escapemaster.api.auth import require_metrics_token
from escapemaster.api.metrics import CONTENT_TYPE, Metrics
from escapemaster.api.problems import responses
from escapemaster.api.services import ServicesOf
from escapemaster.database.version import NEWEST_MIGRATION
from escapemaster.errors import EscapemasterError, UnavailableError
from escapemaster.logging import get_logger

_log = get_logger("health")

router = APIRouter(tags=["Operations"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """The service can do its work."""

    status: Literal["ok"] = "ok"
    database: Annotated[str, Field(description="What the database says of itself.")]
    migration: Annotated[str | None, Field(description="The newest migration applied.")]
    requests_checked: Annotated[
        bool,
        Field(description="Whether PostgREST asks the database before each request; it must."),
    ]
    preferences_checked: Annotated[
        bool,
        Field(
            description="Whether the database is shown every Prefer header of a request; where it"
            " is not, another tenant's rows can be estimated: see docs/security.md."
        ),
    ]


@router.get("/health/live", operation_id="health_live", summary="Is the process alive?")
async def live() -> Alive:
    """Answers as long as the process can answer anything. Restart it when it does not."""
    return Alive()


@router.get(
    "/health/ready",
    operation_id="health_ready",
    summary="Can the service do its work?",
    responses=responses(),
)
async def ready(services: ServicesOf) -> Ready:
    """Asks the database. Send no traffic while this is a 503.

    It is one, too, while the database lacks a migration that this code was released with
    (`schema_unavailable`). A newer database is well: its migrations leave this code working.
    """
    health = await services.database.health()
    # None: a database that was built without migrations.
    if health.migration is not None and health.migration < NEWEST_MIGRATION:
        _log.warning("ready.schema_behind", has=health.migration, needs=NEWEST_MIGRATION)
        raise UnavailableError("schema", f"at {health.migration}, {NEWEST_MIGRATION} is needed")
    return Ready(
        database=health.database,
        migration=health.migration,
        requests_checked=health.requests_checked,
        preferences_checked=await services.database.preferences_are_checked(),
    )


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Numbers for Prometheus",
    response_class=Response,
    responses={
        **responses(401),
        200: {"content": {"text/plain": {}}, "description": "Prometheus' text format"},
    },
    dependencies=[Depends(require_metrics_token)],
)
async def metrics(request: Request, services: ServicesOf) -> Response:
    """Requests, what providers delivered, the queue by kind, and connections to the database.

    For whoever has METRICS_TOKEN: they tell how much all venues do, and each answer asks the
    database.
    """
    numbers: Metrics = request.app.state.metrics
    try:
        numbers.queue(await services.database.queue_statistics())
        numbers.measured(await services.database.measures())
    except EscapemasterError:
        numbers.queue(None)
    return Response(numbers.exposition(), media_type=CONTENT_TYPE)
