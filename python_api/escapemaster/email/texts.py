"""The sentences of mails, in every language, and the environment that fills them in.

`mails/sentences.toml` holds what all mails may say, `mails/<name>/sentences.toml` what one says: a
table a sentence, with a line for each language.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import PackageLoader, StrictUndefined, Template, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

#: The text of a sentence by its language.
Sentence = Mapping[str, str]


class Texts:
    """The sentences of one mail in one language, filled in."""

    def __init__(
        self, mail: str, language: str, values: Mapping[str, object], variant: str = ""
    ) -> None:
        self._mail = mail
        self._language = language
        self._values = values
        self._variant = variant

    def __call__(self, name: str, **more: str) -> str:
        """A sentence, with `more` values beside the mail's own."""
        special = f"{name}_{self._variant}"
        if self._variant and special in sentences(self._mail):
            name = special
        return _sentence(self._mail, name, self._language).render(self._values, **more)


@cache
def sentences(mail: str | None = None) -> Mapping[str, Sentence]:
    """The sentences of a mail; without one, those that all mails share."""
    folder = files("escapemaster.email").joinpath("mails")
    source = (folder.joinpath(mail) if mail else folder).joinpath("sentences.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))


@cache
def template(name: str) -> Template:
    """A template of the folder `mails`, by its path there."""
    return _environment().get_template(name)


@cache
def _sentence(mail: str, name: str, language: str) -> Template:
    # A mail's own sentence goes before the one that all mails share.
    found = sentences(mail).get(name) or sentences()[name]
    return _environment().from_string(found[language])


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
