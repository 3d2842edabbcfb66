"""Faults of ours, for an error tracker that speaks Sentry's protocol, where one is configured.

What is logged as an error with its exception is told, unless it is another's and passes by itself
(Stripe's failure, a database that is down: /metrics and alerts are for those). As in the log,
nothing of a person: no request, no local variables, and an exception's words only where they are
our own (logging.py says why).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from escapemaster import __version__
from escapemaster.errors import EscapemasterError, UnexpectedError
from escapemaster.logging import reporting_errors_to
from escapemaster.settings import Settings

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

#: Seconds that a process which ends waits for what it has not told yet.
_LAST_WORDS: Final = 2.0
#: Fields of a line that say where the fault was; they are ids and names of ours.
_TAGS: Final = ("event", "component", "request_id", "job_id", "kind", "attempt")


@contextmanager
def error_tracker(settings: Settings, process: str) -> Iterator[None]:
    """Tell faults to the tracker that the settings name, if they name one.

    Args:
        settings: Whom to tell.
        process: `service` or `worker`: whose faults they are.
    """
    if settings.sentry_dsn is None:
        yield
        return
    import sentry_sdk

    sentry_sdk.init(
        dsn=settings.sentry_dsn.get_secret_value(),
        release=f"escapemaster@{__version__}",
        server_name=process,
        default_integrations=False,
        include_local_variables=False,
        max_breadcrumbs=0,
        before_send=_without_words,
    )

    def tell(error: BaseException, line: Mapping[str, object]) -> None:
        # An answer that we do not understand is tried again, and is still ours to mend.
        if getattr(error, "retryable", False) and not isinstance(error, UnexpectedError):
            return
        with sentry_sdk.new_scope() as scope:
            scope.set_tags({name: str(line[name]) for name in _TAGS if name in line})
            sentry_sdk.capture_exception(error)

    with reporting_errors_to(tell):
        try:
            yield
        finally:
            sentry_sdk.get_client().close(timeout=_LAST_WORDS)


def _without_words(event: Event, hint: Hint) -> Event:
    """Blank what exceptions say, which may quote a person's data; ours says what we wrote."""
    error = hint["exc_info"][1]
    exceptions: list[dict[str, Any]] = event.get("exception", {}).get("values", [])
    for told in exceptions:
        told["value"] = ""
    if exceptions and isinstance(error, EscapemasterError):
        # The chain begins with the first cause and ends with what was raised.
        exceptions[-1]["value"] = f"{error.code}: {error}"
    return event
