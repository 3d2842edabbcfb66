"""`python -m escapemaster_dev.deploy`: what keeps this checkout from being deployed.

With `--write` `.env.example`, DEPLOY.md's table and the code's newest migration are made instead.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from escapemaster_dev.deploy import hosts, migrations, variables
from escapemaster_dev.stack.config import ROOT

#: What our own rules decide, with the list of what is accepted; and what `make migration` settles.
_NOT_SQUAWKS: Final = (
    "adding-field-with-default",
    "adding-foreign-key-constraint",
    "adding-not-nullable-field",
    "ban-drop-column",
    "ban-drop-function",
    "ban-drop-table",
    "ban-drop-type",
    "changing-column-type",
    "constraint-missing-not-valid",
    "prefer-robust-stmts",
    "prefer-text-field",
    "renaming-column",
    "renaming-object",
    "renaming-table",
    "require-concurrent-index-creation",
    "require-statement-timeout",
)


def squawk(paths: list[str]) -> str:
    """What squawk says of migrations; empty when nothing is wrong with them, or there are none."""
    if not paths:
        return ""
    done = subprocess.run(
        [
            ROOT / ".venv" / "bin" / "squawk",
            "--pg-version=17",
            *(f"--exclude={rule}" for rule in _NOT_SQUAWKS),
            *paths,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr if done.returncode else ""


def faults() -> Iterator[str]:
    """Everything that is wrong."""
    for name, (document, schema) in hosts.files().items():
        yield from (f"{name}: {each}" for each in hosts.invalid(document, schema))
        if name.endswith("deploy.yml"):
            yield from (f"{name}: {each}" for each in hosts.out_of_order(document))
    yield from hosts.missing_variables(hosts.texts())
    for path in variables.stale():
        yield f"{path.name} is not what the settings or the migrations say: make types"
    directory = ROOT / "supabase" / "migrations"
    accepted = migrations.Accepted.read(ROOT / "supabase" / "accepted.toml")
    yield from map(str, migrations.check(directory, accepted))
    later = [str(path) for path in directory.glob("*.sql") if migrations.BASELINE not in path.name]
    if said := squawk(sorted(later)):
        yield said


def main() -> int:
    """Say all faults; 1 if there are any."""
    if sys.argv[1:] == ["--write"]:
        variables.write()
        return 0
    found = list(faults())
    for each in found:
        sys.stderr.write(f"deploy-check: {each}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
