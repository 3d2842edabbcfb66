"""What PostgREST answers instead of a result, translated once.

* a rule's refusal (`PT4xx`, see PostgREST's page on errors) becomes `DomainError`;
* no answer, a lost connection, an overloaded or restarting database becomes `UnavailableError`:
  whether a call that changes something was done is then not known;
* everything else becomes `UnexpectedError`: the database and this code do not fit together.
"""

from __future__ import annotations

import json
import re
from typing import Final

from postgrest import APIError

from escapemaster.errors import DomainError, UnavailableError, UnexpectedError

#: SQLSTATE classes and codes that pass by themselves: connection (08), resources (53), operator
#: intervention (57), the system's own errors (58), serialization failure, deadlock, lock not
#: available, and a server that is read-only while another takes over.
#: https://www.postgresql.org/docs/17/errcodes-appendix.html
_PASSING_CLASSES: Final = ("08", "53", "57", "58")
_PASSING_CODES: Final = frozenset({"40001", "40P01", "55P03", "25006"})
#: PostgREST cannot reach, or is not yet connected to, its database.
_POSTGREST_DOWN: Final = frozenset({"PGRST000", "PGRST001", "PGRST002", "PGRST003"})
#: The connection ended while a call ran, so that nobody knows whether it was done. PostgREST 12
#: answers some of these with HTTP 400 and an empty code.
OUTCOME_UNKNOWN: Final = frozenset({"", "PGRST001", "57P01", "57P02", "57P03"})
#: PostgREST refuses the token: invalid or expired, missing, or its claims do not hold.
_POSTGREST_TOKEN: Final = frozenset({"PGRST300", "PGRST301", "PGRST302", "PGRST303"})
#: The request's values have the wrong form for the function's parameters.
_BAD_VALUES: Final = frozenset(
    {"22P02", "22P05", "22007", "22008", "22003", "22021", "22023", "PGRST102"}
)
_RAISED: Final = re.compile(r"^PT([0-9]{3})$")


def translated(function: str, error: APIError) -> DomainError | UnavailableError | UnexpectedError:
    """What a call of `function` ended with, as the errors of this package."""
    code = str(error.code or "")
    raised = _RAISED.match(code)
    if raised and 400 <= int(raised[1]) <= 499:
        return DomainError(
            error.message or "refused", int(raised[1]), error.hint or "", _details(error.details)
        )
    if code in _POSTGREST_TOKEN or code == "401":
        return DomainError("token_invalid", 401, "Sign in again: the token is not valid.")
    if code == "42501":
        return DomainError("permission_denied", 403, "Ask an administrator for access.")
    if code in _BAD_VALUES:
        return DomainError("invalid_input", 422, "A value in the request has the wrong form.")
    if (
        code in OUTCOME_UNKNOWN
        or code in _POSTGREST_DOWN
        or code in _PASSING_CODES
        or code[:2] in _PASSING_CLASSES
        or code in {"429", "502", "503", "504"}
        or (raised and raised[1] in {"502", "503", "504"})
    ):
        return UnavailableError("database", f"{function}: {code}")
    # The message stays out: it may quote what the caller sent.
    return UnexpectedError("database_error", f"{function}: {code}")


def reason(failure: Exception) -> str:
    """Why nothing was answered, for the log."""
    return (
        f"connection lost ({failure.code})"
        if isinstance(failure, APIError)
        else type(failure).__name__
    )


def _details(details: object) -> object | None:
    """PostgREST hands `detail` over as text; ours is JSON."""
    if not isinstance(details, str) or not details:
        return details or None
    try:
        parsed: object = json.loads(details)
    except ValueError:
        return details
    return parsed
