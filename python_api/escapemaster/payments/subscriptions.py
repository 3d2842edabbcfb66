"""What an organization pays the platform: subscribing, changing, and reading it from Stripe.

Whatever is changed at Stripe is read back at once and applied, as an event of it would be;
the event comes all the same and changes nothing more.

What is done for a person is done with a pass (`public.open_billing`) that the database gave under
that person's own token: the service's key alone neither opens nor records a page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID

from escapemaster.database.billing import AppliedBilling, BillingDatabase
from escapemaster.errors import DomainError, PaymentError
from escapemaster.logging import get_logger
from escapemaster.payments.checkout import ReturnAddresses
from escapemaster.payments.model import CheckoutSession, CustomerBilling, SubscriptionPage
from escapemaster.payments.stripe_gateway import StripeGateway

#: Seconds after which a person is answered, however many calls of Stripe were made until then.
PROVIDER_SECONDS: Final = 10.0

#: Gets a pass as the person who asks; only asked for once nothing else stands against it.
GetPass = Callable[[], Awaitable[str]]

T = TypeVar("T")

_log = get_logger("subscriptions")


class _Deadline:
    """The time that one request of a person has, all its calls of Stripe together."""

    def __init__(self) -> None:
        self._ends = asyncio.get_running_loop().time() + PROVIDER_SECONDS

    async def wait_for(self, work: Awaitable[T]) -> T:
        """The answer, if it comes before the time is over.

        Raises:
            PaymentError: `stripe_unreachable`.
        """
        try:
            async with asyncio.timeout_at(self._ends):
                return await work
        except TimeoutError as error:
            raise PaymentError("stripe_unreachable", "no answer in time", retryable=True) from error


async def start_subscription(
    database: BillingDatabase,
    provider: StripeGateway,
    organization_id: UUID,
    *,
    get_pass: GetPass,
    plan: str,
    interval: str,
    return_url: str | None,
    addresses: ReturnAddresses,
) -> str:
    """The address of the page on which an organization subscribes.

    Raises:
        DomainError: 404 `organization_not_found`; 409 `subscription_exists`, `checkout_closing`;
            422 `plan_not_offered`, `return_url_not_allowed`.
        PaymentError: Stripe made no page. Asking again is safe.
    """
    back = addresses.choose(return_url)
    deadline = _Deadline()
    billing_pass = await get_pass()
    order = await database.open_subscription_checkout(organization_id, billing_pass, plan, interval)
    if order.checkout_url is not None:
        return order.checkout_url
    customer = order.customer_id
    if customer is None:
        made = await deadline.wait_for(
            provider.create_customer(
                organization_id,
                name=order.organization_name,
                email=order.email,
                locale=order.locale,
                key=order.customer_key,
            )
        )
        customer = await database.record_stripe_customer(organization_id, billing_pass, made)
    if order.former_session_id is not None:
        await _close_former(database, provider, order.former_session_id, customer, deadline)
    try:
        session = await deadline.wait_for(
            provider.create_subscription_checkout(
                SubscriptionPage(
                    attempt_id=order.attempt_id,
                    customer_id=customer,
                    lookup_key=order.lookup_key,
                    trial_days=order.trial_days,
                    locale=order.locale,
                    success_url=back,
                    cancel_url=back,
                )
            )
        )
        url, expires_at = _open_page(session)
    except PaymentError as error:
        _log.warning("subscription.checkout_failed", code=error.code)
        if not error.retryable:
            # Such as another way back under the same key, or a customer that was deleted there.
            await database.close_subscription_checkout(
                organization_id, billing_pass, order.attempt_id
            )
            await _refresh(database, provider, customer, deadline)
        raise
    _log.info("subscription.checkout_opened", organization_id=str(organization_id), plan=plan)
    return await database.record_subscription_checkout(
        organization_id, billing_pass, order.attempt_id, session.id, url, expires_at
    )


async def open_portal(
    database: BillingDatabase,
    provider: StripeGateway,
    organization_id: UUID,
    *,
    return_url: str | None,
    addresses: ReturnAddresses,
) -> str:
    """The address of Stripe's portal: invoices, cards, cancelling.

    Raises:
        DomainError: 409 `subscription_missing` before the first checkout; 422
            `return_url_not_allowed`.
    """
    deadline = _Deadline()
    back = addresses.choose(return_url)
    account = await database.get_billing_account(str(organization_id))
    if account.customer_id is None:
        raise DomainError("subscription_missing", 409, "Subscribe first: there is no account yet.")
    return await deadline.wait_for(
        provider.open_portal(account.customer_id, return_url=back, locale=account.locale)
    )


async def change_plan(
    database: BillingDatabase,
    provider: StripeGateway,
    organization_id: UUID,
    *,
    get_pass: GetPass,
    plan: str,
    interval: str,
) -> str:
    """Go to another plan. Returns `upgrade`, `downgrade` or `stay`.

    Raises:
        DomainError: 409 `subscription_missing`, `subscription_overdue`, `payment_failed`; 422
            `plan_not_offered`.
    """
    deadline = _Deadline()
    change = await database.plan_subscription_change(
        organization_id, await get_pass(), plan, interval
    )
    if change.kind == "upgrade":
        work = provider.upgrade_subscription(change.subscription_id, change.lookup_key)
    elif change.kind == "downgrade":
        work = provider.downgrade_subscription(change.subscription_id, change.lookup_key)
    else:
        work = provider.resume_subscription(change.subscription_id)
    await _changed(database, provider, organization_id, work, deadline)
    return change.kind


async def cancel(database: BillingDatabase, provider: StripeGateway, organization_id: UUID) -> None:
    """End the subscription with its period.

    Raises:
        DomainError: 409 `subscription_missing`.
    """
    deadline = _Deadline()
    subscription = await _live(database, organization_id)
    work = provider.cancel_subscription(subscription)
    await _changed(database, provider, organization_id, work, deadline)


async def resume(database: BillingDatabase, provider: StripeGateway, organization_id: UUID) -> None:
    """Take back that the subscription ends, or changes, with its period.

    Raises:
        DomainError: 409 `subscription_missing`.
    """
    deadline = _Deadline()
    subscription = await _live(database, organization_id)
    work = provider.resume_subscription(subscription)
    await _changed(database, provider, organization_id, work, deadline)


async def sync_customer(
    database: BillingDatabase, provider: StripeGateway, customer_id: str
) -> AppliedBilling:
    """Read all that a customer has at Stripe, and apply it."""
    return await _apply(database, await provider.read_billing(customer_id))


async def forget_customer(
    database: BillingDatabase, provider: StripeGateway, customer_id: str
) -> AppliedBilling:
    """Read a customer, and take one that Stripe does not know for deleted there.

    For an operator who knows that the key is the right one. Nothing is lost by it at Stripe, and
    until the organization subscribes anew a reading that finds the customer puts all back.

    Raises:
        PaymentError: Stripe did not answer, or refused for another reason.
    """
    try:
        return await sync_customer(database, provider, customer_id)
    except PaymentError as error:
        if error.code != "resource_missing":
            raise
    _log.warning("subscription.customer_forgotten", customer=customer_id)
    return await _apply(
        database, CustomerBilling(customer_id, deleted=True, as_of=datetime.now(UTC))
    )


async def _apply(database: BillingDatabase, billing: CustomerBilling) -> AppliedBilling:
    applied = await database.apply_billing(billing.as_json())
    if applied.unknown_prices:
        _log.error(
            "subscription.price_of_no_plan",
            organization_id=str(applied.organization_id),
            prices=applied.unknown_prices,
        )
    if applied.changes:
        _log.info(
            "subscription.changed",
            organization_id=str(applied.organization_id),
            fields=[change.field for change in applied.changes],
        )
    return applied


def _open_page(session: CheckoutSession) -> tuple[str, datetime]:
    if session.url is None or session.expires_at is None:
        raise PaymentError("session_not_open", session.status, retryable=False)
    return session.url, session.expires_at


async def _live(database: BillingDatabase, organization_id: UUID) -> str:
    account = await database.get_billing_account(str(organization_id))
    if account.subscription_id is None:
        raise DomainError("subscription_missing", 409, "Subscribe first: no subscription goes on.")
    return account.subscription_id


async def _changed(
    database: BillingDatabase,
    provider: StripeGateway,
    organization_id: UUID,
    work: Awaitable[None],
    deadline: _Deadline,
) -> None:
    try:
        await deadline.wait_for(work)
    except PaymentError as error:
        if error.code in ("card_declined", "card_error", "authentication_required"):
            raise DomainError(
                "payment_failed", 409, "The card was refused, and nothing was changed."
            ) from error
        raise
    account = await database.get_billing_account(str(organization_id))
    if account.customer_id is not None:
        await _refresh(database, provider, account.customer_id, deadline)


async def _refresh(
    database: BillingDatabase, provider: StripeGateway, customer_id: str, deadline: _Deadline
) -> None:
    """Apply what is so now. If Stripe does not say, its event or the reconciler will."""
    try:
        await deadline.wait_for(sync_customer(database, provider, customer_id))
    except PaymentError as error:
        _log.warning("subscription.not_read_back", code=error.code)


async def _close_former(
    database: BillingDatabase,
    provider: StripeGateway,
    session_id: str,
    customer_id: str,
    deadline: _Deadline,
) -> None:
    """Close the page for something else; who has paid on it meanwhile has a subscription."""
    former = await deadline.wait_for(provider.expire_checkout_session(session_id))
    if former.status == "complete":
        await _refresh(database, provider, customer_id, deadline)
        raise DomainError("subscription_exists", 409, "Change the subscription that there is.")
