"""`db top`, `db check`: what is dear in a database that runs, and what does it no good."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from escapemaster_dev.inspection.top import Connection

db = typer.Typer(
    no_args_is_help=True,
    help="Look into the database of the local stack, or of DATABASE_URL (as `postgres`).",
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(db, name="db", rich_help_panel="The database")


@db.command()
def top(
    by: Annotated[
        str, typer.Option(help="total (time of all calls), mean, calls or reads (from the disk).")
    ] = "total",
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=500, help="How many.")] = 10,
    full: Annotated[bool, typer.Option("--full", help="The whole text of each.")] = False,
) -> None:
    """The dearest statements, by pg_stat_statements."""
    from escapemaster_dev.inspection.top import By, counting_since, dearest

    if by not in list(By):
        raise typer.BadParameter(f"one of: {', '.join(By)}", param_hint="--by")
    with _connected() as connection:
        statements = dearest(connection, By(by), count)
        since = counting_since(connection)
    console = Console()
    console.print(f"Counted since {since:%Y-%m-%d %H:%M} UTC.", highlight=False)
    for one in statements:
        cached = "" if one.cached is None else f", {one.cached:.0%} of its pages in memory"
        console.print(
            f"{one.share:6.1%}  {one.total_ms / 1000:,.1f} s in {one.calls:,} calls of"
            f" {one.mean_ms:,.2f} ms (at most {one.max_ms:,.0f}), {one.rows:,} rows{cached};"
            f" {one.role}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        text = one.text if full else one.text[: max(console.width - 8, 40)]
        console.print(f"        {text}", markup=False, highlight=False, soft_wrap=True)


@db.command()
def check() -> None:
    """Bloat, dead rows, indexes that nobody uses or that are missing, time-outs that are not set.

    Exit status 1 if there is something to look at.
    """
    from escapemaster_dev.inspection.check import checks, findings, statistics_since

    with _connected() as connection:
        found = findings(connection)
        since = statistics_since(connection)
    began = "it was made" if since is None else f"{since:%Y-%m-%d %H:%M} UTC"
    console = Console()
    console.print(f"Counted since {began}.", highlight=False)
    for finding in found:
        console.print(
            f"{finding.check}: {finding.about}: {finding.says}.\n    {finding.do}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    if found:
        raise typer.Exit(1)
    console.print(f"Nothing to look at: {', '.join(checks())}.", highlight=False, soft_wrap=True)


@contextmanager
def _connected() -> Iterator[Connection]:
    import psycopg

    from escapemaster_dev.cli.data import use_stack_environment
    from escapemaster_dev.stack.errors import StackError

    use_stack_environment()
    try:
        connection = psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=10)
    except psycopg.OperationalError as error:
        raise StackError(f"the database cannot be reached: {str(error).strip()}") from error
    with connection:
        connection.execute("set transaction read only")
        yield connection
