"""From what the database knows to a finished mail.

A mail is an MJML template (its look), a text template (its plain alternative) and a table of
sentences a language. Values are escaped by Jinja for the HTML part, and the environment is
sandboxed, so that a sentence may one day come from an organization.

Rendering the same data gives the same bytes: a repeated send must be recognisable as the same.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from jinja2 import PackageLoader, StrictUndefined, Template, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment
from mjml import mjml2html
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from escapemaster.database import PreparedEmail
from escapemaster.email.formatting import LOCALES, city, clock, day, money
from escapemaster.email.message import Message
from escapemaster.errors import EmailError

#: The mails that exist.
TEMPLATES: Final = ("booking_confirmed", "booking_cancelled")

#: The language of a mail whose own is not known.
DEFAULT_LANGUAGE: Final = "en"


#: What XML, and so MJML, cannot hold (https://www.w3.org/TR/xml/#charsets), and line breaks.
_UNPRINTABLE: Final = re.compile("[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub(" ", text)


#: A name or an address that somebody typed.
Typed = Annotated[str, AfterValidator(_printable)]


class BookingData(BaseModel):
    """What the database hands over about a booking. Amounts in minor units of `currency`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    organization_name: Typed
    room_name: Typed
    location_name: Typed | None = None
    address: Typed | None = None
    starts_at: datetime
    ends_at: datetime | None = None
    timezone: str
    party_size: int
    reference: str
    manage_url_token: str
    currency: str
    total_cents: int
    paid_cents: int = 0
    open_cents: int = 0
    refund_cents: int = 0


def render(prepared: PreparedEmail, public_site_url: str) -> Message:
    """Write a mail.

    Args:
        prepared: What the database says it is about.
        public_site_url: The page on which a player manages a booking.

    Raises:
        EmailError: `template_unknown` or `template_data_invalid`; trying again would not help.
    """
    if prepared.template not in TEMPLATES:
        raise EmailError("template_unknown", prepared.template, retryable=False)
    try:
        booking = BookingData.model_validate(prepared.data)
    except ValidationError as error:
        missing = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        raise EmailError("template_data_invalid", missing, retryable=False) from None

    language = prepared.locale if prepared.locale in LOCALES else DEFAULT_LANGUAGE
    values = _values(booking, _printable(prepared.to.name), language, public_site_url)
    plain = _Texts(prepared.template, language, values)
    subject = " ".join(plain("subject").split())
    context = {**values, "language": language, "subject": subject}
    context["facts_rows"] = _facts(booking, prepared.template, language, plain)
    # The sentences are plain text; the HTML template escapes them where it places them.
    mjml = _template(f"{prepared.template}.mjml.j2").render(context, t=plain)
    text = _template(f"{prepared.template}.txt.j2").render(context, t=plain)
    return Message(
        template=prepared.template,
        language=language,
        sender=booking.organization_name,
        to_name=prepared.to.name,
        to_address=prepared.to.email,
        subject=subject,
        html=mjml2html(mjml, disable_comments=True),
        text=text.strip() + "\n",
    )


def manage_url(public_site_url: str, reference: str, token: str) -> str:
    """The link under which a player manages a booking."""
    parts = urlsplit(public_site_url)
    query = [*parse_qsl(parts.query), ("reference", reference), ("token", token)]
    return urlunsplit(parts._replace(query=urlencode(query)))


class _Texts:
    """The sentences of one mail in one language, filled in."""

    def __init__(self, template: str, language: str, values: Mapping[str, object]) -> None:
        self._template = template
        self._language = language
        self._values = values

    def __call__(self, name: str) -> str:
        return _sentence(self._language, self._template, name).render(self._values)


def _values(
    booking: BookingData, to_name: str, language: str, public_site_url: str
) -> dict[str, object]:
    values: dict[str, object] = booking.model_dump(exclude={"manage_url_token"})
    values["to_name"] = to_name
    values["day"] = day(booking.starts_at, booking.timezone, language)
    values["clock"] = clock(booking.starts_at, booking.timezone, language)
    values["city"] = city(booking.timezone, language)
    values["refund"] = (
        money(booking.refund_cents, booking.currency, language) if booking.refund_cents else ""
    )
    values["manage_url"] = manage_url(public_site_url, booking.reference, booking.manage_url_token)
    return values


def _facts(
    booking: BookingData, template: str, language: str, text: _Texts
) -> list[tuple[str, str, str]]:
    """The rows of a mail's table: label, value, and a smaller note."""

    def amount(cents: int) -> str:
        return money(cents, booking.currency, language)

    hours = clock(booking.starts_at, booking.timezone, language)
    if booking.ends_at is not None:
        hours += f" – {clock(booking.ends_at, booking.timezone, language)}"
    when = day(booking.starts_at, booking.timezone, language)
    rows = [
        (text("room"), booking.room_name, ""),
        (text("when"), when[:1].upper() + when[1:], f"{hours}, {text('local_time')}"),
    ]
    place = booking.location_name or booking.address
    if place:
        note = booking.address if booking.location_name and booking.address else ""
        rows.append((text("where"), place, note or ""))
    rows.append((text("players"), str(booking.party_size), ""))
    rows.append((text("reference"), booking.reference, ""))
    rows.append((text("total"), amount(booking.total_cents), ""))
    if booking.paid_cents:
        rows.append((text("paid"), amount(booking.paid_cents), ""))
    if template == "booking_confirmed" and booking.open_cents:
        rows.append((text("due"), amount(booking.open_cents), ""))
    if booking.refund_cents:
        rows.append((text("refund"), amount(booking.refund_cents), ""))
    return rows


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=PackageLoader("escapemaster.email", "templates"),
        autoescape=select_autoescape(
            enabled_extensions=("mjml.j2",), default=False, default_for_string=False
        ),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _template(name: str) -> Template:
    return _environment().get_template(name)


@cache
def _sentence(language: str, template: str, name: str) -> Template:
    texts = _texts(language)
    # A mail's own sentence goes before the one that all mails share.
    source = texts[template].get(name) or texts["common"][name]
    return _environment().from_string(source)


@cache
def _texts(language: str) -> Mapping[str, Mapping[str, str]]:
    source = files("escapemaster.email").joinpath("texts", f"{language}.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))
