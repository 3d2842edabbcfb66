"""What is made for a deployment: `.env.example`, DEPLOY.md's table, the code's newest migration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from escapemaster.settings import LOCAL, SERVICE_NEEDS, WORKER_NEEDS, Settings
from escapemaster_dev.stack.config import ROOT

EXAMPLE: Final = ROOT / ".env.example"
GUIDE: Final = ROOT / "DEPLOY.md"
VERSION: Final = ROOT / "python_api" / "escapemaster" / "database" / "version.py"

_BEGIN: Final = "<!-- variables: made by `make types` from settings.py -->\n"
_END: Final = "<!-- end of variables -->\n"
_TABLE: Final = re.compile(re.escape(_BEGIN) + "(.*?)" + re.escape(_END), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the settings, for people.

    Attributes:
        name: As the environment has it.
        purpose: What it is for.
        example: What it looks like.
        needed: Whether nothing starts without it; `one of` when another would do.
        local: Whether only a stack on one's own machine sets it.
    """

    name: str
    purpose: str
    example: str
    needed: str
    local: bool


def variables() -> list[Variable]:
    """All of them, in the order of the settings."""
    choices = {name for names in SERVICE_NEEDS + WORKER_NEEDS for name in names}
    found = []
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        needed = "yes" if field.is_required() else "one of two" if name in choices else ""
        found.append(
            Variable(
                name.upper(),
                field.description or "",
                str((field.examples or [""])[0]),
                needed,
                isinstance(extra, dict) and LOCAL in extra,
            )
        )
    return found


def env_example() -> str:
    """The text of `.env.example`: what is needed without a value, the rest commented out."""
    lines = [
        "# What the service and its worker read. Made by `make types` from settings.py; DEPLOY.md",
        "# says where each value comes from. Copy it to .env, which git ignores, and fill it in.",
    ]
    for variable in variables():
        lines += ["", *_comment(variable.purpose), f"# Example: {variable.example}"]
        lines.append(f"{'' if variable.needed == 'yes' else '# '}{variable.name}=")
    return "\n".join(lines) + "\n"


def table() -> str:
    """The rows of DEPLOY.md: what a host is asked for."""
    lines = ["| variable | needed | what for | example |", "|---|---|---|---|"]
    lines += [
        f"| `{each.name}` | {each.needed} | {each.purpose} | `{each.example}` |"
        for each in variables()
        if not each.local
    ]
    return "\n".join(lines) + "\n"


def with_table(guide: str) -> str:
    """The guide with its table as it should be."""
    if not _TABLE.search(guide):
        raise ValueError("DEPLOY.md has no place for the table of variables")
    return _TABLE.sub(lambda _: _BEGIN + table() + _END, guide)


def version() -> str:
    """The text of `database/version.py`."""
    migrations = (ROOT / "supabase" / "migrations").glob("*.sql")
    newest = max(path.name.partition("_")[0] for path in migrations)
    return re.sub(r'(NEWEST_MIGRATION: Final = ")\d*', rf"\g<1>{newest}", VERSION.read_text())


def stale() -> list[Path]:
    """The files that are not what the settings and the migrations say."""
    guide = GUIDE.read_text()
    found = [GUIDE] if with_table(guide) != guide else []
    if not EXAMPLE.exists() or EXAMPLE.read_text() != env_example():
        found.append(EXAMPLE)
    if VERSION.read_text() != version():
        found.append(VERSION)
    return found


def write() -> None:
    """Make the files anew."""
    VERSION.write_text(version())
    EXAMPLE.write_text(env_example())
    GUIDE.write_text(with_table(GUIDE.read_text()))


def _comment(text: str, width: int = 96) -> list[str]:
    import textwrap

    return [f"# {line}" for line in textwrap.wrap(text, width, break_on_hyphens=False)]
