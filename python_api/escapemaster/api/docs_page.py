"""`/docs`: the description of the service for people, from `/openapi.json`.

Plain HTML, written here: a page that loads its scripts from elsewhere would let whoever serves
them act on this origin, and shows nothing behind a firewall.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

#: Nothing is loaded, nothing runs; the one style is in the page.
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 56rem; margin: 0 auto; padding: 1.5rem; }
pre, code { font: 0.875rem/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid #8886; border-radius: 0.5rem; }
pre.text { white-space: pre-wrap; font: inherit; border: 0; padding: 0; }
h3 { margin-top: 2rem; } dt { font-weight: 600; } summary { cursor: pointer; }
"""


def docs_page(description: Mapping[str, Any]) -> str:
    """The page.

    Args:
        description: The OpenAPI description of the service.
    """
    title = escape(f"{description['info']['title']} {description['info']['version']}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1>"
        f"{_text(description['info'].get('description', ''))}"
        '<p>For programs: <a href="openapi.json">openapi.json</a></p>'
        f"{''.join(_tags(description))}<h2>Schemas</h2>{''.join(_schemas(description))}"
        "</main></body></html>\n"
    )


def _tags(description: Mapping[str, Any]) -> Iterator[str]:
    for tag in description["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2>{_text(tag.get('description', ''))}"
        for path, operations in description["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in operation["tags"]:
                    yield from _operation(f"{method.upper()} {path}", operation)


def _operation(route: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h3 id="{escape(operation["operationId"])}"><code>{escape(route)}</code></h3>'
    yield f"<p><b>{escape(operation['summary'])}</b></p>{_text(operation['description'])}"
    if "requestBody" in operation:
        yield _details("Request", operation["requestBody"]["content"])
    if "parameters" in operation:
        yield _details("Parameters", operation["parameters"])
    yield "<dl>"
    for status, response in operation["responses"].items():
        yield f"<dt>{escape(status)}</dt><dd>{escape(response['description'])}</dd>"
    yield "</dl>"


def _schemas(description: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in description.get("components", {}).get("schemas", {}).items():
        yield _details(name, schema)


def _text(text: str) -> str:
    return f'<pre class="text">{escape(text.strip())}</pre>'


def _details(name: str, value: object) -> str:
    written = escape(json.dumps(value, indent=2, ensure_ascii=False))
    return f"<details><summary>{escape(name)}</summary><pre>{written}</pre></details>"
