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
from mutation.worker import Measurements, Place, Verdict, work  # noqa: E402

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
    with _places(options.workers) as places:
        with psycopg.connect(places[0].world) as connection:
            everything = all_mutants(connection, PROJECT.sql)
        mutants = [m for m in everything if fnmatch.fnmatch(m.name, options.only)]
        if options.sample:
            mutants = random.Random(1).sample(mutants, min(options.sample, len(mutants)))
        if options.list:
            for mutant in mutants:
                console.print(mutant.name, highlight=False, markup=False)
            return 0
        verdicts = _hunt(mutants, places, console)
    whole = options.only == "*" and not options.sample
    return _report(verdicts, console, time.monotonic() - started, whole=whole)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", default="*", metavar="PATTERN", help="names like 'policy rooms*'")
    parser.add_argument("--sample", type=int, default=0, help="so many mutants, chosen at random")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--list", action="store_true", help="name the mutants, and stop")
    return parser


@contextmanager
def _places(workers: int) -> Iterator[list[Place]]:
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
                    maintenance=server.admin_dsn,
                    schema=schema,
                )
            )
        yield places


def _hunt(mutants: Sequence[Mutant], places: Sequence[Place], console: Console) -> list[Verdict]:
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
        return _drive(mutants, workers, console)
    finally:
        for worker in workers:
            worker.close()
        for process in processes:
            process.terminate()
            process.join(10)


def _drive(mutants: Sequence[Mutant], workers: Sequence[Pipe], console: Console) -> list[Verdict]:
    """Measure the tests without mutants, half a worker, then hand out mutants one by one."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    verdicts: list[Verdict] = []
    with Progress(*columns, console=console) as progress:
        tests, *_ = [worker.recv() for worker in workers]
        measuring = progress.add_task("tests without mutants", total=tests)
        for number, worker in enumerate(workers):
            worker.send(("measure", number, len(workers)))
        measured: dict[str, object] = {}
        for worker in workers:
            part: Measurements = worker.recv()
            measured.update(part)
            progress.advance(measuring, len(part))
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
                progress.advance(hunting)
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
    return verdicts


def _report(verdicts: Sequence[Verdict], console: Console, seconds: float, *, whole: bool) -> int:
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
    return 1 if unexpected or stale else 0


if __name__ == "__main__":
    sys.exit(main())
