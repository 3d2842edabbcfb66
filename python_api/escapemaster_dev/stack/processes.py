"""Child processes that never outlive the supervisor, each with a log file."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_TAIL_LINES = 30


@dataclass(frozen=True, slots=True)
class User:
    """An account to run a process as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Command:
    """How a part is started.

    Attributes:
        name: As the part is called in messages and as its log file is named.
        arguments: The program and its arguments.
        environment: The whole environment of the process.
        cwd: Its working directory.
        user: Another account than the supervisor's; only root can ask for one.
        stop_signal: Asks it to end; also what the kernel sends when the supervisor is killed.
    """

    name: str
    arguments: Sequence[str | Path]
    environment: Mapping[str, str]
    cwd: Path
    user: User | None = None
    stop_signal: signal.Signals = signal.SIGTERM


class Child:
    """A running part."""

    def __init__(self, command: Command, log: Path, *, again: bool = False) -> None:
        """Start it.

        Args:
            command: What.
            log: Where it writes; begun anew, unless it is started `again`.
            again: After it died.
        """
        self.command = command
        self.log = log
        self.started = time.monotonic()
        user = command.user
        if not again:
            log.write_bytes(b"")
        # Appended to: when the file is cut, what comes next stands at its new end.
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(argument) for argument in command.arguments],
                cwd=command.cwd,
                env=dict(command.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal reaches the supervisor alone, which stops all in order.
                start_new_session=True,
                # The supervisor has one thread that forks, and the function takes no lock.
                preexec_fn=_end_with_parent(command.stop_signal),  # noqa: PLW1509
                user=None if user is None else user.uid,
                group=None if user is None else user.gid,
                extra_groups=None if user is None else [],
            )

    @property
    def name(self) -> str:
        """The part's name."""
        return self.command.name

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Send its stop signal."""
        if self.exit_code() is None:
            self._process.send_signal(self.command.stop_signal)

    def kill(self) -> None:
        """End it now."""
        if self.exit_code() is None:
            self._process.kill()

    def wait(self, seconds: float) -> bool:
        """Whether it ended within this time."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def log_tail(self) -> str:
        """The last lines that it wrote."""
        return tail(self.log)


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log file."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 64 * 1024))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def keep_short(log: Path, largest: int = 20_000_000) -> None:
    """Move what a part wrote to `<name>.log.1` when it is more than this (bytes).

    Copied and cut, since the part goes on writing to the file that it has open; what it writes
    between the two is lost.
    """
    if log.exists() and log.stat().st_size > largest:
        shutil.copyfile(log, log.with_name(log.name + ".1"))
        os.truncate(log, 0)


def stop_all(children: Sequence[Child], patience_seconds: float = 6) -> None:
    """Ask all to end at once, and kill those that are not gone in time."""
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + patience_seconds
    for child in children:
        if not child.wait(max(0.0, deadline - time.monotonic())):
            child.kill()
            child.wait(5)


class _EndWithParent:
    """Runs in the child between fork and exec: the kernel signals it when its parent dies.

    Linux only (prctl(2), PR_SET_PDEATHSIG). Set after the change of user, which would clear it.
    Elsewhere `escapemaster down` ends what a killed supervisor left behind.
    """

    def __init__(self, stop_signal: signal.Signals) -> None:
        self._libc = ctypes.CDLL(None)
        self._signal = int(stop_signal)
        self._parent = os.getpid()

    def __call__(self) -> None:
        self._libc.prctl(_PR_SET_PDEATHSIG, self._signal)
        if os.getppid() != self._parent:  # it died in between
            os._exit(1)


def _end_with_parent(stop_signal: signal.Signals) -> _EndWithParent | None:
    return _EndWithParent(stop_signal) if sys.platform == "linux" else None
