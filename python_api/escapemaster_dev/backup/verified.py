"""A backup that can be put back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from escapemaster_dev.backup import age, manifest


@dataclass(frozen=True, slots=True)
class Verified:
    """A backup that was read to its end.

    Attributes:
        structure: What the database was, as lines.
    """

    path: Path
    identity: age.Identity
    manifest: manifest.Manifest
    structure: list[str]
