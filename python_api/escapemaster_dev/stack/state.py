"""Is a stack running, and what runs in it? The lock says the first, a small file the second."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from escapemaster_dev.stack.config import StackConfig
from escapemaster_dev.stack.credentials import write_private
from escapemaster_dev.stack.errors import AlreadyRunning, NotRunning, StackError
from escapemaster_dev.stack.processes import Child
from escapemaster_dev.stack.restarts import Restarts


@dataclass(frozen=True, slots=True)
class PartState:
    """A process of the stack.

    Attributes:
        runs: False while it lies still after it died.
        restarts: How often it was started again.
        last_end: How it last ended, in words.
    """

    name: str
    pid: int
    log: str
    program: str
    runs: bool = True
    restarts: int = 0
    last_end: str = ""


@dataclass(frozen=True, slots=True)
class StackState:
    """What the supervisor says of itself.

    Attributes:
        status: `starting`, `database` (PostgreSQL and its template are there), `ready`, `stopping`,
            `stopped` or `failed`.
        message: Why it failed.
    """

    supervisor: int
    status: str
    parts: tuple[PartState, ...] = ()
    message: str = ""


@contextmanager
def supervising(config: StackConfig) -> Iterator[None]:
    """Hold the state directory; raise `AlreadyRunning` if another supervisor does."""
    with config.lock.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"a stack is running already in {config.home}: see `make status`, or `make down`"
            ) from None
        yield


def is_running(config: StackConfig) -> bool:
    """Whether a supervisor lives."""
    if not config.lock.exists():
        return False
    with config.lock.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def write_state(
    config: StackConfig,
    status: str,
    children: Sequence[Child],
    message: str = "",
    restarts: Mapping[str, Restarts] | None = None,
) -> None:
    """Tell the others."""
    state = StackState(
        supervisor=os.getpid(),
        status=status,
        parts=tuple(
            _part_state(child, (restarts or {}).get(child.name, Restarts())) for child in children
        ),
        message=message,
    )
    write_private(config.state, json.dumps(asdict(state), indent=2) + "\n")


def _part_state(child: Child, restarts: Restarts) -> PartState:
    return PartState(
        child.name,
        child.pid,
        str(child.log),
        str(child.command.arguments[0]),
        runs=restarts.due is None,
        restarts=restarts.total,
        last_end=restarts.last_end,
    )


def read_state(config: StackConfig) -> StackState | None:
    """What the last supervisor told; None when there was none."""
    try:
        stored = json.loads(config.state.read_text())
    except FileNotFoundError:
        return None
    parts = tuple(PartState(**part) for part in stored.pop("parts"))
    return StackState(parts=parts, **stored)


def stop_running(config: StackConfig, seconds: float = 30) -> None:
    """Ask the supervisor to stop everything, and wait until it has.

    Raises:
        NotRunning: there is none.
        StackError: it does not end in time.
    """
    state = read_state(config)
    if state is None or not is_running(config):
        raise NotRunning("no stack is running here")
    os.kill(state.supervisor, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while is_running(config):
        if time.monotonic() > deadline:
            raise StackError(f"the stack (process {state.supervisor}) does not stop")
        time.sleep(0.02)


def end_leftovers(config: StackConfig) -> int:
    """End what a killed supervisor left behind, where the kernel does not do it (macOS).

    A process counts only if its id still belongs to the program that was started.

    Returns:
        How many there were.
    """
    state = read_state(config)
    ended = 0
    for part in state.parts if state is not None else ():
        shown = subprocess.run(
            ["ps", "-o", "command=", "-p", str(part.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        if shown.stdout.startswith(part.program):
            os.kill(part.pid, signal.SIGTERM)
            ended += 1
    return ended
