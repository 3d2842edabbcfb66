"""Structured logs: one JSON object a line, with a request id and without personal data.

Personal data stays out in two ways. Code logs ids and counts, never bodies. And a last processor
blanks every field whose name says that it holds a person's data or a secret, in case somebody
forgets. Exceptions are logged as their type and the place they came from, because messages of
libraries quote the input that they choked on.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Final, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from escapemaster.errors import EscapemasterError
from escapemaster.telemetry import trace_id

#: Names (or endings of names) of fields that never reach a log line.
SENSITIVE: Final = frozenset(
    {
        "address",
        "apikey",
        "authorization",
        "body",
        "cookie",
        "customer",
        "email",
        "full_name",
        "jwt",
        "key",
        "password",
        "payload",
        "phone",
        "secret",
        "signature",
        "to",
        "token",
        "url",
    }
)

REDACTED: Final = "[redacted]"

#: Is told the exception of a line that is an error, and the line.
Reporter = Callable[[BaseException, Mapping[str, object]], None]

_reporters: list[Reporter] = []


def configure_logging(level: str = "info", *, colours: bool = False) -> None:
    """Make structlog and the standard library write the same lines to standard output.

    Args:
        level: The least severe level that is written, such as `info`.
        colours: Write for a person at a terminal instead of JSON.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _name_trace,
        _report,
        _describe_exceptions,
        _redact,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if colours else structlog.processors.JSONRenderer()
    )
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)
    # Uvicorn writes through the root handler; its access log is replaced by ours, which knows the
    # route and the request id. HTTP clients would log query strings.
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("httpx", "httpcore", "hpack", "stripe"):
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def reporting_errors_to(reporter: Reporter) -> Iterator[None]:
    """Tell `reporter` of each line that is an error with its exception."""
    _reporters.append(reporter)
    try:
        yield
    finally:
        _reporters.remove(reporter)


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger whose lines carry `component=name`."""
    return cast("FilteringBoundLogger", structlog.get_logger(component=name))


def describe_exception(error: BaseException) -> dict[str, object]:
    """What a log may know of an exception: its type, its place, and our own codes.

    The message is kept only for our own family, whose messages we write ourselves.
    """
    frames = traceback.extract_tb(error.__traceback__)
    described: dict[str, object] = {
        "type": type(error).__qualname__,
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]],
    }
    if isinstance(error, EscapemasterError):
        described["code"] = error.code
        described["message"] = str(error)
    cause = error.__cause__
    if cause is not None:
        described["cause"] = type(cause).__qualname__
    return described


def _exception_of(event: EventDict) -> BaseException | None:
    error = event.get("exc_info")
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    return error if isinstance(error, BaseException) else None


def _name_trace(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if (current := trace_id()) is not None:
        event["trace_id"] = current
    return event


def _report(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if _reporters and event.get("level") in ("error", "critical"):
        error = _exception_of(event)
        if error is not None:
            for reporter in _reporters:
                reporter(error, event)
    return event


def _describe_exceptions(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    error = _exception_of(event)
    event.pop("exc_info", None)
    if error is not None:
        event["error"] = describe_exception(error)
    return event


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    _redact_mapping(event)
    return event


def _redact_mapping(mapping: MutableMapping[str, object]) -> None:
    for name, value in mapping.items():
        if name.lower() in SENSITIVE or name.lower().rpartition("_")[2] in SENSITIVE:
            mapping[name] = REDACTED
        elif isinstance(value, dict):
            mapping[name] = nested = dict(value)
            _redact_mapping(nested)
