"""What an organization pays the platform: subscribing, changing, and reading it from Stripe.

Whatever is changed at Stripe is read back at once and applied, as an event of it would be;
the event comes all the same and changes nothing more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from escapemaster.database.billing import AppliedBilling, BillingDatabase
from escapemaster.errors import DomainError, PaymentError
from escapemaster.logging import get_logger
from escapemaster.payments.checkout import ReturnAddresses
from escapemaster.payments.model import CheckoutSession, SubscriptionPage
from escapemaster.payments.stripe_gateway import StripeGateway

#: Seconds that a person waits for Stripe in all.
PROVIDER_SECONDS: Final = 20.0

T = TypeVar("T")

_log = get_logger("subscriptions")


async def start_subscription(
    database: BillingDatabase,
    provider: StripeGateway,
    organization_id: UUID,
    *,
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
    order = await database.open_subscription_checkout(organization_id, plan, interval)
    if order.checkout_url is not None:
        return order.checkout_url
    customer = order.customer_id
    if customer is None:
        made = await _in_time(
            provider.create_customer(
                organization_id,
                name=order.organization_name,
                email=order.email,
                locale=order.locale,
                key=order.customer_key,
            )
        )
        customer = await database.record_stripe_customer(organization_id, made)
    if order.former_session_id is not None:
        await _close_former(database, provider, order.former_session_id, customer)
    try:
        session = await _in_time(
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
            await database.close_subscription_checkout(organization_id, order.attempt_id)
            await _refresh(database, provider, customer)
        raise
    _log.info("subscription.checkout_opened", organization_id=str(organization_id), plan=plan)
    return await database.record_subscription_checkout(
        organization_id, order.attempt_id, session.id, url, expires_at
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
    back = addresses.choose(return_url)
    account = await database.get_billing_account(str(organization_id))
    if account.customer_id is None:
        raise DomainError("subscription_missing", 409, "Subscribe first: there is no account yet.")
    return await _in_time(
        provider.open_portal(account.customer_id, return_url=back, locale=account.locale)
    )


async def change_plan(
    database: BillingDatabase,
    provider: StripeGateway,
    organization_id: UUID,
    *,
    plan: str,
    interval: str,
) -> str:
    """Go to another plan. Returns `upgrade`, `downgrade` or `stay`.

    Raises:
        DomainError: 409 `subscription_missing`, `subscription_overdue`, `payment_failed`; 422
            `plan_not_offered`.
    """
    change = await database.plan_subscription_change(organization_id, plan, interval)
    if change.kind == "upgrade":
        work = provider.upgrade_subscription(change.subscription_id, change.lookup_key)
    elif change.kind == "downgrade":
        work = provider.downgrade_subscription(change.subscription_id, change.lookup_key)
    else:
        work = provider.resume_subscription(change.subscription_id)
    await _changed(database, provider, organization_id, work)
    return change.kind


async def cancel(database: BillingDatabase, provider: StripeGateway, organization_id: UUID) -> None:
    """End the subscription with its period.

    Raises:
        DomainError: 409 `subscription_missing`.
    """
    subscription = await _live(database, organization_id)
    await _changed(database, provider, organization_id, provider.cancel_subscription(subscription))


async def resume(database: BillingDatabase, provider: StripeGateway, organization_id: UUID) -> None:
    """Take back that the subscription ends, or changes, with its period.

    Raises:
        DomainError: 409 `subscription_missing`.
    """
    subscription = await _live(database, organization_id)
    await _changed(database, provider, organization_id, provider.resume_subscription(subscription))


async def sync_customer(
    database: BillingDatabase, provider: StripeGateway, customer_id: str
) -> AppliedBilling:
    """Read all that a customer has at Stripe, and apply it."""
    billing = await provider.read_billing(customer_id)
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
    database: BillingDatabase, provider: StripeGateway, organization_id: UUID, work: Awaitable[None]
) -> None:
    try:
        await _in_time(work)
    except PaymentError as error:
        if error.code in ("card_declined", "card_error", "authentication_required"):
            raise DomainError(
                "payment_failed", 409, "The card was refused, and nothing was changed."
            ) from error
        raise
    account = await database.get_billing_account(str(organization_id))
    if account.customer_id is not None:
        await _refresh(database, provider, account.customer_id)


async def _refresh(database: BillingDatabase, provider: StripeGateway, customer_id: str) -> None:
    """Apply what is so now. If Stripe does not say, its event or the reconciler will."""
    try:
        await _in_time(sync_customer(database, provider, customer_id))
    except PaymentError as error:
        _log.warning("subscription.not_read_back", code=error.code)


async def _close_former(
    database: BillingDatabase, provider: StripeGateway, session_id: str, customer_id: str
) -> None:
    """Close the page for something else; who has paid on it meanwhile has a subscription."""
    former = await _in_time(provider.expire_checkout_session(session_id))
    if former.status == "complete":
        await _refresh(database, provider, customer_id)
        raise DomainError("subscription_exists", 409, "Change the subscription that there is.")


async def _in_time(work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(PROVIDER_SECONDS):
            return await work
    except TimeoutError as error:
        raise PaymentError("stripe_unreachable", "no answer in time", retryable=True) from error
