"""Every refusal that a test gets is one that docs/functions.md lists for the function.

The clients through which tests call functions hand each refusal here (`listed`). What the entries
list is read once in a process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import psycopg

from escapemaster_dev.schema.function_page import listed_codes

_CODE = re.compile(r"[a-z]+(_[a-z0-9]+)*")

_listed: Mapping[str, frozenset[str]] | None = None


def is_code(message: str) -> bool:
    """Whether a refusal's message is a stable code of the product's, not PostgreSQL's words."""
    return _CODE.fullmatch(message) is not None


def listed(dsn: Callable[[], str], function: str, code: str) -> None:
    """Hold a refusal against the entry of the function that it came from.

    Args:
        dsn: Says the owner's or superuser's URL of a database that holds the product; asked once.
        function: Its name, with a schema unless it is of `public`.
        code: The stable code; what PostgreSQL refuses itself has none, and is no promise's matter.

    Raises:
        AssertionError: The entry does not list the code.
    """
    global _listed  # noqa: PLW0603 - read once in a process
    if _listed is None:
        with psycopg.connect(dsn()) as reader:
            _listed = listed_codes(reader)
    codes = _listed.get(function if "." in function else f"public.{function}")
    assert codes is None or code in codes, f"{function} refused with {code}, which it does not list"
