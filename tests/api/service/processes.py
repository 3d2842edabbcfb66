"""The service as a deployment runs it: by its command, over real connections."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from escapemaster.settings import Settings
from escapemaster_dev.stack.processes import Child, Command, stop_all


@contextmanager
def running_service(
    settings: Settings, supabase_url: str, log: Path, **environment: str
) -> Iterator[httpx.Client]:
    """`escapemaster serve`, and a client on the same machine.

    Args:
        settings: Where its keys come from.
        supabase_url: What stands in for the project.
        log: Where it writes.
        environment: What else it is told.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = {
        "SUPABASE_URL": supabase_url,
        "SUPABASE_PUBLISHABLE_KEY": settings.supabase_publishable_key,
        "SUPABASE_SECRET_KEY": settings.supabase_secret_key.get_secret_value(),
        "SUPABASE_JWT_SECRET": "a secret of at least thirty-two bytes, for tests only",
        "STRIPE_SECRET_KEY": settings.stripe_secret_key.get_secret_value(),
        "STRIPE_WEBHOOK_SECRET": settings.stripe_webhook_secret.get_secret_value(),
        "PUBLIC_SITE_URL": settings.public_site_url,
    }
    child = Child(
        Command(
            name="service",
            arguments=[sys.executable, "-m", "escapemaster", "serve", f"--port={port}"],
            environment={**os.environ, **told, **environment},
            cwd=log.parent,
        ),
        log,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as http:
            _wait_until_alive(http, child)
            yield http
    finally:
        stop_all([child])


def _wait_until_alive(http: httpx.Client, child: Child) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert child.exit_code() is None, child.log_tail()
        assert time.monotonic() < deadline, child.log_tail()
        try:
            http.get("/health/live").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
