"""The mails that exist: one a folder.

A folder holds all that is one mail's:

* `__init__.py`: `MAIL`, its data, what it says of them, and a sample;
* `mail.mjml.j2` and `mail.txt.j2`: its body as a page and as plain text, within the layouts here;
* `sentences.toml`: its words in every language, which go before those of `sentences.toml` here.

A folder that lacks something ends the import: neither service nor worker starts with half a mail.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from pydantic import JsonValue, ValidationError

from escapemaster.database import EmailOverride, PreparedEmail, Recipient
from escapemaster.email.booking import BookingData
from escapemaster.email.content import Mail
from escapemaster.email.formatting import LOCALES
from escapemaster.email.texts import sentences

_FILES: Final = ("mail.mjml.j2", "mail.txt.j2", "sentences.toml")
#: What every mail says in words of its own.
_OWN_SENTENCES: Final = frozenset({"subject", "preview", "heading", "intro"})


class MailIncompleteError(Exception):
    """A folder here is no mail, or not all of one."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"email/mails/{name}: {problem}")


def sample(name: str, locale: str, override: EmailOverride | None = None) -> PreparedEmail:
    """A mail about nobody.

    Args:
        name: One of `MAILS`.
        locale: es, en or ca.
        override: An organization's own words.
    """
    return PreparedEmail(
        template=name,
        locale=locale,
        to=Recipient(name="Marta", email="marta@example.test"),
        data=dict(MAILS[name].sample),
        override=override,
    )


def of_booking(
    name: str,
    locale: str,
    override: EmailOverride,
    to_name: str,
    facts: Mapping[str, JsonValue],
) -> PreparedEmail:
    """A mail about a booking as it is, to be looked at.

    What the mail needs and the booking does not have (when a hold ends that is confirmed by now) is
    the sample's.

    Args:
        name: One of `MAILS` that is about a booking: its data have a reference and a party.
        locale: es, en or ca.
        override: An organization's own words.
        to_name: Whom it greets.
        facts: What the database says of the booking, by the names that mails use.
    """
    mail = MAILS[name]
    data = {**mail.sample, **facts}
    try:
        mail.data.model_validate(data)
    except ValidationError as error:
        lacking = {str(found["loc"][0]) for found in error.errors()}
        data |= {field: mail.sample[field] for field in lacking if field in mail.sample}
    return sample(name, locale, override).model_copy(
        update={"to": Recipient(name=to_name, email="preview@example.test"), "data": data}
    )


def is_about_a_booking(name: str) -> bool:
    """Whether a mail tells of one booking, to whoever made it."""
    return issubclass(MAILS[name].data, BookingData)


def _discovered() -> dict[str, Mail[Any]]:
    folders = sorted(path.name for path in files(__name__).iterdir() if path.is_dir())
    return {name: _loaded(name) for name in folders if not name.startswith("_")}


def _loaded(name: str) -> Mail[Any]:
    present = {path.name for path in files(__name__).joinpath(name).iterdir()}
    if missing := [file for file in _FILES if file not in present]:
        raise MailIncompleteError(name, f"{missing[0]} is missing")
    mail = getattr(importlib.import_module(f"{__name__}.{name}"), "MAIL", None)
    if not isinstance(mail, Mail):
        raise MailIncompleteError(name, "__init__.py has no MAIL")
    try:
        mail.data.model_validate(mail.sample)
    except ValidationError as error:
        raise MailIncompleteError(name, f"its sample is not its data: {error}") from None
    if unknown := mail.sample.keys() - mail.data.model_fields.keys():
        raise MailIncompleteError(name, f"its data have no {', '.join(sorted(unknown))}")
    own = sentences(name)
    if lacking := _OWN_SENTENCES - own.keys():
        raise MailIncompleteError(name, f"it has no sentence {', '.join(sorted(lacking))}")
    for sentence, texts in {**sentences(), **own}.items():
        if texts.keys() != LOCALES.keys():
            raise MailIncompleteError(name, f"{sentence} is not in {', '.join(LOCALES)}")
    return mail


#: Every mail by its name, which is its folder's.
MAILS: Final[Mapping[str, Mail[Any]]] = _discovered()
