"""Fixtures of the service's tests: the application in this process, over fakes."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from starlette.routing import BaseRoute

from escapemaster.api.app import create_app
from escapemaster.api.services import Transports
from escapemaster.logging import configure_logging
from escapemaster.settings import Settings
from stack import Stack

from .fakes import METRICS_TOKEN, FakePostgrest, FakeStorage, FakeStripe

JWT_SECRET = "a secret of at least thirty-two bytes, for tests only"


@pytest.fixture(scope="session", autouse=True)
def _quiet_logs() -> Iterator[None]:
    """Keep log lines out of the tests' way; structlog's default draws tracebacks, slowly."""
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.JSONRenderer()],
        logger_factory=structlog.ReturnLoggerFactory(),
    )
    yield
    structlog.reset_defaults()


@pytest.fixture
def log_lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """What is really written, after the real configuration."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level, structlog.get_config())
    out = io.StringIO()
    sys.stdout, stdout = out, sys.stdout
    try:
        configure_logging("info")
    finally:
        sys.stdout = stdout
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.handlers, level = before[0], before[1]
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = False
    structlog.configure(**before[2])


@pytest.fixture
def settings() -> Settings:
    """The configuration of a service that reaches nothing."""
    return _settings()


def _settings() -> Settings:
    return Settings.model_validate(
        {
            "supabase_url": "http://gateway.test",
            "supabase_publishable_key": "sb_publishable_test",
            "supabase_secret_key": "sb_secret_test",
            "supabase_jwt_secret": JWT_SECRET,
            "supabase_jwks_url": None,
            "supabase_jwt_issuer": None,
            "stripe_secret_key": "sk_test_1",
            "stripe_webhook_secret": "whsec_stripe",
            "stripe_api_base": "http://stripe.test",
            "resend_api_key": None,
            "resend_webhook_secret": "whsec_cmVzZW5kLXNlY3JldA==",
            "mailbox_url": "http://mailbox.test",
            "public_site_url": "https://play.example.test/demo/?lang=es",
            "allowed_return_origins": "https://venue.example.test,http://localhost:3000",
            "worker_health_port": None,
            "metrics_token": METRICS_TOKEN,
        }
    )


@pytest.fixture
def stack_settings(stack: Stack) -> Settings:
    """The settings that the stack's own service has."""
    return Settings.model_validate({name.lower(): value for name, value in stack.variables.items()})


@pytest.fixture
def postgrest() -> FakePostgrest:
    """The database."""
    return FakePostgrest()


@pytest.fixture
def stripe_api() -> FakeStripe:
    """Stripe."""
    return FakeStripe()


@pytest.fixture
def files() -> FakeStorage:
    """Storage."""
    return FakeStorage()


def _no_keys(request: httpx.Request) -> httpx.Response:
    """Whoever verifies by the secret asks nobody for keys."""
    raise AssertionError(f"asked for {request.url}")


@pytest.fixture(scope="session")
def _included() -> list[BaseRoute]:
    """What an application includes of the modules of routes, which holds nothing of it.

    FastAPI reads what they take and answer at an application's first request: that was half of what
    a test cost.
    """
    return [r for r in create_app(_settings()).router.routes if not hasattr(r, "methods")]


@pytest.fixture
def app(
    settings: Settings,
    postgrest: FakePostgrest,
    stripe_api: FakeStripe,
    _included: list[BaseRoute],
) -> FastAPI:
    """The application."""
    app = create_app(
        settings,
        transports=Transports(
            database=postgrest.transport,
            stripe=stripe_api.transport,
            # A client without a transport reads all certificates of the machine.
            jwks=httpx.MockTransport(_no_keys),
        ),
    )
    # The description and its page are the application's own.
    own = [route for route in app.router.routes if hasattr(route, "methods")]
    assert len(app.router.routes) == len(own) + len(_included)
    app.router.routes[:] = [*own, *_included]
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running application."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://service.test"
        ) as client,
    ):
        yield client
