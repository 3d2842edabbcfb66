"""Stripe's objects: its published fixtures with our values filled in.

A fixture shows samples where a real object would say null; each maker says which fields it
empties. ``fixtures.json`` is Stripe's data, trimmed to the resources used here.
"""

from __future__ import annotations

import copy
import functools
import json
import secrets
import string
from importlib import resources

from escapemaster_dev.sandbox.stripe.store import StripeObject

API_VERSION = "2026-10-28.endive"
_ALPHABET = string.ascii_letters + string.digits


@functools.cache
def _fixtures() -> dict[str, StripeObject]:
    text = resources.files(__package__).joinpath("fixtures.json").read_text("utf-8")
    found: dict[str, StripeObject] = json.loads(text)["resources"]
    return found


def new_id(prefix: str, length: int = 24) -> str:
    """An id as Stripe's look: a prefix such as ``pi_`` and random letters and digits."""
    return f"{prefix}{''.join(secrets.choice(_ALPHABET) for _ in range(length))}"


def fixture(kind: str, empty: tuple[str, ...] = (), /, **fields: object) -> StripeObject:
    """A copy of a fixture with the named fields set, and those in `empty` null."""
    return {**copy.deepcopy(_fixtures()[kind]), **dict.fromkeys(empty), **fields}


def checkout_session(**fields: object) -> StripeObject:
    """An open session."""
    return fixture(
        "checkout.session",
        (
            "after_expiration",
            "collected_information",
            "consent",
            "consent_collection",
            "custom_text",
            "customer_details",
            "managed_payments",
            "payment_intent",
            "payment_method_configuration_details",
            "permissions",
            "saved_payment_method_options",
            "shipping_address_collection",
            "shipping_cost",
            "wallet_options",
        ),
        id=new_id("cs_test_", 58),
        adaptive_pricing={"enabled": False},
        automatic_tax={
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        invoice_creation={"enabled": False},
        payment_method_collection="if_required",
        ui_mode="hosted_page",
        **fields,
    )


def line_item(**fields: object) -> StripeObject:
    """One line of a session."""
    item = fixture("item", ("adjustable_quantity",), id=new_id("li_"), metadata={}, **fields)
    item["price"] |= {
        "id": new_id("price_"),
        "active": False,
        "created": 0,
        "currency": item["currency"],
        "custom_unit_amount": None,
        "product": new_id("prod_", 14),
        "recurring": None,
        "transform_quantity": None,
    }
    return item


def payment_intent(**fields: object) -> StripeObject:
    """An intent that waits for a card."""
    intent_id = new_id("pi_3")
    return fixture(
        "payment_intent",
        (
            "automatic_payment_methods",
            "canceled_at",
            "last_payment_error",
            "managed_payments",
            "next_action",
            "payment_method_configuration_details",
            "processing",
            "shipping",
            "transfer_data",
        ),
        id=intent_id,
        client_secret=f"{intent_id}_secret_{secrets.token_urlsafe(18)}",
        capture_method="automatic_async",
        **fields,
    )


def charge(**fields: object) -> StripeObject:
    """A charge; the caller says that it succeeded."""
    return fixture(
        "charge",
        (
            "description",
            "payment_method",
            "receipt_url",
            "shipping",
            "transfer_data",
        ),
        id=new_id("ch_3"),
        **fields,
    )


def refund(**fields: object) -> StripeObject:
    """A refund of a card payment that succeeded."""
    return fixture(
        "refund",
        id=new_id("re_3"),
        balance_transaction=new_id("txn_"),
        destination_details={
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        },
        **fields,
    )


def dispute(**fields: object) -> StripeObject:
    """A dispute that waits for the merchant's answer."""
    return fixture("dispute", id=new_id("du_"), **fields)


def event(**fields: object) -> StripeObject:
    """An event; the caller says what happened."""
    return fixture("event", id=new_id("evt_"), api_version=API_VERSION, **fields)
