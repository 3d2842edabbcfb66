"""A PostgREST of our own, which takes every request back when it is asked to."""

from __future__ import annotations

import json
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jwt

from client import ANON, Caller
from escapemaster_dev.stack import tools
from escapemaster_dev.stack.config import ROOT
from escapemaster_dev.stack.processes import Child, Command
from escapemaster_dev.stack.supabase_config import read_supabase_config

_PATIENCE_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Answer:
    """What PostgREST answered."""

    status_code: int
    text: str
    headers: HTTPMessage

    @property
    def is_success(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status_code < 300

    def json(self) -> Any:
        """The answer, read."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class PostgrestClient:
    """A client of PostgREST, for any caller.

    The standard library's connection: of thousands of requests, what a richer client does around
    each costs more than PostgREST and the database together.
    """

    connection: HTTPConnection
    secret: str
    _tokens: dict[str, str] = field(default_factory=dict)

    def token(self, caller: Caller) -> str:
        """What a caller who is somebody sends in Authorization."""
        claims = {**caller.claims, "role": caller.role}
        key = json.dumps(claims)
        if key not in self._tokens:
            self._tokens[key] = jwt.encode(claims, self.secret, "HS256")
        return self._tokens[key]

    def request(
        self,
        caller: Caller,
        organization: str | None,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        prefer: str = "",
        schema: str = "public",
    ) -> Answer:
        """One request, which is rolled back whatever becomes of it."""
        headers = [
            ("Prefer", f"tx=rollback,{prefer}".rstrip(",")),
            ("Accept-Profile", schema),
            ("Content-Profile", schema),
        ]
        if body is not None:
            headers.append(("Content-Type", "application/json"))
        content = b"" if body is None else json.dumps(body).encode()
        if params:
            path += "?" + urlencode(params, quote_via=quote)
        return self.send(caller, organization, method, path, headers, content)

    def send(
        self,
        caller: Caller,
        organization: str | None,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]],
        content: bytes = b"",
    ) -> Answer:
        """A request with these headers, and those that say who asks for which organization."""
        sent = [("Content-Length", str(len(content))), *headers]
        if caller.role != "anon":
            sent.append(("Authorization", f"Bearer {self.token(caller)}"))
        if organization is not None:
            sent.append(("x-organization-id", organization))
        try:
            return self._send(method, path, sent, content)
        except (HTTPException, ConnectionError):
            # The server let go of an idle connection; a request that is rolled back can be
            # made again.
            self.connection.close()
            return self._send(method, path, sent, content)

    def _send(
        self, method: str, path: str, headers: Sequence[tuple[str, str]], content: bytes
    ) -> Answer:
        self.connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            self.connection.putheader(name, value)
        self.connection.endheaders(content)
        response = self.connection.getresponse()
        return Answer(response.status, response.read().decode(), response.headers)


@contextmanager
def serving(dsn: str) -> Iterator[PostgrestClient]:
    """PostgREST over a database, until the block ends.

    It is configured as the stack's, but that a request may ask to be rolled back.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    secret = secrets.token_urlsafe(48)
    supabase = read_supabase_config(ROOT)
    with tempfile.TemporaryDirectory(prefix="matrix-") as home:
        child = Child(
            Command(
                name="PostgREST",
                arguments=[tools.postgrest()],
                environment={
                    "PGRST_DB_URI": dsn,
                    "PGRST_DB_SCHEMAS": ",".join(supabase.schemas),
                    "PGRST_DB_EXTRA_SEARCH_PATH": ",".join(supabase.extra_search_path),
                    "PGRST_DB_ANON_ROLE": "anon",
                    "PGRST_DB_PRE_REQUEST": "private.check_request",
                    "PGRST_DB_POOL": "2",
                    "PGRST_DB_TX_END": "commit-allow-override",
                    "PGRST_JWT_SECRET": secret,
                    "PGRST_SERVER_HOST": "127.0.0.1",
                    "PGRST_SERVER_PORT": str(port),
                    "PGRST_LOG_LEVEL": "error",
                },
                cwd=Path(home),
            ),
            Path(home) / "log",
        )
        try:
            client = PostgrestClient(HTTPConnection("127.0.0.1", port, timeout=90), secret)
            _wait_until_ready(client, child)
            yield client
            client.connection.close()
        finally:
            child.ask_to_stop()
            if not child.wait(10):
                child.kill()


def _wait_until_ready(client: PostgrestClient, child: Child) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            # 503 while the schema is being read.
            answer = client.send(ANON, None, "HEAD", "/", [("Connection", "close")])
            if answer.status_code != 503:
                return
        except (HTTPException, ConnectionError) as error:
            client.connection.close()
            if child.exit_code() is not None or time.monotonic() > deadline:
                raise AssertionError(child.log_tail()) from error
        if time.monotonic() > deadline:
            raise AssertionError(child.log_tail())
