"""docs/webhooks.schema.json: the body of a webhook as JSON Schema, from its types in the database.

`escapemaster pages` writes it. What a field may hold is what its comment says, as for the client
types (`composites`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from escapemaster_dev.schema.composites import Composite, Field, composites
from escapemaster_dev.schema.project import Project, SchemaError
from escapemaster_dev.schema.reference import Connection

#: The body.
EVENT: Final = "public.webhook_event"

_SCALARS: Final[Mapping[str, Mapping[str, object]]] = {
    "uuid": {"type": "string", "format": "uuid"},
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "bigint": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "timestamp with time zone": {"type": "string", "format": "date-time"},
    "jsonb": {"type": "object"},
}


def path_of(project: Project) -> Path:
    """Where the schema is."""
    return project.root / "docs" / "webhooks.schema.json"


def schema(connection: Connection) -> dict[str, Any]:
    """The schema of version 1.

    Raises:
        SchemaError: A field has a type that JSON Schema is not told of.
    """
    types = composites(connection)
    found: dict[str, object] = {}
    _define(types[EVENT], types, found)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Escapemaster webhook, version 1",
        **_reference(EVENT),
        "$defs": dict(sorted(found.items())),
    }


def render(connection: Connection) -> str:
    """The file."""
    return json.dumps(schema(connection), indent=2, ensure_ascii=False) + "\n"


def _define(composite: Composite, types: Mapping[str, Composite], found: dict[str, object]) -> None:
    name = _name(composite.name)
    if name in found:
        return
    found[name] = {
        "type": "object",
        "description": composite.comment,
        "properties": {field.name: _field(field) for field in composite.fields},
        "required": [field.name for field in composite.fields],
    }
    for field in composite.fields:
        if field.composite is not None:
            _define(types[field.composite], types, found)


def _field(field: Field) -> dict[str, object]:
    one = _reference(field.composite) if field.composite else _scalar(field)
    whole: dict[str, object] = {"type": "array", "items": one} if field.is_list else one
    if field.nullable:
        whole = {"anyOf": [whole, {"type": "null"}]}
    return {**whole, "description": field.comment}


def _scalar(field: Field) -> dict[str, object]:
    kind = field.type.removesuffix("[]")
    if kind not in _SCALARS:
        raise SchemaError(f"{field.name}: say what {kind} is in JSON")
    values = {"enum": list(field.values)} if field.values else {}
    return {**_SCALARS[kind], **values}


def _reference(composite: str) -> dict[str, object]:
    return {"$ref": f"#/$defs/{_name(composite)}"}


def _name(composite: str) -> str:
    return composite.split(".")[1].removeprefix("webhook_")
