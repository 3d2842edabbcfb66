"""What our migrations made, as lines: two places have the same policies and grants if these are.

What is the platform's own (extensions, Auth's and Storage's tables and privileges) is not among
it: it differs between places that serve us alike.
"""

from __future__ import annotations

import re
from typing import Final

from escapemaster_dev.schema.project import OUR_SCHEMAS
from escapemaster_dev.schema.reference import Connection
from escapemaster_dev.schema.snapshot import list_structure

_OURS: Final = re.compile(
    rf"platform table [^:]+: (?!grant )|[a-z ]+ (?:{'|'.join(OUR_SCHEMAS)})[.:]"
)


def structure(connection: Connection) -> list[str]:
    """Tables, functions, policies, grants, triggers; the search path must be empty."""
    lines, ours = [], False
    for line in list_structure(connection):
        # A fact of several lines is indented below its first.
        if not line.startswith("    "):
            ours = _OURS.match(line) is not None
        if ours:
            lines.append(line)
    return lines
