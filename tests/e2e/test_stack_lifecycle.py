"""One command starts everything, and nothing is left when it ends, however it ends."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

import stack as stack_of_the_run
from escapemaster_dev.stack.config import Ports, StackConfig
from escapemaster_dev.stack.environment import read_environment
from escapemaster_dev.stack.ports import is_free
from escapemaster_dev.stack.state import is_running, read_state
from escapemaster_dev.stack.supervisor import cluster_of
from stack import Stack, wait_until

PATIENCE = 300


@dataclass(frozen=True)
class Place:
    """Where a stack of a test's own lives."""

    config: StackConfig

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "ESCAPEMASTER_HOME": str(self.config.home),
            "ESCAPEMASTER_PORT": str(self.config.ports.base),
        }

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "escapemaster_dev", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def up(self, *options: str) -> subprocess.Popen[str]:
        """Start it in the foreground, and return when it is ready."""
        process = subprocess.Popen(
            [sys.executable, "-m", "escapemaster_dev", "up", "--throw-away", *options],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

        def ready() -> bool:
            assert process.poll() is None, process.communicate()
            state = read_state(self.config)
            # A killed one has left its last word behind.
            return state is not None and (state.supervisor, state.status) == (process.pid, "ready")

        wait_until(ready, seconds=PATIENCE)
        return process

    def pids(self) -> dict[str, int]:
        state = read_state(self.config)
        assert state is not None
        return {part.name: part.pid for part in state.parts}

    def assert_nothing_runs(self, pids: dict[str, int]) -> None:
        wait_until(lambda: not any(_alive(pid) for pid in pids.values()))
        ports = self.config.ports.by_part().values()
        wait_until(lambda: all(is_free(port) for port in ports))


def _alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """One place for all: only its first start has to make a database."""
    base = next(
        base
        for base in range(25500 + os.getpid() % 50 * 20, 27900, 20)
        if all(is_free(port) for port in Ports(base).by_part().values())
    )
    with stack_of_the_run.directory("lifecycle") as home:
        config = StackConfig(home, Ports(base), durable=False)
        yield Place(config)
        if config.secrets.exists():
            cluster_of(config).remove()


@pytest.fixture
def running(place: Place) -> Iterator[subprocess.Popen[str]]:
    """A stack in the foreground, without the demo."""
    process = place.up("--no-seed")
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=300)


def test_it_runs_beside_another_keeps_its_secrets_and_ends_with_ctrl_c(
    place: Place, running: subprocess.Popen[str], stack: Stack
) -> None:
    pids = place.pids()
    assert {
        "PostgreSQL",
        "Auth and Storage",
        "PostgREST",
        "gateway",
        "edge functions",
        "mailbox",
        "Stripe sandbox",
        "API",
        "worker",
    } == set(pids)
    _assert_apart(place, stack)
    _assert_secrets_are_shut_away(place)
    os.killpg(running.pid, signal.SIGINT)
    output, errors = running.communicate(timeout=300)
    assert running.returncode == 0, errors
    assert "Publishable key" in output
    assert "Traceback" not in errors
    place.assert_nothing_runs(pids)


def _assert_apart(place: Place, stack: Stack) -> None:
    """The keys of one stack are nothing in the other, and one place holds one stack."""
    ours = read_environment(place.config.environment)
    key = {"apikey": ours["SUPABASE_PUBLISHABLE_KEY"]}
    assert ours["SUPABASE_URL"] != stack.url
    with httpx.Client(trust_env=False) as http:
        for url, status in ((ours["SUPABASE_URL"], 404), (stack.url, 401)):
            asked = http.post(
                f"{url}/rest/v1/rpc/get_calendar", headers=key, json={"slug": "no-such"}
            )
            assert asked.status_code == status
    assert place.command("up", "--no-seed").returncode == 1


def _assert_secrets_are_shut_away(place: Place) -> None:
    secret = read_environment(place.config.environment)["SUPABASE_SECRET_KEY"]
    for path in place.config.home.rglob("*"):
        if not path.is_file() or path.is_symlink() or "postgres" in path.parts:
            continue
        if secret in path.read_text(errors="replace"):
            shut = [path, *(each for each in path.parents if place.config.home in each.parents)]
            assert any(not each.stat().st_mode & 0o077 for each in shut), path
    assert not stat.S_IMODE(place.config.home.stat().st_mode) & 0o066
    for directory in (place.config.mail, place.config.stripe, place.config.logs):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_part_that_dies_is_started_again_and_status_says_so(
    place: Place, running: subprocess.Popen[str]
) -> None:
    before = place.pids()
    victims = ("mailbox", "Auth and Storage", "PostgreSQL")
    for name in victims:
        os.kill(before[name], signal.SIGKILL)

    def back() -> bool:
        state = read_state(place.config)
        assert state is not None
        return all(part.runs and part.restarts for part in state.parts if part.name in victims)

    wait_until(back)
    after = place.pids()
    assert all(after[name] != before[name] for name in victims)
    told = place.command("status")
    assert told.returncode == 0
    for name in victims:
        assert f"{name} was ended by signal 9 and was started again (times: 1)." in told.stdout
    # Auth's start wrote functions of ours anew, and they are mended again.
    url = read_environment(place.config.environment)["DATABASE_URL"]

    def mended() -> bool:
        try:
            with psycopg.connect(url) as connection:
                (body,) = connection.execute(
                    "select prosrc from pg_proc where oid = 'auth.uid()'::regprocedure"
                ).fetchone() or ("",)
        except psycopg.OperationalError:
            return False
        return "request.jwt.claims" in body

    wait_until(mended)
    assert running.poll() is None


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does it on Linux only")
def test_nothing_outlives_a_killed_supervisor(place: Place, running: subprocess.Popen[str]) -> None:
    pids = place.pids()
    running.kill()
    running.communicate(timeout=300)
    place.assert_nothing_runs(pids)
    assert not is_running(place.config)


def test_the_background_stack_is_stopped_by_down_and_emptied_by_reset(place: Place) -> None:
    started = place.command("up", "--detach", "--no-seed", "--throw-away")
    assert started.returncode == 0, started.stderr
    assert "Publishable key" in started.stdout
    pids = place.pids()
    try:
        assert place.command("status").returncode == 0
        url = read_environment(place.config.environment)["DATABASE_URL"]
        with psycopg.connect(url) as connection:
            connection.execute("create table public.left_behind (x int)")
        again = place.command("up", "--detach")
        assert again.returncode == 1
        assert "running already" in again.stderr
        shown = place.command("logs", "gateway", "-n", "5")
        assert shown.returncode == 0
        unknown = place.command("logs", "nonsense")
        assert unknown.returncode == 1
        assert "there is no log called nonsense" in unknown.stderr
    finally:
        assert place.command("down").stdout == "Stopped.\n"
    place.assert_nothing_runs(pids)
    assert "No stack is running here" in place.command("down").stdout
    secrets = place.config.secrets.read_text()
    emptied = place.command("reset", "--yes")
    assert emptied.returncode == 0
    kept = sorted(path.name for path in place.config.home.iterdir())
    assert place.config.secrets.name in kept
    assert emptied.stdout.splitlines()[-1].endswith(f": {', '.join(kept)}.")
    assert not (place.config.home / "postgres" / "data").exists()
    assert place.config.secrets.read_text() == secrets


def test_a_start_that_is_interrupted_leaves_nothing(place: Place) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "escapemaster_dev", "up", "--no-seed", "--throw-away"],
        env=place.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    before = time.time()

    def some_parts() -> bool:
        state = read_state(place.config)
        fresh = place.config.state.exists() and place.config.state.stat().st_mtime >= before
        return fresh and state is not None and len(state.parts) >= 3

    wait_until(some_parts, seconds=PATIENCE)
    process.terminate()
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    wait_until(lambda: all(is_free(port) for port in place.config.ports.by_part().values()))
