"""Sending a payer to the page on which a share of a booking is paid.

A share's attempt is recorded and given up as a booking's: the steps and their safety are those of
`checkout`: only how it is opened differs.
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


class ShareDatabase(Protocol):
    """What is asked of the database here."""

    async def open_share_checkout(self, share_id: UUID, share_token: str) -> OpenCheckout:
        """See `ServiceDatabase`."""
        ...

    async def record_checkout(
        self,
        attempt_id: UUID,
        attempt_token: str | None,
        session_id: str,
        url: str,
        expires_at: datetime,
    ) -> None:
        """See `ServiceDatabase`."""
        ...

    async def fail_checkout(self, attempt_id: UUID, attempt_token: str | None, error: str) -> None:
        """See `ServiceDatabase`."""
        ...


class _Shares:
    """Shares of bookings, as the attempts that `start_checkout` opens."""

    def __init__(self, database: ShareDatabase) -> None:
        self._database = database

    async def open_checkout(
        self, reference: str, manage_token: str, *, whole: bool = False
    ) -> OpenCheckout:
        del whole
        return await self._database.open_share_checkout(UUID(reference), manage_token)

    async def record_checkout(
        self,
        attempt_id: UUID,
        attempt_token: str | None,
        session_id: str,
        url: str,
        expires_at: datetime,
    ) -> None:
        await self._database.record_checkout(attempt_id, attempt_token, session_id, url, expires_at)

    async def fail_checkout(self, attempt_id: UUID, attempt_token: str | None, error: str) -> None:
        await self._database.fail_checkout(attempt_id, attempt_token, error)


async def start_share_checkout(
    database: ShareDatabase,
    provider: CheckoutProvider,
    *,
    share_id: UUID,
    share_token: str,
    return_url: str | None,
    addresses: ReturnAddresses,
) -> Checkout:
    """Open the payment page of a share, or return the one that is open.

    Args:
        database: Keeps the attempts.
        provider: Makes the page.
        share_id: The share.
        share_token: Proves that whoever asks has its link.
        return_url: Where the browser is wished to go afterwards.
        addresses: Where it may go, beside the page of the venue that sold the booking.

    Raises:
        DomainError: 404 `share_not_found`; 409 `nothing_due`, `not_payable`,
            `online_payment_unavailable`, `checkout_in_progress`, `checkout_closing`,
            `amount_too_small`; 422 `return_url_not_allowed`.
        PaymentError: Stripe made no page. The attempt is closed, so that another may open.
        UnavailableError: The database did not answer. Asking again is safe.
    """
    return await start_checkout(
        _Shares(database),
        provider,
        reference=str(share_id),
        manage_token=share_token,
        return_url=return_url,
        addresses=addresses,
    )
