"""From what the database knows to a finished mail.

A mail is an MJML template (its look), a text template (its plain alternative) and a table of
sentences a language. Values are escaped by Jinja for the HTML part, and the environment is
sandboxed, so that a sentence may one day come from an organization.

Rendering the same data gives the same bytes: a repeated send must be recognisable as the same.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    calendar_slug: str | None = None
    currency: str
    total_cents: int
    paid_cents: int = 0
    open_cents: int = 0
    refund_cents: int = 0


class InvitationData(BaseModel):
    """What the database hands over about an invitation to work for an organization."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    organization_name: Typed
    role_name: Typed
    invitation_token: str
    expires_at: datetime
    timezone: str


#: A row of a mail's table: label, value, and a smaller note.
Row = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Content:
    """What a mail says: whose name it carries, the values of its sentences, and its table."""

    sender: str
    values: Mapping[str, object]
    rows: Callable[[_Texts], list[Row]]


def render(prepared: PreparedEmail, public_site_url: str) -> Message:
    """Write a mail.

    Args:
        prepared: What the database says it is about.
        public_site_url: The page to which the links of a mail lead.

    Raises:
        EmailError: `template_unknown` or `template_data_invalid`; trying again would not help.
    """
    read = TEMPLATES.get(prepared.template)
    if read is None:
        raise EmailError("template_unknown", prepared.template, retryable=False)
    language = prepared.locale if prepared.locale in LOCALES else DEFAULT_LANGUAGE
    try:
        content = read(prepared, language, public_site_url)
    except ValidationError as error:
        missing = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        raise EmailError("template_data_invalid", missing, retryable=False) from None

    values = {**content.values, "to_name": _printable(prepared.to.name)}
    # The sentences are plain text; the HTML template escapes them where it places them.
    text = _Texts(prepared.template, language, values)
    subject = " ".join(text("subject").split())
    context = {
        **values,
        "language": language,
        "subject": subject,
        "rows": content.rows(text),
        "t": text,
    }
    return Message(
        template=prepared.template,
        language=language,
        sender=content.sender,
        to_name=prepared.to.name,
        to_address=prepared.to.email,
        subject=subject,
        html=mjml2html(
            _template(f"{prepared.template}.mjml.j2").render(context), disable_comments=True
        ),
        text=_template(f"{prepared.template}.txt.j2").render(context).strip() + "\n",
    )


def manage_url(
    public_site_url: str, reference: str, token: str, calendar: str | None = None
) -> str:
    """The link under which a player manages a booking.

    The token is in the fragment, which browsers send to nobody. `calendar` is the slug that the
    page shows beside the booking, so that "book another" leads back to the same venue.
    """
    shown = {"calendar": calendar} if calendar else {}
    address = _with_parameters(public_site_url, reference=reference, **shown)
    return f"{address}#{urlencode({'token': token})}"


def _with_parameters(address: str, **parameters: str) -> str:
    parts = urlsplit(address)
    query = [*parse_qsl(parts.query), *parameters.items()]
    return urlunsplit(parts._replace(query=urlencode(query)))


class _Texts:
    """The sentences of one mail in one language, filled in."""

    def __init__(self, template: str, language: str, values: Mapping[str, object]) -> None:
        self._template = template
        self._language = language
        self._values = values

    def __call__(self, name: str) -> str:
        return _sentence(self._language, self._template, name).render(self._values)


def _booking(prepared: PreparedEmail, language: str, public_site_url: str) -> _Content:
    """Both mails about a booking."""
    booking = BookingData.model_validate(prepared.data)

    def amount(cents: int) -> str:
        return money(cents, booking.currency, language)

    def rows(text: _Texts) -> list[Row]:
        hours = clock(booking.starts_at, booking.timezone, language)
        if booking.ends_at is not None:
            hours += f" – {clock(booking.ends_at, booking.timezone, language)}"
        when = day(booking.starts_at, booking.timezone, language)
        found = [
            (text("room"), booking.room_name, ""),
            (text("when"), _capital(when), f"{hours}, {text('local_time')}"),
        ]
        if place := booking.location_name or booking.address:
            found.append((text("where"), place, (booking.location_name and booking.address) or ""))
        found.append((text("players"), str(booking.party_size), ""))
        found.append((text("reference"), booking.reference, ""))
        found.append((text("total"), amount(booking.total_cents), ""))
        if booking.paid_cents:
            found.append((text("paid"), amount(booking.paid_cents), ""))
        if prepared.template == "booking_confirmed" and booking.open_cents:
            found.append((text("due"), amount(booking.open_cents), ""))
        if booking.refund_cents:
            found.append((text("refund"), amount(booking.refund_cents), ""))
        return found

    values = {
        **booking.model_dump(exclude={"manage_url_token"}),
        **_instant(booking.starts_at, booking.timezone, language),
        "refund": amount(booking.refund_cents) if booking.refund_cents else "",
        "manage_url": manage_url(
            public_site_url, booking.reference, booking.manage_url_token, booking.calendar_slug
        ),
    }
    return _Content(booking.organization_name, values, rows)


def _invitation(prepared: PreparedEmail, language: str, public_site_url: str) -> _Content:
    """The mail that invites somebody to work for an organization."""
    invitation = InvitationData.model_validate(prepared.data)
    ends = _instant(invitation.expires_at, invitation.timezone, language)

    def rows(text: _Texts) -> list[Row]:
        return [
            (text("role"), invitation.role_name, ""),
            (text("valid_until"), _capital(ends["day"]), f"{ends['clock']}, {text('local_time')}"),
        ]

    values = {
        **invitation.model_dump(exclude={"invitation_token"}),
        **ends,
        "accept_url": _with_parameters(public_site_url, invitation=invitation.invitation_token),
    }
    return _Content(invitation.organization_name, values, rows)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _instant(instant: datetime, timezone: str, language: str) -> dict[str, str]:
    return {
        "day": day(instant, timezone, language),
        "clock": clock(instant, timezone, language),
        "city": city(timezone, language),
    }


#: The mails that exist, and who reads their data.
TEMPLATES: Final[Mapping[str, Callable[[PreparedEmail, str, str], _Content]]] = {
    "booking_confirmed": _booking,
    "booking_cancelled": _booking,
    "invitation": _invitation,
}


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
