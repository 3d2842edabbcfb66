"""The command line of this machine: `escapemaster`.

Each command imports what it needs when it runs, so that `--help` and `status` are quick.
"""

from __future__ import annotations

import os
import sys

import typer
from rich.console import Console
from rich.markup import escape

from escapemaster.cli import jobs, run, subscriptions
from escapemaster_dev.cli import backups, data, database, local

app = typer.Typer(
    name="escapemaster",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "The Escapemaster backend on this machine.\n\n"
        "[bold]escapemaster up[/bold] starts everything that a hosted project has (PostgreSQL, "
        "Auth, Storage, PostgREST, a gateway, edge functions) and what belongs to us (the service, "
        "its worker, a mailbox, a Stripe sandbox), and prints where it is.\n\n"
        "All state is in [bold].local/[/bold] ([bold]ESCAPEMASTER_HOME[/bold] moves it). Ports "
        "start at 54321; [bold]ESCAPEMASTER_PORT[/bold] moves them all, so that two stacks run "
        "side by side."
    ),
)
local.register(app)
data.register(app)
database.register(app)
backups.register(app)
run.register(app)
jobs.register(app)
subscriptions.register(app)


@app.callback()
def prepare(context: typer.Context) -> None:
    """Let what the service would run on a server use the local stack's keys."""
    asked = context.invoked_subcommand in {"jobs", "subscriptions"}
    helped = not {"-h", "--help"}.isdisjoint(sys.argv)
    if asked and not helped and "SUPABASE_SECRET_KEY" not in os.environ:
        data.use_stack_environment()


def main() -> None:
    """Run the command line; an error that a person can mend is printed without a traceback."""
    try:
        app()
    except Exception as error:
        if isinstance(error, PermissionError) and error.filename is not None:
            text = (
                f"{error.filename}: {error.strerror}. It may be another user's: run as that user, "
                "have it given to you (chown -R), or keep the state elsewhere with "
                "ESCAPEMASTER_HOME=<directory>."
            )
        elif isinstance(error, _mendable()):
            text = str(error)
        else:
            raise
        message = f"[bold red]error:[/bold red] {escape(text)}"
        Console(stderr=True).print(message, highlight=False, soft_wrap=True)
        sys.exit(1)


def _mendable() -> tuple[type[Exception], ...]:
    """Errors whose text is for a person. A package that was not imported has raised none."""
    names = {
        "escapemaster_dev.stack.errors": "StackError",
        "escapemaster_dev.schema.project": "SchemaError",
        "escapemaster_dev.backup.errors": "BackupError",
    }
    return tuple(
        getattr(sys.modules[module], name)
        for module, name in names.items()
        if module in sys.modules
    )
