"""Whose a domain is, as its DNS says.

Asked over HTTPS, so that nobody between us and the resolver answers in its place
(https://developers.google.com/speed/public-dns/docs/doh/json).
"""

from __future__ import annotations

from typing import Annotated, Final

import httpx
from pydantic import BaseModel, Field, ValidationError

from escapemaster.errors import EmailError

_RESOLVER: Final = "https://dns.google/resolve"
#: Below the domain, and what a proof begins with: `private.sender_proof_record`.
_LABEL: Final = "_escapemaster"
_PREFIX: Final = "escapemaster="
_TXT: Final = 16
#: Of DNS (RFC 1035, 4.1.1): no error, and no such name.
_ANSWERED: Final = frozenset({0, 3})


class _Record(BaseModel):
    name: str
    type: int
    data: str


class _Answer(BaseModel):
    status: Annotated[int, Field(alias="Status")]
    records: Annotated[list[_Record], Field(alias="Answer")] = []


async def standing_proofs(domain: str, http: httpx.AsyncClient) -> list[str]:
    """The proofs that stand in the DNS of `domain`.

    A record counts where it was asked for only: an alias, such as a wildcard's, may lead to a name
    that somebody else writes.

    Raises:
        EmailError: The resolver did not say, or the domain's servers did not answer it.
    """
    asked = f"{_LABEL}.{domain}"
    try:
        response = await http.get(_RESOLVER, params={"name": asked, "type": "TXT"})
        answer = _Answer.model_validate_json(response.content)
    except (httpx.HTTPError, ValidationError) as error:
        raise EmailError("dns_failed", type(error).__name__, retryable=True) from error
    if answer.status not in _ANSWERED:
        raise EmailError("dns_failed", f"status {answer.status}", retryable=True)
    return [
        said.removeprefix(_PREFIX)
        for record in answer.records
        if record.type == _TXT and record.name.rstrip(".").lower() == asked
        if (said := record.data.strip('"')).startswith(_PREFIX)
    ]
