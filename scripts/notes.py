"""Print what CHANGELOG.md says of a release: `python scripts/notes.py v0.2.0`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parent.parent / "CHANGELOG.md"


def notes(changelog: str, tag: str) -> str | None:
    """The part of a release; None if there is none, or it is empty."""
    version = re.escape(tag.removeprefix("v"))
    found = re.search(
        rf"^## {version} \([^)]*\)\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    return (found[1].strip() or None) if found else None


def main() -> int:
    """Print the notes, or say that there are none."""
    tag = sys.argv[1]
    found = notes(CHANGELOG.read_text(), tag)
    if found is None:
        print(f"CHANGELOG.md has no notes of {tag}", file=sys.stderr)
        return 1
    print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
