"""`make bench`: what the database's own rules cost, as ratios within one run.

Ten things are measured, each beside raw PostgreSQL doing the same work at the same moment: the free
times of a calendar, its month by days, holding a place among many (one client, and eight) and one
that everybody wants, the staff's page of bookings under row-level security, the desk's search, a
sweep that finds no message due, and the reports of a year's revenue and bookings and of a month's
occupancy. What a month weighs is measured once, in bytes.
Figures are medians of alternating rounds; the ratio is what counts, since machines differ and this
one may be busy.
Commits wait for the disk, as they do where the product runs; `--forgetful` says what is left when
they do not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import LiteralString

import psycopg
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from escapemaster_dev.schema.project import Project
from escapemaster_dev.schema.server import Server, scratch_server
from escapemaster_dev.schema.sources import apply_files
from escapemaster_dev.stack.postgres import find_binaries, server_user

HERE = Path(__file__).parent
OWNER_CLAIMS = json.dumps({"sub": "00010001-0000-7000-8000-000000000000", "role": "authenticated"})


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the world is: `bookings` a venue, in `rooms` rooms a venue."""

    venues: int
    rooms: int
    bookings: int


SCALES = {
    "small": Scale(venues=100, rooms=10, bookings=1000),
    "large": Scale(venues=1000, rooms=10, bookings=1000),
}


@dataclass(frozen=True, slots=True)
class Result:
    """Two figures of one run and their ratio; `unit` says what both are."""

    name: str
    unit: str
    ours: float
    raw: float

    @property
    def ratio(self) -> float:
        """Ours over raw."""
        return self.ours / self.raw


@contextmanager
def world(server: Server, scale: Scale, console: Console, *, durable: bool = True) -> Iterator[str]:
    """A database with the product's schema and the benchmark's rows; yields its name.

    Args:
        durable: Whether commits wait for the disk once the rows are there.
    """
    with server.scratch("bench") as dsn:
        started = time.monotonic()
        apply_files(dsn, Project(HERE.parents[1]).source_files())
        database = dsn.rsplit("/", 1)[1]
        text = (HERE / "world.sql").read_text(encoding="utf-8")
        for key, value in asdict(scale).items():
            text = text.replace(f":{key}", str(value))
        with console.status(f"writing {scale.venues * scale.bookings:,} bookings"):
            admin = server.admin_dsn.rsplit("/", 1)[0] + f"/{database}"
            with psycopg.connect(admin, autocommit=True) as connection:
                connection.execute(text.encode())
                connection.execute("vacuum (analyze)")
                for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                    value = "on" if durable else "off"
                    connection.execute(f"alter system set {setting} = {value}".encode())
                connection.execute("select pg_reload_conf()")
                connection.execute("checkpoint")
        console.print(f"world made in {time.monotonic() - started:.0f} s")
        yield database


def pgbench(dsn: str, script: str, *, clients: int, seconds: int) -> float:
    """Transactions a second of a script, by PostgreSQL's own load generator.

    Raises:
        RuntimeError: a transaction failed; its error is in the text.
    """
    with TemporaryDirectory() as directory:
        path = Path(directory) / "script.sql"
        path.write_text(script, encoding="utf-8")
        finished = subprocess.run(
            [
                str(_pgbench_binary()),
                "--no-vacuum",
                "--protocol=prepared",
                f"--client={clients}",
                "--jobs=2",
                f"--time={seconds}",
                f"--file={path}",
                dsn,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if finished.returncode != 0:
        raise RuntimeError(finished.stderr[-2000:])
    line = next(line for line in finished.stdout.splitlines() if line.startswith("tps = "))
    return float(line.split()[2])


def alternate(
    ours: Callable[[], float], raw: Callable[[], float], rounds: int, advance: Callable[[], None]
) -> tuple[float, float]:
    """Medians of both, measured in turn so that a slow minute meets both."""
    figures: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        figures[0].append(ours())
        figures[1].append(raw())
        advance()
    return statistics.median(figures[0]), statistics.median(figures[1])


#: What the widget asks for of the times of a day (api.ts).
TIME_COLUMNS = "room_id, starts_at, seats_available, price_cents, is_empty"


def month_weight(dsn: str, advance: Callable[[], None]) -> Result:
    """What shows a month and its first open day, against all times of the month; uncompressed."""

    def kilobytes(connection: psycopg.Connection, *questions: str) -> float:
        total = 0
        for question in questions:
            # As PostgREST puts an answer together.
            answer = f"select coalesce(json_agg(t), '[]')::text from ({question}) as t"
            row = connection.execute(answer.encode()).fetchone()
            total += len(row[0].encode()) if row else 0
        return total / 1000

    with psycopg.connect(dsn, autocommit=True) as connection:
        month = "('venue-1', current_date, current_date + 30)"
        day = "('venue-1', current_date + 1, current_date + 1)"
        ours = kilobytes(
            connection,
            f"select * from public.get_availability_days{month}",
            f"select {TIME_COLUMNS} from public.get_availability{day}",
        )
        raw = kilobytes(connection, f"select * from public.get_availability{month}")
    advance()
    return Result("a month by days and one day's times, against all its times", "kB", ours, raw)


def availability(
    dsn: str, scale: Scale, function: LiteralString, advance: Callable[[], None]
) -> Result:
    """31 days of ten rooms, in milliseconds in the database."""
    with psycopg.connect(dsn, autocommit=True) as connection:

        def timed(statement: LiteralString, argument: object) -> float:
            samples = []
            for venue in range(1, min(scale.venues, 21) + 1):
                started = time.perf_counter()
                connection.execute(
                    statement, {"venue": venue, "slug": f"venue-{venue}", "rooms": argument}
                ).fetchall()
                samples.append((time.perf_counter() - started) * 1000)
            return statistics.median(samples)

        ours, raw = alternate(
            lambda: timed(
                "select * from public." + function + "(%(slug)s, current_date, current_date + 30)",
                scale.rooms,
            ),
            lambda: timed(
                "select * from bench.availability_by_hand(%(venue)s, %(rooms)s)", scale.rooms
            ),
            5,
            advance,
        )
    return Result(f"{function}, 31 days × 10 rooms, against a query by hand", "ms", ours, raw)


def holding(
    dsn: str, scale: Scale, clients: int, seconds: int, advance: Callable[[], None]
) -> Result:
    """Places held by some clients over many rooms, against bare inserts."""
    arguments = f"{scale.venues}, {scale.rooms}"
    ours, raw = alternate(
        lambda: pgbench(
            dsn, f"select bench.hold_one({arguments});", clients=clients, seconds=seconds
        ),
        lambda: pgbench(
            dsn, f"select bench.insert_one({arguments});", clients=clients, seconds=seconds
        ),
        3,
        advance,
    )
    who = "1 client" if clients == 1 else f"{clients} clients"
    return Result(f"hold_booking, {who}, against a bare constrained insert", "1/s", ours, raw)


def hot_slot(dsn: str, seconds: int, advance: Callable[[], None]) -> Result:
    """Eight clients who want one place: all are told that it is taken, and nothing else.

    Raises:
        RuntimeError: somebody got another answer.
    """
    ours, raw = alternate(
        lambda: pgbench(dsn, "select bench.fight_one();", clients=8, seconds=seconds),
        lambda: pgbench(dsn, "select bench.insert_hot();", clients=8, seconds=seconds),
        3,
        advance,
    )
    return Result("one slot, 8 clients, attempts, against the bare insert", "1/s", ours, raw)


PAGE = "select * from public.bookings {where} order by starts_at limit 50;"


def staff_page(dsn: str, seconds: int, advance: Callable[[], None]) -> Result:
    """The staff's page of 50 bookings under its policy, against an explicit tenant predicate."""
    under_policy = (
        "begin;\nset local role authenticated;\n"
        f"select set_config('request.jwt.claims', '{OWNER_CLAIMS}', true);\n"
        f"{PAGE.format(where='')}\ncommit;"
    )
    # The same round trips, as the owner of the tables, who bypasses policies.
    by_hand = (
        "begin;\nset local role postgres;\n"
        f"select set_config('request.jwt.claims', '{OWNER_CLAIMS}', true);\n"
        + PAGE.format(where="where organization_id = '00020001-0000-7000-8000-000000000000'")
        + "\ncommit;"
    )
    ours, raw = alternate(
        lambda: pgbench(dsn, under_policy, clients=4, seconds=seconds),
        lambda: pgbench(dsn, by_hand, clients=4, seconds=seconds),
        5,
        advance,
    )
    return Result("page of 50 bookings under RLS, against BYPASSRLS by hand", "1/s", ours, raw)


#: What is typed at a desk: a name that many bear, one that few do, a phone, an address, nobody.
SEARCHES = ("maria", "etxeberria zoe", "600 000 042", "c17@bench.test", "zzyzx")


def search(dsn: str, scale: Scale, advance: Callable[[], None]) -> Result:
    """The desk's search as the owners of several venues, against one name looked up by hand."""
    with psycopg.connect(dsn, autocommit=True) as connection:

        def timed(statement: LiteralString, typed: tuple[str, ...]) -> float:
            samples = []
            for venue in range(1, min(scale.venues, 11) + 1):
                claims = {
                    "sub": f"0001{venue:04x}-0000-7000-8000-000000000000",
                    "role": "authenticated",
                }
                connection.execute(
                    "select set_config('request.jwt.claims', %s, false)", [json.dumps(claims)]
                )
                for words in typed:
                    started = time.perf_counter()
                    connection.execute(statement, {"venue": venue, "words": words}).fetchall()
                    samples.append((time.perf_counter() - started) * 1000)
            return statistics.median(samples)

        ours, raw = alternate(
            lambda: timed(
                "select public.search_bookings(bench.id(2, %(venue)s, 0), %(words)s)", SEARCHES
            ),
            lambda: timed(
                "select * from bench.search_by_hand(%(venue)s, %(words)s)", ("María", "Etxeberria")
            ),
            5,
            advance,
        )
    return Result("search_bookings, against one name looked up by hand", "ms", ours, raw)


#: What is asked of a report, the query by hand beside it, and what both are called.
REPORTS: tuple[tuple[LiteralString, LiteralString, str], ...] = (
    (
        "select * from public.get_revenue_report(bench.id(2, %(venue)s, 0), 'year')",
        "select * from bench.revenue_by_hand(%(venue)s)",
        "get_revenue_report of a year, against two sums by hand",
    ),
    (
        "select * from public.get_bookings_report(bench.id(2, %(venue)s, 0), 'year')",
        "select * from bench.bookings_by_hand(%(venue)s)",
        "get_bookings_report of a year, against a count by status",
    ),
    (
        (
            "select * from public.get_occupancy_report(bench.id(2, %(venue)s, 0), null,"
            " current_date - 10, current_date + 20)"
        ),
        "select * from bench.availability_by_hand(%(venue)s, %(rooms)s)",
        "get_occupancy_report, 62 days × 10 rooms, against the free times of 31 by hand",
    ),
)


def reports(dsn: str, scale: Scale, advance: Callable[[], None]) -> list[Result]:
    """The reports of the owners of several venues, in milliseconds in the database."""
    with psycopg.connect(dsn, autocommit=True) as connection:

        def timed(statement: LiteralString) -> float:
            samples = []
            for venue in range(1, min(scale.venues, 21) + 1):
                claims = {
                    "sub": f"0001{venue:04x}-0000-7000-8000-000000000000",
                    "role": "authenticated",
                }
                connection.execute(
                    "select set_config('request.jwt.claims', %s, false)", [json.dumps(claims)]
                )
                started = time.perf_counter()
                connection.execute(statement, {"venue": venue, "rooms": scale.rooms}).fetchall()
                samples.append((time.perf_counter() - started) * 1000)
            return statistics.median(samples)

        results = []
        for asked, by_hand, name in REPORTS:
            ours, raw = alternate(partial(timed, asked), partial(timed, by_hand), 3, advance)
            results.append(Result(name, "ms", ours, raw))
        return results


def idle_sweep(dsn: str, advance: Callable[[], None]) -> Result:
    """Asking what is due at an hour at which nothing is, against the bare looks into indexes."""
    with psycopg.connect(dsn, autocommit=True) as connection:

        def timed(statement: LiteralString) -> float:
            samples = []
            for _ in range(50):
                started = time.perf_counter()
                (found,) = connection.execute(statement).fetchone() or (None,)
                samples.append((time.perf_counter() - started) * 1000)
                assert found == 0, "not idle"
            return statistics.median(samples)

        ours, raw = alternate(
            lambda: timed(
                "select count(*) from private.due_messages(bench.idle(), bench.idle() + '15 s')"
            ),
            lambda: timed("select bench.due_by_hand()"),
            5,
            advance,
        )
    return Result("sweep without a due message, against three looks into indexes", "ms", ours, raw)


def _pgbench_binary() -> Path:
    return find_binaries(server_user()) / "pgbench"


def main() -> None:
    """Run the benchmarks and print their table; `--json` writes the figures to a file."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument(
        "--scale",
        choices=(*SCALES, "both"),
        default="small",
        help="100,000 or 1,000,000 bookings, or one after the other",
    )
    options.add_argument(
        "--forgetful", action="store_true", help="commits do not wait for the disk"
    )
    options.add_argument("--seconds", type=int, default=5, help="of each measured round")
    options.add_argument("--json", type=Path, help="where the figures are written too")
    given = options.parse_args()
    console = Console()
    chosen = SCALES if given.scale == "both" else {given.scale: SCALES[given.scale]}
    measured = {
        name: measure(scale, console, given.seconds, durable=not given.forgetful)
        for name, scale in chosen.items()
    }
    for name, results in measured.items():
        show(SCALES[name], results, console)
    if given.scale == "both":
        small, large = (measured[name][0].ours for name in ("small", "large"))
        console.print(f"get_availability with ten times the bookings: {large / small:.2f} of it")
        for small_report, large_report in zip(
            measured["small"][-len(REPORTS) :], measured["large"][-len(REPORTS) :], strict=True
        ):
            grown = large_report.ours / small_report.ours
            console.print(f"{small_report.name.split(',')[0]}: {grown:.2f} of it")
    if given.json:
        figures = {
            name: [asdict(result) | {"ratio": result.ratio} for result in results]
            for name, results in measured.items()
        }
        given.json.write_text(json.dumps(figures, indent=2))


def measure(scale: Scale, console: Console, seconds: int, *, durable: bool) -> list[Result]:
    """All figures of one world."""
    with (
        scratch_server() as server,
        world(server, scale, console, durable=durable) as database,
        Progress(console=console) as progress,
    ):
        dsn = server.dsn(database)
        task = progress.add_task("measuring", total=35)

        def advance() -> None:
            progress.advance(task)

        return [
            availability(dsn, scale, "get_availability", advance),
            availability(dsn, scale, "get_availability_days", advance),
            month_weight(dsn, advance),
            staff_page(dsn, seconds, advance),
            holding(dsn, scale, 1, seconds, advance),
            holding(dsn, scale, 8, seconds, advance),
            hot_slot(dsn, seconds, advance),
            idle_sweep(dsn, advance),
            search(dsn, scale, advance),
            *reports(dsn, scale, advance),
        ]


def show(scale: Scale, results: list[Result], console: Console) -> None:
    """Print the figures of one world."""
    table = Table(title=f"{scale.venues * scale.bookings:,} bookings, {scale.venues:,} venues")
    for heading in ("what", "ours", "raw", "ratio"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for result in results:
        table.add_row(
            result.name,
            f"{result.ours:,.1f} {result.unit}",
            f"{result.raw:,.1f} {result.unit}",
            f"{result.ratio:.2f}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
