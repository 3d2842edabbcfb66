"""The outermost layer of every request: its id, its size, its log line, its numbers.

A plain ASGI layer, so that it sees everything, also what fails before or after routing, and does
not copy bodies.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from escapemaster import telemetry
from escapemaster.api.metrics import Metrics
from escapemaster.api.problems import problem_for, problem_response
from escapemaster.logging import get_logger

REQUEST_ID_HEADER: Final = "x-request-id"

#: No request of this service is large: Stripe's events have some kilobytes.
MAX_BODY_BYTES: Final = 512 * 1024

_ACCEPTED_ID: Final = re.compile(r"^[A-Za-z0-9._:-]{1,128}$")
_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

_log = get_logger("http")


class _BodyTooLargeError(Exception):
    """The body went over the limit while it was read."""


class RequestContext:
    """Wraps the application; see the module."""

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, max_body_bytes: int = MAX_BODY_BYTES
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(REQUEST_ID_HEADER, "")
        request_id = given if _ACCEPTED_ID.match(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        # An unknown method is one value more for every client that makes one up.
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        started = time.perf_counter()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        with (
            telemetry.request_span(headers, method) as span,
            structlog.contextvars.bound_contextvars(request_id=request_id),
        ):
            try:
                limited = _limited(receive, headers, self._max_body_bytes)
                await self._app(scope, limited, answer)
            except _BodyTooLargeError:
                await problem_response(
                    request_id,
                    413,
                    "body_too_large",
                    f"Send at most {self._max_body_bytes} bytes.",
                )(scope, receive, answer)
            except ClientDisconnect:
                _log.info("request.abandoned")
            except Exception as error:
                _log.exception("request.crashed", exc_info=error)
                if status:
                    # The answer has begun; only the server can end it, by closing.
                    raise
                await problem_for(request_id, error)(scope, receive, answer)
            finally:
                seconds = time.perf_counter() - started
                route = getattr(scope.get("route"), "path", "unmatched")
                self._metrics.answered(method, route, status, seconds)
                telemetry.answered(span, method, route, status)
                _log.info(
                    "request",
                    method=method,
                    route=route,
                    status=status,
                    milliseconds=round(seconds * 1000, 1),
                )


def _declared_length(headers: Headers) -> int:
    declared = headers.get("content-length", "")
    return int(declared) if declared.isdigit() else 0


def _limited(receive: Receive, headers: Headers, limit: int) -> Receive:
    read = 0

    async def limited() -> Message:
        nonlocal read
        if _declared_length(headers) > limit:
            raise _BodyTooLargeError
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise _BodyTooLargeError
        return message

    return limited
