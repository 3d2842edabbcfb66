"""Known vulnerabilities of what the locks name, but for those that are accepted.

Needs pip-audit, npm and the network. `requirements/accepted.toml` has a `[[finding]]` for each
accepted one: its `id`, `package`, `reason`, and a day `until` which it is accepted.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ACCEPTED = ROOT / "requirements" / "accepted.toml"
LOCKS = ("requirements.txt", "requirements-dev.txt")

Finding = tuple[str, str]


def python_findings(report: Any) -> Iterator[Finding]:
    """(id, package) of `pip-audit --format json`."""
    for package in report["dependencies"]:
        for found in package.get("vulns", []):
            yield found["id"], package["name"]


def node_findings(report: Any) -> Iterator[Finding]:
    """(id, package) of `npm audit --json`; the id is the advisory's."""
    if "vulnerabilities" not in report:
        raise ValueError(f"npm audit failed: {report.get('message') or report.get('error')}")
    for package in report["vulnerabilities"].values():
        for cause in package["via"]:
            # A string names another package, which has an entry of its own.
            if isinstance(cause, dict):
                yield cause["url"].rpartition("/")[2], cause["name"]


def accepted(text: str, today: dt.date) -> set[Finding]:
    """What is accepted today."""
    found = set()
    for entry in tomllib.loads(text).get("finding", []):
        if not entry["reason"]:
            raise ValueError(f"{entry['id']} is accepted without a reason")
        if entry["until"] >= today:
            found.add((entry["id"], entry["package"]))
    return found


def _report(*command: str) -> Any:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        raise SystemExit(f"{command[0]} gave no report:\n{done.stderr}") from None


def main() -> int:
    """Print the findings that nobody accepted; 1 if there are any."""
    found: set[Finding] = set()
    for lock in LOCKS:
        found |= set(
            python_findings(
                _report("pip-audit", "--requirement", lock, "--disable-pip", "--format=json")
            )
        )
    found |= set(node_findings(_report("npm", "audit", "--json", "--package-lock-only")))
    left = sorted(found - accepted(ACCEPTED.read_text(), dt.datetime.now(dt.UTC).date()))
    for advisory, package in left:
        print(f"{package}: {advisory}", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
