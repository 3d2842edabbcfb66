"""What this product asks of Stripe Billing: what organizations pay the platform.

All of it is the platform's own account. Writes that create something carry an idempotency key; a
change of a subscription is looked up before it is made, so that repeating it does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

import stripe
from stripe.params import (
    CustomerCreateParams,
    SubscriptionListParams,
    SubscriptionScheduleUpdateParamsPhase,
    SubscriptionUpdateParams,
)
from stripe.params.billing_portal import SessionCreateParams as PortalCreateParams
from stripe.params.checkout import SessionCreateParams

from escapemaster.currencies import CURRENCIES
from escapemaster.errors import PaymentError
from escapemaster.payments.model import (
    CheckoutSession,
    CustomerBilling,
    Price,
    Subscription,
    SubscriptionPage,
)
from escapemaster.payments.stripe_errors import translated_errors

if TYPE_CHECKING:
    from stripe._v1_services import V1Services

#: Stripe's pages speak no Catalan; Spanish is what its readers understand best.
_LOCALES: Final[dict[str, Literal["es", "en"]]] = {"es": "es", "ca": "es", "en": "en"}
_MAX_PAGES: Final = 20


class BillingCalls:
    """The calls about customers and their subscriptions.

    Raises:
        PaymentError: From every method; `retryable` says whether to try again later.
    """

    _stripe: V1Services
    _now: Callable[[], datetime]

    async def create_customer(
        self, organization_id: UUID, *, name: str, email: str | None, locale: str, key: str
    ) -> str:
        """Make an organization's customer, once a key. Returns its id."""
        parameters: CustomerCreateParams = {
            "name": name,
            "metadata": {"organization_id": str(organization_id)},
            "preferred_locales": [_LOCALES.get(locale, "en")],
        }
        if email:
            parameters["email"] = email
        try:
            with translated_errors():
                customer = await self._stripe.customers.create_async(
                    parameters, {"idempotency_key": key}
                )
        except PaymentError as error:
            if error.code != "idempotency_conflict":
                raise
            # Asked before under another name or address; who it is is written down at once, so
            # that this happens in the moment between only.
            raise PaymentError(error.code, str(error), retryable=True) from error
        return customer.id

    async def price_of(self, lookup_key: str) -> str:
        """The id of the active price with a lookup key."""
        with translated_errors():
            found = await self._stripe.prices.list_async(
                {"lookup_keys": [lookup_key], "active": True, "limit": 1}
            )
        if not found.data:
            raise PaymentError("price_missing", f"no price has {lookup_key}", retryable=False)
        return found.data[0].id

    async def create_subscription_checkout(self, order: SubscriptionPage) -> CheckoutSession:
        """Create the page on which an organization subscribes, or return it.

        https://docs.stripe.com/api/checkout/sessions/create
        """
        price = await self.price_of(order.lookup_key)
        parameters: SessionCreateParams = {
            "mode": "subscription",
            "customer": order.customer_id,
            "client_reference_id": str(order.attempt_id),
            "line_items": [{"price": price, "quantity": 1}],
            "success_url": order.success_url,
            "cancel_url": order.cancel_url,
            "locale": _LOCALES.get(order.locale, "auto"),
        }
        if order.trial_days:
            parameters["subscription_data"] = {"trial_period_days": order.trial_days}
        asked = self._now()
        with translated_errors():
            session = await self._stripe.checkout.sessions.create_async(
                parameters, {"idempotency_key": f"subscription-checkout-{order.attempt_id}"}
            )
        return CheckoutSession(
            id=session.id,
            status=session.status or "open",
            payment_status=session.payment_status,
            as_of=asked,
            url=session.url,
            customer=order.customer_id,
            expires_at=_instant(session.expires_at),
        )

    async def open_portal(self, customer_id: str, *, return_url: str, locale: str) -> str:
        """The address of a page on which the customer pays, cancels and reads invoices."""
        parameters: PortalCreateParams = {
            "customer": customer_id,
            "return_url": return_url,
            "locale": _LOCALES.get(locale, "auto"),
        }
        with translated_errors():
            session = await self._stripe.billing_portal.sessions.create_async(parameters)
        return session.url

    # -- reading -------------------------------------------------------------------------------

    async def customer_of(self, object_type: str, object_id: str) -> str | None:
        """Whose a subscription or an invoice is; a customer is its own."""
        if object_type == "customer":
            return object_id
        with translated_errors():
            if object_type == "subscription":
                return _id((await self._stripe.subscriptions.retrieve_async(object_id)).customer)
            return _id((await self._stripe.invoices.retrieve_async(object_id)).customer)

    async def read_billing(self, customer_id: str) -> CustomerBilling:
        """All subscriptions of a customer, also those that are over.

        One that Stripe does not know is an error, and not "deleted": a wrong key must not end
        everybody's subscription.
        """
        asked = self._now()
        with translated_errors():
            customer = await self._stripe.customers.retrieve_async(customer_id)
        if getattr(customer, "deleted", False):
            return CustomerBilling(customer_id, deleted=True, as_of=asked)
        found: list[Subscription] = []
        last: str | None = None
        for _ in range(_MAX_PAGES):
            parameters: SubscriptionListParams = {
                "customer": customer_id,
                "status": "all",
                "limit": 100,
                "expand": ["data.latest_invoice", "data.schedule"],
            }
            if last is not None:
                parameters["starting_after"] = last
            with translated_errors():
                page = await self._stripe.subscriptions.list_async(parameters)
            for each in page.data:
                last = each.id
                if each["items"].data:
                    found.append(_subscription(each, await self._next_price(each)))
            if not page.has_more:
                break
        return CustomerBilling(customer_id, deleted=False, as_of=asked, subscriptions=tuple(found))

    async def _next_price(self, subscription: stripe.Subscription) -> Price | None:
        """What the schedule has for the next period, if anything else."""
        schedule = subscription.schedule
        if not isinstance(schedule, stripe.SubscriptionSchedule) or schedule.status != "active":
            return None
        ends = subscription["items"].data[0].current_period_end
        for phase in schedule.phases:
            if phase.start_date >= ends:
                price = phase["items"][0].price
                with translated_errors():
                    return _price(await self._stripe.prices.retrieve_async(_id(price) or ""))
        return None

    # -- changing ------------------------------------------------------------------------------

    async def upgrade_subscription(self, subscription_id: str, lookup_key: str) -> None:
        """Go to a price at once; what is left of the former one counts, the rest is paid.

        A card that is refused changes nothing (402 `card_declined`, not retryable).
        https://docs.stripe.com/billing/subscriptions/prorations
        """
        price = await self.price_of(lookup_key)
        subscription = await self._without_schedule(subscription_id)
        await self._go_on(subscription)
        item = subscription["items"].data[0]
        if item.price.id == price:
            return
        with translated_errors():
            await self._stripe.subscriptions.update_async(
                subscription_id,
                {
                    "items": [{"id": item.id, "price": price}],
                    "proration_behavior": "always_invoice",
                    "payment_behavior": "error_if_incomplete",
                },
            )

    async def downgrade_subscription(self, subscription_id: str, lookup_key: str) -> None:
        """Go to a price when the present period ends.

        https://docs.stripe.com/billing/subscriptions/subscription-schedules
        """
        price = await self.price_of(lookup_key)
        subscription = await self._without_schedule(subscription_id)
        await self._go_on(subscription)
        item = subscription["items"].data[0]
        if item.price.id == price:
            return
        with translated_errors():
            new = await self._stripe.prices.retrieve_async(price)
            schedule = await self._stripe.subscription_schedules.create_async(
                {"from_subscription": subscription_id}
            )
            present: SubscriptionScheduleUpdateParamsPhase = {
                "items": [{"price": item.price.id, "quantity": 1}],
                "start_date": schedule.phases[0].start_date,
                "end_date": item.current_period_end,
            }
            if subscription.status == "trialing" and subscription.trial_end:
                present["trial_end"] = subscription.trial_end
            interval = "year" if new.recurring and new.recurring.interval == "year" else "month"
            await self._stripe.subscription_schedules.update_async(
                schedule.id,
                {
                    "end_behavior": "release",
                    "phases": [
                        present,
                        {
                            "items": [{"price": price, "quantity": 1}],
                            "duration": {"interval": interval, "interval_count": 1},
                            "proration_behavior": "none",
                        },
                    ],
                },
            )

    async def cancel_subscription(self, subscription_id: str) -> None:
        """End it when the present period ends."""
        subscription = await self._without_schedule(subscription_id)
        if not subscription.cancel_at_period_end:
            with translated_errors():
                await self._stripe.subscriptions.update_async(
                    subscription_id, {"cancel_at_period_end": True}
                )

    async def resume_subscription(self, subscription_id: str) -> None:
        """Take back that it ends, or changes, with the period."""
        await self._go_on(await self._without_schedule(subscription_id))

    async def _without_schedule(self, subscription_id: str) -> stripe.Subscription:
        with translated_errors():
            subscription = await self._stripe.subscriptions.retrieve_async(subscription_id)
            schedule = _id(subscription.schedule)
            if schedule is not None:
                await self._stripe.subscription_schedules.release_async(schedule)
        return subscription

    async def _go_on(self, subscription: stripe.Subscription) -> None:
        changes: SubscriptionUpdateParams = {}
        if subscription.cancel_at_period_end:
            changes["cancel_at_period_end"] = False
        elif subscription.cancel_at is not None:
            changes["cancel_at"] = ""
        if changes:
            with translated_errors():
                await self._stripe.subscriptions.update_async(subscription.id, changes)


def _subscription(found: stripe.Subscription, next_price: Price | None) -> Subscription:
    # The period is the items' since 2025-03-31: https://docs.stripe.com/changelog/basil
    item = found["items"].data[0]
    cancel_at = found.cancel_at
    if cancel_at is None and found.cancel_at_period_end:
        cancel_at = item.current_period_end
    invoice = found.latest_invoice
    due = 0
    if isinstance(invoice, stripe.Invoice) and invoice.status == "open":
        due = _from_stripe(invoice.amount_remaining, invoice.currency.upper())
    return Subscription(
        id=found.id,
        status=found.status,
        created=_instant(found.created),
        price=_price(item.price, item.quantity or 1),
        next_price=next_price,
        current_period_start=_instant(item.current_period_start),
        current_period_end=_instant(item.current_period_end),
        trial_start=_instant_or_none(found.trial_start),
        trial_end=_instant_or_none(found.trial_end),
        cancel_at=_instant_or_none(cancel_at),
        due=due,
    )


def _price(price: stripe.Price, quantity: int = 1) -> Price:
    currency = price.currency.upper()
    interval = price.recurring.interval if price.recurring else None
    return Price(
        id=price.id,
        lookup_key=price.lookup_key,
        # Weekly and daily prices are no plan's.
        interval=interval if interval in ("month", "year") else None,
        amount=(
            None
            if price.unit_amount is None
            else _from_stripe(price.unit_amount * quantity, currency)
        ),
        currency=currency,
    )


def _from_stripe(amount: int, currency: str) -> int:
    known = CURRENCIES.get(currency)
    return amount if known is None else amount // known.factor


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _instant_or_none(seconds: int | None) -> datetime | None:
    return None if seconds is None else _instant(seconds)


def _id(
    reference: str | stripe.Customer | stripe.Price | stripe.SubscriptionSchedule | None,
) -> str | None:
    return reference if reference is None or isinstance(reference, str) else reference.id
