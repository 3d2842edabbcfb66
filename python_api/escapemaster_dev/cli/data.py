"""The database and what is made from it: `migrate`, `seed`, `migration`, `types`, `pages`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from escapemaster_dev.stack.config import StackConfig

_DATABASE = "The database"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=_DATABASE)(migrate)
    app.command(rich_help_panel=_DATABASE)(seed)
    app.command(rich_help_panel=_DATABASE)(migration)
    app.command(rich_help_panel=_DATABASE)(types)
    app.command("schema-diff", rich_help_panel=_DATABASE)(schema_diff)
    app.command(rich_help_panel=_DATABASE)(pages)


def migrate() -> None:
    """Apply the pending migrations to DATABASE_URL, or to the local stack."""
    from escapemaster_dev.stack import migrations
    from escapemaster_dev.stack.config import ROOT

    use_stack_environment()
    url = os.environ["DATABASE_URL"]
    versions = migrations.pending(url, ROOT)
    if not versions:
        typer.echo("Nothing to apply.")
        return
    migrations.push(url, ROOT)
    typer.echo(f"Applied {len(versions)}: {', '.join(versions)}")


def seed() -> None:
    """Put the demo into the stack: two venues, their staff, a month of bookings.

    Does nothing where the demo is already.
    """
    from escapemaster_dev.seed import demo
    from escapemaster_dev.seed.settings import SeedSettings

    config = use_stack_environment()
    demo.main(SeedSettings.from_environment(os.environ, report=config.demo))


def migration(
    name: Annotated[str, typer.Argument(help="What it does, in snake_case: add_room_tiers.")],
) -> None:
    """Render the next file of supabase/migrations from the difference to sql/."""
    from escapemaster_dev.schema.cli import migration_command

    migration_command(name)


def types() -> None:
    """Write the TypeScript and Python types of the exposed schemas."""
    from escapemaster_dev.schema.cli import types_command

    types_command()


def schema_diff() -> None:
    """Say where the migrations and sql/ differ; exit status 1 if they do."""
    from escapemaster_dev.schema.cli import check_command

    check_command()


def pages() -> None:
    """Write what docs/ says of the database: pages, definer register, webhooks' schema."""
    from escapemaster_dev.schema.cli import (
        functions_command,
        permissions_command,
        register_command,
        tables_command,
        webhooks_command,
    )

    register_command()
    permissions_command()
    functions_command()
    tables_command()
    webhooks_command()


def use_stack_environment() -> StackConfig:
    """Take what the environment does not say from the local stack's file."""
    from escapemaster_dev.stack.environment import read_environment
    from escapemaster_dev.stack.errors import NotRunning

    config = StackConfig.from_environment()
    if config.environment.exists():
        for name, value in read_environment(config.environment).items():
            os.environ.setdefault(name, value)
    elif "DATABASE_URL" not in os.environ:
        raise NotRunning("there is no local stack yet (`make up`), and DATABASE_URL is not set")
    return config
