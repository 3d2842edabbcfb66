"""Whose address counts, as a deployment runs the service: by its command, over real connections."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from escapemaster.settings import Settings
from escapemaster_dev.stack.processes import Child, Command, stop_all

_CLAIMED = {"x-forwarded-for": "203.0.113.7", "forwarded": "for=203.0.113.7"}


class _Database(ThreadingHTTPServer):
    """Refuses every API key, and notes from which address it was said to be tried."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refusal)
        self.addresses: list[str] = []


class _Refusal(BaseHTTPRequestHandler):
    server: _Database

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.addresses.append(asked["address"])
        body = json.dumps({"code": "PT401", "message": "api_key_invalid"}).encode()
        self.send_response(401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name
        pass


@pytest.fixture
def database() -> Iterator[_Database]:
    with _Database() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def _service(
    settings: Settings, database: _Database, log: Path, trusted_proxy_count: int
) -> Iterator[httpx.Client]:
    """`escapemaster serve`, and a client on the same machine."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = Command(
        name="service",
        arguments=[sys.executable, "-m", "escapemaster", "serve", f"--port={port}"],
        environment={
            **os.environ,
            "SUPABASE_URL": f"http://127.0.0.1:{database.server_port}",
            "SUPABASE_PUBLISHABLE_KEY": settings.supabase_publishable_key,
            "SUPABASE_SECRET_KEY": settings.supabase_secret_key.get_secret_value(),
            "SUPABASE_JWT_SECRET": "a secret of at least thirty-two bytes, for tests only",
            "STRIPE_SECRET_KEY": settings.stripe_secret_key.get_secret_value(),
            "STRIPE_WEBHOOK_SECRET": settings.stripe_webhook_secret.get_secret_value(),
            "PUBLIC_SITE_URL": settings.public_site_url,
            "TRUSTED_PROXY_COUNT": str(trusted_proxy_count),
        },
        cwd=log.parent,
    )
    child = Child(command, log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            _wait_until_alive(http, child)
            yield http
    finally:
        stop_all([child])


def _wait_until_alive(http: httpx.Client, child: Child) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            http.get("/health/live").raise_for_status()
        except httpx.TransportError:
            assert child.exit_code() is None, child.log_tail()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


@pytest.mark.parametrize(
    ("proxies", "headers", "counted"),
    [
        (0, _CLAIMED, "127.0.0.1"),
        (1, _CLAIMED, "203.0.113.7"),
        (1, {"x-forwarded-for": "6.6.6.6, 203.0.113.7"}, "203.0.113.7"),
    ],
)
def test_a_caller_chooses_no_address_even_on_the_same_machine(
    settings: Settings,
    database: _Database,
    tmp_path: Path,
    proxies: int,
    headers: dict[str, str],
    counted: str,
) -> None:
    """`TRUSTED_PROXY_COUNT` alone says what is believed: the server beneath believes nobody."""
    with _service(settings, database, tmp_path / "service.log", proxies) as http:
        answer = http.post("/v1/token", json={"api_key": "emk_x"}, headers=headers)
    assert answer.status_code in {401, 422}, answer.text
    assert database.addresses == [counted]
