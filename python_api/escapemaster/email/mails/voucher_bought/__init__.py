"""Tells the buyer of a gift voucher its code, and when its recipient is told."""

from __future__ import annotations

from datetime import date

from escapemaster.email.content import (
    Colour,
    Content,
    Mail,
    Row,
    Site,
    Typed,
    VenueData,
    capital,
    printable,
)
from escapemaster.email.formatting import date_in_words, money
from escapemaster.email.links import calendar_url
from escapemaster.email.message import Attachment
from escapemaster.email.texts import Texts
from escapemaster.email.voucher_paper import Paper, voucher_paper


class Data(VenueData):
    """What the database hands over. Amounts in minor units of `currency`."""

    code: Typed
    currency: str
    amount_cents: int
    product: Typed | None = None
    valid_until: date | None = None
    recipient_name: Typed | None = None
    recipient_email: Typed | None = None
    message: str | None = None
    buyer_name: Typed | None = None
    #: The venue's, that the buyer agreed to.
    terms: str | None = None
    deliver_on: date | None = None
    calendar_slug: str | None = None
    site_url: str | None = None
    accent_color: Colour | None = None


def _content(bought: Data, language: str, site: Site) -> Content:
    page = site.of_venue(bought.site_url).public_url
    value = money(bought.amount_cents, bought.currency, language)
    until = date_in_words(bought.valid_until, language) if bought.valid_until else ""
    delivery = date_in_words(bought.deliver_on, language) if bought.deliver_on else ""

    def rows(text: Texts) -> list[Row]:
        found = [(text("value"), value, "")]
        if bought.product:
            found.insert(0, (text("product"), bought.product, ""))
        if until:
            found.append((text("valid_until"), capital(until), ""))
        if bought.recipient_name or bought.recipient_email:
            found.append(
                (
                    text("recipient"),
                    bought.recipient_name or bought.recipient_email or "",
                    bought.recipient_email or "" if bought.recipient_name else "",
                )
            )
        if bought.recipient_email:
            found.append((text("delivery"), capital(delivery) if delivery else text("at_once"), ""))
        return found

    def attachments(text: Texts) -> tuple[Attachment, ...]:
        rows = (
            ("paper_gift", bought.product),
            ("paper_for", bought.recipient_name),
            ("paper_from", bought.buyer_name),
            ("paper_until", capital(until)),
        )
        paper = Paper(
            language=language,
            file=text("paper_file"),
            title=text("paper_title"),
            venue=bought.organization_name,
            value=value,
            code=bought.code,
            code_label=text("paper_code"),
            code_hint=text("paper_hint"),
            rows=[(text(name), said) for name, said in rows if said],
            message=[printable(line) for line in (bought.message or "").splitlines()],
            terms_title=text("paper_terms"),
            terms=bought.terms or "",
            contact=bought.contact,
            accent=bought.accent_color,
        )
        return (voucher_paper(paper),)

    return Content(
        sender=bought.organization_name,
        words={
            "organization_name": bought.organization_name,
            "code": bought.code,
            "value": value,
            "recipient_name": bought.recipient_name or "",
            "day": until,
        },
        values={
            "message": [printable(line) for line in (bought.message or "").splitlines()],
            "book_url": calendar_url(page, bought.calendar_slug),
        },
        rows=rows,
        attachments=attachments,
        accent=bought.accent_color,
        reply_to=bought.contact_email,
        contact=bought.contact,
        logo=bought.logo(site),
    )


MAIL = Mail(
    Data,
    _content,
    {
        "organization_name": "Casa Laberinto",
        "code": "REGALO-2027",
        "currency": "EUR",
        "amount_cents": 8000,
        "product": "Escape for 4",
        "valid_until": "2028-05-15",
        "recipient_name": "Marta",
        "recipient_email": "marta@example.test",
        "message": "Happy birthday!\nSee you in the dark.",
        "buyer_name": "Joan",
        "terms": "Vouchers are not paid out in cash.",
        "deliver_on": "2027-06-01",
        "calendar_slug": None,
    },
)
