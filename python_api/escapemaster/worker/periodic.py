"""What is done again and again, whether or not anybody asks.

None of it is needed for correctness: lapsed holds are also reaped by whoever claims their place,
and news from Stripe normally comes by webhook. It keeps the time short in which things look wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from escapemaster.database import StaleCheckout
from escapemaster.errors import EscapemasterError, PaymentError
from escapemaster.logging import get_logger
from escapemaster.worker.handlers import Tools

#: An open payment page of which nothing was heard for so long (seconds) is asked about.
STALE_AFTER: Final = 60
#: So many pages in a row without any answer from Stripe: it is away, and the others can wait.
MAX_UNANSWERED: Final = 3
#: How far back a starting worker looks for events that no webhook brought. Stripe itself delivers
#: again for three days.
FIRST_LOOK: Final = timedelta(hours=24)
#: Two looks overlap by so much, since an event may appear a little after its own time.
OVERLAP: Final = timedelta(minutes=10)

_log = get_logger("periodic")


@dataclass(frozen=True, slots=True)
class Periodic:
    """Something to do every `seconds`, starting at once."""

    name: str
    seconds: float
    do: Callable[[], Awaitable[None]]


def periodic_tasks(
    tools: Tools, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> list[Periodic]:
    """All of them."""
    return [
        Periodic("sweep", 15, lambda: sweep(tools)),
        Periodic("reconcile_checkouts", 15, lambda: reconcile_checkouts(tools)),
        Periodic("reconcile_events", 300, EventReconciler(tools, now)),
    ]


async def repeat(task: Periodic, stop: asyncio.Event) -> None:
    """Do it until `stop` is set. A failure is logged, and the next turn tries again."""
    while not stop.is_set():
        try:
            await task.do()
        except EscapemasterError as error:
            _log.warning("periodic.failed", task=task.name, exc_info=error)
        except Exception as error:  # noqa: BLE001 - a mistake in one must not end the others
            _log.error("periodic.crashed", task=task.name, exc_info=error)
        try:
            await asyncio.wait_for(stop.wait(), timeout=task.seconds)
        except TimeoutError:
            continue


async def sweep(tools: Tools) -> None:
    """Let the database do what deadlines ask for."""
    counts = await tools.database.sweep()
    if any(counts.values()):
        _log.info("sweep", counts=counts)


async def reconcile_checkouts(tools: Tools, older_than_seconds: int = STALE_AFTER) -> None:
    """Ask Stripe about payment pages of which nothing has been heard.

    A page that cannot be asked about is noted, and the others come all the same; only when nobody
    answers any more, the rest waits for the next turn.

    Raises:
        EscapemasterError: The last failure that passes by itself, after all were tried.
    """
    failed: EscapemasterError | None = None
    unanswered = 0
    for stale in await tools.database.stale_checkouts(older_than_seconds):
        try:
            session = await _current_session(tools, stale)
            await tools.database.apply_checkout_session(session)
            unanswered = 0
        except EscapemasterError as error:
            _log.error("reconcile.session_failed", attempt_id=str(stale.attempt_id), exc_info=error)
            if error.retryable:
                failed = error
            unanswered += error.code == "stripe_unreachable"
            if unanswered == MAX_UNANSWERED:
                break
    if failed is not None:
        raise failed


async def _current_session(tools: Tools, stale: StaleCheckout) -> dict[str, object]:
    """What Stripe says of a page; one that it does not know is over, since nobody can pay on it."""
    try:
        session = await tools.stripe.retrieve_checkout_session(
            stale.session_id, stale.stripe_account
        )
    except PaymentError as error:
        if error.code != "resource_missing":
            raise
        return {
            "id": stale.session_id,
            "status": "expired",
            "payment_status": "unpaid",
            "client_reference_id": str(stale.attempt_id),
        }
    return session.as_json()


class EventReconciler:
    """Reads Stripe's list of events and receives those that no webhook brought."""

    def __init__(self, tools: Tools, now: Callable[[], datetime]) -> None:
        self._tools = tools
        self._now = now
        self._since: datetime | None = None

    async def __call__(self) -> None:
        """Look once."""
        began = self._now()
        since = self._since or began - FIRST_LOOK
        missed = 0
        failed: EscapemasterError | None = None
        async for event in self._tools.stripe.list_recent_events(since):
            try:
                received = await self._tools.database.receive_stripe_event(event.as_json())
            except EscapemasterError as error:
                # One event that cannot be received must not hide the others.
                _log.error("reconcile.event_failed", event_id=event.id, exc_info=error)
                failed = error if error.retryable else failed
            else:
                missed += not received.duplicate
        if missed:
            _log.warning("reconcile.events_missed", events=missed)
        if failed is not None:
            # A look that failed half-way is repeated in full.
            raise failed
        self._since = began - OVERLAP
