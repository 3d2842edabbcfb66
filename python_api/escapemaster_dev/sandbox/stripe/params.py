"""Stripe's request parameters: forms with brackets, read strictly.

``line_items[0][price_data][currency]=eur`` becomes nested mappings; `Params` hands out each
value once asked for, checked, and `Params.finish` refuses whatever nobody asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Union

from escapemaster_dev.sandbox.stripe.errors import StripeError, missing, unknown_parameter

Tree = dict[str, Union[str, "Tree"]]

_NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_PART = re.compile(r"\[([^\[\]]*)\]")
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s.]+$")
_METADATA_KEYS = 50
_METADATA_NAME = 40
_METADATA_VALUE = 500


def decode(pairs: Iterable[tuple[str, str]]) -> Tree:
    """Nest form pairs by their brackets; ``a[]`` counts up from 0.

    Raises StripeError for a name that is a value in one pair and a mapping in another.
    """
    tree: Tree = {}
    for name, value in pairs:
        match = _NAME.match(name)
        if not match:
            raise StripeError(f"Invalid parameter name: {name}", param=name)
        parts = [match[1], *_PART.findall(match[2])]
        node = tree
        for part in parts[:-1]:
            child = node.setdefault(part or str(len(node)), {})
            if isinstance(child, str):
                raise StripeError("Invalid hash", param=name)
            node = child
        last = parts[-1] or str(len(node))
        if isinstance(node.get(last), dict):
            raise StripeError("Invalid string", param=name)
        node[last] = value
    return tree


class Params:
    """One level of a request's parameters; `path` is its name as the client wrote it."""

    def __init__(self, tree: Tree, path: str = "") -> None:
        self._tree = tree
        self._path = path
        self._seen: set[str] = set()
        self._children: list[Params] = []

    def name(self, key: str) -> str:
        """The name of a key as the client wrote it."""
        return f"{self._path}[{key}]" if self._path else key

    def __contains__(self, key: str) -> bool:
        return key in self._tree

    def __iter__(self) -> Iterator[str]:
        return iter(self._tree)

    def text(
        self, key: str, *, maximum: int = 5000, choices: Iterable[str] | None = None
    ) -> str | None:
        """A string, or None when absent."""
        value = self._take(key)
        if value is None:
            return None
        name = self.name(key)
        if not isinstance(value, str):
            raise StripeError("Invalid string", param=name)
        if not value:
            raise StripeError(
                f"You passed an empty string for '{name}'. We assume empty values are an attempt"
                f" to unset a parameter; however '{name}' cannot be unset. You should remove"
                f" '{name}' from your request or supply a non-empty value.",
                code="parameter_invalid_empty",
                param=name,
            )
        if len(value) > maximum:
            raise StripeError(
                f"Invalid string: {value[:10]}…; must be at most {maximum} characters",
                code="parameter_invalid_string",
                param=name,
            )
        if choices is not None and value not in (known := sorted(choices)):
            raise StripeError(f"Invalid {key}: must be one of {', '.join(known)}", param=name)
        return value

    def required(
        self, key: str, *, maximum: int = 5000, choices: Iterable[str] | None = None
    ) -> str:
        """A string; 400 when absent."""
        value = self.text(key, maximum=maximum, choices=choices)
        if value is None:
            raise missing(self.name(key))
        return value

    def integer(
        self, key: str, *, minimum: int | None = None, maximum: int | None = None
    ) -> int | None:
        """A whole number, or None when absent."""
        value = self.text(key)
        if value is None:
            return None
        if not re.fullmatch(r"-?\d{1,15}", value):
            raise StripeError(
                f"Invalid integer: {value}",
                code="parameter_invalid_integer",
                param=self.name(key),
            )
        number = int(value)
        if minimum is not None and number < minimum:
            raise StripeError(
                f"This value must be greater than or equal to {minimum}.",
                code="parameter_invalid_integer",
                param=self.name(key),
            )
        if maximum is not None and number > maximum:
            raise StripeError(
                f"This value must be less than or equal to {maximum}.",
                code="parameter_invalid_integer",
                param=self.name(key),
            )
        return number

    def unset(self, key: str) -> bool:
        """Whether a value is to be taken away: an empty string. Any other value is not known."""
        if key not in self._tree:
            return False
        if self._take(key) != "":
            raise unknown_parameter(self.name(key))
        return True

    def flag(self, key: str) -> bool | None:
        """A boolean, or None when absent."""
        value = self.text(key)
        if value not in (None, "true", "false"):
            raise StripeError(f"Invalid boolean: {value}", param=self.name(key))
        return None if value is None else value == "true"

    def email(self, key: str) -> str | None:
        """An address that looks like one, or None when absent."""
        value = self.text(key, maximum=512)
        if value is not None and not _EMAIL.match(value):
            raise StripeError(
                f"Invalid email address: {value}",
                code="email_invalid",
                param=self.name(key),
            )
        return value

    def url(self, key: str) -> str | None:
        """A web address, or None when absent."""
        value = self.text(key)
        if value is not None and not re.match(r"^https?://[^\s/]+", value):
            raise StripeError("Not a valid URL", code="url_invalid", param=self.name(key))
        return value

    def child(self, key: str) -> Params | None:
        """The mapping under a key, or None when absent."""
        value = self._take(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise StripeError("Invalid hash", param=self.name(key))
        child = Params(value, self.name(key))
        self._children.append(child)
        return child

    def children(self, key: str) -> list[Params]:
        """The mappings of a list, in the order of their indexes."""
        listing = self.child(key)
        if listing is None:
            return []
        if not all(index.isdigit() for index in listing):
            raise StripeError("Invalid array", param=self.name(key))
        found = (listing.child(index) for index in sorted(listing, key=int))
        return [child for child in found if child is not None]

    def texts(self, key: str) -> list[str]:
        """The strings of a list."""
        listing = self.child(key)
        if listing is None:
            return []
        return [listing.required(index) for index in listing]

    def metadata(self, key: str = "metadata") -> dict[str, str]:
        """Key-value pairs within Stripe's limits; empty values are left out, as when unset."""
        if self._tree.get(key) == "":
            self._seen.add(key)
            return {}
        pairs = self.child(key)
        if pairs is None:
            return {}
        if len(names := list(pairs)) > _METADATA_KEYS:
            raise StripeError(
                f"Metadata can have up to {_METADATA_KEYS} keys.", param=self.name(key)
            )
        found: dict[str, str] = {}
        for name in names:
            value = pairs._take(name)  # noqa: SLF001 - its own class
            if not isinstance(value, str):
                raise StripeError("Metadata values must be strings", param=pairs.name(name))
            if len(name) > _METADATA_NAME or len(value) > _METADATA_VALUE:
                raise StripeError(
                    f"Metadata keys can have up to {_METADATA_NAME} characters, values up to"
                    f" {_METADATA_VALUE}.",
                    param=pairs.name(name),
                )
            if value:
                found[name] = value
        return found

    def finish(self) -> None:
        """Refuse what was sent and never read, here or below."""
        for key in self._tree:
            if key not in self._seen:
                raise unknown_parameter(self.name(key))
        for child in self._children:
            child.finish()

    def _take(self, key: str) -> str | Tree | None:
        self._seen.add(key)
        return self._tree.get(key)
