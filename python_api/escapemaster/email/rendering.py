"""From what the database knows to a finished mail.

A mail is a folder of `mails`: what it says, its look as an MJML template, its plain alternative and
its sentences in every language. Values are escaped by Jinja for the HTML part, and the environment
is sandboxed. An organization may replace subject and opening words by its own (`overrides`).

Rendering the same data gives the same bytes: a repeated send must be recognisable as the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mjml import mjml2html
from pydantic import ValidationError

from escapemaster.database import EmailOverride, PreparedEmail
from escapemaster.email.colours import colours
from escapemaster.email.content import Site, printable
from escapemaster.email.formatting import LOCALES
from escapemaster.email.mails import MAILS
from escapemaster.email.message import Message
from escapemaster.email.overrides import (
    MAX_SUBJECT,
    Values,
    WordsError,
    fill,
    is_visible,
    paragraphs,
)
from escapemaster.email.texts import Texts, template
from escapemaster.errors import EmailError
from escapemaster.logging import get_logger

_log = get_logger("email")

#: The language of a mail whose own is not known.
DEFAULT_LANGUAGE: Final = "en"


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
    mail = MAILS.get(prepared.template)
    if mail is None:
        raise EmailError("template_unknown", prepared.template, retryable=False)
    language = prepared.locale if prepared.locale in LOCALES else DEFAULT_LANGUAGE
    try:
        content = mail.read(prepared.data, language, site)
    except ValidationError as error:
        missing = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        raise EmailError("template_data_invalid", missing, retryable=False) from None

    words = {**content.words, "to_name": printable(prepared.to.name)}
    # The sentences are plain text; the HTML template escapes them where it places them.
    text = Texts(prepared.template, language, {**words, **content.values}, content.variant)
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
        "contact": " · ".join(content.contact),
        "logo": content.logo,
        "rows": content.rows(text),
        **{name: said(text) for name, said in content.paragraphs.items()},
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
                template(f"{prepared.template}/mail.mjml.j2").render(context),
                disable_comments=True,
                # Else MJML fetches those that it knows from Google, whenever the mail is opened.
                fonts={},
            )
        ),
        text=_tidy(template(f"{prepared.template}/mail.txt.j2").render(context)),
        attachments=content.attachments(text),
        unsubscribe_url=content.unsubscribe_url,
        reply_to=content.reply_to,
        sender_address=prepared.sender_address,
    )


def _own(field: str, source: str | None, words: Values, limit: int | None) -> str:
    """A text of the organization, filled in; empty without one, and where nothing of it is seen."""
    if source is None:
        return ""
    try:
        filled = fill(source, words)
    except WordsError as error:
        raise WordsInvalidError(field, error) from None
    if not is_visible(filled):
        return ""  # conditions that this mail does not meet
    lines = [printable(line) for line in filled.splitlines()]
    return "\n".join(lines)[:limit]


def _as_main(page: str) -> str:
    """The page with all of it in the landmark that screen readers jump to; MJML makes none."""
    opened = re.sub(r"<body[^>]*>", r'\g<0><div role="main">', page, count=1)
    return opened.replace("</body>", "</div></body>")


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
