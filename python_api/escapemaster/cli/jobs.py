"""`jobs`: work that was given up, for a person to look at."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from escapemaster.database import DeadJob, QueueStatistics, ServiceDatabase
    from escapemaster.settings import Settings

T = TypeVar("T")

jobs = typer.Typer(
    help="How much work waits, and what was given up: mails, refunds, exports.",
    invoke_without_command=True,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.add_typer(jobs, name="jobs", rich_help_panel="The service")


@jobs.callback()
def list_jobs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 50,
    before: Annotated[
        int | None, typer.Option(help="Only older ones: the last id of the page before.")
    ] = None,
    ignored: Annotated[
        bool, typer.Option("--ignored", help="What was about nothing that there is, instead.")
    ] = False,
) -> None:
    """Say how the queue is doing, and list the jobs that were given up, and why."""
    if context.invoked_subcommand is None:
        queue, dead = _ask(lambda database: _looked(database, limit, before, ignored))
        typer.echo(
            f"{queue.queued} waiting (the oldest due one for {queue.oldest_queued_seconds:.0f} s),"
            f" {queue.running} running, {queue.dead} given up"
        )
        show(Console(), dead, "ignored" if ignored else "given up")


async def _looked(
    database: ServiceDatabase, limit: int, before: int | None, ignored: bool
) -> tuple[QueueStatistics, list[DeadJob]]:
    listed = await database.list_dead_jobs(limit, before, ignored=ignored)
    return await database.queue_statistics(), listed


@jobs.command()
def retry(
    ids: Annotated[list[int] | None, typer.Argument(help="The jobs, as `jobs` lists them.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,
    kind: Annotated[
        str | None, typer.Option(help="All of a kind, such as email.send, that were given up.")
    ] = None,
) -> None:
    """Queue jobs once more, when what stopped them is mended: by id, of a kind, or all."""
    if bool(ids) + every + (kind is not None) != 1:
        raise typer.BadParameter("give ids, or --kind, or --all")
    if ids:
        if _ask(lambda database: _retry_each(database, ids)):
            raise typer.Exit(1)
        return
    done = _ask(lambda database: database.retry_dead_jobs(kind))
    typer.echo(f"{done.queued} queued")
    if done.superseded:
        typer.echo(f"{done.superseded} left alone: another job does the same already")


async def _retry_each(database: ServiceDatabase, ids: list[int]) -> int:
    """Queue them, and return how many could not be."""
    from escapemaster.errors import DomainError

    failures = 0
    for number in ids:
        try:
            await database.retry_job(number)
        except DomainError as error:
            failures += 1
            typer.echo(f"{number}: {error.code}. {error.hint}", err=True)
        else:
            typer.echo(f"{number}: queued")
    return failures


def show(console: Console, dead: list[DeadJob], fate: str = "given up") -> None:
    """Write the jobs as a table."""
    if not dead:
        console.print(f"No job was {fate}.")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("id", "kind", fate, "tries", "why", "about"):
        table.add_column(column, overflow="fold")
    for job in dead:
        table.add_row(
            str(job.id),
            job.kind,
            f"{job.finished_at:%Y-%m-%d %H:%M}",
            str(job.attempts),
            job.last_error or "",
            json.dumps(job.payload, sort_keys=True),
        )
    console.print(table, markup=False, highlight=False)


def _ask(work: Callable[[ServiceDatabase], Awaitable[T]]) -> T:
    """Do something with the service's own access to the database."""
    return asyncio.run(_with_database(work, _settings()))


async def _with_database(work: Callable[[ServiceDatabase], Awaitable[T]], settings: Settings) -> T:
    from escapemaster.clients import service_database
    from escapemaster.database import connection_pool

    async with connection_pool() as pool:
        return await work(service_database(settings, pool))


def _settings() -> Settings:
    from escapemaster.cli.configuration import settings_or_exit

    return settings_or_exit()
