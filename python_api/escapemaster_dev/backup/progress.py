"""Tells how far a backup is: a bar on a terminal, a line a finished step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)


class Step:
    """One thing that takes a while."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self.done = 0
        self._progress = progress
        self._task = task

    def advance(self, count: int = 1) -> None:
        """So much more is done."""
        self.done += count
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, advance=count)


class Reporter:
    """Where steps are told."""

    def __init__(self, console: Console, progress: Progress | None) -> None:
        self._console = console
        self._progress = progress

    @contextmanager
    def step(self, name: str, unit: str, total: int | None = None) -> Iterator[Step]:
        """Report a block; `total` is how many of the unit there will be, as far as is known."""
        started = time.monotonic()
        if self._progress is None:
            made = Step(None, None)
            yield made
        else:
            made = Step(self._progress, self._progress.add_task(name, total=total))
            yield made
        seconds = time.monotonic() - started
        self._console.print(f"  {name}: {made.done:,} {unit} ({seconds:.1f} s)", highlight=False)


@contextmanager
def reporting(console: Console) -> Iterator[Reporter]:
    """A reporter that fits where the output goes."""
    if not console.is_terminal:
        yield Reporter(console, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Reporter(console, progress)
