"""Payment intents, charges and refunds."""

from __future__ import annotations

from dataclasses import dataclass

from escapemaster_dev.sandbox.stripe import objects
from escapemaster_dev.sandbox.stripe.core import Cause, Sandbox
from escapemaster_dev.sandbox.stripe.errors import StripeError, missing, no_such
from escapemaster_dev.sandbox.stripe.money import charge_step, readable
from escapemaster_dev.sandbox.stripe.params import Params
from escapemaster_dev.sandbox.stripe.store import Entry, StripeObject

REFUND_REASONS = ("duplicate", "fraudulent", "requested_by_customer")

# What the page's visitor "pays" with: Stripe's own test card.
_CARD = {"brand": "visa", "country": "US", "last4": "4242"}


_DISPUTE_DAYS = 7
#: What a dispute can become.
DECISIONS = ("needs_response", "under_review", "won", "lost", "warning_closed")
_INQUIRIES = ("warning_needs_response", "warning_under_review")
#: The disputes whose charge can be refunded: nothing was withdrawn, or it came back.
_REFUNDABLE = (*_INQUIRIES, "warning_closed", "won")


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pressed the button, as far as the page knows."""

    email: str | None


def open_intent(
    sandbox: Sandbox, account: str, amount: int, currency: str, extra: StripeObject
) -> StripeObject:
    """A payment intent that waits for a card; `extra` is the session's payment_intent_data."""
    intent = objects.payment_intent(
        amount=amount,
        application_fee_amount=extra.get("application_fee_amount"),
        created=sandbox.now(),
        currency=currency,
        description=extra.get("description"),
        metadata=extra.get("metadata", {}),
        receipt_email=extra.get("receipt_email"),
        statement_descriptor=extra.get("statement_descriptor"),
        statement_descriptor_suffix=extra.get("statement_descriptor_suffix"),
        transfer_group=extra.get("transfer_group"),
    )
    sandbox.store.add(Entry(intent, account, {}))
    return intent


def decline_intent(sandbox: Sandbox, account: str, intent: StripeObject) -> None:
    """The bank says no: the intent keeps waiting, with the reason in last_payment_error."""
    intent["status"] = "requires_payment_method"
    intent["last_payment_error"] = {
        "code": "card_declined",
        "decline_code": "generic_decline",
        "doc_url": "https://docs.stripe.com/error-codes#card-declined",
        "message": "Your card was declined.",
        "type": "card_error",
    }
    sandbox.store.replace(intent)
    sandbox.announce("payment_intent.payment_failed", intent, account)


def process_intent(sandbox: Sandbox, account: str, intent: StripeObject) -> None:
    """The bank was asked, and answers in some days."""
    intent |= {"last_payment_error": None, "status": "processing"}
    sandbox.store.replace(intent)
    sandbox.announce("payment_intent.processing", intent, account)


def settle_intent(sandbox: Sandbox, account: str, intent: StripeObject, payer: Payer) -> None:
    """The bank says yes: the charge is made and the intent has succeeded."""
    fee = intent["application_fee_amount"]
    charge = objects.charge(
        amount=intent["amount"],
        amount_captured=intent["amount"],
        application_fee=None,
        application_fee_amount=fee,
        balance_transaction=objects.new_id("txn_3"),
        captured=True,
        created=sandbox.now(),
        currency=intent["currency"],
        description=intent["description"],
        metadata=intent["metadata"],
        payment_intent=intent["id"],
        payment_method=objects.new_id("pm_"),
        receipt_email=intent["receipt_email"],
        statement_descriptor=intent["statement_descriptor"],
    )
    charge["billing_details"] |= {"email": payer.email, "name": None}
    charge["outcome"] |= {
        "network_status": "approved_by_network",
        "seller_message": "Payment complete.",
        "type": "authorized",
    }
    charge["payment_method_details"]["card"] |= _CARD | {
        "amount_authorized": intent["amount"],
        "installments": None,
        "three_d_secure": None,
        "wallet": None,
    }
    intent |= {
        "amount_received": intent["amount"],
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "payment_method": charge["payment_method"],
        "status": "succeeded",
    }
    if fee:
        charge["application_fee"] = _collect_fee(sandbox, account, charge)
    sandbox.store.add(Entry(charge, account, {}))
    sandbox.store.replace(intent)
    sandbox.announce("payment_intent.succeeded", intent, account)


def create_refund(sandbox: Sandbox, account: str, params: Params, cause: Cause) -> StripeObject:
    """POST /v1/refunds: all or part of what is left of one charge.

    Raises StripeError: resource_missing, charge_already_refunded, payment_intent_unexpected_state,
    charge_disputed (while the bank has taken it back, and after it kept it:
    https://docs.stripe.com/error-codes#charge-disputed), or an amount beyond what is left.
    """
    charge_id = params.text("charge")
    intent_id = params.text("payment_intent")
    amount = params.integer("amount", minimum=1)
    reason = params.text("reason", choices=REFUND_REASONS)
    metadata = params.metadata()
    with_fee = params.flag("refund_application_fee")
    params.flag("reverse_transfer")
    params.finish()

    charge = _charge_to_refund(sandbox, account, charge_id, intent_id)
    dispute = _dispute_of(sandbox, account, charge)
    if dispute is not None and not dispute["is_charge_refundable"]:
        raise StripeError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
            executed=True,
        )
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise StripeError(
            f"Charge {charge['id']} has already been refunded.",
            code="charge_already_refunded",
            executed=True,
        )
    amount = left if amount is None else amount
    if amount % charge_step(charge["currency"]):
        raise StripeError(
            f"Invalid amount: in {charge['currency']} amounts must be evenly divisible by"
            f" {charge_step(charge['currency'])}.",
            param="amount",
        )
    if amount > left:
        asked, rest = (readable(value, charge["currency"], "en") for value in (amount, left))
        raise StripeError(
            f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})",
            param="amount",
            executed=True,
        )

    if with_fee:
        _return_fee(sandbox, charge, amount)
    refund = objects.refund(
        amount=amount,
        charge=charge["id"],
        created=sandbox.now(),
        currency=charge["currency"],
        metadata=metadata,
        payment_intent=charge["payment_intent"],
        payment_method=charge["payment_method"],
        reason=reason,
    )
    before = {name: charge[name] for name in ("amount_refunded", "refunded")}
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    sandbox.store.add(Entry(refund, account, {}))
    sandbox.store.replace(charge)
    sandbox.announce("refund.created", refund, account, cause=cause)
    sandbox.announce("charge.refunded", charge, account, cause=cause, previous=before)
    _confirm_refund(sandbox, account, refund)
    if charge["refunded"] and dispute is not None and dispute["status"] in _INQUIRIES:
        # Refunded in full, an inquiry is over: https://docs.stripe.com/disputes/how-disputes-work
        decide_dispute(sandbox, account, dispute, "warning_closed")
    return refund


def dispute_charge(
    sandbox: Sandbox, account: str, intent_id: str, status: str = "needs_response"
) -> StripeObject:
    """The customer's bank takes the charge of an intent back; the merchant may answer for a week.

    With the status `warning_needs_response` it only inquires: nothing is withdrawn yet, and the
    charge can still be refunded.

    Raises StripeError: resource_missing, payment_intent_unexpected_state.
    """
    charge = _charge_to_refund(sandbox, account, None, intent_id)
    dispute = objects.dispute(
        amount=charge["amount"],
        charge=charge["id"],
        created=sandbox.now(),
        currency=charge["currency"],
        payment_intent=intent_id,
        reason="fraudulent",
        status=status,
        is_charge_refundable=status in _REFUNDABLE,
    )
    dispute["evidence_details"]["due_by"] = sandbox.now() + _DISPUTE_DAYS * 24 * 60 * 60
    charge["disputed"] = True
    with sandbox.store.transaction():
        sandbox.store.add(Entry(dispute, account, {}))
        sandbox.store.replace(charge)
        sandbox.announce("charge.dispute.created", dispute, account)
    return dispute


def decide_dispute(
    sandbox: Sandbox, account: str, dispute: StripeObject, status: str
) -> StripeObject:
    """The bank says what becomes of a dispute: one of `DECISIONS`.

    An inquiry becomes a dispute (`needs_response`), or is closed.
    """
    decided = {**dispute, "status": status, "is_charge_refundable": status in _REFUNDABLE}
    closed = status in ("won", "lost", "warning_closed")
    with sandbox.store.transaction():
        sandbox.store.replace(decided)
        sandbox.announce(
            "charge.dispute.closed" if closed else "charge.dispute.updated",
            decided,
            account,
            previous={"status": dispute["status"]},
        )
    return decided


def return_refund(sandbox: Sandbox, account: str, refund: StripeObject) -> StripeObject:
    """The customer's bank sends a refund back: https://docs.stripe.com/refunds#failed-refunds."""
    charge = sandbox.store.need(refund["charge"]).body
    failed = {**refund, "status": "failed", "failure_reason": "unknown"}
    left = charge["amount_refunded"] - refund["amount"]
    with sandbox.store.transaction():
        sandbox.store.replace(failed)
        sandbox.store.replace({**charge, "amount_refunded": left, "refunded": False})
        sandbox.announce("refund.failed", failed, account, previous={"status": refund["status"]})
    return failed


def balance(sandbox: Sandbox, account: str) -> StripeObject:
    """What was charged less what was refunded, by currency; available at once."""
    charges = sandbox.store.newest_first(
        "charge", account, fields={}, created={}, after=None, before=None, limit=-1
    )
    sums: dict[str, int] = {}
    for charge in charges:
        gained = (
            charge["amount"] - charge["amount_refunded"] - (charge["application_fee_amount"] or 0)
        )
        sums[charge["currency"]] = sums.get(charge["currency"], 0) + gained
    sums = sums or {"eur": 0}
    return objects.fixture(
        "balance",
        available=[_money(amount, currency) for currency, amount in sorted(sums.items())],
        pending=[_money(0, currency) for currency in sorted(sums)],
        connect_reserved=[{"amount": 0, "currency": currency} for currency in sorted(sums)],
    )


def _collect_fee(sandbox: Sandbox, account: str, charge: StripeObject) -> str:
    """The platform's part of a charge, which is the platform's own object."""
    fee = objects.fixture(
        "application_fee",
        id=objects.new_id("fee_1"),
        account=account,
        amount=charge["application_fee_amount"],
        amount_refunded=0,
        charge=charge["id"],
        created=sandbox.now(),
        currency=charge["currency"],
        refunded=False,
    )
    sandbox.store.add(Entry(fee, "", {}))
    return str(fee["id"])


def _return_fee(sandbox: Sandbox, charge: StripeObject, amount: int) -> None:
    """Give back as much of the fee as of the charge: https://docs.stripe.com/connect/direct-charges."""
    if charge["application_fee"] is None:
        raise StripeError(
            "There is no application fee to refund on this charge.", param="refund_application_fee"
        )
    fee = sandbox.store.need(charge["application_fee"]).body
    returned = fee["amount"] * (charge["amount_refunded"] + amount) // charge["amount"]
    sandbox.store.replace(
        {**fee, "amount_refunded": returned, "refunded": returned == fee["amount"]}
    )


def _dispute_of(sandbox: Sandbox, account: str, charge: StripeObject) -> StripeObject | None:
    """The newest dispute of a charge."""
    if not charge["disputed"]:
        return None
    charged = {"charge": [charge["id"]]}
    found = sandbox.store.newest_first(
        "dispute", account, fields=charged, created={}, after=None, before=None, limit=1
    )
    return found[0] if found else None


def _charge_to_refund(
    sandbox: Sandbox, account: str, charge_id: str | None, intent_id: str | None
) -> StripeObject:
    if charge_id is None:
        if intent_id is None:
            raise missing("payment_intent")
        intent = sandbox.store.get("payment_intent", intent_id, account)
        if intent is None:
            raise no_such("payment_intent", intent_id, "payment_intent")
        charge_id = intent.body["latest_charge"]
        if charge_id is None:
            raise StripeError(
                f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
                code="payment_intent_unexpected_state",
                param="payment_intent",
                executed=True,
            )
    charge = sandbox.store.get("charge", charge_id, account)
    if charge is None or intent_id not in (None, charge.body["payment_intent"]):
        raise no_such("charge", charge_id, "charge")
    return charge.body


def _confirm_refund(sandbox: Sandbox, account: str, refund: StripeObject) -> None:
    """The acquirer's reference arrives; Stripe announces it as an update some time later."""
    before = {"destination_details": {"card": {"reference_status": "pending"}}}
    card = {
        "reference": objects.new_id("").upper()[:23],
        "reference_status": "available",
    }
    updated = {
        **refund,
        "destination_details": {
            **refund["destination_details"],
            "card": {**refund["destination_details"]["card"], **card},
        },
    }
    sandbox.store.replace(updated)
    sandbox.announce("refund.updated", updated, account, previous=before)


def _money(amount: int, currency: str) -> StripeObject:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}
