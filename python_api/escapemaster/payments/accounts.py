"""A venue's own account at Stripe: opening it, connecting one that is there, reading it.

Whoever comes back from Stripe's pages proves nothing by that: the account is read anew.

What is done for a person is done with a pass (`public.open_billing`) that the database gave under
that person's own token: the service's key alone gives no venue an account.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID

from escapemaster.database.accounts import AccountDatabase, AppliedStripeAccount
from escapemaster.database.queue import Job
from escapemaster.errors import DomainError, PaymentError
from escapemaster.logging import get_logger
from escapemaster.payments.checkout import ReturnAddresses
from escapemaster.payments.stripe_gateway import StripeGateway
from escapemaster.payments.subscriptions import GetPass

#: Seconds that a person waits for Stripe in all.
PROVIDER_SECONDS: Final = 20.0
#: For so long (seconds) somebody may take to agree on Stripe's page.
STATE_SECONDS: Final = 60 * 60

T = TypeVar("T")

_log = get_logger("accounts")


class ConnectState:
    """Proves that who comes back with an account is who went, for the same organization.

    Without it somebody could lead an owner to an address that connects a stranger's account, into
    which the venue's players would pay from then on.
    """

    def __init__(self, secret: str, now: Callable[[], float] = time.time) -> None:
        """Make one. `secret`: one that only the service has."""
        self._key = hashlib.sha256(b"stripe-connect-state:" + secret.encode()).digest()
        self._now = now

    def issue(self, organization_id: UUID, user_id: UUID) -> str:
        """What Stripe hands back."""
        ends = int(self._now()) + STATE_SECONDS
        return f"{ends}.{self._proof(organization_id, user_id, ends)}"

    def check(self, state: str, organization_id: UUID, user_id: UUID) -> None:
        """Refuse what was not issued to them, or too long ago.

        Raises:
            DomainError: 409 `connection_expired`.
        """
        ends, _, proof = state.partition(".")
        if not (
            ends.isascii()
            and ends.isdigit()
            and len(ends) < 16
            and int(ends) > self._now()
            and hmac.compare_digest(
                proof.encode(), self._proof(organization_id, user_id, int(ends)).encode()
            )
        ):
            raise DomainError("connection_expired", 409, "Begin to connect the account again.")

    def _proof(self, organization_id: UUID, user_id: UUID, ends: int) -> str:
        text = f"{organization_id}:{user_id}:{ends}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()


async def open_account(
    database: AccountDatabase,
    provider: StripeGateway,
    organization_id: UUID,
    *,
    get_pass: GetPass,
    anew: bool,
    return_url: str | None,
    addresses: ReturnAddresses,
) -> str:
    """The address of the page on which a venue opens its account, or tells what is missing.

    Raises:
        DomainError: 404 `organization_not_found`; 422 `return_url_not_allowed`.
        PaymentError: Stripe made no page. Asking again is safe.
    """
    back = addresses.choose(return_url)
    billing_pass = await get_pass()
    order = await database.open_stripe_account(organization_id, billing_pass, anew=anew)
    account = order.account_id
    if account is None:
        made = await _in_time(
            provider.create_account(
                organization_id,
                name=order.organization_name,
                email=order.email,
                key=f"account-{order.id}",
            )
        )
        account = await database.record_stripe_account(
            organization_id, billing_pass, order.id, made
        )
        _log.info("account.opened", organization_id=str(organization_id), account=account)
    return await _in_time(
        provider.open_onboarding(
            account,
            return_url=_with_outcome(back, "returned"),
            refresh_url=_with_outcome(back, "refresh"),
        )
    )


def connection_page(provider: StripeGateway, state: str, back: str) -> str:
    """The address of the page on which the owner of an account agrees.

    Raises:
        DomainError: 409 `connect_not_offered`.
    """
    try:
        return provider.authorize_url(state=state, redirect_uri=back)
    except PaymentError as error:
        raise DomainError(
            "connect_not_offered", 409, "Open a new account: existing ones cannot be connected."
        ) from error


async def connect_account(
    database: AccountDatabase,
    provider: StripeGateway,
    organization_id: UUID,
    code: str,
    *,
    get_pass: GetPass,
) -> AppliedStripeAccount:
    """Take over the account whose owner has agreed at Stripe.

    Raises:
        DomainError: 404 `organization_not_found`; 409 `connection_expired` (the code was used, or
            is too old), `stripe_account_taken`.
        PaymentError: Stripe did not answer.
    """
    # Before the code is used up: it counts once.
    billing_pass = await get_pass()
    try:
        account = await _in_time(provider.authorized_account(code))
    except PaymentError as error:
        if error.retryable:
            raise
        raise DomainError(
            "connection_expired", 409, "Begin to connect the account again."
        ) from error
    await database.connect_stripe_account(organization_id, billing_pass, account)
    _log.info("account.connected", organization_id=str(organization_id), account=account)
    return await sync_account(database, provider, account, billing_pass)


async def sync_account(
    database: AccountDatabase, provider: StripeGateway, account: str, asked_by: Job | str
) -> AppliedStripeAccount:
    """Read what an account may do, and apply it: for a job, or with a person's pass."""
    read = await _in_time(provider.read_account(account))
    applied = await database.apply_stripe_account(read.as_json(), asked_by)
    if applied.outcome == "applied":
        _log.info(
            "account.read",
            organization_id=str(applied.organization_id),
            account=account,
            may_charge=applied.may_charge,
        )
    return applied


def _with_outcome(address: str, outcome: str) -> str:
    parts = urlsplit(address)
    kept = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name != "stripe_account"
    ]
    return urlunsplit(parts._replace(query=urlencode([*kept, ("stripe_account", outcome)])))


async def _in_time(work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(PROVIDER_SECONDS):
            return await work
    except TimeoutError as error:
        raise PaymentError("stripe_unreachable", "no answer in time", retryable=True) from error
