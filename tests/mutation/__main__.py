"""`python -m tests.mutation`: loosen each rule in turn, and see that the suite notices."""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import multiprocessing
import os
import random
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, ExitStack, contextmanager
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "python_api")]

from escapemaster_dev.schema.project import PROJECT  # noqa: E402
from escapemaster_dev.schema.server import scratch_server  # noqa: E402
from matrix.databases import Databases  # noqa: E402
from matrix.fixtures import busy_template, world_template  # noqa: E402
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
    with _places(options.workers, options.patience, tuple(options.tests)) as places:
        with psycopg.connect(places[0].world) as connection:
            everything = all_mutants(connection, PROJECT.sql)
        mutants = [m for m in everything if _wanted(m, options)]
        if options.sample:
            mutants = random.Random(1).sample(mutants, min(options.sample, len(mutants)))
        if options.list:
            for mutant in mutants:
                console.print(mutant.name, highlight=False, markup=False, soft_wrap=True)
            return 0
        with _Log(options.log) as log:
            known = log.killed(mutants)
            if known:
                console.print(f"{len(known)} of {len(mutants)} are known to be noticed")
            left = [m for m in mutants if m not in known]
            verdicts, broken = _hunt(left, places, console, log)
    names = {m.name for m in everything}
    failed = _report([*known.values(), *verdicts], names, console, options)
    console.print(f"{len(verdicts)} mutants in {(time.monotonic() - started) / 60:.1f} minutes")
    for test, why in broken.items():
        console.print(f"fails without any mutant: {test}", style="red", markup=False)
        console.print(why, markup=False, highlight=False)
    return 1 if failed or broken else 0


def _accepted() -> dict[str, str]:
    """Which mutants may survive, and why."""
    found: dict[str, str] = tomllib.loads(_ACCEPTED.read_text()).get("accepted", {})
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation", description=__doc__, fromfile_prefix_chars="@"
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="of every domain also the refusals, what tells tenants apart, the locks and triggers",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="PATTERN",
        help="of all, those with names like 'policy rooms*' (may be given again)",
    )
    parser.add_argument(
        "--tests", nargs="+", default=(), metavar="FILE", help="look with these tests alone"
    )
    parser.add_argument("--sample", type=int, default=0, help="so many mutants, chosen at random")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    parser.add_argument(
        "--patience", type=int, metavar="N", help="a quick look: so many far-fetched tests a mutant"
    )
    parser.add_argument(
        "--log",
        type=Path,
        metavar="FILE",
        help="keep what became of each; of those in it only survivors, and what was changed since,"
        " are looked at again",
    )
    parser.add_argument("--list", action="store_true", help="name the mutants, and stop")
    return parser


def _wanted(mutant: Mutant, options: argparse.Namespace) -> bool:
    if not options.only:
        return options.all or not mutant.deep
    return any(
        mutant.name == only or fnmatch.fnmatchcase(mutant.name, only) for only in options.only
    )


class _Log(AbstractContextManager["_Log"]):
    """What became of each mutant, a line each, so that a run can be resumed."""

    def __init__(self, path: Path | None) -> None:
        """Read what is there already, and append to it."""
        self._before = path.read_text().splitlines() if path and path.exists() else []
        self._file = path.open("a") if path else None

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def killed(self, mutants: Sequence[Mutant]) -> dict[Mutant, Verdict]:
        """Those that were noticed before, and are what they were."""
        killers = {}
        for line in self._before:
            digest, name, seconds, tests, killer = line.split("\t")
            if killer:
                killers[digest, name] = killer, int(tests), float(seconds)
        return {
            mutant: Verdict(mutant, *killers[_digest(mutant), mutant.name])
            for mutant in mutants
            if (_digest(mutant), mutant.name) in killers
        }

    def add(self, verdict: Verdict) -> None:
        """Write down what became of one."""
        if self._file:
            mutant, seconds = verdict.mutant, f"{verdict.seconds:.2f}"
            columns = (
                _digest(mutant),
                mutant.name,
                seconds,
                verdict.tests,
                verdict.killed_by or "",
            )
            print(*columns, sep="\t", file=self._file, flush=True)


def _digest(mutant: Mutant) -> str:
    return hashlib.sha256(mutant.statement.encode()).hexdigest()[:12]


@contextmanager
def _places(workers: int, patience: int | None, tests: tuple[str, ...]) -> Iterator[list[Place]]:
    """A server of our own, and the databases of each worker on it."""
    with scratch_server() as server, TemporaryDirectory() as home, ExitStack() as stack:
        databases = Databases(server, Path(home))
        world, busy = world_template(databases), busy_template(databases)
        schema = databases.schema()
        places = []
        for number in range(workers):
            race = f"race_{number}"
            places.append(
                Place(
                    world=stack.enter_context(databases.copy_of(world)),
                    busy=stack.enter_context(databases.copy_of(busy)),
                    tenancy=stack.enter_context(databases.copy_of(schema)),
                    race=race,
                    race_dsn=databases.admin_dsn(race),
                    race_owner_dsn=server.dsn(race),
                    maintenance=server.admin_dsn,
                    schema=schema,
                    patience=patience,
                    accepted=frozenset(_accepted()),
                    tests=tests,
                )
            )
        yield places


def _hunt(
    mutants: Sequence[Mutant], places: Sequence[Place], console: Console, log: _Log
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
    mutants: Sequence[Mutant], workers: Sequence[Pipe], console: Console, log: _Log
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
                log.add(verdict)
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


def _report(
    verdicts: Sequence[Verdict],
    everything: AbstractSet[str],
    console: Console,
    options: argparse.Namespace,
) -> bool:
    """Say what became of all; whether there is a survivor, or an entry without one."""
    accepted = _accepted()
    survived = [v for v in verdicts if v.killed_by is None]
    unexpected = [v for v in survived if v.mutant.name not in accepted]
    # Those that nobody looked at are gone only if there is nothing of that name.
    killed = {v.mutant.name for v in verdicts} - {v.mutant.name for v in survived}
    stale = [name for name in accepted if name in killed or name not in everything]

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
    return bool(unexpected or stale)


if __name__ == "__main__":
    sys.exit(main())
