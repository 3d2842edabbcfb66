"""The operator's command line: `escapemaster`.

Each command imports what it needs when it runs, so that `--help` and `status` are quick.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from escapemaster.cli import data, local, run

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
run.register(app)


def main() -> None:
    """Run the command line; an error that a person can mend is printed without a traceback."""
    from escapemaster.schema.project import SchemaError
    from escapemaster.stack.errors import StackError

    try:
        app()
    except (StackError, SchemaError) as error:
        Console(stderr=True).print(
            f"[bold red]error:[/bold red] {_escaped(str(error))}", highlight=False, soft_wrap=True
        )
        sys.exit(1)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
