"""Sending a buyer to the page on which a gift voucher is paid.

The order is its own attempt, so the steps and their safety are those of `checkout`: only what is
asked of the database differs.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from escapemaster.database import OpenCheckout
from escapemaster.payments.checkout import (
    Checkout,
    CheckoutProvider,
    ReturnAddresses,
    start_checkout,
)


class VoucherDatabase(Protocol):
    """What is asked of the database here."""

    async def open_voucher_checkout(self, order_id: UUID, order_token: str) -> OpenCheckout:
        """See `ServiceDatabase`."""
        ...

    async def record_voucher_checkout(
        self,
        attempt_id: UUID,
        attempt_token: str | None,
        session_id: str,
        url: str,
        expires_at: datetime,
    ) -> None:
        """See `ServiceDatabase`."""
        ...

    async def fail_voucher_checkout(self, attempt_id: UUID, attempt_token: str | None) -> None:
        """See `ServiceDatabase`."""
        ...


class _Orders:
    """Orders of gift vouchers, as the attempts that `start_checkout` opens."""

    def __init__(self, database: VoucherDatabase) -> None:
        self._database = database

    async def open_checkout(
        self, reference: str, manage_token: str, *, whole: bool = False
    ) -> OpenCheckout:
        del whole
        return await self._database.open_voucher_checkout(UUID(reference), manage_token)

    async def record_checkout(
        self,
        attempt_id: UUID,
        attempt_token: str | None,
        session_id: str,
        url: str,
        expires_at: datetime,
    ) -> None:
        await self._database.record_voucher_checkout(
            attempt_id, attempt_token, session_id, url, expires_at
        )

    async def fail_checkout(self, attempt_id: UUID, attempt_token: str | None, error: str) -> None:
        del error
        await self._database.fail_voucher_checkout(attempt_id, attempt_token)


async def start_voucher_checkout(
    database: VoucherDatabase,
    provider: CheckoutProvider,
    *,
    order_id: UUID,
    order_token: str,
    return_url: str | None,
    addresses: ReturnAddresses,
) -> Checkout:
    """Open the payment page of an ordered gift voucher, or return the one that is open.

    Args:
        database: Keeps the orders.
        provider: Makes the page.
        order_id: The order.
        order_token: Proves that it is the buyer's.
        return_url: Where the browser is wished to go afterwards.
        addresses: Where it may go, beside the page of the calendar that sold it.

    Raises:
        DomainError: 404 `voucher_order_not_found`; 409 `nothing_due`, `not_payable`,
            `online_payment_unavailable`, `checkout_in_progress`, `checkout_closing`,
            `amount_too_small`; 422 `return_url_not_allowed`.
        PaymentError: Stripe made no page. The order is over, and another can be made.
        UnavailableError: The database did not answer. Asking again is safe.
    """
    return await start_checkout(
        _Orders(database),
        provider,
        reference=str(order_id),
        manage_token=order_token,
        return_url=return_url,
        addresses=addresses,
    )
