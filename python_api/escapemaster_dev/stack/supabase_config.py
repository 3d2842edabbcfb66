"""`supabase/config.toml`, as far as the local stack follows it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

#: Milliseconds of the units in which the file writes durations, as Go does.
_UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}


@dataclass(frozen=True, slots=True)
class EdgeFunction:
    """One edge function and the file that holds it."""

    name: str
    entrypoint: Path


@dataclass(frozen=True, slots=True)
class SupabaseConfig:
    """What is the same here and on a hosted project.

    Attributes:
        schemas: Exposed by PostgREST, the default first.
        max_rows: The most that one request returns.
        auth: The `[auth]` section, whole.
        email_templates: Auth's mails by kind, each with subject and the file that holds its text.
        functions: Those that are enabled.
    """

    schemas: tuple[str, ...]
    extra_search_path: tuple[str, ...]
    max_rows: int
    file_size_limit: str
    auth: dict[str, Any]
    email_templates: dict[str, dict[str, str]]
    functions: tuple[EdgeFunction, ...]

    @property
    def mail_pause_ms(self) -> int:
        """How long Auth waits between two mails of a kind to an address."""
        written = self.auth["email"]["max_frequency"]
        parts = re.findall(r"(\d+)(ms|s|m|h)", written)
        if not parts or "".join(number + unit for number, unit in parts) != written:
            raise ValueError(f"auth.email.max_frequency: {written!r} is no duration")
        return sum(int(number) * _UNITS[unit] for number, unit in parts)


def read_supabase_config(root: Path) -> SupabaseConfig:
    """Read the file of a checkout."""
    directory = root / "supabase"
    document = tomllib.loads((directory / "config.toml").read_text())
    api = document["api"]
    return SupabaseConfig(
        schemas=tuple(api["schemas"]),
        extra_search_path=tuple(api["extra_search_path"]),
        max_rows=api["max_rows"],
        file_size_limit=document["storage"]["file_size_limit"],
        auth=document["auth"],
        email_templates={
            kind: {
                "subject": template["subject"],
                "content_path": str(root / template["content_path"]),
            }
            for kind, template in document["auth"]["email"].get("template", {}).items()
        },
        functions=tuple(
            EdgeFunction(name, (directory / function["entrypoint"]).resolve())
            for name, function in document.get("functions", {}).items()
            if function.get("enabled", True)
        ),
    )
