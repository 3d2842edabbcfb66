"""Tells an owner of a payment that the customer's bank takes back."""

from __future__ import annotations

from datetime import datetime

from escapemaster.email.content import (
    Content,
    Mail,
    MailData,
    Row,
    Site,
    Typed,
    capital,
    instant_words,
)
from escapemaster.email.formatting import money
from escapemaster.email.texts import Texts


class Data(MailData):
    """What the database hands over. Amounts in minor units of `currency`."""

    organization_name: Typed
    reference: str
    currency: str
    amount_cents: int
    reason: Typed
    respond_by: datetime | None = None
    timezone: str
    #: Of a gift voucher that was to be mailed to somebody, and was not yet.
    delivery_held: bool = False


def _content(dispute: Data, language: str, _site: Site) -> Content:
    amount = money(dispute.amount_cents, dispute.currency, language)
    ends = (
        {}
        if dispute.respond_by is None
        else instant_words(dispute.respond_by, dispute.timezone, language)
    )

    def rows(text: Texts) -> list[Row]:
        found = [
            (text("reference"), dispute.reference, ""),
            (text("amount"), amount, ""),
            (text("reason"), dispute.reason.replace("_", " "), ""),
        ]
        if ends:
            until = f"{ends['clock']}, {text('local_time')}"
            found.append((text("respond_by"), capital(ends["day"]), until))
        return found

    return Content(
        sender=dispute.organization_name,
        words={
            "organization_name": dispute.organization_name,
            "reference": dispute.reference,
            "amount": amount,
            **ends,
        },
        values={"delivery_held": dispute.delivery_held},
        rows=rows,
    )


MAIL = Mail(
    Data,
    _content,
    {
        "organization_name": "Casa Laberinto",
        "reference": "ABCD-2345",
        "currency": "EUR",
        "amount_cents": 9000,
        "reason": "product_not_received",
        "respond_by": "2027-05-15T21:59:59Z",
        "timezone": "Europe/Madrid",
        "delivery_held": True,
    },
)
