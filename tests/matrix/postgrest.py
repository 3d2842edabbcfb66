"""A PostgREST of our own, which takes every request back when it is asked to."""

from __future__ import annotations

import json
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt

from client import Caller
from escapemaster_dev.stack import tools
from escapemaster_dev.stack.config import ROOT
from escapemaster_dev.stack.processes import Child, Command
from escapemaster_dev.stack.supabase_config import read_supabase_config

_PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class PostgrestClient:
    """A client of PostgREST, for any caller."""

    http: httpx.Client
    secret: str

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
    ) -> httpx.Response:
        """One request, which is rolled back whatever becomes of it."""
        headers = {
            "Prefer": f"tx=rollback,{prefer}".rstrip(","),
            "Accept-Profile": schema,
            "Content-Profile": schema,
        }
        if caller.role != "anon":
            token = jwt.encode({**caller.claims, "role": caller.role}, self.secret, "HS256")
            headers["Authorization"] = f"Bearer {token}"
        if organization is not None:
            headers["x-organization-id"] = organization
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = None if body is None else json.dumps(body).encode()
        request = self.http.build_request(
            method, path, params=params, content=content, headers=headers
        )
        try:
            return self.http.send(request)
        except httpx.TransportError:
            # The server let go of an idle connection; a request that is rolled back can be
            # made again.
            return self.http.send(request)


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
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False
            ) as http:
                _wait_until_ready(http, child)
                yield PostgrestClient(http, secret)
        finally:
            child.ask_to_stop()
            if not child.wait(10):
                child.kill()


def _wait_until_ready(http: httpx.Client, child: Child) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            # 503 while the schema is being read.
            if http.head("/").status_code != 503:
                return
        except httpx.TransportError as error:
            if child.exit_code() is not None or time.monotonic() > deadline:
                raise AssertionError(child.log_tail()) from error
        if time.monotonic() > deadline:
            raise AssertionError(child.log_tail())
