"""Whose address counts, as a deployment runs the service: by its command, over real connections."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from escapemaster.settings import Settings

from .processes import running_service

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
    url = f"http://127.0.0.1:{database.server_port}"
    log = tmp_path / "service.log"
    with running_service(settings, url, log, TRUSTED_PROXY_COUNT=str(proxies)) as http:
        answer = http.post("/v1/token", json={"api_key": "emk_x"}, headers=headers)
    assert answer.status_code in {401, 422}, answer.text
    assert database.addresses == [counted]
