"""Tells what a long step is doing: with a spinner on a terminal, with plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Reporter(Protocol):
    """Where progress goes."""

    def begin(self, step: str) -> None:
        """A step has started."""

    def end(self, step: str) -> None:
        """It is done."""

    def close(self) -> None:
        """Nothing more will come."""


class Silent:
    """Says nothing."""

    def begin(self, step: str) -> None:
        """Nothing."""

    def end(self, step: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Lines:
    """One line a finished step."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started: dict[str, float] = {}

    def begin(self, step: str) -> None:
        """Remember when."""
        self._started[step] = time.monotonic()

    def end(self, step: str) -> None:
        """Say how long it took."""
        seconds = time.monotonic() - self._started.pop(step)
        self._console.print(f"  {step} ({seconds:.1f} s)", highlight=False)

    def close(self) -> None:
        """Nothing is open."""


class Spinners:
    """A line with a spinner for each step that runs."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def begin(self, step: str) -> None:
        """Show it."""
        self._tasks[step] = self._progress.add_task(step, total=1)

    def end(self, step: str) -> None:
        """Tick it off."""
        self._progress.update(self._tasks.pop(step), completed=1)

    def close(self) -> None:
        """Leave the screen to what comes after."""
        self._progress.stop()


@contextmanager
def reporting(console: Console) -> Iterator[Reporter]:
    """The reporter that fits where the output goes."""
    if not console.is_terminal:
        yield Lines(console)
        return
    columns = (
        SpinnerColumn(finished_text="[green]✓[/green]"),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Spinners(progress)


@contextmanager
def step(reporter: Reporter, name: str) -> Iterator[None]:
    """Report a block as one step."""
    reporter.begin(name)
    yield
    reporter.end(name)
