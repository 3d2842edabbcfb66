"""From what the database knows to a finished mail.

A mail is an MJML template (its look), a text template (its plain alternative) and a table of
sentences a language. Values are escaped by Jinja for the HTML part, and the environment is
sandboxed. An organization may replace subject and opening words by its own (`overrides`).

Rendering the same data gives the same bytes: a repeated send must be recognisable as the same.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID

from jinja2 import PackageLoader, StrictUndefined, Template, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment
from mjml import mjml2html
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from escapemaster.database import EmailOverride, PreparedEmail
from escapemaster.email.colours import colours
from escapemaster.email.event import BookingEvent, booking_calendar
from escapemaster.email.formatting import (
    LOCALES,
    city,
    clock,
    date_in_words,
    day,
    duration,
    money,
    percent,
)
from escapemaster.email.message import Attachment, Message
from escapemaster.email.overrides import MAX_SUBJECT, Values, WordsError, fill, paragraphs
from escapemaster.errors import EmailError
from escapemaster.logging import get_logger

_log = get_logger("email")

#: The language of a mail whose own is not known.
DEFAULT_LANGUAGE: Final = "en"


#: What XML, and so MJML, cannot hold (https://www.w3.org/TR/xml/#charsets), and line breaks.
_UNPRINTABLE: Final = re.compile("[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub(" ", text)


#: A name or an address that somebody typed.
Typed = Annotated[str, AfterValidator(_printable)]

#: `#rrggbb`.
Colour = Annotated[str, Field(pattern=r"\A#[0-9a-f]{6}\z")]


class Extra(BaseModel):
    """Something that the party takes beside its seats."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Typed
    quantity: int


class Previous(BaseModel):
    """What a change of a booking replaced; None: what stayed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    starts_at: datetime | None = None
    room_name: Typed | None = None
    party_size: int | None = None
    extras: tuple[Extra, ...] | None = None
    total_cents: int | None = None


class RefundPart(BaseModel):
    """What goes back by one way: stripe, voucher, cash, card_terminal, transfer, bizum."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    method: str
    amount_cents: int


class Tier(BaseModel):
    """A step of what a cancellation gives back: so much of it until so long before the start."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    hours_before: int
    refund_percent: int


class Terms(BaseModel):
    """What was agreed about cancelling; without tiers all goes back until the start."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tiers: tuple[Tier, ...] = ()
    no_show_fee_percent: int


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
    extras: tuple[Extra, ...] = ()
    reference: str
    manage_url_token: str
    waiver_token: str | None = None
    calendar_slug: str | None = None
    site_url: str | None = None
    accent_color: Colour | None = None
    currency: str
    total_cents: int
    paid_cents: int = 0
    open_cents: int = 0
    refund_cents: int = 0
    refunds: tuple[RefundPart, ...] = ()
    event_id: UUID | None = None
    event_at: datetime | None = None
    event_version: int = 0
    previous: Previous | None = None
    terms: Terms | None = None
    cancel_refund: str | None = None
    cancelled_by_customer: bool = False


class HeldData(BookingData):
    """What the database hands over about a place that is held until it is paid."""

    expires_at: datetime
    due_now_cents: int


class OfferData(HeldData):
    """What the database hands over about a place that is held for somebody who waits."""

    waitlist_token: str


class WaitingData(BaseModel):
    """What the database hands over about a place in the waiting list. Dates are the venue's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    organization_name: Typed
    room_name: Typed | None = None
    from_date: date
    to_date: date
    starts_at: datetime | None = None
    timezone: str
    party_size: int
    offer_minutes: int | None = None
    waitlist_token: str
    calendar_slug: str | None = None
    site_url: str | None = None
    accent_color: Colour | None = None


class ToConfirmData(BookingData):
    """What the database hands over about a booking that the link in its mail confirms."""

    expires_at: datetime
    confirmation_token: str


class VoucherData(BaseModel):
    """What the database hands over about a gift voucher. Amounts in minor units of `currency`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    organization_name: Typed
    code: Typed
    currency: str
    initial_cents: int
    valid_until: date | None = None
    recipient_name: Typed | None = None
    message: str | None = None
    calendar_slug: str | None = None
    site_url: str | None = None
    accent_color: Colour | None = None


class InvitationData(BaseModel):
    """What the database hands over about an invitation to work for an organization."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    organization_name: Typed
    role_name: Typed
    invitation_token: str
    expires_at: datetime
    timezone: str


class DisputeData(BaseModel):
    """What the database hands over about a disputed payment. Amounts in minor units."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    organization_name: Typed
    reference: str
    currency: str
    amount_cents: int
    reason: Typed
    respond_by: datetime | None = None
    timezone: str


#: The ways on which money goes back that have words of their own.
_REFUND_METHODS: Final = frozenset(
    {"stripe", "voucher", "cash", "card_terminal", "transfer", "bizum"}
)

#: A row of a mail's table: label, value, and a smaller note.
Row = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Content:
    """What a mail says.

    Attributes:
        sender: Whose name it carries.
        words: What its sentences, and an organization's own, may name.
        values: What only its template knows: links, and switches.
        rows: Its table.
        refunds: What goes back, a sentence for each way.
        price: How a change of the price ends.
        why: Why a cancellation gives back what it does.
        terms: What was agreed about cancelling.
        attachments: Its files.
        accent: The venue's colour, if it has one.
    """

    sender: str
    words: Values
    values: Mapping[str, object]
    rows: Callable[[_Texts], list[Row]]
    refunds: Callable[[_Texts], list[str]] = lambda _: []
    price: Callable[[_Texts], list[str]] = lambda _: []
    why: Callable[[_Texts], list[str]] = lambda _: []
    terms: Callable[[_Texts], list[str]] = lambda _: []
    attachments: Callable[[_Texts], tuple[Attachment, ...]] = lambda _: ()
    accent: str | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """Where mails lead to and come from.

    Attributes:
        public_url: The platform's page, to which links lead unless the venue has its own.
        email_from: The sender, `Name <address>`.
    """

    public_url: str
    email_from: str = "bookings@escapemaster.test"

    def of_venue(self, site_url: str | None) -> Site:
        """The same with the venue's own page, if it has one."""
        return replace(self, public_url=site_url) if site_url else self


def render(prepared: PreparedEmail, site: Site) -> Message:
    """Write a mail. As `compose`, without the problem."""
    return compose(prepared, site)[0]


@dataclass(frozen=True, slots=True)
class WordsProblem:
    """What is wrong with an organization's own words, as its staff see it."""

    field: str
    line: int
    problem: str

    def as_json(self) -> dict[str, str | int]:
        """The shape that `service.record_email_words` takes."""
        return {"field": self.field, "line": self.line, "problem": self.problem}


def compose(prepared: PreparedEmail, site: Site) -> tuple[Message, WordsProblem | None]:
    """Write a mail, and say what is wrong with the organization's own words, if anything is.

    Words that cannot be used, for whatever reason, are left aside: a mail goes out in any case.

    Args:
        prepared: What the database says it is about.
        site: Where its links lead.

    Raises:
        EmailError: `template_unknown` or `template_data_invalid`; trying again would not help.
    """
    try:
        return render_strictly(prepared, site), None
    except WordsInvalidError as error:
        problem = WordsProblem(error.field, error.line, error.problem)
    except EmailError:
        raise
    except Exception as error:  # a mistake of ours that only these words meet
        if prepared.override is None:
            raise
        _log.error("email.override_crashed", exc_info=error)
        problem = WordsProblem("body", 1, "The mail cannot be made with these words.")
    _log.warning(
        "email.override_unusable",
        template=prepared.template,
        locale=prepared.locale,
        field=problem.field,
        line=problem.line,
        problem=problem.problem,
    )
    return render_strictly(prepared.model_copy(update={"override": None}), site), problem


class WordsInvalidError(Exception):
    """An organization's own words cannot be used. `field` is subject or body."""

    def __init__(self, field: str, error: WordsError) -> None:
        super().__init__(f"{field}: {error}")
        self.field = field
        self.line = error.line
        self.problem = error.problem


def render_strictly(prepared: PreparedEmail, site: Site) -> Message:
    """Write a mail, or say what is wrong with the organization's own words.

    Raises:
        WordsInvalidError: They cannot be used.
        EmailError: As `render`.
    """
    read = TEMPLATES.get(prepared.template)
    if read is None:
        raise EmailError("template_unknown", prepared.template, retryable=False)
    language = prepared.locale if prepared.locale in LOCALES else DEFAULT_LANGUAGE
    try:
        content = read(prepared, language, site)
    except ValidationError as error:
        missing = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        raise EmailError("template_data_invalid", missing, retryable=False) from None

    words = {**content.words, "to_name": _printable(prepared.to.name)}
    # The sentences are plain text; the HTML template escapes them where it places them.
    text = _Texts(prepared.template, language, {**words, **content.values})
    own = prepared.override or EmailOverride()
    subject = " ".join(_own("subject", own.subject, words, MAX_SUBJECT).split())
    opening = paragraphs(_own("body", own.body, words, None))
    subject = subject or " ".join(text("subject").split())
    context = {
        **words,
        **content.values,
        "language": language,
        "subject": subject,
        "opening": opening or [text("intro")],
        "own_words": bool(opening),
        "rows": content.rows(text),
        "refunds": content.refunds(text),
        "price": content.price(text),
        "why": content.why(text),
        "terms": content.terms(text),
        "colours": colours(content.accent),
        "t": text,
    }
    return Message(
        template=prepared.template,
        language=language,
        sender=content.sender,
        to_name=prepared.to.name,
        to_address=prepared.to.email,
        subject=subject,
        html=_as_main(
            mjml2html(
                _template(f"{prepared.template}/mail.mjml.j2").render(context),
                disable_comments=True,
                # Else MJML fetches those that it knows from Google, whenever the mail is opened.
                fonts={},
            )
        ),
        text=_tidy(_template(f"{prepared.template}/mail.txt.j2").render(context)),
        attachments=content.attachments(text),
    )


def _own(field: str, source: str | None, words: Values, limit: int | None) -> str:
    """A text of the organization, filled in; empty without one."""
    if source is None:
        return ""
    try:
        filled = fill(source, words)
    except WordsError as error:
        raise WordsInvalidError(field, error) from None
    lines = [_printable(line) for line in filled.splitlines()]
    return "\n".join(lines)[:limit]


def _as_main(page: str) -> str:
    """The page with all of it in the landmark that screen readers jump to; MJML makes none."""
    opened = re.sub(r"<body[^>]*>", r'\g<0><div role="main">', page, count=1)
    return opened.replace("</body>", "</div></body>")


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def manage_url(
    public_site_url: str, reference: str, token: str, calendar: str | None = None
) -> str:
    """The link under which a player manages a booking.

    The token is in the fragment, which browsers send to nobody. `calendar` is the slug that the
    page shows beside the booking, so that "book another" leads back to the same venue.
    """
    address = _with_parameters(public_site_url, reference=reference, **_calendar(calendar))
    return _fragment(address, token)


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

    def __call__(self, name: str, **more: str) -> str:
        return _sentence(self._language, self._template, name).render(self._values, **more)


def _fragment(address: str, token: str, name: str = "token") -> str:
    """A link with its secret in the fragment, which browsers send to nobody."""
    return f"{address}#{urlencode({name: token})}"


def _booking(prepared: PreparedEmail, language: str, site: Site) -> _Content:
    """The mails about a booking that is there, has changed, or is over."""
    return _booking_content(BookingData.model_validate(prepared.data), prepared, language, site)


def _booking_content(
    booking: BookingData, prepared: PreparedEmail, language: str, site: Site
) -> _Content:
    site = site.of_venue(booking.site_url)

    def amount(cents: int) -> str:
        return money(cents, booking.currency, language) if cents else ""

    still_on = prepared.template in ("booking_confirmed", "booking_rescheduled")

    def rows(text: _Texts) -> list[Row]:
        hours = clock(booking.starts_at, booking.timezone, language)
        if booking.ends_at is not None:
            hours += f" – {clock(booking.ends_at, booking.timezone, language)}"
        when = day(booking.starts_at, booking.timezone, language)
        found = [
            (text("room"), booking.room_name, ""),
            (text("when"), _capital(when), f"{hours}, {text('local_time')}"),
        ]
        if before := _before(booking, language, text):
            found.append((text("before"), before, ""))
        if place := booking.location_name or booking.address:
            found.append((text("where"), place, (booking.location_name and booking.address) or ""))
        found.append((text("players"), str(booking.party_size), ""))
        if booking.extras:
            found.append((text("extras"), _extras(booking.extras), ""))
        found.append((text("reference"), booking.reference, ""))
        if prepared.template != "booking_paid_late":
            total = money(booking.total_cents, booking.currency, language)
            found.append((text("total"), total, ""))
        if booking.paid_cents and prepared.template != "booking_paid_late":
            found.append((text("paid"), amount(booking.paid_cents), ""))
        if still_on and booking.open_cents:
            found.append((text("due"), amount(booking.open_cents), ""))
        if booking.refund_cents:
            found.append((text("refund"), amount(booking.refund_cents), ""))
        return found

    def terms(text: _Texts) -> list[str]:
        if booking.terms is None or not (still_on or booking.cancel_refund == "terms"):
            return []
        return [_terms(booking, booking.terms, language, text, still_on=still_on)]

    def why(text: _Texts) -> list[str]:
        if prepared.template != "booking_cancelled" or not booking.paid_cents:
            return []
        if not booking.refund_cents:
            return [text("none_back" if booking.cancel_refund == "none" else "no_refund")]
        if booking.cancel_refund == "full" and not booking.cancelled_by_customer:
            return [text("venue_cancelled")]
        if booking.cancel_refund == "terms":
            all_of_it = booking.refund_cents == booking.paid_cents
            return [text("all_by_terms" if all_of_it else "part_by_terms")]
        return []

    def refunds(text: _Texts) -> list[str]:
        # A database that does not say how it goes back knows of one way only.
        parts = booking.refunds or (RefundPart(method="stripe", amount_cents=booking.refund_cents),)
        parts = tuple(part for part in parts if part.amount_cents > 0)
        if prepared.template == "booking_paid_late" and [p.method for p in parts] == ["stripe"]:
            return [text("refund_all", back=amount(parts[0].amount_cents))]
        return [
            text(
                f"refund_{part.method if part.method in _REFUND_METHODS else 'other'}",
                back=amount(part.amount_cents),
            )
            for part in parts
        ]

    def price(text: _Texts) -> list[str]:
        if booking.previous is None or booking.previous.total_cents is None:
            return []
        before = money(booking.previous.total_cents, booking.currency, language)
        kept = booking.paid_cents - booking.refund_cents
        if not booking.open_cents:
            after = text("all_paid")
        elif kept > 0:
            after = text("still_due", kept=amount(kept))
        else:
            after = text("all_due")
        return [f"{text('price', before_total=before)} {after}"]

    def attachments(text: _Texts) -> tuple[Attachment, ...]:
        if booking.event_id is None or booking.event_at is None:
            return ()
        event = BookingEvent(
            uid=str(booking.event_id),
            version=booking.event_version,
            changed_at=booking.event_at,
            starts_at=booking.starts_at,
            ends_at=booking.ends_at,
            summary=f"{booking.room_name} · {booking.organization_name}",
            description=text("event"),
            location=", ".join(filter(None, (booking.location_name, booking.address))),
            organizer=booking.organization_name,
            organizer_address=site.email_from,
        )
        return (booking_calendar(event, "PUBLISH" if still_on else "CANCEL"),)

    words: dict[str, str | int] = {
        "organization_name": booking.organization_name,
        "room_name": booking.room_name,
        "location_name": booking.location_name or "",
        "address": booking.address or "",
        **_instant(booking.starts_at, booking.timezone, language),
        "party_size": booking.party_size,
        "reference": booking.reference,
        "total": money(booking.total_cents, booking.currency, language),
        "paid": amount(booking.paid_cents),
        "due": amount(booking.open_cents),
        "refund": amount(booking.refund_cents),
    }
    waiver = _with_parameters(
        site.public_url, **_calendar(booking.calendar_slug), waiver=booking.reference
    )
    values = {
        "manage_url": manage_url(
            site.public_url, booking.reference, booking.manage_url_token, booking.calendar_slug
        ),
        "waiver_url": _fragment(waiver, booking.waiver_token) if booking.waiver_token else "",
        "book_url": _calendar_url(site, booking.calendar_slug),
    }
    return _Content(
        booking.organization_name,
        words,
        values,
        rows,
        refunds,
        price,
        why,
        terms,
        attachments,
        booking.accent_color,
    )


def _terms(
    booking: BookingData, terms: Terms, language: str, text: _Texts, *, still_on: bool
) -> str:
    """What was agreed about cancelling; of a booking that is on, only what still counts."""
    # Booked a day ahead, nobody is told what could have been done a week before.
    told_at = booking.event_at if still_on else None
    steps: dict[int, str] = {}  # by what goes back: of two steps with the same, the later counts
    nothing_later = bool(terms.tiers)
    for tier in sorted(terms.tiers, key=lambda step: step.hours_before, reverse=True):
        ends_at = booking.starts_at - timedelta(hours=tier.hours_before)
        if told_at is not None and ends_at <= told_at:
            continue
        nothing_later = tier.hours_before > 0
        if not tier.refund_percent:
            nothing_later = True
            continue
        ends = (
            text("until", **_instant(ends_at, booking.timezone, language))
            if tier.hours_before
            else text("until_start")
        )
        free = tier.refund_percent == 100
        steps[tier.refund_percent] = text(
            "cancel_free" if free else "cancel_part",
            ends=ends,
            part=percent(tier.refund_percent, language),
        )
    said = list(steps.values())
    if not terms.tiers:
        said.append(text("cancel_free", ends=text("until_start")))
    elif nothing_later:
        said.append(text("nothing_later" if said else "nothing_back"))
    first, *later = [f"{step}." for step in said]
    words = [f"{text('terms')}: {first}", *map(_capital, later)]
    if still_on:
        fee = terms.no_show_fee_percent
        no_show = {0: "no_show_free", 100: "no_show_all"}.get(fee, "no_show_part")
        words.append(text(no_show, part=percent(fee, language)))
    return " ".join(words)


def _extras(extras: tuple[Extra, ...]) -> str:
    """What a party takes beside its seats, in one line."""
    return ", ".join(f"{extra.quantity} × {extra.name}" for extra in extras)


def _before(booking: BookingData, language: str, text: _Texts) -> str:
    """What a change replaced, in one line."""
    if booking.previous is None:
        return ""
    was = booking.previous
    parts = [was.room_name or ""]
    if was.starts_at is not None:
        parts.append(_capital(day(was.starts_at, booking.timezone, language)))
        parts.append(clock(was.starts_at, booking.timezone, language))
    if was.party_size is not None:
        parts.append(f"{was.party_size} {text('players').lower()}")
    if was.extras is not None:
        parts.append(_extras(was.extras) or text("no_extras"))
    return ", ".join(filter(None, parts))


def _held(prepared: PreparedEmail, language: str, site: Site) -> _Content:
    """The mail that brings somebody back to a place that is to be paid."""
    return _held_content(HeldData.model_validate(prepared.data), prepared, language, site)


def _held_content(held: HeldData, prepared: PreparedEmail, language: str, site: Site) -> _Content:
    content = _booking_content(held, prepared, language, site)
    ends = _instant(held.expires_at, held.timezone, language)
    due = money(held.due_now_cents, held.currency, language) if held.due_now_cents else ""

    def rows(text: _Texts) -> list[Row]:
        clock_of = f"{ends['clock']}, {text('local_time')}"
        until = (text("held_until"), _capital(ends["day"]), clock_of)
        found = [*content.rows(text), until]
        return [*found[:-1], (text("due_now"), due, ""), until] if due else found

    return replace(
        content,
        words={
            **content.words,
            "until_day": ends["day"],
            "until_clock": ends["clock"],
            "due_now": due,
        },
        rows=rows,
    )


def _offer(prepared: PreparedEmail, language: str, site: Site) -> _Content:
    """The mail that offers a place to somebody who waits for one."""
    offer = OfferData.model_validate(prepared.data)
    content = _held_content(offer, prepared, language, site)
    leave = _leave_url(site.of_venue(offer.site_url), offer.calendar_slug, offer.waitlist_token)
    return replace(content, values={**content.values, "leave_url": leave})


def _leave_url(site: Site, slug: str | None, token: str) -> str:
    """The link under which somebody leaves the waiting list, as the widget takes it."""
    address = _with_parameters(site.public_url, **_calendar(slug), waitlist="leave")
    return _fragment(address, token)


def _waiting(prepared: PreparedEmail, language: str, site: Site) -> _Content:
    """The mail that confirms a place in the waiting list."""
    entry = WaitingData.model_validate(prepared.data)
    site = site.of_venue(entry.site_url)
    first = date_in_words(entry.from_date, language)
    last = date_in_words(entry.to_date, language)
    start = _instant(entry.starts_at, entry.timezone, language) if entry.starts_at else {}

    def rows(text: _Texts) -> list[Row]:
        if start:
            when = (_capital(start["day"]), f"{start['clock']}, {text('local_time')}")
        elif entry.from_date == entry.to_date:
            when = (_capital(first), text("any_time"))
        else:
            when = (_capital(text("from_to", first=first, last=last)), text("any_time"))
        return [
            (text("room"), entry.room_name or text("any_room"), ""),
            (text("when"), *when),
            (text("players"), str(entry.party_size), ""),
        ]

    words: dict[str, str | int] = {
        "organization_name": entry.organization_name,
        "room_name": entry.room_name or "",
        "day": start.get("day", first),
        "last_day": start.get("day", last),
        "clock": start.get("clock", ""),
        "city": city(entry.timezone, language),
        "party_size": entry.party_size,
    }
    values = {
        "leave_url": _leave_url(site, entry.calendar_slug, entry.waitlist_token),
        "held_for": duration(entry.offer_minutes, language) if entry.offer_minutes else "",
    }
    return _Content(entry.organization_name, words, values, rows, accent=entry.accent_color)


def _to_confirm(prepared: PreparedEmail, language: str, site: Site) -> _Content:
    """The mail whose link confirms a booking."""
    wanted = ToConfirmData.model_validate(prepared.data)
    site = site.of_venue(wanted.site_url)
    content = _booking_content(wanted, prepared, language, site)
    ends = _instant(wanted.expires_at, wanted.timezone, language)

    def rows(text: _Texts) -> list[Row]:
        held = (text("held_until"), _capital(ends["day"]), f"{ends['clock']}, {text('local_time')}")
        return [*content.rows(text), held]

    confirm = _with_parameters(
        site.public_url, reference=wanted.reference, **_calendar(wanted.calendar_slug), confirm="1"
    )
    return replace(
        content,
        words={**content.words, "until_day": ends["day"], "until_clock": ends["clock"]},
        values={**content.values, "confirm_url": _fragment(confirm, wanted.confirmation_token)},
        rows=rows,
    )


def _voucher(prepared: PreparedEmail, language: str, site: Site) -> _Content:
    """The mail that brings a gift voucher."""
    voucher = VoucherData.model_validate(prepared.data)
    site = site.of_venue(voucher.site_url)
    value = money(voucher.initial_cents, voucher.currency, language)
    until = date_in_words(voucher.valid_until, language) if voucher.valid_until else ""

    def rows(text: _Texts) -> list[Row]:
        found = [(text("value"), value, "")]
        if until:
            found.append((text("valid_until"), _capital(until), ""))
        return found

    words: dict[str, str | int] = {
        "organization_name": voucher.organization_name,
        "code": voucher.code,
        "value": value,
        "recipient_name": voucher.recipient_name or "",
        "day": until,
    }
    lines = [_printable(line) for line in (voucher.message or "").splitlines()]
    values = {"message": lines, "book_url": _calendar_url(site, voucher.calendar_slug)}
    return _Content(voucher.organization_name, words, values, rows, accent=voucher.accent_color)


def _invitation(prepared: PreparedEmail, language: str, site: Site) -> _Content:
    """The mail that invites somebody to work for an organization."""
    invitation = InvitationData.model_validate(prepared.data)
    ends = _instant(invitation.expires_at, invitation.timezone, language)

    def rows(text: _Texts) -> list[Row]:
        return [
            (text("role"), invitation.role_name, ""),
            (text("valid_until"), _capital(ends["day"]), f"{ends['clock']}, {text('local_time')}"),
        ]

    words = {
        "organization_name": invitation.organization_name,
        "role_name": invitation.role_name,
        **ends,
    }
    values = {"accept_url": _fragment(site.public_url, invitation.invitation_token, "invitation")}
    return _Content(invitation.organization_name, words, values, rows)


def _dispute(prepared: PreparedEmail, language: str, _site: Site) -> _Content:
    """The mail that tells an owner of a payment that the customer's bank takes back."""
    dispute = DisputeData.model_validate(prepared.data)
    amount = money(dispute.amount_cents, dispute.currency, language)
    ends = (
        {}
        if dispute.respond_by is None
        else _instant(dispute.respond_by, dispute.timezone, language)
    )

    def rows(text: _Texts) -> list[Row]:
        found = [
            (text("reference"), dispute.reference, ""),
            (text("amount"), amount, ""),
            (text("reason"), dispute.reason.replace("_", " "), ""),
        ]
        if ends:
            until = f"{ends['clock']}, {text('local_time')}"
            found.append((text("respond_by"), _capital(ends["day"]), until))
        return found

    words = {
        "organization_name": dispute.organization_name,
        "reference": dispute.reference,
        "amount": amount,
        **ends,
    }
    return _Content(dispute.organization_name, words, {}, rows)


def _calendar(slug: str | None) -> dict[str, str]:
    return {"calendar": slug} if slug else {}


def _calendar_url(site: Site, slug: str | None) -> str:
    """Where a visitor books."""
    return _with_parameters(site.public_url, **_calendar(slug))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _instant(instant: datetime, timezone: str, language: str) -> dict[str, str]:
    return {
        "day": day(instant, timezone, language),
        "clock": clock(instant, timezone, language),
        "city": city(timezone, language),
    }


#: The mails that exist, and who reads their data.
TEMPLATES: Final[Mapping[str, Callable[[PreparedEmail, str, Site], _Content]]] = {
    "booking_confirmed": _booking,
    "booking_cancelled": _booking,
    "booking_rescheduled": _booking,
    "booking_paid_late": _booking,
    "booking_to_confirm": _to_confirm,
    "booking_held": _held,
    "waitlist_joined": _waiting,
    "waitlist_offer": _offer,
    "voucher_issued": _voucher,
    "invitation": _invitation,
    "dispute_opened": _dispute,
}


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=PackageLoader("escapemaster.email", "mails"),
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
