"""The application: `uvicorn --factory escapemaster.api.app:create_app`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from escapemaster.api import problems
from escapemaster.api.context import REQUEST_ID_HEADER, RequestContext
from escapemaster.api.docs_page import HEADERS, docs_page
from escapemaster.api.metrics import Metrics
from escapemaster.api.routes import (
    checkout,
    email_templates,
    health,
    notices,
    reports,
    stripe_accounts,
    subscriptions,
    tokens,
    unsubscribe,
    webhooks,
)
from escapemaster.api.services import Transports, open_services
from escapemaster.error_tracker import error_tracker
from escapemaster.logging import configure_logging
from escapemaster.settings import Settings, get_settings
from escapemaster.telemetry import telemetry

_DESCRIPTION: Final = """
What needs a secret, beside the database's own interface (`/rest/v1`): exchanging API keys,
opening payment pages and hearing from providers.

* **Errors** are `application/problem+json` (RFC 9457) with a stable `code`.
* **Every answer** carries `x-request-id`; send one to have it used.
* **Amounts** are integers in minor units of an ISO 4217 currency; instants are ISO 8601 in UTC.
"""

_TAGS: Final = [
    {"name": "Access", "description": "Access for other programs."},
    {"name": "Payments", "description": "Paying for bookings."},
    {"name": "Stripe account", "description": "Into which an organization's players pay."},
    {"name": "Subscription", "description": "What an organization pays the platform."},
    {"name": "Mail", "description": "What mails say."},
    {"name": "Reports", "description": "An own question of the venue's data."},
    {"name": "Webhooks", "description": "What providers tell us. Signed; not for clients."},
    {"name": "Operations", "description": "Health and numbers."},
]


def create_app(
    settings: Settings | None = None, *, transports: Transports | None = None
) -> FastAPI:
    """Make the application.

    Args:
        settings: Else they are read from the environment, and logging is set up by them.
        transports: Replacements for the network, for tests.
    """
    if settings is None:
        settings = get_settings()
        configure_logging(settings.log_level)
    chosen = settings
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with telemetry(chosen, "service"), error_tracker(chosen, "service"):
            async with open_services(chosen, transports) as services:
                app.state.services = services
                yield

    app = FastAPI(
        title="Escapemaster",
        version="1",
        summary="The service beside the database of the Escapemaster platform.",
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # Of its own telemetry the numbers only: its spans would hold paths with their values and
        # queries, and belong to the trace that any caller names.
        telemetry={"tracing": False, "logs": False, "auto_configure": False},
        middleware=[
            # Outside, so that also the failures below are readable for pages.
            Middleware(_PublicCors),
            Middleware(RequestContext, metrics=metrics),
        ],
    )
    app.state.metrics = metrics
    problems.install(app)
    for module in (
        tokens,
        checkout,
        stripe_accounts,
        subscriptions,
        email_templates,
        notices,
        reports,
        unsubscribe,
        webhooks,
        health,
    ):
        app.include_router(module.router)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()), headers=HEADERS)

    return app


class _PublicCors:
    """Lets pages of any origin call `/v1/…`: booking pages live on the venues' own sites.

    No cookies are involved, so an origin proves nothing and is not asked for.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["DELETE", "GET", "PATCH", "POST", "PUT"],
            allow_headers=["authorization", "content-type", "x-organization-id", REQUEST_ID_HEADER],
            expose_headers=[REQUEST_ID_HEADER, "Retry-After"],
            max_age=86400,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        public = scope["type"] == "http" and scope["path"].startswith("/v1/")
        await (self._open if public else self._app)(scope, receive, send)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The description, with failures under the media type that they really have."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        for path in schema["paths"].values():
            for operation in path.values():
                for status, response in operation["responses"].items():
                    content = response.get("content", {})
                    # A page's, too: only what succeeds is HTML.
                    for media_type in ("application/json", "text/html"):
                        if status >= "400" and media_type in content:
                            content[problems.MEDIA_TYPE] = content.pop(media_type)
        app.openapi_schema = schema
    return app.openapi_schema
