"""What a deployment runs: `python -m escapemaster serve`, `worker`, `jobs` and `subscriptions`.

Each command imports what it needs when it runs.
"""

from __future__ import annotations

import typer

from escapemaster.cli import jobs, run, subscriptions

app = typer.Typer(
    name="escapemaster",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The Escapemaster service and its worker, configured by the environment.",
)
run.register(app)
jobs.register(app)
subscriptions.register(app)
