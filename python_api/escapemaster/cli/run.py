"""`serve` and `worker`: our two processes, alone, as a deployment runs them."""

from __future__ import annotations

from typing import Annotated

import typer

_SERVICE = "The service"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=_SERVICE)(serve)
    app.command(rich_help_panel=_SERVICE)(worker)


def serve(
    host: Annotated[str, typer.Option(help="Interface to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", envvar="PORT")] = 8000,
) -> None:
    """Run the HTTP service, configured by the environment (see `settings.py`)."""
    import uvicorn

    from escapemaster.cli.configuration import settings_or_exit
    from escapemaster.settings import SERVICE_NEEDS

    settings_or_exit(SERVICE_NEEDS)
    uvicorn.run(
        "escapemaster.api.app:create_app",
        factory=True,
        host=host,
        port=port,
        access_log=False,
        # Whose address counts is said in one place, api/addresses.py; uvicorn would believe
        # `x-forwarded-for` of any caller on this machine.
        proxy_headers=False,
        timeout_graceful_shutdown=10,
        # Longer than the proxies before it keep a connection: who closes first loses no request.
        timeout_keep_alive=120,
    )


def worker() -> None:
    """Run the worker: e-mail, Stripe, refunds, reconciliation."""
    from escapemaster.cli.configuration import settings_or_exit
    from escapemaster.settings import WORKER_NEEDS

    settings = settings_or_exit(WORKER_NEEDS)
    from escapemaster.worker.main import run

    run(settings)
