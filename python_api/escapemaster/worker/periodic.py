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

from escapemaster.errors import EscapemasterError, PaymentError
from escapemaster.logging import get_logger
from escapemaster.worker.handlers import Tools
from escapemaster.worker.metrics import WorkerMetrics

#: An open payment page of which nothing was heard for so long (seconds) is asked about.
STALE_AFTER: Final = 60
#: Every customer's subscriptions are read once in so long (seconds), whatever events came.
SUBSCRIPTIONS_READ_EVERY: Final = 24 * 60 * 60
#: So is every account of a venue's, in so long (seconds): whether it may charge is wanted sooner.
ACCOUNTS_READ_EVERY: Final = 6 * 60 * 60
#: Pages of 100 that one look queues at most; the next look goes on.
MAX_PAGES: Final = 50
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
    tools: Tools,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    metrics: WorkerMetrics | None = None,
) -> list[Periodic]:
    """All of them; what they find is counted in `metrics`."""
    return [
        Periodic("sweep", 15, lambda: sweep(tools)),
        Periodic("sweep_notices", 5, lambda: sweep_notices(tools)),
        Periodic("reconcile_checkouts", 15, lambda: reconcile_checkouts(tools)),
        Periodic("reconcile_events", 300, EventReconciler(tools, now, metrics)),
        Periodic("reconcile_subscriptions", 600, lambda: reconcile_subscriptions(tools)),
        Periodic("reconcile_accounts", 600, lambda: reconcile_accounts(tools)),
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


async def sweep_notices(tools: Tools) -> None:
    """Let the database tell staff of what happened."""
    counts = await tools.database.sweep_notices()
    if any(counts.values()):
        _log.info("sweep_notices", counts=counts)


async def reconcile_checkouts(tools: Tools, older_than_seconds: int = STALE_AFTER) -> None:
    """Have Stripe asked about payment pages of which nothing has been heard.

    Each is a job of its own: one that Stripe cannot show hides no other, and while nobody answers,
    the pauses of the queue grow.
    """
    queued = await tools.database.queue_stale_checkouts(older_than_seconds)
    if queued:
        _log.info("reconcile.checkouts_queued", checkouts=queued)


async def reconcile_subscriptions(
    tools: Tools, older_than_seconds: int = SUBSCRIPTIONS_READ_EVERY
) -> None:
    """Have the subscriptions read that were not read for a day: what every event may have missed.

    A job each, as with payment pages: one that cannot be read hides no other.
    """
    queued = 0
    for _ in range(MAX_PAGES):
        page = await tools.database.queue_stale_subscriptions(older_than_seconds)
        queued += page
        if page == 0:
            break
    if queued:
        _log.info("reconcile.subscriptions_queued", subscriptions=queued)


async def reconcile_accounts(tools: Tools, older_than_seconds: int = ACCOUNTS_READ_EVERY) -> None:
    """Have the venues' accounts read that were not read for so long, a job each."""
    queued = 0
    for _ in range(MAX_PAGES):
        page = await tools.database.queue_stale_stripe_accounts(older_than_seconds)
        queued += page
        if page == 0:
            break
    if queued:
        _log.info("reconcile.accounts_queued", accounts=queued)


class EventReconciler:
    """Reads every account's list of events and receives those that no webhook brought."""

    def __init__(
        self, tools: Tools, now: Callable[[], datetime], metrics: WorkerMetrics | None = None
    ) -> None:
        self._tools = tools
        self._metrics = metrics or WorkerMetrics()
        self._now = now
        #: Until when each account was looked at; None is the platform's own.
        self._since: dict[str | None, datetime] = {}

    async def __call__(self) -> None:
        """Look once at every account. One that cannot be looked at hides no other."""
        failed: EscapemasterError | None = None
        for account in (None, *await self._tools.database.list_stripe_accounts()):
            try:
                await self._look(account)
            except EscapemasterError as error:
                _log.error("reconcile.account_failed", account=account, exc_info=error)
                failed = failed or error
        if failed is not None:
            raise failed

    async def _look(self, account: str | None) -> None:
        try:
            await self._read(account)
        except PaymentError as error:
            if account is None or error.code != "account_invalid":
                raise
            # Taken away, and its last event was lost.
            await self._tools.database.queue_stale_stripe_accounts(0, account)

    async def _read(self, account: str | None) -> None:
        began = self._now()
        since = self._since.get(account, began - FIRST_LOOK)
        missed = 0
        failed: EscapemasterError | None = None
        async for event in self._tools.stripe.list_recent_events(since, account=account):
            try:
                received = await self._tools.database.receive_stripe_event(event.as_json())
            except EscapemasterError as error:
                # One event that cannot be received must not hide the others.
                _log.error("reconcile.event_failed", event_id=event.id, exc_info=error)
                failed = error if error.retryable else failed
            else:
                missed += not received.duplicate
        if missed:
            self._metrics.missed(missed)
            _log.warning("reconcile.events_missed", events=missed, account=account)
        if failed is not None:
            # A look that failed half-way is repeated in full.
            raise failed
        self._since[account] = began - OVERLAP
