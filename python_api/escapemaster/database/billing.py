"""What organizations pay the platform: who they are at Stripe, and what they have there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from pydantic import TypeAdapter

from escapemaster.database.functions import BOOLEAN, COUNT, Functions, Row


class SubscriptionOrder(Row):
    """What an organization is about to subscribe to."""

    attempt_id: UUID
    organization_id: UUID
    organization_name: str
    email: str | None
    locale: str
    customer_id: str | None
    customer_key: str
    lookup_key: str
    trial_days: int
    checkout_url: str | None
    former_session_id: str | None


class BillingAccount(Row):
    """Who an organization is at Stripe.

    `subscription_id`: the one that counts and goes on. `deleted_customer_id`: who it was there.
    """

    organization_id: UUID
    customer_id: str | None
    subscription_id: str | None
    status: str | None
    locale: str
    deleted_customer_id: str | None = None


class SubscriptionChange(Row):
    """How a subscription gets to another plan."""

    subscription_id: str
    lookup_key: str
    kind: Literal["upgrade", "downgrade", "stay"]


class BillingChange(Row):
    """A field of a subscription that is not what it was."""

    field: str
    before: str | None
    after: str | None


class AppliedBilling(Row):
    """What a reading of Stripe has changed. No organization: the customer is none of ours."""

    organization_id: UUID | None
    outcome: Literal["applied", "unknown", "older"]
    unknown_prices: list[str]
    changes: list[BillingChange]


_ORDER: Final = TypeAdapter[SubscriptionOrder](SubscriptionOrder)
_ACCOUNT: Final = TypeAdapter[BillingAccount](BillingAccount)
_CHANGE: Final = TypeAdapter[SubscriptionChange](SubscriptionChange)
_APPLIED: Final = TypeAdapter[AppliedBilling](AppliedBilling)
_TEXT: Final = TypeAdapter[str](str)


class BillingDatabase:
    """The calls about subscriptions. What is done for a person takes a pass of `open_billing`.

    Raises:
        DomainError: 403 `billing_pass_invalid` from each that takes a pass.
    """

    _functions: Functions

    async def open_subscription_checkout(
        self, organization_id: UUID, billing_pass: str, plan: str, interval: str
    ) -> SubscriptionOrder:
        """Open the page on which an organization subscribes, or return the open one.

        Raises:
            DomainError: 404 `organization_not_found`; 409 `subscription_exists`; 422
                `plan_not_offered`.
        """
        return await self._functions.call(
            "open_subscription_checkout",
            _ORDER,
            {
                "organization_id": organization_id,
                "billing_pass": billing_pass,
                "plan_key": plan,
                "billing_interval": interval,
            },
        )

    async def record_stripe_customer(
        self, organization_id: UUID, billing_pass: str, customer_id: str
    ) -> str:
        """Remember who an organization is at Stripe. Returns the first that was recorded."""
        return await self._functions.call(
            "record_stripe_customer",
            _TEXT,
            {
                "organization_id": organization_id,
                "billing_pass": billing_pass,
                "customer_id": customer_id,
            },
        )

    async def record_subscription_checkout(
        self,
        organization_id: UUID,
        billing_pass: str,
        attempt_id: UUID,
        session_id: str,
        url: str,
        expires_at: datetime,
    ) -> str:
        """Remember an attempt's page. Returns the address of the first that was recorded.

        Raises:
            DomainError: 409 `checkout_closing`: something else was chosen meanwhile; 422
                `checkout_page_invalid`: nobody can be sent there to pay.
        """
        return await self._functions.call(
            "record_subscription_checkout",
            _TEXT,
            {
                "organization_id": organization_id,
                "billing_pass": billing_pass,
                "attempt_id": attempt_id,
                "session_id": session_id,
                "url": url,
                "expires_at": expires_at,
            },
        )

    async def close_subscription_checkout(
        self, organization_id: UUID, billing_pass: str, attempt_id: UUID
    ) -> bool:
        """Give up an attempt; False: it was over."""
        return await self._functions.call(
            "close_subscription_checkout",
            BOOLEAN,
            {
                "organization_id": organization_id,
                "billing_pass": billing_pass,
                "attempt_id": attempt_id,
            },
        )

    async def get_billing_account(self, organization: str) -> BillingAccount:
        """Who an organization, named by id or slug, is at Stripe.

        Raises:
            DomainError: 404 `organization_not_found`.
        """
        return await self._functions.call(
            "get_billing_account", _ACCOUNT, {"organization": organization}
        )

    async def plan_subscription_change(
        self, organization_id: UUID, billing_pass: str, plan: str, interval: str
    ) -> SubscriptionChange:
        """How an organization's subscription gets to a plan.

        Raises:
            DomainError: 409 `subscription_missing`, `subscription_overdue`; 422 `plan_not_offered`.
        """
        return await self._functions.call(
            "plan_subscription_change",
            _CHANGE,
            {
                "organization_id": organization_id,
                "billing_pass": billing_pass,
                "plan_key": plan,
                "billing_interval": interval,
            },
        )

    async def apply_billing(self, billing: Mapping[str, object]) -> AppliedBilling:
        """Apply all that a customer has at Stripe. Any order and any number do no harm."""
        return await self._functions.call("apply_billing", _APPLIED, {"billing": billing})

    async def queue_stale_subscriptions(self, older_than_seconds: int) -> int:
        """Queue reading what was not read for so long, up to 100. Returns how many it queued."""
        return await self._functions.call(
            "queue_stale_subscriptions", COUNT, {"older_than_seconds": older_than_seconds}
        )
