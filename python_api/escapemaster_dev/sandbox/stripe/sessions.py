"""Checkout sessions: opened by the API, ended by a person, a request or the clock."""

from __future__ import annotations

from escapemaster_dev.sandbox.stripe import billing, objects
from escapemaster_dev.sandbox.stripe.core import BY_ITSELF, Cause, Sandbox
from escapemaster_dev.sandbox.stripe.errors import StripeError, missing
from escapemaster_dev.sandbox.stripe.money import (
    LARGEST_CHARGE,
    charge_step,
    is_charged,
    readable,
    smallest_charge,
)
from escapemaster_dev.sandbox.stripe.params import Params
from escapemaster_dev.sandbox.stripe.payments import (
    Payer,
    decline_intent,
    open_intent,
    process_intent,
    settle_intent,
)
from escapemaster_dev.sandbox.stripe.store import Entry, StripeObject

KIND = "checkout.session"
#: The one method of the page whose money takes days.
DEBIT = "sepa_debit"
SHORTEST_LIFE = 30 * 60
LONGEST_LIFE = 24 * 60 * 60
_MOST_LINES = 100

# The languages of Stripe's page; Catalan is not among them: send `auto` for it.
LOCALES = frozenset(
    {"auto", "bg", "cs", "da", "de", "el", "en", "en-GB", "es", "es-419", "et", "fi", "fil", "fr"}
    | {"fr-CA", "hi-IN", "hr", "hu", "id", "it", "ja", "ko", "lt", "lv", "ms", "mt", "nb", "nl"}
    | {"pl", "pt", "pt-BR", "ro", "ru", "sk", "sl", "sv", "th", "tr", "vi", "zh", "zh-HK", "zh-TW"}
)


def create(sandbox: Sandbox, account: str, params: Params, page_base: str) -> StripeObject:
    """POST /v1/checkout/sessions, mode `payment` or `subscription` on the hosted page.

    `page_base` is the address under which the page is reached. Raises StripeError for whatever
    Stripe refuses: https://docs.stripe.com/api/checkout/sessions/create.
    """
    now = sandbox.now()
    mode = params.required("mode", choices=("payment", "subscription"))
    if mode == "subscription":
        return _create_subscribing(sandbox, account, params, page_base)
    params.text("ui_mode", choices=("hosted_page", "hosted"))
    success_url = params.url("success_url")
    if success_url is None:
        raise missing("success_url")
    if account and not sandbox.store.need(account).body["charges_enabled"]:
        raise StripeError(
            "Your account cannot currently make live charges.", code="account_not_chargeable"
        )
    items = [_line_item(line) for line in params.children("line_items")]
    if not items:
        raise missing("line_items")
    if len(items) > _MOST_LINES:
        raise StripeError(f"There can be at most {_MOST_LINES} line items.", param="line_items")
    total, currency = _total(items)
    excluded = params.texts("excluded_payment_method_types")
    # As if the merchant had these on in the dashboard; a direct debit is in euros.
    offered = ["card", DEBIT] if currency == "eur" else ["card"]
    methods = params.texts("payment_method_types") or [m for m in offered if m not in excluded]
    session = objects.checkout_session(
        amount_subtotal=total,
        amount_total=total,
        billing_address_collection=params.text(
            "billing_address_collection", choices=("auto", "required")
        ),
        branding_settings=_texts(params.child("branding_settings"), "display_name"),
        cancel_url=params.url("cancel_url"),
        client_reference_id=params.text("client_reference_id", maximum=200),
        created=now,
        currency=currency,
        custom_text=_custom_text(params.child("custom_text")),
        customer_creation=params.text("customer_creation", choices=("always", "if_required"))
        or "if_required",
        customer_email=params.email("customer_email"),
        expires_at=_expires_at(params, now),
        locale=params.text("locale", choices=LOCALES),
        metadata=params.metadata(),
        payment_method_types=methods,
        submit_type=params.text("submit_type", choices=("auto", "book", "donate", "pay")),
        success_url=success_url,
        total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    )
    session["url"] = f"{page_base.rstrip('/')}/c/pay/{session['id']}"
    if session["customer_email"]:
        session["customer_details"] = _customer(session["customer_email"])
    intent_data = _intent_data(params.child("payment_intent_data"), account, total)
    params.finish()
    sandbox.store.add(
        Entry(session, account, {"line_items": items, "payment_intent_data": intent_data})
    )
    sandbox.wake()
    return session


def expire(sandbox: Sandbox, entry: Entry, cause: Cause) -> StripeObject:
    """POST /v1/checkout/sessions/{id}/expire: only an open session can be ended."""
    session = entry.body
    if session["status"] != "open":
        raise StripeError(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout'
            f" Session has a status of `{session['status']}`.",
            executed=True,
        )
    _end(sandbox, entry, cause)
    return session


def expire_due(sandbox: Sandbox) -> None:
    """End every session whose time is up; called before each request and by the clock."""
    with sandbox.store.transaction():
        for entry in sandbox.store.sessions_over(sandbox.now()):
            _end(sandbox, entry, BY_ITSELF)


def pay(sandbox: Sandbox, entry: Entry, payer: Payer) -> None:
    """The visitor pays an open session; on any other it does nothing, so twice pays once."""
    session = entry.body
    if session["status"] != "open":
        return
    with sandbox.store.transaction():
        if session["mode"] == "subscription":
            _subscribe(sandbox, entry)
            return
        email = session["customer_email"] or payer.email
        session |= {
            "customer_details": _customer(email),
            "status": "complete",
            "url": None,
        }
        if session["amount_total"]:
            intent = _intent(sandbox, entry)
            settle_intent(sandbox, entry.account, intent, Payer(email))
            session |= {"payment_intent": intent["id"], "payment_status": "paid"}
        else:
            session["payment_status"] = "no_payment_required"
        sandbox.store.replace(session)
        sandbox.announce("checkout.session.completed", session, entry.account)


def decline(sandbox: Sandbox, entry: Entry) -> None:
    """The visitor's card is refused; the session stays open for another try."""
    session = entry.body
    if session["status"] != "open" or not session["amount_total"]:
        return
    if session["mode"] == "subscription":
        return
    with sandbox.store.transaction():
        intent = _intent(sandbox, entry)
        decline_intent(sandbox, entry.account, intent)
        session["payment_intent"] = intent["id"]
        sandbox.store.replace(session)


def debit(sandbox: Sandbox, entry: Entry, payer: Payer) -> None:
    """The visitor pays an open session by direct debit: it is complete, and the money on its way.

    https://docs.stripe.com/payments/checkout/fulfill-orders#delayed-notification
    """
    session = entry.body
    if session["status"] != "open" or DEBIT not in session["payment_method_types"]:
        return
    with sandbox.store.transaction():
        intent = _intent(sandbox, entry)
        process_intent(sandbox, entry.account, intent)
        session |= {
            "customer_details": _customer(session["customer_email"] or payer.email),
            "payment_intent": intent["id"],
            "payment_status": "unpaid",
            "status": "complete",
            "url": None,
        }
        sandbox.store.replace(session)
        sandbox.announce("checkout.session.completed", session, entry.account)


def answer_debit(sandbox: Sandbox, entry: Entry, *, paid: bool) -> None:
    """The visitor's bank pays a direct debit, or refuses it; the session stays complete."""
    session = entry.body
    if session["status"] != "complete" or session["payment_status"] != "unpaid":
        return
    intent = _intent(sandbox, entry)
    if intent["status"] != "processing":
        return
    with sandbox.store.transaction():
        if paid:
            email = (session["customer_details"] or {}).get("email")
            settle_intent(sandbox, entry.account, intent, Payer(email))
            session["payment_status"] = "paid"
            sandbox.store.replace(session)
            sandbox.announce("checkout.session.async_payment_succeeded", session, entry.account)
        else:
            decline_intent(sandbox, entry.account, intent)
            sandbox.announce("checkout.session.async_payment_failed", session, entry.account)


def _create_subscribing(
    sandbox: Sandbox, account: str, params: Params, page_base: str
) -> StripeObject:
    """A session on which a customer subscribes to one price."""
    now = sandbox.now()
    success_url = params.url("success_url")
    if success_url is None:
        raise missing("success_url")
    customer = billing.need_customer(sandbox, account, params.required("customer"))
    lines = params.children("line_items")
    if len(lines) != 1:
        raise missing("line_items")
    price = billing.need_price(sandbox, account, lines[0].required("price"), lines[0].name("price"))
    lines[0].integer("quantity", minimum=1, maximum=1)
    data = params.child("subscription_data")
    trial_days = data.integer("trial_period_days", minimum=1, maximum=730) if data else None
    metadata = data.metadata() if data else {}
    amount = 0 if trial_days else price["unit_amount"]
    session = objects.checkout_session(
        amount_subtotal=amount,
        amount_total=amount,
        branding_settings=None,
        cancel_url=params.url("cancel_url"),
        client_reference_id=params.text("client_reference_id", maximum=200),
        created=now,
        currency=price["currency"],
        customer=customer["id"],
        customer_email=None,
        expires_at=_expires_at(params, now),
        locale=params.text("locale", choices=LOCALES),
        metadata=params.metadata(),
        mode="subscription",
        payment_method_types=["card"],
        submit_type=None,
        subscription=None,
        success_url=success_url,
        total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    )
    session["url"] = f"{page_base.rstrip('/')}/c/pay/{session['id']}"
    params.finish()
    item = objects.fixture(
        "item",
        id=objects.new_id("li_1"),
        amount_subtotal=amount,
        amount_total=amount,
        currency=price["currency"],
        description=price["nickname"],
        price=price,
        quantity=1,
    )
    detail = f"{trial_days} days for nothing, then {price['unit_amount'] / 100:.2f}"
    extra: StripeObject = {
        "line_items": [{"item": item, "detail": detail if trial_days else None}],
        "payment_intent_data": {},
        "subscription": {
            "amount": amount,
            "metadata": metadata,
            "price": price["id"],
            "trial_days": trial_days or 0,
        },
    }
    sandbox.store.add(Entry(session, account, extra))
    sandbox.wake()
    return session


def _subscribe(sandbox: Sandbox, entry: Entry) -> None:
    """The visitor subscribes; a card that is refused leaves the page open."""
    subscription = billing.complete_checkout(sandbox, entry)
    if subscription is None:
        return
    entry.body.update(
        payment_status="paid" if entry.body["amount_total"] else "no_payment_required",
        status="complete",
        subscription=subscription["id"],
        url=None,
    )
    sandbox.store.replace(entry.body)
    sandbox.announce("checkout.session.completed", entry.body, entry.account)


def _end(sandbox: Sandbox, entry: Entry, cause: Cause) -> None:
    with sandbox.store.transaction():
        entry.body.update(status="expired", url=None)
        sandbox.store.replace(entry.body)
        sandbox.announce("checkout.session.expired", entry.body, entry.account, cause=cause)


def _intent(sandbox: Sandbox, entry: Entry) -> StripeObject:
    """The session's payment intent, made at the first attempt to pay."""
    session = entry.body
    known = session["payment_intent"]
    found = sandbox.store.get("payment_intent", known, entry.account) if known else None
    if found is not None:
        return found.body
    return open_intent(
        sandbox,
        entry.account,
        session["amount_total"],
        session["currency"],
        entry.extra["payment_intent_data"],
    )


def _line_item(line: Params) -> StripeObject:
    if "price" in line:
        raise StripeError(
            f"No such price: '{line.required('price')}'; the sandbox knows only price_data.",
            code="resource_missing",
            param=line.name("price"),
        )
    quantity = line.integer("quantity", minimum=1)
    if quantity is None:
        raise missing(line.name("quantity"))
    price = line.child("price_data")
    if price is None:
        raise missing(line.name("price_data"))
    currency = price.required("currency").lower()
    if not is_charged(currency):
        raise StripeError(f"Invalid currency: {currency}.", param=price.name("currency"))
    unit = price.integer("unit_amount", minimum=0, maximum=LARGEST_CHARGE)
    if unit is None:
        raise missing(price.name("unit_amount"))
    if unit % charge_step(currency):
        raise StripeError(
            f"Invalid amount: in {currency} amounts must be evenly divisible by"
            f" {charge_step(currency)}.",
            param=price.name("unit_amount"),
        )
    price.text("tax_behavior", choices=("exclusive", "inclusive", "unspecified"))
    product = price.child("product_data")
    if product is None:
        raise missing(price.name("product_data"))
    name = product.required("name")
    detail = product.text("description")
    product.texts("images")
    product.metadata()
    item = objects.line_item(
        amount_subtotal=unit * quantity,
        amount_total=unit * quantity,
        currency=currency,
        description=name,
        quantity=quantity,
    )
    item["price"] |= {"unit_amount": unit, "unit_amount_decimal": str(unit)}
    # Stripe keeps the description with the product; the page shows it below the name.
    return {"item": item, "detail": detail}


def _total(items: list[StripeObject]) -> tuple[int, str]:
    currencies = {line["item"]["currency"] for line in items}
    if len(currencies) > 1:
        raise StripeError(
            "You cannot combine currencies in one Checkout Session: all line items must use the"
            " same currency.",
            param="line_items",
        )
    (currency,) = currencies
    total = sum(line["item"]["amount_total"] for line in items)
    if total > LARGEST_CHARGE:
        raise StripeError(
            "The Checkout Session's total amount must be no more than"
            f" {readable(LARGEST_CHARGE, currency, 'en')}",
            code="amount_too_large",
        )
    if 0 < total < smallest_charge(currency):
        raise StripeError(
            "The Checkout Session's total amount due must add up to at least"
            f" {readable(smallest_charge(currency), currency, 'en')} {currency}",
            code="amount_too_small",
        )
    return total, currency


def _expires_at(params: Params, now: int) -> int:
    moment = params.integer("expires_at")
    if moment is None:
        return now + LONGEST_LIFE
    if moment < now + SHORTEST_LIFE:
        raise StripeError(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session"
            " creation.",
            param="expires_at",
        )
    if moment > now + LONGEST_LIFE:
        raise StripeError(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    return moment


def _intent_data(params: Params | None, account: str, total: int) -> StripeObject:
    if params is None:
        return {}
    fee = params.integer("application_fee_amount", minimum=0)
    if fee is not None and not account:
        raise StripeError(
            "Can only apply an application_fee_amount when the PaymentIntent is attempting a"
            " direct payment (using an OAuth key or Stripe-Account header).",
            param=params.name("application_fee_amount"),
        )
    if fee is not None and fee > total:
        raise StripeError(
            "The application_fee_amount must be no more than the amount of the payment.",
            param=params.name("application_fee_amount"),
        )
    return {
        "application_fee_amount": fee,
        "description": params.text("description", maximum=1000),
        "metadata": params.metadata(),
        "receipt_email": params.email("receipt_email"),
        "statement_descriptor": params.text("statement_descriptor", maximum=22),
        "statement_descriptor_suffix": params.text("statement_descriptor_suffix", maximum=22),
        "transfer_group": params.text("transfer_group"),
    }


def _custom_text(params: Params | None) -> StripeObject | None:
    if params is None:
        return None
    places = ("after_submit", "submit")
    return {place: _texts(params.child(place), "message") for place in places}


def _texts(params: Params | None, *names: str) -> StripeObject | None:
    return None if params is None else {name: params.text(name) for name in names}


def _customer(email: str | None) -> StripeObject:
    return {
        "address": None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": None,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }
