"""Commands that keep the migrations, the client types and the docs in step with `sql/`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import psycopg
import typer

from escapemaster_dev.schema import (
    function_page,
    migration,
    permission_table,
    register,
    table_page,
    types,
    view_page,
    webhook_schema,
)
from escapemaster_dev.schema.project import PROJECT, SchemaError
from escapemaster_dev.schema.server import scratch_server
from escapemaster_dev.schema.sources import apply_files

app = typer.Typer(
    no_args_is_help=True,
    help="Keep migrations, client types and the docs' pages in step with sql/.",
)


def main() -> None:
    """Run the commands on their own: `python -m escapemaster_dev.schema`."""
    try:
        app()
    except SchemaError as error:
        typer.secho(str(error), err=True, fg="red")
        raise SystemExit(1) from error


@app.command("migration")
def migration_command(
    name: Annotated[str, typer.Argument(help="What it does, in snake_case: add_room_tiers.")],
) -> None:
    """Render the next file of supabase/migrations from the difference to sql/."""
    path = migration.render_migration(name, progress=_say)
    if path is None:
        typer.echo("The migrations already give what sql/ gives: nothing to write.")
        return
    content = path.read_text()
    typer.echo(f"Wrote {path.relative_to(PROJECT.root)}. Read it before you commit it.")
    if migration.DESTRUCTIVE in content:
        typer.secho("It destroys data: look for the lines that say so.", err=True, fg="yellow")


@app.command("check")
def check_command() -> None:
    """Say where the migrations and sql/ differ; exit status 1 if they do."""
    if found := migration.check(progress=_say):
        typer.echo(found)
        raise typer.Exit(1)
    typer.echo("The migrations and sql/ give the same database.")


@app.command("types")
def types_command() -> None:
    """Write the TypeScript and Python types of the exposed schemas."""
    for path in types.write_types():
        typer.echo(f"Wrote {path.relative_to(PROJECT.root)}.")


@app.command("register")
def register_command() -> None:
    """Write the register of definer functions into docs/security.md."""
    with _database() as connection:
        written = register.write_register(connection, PROJECT)
    typer.echo("Wrote the register." if written else "The register is up to date.")


@app.command("permissions")
def permissions_command() -> None:
    """Write docs/permissions.md: which permission opens which table, file and function."""
    with _database() as connection:
        permission_table.path_of(PROJECT).write_text(permission_table.render(connection))
    typer.echo("Wrote docs/permissions.md.")


@app.command("functions")
def functions_command() -> None:
    """Write docs/functions.md: every function that clients call."""
    with _database() as connection:
        function_page.path_of(PROJECT).write_text(function_page.render(connection))
    typer.echo("Wrote docs/functions.md.")


@app.command("tables")
def tables_command() -> None:
    """Write docs/tables.md, every table that clients read, and docs/views.md, of own questions."""
    with _database() as connection:
        table_page.path_of(PROJECT).write_text(table_page.render(connection))
        view_page.path_of(PROJECT).write_text(view_page.render(connection))
    typer.echo("Wrote docs/tables.md and docs/views.md.")


@app.command("webhooks")
def webhooks_command() -> None:
    """Write docs/webhooks.schema.json: the body of a webhook."""
    with _database() as connection:
        webhook_schema.path_of(PROJECT).write_text(webhook_schema.render(connection))
    typer.echo("Wrote docs/webhooks.schema.json.")


@contextmanager
def _database() -> Iterator[psycopg.Connection]:
    """What sql/ makes, for as long as the block runs."""
    with scratch_server() as on, on.scratch("pages") as dsn:
        apply_files(dsn, PROJECT.source_files())
        with psycopg.connect(dsn) as connection:
            yield connection


def _say(message: str) -> None:
    typer.secho(f"  {message} …", err=True, dim=True)
