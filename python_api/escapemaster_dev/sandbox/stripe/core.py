"""What every operation of the sandbox works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from escapemaster_dev.sandbox.stripe import objects
from escapemaster_dev.sandbox.stripe.settings import Settings
from escapemaster_dev.sandbox.stripe.store import Entry, Store, StripeObject


@dataclass(frozen=True, slots=True)
class Cause:
    """The API request behind an event; a click on the checkout page has none."""

    request_id: str | None = None
    idempotency_key: str | None = None


BY_ITSELF = Cause()


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Configuration, memory and clock; `wake` tells the background task that work came in."""

    settings: Settings
    store: Store
    clock: Callable[[], float]
    wake: Callable[[], None]

    def now(self) -> int:
        """The present, in whole seconds since 1970."""
        return int(self.clock())

    def announce(
        self,
        kind: str,
        subject: StripeObject,
        account: str,
        *,
        cause: Cause = BY_ITSELF,
        previous: StripeObject | None = None,
    ) -> None:
        """Record an event with the object as it is now, and queue its webhook.

        Called inside the transaction that changes the object, so neither is without the other.
        `previous` holds the changed fields' former values.
        """
        data: StripeObject = {"object": subject}
        if previous is not None:
            data["previous_attributes"] = previous
        sends = self.settings.webhook_url is not None
        event = objects.event(
            created=self.now(),
            data=data,
            pending_webhooks=1 if sends else 0,
            request={"id": cause.request_id, "idempotency_key": cause.idempotency_key},
            type=kind,
        )
        if account:
            event["account"] = account
        self.store.add(Entry(event, account, {}))
        if sends:
            self.store.add_delivery(event["id"], self.clock())
            self.wake()
