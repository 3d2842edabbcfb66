"""Brings a gift voucher."""

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
    initial_cents: int
    valid_until: date | None = None
    recipient_name: Typed | None = None
    message: str | None = None
    #: Of one that was bought online.
    buyer_name: Typed | None = None
    product: Typed | None = None
    terms: str | None = None
    calendar_slug: str | None = None
    site_url: str | None = None
    accent_color: Colour | None = None


def _content(voucher: Data, language: str, site: Site) -> Content:
    page = site.of_venue(voucher.site_url).public_url
    value = money(voucher.initial_cents, voucher.currency, language)
    until = date_in_words(voucher.valid_until, language) if voucher.valid_until else ""

    def rows(text: Texts) -> list[Row]:
        found = [(text("value"), value, "")]
        if voucher.buyer_name:
            found.insert(0, (text("from"), voucher.buyer_name, ""))
        if until:
            found.append((text("valid_until"), capital(until), ""))
        return found

    def attachments(text: Texts) -> tuple[Attachment, ...]:
        rows = (
            ("paper_gift", voucher.product),
            ("paper_for", voucher.recipient_name),
            ("paper_from", voucher.buyer_name),
            ("paper_until", capital(until)),
        )
        paper = Paper(
            language=language,
            file=text("paper_file"),
            title=text("paper_title"),
            venue=voucher.organization_name,
            value=value,
            code=voucher.code,
            code_label=text("paper_code"),
            code_hint=text("paper_hint"),
            rows=[(text(name), said) for name, said in rows if said],
            message=[printable(line) for line in (voucher.message or "").splitlines()],
            terms_title=text("paper_terms"),
            terms=voucher.terms or "",
            contact=voucher.contact,
            accent=voucher.accent_color,
        )
        return (voucher_paper(paper),)

    return Content(
        sender=voucher.organization_name,
        words={
            "organization_name": voucher.organization_name,
            "code": voucher.code,
            "value": value,
            "recipient_name": voucher.recipient_name or "",
            "day": until,
        },
        values={
            "message": [printable(line) for line in (voucher.message or "").splitlines()],
            "book_url": calendar_url(page, voucher.calendar_slug),
        },
        rows=rows,
        attachments=attachments,
        accent=voucher.accent_color,
        reply_to=voucher.contact_email,
        contact=voucher.contact,
        logo=voucher.logo(site),
    )


MAIL = Mail(
    Data,
    _content,
    {
        "organization_name": "Casa Laberinto",
        "code": "REGALO-2027",
        "currency": "EUR",
        "initial_cents": 8000,
        "valid_until": "2028-05-15",
        "recipient_name": "Marta",
        "message": "Happy birthday!\nSee you in the dark.",
        "buyer_name": "Joan",
        "calendar_slug": None,
    },
)
