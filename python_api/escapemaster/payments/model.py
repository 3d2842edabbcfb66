"""What crosses the boundary to the payment provider, in our own words.

Amounts are integers in minor units of an upper-case ISO 4217 currency. `as_of` is the moment in
which the state was asked for: the database never lets an older state overwrite a newer one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class CheckoutOrder:
    """What a player is asked to pay, until when, and where the browser goes afterwards."""

    attempt_id: UUID
    organization_id: UUID
    reference: str
    amount_cents: int
    currency: str
    description: str
    customer_email: str | None
    locale: str
    expires_at: datetime
    success_url: str
    cancel_url: str
    stripe_account: str | None = None
    application_fee_cents: int | None = None
    delayed_methods: bool = False


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    """The state of a Checkout Session.

    `status` is `open`, `complete` or `expired`; `payment_status` is `paid`, `unpaid` or
    `no_payment_required`. Money has arrived only when it is `paid`: a complete session may wait
    for a slow method. Then `payment_intent_status` says, where it was read, whether that is under
    way (`processing`) or was refused (`requires_payment_method`).
    """

    id: str
    status: str
    payment_status: str
    as_of: datetime
    url: str | None = None
    payment_intent: str | None = None
    payment_intent_status: str | None = None
    amount_total: int | None = None
    currency: str | None = None
    client_reference_id: str | None = None
    expires_at: datetime | None = None
    #: Who subscribes on it; None: a booking is paid on it.
    customer: str | None = None

    def as_json(self) -> dict[str, object]:
        """The shape that `service.apply_checkout_session` takes."""
        return {
            "id": self.id,
            "status": self.status,
            "payment_status": self.payment_status,
            "payment_intent": self.payment_intent,
            "payment_intent_status": self.payment_intent_status,
            "amount_total": self.amount_total,
            "currency": self.currency,
            "client_reference_id": self.client_reference_id,
            "as_of": self.as_of.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """What is to be paid back, and on account of which request of ours."""

    refund_request_id: UUID
    organization_id: UUID
    payment_intent: str
    amount_cents: int
    currency: str
    stripe_account: str | None = None
    #: Whether the platform took a fee of the payment: its part goes back, too.
    refund_fee: bool = False
    #: How many disputes of the payment are known: what Stripe refused before is asked for anew.
    disputes: int = 0


@dataclass(frozen=True, slots=True)
class Refund:
    """The state of a refund: `pending`, `requires_action`, `succeeded`, `failed`, `canceled`."""

    id: str
    status: str
    amount: int
    currency: str
    as_of: datetime
    payment_intent: str | None = None
    refund_request_id: str | None = None

    def as_json(self) -> dict[str, object]:
        """The shape that `service.apply_refund` takes."""
        return {
            "id": self.id,
            "status": self.status,
            "amount": self.amount,
            "currency": self.currency,
            "payment_intent": self.payment_intent,
            "refund_request_id": self.refund_request_id,
            "as_of": self.as_of.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Dispute:
    """The state of a dispute, with Stripe's words for status and reason.

    `respond_by`: until when it can be answered, on Stripe's dashboard.
    """

    id: str
    status: str
    reason: str
    amount: int
    currency: str
    as_of: datetime
    payment_intent: str | None = None
    respond_by: datetime | None = None

    def as_json(self) -> dict[str, object]:
        """The shape that `service.apply_dispute` takes."""
        return {
            "id": self.id,
            "status": self.status,
            "reason": self.reason,
            "amount": self.amount,
            "currency": self.currency,
            "payment_intent": self.payment_intent,
            "respond_by": None if self.respond_by is None else self.respond_by.isoformat(),
            "as_of": self.as_of.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """That something happened to an object: enough to go and look at the object itself.

    The object's content is left behind on purpose. It may be out of date when it is read, and it
    holds personal data that an inbox has no use for.
    """

    id: str
    type: str
    created: int
    object_type: str
    object_id: str
    livemode: bool = False
    account: str | None = None

    def as_json(self) -> dict[str, object]:
        """The shape that `service.receive_stripe_event` takes: Stripe's own, thinned out."""
        return {
            "id": self.id,
            "type": self.type,
            "created": self.created,
            "livemode": self.livemode,
            "account": self.account,
            "data": {"object": {"object": self.object_type, "id": self.object_id}},
        }


@dataclass(frozen=True, slots=True)
class SubscriptionPage:
    """A page on which an organization subscribes. `trial_days`: 0 for none."""

    attempt_id: UUID
    customer_id: str
    lookup_key: str
    trial_days: int
    locale: str
    success_url: str
    cancel_url: str


@dataclass(frozen=True, slots=True)
class Price:
    """A price of Stripe's, in minor units of an upper-case currency."""

    id: str
    lookup_key: str | None
    interval: str | None = None
    amount: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as Stripe has it. `due`: what is open of its latest invoice."""

    id: str
    status: str
    created: datetime
    price: Price
    next_price: Price | None
    current_period_start: datetime
    current_period_end: datetime
    trial_start: datetime | None
    trial_end: datetime | None
    cancel_at: datetime | None
    due: int


@dataclass(frozen=True, slots=True)
class CustomerBilling:
    """All that a customer has at Stripe, read at one moment."""

    customer: str
    deleted: bool
    as_of: datetime
    subscriptions: tuple[Subscription, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The shape that `service.apply_billing` takes."""
        return _plain(asdict(self))


@dataclass(frozen=True, slots=True)
class ConnectedAccount:
    """What a venue's own account may do. `deauthorized`: nothing else is known of it."""

    id: str
    deauthorized: bool
    as_of: datetime
    charges_enabled: bool = False
    payouts_enabled: bool = False
    details_submitted: bool = False
    requirements: tuple[str, ...] = ()
    requirements_due_at: datetime | None = None
    disabled_reason: str | None = None

    def as_json(self) -> dict[str, object]:
        """The shape that `service.apply_stripe_account` takes."""
        return _plain(asdict(self))


def _plain(values: dict[str, object]) -> dict[str, object]:
    def plain(value: object) -> object:
        if isinstance(value, datetime):
            return value.isoformat()
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [plain(each) for each in value]
        return value

    return {name: plain(value) for name, value in values.items()}
