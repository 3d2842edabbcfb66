"""Billing: customers, prices by lookup key, subscriptions that renew, portal sessions.

What a person would set up on the dashboard is there from the start: a monthly and a yearly price
for each plan that the product sells. A customer has a clock of its own, which a test moves ahead
(Stripe's test clocks: https://docs.stripe.com/billing/testing/test-clocks), and a card that works
or fails.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from escapemaster_dev.sandbox.stripe import objects
from escapemaster_dev.sandbox.stripe.core import BY_ITSELF, Cause, Sandbox
from escapemaster_dev.sandbox.stripe.errors import StripeError, missing, no_such
from escapemaster_dev.sandbox.stripe.params import Params
from escapemaster_dev.sandbox.stripe.store import Entry, StripeObject

SUBSCRIPTION: Final = "subscription"
SCHEDULE: Final = "subscription_schedule"
CUSTOMER: Final = "customer"
PRICE: Final = "price"
PORTAL: Final = "billing_portal.session"

#: Lookup key, product, interval and amount in cents of what can be subscribed to.
CATALOGUE: Final = (
    ("escapemaster_starter_month", "Escapemaster Starter", "month", 2900),
    ("escapemaster_starter_year", "Escapemaster Starter", "year", 29000),
    ("escapemaster_pro_month", "Escapemaster Pro", "month", 7900),
    ("escapemaster_pro_year", "Escapemaster Pro", "year", 79000),
)
#: Statuses in which a subscription is renewed.
RENEWED: Final = frozenset({"trialing", "active", "past_due"})
OVER: Final = frozenset({"canceled", "incomplete_expired"})
#: After so long without payment Stripe gives up; its own default.
DUNNING_SECONDS: Final = 21 * 24 * 60 * 60
#: Renewals that one look makes at most, so that a clock that is far ahead ends.
_MOST_RENEWALS: Final = 200
_BEHAVIORS: Final = ("create_prorations", "none", "always_invoice")


# -- customers and prices --------------------------------------------------------------------------


def create_customer(sandbox: Sandbox, account: str, params: Params, cause: Cause) -> StripeObject:
    """POST /v1/customers."""
    customer = objects.fixture(
        CUSTOMER,
        ("discount",),
        id=objects.new_id("cus_", 14),
        created=sandbox.now(),
        currency=None,
        email=params.email("email"),
        metadata=params.metadata(),
        name=params.text("name", maximum=256),
        preferred_locales=params.texts("preferred_locales"),
        address=None,
        shipping=None,
    )
    params.finish()
    sandbox.store.add(Entry(customer, account, {}))
    sandbox.announce("customer.created", customer, account, cause=cause)
    return customer


def delete_customer(sandbox: Sandbox, entry: Entry, cause: Cause) -> StripeObject:
    """DELETE /v1/customers/{id}: its subscriptions end at once."""
    customer = entry.body
    for subscription in subscriptions_of(sandbox, customer["id"], entry.account):
        if subscription["status"] not in OVER:
            _end(sandbox, entry.account, subscription, customer_now(sandbox, customer["id"]))
    gone = {"id": customer["id"], "object": CUSTOMER, "deleted": True}
    sandbox.store.replace(gone)
    sandbox.announce("customer.deleted", customer, entry.account, cause=cause)
    return gone


def ensure_catalogue(sandbox: Sandbox, account: str) -> None:
    """The prices that a person would have made on the dashboard."""
    if _prices(sandbox, account, {}):
        return
    with sandbox.store.transaction():
        for lookup_key, name, interval, amount in CATALOGUE:
            _add_price(sandbox, account, name, lookup_key, interval, amount, "eur")


def create_price(sandbox: Sandbox, account: str, params: Params) -> StripeObject:
    """POST /v1/prices: recurring, with its product; `transfer_lookup_key` takes a key over."""
    ensure_catalogue(sandbox, account)
    currency = params.required("currency")
    amount = params.integer("unit_amount", minimum=0)
    recurring, product = params.child("recurring"), params.child("product_data")
    if amount is None or recurring is None or product is None:
        raise missing("unit_amount" if amount is None else "recurring[interval]")
    interval = recurring.required("interval", choices=("month", "year"))
    lookup_key = params.text("lookup_key", maximum=200)
    takes_over = params.flag("transfer_lookup_key")
    name = product.required("name")
    params.finish()
    for former in _prices(sandbox, account, {"lookup_key": [lookup_key]}) if lookup_key else []:
        if not takes_over:
            raise StripeError(
                f"A price (`{former['id']}`) already uses that lookup key.", param="lookup_key"
            )
        sandbox.store.replace(former | {"lookup_key": None})
    return _add_price(sandbox, account, name, lookup_key, interval, amount, currency)


def _add_price(
    sandbox: Sandbox,
    account: str,
    name: str,
    lookup_key: str | None,
    interval: str,
    amount: int,
    currency: str,
) -> StripeObject:
    product = objects.fixture(
        "product",
        ("default_price", "description", "package_dimensions", "shippable", "tax_code", "url"),
        id=objects.new_id("prod_", 14),
        created=sandbox.now(),
        name=name,
        images=[],
        type="service",
        updated=sandbox.now(),
    )
    price = objects.fixture(
        PRICE,
        ("custom_unit_amount", "transform_quantity"),
        id=objects.new_id("price_1"),
        created=sandbox.now(),
        currency=currency,
        lookup_key=lookup_key,
        nickname=name,
        product=product["id"],
        unit_amount=amount,
        unit_amount_decimal=str(amount),
    )
    price["recurring"] |= {"interval": interval, "trial_period_days": None}
    sandbox.store.add(Entry(product, account, {}))
    sandbox.store.add(Entry(price, account, {}))
    return price


def _prices(
    sandbox: Sandbox, account: str, fields: dict[str, list[str | int]]
) -> list[StripeObject]:
    return sandbox.store.newest_first(
        PRICE, account, fields=fields, created={}, after=None, before=None, limit=-1
    )


def need_price(sandbox: Sandbox, account: str, price_id: str, param: str) -> StripeObject:
    """The price; 400 as Stripe says it of one that is not there."""
    ensure_catalogue(sandbox, account)
    found = sandbox.store.get(PRICE, price_id, account)
    if found is None:
        raise no_such(PRICE, price_id, param)
    return found.body


def need_customer(sandbox: Sandbox, account: str, customer_id: str) -> StripeObject:
    """The customer; as if there were none when it was deleted."""
    found = sandbox.store.get(CUSTOMER, customer_id, account)
    if found is None or found.body.get("deleted"):
        raise no_such(CUSTOMER, customer_id, "customer")
    return found.body


# -- a customer's clock and card -------------------------------------------------------------------


def customer_now(sandbox: Sandbox, customer_id: str) -> int:
    """The present of a customer: the sandbox's, and how far a test has moved it ahead."""
    return sandbox.now() + int(sandbox.store.switch(f"ahead:{customer_id}") or 0)


def advance(sandbox: Sandbox, entry: Entry, seconds: int) -> None:
    """Move a customer's clock ahead, and let happen what falls due."""
    name = f"ahead:{entry.body['id']}"
    with sandbox.store.transaction():
        ahead = int(sandbox.store.switch(name) or 0) + seconds
        sandbox.store.set_switch(name, str(ahead))
        for subscription in subscriptions_of(sandbox, entry.body["id"], entry.account):
            renew(sandbox, entry.account, subscription)


def card_works(sandbox: Sandbox, customer_id: str) -> bool:
    """Whether the customer's card is accepted."""
    return sandbox.store.switch(f"card:{customer_id}") != "fails"


def set_card(sandbox: Sandbox, entry: Entry, *, works: bool) -> None:
    """Give the customer a card that works or fails; one that works pays what is open."""
    with sandbox.store.transaction():
        sandbox.store.set_switch(f"card:{entry.body['id']}", "works" if works else "fails")
        for subscription in subscriptions_of(sandbox, entry.body["id"], entry.account):
            if works and subscription["status"] in ("past_due", "unpaid"):
                _pay_latest(sandbox, entry.account, subscription)


def subscriptions_of(sandbox: Sandbox, customer_id: str, account: str) -> list[StripeObject]:
    """All subscriptions of a customer, newest first."""
    return sandbox.store.newest_first(
        SUBSCRIPTION,
        account,
        fields={"customer": [customer_id]},
        created={},
        after=None,
        before=None,
        limit=-1,
    )


# -- subscriptions ---------------------------------------------------------------------------------


def create_subscription(
    sandbox: Sandbox, account: str, params: Params, cause: Cause
) -> StripeObject:
    """POST /v1/subscriptions, as the dashboard does it."""
    customer = need_customer(sandbox, account, params.required("customer"))
    items = params.children("items")
    if not items:
        raise missing("items")
    price = need_price(sandbox, account, items[0].required("price"), "items[0][price]")
    items[0].integer("quantity", minimum=1, maximum=1)
    trial_days = params.integer("trial_period_days", minimum=0, maximum=730)
    metadata = params.metadata()
    params.finish()
    return start(sandbox, account, customer["id"], price, trial_days or 0, metadata, cause)


def start(
    sandbox: Sandbox,
    account: str,
    customer_id: str,
    price: StripeObject,
    trial_days: int,
    metadata: dict[str, str],
    cause: Cause = BY_ITSELF,
) -> StripeObject:
    """Begin a subscription: in its trial, or with its first invoice, which the card pays or not."""
    now = customer_now(sandbox, customer_id)
    trial_end = now + trial_days * 86400 if trial_days else None
    subscription_id = objects.new_id("sub_1")
    item = objects.fixture(
        "subscription_item",
        ("billing_thresholds",),
        id=objects.new_id("si_", 14),
        created=now,
        price=price,
        subscription=subscription_id,
        current_period_start=now,
        current_period_end=trial_end or _later(now, price),
    )
    subscription = objects.fixture(
        SUBSCRIPTION,
        (
            "cancel_at",
            "canceled_at",
            "ended_at",
            "latest_invoice",
            "next_pending_invoice_item_invoice",
            "pause_collection",
            "pending_invoice_item_interval",
            "pending_update",
            "schedule",
            "transfer_data",
        ),
        id=subscription_id,
        billing_cycle_anchor=trial_end or now,
        billing_cycle_anchor_config=None,
        cancel_at_period_end=False,
        created=now,
        currency=price["currency"],
        customer=customer_id,
        items={
            "object": "list",
            "data": [item],
            "has_more": False,
            "url": f"/v1/subscription_items?subscription={subscription_id}",
        },
        metadata=metadata,
        start_date=now,
        status="trialing" if trial_end else "active",
        trial_end=trial_end,
        trial_start=now if trial_end else None,
    )
    sandbox.store.add(Entry(subscription, account, {}))
    _bill(
        sandbox,
        account,
        subscription,
        0 if trial_end else price["unit_amount"],
        failed="incomplete",
    )
    sandbox.announce("customer.subscription.created", subscription, account, cause=cause)
    return subscription


def update_subscription(
    sandbox: Sandbox, entry: Entry, params: Params, cause: Cause
) -> StripeObject:
    """POST /v1/subscriptions/{id}: another price, cancelling at the period's end or not."""
    subscription = entry.body
    if subscription["status"] in OVER:
        raise no_such(SUBSCRIPTION, subscription["id"], "id")
    before = {name: subscription[name] for name in ("cancel_at", "cancel_at_period_end", "status")}
    at_end = params.flag("cancel_at_period_end")
    unset = params.unset("cancel_at")
    changes = params.children("items")
    proration = params.text("proration_behavior", choices=_BEHAVIORS) or "create_prorations"
    behavior = params.text(
        "payment_behavior",
        choices=(
            "allow_incomplete",
            "default_incomplete",
            "error_if_incomplete",
            "pending_if_incomplete",
        ),
    )
    params.metadata()
    wanted = None
    for change in changes:
        if change.required("id") != _item(subscription)["id"]:
            raise no_such("subscription_item", change.required("id"), change.name("id"))
        wanted = need_price(sandbox, entry.account, change.required("price"), change.name("price"))
        change.integer("quantity", minimum=1, maximum=1)
    params.finish()
    if (at_end is not None or wanted is not None) and subscription["schedule"]:
        raise StripeError(
            "The subscription is managed by the subscription schedule"
            f" `{subscription['schedule']}`, and updating any cancelation behavior directly is not"
            " allowed. Please update the schedule instead."
        )
    if wanted is not None:
        _change_price(
            sandbox, entry.account, subscription, wanted, proration, behavior or "allow_incomplete"
        )
    if at_end is not None:
        subscription["cancel_at_period_end"] = at_end
        subscription["cancel_at"] = _item(subscription)["current_period_end"] if at_end else None
        subscription["canceled_at"] = _now_of(sandbox, subscription) if at_end else None
    elif unset:
        subscription |= {"cancel_at": None, "cancel_at_period_end": False, "canceled_at": None}
    _changed(sandbox, entry.account, subscription, before, cause)
    return subscription


def cancel_subscription(sandbox: Sandbox, entry: Entry, cause: Cause) -> StripeObject:
    """DELETE /v1/subscriptions/{id}: at once."""
    if entry.body["status"] in OVER:
        raise no_such(SUBSCRIPTION, entry.body["id"], "id")
    _end(sandbox, entry.account, entry.body, _now_of(sandbox, entry.body), cause)
    return entry.body


def _change_price(
    sandbox: Sandbox,
    account: str,
    subscription: StripeObject,
    price: StripeObject,
    proration: str,
    behavior: str,
) -> None:
    """What is left of the period is credited, and what is left at the new price is charged.

    Another interval begins a period at once. https://docs.stripe.com/billing/subscriptions/prorations
    """
    item = _item(subscription)
    former = item["price"]
    if former["id"] == price["id"]:
        return
    now = _now_of(sandbox, subscription)
    whole = max(1, item["current_period_end"] - item["current_period_start"])
    left = max(0, item["current_period_end"] - now)
    amount = -former["unit_amount"] * left // whole
    restarts = former["recurring"]["interval"] != price["recurring"]["interval"]
    in_trial = subscription["status"] == "trialing"
    amount += price["unit_amount"] if restarts else price["unit_amount"] * left // whole
    charged = 0 if in_trial or (proration != "always_invoice" and not restarts) else max(0, amount)
    if (
        charged
        and not card_works(sandbox, subscription["customer"])
        and (behavior == "error_if_incomplete")
    ):
        raise StripeError(
            "Your card was declined.", status=402, kind="card_error", code="card_declined"
        )
    item["price"] = price
    if restarts and not in_trial:
        item |= {"current_period_start": now, "current_period_end": _later(now, price)}
        subscription["billing_cycle_anchor"] = now
    if charged:
        _bill(sandbox, account, subscription, charged)


def renew(sandbox: Sandbox, account: str, subscription: StripeObject) -> None:
    """Let happen what is due by the customer's clock: trial's end, renewals, giving up, the end."""
    for _ in range(_MOST_RENEWALS):
        now = _now_of(sandbox, subscription)
        item = _item(subscription)
        ends = item["current_period_end"]
        overdue = int(sandbox.store.switch(f"overdue:{subscription['id']}") or 0)
        cancel_at = subscription["cancel_at"]
        if subscription["status"] in OVER or subscription["status"] not in RENEWED:
            return
        if cancel_at is not None and cancel_at <= min(now, ends):
            _end(sandbox, account, subscription, cancel_at)
            return
        if subscription["status"] == "past_due" and now >= overdue + DUNNING_SECONDS:
            _give_up(sandbox, account, subscription, overdue + DUNNING_SECONDS)
            return
        if now < ends:
            return
        before = {"status": subscription["status"]}
        _next_phase(sandbox, account, subscription, ends)
        item = _item(subscription)
        item |= {"current_period_start": ends, "current_period_end": _later(ends, item["price"])}
        if subscription["status"] == "trialing":
            subscription["status"] = "active"
        _bill(sandbox, account, subscription, item["price"]["unit_amount"], at=ends)
        _changed(sandbox, account, subscription, before, BY_ITSELF)


def renew_due(sandbox: Sandbox) -> None:
    """The same for every subscription whose customer's clock says so."""
    with sandbox.store.transaction():
        for entry in sandbox.store.renewable(sorted(RENEWED)):
            renew(sandbox, entry.account, entry.body)


def _next_phase(sandbox: Sandbox, account: str, subscription: StripeObject, at: int) -> None:
    """The schedule's next phase begins; after its last one the schedule lets go."""
    if subscription["schedule"] is None:
        return
    schedule = sandbox.store.need(subscription["schedule"]).body
    for phase in schedule["phases"]:
        if phase["start_date"] == at:
            price = sandbox.store.need(phase["items"][0]["price"]).body
            _item(subscription)["price"] = price
            release(sandbox, Entry(schedule, account, {}), subscription)
            return


def _give_up(sandbox: Sandbox, account: str, subscription: StripeObject, at: int) -> None:
    """Every retry has failed: by the dashboard's setting it is canceled, or left unpaid."""
    if sandbox.store.switch("after_dunning") == "unpaid":
        subscription["status"] = "unpaid"
        _changed(sandbox, account, subscription, {"status": "past_due"}, BY_ITSELF)
    else:
        _end(sandbox, account, subscription, at)


def _end(
    sandbox: Sandbox, account: str, subscription: StripeObject, at: int, cause: Cause = BY_ITSELF
) -> None:
    subscription |= {
        "status": "canceled",
        "ended_at": at,
        "canceled_at": subscription["canceled_at"] or at,
        "schedule": None,
    }
    sandbox.store.replace(subscription)
    sandbox.announce("customer.subscription.deleted", subscription, account, cause=cause)


def _bill(
    sandbox: Sandbox,
    account: str,
    subscription: StripeObject,
    amount: int,
    *,
    at: int | None = None,
    failed: str = "past_due",
) -> None:
    """An invoice, which the card pays, or which stays open and says so in the status."""
    moment = _now_of(sandbox, subscription) if at is None else at
    paid = not amount or card_works(sandbox, subscription["customer"])
    invoice = objects.fixture(
        "invoice",
        (
            "default_payment_method",
            "due_date",
            "from_invoice",
            "last_finalization_error",
            "next_payment_attempt",
            "shipping_cost",
            "shipping_details",
        ),
        id=objects.new_id("in_1"),
        amount_due=amount,
        amount_paid=amount if paid else 0,
        amount_remaining=0 if paid else amount,
        attempt_count=1,
        attempted=True,
        billing_reason="subscription_cycle" if at else "subscription_create",
        created=moment,
        currency=subscription["currency"],
        customer=subscription["customer"],
        hosted_invoice_url=None,
        parent={
            "type": "subscription_details",
            "quote_details": None,
            "subscription_details": {"metadata": {}, "subscription": subscription["id"]},
        },
        status="paid" if paid else "open",
        subtotal=amount,
        total=amount,
    )
    sandbox.store.add(Entry(invoice, account, {}))
    subscription["latest_invoice"] = invoice["id"]
    if paid:
        sandbox.announce("invoice.paid", invoice, account)
    else:
        if subscription["status"] != "past_due":
            sandbox.store.set_switch(f"overdue:{subscription['id']}", str(moment))
        subscription["status"] = failed
        sandbox.announce("invoice.payment_failed", invoice, account)
    sandbox.store.replace(subscription)


def _pay_latest(sandbox: Sandbox, account: str, subscription: StripeObject) -> None:
    invoice = sandbox.store.need(subscription["latest_invoice"]).body
    invoice |= {"amount_paid": invoice["amount_due"], "amount_remaining": 0, "status": "paid"}
    sandbox.store.replace(invoice)
    sandbox.announce("invoice.paid", invoice, account)
    before = {"status": subscription["status"]}
    subscription["status"] = "active"
    _changed(sandbox, account, subscription, before, BY_ITSELF)


def _changed(
    sandbox: Sandbox,
    account: str,
    subscription: StripeObject,
    before: StripeObject,
    cause: Cause,
) -> None:
    sandbox.store.replace(subscription)
    sandbox.announce(
        "customer.subscription.updated", subscription, account, cause=cause, previous=before
    )


def _item(subscription: StripeObject) -> StripeObject:
    found: StripeObject = subscription["items"]["data"][0]
    return found


def _now_of(sandbox: Sandbox, subscription: StripeObject) -> int:
    return customer_now(sandbox, subscription["customer"])


def _later(moment: int, price: StripeObject) -> int:
    """A month or a year later, on the same day where there is one."""
    start = datetime.fromtimestamp(moment, UTC)
    months = 12 if price["recurring"]["interval"] == "year" else 1
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())


# -- schedules -------------------------------------------------------------------------------------


def create_schedule(sandbox: Sandbox, account: str, params: Params) -> StripeObject:
    """POST /v1/subscription_schedules, from a subscription that there is."""
    subscription_id = params.required("from_subscription")
    params.finish()
    found = sandbox.store.get(SUBSCRIPTION, subscription_id, account)
    if found is None or found.body["status"] in OVER:
        raise no_such(SUBSCRIPTION, subscription_id, "from_subscription")
    subscription = found.body
    if subscription["schedule"]:
        raise StripeError(
            "You cannot migrate a subscription that is already attached to a schedule:"
            f" {subscription['schedule']}."
        )
    item = _item(subscription)
    schedule = objects.fixture(
        SCHEDULE,
        ("canceled_at", "completed_at", "released_at", "released_subscription", "default_settings"),
        id=objects.new_id("sub_sched_1"),
        created=sandbox.now(),
        customer=subscription["customer"],
        current_phase={
            "start_date": item["current_period_start"],
            "end_date": item["current_period_end"],
        },
        end_behavior="release",
        metadata={},
        phases=[
            {
                "start_date": item["current_period_start"],
                "end_date": item["current_period_end"],
                "items": [{"price": item["price"]["id"], "quantity": 1}],
            }
        ],
        status="active",
        subscription=subscription["id"],
    )
    subscription["schedule"] = schedule["id"]
    sandbox.store.add(Entry(schedule, account, {}))
    sandbox.store.replace(subscription)
    return schedule


def update_schedule(sandbox: Sandbox, entry: Entry, params: Params, cause: Cause) -> StripeObject:
    """POST /v1/subscription_schedules/{id}: the present phase, and the next one."""
    schedule = entry.body
    end_behavior = params.text("end_behavior", choices=("cancel", "release"))
    phases: list[StripeObject] = []
    for phase in params.children("phases"):
        items = phase.children("items")
        price = need_price(
            sandbox, entry.account, items[0].required("price"), items[0].name("price")
        )
        items[0].integer("quantity", minimum=1)
        phase.text("proration_behavior", choices=_BEHAVIORS)
        phase.integer("trial_end")
        began = phase.integer("start_date")
        start_date = phases[-1]["end_date"] if phases else began
        ends = phase.integer("end_date")
        duration = phase.child("duration")
        if duration is not None:
            duration.required("interval", choices=("month", "year"))
            duration.integer("interval_count", minimum=1)
            ends = _later(start_date or 0, price)
        phases.append(
            {
                "start_date": start_date,
                "end_date": ends,
                "items": [{"price": price["id"], "quantity": 1}],
            }
        )
    params.finish()
    if schedule["status"] != "active":
        raise StripeError("You cannot update a subscription schedule that is released.")
    schedule |= {"phases": phases or schedule["phases"], "end_behavior": end_behavior or "release"}
    sandbox.store.replace(schedule)
    sandbox.announce("subscription_schedule.updated", schedule, entry.account, cause=cause)
    subscription = sandbox.store.need(schedule["subscription"]).body
    _changed(sandbox, entry.account, subscription, {"schedule": None}, cause)
    return schedule


def release_schedule(sandbox: Sandbox, entry: Entry, cause: Cause) -> StripeObject:
    """POST /v1/subscription_schedules/{id}/release: the subscription goes on as it is."""
    subscription = sandbox.store.need(entry.body["subscription"]).body
    before = {"schedule": entry.body["id"]}
    release(sandbox, entry, subscription)
    _changed(sandbox, entry.account, subscription, before, cause)
    return entry.body


def release(sandbox: Sandbox, entry: Entry, subscription: StripeObject) -> None:
    """End a schedule; what it had begun stays."""
    entry.body.update(
        status="released",
        released_at=sandbox.now(),
        released_subscription=subscription["id"],
    )
    subscription["schedule"] = None
    sandbox.store.replace(entry.body)
    sandbox.store.replace(subscription)


# -- checkout and portal ---------------------------------------------------------------------------


def complete_checkout(sandbox: Sandbox, entry: Entry) -> StripeObject | None:
    """The visitor subscribes on a checkout page; None if the card was refused."""
    session = entry.body
    data = entry.extra["subscription"]
    if data["amount"] and not card_works(sandbox, session["customer"]):
        return None
    price = sandbox.store.need(data["price"]).body
    return start(
        sandbox,
        entry.account,
        session["customer"],
        price,
        data["trial_days"],
        data["metadata"],
    )


def create_portal(
    sandbox: Sandbox, account: str, params: Params, base: Callable[[], str]
) -> StripeObject:
    """POST /v1/billing_portal/sessions."""
    customer = need_customer(sandbox, account, params.required("customer"))
    return_url = params.url("return_url")
    locale = params.text("locale", maximum=10)
    params.finish()
    session_id = objects.new_id("bps_1")
    session = objects.fixture(
        PORTAL,
        ("flow",),
        id=session_id,
        created=sandbox.now(),
        customer=customer["id"],
        livemode=False,
        locale=locale,
        return_url=return_url,
        url=f"{base().rstrip('/')}/p/session/{session_id}",
    )
    sandbox.store.add(Entry(session, account, {}))
    return session
