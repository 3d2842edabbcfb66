"""`python -m tests.mutation`: loosen each door in turn, and see that the suite notices."""

from __future__ import annotations

import argparse
import fnmatch
import multiprocessing
import os
import random
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "python_api")]

from escapemaster.schema.project import PROJECT  # noqa: E402
from escapemaster.schema.server import scratch_server  # noqa: E402
from matrix.databases import Databases  # noqa: E402
from matrix.fixtures import world_template  # noqa: E402
from mutation.mutants import Mutant, all_mutants  # noqa: E402
from mutation.worker import Measured, Place, Verdict, work  # noqa: E402

_ACCEPTED = Path(__file__).with_name("accepted.toml")
_KINDS = ("policy", "grant", "function", "trigger", "key", "data")


def main(arguments: Sequence[str] | None = None) -> int:
    """Hunt.

    Returns:
        0 if every mutant was killed or its survival is accepted, else 1.
    """
    options = _parser().parse_args(arguments)
    console = Console()
    started = time.monotonic()
    with _places(options.workers, options.patience) as places:
        with psycopg.connect(places[0].world) as connection:
            everything = all_mutants(connection, PROJECT.sql)
        mutants = [m for m in everything if fnmatch.fnmatch(m.name, options.only)]
        if options.sample:
            mutants = random.Random(1).sample(mutants, min(options.sample, len(mutants)))
        if options.list:
            for mutant in mutants:
                console.print(mutant.name, highlight=False, markup=False)
            return 0
        with ExitStack() as stack:
            log = None if options.log is None else stack.enter_context(options.log.open("w"))
            verdicts, broken = _hunt(mutants, places, console, log)
    whole = options.only == "*" and not options.sample and options.patience is None
    failed = _report(verdicts, console, time.monotonic() - started, whole=whole)
    for test, why in broken.items():
        console.print(f"fails without any mutant: {test}", style="red", markup=False)
        console.print(why, markup=False, highlight=False)
    return 1 if failed or broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", default="*", metavar="PATTERN", help="names like 'policy rooms*'")
    parser.add_argument("--sample", type=int, default=0, help="so many mutants, chosen at random")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    parser.add_argument(
        "--patience", type=int, metavar="N", help="a quick look: so many far-fetched tests a mutant"
    )
    parser.add_argument("--log", type=Path, help="a file for what became of each")
    parser.add_argument("--list", action="store_true", help="name the mutants, and stop")
    return parser


@contextmanager
def _places(workers: int, patience: int | None) -> Iterator[list[Place]]:
    """A server of our own, and the databases of each worker on it."""
    with scratch_server() as server, TemporaryDirectory() as home, ExitStack() as stack:
        databases = Databases(server, Path(home))
        world, schema = world_template(databases), databases.schema()
        places = []
        for number in range(workers):
            race = f"race_{number}"
            places.append(
                Place(
                    world=stack.enter_context(databases.copy_of(world)),
                    tenancy=stack.enter_context(databases.copy_of(schema)),
                    race=race,
                    race_dsn=databases.admin_dsn(race),
                    race_owner_dsn=server.dsn(race),
                    maintenance=server.admin_dsn,
                    schema=schema,
                    patience=patience,
                )
            )
        yield places


def _hunt(
    mutants: Sequence[Mutant], places: Sequence[Place], console: Console, log: TextIO | None
) -> tuple[list[Verdict], dict[str, str]]:
    spawning = multiprocessing.get_context("spawn")
    workers: list[Pipe] = []
    processes = []
    for place in places:
        ours, theirs = spawning.Pipe()
        process = spawning.Process(target=work, args=(theirs, place), daemon=True)
        process.start()
        theirs.close()
        workers.append(ours)
        processes.append(process)
    try:
        return _drive(mutants, workers, console, log)
    finally:
        for worker in workers:
            worker.close()
        for process in processes:
            process.terminate()
            process.join(10)


def _drive(
    mutants: Sequence[Mutant], workers: Sequence[Pipe], console: Console, log: TextIO | None
) -> tuple[list[Verdict], dict[str, str]]:
    """Measure the tests without mutants, half a worker, then hand out mutants one by one.

    Returns:
        The verdicts, and which tests fail without any mutant, with the reason.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    verdicts: list[Verdict] = []
    with Progress(*columns, console=console) as progress:
        measured = _measure(workers, progress)
        for worker in workers:
            worker.send(("measured", measured))

        hunting = progress.add_task("mutants", total=len(mutants))
        waiting = list(reversed(mutants))
        busy = set()
        for worker in workers:
            if waiting:
                worker.send(waiting.pop())
                busy.add(worker)
        while busy:
            for ready in wait(list(busy)):
                assert isinstance(ready, type(workers[0]))
                verdict: Verdict = ready.recv()
                verdicts.append(verdict)
                if log is not None:
                    print(_line(verdict), file=log, flush=True)
                progress.advance(hunting)
                if not console.is_terminal and len(verdicts) % 100 == 0:
                    progress.console.print(f"{len(verdicts)} of {len(mutants)} mutants")
                if verdict.killed_by is None:
                    progress.console.print(
                        f"survived: {verdict.mutant.name} {verdict.error}",
                        highlight=False,
                        markup=False,
                    )
                if waiting:
                    ready.send(waiting.pop())
                else:
                    ready.send(None)
                    busy.discard(ready)
    return verdicts, {name: test.failed for name, test in measured.items() if test.failed}


def _line(verdict: Verdict) -> str:
    return (
        f"{verdict.seconds:7.2f} s {verdict.tests:5} tests: {verdict.mutant.name}"
        f" - {verdict.killed_by or 'survived ' + verdict.error}"
    )


def _measure(workers: Sequence[Pipe], progress: Progress) -> dict[str, Measured]:
    """All tests without mutants, each worker its share."""
    tests, *_ = [worker.recv() for worker in workers]
    measuring = progress.add_task("tests without mutants", total=tests)
    for number, worker in enumerate(workers):
        worker.send(("measure", number, len(workers)))
    measured: dict[str, Measured] = {}
    measurers = set(workers)
    while measurers:
        for ready in wait(list(measurers)):
            assert isinstance(ready, type(workers[0]))
            match ready.recv():
                case dict() as part:
                    measured.update(part)
                    measurers.discard(ready)
                case _:
                    progress.advance(measuring)
    return measured


def _report(verdicts: Sequence[Verdict], console: Console, seconds: float, *, whole: bool) -> bool:
    """Say what became of all; whether there is a survivor, or an entry without one."""
    accepted: dict[str, str] = tomllib.loads(_ACCEPTED.read_text()).get("accepted", {})
    survived = [v for v in verdicts if v.killed_by is None]
    unexpected = [v for v in survived if v.mutant.name not in accepted]
    names = {v.mutant.name for v in survived}
    stale = [name for name in accepted if name not in names] if whole else []

    table = Table("kind", "mutants", "killed", "accepted", "survived")
    for kind in _KINDS:
        of_kind = [v for v in verdicts if v.mutant.kind == kind]
        alive = [v for v in of_kind if v.killed_by is None]
        agreed = sum(v.mutant.name in accepted for v in alive)
        row = (len(of_kind), len(of_kind) - len(alive), agreed, len(alive) - agreed)
        table.add_row(kind, *map(str, row))
    console.print(table)
    killers = Counter(
        v.killed_by.split("::")[0].rsplit("/", 1)[-1] for v in verdicts if v.killed_by is not None
    )
    for name, count in killers.most_common():
        console.print(f"  {count:5} noticed by {name}", highlight=False)
    for verdict in unexpected:
        console.print(f"survived: {verdict.mutant.name}", style="red", markup=False)
        if verdict.error:
            console.print(f"  {verdict.error}", markup=False)
    for name in stale:
        console.print(f"accepted, but killed or gone: {name}", style="red", markup=False)
    console.print(f"{len(verdicts)} mutants in {seconds / 60:.1f} minutes")
    return bool(unexpected or stale)


if __name__ == "__main__":
    sys.exit(main())
