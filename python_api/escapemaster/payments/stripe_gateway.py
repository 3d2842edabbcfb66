"""Stripe: with `account_calls`, `billing_calls` and `stripe_errors` all that imports its SDK.

Objects come back in our own words (`model`), errors as `PaymentError`. Every write carries an
idempotency key that is derived from the thing it does, so a repeated job or a lost answer never
charges or refunds twice (https://docs.stripe.com/api/idempotent_requests).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

import httpx
import stripe
from pydantic import BaseModel, ValidationError
from stripe.params import EventListParams, RefundCreateParams, RefundListParams
from stripe.params.checkout import (
    SessionCreateParams,
    SessionCreateParamsPaymentIntentData,
)

from escapemaster.currencies import CURRENCIES
from escapemaster.errors import PaymentError, SignatureError
from escapemaster.payments.account_calls import AccountCalls
from escapemaster.payments.billing_calls import BillingCalls
from escapemaster.payments.model import (
    CheckoutOrder,
    CheckoutSession,
    Dispute,
    Refund,
    RefundOrder,
    StripeEvent,
)
from escapemaster.payments.stripe_errors import translated_errors

#: The version of Stripe's API that this code is written for. It travels with every request, so
#: that an upgrade in Stripe's dashboard changes nothing here.
API_VERSION: Final = "2026-10-28.endive"

#: Seconds by which a webhook's timestamp may lie in the past (Stripe's own recommendation).
WEBHOOK_TOLERANCE: Final = 300

#: What the reconciler asks for: the events whose objects this service acts on. Stripe allows 20.
RECONCILED_EVENTS: Final = (
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "invoice.paid",
    "invoice.payment_failed",
    "account.updated",
    "account.application.deauthorized",
)

#: Stripe's page speaks no Catalan; Spanish is what its readers understand best.
#: https://docs.stripe.com/js/appendix/supported_locales
_LOCALES: Final[Mapping[str, Literal["es", "en"]]] = {"es": "es", "ca": "es", "en": "en"}

#: Names the booking's own language in the metadata of a Checkout Session.
_BOOKING_LOCALE: Final = "booking_locale"

#: Methods whose money arrives days later, or not: a place would be kept, or sold again, meanwhile.
#: https://docs.stripe.com/payments/payment-methods#payment-notification
DELAYED_METHODS: Final = (
    "acss_debit",
    "au_becs_debit",
    "bacs_debit",
    "boleto",
    "customer_balance",
    "konbini",
    "multibanco",
    "nz_bank_account",
    "oxxo",
    "payto",
    "sepa_debit",
    "sofort",
    "us_bank_account",
)

#: Pages of 100 events that one look of the reconciler reads at most.
_MAX_EVENT_PAGES: Final = 20


class StripeGateway(AccountCalls, BillingCalls):
    """What this product asks of Stripe.

    Every method takes the connected account for which it acts, or None for the platform's own.

    Raises:
        PaymentError: From every method; `retryable` says whether to try again later.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        secret_key: str,
        webhook_secret: str,
        connect_webhook_secret: str | None = None,
        connect_client_id: str | None = None,
        api_base: str | None = None,
        max_network_retries: int = 2,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Make a gateway.

        Args:
            http: Connections to Stripe.
            secret_key: `sk_…` or a restricted key.
            webhook_secret: `whsec_…` of the endpoint.
            connect_webhook_secret: That of the endpoint for events of connected accounts.
            connect_client_id: `ca_…`, by which existing accounts are connected; None: they are not.
            api_base: Another address than Stripe's, such as the sandbox's.
            max_network_retries: Further tries within one call, with the same idempotency key.
            now: The clock, for tests.
        """
        base = api_base.rstrip("/") if api_base else None
        self._client = stripe.StripeClient(
            secret_key,
            stripe_version=API_VERSION,
            base_addresses={"api": base, "connect": base} if base else None,
            max_network_retries=max_network_retries,
            http_client=_HttpxClient(http),
        )
        self._stripe = self._client.v1
        self._webhook_secrets = [webhook_secret]
        if connect_webhook_secret:
            self._webhook_secrets.append(connect_webhook_secret)
        self._connect_client_id = connect_client_id
        self._live = "_live_" in secret_key
        self._now = now

    # -- checkout ------------------------------------------------------------------------------

    async def create_checkout_session(self, order: CheckoutOrder) -> CheckoutSession:
        """Create the page on which `order` is paid, or return the one that was created for it.

        Raises:
            PaymentError: `idempotency_conflict` if a session was created for this attempt with
                other parameters.
        """
        metadata = {
            "attempt_id": str(order.attempt_id),
            "organization_id": str(order.organization_id),
            "booking_reference": order.reference,
        }
        payment: SessionCreateParamsPaymentIntentData = {
            "metadata": metadata,
            "description": order.description,
        }
        if order.stripe_account and order.application_fee_cents:
            payment["application_fee_amount"] = _to_stripe(
                order.application_fee_cents, order.currency
            )
        parameters: SessionCreateParams = {
            "mode": "payment",
            "client_reference_id": str(order.attempt_id),
            "expires_at": int(order.expires_at.timestamp()),
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.currency.lower(),
                        "unit_amount": _to_stripe(order.amount_cents, order.currency),
                        "product_data": {"name": order.description},
                    },
                }
            ],
            # The language itself, for whoever speaks more of them than Stripe's own page.
            "metadata": {**metadata, _BOOKING_LOCALE: order.locale},
            "payment_intent_data": payment,
            "success_url": order.success_url,
            "cancel_url": order.cancel_url,
        }
        if not order.delayed_methods:
            parameters["excluded_payment_method_types"] = list(DELAYED_METHODS)
        # Left out, Stripe asks for it.
        if order.customer_email:
            parameters["customer_email"] = order.customer_email
        # Left out, Stripe follows the browser's language.
        if order.locale in _LOCALES:
            parameters["locale"] = _LOCALES[order.locale]
        asked = self._now()
        with translated_errors():
            session = await self._stripe.checkout.sessions.create_async(
                parameters,
                {
                    "idempotency_key": f"checkout-{order.attempt_id}",
                    "stripe_account": order.stripe_account,
                },
            )
        return _checkout_session(session, asked)

    async def retrieve_checkout_session(
        self, session_id: str, account: str | None = None
    ) -> CheckoutSession:
        """The current state of a session."""
        asked = self._now()
        with translated_errors():
            session = await self._stripe.checkout.sessions.retrieve_async(
                session_id,
                # Its intent says whether a payment that takes days is under way or was refused.
                {"expand": ["payment_intent"]},
                {"stripe_account": account},
            )
        return _checkout_session(session, asked)

    async def expire_checkout_session(
        self, session_id: str, account: str | None = None
    ) -> CheckoutSession:
        """Close a session so that nobody can pay on it any more.

        Returns:
            Its state afterwards: `complete` if somebody was faster.
        """
        asked = self._now()
        try:
            with translated_errors():
                session = await self._stripe.checkout.sessions.expire_async(
                    session_id, options={"stripe_account": account}
                )
        except PaymentError as error:
            if error.retryable:
                raise
            # Only open sessions can be expired. If this one is not, its state is the answer.
            current = await self.retrieve_checkout_session(session_id, account)
            if current.status == "open":
                raise
            return current
        return _checkout_session(session, asked)

    # -- refunds -------------------------------------------------------------------------------

    async def create_refund(self, order: RefundOrder) -> Refund:
        """Pay back, once per refund request."""
        parameters: RefundCreateParams = {
            "payment_intent": order.payment_intent,
            "amount": _to_stripe(order.amount_cents, order.currency),
            "metadata": {
                "refund_request_id": str(order.refund_request_id),
                "organization_id": str(order.organization_id),
            },
        }
        if order.refund_fee:
            parameters["refund_application_fee"] = True
        asked = self._now()
        with translated_errors():
            refund = await self._stripe.refunds.create_async(
                parameters,
                {
                    # The amount too: what is left of a request after the provider paid back a part
                    # of it is another refund. A refusal is repeated for its key as an answer is, so
                    # what was refused for a dispute is asked for anew once that is heard of.
                    "idempotency_key": f"refund-{order.refund_request_id}-{order.amount_cents}"
                    + (f"-{order.disputes}" if order.disputes else ""),
                    "stripe_account": order.stripe_account,
                },
            )
        return _refund(refund, asked)

    async def retrieve_refund(self, refund_id: str, account: str | None = None) -> Refund:
        """The current state of a refund."""
        asked = self._now()
        with translated_errors():
            refund = await self._stripe.refunds.retrieve_async(
                refund_id, options={"stripe_account": account}
            )
        return _refund(refund, asked)

    async def list_refunds(self, payment_intent: str, account: str | None = None) -> list[Refund]:
        """All refunds of a payment, whoever made them, oldest first.

        Asked before each new one: Stripe forgets idempotency keys after a day, and a restored
        database forgets what it asked for. https://docs.stripe.com/api/refunds/list
        """
        found: list[Refund] = []
        parameters: RefundListParams = {"payment_intent": payment_intent, "limit": 100}
        while True:
            asked = self._now()
            with translated_errors():
                page = await self._stripe.refunds.list_async(
                    parameters, {"stripe_account": account}
                )
            found.extend(_refund(refund, asked) for refund in page.data)
            if not page.has_more or not page.data:
                return found[::-1]
            parameters["starting_after"] = page.data[-1].id

    # -- disputes ------------------------------------------------------------------------------

    async def retrieve_dispute(self, dispute_id: str, account: str | None = None) -> Dispute:
        """The current state of a dispute: https://docs.stripe.com/api/disputes/object."""
        asked = self._now()
        with translated_errors():
            dispute = await self._stripe.disputes.retrieve_async(
                dispute_id, options={"stripe_account": account}
            )
        return _dispute(dispute, asked)

    # -- events --------------------------------------------------------------------------------

    async def list_recent_events(
        self,
        since: datetime,
        types: Sequence[str] = RECONCILED_EVENTS,
        account: str | None = None,
    ) -> AsyncIterator[StripeEvent]:
        """An account's events since `since`, newest first: what webhooks may have lost.

        https://docs.stripe.com/webhooks/process-undelivered-events
        """
        last: str | None = None
        for _ in range(_MAX_EVENT_PAGES):
            parameters: EventListParams = {
                "created": {"gte": int(since.timestamp())},
                "types": list(types),
                "limit": 100,
            }
            if last is not None:
                parameters["starting_after"] = last
            with translated_errors():
                page = await self._stripe.events.list_async(parameters, {"stripe_account": account})
            for event in page.data:
                last = event.id
                parsed = _event(_Envelope.model_validate(event.to_dict()))
                if parsed is not None:
                    # Stripe names the account in what it delivers, not in the account's list.
                    yield replace(parsed, account=account)
            if not page.has_more:
                return

    def verify_webhook(self, body: bytes, signature: str | None) -> StripeEvent | None:
        """Check a delivery and read which object it is about.

        Args:
            body: The raw body, byte for byte.
            signature: The header `Stripe-Signature`.

        Returns:
            The event, or None if its object has no identity to look up (such as a balance), or if
            it is a rehearsal: Stripe sends those of connected accounts to live endpoints, too.

        Raises:
            SignatureError: Not signed with our secret, too old, or not an event.
        """
        try:
            # Stripe's own check: https://docs.stripe.com/webhooks#verify-manually
            self._verify(body, signature)
            event = _event(_Envelope.model_validate_json(body))
        except (stripe.SignatureVerificationError, UnicodeDecodeError):
            raise SignatureError("signature does not match") from None
        except ValidationError:
            raise SignatureError("the body is not a Stripe event") from None
        rehearsal = event is not None and event.account is not None and not event.livemode
        return None if rehearsal and self._live else event

    def _verify(self, body: bytes, signature: str | None) -> None:
        for secret in self._webhook_secrets[:-1]:
            try:
                stripe.WebhookSignature.verify_header(body, signature, secret, WEBHOOK_TOLERANCE)
            except stripe.SignatureVerificationError:
                continue
            return
        stripe.WebhookSignature.verify_header(
            body, signature, self._webhook_secrets[-1], WEBHOOK_TOLERANCE
        )


class _EventObject(BaseModel):
    object: str
    id: str | None = None


class _EventData(BaseModel):
    object: _EventObject


class _Envelope(BaseModel):
    """The part of an event (https://docs.stripe.com/api/events/object) that is looked at."""

    id: str
    type: str
    created: int
    livemode: bool = False
    account: str | None = None
    data: _EventData


class _HttpxClient(stripe.HTTPClient):
    """The SDK's own extension point, over connections that the caller made and will close."""

    name = "httpx"

    def __init__(self, http: httpx.AsyncClient) -> None:
        super().__init__()
        self._http = http

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            response = await self._http.request(method, url, headers=headers, content=post_data)
        except httpx.HTTPError as error:
            unreachable = stripe.APIConnectionError(  # type: ignore[no-untyped-call]
                type(error).__name__, should_retry=True
            )
            raise unreachable from error
        return response.content, response.status_code, response.headers

    async def sleep_async(self, secs: float) -> None:
        await asyncio.sleep(secs)


def _checkout_session(session: stripe.checkout.Session, asked: datetime) -> CheckoutSession:
    currency = session.currency.upper() if session.currency else None
    return CheckoutSession(
        id=session.id,
        status=session.status or "open",
        payment_status=session.payment_status,
        as_of=asked,
        url=session.url,
        payment_intent=_id(session.payment_intent),
        payment_intent_status=(
            None
            if session.payment_intent is None or isinstance(session.payment_intent, str)
            else session.payment_intent.status
        ),
        amount_total=(
            None
            if session.amount_total is None or currency is None
            else _from_stripe(session.amount_total, currency)
        ),
        currency=currency,
        client_reference_id=session.client_reference_id,
        customer=_id(session.customer) if _subscribes(session) else None,
        expires_at=datetime.fromtimestamp(session.expires_at, UTC),
    )


def _subscribes(session: stripe.checkout.Session) -> bool:
    return getattr(session, "mode", None) == "subscription"


def _refund(refund: stripe.Refund, asked: datetime) -> Refund:
    currency = refund.currency.upper()
    return Refund(
        id=refund.id,
        status=refund.status or "pending",
        amount=_from_stripe(refund.amount, currency),
        currency=currency,
        as_of=asked,
        payment_intent=_id(refund.payment_intent),
        refund_request_id=_refund_request_id(refund),
    )


def _dispute(dispute: stripe.Dispute, asked: datetime) -> Dispute:
    currency = dispute.currency.upper()
    due_by = dispute.evidence_details.due_by
    return Dispute(
        id=dispute.id,
        status=dispute.status,
        reason=dispute.reason,
        amount=_from_stripe(dispute.amount, currency),
        currency=currency,
        as_of=asked,
        payment_intent=_id(dispute.payment_intent),
        respond_by=None if due_by is None else datetime.fromtimestamp(due_by, UTC),
    )


def _event(envelope: _Envelope) -> StripeEvent | None:
    subject = envelope.data.object
    if subject.id is None:
        return None
    return StripeEvent(
        id=envelope.id,
        type=envelope.type,
        created=envelope.created,
        object_type=subject.object,
        object_id=subject.id,
        livemode=envelope.livemode,
        account=envelope.account,
    )


def _refund_request_id(refund: stripe.Refund) -> str | None:
    """Our id in a refund's metadata. Other products may share the account and the name."""
    metadata = refund.metadata
    if metadata is None or "refund_request_id" not in metadata:
        return None
    try:
        return str(UUID(metadata["refund_request_id"]))
    except ValueError:
        return None


def _id(reference: str | stripe.PaymentIntent | stripe.Customer | None) -> str | None:
    """Stripe hands a related object over as its id, or as a whole when it is asked to."""
    return reference if reference is None or isinstance(reference, str) else reference.id


def _to_stripe(amount: int, currency: str) -> int:
    return amount * CURRENCIES[currency].factor


def _from_stripe(amount: int, currency: str) -> int:
    # Other products may share the account, and sell in what is no currency of ours.
    known = CURRENCIES.get(currency)
    return amount if known is None else amount // known.factor
