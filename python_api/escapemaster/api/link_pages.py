"""The pages to which links in mails lead, and what such a link brings.

A person who opens one gets a page with a button: programs that look at links before a person does
must not begin or end anything.
"""

from __future__ import annotations

from html import escape
from typing import Annotated, Final, Literal

from fastapi import Query
from fastapi.responses import HTMLResponse

#: A page without anything of anybody else's, shown in no frame, and kept by nobody.
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}

Token = Annotated[
    str,
    Query(
        max_length=200, pattern=r"^[^\x00-\x1f]*$", description="As it stands in the mail's link."
    ),
]
Language = Annotated[
    Literal["es", "en", "ca"], Query(alias="lang", description="Of the page: es, en or ca.")
]


def page(language: str, title: str, body: str) -> HTMLResponse:
    """A page with a heading. `body` is HTML, whose texts are escaped."""
    return HTMLResponse(
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>"
        "<style>:root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;"
        "max-width:32rem;margin:4rem auto;padding:0 1rem}button{font:inherit;padding:.7rem 1.5rem}"
        f"</style></head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>",
        headers=HEADERS,
    )
