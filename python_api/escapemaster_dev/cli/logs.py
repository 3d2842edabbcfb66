"""What `logs` prints: every part's lines, each with the part's name in front."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import BinaryIO

from escapemaster_dev.stack.config import StackConfig
from escapemaster_dev.stack.errors import StackError
from escapemaster_dev.stack.processes import tail


def show(config: StackConfig, part: str | None, *, follow: bool, lines: int) -> None:
    """Print the end of the logs, and go on with what comes if `follow`."""
    files = sorted(config.logs.glob("*.log"))
    if part is not None:
        wanted = part.lower().replace(" ", "-")
        files = [file for file in files if file.stem == wanted]
        if not files:
            known = ", ".join(file.stem for file in sorted(config.logs.glob("*.log")))
            raise StackError(f"there is no log called {part}; there are: {known or 'none yet'}")
    width = max((len(file.stem) for file in files), default=0)
    followed: list[tuple[Path, BinaryIO]] = []
    for file in files:
        for line in tail(file, lines).splitlines():
            _print(file, width, line)
        if follow:
            stream = file.open("rb")
            stream.seek(0, 2)
            followed.append((file, stream))
    try:
        while followed:
            _print_new(followed, width)
            time.sleep(0.2)
    except KeyboardInterrupt:
        pass


def _print_new(followed: list[tuple[Path, BinaryIO]], width: int) -> None:
    for file, stream in followed:
        if file.stat().st_size < stream.tell():  # started anew
            stream.seek(0)
        for raw in stream.readlines():
            _print(file, width, raw.decode(errors="replace").rstrip("\n"))


def _print(file: Path, width: int, line: str) -> None:
    sys.stdout.write(f"{file.stem:<{width}} | {line}\n")
    sys.stdout.flush()
