"""Background work: webhooks on their way, sessions whose time is up.

Deliveries are rows: what was not acknowledged before a restart is sent after it. As with
Stripe, an event may come twice and in any order; unlike Stripe's hours, a failed attempt is
repeated within seconds, because somebody is waiting at the screen.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import random
from typing import Literal

import httpx

from escapemaster_dev.sandbox.stripe import billing, sessions
from escapemaster_dev.sandbox.stripe.core import Sandbox
from escapemaster_dev.sandbox.stripe.store import Delivery

Mode = Literal["true", "false", "duplicate", "shuffle"]
MODES: tuple[Mode, ...] = ("true", "false", "duplicate", "shuffle")

FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 5.0
MOST_ATTEMPTS = 240  # about twenty minutes
_ANSWER_SECONDS = 10.0
_IDLE_SECONDS = 1.0

logger = logging.getLogger(__name__)


def sign(secret: str, body: bytes, moment: int) -> str:
    """The Stripe-Signature header: https://docs.stripe.com/webhooks#verify-manually."""
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},v1={mac.hexdigest()}"


def retry_after(attempts: int) -> float:
    """Seconds to wait after so many failed attempts."""
    return float(min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(attempts - 1, 16)))


class Courier:
    """Sends one webhook at a time, oldest first unless told otherwise."""

    def __init__(self, sandbox: Sandbox, woken: asyncio.Event) -> None:
        self._sandbox = sandbox
        self._woken = woken
        self._dice = random.Random()  # noqa: S311 - an order for tests

    @property
    def mode(self) -> str:
        """How events are sent: one of `MODES`."""
        return self._sandbox.store.switch("deliver") or "true"

    def set_mode(self, mode: Mode, seed: int | None = None) -> None:
        """Change how events are sent, from now on and across restarts; what waits is due."""
        self._dice = random.Random(seed)  # noqa: S311 - an order for tests
        with self._sandbox.store.transaction():
            self._sandbox.store.set_switch("deliver", mode)
            self._sandbox.store.make_due(self._sandbox.clock())
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled."""
        self._sandbox.store.make_due(self._sandbox.clock())
        async with httpx.AsyncClient(
            timeout=_ANSWER_SECONDS, trust_env=False, follow_redirects=False
        ) as client:
            while True:
                try:
                    await self._step(client)
                except Exception:
                    logger.exception("the courier stumbled")
                    await asyncio.sleep(_IDLE_SECONDS)

    async def _step(self, client: httpx.AsyncClient) -> None:
        self._woken.clear()
        sessions.expire_due(self._sandbox)
        billing.renew_due(self._sandbox)
        delivery = self._next()
        if delivery is not None:
            await self._send(client, delivery)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), self._rest())

    def _next(self) -> Delivery | None:
        mode = self.mode
        due = [] if mode == "false" else self._sandbox.store.due_deliveries(self._sandbox.clock())
        if not due:
            return None
        return self._dice.choice(due) if mode == "shuffle" else due[0]

    def _rest(self) -> float:
        """Seconds until there may be something to do."""
        due = None if self.mode == "false" else self._sandbox.store.next_due()
        left = _IDLE_SECONDS if due is None else due - self._sandbox.clock()
        return min(max(left, 0.01), _IDLE_SECONDS)

    async def _send(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        sandbox = self._sandbox
        entry = sandbox.store.need(delivery.event_id)
        body = json.dumps({**entry.body, "pending_webhooks": 1}, indent=2).encode()
        status: int | None = None
        error: str | None = None
        try:
            answer = await client.post(
                sandbox.settings.webhook_url or "",
                content=body,
                headers={
                    "Content-Type": "application/json; charset=utf-8",
                    "Stripe-Signature": sign(sandbox.settings.webhook_secret, body, sandbox.now()),
                    "User-Agent": "Stripe/1.0 (sandbox)",
                },
            )
            status = answer.status_code
            if not answer.is_success:
                error = answer.text[:500]
        except httpx.HTTPError as failure:
            error = f"{type(failure).__name__}: {failure}"
        self._record(delivery, entry.body, status, error)

    def _record(
        self,
        delivery: Delivery,
        event: dict[str, object],
        status: int | None,
        error: str | None,
    ) -> None:
        store, now = self._sandbox.store, self._sandbox.clock()
        attempts = delivery.attempts + 1
        outcome = "delivered"
        if error is not None:
            outcome = "pending" if attempts < MOST_ATTEMPTS else "abandoned"
        with store.transaction():
            store.mark_delivery(
                delivery.id,
                status=outcome,
                due_at=now + retry_after(attempts),
                last_status=status,
                last_error=error,
            )
            if outcome == "delivered":
                store.replace({**event, "pending_webhooks": 0})
                if self.mode == "duplicate" and not delivery.is_copy:
                    store.add_delivery(delivery.event_id, now, is_copy=True)
