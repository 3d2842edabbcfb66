"""What a mail is made of: the data that it reads, and what it says of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Final, Generic, TypeVar
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from escapemaster.email.formatting import city, clock, day
from escapemaster.email.message import Attachment
from escapemaster.email.overrides import Values
from escapemaster.email.texts import Texts

#: What XML, and so MJML, cannot hold (https://www.w3.org/TR/xml/#charsets), and line breaks.
_UNPRINTABLE: Final = re.compile("[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: Of the pictures that the bucket takes those that every mail program shows: Outlook knows no WebP.
_SHOWN_PICTURES: Final = (".png", ".jpg", ".jpeg")


def printable(text: str) -> str:
    """A text without what no mail can hold."""
    return _UNPRINTABLE.sub(" ", text)


#: A name or an address that somebody typed.
Typed = Annotated[str, AfterValidator(printable)]

#: `#rrggbb`.
Colour = Annotated[str, Field(pattern=r"\A#[0-9a-f]{6}\z")]

#: A row of a mail's table: label, value, and a smaller note.
Row = tuple[str, str, str]


class MailData(BaseModel):
    """What the database hands over; fields that a later database adds are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class VenueData(MailData):
    """What every mail of a venue is told about it, for whoever wants to answer."""

    organization_name: Typed
    contact_email: Typed | None = None
    website: Typed | None = None
    logo_path: str | None = None

    @property
    def contact(self) -> tuple[str, ...]:
        """Who it is and where it is reached, for the end of a mail."""
        known = (self.organization_name, self.contact_email, self.website)
        return tuple(filter(None, known)) if any(known[1:]) else ()

    def logo(self, site: Site) -> str:
        """The address of its logo; empty without one that mail programs show."""
        path = self.logo_path or ""
        if site.logos_url is None or not path.lower().endswith(_SHOWN_PICTURES):
            return ""
        return f"{site.logos_url}/{quote(path)}"


@dataclass(frozen=True, slots=True)
class Site:
    """Where mails lead to and come from.

    Attributes:
        public_url: The platform's page, to which links lead unless the venue has its own.
        email_from: The sender, `Name <address>`.
        service_url: Where the internet reaches the service; None: not known.
        logos_url: Under which address the public bucket of logos is; None: not known.
    """

    public_url: str
    email_from: str = "bookings@escapemaster.test"
    service_url: str | None = None
    logos_url: str | None = None

    def of_venue(self, site_url: str | None) -> Site:
        """The same with the venue's own page, if it has one."""
        return replace(self, public_url=site_url) if site_url else self


#: Paragraphs in the reader's language.
Paragraphs = Callable[[Texts], list[str]]


@dataclass(frozen=True, slots=True)
class Content:
    """What a mail says.

    Attributes:
        sender: Whose name it carries.
        words: What its sentences, and an organization's own, may name.
        values: What only its template knows: links, and switches.
        rows: Its table.
        paragraphs: Its further paragraphs, by the name under which its template places them.
        attachments: Its files.
        accent: The venue's colour, if it has one.
        unsubscribe_url: Of a mail that is not about its reader's own booking: what ends such mails,
            empty where the service's address is not known. None: the mail is about a booking.
        reply_to: Where an answer goes; None: to the sender's address.
        contact: Who the sender is and where it is reached, said at the end.
        logo: The address of the sender's picture, shown in place of its name; empty: none.
        variant: Which of several wordings it has: `subject_<variant>` goes before `subject`.
    """

    sender: str
    words: Values
    values: Mapping[str, object]
    rows: Callable[[Texts], list[Row]]
    paragraphs: Mapping[str, Paragraphs] = field(default_factory=dict)
    attachments: Callable[[Texts], tuple[Attachment, ...]] = lambda _: ()
    accent: str | None = None
    unsubscribe_url: str | None = None
    reply_to: str | None = None
    contact: tuple[str, ...] = ()
    logo: str = ""
    variant: str = ""


D = TypeVar("D", bound=MailData)


@dataclass(frozen=True, slots=True)
class Mail(Generic[D]):
    """A kind of mail. Its templates and sentences are files of its folder in `mails`.

    Attributes:
        data: What it has to be told.
        content: What it says of that, to a reader of a language (es, en, ca).
        sample: Data about nobody, for previews.
    """

    data: type[D]
    content: Callable[[D, str, Site], Content]
    sample: Mapping[str, JsonValue]

    def read(self, data: Mapping[str, JsonValue], language: str, site: Site) -> Content:
        """What the mail says of these data.

        Raises:
            pydantic.ValidationError: They are not what it has to be told.
        """
        return self.content(self.data.model_validate(data), language, site)


def capital(text: str) -> str:
    """A text as it stands at the beginning of a line."""
    return text[:1].upper() + text[1:]


def instant_words(instant: datetime, timezone: str, language: str) -> dict[str, str]:
    """An instant on a venue's clock: its `day`, its `clock`, and the `city` whose clock it is."""
    return {
        "day": day(instant, timezone, language),
        "clock": clock(instant, timezone, language),
        "city": city(timezone, language),
    }
