"""Payments: pages to pay on, the provider's news, refunds, disputes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter

from escapemaster.database.functions import COUNT, IGNORED, Functions, Row
from escapemaster.database.queue import Job, lease
from escapemaster.database.received import RECEIVED, Received


class OpenCheckout(Row):
    """An open payment attempt. Amounts in minor units of `currency` (ISO 4217, upper case)."""

    attempt_id: UUID
    #: Proves who opened the attempt, when its page is recorded or given up; None once there is one.
    attempt_token: str | None = None
    organization_id: UUID
    #: None: a gift voucher is bought.
    booking_id: UUID | None
    reference: str
    amount_cents: int
    currency: str
    locale: str
    description: str
    customer_email: str | None
    expires_at: datetime
    stripe_account: str | None = None
    delayed_methods: bool = False
    checkout_url: str | None = None
    site_url: str | None = None
    platform_fee_cents: int = 0
    #: The page of another amount, which is being closed first.
    closing: bool = False
    #: To be asked about before anybody is sent to its page.
    session_id: str | None = None


class CheckoutAttempt(Row):
    """Which provider session belongs to an attempt; no session id if none was ever recorded."""

    session_id: str | None = None
    status: str
    stripe_account: str | None = None


class RefundRequest(Row):
    """What is to be paid back to whom. `status` is `pending` while it still has to be done.

    Attributes:
        disputed: The customer's bank withholds the payment: the provider refunds nothing of it.
        disputes: How many disputes of the payment are known.
    """

    refund_request_id: UUID
    organization_id: UUID
    reference: str
    payment_intent: str | None = None
    stripe_account: str | None = None
    amount_cents: int
    currency: str
    status: str
    provider_refund_id: str | None = None
    refund_fee: bool = False
    disputed: bool = False
    disputes: int = 0


_OPEN_CHECKOUT: Final = TypeAdapter[OpenCheckout](OpenCheckout)
_CHECKOUT_ATTEMPT: Final = TypeAdapter[CheckoutAttempt](CheckoutAttempt)
_REFUND_REQUEST: Final = TypeAdapter[RefundRequest](RefundRequest)


class PaymentCalls:
    """The calls about payments."""

    _functions: Functions

    async def limit_checkouts(self, address: str) -> None:
        """Count a payment page that somebody at this address asks for.

        Raises:
            DomainError: 429 `rate_limited`.
        """
        await self._functions.call("limit_checkouts", IGNORED, {"address": address})

    async def open_checkout(
        self, reference: str, manage_token: str, *, whole: bool = False
    ) -> OpenCheckout:
        """Open the booking's payment attempt, or return the one that is open.

        Extends the hold once, so that it outlasts the provider's session. `whole`: for all that is
        open, not only what is due now.

        Raises:
            DomainError: 404 `booking_not_found`; 409 `nothing_due`, `not_payable`,
                `online_payment_unavailable`.
        """
        return await self._functions.call(
            "open_checkout",
            _OPEN_CHECKOUT,
            {"reference": reference, "manage_token": manage_token, "whole": whole},
        )

    async def record_checkout(
        self,
        attempt_id: UUID,
        attempt_token: str | None,
        session_id: str,
        url: str,
        expires_at: datetime,
    ) -> None:
        """Remember the provider's session of an attempt. Only then may its URL be shown."""
        await self._functions.call(
            "record_checkout",
            IGNORED,
            {
                "attempt_id": attempt_id,
                "attempt_token": attempt_token,
                "session_id": session_id,
                "url": url,
                "expires_at": expires_at,
            },
        )

    async def fail_checkout(self, attempt_id: UUID, attempt_token: str | None, error: str) -> None:
        """Close an attempt for which the provider made no session, so that another may open."""
        await self._functions.call(
            "fail_checkout",
            IGNORED,
            {"attempt_id": attempt_id, "attempt_token": attempt_token, "error": error},
        )

    async def open_share_checkout(self, share_id: UUID, share_token: str) -> OpenCheckout:
        """Open the attempt to pay a share of a booking, or return the one that is open.

        Recorded and given up as a booking's.

        Raises:
            DomainError: 404 `share_not_found`; 409 `nothing_due`, `not_payable`,
                `checkout_closing`, `online_payment_unavailable`.
        """
        return await self._functions.call(
            "open_share_checkout",
            _OPEN_CHECKOUT,
            {"share_id": share_id, "share_token": share_token},
        )

    async def open_voucher_checkout(self, order_id: UUID, order_token: str) -> OpenCheckout:
        """What the page of an ordered gift voucher asks for; its attempt is the order.

        Raises:
            DomainError: 404 `voucher_order_not_found`; 409 `nothing_due`, `not_payable`,
                `online_payment_unavailable`.
        """
        return await self._functions.call(
            "open_voucher_checkout",
            _OPEN_CHECKOUT,
            {"order_id": order_id, "order_token": order_token},
        )

    async def record_voucher_checkout(
        self,
        attempt_id: UUID,
        attempt_token: str | None,
        session_id: str,
        url: str,
        expires_at: datetime,
    ) -> None:
        """Remember the provider's session of an ordered gift voucher."""
        await self._functions.call(
            "record_voucher_checkout",
            IGNORED,
            {
                "attempt_id": attempt_id,
                "attempt_token": attempt_token,
                "session_id": session_id,
                "url": url,
                "expires_at": expires_at,
            },
        )

    async def fail_voucher_checkout(self, attempt_id: UUID, attempt_token: str | None) -> None:
        """End an order of a gift voucher for which the provider made no session."""
        await self._functions.call(
            "fail_voucher_checkout",
            IGNORED,
            {"attempt_id": attempt_id, "attempt_token": attempt_token},
        )

    async def receive_stripe_event(self, event: Mapping[str, object]) -> Received:
        """Put a verified event into the inbox, once, with the job that acts on it."""
        return await self._functions.call("receive_stripe_event", RECEIVED, {"event": event})

    async def apply_checkout_session(self, job: Job, session: Mapping[str, object]) -> None:
        """Apply the current state of the session that a claimed job is about.

        Any order and any number of calls do no harm.

        Raises:
            DomainError: 409 `lease_lost`, `lease_of_another`.
        """
        await self._functions.call(
            "apply_checkout_session", IGNORED, {**lease(job), "session": session}
        )

    async def get_checkout_attempt(self, job: Job) -> CheckoutAttempt:
        """Which session belongs to the attempt that a claimed job closes."""
        return await self._functions.call("get_checkout_attempt", _CHECKOUT_ATTEMPT, lease(job))

    async def queue_stale_checkouts(self, older_than_seconds: int) -> int:
        """Queue asking about the open attempts of which nothing has been heard for this long.

        Returns:
            How many jobs were queued.
        """
        return await self._functions.call(
            "queue_stale_checkouts", COUNT, {"older_than_seconds": older_than_seconds}
        )

    async def get_refund_request(self, job: Job) -> RefundRequest:
        """What a claimed refund job has to pay back."""
        return await self._functions.call("get_refund_request", _REFUND_REQUEST, lease(job))

    async def apply_refund(self, job: Job, refund: Mapping[str, object]) -> None:
        """Apply the current state of a refund that a claimed job is about, or whose payment is.

        Any order and any number of calls do no harm.
        """
        await self._functions.call("apply_refund", IGNORED, {**lease(job), "refund": refund})

    async def apply_dispute(self, job: Job, dispute: Mapping[str, object]) -> None:
        """Record the current state of the dispute that a claimed job is about.

        Any order and any number of calls do no harm.
        """
        await self._functions.call("apply_dispute", IGNORED, {**lease(job), "dispute": dispute})
