"""Sending a player to the page on which a booking is paid.

The order is what makes it safe to be killed anywhere, and to be asked twice:

1. The database opens an attempt, or returns the one that is open.
2. Stripe creates the session, under an idempotency key made of the attempt's id.
3. The database records the session. Only now does anybody get to know its address.

Killed after 2, nobody can pay on that session; the next call gets the same one.

Where somebody is sent comes from Stripe each time, never from what was recorded: whoever has a
booking's link and the service's key could record a page of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID

from pydantic import HttpUrl, TypeAdapter, ValidationError

from escapemaster.database import OpenCheckout
from escapemaster.errors import DomainError, EscapemasterError, PaymentError
from escapemaster.logging import get_logger
from escapemaster.payments.model import CheckoutOrder, CheckoutSession

#: Seconds that a player waits for the provider in all, further tries included.
PROVIDER_SECONDS: Final = 10.0

#: Parsed as browsers parse, so that both see the same origin in a crafted address.
_BROWSER_URL: Final = TypeAdapter(HttpUrl)

T = TypeVar("T")

_log = get_logger("checkout")


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where the player pays, until when, and how much in minor units of `currency`."""

    url: str
    expires_at: datetime
    amount_cents: int
    currency: str


class CheckoutDatabase(Protocol):
    """What is asked of the database here."""

    async def open_checkout(
        self, reference: str, manage_token: str, *, whole: bool = False
    ) -> OpenCheckout:
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


class CheckoutProvider(Protocol):
    """What is asked of Stripe here."""

    async def create_checkout_session(self, order: CheckoutOrder) -> CheckoutSession:
        """See `StripeGateway`."""
        ...

    async def retrieve_checkout_session(
        self, session_id: str, account: str | None = None
    ) -> CheckoutSession:
        """See `StripeGateway`."""
        ...


class ReturnAddresses:
    """Where a player may be sent after paying: never to a place that a stranger chose."""

    def __init__(self, default: str, allowed_origins: list[str]) -> None:
        """Fix the places.

        Args:
            default: Used when a request names none. Its origin is always allowed.
            allowed_origins: Further ones, such as `https://venue.example`.
        """
        self._default = default
        self._allowed = {_origin(address) for address in [default, *allowed_origins]}

    def choose(self, wished: str | None, site_url: str | None = None) -> str:
        """The wished address, or the venue's page, or the default.

        Args:
            wished: What the request names.
            site_url: The page of the calendar that sold the booking; its origin is allowed.

        Raises:
            DomainError: 422 `return_url_not_allowed`.
        """
        if wished is None:
            return site_url or self._default
        allowed = self._allowed | ({_origin(site_url)} if site_url else set())
        try:
            address = str(_BROWSER_URL.validate_python(wished))
        except ValidationError:
            address = ""
        if not address or _origin(address) not in allowed:
            raise DomainError(
                "return_url_not_allowed", 422, "Return to a page of an allowed origin."
            )
        return address


async def start_checkout(
    database: CheckoutDatabase,
    provider: CheckoutProvider,
    *,
    reference: str,
    manage_token: str,
    return_url: str | None,
    addresses: ReturnAddresses,
    whole: bool = False,
) -> Checkout:
    """Open the payment page of a booking, or return the one that is open.

    Args:
        database: Keeps the attempts.
        provider: Makes the page.
        reference: The booking's, as the player knows it.
        manage_token: Proves that it is the player's.
        return_url: Where the browser is wished to go afterwards.
        addresses: Where it may go, beside the page of the venue that sold the booking.
        whole: Whether all that is open is paid, not only what is due now.

    Raises:
        DomainError: 404 `booking_not_found`; 409 `nothing_due`, `not_payable`,
            `online_payment_unavailable`, `checkout_in_progress`, `checkout_closing`,
            `amount_too_small`; 422 `return_url_not_allowed`.
        PaymentError: Stripe made no page. The attempt is closed, so that another may open.
        UnavailableError: The database did not answer. Asking again is safe.
    """
    attempt = await database.open_checkout(reference, manage_token, whole=whole)
    if attempt.closing:
        raise _closing()
    try:
        back = addresses.choose(return_url, attempt.site_url)
    except DomainError as error:
        if attempt.session_id is None:
            await _close(database, attempt, error)
        raise
    if attempt.session_id is not None:
        return await _open_page(provider, attempt, attempt.session_id)
    try:
        session = await _created(provider, _order(attempt, back))
        url = _address_of(session)
    except PaymentError as error:
        if error.code == "idempotency_conflict":
            # Somebody else is opening the same attempt with another way back.
            return await _already_open(database, provider, reference, manage_token, whole=whole)
        _log.warning(
            "checkout.provider_failed",
            attempt_id=str(attempt.attempt_id),
            code=error.code,
            provider_request_id=error.request_id,
        )
        await _close(database, attempt, error)
        if error.code == "amount_too_small":
            # The database asks for no less than the currency's own least amount, but a venue that
            # is paid out in another currency must reach that one's.
            raise DomainError(
                "amount_too_small", 409, "So small an amount is not charged online. Ask the venue."
            ) from error
        raise
    try:
        expires_at = session.expires_at or attempt.expires_at
        await database.record_checkout(
            attempt.attempt_id, attempt.attempt_token, session.id, url, expires_at
        )
    except DomainError as error:
        if error.code == "attempt_has_session":
            return await _already_open(database, provider, reference, manage_token, whole=whole)
        raise
    _log.info(
        "checkout.opened",
        attempt_id=str(attempt.attempt_id),
        organization_id=str(attempt.organization_id),
        amount_cents=attempt.amount_cents,
    )
    return Checkout(url, expires_at, attempt.amount_cents, attempt.currency)


async def _created(provider: CheckoutProvider, order: CheckoutOrder) -> CheckoutSession:
    """The page. One that comes later is nobody's: its address is told to no one."""
    return await _in_time(provider.create_checkout_session(order))


async def _open_page(
    provider: CheckoutProvider, attempt: OpenCheckout, session_id: str
) -> Checkout:
    """The page of an attempt that has one, as Stripe says."""
    try:
        session = await _in_time(
            provider.retrieve_checkout_session(session_id, attempt.stripe_account)
        )
    except PaymentError as error:
        if error.code != "resource_missing":
            raise
        session = None
    if session is None or session.client_reference_id != str(attempt.attempt_id):
        # Nobody pays on what is not this attempt's: the reconciler closes it.
        _log.error("checkout.page_unknown", attempt_id=str(attempt.attempt_id))
        raise _closing()
    if session.status == "complete":
        raise DomainError(
            "nothing_due", 409, "It was paid just now: look at the booking in a minute."
        )
    if session.url is None:
        raise _closing()
    return Checkout(session.url, attempt.expires_at, attempt.amount_cents, attempt.currency)


async def _in_time(work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(PROVIDER_SECONDS):
            return await work
    except TimeoutError as error:
        raise PaymentError("stripe_unreachable", "no answer in time", retryable=True) from error


async def _already_open(
    database: CheckoutDatabase,
    provider: CheckoutProvider,
    reference: str,
    manage_token: str,
    *,
    whole: bool,
) -> Checkout:
    attempt = await database.open_checkout(reference, manage_token, whole=whole)
    if attempt.closing:
        raise _closing()
    if attempt.session_id is None:
        raise DomainError(
            "checkout_in_progress", 409, "A payment page is being opened. Try again in a minute."
        )
    return await _open_page(provider, attempt, attempt.session_id)


def _closing() -> DomainError:
    return DomainError(
        "checkout_closing",
        409,
        "The former page is being closed. Try again in a minute.",
    )


async def _close(
    database: CheckoutDatabase, attempt: OpenCheckout, cause: EscapemasterError
) -> None:
    try:
        await database.fail_checkout(
            attempt.attempt_id, attempt.attempt_token, f"{cause.code}: {cause}"
        )
    except EscapemasterError as error:
        # The caller has to hear of the cause; the database closes the attempt by its age.
        _log.error("checkout.not_closed", attempt_id=str(attempt.attempt_id), exc_info=error)


def _address_of(session: CheckoutSession) -> str:
    if session.url is None or session.status != "open":
        raise PaymentError("session_not_open", session.status, retryable=False)
    return session.url


def _order(attempt: OpenCheckout, return_url: str) -> CheckoutOrder:
    return CheckoutOrder(
        attempt_id=attempt.attempt_id,
        organization_id=attempt.organization_id,
        reference=attempt.reference,
        amount_cents=attempt.amount_cents,
        currency=attempt.currency,
        description=attempt.description,
        customer_email=attempt.customer_email,
        locale=attempt.locale,
        expires_at=attempt.expires_at,
        success_url=_with_outcome(return_url, attempt.reference, "success"),
        cancel_url=_with_outcome(return_url, attempt.reference, "cancelled"),
        stripe_account=attempt.stripe_account,
        application_fee_cents=attempt.platform_fee_cents or None,
        delayed_methods=attempt.delayed_methods,
    )


def _with_outcome(return_url: str, reference: str, payment: str) -> str:
    parts = urlsplit(return_url)
    ours = {"reference": reference, "payment": payment}
    kept = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name not in ours
    ]
    return urlunsplit(parts._replace(query=urlencode([*kept, *ours.items()])))


def _origin(address: str) -> tuple[str, str, int]:
    url = _BROWSER_URL.validate_python(address)
    return url.scheme, url.host or "", url.port or 0
